// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload under readers and under OOMs, many times; the memory is the
 * same before and after. $OOMLENS_LOADS (6) is how many.
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
 * So many times as long as what began at @begin took: most of the time is to go
 * to loads, however slow the machine and its checkers are.
 */
static void rest(unsigned long long begin, unsigned int times)
{
	unsigned long long ms = (now_ns() - begin) * times / 1000000;

	nap_ms(ms < 1 ? 1 : ms > 5000 ? 5000 : ms);
}

/* Reads whatever is there, all at a time, for ever. */
static void read_for_ever(unsigned int turn)
{
	static const char *const files[] = {
		"/proc/oomlens/badness", "/sys/kernel/debug/oomlens/events",
		"/proc/oomlens/commit", "/proc/oomlens/overcommit", "/proc/oomlens/events",
		"/sys/kernel/debug/oomlens/badness", "/sys/kernel/debug/oomlens/trigger",
		"/sys/kernel/debug/oomlens/reserve", "/proc/oomlens/stats",
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
	size_t size = 4 * LIMIT_PAGES * page_size();

	for (;;) {
		unsigned long long begin = now_ns();
		pid_t pid = fork();
		char *p;

		if (pid < 0) {
			nap_ms(10);
			continue;
		}
		if (pid) {
			waitpid(pid, NULL, 0);
			rest(begin, 9);
			continue;
		}
		if (set_adj(0, 0) || cg_attach(dir, 0))
			_exit(1);
		p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (p != MAP_FAILED)
			memset(p, 1, size);
		_exit(0);
	}
}

/* To read every file each time would be most of what many loads cost. */
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
		/* A run of hours should be seen to go on. */
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
	unsigned long loads = env_number("OOMLENS_LOADS", 6), done, whole;
	long long before, kills = 0;
	char *dir, with[256];

	test_begin(0);
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
	ksft_set_plan(4);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(with, sizeof(with), "%s", loader_parameters());
	/* Each OOM has its page in the log; a console is slow. */
	setting_write("/proc/sys/kernel/printk", "1 4 1 7");
	if (!access("/proc/sys/vm/oom_dump_tasks", F_OK))
		setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	hurry_rcu();
	allow_debugfs_race();
	dir = cg_version() ? cg_create(NULL, "storm") : NULL;
	if (dir) {
		cg_limit(dir, LIMIT_PAGES);
		cg_swap_limit(dir, 0);
	}
	ksft_test_result(!loader_unload() && !loader_load("trigger=1") && loader_whole() &&
			 !loader_unload() && loader_traceless(), "load and unload\n");
	/* The first loads and the first OOM leave what is kept for good. */
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
	ksft_test_result(done == loads && whole == loads,
			 "%lu loads and unloads under readers and OOMs\n", loads);
	if (dir)
		wait_until(cg_oom_kills(dir) > kills, PATIENCE_MS);
	leave_alone();
	if (dir) {
		kills = cg_oom_kills(dir) - kills;
		ksft_test_result(kills > 0, "OOMs meanwhile: %lld killed\n", kills);
	} else {
		ksft_test_result_skip("OOMs meanwhile: no memory cgroups\n");
	}
	ksft_test_result(held_same(before), "the memory is the same\n");
	if (loader_load(with))
		ksft_print_msg("cannot load it again with %s\n", with);
	ksft_exit(!ksft_get_fail_cnt());
}
