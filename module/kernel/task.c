// SPDX-License-Identifier: GPL-2.0
/*
 * One task's figures as the OOM killer reads them, and the kernel's verdict.
 */
#include <linux/cred.h>
#include <linux/uidgid.h>

#include "kernel.h"

const char * const oomlens_verdict_names[] = {
	[OOMLENS_VERDICT_ELIGIBLE]	= "eligible",
	[OOMLENS_VERDICT_ORIGIN]	= "origin",
	[OOMLENS_VERDICT_INIT]		= "init",
	[OOMLENS_VERDICT_ADJ_MIN]	= "adj_min",
	[OOMLENS_VERDICT_REAPED]	= "reaped",
	[OOMLENS_VERDICT_VFORK]		= "vfork",
	[OOMLENS_VERDICT_EXITING]	= "exiting",
	[OOMLENS_VERDICT_VICTIM]	= "victim",
	[OOMLENS_VERDICT_SCOPE]		= "scope",
};

static_assert(ARRAY_SIZE(oomlens_verdict_names) == OOMLENS_NR_VERDICTS);

const char * const oomlens_fate_names[] = {
	[OOMLENS_FATE_NONE]	= "-",
	[OOMLENS_FATE_VICTIM]	= "victim",
	[OOMLENS_FATE_GROUP]	= "group",
	[OOMLENS_FATE_SHARER]	= "sharer",
};

static_assert(ARRAY_SIZE(oomlens_fate_names) == OOMLENS_NR_FATES);

/*
 * A thread of @p that has an mm, with task_lock() held; NULL if none has,
 * ERR_PTR(-EAGAIN) if its lock could only be had by waiting, or if many had to be
 * looked at and @wait is false. A dead leader can have live threads. Source:
 * mm/oom_kill.c, find_lock_task_mm().
 */
static struct task_struct *lock_thread_with_mm(struct task_struct *p, bool wait)
{
	unsigned int left = OOMLENS_THREADS_ATOMIC;
	struct task_struct *t;

	for_each_thread(p, t) {
		if (wait)
			task_lock(t);
		else if (!left-- || !spin_trylock(&t->alloc_lock))
			return ERR_PTR(-EAGAIN);
		if (likely(t->mm))
			return t;
		task_unlock(t);
	}
	return NULL;
}

/**
 * oomlens_task_grab_mm() - the address space of a thread group
 * @p: the group's leader, held or under RCU
 *
 * A dead leader can have live threads.
 *
 * Context: any that may take task_lock().
 * Return: the mm, held by mmgrab(), or NULL if no thread has one.
 */
struct mm_struct *oomlens_task_grab_mm(struct task_struct *p)
{
	struct mm_struct *mm = NULL;
	struct task_struct *t;

	rcu_read_lock();
	t = lock_thread_with_mm(p, true);
	if (t) {
		mm = t->mm;
		mmgrab(mm);
		task_unlock(t);
	}
	rcu_read_unlock();
	return mm;
}

/* All other processors have been stopped; from then on this one alone runs. */
static bool others_stopped;

/**
 * oomlens_task_others_stopped() - tasks are read in a panic from here on
 *
 * Context: a panic.
 */
void oomlens_task_others_stopped(void)
{
	others_stopped = true;
}

static unsigned long read_counter(struct mm_struct *mm, int member)
{
	return unlikely(others_stopped) ? oomlens_mm_counter_stopped(mm, member) :
					  oomlens_mm_counter(mm, member);
}

/**
 * oomlens_task_read_mm() - read the figures of an address space
 * @mm: stable: the lock of a task that has it is held, or it is current's
 * @task: terms, locked, vm_total and mm are set
 *
 * Context: any.
 */
void oomlens_task_read_mm(struct mm_struct *mm, struct oomlens_task *task)
{
	task->mm = mm;
	task->terms.rss_anon = read_counter(mm, MM_ANONPAGES);
	task->terms.rss_file = read_counter(mm, MM_FILEPAGES);
	task->terms.rss_shmem = read_counter(mm, MM_SHMEMPAGES);
	task->terms.swap = read_counter(mm, MM_SWAPENTS);
	task->terms.pgtables = mm_pgtables_bytes(mm) / PAGE_SIZE;
	task->locked = READ_ONCE(mm->locked_vm);
	task->vm_total = READ_ONCE(mm->total_vm);
}

