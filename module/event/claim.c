// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: which event a run of trigger's has caused. Such an event carries
 * trigger=oomlens.
 */
#include "internal.h"

static struct {
	bool active;
	const struct task_struct *task;	/* NULL: sysrq's */
	unsigned long number;		/* of the event, once it came */
} claim;

/**
 * oomlens_claim() - the next event of a task belongs to a run of trigger's
 * @task: the task, or NULL for the next event of sysrq
 *
 * Context: process context; the caller holds the lock of the runs, so there is
 * one claim at a time.
 */
void oomlens_claim(struct task_struct *task)
{
	claim.task = task;
	WRITE_ONCE(claim.number, 0);
	/* Pairs with oomlens_claim_event(), oomlens_claim_holds() and _adopt(). */
	smp_store_release(&claim.active, true);
}

/**
 * oomlens_disclaim() - end the claim
 *
 * Context: process context, as oomlens_claim().
 * Return: the number of the claimed event, 0 if there was none.
 */
u64 oomlens_disclaim(void)
{
	WRITE_ONCE(claim.active, false);
	return READ_ONCE(claim.number);
}

/**
 * oomlens_claim_event() - does an event belong to the run under way?
 * @e: being opened
 * @sysrq: it is, or may be, sysrq's
 *
 * One allocation can call the OOM killer more than once: the first event's
 * number is the claim's.
 *
 * Context: OOM path.
 */
bool oomlens_claim_event(struct oomlens_event *e, bool sysrq)
{
	/* Pairs with oomlens_claim(). */
	if (!smp_load_acquire(&claim.active))
		return false;
	if (claim.task ? claim.task != current : !sysrq || READ_ONCE(claim.number))
		return false;
	if (!READ_ONCE(claim.number))
		WRITE_ONCE(claim.number, e->number);
	return true;
}

/**
 * oomlens_claim_holds() - was an event caused by the run that is under way?
 * @e: being written
 *
 * An earlier run's event may still be open: the kernel may print its dump when
 * the run has ended.
 *
 * Context: OOM path.
 */
bool oomlens_claim_holds(const struct oomlens_event *e)
{
	unsigned long number;

	/* Pairs with oomlens_claim(). */
	if (e->trigger != OOMLENS_TRIGGER_OOMLENS || !smp_load_acquire(&claim.active))
		return false;
	number = READ_ONCE(claim.number);
	return number && e->number >= number;
}

/**
 * oomlens_claim_adopt() - the OOM under way belongs to the run that claims
 *
 * Whichever task's allocation failed first.
 *
 * Context: OOM notifier.
 */
void oomlens_claim_adopt(void)
{
	struct oomlens_event *e = oomlens_event_peek();

	/* Pairs with oomlens_claim(). */
	if (!e || !smp_load_acquire(&claim.active))
		return;
	e->trigger = OOMLENS_TRIGGER_OOMLENS;
	if (!READ_ONCE(claim.number))
		WRITE_ONCE(claim.number, e->number);
}

/**
 * oomlens_claim_wait() - wait until the claimed event is published
 * @timeout_ms: the bound
 *
 * Context: process context, sleeps.
 * Return: the event's number, 0 on time-out, or -EINTR.
 */
s64 oomlens_claim_wait(unsigned int timeout_ms)
{
	long left = oomlens_published_wait(&claim.number, timeout_ms);

	if (left < 0)
		return -EINTR;
	return left ? READ_ONCE(claim.number) : 0;
}
