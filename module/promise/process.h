/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process that is written to a file as "pid N", and the right to it.
 */
#ifndef OOMLENS_PROCESS_H
#define OOMLENS_PROCESS_H

struct pid;
struct seq_file;

bool oomlens_may_see(const struct seq_file *m);
struct pid *oomlens_find_process(const char *number);

#endif /* OOMLENS_PROCESS_H */
