// SPDX-License-Identifier: GPL-2.0
/*
 * What is promised to shared memory objects, which no process owns: shared
 * anonymous mappings, SysV segments, memfds, drivers' buffers, tmpfs files.
 * They are all inodes of shmem.
 */
#include "../kernel/kernel.h"
#include "shmem.h"
#include "supers.h"

/*
 * Charged to one inode, in pages: its whole size, or, if it was made with
 * VM_NORESERVE (as tmpfs files and memfds are), each page that it got, which
 * swapping out does not give back. Source: mm/shmem.c, shmem_acct_size() and
 * shmem_acct_blocks().
 */
static long inode_charge(struct inode *inode)
{
	const struct shmem_inode_info *info = SHMEM_I(inode);

	if (S_ISREG(inode->i_mode) && !(READ_ONCE(info->flags) & SHMEM_F_NORESERVE))
		return PAGE_ALIGN(i_size_read(inode)) >> PAGE_SHIFT;
	return READ_ONCE(info->alloced);
}

/**
 * oomlens_shmem_inode() - what one shared memory object has and is charged
 * @inode: of shmem, held
 * @o: filled in
 *
 * Context: any.
 * Return: false for a directory, a device and the like, which have no pages.
 */
bool oomlens_shmem_inode(struct inode *inode, struct oomlens_shmem *o)
{
	if (!S_ISREG(inode->i_mode) && !S_ISLNK(inode->i_mode))
		return false;
	o->charge = inode_charge(inode);
	o->resident = READ_ONCE(inode->i_data.nrpages);
	o->swapped = READ_ONCE(SHMEM_I(inode)->swapped);
	return true;
}

static int add_inode(struct inode *inode, void *arg)
{
	struct oomlens_shmem *sum = arg, o;

	if (oomlens_shmem_inode(inode, &o)) {
		sum->charge += o.charge;
		sum->resident += o.resident;
		sum->swapped += o.swapped;
	}
	return 0;
}

/**
 * oomlens_shmem_read() - sum up what shared memory objects are charged
 * @o: filled in; zero on a kernel without shmem, where they are not charged
 *
 * Context: process context, sleeps: takes each tmpfs' s_umount for reading.
 * Return: 0, or -EINTR on a fatal signal.
 */
int oomlens_shmem_read(struct oomlens_shmem *o)
{
	const struct oomlens_inode_walk walk = { .visit = add_inode, .arg = o };

	memset(o, 0, sizeof(*o));
	return oomlens_walk_shmem(&walk);
}
