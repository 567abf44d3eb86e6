// SPDX-License-Identifier: GPL-2.0
/*
 * badness' score against /proc/PID/oom_score, for every task of this program's
 * and of the machine: no difference on quiet tasks, and on busy ones a value
 * that two readings of the kernel's bracket. The terms of each row must add up.
 * $OOMLENS_SCORES sets the number of comparisons (4000).
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>

#include "lib/expect.h"

/* With less memory than this, the hogs are smaller. */
#define SMALL_KB	(128 * 1024)

#define IDLE	300		/* at most: one for each half MB */
#define BUSY	4

static const struct hog_spec specs[] = {
	{ .anon = 2000 },
	{ .anon = 500, .adj = 1000 },
	{ .anon = 500, .adj = -999 },
	{ .anon = 500, .adj = OOM_ADJ_NEVER },
	{ .shmem = 1500 },
	{ .anon = 3000, .swapped = 2000 },
	{ .anon = 700, .shmem = 300, .swapped = 400, .adj = 17 },
	{ .anon = 300, .threads = 5 },
	{ .anon = 400, .threads = 3, .dead_leader = true },
	{ .anon = 600, .sharer = true, .adj = 300 },
	{ .anon = 800, .vfork = true },
	{ .anon = 100, .locked = 100, .promised = 5000 },
};

#define HOGS	ARRAY_SIZE(specs)

static struct hog hogs[HOGS];
static pid_t idle[IDLE];
static unsigned int idles;

/* The kernel's own word on each task, held open: one pread a reading. */
static struct reading {
	pid_t pid;
	int fd;
	long long before, after;
	bool ours;		/* only this program changes it */
} *readings;
static unsigned int nreadings;

static unsigned long compared, wrong, moved, vanished, bad_sums;

static long long read_score(int fd)
{
	char text[24];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return -1;
	text[n] = '\0';
	return atoll(text);
}

static void watch(pid_t pid, bool ours)
{
	struct reading *r;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	readings = realloc(readings, (nreadings + 1) * sizeof(*readings));
	r = &readings[nreadings++];
	*r = (struct reading) { .pid = pid, .fd = fd, .ours = ours };
	r->after = read_score(fd);
}

static void unwatch_all(void)
{
	while (nreadings)
		close(readings[--nreadings].fd);
}

static bool is_ours(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < idles; i++)
		if (idle[i] == pid)
			return true;
	for (i = 0; i < HOGS; i++)
		if (hogs[i].pid == pid || hogs[i].second == pid)
			return true;
	return false;
}

/* By pid, so that a row finds its reading without a search. */
static int by_pid(const void *a, const void *b)
{
	return ((const struct reading *)a)->pid - ((const struct reading *)b)->pid;
}

static void watch_all(void)
{
	struct table *t = must_table("badness");
	unsigned int i;

	for (i = 0; i < t->rows; i++) {
		pid_t pid = table_number(t, i, "pid");

		watch(pid, is_ours(pid));
	}
	table_free(t);
	qsort(readings, nreadings, sizeof(*readings), by_pid);
}

static struct reading *reading_of(pid_t pid)
{
	struct reading key = { .pid = pid };

	return bsearch(&key, readings, nreadings, sizeof(key), by_pid);
}

/* Written anew from mm/oom_kill.c, in a type that holds every intermediate. */
static void check_sum(struct table *t, unsigned int row, long long totalpages)
{
	long long pid = table_number(t, row, "pid");
	long long adj_points = table_number(t, row, "adj") * (totalpages / 1000);
	long long points = table_number(t, row, "points");
	long long sum = table_number(t, row, "rss_anon") +
			table_number(t, row, "rss_file") +
			table_number(t, row, "rss_shmem") +
			table_number(t, row, "swap") +
			table_number(t, row, "pgtables");
	long long shown = table_number(t, row, "adj_points");

	sum += shown;

	if (points == LLONG_MIN)	/* "-": it cannot be killed */
		return;
	if (sum == points && adj_points == shown)
		return;
	if (bad_sums++ < 5)
		ksft_print_msg("pid %lld: terms add up to %lld, points %lld, adj_points not %lld\n",
			       pid, sum, points, adj_points);
}

static void compare(struct table *t, unsigned int row, struct reading *r)
{
	long long score = table_number(t, row, "score");
	long long lo = r->before < r->after ? r->before : r->after;
	long long hi = r->before < r->after ? r->after : r->before;

	if (lo < 0)
		return;
	compared++;
	moved += lo != hi;
	if (score >= lo && score <= hi && !(r->ours && lo != hi))
		return;
	if (wrong++ < 10)
		ksft_print_msg("pid %d (%s, %s): score %lld, oom_score %lld before, %lld after\n",
			       r->pid, table_cell(t, row, "comm"),
			       table_cell(t, row, "verdict"), score, r->before, r->after);
}

