// SPDX-License-Identifier: GPL-2.0
/*
 * stats: the module's counters and its memory.
 */
#include "event/event.h"
#include "files.h"
#include "kernel/kernel.h"

static const char * const names[] = {
	[OOMLENS_EVENTS]	= "events",
	[OOMLENS_OVERWRITTEN]	= "overwritten",
	[OOMLENS_COLLAPSED]	= "collapsed",
	[OOMLENS_AVERTED]	= "averted",
	[OOMLENS_KILLS]		= "kills",
	[OOMLENS_SNAPSHOTS]	= "snapshots",
	[OOMLENS_WALK_NS_MAX]	= "walk_ns_max",
	[OOMLENS_MEMORY_BYTES]	= "memory_bytes",
	[OOMLENS_POOL_PAGES]	= "pool_pages",
};

static_assert(ARRAY_SIZE(names) == OOMLENS_NR_COUNTERS);

static int stats_show(struct seq_file *m, void *v)
{
	int i;

	seq_puts(m, "# oomlens stats 1\n");
	for (i = 0; i < OOMLENS_NR_COUNTERS; i++)
		seq_printf(m, "%s %ld\n", names[i], i == OOMLENS_KILLS ?
			   oomlens_event_kills() : oomlens_counter_read(i));
	seq_printf(m, "ring_events %u\n", oomlens_event_slots());
	seq_printf(m, "module_bytes %lu\n", oomlens_module_bytes());
	/* A shell cannot read this clock: /proc/uptime counts suspend too. */
	seq_printf(m, "now_us %llu\n", div_u64(ktime_get_ns(), NSEC_PER_USEC));
	oomlens_openers_show(m);
	return 0;
}

const struct oomlens_file_ops oomlens_stats_file = {
	.show = stats_show,
};
