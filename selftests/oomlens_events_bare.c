// SPDX-License-Identifier: GPL-2.0
/*
 * A board without kprobes, tracepoints and cgroups, where the OOM notifier is
 * all there is: each call of it is an event, each kill by the kernel's count is
 * one that says killed, and the calls in between, of which there can be a
 * thousand a second, do not push those out.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/loader.h"

#define ROUNDS	4
#define EATERS	3	/* at once */

static void eat_all(void)
{
	size_t size = 2 * 1024 * (size_t)meminfo_kb("MemTotal");
	char *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Or it would be fetched from the disk again and again instead of an OOM. */
	mlockall(MCL_CURRENT);
	set_adj(0, 1000);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		memset(p, 1, size);
	_exit(0);
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
	char before[256], *text;

	test_begin(0);
	if (lens_feature("oom_probe") || lens_feature("mark_victim") || lens_feature("memcg") ||
	    !lens_feature("notifier") || kernel_kills() < 0)
		ksft_exit_skip("needs a kernel with no source but the notifier, and no cgroups\n");
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
	ksft_set_plan(3);
	mlockall(MCL_CURRENT);
	snprintf(before, sizeof(before), "%s", loader_parameters());
	reload_at_end(loader_ko(), before);
	/* Two of each row are kept, besides the kills. */
	if (loader_unload() || loader_load("events=64"))
		ksft_exit_fail_msg("cannot load with events=64\n");
	setting_write("/proc/sys/vm/overcommit_memory", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	events = lens_key("stats", "events");
	told = lens_key("stats", "kills");
	kills = kernel_kills();
	text = read_lens("events");
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
	/* The last has no end, and is shown when nothing came for a second. */
	nap_ms(1500);
	text = read_lens("events");
	killed = count(text, " outcome=killed ") - killed;
	ksft_print_msg("%lld kills, %lld calls, %lld killed\n", kills, events, killed);
	ksft_test_result(kills >= ROUNDS && events >= kills, "each kill is an event\n");
	ksft_test_result(killed == kills && count(text, " outcome=killed victims=1 ") >= kills,
			 "each kill is told, and kept\n");
	ksft_test_result(told == kills, "stats counts %lld kills\n", told);
	free(text);
	ksft_exit(!ksft_get_fail_cnt());
}
