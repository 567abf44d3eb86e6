// SPDX-License-Identifier: GPL-2.0
/*
 * A board without kprobes, tracepoints and cgroups, where the OOM notifier is the
 * only source: each call of it is an event, each kill by the kernel's count is an
 * event with outcome killed, and the calls in between, up to a thousand a second,
 * do not push those out of the ring.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/loader.h"

#define ROUNDS	4
#define EATERS	3	/* at once */

static void __noreturn eat_all(void)
{
	/* Else its code is reclaimed and read again, for ever, and no OOM comes. */
	mlockall(MCL_CURRENT);
	eat(NULL, 1000, 2 * 1024 * (size_t)meminfo_kb("MemTotal"));
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

int main(void)
{
	long long kills, events, killed, told;
	unsigned int i, round;
	char *text;

	test_begin(0);
	if (lens_feature("oom_probe") || lens_feature("mark_victim") || lens_feature("memcg") ||
	    !lens_feature("notifier") || kernel_kills() < 0)
		ksft_exit_skip("needs a kernel with no source but the notifier, and no cgroups\n");
	needs_ko();
	ksft_set_plan(3);
	mlockall(MCL_CURRENT);
	restore_at_end();
	/* Two events of each run of idle calls are kept, besides the kills. */
	must_reload("events=64");
	setting_write("/proc/sys/vm/overcommit_memory", "1");
	oom_settings();
	events = lens_key("stats", "events");
	told = lens_key("stats", "kills");
	kills = kernel_kills();
	text = must_read_lens("events");
	killed = count(text, " outcome=killed ");
	free(text);
	for (round = 0; round < ROUNDS; round++) {
		fflush(stdout);
		for (i = 0; i < EATERS; i++)
			if (!fork())
				eat_all();
		while (wait(NULL) > 0)
			;
	}
	kills = kernel_kills() - kills;
	events = lens_key("stats", "events") - events;
	told = lens_key("stats", "kills") - told;
	/* The last event has no end: it is shown after a second without a call. */
	nap_ms(1500);
	text = must_read_lens("events");
	killed = count(text, " outcome=killed ") - killed;
	ksft_print_msg("%lld kills, %lld calls, %lld killed\n", kills, events, killed);
	EXPECT_GE(kills, ROUNDS);
	EXPECT_GE(events, kills);
	test_done("each kill is an event");
	EXPECT_EQ(killed, kills);
	EXPECT_GE(count(text, " outcome=killed victims=1 "), kills);
	test_done("each kill is told, and kept");
	EXPECT_EQ(told, kills);
	test_done("stats counts %lld kills", told);
	free(text);
	test_end();
}
