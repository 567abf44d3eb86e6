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
	/* Sooner than anything else, and always one of these. */
	return set_adj(0, 500);
}

static int promise(long pages)
{
	actor_len = pages * page_size();
	actor_at = mmap(NULL, actor_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (actor_at == MAP_FAILED)
		return -errno;
	/* By the page, so that progress is what has been taken. */
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

static long long pages_of(const char *key)
{
	return meminfo_kb(key) / (long long)(page_size() / 1024);
}

/* RAM and swap that can still be had. */
static long long to_be_had(void)
{
	return pages_of("MemAvailable") + pages_of("SwapFree");
}

static bool header(const char *word, long long *value)
{
	struct table *t = table_read(lens_path("commit"));
	bool good = t && table_header(t, word, value);

	table_free(t);
	return good;
}

static long long taken(void)
{
	long long sum = 0;
	int i;

	for (i = 0; i < ACTORS; i++)
		sum += __atomic_load_n(&progress[i], __ATOMIC_RELAXED);
	return sum;
}

static bool start_all(struct actor *a, long pages_each)
{
	bool good = true;
	int i;

	for (i = 0; i < ACTORS; i++) {
		progress[i] = 0;
		good &= !actor_start(&a[i]) && !actor_do(&a[i], set_number, i) &&
			!actor_do(&a[i], promise, pages_each);
	}
	return good;
}

static void end_all(struct actor *a)
{
	int i;

	for (i = 0; i < ACTORS; i++)
		actor_end(&a[i]);
}

/* One after the other; how much was taken when the first was killed, 0 if none. */
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
	}
	return 0;
}

/* deficit is what the other figures and the kernel's say, read at once. */
static bool deficit_right(long long *deficit)
{
	long long uncashed, low, high;
	unsigned int tries;

	for (tries = 0; tries < 10; tries++) {
		low = to_be_had();
		if (!header("uncashed", &uncashed) || !header("deficit", deficit))
			return false;
		high = to_be_had();
		if (low > high) {
			long long swap = low;

			low = high;
			high = swap;
		}
		/* What the readings themselves take and give back. */
		low -= 256;
		high += 256;
		if ((uncashed <= low && !*deficit) ||
		    (uncashed - high <= *deficit && *deficit <= uncashed - low))
			return true;
	}
	ksft_print_msg("uncashed %lld, to be had %lld to %lld, deficit %lld\n",
		       uncashed, low, high, *deficit);
	return false;
}

static void test_covered(void)
{
	struct actor a[ACTORS];
	long long deficit = -1, killed;
	bool good;

	good = start_all(a, to_be_had() * 6 / 10 / ACTORS) && deficit_right(&deficit) &&
	       !deficit;
	killed = good ? call_in_all(a) : -1;
	end_all(a);
	ksft_test_result(good && !killed,
			 "no deficit: every promise is kept and nobody is killed\n");
}

static void test_deficit(void)
{
	struct actor a[ACTORS];
	long long deficit = -1, owed = 0, had, promised, missing, at_kill = -1;
	bool good, shown;

	/* What everybody else owes is in it too. */
	header("uncashed", &owed);
	had = to_be_had();
	promised = had * 14 / 10;
	missing = owed + promised - had;
	shown = start_all(a, promised / ACTORS) && deficit_right(&deficit) &&
		deficit > missing - had / 10 && deficit < missing + had / 10;
	/* MemAvailable leaves out what lies in the CPUs' lists, tens of MB of it. */
	had = to_be_had() + (free_memory_kb() - meminfo_kb("MemFree")) * 1024 /
			    (long long)page_size();
	if (shown)
		at_kill = call_in_all(a);
	good = shown && at_kill > had * (100 - TOLERANCE) / 100 &&
	       at_kill < had * (100 + TOLERANCE) / 100;
	end_all(a);
	ksft_print_msg("to be had %lld, promised %lld, deficit %lld, killed at %lld\n",
		       had, promised, deficit, at_kill);
	ksft_test_result(shown, "untouched promises beyond what is there are the deficit\n");
	ksft_test_result(good, "called in, the OOM comes where the figure said\n");
}

/* ---- an OOM with swap free, where there is swap ---- */

static long long last_event(void)
{
	char *text = read_lens("events");
	long long n = text ? event_last(text) : -1;

	free(text);
	return n;
}

/*
 * The first event after another in which a process is first in line; 0 if there
 * is none yet: without the return probe, one shows up late.
 */
static long long event_of(pid_t pid, long long after)
{
	char *text = read_lens("events"), *line;
	long long last = text ? event_last(text) : 0, who;

	while (++after <= last) {
		line = event_line(text, "candidate", after, 0);
		if (!line || !line_number(line, "pid", &who))
			who = -1;
		free(line);
		if (who == pid)
			break;
	}
	free(text);
	return after <= last ? after : 0;
}

/* Swap is free and cannot help: what fills the memory is locked. */
static bool event_explains(long long event, pid_t pid, bool swap)
{
	char *text = read_lens("events");
	char *memory = event_line(text, "memory", event, 0);
	char *first = event_line(text, "candidate", event, 0);
	long long swap_free = -1, swap_total = -1, locked = -1, own = -1, who = -1;
	bool good = memory && first &&
		    line_number(memory, "swap_free", &swap_free) &&
		    line_number(memory, "swap_total", &swap_total) &&
		    line_number(memory, "mlocked", &locked) &&
		    line_number(first, "locked", &own) &&
		    line_number(first, "pid", &who);

	ksft_print_msg("swap_free %lld of %lld, mlocked %lld; first pid %lld, locked %lld\n",
		       swap_free, swap_total, locked, who, own);
	good = good && who == pid && (swap ? swap_free > swap_total / 2 : !swap_total) &&
	       locked > lens_key("overcommit", "ram") / 2 && own >= locked * 9 / 10;
	free(memory);
	free(first);
	free(text);
	return good;
}

static void test_locked(void)
{
	const char *says = "an OOM is explained by what is locked, though swap is free";
	long long before;
	struct actor a;
	bool good, swap;

	if (!lens_feature("oom_probe") && !lens_feature("notifier")) {
		ksft_test_result_skip("%s: no event without a source\n", says);
		return;
	}
	/* Not before: it would take what is called in above. */
	swap = swap_ensure(4096);
	if (!swap)
		ksft_print_msg("no swap here\n");
	before = last_event();
	good = !actor_start(&a) && !actor_do(&a, set_number, 0) &&
	       !actor_do(&a, promise, lens_key("overcommit", "ram")) &&
	       actor_do(&a, call_in_locked, 0) == -EPIPE &&
	       wait_until(event_of(a.pid, before), PATIENCE_MS) &&
	       event_explains(event_of(a.pid, before), a.pid, swap);
	actor_end(&a);
	ksft_test_result(good, "%s\n", says);
}

int main(void)
{
	test_begin(4);
	progress = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* Mode 2 would not let it come to this. */
	setting_write("/proc/sys/vm/overcommit_memory", "0");
	test_covered();
	test_deficit();
	test_locked();
	ksft_exit(!ksft_get_fail_cnt());
}
