// SPDX-License-Identifier: GPL-2.0
/*
 * The table of shared memory objects: each inode once, with its kind, its pages
 * and its name. Whatever users make, it takes a bounded part of memory.
 */
#include <linux/dcache.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/magic.h>
#include <linux/sizes.h>
#include <linux/sort.h>

#include "objects.h"
#include "shmem.h"
#include "supers.h"

#define FIRST_ROWS	256
#define FIRST_NAMES	SZ_8K

/* ---- memory ---- */

static unsigned int *head_of(const struct oomlens_objects *t, const void *inode)
{
	return &t->hash[hash_ptr(inode, t->hash_bits)];
}

static void link_row(struct oomlens_objects *t, unsigned int i)
{
	unsigned int *head = head_of(t, t->rows[i].inode);

	t->rows[i].next = *head;
	*head = i + 1;
}

static int resize_rows(struct oomlens_objects *t, unsigned int max)
{
	struct oomlens_object *rows = kvmalloc_array(max, sizeof(*rows), OOMLENS_GFP_FILE);
	unsigned int bits = ilog2(max) + 1, i;
	unsigned int *hash = kvcalloc(1U << bits, sizeof(*hash), OOMLENS_GFP_FILE);

	if (!rows || !hash) {
		kvfree(rows);
		kvfree(hash);
		return -ENOMEM;
	}
	if (t->n)
		memcpy(rows, t->rows, t->n * sizeof(*rows));
	kvfree(t->rows);
	kvfree(t->hash);
	t->rows = rows;
	t->max = max;
	t->hash = hash;
	t->hash_bits = bits;
	for (i = 0; i < t->n; i++)
		link_row(t, i);
	return 0;
}

static int resize_names(struct oomlens_objects *t, size_t size)
{
	char *names = kvmalloc(size, OOMLENS_GFP_FILE);

	if (!names)
		return -ENOMEM;
	if (t->names_used)
		memcpy(names, t->names, t->names_used);
	kvfree(t->names);
	t->names = names;
	t->names_size = size;
	return 0;
}

static int alloc_table(struct oomlens_objects *t, size_t room)
{
	memset(t, 0, sizeof(*t));
	t->complete = true;
	t->room = room;
	t->path = kmalloc(PATH_MAX, OOMLENS_GFP);
	if (!t->path || resize_rows(t, FIRST_ROWS) || resize_names(t, FIRST_NAMES))
		return -ENOMEM;
	/* Offset 0 means no name. */
	t->names[t->names_used++] = '\0';
	return 0;
}

/**
 * oomlens_objects_free() - give back what a read took
 * @t: zeroed, or read; zeroed after
 *
 * Context: process context, may sleep.
 */
void oomlens_objects_free(struct oomlens_objects *t)
{
	kvfree(t->rows);
	kvfree(t->hash);
	kvfree(t->names);
	kfree(t->path);
	memset(t, 0, sizeof(*t));
}

/*
 * Many small objects must not hide a large one. The second half of the rows is for
 * objects that have a page or more (a row is 1/40 of a page). The second half of the
 * names is for objects that have LARGE pages or more (a name is 4 pages at most).
 */
#define LARGE	256

static unsigned long pages_of(const struct oomlens_object *o)
{
	return o->kind == OOMLENS_OBJECT_DMABUF ? o->size : o->resident + o->swapped;
}

static int room_for_row(struct oomlens_objects *t, const struct oomlens_object *o)
{
	size_t most = t->room / sizeof(*o);

	if (t->n >= most / 2 && !pages_of(o))
		return -ENOSPC;
	if (t->n < t->max)
		return 0;
	return t->max < most ? resize_rows(t, min_t(size_t, 2 * t->max, most)) : -ENOSPC;
}

static int room_for_name(struct oomlens_objects *t, const struct oomlens_object *o, size_t len)
{
	size_t need = t->names_used + len + 1, most = t->room;

	if (need > (pages_of(o) < LARGE ? most / 2 : most))
		return -ENOSPC;
	if (need <= t->names_size)
		return 0;
	return resize_names(t, min(max(2 * t->names_size, need), most));
}

/* ---- kinds and names ---- */

static bool is_internal(const struct inode *inode)
{
	return inode->i_sb->s_flags & SB_KERNMOUNT;
}

