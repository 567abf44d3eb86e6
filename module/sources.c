// SPDX-License-Identifier: GPL-2.0
/*
 * Where the recorder hears of an OOM: the OOM notifier, the oom:mark_victim
 * tracepoint and a return probe on out_of_memory(). Each can be missing; what
 * the others tell is then recorded, and nothing is guessed.
 *
 * With the probe an event lasts from entry to return. Without it, or when it
 * missed a call, the event begins with the notifier or the mark, and its end
 * is not known: see mark_belongs().
 */
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <linux/vmstat.h>
#include <trace/events/oom.h>

#include "event.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

enum source {
	NOTIFIER	= 1,
	MARK_VICTIM	= 2,
	OOM_PROBE	= 4,
	ALL_SOURCES	= NOTIFIER | MARK_VICTIM | OOM_PROBE,
};

static unsigned int sources = ALL_SOURCES;
module_param(sources, uint, 0444);
MODULE_PARM_DESC(sources, "sources of events to use, for tests: 1 notifier, 2 mark_victim, 4 return probe (default 7)");

#define LEFT_OUT	"sources"	/* the parameter's name, for features */

static const char *notifier_lacks = LEFT_OUT;
static const char *mark_lacks = LEFT_OUT;
static const char *probe_lacks = LEFT_OUT;

/*
 * Without an end: how long to wait for a mark after the notifier, between which
 * lies the kernel's dump on its consoles, or after a mark.
 */
#define UNMARKED_MS	15000
#define MARKED_MS	20
/* For so long the marks of a cgroup's group kill follow each other. */
#define GROUP_JIFFIES	HZ
/* Where no mark comes: until it is shown. */
#define NO_MARKS_MS	1000

const char *oomlens_recorder_lacks_notifier(void)
{
	return notifier_lacks;
}

const char *oomlens_recorder_lacks_mark_victim(void)
{
	return mark_lacks;
}

const char *oomlens_recorder_lacks_oom_probe(void)
{
	return probe_lacks;
}

/* ---- The kernel's count of its kills ---- */

/*
 * A mark alone does not tell whether the task was killed or was dying already
 * and only got access to the reserves. __oom_kill_process() counts before it
 * marks, under oom_lock as all here.
 */
static unsigned long kills_at_begin, kills_at_mark;

static unsigned long kills_at_load;

/**
 * oomlens_recorder_kills() - tasks that the OOM killer has killed since load
 *
 * Told by the marks; where there are none, by the kernel's own count, which has
 * the first of a cgroup's group kill twice.
 *
 * Context: any.
 */
long oomlens_recorder_kills(void)
{
	if (mark_lacks)
		return oomlens_kernel_kills() - kills_at_load;
	return oomlens_stat_read(OOMLENS_STAT_KILLS);
}

/* What the probe was entered with; holds while a probed event is open. */
static const struct oom_control *open_oc;

/*
 * Without marks and without the probe the kernel's count tells what a call did,
 * where cgroups have no OOMs of their own, which nobody would hear of.
 */
static bool kills_tell(void)
{
	return IS_ENABLED(CONFIG_VM_EVENT_COUNTERS) && mark_lacks && probe_lacks &&
	       !oomlens_memcg_enabled();
}

static struct oomlens_event *begin_event(bool probed)
{
	struct oomlens_event *e;

	kills_at_begin = oomlens_kernel_kills();
	kills_at_mark = kills_at_begin;
	oomlens_event_tell_kills(kills_at_begin);
	e = oomlens_event_begin(probed);
	e->kills_before = kills_at_begin;
	e->kills_tell = kills_tell();
	e->marks_tell = !probed && !mark_lacks;
	return e;
}

/**
 * oomlens_event_told() - what the kernel's count tells of the newest event
 * @e: a copy; amended
 *
 * Context: process context.
 * Return: false if there is a newer one by now, and @e has to be copied anew.
 */
bool oomlens_event_told(struct oomlens_event *e)
{
	unsigned int kills;

	if (!e->kills_tell || e->spared || e->outcome != OOMLENS_OUTCOME_UNKNOWN)
		return true;
	kills = oomlens_kernel_kills() - e->kills_before;
	/* A later call's kills come after its event's number. */
	smp_rmb();
	if (oomlens_event_newest() != e->number)
		return false;
	e->kills = kills;
	if (kills)
		e->outcome = OOMLENS_OUTCOME_KILLED;
	return true;
}

/*
 * Every time in the OOM path is taken by the clock that an NMI may read: the
 * probe is a breakpoint where it is not an ftrace call, and counts as one.
 */
static void add_capture_time(struct oomlens_event *e, u64 since)
{
	e->capture_ns += oomlens_elapsed_ns(since, ktime_get_mono_fast_ns());
}

