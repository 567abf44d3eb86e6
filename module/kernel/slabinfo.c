// SPDX-License-Identifier: GPL-2.0
/*
 * The largest slab caches, from /proc/slabinfo: the list of caches is not
 * exported.
 */
#include <linux/uio.h>

#include "kernel.h"

/* kernel_read() takes no file with a read() of its own, as slabinfo has. */
static ssize_t read_on(struct file *file, char *buf, size_t size, loff_t *pos)
{
	struct kvec vec = { .iov_base = buf, .iov_len = size };
	struct iov_iter iter;
	struct kiocb kiocb;
	ssize_t got;

	init_sync_kiocb(&kiocb, file);
	kiocb.ki_pos = *pos;
	iov_iter_kvec(&iter, READ, &vec, 1, size);
	got = seq_read_iter(&kiocb, &iter);
	*pos = kiocb.ki_pos;
	return got;
}

/* Places a cache among the largest, which are in order. */
static unsigned int insert(struct oomlens_slab *slabs, unsigned int n, unsigned int max,
			   const struct oomlens_slab *new)
{
	unsigned int i;

	if (n == max && slabs[n - 1].pages >= new->pages)
		return n;
	if (n < max)
		n++;
	for (i = n - 1; i && slabs[i - 1].pages < new->pages; i--)
		slabs[i] = slabs[i - 1];
	slabs[i] = *new;
	return n;
}

/* Source: mm/slab_common.c, cache_show(). Header lines are no rows. */
static bool parse_line(const char *line, struct oomlens_slab *slab)
{
	unsigned long objects, total, size, per_slab, pages, active_slabs, slabs;
	size_t name_len = strcspn(line, " ");

	if (sscanf(line + name_len,
		   " %lu %lu %lu %lu %lu : tunables %*u %*u %*u : slabdata %lu %lu",
		   &objects, &total, &size, &per_slab, &pages, &active_slabs, &slabs) != 7)
		return false;
	*slab = (struct oomlens_slab){ .pages = pages * slabs, .objects = objects };
	memcpy(slab->name, line, min(name_len, sizeof(slab->name) - 1));
	return true;
}

/* All whole lines in there. Return: the bytes that are left behind the last. */
static size_t take_lines(char *text, struct oomlens_slab *slabs, unsigned int *n,
			 unsigned int max)
{
	struct oomlens_slab slab;
	char *end;

	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		if (parse_line(text, &slab))
			*n = insert(slabs, *n, max, &slab);
		text = end + 1;
	}
	return strlen(text);
}

/**
 * oomlens_slabs_read() - the caches that take most pages
 * @slabinfo: from oomlens_procfs_open_seq("slabinfo")
 * @slabs: room for @max
 * @max: how many
 *
 * Context: process context, sleeps: takes slab_mutex.
 * Return: how many there are, the largest first; 0 if they cannot be read.
 */
unsigned int oomlens_slabs_read(struct file *slabinfo, struct oomlens_slab *slabs,
				unsigned int max)
{
	char *text = kmalloc(PAGE_SIZE, OOMLENS_GFP);
	unsigned int n = 0;
	size_t left = 0;
	loff_t pos = 0;
	ssize_t got;

	if (!text)
		return 0;
	/* A line is far shorter than the room: it never fills up. */
	while (left < PAGE_SIZE - 1) {
		got = read_on(slabinfo, text + left, PAGE_SIZE - 1 - left, &pos);
		if (got <= 0)
			break;
		got += left;
		text[got] = '\0';
		left = take_lines(text, slabs, &n, max);
		memmove(text, text + got - left, left);
	}
	kfree(text);
	return n;
}
