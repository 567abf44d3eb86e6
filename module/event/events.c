// SPDX-License-Identifier: GPL-2.0
/*
 * events: the last OOMs, oldest first.
 *
 * A position in the file is the number of an event, so a reader that stays
 * open goes on where it stopped, and sees each event once and in order.
 */
#include "internal.h"

static void free_copy(struct oomlens_copy *c)
{
	kfree(c->event);
	kfree(c->finish);
	kfree(c->path);
	memset(c, 0, sizeof(*c));
}

/* At the first byte: the place for a copy, which stays for the next read. */
static int events_snapshot(struct seq_file *m)
{
	struct oomlens_copy *c = m->private;

	if (c->event)
		return 0;
	c->event = kmalloc(oomlens_event_size(), OOMLENS_GFP);
	c->finish = kmalloc(oomlens_finish_size(), OOMLENS_GFP);
	c->path = kmalloc(OOMLENS_PATH_SIZE, OOMLENS_GFP);
	if (!c->event || !c->finish || !c->path) {
		free_copy(c);
		return -ENOMEM;
	}
	return 0;
}

static void events_release(struct seq_file *m)
{
	free_copy(m->private);
}

/* Copies the first event from *pos on, and moves *pos to it. */
static void *event_at(struct seq_file *m, loff_t *pos)
{
	struct oomlens_copy *c = m->private;
	unsigned long number;

	for (;;) {
		number = oomlens_published_next(*pos);
		if (!number)
			return NULL;
		*pos = number;
		if (oomlens_event_copy(number, c->event, c->finish))
			return c->event;
	}
}

static int events_show(struct seq_file *m, void *v)
{
	const struct oomlens_copy *c = m->private;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# oomlens events 1\n");
		return 0;
	}
	oomlens_print_event(m, c);
	if (!seq_has_overflowed(m))
		oomlens_event_was_read(c->event->number);
	return 0;
}

static __poll_t events_poll(struct seq_file *m, struct file *file, poll_table *wait)
{
	__poll_t mask = oomlens_published_poll(file, wait, max_t(loff_t, m->index, 1));

	/* The rest of what was printed already, or the header. */
	if (m->count || !m->index)
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/* All lines of an event, with all paths escaped throughout. */
static size_t events_row_max(void)
{
	return (3 + oomlens_ring_zones()) * OOMLENS_ROW_MAX +
	       (OOMLENS_VICTIMS + oomlens_nr_candidates) * OOMLENS_ROW_MAX +
	       (3 + OOMLENS_VICTIMS + oomlens_nr_candidates) * 4 * OOMLENS_PATH_SIZE +
	       oomlens_added_size();
}

const struct oomlens_file_ops oomlens_events_file = {
	.private_size	= sizeof(struct oomlens_copy),
	.release	= events_release,
	.snapshot	= events_snapshot,
	.row		= event_at,
	.show		= events_show,
	.poll		= events_poll,
	.row_max	= events_row_max,
};
