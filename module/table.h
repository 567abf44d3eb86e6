/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every thread group of one moment, ranked: what badness prints.
 */
#ifndef OOMLENS_TABLE_H
#define OOMLENS_TABLE_H

#include "oomlens.h"
#include "rank.h"

struct oomlens_chunk;

/**
 * struct oomlens_table - one snapshot
 * @chunks: the rows, in the order of the walk
 * @last: of @chunks, the one that is being filled
 * @keys: of the ranked rows first, in the kernel's order, then of the rest
 * @paths: of the rows' cgroups; NULL where there was no memory for them
 * @n: rows, and keys
 * @ranked: of them, with a rank
 * @tasks: thread groups visited, kernel threads left out
 * @kthreads: kernel threads visited
 * @dies: thread groups that the next kill takes
 * @machine_pages: RAM and swap, for score
 * @totalpages: of the scope
 * @complete: no row is missing
 * @spare: chunks and keys are the spare table's
 */
struct oomlens_table {
	struct oomlens_chunk *chunks;
	struct oomlens_chunk *last;
	struct oomlens_rank_key *keys;
	struct oomlens_paths *paths;
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

int oomlens_table_take(struct oomlens_table *t, struct oomlens_scope *scope);
void oomlens_table_free(struct oomlens_table *t);

#endif /* OOMLENS_TABLE_H */
