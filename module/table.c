// SPDX-License-Identifier: GPL-2.0
/*
 * The snapshot behind badness: every thread group as the OOM killer sees it,
 * in the order in which it would take them.
 *
 * The rows lie in pages that are taken as the walk goes on, where it pauses: no
 * large piece of memory is needed, and none has to be cleared for nothing.
 */
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "table.h"

/* Cgroups that there is room for to begin with. */
#define FIRST_MEMCGS	(2 * OOMLENS_WALK_CHUNK)

/* Rows of the table that is kept for when memory for a whole one is short. */
#define SPARE_ROWS	12

/* A page of rows. */
struct oomlens_chunk {
	struct oomlens_chunk *next;
	unsigned int n;			/* rows used */
	unsigned int max;
	struct oomlens_sample rows[];
};

#define CHUNK_ROWS \
	((PAGE_SIZE - sizeof(struct oomlens_chunk)) / sizeof(struct oomlens_sample))

/* One new page is enough up to the next pause. */
static_assert(CHUNK_ROWS >= OOMLENS_WALK_CHUNK);

static char spare_rows[sizeof(struct oomlens_chunk) +
		       SPARE_ROWS * sizeof(struct oomlens_sample)]
	__aligned(__alignof__(struct oomlens_chunk));
static struct oomlens_rank_key spare_keys[SPARE_ROWS];
static unsigned long spare_taken;	/* bit 0: by one open file at a time */

/* Lets others run: no loop over all rows is long without it. */
static struct oomlens_chunk *next_chunk(struct oomlens_chunk *chunk)
{
	cond_resched();
	return chunk->next;
}

static struct oomlens_sample *row_in(struct oomlens_chunk **chunk)
{
	while (*chunk && !(*chunk)->n)
		*chunk = next_chunk(*chunk);
	return *chunk ? (*chunk)->rows : NULL;
}

/* All rows in the order of the walk, by these two; @chunk is the caller's. */
static struct oomlens_sample *first_row(const struct oomlens_table *t,
					struct oomlens_chunk **chunk)
{
	*chunk = t->chunks;
	return row_in(chunk);
}

static inline struct oomlens_sample *next_row(struct oomlens_chunk **chunk,
					      struct oomlens_sample *s)
{
	if (likely(++s < (*chunk)->rows + (*chunk)->n))
		return s;
	*chunk = next_chunk(*chunk);
	return row_in(chunk);
}

/**
 * oomlens_table_free() - give back what a snapshot took
 * @t: zeroed, or taken; zeroed after
 */
void oomlens_table_free(struct oomlens_table *t)
{
	struct oomlens_chunk *chunk, *next;

	oomlens_paths_free(t->paths);
	if (t->spare) {
		clear_bit_unlock(0, &spare_taken);
	} else {
		for (chunk = t->chunks; chunk; chunk = next) {
			next = next_chunk(chunk);
			free_page((unsigned long)chunk);
		}
		kvfree(t->keys);
	}
	memset(t, 0, sizeof(*t));
}

/* Memory is short: the first ranks are what matters then. */
static int take_spare_table(struct oomlens_table *t)
{
	if (test_and_set_bit_lock(0, &spare_taken))
		return -ENOMEM;
	t->spare = true;
	t->chunks = (struct oomlens_chunk *)spare_rows;
	t->chunks->next = NULL;
	t->chunks->n = 0;
	t->chunks->max = SPARE_ROWS;
	t->last = t->chunks;
	t->keys = spare_keys;
	return 0;
}

/* What the kernel compares; an origin goes before any number of pages. */
static long rank_points(const struct oomlens_sample *s)
{
	return s->verdict == OOMLENS_ORIGIN ? LONG_MAX : s->points;
}

static bool precedes(const struct oomlens_sample *a, const struct oomlens_sample *b)
{
	return oomlens_precedes(rank_points(a), a->order, rank_points(b), b->order);
}

/* ---- The walk ---- */

struct walk_state {
	struct oomlens_table *table;
	const struct oomlens_scope *scope;
	unsigned int visits;
};

/* Room for all that comes before the next pause. */
static int snapshot_pause(void *arg)
{
	struct walk_state *w = arg;
	struct oomlens_table *t = w->table;
	struct oomlens_chunk *new, *last = t->last;

	if (t->spare)
		return 0;
	if (oomlens_paths_reserve(t->paths, OOMLENS_WALK_CHUNK))
		return -ENOMEM;
	if (last && (last->next || last->max - last->n >= OOMLENS_WALK_CHUNK))
		return 0;
	new = (struct oomlens_chunk *)__get_free_page(OOMLENS_GFP);
	if (!new)
		return -ENOMEM;
	new->next = NULL;
	new->n = 0;
	new->max = CHUNK_ROWS;
	if (last) {
		last->next = new;
	} else {
		t->chunks = new;
		t->last = new;
	}
	return 0;
}

