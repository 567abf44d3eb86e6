/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The top of the module: the table of files, and the two files that tell about
 * the module itself.
 */
#ifndef OOMLENS_FILES_H
#define OOMLENS_FILES_H

#include "oomlens.h"

extern const struct oomlens_file_ops oomlens_features_file;
extern const struct oomlens_file_ops oomlens_stats_file;

int oomlens_files_init(void);
void oomlens_files_exit(void);
void oomlens_features_set_debugfs(const char *lacks);

#endif /* OOMLENS_FILES_H */
