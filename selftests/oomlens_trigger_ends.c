// SPDX-License-Identifier: GPL-2.0
/*
 * What a command is told that cannot begin or cannot go on: two writers on one
 * descriptor, a signal that was there before it began, an OOM killer that does not
 * get on, a target whose memory is busy, and another task that the kernel has flagged
 * to go first.
 * $OOMLENS_WAITS=1 adds the busy target, which takes some seconds, and twice the half
 * minute after which a kill is given up.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/loader.h"
#include "lib/writer.h"

#define SWAPPED	2000

static struct hog bystander;

/* ---- One descriptor ---- */

static pid_t write_start(int fd, const char *text)
{
	pid_t pid = must_fork();

	if (!pid)
		_exit(-write_fd(fd, text));
	return pid;
}

static void test_one_descriptor(void)
{
	int fd = must_open_lens("trigger", O_RDWR);
	unsigned long long begin;
	char text[4096] = "";
	pid_t pid;

	pid = write_start(fd, "pressure limit=1M hold=3000");
	EXPECT_TRUE(wait_until(lens_key("trigger", "running") == 1, PATIENCE_MS));
	begin = now_ns();
	EXPECT_EQ(writer_end(write_start(fd, "pressure limit=1M")), -EBUSY);
	EXPECT_EQ(writer_end(write_start(fd, "pressure limit=x")), -EINVAL);
	EXPECT_GT(pread(fd, text, sizeof(text) - 1, 0), 0);
	EXPECT_TRUE(strstr(text, "running 1"));
	EXPECT_LT((now_ns() - begin) / 1000000, 2000);
	kill(pid, SIGTERM);
	writer_end(pid);
	EXPECT_TRUE(wait_until(lens_key("trigger", "running") == 0, PATIENCE_MS));
	close(fd);
	test_done("a second writer on the same descriptor does not wait");
}

/* ---- A signal ---- */

static void ignore(int sig)
{
}

static void write_traced(const char *file, const char *text)
{
	const struct sigaction act = { .sa_handler = ignore };
	int fd = open(lens_path(file), O_WRONLY);

	sigaction(SIGUSR1, &act, NULL);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	_exit(-write_fd(fd, text));
}

/* What the write gives if a signal is pending when it is entered. */
static int write_signalled(const char *file, const char *text)
{
	struct __ptrace_syscall_info info = { };
	int status;
	pid_t pid = must_fork();

	if (!pid)
		write_traced(file, text);
	do {
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
		    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD) ||
		    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
			break;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_write) {
			kill(pid, SIGUSR1);
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
			return writer_end(pid);
		}
	} while (!ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
	ksft_print_msg("the writer cannot be traced: %s\n", strerror(errno));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

static void test_signals(void)
{
	long long pages;

	EXPECT_EQ(write_signalled("trigger", "pressure limit=4M"), -EINTR);
	EXPECT_KEYS("trigger", "last_result=%d running=0", -EINTR);
	test_done("a signal ends pressure: EINTR");

	lens_command("reserve", "1M\n");
	pages = lens_key("reserve", "held");
	EXPECT_EQ(write_signalled("reserve", "8M"), -EINTR);
	EXPECT_KEYS("reserve", "held=%lld target=%lld", pages, pages);
	lens_command("reserve", "0\n");
	test_done("and a reserve, which stays as it was");
}

/* ---- An OOM killer that does not get on ---- */

/* What the kernel takes if it is not told which; lives on otherwise. */
static struct hog decoy;

static void decoy_start(void)
{
	const struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "decoy" };

	must_hog(&decoy, &spec);
}

/* A writer that waits for it. */
static pid_t stalled_start(const char *command)
{
	pid_t pid;

	MUST_OK(write_file(SHORTAGE "stall", "1"));
	pid = writer_start(command, NULL);
	EXPECT_TRUE(wait_until(file_number(SHORTAGE "stalled") == 1, PATIENCE_MS));
	return pid;
}

static void expect_killed(struct hog *h)
{
	MUST_OK(write_file(SHORTAGE "stall", "0"));
	EXPECT_TRUE(wait_until(hog_killed(h), PATIENCE_MS));
	hog_end(h);
}

static bool writer_ended(pid_t pid)
{
	siginfo_t info = { };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid;
}

static void test_signalled_kill(void)
{
	const struct hog_spec spec = { .anon = 100, .comm = "asked for" };
	char command[32];
	struct hog hog;
	pid_t pid;

	decoy_start();
	pid = stalled_start("kill");
	kill(pid, SIGTERM);
	EXPECT_TRUE(wait_until(writer_ended(pid), 5000));
	EXPECT_EQ(writer_end(pid), SIGTERM);
	EXPECT_KEYS("trigger", "last_result=%d running=0", -EINTR);
	expect_killed(&decoy);
	test_done("a signal ends kill: EINTR");

	/* Or the OOM killer would take the decoy. */
	decoy_start();
	must_hog(&hog, &spec);
	snprintf(command, sizeof(command), "kill pid=%d", hog.pid);
	pid = stalled_start(command);
	kill(pid, SIGKILL);
	EXPECT_FALSE(wait_until(writer_ended(pid), 200));
	expect_killed(&hog);
	EXPECT_EQ(writer_end(pid), SIGKILL);
	EXPECT_KEYS("trigger", "last_result=0 running=0");
	EXPECT_FALSE(hog_gone(&decoy));
	hog_end(&decoy);
	test_done("and not kill pid=N, which takes N");
}

