/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file memory: its lines, and by how much they have moved.
 */
#ifndef OOMLENS_SHEET_H
#define OOMLENS_SHEET_H

#include "test.h"

#define SHEET_LINES	24

/* One reading; the sum's lines first. */
struct sheet {
	unsigned int n, summed;		/* summed: from the first line on */
	long long ram, unaccounted, drift;
	struct {
		char key[32];
		long long pages;	/* LLONG_MIN: "-" */
	} line[SHEET_LINES];
};

/* Of the file, by the second read of a descriptor. */
void sheet_read(struct sheet *s);
/* LLONG_MIN if it has no such line, or no number there; "unaccounted" and so on too. */
long long sheet_pages(const struct sheet *s, const char *key);
/* By how much a line has grown; a line without a number has not. LLONG_MIN: it has one once. */
long long sheet_grown(const struct sheet *before, const struct sheet *after, const char *key);
void sheet_print(const struct sheet *before, const struct sheet *after);

#endif /* OOMLENS_SHEET_H */
