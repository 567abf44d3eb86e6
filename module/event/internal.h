/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the event group ask of each other; lower ones first.
 */
#ifndef OOMLENS_EVENT_INTERNAL_H
#define OOMLENS_EVENT_INTERNAL_H

#include <linux/hardirq.h>
#include <linux/kernel.h>
#include <linux/seqlock.h>

#include "record.h"

/* ---- names.c ---- */

/* Of a trace event's fields: panic_expected alone is longer, which is in no trace event. */
#define OOMLENS_NAME_SIZE	12

extern const char * const oomlens_kind_names[OOMLENS_NR_KINDS];
extern const char * const oomlens_trigger_names[OOMLENS_NR_TRIGGERS];
extern const char * const oomlens_outcome_names[OOMLENS_NR_OUTCOMES];
extern const char * const oomlens_details_names[OOMLENS_NR_DETAILS];
extern const char * const oomlens_walk_names[OOMLENS_NR_WALK_RESULTS];
extern const char * const oomlens_constraint_names[];	/* by the kernel's enum */

const char *oomlens_zone_name(const struct oomlens_zone_record *r);

/* ---- outcome.c ---- */

bool oomlens_outcome_idle(const struct oomlens_event *e);
bool oomlens_outcome_repeated(const struct oomlens_event *e);
void oomlens_outcome_by_count(struct oomlens_event *e, unsigned long kernel_kills);

/* ---- index.c ---- */

/* One event; the three parts of its record follow. */
struct oomlens_slot {
	seqcount_t seq;			/* odd while the OOM path writes; see copy_slot() */
	seqcount_t finish_seq;		/* odd while the kthread writes */
	unsigned long number;		/* of the event in it, written with seq odd */
	unsigned long settled;		/* jiffies, in SLOT_SETTLING */
	unsigned long details;		/* number * OOMLENS_NR_DETAILS + enum oomlens_details */
	atomic_long_t read;		/* highest number that a reader was given */
	atomic_t refs;			/* enum refs_state: owner of the next three */
	u32 refs_number;		/* of the event that took them, its lower bits */
	u8 nr_refs;
	bool no_refs;			/* the event in it could not have them */
	u8 state;			/* enum slot_state */
} __aligned(sizeof(u64));		/* as the event that follows */

static inline struct oomlens_event *oomlens_slot_event(struct oomlens_slot *slot)
{
	return (struct oomlens_event *)(slot + 1);
}

unsigned int oomlens_index_slots(unsigned int events);
int oomlens_index_init(unsigned int events);
void oomlens_index_give(struct oomlens_slot *slot);
void oomlens_index_exit(void);
bool oomlens_index_in_run(const struct oomlens_event *e);
void oomlens_index_count(struct oomlens_event *e);
struct oomlens_slot *oomlens_index_add(unsigned long number);
struct oomlens_slot *oomlens_index_find(unsigned long number);
unsigned long oomlens_event_kept(unsigned long number);

/* ---- ring.c ---- */

#define OOMLENS_CANDIDATES_MAX	64

extern unsigned int oomlens_nr_candidates;	/* recorded with each event, at most */

enum oomlens_event_state {
	OOMLENS_EVENT_OPEN,
	OOMLENS_EVENT_SETTLING,		/* more may be heard of it for a moment */
	OOMLENS_EVENT_OVER,
};

int oomlens_ring_check(void);
int oomlens_ring_init(unsigned int zones, unsigned long bytes);
void oomlens_ring_exit(void);

/* For the OOM path. */
struct oomlens_event *oomlens_event_begin(bool probed, u64 now);
void oomlens_event_count_kills(unsigned long kernel_kills);
struct oomlens_event *oomlens_event_peek(void);
struct oomlens_event *oomlens_event_under_way(bool *own);
struct mem_cgroup *oomlens_event_open_memcg(unsigned int index);
void oomlens_event_resume(struct oomlens_event *e);
void oomlens_event_pause(struct oomlens_event *e, unsigned int settle_ms);
void oomlens_event_end(void);
u8 oomlens_event_memcg(struct oomlens_event *e, struct mem_cgroup *memcg);

/* For the kthread and readers. */
unsigned int oomlens_ring_memcgs(void);
unsigned int oomlens_ring_zones(void);
struct oomlens_zone_record *oomlens_event_zones(const struct oomlens_event *e);
struct oomlens_task_record *oomlens_event_candidates(const struct oomlens_event *e);
size_t oomlens_event_size(void);
size_t oomlens_finish_size(void);
unsigned long oomlens_event_newest(void);
enum oomlens_event_state oomlens_event_state(unsigned long number);
enum oomlens_details oomlens_event_details(unsigned long number);
bool oomlens_event_copy_head(unsigned long number, struct oomlens_event *e);
bool oomlens_event_copy(unsigned long number, struct oomlens_event *e,
			struct oomlens_finish *f);
void oomlens_event_was_read(unsigned long number);
unsigned int oomlens_event_take_memcgs(unsigned long number, struct mem_cgroup **memcgs);
struct oomlens_finish *oomlens_finish_begin(unsigned long number);
void oomlens_finish_end(void);

/* ---- publish.c ---- */

void oomlens_publish(unsigned long number);
unsigned long oomlens_published(void);
unsigned long oomlens_published_next(unsigned long number);
__poll_t oomlens_published_poll(struct file *file, poll_table *wait, unsigned long next);
long oomlens_published_wait(const unsigned long *number, unsigned int timeout_ms);

/* ---- claim.c ---- */

bool oomlens_claim_event(struct oomlens_event *e, bool sysrq);
bool oomlens_claim_holds(const struct oomlens_event *e);

