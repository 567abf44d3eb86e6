// SPDX-License-Identifier: GPL-2.0
/*
 * Orders init and exit, holds the module parameters; nothing else.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "oomlens.h"

#define EVENTS_MAX	4096
#define CANDIDATES_MAX	64

unsigned int oomlens_events = 8;
module_param_named(events, oomlens_events, uint, 0444);
MODULE_PARM_DESC(events, "OOMs kept in memory, 1 to 4096 (default 8)");

unsigned int oomlens_candidates = 10;
module_param_named(candidates, oomlens_candidates, uint, 0444);
MODULE_PARM_DESC(candidates, "tasks recorded with each OOM, 0 to 64 (default 10)");

bool oomlens_trigger;
module_param_named(trigger, oomlens_trigger, bool, 0444);
MODULE_PARM_DESC(trigger, "1: trigger and reserve may be written; they can kill tasks and take memory (default 0)");

bool oomlens_debugfs = true;
module_param_named(debugfs, oomlens_debugfs, bool, 0444);
MODULE_PARM_DESC(debugfs, "0: no debugfs files, so neither trigger nor reserve (default 1)");

static int __init check_parameters(void)
{
	if (oomlens_events < 1 || oomlens_events > EVENTS_MAX) {
		pr_err("events=%u: out of range, 1 to %d\n", oomlens_events, EVENTS_MAX);
		return -EINVAL;
	}
	if (oomlens_candidates > CANDIDATES_MAX) {
		pr_err("candidates=%u: out of range, 0 to %d\n",
		       oomlens_candidates, CANDIDATES_MAX);
		return -EINVAL;
	}
	return 0;
}

static int __init oomlens_init(void)
{
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = oomlens_sysvalues_init();
	if (err)
		return err;
	err = oomlens_reserve_init();
	if (err)
		goto err_sysvalues_exit;
	err = oomlens_trigger_init();
	if (err)
		goto err_reserve_exit;
	err = oomlens_recorder_init();
	if (err)
		goto err_trigger_exit;
	err = oomlens_files_init();
	if (err)
		goto err_recorder_exit;
	return 0;

err_recorder_exit:
	oomlens_recorder_exit();
err_trigger_exit:
	oomlens_trigger_exit();
err_reserve_exit:
	oomlens_reserve_exit();
err_sysvalues_exit:
	oomlens_sysvalues_exit();
	return err;
}

static void __exit oomlens_exit(void)
{
	oomlens_files_exit();
	oomlens_recorder_exit();
	oomlens_trigger_exit();
	oomlens_reserve_exit();
	oomlens_sysvalues_exit();
}

module_init(oomlens_init);
module_exit(oomlens_exit);

MODULE_DESCRIPTION("Shows whom the OOM killer would take and why, what is promised, and every OOM so far");
MODULE_AUTHOR("oomlens developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
