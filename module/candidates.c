// SPDX-License-Identifier: GPL-2.0
/*
 * Who is in line when the OOM killer is called: a walk over all tasks, within a
 * bound. The one lock is the tasks' alloc_lock, as the OOM killer itself takes
 * it, and where preemption is off it is only tried. All runs under the kernel's
 * oom_lock, so the scratch is safe.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "event.h"

/*
 * The longest walk: with preemption off, and where it is on. The kernel's own
 * walk, which comes after, has no limit.
 */
#define WALK_ATOMIC_NS	NSEC_PER_MSEC
#define WALK_NS		(100 * NSEC_PER_MSEC)
/* The clock is read every so many tasks. */
#define WALK_CHUNK	32
/*
 * Under a storm walks take no more than a tenth of the time: after one, there
 * is none for as long as it took, this often.
 */
#define WALK_PAUSES	9

/* The best so far, best first, by their index in samples. */
static struct oomlens_sample *samples;
static struct task_struct **sample_tasks;	/* alive under the walk's RCU */
static u8 *line;
static u64 next_walk_ns;

/*
 * Whom the OOM may take, as the kernel will find; constrained_alloc() has not
 * run yet. A task that shares no node with the caller is passed over even when
 * there is no constraint. Source: mm/oom_kill.c, oom_cpuset_eligible().
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

struct task_walk {
	const struct oomlens_scope *scope;
	long per_adj;			/* points of one of oom_score_adj */
	u64 deadline;
	unsigned int left;		/* tasks until the clock is read again */
	unsigned int in_line;
	/*
	 * Once the line is full and the last of it may be taken, its points are
	 * the bar. One more with these points takes the place of the oldest of
	 * those who have them, so that the equals, from first_equal to the end,
	 * stand in a circle: behind the oldest the latest, then the one before.
	 */
	bool has_bar;
	long bar;
	unsigned int first_equal;
	unsigned int oldest;
	unsigned int spare;		/* sample that is not in line */
	unsigned int passed;		/* sample of the largest that was passed over */
	bool has_passed;		/* and had no place in the line */
	bool global;			/* nobody is out of the scope */
	bool sysrq;
	bool may_wait;
	bool complete;			/* no one was left out */
};

/*
 * Out of its cpuset's memory, an allocation without __GFP_HARDWALL may use any
 * other, and the kernel knows of no constraint, whomever it passes over.
 */
static unsigned long guess_totalpages(const struct oomlens_scope *scope,
				      const struct oom_control *oc)
{
	struct oomlens_sysvalues v;

	oomlens_sysvalues_cached(&v);
	if (scope->kind == OOMLENS_SCOPE_CPUSET &&
	    (!oc->zonelist || !(oc->gfp_mask & __GFP_HARDWALL) ||
	     (oc->gfp_mask & __GFP_THISNODE)))
		return v.totalram + v.total_swap;
	return oomlens_scope_totalpages(scope, &v);
}

/* Does the one who is visited go before one in line? Of equals, the later does. */
static bool goes_before(const struct oomlens_sample *s, const struct oomlens_sample *other)
{
	bool ranked = oomlens_sample_ranked(s);

	return ranked == oomlens_sample_ranked(other) ? s->points >= other->points : ranked;
}

/* The equals at the end, in their order again. */
static void straighten(struct task_walk *w)
{
	u8 *first = line + w->first_equal, *last = line + w->in_line - 1, latest;

	while (w->has_bar && line + w->oldest != last) {
		latest = *last;
		memmove(first + 1, first, last - first);
		*first = latest;
		w->oldest++;
	}
}

static void raise_bar(struct task_walk *w)
{
	const struct oomlens_sample *last = &samples[line[w->in_line - 1]];
	unsigned int i = w->in_line - 1;

	w->has_bar = w->in_line == oomlens_candidates && oomlens_sample_ranked(last);
	if (!w->has_bar)
		return;
	w->bar = last->points;
	w->oldest = i;
	while (i && samples[line[i - 1]].points == w->bar)
		i--;
	w->first_equal = i;
}

