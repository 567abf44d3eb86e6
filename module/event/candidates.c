// SPDX-License-Identifier: GPL-2.0
/*
 * The candidates: the tasks that the OOM killer would take next, by a walk over
 * all tasks within a bound of time. The one lock is the tasks' alloc_lock, as
 * the OOM killer itself takes it; with preemption off it is only tried. All runs
 * under the kernel's oom_lock, which protects the scratch.
 */
#include "internal.h"

/*
 * The longest walk: with preemption off, and where it is on. The kernel's own
 * walk, which comes after, has no limit.
 */
#define WALK_ATOMIC_NS	NSEC_PER_MSEC
#define WALK_NS		(100 * NSEC_PER_MSEC)
/*
 * Tasks between two readings of the clock. On a machine with many processors a task
 * can take several us: its figures are sums over all of them.
 */
#define WALK_CHUNK		32
#define WALK_CHUNK_ATOMIC	4
/*
 * Under a storm walks take no more than a tenth of the time: after a walk of
 * t ns there is none for WALK_PAUSES * t ns. Calls of a run of idle ones and all
 * others are counted apart, so that no storm of idle calls takes the walk of a kill.
 */
#define WALK_PAUSES	9

static struct oomlens_task *samples;
static struct task_struct **sample_tasks;	/* alive under the walk's RCU */
static u8 *best;	/* the candidates as indices of samples, the first victim first */
static u64 next_walk_ns[2];	/* for calls that do something, and for idle ones */
static struct {
	const struct oomlens_event *e;	/* overwritten if it has another number */
	unsigned long number;
	u64 next_ns;
} last_walk;
static bool must_walk;	/* for WALK_NS, without a pause, and with a victim awaited too */

/*
 * The scope that the kernel will find; constrained_alloc() has not run yet. A
 * task that shares no node with the caller is passed over even when there is no
 * constraint. Source: mm/oom_kill.c, oom_cpuset_eligible().
 */
static void guess_scope(struct oomlens_scope *scope, const struct oom_control *oc)
{
	scope->kind = OOMLENS_SCOPE_GLOBAL;
	if (!oc)
		return;
	if (oc->memcg) {
		scope->kind = OOMLENS_SCOPE_MEMCG;
		scope->memcg = oc->memcg;
		return;
	}
#ifdef CONFIG_NUMA
	if (oc->nodemask && oc->zonelist && !(oc->gfp_mask & __GFP_THISNODE) &&
	    !nodes_subset(node_states[N_MEMORY], *oc->nodemask)) {
		scope->kind = OOMLENS_SCOPE_MEMPOLICY;
		scope->nodes = *oc->nodemask;
		return;
	}
#ifdef CONFIG_CPUSETS
	if (!nodes_subset(node_states[N_MEMORY], current->mems_allowed)) {
		scope->kind = OOMLENS_SCOPE_CPUSET;
		scope->nodes = current->mems_allowed;
	}
#endif
#endif
}

/*
 * An allocation without __GFP_HARDWALL may use memory outside of its cpuset, and
 * the kernel knows of no constraint then, though it still passes over tasks. Source:
 * mm/oom_kill.c, constrained_alloc(). A cpuset v1 with mem_hardwall or mem_exclusive
 * is taken for one without.
 */
static bool is_constrained(const struct oomlens_scope *scope, const struct oom_control *oc)
{
	if (scope->kind != OOMLENS_SCOPE_CPUSET)
		return scope->kind != OOMLENS_SCOPE_GLOBAL;
	return oc->zonelist && (oc->gfp_mask & __GFP_HARDWALL) &&
	       !(oc->gfp_mask & __GFP_THISNODE);
}

/**
 * oomlens_candidates_confined() - is the OOM that of a cgroup, a cpuset or a mempolicy?
 * @oc: the kernel's, or NULL if it is not known
 *
 * Context: OOM path.
 */
bool oomlens_candidates_confined(const struct oom_control *oc)
{
	struct oomlens_scope scope;

	guess_scope(&scope, oc);
	return is_constrained(&scope, oc);
}