#define BOUND_MS	30000

/* Given up after half a minute, and what the OOM killer takes then is its own choice. */
static void expect_given_up(const char *command, int sig, int want)
{
	unsigned long long begin = now_ns();
	pid_t pid;

	decoy_start();
	pid = stalled_start(command);
	if (sig)
		kill(pid, sig);
	EXPECT_EQ(writer_end(pid), want);
	EXPECT_IN((now_ns() - begin) / 1000000, BOUND_MS - 10, BOUND_MS + 10000);
	EXPECT_KEYS("trigger", "last_result=%d running=0", -ETIMEDOUT);
	expect_killed(&decoy);
	EXPECT_FALSE(hog_gone(&bystander));
}

static void test_bound(void)
{
	char command[32];

	expect_given_up("kill", 0, -ETIMEDOUT);
	test_done("kill is given up after half a minute");
	snprintf(command, sizeof(command), "kill pid=%d", bystander.pid);
	expect_given_up(command, SIGKILL, SIGKILL);
	test_done("and kill pid=N, if its writer is to die: N is as it was");
}

/* ---- A target whose memory is busy ---- */

static void expect_busy(pid_t target)
{
	EXPECT_EQ(lens_command("trigger", "kill pid=%d\n", target), -EBUSY);
}

static void test_busy(void)
{
	pid_t holder = mmap_lock_hold(bystander.pid);

	EXPECT_GT(holder, 0);
	expect_busy(bystander.pid);
	mmap_lock_release(holder);
	EXPECT_FALSE(hog_gone(&bystander));
	test_done("a target whose mmap_lock is held: EBUSY");
}

/* ---- A rival ---- */

/* Empties swap, slowed down by the cgroup's limit on the way. */
static pid_t emptier_start(const char *cgroup, const char *disk)
{
	pid_t pid = must_fork();

	if (pid)
		return pid;
	set_adj(0, 0);
	if (cg_attach(cgroup, 0))
		_exit(2);
	_exit(swapoff(disk) != 0);
}

static bool flagged(pid_t pid)
{
	struct table *t = must_table("badness");
	bool yes = !strcmp(table_cell(t, table_find(t, "pid", pid), "verdict"), "origin");

	table_free(t);
	return yes;
}

static void test_rival(void)
{
	struct hog_spec spec = { .anon = SWAPPED + 500, .swapped = SWAPPED, .comm = "swapped" };
	const char *disk = getenv("OOMLENS_SWAP_DISK");
	long long kills = kernel_kills();
	char path[512];
	struct hog h;
	pid_t pid;

	if (cg_version() != 2 || !disk || !swap_ensure(SWAPPED + 1000)) {
		ksft_test_result_skip("no swap to be emptied in a cgroup\n");
		return;
	}
	spec.cgroup = must_cgroup(NULL, "rival");
	must_hog(&h, &spec);
	snprintf(path, sizeof(path), "%s/memory.high", spec.cgroup);
	write_file(path, "0");
	undo_at_end("swapon", disk);
	pid = emptier_start(spec.cgroup, disk);
	EXPECT_TRUE(wait_until(flagged(pid), 3000));
	expect_busy(bystander.pid);
	expect_busy(pid);
	write_file(path, "max");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	hog_end(&h);
	EXPECT_EQ(kernel_kills(), kills);
	EXPECT_FALSE(hog_gone(&bystander));
	test_done("beside a task that the kernel has flagged: EBUSY");
}

int main(void)
{
	const struct hog_spec spec = { .anon = 1000, .comm = "bystander" };
	bool waits = env_number("OOMLENS_WAITS", 0);

	test_begin(0);
	needs_trigger("notifier");
	needs_trigger("sysrq");
	needs_shortage();
	ksft_set_plan(9);
	oom_settings();
	must_hog(&bystander, &spec);
	test_one_descriptor();
	test_signals();
	if (lens_feature("oom_probe")) {
		test_signalled_kill();
		if (waits)
			test_bound();
		else
			test_skip(2, "not OOMLENS_WAITS=1\n");
	} else {
		test_skip(4, "no return probe\n");
	}
	if (waits)
		test_busy();
	else
		test_skip(1, "not OOMLENS_WAITS=1\n");
	test_rival();
	hog_end(&bystander);
	loader_no_helper("oomlens_shortage");
	test_end();
}
