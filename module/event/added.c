// SPDX-License-Identifier: GPL-2.0
/*
 * Lines that are added to an event after it was recorded, as text: what the groups
 * above learn of it in a thread of theirs. They are kept in one buffer, oldest first,
 * and the oldest make room.
 */
#include <linux/sizes.h>

#include "internal.h"

/* One line; the next one follows. */
struct added {
	unsigned long number;		/* of the event */
	unsigned int size;		/* of all this, padded */
	char text[];			/* with its NUL, without a newline */
};

/*
 * Not a mutex: the recorder's kthread, which times victims, must not wait for a
 * reader that is preempted. It is held for one pass over the buffer.
 */
static DEFINE_SPINLOCK(lock);
static char *lines;
static size_t lines_size, used;

static size_t size_of(size_t text)
{
	return ALIGN(offsetof(struct added, text) + text, __alignof__(struct added));
}

static struct added *line_at(size_t at)
{
	return (struct added *)(lines + at);
}

static void make_room(size_t size)
{
	size_t lost = 0;

	lockdep_assert_held(&lock);
	while (lines_size - (used - lost) < size)
		lost += line_at(lost)->size;
	if (!lost)
		return;
	used -= lost;
	memmove(lines, lines + lost, used);
}

/**
 * oomlens_event_add() - add a line to an event
 * @number: of the event
 * @line: as the file shows it, from "TYPE NUMBER " on, without a newline. Names in it
 *	are escaped by the caller
 *
 * A line that is added before the event is published is there when it is first read.
 *
 * Context: process context; not for the OOM path.
 * Return: 0, or -E2BIG if the line is longer than OOMLENS_ADDED_MAX.
 */
int oomlens_event_add(unsigned long number, const char *line)
{
	size_t text = strlen(line) + 1, size = size_of(text);
	struct added *added;

	if (text > OOMLENS_ADDED_MAX)
		return -E2BIG;
	spin_lock(&lock);
	make_room(size);
	added = line_at(used);
	added->number = number;
	added->size = size;
	memcpy(added->text, line, text);
	used += size;
	spin_unlock(&lock);
	return 0;
}

/**
 * oomlens_added_show() - print a line that was added to an event
 * @m: where to; no newline is printed
 * @number: of the event
 * @nth: of its lines, from 0
 *
 * Context: process context.
 * Return: false if the event has no more lines.
 */
bool oomlens_added_show(struct seq_file *m, unsigned long number, unsigned int nth)
{
	bool found = false;
	size_t at;

	spin_lock(&lock);
	for (at = 0; at < used && !found; at += line_at(at)->size) {
		if (line_at(at)->number != number || nth--)
			continue;
		seq_puts(m, line_at(at)->text);
		found = true;
	}
	spin_unlock(&lock);
	return found;
}

/**
 * oomlens_added_size() - bytes that all added lines take at most
 *
 * Context: any.
 * Return: bytes.
 */
size_t oomlens_added_size(void)
{
	return lines_size;
}

/**
 * oomlens_added_init() - take the memory
 * @bytes: how much
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_added_init(size_t bytes)
{
	lines_size = max_t(size_t, bytes, SZ_4K);
	lines = oomlens_keep_alloc(lines_size);
	return lines ? 0 : -ENOMEM;
}

/**
 * oomlens_added_exit() - give it back
 *
 * Context: module unload; nothing is added any more, and no reader is left.
 */
void oomlens_added_exit(void)
{
	kvfree(lines);
}
