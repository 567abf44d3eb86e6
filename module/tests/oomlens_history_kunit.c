// SPDX-License-Identifier: GPL-2.0
/*
 * The sampler on a machine that is made up: its clock, its tasks, its cgroups and its
 * pressure are what a case says. So what depends on the moment (a stall and an OOM in
 * one interval, a task's lock that is taken) is the same at each run.
 */
#include <kunit/test.h>
#include <linux/init.h>
#include <linux/module.h>

/* Here what the module does once, at load, is done by each test. */
#undef __init
#define __init
#undef __initconst
#define __initconst
#undef __ro_after_init
#define __ro_after_init

#include "../event/event.h"
#include "../history/internal.h"

static u64 clock_ns;
#define ktime_get_ns()	clock_ns

#include "../kernel/text.c"
#include "../history/growth.c"
#include "../history/names.c"
#include "../history/psi.c"
#include "../history/rows.c"
#include "../history/sampler.c"
#include "../history/samples.c"
#include "../history/stalls.c"
#include "../history/track.c"

/* ---- The machine ---- */

/* The interval, unless a case has another one. */
#define OVER_NS		(10ULL * NSEC_PER_SEC)

static struct fake_task {
	struct task_struct *p;
	u32 pages;
	bool locked;
	const char *comm;
	struct mem_cgroup *memcg;
} tasks[48];

static unsigned int nr_tasks;
static unsigned int unreached;		/* by a walk that is given up; 0: it is whole */
static bool waited;			/* for the lock of a task */

static struct oomlens_memcg_figures memcgs[24];
static unsigned int nr_memcgs;
static unsigned int visits;		/* to them */

static char added[4096];		/* lines of events */

static struct oomlens_history *h;
static struct oomlens_sample *copy;

static const struct fake_task *task_of(const struct task_struct *p)
{
	unsigned int i;

	for (i = 0; i < nr_tasks; i++)
		if (tasks[i].p == p)
			return &tasks[i];
	return NULL;
}

int oomlens_walk_tasks(const struct oomlens_walk *walk)
{
	unsigned int i;

	for (i = 0; i < nr_tasks - unreached; i++)
		walk->visit(tasks[i].p, walk->arg);
	return unreached ? -EAGAIN : 0;
}

void oomlens_task_identity(struct task_struct *p, struct oomlens_task *task)
{
	memset(task, 0, sizeof(*task));
	task->pid = p->tgid;
	strscpy(task->comm, task_of(p)->comm, sizeof(task->comm));
}

int oomlens_task_read(struct task_struct *p, struct oomlens_task *task, bool wait)
{
	waited |= wait;
	if (task_of(p)->locked)
		return -EAGAIN;
	task->terms.rss_anon = task_of(p)->pages;
	return 0;
}

static struct mem_cgroup *memcg_at(unsigned int i)
{
	return (struct mem_cgroup *)&memcgs[i];
}

void oomlens_memcg_walk(bool (*visit)(struct mem_cgroup *memcg, void *arg), void *arg,
			u64 until_ns)
{
	unsigned int i;

	for (i = 0; i < nr_memcgs; i++, visits++)
		if (!visit(memcg_at(i), arg))
			return;
}

void oomlens_memcg_read(struct mem_cgroup *memcg, struct oomlens_memcg_figures *figures)
{
	*figures = *(const struct oomlens_memcg_figures *)memcg;
}

u64 oomlens_memcg_serial(struct mem_cgroup *memcg)
{
	return memcg ? ((const struct oomlens_memcg_figures *)memcg)->serial : 0;
}

struct mem_cgroup *oomlens_memcg_of(struct task_struct *p)
{
	return task_of(p)->memcg;
}

int oomlens_memcg_path(struct mem_cgroup *memcg, char *buf, size_t size)
{
	snprintf(buf, size, "/%llu", oomlens_memcg_serial(memcg));
	return 0;
}

int oomlens_memory_open(struct oomlens_memory *m)
{
	return 0;
}

void oomlens_memory_close(struct oomlens_memory *m)
{
}

int oomlens_memory_read(struct oomlens_memory *m)
{
	return 0;
}

void oomlens_counter_add(enum oomlens_counter counter, long n)
{
}

long oomlens_counter_read(enum oomlens_counter counter)
{
	return 0;
}

unsigned long oomlens_memory_budget(void)
{
	return SZ_512K;
}

struct file *oomlens_procfs_open(const char *path)
{
	return ERR_PTR(-ENOENT);
}

void oomlens_panic_look(void)
{
}

void oomlens_kill_pause(void)
{
}

void oomlens_kill_register(struct oomlens_kill_listener *listener)
{
}

bool oomlens_facts_task(const struct oomlens_facts *facts, unsigned int i,
			struct oomlens_facts_task *task)
{
	return false;
}

void oomlens_facts_path(const struct oomlens_facts *facts, unsigned int i, char *buf, size_t size)
{
}

int oomlens_event_add(unsigned long number, const char *line)
{
	size_t n = strlen(added);

	scnprintf(added + n, sizeof(added) - n, "%s\n", line);
	return 0;
}

/* ---- What a case does with it ---- */

/* A process that begins now. */
static struct fake_task *begin_task(struct kunit *test, pid_t pid, const char *comm, u32 pages)
{
	struct fake_task *task = &tasks[nr_tasks++];

	task->p = kunit_kzalloc(test, sizeof(*task->p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task->p);
	clock_ns += NSEC_PER_MSEC;
	task->p->start_time = clock_ns;
	task->p->tgid = pid;
	task->comm = comm;
	task->pages = pages;
	task->locked = false;
	task->memcg = NULL;
	return task;
}

static struct oomlens_memcg_figures *begin_memcg(u64 serial, int level)
{
	struct oomlens_memcg_figures *memcg = &memcgs[nr_memcgs++];

