// SPDX-License-Identifier: GPL-2.0
/*
 * trigger's pressure: takes real memory until the OOM killer runs, and gives
 * all of it back, whatever happens.
 *
 * The pages are allocated by the writer itself, so its cpuset, its mempolicy
 * and, if asked for, its memory cgroup are what runs out. They are in no
 * task's RSS: the writer does not become the largest process by taking them.
 */
#include <linux/cpuset.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "run.h"

/*
 * Pages of the kernel's that may lie anywhere but where they could not be moved
 * away again (CMA, ZONE_MOVABLE). The last page of all is asked for with what
 * runs the OOM killer; up to it, the same effort is made short of that.
 */
#define GFP_LAST	(GFP_HIGHUSER | __GFP_NOWARN)
#define GFP_FILL	(GFP_LAST | __GFP_RETRY_MAYFAIL)

/* Bound of the notifier. The writer gives back what is left then. */
#define RELIEF_NS	(20 * NSEC_PER_MSEC)

/*
 * How long OOM calls may pass without a kill: they lack __GFP_FS, or wait for an
 * earlier victim. oom_reaper() starts on that after 2 s (5.18 and newer), and gives up
 * after one more, or later if it has to wait for a processor; then the kernel takes the
 * next.
 */
#define FRUITLESS_MS	10000

/* Bound of the time between an allocation's last try and its call of the notifier. */
#define LATE_NS		(20 * NSEC_PER_MSEC)
/* The same if the task had to wait for a processor; the pages must still be free. */
#define LATE_FREE_NS	NSEC_PER_SEC

/* Between two looks at the level while it is held. */
#define HOLD_TICK_MS	50

/* Pages that CPU stocks and the cgroup's own tasks may free between two looks. */
#define MEMCG_SLACK	256UL

/*
 * What a cgroup gets back with the mark: room for its tasks until the kworker has run.
 * At least MARK_ROOM pages, however long that takes, and more until MARK_NS have passed.
 */
#define MARK_ROOM	(SZ_2M >> PAGE_SHIFT)
#define MARK_NS		(100 * NSEC_PER_USEC)

/* Pages taken between two looks at the level, at most. */
#define STRIDE_MAX	8192UL

/*
 * Pages by which the level may be missed. Near the level no block is smaller than
 * half of this. For smaller blocks each CPU has a list, which it fills by up to 2016
 * pages at a time (6.7 and newer): the level would be missed by as much.
 */
#define LEVEL_SLACK	32UL

/* Rounds of taking and giving back until the level is reached. */
#define SETTLE_TRIES	4

/*
 * Held by the notifier while it looks at the run, and by the run where it begins,
 * ends and gives back; never over an allocation. A writer of low priority may be
 * preempted with it, so the notifier, for which the kernel's oom_lock is held,
 * waits for LOCK_MS at most.
 */
static DEFINE_MUTEX(relief_lock);

#define LOCK_MS		50

/* The one run. What is not said to change is constant while active is set. */
static struct {
	bool active;			/* under relief_lock; its setting is a release */
	struct oomlens_pressure_request req;
	struct oomlens_scope scope;	/* of the OOM that is to come */
	struct task_struct *writer;	/* in its write for all of the run */
	struct mem_cgroup *memcg;	/* held, with req.memcg */
	unsigned long deadline;		/* jiffies; changed by the run */
	unsigned long memcg_ooms;	/* the counter's value at the start */
	struct oomlens_pool pool;	/* has its lock */
	bool kill_seen;			/* the OOM killer has killed a task for the run */
	atomic_t ooms;			/* calls of the OOM killer seen */
	unsigned long first_oom;	/* jiffies; under relief_lock */
	u64 start_ns;			/* before any that gives back */
	u64 relief_ns;			/* spent on giving back; under relief_lock */
	unsigned long relieved;		/* pages given back; under relief_lock */
	unsigned long mark_pages;	/* besides these; by marked(), under oom_lock */
	u64 mark_ns;			/* spent on these */
	u64 relieved_at;		/* the last pages, of any run; under relief_lock */
	unsigned long relieved_free;	/* pages free if most came back; under relief_lock */
	wait_queue_head_t wait;		/* for the end, while holding */
} pressure = {
	.pool		= OOMLENS_POOL_INIT(pressure.pool),
	.wait		= __WAIT_QUEUE_HEAD_INITIALIZER(pressure.wait),
};

/* ---- the notifier's side ---- */

