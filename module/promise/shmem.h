/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is promised to shared memory objects.
 */
#ifndef OOMLENS_SHMEM_H
#define OOMLENS_SHMEM_H

/* Pages; sums over inodes that change during the walk, hence signed. */
struct oomlens_shmem {
	long charge;
	long resident;
	long swapped;
};

int oomlens_shmem_read(struct oomlens_shmem *o);

#endif /* OOMLENS_SHMEM_H */