static void one_round(bool want_sums)
{
	unsigned int i, seen = 0;
	long long totalpages;
	struct table *t;

	/* The last round's second reading is this one's first. */
	for (i = 0; i < nreadings; i++)
		readings[i].before = readings[i].after;
	t = must_table("badness");
	for (i = 0; i < nreadings; i++)
		readings[i].after = read_score(readings[i].fd);
	totalpages = table_head(t, "totalpages");
	for (i = 0; i < t->rows; i++) {
		struct reading *r = reading_of(table_number(t, i, "pid"));

		if (want_sums)
			check_sum(t, i, totalpages);
		if (!r)
			continue;	/* born since */
		compare(t, i, r);
		seen += r->ours;
	}
	for (i = 0; i < nreadings; i++)
		seen -= readings[i].ours;
	vanished += !!seen;
	table_free(t);
}

/* Change one task of ours, and take its first reading again. */
static void disturb(unsigned long long *seed)
{
	struct hog *h = &hogs[rnd_range(seed, 0, HOGS - 1)];
	struct reading *r;
	pid_t pid = idle[rnd_range(seed, 0, idles - 1)];

	set_adj(pid, (int)rnd_range(seed, 0, 2000) - 1000);
	r = reading_of(pid);
	if (r)
		r->after = read_score(r->fd);
	if (specs[h - hogs].vfork)
		return;			/* blocked until its child execs */
	switch (rnd_range(seed, 0, 2)) {
	case 0:
		hog_do(h, HOG_GROW, rnd_range(seed, 1, 400));
		break;
	case 1:
		hog_do(h, HOG_SHRINK, rnd_range(seed, 1, 400));
		break;
	default:
		hog_do(h, HOG_FORK, 1);
	}
	r = reading_of(h->pid);
	if (r)
		r->after = read_score(r->fd);
	r = h->second ? reading_of(h->second) : NULL;
	if (r)
		r->after = read_score(r->fd);
}

static void settle(void)
{
	unsigned int i;

	for (i = 0; i < nreadings; i++)
		readings[i].after = read_score(readings[i].fd);
}

static void test_quiet(unsigned long long *seed)
{
	unsigned long goal = env_number("OOMLENS_SCORES", 4000);
	unsigned int rounds = 0;

	watch_all();
	settle();
	while (compared < goal) {
		one_round(rounds % 8 == 0);
		disturb(seed);
		rounds++;
	}
	ksft_print_msg("%lu comparisons, %u rounds, %u tasks: %lu wrong, %lu moved\n",
		       compared, rounds, nreadings, wrong, moved);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(vanished, 0);
	EXPECT_GE(compared, goal);
	test_done("score is oom_score on quiet tasks");
	EXPECT_EQ(bad_sums, 0);
	test_done("the terms add up to points");
}

static void test_busy(void)
{
	static const struct hog_spec spec = { .anon = 100, .comm = "busy" };
	struct hog busy[BUSY];
	unsigned int i, rounds = 0;
	/* Enough to move the score by some 30, in steps that a reading can see. */
	unsigned long pages = meminfo_pages("MemTotal") / 30;

	for (i = 0; i < BUSY; i++) {
		must_hog(&busy[i], &spec);
		MUST_OK(hog_do(&busy[i], HOG_CHURN, pages));
		watch(busy[i].pid, false);
	}
	qsort(readings, nreadings, sizeof(*readings), by_pid);
	settle();
	compared = 0;
	wrong = 0;
	moved = 0;
	while (rounds < 2000 && moved < 40) {
		one_round(true);
		rounds++;
	}
	ksft_print_msg("%lu comparisons in %u rounds, %lu on a score that moved: %lu wrong\n",
		       compared, rounds, moved, wrong);
	EXPECT_EQ(wrong, 0);
	EXPECT_GT(moved, 0);
	test_done("two readings bracket the score of a busy task");
	for (i = 0; i < BUSY; i++)
		hog_end(&busy[i]);
}

int main(void)
{
	struct rlimit nofile = { 65536, 65536 };
	struct hog_spec spec;
	unsigned long long seed;
	unsigned int i, share;
	bool swap;

	test_begin(4);
	seed = test_seed();
	setrlimit(RLIMIT_NOFILE, &nofile);
	swap = swap_ensure(8192);
	/* All of them resident at once: none is quiet while the kernel reclaims. */
	share = meminfo_kb("MemTotal") < SMALL_KB ? 8 : 1;
	for (i = 0; i < HOGS; i++) {
		spec = specs[i];
		spec.anon /= share;
		spec.shmem /= share;
		spec.swapped /= share;
		spec.locked /= share;
		spec.promised /= share;
		if (!swap)
			spec.swapped = 0;
		must_hog(&hogs[i], &spec);
	}
	idles = meminfo_kb("MemTotal") / 512;
	idles = idles < IDLE ? idles : IDLE;
	must_idle(idle, idles);

	test_quiet(&seed);
	if (swap) {
		struct table *t = must_table("badness");

		EXPECT_GE(table_number(t, table_find(t, "pid", hogs[5].pid), "swap"),
			  1900 / share);
		test_done("swapped pages were among them");
		table_free(t);
	} else {
		ksft_test_result_skip("no swap\n");
	}
	/* Fewer tasks, so that a score moves little during one reading. */
	idle_end(idle, idles);
	unwatch_all();
	test_busy();
	test_end();
}
