// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once for $OOMLENS_SOAK_S seconds (3): readers of every file,
 * scopes, triggers, cgroup OOMs, swap on and off, processors coming and going,
 * tasks coming and going, load and unload. The kernel's log is the judge, each
 * of them must have got somewhere, and the memory is the same before and after.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/held.h"
#include "lib/loader.h"

#define LIMIT_PAGES	1024UL
#define SWAP_PAGES	1024UL
#define CPU1		"/sys/devices/system/cpu/cpu1/online"

/* Shared: the steps of each worker, and the faults that they found. */
static struct tally {
	unsigned long steps[16];
	unsigned long kills, killed;	/* asked for, and done */
	unsigned long wrong;
} *tally;

static unsigned long long seed;
static bool locked;	/* debugfs is */
static bool sysrq;	/* "kill pid=" needs it */
static char *cgroup[2];
static char swap_path[256];
static char with[256];

static void wrong(const char *what, const char *which, int err)
{
	__atomic_add_fetch(&tally->wrong, 1, __ATOMIC_RELAXED);
	ksft_print_msg("%s %s: %s\n", what, which, strerror(err));
	fflush(stdout);
}

/* ENOENT: unloaded just now. ENODEV: it is being unloaded. */
static int open_lens(const char *file, int flags)
{
	static const char *const dirs[] = { "/proc/oomlens", "/sys/kernel/debug/oomlens" };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dirs[locked ? 0 : rnd(&seed) % 2], file);
	fd = open(path, flags | O_CLOEXEC);
	/* ENXIO is debugfs' own word while the module is on its way out */
	if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO && errno != EINVAL)
		wrong("open", path, errno);
	if (fd < 0)
		nap_ms(1);
	return fd;
}

/* A read from somewhere to somewhere; the first bytes are the file's own. */
static void step_read(void)
{
	static const char *const files[] = {
		"badness", "overcommit", "memory", "commit", "objects", "events", "history",
		"features", "stats", "trigger", "reserve"
	};
	const char *file = files[rnd(&seed) % ARRAY_SIZE(files)];
	struct pollfd p = { .events = POLLIN };
	static char buf[16384];
	char want[32];
	ssize_t n;
	int fd;

	fd = open_lens(file, O_RDONLY);
	if (fd < 0)
		return;
	p.fd = fd;
	poll(&p, 1, rnd(&seed) % 3);
	snprintf(want, sizeof(want), "# oomlens %s 1\n", file);
	n = read(fd, buf, sizeof(buf));
	if (n < 0 || strncmp(buf, want, strlen(want)))
		wrong("read", file, n < 0 ? errno : EBADMSG);
	while (rnd(&seed) % 8 && read(fd, buf, rnd_range(&seed, 1, sizeof(buf))) > 0)
		;
	if (pread(fd, buf, sizeof(buf), rnd_range(&seed, 0, 4096)) < 0)
		wrong("pread", file, errno);
	close(fd);
	/* An open file keeps the module: let it go now and then. */
	nap_ms(rnd(&seed) % 4);
}

static void step_scope(void)
{
	static const char *const scopes[] = { "global", "nodes 0", "nodes 0-1", "mempolicy 0" };
	bool commit = rnd(&seed) % 2;
	static char buf[65536];
	char line[512];
	int fd;

	fd = open_lens(commit ? "commit" : "badness", O_RDWR);
	if (fd < 0)
		return;
	if (commit && rnd(&seed) % 2)
		snprintf(line, sizeof(line), "memcg");
	else if (commit)
		snprintf(line, sizeof(line), "pid %lu", rnd_range(&seed, 1, getpid() + 50));
	else if (cgroup[0] && rnd(&seed) % 2)
		snprintf(line, sizeof(line), "memcg %s", cg_shown(cgroup[rnd(&seed) % 2]));
	else
		snprintf(line, sizeof(line), "%s", scopes[rnd(&seed) % ARRAY_SIZE(scopes)]);
	if (write(fd, line, strlen(line)) < 0 && errno != ESRCH && errno != EOPNOTSUPP &&
	    errno != EINVAL)
		wrong("scope", line, errno);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	nap_ms(rnd(&seed) % 4);
}

/*
 * Refused while there is no module (see open_lens()), while swapoff runs, and where the
 * OOM killer found an exiting task.
 */
static bool kill_may_fail(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ENXIO || err == -EINVAL ||
	       err == -EBUSY || err == -EAGAIN;
}

