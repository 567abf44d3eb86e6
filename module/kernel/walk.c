// SPDX-License-Identifier: GPL-2.0
/*
 * The walk over all thread groups in the order in which the OOM killer visits
 * them, without holding RCU for all of it.
 */
#include "kernel.h"

/*
 * The walk drops RCU every WALK_CHUNK tasks and holds the task at which it
 * pauses by a reference, its anchor. If that task dies in the pause, the walk
 * goes on from an older anchor. If all anchors died, it begins anew.
 */
#define WALK_ANCHORS	8
#define WALK_RESTARTS	16

struct anchor {
	struct task_struct *task;
	unsigned int visits;		/* made when the walk stood there */
};

/*
 * May the walk go on from @p? Only while it is on the task list: the pointer
 * to the next one is frozen when it leaves. exec by another thread takes the
 * old leader off the list before it is released, so ask for both. As in
 * kernel/hung_task.c, rcu_lock_break().
 */
static bool on_task_list(struct task_struct *p)
{
	return pid_alive(p) && thread_group_leader(p);
}

static void drop_anchors(struct anchor *anchors, unsigned int *n)
{
	while (*n)
		put_task_struct(anchors[--*n].task);
}

static void push_anchor(struct anchor *anchors, unsigned int *n,
			struct task_struct *p, unsigned int visits)
{
	if (*n == WALK_ANCHORS) {
		put_task_struct(anchors[0].task);
		memmove(anchors, anchors + 1, (WALK_ANCHORS - 1) * sizeof(*anchors));
		--*n;
	}
	get_task_struct(p);
	anchors[*n].task = p;
	anchors[*n].visits = visits;
	++*n;
}

/*
 * RCU has been retaken: the latest anchor that is still on the list, its
 * visits in @visits; NULL if none is.
 */
static struct task_struct *pop_to_live_anchor(struct anchor *anchors,
					      unsigned int *n, unsigned int *visits)
{
	while (*n) {
		struct anchor *a = &anchors[*n - 1];

		*visits = a->visits;
		if (on_task_list(a->task))
			return a->task;
		put_task_struct(a->task);
		--*n;
	}
	*visits = 0;
	return NULL;
}

/**
 * oomlens_walk_tasks() - visit every thread group in the kernel's order
 * @walk: what to do
 *
 * The order is that of for_each_process(), which the OOM killer uses; its
 * tasklist_lock is not exported, and the OOM killer holds RCU too. RCU is dropped
 * every few tasks, so that neither scheduling nor grace periods wait for the
 * whole walk. Tasks that come or go during the walk may or may not be visited.
 *
 * Context: process context, may sleep; the visitor may not.
 * Return: 0, what the visitor or the pause returned, -EINTR on a fatal signal, or -EAGAIN
 * if tasks died under the walk over and over.
 */
int oomlens_walk_tasks(const struct oomlens_walk *walk)
{
	struct anchor anchors[WALK_ANCHORS];
	unsigned int n = 0, visits = 0, left = OOMLENS_WALK_CHUNK, restarts = 0;
	struct task_struct *p = &init_task;
	int err = 0;

	might_sleep();
	if (walk->pause)
		err = walk->pause(walk->arg);
	if (err)
		return err;
	rcu_read_lock();
	while ((p = next_task(p)) != &init_task) {
		err = walk->visit(p, walk->arg);
		if (err)
			break;
		visits++;
		if (--left && !need_resched())
			continue;

		left = OOMLENS_WALK_CHUNK;
		push_anchor(anchors, &n, p, visits);
		rcu_read_unlock();
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
		else if (walk->pause)
			err = walk->pause(walk->arg);
		rcu_read_lock();
		if (err)
			break;
		if (likely(on_task_list(p)))
			continue;

		p = pop_to_live_anchor(anchors, &n, &visits);
		if (!p) {
			if (++restarts > WALK_RESTARTS) {
				err = -EAGAIN;
				break;
			}
			p = &init_task;
		}
		if (walk->rewind)
			walk->rewind(visits, walk->arg);
	}
	rcu_read_unlock();
	drop_anchors(anchors, &n);
	return err;
}
