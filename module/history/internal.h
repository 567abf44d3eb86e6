/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the history group ask of each other; lower ones first.
 *
 * The sampler's kthread is the one writer, but for the paths of cgroups, which
 * growth.c adds to under oomlens_tables_lock. Readers copy what they print, and check a
 * sequence count, so neither waits for the other.
 */
#ifndef OOMLENS_HISTORY_INTERNAL_H
#define OOMLENS_HISTORY_INTERNAL_H

#include <linux/seqlock.h>
#include <linux/workqueue.h>

#include "../kernel/kernel.h"
#include "../promise/promise.h"
#include "history.h"

/* ---- track.c: what each task, name and cgroup had at the sample before ---- */

enum oomlens_kind_of_row {
	OOMLENS_TASKS,
	OOMLENS_COMMS,
	OOMLENS_MEMCGS,
	OOMLENS_NR_ROWS
};

/* growth.c: over the last minute and over the last ten, three marks each. */
#define OOMLENS_SPANS	2
#define OOMLENS_MARKS	3

/* Of the 32 bits for pages in a table or a row. */
#define OOMLENS_UNKNOWN		U32_MAX

/**
 * struct oomlens_tracked - one task, name or cgroup
 * @key: never 0 while it is used; of a task oomlens_task_key(), of a name its hash,
 *	of a cgroup its serial number
 * @memcg: of a task, the serial number of its cgroup
 * @count: of a name, tasks
 * @unknown: of a name, how many samples, with this one, tell no growth of it. 2: the
 *	sum of this sample is incomplete, so that the next one has nothing to compare with
 * @before: of a name, pages at the sample before
 * @psi_ns: of a cgroup, its time in full stall so far
 * @psi_at_ns: when the kernel added that up
 * @seen: the sample in which it was there last
 * @now: pages then
 * @low: the fewest pages since the last sample of the day
 * @low_before: the fewest in the step before; OOMLENS_UNKNOWN
 * @marks: pages at the times of the marks, see growth.c; OOMLENS_UNKNOWN
 * @pid: of a task
 * @uid: of a task
 * @comm: of a task, or the name itself
 * @limit: of a cgroup
 * @kills: of a cgroup, by OOMs so far
 * @psi_full: of a cgroup, when the kernel added up last
 * @psi_kept: samples since
 */
struct oomlens_tracked {
	u64 key;
	union {
		u64 memcg;
		struct {
			u32 count : 30;
			u32 unknown : 2;
			u32 before;
		};
		u64 psi_ns;
	};
	u32 seen;
	u32 now;
	u32 low;
	u32 low_before;
	u32 marks[OOMLENS_SPANS][OOMLENS_MARKS];
	union {
		struct {
			u32 pid;
			u32 uid;
		};
		u64 psi_at_ns;
	};
	union {
		char comm[TASK_COMM_LEN];
		struct {
			u64 limit;
			u32 kills;
			u16 psi_full;
			u16 psi_kept;
		};
	};
};

/* What a table had of a key at the sample before. */
struct oomlens_before {
	u32 pages;		/* OOMLENS_UNKNOWN */
	bool most;		/* it had at most this */
	bool evicted;		/* another one made room for it */
};

/* Entries in one bucket. */
#define OOMLENS_WAYS	8

/* What is known of the keys without an entry, by bucket. */
struct oomlens_floor {
	u32 last;		/* the most in the sample before; OOMLENS_UNKNOWN */
	u32 next;		/* in this one */
	u64 rival;		/* of sums: the one with the largest in this sample */
	u32 rival_now;		/* its sum is at least that */
};

/**
 * struct oomlens_table - a hash of buckets of OOMLENS_WAYS; the largest stay
 * @entries: of all buckets
 * @floors: of each bucket
 * @bits: the buckets are 2 to this
 * @sums: an entry is the sum of several tasks, and grows while they are walked
 */
