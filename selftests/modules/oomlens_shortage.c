// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests: makes calls of the OOM killer that user space cannot bring
 * about at will. Not part of oomlens, and built with OOMLENS_TESTS=1 only.
 *
 * A name written to the parameter run takes nearly all memory, lets one
 * allocation fail in the way named, and gives all of it back. What the kernel
 * asked of this module's own OOM notifier is in the other parameters, so that
 * a test need not ask oomlens.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/oom.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/workqueue.h>

/*
 * Blocks to begin with; smaller ones when there are no more of these. None of a
 * huge page: a CPU keeps some of those for itself when they are given back.
 */
#define FIRST_ORDER	8
/* The notifier gives back at least so much, above any zone's watermarks. */
#define GIVE_PAGES	1024
/* Longer than an allocation takes from its last try to the notifier. */
#define LATE_MS		100
/* Longer than any test needs, however slow the machine: it ends it by a signal. */
#define HOLD_S		60

struct way {
	const char *name;
	gfp_t gfp;
	unsigned int give_at;		/* call of the notifier; 0: never */
	bool tell;			/* the kernel is told of what was given */
	bool die;			/* with a fatal signal pending */
	bool again;			/* and once more, by the thread that joined */
	bool frozen;			/* a kernel thread, while user space is frozen */
	bool thread;			/* a kernel thread */
};

static const struct way ways[] = {
	{ .name = "other",	.gfp = GFP_KERNEL, .give_at = 1, .tell = true },
	/* The allocation is tried again and again: some other time there is memory. */
	{ .name = "no_fs",	.gfp = GFP_NOFS, .give_at = 4 },
	{ .name = "dying",	.gfp = GFP_KERNEL, .die = true },
	{ .name = "again",	.gfp = GFP_KERNEL, .die = true, .again = true },
	/* Another notifier is to give, or a task dies. */
	{ .name = "plain",	.gfp = GFP_KERNEL },
	/* For a machine that panics then: all is taken until the OOM killer is called. */
	{ .name = "thread",	.gfp = GFP_KERNEL, .thread = true },
	{ .name = "disabled",	.gfp = GFP_KERNEL, .frozen = true },
};

/* What a test may read: of the last run, or of the one under way. */
static int caller;
module_param(caller, int, 0444);
MODULE_PARM_DESC(caller, "pid whose allocation failed");
static unsigned int gfp;
module_param(gfp, uint, 0444);
MODULE_PARM_DESC(gfp, "its mask");
static unsigned int calls;
module_param(calls, uint, 0444);
MODULE_PARM_DESC(calls, "calls of the OOM notifier for it");
static unsigned int others;
module_param(others, uint, 0444);
MODULE_PARM_DESC(others, "calls of the OOM notifier for other tasks: they spoil a test");
static unsigned int given;
module_param(given, uint, 0444);
MODULE_PARM_DESC(given, "pages that the notifier told of");
static unsigned int failed;
module_param(failed, uint, 0444);
MODULE_PARM_DESC(failed, "the allocation got no page");
static unsigned int heard;
module_param(heard, uint, 0444);
MODULE_PARM_DESC(heard, "all calls of the OOM notifier since load");
static unsigned int stall;
module_param(stall, uint, 0600);
MODULE_PARM_DESC(stall, "1: OOMs wait in the notifier until 0 is written, "
		 __stringify(HOLD_S) " s at most");
static unsigned int stalled;
module_param(stalled, uint, 0444);
MODULE_PARM_DESC(stalled, "one waits there");

/* Under the kernel's oom_lock, or by the one that runs while it takes. */
static LIST_HEAD(held);
static DEFINE_SPINLOCK(held_lock);
static const struct way *under_way;
static int averting;

static unsigned long give_back(unsigned long pages)
{
	unsigned long n = 0;
	struct page *page;
	unsigned int order;

	while (n < pages) {
		spin_lock(&held_lock);
		page = list_first_entry_or_null(&held, struct page, lru);
		if (page)
			list_del(&page->lru);
		spin_unlock(&held_lock);
		if (!page)
			break;
		order = page_private(page);
		set_page_private(page, 0);
		__free_pages(page, order);
		n += 1UL << order;
	}
	return n;
}

static bool take(gfp_t mask, unsigned int order)
{
	struct page *page = alloc_pages(mask | __GFP_NOWARN, order);

	if (!page)
		return false;
	set_page_private(page, order);
	spin_lock(&held_lock);
	/* The first are given back first: the last come from zones kept in reserve. */
	list_add_tail(&page->lru, &held);
	spin_unlock(&held_lock);
	return true;
}

