// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of events: its slots, and which context may touch them when.
 *
 * Nothing here waits in the OOM path. record.h tells which writer owns which
 * part; the sequence counts of a slot keep its readers from a torn event.
 */
#include <linux/kcsan-checks.h>
#include <linux/seqlock.h>

#include "internal.h"

enum slot_state {
	SLOT_OPEN,		/* the OOM is under way */
	SLOT_SETTLING,		/* without an end: over when slot->settled is past */
	SLOT_DONE,
};

/* Which context owns the cgroup references of a slot. */
enum refs_state {
	REFS_WRITER,		/* the OOM path, or there are none */
	REFS_FILLED,		/* the first that takes them */
	REFS_TAKEN,		/* the kthread is copying them out */
};

#define EVENTS_MAX	4096
#define EVENTS_MIN	4

static unsigned int events;
module_param(events, uint, 0444);
MODULE_PARM_DESC(events, "OOMs kept in memory, 1 to 4096 (default 0: as many as half of 1/4096 of RAM holds)");

unsigned int oomlens_nr_candidates = 10;
module_param_named(candidates, oomlens_nr_candidates, uint, 0444);
MODULE_PARM_DESC(candidates, "tasks recorded with each OOM, 0 to 64 (default 10)");

static_assert(sizeof(struct oomlens_slot) % __alignof__(struct oomlens_event) == 0);

static char *slots;
static unsigned int nr_slots;
static unsigned int nr_zones;		/* that an event has room for */

/*
 * Bytes of a slot with its record. memcgs and finish are offsets in the slot,
 * candidates is one in the event, so that it holds for a copy too.
 */
static struct {
	size_t size, candidates, memcgs, finish;
} layout;

/* The newest event's number. Written under oom_lock. */
static unsigned long head;

/* Of the OOM path, under oom_lock. */
static struct oomlens_slot *latest;	/* the newest event's; NULL before the first */
static struct {
	struct oomlens_slot *slot;	/* the event that is being written, or NULL */
	pid_t owner;			/* a task's memory is soon another's */
} open;

static struct oomlens_slot *slot_at(unsigned int i)
{
	return (struct oomlens_slot *)(slots + i * layout.size);
}

static struct mem_cgroup **memcgs_of(struct oomlens_slot *slot)
{
	return (struct mem_cgroup **)((char *)slot + layout.memcgs);
}

static struct oomlens_finish *finish_of(struct oomlens_slot *slot)
{
	return (struct oomlens_finish *)((char *)slot + layout.finish);
}

/**
 * oomlens_ring_zones() - zones that an event has room for
 *
 * Context: any, after module load.
 * Return: how many, from 1.
 */
unsigned int oomlens_ring_zones(void)
{
	return nr_zones;
}

/**
 * oomlens_ring_memcgs() - cgroups that an event can name
 *
 * Context: any, after module load.
 * Return: how many.
 */
unsigned int oomlens_ring_memcgs(void)
{
	return oomlens_nr_candidates + OOMLENS_MORE_MEMCGS;
}

/**
 * oomlens_event_zones() - the zones' records of an event or a copy
 * @e: the event
 *
 * Context: any.
 * Return: oomlens_ring_zones() of them.
 */
struct oomlens_zone_record *oomlens_event_zones(const struct oomlens_event *e)
{
	return (struct oomlens_zone_record *)(e + 1);
}

/**
 * oomlens_event_candidates() - the candidates' records of an event or a copy
 * @e: the event
 *
 * Context: any.
 * Return: as many as an event has room for.
 */
struct oomlens_task_record *oomlens_event_candidates(const struct oomlens_event *e)
{
	return (struct oomlens_task_record *)((char *)e + layout.candidates);
}

/**
 * oomlens_event_size() - bytes of an event with all its records
 *
 * Context: any, after module load.
 * Return: bytes.
 */
size_t oomlens_event_size(void)
{
	return layout.candidates + oomlens_nr_candidates * sizeof(struct oomlens_task_record);
}

