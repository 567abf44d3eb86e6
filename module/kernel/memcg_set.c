// SPDX-License-Identifier: GPL-2.0
/*
 * The distinct memory cgroups of one snapshot, each held once while the walk is
 * on and then only a name.
 */
#include <linux/hash.h>
#include <linux/log2.h>

#include "kernel.h"

struct memcg_entry {
	struct mem_cgroup *memcg;	/* held; NULL once resolved */
	char *name;			/* escaped; NULL before, and where there was no room */
};

/* Entries in the order of first sight, found again through an open hash. */
struct oomlens_memcg_set {
	struct mem_cgroup *last;	/* asked for, and its index: tasks come in runs */
	unsigned int last_index;
	unsigned int max;
	unsigned int n;			/* entries used; entry 0 is "-" */
	unsigned int bits;		/* of the hash, at most half full */
	unsigned int *hash;		/* index of an entry, 0 for none */
	struct memcg_entry *entries;
};

static unsigned int *slot_of(const struct oomlens_memcg_set *set, struct mem_cgroup *memcg)
{
	unsigned int mask = (1U << set->bits) - 1;
	unsigned int slot = hash_ptr(memcg, set->bits);

	while (set->hash[slot] && set->entries[set->hash[slot]].memcg != memcg)
		slot = (slot + 1) & mask;
	return &set->hash[slot];
}

/* Room for @max in all; as before on error. */
static int resize(struct oomlens_memcg_set *set, unsigned int max)
{
	unsigned int bits = ilog2(max + 1) + 2, i;
	unsigned int *hash = kvcalloc(1U << bits, sizeof(*hash), OOMLENS_GFP);
	struct memcg_entry *entries = kvcalloc(max + 1, sizeof(*entries), OOMLENS_GFP);

	if (!hash || !entries) {
		kvfree(hash);
		kvfree(entries);
		return -ENOMEM;
	}
	if (set->entries)
		memcpy(entries, set->entries, set->n * sizeof(*entries));
	kvfree(set->hash);
	kvfree(set->entries);
	set->hash = hash;
	set->entries = entries;
	set->bits = bits;
	set->max = max;
	for (i = 1; i < set->n; i++)
		*slot_of(set, entries[i].memcg) = i;
	return 0;
}

/**
 * oomlens_memcg_set_alloc() - an empty table
 * @max: distinct cgroups that it can hold
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: the table, or NULL.
 */
struct oomlens_memcg_set *oomlens_memcg_set_alloc(unsigned int max)
{
	struct oomlens_memcg_set *set = kzalloc(sizeof(*set), OOMLENS_GFP);

	if (!set)
		return NULL;
	set->n = 1;
	if (resize(set, max)) {
		kfree(set);
		return NULL;
	}
	return set;
}

/**
 * oomlens_memcg_set_reserve() - make room
 * @set: the table, not resolved yet
 * @more: distinct cgroups that may come, at least
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: 0 or -ENOMEM.
 */
int oomlens_memcg_set_reserve(struct oomlens_memcg_set *set, unsigned int more)
{
	if (likely(set->n + more <= set->max + 1))
		return 0;
	return resize(set, 2 * (set->max + more));
}

/**
 * oomlens_memcg_set_free() - free a table, its names and its references
 * @set: the table, or NULL
 *
 * Context: process context, may sleep.
 */
void oomlens_memcg_set_free(struct oomlens_memcg_set *set)
{
	unsigned int i;

	if (!set)
		return;
	for (i = 1; i < set->n; i++) {
		oomlens_memcg_put(set->entries[i].memcg);
		kfree(set->entries[i].name);
	}
	kvfree(set->hash);
	kvfree(set->entries);
	kfree(set);
}

static unsigned int find_or_add(struct oomlens_memcg_set *set, struct mem_cgroup *memcg)
{
	unsigned int *slot = slot_of(set, memcg);

	if (*slot)
		return *slot;
	if (set->n > set->max || !oomlens_memcg_tryget(memcg))
		return 0;
	*slot = set->n;
	set->entries[set->n].memcg = memcg;
	return set->n++;
}

/**
 * oomlens_memcg_set_index() - the index of a cgroup, adding it if it is new
 * @set: the table
 * @memcg: alive under RCU, or NULL
 *
 * Context: rcu_read_lock() held, does not sleep.
 * Return: the index; 0 for NULL, for a dead cgroup, and when the table is full.
 */
unsigned int oomlens_memcg_set_index(struct oomlens_memcg_set *set, struct mem_cgroup *memcg)
{
	if (!memcg)
		return 0;
	/* What is in the table is held, so an address means the same cgroup. */
	if (memcg != set->last) {
		set->last_index = find_or_add(set, memcg);
		set->last = set->last_index ? memcg : NULL;
	}
	return set->last_index;
}

/**
 * oomlens_memcg_set_memcg() - the cgroup of an index
 * @set: the table, not resolved yet
 * @i: the index
 *
 * Context: any.
 * Return: NULL for 0.
 */
struct mem_cgroup *oomlens_memcg_set_memcg(const struct oomlens_memcg_set *set, unsigned int i)
{
	return set->entries[i].memcg;
}

/* Escapes @path, if there is room left for it. */
static int name_entry(struct memcg_entry *e, const char *path, size_t *room)
{
	size_t size = oomlens_escaped_len(path) + 1;

	if (size > *room)
		return 0;
	e->name = kmalloc(size, OOMLENS_GFP);
	if (!e->name)
		return -ENOMEM;
	*oomlens_escape(e->name, path) = '\0';
	*room -= size;
	return 0;
}

/**
 * oomlens_memcg_set_resolve() - turn every reference into a name
 * @set: the table
 *
 * No cgroup is held over a reader's pauses: that would keep removed ones alive. Names
 * take 1/64 of RAM at most, and 64 MiB; the paths of the cgroups that are left are "-".
 *
 * Context: process context, may sleep.
 * Return: 0, -ENOMEM, or -EINTR on a fatal signal.
 */
int oomlens_memcg_set_resolve(struct oomlens_memcg_set *set)
{
	char *buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	size_t room = oomlens_read_budget();
	unsigned int i;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	for (i = 1; i < set->n && !err; i++) {
		struct memcg_entry *e = &set->entries[i];

		oomlens_memcg_path(e->memcg, buf, PATH_MAX);
		err = name_entry(e, buf, &room);
		if (err)
			break;
		oomlens_memcg_put(e->memcg);
		e->memcg = NULL;
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	kfree(buf);
	return err;
}

/**
 * oomlens_memcg_set_path() - the path of an index, escaped
 * @set: the table, resolved; or NULL, where there was no memory for it
 * @i: the index
 *
 * Context: any.
 * Return: "-" for 0 too, and where there was no room.
 */
const char *oomlens_memcg_set_path(const struct oomlens_memcg_set *set, unsigned int i)
{
	return set && i && set->entries[i].name ? set->entries[i].name : "-";
}
