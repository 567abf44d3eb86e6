// SPDX-License-Identifier: GPL-2.0
/*
 * The OOM that never comes: all tasks of the machine, or of a cgroup, wait for memory
 * for a large part of an interval, and none is killed. Such a stall has a place in a
 * ring of its own, a line in the log when it begins, and poll() tells of it.
 */
#include <linux/wait.h>

#include "internal.h"

static unsigned int stall_percent = 40;

static int set_stall(const char *text, const struct kernel_param *kp)
{
	unsigned int n;
	int err = oomlens_param_parse(text, kp, 1, 100, &n);

	if (!err)
		WRITE_ONCE(stall_percent, n);
	return err;
}

static const struct kernel_param_ops stall_ops = {
	.set = set_stall,
	.get = param_get_uint,
};

module_param_cb(stall, &stall_ops, &stall_percent, 0644);
MODULE_PARM_DESC(stall, "percent of an interval that all tasks wait for memory, from which on it is a stall, up to 100; 0: off (default 40)");

/* OOMs of the machine that killed: then it is no stall. Counted by growth.c's listener. */
static atomic_long_t global_kills;

static DECLARE_WAIT_QUEUE_HEAD(wait);
static atomic_long_t changes;		/* begun and ended, since the module was loaded */

/* A slow console takes a tenth of a second for a line: not in the sampler. */
#define LOG_PATH	128		/* of a cgroup */
static char log_line[672];
static int log_full;			/* the work item has not printed it yet */

static void print_line(struct work_struct *work)
{
	pr_info("%s\n", log_line);
	/* Pairs with log_begin(). */
	smp_store_release(&log_full, 0);
}

static DECLARE_WORK(log_work, print_line);

/**
 * oomlens_stalls_killed() - an OOM of the machine killed
 *
 * Context: any.
 */
void oomlens_stalls_killed(void)
{
	atomic_long_inc(&global_kills);
}

/* ---- What stalls in this sample ---- */

static bool is_stall(u16 psi_full)
{
	unsigned int percent = READ_ONCE(stall_percent);

	return percent && psi_full != OOMLENS_PSI_UNKNOWN && psi_full >= percent * 100;
}

/**
 * oomlens_stalls_begin() - a new sample
 * @s: the stalls
 * @psi_full: of the machine
 *
 * Context: the sampler.
 */
void oomlens_stalls_begin(struct oomlens_stalls *s, u16 psi_full)
{
	long kills = atomic_long_read(&global_kills);

	s->nr_now = 0;
	s->level = -1;
	if (is_stall(psi_full) && kills == s->kills)
		s->now[s->nr_now++] = (struct oomlens_stalling){ 0, psi_full };
	s->whole = s->nr_now;
	s->kills = kills;
}

static bool goes_on(const struct oomlens_stalls *s, u64 serial)
{
	unsigned int i;

	for (i = 0; i < OOMLENS_STALLS; i++)
		if (s->ring[i].number && !s->ring[i].end_ns && s->ring[i].serial == serial)
			return true;
	return false;
}

/* A stall that goes on takes the place of one that would begin. */
static bool make_room(struct oomlens_stalls *s, u64 serial)
{
	unsigned int i;

	if (!goes_on(s, serial))
		return false;
	for (i = s->whole; i < s->nr_now; i++)
		if (!goes_on(s, s->now[i].serial))
			break;
	if (i == s->nr_now)
		return false;
	s->nr_now--;
	memmove(&s->now[i], &s->now[i + 1], (s->nr_now - i) * sizeof(*s->now));
	return true;
}

/**
 * oomlens_stalls_memcg() - a cgroup in the walk, parents first
 * @s: the stalls
 * @serial: of the cgroup
 * @level: its depth
 * @psi_full: in the interval, OOMLENS_PSI_UNKNOWN if an OOM of it killed in there
 *
 * Where a cgroup stalls, the ones above it may stall too: the deepest is told of.
 * While the machine stalls most cgroups do, and only those are followed that
 * stalled before. Of more than OOMLENS_STALLING those that go on come first.
 *
 * Context: the sampler; rcu_read_lock() may be held.
 */
