// SPDX-License-Identifier: GPL-2.0
/*
 * The process that is written to a file as "pid N", and the right to it.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/pid_namespace.h>

#include "../kernel/kernel.h"
#include "process.h"

/**
 * oomlens_may_see() - may the caller see what one process has?
 * @m: the open file
 *
 * What /proc/PID/maps and fd ask for, of the opener and of the caller.
 *
 * Context: process context.
 */
bool oomlens_may_see(const struct seq_file *m)
{
	return capable(CAP_SYS_PTRACE) &&
	       file_ns_capable(m->file, &init_user_ns, CAP_SYS_PTRACE);
}

/**
 * oomlens_find_process() - a user process of the initial PID namespace
 * @number: its thread group id, as text
 *
 * Context: process context.
 * Return: held by get_pid(), so that no other process takes the number; -EINVAL if
 * it is no number or a kernel thread's, -ESRCH if there is none.
 */
struct pid *oomlens_find_process(const char *number)
{
	struct pid *pid = ERR_PTR(-ESRCH);
	struct task_struct *p;
	unsigned int nr;

	if (oomlens_parse_uint(number, 1, INT_MAX, &nr))
		return ERR_PTR(-EINVAL);
	rcu_read_lock();
	p = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_TGID);
	if (p)
		pid = p->flags & PF_KTHREAD ? ERR_PTR(-EINVAL) :
			get_pid(task_tgid(p));
	rcu_read_unlock();
	return pid;
}
