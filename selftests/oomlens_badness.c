// SPDX-License-Identifier: GPL-2.0
/*
 * badness row by row: the order, the figures against /proc/PID/status, and
 * each verdict and fate on a task that was brought into that state.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define PF_KTHREAD	0x00200000

static struct table *read_badness(void)
{
	return must_table("badness");
}

/* A cell of a task's row, as it is now; NULL if the task has no row. */
static const char *cell_of(pid_t pid, const char *col)
{
	static char cell[512];
	struct table *t = read_badness();
	int row = table_find(t, "pid", pid);

	snprintf(cell, sizeof(cell), "%s", table_cell(t, row, col));
	table_free(t);
	return row < 0 ? NULL : cell;
}

/* Of the task's row, as it is now. */
#define EXPECT_TASK(pid, ...) do {						\
	struct table *t_ = read_badness();					\
										\
	EXPECT_ROW(t_, table_find(t_, "pid", pid), __VA_ARGS__);		\
	table_free(t_);								\
} while (0)

static bool verdict_now(pid_t pid, const char *want)
{
	const char *verdict = cell_of(pid, "verdict");

	return verdict && !strcmp(verdict, want);
}

/*
 * From 6.2 on, until the OOM killer read exact sums, it reads an mm's counters
 * without their per-CPU parts: each CPU may hold back a batch. In pages.
 */
static long long kept_by_cpus(void)
{
	long long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return cpus * (cpus > 16 ? 2 * cpus : 32);
}

static long long anon_of(pid_t pid)
{
	struct table *t = read_badness();
	long long pages = table_number(t, table_find(t, "pid", pid), "rss_anon");

	table_free(t);
	return pages;
}

/* ---- the order and the header ---- */

/* Enough rows for the module to sort in bulk (512); a small board has no room. */
#define CROWD		600
#define SMALL_CROWD	60
#define CROWD_KB	(200 * 1024)

static void test_order(void)
{
	static pid_t crowd[CROWD];
	unsigned int n = meminfo_kb("MemAvailable") > CROWD_KB ? CROWD : SMALL_CROWD;
	struct table *t;
	long long last = LLONG_MAX;
	unsigned int i, ranked = 0, doomed = 0;

	must_idle(crowd, n);
	/* adj in no order, so that points have either sign. */
	for (i = 0; i < n; i++)
		set_adj(crowd[i], (int)(i * 7919 % 1999) - 999);
	t = read_badness();
	for (i = 0; i < t->rows; i++) {
		long long rank = table_number(t, i, "rank");

		doomed += strcmp(table_cell(t, i, "fate"), "-") != 0;
		if (rank == LLONG_MIN)
			continue;
		/* The ranked rows come first, by falling points. */
		expect_of("row %u", i);
		EXPECT_EQ(rank, ++ranked);
		EXPECT_EQ(ranked, i + 1);
		EXPECT_LE(table_number(t, i, "points"), last);
		last = table_number(t, i, "points");
	}
	expect_of("%s", t->header);
	EXPECT_EQ(table_head(t, "tasks"), t->rows);
	EXPECT_EQ(table_head(t, "eligible"), ranked);
	EXPECT_EQ(table_head(t, "dies"), doomed);
	EXPECT_EQ(table_head(t, "complete"), 1);
	EXPECT_STREQ(table_cell(t, 0, "fate"), "victim");
	table_free(t);
	idle_end(crowd, n);
	test_done("ranks, points and the header's counts agree");
}

