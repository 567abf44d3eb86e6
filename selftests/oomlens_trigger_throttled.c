// SPDX-License-Identifier: GPL-2.0
/*
 * kill pid=N by a writer that is throttled for nearly all of each second: the
 * victim's memory does not wait for it. The judge of the death is wait(2), of the
 * time the event.
 */
#include <signal.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"

/* Most of them count: one may wait for a processor of the host. */
#define KILLS		3
/* The writer has 1 ms of processor time in 1 s. */
#define QUOTA		"1000 1000000"
#define FREED_US	300000

/* A cgroup with that quota; NULL without cgroup v2's cpu controller. */
static char *slow_cgroup(void)
{
	char *dir = must_cgroup(NULL, "slow"), path[512], *end;

	snprintf(path, sizeof(path), "%s", dir);
	end = strrchr(path, '/');
	snprintf(end, sizeof(path) - (end - path), "/cgroup.subtree_control");
	write_file(path, "+cpu");
	snprintf(path, sizeof(path), "%s/cpu.max", dir);
	return write_file(path, QUOTA) ? NULL : dir;
}

/* Was the memory back in time? */
static bool kill_one(const char *cgroup)
{
	const struct hog_spec spec = { .anon = 1000 };
	struct hog target;
	char command[32], *text;
	int status = 0;
	pid_t writer;
	long long n, freed;

	must_hog(&target, &spec);
	snprintf(command, sizeof(command), "kill pid=%d", target.pid);
	writer = must_fork();
	if (!writer) {
		MUST_OK(cg_attach(cgroup, 0));
		_exit(-lens_command("trigger", "%s", command));
	}
	/* The writer may take many seconds for it, on a busy host above all. */
	EXPECT_TRUE(wait_until(hog_killed(&target), 4 * PATIENCE_MS));
	MUST(waitpid(writer, &status, 0) == writer);
	EXPECT_EQ(status, 0);
	text = must_read_lens("events");
	n = event_last(text);
	free(text);
	/* The recorder's thread adds the times, perhaps after the death was seen. */
	EXPECT_TRUE(times_come(n));
	text = must_read_lens("events");
	EXPECT_EQ(line_number(event_line(text, "victim", n, 0), "pid"), target.pid);
	freed = line_number(event_line(text, "victim", n, 0), "freed_us");
	ksft_print_msg("its memory was back after %lld us\n", freed);
	EXPECT_GT(freed, 0);
	expect_show(text);
	free(text);
	return freed < FREED_US;
}

int main(void)
{
	int i, quick = 0;
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
		quick += kill_one(cgroup);
	EXPECT_GT(quick, KILLS / 2);
	test_done("a victim's memory does not wait for a throttled writer");
	test_end();
}
