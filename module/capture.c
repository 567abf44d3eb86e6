// SPDX-License-Identifier: GPL-2.0
/*
 * The figures of an event, read in the OOM path: the machine's memory, its
 * zones, the cgroup whose limit was hit, who is in line, who was marked.
 *
 * All by reading counters. The one lock is the tasks' alloc_lock, as the OOM
 * killer itself takes it, and where preemption is off it is only tried.
 * Everything here runs under the kernel's oom_lock, so the scratch is safe.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "event.h"

/*
 * The longest walk: with preemption off, and where it is on. The kernel's own
 * walk, which comes after, has no limit.
 */
#define WALK_ATOMIC_NS	NSEC_PER_MSEC
#define WALK_NS		(100 * NSEC_PER_MSEC)
/* The clock is read every so many tasks. */
#define WALK_CHUNK	32
/*
 * Under a storm walks take no more than a tenth of the time: after one, there
 * is none for as long as it took, this often.
 */
#define WALK_PAUSES	9

/* The best so far, best first, by their index in samples. */
static struct oomlens_sample *samples;
static struct mem_cgroup **sample_memcgs;	/* alive under the walk's RCU */
static u8 *line;
static unsigned int in_line;
static u64 next_walk_ns;

/*
 * On x86 without ftrace a probe is a breakpoint, and lockdep takes that for an
 * NMI, in which no lock may be taken that is taken elsewhere. There is no
 * danger: the breakpoint is the first byte of out_of_memory().
 */
static bool lockdep_would_complain(void)
{
	return IS_ENABLED(CONFIG_PROVE_LOCKING) && in_nmi();
}

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
	m->totalram = v.totalram;
	m->swap_total = v.total_swap;
	m->swap_free = v.swap_free;
	m->committed = lockdep_would_complain() ? v.committed : vm_memory_committed();
	m->commit_limit = v.commit_limit;
}

static unsigned long zone_lru(struct zone *zone, enum lru_list lru)
{
	return zone_page_state(zone, NR_ZONE_LRU_BASE + lru);
}

static void capture_zone(struct oomlens_zone_record *r, struct zone *zone)
{
	r->name = zone->name;
	r->node = zone_to_nid(zone);
	oomlens_pages_set(&r->free, zone_page_state(zone, NR_FREE_PAGES));
	oomlens_pages_set(&r->free_cma, zone_page_state(zone, NR_FREE_CMA_PAGES));
	oomlens_pages_set(&r->highatomic, oomlens_zone_highatomic(zone));
	oomlens_pages_set(&r->min, min_wmark_pages(zone));
	oomlens_pages_set(&r->low, low_wmark_pages(zone));
	oomlens_pages_set(&r->high, high_wmark_pages(zone));
	oomlens_pages_set(&r->managed, zone_managed_pages(zone));
	oomlens_pages_set(&r->anon, zone_lru(zone, LRU_ACTIVE_ANON) +
			  zone_lru(zone, LRU_INACTIVE_ANON));
	oomlens_pages_set(&r->file, zone_lru(zone, LRU_ACTIVE_FILE) +
			  zone_lru(zone, LRU_INACTIVE_FILE));
	oomlens_pages_set(&r->unevictable, zone_lru(zone, LRU_UNEVICTABLE));
	oomlens_pages_set(&r->mlocked, zone_page_state(zone, NR_MLOCK));
}

/* first_online_pgdat() and next_zone() are not exported; nor is this longer. */
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

/**
 * oomlens_count_zones() - populated zones of the machine
 *
 * Those that memory hotplug adds after load have no room in the events.
 */
unsigned int oomlens_count_zones(void)
{
	int nid = first_online_node, index = 0;
	unsigned int n = 0;

	while (next_populated_zone(&nid, &index))
		n++;
	return min(n, 255U);
}