/* OOMs of the caller's cgroup when the last event without the probe was begun. */
static unsigned long ooms_before;

/* Without the probe, an event begins with what was heard first. */
static struct oomlens_event *begin_unprobed(enum oomlens_kind kind)
{
	struct oomlens_event *e = begin_event(false);
	bool sysrq = oomlens_may_be_sysrq();

	e->kind = kind;
	if (oomlens_event_claim(e, sysrq)) {
		e->trigger = OOMLENS_CAUSE_OOMLENS;
		/* What a kworker does for a run is the kill that it asked sysrq for. */
		if (sysrq)
			e->kind = OOMLENS_KIND_SYSRQ;
	}
	ooms_before = oomlens_caller_ooms();
	oomlens_capture_entry(e, NULL);
	trace_oom_begin(e);
	return e;
}

/* ---- The notifier ---- */

/* Memory that this module sets free to call the kill off, asked for at @begin. */
static void relieve(struct oomlens_event *e, u64 begin, unsigned long *freed)
{
	unsigned long others = *freed, n;

	n = oomlens_pressure_relief(begin);
	if (n)
		e->by = OOMLENS_BY_PRESSURE;
	*freed += n;
	/* The air bag is for when nothing else helps. */
	if (!*freed) {
		*freed = oomlens_reserve_relief();
		if (*freed)
			e->by = OOMLENS_BY_RESERVE;
	}
	if (others && e->by == OOMLENS_BY_NONE)
		e->by = OOMLENS_BY_OTHER;
}

static int notify(struct notifier_block *nb, unsigned long unused, void *arg)
{
	unsigned long *freed = arg;
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = oomlens_event_peek();
	bool sysrq;

	if (e && e->probed) {
		sysrq = e->kind == OOMLENS_KIND_SYSRQ;
	} else {
		e = begin_unprobed(OOMLENS_KIND_GLOBAL);
		sysrq = oomlens_may_be_sysrq();
	}
	oomlens_capture_candidates(e, e->probed ? open_oc : NULL, true);
	if (!sysrq)
		relieve(e, begin, freed);
	else if (*freed)
		e->by = OOMLENS_BY_OTHER;
	e->freed = *freed;
	if (!e->probed && *freed && !sysrq) {
		e->outcome = OOMLENS_OUTCOME_AVERTED;
		oomlens_stat_add(OOMLENS_STAT_AVERTED, 1);
	}
	add_capture_time(e, begin);
	oomlens_event_pause(e, e->outcome == OOMLENS_OUTCOME_AVERTED ? 0 :
			       mark_lacks ? NO_MARKS_MS : UNMARKED_MS);
	if (!e->probed)
		oomlens_recorder_kick();
	return NOTIFY_OK;
}

/* Last, so that it sees what the others gave back. */
static struct notifier_block notifier = {
	.notifier_call	= notify,
	.priority	= INT_MIN,
};

/* ---- The mark ---- */

#ifdef CONFIG_TRACEPOINTS
static unsigned long last_mark;		/* jiffies */

static bool killed_since_last_mark(void)
{
	unsigned long before = kills_at_mark;

	if (!IS_ENABLED(CONFIG_VM_EVENT_COUNTERS))
		return true;
	kills_at_mark = oomlens_kernel_kills();
	return kills_at_mark != before;
}

/*
 * Does a mark belong to an event of the same caller, whose end is not known?
 * One call marks one task, unless memory.oom.group takes others along. The
 * first can come any time after the notifier: in between the kernel prints,
 * and on a serial line that takes seconds. A caller that came back without a
 * kill would have met its cgroup's limit next, which is counted.
 */
static bool mark_belongs(const struct oomlens_event *e, struct task_struct *victim)
{
	bool group;

	if (e->probed)
		return true;
	/* That call has returned without a victim. */
	if (e->outcome == OOMLENS_OUTCOME_AVERTED)
		return false;
	if (!e->nr_marked)
		return ooms_before == oomlens_caller_ooms() ||
		       oomlens_elapsed_ns(e->time_ns, ktime_get_mono_fast_ns()) < NSEC_PER_SEC;
	if (time_after(jiffies, last_mark + GROUP_JIFFIES))
		return false;
	rcu_read_lock();
	group = oomlens_memcg_oom_group(oomlens_memcg_of(victim), NULL);
	rcu_read_unlock();
	return group;
}

