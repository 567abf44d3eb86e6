// SPDX-License-Identifier: GPL-2.0
/*
 * On a slow console: the kernel's dump lies between an OOM's beginning and the
 * mark, and takes seconds. Without the return probe it is still one event, of a
 * global OOM, and a group kill is one too; the module's own line in the log adds
 * nothing to the time that a victim takes to exit; and of a block that takes long to
 * print no line is dropped that was added to the event meanwhile.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define CONSOLE		"oomlens_console"
/* Time of one byte on the console. */
#define BYTE_PARAMETER	"byte_us=300"

/* One kill by sysrq: its event, and no other. */
static char *kill_slowly(const char *parameters, long long *n)
{
	static const struct hog_spec spec = { .anon = 500, .adj = 1000, .comm = "slow" };
	struct hog hog;
	char *text;
	int fd;

	must_reload(parameters);
	must_hog(&hog, &spec);
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

	EXPECT_EVENT(text, n, "kind=global outcome=killed victims=1");
	EXPECT_EQ(lens_key("stats", "events"), 1);
	expect_show(text);
	test_done("without the return probe: one event, a global one");
	free(text);
}

#define MEMBERS		3

/*
 * Between two marks of a group the kernel prints a line or two. The event is read in the
 * moment in which it is published.
 */
static void test_group(void)
{
	struct hog_spec spec = { .anon = 100, .comm = "slow" };
	char *dir = must_limit("slow", 4096), *text;
	struct hog hog[MEMBERS];
	long long n = 0;
	unsigned int i;
	pid_t pid;
	int fd;

	must_reload("sources=3");
	MUST_OK(cg_oom_group(dir, true));
	spec.cgroup = dir;
	for (i = 0; i < MEMBERS; i++)
		must_hog(&hog[i], &spec);
	fd = events_open();
	setting_write("/proc/sys/kernel/printk", "7");
	pid = MUST_GET(fork());
	if (!pid) {
		hog_do(&hog[1], HOG_GROW, 8192);
		_exit(0);
	}
	text = next_killed(fd, &n);
	waitpid(pid, NULL, 0);
	for (i = 0; i < MEMBERS; i++)
		EXPECT_TRUE(wait_until(hog_killed(&hog[i]), PATIENCE_MS));
	setting_write("/proc/sys/kernel/printk", "1");
	EXPECT_EVENT(text, n, "kind=memcg outcome=killed victims=%d", MEMBERS);
	expect_show(text);
	test_done("without the return probe: a group kill is published whole");
	for (i = 0; i < MEMBERS; i++)
		hog_end(&hog[i]);
	close(fd);
	free(text);
	free(dir);
}

/*
 * Judged by the order in the log: the victim cannot give its memory back before
 * the test releases its mmap_lock, which is when the event can be read; the
 * module's own line, a tenth of a second on this console, comes after that.
 */
#define LET_GO		"the victim's mmap_lock is free"

static void test_times(void)
{
	static const struct hog_spec spec = { .anon = 500, .adj = 1000, .comm = "slow" };
	long long n = 0;
	int fd = events_open(), kmsg = kmsg_open();
	char *text, log[256];
	pid_t holder;
	struct hog hog;

	must_hog(&hog, &spec);
	holder = mmap_lock_hold(hog.pid);
	setting_write("/proc/sys/kernel/printk", "7");
	write_file("/proc/sysrq-trigger", "f");
	text = next_event(fd, &n);
	/* Of a level that the console does not take. */
	write_file("/dev/kmsg", "<7>" LET_GO);
	mmap_lock_release(holder);
	free(text);
	EXPECT_GT(holder, 0);
	EXPECT_TRUE(wait_until(hog_killed(&hog), PATIENCE_MS));
	EXPECT_TRUE(wait_until(times_come(n), PATIENCE_MS));
	setting_write("/proc/sys/kernel/printk", "1");
	hog_end(&hog);
	text = read_lens("events");
	EXPECT_GE(line_number(event_line(text, "victim", n, 0), "freed_us"), 0);
	expect_show(text);
	/* In this order: kmsg_wait() goes on from the record it has found. */
	EXPECT_TRUE(kmsg_wait(kmsg, LET_GO, log, sizeof(log), PATIENCE_MS));
	EXPECT_TRUE(kmsg_wait(kmsg, "oomlens: event ", log, sizeof(log), PATIENCE_MS));
	test_done("freed_us without the module's own line");
	close(kmsg);
	close(fd);
	free(text);
}

/* The block of event n, to its end: all its lines are there. */
static void expect_whole(int kmsg, long long n)
{
	char log[2048] = "", end[32];
	long long lines = 0;

	snprintf(end, sizeof(end), "oomlens: end %lld ", n);
	while (kmsg_wait(kmsg, "oomlens: ", log, sizeof(log), PATIENCE_MS) && !strstr(log, end))
		lines += !strstr(log, "oomlens: block ") && !strstr(log, " + ");
	EXPECT_EQ(line_number(log, "lines"), lines);
	EXPECT_EQ(line_number(log, "dropped"), 0);
	expect_show(log);
}

/* Which of the two goes first is not known. */
static bool one_more_killed(struct hog *hogs, bool *dead)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (dead[i] || !hog_killed(&hogs[i]))
			continue;
		dead[i] = true;
		return true;
	}
	return false;
}

/*
 * A block takes a second to print, and the lines that tell of objects are made
 * meanwhile. Of two events, as the victim's times may hold the first block back.
 */
static void test_late_lines(void)
{
	static const struct hog_spec small = { .anon = 500, .adj = 1000, .comm = "slow" };
	struct hog_spec object = { .shmem = lens_key("overcommit", "ram") / 8 };
	struct hog holder, hogs[2];
	bool dead[2] = { false, false };
	int kmsg = kmsg_open(), i;

	must_reload("log=2");
	must_hog(&holder, &object);
	for (i = 0; i < 2; i++)
		must_hog(&hogs[i], &small);
	setting_write("/proc/sys/kernel/printk", "7");
	for (i = 0; i < 2; i++) {
		write_file("/proc/sysrq-trigger", "f");
		EXPECT_TRUE(wait_until(one_more_killed(hogs, dead), PATIENCE_MS));
	}
	expect_whole(kmsg, 1);
	expect_whole(kmsg, 2);
	setting_write("/proc/sys/kernel/printk", "1");
	test_done("a block with lines that come late");
	for (i = 0; i < 2; i++)
		hog_end(&hogs[i]);
	hog_end(&holder);
	close(kmsg);
}

int main(void)
{
	char before[256];

	test_begin(0);
	if (!lens_feature("notifier") || !lens_feature("mark_victim") || !lens_feature("sysrq"))
		ksft_exit_skip("needs the notifier, mark_victim and sysrq\n");
	snprintf(before, sizeof(before), "%s", loader_parameters());
	oom_settings();
	if (!loader_helper(CONSOLE, BYTE_PARAMETER))
		ksft_exit_skip("no oomlens_console.ko: build with OOMLENS_TESTS=1\n");
	ksft_set_plan(4);
	test_one_event();
	if (cg_version() == 2)
		test_group();
	else
		ksft_test_result_skip("no cgroup v2\n");
	loader_unload();
	loader_load(before);
	if (loader_helper("oomlens_shortage", ""))
		test_times();
	else
		ksft_test_result_skip("no oomlens_shortage.ko\n");
	loader_no_helper("oomlens_shortage");
	test_late_lines();
	loader_unload();
	loader_load(before);
	loader_no_helper(CONSOLE);
	test_end();
}
