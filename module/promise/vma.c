// SPDX-License-Identifier: GPL-2.0
/*
 * One address space's VMAs and what the kernel charged each of them with.
 *
 * The mmap lock is only ever tried: whoever reads about a stuck process must
 * not be stuck behind it. No page table is looked at.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/rwsem.h>
#include <linux/sort.h>

#include "vma.h"

/*
 * What lies at @from and above. The charge is what VM_ACCOUNT says: mprotect
 * may have changed the rest since.
 */
static void add_vma(struct oomlens_charges *c, struct vm_area_struct *vma,
		    unsigned long from)
{
	unsigned long pages = (vma->vm_end - max(vma->vm_start, from)) >> PAGE_SHIFT;

	if (vma->vm_flags & VM_ACCOUNT) {
		if (vma->vm_flags & VM_STACK)
			c->stack += pages;
		else if (vma_is_anonymous(vma))
			c->anon += pages;
		else
			c->file_private += pages;
	} else if (vma->vm_flags & VM_MAYSHARE) {
		c->shared += pages;
	} else if ((vma->vm_flags & (VM_NORESERVE | VM_HUGETLB)) == VM_NORESERVE) {
		c->noreserve += pages;
	}
}

/*
 * Takes what is needed to look at the VMAs of @mm.
 * Return: 0; -ESRCH if the last user is gone; -EAGAIN if the lock is taken.
 */
static int lock_vmas(struct mm_struct *mm)
{
	if (!mmget_not_zero(mm))
		return -ESRCH;
	if (mmap_read_trylock(mm))
		return 0;
	mmput_async(mm);
	return -EAGAIN;
}

static void unlock_vmas(struct mm_struct *mm)
{
	mmap_read_unlock(mm);
	/* If this was the last user, the unmapping is not the reader's work. */
	mmput_async(mm);
}

/*
 * Is someone waiting for the lock that is held here? Asked every so many VMAs:
 * nobody waits longer than these take, well under a millisecond, however many
 * there are. Who is not in anybody's way sees all of one moment.
 */
#define CONTENTION_VMAS	1024

static bool lock_is_contended(struct mm_struct *mm, unsigned int *left)
{
	if (--*left)
		return false;
	*left = CONTENTION_VMAS;
	return rwsem_is_contended(&mm->mmap_lock);
}

/* From *@from on; where it had to stop is left there. */
static int add_vmas(struct mm_struct *mm, struct oomlens_charges *c, unsigned long *from)
{
	unsigned int left = CONTENTION_VMAS;
	struct vm_area_struct *vma;

	VMA_ITERATOR(vmi, mm, *from);

	for_each_vma(vmi, vma) {
		add_vma(c, vma, *from);
		if (lock_is_contended(mm, &left)) {
			*from = vma->vm_end;
			return -EAGAIN;
		}
	}
	return 0;
}

/**
 * oomlens_vmas_charges() - what all VMAs of an address space are charged
 * @mm: held by mmgrab()
 * @c: zero at first; complete on success
 * @from: zero at first; where the next call goes on
 *
 * The mmap lock is held for reading over all VMAs, so that the sum is of one
 * moment; if someone waits for it, it is let go, and the rest is another call's.
 *
 * Context: process context, may sleep; does not wait for the lock.
 * Return: 0; -ESRCH if the address space is gone; -EAGAIN if its lock is taken
 * or wanted: to be called again.
 */
int oomlens_vmas_charges(struct mm_struct *mm, struct oomlens_charges *c,
			 unsigned long *from)
{
	int err = lock_vmas(mm);

	if (err)
		return err;
	err = add_vmas(mm, c, from);
	unlock_vmas(mm);
	return err;
}

/* ---- one row a VMA ---- */

/* First guess of the bytes that the names of VMAs without a file take. */
#define NAMES_SIZE	4096

/* Rows beyond map_count, for what is mapped before the lock is had. */
#define ROWS_SLACK	16

/* "[anon_shmem:NAME]": include/uapi/linux/prctl.h allows 80 bytes for NAME. */
#define NAME_SIZE	96

