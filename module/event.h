/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of one call of the OOM killer, and what the files that make it
 * ask of each other: sources.c hears of the OOM, capture.c reads the figures,
 * candidates.c looks who is in line, ring.c keeps it all, victims.c follows the
 * killed, events.c prints.
 *
 * Who may write what is what makes it work without a lock. out_of_memory() is
 * always called with the kernel's oom_lock held, so the sources are one writer
 * of the ring, whatever their context. All that is learnt later (paths, exit
 * and freed times) goes into struct oomlens_finish, whose one writer is the
 * recorder's kthread. Readers copy both and look whether they were torn.
 */
#ifndef OOMLENS_EVENT_H
#define OOMLENS_EVENT_H

#include <linux/hardirq.h>
#include <linux/kcsan-checks.h>
#include <linux/kernel.h>
#include <linux/seqlock.h>
#include <linux/types.h>

#include "oomlens.h"

/* Victims kept in full of each event; memory.oom.group can take more. */
#define OOMLENS_VICTIMS		3

/* Cgroups named by one event beside its candidates': limit, caller, victims. */
#define OOMLENS_MORE_MEMCGS	4

/* A longer path of a cgroup is cut. */
#define OOMLENS_PATH_SIZE	1024

/* Names that are printed, in the file, in the log and by trace events. */
#define OOMLENS_KINDS(X)						\
	X(OOMLENS_KIND_UNKNOWN,		"-")				\
	X(OOMLENS_KIND_GLOBAL,		"global")			\
	X(OOMLENS_KIND_MEMCG,		"memcg")			\
	X(OOMLENS_KIND_CPUSET,		"cpuset")			\
	X(OOMLENS_KIND_MEMPOLICY,	"mempolicy")			\
	X(OOMLENS_KIND_SYSRQ,	"sysrq")

#define OOMLENS_CAUSES(X)						\
	X(OOMLENS_CAUSE_UNKNOWN,	"-")				\
	X(OOMLENS_CAUSE_ALLOCATOR,	"allocator")			\
	X(OOMLENS_CAUSE_SYSRQ,		"sysrq")			\
	X(OOMLENS_CAUSE_OOMLENS,	"oomlens")

/*
 * averted: a notifier gave memory back. dying: the caller was on its way out
 * and was let go first. exiting: so was the chosen one, and was not killed.
 * no_fs: an allocation without __GFP_FS, nothing was done. in_flight: an
 * earlier victim is not gone yet. nobody: no one eligible. disabled: the OOM
 * killer is off, as while the machine is put to sleep.
 */
#define OOMLENS_OUTCOMES(X)					\
	X(OOMLENS_OUTCOME_UNKNOWN,	"unknown")			\
	X(OOMLENS_OUTCOME_KILLED,	"killed")			\
	X(OOMLENS_OUTCOME_AVERTED,	"averted")			\
	X(OOMLENS_OUTCOME_DYING,	"dying")			\
	X(OOMLENS_OUTCOME_EXITING,	"exiting")			\
	X(OOMLENS_OUTCOME_NO_FS,	"no_fs")			\
	X(OOMLENS_OUTCOME_IN_FLIGHT,	"in_flight")			\
	X(OOMLENS_OUTCOME_NOBODY,	"nobody")			\
	X(OOMLENS_OUTCOME_DISABLED,	"disabled")

/* Who gave memory back. */
#define OOMLENS_BYS(X)						\
	X(OOMLENS_BY_NONE,		"-")				\
	X(OOMLENS_BY_PRESSURE,		"pressure")			\
	X(OOMLENS_BY_RESERVE,		"reserve")			\
	X(OOMLENS_BY_OTHER,		"other")

#define OOMLENS_ENUM(value, name)	value,

enum oomlens_kind { OOMLENS_KINDS(OOMLENS_ENUM) };
enum oomlens_cause { OOMLENS_CAUSES(OOMLENS_ENUM) };
enum oomlens_outcome { OOMLENS_OUTCOMES(OOMLENS_ENUM) OOMLENS_NR_OUTCOMES };
enum oomlens_by { OOMLENS_BYS(OOMLENS_ENUM) };

