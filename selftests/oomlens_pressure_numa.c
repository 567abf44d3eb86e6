// SPDX-License-Identifier: GPL-2.0
/*
 * pressure runs out of the writer's own nodes: by its mempolicy and by its
 * cpuset, in a drill and in a kill, while the other node keeps its memory.
 * Judged by /proc/zoneinfo, /proc/vmstat and the constraint in the event.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "oomlens_test.h"

#define MPOL_BIND	2
#define NODE		1

/* A field of a node's zones, "free" or "present", in pages. */
static long long node_pages(int node, const char *field)
{
	char *text = read_file("/proc/zoneinfo"), *line, *save = NULL, got[16];
	long long sum = 0, n;
	int nid = -1;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Node %d,", &nid) == 1 || nid != node)
			continue;
		if (sscanf(line, " pages %15s %lld", got, &n) == 2 ||
		    sscanf(line, " %15s %lld", got, &n) == 2)
			sum += strcmp(got, field) ? 0 : n;
	}
	free(text);
	return sum;
}

static pid_t writer_start(const char *command, const char *cgroup)
{
	unsigned long mask = 1UL << NODE;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	if (cgroup ? cg_attach(cgroup, 0) :
	    syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8 + 1))
		_exit(255);
	_exit(-lens_command("trigger", "%s\n", command));
}

static int run(const char *command, const char *cgroup)
{
	int status = 0;

	waitpid(writer_start(command, cgroup), &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : WTERMSIG(status);
}

static bool event_is(const char *key, const char *want)
{
	char *text = read_lens("events"), got[32] = "";
	char *line = event_line(text, "event", lens_key("trigger", "last_event"), 0);
	bool good = line && line_string(line, key, got, sizeof(got)) && !strcmp(got, want);

	if (!good)
		ksft_print_msg("want %s=%s in: %s\n", key, want, line ? line : "no event");
	free(line);
	free(text);
	return good;
}

/* The most that was held came from that node, and was most of it. */
static bool took_the_node(long long was_free)
{
	long long taken = lens_key("trigger", "last_taken");
	bool good = taken <= node_pages(NODE, "present") && taken > was_free / 2;

	if (!good)
		ksft_print_msg("taken %lld of %lld free\n", taken, was_free);
	return good;
}

static void test_confined(const char *name, const char *cgroup)
{
	struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "chosen" };
	long long kills = kernel_kills(), was_free = node_pages(NODE, "free"), other;
	unsigned int i, low = 0, looks = 0;
	struct hog h;
	bool good;
	pid_t pid;
	int err;

	other = node_pages(0, "free");
	spec.cgroup = cgroup;
	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	pid = writer_start("pressure", cgroup);
	for (i = 0; waitpid(pid, &err, WNOHANG) != pid && i < PATIENCE_MS; i++, looks++) {
		low += node_pages(0, "free") < other / 2;
		nap_ms(1);
	}
	good = WIFEXITED(err) && !WEXITSTATUS(err) && looks && !low &&
	       kernel_kills() == kills && !hog_gone(&h) && event_is("outcome", "averted") &&
	       took_the_node(was_free);
	ksft_test_result(good, "%s: a drill leaves the other node alone\n", name);

	err = run("pressure outcome=kill", cgroup);
	if (err)
		ksft_print_msg("outcome=kill gave %d\n", err);
	good = !err && wait_until(hog_killed(&h), PATIENCE_MS) &&
	       kernel_kills() == kills + 1 && event_is("outcome", "killed") &&
	       event_is("kind", name) && event_is("constraint", name) &&
	       event_is("trigger", "oomlens");
	hog_end(&h);
	ksft_test_result(good, "%s: a kill is of that kind\n", name);
}

int main(void)
{
	char *cgroup;
	int i;

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("notifier") ||
	    !lens_feature("oom_probe"))
		ksft_exit_skip("needs debugfs, the notifier, the return probe and trigger=1\n");
	ksft_set_plan(4);
	if (access("/sys/devices/system/node/node1", F_OK)) {
		for (i = 0; i < 4; i++)
			ksft_test_result_skip("pressure on a machine of one node\n");
		ksft_exit_pass();
	}
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	test_confined("mempolicy", NULL);
	cgroup = cg_cpuset("1");
	if (cgroup) {
		test_confined("cpuset", cgroup);
	} else {
		ksft_test_result_skip("cpuset: no such controller\n");
		ksft_test_result_skip("cpuset: no such controller\n");
	}
	ksft_exit(!ksft_get_fail_cnt());
}
