// SPDX-License-Identifier: GPL-2.0
/*
 * Free memory to the page, and a ballast that leaves little of it. MemFree
 * leaves out what the CPUs' lists hold, and since 6.7 these grow by themselves
 * to tens of MB after a large free.
 */
#include "expect.h"
#include "free.h"

long long free_memory_kb(void)
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

long long cma_free_kb(void)
{
	long long kb = meminfo_kb("CmaFree");

	return kb > 0 ? kb : 0;
}

void ballast_start(struct ballast *b, long long left_kb)
{
	struct hog_spec spec = { .adj = OOM_ADJ_NEVER, .comm = "ballast" };
	long long most, pages;

	memset(b, 0, sizeof(*b));
	most = meminfo_kb("MemAvailable") - cma_free_kb() - left_kb;
	most = most * 1024 / (long long)page_size();
	for (; most > 0; most -= pages) {
		pages = most / (32 - b->n) > 16384 ? most / (32 - b->n) + 1 : 16384;
		pages = pages < most ? pages : most;
		spec.anon = pages;
		spec.locked = pages;
		must_hog(&b->hog[b->n], &spec);
		b->n++;
	}
}

bool ballast_whole(struct ballast *b)
{
	unsigned int i;

	for (i = 0; i < b->n; i++)
		if (hog_gone(&b->hog[i]))
			return false;
	return true;
}

void ballast_end(struct ballast *b)
{
	while (b->n)
		hog_end(&b->hog[--b->n]);
}
