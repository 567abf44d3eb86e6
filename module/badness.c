// SPDX-License-Identifier: GPL-2.0
/*
 * badness: the file. The scope belongs to the open file; a read is one
 * snapshot, and printing comes after, from memory.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "table.h"

struct badness {
	struct oomlens_scope scope;	/* held only while a snapshot is taken */
	struct oomlens_table table;
	bool was_read;
};

static int badness_snapshot(struct seq_file *m)
{
	struct badness *b = m->private;

	b->was_read = true;
	return oomlens_table_take(&b->table, &b->scope);
}

/* ---- Printing: position 0 is the header, then a position a row ---- */

static void *row_at(struct oomlens_table *t, loff_t pos)
{
	if (!t->rows)
		return NULL;
	if (!pos)
		return SEQ_START_TOKEN;
	return pos <= t->n ? &t->keys[pos - 1] : NULL;
}

static void *badness_start(struct seq_file *m, loff_t *pos)
{
	struct badness *b = m->private;

	return row_at(&b->table, *pos);
}

static void *badness_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct badness *b = m->private;

	return row_at(&b->table, ++*pos);
}

static void badness_stop(struct seq_file *m, void *v)
{
}

static void show_header(struct seq_file *m, const struct badness *b)
{
	const struct oomlens_table *t = &b->table;

	seq_puts(m, "# oomlens badness 1\n# scope ");
	oomlens_scope_show(m, &b->scope);
	seq_printf(m, " totalpages %lu tasks %u eligible %u kthreads %u dies %u complete %d\n",
		   t->totalpages, t->tasks, t->ranked, t->kthreads, t->dies, t->complete);
	seq_puts(m, "# rank pid uid adj score points rss_anon rss_file rss_shmem swap pgtables adj_points locked vm_total threads verdict fate memcg comm\n");
}

static unsigned long score_of(const struct oomlens_sample *s, unsigned long machine_pages)
{
	long adj_points;

	if (!s->killable)
		return 0;
	adj_points = oomlens_adj_points(s->adj, machine_pages);
	return oomlens_score(oomlens_points(&s->terms, adj_points), machine_pages);
}

/*
 * A row is written straight into the seq_file's buffer: seq_printf() would
 * parse its format anew for each, and was most of a read.
 */

/* The longest row but for its path: seventeen numbers, words, an escaped comm. */
#define ROW_MAX		512

static char *put_ulong(char *p, unsigned long n)
{
	char digits[20];
	int i = 0;

	do {
		digits[i++] = '0' + n % 10;
		n /= 10;
	} while (n);
	while (i)
		*p++ = digits[--i];
	*p++ = ' ';
	return p;
}

static char *put_long(char *p, long n)
{
	if (n >= 0)
		return put_ulong(p, n);
	*p++ = '-';
	return put_ulong(p, -(unsigned long)n);
}

static char *put_word(char *p, const char *word)
{
	while (*word)
		*p++ = *word++;
	*p++ = ' ';
	return p;
}

/* All columns up to the cgroup's path, a blank after each; returns the end. */
static char *put_row(char *p, const struct oomlens_table *t, const struct oomlens_rank_key *key)
{
	const struct oomlens_sample *s = &t->rows[key->row];
	bool ranked = oomlens_sample_ranked(s);

	p = ranked ? put_ulong(p, key - t->keys + 1) : put_word(p, "-");
	p = put_ulong(p, s->pid);
	p = put_ulong(p, s->uid);
	p = put_long(p, s->adj);
	p = put_ulong(p, score_of(s, t->machine_pages));
	p = ranked ? put_long(p, s->points) : put_word(p, "-");
	p = put_ulong(p, s->terms.rss_anon);
	p = put_ulong(p, s->terms.rss_file);
	p = put_ulong(p, s->terms.rss_shmem);
	p = put_ulong(p, s->terms.swap);
	p = put_ulong(p, s->terms.pgtables);
	p = put_long(p, oomlens_adj_points(s->adj, t->totalpages));
	p = put_ulong(p, s->locked);
	p = put_ulong(p, s->vm_total);
	p = put_ulong(p, s->threads);
	p = put_word(p, oomlens_verdict_name(s->verdict));
	return put_word(p, oomlens_fate_name(s->fate));
}

static void show_row(struct seq_file *m, const struct oomlens_table *t,
		     const struct oomlens_rank_key *key)
{
	const struct oomlens_sample *s = &t->rows[key->row];
	char *buf;

	if (seq_get_buf(m, &buf) < ROW_MAX) {
		seq_commit(m, -1);
		return;
	}
	seq_commit(m, put_row(buf, t, key) - buf);
	oomlens_puts_escaped(m, t->paths ? oomlens_paths_name(t->paths, s->memcg) : "-");
	seq_putc(m, ' ');
	oomlens_puts_escaped(m, s->comm);
	seq_putc(m, '\n');
}

static int badness_show(struct seq_file *m, void *v)
{
	const struct badness *b = m->private;

	if (v == SEQ_START_TOKEN)
		show_header(m, b);
	else
		show_row(m, &b->table, v);
	return 0;
}

static const struct seq_operations badness_seq = {
	.start	= badness_start,
	.next	= badness_next,
	.stop	= badness_stop,
	.show	= badness_show,
};

static int badness_command(struct seq_file *m, char *line)
{
	struct badness *b = m->private;

	return b->was_read ? -EINVAL : oomlens_scope_parse(&b->scope, line);
}

static void badness_release(struct seq_file *m)
{
	struct badness *b = m->private;

	oomlens_table_free(&b->table);
	oomlens_scope_free(&b->scope);
}

const struct oomlens_file_ops oomlens_badness_file = {
	.private_size	= sizeof(struct badness),
	.release	= badness_release,
	.snapshot	= badness_snapshot,
	.seq		= &badness_seq,
	.command	= badness_command,
};
