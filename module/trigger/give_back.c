// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that the module holds and can give back at once: what pressure takes
 * and what reserve keeps.
 *
 * They cost nothing but themselves: they are strung together through their own
 * struct page. They are taken in large blocks while the kernel has such to
 * spare, so that giving back is quick and leaves memory in one piece as it
 * was, and singly after that.
 */
#include <linux/log2.h>

#include "run.h"

/*
 * 1 MiB of 4 KiB pages; every architecture's page allocator has this order. Not the
 * order of a huge page: for it, as for up to 8 pages, each CPU has a list, and the pages
 * on these lists are not counted as free.
 */
#define POOL_ORDER_MAX	8

/* Blocks given back between two looks at the clock. */
#define GIVE_BATCH	32

/**
 * oomlens_pool_open() - let a pool take in pages, large blocks first
 * @pool: the pool
 *
 * Context: process context.
 */
void oomlens_pool_open(struct oomlens_pool *pool)
{
	spin_lock(&pool->lock);
	WRITE_ONCE(pool->order, POOL_ORDER_MAX);
	WRITE_ONCE(pool->closed, false);
	spin_unlock(&pool->lock);
}

/**
 * oomlens_pool_close() - let a pool take in nothing more
 * @pool: the pool
 *
 * A page that was on its way goes back to the kernel. A release: a reader that finds the
 * pool closed, by smp_load_acquire(), also finds what was written before.
 *
 * Context: as for spin_lock(); not in an interrupt.
 */
void oomlens_pool_close(struct oomlens_pool *pool)
{
	spin_lock(&pool->lock);
	/* Pairs with over() of pressure. */
	smp_store_release(&pool->closed, true);
	spin_unlock(&pool->lock);
}

/* Takes in one block; 0 if the pool was closed since. */
static unsigned long add(struct oomlens_pool *pool, struct page *page, unsigned int order)
{
	bool closed;

	set_page_private(page, order);
	spin_lock(&pool->lock);
	closed = pool->closed;
	if (!closed) {
		list_add_tail(&page->lru, &pool->blocks);
		WRITE_ONCE(pool->pages, pool->pages + (1UL << order));
	}
	spin_unlock(&pool->lock);
	if (!closed) {
		oomlens_counter_add(OOMLENS_POOL_PAGES, 1L << order);
		return 1UL << order;
	}
	set_page_private(page, 0);
	__free_pages(page, order);
	return 0;
}

/**
 * oomlens_pool_grow() - take one block
 * @pool: the pool; only one task may let it grow
 * @max: pages, at least 1
 * @gfp: for a single page
 *
 * Blocks are only taken from what is free, by the caller's cpuset, mempolicy
 * and, with __GFP_ACCOUNT, cgroup; only for a single page does @gfp do more.
 *
 * Context: process context, may sleep if @gfp lets it.
 * Return: pages taken, 0 if there are none or the pool is closed.
 */
unsigned long oomlens_pool_grow(struct oomlens_pool *pool, unsigned long max, gfp_t gfp)
{
	/* A hog writes to its pages: on a hypervisor only then do they cost anything. */
	const gfp_t zero = gfp | __GFP_ZERO;
	const gfp_t idle = (zero & ~__GFP_RECLAIM) | __GFP_NORETRY | __GFP_NOWARN |
			   __GFP_NOMEMALLOC;
	unsigned int order = min_t(unsigned int, READ_ONCE(pool->order), ilog2(max));
	struct page *page;

	for (; order; order--) {
		page = alloc_pages(idle, order);
		if (page)
			return add(pool, page, order);
		/* What is not there now is not asked for again. */
		WRITE_ONCE(pool->order, order - 1);
	}
	page = alloc_pages(zero, 0);
	return page ? add(pool, page, 0) : 0;
}

/**
 * oomlens_pool_give_batch() - give a few blocks back, where nothing may sleep
 * @pool: the pool
 * @pages: how many at least, if GIVE_BATCH blocks have as many
 *
 * The largest blocks go first, and will be tried for again.
 *
 * Context: as for spin_lock() and __free_pages(): not in an interrupt, and on
 * PREEMPT_RT not with preemption disabled.
 * Return: pages given back, 0 if there are none.
 */
unsigned long oomlens_pool_give_batch(struct oomlens_pool *pool, unsigned long pages)
{
	struct page *page, *next;
	unsigned long taken = 0;
	LIST_HEAD(batch);
	int i;

	spin_lock(&pool->lock);
	for (i = 0; i < GIVE_BATCH && taken < pages; i++) {
		page = list_first_entry_or_null(&pool->blocks, struct page, lru);
		if (!page)
			break;
		list_move_tail(&page->lru, &batch);
		taken += 1UL << page_private(page);
	}
	WRITE_ONCE(pool->pages, pool->pages - taken);
	WRITE_ONCE(pool->order, POOL_ORDER_MAX);
	spin_unlock(&pool->lock);

	list_for_each_entry_safe(page, next, &batch, lru) {
		unsigned int order = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
	oomlens_counter_add(OOMLENS_POOL_PAGES, -(long)taken);
	return taken;
}

/**
 * oomlens_pool_give() - give pages back to the kernel
 * @pool: the pool
 * @pages: how many at least, if there are as many
 * @bound_ns: give up after that long; 0: never
 *
 * Never waits for the task that grows the pool.
 *
 * Context: process context, the OOM notifier included; may sleep, and does not
 * allocate. With @bound_ns it lasts that long and GIVE_BATCH blocks more.
 * Return: pages given back.
 */
unsigned long oomlens_pool_give(struct oomlens_pool *pool, unsigned long pages, u64 bound_ns)
{
	u64 start = ktime_get_ns();
	unsigned long given = 0, n;

	while (given < pages) {
		n = oomlens_pool_give_batch(pool, pages - given);
		if (!n)
			break;
		given += n;
		if (bound_ns && ktime_get_ns() - start > bound_ns)
			break;
		cond_resched();
	}
	return given;
}
