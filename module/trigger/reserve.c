// SPDX-License-Identifier: GPL-2.0
/*
 * reserve: an air bag. Pages set aside are given back from the OOM notifier at
 * the next global OOM, which calls the kill off; user space, told by events,
 * has that much memory to act on it.
 */
#include <linux/workqueue.h>

#include "run.h"
#include "trigger.h"

/*
 * Memory that any allocation can use, so none of highmem's. Setting it aside
 * may reclaim a little; refilling takes what is free and nothing else.
 */
#define GFP_SET		(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)
#define GFP_REFILL	(__GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* In the notifier; the rest stays for the next OOM. */
#define RELIEF_NS	(20 * NSEC_PER_MSEC)

/* After a relief, the admin has time to act before the reserve is refilled. */
#define REFILL_AFTER	(10 * HZ)
#define REFILL_AGAIN	HZ

/* Blocks taken in one go of the refill. */
#define REFILL_BATCH	16

static struct oomlens_pool pool = OOMLENS_POOL_INIT(pool);
static DEFINE_MUTEX(grow_lock);		/* growing the pool, and target */
static unsigned long target;		/* pages */
static atomic_long_t spent;		/* pages given back in OOMs, in all */
static atomic_long_t refills;		/* times that it was full again */
static bool missing;			/* spent since it was full; READ_ONCE */

static void refill(struct work_struct *work);
static DECLARE_DELAYED_WORK(refill_work, refill);

static void account(long pages)
{
	oomlens_counter_add(OOMLENS_MEMORY_BYTES, pages * (long)PAGE_SIZE);
}

static unsigned long give(unsigned long pages, u64 bound_ns)
{
	unsigned long given = oomlens_pool_give(&pool, pages, bound_ns);

	account(-(long)given);
	return given;
}

static unsigned long held(void)
{
	return READ_ONCE(pool.pages);
}

/* Free pages over the zones' high watermarks, of the zones that we take from. */
static unsigned long spare_pages(void)
{
	unsigned long spare = 0;
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i <= ZONE_NORMAL; i++) {
			struct zone *zone = &NODE_DATA(nid)->node_zones[i];
			unsigned long free, high;

			if (!populated_zone(zone))
				continue;
			free = zone_page_state(zone, NR_FREE_PAGES);
			high = high_wmark_pages(zone);
			spare += free - min(free, high);
		}
	}
	return spare;
}

/* Would as much again, and 1/64 of RAM, stay spare after taking @wanted pages? */
static bool plentiful(unsigned long wanted)
{
	return spare_pages() > 2 * wanted + totalram_pages() / 64;
}

static void refill(struct work_struct *work)
{
	int i;

	/* A writer has the lock, and may wait for memory. */
	if (!mutex_trylock(&grow_lock))
		goto again;
	oomlens_pool_open(&pool);
	for (i = 0; i < REFILL_BATCH && held() < target; i++) {
		unsigned long wanted = target - held(), n;

		if (!plentiful(wanted))
			break;
		n = oomlens_pool_grow(&pool, wanted, GFP_REFILL);
		if (!n)
			break;
		account(n);
	}
	if (held() >= target) {
		if (READ_ONCE(missing)) {
			WRITE_ONCE(missing, false);
			atomic_long_inc(&refills);
		}
		mutex_unlock(&grow_lock);
		return;
	}
	mutex_unlock(&grow_lock);
again:
	queue_delayed_work(system_dfl_wq, &refill_work, REFILL_AGAIN);
}

/*
 * A global OOM: give the reserve back, if no other memory was. It takes
 * RELIEF_NS and one batch at most.
 */
static unsigned long relieve(u64 begin, unsigned long freed)
{
	unsigned long given = 0;

	if (!freed) {
		/* A refill under way would take what is given back. */
		oomlens_pool_close(&pool);
		given = give(ULONG_MAX, RELIEF_NS);
	}
	if (given) {
		atomic_long_add(given, &spent);
		WRITE_ONCE(missing, true);
	}
	/* Whatever gave memory back: it is not for the refill. */
	if (held() < READ_ONCE(target))
		mod_delayed_work(system_dfl_wq, &refill_work, REFILL_AFTER);
	return given;
}

struct oomlens_relief oomlens_reserve_relief = {
	.name		= "reserve",
	.relieve	= relieve,
};

/* Grows to @pages, or not at all. */
static int grow(unsigned long pages)
{
	unsigned long before = held(), now, n;
	int err = 0;

	oomlens_pool_open(&pool);
	while (held() < pages) {
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		n = oomlens_pool_grow(&pool, pages - held(), GFP_SET);
		if (!n) {
			err = -ENOMEM;
			break;
		}
		account(n);
		cond_resched();
	}
	now = held();
	if (err && now > before)
		give(now - before, 0);
	return err;
}

static int set_target(unsigned long pages)
{
	unsigned long now;
	int err = 0;

	/* More than half of the memory that it is taken from would end in an OOM. */
	if (pages > (totalram_pages() - totalhigh_pages()) / 2)
		return -ENOMEM;
	if (mutex_lock_interruptible(&grow_lock))
		return -EINTR;
	/* Read once: an OOM can take it at any time. */
	now = held();
	if (pages > now)
		err = grow(pages);
	else
		give(now - pages, 0);
	if (!err) {
		WRITE_ONCE(target, pages);
		WRITE_ONCE(missing, false);
	}
	mutex_unlock(&grow_lock);
	/* Whole blocks are given back: the refill takes back what was too much. */
	queue_delayed_work(system_dfl_wq, &refill_work, REFILL_AGAIN);
	return err;
}

static int reserve_command(struct seq_file *m, char *line)
{
	unsigned long pages;
	int err;

	err = oomlens_permitted(m);
	if (err)
		return err;
	return oomlens_parse_size(line, &pages) ?: set_target(pages);
}

static int reserve_show(struct seq_file *m, void *v)
{
	seq_puts(m, "# oomlens reserve 1\n");
	seq_printf(m, "target %lu\n", READ_ONCE(target));
	seq_printf(m, "held %lu\n", held());
	seq_printf(m, "spent %ld\n", atomic_long_read(&spent));
	seq_printf(m, "refills %ld\n", atomic_long_read(&refills));
	return 0;
}

const struct oomlens_file_ops oomlens_reserve_file = {
	.show		= reserve_show,
	.command	= reserve_command,
};

/**
 * oomlens_reserve_exit() - give everything back
 *
 * The notifier and the files are gone: nothing refills or spends it any more.
 *
 * Context: module unload, sleeps.
 */
void oomlens_reserve_exit(void)
{
	cancel_delayed_work_sync(&refill_work);
	give(ULONG_MAX, 0);
}