/*
 * Objects on the kernel's own mounts are told apart by the names that the kernel
 * gives them: mm/memfd.c, ipc/shm.c newseg(), mm/shmem.c shmem_zero_setup().
 */
static enum oomlens_object_kind kind_of(const struct inode *inode, const char *name)
{
	if (inode->i_sb->s_magic == DMA_BUF_MAGIC)
		return OOMLENS_OBJECT_DMABUF;
	if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		return OOMLENS_OBJECT_HUGETLBFS;
	if (!is_internal(inode))
		return OOMLENS_OBJECT_TMPFS;
	if (strstarts(name, "memfd:"))
		return OOMLENS_OBJECT_MEMFD;
	if (strstarts(name, "SYSV"))
		return OOMLENS_OBJECT_SYSV;
	if (!strcmp(name, "dev/zero"))
		return OOMLENS_OBJECT_SHARED;
	return OOMLENS_OBJECT_GEM;
}

/* Of the aliases, one that can still be opened. */
static struct dentry *find_dentry(struct inode *inode)
{
	return d_find_alias(inode) ?: d_find_any_alias(inode);
}

static const char *path_in_fs(struct dentry *dentry, char *buf)
{
	static const char deleted[] = " (deleted)";
	size_t tail = d_unlinked(dentry) ? strlen(deleted) : 0;
	char *path = dentry_path_raw(dentry, buf, PATH_MAX - tail);

	if (IS_ERR(path))
		return "[path_too_long]";
	memcpy(buf + PATH_MAX - tail - 1, deleted, tail);
	buf[PATH_MAX - 1] = '\0';
	return path;
}

/* Internal files have no path, and dma-bufs a name that can be set. */
static const char *name_of(struct dentry *dentry, char *buf)
{
	const char *name;

	if (dentry->d_sb->s_magic != DMA_BUF_MAGIC)
		return dentry->d_sb->s_flags & SB_KERNMOUNT ? (const char *)dentry->d_name.name :
			path_in_fs(dentry, buf);
	if (!dentry->d_op || !dentry->d_op->d_dname)
		return "";
	name = dentry->d_op->d_dname(dentry, buf, PATH_MAX);
	if (IS_ERR(name))
		return "";
	return strchr(name, ':') ? strchr(name, ':') + 1 : name;
}

static void set_name(struct oomlens_objects *t, struct oomlens_object *o, const char *name)
{
	size_t len = oomlens_escaped_len(name);

	if (room_for_name(t, o, len)) {
		t->complete = false;
		return;
	}
	o->name = t->names_used;
	*oomlens_escape(t->names + o->name, name) = '\0';
	t->names_used += len + 1;
}

/* ---- figures ---- */

static void read_shmem(struct oomlens_object *o, struct inode *inode)
{
	struct oomlens_shmem s = {};

	oomlens_shmem_inode(inode, &s);
	o->resident = max(s.resident, 0L);
	o->swapped = max(s.swapped, 0L);
	o->charge = max(s.charge, 0L);
}

/* nrpages counts huge pages before 6.7; i_blocks is raised with each one. */
static void read_hugetlbfs(struct oomlens_object *o, struct inode *inode)
{
	o->resident = inode->i_blocks >> (PAGE_SHIFT - SECTOR_SHIFT);
}

static void read_inode(struct oomlens_object *o, struct inode *inode)
{
	*o = (struct oomlens_object){
		.inode = inode,
		.ino = inode->i_ino,
		.dev = inode->i_sb->s_dev,
		.generation = inode->i_generation,
		.size = PAGE_ALIGN((u64)i_size_read(inode)) >> PAGE_SHIFT,
	};
	if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		read_hugetlbfs(o, inode);
	else if (inode->i_sb->s_magic != DMA_BUF_MAGIC)
		read_shmem(o, inode);
}

static void add_row(struct oomlens_objects *t, const struct oomlens_object *o, const char *name)
{
	if (room_for_row(t, o)) {
		t->complete = false;
		return;
	}
	t->rows[t->n] = *o;
	set_name(t, &t->rows[t->n], name);
	link_row(t, t->n++);
}

/**
 * oomlens_objects_add() - add an object that is not in the table
 * @t: the table
 * @inode: held, of shmem, hugetlbfs or a dma-buf
 *
 * Passes over what is smaller than t->least. Without room, t->complete becomes false.
 *
 * Context: process context, may sleep; does not run the OOM killer.
 */
