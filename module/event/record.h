/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of one call of the OOM killer.
 *
 * Two writers never write the same part, so the record works without a lock.
 * out_of_memory() is always called with the kernel's oom_lock held: the hooks
 * are one writer of struct oomlens_event, in whatever context. What is learnt
 * later (paths, exit and freed times) goes into struct oomlens_finish, whose
 * one writer is the kthread. Readers copy both and check the sequence counts.
 */
#ifndef OOMLENS_RECORD_H
#define OOMLENS_RECORD_H

#include "../kernel/kernel.h"
#include "event.h"

/* Victims kept in full of each event; memory.oom.group can take more. */
#define OOMLENS_VICTIMS		3

/* Cgroups named by one event besides its candidates': limit, caller, victims. */
#define OOMLENS_MORE_MEMCGS	4

/* A longer path of a cgroup is cut. */
#define OOMLENS_PATH_SIZE	1024

enum oomlens_kind {
	OOMLENS_KIND_UNKNOWN,
	OOMLENS_KIND_GLOBAL,
	OOMLENS_KIND_MEMCG,
	OOMLENS_KIND_CPUSET,
	OOMLENS_KIND_MEMPOLICY,
	OOMLENS_KIND_SYSRQ,
	OOMLENS_NR_KINDS
};

enum oomlens_trigger {
	OOMLENS_TRIGGER_UNKNOWN,
	OOMLENS_TRIGGER_ALLOCATOR,
	OOMLENS_TRIGGER_SYSRQ,
	OOMLENS_TRIGGER_OOMLENS,	/* a run of the trigger file */
	OOMLENS_TRIGGER_MIN_TTL,	/* kswapd, for MGLRU's min_ttl_ms */
	OOMLENS_TRIGGER_OUTSIDE,	/* the caller is not below the limit */
	OOMLENS_NR_TRIGGERS
};

enum oomlens_outcome {
	OOMLENS_OUTCOME_UNKNOWN,
	OOMLENS_OUTCOME_KILLED,
	OOMLENS_OUTCOME_AVERTED,	/* a notifier gave memory back */
	OOMLENS_OUTCOME_DYING,		/* the caller was exiting, and was marked */
	OOMLENS_OUTCOME_EXITING,	/* the chosen task was exiting: not killed */
	OOMLENS_OUTCOME_NO_FS,		/* no __GFP_FS: the kernel did nothing */
	OOMLENS_OUTCOME_IN_FLIGHT,	/* an earlier victim has not exited yet */
	OOMLENS_OUTCOME_NOBODY,		/* no task is eligible */
	OOMLENS_OUTCOME_DISABLED,	/* the OOM killer is off, as in suspend */
	OOMLENS_OUTCOME_PANIC,		/* in the log alone: the machine is gone */
	OOMLENS_OUTCOME_PANIC_EXPECTED,	/* as above, printed before the kernel panics */
	OOMLENS_NR_OUTCOMES
};

/* How far the walk for candidates came. */
enum oomlens_walk_result {
	OOMLENS_WALK_NONE,		/* not made: the OOM ended before */
	OOMLENS_WALK_OFF,		/* candidates=0 */
	OOMLENS_WALK_COMPLETE,
	OOMLENS_WALK_PARTIAL,		/* out of time, or a task's lock was taken */
	OOMLENS_WALK_LIMITED,		/* not made: the last one was too recent */
	OOMLENS_NR_WALK_RESULTS
};

/**
 * struct oomlens_task_record - a candidate or a victim
 * @pid: thread group id in the initial PID namespace
 * @tid: of a victim, the thread that the kernel named
 * @uid: in the initial user namespace
 * @threads: in the group
 * @start_ns: CLOCK_MONOTONIC when the leader began
 * @terms: pages
 * @locked: pages, mm->locked_vm
 * @vm_total: pages, mm->total_vm
 * @adj: oom_score_adj
 * @memcg: index into the event's cgroups, from 1; 0 is none
 * @verdict: enum oomlens_verdict; of a candidate
 * @killable: as in struct oomlens_task
 * @killed: a victim that got the kernel's SIGKILL, not merely the reserves
 * @comm: of the group leader; of a victim, of the thread that the kernel named
 */
