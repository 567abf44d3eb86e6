// SPDX-License-Identifier: GPL-2.0
/*
 * The rights that a command of trigger needs, and the tasks that it may take:
 * each refusal with its errno, and with nothing changed: no task dead or flagged,
 * the same adj, the same settings, and no run recorded where there was none.
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

/* What should have been refused may have killed: the next would kill more. */
static void stop_if_wrong(void)
{
	if (expect_failed() || ksft_get_fail_cnt())
		ksft_exit_fail_msg("a refusal is wrong: no other command is tried\n");
}

static void expect_no_kill(pid_t pid, const char *what, int want)
{
	struct snapshot *before = snapshot_take();

	expect_refused(before, what, lens_command("trigger", "kill pid=%d\n", pid), want);
	EXPECT_FALSE(hog_gone(&target));
	stop_if_wrong();
}

static void expect_no_command(const char *command, int want)
{
	struct snapshot *before = snapshot_take();

	expect_refused(before, command, lens_command("trigger", "%s", command), want);
}

static void test_targets(void)
{
	const struct hog_spec vfork_spec = { .anon = 10, .vfork = true, .comm = "vfork" };
	struct hog vforked;
	pid_t pid;
	siginfo_t si;

	expect_no_kill(1, "init", -EPERM);
	expect_no_kill(2, "a kernel thread", -EPERM);
	set_adj(target.pid, OOM_ADJ_NEVER);
	expect_no_kill(target.pid, "adj -1000", -EPERM);
	set_adj(target.pid, plain.adj);

	pid = must_fork();
	if (!pid)
		_exit(0);
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	expect_no_kill(pid, "a zombie", -ESRCH);
	waitpid(pid, NULL, 0);
	expect_no_kill(pid, "one that is gone", -ESRCH);
	expect_no_kill(INT_MAX, "no pid at all", -ESRCH);

	must_hog(&vforked, &vfork_spec);
	expect_no_kill(vforked.second, "a vfork child", -EBUSY);
	hog_end(&vforked);
	test_done("targets that may not or cannot be killed");
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

	MUST_OK(pthread_create(&thread, NULL, thread_main, (void *)&tid));
	MUST(wait_until(tid, PATIENCE_MS));
	expect_no_kill(tid, "a thread", -ESRCH);
	test_done("a thread is no process");
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

static void test_settings(void)
{
	setting_write("/proc/sys/kernel/sysrq", "438");
	expect_no_kill(target.pid, "sysrq=438, kill pid", -EPERM);
	expect_no_command("kill", -EPERM);
	setting_write("/proc/sys/kernel/sysrq", "0");
	expect_no_kill(target.pid, "sysrq=0, kill pid", -EPERM);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/panic_on_oom", "2");
	expect_no_kill(target.pid, "panic_on_oom=2, kill pid", -EPERM);
	expect_no_command("kill", -EPERM);
	expect_no_command("pressure outcome=kill", -EPERM);
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	test_done("kernel.sysrq and panic_on_oom are respected");
}

#define FEW	64

/* Exempts the tasks that the kernel could take: their number, pids and old adj. */
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

/* With all tasks exempt the kernel would panic. */
static void test_no_choice(void)
{
	struct table *t;
	unsigned int i, n;
	pid_t pids[FEW];
	int adjs[FEW];

	n = exempt_all(pids, adjs);
	t = must_table("badness");
	if (n == FEW || table_head(t, "eligible")) {
		ksft_test_result_skip("more processes than a test should exempt\n");
	} else {
		expect_no_command("kill", -EPERM);
		expect_no_command("pressure outcome=kill", -EPERM);
		expect_no_command("pressure outcome=kill limit=1M timeout=1", -EPERM);
		test_done("with no eligible task nothing lethal is done");
	}
	table_free(t);
	for (i = 0; i < n && n < FEW; i++)
		set_adj(pids[i], adjs[i]);
}

/* Opens as an administrator, and writes as a task that is none. */
static int write_unprivileged(void *arg)
{
	int fd = open(lens_path(arg), O_WRONLY);

	if (fd < 0 || drop_capability(CAP_SYS_ADMIN))
		_exit(255);
	_exit(-write_fd(fd, strcmp(arg, "reserve") ? "kill\n" : "1M\n"));
}

static volatile int lent_fd;

/* Opens without the right, and leaves the descriptor behind. */
static int open_unprivileged(void *arg)
{
	if (drop_capability(CAP_SYS_ADMIN))
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

	MUST(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void test_rights(void)
{
	static const char * const files[] = { "trigger", "reserve" };
	struct snapshot *before;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		before = snapshot_take();
		expect_refused(before, files[i], in_clone(write_unprivileged, files[i]), -EPERM);
		before = snapshot_take();
		in_clone(open_unprivileged, files[i]);
		err = lent_fd < 0 ? -EPERM : write_fd(lent_fd, i ? "1M\n" : "kill\n");
		expect_refused(before, files[i], err, -EPERM);
		if (lent_fd >= 0)
			close(lent_fd);
	}
	test_done("both the writer and the opener need CAP_SYS_ADMIN");
}

/* Sizes, offsets and bytes that no file takes. */
static void expect_sizes_refused(const char *file, const char *valid)
{
	static char big[1 << 20];
	struct snapshot *before = snapshot_take();
	int fd = must_open_lens(file, O_WRONLY);
	unsigned int i;
	char byte;

	expect_of("%s", file);
	EXPECT_EQ(write(fd, "", 0), 0);
	memset(big, ' ', sizeof(big));
	memcpy(big, valid, strlen(valid));
	EXPECT_TRUE(write(fd, big, 4096) == -1 && errno == EINVAL);
	EXPECT_TRUE(write(fd, big, sizeof(big)) == -1 && errno == EINVAL);
	EXPECT_EQ(pwrite(fd, valid, strlen(valid), 1), -1);
	for (i = 0; i < 256; i++) {
		byte = i;
		/* A size of one digit is one. */
		if (!strcmp(file, "reserve") && byte >= '0' && byte <= '9')
			continue;
		expect_of("%s, byte %u", file, i);
		EXPECT_TRUE(write(fd, &byte, 1) == -1 && errno == EINVAL);
	}
	close(fd);
	expect_unchanged(before, file);
}

static void test_sizes(void)
{
	expect_sizes_refused("trigger", "kill");
	expect_sizes_refused("reserve", "1M");
	EXPECT_FALSE(hog_gone(&target));
	test_done("0 bytes, 4 KiB, 1 MiB, another offset, each byte");
}

static void (* const tests[])(void) = {
	test_targets, test_thread, test_settings, test_no_choice, test_rights, test_sizes,
};

int main(void)
{
	unsigned int i;

	test_begin(0);
	needs_trigger("sysrq");
	ksft_set_plan(ARRAY_SIZE(tests));
	oom_settings();
	must_hog(&target, &plain);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		tests[i]();
		stop_if_wrong();
	}
	hog_end(&target);
	test_end();
}
