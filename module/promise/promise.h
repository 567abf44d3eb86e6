/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has promised: how much, under which limit, to which
 * processes, and which shared objects no process owns.
 */
#ifndef OOMLENS_PROMISE_H
#define OOMLENS_PROMISE_H

#include "../oomlens.h"

extern const struct oomlens_file_ops oomlens_overcommit_file;
extern const struct oomlens_file_ops oomlens_commit_file;
extern const struct oomlens_file_ops oomlens_objects_file;

/* The longest text of one object, with its NUL. */
#define OOMLENS_OBJECT_TEXT	1792

int oomlens_objects_largest(unsigned int n, void (*take)(const char *text, void *arg), void *arg);

#endif /* OOMLENS_PROMISE_H */
