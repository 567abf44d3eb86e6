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
	struct table *t = table_read(lens_path("badness"));

	if (!t)
		ksft_exit_fail_msg("badness cannot be read: %s\n", strerror(errno));
	return t;
}

/* Word @col of a task's row, "" if it has none. */
static bool row_is(pid_t pid, const char *col, const char *want)
{
	struct table *t = read_badness();
	int row = table_find(t, "pid", pid);
	bool same = row >= 0 && !strcmp(table_cell(t, row, col), want);

	if (!same)
		ksft_print_msg("%d: %s is '%s', not '%s'\n", pid, col,
			       row >= 0 ? table_cell(t, row, col) : "(no row)", want);
	table_free(t);
	return same;
}

static bool verdict_now(pid_t pid, const char *want)
{
	struct table *t = read_badness();
	int row = table_find(t, "pid", pid);
	bool same = row >= 0 && !strcmp(table_cell(t, row, "verdict"), want);

	table_free(t);
	return same;
}

/*
 * From 6.2 to before the OOM killer read exact sums it reads what no CPU has
 * kept to itself: up to a batch for each CPU is missing, in pages.
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

/* So many that the module sorts as it sorts many (512); a small board has no room. */
#define CROWD		600
#define SMALL_CROWD	60
#define CROWD_KB	(200 * 1024)

static void test_order(void)
{
	static pid_t crowd[CROWD];
	unsigned int n = meminfo_kb("MemAvailable") > CROWD_KB ? CROWD : SMALL_CROWD;
	int err = idle_start(crowd, n);
	struct table *t;
	long long tasks, eligible, dies, complete, last = LLONG_MAX;
	unsigned int i, ranked = 0, doomed = 0;
	bool good = true;

	if (err)
		ksft_exit_fail_msg("cannot start %u tasks: %s\n", n, strerror(-err));
	/* In no order, and points of either sign. */
	for (i = 0; i < n; i++)
		set_adj(crowd[i], (int)(i * 7919 % 1999) - 999);
	t = read_badness();
	for (i = 0; i < t->rows; i++) {
		long long rank = table_number(t, i, "rank");

		doomed += strcmp(table_cell(t, i, "fate"), "-") != 0;
		if (rank == LLONG_MIN)
			continue;
		good &= rank == ++ranked && i + 1 == ranked;
		good &= table_number(t, i, "points") <= last;
		last = table_number(t, i, "points");
	}
	good &= table_header(t, "tasks", &tasks) && tasks == t->rows;
	good &= table_header(t, "eligible", &eligible) && eligible == ranked;
	good &= table_header(t, "dies", &dies) && dies == doomed;
	good &= table_header(t, "complete", &complete) && complete == 1;
	good &= !strcmp(table_cell(t, 0, "fate"), "victim");
	if (!good)
		ksft_print_msg("%s", t->header);
	table_free(t);
	idle_end(crowd, n);
	ksft_test_result(good, "ranks, points and the header's counts agree\n");
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

static void test_everybody(void)
{
	unsigned int before, after, missing;
	struct table *t = read_badness();
	long long kthreads = -1;
	unsigned int tries = 20;
	bool good;

	/* Kernel threads come and go: until nothing moved meanwhile. */
	do {
		count_proc(t, &before, &missing);
		table_free(t);
		t = read_badness();
		count_proc(t, &after, &missing);
		good = table_header(t, "kthreads", &kthreads) && !missing &&
		       kthreads == after && before == after;
	} while (!good && --tries);
	if (!good)
		ksft_print_msg("kthreads %lld, /proc has %u, then %u; %u tasks missing\n",
			       kthreads, before, after, missing);
	table_free(t);
	ksft_test_result(good, "every task of /proc has a row or is counted\n");
}

/* ---- the figures ---- */

static long long status_pages(const char *text, const char *key)
{
	long long kb = 0;

	key_number(text, key, &kb);
	return kb * 1024 / (long long)page_size();
}

static bool same(pid_t pid, struct table *t, int row, const char *col,
		 long long want, long long slack)
{
	long long got = table_number(t, row, col);

	if (llabs(got - want) <= slack)
		return true;
	ksft_print_msg("%d: %s is %lld, /proc/%d/status says %lld\n", pid, col, got, pid, want);
	return false;
}

static bool status_agrees(pid_t pid)
{
	long long batch = kept_by_cpus();
	struct table *t = read_badness();
	int row = table_find(t, "pid", pid);
	char path[64], *text;
	long long number = -1;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = read_file(path);
	if (!text || row < 0)
		return false;
	good = same(pid, t, row, "rss_anon", status_pages(text, "RssAnon:"), batch) &&
	       same(pid, t, row, "rss_file", status_pages(text, "RssFile:"), batch) &&
	       same(pid, t, row, "rss_shmem", status_pages(text, "RssShmem:"), batch) &&
	       same(pid, t, row, "swap", status_pages(text, "VmSwap:"), batch) &&
	       same(pid, t, row, "pgtables", status_pages(text, "VmPTE:"), 0) &&
	       same(pid, t, row, "locked", status_pages(text, "VmLck:"), 0) &&
	       same(pid, t, row, "vm_total", status_pages(text, "VmSize:"), 0);
	key_number(text, "Threads:", &number);
	good = good && same(pid, t, row, "threads", number, 0);
	key_number(text, "Uid:", &number);
	good = good && same(pid, t, row, "uid", number, 0);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	good = good && same(pid, t, row, "adj", file_number(path), 0);
	table_free(t);
	free(text);
	return good;
}

static void test_figures(bool swap)
{
	/* Of the memory: more would not be promised to anybody. */
	const unsigned long half = meminfo_kb("MemTotal") * 1024 / page_size() / 2;
	const struct hog_spec specs[] = {
		{ .anon = 2000, .adj = 3 },
		{ .anon = 300, .shmem = 900, .adj = -7 },
		{ .anon = 3000, .swapped = swap ? 2000 : 0 },
		{ .anon = 500, .locked = 400, .promised = half },
		{ .anon = 200, .threads = 6, .comm = "a b\\c\n" },
	};
	bool good = true, names = true;
	struct hog hog;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(specs); i++) {
		if (hog_start(&hog, &specs[i]))
			ksft_exit_fail_msg("cannot make hog %u\n", i);
		good &= status_agrees(hog.pid);
		if (specs[i].comm)
			names = row_is(hog.pid, "comm", "a\\040b\\134c\\012");
		hog_end(&hog);
	}
	ksft_test_result(good, "the figures are those of /proc/PID/status\n");
	ksft_test_result(names, "a name cannot add a column or a line\n");
}

