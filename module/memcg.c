// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups of both hierarchies: whose a task is, its path, the total
 * that its OOM is judged against, and whom memory.oom.group takes along.
 */
#include <linux/cgroup.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/poison.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "oomlens.h"

#ifdef CONFIG_MEMCG

/**
 * oomlens_memcg_enabled() - does this kernel account memory by cgroup?
 *
 * No with CONFIG_MEMCG=n and with cgroup_disable=memory.
 */
bool oomlens_memcg_enabled(void)
{
	return !mem_cgroup_disabled();
}

/**
 * oomlens_memcg_of() - the memory cgroup of a task
 * @p: the task
 *
 * Context: rcu_read_lock() held, which is what keeps the result alive.
 */
struct mem_cgroup *oomlens_memcg_of(struct task_struct *p)
{
	return mem_cgroup_disabled() ? NULL : mem_cgroup_from_task(p);
}

/**
 * oomlens_memcg_within() - is a cgroup in the subtree of another?
 * @memcg: the one, may be NULL
 * @root: the other
 *
 * Context: any; both must be alive.
 */
bool oomlens_memcg_within(struct mem_cgroup *memcg, struct mem_cgroup *root)
{
	return memcg && mem_cgroup_is_descendant(memcg, root);
}

/**
 * oomlens_memcg_tryget() - take a reference
 * @memcg: alive under RCU, or NULL
 *
 * Context: any.
 * Return: false if the cgroup is past its last reference, or NULL.
 */
bool oomlens_memcg_tryget(struct mem_cgroup *memcg)
{
	return memcg && css_tryget(&memcg->css);
}

/**
 * oomlens_memcg_put() - give a reference back
 * @memcg: the cgroup, or NULL
 *
 * Context: any.
 */
void oomlens_memcg_put(struct mem_cgroup *memcg)
{
	if (memcg)
		css_put(&memcg->css);
}

/**
 * oomlens_memcg_path() - the path in its hierarchy, as /proc/PID/cgroup has it
 * @memcg: held, or NULL for "-"
 * @buf: where to
 * @size: of it, in bytes
 *
 * Context: process context: kernfs takes a lock that sleeps on PREEMPT_RT.
 * Return: 0, or -ENAMETOOLONG with the beginning in @buf.
 */
int oomlens_memcg_path(struct mem_cgroup *memcg, char *buf, size_t size)
{
	int n;

	if (!memcg) {
		strscpy(buf, "-", size);
		return 0;
	}
	/* A negative error, or the length it would have had, by release. */
	n = cgroup_path(memcg->css.cgroup, buf, size);
	return n < 0 || n >= size ? -ENAMETOOLONG : 0;
}

static struct mem_cgroup *from_css(struct cgroup_subsys_state *css)
{
	return mem_cgroup_from_css(css);
}

/* The root of the hierarchy: the boot idle task never leaves it. */
static struct mem_cgroup *root_memcg(void)
{
	return mem_cgroup_from_task(&init_task);
}

static bool on_v2(struct mem_cgroup *memcg)
{
	return memcg->css.cgroup->root == &cgrp_dfl_root;
}

/* Is there a cgroup of that path that only lacks the memory controller? */
static bool path_without_memory(const char *path, bool v2)
{
	struct cgroup *cgrp;

	if (!v2)
		return false;
	cgrp = cgroup_get_from_path(path);
	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp) == -ENOTDIR;
	cgroup_put(cgrp);
	return true;
}

/**
 * oomlens_memcg_find() - the memory cgroup of a path
 * @path: absolute in the hierarchy of the memory controller
 *
 * cgroup_get_from_path() knows the unified hierarchy only, and by the caller's
 * cgroup namespace; this serves both hierarchies.
 *
 * Context: process context, may sleep.
 * Return: the cgroup with a reference, ERR_PTR(-ENOENT) if there is none of
 * that path, ERR_PTR(-EINVAL) if it is the root or not a memory cgroup,
 * ERR_PTR(-EOPNOTSUPP) without memory cgroups, or ERR_PTR(-ENOMEM).
 */