/*
 * The scope of an OOM that the caller's allocation brings. Source: mm/oom_kill.c,
 * constrained_alloc(), oom_cpuset_eligible(): without a bound mempolicy it is the
 * tasks whose cpuset meets the caller's, whatever the constraint.
 */
static void find_scope(struct oomlens_scope *scope)
{
	*scope = (struct oomlens_scope){ .kind = OOMLENS_SCOPE_GLOBAL };
#ifdef CONFIG_NUMA
	scope->kind = OOMLENS_SCOPE_CPUSET;
	scope->nodes = cpuset_current_mems_allowed;
	if (current->mempolicy && current->mempolicy->mode == MPOL_BIND) {
		scope->kind = OOMLENS_SCOPE_MEMPOLICY;
		scope->nodes = *oomlens_mempolicy_nodes(current->mempolicy);
	}
#endif
}

/* Has the OOM killer killed a task? Without the marks, an OOM counts as a kill. */
static bool killed(void)
{
	return READ_ONCE(pressure.kill_seen) ||
	       (oomlens_mark_victim_lacks && atomic_read(&pressure.ooms));
}

/*
 * May the kernel choose a victim now, in the OOM of the calling task? Once, not
 * when the pages are on their way back, and not when it would find none: then it
 * panics.
 */
static bool leave_to_kernel(int ooms)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	struct oomlens_scope scope;

	if (!req->kill || req->memcg || READ_ONCE(pressure.pool.closed))
		return false;
	if (ooms == 1)
		pressure.first_oom = jiffies;
	else if (killed() || time_after(jiffies, pressure.first_oom +
						 msecs_to_jiffies(FRUITLESS_MS)))
		return false;
	if (time_after(jiffies, READ_ONCE(pressure.deadline)) ||
	    signal_pending(pressure.writer))
		return false;
	find_scope(&scope);
	return oomlens_kill_eligible(&scope) > 0;
}

/* Gives back for RELIEF_NS and one batch at most. The pool takes no more pages. */
static unsigned long give_some(void)
{
	u64 start = ktime_get_ns();
	unsigned long given, before = global_zone_page_state(NR_FREE_PAGES);

	lockdep_assert_held(&relief_lock);
	oomlens_pool_close(&pressure.pool);
	given = oomlens_pool_give(&pressure.pool, ULONG_MAX, RELIEF_NS);
	pressure.relieved += given;
	pressure.relief_ns += ktime_get_ns() - start;
	if (given) {
		/* The first batch found memory as short as it was. */
		if (pressure.relieved == given)
			pressure.relieved_free = before;
		pressure.relieved_free += given / 2;
		pressure.relieved_at = ktime_get_mono_fast_ns();
	}
	wake_up(&pressure.wait);
	return given;
}

/* Gives all back. Between two rounds the notifier, under oom_lock, can have the lock. */
static void give_all(struct work_struct *unused)
{
	unsigned long given;

	do {
		mutex_lock(&relief_lock);
		given = pressure.active ? give_some() : 0;
		mutex_unlock(&relief_lock);
	} while (given);
}

/*
 * Did all pages come back after an allocation's last try? The kernel makes it
 * before the notifier, and would kill although there is room by now. Not for
 * longer than LATE_FREE_NS: the room may be where this allocation may not go.
 */
static bool came_too_late(u64 since)
{
	u64 late = pressure.relieved_at;

	if (!late || since >= late + LATE_FREE_NS)
		return false;
	return since < late + LATE_NS ||
	       global_zone_page_state(NR_FREE_PAGES) >= pressure.relieved_free;
}

