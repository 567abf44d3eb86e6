// SPDX-License-Identifier: GPL-2.0
/*
 * The snapshot behind badness: every thread group as the OOM killer sees it,
 * in the order in which it would take them.
 *
 * The rows lie in pages that are taken at the pauses of the walk: no large piece of
 * memory is needed, and only pages that are used are cleared.
 */
#include <linux/sort.h>

#include "snapshot.h"

/* Room for cgroups at first. */
#define FIRST_MEMCGS	(2 * OOMLENS_WALK_CHUNK)

/* Rows of the table that is kept for when memory for a whole one is short. */
#define SPARE_ROWS	12

/* A page of rows. */
struct oomlens_rows {
	struct oomlens_rows *next;
	unsigned int n;			/* rows used */
	unsigned int max;
	struct oomlens_task rows[];
};

#define CHUNK_ROWS \
	((PAGE_SIZE - sizeof(struct oomlens_rows)) / sizeof(struct oomlens_task))

/* One new page is enough up to the next pause. */
static_assert(CHUNK_ROWS >= OOMLENS_WALK_CHUNK);

static char spare_rows[sizeof(struct oomlens_rows) +
		       SPARE_ROWS * sizeof(struct oomlens_task)]
	__aligned(__alignof__(struct oomlens_rows));
static struct oomlens_rank_key spare_keys[SPARE_ROWS];
static unsigned long spare_taken;	/* bit 0: by one open file at a time */

/* Lets others run: no loop over all rows is long without it. */
static struct oomlens_rows *next_chunk(struct oomlens_rows *chunk)
{
	cond_resched();
	return chunk->next;
}

/**
 * oomlens_snapshot_free() - give back what a snapshot took
 * @t: zeroed, or taken; zeroed after
 *
 * Context: process context, may sleep.
 */
