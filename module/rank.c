// SPDX-License-Identifier: GPL-2.0
/*
 * Puts tasks into the order in which the kernel would take them.
 *
 * lib/sort.c is a heap sort that calls a function for each comparison; over
 * ten thousand tasks it took longer than reading their figures. Points are
 * numbers, so they are sorted by their digits: no comparison, the same cost for
 * any order that they come in, and equals stay as they were.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "rank.h"

/* Digits of few tasks are small, so that counting them is not most of it. */
#define FEW		512
#define FEW_BITS	6
#define MANY_BITS	11

/* How many keys are moved before others may run. */
#define BATCH		8192U

struct digit {
	unsigned int shift;
	unsigned long mask;
	unsigned int *counts;	/* by digit; then where its next key goes */
};

static bool is_sorted(const struct oomlens_rank_key *keys, unsigned int n)
{
	unsigned int i;

	for (i = 1; i < n; i++) {
		if (keys[i].points > keys[i - 1].points)
			return false;
		if (i % BATCH == 0)
			cond_resched();
	}
	return true;
}

/* The most points come first: sort by what is missing to the most, upwards. */
static inline unsigned int digit_of(const struct digit *d, const struct oomlens_rank_key *key,
				    long most)
{
	return (((unsigned long)most - (unsigned long)key->points) >> d->shift) & d->mask;
}

static void count_digits(const struct digit *d, const struct oomlens_rank_key *keys,
			 unsigned int n, long most)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		d->counts[digit_of(d, &keys[i], most)]++;
}

/* From how many there are of each to where the first of them goes. */
static void sum_up(const struct digit *d)
{
	unsigned int i, sum = 0;

	for (i = 0; i <= d->mask; i++) {
		unsigned int count = d->counts[i];

		d->counts[i] = sum;
		sum += count;
	}
}

static void move_by_digit(const struct digit *d, struct oomlens_rank_key *to,
			  const struct oomlens_rank_key *from, unsigned int n, long most)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		to[d->counts[digit_of(d, &from[i], most)]++] = from[i];
}

/* How far apart the first and the last will be, and the points of the first. */
static unsigned long range_of(const struct oomlens_rank_key *keys, unsigned int n, long *most)
{
	long least = keys[0].points;
	unsigned int i;

	*most = keys[0].points;
	for (i = 1; i < n; i++) {
		*most = max(*most, keys[i].points);
		least = min(least, keys[i].points);
		if (i % BATCH == 0)
			cond_resched();
	}
	return (unsigned long)*most - (unsigned long)least;
}

/**
 * oomlens_rank_sort() - sort, the most points first
 * @keys: those of equal points keep their order
 * @n: how many
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: 0, or -ENOMEM with the keys as they were.
 */
int oomlens_rank_sort(struct oomlens_rank_key *keys, unsigned int n)
{
	unsigned int bits = n < FEW ? FEW_BITS : MANY_BITS;
	struct digit d = { .mask = (1UL << bits) - 1 };
	struct oomlens_rank_key *scratch, *from = keys, *to;
	unsigned long range;
	unsigned int i;
	long most;

	if (is_sorted(keys, n))
		return 0;
	scratch = kvmalloc_array(n, sizeof(*scratch), OOMLENS_GFP);
	d.counts = kmalloc_array(d.mask + 1, sizeof(*d.counts), OOMLENS_GFP);
	if (!scratch || !d.counts) {
		kvfree(scratch);
		kfree(d.counts);
		return -ENOMEM;
	}
	to = scratch;
	range = range_of(keys, n, &most);
	for (; d.shift < BITS_PER_LONG && range >> d.shift; d.shift += bits) {
		memset(d.counts, 0, (d.mask + 1) * sizeof(*d.counts));
		for (i = 0; i < n; i += BATCH) {
			count_digits(&d, from + i, min(n - i, BATCH), most);
			cond_resched();
		}
		sum_up(&d);
		for (i = 0; i < n; i += BATCH) {
			move_by_digit(&d, to, from + i, min(n - i, BATCH), most);
			cond_resched();
		}
		swap(from, to);
	}
	for (i = 0; from != keys && i < n; i += BATCH) {
		memcpy(keys + i, from + i, min(n - i, BATCH) * sizeof(*keys));
		cond_resched();
	}
	kvfree(scratch);
	kfree(d.counts);
	return 0;
}