/**
 * oomlens_finish_size() - bytes of a struct oomlens_finish with its paths
 *
 * Context: any, after module load.
 * Return: bytes.
 */
size_t oomlens_finish_size(void)
{
	return offsetof(struct oomlens_finish, paths) + oomlens_ring_memcgs() * sizeof(u32);
}

/*
 * An event's write section is begun in an int3 and ended in a task. KCSAN counts
 * such sections in each context, so its count is taken back at once.
 */
static void write_begin(seqcount_t *seq)
{
	raw_write_seqcount_begin(seq);
	kcsan_nestable_atomic_end();
}

static void write_end(seqcount_t *seq)
{
	kcsan_nestable_atomic_begin();
	raw_write_seqcount_end(seq);
}

/* ---- The OOM path: one writer, under the kernel's oom_lock ---- */

/* From here on the kthread may take them; pairs with oomlens_event_take_memcgs(). */
static void offer_refs(struct oomlens_slot *slot)
{
	if (!slot->no_refs)
		atomic_set_release(&slot->refs, REFS_FILLED);
}

/*
 * A new event wants the slot. css_put() neither sleeps nor frees by itself. If
 * the kthread is in the middle of taking the old ones, which is a copy of a
 * few words, the new event gets none: its paths read "-".
 */
static void reset_refs(struct oomlens_slot *slot, unsigned long number)
{
	slot->no_refs = atomic_cmpxchg(&slot->refs, REFS_FILLED, REFS_WRITER) == REFS_TAKEN;
	if (slot->no_refs)
		return;
	/* A cmpxchg that fails orders nothing. Pairs with the release of the kthread. */
	smp_rmb();
	while (slot->nr_refs)
		oomlens_memcg_put(memcgs_of(slot)[--slot->nr_refs]);
	slot->refs_number = number;
}

/* An event goes on: no more can be had once the kthread came for them. */
static void regain_refs(struct oomlens_slot *slot)
{
	slot->no_refs = atomic_cmpxchg(&slot->refs, REFS_FILLED, REFS_WRITER) != REFS_FILLED;
}

static void close_open_slot(void)
{
	struct oomlens_slot *slot = open.slot;

	if (slot && slot->state == SLOT_OPEN) {
		oomlens_index_count(oomlens_slot_event(slot));
		offer_refs(slot);
		write_end(&slot->seq);
		/* Pairs with oomlens_event_state(). */
		smp_store_release(&slot->state, SLOT_DONE);
	}
	open.slot = NULL;
}

/**
 * oomlens_event_count_kills() - the next call of the OOM killer begins
 * @kernel_kills: by the kernel's count so far
 *
 * If no hook told what the kernel did in the newest event, the count does.
 *
 * Context: OOM path.
 */
void oomlens_event_count_kills(unsigned long kernel_kills)
{
	struct oomlens_event *e;

	if (!latest)
		return;
	e = oomlens_slot_event(latest);
	if (!e->kills_tell || e->outcome != OOMLENS_OUTCOME_UNKNOWN)
		return;
	write_begin(&latest->seq);
	oomlens_outcome_by_count(e, kernel_kills);
	e->spared = !e->kills;
	oomlens_index_count(e);
	write_end(&latest->seq);
}

/**
 * oomlens_event_begin() - open the next slot
 * @probed: oomlens_event_end() will follow
 * @now: by ktime_get_mono_fast_ns()
 *
 * Whatever was open is closed: its end was missed.
 *
 * Context: OOM path, any context of it.
 * Return: the event, empty but for number, time and caller.
 */
struct oomlens_event *oomlens_event_begin(bool probed, u64 now)
{
	unsigned long number = head + 1;
	struct oomlens_slot *slot;
	struct oomlens_event *e;

