// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of objects by the ids that the kernel shows: see the header.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "objects.h"

void objects_id_of(int fd, char *id, size_t size)
{
	struct stat st;

	if (fstat(fd, &st))
		memset(&st, 0, sizeof(st));
	snprintf(id, size, "%u:%u:%llu", major(st.st_dev), minor(st.st_dev),
		 (unsigned long long)st.st_ino);
}

int objects_row(struct table *t, const char *id, const char *kind)
{
	unsigned int i;

	for (i = 0; t && i < t->rows; i++)
		if (!strcmp(table_cell(t, i, "id"), id) &&
		    (!kind || !strcmp(table_cell(t, i, "kind"), kind)))
			return i;
	return -1;
}

long long objects_count(const struct table *t)
{
	const char *line = t ? strstr(t->header, "\n# objects ") : NULL;

	return line ? atoll(line + strlen("\n# objects ")) : -1;
}

struct table *objects_table(const char *scope)
{
	int fd = open(lens_path("objects"), O_RDWR | O_CLOEXEC), err;
	struct table *t = NULL;

	if (fd < 0)
		return NULL;
	err = write_fd(fd, scope);
	if (!err)
		t = table_read_fd(fd);
	close(fd);
	if (err)
		errno = -err;
	return t;
}

/* linux/udmabuf.h; older headers lack it. */
struct udmabuf_create {
	unsigned int memfd, flags;
	unsigned long long offset, size;
};

#define UDMABUF_CREATE	_IOW('u', 0x42, struct udmabuf_create)

int objects_dmabuf(int dev, int memfd, unsigned long long size)
{
	const struct udmabuf_create create = { .memfd = memfd, .size = size };

	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -1;
	return ioctl(dev, UDMABUF_CREATE, &create);
}
