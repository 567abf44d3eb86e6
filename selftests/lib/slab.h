/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Has something been left behind? By the kernel's own count of slab objects.
 */
#ifndef OOMLENS_SLAB_H
#define OOMLENS_SLAB_H

#include "test.h"

/* What a task leaves behind while a reference to it, or to its memory, is held. */
struct task_slabs {
	long long tasks, mms, pids;	/* objects in use; -1: the kernel does not tell */
};

void task_slabs_read(struct task_slabs *s);
/* Polls: are there no more than @more of each than before? */
bool task_slabs_back(const struct task_slabs *before, long long more);

#endif /* OOMLENS_SLAB_H */
