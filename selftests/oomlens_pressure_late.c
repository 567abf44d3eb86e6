// SPDX-License-Identifier: GPL-2.0
/*
 * An allocation that fails while pressure has the memory, and gets to the OOM
 * killer only when all of it is back: nobody dies of that, and of a real shortage
 * right after it somebody does. Judged by /proc/vmstat and by who is alive.
 */
#include <signal.h>
#include <sys/wait.h>

#include "oomlens_events.h"
#include "oomlens_free.h"
#include "oomlens_loader.h"

/* What the ballast leaves; of this a run takes the most. */
#define LEFT_PAGES	16384
#define TAKEN_PAGES	8192

/* By which the shortage is overstepped. */
#define STEP_PAGES	64

static struct hog chosen, asker;

/* Takes memory until there is an event (or, at the end of patience, none). */
static char *ask(int fd, long long *n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	unsigned int i;

	for (i = 0; i < 2 * LEFT_PAGES / STEP_PAGES && poll(&pfd, 1, 0) <= 0; i++)
		if (hog_do(&asker, HOG_GROW, STEP_PAGES))
			break;
	return next_event(fd, n);
}

static void test_late(int fd)
{
	long long kills = kernel_kills(), before = free_memory_kb(), n = 0;
	long long taken_kb = TAKEN_PAGES * (long long)page_size() / 1024;
	char *text, command[64], pid[16];
	pid_t writer;
	int status;
	bool good;

	snprintf(command, sizeof(command), "pressure limit=%lldK hold=60000", taken_kb);
	writer = writer_start(command, NULL);
	snprintf(pid, sizeof(pid), "%d", writer);
	good = wait_until(before - free_memory_kb() > taken_kb * 9 / 10, PATIENCE_MS);
	good = good && !write_file(SHORTAGE "end", pid);
	text = ask(fd, &n);
	/* It is killed by the first OOM alone. */
	status = writer_end(writer);
	good = good && status == SIGKILL && kernel_kills() == kills && !hog_gone(&chosen) &&
	       text && event_has(text, n, "outcome", "averted") &&
	       event_has(text, n, "by", "pressure");
	if (!good)
		ksft_print_msg("the writer's end %d, kills %lld, '%s'\n", status,
			       kernel_kills() - kills, text ? text : "no event");
	ksft_test_result(good, "memory came back meanwhile: nobody dies\n");
	free(text);
}

static void test_real(int fd)
{
	long long kills = kernel_kills(), n = 0;
	char *text = ask(fd, &n);
	bool good = text && event_has(text, n, "outcome", "killed") &&
		    wait_until(hog_killed(&chosen), PATIENCE_MS) && kernel_kills() == kills + 1;

	if (!good)
		ksft_print_msg("kills %lld, '%s'\n", kernel_kills() - kills,
			       text ? text : "no event");
	ksft_test_result(good, "and then it is out: the chosen one dies\n");
	free(text);
}

int main(void)
{
	/* Large: what it gives back is to be enough, or another dies too. */
	const struct hog_spec first_in_line = { .anon = 4000, .adj = 1000, .comm = "chosen" };
	const struct hog_spec never = { .anon = 1, .adj = OOM_ADJ_NEVER, .comm = "asker" };
	struct ballast ballast;
	int fd;

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("notifier"))
		ksft_exit_skip("needs debugfs, the OOM notifier and trigger=1\n");
	if (!loader_helper("oomlens_shortage", ""))
		ksft_exit_skip("no oomlens_shortage.ko: build with OOMLENS_TESTS=1\n");
	ksft_set_plan(2);
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	setting_write("/proc/sys/kernel/printk", "1");
	/* A cache would be dropped meanwhile, and its memory be taken for the run's. */
	write_file("/proc/sys/vm/drop_caches", "3");
	ballast_start(&ballast, LEFT_PAGES * (long long)page_size() / 1024);
	if (hog_start(&chosen, &first_in_line) || hog_start(&asker, &never))
		ksft_exit_fail_msg("cannot make a hog\n");
	fd = events_open();
	test_late(fd);
	/* Else who runs the tests would be next. */
	if (!ksft_get_fail_cnt())
		test_real(fd);
	else
		ksft_test_result_fail("and then it is out: not tried\n");
	close(fd);
	hog_end(&asker);
	hog_end(&chosen);
	ballast_end(&ballast);
	loader_no_helper("oomlens_shortage");
	ksft_exit(!ksft_get_fail_cnt());
}