/* One more with the points of the last: no other moves. */
static void join_equals(struct task_walk *w)
{
	u8 n = w->spare;

	w->spare = line[w->oldest];
	line[w->oldest] = n;
	w->oldest = w->oldest == w->first_equal ? w->in_line - 1 : w->oldest - 1;
}

/*
 * Puts samples[w->spare] in line; the spare one is then whichever is not, the
 * last of the line if that was full. There is one sample more than places.
 */
static void get_in_line(struct task_walk *w)
{
	unsigned int n = w->spare, place = 0, end = w->in_line;
	const struct oomlens_sample *s = &samples[n];

	if (w->has_bar && !oomlens_sample_ranked(s))
		return;
	straighten(w);
	if (end == oomlens_candidates && !goes_before(s, &samples[line[end - 1]]))
		return;
	if (end && goes_before(s, &samples[line[0]]))
		end = 0;
	while (place < end) {
		unsigned int middle = (place + end) / 2;

		if (goes_before(s, &samples[line[middle]]))
			end = middle;
		else
			place = middle + 1;
	}
	if (w->in_line < oomlens_candidates)
		w->spare = ++w->in_line;
	else
		w->spare = line[w->in_line - 1];
	memmove(line + place + 1, line + place, w->in_line - 1 - place);
	line[place] = n;
	raise_bar(w);
}

/* What its end would give back, were it taken. */
static long held_by(const struct oomlens_sample *s)
{
	return oomlens_points(&s->terms, 0);
}

/*
 * samples[w->spare] has just lost its place or got none; if the kernel may not
 * take that task, and it is the largest of these, it is kept beside the line.
 */
static void keep_passed_over(struct task_walk *w)
{
	unsigned int out = w->spare;

	if (oomlens_sample_ranked(&samples[out]) ||
	    (w->has_passed && held_by(&samples[out]) <= held_by(&samples[w->passed])))
		return;
	w->spare = w->passed;
	w->passed = out;
	w->has_passed = true;
}

/*
 * "Why this one, and not the largest?" is asked first of all. Where the line is
 * full of those who may be taken, its last place is for that answer.
 */
static void show_passed_over(const struct task_walk *w)
{
	if (w->has_passed && w->in_line > 1 &&
	    held_by(&samples[w->passed]) > held_by(&samples[line[0]]))
		line[w->in_line - 1] = w->passed;
}

static bool is_late(struct task_walk *w)
{
	if (--w->left)
		return false;
	w->left = WALK_CHUNK;
	return ktime_get_mono_fast_ns() > w->deadline;
}

static void visit_task(struct task_struct *p, struct task_walk *w)
{
	struct oomlens_sample *s = &samples[w->spare];
	bool ranked, full;

	if (p->flags & PF_KTHREAD)
		return;
	/* Cheap, and in a cgroup's OOM it is no to nearly all. */
	if (!w->global && !oomlens_scope_has(w->scope, p, w->may_wait))
		return;
	if (oomlens_sample_task(p, s, w->may_wait)) {
		w->complete = false;
		return;
	}
	if (!w->global)
		oomlens_scope_verdict(w->scope, p, s, w->may_wait);
	/* sysrq does not wait for earlier victims: it takes them again. */
	if (w->sysrq && s->verdict == OOMLENS_VICTIM && s->killable)
		s->verdict = OOMLENS_ELIGIBLE;
	ranked = oomlens_sample_ranked(s);
	/* Worth a line although it cannot be taken: it tells why it was not. */
	if (!ranked && !s->mm)
		return;
	s->points = s->verdict == OOMLENS_ORIGIN ? LONG_MAX :
		    oomlens_points(&s->terms, s->adj * w->per_adj);
	sample_tasks[w->spare] = p;
	/* Most tasks belong behind the line, and those of a crowd of equals tie. */
	if (w->has_bar && ranked && s->points <= w->bar) {
		if (s->points == w->bar)
			join_equals(w);
		return;
	}
	full = w->in_line == oomlens_candidates;
	get_in_line(w);
	if (full)
		keep_passed_over(w);
}