struct mem_cgroup *oomlens_memcg_find(const char *path)
{
	struct mem_cgroup *found = ERR_PTR(-ENOENT);
	struct cgroup_subsys_state *css;
	char *buf;
	bool v2;

	if (mem_cgroup_disabled())
		return ERR_PTR(-EOPNOTSUPP);
	if (path[0] != '/' || !strcmp(path, "/"))
		return ERR_PTR(-EINVAL);
	buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	rcu_read_lock();
	v2 = on_v2(root_memcg());
	css_for_each_descendant_pre(css, &root_memcg()->css) {
		if (oomlens_memcg_path(from_css(css), buf, PATH_MAX) ||
		    strcmp(buf, path))
			continue;
		/* A removed one stays listed for as long as it has pages. */
		if (css_tryget_online(css)) {
			found = from_css(css);
			break;
		}
	}
	rcu_read_unlock();
	kfree(buf);
	if (IS_ERR(found) && path_without_memory(path, v2))
		found = ERR_PTR(-EINVAL);
	return found;
}

/**
 * oomlens_memcg_totalpages() - pages that an OOM of a cgroup may draw on
 * @memcg: held
 * @v: total_swap and swappiness are used
 *
 * Source: mm/memcontrol.c, mem_cgroup_get_max(), and constrained_alloc().
 * vm_swappiness is not exported, so mem_cgroup_swappiness() cannot be called.
 */
unsigned long oomlens_memcg_totalpages(struct mem_cgroup *memcg,
				       const struct oomlens_sysvalues *v)
{
	unsigned long max = READ_ONCE(memcg->memory.max);

	if (on_v2(memcg)) {
		if (v->swappiness)
			max += min(READ_ONCE(memcg->swap.max), v->total_swap);
	} else if (oomlens_memcg_v1_swappiness(memcg)) {
		unsigned long excess = READ_ONCE(memcg->memsw.max) - max;

		max += min(excess, v->total_swap);
	}
	return max ?: 1;
}

/**
 * oomlens_memcg_oom_group() - whom memory.oom.group takes along with a victim
 * @memcg: of the victim, alive, or NULL
 * @domain: whose limit was hit; NULL for a global OOM
 *
 * Source: mm/memcontrol.c, mem_cgroup_get_oom_group().
 *
 * Context: rcu_read_lock() held.
 * Return: the highest cgroup up to @domain with oom.group set, or NULL.
 */
struct mem_cgroup *oomlens_memcg_oom_group(struct mem_cgroup *memcg,
					   struct mem_cgroup *domain)
{
	struct mem_cgroup *group = NULL;

	if (!memcg || !on_v2(memcg))
		return NULL;
	if (domain && !mem_cgroup_is_descendant(memcg, domain))
		return NULL;
	while (memcg && memcg->css.parent) {
		if (READ_ONCE(memcg->oom_group))
			group = memcg;
		if (memcg == domain)
			break;
		memcg = from_css(memcg->css.parent);
	}
	return group;
}

/*
 * The walk over a cgroup's tasks in the order of mem_cgroup_scan_tasks():
 * cgroup by cgroup from the top, css_set by css_set, task by task.
 *
 * Neither css_task_iter_start() nor css_set_lock is exported, so the lists are
 * read under RCU alone: tasks and css_sets are freed a grace period after they
 * have left them, but for one list, see dead_leader_by(). A list can change
 * under the walk. Whatever could lead it astray shows: a
 * css_set that was unlinked has poisoned links or another css, a task that
 * moved or began to exit is on another list, whose end is not this one's, and
 * one that is gone points at itself. Then the walk says -EAGAIN. No list has
 * more than steps_left entries.
 */
struct memcg_walk {
	void (*visit)(struct task_struct *p, void *arg);
	void *arg;
	u64 deadline;			/* by ktime_get_mono_fast_ns() */
	unsigned int steps_left;
	bool threads;			/* of a css_set: not all were leaders */
};

/* The clock is read every so many steps, visits or not. */
#define STEPS_PER_LOOK	32

