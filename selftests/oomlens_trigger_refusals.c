// SPDX-License-Identifier: GPL-2.0
/*
 * Who may run a command of trigger, and on whom: each refusal with its errno,
 * and with nothing changed: nobody dead, nobody flagged, the same adj, the same
 * settings, and no run recorded where there was none.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/unchanged.h"

static const struct hog_spec plain = { .anon = 500, .adj = 500, .comm = "target" };
static struct hog target;

static bool kill_refused(pid_t pid, const char *what, int want)
{
	struct snapshot *before = snapshot_take();
	int err = lens_command("trigger", "kill pid=%d\n", pid);

	return refused(before, what, err, want) && !hog_gone(&target);
}

static bool command_refused(const char *command, int want)
{
	struct snapshot *before = snapshot_take();

	return refused(before, command, lens_command("trigger", "%s", command), want);
}

static void test_targets(void)
{
	const struct hog_spec vfork_spec = { .anon = 10, .vfork = true, .comm = "vfork" };
	struct hog vforked;
	bool good;
	pid_t pid;
	siginfo_t si;

	good = kill_refused(1, "init", -EPERM) & kill_refused(2, "a kernel thread", -EPERM);
	set_adj(target.pid, OOM_ADJ_NEVER);
	good &= kill_refused(target.pid, "adj -1000", -EPERM);
	set_adj(target.pid, plain.adj);

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(0);
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	good &= kill_refused(pid, "a zombie", -ESRCH);
	waitpid(pid, NULL, 0);
	good &= kill_refused(pid, "one that is gone", -ESRCH);
	good &= kill_refused(INT_MAX, "no pid at all", -ESRCH);

	if (hog_start(&vforked, &vfork_spec))
		ksft_exit_fail_msg("cannot make a vfork child\n");
	good &= kill_refused(vforked.second, "a vfork child", -EBUSY);
	hog_end(&vforked);
	ksft_test_result(good, "targets that may not or cannot be killed\n");
}

static void *thread_main(void *arg)
{
	*(pid_t *)arg = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static void test_thread(void)
{
	static volatile pid_t tid;
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, (void *)&tid) ||
	    !wait_until(tid, PATIENCE_MS))
		ksft_exit_fail_msg("cannot make a thread\n");
	ksft_test_result(kill_refused(tid, "a thread", -ESRCH), "a thread is no process\n");
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

static void test_settings(void)
{
	bool good;

	setting_write("/proc/sys/kernel/sysrq", "438");
	good = kill_refused(target.pid, "sysrq=438, kill pid", -EPERM);
	good &= command_refused("kill", -EPERM);
	setting_write("/proc/sys/kernel/sysrq", "0");
	good &= kill_refused(target.pid, "sysrq=0, kill pid", -EPERM);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/panic_on_oom", "2");
	good &= kill_refused(target.pid, "panic_on_oom=2, kill pid", -EPERM);
	good &= command_refused("kill", -EPERM) &
		command_refused("pressure outcome=kill", -EPERM);
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	ksft_test_result(good, "kernel.sysrq and panic_on_oom are respected\n");
}

#define FEW	64

/* Makes exempt whom the kernel could take; how many, who, and what they had. */
static unsigned int exempt_all(pid_t *pids, int *adjs)
{
	struct table *t = table_read(lens_path("badness"));
	unsigned int i, n = 0;

	for (i = 0; t && i < t->rows && n < FEW; i++) {
		if (strcmp(table_cell(t, i, "verdict"), "eligible"))
			continue;
		pids[n] = table_number(t, i, "pid");
		adjs[n++] = table_number(t, i, "adj");
	}
	table_free(t);
	for (i = 0; i < n && n < FEW; i++)
		set_adj(pids[i], OOM_ADJ_NEVER);
	return n;
}