struct oomlens_table {
	struct oomlens_tracked *entries;
	struct oomlens_floor *floors;
	unsigned int bits;
	bool sums;
};

size_t oomlens_table_size(unsigned int entries);
void oomlens_table_place(struct oomlens_table *t, void *memory, unsigned int entries);
struct oomlens_tracked *oomlens_table_find(const struct oomlens_table *t, u64 key);
struct oomlens_tracked *oomlens_table_see(struct oomlens_table *t, u64 key, u32 pages, u32 tick,
					  bool fresh, struct oomlens_before *before);
void oomlens_table_rival(struct oomlens_table *t, u64 key, u32 pages);
void oomlens_table_lost(struct oomlens_table *t, u64 key);
void oomlens_table_sweep(struct oomlens_table *t, u32 tick);
void oomlens_table_broken(struct oomlens_table *t);
void oomlens_table_end_step(struct oomlens_table *t);
void oomlens_table_mark(struct oomlens_table *t, unsigned int span);

static inline unsigned int oomlens_table_entries(const struct oomlens_table *t)
{
	return OOMLENS_WAYS << t->bits;
}

/* A reused pid is another process. */
static inline u64 oomlens_task_key(u64 start_ns, pid_t pid)
{
	return start_ns ^ ((u64)pid << 42);
}

static inline u64 oomlens_key_start(u64 key, pid_t pid)
{
	return key ^ ((u64)pid << 42);
}

/* ---- names.c: paths of cgroups, by serial number ---- */

struct oomlens_names;
size_t oomlens_names_size(unsigned int cells, unsigned int path);
struct oomlens_names *oomlens_names_place(void *memory, unsigned int cells, unsigned int path);
bool oomlens_names_use(struct oomlens_names *names, u64 serial, u32 tick);

/* Cgroups in one sample without a path yet. */
struct oomlens_wanted {
	struct oomlens_names *names;
	u32 tick;			/* of the sample */
	unsigned int n;
	u64 serials[40];		/* as many as there are rows */
};

void oomlens_names_want(struct oomlens_wanted *wanted, u64 serial);
void oomlens_names_find(struct oomlens_wanted *wanted, u64 until_ns);
void oomlens_names_copy(struct oomlens_names *names, u64 serial, char *buf, size_t size);

/* The longest path, with its NUL. */
#define OOMLENS_NAME_MAX	256

/* ---- rows.c: the largest rows of a sample ---- */

#define OOMLENS_GREW_UNKNOWN	S32_MIN

/**
 * struct oomlens_row - a task, a name or a cgroup in a sample
 * @key: as in struct oomlens_tracked
 * @memcg: of a task, the serial number of its cgroup
 * @limit: of a cgroup, pages, PAGE_COUNTER_MAX for none
 * @points: pages
 * @grew: pages since the sample before, OOMLENS_GREW_UNKNOWN
 * @pid: of a task
 * @from_max: it grew by at least that
 * @uid: of a task
 * @count: of a name, tasks
 * @psi_full: of a cgroup, as in struct oomlens_sample
 * @comm: of a task, or the name itself
 */
struct oomlens_row {
	u64 key;
	union {
		u64 memcg;
		u64 limit;
	};
	u32 points;
	s32 grew;
	u32 pid : 31;
	u32 from_max : 1;
	union {
		u32 uid;
		u32 count;
		u32 psi_full;
	};
	char comm[TASK_COMM_LEN];
};

struct oomlens_rows {
	struct oomlens_row *rows;
	u8 n;
	u8 max;
	bool by_growth;
};

void oomlens_rows_add(struct oomlens_rows *list, const struct oomlens_row *row);
bool oomlens_rows_wants(const struct oomlens_rows *list, s64 value);
unsigned int oomlens_rows_put(struct oomlens_row *to, unsigned int max,
			      const struct oomlens_rows *largest,
			      const struct oomlens_rows *others);

