// SPDX-License-Identifier: GPL-2.0
/*
 * One address space's VMAs and what the kernel charged each of them with.
 *
 * The mmap lock is only ever tried: a reader must not be stuck behind a stuck
 * process. No page table is read. The process that is read about may map and
 * unmap as fast as it can: rows, names, restarts and time are bounded.
 */
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/rwsem.h>
#include <linux/sort.h>

#include "vma.h"

/*
 * Adds the part of the VMA from @from on. Only VM_ACCOUNT tells whether it is
 * charged: mprotect() may have changed the other flags since.
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
 * Does another task wait for the lock that is held here? Asked every CONTENTION_VMAS, so
 * the other task waits well under a millisecond, however many VMAs there are, unless this
 * one has to wait for a processor. Without contention the result is one consistent snapshot.
 */
#define CONTENTION_VMAS	1024

static bool lock_is_contended(struct mm_struct *mm, unsigned int *left)
{
	if (--*left)
		return false;
	*left = CONTENTION_VMAS;
	if (rwsem_is_contended(&mm->mmap_lock))
		return true;
	cond_resched();
	return rwsem_is_contended(&mm->mmap_lock);
}

/* ---- one row a VMA ---- */

/* How often a read goes on, without a VMA more, after its lock was taken or room ran out. */
#define ROUNDS		20
#define PAUSE_US	1000

/* Rows beyond map_count, for what is mapped before the lock is had. */
#define ROWS_SLACK	16

/* "[anon_shmem:NAME]": ANON_VMA_NAME_MAX_LEN allows 80 bytes for NAME. */
#define NAME_SIZE	96

/* A name; one for each distinct file. */
struct oomlens_name {
	struct oomlens_name *next;
	char text[];
};

static int grow_rows(struct oomlens_vmas *v)
{
	unsigned int max = min_t(size_t, v->max + v->max / 2,
				 oomlens_read_budget() / sizeof(*v->rows));
	struct oomlens_vma *rows = NULL;

	if (max > v->max)
		rows = kvmalloc_array(max, sizeof(*rows), OOMLENS_GFP);
	if (!rows)
		return -ENOMEM;
	memcpy(rows, v->rows, v->n * sizeof(*rows));
	kvfree(v->rows);
	v->rows = rows;
	v->max = max;
	return 0;
}

