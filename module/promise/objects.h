/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared memory objects, and the processes that have them open or mapped.
 */
#ifndef OOMLENS_OBJECTS_H
#define OOMLENS_OBJECTS_H

#include "../kernel/kernel.h"

enum oomlens_object_kind {
	OOMLENS_OBJECT_TMPFS,
	OOMLENS_OBJECT_MEMFD,
	OOMLENS_OBJECT_SHARED,		/* anonymous */
	OOMLENS_OBJECT_SYSV,
	OOMLENS_OBJECT_DMABUF,
	OOMLENS_OBJECT_GEM,		/* a driver's */
	OOMLENS_OBJECT_HUGETLBFS,
	OOMLENS_NR_OBJECT_KINDS
};

/**
 * struct oomlens_object - one object
 * @inode: its identity, never dereferenced
 * @ino: with @generation, tells another inode at the same address
 * @dev: of its filesystem
 * @generation: i_generation
 * @kind: enum oomlens_object_kind
 * @listed: belongs to the scope
 * @name: offset in names; 0: none
 * @resident: pages in memory; 0 for a dma-buf
 * @swapped: pages in swap
 * @charge: pages of Committed_AS
 * @size: pages
 * @holders: processes that have it open or mapped
 * @oldest: index of the first of them
 * @last: index of the process that was counted last
 * @next: of the hash chain, index + 1
 */
struct oomlens_object {
	const void *inode;
	u64 ino;
	dev_t dev;
	u32 generation;
	u8 kind;
	bool listed;
	unsigned int name;
	unsigned long resident;
	unsigned long swapped;
	unsigned long charge;
	unsigned long size;
	unsigned int holders;
	unsigned int oldest;
	unsigned int last;
	unsigned int next;
};

/* All objects. Memory for rows and names is bounded. */
struct oomlens_objects {
	struct oomlens_object *rows;
	unsigned int max;
	unsigned int n;
	unsigned int *hash;		/* heads of chains, index + 1 */
	unsigned int hash_bits;
	char *names;			/* escaped strings, the first is empty */
	size_t names_size;
	size_t names_used;
	char *path;			/* PATH_MAX bytes to make a name in */
	size_t room;			/* bytes for rows, and as many for names */
	unsigned long least;		/* pages; smaller objects are passed over */
	bool complete;			/* nothing is missing */
};

/* One process, or a thread that has descriptors of its own. */
struct oomlens_holder {
	struct task_struct *task;	/* held until it has been looked at, NULL after */
	u64 start;			/* ns, of the process */
	pid_t pid;			/* of the process */
	unsigned int memcg;		/* index in the set */
	unsigned int descriptors;	/* of a scope's one object, in the process' first row */
	unsigned int mappings;		/* likewise */
	char comm[TASK_COMM_LEN];
};

struct oomlens_holders {
	struct oomlens_holder *rows;	/* the oldest process first */
	unsigned int max;
	unsigned int n;
	struct oomlens_memcg_set *memcgs;
	bool complete;			/* no process and no mapping is missing */
};

/* Which objects are listed: all if this is zeroed. */
struct oomlens_object_scope {
	struct pid *pid;		/* that process' objects */
	bool by_id;			/* those with this id */
	dev_t dev;
	u64 ino;
};

/* How many can be asked for alone. */
#define OOMLENS_LARGEST_MAX	8

int oomlens_objects_read(struct oomlens_objects *t, unsigned int largest);
void oomlens_objects_add(struct oomlens_objects *t, struct inode *inode);
struct oomlens_object *oomlens_objects_find(const struct oomlens_objects *t,
					    const struct inode *inode);
void oomlens_objects_sort(struct oomlens_objects *t);
void oomlens_objects_free(struct oomlens_objects *t);

int oomlens_holders_read(struct oomlens_holders *h, struct oomlens_objects *t,
			 const struct oomlens_object_scope *scope);
void oomlens_holders_free(struct oomlens_holders *h);

#endif /* OOMLENS_OBJECTS_H */
