// SPDX-License-Identifier: GPL-2.0
/*
 * What must hold before the module changes anything, and the log line that says
 * why a command was refused.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ratelimit.h>
#include <linux/security.h>

#include "run.h"

bool oomlens_trigger_enabled;
module_param_named(trigger, oomlens_trigger_enabled, bool, 0444);
MODULE_PARM_DESC(trigger, "1: trigger and reserve may be written; they can kill tasks and take memory (default 0)");

/**
 * oomlens_refused() - say in the log why a command does nothing
 * @fmt: the reason, without a newline
 *
 * Rate-limited.
 *
 * Context: process context.
 */
void oomlens_refused(const char *fmt, ...)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (!__ratelimit(&limit))
		return;
	va_start(args, fmt);
	vaf.va = &args;
	pr_info("refused: %pV\n", &vaf);
	va_end(args);
}

/**
 * oomlens_permitted() - may the module be told to change something?
 * @m: the open file that it is told through
 *
 * Both the caller and the opener of the file must be administrators of the
 * machine: a descriptor handed down must not lend the right. In lockdown
 * debugfs refuses to open a file for writing; the same reason is checked at
 * each write, as the lockdown may have come after the open.
 *
 * Context: process context.
 * Return: 0 or -EPERM.
 */
int oomlens_permitted(const struct seq_file *m)
{
	if (!oomlens_trigger_enabled)
		return -EPERM;
	if (!capable(CAP_SYS_ADMIN) ||
	    !file_ns_capable(m->file, &init_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	return security_locked_down(LOCKDOWN_DEBUGFS);
}
