// SPDX-License-Identifier: GPL-2.0
/*
 * The figures of an event, read in the OOM path: the machine's memory, its
 * zones, the cgroup whose limit was hit, the victims. All by reading counters,
 * without a lock.
 */
#include <linux/mman.h>
#include <linux/swap.h>

#include "internal.h"

/* ---- Memory, zones, the limit ---- */

static unsigned long global_lru(enum lru_list lru)
{
	return global_node_page_state(NR_LRU_BASE + lru);
}

static void capture_memory(struct oomlens_memory_record *m)
{
	struct oomlens_sysvalues v;

	oomlens_sysvalues_cached(&v);
	m->free = global_zone_page_state(NR_FREE_PAGES);
	m->available = max(si_mem_available(), 0L);
	m->anon = global_node_page_state(NR_ANON_MAPPED);
	m->file = global_lru(LRU_ACTIVE_FILE) + global_lru(LRU_INACTIVE_FILE);
	m->shmem = global_node_page_state(NR_SHMEM);
	m->slab_reclaimable = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
	m->slab_unreclaimable = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	m->kernel_stack = global_node_page_state(NR_KERNEL_STACK_KB) >> (PAGE_SHIFT - 10);
	m->pagetables = oomlens_pagetable_pages();
	m->unevictable = global_lru(LRU_UNEVICTABLE);
	m->mlocked = global_zone_page_state(NR_MLOCK);
	m->ram = v.totalram;
	m->swap_total = v.total_swap;
	m->swap_free = v.swap_free;
	m->committed = oomlens_lockdep_would_complain() ? v.committed : vm_memory_committed();
	m->commit_limit = v.commit_limit;
}

static unsigned long zone_lru(struct zone *zone, enum lru_list lru)
{
	return zone_page_state(zone, NR_ZONE_LRU_BASE + lru);
}

static void capture_zone(struct oomlens_zone_record *r, struct zone *zone)
{
	r->node = zone_to_nid(zone);
	r->index = zone_idx(zone);
	r->free = zone_page_state(zone, NR_FREE_PAGES);
	r->free_cma = zone_page_state(zone, NR_FREE_CMA_PAGES);
	r->highatomic = oomlens_zone_highatomic(zone);
	r->min = min_wmark_pages(zone);
	r->low = low_wmark_pages(zone);
	r->high = high_wmark_pages(zone);
	r->managed = zone_managed_pages(zone);
	r->anon = zone_lru(zone, LRU_ACTIVE_ANON) + zone_lru(zone, LRU_INACTIVE_ANON);
	r->file = zone_lru(zone, LRU_ACTIVE_FILE) + zone_lru(zone, LRU_INACTIVE_FILE);
	r->unevictable = zone_lru(zone, LRU_UNEVICTABLE);
	r->mlocked = zone_page_state(zone, NR_MLOCK);
}

/* Open-coded: first_online_pgdat() and next_zone() are not exported. */
static struct zone *next_populated_zone(int *nid, int *index)
{
	for (; *nid < MAX_NUMNODES; *nid = next_online_node(*nid), *index = 0)
		while (*index < MAX_NR_ZONES) {
			struct zone *zone = &NODE_DATA(*nid)->node_zones[(*index)++];

			if (populated_zone(zone))
				return zone;
		}
	return NULL;
}

/* Memory hotplug as a rule fills one zone that was empty: Movable. 96 bytes of each event. */
#define SPARE_ZONES	IS_ENABLED(CONFIG_MEMORY_HOTPLUG)

/**
 * oomlens_count_zones() - zones that an event is to have room for
 *
 * Context: module load.
 * Return: how many: those that are populated, and SPARE_ZONES.
 */
unsigned int oomlens_count_zones(void)
{
	int nid = first_online_node, index = 0;
	unsigned int n = 0;

	while (next_populated_zone(&nid, &index))
		n++;
	return min(n + SPARE_ZONES, 255U);
}

static void capture_zones(struct oomlens_event *e)
{
	struct oomlens_zone_record *r = oomlens_event_zones(e);
	int nid = first_online_node, index = 0;
	struct zone *zone;

	while (e->nr_zones < oomlens_ring_zones()) {
		zone = next_populated_zone(&nid, &index);
		if (!zone)
			break;
		capture_zone(r++, zone);
		e->nr_zones++;
	}
}

#ifdef CONFIG_MEMCG
static void capture_limit(struct oomlens_event *e, struct mem_cgroup *memcg)
{
	struct oomlens_memcg_record *r = &e->memcg;
	struct page_counter *swap;

	r->v2 = cgroup_subsys_on_dfl(memory_cgrp_subsys);
	r->usage = page_counter_read(&memcg->memory);
	r->limit = READ_ONCE(memcg->memory.max);
	swap = r->v2 ? &memcg->swap : &memcg->memsw;
	r->swap = page_counter_read(swap);
	r->swap_limit = READ_ONCE(swap->max);
	e->limit_id = oomlens_memcg_serial(memcg);
	rcu_read_lock();
	e->limit_memcg = oomlens_event_memcg(e, memcg);
	rcu_read_unlock();
}
#else
static void capture_limit(struct oomlens_event *e, struct mem_cgroup *memcg)
{
}
#endif

