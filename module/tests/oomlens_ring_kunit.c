// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of events, by itself: numbers, what is kept, whose cgroups are held,
 * and that a reader never gets a torn event while the writer goes on.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/module.h>

/* Here what the module does once, at load, is done by each test. */
#undef __init
#define __init

#include "../event/added.c"
#include "../event/index.c"
#include "../event/outcome.c"
#include "../event/ring.c"

/* ---- What the ring asks of the rest of the module ---- */

static atomic_long_t counters[OOMLENS_NR_COUNTERS];

void oomlens_counter_add(enum oomlens_counter stat, long n)
{
	atomic_long_add(n, &counters[stat]);
}

void *oomlens_keep_alloc(size_t size)
{
	return kvzalloc(size, GFP_KERNEL);
}

unsigned long oomlens_kernel_kills(void)
{
	return 0;
}

/* Cgroups are addresses that are never dereferenced, and references a count. */
static char memcgs[8];
static atomic_t references;

static struct mem_cgroup *fake_memcg(unsigned int i)
{
	return (struct mem_cgroup *)&memcgs[i % ARRAY_SIZE(memcgs)];
}

struct mem_cgroup *oomlens_memcg_of(struct task_struct *p)
{
	return NULL;
}

bool oomlens_memcg_tryget(struct mem_cgroup *memcg)
{
	atomic_inc(&references);
	return true;
}

void oomlens_memcg_put(struct mem_cgroup *memcg)
{
	if (memcg)
		atomic_dec(&references);
}

/* ---- Tests ---- */

#define EVENTS		4
#define CANDIDATES	2
#define ZONES		3

static struct oomlens_event *copy;
static struct oomlens_finish *finish;

static int ring_test_init(struct kunit *test)
{
	events = EVENTS;
	oomlens_nr_candidates = CANDIDATES;
	head = 0;
	latest = NULL;
	open.slot = NULL;
	memset(counters, 0, sizeof(counters));
	atomic_set(&references, 0);
	KUNIT_ASSERT_EQ(test, oomlens_ring_init(ZONES, 0), 0);
	copy = kunit_kzalloc(test, oomlens_event_size(), GFP_KERNEL);
	finish = kunit_kzalloc(test, oomlens_finish_size(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, finish);
	return 0;
}

static void ring_test_exit(struct kunit *test)
{
	oomlens_ring_exit();
	KUNIT_EXPECT_EQ(test, atomic_read(&references), 0);
}

/* One event whose every figure tells its number. */
static void write_event(unsigned long number, enum oomlens_outcome outcome)
{
	struct oomlens_event *e = oomlens_event_begin(true, ktime_get_mono_fast_ns());
	struct oomlens_zone_record *z = oomlens_event_zones(e);
	unsigned int i;

	e->freed = number;
	e->memory.free = number * 3;
	e->outcome = outcome;
	for (i = 0; i < ZONES; i++)
		z[i].free = number + i;
	for (i = 0; i < OOMLENS_VICTIMS; i++)
		e->victims[i].pid = number + i;
	oomlens_event_memcg(e, fake_memcg(number));
	oomlens_event_memcg(e, fake_memcg(number + 1));
	oomlens_event_end();
}

static bool event_is_whole(const struct oomlens_event *e, unsigned long number)
{
	const struct oomlens_zone_record *z = oomlens_event_zones(e);
	unsigned int i;

	if (e->number != number || e->freed != number ||
	    e->memory.free != number * 3)
		return false;
	for (i = 0; i < ZONES; i++)
		if (z[i].free != number + i)
			return false;
	for (i = 0; i < OOMLENS_VICTIMS; i++)
		if (e->victims[i].pid != number + i)
			return false;
	return true;
}

static void ring_keeps_the_last(struct kunit *test)
{
	unsigned long n;

	for (n = 1; n <= 10; n++)
		write_event(n, OOMLENS_OUTCOME_KILLED);
	KUNIT_EXPECT_EQ(test, oomlens_event_newest(), 10UL);
	for (n = 1; n <= 10; n++) {
		bool kept = oomlens_event_copy(n, copy, finish);

		/* The newest is kept besides: what it does is not known before the next. */
		KUNIT_EXPECT_EQ(test, kept, n >= 10 - EVENTS);
		if (kept)
			KUNIT_EXPECT_TRUE(test, event_is_whole(copy, n));
	}
	KUNIT_EXPECT_FALSE(test, oomlens_event_copy(11, copy, finish));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&counters[OOMLENS_EVENTS]), 10L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&counters[OOMLENS_OVERWRITTEN]),
			9L - EVENTS);
}

