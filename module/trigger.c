// SPDX-License-Identifier: GPL-2.0
/*
 * The control file: one table of commands, who may run one, and the last run.
 *
 * Nothing here happens by reading, by default or by a typo: a line is parsed
 * whole before anything is done, and commands only run where the module was
 * loaded with trigger=1.
 */
#include <linux/math64.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/security.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "oomlens.h"
#include "trigger.h"

/* As much of a command as the file shows again. */
#define SHOWN_MAX	120

/* A new command is one row, and its functions. */
static const struct command {
	const char *name;
	const char *usage;
	const char *help;
	int (*parse)(char *args, union oomlens_request *req);
	int (*run)(const union oomlens_request *req, struct oomlens_run *run);
} commands[] = {
	{ "kill", "[pid=N]",
	  "one kill by the kernel's OOM killer, as by sysrq f; pid=N: of that process",
	  oomlens_kill_parse, oomlens_kill_run },
	{ "pressure",
	  "[outcome=avert|kill] [leave=SIZE] [hold=MS] [limit=SIZE] [timeout=S] [memcg]",
	  "takes memory until the OOM killer runs, then gives it back",
	  oomlens_pressure_parse, oomlens_pressure_run },
};

/* For the record of an OOM that is over to appear. */
#define PUBLISH_MS	1000

/* One run at a time; held for all of it. */
static DEFINE_MUTEX(run_lock);

bool oomlens_kill_seen;

/* The last run, or the one under way; a reader must not wait for its end. */
static DEFINE_SPINLOCK(last_lock);
static struct last_run {
	char command[SHOWN_MAX];	/* empty: none yet */
	bool running;
	int result;
	struct oomlens_run run;
} last;

/**
 * oomlens_trigger_refused() - say in the log why a command does nothing
 * @fmt: the reason, without a newline
 *
 * Rate-limited.
 *
 * Context: process context.
 */
void oomlens_trigger_refused(const char *fmt, ...)
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
 * oomlens_trigger_permitted() - may the module be told to change something?
 * @m: the open file that it is told through
 *
 * Both the caller and whoever opened the file must be administrators of the
 * machine: a descriptor handed down must not lend the right. In lockdown,
 * debugfs refuses to open a file for writing; the same reason is asked for at
 * each write, as the lockdown may have come after the open.
 *
 * Context: process context.
 * Return: 0 or -EPERM.
 */
int oomlens_trigger_permitted(const struct seq_file *m)
{
	if (!oomlens_trigger)
		return -EPERM;
	if (!capable(CAP_SYS_ADMIN) ||
	    !file_ns_capable(m->file, &init_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	return security_locked_down(LOCKDOWN_DEBUGFS);
}

static const struct command *find_command(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int trigger_command(struct seq_file *m, char *line)
{
	struct oomlens_run run = { };
	const struct command *command;
	struct last_run next = { .running = true };
	union oomlens_request req;
	char *args = line;
	int err;

	err = oomlens_trigger_permitted(m);
	if (err)
		return err;
	strscpy(next.command, line, sizeof(next.command));
	command = find_command(strsep(&args, " \t"));
	if (!command)
		return -EINVAL;
	err = command->parse(args ?: "", &req);
	if (err)
		return err;

	if (!mutex_trylock(&run_lock))
		return -EBUSY;
	spin_lock(&last_lock);
	last = next;
	spin_unlock(&last_lock);

	WRITE_ONCE(oomlens_kill_seen, false);
	err = command->run(&req, &run);
	/* Whoever is told of an event can read it. */
	if (run.event)
		oomlens_recorder_wait(PUBLISH_MS);

	spin_lock(&last_lock);
	last.running = false;
	last.result = err;
	last.run = run;
	spin_unlock(&last_lock);
	mutex_unlock(&run_lock);
	return err;
}

static void put(struct seq_file *m, const char *key, bool known, s64 n)
{
	if (known)
		seq_printf(m, "%s %lld\n", key, n);
	else
		seq_printf(m, "%s -\n", key);
}

static int trigger_show(struct seq_file *m, void *v)
{
	struct last_run l;
	bool over, took;
	int i;

	spin_lock(&last_lock);
	l = last;
	spin_unlock(&last_lock);
	over = l.command[0] && !l.running;
	took = over && l.run.taken;

	seq_puts(m, "# oomlens trigger 1\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		seq_printf(m, "command %s %s: %s\n", commands[i].name,
			   commands[i].usage, commands[i].help);
	seq_printf(m, "enabled %d\nrunning %d\nlast_command ", oomlens_trigger, l.running);
	oomlens_puts_escaped(m, l.command);
	put(m, "\nlast_result", over, l.result);
	put(m, "last_event", over && l.run.event, l.run.event);
	put(m, "last_taken", took, l.run.taken);
	put(m, "last_take_us", took, div_u64(l.run.take_ns, NSEC_PER_USEC));
	put(m, "last_give_us", took, div_u64(l.run.give_ns, NSEC_PER_USEC));
	return 0;
}

const struct oomlens_file_ops oomlens_trigger_file = {
	.show		= trigger_show,
	.command	= trigger_command,
	.concurrent	= true,
};

/**
 * oomlens_trigger_init() - nothing to take: runs take what they need
 */
int __init oomlens_trigger_init(void)
{
	return 0;
}

/**
 * oomlens_trigger_exit() - no run is under way any more
 *
 * An open file holds the module, and a run has an open file.
 */
void oomlens_trigger_exit(void)
{
	WARN_ON(mutex_is_locked(&run_lock));
	oomlens_pressure_exit();
}
