// SPDX-License-Identifier: GPL-2.0
/*
 * overcommit's two figures that the kernel shows too, and the sums that they
 * must satisfy, in each of the three modes; what the reader has mapped, and the
 * kernel's batch.
 */
#include <limits.h>
#include <sys/mman.h>
#include <sys/utsname.h>

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

static long long statm_size(void)
{
	return file_number("/proc/self/statm");
}

static void expect_reader(void)
{
	long long before = statm_size();
	long long value = lens_key("overcommit", "reader_vm_total");

	EXPECT_IN(value, before, statm_size());
}

#define MAPPED	5000

static void test_reader(void)
{
	long long before;
	void *mem;

	expect_reader();
	before = lens_key("overcommit", "reader_vm_total");
	mem = mmap(NULL, MAPPED * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(mem != MAP_FAILED);
	EXPECT_EQ(lens_key("overcommit", "reader_vm_total"), before + MAPPED);
	expect_reader();
	munmap(mem, MAPPED * page_size());
	test_done("reader_vm_total is what the reader has mapped");
}

/* mm_compute_batch(): a share of what each processor has, less of it in mode 2 */
static long long kernel_batch(unsigned int share)
{
	long long nr = sysconf(_SC_NPROCESSORS_CONF), batch;
	struct utsname u;

	uname(&u);
	if (!strstr(u.version, " SMP"))
		return 0;
	batch = meminfo_pages("MemTotal") / nr / share;
	batch = batch < nr * 2 ? nr * 2 : batch;
	return batch < 32 ? 32 : batch;
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
	EXPECT_TRUE(key_number(text, "batch", &number));
	EXPECT_EQ(number, kernel_batch(*mode == '2' ? 256 : 4));
	expect_show(text);
	free(text);
	test_done("mode %s is shown as %s", mode, name);
}

int main(void)
{
	unsigned int i, exact = 0;

	test_begin(6);
	/* CommitLimit is in whole kB of whole pages: equal, to the page. */
	EXPECT_EQ(lens_key("overcommit", "commit_limit"), meminfo_pages("CommitLimit"));
	test_done("commit_limit is CommitLimit");
	for (i = 0; i < 100; i++)
		exact += expect_committed();
	ksft_print_msg("%u of %u readings equal on both sides\n", exact, i);
	EXPECT_GT(exact, 0);
	test_done("committed is Committed_AS");
	test_reader();
	test_mode("0", "heuristic");
	test_mode("1", "always");
	/* Mode 2 may refuse this very program memory: nothing is allocated in it. */
	test_mode("2", "never");
	test_end();
}
