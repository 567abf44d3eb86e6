// SPDX-License-Identifier: GPL-2.0
/*
 * The snapshot behind badness: every thread group as the OOM killer sees it,
 * in the order in which it would take them.
 */
#include <linux/bsearch.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "table.h"

/* Rows of the table that is kept for when memory for a whole one is short. */
#define SPARE_ROWS	64

static struct oomlens_sample spare_rows[SPARE_ROWS];
static struct oomlens_rank_key spare_keys[SPARE_ROWS];
static unsigned long spare_taken;	/* bit 0: by one open file at a time */

/**
 * oomlens_table_free() - give back what a snapshot took
 * @t: zeroed, or taken; zeroed after
 */
void oomlens_table_free(struct oomlens_table *t)
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

static int alloc_table(struct oomlens_table *t, unsigned int max, unsigned int memcgs)
{
	t->rows = kvmalloc_array(max, sizeof(*t->rows), OOMLENS_GFP);
	t->keys = kvmalloc_array(max, sizeof(*t->keys), OOMLENS_GFP);
	t->paths = oomlens_paths_alloc(min(max, memcgs));
	t->max = max;
	if (t->rows && t->keys && t->paths)
		return 0;
	oomlens_table_free(t);
	return -ENOMEM;
}

/* Memory is short: the first ranks are what matters then. */
static int take_spare_table(struct oomlens_table *t)
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
static struct oomlens_rank_key key_of(const struct oomlens_table *t, unsigned int row)
{
	const struct oomlens_sample *s = &t->rows[row];

	return (struct oomlens_rank_key) {
		.points = s->verdict == OOMLENS_ORIGIN ? LONG_MAX : s->points,
		.order = s->order,
		.row = row,
	};
}

/* ---- The walk ---- */

struct walk_state {
	struct oomlens_table *table;
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
static unsigned int last_row(const struct oomlens_table *t)
{
	unsigned int i, last = 0;

	for (i = 1; i < t->n && oomlens_sample_ranked(&t->rows[last]); i++) {
		const struct oomlens_rank_key a = key_of(t, last), b = key_of(t, i);

		if (!oomlens_sample_ranked(&t->rows[i]) || oomlens_rank_precedes(&a, &b))
			last = i;
	}
	return last;
}

/* A full spare table keeps the first ranks: the new row, or the last, is lost. */
static void replace_last_row(struct oomlens_table *t, const struct oomlens_sample *s)
{
	unsigned int last = last_row(t);
	struct oomlens_sample old = t->rows[last];
	struct oomlens_rank_key new_key, old_key = key_of(t, last);

	if (!oomlens_sample_ranked(s))
		return;
	t->rows[last] = *s;
	new_key = key_of(t, last);
	if (oomlens_sample_ranked(&old) && oomlens_rank_precedes(&old_key, &new_key))
		t->rows[last] = old;
}

static void sample(const struct walk_state *w, struct task_struct *p,
		   struct oomlens_sample *s)
{
	struct oomlens_table *t = w->table;

