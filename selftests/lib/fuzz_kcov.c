// SPDX-License-Identifier: GPL-2.0
/*
 * Which places of the module's code a write has reached, told by KCOV. The
 * module is built for it where the kernel is.
 */
#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fuzz_model.h"

#define KCOV_PCS	16384

static struct kcov {
	int fd;
	unsigned long *area;
	unsigned long start, end;	/* of the module */
	unsigned long seen[1 << 14];	/* open hash of addresses */
	unsigned int n;
} kcov = { .fd = -1 };

static void module_range(void)
{
	char line[512], name[64];
	FILE *f = fopen("/proc/modules", "r");
	unsigned long size, start;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu %*s %*s %*s %lx", name, &size, &start) == 3 &&
		    !strcmp(name, "oomlens")) {
			kcov.start = start;
			kcov.end = start + size;
		}
	if (f)
		fclose(f);
}

void kcov_begin(void)
{
	void *area;

	kcov.fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov.fd < 0)
		return;
	area = MAP_FAILED;
	if (!ioctl(kcov.fd, KCOV_INIT_TRACE, KCOV_PCS))
		area = mmap(NULL, KCOV_PCS * sizeof(long), PROT_READ | PROT_WRITE,
			    MAP_SHARED, kcov.fd, 0);
	if (area == MAP_FAILED || ioctl(kcov.fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		ksft_print_msg("KCOV: %s\n", strerror(errno));
		close(kcov.fd);
		kcov.fd = -1;
		return;
	}
	kcov.area = area;
	module_range();
}

void kcov_clear(void)
{
	if (kcov.fd >= 0)
		__atomic_store_n(&kcov.area[0], 0, __ATOMIC_RELAXED);
}

static bool first_seen(unsigned long pc)
{
	unsigned int mask = ARRAY_SIZE(kcov.seen) - 1;
	unsigned int i = (pc * 0x9e3779b1u >> 4) & mask;

	while (kcov.seen[i] && kcov.seen[i] != pc)
		i = (i + 1) & mask;
	if (kcov.seen[i] == pc || kcov.n > mask / 2)
		return false;
	kcov.seen[i] = pc;
	kcov.n++;
	return true;
}

bool kcov_reached_new(void)
{
	unsigned long n, i, pc;
	bool new = false;

	if (kcov.fd < 0)
		return false;
	n = __atomic_load_n(&kcov.area[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < KCOV_PCS; i++) {
		pc = kcov.area[i];
		if (pc >= kcov.start && pc < kcov.end)
			new |= first_seen(pc);
	}
	return new;
}

unsigned int kcov_end(void)
{
	if (kcov.fd >= 0) {
		ioctl(kcov.fd, KCOV_DISABLE, 0);
		close(kcov.fd);
	}
	return kcov.n;
}
