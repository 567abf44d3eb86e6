// SPDX-License-Identifier: GPL-2.0
/*
 * pressure: each option does what it says, memory is back after each way out,
 * and only the task dies that was to. Judged by /proc/zoneinfo, /proc/vmstat, the
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

/* Slack for per-CPU counters and other tasks. */
#define DRIFT_KB	(8 * 1024)

/* MemAvailable may miss a level by this, for a while. */
#define LEVEL_KB	1536

/* The level of runs, on top of memory that they cannot take. */
#define LEFT_LEVEL_KB	(32 * 1024)

/* Limit of a cgroup that runs out. */
#define CG_PAGES	8192

/* The kernel takes this one of all tasks. */
static const struct hog_spec first_choice = { .anon = 100, .adj = 1000, .comm = "chosen" };

static struct ballast ballast;
static struct hog bystander;
static long long total_kb, free_kb;

static long long kb_to_pages(long long kb)
{
	return kb * 1024 / (long long)page_size();
}

static int run_in(const char *cgroup, const char *command)
{
	return writer_end(writer_start(command, cgroup));
}

static int run(const char *command)
{
	return run_in(NULL, command);
}

/* No task died, and the memory is back to within 1% of the machine's. */
static void expect_all_well(long long kills)
{
	long long now = 0;

	EXPECT_EQ(kernel_kills(), kills);
	EXPECT_FALSE(hog_gone(&bystander));
	EXPECT_TRUE(ballast_whole(&ballast));
	wait_until((now = free_memory_kb()) >= free_kb - total_kb / 100, PATIENCE_MS);
	EXPECT_GE(now, free_kb - total_kb / 100);
	EXPECT_EQ(lens_key("trigger", "running"), 0);
}

static void test_limits(void)
{
	long long kills = kernel_kills(), now = 0, before = free_memory_kb();
	const long long size_kb = 24 * 1024;
	char command[64];
	pid_t pid;

	EXPECT_EQ(run("pressure limit=24M"), -ENOSPC);
	expect_all_well(kills);
	EXPECT_EQ(lens_key("trigger", "last_taken"), kb_to_pages(size_kb));
	test_done("limit ends a run, with so many pages taken");

	pid = writer_start("pressure limit=24M hold=1000", NULL);
	wait_until((now = before - free_memory_kb()) > size_kb - DRIFT_KB, PATIENCE_MS);
	EXPECT_NEAR(now, size_kb, DRIFT_KB - 1);
	EXPECT_EQ(lens_key("trigger", "running"), 1);
	EXPECT_EQ(lens_command("trigger", "pressure limit=1M\n"), -EBUSY);
	EXPECT_OK(writer_end(pid));
	expect_all_well(kills);
	test_done("limit is held; a second run meanwhile: EBUSY");

	snprintf(command, sizeof(command), "pressure leave=%lldK timeout=1",
		 LEFT_LEVEL_KB + cma_free_kb());
	now = now_ns();
	EXPECT_OK(run(command));
	now = (now_ns() - now) / 1000000;
	ksft_print_msg("a timeout of 1 s: %lld ms\n", now);
	EXPECT_IN(now, 900, 10000);
	expect_all_well(kills);
	test_done("without hold a level is held up to the timeout");

	/* In pages, the largest number of 32 bits. */
	EXPECT_OK(run("pressure leave=17592186040320 hold=50"));
	EXPECT_NONE(lens_key("trigger", "last_taken"));
	expect_all_well(kills);
	test_done("a level above all memory: nothing is taken");
}

/* MemAvailable gets to @kb, and is there most of the time from then on. */
static void expect_level(long long kb, unsigned int ms)
{
	unsigned long long end;
	unsigned int looks = 0, off = 0;
	long long now = 0, worst = kb;

	wait_until(llabs((now = meminfo_kb("MemAvailable")) - kb) < LEVEL_KB, PATIENCE_MS);
	EXPECT_NEAR(now, kb, LEVEL_KB - 1);
	for (end = now_ns() + ms * 1000000ULL; now_ns() < end; looks++) {
		now = meminfo_kb("MemAvailable");
		off += llabs(now - kb) >= LEVEL_KB;
		if (llabs(now - kb) > llabs(worst - kb))
			worst = now;
		nap_ms(10);
	}
	expect_of("%lld kB at worst, not %lld", worst, kb);
	EXPECT_LE(off, looks / 5);
}

