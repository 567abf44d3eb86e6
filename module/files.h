/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The top of the module: the table of files, the two files that tell about the
 * module itself, which tasks have files open, and the lines of an event that need
 * what several groups know.
 */
#ifndef OOMLENS_FILES_H
#define OOMLENS_FILES_H

#include "oomlens.h"

extern const struct oomlens_file_ops oomlens_features_file;
extern const struct oomlens_file_ops oomlens_stats_file;

/* One open file. */
struct oomlens_opener {
	struct list_head list;
	const char *file;
	pid_t pid;			/* of the process that opened it */
	uid_t uid;
	char comm[TASK_COMM_LEN];
};

void oomlens_opener_add(struct oomlens_opener *opener, const char *file);
void oomlens_opener_remove(struct oomlens_opener *opener);
void oomlens_openers_show(struct seq_file *m);

/* As for the hooks in event.h: what is missing, NULL if the files are there. */
extern const char *oomlens_debugfs_lacks;

void oomlens_details_init(void);
void oomlens_details_exit(void);
void oomlens_details_start(void);
void oomlens_details_stop(void);

int oomlens_files_init(void);
void oomlens_files_exit(void);

#endif /* OOMLENS_FILES_H */