static bool lock_in_time(void)
{
	unsigned long end = jiffies + msecs_to_jiffies(LOCK_MS);

	while (!mutex_trylock(&relief_lock)) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/*
 * A global OOM: give back, unless the kernel is to kill. Called in whichever
 * task's allocation has failed; the run's own is one of them. A memcg run did
 * not mean this OOM, and gives way to it.
 *
 * It takes LOCK_MS, RELIEF_NS and one batch at most; in a kill, one walk over the
 * tasks. Returns the pages given back; 1 if the last were just given back, by
 * this run or the one before, so that the allocation may try again.
 */
static unsigned long relieve(u64 begin, unsigned long freed)
{
	unsigned long given = 0;
	bool choose = false;

	/* Whatever the run is doing, its pages are worth more to this allocation. */
	if (!lock_in_time())
		return oomlens_pool_give(&pressure.pool, ULONG_MAX, RELIEF_NS);
	if (pressure.active) {
		oomlens_claim_adopt();
		choose = leave_to_kernel(atomic_inc_return(&pressure.ooms));
		if (!choose)
			given = give_some();
	}
	if (!choose && !given)
		given = came_too_late(begin);
	mutex_unlock(&relief_lock);
	return given;
}

struct oomlens_relief oomlens_pressure_relief = {
	.name		= "pressure",
	.relieve	= relieve,
};

/* For what is not given back at the mark. */
static DECLARE_WORK(give_work, give_all);

/*
 * A cgroup's charge goes round in the kernel, whichever of its tasks makes it, and a
 * small victim is soon gone: the charge has to find room, or it brings a second kill.
 */
static void give_at_mark(void)
{
	u64 spent, begin = ktime_get_ns();
	unsigned long given = 0, n;

	do {
		n = oomlens_pool_give_batch(&pressure.pool, MARK_ROOM);
		given += n;
		spent = ktime_get_ns() - begin;
	} while (n && (given < MARK_ROOM || spent < MARK_NS));
	pressure.mark_pages += given;
	pressure.mark_ns += spent;
}

/*
 * After a kill the pages must be back before a second one. In a global OOM the
 * allocator asks the notifier again before it gets there.
 *
 * On PREEMPT_RT all these locks sleep, and before 7.0 a tracepoint's probe has
 * preemption disabled: there all is left to the kworker.
 */
static void give_after_kill(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible()) {
		oomlens_pool_close(&pressure.pool);
		if (pressure.req.memcg)
			give_at_mark();
	}
	queue_work(system_highpri_wq, &give_work);
}

/*
 * The OOM killer has marked a task. The mark of another OOM does not end a run,
 * nor make it one that killed: other cgroups have OOMs too.
 *
 * RCU keeps the run and its cgroup in place here: since 7.0 the kernel calls a
 * tracepoint's probes without it. The task's task_lock() is held.
 */
static void marked(bool claimed, bool killed, const struct oom_control *oc)
{
	bool active, ours = claimed;

	rcu_read_lock();
	/* Pairs with start_run(). */
	active = smp_load_acquire(&pressure.active);
	/* In the run's cgroup it is ours, whichever task asked for a page too many. */
	if (active && pressure.req.memcg)
		ours = oc ? oc->memcg && oomlens_memcg_within(pressure.memcg, oc->memcg) :
			    oomlens_memcg_ooms(pressure.memcg) != pressure.memcg_ooms;
	if (ours && killed)
		WRITE_ONCE(pressure.kill_seen, true);
	if (ours && active && pressure.req.kill)
		give_after_kill();
	rcu_read_unlock();
}

struct oomlens_mark_listener oomlens_pressure_listener = {
	.marked = marked,
};

/* ---- the writer's side ---- */

/* Has an OOM ended the run? */
static bool over(void)
{
	/* Pairs with oomlens_pool_close(): whether it killed is known by then. */
	if (smp_load_acquire(&pressure.pool.closed))
		return true;
	/* The kernel calls a cgroup's OOM off if there is room by then: go on. */
	if (pressure.req.memcg)
		return oomlens_memcg_ooms(pressure.memcg) != pressure.memcg_ooms &&
		       (!pressure.req.kill || killed());
	return atomic_read(&pressure.ooms) && killed();
}

/* Pages that can still be taken: the figure that @leave is compared with. */
static unsigned long available(void)
{
	if (pressure.req.memcg)
		return oomlens_memcg_room(pressure.memcg);
	return max(si_mem_available(), 0L);
}

/* Pages to take before looking again; 0 at the level. */
static unsigned long stride(void)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	unsigned long n = STRIDE_MAX;

	if (req->leave) {
		unsigned long now = available();

		/* leave may be near ULONG_MAX; so may now, if there is no limit. */
		if (now < req->leave || now - req->leave < LEVEL_SLACK)
			return 0;
		/* Others take memory too; and the figure lags behind. */
		n = min(n, (now - req->leave) / 2);
	}
	if (req->limit)
		n = min(n, req->limit - min(req->limit, READ_ONCE(pressure.pool.pages)));
	return n;
}

/*
 * Memory is out but for what only the OOM killer brings: run it, or, in the
 * drill of a cgroup, where no notifier could call it off, let that be the end.
 */
