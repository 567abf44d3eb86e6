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

extern const struct oomlens_file_ops oomlens_events_file;

int oomlens_event_init(void);
void oomlens_event_exit(void);
long oomlens_event_kills(void);
unsigned int oomlens_event_slots(void);

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
 * lock, begin there. They are asked in the order in which they were registered.
 */
void oomlens_relief_register(struct oomlens_relief *relief);
void oomlens_mark_register(struct oomlens_mark_listener *listener);

/* claim.c: the next event that a task causes belongs to a run of trigger's. */
void oomlens_claim(struct task_struct *task);
u64 oomlens_disclaim(void);
void oomlens_claim_adopt(void);
s64 oomlens_claim_wait(unsigned int timeout_ms);

#endif /* OOMLENS_EVENT_H */