struct oomlens_task_record {
	pid_t pid;
	pid_t tid;
	uid_t uid;
	u32 threads;
	u64 start_ns;
	struct oomlens_terms terms;
	unsigned long locked;
	unsigned long vm_total;
	s16 adj;
	u8 memcg;
	u8 verdict;
	bool killable;
	bool killed;
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

/* The cgroup whose limit was hit; pages. PAGE_COUNTER_MAX is no limit. */
struct oomlens_memcg_record {
	unsigned long usage;
	unsigned long limit;
	unsigned long swap;		/* v1: memory and swap together */
	unsigned long swap_limit;
	bool v2;
};

/**
 * struct oomlens_event - one call of the OOM killer, as seen while it ran
 * @number: from 1, without gaps; 0 in a slot that was never used
 * @time_ns: CLOCK_MONOTONIC when it was entered
 * @real_ns: CLOCK_REALTIME then
 * @duration_ns: until it returned; 0 without the return probe
 * @capture_ns: of that, spent in this module
 * @totalpages: that the points were judged against
 * @freed: pages that notifiers gave back
 * @nodes: that a cpuset or mempolicy OOM may use, the first 64; other OOMs 0
 * @by: name of the last relief that gave; NULL if nothing was given back
 * @gfp: mask of the allocation
 * @pid: thread group id of the caller
 * @nr_marked: victims, those that did not fit into @victims too
 * @kills: SIGKILLs by the kernel's count; a group kill counts the first twice
 * @kills_before: that count when it began
 * @order: of the allocation, -1 for sysrq
 * @constraint: enum oom_constraint, -1 if the kernel did not get to it
 * @kind: enum oomlens_kind
 * @trigger: enum oomlens_trigger
 * @outcome: enum oomlens_outcome
 * @walk: enum oomlens_walk_result
 * @nr_victims: in @victims
 * @nr_candidates: of the records that follow
 * @nr_zones: of the zones' records that follow
 * @caller_memcg: index into the event's cgroups
 * @limit_memcg: index of the one whose limit was hit, memcg OOMs only
 * @totalpages_known: false if the OOM ended before the kernel worked it out
 * @probed: seen from entry to return, so that nothing was guessed
 * @kills_tell: neither probed nor marked, but the count tells what it did
 * @spared: and it told that no task was killed
 * @marks_tell: not probed, but a kill would be marked
 * @comm: of the caller
 * @memory: at entry
 * @memcg: at entry, of the cgroup whose limit was hit
 * @limit_id: oomlens_memcg_serial() of that cgroup, 0 for none
 * @idle: an idle call's run up to it: the calls with each outcome
 * @relieved: this module gave memory back
 * @victims: the first that were marked
 *
 * The zones' and the candidates' records follow, see oomlens_event_zones().
 */
struct oomlens_event {
	unsigned long number;
	u64 time_ns;
	u64 real_ns;
	u64 duration_ns;
	u64 capture_ns;
	unsigned long totalpages;
	unsigned long freed;
	u64 nodes;
	u64 limit_id;
	const char *by;
	gfp_t gfp;
	pid_t pid;
	unsigned int nr_marked;
	unsigned int kills;
	unsigned int kills_before;
	u32 idle[OOMLENS_NR_OUTCOMES];
	s8 order;
	s8 constraint;
	u8 kind;
	u8 trigger;
	u8 outcome;
	u8 walk;
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
	bool relieved;
	char comm[TASK_COMM_LEN];
	struct oomlens_memory_record memory;
	struct oomlens_memcg_record memcg;
	struct oomlens_task_record victims[OOMLENS_VICTIMS];
};

/**
 * struct oomlens_finish - what is learnt of an event after it is over
 * @number: of the event; another number means that nothing is known of it
 * @exit_us: for each victim, from the mark to the start of its last thread's exit
 * @freed_us: and to the moment its memory was given back
 * @paths: place of each cgroup's path in the ring of paths, 0 for none
 */
struct oomlens_finish {
	unsigned long number;
	u32 exit_us[OOMLENS_VICTIMS];
	u32 freed_us[OOMLENS_VICTIMS];
	u32 paths[];
};

/* In exit_us and freed_us. */
#define OOMLENS_US_UNKNOWN	U32_MAX

/* The clock that an NMI may read can step back a little when it is adjusted. */
static inline u64 oomlens_elapsed_ns(u64 since, u64 now)
{
	return now > since ? now - since : 0;
}

#endif /* OOMLENS_RECORD_H */
