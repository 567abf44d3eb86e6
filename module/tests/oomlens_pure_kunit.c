// SPDX-License-Identifier: GPL-2.0
/*
 * What needs no machine around it: the arithmetic, the order of victims, sizes as
 * they are written, and the pool of pages.
 */
#include <kunit/test.h>
#include <linux/init.h>
#include <linux/module.h>

/* Here what the module does once, at load, is done by each test. */
#undef __init
#define __init

#include "../badness/rank.c"
#include "../kernel/slabinfo.c"
#include "../kernel/text.c"
#include "../trigger/give_back.c"

/* The pool counts its pages for stats. */
void oomlens_counter_add(enum oomlens_counter counter, long n)
{
}

static void score_by_table(struct kunit *test)
{
	static const struct {
		long points;
		unsigned long total;
		unsigned long score;
	} rows[] = {
		{ 0, 1000, 666 },		/* an idle task */
		{ 1000, 1000, 1333 },
		{ -1000, 1000, 0 },
		{ 500, 1000, 1000 },
		{ 109006, 117104, 1286 },	/* the page in design.md */
		{ 1, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ(test, oomlens_score(rows[i].points, rows[i].total),
				rows[i].score);
	KUNIT_EXPECT_EQ(test, oomlens_adj_points(1000, 117104), 117000L);
	KUNIT_EXPECT_EQ(test, oomlens_adj_points(-500, 117104), -58500L);
	KUNIT_EXPECT_EQ(test, oomlens_adj_points(999, 999), 0L);
}

static void points_are_the_sum(struct kunit *test)
{
	const struct oomlens_terms t = { 1, 20, 300, 4000, 50000 };

	KUNIT_EXPECT_EQ(test, oomlens_points(&t, 0), 54321L);
	KUNIT_EXPECT_EQ(test, oomlens_points(&t, -54322), -1L);
}

#define KEYS	2000

/* Held against the rule itself: of two neighbours the first precedes the second. */
static void check_order(struct kunit *test, unsigned int n, long spread)
{
	struct oomlens_rank_key *keys = kunit_kzalloc(test, KEYS * sizeof(*keys), GFP_KERNEL);
	struct oomlens_task *rows = kunit_kzalloc(test, KEYS * sizeof(*rows), GFP_KERNEL);
	unsigned int i, wrong = 0;
	u64 sum = 0;
	static u32 r = 1;	/* the same numbers in each run */

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, keys);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rows);
	/* The walk's last comes first, as the table has it. */
	for (i = 0; i < n; i++) {
		r = r * 1664525 + 1013904223;
		keys[i].points = i % 97 ? (long)(r >> 8) % spread - spread / 2 : LONG_MAX;
		keys[i].row = &rows[n - 1 - i];
		keys[i].row->order = n - 1 - i;
		keys[i].row->points = keys[i].points;
	}
	oomlens_rank_sort(keys, n);
	for (i = 0; i < n; i++) {
		sum += keys[i].row->order;
		wrong += keys[i].row->points != keys[i].points;
		if (i)
			wrong += !oomlens_precedes(keys[i - 1].points, keys[i - 1].row->order,
						   keys[i].points, keys[i].row->order);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	KUNIT_EXPECT_EQ(test, sum, (u64)n * (n ? n - 1 : 0) / 2);
}

static void rank_is_the_kernels_order(struct kunit *test)
{
	unsigned int n;

	for (n = 0; n < 40; n++)
		check_order(test, n, 3);	/* nearly all are ties */
	check_order(test, KEYS, 3);
	check_order(test, KEYS, 1000000);
	check_order(test, KEYS - 1, 1);		/* all are ties */
}

static void sizes_as_written(struct kunit *test)
{
	static const struct {
		const char *text;
		int err;
		u64 bytes;
	} rows[] = {
		{ "0", 0, 0 }, { "1", 0, 1 }, { "4096", 0, 4096 }, { "64K", 0, 65536 },
		{ "64k", 0, 65536 }, { "16M", 0, 16 << 20 }, { "1G", 0, 1 << 30 },
		{ "007", 0, 7 }, { "", -EINVAL }, { "K", -EINVAL }, { "-1", -EINVAL },
		{ "+1", -EINVAL }, { " 1", -EINVAL }, { "1 ", -EINVAL }, { "0x10", -EINVAL },
		{ "1KB", -EINVAL }, { "1P", -EINVAL }, { "1.5M", -EINVAL },
		{ "18446744073709551615", -EINVAL }, { "18446744073709551616", -EINVAL },
		{ "99999999999999T", -EINVAL }, { "000000000000000000000000", -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned long pages = 0;

		KUNIT_EXPECT_EQ_MSG(test, oomlens_parse_size(rows[i].text, &pages), rows[i].err,
				    "'%s'", rows[i].text);
		KUNIT_EXPECT_EQ_MSG(test, (u64)pages, DIV_ROUND_UP_ULL(rows[i].bytes, PAGE_SIZE),
				    "'%s'", rows[i].text);
	}
}

static void pool_gives_all_back(struct kunit *test)
{
	static struct oomlens_pool pool = OOMLENS_POOL_INIT(pool);
	unsigned long held = 0, n;

	oomlens_pool_open(&pool);
	while (held < 300) {
		n = oomlens_pool_grow(&pool, 300 - held, GFP_KERNEL);
		KUNIT_ASSERT_GT(test, n, 0UL);
		held += n;
		KUNIT_EXPECT_EQ(test, pool.pages, held);
	}
	KUNIT_EXPECT_EQ(test, held, 300UL);
	n = oomlens_pool_give(&pool, 10, 0);
	KUNIT_EXPECT_GE(test, n, 10UL);
	oomlens_pool_close(&pool);
	KUNIT_EXPECT_EQ(test, oomlens_pool_grow(&pool, 1, GFP_KERNEL), 0UL);
	KUNIT_EXPECT_EQ(test, oomlens_pool_give(&pool, ULONG_MAX, 0), held - n);
	KUNIT_EXPECT_EQ(test, pool.pages, 0UL);
	KUNIT_EXPECT_TRUE(test, list_empty(&pool.blocks));
}

/* As in /proc/slabinfo; what is longer than there is room for is cut. */
static void a_cache_of_a_long_name(struct kunit *test)
{
	static const char line[] =
		"a_cache_of_a_name_of_32_and_more 7 9 8 4 2 : tunables 0 0 0 : slabdata 5 5 0";
	struct oomlens_slab slab;

	KUNIT_ASSERT_TRUE(test, parse_line(line, &slab));
	KUNIT_EXPECT_STREQ(test, (char *)slab.name, "a_cache_of_a_name_of_32_and_mor");
	KUNIT_EXPECT_EQ(test, slab.objects, 7UL);
	KUNIT_EXPECT_EQ(test, slab.pages, 10UL);
	KUNIT_EXPECT_FALSE(test, parse_line("# name <active_objs> <num_objs>", &slab));
}

#define ON_THEIR_WAY	8192

/* A page that was on its way when its pool was closed: by the kernel's count of free ones. */
static void pool_keeps_none_when_closed(struct kunit *test)
{
	static struct oomlens_pool pool = OOMLENS_POOL_INIT(pool);
	unsigned long before;
	unsigned int i;

	oomlens_pool_open(&pool);
	oomlens_pool_close(&pool);
	before = global_zone_page_state(NR_FREE_PAGES);
	for (i = 0; i < ON_THEIR_WAY; i++)
		KUNIT_ASSERT_EQ(test, oomlens_pool_grow(&pool, 1, GFP_KERNEL), 0UL);
	KUNIT_EXPECT_GT(test, global_zone_page_state(NR_FREE_PAGES) + ON_THEIR_WAY / 2, before);
}

static struct kunit_case pure_cases[] = {
	KUNIT_CASE(score_by_table),
	KUNIT_CASE(points_are_the_sum),
	KUNIT_CASE(rank_is_the_kernels_order),
	KUNIT_CASE(sizes_as_written),
	KUNIT_CASE(a_cache_of_a_long_name),
	KUNIT_CASE(pool_gives_all_back),
	KUNIT_CASE(pool_keeps_none_when_closed),
	{ }
};

static struct kunit_suite pure_suite = {
	.name		= "oomlens_pure",
	.test_cases	= pure_cases,
};

kunit_test_suite(pure_suite);

MODULE_DESCRIPTION("KUnit tests of oomlens' pure parts");
MODULE_LICENSE("GPL");