/* ---- psi.c: the pressure of the machine ---- */

/* Of a share in hundredths of a percent. */
#define OOMLENS_PSI_UNKNOWN	U16_MAX

u16 oomlens_psi_share(u64 stalled_ns, u64 over_ns);
int oomlens_psi_init(void);
void oomlens_psi_exit(void);
void oomlens_sampler_queue(struct work_struct *work);
bool oomlens_psi_ask(void);
void oomlens_psi_answer(u64 now, u64 max_age_ns, u16 *some, u16 *full);

/* ---- samples.c: the two rings ---- */

enum oomlens_figure {
	OOMLENS_FREE,
	OOMLENS_AVAILABLE,
	OOMLENS_ANON,
	OOMLENS_PAGE_CACHE,
	OOMLENS_SHMEM,
	OOMLENS_SLAB_RECLAIMABLE,
	OOMLENS_SLAB_UNRECLAIMABLE,
	OOMLENS_KERNEL_STACK,
	OOMLENS_PAGETABLES,
	OOMLENS_UNACCOUNTED,
	OOMLENS_SWAP_FREE,
	OOMLENS_COMMITTED,
	OOMLENS_NR_TASKS,
	OOMLENS_NR_FIGURES
};

#define OOMLENS_FIGURE_UNKNOWN	LONG_MIN

/**
 * struct oomlens_sample - one look at the machine
 * @number: from 1, 0 is none; one of the day has that of the last look in it
 * @time_ns: CLOCK_MONOTONIC
 * @real_ns: CLOCK_REALTIME
 * @over_ns: since the one before in the same ring
 * @figures: pages, and the number of tasks
 * @psi_some: share of the time since the one before
 * @psi_full: likewise
 * @nr: rows of each kind
 * @rows: see oomlens_sample_rows()
 */
struct oomlens_sample {
	u64 number;
	u64 time_ns;
	u64 real_ns;
	u64 over_ns;
	long figures[OOMLENS_NR_FIGURES];
	u16 psi_some;
	u16 psi_full;
	u8 nr[OOMLENS_NR_ROWS];
	struct oomlens_row rows[];
};

/**
 * struct oomlens_geometry - what there is room for
 * @nr_short: samples of the last minutes
 * @nr_long: samples of the day
 * @rows: the largest tasks of a sample; the other rows are shares of it
 * @tracked: entries of the tables, by kind of row
 * @names: paths of cgroups
 * @name_size: bytes of the longest of them, with the NUL
 */
struct oomlens_geometry {
	unsigned int nr_short;
	unsigned int nr_long;
	unsigned int rows;
	unsigned int tracked[OOMLENS_NR_ROWS];
	unsigned int names;
	unsigned int name_size;
};

extern struct oomlens_geometry oomlens_geometry;

/* The newest first; 0: not yet. */
struct oomlens_mark {
	u64 time_ns;
	long figures[OOMLENS_NR_FIGURES];
};

struct oomlens_ring {
	void *slots;
	unsigned int nr;
	u64 written;			/* samples so far */
};

/* One stall. */
struct oomlens_stall {
	u32 number;			/* from 1, 0: none */
	u16 psi_full;			/* the most of an interval */
	u64 begin_ns;
	u64 end_ns;			/* 0: it goes on */
	u64 serial;			/* of the cgroup, 0: the machine */
};

/* In this sample. */
struct oomlens_stalling {
	u64 serial;
	u16 psi_full;
};

#define OOMLENS_STALLS		16
#define OOMLENS_STALLING	8	/* cgroups */

/**
 * struct oomlens_stalls - the stalls, and what stalls in the sample that is being made
 * @seq: odd while the ring is written
 * @newest: number of the newest stall
 * @ring: in no order
 * @now: in this sample, the machine first
 * @nr_now: of them
 * @whole: the machine does
 * @level: while the walk is in the subtree of the last one of @now, its depth; else -1
 * @kills: of OOMs of the machine, at this sample
 */