	oomlens_sample_task(p, s, true);
	if (w->scope->kind != OOMLENS_SCOPE_GLOBAL)
		oomlens_scope_verdict(w->scope, p, s, true);
	oomlens_sample_judge(s, t->totalpages);
	s->order = w->visits;
	if (t->paths)
		s->memcg = oomlens_paths_index(t->paths, oomlens_memcg_of(p));
}

static int snapshot_visit(struct task_struct *p, void *arg)
{
	struct walk_state *w = arg;
	struct oomlens_table *t = w->table;
	struct oomlens_sample s;

	w->visits++;
	if (p->flags & PF_KTHREAD)
		return 0;
	t->tasks++;
	if (likely(t->n < t->max)) {
		sample(w, p, &t->rows[t->n++]);
		return 0;
	}
	if (!t->spare)
		return -ENOSPC;
	t->complete = false;
	sample(w, p, &s);
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
	struct oomlens_table *t = w->table;
	unsigned int i, kept = 0;

	for (i = 0; i < t->n; i++)
		if (t->rows[i].order <= n)
			t->rows[kept++] = t->rows[i];
	t->tasks -= t->n - kept;
	t->n = kept;
	w->visits = n;
}

struct order_state {
	struct oomlens_table *table;
	unsigned int order;
};

static int compare_pids(const void *a, const void *b)
{
	const struct oomlens_rank_key *x = a, *y = b;

	cond_resched();
	return (x->points > y->points) - (x->points < y->points);
}

static void order_visit(struct task_struct *p, void *arg)
{
	struct order_state *o = arg;
	struct oomlens_table *t = o->table;
	const struct oomlens_rank_key pid = { .points = p->tgid };
	const struct oomlens_rank_key *found;

	found = bsearch(&pid, t->keys, t->n, sizeof(pid), compare_pids);
	if (found)
		t->rows[found->row].order = ++o->order;
}

/*
 * An OOM of a cgroup walks its tasks by cgroup, not by the task list, and the
 * later of two equals wins there too: renumber those that it visits, after all
 * others. The keys' memory serves as the map from pid to row.
 */
static int reorder_as_memcg(struct oomlens_table *t, struct mem_cgroup *memcg)
{
	unsigned int i, tries = 8;
	int err;

	for (i = 0; i < t->n; i++)
		t->keys[i] = (struct oomlens_rank_key) { .points = t->rows[i].pid, .row = i };
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

static int walk(struct oomlens_table *t, const struct oomlens_scope *scope)
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
	return oomlens_rank_precedes(a, b) ? -1 : 1;
}

/* The ranked rows' keys first, in order; the others follow in walk order. */
static void rank(struct oomlens_table *t)
{
	struct oomlens_rank_key *scratch;
	unsigned int i, rest;

	t->ranked = 0;
	for (i = t->n; i--;)
		if (oomlens_sample_ranked(&t->rows[i]))
			t->keys[t->ranked++] = key_of(t, i);
	rest = t->ranked;
	for (i = 0; i < t->n; i++)
		if (!oomlens_sample_ranked(&t->rows[i]))
			t->keys[rest++] = key_of(t, i);

	if (oomlens_rank_sorted(t->keys, t->ranked))
		return;
	scratch = kvmalloc_array(t->ranked, sizeof(*scratch), OOMLENS_GFP);
	if (scratch)
		oomlens_rank_sort(t->keys, scratch, t->ranked);
	else
		sort(t->keys, t->ranked, sizeof(*t->keys), compare_keys, NULL);
	kvfree(scratch);
}

static void set_fate(struct oomlens_table *t, struct oomlens_sample *s, enum oomlens_fate fate)
{
	if (s->fate != OOMLENS_FATE_NONE)
		return;
	s->fate = fate;
	t->dies++;
}

/* Whoever shares the address space of a task that dies goes with it. */
static void doom_sharers(struct oomlens_table *t, const struct oomlens_sample *dead)
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
static void tell_fate(struct oomlens_table *t, const struct oomlens_scope *scope)
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

/* Rows of the last snapshot: what the next will need, or about that. */
static unsigned int last_rows;

static int count_tasks(unsigned int *tasks)
{
	const struct oomlens_walk count = {
		.visit = count_visit,
		.rewind = count_rewind,
		.arg = tasks,
	};

	*tasks = 0;
	return oomlens_walk_tasks(&count);
}

/* A walk into a table of @max rows, or, when memory is short, the spare one. */
static int try_table(struct oomlens_table *t, const struct oomlens_scope *scope,
		     unsigned int max, unsigned int memcgs)
{
	unsigned long machine_pages = t->machine_pages, totalpages = t->totalpages;
	int err;

	err = alloc_table(t, max, memcgs);
	if (err)
		err = take_spare_table(t);
	if (err)
		return err;
	t->machine_pages = machine_pages;
	t->totalpages = totalpages;
	err = walk(t, scope);
	if (!err && t->paths && oomlens_paths_full(t->paths) && !t->spare)
		err = -ENOSPC;
	if (err) {
		oomlens_table_free(t);
		t->machine_pages = machine_pages;
		t->totalpages = totalpages;
	}
	return err;
}

/* With room for those that are born before the walk is over. */
static int fill_table(struct oomlens_table *t, const struct oomlens_scope *scope)
{
	unsigned int tasks = READ_ONCE(last_rows), memcgs = 128, tries = 4;
	int err = 0;

	do {
		if (!tasks)
			err = count_tasks(&tasks);
		if (err)
			return err;
		err = try_table(t, scope, tasks + tasks / 8 + 64, memcgs);
		tasks = 0;
		memcgs = UINT_MAX;
	} while (err == -ENOSPC && --tries);
	if (!err)
		WRITE_ONCE(last_rows, t->n);
	return err;
}

/**
 * oomlens_table_take() - walk, judge, rank, and tell the fate of each
 * @t: zeroed, or taken before; oomlens_table_free() is the caller's
 * @scope: held while this runs only
 *
 * Where memory is short, the first ranks in a table that was set aside at load,
 * which one open file can have at a time.
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: 0; -ENOMEM; -EINTR on a fatal signal; why the scope's cgroup is not
 * there any more; or what reading procfs returned.
 */
int oomlens_table_take(struct oomlens_table *t, struct oomlens_scope *scope)
{
	struct oomlens_sysvalues v;
	int err;

	oomlens_table_free(t);
	err = oomlens_sysvalues_read(&v);
	if (err)
		return err;
	err = oomlens_scope_hold(scope);
	if (err)
		return err;
	t->machine_pages = v.totalram + v.total_swap;
	t->totalpages = oomlens_scope_totalpages(scope, &v);
	err = fill_table(t, scope);
	if (err)
		goto out;
	rank(t);
	tell_fate(t, scope);
	if (t->paths)
		err = oomlens_paths_resolve(t->paths);
	if (err)
		oomlens_table_free(t);
	else
		oomlens_stat_add(OOMLENS_STAT_SNAPSHOTS, 1);
out:
	oomlens_scope_unhold(scope);
	return err;
}
