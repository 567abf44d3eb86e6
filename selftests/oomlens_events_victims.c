// SPDX-License-Identifier: GPL-2.0
/*
 * What an event tells of its victims and cgroups where that is not plain: a
 * limit that is lowered from outside, a victim whose leader is dead, a group
 * kill of more tasks than an event keeps, a victim that is not reaped, cgroups with
 * long paths, cgroups that are removed, how long it all took. Judged by the kernel's
 * log and its times, memory.events, cgroup.stat and the cgroups' own names.
 */
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

/* The thread that the kernel's log names: "Killed process TID (comm)". */
static long long killed_by_log(int kmsg, const char *comm)
{
	char needle[64], line[1024], *at;

	snprintf(needle, sizeof(needle), " (%s) total-vm", comm);
	if (!kmsg_wait(kmsg, needle, line, sizeof(line), PATIENCE_MS))
		return -1;
	at = strstr(line, "Killed process ");
	return at ? atoll(at + strlen("Killed process ")) : -1;
}

static void test_outside(int fd)
{
	struct hog_spec spec = { .anon = 2000, .threads = 1, .dead_leader = true,
				 .comm = "headless" };
	char *dir = must_limit("lowered", 4096), *text;
	int kmsg = kmsg_open();
	const char *line;
	struct hog hog;
	long long n = 0;

	spec.cgroup = dir;
	must_hog(&hog, &spec);
	drain(fd);
	/* By this process, which is in another cgroup. */
	cg_limit(dir, 500);
	text = next_killed(fd, &n);
	EXPECT_EVENT(text, n, "trigger=outside kind=memcg pid=%d memcg=%s victims=1", getpid(),
		     cg_shown(dir));
	EXPECT_TRUE(wait_until(hog_killed(&hog), PATIENCE_MS));
	EXPECT_EQ(cg_oom_kills(dir), 1);
	expect_show(text);
	test_done("a limit that is lowered: trigger=outside");
	line = event_line(text, "victim", n, 0);
	EXPECT_LINE(line, "pid=%d tid=%lld", hog.pid, killed_by_log(kmsg, "headless"));
	EXPECT_NE(line_number(line, "tid"), hog.pid);
	expect_show(text);
	test_done("a victim with a dead leader: the thread that the log names");
	hog_end(&hog);
	close(kmsg);
	free(text);
	free(dir);
}

#define MEMBERS	6

static void test_group(int fd)
{
	struct hog_spec spec = { .anon = 200, .threads = 3, .comm = "member" };
	char *dir = must_limit("members", 4096), *text;
	long long kills = lens_key("stats", "kills"), n = 0;
	struct hog hog[MEMBERS];
	unsigned int i;

	MUST_OK(cg_oom_group(dir, true));
	spec.cgroup = dir;
	for (i = 0; i < MEMBERS; i++)
		must_hog(&hog[i], &spec);
	drain(fd);
	hog_do(&hog[1], HOG_GROW, 8192);
	text = next_killed(fd, &n);
	for (i = 0; i < MEMBERS; i++)
		EXPECT_TRUE(wait_until(hog_killed(&hog[i]), PATIENCE_MS));
	EXPECT_EVENT(text, n, "victims=%d trigger=allocator", MEMBERS);
	EXPECT_EQ(lens_key("stats", "kills") - kills, MEMBERS);
	/* More, as it counts the chosen one again. */
	EXPECT_GT(cg_oom_kills(dir), MEMBERS);
	expect_show(text);
	test_done("a group kill: each process counts once");
	for (i = 0; i < MEMBERS; i++)
		hog_end(&hog[i]);
	free(text);
	free(dir);
}

#define CHILDREN	14
#define NAME_LENGTH	190

/* Two of these are a path of 400 bytes; the module keeps 4 KiB of them. */
static char *long_cgroup(const char *parent, unsigned int i)
{
	char name[NAME_LENGTH + 1];

	memset(name, 'a' + i, NAME_LENGTH);
	name[NAME_LENGTH] = '\0';
	return must_cgroup(parent, name);
}

