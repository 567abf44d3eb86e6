// SPDX-License-Identifier: GPL-2.0
/*
 * OOMs that are confined to some nodes: by a mempolicy and by a cpuset. The
 * rest of the machine has memory to spare, and the candidates are the tasks that
 * share the nodes.
 */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"

#define MPOL_BIND	2
#define NODE		1

/* A child that takes locked memory, which swap cannot save, until it is killed. */
static pid_t eater(bool policy, const char *cgroup)
{
	unsigned long mask = 1UL << NODE, size = 64UL << 20;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "confined");
	set_adj(0, 1000);
	if (cgroup && cg_attach(cgroup, 0))
		_exit(3);
	if (policy && syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8 + 1))
		_exit(2);
	for (;;) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || mlock(p, size))
			_exit(4);
	}
}

static void expect_confined(int fd, bool policy, const char *cgroup)
{
	const char *kind = policy ? "mempolicy" : "cpuset", *line;
	long long n = 0;
	char *text;
	int status = 0;
	pid_t pid = eater(policy, cgroup);

	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	expect_of("status %#x", status);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	text = next_killed(fd, &n);
	EXPECT_EVENT(text, n,
		     "kind=%s constraint=%s nodes=1 trigger=allocator pid=%d totalpages=%lld",
		     kind, kind, pid, node_pages(NODE, "present") + meminfo_pages("SwapTotal"));
	line = event_line(text, "candidate", n, 0);
	EXPECT_LINE(line, "pid=%d rank=1", pid);
	/* The other node is far from empty. */
	line = event_line(text, "memory", n, 0);
	EXPECT_GT(line_number(line, "free"), node_pages(0, "present") / 4);
	expect_show(text);
	free(text);
	drain(fd);
}

int main(void)
{
	char *cgroup;
	int fd;

	test_begin(0);
	if (access("/sys/devices/system/node/node1", F_OK))
		ksft_exit_skip("one NUMA node\n");
	if (!lens_feature("oom_probe"))
		ksft_exit_skip("no return probe\n");
	ksft_set_plan(2);
	oom_settings();
	setting_write("/proc/sys/vm/overcommit_memory", "1");
	fd = events_open();
	expect_confined(fd, true, NULL);
	test_done("mempolicy: its nodes, its total");
	cgroup = cg_cpuset("1");
	if (cgroup) {
		expect_confined(fd, false, cgroup);
		test_done("cpuset: its nodes, its total");
	} else {
		ksft_test_result_skip("cpuset: no such controller\n");
	}
	test_end();
}
