// SPDX-License-Identifier: GPL-2.0
/*
 * The paths of the cgroups that events name, once each, in a ring of bytes.
 *
 * An event may name a dozen cgroups, most of them again and again: a path in
 * each event would be most of the ring's memory. When the oldest path makes
 * room its events say "-". The recorder's kthread is the one writer; readers
 * copy, then look whether the bytes were still there.
 */
#include "internal.h"

#define LOG_SIZE	4096	/* holds four of the longest */

static char *bytes;
static char *path;	/* OOMLENS_PATH_SIZE, the kthread's */

/*
 * Positions count bytes since load and wrap at 2^32; the byte at one is at
 * position % LOG_SIZE. Strings with their NUL lie from tail to head.
 */
static u32 tail, head;

static char byte_at(u32 where)
{
	return READ_ONCE(bytes[where % LOG_SIZE]);
}

/* Is the string @path at @where? Moves @where past it. */
static bool same_string(u32 *where)
{
	const char *p = path;
	bool same = true;
	char c;

	do {
		c = byte_at((*where)++);
		same = same && c == *p;
		if (same)
			p++;
	} while (c);
	return same;
}

/* Of two, the newer, so that it stays for longer; 0 if it is too old or none. */
static u32 find_string(void)
{
	u32 where = tail, found = 0;

	while (where != head) {
		u32 start = where;

		if (same_string(&where) && head - start < LOG_SIZE / 2)
			found = start;
	}
	return found;
}

static void forget_oldest(void)
{
	u32 where = tail;

	while (byte_at(where++))
		;
	WRITE_ONCE(tail, where);
	/* Readers learn it before the bytes go; pairs with oomlens_path_copy(). */
	smp_wmb();
}

/**
 * oomlens_path_add() - keep the path of a cgroup
 * @memcg: held
 *
 * Context: the kthread.
 * Return: where it is, never 0.
 */
u32 oomlens_path_add(struct mem_cgroup *memcg)
{
	size_t size;
	u32 where;
	size_t i;

	oomlens_memcg_path(memcg, path, OOMLENS_PATH_SIZE);
	where = find_string();
	if (where)
		return where;
	size = strlen(path) + 1;
	/* One more for the byte that is skipped below. */
	while (head + size + 1 - tail > LOG_SIZE)
		forget_oldest();
	/* 0 is no position: the string that would be there begins one later. */
	where = head;
	if (!where)
		WRITE_ONCE(bytes[where++ % LOG_SIZE], '\0');
	for (i = 0; i < size; i++)
		WRITE_ONCE(bytes[(where + i) % LOG_SIZE], path[i]);
	head = where + size;
	return where;
}

/**
 * oomlens_path_copy() - copy a path, or "-" if it is gone
 * @where: what oomlens_path_add() returned, or 0
 * @buf: where to
 * @size: of it, in bytes; a longer path is cut
 *
 * Context: any.
 */
void oomlens_path_copy(u32 where, char *buf, size_t size)
{
	size_t i;

	for (i = 0; where && i < size - 1; i++) {
		buf[i] = byte_at(where + i);
		if (!buf[i])
			break;
	}
	buf[i] = '\0';
	/* Pairs with forget_oldest(). */
	smp_rmb();
	if (!where || (s32)(where - READ_ONCE(tail)) < 0)
		strscpy(buf, "-", size);
}

/**
 * oomlens_paths_init() - take the memory
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_paths_init(void)
{
	bytes = oomlens_keep_alloc(LOG_SIZE);
	path = oomlens_keep_alloc(OOMLENS_PATH_SIZE);
	if (!bytes || !path) {
		oomlens_paths_exit();
		return -ENOMEM;
	}
	return 0;
}

/**
 * oomlens_paths_exit() - give it back
 *
 * Context: module unload.
 */
void oomlens_paths_exit(void)
{
	kvfree(path);
	kvfree(bytes);
}
