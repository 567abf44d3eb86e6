// SPDX-License-Identifier: GPL-2.0
/*
 * badness: every thread group as the OOM killer sees it, in the order in which
 * it would take them.
 *
 * The scope belongs to the open file. A read is one snapshot: walk, judge,
 * rank, then tell the fate of each; printing comes after, from memory.
 */
#include <linux/bsearch.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "oomlens.h"

/* Rows of the table that is kept for when memory for a whole one is short. */
#define SPARE_ROWS	64

/* What is compared: beside each other, not in the samples, for the cache. */
struct rank_key {
	long points;		/* LONG_MAX for origin */
	unsigned int order;
	unsigned int row;
};

struct table {
	struct oomlens_sample *rows;
	struct rank_key *keys;	/* of the ranked rows first, in order, then the rest */
	struct oomlens_paths *paths;
	unsigned int max;	/* rows */
	unsigned int n;		/* rows used */
	unsigned int ranked;
	unsigned int tasks;	/* visited, kernel threads left out */
	unsigned int kthreads;
	unsigned int dies;
	unsigned long machine_pages;	/* RAM and swap, for score */
	unsigned long totalpages;	/* of the scope */
	bool complete;
	bool spare;		/* rows and keys are the spare table's */
};

struct badness {
	struct oomlens_scope scope;	/* held only while a snapshot is taken */
	struct table table;
	bool was_read;
};

static struct oomlens_sample spare_rows[SPARE_ROWS];
static struct rank_key spare_keys[SPARE_ROWS];
static unsigned long spare_taken;	/* bit 0: by one open file at a time */

static void free_table(struct table *t)
{
	oomlens_paths_free(t->paths);
	if (t->spare) {
		clear_bit_unlock(0, &spare_taken);
	} else {
		kvfree(t->rows);
		kvfree(t->keys);
	}
	memset(t, 0, sizeof(*t));
}

static int alloc_table(struct table *t, unsigned int max)
{
	t->rows = kvmalloc_array(max, sizeof(*t->rows), OOMLENS_GFP);
	t->keys = kvmalloc_array(max, sizeof(*t->keys), OOMLENS_GFP);
	t->paths = oomlens_paths_alloc(max);
	t->max = max;
	if (t->rows && t->keys && t->paths)
		return 0;
	free_table(t);
	return -ENOMEM;
}

/* Memory is short: the first ranks are what matters then. */
static int take_spare_table(struct table *t)
{
	if (test_and_set_bit_lock(0, &spare_taken))
		return -ENOMEM;
	t->rows = spare_rows;
	t->keys = spare_keys;
	t->max = SPARE_ROWS;
	t->spare = true;
	t->paths = oomlens_paths_alloc(SPARE_ROWS);	/* or none: memcg is "-" */
	return 0;
}

/* What the kernel compares; an origin goes before any number of pages. */
static struct rank_key key_of(const struct table *t, unsigned int row)
{
	const struct oomlens_sample *s = &t->rows[row];

	return (struct rank_key) {
		.points = s->verdict == OOMLENS_ORIGIN ? LONG_MAX : s->points,
		.order = s->order,
		.row = row,
	};
}

static bool key_precedes(const struct rank_key *a, const struct rank_key *b)
{
	return oomlens_precedes(a->points, a->order, b->points, b->order);
}

/* ---- The walk ---- */

struct walk_state {
	struct table *table;
	const struct oomlens_scope *scope;
	unsigned int visits;
};

