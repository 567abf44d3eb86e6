// SPDX-License-Identifier: GPL-2.0
/*
 * One task's figures as the OOM killer reads them, and the walk over all tasks
 * in the order in which it visits them.
 */
#include <linux/build_bug.h>
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/oom.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/uidgid.h>

#include "oomlens.h"

static const char * const verdict_names[] = {
	[OOMLENS_ELIGIBLE]	= "eligible",
	[OOMLENS_ORIGIN]	= "origin",
	[OOMLENS_INIT]		= "init",
	[OOMLENS_ADJ_MIN]	= "adj_min",
	[OOMLENS_REAPED]	= "reaped",
	[OOMLENS_VFORK]		= "vfork",
	[OOMLENS_EXITING]	= "exiting",
	[OOMLENS_VICTIM]	= "victim",
	[OOMLENS_SCOPE]		= "scope",
};

static_assert(ARRAY_SIZE(verdict_names) == OOMLENS_NR_VERDICTS);

static const char * const fate_names[] = {
	[OOMLENS_FATE_NONE]	= "-",
	[OOMLENS_FATE_VICTIM]	= "victim",
	[OOMLENS_FATE_GROUP]	= "group",
	[OOMLENS_FATE_SHARER]	= "sharer",
};

static_assert(ARRAY_SIZE(fate_names) == OOMLENS_NR_FATES);

/**
 * oomlens_verdict_name() - the word that badness and events print
 * @verdict: the verdict
 */
const char *oomlens_verdict_name(enum oomlens_verdict verdict)
{
	return verdict_names[verdict];
}

/**
 * oomlens_fate_name() - the word that badness and events print
 * @fate: the fate
 */
const char *oomlens_fate_name(enum oomlens_fate fate)
{
	return fate_names[fate];
}

/*
 * A thread of @p that has an mm, with task_lock() held; NULL if none has,
 * ERR_PTR(-EAGAIN) if its lock could only be had by waiting. A dead leader can
 * have live threads. Source: mm/oom_kill.c, find_lock_task_mm().
 */
static struct task_struct *lock_thread_with_mm(struct task_struct *p, bool wait)
{
	struct task_struct *t;

	for_each_thread(p, t) {
		if (wait)
			task_lock(t);
		else if (!spin_trylock(&t->alloc_lock))
			return ERR_PTR(-EAGAIN);
		if (likely(t->mm))
			return t;
		task_unlock(t);
	}
	return NULL;
}

/**
 * oomlens_grab_mm() - the address space of a thread group
 * @p: the group's leader, held or under RCU
 *
 * A dead leader can have live threads.
 *
 * Context: any that may take task_lock().
 * Return: the mm, held by mmgrab(), or NULL if no thread has one.
 */
struct mm_struct *oomlens_grab_mm(struct task_struct *p)
{
	struct mm_struct *mm = NULL;
	struct task_struct *t;

	rcu_read_lock();
	for_each_thread(p, t) {
		task_lock(t);
		mm = t->mm;
		if (mm)
			mmgrab(mm);
		task_unlock(t);
		if (mm)
			break;
	}
	rcu_read_unlock();
	return mm;
}

/**
 * oomlens_sample_mm() - read the figures of an address space
 * @mm: stable: the lock of a task that has it is held, or it is current's
 * @s: terms, locked, vm_total and mm are set
 *
 * Context: any.
 */
void oomlens_sample_mm(struct mm_struct *mm, struct oomlens_sample *s)
{
	s->mm = mm;
	s->terms.rss_anon = oomlens_mm_counter(mm, MM_ANONPAGES);
	s->terms.rss_file = oomlens_mm_counter(mm, MM_FILEPAGES);
	s->terms.rss_shmem = oomlens_mm_counter(mm, MM_SHMEMPAGES);
	s->terms.swap = oomlens_mm_counter(mm, MM_SWAPENTS);
	s->terms.pgtables = mm_pgtables_bytes(mm) / PAGE_SIZE;
	s->locked = READ_ONCE(mm->locked_vm);
	s->vm_total = READ_ONCE(mm->total_vm);
}

