/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has promised: how much, under which limit, to which
 * processes, and which shared objects no process owns.
 */
#ifndef OOMLENS_PROMISE_H
#define OOMLENS_PROMISE_H

#include "../kernel/kernel.h"

extern const struct oomlens_file_ops oomlens_overcommit_file;
extern const struct oomlens_file_ops oomlens_commit_file;
extern const struct oomlens_file_ops oomlens_objects_file;
extern const struct oomlens_file_ops oomlens_memory_file;

/* The longest text of one object, with its NUL. */
#define OOMLENS_OBJECT_TEXT	1792

void oomlens_supers_init(void);
int oomlens_objects_largest(unsigned int n, void (*take)(const char *text, void *arg), void *arg);

/* ---- memory.c: what all of RAM is used for ---- */

/* The lines whose sum, with "unaccounted", is all of RAM; then those beside the sum. */
enum oomlens_memory_line {
	OOMLENS_MEMORY_FREE,
	OOMLENS_MEMORY_PCP,
	OOMLENS_MEMORY_ANON,
	OOMLENS_MEMORY_ANON_UNMAPPED,
	OOMLENS_MEMORY_PAGE_CACHE,
	OOMLENS_MEMORY_SHMEM,
	OOMLENS_MEMORY_SLAB_RECLAIMABLE,
	OOMLENS_MEMORY_SLAB_UNRECLAIMABLE,
	OOMLENS_MEMORY_KERNEL_STACK,
	OOMLENS_MEMORY_PAGETABLES,
	OOMLENS_MEMORY_SECONDARY_PAGETABLES,
	OOMLENS_MEMORY_PERCPU,
	OOMLENS_MEMORY_VMALLOC,
	OOMLENS_MEMORY_HUGETLB,
	OOMLENS_MEMORY_ZSMALLOC,
	OOMLENS_MEMORY_GPU,
	OOMLENS_MEMORY_MISC_RECLAIMABLE,
	OOMLENS_MEMORY_MODULE,
	OOMLENS_MEMORY_SUMMED,			/* lines up to here make the sum */
	OOMLENS_MEMORY_SWAPCACHE = OOMLENS_MEMORY_SUMMED,
	OOMLENS_MEMORY_BALLOON,
	OOMLENS_MEMORY_LOCKED,
	OOMLENS_NR_MEMORY_LINES
};

/* This kernel has no such counter. */
#define OOMLENS_MEMORY_NONE	LONG_MIN

/**
 * struct oomlens_memory - one reading of what RAM is used for, and its source
 * @meminfo: /proc/meminfo, of this reader alone
 * @v: what is read of it; the sysctls are 0
 * @node: enum node_stat_item, all nodes, with what the CPUs keep back
 * @zone: enum zone_stat_item, likewise
 * @pcp: pages, on the free lists of the CPUs
 * @ram: pages, totalram_pages()
 * @line: pages, or OOMLENS_MEMORY_NONE
 * @unaccounted: pages, @ram less the summed lines; may be negative
 */
struct oomlens_memory {
	struct oomlens_meminfo meminfo;
	struct oomlens_sysvalues v;
	long node[NR_VM_NODE_STAT_ITEMS];
	long zone[NR_VM_ZONE_STAT_ITEMS];
	long pcp;
	long ram;
	long line[OOMLENS_NR_MEMORY_LINES];
	long unaccounted;
};

void oomlens_memory_init(void);
int oomlens_memory_open(struct oomlens_memory *m);
void oomlens_memory_close(struct oomlens_memory *m);
int oomlens_memory_read(struct oomlens_memory *m);

#endif /* OOMLENS_PROMISE_H */
