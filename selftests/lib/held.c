// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory the kernel holds for itself, as exactly as it can be told:
 * for what must not leak.
 */
#include <dirent.h>

#include "held.h"
#include "text.h"

#define SLABS	"/sys/kernel/slab"

void slabs_settle(void)
{
	DIR *dir = opendir(SLABS);
	struct dirent *d;
	char path[512];

	while (dir && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLABS "/%s/shrink", d->d_name);
		write_file(path, "1");
	}
	if (dir)
		closedir(dir);
	/* Each processor keeps a part of the counters to itself. */
	write_file("/proc/sys/vm/stat_refresh", "1");
}

/* Pages that are free, and set aside for a processor each. */
static long long batched_kb(void)
{
	char *text = read_file("/proc/zoneinfo"), *s = text;
	long long pages = 0;

	while (s && (s = strstr(s, " count:"))) {
		s += strlen(" count:");
		pages += strtol(s, NULL, 10);
	}
	free(text);
	return pages * (long long)page_size() / 1024;
}

static char *meminfo;	/* as held_kb() has read it last */

long long held_kb(void)
{
	static const char *const others[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "PageTables",
		"KernelStack",
	};
	long long kb;
	unsigned int i;

	write_file("/proc/sys/vm/drop_caches", "3");
	slabs_settle();
	free(meminfo);
	meminfo = read_file("/proc/meminfo");
	kb = meminfo_kb("MemTotal") - batched_kb();
	for (i = 0; i < ARRAY_SIZE(others); i++)
		kb -= meminfo_kb(others[i]);
	return kb;
}

static void print_lines(const char *when, char *text)
{
	char *line;

	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		ksft_print_msg("%s: %s\n", when, line);
}

bool held_same(long long before)
{
	char *was = meminfo;
	long long after = 0;
	bool same;

	meminfo = NULL;
	same = wait_until((after = held_kb()) <= before + HELD_SLACK_KB, 15000);
	ksft_print_msg("the kernel holds %lld kB before, %lld kB after\n", before, after);
	if (!same) {
		print_lines("before", was);
		print_lines("after", meminfo);
	}
	free(was);
	return same;
}
