// SPDX-License-Identifier: GPL-2.0
/*
 * The air bag: with pages in reserve a hog's first OOM kills no task; a process
 * that polls on events is told and ends the hog. Without a reserve the hog is
 * killed. The reserve fills up again, and sysrq's OOM gets none of it.
 * Judged by /proc/zoneinfo, /proc/vmstat and how the hog ended.
 * $OOMLENS_WAITS=1 waits the ten seconds until it fills up again by itself.
 */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/free.h"

#define RESERVE_PAGES	4096	/* more than what is taken below the watermarks */
/* What the ballast leaves, and what of it the hog takes slowly. */
#define LEFT_PAGES	16384
#define SLOW_PAGES	3072
#define SLOW_STEP	16
#define DRIFT_KB	(6 * 1024)

static long long pages_to_kb(long long pages)
{
	return pages * (long long)page_size() / 1024;
}

static void expect_held(long long pages)
{
	EXPECT_KEYS("reserve", "target=%lld held=%lld", pages, pages);
}

static void test_set(void)
{
	long long before = free_memory_kb(), bytes = lens_key("stats", "memory_bytes");

	EXPECT_OK(lens_command("reserve", "%lldK\n", pages_to_kb(RESERVE_PAGES)));
	expect_held(RESERVE_PAGES);
	EXPECT_EQ(lens_key("stats", "pool_pages"), RESERVE_PAGES);
	EXPECT_EQ(lens_key("stats", "memory_bytes"),
		  bytes + RESERVE_PAGES * (long long)page_size());
	EXPECT_NEAR(free_memory_kb(), before - pages_to_kb(RESERVE_PAGES), DRIFT_KB - 1);
	EXPECT_OK(lens_command("reserve", "0\n"));
	EXPECT_EQ(lens_key("reserve", "held"), 0);
	EXPECT_EQ(lens_key("stats", "memory_bytes"), bytes);
	EXPECT_NEAR(free_memory_kb(), before, DRIFT_KB - 1);
	test_done("set aside, shown, counted, and given back");
}

static void test_malformed(void)
{
	static const char * const malformed[] = {
		"\n", "16MB\n", "-1\n", "0x1000\n", "1 M\n", "M\n", "16M 16M\n", "1.5M\n",
		"99999999999999999999\n", "18446744073709551615T\n", "all\n",
	};
	long long held;
	unsigned int i;

	EXPECT_OK(lens_command("reserve", "1M\n"));
	held = lens_key("reserve", "held");
	for (i = 0; i < ARRAY_SIZE(malformed); i++) {
		expect_of("'%s'", malformed[i]);
		EXPECT_EQ(lens_command("reserve", "%s", malformed[i]), -EINVAL);
	}
	expect_of("all memory");
	EXPECT_EQ(lens_command("reserve", "%lldK\n", meminfo_kb("MemTotal")), -ENOMEM);
	expect_held(held);
	lens_command("reserve", "0\n");
	test_done("what is malformed or too much is refused, what is held stays");
}

/*
 * Fast until memory is nearly out, then SLOW_STEP pages at a time: the reserve
 * lasts for some tenths of a second.
 */
static void hog_until_oom(struct hog *h)
{
	size_t run = 0, size, at;
	char *mem;

	*h = (struct hog){ .ctl = -1, .ack = -1, .pid = must_fork() };
	if (h->pid)
		return;
	if (set_adj(0, 1000))
		_exit(1);
	if (meminfo_kb("MemAvailable") > pages_to_kb(SLOW_PAGES))
		run = (meminfo_kb("MemAvailable") - pages_to_kb(SLOW_PAGES)) * 1024;
	size = run + meminfo_kb("MemTotal") * 1024;
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		_exit(1);
	/* A huge page would be 2 MB at a step. */
	madvise(mem, size, MADV_NOHUGEPAGE);
	for (at = 0; at < size; at += page_size()) {
		mem[at] = 1;
		if (at > run && at / page_size() % SLOW_STEP == 0)
			nap_ms(1);
	}
	_exit(0);
}

/* Waits for the next event; false if none comes. */
static bool told(int fd, char *text, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	unsigned long long end = now_ns() + PATIENCE_MS * 1000000ULL;
	ssize_t n;

	while (now_ns() < end) {
		if (poll(&pfd, 1, 100) < 1)
			continue;
		n = read(fd, text, size - 1);
		if (n > 0) {
			text[n] = '\0';
			if (strstr(text, "outcome="))
				return true;
		}
	}
	return false;
}