static void sample(const struct walk_state *w, struct task_struct *p,
		   struct oomlens_sample *s)
{
	struct oomlens_table *t = w->table;

	oomlens_sample_identity(p, s);
	oomlens_sample_task(p, s, true);
	if (w->scope->kind != OOMLENS_SCOPE_GLOBAL)
		oomlens_scope_verdict(w->scope, p, s, true);
	oomlens_sample_judge(s, t->totalpages);
	s->order = w->visits;
	t->ranked += oomlens_sample_ranked(s);
	if (t->paths)
		s->memcg = oomlens_paths_index(t->paths, oomlens_memcg_of(p));
}

/* Whom the kernel would take last; what it would not take at all comes after. */
static struct oomlens_sample *last_row(struct oomlens_chunk *spare)
{
	struct oomlens_sample *s, *last = spare->rows;

	for (s = spare->rows; s < spare->rows + spare->n; s++) {
		if (!oomlens_sample_ranked(s))
			return s;
		if (precedes(last, s))
			last = s;
	}
	return last;
}

/*
 * A full spare table keeps the first ranks: the new row, or the last, is lost.
 * Not inline: the row on the stack would be cleared for every task.
 */
static noinline __cold void spare_visit(const struct walk_state *w, struct task_struct *p)
{
	struct oomlens_chunk *spare = w->table->chunks;
	struct oomlens_sample *last = last_row(spare), s;

	w->table->complete = false;
	sample(w, p, &s);
	if (oomlens_sample_ranked(&s) &&
	    (!oomlens_sample_ranked(last) || precedes(&s, last)))
		swap(s, *last);
	w->table->ranked -= oomlens_sample_ranked(&s);
}

static int snapshot_visit(struct task_struct *p, void *arg)
{
	struct walk_state *w = arg;
	struct oomlens_table *t = w->table;

	w->visits++;
	if (p->flags & PF_KTHREAD)
		return 0;
	t->tasks++;
	if (unlikely(t->last->n == t->last->max)) {
		if (!t->last->next) {
			spare_visit(w, p);
			return 0;
		}
		t->last = t->last->next;
	}
	sample(w, p, &t->last->rows[t->last->n++]);
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
	struct oomlens_chunk *chunk;
	unsigned int i;

	t->last = t->chunks;
	for (chunk = t->chunks; chunk; chunk = chunk->next) {
		unsigned int kept = 0;

		for (i = 0; i < chunk->n; i++)
			if (chunk->rows[i].order <= n)
				chunk->rows[kept++] = chunk->rows[i];
			else
				t->ranked -= oomlens_sample_ranked(&chunk->rows[i]);
		t->tasks -= chunk->n - kept;
		chunk->n = kept;
		if (kept)
			t->last = chunk;
	}
	w->visits = n;
}

static int walk(struct oomlens_table *t, const struct oomlens_scope *scope)
{
	struct walk_state state = { .table = t, .scope = scope };
	const struct oomlens_walk walk = {
		.pause = snapshot_pause,
		.visit = snapshot_visit,
		.rewind = snapshot_rewind,
		.arg = &state,
	};
	struct oomlens_chunk *chunk;
	int err;

	t->complete = true;
	err = oomlens_walk_tasks(&walk);
	t->kthreads = state.visits - t->tasks;
	for (chunk = t->chunks; chunk; chunk = next_chunk(chunk))
		t->n += chunk->n;
	return err;
}

/* ---- Rank ---- */

/* Most points first; of equals the later in the walk. */
static int compare_keys(const void *a, const void *b)
{
	const struct oomlens_rank_key *x = a, *y = b;

	cond_resched();
	return oomlens_precedes(x->points, x->row->order, y->points, y->row->order) ? -1 : 1;
}

static void sort_keys(struct oomlens_rank_key *keys, unsigned int n)
{
	if (oomlens_rank_sort(keys, n))
		sort(keys, n, sizeof(*keys), compare_keys, NULL);
}

