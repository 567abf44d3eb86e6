// SPDX-License-Identifier: GPL-2.0
/*
 * module/score.h by table, for longs of 64 and of 32 bits. What it must give
 * is worked out here a second time, in a type wide enough for every product,
 * cut to the size of a long after each step as the kernel's arithmetic is.
 * Needs neither root nor the module.
 */
#include <limits.h>

#include "lib/expect.h"
#include "score.h"

/* Again, as a 32-bit machine compiles it; there, the two are the same. */
#undef OOMLENS_SCORE_H
#define oomlens_terms		terms32
#define oomlens_adj_points	adj_points32
#define oomlens_points		points32
#define oomlens_score		score32
#define oomlens_precedes	precedes32
#define LONG_OF_32_BITS		int
#define long			LONG_OF_32_BITS
#include "score.h"
#undef long
#undef oomlens_terms
#undef oomlens_adj_points
#undef oomlens_points
#undef oomlens_score
#undef oomlens_precedes

#ifdef __SIZEOF_INT128__
#define wide	__int128
#else
#define wide	long long	/* holds 31 bits times 1000 */
#endif

/* The low bits, as a signed number. */
static wide cut(wide v, unsigned int bits)
{
	wide one = 1, span = one << bits;

	v &= span - 1;
	return v >> (bits - 1) & 1 ? v - span : v;
}

/* mm/oom_kill.c: adj *= totalpages / 1000 */
static wide want_adj(long adj, wide total, unsigned int bits)
{
	return cut(adj * (total / 1000), bits);
}

/* fs/proc/base.c: (1000 + badness * 1000 / (long)totalpages) * 2 / 3 */
static wide want_score(wide points, wide total, unsigned int bits)
{
	wide v = cut(points * 1000, bits);

	v = v / total;
	v = cut((1000 + v) * 2, bits);
	v = v / 3;
	return v < 0 ? v + ((wide)1 << bits) : v;	/* printed by %lu */
}

static void check64(long adj, unsigned long total, unsigned long mem)
{
	struct oomlens_terms t = { mem / 2, mem / 4, mem / 8, 0, 0 };
	unsigned int bits = sizeof(long) * 8;
	wide ap = want_adj(adj, total, bits);
	wide points, score;

	t.swap = (mem - mem / 2 - mem / 4 - mem / 8) / 2;
	t.pgtables = mem - mem / 2 - mem / 4 - mem / 8 - t.swap;
	points = cut((wide)mem + ap, bits);
	score = want_score(points, total, bits);
	EXPECT_EQ(oomlens_adj_points(adj, total), ap);
	EXPECT_EQ(oomlens_points(&t, ap), points);
	EXPECT_EQ(oomlens_score(points, total), (unsigned long)score);
}

static void check32(int adj, unsigned int total, unsigned int mem)
{
	struct terms32 t = { mem / 2, mem / 4, mem / 8, 0, 0 };
	wide ap = want_adj(adj, total, 32);
	wide points, score;

	t.swap = (mem - mem / 2 - mem / 4 - mem / 8) / 2;
	t.pgtables = mem - mem / 2 - mem / 4 - mem / 8 - t.swap;
	points = cut((wide)mem + ap, 32);
	score = want_score(points, total, 32);
	EXPECT_EQ(adj_points32(adj, total), ap);
	EXPECT_EQ(points32(&t, ap), points);
	EXPECT_EQ(score32(points, total), (unsigned int)score);
}

/* Worked out by hand: the oracle itself must be right too. */
static const struct {
	unsigned int bits;
	long adj;
	unsigned long long total, mem;
	long long points;
	unsigned long long score;
} known[] = {
	/* an idle task: two thirds of 1000 */
	{ 32, 0, 262144, 0, 0, 666 },
	/* all of the machine: (1000 + 1000) * 2 / 3 */
	{ 32, 0, 262144, 262144, 262144, 1333 },
	/* 262 points an adj: 1000 * 262 + 262144; 1000 + 1999, * 2 / 3 */
	{ 32, 1000, 262144, 262144, 524144, 1999 },
	/* below 1000 pages an adj is worth nothing */
	{ 32, 1000, 999, 10, 10, 673 },
	{ 32, -999, 1, 0, 0, 666 },
	/* -999 * 262 = -261738; -998 after truncation towards 0; 2 * 2 / 3 */
	{ 32, -999, 262144, 0, -261738, 1 },
	/* 2200000 * 1000 wraps to -2094967296, / 4194304 is -499; 501 * 2 / 3 */
	{ 32, 0, 4194304, 2200000, 2200000, 334 },
	/* the same task on 64 bits: 524; 1524 * 2 / 3 */
	{ 64, 0, 4194304, 2200000, 2200000, 1016 },
	/* 16 TB of 4 kB pages, half used, adj -500: nothing left over */
	{ 64, -500, 4294967296ULL, 2147483500ULL, 0, 666 },
};

