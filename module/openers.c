// SPDX-License-Identifier: GPL-2.0
/*
 * Which tasks have files of the module open. An open file holds the module, and
 * its descriptor may be queued in a socket, where no /proc/PID/fd shows it.
 */
#include <linux/cred.h>
#include <linux/uidgid.h>

#include "files.h"
#include "kernel/kernel.h"

/* Shown at most; all are counted. */
#define SHOWN	16

static DEFINE_SPINLOCK(lock);
static LIST_HEAD(openers);		/* by struct oomlens_opener */
static unsigned int nr_openers;

/**
 * oomlens_opener_add() - current has opened a file
 * @opener: stays until oomlens_opener_remove()
 * @file: the name of the module's file
 *
 * Context: process context.
 */
void oomlens_opener_add(struct oomlens_opener *opener, const char *file)
{
	opener->file = file;
	opener->pid = task_tgid_nr(current);
	opener->uid = from_kuid(&init_user_ns, current_uid());
	get_task_comm(opener->comm, current);
	spin_lock(&lock);
	list_add_tail(&opener->list, &openers);
	nr_openers++;
	spin_unlock(&lock);
}

/**
 * oomlens_opener_remove() - the file is closed
 * @opener: from oomlens_opener_add()
 *
 * Context: process context.
 */
void oomlens_opener_remove(struct oomlens_opener *opener)
{
	spin_lock(&lock);
	list_del(&opener->list);
	nr_openers--;
	spin_unlock(&lock);
}

/**
 * oomlens_openers_show() - the number of open files, and a line for each of the first
 * @m: where to
 *
 * Context: process context.
 */
void oomlens_openers_show(struct seq_file *m)
{
	struct oomlens_opener *opener;
	unsigned int left = SHOWN;

	spin_lock(&lock);
	seq_printf(m, "open_files %u\n", nr_openers);
	list_for_each_entry(opener, &openers, list) {
		if (!left--)
			break;
		seq_printf(m, "opener %s pid=%d uid=%u comm=", opener->file, opener->pid,
			   opener->uid);
		oomlens_puts_escaped(m, opener->comm);
		seq_putc(m, '\n');
	}
	spin_unlock(&lock);
}
