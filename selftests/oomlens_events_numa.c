// SPDX-License-Identifier: GPL-2.0
/*
 * OOMs that are confined to some nodes: by a mempolicy and by a cpuset. The
 * rest of the machine has memory to spare, and only who shares the nodes is in
 * line.
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

/* Pages that are present on a node. */
static long long present_pages(int node)
{
	char *text = read_file("/proc/zoneinfo"), *line, *save = NULL;
	long long sum = 0, n;
	int nid = -1;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Node %d,", &nid) == 1)
			continue;
		if (nid == node && sscanf(line, " present %lld", &n) == 1)
			sum += n;
	}
	free(text);
	return sum;
}

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

static bool confined(int fd, bool policy, const char *cgroup)
{
	const char *kind = policy ? "mempolicy" : "cpuset";
	long kb = page_size() / 1024;
	long long n, free_kb;
	char *text, *line;
	int status;
	bool good;
	pid_t pid = eater(policy, cgroup);

	good = waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
	if (!good)
		ksft_print_msg("it was not killed: status %#x\n", status);
	text = next_killed(fd, &n);
	good = good && text && event_has(text, n, "kind", kind) &&
	       event_has(text, n, "constraint", kind) && event_has(text, n, "nodes", "1") &&
	       event_has(text, n, "trigger", "allocator") &&
	       event_has_number(text, n, "pid", pid) &&
	       event_has_number(text, n, "totalpages",
				present_pages(NODE) + meminfo_kb("SwapTotal") / kb);
	line = good ? event_line(text, "candidate", n, 0) : NULL;
	good = line && wants(line, "pid", pid) && wants(line, "rank", 1);
	free(line);
	/* The other node is far from empty. */
	line = good ? event_line(text, "memory", n, 0) : NULL;
	good = line && line_number(line, "free", &free_kb) && free_kb > present_pages(0) / 4;
	free(line);
	free(text);
	drain(fd);
	return good;
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
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/overcommit_memory", "1");
	fd = events_open();
	ksft_test_result(confined(fd, true, NULL), "mempolicy: its nodes, its total\n");
	cgroup = cg_cpuset("1");
	if (cgroup)
		ksft_test_result(confined(fd, false, cgroup), "cpuset: its nodes, its total\n");
	else
		ksft_test_result_skip("cpuset: no such controller\n");
	ksft_exit(!ksft_get_fail_cnt());
}
