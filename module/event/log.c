// SPDX-License-Identifier: GPL-2.0
/*
 * What an event has in the kernel's log: one line, or a block with all that is
 * known of it.
 */
#include <linux/ratelimit.h>

#include "internal.h"

enum log {
	LOG_PANIC,		/* nothing but the block of a panic */
	LOG_LINE,
	LOG_BLOCK,
};

static unsigned int level = LOG_LINE;
module_param_named(log, level, uint, 0444);
MODULE_PARM_DESC(log, "in the kernel's log: 0 an OOM that panics, 1 also a line for each OOM (default), 2 all of each OOM");

/* The kthread's, with LOG_BLOCK. */
static struct oomlens_copy copy;
static char *block_line;

static void print_line(const struct oomlens_event *e, char *memcg)
{
	char head[OOMLENS_HEAD_SIZE], tail[OOMLENS_TAIL_SIZE], path[192], comm[OOMLENS_COMM_SIZE];

	oomlens_print_head(head, e);
	oomlens_print_tail(tail, e);
	if (e->kind == OOMLENS_KIND_MEMCG) {
		while (oomlens_escaped_len(memcg) >= sizeof(path))
			memcg[strlen(memcg) - 1] = '\0';
		*oomlens_escape(path, memcg) = '\0';
	} else {
		strscpy(path, oomlens_print_no_limit(e), sizeof(path));
	}
	if (e->nr_victims)
		pr_info("%s memcg=%s %s victim_pid=%d victim_comm=%s\n", head, path, tail,
			e->victims[0].pid, oomlens_print_comm(comm, e->victims[0].comm));
	else
		pr_info("%s memcg=%s %s\n", head, path, tail);
}

static void log_line(unsigned long number, const struct oomlens_event *e)
{
	struct oomlens_finish *f;
	char path[192];
	u32 where = 0;

	f = e->limit_memcg ? oomlens_finish_begin(number) : NULL;
	if (f) {
		where = f->paths[e->limit_memcg - 1];
		oomlens_finish_end();
	}
	oomlens_path_copy(where, path, sizeof(path));
	print_line(e, path);
}

static void log_block(unsigned long number)
{
	if (oomlens_event_copy(number, copy.event, copy.finish))
		oomlens_block_print(&copy, block_line);
}

/**
 * oomlens_log_event() - what the kernel's log gets of an event
 * @number: published
 * @head: of the event, what oomlens_event_copy_head() copies
 *
 * Rate-limited, so that a storm does not fill the log; the ring has them all. A
 * block is printed whole or not begun.
 *
 * Context: the kthread, whose stack has room for the line.
 */
void oomlens_log_event(unsigned long number, const struct oomlens_event *head)
{
	static DEFINE_RATELIMIT_STATE(line_limit, 5 * HZ, 20);
	static DEFINE_RATELIMIT_STATE(block_limit, 5 * HZ, 5);

	if (level == LOG_BLOCK && __ratelimit(&block_limit))
		log_block(number);
	else if (level != LOG_PANIC && __ratelimit(&line_limit))
		log_line(number, head);
}

/**
 * oomlens_log_check() - is the parameter in range?
 *
 * Context: module load, before all else of the recorder.
 * Return: 0 or -EINVAL.
 */
int __init oomlens_log_check(void)
{
	if (level <= LOG_BLOCK)
		return 0;
	pr_err("log=%u: out of range, 0 to %d\n", level, LOG_BLOCK);
	return -EINVAL;
}

/**
 * oomlens_log_init() - take the memory
 *
 * Context: module load; the ring is there.
 * Return: 0 or -ENOMEM.
 */
int __init oomlens_log_init(void)
{
	if (level != LOG_BLOCK)
		return 0;
	copy.event = oomlens_keep_alloc(oomlens_event_size());
	copy.finish = oomlens_keep_alloc(oomlens_finish_size());
	copy.path = oomlens_keep_alloc(OOMLENS_PATH_SIZE);
	block_line = oomlens_keep_alloc(OOMLENS_BLOCK_LINE);
	if (copy.event && copy.finish && copy.path && block_line)
		return 0;
	oomlens_log_exit();
	return -ENOMEM;
}

/**
 * oomlens_log_exit() - give it back
 *
 * Context: module load or unload; the kthread has stopped.
 */
void oomlens_log_exit(void)
{
	kvfree(block_line);
	kvfree(copy.path);
	kvfree(copy.finish);
	kvfree(copy.event);
}
