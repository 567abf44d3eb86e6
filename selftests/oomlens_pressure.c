// SPDX-License-Identifier: GPL-2.0
/*
 * pressure: each option does what it says, memory is back after each way out,
 * and nobody dies who was not to. Judged by /proc/zoneinfo, /proc/vmstat, the
 * cgroup's own files and the exit status of bystanders.
 * $OOMLENS_DRILLS sets the number of drills (3; among others that ask for memory
 * 2), $OOMLENS_SIGNALS that of writers killed in the middle (4),
 * $OOMLENS_SEED repeats a run.
 */
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/free.h"
#include "lib/loader.h"
#include "lib/writer.h"

/* What the ballast leaves, so that a run takes little time. */
#define LEFT_PAGES	16384

/* Enough for the drift of the per-CPU counters and of what else goes on. */
#define DRIFT_KB	(8 * 1024)

/* By which MemAvailable may be off a level, for a while. */
#define LEVEL_KB	1536

/* The level that runs are sent to, above what of the memory they cannot have. */
#define LEFT_LEVEL_KB	(32 * 1024)

/* Limit of a cgroup that runs out. */
#define CG_PAGES	8192

/* Whom the kernel takes of all that there are. */
static const struct hog_spec first_in_line = { .anon = 100, .adj = 1000, .comm = "chosen" };

static struct ballast ballast;
static struct hog bystander;
static long long total_kb, free_kb;

static long long kb_to_pages(long long kb)
{
	return kb * 1024 / (long long)page_size();
}

static bool check(bool cond, const char *what, long long got, long long want)
{
	if (!cond)
		ksft_print_msg("%s: got %lld, want %lld\n", what, got, want);
	return cond;
}

static int run(const char *command)
{
	return writer_end(writer_start(command, NULL));
}

/* All of it, to within 1% of the machine's memory. */
static bool memory_back(void)
{
	long long now = 0;
	bool good = wait_until((now = free_memory_kb()) >= free_kb - total_kb / 100,
			       PATIENCE_MS);

	return check(good, "free kB", now, free_kb);
}

static bool all_well(long long kills)
{
	bool good = check(kernel_kills() == kills, "oom_kill", kernel_kills(), kills);

	if (hog_gone(&bystander) || !ballast_whole(&ballast)) {
		ksft_print_msg("a bystander died\n");
		good = false;
	}
	return good && memory_back() &&
	       check(lens_key("trigger", "running") == 0, "running", 1, 0);
}

static void test_limits(void)
{
	long long kills = kernel_kills(), now = 0, before = free_memory_kb();
	const long long size_kb = 24 * 1024;
	char command[64];
	bool good;
	pid_t pid;
	int err;

	err = run("pressure limit=24M");
	good = check(err == -ENOSPC, "limit", err, -ENOSPC) && all_well(kills) &&
	       check(lens_key("trigger", "last_taken") == kb_to_pages(size_kb),
		     "last_taken", lens_key("trigger", "last_taken"), kb_to_pages(size_kb));
	ksft_test_result(good, "limit ends a run, with so many pages taken\n");

	pid = writer_start("pressure limit=24M hold=1000", NULL);
	good = wait_until((now = before - free_memory_kb()) > size_kb - DRIFT_KB,
			  PATIENCE_MS);
	good = check(good && now < size_kb + DRIFT_KB, "held kB", now, size_kb) &
	       check(lens_key("trigger", "running") == 1, "running", 0, 1);
	err = lens_command("trigger", "pressure limit=1M\n");
	good &= check(err == -EBUSY, "a second writer", err, -EBUSY);
	err = writer_end(pid);
	good &= check(!err, "limit, hold", err, 0) && all_well(kills);
	ksft_test_result(good, "limit is held; a second run meanwhile: EBUSY\n");

	snprintf(command, sizeof(command), "pressure leave=%lldK timeout=1",
		 LEFT_LEVEL_KB + cma_free_kb());
	now = now_ns();
	err = run(command);
	now = (now_ns() - now) / 1000000;
	good = check(!err, "leave, timeout", err, 0) && check(now >= 900, "ms", now, 1000);
	ksft_test_result(good && all_well(kills),
			 "without hold a level is held up to the timeout\n");

	/* In pages, the largest number of 32 bits. */
	err = run("pressure leave=17592186040320 hold=50");
	good = check(!err, "leave, the largest", err, 0) &&
	       check(lens_key("trigger", "last_taken") == LLONG_MIN, "last_taken",
		     lens_key("trigger", "last_taken"), LLONG_MIN);
	ksft_test_result(good && all_well(kills), "a level above all memory: nothing is taken\n");
}

