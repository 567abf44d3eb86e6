// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests: holds the lock that oomlens tries for in the OOM notifier, as a
 * writer does that is preempted with it. Not part of oomlens, and built with
 * OOMLENS_TESTS=1 only.
 *
 * The lock is the one that a task tries for first behind this module's own OOM
 * notifier, which is called right before that of oomlens.
 */
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/sched.h>

#include "../../module/compat.h"

/* Longer than any OOM of a test takes. */
#define HOLD_S		60

static int found;
module_param(found, int, 0444);
MODULE_PARM_DESC(found, "the lock is known: there was a global OOM");
static int held;
module_param(held, int, 0444);
MODULE_PARM_DESC(held, "it is held");
static int expired;
module_param(expired, int, 0444);
MODULE_PARM_DESC(expired, "it was held for as long as may be");

#ifdef OOMLENS_HAVE_OOM_PROBE
static struct mutex *lock;
static struct task_struct *asking;	/* is in the notifiers behind this one */
static struct task_struct *holder;	/* under the parameters' lock */

static int enter(struct kprobe *p, struct pt_regs *regs)
{
	if (current != READ_ONCE(asking))
		return 0;
	WRITE_ONCE(asking, NULL);
	lock = (struct mutex *)oomlens_first_argument(regs);
	/* Pairs with hold(). */
	smp_store_release(&found, 1);
	return 0;
}

/* With CONFIG_DEBUG_LOCK_ALLOC newer kernels have the second one. */
static const char * const names[] = { "mutex_trylock", "_mutex_trylock_nest_lock" };
static struct kprobe probe = { .pre_handler = enter };

static int notify(struct notifier_block *nb, unsigned long unused, void *freed)
{
	if (!READ_ONCE(found))
		WRITE_ONCE(asking, current);
	return NOTIFY_OK;
}

static struct notifier_block notifier = {
	.notifier_call	= notify,
	.priority	= INT_MIN + 1,
};

static int hold_lock(void *unused)
{
	unsigned long end;

	mutex_lock(lock);
	end = jiffies + HOLD_S * HZ;
	WRITE_ONCE(held, 1);
	while (!kthread_should_stop() && time_before(jiffies, end))
		schedule_timeout_interruptible(1);
	WRITE_ONCE(expired, !kthread_should_stop());
	WRITE_ONCE(held, 0);
	mutex_unlock(lock);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void let_go(void)
{
	if (holder)
		kthread_stop(holder);
	holder = NULL;
}

static int hold(const char *text, const struct kernel_param *kp)
{
	struct task_struct *t;
	bool on;
	int err;

	err = kstrtobool(text, &on);
	if (err)
		return err;
	let_go();
	if (!on)
		return 0;
	/* Pairs with enter(). */
	if (!smp_load_acquire(&found))
		return -EAGAIN;
	t = kthread_run(hold_lock, NULL, "oomlens_block");
	if (IS_ERR(t))
		return PTR_ERR(t);
	holder = t;
	return 0;
}

static int __init oomlens_block_init(void)
{
	unsigned int i;
	int err = -ENOENT;

	for (i = 0; err && i < ARRAY_SIZE(names); i++) {
		probe.symbol_name = names[i];
		probe.addr = NULL;
		probe.flags = 0;
		err = register_kprobe(&probe);
	}
	if (err)
		return err;
	err = register_oom_notifier(&notifier);
	if (err)
		unregister_kprobe(&probe);
	return err;
}

static void __exit oomlens_block_exit(void)
{
	let_go();
	unregister_oom_notifier(&notifier);
	unregister_kprobe(&probe);
}
#else
static int hold(const char *text, const struct kernel_param *kp)
{
	return -EOPNOTSUPP;
}

static int __init oomlens_block_init(void)
{
	return -EOPNOTSUPP;
}

static void __exit oomlens_block_exit(void)
{
}
#endif

static const struct kernel_param_ops hold_ops = { .set = hold };
module_param_cb(hold, &hold_ops, NULL, 0200);
MODULE_PARM_DESC(hold, "1: hold the lock, " __stringify(HOLD_S) " s at most; 0: no more");

module_init(oomlens_block_init);
module_exit(oomlens_block_exit);
MODULE_DESCRIPTION("Holds the lock of oomlens' notifier, for the tests of oomlens");
MODULE_LICENSE("GPL");