static int notify(struct notifier_block *nb, unsigned long unused, void *arg)
{
	const struct way *w = READ_ONCE(under_way);
	unsigned long *freed = arg, n;
	bool ours;

	heard++;
	if (READ_ONCE(averting)) {
		if (task_tgid_nr(current) == averting)
			calls++;
		else
			others++;
		*freed += 1;
		return NOTIFY_OK;
	}
	if (!w)
		return NOTIFY_OK;
	ours = task_tgid_nr(current) == caller;
	calls += ours;
	if (!ours || (w->give_at && calls > w->give_at)) {
		/* No task shall die of a test: this run is spoiled, and others says so. */
		others++;
		*freed += give_back(ULONG_MAX);
		return NOTIFY_OK;
	}
	if (calls != w->give_at)
		return NOTIFY_OK;
	n = give_back(GIVE_PAGES);
	if (w->tell) {
		given = n;
		*freed += n;
	}
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = notify };

static struct pid *ending;

/* The first of all: between an allocation's last try and the others' notifiers. */
static int notify_late(struct notifier_block *nb, unsigned long unused, void *arg)
{
	struct pid *pid = xchg(&ending, NULL);
	unsigned long end = jiffies + HOLD_S * HZ;

	while (READ_ONCE(stall) && time_before(jiffies, end)) {
		stalled = 1;
		usleep_range(1000, 2000);
	}
	stalled = 0;
	if (pid) {
		kill_pid(pid, SIGKILL, 1);
		put_pid(pid);
		msleep(LATE_MS);
	}
	return NOTIFY_OK;
}

static struct notifier_block late_notifier = {
	.notifier_call	= notify_late,
	.priority	= INT_MAX,
};

static DECLARE_COMPLETION(joined);
static DECLARE_COMPLETION(marked);
static DECLARE_COMPLETION(marked_again);

/* Reclaim can find some pages still, and a victim has the reserves. */
static void call_out(gfp_t mask, unsigned int wanted)
{
	while (calls < wanted && !others && !failed)
		failed = !take(mask, 0);
}

/* The reaper cannot take the memory meanwhile: of a task without, the kernel kills. */
static void let_die(const struct way *w)
{
	struct mm_struct *mm = current->mm;

	if (w->again)
		down_write(&mm->mmap_lock);
	send_sig(SIGKILL, current, 1);
	call_out(w->gfp, 1);
	if (!w->again)
		return;
	complete(&marked);
	wait_for_completion_timeout(&marked_again, HOLD_S * HZ);
	up_write(&mm->mmap_lock);
}

/*
 * For another thread of the process that runs "again": waits until the first thread
 * is marked, and calls the OOM killer too.
 */
static int join(const char *text, const struct kernel_param *kp)
{
	kernel_param_unlock(THIS_MODULE);
	complete(&joined);
	if (wait_for_completion_timeout(&marked, HOLD_S * HZ)) {
		call_out(GFP_KERNEL, 2);
		complete(&marked_again);
	}
	kernel_param_lock(THIS_MODULE);
	return 0;
}

/* Which needs the parameters' lock on its way in. */
static bool has_joined(void)
{
	long left;

	kernel_param_unlock(THIS_MODULE);
	left = wait_for_completion_killable_timeout(&joined, HOLD_S * HZ);
	kernel_param_lock(THIS_MODULE);
	return left > 0;
}

static void run_out(const struct way *w)
{
	unsigned int order = FIRST_ORDER + 1;

	if (w->again && !has_joined())
		return;
	caller = task_tgid_nr(current);
	gfp = (__force unsigned int)(w->gfp | __GFP_NOWARN);
	calls = 0;
	others = 0;
	given = 0;
	failed = 0;
	WRITE_ONCE(under_way, w);
	/* Such an allocation fails before the OOM killer is called. */
	while (order-- && !others)
		while (!others && take(GFP_KERNEL | __GFP_NORETRY, order))
			;
	if (w->die)
		let_die(w);
	else
		call_out(w->gfp, 1);
	WRITE_ONCE(under_way, NULL);
	give_back(ULONG_MAX);
}

/*
 * Kernel threads are told to freeze after user space is frozen and the OOM
 * killer is off; the kernel waits for them.
 */
static int frozen_thread(void *arg)
{
	const struct way *w = arg;

	set_freezable();
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop() && !freezing(current))
			schedule();
		__set_current_state(TASK_RUNNING);
		if (!freezing(current))
			continue;
		if (w)
			run_out(w);
		w = NULL;
		try_to_freeze();
	}
	return 0;
}

static struct task_struct *thread;

static int plain_thread(void *arg)
{
	run_out(arg);
	return 0;
}

static int run_thread(const struct way *w)
{
	return PTR_ERR_OR_ZERO(kthread_run(plain_thread, (void *)w, "shortage"));
}

static int wait_for_freeze(const struct way *w)
{
	if (thread)
		kthread_stop(thread);
	thread = kthread_run(frozen_thread, (void *)w, "shortage");
	if (!IS_ERR(thread))
		return 0;
	thread = NULL;
	return -ENOMEM;
}

