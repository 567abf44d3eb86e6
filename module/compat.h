/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows kernel versions and probes' names.
 *
 * Everything else reads as if only the newest kernel existed. A capability
 * that was backported is probed for (Kbuild greps the header and defines
 * OOMLENS_HAVE_...); the version decides only where it was not.
 */
#ifndef OOMLENS_COMPAT_H
#define OOMLENS_COMPAT_H

#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "oomlens needs Linux 5.10 or newer"
#endif

/*
 * 6.16 (and stable trees since) made the OOM killer read the exact sums of the
 * per-CPU RSS counters. get_mm_counter_sum() alone was backported further than
 * its use in oom_badness(): get_mm_rss_sum() is what tells.
 */
#ifdef OOMLENS_HAVE_MM_RSS_SUM
#define oomlens_mm_counter(mm, member)	get_mm_counter_sum(mm, member)
#else
#define oomlens_mm_counter(mm, member)	get_mm_counter(mm, member)
#endif

/* 6.18 hid mm->flags behind mm_flags_test(). */
#ifndef OOMLENS_HAVE_MM_FLAGS
#define mm_flags_test(flag, mm)	test_bit(flag, &(mm)->flags)
#endif

/* 5.17 renamed PDE_DATA() (6dfbbae14a7b). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define pde_data(inode)	PDE_DATA(inode)
#endif

#endif /* OOMLENS_COMPAT_H */
