/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMAs of one address space, and what each is charged.
 */
#ifndef OOMLENS_VMA_H
#define OOMLENS_VMA_H

#include "../kernel/kernel.h"

/* Pages of VMAs, by what the kernel made of them; each is in one at most. */
struct oomlens_charges {
	unsigned long anon;		/* charged */
	unsigned long file_private;	/* charged, of a file */
	unsigned long stack;		/* charged, grows by itself */
	unsigned long noreserve;	/* private, MAP_NORESERVE: not charged */
	unsigned long shared;		/* charged to the object, if at all */
};

static inline unsigned long oomlens_charge(const struct oomlens_charges *c)
{
	return c->anon + c->file_private + c->stack;
}

/* One VMA. */
struct oomlens_vma {
	unsigned long start;
	unsigned long pages;
	unsigned long charged;		/* pages */
	unsigned long noreserve;	/* pages */
	struct file *file;		/* held until its path is known, NULL after */
	const char *name;		/* in names; NULL: none */
	char perms[4];			/* as in /proc/PID/maps */
};

struct oomlens_name;

/* All VMAs of an address space. */
struct oomlens_vmas {
	struct oomlens_vma *rows;
	unsigned int max;
	unsigned int n;
	struct oomlens_name *names;
	size_t names_left;		/* bytes that they may still take */
	unsigned long from;		/* address at which the read goes on */
	bool complete;			/* no VMA and no name is missing */
};

int oomlens_vmas_charges(struct mm_struct *mm, struct oomlens_charges *c,
			 unsigned long *from);
int oomlens_vmas_files(struct mm_struct *mm, int (*visit)(struct file *file, void *arg),
		       void *arg, unsigned long *from);
int oomlens_vmas_read(struct oomlens_vmas *v, struct mm_struct *mm,
		      struct oomlens_charges *c);
void oomlens_vmas_free(struct oomlens_vmas *v);

#endif /* OOMLENS_VMA_H */