static int last_page(void)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	const gfp_t gfp = GFP_LAST | (req->memcg ? __GFP_ACCOUNT : 0);
	int err;

	/* A level is to be reached without an OOM. */
	if (req->leave)
		return -ENOMEM;
	/* The machine ran out before the cgroup. */
	if (req->memcg && oomlens_memcg_room(pressure.memcg) > MEMCG_SLACK)
		return -ENOMEM;
	if (req->memcg && !req->kill)
		return 0;
	/* Checked again, as taking took time. Another task may bring the OOM meanwhile. */
	err = req->kill ? oomlens_kill_allowed(&pressure.scope) : 0;
	if (err)
		return over() ? -EAGAIN : err;
	if (oomlens_pool_grow(&pressure.pool, 1, gfp) || over())
		return -EAGAIN;
	return signal_pending(current) ? -EINTR : -ENOMEM;
}

/* Until an OOM (1), the level (0), or what stops it before (an error). */
static int take(void)
{
	const gfp_t gfp = GFP_FILL | (pressure.req.memcg ? __GFP_ACCOUNT : 0);
	unsigned long left = 0, n;
	int err;

	for (;;) {
		if (over())
			return 1;
		if (signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, pressure.deadline))
			return -ETIMEDOUT;
		if (!left)
			left = stride();
		if (!left)
			return 0;
		n = oomlens_pool_grow(&pressure.pool, left, gfp);
		if (n) {
			left -= n;
			cond_resched();
			continue;
		}
		if (over())
			continue;
		err = last_page();
		if (err != -EAGAIN)
			return err ?: 1;
	}
}

/* Gives back down to the level. Returns false if no page was given back. */
static bool ease(void)
{
	unsigned long now = available(), leave = pressure.req.leave;

	if (now >= leave || leave - now <= LEVEL_SLACK)
		return false;
	return oomlens_pool_give(&pressure.pool, leave - now, 0);
}

/*
 * Takes up to the level, and gives back what was too much: other tasks took memory,
 * or a CPU filled its list because there were no larger blocks.
 */
static int reach(void)
{
	int tries, err;

	for (tries = 0; tries < SETTLE_TRIES; tries++) {
		err = take();
		if (err || !pressure.req.leave || !ease())
			return err;
	}
	return 0;
}

/* Stays at the level: takes what other tasks free, and gives back what they take. */
static int hold(void)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	unsigned long end = req->hold ? jiffies + msecs_to_jiffies(req->hold_ms) :
					pressure.deadline;
	long left;
	int err;

	while ((left = (long)(end - jiffies)) > 0) {
		left = min_t(long, left, msecs_to_jiffies(HOLD_TICK_MS));
		if (wait_event_interruptible_timeout(pressure.wait, over(), left) < 0)
			return -EINTR;
		if (over())
			return 1;
		WRITE_ONCE(pressure.deadline, end);
		err = req->leave ? reach() : 0;
		/* -ENOMEM does not end the run: memory may be free at the next look. */
		if (err && err != -ENOMEM)
			return err == -ETIMEDOUT ? 0 : err;
	}
	return 0;
}

/* The writer's cgroup, held, if it can run out by what the kernel is charged. */
static int find_memcg(void)
{
	struct mem_cgroup *memcg;
	bool held;
	int err;

	rcu_read_lock();
	memcg = oomlens_memcg_of(current);
	held = oomlens_memcg_tryget(memcg);
	rcu_read_unlock();
	if (!held)
		return -EOPNOTSUPP;
	err = -EINVAL;
	if (oomlens_memcg_room(memcg) == ULONG_MAX) {
		oomlens_refused("the writer's cgroup has no memory limit");
		goto err_put;
	}
	err = -EOPNOTSUPP;
	if (!oomlens_memcg_kmem()) {
		oomlens_refused("this kernel does not charge its own memory to cgroups");
		goto err_put;
	}
	pressure.memcg = memcg;
	pressure.memcg_ooms = oomlens_memcg_ooms(memcg);
	return 0;

err_put:
	oomlens_memcg_put(memcg);
	return err;
}