/* @victim's mm is stable: by task_lock(), or it is current. */
static void note_mark(struct task_struct *victim)
{
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = oomlens_event_peek();
	bool killed = true;

	if (e && mark_belongs(e, victim)) {
		oomlens_event_resume(e);
		killed = killed_since_last_mark();
	} else {
		/* A global OOM would have come through the notifier. */
		e = begin_unprobed(notifier_lacks ? OOMLENS_KIND_UNKNOWN : OOMLENS_KIND_MEMCG);
	}
	oomlens_capture_victim(e, victim, killed);
	oomlens_pressure_killed(oomlens_event_claimed(e), killed,
				e->probed ? open_oc : NULL);
	trace_oom_victim(e->number, victim, killed);
	if (!e->probed)
		e->outcome = killed ? OOMLENS_OUTCOME_KILLED :
			     same_thread_group(victim, current) ? OOMLENS_OUTCOME_DYING :
			     OOMLENS_OUTCOME_EXITING;
	add_capture_time(e, begin);
	last_mark = jiffies;
	oomlens_event_pause(e, MARKED_MS);
	/* To follow the victim from now on. */
	oomlens_recorder_kick();
}

static void mark_victim(void *unused, struct task_struct *victim, uid_t uid)
{
	note_mark(victim);
}

static void mark_victim_by_pid(void *unused, int pid)
{
	struct task_struct *victim;

	/* Held by the OOM killer, so it stays. */
	rcu_read_lock();
	victim = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID);
	rcu_read_unlock();
	if (victim)
		note_mark(victim);
}

static struct tracepoint *mark_tracepoint;

static void __init find_tracepoint(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "mark_victim"))
		mark_tracepoint = tp;
}

static void *mark_function(void)
{
	return OOMLENS_MARK_VICTIM_BY_PID ? (void *)mark_victim_by_pid : (void *)mark_victim;
}

static void __init register_mark(void)
{
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	if (mark_tracepoint && !tracepoint_probe_register(mark_tracepoint, mark_function(), NULL))
		mark_lacks = NULL;
	else
		mark_lacks = "oom:mark_victim";
}

static void unregister_mark(void)
{
	tracepoint_probe_unregister(mark_tracepoint, mark_function(), NULL);
	tracepoint_synchronize_unregister();
}
#else
static void __init register_mark(void)
{
	mark_lacks = "CONFIG_TRACEPOINTS";
}

static void unregister_mark(void)
{
}
#endif

/* ---- The return probe ---- */

#ifdef OOMLENS_HAVE_OOM_PROBE
struct call {
	struct oom_control *oc;
	unsigned long number;
};

static enum oomlens_kind kind_at_entry(const struct oom_control *oc)
{
	if (oc->memcg)
		return OOMLENS_KIND_MEMCG;
	return oc->order == -1 ? OOMLENS_KIND_SYSRQ : OOMLENS_KIND_GLOBAL;
}

/* Preemption is off, on some architectures interrupts too. */
static int probe_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct call *call = (struct call *)ri->data;
	struct oom_control *oc = (struct oom_control *)oomlens_first_argument(regs);
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = begin_event(true);

	call->oc = oc;
	call->number = e->number;
	e->gfp = oc->gfp_mask;
	e->order = oc->order;
	e->kind = kind_at_entry(oc);
	e->trigger = e->kind == OOMLENS_KIND_SYSRQ ? OOMLENS_CAUSE_SYSRQ :
						     OOMLENS_CAUSE_ALLOCATOR;
	if (oomlens_event_claim(e, e->kind == OOMLENS_KIND_SYSRQ))
		e->trigger = OOMLENS_CAUSE_OOMLENS;
	open_oc = oc;
	oomlens_capture_entry(e, oc);
	/* The notifier can walk with preemption on; a memcg OOM does not call it. */
	if (oc->memcg || notifier_lacks)
		oomlens_capture_candidates(e, oc, false);
	trace_oom_begin(e);
	add_capture_time(e, begin);
	return 0;
}

/* out_of_memory() ended before it looked at constraints. */
static enum oomlens_outcome early_outcome(const struct oomlens_event *e,
					  const struct oom_control *oc, bool ret)
{
	if (!ret)
		return OOMLENS_OUTCOME_DISABLED;
	/* One that was marked by an earlier call is not marked again. */
	if (e->nr_marked || oc->memcg || (!e->freed && tsk_is_oom_victim(current)))
		return OOMLENS_OUTCOME_DYING;
	if (e->freed)
		return OOMLENS_OUTCOME_AVERTED;
	if (oc->gfp_mask & __GFP_FS)
		return notifier_lacks ? OOMLENS_OUTCOME_AVERTED : OOMLENS_OUTCOME_UNKNOWN;
	return notifier_lacks ? OOMLENS_OUTCOME_UNKNOWN : OOMLENS_OUTCOME_NO_FS;
}

