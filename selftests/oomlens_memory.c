// SPDX-License-Identifier: GPL-2.0
/*
 * What the module takes for itself, by stats, against what the kernel says: its
 * code in /proc/modules, what is made at load against a share of RAM, and what a
 * larger ring takes from the slab and vmalloc.
 */
#include <limits.h>

#include "lib/expect.h"
#include "lib/held.h"
#include "lib/loader.h"

/* With the default parameters memory_bytes is at most a share of RAM, within bounds. */
#define RAM_SHARE	4096
#define BUDGET_MIN	(32LL << 10)
#define BUDGET_MAX	(1LL << 20)

#define LOADS	6

#define PAIRS		5

static long long listed_bytes(void)
{
	return file_key("/proc/modules", "oomlens");
}

static long long kernel_bytes(void)
{
	slabs_settle();
	return 1024 * (meminfo_kb("SUnreclaim") + meminfo_kb("VmallocUsed"));
}

static void test_budget(void)
{
	long long budget = meminfo_kb("MemTotal") * 1024 / RAM_SHARE, ring;

	budget = budget < BUDGET_MIN ? BUDGET_MIN : budget > BUDGET_MAX ? BUDGET_MAX : budget;
	must_reload("");
	ring = lens_key("stats", "ring_events");
	EXPECT_LE(lens_key("stats", "memory_bytes"), budget);
	/* Older modules do not tell the ring's size. */
	if (ring != LLONG_MIN) {
		EXPECT_GE(ring, 1);
		must_reload("events=0");
		EXPECT_EQ(lens_key("stats", "ring_events"), ring);
		must_reload("events=8");
		EXPECT_EQ(lens_key("stats", "ring_events"), 8);
	}
	test_done("memory at load: at most 1/%d of RAM", RAM_SHARE);
}

static int compare(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median of some pairs of loads: the kernel's own use of memory is noise. */
static void test_many(void)
{
	bool small = meminfo_kb("MemTotal") < 200000;
	int many = small ? 1024 : 4096, i;
	long long told = 0, taken[PAIRS];
	char parameters[32];

	snprintf(parameters, sizeof(parameters), "events=%d", many);
	for (i = 0; i < PAIRS; i++) {
		must_reload("events=1");
		told = lens_key("stats", "memory_bytes");
		taken[i] = kernel_bytes();
		must_reload(parameters);
		told = lens_key("stats", "memory_bytes") - told;
		taken[i] = kernel_bytes() - taken[i];
	}
	qsort(taken, PAIRS, sizeof(taken[0]), compare);
	ksft_print_msg("%d events: told %lld bytes, taken %lld (%lld to %lld)\n", many - 1, told,
		       taken[PAIRS / 2], taken[0], taken[PAIRS - 1]);
	EXPECT_GT(told, many * 1024LL);
	EXPECT_IN(taken[PAIRS / 2], told * 15 / 16 + 1, told * 17 / 16 - 1);
	test_done("what more events take is told");
}

/*
 * A dozen loads of a large ring. The kernel's own slabs change by up to 230 kB from
 * one load to the next, so the mean of the first half of the readings is held against
 * that of the second. Without a leak they differed by at most 14 pages, nine times on
 * five kernels.
 */
static void test_given_back(void)
{
	bool small = meminfo_kb("MemTotal") < 200000;
	long long ring, early = 0, late = 0, lost;
	char parameters[32];
	int i;

	snprintf(parameters, sizeof(parameters), "events=%d", small ? 256 : 1024);
	for (i = 0; i < 2 * LOADS; i++) {
		must_reload(parameters);
		ring = lens_key("stats", "memory_bytes");
		must_reload("events=1");
		*(i < LOADS ? &early : &late) += kernel_bytes();
	}
	lost = (late - early) / LOADS;
	ksft_print_msg("%d loads of %lld bytes: %lld not given back\n", LOADS, ring, lost);
	EXPECT_NEAR(lost, 0, 32 * (long long)page_size() - 1);
	test_done("all of it is given back");
}

int main(void)
{
	test_begin(0);
	needs_ko();
	ksft_set_plan(4);
	restore_at_end();
	must_reload("");
	EXPECT_GT(listed_bytes(), 0);
	EXPECT_EQ(lens_key("stats", "module_bytes"), listed_bytes());
	ksft_print_msg("code %lld bytes, all else %lld\n", lens_key("stats", "module_bytes"),
		       lens_key("stats", "memory_bytes"));
	test_done("code: as in /proc/modules");
	test_budget();
	test_many();
	test_given_back();
	test_end();
}
