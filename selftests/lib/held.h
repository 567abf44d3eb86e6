/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much memory the kernel holds for itself: for what must not leak.
 */
#ifndef OOMLENS_HELD_H
#define OOMLENS_HELD_H

#include "test.h"

/*
 * What neither a task nor a file nor a cache holds, in kB: what leaks ends up
 * there. Caches and the slab's reserves are given up for it, so the tasks that
 * the caller started should be gone.
 */
long long held_kb(void);
/* It is so again, or at most HELD_SLACK_KB more; waits for it, and says both. */
bool held_same(long long before);
/* Empty slabs go back, and what KASAN keeps aside of what was freed; all is counted. */
void slabs_settle(void);

/* By chance: batches kept by a processor, the log, tables that grew once. */
#define HELD_SLACK_KB	768

#endif /* OOMLENS_HELD_H */
