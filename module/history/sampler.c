// SPDX-License-Identifier: GPL-2.0
/*
 * The kthread that looks at the machine every few seconds: one walk over all tasks,
 * one over all cgroups. It allocates nothing and waits for no lock that is held for
 * long, so it goes on while the machine thrashes.
 */
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/rwsem.h>

#include "../event/event.h"
#include "internal.h"

#define EVERY_MAX_S	3600
#define EVERY_MIN_MS	10

/* Samples of the day are ten minutes apart. */
#define STEP_NS		(600ULL * NSEC_PER_SEC)
/* With history_ms: this many samples apart. */
#define STEP_SAMPLES	60

/* ahead of what runs at the same time in a machine that thrashes, and no more */
#define NICE		-10

static unsigned int every_s = 10;
static unsigned int every_ms;
static bool asked;			/* one of them was written */

/* See internal.h. */
DEFINE_MUTEX(oomlens_tables_lock);

/* Starting, stopping, the parameters. */
static DEFINE_MUTEX(control);
static bool ready;			/* the module is loaded; under control */
static struct task_struct *thread;	/* under control */

/* Readers hold it shared; the sampler does not need it, as it is stopped first. */
static DECLARE_RWSEM(life);
static struct oomlens_history *history;	/* NULL: stopped */
static u32 last_number, last_stall;	/* once stopped; under control */

/**
 * oomlens_interval_ns() - time between two samples, by the parameters
 *
 * Context: any.
 * Return: 0 if there are to be none.
 */
u64 oomlens_interval_ns(void)
{
	unsigned int ms = READ_ONCE(every_ms);

	return ms ? (u64)ms * NSEC_PER_MSEC : (u64)READ_ONCE(every_s) * NSEC_PER_SEC;
}

static u64 step_ns(void)
{
	return READ_ONCE(every_ms) ? STEP_SAMPLES * oomlens_interval_ns() : STEP_NS;
}

/**
 * oomlens_history_hold() - keep what was recorded
 *
 * Context: process context, sleeps while the sampler is started or stopped.
 * Return: the history, NULL if there is none; oomlens_history_unhold() either way.
 */
struct oomlens_history *oomlens_history_hold(void)
{
	down_read(&life);
	return history;
}

/**
 * oomlens_history_unhold() - end oomlens_history_hold()
 *
 * Context: process context.
 */
void oomlens_history_unhold(void)
{
	up_read(&life);
}

/* ---- One sample ---- */

/**
 * struct look - the walk over the tasks
 * @h: the history
 * @latest_ns: when the latest task began of those that were visited
 * @rewound: the walk goes on from an earlier task
 */
struct look {
	struct oomlens_history *h;
	u64 latest_ns;
	bool rewound;
};

static u32 to_u32(unsigned long pages)
{
	return min_t(unsigned long, pages, S32_MAX);
}

static s32 growth(u32 now, const struct oomlens_before *before)
{
	return before->pages == OOMLENS_UNKNOWN ? OOMLENS_GREW_UNKNOWN : (s32)(now - before->pages);
}

static u64 comm_key(const char *comm)
{
	u64 words[2];

	BUILD_BUG_ON(sizeof(words) != TASK_COMM_LEN);
	memcpy(words, comm, sizeof(words));
	/* Not hash_64(): it has 32 bits. */
	return words[0] * GOLDEN_RATIO_64 ^ (words[1] + 1);
}

/* Of a name that was there in the sample before, or is new. */
static struct oomlens_tracked *begin_comm(struct oomlens_history *h, u64 key, const char *comm,
					  u32 pages, struct oomlens_tracked *e)
{
	struct oomlens_before before;

	if (e) {
		e->unknown -= !!e->unknown;
		e->before = e->now;
		e->now = pages;
		e->seen = h->tick;
		e->count = 1;
		/* Of a rival it is not there yet. */
		memcpy(e->comm, comm, sizeof(e->comm));
		return e;
	}
	e = oomlens_table_see(&h->tables[OOMLENS_COMMS], key, pages, h->tick, false, &before);
	if (!e) {
		oomlens_table_rival(&h->tables[OOMLENS_COMMS], key, pages);
		return NULL;
	}
	/* Where another made room, tasks of this name may have come by before. */
	e->unknown = before.evicted ? 2 : !!before.pages;
	if (before.evicted)
		e->low_before = OOMLENS_UNKNOWN;
	e->count = 1;
	e->low = OOMLENS_UNKNOWN;
	memcpy(e->comm, comm, sizeof(e->comm));
	return e;
}

