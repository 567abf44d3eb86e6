/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free memory to the page, and a ballast that leaves little of it.
 */
#ifndef OOMLENS_FREE_H
#define OOMLENS_FREE_H

#include "hog.h"

/* MemFree, and what the lists of each CPU hold. */
long long free_memory_kb(void);

/*
 * What a pressure run can bring MemAvailable down to besides: its pages are the
 * kernel's, and these may not lie in a CMA area.
 */
long long cma_free_kb(void);

/* Locked memory of tasks that are never chosen, in parts that are soon made. */
struct ballast {
	struct hog hog[32];
	unsigned int n;
};

void ballast_start(struct ballast *b, long long left_kb);
bool ballast_whole(struct ballast *b);
void ballast_end(struct ballast *b);

#endif /* OOMLENS_FREE_H */
