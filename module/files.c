// SPDX-License-Identifier: GPL-2.0
/*
 * The table of files, and what all of them have in common: which tasks may open
 * one, one snapshot a read, and the bounded reading of what is written.
 */
#include <linux/debugfs.h>
#include <linux/pid_namespace.h>
#include <linux/uaccess.h>

#include "badness/badness.h"
#include "event/event.h"
#include "files.h"
#include "history/history.h"
#include "promise/promise.h"
#include "trigger/trigger.h"

/* The longest valid line: a command and an escaped path. */
#define WRITE_MAX	PATH_MAX

enum where {
	DEBUGFS		= 1,
	PROCFS		= 2,
	BOTH		= DEBUGFS | PROCFS,
};

/* A new file is one row. */
static const struct file_row {
	const char *name;
	umode_t mode;
	enum where where;
	const struct oomlens_file_ops *ops;
} rows[] = {
	{ "badness",	0400, BOTH,	&oomlens_badness_file },
	{ "overcommit",	0444, BOTH,	&oomlens_overcommit_file },
	{ "commit",	0400, BOTH,	&oomlens_commit_file },
	{ "objects",	0400, BOTH,	&oomlens_objects_file },
	{ "memory",	0444, BOTH,	&oomlens_memory_file },
	{ "events",	0400, BOTH,	&oomlens_events_file },
	{ "history",	0400, BOTH,	&oomlens_history_file },
	{ "features",	0444, BOTH,	&oomlens_features_file },
	{ "stats",	0444, BOTH,	&oomlens_stats_file },
	{ "trigger",	0600, DEBUGFS,	&oomlens_trigger_file },
	{ "reserve",	0600, DEBUGFS,	&oomlens_reserve_file },
};

static bool debugfs = true;
module_param(debugfs, bool, 0444);
MODULE_PARM_DESC(debugfs, "0: no debugfs files, so neither trigger nor reserve (default 1)");

static struct proc_dir_entry *proc_dir;
static struct dentry *debugfs_dir;

/* One open file; the part's own state follows. */
struct open_file {
	const struct oomlens_file_ops *ops;
	struct oomlens_opener opener;
	struct mutex lock;	/* snapshot, the seq_file over it, most commands */
	bool snapped;		/* there is a snapshot; under lock */
	char private[] __aligned(__alignof__(u64));
};

static struct open_file *to_open_file(const struct seq_file *m)
{
	return container_of(m->private, struct open_file, private);
}

/* Position 0 is the head, of a file without rows all of it; the rows follow. */
static void *row_at(struct seq_file *m, loff_t *pos)
{
	const struct oomlens_file_ops *ops = to_open_file(m)->ops;

	if (!*pos)
		return SEQ_START_TOKEN;
	return ops->row ? ops->row(m, pos) : NULL;
}

static void *next_row(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return row_at(m, pos);
}

static void no_stop(struct seq_file *m, void *v)
{
}

static int show(struct seq_file *m, void *v)
{
	return to_open_file(m)->ops->show(m, v);
}

static const struct seq_operations row_seq = {
	.start	= row_at,
	.next	= next_row,
	.stop	= no_stop,
	.show	= show,
};

/*
 * seq_file would take its buffer by GFP_KERNEL_ACCOUNT: in a cgroup at its limit
 * a read would run the OOM killer.
 */
static int set_buffer(struct seq_file *m, const struct oomlens_file_ops *ops)
{
	m->size = ops->row_max ? ops->row_max() : PAGE_SIZE;
	m->buf = kvmalloc(m->size, OOMLENS_GFP_FILE);
	return m->buf ? 0 : -ENOMEM;
}

/*
 * Global pids and other namespaces' tasks are not for a container. Nor may a
 * kernel thread open a file on its behalf (io_uring before 5.12).
 */
static bool may_open(void)
{
	return task_active_pid_ns(current) == &init_pid_ns && !(current->flags & PF_KTHREAD);
}