/* Return: a copy that stays as long as @v; NULL if there is no room for it. */
static const char *add_name(struct oomlens_vmas *v, const char *text, gfp_t gfp)
{
	size_t size = strlen(text) + 1;
	struct oomlens_name *name = NULL;

	if (sizeof(*name) + size <= v->names_left)
		name = kmalloc(sizeof(*name) + size, gfp);
	if (!name) {
		v->complete = false;
		return NULL;
	}
	memcpy(name->text, text, size);
	name->next = v->names;
	v->names = name;
	v->names_left -= min(v->names_left, ksize(name));
	return name->text;
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
 * A VMA that was merged across the address where the last call had to stop is
 * shown from there on.
 */
static void fill_row(struct oomlens_vmas *v, struct vm_area_struct *vma,
		     struct oomlens_charges *c)
{
	struct oomlens_vma *row = &v->rows[v->n++];
	const struct oomlens_charges before = *c;
	char buf[NAME_SIZE];
	const char *name = special_name(vma, buf);

	add_vma(c, vma, v->from);
	*row = (struct oomlens_vma){
		.start = max(vma->vm_start, v->from),
		/* The VMA's part is what add_vma() has added to the sum. */
		.charged = oomlens_charge(c) - oomlens_charge(&before),
		.noreserve = c->noreserve - before.noreserve,
		.perms = {
			vma->vm_flags & VM_READ ? 'r' : '-',
			vma->vm_flags & VM_WRITE ? 'w' : '-',
			vma->vm_flags & VM_EXEC ? 'x' : '-',
			vma->vm_flags & VM_MAYSHARE ? 's' : 'p',
		},
	};
	row->pages = (vma->vm_end - row->start) >> PAGE_SHIFT;
	if (name)
		/* The lock is not held over reclaim. */
		row->name = add_name(v, name, GFP_NOWAIT | __GFP_NOWARN);
	else if (vma->vm_file)
		/* Its path is looked up once the lock is dropped. */
		row->file = get_file(vma->vm_file);
}

/*
 * Sums up from *@from on, with a row for each VMA if there is @v; the address
 * where it had to stop is left in *@from.
 * Return: 0; -EAGAIN if the lock is wanted; -ENOSPC if the rows are full.
 */
static int add_vmas(struct mm_struct *mm, struct oomlens_charges *c, unsigned long *from,
		    struct oomlens_vmas *v)
{
	unsigned int left = CONTENTION_VMAS;
	struct vm_area_struct *vma;

	VMA_ITERATOR(vmi, mm, *from);

	for_each_vma(vmi, vma) {
		if (v && v->n == v->max)
			return -ENOSPC;
		if (v)
			fill_row(v, vma, c);
		else
			add_vma(c, vma, *from);
		*from = vma->vm_end;
		if (lock_is_contended(mm, &left))
			return -EAGAIN;
	}
	return 0;
}

static int lock_and_add(struct mm_struct *mm, struct oomlens_charges *c, unsigned long *from,
			struct oomlens_vmas *v)
{
	int err = lock_vmas(mm);

	if (err)
		return err;
	err = add_vmas(mm, c, from, v);
	unlock_vmas(mm);
	return err;
}

/**
 * oomlens_vmas_charges() - what all VMAs of an address space are charged
 * @mm: held by mmgrab()
 * @c: zero at first; complete on success
 * @from: zero at first; where the next call goes on
 *
 * The mmap lock is held for reading over all VMAs, so that the sum is of one
 * moment. If another task waits for it, it is dropped, and the next call goes on.
 *
 * Context: process context, may sleep; does not wait for the lock.
 * Return: 0; -ESRCH if the address space is gone; -EAGAIN if its lock is taken
 * or wanted: to be called again.
 */
int oomlens_vmas_charges(struct mm_struct *mm, struct oomlens_charges *c,
			 unsigned long *from)
{
	return lock_and_add(mm, c, from, NULL);
}

/* The same files beside each other. */
static int compare_files(const void *a, const void *b)
{
	const struct oomlens_vma *x = a, *y = b;

	cond_resched();
	return cmp_int(x->file, y->file);
}

/* Largest charge first, then most noreserve, then most pages, then lowest address. */
static int compare_rows(const void *a, const void *b)
{
	const struct oomlens_vma *x = a, *y = b;

	cond_resched();
	return cmp_int(y->charged, x->charged) ?: cmp_int(y->noreserve, x->noreserve) ?:
	       cmp_int(y->pages, x->pages) ?: cmp_int(x->start, y->start);
}

static const char *add_path(struct oomlens_vmas *v, struct file *file, char *buf)
{
	const char *path = d_path(file_user_path(file), buf, PATH_MAX);

	return add_name(v, IS_ERR(path) ? "[path_too_long]" : path, OOMLENS_GFP);
}

/*
 * One path for each distinct file, and no file is held any more. Where there is
 * no room for a path, the row has none.
 */
static void resolve(struct oomlens_vmas *v)
{
	char *buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	const char *name = NULL;
	struct file *last = NULL;
	unsigned int i;

	v->complete = v->complete && buf;
	sort(v->rows, v->n, sizeof(*v->rows), compare_files, NULL);
	for (i = 0; i < v->n; i++) {
		struct oomlens_vma *row = &v->rows[i];

		if (!row->file)
			continue;
		if (row->file != last)
			name = buf ? add_path(v, row->file, buf) : NULL;
		last = row->file;
		row->name = name;
		/* Each row holds its file: no other row's can have this address. */
		fput(row->file);
		row->file = NULL;
		cond_resched();
	}
	kfree(buf);
}

/*
 * Up to the end of the address space, or as far as ROUNDS go.
 * Return: 0; -ENOMEM, -EAGAIN if some VMAs are missing; -ESRCH; -EINTR.
 */
static int fill_all(struct oomlens_vmas *v, struct mm_struct *mm, struct oomlens_charges *c)
{
	unsigned int round;
	int err;

	for (round = 0; ; round++) {
		unsigned long from = v->from;

		err = lock_and_add(mm, c, &v->from, v);
		if (fatal_signal_pending(current))
			return -EINTR;
		if (err == -ENOSPC) {
			err = grow_rows(v);
			if (err)
				return err;
		} else if (err != -EAGAIN) {
			return err;
		}
		/* Addresses only rise, and rows are bounded: this ends. */
		if (v->from != from)
			round = 0;
		if (round == ROUNDS)
			return -EAGAIN;
		if (err)
			usleep_range(PAUSE_US, 2 * PAUSE_US);
	}
}

static int visit_files(struct mm_struct *mm, int (*visit)(struct file *file, void *arg),
		       void *arg, unsigned long *from)
{
	unsigned int left = CONTENTION_VMAS;
	struct vm_area_struct *vma;
	int err;

	VMA_ITERATOR(vmi, mm, *from);

	for_each_vma(vmi, vma) {
		err = vma->vm_file ? visit(vma->vm_file, arg) : 0;
		if (err)
			return err;
		*from = vma->vm_end;
		if (lock_is_contended(mm, &left))
			return -EAGAIN;
	}
	return 0;
}

/**
 * oomlens_vmas_files() - visit the file of every VMA that has one
 * @mm: held by mmgrab()
 * @visit: called with the mmap lock held for reading; an error ends the call, and
 *	the next one begins with the same VMA
 * @arg: for @visit
 * @from: zero at first; where the next call goes on
 *
 * Context: process context, may sleep; does not wait for the lock.
 * Return: 0; what the visitor returned; -ESRCH if the address space is gone;
 * -EAGAIN if its lock is taken or wanted: to be called again.
 */
int oomlens_vmas_files(struct mm_struct *mm, int (*visit)(struct file *file, void *arg),
		       void *arg, unsigned long *from)
{
	int err = lock_vmas(mm);

	if (err)
		return err;
	err = visit_files(mm, visit, arg, from);
	unlock_vmas(mm);
	return err;
}

/**
 * oomlens_vmas_read() - one row for each VMA, largest charge first
 * @v: zeroed; oomlens_vmas_free() is the caller's, also on error
 * @mm: held by mmgrab()
 * @c: their sum
 *
 * v->complete tells whether @v and @c have all VMAs and their names: the lock
 * may be taken for long, the process may map faster than it is read, and the
 * memory for rows and names is bounded.
 *
 * Context: process context, sleeps, bounded; does not wait for the mmap lock.
 * Return: 0; -ESRCH if the address space is gone; -EINTR on a fatal signal;
 * -ENOMEM if there is no memory even for a beginning.
 */
int oomlens_vmas_read(struct oomlens_vmas *v, struct mm_struct *mm,
		      struct oomlens_charges *c)
{
	int err;

	memset(c, 0, sizeof(*c));
	v->max = min_t(size_t, READ_ONCE(mm->map_count) + ROWS_SLACK,
		       oomlens_read_budget() / sizeof(*v->rows));
	v->names_left = oomlens_read_budget();
	v->rows = kvmalloc_array(v->max, sizeof(*v->rows), OOMLENS_GFP);
	if (!v->rows)
		return -ENOMEM;
	v->complete = true;
	err = fill_all(v, mm, c);
	if (err == -ESRCH || err == -EINTR)
		return err;
	if (err)
		v->complete = false;
	resolve(v);
	sort(v->rows, v->n, sizeof(*v->rows), compare_rows, NULL);
	return 0;
}

/**
 * oomlens_vmas_free() - give back what oomlens_vmas_read() took
 * @v: zeroed, or read; zeroed after
 *
 * Context: process context, may sleep.
 */
void oomlens_vmas_free(struct oomlens_vmas *v)
{
	struct oomlens_name *name;
	unsigned int i;

	for (i = 0; i < v->n; i++)
		if (v->rows[i].file)
			fput(v->rows[i].file);
	kvfree(v->rows);
	while ((name = v->names)) {
		v->names = name->next;
		kfree(name);
		cond_resched();
	}
	memset(v, 0, sizeof(*v));
}
