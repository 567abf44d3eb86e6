// SPDX-License-Identifier: GPL-2.0
/*
 * Equals in a tree of cgroups: the kernel takes the last that it comes to, and
 * it goes cgroup by cgroup. These own nothing, so that one dies after the other,
 * in the order which the first event's candidates must have. There are more of
 * them than candidates.
 */
#include <sched.h>
#include <sys/wait.h>

#include "oomlens_events.h"

#define TIED		14
#define SHOWN		9	/* ten candidates, the last is who asks */

/* Who was killed, in all events of the text; @first is that of the first. */
static unsigned int killed_in(const char *text, pid_t *pids, unsigned int max,
			      long long *first)
{
	unsigned int n = 0;
	const char *line;
	long long pid;

	for (line = strstr(text, "\nvictim "); line && n < max;
	     line = strstr(line + 1, "\nvictim ")) {
		if (!n)
			sscanf(line, "\nvictim %lld", first);
		if (line_number(line + 1, "pid", &pid))
			pids[n++] = pid;
	}
	return n;
}

static bool were_in_line(const char *text, long long n, const pid_t *pids, bool leader)
{
	long long pid = 0, points = 0, equal = 0;
	bool good = true;
	unsigned int i;

	for (i = 0; good && i < SHOWN; i++) {
		char *line = event_line(text, "candidate", n, i);

		good = line && line_number(line, "points", &points) &&
		       line_number(line, "pid", &pid) && pid == pids[i];
		equal = i > leader ? equal : points;
		if (!good || points != equal) {
			ksft_print_msg("equals of %lld, number %u to die was %d: '%s'\n",
				       equal, i + 1, pids[i], line ? line : "none");
			good = false;
		}
		free(line);
	}
	return good;
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
static void test_ties(int fd, bool leader)
{
	struct hog_spec spec = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "asks" };
	char *dir = cg_create(NULL, leader ? "led" : "ties"), *leaf[2], *text = strdup("\n");
	unsigned int i, killed = 0;
	pid_t tied[TIED], dead[SHOWN], pid;
	long long n, first = 0;
	struct hog hog;

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
	pid = fork();
	if (!pid) {
		hog_do(&hog, HOG_GROW, 4096);
		_exit(0);
	}
	while (killed < SHOWN) {
		char *more = next_event(fd, &n), *all;

		if (!more || asprintf(&all, "%s%s", text, more) < 0)
			break;
		free(more);
		free(text);
		text = all;
		killed = killed_in(text, dead, SHOWN, &first);
	}
	cg_limit(dir, 65536);
	if (killed && !event_has(text, first, "walk", "complete"))
		ksft_test_result_skip("equals in a tree of cgroups: no time for the walk\n");
	else
		ksft_test_result(killed == SHOWN && were_in_line(text, first, dead, leader) &&
				 (!leader || dead[0] == tied[1]),
				 "equals in a tree of cgroups%s, in the kernel's order\n",
				 leader ? " behind a leader" : "");
	free(text);
	waitpid(pid, NULL, 0);
	idle_end(tied, TIED);
	hog_end(&hog);
	drain(fd);
	free(leaf[0]);
	free(leaf[1]);
	free(dir);
}

int main(void)
{
	int fd;

	test_begin(0);
	if (!cg_version() || !lens_feature("oom_probe") || !lens_feature("mark_victim"))
		ksft_exit_skip("needs memory cgroups, the return probe and mark_victim\n");
	ksft_set_plan(2);
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	fd = events_open();
	stay_on(0);
	test_ties(fd, false);
	test_ties(fd, true);
	close(fd);
	ksft_exit(!ksft_get_fail_cnt());
}