/* @lost: what the task has could not be read. */
static void see_comm(struct oomlens_history *h, const char *task_comm, u32 pages, bool lost)
{
	char comm[TASK_COMM_LEN] = "";
	struct oomlens_tracked *e;
	u64 key;

	/* What lies behind the NUL may differ. */
	strscpy(comm, task_comm, sizeof(comm));
	key = comm_key(comm) ?: 1;
	e = oomlens_table_find(&h->tables[OOMLENS_COMMS], key);
	if (!e || e->seen != h->tick) {
		e = begin_comm(h, key, comm, pages, e);
	} else {
		e->now = to_u32((unsigned long)e->now + pages);
		e->count++;
	}
	if (!lost)
		return;
	if (e)
		e->unknown = 2;
	else
		oomlens_table_lost(&h->tables[OOMLENS_COMMS], key);
}

/* A name of many small tasks comes in by its sum. The next sample tells its comm. */
static void admit_rivals(struct oomlens_history *h, const struct oomlens_table *t)
{
	static const char no_comm[TASK_COMM_LEN];
	const struct oomlens_floor *f;

	for (f = t->floors; f < t->floors + (1U << t->bits); f++)
		if (f->rival_now && !oomlens_table_find(t, f->rival))
			begin_comm(h, f->rival, no_comm, f->rival_now, NULL);
}

/* The names' sums are complete after the walk. */
static void end_comms(struct oomlens_history *h)
{
	struct oomlens_table *t = &h->tables[OOMLENS_COMMS];
	struct oomlens_row row = { 0 };
	unsigned int i;

	admit_rivals(h, t);
	for (i = 0; i < oomlens_table_entries(t); i++) {
		struct oomlens_tracked *e = &t->entries[i];

		if (!e->key || e->seen != h->tick)
			continue;
		if (e->unknown < 2)
			e->low = min(e->low, e->now);
		if (e->unknown)
			continue;
		row.key = e->key;
		row.points = e->now;
		row.grew = (s32)(e->now - e->before);
		row.count = e->count;
		memcpy(row.comm, e->comm, sizeof(row.comm));
		oomlens_rows_add(&h->fastest[OOMLENS_COMMS], &row);
	}
}

static void add_row(struct oomlens_history *h, enum oomlens_kind_of_row kind,
		    const struct oomlens_row *row)
{
	oomlens_rows_add(&h->largest[kind], row);
	oomlens_rows_add(&h->fastest[kind], row);
}

static bool row_wanted(struct oomlens_history *h, enum oomlens_kind_of_row kind, u32 pages,
		       s32 grew)
{
	return oomlens_rows_wants(&h->largest[kind], pages) ||
	       oomlens_rows_wants(&h->fastest[kind], grew);
}

/* After the last sample, if there was one */
static bool began_since(const struct oomlens_history *h, const struct task_struct *p)
{
	return h->last_ns && p->start_time > h->last_ns;
}

static void see_task(struct look *look, struct task_struct *p, struct oomlens_task *task)
{
	u32 pages = to_u32(oomlens_points(&task->terms, 0));
	u64 key = oomlens_task_key(p->start_time, task->pid);
	struct oomlens_history *h = look->h;
	struct oomlens_before before;
	struct oomlens_tracked *e;
	struct oomlens_row row;
	s32 grew;

	e = oomlens_table_see(&h->tables[OOMLENS_TASKS], key, pages, h->tick,
			      began_since(h, p), &before);
	if (e) {
		e->pid = task->pid;
		e->uid = task->uid;
		e->memcg = oomlens_memcg_serial(oomlens_memcg_of(p));
		memcpy(e->comm, task->comm, sizeof(e->comm));
	}
	grew = growth(pages, &before);
	if (!row_wanted(h, OOMLENS_TASKS, pages, grew))
		return;
	memset(&row, 0, sizeof(row));
	row.key = key;
	row.memcg = oomlens_memcg_serial(oomlens_memcg_of(p));
	row.points = pages;
	row.grew = grew;
	row.pid = task->pid;
	row.from_max = before.most;
	row.uid = task->uid;
	memcpy(row.comm, task->comm, sizeof(row.comm));
	add_row(h, OOMLENS_TASKS, &row);
}

