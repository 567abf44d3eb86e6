// SPDX-License-Identifier: GPL-2.0
/*
 * overcommit's two figures that the kernel shows too, and the sums that they
 * must satisfy, in each of the three modes.
 */
#include <limits.h>

#include "lib/expect.h"

#define MODE_FILE	"/proc/sys/vm/overcommit_memory"

static long long pages(const char *key)
{
	return meminfo_kb(key) / (long long)(page_size() / 1024);
}

/* CommitLimit is in whole kB of whole pages: equal, to the page. */
static bool limit_equal(void)
{
	return lens_key("overcommit", "commit_limit") == pages("CommitLimit");
}

/*
 * Committed_AS moves with every task that maps something, so the reading lies
 * between two of the kernel's; on a quiet machine all three are the same.
 */
static bool committed_equal(bool *exact)
{
	long long before = pages("Committed_AS");
	long long value = lens_key("overcommit", "committed");
	long long after = pages("Committed_AS");

	*exact = before == value && value == after;
	return (before <= value && value <= after) ||
	       (after <= value && value <= before);
}

static void test_mode(const char *mode, const char *name)
{
	char *text, word[16];
	long long limit, committed, headroom, enforced, number;
	bool good;

	if (setting_write(MODE_FILE, mode)) {
		ksft_test_result_fail("mode %s cannot be set\n", mode);
		return;
	}
	text = read_lens("overcommit");
	good = text && key_number(text, "mode", &number) && number == atoi(mode) &&
	       key_string(text, "mode_name", word, sizeof(word)) &&
	       !strcmp(word, name) &&
	       key_number(text, "enforced", &enforced) && enforced == (*mode == '2') &&
	       key_number(text, "commit_limit", &limit) &&
	       key_number(text, "committed", &committed) &&
	       key_number(text, "headroom", &headroom) &&
	       headroom == limit - committed;
	if (!good)
		ksft_print_msg("%s\n", text ? text : strerror(errno));
	free(text);
	ksft_test_result(good, "mode %s is shown as %s\n", mode, name);
}

int main(void)
{
	bool exact = false, good = true;
	unsigned int i, seen = 0;

	test_begin(5);
	ksft_test_result(limit_equal(), "commit_limit is CommitLimit\n");
	for (i = 0; i < 100; i++) {
		good &= committed_equal(&exact);
		seen += exact;
	}
	ksft_print_msg("%u of %u readings equal on both sides\n", seen, i);
	ksft_test_result(good && seen, "committed is Committed_AS\n");
	test_mode("0", "heuristic");
	test_mode("1", "always");
	/* Mode 2 may refuse this very program memory: nothing is allocated in it. */
	test_mode("2", "never");
	ksft_exit(!ksft_get_fail_cnt());
}
