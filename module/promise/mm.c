// SPDX-License-Identifier: GPL-2.0
/*
 * Every address space once, with its owner and what it is charged.
 *
 * The walk over tasks only pins each address space, under RCU; then each is
 * measured where one may sleep. If its lock is taken, it is tried again later.
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/sort.h>
#include <linux/uidgid.h>

#include "mm.h"

/*
 * Address spaces whose lock is taken are tried again after a pause. However many
 * there are, a whole read waits for LOCK_ROUNDS pauses at most.
 */
#define LOCK_ROUNDS	20
#define LOCK_PAUSE_US	1000

#define FIRST_ROWS	(4 * OOMLENS_WALK_CHUNK)

static void drop_mm(struct oomlens_mm *s)
{
	if (s->mm)
		mmdrop(s->mm);
	s->mm = NULL;
}

/**
 * oomlens_mms_free() - give back what a read took
 * @t: zeroed, or read; zeroed after
 *
 * Context: process context, may sleep.
 */
void oomlens_mms_free(struct oomlens_mms *t)
{
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		drop_mm(&t->rows[i]);
		cond_resched();
	}
	kvfree(t->rows);
	oomlens_memcg_set_free(t->memcgs);
	memset(t, 0, sizeof(*t));
}

static int alloc_rows(struct oomlens_mms *t, unsigned int max)
{
	memset(t, 0, sizeof(*t));
	t->rows = kvmalloc_array(max, sizeof(*t->rows), OOMLENS_GFP);
	t->memcgs = oomlens_memcg_set_alloc(max);
	t->max = max;
	return t->rows && t->memcgs ? 0 : -ENOMEM;
}

/* ---- the walk: under RCU, pins only ---- */

static void fill_row(struct oomlens_mm *s, struct task_struct *p,
		     struct mm_struct *mm, struct oomlens_memcg_set *memcgs)
{
	memset(s, 0, sizeof(*s));
	s->mm = mm;
	s->cached = oomlens_threads_counted(p, mm);
	s->memcg = oomlens_memcg_set_index(memcgs, oomlens_memcg_of(p));
	s->pid = p->tgid;
	s->uid = from_kuid(&init_user_ns, task_uid(p));
	s->spaces = 1;
	strscpy_pad(s->comm, p->comm, sizeof(s->comm));
}

static int visit_task(struct task_struct *p, void *arg)
{
	struct oomlens_mms *t = arg;
	unsigned int order = t->seen++;
	struct mm_struct *mm;

	if (p->flags & PF_KTHREAD)
		return 0;
	mm = oomlens_task_grab_mm(p);
	if (!mm)
		return 0;
	fill_row(&t->rows[t->n], p, mm, t->memcgs);
	t->rows[t->n++].order = order;
	return 0;
}

/*
 * What is visited twice is found to be the same when the rows are merged, so
 * nothing need be undone here, where mmdrop() might have to sleep.
 */
static void rewind_walk(unsigned int n, void *arg)
{
	struct oomlens_mms *t = arg;

	t->seen = n;
}

/* Room for all that comes before the next pause. */
static int make_room(void *arg)
{
	struct oomlens_mms *t = arg;
	struct oomlens_mm *rows;

	if (t->max - t->n < OOMLENS_WALK_CHUNK) {
		rows = kvmalloc_array(2 * t->max, sizeof(*rows), OOMLENS_GFP);
		if (!rows)
			return -ENOMEM;
		memcpy(rows, t->rows, t->n * sizeof(*rows));
		kvfree(t->rows);
		t->rows = rows;
		t->max *= 2;
	}
	return oomlens_memcg_set_reserve(t->memcgs, OOMLENS_WALK_CHUNK);
}

static int collect(struct oomlens_mms *t)
{
	const struct oomlens_walk walk = {
		.pause = make_room, .visit = visit_task, .rewind = rewind_walk, .arg = t,
	};

	return alloc_rows(t, FIRST_ROWS) ?: oomlens_walk_tasks(&walk);
}

static int compare_mm(const void *a, const void *b)
{
	const struct oomlens_mm *x = a, *y = b;

	cond_resched();
	return cmp_int(x->mm, y->mm) ?: cmp_int(x->order, y->order);
}

/* Each address space once, under the first process in the walk that has it. */
static void merge(struct oomlens_mms *t)
{
	struct oomlens_mm *row, *kept = NULL;

	sort(t->rows, t->n, sizeof(*t->rows), compare_mm, NULL);
	for (row = t->rows; row < t->rows + t->n; row++) {
		cond_resched();
		if (!kept || kept->mm != row->mm) {
			kept = row;
			continue;
		}
		/* A second visit of the same process has read the same figure. */
		if (row[-1].pid != row->pid)
			kept->cached += row->cached;
		row->gone = true;
		drop_mm(row);
	}
}

