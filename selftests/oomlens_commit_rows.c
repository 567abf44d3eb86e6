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

static bool adds_up(struct table *t)
{
	long long processes, uncashed, promised, spaces, complete, last = LLONG_MAX;
	unsigned int i;
	bool good = table_header(t, "processes", &processes) &&
		    table_header(t, "uncashed", &uncashed) &&
		    table_header(t, "shared_promised", &promised) &&
		    table_header(t, "spaces", &spaces) &&
		    table_header(t, "complete", &complete) &&
		    processes == sum(t, "charge") &&
		    uncashed == sum(t, "uncashed") + promised &&
		    spaces == t->rows && complete == 1;

	for (i = 0; good && i < t->rows; i++) {
		long long charge = table_number(t, i, "charge");
		long long touched = table_number(t, i, "touched");

		good = charge <= last &&
		       charge == table_number(t, i, "anon") +
				 table_number(t, i, "file_private") +
				 table_number(t, i, "stack") &&
		       table_number(t, i, "uncashed") ==
				(charge > touched ? charge - touched : 0);
		last = charge;
	}
	return good;
}

/* Of the kernel's sum nothing is left over, whoever holds it. */
static bool reconciles(struct table *t)
{
	long long committed, processes, resident, swapped, promised, rest;
	long long kernel = meminfo_kb("Committed_AS") / (long long)(page_size() / 1024);

	return table_header(t, "committed", &committed) &&
	       table_header(t, "processes", &processes) &&
	       table_header(t, "shared_resident", &resident) &&
	       table_header(t, "shared_swapped", &swapped) &&
	       table_header(t, "shared_promised", &promised) &&
	       table_header(t, "unattributed", &rest) &&
	       committed == kernel && !rest &&
	       committed == processes + resident + swapped + promised;
}

static void test_whole(bool (*check)(struct table *t), const char *says)
{
	unsigned int tries;
	bool good = false;

	for (tries = 0; tries < ATTEMPTS && !good; tries++) {
		struct table *t = table_read(lens_path("commit"));

		good = t && check(t);
		if (!good)
			ksft_print_msg("%s", t ? t->header : "commit cannot be read\n");
		table_free(t);
	}
	ksft_test_result(good, "%s\n", says);
}

/* ---- each row against smaps ---- */

static long long statm_total(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	return file_number(path);
}

static bool same_as_smaps(struct table *t)
{
	unsigned int i, wrong = 0, compared = 0;

	for (i = 0; i < t->rows; i++) {
		pid_t pid = table_number(t, i, "pid");
		long long charged = smaps_charged(pid), total = statm_total(pid);

		/* The reader's own heap has grown since; who exits has no smaps. */
		if (pid == getpid() || charged < 0)
			continue;
		compared++;
		if (charged == table_number(t, i, "charge") &&
		    total == table_number(t, i, "vm_total"))
			continue;
		wrong++;
		ksft_print_msg("pid %d: charge %s of %s, smaps has %lld, statm %lld\n", pid,
			       table_cell(t, i, "charge"), table_cell(t, i, "vm_total"),
			       charged, total);
	}
	ksft_print_msg("%u rows compared\n", compared);
	return compared > 2 && !wrong;
}

/* ---- shapes of processes ---- */

static bool row_of(struct table *t, pid_t pid, long long at_least)
{
	int row = table_find(t, "pid", pid);

	return row >= 0 && table_number(t, row, "anon") >= at_least;
}

