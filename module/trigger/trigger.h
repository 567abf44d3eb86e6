/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Controlled OOMs, and memory set aside for the next one.
 */
#ifndef OOMLENS_TRIGGER_H
#define OOMLENS_TRIGGER_H

#include "../oomlens.h"

extern const struct oomlens_file_ops oomlens_trigger_file;
extern const struct oomlens_file_ops oomlens_reserve_file;

void oomlens_trigger_init(void);
void oomlens_trigger_exit(void);

#endif /* OOMLENS_TRIGGER_H */
