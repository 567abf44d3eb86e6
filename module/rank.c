// SPDX-License-Identifier: GPL-2.0
/*
 * Puts tasks into the order in which the kernel would take them.
 *
 * lib/sort.c is a heap sort that calls a function for each comparison; over
 * ten thousand tasks it took longer than reading their figures. This is a
 * merge sort with the comparison inline, and nearly free where the input is
 * in order already, as it is of equals if the walk's last comes first.
 */
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "rank.h"

/**
 * oomlens_rank_sorted() - is there nothing to sort?
 * @keys: in the order of the walk's end to its beginning
 * @n: how many
 */
bool oomlens_rank_sorted(const struct oomlens_rank_key *keys, unsigned int n)
{
	unsigned int i;

	for (i = 1; i < n; i++)
		if (oomlens_rank_precedes(&keys[i], &keys[i - 1]))
			return false;
	return true;
}

/* Merges two neighbouring runs of @from into @to. */
static void merge(struct oomlens_rank_key *to, const struct oomlens_rank_key *from,
		  unsigned int left, unsigned int right)
{
	const struct oomlens_rank_key *a = from, *a_end = from + left;
	const struct oomlens_rank_key *b = a_end, *b_end = a_end + right;

	while (a < a_end && b < b_end)
		*to++ = oomlens_rank_precedes(b, a) ? *b++ : *a++;
	while (a < a_end)
		*to++ = *a++;
	while (b < b_end)
		*to++ = *b++;
}

/**
 * oomlens_rank_sort() - sort, the next victim first
 * @keys: to be sorted
 * @scratch: room for as many
 * @n: how many
 *
 * Context: process context, lets others run.
 */
void oomlens_rank_sort(struct oomlens_rank_key *keys, struct oomlens_rank_key *scratch,
		       unsigned int n)
{
	struct oomlens_rank_key *from = keys, *to = scratch;
	unsigned int width, i;

	for (width = 1; width < n; width *= 2) {
		for (i = 0; i < n; i += 2 * width) {
			unsigned int left = min(width, n - i);

			merge(to + i, from + i, left, min(width, n - i - left));
			if (i % 1024 == 0)
				cond_resched();
		}
		swap(from, to);
	}
	if (from != keys)
		memcpy(keys, from, n * sizeof(*keys));
}
