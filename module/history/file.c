// SPDX-License-Identifier: GPL-2.0
/*
 * history: the samples, oldest first, those of the day before those of the last
 * minutes.
 *
 * A position in the file is the number of a sample, or STALLS and that of a stall. The
 * file is read while the sampler goes on: what is overwritten before it is printed is
 * missing. A reader that follows the samples asks for those after its last one.
 */
#include <linux/page_counter.h>

#include "internal.h"

#define STALLS	0x1000000000000LL

/* A reader's copy, of a sample or of a stall. */
struct copy {
	u32 after;			/* a sample's number, as written; 0: all */
	u64 first;			/* the least number that this read prints */
	struct oomlens_sample *sample;
	struct oomlens_stall stall;
	long seen;			/* oomlens_stall_changes() */
	bool read;
	char path[OOMLENS_NAME_MAX];
};

static const char * const figure_names[] = {
	[OOMLENS_FREE]			= "free",
	[OOMLENS_AVAILABLE]		= "available",
	[OOMLENS_ANON]			= "anon",
	[OOMLENS_PAGE_CACHE]		= "page_cache",
	[OOMLENS_SHMEM]			= "shmem",
	[OOMLENS_SLAB_RECLAIMABLE]	= "slab_reclaimable",
	[OOMLENS_SLAB_UNRECLAIMABLE]	= "slab_unreclaimable",
	[OOMLENS_KERNEL_STACK]		= "kernel_stack",
	[OOMLENS_PAGETABLES]		= "pagetables",
	[OOMLENS_UNACCOUNTED]		= "unaccounted",
	[OOMLENS_SWAP_FREE]		= "swap_free",
	[OOMLENS_COMMITTED]		= "committed",
	[OOMLENS_NR_TASKS]		= "tasks",
};

static_assert(ARRAY_SIZE(figure_names) == OOMLENS_NR_FIGURES);

static int history_snapshot(struct seq_file *m)
{
	struct copy *c = m->private;

	c->first = c->after + 1ULL;
	c->seen = oomlens_stall_changes();
	c->read = true;
	if (!c->sample)
		c->sample = kmalloc(oomlens_sample_size(), OOMLENS_GFP_FILE);
	return c->sample ? 0 : -ENOMEM;
}

static void history_release(struct seq_file *m)
{
	struct copy *c = m->private;

	kfree(c->sample);
}

static void *find(struct copy *c, struct oomlens_history *h, loff_t *pos)
{
	if (*pos < STALLS) {
		if (oomlens_sample_next(h, max_t(u64, *pos, c->first), c->sample)) {
			*pos = c->sample->number;
			return c->sample;
		}
		*pos = STALLS + 1;
	}
	if (!oomlens_stall_next(h, *pos - STALLS, &c->stall))
		return NULL;
	*pos = STALLS + c->stall.number;
	return &c->stall;
}

static void *record_at(struct seq_file *m, loff_t *pos)
{
	struct oomlens_history *h = oomlens_history_hold();
	void *record = h ? find(m->private, h, pos) : NULL;

	oomlens_history_unhold();
	return record;
}

/* Seconds, with decimals where there are some. */
static void show_seconds(struct seq_file *m, u64 ns)
{
	u64 ms = div_u64(ns + NSEC_PER_MSEC / 2, NSEC_PER_MSEC);
	u32 rest;

	ms = div_u64_rem(ms, MSEC_PER_SEC, &rest);
	if (rest)
		seq_printf(m, "%llu.%03u", ms, rest);
	else
		seq_printf(m, "%llu", ms);
}

static void show_percent(struct seq_file *m, const char *key, u32 hundredths)
{
	if (hundredths == OOMLENS_PSI_UNKNOWN)
		seq_printf(m, " %s=-", key);
	else
		seq_printf(m, " %s=%u.%02u", key, hundredths / 100, hundredths % 100);
}

static void show_grew(struct seq_file *m, const struct oomlens_row *row)
{
	if (row->grew == OOMLENS_GREW_UNKNOWN)
		seq_puts(m, " grew=-");
	else
		seq_printf(m, " grew=%d", row->grew);
}

/* The path of a cgroup, "-" if it is not known; @of_none where there is no cgroup. */
static void show_path(struct seq_file *m, const char *key, u64 serial, const char *of_none)
{
	struct copy *c = m->private;
	struct oomlens_history *h = oomlens_history_hold();

	strscpy(c->path, serial ? "-" : of_none, sizeof(c->path));
	if (h && serial)
		oomlens_names_copy(h->names, serial, c->path, sizeof(c->path));
	oomlens_history_unhold();
	seq_printf(m, " %s=", key);
	oomlens_puts_escaped(m, c->path);
}

static void show_head(struct seq_file *m)
{
	const struct oomlens_history *h = oomlens_history_hold();
	u64 cost_ns = h ? READ_ONCE(h->cost_ns) : 0;

	oomlens_history_unhold();
	seq_puts(m, "# oomlens history 1\n# every_s ");
	show_seconds(m, h ? oomlens_interval_ns() : 0);
	seq_printf(m, " short %u long %u rows %u page_kb %lu cost_us %llu",
		   oomlens_geometry.nr_short, oomlens_geometry.nr_long, oomlens_geometry.rows,
		   PAGE_SIZE / 1024, div_u64(cost_ns, NSEC_PER_USEC));
	seq_printf(m, " tasks %u comms %u memcgs %u\n", oomlens_geometry.tracked[OOMLENS_TASKS],
		   oomlens_geometry.tracked[OOMLENS_COMMS],
		   oomlens_geometry.tracked[OOMLENS_MEMCGS]);
}

