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

/* By its cpuset, or by the mempolicy that it has from us. */
static pid_t confined_start(const char *command, const char *cgroup)
{
	unsigned long mask = 1UL << NODE;
	pid_t pid;

	MUST(cgroup || !syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8 + 1));
	pid = writer_start(command, cgroup);
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	return pid;
}

static void test_confined(const char *name, const char *cgroup)
{
	struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "chosen" };
	long long kills = kernel_kills(), was_free = node_pages(NODE, "free"), other;
	unsigned int i, low = 0, looks = 0;
	long long taken;
	struct hog h;
	pid_t pid;
	int err = -1;

	other = node_pages(0, "free");
	spec.cgroup = cgroup;
	must_hog(&h, &spec);
	pid = confined_start("pressure", cgroup);
	for (i = 0; waitpid(pid, &err, WNOHANG) != pid && i < PATIENCE_MS; i++, looks++) {
		low += node_pages(0, "free") < other / 2;
		nap_ms(1);
	}
	EXPECT_TRUE(WIFEXITED(err));
	EXPECT_EQ(WEXITSTATUS(err), 0);
	EXPECT_GT(looks, 0);
	EXPECT_EQ(low, 0);
	EXPECT_EQ(kernel_kills(), kills);
	EXPECT_FALSE(hog_gone(&h));
	EXPECT_LINE(run_event(), "outcome=averted");
	/* The most that was held came from that node, and was most of it. */
	taken = lens_key("trigger", "last_taken");
	EXPECT_LE(taken, node_pages(NODE, "present"));
	EXPECT_GT(taken, was_free / 2);
	test_done("%s: a drill leaves the other node alone", name);

	EXPECT_OK(writer_end(confined_start("pressure outcome=kill", cgroup)));
	EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
	EXPECT_EQ(kernel_kills(), kills + 1);
	EXPECT_LINE(run_event(), "outcome=killed kind=%s constraint=%s trigger=oomlens", name,
		    name);
	hog_end(&h);
	test_done("%s: a kill is of that kind", name);
}

int main(void)
{
	char *cgroup;

	test_begin(0);
	needs_trigger("notifier");
	needs_trigger("oom_probe");
	ksft_set_plan(4);
	if (access("/sys/devices/system/node/node1", F_OK)) {
		test_skip(4, "pressure on a machine of one node\n");
		ksft_exit_pass();
	}
	oom_settings();
	test_confined("mempolicy", NULL);
	cgroup = cg_cpuset("1");
	if (cgroup)
		test_confined("cpuset", cgroup);
	else
		test_skip(2, "cpuset: no such controller\n");
	test_end();
}
