// SPDX-License-Identifier: GPL-2.0
/*
 * What the hooks share. The recorder hears of an OOM through the OOM notifier,
 * the oom:mark_victim tracepoint and a return probe on out_of_memory(). Each can
 * be missing: what the others tell is recorded, and what none tells reads "-".
 *
 * With the probe an event lasts from entry to return. Without it, or when it
 * missed a call, the event begins with the notifier or the mark, and its end
 * is not known: see mark_belongs() in mark_victim.c.
 *
 * All but oomlens_hooks_init() and oomlens_event_kills() runs under the kernel's
 * oom_lock.
 */
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define LEFT_OUT	"sources"	/* the parameter's name, for features */

const char *oomlens_notifier_lacks = LEFT_OUT;
const char *oomlens_mark_victim_lacks = LEFT_OUT;
const char *oomlens_oom_probe_lacks = LEFT_OUT;

/* What the probe was entered with; valid while a probed event is open. */
const struct oom_control *oomlens_probed_oc;

/*
 * __oom_kill_process() raises the kernel's count of kills before it marks the
 * victim. So a mark with a raised count is a kill; a mark without is a task that
 * was dying, and only got access to the reserves.
 */
static unsigned long kills_at_begin, kills_at_mark, kills_at_load;

/* OOMs of the caller's cgroup when the last event without the probe was begun. */
static unsigned long caller_ooms_at_begin;

/**
 * oomlens_hooks_init() - before the first hook is registered
 *
 * Context: module load.
 */
void __init oomlens_hooks_init(void)
{
	kills_at_load = oomlens_kernel_kills();
	kills_at_mark = kills_at_load;
}

/**
 * oomlens_event_kills() - tasks that the OOM killer has killed since load
 *
 * Told by the marks; without them by the kernel's own count, which has the first
 * task of a cgroup's group kill twice.
 *
 * Context: any.
 * Return: how many.
 */
long oomlens_event_kills(void)
{
	if (oomlens_mark_victim_lacks)
		return max((long)(oomlens_kernel_kills() - kills_at_load), 0L);
	return oomlens_counter_read(OOMLENS_KILLS);
}

/**
 * oomlens_hook_kills() - kills by the kernel's count since the event was begun
 *
 * Context: OOM path.
 * Return: how many.
 */
unsigned int oomlens_hook_kills(void)
{
	return max((int)(oomlens_kernel_kills() - kills_at_begin), 0);
}

/**
 * oomlens_hook_killed_since_mark() - has the kernel counted a kill since the last mark?
 *
 * To be called once for each mark: the next call compares with this one.
 *
 * Context: OOM path.
 * Return: true where the kernel does not count.
 */
bool oomlens_hook_killed_since_mark(void)
{
	unsigned long before = kills_at_mark;

	if (!IS_ENABLED(CONFIG_VM_EVENT_COUNTERS))
		return true;
	kills_at_mark = oomlens_kernel_kills();
	return (int)(kills_at_mark - before) > 0;
}

static unsigned long caller_ooms(void)
{
	unsigned long ooms;

	rcu_read_lock();
	ooms = oomlens_memcg_ooms(oomlens_memcg_of(current));
	rcu_read_unlock();
	return ooms;
}

/**
 * oomlens_hook_caller_met_limit() - has current met its cgroup's limit since the event was begun?
 *
 * Context: OOM path.
 */
bool oomlens_hook_caller_met_limit(void)
{
	return caller_ooms() != caller_ooms_at_begin;
}

/**
 * oomlens_hook_may_be_sysrq() - is this sysrq's OOM, where the probe does not tell?
 *
 * Without CONFIG_KALLSYMS any kworker's OOM may be: if a kworker's own
 * allocation fails there, that OOM gets no relief.
 *
 * Context: OOM path.
 */
bool oomlens_hook_may_be_sysrq(void)
{
	char name[sizeof("moom_callback")];
	struct work_struct *work;
	work_func_t func;

	if (!(current->flags & PF_WQ_WORKER) || current->mm)
		return false;
	if (!IS_ENABLED(CONFIG_KALLSYMS))
		return true;
	work = current_work();
	/* A work may free itself while it runs. */
	if (!work || get_kernel_nofault(func, &work->func))
		return false;
	snprintf(name, sizeof(name), "%ps", func);
	return !strcmp(name, "moom_callback");
}

/**
 * oomlens_hook_for_min_ttl() - is this the OOM of MGLRU's min_ttl_ms?
 *
 * kswapd's own allocations never call the OOM killer. It does so itself if no
 * generation is older than min_ttl_ms. Source: mm/vmscan.c, lru_gen_age_node().
 *
 * Context: OOM path.
 */
bool oomlens_hook_for_min_ttl(void)
{
	return current_is_kswapd();
}

/*
 * Without marks and without the probe the kernel's count tells what a call did,
 * unless cgroups have OOMs of their own, of which no hook would hear.
 */
static bool kills_tell(void)
{
	return IS_ENABLED(CONFIG_VM_EVENT_COUNTERS) && oomlens_mark_victim_lacks &&
	       oomlens_oom_probe_lacks && !oomlens_memcg_enabled();
}

/**
 * oomlens_hook_begin() - open an event
 * @probed: the return probe will tell its end
 * @now: by ktime_get_mono_fast_ns(), when the hook was called
 *
 * Context: OOM path.
 */
struct oomlens_event *oomlens_hook_begin(bool probed, u64 now)
{
	struct oomlens_event *e;

	kills_at_begin = oomlens_kernel_kills();
	kills_at_mark = kills_at_begin;
	oomlens_event_count_kills(kills_at_begin);
	e = oomlens_event_begin(probed, now);
	e->kills_before = kills_at_begin;
	e->kills_tell = kills_tell();
	e->marks_tell = !probed && !oomlens_mark_victim_lacks;
	return e;
}

/**
 * oomlens_hook_begin_unprobed() - open an event with the first hook that hears of it
 * @kind: as far as that hook knows
 * @now: as for oomlens_hook_begin()
 *
 * Context: OOM path.
 * Return: the event, open; never NULL.
 */
struct oomlens_event *oomlens_hook_begin_unprobed(enum oomlens_kind kind, u64 now)
{
	struct oomlens_event *e = oomlens_hook_begin(false, now);
	bool sysrq = oomlens_hook_may_be_sysrq();

	e->kind = kind;
	if (oomlens_hook_for_min_ttl())
		e->trigger = OOMLENS_TRIGGER_MIN_TTL;
	if (oomlens_claim_event(e, sysrq)) {
		e->trigger = OOMLENS_TRIGGER_OOMLENS;
		/* A run of kill asks sysrq, which works in a kworker. */
		if (sysrq)
			e->kind = OOMLENS_KIND_SYSRQ;
	}
	caller_ooms_at_begin = caller_ooms();
	oomlens_capture_entry(e, NULL);
	trace_oom_begin(e);
	return e;
}

/**
 * oomlens_hook_add_time() - account time that this module has spent in an OOM
 * @e: being written
 * @since: by ktime_get_mono_fast_ns(), as the probe may run as an NMI
 *
 * Context: OOM path.
 */
void oomlens_hook_add_time(struct oomlens_event *e, u64 since)
{
	e->capture_ns += oomlens_elapsed_ns(since, ktime_get_mono_fast_ns());
}
