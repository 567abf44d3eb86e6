/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is compared when tasks are ranked: beside each other, not in the
 * samples, for the cache.
 */
#ifndef OOMLENS_RANK_H
#define OOMLENS_RANK_H

#include "score.h"

/**
 * struct oomlens_rank_key - one task
 * @points: LONG_MAX for one that is flagged to go first
 * @order: place in the kernel's walk
 * @row: of its sample
 */
struct oomlens_rank_key {
	long points;
	unsigned int order;
	unsigned int row;
};

static inline bool oomlens_rank_precedes(const struct oomlens_rank_key *a,
					 const struct oomlens_rank_key *b)
{
	return oomlens_precedes(a->points, a->order, b->points, b->order);
}

bool oomlens_rank_sorted(const struct oomlens_rank_key *keys, unsigned int n);
void oomlens_rank_sort(struct oomlens_rank_key *keys, struct oomlens_rank_key *scratch,
		       unsigned int n);

#endif /* OOMLENS_RANK_H */
