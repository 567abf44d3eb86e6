// SPDX-License-Identifier: GPL-2.0
/*
 * Which slot holds which event, and which event makes room for the next one.
 *
 * Calls of the OOM killer that did something are kept in a ring. Idle ones, of
 * which there can be thousands a second, are kept in runs. So no number of idle
 * calls pushes out a kill, and a cgroup's do not push out those of another.
 */
#include <linux/seqlock.h>

#include "internal.h"

/* Idle calls of a cgroup further apart than RUN_NS start a new run. */
#define RUN_NS		(10ULL * NSEC_PER_SEC)
/* 16 cgroups have a run of their own, all others one together: the last. */
#define RUNS_MAX	17

struct place {
	unsigned long number;		/* of the event, 0 for none */
	struct oomlens_slot *slot;
};

/* Idle calls of one cgroup: the first and the newest are kept. */
struct run {
	u64 memcg;			/* its id; means nothing in the last run */
	u64 newest_ns;			/* time of the newest call */
	struct place first, last;	/* there is no last before the second call */
	u32 calls[OOMLENS_NR_OUTCOMES];
};

/* The three tables lie in one piece of memory. All of it is written under oom_lock. */
static struct place *ring;		/* ring[n % ring_size] for n below filed */
static unsigned int ring_size;
static unsigned long filed;		/* events put into the ring so far */
static struct run *runs;
static unsigned int nr_runs;
static struct oomlens_slot **spare;	/* slots without an event that is kept */
static unsigned int nr_spare;
static struct place newest;		/* not filed yet: its outcome is not known */

/* Odd while the OOM path writes, with preemption off; readers try again. */
static seqcount_t index_seq;

/* ---- The OOM path: one writer, under the kernel's oom_lock ---- */

static bool is_over(const struct run *run, u64 now)
{
	return !run->first.number || oomlens_elapsed_ns(run->newest_ns, now) >= RUN_NS;
}

/* The run that an idle event goes on, or one that is over, for it to begin anew. */
static struct run *run_for(const struct oomlens_event *e)
{
	struct run *rest = &runs[nr_runs - 1], *over = NULL, *run;

	for (run = runs; run < rest; run++) {
		if (!is_over(run, e->time_ns)) {
			if (run->memcg == e->limit_id)
				return run;
		} else if (!over || run->newest_ns < over->newest_ns) {
			over = run;
		}
	}
	return over ?: rest;
}

/**
 * oomlens_index_in_run() - have the calls before an event, in its cgroup, been idle?
 * @e: being written, its limit known
 *
 * Context: OOM path.
 */
bool oomlens_index_in_run(const struct oomlens_event *e)
{
	return !is_over(run_for(e), e->time_ns);
}

/**
 * oomlens_index_count() - how many idle calls of its run an event is the newest of
 * @e: being written, its outcome known
 *
 * Context: OOM path.
 */
void oomlens_index_count(struct oomlens_event *e)
{
	const struct run *run;

	memset(e->idle, 0, sizeof(e->idle));
	if (!oomlens_outcome_idle(e))
		return;
	run = run_for(e);
	if (!is_over(run, e->time_ns))
		memcpy(e->idle, run->calls, sizeof(e->idle));
	e->idle[e->outcome]++;
}

/* An event is no longer kept. */
static void lose(struct place *place, enum oomlens_counter counter)
{
	if (!place->number)
		return;
	if (atomic_long_read(&place->slot->read) != place->number)
		oomlens_counter_add(counter, 1);
	spare[nr_spare++] = place->slot;
	place->number = 0;
}

static void file_in_run(struct run *run, const struct oomlens_event *e)
{
	if (is_over(run, e->time_ns)) {
		lose(&run->first, OOMLENS_OVERWRITTEN);
		lose(&run->last, OOMLENS_OVERWRITTEN);
		run->memcg = e->limit_id;
		run->first = newest;
	} else {
		lose(&run->last, OOMLENS_COLLAPSED);
		run->last = newest;
	}
	run->newest_ns = e->time_ns;
	memcpy(run->calls, e->idle, sizeof(run->calls));
}

/* The newest event is over, so that it is known which events it may push out. */
static void file_newest(void)
{
	struct oomlens_event *e = oomlens_slot_event(newest.slot);
	struct place *place;

	if (oomlens_outcome_idle(e)) {
		file_in_run(run_for(e), e);
		return;
	}
	place = &ring[filed % ring_size];
	lose(place, OOMLENS_OVERWRITTEN);
	*place = newest;
	filed++;
}