static void show_sample(struct seq_file *m, const struct oomlens_sample *s)
{
	int i;

	seq_printf(m, "sample %llu time_us=%llu real_us=%llu over_s=", s->number,
		   div_u64(s->time_ns, NSEC_PER_USEC), div_u64(s->real_ns, NSEC_PER_USEC));
	if (s->over_ns)
		show_seconds(m, s->over_ns);
	else
		seq_putc(m, '-');
	for (i = 0; i < OOMLENS_NR_FIGURES; i++)
		if (s->figures[i] == OOMLENS_FIGURE_UNKNOWN)
			seq_printf(m, " %s=-", figure_names[i]);
		else
			seq_printf(m, " %s=%ld", figure_names[i], s->figures[i]);
	show_percent(m, "psi_some", s->psi_some);
	show_percent(m, "psi_full", s->psi_full);
	seq_putc(m, '\n');
}

static void show_task(struct seq_file *m, u64 number, const struct oomlens_row *row)
{
	seq_printf(m, "task %llu pid=%u start_us=%llu uid=%u comm=", number, row->pid,
		   div_u64(oomlens_key_start(row->key, row->pid), NSEC_PER_USEC), row->uid);
	oomlens_puts_escaped(m, row->comm);
	show_path(m, "memcg", row->memcg, "-");
	seq_printf(m, " points=%u", row->points);
	show_grew(m, row);
	seq_printf(m, " from_max=%u\n", row->from_max);
}

static void show_comm(struct seq_file *m, u64 number, const struct oomlens_row *row)
{
	seq_printf(m, "comm %llu comm=", number);
	oomlens_puts_escaped(m, row->comm);
	seq_printf(m, " count=%u points=%u", row->count, row->points);
	show_grew(m, row);
	seq_putc(m, '\n');
}

static void show_cgroup(struct seq_file *m, u64 number, const struct oomlens_row *row)
{
	seq_printf(m, "memcg %llu", number);
	show_path(m, "path", row->key, "-");
	seq_printf(m, " usage=%u", row->points);
	if (row->limit >= PAGE_COUNTER_MAX)
		seq_puts(m, " limit=max");
	else
		seq_printf(m, " limit=%llu", row->limit);
	show_grew(m, row);
	seq_printf(m, " from_max=%u", row->from_max);
	show_percent(m, "psi_full", row->psi_full);
	seq_putc(m, '\n');
}

static void show_stall(struct seq_file *m, const struct oomlens_stall *stall)
{
	seq_printf(m, "stall %u begin_us=%llu end_us=", stall->number,
		   div_u64(stall->begin_ns, NSEC_PER_USEC));
	if (stall->end_ns)
		seq_printf(m, "%llu", div_u64(stall->end_ns, NSEC_PER_USEC));
	else
		seq_putc(m, '-');
	show_percent(m, "psi_full_max", stall->psi_full);
	show_path(m, "memcg", stall->serial, "/");
	seq_putc(m, '\n');
}

static int history_show(struct seq_file *m, void *v)
{
	static void (* const show_row[])(struct seq_file *m, u64 number,
					 const struct oomlens_row *row) = {
		[OOMLENS_TASKS]		= show_task,
		[OOMLENS_COMMS]		= show_comm,
		[OOMLENS_MEMCGS]	= show_cgroup,
	};
	struct copy *c = m->private;
	const struct oomlens_sample *s = c->sample;
	unsigned int i, k;

	if (v == SEQ_START_TOKEN) {
		show_head(m);
		return 0;
	}
	if (v == &c->stall) {
		show_stall(m, v);
		return 0;
	}
	show_sample(m, s);
	for (k = 0; k < OOMLENS_NR_ROWS; k++)
		for (i = 0; i < s->nr[k]; i++)
			show_row[k](m, s->number, &oomlens_sample_rows(s, k)[i]);
	return 0;
}

static int history_command(struct seq_file *m, char *line)
{
	static const char word[] = "after ";
	struct copy *c = m->private;

	if (!strstarts(line, word))
		return -EINVAL;
	return oomlens_parse_uint(line + strlen(word), 0, UINT_MAX, &c->after);
}

static __poll_t history_poll(struct seq_file *m, struct file *file, poll_table *wait)
{
	const struct copy *c = m->private;
	__poll_t mask = oomlens_stalls_poll(file, wait, c->seen);

	return c->read ? mask : mask | EPOLLIN | EPOLLRDNORM;
}

/* All lines of a sample, with all paths escaped throughout. */
static size_t history_row_max(void)
{
	return OOMLENS_ROW_MAX + (oomlens_rows_of(OOMLENS_TASKS) + oomlens_rows_of(OOMLENS_COMMS) +
				  oomlens_rows_of(OOMLENS_MEMCGS)) *
				 (OOMLENS_ROW_MAX + 4 * OOMLENS_NAME_MAX);
}

const struct oomlens_file_ops oomlens_history_file = {
	.private_size	= sizeof(struct copy),
	.release	= history_release,
	.snapshot	= history_snapshot,
	.row		= record_at,
	.show		= history_show,
	.poll		= history_poll,
	.row_max	= history_row_max,
	.command	= history_command,
};