/* How far the walk for candidates came. */
enum oomlens_reach {
	OOMLENS_REACH_NONE,		/* not made: the OOM ended before */
	OOMLENS_REACH_OFF,		/* candidates=0 */
	OOMLENS_REACH_COMPLETE,
	OOMLENS_REACH_PARTIAL,		/* out of time, or a task's lock was taken */
	OOMLENS_REACH_LIMITED,		/* not made: the last one was too recent */
	OOMLENS_NR_REACHES
};

/*
 * An event's write section is begun in an int3 and ended in a task; KCSAN counts
 * such sections in each context, so its count is taken back at once.
 */
static inline void oomlens_write_begin(seqcount_t *seq)
{
	raw_write_seqcount_begin(seq);
	kcsan_nestable_atomic_end();
}

static inline void oomlens_write_end(seqcount_t *seq)
{
	kcsan_nestable_atomic_begin();
	raw_write_seqcount_end(seq);
}

/**
 * struct oomlens_task_record - a candidate or a victim
 * @pid: thread group id in the initial PID namespace
 * @uid: in the initial user namespace
 * @threads: in the group
 * @adj: oom_score_adj
 * @memcg: index into the event's cgroups, from 1; 0 is none
 * @verdict: enum oomlens_verdict; of a candidate
 * @killable: as in struct oomlens_sample
 * @killed: a victim that got the kernel's SIGKILL, not merely the reserves
 * @terms: pages
 * @locked: pages, mm->locked_vm
 * @vm_total: pages, mm->total_vm
 * @comm: of the group leader; of a victim, of the thread that the kernel named
 */
struct oomlens_task_record {
	pid_t pid;
	uid_t uid;
	u32 threads;
	s16 adj;
	u8 memcg;
	u8 verdict;
	bool killable;
	bool killed;
	struct oomlens_terms terms;
	unsigned long locked;
	unsigned long vm_total;
	char comm[TASK_COMM_LEN];
};

/* One populated zone; pages. */
struct oomlens_zone_record {
	u16 node;
	u8 index;			/* in the node's zones */
	unsigned long free;
	unsigned long free_cma;
	unsigned long highatomic;	/* what the watermark check leaves out */
	unsigned long min;
	unsigned long low;
	unsigned long high;
	unsigned long managed;
	unsigned long anon;
	unsigned long file;
	unsigned long unevictable;
	unsigned long mlocked;
};

/* The machine's memory when out_of_memory() was entered; pages. */
struct oomlens_memory_record {
	unsigned long free;
	unsigned long available;
	unsigned long anon;
	unsigned long file;
	unsigned long shmem;
	unsigned long slab_reclaimable;
	unsigned long slab_unreclaimable;
	unsigned long kernel_stack;
	unsigned long pagetables;
	unsigned long unevictable;
	unsigned long mlocked;
	unsigned long ram;
	unsigned long swap_total;
	unsigned long swap_free;
	unsigned long committed;
	unsigned long commit_limit;
};

/* The cgroup whose limit was hit; pages. A limit that is none is very large. */
struct oomlens_memcg_record {
	unsigned long usage;
	unsigned long limit;
	unsigned long swap;	/* v1: memory and swap together */
	unsigned long swap_limit;
	bool v2;
};

/**
 * struct oomlens_event - one call of the OOM killer, as seen while it ran
 * @number: from 1, without gaps; 0 in a slot that was never used
 * @time_ns: CLOCK_MONOTONIC when it was entered
 * @duration_ns: until it returned; 0 without the return probe
 * @capture_ns: of that, spent in this module
 * @totalpages: that the points were judged against
 * @totalpages_known: 0 if the OOM ended before the kernel worked it out
 * @freed: pages that notifiers gave back
 * @gfp: mask of the allocation
 * @order: of the allocation, -1 for sysrq
 * @constraint: enum oom_constraint, -1 if the kernel did not get to it
 * @pid: thread group id of the caller
 * @caller_memcg: index into the event's cgroups
 * @limit_memcg: index of the one whose limit was hit, memcg OOMs only
 * @nodes: that a cpuset or mempolicy OOM may use, the first 64; others 0
 * @nr_marked: victims, those that did not fit into @victims too
 * @kills: SIGKILLs by the kernel's count; a group kill counts the first twice
 * @kills_before: that count when it began
 * @probed: seen from entry to return, so that nothing was guessed
 * @kills_tell: neither probed nor marked, but the count tells what it did
 * @spared: and it told that nobody was killed
 * @marks_tell: not probed, but a kill would be marked
 * @comm: of the caller
 *
 * The zones' and the candidates' records follow, see oomlens_event_zones().
 */
