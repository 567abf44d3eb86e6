/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a refused command must leave as it was.
 */
#ifndef OOMLENS_UNCHANGED_H
#define OOMLENS_UNCHANGED_H

#include "test.h"

/*
 * The settings of /proc/sys/vm and kernel.sysrq; each process with its adj and
 * whether it is flagged; the OOM kills that the kernel has counted, and the
 * events; free memory, the module's own, the reserve.
 */
struct snapshot;

struct snapshot *snapshot_take(void);
/* Held against now, within 1% of free memory, and freed. */
void expect_unchanged(struct snapshot *before, const char *what);
/* Both: nothing has changed, and @err is @want. */
void expect_refused(struct snapshot *before, const char *what, int err, int want);

#endif /* OOMLENS_UNCHANGED_H */