struct task_walk {
	const struct oomlens_scope *scope;
	long per_adj;			/* points of one of oom_score_adj */
	u64 deadline;
	unsigned int left;		/* tasks until the clock is read again */
	unsigned int n;			/* candidates so far */
	/*
	 * If the list is full and its last task may be taken, the points of that
	 * task are the bar. Most tasks are below it. A task with just these points
	 * replaces the oldest of the equals at the list's end, and no other moves:
	 * from first_equal to the end they are a ring, the oldest before the
	 * latest. With plain insertion a walk over 1,000 equals takes 269 to 348 us
	 * instead of 203 (instructions counted).
	 */
	bool has_bar;
	long bar;
	unsigned int first_equal;
	unsigned int oldest;
	unsigned int spare;		/* sample that is not in use */
	unsigned int passed;		/* sample of the largest task passed over */
	bool has_passed;		/* and there is one that is no candidate */
	bool global;			/* no task is outside the scope */
	bool sysrq;
	bool may_wait;
	bool complete;			/* no task was left out */
};

static unsigned long guess_totalpages(const struct oomlens_scope *scope,
				      const struct oom_control *oc)
{
	struct oomlens_sysvalues v;

	oomlens_sysvalues_cached(&v);
	if (is_constrained(scope, oc))
		return oomlens_scope_totalpages(scope, &v);
	return v.totalram + v.total_swap;
}

/* Does the task just visited go before a candidate? Of equals, the later does. */
static bool goes_before(const struct oomlens_task *task, const struct oomlens_task *other)
{
	bool ranked = oomlens_ranked(task->verdict);

	return ranked == oomlens_ranked(other->verdict) ? task->points >= other->points : ranked;
}

/* Puts the equals at the list's end in order again: the latest first. */
static void unroll_equals(struct task_walk *w)
{
	u8 *first = best + w->first_equal, *last = best + w->n - 1, latest;

	while (w->has_bar && best + w->oldest != last) {
		latest = *last;
		memmove(first + 1, first, last - first);
		*first = latest;
		w->oldest++;
	}
}

static void set_bar(struct task_walk *w)
{
	const struct oomlens_task *last = &samples[best[w->n - 1]];
	unsigned int i = w->n - 1;

	w->has_bar = w->n == oomlens_nr_candidates && oomlens_ranked(last->verdict);
	if (!w->has_bar)
		return;
	w->bar = last->points;
	w->oldest = i;
	while (i && samples[best[i - 1]].points == w->bar)
		i--;
	w->first_equal = i;
}

static void replace_oldest_equal(struct task_walk *w)
{
	u8 added = w->spare;

	w->spare = best[w->oldest];
	best[w->oldest] = added;
	w->oldest = w->oldest == w->first_equal ? w->n - 1 : w->oldest - 1;
}

/*
 * Puts samples[w->spare] in its place among the candidates. The sample that is
 * free after that is the last candidate's, if there was no room for one more.
 */
static void insert(struct task_walk *w)
{
	const struct oomlens_task *task = &samples[w->spare];
	unsigned int place = 0, end = w->n;
	u8 added = w->spare;

	if (w->has_bar && !oomlens_ranked(task->verdict))
		return;
	unroll_equals(w);
	if (end == oomlens_nr_candidates && !goes_before(task, &samples[best[end - 1]]))
		return;
	while (place < end) {
		unsigned int middle = (place + end) / 2;

		if (goes_before(task, &samples[best[middle]]))
			end = middle;
		else
			place = middle + 1;
	}
	if (w->n < oomlens_nr_candidates)
		w->spare = ++w->n;
	else
		w->spare = best[w->n - 1];
	memmove(best + place + 1, best + place, w->n - 1 - place);
	best[place] = added;
	set_bar(w);
}

/* Pages that the end of the task would give back. */
static long held_by(const struct oomlens_task *task)
{
	return oomlens_points(&task->terms, 0);
}

/*
 * samples[w->spare] is no candidate, or is none any more. If the kernel may not
 * take that task, and no larger one was passed over so far, it is kept.
 */
static void keep_passed_over(struct task_walk *w)
{
	unsigned int out = w->spare;

	if (oomlens_ranked(samples[out].verdict) ||
	    (w->has_passed && held_by(&samples[out]) <= held_by(&samples[w->passed])))
		return;
	w->spare = w->passed;
	w->passed = out;
	w->has_passed = true;
}

/*
 * The first question is "why this task, and not the largest?" If all candidates
 * may be taken and a larger task may not, the last place is for that task.
 */
