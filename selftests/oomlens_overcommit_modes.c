// SPDX-License-Identifier: GPL-2.0
/*
 * The three modes for real: what overcommit says would be granted is asked
 * for, to the page, and one page more is refused.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>

#include "lib/actor.h"
#include "lib/expect.h"

#define MODE_FILE	"/proc/sys/vm/overcommit_memory"
#define RATIO_FILE	"/proc/sys/vm/overcommit_ratio"
#define KBYTES_FILE	"/proc/sys/vm/overcommit_kbytes"
#define HUGE_FILE	"/proc/sys/vm/nr_hugepages"

#define USER		65534
#define ATTEMPTS	10

static long long kb_to_pages(long long kb)
{
	return kb / (long long)(page_size() / 1024);
}

/* ---- in the actor: it allocates only what the test asks for ---- */

struct answer {
	long long asked;	/* pages, what overcommit said */
	int granted;		/* 0, or the errno, for as much */
	int refused;		/* for a page more */
	bool visible;		/* the figure is there */
};

static struct answer *shared;	/* with the test */

static bool own_figure(int fd, const char *key, long long *value)
{
	static char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return key_number(text, key, value);
}

static int try_pages(long long pages)
{
	size_t len = pages * page_size();
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, len);
	return 0;
}

static void on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * The kernel compares with a counter without its per-CPU parts; a write of the
 * mode folds these in on each CPU.
 */
static int ask(const char *key, bool user)
{
	int mode_fd = open(MODE_FILE, O_RDWR | O_CLOEXEC);
	int fd = open("/proc/oomlens/overcommit", O_RDONLY | O_CLOEXEC);
	char mode[4] = "";
	int err;

	if (mode_fd < 0 || fd < 0 || pread(mode_fd, mode, 1, 0) != 1)
		return -errno;
	on_one_cpu();
	if (pwrite(mode_fd, mode, 1, 0) != 1)
		return -errno;
	if (user && setresuid(USER, USER, USER))
		return -errno;
	shared->visible = own_figure(fd, key, &shared->asked);
	if (shared->visible) {
		shared->granted = try_pages(shared->asked);
		shared->refused = try_pages(shared->asked + 1);
	}
	err = close(mode_fd) | close(fd);
	return err ? -errno : 0;
}

static int ask_root(long unused)
{
	return ask("max_mapping_root", false);
}

static int ask_user(long unused)
{
	return ask("max_mapping_user", true);
}