static int visit_task(struct task_struct *p, void *arg)
{
	struct look *look = arg;
	struct oomlens_table *t = &look->h->tables[OOMLENS_TASKS];
	struct oomlens_tracked *e;
	struct oomlens_task task;
	u64 key;

	if (p->flags & PF_KTHREAD)
		return 0;
	/* The list is in the order in which tasks began. */
	if (look->rewound && p->start_time <= look->latest_ns)
		return 0;
	look->latest_ns = p->start_time;
	look->h->sample->figures[OOMLENS_NR_TASKS]++;
	oomlens_task_identity(p, &task);
	if (oomlens_task_read(p, &task, false)) {
		/* Its lock is contended: the pages of the sample before stand. */
		key = oomlens_task_key(p->start_time, task.pid);
		e = oomlens_table_find(t, key);
		if (!e) {
			oomlens_table_lost(t, key);
			/* A new one is counted now, and the next sample adds its pages. */
			see_comm(look->h, task.comm, 0, !began_since(look->h, p));
			return 0;
		}
		memset(&task.terms, 0, sizeof(task.terms));
		task.terms.rss_anon = e->now;
	}
	see_task(look, p, &task);
	see_comm(look->h, task.comm, to_u32(oomlens_points(&task.terms, 0)), false);
	return 0;
}

static void rewind_tasks(unsigned int n, void *arg)
{
	struct look *look = arg;

	look->rewound = true;
}

/* The kernel adds up the pressure of a cgroup this often, while tasks of it run. */
#define PSI_SUM_NS	(2ULL * NSEC_PER_SEC)

/*
 * The share of the time between the kernel's last two sums, until there is another one.
 * In what lies before this interval by more than a sum no task of it ran. Nor did one
 * where two sums are missing, unless the machine stalls: then the kernel may be late.
 */
static u16 memcg_psi(struct oomlens_tracked *e, const struct oomlens_memcg_figures *now,
		     u64 over_ns, bool late)
{
	if (oomlens_psi_lacks || now->psi_full_ns == U64_MAX)
		return OOMLENS_PSI_UNKNOWN;
	if (now->psi_at_ns != e->psi_at_ns) {
		e->psi_full = oomlens_psi_share(now->psi_full_ns - e->psi_ns,
						min(now->psi_at_ns - e->psi_at_ns,
						    over_ns + PSI_SUM_NS));
		e->psi_ns = now->psi_full_ns;
		e->psi_at_ns = now->psi_at_ns;
		e->psi_kept = 0;
	} else if (e->psi_kept < U16_MAX) {
		e->psi_kept++;
	}
	if (e->psi_kept * over_ns >= 2 * PSI_SUM_NS && !late)
		e->psi_full = 0;
	return e->psi_full;
}

static bool visit_memcg(struct mem_cgroup *memcg, void *arg)
{
	struct oomlens_row row = { .psi_full = OOMLENS_PSI_UNKNOWN };
	struct oomlens_history *h = arg;
	struct oomlens_memcg_figures now;
	struct oomlens_before before;
	struct oomlens_tracked *e;
	bool killed, known;
	u32 pages;

	oomlens_memcg_read(memcg, &now);
	if (now.root)
		return true;
	pages = to_u32(now.usage);
	e = oomlens_table_find(&h->tables[OOMLENS_MEMCGS], now.serial);
	known = e;
	if (e)
		row.psi_full = memcg_psi(e, &now, h->sample->over_ns, h->stalls.whole);
	killed = e && e->kills != (u32)now.kills;
	oomlens_stalls_memcg(&h->stalls, now.serial, now.level,
			     killed ? OOMLENS_PSI_UNKNOWN : row.psi_full);
	e = oomlens_table_see(&h->tables[OOMLENS_MEMCGS], now.serial, pages, h->tick, false,
			      &before);
	if (e) {
		e->limit = now.limit;
		e->kills = now.kills;
	}
	if (e && !known) {
		e->psi_ns = now.psi_full_ns;
		e->psi_at_ns = now.psi_at_ns;
		e->psi_full = OOMLENS_PSI_UNKNOWN;
	}
	row.key = now.serial;
	row.limit = now.limit;
	row.points = pages;
	row.grew = growth(pages, &before);
	row.from_max = before.most;
	add_row(h, OOMLENS_MEMCGS, &row);
	return true;
}

