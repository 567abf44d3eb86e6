// SPDX-License-Identifier: GPL-2.0
/*
 * A supervisor and its worker: the worker, in a cgroup of its own, is killed by
 * "kill pid=N"; the supervisor sees by the cgroup's own counter that it was the
 * OOM killer, as after a real OOM, and starts another.
 */
#include <signal.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define RESTARTS	5

/* What the supervisor tells: the worker's pid, or why it will not go on. */
struct report {
	pid_t worker;
	int oom_kills;
	int status;
};

static void __noreturn supervise_worker(const char *cg, int fd)
{
	struct report r = { 0 };
	long long before, after;

	for (;;) {
		before = cg_oom_kills(cg);
		r.worker = fork();
		if (!r.worker) {
			if (cg_attach(cg, 0))
				_exit(1);
			for (;;)
				pause();
		}
		if (write(fd, &r, sizeof(r)) != sizeof(r))
			_exit(1);
		waitpid(r.worker, &r.status, 0);
		after = cg_oom_kills(cg);
		/* Not by the OOM killer: a service manager would treat it otherwise. */
		if (after == before)
			_exit(2);
		r.oom_kills = after;
	}
}

static bool attached(const char *cg, pid_t pid)
{
	char path[512], want[16], *text;
	bool found;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cg);
	snprintf(want, sizeof(want), "%d\n", pid);
	text = read_file(path);
	found = text && strstr(text, want);
	free(text);
	return found;
}

int main(void)
{
	struct report r;
	pid_t supervisor;
	int i, status, fd[2];
	char *cg;

	test_begin(0);
	needs_trigger("sysrq");
	if (!cg_version())
		ksft_exit_skip("no memory cgroups\n");
	ksft_set_plan(2);
	oom_settings();
	cg = must_cgroup(NULL, "service");
	MUST(!pipe(fd));
	supervisor = must_fork();
	if (!supervisor) {
		set_adj(0, 0);
		supervise_worker(cg, fd[1]);
	}
	close(fd[1]);

	for (i = 0; i <= RESTARTS; i++) {
		expect_of("restart %d", i);
		if (!EXPECT_EQ(read(fd[0], &r, sizeof(r)), sizeof(r)))
			break;
		EXPECT_EQ(r.oom_kills, i);
		if (i)
			EXPECT_TRUE(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGKILL);
		if (i == RESTARTS)
			break;
		EXPECT_TRUE(wait_until(attached(cg, r.worker), PATIENCE_MS));
		EXPECT_OK(lens_command("trigger", "kill pid=%d\n", r.worker));
	}
	test_done("%d times the supervisor saw an OOM kill and restarted", i);

	/* A plain SIGKILL is none, or the test above would prove nothing. */
	kill(r.worker, SIGKILL);
	waitpid(supervisor, &status, 0);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 2);
	test_done("a plain SIGKILL is not taken for one");
	test_end();
}