	close_open_slot();
	slot = oomlens_index_add(number);
	latest = slot;
	e = oomlens_slot_event(slot);
	write_begin(&slot->seq);
	WRITE_ONCE(slot->state, SLOT_OPEN);
	WRITE_ONCE(slot->number, number);
	reset_refs(slot, number);
	memset(e, 0, sizeof(*e));
	e->number = number;
	e->time_ns = now;
	e->real_ns = ktime_get_real_fast_ns();
	e->probed = probed;
	e->constraint = -1;
	e->pid = task_tgid_nr(current);
	memcpy(e->comm, current->comm, sizeof(e->comm));
	rcu_read_lock();
	e->caller_memcg = oomlens_event_memcg(e, oomlens_memcg_of(current));
	rcu_read_unlock();

	open.slot = slot;
	open.owner = current->pid;
	/* The kthread sees the slot open before it sees the number. */
	smp_store_release(&head, number);
	oomlens_counter_add(OOMLENS_EVENTS, 1);
	return e;
}

/**
 * oomlens_event_peek() - the event that the current OOM may belong to
 *
 * Context: OOM path.
 * Return: the event, not to be written yet; NULL if there is none.
 */
struct oomlens_event *oomlens_event_peek(void)
{
	struct oomlens_slot *slot = open.slot;

	if (!slot || open.owner != current->pid)
		return NULL;
	return oomlens_slot_event(slot);
}

/**
 * oomlens_event_under_way() - the event that a panic has cut off
 * @own: set if it is the panicking task's own call
 *
 * A call that the probe saw begin and not end; or, without the probe, one of which no
 * more was heard than its beginning. Another task's event is whatever its stopped
 * processor has written so far.
 *
 * Context: a panic.
 * Return: the event, NULL if there is none.
 */
struct oomlens_event *oomlens_event_under_way(bool *own)
{
	struct oomlens_slot *slot = READ_ONCE(open.slot);
	struct oomlens_event *e;

	if (!slot || slot->state == SLOT_DONE)
		return NULL;
	e = oomlens_slot_event(slot);
	if (slot->state == SLOT_SETTLING &&
	    (time_after_eq(jiffies, slot->settled) || e->outcome != OOMLENS_OUTCOME_UNKNOWN))
		return NULL;
	/* An interrupt's panic is not that of the task below it. */
	*own = in_task() && READ_ONCE(open.owner) == current->pid;
	return e;
}

/**
 * oomlens_event_open_memcg() - a cgroup of the open event, not yet the kthread's
 * @index: from 1; 0 is none
 *
 * Context: the OOM path, or a panic in it.
 * Return: held, or NULL.
 */
struct mem_cgroup *oomlens_event_open_memcg(unsigned int index)
{
	struct oomlens_slot *slot = open.slot;

	if (!index || !slot || slot->no_refs || index > slot->nr_refs)
		return NULL;
	return memcgs_of(slot)[index - 1];
}

/**
 * oomlens_event_resume() - go on with an event
 * @e: from peek; to be paused or ended
 *
 * Context: OOM path.
 */
void oomlens_event_resume(struct oomlens_event *e)
{
	if (e->probed)
		return;
	/* Not over while it is written, though its time may be */
	WRITE_ONCE(open.slot->state, SLOT_OPEN);
	write_begin(&open.slot->seq);
	regain_refs(open.slot);
}

/**
 * oomlens_event_pause() - leave an event until more is heard of its OOM
 * @e: from begin or resume
 * @settle_ms: without the probe, publish it after this time without news
 *
 * Context: OOM path.
 */
void oomlens_event_pause(struct oomlens_event *e, unsigned int settle_ms)
{
	struct oomlens_slot *slot = open.slot;

	if (e->probed)
		return;
	oomlens_index_count(e);
	offer_refs(slot);
	write_end(&slot->seq);
	WRITE_ONCE(slot->settled, jiffies + msecs_to_jiffies(settle_ms));
	/* Pairs with oomlens_event_state(). */
	smp_store_release(&slot->state, SLOT_SETTLING);
}

/**
 * oomlens_event_end() - close the open event: out_of_memory() returns
 *
 * Context: OOM path; preemption may be off.
 */
