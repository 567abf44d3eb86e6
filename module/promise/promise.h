/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has promised: how much, under which limit, and to which
 * processes.
 */
#ifndef OOMLENS_PROMISE_H
#define OOMLENS_PROMISE_H

#include "../oomlens.h"

extern const struct oomlens_file_ops oomlens_overcommit_file;
extern const struct oomlens_file_ops oomlens_commit_file;

#endif /* OOMLENS_PROMISE_H */
