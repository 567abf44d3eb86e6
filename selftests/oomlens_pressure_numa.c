// SPDX-License-Identifier: GPL-2.0
/*
 * pressure runs out of the writer's own nodes: by its mempolicy and by its
 * cpuset, in a drill and in a kill, while the other node keeps its memory.
 * Judged by /proc/zoneinfo, /proc/vmstat and the constraint in the event.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/writer.h"

#define MPOL_DEFAULT	0
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

/* By its cpuset, or by the mempolicy that it has from us. */
static pid_t confined_start(const char *command, const char *cgroup)
{
	unsigned long mask = 1UL << NODE;
	pid_t pid;

	if (!cgroup && syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8 + 1))
		ksft_exit_fail_msg("set_mempolicy: %s\n", strerror(errno));
	pid = writer_start(command, cgroup);
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	return pid;
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
	int err = -1;

	other = node_pages(0, "free");
	spec.cgroup = cgroup;
	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	pid = confined_start("pressure", cgroup);
	for (i = 0; waitpid(pid, &err, WNOHANG) != pid && i < PATIENCE_MS; i++, looks++) {
		low += node_pages(0, "free") < other / 2;
		nap_ms(1);
	}
	good = WIFEXITED(err) && !WEXITSTATUS(err) && looks && !low &&
	       kernel_kills() == kills && !hog_gone(&h) && run_event_is("outcome", "averted") &&
	       took_the_node(was_free);
	ksft_test_result(good, "%s: a drill leaves the other node alone\n", name);

	err = writer_end(confined_start("pressure outcome=kill", cgroup));
	if (err)
		ksft_print_msg("outcome=kill gave %d\n", err);
	good = !err && wait_until(hog_killed(&h), PATIENCE_MS) &&
	       kernel_kills() == kills + 1 && run_event_is("outcome", "killed") &&
	       run_event_is("kind", name) && run_event_is("constraint", name) &&
	       run_event_is("trigger", "oomlens");
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
