// SPDX-License-Identifier: GPL-2.0
/*
 * The samples: the machine's figures, the two rings, and how a sample of the day is
 * made of those of ten minutes.
 */
#include <linux/mman.h>
#include <linux/page_counter.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* ---- How much is kept ---- */

struct size {
	unsigned int least;		/* samples */
	struct oomlens_geometry geometry;
};

/*
 * From the largest on: the first one that leaves room for enough samples is taken.
 * What it leaves becomes the rings.
 */
static const struct size sizes[] __initconst = {
	{ 100, { 0, 0, 12, { 1024, 128, 256 }, 96, OOMLENS_NAME_MAX } },
	{ 100, { 0, 0, 8, { 512, 128, 128 }, 64, OOMLENS_NAME_MAX } },
	{ 100, { 0, 0, 4, { 256, 64, 64 }, 24, OOMLENS_NAME_MAX } },
	{ 72, { 0, 0, 4, { 128, 32, 32 }, 12, 192 } },
	{ 32, { 0, 0, 4, { 64, 32, 32 }, 12, 192 } },
	{ 0, { 0, 0, 2, { 32, 16, 16 }, 8, 96 } },
};

/* Ten minutes of ten seconds; a day of ten minutes. */
#define NR_SHORT_MAX	60
#define NR_LONG_MAX	144
/* Fewer are not worth it. */
#define NR_MIN		8

struct oomlens_geometry oomlens_geometry __ro_after_init;

static unsigned int largest_of(enum oomlens_kind_of_row kind)
{
	switch (kind) {
	case OOMLENS_TASKS:
		return oomlens_geometry.rows;
	case OOMLENS_MEMCGS:
		return max(oomlens_geometry.rows / 2, 2U);
	default:
		return 0;
	}
}

/* Rows that are there for their growth, at most. */
static unsigned int fastest_of(enum oomlens_kind_of_row kind)
{
	if (kind == OOMLENS_TASKS)
		return oomlens_geometry.rows / 2;
	/* Where a cgroup grows, so does the one above it. */
	return max(oomlens_geometry.rows / 4, kind == OOMLENS_MEMCGS ? 2U : 1U);
}

/**
 * oomlens_rows_of() - rows of a sample, at most
 * @kind: of the rows
 *
 * Context: any, after module load.
 * Return: how many.
 */
unsigned int oomlens_rows_of(enum oomlens_kind_of_row kind)
{
	return largest_of(kind) + fastest_of(kind);
}

/**
 * oomlens_sample_rows() - the rows of a sample
 * @sample: or a copy
 * @kind: of the rows
 *
 * Context: any.
 * Return: oomlens_rows_of() of them.
 */
struct oomlens_row *oomlens_sample_rows(const struct oomlens_sample *sample,
					enum oomlens_kind_of_row kind)
{
	struct oomlens_row *rows = (struct oomlens_row *)sample->rows;
	unsigned int k;

	for (k = 0; k < kind; k++)
		rows += oomlens_rows_of(k);
	return rows;
}

/**
 * oomlens_sample_size() - bytes of a sample with its rows
 *
 * Context: any, after module load.
 * Return: bytes.
 */
size_t oomlens_sample_size(void)
{
	size_t rows = oomlens_rows_of(OOMLENS_TASKS) + oomlens_rows_of(OOMLENS_COMMS) +
		      oomlens_rows_of(OOMLENS_MEMCGS);

	return offsetof(struct oomlens_sample, rows) + rows * sizeof(struct oomlens_row);
}

/* ---- The one piece of memory ---- */

struct slot {
	seqcount_t seq;			/* odd while the sampler writes */
	u64 sample[];			/* struct oomlens_sample */
};

static size_t slot_size(void)
{
	return offsetof(struct slot, sample) + oomlens_sample_size();
}

/* A piece of memory that is laid out; @at NULL: it is only measured. */
struct piece {
	char *at;
	size_t used;
};

