// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's pressure stall information. psi_system is not exported, so it is
 * /proc/pressure/memory of the module's own procfs mount. A work item reads it, as
 * the kernel's lock on it may be waited for, and the sampler takes what is there.
 */
#include <linux/file.h>

#include "internal.h"

/* "some avg10=... total=..." and "full ...". */
#define TEXT_SIZE	256

const char *oomlens_psi_lacks;

static struct file *file;
static struct workqueue_struct *queue;

/* Of the two last readings. */
struct reading {
	u64 time_ns;			/* 0: none */
	u64 some_us;			/* in all */
	u64 full_us;
};

static DEFINE_SPINLOCK(lock);		/* held for a copy */
static struct reading readings[2];	/* the older one first */

/* procfs has it as a seq_file that kernel_read() does not take: it has no read_iter. */
static int read_text(const char **text)
{
	struct seq_file *m = file->private_data;
	int err;

	m->count = 0;
	err = m->op->show(m, SEQ_START_TOKEN);
	if (err)
		return err;
	if (seq_has_overflowed(m))
		return -EOVERFLOW;
	m->buf[m->count] = '\0';
	*text = m->buf;
	return 0;
}

static bool parse_total(const char *text, const char *line, u64 *us)
{
	const char *at = strstr(text, line);

	at = at ? strstr(at, "total=") : NULL;
	return at && sscanf(at, "total=%llu", us) == 1;
}

static void read_pressure(struct work_struct *work)
{
	struct reading now = { 0 };
	const char *text;

	if (read_text(&text) || !parse_total(text, "some", &now.some_us) ||
	    !parse_total(text, "full", &now.full_us))
		return;
	now.time_ns = ktime_get_ns();
	spin_lock(&lock);
	readings[0] = readings[1];
	readings[1] = now;
	spin_unlock(&lock);
}

static DECLARE_WORK(work, read_pressure);

/**
 * oomlens_psi_share() - a share of time
 * @stalled_ns: that was stalled
 * @over_ns: of this
 *
 * The kernel adds up what each processor saw at its own time: more than all counts as
 * all, as in its own averages.
 *
 * Context: any.
 * Return: hundredths of a percent.
 */
u16 oomlens_psi_share(u64 stalled_ns, u64 over_ns)
{
	if (!over_ns)
		return OOMLENS_PSI_UNKNOWN;
	if (stalled_ns >= over_ns)
		return 10000;
	return div64_u64(stalled_ns * 10000, over_ns);
}

/**
 * oomlens_sampler_queue() - have something done beside the sampler
 * @work: may wait
 *
 * Context: the sampler, if the pressure is there.
 */
void oomlens_sampler_queue(struct work_struct *work)
{
	queue_work(queue, work);
}

/**
 * oomlens_psi_ask() - have the pressure read
 *
 * Context: process context; does not wait for it.
 * Return: false if the kernel does not tell it.
 */
bool oomlens_psi_ask(void)
{
	if (!file)
		return false;
	queue_work(queue, &work);
	return true;
}

/**
 * oomlens_psi_answer() - the pressure between the last two readings
 * @now: CLOCK_MONOTONIC
 * @max_age_ns: unknown if the last one is older, or they are twice as far apart
 * @some: share of that time
 * @full: likewise
 *
 * Context: process context; does not wait.
 */
void oomlens_psi_answer(u64 now, u64 max_age_ns, u16 *some, u16 *full)
{
	struct reading last, before;
	u64 over;

	spin_lock(&lock);
	before = readings[0];
	last = readings[1];
	spin_unlock(&lock);
	*some = OOMLENS_PSI_UNKNOWN;
	*full = OOMLENS_PSI_UNKNOWN;
	if (!before.time_ns || now > last.time_ns + max_age_ns)
		return;
	over = last.time_ns - before.time_ns;
	/* A reading was left out: the two are further apart than one interval. */
	if (over > 2 * max_age_ns)
		return;
	*some = oomlens_psi_share((last.some_us - before.some_us) * NSEC_PER_USEC, over);
	*full = oomlens_psi_share((last.full_us - before.full_us) * NSEC_PER_USEC, over);
}

/* What is missing; NULL if the file is open. */
static const char *__init open_file(void)
{
	const char *missing;
	struct seq_file *m;

	if (!IS_ENABLED(CONFIG_PSI))
		return "CONFIG_PSI";
	file = oomlens_procfs_open("pressure/memory");
	if (IS_ERR(file)) {
		/* kernel/sched/psi.c, psi_proc_init(): the kernel's own parameter */
		missing = PTR_ERR(file) == -ENOENT ? "psi=1" : "memory";
		file = NULL;
		return missing;
	}
	m = file->private_data;
	m->size = TEXT_SIZE;
	m->buf = kzalloc(m->size, GFP_KERNEL);
	if (m->buf)
		return NULL;
	fput(file);
	file = NULL;
	return "memory";
}

/**
 * oomlens_psi_init() - open the file
 *
 * Context: module load.
 * Return: 0 or -ENOMEM; a kernel without it is no error.
 */
int __init oomlens_psi_init(void)
{
	oomlens_psi_lacks = open_file();
	if (!file)
		return 0;
	/* A rescuer: it goes on without a new worker. */
	queue = alloc_workqueue("oomlens_psi", WQ_MEM_RECLAIM | WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (queue)
		return 0;
	fput(file);
	return -ENOMEM;
}

/**
 * oomlens_psi_exit() - close it
 *
 * Context: module unload; the sampler is gone.
 */
void oomlens_psi_exit(void)
{
	if (queue)
		destroy_workqueue(queue);
	if (file)
		fput(file);
}