/**
 * oomlens_capture_entry() - what is read when out_of_memory() is entered
 * @e: just opened
 * @oc: the kernel's, or NULL if it is not known
 *
 * Context: OOM path; preemption may be off.
 */
void oomlens_capture_entry(struct oomlens_event *e, const struct oom_control *oc)
{
	capture_memory(&e->memory);
	capture_zones(e);
	if (oc && oc->memcg)
		capture_limit(e, oc->memcg);
}

/* The nodes that the OOM was confined to, those of the first 64. */
static u64 constraint_nodes(const struct oom_control *oc)
{
	u64 nodes = 0;
#ifdef CONFIG_NUMA
	const nodemask_t *mask = NULL;
	int nid;

	if (oc->constraint == CONSTRAINT_MEMORY_POLICY)
		mask = oc->nodemask;
#ifdef CONFIG_CPUSETS
	if (oc->constraint == CONSTRAINT_CPUSET)
		mask = &current->mems_allowed;
#endif
	if (mask)
		for_each_node_mask(nid, *mask)
			if (nid < 64)
				nodes |= 1ULL << nid;
#endif
	return nodes;
}

/**
 * oomlens_capture_result() - what the kernel has worked out since the entry
 * @e: being written
 * @oc: the kernel's, with totalpages
 *
 * Context: OOM path, or a panic in it.
 */
void oomlens_capture_result(struct oomlens_event *e, const struct oom_control *oc)
{
	e->totalpages = oc->totalpages;
	e->totalpages_known = true;
	e->constraint = oc->constraint;
	if (e->kind == OOMLENS_KIND_GLOBAL && oc->constraint == CONSTRAINT_CPUSET)
		e->kind = OOMLENS_KIND_CPUSET;
	if (e->kind == OOMLENS_KIND_GLOBAL && oc->constraint == CONSTRAINT_MEMORY_POLICY)
		e->kind = OOMLENS_KIND_MEMPOLICY;
	e->nodes = constraint_nodes(oc);
}

/* ---- Tasks ---- */

/**
 * oomlens_capture_task() - a task's figures into its record
 * @r: all but memcg, tid, start_ns and killed are written
 * @task: its figures
 *
 * Context: OOM path.
 */
void oomlens_capture_task(struct oomlens_task_record *r, const struct oomlens_task *task)
{
	r->pid = task->pid;
	r->uid = task->uid;
	r->threads = task->threads;
	r->terms = task->terms;
	r->locked = task->locked;
	r->vm_total = task->vm_total;
	r->adj = task->adj;
	r->verdict = task->verdict;
	r->killable = task->killable;
	memcpy(r->comm, task->comm, sizeof(r->comm));
}

/* Thread groups that the event being written has counted; addresses, to compare. */
static const struct signal_struct *marked[64];

/*
 * The kernel marks threads, so one victim can be marked more than once: each of its
 * threads that asks for memory while it exits is marked. In a group kill the kernel's
 * walk can meet a process twice, if its leader exits meanwhile. Only sysrq kills a
 * victim again.
 */
static bool is_marked_again(const struct oomlens_event *e, struct task_struct *victim,
			    bool killed)
{
	unsigned int i;

	for (i = 0; i < min_t(unsigned int, e->nr_marked, ARRAY_SIZE(marked)); i++)
		if (marked[i] == victim->signal)
			return true;
	if (e->nr_marked >= ARRAY_SIZE(marked) && !thread_group_leader(victim))
		return true;
	return !killed && oomlens_victims_follow(victim);
}

/**
 * oomlens_capture_victim() - a task was marked
 * @e: being written
 * @victim: the thread; its mm is stable, by task_lock() or as current
 * @killed: it got SIGKILL, not merely access to the reserves
 *
 * Context: OOM path; preemption may be off.
 */
void oomlens_capture_victim(struct oomlens_event *e, struct task_struct *victim,
			    bool killed)
{
	struct oomlens_task task = { };
	struct oomlens_task_record *r;

	if (is_marked_again(e, victim, killed))
		return;
	if (e->nr_marked < ARRAY_SIZE(marked))
		marked[e->nr_marked] = victim->signal;
	e->nr_marked++;
	if (killed)
		oomlens_counter_add(OOMLENS_KILLS, 1);
	if (e->nr_victims == OOMLENS_VICTIMS)
		return;
	r = &e->victims[e->nr_victims];
	oomlens_task_read_mm(victim->mm, &task);
	task.pid = task_tgid_nr(victim);
	task.threads = get_nr_threads(victim);
	task.adj = victim->signal->oom_score_adj;
	memcpy(task.comm, victim->comm, sizeof(task.comm));
	rcu_read_lock();
	task.uid = from_kuid(&init_user_ns, task_uid(victim));
	r->start_ns = victim->group_leader->start_time;
	r->memcg = oomlens_event_memcg(e, oomlens_memcg_of(victim));
	rcu_read_unlock();
	task.killable = true;
	oomlens_capture_task(r, &task);
	r->tid = task_pid_nr(victim);
	r->killed = killed;
	oomlens_victims_add(victim, e->number, e->nr_victims);
	e->nr_victims++;
}
