// SPDX-License-Identifier: GPL-2.0
/*
 * features: what this kernel gives the module to work with.
 */
#include "event/event.h"
#include "files.h"
#include "history/history.h"
#include "kernel/kernel.h"

/* Set by files.c at load. */
const char *oomlens_debugfs_lacks;

static const char *memcg_lacks(void)
{
	if (oomlens_memcg_enabled())
		return NULL;
	return IS_ENABLED(CONFIG_MEMCG) ? "cgroup_disable=memory" : "CONFIG_MEMCG";
}

static void show(struct seq_file *m, const char *name, const char *lacks)
{
	if (lacks)
		seq_printf(m, "%s no %s\n", name, lacks);
	else
		seq_printf(m, "%s yes\n", name);
}

static int features_show(struct seq_file *m, void *v)
{
	seq_puts(m, "# oomlens features 1\n");
	show(m, "notifier", oomlens_notifier_lacks);
	show(m, "mark_victim", oomlens_mark_victim_lacks);
	show(m, "oom_probe", oomlens_oom_probe_lacks);
	show(m, "memcg", memcg_lacks());
	show(m, "psi", oomlens_psi_lacks);
	/* The module does not load without it. */
	show(m, "procfs", NULL);
	show(m, "sysrq", IS_ENABLED(CONFIG_MAGIC_SYSRQ) ? NULL : "CONFIG_MAGIC_SYSRQ");
	show(m, "debugfs", oomlens_debugfs_lacks);
	show(m, "swap", IS_ENABLED(CONFIG_SWAP) ? NULL : "CONFIG_SWAP");
	show(m, "hugetlb", IS_ENABLED(CONFIG_HUGETLB_PAGE) ? NULL : "CONFIG_HUGETLBFS");
	show(m, "zsmalloc", IS_ENABLED(CONFIG_ZSMALLOC) ? NULL : "CONFIG_ZSMALLOC");
	return 0;
}

const struct oomlens_file_ops oomlens_features_file = {
	.show = features_show,
};