/* ---- paths.c ---- */

int oomlens_paths_init(void);
void oomlens_paths_exit(void);
u32 oomlens_path_add(struct mem_cgroup *memcg);
void oomlens_path_copy(u32 where, char *buf, size_t size);

/* ---- added.c ---- */

int oomlens_added_init(size_t bytes);
void oomlens_added_exit(void);
bool oomlens_added_show(struct seq_file *m, unsigned long number, unsigned int nth);
size_t oomlens_added_size(void);

/* ---- victims.c ---- */

/* Between two looks when only victims are left that take very long. */
#define OOMLENS_VICTIM_SLOW_NS	(20 * NSEC_PER_MSEC)

int oomlens_victims_init(void);
void oomlens_victims_exit(void);
void oomlens_victims_add(struct task_struct *victim, unsigned long number,
			 unsigned int index);
bool oomlens_victims_follow(struct task_struct *victim);
bool oomlens_victims_awaited(const struct oomlens_scope *scope);
u64 oomlens_victims_poll(void);

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
void oomlens_capture_entry(struct oomlens_event *e, const struct oom_control *oc);
void oomlens_capture_result(struct oomlens_event *e, const struct oom_control *oc);
void oomlens_capture_task(struct oomlens_task_record *r, const struct oomlens_task *task);
void oomlens_capture_victim(struct oomlens_event *e, struct task_struct *victim,
			    bool killed);

/* ---- candidates.c ---- */

int oomlens_candidates_init(void);
void oomlens_candidates_exit(void);
void oomlens_candidates_capture(struct oomlens_event *e, const struct oom_control *oc,
				bool may_wait);

bool oomlens_candidates_confined(const struct oom_control *oc);
bool oomlens_candidates_cannot_kill(const struct oom_control *oc);
void oomlens_candidates_retry(struct oomlens_event *e, const struct oom_control *oc);

/* ---- print.c ---- */

#define OOMLENS_HEAD_SIZE	320
#define OOMLENS_TAIL_SIZE	256
#define OOMLENS_COMM_SIZE	(4 * TASK_COMM_LEN + 1)

/* What a line is worth in a block that is too long: the last are dropped first. */
enum oomlens_weight {
	OOMLENS_WEIGHT_FIRST,		/* event, limit, victims, the first in line */
	OOMLENS_WEIGHT_MEMORY,
	OOMLENS_WEIGHT_ZONE,
	OOMLENS_WEIGHT_ADDED,
	OOMLENS_WEIGHT_REST,		/* the other candidates */
	OOMLENS_NR_WEIGHTS
};

struct oomlens_block;

/**
 * struct oomlens_copy - an event to be printed
 * @event: a copy, or the open event
 * @finish: NULL for the open event, whose cgroups are still in its slot
 * @path: OOMLENS_PATH_SIZE bytes
 * @block: NULL, or where the lines go as they are for the log
 * @end_line: of @block: the present line is whole
 */
struct oomlens_copy {
	struct oomlens_event *event;
	struct oomlens_finish *finish;
	char *path;
	struct oomlens_block *block;
	void (*end_line)(struct oomlens_block *block, enum oomlens_weight weight);
};

void oomlens_print_head(char *buf, const struct oomlens_event *e);
void oomlens_print_tail(char *buf, const struct oomlens_event *e);
const char *oomlens_print_comm(char *buf, const char *comm);
const char *oomlens_print_no_limit(const struct oomlens_event *e);
void oomlens_print_event(struct seq_file *m, const struct oomlens_copy *c);

/* ---- block.c ---- */

/* A longer value is cut in a block, which leaves room for its key in a record. */
#define OOMLENS_VALUE_MAX	900
/* Bytes of the longest line: the event's, with two paths. */
#define OOMLENS_BLOCK_LINE	3072

void oomlens_block_print(const struct oomlens_copy *c, char *line);

/* ---- log.c ---- */

int oomlens_log_check(void);
int oomlens_log_init(void);
void oomlens_log_exit(void);
void oomlens_log_event(unsigned long number, const struct oomlens_event *head);

/* ---- panic.c ---- */

void oomlens_panic_expect(struct oomlens_event *e, const struct oom_control *oc);
void oomlens_panic_register(void);
void oomlens_panic_unregister(void);

/* ---- facts.c ---- */

void oomlens_facts_tell(unsigned long number, const struct oomlens_copy *copy);

/* ---- thread.c ---- */

int oomlens_thread_start(void);
void oomlens_thread_stop(void);
void oomlens_thread_kick(void);
void oomlens_thread_reread_totals(void);

/* ---- hooks.c: what the hooks share ---- */

extern const struct oom_control *oomlens_probed_oc;

void oomlens_hooks_init(void);
struct oomlens_event *oomlens_hook_begin(bool probed, u64 now);
struct oomlens_event *oomlens_hook_begin_unprobed(enum oomlens_kind kind, u64 now);
unsigned int oomlens_hook_kills(void);
bool oomlens_hook_killed_since_mark(void);
bool oomlens_hook_caller_met_limit(void);
bool oomlens_hook_may_be_sysrq(void);
bool oomlens_hook_for_min_ttl(void);
void oomlens_hook_add_time(struct oomlens_event *e, u64 since);

/* ---- notifier.c, mark_victim.c, probe.c ---- */

void oomlens_notifier_register(void);
void oomlens_notifier_unregister(void);
void oomlens_mark_victim_register(void);
void oomlens_mark_victim_unregister(void);
void oomlens_probe_register(void);
void oomlens_probe_unregister(void);

#endif /* OOMLENS_EVENT_INTERNAL_H */