	*memcg = (struct oomlens_memcg_figures){ .serial = serial, .level = level };
	return memcg;
}

/* An interval in which the machine stalls for that many percent; a copy of its sample. */
static void interval(unsigned int percent)
{
	u64 over_ns = oomlens_interval_ns();

	clock_ns += over_ns;
	readings[0] = (struct reading){ .time_ns = clock_ns - over_ns };
	readings[1] = (struct reading){
		.time_ns = clock_ns,
		.full_us = div_u64(div_u64(over_ns, NSEC_PER_USEC) * percent, 100),
	};
	take_sample(h);
	oomlens_sample_next(h, h->tick, copy);
}

static void stall_memcg(struct oomlens_memcg_figures *memcg, unsigned int percent)
{
	memcg->psi_full_ns += div_u64(OVER_NS * percent, 100);
	memcg->psi_at_ns += OVER_NS;
}

static const struct oomlens_row no_row;

/* Of that sample, by name or by pid; no_row if it has none. */
static const struct oomlens_row *row(enum oomlens_kind_of_row kind, const char *comm, pid_t pid)
{
	const struct oomlens_row *rows = oomlens_sample_rows(copy, kind);
	unsigned int i;

	for (i = 0; i < copy->nr[kind]; i++)
		if (comm ? !strcmp(rows[i].comm, comm) : rows[i].pid == pid)
			return &rows[i];
	return &no_row;
}

/* Of a cgroup. */
static const struct oomlens_row *memcg_row(u64 serial)
{
	const struct oomlens_row *rows = oomlens_sample_rows(copy, OOMLENS_MEMCGS);
	unsigned int i;

	for (i = 0; i < copy->nr[OOMLENS_MEMCGS]; i++)
		if (rows[i].key == serial)
			return &rows[i];
	return &no_row;
}

/* The stall of that number, or of number 0 if there is none. */
static struct oomlens_stall stall(u32 number)
{
	struct oomlens_stall s = { 0 };

	if (!oomlens_stall_next(h, number, &s) || s.number != number)
		s.number = 0;
	return s;
}

/* An event that killed. */
static void kill_by(bool global)
{
	struct oomlens_memory_record memory = { .ram = 2000000 };
	const struct oomlens_facts facts = {
		.number = 1, .time_ns = clock_ns, .global = global, .memory = &memory,
	};

	killed(&facts);
}

/* ---- Stalls ---- */

static void a_stall_has_its_worst_share(struct kunit *test)
{
	interval(39);
	KUNIT_EXPECT_EQ(test, stall(1).number, 0U);
	interval(50);
	KUNIT_EXPECT_EQ(test, stall(1).number, 1U);
	KUNIT_EXPECT_EQ(test, stall(1).begin_ns, clock_ns - OVER_NS);
	KUNIT_EXPECT_EQ(test, stall(1).psi_full, (u16)5000);
	interval(90);
	interval(60);
	KUNIT_EXPECT_EQ(test, stall(1).psi_full, (u16)9000);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	interval(10);
	KUNIT_EXPECT_EQ(test, stall(1).psi_full, (u16)9000);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, clock_ns - OVER_NS);
	KUNIT_EXPECT_EQ(test, stall(2).number, 0U);
}

static unsigned int woken;

static int wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	woken++;
	return 0;
}

static void poll_tells_of_begin_and_end(struct kunit *test)
{
	long seen = oomlens_stall_changes();
	struct wait_queue_entry entry;
	poll_table table;

	init_waitqueue_func_entry(&entry, wake);
	init_poll_funcptr(&table, NULL);
	add_wait_queue(&wait, &entry);
	woken = 0;
	interval(10);
	KUNIT_EXPECT_EQ(test, (int)oomlens_stalls_poll(NULL, &table, seen), 0);
	interval(50);
	KUNIT_EXPECT_EQ(test, woken, 1U);
	KUNIT_EXPECT_NE(test, (int)oomlens_stalls_poll(NULL, &table, seen), 0);
	seen = oomlens_stall_changes();
	interval(90);
	KUNIT_EXPECT_EQ(test, woken, 1U);
	KUNIT_EXPECT_EQ(test, (int)oomlens_stalls_poll(NULL, &table, seen), 0);
	interval(10);
	KUNIT_EXPECT_EQ(test, woken, 2U);
	KUNIT_EXPECT_NE(test, (int)oomlens_stalls_poll(NULL, &table, seen), 0);
	remove_wait_queue(&wait, &entry);
}

static void an_oom_is_no_stall(struct kunit *test)
{
	struct oomlens_memcg_figures *memcg = begin_memcg(7, 1);

	interval(0);
	kill_by(true);
	interval(90);
	KUNIT_EXPECT_EQ(test, stall(1).number, 0U);
	/* That of a cgroup is not the machine's. */
	kill_by(false);
	interval(90);
	KUNIT_EXPECT_EQ(test, stall(1).serial, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(1).number, 1U);
	kill_by(true);
	interval(90);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, clock_ns - OVER_NS);

	memcg->kills++;
	stall_memcg(memcg, 90);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(2).number, 0U);
	stall_memcg(memcg, 90);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(2).serial, 7ULL);
	memcg->kills++;
	stall_memcg(memcg, 90);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(2).end_ns, clock_ns - OVER_NS);
}

static void the_deepest_cgroup_is_told_of(struct kunit *test)
{
	/* In the order of the walk: 1 has 2 and 4 below it, 2 has 3. */
	struct oomlens_memcg_figures *one = begin_memcg(1, 1), *two = begin_memcg(2, 2);
	struct oomlens_memcg_figures *three = begin_memcg(3, 3), *four = begin_memcg(4, 2);
	struct oomlens_memcg_figures *five = begin_memcg(5, 1);

	interval(0);
	stall_memcg(one, 50);
	stall_memcg(two, 50);
	stall_memcg(three, 50);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).serial, 3ULL);
	KUNIT_EXPECT_EQ(test, stall(2).number, 0U);
	stall_memcg(one, 80);
	stall_memcg(two, 80);
	stall_memcg(three, 80);
	stall_memcg(four, 80);
	stall_memcg(five, 80);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(1).psi_full, (u16)8000);
	KUNIT_EXPECT_EQ(test, stall(2).serial, 4ULL);
	KUNIT_EXPECT_EQ(test, stall(3).serial, 5ULL);
	KUNIT_EXPECT_EQ(test, stall(4).number, 0U);
}