static void test_level(void)
{
	const struct hog_spec spec = { .anon = 1, .comm = "neighbour" };
	const long long level_kb = LEFT_LEVEL_KB + cma_free_kb(), pages = kb_to_pages(8 * 1024);
	long long kills = kernel_kills();
	char command[64];
	struct hog h;
	pid_t pid;
	int err;

	must_hog(&h, &spec);
	snprintf(command, sizeof(command), "pressure leave=%lldK", level_kb);
	pid = writer_start(command, NULL);
	expect_level(level_kb, 300);
	test_done("leave takes MemAvailable down to a level, and stays");

	EXPECT_OK(hog_do(&h, HOG_GROW, pages));
	expect_level(level_kb, 200);
	EXPECT_OK(hog_do(&h, HOG_SHRINK, pages));
	expect_level(level_kb, 200);
	kill(pid, SIGTERM);
	err = writer_end(pid);
	expect_of("the writer's end %d", err);
	EXPECT_TRUE(err == SIGTERM || err == -EINTR);
	hog_end(&h);
	expect_all_well(kills);
	test_done("what a neighbour takes or gives back is made up for");
}

static void test_drills(void)
{
	unsigned long drills = env_number("OOMLENS_DRILLS", 3), i;
	long long kills = kernel_kills();

	for (i = 0; !expect_failed() && i < drills; i++) {
		EXPECT_OK(run("pressure"));
		expect_all_well(kills);
		EXPECT_LINE(run_event(), "outcome=averted by=pressure trigger=oomlens");
	}
	test_done("%lu of %lu drills killed no task and gave all back", i, drills);
}

/* Takes memory until it is killed. */
static pid_t glutton_start(const char *cgroup, int adj)
{
	pid_t pid = must_fork();

	if (!pid)
		eat(cgroup, adj, meminfo_kb("MemTotal") * 2048);
	return pid;
}

/*
 * A run that holds nothing can avert nothing: it says so. The kernel may take more
 * than one, where the first is gone between a last try and the OOM killer, or has been
 * unmapped and its pages are not free yet.
 */
