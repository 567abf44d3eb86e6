/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is promised to shared memory objects.
 */
#ifndef OOMLENS_SHMEM_H
#define OOMLENS_SHMEM_H

struct inode;

/* Pages; sums over inodes that change during the walk, hence signed. */
struct oomlens_shmem {
	long charge;
	long resident;
	long swapped;
};

bool oomlens_shmem_inode(struct inode *inode, struct oomlens_shmem *o);
int oomlens_shmem_read(struct oomlens_shmem *o);

#endif /* OOMLENS_SHMEM_H */