static void begin_line(struct task_walk *w)
{
	w->deadline = ktime_get_mono_fast_ns() + (w->may_wait ? WALK_NS : WALK_ATOMIC_NS);
	w->left = WALK_CHUNK;
	w->in_line = 0;
	w->has_bar = false;
	w->spare = 0;
	w->passed = oomlens_candidates + 1;
	w->has_passed = false;
}

/*
 * In the order of the task list, which decides between equals in a global OOM.
 * Returns false if a task was left out.
 */
static bool walk_tasks(struct task_walk *w)
{
	struct task_struct *p;

	w->global = w->scope->kind == OOMLENS_SCOPE_GLOBAL;
	w->complete = true;
	begin_line(w);
	for_each_process(p) {
		if (is_late(w))
			return false;
		visit_task(p, w);
	}
	return w->complete;
}

/*
 * The line becomes the event's, with its cgroups held. Who they are is read of
 * these alone: most who are visited have no place in it, or not for long.
 */
static void keep_line(const struct task_walk *w, struct oomlens_event *e)
{
	struct oomlens_task_record *r = oomlens_event_candidates(e);
	unsigned int i;

	for (i = 0; i < w->in_line; i++, r++) {
		struct task_struct *p = sample_tasks[line[i]];

		oomlens_sample_identity(p, &samples[line[i]]);
		oomlens_pack_task(r, &samples[line[i]]);
		r->memcg = oomlens_event_memcg(e, oomlens_memcg_of(p));
	}
	e->nr_candidates = w->in_line;
}

/**
 * oomlens_capture_candidates() - who is in line
 * @e: being written
 * @oc: the kernel's, or NULL if it is not known
 * @may_wait: may task_lock() be waited for?
 *
 * Time: at most WALK_NS, or WALK_ATOMIC_NS where @may_wait is false, and
 * WALK_CHUNK tasks; e->reach tells how far it came.
 *
 * Context: OOM path; with @may_wait false preemption may be off.
 */
void oomlens_capture_candidates(struct oomlens_event *e, const struct oom_control *oc,
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

	if (!oomlens_candidates) {
		e->reach = OOMLENS_REACH_OFF;
		return;
	}
	if (begin < next_walk_ns || oomlens_lockdep_would_complain()) {
		e->reach = OOMLENS_REACH_LIMITED;
		return;
	}
	guess_scope(&scope, oc);
	e->totalpages = guess_totalpages(&scope, oc);
	walk.per_adj = oomlens_adj_points(1, e->totalpages);
	rcu_read_lock();
	complete = walk_tasks(&walk);
	straighten(&walk);
	show_passed_over(&walk);
	keep_line(&walk, e);
	rcu_read_unlock();
	e->reach = complete ? OOMLENS_REACH_COMPLETE : OOMLENS_REACH_PARTIAL;
	took = oomlens_elapsed_ns(begin, ktime_get_mono_fast_ns());
	next_walk_ns = begin + took * (1 + WALK_PAUSES);
	oomlens_stat_max(OOMLENS_STAT_WALK_NS_MAX, took);
}

/**
 * oomlens_candidates_init() - take the scratch
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_candidates_init(void)
{
	/* One that is not in line yet, and one that was passed over */
	unsigned int n = oomlens_candidates + 2;

	samples = oomlens_keep_alloc(n * (sizeof(*samples) + sizeof(*sample_tasks) +
					  sizeof(*line)));
	if (!samples)
		return -ENOMEM;
	sample_tasks = (struct task_struct **)(samples + n);
	line = (u8 *)(sample_tasks + n);
	return 0;
}

/**
 * oomlens_candidates_exit() - give it back
 */
void oomlens_candidates_exit(void)
{
	kvfree(samples);
}
