// SPDX-License-Identifier: GPL-2.0
/*
 * The sampler keeps its time: while its processor goes, through a suspend, and when the
 * wall clock is set. No sample is lost, or late by more than an interval, and none is
 * taken for the time in which the machine sleeps. The judge is this program's own clock.
 *
 * The suspend with OOMLENS_SUSPEND=1: it needs devices that come back. On Linux 7.3 the
 * virtio ports of a QEMU guest do not.
 */
#include <dirent.h>
#include <sched.h>

#include "lib/expect.h"
#include "lib/samples.h"

#define PARAMETERS	"/sys/module/oomlens/parameters/"
#define CPU1		"/sys/devices/system/cpu/cpu1/online"

#define EVERY_MS	250
#define EVERY_US	(EVERY_MS * 1000LL)
/* On a host that is too busy the guest itself is late. */
#define TRIES		4

static long long await_samples(unsigned int more)
{
	unsigned long long end = now_ns() + PATIENCE_MS * 1000000ULL;
	long long n, want = samples_now().last + more;

	while ((n = samples_now().last) < want) {
		MUST(now_ns() < end);
		nap_ms(20);
	}
	return n;
}

static long long clock_us(clockid_t clock)
{
	struct timespec t;

	MUST(!clock_gettime(clock, &t));
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* The samples after @first; when it was there the clock read @begin_us. */
static void expect_on_time(long long first, long long begin_us)
{
	long long n, last, end_us, over_us;
	const char *line = NULL, *word, *head;
	char *text;

	/* Two, so that what came after the disturbance has one behind it. */
	await_samples(2);
	text = must_read_lens("history");
	end_us = clock_us(CLOCK_MONOTONIC);
	head = strstr(text, " short ");
	last = samples_in(text, 0).last;
	/* What a small machine keeps of them. */
	n = last - (head ? atoi(head + 7) : 0);
	for (n = n > first ? n + 1 : first + 1; n <= last; n++) {
		line = event_line(text, "sample", n, 0);
		word = line_word(line, "over_s");
		expect_of("sample %lld", n);
		over_us = word ? atof(word) * 1e6 : -1;
		EXPECT_IN(over_us, 1, 2 * EVERY_US);
	}
	expect_of("the newest");
	EXPECT_LE(end_us - line_number(line, "time_us"), 2 * EVERY_US);
	expect_of("in %lld us", end_us - begin_us);
	/* The first interval had begun, and one may be late. */
	EXPECT_IN(last - first, (end_us - begin_us) / EVERY_US - 1,
		  (end_us - begin_us) / EVERY_US + 2);
	expect_show(text);
	free(text);
}

static void expect_undisturbed(void (*disturb)(void))
{
	long long first, begin_us;
	unsigned int tries = 0;

	do {
		expect_retry();
		first = await_samples(1);
		begin_us = clock_us(CLOCK_MONOTONIC);
		disturb();
		expect_on_time(first, begin_us);
	} while (expect_failed() && ++tries < TRIES);
}

/* ---- The processor that it runs on goes ---- */

static pid_t sampler(void)
{
	DIR *dir = MUST_HAVE(opendir("/proc"));
	char path[300], exe[8], *comm;
	struct dirent *d;
	pid_t pid = 0;

	while (!pid && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		comm = atoi(d->d_name) > 0 ? read_file(path) : NULL;
		snprintf(path, sizeof(path), "/proc/%s/exe", d->d_name);
		/* This program has that name too: the kernel's threads have no file. */
		if (comm && !strcmp(comm, "oomlens_history\n") &&
		    readlink(path, exe, sizeof(exe)) < 0)
			pid = atoi(d->d_name);
		free(comm);
	}
	closedir(dir);
	MUST(pid);
	return pid;
}

static void lose_processor(void)
{
	unsigned int i;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(1, &one);
	for (i = 0; i < 3; i++) {
		MUST(!sched_setaffinity(sampler(), sizeof(one), &one));
		await_samples(1);
		MUST_OK(setting_write(CPU1, "0"));
		await_samples(1);
		MUST_OK(setting_write(CPU1, "1"));
	}
}

/* ---- A suspend ---- */

static bool can_sleep(void)
{
	char *ways = read_file("/sys/power/mem_sleep");
	bool yes = ways && strstr(ways, "deep") && !access("/sys/power/pm_test", W_OK);

	free(ways);
	return yes;
}

/* To the last step: no other processor, no interrupts, clocks that stand; then back. */
static void sleep_once(void)
{
	long long slept_us = clock_us(CLOCK_BOOTTIME) - clock_us(CLOCK_MONOTONIC);
	char *ways = must_read("/sys/power/mem_sleep");

	MUST_OK(setting_write("/sys/module/suspend/parameters/pm_test_delay", "1"));
	MUST_OK(write_file("/sys/power/mem_sleep", "deep"));
	MUST_OK(write_file("/sys/power/pm_test", "core"));
	EXPECT_OK(write_file("/sys/power/state", "mem"));
	write_file("/sys/power/pm_test", "none");
	if (strstr(ways, "[s2idle]"))
		write_file("/sys/power/mem_sleep", "s2idle");
	free(ways);
	slept_us = clock_us(CLOCK_BOOTTIME) - clock_us(CLOCK_MONOTONIC) - slept_us;
	ksft_print_msg("slept for %lld ms by CLOCK_BOOTTIME\n", slept_us / 1000);
}

/* ---- The wall clock ---- */

/* What it is ahead of CLOCK_MONOTONIC. */
static long long wall_us(void)
{
	return clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC);
}

static void set_wall(long long ahead_us)
{
	long long us = clock_us(CLOCK_MONOTONIC) + ahead_us;
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	MUST(!clock_settime(CLOCK_REALTIME, &t));
}

/* The newest sample has the clock as it is now. */
static void expect_wall(void)
{
	long long n = await_samples(1);
	char *text = must_read_lens("history");
	const char *line = event_line(text, "sample", n, 0);

	EXPECT_NEAR(line_number(line, "real_us") - line_number(line, "time_us"), wall_us(),
		    1000000);
	free(text);
}

#define STEP_US		(3600 * 1000000LL)

static void step_clock(void)
{
	long long ahead_us = wall_us();

	set_wall(ahead_us + STEP_US);
	expect_wall();
	set_wall(ahead_us - STEP_US);
	expect_wall();
	set_wall(ahead_us);
	expect_wall();
}

int main(void)
{
	bool all = env_number("OOMLENS_SUSPEND", 0);
	char text[16];

	test_begin(3);
	snprintf(text, sizeof(text), "%d", EVERY_MS);
	MUST_OK(setting_write(PARAMETERS "history_ms", text));
	if (access(CPU1, W_OK)) {
		test_skip(1, "one CPU\n");
	} else {
		expect_undisturbed(lose_processor);
		test_done("the sampler's processor goes");
	}

	if (!all) {
		test_skip(1, "not OOMLENS_SUSPEND=1\n");
	} else if (!can_sleep()) {
		test_skip(1, "no test of suspend to RAM in this kernel\n");
	} else {
		expect_undisturbed(sleep_once);
		test_done("a suspend");
	}

	expect_undisturbed(step_clock);
	test_done("steps of the wall clock");
	test_end();
}
