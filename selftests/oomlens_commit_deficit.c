// SPDX-License-Identifier: GPL-2.0
/*
 * deficit: promises that are not touched yet, what would be missing if they
 * were, and then they are; and an OOM that swap, where there is some, does not
 * avert, because memory is locked.
 */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

#include "lib/actor.h"
#include "lib/expect.h"
#include "lib/free.h"

#define ACTORS	6

/* In percent: MemAvailable is the kernel's estimate of what can be had. */
#define TOLERANCE	15

static long *progress;				/* of each actor, pages; with the test */
static int number;			/* the actor's own */

static int set_number(long n)
{
	number = n;
	/* Its code stays in memory: oomlens_stage.c says why. */
	if (mlockall(MCL_CURRENT))
		return -errno;
	/* The OOM killer takes an actor before any other task. */
	return set_adj(0, 500);
}

static int promise(long pages)
{
	actor_len = pages * page_size();
	actor_at = mmap(NULL, actor_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (actor_at == MAP_FAILED)
		return -errno;
	/* Small pages, so that progress counts what is taken. */
	madvise(actor_at, actor_len, MADV_NOHUGEPAGE);
	return 0;
}

static int call_in(long unused)
{
	unsigned long i;

	for (i = 0; i < actor_len / page_size(); i++) {
		__atomic_store_n(actor_at + i * page_size(), 1, __ATOMIC_RELAXED);
		__atomic_store_n(&progress[number], i + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static int call_in_locked(long unused)
{
	return mlock(actor_at, actor_len) ? -errno : 0;
}

/* RAM and swap that can still be had. */
static long long to_be_had(void)
{
	return meminfo_pages("MemAvailable") + meminfo_pages("SwapFree");
}

static long long header(const char *word)
{
	struct table *t = must_table("commit");
	long long value = table_head(t, word);

	table_free(t);
	return value;
}

static long long taken(void)
{
	long long sum = 0;
	int i;

	for (i = 0; i < ACTORS; i++)
		sum += __atomic_load_n(&progress[i], __ATOMIC_RELAXED);
	return sum;
}

static void start_all(struct actor *a, long pages_each)
{
	int i;

	for (i = 0; i < ACTORS; i++) {
		progress[i] = 0;
		MUST_OK(actor_start(&a[i]));
		MUST_OK(actor_do(&a[i], set_number, i));
		MUST_OK(actor_do(&a[i], promise, pages_each));
	}
}

static void end_all(struct actor *a)
{
	int i;

	for (i = 0; i < ACTORS; i++)
		actor_end(&a[i]);
}

/* One after the other; the pages taken when the first was killed, 0 if none was. */
static long long call_in_all(struct actor *a)
{
	const struct {
		actor_fn fn;
		long arg;
	} step = { call_in, 0 };
	long long before = kernel_kills();
	int i;

	for (i = 0; i < ACTORS; i++) {
		struct pollfd pfd = { .fd = a[i].ack, .events = POLLIN };
		/* With swap a slow machine reclaims for minutes before it kills. */
		unsigned long long end = now_ns() + 8ULL * PATIENCE_MS * 1000000;

		if (write(a[i].ctl, &step, sizeof(step)) != sizeof(step))
			return -1;
		while (!poll(&pfd, 1, 1) && now_ns() < end)
			if (kernel_kills() != before)
				return taken();
		if (kernel_kills() != before)
			return taken();
		if (!poll(&pfd, 1, 0))
			return -ETIMEDOUT;
	}
	return 0;
}

/* deficit is what the other figures and the kernel's say, read at once. */
static long long expect_deficit(void)
{
	long long uncashed, deficit, one, two, low, high;
	unsigned int tries;

	for (tries = 0; tries < 10; tries++) {
		one = to_be_had();
		uncashed = header("uncashed");
		deficit = header("deficit");
		two = to_be_had();
		/* The readings themselves take and give back some pages. */
		low = (one < two ? one : two) - 256;
		high = (one < two ? two : one) + 256;
		expect_retry();
		if (uncashed > low || deficit)
			EXPECT_IN(deficit, uncashed - high, uncashed - low);
		else
			EXPECT_EQ(deficit, 0);
		if (!expect_failed())
			break;
	}
	return deficit;
}

static void test_covered(void)
{
	struct actor a[ACTORS];

	start_all(a, to_be_had() * 6 / 10 / ACTORS);
	EXPECT_EQ(expect_deficit(), 0);
	if (!expect_failed())
		EXPECT_EQ(call_in_all(a), 0);
	end_all(a);
	test_done("no deficit: every promise is kept and no task is killed");
}

static void test_deficit(void)
{
	struct actor a[ACTORS];
	long long deficit, owed, had, promised, missing, at_kill;

	/* What all other processes owe is in it too. */
	owed = header("uncashed");
	had = to_be_had();
	promised = had * 14 / 10;
	missing = owed + promised - had;
	start_all(a, promised / ACTORS);
	deficit = expect_deficit();
	EXPECT_NEAR(deficit, missing, had / 10);
	test_done("untouched promises beyond what is there are the deficit");
	/* MemAvailable leaves out what lies in the CPUs' lists, tens of MB of it. */
	had = to_be_had() + (free_memory_kb() - meminfo_kb("MemFree")) * 1024 /
			    (long long)page_size();
	at_kill = call_in_all(a);
	EXPECT_NEAR(at_kill, had, had * TOLERANCE / 100);
	end_all(a);
	ksft_print_msg("to be had %lld, promised %lld, deficit %lld, killed at %lld\n",
		       had, promised, deficit, at_kill);
	test_done("called in, the OOM comes where the figure said");
}

/* The same with swap that is free. */
static void test_swap(void)
{
	const char *says = "free swap is there for promises too";
	struct actor a[ACTORS];

	if (!swap_ensure(4096)) {
		test_skip(1, "%s: no swap\n", says);
		return;
	}
	start_all(a, to_be_had() * 14 / 10 / ACTORS);
	EXPECT_GT(expect_deficit(), 0);
	end_all(a);
	test_done("%s", says);
}

/* ---- an OOM with swap free, where there is swap ---- */

#define SWAPPED		2000	/* pages that are in use of it */
/*
 * Before Linux 6.0 the kernel takes another task while locked pages of the victim are
 * being unmapped.
 */
#define SPARES		4

static long long last_event(void)
{
	char *text = read_lens("events");
	long long n = text ? event_last(text) : -1;

	free(text);
	return n;
}

/*
 * The first event after another whose first candidate is that process; 0 if there
 * is none yet: without the return probe, one shows up late.
 */
static long long event_of(pid_t pid, long long after)
{
	char *text = read_lens("events");
	long long last = event_last(text);

	while (++after <= last)
		if (line_number(event_line(text, "candidate", after, 0), "pid") == pid)
			break;
	free(text);
	return after <= last ? after : 0;
}

/* Swap is free and cannot help: what fills the memory is locked. */
static void expect_explained(long long event, bool swap)
{
	char *text = read_lens("events");
	const char *memory = event_line(text, "memory", event, 0);
	long long swap_free = line_number(memory, "swap_free");
	long long swap_total = line_number(memory, "swap_total");
	long long locked = line_number(memory, "mlocked");

	/* What else is in memory goes there: files of the guest, the spares. */
	if (swap)
		EXPECT_IN(swap_free, swap_total / 4 - 2 * SWAPPED, swap_total - SWAPPED / 2);
	else
		EXPECT_EQ(swap_total, 0);
	EXPECT_GT(locked, lens_key("overcommit", "ram") / 2);
	EXPECT_GE(line_number(event_line(text, "candidate", event, 0), "locked"),
		  locked * 9 / 10);
	expect_show(text);
	free(text);
}

static void test_locked(void)
{
	const char *says = "an OOM is explained by what is locked";
	static const struct hog_spec spare_spec = { .anon = 100, .adj = 300, .comm = "spare" };
	struct hog_spec spec = { .anon = SWAPPED + 100, .adj = OOM_ADJ_NEVER };
	struct hog hog, spares[SPARES];
	long long before;
	unsigned int i;
	struct actor a;
	bool swap;

	if (!lens_feature("oom_probe") && !lens_feature("notifier")) {
		ksft_test_result_skip("%s: no event without a source\n", says);
		return;
	}
	/* Only now: swap would take the pages that are called in above. */
	swap = swap_ensure(4096);
	spec.swapped = swap ? SWAPPED : 0;
	must_hog(&hog, &spec);
	for (i = 0; i < SPARES; i++)
		must_hog(&spares[i], &spare_spec);
	before = last_event();
	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, set_number, 0));
	MUST_OK(actor_do(&a, promise, lens_key("overcommit", "ram")));
	EXPECT_EQ(actor_do(&a, call_in_locked, 0), -EPIPE);
	EXPECT_TRUE(wait_until(event_of(a.pid, before), PATIENCE_MS));
	expect_explained(event_of(a.pid, before), swap);
	actor_end(&a);
	for (i = 0; i < SPARES; i++)
		hog_end(&spares[i]);
	hog_end(&hog);
	test_done("%s%s", says, swap ? ", though swap is free" : "");
}

int main(void)
{
	test_begin(5);
	progress = must_share(page_size());
	/* Mode 2 would refuse the mappings. */
	setting_write("/proc/sys/vm/overcommit_memory", "0");
	test_covered();
	test_deficit();
	test_swap();
	test_locked();
	test_end();
}
