// SPDX-License-Identifier: GPL-2.0
/*
 * A kill through trigger, judged by the kernel's own log and by the child's exit
 * status, and held against the event that was recorded. A malformed command is
 * refused and kills no task. What the writer's own cgroup kills later is no command's.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

static const struct hog_spec small = { .anon = 1000, .comm = "small hog" };
static const struct hog_spec large = { .anon = 4000, .adj = 1000, .comm = "large" };

static long long last_number(void)
{
	char *text = read_lens("events");
	long long n = event_last(text);

	free(text);
	return n;
}

static void expect_kill(const char *command, struct hog *victim, struct hog *other)
{
	int kmsg = kmsg_open();
	pid_t pid = victim->pid;
	char log[1024] = "", want[32], *text;
	long long n;

	snprintf(want, sizeof(want), "Killed process %d ", pid);
	/* Without the probe an earlier event may take a second to show. */
	wait_until(last_number() == lens_key("stats", "events"), PATIENCE_MS);
	n = last_number() + 1;
	expect_of("'%s' of %d", command, pid);
	EXPECT_OK(lens_command("trigger", command, pid));
	EXPECT_TRUE(kmsg_wait(kmsg, "Killed process", log, sizeof(log), PATIENCE_MS));
	expect_of("'%s'", log);
	EXPECT_TRUE(strstr(log, want));
	EXPECT_TRUE(wait_until(hog_killed(victim), PATIENCE_MS));
	EXPECT_FALSE(hog_gone(other));
	EXPECT_EQ(last_number(), n);
	text = read_lens("events");
	EXPECT_EVENT(text, n, "kind=sysrq trigger=oomlens outcome=killed victims=1");
	EXPECT_EQ(line_number(event_line(text, "victim", n, 0), "pid"), pid);
	free(text);
	close(kmsg);
}

static void test_kills(void)
{
	struct hog a, b;

	must_hog(&a, &small);
	must_hog(&b, &large);
	/* small would never be chosen: large has adj 1000. */
	expect_kill("kill pid=%d\n", &a, &b);
	test_done("kill pid=N takes the task named");
	hog_end(&a);

	must_hog(&a, &small);
	expect_kill("kill\n", &b, &a);
	test_done("kill takes the kernel's own choice");
	hog_end(&a);
	hog_end(&b);
}

static void expect_refusal(struct hog *h, const char *command, int want)
{
	long long before = last_number();

	expect_of("'%s'", command);
	EXPECT_EQ(lens_command("trigger", "%s", command), want);
	EXPECT_EQ(last_number(), before);
	EXPECT_FALSE(hog_gone(h));
}

static void test_refusals(void)
{
	static const char * const malformed[] = {
		"\n", " ", "kil\n", "kill kill\n", "kill pid=\n", "kill pid=x\n",
		"kill pid=1x\n", "kill pid=-1\n", "kill pid=0\n", "kill pid\n",
		"kill pid=99999999999999999999\n", "kill pid=1 pid=1\n",
		"kill uid=0\n", "KILL\n", "kill\nkill\n", "pressure outcome=maybe\n",
	};
	char command[64], long_line[8192];
	unsigned int i;
	struct hog h;
	pid_t gone;
	int fd;

	must_hog(&h, &large);
	for (i = 0; i < ARRAY_SIZE(malformed); i++)
		expect_refusal(&h, malformed[i], -EINVAL);
	memset(long_line, 'k', sizeof(long_line) - 1);
	long_line[sizeof(long_line) - 1] = '\0';
	fd = must_open_lens("trigger", O_WRONLY);
	EXPECT_TRUE(write(fd, "kill\0", 5) == -1 && errno == EINVAL);
	EXPECT_EQ(write_fd(fd, long_line), -EINVAL);
	close(fd);
	EXPECT_FALSE(hog_gone(&h));
	test_done("malformed commands are refused");

	expect_refusal(&h, "kill pid=1\n", -EPERM);
	expect_refusal(&h, "kill pid=2\n", -EPERM);
	set_adj(h.pid, OOM_ADJ_NEVER);
	snprintf(command, sizeof(command), "kill pid=%d\n", h.pid);
	expect_refusal(&h, command, -EPERM);
	test_done("init, kernel threads and adj -1000 are refused");

	gone = must_fork();
	if (!gone)
		_exit(0);
	wait_until(!kill(gone, 0) && waitpid(gone, NULL, 0) == gone, PATIENCE_MS);
	snprintf(command, sizeof(command), "kill pid=%d\n", gone);
	expect_refusal(&h, command, -ESRCH);
	test_done("a task that is gone: ESRCH");
	hog_end(&h);
}

#define OWN_LIMIT	512	/* pages */

/* A run of this task, and then an OOM of its own. */
static void __noreturn run_and_eat(const char *dir)
{
	MUST(lens_command("trigger", "pressure limit=1M\n") == -ENOSPC);
	eat(dir, 1000, 2 * OWN_LIMIT * page_size());
}

static void test_own(void)
{
	char *dir, *text;
	const char *trigger;
	long long n = 0;
	int fd, status;
	pid_t pid;

	if (!cg_version() || !lens_feature("notifier")) {
		ksft_test_result_skip("no memory cgroups, or no notifier\n");
		return;
	}
	dir = must_limit("own", OWN_LIMIT);
	fd = events_open();
	pid = must_fork();
	if (!pid)
		run_and_eat(dir);
	MUST(waitpid(pid, &status, 0) == pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	text = next_killed(fd, &n);
	EXPECT_EQ(line_number(event_line(text, "victim", n, 0), "pid"), pid);
	trigger = event_word(text, n, "trigger");
	EXPECT_TRUE(trigger && strcmp(trigger, "oomlens"));
	expect_show(text);
	free(text);
	close(fd);
	free(dir);
	test_done("a later OOM of a writer is not its run's");
}

/*
 * On 5.10 memory that a driver gives back calls sysrq's OOM off. What was asked for is
 * no more likely to be killed after that: then the kernel takes the other one.
 */
static void test_called_off(void)
{
	struct hog a, b;
	char pid[16];
	int err;

	if (!loader_helper("oomlens_shortage", "")) {
		ksft_test_result_skip("no oomlens_shortage.ko\n");
		return;
	}
	must_hog(&a, &small);
	must_hog(&b, &large);
	snprintf(pid, sizeof(pid), "%d", getpid());
	EXPECT_OK(write_file(SHORTAGE "avert", pid));
	err = lens_command("trigger", "kill pid=%d\n", a.pid);
	EXPECT_OK(write_file(SHORTAGE "avert", "0"));
	if (err) {
		EXPECT_EQ(err, -EAGAIN);
		EXPECT_FALSE(hog_gone(&a));
		write_file("/proc/sysrq-trigger", "f");
		EXPECT_TRUE(wait_until(hog_killed(&b), PATIENCE_MS));
		EXPECT_FALSE(hog_gone(&a));
	} else {
		EXPECT_TRUE(wait_until(hog_killed(&a), PATIENCE_MS));
	}
	hog_end(&a);
	hog_end(&b);
	loader_no_helper("oomlens_shortage");
	test_done("a kill that is called off leaves its target as it was");
}

int main(void)
{
	test_begin(0);
	needs_trigger("sysrq");
	ksft_set_plan(7);
	oom_settings();
	test_kills();
	test_refusals();
	test_own();
	test_called_off();
	test_end();
}