static void test_paths(int fd)
{
	struct hog_spec spec = { .anon = 100, .comm = "far down" };
	char *top = must_limit("paths", 8192), *dir = long_cgroup(top, 25), *child[CHILDREN];
	struct hog hog[CHILDREN];
	unsigned int i;
	long long n = 0;
	char *text;

	for (i = 0; i < CHILDREN; i++) {
		child[i] = long_cgroup(dir, i);
		spec.cgroup = child[i];
		spec.anon = 100 + i;
		must_hog(&hog[i], &spec);
	}
	drain(fd);
	hog_do(&hog[0], HOG_GROW, 16384);
	text = next_killed(fd, &n);
	EXPECT_EVENT(text, n, "memcg=%s caller_memcg=%s", cg_shown(top), cg_shown(child[0]));
	EXPECT_LINE(event_line(text, "memcg", n, 0), "path=%s", cg_shown(top));
	EXPECT_TRUE(event_line(text, "candidate", n, 9));
	expect_show(text);
	test_done("cgroups with long paths: the event's own are kept");
	for (i = 0; i < CHILDREN; i++) {
		hog_end(&hog[i]);
		free(child[i]);
	}
	free(text);
	free(dir);
	free(top);
}

/* A busy host can spoil the first ones. */
#define TRIES	4

#define GONE	8
#define GONE_LIMIT	4000	/* pages: to unmap them takes longer than the recorder's look */

/* 1 if the victim's exit came before its memory was back, -1 if it came after. */
static int exits_first(long long n)
{
	long long exit_us, freed_us;
	const char *line;
	char *text;

	EXPECT_TRUE(times_come(n));
	text = must_read_lens("events");
	line = event_line(text, "victim", n, 0);
	exit_us = line_number(line, "exit_us");
	freed_us = line_number(line, "freed_us");
	expect_of("exit_us=%lld freed_us=%lld", exit_us, freed_us);
	EXPECT_GE(exit_us, 0);
	free(text);
	return exit_us < freed_us ? 1 : exit_us > freed_us ? -1 : 0;
}

/* The recorder holds the cgroups of an event until it has their paths. */
static void test_gone(int fd)
{
	struct hog_spec spec = { .anon = 100, .comm = "goner" };
	char *dir[GONE], name[16], *text;
	long long before = cg_dying(), n;
	int earlier = 0;
	struct hog hog;
	unsigned int i;

	for (i = 0; i < GONE; i++) {
		snprintf(name, sizeof(name), "gone%u", i);
		dir[i] = must_limit(name, GONE_LIMIT);
		spec.cgroup = dir[i];
		must_hog(&hog, &spec);
		drain(fd);
		hog_do(&hog, HOG_GROW, 2 * GONE_LIMIT);
		n = 0;
		text = next_killed(fd, &n);
		EXPECT_EVENT(text, n, "memcg=%s", cg_shown(dir[i]));
		free(text);
		EXPECT_TRUE(wait_until(hog_killed(&hog), PATIENCE_MS));
		hog_end(&hog);
		earlier += exits_first(n);
	}
	/* Not always: both may have come about when the recorder looks next. */
	EXPECT_GT(earlier, 0);
	test_done("a victim exits, and then its memory is back");
	for (i = 0; i < GONE; i++) {
		EXPECT_OK(cg_remove(dir[i]));
		free(dir[i]);
	}
	/* The kernel itself may keep one for long, by a page that is on a CPU's list. */
	EXPECT_TRUE(wait_until(cg_dying() <= before + 1, PATIENCE_MS));
	test_done("no cgroup is held by its events");
}

/* exit_us or freed_us of an event's victim. */
static long long victim_us(long long n, const char *key)
{
	char *text = must_read_lens("events");
	long long us = line_number(event_line(text, "victim", n, 0), key);

	free(text);
	return us;
}

