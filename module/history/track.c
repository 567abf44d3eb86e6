// SPDX-License-Identifier: GPL-2.0
/*
 * What each task, name and cgroup had at the sample before: a hash of buckets with
 * OOMLENS_WAYS entries. In a bucket that is full the largest stay, and its floor says
 * how much a key without an entry had at most.
 */
#include <linux/hash.h>

#include "internal.h"

/* Two buckets at least: hash_64() shifts by 64 - bits. */
static unsigned int bits_of(unsigned int entries)
{
	return ilog2(max(entries / OOMLENS_WAYS, 2U));
}

/**
 * oomlens_table_size() - bytes that a table takes
 * @entries: rounded down to a power of two
 *
 * Context: any.
 * Return: bytes.
 */
size_t oomlens_table_size(unsigned int entries)
{
	size_t buckets = 1UL << bits_of(entries);

	return buckets * (OOMLENS_WAYS * sizeof(struct oomlens_tracked) +
			  sizeof(struct oomlens_floor));
}

/**
 * oomlens_table_place() - make a table
 * @t: the table
 * @memory: oomlens_table_size() bytes, zeroed
 * @entries: as there
 *
 * Context: the sampler is not running.
 */
void oomlens_table_place(struct oomlens_table *t, void *memory, unsigned int entries)
{
	unsigned int i;

	t->bits = bits_of(entries);
	t->entries = memory;
	t->floors = (struct oomlens_floor *)(t->entries + oomlens_table_entries(t));
	for (i = 0; i < 1U << t->bits; i++)
		t->floors[i].last = OOMLENS_UNKNOWN;
}

static struct oomlens_tracked *find(const struct oomlens_table *t, u64 key, u32 bucket)
{
	struct oomlens_tracked *e = &t->entries[bucket * OOMLENS_WAYS];
	unsigned int i;

	for (i = 0; i < OOMLENS_WAYS; i++)
		if (e[i].key == key)
			return &e[i];
	return NULL;
}

/**
 * oomlens_table_find() - the entry of a key
 * @t: the table
 * @key: not 0
 *
 * Context: the sampler, or oomlens_tables_lock held.
 * Return: the entry or NULL.
 */
struct oomlens_tracked *oomlens_table_find(const struct oomlens_table *t, u64 key)
{
	return find(t, key, hash_64(key, t->bits));
}

/* What an entry is judged by. Of a sum that is not whole, the one before counts too. */
static u32 size_of(const struct oomlens_table *t, const struct oomlens_tracked *e, u32 tick)
{
	return t->sums && e->seen == tick ? max(e->now, e->before) : e->now;
}

static struct oomlens_tracked *free_or_smallest(const struct oomlens_table *t, u32 bucket,
						u32 tick)
{
	struct oomlens_tracked *e = &t->entries[bucket * OOMLENS_WAYS], *best = e;
	unsigned int i;

	for (i = 0; i < OOMLENS_WAYS; i++) {
		if (!e[i].key)
			return &e[i];
		if (size_of(t, &e[i], tick) < size_of(t, best, tick))
			best = &e[i];
	}
	return best;
}

/* Makes the room of @e free; returns false if @e is larger than @pages. */
static bool evict(const struct oomlens_table *t, struct oomlens_floor *floor,
		  const struct oomlens_tracked *e, u32 pages, u32 tick)
{
	u32 size = size_of(t, e, tick);

	if (!e->key)
		return true;
	if (size >= pages) {
		floor->next = max(floor->next, pages);
		return false;
	}
	/* An entry that was not seen yet has the pages of the sample before. */
	if (e->seen == tick)
		floor->next = max(floor->next, size);
	else
		floor->last = max(floor->last, size);
	return true;
}

/**
 * oomlens_table_see() - a key is there
 * @t: the table
 * @key: not 0
 * @pages: that it has
 * @tick: the number of this sample
 * @fresh: it began after the sample before
 * @before: what it had then
 *
 * Context: the sampler.
 * Return: its entry, NULL if it has none; of a new one the caller fills
 * in pid, uid, memcg and comm.
 */