static void test_known(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		long long points, score;

		if (known[i].bits == 32) {
			struct terms32 t = { .rss_anon = known[i].mem };

			points = points32(&t, adj_points32(known[i].adj, known[i].total));
			score = score32(points, known[i].total);
		} else if (sizeof(long) == 8) {
			struct oomlens_terms t = { .rss_anon = known[i].mem };

			points = oomlens_points(&t, oomlens_adj_points(known[i].adj,
								       known[i].total));
			score = oomlens_score(points, known[i].total);
		} else {
			continue;
		}
		expect_of("row %u", i);
		EXPECT_EQ(points, known[i].points);
		EXPECT_EQ(score, known[i].score);
	}
	EXPECT_EQ(oomlens_score(5, 0), 0);
	EXPECT_EQ(score32(5, 0), 0);
	test_done("%zu cases worked out by hand", ARRAY_SIZE(known));
}

static const unsigned long long totals[] = {
	1, 2, 3, 999, 1000, 1001, 1999, 2000, 4096, 15999, 16000, 65536, 117045,
	262144, 1000000, 2097152, 2147483, 2147484, 4194304, 16777216, 268435456,
	2147483647, 4294967296ULL /* 16 TB */, 1099511627776ULL,
};

/* One case on longs of @bits bits, where it fits; not after a failure. */
static void check(unsigned int bits, long adj, unsigned long long total, unsigned long long mem)
{
	if (expect_failed() || total > (bits == 32 ? INT_MAX : LONG_MAX))
		return;
	expect_of("adj %ld, total %llu, mem %llu", adj, total, mem);
	if (bits == 32)
		check32(adj, total, mem);
	else
		check64(adj, total, mem);
}

static void test_sweep(unsigned int bits, unsigned long long seed)
{
	static const unsigned int shares[] = { 0, 1, 3, 10, 100, 500, 999, 1000, 1500, 2000 };
	unsigned int i, j;
	long adj;

	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		for (adj = -1000; adj <= 1000; adj++) {
			for (j = 0; j < ARRAY_SIZE(shares); j++) {
				unsigned long long total = totals[i];
				unsigned long long mem = total / 1000 * shares[j] +
					rnd_range(&seed, 0, total < 1000 ? total : 1000);

				check(bits, adj, total, mem);
			}
		}
	}
	/* Any bits at all, above all those that overflow. */
	for (i = 0; i < 200000; i++) {
		unsigned long total = (rnd(&seed) >> rnd_range(&seed, 1, 63) & LONG_MAX) + 1;
		unsigned long mem = rnd(&seed) >> rnd_range(&seed, 0, 63);

		check(bits, (long)rnd_range(&seed, 0, 2000) - 1000, total, mem);
	}
	test_done("a long of %u bits", bits);
}

/*
 * oom_evaluate_task(): a task is passed over if it has fewer points than the
 * one chosen so far. Played again and again until no task is left, it must take
 * the tasks in the order that oomlens_precedes() gives.
 */
static void check_order(unsigned long long *seed)
{
	enum { N = 24 };
	long points[N];
	bool gone[N] = { false };
	unsigned int place[N];
	unsigned int i, round;

	for (i = 0; i < N; i++)
		points[i] = (long)rnd_range(seed, 0, 7) - 3;	/* many ties */
	for (i = 0; i < N; i++) {
		unsigned int j;

		for (place[i] = 0, j = 0; j < N; j++)
			place[i] += j != i && oomlens_precedes(points[j], j, points[i], i);
	}
	for (round = 0; round < N; round++) {
		long chosen_points = LONG_MIN;
		int chosen = -1;

		for (i = 0; i < N; i++) {
			if (gone[i] || points[i] < chosen_points)
				continue;
			chosen = i;
			chosen_points = points[i];
		}
		EXPECT_EQ(place[chosen], round);
		gone[chosen] = true;
	}
}

int main(void)
{
	unsigned long long seed;
	unsigned int i;

	ksft_print_header();
	ksft_set_plan(4);
	seed = test_seed();
	test_known();
	test_sweep(sizeof(long) * 8, seed);
	test_sweep(32, seed);
	for (i = 0; i < 2000 && !expect_failed(); i++)
		check_order(&seed);
	test_done("the order of victims, ties included");
	test_end();
}