static void the_machine_stands_for_its_cgroups(struct kunit *test)
{
	struct oomlens_memcg_figures *one = begin_memcg(1, 1), *two = begin_memcg(2, 1);

	interval(0);
	stall_memcg(one, 50);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).serial, 1ULL);
	/* The first goes on, the second does not begin. */
	stall_memcg(one, 50);
	stall_memcg(two, 50);
	interval(50);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(2).number, 2U);
	KUNIT_EXPECT_EQ(test, stall(2).serial, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(3).number, 0U);
	stall_memcg(two, 50);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, clock_ns - OVER_NS);
	KUNIT_EXPECT_EQ(test, stall(2).end_ns, clock_ns - OVER_NS);
	KUNIT_EXPECT_EQ(test, stall(3).serial, 2ULL);
}

/* One that goes on stays in the ring, however many others begin and end. */
static void a_stall_that_goes_on_is_kept(struct kunit *test)
{
	struct oomlens_memcg_figures *on = begin_memcg(1, 1), *other = begin_memcg(2, 1);
	unsigned int i;

	interval(0);
	for (i = 0; i < 2 * OOMLENS_STALLS; i++) {
		stall_memcg(on, 50);
		if (i % 2)
			stall_memcg(other, 50);
		interval(0);
		KUNIT_ASSERT_EQ(test, stall(1).number, 1U);
		KUNIT_ASSERT_EQ(test, stall(1).end_ns, 0ULL);
	}
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, clock_ns - OVER_NS);
	KUNIT_EXPECT_EQ(test, h->stalls.newest, 1U + OOMLENS_STALLS);
	KUNIT_EXPECT_EQ(test, stall(h->stalls.newest).serial, 2ULL);
}

/* The last of many in the walk goes on where all stall, and where the machine does. */
static void a_stall_goes_on_among_many(struct kunit *test)
{
	struct oomlens_memcg_figures *last;
	unsigned int i;

	for (i = 1; i <= 2 * OOMLENS_STALLING; i++)
		last = begin_memcg(i, 1);
	interval(0);
	stall_memcg(last, 50);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).serial, last->serial);
	for (i = 0; i < nr_memcgs; i++)
		stall_memcg(&memcgs[i], 50);
	interval(50);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(2).serial, 0ULL);
	KUNIT_EXPECT_EQ(test, h->stalls.newest, 2U);
	for (i = 0; i < nr_memcgs; i++)
		stall_memcg(&memcgs[i], 50);
	interval(0);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(2).end_ns, clock_ns - OVER_NS);
	/* Seven others have begun, and all eight go on in a stall of the machine. */
	KUNIT_EXPECT_EQ(test, h->stalls.newest, 1U + OOMLENS_STALLING);
	for (i = 0; i < nr_memcgs; i++)
		stall_memcg(&memcgs[i], 50);
	interval(50);
	KUNIT_EXPECT_EQ(test, h->stalls.newest, 2U + OOMLENS_STALLING);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	for (i = 3; i <= h->stalls.newest; i++)
		KUNIT_EXPECT_EQ(test, stall(i).end_ns, 0ULL);
}

/* While the machine stalls, a cgroup below one that goes on does not end that. */
static void a_stall_of_the_machine_ends_no_other(struct kunit *test)
{
	struct oomlens_memcg_figures *one = begin_memcg(1, 1), *two = begin_memcg(2, 2);

	interval(0);
	stall_memcg(one, 50);
	interval(0);
	stall_memcg(one, 50);
	stall_memcg(two, 50);
	interval(50);
	KUNIT_EXPECT_EQ(test, stall(1).serial, 1ULL);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
}

/* Every two seconds the kernel adds up what was a quarter, or a half, of each. */
static void a_share_is_of_what_the_kernel_added_up(struct kunit *test)
{
	struct oomlens_memcg_figures *memcg = begin_memcg(7, 1);
	unsigned int i, percent;

	every_s = 1;
	interval(0);
	for (percent = 25; percent <= 50; percent += 25) {
		for (i = 0; i < 10; i++) {
			if (i % 2 == 0) {
				memcg->psi_full_ns += percent * (2 * NSEC_PER_SEC / 100);
				memcg->psi_at_ns += 2 * NSEC_PER_SEC;
			}
			interval(0);
			KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, percent * 100);
			KUNIT_EXPECT_EQ(test, stall(1).number, percent / 50);
			KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
		}
	}
	/* Its tasks sleep: nothing is added up any more. */
	for (i = 0; i < 5; i++)
		interval(0);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, 0U);
	KUNIT_EXPECT_NE(test, stall(1).end_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, stall(2).number, 0U);
	oomlens_psi_lacks = "psi=1";
	interval(0);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, (u32)OOMLENS_PSI_UNKNOWN);
}

/* While its tasks sleep the kernel adds nothing up: what comes then is of one long time. */
static void a_stall_after_an_idle_time(struct kunit *test)
{
	struct oomlens_memcg_figures *memcg = begin_memcg(7, 1);

	interval(0);
	memcg->psi_at_ns += 3600 * NSEC_PER_SEC;
	memcg->psi_full_ns += 4 * NSEC_PER_SEC;
	interval(0);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, 3333U);
	KUNIT_EXPECT_EQ(test, stall(1).number, 0U);
	memcg->psi_at_ns += 3600 * NSEC_PER_SEC;
	memcg->psi_full_ns += 10 * NSEC_PER_SEC;
	interval(0);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, 8333U);
	KUNIT_EXPECT_EQ(test, stall(1).begin_ns, clock_ns - OVER_NS);
}

