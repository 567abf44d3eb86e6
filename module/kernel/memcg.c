// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups of both hierarchies: which one a task is in, its path, the total
 * that its OOM is judged against, and which tasks memory.oom.group takes along.
 */
#include <linux/cgroup.h>

#include "kernel.h"

/**
 * oomlens_memcg_enabled() - does this kernel account memory by cgroup?
 *
 * No with CONFIG_MEMCG=n and with cgroup_disable=memory.
 *
 * Context: any.
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
 * Return: NULL if the kernel has none.
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

/* A cgroup below the root, by how many directories: paths are cut there. */
#define DEPTH_MAX	64

/**
 * oomlens_memcg_path_unlocked() - the same for where no lock may be taken
 * @memcg: held, or NULL for "-"
 * @buf: where to
 * @size: of it, in bytes; a longer path is cut
 *
 * kernfs_path() takes kernfs_rename_lock, which a processor may have been stopped
 * with. The names are read by RCU. Without it (before 6.15) a rename frees the old
 * name at once: only cgroup v1 has renames.
 *
 * Context: any.
 */
void oomlens_memcg_path_unlocked(struct mem_cgroup *memcg, char *buf, size_t size)
{
	const struct kernfs_node *nodes[DEPTH_MAX], *kn;
	unsigned int depth = 0;
	size_t n;

	if (!memcg) {
		strscpy(buf, "-", size);
		return;
	}
	rcu_read_lock();
	for (kn = memcg->css.cgroup->kn; oomlens_kernfs_parent(kn) && depth < DEPTH_MAX;
	     kn = oomlens_kernfs_parent(kn))
		nodes[depth++] = kn;
	n = scnprintf(buf, size, depth ? "" : "/");
	while (depth)
		n += scnprintf(buf + n, size - n, "/%s", oomlens_kernfs_name(nodes[--depth]));
	rcu_read_unlock();
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
static bool path_without_memory(const char *path)
{
	struct cgroup *cgrp;
	bool v2;

	rcu_read_lock();
	v2 = on_v2(root_memcg());
	rcu_read_unlock();
	if (!v2)
		return false;
	cgrp = cgroup_get_from_path(path);
	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp) == -ENOTDIR;
	cgroup_put(cgrp);
	return true;
}

/* Cgroups that are looked at between two pauses. */
#define FIND_CHUNK	64

static bool has_path(struct cgroup_subsys_state *css, const char *path, char *buf)
{
	return !oomlens_memcg_path(mem_cgroup_from_css(css), buf, PATH_MAX) && !strcmp(buf, path);
}

static struct mem_cgroup *find_path(const char *path, int level, char *buf)
{
	struct mem_cgroup *found = ERR_PTR(-ENOENT);
	struct cgroup_subsys_state *css;
	unsigned int n = 0;

	rcu_read_lock();
	css_for_each_descendant_pre(css, &root_memcg()->css) {
		/*
		 * The level first, as writing out a path costs the square of its depth.
		 * A removed one stays listed for as long as it has pages.
		 */
		if (css->cgroup->level == level && has_path(css, path, buf) &&
		    css_tryget_online(css)) {
			found = mem_cgroup_from_css(css);
			break;
		}
		/* The walk can go on from a held cgroup only: else the pause is at the next. */
		if (++n % FIND_CHUNK || !css_tryget(css))
			continue;
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
		css_put(css);
		if (fatal_signal_pending(current)) {
			found = ERR_PTR(-EINTR);
			break;
		}
	}
	rcu_read_unlock();
	return found;
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
 * ERR_PTR(-EOPNOTSUPP) without memory cgroups, ERR_PTR(-ENOMEM), or ERR_PTR(-EINTR)
 * on a fatal signal.
 */
struct mem_cgroup *oomlens_memcg_find(const char *path)
{
	struct mem_cgroup *found;
	const char *c;
	int level = 0;
	char *buf;

