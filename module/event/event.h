/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every call of the OOM killer, recorded. What other groups may ask of it: which
 * hooks are there, to give memory back in an OOM, to hear of each mark, and
 * which event a run of trigger's has caused.
 */
#ifndef OOMLENS_EVENT_H
#define OOMLENS_EVENT_H

#include "../oomlens.h"

struct oom_control;
struct oomlens_copy;

extern const struct oomlens_file_ops oomlens_events_file;

int oomlens_event_init(void);
void oomlens_event_exit(void);
long oomlens_event_kills(void);
unsigned int oomlens_event_slots(void);

/* panic.c: to be called every now and then. */
void oomlens_panic_look(void);

/* Each hook: NULL if it is there, or the option or parameter that it lacks. */
extern const char *oomlens_notifier_lacks;
extern const char *oomlens_mark_victim_lacks;
extern const char *oomlens_oom_probe_lacks;

/**
 * struct oomlens_relief - memory to give back in a global OOM that is not sysrq's
 * @name: printed in the event's "by"
 * @relieve: called from the OOM notifier, under oom_lock; may sleep, must not
 *	allocate, and must end in bounded time. @begin is when the notifier was
 *	called, by ktime_get_mono_fast_ns(), @freed what others have given back
 *	so far. Returns the pages given back.
 * @next: the event group's
 */
struct oomlens_relief {
	const char *name;
	unsigned long (*relieve)(u64 begin, unsigned long freed);
	struct oomlens_relief *next;
};

/**
 * struct oomlens_mark_listener - called for each task that the OOM killer marks
 * @marked: may be called with preemption off. @claimed: the event is one that
 *	the claim under way has caused; @killed: the task got SIGKILL, not merely
 *	access to the reserves; @oc: the kernel's, NULL if it is not known
 * @next: the event group's
 */
struct oomlens_mark_listener {
	void (*marked)(bool claimed, bool killed, const struct oom_control *oc);
	struct oomlens_mark_listener *next;
};

/*
 * Both before oomlens_event_init(): the hooks, which read the lists without a
 * lock, begin there. Reliefs are asked in the order in which they were registered.
 */
void oomlens_relief_register(struct oomlens_relief *relief);
void oomlens_mark_register(struct oomlens_mark_listener *listener);

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

/**
 * struct oomlens_facts - what the groups above are told of an event
 * @number: of the event
 * @time_ns: CLOCK_MONOTONIC when the OOM killer was called
 * @global: it was not the OOM of a cgroup
 * @memory: at that time
 * @copy: the event group's
 */
struct oomlens_facts {
	unsigned long number;
	u64 time_ns;
	bool global;
	const struct oomlens_memory_record *memory;
	const struct oomlens_copy *copy;
};

/* A victim or a candidate of the event; pages as at the mark, or in the walk. */
struct oomlens_facts_task {
	pid_t pid;
	u64 start_ns;			/* CLOCK_MONOTONIC */
	unsigned long pages;
	char comm[TASK_COMM_LEN];
};

/* For a listener, while it is called: the victims first. */
bool oomlens_facts_task(const struct oomlens_facts *facts, unsigned int i,
			struct oomlens_facts_task *task);
void oomlens_facts_path(const struct oomlens_facts *facts, unsigned int i, char *buf,
			size_t size);

/**
 * struct oomlens_kill_listener - called once an event that killed is complete
 * @killed: called from the recorder's kthread, before readers may have the event, so
 *	that lines which it adds are there at the first read. The kthread times the
 *	victims: no allocation, no wait but oomlens_kill_pause(), of procfs only files
 *	that it holds open with a buffer, and at most a few milliseconds; what takes
 *	longer is for a thread of the listener's own
 * @next: the event group's
 */
struct oomlens_kill_listener {
	void (*killed)(const struct oomlens_facts *facts);
	struct oomlens_kill_listener *next;
};

/* Before oomlens_event_init(), as the two above. */
void oomlens_kill_register(struct oomlens_kill_listener *listener);

/* thread.c: for a listener that has to wait; victims are timed meanwhile. */
void oomlens_kill_pause(void);

/* added.c: lines that an event gets after it was recorded. */

/* The longest line, with its NUL. */
#define OOMLENS_ADDED_MAX	2048

int oomlens_event_add(unsigned long number, const char *line);

/* ring.c: whether such lines are to come, the event's "details" */
enum oomlens_details {
	OOMLENS_DETAILS_NONE,
	OOMLENS_DETAILS_PENDING,
	OOMLENS_DETAILS_DONE,
	OOMLENS_NR_DETAILS
};

void oomlens_event_set_details(unsigned long number, enum oomlens_details details);

/* claim.c: the next event that a task causes belongs to a run of trigger's. */
void oomlens_claim(struct task_struct *task);
u64 oomlens_disclaim(void);
void oomlens_claim_adopt(void);
s64 oomlens_claim_wait(unsigned int timeout_ms);

#endif /* OOMLENS_EVENT_H */
