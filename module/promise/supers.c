// SPDX-License-Identifier: GPL-2.0
/*
 * The inodes of shared memory filesystems: tmpfs, with the kernel's internal
 * mounts where memfds, SysV segments, shared anonymous mappings and drivers'
 * buffers live, and hugetlbfs. Mount namespaces do not matter.
 *
 * sb->s_inodes is the VFS' own list. It is walked under sb->s_inode_list_lock,
 * with which an inode enters and leaves it; both are in the public struct, as
 * filesystems use them (5.10 to 7.3). An inode that is held stays on its list.
 * s_umount, which iterate_supers_type() takes, keeps the filesystem mounted; that of
 * a root is kept by the path to it.
 */
#include <linux/fs_struct.h>
#include <linux/magic.h>
#include <linux/pid_namespace.h>

#include "promise.h"
#include "supers.h"

/*
 * Looked up at load: get_fs_type() runs modprobe for a type that is not registered, as
 * hugetlbfs is not on a machine without huge pages. Both are the kernel's own, in no
 * module, and stay. NULL: this kernel has none.
 */
static struct file_system_type *tmpfs, *hugetlbfs;

static struct file_system_type *find_type(const char *name)
{
	struct file_system_type *type = get_fs_type(name);

	if (type)
		module_put(type->owner);
	return type;
}

/**
 * oomlens_supers_init() - find the types of filesystems
 *
 * Context: module load.
 */
void __init oomlens_supers_init(void)
{
	if (IS_ENABLED(CONFIG_SHMEM))
		tmpfs = find_type("tmpfs");
	if (IS_ENABLED(CONFIG_HUGETLBFS))
		hugetlbfs = find_type("hugetlbfs");
}

/* Inodes that are held before the list's lock is dropped. */
#define BATCH	64

struct batch {
	const struct oomlens_inode_walk *walk;
	struct inode *place;		/* where the walk goes on, held */
	struct inode *held[BATCH];
	unsigned int n;
	int err;
};

/* The last one stays held, as the place to go on from. As in fs/drop_caches.c. */
static void visit_held(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		if (!b->err)
			b->err = b->walk->visit(b->held[i], b->walk->arg);
		iput(b->place);
		b->place = b->held[i];
	}
	b->n = 0;
	cond_resched();
	if (!b->err && fatal_signal_pending(current))
		b->err = -EINTR;
}

static void walk_super(struct super_block *sb, void *arg)
{
	struct batch *b = arg;
	struct inode *inode;

	if (b->err)
		return;
	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		/* An inode that is being freed cannot be held. */
		if (!igrab(inode))
			continue;
		b->held[b->n++] = inode;
		if (b->n < BATCH)
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		visit_held(b);
		spin_lock(&sb->s_inode_list_lock);
		if (b->err)
			break;
	}
	spin_unlock(&sb->s_inode_list_lock);
	visit_held(b);
	iput(b->place);
	b->place = NULL;
}

/* As fs/proc/base.c, get_task_root(). */
static bool get_root(struct task_struct *p, struct path *root)
{
	bool there;

	task_lock(p);
	there = p->fs;
	if (there)
		get_fs_root(p->fs, root);
	task_unlock(p);
	return there;
}

/* Only a root of a type that is not registered: the others have been walked. */
static void walk_root(struct batch *b, struct path *root)
{
	struct super_block *sb = root->mnt->mnt_sb;

	if (sb->s_magic == TMPFS_MAGIC && sb->s_type != tmpfs)
		walk_super(sb, b);
}

/*
 * The initramfs, where it is still a root: a shmem filesystem whose type is not
 * registered. It is the root of init_task; on kernels with nullfs below it (7.x), of
 * the first process alone.
 */
static void walk_rootfs(struct batch *b)
{
	struct path idle, first;
	bool there;

	if (!get_root(&init_task, &idle))
		return;
	rcu_read_lock();
	there = get_root(init_pid_ns.child_reaper, &first);
	rcu_read_unlock();
	walk_root(b, &idle);
	if (there && first.mnt->mnt_sb != idle.mnt->mnt_sb)
		walk_root(b, &first);
	path_put(&idle);
	if (there)
		path_put(&first);
}

/**
 * oomlens_walk_shmem() - visit every inode of tmpfs, internal mounts included
 * @walk: what to call
 *
 * Not those of devtmpfs, whose type is not registered.
 *
 * Context: process context, sleeps: takes each tmpfs' s_umount for reading.
 * Return: 0, what the visitor returned, or -EINTR on a fatal signal.
 */
int oomlens_walk_shmem(const struct oomlens_inode_walk *walk)
{
	struct batch b = { .walk = walk };

	if (tmpfs) {
		iterate_supers_type(tmpfs, walk_super, &b);
		walk_rootfs(&b);
	}
	return b.err;
}

/**
 * oomlens_walk_hugetlbfs() - visit every inode of hugetlbfs, likewise
 * @walk: what to call
 *
 * Context, Return: as for oomlens_walk_shmem().
 */
int oomlens_walk_hugetlbfs(const struct oomlens_inode_walk *walk)
{
	struct batch b = { .walk = walk };

	if (hugetlbfs)
		iterate_supers_type(hugetlbfs, walk_super, &b);
	return b.err;
}
