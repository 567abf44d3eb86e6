// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoint oom:mark_victim: fires for each task that is killed, or that
 * is dying and gets access to the reserves. Preemption may be off.
 */
#include <linux/pid_namespace.h>
#include <linux/tracepoint.h>
#include <trace/events/oom.h>

#include "internal.h"
#include "trace.h"

static struct oomlens_mark_listener *listeners;

/**
 * oomlens_mark_register() - be called at each mark
 * @listener: stays as long as the module is loaded
 *
 * Context: module load, before oomlens_event_init().
 */
void __init oomlens_mark_register(struct oomlens_mark_listener *listener)
{
	listener->next = listeners;
	listeners = listener;
}

#ifdef CONFIG_TRACEPOINTS
/* Without the return probe, how long an event waits for another mark after one. */
#define MARKED_MS	20
/* The same in a memory.oom.group kill: the kernel prints a line between two marks. */
#define GROUP_JIFFIES	HZ

static unsigned long last_mark;		/* jiffies */

static bool in_oom_group(struct task_struct *victim)
{
	bool group;

	rcu_read_lock();
	group = oomlens_memcg_oom_group(oomlens_memcg_of(victim), NULL);
	rcu_read_unlock();
	return group;
}

/*
 * Does a mark belong to an event of the same caller, whose end is not known?
 * One call marks one task, unless memory.oom.group takes others along. The
 * first mark can come any time after the notifier: the kernel prints its dump
 * in between, which takes seconds on a serial line. A caller that returned
 * without a kill would meet its cgroup's limit next, which is counted.
 */
static bool mark_belongs(const struct oomlens_event *e, struct task_struct *victim)
{
	if (e->probed)
		return true;
	/* That call has returned without a victim. */
	if (e->outcome == OOMLENS_OUTCOME_AVERTED)
		return false;
	if (!e->nr_marked)
		return !oomlens_hook_caller_met_limit() ||
		       oomlens_elapsed_ns(e->time_ns, ktime_get_mono_fast_ns()) < NSEC_PER_SEC;
	return !time_after(jiffies, last_mark + GROUP_JIFFIES) && in_oom_group(victim);
}

static void tell_listeners(const struct oomlens_event *e, bool killed)
{
	struct oomlens_mark_listener *listener;

	for (listener = listeners; listener; listener = listener->next)
		listener->marked(oomlens_claim_holds(e), killed,
				 e->probed ? oomlens_probed_oc : NULL);
}

/* @victim's mm is stable: its task_lock() is held, or it is current. */
static void note_mark(struct task_struct *victim)
{
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = oomlens_event_peek();
	bool killed = oomlens_hook_killed_since_mark();

	if (e && mark_belongs(e, victim)) {
		oomlens_event_resume(e);
	} else {
		/* A global OOM would have come through the notifier. */
		e = oomlens_hook_begin_unprobed(oomlens_notifier_lacks ?
						OOMLENS_KIND_UNKNOWN : OOMLENS_KIND_MEMCG,
						begin);
	}
	oomlens_capture_victim(e, victim, killed);
	tell_listeners(e, killed);
	trace_oom_victim(e->number, victim, killed);
	if (!e->probed)
		e->outcome = killed ? OOMLENS_OUTCOME_KILLED :
			     same_thread_group(victim, current) ? OOMLENS_OUTCOME_DYING :
			     OOMLENS_OUTCOME_EXITING;
	oomlens_hook_add_time(e, begin);
	last_mark = jiffies;
	/* On a serial console the kernel's lines between two marks of a group take 40 ms. */
	oomlens_event_pause(e, in_oom_group(victim) ? jiffies_to_msecs(GROUP_JIFFIES) : MARKED_MS);
	/* The kthread follows the victim from now on. */
	oomlens_thread_kick();
}

static void mark_victim(void *unused, struct task_struct *victim, uid_t uid)
{
	note_mark(victim);
}

static void mark_victim_by_pid(void *unused, int pid)
{
	struct task_struct *victim;

	/* Held by the OOM killer, so it stays. */
	rcu_read_lock();
	victim = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID);
	rcu_read_unlock();
	if (victim)
		note_mark(victim);
}

static struct tracepoint *mark_tracepoint;

static void __init find_tracepoint(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "mark_victim"))
		mark_tracepoint = tp;
}

static void *mark_function(void)
{
	return OOMLENS_MARK_VICTIM_BY_PID ? (void *)mark_victim_by_pid : (void *)mark_victim;
}

/**
 * oomlens_mark_victim_register() - hear of each task that is marked
 *
 * Context: module load.
 */
void __init oomlens_mark_victim_register(void)
{
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	if (mark_tracepoint && !tracepoint_probe_register(mark_tracepoint, mark_function(), NULL))
		oomlens_mark_victim_lacks = NULL;
	else
		oomlens_mark_victim_lacks = "oom:mark_victim";
}

/**
 * oomlens_mark_victim_unregister() - and no more; no handler runs on return
 *
 * Context: module unload, sleeps.
 */
void oomlens_mark_victim_unregister(void)
{
	tracepoint_probe_unregister(mark_tracepoint, mark_function(), NULL);
	tracepoint_synchronize_unregister();
}
#else
void __init oomlens_mark_victim_register(void)
{
	oomlens_mark_victim_lacks = "CONFIG_TRACEPOINTS";
}

void oomlens_mark_victim_unregister(void)
{
}
#endif