/* The machine thrashes, and the kernel's work item that adds up is late. */
static void a_stall_goes_on_without_a_sum(struct kunit *test)
{
	struct oomlens_memcg_figures *memcg = begin_memcg(7, 1);

	interval(0);
	stall_memcg(memcg, 50);
	interval(0);
	interval(50);
	interval(50);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, 5000U);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, 0ULL);
	interval(0);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, 0U);
	KUNIT_EXPECT_EQ(test, stall(1).end_ns, clock_ns - OVER_NS);
	/* What was idle by then stays so. */
	interval(50);
	KUNIT_EXPECT_EQ(test, memcg_row(7)->psi_full, 0U);
}

static const char *path_of(u64 serial)
{
	static char path[OOMLENS_NAME_MAX];

	oomlens_names_copy(h->names, serial, path, sizeof(path));
	return path;
}

static void a_stall_keeps_its_path(struct kunit *test)
{
	struct oomlens_memcg_figures *one = begin_memcg(1, 1);
	unsigned int i, k;

	interval(0);
	stall_memcg(one, 50);
	interval(0);
	nr_memcgs = 0;
	interval(0);
	KUNIT_EXPECT_NE(test, stall(1).end_ns, 0ULL);
	/* Others come and go, more than there are paths. */
	for (i = 2; i < 2 * oomlens_geometry.names; i += 8) {
		nr_memcgs = 0;
		for (k = 0; k < 8; k++)
			begin_memcg(i + k, 1)->usage = 100;
		interval(0);
	}
	KUNIT_EXPECT_STREQ(test, path_of(1), "/1");
	KUNIT_EXPECT_STREQ(test, path_of(2), "-");
}

/* Though the newest sample uses all of them. */
static void paths_take_turns(struct kunit *test)
{
	struct oomlens_wanted wanted = { .names = h->names, .tick = 5 };
	unsigned int i;

	for (i = 0; i < h->names->nr; i++)
		cell_at(h->names, i)->used = 5;
	for (i = 1; i <= 3; i++) {
		begin_memcg(i, 1);
		oomlens_names_want(&wanted, i);
	}
	oomlens_names_find(&wanted, U64_MAX);
	KUNIT_EXPECT_STREQ(test, path_of(1), "/1");
	KUNIT_EXPECT_STREQ(test, path_of(2), "/2");
	KUNIT_EXPECT_STREQ(test, path_of(3), "/3");
}

/* ---- Tasks ---- */

static void a_locked_task_is_as_it_was(struct kunit *test)
{
	struct fake_task *task = begin_task(test, 10, "locked", 500), *other;

	other = begin_task(test, 11, "other", 400);
	interval(0);
	task->locked = true;
	task->pages = 900;
	other->pages = 450;
	interval(0);
	KUNIT_EXPECT_FALSE(test, waited);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->points, 500U);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->grew, 50);
	/* Never seen: it has no row, and counts as a task. */
	begin_task(test, 12, "new", 800)->locked = true;
	task->locked = false;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 400);
	KUNIT_EXPECT_PTR_EQ(test, row(OOMLENS_TASKS, NULL, 12), &no_row);
	KUNIT_EXPECT_EQ(test, copy->figures[OOMLENS_NR_TASKS], 3L);
	/* What it had is not known: nor is what it, or its name, grew by. */
	tasks[2].locked = false;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 12)->points, 800U);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 12)->grew, OOMLENS_GREW_UNKNOWN);
	KUNIT_EXPECT_PTR_EQ(test, row(OOMLENS_COMMS, "new", 0), &no_row);
	tasks[2].pages = 900;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 12)->grew, 100);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "new", 0)->grew, 100);
}

/* The walk was given up before it came to the last one. */
static void what_a_walk_did_not_reach_has_not_grown(struct kunit *test)
{
	begin_task(test, 10, "first", 500);
	interval(0);
	begin_task(test, 11, "second", 400);
	unreached = 1;
	interval(0);
	unreached = 0;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->grew, OOMLENS_GREW_UNKNOWN);
	/* Nor is what it grew by in two intervals of the last one. */
	tasks[1].pages += 5;
	unreached = 1;
	interval(0);
	unreached = 0;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->grew, OOMLENS_GREW_UNKNOWN);
	KUNIT_EXPECT_PTR_EQ(test, row(OOMLENS_COMMS, "second", 0), &no_row);
	tasks[1].pages += 10;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->grew, 10);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "second", 0)->grew, 10);
}

static void what_is_new_grew_by_all_it_has(struct kunit *test)
{
	begin_task(test, 10, "old", 500);
	interval(0);
	/* It was there before the first sample. */
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, OOMLENS_GREW_UNKNOWN);
	begin_task(test, 11, "new", 300);
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->grew, 300);
	KUNIT_EXPECT_FALSE(test, row(OOMLENS_TASKS, NULL, 11)->from_max);
}

/* A process whose entry is in the first bucket. */
static struct fake_task *begin_in_bucket(struct kunit *test, u32 pages)
{
	static pid_t last;
	struct fake_task *task = begin_task(test, 0, "crowd", pages);
	u64 key;

	do {
		task->p->tgid = ++last;
		key = oomlens_task_key(task->p->start_time, last);
	} while (hash_64(key, h->tables[OOMLENS_TASKS].bits));
	return task;
}

