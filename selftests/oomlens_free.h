/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free memory to the page. MemFree leaves out what the CPUs' lists hold, and
 * since 6.7 these grow by themselves to tens of MB after a large free.
 */
#ifndef OOMLENS_FREE_H
#define OOMLENS_FREE_H

#include "oomlens_test.h"

static inline long long free_memory_kb(void)
{
	char *text = read_file("/proc/zoneinfo"), *line, *save = NULL;
	long long pages = 0, n;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, " pages free %lld", &n) == 1 ||
		    sscanf(line, " count: %lld", &n) == 1)
			pages += n;
	free(text);
	return pages * (long long)page_size() / 1024;
}

#endif /* OOMLENS_FREE_H */
