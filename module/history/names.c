// SPDX-License-Identifier: GPL-2.0
/*
 * The paths of the cgroups that samples name, once each, by the cgroup's serial
 * number, which is never used again. The one that was not needed for the longest
 * time makes room; the samples that name it read "-" then.
 */
#include "internal.h"

struct cell {
	u64 serial;			/* 0: free */
	u32 used;			/* the last sample that named it */
	char path[];
};

struct oomlens_names {
	seqcount_t seq;			/* odd while a cell is written */
	unsigned int nr;
	unsigned int path;		/* bytes in a cell, with the NUL */
	unsigned int last;		/* cell that was written last */
	char scratch[OOMLENS_NAME_MAX];
	u64 cells[];
};

static size_t cell_size(unsigned int path)
{
	return ALIGN(offsetof(struct cell, path) + path, sizeof(u64));
}

static struct cell *cell_at(const struct oomlens_names *names, unsigned int i)
{
	return (struct cell *)((char *)names->cells + i * cell_size(names->path));
}

/**
 * oomlens_names_size() - bytes that it takes
 * @cells: paths
 * @path: bytes of the longest, at most OOMLENS_NAME_MAX
 *
 * Context: any.
 * Return: bytes.
 */
size_t oomlens_names_size(unsigned int cells, unsigned int path)
{
	return sizeof(struct oomlens_names) + cells * cell_size(path);
}

/**
 * oomlens_names_place() - make it
 * @memory: oomlens_names_size() bytes, zeroed
 * @cells: as there
 * @path: as there
 *
 * Context: the sampler is not running.
 * Return: it, at @memory.
 */
struct oomlens_names *oomlens_names_place(void *memory, unsigned int cells, unsigned int path)
{
	struct oomlens_names *names = memory;

	seqcount_init(&names->seq);
	names->nr = cells;
	names->path = path;
	return names;
}

/**
 * oomlens_names_use() - a sample names a cgroup
 * @names: the paths
 * @serial: of the cgroup, 0 for none
 * @tick: the sample's number
 *
 * Context: oomlens_tables_lock held.
 * Return: false if its path is not there.
 */
bool oomlens_names_use(struct oomlens_names *names, u64 serial, u32 tick)
{
	unsigned int i;

	if (!serial)
		return true;
	for (i = 0; i < names->nr; i++) {
		if (cell_at(names, i)->serial != serial)
			continue;
		cell_at(names, i)->used = tick;
		return true;
	}
	return false;
}

/* Of equals the next one after that which was written last, so that they take turns. */
static unsigned int least_used(const struct oomlens_names *names)
{
	unsigned int best = (names->last + 1) % names->nr, at = best, i;

	for (i = 1; i < names->nr; i++) {
		at = (at + 1) % names->nr;
		if (cell_at(names, at)->used < cell_at(names, best)->used)
			best = at;
	}
	return best;
}

static void add(struct oomlens_names *names, struct mem_cgroup *memcg, u32 tick)
{
	struct cell *cell;

	names->last = least_used(names);
	cell = cell_at(names, names->last);
	/* A longer one is cut. */
	oomlens_memcg_path(memcg, names->scratch, names->path);
	preempt_disable();
	raw_write_seqcount_begin(&names->seq);
	cell->serial = oomlens_memcg_serial(memcg);
	cell->used = tick;
	strscpy(cell->path, names->scratch, names->path);
	raw_write_seqcount_end(&names->seq);
	preempt_enable();
}

/**
 * oomlens_names_want() - the path of a cgroup is to be there
 * @wanted: gets the cgroup, if its path is not there
 * @serial: of the cgroup, 0 for none
 *
 * Context: oomlens_tables_lock held.
 */
void oomlens_names_want(struct oomlens_wanted *wanted, u64 serial)
{
	unsigned int i;

	if (oomlens_names_use(wanted->names, serial, wanted->tick))
		return;
	for (i = 0; i < wanted->n; i++)
		if (wanted->serials[i] == serial)
			return;
	if (wanted->n < ARRAY_SIZE(wanted->serials))
		wanted->serials[wanted->n++] = serial;
}

static bool visit(struct mem_cgroup *memcg, void *arg)
{
	struct oomlens_wanted *wanted = arg;
	u64 serial = oomlens_memcg_serial(memcg);
	unsigned int i;

	for (i = 0; i < wanted->n; i++) {
		if (wanted->serials[i] != serial)
			continue;
		add(wanted->names, memcg, wanted->tick);
		wanted->serials[i] = wanted->serials[--wanted->n];
		break;
	}
	return wanted->n;
}

/**
 * oomlens_names_find() - look for the paths that are not there
 * @wanted: the cgroups; those that are gone stay without
 * @until_ns: by ktime_get_ns(), when the others stay without too; U64_MAX: never
 *
 * Context: oomlens_tables_lock held; may sleep.
 */
void oomlens_names_find(struct oomlens_wanted *wanted, u64 until_ns)
{
	if (wanted->n)
		oomlens_memcg_walk(visit, wanted, until_ns);
}

static void copy_path(const struct oomlens_names *names, u64 serial, char *buf, size_t size)
{
	unsigned int i;

	for (i = 0; i < names->nr; i++)
		if (cell_at(names, i)->serial == serial)
			break;
	if (i == names->nr)
		strscpy(buf, "-", size);
	else
		memcpy(buf, cell_at(names, i)->path, min_t(size_t, size, names->path));
	buf[size - 1] = '\0';
}

/**
 * oomlens_names_copy() - the path of a cgroup, "-" if it is not known
 * @names: the paths
 * @serial: of the cgroup; 0 for none
 * @buf: where to
 * @size: of it, OOMLENS_NAME_MAX
 *
 * Context: process context.
 */
void oomlens_names_copy(struct oomlens_names *names, u64 serial, char *buf, size_t size)
{
	unsigned int seq;

	if (!serial) {
		strscpy(buf, "-", size);
		return;
	}
	do {
		seq = read_seqcount_begin(&names->seq);
		copy_path(names, serial, buf, size);
	} while (read_seqcount_retry(&names->seq, seq));
}