/* ---- verdicts ---- */

static void test_verdicts(void)
{
	struct hog_spec spec = { .anon = 100 };
	struct hog hog, vfork;
	bool good;
	pid_t zombie;

	ksft_test_result(row_is(1, "verdict", "init") && row_is(1, "rank", "-"), "init\n");

	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	good = row_is(hog.pid, "verdict", "eligible");
	set_adj(hog.pid, OOM_ADJ_NEVER);
	good &= row_is(hog.pid, "verdict", "adj_min") && row_is(hog.pid, "score", "0");
	hog_end(&hog);
	ksft_test_result(good, "eligible, then adj_min\n");

	spec.vfork = true;
	if (hog_start(&vfork, &spec))
		ksft_exit_fail_msg("cannot make a vfork child\n");
	good = row_is(vfork.second, "verdict", "vfork") &&
	       row_is(vfork.pid, "verdict", "eligible");
	hog_end(&vfork);
	ksft_test_result(good, "vfork\n");

	zombie = fork();
	if (!zombie)
		_exit(0);
	good = wait_until(verdict_now(zombie, "exiting"), PATIENCE_MS);
	waitpid(zombie, NULL, 0);
	ksft_test_result(good, "exiting\n");

	spec = (struct hog_spec){ .anon = 700, .threads = 2, .dead_leader = true };
	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a dead leader\n");
	good = row_is(hog.pid, "verdict", "eligible") && anon_of(hog.pid) >= 700 - kept_by_cpus();
	hog_end(&hog);
	ksft_test_result(good, "a dead leader's live threads are eligible\n");
}

