// SPDX-License-Identifier: GPL-2.0
/*
 * The largest rows of a kind, or those that grew most, in a sorted array.
 */
#include "internal.h"

static s64 value_of(const struct oomlens_rows *list, const struct oomlens_row *row)
{
	return list->by_growth ? (s64)row->grew : (s64)row->points;
}

/**
 * oomlens_rows_wants() - would a row with that value be taken?
 * @list: the rows
 * @value: pages, or growth
 *
 * Context: any.
 */
bool oomlens_rows_wants(const struct oomlens_rows *list, s64 value)
{
	if (list->by_growth && value <= 0)
		return false;
	return list->max && (list->n < list->max ||
			     value > value_of(list, &list->rows[list->n - 1]));
}

static void remove_key(struct oomlens_rows *list, u64 key)
{
	unsigned int i;

	for (i = 0; i < list->n; i++) {
		if (list->rows[i].key != key)
			continue;
		list->n--;
		memmove(&list->rows[i], &list->rows[i + 1], (list->n - i) * sizeof(*list->rows));
		return;
	}
}

static const struct oomlens_row *find_key(const struct oomlens_rows *list, u64 key)
{
	unsigned int i;

	for (i = 0; i < list->n; i++)
		if (list->rows[i].key == key)
			return &list->rows[i];
	return NULL;
}

/**
 * oomlens_rows_add() - take a row, if it is among the largest
 * @list: the rows
 * @row: of one key the larger row stays
 *
 * Context: any.
 */
void oomlens_rows_add(struct oomlens_rows *list, const struct oomlens_row *row)
{
	const struct oomlens_row *same;
	s64 value = value_of(list, row);
	unsigned int i;

	if (!oomlens_rows_wants(list, value))
		return;
	same = find_key(list, row->key);
	if (same && value_of(list, same) >= value)
		return;
	remove_key(list, row->key);
	if (list->n == list->max)
		list->n--;
	for (i = list->n; i && value_of(list, &list->rows[i - 1]) < value; i--)
		list->rows[i] = list->rows[i - 1];
	list->rows[i] = *row;
	list->n++;
}

/**
 * oomlens_rows_put() - the largest, then those of another list that are not among them
 * @to: room for @max rows
 * @max: at most
 * @largest: sorted
 * @others: sorted
 *
 * Context: any.
 * Return: rows written.
 */
unsigned int oomlens_rows_put(struct oomlens_row *to, unsigned int max,
			      const struct oomlens_rows *largest,
			      const struct oomlens_rows *others)
{
	unsigned int i, n = min_t(unsigned int, largest->n, max);

	memcpy(to, largest->rows, n * sizeof(*to));
	for (i = 0; i < others->n && n < max; i++)
		if (!find_key(largest, others->rows[i].key))
			to[n++] = others->rows[i];
	return n;
}