static void test_air_bag(void)
{
	static char text[65536];
	long long kills = kernel_kills(), spent = lens_key("reserve", "spent");
	int fd = events_open(), status = 0;
	struct hog h;

	MUST_OK(lens_command("reserve", "%lldK\n", pages_to_kb(RESERVE_PAGES)));
	hog_until_oom(&h);
	EXPECT_TRUE(told(fd, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "outcome=averted"));
	EXPECT_TRUE(strstr(text, "by=reserve"));
	expect_show(text);
	kill(h.pid, SIGTERM);
	EXPECT_EQ(waitpid(h.pid, &status, 0), h.pid);
	expect_of("the hog's end %#x", status);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	h.gone = true;
	hog_end(&h);
	close(fd);
	EXPECT_EQ(kernel_kills(), kills);
	EXPECT_EQ(lens_key("reserve", "spent"), spent + RESERVE_PAGES);
	test_done("with a reserve no task dies: the poller ends the hog");
}

/* The module waits for 10 s after an OOM, then looks each second. */
#define REFILL_MS	15000

/* Not before there is plenty: twice what it takes, and a 64th of all memory. */
static void test_refill(struct ballast *ballast)
{
	long long left = free_memory_kb() - pages_to_kb(3 * RESERVE_PAGES / 2);
	const struct hog_spec spec = {
		.anon = left > 0 ? left * 1024 / page_size() : 1, .adj = OOM_ADJ_NEVER,
	};
	struct hog hog;

	must_hog(&hog, &spec);
	EXPECT_LT(free_memory_kb(), pages_to_kb(2 * RESERVE_PAGES) + meminfo_kb("MemTotal") / 64);
	EXPECT_FALSE(wait_until(lens_key("reserve", "held") > 0, REFILL_MS));
	hog_end(&hog);
	test_done("it does not fill up while memory is short");
	ballast_end(ballast);
	EXPECT_TRUE(wait_until(lens_key("reserve", "held") == RESERVE_PAGES, PATIENCE_MS));
	EXPECT_TRUE(wait_until(lens_key("reserve", "refills") == 1, PATIENCE_MS));
	ballast_start(ballast, pages_to_kb(LEFT_PAGES));
	test_done("it fills up again by itself");
}

static void test_sysrq(void)
{
	const struct hog_spec spec = { .anon = 100, .comm = "chosen" };
	long long spent = lens_key("reserve", "spent");
	struct hog h;

	if (!lens_feature("sysrq") || !lens_feature("oom_probe")) {
		ksft_test_result_skip("no sysrq, or nothing to tell its OOM by\n");
		return;
	}
	must_hog(&h, &spec);
	EXPECT_EQ(lens_key("reserve", "held"), RESERVE_PAGES);
	EXPECT_OK(lens_command("trigger", "kill pid=%d\n", h.pid));
	EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
	EXPECT_EQ(lens_key("reserve", "spent"), spent);
	hog_end(&h);
	test_done("sysrq's OOM kills, and gets nothing of it");
}

static void test_without(void)
{
	long long kills = kernel_kills();
	struct hog h;

	lens_command("reserve", "0\n");
	hog_until_oom(&h);
	EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
	EXPECT_EQ(kernel_kills(), kills + 1);
	hog_end(&h);
	test_done("without a reserve the hog is killed");
}

int main(void)
{
	bool waits = env_number("OOMLENS_WAITS", 0);
	struct ballast ballast;

	test_begin(0);
	needs_trigger("notifier");
	ksft_set_plan(7);
	oom_settings();
	write_file("/proc/sys/vm/drop_caches", "3");
	test_set();
	test_malformed();

	ballast_start(&ballast, pages_to_kb(LEFT_PAGES));
	test_air_bag();
	if (waits) {
		test_refill(&ballast);
	} else {
		lens_command("reserve", "%lldK\n", pages_to_kb(RESERVE_PAGES));
		test_skip(2, "not OOMLENS_WAITS=1\n");
	}
	test_sysrq();
	test_without();
	ballast_end(&ballast);
	test_end();
}