static void clear_figures(struct oomlens_sample *s)
{
	s->mm = NULL;
	memset(&s->terms, 0, sizeof(s->terms));
	s->locked = 0;
	s->vm_total = 0;
	s->mm_shared = false;
}

/* The kernel's checks in the kernel's order: oom_evaluate_task(), oom_badness(). */
static enum oomlens_verdict judge_task(struct task_struct *p, bool has_mm,
				       bool skip, bool vfork, short adj)
{
	if (is_global_init(p))
		return OOMLENS_INIT;
	if (tsk_is_oom_victim(p))
		return mm_flags_test(MMF_OOM_SKIP, p->signal->oom_mm) ?
			OOMLENS_REAPED : OOMLENS_VICTIM;
	if (oom_task_origin(p))
		return OOMLENS_ORIGIN;
	if (!has_mm)
		return OOMLENS_EXITING;
	if (adj == OOM_SCORE_ADJ_MIN)
		return OOMLENS_ADJ_MIN;
	if (skip)
		return OOMLENS_REAPED;
	if (vfork)
		return OOMLENS_VFORK;
	return OOMLENS_ELIGIBLE;
}

/**
 * oomlens_sample_identity() - read who a thread group is
 * @p: the group's leader
 * @s: pid, uid, threads and comm are set; memcg and fate are none yet
 *
 * Context: rcu_read_lock() held, or a reference to @p.
 */
void oomlens_sample_identity(struct task_struct *p, struct oomlens_sample *s)
{
	s->pid = p->tgid;
	/* from_kuid() of the initial user namespace, which maps each to itself. */
	s->uid = __kuid_val(__task_cred(p)->uid);
	s->threads = get_nr_threads(p);
	s->memcg = 0;
	s->fate = OOMLENS_FATE_NONE;
	/* A comm that is being changed is one or the other, and always ends. */
	memcpy(s->comm, p->comm, sizeof(s->comm));
	s->comm[sizeof(s->comm) - 1] = '\0';
}

/**
 * oomlens_sample_task() - read one thread group's figures
 * @p: the group's leader, not a kernel thread
 * @s: mm, terms, adj and verdict are set, and what belongs to them
 * @wait: false where the task's lock may not be waited for
 *
 * The memory terms are zero for a group that has given up its mm.
 *
 * Context: rcu_read_lock() held; any context that may take task_lock(), or,
 * with @wait false, any but hard interrupt, preemption off included.
 * Return: 0, or -EAGAIN if the lock was taken and @wait is false.
 */
int oomlens_sample_task(struct task_struct *p, struct oomlens_sample *s, bool wait)
{
	struct task_struct *t = lock_thread_with_mm(p, wait);
	bool skip = false, vfork = false;

	if (IS_ERR(t))
		return PTR_ERR(t);
	s->adj = READ_ONCE(p->signal->oom_score_adj);
	if (t) {
		oomlens_sample_mm(t->mm, s);
		/*
		 * A dead leader counts as a thread until it is reaped, but has
		 * let go of the mm: only the live ones can still hold it.
		 */
		s->mm_shared = atomic_read(&t->mm->mm_users) > atomic_read(&p->signal->live);
		skip = mm_flags_test(MMF_OOM_SKIP, t->mm);
		/* in_vfork() begins with RCU, and this is no to nearly all. */
		vfork = t->vfork_done && in_vfork(t);
		task_unlock(t);
	} else {
		clear_figures(s);
	}
	s->verdict = judge_task(p, t, skip, vfork, s->adj);
	s->killable = t && !is_global_init(p) && s->adj != OOM_SCORE_ADJ_MIN &&
		      !skip && !vfork;
	return 0;
}

/**
 * oomlens_sample_judge() - points of a sample for one total
 * @s: the sample
 * @totalpages: of the scope
 */
