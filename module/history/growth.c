// SPDX-License-Identifier: GPL-2.0
/*
 * What grew before an OOM: lines that an event gets, of the last minute and of the
 * last ten. What a task had then is known by marks: three of each span, half a span
 * apart, so that the oldest is one span old, or up to a half more.
 */
#include "../event/event.h"
#include "internal.h"

/* Tasks of each span. */
#define TOLD	5
/* A kind of memory is told of if it grew by 1/KIND_PART of RAM. */
#define KIND_PART	20

/* For the paths of cgroups, of which there may be 100,000. */
#define FIND_NS	(2 * NSEC_PER_MSEC)

/* Pauses in which the end of the sampler's walk is waited for; then no growth is told. */
#define TRIES	40

/* One task of the lists of those that grew most. */
struct grown {
	u64 key;
	u64 memcg;
	u64 over_ns;
	u32 from;
	u32 to;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	int fact;			/* in the event, -1: it is not */
};

/* Scratch for the growth lines of one event; under oomlens_tables_lock. */
static struct grown_list {
	struct grown tasks[TOLD];
	unsigned int n;
} lists[OOMLENS_SPANS];
static char line[OOMLENS_ADDED_MAX];
static char path[OOMLENS_NAME_MAX], escaped[4 * OOMLENS_NAME_MAX + 1];

static void list_add_grown(struct grown_list *list, const struct grown *g)
{
	struct grown *tasks = list->tasks;
	unsigned int i;

	if (g->to <= g->from)
		return;
	for (i = 0; i < list->n; i++)
		if (tasks[i].key == g->key)
			return;
	if (list->n == TOLD && tasks[TOLD - 1].to - tasks[TOLD - 1].from >= g->to - g->from)
		return;
	if (list->n < TOLD)
		list->n++;
	for (i = list->n - 1; i && tasks[i - 1].to - tasks[i - 1].from < g->to - g->from; i--)
		tasks[i] = tasks[i - 1];
	tasks[i] = *g;
}

/* The oldest mark at which it is known what the task had; -1. */
static int oldest_mark(const struct oomlens_history *h, const u32 *pages, unsigned int span)
{
	int i;

	for (i = OOMLENS_MARKS - 1; i >= 0; i--)
		if (h->marks[span][i].time_ns && (!pages || pages[i] != OOMLENS_UNKNOWN))
			return i;
	return -1;
}

/* Of a task in the event: as it was then. */
static void add_fact(const struct oomlens_history *h, const struct oomlens_facts *facts,
		     const struct oomlens_facts_task *task, int i, unsigned int span)
{
	u64 key = oomlens_task_key(task->start_ns, task->pid);
	const struct oomlens_tracked *e = oomlens_table_find(&h->tables[OOMLENS_TASKS], key);
	struct grown g = { .key = key, .pid = task->pid, .fact = i };
	int mark = oldest_mark(h, e ? e->marks[span] : NULL, span);

	/* Not seen in a sample, and yet there then: it was one of many small ones. */
	if (mark < 0 || (!e && task->start_ns < h->last_ns))
		return;
	g.from = e ? e->marks[span][mark] : 0;
	g.to = min_t(unsigned long, task->pages, S32_MAX);
	g.over_ns = facts->time_ns - min(facts->time_ns, h->marks[span][mark].time_ns);
	memcpy(g.comm, task->comm, sizeof(g.comm));
	list_add_grown(&lists[span], &g);
}

static void add_tracked(const struct oomlens_history *h, const struct oomlens_facts *facts,
			const struct oomlens_tracked *e, unsigned int span)
{
	struct grown g = { .key = e->key, .memcg = e->memcg, .pid = e->pid, .fact = -1 };
	int mark = oldest_mark(h, e->marks[span], span);

	if (mark < 0)
		return;
	g.from = e->marks[span][mark];
	g.to = e->now;
	g.over_ns = facts->time_ns - min(facts->time_ns, h->marks[span][mark].time_ns);
	memcpy(g.comm, e->comm, sizeof(g.comm));
	list_add_grown(&lists[span], &g);
}

static void list_tasks(const struct oomlens_history *h, const struct oomlens_facts *facts,
		       unsigned int span)
{
	const struct oomlens_table *t = &h->tables[OOMLENS_TASKS];
	struct oomlens_facts_task task;
	unsigned int i;

	/* These first: of one key the first stays. */
	for (i = 0; oomlens_facts_task(facts, i, &task); i++)
		add_fact(h, facts, &task, i, span);
	for (i = 0; i < oomlens_table_entries(t); i++)
		if (t->entries[i].key)
			add_tracked(h, facts, &t->entries[i], span);
}