/* Where the table is full only the start tells what is new from what was too small. */
static void what_is_new_is_not_below_the_floor(struct kunit *test)
{
	struct fake_task *small, *new;
	unsigned int i;

	for (i = 0; i < OOMLENS_WAYS; i++)
		begin_in_bucket(test, 1000);
	small = begin_in_bucket(test, 400);
	interval(0);
	small->pages = 5000;
	new = begin_in_bucket(test, 6000);
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, small->p->tgid)->grew, 4600);
	KUNIT_EXPECT_TRUE(test, row(OOMLENS_TASKS, NULL, small->p->tgid)->from_max);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, new->p->tgid)->grew, 6000);
	KUNIT_EXPECT_FALSE(test, row(OOMLENS_TASKS, NULL, new->p->tgid)->from_max);
}

static void a_pid_that_is_used_again(struct kunit *test)
{
	struct fake_task *task = begin_task(test, 10, "first", 900);

	interval(0);
	KUNIT_EXPECT_STREQ(test, row(OOMLENS_TASKS, NULL, 10)->comm, "first");
	nr_tasks = 0;
	task = begin_task(test, 10, "second", 200);
	interval(0);
	KUNIT_EXPECT_STREQ(test, row(OOMLENS_TASKS, NULL, 10)->comm, "second");
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 200);
	KUNIT_EXPECT_EQ(test, oomlens_key_start(row(OOMLENS_TASKS, NULL, 10)->key, 10),
			task->p->start_time);
	/* And what began at one time is not one process. */
	begin_task(test, 20, "twin", 100)->p->start_time = task->p->start_time;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->points, 200U);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 20)->points, 100U);
}

/* ---- The table itself ---- */

#define KEYS	12

/* That many keys of one bucket. */
static void same_bucket(const struct oomlens_table *t, u64 *keys, unsigned int n)
{
	u64 key;

	for (key = 1; n; key++)
		if (!hash_64(key, t->bits))
			keys[--n] = key;
}

/* What came up from below the floor grew by at least the rest. */
static void the_floor_bounds_what_is_not_kept(struct kunit *test)
{
	struct oomlens_table *t = &h->tables[OOMLENS_TASKS];
	struct oomlens_before before;
	u64 keys[KEYS];
	unsigned int i;

	same_bucket(t, keys, KEYS);
	/* The first sample knows of nothing before it. */
	for (i = 0; i < OOMLENS_WAYS; i++) {
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, oomlens_table_see(t, keys[i], 1000 + i, 1,
								     false, &before));
		KUNIT_EXPECT_EQ(test, before.pages, OOMLENS_UNKNOWN);
	}
	/* Smaller ones have no entry; the largest of them is the floor. */
	KUNIT_EXPECT_TRUE(test, !oomlens_table_see(t, keys[8], 30, 1, false, &before));
	KUNIT_EXPECT_TRUE(test, !oomlens_table_see(t, keys[9], 70, 1, false, &before));
	oomlens_table_sweep(t, 1);
	for (i = 0; i < OOMLENS_WAYS; i++)
		oomlens_table_see(t, keys[i], 1000 + i, 2, false, &before);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, oomlens_table_see(t, keys[8], 5000, 2, false, &before));
	KUNIT_EXPECT_EQ(test, before.pages, 70U);
	KUNIT_EXPECT_TRUE(test, before.most);
	/* The one that made room, of 1000 pages, is below the next floor. */
	KUNIT_EXPECT_TRUE(test, !oomlens_table_find(t, keys[0]));
	/* What is fresh had nothing, whatever the floor. */
	oomlens_table_see(t, keys[10], 6000, 2, true, &before);
	KUNIT_EXPECT_EQ(test, before.pages, 0U);
	KUNIT_EXPECT_FALSE(test, before.most);
	oomlens_table_sweep(t, 2);
	/* All that are kept are seen, so the floor is what made room before: 1000 and 1001. */
	for (i = 2; i < OOMLENS_WAYS; i++)
		oomlens_table_see(t, keys[i], 1000 + i, 3, false, &before);
	oomlens_table_see(t, keys[8], 5000, 3, false, &before);
	oomlens_table_see(t, keys[10], 6000, 3, false, &before);
	oomlens_table_see(t, keys[0], 9000, 3, false, &before);
	KUNIT_EXPECT_EQ(test, before.pages, 1001U);
	oomlens_table_sweep(t, 3);
	/* What makes room for it says nothing of it, */
	oomlens_table_see(t, keys[11], 9500, 4, false, &before);
	KUNIT_EXPECT_EQ(test, before.pages, 1002U);
	/* and is of the sample before, where it was not seen yet: it raises the floor. */
	oomlens_table_see(t, keys[3], 9600, 4, false, &before);
	KUNIT_EXPECT_EQ(test, before.pages, 1003U);
}

/* ---- The day ---- */

static void the_day_compares_the_fewest(struct kunit *test)
{
	struct fake_task *leak = begin_task(test, 10, "leak", 1000);
	struct fake_task *churn = begin_task(test, 11, "churn", 1000);
	unsigned int i;

	/* Two steps of ten minutes; the first sample begins the first. */
	for (i = 0; i <= 120; i++) {
		leak->pages = 1000 + i;
		/* Its least is not where a step ends. */
		churn->pages = i % 2 ? 1000 + i / 61 * 30 : 4000;
		interval(0);
	}
	KUNIT_ASSERT_EQ(test, h->day.written, 2ULL);
	KUNIT_ASSERT_TRUE(test, copy_slot(slot_at(&h->day, 1), h->tick, copy));
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 60);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->points, 1120U);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->grew, 30);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_TASKS, NULL, 11)->points, 4000U);
	/* Their names alike. */
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "leak", 0)->grew, 60);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "churn", 0)->grew, 30);
}