/* "kill pid=" of a task of its own */
static int kill_one(void)
{
	static const struct hog_spec spec = { .anon = 64 };
	struct hog hog;
	int err;

	if (hog_start(&hog, &spec))
		return -EAGAIN;
	err = lens_command("trigger", "kill pid=%d", hog.pid);
	if (!err && !wait_until(hog_killed(&hog), PATIENCE_MS))
		err = -ETIMEDOUT;
	hog_end(&hog);
	return err;
}

/* Small runs, and kills of its own tasks only. */
static void step_trigger(void)
{
	static const char *const runs[] = {
		"pressure limit=1M", "pressure limit=512K hold=10", "pressure nonsense"
	};
	char line[64];
	int fd;

	if (sysrq && rnd(&seed) % 4 == 0) {
		int err = kill_one();

		tally->kills++;
		if (!err)
			tally->killed++;
		else if (!kill_may_fail(err))
			wrong("kill", "of its own task", -err);
		return;
	}
	fd = open("/sys/kernel/debug/oomlens/trigger", O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		nap_ms(1);
		return;
	}
	snprintf(line, sizeof(line), "%s", runs[rnd(&seed) % ARRAY_SIZE(runs)]);
	if (write(fd, line, strlen(line)) < 0 && errno != ENOSPC && errno != EINVAL &&
	    errno != EBUSY && errno != ENOMEM && errno != EPERM && errno != EOPNOTSUPP)
		wrong("trigger", line, errno);
	close(fd);
	lens_command("reserve", "%luK", rnd_range(&seed, 0, 1024));
}

static bool can_trigger(void)
{
	return lens_writable() && lens_feature("debugfs");
}

static void step_oom(void)
{
	pid_t pid = fork();

	if (!pid)
		eat(cgroup[rnd(&seed) % 2], 0, 4 * LIMIT_PAGES * page_size());
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static bool can_oom(void)
{
	return cgroup[0] && cgroup[1];
}

static void step_swap(void)
{
	nap_ms(rnd_range(&seed, 1, 50));
	if (!swapoff(swap_path)) {
		nap_ms(rnd_range(&seed, 1, 20));
		if (swapon(swap_path, 0))
			wrong("swapon", swap_path, errno);
	}
}

static bool can_swap(void)
{
	char *swaps, *line;

	if (!swap_ensure(SWAP_PAGES))
		return false;
	swaps = read_file("/proc/swaps");
	line = swaps ? strchr(swaps, '\n') : NULL;
	if (!line || sscanf(line, "%255s", swap_path) != 1)
		swap_path[0] = '\0';
	free(swaps);
	return swap_path[0];
}

static void step_cpu(void)
{
	nap_ms(rnd_range(&seed, 1, 100));
	if (!write_file(CPU1, "0")) {
		nap_ms(rnd_range(&seed, 1, 50));
		if (write_file(CPU1, "1"))
			wrong("online", CPU1, errno);
	}
}

static bool can_cpu(void)
{
	return !access(CPU1, W_OK) && !setting_write(CPU1, "1");
}

/* Tasks that come and go, by threads, forks and vforks. */
static void step_tasks(void)
{
	struct hog_spec spec = {
		.anon = rnd_range(&seed, 1, 64), .threads = rnd(&seed) % 3,
		.adj = (int)rnd_range(&seed, 0, 1000), .sharer = rnd(&seed) % 4 == 0,
	};
	struct hog hog;

	if (hog_start(&hog, &spec))
		return;
	hog_do(&hog, HOG_FORK, 2);
	hog_end(&hog);
}

static void step_load(void)
{
	int err;

	nap_ms(rnd_range(&seed, 50, 300));
	err = loader_unload();
	if (err) {
		wrong("unload", "", -err);
		return;
	}
	if (!loader_traceless())
		wrong("unload", "left something", EEXIST);
	err = loader_load(with);
	if (err)
		wrong("load", with, -err);
}

static bool can_load(void)
{
	return loader_ko();
}

static bool always(void)
{
	return true;
}

static const struct worker {
	const char *name;
	void (*step)(void);
	bool (*possible)(void);
} workers[] = {
	{ "read",	step_read,	always },
	{ "read",	step_read,	always },
	{ "scope",	step_scope,	always },
	{ "trigger",	step_trigger,	can_trigger },
	{ "cgroup OOM",	step_oom,	can_oom },
	{ "cgroup OOM",	step_oom,	can_oom },
	{ "swap",	step_swap,	can_swap },
	{ "processor",	step_cpu,	can_cpu },
	{ "tasks",	step_tasks,	always },
	{ "load",	step_load,	can_load },
};

/* 0: not begun, or ended; -1: not possible here */
static pid_t pids[ARRAY_SIZE(workers)];

static void set_up(void)
{
	unsigned int i;
	char name[16];

	oom_settings();
	for (i = 0; i < ARRAY_SIZE(cgroup) && cg_version(); i++) {
		snprintf(name, sizeof(name), "storm%u", i);
		cgroup[i] = cg_create(NULL, name);
		if (!cgroup[i])
			continue;
		cg_limit(cgroup[i], LIMIT_PAGES);
		/* One that swaps first, and one that does not. */
		if (i)
			cg_swap_limit(cgroup[i], 0);
	}
	snprintf(with, sizeof(with), "%s", loader_parameters());
	locked = lens_locked_down();
	sysrq = lens_feature("sysrq");
	tally = must_share(sizeof(*tally));
}

/* In its own process, until @end: at least one step, and each step to its end. */
static void __noreturn work(unsigned int i, unsigned long long end)
{
	seed += i * 7919;
	do {
		workers[i].step();
		__atomic_add_fetch(&tally->steps[i], 1, __ATOMIC_RELAXED);
	} while (now_ns() < end);
	_exit(0);
}

/* All have ended, by themselves. */
static bool all_end(void)
{
	unsigned int i;
	bool all = true;
	int status;

	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		if (pids[i] <= 0)
			continue;
		if (waitpid(pids[i], &status, WNOHANG) != pids[i]) {
			all = false;
			continue;
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			wrong("worker", workers[i].name, ECHILD);
		pids[i] = 0;
	}
	return all;
}

/*
 * While a processor goes, an interrupt's thread that ends its section with bottom
 * halves off can find no move pending: the scheduler's own WARN_ON_ONCE() in
 * affine_move_task(), seen on 6.1 with PREEMPT_RT.
 */
static void allow_affinity_race(void)
{
	struct utsname u;

	if (!uname(&u) && strstr(u.version, "PREEMPT_RT"))
		allow_report("affine_move_task");
}

/* All of them for @ms; false if one does not end. */
static bool run(unsigned long ms)
{
	unsigned long long end = now_ns() + ms * 1000000ULL;
	unsigned int i;

	fflush(stdout);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		if (pids[i] < 0)
			continue;
		pids[i] = fork();
		if (!pids[i])
			work(i, end);
	}
	return wait_until(all_end(), ms + 2 * PATIENCE_MS);
}

