/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A command to trigger by a process of its own, and the event of that run.
 */
#ifndef OOMLENS_WRITER_H
#define OOMLENS_WRITER_H

#include "test.h"

/* A child that writes it to trigger, in the cgroup or where the caller is (NULL). */
pid_t writer_start(const char *command, const char *cgroup);
/* Waits: 0, a negative errno of the write, or the signal that it died of. */
int writer_end(pid_t pid);
/* The line "event N" of the last run; NULL if there is none. */
const char *run_event(void);

#endif /* OOMLENS_WRITER_H */