static void clear_figures(struct oomlens_task *task)
{
	task->mm = NULL;
	memset(&task->terms, 0, sizeof(task->terms));
	task->locked = 0;
	task->vm_total = 0;
	task->mm_shared = false;
}

/* The kernel's checks in the kernel's order: oom_evaluate_task(), oom_badness(). */
static enum oomlens_verdict judge_task(struct task_struct *p, bool has_mm,
				       bool skip, bool vfork, short adj)
{
	if (is_global_init(p))
		return OOMLENS_VERDICT_INIT;
	if (tsk_is_oom_victim(p))
		return mm_flags_test(MMF_OOM_SKIP, p->signal->oom_mm) ?
			OOMLENS_VERDICT_REAPED : OOMLENS_VERDICT_VICTIM;
	if (oom_task_origin(p))
		return OOMLENS_VERDICT_ORIGIN;
	if (!has_mm)
		return OOMLENS_VERDICT_EXITING;
	if (adj == OOM_SCORE_ADJ_MIN)
		return OOMLENS_VERDICT_ADJ_MIN;
	if (skip)
		return OOMLENS_VERDICT_REAPED;
	if (vfork)
		return OOMLENS_VERDICT_VFORK;
	return OOMLENS_VERDICT_ELIGIBLE;
}

/**
 * oomlens_task_identity() - read the identity of a thread group
 * @p: the group's leader
 * @task: pid, uid, threads and comm are set; memcg and fate are none yet
 *
 * Context: rcu_read_lock() held, or a reference to @p.
 */
void oomlens_task_identity(struct task_struct *p, struct oomlens_task *task)
{
	task->pid = p->tgid;
	/* from_kuid() of the initial user namespace, which maps each to itself. */
	task->uid = __kuid_val(__task_cred(p)->uid);
	task->threads = get_nr_threads(p);
	task->memcg = 0;
	task->fate = OOMLENS_FATE_NONE;
	/* A comm that is being changed is one or the other, and always ends. */
	memcpy(task->comm, p->comm, sizeof(task->comm));
	task->comm[sizeof(task->comm) - 1] = '\0';
}

/**
 * oomlens_task_read() - read one thread group's figures
 * @p: the group's leader, not a kernel thread
 * @task: mm, terms, adj, adj_floor and verdict are set, and what belongs to them
 * @wait: false where the task's lock may not be waited for
 *
 * The memory terms are zero for a group that has given up its mm.
 *
 * Context: rcu_read_lock() held; any context that may take task_lock(), or,
 * with @wait false, any but hard interrupt, preemption off included.
 * Return: 0; or, with @wait false, -EAGAIN if the lock was taken, or if the first
 * OOMLENS_THREADS_ATOMIC threads have all given up their mm.
 */
int oomlens_task_read(struct task_struct *p, struct oomlens_task *task, bool wait)
{
	struct task_struct *t = lock_thread_with_mm(p, wait);
	bool skip = false, vfork = false;

	if (IS_ERR(t))
		return PTR_ERR(t);
	task->adj = READ_ONCE(p->signal->oom_score_adj);
	task->adj_floor = READ_ONCE(p->signal->oom_score_adj_min);
	if (t) {
		oomlens_task_read_mm(t->mm, task);
		/*
		 * A dead leader counts as a thread until it is reaped, but has
		 * dropped the mm: only live threads can still hold it.
		 */
		task->mm_shared = atomic_read(&t->mm->mm_users) > atomic_read(&p->signal->live);
		skip = mm_flags_test(MMF_OOM_SKIP, t->mm);
		/* in_vfork() begins with RCU, and this is no to nearly all. */
		vfork = t->vfork_done && in_vfork(t);
		task_unlock(t);
	} else {
		clear_figures(task);
	}
	task->verdict = judge_task(p, t, skip, vfork, task->adj);
	task->killable = t && !is_global_init(p) && task->adj != OOM_SCORE_ADJ_MIN &&
		      !skip && !vfork;
	return 0;
}
