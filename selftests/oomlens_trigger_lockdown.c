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
	"badness", "overcommit", "commit", "events", "features", "stats",
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

static bool begins(const char *dir, const char *file)
{
	char path[128], want[64], *text;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(want, sizeof(want), "# oomlens %s 1\n", file);
	text = read_file(path);
	good = text && !strncmp(text, want, strlen(want));
	if (!good)
		ksft_print_msg("%s: %s\n", path, text ? "begins otherwise" : strerror(errno));
	free(text);
	return good;
}

static bool cannot_open(const char *file)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	char path[128];
	bool good = true;
	unsigned int i;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/oomlens/%s", file);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = open(path, modes[i]);
		if (fd < 0 && errno == EPERM)
			continue;
		ksft_print_msg("open of %s, mode %d: %s\n", file, modes[i],
			       fd < 0 ? strerror(errno) : "done");
		close(fd);
		good = false;
	}
	return good;
}

static bool writes_refused(const struct hog *target)
{
	static const char * const commands[] = {
		"kill\n", "pressure\n", "pressure limit=1M\n", "pressure outcome=kill\n",
		"nonsense\n",
	};
	struct snapshot *before;
	char command[64];
	bool good = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		before = snapshot_take();
		good &= refused(before, commands[i], write_fd(trigger_fd, commands[i]), -EPERM);
	}
	snprintf(command, sizeof(command), "kill pid=%d\n", target->pid);
	before = snapshot_take();
	good &= refused(before, command, write_fd(trigger_fd, command), -EPERM);
	before = snapshot_take();
	good &= refused(before, "reserve 1M", write_fd(reserve_fd, "1M\n"), -EPERM);
	before = snapshot_take();
	return refused(before, "reserve 0", write_fd(reserve_fd, "0\n"), -EPERM) && good;
}

/* The module reads the kernel's values through a procfs mount of its own. */
static bool values_right(void)
{
	long long limit = lens_key("overcommit", "commit_limit") * (long long)page_size() / 1024;
	long long swap = lens_key("overcommit", "swap_total") * (long long)page_size() / 1024;
	bool good = limit == meminfo_kb("CommitLimit") && swap == meminfo_kb("SwapTotal") &&
		    lens_key("overcommit", "mode") == file_number("/proc/sys/vm/overcommit_memory");

	if (!good)
		ksft_print_msg("commit_limit %lld kB, swap_total %lld kB\n", limit, swap);
	return good;
}

/* An OOM is recorded, with its victim. */
static bool oom_seen(const char *level)
{
	struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "oom" };
	long long events = lens_key("stats", "events"), pid = 0;
	char *cg, *text, *line;
	struct hog h;
	bool good;

	if (!cg_version() || !lens_feature("oom_probe"))
		return true;
	cg = cg_create(NULL, level);
	if (cg_limit(cg, 2000))
		ksft_exit_fail_msg("cannot limit a cgroup\n");
	spec.cgroup = cg;
	if (hog_start(&h, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	hog_do(&h, HOG_CHURN, 4000);
	good = wait_until(hog_killed(&h), PATIENCE_MS) &&
	       wait_until(lens_key("stats", "events") > events, PATIENCE_MS);
	/* The dying hog may call the OOM killer once more: an event of its own. */
	text = read_lens("events");
	line = event_line(text, "victim", events + 1, 0);
	good = good && line && line_number(line, "pid", &pid) && pid == h.pid;
	if (!good)
		ksft_print_msg("the victim is %d, the event says %lld\n", h.pid, pid);
	free(line);
	free(text);
	hog_end(&h);
	return good;
}

static void test_level(const char *level, const struct hog *target)
{
	bool good = true;
	unsigned int i;

	if (!locked(level))
		ksft_exit_fail_msg("no lockdown by %s\n", level);
	ksft_test_result(writes_refused(target), "%s: what was open takes no command: EPERM\n",
			 level);
	ksft_test_result(cannot_open("trigger") & cannot_open("reserve"),
			 "%s: the kernel opens neither of the two\n", level);
	for (i = 0; i < ARRAY_SIZE(readable); i++)
		good &= begins("/proc/oomlens", readable[i]) &
			begins("/sys/kernel/debug/oomlens", readable[i]);
	ksft_test_result(good & values_right(), "%s: the other files are read, and right\n",
			 level);
	ksft_test_result(oom_seen(level), "%s: an OOM is recorded\n", level);
}

int main(void)
{
	const struct hog_spec spec = { .anon = 500, .adj = 500, .comm = "target" };
	struct hog target;
	char *text;

	test_begin(0);
	if (!env_number("OOMLENS_LOCKDOWN", 0))
		ksft_exit_skip("would lock the machine down until it boots: OOMLENS_LOCKDOWN=1\n");
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("sysrq"))
		ksft_exit_skip("needs debugfs, sysrq and trigger=1\n");
	if (access(LOCKDOWN, W_OK) && (mount("securityfs", "/sys/kernel/security", "securityfs",
					     0, NULL) || access(LOCKDOWN, W_OK)))
		ksft_exit_skip("no CONFIG_SECURITY_LOCKDOWN_LSM\n");
	text = read_file(LOCKDOWN);
	if (!text || !strstr(text, "[none]"))
		ksft_exit_skip("locked down already\n");
	free(text);
	ksft_set_plan(9);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	if (hog_start(&target, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	trigger_fd = open(lens_path("trigger"), O_WRONLY);
	reserve_fd = open(lens_path("reserve"), O_WRONLY);
	ksft_test_result(write_fd(trigger_fd, "pressure limit=1M\n") == -ENOSPC &&
			 !write_fd(reserve_fd, "1M\n"),
			 "before it, commands are taken\n");
	test_level("integrity", &target);
	test_level("confidentiality", &target);
	hog_end(&target);
	ksft_exit(!ksft_get_fail_cnt());
}
