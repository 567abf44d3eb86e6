/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every thread group of one moment, ranked: what badness prints.
 */
#ifndef OOMLENS_SNAPSHOT_H
#define OOMLENS_SNAPSHOT_H

#include "../kernel/kernel.h"

struct oomlens_rows;

/**
 * struct oomlens_rank_key - what is compared when tasks are ranked
 * @points: LONG_MAX for a task that is flagged to go first
 * @row: its figures
 */
struct oomlens_rank_key {
	long points;
	struct oomlens_task *row;
};

/**
 * struct oomlens_snapshot - one snapshot
 * @scope: held while the snapshot is taken, of no meaning after
 * @chunks: the rows, in the order of the walk
 * @last: of @chunks, the one that is being filled
 * @keys: of the ranked rows first, in the kernel's order, then of the rest
 * @memcgs: of the rows; NULL where there was no memory for them
 * @n: rows, and keys
 * @ranked: of them, with a rank
 * @tasks: thread groups visited, kernel threads left out
 * @kthreads: kernel threads visited
 * @dies: thread groups that the next kill takes
 * @machine_pages: RAM and swap, for score
 * @totalpages: of the scope
 * @complete: no row is missing
 * @spare: chunks and keys are those set aside at load
 */
struct oomlens_snapshot {
	const struct oomlens_scope *scope;
	struct oomlens_rows *chunks;
	struct oomlens_rows *last;
	struct oomlens_rank_key *keys;
	struct oomlens_memcg_set *memcgs;
	unsigned int n;
	unsigned int ranked;
	unsigned int tasks;
	unsigned int kthreads;
	unsigned int dies;
	unsigned long machine_pages;
	unsigned long totalpages;
	bool complete;
	bool spare;
};

void oomlens_rank_sort(struct oomlens_rank_key *keys, unsigned int n);

int oomlens_snapshot_take(struct oomlens_snapshot *t, struct oomlens_scope *scope);
void oomlens_snapshot_free(struct oomlens_snapshot *t);

#endif /* OOMLENS_SNAPSHOT_H */