void oomlens_event_end(void)
{
	close_open_slot();
}

/**
 * oomlens_event_memcg() - the index of a cgroup in an event, held if it is new
 * @e: being written
 * @memcg: alive under RCU, or NULL
 *
 * Context: OOM path, rcu_read_lock() held.
 * Return: from 1; 0 for NULL, a dead one, or when there is no room.
 */
u8 oomlens_event_memcg(struct oomlens_event *e, struct mem_cgroup *memcg)
{
	struct oomlens_slot *slot = latest;
	unsigned int i;

	if (!memcg || slot->no_refs)
		return 0;
	for (i = 0; i < slot->nr_refs; i++)
		if (memcgs_of(slot)[i] == memcg)
			return i + 1;
	if (i == oomlens_ring_memcgs() || !oomlens_memcg_tryget(memcg))
		return 0;
	memcgs_of(slot)[i] = memcg;
	return ++slot->nr_refs;
}

/* ---- Readers: any number, in process context ---- */

static bool copy_slot(struct oomlens_slot *slot, unsigned long number, void *to, size_t size)
{
	unsigned int seq;

	for (;;) {
		seq = raw_read_seqcount(&slot->seq);
		if (READ_ONCE(slot->number) != number)
			return false;
		if (!(seq & 1)) {
			memcpy(to, oomlens_slot_event(slot), size);
			if (!read_seqcount_retry(&slot->seq, seq))
				return true;
		}
		/* A mark is being added, on PREEMPT_RT by a preempted task. */
		schedule_timeout_uninterruptible(1);
	}
}

/*
 * The newest event's outcome may have to be resolved by the kernel's count.
 * Returns false if there is a newer event by now, whose kills may be counted.
 */
static bool resolve(struct oomlens_event *e)
{
	if (!e->kills_tell || e->spared || e->outcome != OOMLENS_OUTCOME_UNKNOWN)
		return true;
	oomlens_outcome_by_count(e, oomlens_kernel_kills());
	/* A later call has its number before its kills are counted. */
	smp_rmb();
	return oomlens_event_newest() == e->number;
}

/* Up to @size bytes, resolved; false if the event was overwritten. */
static bool copy_resolved(unsigned long number, struct oomlens_event *e, size_t size)
{
	struct oomlens_slot *slot;

	do {
		slot = oomlens_index_find(number);
		if (!slot || !copy_slot(slot, number, e, size))
			return false;
	} while (!resolve(e));
	return true;
}

/**
 * oomlens_event_copy_head() - an event without its zones and candidates
 * @number: of the event
 * @e: filled in
 *
 * Context: process context, may sleep.
 * Return: false if it was overwritten.
 */
bool oomlens_event_copy_head(unsigned long number, struct oomlens_event *e)
{
	return copy_resolved(number, e, sizeof(*e));
}

/**
 * oomlens_event_copy() - a whole event, never a torn one
 * @number: published
 * @e: oomlens_event_size() bytes
 * @f: oomlens_finish_size() bytes
 *
 * Context: process context, may sleep.
 * Return: false if it was overwritten.
 */
bool oomlens_event_copy(unsigned long number, struct oomlens_event *e,
			struct oomlens_finish *f)
{
	struct oomlens_slot *slot = oomlens_index_find(number);
	unsigned int seq;

	if (!slot || !copy_resolved(number, e, oomlens_event_size()))
		return false;
	for (;;) {
		seq = raw_read_seqcount(&slot->finish_seq);
		if (!(seq & 1)) {
			memcpy(f, finish_of(slot), oomlens_finish_size());
			if (!read_seqcount_retry(&slot->finish_seq, seq))
				return true;
		}
		schedule_timeout_uninterruptible(1);
	}
}

/**
 * oomlens_event_was_read() - a reader was given an event
 * @number: its number
 *
 * Context: any but the OOM path.
 */
