// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload under readers and under OOMs, many times; the memory is the
 * same before and after. $OOMLENS_LOADS (18) is how many: what each of
 * them takes would be over HELD_SLACK_KB in all.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/held.h"
#include "lib/loader.h"

#define LIMIT_PAGES	256UL

static const char *const parameters[] = {
	"", "trigger=1", "trigger=1 events=1 candidates=0", "events=256 candidates=64",
	"debugfs=0", "sources=1", "sources=2", "sources=4", "sources=3 trigger=1",
};

/*
 * Sleeps @times as long as what began at @begin took: most of the time is to go
 * to loads, however slow the machine and its checkers are.
 */
static void rest(unsigned long long begin, unsigned int times)
{
	unsigned long long ms = (now_ns() - begin) * times / 1000000;

	nap_ms(ms < 1 ? 1 : ms > 5000 ? 5000 : ms);
}

/* Reads each file to its end, one after the other, for ever. */
static void read_for_ever(unsigned int turn)
{
	static const char *const files[] = {
		"/proc/oomlens/badness", "/sys/kernel/debug/oomlens/events",
		"/proc/oomlens/commit", "/proc/oomlens/overcommit", "/proc/oomlens/events",
		"/sys/kernel/debug/oomlens/badness", "/sys/kernel/debug/oomlens/trigger",
		"/sys/kernel/debug/oomlens/reserve", "/proc/oomlens/stats",
		"/proc/oomlens/memory", "/proc/oomlens/history", "/proc/oomlens/objects",
		"/proc/oomlens/features",
	};
	static char buf[65536];

	for (;; turn++) {
		unsigned long long begin = now_ns();
		int fd = open(files[turn % ARRAY_SIZE(files)], O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			rest(begin, 3);
			continue;
		}
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
		/* An open file keeps the module: let it go in between. */
		rest(begin, 3);
	}
}

/* One memory cgroup OOM after the other; killed by the kernel each time. */
static void oom_for_ever(const char *dir)
{
	for (;;) {
		unsigned long long begin = now_ns();
		pid_t pid = fork();

		if (!pid)
			eat(dir, 0, 4 * LIMIT_PAGES * page_size());
		if (pid > 0)
			waitpid(pid, NULL, 0);
		rest(begin, 9);
	}
}

/* Each file is read every ALL_WHOLE loads: to read all costs more than a load. */
#define ALL_WHOLE	20

static unsigned long reload(unsigned long loads, unsigned long *whole)
{
	unsigned long long begin = now_ns();
	unsigned long i, heads = 0;
	int err = 0;

	for (i = 0; i < loads; i++) {
		const char *with = parameters[i % ARRAY_SIZE(parameters)];

		err = loader_load(with);
		if (err) {
			ksft_print_msg("load %lu, '%s': %s\n", i, with, strerror(-err));
			break;
		}
		heads += i < ALL_WHOLE || i % ALL_WHOLE == 0 ? loader_whole() : loader_begins();
		err = loader_unload();
		if (err || !loader_traceless()) {
			ksft_print_msg("unload %lu, '%s': %s\n", i, with, strerror(-err));
			break;
		}
		/* Progress, in a run of hours. */
		if (i && i % 250 == 0)
			ksft_print_msg("%lu loads in %llu s\n", i,
				       (now_ns() - begin) / 1000000000);
	}
	*whole = heads;
	return i;
}

static pid_t child[3];
static unsigned int children;

/* Readers, and OOMs in @dir if there is one */
static void disturb(const char *dir)
{
	fflush(stdout);
	for (children = 0; children < (dir ? 3 : 2); children++) {
		child[children] = fork();
		if (child[children])
			continue;
		if (children == 2)
			oom_for_ever(dir);
		read_for_ever(children);
	}
}

static void leave_alone(void)
{
	while (children) {
		kill(child[--children], SIGKILL);
		waitpid(child[children], NULL, 0);
	}
}

int main(void)
{
	unsigned long loads = env_number("OOMLENS_LOADS", 18), done, whole;
	long long before, kills = 0;
	char *dir;

	test_begin(0);
	needs_ko();
	ksft_set_plan(4);
	setvbuf(stdout, NULL, _IOLBF, 0);
	restore_at_end();
	oom_settings();
	allow_debugfs_race();
	dir = cg_version() ? cg_create(NULL, "storm") : NULL;
	if (dir) {
		cg_limit(dir, LIMIT_PAGES);
		cg_swap_limit(dir, 0);
	}
	EXPECT_OK(loader_reload("trigger=1"));
	EXPECT_TRUE(loader_whole());
	EXPECT_OK(loader_unload());
	EXPECT_TRUE(loader_traceless());
	test_done("load and unload");
	/* The first loads and the first OOM allocate some memory that stays. */
	disturb(dir);
	reload(2, &whole);
	if (dir)
		wait_until(cg_oom_kills(dir) > 0, PATIENCE_MS);
	leave_alone();
	before = held_kb();

	if (dir)
		kills = cg_oom_kills(dir);
	disturb(dir);
	done = reload(loads, &whole);
	EXPECT_EQ(done, loads);
	EXPECT_EQ(whole, loads);
	test_done("%lu loads and unloads under readers and OOMs", loads);
	if (dir)
		wait_until(cg_oom_kills(dir) > kills, PATIENCE_MS);
	leave_alone();
	if (dir) {
		kills = cg_oom_kills(dir) - kills;
		EXPECT_GT(kills, 0);
		test_done("OOMs meanwhile: %lld killed", kills);
	} else {
		ksft_test_result_skip("OOMs meanwhile: no memory cgroups\n");
	}
	EXPECT_TRUE(held_same(before));
	test_done("the memory is the same");
	test_end();
}
