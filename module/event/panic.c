// SPDX-License-Identifier: GPL-2.0
/*
 * The last words: if the kernel panics in the OOM killer, no thread of this module
 * runs again, so the event is printed by a panic notifier. It comes after the
 * kernel's own dump, and pstore keeps the end of the log.
 *
 * In a panic the other processors have been stopped wherever they were, in the
 * middle of writing an event or of printing one. So no lock is taken and no sequence
 * count is waited for. The caller of the OOM killer reads its own event in place, as
 * no other task writes to it. Of another task's event only its head is told.
 */
#include <linux/kexec.h>
#include <linux/notifier.h>

#include "internal.h"

/* Under oom_lock, or the one panic's: the kthread may have been stopped with its own. */
static char line[OOMLENS_BLOCK_LINE];
static char path[OOMLENS_PATH_SIZE];

/* The event of the panicking task. */
static void print_own(struct oomlens_event *e)
{
	const struct oomlens_copy copy = { .event = e, .path = path };
	const struct oom_control *oc = e->probed ? oomlens_probed_oc : NULL;

	if (oc)
		oomlens_candidates_retry(e, oc);
	if (oc && oc->totalpages)
		oomlens_capture_result(e, oc);
	e->outcome = OOMLENS_OUTCOME_PANIC;
	oomlens_block_print(&copy, line);
}

/* With none, and no earlier victim to wait for, a global OOM panics. */
static bool none_may_be_killed(const struct oomlens_event *e)
{
	const struct oomlens_task_record *c = oomlens_event_candidates(e);
	unsigned int i;

	for (i = 0; i < e->nr_candidates; i++)
		if (oomlens_ranked(c[i].verdict) || c[i].verdict == OOMLENS_VERDICT_VICTIM)
			return false;
	return e->walk == OOMLENS_WALK_COMPLETE && e->kind != OOMLENS_KIND_MEMCG;
}

/* Source: mm/oom_kill.c, out_of_memory() and check_panic_on_oom(). */
static bool is_expected(const struct oomlens_event *e, const struct oom_control *oc)
{
	struct oomlens_sysvalues v;

	if (fatal_signal_pending(current) || (current->flags & PF_EXITING) ||
	    oomlens_candidates_cannot_kill(oc))
		return false;
	oomlens_sysvalues_cached(&v);
	return v.panic_on_oom == 2 || (v.panic_on_oom && !oomlens_candidates_confined(oc)) ||
	       none_may_be_killed(e);
}

/**
 * oomlens_panic_expect() - print the event now if no notifier will be called for it
 * @e: being written; its call of the OOM killer is not sysrq's, and no memory was
 *	given back
 * @oc: the kernel's, or NULL if it is not known
 *
 * With kdump loaded panic() starts the crash kernel before the notifiers. The value of
 * vm.panic_on_oom is the one that was read last.
 *
 * Context: OOM path.
 */
void oomlens_panic_expect(struct oomlens_event *e, const struct oom_control *oc)
{
	const struct oomlens_copy copy = { .event = e, .path = path };

	if (!kexec_crash_loaded() || !is_expected(e, oc))
		return;
	oomlens_candidates_retry(e, oc);
	e->outcome = OOMLENS_OUTCOME_PANIC_EXPECTED;
	oomlens_block_print(&copy, line);
	e->outcome = OOMLENS_OUTCOME_UNKNOWN;
}

/**
 * oomlens_panic_look() - have vm.panic_on_oom read anew, if kdump is loaded
 *
 * It can be set at any time, and an OOM has to know at its beginning if it panics.
 *
 * Context: any; the recorder's kthread reads it.
 */
void oomlens_panic_look(void)
{
	if (kexec_crash_loaded())
		oomlens_thread_reread_totals();
}

/* The event of a task whose processor was stopped, or which the panic has interrupted. */
static void print_other(const struct oomlens_event *e)
{
	char comm[OOMLENS_COMM_SIZE], name[TASK_COMM_LEN];

	memcpy(name, e->comm, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	pr_info("underway %lu time_us=%llu real_us=%llu pid=%d comm=%s\n", e->number,
		div_u64(e->time_ns, NSEC_PER_USEC), div_u64(e->real_ns, NSEC_PER_USEC), e->pid,
		oomlens_print_comm(comm, name));
}

static int panicked(struct notifier_block *nb, unsigned long unused, void *reason)
{
	static bool entered;
	struct oomlens_event *e;
	bool own;

	/* A fault in here panics once more, on this processor. */
	if (entered)
		return NOTIFY_DONE;
	entered = true;
	oomlens_task_others_stopped();
	e = oomlens_event_under_way(&own);
	if (e && own)
		print_own(e);
	else if (e)
		print_other(e);
	return NOTIFY_DONE;
}

/* Among the first: another notifier may not return. */
static struct notifier_block notifier = {
	.notifier_call	= panicked,
	.priority	= INT_MAX - 1,
};

/**
 * oomlens_panic_register() - hear of a panic
 *
 * Context: module load.
 */
void __init oomlens_panic_register(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &notifier);
}

/**
 * oomlens_panic_unregister() - and no more
 *
 * Context: module unload.
 */
void oomlens_panic_unregister(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &notifier);
}
