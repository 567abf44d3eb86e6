// SPDX-License-Identifier: GPL-2.0
/*
 * How long victims take: from the mark to the start of the last thread's exit, and to the
 * moment the memory was given back.
 *
 * There is no hook to use: exit is the path of all tasks, and on no kernel does
 * a tracepoint tell that an address space is gone. So the recorder's kthread
 * polls, often, and only while there is a victim.
 */

#include "internal.h"

/* Victims followed at one time; one more gets no times, as in a storm. */
#define MAX_TRACKED	25	/* a KiB of them */

/* The time between two looks, by age: the reaper gives up after 3 seconds. */
#define POLL_NS		(400 * NSEC_PER_USEC)
#define SLOW_NS		OOMLENS_VICTIM_SLOW_NS
#define SLOW_AFTER_NS	(10ULL * NSEC_PER_SEC)
/* A thread that hangs in the kernel need not end at all. */
#define GIVE_UP_NS	(60ULL * NSEC_PER_SEC)

enum tracked_state {
	TRACKED_FREE,
	TRACKED_FILLING,	/* by the OOM path */
	TRACKED_READY,
	TRACKED_BUSY,		/* one of the two looks at it; READY again, or FREE */
};

struct tracked {
	atomic_t state;
	u8 index;			/* in the event's victims */
	bool exited, freed;		/* what was seen of it */
	struct signal_struct *group;	/* of the task; NULL if none is followed */
	struct task_struct *task;	/* held */
	struct mm_struct *mm;		/* held by mm_count */
	u64 marked_ns;
	unsigned long number;		/* of the event */
};

static struct tracked *tracked;

/* Only the address is compared: the kthread may drop the victim meanwhile. */
static struct tracked *tracked_of(struct task_struct *victim)
{
	struct tracked *t;

	for (t = tracked; t < tracked + MAX_TRACKED; t++)
		if (READ_ONCE(t->group) == victim->signal)
			return t;
	return NULL;
}

/**
 * oomlens_victims_follow() - is a task's thread group followed already?
 * @victim: the task
 *
 * Context: OOM path.
 */
bool oomlens_victims_follow(struct task_struct *victim)
{
	return tracked_of(victim);
}

/**
 * oomlens_victims_add() - follow a victim
 * @victim: the marked thread; its mm is stable, by task_lock() or as current
 * @number: of the event
 * @index: in its victims
 *
 * Does nothing if its thread group is followed already.
 *
 * Context: OOM path, does not sleep.
 */
void oomlens_victims_add(struct task_struct *victim, unsigned long number,
			 unsigned int index)
{
	struct tracked *t;

	if (tracked_of(victim))
		return;
	for (t = tracked; t < tracked + MAX_TRACKED; t++) {
		if (atomic_cmpxchg(&t->state, TRACKED_FREE, TRACKED_FILLING) != TRACKED_FREE)
			continue;
		get_task_struct(victim);
		mmgrab(victim->mm);
		t->task = victim;
		t->mm = victim->mm;
		t->marked_ns = ktime_get_mono_fast_ns();
		t->number = number;
		t->index = index;
		t->exited = false;
		t->freed = false;
		WRITE_ONCE(t->group, victim->signal);
		/* Pairs with oomlens_victims_poll(). */
		atomic_set_release(&t->state, TRACKED_READY);
		return;
	}
}

static u32 elapsed_us(u64 since, u64 now)
{
	u64 us = div_u64(oomlens_elapsed_ns(since, now), NSEC_PER_USEC);

	return min_t(u64, us, OOMLENS_US_UNKNOWN - 1);
}

static void drop(struct tracked *t)
{
	/* Before the address can be another group's. */
	WRITE_ONCE(t->group, NULL);
	mmdrop(t->mm);
	put_task_struct(t->task);
	atomic_set_release(&t->state, TRACKED_FREE);
}

