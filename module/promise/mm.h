/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every address space once, with its owner and what it is charged.
 */
#ifndef OOMLENS_MM_H
#define OOMLENS_MM_H

#include "vma.h"

/**
 * struct oomlens_mm - one address space, or the sum of several
 * @mm: held by mmgrab() until it has been measured, NULL after
 * @charges: zero if skipped
 * @touched: pages, anonymous ones present or swapped
 * @uncashed: pages, charged and not touched
 * @vm_total: pages, mm->total_vm
 * @from: address at which measuring goes on
 * @cached: of @touched, what threads have counted and not handed in
 * @order: place in the walk
 * @memcg: index in the set, of its owner
 * @pid: of its owner, the first process in the walk that has it
 * @uid: of its owner, in the initial user namespace
 * @spaces: 1, or how many are summed up
 * @skipped: of them, those whose lock could not be had
 * @gone: exited before it could be measured, or a second user of the same mm
 * @comm: of its owner
 */
struct oomlens_mm {
	struct mm_struct *mm;
	struct oomlens_charges charges;
	unsigned long touched;
	unsigned long uncashed;
	unsigned long vm_total;
	unsigned long from;
	long cached;
	unsigned int order;
	unsigned int memcg;
	pid_t pid;
	uid_t uid;
	unsigned int spaces;
	unsigned int skipped;
	bool gone;
	char comm[TASK_COMM_LEN];
};

struct oomlens_mms {
	struct oomlens_mm *rows;
	unsigned int max;
	unsigned int n;
	unsigned int seen;		/* tasks, while walking */
	struct oomlens_memcg_set *memcgs;
};

int oomlens_mms_read(struct oomlens_mms *t);
int oomlens_mms_read_one(struct oomlens_mms *t, struct pid *pid,
			 struct oomlens_vmas *vmas);
void oomlens_mms_free(struct oomlens_mms *t);

#endif /* OOMLENS_MM_H */
