// SPDX-License-Identifier: GPL-2.0
/*
 * The scope of an OOM, by which the kernel decides what memory it draws on and
 * which tasks it may take: the whole machine, a memory cgroup, or NUMA nodes.
 */
#include <linux/cpuset.h>
#include <linux/string_helpers.h>

#include "kernel.h"

#ifdef CONFIG_NUMA
/*
 * Only a bound policy keeps a task out. Source: mm/mempolicy.c,
 * mempolicy_in_oom_domain(); before 5.14 an interleaved one did too.
 */
static bool mempolicy_meets(struct task_struct *t, const nodemask_t *nodes, bool wait)
{
	struct mempolicy *pol;
	bool meets = true;

	if (wait)
		task_lock(t);
	else if (!spin_trylock(&t->alloc_lock))
		return true;
	pol = t->mempolicy;
	if (pol && oomlens_mempolicy_confines(pol))
		meets = nodes_intersects(*oomlens_mempolicy_nodes(pol), *nodes);
	task_unlock(t);
	return meets;
}

static bool cpuset_meets(struct task_struct *t, const nodemask_t *nodes)
{
#ifdef CONFIG_CPUSETS
	return nodes_intersects(t->mems_allowed, *nodes);
#else
	return true;
#endif
}

/* Any thread will do. Source: mm/oom_kill.c, oom_cpuset_eligible(). */
static bool nodes_meet(struct task_struct *p, const struct oomlens_scope *scope, bool wait)
{
	unsigned int left = OOMLENS_THREADS_ATOMIC;
	struct task_struct *t;

	for_each_thread(p, t)
		if ((!wait && !left--) ||
		    (scope->kind == OOMLENS_SCOPE_CPUSET ?
		     cpuset_meets(t, &scope->nodes) :
		     mempolicy_meets(t, &scope->nodes, wait)))
			return true;
	return false;
}

#else
static bool nodes_meet(struct task_struct *p, const struct oomlens_scope *scope, bool wait)
{
	return true;
}
#endif /* CONFIG_NUMA */

static unsigned long nodes_present_pages(const nodemask_t *nodes)
{
	unsigned long pages = 0;
	int nid;

	for_each_node_mask(nid, *nodes)
		if (node_online(nid))
			pages += node_present_pages(nid);
	return pages;
}

/**
 * oomlens_scope_totalpages() - pages that an OOM of a scope may draw on
 * @scope: a memcg is held by the caller
 * @v: the machine's totals
 *
 * Source: mm/oom_kill.c, constrained_alloc().
 *
 * Context: any.
 * Return: pages.
 */
unsigned long oomlens_scope_totalpages(const struct oomlens_scope *scope,
				       const struct oomlens_sysvalues *v)
{
	switch (scope->kind) {
	case OOMLENS_SCOPE_MEMCG:
		return oomlens_memcg_totalpages(scope->memcg, v);
	case OOMLENS_SCOPE_CPUSET:
	case OOMLENS_SCOPE_MEMPOLICY:
		return v->total_swap + nodes_present_pages(&scope->nodes);
	case OOMLENS_SCOPE_GLOBAL:
		break;
	}
	return v->totalram + v->total_swap;
}

/**
 * oomlens_scope_has() - may an OOM of a scope take a thread group?
 * @scope: a memcg is held by the caller
 * @p: the group's leader
 * @wait: may task_lock() be waited for? if not, a doubt counts as yes
 *
 * Context: rcu_read_lock() held; otherwise as oomlens_task_read().
 */
bool oomlens_scope_has(const struct oomlens_scope *scope, struct task_struct *p, bool wait)
{
	switch (scope->kind) {
	case OOMLENS_SCOPE_MEMCG:
		return oomlens_memcg_within(oomlens_memcg_of(p), scope->memcg);
	case OOMLENS_SCOPE_CPUSET:
	case OOMLENS_SCOPE_MEMPOLICY:
		return nodes_meet(p, scope, wait);
	case OOMLENS_SCOPE_GLOBAL:
		break;
	}
	return true;
}

/**
 * oomlens_scope_visits() - does the kernel's walk come to a thread group of a scope?
 * @scope: the scope
 * @p: the group's leader, on the task list
 *
 * The walk over a cgroup's tasks leaves out a group at its end.
 *
 * Context: any; rcu_read_lock() held, or a reference to @p.
 */
bool oomlens_scope_visits(const struct oomlens_scope *scope, struct task_struct *p)
{
	return scope->kind != OOMLENS_SCOPE_MEMCG || atomic_read(&p->signal->live) ||
	       !oomlens_cgroup_left(p);
}

/**
 * oomlens_scope_verdict() - amend a task's verdict by the scope
 * @scope: the scope
 * @p: the group's leader
 * @task: its figures
 * @has: what oomlens_scope_has() says of @p
 *
 * The kernel asks for the scope after init and kernel threads, before all
 * else. Source: mm/oom_kill.c, oom_evaluate_task().
 *
 * Context: as oomlens_scope_has().
 */