static int count_step(struct memcg_walk *w)
{
	if (!w->steps_left)
		return -EAGAIN;
	if (!(--w->steps_left % STEPS_PER_LOOK) && ktime_get_mono_fast_ns() > w->deadline)
		return -ETIME;
	return 0;
}

/* The next of a list: NULL at its end, or why the walk cannot go on. */
static const struct list_head *walk_step(struct memcg_walk *w, const struct list_head *pos,
					 const struct list_head *head)
{
	const struct list_head *next = READ_ONCE(pos->next);
	int err;

	if (next == head)
		return NULL;
	err = next == pos || next == LIST_POISON1 ? -EAGAIN : count_step(w);
	return err ? ERR_PTR(err) : next;
}

/*
 * The dead leader of the thread group whose first live thread @p is, or NULL: so
 * it is found where dying_tasks cannot be read. Several of a css_set come in the
 * order of these threads, where the kernel has that of their deaths.
 */
static struct task_struct *dead_leader_by(struct task_struct *p)
{
	struct task_struct *leader;

	/* One that is released stays listed up to its last switch, its leader need not. */
	if (thread_group_leader(p) || !pid_alive(p))
		return NULL;
	leader = READ_ONCE(p->group_leader);
	return READ_ONCE(leader->exit_state) && next_thread(leader) == p ? leader : NULL;
}

/* @p, if it is a leader that is not to be found by dead_leader_by(). */
static struct task_struct *leader_at(struct memcg_walk *w, struct task_struct *p)
{
	if (!thread_group_leader(p)) {
		w->threads = true;
		return NULL;
	}
	return OOMLENS_DYING_TASKS_UNDER_RCU || !READ_ONCE(p->exit_state) ? p : NULL;
}

/* @dead: the dead leaders of the list's threads, else the leaders on it */
static int walk_css_set_list(struct memcg_walk *w, const struct list_head *head,
			     const struct css_set *cset, bool dead)
{
	const struct list_head *pos = head;

	while ((pos = walk_step(w, pos, head)) && !IS_ERR(pos)) {
		struct task_struct *p = list_entry(pos, struct task_struct, cg_list);

		if (rcu_access_pointer(p->cgroups) != cset)
			return -EAGAIN;
		p = dead ? dead_leader_by(p) : leader_at(w, p);
		if (!p || ((p->flags & PF_EXITING) && !atomic_read(&p->signal->live)))
			continue;
		w->visit(p, w->arg);
	}
	return PTR_ERR_OR_ZERO(pos);
}

static int walk_css_set(struct memcg_walk *w, const struct css_set *cset)
{
	int err;

	w->threads = false;
	err = walk_css_set_list(w, &cset->tasks, cset, false) ?:
	      walk_css_set_list(w, &cset->mg_tasks, cset, false);
	if (!err && OOMLENS_DYING_TASKS_UNDER_RCU)
		return walk_css_set_list(w, &cset->dying_tasks, cset, false);
	if (err || !w->threads)
		return err;
	return walk_css_set_list(w, &cset->tasks, cset, true) ?:
	       walk_css_set_list(w, &cset->mg_tasks, cset, true);
}

static int walk_css(struct memcg_walk *w, const struct cgroup_subsys_state *css)
{
	const struct list_head *head = &css->cgroup->e_csets[memory_cgrp_id];
	const struct list_head *pos = head;
	int err;

	while ((pos = walk_step(w, pos, head)) && !IS_ERR(pos)) {
		const struct css_set *cset;

		cset = list_entry(pos, struct css_set, e_cset_node[memory_cgrp_id]);
		if (READ_ONCE(cset->subsys[memory_cgrp_id]) != css)
			return -EAGAIN;
		err = walk_css_set(w, cset);
		if (err)
			return err;
	}
	return PTR_ERR_OR_ZERO(pos);
}

/* More than there can be tasks and css_sets: only a loop gets there. */
#define MEMCG_WALK_STEPS	8000000