struct oomlens_event {
	unsigned long number;
	u64 time_ns;
	u64 duration_ns;
	u64 capture_ns;
	unsigned long totalpages;
	unsigned long freed;
	u64 nodes;
	gfp_t gfp;
	pid_t pid;
	unsigned int nr_marked;
	unsigned int kills;
	unsigned int kills_before;
	s8 order;
	s8 constraint;
	u8 kind;
	u8 trigger;
	u8 outcome;
	u8 by;
	u8 reach;
	u8 nr_victims;
	u8 nr_candidates;
	u8 nr_zones;
	u8 caller_memcg;
	u8 limit_memcg;
	bool totalpages_known;
	bool probed;
	bool kills_tell;
	bool spared;
	bool marks_tell;
	char comm[TASK_COMM_LEN];
	struct oomlens_memory_record memory;
	struct oomlens_memcg_record memcg;
	struct oomlens_task_record victims[OOMLENS_VICTIMS];
};

/*
 * Why a call neither killed nor got memory back, which comes in rows: an outcome;
 * OOMLENS_NR_OUTCOMES for one that did something. A victim that asks for memory
 * on its way out and those who wait for it do so in turn, for one reason.
 */
static inline unsigned int oomlens_event_idle_reason(const struct oomlens_event *e)
{
	switch (e->outcome) {
	case OOMLENS_OUTCOME_DYING:
		return e->nr_marked ? OOMLENS_NR_OUTCOMES : OOMLENS_OUTCOME_IN_FLIGHT;
	case OOMLENS_OUTCOME_IN_FLIGHT:
	case OOMLENS_OUTCOME_NOBODY:
	case OOMLENS_OUTCOME_NO_FS:
		return e->outcome;
	case OOMLENS_OUTCOME_UNKNOWN:
		return e->spared || e->marks_tell ? OOMLENS_OUTCOME_UNKNOWN :
						    OOMLENS_NR_OUTCOMES;
	default:
		return OOMLENS_NR_OUTCOMES;
	}
}

/**
 * struct oomlens_finish - what is learnt of an event after it is over
 * @number: of the event; another one's means that nothing is known of this one
 * @exit_us: for each victim, from the mark to the end of its last thread
 * @freed_us: and to the moment its memory was given back
 * @paths: where the cgroups' paths are in the path log, 0 for none
 */
struct oomlens_finish {
	unsigned long number;
	u32 exit_us[OOMLENS_VICTIMS];
	u32 freed_us[OOMLENS_VICTIMS];
	u32 paths[];
};

/* Of a trace event's fields: long enough for each name of the enums above. */
#define OOMLENS_NAME_SIZE	12

/* In exit_us and freed_us. */
#define OOMLENS_US_UNKNOWN	U32_MAX

/* The clock that an NMI may read can step back a little when it is adjusted. */
static inline u64 oomlens_elapsed_ns(u64 since, u64 now)
{
	return now > since ? now - since : 0;
}

/* ---- ring.c ---- */

extern unsigned int oomlens_nr_zones;	/* populated at load */

/* Of each event: cgroups named, and the bytes of its records. */
static inline unsigned int oomlens_max_memcgs(void)
{
	return oomlens_candidates + OOMLENS_MORE_MEMCGS;
}

static inline size_t oomlens_finish_size(void)
{
	return offsetof(struct oomlens_finish, paths) + oomlens_max_memcgs() * sizeof(u32);
}

static inline size_t oomlens_candidates_at(void)
{
	return ALIGN(sizeof(struct oomlens_event) +
		     oomlens_nr_zones * sizeof(struct oomlens_zone_record),
		     __alignof__(struct oomlens_task_record));
}

static inline struct oomlens_zone_record *oomlens_event_zones(const struct oomlens_event *e)
{
	return (struct oomlens_zone_record *)(e + 1);
}

static inline struct oomlens_task_record *
oomlens_event_candidates(const struct oomlens_event *e)
{
	return (struct oomlens_task_record *)((char *)e + oomlens_candidates_at());
}

struct oom_control;

