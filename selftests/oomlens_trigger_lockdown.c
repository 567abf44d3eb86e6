// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel lockdown, which came after the module was loaded and its files were
 * opened: nothing can be changed any more, through no descriptor, and what only
 * reads still reads right. A lockdown lasts until the next boot, so this runs
 * where it was asked for only: $OOMLENS_LOCKDOWN=1.
 */
#include <fcntl.h>
#include <sys/mount.h>

#include "lib/expect.h"
#include "lib/unchanged.h"

#define LOCKDOWN	"/sys/kernel/security/lockdown"

/* Opened while that was allowed. */
static int trigger_fd, reserve_fd;

static const char * const readable[] = {
	"badness", "overcommit", "memory", "commit", "objects", "events", "history", "features",
	"stats",
};

static bool locked(const char *level)
{
	char want[64], *text;
	bool good;

	if (write_file(LOCKDOWN, level))
		return false;
	snprintf(want, sizeof(want), "[%s]", level);
	text = read_file(LOCKDOWN);
	good = text && strstr(text, want);
	free(text);
	return good;
}

static void expect_begins(const char *dir, const char *file)
{
	char path[128], want[64], *text;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(want, sizeof(want), "# oomlens %s 1\n", file);
	text = read_file(path);
	expect_of("%s", path);
	EXPECT_TRUE(text && !strncmp(text, want, strlen(want)));
	free(text);
}

static void expect_no_open(const char *file)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	char path[128];
	unsigned int i;

	snprintf(path, sizeof(path), "/sys/kernel/debug/oomlens/%s", file);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		expect_of("%s, mode %d", path, modes[i]);
		EXPECT_TRUE(open(path, modes[i]) < 0 && errno == EPERM);
	}
}

static void expect_no_command(int fd, const char *command)
{
	struct snapshot *before = snapshot_take();

	expect_refused(before, command, write_fd(fd, command), -EPERM);
}

static void expect_writes_refused(const struct hog *target)
{
	static const char * const commands[] = {
		"kill\n", "pressure\n", "pressure limit=1M\n", "pressure outcome=kill\n",
		"nonsense\n",
	};
	char command[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		expect_no_command(trigger_fd, commands[i]);
	snprintf(command, sizeof(command), "kill pid=%d\n", target->pid);
	expect_no_command(trigger_fd, command);
	expect_no_command(reserve_fd, "1M\n");
	expect_no_command(reserve_fd, "0\n");
}

/* The module reads the kernel's values through a procfs mount of its own. */
static void expect_values(void)
{
	const long long kb = page_size() / 1024;

	EXPECT_EQ(lens_key("overcommit", "commit_limit") * kb, meminfo_kb("CommitLimit"));
	EXPECT_EQ(lens_key("overcommit", "swap_total") * kb, meminfo_kb("SwapTotal"));
	EXPECT_EQ(lens_key("overcommit", "mode"), file_number("/proc/sys/vm/overcommit_memory"));
}

/* An OOM is recorded, with its victim. */
static void expect_oom(const char *level)
{
	struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "oom" };
	long long events = lens_key("stats", "events");
	char *cg, *text;
	struct hog h;

	cg = must_cgroup(NULL, level);
	MUST_OK(cg_limit(cg, 2000));
	spec.cgroup = cg;
	must_hog(&h, &spec);
	hog_do(&h, HOG_CHURN, 4000);
	EXPECT_TRUE(wait_until(hog_killed(&h), PATIENCE_MS));
	EXPECT_TRUE(wait_until(lens_key("stats", "events") > events, PATIENCE_MS));
	/* The dying hog may call the OOM killer once more: an event of its own. */
	text = read_lens("events");
	EXPECT_EQ(line_number(event_line(text, "victim", events + 1, 0), "pid"), h.pid);
	expect_show(text);
	free(text);
	hog_end(&h);
}

static void test_level(const char *level, const struct hog *target)
{
	unsigned int i;

	MUST(locked(level));
	expect_writes_refused(target);
	test_done("%s: what was open takes no command: EPERM", level);
	expect_no_open("trigger");
	expect_no_open("reserve");
	test_done("%s: the kernel opens neither of the two", level);
	for (i = 0; i < ARRAY_SIZE(readable); i++) {
		expect_begins("/proc/oomlens", readable[i]);
		expect_begins("/sys/kernel/debug/oomlens", readable[i]);
	}
	expect_values();
	test_done("%s: the other files are read, and right", level);
	if (!cg_version() || !lens_feature("oom_probe")) {
		ksft_test_result_skip("%s: no memory cgroups, or no return probe\n", level);
		return;
	}
	expect_oom(level);
	test_done("%s: an OOM is recorded", level);
}

int main(void)
{
	const struct hog_spec spec = { .anon = 500, .adj = 500, .comm = "target" };
	struct hog target;
	char *text;

	test_begin(0);
	if (!env_number("OOMLENS_LOCKDOWN", 0))
		ksft_exit_skip("not OOMLENS_LOCKDOWN=1\n");
	needs_trigger("sysrq");
	if (access(LOCKDOWN, W_OK) && (mount("securityfs", "/sys/kernel/security", "securityfs",
					     0, NULL) || access(LOCKDOWN, W_OK)))
		ksft_exit_skip("no CONFIG_SECURITY_LOCKDOWN_LSM\n");
	text = read_file(LOCKDOWN);
	if (!text || !strstr(text, "[none]"))
		ksft_exit_skip("locked down already\n");
	free(text);
	ksft_set_plan(9);
	oom_settings();
	must_hog(&target, &spec);
	trigger_fd = must_open_lens("trigger", O_WRONLY);
	reserve_fd = must_open_lens("reserve", O_WRONLY);
	EXPECT_EQ(write_fd(trigger_fd, "pressure limit=1M\n"), -ENOSPC);
	EXPECT_OK(write_fd(reserve_fd, "1M\n"));
	test_done("before it, commands are taken");
	test_level("integrity", &target);
	test_level("confidentiality", &target);
	hog_end(&target);
	test_end();
}