/* Of a name it is the sum that counts, and the fewest is that of whole samples. */
static void a_name_has_the_sum_of_its_tasks(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		begin_task(test, 10 + i, "bomb", 100);
	interval(0);
	for (i = 20; i < 30; i++)
		begin_task(test, 10 + i, "bomb", 100);
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "bomb", 0)->count, 30U);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "bomb", 0)->points, 3000U);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "bomb", 0)->grew, 1000);
	for (i = 0; h->day.written < 1; i++)
		interval(0);
	/* A second step, in which ten more came. */
	for (i = 30; i < 40; i++)
		begin_task(test, 10 + i, "bomb", 100);
	for (i = 0; h->day.written < 3; i++)
		interval(0);
	KUNIT_ASSERT_TRUE(test, copy_slot(slot_at(&h->day, 1), h->tick - 60, copy));
	/* Its least was what the first step ended with, and the first step's what it began with. */
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, "bomb", 0)->grew, 1000);
}

static void names_are_told_apart_by_each_character(struct kunit *test)
{
	static const char * const names[] = {
		"a", "b", "postgres", "postfix", "python", "python3", "docker", "dockerd",
		"systemd-journal", "systemd-journax",
	};
	unsigned int i;

	begin_task(test, 9, "idle", 1);
	interval(0);
	/* Three names of a sample at most are told of. */
	for (i = 0; i < ARRAY_SIZE(names); i += 2) {
		begin_task(test, 10 + i, names[i], 100);
		begin_task(test, 11 + i, names[i + 1], 100);
		interval(0);
		KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[i], 0)->grew, 100);
		KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[i + 1], 0)->grew, 100);
		KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[i], 0)->count, 1U);
	}
}

/* Names of one bucket. */
static void name_in_bucket(char *name)
{
	static unsigned int last;
	u64 key;

	do {
		memset(name, 0, TASK_COMM_LEN);
		snprintf(name, TASK_COMM_LEN, "n%u", ++last);
		key = comm_key(name) ?: 1;
	} while (hash_64(key, h->tables[OOMLENS_COMMS].bits));
}

/* Where more names are than are kept, none is told to have grown that did not. */
static void a_full_bucket_of_names_invents_no_growth(struct kunit *test)
{
	static char names[OOMLENS_WAYS + 1][TASK_COMM_LEN];
	struct fake_task *worker;
	const struct oomlens_row *r;
	unsigned int i, n;

	for (i = 0; i <= OOMLENS_WAYS; i++)
		name_in_bucket(names[i]);
	/* One name too many. Of names[0] the first task is smaller than that name's only one. */
	begin_task(test, 10, names[0], 500);
	begin_task(test, 11, names[OOMLENS_WAYS], 800);
	for (i = 1; i < OOMLENS_WAYS; i++)
		begin_task(test, 11 + i, names[i], 5000);
	for (i = 0; i < 4; i++)
		worker = begin_task(test, 30 + i, names[0], 3000);
	for (n = 0; n < 6; n++) {
		interval(0);
		KUNIT_EXPECT_EQ(test, (int)copy->nr[OOMLENS_COMMS], 0);
	}
	/* Kept by then, and whole. */
	worker->pages += 70;
	interval(0);
	r = row(OOMLENS_COMMS, names[0], 0);
	KUNIT_EXPECT_EQ(test, r->grew, 70);
	KUNIT_EXPECT_EQ(test, r->count, 5U);
	KUNIT_EXPECT_EQ(test, r->points, 12570U);
	/* A name that comes up is kept from then on. */
	tasks[1].pages = 20000;
	for (n = 0; n < 3; n++) {
		interval(0);
		KUNIT_EXPECT_EQ(test, (int)copy->nr[OOMLENS_COMMS], 0);
	}
	tasks[1].pages += 90;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[OOMLENS_WAYS], 0)->grew, 90);
}

/* Many small tasks have a large sum, though each is smaller than all that are kept. */
static void a_bomb_has_a_place_in_a_full_bucket(struct kunit *test)
{
	static char names[OOMLENS_WAYS + 2][TASK_COMM_LEN];
	const struct oomlens_row *r;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		name_in_bucket(names[i]);
	for (i = 0; i < OOMLENS_WAYS; i++)
		begin_task(test, 10 + i, names[i], 500 + i);
	interval(0);
	begin_task(test, 29, names[OOMLENS_WAYS + 1], 300);
	for (i = 0; i < 30; i++)
		begin_task(test, 30 + i, names[OOMLENS_WAYS], 100);
	for (n = 0; n < 3; n++) {
		KUNIT_EXPECT_PTR_EQ(test, row(OOMLENS_COMMS, names[OOMLENS_WAYS], 0), &no_row);
		interval(0);
	}
	tasks[OOMLENS_WAYS + 1].pages += 70;
	interval(0);
	r = row(OOMLENS_COMMS, names[OOMLENS_WAYS], 0);
	KUNIT_EXPECT_EQ(test, r->grew, 70);
	KUNIT_EXPECT_EQ(test, r->count, 30U);
	KUNIT_EXPECT_EQ(test, r->points, 3070U);
	/* It stays, and so do the larger ones. */
	for (i = 1; i < OOMLENS_WAYS; i++)
		tasks[i].pages += 40 + i;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[7], 0)->grew, 47);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[6], 0)->grew, 46);
	tasks[OOMLENS_WAYS + 1].pages += 70;
	interval(0);
	KUNIT_EXPECT_EQ(test, row(OOMLENS_COMMS, names[OOMLENS_WAYS], 0)->grew, 70);
}

/* The growth that @nr samples of the day tell of a process, in all. */
static s64 grew_in_day(pid_t pid, u64 first, unsigned int nr)
{
	s64 sum = 0;
	u64 n;

	for (n = first; n < first + nr; n++) {
		memcpy(copy, slot_at(&h->day, n)->sample, oomlens_sample_size());
		sum += row(OOMLENS_TASKS, NULL, pid)->grew;
	}
	return sum;
}

/* 100 kB a minute: pages in one interval, times six. */
#define SLOW		25
/* 50 MB come and go. */
#define CHURN		12800
/* Ten minutes each; a sample takes ten milliseconds in a debug guest. */
#define STEPS		24

