// SPDX-License-Identifier: GPL-2.0
/*
 * What is done some time after an OOM, with a clock and a queue that are made up: the
 * looks for the details of events, and the reserve's refill.
 */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#undef __init
#define __init

/* Ticks until the work is due, -1: it is not queued. */
static long due;

static void queue(bool again, unsigned long delay)
{
	if (again || due < 0)
		due = delay;
}

static u64 ticks;
#define get_jiffies_64()			ticks
#define queue_delayed_work(wq, work, delay)	((void)(wq), (void)(work), queue(false, delay))
#define mod_delayed_work(wq, work, delay)	((void)(wq), (void)(work), queue(true, delay))

#include "../details.c"
#include "../trigger/reserve.c"

/* ---- Looks ---- */

/* Ticks that a look takes. */
#define LOOK	10

static unsigned int looks;
static int look_fails;

/* An event that killed while no process had the memory. */
static void kill_one(void)
{
	const struct oomlens_memory_record memory = { .ram = 1000, .shmem = 500 };
	const struct oomlens_facts facts = { .number = 1, .memory = &memory };

	killed(&facts);
}

/* In a storm kills come at each time. */
int oomlens_objects_largest(unsigned int n, void (*take)(const char *text, void *arg), void *arg)
{
	looks++;
	ticks += LOOK;
	kill_one();
	return look_fails;
}

static void run_when_due(struct kunit *test)
{
	KUNIT_ASSERT_GE(test, due, 0L);
	ticks += due;
	due = -1;
	look(NULL);
	kill_one();
}

static void a_storm_leaves_the_pauses(struct kunit *test)
{
	const u64 end = ticks + 100 * LOOK * (1 + PAUSES);

	kill_one();
	while (ticks < end)
		run_when_due(test);
	KUNIT_EXPECT_LE(test, looks, 101U);
	KUNIT_EXPECT_GE(test, looks, 99U);
}

static void without_memory_the_tries_take_their_time(struct kunit *test)
{
	u64 begin = ticks;

	look_fails = -ENOMEM;
	kill_one();
	while (!next_look || looks <= TRIES)
		run_when_due(test);
	KUNIT_EXPECT_EQ(test, looks, 1U + TRIES);
	KUNIT_EXPECT_GE(test, ticks - begin, TRIES * (u64)msecs_to_jiffies(RETRY_MS));
}

/* ---- The reserve ---- */

static unsigned long gives;

unsigned long oomlens_pool_give(struct oomlens_pool *p, unsigned long pages, u64 bound_ns)
{
	unsigned long n = min(gives, p->pages);

	p->pages -= n;
	return n;
}

static void each_oom_puts_the_refill_off(struct kunit *test)
{
	target = 100;
	pool.pages = 100;
	gives = 60;
	/* All of it is there. */
	relieve(0, 50);
	KUNIT_EXPECT_EQ(test, due, -1L);
	KUNIT_EXPECT_EQ(test, relieve(0, 0), 60UL);
	KUNIT_EXPECT_EQ(test, due, (long)REFILL_AFTER);
	/* An OOM that other memory averted, and one without any. */
	due = REFILL_AGAIN;
	KUNIT_EXPECT_EQ(test, relieve(0, 50), 0UL);
	KUNIT_EXPECT_EQ(test, due, (long)REFILL_AFTER);
	KUNIT_EXPECT_EQ(test, held(), 40UL);
	pool.pages = 0;
	due = REFILL_AGAIN;
	KUNIT_EXPECT_EQ(test, relieve(0, 0), 0UL);
	KUNIT_EXPECT_EQ(test, due, (long)REFILL_AFTER);
}

/* ---- What they ask of the module ---- */

void oomlens_event_set_details(unsigned long number, enum oomlens_details details)
{
}

int oomlens_event_add(unsigned long number, const char *line)
{
	return 0;
}

void oomlens_kill_register(struct oomlens_kill_listener *listener)
{
}

unsigned int oomlens_slabs_read(struct file *slabinfo, struct oomlens_slab *slabs,
				unsigned int max)
{
	return 0;
}

struct file *oomlens_procfs_open_seq(const char *path)
{
	return ERR_PTR(-ENOENT);
}

char *oomlens_escape(char *to, const char *s)
{
	return to;
}

int oomlens_memory_open(struct oomlens_memory *m)
{
	return -ENOENT;
}

void oomlens_memory_close(struct oomlens_memory *m)
{
}

int oomlens_memory_read(struct oomlens_memory *m)
{
	return -ENOENT;
}

void oomlens_pool_open(struct oomlens_pool *p)
{
}

void oomlens_pool_close(struct oomlens_pool *p)
{
}

unsigned long oomlens_pool_grow(struct oomlens_pool *p, unsigned long max, gfp_t gfp)
{
	return 0;
}

void oomlens_counter_add(enum oomlens_counter counter, long n)
{
}

int oomlens_permitted(const struct seq_file *m)
{
	return -EPERM;
}

int oomlens_parse_size(const char *text, unsigned long *pages)
{
	return -EINVAL;
}

/* ---- */

static int later_test_init(struct kunit *test)
{
	ticks = 1000000;
	due = -1;
	looks = 0;
	look_fails = 0;
	nr_waiting = 0;
	next_look = 0;
	oomlens_details_start();
	return 0;
}

static struct kunit_case later_cases[] = {
	KUNIT_CASE(a_storm_leaves_the_pauses),
	KUNIT_CASE(without_memory_the_tries_take_their_time),
	KUNIT_CASE(each_oom_puts_the_refill_off),
	{ }
};

static struct kunit_suite later_suite = {
	.name		= "oomlens_later",
	.init		= later_test_init,
	.test_cases	= later_cases,
};

kunit_test_suite(later_suite);

MODULE_DESCRIPTION("KUnit tests of what oomlens does after an OOM");
MODULE_LICENSE("GPL");
