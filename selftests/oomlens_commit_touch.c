// SPDX-License-Identifier: GPL-2.0
/*
 * Demand paging, copy on write and mlock, seen in commit and badness: what is
 * promised is not what is taken.
 */
#include <signal.h>
#include <sys/mman.h>

#include "lib/actor.h"
#include "lib/expect.h"

/* At most, and of what can be had: it is mapped, touched, copied and locked. */
#define MOST_PAGES	8000
#define PART		8

static long all, some;		/* pages */

/*
 * Counters that the kernel keeps by CPU or by thread may lag by so much: in
 * badness, which shows what the OOM killer reads, and in meminfo.
 */
#define LAG	512

static struct {
	long order, done;
} *with_child;

static int map_pages(long pages)
{
	actor_len = pages * page_size();
	actor_at = mmap(NULL, actor_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (actor_at == MAP_FAILED)
		return -errno;
	return madvise(actor_at, actor_len, MADV_NOHUGEPAGE) && errno != EINVAL ?
		-errno : 0;
}

static int touch(long pages)
{
	long i;

	for (i = 0; i < pages; i++)
		__atomic_fetch_add(actor_at + i * page_size(), 1, __ATOMIC_RELAXED);
	return 0;
}

static int lock_all(long unused)
{
	return mlockall(MCL_CURRENT) ? -errno : 0;
}

/* A child that touches as many pages as the test orders. */
static int fork_toucher(long unused)
{
	long done = 0;
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	/* Its own copy of the stack and of what it writes is made before it counts. */
	for (;;) {
		long order = __atomic_load_n(&with_child->order, __ATOMIC_ACQUIRE);

		if (order > done) {
			done = order;
			touch(done);
		}
		__atomic_store_n(&with_child->done, done, __ATOMIC_RELEASE);
		nap_ms(1);
	}
}

static bool child_touches(long pages)
{
	__atomic_store_n(&with_child->order, pages, __ATOMIC_RELEASE);
	return wait_until(__atomic_load_n(&with_child->done, __ATOMIC_ACQUIRE) == pages,
			  PATIENCE_MS);
}

static long long badness_of(pid_t pid, const char *col)
{
	struct table *t = table_read(lens_path("badness"));
	int row = t ? table_find(t, "pid", pid) : -1;
	long long value = row < 0 ? -1 : table_number(t, row, col);

	table_free(t);
	return value;
}

static long long status_pages(pid_t pid, const char *key)
{
	char path[32], *text;
	long long kb = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = read_file(path);
	key_number(text ? text : "", key, &kb);
	free(text);
	return kb < 0 ? -1 : kb / (long long)(page_size() / 1024);
}

/* What a step of the actor's changes, in commit and in badness. */
static bool step(struct actor *a, actor_fn fn, long arg, struct figures *d, long long *rss)
{
	static struct reading before, after;
	bool good;

	*rss = -badness_of(a->pid, "rss_anon");
	good = reading_take(&before, a->pid) && !actor_do(a, fn, arg) &&
	       reading_take(&after, a->pid) && reading_since(&before, &after, d);
	*rss += badness_of(a->pid, "rss_anon");
	if (good)
		ksft_print_msg("charge %lld vm_total %lld touched %lld uncashed %lld rss %lld\n",
			       d->charge, d->vm_total, d->touched, d->uncashed, *rss);
	return good;
}

static bool about(long long value, long long expected)
{
	return value >= expected - LAG && value <= expected + LAG;
}

static void test_demand(void)
{
	struct figures d;
	struct actor a;
	long long rss;

	if (actor_start(&a))
		ksft_exit_fail_msg("no actor\n");
	ksft_test_result(step(&a, map_pages, all, &d, &rss) && d.charge == all &&
			 d.vm_total == all && !d.touched && d.uncashed == all &&
			 about(rss, 0),
			 "what is mapped is promised and not taken\n");
	ksft_test_result(step(&a, touch, some, &d, &rss) && !d.charge &&
			 !d.vm_total && d.touched == some && d.uncashed == -some &&
			 about(rss, some),
			 "what is touched is taken, and no longer owed\n");
	actor_end(&a);
}

static long long private_pages(pid_t pid)
{
	long long clean = 0, dirty = 0;
	char path[48], *text;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	text = read_file(path);
	key_number(text ? text : "", "Private_Clean:", &clean);
	key_number(text ? text : "", "Private_Dirty:", &dirty);
	free(text);
	return (clean + dirty) / (long long)(page_size() / 1024);
}

/* MemFree would not do: the CPUs keep thousands of free pages in hand. */
static long long anon_pages(void)
{
	return meminfo_kb("AnonPages") / (long long)(page_size() / 1024);
}

static void test_copy_on_write(void)
{
	static struct reading before, after;
	long long anon[3] = { 0 }, own[2] = { 0 };
	bool forked = false, written = false;
	struct figures d = {};
	struct actor a;
	int pid = -1;

	with_child->order = 0;
	if (!actor_start(&a) && !actor_do(&a, map_pages, all) &&
	    !actor_do(&a, touch, all)) {
		anon[0] = anon_pages();
		pid = actor_do(&a, fork_toucher, 0);
	}
	if (pid > 0) {
		/* One page first, so that the child's own few are not counted. */
		forked = child_touches(1);
		anon[1] = anon_pages();
		own[0] = private_pages(pid);
		forked = forked && about(anon[1] - anon[0], 0);
		written = reading_take(&before, pid) && child_touches(1 + some) &&
			  reading_take(&after, pid);
		own[1] = private_pages(pid);
		anon[2] = anon_pages();
		written = written && reading_since(&before, &after, &d) &&
			  !d.charge && !d.touched && own[1] - own[0] == some &&
			  about(anon[2] - anon[1], some);
		ksft_print_msg("fork took %lld pages; %ld writes made %lld private, took %lld\n",
			       anon[1] - anon[0], some, own[1] - own[0], anon[2] - anon[1]);
		kill(pid, SIGKILL);
	}
	actor_end(&a);
	ksft_test_result(forked, "fork takes no memory for what it charges\n");
	ksft_test_result(written, "the child's writes cost pages one by one\n");
}

static void test_locked(void)
{
	long long before = lens_key("overcommit", "locked"), after, locked;
	struct actor a;
	bool good;

	good = !actor_start(&a) && !actor_do(&a, map_pages, all) &&
	       !badness_of(a.pid, "locked") && !actor_do(&a, lock_all, 0);
	locked = badness_of(a.pid, "locked");
	good = good && locked >= all && locked == status_pages(a.pid, "VmLck:") &&
	       wait_until((after = lens_key("overcommit", "locked")) - before >= all,
			  PATIENCE_MS);
	ksft_print_msg("locked %lld, of the machine %lld to %lld\n", locked, before,
		       lens_key("overcommit", "locked"));
	actor_end(&a);
	ksft_test_result(good, "mlockall shows as locked, of the process and of the machine\n");
}

int main(void)
{
	test_begin(5);
	all = meminfo_kb("MemAvailable") / (long)(page_size() / 1024) / PART;
	if (all > MOST_PAGES)
		all = MOST_PAGES;
	some = all / 4;
	with_child = mmap(NULL, sizeof(*with_child), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	test_demand();
	test_copy_on_write();
	test_locked();
	ksft_exit(!ksft_get_fail_cnt());
}