/* MemAvailable gets to @kb, and is there most of the time from then on. */
static bool stays_at(long long kb, unsigned int ms)
{
	unsigned long long end;
	unsigned int looks = 0, off = 0;
	long long now = 0, worst = kb;
	bool there = wait_until(llabs((now = meminfo_kb("MemAvailable")) - kb) < LEVEL_KB,
				PATIENCE_MS);

	if (!check(there, "MemAvailable, kB", now, kb))
		return false;
	for (end = now_ns() + ms * 1000000ULL; now_ns() < end; looks++) {
		now = meminfo_kb("MemAvailable");
		off += llabs(now - kb) >= LEVEL_KB;
		if (llabs(now - kb) > llabs(worst - kb))
			worst = now;
		nap_ms(10);
	}
	return off <= looks / 5 || check(false, "MemAvailable at worst, kB", worst, kb);
}

static void test_level(void)
{
	const struct hog_spec spec = { .anon = 1, .comm = "neighbour" };
	const long long level_kb = LEFT_LEVEL_KB + cma_free_kb(), pages = kb_to_pages(8 * 1024);
	long long kills = kernel_kills();
	char command[64];
	struct hog h;
	bool good;
	pid_t pid;
	int err;

	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	snprintf(command, sizeof(command), "pressure leave=%lldK", level_kb);
	pid = writer_start(command, NULL);
	good = stays_at(level_kb, 300);
	ksft_test_result(good, "leave takes MemAvailable down to a level, and stays\n");

	good = !hog_do(&h, HOG_GROW, pages) && stays_at(level_kb, 200) &&
	       !hog_do(&h, HOG_SHRINK, pages) && stays_at(level_kb, 200);
	kill(pid, SIGTERM);
	err = writer_end(pid);
	good &= check(err == SIGTERM || err == -EINTR, "signal", err, SIGTERM);
	hog_end(&h);
	ksft_test_result(good && all_well(kills),
			 "what a neighbour takes or gives back is made up for\n");
}

static void test_drills(void)
{
	unsigned long drills = env_number("OOMLENS_DRILLS", 3), i;
	long long kills = kernel_kills();
	bool good = true;
	int err;

	for (i = 0; good && i < drills; i++) {
		err = run("pressure");
		good = check(!err, "drill", err, 0) && all_well(kills) &&
		       run_event_is("outcome", "averted") && run_event_is("by", "pressure") &&
		       run_event_is("trigger", "oomlens");
	}
	ksft_test_result(good, "%lu of %lu drills killed nobody and gave all back\n", i, drills);
}

/* Takes memory until it is killed. */
static pid_t glutton_start(const char *cgroup, int adj)
{
	size_t size = meminfo_kb("MemTotal") * 2048, at;
	pid_t pid;
	char *mem;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (set_adj(0, adj) || (cgroup && cg_attach(cgroup, 0)))
		_exit(1);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (at = 0; mem != MAP_FAILED && at < size; at += page_size())
		mem[at] = 1;
	_exit(1);
}

/*
 * A run that holds nothing can avert nothing: it says so. The kernel may take a
 * second one, where the first is gone between a last try and the OOM killer.
 */
