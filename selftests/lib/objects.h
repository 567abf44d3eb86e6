/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the tests of objects: rows by the ids that the kernel shows.
 */
#ifndef OOMLENS_OBJECTS_LIB_H
#define OOMLENS_OBJECTS_LIB_H

#include "text.h"

/* Of an open file, by fstat(). */
void objects_id_of(int fd, char *id, size_t size);
/* Of that kind (NULL: any), as an id need not be the only one of its number; -1. */
int objects_row(struct table *t, const char *id, const char *kind);
/* As the header counts them; the file's name is a word of it too. */
long long objects_count(const struct table *t);
/* objects in a scope, "all", "pid N" or "id M:M:I"; NULL with errno. */
struct table *objects_table(const char *scope);
/* A dma-buf of a memfd that may be sealed; @dev is /dev/udmabuf. -1 with errno. */
int objects_dmabuf(int dev, int memfd, unsigned long long size);

#endif /* OOMLENS_OBJECTS_LIB_H */