/* Thread groups in /proc, kernel threads apart. */
static void count_proc(struct table *t, unsigned int *kthreads, unsigned int *missing)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	*kthreads = 0;
	*missing = 0;
	while (dir && (d = readdir(dir))) {
		char path[300], *text, *s;
		unsigned long flags = 0;

		if (!atoi(d->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		text = read_file(path);
		s = text ? strrchr(text, ')') : NULL;
		if (s && sscanf(s + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1) {
			if (flags & PF_KTHREAD)
				++*kthreads;
			else if (table_find(t, "pid", atoi(d->d_name)) < 0)
				++*missing;
		}
		free(text);
	}
	if (dir)
		closedir(dir);
}

static void test_every_task(void)
{
	unsigned int before, after, missing;
	struct table *t = read_badness();
	unsigned int tries = 20;

	/* Kernel threads come and go: repeated until both counts agree. */
	do {
		count_proc(t, &before, &missing);
		table_free(t);
		t = read_badness();
		count_proc(t, &after, &missing);
	} while ((missing || table_head(t, "kthreads") != after || before != after) && --tries);
	EXPECT_EQ(missing, 0);
	EXPECT_EQ(table_head(t, "kthreads"), after);
	EXPECT_EQ(before, after);
	table_free(t);
	test_done("every task of /proc has a row or is counted");
}

/* ---- the figures ---- */

static long long status_pages(const char *text, const char *key)
{
	long long kb = 0;

	key_number(text, key, &kb);
	return kb * 1024 / (long long)page_size();
}

/* Columns that /proc/PID/status has too. */
static const struct {
	const char *col, *key;
	bool drifts;		/* by the per-CPU parts of the counters */
} status_columns[] = {
	{ "rss_anon",	"RssAnon:",	true },
	{ "rss_file",	"RssFile:",	true },
	{ "rss_shmem",	"RssShmem:",	true },
	{ "swap",	"VmSwap:",	true },
	{ "pgtables",	"VmPTE:",	false },
	{ "locked",	"VmLck:",	false },
	{ "vm_total",	"VmSize:",	false },
};

static void expect_status(pid_t pid)
{
	struct table *t = read_badness();
	int row = table_find(t, "pid", pid);
	char path[64], *text;
	long long number;
	unsigned int i;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = must_read(path);
	for (i = 0; i < ARRAY_SIZE(status_columns); i++) {
		expect_of("pid %d, %s", pid, status_columns[i].col);
		EXPECT_NEAR(table_number(t, row, status_columns[i].col),
			    status_pages(text, status_columns[i].key),
			    status_columns[i].drifts ? kept_by_cpus() : 0);
	}
	expect_of("pid %d", pid);
	EXPECT_TRUE(key_number(text, "Threads:", &number));
	EXPECT_EQ(table_number(t, row, "threads"), number);
	EXPECT_TRUE(key_number(text, "Uid:", &number));
	EXPECT_EQ(table_number(t, row, "uid"), number);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	EXPECT_EQ(table_number(t, row, "adj"), file_number(path));
	table_free(t);
	free(text);
}

static void test_figures(void)
{
	/* Of the memory: the kernel would not promise more. */
	const unsigned long half = meminfo_pages("MemTotal") / 2;
	const struct hog_spec specs[] = {
		{ .anon = 2000, .adj = 3 },
		{ .anon = 300, .shmem = 900, .adj = -7 },
		{ .anon = 500, .locked = 400, .promised = half },
		{ .anon = 200, .threads = 6, .comm = "a b\\c\n" },
	};
	struct hog hog;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(specs); i++) {
		must_hog(&hog, &specs[i]);
		expect_status(hog.pid);
		if (i + 1 < ARRAY_SIZE(specs))
			hog_end(&hog);
	}
	test_done("the figures are those of /proc/PID/status");
	/* The last has such a name. */
	EXPECT_TASK(hog.pid, "comm=a\\040b\\134c\\012");
	hog_end(&hog);
	test_done("a name cannot add a column or a line");
}

static void test_swapped(bool swap)
{
	const struct hog_spec spec = { .anon = 3000, .swapped = 2000 };
	struct hog hog;

	if (!swap) {
		test_skip(1, "the figures of a task in swap: no swap\n");
		return;
	}
	must_hog(&hog, &spec);
	expect_status(hog.pid);
	hog_end(&hog);
	test_done("the figures of a task in swap");
}

/* ---- verdicts ---- */

static void test_verdicts(void)
{
	struct hog_spec spec = { .anon = 100 };
	struct hog hog, vfork;
	pid_t zombie;

	EXPECT_TASK(1, "verdict=init rank=-");
	test_done("init");

	must_hog(&hog, &spec);
	EXPECT_TASK(hog.pid, "verdict=eligible");
	set_adj(hog.pid, OOM_ADJ_NEVER);
	EXPECT_TASK(hog.pid, "verdict=adj_min score=0");
	hog_end(&hog);
	test_done("eligible, then adj_min");

	spec.vfork = true;
	must_hog(&vfork, &spec);
	EXPECT_TASK(vfork.second, "verdict=vfork");
	EXPECT_TASK(vfork.pid, "verdict=eligible");
	hog_end(&vfork);
	test_done("vfork");

	zombie = must_fork();
	if (!zombie)
		_exit(0);
	EXPECT_TRUE(wait_until(verdict_now(zombie, "exiting"), PATIENCE_MS));
	waitpid(zombie, NULL, 0);
	test_done("exiting");

	spec = (struct hog_spec){ .anon = 700, .threads = 2, .dead_leader = true };
	must_hog(&hog, &spec);
	EXPECT_TASK(hog.pid, "verdict=eligible");
	EXPECT_GE(anon_of(hog.pid), 700 - kept_by_cpus());
	hog_end(&hog);
	test_done("a dead leader's live threads are eligible");
}

/* The task that empties swap is flagged to go first, while it does so. */
static void test_origin(bool swap)
{
	struct swap_drain off;
	bool seen = false;

	if (!swap || !swapoff_start(&off)) {
		ksft_test_result_skip("no swap to be emptied\n");
		return;
	}
	while (swapoff_busy(&off)) {
		struct table *t = read_badness();
		int row = table_find(t, "pid", off.pid);

		seen |= row == 0 && !strcmp(table_cell(t, row, "verdict"), "origin") &&
			!strcmp(table_cell(t, row, "fate"), "victim");
		table_free(t);
	}
	EXPECT_TRUE(swapoff_end(&off));
	EXPECT_TRUE(seen);
	test_done("origin");
}

static int pin(pid_t pid, int cpu, bool fifo)
{
	struct sched_param param = { .sched_priority = fifo ? 10 : 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(pid, sizeof(set), &set) ||
	       sched_setscheduler(pid, fifo ? SCHED_FIFO : SCHED_IDLE, &param);
}

/* A task that is being killed is not killed again. */
static void expect_already(pid_t pid)
{
	if (lens_writable() && lens_feature("debugfs") && lens_feature("sysrq"))
		EXPECT_EQ(lens_command("trigger", "kill pid=%d\n", pid), -EALREADY);
}

/*
 * A victim that gets no CPU: it cannot exit, so the kernel waits for it until
 * the reaper has taken its memory. Then it is reaped, and still there.
 */
static void test_victim(void)
{
	struct hog_spec spec = { .anon = 3000, .adj = 1000, .comm = "slow" };
	struct hog_spec none = { .adj = OOM_ADJ_NEVER, .comm = "spin" };
	struct hog slow, spin;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		test_skip(2, "one CPU\n");
		return;
	}
	setting_write("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	setting_write("/proc/sys/kernel/sysrq", "1");
	must_hog(&slow, &spec);
	must_hog(&spin, &none);
	MUST(!pin(slow.pid, 1, false) && !pin(spin.pid, 1, true));
	/* This program stays on the other CPU, and so does the OOM that it causes. */
	sched_setaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){ .__bits = { 1 } });
	hog_do(&spin, HOG_SPIN, 0);
	write_file("/proc/sysrq-trigger", "f");
	EXPECT_TRUE(wait_until(verdict_now(slow.pid, "victim"), 5000));
	EXPECT_TASK(slow.pid, "rank=-");
	expect_already(slow.pid);
	test_done("victim");
	EXPECT_TRUE(wait_until(verdict_now(slow.pid, "reaped"), PATIENCE_MS));
	EXPECT_TASK(slow.pid, "score=0");
	expect_already(slow.pid);
	test_done("reaped");
	hog_end(&spin);
	hog_end(&slow);
	sched_setaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){ .__bits = { 3 } });
}

