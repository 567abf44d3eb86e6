/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-CPU memory, as far as it is of the page allocator's memory.
 */
#ifndef OOMLENS_PERCPU_H
#define OOMLENS_PERCPU_H

#include "../oomlens.h"

void oomlens_percpu_init(void);
unsigned long oomlens_percpu_pages(unsigned long counted);

#endif /* OOMLENS_PERCPU_H */