static int count_visit(struct task_struct *p, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static void count_rewind(unsigned int n, void *arg)
{
	*(unsigned int *)arg = n;
}

/* Whom the kernel would take last; what it would not take at all comes after. */
static unsigned int last_row(const struct table *t)
{
	unsigned int i, last = 0;

	for (i = 1; i < t->n && oomlens_sample_ranked(&t->rows[last]); i++) {
		const struct rank_key a = key_of(t, last), b = key_of(t, i);

		if (!oomlens_sample_ranked(&t->rows[i]) || key_precedes(&a, &b))
			last = i;
	}
	return last;
}

/* A full spare table keeps the first ranks: the new row, or the last, is lost. */
static void replace_last_row(struct table *t, const struct oomlens_sample *s)
{
	unsigned int last = last_row(t);
	struct oomlens_sample old = t->rows[last];
	struct rank_key new_key, old_key = key_of(t, last);

	if (!oomlens_sample_ranked(s))
		return;
	t->rows[last] = *s;
	new_key = key_of(t, last);
	if (oomlens_sample_ranked(&old) && key_precedes(&old_key, &new_key))
		t->rows[last] = old;
}

static int snapshot_visit(struct task_struct *p, void *arg)
{
	struct walk_state *w = arg;
	struct table *t = w->table;
	struct oomlens_sample s;

	w->visits++;
	if (p->flags & PF_KTHREAD)
		return 0;
	oomlens_sample_task(p, &s, true);
	oomlens_scope_verdict(w->scope, p, &s, true);
	oomlens_sample_judge(&s, t->totalpages);
	s.order = w->visits;
	t->tasks++;
	if (t->paths)
		s.memcg = oomlens_paths_index(t->paths, oomlens_memcg_of(p));
	if (t->n < t->max) {
		t->rows[t->n++] = s;
		return 0;
	}
	if (!t->spare)
		return -ENOSPC;
	t->complete = false;
	replace_last_row(t, &s);
	return 0;
}

/*
 * A full table has its rows in the order of the visits. A spare one may have
 * lost some: it says so (complete 0), and only then may tasks be a few off.
 */
static void snapshot_rewind(unsigned int n, void *arg)
{
	struct walk_state *w = arg;
	struct table *t = w->table;
	unsigned int i, kept = 0;

	for (i = 0; i < t->n; i++)
		if (t->rows[i].order <= n)
			t->rows[kept++] = t->rows[i];
	t->tasks -= t->n - kept;
	t->n = kept;
	w->visits = n;
}

struct order_state {
	struct table *table;
	unsigned int order;
};

static int compare_pids(const void *a, const void *b)
{
	const struct rank_key *x = a, *y = b;

	cond_resched();
	return (x->points > y->points) - (x->points < y->points);
}

static void order_visit(struct task_struct *p, void *arg)
{
	struct order_state *o = arg;
	struct table *t = o->table;
	const struct rank_key pid = { .points = p->tgid };
	const struct rank_key *found;

	found = bsearch(&pid, t->keys, t->n, sizeof(pid), compare_pids);
	if (found)
		t->rows[found->row].order = ++o->order;
}

/*
 * An OOM of a cgroup walks its tasks by cgroup, not by the task list, and the
 * later of two equals wins there too: renumber those that it visits, after all
 * others. The keys' memory serves as the map from pid to row.
 */
static int reorder_as_memcg(struct table *t, struct mem_cgroup *memcg)
{
	unsigned int i, tries = 8;
	int err;

	for (i = 0; i < t->n; i++)
		t->keys[i] = (struct rank_key) { .points = t->rows[i].pid, .row = i };
	sort(t->keys, t->n, sizeof(*t->keys), compare_pids, NULL);
	do {
		struct order_state o = { .table = t, .order = t->tasks + t->kthreads };

		cond_resched();
		err = oomlens_memcg_walk(memcg, order_visit, &o);
	} while (err == -EAGAIN && --tries);
	/* Tasks kept moving: all is right but the order of equals, perhaps. */
	if (err == -EAGAIN)
		t->complete = false;
	return err == -EAGAIN ? 0 : err;
}

static int walk(struct table *t, const struct oomlens_scope *scope)
{
	struct walk_state state = { .table = t, .scope = scope };
	const struct oomlens_walk walk = {
		.visit = snapshot_visit,
		.rewind = snapshot_rewind,
		.arg = &state,
	};
	int err;

	t->n = 0;
	t->tasks = 0;
	t->complete = true;
	err = oomlens_walk_tasks(&walk);
	t->kthreads = state.visits - t->tasks;
	if (!err && scope->kind == OOMLENS_SCOPE_MEMCG)
		err = reorder_as_memcg(t, scope->memcg);
	return err;
}

/* ---- Rank and fate ---- */

static int compare_keys(const void *a, const void *b)
{
	cond_resched();
	return key_precedes(a, b) ? -1 : 1;
}

/* The ranked rows' keys first, sorted; the others follow in walk order. */
static void rank(struct table *t)
{
	unsigned int i, rest;

	t->ranked = 0;
	for (i = 0; i < t->n; i++)
		if (oomlens_sample_ranked(&t->rows[i]))
			t->keys[t->ranked++] = key_of(t, i);
	rest = t->ranked;
	for (i = 0; i < t->n; i++)
		if (!oomlens_sample_ranked(&t->rows[i]))
			t->keys[rest++] = key_of(t, i);
	sort(t->keys, t->ranked, sizeof(*t->keys), compare_keys, NULL);
}

static void set_fate(struct table *t, struct oomlens_sample *s, enum oomlens_fate fate)
{
	if (s->fate != OOMLENS_FATE_NONE)
		return;
	s->fate = fate;
	t->dies++;
}

/* Whoever shares the address space of a task that dies goes with it. */
static void doom_sharers(struct table *t, const struct oomlens_sample *dead)
{
	unsigned int i;

	if (!dead->mm || !dead->mm_shared)
		return;
	for (i = 0; i < t->n; i++)
		if (t->rows[i].mm == dead->mm && t->rows[i].verdict != OOMLENS_INIT)
			set_fate(t, &t->rows[i], OOMLENS_FATE_SHARER);
}

/*
 * What the next kill does to whom. Source: mm/oom_kill.c, oom_kill_process(),
 * oom_kill_memcg_member() and __oom_kill_process().
 */
static void tell_fate(struct table *t, const struct oomlens_scope *scope)
{
	struct oomlens_sample *victim;
	struct mem_cgroup *group;
	unsigned int i;

	t->dies = 0;
	if (!t->ranked)
		return;
	victim = &t->rows[t->keys[0].row];
	set_fate(t, victim, OOMLENS_FATE_VICTIM);
	if (t->paths) {
		rcu_read_lock();
		group = oomlens_memcg_oom_group(oomlens_paths_memcg(t->paths, victim->memcg),
						scope->memcg);
		for (i = 0; group && i < t->n; i++) {
			struct oomlens_sample *s = &t->rows[i];

			if (s->mm && s->adj != OOM_SCORE_ADJ_MIN &&
			    s->verdict != OOMLENS_INIT &&
			    oomlens_memcg_within(oomlens_paths_memcg(t->paths, s->memcg), group))
				set_fate(t, s, OOMLENS_FATE_GROUP);
		}
		rcu_read_unlock();
	}
	for (i = 0; i < t->n; i++)
		if (t->rows[i].fate == OOMLENS_FATE_VICTIM ||
		    t->rows[i].fate == OOMLENS_FATE_GROUP)
			doom_sharers(t, &t->rows[i]);
}

/* ---- The snapshot ---- */

/* Walks into a table that is large enough, or, when memory is short, the spare. */
static int fill_table(struct table *t, const struct oomlens_scope *scope)
{
	unsigned long machine_pages = t->machine_pages, totalpages = t->totalpages;
	unsigned int tasks = 0, tries = 4;
	const struct oomlens_walk count = {
		.visit = count_visit,
		.rewind = count_rewind,
		.arg = &tasks,
	};
	int err;

	do {
		tasks = 0;
		err = oomlens_walk_tasks(&count);
		if (err)
			return err;
		/* Room for those that are born before the second walk is over. */
		err = alloc_table(t, tasks + tasks / 8 + 64);
		if (err)
			err = take_spare_table(t);
		if (err)
			return err;
		t->machine_pages = machine_pages;
		t->totalpages = totalpages;
		err = walk(t, scope);
		if (err)
			free_table(t);
	} while (err == -ENOSPC && --tries);
	return err;
}

static int badness_snapshot(struct seq_file *m)
{
	struct badness *b = m->private;
	struct table *t = &b->table;
	struct oomlens_sysvalues v;
	int err;

	free_table(t);
	b->was_read = true;
	err = oomlens_sysvalues_read(&v);
	if (err)
		return err;
	err = oomlens_scope_hold(&b->scope);
	if (err)
		return err;
	t->machine_pages = v.totalram + v.total_swap;
	t->totalpages = oomlens_scope_totalpages(&b->scope, &v);
	err = fill_table(t, &b->scope);
	if (err)
		goto out;
	rank(t);
	tell_fate(t, &b->scope);
	if (t->paths)
		err = oomlens_paths_resolve(t->paths);
	if (err)
		free_table(t);
	else
		oomlens_stat_add(OOMLENS_STAT_SNAPSHOTS, 1);
out:
	oomlens_scope_unhold(&b->scope);
	return err;
}

/* ---- Printing: position 0 is the header, then a position a row ---- */

static void *row_at(struct table *t, loff_t pos)
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
	const struct table *t = &b->table;

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

/* Column by column: seq_printf() would parse its format anew for each row. */
static void show_row(struct seq_file *m, const struct table *t, const struct rank_key *key)
{
	const struct oomlens_sample *s = &t->rows[key->row];
	bool ranked = oomlens_sample_ranked(s);

	if (ranked)
		seq_put_decimal_ull(m, "", key - t->keys + 1);
	else
		seq_putc(m, '-');
	seq_put_decimal_ull(m, " ", s->pid);
	seq_put_decimal_ull(m, " ", s->uid);
	seq_put_decimal_ll(m, " ", s->adj);
	seq_put_decimal_ull(m, " ", score_of(s, t->machine_pages));
	if (ranked)
		seq_put_decimal_ll(m, " ", s->points);
	else
		seq_puts(m, " -");
	seq_put_decimal_ull(m, " ", s->terms.rss_anon);
	seq_put_decimal_ull(m, " ", s->terms.rss_file);
	seq_put_decimal_ull(m, " ", s->terms.rss_shmem);
	seq_put_decimal_ull(m, " ", s->terms.swap);
	seq_put_decimal_ull(m, " ", s->terms.pgtables);
	seq_put_decimal_ll(m, " ", oomlens_adj_points(s->adj, t->totalpages));
	seq_put_decimal_ull(m, " ", s->locked);
	seq_put_decimal_ull(m, " ", s->vm_total);
	seq_put_decimal_ull(m, " ", s->threads);
	seq_putc(m, ' ');
	seq_puts(m, oomlens_verdict_name(s->verdict));
	seq_putc(m, ' ');
	seq_puts(m, oomlens_fate_name(s->fate));
	seq_putc(m, ' ');
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

	free_table(&b->table);
	oomlens_scope_free(&b->scope);
}

const struct oomlens_file_ops oomlens_badness_file = {
	.private_size	= sizeof(struct badness),
	.release	= badness_release,
	.snapshot	= badness_snapshot,
	.seq		= &badness_seq,
	.command	= badness_command,
};