/* Return: the place of a copy of @name; 0, which is "", if there is no room. */
static unsigned int add_name(struct oomlens_vmas *v, const char *name)
{
	unsigned int size = strlen(name) + 1, at = v->names_used;

	if (size > v->names_size - at)
		return 0;
	memcpy(v->names + at, name, size);
	v->names_used += size;
	return at;
}

/*
 * The name in /proc/PID/maps where it is not a path; NULL if there is none.
 * Source: fs/proc/task_mmu.c, get_vma_name().
 */
static const char *special_name(struct vm_area_struct *vma, char *buf)
{
	const struct mm_struct *mm = vma->vm_mm;
	const char *anon_name = oomlens_anon_vma_name(vma);
	const char *name = NULL;

	if (anon_name) {
		snprintf(buf, NAME_SIZE, vma->vm_file ? "[anon_shmem:%s]" : "[anon:%s]",
			 anon_name);
		name = buf;
	}
	if (vma->vm_file)
		return name;
	if (vma->vm_ops && vma->vm_ops->name) {
		const char *special = vma->vm_ops->name(vma);

		if (special)
			return special;
	}
	if (vma->vm_start < mm->brk && vma->vm_end > mm->start_brk)
		return "[heap]";
	if (vma->vm_start <= mm->start_stack && vma->vm_end >= mm->start_stack)
		return "[stack]";
	return name;
}

/*
 * One that grew together across the place where the last call had to stop is
 * shown from there on.
 * Return: 0, or -ENOSPC if rows or names are full.
 */
static int fill_row(struct oomlens_vmas *v, struct vm_area_struct *vma,
		    struct oomlens_charges *c)
{
	struct oomlens_vma *row = &v->rows[v->n];
	char buf[NAME_SIZE];
	const char *name;

	if (v->n == v->max)
		return -ENOSPC;
	memset(row, 0, sizeof(*row));
	row->start = max(vma->vm_start, v->from);
	row->pages = (vma->vm_end - row->start) >> PAGE_SHIFT;
	/* What it adds to the sums is what it is. */
	row->charged = oomlens_charge(c);
	row->noreserve = c->noreserve;
	add_vma(c, vma, v->from);
	row->charged = oomlens_charge(c) - row->charged;
	row->noreserve = c->noreserve - row->noreserve;
	row->perms[0] = vma->vm_flags & VM_READ ? 'r' : '-';
	row->perms[1] = vma->vm_flags & VM_WRITE ? 'w' : '-';
	row->perms[2] = vma->vm_flags & VM_EXEC ? 'x' : '-';
	row->perms[3] = vma->vm_flags & VM_MAYSHARE ? 's' : 'p';

	name = special_name(vma, buf);
	if (name) {
		row->name = add_name(v, name);
		if (!row->name)
			return -ENOSPC;
	} else if (vma->vm_file) {
		/* Its path is looked up once the lock is dropped. */
		row->file = get_file(vma->vm_file);
	}
	v->n++;
	return 0;
}

/* Goes on from v->from. */
static int fill(struct oomlens_vmas *v, struct mm_struct *mm, struct oomlens_charges *c)
{
	unsigned int left = CONTENTION_VMAS;
	struct vm_area_struct *vma;
	int err;

	VMA_ITERATOR(vmi, mm, v->from);

	for_each_vma(vmi, vma) {
		err = fill_row(v, vma, c);
		if (err)
			return err;
		if (lock_is_contended(mm, &left)) {
			v->from = vma->vm_end;
			return -EAGAIN;
		}
	}
	return 0;
}

static int lock_and_fill(struct oomlens_vmas *v, struct mm_struct *mm,
			 struct oomlens_charges *c)
{
	int err = lock_vmas(mm);

	if (err)
		return err;
	err = fill(v, mm, c);
	unlock_vmas(mm);
	return err;
}