static void *carve(struct piece *piece, size_t size)
{
	void *at = piece->at ? piece->at + piece->used : NULL;

	piece->used += ALIGN(size, sizeof(u64));
	return at;
}

static void carve_rows(struct piece *piece, struct oomlens_rows *list, unsigned int max,
		       bool by_growth)
{
	list->rows = carve(piece, max * sizeof(*list->rows));
	list->max = max;
	list->by_growth = by_growth;
}

static void carve_ring(struct piece *piece, struct oomlens_ring *ring, unsigned int nr)
{
	unsigned int i;

	ring->slots = carve(piece, nr * slot_size());
	ring->nr = nr;
	for (i = 0; i < nr && ring->slots; i++)
		seqcount_init(&((struct slot *)(ring->slots + i * slot_size()))->seq);
}

static void lay_out(struct piece *piece, struct oomlens_history *h)
{
	const struct oomlens_geometry *g = &oomlens_geometry;
	void *at;
	int k;

	carve(piece, sizeof(*h));
	for (k = 0; k < OOMLENS_NR_ROWS; k++) {
		at = carve(piece, oomlens_table_size(g->tracked[k]));
		if (at)
			oomlens_table_place(&h->tables[k], at, g->tracked[k]);
		carve_rows(piece, &h->largest[k], largest_of(k), false);
		carve_rows(piece, &h->fastest[k], fastest_of(k), true);
		carve_rows(piece, &h->step_largest[k], largest_of(k), false);
	}
	h->tables[OOMLENS_COMMS].sums = true;
	at = carve(piece, oomlens_names_size(g->names, g->name_size));
	if (at)
		h->names = oomlens_names_place(at, g->names, g->name_size);
	carve_ring(piece, &h->minutes, g->nr_short);
	carve_ring(piece, &h->day, g->nr_long);
	h->sample = carve(piece, oomlens_sample_size());
	h->step = carve(piece, oomlens_sample_size());
}

static size_t bytes_needed(void)
{
	static struct oomlens_history measured;
	struct piece piece = { NULL };

	lay_out(&piece, &measured);
	return PAGE_ALIGN(piece.used);
}

/**
 * oomlens_geometry_choose() - how much is kept
 * @bytes: that it may take
 *
 * Context: module load.
 * Return: false if even the least does not fit.
 */
bool __init oomlens_geometry_choose(unsigned long bytes)
{
	unsigned int i, samples;
	size_t fixed;
	bool fits;

	bytes = round_down(bytes, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		oomlens_geometry = sizes[i].geometry;
		fixed = bytes_needed();
		samples = bytes > fixed ? (bytes - fixed) / slot_size() : 0;
		if (samples >= sizes[i].least)
			break;
	}
	fits = samples >= NR_MIN;
	samples = max_t(unsigned int, samples, NR_MIN);
	oomlens_geometry.nr_short = min_t(unsigned int, NR_SHORT_MAX, samples * 3 / 4);
	oomlens_geometry.nr_long = min_t(unsigned int, NR_LONG_MAX,
					 samples - oomlens_geometry.nr_short);
	return fits;
}

/**
 * oomlens_history_alloc() - take the memory
 *
 * Context: process context, sleeps.
 * Return: it, empty; NULL if there is none.
 */
struct oomlens_history *oomlens_history_alloc(void)
{
	size_t size = bytes_needed();
	struct oomlens_history *h = __vmalloc(size, OOMLENS_GFP | __GFP_ZERO);
	struct piece piece = { (char *)h };

	if (!h)
		return NULL;
	if (oomlens_memory_open(&h->memory)) {
		vfree(h);
		return NULL;
	}
	lay_out(&piece, h);
	oomlens_stalls_init(&h->stalls);
	h->size = size;
	oomlens_counter_add(OOMLENS_MEMORY_BYTES, size);
	return h;
}

/**
 * oomlens_history_free() - give it back
 * @h: what oomlens_history_alloc() returned, or NULL
 *
 * Context: process context, may sleep.
 */