static int file_open(struct file *file, const struct file_row *row)
{
	const struct oomlens_file_ops *ops = row->ops;
	struct open_file *of;
	struct seq_file *m;
	int err;

	if (!may_open())
		return -EPERM;
	/*
	 * procfs does not hold the owner of an open file; a sleeper in poll()
	 * would be left on a wait queue that is gone.
	 */
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	of = kzalloc(struct_size(of, private, ops->private_size), OOMLENS_GFP_FILE);
	if (!of) {
		err = -ENOMEM;
		goto err_module_put;
	}
	of->ops = ops;
	mutex_init(&of->lock);
	err = seq_open(file, &row_seq);
	if (err)
		goto err_free;
	m = file->private_data;
	m->private = of->private;
	err = set_buffer(m, ops);
	if (!err && ops->open)
		err = ops->open(m);
	if (err)
		goto err_seq_release;
	/* A read must not wait for the position while another task writes. */
	if (ops->concurrent)
		file->f_mode &= ~FMODE_ATOMIC_POS;
	oomlens_opener_add(&of->opener, row->name);
	return 0;

err_seq_release:
	seq_release(file_inode(file), file);
err_free:
	kfree(of);
err_module_put:
	module_put(THIS_MODULE);
	return err;
}

static int proc_file_open(struct inode *inode, struct file *file)
{
	/* The procfs mount of a container, whichever task looks into it. */
	if (proc_pid_ns(inode->i_sb) != &init_pid_ns)
		return -EPERM;
	return file_open(file, pde_data(inode));
}

static int debugfs_file_open(struct inode *inode, struct file *file)
{
	return file_open(file, inode->i_private);
}

static int file_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct open_file *of = to_open_file(m);
	int err;

	oomlens_opener_remove(&of->opener);
	if (of->ops->release)
		of->ops->release(m);
	mutex_destroy(&of->lock);
	kfree(of);
	err = seq_release(inode, file);
	module_put(THIS_MODULE);
	return err;
}

/*
 * Locks @of and sees to it that it has a snapshot: the first byte takes a new one.
 * Return: 0, or an error with nothing locked.
 */
static int lock_snapshot(struct seq_file *m, struct open_file *of, bool first)
{
	int err;

	if (mutex_lock_interruptible(&of->lock))
		return -ERESTARTSYS;
	if (!of->ops->snapshot || (of->snapped && !first))
		return 0;
	err = of->ops->snapshot(m);
	of->snapped = !err;
	if (err)
		mutex_unlock(&of->lock);
	return err;
}

static ssize_t file_read(struct file *file, char __user *buf, size_t size, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	struct open_file *of = to_open_file(m);
	ssize_t ret = lock_snapshot(m, of, *ppos == 0);

	if (ret)
		return ret;
	ret = seq_read(file, buf, size, ppos);
	mutex_unlock(&of->lock);
	return ret;
}

static loff_t file_llseek(struct file *file, loff_t offset, int whence)
{
	struct seq_file *m = file->private_data;
	struct open_file *of = to_open_file(m);
	loff_t ret = lock_snapshot(m, of, false);

	if (ret)
		return ret;
	ret = seq_lseek(file, offset, whence);
	mutex_unlock(&of->lock);
	return ret;
}

/*
 * The whole write, copied before anything is locked or done, as one line. The
 * position stays where it is, so that what was written applies to the read
 * that follows.
 */
