// SPDX-License-Identifier: GPL-2.0
/*
 * What held the memory of an OOM where no process did: the lines "object" and
 * "slab" of an event. Stands above the groups event and promise, which know no
 * more than their own part of it.
 *
 * A work item of ordinary priority makes them, as the recorder's kthread is
 * SCHED_FIFO and times victims. In a storm the events that wait share one look.
 */
#include <linux/file.h>
#include <linux/workqueue.h>

#include "event/event.h"
#include "files.h"
#include "kernel/kernel.h"
#include "promise/promise.h"

/* Of each, in an event. */
#define LARGEST		5

/* Memory that belongs to no process counts from 1/RAM_PART of RAM on. */
#define RAM_PART	10

/* Events that wait for the next look. */
#define WAITING		16

/* After a look that took t there is none for PAUSES * t. */
#define PAUSES		19

/* Without memory, a look is tried again: the victim gives its back. */
#define TRIES		20
#define RETRY_MS	100

static DEFINE_SPINLOCK(lock);
static unsigned long waiting[WAITING];	/* numbers of events; under lock */
static unsigned int nr_waiting;
static bool running;			/* under lock */
static u64 next_look;			/* in jiffies, of 64 bits; under lock */
static struct file *slabinfo;		/* NULL: this kernel has none */
static struct oomlens_memory sheet;	/* of the recorder's kthread */
static bool have_sheet;
static char line[OOMLENS_ADDED_MAX];	/* the work's own */

static void look(struct work_struct *work);
static DECLARE_DELAYED_WORK(look_work, look);

/* Drivers' pages and the like, now. None of them are the victim's, which may be gone. */
static long unaccounted(void)
{
	return have_sheet && !oomlens_memory_read(&sheet) ? sheet.unaccounted : 0;
}

static bool worth_a_look(const struct oomlens_memory_record *m)
{
	unsigned long part = m->ram / RAM_PART;

	return m->shmem >= part || m->slab_reclaimable + m->slab_unreclaimable >= part ||
	       unaccounted() >= (long)part;
}

static void start_look(unsigned long delay)
{
	lockdep_assert_held(&lock);
	if (running)
		queue_delayed_work(system_dfl_wq, &look_work, delay);
}

/* From the recorder's kthread. */
static void killed(const struct oomlens_facts *facts)
{
	u64 now = get_jiffies_64();

	if (!worth_a_look(facts->memory))
		return;
	spin_lock(&lock);
	if (nr_waiting < WAITING && running) {
		waiting[nr_waiting++] = facts->number;
		oomlens_event_set_details(facts->number, OOMLENS_DETAILS_PENDING);
		start_look(next_look > now ? next_look - now : 0);
	}
	spin_unlock(&lock);
}

static struct oomlens_kill_listener listener = { .killed = killed };

/* The events of one look. */
struct waiters {
	unsigned long numbers[WAITING];
	unsigned int n;
};

static void add_to_all(const struct waiters *w, const char *type, const char *text)
{
	unsigned int i;

	for (i = 0; i < w->n; i++) {
		snprintf(line, sizeof(line), "%s %lu %s", type, w->numbers[i], text);
		oomlens_event_add(w->numbers[i], line);
	}
}

static void add_object(const char *text, void *arg)
{
	add_to_all(arg, "object", text);
}

static void add_slabs(const struct waiters *w)
{
	struct oomlens_slab slabs[LARGEST];
	char text[128], name[4 * sizeof(slabs[0].name) + 1];
	unsigned int n, i;

	n = slabinfo ? oomlens_slabs_read(slabinfo, slabs, LARGEST) : 0;
	for (i = 0; i < n; i++) {
		*oomlens_escape(name, slabs[i].name) = '\0';
		snprintf(text, sizeof(text), "name=%.64s pages=%lu objects=%lu", name,
			 slabs[i].pages, slabs[i].objects);
		add_to_all(w, "slab", text);
	}
}

/* None before the next look is due: a kill during the last one queued this. */
static void take_waiters(struct waiters *w)
{
	u64 now = get_jiffies_64();

	w->n = 0;
	spin_lock(&lock);
	if (next_look > now) {
		start_look(next_look - now);
	} else {
		memcpy(w->numbers, waiting, sizeof(waiting));
		swap(w->n, nr_waiting);
	}
	spin_unlock(&lock);
}

/* Behind those that have come since, which have a look of their own. */
static void put_back(const struct waiters *w)
{
	unsigned int i;

	spin_lock(&lock);
	for (i = 0; i < w->n; i++) {
		if (nr_waiting < WAITING)
			waiting[nr_waiting++] = w->numbers[i];
		else
			oomlens_event_set_details(w->numbers[i], OOMLENS_DETAILS_NONE);
	}
	next_look = get_jiffies_64() + msecs_to_jiffies(RETRY_MS);
	start_look(msecs_to_jiffies(RETRY_MS));
	spin_unlock(&lock);
}

static void finish(const struct waiters *w, u64 begun)
{
	unsigned int i;

	spin_lock(&lock);
	for (i = 0; i < w->n; i++)
		oomlens_event_set_details(w->numbers[i], OOMLENS_DETAILS_DONE);
	next_look = get_jiffies_64() + PAUSES * (get_jiffies_64() - begun);
	spin_unlock(&lock);
}

static void look(struct work_struct *work)
{
	static unsigned int tries;
	u64 begun = get_jiffies_64();
	struct waiters w;
	int err;

	take_waiters(&w);
	if (!w.n)
		return;
	err = oomlens_objects_largest(LARGEST, add_object, &w);
	if (err && tries++ < TRIES) {
		put_back(&w);
		return;
	}
	tries = 0;
	add_slabs(&w);
	finish(&w, begun);
}

/**
 * oomlens_details_init() - take what looks need, register for kills
 *
 * Context: module load; after sysvalues, before event.
 */
void __init oomlens_details_init(void)
{
	slabinfo = oomlens_procfs_open_seq("slabinfo");
	if (IS_ERR(slabinfo))
		slabinfo = NULL;
	have_sheet = !oomlens_memory_open(&sheet);
	oomlens_kill_register(&listener);
}

/**
 * oomlens_details_exit() - undo oomlens_details_init()
 *
 * Context: module unload; event is gone.
 */
void oomlens_details_exit(void)
{
	if (have_sheet)
		oomlens_memory_close(&sheet);
	if (slabinfo)
		fput(slabinfo);
}

static void set_running(bool on)
{
	spin_lock(&lock);
	running = on;
	spin_unlock(&lock);
}

/**
 * oomlens_details_start() - look from the next kill on
 *
 * Context: module load; event is there, which keeps the lines.
 */
void __init oomlens_details_start(void)
{
	set_running(true);
}

/**
 * oomlens_details_stop() - no look is under way any more, and none begins
 *
 * Context: module unload; before event goes.
 */
void oomlens_details_stop(void)
{
	set_running(false);
	cancel_delayed_work_sync(&look_work);
}