void oomlens_stalls_memcg(struct oomlens_stalls *s, u64 serial, int level, u16 psi_full)
{
	/* Out of the subtree of the one that was found last. */
	if (s->level >= 0 && level <= s->level)
		s->level = -1;
	if (!is_stall(psi_full) || (s->whole && !goes_on(s, serial)))
		return;
	if (s->level >= 0)
		s->nr_now--;
	if (s->nr_now == s->whole + OOMLENS_STALLING && !make_room(s, serial))
		return;
	s->now[s->nr_now++] = (struct oomlens_stalling){ serial, psi_full };
	s->level = level;
}

/* ---- The ring ---- */

/**
 * oomlens_stalls_init() - none yet
 * @s: zeroed
 *
 * Context: the sampler is not running.
 */
void oomlens_stalls_init(struct oomlens_stalls *s)
{
	seqcount_init(&s->seq);
	s->kills = atomic_long_read(&global_kills);
}

/* The oldest one that is over makes room: fewer can go on than there are places. */
static struct oomlens_stall *free_or_oldest(struct oomlens_stalls *s)
{
	struct oomlens_stall *stall, *best = NULL;

	BUILD_BUG_ON(ARRAY_SIZE(s->now) >= ARRAY_SIZE(s->ring));
	for (stall = s->ring; stall < s->ring + OOMLENS_STALLS; stall++)
		if ((!stall->number || stall->end_ns) && (!best || stall->number < best->number))
			best = stall;
	return best;
}

static void write_begin(struct oomlens_stalls *s)
{
	preempt_disable();
	raw_write_seqcount_begin(&s->seq);
}

static void write_end(struct oomlens_stalls *s)
{
	raw_write_seqcount_end(&s->seq);
	preempt_enable();
}

static void changed(void)
{
	atomic_long_inc(&changes);
	wake_up_all(&wait);
}

static const struct oomlens_stalling *find_now(const struct oomlens_stalls *s, u64 serial)
{
	unsigned int i;

	for (i = 0; i < s->nr_now; i++)
		if (s->now[i].serial == serial)
			return &s->now[i];
	return NULL;
}

/* Those that go on, and those that are over. */
static void follow(struct oomlens_stalls *s, u64 end_ns)
{
	const struct oomlens_stalling *now;
	struct oomlens_stall *stall;

	for (stall = s->ring; stall < s->ring + OOMLENS_STALLS; stall++) {
		if (!stall->number || stall->end_ns)
			continue;
		now = find_now(s, stall->serial);
		write_begin(s);
		if (now)
			stall->psi_full = max(stall->psi_full, now->psi_full);
		else
			stall->end_ns = end_ns;
		write_end(s);
		if (!now)
			changed();
	}
}

static size_t put_rows(char *buf, size_t size, const char *word, const struct oomlens_rows *rows,
		       bool growth)
{
	size_t n = scnprintf(buf, size, " %s=", word);
	char comm[4 * TASK_COMM_LEN + 1];
	unsigned int i;

	for (i = 0; i < min_t(unsigned int, rows->n, 3); i++) {
		*oomlens_escape(comm, rows->rows[i].comm) = '\0';
		n += scnprintf(buf + n, size - n, "%s%s:%u:%d", i ? "," : "", comm,
			       rows->rows[i].pid,
			       growth ? rows->rows[i].grew : (int)rows->rows[i].points);
	}
	return n + scnprintf(buf + n, size - n, "%s", i ? "" : "-");
}

/* Where it stalls; "/" for the machine. */
static void stall_path(struct oomlens_history *h, const struct oomlens_stall *stall, char *buf)
{
	if (stall->serial)
		oomlens_names_copy(h->names, stall->serial, buf, OOMLENS_NAME_MAX);
	else
		strscpy(buf, "/", OOMLENS_NAME_MAX);
}

