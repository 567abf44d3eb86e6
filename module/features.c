// SPDX-License-Identifier: GPL-2.0
/*
 * What this kernel gives the module to work with, and the module's counters.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "oomlens.h"

static const char *lacks_memcg(void)
{
	if (oomlens_memcg_enabled())
		return NULL;
	return IS_ENABLED(CONFIG_MEMCG) ? "cgroup_disable=memory" : "CONFIG_MEMCG";
}

/* The module does not load without it. */
static const char *lacks_procfs(void)
{
	return NULL;
}

static const char *lacks_sysrq(void)
{
	return IS_ENABLED(CONFIG_MAGIC_SYSRQ) ? NULL : "CONFIG_MAGIC_SYSRQ";
}

/* One row a source: its name, and what is missing where it is not there. */
static const struct {
	const char *name;
	const char *(*lacks)(void);
} features[] = {
	{ "notifier",		oomlens_recorder_lacks_notifier },
	{ "mark_victim",	oomlens_recorder_lacks_mark_victim },
	{ "oom_probe",		oomlens_recorder_lacks_oom_probe },
	{ "memcg",		lacks_memcg },
	{ "procfs",		lacks_procfs },
	{ "sysrq",		lacks_sysrq },
	{ "debugfs",		oomlens_files_lack_debugfs },
};

static int features_show(struct seq_file *m, void *v)
{
	int i;

	seq_puts(m, "# oomlens features 1\n");
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		const char *missing = features[i].lacks();

		if (missing)
			seq_printf(m, "%s no %s\n", features[i].name, missing);
		else
			seq_printf(m, "%s yes\n", features[i].name);
	}
	return 0;
}

const struct oomlens_file_ops oomlens_features_file = {
	.show = features_show,
};

static const char * const stat_names[] = {
	[OOMLENS_STAT_EVENTS]		= "events",
	[OOMLENS_STAT_OVERWRITTEN]	= "overwritten",
	[OOMLENS_STAT_AVERTED]		= "averted",
	[OOMLENS_STAT_KILLS]		= "kills",
	[OOMLENS_STAT_SNAPSHOTS]	= "snapshots",
	[OOMLENS_STAT_WALK_NS_MAX]	= "walk_ns_max",
	[OOMLENS_STAT_MEMORY_BYTES]	= "memory_bytes",
};

static_assert(ARRAY_SIZE(stat_names) == OOMLENS_NR_STATS);

static atomic_long_t stats[OOMLENS_NR_STATS];

/**
 * oomlens_stat_add() - count
 * @stat: the counter
 * @n: to add, may be negative
 *
 * Context: any.
 */
void oomlens_stat_add(enum oomlens_stat stat, long n)
{
	atomic_long_add(n, &stats[stat]);
}

/**
 * oomlens_keep_alloc() - memory that stays as long as the module is loaded
 * @size: in bytes
 *
 * Counted as what it takes of the machine: the slab rounds up to a power of two,
 * so what is larger than a page is had page by page.
 *
 * Context: module load.
 * Return: the memory, zeroed, to be given back by kvfree(); NULL if there is none.
 */
void *oomlens_keep_alloc(size_t size)
{
	void *p = size > PAGE_SIZE ? vzalloc(size) : kzalloc(size, GFP_KERNEL);

	if (p)
		oomlens_stat_add(OOMLENS_STAT_MEMORY_BYTES,
				 size > PAGE_SIZE ? PAGE_ALIGN(size) : ksize(p));
	return p;
}

/**
 * oomlens_stat_max() - keep the largest
 * @stat: the counter
 * @n: a value
 *
 * Context: any.
 */
void oomlens_stat_max(enum oomlens_stat stat, long n)
{
	long old = atomic_long_read(&stats[stat]);

	while (n > old && !atomic_long_try_cmpxchg(&stats[stat], &old, n))
		;
}

/**
 * oomlens_stat_read() - a counter's value
 * @stat: the counter
 *
 * Context: any.
 */
long oomlens_stat_read(enum oomlens_stat stat)
{
	return atomic_long_read(&stats[stat]);
}

static int stats_show(struct seq_file *m, void *v)
{
	int i;

	seq_puts(m, "# oomlens stats 1\n");
	for (i = 0; i < OOMLENS_NR_STATS; i++)
		seq_printf(m, "%s %ld\n", stat_names[i], i == OOMLENS_STAT_KILLS ?
			   oomlens_recorder_kills() : oomlens_stat_read(i));
	seq_printf(m, "module_bytes %lu\n", oomlens_module_bytes());
	/* What user space cannot ask a shell for: /proc/uptime counts suspend too. */
	seq_printf(m, "now_us %llu\n", div_u64(ktime_get_ns(), NSEC_PER_USEC));
	return 0;
}

const struct oomlens_file_ops oomlens_stats_file = {
	.show = stats_show,
};