/* ---- The paths of the cgroups in it ---- */

/* Nearly always all of them are known. */
static void name_memcgs(struct oomlens_history *h, const struct oomlens_sample *s)
{
	struct oomlens_wanted wanted = { .names = h->names, .tick = h->tick };
	unsigned int i;

	for (i = 0; i < s->nr[OOMLENS_TASKS]; i++)
		oomlens_names_want(&wanted, oomlens_sample_rows(s, OOMLENS_TASKS)[i].memcg);
	for (i = 0; i < s->nr[OOMLENS_MEMCGS]; i++)
		oomlens_names_want(&wanted, oomlens_sample_rows(s, OOMLENS_MEMCGS)[i].key);
	for (i = 0; i < h->stalls.nr_now; i++)
		oomlens_names_want(&wanted, h->stalls.now[i].serial);
	oomlens_names_find(&wanted, U64_MAX);
}

/* The stalls keep their paths, but for those that the newest samples need. */
static void keep_stall_names(struct oomlens_history *h)
{
	unsigned int i;

	for (i = 0; i < OOMLENS_STALLS; i++)
		oomlens_names_use(h->names, h->stalls.ring[i].serial, h->tick - 1);
}

static void take_sample(struct oomlens_history *h)
{
	struct look look = { .h = h };
	const struct oomlens_walk walk = {
		.visit	= visit_task,
		.rewind	= rewind_tasks,
		.arg	= &look,
	};
	u64 begin = ktime_get_ns();

	mutex_lock(&oomlens_tables_lock);
	oomlens_sample_begin(h, begin);
	oomlens_figures_read(h, h->sample->figures);
	oomlens_psi_answer(begin, oomlens_interval_ns(), &h->sample->psi_some,
			   &h->sample->psi_full);
	/* Tasks that died under the walk over and over: the others may come next time. */
	if (!oomlens_walk_tasks(&walk)) {
		end_comms(h);
		oomlens_table_sweep(&h->tables[OOMLENS_TASKS], h->tick);
		oomlens_table_sweep(&h->tables[OOMLENS_COMMS], h->tick);
	} else {
		oomlens_table_broken(&h->tables[OOMLENS_TASKS]);
		oomlens_table_broken(&h->tables[OOMLENS_COMMS]);
	}
	oomlens_stalls_begin(&h->stalls, h->sample->psi_full);
	oomlens_memcg_walk(visit_memcg, h, U64_MAX);
	oomlens_table_sweep(&h->tables[OOMLENS_MEMCGS], h->tick);
	oomlens_sample_fill(h);
	keep_stall_names(h);
	name_memcgs(h, h->sample);
	oomlens_stalls_end(h);
	if (oomlens_sample_end(h, step_ns()))
		name_memcgs(h, h->step);
	mutex_unlock(&oomlens_tables_lock);
	WRITE_ONCE(h->cost_ns, ktime_get_ns() - begin);
}

/* ---- The kthread ---- */

/* Returns when the next sample was due, or now if that is an interval ago. */
static u64 sleep_after(u64 last)
{
	u64 interval, now, next;
	ktime_t delay;

	for (;;) {
		/* Before the parameters are read: a change wakes the thread. */
		set_current_state(TASK_IDLE);
		interval = oomlens_interval_ns() ?: NSEC_PER_SEC;
		now = ktime_get_ns();
		next = last + interval;
		if (now >= next || kthread_should_stop())
			break;
		delay = ns_to_ktime(next - now);
		schedule_hrtimeout_range(&delay, interval / 16, HRTIMER_MODE_REL);
	}
	__set_current_state(TASK_RUNNING);
	return now - next < interval ? next : now;
}

