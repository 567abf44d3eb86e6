// SPDX-License-Identifier: GPL-2.0
/*
 * How much of the kernel's "Percpu" is of the page allocator's memory. The kernel
 * counts the first chunk, which was taken at boot from what never came to the page
 * allocator and so is not of MemTotal; and, on x86-64, it counts every unit of a
 * chunk, also those of no CPU.
 *
 * Source: mm/percpu.c, pcpu_nr_pages(), pcpu_embed_first_chunk().
 */
#include <linux/cpumask.h>
#include <linux/kernel_stat.h>
#include <linux/percpu.h>

#include "percpu.h"

/* Both are of the boot, and the same ever after. */
static unsigned long first_pages;	/* of the first chunk, for one CPU; 0: not known */
static unsigned long units;		/* that the kernel counts */

#if !defined(CONFIG_SMP)
static void __init learn(void)
{
	first_pages = max_t(unsigned long, PCPU_MIN_UNIT_SIZE,
			    roundup_pow_of_two(PERCPU_DYNAMIC_RESERVE)) >> PAGE_SHIFT;
	units = 1;
}
#else
/* Between two CPUs' units, of those that lie beside each other; ULONG_MAX: one CPU. */
static unsigned long __init unit_size(void)
{
	int first = cpumask_first(cpu_possible_mask), cpu;
	unsigned long least = ULONG_MAX;

	for_each_possible_cpu(cpu) {
		unsigned long at = per_cpu_offset(cpu), from = per_cpu_offset(first);

		if (cpu != first)
			least = min(least, at > from ? at - from : from - at);
	}
	return least;
}

#ifdef CONFIG_X86_64
/* Blocks of this size and alignment are cut into units of equal size. */
#define CHUNK_ALIGN	PMD_SIZE

static unsigned long __init unit_of(int cpu, unsigned long size)
{
	return round_down((unsigned long)per_cpu_ptr(&kstat, cpu), size);
}

static unsigned long __init reserved_from(unsigned long at, unsigned long end)
{
	unsigned long pages = 0;

	for (; at < end && PageReserved(virt_to_page((void *)at)); at += PAGE_SIZE)
		pages++;
	return pages;
}

static bool __init first_in_block(int cpu)
{
	int other;

	for_each_possible_cpu(other) {
		if (other >= cpu)
			break;
		if (unit_of(other, CHUNK_ALIGN) == unit_of(cpu, CHUNK_ALIGN))
			return false;
	}
	return true;
}

/*
 * What a unit has beyond the first chunk went back at boot, and is reserved only
 * where the boot took it again, from the top down: so the shortest run of reserved
 * pages from a unit's begin is the first chunk.
 */
static void __init learn(void)
{
	unsigned long size = min_t(unsigned long, unit_size(), CHUNK_ALIGN);
	int cpu;

	/* With percpu_alloc=page it lies in vmalloc's space. */
	if (!is_power_of_2(size) || is_vmalloc_addr(per_cpu_ptr(&kstat, 0)))
		return;
	first_pages = ULONG_MAX;
	for_each_possible_cpu(cpu) {
		unsigned long at = unit_of(cpu, size);

		first_pages = min(first_pages, reserved_from(at, at + size));
		if (first_in_block(cpu))
			units += CHUNK_ALIGN / size;
	}
}
#else
/* A unit is as large as the first chunk. */
static void __init learn(void)
{
	unsigned long size = unit_size();

	if (size != ULONG_MAX && !offset_in_page(size))
		first_pages = size >> PAGE_SHIFT;
	units = num_possible_cpus();
}
#endif
#endif

/**
 * oomlens_percpu_init() - learn the size of the first chunk
 *
 * Context: module load.
 */
void __init oomlens_percpu_init(void)
{
	learn();
}

/**
 * oomlens_percpu_pages() - what of Percpu is of the page allocator's memory
 * @counted: pages, as the kernel shows them
 *
 * Context: any.
 * Return: pages, @counted if the first chunk is not known.
 */
unsigned long oomlens_percpu_pages(unsigned long counted)
{
	unsigned long each = units ? counted / units : 0;

	return each < first_pages || !first_pages ? counted :
						    (each - first_pages) * num_possible_cpus();
}