/**
 * oomlens_memcg_walk() - visit a cgroup's thread groups in the kernel's order
 * @memcg: held
 * @deadline: by ktime_get_mono_fast_ns(), when the walk ends at the latest
 * @visit: called for each group leader; must not sleep
 * @arg: for @visit
 *
 * Source: mm/memcontrol.c, mem_cgroup_scan_tasks(); kernel/cgroup/cgroup.c,
 * css_task_iter_advance().
 *
 * Context: any that may hold rcu_read_lock().
 * Return: 0, -EAGAIN if tasks moved meanwhile, or -ETIME; some were visited
 * then.
 */
int oomlens_memcg_walk(struct mem_cgroup *memcg, u64 deadline,
		       void (*visit)(struct task_struct *p, void *arg), void *arg)
{
	struct memcg_walk w = {
		.visit = visit,
		.arg = arg,
		.deadline = deadline,
		.steps_left = MEMCG_WALK_STEPS,
	};
	struct cgroup_subsys_state *css;
	int err = 0;

	rcu_read_lock();
	css_for_each_descendant_pre(css, &memcg->css) {
		err = count_step(&w) ?: walk_css(&w, css);
		if (err)
			break;
	}
	rcu_read_unlock();
	return err;
}

/* Pages that a counter and its limit leave, ULONG_MAX without a limit. */
static unsigned long counter_room(struct page_counter *counter)
{
	unsigned long max = READ_ONCE(counter->max), usage = page_counter_read(counter);

	if (max >= PAGE_COUNTER_MAX)
		return ULONG_MAX;
	return max - min(max, usage);
}

/**
 * oomlens_memcg_room() - pages that a cgroup can be charged, without reclaim
 * @memcg: held
 *
 * Context: any.
 * Return: the least that it and the cgroups above leave; ULONG_MAX without any
 * limit.
 */
unsigned long oomlens_memcg_room(struct mem_cgroup *memcg)
{
	unsigned long room = ULONG_MAX;

	for (; memcg && memcg->css.parent; memcg = from_css(memcg->css.parent)) {
		room = min(room, counter_room(&memcg->memory));
		if (!on_v2(memcg))
			room = min(room, counter_room(&memcg->memsw));
	}
	return room;
}

/**
 * oomlens_memcg_ooms() - OOMs that a charge to a cgroup has led to
 * @memcg: held
 *
 * Context: any.
 * Return: OOMs so far by the limits of it and of the cgroups above.
 */
unsigned long oomlens_memcg_ooms(struct mem_cgroup *memcg)
{
	unsigned long ooms = 0;

	for (; memcg && memcg->css.parent; memcg = from_css(memcg->css.parent))
		ooms += atomic_long_read(&memcg->memory_events_local[MEMCG_OOM]);
	return ooms;
}

#else /* !CONFIG_MEMCG */

unsigned long oomlens_memcg_room(struct mem_cgroup *memcg)
{
	return ULONG_MAX;
}

unsigned long oomlens_memcg_ooms(struct mem_cgroup *memcg)
{
	return 0;
}

bool oomlens_memcg_enabled(void)
{
	return false;
}

struct mem_cgroup *oomlens_memcg_of(struct task_struct *p)
{
	return NULL;
}

bool oomlens_memcg_within(struct mem_cgroup *memcg, struct mem_cgroup *root)
{
	return false;
}

bool oomlens_memcg_tryget(struct mem_cgroup *memcg)
{
	return false;
}

void oomlens_memcg_put(struct mem_cgroup *memcg)
{
}

int oomlens_memcg_path(struct mem_cgroup *memcg, char *buf, size_t size)
{
	strscpy(buf, "-", size);
	return 0;
}

struct mem_cgroup *oomlens_memcg_find(const char *path)
{
	return ERR_PTR(-EOPNOTSUPP);
}

unsigned long oomlens_memcg_totalpages(struct mem_cgroup *memcg,
				       const struct oomlens_sysvalues *v)
{
	return 1;
}

struct mem_cgroup *oomlens_memcg_oom_group(struct mem_cgroup *memcg,
					   struct mem_cgroup *domain)
{
	return NULL;
}

int oomlens_memcg_walk(struct mem_cgroup *memcg, u64 deadline,
		       void (*visit)(struct task_struct *p, void *arg), void *arg)
{
	return 0;
}

#endif /* CONFIG_MEMCG */