void oomlens_event_was_read(unsigned long number)
{
	struct oomlens_slot *slot = oomlens_index_find(number);
	long old;

	if (!slot)
		return;
	old = atomic_long_read(&slot->read);
	/* Never lowered: a slow reader may report the event that was here before. */
	while ((unsigned long)old < number &&
	       !atomic_long_try_cmpxchg(&slot->read, &old, number))
		;
}

/* ---- The kthread: the one writer of what is learnt later ---- */

static struct oomlens_slot *finishing;	/* between begin and end */

/**
 * oomlens_finish_begin() - write the later part of an event
 * @number: of the event
 *
 * Context: the kthread.
 * Return: it, with preemption off; NULL if the event was overwritten.
 */
struct oomlens_finish *oomlens_finish_begin(unsigned long number)
{
	struct oomlens_slot *slot = oomlens_index_find(number);
	struct oomlens_finish *f;

	if (!slot)
		return NULL;
	f = finish_of(slot);
	finishing = slot;
	preempt_disable();
	raw_write_seqcount_begin(&slot->finish_seq);
	if (f->number != number) {
		memset(f, 0, oomlens_finish_size());
		memset(f->exit_us, 0xff, sizeof(f->exit_us));
		memset(f->freed_us, 0xff, sizeof(f->freed_us));
		f->number = number;
	}
	return f;
}

/**
 * oomlens_finish_end() - end oomlens_finish_begin()
 *
 * Context: the recorder's kthread.
 */
void oomlens_finish_end(void)
{
	raw_write_seqcount_end(&finishing->finish_seq);
	preempt_enable();
}

/**
 * oomlens_event_take_memcgs() - move an event's references out of its slot
 * @number: of the event
 * @memcgs: room for oomlens_ring_memcgs(); the caller's to put
 *
 * Pairs with offer_refs(), reset_refs() and regain_refs().
 *
 * Context: the kthread.
 * Return: how many; the first has index 1.
 */
unsigned int oomlens_event_take_memcgs(unsigned long number, struct mem_cgroup **memcgs)
{
	struct oomlens_slot *slot = oomlens_index_find(number);
	unsigned int n;

	if (!slot)
		return 0;
	if (atomic_cmpxchg(&slot->refs, REFS_FILLED, REFS_TAKEN) != REFS_FILLED)
		return 0;
	if (slot->refs_number != (u32)number) {
		atomic_set_release(&slot->refs, REFS_FILLED);
		return 0;
	}
	n = slot->nr_refs;
	memcpy(memcgs, memcgs_of(slot), n * sizeof(*memcgs));
	slot->nr_refs = 0;
	atomic_set_release(&slot->refs, REFS_WRITER);
	return n;
}

/**
 * oomlens_event_newest() - the number of the newest event
 *
 * Context: any.
 * Return: from 1; 0 if there is none.
 */
unsigned long oomlens_event_newest(void)
{
	/* Pairs with oomlens_event_begin(). */
	return smp_load_acquire(&head);
}

/**
 * oomlens_event_set_details() - how far the lines are that are added later
 * @number: of the event; nothing happens if it is not kept any more
 * @details: what its "details" reads from now on
 *
 * Context: any but the OOM path; by one caller at a time.
 */
void oomlens_event_set_details(unsigned long number, enum oomlens_details details)
{
	struct oomlens_slot *slot = oomlens_index_find(number);

	/* One word, so that the number and the state are of one event. */
	if (slot)
		WRITE_ONCE(slot->details, number * OOMLENS_NR_DETAILS + details);
}

/**
 * oomlens_event_details() - what was set last
 * @number: of the event
 *
 * Context: any but the OOM path.
 * Return: OOMLENS_DETAILS_NONE if nothing was, or the event is gone.
 */
enum oomlens_details oomlens_event_details(unsigned long number)
{
	struct oomlens_slot *slot = oomlens_index_find(number);
	unsigned long details = slot ? READ_ONCE(slot->details) : 0;

	return details / OOMLENS_NR_DETAILS == number ? details % OOMLENS_NR_DETAILS :
		OOMLENS_DETAILS_NONE;
}