struct oomlens_tracked *oomlens_table_see(struct oomlens_table *t, u64 key, u32 pages, u32 tick,
					  bool fresh, struct oomlens_before *before)
{
	u32 bucket = hash_64(key, t->bits);
	struct oomlens_floor *floor = &t->floors[bucket];
	struct oomlens_tracked *e = find(t, key, bucket);

	before->evicted = false;
	if (e) {
		/* A walk that was broken off did not come to it. */
		before->pages = e->seen == tick - 1 ? e->now : OOMLENS_UNKNOWN;
		before->most = false;
		e->low = min(e->low, pages);
		e->now = pages;
		e->seen = tick;
		return e;
	}
	/* Before what makes room raises it. */
	before->pages = fresh ? 0 : floor->last;
	before->most = before->pages && before->pages != OOMLENS_UNKNOWN;
	e = free_or_smallest(t, bucket, tick);
	if (!evict(t, floor, e, pages, tick))
		return NULL;
	before->evicted = e->key;
	memset(e, 0, sizeof(*e));
	e->key = key;
	e->seen = tick;
	e->now = pages;
	e->low = pages;
	e->low_before = before->pages ? OOMLENS_UNKNOWN : 0;
	/* A task that began after the last sample began after all marks. */
	memset(e->marks, before->pages ? 0xff : 0, sizeof(e->marks));
	return e;
}

/**
 * oomlens_table_rival() - a part of a sum that has no entry
 * @t: the table
 * @key: not 0, without an entry
 * @pages: the part
 *
 * A vote, pages for votes: a key with more of them than all others of its bucket that
 * have no entry wins it.
 *
 * Context: the sampler.
 */
void oomlens_table_rival(struct oomlens_table *t, u64 key, u32 pages)
{
	struct oomlens_floor *floor = &t->floors[hash_64(key, t->bits)];

	if (floor->rival == key) {
		floor->rival_now += min(pages, S32_MAX - floor->rival_now);
	} else if (floor->rival_now >= pages) {
		floor->rival_now -= pages;
	} else {
		floor->rival = key;
		floor->rival_now = pages - floor->rival_now;
	}
}

/**
 * oomlens_table_lost() - a key is there, and what it has could not be read
 * @t: the table
 * @key: not 0, without an entry
 *
 * Context: the sampler.
 */
void oomlens_table_lost(struct oomlens_table *t, u64 key)
{
	t->floors[hash_64(key, t->bits)].next = OOMLENS_UNKNOWN;
}

/**
 * oomlens_table_sweep() - the end of a sample: what was not seen is gone
 * @t: the table
 * @tick: the number of the sample
 *
 * Context: the sampler.
 */
void oomlens_table_sweep(struct oomlens_table *t, u32 tick)
{
	unsigned int i;

	for (i = 0; i < oomlens_table_entries(t); i++)
		if (t->entries[i].seen != tick)
			t->entries[i].key = 0;
	for (i = 0; i < 1U << t->bits; i++)
		t->floors[i] = (struct oomlens_floor){ .last = t->floors[i].next };
}

/**
 * oomlens_table_broken() - the end of a sample in which not all was seen
 * @t: the table
 *
 * Context: the sampler.
 */
void oomlens_table_broken(struct oomlens_table *t)
{
	unsigned int i;

	/* Its sums are not whole. */
	if (t->sums)
		memset(t->entries, 0, oomlens_table_entries(t) * sizeof(*t->entries));
	for (i = 0; i < 1U << t->bits; i++)
		t->floors[i] = (struct oomlens_floor){ .last = OOMLENS_UNKNOWN };
}

/**
 * oomlens_table_mark() - keep what each has now
 * @t: the table
 * @span: whose oldest mark makes room
 *
 * Context: the sampler.
 */
void oomlens_table_mark(struct oomlens_table *t, unsigned int span)
{
	unsigned int i;

	for (i = 0; i < oomlens_table_entries(t); i++) {
		u32 *marks = t->entries[i].marks[span];

		memmove(marks + 1, marks, (OOMLENS_MARKS - 1) * sizeof(*marks));
		marks[0] = t->entries[i].now;
	}
}

/**
 * oomlens_table_end_step() - the end of a sample of the day
 * @t: the table
 *
 * Context: the sampler.
 */
void oomlens_table_end_step(struct oomlens_table *t)
{
	unsigned int i;

	for (i = 0; i < oomlens_table_entries(t); i++) {
		struct oomlens_tracked *e = &t->entries[i];

		e->low_before = e->low;
		e->low = t->sums && e->unknown == 2 ? OOMLENS_UNKNOWN : e->now;
	}
}
