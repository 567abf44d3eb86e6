// SPDX-License-Identifier: GPL-2.0
/*
 * An allocation that fails while pressure has the memory, and gets to the OOM
 * killer only when all of it is back: nobody dies of that, and of a real shortage
 * right after it somebody does. Judged by /proc/vmstat and by who is alive.
 */
#include <signal.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/free.h"
#include "lib/loader.h"
#include "lib/writer.h"

/* What the ballast leaves; of this a run takes the most. */
#define LEFT_PAGES	16384
#define TAKEN_PAGES	8192

static struct hog chosen, asker;

static bool ended(pid_t writer)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, writer, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

/*
 * Takes memory until somebody is killed: the writer, or whom the OOM killer takes.
 * Little at a time at the end, so that what it takes too much is soon made up for.
 */
static void ask(struct hog *hog, pid_t writer, long long kills)
{
	int err = 0;

	while (!err && kernel_kills() == kills && !(writer && ended(writer)))
		err = hog_do(hog, HOG_GROW,
			     free_memory_kb() * 1024 / (long long)page_size() > 4096 ? 256 : 64);
	if (err && kernel_kills() == kills)
		ksft_print_msg("memory does not run out: %s\n", strerror(-err));
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
	ask(&asker, writer, kills);
	text = next_event(fd, &n);
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

/* It goes itself, with all that it took: the kernel has no reason to go on. */
static void test_real(void)
{
	const struct hog_spec spec = { .anon = 200, .adj = 1000, .comm = "greedy" };
	long long kills = kernel_kills();
	struct hog greedy;

	if (hog_start(&greedy, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	ask(&greedy, 0, kills);
	ksft_test_result(wait_until(hog_killed(&greedy), PATIENCE_MS),
			 "and then it is out: who takes the most dies\n");
	hog_end(&greedy);
}

int main(void)
{
	const struct hog_spec first_in_line = { .anon = 100, .adj = 1000, .comm = "chosen" };
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
		test_real();
	else
		ksft_test_result_fail("and then it is out: not tried\n");
	close(fd);
	hog_end(&asker);
	hog_end(&chosen);
	ballast_end(&ballast);
	loader_no_helper("oomlens_shortage");
	ksft_exit(!ksft_get_fail_cnt());
}
