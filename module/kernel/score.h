/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of the OOM killer's badness, and which of two tasks goes first, of
 * equals too. Nothing else.
 *
 * Pure: it takes no lock, reads no kernel state and builds in user space too,
 * where a table test compiles it for 64 and for 32 bits. Sizes are pages.
 * All sums wrap as the kernel's do (it is built with -fno-strict-overflow);
 * unsigned arithmetic says so without undefined behaviour.
 */
#ifndef OOMLENS_SCORE_H
#define OOMLENS_SCORE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#endif

/* The memory terms of one address space. */
struct oomlens_terms {
	unsigned long rss_anon;
	unsigned long rss_file;
	unsigned long rss_shmem;
	unsigned long swap;
	unsigned long pgtables;
};

/**
 * oomlens_adj_points() - oom_score_adj in points
 * @adj: oom_score_adj, -1000 to 1000
 * @totalpages: pages that the OOM may draw on
 *
 * The division comes first and truncates, so an adj is worth nothing below
 * 1000 pages. Source: mm/oom_kill.c, oom_badness().
 */
static inline long oomlens_adj_points(long adj, unsigned long totalpages)
{
	return (long)((unsigned long)adj * (totalpages / 1000));
}

/**
 * oomlens_points() - what the OOM killer compares
 * @t: the memory terms
 * @adj_points: oomlens_adj_points() of the same task
 *
 * Source: mm/oom_kill.c, oom_badness().
 */
static inline long oomlens_points(const struct oomlens_terms *t, long adj_points)
{
	return (long)(t->rss_anon + t->rss_file + t->rss_shmem + t->swap +
		      t->pgtables + (unsigned long)adj_points);
}

/**
 * oomlens_score() - /proc/PID/oom_score of a task that can be killed
 * @points: oomlens_points() with @totalpages of the whole machine
 * @totalpages: RAM and swap of the whole machine
 *
 * On 32 bits points * 1000 overflows from about 8 GB on, and the kernel
 * prints what comes out. Source: fs/proc/base.c, proc_oom_score().
 */
static inline unsigned long oomlens_score(long points, unsigned long totalpages)
{
	long scaled = (long)((unsigned long)points * 1000);
	long doubled;

	if (!totalpages)
		return 0;
	doubled = (long)((1000 + (unsigned long)(scaled / (long)totalpages)) * 2);
	return (unsigned long)(doubled / 3);
}

/**
 * oomlens_precedes() - would the kernel take one task before another?
 * @points: of the one
 * @order: its place in the kernel's walk
 * @points2: of the other
 * @order2: its place
 *
 * The walk skips a task only if it has fewer points than the one chosen so
 * far, so the later of two equals wins. Source: mm/oom_kill.c,
 * oom_evaluate_task().
 */
static inline bool oomlens_precedes(long points, unsigned int order,
				    long points2, unsigned int order2)
{
	return points != points2 ? points > points2 : order > order2;
}

#endif /* OOMLENS_SCORE_H */