/* Source: mm/oom_kill.c, out_of_memory() from constrained_alloc() on. */
static enum oomlens_outcome late_outcome(const struct oomlens_event *e,
					 const struct oom_control *oc)
{
	if (oc->chosen == (void *)-1UL)
		return OOMLENS_OUTCOME_IN_FLIGHT;
	if (!oc->chosen)
		return OOMLENS_OUTCOME_NOBODY;
	if (e->kills || (e->nr_marked && !IS_ENABLED(CONFIG_VM_EVENT_COUNTERS)))
		return OOMLENS_OUTCOME_KILLED;
	/* Without a mark and without the count, it cannot be told. */
	if (!IS_ENABLED(CONFIG_VM_EVENT_COUNTERS) && mark_lacks)
		return OOMLENS_OUTCOME_UNKNOWN;
	return OOMLENS_OUTCOME_EXITING;
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

static int probe_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct call *call = (struct call *)ri->data;
	const struct oom_control *oc = call->oc;
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = oomlens_event_peek();

	/* Another call began meanwhile: this one's event is closed. */
	if (!e || e->number != call->number)
		return 0;
	e->kills = oomlens_kernel_kills() - kills_at_begin;
	if (oc->totalpages) {
		e->totalpages = oc->totalpages;
		e->totalpages_known = true;
		e->constraint = oc->constraint;
		if (e->kind == OOMLENS_KIND_GLOBAL && oc->constraint == CONSTRAINT_CPUSET)
			e->kind = OOMLENS_KIND_CPUSET;
		if (e->kind == OOMLENS_KIND_GLOBAL && oc->constraint == CONSTRAINT_MEMORY_POLICY)
			e->kind = OOMLENS_KIND_MEMPOLICY;
		e->nodes = constraint_nodes(oc);
		e->outcome = late_outcome(e, oc);
	} else {
		/* A bool: the upper bits of the register mean nothing. */
		e->outcome = early_outcome(e, oc, (u8)regs_return_value(regs));
	}
	if (e->outcome == OOMLENS_OUTCOME_AVERTED)
		oomlens_stat_add(OOMLENS_STAT_AVERTED, 1);
	add_capture_time(e, begin);
	e->duration_ns = oomlens_elapsed_ns(e->time_ns, ktime_get_mono_fast_ns());
	trace_oom_end(e);
	oomlens_event_end();
	oomlens_recorder_kick();
	return 0;
}

/* oom_lock lets one call in at a time; the rest is for probes that nest. */
static struct kretprobe probe = {
	.kp.symbol_name	= "out_of_memory",
	.entry_handler	= probe_entry,
	.handler	= probe_return,
	.data_size	= sizeof(struct call),
	.maxactive	= 4,
};

/*
 * Where ftrace's call is a function's very first instruction (riscv), no kprobe
 * can be put there without this. Source: kernel/kprobes.c, check_ftrace_location().
 */
static const char *__init probe_missing(int err)
{
	if (err == -EINVAL && IS_ENABLED(CONFIG_DYNAMIC_FTRACE) &&
	    !IS_ENABLED(CONFIG_KPROBES_ON_FTRACE))
		return "CONFIG_KPROBES_ON_FTRACE";
	return "kprobe:out_of_memory";
}

static void __init register_probe(void)
{
	int err = register_kretprobe(&probe);

	probe_lacks = err ? probe_missing(err) : NULL;
	if (err)
		pr_warn("no return probe on out_of_memory(): %d\n", err);
}

static void unregister_probe(void)
{
	unregister_kretprobe(&probe);
}
#else
static void __init register_probe(void)
{
	probe_lacks = IS_ENABLED(CONFIG_KPROBES) ? "CONFIG_KRETPROBES" : "CONFIG_KPROBES";
}

static void unregister_probe(void)
{
}
#endif

/**
 * oomlens_sources_init() - listen
 *
 * Context: module load; events come from here on.
 * Return: 0, or -EINVAL for a bad parameter. A missing source is no error.
 */
int __init oomlens_sources_init(void)
{
	if (sources & ~ALL_SOURCES) {
		pr_err("sources=%u: out of range, 0 to %d\n", sources, ALL_SOURCES);
		return -EINVAL;
	}
	kills_at_load = oomlens_kernel_kills();
	if (sources & NOTIFIER) {
		register_oom_notifier(&notifier);
		notifier_lacks = NULL;
	}
	if (sources & MARK_VICTIM)
		register_mark();
	if (sources & OOM_PROBE)
		register_probe();
	return 0;
}

/**
 * oomlens_sources_exit() - listen no more
 *
 * When it returns no handler runs.
 */
void oomlens_sources_exit(void)
{
	/*
	 * The probe last: a call that is under way then never has its return handled,
	 * and what the others find of it by then is a struct oom_control on a stack.
	 */
	if (!notifier_lacks)
		unregister_oom_notifier(&notifier);
	if (!mark_lacks)
		unregister_mark();
	if (!probe_lacks)
		unregister_probe();
}
