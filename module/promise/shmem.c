// SPDX-License-Identifier: GPL-2.0
/*
 * What is promised to shared memory objects, which no process owns: shared
 * anonymous mappings, SysV segments, memfds, drivers' buffers, tmpfs files.
 *
 * They are all inodes of shmem, found through the superblocks of tmpfs; the
 * kernel's internal mount, where most of them live, is one of these.
 */
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/magic.h>

#include "../kernel/kernel.h"
#include "shmem.h"

/* Inodes read before the list's lock is dropped. */
#define BATCH	256

/*
 * Charged to one inode, in pages: its whole size, or, if it was made with
 * VM_NORESERVE (as tmpfs files and memfds are), each page that it got, which
 * swapping out does not give back. Source: mm/shmem.c, shmem_acct_size() and
 * shmem_acct_blocks().
 */
static long inode_charge(struct inode *inode)
{
	const struct shmem_inode_info *info = SHMEM_I(inode);

	if (S_ISREG(inode->i_mode) && !(READ_ONCE(info->flags) & SHMEM_F_NORESERVE))
		return PAGE_ALIGN(i_size_read(inode)) >> PAGE_SHIFT;
	return READ_ONCE(info->alloced);
}

/*
 * The list's lock is dropped every BATCH inodes, with one inode held as the place
 * to go on from.
 * As in fs/drop_caches.c.
 */
static void add_super(struct super_block *sb, void *arg)
{
	struct oomlens_shmem *o = arg;
	struct inode *inode, *held = NULL;
	unsigned int left = BATCH;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (S_ISREG(inode->i_mode) || S_ISLNK(inode->i_mode)) {
			o->charge += inode_charge(inode);
			o->resident += READ_ONCE(inode->i_data.nrpages);
			o->swapped += READ_ONCE(SHMEM_I(inode)->swapped);
		}
		if (--left && !need_resched())
			continue;
		/* An inode that is being freed cannot be held: try the next. */
		left = 1;
		if (!igrab(inode))
			continue;
		left = BATCH;
		spin_unlock(&sb->s_inode_list_lock);
		iput(held);
		held = inode;
		cond_resched();
		if (fatal_signal_pending(current))
			goto out;
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
out:
	iput(held);
}

/*
 * The initramfs, where it is still the root: a shmem filesystem whose type is
 * not registered.
 */
static void add_rootfs(struct oomlens_shmem *o, const struct file_system_type *tmpfs)
{
	struct super_block *sb;
	struct path root;

	get_fs_root(init_task.fs, &root);
	sb = root.mnt->mnt_sb;
	if (sb->s_magic == TMPFS_MAGIC && sb->s_type != tmpfs)
		add_super(sb, o);
	path_put(&root);
}

/**
 * oomlens_shmem_read() - sum up what shared memory objects are charged
 * @o: filled in; zero on a kernel without shmem, where they are not charged
 *
 * Context: process context, sleeps: takes each tmpfs' s_umount for reading.
 * Return: 0, or -EINTR on a fatal signal.
 */
int oomlens_shmem_read(struct oomlens_shmem *o)
{
	struct file_system_type *tmpfs;

	memset(o, 0, sizeof(*o));
	if (!IS_ENABLED(CONFIG_SHMEM))
		return 0;
	tmpfs = get_fs_type("tmpfs");
	if (!tmpfs)
		return 0;
	iterate_supers_type(tmpfs, add_super, o);
	add_rootfs(o, tmpfs);
	module_put(tmpfs->owner);
	return fatal_signal_pending(current) ? -EINTR : 0;
}