/* The kernel would panic: all but init, and what is exempt, is made exempt. */
static void test_nobody(void)
{
	struct table *t;
	long long eligible = -1;
	unsigned int i, n;
	pid_t pids[FEW];
	int adjs[FEW];
	bool good;

	n = exempt_all(pids, adjs);
	t = table_read(lens_path("badness"));
	if (n == FEW || !t || !table_header(t, "eligible", &eligible) || eligible) {
		ksft_test_result_skip("more processes than a test should exempt\n");
	} else {
		good = command_refused("kill", -EPERM) &
		       command_refused("pressure outcome=kill", -EPERM) &
		       command_refused("pressure outcome=kill limit=1M timeout=1", -EPERM);
		ksft_test_result(good, "with nobody to kill nothing lethal is done\n");
	}
	table_free(t);
	for (i = 0; i < n && n < FEW; i++)
		set_adj(pids[i], adjs[i]);
}

static int drop_sys_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Writes as one who is not an administrator, to a file that one has opened. */
static int write_unprivileged(void *arg)
{
	int fd = open(lens_path(arg), O_WRONLY);

	if (fd < 0 || drop_sys_admin())
		_exit(255);
	_exit(-write_fd(fd, strcmp(arg, "reserve") ? "kill\n" : "1M\n"));
}

static volatile int lent_fd;

/* Opens as one who is not, and leaves the descriptor behind. */
static int open_unprivileged(void *arg)
{
	if (drop_sys_admin())
		_exit(255);
	lent_fd = open(lens_path(arg), O_WRONLY);
	_exit(0);
}

static int in_clone(int (*fn)(void *), const char *file)
{
	static char stack[65536] __attribute__((aligned(64)));
	int status = 0;
	/* Memory and descriptors are shared: lent_fd is ours after its end. */
	pid_t pid = clone(fn, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD,
			  (void *)file);

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		ksft_exit_fail_msg("clone: %s\n", strerror(errno));
	return -WEXITSTATUS(status);
}

static void test_rights(void)
{
	static const char * const files[] = { "trigger", "reserve" };
	struct snapshot *before;
	bool good = true;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		before = snapshot_take();
		good &= refused(before, files[i], in_clone(write_unprivileged, files[i]),
				-EPERM);
		before = snapshot_take();
		in_clone(open_unprivileged, files[i]);
		err = lent_fd < 0 ? -EPERM :
		      write_fd(lent_fd, i ? "1M\n" : "kill\n");
		good &= refused(before, files[i], err, -EPERM);
		if (lent_fd >= 0)
			close(lent_fd);
	}
	ksft_test_result(good, "neither who writes nor who opened may lack CAP_SYS_ADMIN\n");
}

/* What no file takes, whatever it is about. */
static bool sizes_refused(const char *file, const char *valid)
{
	static char big[1 << 20];
	struct snapshot *before = snapshot_take();
	int fd = open(lens_path(file), O_WRONLY);
	bool good = fd >= 0 && !write(fd, "", 0);
	unsigned int i;
	char byte;

	memset(big, ' ', sizeof(big));
	memcpy(big, valid, strlen(valid));
	good &= write(fd, big, 4096) == -1 && errno == EINVAL;
	good &= write(fd, big, sizeof(big)) == -1 && errno == EINVAL;
	good &= pwrite(fd, valid, strlen(valid), 1) == -1;
	for (i = 0; i < 256; i++) {
		byte = i;
		/* A size of one digit is one. */
		if (!strcmp(file, "reserve") && byte >= '0' && byte <= '9')
			continue;
		good &= write(fd, &byte, 1) == -1 && errno == EINVAL;
	}
	close(fd);
	return unchanged(before, file) && good;
}

static void test_sizes(void)
{
	bool good = sizes_refused("trigger", "kill");

	ksft_test_result(sizes_refused("reserve", "1M") && good && !hog_gone(&target),
			 "0 bytes, 4 KiB, 1 MiB, another offset, each byte\n");
}

int main(void)
{
	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("sysrq"))
		ksft_exit_skip("needs debugfs, sysrq and trigger=1\n");
	ksft_set_plan(6);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	if (hog_start(&target, &plain))
		ksft_exit_fail_msg("cannot make a hog\n");
	test_targets();
	test_thread();
	test_settings();
	test_nobody();
	test_rights();
	test_sizes();
	hog_end(&target);
	ksft_exit(!ksft_get_fail_cnt());
}
