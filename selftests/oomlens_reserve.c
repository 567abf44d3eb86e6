// SPDX-License-Identifier: GPL-2.0
/*
 * The air bag: with pages in reserve a hog's first OOM kills nobody, whoever
 * polls on events is told and ends the hog, and nobody dies; without it the hog
 * is killed. The reserve fills up again, and sysrq's OOM gets none of it.
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
/* What the ballast leaves, and what of it the hog takes at a run. */
#define LEFT_PAGES	16384
#define SLOW_PAGES	3072
#define SLOW_STEP	16
#define DRIFT_KB	(6 * 1024)

static long long pages_to_kb(long long pages)
{
	return pages * (long long)page_size() / 1024;
}

static bool same(const char *what, long long got, long long want)
{
	if (got != want)
		ksft_print_msg("%s: got %lld, want %lld\n", what, got, want);
	return got == want;
}

static bool near(const char *what, long long got, long long want)
{
	bool good = llabs(got - want) < DRIFT_KB;

	if (!good)
		ksft_print_msg("%s: got %lld kB, want %lld kB\n", what, got, want);
	return good;
}

static void test_set(void)
{
	long long before = free_memory_kb(), bytes = lens_key("stats", "memory_bytes");
	const long long pages = RESERVE_PAGES;
	bool good;

	good = same("write", lens_command("reserve", "%lldK\n", pages_to_kb(RESERVE_PAGES)), 0) &&
	       same("target", lens_key("reserve", "target"), pages) &&
	       same("held", lens_key("reserve", "held"), pages) &&
	       same("memory_bytes", lens_key("stats", "memory_bytes") - bytes,
		    pages * page_size()) &&
	       near("free memory", free_memory_kb(), before - pages_to_kb(RESERVE_PAGES));
	good &= same("write", lens_command("reserve", "0\n"), 0) &&
		same("held", lens_key("reserve", "held"), 0) &&
		same("memory_bytes", lens_key("stats", "memory_bytes"), bytes) &&
		near("free memory", free_memory_kb(), before);
	ksft_test_result(good, "set aside, shown, counted, and given back\n");
}

static void test_malformed(void)
{
	static const char * const malformed[] = {
		"\n", "16MB\n", "-1\n", "0x1000\n", "1 M\n", "M\n", "16M 16M\n", "1.5M\n",
		"99999999999999999999\n", "18446744073709551615T\n", "all\n",
	};
	bool good = same("write", lens_command("reserve", "1M\n"), 0);
	long long held = lens_key("reserve", "held");
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(malformed); i++)
		good &= same(malformed[i], lens_command("reserve", "%s", malformed[i]), -EINVAL);
	good &= same("all memory", lens_command("reserve", "%lldK\n", meminfo_kb("MemTotal")),
		     -ENOMEM);
	good &= same("held", lens_key("reserve", "held"), held) &&
		same("target", lens_key("reserve", "target"), held);
	lens_command("reserve", "0\n");
	ksft_test_result(good, "what is malformed or too much is refused, what is held stays\n");
}

/*
 * At a run to where memory nearly ends, then on, by SLOW_STEP pages at a time:
 * the reserve lasts it some tenths of a second, wherever the end is.
 */
static void hog_until_oom(struct hog *h)
{
	size_t run = 0, size, at;
	char *mem;

	fflush(stdout);
	*h = (struct hog){ .ctl = -1, .ack = -1, .pid = fork() };
	if (h->pid < 0)
		ksft_exit_fail_msg("cannot make a hog\n");
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
	bool good;

	if (lens_command("reserve", "%lldK\n", pages_to_kb(RESERVE_PAGES)))
		ksft_exit_fail_msg("no reserve\n");
	hog_until_oom(&h);
	good = told(fd, text, sizeof(text)) && strstr(text, "outcome=averted") &&
	       strstr(text, "by=reserve");
	kill(h.pid, SIGTERM);
	if (waitpid(h.pid, &status, 0) != h.pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGTERM)
		good = false;
	h.gone = true;
	if (!good)
		ksft_print_msg("the hog ended with %#x; told: %s\n", status, text);
	hog_end(&h);
	close(fd);
	good &= same("kills", kernel_kills(), kills) &&
		same("spent", lens_key("reserve", "spent") - spent, RESERVE_PAGES);
	ksft_test_result(good, "with a reserve nobody dies: the poller ends the hog\n");
}

/* Not before there is plenty: twice what it takes, and a 64th of all memory. */
static void test_refill(struct ballast *ballast)
{
	bool good;

	ballast_end(ballast);
	good = wait_until(lens_key("reserve", "held") == RESERVE_PAGES, PATIENCE_MS) &&
	       wait_until(lens_key("reserve", "refills") == 1, PATIENCE_MS);
	ballast_start(ballast, pages_to_kb(LEFT_PAGES));
	ksft_test_result(good, "it fills up again by itself\n");
}

static void test_sysrq(void)
{
	const struct hog_spec spec = { .anon = 100, .comm = "chosen" };
	long long spent = lens_key("reserve", "spent");
	struct hog h;
	bool good;

	if (!lens_feature("sysrq") || !lens_feature("oom_probe")) {
		ksft_test_result_skip("no sysrq, or nothing to tell its OOM by\n");
		return;
	}
	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	good = same("held", lens_key("reserve", "held"), RESERVE_PAGES) &&
	       same("kill", lens_command("trigger", "kill pid=%d\n", h.pid), 0) &&
	       wait_until(hog_killed(&h), PATIENCE_MS) &&
	       same("spent", lens_key("reserve", "spent"), spent);
	hog_end(&h);
	ksft_test_result(good, "sysrq's OOM kills, and gets nothing of it\n");
}

static void test_without(void)
{
	long long kills = kernel_kills();
	struct hog h;
	bool good;

	lens_command("reserve", "0\n");
	hog_until_oom(&h);
	good = wait_until(hog_killed(&h), PATIENCE_MS) &&
	       same("kills", kernel_kills(), kills + 1);
	hog_end(&h);
	ksft_test_result(good, "without a reserve the hog is killed\n");
}

int main(void)
{
	bool waits = env_number("OOMLENS_WAITS", 0);
	struct ballast ballast;

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("notifier"))
		ksft_exit_skip("needs debugfs, the OOM notifier and trigger=1\n");
	ksft_set_plan(5 + waits);
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/kernel/printk", "1");
	write_file("/proc/sys/vm/drop_caches", "3");
	test_set();
	test_malformed();

	ballast_start(&ballast, pages_to_kb(LEFT_PAGES));
	test_air_bag();
	if (waits)
		test_refill(&ballast);
	else
		lens_command("reserve", "%lldK\n", pages_to_kb(RESERVE_PAGES));
	test_sysrq();
	test_without();
	ballast_end(&ballast);
	ksft_exit(!ksft_get_fail_cnt());
}