static int alloc(struct oomlens_vmas *v, unsigned int rows, unsigned int names)
{
	v->max = rows;
	v->names_size = names;
	v->rows = kvmalloc_array(rows, sizeof(*v->rows), OOMLENS_GFP);
	v->names = kvmalloc(names, OOMLENS_GFP);
	if (!v->rows || !v->names)
		return -ENOMEM;
	/* The first name is none. */
	v->names[0] = '\0';
	v->names_used = 1;
	return 0;
}

static int grow_names(struct oomlens_vmas *v)
{
	char *names = kvmalloc(2 * v->names_size, OOMLENS_GFP);

	if (!names)
		return -ENOMEM;
	memcpy(names, v->names, v->names_used);
	kvfree(v->names);
	v->names = names;
	v->names_size *= 2;
	return 0;
}

/* A path for each file, one for a run of rows with the same, and no file held. */
static int resolve(struct oomlens_vmas *v)
{
	char *buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	const struct file *last = NULL;
	unsigned int i, name = 0;

	if (!buf)
		return -ENOMEM;
	for (i = 0; i < v->n; i++) {
		struct oomlens_vma *row = &v->rows[i];
		const char *path;

		if (!row->file)
			continue;
		if (row->file != last) {
			path = d_path(file_user_path(row->file), buf, PATH_MAX);
			if (IS_ERR(path))
				path = "[path_too_long]";
			while (!(name = add_name(v, path))) {
				if (grow_names(v)) {
					kfree(buf);
					return -ENOMEM;
				}
			}
			last = row->file;
		}
		row->name = name;
		cond_resched();
	}
	kfree(buf);

	/* Only now: a file that is gone could come back at the same address. */
	for (i = 0; i < v->n; i++) {
		if (v->rows[i].file)
			fput(v->rows[i].file);
		v->rows[i].file = NULL;
	}
	return 0;
}

/* The largest promise first; where nothing is promised, the largest. */
static int compare_rows(const void *a, const void *b)
{
	const struct oomlens_vma *x = a, *y = b;

	cond_resched();
	if (x->charged != y->charged)
		return x->charged > y->charged ? -1 : 1;
	if (x->noreserve != y->noreserve)
		return x->noreserve > y->noreserve ? -1 : 1;
	if (x->pages != y->pages)
		return x->pages > y->pages ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/**
 * oomlens_vmas_read() - one row for each VMA, largest charge first
 * @v: zeroed at first; oomlens_vmas_free() is the caller's, also on error
 * @mm: held by mmgrab()
 * @c: their sum, complete on success
 *
 * Context: process context, may sleep; does not wait for the mmap lock.
 * Return: 0; -ESRCH if the address space is gone; -EAGAIN if its lock is taken
 * or wanted, or it has more VMAs than there is room for: to be called again;
 * -ENOMEM.
 */
int oomlens_vmas_read(struct oomlens_vmas *v, struct mm_struct *mm,
		      struct oomlens_charges *c)
{
	unsigned int names;
	int err;

	if (!v->rows) {
		memset(c, 0, sizeof(*c));
		err = alloc(v, READ_ONCE(mm->map_count) + ROWS_SLACK, NAMES_SIZE);
		if (err)
			return err;
	}
	err = lock_and_fill(v, mm, c);
	if (err == -ENOSPC) {
		/* From the beginning, with more room. */
		names = v->names_size * 4;
		oomlens_vmas_free(v);
		memset(c, 0, sizeof(*c));
		return alloc(v, READ_ONCE(mm->map_count) + ROWS_SLACK, names) ?: -EAGAIN;
	}
	if (err)
		return err;
	err = resolve(v);
	if (err)
		return err;
	sort(v->rows, v->n, sizeof(*v->rows), compare_rows, NULL);
	return 0;
}

/**
 * oomlens_vmas_free() - give back what oomlens_vmas_read() took
 * @v: zeroed, or read; zeroed after
 */
void oomlens_vmas_free(struct oomlens_vmas *v)
{
	unsigned int i;

	for (i = 0; i < v->n; i++)
		if (v->rows[i].file)
			fput(v->rows[i].file);
	kvfree(v->rows);
	kvfree(v->names);
	memset(v, 0, sizeof(*v));
}