static void ring_counts_what_was_read(struct kunit *test)
{
	unsigned long n;

	for (n = 1; n <= EVENTS; n++)
		write_event(n, OOMLENS_OUTCOME_KILLED);
	oomlens_event_was_read(1);
	oomlens_event_was_read(3);
	for (; n <= 2 * EVENTS + 1; n++)
		write_event(n, OOMLENS_OUTCOME_KILLED);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&counters[OOMLENS_OVERWRITTEN]),
			EVENTS - 2L);
}

/* Of calls that did nothing, for whatever reason, two are kept, and their count. */
static void ring_keeps_the_kill(struct kunit *test)
{
	static const enum oomlens_outcome idle[] = {
		OOMLENS_OUTCOME_IN_FLIGHT, OOMLENS_OUTCOME_DYING, OOMLENS_OUTCOME_NO_FS,
		OOMLENS_OUTCOME_NOBODY, OOMLENS_OUTCOME_DISABLED, OOMLENS_OUTCOME_AVERTED,
		OOMLENS_OUTCOME_EXITING,
	};
	unsigned long n;
	unsigned int i;

	for (n = 1; n <= EVENTS; n++)
		write_event(n, OOMLENS_OUTCOME_KILLED);
	for (; n <= EVENTS + 700; n++)
		write_event(n, idle[n % ARRAY_SIZE(idle)]);
	for (n = 1; n <= EVENTS + 1; n++)
		KUNIT_EXPECT_TRUE(test, oomlens_event_copy(n, copy, finish));
	KUNIT_EXPECT_FALSE(test, oomlens_event_copy(n, copy, finish));
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(EVENTS + 700, copy, finish));
	for (i = 0; i < ARRAY_SIZE(idle); i++)
		KUNIT_EXPECT_EQ(test, copy->idle[idle[i]], 100U);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&counters[OOMLENS_EVENTS]), EVENTS + 700L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&counters[OOMLENS_OVERWRITTEN]), 0L);
	/* The first, the one before the newest and the newest. */
	KUNIT_EXPECT_EQ(test, atomic_long_read(&counters[OOMLENS_COLLAPSED]), 700L - 3);
	/* A kill takes nothing of the run: its newest is there, and is the last now. */
	write_event(EVENTS + 701, OOMLENS_OUTCOME_KILLED);
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(EVENTS + 700, copy, finish));
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(EVENTS + 1, copy, finish));
	KUNIT_EXPECT_EQ(test, oomlens_event_kept(EVENTS + 2), EVENTS + 700UL);
}

static void write_idle(unsigned long number, u64 memcg)
{
	struct oomlens_event *e = oomlens_event_begin(true, ktime_get_mono_fast_ns());

	WARN_ON(e->number != number);
	e->limit_id = memcg;
	e->outcome = OOMLENS_OUTCOME_NOBODY;
	oomlens_event_end();
}

/* A run each for two cgroups, and one for all others: none hides another's. */
static void ring_keeps_runs_apart(struct kunit *test)
{
	unsigned long n = 0;
	unsigned int i;

	oomlens_ring_exit();
	events = 12;
	KUNIT_ASSERT_EQ(test, oomlens_ring_init(ZONES, 0), 0);
	for (i = 0; i < 50; i++) {
		write_idle(++n, 7);
		write_idle(++n, i == 49 ? 8 : 7);
		write_idle(++n, 9);
		write_idle(++n, 10 + i);
	}
	/* 7 and 9 came first; 10 to 59 have the third together, with 8. */
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(1, copy, finish));
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(3, copy, finish));
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(4, copy, finish));
	KUNIT_EXPECT_EQ(test, oomlens_event_kept(5), 197UL);
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(197, copy, finish));
	KUNIT_EXPECT_EQ(test, copy->idle[OOMLENS_OUTCOME_NOBODY], 99U);
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(199, copy, finish));
	KUNIT_EXPECT_EQ(test, copy->idle[OOMLENS_OUTCOME_NOBODY], 50U);
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(200, copy, finish));
	KUNIT_EXPECT_EQ(test, copy->idle[OOMLENS_OUTCOME_NOBODY], 51U);
}