void oomlens_sample_judge(struct oomlens_sample *s, unsigned long totalpages)
{
	s->points = oomlens_points(&s->terms, oomlens_adj_points(s->adj, totalpages));
}

/*
 * The walk lets go of RCU every so many tasks, standing on a task that it
 * holds by a reference. The older places are kept for when that task dies
 * meanwhile; the last resort is to begin anew.
 */
#define WALK_ANCHORS	8
#define WALK_RESTARTS	16

struct anchor {
	struct task_struct *task;
	unsigned int visits;		/* made when the walk stood there */
};

/*
 * May the walk go on from @p? Only while it is on the task list: the pointer
 * to the next one is frozen when it leaves. exec by another thread takes the
 * old leader off the list before it is released, so ask for both. As in
 * kernel/hung_task.c, rcu_lock_break().
 */
static bool on_task_list(struct task_struct *p)
{
	return pid_alive(p) && thread_group_leader(p);
}

static void drop_anchors(struct anchor *anchors, unsigned int *n)
{
	while (*n)
		put_task_struct(anchors[--*n].task);
}

static void push_anchor(struct anchor *anchors, unsigned int *n,
			struct task_struct *p, unsigned int visits)
{
	if (*n == WALK_ANCHORS) {
		put_task_struct(anchors[0].task);
		memmove(anchors, anchors + 1, (WALK_ANCHORS - 1) * sizeof(*anchors));
		--*n;
	}
	get_task_struct(p);
	anchors[*n].task = p;
	anchors[*n].visits = visits;
	++*n;
}

/*
 * RCU has been retaken: the latest anchor that is still on the list, its
 * visits in @visits; NULL if none is.
 */
static struct task_struct *pop_to_live_anchor(struct anchor *anchors,
					      unsigned int *n, unsigned int *visits)
{
	while (*n) {
		struct anchor *a = &anchors[*n - 1];

		*visits = a->visits;
		if (on_task_list(a->task))
			return a->task;
		put_task_struct(a->task);
		--*n;
	}
	*visits = 0;
	return NULL;
}

/**
 * oomlens_walk_tasks() - visit every thread group in the kernel's order
 * @walk: what to do
 *
 * The order is that of for_each_process(), which the OOM killer uses; its
 * tasklist_lock is not exported, and RCU is what it holds too. RCU is let go
 * every few tasks, so that neither scheduling nor grace periods wait for the
 * whole walk. Tasks that come or go meanwhile may or may not be visited.
 *
 * Context: process context, may sleep; the visitor may not.
 * Return: 0, what the visitor or the pause returned, -EINTR on a fatal signal, or -EAGAIN
 * if tasks died under the walk over and over.
 */
int oomlens_walk_tasks(const struct oomlens_walk *walk)
{
	struct anchor anchors[WALK_ANCHORS];
	unsigned int n = 0, visits = 0, left = OOMLENS_WALK_CHUNK, restarts = 0;
	struct task_struct *p = &init_task;
	int err = 0;

	might_sleep();
	if (walk->pause)
		err = walk->pause(walk->arg);
	if (err)
		return err;
	rcu_read_lock();
	while ((p = next_task(p)) != &init_task) {
		err = walk->visit(p, walk->arg);
		if (err)
			break;
		visits++;
		if (--left && !need_resched())
			continue;

		left = OOMLENS_WALK_CHUNK;
		push_anchor(anchors, &n, p, visits);
		rcu_read_unlock();
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
		else if (walk->pause)
			err = walk->pause(walk->arg);
		rcu_read_lock();
		if (err)
			break;
		if (likely(on_task_list(p)))
			continue;

		p = pop_to_live_anchor(anchors, &n, &visits);
		if (!p) {
			if (++restarts > WALK_RESTARTS) {
				err = -EAGAIN;
				break;
			}
			p = &init_task;
		}
		walk->rewind(visits, walk->arg);
	}
	rcu_read_unlock();
	drop_anchors(anchors, &n);
	return err;
}