static void show_passed_over(const struct task_walk *w)
{
	if (w->has_passed && w->n > 1 &&
	    held_by(&samples[w->passed]) > held_by(&samples[best[0]]))
		best[w->n - 1] = w->passed;
}

static bool is_late(struct task_walk *w)
{
	if (--w->left)
		return false;
	w->left = w->may_wait ? WALK_CHUNK : WALK_CHUNK_ATOMIC;
	return ktime_get_mono_fast_ns() > w->deadline;
}

static void visit_task(struct task_struct *p, struct task_walk *w)
{
	struct oomlens_task *task = &samples[w->spare];
	bool ranked, full;

	if (p->flags & PF_KTHREAD)
		return;
	/* Cheap, and in a cgroup's OOM it excludes nearly all tasks. */
	if (!w->global && !oomlens_scope_has(w->scope, p, w->may_wait))
		return;
	if (oomlens_task_read(p, task, w->may_wait)) {
		w->complete = false;
		return;
	}
	oomlens_scope_verdict(w->scope, p, task, true);
	/* sysrq does not wait for earlier victims: it takes them again. */
	if (w->sysrq && task->verdict == OOMLENS_VERDICT_VICTIM && task->killable)
		task->verdict = OOMLENS_VERDICT_ELIGIBLE;
	ranked = oomlens_ranked(task->verdict);
	/* A task that cannot be taken is shown too: it tells why it was not. */
	if (!ranked && !task->mm)
		return;
	task->points = task->verdict == OOMLENS_VERDICT_ORIGIN ? LONG_MAX :
		       oomlens_points(&task->terms, task->adj * w->per_adj);
	sample_tasks[w->spare] = p;
	if (w->has_bar && ranked && task->points <= w->bar) {
		if (task->points == w->bar)
			replace_oldest_equal(w);
		return;
	}
	full = w->n == oomlens_nr_candidates;
	insert(w);
	if (full)
		keep_passed_over(w);
}

/*
 * In the order of the task list, which decides between equals in a global OOM.
 * Returns false if a task was left out.
 */
static bool walk_tasks(struct task_walk *w)
{
	u64 most = w->may_wait || must_walk ? WALK_NS : WALK_ATOMIC_NS;
	struct task_struct *p;

	w->global = w->scope->kind == OOMLENS_SCOPE_GLOBAL;
	w->complete = true;
	w->deadline = ktime_get_mono_fast_ns() + most;
	w->left = 1;
	w->passed = oomlens_nr_candidates + 1;
	for_each_process(p) {
		if (is_late(w))
			return false;
		visit_task(p, w);
	}
	return w->complete;
}

/*
 * The candidates become the event's, with their cgroups held. The identity is
 * read of these alone: most tasks are no candidates, or not for long.
 */
static void keep_candidates(const struct task_walk *w, struct oomlens_event *e)
{
	struct oomlens_task_record *r = oomlens_event_candidates(e);
	unsigned int i;

	for (i = 0; i < w->n; i++, r++) {
		struct task_struct *p = sample_tasks[best[i]];

		oomlens_task_identity(p, &samples[best[i]]);
		oomlens_capture_task(r, &samples[best[i]]);
		r->start_ns = p->start_time;
		r->memcg = oomlens_event_memcg(e, oomlens_memcg_of(p));
	}
	e->nr_candidates = w->n;
}

/* By now it is known what the last walk's call did. Only idle events are lost so soon. */
static void count_last_walk(void)
{
	const struct oomlens_event *e = last_walk.e;

	if (e)
		next_walk_ns[e->number != last_walk.number || oomlens_outcome_idle(e)] =
			last_walk.next_ns;
	last_walk.e = NULL;
}

/**
 * oomlens_candidates_cannot_kill() - does the call end before the kernel chooses?
 * @oc: the kernel's, or NULL if it is not known
 *
 * One without __GFP_FS does. sysrq's, and gfp 0 on 5.10, go on. Source:
 * mm/oom_kill.c, out_of_memory().
 *
 * Context: any.
 */
bool oomlens_candidates_cannot_kill(const struct oom_control *oc)
{
	return oc && !oc->memcg && oc->order != -1 && oc->gfp_mask && !(oc->gfp_mask & __GFP_FS);
}

