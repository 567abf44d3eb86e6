// SPDX-License-Identifier: GPL-2.0
/*
 * kill pid=N by a writer that is throttled nearly all of the time: the
 * victim's memory does not wait for it. The judge of the death is wait(2), of the
 * time the event.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"

/* Most of them count: one may wait for a processor of the host. */
#define KILLS		3
/* The writer has 1 ms of processor time in 400 ms. */
#define QUOTA		"1000 400000"
#define FREED_US	200000

static int set_quota(const char *dir, const char *quota)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/cpu.max", dir);
	return write_file(path, quota);
}

/* A cgroup with that quota; NULL without cgroup v2's cpu controller. */
static char *slow_cgroup(void)
{
	char *dir = must_cgroup(NULL, "slow"), path[512], *end;

	snprintf(path, sizeof(path), "%s", dir);
	end = strrchr(path, '/');
	snprintf(end, sizeof(path) - (end - path), "/cgroup.subtree_control");
	write_file(path, "+cpu");
	return set_quota(dir, QUOTA) ? NULL : dir;
}

/* A kill of @target by a process that has the quota for the write alone. */
static pid_t throttled_kill(const char *cgroup, pid_t target)
{
	pid_t writer = must_fork();
	char command[32];
	int fd;

	if (writer)
		return writer;
	snprintf(command, sizeof(command), "kill pid=%d", target);
	fd = must_open_lens("trigger", O_RDWR);
	MUST_OK(cg_attach(cgroup, 0));
	_exit(-write_fd(fd, command));
}

/* Was the memory back in time, and the writer not yet? */
static void kill_one(const char *cgroup, int *quick, int *throttled)
{
	const struct hog_spec spec = { .anon = 1000 };
	struct hog target;
	int status = 0;
	long long n, freed;
	pid_t writer;
	char *text;

	must_hog(&target, &spec);
	writer = throttled_kill(cgroup, target.pid);
	/* The writer may take many seconds for it, on a busy host above all. */
	EXPECT_TRUE(wait_until(hog_killed(&target), 4 * PATIENCE_MS));
	text = must_read_lens("events");
	n = event_last(text);
	free(text);
	/* The recorder's thread adds the times, perhaps after the death was seen. */
	EXPECT_TRUE(times_come(n));
	*throttled += !waitpid(writer, &status, WNOHANG);
	/* Or it works off its debt of time, many seconds on a busy host. */
	EXPECT_OK(set_quota(cgroup, "max"));
	waitpid(writer, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_OK(set_quota(cgroup, QUOTA));
	text = must_read_lens("events");
	EXPECT_EQ(line_number(event_line(text, "victim", n, 0), "pid"), target.pid);
	freed = line_number(event_line(text, "victim", n, 0), "freed_us");
	ksft_print_msg("its memory was back after %lld us\n", freed);
	EXPECT_GT(freed, 0);
	expect_show(text);
	free(text);
	*quick += freed < FREED_US;
}

int main(void)
{
	int i, quick = 0, throttled = 0;
	char *cgroup;

	test_begin(0);
	needs_trigger("sysrq");
	oom_settings();
	MUST_OK(setting_write("/proc/sys/kernel/sysrq", "1"));
	cgroup = cg_version() == 2 ? slow_cgroup() : NULL;
	if (!cgroup)
		ksft_exit_skip("no cpu controller of cgroup v2\n");
	ksft_set_plan(1);
	for (i = 0; i < KILLS; i++)
		kill_one(cgroup, &quick, &throttled);
	EXPECT_GT(quick, KILLS / 2);
	EXPECT_GT(throttled, 0);
	test_done("a victim's memory does not wait for a throttled writer");
	test_end();
}
