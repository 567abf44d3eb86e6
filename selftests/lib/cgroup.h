/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory cgroups, by the same calls on cgroup v2 and v1. Sizes are pages.
 */
#ifndef OOMLENS_CGROUP_H
#define OOMLENS_CGROUP_H

#include "test.h"

int cg_version(void);			/* 2, 1, or 0: no memory controller */
const char *cg_root(void);		/* where the hierarchy is mounted */
/* Directory of a new cgroup below @parent (NULL: the test's own); removed at end. */
char *cg_create(const char *parent, const char *name);
/* With that limit of memory, and no swap. */
char *cg_create_limited(const char *name, unsigned long pages);
/* As the module and /proc/PID/cgroup show it. */
const char *cg_shown(const char *dir);
int cg_attach(const char *dir, pid_t pid);	/* pid 0: the caller */
int cg_limit(const char *dir, unsigned long pages);		/* memory */
int cg_swap_limit(const char *dir, unsigned long pages);	/* swap, of v2's meaning */
int cg_oom_group(const char *dir, bool on);		/* -EOPNOTSUPP on v1 */
/* How often the OOM killer struck in it, or below it on v2; -1 if unknown. */
long long cg_oom_kills(const char *dir);
long long cg_usage(const char *dir);		/* pages, -1 if unknown */
long long cg_swap_usage(const char *dir);	/* pages, -1 without swap accounting */
/* Removed cgroups that something still holds, on v2; drops what tasks there had read. */
long long cg_dying(void);
int cg_delegate_cpuset(const char *dir);	/* that one, v2's; NULL: the test's own */
char *cg_cpuset(const char *mems);	/* with these nodes; NULL: no such controller */
int cg_remove(const char *dir);

#endif /* OOMLENS_CGROUP_H */
