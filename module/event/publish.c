// SPDX-License-Identifier: GPL-2.0
/*
 * Which events readers may have. The kthread publishes an event when its call
 * of the OOM killer is over.
 */
#include <linux/wait.h>

#include "internal.h"

static unsigned long newest;	/* of those published */
static DECLARE_WAIT_QUEUE_HEAD(wait);

/**
 * oomlens_publish() - let readers have an event
 * @number: the next one that is over
 *
 * Context: the kthread.
 */
void oomlens_publish(unsigned long number)
{
	/* Pairs with oomlens_published_next(). */
	smp_store_release(&newest, number);
	wake_up_all(&wait);
}

/**
 * oomlens_published() - the newest event that readers may have
 *
 * Context: any.
 * Return: its number, 0 if there is none.
 */
unsigned long oomlens_published(void)
{
	return READ_ONCE(newest);
}

/**
 * oomlens_published_next() - the first event from a number on that may be had
 * @number: from 1
 *
 * Context: any but the OOM path.
 * Return: a number, or 0 if there is none yet.
 */
unsigned long oomlens_published_next(unsigned long number)
{
	/* Pairs with oomlens_publish(). */
	unsigned long last = smp_load_acquire(&newest);

	number = oomlens_event_kept(number);
	return number <= last ? number : 0;
}

/**
 * oomlens_published_poll() - is there an event that a reader has not seen?
 * @file: open
 * @table: as for file_operations.poll
 * @next: number at which the reader would go on
 *
 * Context: process context.
 * Return: EPOLLIN | EPOLLRDNORM or 0.
 */
__poll_t oomlens_published_poll(struct file *file, poll_table *table, unsigned long next)
{
	poll_wait(file, &wait, table);
	return oomlens_published_next(next) ? EPOLLIN | EPOLLRDNORM : 0;
}

/**
 * oomlens_published_wait() - wait for an event whose number may not be known yet
 * @number: of the event; 0 until it is known
 * @timeout_ms: the bound
 *
 * Context: process context, sleeps.
 * Return: above 0 when it is published, 0 on time-out, -ERESTARTSYS on a signal.
 */
long oomlens_published_wait(const unsigned long *number, unsigned int timeout_ms)
{
	return wait_event_interruptible_timeout(wait, READ_ONCE(*number) &&
						READ_ONCE(newest) >= READ_ONCE(*number),
						msecs_to_jiffies(timeout_ms));
}
