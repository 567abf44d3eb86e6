// SPDX-License-Identifier: GPL-2.0
/*
 * On a slow console: the kernel's dump lies between an OOM's beginning and the
 * mark, and takes seconds. Without the return probe it is one event all the
 * same, and of a global OOM; and what oomlens itself has to say in the log is
 * no part of the time that a victim takes to exit.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/syscall.h>

#include "oomlens_events.h"
#include "oomlens_loader.h"

/* A byte takes so long, and from the mark on the kernel's own last line. */
#define BYTE_US		"1000"
#define BYTE_PARAMETER	"byte_us=" BYTE_US
#define KILLED_US	330000

static bool console_load(void)
{
	static const char *const places[] = { "", "/module" };
	char dir[PATH_MAX - 64], ko[PATH_MAX];
	unsigned int i;
	int fd = -1, err;

	if (!loader_ko())
		return false;
	snprintf(dir, sizeof(dir), "%s", loader_ko());
	dirname(dir);
	for (i = 0; fd < 0 && i < ARRAY_SIZE(places); i++) {
		snprintf(ko, sizeof(ko), "%s%s/oomlens_console.ko", dir, places[i]);
		fd = open(ko, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return false;
	err = syscall(SYS_finit_module, fd, BYTE_PARAMETER, 0);
	close(fd);
	return !err;
}

static void console_unload(void)
{
	syscall(SYS_delete_module, "oomlens_console", O_NONBLOCK);
}

/* One kill by sysrq: its event, and no other. */
static char *kill_slowly(const char *parameters, long long *n)
{
	static const struct hog_spec spec = { .anon = 500, .adj = 1000, .comm = "slow" };
	struct hog hog;
	char *text;
	int fd;

	if (loader_unload() || loader_load(parameters) || hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot load with %s\n", parameters);
	fd = events_open();
	setting_write("/proc/sys/kernel/printk", "7");
	write_file("/proc/sysrq-trigger", "f");
	text = wait_until(hog_killed(&hog), PATIENCE_MS) ? next_event(fd, n) : NULL;
	setting_write("/proc/sys/kernel/printk", "1");
	if (!wait_until(times_come(*n), PATIENCE_MS)) {
		free(text);
		text = NULL;
	}
	hog_end(&hog);
	if (text) {
		free(text);
		text = read_lens("events");
	}
	close(fd);
	return text;
}

static void test_one_event(void)
{
	long long n = 0;
	char *text = kill_slowly("sources=3", &n);

	ksft_test_result(text && event_has(text, n, "kind", "global") &&
			 event_has(text, n, "outcome", "killed") &&
			 event_has(text, n, "victims", "1") &&
			 lens_key("stats", "events") == 1,
			 "without the return probe: one event, a global one\n");
	free(text);
}

static void test_times(void)
{
	long long n = 0, exit_us = -1;
	char *text = kill_slowly("", &n), *line = text ? event_line(text, "victim", n, 0) : NULL;
	bool good = line && line_number(line, "exit_us", &exit_us) && exit_us < KILLED_US;

	if (!good)
		ksft_print_msg("exit_us is %lld in '%s'\n", exit_us, line ? line : "nothing");
	ksft_test_result(good, "exit_us without the module's own line\n");
	free(line);
	free(text);
}

int main(void)
{
	char before[256];

	test_begin(0);
	if (!lens_feature("notifier") || !lens_feature("mark_victim") || !lens_feature("sysrq"))
		ksft_exit_skip("needs the notifier, mark_victim and sysrq\n");
	snprintf(before, sizeof(before), "%s", loader_parameters());
	setting_write("/proc/sys/kernel/printk", "1");
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	if (!console_load())
		ksft_exit_skip("no oomlens_console.ko: build with OOMLENS_TESTS=1\n");
	ksft_set_plan(2);
	test_one_event();
	test_times();
	console_unload();
	loader_unload();
	loader_load(before);
	ksft_exit(!ksft_get_fail_cnt());
}
