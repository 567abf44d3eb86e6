// SPDX-License-Identifier: GPL-2.0
/*
 * overcommit's two figures that the kernel shows too, and the sums that they
 * must satisfy, in each of the three modes.
 */
#include <limits.h>

#include "lib/expect.h"

#define MODE_FILE	"/proc/sys/vm/overcommit_memory"

/*
 * Committed_AS moves with every task that maps something, so the reading lies
 * between two of the kernel's; on a quiet machine all three are the same.
 */
static bool expect_committed(void)
{
	long long before = meminfo_pages("Committed_AS");
	long long value = lens_key("overcommit", "committed");
	long long after = meminfo_pages("Committed_AS");

	EXPECT_IN(value, before < after ? before : after, before < after ? after : before);
	return before == value && value == after;
}

static void test_mode(const char *mode, const char *name)
{
	long long limit, committed, headroom, number;
	char *text, word[16] = "";

	MUST_OK(setting_write(MODE_FILE, mode));
	text = must_read_lens("overcommit");
	EXPECT_TRUE(key_number(text, "mode", &number));
	EXPECT_EQ(number, atoi(mode));
	EXPECT_TRUE(key_string(text, "mode_name", word, sizeof(word)));
	EXPECT_STREQ(word, name);
	EXPECT_TRUE(key_number(text, "enforced", &number));
	EXPECT_EQ(number, *mode == '2');
	EXPECT_TRUE(key_number(text, "commit_limit", &limit));
	EXPECT_TRUE(key_number(text, "committed", &committed));
	EXPECT_TRUE(key_number(text, "headroom", &headroom));
	EXPECT_EQ(headroom, limit - committed);
	expect_show(text);
	free(text);
	test_done("mode %s is shown as %s", mode, name);
}

int main(void)
{
	unsigned int i, exact = 0;

	test_begin(5);
	/* CommitLimit is in whole kB of whole pages: equal, to the page. */
	EXPECT_EQ(lens_key("overcommit", "commit_limit"), meminfo_pages("CommitLimit"));
	test_done("commit_limit is CommitLimit");
	for (i = 0; i < 100; i++)
		exact += expect_committed();
	ksft_print_msg("%u of %u readings equal on both sides\n", exact, i);
	EXPECT_GT(exact, 0);
	test_done("committed is Committed_AS");
	test_mode("0", "heuristic");
	test_mode("1", "always");
	/* Mode 2 may refuse this very program memory: nothing is allocated in it. */
	test_mode("2", "never");
	test_end();
}