static int start_run(void)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	const char *lacks = NULL;
	int err;

	/* Something must tell when to give back. In a cgroup only the mark tells of a kill. */
	if (!req->memcg)
		lacks = oomlens_notifier_lacks;
	else if (req->kill)
		lacks = oomlens_mark_victim_lacks;
	if (lacks)
		return -EOPNOTSUPP;
	find_scope(&pressure.scope);
	if (req->memcg) {
		err = find_memcg();
		if (err)
			return err;
		pressure.scope.kind = OOMLENS_SCOPE_MEMCG;
		pressure.scope.memcg = pressure.memcg;
	}
	err = req->kill ? oomlens_kill_allowed(&pressure.scope) : 0;
	if (err) {
		oomlens_memcg_put(pressure.memcg);
		return err;
	}
	pressure.deadline = jiffies + req->timeout_s * HZ;
	pressure.writer = current;
	pressure.start_ns = ktime_get_ns();
	pressure.relief_ns = 0;
	pressure.relieved = 0;
	pressure.mark_pages = 0;
	pressure.mark_ns = 0;
	atomic_set(&pressure.ooms, 0);
	oomlens_pool_open(&pressure.pool);
	/* The claim comes before active, so that the first OOM is adopted. */
	oomlens_claim(current);
	mutex_lock(&relief_lock);
	/* Pairs with marked(). */
	smp_store_release(&pressure.active, true);
	mutex_unlock(&relief_lock);
	return 0;
}

/*
 * The pages are back before the run is over: else the notifier would find nothing
 * to give in another task's OOM, and a drill would kill a task.
 */
static void end_run(struct oomlens_run *run)
{
	give_all(NULL);
	mutex_lock(&relief_lock);
	WRITE_ONCE(pressure.active, false);
	run->taken = pressure.relieved;
	run->give_ns = pressure.relief_ns;
	mutex_unlock(&relief_lock);
	/* What this run's marks do, and have queued, must not end the next one. */
	synchronize_rcu();
	flush_work(&give_work);
	run->taken += pressure.mark_pages;
	run->give_ns += pressure.mark_ns;
	run->event = oomlens_disclaim();
	oomlens_memcg_put(pressure.memcg);
}

/* The result of a run that an OOM has ended. @relieved: pages given back in it. */
static int judge(unsigned long relieved)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	bool by_memcg = req->memcg &&
			oomlens_memcg_ooms(pressure.memcg) != pressure.memcg_ooms;

	if (req->kill)
		return killed() && (by_memcg || !req->memcg) ? 0 : -EAGAIN;
	if (!req->memcg)
		return relieved && !READ_ONCE(pressure.kill_seen) ? 0 : -EAGAIN;
	/* Another OOM than the one that was wanted came first. */
	if (atomic_read(&pressure.ooms))
		return -ENOMEM;
	return by_memcg ? -EAGAIN : 0;
}

static int run_to_end(struct oomlens_run *run)
{
	const struct oomlens_pressure_request *req = &pressure.req;
	unsigned long relieved;
	int end = reach();

	mutex_lock(&relief_lock);
	run->take_ns = ktime_get_ns() - pressure.start_ns - pressure.relief_ns;
	mutex_unlock(&relief_lock);
	if (!end && req->limit && READ_ONCE(pressure.pool.pages) >= req->limit &&
	    (req->leave || !req->hold))
		return -ENOSPC;
	if (!end)
		end = hold();
	if (end <= 0)
		return end;
	/* The notifier may be giving back. */
	mutex_lock(&relief_lock);
	relieved = pressure.relieved;
	mutex_unlock(&relief_lock);
	return judge(relieved);
}

/**
 * oomlens_pressure_exit() - no run and no recorder is left to give to
 *
 * Context: module unload.
 */
void oomlens_pressure_exit(void)
{
	cancel_work_sync(&give_work);
}

/**
 * oomlens_pressure_run() - take memory until the OOM killer runs
 * @req: what its options ask for
 * @run: its event, the pages, the times
 *
 * All pages are back on return.
 *
 * Context: process context, sleeps; the caller has checked the right to it,
 * and that there is one run only.
 * Return: 0 when the outcome asked for has come about, or the level was held;
 * -EINVAL, -EPERM or -EOPNOTSUPP when nothing was done; -EINTR on a signal;
 * -ETIMEDOUT; -ENOSPC at limit; -ENOMEM when memory ran out short of the level,
 * or the machine's before the cgroup's; -EAGAIN when an OOM ended the run but
 * not as it was asked for: no task was killed, or, in a drill, one was.
 */
int oomlens_pressure_run(const union oomlens_request *req, struct oomlens_run *run)
{
	int err;

	pressure.req = req->pressure;
	pressure.memcg = NULL;
	WRITE_ONCE(pressure.kill_seen, false);
	err = start_run();
	if (err)
		return err;
	err = run_to_end(run);
	end_run(run);
	return err;
}
