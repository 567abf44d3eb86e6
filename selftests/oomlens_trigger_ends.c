// SPDX-License-Identifier: GPL-2.0
/*
 * What a command is told that cannot begin or cannot go on: two writers on one
 * descriptor, a signal that was there before it began, a target whose memory is
 * busy, and one beside whom the kernel has flagged another to go first.
 * $OOMLENS_WAITS=1 adds the busy target, which takes some seconds.
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

static bool same(const char *what, long long got, long long want)
{
	if (got != want)
		ksft_print_msg("%s: got %lld, want %lld\n", what, got, want);
	return got == want;
}

/* ---- One descriptor ---- */

static pid_t write_start(int fd, const char *text)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(-write_fd(fd, text));
	return pid;
}

static void test_one_descriptor(void)
{
	int fd = open(lens_path("trigger"), O_RDWR | O_CLOEXEC);
	unsigned long long begin;
	char text[4096] = "";
	bool good;
	pid_t pid;

	if (fd < 0)
		ksft_exit_fail_msg("cannot open trigger\n");
	pid = write_start(fd, "pressure limit=1M hold=3000");
	good = wait_until(lens_key("trigger", "running") == 1, PATIENCE_MS);
	begin = now_ns();
	good &= same("a second writer", writer_end(write_start(fd, "pressure limit=1M")),
		     -EBUSY) &
		same("a malformed line", writer_end(write_start(fd, "pressure limit=x")),
		     -EINVAL) &
		same("a reader", pread(fd, text, sizeof(text) - 1, 0) > 0 &&
		     strstr(text, "running 1"), 1) &
		same("ms that it took", (now_ns() - begin) / 1000000 < 2000, 1);
	kill(pid, SIGTERM);
	writer_end(pid);
	good &= wait_until(lens_key("trigger", "running") == 0, PATIENCE_MS);
	close(fd);
	ksft_test_result(good, "a second writer on the same descriptor does not wait\n");
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
	pid_t pid;

	fflush(stdout);
	pid = fork();
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
	long long bytes;
	bool good;

	good = same("pressure", write_signalled("trigger", "pressure limit=4M"), -EINTR) &
	       same("last_result", lens_key("trigger", "last_result"), -EINTR) &
	       same("running", lens_key("trigger", "running"), 0);
	ksft_test_result(good, "a signal ends pressure: EINTR\n");

	lens_command("reserve", "1M\n");
	bytes = lens_key("reserve", "held");
	good = same("reserve", write_signalled("reserve", "8M"), -EINTR) &
	       same("held", lens_key("reserve", "held"), bytes) &
	       same("target", lens_key("reserve", "target"), bytes);
	lens_command("reserve", "0\n");
	ksft_test_result(good, "and a reserve, which stays as it was\n");
}

/* ---- A target whose memory is busy ---- */

static bool kill_is_busy(pid_t target)
{
	return same("kill pid", lens_command("trigger", "kill pid=%d\n", target), -EBUSY);
}

static void test_busy(void)
{
	pid_t holder = mmap_lock_hold(bystander.pid);
	bool good = holder > 0 && kill_is_busy(bystander.pid);

	mmap_lock_release(holder);
	ksft_test_result(good && !hog_gone(&bystander),
			 "a target whose mmap_lock is held: EBUSY\n");
}

/* ---- A rival ---- */

/* Empties swap, as one whom the cgroup's limit slows down on the way. */
static pid_t emptier_start(const char *cgroup, const char *disk)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	set_adj(0, 0);
	if (cg_attach(cgroup, 0))
		_exit(2);
	_exit(swapoff(disk) != 0);
}

static bool flagged(pid_t pid)
{
	struct table *t = table_read(lens_path("badness"));
	int row = t ? table_find(t, "pid", pid) : -1;
	bool yes = row >= 0 && !strcmp(table_cell(t, row, "verdict"), "origin");

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
	bool good;
	pid_t pid;

	if (cg_version() != 2 || !disk || !swap_ensure(SWAPPED + 1000)) {
		ksft_test_result_skip("no swap to be emptied in a cgroup\n");
		return;
	}
	spec.cgroup = cg_create(NULL, "rival");
	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	snprintf(path, sizeof(path), "%s/memory.high", spec.cgroup);
	write_file(path, "0");
	undo_at_end("swapon", disk);
	pid = emptier_start(spec.cgroup, disk);
	good = wait_until(flagged(pid), 3000);
	good = good && kill_is_busy(bystander.pid) && kill_is_busy(pid);
	write_file(path, "max");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	hog_end(&h);
	good &= same("kills", kernel_kills(), kills) && !hog_gone(&bystander);
	ksft_test_result(good, "beside one whom the kernel has flagged: EBUSY\n");
}

int main(void)
{
	const struct hog_spec spec = { .anon = 1000, .comm = "bystander" };
	bool busy;

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("notifier") ||
	    !lens_feature("sysrq"))
		ksft_exit_skip("needs debugfs, the OOM notifier, sysrq and trigger=1\n");
	busy = env_number("OOMLENS_WAITS", 0) && loader_helper("oomlens_shortage", "");
	ksft_set_plan(busy ? 5 : 4);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	if (hog_start(&bystander, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	test_one_descriptor();
	test_signals();
	if (busy)
		test_busy();
	test_rival();
	hog_end(&bystander);
	loader_no_helper("oomlens_shortage");
	ksft_exit(!ksft_get_fail_cnt());
}