struct oomlens_stalls {
	seqcount_t seq;
	u32 newest;
	struct oomlens_stall ring[OOMLENS_STALLS];
	struct oomlens_stalling now[1 + OOMLENS_STALLING];
	unsigned int nr_now;
	bool whole;
	int level;
	long kills;
};

/**
 * struct oomlens_history - all that is kept, one piece of memory with what follows
 * @size: of it, in bytes
 * @tick: number of the last sample
 * @last_ns: CLOCK_MONOTONIC of the last sample
 * @step_ns: of the last sample of the day
 * @cost_ns: what the last sample took
 * @marks: of each span
 * @tables: by kind of row
 * @names: paths of cgroups
 * @stalls: when no task got on
 * @memory: of the machine; under oomlens_tables_lock
 * @minutes: the samples of the last minutes
 * @day: those of the last day
 * @sample: is being made
 * @step: the one of the day that is being made; number 0: nothing is in it yet
 * @largest: rows of @sample, by kind
 * @fastest: likewise, by growth
 * @step_largest: rows of @step
 */
struct oomlens_history {
	size_t size;
	u32 tick;
	u64 last_ns;
	u64 step_ns;
	u64 cost_ns;
	struct oomlens_mark marks[OOMLENS_SPANS][OOMLENS_MARKS];
	struct oomlens_table tables[OOMLENS_NR_ROWS];
	struct oomlens_names *names;
	struct oomlens_stalls stalls;
	struct oomlens_memory memory;
	struct oomlens_ring minutes;
	struct oomlens_ring day;
	struct oomlens_sample *sample;
	struct oomlens_sample *step;
	struct oomlens_rows largest[OOMLENS_NR_ROWS];
	struct oomlens_rows fastest[OOMLENS_NR_ROWS];
	struct oomlens_rows step_largest[OOMLENS_NR_ROWS];
};

bool oomlens_geometry_choose(unsigned long bytes);
struct oomlens_history *oomlens_history_alloc(void);
void oomlens_history_free(struct oomlens_history *h);
unsigned int oomlens_rows_of(enum oomlens_kind_of_row kind);
size_t oomlens_sample_size(void);
struct oomlens_row *oomlens_sample_rows(const struct oomlens_sample *sample,
					enum oomlens_kind_of_row kind);
void oomlens_figures_read(struct oomlens_history *h, long *figures);
void oomlens_sample_begin(struct oomlens_history *h, u64 now);
void oomlens_sample_fill(struct oomlens_history *h);
bool oomlens_sample_end(struct oomlens_history *h, u64 step_ns);
bool oomlens_sample_next(struct oomlens_history *h, u64 number, struct oomlens_sample *to);

/* ---- stalls.c ---- */

void oomlens_stalls_init(struct oomlens_stalls *s);
void oomlens_stalls_killed(void);
void oomlens_stalls_begin(struct oomlens_stalls *s, u16 psi_full);
void oomlens_stalls_memcg(struct oomlens_stalls *s, u64 serial, int level, u16 psi_full);
void oomlens_stalls_end(struct oomlens_history *h);
bool oomlens_stall_next(struct oomlens_history *h, u32 number, struct oomlens_stall *to);
long oomlens_stall_changes(void);
__poll_t oomlens_stalls_poll(struct file *file, poll_table *table, long seen);

/* ---- sampler.c ---- */

/*
 * Protects the tables and the paths of cgroups. The sampler holds it during a sample.
 * growth.c only tries it, and holds it while it reads a table and looks for paths, the
 * latter for FIND_NS at most.
 */
extern struct mutex oomlens_tables_lock;

struct oomlens_history *oomlens_history_hold(void);
void oomlens_history_unhold(void);
u64 oomlens_interval_ns(void);

#endif /* OOMLENS_HISTORY_INTERNAL_H */
