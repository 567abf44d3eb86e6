// SPDX-License-Identifier: GPL-2.0
/*
 * Equals in a tree of cgroups: the kernel takes the last that it comes to, and
 * it goes cgroup by cgroup. These own nothing, so that one dies after the other,
 * in the order which the first event's candidates must have. There are more of
 * them than candidates. And one whose leader is dead, who is on a list of its own.
 */
#include <sched.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define TIED		14
#define SHOWN		9	/* ten candidates, the last is who asks */

#define TRIES		10

struct death {
	long long event;
	pid_t pid;
};

enum found { WRONG, RIGHT, UNDECIDED };

/* Who was killed, in all events of the text; @first is that of the first. */
static unsigned int killed_in(const char *text, struct death *dead, unsigned int max)
{
	unsigned int n = 0;
	const char *line;
	long long pid;

	for (line = strstr(text, "\nvictim "); line && n < max;
	     line = strstr(line + 1, "\nvictim "))
		if (line_number(line + 1, "pid", &pid) &&
		    sscanf(line, "\nvictim %lld", &dead[n].event) == 1)
			dead[n++].pid = pid;
	return n;
}

/* Pid and points of the @i-th in line in an event; false if there is none. */
static bool in_line(const char *text, long long event, unsigned int i, long long *pid,
		    long long *points)
{
	char *line = event_line(text, "candidate", event, i);
	bool good = line && line_number(line, "pid", pid) && line_number(line, "points", points);

	free(line);
	return good;
}

/*
 * In the order in which they stood in the first event, as long as they are equals:
 * a page of one that was reclaimed meanwhile, which the death's own event shows, or
 * an event without a walk, ends it.
 */
static enum found were_in_line(const char *text, const struct death *dead, bool leader)
{
	long long pid, points, equal = 0, first, second, other;
	unsigned int i;

	for (i = 0; i < SHOWN; i++) {
		if (i > leader &&
		    (!in_line(text, dead[i].event, 0, &other, &first) ||
		     !in_line(text, dead[i].event, 1, &other, &second) || first != second))
			break;
		if (!in_line(text, dead[0].event, i, &pid, &points) || pid != dead[i].pid ||
		    (i > leader && points != equal)) {
			ksft_print_msg("equals of %lld: number %u was %d, in line %lld with %lld\n",
				       equal, i + 1, dead[i].pid, pid, points);
			return WRONG;
		}
		equal = points;
	}
	ksft_print_msg("%u of %u died as equals\n", i, SHOWN);
	return i > 2 ? RIGHT : UNDECIDED;
}

/* What a CPU has counted and not handed in can make equals differ: use one. */
static void stay_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* With a leader, one of those that are visited first goes before the equals. */
static enum found play_ties(int fd, bool leader)
{
	struct hog_spec spec = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "asks" };
	static unsigned int plays;
	char name[16], *dir, *leaf[2], *text = strdup("\n");
	unsigned int i, killed = 0;
	struct death dead[SHOWN];
	pid_t tied[TIED], pid;
	enum found found = WRONG;
	struct hog hog;
	long long n;

	snprintf(name, sizeof(name), "ties%u", ++plays);
	dir = cg_create(NULL, name);
	if (!dir || cg_delegate(dir) || cg_limit(dir, 2048))
		ksft_exit_fail_msg("cannot make a cgroup\n");
	cg_swap_limit(dir, 0);
	leaf[0] = cg_create(dir, "first");
	leaf[1] = cg_create(dir, "second");
	spec.cgroup = leaf[0];
	if (hog_start(&hog, &spec) || idle_start(tied, TIED))
		ksft_exit_fail_msg("cannot make tasks\n");
	/* By age, those of the one cgroup and of the other take turns. */
	for (i = 0; i < TIED; i++) {
		cg_attach(leaf[1 - i % 2], tied[i]);
		set_adj(tied[i], leader && i == 1 ? 900 : 500);
	}
	pid = hog_grow_apart(&hog, 4096);
	while (killed < SHOWN) {
		char *more = next_event(fd, &n), *all;

		if (!more || asprintf(&all, "%s%s", text, more) < 0)
			break;
		free(more);
		free(text);
		text = all;
		killed = killed_in(text, dead, SHOWN);
	}
	cg_limit(dir, 65536);
	if (killed && !event_has(text, dead[0].event, "walk", "complete"))
		found = UNDECIDED;
	else if (killed == SHOWN && (!leader || dead[0].pid == tied[1]))
		found = were_in_line(text, dead, leader);
	free(text);
	waitpid(pid, NULL, 0);
	idle_end(tied, TIED);
	hog_end(&hog);
	drain(fd);
	free(leaf[0]);
	free(leaf[1]);
	free(dir);
	return found;
}

/* A process whose leader is dead, the largest; that the kernel takes it is the judge. */
static enum found play_dead_leader(int fd)
{
	struct hog_spec asks = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "asks" };
	struct hog_spec spec = { .anon = 700, .threads = 3, .dead_leader = true };
	struct hog_spec small = { .anon = 200, .comm = "small" };
	long long n, first = 0, points;
	enum found found = WRONG;
	static unsigned int plays;
	struct hog hog, headless, other;
	char name[16], *dir, *text;
	pid_t pid;

	snprintf(name, sizeof(name), "headless%u", ++plays);
	dir = cg_create(NULL, name);
	if (!dir || cg_limit(dir, 2048))
		ksft_exit_fail_msg("cannot make a cgroup\n");
	cg_swap_limit(dir, 0);
	asks.cgroup = dir;
	spec.cgroup = dir;
	small.cgroup = dir;
	if (hog_start(&headless, &spec) || hog_start(&other, &small) || hog_start(&hog, &asks))
		ksft_exit_fail_msg("cannot make tasks\n");
	pid = hog_grow_apart(&hog, 4096);
	text = next_event(fd, &n);
	cg_limit(dir, 65536);
	if (text && !event_has(text, n, "walk", "complete"))
		found = UNDECIDED;
	else if (text && in_line(text, n, 0, &first, &points) && first == headless.pid &&
		 wait_until(hog_gone(&headless), PATIENCE_MS))
		found = RIGHT;
	ksft_print_msg("event %lld: first in line %lld, the one with a dead leader %d\n", n, first,
		       headless.pid);
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
	if (found == UNDECIDED)
		ksft_test_result_skip("%s: no time for the walk\n", says);
	else
		ksft_test_result(found == RIGHT, "%s\n", says);
}

int main(void)
{
	int fd;

	test_begin(0);
	if (!cg_version() || !lens_feature("oom_probe") || !lens_feature("mark_victim"))
		ksft_exit_skip("needs memory cgroups, the return probe and mark_victim\n");
	/* Each death counts: those who wait for a victim must not push out an event. */
	if (loader_ko()) {
		reload_at_end(loader_ko(), loader_parameters());
		if (loader_unload() || loader_load("events=256"))
			ksft_exit_fail_msg("cannot load it with more events\n");
	}
	ksft_set_plan(3);
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	fd = events_open();
	stay_on(0);
	test(fd, play_equals, "equals in a tree of cgroups, in the kernel's order");
	test(fd, play_equals_behind,
	     "equals in a tree of cgroups behind a leader, in the kernel's order");
	test(fd, play_dead_leader, "a dead leader's process is in a cgroup's line");
	close(fd);
	ksft_exit(!ksft_get_fail_cnt());
}
