// SPDX-License-Identifier: GPL-2.0
/*
 * The module's counters, memory that it keeps, and the kernel's count of kills.
 */
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "kernel.h"

static atomic_long_t counters[OOMLENS_NR_COUNTERS];

/**
 * oomlens_counter_add() - count
 * @counter: the counter
 * @n: to add, may be negative
 *
 * Context: any.
 */
void oomlens_counter_add(enum oomlens_counter counter, long n)
{
	atomic_long_add(n, &counters[counter]);
}

/**
 * oomlens_memory_budget() - what the module may keep allocated beside its code
 *
 * 1/4096 of RAM, within bounds: half for events, half for history.
 *
 * Context: any.
 * Return: bytes.
 */
unsigned long oomlens_memory_budget(void)
{
	return clamp_t(u64, ((u64)totalram_pages() << PAGE_SHIFT) / 4096, SZ_32K, SZ_1M);
}

/**
 * oomlens_read_budget() - the most that one read of a file takes for a table of its own
 *
 * A user can make thousands of cgroups with paths of 4 KB, or a million objects.
 *
 * Context: any.
 * Return: bytes, 1/64 of RAM and 64 MiB at most.
 */
size_t oomlens_read_budget(void)
{
	return min_t(size_t, totalram_pages() * (PAGE_SIZE / 64), SZ_64M);
}

/**
 * oomlens_keep_alloc() - memory that stays as long as the module is loaded
 * @size: in bytes
 *
 * Counted as what it takes of the machine: the slab rounds up to a power of two,
 * so what is larger than a page is had page by page.
 *
 * Context: module load.
 * Return: the memory, zeroed, to be given back by kvfree(); NULL if there is none.
 */
void *oomlens_keep_alloc(size_t size)
{
	const gfp_t gfp = OOMLENS_GFP | __GFP_ZERO;
	void *p = size > PAGE_SIZE ? __vmalloc(size, gfp) : kmalloc(size, gfp);

	if (p)
		oomlens_counter_add(OOMLENS_MEMORY_BYTES,
				    size > PAGE_SIZE ? PAGE_ALIGN(size) : ksize(p));
	return p;
}

/**
 * oomlens_counter_max() - keep the largest
 * @counter: the counter
 * @n: a value
 *
 * Context: any.
 */
void oomlens_counter_max(enum oomlens_counter counter, long n)
{
	long old = atomic_long_read(&counters[counter]);

	while (n > old && !atomic_long_try_cmpxchg(&counters[counter], &old, n))
		;
}

/**
 * oomlens_counter_read() - a counter's value
 * @counter: the counter
 *
 * Context: any.
 * Return: in the counter's own unit.
 */
long oomlens_counter_read(enum oomlens_counter counter)
{
	return atomic_long_read(&counters[counter]);
}

/**
 * oomlens_kernel_kills() - kills by the kernel's own count
 *
 * In the OOM path the caller holds oom_lock, under which the kernel counts. While a
 * processor goes offline its kills may be counted twice or not at all: its count is
 * added to another's and then cleared, with preemption on. Source: mm/vmstat.c,
 * vm_events_fold_cpu(). So a difference may be negative.
 *
 * Context: any.
 * Return: how many.
 */
unsigned long oomlens_kernel_kills(void)
{
	unsigned long n = 0;
#ifdef CONFIG_VM_EVENT_COUNTERS
	int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu(vm_event_states, cpu).event[OOM_KILL]);
#endif
	return n;
}
