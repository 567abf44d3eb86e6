// SPDX-License-Identifier: GPL-2.0
/*
 * The recorder: its kthread, which finishes each event in process context and
 * lets readers have it, and the order in which its parts start and stop.
 */
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/wait.h>

#include "event.h"

/* The newest event that readers may have; the kthread writes it. */
static unsigned long published;
static DECLARE_WAIT_QUEUE_HEAD(published_wait);

static struct task_struct *thread;
static struct irq_work wake_work;
static int kicked;

/* The kthread's own; of the event, what oomlens_event_copy_head() copies. */
static struct oomlens_event *thread_event;
static struct mem_cgroup **thread_memcgs;

static void wake_thread(struct irq_work *work)
{
	wake_up_process(thread);
}

/**
 * oomlens_recorder_kick() - let the kthread look
 *
 * A probe's handler may run where a wakeup may not be (a breakpoint counts as
 * an NMI on x86): there it goes through an interrupt.
 *
 * Context: any.
 */
void oomlens_recorder_kick(void)
{
	WRITE_ONCE(kicked, 1);
	if (IS_ENABLED(CONFIG_IRQ_WORK) && (in_nmi() || irqs_disabled()))
		irq_work_queue(&wake_work);
	else
		wake_up_process(thread);
}

/* ---- Claims: which event is a run of trigger's ---- */

static struct {
	bool active;
	const struct task_struct *task;	/* NULL: sysrq's */
	unsigned long number;		/* of the event, once it came */
} claim;

/**
 * oomlens_recorder_claim() - the next event of a task is a run of trigger's
 * @task: the task, or NULL for the next one of sysrq
 *
 * Context: process context; one claim at a time, the caller sees to it.
 */
void oomlens_recorder_claim(struct task_struct *task)
{
	claim.task = task;
	WRITE_ONCE(claim.number, 0);
	/* Pairs with oomlens_event_claim(). */
	smp_store_release(&claim.active, true);
}

/**
 * oomlens_recorder_disclaim() - end the claim
 *
 * Return: the number of the event so claimed, 0 if there was none.
 */
u64 oomlens_recorder_disclaim(void)
{
	WRITE_ONCE(claim.active, false);
	return READ_ONCE(claim.number);
}

/**
 * oomlens_event_claim() - does an event belong to a run of trigger's?
 * @e: being opened
 * @sysrq: it is, or may be, sysrq's
 *
 * Context: OOM path.
 */
bool oomlens_event_claim(struct oomlens_event *e, bool sysrq)
{
	/* Pairs with oomlens_recorder_claim(). */
	if (!smp_load_acquire(&claim.active))
		return false;
	if (claim.task ? claim.task != current : !sysrq || READ_ONCE(claim.number))
		return false;
	/* One allocation can call the OOM killer more than once: the first counts. */
	if (!READ_ONCE(claim.number))
		WRITE_ONCE(claim.number, e->number);
	return true;
}

/**
 * oomlens_event_claimed() - does an event belong to the run that is under way?
 * @e: being written
 *
 * And not to one before, whose dump the kernel was still printing when it ended.
 *
 * Context: OOM path.
 */
bool oomlens_event_claimed(const struct oomlens_event *e)
{
	unsigned long number;

	/* Pairs with oomlens_recorder_claim(). */
	if (e->trigger != OOMLENS_CAUSE_OOMLENS || !smp_load_acquire(&claim.active))
		return false;
	number = READ_ONCE(claim.number);
	return number && e->number >= number;
}

/**
 * oomlens_recorder_adopt() - the OOM under way belongs to the run that claims
 *
 * Whoever's allocation it was that failed first.
 *
 * Context: OOM notifier.
 */
void oomlens_recorder_adopt(void)
{
	struct oomlens_event *e = oomlens_event_peek();

	/* Pairs with oomlens_recorder_claim(). */
	if (!e || !smp_load_acquire(&claim.active))
		return;
	e->trigger = OOMLENS_CAUSE_OOMLENS;
	if (!READ_ONCE(claim.number))
		WRITE_ONCE(claim.number, e->number);
}

static bool claim_is_over(void)
{
	unsigned long number = READ_ONCE(claim.number);

	return number && READ_ONCE(published) >= number;
}

/**
 * oomlens_recorder_wait() - wait until the claimed event is over
 * @timeout_ms: the bound
 *
 * Context: process context, sleeps.
 * Return: the event's number, 0 on time-out, or -EINTR.
 */
s64 oomlens_recorder_wait(unsigned int timeout_ms)
{
	long left = wait_event_interruptible_timeout(published_wait, claim_is_over(),
						     msecs_to_jiffies(timeout_ms));

	if (left < 0)
		return -EINTR;
	return left ? READ_ONCE(claim.number) : 0;
}

/* ---- What readers may have ---- */

/**
 * oomlens_event_next() - the first event from a number on that may be had
 * @number: from 1
 *
 * Return: a number, or 0 if there is none yet.
 */
unsigned long oomlens_event_next(unsigned long number)
{
	/* Pairs with finish_events(). */
	unsigned long newest = smp_load_acquire(&published);

	number = oomlens_event_kept(number);
	return number <= newest ? number : 0;
}

/**
 * oomlens_event_poll() - is there an event that a reader has not seen?
 * @file: open
 * @wait: as for file_operations.poll
 * @next: number that the reader would go on with
 */