	if (mem_cgroup_disabled())
		return ERR_PTR(-EOPNOTSUPP);
	if (path[0] != '/' || !strcmp(path, "/"))
		return ERR_PTR(-EINVAL);
	buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	for (c = path; *c; c++)
		level += *c == '/';
	found = find_path(path, level, buf);
	kfree(buf);
	if (found == ERR_PTR(-ENOENT) && path_without_memory(path))
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
 *
 * Context: any.
 * Return: pages, never 0.
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
 * oomlens_memcg_oom_group() - the cgroup that memory.oom.group kills with a victim
 * @memcg: of the victim, alive, or NULL
 * @domain: the cgroup whose limit was hit; NULL for a global OOM
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
		memcg = parent_mem_cgroup(memcg);
	}
	return group;
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

	for (; memcg && memcg->css.parent; memcg = parent_mem_cgroup(memcg)) {
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

	for (; memcg && memcg->css.parent; memcg = parent_mem_cgroup(memcg))
		ooms += atomic_long_read(&memcg->memory_events_local[MEMCG_OOM]);
	return ooms;
}

/**
 * oomlens_memcg_serial() - a number that no other cgroup ever has
 * @memcg: alive, or NULL
 *
 * Context: any.
 * Return: from 1; 0 for NULL.
 */
u64 oomlens_memcg_serial(struct mem_cgroup *memcg)
{
	return memcg ? memcg->css.serial_nr : 0;
}

#ifdef CONFIG_PSI
/* Until it reads the same twice, as 32 bits read it in two halves. */
static u64 read_u64(const u64 *at)
{
	u64 value;

	do {
		value = READ_ONCE(*at);
	} while (value != READ_ONCE(*at));
	return value;
}
#endif

/*
 * Source: kernel/sched/psi.c, psi_avgs_work(): every two seconds while tasks of the
 * cgroup run. A reader of its memory.pressure adds up in between: then the time is that
 * much behind.
 */
static void read_psi(struct mem_cgroup *memcg, struct oomlens_memcg_figures *figures)
{
#ifdef CONFIG_PSI
	struct psi_group *group = oomlens_cgroup_psi(memcg->css.cgroup);

	if (group && on_v2(memcg)) {
		figures->psi_at_ns = read_u64(&group->avg_last_update);
		figures->psi_full_ns = read_u64(&group->total[PSI_AVGS][PSI_MEM_FULL]);
		return;
	}
#endif
	figures->psi_at_ns = 0;
	figures->psi_full_ns = U64_MAX;
}

/**
 * oomlens_memcg_read() - the figures of a cgroup
 * @memcg: alive
 * @figures: filled in
 *
 * Context: any.
 */
void oomlens_memcg_read(struct mem_cgroup *memcg, struct oomlens_memcg_figures *figures)
{
	figures->serial = oomlens_memcg_serial(memcg);
	figures->level = memcg->css.cgroup->level;
	figures->root = !memcg->css.parent;
	figures->usage = page_counter_read(&memcg->memory);
	figures->limit = READ_ONCE(memcg->memory.max);
	figures->kills = atomic_long_read(&memcg->memory_events[MEMCG_OOM_KILL]);
	read_psi(memcg, figures);
}

/* Visits between two pauses of the walk below. */
#define MEMCG_CHUNK	64

/**
 * oomlens_memcg_walk() - visit every cgroup, parents first
 * @visit: called with rcu_read_lock() held; must not sleep; false ends the walk
 * @arg: for it
 * @until_ns: by ktime_get_ns(), when the walk is given up; U64_MAX: never
 *
 * RCU is dropped every MEMCG_CHUNK cgroups, at one that is held: its place in the
 * tree can be gone on from even if it is removed meanwhile, as in mem_cgroup_iter().
 *
 * Context: process context, may sleep.
 */
void oomlens_memcg_walk(bool (*visit)(struct mem_cgroup *memcg, void *arg), void *arg,
			u64 until_ns)
{
	struct cgroup_subsys_state *css;
	unsigned int visits = 0;

	if (mem_cgroup_disabled())
		return;
	rcu_read_lock();
	css_for_each_descendant_pre(css, &root_memcg()->css) {
		if (css->flags & CSS_ONLINE && !visit(mem_cgroup_from_css(css), arg))
			break;
		if (++visits % MEMCG_CHUNK)
			continue;
		if (ktime_get_ns() > until_ns)
			break;
		if (!css_tryget(css))
			continue;
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
		css_put(css);
	}
	rcu_read_unlock();
}