static void capture_zones(struct oomlens_event *e)
{
	struct oomlens_zone_record *r = oomlens_event_zones(e);
	int nid = first_online_node, index = 0;
	struct zone *zone;

	while (e->nr_zones < oomlens_nr_zones) {
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

/* ---- Candidates ---- */

/*
 * Whom the OOM may take, as the kernel will find; constrained_alloc() has not
 * run yet. A task that shares no node with the caller is passed over even when
 * there is no constraint. Source: mm/oom_kill.c, oom_cpuset_eligible().
 */
static void guess_scope(struct oomlens_scope *scope, const struct oom_control *oc)
{
	scope->kind = OOMLENS_SCOPE_GLOBAL;
	if (!oc)
		return;
	if (oc->memcg) {
		scope->kind = OOMLENS_SCOPE_MEMCG;
		scope->memcg = oc->memcg;
		return;
	}
#ifdef CONFIG_NUMA
	if (oc->nodemask && oc->zonelist && !(oc->gfp_mask & __GFP_THISNODE) &&
	    !nodes_subset(node_states[N_MEMORY], *oc->nodemask)) {
		scope->kind = OOMLENS_SCOPE_MEMPOLICY;
		scope->nodes = *oc->nodemask;
		return;
	}
#ifdef CONFIG_CPUSETS
	if (!nodes_subset(node_states[N_MEMORY], current->mems_allowed)) {
		scope->kind = OOMLENS_SCOPE_CPUSET;
		scope->nodes = current->mems_allowed;
	}
#endif
#endif
}

static bool goes_before(const struct oomlens_sample *a, const struct oomlens_sample *b)
{
	bool ranked = oomlens_sample_ranked(a);

	if (ranked != oomlens_sample_ranked(b))
		return ranked;
	return oomlens_precedes(a->points, a->order, b->points, b->order);
}

/*
 * Puts samples[@n] in line and returns the index of a free one, which is the
 * last of the line if that was full. There is one sample more than places.
 * Most tasks belong behind the line; of equals, each goes before all so far.
 */
static unsigned int get_in_line(unsigned int n)
{
	const struct oomlens_sample *s = &samples[n];
	unsigned int place = 0, end = in_line, free;

	if (in_line == oomlens_candidates && !goes_before(s, &samples[line[end - 1]]))
		return n;
	if (in_line && goes_before(s, &samples[line[0]]))
		end = 0;
	while (place < end) {
		unsigned int middle = (place + end) / 2;

		if (goes_before(s, &samples[line[middle]]))
			end = middle;
		else
			place = middle + 1;
	}
	free = in_line < oomlens_candidates ? in_line + 1 : line[in_line - 1];
	if (in_line < oomlens_candidates)
		in_line++;
	memmove(line + place + 1, line + place, in_line - 1 - place);
	line[place] = n;
	return free;
}

/* Worth a line although it cannot be taken: it tells why it was not. */
static bool worth_telling(const struct oomlens_sample *s)
{
	return oomlens_sample_ranked(s) || s->mm;
}

struct task_walk {
	const struct oomlens_scope *scope;
	unsigned long totalpages;
	u64 deadline;
	unsigned int left;		/* tasks until the clock is read again */
	unsigned int spare;		/* sample that is not in line */
	unsigned int passed;		/* sample of the largest that was passed over */
	bool has_passed;		/* and had no place in the line */
	unsigned int order;
	bool global;			/* nobody is out of the scope */
	bool sysrq;
	bool may_wait;
	bool late;
	bool complete;			/* no one was left out */
};

/* What its end would give back, were it taken. */
static long held_by(const struct oomlens_sample *s)
{
	return oomlens_points(&s->terms, 0);
}

/*
 * samples[w->spare] has just lost its place or got none; if the kernel may not
 * take that task, and it is the largest of these, it is kept beside the line.
 */
static void keep_passed_over(struct task_walk *w)
{
	unsigned int out = w->spare;

	if (oomlens_sample_ranked(&samples[out]) ||
	    (w->has_passed && held_by(&samples[out]) <= held_by(&samples[w->passed])))
		return;
	w->spare = w->passed;
	w->passed = out;
	w->has_passed = true;
}

/*
 * "Why this one, and not the largest?" is asked first of all. Where the line is
 * full of those who may be taken, its last place is for that answer.
 */
static void show_passed_over(const struct task_walk *w)
{
	if (w->has_passed && in_line > 1 &&
	    held_by(&samples[w->passed]) > held_by(&samples[line[0]]))
		line[in_line - 1] = w->passed;
}

static bool is_late(struct task_walk *w)
{
	if (!--w->left) {
		w->left = WALK_CHUNK;
		w->late = w->late || ktime_get_mono_fast_ns() > w->deadline;
	}
	return w->late;
}

static void visit_task(struct task_struct *p, void *arg)
{
	struct task_walk *w = arg;
	struct oomlens_sample *s = &samples[w->spare];
	bool full = in_line == oomlens_candidates;
	unsigned int n;

	if (is_late(w) || (p->flags & PF_KTHREAD))
		return;
	/* Cheap, and in a cgroup's OOM it is no to nearly all. */
	if (!w->global && !oomlens_scope_has(w->scope, p, w->may_wait))
		return;
	if (oomlens_sample_task(p, s, w->may_wait)) {
		w->complete = false;
		return;
	}
	if (!w->global)
		oomlens_scope_verdict(w->scope, p, s, w->may_wait);
	/* sysrq does not wait for earlier victims: it takes them again. */
	if (w->sysrq && s->verdict == OOMLENS_VICTIM && s->killable)
		s->verdict = OOMLENS_ELIGIBLE;
	if (!worth_telling(s))
		return;
	s->order = w->order++;
	s->points = oomlens_points(&s->terms, oomlens_adj_points(s->adj, w->totalpages));
	if (s->verdict == OOMLENS_ORIGIN)
		s->points = LONG_MAX;
	n = w->spare;
	w->spare = get_in_line(n);
	if (w->spare != n || !oomlens_sample_ranked(s))
		sample_memcgs[n] = oomlens_memcg_of(p);
	if (full)
		keep_passed_over(w);
}

static void forget_line(struct task_walk *w)
{
	in_line = 0;
	w->spare = 0;
	w->passed = oomlens_candidates + 1;
	w->has_passed = false;
	w->order = 0;
}

/*
 * In the kernel's order, which is what decides between equals: a cgroup's tasks
 * cgroup by cgroup. Returns false if someone was left out, or if tasks moved
 * between cgroups meanwhile and the order of equals is not known.
 */
static bool walk_tasks(struct task_walk *w)
{
	struct task_struct *p;

	w->deadline = ktime_get_mono_fast_ns() + (w->may_wait ? WALK_NS : WALK_ATOMIC_NS);
	w->left = WALK_CHUNK;
	w->global = w->scope->kind == OOMLENS_SCOPE_GLOBAL;
	w->complete = true;
	forget_line(w);
	if (w->scope->kind == OOMLENS_SCOPE_MEMCG) {
		if (!oomlens_memcg_walk(w->scope->memcg, visit_task, w))
			return w->complete && !w->late;
		w->complete = false;
		forget_line(w);
	}
	for_each_process(p) {
		visit_task(p, w);
		if (w->late)
			return false;
	}
	return w->complete;
}

static void pack(struct oomlens_task_record *r, const struct oomlens_sample *s)
{
	r->pid = s->pid;
	r->uid = s->uid;
	r->threads = s->threads;
	oomlens_pages_set(&r->rss_anon, s->terms.rss_anon);
	oomlens_pages_set(&r->rss_file, s->terms.rss_file);
	oomlens_pages_set(&r->rss_shmem, s->terms.rss_shmem);
	oomlens_pages_set(&r->swap, s->terms.swap);
	oomlens_pages_set(&r->pgtables, s->terms.pgtables);
	oomlens_pages_set(&r->locked, s->locked);
	oomlens_pages_set(&r->vm_total, s->vm_total);
	r->adj = s->adj;
	r->verdict = s->verdict;
	r->killable = s->killable;
	memcpy(r->comm, s->comm, sizeof(r->comm));
}

/* The line becomes the event's, with its cgroups held. */
static void keep_line(struct oomlens_event *e)
{
	struct oomlens_task_record *r = oomlens_event_candidates(e);
	unsigned int i;

	for (i = 0; i < in_line; i++, r++) {
		pack(r, &samples[line[i]]);
		r->memcg = oomlens_event_memcg(e, sample_memcgs[line[i]]);
	}
	e->nr_candidates = in_line;
}

/**
 * oomlens_capture_candidates() - who is in line
 * @e: being written
 * @oc: the kernel's, or NULL if it is not known
 * @may_wait: may task_lock() be waited for?
 *
 * Time: at most WALK_NS, or WALK_ATOMIC_NS where @may_wait is false, and
 * WALK_CHUNK tasks; e->reach tells how far it came.
 *
 * Context: OOM path; with @may_wait false preemption may be off.
 */
void oomlens_capture_candidates(struct oomlens_event *e, const struct oom_control *oc,
				bool may_wait)
{
	struct oomlens_scope scope;
	struct task_walk walk = {
		.scope = &scope,
		.sysrq = oc && oc->order == -1,
		.may_wait = may_wait,
	};
	struct oomlens_sysvalues v;
	u64 begin = ktime_get_mono_fast_ns(), took;
	bool complete;

	if (!oomlens_candidates) {
		e->reach = OOMLENS_REACH_OFF;
		return;
	}
	if (begin < next_walk_ns || lockdep_would_complain()) {
		e->reach = OOMLENS_REACH_LIMITED;
		return;
	}
	oomlens_sysvalues_cached(&v);
	guess_scope(&scope, oc);
	e->totalpages = oomlens_scope_totalpages(&scope, &v);
	walk.totalpages = e->totalpages;
	rcu_read_lock();
	complete = walk_tasks(&walk);
	show_passed_over(&walk);
	keep_line(e);
	rcu_read_unlock();
	e->reach = complete ? OOMLENS_REACH_COMPLETE : OOMLENS_REACH_PARTIAL;
	took = oomlens_elapsed_ns(begin, ktime_get_mono_fast_ns());
	next_walk_ns = begin + took * (1 + WALK_PAUSES);
	oomlens_stat_max(OOMLENS_STAT_WALK_NS_MAX, took);
}

/* ---- Victims ---- */

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
	struct oomlens_sample s = { };
	struct oomlens_task_record *r;
	unsigned int i;

	/* Another thread of a victim can be marked once more. */
	for (i = 0; i < e->nr_victims; i++)
		if (e->victims[i].pid == task_tgid_nr(victim))
			return;
	e->nr_marked++;
	if (killed)
		oomlens_stat_add(OOMLENS_STAT_KILLS, 1);
	if (e->nr_victims == OOMLENS_VICTIMS)
		return;
	r = &e->victims[e->nr_victims];
	oomlens_sample_mm(victim->mm, &s);
	s.pid = task_tgid_nr(victim);
	s.threads = get_nr_threads(victim);
	s.adj = victim->signal->oom_score_adj;
	memcpy(s.comm, victim->comm, sizeof(s.comm));
	rcu_read_lock();
	s.uid = from_kuid(&init_user_ns, task_uid(victim));
	r->memcg = oomlens_event_memcg(e, oomlens_memcg_of(victim));
	rcu_read_unlock();
	s.killable = true;
	pack(r, &s);
	r->killed = killed;
	oomlens_victims_add(victim, e->number, e->nr_victims);
	e->nr_victims++;
}

/**
 * oomlens_capture_init() - take the scratch
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int oomlens_capture_init(void)
{
	/* One that is not in line yet, and one that was passed over */
	unsigned int n = oomlens_candidates + 2;

	samples = kcalloc(n, sizeof(*samples), GFP_KERNEL);
	sample_memcgs = kcalloc(n, sizeof(*sample_memcgs), GFP_KERNEL);
	line = kcalloc(n, sizeof(*line), GFP_KERNEL);
	if (!samples || !sample_memcgs || !line) {
		oomlens_capture_exit();
		return -ENOMEM;
	}
	oomlens_stat_add(OOMLENS_STAT_MEMORY_BYTES,
			 n * (sizeof(*samples) + sizeof(*sample_memcgs) + sizeof(*line)));
	return 0;
}

/**
 * oomlens_capture_exit() - give it back
 */
void oomlens_capture_exit(void)
{
	kfree(line);
	kfree(sample_memcgs);
	kfree(samples);
}
