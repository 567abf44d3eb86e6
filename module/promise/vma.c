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
#include <linux/sizes.h>
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
 * Does another task wait for the lock that is held here? Asked every
 * CONTENTION_VMAS, so the other task waits well under a millisecond, however many VMAs there
 * are. Without contention the result is one consistent snapshot.
 */
#define CONTENTION_VMAS	1024

static bool lock_is_contended(struct mm_struct *mm, unsigned int *left)
{
	if (--*left)
		return false;
	*left = CONTENTION_VMAS;
	return rwsem_is_contended(&mm->mmap_lock);
}

/* Begins at *@from; the address where it had to stop is left there. */
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
 * moment. If another task waits for it, it is dropped, and the next call goes on.
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

/* How often a read goes on, without a VMA more, after its lock was taken or room ran out. */
#define ROUNDS		20
#define PAUSE_US	1000

/* Rows beyond map_count, for what is mapped before the lock is had. */
#define ROWS_SLACK	16

#define NAMES_FIRST	4096

/* "[anon_shmem:NAME]": ANON_VMA_NAME_MAX_LEN allows 80 bytes for NAME. */
#define NAME_SIZE	96

/* Bytes for the rows of one read, and as many for its names: 1/64 of RAM, 64 MiB at most. */
static size_t room_max(void)
{
	return min_t(size_t, totalram_pages() * (PAGE_SIZE / 64), SZ_64M);
}

/* Other memory with the first @used bytes of @old; NULL if it would be no larger. */
static void *grown(void *old, size_t used, size_t size)
{
	void *new = size > used ? kvmalloc(size, OOMLENS_GFP) : NULL;

	if (!new)
		return NULL;
	memcpy(new, old, used);
	kvfree(old);
	return new;
}

static int grow_rows(struct oomlens_vmas *v)
{
	unsigned int max = min_t(size_t, v->max + v->max / 2, room_max() / sizeof(*v->rows));
	void *rows = grown(v->rows, v->n * sizeof(*v->rows), max * sizeof(*v->rows));

	if (!rows)
		return -ENOMEM;
	v->rows = rows;
	v->max = max;
	return 0;
}

static int grow_names(struct oomlens_vmas *v)
{
	size_t size = min(2 * v->names_size, room_max());
	void *names = size > v->names_size ? grown(v->names, v->names_used, size) : NULL;

	if (!names)
		return -ENOMEM;
	v->names = names;
	v->names_size = size;
	return 0;
}

/* Return: the place of a copy of @name; 0, which is "", if there is no room. */
static size_t add_name(struct oomlens_vmas *v, const char *name)
{
	size_t size = strlen(name) + 1, at = v->names_used;

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
 * A VMA that was merged across the address where the last call had to stop is
 * shown from there on.
 * Return: 0, or -ENOSPC if rows or names are full.
 */
static int fill_row(struct oomlens_vmas *v, struct vm_area_struct *vma,
		    struct oomlens_charges *c)
{
	struct oomlens_vma *row = &v->rows[v->n];
	const struct oomlens_charges before = *c;
	char buf[NAME_SIZE];
	const char *name = special_name(vma, buf);

	if (v->n == v->max || (name && strlen(name) >= v->names_size - v->names_used))
		return -ENOSPC;
	add_vma(c, vma, v->from);
	*row = (struct oomlens_vma){
		.start = max(vma->vm_start, v->from),
		/* The row's kind is told by which sum has grown. */
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
		row->name = add_name(v, name);
	else if (vma->vm_file)
		/* Its path is looked up once the lock is dropped. */
		row->file = get_file(vma->vm_file);
	v->n++;
	return 0;
}

/* Goes on at v->from, and leaves there the address where it had to stop. */
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
		v->from = vma->vm_end;
		if (lock_is_contended(mm, &left))
			return -EAGAIN;
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

/* The same files beside each other. */
static int compare_files(const void *a, const void *b)
{
	const struct oomlens_vma *x = a, *y = b;

	cond_resched();
	return x->file < y->file ? -1 : x->file > y->file;
}

/* Largest charge first, then most noreserve, then most pages, then lowest address. */
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

/* Return: the place of the file's path; 0 if there is no room for it. */
static size_t add_path(struct oomlens_vmas *v, struct file *file, char *buf)
{
	const char *path = d_path(file_user_path(file), buf, PATH_MAX);
	size_t at;

	if (IS_ERR(path))
		path = "[path_too_long]";
	while (!(at = add_name(v, path)))
		if (grow_names(v))
			break;
	return at;
}

/*
 * One path for each distinct file, and no file is held any more. Where there is
 * no room for a path, the row has none.
 * Return: true if each file has its path.
 */
static bool resolve(struct oomlens_vmas *v)
{
	char *buf = kmalloc(PATH_MAX, OOMLENS_GFP);
	struct file *last = NULL;
	bool all = true;
	size_t name = 0;
	unsigned int i;

	sort(v->rows, v->n, sizeof(*v->rows), compare_files, NULL);
	for (i = 0; i < v->n; i++) {
		struct oomlens_vma *row = &v->rows[i];

		if (!row->file)
			continue;
		if (row->file != last) {
			last = row->file;
			name = buf ? add_path(v, last, buf) : 0;
			all = all && name;
		}
		row->name = name;
		/* Each row holds its file: no other row's can have this address. */
		fput(row->file);
		row->file = NULL;
		cond_resched();
	}
	kfree(buf);
	return all;
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

		err = lock_and_fill(v, mm, c);
		if (fatal_signal_pending(current))
			return -EINTR;
		if (err == -ENOSPC) {
			err = v->n == v->max ? grow_rows(v) : grow_names(v);
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
		       room_max() / sizeof(*v->rows));
	v->names_size = NAMES_FIRST;
	v->rows = kvmalloc_array(v->max, sizeof(*v->rows), OOMLENS_GFP);
	v->names = kvmalloc(v->names_size, OOMLENS_GFP);
	if (!v->rows || !v->names)
		return -ENOMEM;
	/* Offset 0 means no name. */
	v->names[0] = '\0';
	v->names_used = 1;
	err = fill_all(v, mm, c);
	if (err == -ESRCH || err == -EINTR)
		return err;
	v->complete = resolve(v) && !err;
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
