/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What came before: a look at the machine every few seconds, kept for ten minutes,
 * and a coarser one for a day.
 */
#ifndef OOMLENS_HISTORY_H
#define OOMLENS_HISTORY_H

#include "../oomlens.h"

extern const struct oomlens_file_ops oomlens_history_file;

/* NULL if the kernel tells the pressure, or the option that is missing. */
extern const char *oomlens_psi_lacks;

void oomlens_history_register(void);
int oomlens_history_init(void);
void oomlens_history_exit(void);

#endif /* OOMLENS_HISTORY_H */
