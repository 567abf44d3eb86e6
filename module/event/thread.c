// SPDX-License-Identifier: GPL-2.0
/*
 * The recorder's kthread: finishes each event in process context, publishes it,
 * follows the victims, and prints the log lines.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>

#include "internal.h"

static struct task_struct *thread;
static struct irq_work wake_work;
static int kicked;
static int totals_stale;	/* the cached values are to be read again */

/* The kthread's own: an event. */
static struct oomlens_copy copy;
static struct mem_cgroup **thread_memcgs;

static void wake_thread(struct irq_work *work)
{
	wake_up_process(thread);
}

/**
 * oomlens_thread_kick() - let the kthread look
 *
 * A probe's handler may run where a wakeup is not allowed (a breakpoint counts
 * as an NMI on x86): there it goes through an interrupt.
 *
 * Context: any.
 */
void oomlens_thread_kick(void)
{
	WRITE_ONCE(kicked, 1);
	if (IS_ENABLED(CONFIG_IRQ_WORK) && (in_nmi() || irqs_disabled()))
		irq_work_queue(&wake_work);
	else
		wake_up_process(thread);
}

/**
 * oomlens_thread_reread_totals() - let the kthread read the machine's totals again
 *
 * The candidates of the next OOM are ranked by the totals that were read last.
 *
 * Context: any.
 */
void oomlens_thread_reread_totals(void)
{
	WRITE_ONCE(totals_stale, 1);
	oomlens_thread_kick();
}

/*
 * Resolves the event's paths. The last first: a path can push out others that were
 * added before it, and the caller's and the limit's come first in the event.
 */
static void finish_event(unsigned long number)
{
	struct oomlens_finish *f;
	unsigned int i;
	u32 where;

	i = oomlens_event_take_memcgs(number, thread_memcgs);
	while (i--) {
		where = oomlens_path_add(thread_memcgs[i]);
		oomlens_memcg_put(thread_memcgs[i]);
		f = oomlens_finish_begin(number);
		if (!f)
			continue;
		f->paths[i] = where;
		oomlens_finish_end();
	}
}

/*
 * A console can take a tenth of a second for a line, in this thread, and no
 * victim is looked at meanwhile. So victims come first, but a line waits for
 * LOG_WAIT_NS at most.
 */
#define LOG_WAIT_NS	NSEC_PER_SEC
/* Events that may be published before the first of them has its log line. */
#define LOG_WAITING	3

static unsigned long logged;		/* up to this event */
static unsigned int nr_unlogged;	/* those published since, at most */
static u64 log_by;			/* the next one, at the latest */

/* Prints the next event in the log; false if all are printed. */
static bool log_next_event(void)
{
	unsigned long number = oomlens_published_next(logged + 1);

	logged = number ?: oomlens_published();
	if (!number) {
		nr_unlogged = 0;
		return false;
	}
	if (nr_unlogged)
		nr_unlogged--;
	/* Of a run of idle calls only the first is for the log. */
	if (oomlens_event_copy_head(number, copy.event) &&
	    !oomlens_outcome_repeated(copy.event))
		oomlens_log_event(number, copy.event);
	return true;
}

/**
 * oomlens_kill_pause() - wait for a millisecond at most
 *
 * Context: a kill listener's killed(), in the recorder's kthread.
 */
void oomlens_kill_pause(void)
{
	unsigned long ns = min_t(u64, oomlens_victims_poll(), NSEC_PER_MSEC);

	usleep_range(ns / NSEC_PER_USEC, ns / NSEC_PER_USEC + 100);
}

/* Returns whether there was any. */
static bool finish_events(void)
{
	bool any = false;

	for (;;) {
		/* An event that a storm overwrote before this is counted there. */
		unsigned long number = oomlens_event_kept(oomlens_published() + 1);

		if (!number || oomlens_event_state(number) != OOMLENS_EVENT_OVER)
			return any;
		finish_event(number);
		oomlens_facts_tell(number, &copy);
		if (logged == oomlens_published())
			log_by = ktime_get_mono_fast_ns() + LOG_WAIT_NS;
		oomlens_publish(number);
		any = true;
		/* Before its slot is taken: the ring holds at least one more. */
		if (++nr_unlogged > LOG_WAITING)
			log_next_event();
	}
}

/* Nanoseconds until an event without an end is over; U64_MAX if there is none. */
static u64 settle_delay(void)
{
	unsigned long newest = oomlens_event_newest();

	if (oomlens_published() == newest || oomlens_event_state(newest) == OOMLENS_EVENT_OPEN)
		return U64_MAX;
	return 5 * NSEC_PER_MSEC;
}

static void sleep_for(u64 ns)
{
	ktime_t delay = ns_to_ktime(ns);

	set_current_state(TASK_IDLE);
	/* Pairs with oomlens_thread_kick(). */
	if (!xchg(&kicked, 0) && !kthread_should_stop()) {
		if (ns == U64_MAX)
			schedule();
		else
			schedule_hrtimeout_range(&delay, ns / 4, HRTIMER_MODE_REL);
	}
	__set_current_state(TASK_RUNNING);
}

static int run(void *unused)
{
	struct oomlens_sysvalues v;
	bool stale = false;

	while (!kthread_should_stop()) {
		u64 delay;
		bool quiet;

		stale |= finish_events();
		stale |= xchg(&totals_stale, 0);
		delay = min(oomlens_victims_poll(), settle_delay());
		quiet = delay >= OOMLENS_VICTIM_SLOW_NS;
		if ((quiet || ktime_get_mono_fast_ns() > log_by) && log_next_event())
			continue;
		/*
		 * Reading procfs may have to wait for memory: only when there
		 * is no victim left to time.
		 */
		if (stale && quiet) {
			oomlens_sysvalues_read(&v);
			stale = false;
			continue;
		}
		sleep_for(delay);
	}
	while (log_next_event())
		;
	return 0;
}

static void free_scratch(void)
{
	kvfree(copy.event);
	kvfree(copy.finish);
	kvfree(thread_memcgs);
}

/**
 * oomlens_thread_start() - take the memory and start the kthread
 *
 * Context: module load; the ring, the paths and the victims are there.
 * Return: 0 or an error.
 */
int __init oomlens_thread_start(void)
{
	copy.event = oomlens_keep_alloc(oomlens_event_size());
	copy.finish = oomlens_keep_alloc(oomlens_finish_size());
	thread_memcgs = oomlens_keep_alloc(oomlens_ring_memcgs() * sizeof(*thread_memcgs));
	if (!copy.event || !copy.finish || !thread_memcgs) {
		free_scratch();
		return -ENOMEM;
	}
	init_irq_work(&wake_work, wake_thread);
	thread = kthread_run(run, NULL, KBUILD_MODNAME);
	if (IS_ERR(thread)) {
		free_scratch();
		return PTR_ERR(thread);
	}
	/* The times of exit and release are only as good as its wakeups. */
	sched_set_fifo_low(thread);
	return 0;
}

/**
 * oomlens_thread_stop() - print what is left, and stop
 *
 * Context: module unload; no hook kicks it any more.
 */
void oomlens_thread_stop(void)
{
	if (IS_ENABLED(CONFIG_IRQ_WORK))
		irq_work_sync(&wake_work);
	kthread_stop(thread);
	free_scratch();
}