/* For the OOM path. */
struct oomlens_event *oomlens_event_begin(bool probed);
void oomlens_event_tell_kills(unsigned int kills);
struct oomlens_event *oomlens_event_peek(void);
void oomlens_event_resume(struct oomlens_event *e);
void oomlens_event_pause(struct oomlens_event *e, unsigned int settle_ms);
void oomlens_event_end(void);
u8 oomlens_event_memcg(struct oomlens_event *e, struct mem_cgroup *memcg);

/* For the kthread and readers. */
enum oomlens_event_state {
	OOMLENS_EVENT_OPEN,
	OOMLENS_EVENT_SETTLING,		/* more may be heard of it for a moment */
	OOMLENS_EVENT_OVER,
};

int oomlens_ring_init(void);
void oomlens_ring_exit(void);
size_t oomlens_event_size(void);
unsigned long oomlens_event_newest(void);
unsigned long oomlens_event_kept(unsigned long number);
enum oomlens_event_state oomlens_event_state(unsigned long number);
bool oomlens_event_copy_head(unsigned long number, struct oomlens_event *e);
bool oomlens_event_copy(unsigned long number, struct oomlens_event *e,
			struct oomlens_finish *f);
void oomlens_event_was_read(unsigned long number);
unsigned int oomlens_event_take_memcgs(unsigned long number, struct mem_cgroup **memcgs);
struct oomlens_finish *oomlens_finish_begin(unsigned long number);
void oomlens_finish_end(void);

/* ---- recorder.c ---- */

void oomlens_recorder_kick(void);
bool oomlens_event_claim(struct oomlens_event *e, bool sysrq);
bool oomlens_event_claimed(const struct oomlens_event *e);
unsigned long oomlens_event_next(unsigned long number);
__poll_t oomlens_event_poll(struct file *file, poll_table *wait, unsigned long next);

/* ---- sources.c ---- */

int oomlens_sources_init(void);
void oomlens_sources_exit(void);
bool oomlens_event_told(struct oomlens_event *e);

/* ---- capture.c ---- */

/*
 * On x86 without ftrace a probe is a breakpoint, and lockdep takes that for an
 * NMI, in which no lock may be taken that is taken elsewhere. There is no
 * danger: the breakpoint is the first byte of out_of_memory().
 */
static inline bool oomlens_lockdep_would_complain(void)
{
	return IS_ENABLED(CONFIG_PROVE_LOCKING) && in_nmi();
}

unsigned int oomlens_count_zones(void);
const char *oomlens_zone_name(const struct oomlens_zone_record *r);
void oomlens_pack_task(struct oomlens_task_record *r, const struct oomlens_sample *s);
void oomlens_capture_entry(struct oomlens_event *e, const struct oom_control *oc);
unsigned long oomlens_kernel_kills(void);
unsigned long oomlens_caller_ooms(void);
bool oomlens_may_be_sysrq(void);
void oomlens_capture_victim(struct oomlens_event *e, struct task_struct *victim,
			    bool killed);

/* ---- candidates.c ---- */

int oomlens_candidates_init(void);
void oomlens_candidates_exit(void);
void oomlens_capture_candidates(struct oomlens_event *e, const struct oom_control *oc,
				bool may_wait);

/* ---- victims.c ---- */

/* Between two looks when there is none left but those who take very long. */
#define OOMLENS_VICTIM_SLOW_NS	(20 * NSEC_PER_MSEC)

int oomlens_victims_init(void);
void oomlens_victims_exit(void);
void oomlens_victims_add(struct task_struct *victim, unsigned long number,
			 unsigned int index);
u64 oomlens_victims_poll(void);

/* ---- pathlog.c ---- */

int oomlens_pathlog_init(void);
void oomlens_pathlog_exit(void);
u32 oomlens_pathlog_add(struct mem_cgroup *memcg);
void oomlens_pathlog_copy(u32 where, char *buf, size_t size);

/* ---- events.c ---- */

const char *oomlens_kind_name(enum oomlens_kind kind);
const char *oomlens_cause_name(enum oomlens_cause cause);
const char *oomlens_outcome_name(enum oomlens_outcome outcome);
const char *oomlens_by_name(enum oomlens_by by);
void oomlens_event_log(const struct oomlens_event *e, char *memcg);

#endif /* OOMLENS_EVENT_H */