/* ---- measuring: may sleep, never waits for one lock ---- */

/* All but the charges, which are known. */
static void measure_rest(struct oomlens_mm *s)
{
	unsigned long charge = oomlens_charge(&s->charges);
	long touched = s->cached;

	touched += oomlens_mm_counter_sum(s->mm, MM_ANONPAGES);
	touched += oomlens_mm_counter_sum(s->mm, MM_SWAPENTS);
	s->touched = max(touched, 0L);
	s->uncashed = charge - min(charge, s->touched);
	s->vm_total = READ_ONCE(s->mm->total_vm);
}

/*
 * One attempt at each address space not measured yet; in the last round those
 * whose lock is taken are skipped.
 * Return: how many are left because their lock is taken, or -EINTR.
 */
static int measure_round(struct oomlens_mms *t, bool last)
{
	struct oomlens_mm *row;
	int left = 0, err;

	for (row = t->rows; row < t->rows + t->n; row++) {
		if (!row->mm)
			continue;
		err = oomlens_vmas_charges(row->mm, &row->charges, &row->from);
		if (err == -EAGAIN && !last) {
			left++;
			continue;
		}
		if (err == -EAGAIN) {
			/* These are charges of a part of the VMAs only. */
			memset(&row->charges, 0, sizeof(row->charges));
			row->skipped = 1;
		}
		if (err == -ESRCH)
			row->gone = true;
		else
			measure_rest(row);
		drop_mm(row);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return left;
}

static int measure(struct oomlens_mms *t)
{
	unsigned int round;
	int left;

	for (round = 0; ; round++) {
		left = measure_round(t, round == LOCK_ROUNDS);
		if (left <= 0)
			return left;
		usleep_range(LOCK_PAUSE_US, 2 * LOCK_PAUSE_US);
	}
}

static void remove_gone(struct oomlens_mms *t)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->n; i++) {
		cond_resched();
		if (!t->rows[i].gone)
			t->rows[n++] = t->rows[i];
	}
	t->n = n;
}

/**
 * oomlens_mms_read() - measure every address space that a process has
 * @t: zeroed, or read before; oomlens_mms_free() is the caller's
 *
 * Spaces whose process exits during the read are left out; those whose lock could
 * not be had are marked as skipped. The order is of no meaning.
 *
 * Context: process context, sleeps, bounded.
 * Return: 0, -ENOMEM, -EINTR on a fatal signal, -EAGAIN if tasks came or went
 * too fast for the walk over and over.
 */
int oomlens_mms_read(struct oomlens_mms *t)
{
	int err;

	err = collect(t);
	if (err)
		return err;
	merge(t);
	err = measure(t);
	if (err)
		return err;
	remove_gone(t);
	return oomlens_memcg_set_resolve(t->memcgs);
}

static int collect_one(struct oomlens_mms *t, struct pid *pid)
{
	struct mm_struct *mm = NULL;
	struct task_struct *p;
	int err;

	err = alloc_rows(t, 1);
	if (err)
		return err;
	rcu_read_lock();
	p = pid_task(pid, PIDTYPE_TGID);
	if (p && !(p->flags & PF_KTHREAD))
		mm = oomlens_task_grab_mm(p);
	if (mm) {
		fill_row(&t->rows[0], p, mm, t->memcgs);
		t->n = 1;
	}
	rcu_read_unlock();
	return mm ? 0 : -ESRCH;
}

/**
 * oomlens_mms_read_one() - measure one process's address space, by VMA
 * @t: as for oomlens_mms_read(); one row on success
 * @pid: of the thread group
 * @vmas: one row a VMA; vmas->complete tells whether all are there
 *
 * Context: process context, sleeps, bounded.
 * Return: as oomlens_mms_read(), or -ESRCH if the process has no address space
 * (any more).
 */
int oomlens_mms_read_one(struct oomlens_mms *t, struct pid *pid,
			 struct oomlens_vmas *vmas)
{
	struct oomlens_mm *row;
	int err;

	err = collect_one(t, pid);
	if (err)
		return err;
	row = &t->rows[0];
	err = oomlens_vmas_read(vmas, row->mm, &row->charges);
	if (err)
		return err;
	measure_rest(row);
	drop_mm(row);
	return oomlens_memcg_set_resolve(t->memcgs);
}