/* The task that empties swap is flagged to go first, while it does so. */
static void test_origin(bool swap)
{
	struct swapoff off;
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
	ksft_test_result(swapoff_end(&off) && seen, "origin\n");
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

/* Who is being killed is not killed again. */
static bool kill_says_already(pid_t pid)
{
	bool can = lens_writable() && lens_feature("debugfs") && lens_feature("sysrq");
	int err = can ? lens_command("trigger", "kill pid=%d\n", pid) : -EALREADY;

	if (err != -EALREADY)
		ksft_print_msg("kill of a victim gave %d\n", err);
	return err == -EALREADY;
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
	bool good, reaped;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		ksft_test_result_skip("one CPU\n");
		ksft_test_result_skip("one CPU\n");
		return;
	}
	setting_write("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	setting_write("/proc/sys/kernel/sysrq", "1");
	if (hog_start(&slow, &spec) || hog_start(&spin, &none) ||
	    pin(slow.pid, 1, false) || pin(spin.pid, 1, true))
		ksft_exit_fail_msg("cannot make a slow victim: %s\n", strerror(errno));
	/* We stay off that CPU, and so does what we ask for. */
	sched_setaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){ .__bits = { 1 } });
	hog_do(&spin, HOG_SPIN, 0);
	write_file("/proc/sysrq-trigger", "f");
	good = wait_until(verdict_now(slow.pid, "victim"), 5000) &&
	       row_is(slow.pid, "rank", "-") && kill_says_already(slow.pid);
	reaped = wait_until(verdict_now(slow.pid, "reaped"), PATIENCE_MS) &&
		 row_is(slow.pid, "score", "0") && kill_says_already(slow.pid);
	hog_end(&spin);
	hog_end(&slow);
	sched_setaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){ .__bits = { 3 } });
	ksft_test_result(good, "victim\n");
	ksft_test_result(reaped, "reaped\n");
}

/* ---- fates ---- */

static void test_sharer(void)
{
	static const struct hog_spec spec = { .anon = 5000, .adj = 1000, .sharer = true };
	struct hog hog;
	bool good;

	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a sharer\n");
	/* The same points: the later in the list goes first. */
	good = row_is(hog.second, "fate", "victim") && row_is(hog.second, "rank", "1") &&
	       row_is(hog.pid, "fate", "sharer") && row_is(hog.pid, "rank", "2");
	hog_end(&hog);
	ksft_test_result(good, "a process that shares the victim's mm goes along\n");
}

static void test_group(void)
{
	struct hog_spec spec = { .anon = 3000, .adj = 1000 };
	struct hog first, second, exempt;
	bool good = true;
	char *dir;

	if (cg_version() != 2) {
		ksft_test_result_skip("memory.oom.group needs cgroup v2\n");
		return;
	}
	dir = cg_create(NULL, "group");
	spec.cgroup = dir;
	if (!dir || cg_oom_group(dir, true) || hog_start(&first, &spec))
		ksft_exit_fail_msg("cannot make a group\n");
	spec.anon = 10;
	spec.adj = -999;
	if (hog_start(&second, &spec))
		ksft_exit_fail_msg("cannot make a group\n");
	spec.adj = OOM_ADJ_NEVER;
	if (hog_start(&exempt, &spec))
		ksft_exit_fail_msg("cannot make a group\n");
	good = row_is(first.pid, "fate", "victim") && row_is(second.pid, "fate", "group") &&
	       row_is(exempt.pid, "fate", "-") &&
	       row_is(second.pid, "memcg", cg_shown(dir));
	cg_oom_group(dir, false);
	good &= row_is(second.pid, "fate", "-");
	hog_end(&first);
	hog_end(&second);
	hog_end(&exempt);
	cg_remove(dir);
	ksft_test_result(good, "memory.oom.group takes all but adj -1000 along\n");
}

int main(void)
{
	bool swap;

	test_begin(14);
	swap = swap_ensure(20000);
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	test_order();
	test_everybody();
	test_figures(swap);
	test_verdicts();
	test_origin(swap);
	test_victim();
	test_sharer();
	test_group();
	ksft_exit(!ksft_get_fail_cnt());
}