void oomlens_scope_verdict(const struct oomlens_scope *scope, struct task_struct *p,
			   struct oomlens_task *task, bool has)
{
	if (task->verdict == OOMLENS_VERDICT_INIT)
		return;
	if (!has)
		task->verdict = OOMLENS_VERDICT_SCOPE;
	else if (!oomlens_scope_visits(scope, p))
		task->verdict = OOMLENS_VERDICT_EXITING;
}

/* ---- As a user writes and reads them ---- */

static int parse_global(struct oomlens_scope *scope, char *rest)
{
	return *rest ? -EINVAL : 0;
}

static int parse_memcg(struct oomlens_scope *scope, char *rest)
{
	struct mem_cgroup *memcg;
	size_t len;
	char *path;

	/* As it is printed, so that a path can be copied from the table. */
	len = string_unescape_inplace(rest, UNESCAPE_OCTAL);
	/* An escaped NUL would make it the path of another cgroup. */
	if (len != strlen(rest))
		return -EINVAL;
	while (len > 1 && rest[len - 1] == '/')
		rest[--len] = '\0';
	memcg = oomlens_memcg_find(rest);
	if (IS_ERR(memcg))
		return PTR_ERR(memcg);
	oomlens_memcg_put(memcg);
	path = kstrdup(rest, OOMLENS_GFP);
	if (!path)
		return -ENOMEM;
	kfree(scope->path);
	scope->path = path;
	return 0;
}

static int parse_nodes(struct oomlens_scope *scope, char *rest)
{
	nodemask_t nodes;

	if (num_node_state(N_MEMORY) < 2)
		return -EOPNOTSUPP;
	if (!*rest || nodelist_parse(rest, nodes) || nodes_empty(nodes) ||
	    !nodes_subset(nodes, node_states[N_MEMORY]))
		return -EINVAL;
	scope->nodes = nodes;
	return 0;
}

/* A new scope is one row. */
static const struct {
	const char *word;
	int (*parse)(struct oomlens_scope *scope, char *rest);
} scopes[] = {
	[OOMLENS_SCOPE_GLOBAL]		= { "global",		parse_global },
	[OOMLENS_SCOPE_MEMCG]		= { "memcg",		parse_memcg },
	[OOMLENS_SCOPE_CPUSET]		= { "nodes",		parse_nodes },
	[OOMLENS_SCOPE_MEMPOLICY]	= { "mempolicy",	parse_nodes },
};

/**
 * oomlens_scope_parse() - set a scope from what a user wrote
 * @scope: unchanged on error; begins zeroed, which is the global scope
 * @line: a word and its argument; is written to
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL for what is not a scope; -ENOENT for a cgroup that is not
 * there; -EOPNOTSUPP where this kernel or machine has no such scope; -ENOMEM.
 */
int oomlens_scope_parse(struct oomlens_scope *scope, char *line)
{
	char *rest = line + strcspn(line, " ");
	int err, i;

	if (*rest) {
		*rest++ = '\0';
		rest = skip_spaces(rest);
	}
	for (i = 0; i < ARRAY_SIZE(scopes); i++) {
		if (strcmp(line, scopes[i].word))
			continue;
		err = scopes[i].parse(scope, rest);
		if (!err)
			scope->kind = i;
		return err;
	}
	return -EINVAL;
}

/**
 * oomlens_scope_hold() - find the scope's cgroup again and hold it
 * @scope: the scope
 *
 * A scope keeps the path only, so that an open file does not keep a removed
 * cgroup alive. Every hold needs its oomlens_scope_unhold().
 *
 * Context: process context, may sleep.
 * Return: 0, or why oomlens_memcg_find() did not find it any more.
 */
int oomlens_scope_hold(struct oomlens_scope *scope)
{
	struct mem_cgroup *memcg;

	if (scope->kind != OOMLENS_SCOPE_MEMCG)
		return 0;
	memcg = oomlens_memcg_find(scope->path);
	if (IS_ERR(memcg))
		return PTR_ERR(memcg);
	scope->memcg = memcg;
	return 0;
}

/**
 * oomlens_scope_unhold() - drop the scope's cgroup
 * @scope: the scope
 *
 * Context: any.
 */
void oomlens_scope_unhold(struct oomlens_scope *scope)
{
	oomlens_memcg_put(scope->memcg);
	scope->memcg = NULL;
}

/**
 * oomlens_scope_free() - free what a parsed scope owns
 * @scope: the scope, not held
 *
 * Context: process context, may sleep.
 */
void oomlens_scope_free(struct oomlens_scope *scope)
{
	kfree(scope->path);
	scope->path = NULL;
}

/**
 * oomlens_scope_show() - print a scope as one token
 * @m: where to
 * @scope: the scope
 *
 * Context: process context.
 */
void oomlens_scope_show(struct seq_file *m, const struct oomlens_scope *scope)
{
	seq_puts(m, scopes[scope->kind].word);
	if (scope->kind == OOMLENS_SCOPE_GLOBAL)
		return;
	seq_putc(m, ':');
	if (scope->kind == OOMLENS_SCOPE_MEMCG)
		oomlens_puts_escaped(m, scope->path);
	else
		seq_printf(m, "%*pbl", nodemask_pr_args(&scope->nodes));
}