static void a_slow_leak_is_named_within_the_day(struct kunit *test)
{
	struct fake_task *slow = begin_task(test, 10, "slow", 0);
	struct fake_task *churn = begin_task(test, 11, "churn", 0);
	u32 dice = 12345;
	u64 first = 1;
	unsigned int i;

	for (i = 0; h->day.written <= STEPS; i++) {
		dice = dice * 1664525 + 1013904223;
		slow->pages = 1000 + i * SLOW / 6;
		churn->pages = 1000 + (dice >> 16) % CHURN;
		interval(0);
	}
	/* The first has none before it. */
	KUNIT_EXPECT_EQ(test, grew_in_day(10, first, STEPS), STEPS * SLOW * 10LL);
	/* In two hours, too, it is the one that grew. */
	for (; first + 12 <= STEPS; first++)
		KUNIT_EXPECT_GT(test, grew_in_day(10, first, 12), grew_in_day(11, first, 12));
	/* An event tells of the last ten minutes, or up to a half more. */
	added[0] = '\0';
	kill_by(true);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, strstr(added, " pid=10 comm=slow "));
}

/* What grows slowly has no row in a sample, but in that of the day and in an event. */
static void what_grows_slowly_has_its_path(struct kunit *test)
{
	struct oomlens_memcg_figures *slow = begin_memcg(1, 1);
	struct fake_task *task;
	unsigned int i, k;

	/* More than there are rows: half are large, half come and go. */
	for (i = 0; i < 40; i++)
		begin_task(test, 100 + i, "crowd", 5000);
	for (i = 0; i < 20; i++)
		begin_memcg(10 + i, 1)->usage = 5000;
	task = begin_task(test, 10, "slow", 100);
	task->memcg = memcg_at(0);
	slow->usage = 100;
	for (i = 0; h->day.written < 2; i++) {
		for (k = 0; k < 20; k++)
			tasks[k].pages = 1000 + (i + k) % 2 * 50;
		for (k = 1; k < 11; k++)
			memcgs[k].usage = 1000 + (i + k) % 2 * 50;
		task->pages += 20;
		slow->usage += 20;
		interval(0);
		KUNIT_ASSERT_PTR_EQ(test, memcg_row(1), &no_row);
		KUNIT_ASSERT_PTR_EQ(test, row(OOMLENS_TASKS, NULL, 10), &no_row);
		if (i != 20)
			continue;
		added[0] = '\0';
		KUNIT_EXPECT_STREQ(test, path_of(1), "-");
		kill_by(true);
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, strstr(added, " comm=slow memcg=/1 from="));
		/* As if others had needed the room. */
		memset(h->names->cells, 0, h->names->nr * cell_size(h->names->path));
	}
	KUNIT_ASSERT_TRUE(test, copy_slot(slot_at(&h->day, 1), h->tick, copy));
	KUNIT_EXPECT_EQ(test, memcg_row(1)->grew, 1200);
	KUNIT_EXPECT_STREQ(test, path_of(1), "/1");
}

/* No more cgroups are visited than it takes, and once for both spans. */
static void the_paths_of_an_event(struct kunit *test)
{
	struct fake_task *task = begin_task(test, 10, "leak", 100);
	const char *line;
	unsigned int i;

	for (i = 1; i <= 3; i++)
		begin_memcg(i, 1);
	task->memcg = memcg_at(1);
	for (i = 0; i < 90; i++) {
		task->pages += 20;
		interval(0);
	}
	memset(h->names->cells, 0, h->names->nr * cell_size(h->names->path));
	added[0] = '\0';
	visits = 0;
	kill_by(true);
	KUNIT_EXPECT_EQ(test, visits, 1U);
	line = strstr(added, " pid=10 comm=leak memcg=/2 ");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, line);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, strstr(line + 1, " pid=10 comm=leak memcg=/2 "));
	/* It is gone, and another one is there. */
	memset(h->names->cells, 0, h->names->nr * cell_size(h->names->path));
	memcgs[1].serial = 4;
	added[0] = '\0';
	visits = 0;
	kill_by(true);
	KUNIT_EXPECT_EQ(test, visits, 3U);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, strstr(added, " pid=10 comm=leak memcg=- "));
}

/* The samples that are kept, from the newest back, by their numbers. */
static void expect_ages(struct kunit *test, u64 over_ns)
{
	u64 number = 1, kept = 0;

	while (oomlens_sample_next(h, number, copy)) {
		KUNIT_ASSERT_GE(test, copy->number, number);
		KUNIT_ASSERT_EQ(test, clock_ns - copy->time_ns,
				(h->tick - copy->number) * over_ns);
		KUNIT_ASSERT_EQ(test, copy->over_ns, over_ns);
		number = copy->number + 1;
		kept++;
	}
	KUNIT_EXPECT_EQ(test, number - 1, (u64)h->tick);
	KUNIT_EXPECT_GE(test, kept, (u64)min_t(u32, h->minutes.nr, h->tick - 1));
}

/* The longest interval that the parameter takes: each sample is one of the day too. */
#define LONG_NS		((u64)EVERY_MAX_S * NSEC_PER_SEC)

