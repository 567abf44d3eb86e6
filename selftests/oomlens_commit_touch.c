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
 * Counters that the kernel keeps by CPU or by thread lag by at most LAG: in
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
	/* The loop runs once before it counts: it copies the stack's pages. */
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
	struct table *t = must_table("badness");
	long long value = table_number(t, table_find(t, "pid", pid), col);

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
static void step(struct actor *a, actor_fn fn, long arg, struct figures *d, long long *rss)
{
	static struct reading before, after;

	memset(d, 0, sizeof(*d));
	*rss = -badness_of(a->pid, "rss_anon");
	EXPECT_TRUE(reading_take(&before, a->pid));
	EXPECT_OK(actor_do(a, fn, arg));
	EXPECT_TRUE(reading_take(&after, a->pid) && reading_since(&before, &after, d));
	*rss += badness_of(a->pid, "rss_anon");
}

static void test_demand(void)
{
	struct figures d;
	struct actor a;
	long long rss;

	MUST_OK(actor_start(&a));
	step(&a, map_pages, all, &d, &rss);
	EXPECT_EQ(d.charge, all);
	EXPECT_EQ(d.vm_total, all);
	EXPECT_EQ(d.touched, 0);
	EXPECT_EQ(d.uncashed, all);
	EXPECT_NEAR(rss, 0, LAG);
	test_done("what is mapped is promised and not taken");

	step(&a, touch, some, &d, &rss);
	EXPECT_EQ(d.charge, 0);
	EXPECT_EQ(d.vm_total, 0);
	EXPECT_EQ(d.touched, some);
	EXPECT_EQ(d.uncashed, -some);
	EXPECT_NEAR(rss, some, LAG);
	test_done("what is touched is taken, and no longer owed");
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
	return meminfo_pages("AnonPages");
}

static void test_copy_on_write(void)
{
	static struct reading before, after;
	long long anon, own;
	struct figures d = {};
	struct actor a;
	int pid;

	with_child->order = 0;
	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, map_pages, all));
	MUST_OK(actor_do(&a, touch, all));
	anon = anon_pages();
	pid = actor_do(&a, fork_toucher, 0);
	MUST(pid > 0);
	/* One page first, so that the child's own few are not counted. */
	EXPECT_TRUE(child_touches(1));
	EXPECT_NEAR(anon_pages(), anon, LAG);
	test_done("fork takes no memory for what it charges");

	anon = anon_pages();
	own = private_pages(pid);
	EXPECT_TRUE(reading_take(&before, pid));
	EXPECT_TRUE(child_touches(1 + some));
	EXPECT_TRUE(reading_take(&after, pid) && reading_since(&before, &after, &d));
	EXPECT_EQ(d.charge, 0);
	EXPECT_EQ(d.touched, 0);
	EXPECT_EQ(private_pages(pid), own + some);
	EXPECT_NEAR(anon_pages(), anon + some, LAG);
	test_done("the child's writes cost pages one by one");
	kill(pid, SIGKILL);
	actor_end(&a);
}

static void test_locked(void)
{
	long long before = lens_key("overcommit", "locked"), locked;
	struct actor a;

	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, map_pages, all));
	EXPECT_EQ(badness_of(a.pid, "locked"), 0);
	EXPECT_OK(actor_do(&a, lock_all, 0));
	locked = badness_of(a.pid, "locked");
	EXPECT_GE(locked, all);
	EXPECT_EQ(locked, status_pages(a.pid, "VmLck:"));
	EXPECT_TRUE(wait_until(lens_key("overcommit", "locked") - before >= all, PATIENCE_MS));
	/* The process locks its code too, and may share it with one that has. */
	ksft_print_msg("locked by %lld, of a process by %lld\n",
		       lens_key("overcommit", "locked") - before, locked);
	EXPECT_LE(lens_key("overcommit", "locked") - before, locked + LAG);
	actor_end(&a);
	EXPECT_TRUE(wait_until(lens_key("overcommit", "locked") - before <= LAG, PATIENCE_MS));
	test_done("mlockall shows as locked, of the process and of the machine");
}

int main(void)
{
	test_begin(5);
	all = meminfo_pages("MemAvailable") / PART;
	if (all > MOST_PAGES)
		all = MOST_PAGES;
	some = all / 4;
	with_child = must_share(sizeof(*with_child));
	test_demand();
	test_copy_on_write();
	test_locked();
	test_end();
}
