// SPDX-License-Identifier: GPL-2.0
/*
 * An allocation that fails while pressure has the memory, and gets to the OOM
 * killer only when all of it is back: no task dies of that, and of a real shortage
 * right after it one does. Judged by /proc/vmstat and by the tasks that are left.
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

#define SPARE		8	/* tasks for kills that are not the test's */

static struct hog chosen, asker;

static bool ended(pid_t writer)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, writer, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

/*
 * Takes memory until a task is killed: the writer, or the OOM killer's choice.
 * Little at a time at the end, so that its excess is soon made up for.
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

	snprintf(command, sizeof(command), "pressure limit=%lldK hold=60000", taken_kb);
	writer = writer_start(command, NULL);
	snprintf(pid, sizeof(pid), "%d", writer);
	EXPECT_TRUE(wait_until(before - free_memory_kb() > taken_kb * 9 / 10, PATIENCE_MS));
	EXPECT_OK(write_file(SHORTAGE "end", pid));
	ask(&asker, writer, kills);
	text = next_event(fd, &n);
	/* It is killed by the first OOM alone. */
	EXPECT_EQ(writer_end(writer), SIGKILL);
	EXPECT_EQ(kernel_kills(), kills);
	EXPECT_FALSE(hog_gone(&chosen));
	EXPECT_EVENT(text, n, "outcome=averted by=pressure");
	expect_show(text);
	test_done("memory came back meanwhile: no task dies");
	free(text);
}

/*
 * The task that asks is the victim, so that one kill ends the shortage. Others of the
 * machine may ask before its memory is back: spare tasks are there for that.
 */
static void test_real(void)
{
	const struct hog_spec spec = { .anon = 200, .adj = 1000, .comm = "greedy" };
	const struct hog_spec small = { .anon = 10, .adj = 1000, .comm = "spare" };
	long long kills = kernel_kills();
	struct hog greedy, spare[SPARE];
	unsigned int i;

	for (i = 0; i < SPARE; i++)
		must_hog(&spare[i], &small);
	must_hog(&greedy, &spec);
	ask(&greedy, 0, kills);
	EXPECT_TRUE(wait_until(hog_killed(&greedy), PATIENCE_MS));
	test_done("and then it is out: the largest task dies");
	hog_end(&greedy);
	for (i = 0; i < SPARE; i++)
		hog_end(&spare[i]);
}

int main(void)
{
	const struct hog_spec first_choice = { .anon = 100, .adj = 1000, .comm = "chosen" };
	const struct hog_spec never = { .anon = 1, .adj = OOM_ADJ_NEVER, .comm = "asker" };
	struct ballast ballast;
	int fd;

	test_begin(0);
	needs_trigger("notifier");
	needs_shortage();
	ksft_set_plan(2);
	oom_settings();
	/* A cache that is dropped meanwhile would count as the run's memory. */
	write_file("/proc/sys/vm/drop_caches", "3");
	ballast_start(&ballast, LEFT_PAGES * (long long)page_size() / 1024);
	must_hog(&chosen, &first_choice);
	must_hog(&asker, &never);
	fd = events_open();
	test_late(fd);
	/* Else the shell that runs the tests would be next. */
	if (!ksft_get_fail_cnt())
		test_real();
	else
		ksft_test_result_fail("and then it is out: not tried\n");
	close(fd);
	hog_end(&asker);
	hog_end(&chosen);
	ballast_end(&ballast);
	loader_no_helper("oomlens_shortage");
	test_end();
}