/* The log's clock against the recorder's: they may differ by some ticks. */
#define CLOCKS_US	20000

static long long us_since(unsigned long long ns)
{
	return (now_ns() - ns) / 1000;
}

/* A time that is at least what the kernel's log or the test held it to. */
static void expect_us(long long n, const char *key, long long least, unsigned long long begun)
{
	long long us, most;

	wait_until(victim_us(n, key) >= 0, PATIENCE_MS);
	us = victim_us(n, key);
	most = us_since(begun);
	ksft_print_msg("%s %lld, of %lld..%lld\n", key, us, least - CLOCKS_US, most);
	expect_of("%s of event %lld", key, n);
	EXPECT_IN(us, least - CLOCKS_US, most);
}

static void pin(pid_t pid, int cpu, int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO ? 10 : 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(!sched_setaffinity(pid, sizeof(set), &set));
	MUST(!sched_setscheduler(pid, policy, &param));
}

/* A process gets no CPU until @spin ends; the test and its children have another. */
static void starve(pid_t pid, struct hog *spin)
{
	static const struct hog_spec spec = { .anon = 100, .adj = OOM_ADJ_NEVER,
					      .comm = "spinner" };

	setting_write("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	/* From 6.12 on a deadline server runs ordinary tasks beside those of SCHED_FIFO. */
	setting_write("/sys/kernel/debug/sched/fair_server/cpu1/runtime", "0");
	must_hog(spin, &spec);
	pin(0, 0, SCHED_OTHER);
	pin(pid, 1, SCHED_IDLE);
	pin(spin->pid, 1, SCHED_FIFO);
	hog_do(spin, HOG_SPIN, 0);
}

/*
 * The reaper gives up after a second, as it cannot have the mmap_lock. The exit that
 * comes later is no second end: before Linux 6.0 it looks like one while the memory is
 * unmapped. With a second processor the exit begins as late as that.
 */
static void test_given_up(int fd)
{
	static const struct hog_spec spec = { .anon = 8000, .adj = 1000, .comm = "held" };
	bool late = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	long long n = 0, given_up, killed_us;
	unsigned long long begun;
	struct hog hog, spin;
	pid_t holder;
	char log[1024];
	int kmsg;

	must_hog(&hog, &spec);
	if (late)
		starve(hog.pid, &spin);
	holder = mmap_lock_hold(hog.pid);
	EXPECT_GT(holder, 0);
	drain(fd);
	kmsg = kmsg_open();
	begun = now_ns();
	write_file("/proc/sysrq-trigger", "f");
	free(next_killed(fd, &n));
	EXPECT_EQ(killed_by_log(kmsg, "held"), hog.pid);
	killed_us = kmsg_us();
	EXPECT_TRUE(kmsg_wait(kmsg, "oom_reaper: unable to reap", log, sizeof(log), PATIENCE_MS));
	expect_us(n, "freed_us", kmsg_us() - killed_us, begun);
	given_up = victim_us(n, "freed_us");
	EXPECT_FALSE(hog_gone(&hog));
	mmap_lock_release(holder);
	if (late)
		hog_end(&spin);
	EXPECT_TRUE(wait_until(hog_gone(&hog), PATIENCE_MS));
	expect_us(n, "exit_us", late ? given_up : 0, begun);
	EXPECT_EQ(victim_us(n, "freed_us"), given_up);
	test_done("a reaper that gives up: freed_us stays when the victim exits");
	hog_end(&hog);
	close(kmsg);
}

/* The event that has a process as its victim, 0 if there is none yet. */
static long long event_of(pid_t pid)
{
	char *text = must_read_lens("events");
	long long n = event_last(text);

	while (n > 0 && line_number(event_line(text, "victim", n, 0), "pid") != pid)
		n--;
	free(text);
	return n;
}

/* For so long a victim that gets no CPU is looked at: it does not exit. */
#define HELD_MS		300

/*
 * A victim that gets no CPU is waited for until the reaper has taken its memory. The
 * next call kills, and is to have its candidates. False if the walk had no time for them.
 */
static bool reaped_has_candidates(unsigned int try)
{
	struct hog_spec slow_spec = { .anon = 3000, .adj = 1000, .comm = "slow" };
	struct hog_spec next_spec = { .anon = 1000, .adj = 500, .comm = "next" };
	struct hog_spec spec = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "grower" };
	long long n = 0, slow_n, killed_us, reaped_us, held_us;
	struct hog slow, next, grower, spin;
	char name[16], *dir, *text, log[1024];
	unsigned long long begun, seen;
	const char *walk;
	bool in_time;
	int kmsg;

	snprintf(name, sizeof(name), "slow%u", try);
	dir = must_limit(name, 5000);
	slow_spec.cgroup = dir;
	next_spec.cgroup = dir;
	spec.cgroup = dir;
	must_hog(&slow, &slow_spec);
	must_hog(&next, &next_spec);
	must_hog(&grower, &spec);
	pin(grower.pid, 0, SCHED_OTHER);
	starve(slow.pid, &spin);
	kmsg = kmsg_open();
	begun = now_ns();
	/* What is free, the memory of the first, and half of the second's. */
	MUST_OK(hog_do(&grower, HOG_GROW, 5000 - cg_usage(dir) + 3000 + 500));
	EXPECT_EQ(killed_by_log(kmsg, "slow"), slow.pid);
	killed_us = kmsg_us();
	EXPECT_TRUE(kmsg_wait(kmsg, "oom_reaper: reaped", log, sizeof(log), PATIENCE_MS));
	reaped_us = kmsg_us() - killed_us;
	EXPECT_EQ(killed_by_log(kmsg, "next"), next.pid);
	killed_us = kmsg_us() - killed_us;
	seen = now_ns();
	EXPECT_FALSE(wait_until(hog_gone(&slow), HELD_MS));
	held_us = us_since(seen);
	EXPECT_TRUE(wait_until((n = event_of(next.pid)) > 0, PATIENCE_MS));
	text = must_read_lens("events");
	walk = line_word(event_line(text, "event", n, 0), "walk");
	in_time = !walk || strcmp(walk, "partial");
	EXPECT_EVENT(text, n, "walk=complete victims=1");
	EXPECT_LINE(event_line(text, "candidate", n, 0), "pid=%d", next.pid);
	EXPECT_LINE(event_line(text, "victim", n, 0), "pid=%d", next.pid);
	if (in_time)
		expect_show(text);
	free(text);
	free(dir);
	close(kmsg);
	slow_n = event_of(slow.pid);
	hog_end(&spin);
	EXPECT_TRUE(wait_until(hog_killed(&slow), PATIENCE_MS));
	expect_us(slow_n, "freed_us", reaped_us, begun);
	expect_us(slow_n, "exit_us", killed_us + held_us, begun);
	hog_end(&slow);
	hog_end(&next);
	hog_end(&grower);
	return in_time;
}

/* On a busy host the walk's millisecond may pass while the guest does not run. */
static void test_reaped(void)
{
	unsigned int tries = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		test_skip(1, "one CPU\n");
		return;
	}
	do
		expect_retry();
	while (!reaped_has_candidates(tries) && ++tries < TRIES);
	test_done("a victim that is reaped and lives: its times, and the next kill's candidates");
}

int main(void)
{
	int fd;

	test_begin(0);
	events_need_sources();
	if (cg_version() != 2)
		ksft_exit_skip("needs cgroup v2\n");
	ksft_set_plan(8);
	oom_settings();
	fd = events_open();
	test_outside(fd);
	test_group(fd);
	test_paths(fd);
	test_gone(fd);
	if (lens_feature("sysrq") && loader_helper("oomlens_shortage", ""))
		test_given_up(fd);
	else
		test_skip(1, "no sysrq, or no oomlens_shortage.ko\n");
	loader_no_helper("oomlens_shortage");
	test_reaped();
	close(fd);
	test_end();
}
