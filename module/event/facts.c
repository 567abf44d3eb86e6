// SPDX-License-Identifier: GPL-2.0
/*
 * What the groups above are told of an event that killed, once it is complete and
 * before readers may have it.
 */
#include "internal.h"

static struct oomlens_kill_listener *listeners;

/**
 * oomlens_kill_register() - be told of each event that killed
 * @listener: stays until the module goes
 *
 * Context: module load, before oomlens_event_init(): the kthread reads the list
 * without a lock.
 */
void __init oomlens_kill_register(struct oomlens_kill_listener *listener)
{
	listener->next = listeners;
	listeners = listener;
}

/**
 * oomlens_facts_tell() - tell the listeners of an event
 * @number: its paths are resolved
 * @copy: room for it
 *
 * Context: the kthread.
 */
void oomlens_facts_tell(unsigned long number, const struct oomlens_copy *copy)
{
	const struct oomlens_kill_listener *listener;
	const struct oomlens_event *e = copy->event;
	struct oomlens_facts facts = { .number = number, .copy = copy };

	if (!listeners || !oomlens_event_copy(number, copy->event, copy->finish) ||
	    e->outcome != OOMLENS_OUTCOME_KILLED)
		return;
	facts.time_ns = e->time_ns;
	facts.global = e->kind != OOMLENS_KIND_MEMCG;
	facts.memory = &e->memory;
	for (listener = listeners; listener; listener = listener->next)
		listener->killed(&facts);
}

static const struct oomlens_task_record *record_of(const struct oomlens_facts *facts,
						   unsigned int i)
{
	const struct oomlens_event *e = facts->copy->event;

	if (i < e->nr_victims)
		return &e->victims[i];
	i -= e->nr_victims;
	return i < e->nr_candidates ? &oomlens_event_candidates(e)[i] : NULL;
}

/**
 * oomlens_facts_task() - a task of the event
 * @facts: as given to the listener
 * @i: from 0
 * @task: filled in
 *
 * Context: a kill listener's killed().
 * Return: false if there are no more.
 */
bool oomlens_facts_task(const struct oomlens_facts *facts, unsigned int i,
			struct oomlens_facts_task *task)
{
	const struct oomlens_task_record *r = record_of(facts, i);

	if (!r)
		return false;
	task->pid = r->pid;
	task->start_ns = r->start_ns;
	task->pages = oomlens_points(&r->terms, 0);
	memcpy(task->comm, r->comm, sizeof(task->comm));
	return true;
}

/**
 * oomlens_facts_path() - the path of a task's cgroup, "-" if it is not known
 * @facts: as given to the listener
 * @i: as for oomlens_facts_task(), which returned true
 * @buf: where to
 * @size: of it, in bytes; a longer path is cut
 *
 * Context: a kill listener's killed().
 */
void oomlens_facts_path(const struct oomlens_facts *facts, unsigned int i, char *buf, size_t size)
{
	const struct oomlens_task_record *r = record_of(facts, i);
	const struct oomlens_finish *f = facts->copy->finish;
	bool known = r->memcg && f->number == facts->number;

	oomlens_path_copy(known ? f->paths[r->memcg - 1] : 0, buf, size);
}
