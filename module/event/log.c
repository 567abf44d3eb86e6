// SPDX-License-Identifier: GPL-2.0
/*
 * The line that an event has in the kernel's log.
 */
#include <linux/ratelimit.h>

#include "internal.h"

/**
 * oomlens_log_event() - print an event in the kernel's log, in one line
 * @e: the event
 * @memcg: the path of the cgroup whose limit was hit; cut if it is too long
 *
 * Rate-limited, so that a storm does not fill the log; the ring has them all.
 *
 * Context: the kthread, whose stack has room for the line.
 */
void oomlens_log_event(const struct oomlens_event *e, char *memcg)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 20);
	char head[OOMLENS_HEAD_SIZE], tail[OOMLENS_TAIL_SIZE], path[192], comm[OOMLENS_COMM_SIZE];

	if (!__ratelimit(&limit))
		return;
	oomlens_print_head(head, e);
	oomlens_print_tail(tail, e);
	if (e->kind == OOMLENS_KIND_MEMCG) {
		while (oomlens_escaped_len(memcg) >= sizeof(path))
			memcg[strlen(memcg) - 1] = '\0';
		*oomlens_escape(path, memcg) = '\0';
	} else {
		strscpy(path, oomlens_print_no_limit(e), sizeof(path));
	}
	if (e->nr_victims)
		pr_info("%s memcg=%s %s victim_pid=%d victim_comm=%s\n", head, path, tail,
			e->victims[0].pid, oomlens_print_comm(comm, e->victims[0].comm));
	else
		pr_info("%s memcg=%s %s\n", head, path, tail);
}
