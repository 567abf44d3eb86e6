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

#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mount.h>
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

/*
 * 5.14 dropped the union around a mempolicy's nodes (269fbe72cded) and made
 * bound policies the only ones that confine an OOM (b26e517a058b).
 */
#ifdef CONFIG_NUMA
static inline bool oomlens_mempolicy_confines(const struct mempolicy *pol)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
	return pol->mode == MPOL_BIND || pol->mode == MPOL_INTERLEAVE;
#else
	return pol->mode == MPOL_BIND;
#endif
}

static inline const nodemask_t *oomlens_mempolicy_nodes(const struct mempolicy *pol)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
	return &pol->v.nodes;
#else
	return &pol->nodes;
#endif
}
#endif

/* 5.12 made file_open_root() take a path (ffb37ca3bd16). */
static inline struct file *oomlens_open_at(struct vfsmount *mnt, const char *name)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 12, 0)
	return file_open_root(mnt->mnt_root, mnt, name, O_RDONLY, 0);
#else
	struct path root = { .mnt = mnt, .dentry = mnt->mnt_root };

	return file_open_root(&root, name, O_RDONLY, 0);
#endif
}

#endif /* OOMLENS_COMPAT_H */
