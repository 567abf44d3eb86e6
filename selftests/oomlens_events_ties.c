// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks with equal points in a global OOM: the kernel takes the last that it
 * comes to, the later in its list of tasks. These tasks own nothing, so that
 * sysrq kills one after the other, in the order which the first event's
 * candidates must have. There are more of them than candidates. And a process
 * whose leader is dead is a candidate in a cgroup's OOM.
 */
#include <limits.h>
#include <sched.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define TIED		14
#define SHOWN		9	/* ten candidates, the last is the caller */

#define TRIES		10

struct death {
	long long event;
	pid_t pid;
};

enum found { WRONG, RIGHT, UNDECIDED };

/* The killed tasks of all events of the text, in their order. */
static unsigned int killed_in(const char *text, struct death *dead, unsigned int max)
{
	unsigned int n = 0;
	const char *line;

	for (line = strstr(text, "\nvictim "); line && n < max;
	     line = strstr(line + 1, "\nvictim "))
		if (sscanf(line, "\nvictim %lld", &dead[n].event) == 1)
			dead[n++].pid = line_number(line + 1, "pid");
	return n;
}

/* Points of the @i-th candidate of an event; LLONG_MIN if there is none. */
static long long points_of(const char *text, long long event, unsigned int i)
{
	return line_number(event_line(text, "candidate", event, i), "points");
}

/* Before a death, in its own event, were the first two still equals? */
static bool still_equal(const char *text, long long event)
{
	long long first = points_of(text, event, 0);

	return first != LLONG_MIN && first == points_of(text, event, 1);
}

/*
 * Did they die in the order of the first event's candidates? Looked at as far as
 * they are equals: a page of one that was reclaimed meanwhile, which the death's
 * own event shows, or an event without a walk, ends it.
 */
static enum found in_order(const char *text, const struct death *dead, bool leader)
{
	long long pid, points, equal = 0;
	unsigned int i;

	for (i = 0; i < SHOWN; i++) {
		if (i > leader && !still_equal(text, dead[i].event))
			break;
		pid = line_number(event_line(text, "candidate", dead[0].event, i), "pid");
		points = points_of(text, dead[0].event, i);
		if (pid != dead[i].pid || (i > leader && points != equal)) {
			ksft_print_msg("number %u to die was %d, candidate %u is %lld with %lld points, not %lld\n",
				       i + 1, dead[i].pid, i + 1, pid, points, equal);
			return WRONG;
		}
		equal = points;
	}
	ksft_print_msg("%u of %u died as equals\n", i, SHOWN);
	return i > SHOWN / 2 ? RIGHT : UNDECIDED;
}

/* One CPU: per-CPU parts of the counters could make equals differ. */
static void stay_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* With a leader, one that the kernel visits early goes before the equals. */
static enum found play_ties(int fd, bool leader)
{
	unsigned int i, killed = 0, tries;
	enum found found = WRONG;
	struct death dead[SHOWN];
	char *text = strdup("\n");
	pid_t tied[TIED];
	long long n = 0;

	must_idle(tied, TIED);
	for (i = 0; i < TIED; i++)
		set_adj(tied[i], leader && i == 1 ? 950 : 900);
	for (tries = 0; killed < SHOWN && tries < 2 * SHOWN; tries++) {
		char *more, *all;

		write_file("/proc/sysrq-trigger", "f");
		more = next_event(fd, &n);
		if (!more)
			break;
		MUST(asprintf(&all, "%s%s", text, more) >= 0);
		free(more);
		free(text);
		text = all;
		killed = killed_in(text, dead, SHOWN);
		/* Else the next call finds this victim in flight, or skips its walk. */
		times_come(n);
		nap_ms(20);
	}
	if (killed && strcmp(event_word(text, dead[0].event, "walk") ?: "", "complete"))
		found = UNDECIDED;
	else if (killed == SHOWN && (!leader || dead[0].pid == tied[1]))
		found = in_order(text, dead, leader);
	else
		ksft_print_msg("%u of %u were killed, %d first\n", killed, SHOWN,
			       killed ? dead[0].pid : 0);
	free(text);
	idle_end(tied, TIED);
	drain(fd);
	return found;
}

/* The largest process has a dead leader: the kernel takes it, and so must the event. */
static enum found play_dead_leader(int fd)
{
	struct hog_spec asks = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "asks" };
	struct hog_spec spec = { .anon = 700, .threads = 3, .dead_leader = true };
	struct hog_spec small = { .anon = 200, .comm = "small" };
	enum found found = WRONG;
	static unsigned int plays;
	struct hog hog, headless, other;
	char name[16], *dir, *text;
	long long n = 0, first;
	pid_t pid;

	snprintf(name, sizeof(name), "headless%u", ++plays);
	dir = must_limit(name, 2048);
	asks.cgroup = dir;
	spec.cgroup = dir;
	small.cgroup = dir;
	must_hog(&headless, &spec);
	must_hog(&other, &small);
	must_hog(&hog, &asks);
	pid = hog_grow_apart(&hog, 4096);
	text = next_event(fd, &n);
	cg_limit(dir, 65536);
	first = line_number(event_line(text, "candidate", n, 0), "pid");
	if (text && strcmp(event_word(text, n, "walk") ?: "", "complete"))
		found = UNDECIDED;
	else if (first == headless.pid && wait_until(hog_gone(&headless), PATIENCE_MS))
		found = RIGHT;
	ksft_print_msg("event %lld: the first candidate is %lld, the one with a dead leader %d\n",
		       n, first, headless.pid);
	free(text);
	waitpid(pid, NULL, 0);
	hog_end(&headless);
	hog_end(&other);
	hog_end(&hog);
	drain(fd);
	free(dir);
	return found;
}

static enum found play_equals(int fd)
{
	return play_ties(fd, false);
}

static enum found play_equals_behind(int fd)
{
	return play_ties(fd, true);
}

static void test(int fd, enum found (*play)(int fd), const char *says)
{
	enum found found = UNDECIDED;
	unsigned int i;

	for (i = 0; i < TRIES && found == UNDECIDED; i++)
		found = play(fd);
	if (found == UNDECIDED) {
		ksft_test_result_skip("%s: no time for the walk\n", says);
		return;
	}
	EXPECT_EQ(found, RIGHT);
	test_done("%s", says);
}

int main(void)
{
	int fd;

	test_begin(0);
	if (!cg_version() || !lens_feature("oom_probe") || !lens_feature("mark_victim") ||
	    !lens_feature("sysrq"))
		ksft_exit_skip("needs memory cgroups, the return probe, mark_victim and sysrq\n");
	/* Each death counts: calls that wait for a victim must not push out an event. */
	if (loader_ko()) {
		restore_at_end();
		must_reload("events=256");
	}
	ksft_set_plan(3);
	oom_settings();
	fd = events_open();
	stay_on(0);
	test(fd, play_equals, "equals, in the kernel's order");
	test(fd, play_equals_behind, "equals behind a leader, in the kernel's order");
	test(fd, play_dead_leader, "a dead leader's process is a candidate in a cgroup");
	close(fd);
	test_end();
}
