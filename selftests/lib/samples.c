// SPDX-License-Identifier: GPL-2.0
/*
 * The samples that history has, by their numbers.
 */
#include "expect.h"
#include "samples.h"

struct samples samples_in(const char *text, long long from)
{
	struct samples s = { 0 };
	long long number;

	while ((text = strstr(text, "\nsample "))) {
		text += strlen("\nsample ");
		number = atoll(text);
		if (number < from)
			continue;
		if (!s.n++)
			s.first = number;
		s.last = number;
	}
	return s;
}

struct samples samples_now(void)
{
	char *text = must_read_lens("history");
	struct samples s = samples_in(text, 0);

	free(text);
	return s;
}
