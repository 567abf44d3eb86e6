// SPDX-License-Identifier: GPL-2.0
/*
 * overcommit: how much may be promised, how the limit comes about, and the
 * largest mapping that would be granted now. No walk: a reading of counters.
 */
#include <linux/cpumask.h>
#include <linux/mman.h>

#include "../kernel/kernel.h"
#include "promise.h"

static const char * const mode_names[] = {
	[OVERCOMMIT_GUESS]	= "heuristic",
	[OVERCOMMIT_ALWAYS]	= "always",
	[OVERCOMMIT_NEVER]	= "never",
};

struct overcommit {
	struct oomlens_sysvalues v;
	struct oomlens_meminfo meminfo;
	unsigned long reader_total;	/* pages that the reader has mapped */
};

/*
 * The kernel compares with a counter that may lack up to this much for each
 * CPU but the caller's own: mm_compute_batch() in mm/mm_init.c, as it would
 * come out now. Without SMP the counter is exact.
 */
static unsigned long committed_batch(const struct oomlens_sysvalues *v)
{
	unsigned long nr = num_present_cpus();
	unsigned long share = v->mode == OVERCOMMIT_NEVER ? 256 : 4;

	if (!IS_ENABLED(CONFIG_SMP))
		return 0;
	return max3(min_t(unsigned long, v->totalram / nr / share, INT_MAX),
		    nr * 2, 32UL);
}

/*
 * The largest request in pages that __vm_enough_memory() in mm/util.c grants a
 * process that has mapped @total_vm pages so far. Not for OVERCOMMIT_ALWAYS.
 */
static long max_mapping(const struct oomlens_sysvalues *v, bool root,
			unsigned long total_vm)
{
	long allowed;

	if (v->mode == OVERCOMMIT_GUESS)
		return v->totalram + v->total_swap;

	allowed = v->commit_limit;
	if (!root)
		allowed -= v->admin_reserve;
	allowed -= min_t(long, total_vm / 32, v->user_reserve);
	/* Granted while committed, the request included, stays below. */
	return max(allowed - v->committed - 1, 0L);
}

static int overcommit_open(struct seq_file *m)
{
	struct overcommit *o = m->private;

	return oomlens_meminfo_open(&o->meminfo);
}

static int overcommit_snapshot(struct seq_file *m)
{
	struct overcommit *o = m->private;

	/* A kernel thread that reads the file has mapped nothing. */
	o->reader_total = current->mm ? READ_ONCE(current->mm->total_vm) : 0;
	return oomlens_sysvalues_read_own(&o->meminfo, &o->v);
}

static void overcommit_release(struct seq_file *m)
{
	struct overcommit *o = m->private;

	oomlens_meminfo_close(&o->meminfo);
}

/* @key ends in a blank. Not seq_printf(), which took a tenth of a whole read. */
static void show(struct seq_file *m, const char *key, long value)
{
	seq_put_decimal_ll(m, key, value);
	seq_putc(m, '\n');
}

static void show_max_mapping(struct seq_file *m, const char *key, bool root)
{
	const struct overcommit *o = m->private;

	if (o->v.mode == OVERCOMMIT_ALWAYS)
		seq_printf(m, "%s-\n", key);
	else
		show(m, key, max_mapping(&o->v, root, o->reader_total));
}

static int overcommit_show(struct seq_file *m, void *unused)
{
	const struct overcommit *o = m->private;
	const struct oomlens_sysvalues *v = &o->v;

	seq_puts(m, "# oomlens overcommit 1\n");
	show(m, "mode ", v->mode);
	seq_printf(m, "mode_name %s\n",
		   v->mode < ARRAY_SIZE(mode_names) ? mode_names[v->mode] : "unknown");
	show(m, "ratio ", v->ratio);
	show(m, "kbytes ", v->kbytes);
	show(m, "ram ", v->totalram);
	show(m, "hugetlb ", v->hugetlb);
	show(m, "swap_total ", v->total_swap);
	show(m, "swap_free ", v->swap_free);
	show(m, "commit_limit ", v->commit_limit);
	show(m, "committed ", v->committed);
	show(m, "headroom ", (long)v->commit_limit - v->committed);
	show(m, "enforced ", v->mode == OVERCOMMIT_NEVER);
	show(m, "admin_reserve ", v->admin_reserve);
	show(m, "user_reserve ", v->user_reserve);
	show_max_mapping(m, "max_mapping_root ", true);
	show_max_mapping(m, "max_mapping_user ", false);
	show(m, "reader_vm_total ", o->reader_total);
	show(m, "batch ", committed_batch(v));
	show(m, "available ", v->available);
	show(m, "locked ", v->locked);
	return 0;
}

const struct oomlens_file_ops oomlens_overcommit_file = {
	.private_size	= sizeof(struct overcommit),
	.open		= overcommit_open,
	.release	= overcommit_release,
	.snapshot	= overcommit_snapshot,
	.show		= overcommit_show,
};