static void sixty_days_of_uptime(struct kunit *test)
{
	struct fake_task *old = begin_task(test, 10, "old", 1000), *young = NULL;
	unsigned int i, nr = 60 * 24 * 3600 / EVERY_MAX_S;

	every_s = EVERY_MAX_S;
	interval(0);
	for (i = 1; i <= nr; i++) {
		old->pages = 1000 + i;
		if (i == nr - 1) {
			young = begin_task(test, 11, "young", 300);
			clock_ns -= NSEC_PER_MSEC;
		}
		interval(i == nr ? 90 : 0);
		KUNIT_ASSERT_EQ(test, row(OOMLENS_TASKS, NULL, 10)->grew, 1);
		if (i % 100 == 99)
			expect_ages(test, LONG_NS);
	}
	KUNIT_EXPECT_GE(test, clock_ns, nr * LONG_NS);
	expect_ages(test, LONG_NS);
	oomlens_sample_next(h, h->tick, copy);
	KUNIT_EXPECT_EQ(test, oomlens_key_start(row(OOMLENS_TASKS, NULL, 10)->key, 10),
			old->p->start_time);
	KUNIT_EXPECT_EQ(test, oomlens_key_start(row(OOMLENS_TASKS, NULL, 11)->key, 11),
			young->p->start_time);
	KUNIT_EXPECT_EQ(test, stall(1).begin_ns, clock_ns - LONG_NS);
	/* A mark is two intervals old. */
	added[0] = '\0';
	kill_by(true);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test,
				     strstr(added, "over_s=7200 pid=10 comm=old memcg=- from="));
}

/* After a pause in which there were no readings. */
static void the_pressure_of_a_pause_is_not_known(struct kunit *test)
{
	u16 some, full;

	readings[1] = (struct reading){ .time_ns = clock_ns, .full_us = USEC_PER_SEC };
	readings[0] = (struct reading){ .time_ns = clock_ns - 2 * OVER_NS };
	oomlens_psi_answer(clock_ns, OVER_NS, &some, &full);
	KUNIT_EXPECT_NE(test, full, OOMLENS_PSI_UNKNOWN);
	readings[0].time_ns--;
	oomlens_psi_answer(clock_ns, OVER_NS, &some, &full);
	KUNIT_EXPECT_EQ(test, full, OOMLENS_PSI_UNKNOWN);
	KUNIT_EXPECT_EQ(test, some, OOMLENS_PSI_UNKNOWN);
}

/* ---- The lines of an event ---- */

static void a_kind_is_told_of_from_a_twentieth_on(struct kunit *test)
{
	h->memory.unaccounted = 3000;
	interval(0);
	added[0] = '\0';
	/* RAM is 2,000,000 pages. */
	h->memory.unaccounted = 3000 + 99999;
	kill_by(true);
	KUNIT_EXPECT_TRUE(test, !strstr(added, "what=unaccounted"));
	h->memory.unaccounted = 3000 + 100000;
	kill_by(true);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test,
				     strstr(added, "what=unaccounted from=3000 to=103000\n"));
}

/* ---- */

static int history_test_init(struct kunit *test)
{
	clock_ns = 1000 * NSEC_PER_SEC;
	every_s = 10;
	nr_tasks = 0;
	nr_memcgs = 0;
	unreached = 0;
	waited = false;
	memset(readings, 0, sizeof(readings));
	KUNIT_ASSERT_TRUE(test, oomlens_geometry_choose(SZ_512K));
	h = oomlens_history_alloc();
	copy = kunit_kzalloc(test, oomlens_sample_size(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, h);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	history = h;
	/* The file is not there, but what a stall needs for its line in the log. */
	KUNIT_ASSERT_EQ(test, oomlens_psi_init(), 0);
	oomlens_psi_lacks = NULL;
	queue = alloc_workqueue("oomlens_psi", 0, 0);
	return queue ? 0 : -ENOMEM;
}

static void history_test_exit(struct kunit *test)
{
	oomlens_psi_exit();
	history = NULL;
	oomlens_history_free(h);
}

static struct kunit_case history_cases[] = {
	KUNIT_CASE(a_stall_has_its_worst_share),
	KUNIT_CASE(poll_tells_of_begin_and_end),
	KUNIT_CASE(an_oom_is_no_stall),
	KUNIT_CASE(the_deepest_cgroup_is_told_of),
	KUNIT_CASE(the_machine_stands_for_its_cgroups),
	KUNIT_CASE(a_stall_that_goes_on_is_kept),
	KUNIT_CASE(a_stall_goes_on_among_many),
	KUNIT_CASE(a_stall_of_the_machine_ends_no_other),
	KUNIT_CASE(a_share_is_of_what_the_kernel_added_up),
	KUNIT_CASE(a_stall_after_an_idle_time),
	KUNIT_CASE(a_stall_goes_on_without_a_sum),
	KUNIT_CASE(a_stall_keeps_its_path),
	KUNIT_CASE(paths_take_turns),
	KUNIT_CASE(a_locked_task_is_as_it_was),
	KUNIT_CASE(what_a_walk_did_not_reach_has_not_grown),
	KUNIT_CASE(what_is_new_grew_by_all_it_has),
	KUNIT_CASE(what_is_new_is_not_below_the_floor),
	KUNIT_CASE(a_pid_that_is_used_again),
	KUNIT_CASE(the_floor_bounds_what_is_not_kept),
	KUNIT_CASE(the_day_compares_the_fewest),
	KUNIT_CASE(a_name_has_the_sum_of_its_tasks),
	KUNIT_CASE(names_are_told_apart_by_each_character),
	KUNIT_CASE(a_full_bucket_of_names_invents_no_growth),
	KUNIT_CASE(a_bomb_has_a_place_in_a_full_bucket),
	KUNIT_CASE(a_slow_leak_is_named_within_the_day),
	KUNIT_CASE(what_grows_slowly_has_its_path),
	KUNIT_CASE(the_paths_of_an_event),
	KUNIT_CASE(sixty_days_of_uptime),
	KUNIT_CASE(the_pressure_of_a_pause_is_not_known),
	KUNIT_CASE(a_kind_is_told_of_from_a_twentieth_on),
	{ }
};

static struct kunit_suite history_suite = {
	.name		= "oomlens_history",
	.init		= history_test_init,
	.exit		= history_test_exit,
	.test_cases	= history_cases,
};

kunit_test_suite(history_suite);

MODULE_DESCRIPTION("KUnit tests of oomlens' sampler");
MODULE_LICENSE("GPL");