static size_t put_head(const struct oomlens_facts *facts, u64 over_ns)
{
	u64 ms = div_u64(over_ns + NSEC_PER_MSEC / 2, NSEC_PER_MSEC);
	u32 rest;
	size_t n;

	ms = div_u64_rem(ms, MSEC_PER_SEC, &rest);
	n = scnprintf(line, sizeof(line), "growth %lu over_s=%llu", facts->number, ms);
	if (rest)
		n += scnprintf(line + n, sizeof(line) - n, ".%03u", rest);
	return n;
}

static void tell_task(struct oomlens_history *h, const struct oomlens_facts *facts,
		      const struct grown *g)
{
	size_t n = put_head(facts, g->over_ns);
	char comm[4 * TASK_COMM_LEN + 1];

	if (g->fact >= 0)
		oomlens_facts_path(facts, g->fact, path, sizeof(path));
	else
		oomlens_names_copy(h->names, g->memcg, path, sizeof(path));
	*oomlens_escape(escaped, path) = '\0';
	*oomlens_escape(comm, g->comm) = '\0';
	scnprintf(line + n, sizeof(line) - n, " pid=%d comm=%s memcg=%s from=%u to=%u",
		  g->pid, comm, escaped, g->from, g->to);
	oomlens_event_add(facts->number, line);
}

/* Kinds of memory that belong to no process. */
static const struct {
	enum oomlens_figure figure;
	const char *name;
} kinds[] = {
	{ OOMLENS_UNACCOUNTED,		"unaccounted" },
	{ OOMLENS_SHMEM,		"shmem" },
	{ OOMLENS_SLAB_UNRECLAIMABLE,	"slab_unreclaimable" },
	{ OOMLENS_PAGE_CACHE,		"page_cache" },
};

static void tell_kinds(struct oomlens_history *h, const struct oomlens_facts *facts,
		       unsigned int span, const long *now)
{
	const struct oomlens_mark *mark;
	unsigned int i;
	long from, to;
	size_t n;

	mark = &h->marks[span][oldest_mark(h, NULL, span)];
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		from = mark->figures[kinds[i].figure];
		to = now[kinds[i].figure];
		if (from == OOMLENS_FIGURE_UNKNOWN || to == OOMLENS_FIGURE_UNKNOWN ||
		    to - from < (long)(facts->memory->ram / KIND_PART))
			continue;
		n = put_head(facts, facts->time_ns - min(facts->time_ns, mark->time_ns));
		scnprintf(line + n, sizeof(line) - n, " what=%s from=%ld to=%ld",
			  kinds[i].name, from, to);
		oomlens_event_add(facts->number, line);
	}
}

/* Paths of the tasks that the event does not have. */
static void find_paths(struct oomlens_history *h)
{
	struct oomlens_wanted wanted = { .names = h->names, .tick = h->tick };
	unsigned int span, i;

	for (span = 0; span < OOMLENS_SPANS; span++)
		for (i = 0; i < lists[span].n; i++)
			if (lists[span].tasks[i].fact < 0)
				oomlens_names_want(&wanted, lists[span].tasks[i].memcg);
	oomlens_names_find(&wanted, ktime_get_ns() + FIND_NS);
}

/* Loaded for less than the longer span: its oldest mark is that of the minute. */
static bool is_told(const struct oomlens_history *h, unsigned int span)
{
	int mark = oldest_mark(h, NULL, span);

	return mark >= 0 && (!span || h->marks[span][mark].time_ns <
				      h->marks[0][oldest_mark(h, NULL, 0)].time_ns);
}

static void tell(struct oomlens_history *h, const struct oomlens_facts *facts)
{
	long now[OOMLENS_NR_FIGURES];
	unsigned int span, i;

	oomlens_figures_read(h, now);
	for (span = 0; span < OOMLENS_SPANS; span++) {
		lists[span].n = 0;
		if (is_told(h, span))
			list_tasks(h, facts, span);
	}
	find_paths(h);
	for (span = 0; span < OOMLENS_SPANS; span++) {
		for (i = 0; i < lists[span].n; i++)
			tell_task(h, facts, &lists[span].tasks[i]);
		if (is_told(h, span))
			tell_kinds(h, facts, span, now);
	}
}

static bool try_tables(void)
{
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		if (mutex_trylock(&oomlens_tables_lock))
			return true;
		oomlens_kill_pause();
	}
	return false;
}

static void killed(const struct oomlens_facts *facts)
{
	struct oomlens_history *h = oomlens_history_hold();

	if (facts->global)
		oomlens_stalls_killed();
	if (h && try_tables()) {
		tell(h, facts);
		mutex_unlock(&oomlens_tables_lock);
	}
	oomlens_history_unhold();
}

static struct oomlens_kill_listener listener = { .killed = killed };

/**
 * oomlens_history_register() - have events get their growth lines
 *
 * Context: module load, before events come.
 */
void __init oomlens_history_register(void)
{
	oomlens_kill_register(&listener);
}
