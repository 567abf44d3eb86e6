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
#include <linux/kprobes.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/sort.h>
#include <linux/version.h>
#include <linux/vmstat.h>
/* 7.2 renamed the header. */
#ifdef OOMLENS_HAVE_FOLIO_BATCH
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "oomlens needs Linux 5.10 or newer"
#endif

/*
 * "mm: fix OOM killer inaccuracy on large many-core systems" (January 2026) made
 * oom_badness() read the exact sums of the per-CPU RSS counters, and came with
 * get_mm_rss_sum(). get_mm_counter_sum() is older and tells nothing: 6.12.107
 * has it, and an OOM killer that does not use it.
 */
#ifdef OOMLENS_HAVE_MM_RSS_SUM
#define oomlens_mm_counter(mm, member)	get_mm_counter_sum(mm, member)
#else
#define oomlens_mm_counter(mm, member)	get_mm_counter(mm, member)
#endif

/*
 * In a panic the other processors have been stopped and count as offline. The exact sum
 * leaves out their parts, and takes a lock that one of them may hold. No processor adds
 * to its part any more.
 */
static inline unsigned long oomlens_mm_counter_stopped(struct mm_struct *mm, int member)
{
#if defined(OOMLENS_HAVE_MM_RSS_SUM) && defined(CONFIG_SMP)
	struct percpu_counter *counter = &mm->rss_stat[member];
	s64 sum = counter->count;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(counter->counters, cpu);
	return max_t(s64, sum, 0);
#else
	return oomlens_mm_counter(mm, member);
#endif
}

/*
 * Before 6.0 exit_mmap() set MMF_OOM_SKIP on a victim's memory before it unmapped what
 * the reaper leaves, locked and shared pages (bf3980c85212). An address space without
 * users has no pages left then; one with users was reaped.
 */
static inline bool oomlens_mm_unmapped(struct mm_struct *mm)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
	return atomic_read(&mm->mm_users) || !get_mm_rss(mm);
#else
	return true;
#endif
}

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

/* 5.14 made file_open_root() take a path (ffb37ca3bd16). */
static inline struct file *oomlens_open_at(struct vfsmount *mnt, const char *name)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
	return file_open_root(mnt->mnt_root, mnt, name, O_RDONLY, 0);
#else
	struct path root = { .mnt = mnt, .dentry = mnt->mnt_root };

	return file_open_root(&root, name, O_RDONLY, 0);
#endif
}

/*
 * 6.1 replaced the list of VMAs by a maple tree (763ecb035029). The stand-in
 * for its iterator has to be declared with the mmap lock held.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define VMA_ITERATOR(name, mm, addr)	\
	struct vm_area_struct *name = find_vma(mm, addr)
#define for_each_vma(vmi, vma)	\
	for ((vma) = (vmi); (vma); (vma) = (vma)->vm_next)
#endif

/*
 * 6.2 made the RSS counters per-CPU ones, whose sum is exact (f1a7941243c1).
 * Before, each thread kept some pages back (SPLIT_RSS_COUNTING): add them.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define oomlens_mm_counter_sum(mm, member)	get_mm_counter(mm, member)
#else
#define oomlens_mm_counter_sum(mm, member)	\
	percpu_counter_sum_positive(&(mm)->rss_stat[member])
#endif

/* Anonymous pages, swapped ones too, that a group's threads have not handed in yet. */
static inline long oomlens_threads_counted(struct task_struct *p, const struct mm_struct *mm)
{
	long n = 0;
#ifdef SPLIT_RSS_COUNTING
	struct task_struct *t;

	for_each_thread(p, t)
		if (READ_ONCE(t->mm) == mm)
			n += READ_ONCE(t->rss_stat.count[MM_ANONPAGES]) +
			     READ_ONCE(t->rss_stat.count[MM_SWAPENTS]);
#endif
	return n;
}

/* 6.16 brought a comparison for sort() (linux/sort.h). */
#ifndef cmp_int
#define cmp_int(l, r)	(((l) > (r)) - ((l) < (r)))
#endif

/*
 * 5.17 let anonymous mappings have names (9a10064f5625); 6.2 shared ones too,
 * before which the field was another's where there is a file (d09e8ca6cb93).
 */
static inline const char *oomlens_anon_vma_name(const struct vm_area_struct *vma)
{
#if defined(CONFIG_ANON_VMA_NAME) && LINUX_VERSION_CODE >= KERNEL_VERSION(5, 17, 0)
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	if (vma->vm_file)
		return NULL;
#endif
	if (vma->anon_name)
		return vma->anon_name->name;
#endif
	return NULL;
}

/* 6.19 gave shmem flags of its own, in place of VMAs'. */
#ifndef SHMEM_F_NORESERVE
#define SHMEM_F_NORESERVE	VM_NORESERVE
#endif