/* The parameters' lock is held: one at a time. */
static int run(const char *name, const struct kernel_param *kp)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!sysfs_streq(name, ways[i].name))
			continue;
		/* The notifier is what ends it: rmmod would take that away first. */
		if (!try_module_get(THIS_MODULE))
			return -ENODEV;
		err = 0;
		if (ways[i].frozen)
			err = wait_for_freeze(&ways[i]);
		else if (ways[i].thread)
			err = run_thread(&ways[i]);
		else
			run_out(&ways[i]);
		module_put(THIS_MODULE);
		return err;
	}
	return -EINVAL;
}

/*
 * Calls every OOM off, so that no task dies of it, until 0 is written: the task that
 * asks for memory asks again. calls counts the OOMs of the process that is named.
 */
static int avert(const char *text, const struct kernel_param *kp)
{
	int pid, err;

	err = kstrtoint(text, 10, &pid);
	if (err)
		return err;
	if (pid) {
		calls = 0;
		others = 0;
	}
	WRITE_ONCE(averting, pid);
	return 0;
}

/*
 * Kills a process at the next OOM, and lets that wait: what the process gives back
 * is free by then, but the allocation does not know.
 */
static int end(const char *text, const struct kernel_param *kp)
{
	struct pid *pid;
	int nr, err;

	err = kstrtoint(text, 10, &nr);
	if (err)
		return err;
	pid = find_get_pid(nr);
	if (!pid)
		return -ESRCH;
	put_pid(xchg(&ending, pid));
	return 0;
}

/* Holds a process's mmap_lock for writing. */
static int hold(const char *text, const struct kernel_param *kp)
{
	struct task_struct *p = NULL;
	struct mm_struct *mm;
	int pid, err;

	err = kstrtoint(text, 10, &pid);
	if (err)
		return err;
	rcu_read_lock();
	p = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_TGID);
	if (p)
		get_task_struct(p);
	rcu_read_unlock();
	if (!p)
		return -ESRCH;
	mm = get_task_mm(p);
	put_task_struct(p);
	if (!mm)
		return -ESRCH;
	down_write(&mm->mmap_lock);
	schedule_timeout_interruptible(HOLD_S * HZ);
	up_write(&mm->mmap_lock);
	mmput(mm);
	return 0;
}

struct opening {
	struct work_struct work;
	const char *path;
	int err;
};

static void open_path(struct work_struct *work)
{
	struct opening *o = container_of(work, struct opening, work);
	struct file *file = filp_open(o->path, O_RDONLY, 0);

	o->err = PTR_ERR_OR_ZERO(file);
	if (!o->err)
		filp_close(file, NULL);
}

/* Opens a file in a kernel thread, as io_uring's threads did on a task's behalf. */
static int open_in_thread(const char *text, const struct kernel_param *kp)
{
	struct opening o = { .path = text };

	INIT_WORK_ONSTACK(&o.work, open_path);
	schedule_work(&o.work);
	flush_work(&o.work);
	destroy_work_on_stack(&o.work);
	return o.err;
}

static const struct kernel_param_ops run_ops = { .set = run };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "other, no_fs, dying, again, plain, thread; disabled: at the next suspend");

static const struct kernel_param_ops join_ops = { .set = join };
module_param_cb(join, &join_ops, NULL, 0200);
MODULE_PARM_DESC(join, "a thread that waits for another's \"again\", and is marked too");

static const struct kernel_param_ops avert_ops = { .set = avert };
module_param_cb(avert, &avert_ops, NULL, 0200);
MODULE_PARM_DESC(avert, "process whose calls count while every OOM is called off; 0: no more");

static const struct kernel_param_ops end_ops = { .set = end };
module_param_cb(end, &end_ops, NULL, 0200);
MODULE_PARM_DESC(end, "process to be killed at the next OOM, which waits 100 ms then");

static const struct kernel_param_ops hold_ops = { .set = hold };
module_param_cb(hold, &hold_ops, NULL, 0200);
MODULE_PARM_DESC(hold, "process whose mmap_lock is held, " __stringify(HOLD_S) " s at most");

static const struct kernel_param_ops open_ops = { .set = open_in_thread };
module_param_cb(open, &open_ops, NULL, 0200);
MODULE_PARM_DESC(open, "path that a kernel thread opens: its error is the write's");

static int __init oomlens_shortage_init(void)
{
	int err = register_oom_notifier(&late_notifier);

	if (err)
		return err;
	err = register_oom_notifier(&notifier);
	if (err)
		unregister_oom_notifier(&late_notifier);
	return err;
}

static void __exit oomlens_shortage_exit(void)
{
	if (thread)
		kthread_stop(thread);
	unregister_oom_notifier(&notifier);
	unregister_oom_notifier(&late_notifier);
	put_pid(ending);
}

module_init(oomlens_shortage_init);
module_exit(oomlens_shortage_exit);
MODULE_DESCRIPTION("Memory shortages on demand, for the tests of oomlens");
MODULE_LICENSE("GPL");
