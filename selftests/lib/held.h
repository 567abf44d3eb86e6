/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much memory the kernel holds for itself: for what must not leak.
 */
#ifndef OOMLENS_HELD_H
#define OOMLENS_HELD_H

#include "test.h"

/*
 * Memory that no task, file or cache holds, in kB: a leak shows there. Drops the
 * caches and shrinks the slabs first; the caller's tasks should be gone.
 */
long long held_kb(void);
/* Waits until held_kb() is @before again, or at most HELD_SLACK_KB more; prints both. */
bool held_same(long long before);
/* Gives empty slabs and KASAN's quarantine back, and folds all per-CPU counters. */
void slabs_settle(void);

/* Noise: batches kept by a processor, the log, tables that grew once. */
#define HELD_SLACK_KB	768

#endif /* OOMLENS_HELD_H */