/* Returns false if it is not followed any more. */
static bool look_at(struct tracked *t)
{
	bool exited = !atomic_read(&t->task->signal->live);
	/*
	 * Set by exit_mmap() once all is unmapped, or by the reaper when it is
	 * done, or when it gives up. After a reaper's, the exit can make it false again.
	 */
	bool freed = t->freed ||
		     (mm_flags_test(MMF_OOM_SKIP, t->mm) && oomlens_mm_unmapped(t->mm));
	u64 now = ktime_get_mono_fast_ns();
	struct oomlens_finish *f;

	if (exited == t->exited && freed == t->freed) {
		if (oomlens_elapsed_ns(t->marked_ns, now) <= GIVE_UP_NS &&
		    oomlens_event_kept(t->number) == t->number)
			return true;
		drop(t);
		return false;
	}
	f = oomlens_finish_begin(t->number);
	if (!f) {
		drop(t);
		return false;
	}
	if (exited && !t->exited)
		f->exit_us[t->index] = elapsed_us(t->marked_ns, now);
	if (freed && !t->freed)
		f->freed_us[t->index] = elapsed_us(t->marked_ns, now);
	oomlens_finish_end();
	t->exited = exited;
	t->freed = freed;
	if (!exited || !freed)
		return true;
	drop(t);
	return false;
}

/* A look of the kthread's takes less than a us, unless it is interrupted. */
#define LOOK_SPINS	200

static bool borrow(struct tracked *t)
{
	unsigned int spins = LOOK_SPINS;
	int was;

	while ((was = atomic_cmpxchg_acquire(&t->state, TRACKED_READY, TRACKED_BUSY)) ==
	       TRACKED_BUSY && spins--)
		cpu_relax();
	return was == TRACKED_READY;
}

/* The kernel's question of each task in its walk: mm/oom_kill.c, oom_evaluate_task(). */
static bool is_awaited(const struct tracked *t, const struct oomlens_scope *scope)
{
	struct task_struct *leader = t->task->group_leader;

	return !mm_flags_test(MMF_OOM_SKIP, t->mm) && pid_alive(t->task) &&
	       oomlens_scope_has(scope, leader, false) && oomlens_scope_visits(scope, leader);
}

/**
 * oomlens_victims_awaited() - would an OOM of a scope wait for an earlier victim?
 * @scope: the scope
 *
 * Tells of victims that are followed only.
 *
 * Context: OOM path, preemption may be off.
 */
bool oomlens_victims_awaited(const struct oomlens_scope *scope)
{
	bool awaited = false;
	struct tracked *t;

	/* A task that is alive has a leader for as long. */
	rcu_read_lock();
	for (t = tracked; t < tracked + MAX_TRACKED && !awaited; t++) {
		if (!borrow(t))
			continue;
		awaited = is_awaited(t, scope);
		atomic_set_release(&t->state, TRACKED_READY);
	}
	rcu_read_unlock();
	return awaited;
}

/**
 * oomlens_victims_poll() - look at all victims that are followed
 *
 * Context: the kthread.
 * Return: nanoseconds until the next look, U64_MAX if there is none.
 */
u64 oomlens_victims_poll(void)
{
	u64 delay = U64_MAX, now = ktime_get_mono_fast_ns();
	struct tracked *t;

	for (t = tracked; t < tracked + MAX_TRACKED; t++) {
		int was = atomic_cmpxchg_acquire(&t->state, TRACKED_READY, TRACKED_BUSY);

		/* The OOM path has it for a moment: another time. */
		if (was == TRACKED_BUSY)
			delay = min_t(u64, delay, POLL_NS);
		if (was != TRACKED_READY || !look_at(t))
			continue;
		atomic_set_release(&t->state, TRACKED_READY);
		delay = min_t(u64, delay, oomlens_elapsed_ns(t->marked_ns, now) < SLOW_AFTER_NS ?
			      POLL_NS : SLOW_NS);
	}
	return delay;
}

/**
 * oomlens_victims_init() - take the memory
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_victims_init(void)
{
	tracked = oomlens_keep_alloc(MAX_TRACKED * sizeof(*tracked));
	if (!tracked)
		return -ENOMEM;
	return 0;
}

/**
 * oomlens_victims_exit() - release all victims that are followed
 *
 * Context: the kthread is stopped and the sources are gone.
 */
void oomlens_victims_exit(void)
{
	struct tracked *t;

	for (t = tracked; t < tracked + MAX_TRACKED; t++)
		if (atomic_read(&t->state) == TRACKED_READY)
			drop(t);
	kvfree(tracked);
}