/* 6.7 told the path that was opened from the one below an overlay (08582d678fcf). */
#ifndef OOMLENS_HAVE_FILE_USER_PATH
#define file_user_path(file)	(&(file)->f_path)
#endif

/* 6.15 put a kernfs node's parent and name under RCU (741c10b096bc). */
#ifdef OOMLENS_HAVE_KERNFS_RCU
#define oomlens_kernfs_parent(kn)	rcu_dereference((kn)->__parent)
#define oomlens_kernfs_name(kn)		rcu_dereference((kn)->name)
#else
#define oomlens_kernfs_parent(kn)	READ_ONCE((kn)->parent)
#define oomlens_kernfs_name(kn)		READ_ONCE((kn)->name)
#endif

/* 5.14 took the list of panic notifiers out of kernel.h (f39650de687e). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
#include <linux/kernel.h>
#else
#include <linux/panic_notifier.h>
#endif

/* 6.3 renamed memcg_kmem_enabled() (f7a449f77960). */
static inline bool oomlens_memcg_kmem(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return memcg_kmem_enabled();
#else
	return memcg_kmem_online();
#endif
}

/*
 * 6.11 made the v1 hierarchy optional (e93d4166b40a), and 7.3 its members of
 * struct mem_cgroup with it. Without CONFIG_MEMCG_V1 no cgroup is on v1.
 */
#ifdef CONFIG_MEMCG
static inline int oomlens_memcg_v1_swappiness(const struct mem_cgroup *memcg)
{
#if defined(CONFIG_MEMCG_V1) || LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	return READ_ONCE(memcg->swappiness);
#else
	return 0;
#endif
}
#endif

/*
 * Has a leader whose threads have all begun to exit left the walk over its cgroup's
 * tasks? With CSS_TASK_ITER_WITH_DEAD came that it leaves at once (6.19). Before, it
 * leaves with cgroup_exit(), after its memory is gone and just before it is a zombie.
 * Source: kernel/cgroup/cgroup.c, css_task_iter_advance().
 */
static inline bool oomlens_cgroup_left(const struct task_struct *leader)
{
#ifdef OOMLENS_HAVE_ITER_WITH_DEAD
	return leader->flags & PF_EXITING;
#else
	return READ_ONCE(leader->exit_state);
#endif
}

/*
 * 6.17 gave the unbound workqueue a new name (128ea9f6ccfb), and 7.2 complains
 * in the log about work on the old one; 6.12.107 has both names.
 */
#ifndef OOMLENS_HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq	system_unbound_wq
#endif

/*
 * Counters of the page allocator's clients that older kernels lack, as an index
 * into the nodes' counters; OOMLENS_NO_COUNTER: none. NR_SWAPCACHE came with 5.12
 * (b6038942480e), NR_SECONDARY_PAGETABLE with 6.1 (ebc97a52b5d6), the others
 * later; some were backported, so mmzone.h is asked.
 */
#define OOMLENS_NO_COUNTER	(-1)
#if defined(OOMLENS_HAVE_NR_SWAPCACHE) && defined(CONFIG_SWAP)
#define OOMLENS_NR_SWAPCACHE	NR_SWAPCACHE
#else
#define OOMLENS_NR_SWAPCACHE	OOMLENS_NO_COUNTER
#endif
#ifdef OOMLENS_HAVE_NR_SECONDARY_PAGETABLE
#define OOMLENS_NR_SECONDARY_PAGETABLE	NR_SECONDARY_PAGETABLE
#else
#define OOMLENS_NR_SECONDARY_PAGETABLE	OOMLENS_NO_COUNTER
#endif
#ifdef OOMLENS_HAVE_NR_VMALLOC
#define OOMLENS_NR_VMALLOC	NR_VMALLOC
#else
#define OOMLENS_NR_VMALLOC	OOMLENS_NO_COUNTER
#endif
#ifdef OOMLENS_HAVE_NR_BALLOON_PAGES
#define OOMLENS_NR_BALLOON_PAGES	NR_BALLOON_PAGES
#else
#define OOMLENS_NR_BALLOON_PAGES	OOMLENS_NO_COUNTER
#endif
#ifdef OOMLENS_HAVE_NR_GPU_ACTIVE
#define OOMLENS_NR_GPU_ACTIVE	NR_GPU_ACTIVE
#define OOMLENS_NR_GPU_RECLAIM	NR_GPU_RECLAIM
#else
#define OOMLENS_NR_GPU_ACTIVE	OOMLENS_NO_COUNTER
#define OOMLENS_NR_GPU_RECLAIM	OOMLENS_NO_COUNTER
#endif
#if IS_ENABLED(CONFIG_ZSMALLOC)
#define OOMLENS_NR_ZSPAGES	NR_ZSPAGES
#else
#define OOMLENS_NR_ZSPAGES	OOMLENS_NO_COUNTER
#endif

