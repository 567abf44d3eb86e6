// SPDX-License-Identifier: GPL-2.0
/*
 * Has something been left behind? By the kernel's own count of slab objects.
 */
#include "slab.h"
#include "text.h"

/* Without those that are free, but on a processor's own list. */
static long long in_use(const char *name)
{
	char path[128], want[64], *text, *at;
	unsigned long long objects;
	long long n = -1;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	write_file(path, "1");
	snprintf(want, sizeof(want), "\n%s ", name);
	text = read_file("/proc/slabinfo");
	at = text ? strstr(text, want) : NULL;
	if (at && sscanf(at + strlen(want), "%llu", &objects) == 1)
		n = objects;
	free(text);
	return n;
}

void task_slabs_read(struct task_slabs *s)
{
	s->tasks = in_use("task_struct");
	s->mms = in_use("mm_struct");
	s->pids = in_use("pid");
}

static bool are_back(const struct task_slabs *before, long long more)
{
	struct task_slabs now;

	task_slabs_read(&now);
	ksft_print_msg("task_struct %lld, mm_struct %lld, pid %lld; before %lld, %lld, %lld\n",
		       now.tasks, now.mms, now.pids, before->tasks, before->mms, before->pids);
	return now.tasks <= before->tasks + more && now.mms <= before->mms + more &&
	       now.pids <= before->pids + more;
}

bool task_slabs_back(const struct task_slabs *before, long long more)
{
	unsigned int i;

	/* They are freed after an RCU grace period. */
	for (i = 0; i < 300; i++) {
		if (are_back(before, more))
			return true;
		nap_ms(PATIENCE_MS / 300);
	}
	return false;
}