/* The module is there, with an empty reserve, and kills what it is told to. */
static bool calm(void)
{
	int err = 0;

	if (!loader_loaded() && loader_load(with))
		ksft_print_msg("cannot load it again with %s\n", with);
	if (can_trigger()) {
		lens_command("reserve", "0");
		err = sysrq ? kill_one() : 0;
		if (err)
			ksft_print_msg("kill pid=: %s\n", strerror(-err));
	}
	return loader_whole() && !err;
}

int main(void)
{
	unsigned long seconds = env_number("OOMLENS_SOAK_S", 3);
	bool ended;
	long long before;
	unsigned int i;

	test_begin(ARRAY_SIZE(workers) + 4);
	seed = test_seed();
	set_up();
	allow_debugfs_race();
	allow_affinity_race();
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		if (!workers[i].possible())
			pids[i] = -1;
	/* Memory that is allocated once and stays is allocated now. */
	ended = run(1000) && calm();
	before = held_kb();
	memset(tally->steps, 0, sizeof(tally->steps));
	ended = ended && run(seconds * 1000);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		if (pids[i] < 0) {
			ksft_test_result_skip("%s: not possible here\n", workers[i].name);
			continue;
		}
		EXPECT_GT(tally->steps[i], 0);
		test_done("%s: %lu steps", workers[i].name, tally->steps[i]);
	}
	ksft_print_msg("%lu of %lu kills were done\n", tally->killed, tally->kills);
	EXPECT_TRUE(ended);
	test_done("all ended within their time");
	EXPECT_EQ(tally->wrong, 0);
	test_done("nothing was wrong with any");
	EXPECT_TRUE(calm());
	test_done("all files are there and whole");
	EXPECT_TRUE(held_same(before));
	test_done("the memory is the same");
	test_end();
}
