// SPDX-License-Identifier: GPL-2.0
/*
 * What reading memory costs, opened and closed, against the files of the kernel from
 * which a program would add the same up, without what each CPU keeps back.
 *
 * Run as root in a quiet guest; under -icount a nanosecond is an instruction.
 */
#include <stdio.h>

#include "bench.h"

static void read_memory(void)
{
	read_through("/proc/oomlens/memory");
}

static void read_meminfo(void)
{
	read_through("/proc/meminfo");
}

static void read_kernel(void)
{
	read_meminfo();
	read_through("/proc/vmstat");
	read_through("/proc/zoneinfo");
}

int main(void)
{
	struct figure memory, kernel;

	bench_begin("bench_memory");
	memory = measure(read_memory, ROUNDS);
	kernel = measure(read_kernel, ROUNDS);
	figure_print("memory", NULL, 0, memory);
	figure_print("/proc/meminfo", NULL, 0, measure(read_meminfo, ROUNDS));
	figure_print("meminfo, vmstat and zoneinfo", NULL, 0, kernel);
	printf("ratio: memory is %.1f times as fast\n", kernel.median / memory.median);
	return 0;
}
