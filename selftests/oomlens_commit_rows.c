// SPDX-License-Identifier: GPL-2.0
/*
 * The rows of commit: each address space once and right, the sums add up, the
 * whole is Committed_AS, and the one idle reservation that makes fork fail is
 * found at a glance.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/actor.h"
#include "lib/expect.h"

#define MODE_FILE	"/proc/sys/vm/overcommit_memory"
#define ATTEMPTS	10

static long long sum(struct table *t, const char *col)
{
	long long total = 0;
	unsigned int i;

	for (i = 0; i < t->rows; i++)
		total += table_number(t, i, col);
	return total;
}

/* ---- the whole ---- */

static void expect_sums(struct table *t)
{
	long long last = LLONG_MAX;
	unsigned int i;

	EXPECT_EQ(table_head(t, "processes"), sum(t, "charge"));
	EXPECT_EQ(table_head(t, "uncashed"),
		  sum(t, "uncashed") + table_head(t, "shared_promised"));
	EXPECT_EQ(table_head(t, "spaces"), t->rows);
	EXPECT_EQ(table_head(t, "complete"), 1);
	for (i = 0; i < t->rows; i++) {
		long long charge = table_number(t, i, "charge");
		long long touched = table_number(t, i, "touched");

		expect_of("pid %s", table_cell(t, i, "pid"));
		EXPECT_LE(charge, last);
		EXPECT_EQ(charge, table_number(t, i, "anon") +
			  table_number(t, i, "file_private") + table_number(t, i, "stack"));
		EXPECT_EQ(table_number(t, i, "uncashed"),
			  charge > touched ? charge - touched : 0);
		last = charge;
	}
}

/* Of the kernel's sum nothing is left over. */
static void expect_whole_sum(struct table *t)
{
	long long committed = table_head(t, "committed");

	EXPECT_EQ(committed, meminfo_pages("Committed_AS"));
	EXPECT_EQ(table_head(t, "unattributed"), 0);
	EXPECT_EQ(committed, table_head(t, "processes") + table_head(t, "shared_resident") +
		  table_head(t, "shared_swapped") + table_head(t, "shared_promised"));
}

static void test_whole(void (*check)(struct table *t), const char *says)
{
	unsigned int tries;

	for (tries = 0; tries < ATTEMPTS; tries++) {
		struct table *t = must_table("commit");

		expect_retry();
		check(t);
		expect_show(t->header);
		table_free(t);
		if (!expect_failed())
			break;
	}
	test_done("%s", says);
}

/* ---- each row against smaps ---- */

static long long statm_total(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	return file_number(path);
}

static void expect_smaps(struct table *t)
{
	unsigned int i, compared = 0;

	for (i = 0; i < t->rows; i++) {
		pid_t pid = table_number(t, i, "pid");
		long long charged = smaps_charged(pid), total = statm_total(pid);

		/* The reader's own heap has grown since; a task that exits has no smaps. */
		if (pid == getpid() || charged < 0)
			continue;
		compared++;
		expect_of("pid %d", pid);
		EXPECT_ROW(t, i, "charge=%lld vm_total=%lld", charged, total);
	}
	EXPECT_GT(compared, 2);
}

/* ---- shapes of processes ---- */

static void test_shape(const struct hog_spec *spec, const char *says)
{
	struct table *t;
	int row, second;
	struct hog hog;

	must_hog(&hog, spec);
	t = must_table("commit");
	row = table_find(t, "pid", hog.pid);
	second = hog.second ? table_find(t, "pid", hog.second) : -1;
	/* One address space, one row: not both. */
	EXPECT_TRUE(row < 0 || second < 0);
	EXPECT_GE(table_number(t, row < 0 ? second : row, "anon"), spec->promised);
	table_free(t);
	hog_end(&hog);
	test_done("%s", says);
}

/* ---- fork, copy on write ---- */

static pid_t child;

