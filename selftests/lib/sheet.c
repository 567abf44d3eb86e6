// SPDX-License-Identifier: GPL-2.0
/*
 * The file memory: its lines, and by how much they have moved.
 */
#include <limits.h>

#include "expect.h"
#include "sheet.h"

static void take_line(struct sheet *s, const char *key, const char *value)
{
	long long pages = strcmp(value, "-") ? atoll(value) : LLONG_MIN;

	if (!strcmp(key, "ram")) {
		s->ram = pages;
	} else if (!strcmp(key, "unaccounted")) {
		s->unaccounted = pages;
		s->summed = s->n;
	} else if (!strcmp(key, "drift")) {
		s->drift = pages;
	} else {
		MUST(s->n < SHEET_LINES);
		snprintf(s->line[s->n].key, sizeof(s->line[0].key), "%s", key);
		s->line[s->n++].pages = pages;
	}
}

void sheet_read(struct sheet *s)
{
	char *text, *line, *save = NULL, key[32], value[32];
	int fd = must_open_lens("memory", O_RDONLY);

	/* Of a descriptor's snapshots the second owes nothing to the first. */
	free(MUST_HAVE(read_fd(fd)));
	text = MUST_HAVE(read_fd(fd));
	close(fd);
	memset(s, 0, sizeof(*s));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (*line != '#' && sscanf(line, "%31s %31s", key, value) == 2)
			take_line(s, key, value);
	free(text);
}

long long sheet_pages(const struct sheet *s, const char *key)
{
	unsigned int i;

	if (!strcmp(key, "unaccounted"))
		return s->unaccounted;
	for (i = 0; i < s->n; i++)
		if (!strcmp(s->line[i].key, key))
			return s->line[i].pages;
	return LLONG_MIN;
}

long long sheet_grown(const struct sheet *before, const struct sheet *after, const char *key)
{
	long long from = sheet_pages(before, key), to = sheet_pages(after, key);

	if (from == LLONG_MIN || to == LLONG_MIN)
		return from == to ? 0 : LLONG_MIN;
	return to - from;
}

void sheet_print(const struct sheet *before, const struct sheet *after)
{
	unsigned int i;

	ksft_print_msg("ram %lld, unaccounted %lld%+lld, drift %lld\n", after->ram,
		       before->unaccounted, after->unaccounted - before->unaccounted,
		       after->drift);
	for (i = 0; i < after->n; i++)
		if (sheet_grown(before, after, after->line[i].key))
			ksft_print_msg("%s %lld%+lld\n", after->line[i].key,
				       sheet_pages(before, after->line[i].key),
				       sheet_grown(before, after, after->line[i].key));
}