static void log_begin(struct oomlens_history *h, const struct oomlens_stall *stall)
{
	static char path[OOMLENS_NAME_MAX];
	size_t n;

	/* Pairs with print_line(). One that is not printed yet is more than enough. */
	if (smp_load_acquire(&log_full))
		return;
	stall_path(h, stall, path);
	while (oomlens_escaped_len(path) > LOG_PATH)
		path[strlen(path) - 1] = '\0';
	n = scnprintf(log_line, sizeof(log_line),
		      "stall %u begin_us=%llu real_us=%llu psi_full=%u.%02u memcg=", stall->number,
		      div_u64(stall->begin_ns, NSEC_PER_USEC),
		      div_u64(h->sample->real_ns - h->sample->over_ns, NSEC_PER_USEC),
		      stall->psi_full / 100, stall->psi_full % 100);
	n = oomlens_escape(log_line + n, path) - log_line;
	log_line[n] = '\0';
	n += put_rows(log_line + n, sizeof(log_line) - n, "largest",
		      &h->largest[OOMLENS_TASKS], false);
	put_rows(log_line + n, sizeof(log_line) - n, "fastest", &h->fastest[OOMLENS_TASKS], true);
	WRITE_ONCE(log_full, 1);
	oomlens_sampler_queue(&log_work);
}

static void begin(struct oomlens_history *h, const struct oomlens_stalling *now)
{
	struct oomlens_stalls *s = &h->stalls;
	struct oomlens_stall *stall = free_or_oldest(s);

	write_begin(s);
	stall->number = s->newest + 1;
	stall->begin_ns = h->sample->time_ns - h->sample->over_ns;
	stall->end_ns = 0;
	stall->serial = now->serial;
	stall->psi_full = now->psi_full;
	s->newest++;
	write_end(s);
	log_begin(h, stall);
	changed();
}

/**
 * oomlens_stalls_end() - the sample has its rows
 * @h: the history
 *
 * Context: the sampler.
 */
void oomlens_stalls_end(struct oomlens_history *h)
{
	struct oomlens_stalls *s = &h->stalls;
	unsigned int i;

	follow(s, h->sample->time_ns - h->sample->over_ns);
	for (i = 0; i < s->nr_now; i++)
		if (!goes_on(s, s->now[i].serial))
			begin(h, &s->now[i]);
}

/* ---- Readers ---- */

static bool find_stall(const struct oomlens_stalls *s, u32 number, struct oomlens_stall *to)
{
	unsigned int i;

	to->number = 0;
	for (i = 0; i < OOMLENS_STALLS; i++)
		if (s->ring[i].number >= number &&
		    (!to->number || s->ring[i].number < to->number))
			*to = s->ring[i];
	return to->number != 0;
}

/**
 * oomlens_stall_next() - copy the first stall from a number on
 * @h: held
 * @number: from 1
 * @to: where to
 *
 * Context: process context.
 * Return: false if there is none.
 */
bool oomlens_stall_next(struct oomlens_history *h, u32 number, struct oomlens_stall *to)
{
	unsigned int seq;
	bool found;

	do {
		seq = read_seqcount_begin(&h->stalls.seq);
		found = find_stall(&h->stalls, number, to);
	} while (read_seqcount_retry(&h->stalls.seq, seq));
	return found;
}

/**
 * oomlens_stall_changes() - stalls that began or ended, since the module was loaded
 *
 * Context: any.
 * Return: how many.
 */
long oomlens_stall_changes(void)
{
	return atomic_long_read(&changes);
}

/**
 * oomlens_stalls_poll() - has a stall begun or ended?
 * @file: open
 * @table: as for file_operations.poll
 * @seen: oomlens_stall_changes() when the reader began
 *
 * Context: process context.
 * Return: EPOLLIN | EPOLLRDNORM or 0.
 */
__poll_t oomlens_stalls_poll(struct file *file, poll_table *table, long seen)
{
	poll_wait(file, &wait, table);
	return oomlens_stall_changes() != seen ? EPOLLIN | EPOLLRDNORM : 0;
}