void oomlens_snapshot_free(struct oomlens_snapshot *t)
{
	struct oomlens_rows *chunk, *next;

	oomlens_memcg_set_free(t->memcgs);
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
static int take_spare_table(struct oomlens_snapshot *t)
{
	if (test_and_set_bit_lock(0, &spare_taken))
		return -ENOMEM;
	t->spare = true;
	t->chunks = (struct oomlens_rows *)spare_rows;
	*t->chunks = (struct oomlens_rows){ .max = SPARE_ROWS };
	t->last = t->chunks;
	t->keys = spare_keys;
	return 0;
}

/* What the kernel compares; an origin goes before any number of pages. */
static long rank_points(const struct oomlens_task *task)
{
	if (likely(task->verdict == OOMLENS_VERDICT_ELIGIBLE))
		return task->points;
	return task->verdict == OOMLENS_VERDICT_ORIGIN ? LONG_MAX : LONG_MIN;
}

static bool precedes(const struct oomlens_task *a, const struct oomlens_task *b)
{
	return oomlens_precedes(rank_points(a), a->order, rank_points(b), b->order);
}

/* ---- The walk ---- */

/* Room for all that comes before the next pause. */
static int snapshot_pause(void *arg)
{
	struct oomlens_snapshot *t = arg;
	struct oomlens_rows *new, *last = t->last;

	if (t->spare)
		return 0;
	if (oomlens_memcg_set_reserve(t->memcgs, OOMLENS_WALK_CHUNK))
		return -ENOMEM;
	if (last && (last->next || last->max - last->n >= OOMLENS_WALK_CHUNK))
		return 0;
	new = (struct oomlens_rows *)__get_free_page(OOMLENS_GFP);
	if (!new)
		return -ENOMEM;
	*new = (struct oomlens_rows){ .max = CHUNK_ROWS };
	if (last) {
		last->next = new;
	} else {
		t->chunks = new;
		t->last = new;
	}
	return 0;
}

static void sample(struct oomlens_snapshot *t, struct task_struct *p,
		   struct oomlens_task *task)
{
	oomlens_task_identity(p, task);
	oomlens_task_read(p, task, true);
	if (t->scope->kind != OOMLENS_SCOPE_GLOBAL)
		oomlens_scope_verdict(t->scope, p, task,
				      oomlens_scope_has(t->scope, p, true));
	task->points = oomlens_points(&task->terms,
				      oomlens_adj_points(task->adj, t->totalpages));
	task->order = t->tasks + t->kthreads;
	t->ranked += oomlens_ranked(task->verdict);
	if (t->memcgs)
		task->memcg = oomlens_memcg_set_index(t->memcgs, oomlens_memcg_of(p));
}

/*
 * A full spare table keeps the first ranks: the new row, or the last, is lost.
 * Not inline: the row on the stack would be cleared for every task.
 */
static noinline __cold void spare_visit(struct oomlens_snapshot *t, struct task_struct *p)
{
	struct oomlens_rows *spare = t->chunks;
	struct oomlens_task *row, *last = spare->rows, task;

	t->complete = false;
	sample(t, p, &task);
	for (row = spare->rows; row < spare->rows + spare->n; row++)
		if (precedes(last, row))
			last = row;
	if (precedes(&task, last))
		swap(task, *last);
	t->ranked -= oomlens_ranked(task.verdict);
}

static int snapshot_visit(struct task_struct *p, void *arg)
{
	struct oomlens_snapshot *t = arg;

	if (p->flags & PF_KTHREAD) {
		t->kthreads++;
		return 0;
	}
	t->tasks++;
	if (unlikely(t->last->n == t->last->max)) {
		if (!t->last->next) {
			spare_visit(t, p);
			return 0;
		}
		t->last = t->last->next;
	}
	sample(t, p, &t->last->rows[t->last->n++]);
	return 0;
}

/*
 * A full table has its rows in the order of the visits. A spare one may have
 * lost some: it says so (complete 0), and only then may tasks be a few off.
 */
static void snapshot_rewind(unsigned int n, void *arg)
{
	struct oomlens_snapshot *t = arg;
	struct oomlens_rows *chunk;
	unsigned int i;

	t->last = t->chunks;
	for (chunk = t->chunks; chunk; chunk = chunk->next) {
		unsigned int kept = 0;

		for (i = 0; i < chunk->n; i++)
			if (chunk->rows[i].order <= n)
				chunk->rows[kept++] = chunk->rows[i];
			else
				t->ranked -= oomlens_ranked(chunk->rows[i].verdict);
		t->tasks -= chunk->n - kept;
		chunk->n = kept;
		if (kept)
			t->last = chunk;
	}
	t->tasks = min(t->tasks, n);
	t->kthreads = n - t->tasks;
}

static int walk(struct oomlens_snapshot *t)
{
	const struct oomlens_walk walk = {
		.pause = snapshot_pause,
		.visit = snapshot_visit,
		.rewind = snapshot_rewind,
		.arg = t,
	};
	int err;

	t->complete = true;
	err = oomlens_walk_tasks(&walk);
	t->n = t->spare ? t->chunks->n : t->tasks;
	return err;
}

/* ---- Rank ---- */

/* The ranked rows' keys first, in order; the others follow in walk order. */
static int rank(struct oomlens_snapshot *t)
{
	unsigned int i = t->ranked, rest = t->ranked;
	struct oomlens_rows *chunk;
	struct oomlens_task *task;

	if (!t->keys)
		t->keys = kvmalloc_array(t->n, sizeof(*t->keys), OOMLENS_GFP);
	if (!t->keys)
		return -ENOMEM;
	/* From the walk's end to its beginning: the order of equals. */
	for (chunk = t->chunks; chunk; chunk = next_chunk(chunk)) {
		for (task = chunk->rows; task < chunk->rows + chunk->n; task++) {
			struct oomlens_rank_key *key =
				oomlens_ranked(task->verdict) ? &t->keys[--i] : &t->keys[rest++];

			key->points = rank_points(task);
			key->row = task;
		}
	}
	oomlens_rank_sort(t->keys, t->ranked);
	return 0;
}

/* ---- Fate ---- */

static void set_fate(struct oomlens_snapshot *t, struct oomlens_task *task, enum oomlens_fate fate)
{
	if (task->fate != OOMLENS_FATE_NONE)
		return;
	task->fate = fate;
	t->dies++;
}

static int compare_mm(const void *a, const void *b)
{
	const struct oomlens_rank_key *x = a, *y = b;

	cond_resched();
	return cmp_int(x->row->mm, y->row->mm);
}

/*
 * All tasks that share the address space of a task that dies go with it. Sorted by
 * address space: the tasks of a group may have thousands of shared ones.
 */
static void doom_sharers(struct oomlens_snapshot *t)
{
	unsigned int i, j, end;

	sort(t->keys, t->n, sizeof(*t->keys), compare_mm, NULL);
	for (i = 0; i < t->n; i = end) {
		const void *mm = t->keys[i].row->mm;
		bool dies = false;

		for (end = i; end < t->n && t->keys[end].row->mm == mm; end++)
			dies |= t->keys[end].row->fate != OOMLENS_FATE_NONE;
		for (j = i; dies && j < end; j++)
			if (t->keys[j].row->verdict != OOMLENS_VERDICT_INIT)
				set_fate(t, t->keys[j].row, OOMLENS_FATE_SHARER);
		cond_resched();
	}
}

/* The cgroup that goes with the victim; held by paths, as all above it are. */
static struct mem_cgroup *group_of(const struct oomlens_snapshot *t,
				   const struct oomlens_task *victim)
{
	struct mem_cgroup *group;

	if (!t->memcgs)
		return NULL;
	rcu_read_lock();
	group = oomlens_memcg_oom_group(oomlens_memcg_set_memcg(t->memcgs, victim->memcg),
					t->scope->memcg);
	rcu_read_unlock();
	return group;
}

/* All tasks of the cgroup. Return: does one share its address space with others? */
static bool doom_group(struct oomlens_snapshot *t, struct mem_cgroup *group)
{
	bool shared = false;
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		struct oomlens_task *task = t->keys[i].row;

		cond_resched();
		if (!task->mm || task->adj == OOM_SCORE_ADJ_MIN ||
		    task->verdict == OOMLENS_VERDICT_INIT ||
		    !oomlens_memcg_within(oomlens_memcg_set_memcg(t->memcgs, task->memcg), group))
			continue;
		set_fate(t, task, OOMLENS_FATE_GROUP);
		shared |= task->mm_shared;
	}
	return shared;
}