/* 5.11 moved page tables from the zones' counters to the nodes' (f0c0c115fb81). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define OOMLENS_PAGETABLES(node, zone)	((zone)[NR_PAGETABLE])
#define oomlens_pagetable_pages()	global_zone_page_state(NR_PAGETABLE)
#else
#define OOMLENS_PAGETABLES(node, zone)	((node)[NR_PAGETABLE])
#define oomlens_pagetable_pages()	global_node_page_state(NR_PAGETABLE)
#endif

/* 5.14 parted a CPU's counters of a zone from its free lists (28f836b6777b). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
#define per_cpu_zonestats	pageset
static inline long oomlens_zone_pcp(const struct zone *zone, int cpu)
{
	return READ_ONCE(per_cpu_ptr(zone->pageset, cpu)->pcp.count);
}
#else
static inline long oomlens_zone_pcp(const struct zone *zone, int cpu)
{
	return READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
}
#endif

/* What a CPU keeps back of pages on their way to an LRU list; 7.2 renamed the macro. */
#ifdef FOLIO_BATCH_SIZE
#define OOMLENS_LRU_BATCH	FOLIO_BATCH_SIZE
#else
#define OOMLENS_LRU_BATCH	PAGEVEC_SIZE
#endif

/*
 * The page cache: Cached and Buffers of /proc/meminfo without Shmem. 5.12 counts the
 * swap cache among the counters that a module can read (b6038942480e); before, its
 * pages, which are in NR_FILE_PAGES, can only be left out where there is no swap.
 */
static inline long oomlens_page_cache_pages(void)
{
#if !defined(CONFIG_SWAP)
	return global_node_page_state(NR_FILE_PAGES) - global_node_page_state(NR_SHMEM);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(5, 12, 0)
	return global_node_page_state(NR_LRU_BASE + LRU_ACTIVE_FILE) +
	       global_node_page_state(NR_LRU_BASE + LRU_INACTIVE_FILE);
#else
	return global_node_page_state(NR_FILE_PAGES) - global_node_page_state(NR_SHMEM) -
	       global_node_page_state(NR_SWAPCACHE);
#endif
}

/*
 * "psi: dont alloc memory for psi by default" made a cgroup's pressure a piece of
 * memory of its own, NULL without it: so ask for the member's type.
 */
#if defined(CONFIG_PSI) && defined(CONFIG_CGROUPS)
#define oomlens_cgroup_psi(cgrp)						\
	__builtin_choose_expr(__builtin_types_compatible_p(typeof((cgrp)->psi),	\
							   struct psi_group *),	\
			      (cgrp)->psi, &(cgrp)->psi)
#endif

/*
 * What the watermark check leaves out for atomic allocations: all that was set
 * aside, or, where the kernel counts them ("mm/page_alloc: fix
 * unreserve_highatomic accounting" and what followed), the free pages
 * of it.
 */
static inline unsigned long oomlens_zone_highatomic(struct zone *zone)
{
#ifdef OOMLENS_HAVE_FREE_HIGHATOMIC
	return READ_ONCE(zone->nr_free_highatomic);
#else
	return READ_ONCE(zone->nr_reserved_highatomic);
#endif
}

/*
 * 6.4 cut a module's core into parts by what may be done with them
 * (ac3b43283923). What /proc/modules calls its size.
 */
static inline unsigned long oomlens_module_bytes(void)
{
	unsigned long bytes = 0;
#ifdef MODULE
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	bytes = THIS_MODULE->core_layout.size;
#else
	for_each_mod_mem_type(type)
		bytes += THIS_MODULE->mem[type].size;
#endif
#endif
	return bytes;
}

/*
 * 6.8 made oom:mark_victim carry the task (72ba14deb40a); it was backported,
 * so ask the header: the type of the callback is the argument of this one.
 */
#define OOMLENS_MARK_VICTIM_BY_PID					\
	__builtin_types_compatible_p(typeof(&check_trace_callback_type_mark_victim), \
				     void (*)(void (*)(void *, int)))

/*
 * 32-bit Arm has kretprobes and no regs_get_kernel_argument(). That of s390 calls
 * regs_get_register(), which is not exported.
 */
#ifdef CONFIG_KRETPROBES
#if defined(CONFIG_S390)
#define OOMLENS_HAVE_OOM_PROBE
#define oomlens_first_argument(regs)	((regs)->gprs[2])
#elif defined(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API)
#define OOMLENS_HAVE_OOM_PROBE
#define oomlens_first_argument(regs)	regs_get_kernel_argument(regs, 0)
#elif defined(CONFIG_ARM)
#define OOMLENS_HAVE_OOM_PROBE
#define oomlens_first_argument(regs)	((regs)->ARM_r0)
#endif
#endif

#endif /* OOMLENS_COMPAT_H */