/*
 * With vm.oom_kill_allocating_task the kernel takes the caller, and waits for no earlier
 * victim. Source: mm/oom_kill.c, out_of_memory().
 */
static bool takes_caller(const struct oom_control *oc)
{
	struct oomlens_sysvalues v;

	if (oc->memcg || !current->mm || current->signal->oom_score_adj == OOM_SCORE_ADJ_MIN)
		return false;
	oomlens_sysvalues_cached(&v);
	return v.kill_allocating;
}

/**
 * oomlens_candidates_capture() - record the tasks that would be taken next
 * @e: being written
 * @oc: the kernel's, or NULL if it is not known
 * @may_wait: may task_lock() be waited for?
 *
 * Time: at most WALK_NS and WALK_CHUNK tasks; where @may_wait is false WALK_ATOMIC_NS
 * and WALK_CHUNK_ATOMIC tasks. e->walk tells how far it came, OOMLENS_WALK_NONE that
 * the call cannot kill.
 *
 * Context: OOM path; with @may_wait false preemption may be off.
 */
void oomlens_candidates_capture(struct oomlens_event *e, const struct oom_control *oc,
				bool may_wait)
{
	struct oomlens_scope scope;
	struct task_walk walk = {
		.scope = &scope,
		.sysrq = oc && oc->order == -1,
		.may_wait = may_wait,
	};
	u64 begin = ktime_get_mono_fast_ns(), took;
	bool complete;

	if (!oomlens_nr_candidates) {
		e->walk = OOMLENS_WALK_OFF;
		return;
	}
	/* A walk for a call that kills no task would be missing when a kill comes. */
	if (oomlens_candidates_cannot_kill(oc))
		return;
	if (oomlens_lockdep_would_complain()) {
		e->walk = OOMLENS_WALK_LIMITED;
		return;
	}
	guess_scope(&scope, oc);
	if (!must_walk && oc && !walk.sysrq && !takes_caller(oc) &&
	    oomlens_victims_awaited(&scope))
		return;
	count_last_walk();
	if (!must_walk && begin < next_walk_ns[oomlens_index_in_run(e)]) {
		e->walk = OOMLENS_WALK_LIMITED;
		return;
	}
	e->totalpages = guess_totalpages(&scope, oc);
	walk.per_adj = oomlens_adj_points(1, e->totalpages);
	rcu_read_lock();
	complete = walk_tasks(&walk);
	unroll_equals(&walk);
	show_passed_over(&walk);
	keep_candidates(&walk, e);
	rcu_read_unlock();
	e->walk = complete ? OOMLENS_WALK_COMPLETE : OOMLENS_WALK_PARTIAL;
	took = oomlens_elapsed_ns(begin, ktime_get_mono_fast_ns());
	last_walk.e = e;
	last_walk.number = e->number;
	last_walk.next_ns = begin + took * (1 + WALK_PAUSES);
	oomlens_counter_max(OOMLENS_WALK_NS_MAX, took);
}

/**
 * oomlens_candidates_retry() - the walk that was left out or cut short, for a panic
 * @e: the event; nothing is done if its walk is complete
 * @oc: as above
 *
 * The kernel panics before it looks for an earlier victim. A last walk may take WALK_NS.
 *
 * Context: a panic, whose processor alone still runs, or the OOM path; locks are
 * tried only.
 */
void oomlens_candidates_retry(struct oomlens_event *e, const struct oom_control *oc)
{
	if (e->walk == OOMLENS_WALK_COMPLETE)
		return;
	must_walk = true;
	oomlens_candidates_capture(e, oc, false);
	must_walk = false;
}

/**
 * oomlens_candidates_init() - take the scratch
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_candidates_init(void)
{
	/* One that is being read, and one that was passed over. */
	unsigned int n = oomlens_nr_candidates + 2;

	samples = oomlens_keep_alloc(n * (sizeof(*samples) + sizeof(*sample_tasks) +
					  sizeof(*best)));
	if (!samples)
		return -ENOMEM;
	sample_tasks = (struct task_struct **)(samples + n);
	best = (u8 *)(sample_tasks + n);
	return 0;
}

/**
 * oomlens_candidates_exit() - give it back
 *
 * Context: module unload.
 */
void oomlens_candidates_exit(void)
{
	kvfree(samples);
}