static void ring_holds_cgroups(struct kunit *test)
{
	struct mem_cgroup *taken[CANDIDATES + OOMLENS_MORE_MEMCGS];
	struct oomlens_event *e;
	unsigned int i;

	e = oomlens_event_begin(true, ktime_get_mono_fast_ns());
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_memcg(e, NULL), 0);
	/* Once each, as many as there is room for. */
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		KUNIT_EXPECT_EQ(test, (int)oomlens_event_memcg(e, fake_memcg(i)), (int)i + 1);
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_memcg(e, fake_memcg(2)), 3);
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_memcg(e, fake_memcg(7)), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&references), (int)ARRAY_SIZE(taken));
	oomlens_event_end();
	KUNIT_EXPECT_EQ(test, oomlens_event_take_memcgs(1, taken),
			(unsigned int)ARRAY_SIZE(taken));
	KUNIT_EXPECT_EQ(test, oomlens_event_take_memcgs(1, taken), 0U);
	for (i = 0; i < ARRAY_SIZE(taken); i++) {
		KUNIT_EXPECT_PTR_EQ(test, taken[i], fake_memcg(i));
		oomlens_memcg_put(taken[i]);
	}
}

/* Without the probe: marks are added, and it is over when none came. */
static void ring_settles(struct kunit *test)
{
	struct oomlens_event *e = oomlens_event_begin(false, ktime_get_mono_fast_ns());

	KUNIT_EXPECT_EQ(test, (int)oomlens_event_state(1), (int)OOMLENS_EVENT_OPEN);
	oomlens_event_pause(e, 10000);
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_state(1), (int)OOMLENS_EVENT_SETTLING);
	KUNIT_EXPECT_PTR_EQ(test, oomlens_event_peek(), e);
	oomlens_event_resume(e);
	e->nr_marked = 1;
	oomlens_event_pause(e, 0);
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_state(1), (int)OOMLENS_EVENT_OVER);
	KUNIT_EXPECT_TRUE(test, oomlens_event_copy(1, copy, finish));
	KUNIT_EXPECT_EQ(test, copy->nr_marked, 1U);
}

/*
 * What readers and the kthread see while oomlens_event_begin() runs on another
 * CPU, between its stores.
 */
static void ring_is_read_meanwhile(struct kunit *test)
{
	unsigned long n;

	for (n = 1; n <= 7; n++)
		write_event(n, OOMLENS_OUTCOME_KILLED);
	oomlens_event_begin(true, ktime_get_mono_fast_ns());
	/* The number is there, head is not: the OOM is under way. */
	head = 7;
	KUNIT_EXPECT_EQ(test, oomlens_event_kept(8), 8UL);
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_state(8), (int)OOMLENS_EVENT_OPEN);
	KUNIT_EXPECT_EQ(test, (int)oomlens_event_state(7), (int)OOMLENS_EVENT_OVER);
	KUNIT_EXPECT_EQ(test, oomlens_event_kept(1), 4UL);
	head = 8;
	oomlens_event_end();
}

/* While a writer goes on, the latest that was over is always to be had. */
static int look_for_latest(void *arg)
{
	unsigned long *lost = arg;

	while (!kthread_should_stop()) {
		unsigned long n = oomlens_event_newest();

		/* Two more can come before the place of this one is taken anew. */
		if (n > EVENTS && !oomlens_event_kept(n) && oomlens_event_newest() < n + 2)
			++*lost;
		cond_resched();
	}
	return 0;
}

static int write_for_ever(void *unused)
{
	unsigned long n = 0;

	while (!kthread_should_stop()) {
		write_event(++n, OOMLENS_OUTCOME_KILLED);
		if (n % 64 == 0)
			usleep_range(10, 50);
	}
	return 0;
}