void oomlens_history_free(struct oomlens_history *h)
{
	if (!h)
		return;
	oomlens_memory_close(&h->memory);
	oomlens_counter_add(OOMLENS_MEMORY_BYTES, -(long)h->size);
	vfree(h);
}

/* ---- The rings: the sampler writes, readers copy ---- */

static struct slot *slot_at(const struct oomlens_ring *ring, u64 n)
{
	return ring->slots + do_div(n, ring->nr) * slot_size();
}

static void publish(struct oomlens_ring *ring, const struct oomlens_sample *sample)
{
	struct slot *slot = slot_at(ring, ring->written++);

	preempt_disable();
	raw_write_seqcount_begin(&slot->seq);
	memcpy(slot->sample, sample, oomlens_sample_size());
	raw_write_seqcount_end(&slot->seq);
	preempt_enable();
}

static u64 number_in(const struct slot *slot)
{
	const struct oomlens_sample *sample = (const void *)slot->sample;
	unsigned int seq;
	u64 number;

	do {
		seq = read_seqcount_begin(&slot->seq);
		number = sample->number;
	} while (read_seqcount_retry(&slot->seq, seq));
	return number;
}

/* The slot with the least number from @number on, NULL if there is none. */
static const struct slot *find_slot(const struct oomlens_ring *ring, u64 number, u64 *found)
{
	const struct slot *slot, *best = NULL;
	unsigned int i;
	u64 n;

	for (i = 0; i < ring->nr; i++) {
		slot = ring->slots + i * slot_size();
		n = number_in(slot);
		if (n >= number && (!best || n < *found)) {
			best = slot;
			*found = n;
		}
	}
	return best;
}

static bool copy_slot(const struct slot *slot, u64 number, struct oomlens_sample *to)
{
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&slot->seq);
		memcpy(to, slot->sample, oomlens_sample_size());
	} while (read_seqcount_retry(&slot->seq, seq));
	return to->number == number;
}

/**
 * oomlens_sample_next() - copy the first sample from a number on
 * @h: held
 * @number: from 1
 * @to: oomlens_sample_size() bytes
 *
 * Those of the day come first, up to the oldest of the last minutes.
 *
 * Context: process context.
 * Return: false if there is none.
 */
bool oomlens_sample_next(struct oomlens_history *h, u64 number, struct oomlens_sample *to)
{
	u64 minute, day, oldest;
	const struct slot *slot;

	for (;;) {
		if (!find_slot(&h->minutes, 1, &oldest))
			return false;
		slot = find_slot(&h->day, number, &day);
		if (slot && day < oldest) {
			if (copy_slot(slot, day, to))
				return true;
			continue;
		}
		slot = find_slot(&h->minutes, number, &minute);
		if (!slot)
			return false;
		if (copy_slot(slot, minute, to))
			return true;
	}
}

/* ---- Making one ---- */

/**
 * oomlens_figures_read() - the machine's memory
 * @h: the history
 * @figures: OOMLENS_NR_FIGURES; the number of tasks is left as it is
 *
 * Source: fs/proc/meminfo.c; page_cache is Cached and Buffers without Shmem.
 *
 * Context: process context, oomlens_tables_lock held. What memory.c reads it reads
 * without waiting.
 */
void oomlens_figures_read(struct oomlens_history *h, long *figures)
{
	bool known = !oomlens_memory_read(&h->memory);

	figures[OOMLENS_FREE] = global_zone_page_state(NR_FREE_PAGES);
	figures[OOMLENS_AVAILABLE] = max(si_mem_available(), 0L);
	figures[OOMLENS_ANON] = global_node_page_state(NR_ANON_MAPPED);
	figures[OOMLENS_PAGE_CACHE] = oomlens_page_cache_pages();
	figures[OOMLENS_SHMEM] = global_node_page_state(NR_SHMEM);
	figures[OOMLENS_SLAB_RECLAIMABLE] = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
	figures[OOMLENS_SLAB_UNRECLAIMABLE] =
		global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	figures[OOMLENS_KERNEL_STACK] =
		global_node_page_state(NR_KERNEL_STACK_KB) >> (PAGE_SHIFT - 10);
	figures[OOMLENS_PAGETABLES] = oomlens_pagetable_pages();
	figures[OOMLENS_UNACCOUNTED] = known ? h->memory.unaccounted : OOMLENS_FIGURE_UNKNOWN;
	figures[OOMLENS_SWAP_FREE] = get_nr_swap_pages();
	figures[OOMLENS_COMMITTED] = vm_memory_committed();
}

