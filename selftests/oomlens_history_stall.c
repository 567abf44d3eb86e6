// SPDX-License-Identifier: GPL-2.0
/*
 * The OOM that never comes: tasks that are held back at memory.high for as long as
 * the test runs. history tells of a stall of the cgroup and of the machine within two
 * intervals, by poll and by a line in the log; it ends when they are gone. The judges
 * are memory.pressure and /proc/pressure/memory.
 */
#include <poll.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define PARAMETERS	"/sys/module/oomlens/parameters/"

#define INTERVAL_MS	1000
/* Two intervals, and what a slow guest takes. */
#define STALL_MS	(10 * INTERVAL_MS)
#define STALL_PERCENT	40
/* By the kernel's count from before the stall to its end, and by the worst interval. */
#define WHOLE_PERCENT	80
#define MOST_PERCENT	55

#define HIGH_PAGES	2000
#define HOG_PAGES	40000

static char *pressure_path(const char *cgroup)
{
	static char path[512];

	if (cgroup)
		snprintf(path, sizeof(path), "%s/memory.pressure", cgroup);
	else
		snprintf(path, sizeof(path), "/proc/pressure/memory");
	return path;
}

/* Microseconds so far; a cgroup's are added up every two seconds and at each reading. */
static long long full_us(const char *cgroup)
{
	char *text = must_read(pressure_path(cgroup));
	char *line = strstr(text, "full"), *total = line ? strstr(line, "total=") : NULL;
	long long us;

	MUST(total);
	us = atoll(total + 6);
	free(text);
	return us;
}

/* What CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. */
static long long wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000 - now_ns() / 1000;
}

static pid_t held_back(const char *cgroup)
{
	pid_t pid = must_fork();

	if (!pid)
		eat(cgroup, 0, HOG_PAGES * page_size());
	return pid;
}

/* One for each processor: while it runs, not all tasks of the machine wait. */
static unsigned int spinners_start(pid_t *pids, unsigned int max)
{
	unsigned int n = sysconf(_SC_NPROCESSORS_ONLN), i;

	for (i = 0; i < n && i < max; i++) {
		pids[i] = must_fork();
		while (!pids[i])
			;
	}
	return i;
}

/* The newest stall of that path, its line in @line; false if there is none. */
static bool find_stall(const char *path, char *line, size_t size)
{
	char *text = must_read_lens("history");
	const char *at = text, *word;
	bool found = false;

	for (at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, "stall ", 6))
			continue;
		word = line_word(at, "memcg");
		if (!word || strcmp(word, path))
			continue;
		snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
		found = true;
	}
	free(text);
	return found;
}

static bool stalls(const char *path, const char *cgroup, char *line, size_t size)
{
	full_us(cgroup);
	/* Not too often: while this reads, not all tasks of the machine wait. */
	nap_ms(200);
	return find_stall(path, line, size);
}

static bool ended(const char *path, char *line, size_t size)
{
	return find_stall(path, line, size) && line_number(line, "end_us") > 0;
}

/* The machine's begins where the first interval does that has the share: not before it. */
static void expect_begin(long long begin_us)
{
	char *text = must_read_lens("history"), *at = text;
	const char *share = NULL;

	while ((at = strstr(at, "\nsample "))) {
		at++;
		if (llabs(line_number(at, "time_us") - begin_us) <= 1)
			share = line_word(at, "psi_full");
	}
	EXPECT_TRUE(share && atoi(share) < STALL_PERCENT);
	expect_show(text);
	free(text);
}

static void expect_stall(const char *cgroup, const char *path, const char *hog_cgroup)
{
	int kmsg = kmsg_open(), fd = must_open_lens("history", O_RDONLY);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long begin, stalled, us;
	char line[512] = "", log[1024] = "", needle[300];
	pid_t pid;

	free(MUST_HAVE(read_fd(fd)));
	EXPECT_EQ(poll(&p, 1, 0), 0);
	begin = now_ns() / 1000;
	stalled = full_us(cgroup);
	pid = held_back(hog_cgroup);
	EXPECT_TRUE(wait_until(stalls(path, cgroup, line, sizeof(line)), STALL_MS));
	us = now_ns() / 1000 - begin;
	stalled = full_us(cgroup) - stalled;
	ksft_print_msg("%s: %lld of %lld ms by the kernel; %s\n", path, stalled / 1000, us / 1000,
		       line);
	/* An interval of it at the least share. */
	EXPECT_GE(stalled, INTERVAL_MS * 1000LL * STALL_PERCENT / 100);
	EXPECT_GE(line_number(line, "begin_us"), begin - 2 * INTERVAL_MS * 1000LL);
	EXPECT_IN(atoi(line_word(line, "psi_full_max")), STALL_PERCENT, 100);
	/* The worst interval is about the whole, unless the stall came late. */
	if (stalled * 100 >= us * WHOLE_PERCENT)
		EXPECT_GE(atoi(line_word(line, "psi_full_max")), MOST_PERCENT);
	EXPECT_EQ(poll(&p, 1, 1000), 1);
	snprintf(needle, sizeof(needle), "memcg=%s ", path);
	EXPECT_TRUE(kmsg_wait(kmsg, needle, log, sizeof(log), 1000));
	expect_of("%s", log);
	EXPECT_TRUE(strstr(log, "oomlens: stall ") && strstr(log, "oomlens_history"));
	EXPECT_EQ(line_number(log, "begin_us"), line_number(line, "begin_us"));
	/* The guest may be stopped between two readings of the clocks. */
	EXPECT_NEAR(line_number(log, "real_us") - line_number(log, "begin_us"), wall_us(), 1000000);
	if (!cgroup)
		expect_begin(line_number(line, "begin_us"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_TRUE(wait_until(ended(path, line, sizeof(line)), STALL_MS));
	close(fd);
	close(kmsg);
}

int main(void)
{
	char *cgroup, path[512], number[32];
	unsigned int n;
	pid_t pids[64];

	test_begin(0);
	if (!lens_feature("psi"))
		ksft_exit_skip("no CONFIG_PSI\n");
	if (cg_version() != 2)
		ksft_exit_skip("no memory.high\n");
	ksft_set_plan(2);
	cgroup = must_cgroup(NULL, "stall");
	snprintf(path, sizeof(path), "%s/memory.high", cgroup);
	snprintf(number, sizeof(number), "%ld", HIGH_PAGES * page_size());
	MUST_OK(write_file(path, number));
	snprintf(number, sizeof(number), "%d", INTERVAL_MS);
	MUST_OK(setting_write(PARAMETERS "history_ms", number));

	n = spinners_start(pids, ARRAY_SIZE(pids));
	expect_stall(cgroup, cg_shown(cgroup), cgroup);
	idle_end(pids, n);
	test_done("a cgroup at memory.high that gets nowhere is a stall");
	expect_stall(NULL, "/", cgroup);
	test_done("and the machine, where nothing else runs");
	test_end();
}