static void test_shape(const struct hog_spec *spec, const char *says)
{
	struct table *t;
	struct hog hog;
	bool good;
	int err;

	err = hog_start(&hog, spec);
	if (err) {
		ksft_test_result_fail("%s: %s\n", says, strerror(-err));
		return;
	}
	t = table_read(lens_path("commit"));
	good = t && (row_of(t, hog.pid, spec->promised) ||
		     (hog.second && row_of(t, hog.second, spec->promised)));
	/* One address space, one row: not both. */
	if (good && hog.second)
		good = table_find(t, "pid", hog.pid) < 0 ||
		       table_find(t, "pid", hog.second) < 0;
	table_free(t);
	hog_end(&hog);
	ksft_test_result(good, "%s\n", says);
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
	/* The child's pid, as a number that is no error. */
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

static bool fork_is_charged(void)
{
	static struct reading before, after;
	struct figures d = {}, f = {};
	struct actor a;
	int pid = 0, row;
	bool good = !actor_start(&a) && !actor_do(&a, map_promise, 5000);
	struct table *t = NULL;

	good = good && reading_take(&before, a.pid);
	if (good)
		pid = actor_do(&a, fork_child, 0);
	good = good && pid > 0 && reading_take(&after, a.pid) &&
	       reading_parse(&after, &f) && reading_since(&before, &after, &d);
	t = table_read(lens_path("commit"));
	row = t && pid > 0 ? table_find(t, "pid", pid) : -1;
	good = good && row >= 0 && f.charge > 5000 && !d.charge &&
	       d.meminfo_committed == f.charge &&
	       table_number(t, row, "charge") == f.charge;
	if (!good)
		ksft_print_msg("charge %lld (%+lld), committed %+lld\n", f.charge, d.charge,
			       d.meminfo_committed);
	if (pid > 0)
		kill(pid, SIGKILL);
	actor_end(&a);
	table_free(t);
	return good;
}

/* What ended before may still be giving its charge back: then once more. */
static void test_fork(void)
{
	unsigned int tries;
	bool good = false;

	for (tries = 0; tries < ATTEMPTS && !good; tries++)
		good = fork_is_charged();
	ksft_test_result(good, "fork charges the child with all of it again\n");
}

/* ---- the idle reservation ---- */

static bool found_in_pid(pid_t pid, long long pages)
{
	char scope[32], start[32];
	struct table *t;
	bool good;

	snprintf(scope, sizeof(scope), "pid %d", pid);
	t = commit_table(scope);
	snprintf(start, sizeof(start), "%s", t ? table_cell(t, 0, "start") : "");
	good = t && table_number(t, 0, "pages") == pages &&
	       table_number(t, 0, "charged") == pages &&
	       !strcmp(table_cell(t, 0, "perms"), "rw-p");
	table_free(t);
	return good;
}

static void test_reservation(void)
{
	const char *says = "an idle reservation that makes fork fail comes first, in both scopes";
	long long total = lens_key("overcommit", "ram") + lens_key("overcommit", "swap_total");
	long half = total / 10 * 6;
	struct table *t = NULL;
	struct actor a;
	int err, forked;
	bool good;

	if (sizeof(long) == 4 && total > (1 << 18)) {
		ksft_test_result_skip("%s: more than the address space\n", says);
		return;
	}
	setting_write(MODE_FILE, "0");
	err = actor_start(&a);
	if (!err)
		err = actor_do(&a, map_two, half);
	forked = err ? 0 : actor_do(&a, fork_child, 0);
	t = table_read(lens_path("commit"));
	good = !err && forked == -ENOMEM && t && table_number(t, 0, "pid") == a.pid &&
	       table_number(t, 0, "anon") >= 2 * half &&
	       table_number(t, 0, "uncashed") >= 2 * half &&
	       2 * half > lens_key("overcommit", "max_mapping_root") &&
	       found_in_pid(a.pid, 2 * half);
	if (!good)
		ksft_print_msg("map: %s; fork: %d; total %lld\n", strerror(-err), forked, total);
	if (forked > 0)
		kill(forked, SIGKILL);
	actor_end(&a);
	table_free(t);
	ksft_test_result(good, "%s\n", says);
}

int main(void)
{
	const struct hog_spec sharer = { .promised = 700, .sharer = true };
	const struct hog_spec vfork = { .promised = 800, .vfork = true };
	const struct hog_spec leader = { .promised = 900, .threads = 2, .dead_leader = true };

	test_begin(8);
	test_whole(adds_up, "rows and sums add up, the largest charge first");
	test_whole(reconciles, "processes and shared memory are Committed_AS to the page");
	/* Others, such as those who read our output, map and unmap meanwhile. */
	test_whole(same_as_smaps,
		   "each row's charge is that of the VMAs that smaps flags ac");
	test_shape(&sharer, "two processes with one address space have one row");
	test_shape(&vfork, "a vfork child and its parent have one row");
	test_shape(&leader, "a process whose leader is dead has its row");
	test_fork();
	test_reservation();
	ksft_exit(!ksft_get_fail_cnt());
}
