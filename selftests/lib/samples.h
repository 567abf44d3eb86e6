/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The samples that history has, by their numbers.
 */
#ifndef OOMLENS_SAMPLES_H
#define OOMLENS_SAMPLES_H

/* How many, the first and the last; 0 where there is none. */
struct samples {
	unsigned int n;
	long long first, last;
};

/* Those of the file's text from that number on. */
struct samples samples_in(const char *text, long long from);
struct samples samples_now(void);

#endif /* OOMLENS_SAMPLES_H */
