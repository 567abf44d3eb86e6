// SPDX-License-Identifier: GPL-2.0
/*
 * The distinct memory cgroups of one snapshot, each held once while the walk is
 * on and then only a name.
 */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "oomlens.h"
#include "text.h"

struct path_entry {
	struct mem_cgroup *memcg;	/* held; NULL once resolved */
	char *name;			/* escaped; NULL before */
	unsigned int len;		/* of name */
};

/* Entries in the order of first sight, found again through an open hash. */
struct oomlens_paths {
	struct mem_cgroup *last;	/* asked for, and its index: tasks come in runs */
	unsigned int last_index;
	unsigned int max;
	unsigned int n;			/* entries used; entry 0 is "-" */
	unsigned int bits;		/* of the hash, at most half full */
	bool full;			/* some had no room */
	unsigned int *hash;		/* index of an entry, 0 for none */
	struct path_entry *entries;
};

static unsigned int *slot_of(const struct oomlens_paths *paths, struct mem_cgroup *memcg)
{
	unsigned int mask = (1U << paths->bits) - 1;
	unsigned int slot = hash_ptr(memcg, paths->bits);

	while (paths->hash[slot] && paths->entries[paths->hash[slot]].memcg != memcg)
		slot = (slot + 1) & mask;
	return &paths->hash[slot];
}

/* Room for @max in all; as before on error. */
static int resize(struct oomlens_paths *paths, unsigned int max)
{
	unsigned int bits = ilog2(max + 1) + 2, i;
	unsigned int *hash = kvcalloc(1U << bits, sizeof(*hash), OOMLENS_GFP);
	struct path_entry *entries = kvcalloc(max + 1, sizeof(*entries), OOMLENS_GFP);

	if (!hash || !entries) {
		kvfree(hash);
		kvfree(entries);
		return -ENOMEM;
	}
	if (paths->entries)
		memcpy(entries, paths->entries, paths->n * sizeof(*entries));
	kvfree(paths->hash);
	kvfree(paths->entries);
	paths->hash = hash;
	paths->entries = entries;
	paths->bits = bits;
	paths->max = max;
	for (i = 1; i < paths->n; i++)
		*slot_of(paths, entries[i].memcg) = i;
	return 0;
}

/**
 * oomlens_paths_alloc() - an empty table
 * @max: distinct cgroups that it can hold
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: the table, or NULL.
 */
struct oomlens_paths *oomlens_paths_alloc(unsigned int max)
{
	struct oomlens_paths *paths = kzalloc(sizeof(*paths), OOMLENS_GFP);

	if (!paths)
		return NULL;
	paths->n = 1;
	if (resize(paths, max)) {
		kfree(paths);
		return NULL;
	}
	return paths;
}

/**
 * oomlens_paths_reserve() - make room
 * @paths: the table, not resolved yet
 * @more: distinct cgroups that may come, at least
 *
 * Context: process context, may sleep; does not run the OOM killer.
 * Return: 0 or -ENOMEM.
 */
int oomlens_paths_reserve(struct oomlens_paths *paths, unsigned int more)
{
	if (likely(paths->n + more <= paths->max + 1))
		return 0;
	return resize(paths, 2 * (paths->max + more));
}

/**
 * oomlens_paths_free() - free a table, its names and its references
 * @paths: the table, or NULL
 */
void oomlens_paths_free(struct oomlens_paths *paths)
{
	unsigned int i;

	if (!paths)
		return;
	for (i = 1; i < paths->n; i++) {
		oomlens_memcg_put(paths->entries[i].memcg);
		kfree(paths->entries[i].name);
	}
	kvfree(paths->hash);
	kvfree(paths->entries);
	kfree(paths);
}

static unsigned int find_or_add(struct oomlens_paths *paths, struct mem_cgroup *memcg)
{
	unsigned int *slot = slot_of(paths, memcg);

	if (*slot)
		return *slot;
	if (paths->n > paths->max) {
		paths->full = true;
		return 0;
	}
	if (!oomlens_memcg_tryget(memcg))
		return 0;
	*slot = paths->n;
	paths->entries[paths->n].memcg = memcg;
	return paths->n++;
}

/**
 * oomlens_paths_full() - was there a cgroup that had no room?
 * @paths: the table
 */
bool oomlens_paths_full(const struct oomlens_paths *paths)
{
	return paths->full;
}

/**
 * oomlens_paths_index() - the index of a cgroup, adding it if it is new
 * @paths: the table
 * @memcg: alive under RCU, or NULL
 *
 * Context: rcu_read_lock() held, does not sleep.
 * Return: the index; 0 for NULL, for a dead cgroup, and when the table is full.
 */
unsigned int oomlens_paths_index(struct oomlens_paths *paths, struct mem_cgroup *memcg)
{
	if (!memcg)
		return 0;
	/* What is in the table is held, so an address means the same cgroup. */
	if (memcg != paths->last) {
		paths->last_index = find_or_add(paths, memcg);
		paths->last = paths->last_index ? memcg : NULL;
	}
	return paths->last_index;
}

/**
 * oomlens_paths_memcg() - the cgroup of an index
 * @paths: the table, not resolved yet
 * @i: the index
 */
struct mem_cgroup *oomlens_paths_memcg(const struct oomlens_paths *paths, unsigned int i)
{
	return paths->entries[i].memcg;
}

/**
 * oomlens_paths_resolve() - turn every reference into a name
 * @paths: the table
 *
 * No cgroup is held over a reader's pauses: that would keep removed ones alive.
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int oomlens_paths_resolve(struct oomlens_paths *paths)
{
	char *buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	unsigned int i;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	for (i = 1; i < paths->n; i++) {
		struct path_entry *e = &paths->entries[i];

		oomlens_memcg_path(e->memcg, buf, PATH_MAX);
		e->len = oomlens_escaped_len(buf);
		e->name = kmalloc(e->len + 1, OOMLENS_GFP);
		if (!e->name) {
			err = -ENOMEM;
			break;
		}
		*oomlens_escape(e->name, buf) = '\0';
		oomlens_memcg_put(e->memcg);
		e->memcg = NULL;
		cond_resched();
	}
	kfree(buf);
	return err;
}

/**
 * oomlens_paths_name() - the path of an index, escaped
 * @paths: the table, resolved; or NULL, where there was no memory for it
 * @i: the index
 * @len: set to its length
 */
const char *oomlens_paths_name(const struct oomlens_paths *paths, unsigned int i,
			       unsigned int *len)
{
	if (!paths || !i) {
		*len = 1;
		return "-";
	}
	*len = paths->entries[i].len;
	return paths->entries[i].name;
}
