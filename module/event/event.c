// SPDX-License-Identifier: GPL-2.0
/*
 * Orders the start and the end of the recorder.
 */
#include "internal.h"

enum hook {
	NOTIFIER	= 1,
	MARK_VICTIM	= 2,
	OOM_PROBE	= 4,
	ALL_HOOKS	= NOTIFIER | MARK_VICTIM | OOM_PROBE,
};

static unsigned int sources = ALL_HOOKS;
module_param(sources, uint, 0444);
MODULE_PARM_DESC(sources, "hooks to use, for tests: 1 notifier, 2 mark_victim, 4 return probe (default 7)");

/* Half of the budget is for events. The rest of the recorder is taken before the ring. */
static unsigned long __init ring_bytes(void)
{
	unsigned long half = oomlens_memory_budget() / 2;

	return half - min_t(unsigned long, half, oomlens_counter_read(OOMLENS_MEMORY_BYTES));
}

static void __init register_hooks(void)
{
	oomlens_hooks_init();
	if (sources & NOTIFIER)
		oomlens_notifier_register();
	if (sources & MARK_VICTIM)
		oomlens_mark_victim_register();
	if (sources & OOM_PROBE)
		oomlens_probe_register();
	oomlens_panic_register();
}

/**
 * oomlens_event_init() - take the memory, then listen
 *
 * Context: module load; events come from here on.
 * Return: 0 or an error. A hook that the kernel does not have is no error.
 */
int __init oomlens_event_init(void)
{
	int err;

	if (sources & ~ALL_HOOKS) {
		pr_err("sources=%u: out of range, 0 to %d\n", sources, ALL_HOOKS);
		return -EINVAL;
	}
	err = oomlens_ring_check() ?: oomlens_log_check();
	if (err)
		return err;
	err = oomlens_paths_init();
	if (err)
		return err;
	err = oomlens_added_init(oomlens_memory_budget() / 16);
	if (err)
		goto err_paths_exit;
	err = oomlens_victims_init();
	if (err)
		goto err_added_exit;
	err = oomlens_candidates_init();
	if (err)
		goto err_victims_exit;
	err = oomlens_ring_init(oomlens_count_zones(), ring_bytes());
	if (err)
		goto err_candidates_exit;
	err = oomlens_log_init();
	if (err)
		goto err_ring_exit;
	err = oomlens_thread_start();
	if (err)
		goto err_log_exit;
	oomlens_sysvalues_watch_swap(oomlens_thread_reread_totals);
	register_hooks();
	return 0;

err_log_exit:
	oomlens_log_exit();
err_ring_exit:
	oomlens_ring_exit();
err_candidates_exit:
	oomlens_candidates_exit();
err_victims_exit:
	oomlens_victims_exit();
err_added_exit:
	oomlens_added_exit();
err_paths_exit:
	oomlens_paths_exit();
	return err;
}

/**
 * oomlens_event_exit() - undo oomlens_event_init()
 *
 * Context: module unload; the files are gone, so there are no readers.
 */
void oomlens_event_exit(void)
{
	/*
	 * The probe last: a call that is under way then never has its return
	 * handled, and the other hooks may still find its event open, with a
	 * struct oom_control on that call's stack.
	 */
	oomlens_panic_unregister();
	if (!oomlens_notifier_lacks)
		oomlens_notifier_unregister();
	if (!oomlens_mark_victim_lacks)
		oomlens_mark_victim_unregister();
	if (!oomlens_oom_probe_lacks)
		oomlens_probe_unregister();
	oomlens_sysvalues_unwatch_swap();
	oomlens_thread_stop();
	oomlens_log_exit();
	oomlens_ring_exit();
	oomlens_candidates_exit();
	oomlens_victims_exit();
	oomlens_added_exit();
	oomlens_paths_exit();
}
