// SPDX-License-Identifier: GPL-2.0
/*
 * Orders init and exit; nothing else.
 */
#include "event/event.h"
#include "files.h"
#include "history/history.h"
#include "kernel/kernel.h"
#include "promise/promise.h"
#include "trigger/trigger.h"

static int __init oomlens_init(void)
{
	int err;

	err = oomlens_sysvalues_init();
	if (err)
		return err;
	oomlens_memory_init();
	oomlens_supers_init();
	/* These register what the hooks and event's kthread read without a lock. */
	oomlens_trigger_init();
	oomlens_history_register();
	oomlens_details_init();
	err = oomlens_event_init();
	if (err)
		goto err_details_exit;
	oomlens_details_start();
	err = oomlens_history_init();
	if (err)
		goto err_event_exit;
	err = oomlens_files_init();
	if (err)
		goto err_history_exit;
	return 0;

err_history_exit:
	oomlens_history_exit();
err_event_exit:
	oomlens_details_stop();
	oomlens_event_exit();
err_details_exit:
	oomlens_details_exit();
	oomlens_trigger_exit();
	oomlens_sysvalues_exit();
	return err;
}

static void __exit oomlens_exit(void)
{
	oomlens_files_exit();
	oomlens_history_exit();
	oomlens_details_stop();
	oomlens_event_exit();
	oomlens_details_exit();
	oomlens_trigger_exit();
	oomlens_sysvalues_exit();
}

module_init(oomlens_init);
module_exit(oomlens_exit);

MODULE_DESCRIPTION("Shows which task the OOM killer would take and why, what is promised, and every OOM so far");
MODULE_AUTHOR("oomlens developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