/*
 * What the next kill does to each task. Source: mm/oom_kill.c, oom_kill_process(),
 * oom_kill_memcg_member() and __oom_kill_process().
 */
static int tell_fate(struct oomlens_snapshot *t)
{
	struct oomlens_task *victim;
	struct mem_cgroup *group;
	bool shared;

	if (!t->ranked)
		return 0;
	victim = t->keys[0].row;
	set_fate(t, victim, OOMLENS_FATE_VICTIM);
	shared = victim->mm_shared;
	group = group_of(t, victim);
	if (group)
		shared |= doom_group(t, group);
	if (!shared)
		return 0;
	doom_sharers(t);
	/* The keys are in another order now. */
	return rank(t);
}

/* ---- The snapshot ---- */

static int resolve_paths(struct oomlens_snapshot *t)
{
	int err = t->memcgs ? oomlens_memcg_set_resolve(t->memcgs) : 0;

	/* The first ranks count more than where they belong. */
	if (err && t->spare) {
		oomlens_memcg_set_free(t->memcgs);
		t->memcgs = NULL;
		err = 0;
	}
	return err;
}

static int fill_table(struct oomlens_snapshot *t, const struct oomlens_scope *scope,
		      const struct oomlens_sysvalues *v, bool spare)
{
	int err;

	oomlens_snapshot_free(t);
	t->scope = scope;
	t->machine_pages = v->totalram + v->total_swap;
	t->totalpages = oomlens_scope_totalpages(scope, v);
	if (spare && take_spare_table(t))
		return -ENOMEM;
	t->memcgs = oomlens_memcg_set_alloc(FIRST_MEMCGS);
	if (!t->memcgs && !spare)
		return -ENOMEM;
	err = walk(t) ?: rank(t) ?: tell_fate(t);
	return err ?: resolve_paths(t);
}

/**
 * oomlens_snapshot_take() - walk, judge, rank, and tell the fate of each
 * @t: zeroed, or taken before; oomlens_snapshot_free() is the caller's
 * @scope: held while this runs only
 *
 * Where memory is short, the first ranks in a table that was set aside at load,
 * which one open file can have at a time.
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: 0; -ENOMEM; -EINTR on a fatal signal; why the scope's cgroup is not
 * there any more; or what reading procfs returned.
 */
int oomlens_snapshot_take(struct oomlens_snapshot *t, struct oomlens_scope *scope)
{
	struct oomlens_sysvalues v;
	int err;

	oomlens_snapshot_free(t);
	err = oomlens_sysvalues_totals(&v);
	if (err)
		return err;
	err = oomlens_scope_hold(scope);
	if (err)
		return err;
	err = fill_table(t, scope, &v, false);
	if (err == -ENOMEM)
		err = fill_table(t, scope, &v, true);
	if (err)
		oomlens_snapshot_free(t);
	else
		oomlens_counter_add(OOMLENS_SNAPSHOTS, 1);
	oomlens_scope_unhold(scope);
	return err;
}