__poll_t oomlens_event_poll(struct file *file, poll_table *wait, unsigned long next)
{
	poll_wait(file, &published_wait, wait);
	return oomlens_event_next(next) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- The kthread ---- */

/* Resolves its paths. */
static void finish_event(unsigned long number)
{
	struct oomlens_finish *f;
	unsigned int i, n;
	u32 where;

	n = oomlens_event_take_memcgs(number, thread_memcgs);
	for (i = 0; i < n; i++) {
		where = oomlens_pathlog_add(thread_memcgs[i]);
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
 * victim is looked at meanwhile: so those come first, but for so long only.
 */
#define LOG_WAIT_NS	NSEC_PER_SEC

static unsigned long logged;		/* up to this event */
static u64 log_by;			/* the next one, at the latest */

/* Returns whether there was any. */
static bool finish_events(void)
{
	bool any = false;

	for (;;) {
		/* What a storm overwrote before this came to it is counted there. */
		unsigned long number = oomlens_event_kept(published + 1);

		if (!number || oomlens_event_state(number) != OOMLENS_EVENT_OVER)
			return any;
		finish_event(number);
		if (logged == published)
			log_by = ktime_get_mono_fast_ns() + LOG_WAIT_NS;
		/* Pairs with oomlens_event_next(). */
		smp_store_release(&published, number);
		wake_up_all(&published_wait);
		any = true;
	}
}

/* Says the next event in the log; false if all are said. */
static bool log_next_event(void)
{
	unsigned long number = oomlens_event_next(logged + 1);
	struct oomlens_finish *f;
	char path[192];
	u32 where = 0;

	logged = number ?: published;
	if (!number)
		return false;
	do {
		if (!oomlens_event_copy_head(number, thread_event))
			return true;
	} while (!oomlens_event_told(thread_event));
	f = thread_event->limit_memcg ? oomlens_finish_begin(number) : NULL;
	if (f) {
		where = f->paths[thread_event->limit_memcg - 1];
		oomlens_finish_end();
	}
	oomlens_pathlog_copy(where, path, sizeof(path));
	oomlens_event_log(thread_event, path);
	return true;
}

/* Until an event without an end is over, or for ever. */
static u64 settle_delay(void)
{
	unsigned long newest = oomlens_event_newest();

	if (published == newest || oomlens_event_state(newest) == OOMLENS_EVENT_OPEN)
		return U64_MAX;
	return 5 * NSEC_PER_MSEC;
}

static void sleep_for(u64 ns)
{
	ktime_t delay = ns_to_ktime(ns);

	set_current_state(TASK_IDLE);
	/* Pairs with oomlens_recorder_kick(). */
	if (!xchg(&kicked, 0) && !kthread_should_stop()) {
		if (ns == U64_MAX)
			schedule();
		else
			schedule_hrtimeout_range(&delay, ns / 4, HRTIMER_MODE_REL);
	}
	__set_current_state(TASK_RUNNING);
}

static int recorder_thread(void *unused)
{
	struct oomlens_sysvalues v;
	bool stale = false;

	while (!kthread_should_stop()) {
		u64 delay;
		bool quiet;

		stale |= finish_events();
		delay = min(oomlens_victims_poll(), settle_delay());
		quiet = delay >= OOMLENS_VICTIM_SLOW_NS;
		if ((quiet || ktime_get_mono_fast_ns() > log_by) && log_next_event())
			continue;
		/*
		 * Reading procfs may have to wait for memory: only once there
		 * is no one left to time.
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

/* ---- Load and unload ---- */

static void free_scratch(void)
{
	kvfree(thread_event);
	kvfree(thread_memcgs);
}

static int __init alloc_scratch(void)
{
	thread_event = oomlens_keep_alloc(sizeof(*thread_event));
	thread_memcgs = oomlens_keep_alloc(oomlens_max_memcgs() * sizeof(*thread_memcgs));
	if (!thread_event || !thread_memcgs) {
		free_scratch();
		return -ENOMEM;
	}
	return 0;
}

/**
 * oomlens_recorder_init() - take the memory, then listen
 *
 * Context: module load.
 * Return: 0 or an error. A source that the kernel does not have is none.
 */
int __init oomlens_recorder_init(void)
{
	int err;

	err = oomlens_ring_init();
	if (err)
		return err;
	err = alloc_scratch();
	if (err)
		goto err_ring_exit;
	err = oomlens_pathlog_init();
	if (err)
		goto err_free_scratch;
	err = oomlens_candidates_init();
	if (err)
		goto err_pathlog_exit;
	err = oomlens_victims_init();
	if (err)
		goto err_candidates_exit;
	init_irq_work(&wake_work, wake_thread);
	thread = kthread_run(recorder_thread, NULL, KBUILD_MODNAME);
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto err_victims_exit;
	}
	/* The times of exit and release are only as good as its wakeups. */
	sched_set_fifo_low(thread);
	err = oomlens_sources_init();
	if (err)
		goto err_stop_thread;
	return 0;

err_stop_thread:
	kthread_stop(thread);
err_victims_exit:
	oomlens_victims_exit();
err_candidates_exit:
	oomlens_candidates_exit();
err_pathlog_exit:
	oomlens_pathlog_exit();
err_free_scratch:
	free_scratch();
err_ring_exit:
	oomlens_ring_exit();
	return err;
}

/**
 * oomlens_recorder_exit() - undo oomlens_recorder_init()
 *
 * The files are gone, so there are no readers.
 */
void oomlens_recorder_exit(void)
{
	oomlens_sources_exit();
	if (IS_ENABLED(CONFIG_IRQ_WORK))
		irq_work_sync(&wake_work);
	kthread_stop(thread);
	oomlens_victims_exit();
	oomlens_candidates_exit();
	oomlens_pathlog_exit();
	free_scratch();
	oomlens_ring_exit();
}