static void test_empty(void)
{
	const struct hog_spec spec = { .anon = 1, .adj = 999, .comm = "next in line" };
	long long kills = kernel_kills();
	struct hog spare;
	char command[64];
	pid_t pid, glutton;
	int err, status = 0;
	bool good;

	snprintf(command, sizeof(command), "pressure leave=%lldK hold=%d",
		 meminfo_kb("MemTotal"), PATIENCE_MS);
	pid = writer_start(command, NULL);
	good = wait_until(lens_key("trigger", "running") == 1, PATIENCE_MS);
	if (hog_start(&spare, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	glutton = glutton_start(NULL, 1000);
	waitpid(glutton, &status, 0);
	err = writer_end(pid);
	kills += hog_gone(&spare) ? 2 : 1;
	hog_end(&spare);
	good &= check(WIFSIGNALED(status), "the glutton's end", status, SIGKILL) &
		check(err == -EAGAIN, "a drill that killed", err, -EAGAIN);
	ksft_test_result(good && all_well(kills),
			 "a drill with nothing to give back, in which one dies: EAGAIN\n");
}

/* One memcg kill after the other, until it is killed itself. */
static pid_t killing_start(const char *cgroup)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	for (;;) {
		waitpid(glutton_start(cgroup, 0), NULL, 0);
		nap_ms(1);
	}
}

/* Only its own kill makes a run one that killed. */
static void test_foreign(void)
{
	pid_t killing = 0;
	bool good = true;
	long long kills;
	unsigned int i;
	struct hog h;
	char *cg;
	int err;

	if (!cg_version()) {
		ksft_test_result_skip("no memory cgroups\n");
		return;
	}
	cg = cg_create(NULL, "foreign");
	if (cg_limit(cg, 256))
		ksft_exit_fail_msg("cannot limit a cgroup\n");
	kills = kernel_kills();
	killing = killing_start(cg);
	good = wait_until(kernel_kills() > kills, PATIENCE_MS);
	for (i = 0; good && i < 5; i++) {
		if (hog_start(&h, &first_in_line))
			ksft_exit_fail_msg("cannot make a hog\n");
		err = run(i % 2 ? "kill" : "pressure outcome=kill");
		good = check(!err, "outcome=kill", err, 0) &
		       check(wait_until(hog_killed(&h), 1000), "the chosen one is killed", 0, 1);
		hog_end(&h);
	}
	kill(killing, SIGKILL);
	waitpid(killing, NULL, 0);
	/* The last one of its goes too. */
	good &= wait_until(!cg_remove(cg), PATIENCE_MS);
	kills = kernel_kills();
	ksft_test_result(good && all_well(kills),
			 "with others' cgroups killing, a run's kill is its own\n");
}

/*
 * While an earlier victim is on its way the kernel takes nobody, however often it is
 * asked. This one cannot go while its mmap_lock is held; oom_reaper() gives up on it
 * in one second to three.
 */
static void test_in_flight(void)
{
	struct hog_spec spec = { .anon = 200, .adj = 1000, .comm = "stuck" };
	long long kills = kernel_kills();
	struct hog stuck, chosen;
	pid_t glutton, holder;
	bool good;
	char *cg;
	int err;

	if (!cg_version() || !loader_helper("oomlens_shortage", "")) {
		ksft_test_result_skip("no memory cgroups, or no oomlens_shortage.ko\n");
		return;
	}
	if (hog_start(&chosen, &first_in_line))
		ksft_exit_fail_msg("cannot make a hog\n");
	cg = cg_create(NULL, "flight");
	spec.cgroup = cg;
	if (cg_limit(cg, 1024) || hog_start(&stuck, &spec))
		ksft_exit_fail_msg("cannot make a hog in a cgroup\n");
	holder = mmap_lock_hold(stuck.pid);
	glutton = glutton_start(cg, 0);
	good = holder > 0 && wait_until(kernel_kills() > kills, PATIENCE_MS);
	err = run("pressure outcome=kill");
	good = check(!hog_gone(&stuck), "the earlier victim is gone", 1, 0) &
	       check(!err, "outcome=kill", err, 0) &
	       check(wait_until(hog_killed(&chosen), 1000), "the chosen one is killed", 0, 1) &&
	       good;
	mmap_lock_release(holder);
	good = wait_until(hog_killed(&stuck), PATIENCE_MS) && good;
	kill(glutton, SIGKILL);
	waitpid(glutton, NULL, 0);
	hog_end(&stuck);
	hog_end(&chosen);
	loader_no_helper("oomlens_shortage");
	good &= wait_until(!cg_remove(cg), PATIENCE_MS);
	kills = kernel_kills();
	ksft_test_result(good && all_well(kills),
			 "an earlier victim in flight: waited for, and then one is taken\n");
}

static void test_kill(void)
{
	long long kills = kernel_kills();
	struct hog h;
	bool good;
	int err;

	if (hog_start(&h, &first_in_line))
		ksft_exit_fail_msg("cannot make a hog\n");
	err = run("pressure outcome=kill");
	good = check(!err, "outcome=kill", err, 0) &&
	       wait_until(hog_killed(&h), PATIENCE_MS) && all_well(kills + 1) &&
	       run_event_is("outcome", "killed") && run_event_is("trigger", "oomlens") &&
	       run_event_is("kind", "global");
	ksft_test_result(good, "outcome=kill: the kernel's choice dies, and no second\n");
	hog_end(&h);

	if (hog_start(&h, &first_in_line))
		ksft_exit_fail_msg("cannot make a hog\n");
	setting_write("/proc/sys/vm/panic_on_oom", "1");
	err = run("pressure outcome=kill");
	good = check(err == -EPERM, "panic_on_oom", err, -EPERM) && !hog_gone(&h);
	err = lens_command("trigger", "kill pid=%d\n", h.pid);
	good &= check(err == -EPERM, "panic_on_oom, kill", err, -EPERM) && !hog_gone(&h);
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	ksft_test_result(good && all_well(kills + 1), "with panic_on_oom nothing lethal is done\n");
	hog_end(&h);
}

/* Asks for a little memory and gives it back, until it is killed. */
static pid_t asking_start(void)
{
	const size_t size = 16 * page_size();
	char *mem;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (set_adj(0, -1000))
		_exit(1);
	for (;;) {
		mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (mem != MAP_FAILED)
			munmap(mem, size);
	}
}

/*
 * Others' allocations fail while memory is out, and may get to the OOM killer
 * only when all of it is back: nobody dies of that.
 */
static void test_others(void)
{
	unsigned long times = env_number("OOMLENS_DRILLS", 2), i;
	long long kills = kernel_kills();
	pid_t asking[3];
	struct hog h;
	bool good = true;
	unsigned int n;
	int err;

	for (n = 0; n < ARRAY_SIZE(asking); n++)
		asking[n] = asking_start();
	for (i = 0; good && i < times; i++) {
		err = run("pressure");
		good = check(!err, "drill", err, 0);
		if (hog_start(&h, &first_in_line))
			ksft_exit_fail_msg("cannot make a hog\n");
		err = run("pressure outcome=kill");
		good &= check(!err, "outcome=kill", err, 0) &&
			wait_until(hog_killed(&h), PATIENCE_MS) && all_well(++kills);
		hog_end(&h);
	}
	for (n = 0; n < ARRAY_SIZE(asking); n++) {
		kill(asking[n], SIGKILL);
		waitpid(asking[n], NULL, 0);
	}
	ksft_test_result(good && all_well(kills),
			 "%lu of %lu drills and kills while others asked for memory, and no more died\n",
			 i, times);
}

static void test_signals(void)
{
	unsigned long times = env_number("OOMLENS_SIGNALS", 4), i;
	unsigned long long seed = test_seed();
	long long kills = kernel_kills();
	unsigned int caught = 0;
	bool good = true;

	for (i = 0; good && i < times; i++) {
		const char *command = rnd(&seed) & 1 ? "pressure" :
						       "pressure leave=16M hold=1000";
		pid_t pid = writer_start(command, NULL);
		int status, err;

		usleep(rnd_range(&seed, 0, 120000));
		kill(pid, rnd(&seed) & 1 ? SIGKILL : SIGTERM);
		good = wait_until(waitpid(pid, &status, WNOHANG) == pid, PATIENCE_MS);
		caught += good && WIFSIGNALED(status);
		/* Whatever it did, the next run is not kept out. */
		err = run("pressure limit=1M");
		good = good && check(err == -ENOSPC, "after a signal", err, -ENOSPC) &&
		       all_well(kills);
	}
	ksft_test_result(good, "%lu of %lu writers killed (%u in the middle) gave all back\n",
			 i, times, caught);
}

static void test_memcg(void)
{
	struct hog_spec spec = { .anon = 1000, .comm = "in cgroup" };
	long long kills = kernel_kills(), usage;
	struct hog h;
	bool good;
	char *cg;
	int err;

	if (!cg_version()) {
		ksft_test_result_skip("no memory cgroups\n");
		ksft_test_result_skip("no memory cgroups\n");
		return;
	}
	cg = cg_create(NULL, "pressure");
	err = writer_end(writer_start("pressure memcg", cg));
	good = check(err == -EINVAL, "memcg without a limit", err, -EINVAL);
	if (cg_limit(cg, CG_PAGES))
		ksft_exit_fail_msg("cannot limit a cgroup\n");
	/* Nobody in it who may be killed: the writer has adj -1000. */
	err = writer_end(writer_start("pressure memcg outcome=kill", cg));
	good &= check(err == -EPERM, "nobody to kill", err, -EPERM);
	spec.cgroup = cg;
	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");

	/* Its pages, and the cgroup's own. */
	free_kb = free_memory_kb();
	usage = cg_usage(cg);
	err = writer_end(writer_start("pressure memcg", cg));
	good &= check(!err, "drill", err, 0) && !hog_gone(&h) &&
		check(cg_oom_kills(cg) == 0, "oom_kill", cg_oom_kills(cg), 0) &&
		check(lens_key("trigger", "last_taken") > CG_PAGES - usage - 1024,
		      "taken", lens_key("trigger", "last_taken"), CG_PAGES - usage) &&
		check(wait_until(cg_usage(cg) < usage + 512, PATIENCE_MS), "usage",
		      cg_usage(cg), usage);
	err = writer_end(writer_start("pressure memcg leave=8M hold=100", cg));
	good &= check(!err, "leave", err, 0) && !hog_gone(&h);
	ksft_test_result(good && all_well(kills), "memcg: only the writer's cgroup runs out\n");

	err = writer_end(writer_start("pressure memcg outcome=kill", cg));
	good = check(!err, "memcg outcome=kill", err, 0) &&
	       wait_until(hog_killed(&h), PATIENCE_MS) &&
	       check(cg_oom_kills(cg) == 1, "oom_kill", cg_oom_kills(cg), 1) &&
	       run_event_is("kind", "memcg") && run_event_is("trigger", "oomlens") &&
	       /* Only the probe tells whose limit it was. */
	       (!lens_feature("oom_probe") || run_event_is("memcg", cg_shown(cg)));
	hog_end(&h);
	ksft_test_result(good && all_well(kills + 1), "memcg: one kill in it, and no second\n");
}

static void test_malformed(void)
{
	static const char * const malformed[] = {
		"pressure outcome", "pressure outcome=", "pressure outcome=kil",
		"pressure outcome=kill outcome=avert", "pressure leave", "pressure leave=",
		"pressure leave=0", "pressure leave=-1", "pressure leave=1Q",
		"pressure leave=1MB", "pressure leave=0x100000", "pressure leave= 1M",
		"pressure leave=99999999999999999999", "pressure leave=18446744073709551615T",
		"pressure hold=10", "pressure leave=1M hold=", "pressure leave=1M hold=1s",
		"pressure leave=1M hold=-1", "pressure leave=1M hold=3600001",
		"pressure limit=0", "pressure timeout=0", "pressure timeout=3601",
		"pressure timeout=1.5", "pressure memcg=1", "pressure memcg memcg",
		"pressure avert", "pressure kill", "pressure =", "pressure ,", "Pressure",
		"pressure\tlimit=1M\tx",
	};
	long long kills = kernel_kills();
	char *before = read_lens("trigger"), *after;
	bool good = true;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(malformed); i++) {
		err = run(malformed[i]);
		good &= check(err == -EINVAL, malformed[i], err, -EINVAL);
	}
	after = read_lens("trigger");
	if (strcmp(before, after)) {
		ksft_print_msg("a malformed command counts as a run:\n%s\n", after);
		good = false;
	}
	free(before);
	free(after);
	ksft_test_result(good && all_well(kills), "malformed commands are refused\n");
}

int main(void)
{
	const struct hog_spec other = { .anon = 2000, .comm = "bystander" };

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("notifier"))
		ksft_exit_skip("needs debugfs, the OOM notifier and trigger=1\n");
	ksft_set_plan(17);
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/kernel/printk", "1");
	/* What the page cache holds would be reclaimed by a run, and counted as back. */
	write_file("/proc/sys/vm/drop_caches", "3");
	ballast_start(&ballast, LEFT_PAGES * (long long)page_size() / 1024);
	if (hog_start(&bystander, &other))
		ksft_exit_fail_msg("cannot make a hog\n");
	total_kb = meminfo_kb("MemTotal");
	run("pressure");
	free_kb = free_memory_kb();

	test_malformed();
	test_limits();
	test_level();
	test_drills();
	test_kill();
	test_empty();
	test_foreign();
	test_in_flight();
	test_others();
	test_signals();
	test_memcg();
	hog_end(&bystander);
	ballast_end(&ballast);
	ksft_exit(!ksft_get_fail_cnt());
}