static void test_empty(void)
{
	const struct hog_spec spec = { .anon = 1, .adj = 999, .comm = "next in line" };
	struct hog spare[8];
	long long kills = kernel_kills();
	unsigned int i;
	char command[64];
	pid_t pid, glutton;
	int status = 0;

	snprintf(command, sizeof(command), "pressure leave=%lldK hold=%d",
		 meminfo_kb("MemTotal"), PATIENCE_MS);
	pid = writer_start(command, NULL);
	EXPECT_TRUE(wait_until(lens_key("trigger", "running") == 1, PATIENCE_MS));
	for (i = 0; i < ARRAY_SIZE(spare); i++)
		must_hog(&spare[i], &spec);
	glutton = glutton_start(NULL, 1000);
	waitpid(glutton, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(writer_end(pid), -EAGAIN);
	kills++;
	for (i = 0; i < ARRAY_SIZE(spare); i++) {
		kills += hog_gone(&spare[i]);
		hog_end(&spare[i]);
	}
	expect_all_well(kills);
	test_done("a drill with nothing to give back, in which one dies: EAGAIN");
}

/* One memcg kill after the other, until it is killed itself. */
static pid_t killing_start(const char *cgroup)
{
	pid_t pid = must_fork();

	if (pid)
		return pid;
	for (;;) {
		waitpid(glutton_start(cgroup, 0), NULL, 0);
		nap_ms(1);
	}
}

/* Kills in other cgroups do not count as the run's. */
static void test_foreign(void)
{
	pid_t killing = 0;
	long long kills;
	unsigned int i;
	struct hog h;
	char *cg;

	if (!cg_version()) {
		ksft_test_result_skip("no memory cgroups\n");
		return;
	}
	cg = must_cgroup(NULL, "foreign");
	MUST_OK(cg_limit(cg, 256));
	kills = kernel_kills();
	killing = killing_start(cg);
	EXPECT_TRUE(wait_until(kernel_kills() > kills, PATIENCE_MS));
	for (i = 0; !expect_failed() && i < 5; i++) {
		must_hog(&h, &first_choice);
		EXPECT_OK(run(i % 2 ? "kill" : "pressure outcome=kill"));
		EXPECT_TRUE(wait_until(hog_killed(&h), 1000));
		hog_end(&h);
	}
	kill(killing, SIGKILL);
	waitpid(killing, NULL, 0);
	/* Its last glutton goes too. */
	EXPECT_TRUE(wait_until(!cg_remove(cg), PATIENCE_MS));
	kills = kernel_kills();
	expect_all_well(kills);
	test_done("with others' cgroups killing, a run's kill is its own");
}

/*
 * While an earlier victim is on its way the kernel takes no other, however often it is
 * asked. This one cannot go while its mmap_lock is held; oom_reaper() gives up on it
 * in one second to three.
 */
static void test_in_flight(void)
{
	struct hog_spec spec = { .anon = 200, .adj = 1000, .comm = "stuck" };
	long long kills = kernel_kills();
	struct hog stuck, chosen;
	pid_t glutton, holder;
	char *cg;

	if (!cg_version() || !loader_helper("oomlens_shortage", "")) {
		ksft_test_result_skip("no memory cgroups, or no oomlens_shortage.ko\n");
		return;
	}
	must_hog(&chosen, &first_choice);
	cg = must_cgroup(NULL, "flight");
	spec.cgroup = cg;
	MUST_OK(cg_limit(cg, 1024));
	must_hog(&stuck, &spec);
	holder = mmap_lock_hold(stuck.pid);
	EXPECT_GT(holder, 0);
	glutton = glutton_start(cg, 0);
	EXPECT_TRUE(wait_until(kernel_kills() > kills, PATIENCE_MS));
	EXPECT_OK(run("pressure outcome=kill"));
	EXPECT_FALSE(hog_gone(&stuck));
	EXPECT_TRUE(wait_until(hog_killed(&chosen), 1000));
	mmap_lock_release(holder);
	EXPECT_TRUE(wait_until(hog_killed(&stuck), PATIENCE_MS));
	kill(glutton, SIGKILL);
	waitpid(glutton, NULL, 0);
	hog_end(&stuck);
	hog_end(&chosen);
	loader_no_helper("oomlens_shortage");
	EXPECT_TRUE(wait_until(!cg_remove(cg), PATIENCE_MS));
	kills = kernel_kills();
	expect_all_well(kills);
	test_done("an earlier victim in flight: waited for, and then one is taken");
}

static void test_kill(void)
{
	long long kills = kernel_kills();
	struct hog h;

	must_hog(&h, &first_choice);
	EXPECT_OK(run("pressure outcome=kill"));
	EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
	expect_all_well(kills + 1);
	EXPECT_LINE(run_event(), "outcome=killed trigger=oomlens kind=global");
	test_done("outcome=kill: the kernel's choice dies, and no second");
	hog_end(&h);

	must_hog(&h, &first_choice);
	setting_write("/proc/sys/vm/panic_on_oom", "1");
	EXPECT_EQ(run("pressure outcome=kill"), -EPERM);
	EXPECT_FALSE(hog_gone(&h));
	EXPECT_EQ(lens_command("trigger", "kill pid=%d\n", h.pid), -EPERM);
	EXPECT_FALSE(hog_gone(&h));
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	expect_all_well(kills + 1);
	test_done("with panic_on_oom nothing lethal is done");
	hog_end(&h);
}

/* Asks for a little memory and gives it back, until it is killed. */
static pid_t asking_start(void)
{
	const size_t size = 16 * page_size();
	char *mem;
	pid_t pid = must_fork();

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
 * only when all of it is back: no task dies of that.
 */
static void test_others(void)
{
	unsigned long times = env_number("OOMLENS_DRILLS", 2), i;
	long long kills = kernel_kills();
	pid_t asking[3];
	struct hog h;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(asking); n++)
		asking[n] = asking_start();
	for (i = 0; !expect_failed() && i < times; i++) {
		EXPECT_OK(run("pressure"));
		must_hog(&h, &first_choice);
		EXPECT_OK(run("pressure outcome=kill"));
		EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
		expect_all_well(++kills);
		hog_end(&h);
	}
	for (n = 0; n < ARRAY_SIZE(asking); n++) {
		kill(asking[n], SIGKILL);
		waitpid(asking[n], NULL, 0);
	}
	expect_all_well(kills);
	test_done("%lu of %lu drills and kills while others asked for memory, and no more died",
		  i, times);
}

static void test_signals(void)
{
	unsigned long times = env_number("OOMLENS_SIGNALS", 4), i;
	unsigned long long seed = test_seed();
	long long kills = kernel_kills();
	unsigned int caught = 0;

	for (i = 0; !expect_failed() && i < times; i++) {
		const char *command = rnd(&seed) & 1 ? "pressure" :
						       "pressure leave=16M hold=1000";
		pid_t pid = writer_start(command, NULL);
		int status = 0;

		usleep(rnd_range(&seed, 0, 120000));
		kill(pid, rnd(&seed) & 1 ? SIGKILL : SIGTERM);
		EXPECT_TRUE(wait_until(waitpid(pid, &status, WNOHANG) == pid, PATIENCE_MS));
		caught += WIFSIGNALED(status);
		/* The next run can begin. */
		EXPECT_EQ(run("pressure limit=1M"), -ENOSPC);
		expect_all_well(kills);
	}
	if (times >= 4)
		EXPECT_GT(caught, 0);
	test_done("%lu of %lu writers killed (%u in the middle) gave all back", i, times, caught);
}

static void test_memcg(void)
{
	struct hog_spec spec = { .anon = 1000, .comm = "in cgroup" };
	long long kills = kernel_kills(), usage;
	struct hog h;
	char *cg;

	if (!cg_version()) {
		test_skip(2, "no memory cgroups\n");
		return;
	}
	cg = must_cgroup(NULL, "pressure");
	EXPECT_EQ(run_in(cg, "pressure memcg"), -EINVAL);
	MUST_OK(cg_limit(cg, CG_PAGES));
	/* No task in it may be killed: the writer has adj -1000. */
	EXPECT_EQ(run_in(cg, "pressure memcg outcome=kill"), -EPERM);
	spec.cgroup = cg;
	must_hog(&h, &spec);

	/* Its pages, and the cgroup's own. */
	free_kb = free_memory_kb();
	usage = cg_usage(cg);
	EXPECT_OK(run_in(cg, "pressure memcg"));
	EXPECT_FALSE(hog_gone(&h));
	EXPECT_EQ(cg_oom_kills(cg), 0);
	EXPECT_GT(lens_key("trigger", "last_taken"), CG_PAGES - usage - 1024);
	EXPECT_TRUE(wait_until(cg_usage(cg) < usage + 512, PATIENCE_MS));
	EXPECT_OK(run_in(cg, "pressure memcg leave=8M hold=100"));
	EXPECT_FALSE(hog_gone(&h));
	expect_all_well(kills);
	test_done("memcg: only the writer's cgroup runs out");

	EXPECT_OK(run_in(cg, "pressure memcg outcome=kill"));
	EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
	EXPECT_EQ(cg_oom_kills(cg), 1);
	EXPECT_LINE(run_event(), "kind=memcg trigger=oomlens");
	/* Only the probe tells whose limit it was. */
	if (lens_feature("oom_probe"))
		EXPECT_LINE(run_event(), "memcg=%s", cg_shown(cg));
	hog_end(&h);
	expect_all_well(kills + 1);
	test_done("memcg: one kill in it, and no second");
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
	char *before = must_read_lens("trigger"), *after;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(malformed); i++) {
		expect_of("'%s'", malformed[i]);
		EXPECT_EQ(run(malformed[i]), -EINVAL);
	}
	after = must_read_lens("trigger");
	expect_of("as before");
	/* None of them counts as a run. */
	EXPECT_STREQ(after, before);
	free(before);
	free(after);
	expect_all_well(kills);
	test_done("malformed commands are refused");
}

int main(void)
{
	const struct hog_spec other = { .anon = 2000, .comm = "bystander" };

	test_begin(0);
	needs_trigger("notifier");
	ksft_set_plan(17);
	oom_settings();
	/* A run would reclaim the page cache, which counts as free afterwards. */
	write_file("/proc/sys/vm/drop_caches", "3");
	ballast_start(&ballast, LEFT_PAGES * (long long)page_size() / 1024);
	must_hog(&bystander, &other);
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
	test_end();
}