/**
 * oomlens_event_state() - is an OOM over?
 * @number: of its event
 *
 * Context: any but the OOM path.
 * Return: OOMLENS_EVENT_OVER for one that is gone.
 */
enum oomlens_event_state oomlens_event_state(unsigned long number)
{
	/* Read before the search: an event up to it that is not found was overwritten. */
	unsigned long newest = oomlens_event_newest();
	struct oomlens_slot *slot = oomlens_index_find(number);

	/* oomlens_event_kept() knows of an event a moment before head does. */
	if (number > newest)
		return OOMLENS_EVENT_OPEN;
	if (!slot || number != newest)
		return OOMLENS_EVENT_OVER;
	/* Pairs with close_open_slot() and oomlens_event_pause(). */
	switch (smp_load_acquire(&slot->state)) {
	case SLOT_OPEN:
		return OOMLENS_EVENT_OPEN;
	case SLOT_SETTLING:
		return time_after_eq(jiffies, READ_ONCE(slot->settled)) ?
			OOMLENS_EVENT_OVER : OOMLENS_EVENT_SETTLING;
	default:
		return OOMLENS_EVENT_OVER;
	}
}

/* ---- Load and unload ---- */

/**
 * oomlens_ring_check() - are the parameters in range?
 *
 * Context: module load, before all else of the recorder.
 * Return: 0 or -EINVAL.
 */
int __init oomlens_ring_check(void)
{
	if (events > EVENTS_MAX) {
		pr_err("events=%u: out of range, 0 to %d\n", events, EVENTS_MAX);
		return -EINVAL;
	}
	if (oomlens_nr_candidates > OOMLENS_CANDIDATES_MAX) {
		pr_err("candidates=%u: out of range, 0 to %d\n",
		       oomlens_nr_candidates, OOMLENS_CANDIDATES_MAX);
		return -EINVAL;
	}
	return 0;
}

static unsigned int __init events_in(unsigned long bytes)
{
	unsigned int n = EVENTS_MIN;

	while (n < EVENTS_MAX && oomlens_index_slots(n + 1) * layout.size <= bytes)
		n++;
	return n;
}

/**
 * oomlens_ring_init() - take the memory
 * @zones: that an event has room for
 * @bytes: that the ring may take, unless the parameter events says otherwise
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_ring_init(unsigned int zones, unsigned long bytes)
{
	unsigned int kept, i;
	int err;

	nr_zones = zones;
	layout.candidates = ALIGN(sizeof(struct oomlens_event) +
				  nr_zones * sizeof(struct oomlens_zone_record),
				  __alignof__(struct oomlens_task_record));
	layout.memcgs = ALIGN(sizeof(struct oomlens_slot) + oomlens_event_size(), sizeof(u64));
	layout.finish = layout.memcgs + oomlens_ring_memcgs() * sizeof(struct mem_cgroup *);
	layout.size = ALIGN(layout.finish + oomlens_finish_size(), sizeof(u64));
	kept = events ?: events_in(bytes);
	err = oomlens_index_init(kept);
	if (err)
		return err;
	nr_slots = oomlens_index_slots(kept);
	slots = oomlens_keep_alloc(nr_slots * layout.size);
	if (!slots) {
		oomlens_index_exit();
		return -ENOMEM;
	}
	for (i = 0; i < nr_slots; i++) {
		seqcount_init(&slot_at(i)->seq);
		seqcount_init(&slot_at(i)->finish_seq);
		oomlens_index_give(slot_at(i));
	}
	return 0;
}

/**
 * oomlens_ring_exit() - give it back, and all cgroups that are held
 *
 * Context: no hook, no kthread and no reader is left.
 */
void oomlens_ring_exit(void)
{
	unsigned int i;

	for (i = 0; i < nr_slots; i++)
		while (slot_at(i)->nr_refs)
			oomlens_memcg_put(memcgs_of(slot_at(i))[--slot_at(i)->nr_refs]);
	kvfree(slots);
	oomlens_index_exit();
}
