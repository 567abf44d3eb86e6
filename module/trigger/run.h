/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What trigger's commands share: what their words ask for, what a run reports,
 * the pages that a run or the reserve holds, and the permission. The words are
 * parsed before anything is locked or done.
 */
#ifndef OOMLENS_RUN_H
#define OOMLENS_RUN_H

#include "../event/event.h"
#include "../kernel/kernel.h"

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
	unsigned int pid;			/* kill: of this process; 0: of any */
	struct oomlens_pressure_request pressure;
};

/**
 * struct oomlens_run - what a command of trigger reports besides its result
 * @event: the OOM that it caused, 0 if none
 * @taken: pages that it gave back, to an OOM or at its end
 * @take_ns: time that taking them took
 * @give_ns: time that giving them back took
 */
struct oomlens_run {
	u64 event;
	unsigned long taken;
	u64 take_ns;
	u64 give_ns;
};

/* ---- permit.c ---- */

extern bool oomlens_trigger_enabled;	/* trigger and reserve may be written */

__printf(1, 2) void oomlens_refused(const char *fmt, ...);
int oomlens_permitted(const struct seq_file *m);

/* ---- give_back.c ---- */

/**
 * struct oomlens_pool - pages held, to be given back at once
 * @lock: never held over an allocation or a free
 * @blocks: by page->lru, each of 1 << page_private() pages, largest first
 * @pages: in blocks
 * @order: the largest block that is still worth trying for; the grower's
 * @closed: takes in nothing
 */
struct oomlens_pool {
	spinlock_t lock;		/* of all below but order */
	struct list_head blocks;
	unsigned long pages;
	unsigned int order;
	bool closed;
};

#define OOMLENS_POOL_INIT(pool) {				\
	.lock	= __SPIN_LOCK_UNLOCKED(pool.lock),		\
	.blocks	= LIST_HEAD_INIT((pool).blocks),		\
	.closed	= true,						\
}

void oomlens_pool_open(struct oomlens_pool *pool);
void oomlens_pool_close(struct oomlens_pool *pool);
unsigned long oomlens_pool_grow(struct oomlens_pool *pool, unsigned long max, gfp_t gfp);
unsigned long oomlens_pool_give_batch(struct oomlens_pool *pool, unsigned long pages);
unsigned long oomlens_pool_give(struct oomlens_pool *pool, unsigned long pages, u64 bound_ns);

/* ---- kill.c ---- */

extern struct oomlens_mark_listener oomlens_kill_marks;

int oomlens_kill_allowed(const struct oomlens_scope *scope);
int oomlens_kill_eligible(const struct oomlens_scope *scope);
int oomlens_kill_parse(char *args, union oomlens_request *req);
int oomlens_kill_run(const union oomlens_request *req, struct oomlens_run *run);

/* ---- pressure.c, pressure_args.c ---- */

extern struct oomlens_mark_listener oomlens_pressure_listener;
extern struct oomlens_relief oomlens_pressure_relief;

void oomlens_pressure_exit(void);
int oomlens_pressure_parse(char *args, union oomlens_request *req);
int oomlens_pressure_run(const union oomlens_request *req, struct oomlens_run *run);

/* ---- reserve.c ---- */

extern struct oomlens_relief oomlens_reserve_relief;

void oomlens_reserve_exit(void);

#endif /* OOMLENS_RUN_H */