/**
 * oomlens_sample_begin() - a new sample
 * @h: the history
 * @now: CLOCK_MONOTONIC
 *
 * Context: the sampler.
 */
void oomlens_sample_begin(struct oomlens_history *h, u64 now)
{
	struct oomlens_sample *s = h->sample;
	int k;

	memset(s, 0, offsetof(struct oomlens_sample, rows));
	s->number = ++h->tick;
	s->time_ns = now;
	s->real_ns = ktime_get_real_ns();
	s->over_ns = h->last_ns ? now - h->last_ns : 0;
	for (k = 0; k < OOMLENS_NR_ROWS; k++) {
		h->largest[k].n = 0;
		h->fastest[k].n = 0;
	}
}

/* What a sample of the day keeps of those in it. */
enum keep {
	KEEP_LAST,
	KEEP_LEAST,
	KEEP_MOST,
};

static const u8 keeps[OOMLENS_NR_FIGURES] = {
	[OOMLENS_FREE]		= KEEP_LEAST,
	[OOMLENS_AVAILABLE]	= KEEP_LEAST,
	[OOMLENS_SWAP_FREE]	= KEEP_LEAST,
	[OOMLENS_COMMITTED]	= KEEP_MOST,
	[OOMLENS_NR_TASKS]	= KEEP_MOST,
};

static long kept(enum keep keep, long old, long now)
{
	switch (keep) {
	case KEEP_LEAST:
		return min(old, now);
	case KEEP_MOST:
		return max(old, now);
	default:
		return now;
	}
}

static u16 more_psi(u16 old, u16 now)
{
	if (old == OOMLENS_PSI_UNKNOWN)
		return now;
	return now == OOMLENS_PSI_UNKNOWN ? old : max(old, now);
}

static void begin_step(struct oomlens_history *h)
{
	int k;

	memcpy(h->step, h->sample, offsetof(struct oomlens_sample, rows));
	for (k = 0; k < OOMLENS_NR_ROWS; k++)
		h->step_largest[k].n = 0;
}

/* The sample of the day that is being made takes this one in. */
static void add_to_step(struct oomlens_history *h)
{
	const struct oomlens_sample *s = h->sample;
	struct oomlens_sample *step = h->step;
	unsigned int i, k;

	if (!step->number)
		begin_step(h);
	step->number = s->number;
	step->time_ns = s->time_ns;
	step->real_ns = s->real_ns;
	step->psi_some = more_psi(step->psi_some, s->psi_some);
	step->psi_full = more_psi(step->psi_full, s->psi_full);
	for (i = 0; i < OOMLENS_NR_FIGURES; i++)
		step->figures[i] = kept(keeps[i], step->figures[i], s->figures[i]);
	for (k = 0; k < OOMLENS_NR_ROWS; k++)
		for (i = 0; i < s->nr[k]; i++)
			oomlens_rows_add(&h->step_largest[k], &oomlens_sample_rows(s, k)[i]);
}

static void row_of(struct oomlens_row *row, enum oomlens_kind_of_row kind,
		   const struct oomlens_tracked *e)
{
	memset(row, 0, sizeof(*row));
	row->key = e->key;
	row->points = e->now;
	if (kind != OOMLENS_MEMCGS)
		memcpy(row->comm, e->comm, sizeof(row->comm));
	switch (kind) {
	case OOMLENS_TASKS:
		row->memcg = e->memcg;
		row->pid = e->pid;
		row->uid = e->uid;
		break;
	case OOMLENS_COMMS:
		row->count = e->count;
		break;
	default:
		row->limit = e->limit;
		row->psi_full = OOMLENS_PSI_UNKNOWN;
	}
}