static int run(void *arg)
{
	struct oomlens_history *h = arg;
	u64 due = ktime_get_ns();

	set_user_nice(current, NICE);
	while (!kthread_should_stop()) {
		/* Time for the work item, which is not waited for. */
		if (oomlens_psi_ask())
			schedule_timeout_idle(1);
		take_sample(h);
		oomlens_panic_look();
		due = sleep_after(due);
	}
	return 0;
}

static int start(void)
{
	struct oomlens_history *h = oomlens_history_alloc();

	if (!h)
		return -ENOMEM;
	h->tick = last_number;
	h->stalls.newest = last_stall;
	thread = kthread_run(run, h, "oomlens_history");
	if (IS_ERR(thread)) {
		int err = PTR_ERR(thread);

		thread = NULL;
		oomlens_history_free(h);
		return err;
	}
	down_write(&life);
	history = h;
	up_write(&life);
	return 0;
}

static void stop(void)
{
	struct oomlens_history *h;

	if (!thread)
		return;
	kthread_stop(thread);
	thread = NULL;
	down_write(&life);
	h = history;
	last_number = h->tick;
	last_stall = h->stalls.newest;
	history = NULL;
	up_write(&life);
	oomlens_history_free(h);
}

/* What the parameters say now. */
static int apply(void)
{
	lockdep_assert_held(&control);
	if (!ready)
		return 0;
	if (!oomlens_interval_ns()) {
		stop();
		return 0;
	}
	if (!thread)
		return start();
	wake_up_process(thread);
	return 0;
}

/* ---- The parameters ---- */

static int set_every(const char *text, const struct kernel_param *kp, unsigned int least,
		     unsigned int most)
{
	unsigned int *value = kp->arg, old, n;
	int err = oomlens_param_parse(text, kp, least, most, &n);

	if (err)
		return err;
	mutex_lock(&control);
	asked = true;
	old = *value;
	WRITE_ONCE(*value, n);
	err = apply();
	if (err)
		WRITE_ONCE(*value, old);
	mutex_unlock(&control);
	return err;
}

static int set_every_s(const char *text, const struct kernel_param *kp)
{
	return set_every(text, kp, 1, EVERY_MAX_S);
}

static int set_every_ms(const char *text, const struct kernel_param *kp)
{
	return set_every(text, kp, EVERY_MIN_MS, EVERY_MAX_S * MSEC_PER_SEC);
}

static const struct kernel_param_ops every_s_ops = {
	.set = set_every_s,
	.get = param_get_uint,
};

static const struct kernel_param_ops every_ms_ops = {
	.set = set_every_ms,
	.get = param_get_uint,
};

module_param_cb(history, &every_s_ops, &every_s, 0644);
MODULE_PARM_DESC(history, "seconds between two looks at the machine, up to 3600; 0: none (default 10)");
module_param_cb(history_ms, &every_ms_ops, &every_ms, 0600);
MODULE_PARM_DESC(history_ms, "the same in milliseconds, for tests; 60 of them make one of the day (default 0: history holds)");

/* Half of the budget, or what events have left of it. */
static unsigned long __init share(void)
{
	unsigned long all = oomlens_memory_budget();
	unsigned long taken = min_t(unsigned long, all, oomlens_counter_read(OOMLENS_MEMORY_BYTES));

	return min(all - taken, all / 2);
}

/**
 * oomlens_history_init() - take the memory, and begin
 *
 * Context: module load; the memory for events is taken.
 * Return: 0 or an error.
 */
int __init oomlens_history_init(void)
{
	bool fits;
	int err;

	fits = oomlens_geometry_choose(share());
	err = oomlens_psi_init();
	if (err)
		return err;
	mutex_lock(&control);
	if (!fits && !asked)
		every_s = 0;
	ready = true;
	err = apply();
	ready = !err;
	mutex_unlock(&control);
	if (err)
		oomlens_psi_exit();
	return err;
}

/**
 * oomlens_history_exit() - stop, and give the memory back
 *
 * Context: module unload; the files are gone. The parameters can still be written.
 */
void oomlens_history_exit(void)
{
	mutex_lock(&control);
	ready = false;
	stop();
	mutex_unlock(&control);
	oomlens_psi_exit();
}
