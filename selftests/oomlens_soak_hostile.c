// SPDX-License-Identifier: GPL-2.0
/*
 * Readers and targets that work against the module, for OOMLENS_SOAK_S seconds:
 * readers of the lowest priority, frozen, stopped by ptrace, in a cgroup at its
 * limit; targets that map and unmap, fork, exec. Root's reads end meanwhile, and
 * the rig judges the kernel's log, the taint and kmemleak.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define USER	65534

static const char * const files[] = {
	"badness", "overcommit", "memory", "commit", "objects", "events", "history",
	"features", "stats",
};

static char self[256];
static unsigned long *reads_done;	/* shared: of all readers */

/* A file of the module, whole or a piece of it, and from the beginning again. */
static void __noreturn read_for_ever(unsigned int seed)
{
	char buf[3000];
	unsigned int i;
	int fd;

	for (i = seed; ; i++) {
		fd = open(lens_path(files[i % ARRAY_SIZE(files)]), O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		while (read(fd, buf, sizeof(buf)) > 0) {
			__atomic_add_fetch(reads_done, 1, __ATOMIC_RELAXED);
			if (i % 3 == 0)
				break;
		}
		close(fd);
	}
}

static void __noreturn map_for_ever(void)
{
	size_t page = page_size(), n;
	char *area;

	MUST_OK(setresuid(USER, USER, USER));
	for (;;) {
		area = mmap(NULL, 4000 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		for (n = 0; n < 2000; n++)
			mprotect(area + 2 * n * page, page, PROT_READ);
		munmap(area, 4000 * page);
	}
}

static void __noreturn fork_for_ever(void)
{
	pid_t pid;

	for (;;) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void __noreturn exec_for_ever(void)
{
	execl(self, self, "exec", (char *)NULL);
	_exit(1);
}

enum kind { IDLE, FROZEN, STOPPED, LIMITED, MAPS, FORKS, EXECS, KINDS };

static char *frozen, *limited;
static pid_t pids[KINDS];

static void start(enum kind kind)
{
	const struct sched_param param = { };

	pids[kind] = must_fork();
	if (pids[kind])
		return;
	/* An OOM of the limited cgroup takes its reader, which is started anew. */
	set_adj(0, kind == LIMITED ? 0 : OOM_ADJ_NEVER);
	switch (kind) {
	case IDLE:
		MUST_OK(sched_setscheduler(0, SCHED_IDLE, &param));
		break;
	case FROZEN:
		MUST_OK(cg_attach(frozen, 0));
		break;
	case LIMITED:
		MUST_OK(cg_attach(limited, 0));
		break;
	case MAPS:
		map_for_ever();
	case FORKS:
		fork_for_ever();
	case EXECS:
		exec_for_ever();
	default:
		break;
	}
	read_for_ever(kind);
}

static void freeze(bool on)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/cgroup.freeze", frozen);
	write_file(path, on ? "1" : "0");
}

/* Stopped wherever it is by now, for a moment. */
static void stop_and_go(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, &status, __WALL);
	nap_ms(2);
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/* One read by root; a target may be gone, or without memory just now. */
static bool read_target(pid_t pid)
{
	char line[32], c;
	int fd = must_open_lens("commit", O_RDWR), err;

	snprintf(line, sizeof(line), "pid %d", pid);
	err = write_fd(fd, line);
	if (!err && pread(fd, &c, 1, 0) < 0)
		err = -errno;
	close(fd);
	return !err || err == -ESRCH;
}

int main(int argc, char **argv)
{
	unsigned long long begin, end, longest = 0, reads = 0;
	unsigned int i;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	if (argc > 1)
		exec_for_ever();
	test_begin(0);
	if (cg_version() != 2)
		ksft_exit_skip("no cgroup v2\n");
	ksft_set_plan(2);
	oom_settings();
	reads_done = must_share(sizeof(*reads_done));
	frozen = must_cgroup(NULL, "frozen");
	limited = must_limit("limited", 256);
	for (i = 0; i < KINDS; i++)
		start(i);
	end = now_ns() + env_number("OOMLENS_SOAK_S", 3) * 1000000000ULL;
	while (now_ns() < end && !expect_failed()) {
		freeze(reads % 2);
		stop_and_go(pids[STOPPED]);
		for (i = 0; i < KINDS; i++) {
			begin = now_ns();
			EXPECT_TRUE(read_target(pids[i]));
			free(must_read_lens(files[reads++ % ARRAY_SIZE(files)]));
			if (now_ns() - begin > longest)
				longest = now_ns() - begin;
		}
		if (waitpid(pids[LIMITED], NULL, WNOHANG) == pids[LIMITED])
			start(LIMITED);
	}
	freeze(false);
	ksft_print_msg("%llu reads by root, the longest pair took %llu ms; %lu by the others\n",
		       reads, longest / 1000000, *reads_done);
	EXPECT_LT(longest / 1000000, BOUNDED_MS);
	test_done("root's reads end beside hostile readers and targets");
	EXPECT_GT(*reads_done, 0);
	for (i = 0; i < KINDS; i++) {
		EXPECT_TRUE(i == LIMITED || !waitpid(pids[i], NULL, WNOHANG));
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	test_done("none of them has failed");
	test_end();
}