/* That many chunks of half the total, and back. */
static int map_halves(long halves)
{
	long long total = lens_key("overcommit", "max_mapping_root");
	size_t len = total / 2 * page_size();
	long i;

	for (i = 0; i < halves; i++)
		if (mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return -errno;
	return 0;
}

static int map_pages(long pages)
{
	return -try_pages(pages);
}

/* ---- the statements ---- */

static bool address_space_holds(long long pages)
{
	return sizeof(long) > 4 || pages < (LONG_MAX >> 12);
}

static int run(actor_fn fn, long arg)
{
	struct actor a;
	int err = actor_start(&a);

	if (!err) {
		err = actor_do(&a, fn, arg);
		actor_end(&a);
	}
	return err;
}

/* Another task may map something between the reading and the asking. */
static void test_edge(const char *mode, actor_fn fn, const char *says)
{
	unsigned int tries;

	MUST_OK(setting_write(MODE_FILE, mode));
	for (tries = 0; tries < ATTEMPTS; tries++) {
		expect_retry();
		EXPECT_OK(run(fn, 0));
		if (shared->visible && !address_space_holds(shared->asked)) {
			expect_retry();
			ksft_test_result_skip("%s: more than the address space\n", says);
			return;
		}
		expect_of("%lld pages", shared->asked);
		EXPECT_TRUE(shared->visible);
		EXPECT_EQ(shared->granted, 0);
		EXPECT_EQ(shared->refused, ENOMEM);
		if (!expect_failed())
			break;
	}
	test_done("%s", says);
}

static void test_mode_0_pieces(void)
{
	static struct reading before, after;
	const char *says = "mode 0 grants more than there is, in pieces";
	long long total = lens_key("overcommit", "max_mapping_root");
	struct figures d = {};
	struct actor a;

	if (!address_space_holds(2 * total)) {
		ksft_test_result_skip("%s: more than the address space\n", says);
		return;
	}
	MUST_OK(setting_write(MODE_FILE, "0"));
	MUST_OK(actor_start(&a));
	EXPECT_TRUE(reading_take(&before, a.pid));
	EXPECT_OK(actor_do(&a, map_halves, 3));
	EXPECT_TRUE(reading_take(&after, a.pid));
	EXPECT_LT(lens_key("overcommit", "headroom"), 0);
	EXPECT_EQ(lens_key("overcommit", "enforced"), 0);
	actor_end(&a);
	/* In the actor, to read a key file allocates: a few pages of heap. */
	EXPECT_TRUE(reading_since(&before, &after, &d));
	EXPECT_IN(d.charge, total / 2 * 3, total / 2 * 3 + 255);
	EXPECT_GT(d.uncashed, total);
	test_done("%s", says);
}

static void test_mode_1(void)
{
	const char *says = "mode 1 grants what is absurd, and shows no largest";
	long long total = lens_key("overcommit", "ram");
	char word[32] = "", *text;

	if (sizeof(long) == 4) {
		ksft_test_result_skip("%s: more than the address space\n", says);
		return;
	}
	MUST_OK(setting_write(MODE_FILE, "1"));
	EXPECT_OK(run(map_pages, 16 * total));
	text = must_read_lens("overcommit");
	EXPECT_TRUE(key_string(text, "max_mapping_root", word, sizeof(word)));
	EXPECT_STREQ(word, "-");
	EXPECT_TRUE(key_string(text, "max_mapping_user", word, sizeof(word)));
	EXPECT_STREQ(word, "-");
	free(text);
	test_done("%s", says);
}

/* (RAM - huge) * ratio / 100 + swap, from the kernel's own parts. */
static long long limit_by_ratio(long long ratio)
{
	long long ram = meminfo_pages("MemTotal");
	long long huge = meminfo_pages("Hugetlb");
	long long swap = meminfo_pages("SwapTotal");

	return (ram - (huge > 0 ? huge : 0)) * ratio / 100 + swap;
}

static void expect_limit(long long limit)
{
	EXPECT_EQ(lens_key("overcommit", "commit_limit"), limit);
	EXPECT_EQ(meminfo_pages("CommitLimit"), limit);
}

static void test_ratio(const char *ratio)
{
	EXPECT_OK(setting_write(RATIO_FILE, ratio));
	expect_limit(limit_by_ratio(atoi(ratio)));
	EXPECT_KEYS("overcommit", "ratio=%d kbytes=0", atoi(ratio));
	test_done("commit_limit by ratio %s", ratio);
}

/* The kernel lets it be negative, and reckons with it as it is. */
static void test_negative_ratio(void)
{
	long long want = setting_write(RATIO_FILE, "-1") ? file_number(RATIO_FILE) : -1;

	EXPECT_KEYS("overcommit", "ratio=%lld commit_limit=%lld swap_total=%lld",
		    want, meminfo_pages("CommitLimit"), meminfo_pages("SwapTotal"));
	test_done("a negative ratio does no harm");
}

static void test_kbytes(void)
{
	EXPECT_OK(setting_write(KBYTES_FILE, "123456"));
	expect_limit(kb_to_pages(123456) + meminfo_pages("SwapTotal"));
	EXPECT_KEYS("overcommit", "kbytes=123456 ratio=0");
	test_done("commit_limit by kbytes");
}

static void test_huge(void)
{
	const char *says = "huge pages come off commit_limit";
	long long huge;

	if (setting_write(HUGE_FILE, "4")) {
		ksft_test_result_skip("%s: no huge pages in this kernel\n", says);
		return;
	}
	huge = kb_to_pages(meminfo_kb("HugePages_Total") * meminfo_kb("Hugepagesize"));
	EXPECT_GT(huge, 0);
	EXPECT_OK(setting_write(RATIO_FILE, "50"));
	EXPECT_EQ(lens_key("overcommit", "hugetlb"), huge);
	expect_limit(limit_by_ratio(50));
	setting_write(HUGE_FILE, "0");
	test_done("%s", says);
}

static void test_swap(void)
{
	const char *says = "swap adds to commit_limit and to what mode 0 grants";
	long long swap;

	if (!swap_ensure(4096)) {
		test_skip(1, "%s: no swap\n", says);
		return;
	}
	swap = meminfo_pages("SwapTotal");
	EXPECT_OK(setting_write(MODE_FILE, "0"));
	EXPECT_OK(setting_write(RATIO_FILE, "50"));
	EXPECT_EQ(lens_key("overcommit", "swap_total"), swap);
	expect_limit(limit_by_ratio(50));
	EXPECT_EQ(lens_key("overcommit", "max_mapping_root"),
		  meminfo_pages("MemTotal") + swap);
	test_done("%s", says);
}

/*
 * While an area is swapped off, SwapTotal has its used part to the end. The
 * kernel's decisions do not count it: mode 0 grants nothing for it.
 */
static void test_swapoff(void)
{
	long long full = meminfo_kb("SwapTotal"), before, after, swap, root;
	long long total = meminfo_pages("MemTotal");
	unsigned int seen = 0, tries;
	struct swap_drain off;
	char *text;

	for (tries = 0; !expect_failed() && !seen && tries < 10; tries++) {
		if (!swapoff_start(&off)) {
			ksft_test_result_skip("no swap to be emptied\n");
			return;
		}
		while (swapoff_busy(&off)) {
			before = meminfo_kb("SwapTotal");
			text = read_lens("overcommit");
			after = meminfo_kb("SwapTotal");
			/* Under way from first to last, and this one alone */
			if (before < full && after > 0 && key_number(text, "swap_total", &swap) &&
			    key_number(text, "max_mapping_root", &root)) {
				seen++;
				EXPECT_EQ(swap, 0);
				EXPECT_EQ(root, total);
			}
			free(text);
		}
		EXPECT_TRUE(swapoff_end(&off));
	}
	EXPECT_GT(seen, 0);
	test_done("an area that is being swapped off counts no more");
}

static void test_reserves(void)
{
	EXPECT_KEYS("overcommit", "admin_reserve=%lld user_reserve=%lld",
		    kb_to_pages(file_number("/proc/sys/vm/admin_reserve_kbytes")),
		    kb_to_pages(file_number("/proc/sys/vm/user_reserve_kbytes")));
	test_done("the reserves are the sysctls'");
}

int main(void)
{
	test_begin(16);
	shared = must_share(sizeof(*shared));
	/* Each of ratio and kbytes resets the other: the one in use goes last. */
	if (file_number(KBYTES_FILE) > 0)
		setting_write(KBYTES_FILE, "0");
	setting_write(RATIO_FILE, "50");

	test_edge("0", ask_root, "mode 0 grants root as much as it says, and no more");
	test_edge("0", ask_user, "mode 0 grants a user as much as it says, and no more");
	test_mode_0_pieces();
	test_mode_1();
	test_edge("2", ask_root, "mode 2 grants root as much as it says, and no more");
	test_edge("2", ask_user, "mode 2 grants a user as much as it says, and no more");
	setting_write(MODE_FILE, "0");
	test_reserves();
	test_ratio("0");
	test_ratio("50");
	test_ratio("100");
	test_ratio("200");
	test_negative_ratio();
	test_kbytes();
	test_huge();
	test_swap();
	test_swapoff();
	test_end();
}