void oomlens_objects_add(struct oomlens_objects *t, struct inode *inode)
{
	struct dentry *dentry = find_dentry(inode);
	struct oomlens_object o;
	const char *name;

	/* An internal file that is just being made or freed. */
	if (!dentry && is_internal(inode))
		return;
	name = dentry ? name_of(dentry, t->path) : "";
	read_inode(&o, inode);
	o.kind = kind_of(inode, name);
	if (pages_of(&o) >= t->least)
		add_row(t, &o, name);
	dput(dentry);
}

/**
 * oomlens_objects_find() - the row of an inode
 * @t: the table, not sorted yet
 * @inode: kept alive by the caller
 *
 * Context: any.
 * Return: the row, NULL if there is none.
 */
struct oomlens_object *oomlens_objects_find(const struct oomlens_objects *t,
					    const struct inode *inode)
{
	unsigned int i;

	for (i = *head_of(t, inode); i; i = t->rows[i - 1].next) {
		struct oomlens_object *o = &t->rows[i - 1];

		if (o->inode == inode)
			return o->ino == inode->i_ino && o->generation == inode->i_generation ?
				o : NULL;
	}
	return NULL;
}

/* Does an inode have pages of its own? */
static bool is_object(const struct inode *inode)
{
	return S_ISREG(inode->i_mode) || S_ISLNK(inode->i_mode);
}

static int visit_inode(struct inode *inode, void *arg)
{
	struct oomlens_objects *t = arg;
	struct oomlens_object o;

	if (!is_object(inode))
		return 0;
	if (t->least) {
		/* Before a name is made for it. */
		read_inode(&o, inode);
		if (pages_of(&o) < t->least)
			return 0;
	}
	oomlens_objects_add(t, inode);
	return 0;
}

static int walk_all(int (*visit)(struct inode *inode, void *arg), void *arg)
{
	const struct oomlens_inode_walk walk = { .visit = visit, .arg = arg };

	return oomlens_walk_shmem(&walk) ?: oomlens_walk_hugetlbfs(&walk);
}

/* The pages of the largest objects, in order. */
struct largest {
	unsigned long pages[OOMLENS_LARGEST_MAX];
	unsigned int n;
};

static int note_size(struct inode *inode, void *arg)
{
	struct largest *l = arg;
	struct oomlens_object o;
	unsigned long pages;
	unsigned int i;

	if (!is_object(inode))
		return 0;
	read_inode(&o, inode);
	pages = pages_of(&o);
	for (i = 0; i < l->n; i++)
		if (pages > l->pages[i])
			swap(pages, l->pages[i]);
	return 0;
}

/**
 * oomlens_objects_read() - the objects that superblocks have
 * @t: zeroed; oomlens_objects_free() is the caller's, also on error
 * @largest: this many of those with most pages, and what has as many pages as the
 *	last of them; at most OOMLENS_LARGEST_MAX. 0: all
 *
 * The largest alone take little memory: their size is found by a walk before.
 *
 * Context: process context, sleeps.
 * Return: 0, -ENOMEM, or -EINTR on a fatal signal.
 */
int oomlens_objects_read(struct oomlens_objects *t, unsigned int largest)
{
	struct largest l = { .n = largest };
	int err;

	err = alloc_table(t, largest ? SZ_64K : oomlens_read_budget());
	if (!err && largest)
		err = walk_all(note_size, &l);
	if (err)
		return err;
	if (largest)
		t->least = max(l.pages[largest - 1], 1UL);
	return walk_all(visit_inode, t);
}

/* Most pages first, then largest charge, then largest size, then id. */
static int compare_objects(const void *a, const void *b)
{
	const struct oomlens_object *x = a, *y = b;
	unsigned long px = pages_of(x), py = pages_of(y);

	cond_resched();
	if (px != py)
		return px > py ? -1 : 1;
	if (x->charge != y->charge)
		return x->charge > y->charge ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	if (x->dev != y->dev)
		return cmp_int(x->dev, y->dev);
	return cmp_int(x->ino, y->ino);
}

/**
 * oomlens_objects_sort() - the largest object first
 * @t: the table; nothing can be found or added after
 *
 * Context: process context, may sleep.
 */
void oomlens_objects_sort(struct oomlens_objects *t)
{
	sort(t->rows, t->n, sizeof(*t->rows), compare_objects, NULL);
}