/* The ranked rows' keys first, in order; the others follow in walk order. */
static int rank(struct oomlens_table *t)
{
	unsigned int i = t->ranked, rest = t->ranked;
	struct oomlens_chunk *chunk;
	struct oomlens_sample *s;

	if (!t->spare)
		t->keys = kvmalloc_array(t->n, sizeof(*t->keys), OOMLENS_GFP);
	if (!t->keys)
		return -ENOMEM;
	/* From the walk's end to its beginning: nothing to sort among equals. */
	for (s = first_row(t, &chunk); s; s = next_row(&chunk, s)) {
		struct oomlens_rank_key *key =
			oomlens_sample_ranked(s) ? &t->keys[--i] : &t->keys[rest++];

		key->points = rank_points(s);
		key->row = s;
	}
	sort_keys(t->keys, t->ranked);
	return 0;
}

/* ---- Fate ---- */

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
	struct oomlens_chunk *chunk;
	struct oomlens_sample *s;

	if (!dead->mm || !dead->mm_shared)
		return;
	for (s = first_row(t, &chunk); s; s = next_row(&chunk, s))
		if (s->mm == dead->mm && s->verdict != OOMLENS_INIT)
			set_fate(t, s, OOMLENS_FATE_SHARER);
}

/* The cgroup that goes with the victim; held by paths, as all above it are. */
static struct mem_cgroup *group_of(const struct oomlens_table *t,
				   const struct oomlens_sample *victim,
				   const struct oomlens_scope *scope)
{
	struct mem_cgroup *group;

	if (!t->paths)
		return NULL;
	rcu_read_lock();
	group = oomlens_memcg_oom_group(oomlens_paths_memcg(t->paths, victim->memcg),
					scope->memcg);
	rcu_read_unlock();
	return group;
}

/*
 * What the next kill does to whom. Source: mm/oom_kill.c, oom_kill_process(),
 * oom_kill_memcg_member() and __oom_kill_process().
 */
static void tell_fate(struct oomlens_table *t, const struct oomlens_scope *scope)
{
	struct oomlens_sample *victim, *s;
	struct oomlens_chunk *chunk;
	struct mem_cgroup *group;

	if (!t->ranked)
		return;
	victim = t->keys[0].row;
	set_fate(t, victim, OOMLENS_FATE_VICTIM);
	group = group_of(t, victim, scope);
	if (!group) {
		doom_sharers(t, victim);
		return;
	}
	for (s = first_row(t, &chunk); s; s = next_row(&chunk, s))
		if (s->mm && s->adj != OOM_SCORE_ADJ_MIN && s->verdict != OOMLENS_INIT &&
		    oomlens_memcg_within(oomlens_paths_memcg(t->paths, s->memcg), group))
			set_fate(t, s, OOMLENS_FATE_GROUP);
	for (s = first_row(t, &chunk); s; s = next_row(&chunk, s))
		if (s->fate == OOMLENS_FATE_VICTIM || s->fate == OOMLENS_FATE_GROUP)
			doom_sharers(t, s);
}

/* ---- The snapshot ---- */

static int resolve_paths(struct oomlens_table *t)
{
	int err = t->paths ? oomlens_paths_resolve(t->paths) : 0;

	/* The first ranks count more than where they belong. */
	if (err && t->spare) {
		oomlens_paths_free(t->paths);
		t->paths = NULL;
		err = 0;
	}
	return err;
}

static int fill_table(struct oomlens_table *t, const struct oomlens_scope *scope, bool spare)
{
	unsigned long machine_pages = t->machine_pages, totalpages = t->totalpages;
	int err;

	oomlens_table_free(t);
	t->machine_pages = machine_pages;
	t->totalpages = totalpages;
	if (spare && take_spare_table(t))
		return -ENOMEM;
	t->paths = oomlens_paths_alloc(FIRST_MEMCGS);
	if (!t->paths && !spare)
		return -ENOMEM;
	err = walk(t, scope) ?: rank(t);
	if (err)
		return err;
	tell_fate(t, scope);
	return resolve_paths(t);
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
	err = oomlens_sysvalues_totals(&v);
	if (err)
		return err;
	err = oomlens_scope_hold(scope);
	if (err)
		return err;
	t->machine_pages = v.totalram + v.total_swap;
	t->totalpages = oomlens_scope_totalpages(scope, &v);
	err = fill_table(t, scope, false);
	if (err == -ENOMEM)
		err = fill_table(t, scope, true);
	if (err)
		oomlens_table_free(t);
	else
		oomlens_stat_add(OOMLENS_STAT_SNAPSHOTS, 1);
	oomlens_scope_unhold(scope);
	return err;
}