static ssize_t file_write(struct file *file, const char __user *buf, size_t size,
			  loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	struct open_file *of = to_open_file(m);
	ssize_t ret = -EINVAL;
	char *line;

	if (!of->ops->command || *ppos != 0 || size >= WRITE_MAX)
		return -EINVAL;
	if (!size)
		return 0;
	line = kzalloc(size + 1, OOMLENS_GFP);
	if (!line)
		return -ENOMEM;
	if (copy_from_user(line, buf, size)) {
		ret = -EFAULT;
		goto out;
	}
	if (strlen(line) != size)
		goto out;
	if (line[size - 1] == '\n')
		line[size - 1] = '\0';
	if (strchr(line, '\n'))
		goto out;
	ret = -ERESTARTSYS;
	if (!of->ops->concurrent && mutex_lock_interruptible(&of->lock))
		goto out;
	ret = of->ops->command(m, strim(line));
	if (!of->ops->concurrent)
		mutex_unlock(&of->lock);
out:
	kfree(line);
	return ret ?: size;
}

static __poll_t file_poll(struct file *file, poll_table *wait)
{
	struct seq_file *m = file->private_data;
	struct open_file *of = to_open_file(m);

	return of->ops->poll ? of->ops->poll(m, file, wait) : DEFAULT_POLLMASK;
}

static const struct proc_ops proc_file_ops = {
	.proc_open	= proc_file_open,
	.proc_release	= file_release,
	.proc_read	= file_read,
	.proc_write	= file_write,
	.proc_lseek	= file_llseek,
	.proc_poll	= file_poll,
};

static const struct file_operations debugfs_file_ops = {
	.owner		= THIS_MODULE,
	.open		= debugfs_file_open,
	.release	= file_release,
	.read		= file_read,
	.write		= file_write,
	.llseek		= file_llseek,
	.poll		= file_poll,
};

/* What is missing, or what left it out, as features says it. */
static const char *__init debugfs_missing(const struct dentry *d)
{
	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		return "CONFIG_DEBUG_FS";
	if (!IS_ERR_OR_NULL(d))
		return NULL;
	/* fs/debugfs/inode.c, start_creating(): the kernel's own parameter */
	return PTR_ERR(d) == -EPERM ? "debugfs=off" : "memory";
}

/* Returns what is missing, NULL if the files are there. */
static const char *__init make_debugfs(void)
{
	const char *lacks;
	int i;

	if (!debugfs)
		return "debugfs=0";
	debugfs_dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	lacks = debugfs_missing(debugfs_dir);
	for (i = 0; i < ARRAY_SIZE(rows) && !lacks; i++)
		if (rows[i].where & DEBUGFS)
			lacks = debugfs_missing(debugfs_create_file(rows[i].name, rows[i].mode,
								    debugfs_dir,
								    (void *)&rows[i],
								    &debugfs_file_ops));
	if (!lacks)
		return NULL;
	/* Half of the files would be worse than none. */
	debugfs_remove_recursive(debugfs_dir);
	debugfs_dir = NULL;
	if (IS_ENABLED(CONFIG_DEBUG_FS))
		pr_warn("no debugfs files, so neither trigger nor reserve (%s)\n", lacks);
	return lacks;
}

/**
 * oomlens_files_init() - make the files
 *
 * Context: module load, last: from here on every part is used.
 * Return: 0 or -ENOMEM; a target without debugfs is no error.
 */
int __init oomlens_files_init(void)
{
	int i;

	proc_dir = proc_mkdir(KBUILD_MODNAME, NULL);
	if (!proc_dir)
		goto err_proc;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if ((rows[i].where & PROCFS) &&
		    !proc_create_data(rows[i].name, rows[i].mode, proc_dir,
				      &proc_file_ops, (void *)&rows[i]))
			goto err_remove_proc;

	oomlens_debugfs_lacks = make_debugfs();
	return 0;

err_remove_proc:
	proc_remove(proc_dir);
err_proc:
	pr_err("cannot make the files in /proc/%s\n", KBUILD_MODNAME);
	return -ENOMEM;
}

/**
 * oomlens_files_exit() - remove the files
 *
 * Waits for all calls that are inside one.
 *
 * Context: module unload, sleeps.
 */
void oomlens_files_exit(void)
{
	debugfs_remove_recursive(debugfs_dir);
	proc_remove(proc_dir);
}
