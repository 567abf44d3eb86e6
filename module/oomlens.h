/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all groups of the module share: the prefix of log lines, how memory is
 * asked for, and what a file of the module is.
 *
 * A folder is a group. Others may include its header of the same name, and no
 * other of its files. The arrows run one way; DESIGN.md has the map:
 *
 *	kernel <- badness, promise <- event <- history <- trigger <- files, main
 */
#ifndef OOMLENS_H
#define OOMLENS_H

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/* What nearly all files use; a file names only what it uses besides. */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/poll.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"

/* An observer must not cause an OOM: such a request fails instead. */
#define OOMLENS_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)
/*
 * What any user can have by opening files is charged to the opener's cgroup, and so are
 * the tables of objects, the largest, and history's sample. The other tables of root's
 * files are not.
 */
#define OOMLENS_GFP_FILE	(OOMLENS_GFP | __GFP_ACCOUNT)

/**
 * struct oomlens_file_ops - what one file does; files.c does the rest
 * @private_size: bytes of zeroed state for each open file, m->private
 * @open: takes what the private state needs; may be NULL
 * @release: gives back what the private state owns (not the state itself)
 * @snapshot: called at the first byte of a read; may sleep
 * @row: the row at *pos, which is 1 or more and may be moved on; NULL behind the
 *	last one; no such function if @show prints all at once
 * @show: prints the head (SEQ_START_TOKEN) or a row
 * @command: one write, whole, without its newline, as a string; may sleep
 * @concurrent: @command has its own lock, so a long one does not block the
 *	other users of the same descriptor
 * @poll: as in file_operations
 * @row_max: bytes of the longest row, or of the whole file where @show prints it;
 *	NULL: a page is enough
 *
 * files.c refuses foreign PID namespaces, writes that are too long, hold a
 * NUL or do not start at offset 0, and holds the module while a file is open.
 */
struct oomlens_file_ops {
	size_t private_size;
	int (*open)(struct seq_file *m);
	void (*release)(struct seq_file *m);
	int (*snapshot)(struct seq_file *m);
	void *(*row)(struct seq_file *m, loff_t *pos);
	int (*show)(struct seq_file *m, void *v);
	int (*command)(struct seq_file *m, char *line);
	bool concurrent;
	__poll_t (*poll)(struct seq_file *m, struct file *file, poll_table *wait);
	size_t (*row_max)(void);
};

#endif /* OOMLENS_H */
