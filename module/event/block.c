// SPDX-License-Identifier: GPL-2.0
/*
 * An event as a block in the kernel's log: the lines of the file in a frame, so
 * that the event outlives the machine. It takes no lock and no memory, because a
 * panic prints one too.
 */
#include <linux/utsname.h>

#include "internal.h"

/* Bytes of a block in the log, with its frame and the prefix of each record. */
#define BLOCK_MAX	10240
/* Of that, for the lines "block" and "end". */
#define FRAME_MAX	320
/*
 * Bytes of a record with its prefix. The kernel cuts at LOG_LINE_MAX, which is 976
 * with CONFIG_PRINTK_CALLER. Source: kernel/printk/printk.c.
 */
#define RECORD_MAX	960
#define PREFIX_LEN	((int)sizeof(KBUILD_MODNAME ": ") - 1)

#define CUT		" cut=1"
#define CUT_LEN		sizeof(CUT)

/**
 * struct oomlens_block - a block that is being measured or printed
 * @m: the line that is being made
 * @pass: lines of this weight are measured; OOMLENS_NR_WEIGHTS: all are printed
 * @full: a line did not fit: no later one of its weight is kept
 * @bytes: of the lines that fit
 * @kept: lines of each weight that fit, the first ones
 * @seen: lines of each weight that came so far in the last pass
 * @lines: printed
 * @dropped: not printed
 */
struct oomlens_block {
	struct seq_file m;
	unsigned int pass;
	bool full;
	unsigned int bytes;
	unsigned int kept[OOMLENS_NR_WEIGHTS];
	unsigned int seen[OOMLENS_NR_WEIGHTS];
	unsigned int lines;
	unsigned int dropped;
};

/* How much of a text goes into @room bytes: all of it, or up to a blank. */
static int fitting(const char *text, int room)
{
	int n = room;

	if (strlen(text) <= room)
		return strlen(text);
	while (n > 1 && text[n] != ' ')
		n--;
	return n > 1 ? n : room;
}

/* The length of "TYPE NUMBER" at the beginning of a line. */
static int head_len(const char *line)
{
	int type = strcspn(line, " ");

	return line[type] ? type + 1 + strcspn(line + type + 1, " ") : type;
}

/*
 * A line as one record or more: the next ones begin with the line's type and number
 * and a "+". Returns their bytes, whether they are printed or not.
 */
static unsigned int put_line(const char *line, bool print)
{
	int head = head_len(line), more = 0, n;
	unsigned int bytes = 0;
	const char *rest;

	for (rest = line; *rest; rest += n) {
		n = fitting(rest, RECORD_MAX - PREFIX_LEN - more);
		if (print && !more)
			pr_info("%.*s\n", n, rest);
		else if (print)
			pr_info("%.*s +%.*s\n", head, line, n, rest);
		bytes += PREFIX_LEN + more + n + 1;
		more = head + 2;
	}
	return bytes;
}

/* Cuts the values that are too long; an escaped byte stays whole. */
static bool cut_values(char *line)
{
	bool cut = false;
	char *value, *end, *rest;

	for (value = strchr(line, '='); value; value = strchr(rest, '=')) {
		value++;
		rest = value + strcspn(value, " ");
		if (rest - value <= OOMLENS_VALUE_MAX)
			continue;
		end = value + OOMLENS_VALUE_MAX;
		while (end > value + OOMLENS_VALUE_MAX - 3 && *end != '\\')
			end--;
		if (*end != '\\')
			end = value + OOMLENS_VALUE_MAX;
		memmove(end, rest, strlen(rest) + 1);
		rest = end;
		cut = true;
	}
	return cut;
}

/* Is there room for the present line, and for all before it? */
static bool take_room(struct oomlens_block *block)
{
	unsigned int bytes = put_line(block->m.buf, false);

	if (block->bytes + bytes > BLOCK_MAX - FRAME_MAX)
		block->full = true;
	if (!block->full)
		block->bytes += bytes;
	return !block->full;
}

/* Lines of another weight are measured in other passes. */
static void measure(struct oomlens_block *block, enum oomlens_weight weight)
{
	if (weight == block->pass && !block->full && take_room(block))
		block->kept[weight]++;
}

/* A line that was added to the event after it was measured has what room is left. */
static bool is_kept(struct oomlens_block *block, enum oomlens_weight weight)
{
	return block->seen[weight]++ < block->kept[weight] || take_room(block);
}

/* The present line is whole. */
static void end_line(struct oomlens_block *block, enum oomlens_weight weight)
{
	struct seq_file *m = &block->m;

	m->buf[min(m->count, m->size - CUT_LEN)] = '\0';
	if (cut_values(m->buf))
		strcat(m->buf, CUT);
	if (block->pass < OOMLENS_NR_WEIGHTS) {
		measure(block, weight);
	} else if (is_kept(block, weight)) {
		put_line(m->buf, true);
		block->lines++;
	} else {
		block->dropped++;
	}
	m->count = 0;
}

/**
 * oomlens_block_print() - print an event in the kernel's log, as a block
 * @c: the event; its @block is not used
 * @line: OOMLENS_BLOCK_LINE bytes
 *
 * If all lines are more than BLOCK_MAX, those of the least weight are dropped.
 *
 * Context: any; a few milliseconds, and what the consoles take.
 */
void oomlens_block_print(const struct oomlens_copy *c, char *line)
{
	struct oomlens_block block = {
		.m = { .buf = line, .size = OOMLENS_BLOCK_LINE },
	};
	struct oomlens_copy copy = *c;

	copy.block = &block;
	copy.end_line = end_line;
	while (block.pass < OOMLENS_NR_WEIGHTS && !block.full) {
		oomlens_print_event(&block.m, &copy);
		block.pass++;
	}
	block.pass = OOMLENS_NR_WEIGHTS;
	pr_info("block %lu format=1 page_kb=%lu release=%s boot_id=%s\n", c->event->number,
		PAGE_SIZE / 1024, init_utsname()->release, oomlens_boot_id);
	oomlens_print_event(&block.m, &copy);
	pr_info("end %lu lines=%u dropped=%u\n", c->event->number, block.lines, block.dropped);
}