static void ring_is_never_torn(struct kunit *test)
{
	struct mem_cgroup *taken[CANDIDATES + OOMLENS_MORE_MEMCGS];
	unsigned long end = jiffies + HZ / 2, got = 0, torn = 0;
	struct task_struct *writer, *looker;
	unsigned long lost = 0;

	looker = kthread_run(look_for_latest, &lost, "ring_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(looker));
	writer = kthread_run(write_for_ever, NULL, "ring_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(writer));
	while (time_before(jiffies, end)) {
		unsigned long n = oomlens_event_newest();
		unsigned int i, held;

		n -= min(n, got % EVENTS);
		if (!n || !oomlens_event_copy(n, copy, finish)) {
			cond_resched();
			continue;
		}
		got++;
		torn += !event_is_whole(copy, n);
		held = oomlens_event_take_memcgs(n, taken);
		for (i = 0; i < held; i++)
			oomlens_memcg_put(taken[i]);
	}
	kthread_stop(writer);
	kthread_stop(looker);
	kunit_info(test, "%lu events written, %lu copied", oomlens_event_newest(), got);
	KUNIT_EXPECT_GT(test, got, 100UL);
	KUNIT_EXPECT_EQ(test, torn, 0UL);
	KUNIT_EXPECT_EQ(test, lost, 0UL);
}

/* Whether the lines of an event, as printed, are @want. */
static bool lines_are(struct kunit *test, unsigned long number, const char *want)
{
	struct seq_file m = { .size = 256 };
	unsigned int i;

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m.buf);
	for (i = 0; oomlens_added_show(&m, number, i); i++)
		seq_putc(&m, '\n');
	return m.count == strlen(want) && !memcmp(m.buf, want, m.count);
}

#define LINES	1000

/* Lines of an event stay together; where there is no room the oldest go. */
static void ring_keeps_added_lines(struct kunit *test)
{
	char *longest = kunit_kzalloc(test, OOMLENS_ADDED_MAX + 1, GFP_KERNEL);
	unsigned long i, first;
	char want[32];

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, longest);
	KUNIT_ASSERT_EQ(test, oomlens_added_init(0), 0);
	KUNIT_EXPECT_EQ(test, oomlens_event_add(7, "x 7 a"), 0);
	KUNIT_EXPECT_EQ(test, oomlens_event_add(8, "x 8"), 0);
	KUNIT_EXPECT_EQ(test, oomlens_event_add(7, "x 7 b"), 0);
	KUNIT_EXPECT_TRUE(test, lines_are(test, 7, "x 7 a\nx 7 b\n"));
	KUNIT_EXPECT_TRUE(test, lines_are(test, 9, ""));
	for (i = 10; i < LINES; i++) {
		snprintf(want, sizeof(want), "x %lu", i);
		KUNIT_EXPECT_EQ(test, oomlens_event_add(i, want), 0);
	}
	KUNIT_EXPECT_TRUE(test, lines_are(test, 7, ""));
	/* From the oldest that is left on they are all there. */
	for (first = 10; first < LINES && lines_are(test, first, ""); first++)
		;
	KUNIT_EXPECT_LT(test, first, (unsigned long)LINES - 50);
	for (i = first; i < LINES; i++) {
		snprintf(want, sizeof(want), "x %lu\n", i);
		KUNIT_EXPECT_TRUE(test, lines_are(test, i, want));
	}
	memset(longest, 'x', OOMLENS_ADDED_MAX);
	KUNIT_EXPECT_EQ(test, oomlens_event_add(7, longest), -E2BIG);
	longest[OOMLENS_ADDED_MAX - 1] = '\0';
	KUNIT_EXPECT_EQ(test, oomlens_event_add(7, longest), 0);
	oomlens_added_exit();
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(ring_keeps_the_last),
	KUNIT_CASE(ring_counts_what_was_read),
	KUNIT_CASE(ring_keeps_the_kill),
	KUNIT_CASE(ring_keeps_runs_apart),
	KUNIT_CASE(ring_holds_cgroups),
	KUNIT_CASE(ring_settles),
	KUNIT_CASE(ring_is_read_meanwhile),
	KUNIT_CASE(ring_is_never_torn),
	KUNIT_CASE(ring_keeps_added_lines),
	{ }
};

static struct kunit_suite ring_suite = {
	.name		= "oomlens_ring",
	.init		= ring_test_init,
	.exit		= ring_test_exit,
	.test_cases	= ring_cases,
};

kunit_test_suite(ring_suite);

MODULE_DESCRIPTION("KUnit tests of oomlens' ring of events");
MODULE_LICENSE("GPL");
