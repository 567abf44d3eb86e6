// SPDX-License-Identifier: GPL-2.0
/*
 * The control file: one table of commands, and the last run.
 *
 * Nothing here happens by reading, by default or by a typo: a line is parsed
 * whole before anything is done, and commands only run where the module was
 * loaded with trigger=1.
 */
#include "run.h"
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

/*
 * For the event of an OOM to be published. Without the return probe that is up to 15 s
 * after it began, and a second after the last mark of a group kill, whose dump may take
 * seconds on a slow console.
 */
#define PUBLISH_MS	30000

/* One run at a time; held for all of it. */
static DEFINE_MUTEX(run_lock);

/* The last run, or the one under way; a reader must not wait for its end. */
static DEFINE_SPINLOCK(last_lock);
static struct last_run {
	char command[SHOWN_MAX];	/* empty: none yet */
	bool running;
	int result;
	struct oomlens_run run;
} last;

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

	err = oomlens_permitted(m);
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

	err = command->run(&req, &run);
	/* An event that the file names can be read, if the OOM killer gets on. */
	if (run.event && err != -ETIMEDOUT)
		oomlens_claim_wait(PUBLISH_MS);

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
	seq_printf(m, "enabled %d\nrunning %d\nlast_command ", oomlens_trigger_enabled, l.running);
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
 * oomlens_trigger_init() - register for what an OOM brings
 *
 * A run of pressure is asked for its pages before the reserve.
 *
 * Context: module load, before oomlens_event_init().
 */
void __init oomlens_trigger_init(void)
{
	oomlens_mark_register(&oomlens_kill_marks);
	oomlens_mark_register(&oomlens_pressure_listener);
	oomlens_relief_register(&oomlens_pressure_relief);
	oomlens_relief_register(&oomlens_reserve_relief);
}

/**
 * oomlens_trigger_exit() - give back what is held
 *
 * An open file holds the module, and a run has an open file: no run is left.
 *
 * Context: module unload; the files and the hooks are gone.
 */
void oomlens_trigger_exit(void)
{
	oomlens_pressure_exit();
	oomlens_reserve_exit();
}
