// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests: the first processor that enters a function, or the first after some
 * calls, stays there, with whatever it holds, until another one panics and stops it.
 * Not part of oomlens, and built with OOMLENS_TESTS=1 only.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *at = "";
module_param(at, charp, 0444);
MODULE_PARM_DESC(at, "the function");
static char *only = "";
module_param(only, charp, 0444);
MODULE_PARM_DESC(only, "only tasks of this name");
static int after;
module_param(after, int, 0444);
MODULE_PARM_DESC(after, "calls that are let pass");
static int stopped;
module_param(stopped, int, 0444);
MODULE_PARM_DESC(stopped, "a processor stays there");

#ifdef CONFIG_KPROBES
static atomic_t calls;

static int enter(struct kprobe *p, struct pt_regs *regs)
{
	if (*only && strcmp(current->comm, only))
		return 0;
	if (atomic_inc_return(&calls) <= after)
		return 0;
	WRITE_ONCE(stopped, 1);
	for (;;)
		cpu_relax();
	return 0;
}

static struct kprobe probe = { .pre_handler = enter };

static int __init oomlens_stop_init(void)
{
	probe.symbol_name = at;
	return register_kprobe(&probe);
}
#else
static int __init oomlens_stop_init(void)
{
	return -EOPNOTSUPP;
}
#endif

/* No exit: a processor stays in it. */
module_init(oomlens_stop_init);
MODULE_DESCRIPTION("Stops a processor in a function, for the tests of oomlens");
MODULE_LICENSE("GPL");
