/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inodes of all shared memory filesystems.
 */
#ifndef OOMLENS_SUPERS_H
#define OOMLENS_SUPERS_H

struct inode;

/**
 * struct oomlens_inode_walk - a walk over inodes
 * @visit: called with a reference to @inode, and its filesystem stays mounted
 *	meanwhile; may sleep; an error ends the walk
 * @arg: for @visit
 */
struct oomlens_inode_walk {
	int (*visit)(struct inode *inode, void *arg);
	void *arg;
};

int oomlens_walk_shmem(const struct oomlens_inode_walk *walk);
int oomlens_walk_hugetlbfs(const struct oomlens_inode_walk *walk);

#endif /* OOMLENS_SUPERS_H */
