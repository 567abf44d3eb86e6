// SPDX-License-Identifier: GPL-2.0
/*
 * Swap that is turned on after the load, as every boot does: the next OOM is
 * judged by it, although none of the module's files was read since. The judge is
 * /proc/meminfo.
 */
#include "lib/events.h"
#include "lib/expect.h"

/* The thread of the module reads the totals within some milliseconds. */
#define SETTLE_MS	500

/* SwapTotal by the newest event, of a kill by sysrq. */
static long long swap_of_next_event(int fd)
{
	const struct hog_spec spec = { .anon = 100, .adj = 1000 };
	long long n = 0, swap;
	struct hog hog;
	char *text;

	must_hog(&hog, &spec);
	MUST_OK(write_file("/proc/sysrq-trigger", "f"));
	text = MUST_HAVE(next_event(fd, &n));
	swap = line_number(event_line(text, "memory", n, 0), "swap_total");
	free(text);
	MUST(wait_until(hog_gone(&hog), PATIENCE_MS));
	hog_end(&hog);
	return swap;
}

int main(void)
{
	long long before;
	int fd;

	test_begin(0);
	if (!lens_feature("sysrq"))
		ksft_exit_skip("no sysrq\n");
	ksft_set_plan(2);
	oom_settings();
	fd = events_open();
	before = meminfo_pages("SwapTotal");
	EXPECT_EQ(swap_of_next_event(fd), before);
	test_done("an event has the swap of the machine");
	nap_ms(SETTLE_MS);
	if (!swap_ensure(before + 1000) || meminfo_pages("SwapTotal") == before) {
		ksft_test_result_skip("no swap\n");
		ksft_finished();
	}
	nap_ms(SETTLE_MS);
	EXPECT_EQ(swap_of_next_event(fd), meminfo_pages("SwapTotal"));
	test_done("and of swap that was turned on since");
	close(fd);
	test_end();
}
