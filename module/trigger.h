/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trigger's commands: what their words ask for, and what a run reports. The
 * words are taken apart before anything is locked or done.
 */
#ifndef OOMLENS_TRIGGER_H
#define OOMLENS_TRIGGER_H

#include <linux/types.h>

/**
 * struct oomlens_pressure_request - what a run is asked for
 * @kill: let the kernel choose, once; else a drill
 * @memcg: charge the writer's cgroup
 * @hold: @hold_ms was given
 * @leave: the level, pages; 0: none
 * @limit: the most to take, pages; 0: no limit
 * @hold_ms: how long to stay
 * @timeout_s: of the whole run
 */
struct oomlens_pressure_request {
	bool kill;
	bool memcg;
	bool hold;
	unsigned long leave;
	unsigned long limit;
	unsigned int hold_ms;
	unsigned int timeout_s;
};

/* Of the command that was asked for. */
union oomlens_request {
	pid_t pid;				/* kill: of this process; 0: of whom it will */
	struct oomlens_pressure_request pressure;
};

/**
 * struct oomlens_run - what a command of trigger reports besides its result
 * @event: the OOM that it caused, 0 if none
 * @taken: pages, the most that it held
 * @take_ns: time that taking them took
 * @give_ns: time that giving them back took
 */
struct oomlens_run {
	u64 event;
	unsigned long taken;
	u64 take_ns;
	u64 give_ns;
};

/* The OOM killer has killed somebody for the run under way, by its mark. */
extern bool oomlens_kill_seen;

int oomlens_kill_parse(char *args, union oomlens_request *req);
int oomlens_kill_run(const union oomlens_request *req, struct oomlens_run *run);
int oomlens_pressure_parse(char *args, union oomlens_request *req);
int oomlens_pressure_run(const union oomlens_request *req, struct oomlens_run *run);

#endif /* OOMLENS_TRIGGER_H */