static int map_promise(long pages)
{
	actor_len = pages * page_size();
	actor_at = mmap(NULL, actor_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return actor_at == MAP_FAILED ? -errno : 0;
}

static int fork_child(long unused)
{
	child = fork();
	if (child < 0)
		return -errno;
	if (!child)
		for (;;)
			pause();
	/* A positive number: the child's pid. */
	return child;
}

/* A second mapping of the same kind right above the first becomes one with it. */
static int extend_promise(long pages)
{
	char *at = mmap(actor_at + actor_len, pages * page_size(), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return at == MAP_FAILED ? -errno : 0;
}

static int map_two(long pages)
{
	char *at = mmap(NULL, 2 * pages * page_size(), PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (at == MAP_FAILED)
		return -errno;
	actor_len = pages * page_size();
	actor_at = mmap(at, actor_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (actor_at == MAP_FAILED)
		return -errno;
	err = extend_promise(pages);
	actor_len *= 2;
	return err;
}

static void expect_fork_charged(void)
{
	static struct reading before, after;
	struct figures d = {}, f = {};
	struct table *t;
	struct actor a;
	int pid;

	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, map_promise, 5000));
	EXPECT_TRUE(reading_take(&before, a.pid));
	pid = actor_do(&a, fork_child, 0);
	EXPECT_GT(pid, 0);
	EXPECT_TRUE(reading_take(&after, a.pid));
	EXPECT_TRUE(reading_parse(&after, &f) && reading_since(&before, &after, &d));
	t = must_table("commit");
	EXPECT_GT(f.charge, 5000);
	EXPECT_EQ(d.charge, 0);
	EXPECT_EQ(d.meminfo_committed, f.charge);
	EXPECT_EQ(table_number(t, table_find(t, "pid", pid), "charge"), f.charge);
	if (pid > 0)
		kill(pid, SIGKILL);
	actor_end(&a);
	table_free(t);
}

/* An earlier actor may still be giving its charge back: tried again. */
static void test_fork(void)
{
	unsigned int tries;

	for (tries = 0; tries < ATTEMPTS; tries++) {
		expect_retry();
		expect_fork_charged();
		if (!expect_failed())
			break;
	}
	test_done("fork charges the child with all of it again");
}

/* ---- the idle reservation ---- */

static void expect_in_pid(pid_t pid, long long pages)
{
	char scope[32];
	struct table *t;

	snprintf(scope, sizeof(scope), "pid %d", pid);
	t = commit_table(scope);
	EXPECT_ROW(t, 0, "pages=%lld charged=%lld perms=rw-p", pages, pages);
	table_free(t);
}

static void test_reservation(void)
{
	const char *says = "an idle reservation that makes fork fail comes first, in both scopes";
	long long total = lens_key("overcommit", "ram") + lens_key("overcommit", "swap_total");
	long half = total / 10 * 6;
	struct table *t;
	struct actor a;
	int forked;

	if (sizeof(long) == 4 && total > (1 << 18)) {
		ksft_test_result_skip("%s: more than the address space\n", says);
		return;
	}
	setting_write(MODE_FILE, "0");
	MUST_OK(actor_start(&a));
	EXPECT_OK(actor_do(&a, map_two, half));
	forked = actor_do(&a, fork_child, 0);
	EXPECT_EQ(forked, -ENOMEM);
	t = must_table("commit");
	EXPECT_EQ(table_number(t, 0, "pid"), a.pid);
	EXPECT_GE(table_number(t, 0, "anon"), 2 * half);
	EXPECT_GE(table_number(t, 0, "uncashed"), 2 * half);
	EXPECT_GT(2 * half, lens_key("overcommit", "max_mapping_root"));
	expect_in_pid(a.pid, 2 * half);
	if (forked > 0)
		kill(forked, SIGKILL);
	actor_end(&a);
	table_free(t);
	test_done("%s", says);
}

int main(void)
{
	const struct hog_spec sharer = { .promised = 700, .sharer = true };
	const struct hog_spec vfork = { .promised = 800, .vfork = true };
	const struct hog_spec leader = { .promised = 900, .threads = 2, .dead_leader = true };

	test_begin(8);
	test_whole(expect_sums, "rows and sums add up, the largest charge first");
	test_whole(expect_whole_sum, "processes and shared memory are Committed_AS to the page");
	/* Other tasks, such as the reader of our output, map and unmap meanwhile. */
	test_whole(expect_smaps,
		   "each row's charge is that of the VMAs that smaps flags ac");
	test_shape(&sharer, "two processes with one address space have one row");
	test_shape(&vfork, "a vfork child and its parent have one row");
	test_shape(&leader, "a process whose leader is dead has its row");
	test_fork();
	test_reservation();
	test_end();
}
