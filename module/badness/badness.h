/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every thread group, ranked as the OOM killer would take them.
 */
#ifndef OOMLENS_BADNESS_H
#define OOMLENS_BADNESS_H

#include "../oomlens.h"

extern const struct oomlens_file_ops oomlens_badness_file;

#endif /* OOMLENS_BADNESS_H */
