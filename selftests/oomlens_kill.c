// SPDX-License-Identifier: GPL-2.0
/*
 * A kill through trigger, judged by the kernel's own log and by the child's
 * exit status, and held against the event that was recorded. What is malformed
 * is refused and kills nobody.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/expect.h"

static const struct hog_spec small = { .anon = 1000, .comm = "small hog" };
static const struct hog_spec large = { .anon = 4000, .adj = 1000, .comm = "large" };

static char *last_event(const char *type, long long number, unsigned int nth)
{
	char *text = read_lens("events");
	char *line = event_line(text, type, number, nth);

	free(text);
	return line;
}

static long long last_number(void)
{
	char *text = read_lens("events");
	long long n = event_last(text);

	free(text);
	return n;
}

/* The kernel's record of a kill names that task. */
static bool log_names(int kmsg, pid_t pid)
{
	char line[1024], want[32];

	snprintf(want, sizeof(want), "Killed process %d ", pid);
	if (!kmsg_wait(kmsg, "Killed process", line, sizeof(line), PATIENCE_MS)) {
		ksft_print_msg("the kernel's log names no kill\n");
		return false;
	}
	if (strstr(line, want))
		return true;
	ksft_print_msg("expected '%s', the kernel says '%s'\n", want, line);
	return false;
}

static bool event_names(long long number, pid_t pid)
{
	char *event = last_event("event", number, 0);
	char *victim = last_event("victim", number, 0);
	char kind[16] = "", trigger[16] = "", outcome[16] = "";
	long long victims = 0, got = 0;
	bool good = event && victim &&
		line_string(event, "kind", kind, sizeof(kind)) &&
		line_string(event, "trigger", trigger, sizeof(trigger)) &&
		line_string(event, "outcome", outcome, sizeof(outcome)) &&
		line_number(event, "victims", &victims) &&
		line_number(victim, "pid", &got) &&
		!strcmp(kind, "sysrq") && !strcmp(trigger, "oomlens") &&
		!strcmp(outcome, "killed") && victims == 1 && got == pid;

	if (!good)
		ksft_print_msg("want victim %d: '%s' '%s'\n", pid,
			       event ? event : "no event", victim ? victim : "no victim");
	free(event);
	free(victim);
	return good;
}

static bool kill_one(const char *command, struct hog *victim, struct hog *other)
{
	int kmsg = kmsg_open();
	pid_t pid = victim->pid;
	long long before;
	bool good;
	int err;

	/* What began before may take a second to show up, without the probe. */
	wait_until(last_number() == lens_key("stats", "events"), PATIENCE_MS);
	before = last_number();
	err = lens_command("trigger", command, pid);
	if (err)
		ksft_print_msg("'%s' gave %d\n", command, err);
	good = !err && log_names(kmsg, pid) &&
	       wait_until(hog_killed(victim), PATIENCE_MS) && !hog_gone(other);
	good = good && last_number() == before + 1 && event_names(before + 1, pid);
	close(kmsg);
	return good;
}

static void test_kills(void)
{
	struct hog a, b;
	bool good;

	if (hog_start(&a, &small) || hog_start(&b, &large))
		ksft_exit_fail_msg("cannot make two hogs\n");
	/* small would never be chosen: large has adj 1000. */
	good = kill_one("kill pid=%d\n", &a, &b);
	ksft_test_result(good, "kill pid=N takes the task named\n");
	hog_end(&a);

	if (hog_start(&a, &small))
		ksft_exit_fail_msg("cannot make a hog\n");
	good = kill_one("kill\n", &b, &a);
	ksft_test_result(good, "kill takes the kernel's own choice\n");
	hog_end(&a);
	hog_end(&b);
}

static bool refused(struct hog *h, const char *command, int want)
{
	long long before = last_number();
	int err = lens_command("trigger", "%s", command);

	if (err == want && last_number() == before && !hog_gone(h))
		return true;
	ksft_print_msg("'%s' gave %d, not %d; %lld events; hog %s\n", command, err,
		       want, last_number() - before, hog_gone(h) ? "gone" : "there");
	return false;
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
	bool good = true;
	unsigned int i;
	struct hog h;
	pid_t gone;

	if (hog_start(&h, &large))
		ksft_exit_fail_msg("cannot make a hog\n");
	for (i = 0; i < ARRAY_SIZE(malformed); i++)
		good &= refused(&h, malformed[i], -EINVAL);
	memset(long_line, 'k', sizeof(long_line) - 1);
	long_line[sizeof(long_line) - 1] = '\0';
	i = open(lens_path("trigger"), O_WRONLY);
	if (write(i, "kill\0", 5) != -1 || errno != EINVAL ||
	    write(i, long_line, strlen(long_line)) != -1 || errno != EINVAL) {
		ksft_print_msg("a NUL or a long line was not refused\n");
		good = false;
	}
	close(i);
	ksft_test_result(good && !hog_gone(&h), "malformed commands are refused\n");

	good = refused(&h, "kill pid=1\n", -EPERM) &&
	       refused(&h, "kill pid=2\n", -EPERM);
	set_adj(h.pid, OOM_ADJ_NEVER);
	snprintf(command, sizeof(command), "kill pid=%d\n", h.pid);
	good &= refused(&h, command, -EPERM);
	ksft_test_result(good, "init, kernel threads and adj -1000 are refused\n");

	gone = fork();
	if (!gone)
		_exit(0);
	wait_until(!kill(gone, 0) && waitpid(gone, NULL, 0) == gone, PATIENCE_MS);
	snprintf(command, sizeof(command), "kill pid=%d\n", gone);
	ksft_test_result(refused(&h, command, -ESRCH), "a task that is gone: ESRCH\n");
	hog_end(&h);
}

int main(void)
{
	test_begin(0);
	if (!lens_feature("debugfs"))
		ksft_exit_skip("no debugfs, so no trigger\n");
	if (!lens_writable())
		ksft_exit_skip("loaded without trigger=1\n");
	if (!lens_feature("sysrq"))
		ksft_exit_skip("no CONFIG_MAGIC_SYSRQ\n");
	ksft_set_plan(5);
	setting_write("/proc/sys/kernel/sysrq", "1");
	/* The dump of all tasks is the kernel's, and slow on a serial line. */
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	test_kills();
	test_refusals();
	ksft_exit(!ksft_get_fail_cnt());
}