/*
 * In ten minutes most memory that rises falls again. So growth compares the fewest
 * pages that a task had in a step with the fewest in the step before: a leak's rise.
 */
static s32 step_growth(const struct oomlens_tracked *e)
{
	if (!e || e->low == OOMLENS_UNKNOWN || e->low_before == OOMLENS_UNKNOWN)
		return OOMLENS_GREW_UNKNOWN;
	return (s64)e->low - e->low_before;
}

static void put_step_rows(struct oomlens_history *h, enum oomlens_kind_of_row kind)
{
	struct oomlens_table *t = &h->tables[kind];
	struct oomlens_rows *largest = &h->step_largest[kind], *fastest = &h->fastest[kind];
	struct oomlens_row row;
	unsigned int i;

	for (i = 0; i < largest->n; i++) {
		largest->rows[i].grew =
			step_growth(oomlens_table_find(t, largest->rows[i].key));
		largest->rows[i].from_max = 0;
	}
	fastest->n = 0;
	for (i = 0; i < oomlens_table_entries(t); i++) {
		const struct oomlens_tracked *e = &t->entries[i];

		if (!e->key || !oomlens_rows_wants(fastest, step_growth(e)))
			continue;
		row_of(&row, kind, e);
		row.grew = step_growth(e);
		oomlens_rows_add(fastest, &row);
	}
	h->step->nr[kind] = oomlens_rows_put(oomlens_sample_rows(h->step, kind),
					     oomlens_rows_of(kind), largest, fastest);
}

static void end_step(struct oomlens_history *h)
{
	int k;

	h->step->over_ns = h->step_ns ? h->step->time_ns - h->step_ns : 0;
	h->step_ns = h->step->time_ns;
	for (k = 0; k < OOMLENS_NR_ROWS; k++) {
		put_step_rows(h, k);
		oomlens_table_end_step(&h->tables[k]);
	}
	publish(&h->day, h->step);
	h->step->number = 0;
}

/**
 * oomlens_sample_fill() - the walks are over: the sample gets its rows
 * @h: the history
 *
 * Context: the sampler.
 */
void oomlens_sample_fill(struct oomlens_history *h)
{
	int k;

	for (k = 0; k < OOMLENS_NR_ROWS; k++)
		h->sample->nr[k] = oomlens_rows_put(oomlens_sample_rows(h->sample, k),
						    oomlens_rows_of(k), &h->largest[k],
						    &h->fastest[k]);
}

/* growth.c tells how much a task has grown since a mark. */
static void set_marks(struct oomlens_history *h, u64 span_ns)
{
	int span;

	for (span = 0; span < OOMLENS_SPANS; span++, span_ns *= 10) {
		struct oomlens_mark *marks = h->marks[span];

		if (marks[0].time_ns && h->last_ns - marks[0].time_ns < span_ns / 2)
			continue;
		memmove(marks + 1, marks, (OOMLENS_MARKS - 1) * sizeof(*marks));
		marks[0].time_ns = h->last_ns;
		memcpy(marks[0].figures, h->sample->figures, sizeof(marks[0].figures));
		oomlens_table_mark(&h->tables[OOMLENS_TASKS], span);
	}
}

/**
 * oomlens_sample_end() - the sample is complete
 * @h: the history
 * @step_ns: time between two samples of the day
 *
 * Context: the sampler.
 * Return: true if a sample of the day, @h->step, is complete too.
 */
bool oomlens_sample_end(struct oomlens_history *h, u64 step_ns)
{
	u64 now = h->sample->time_ns;
	bool step;

	if (!h->step_ns)
		h->step_ns = now;
	publish(&h->minutes, h->sample);
	h->last_ns = now;
	add_to_step(h);
	step = now - h->step_ns >= step_ns;
	if (step)
		end_step(h);
	/* A minute, and ten of them. */
	set_marks(h, div_u64(step_ns, 10));
	return step;
}
