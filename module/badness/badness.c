// SPDX-License-Identifier: GPL-2.0
/*
 * badness: the file. The scope belongs to the open file; a read is one
 * snapshot, and printing comes after, from memory.
 */
#include "badness.h"
#include "snapshot.h"

struct badness {
	struct oomlens_scope scope;	/* held only while a snapshot is taken */
	struct oomlens_snapshot snapshot;
	unsigned int rows;		/* to be printed; 0: all */
	bool was_read;
};

static int badness_snapshot(struct seq_file *m)
{
	struct badness *b = m->private;

	b->was_read = true;
	return oomlens_snapshot_take(&b->snapshot, &b->scope);
}

/* ---- Printing ---- */

static void *badness_row(struct seq_file *m, loff_t *pos)
{
	const struct badness *b = m->private;

	if (*pos > oomlens_rows_shown(b->snapshot.n, b->rows))
		return NULL;
	return &b->snapshot.keys[*pos - 1];
}

static void show_header(struct seq_file *m, const struct badness *b)
{
	const struct oomlens_snapshot *t = &b->snapshot;

	seq_puts(m, "# oomlens badness 1\n# scope ");
	oomlens_scope_show(m, &b->scope);
	seq_printf(m, " totalpages %lu tasks %u eligible %u kthreads %u dies %u complete %d\n",
		   t->totalpages, t->tasks, t->ranked, t->kthreads, t->dies, t->complete);
	seq_puts(m, "# rank pid uid adj adj_floor score points rss_anon rss_file rss_shmem swap pgtables adj_points locked vm_total threads verdict fate memcg comm\n");
}

static unsigned long score_of(const struct oomlens_task *task, unsigned long machine_pages)
{
	long adj_points;

	if (!task->killable)
		return 0;
	adj_points = oomlens_adj_points(task->adj, machine_pages);
	return oomlens_score(oomlens_points(&task->terms, adj_points), machine_pages);
}

/* All columns up to the cgroup's path. */
static char *put_columns(char *p, const struct oomlens_snapshot *t,
			 const struct oomlens_rank_key *key)
{
	const struct oomlens_task *task = key->row;
	bool ranked = oomlens_ranked(task->verdict);

	p = ranked ? oomlens_put_ulong(p, key - t->keys + 1) : oomlens_put_word(p, "-");
	p = oomlens_put_ulong(p, task->pid);
	p = oomlens_put_ulong(p, task->uid);
	p = oomlens_put_long(p, task->adj);
	p = oomlens_put_long(p, task->adj_floor);
	p = oomlens_put_ulong(p, score_of(task, t->machine_pages));
	p = ranked ? oomlens_put_long(p, task->points) : oomlens_put_word(p, "-");
	p = oomlens_put_ulong(p, task->terms.rss_anon);
	p = oomlens_put_ulong(p, task->terms.rss_file);
	p = oomlens_put_ulong(p, task->terms.rss_shmem);
	p = oomlens_put_ulong(p, task->terms.swap);
	p = oomlens_put_ulong(p, task->terms.pgtables);
	p = oomlens_put_long(p, oomlens_adj_points(task->adj, t->totalpages));
	p = oomlens_put_ulong(p, task->locked);
	p = oomlens_put_ulong(p, task->vm_total);
	p = oomlens_put_ulong(p, task->threads);
	p = oomlens_put_word(p, oomlens_verdict_names[task->verdict]);
	return oomlens_put_word(p, oomlens_fate_names[task->fate]);
}

static void show_row(struct seq_file *m, const struct oomlens_snapshot *t,
		     const struct oomlens_rank_key *key)
{
	const struct oomlens_task *task = key->row;
	const char *path = oomlens_memcg_set_path(t->memcgs, task->memcg);
	char *p = oomlens_row_begin(m, strlen(path));

	if (!p)
		return;
	p = put_columns(p, t, key);
	p = oomlens_put_word(p, path);
	p = oomlens_put_comm(p, task->comm);
	oomlens_row_end(m, p);
}

static int badness_show(struct seq_file *m, void *v)
{
	const struct badness *b = m->private;

	if (v == SEQ_START_TOKEN)
		show_header(m, b);
	else
		show_row(m, &b->snapshot, v);
	return 0;
}

static int badness_command(struct seq_file *m, char *line)
{
	struct badness *b = m->private;

	if (b->was_read)
		return -EINVAL;
	if (!oomlens_parse_rows(line, &b->rows))
		return 0;
	return oomlens_scope_parse(&b->scope, line);
}

static void badness_release(struct seq_file *m)
{
	struct badness *b = m->private;

	oomlens_snapshot_free(&b->snapshot);
	oomlens_scope_free(&b->scope);
}

const struct oomlens_file_ops oomlens_badness_file = {
	.private_size	= sizeof(struct badness),
	.release	= badness_release,
	.snapshot	= badness_snapshot,
	.row		= badness_row,
	.show		= badness_show,
	.row_max	= oomlens_path_row_max,
	.command	= badness_command,
};