/* ---- fates ---- */

static void test_sharer(void)
{
	static const struct hog_spec spec = { .anon = 5000, .adj = 1000, .sharer = true };
	struct hog hog;

	must_hog(&hog, &spec);
	/* The same points: the later in the list goes first. */
	EXPECT_TASK(hog.second, "fate=victim rank=1");
	EXPECT_TASK(hog.pid, "fate=sharer rank=2");
	hog_end(&hog);
	test_done("a process that shares the victim's mm goes along");
}

static void test_group(void)
{
	struct hog_spec spec = { .anon = 3000, .adj = 1000 };
	struct hog first, second, exempt;
	char *dir;

	if (cg_version() != 2) {
		ksft_test_result_skip("memory.oom.group needs cgroup v2\n");
		return;
	}
	dir = must_cgroup(NULL, "group");
	MUST_OK(cg_oom_group(dir, true));
	spec.cgroup = dir;
	must_hog(&first, &spec);
	spec.anon = 10;
	spec.adj = -999;
	must_hog(&second, &spec);
	spec.adj = OOM_ADJ_NEVER;
	must_hog(&exempt, &spec);
	EXPECT_TASK(first.pid, "fate=victim");
	EXPECT_TASK(second.pid, "fate=group");
	EXPECT_TASK(exempt.pid, "fate=-");
	EXPECT_TASK(second.pid, "memcg=%s", cg_shown(dir));
	cg_oom_group(dir, false);
	EXPECT_TASK(second.pid, "fate=-");
	hog_end(&first);
	hog_end(&second);
	hog_end(&exempt);
	cg_remove(dir);
	test_done("memory.oom.group takes all but adj -1000 along");
}

int main(void)
{
	bool swap;

	test_begin(15);
	swap = swap_ensure(20000);
	oom_settings();
	test_order();
	test_every_task();
	test_figures();
	test_swapped(swap);
	test_verdicts();
	test_origin(swap);
	test_victim();
	test_sharer();
	test_group();
	test_end();
}