/**
 * oomlens_index_add() - a slot for a new event, which is the newest from now on
 * @number: its number, higher than all before
 *
 * Context: OOM path.
 * Return: the slot; never NULL.
 */
struct oomlens_slot *oomlens_index_add(unsigned long number)
{
	preempt_disable();
	raw_write_seqcount_begin(&index_seq);
	if (newest.number)
		file_newest();
	newest.slot = spare[--nr_spare];
	newest.number = number;
	raw_write_seqcount_end(&index_seq);
	preempt_enable();
	return newest.slot;
}

/* ---- Readers: any number ---- */

static void take_lower(struct place *best, const struct place *place, unsigned long number)
{
	if (place->number >= number && (!best->number || place->number < best->number))
		*best = *place;
}

/* Numbers rise in the ring, so that it can be searched by halves. */
static void search_ring(struct place *best, unsigned long number)
{
	unsigned long low = filed - min_t(unsigned long, filed, ring_size), high = filed;

	while (low < high) {
		unsigned long middle = low + (high - low) / 2;

		if (ring[middle % ring_size].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < filed)
		take_lower(best, &ring[low % ring_size], number);
}

/* The first event from a number on that is kept; number 0 if there is none. */
static struct place first_from(unsigned long number)
{
	unsigned int n, i;
	struct place best;

	/* Events have numbers from 1; 0 would find places that are empty. */
	number = max(number, 1UL);
	do {
		n = raw_read_seqcount_begin(&index_seq);
		best.number = 0;
		best.slot = NULL;
		search_ring(&best, number);
		for (i = 0; i < nr_runs; i++) {
			take_lower(&best, &runs[i].first, number);
			take_lower(&best, &runs[i].last, number);
		}
		take_lower(&best, &newest, number);
	} while (read_seqcount_retry(&index_seq, n));
	return best;
}

/**
 * oomlens_index_find() - the slot of an event
 * @number: of the event
 *
 * The slot can be reused at any time: its number is to be checked after reading.
 *
 * Context: any but the OOM path.
 * Return: the slot, or NULL if the event is not kept.
 */
struct oomlens_slot *oomlens_index_find(unsigned long number)
{
	struct place place = first_from(number);

	return place.number == number ? place.slot : NULL;
}

/**
 * oomlens_event_kept() - the first event from a number on that is kept
 * @number: from 1
 *
 * Context: any but the OOM path.
 * Return: its number, or 0 if there is none.
 */
unsigned long oomlens_event_kept(unsigned long number)
{
	return first_from(number).number;
}

/**
 * oomlens_event_slots() - events that the ring holds, idle ones not counted
 *
 * Context: any, after module load.
 * Return: how many.
 */
unsigned int oomlens_event_slots(void)
{
	return ring_size;
}

/* ---- Load and unload ---- */

static unsigned int __init runs_of(unsigned int events)
{
	return clamp_t(unsigned int, events / 4, 1, RUNS_MAX);
}

/**
 * oomlens_index_slots() - slots that are needed for a number of events
 * @events: that the ring is to hold
 *
 * Context: module load.
 * Return: how many.
 */
unsigned int __init oomlens_index_slots(unsigned int events)
{
	return events + 2 * runs_of(events) + 1;
}

/**
 * oomlens_index_init() - take the memory
 * @events: that the ring is to hold; oomlens_index_give() follows for each slot
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_index_init(unsigned int events)
{
	ring_size = events;
	nr_runs = runs_of(events);
	nr_spare = 0;
	filed = 0;
	newest.number = 0;
	seqcount_init(&index_seq);
	ring = oomlens_keep_alloc(ring_size * sizeof(*ring) + nr_runs * sizeof(*runs) +
				  oomlens_index_slots(events) * sizeof(struct oomlens_slot *));
	if (!ring)
		return -ENOMEM;
	runs = (struct run *)(ring + ring_size);
	spare = (struct oomlens_slot **)(runs + nr_runs);
	return 0;
}

/**
 * oomlens_index_give() - a slot that is free
 * @slot: zeroed
 *
 * Context: module load, after oomlens_index_init().
 */
void __init oomlens_index_give(struct oomlens_slot *slot)
{
	spare[nr_spare++] = slot;
}

/**
 * oomlens_index_exit() - give the memory back
 *
 * Context: no hook, no kthread and no reader is left.
 */
void oomlens_index_exit(void)
{
	kvfree(ring);
}
