// SPDX-License-Identifier: GPL-2.0
/*
 * The return probe on out_of_memory(): every call with its outcome, those that
 * kill no task too.
 */
#include "internal.h"
#include "trace.h"

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

/*
 * A task that writes a limit reclaims and kills in the cgroup that it writes to. One
 * that charges a cgroup which is not its own looks the same.
 */
static bool called_from_outside(const struct oom_control *oc)
{
	bool outside;

	rcu_read_lock();
	outside = oc->memcg && !oomlens_memcg_within(oomlens_memcg_of(current), oc->memcg);
	rcu_read_unlock();
	return outside;
}

static enum oomlens_trigger trigger_at_entry(const struct oom_control *oc)
{
	if (oc->order == -1)
		return OOMLENS_TRIGGER_SYSRQ;
	if (oomlens_hook_for_min_ttl())
		return OOMLENS_TRIGGER_MIN_TTL;
	return called_from_outside(oc) ? OOMLENS_TRIGGER_OUTSIDE : OOMLENS_TRIGGER_ALLOCATOR;
}

/* Preemption is off, on some architectures interrupts too. */
static int probe_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct call *call = (struct call *)ri->data;
	struct oom_control *oc = (struct oom_control *)oomlens_first_argument(regs);
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = oomlens_hook_begin(true, begin);

	call->oc = oc;
	call->number = e->number;
	e->gfp = oc->gfp_mask;
	e->order = oc->order;
	e->kind = kind_at_entry(oc);
	e->trigger = trigger_at_entry(oc);
	if (oomlens_claim_event(e, e->kind == OOMLENS_KIND_SYSRQ))
		e->trigger = OOMLENS_TRIGGER_OOMLENS;
	oomlens_probed_oc = oc;
	oomlens_capture_entry(e, oc);
	/* The notifier can walk with preemption on; a memcg OOM does not call it. */
	if (oc->memcg || oomlens_notifier_lacks)
		oomlens_candidates_capture(e, oc, false);
	trace_oom_begin(e);
	/* The notifier is the last that is called before a global panic; sysrq causes none. */
	if (oc->memcg || (oomlens_notifier_lacks && oc->order != -1))
		oomlens_panic_expect(e, oc);
	oomlens_hook_add_time(e, begin);
	return 0;
}

/*
 * A task that an earlier call has marked is let go without a new mark, unless its
 * memory has been reaped: without __GFP_FS the call ends early then too. Source:
 * mm/oom_kill.c, task_will_free_mem().
 */
static bool is_let_go(const struct oom_control *oc)
{
	if (!tsk_is_oom_victim(current))
		return false;
	return (oc->gfp_mask & __GFP_FS) ||
	       (current->mm && !mm_flags_test(MMF_OOM_SKIP, current->mm));
}

/* out_of_memory() ended before it looked at constraints. */
static enum oomlens_outcome early_outcome(const struct oomlens_event *e,
					  const struct oom_control *oc, bool ret)
{
	if (!ret)
		return OOMLENS_OUTCOME_DISABLED;
	if (e->nr_marked || oc->memcg || (!e->freed && is_let_go(oc)))
		return OOMLENS_OUTCOME_DYING;
	if (e->freed)
		return OOMLENS_OUTCOME_AVERTED;
	if (oc->gfp_mask & __GFP_FS)
		return oomlens_notifier_lacks ? OOMLENS_OUTCOME_AVERTED : OOMLENS_OUTCOME_UNKNOWN;
	return oomlens_notifier_lacks ? OOMLENS_OUTCOME_UNKNOWN : OOMLENS_OUTCOME_NO_FS;
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
	if (!IS_ENABLED(CONFIG_VM_EVENT_COUNTERS) && oomlens_mark_victim_lacks)
		return OOMLENS_OUTCOME_UNKNOWN;
	return OOMLENS_OUTCOME_EXITING;
}

static int probe_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct call *call = (struct call *)ri->data;
	const struct oom_control *oc = call->oc;
	u64 begin = ktime_get_mono_fast_ns();
	struct oomlens_event *e = oomlens_event_peek();

	/* Another call has begun since: this call's event is closed. */
	if (!e || e->number != call->number)
		return 0;
	e->kills = oomlens_hook_kills();
	if (oc->totalpages) {
		oomlens_capture_result(e, oc);
		e->outcome = late_outcome(e, oc);
	} else {
		/* A bool: the upper bits of the register mean nothing. */
		e->outcome = early_outcome(e, oc, (u8)regs_return_value(regs));
	}
	if (e->outcome == OOMLENS_OUTCOME_AVERTED)
		oomlens_counter_add(OOMLENS_AVERTED, 1);
	oomlens_hook_add_time(e, begin);
	e->duration_ns = oomlens_elapsed_ns(e->time_ns, ktime_get_mono_fast_ns());
	trace_oom_end(e);
	oomlens_event_end();
	oomlens_thread_kick();
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

/**
 * oomlens_probe_register() - see each call of the OOM killer from entry to return
 *
 * Context: module load.
 */
void __init oomlens_probe_register(void)
{
	int err = register_kretprobe(&probe);

	oomlens_oom_probe_lacks = err ? probe_missing(err) : NULL;
	if (err)
		pr_warn("no return probe on out_of_memory(): %d\n", err);
}

/**
 * oomlens_probe_unregister() - and no more; no handler runs on return
 *
 * Context: module unload, sleeps.
 */
void oomlens_probe_unregister(void)
{
	unregister_kretprobe(&probe);
}
#else
void __init oomlens_probe_register(void)
{
	oomlens_oom_probe_lacks =
		IS_ENABLED(CONFIG_KRETPROBES) ? "CONFIG_HAVE_FUNCTION_ARG_ACCESS_API" :
		IS_ENABLED(CONFIG_KPROBES) ? "CONFIG_KRETPROBES" : "CONFIG_KPROBES";
}

void oomlens_probe_unregister(void)
{
}
#endif
