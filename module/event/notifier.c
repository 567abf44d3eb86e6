// SPDX-License-Identifier: GPL-2.0
/*
 * The OOM notifier: called in a global OOM, where it may sleep, before the
 * kernel chooses. What others registered gives memory back from here, which
 * calls the kill off.
 */
#include <linux/notifier.h>

#include "internal.h"

/*
 * Without the probe, how long an event stays open after the notifier: for the
 * mark, before which the kernel prints its dump on its consoles; and if there are
 * no marks.
 */
#define UNMARKED_MS	15000
#define NO_MARKS_MS	1000

static struct oomlens_relief *reliefs;

/**
 * oomlens_relief_register() - be asked for memory in each global OOM
 * @relief: stays as long as the module is loaded
 *
 * Context: module load, before oomlens_event_init().
 */
void __init oomlens_relief_register(struct oomlens_relief *relief)
{
	struct oomlens_relief **last = &reliefs;

	while (*last)
		last = &(*last)->next;
	*last = relief;
}

/* Memory that this module frees to call the kill off; asked for at @begin. */
static void relieve(struct oomlens_event *e, u64 begin, unsigned long *freed)
{
	unsigned long others = *freed, n;
	struct oomlens_relief *relief;

	for (relief = reliefs; relief; relief = relief->next) {
		n = relief->relieve(begin, *freed);
		if (n) {
			e->by = relief->name;
			e->relieved = true;
		}
		*freed += n;
	}
	if (others && !e->by)
		e->by = "other";
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
		e = oomlens_hook_begin_unprobed(OOMLENS_KIND_GLOBAL, begin);
		sysrq = oomlens_hook_may_be_sysrq();
	}
	oomlens_candidates_capture(e, e->probed ? oomlens_probed_oc : NULL, true);
	if (!sysrq)
		relieve(e, begin, freed);
	else if (*freed)
		e->by = "other";
	e->freed = *freed;
	if (!e->probed && *freed && !sysrq) {
		e->outcome = OOMLENS_OUTCOME_AVERTED;
		oomlens_counter_add(OOMLENS_AVERTED, 1);
	}
	if (!sysrq && !*freed)
		oomlens_panic_expect(e, e->probed ? oomlens_probed_oc : NULL);
	oomlens_hook_add_time(e, begin);
	oomlens_event_pause(e, e->outcome == OOMLENS_OUTCOME_AVERTED ? 0 :
			       oomlens_mark_victim_lacks ? NO_MARKS_MS : UNMARKED_MS);
	if (!e->probed)
		oomlens_thread_kick();
	return NOTIFY_OK;
}

/* The last in the chain, so that it sees what the others gave back. */
static struct notifier_block notifier = {
	.notifier_call	= notify,
	.priority	= INT_MIN,
};

/**
 * oomlens_notifier_register() - hear of global OOMs
 *
 * Context: module load.
 */
void __init oomlens_notifier_register(void)
{
	register_oom_notifier(&notifier);
	oomlens_notifier_lacks = NULL;
}

/**
 * oomlens_notifier_unregister() - and no more
 *
 * Context: module unload, sleeps.
 */
void oomlens_notifier_unregister(void)
{
	unregister_oom_notifier(&notifier);
}
