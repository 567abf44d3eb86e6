/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is compared when tasks are ranked: beside each other, not in the
 * samples, for the cache.
 */
#ifndef OOMLENS_RANK_H
#define OOMLENS_RANK_H

#include "oomlens.h"

/**
 * struct oomlens_rank_key - one task
 * @points: LONG_MAX for one that is flagged to go first
 * @row: its sample
 */
struct oomlens_rank_key {
	long points;
	struct oomlens_sample *row;
};

int oomlens_rank_sort(struct oomlens_rank_key *keys, unsigned int n);

#endif /* OOMLENS_RANK_H */
