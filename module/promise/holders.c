// SPDX-License-Identifier: GPL-2.0
/*
 * Which processes have an object open or mapped.
 *
 * The walk over tasks only pins them, under RCU. Then each is looked at: its
 * descriptors under task_lock(), as many at a time as a word of the table's
 * bitmap has, and its mappings, whose lock is only ever tried. A process that
 * is stuck, has a million descriptors, or opens and closes all the time delays
 * neither the reader for long nor any other task.
 */
#include <linux/delay.h>
#include <linux/fdtable.h>
#include <linux/magic.h>
#include <linux/path.h>
#include <linux/sizes.h>
#include <linux/sort.h>

#include "objects.h"
#include "vma.h"

/* Room before each stretch of the walk: for its processes, and for threads with own descriptors. */
#define SPARE_ROWS	(4 * OOMLENS_WALK_CHUNK)

/*
 * Pauses for a lock that is taken: of one process, and of the whole read, however
 * many processes are stuck.
 */
#define PAUSES_EACH	20
#define PAUSES_ALL	100
#define PAUSE_US	1000

/* The whole search ends after this time. */
#define SEARCH_MS	10000

/* Files that are found under a lock, and looked at without it. */
#define PENDING		64

struct search {
	struct oomlens_objects *objects;
	struct oomlens_holders *holders;
	const struct oomlens_object_scope *scope;
	unsigned int index;		/* of the process that is looked at */
	bool listed;			/* its objects are the scope */
	bool mapped;			/* its mappings are looked at, not its descriptors */
	struct path pending[PENDING];	/* held */
	unsigned int n;
	unsigned int pauses;
	unsigned long end;		/* jiffies */
};

/* ---- the walk: under RCU, pins only ---- */

static void add_row(struct oomlens_holders *h, struct task_struct *p, struct task_struct *t)
{
	struct oomlens_holder *row = &h->rows[h->n++];

	get_task_struct(t);
	memset(row, 0, sizeof(*row));
	row->task = t;
	row->start = p->start_time;
	row->pid = p->tgid;
	row->memcg = oomlens_memcg_set_index(h->memcgs, oomlens_memcg_of(p));
	strscpy_pad(row->comm, p->comm, sizeof(row->comm));
}

/*
 * The process, by its leader, and each thread whose descriptors are not those of
 * the leader and of the thread before it: it may have its own, or the leader is
 * dead.
 */
static int visit_task(struct task_struct *p, void *arg)
{
	const struct files_struct *files = READ_ONCE(p->files), *last = files;
	struct oomlens_holders *h = arg;
	struct task_struct *t;

	if (p->flags & PF_KTHREAD)
		return 0;
	add_row(h, p, p);
	for_each_thread(p, t) {
		const struct files_struct *own = READ_ONCE(t->files);

		if (!own || own == files || own == last)
			continue;
		last = own;
		/* The rest is for the processes up to the next pause. */
		if (h->max - h->n <= OOMLENS_WALK_CHUNK)
			h->complete = false;
		else
			add_row(h, p, t);
	}
	return 0;
}

static int resize(struct oomlens_holders *h, unsigned int max)
{
	struct oomlens_holder *rows = kvmalloc_array(max, sizeof(*rows), OOMLENS_GFP_FILE);

	if (!rows)
		return -ENOMEM;
	if (h->n)
		memcpy(rows, h->rows, h->n * sizeof(*rows));
	kvfree(h->rows);
	h->rows = rows;
	h->max = max;
	return 0;
}

static int make_room(void *arg)
{
	struct oomlens_holders *h = arg;

	if (h->max - h->n < SPARE_ROWS && resize(h, 2 * h->max + SPARE_ROWS))
		return -ENOMEM;
	return oomlens_memcg_set_reserve(h->memcgs, OOMLENS_WALK_CHUNK);
}

static int collect(struct oomlens_holders *h)
{
	/* Nothing to rewind: what is visited twice is merged later. */
	const struct oomlens_walk walk = { .pause = make_room, .visit = visit_task, .arg = h };

	memset(h, 0, sizeof(*h));
	h->complete = true;
	h->memcgs = oomlens_memcg_set_alloc(OOMLENS_WALK_CHUNK);
	if (!h->memcgs)
		return -ENOMEM;
	return oomlens_walk_tasks(&walk);
}

/* The oldest process first, and its tasks beside each other. */
static int compare_holders(const void *a, const void *b)
{
	const struct oomlens_holder *x = a, *y = b;

	cond_resched();
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return cmp_int(x->task, y->task);
}

static void drop_task(struct oomlens_holder *row)
{
	if (row->task)
		put_task_struct(row->task);
	row->task = NULL;
}

/* ---- one object that is found ---- */

static void list_object(const struct search *s, struct oomlens_object *o)
{
	const struct oomlens_object_scope *scope = s->scope;

	o->listed = scope->by_id ? o->dev == scope->dev && o->ino == scope->ino : !scope->pid;
}

static void count_holder(struct search *s, struct oomlens_object *o)
{
	struct oomlens_holder *row = &s->holders->rows[s->index];

	o->listed |= s->listed;
	if (s->scope->by_id && o->listed && s->mapped)
		row->mappings++;
	else if (s->scope->by_id && o->listed)
		row->descriptors++;
	if (o->last == s->index + 1)
		return;
	o->last = s->index + 1;
	if (!o->holders++)
		o->oldest = s->index;
}

/*
 * Is it a dma-buf, for which no row can be made under a lock, or a file of an overlay,
 * whose real file may have to be looked up? Not an O_PATH descriptor: its real file may
 * not be there any more, and the kernel warns of that.
 */
static bool must_wait(const struct file *file, const struct inode *inode)
{
	if (inode->i_sb->s_magic == OVERLAYFS_SUPER_MAGIC)
		return S_ISREG(inode->i_mode) && !(file->f_mode & FMODE_PATH);
	return inode->i_sb->s_magic == DMA_BUF_MAGIC;
}

/* Return: 0, or -ENOSPC if it is to be shown again after take_pending(). */
static int note_file(struct file *file, void *arg)
{
	const struct inode *inode = file_inode(file);
	struct search *s = arg;
	struct oomlens_object *o = oomlens_objects_find(s->objects, inode);

	if (o) {
		count_holder(s, o);
		return 0;
	}
	if (!must_wait(file, inode))
		return 0;
	if (s->n == PENDING)
		return -ENOSPC;
	s->pending[s->n] = file->f_path;
	path_get(&s->pending[s->n++]);
	return 0;
}

static void take_pending(struct search *s)
{
	while (s->n) {
		struct path *path = &s->pending[--s->n];
		struct inode *inode = d_real_inode(path->dentry);
		struct oomlens_object *o = oomlens_objects_find(s->objects, inode);

		if (!o && inode->i_sb->s_magic == DMA_BUF_MAGIC) {
			oomlens_objects_add(s->objects, inode);
			o = oomlens_objects_find(s->objects, inode);
			if (o)
				list_object(s, o);
		}
		if (o)
			count_holder(s, o);
		path_put(path);
	}
}

/* ---- descriptors ---- */

/*
 * The descriptors of one word of the table's bitmap: neither many nor a large and empty
 * table are walked under its lock.
 * Return: the descriptor to go on from; 0 at the end of the table.
 */
static unsigned int visit_fds(struct search *s, struct task_struct *t, unsigned int fd)
{
	struct files_struct *files;
	unsigned int end, next = 0;
	struct fdtable *fdt;
	struct file *file;

	task_lock(t);
	files = t->files;
	if (files) {
		spin_lock(&files->file_lock);
		fdt = files_fdtable(files);
		fd = find_next_bit(fdt->open_fds, fdt->max_fds, fd);
		end = min_t(unsigned int, round_up(fd + 1, BITS_PER_LONG), fdt->max_fds);
		for (; fd < end; fd++) {
			file = rcu_dereference_check_fdtable(files, fdt->fd[fd]);
			if (file && note_file(file, s))
				break;
		}
		next = fd < fdt->max_fds ? fd : 0;
		spin_unlock(&files->file_lock);
	}
	task_unlock(t);
	return next;
}

static void search_fds(struct search *s, struct task_struct *t)
{
	unsigned int fd = 0;

	do {
		fd = visit_fds(s, t, fd);
		take_pending(s);
		cond_resched();
	} while (fd && !fatal_signal_pending(current));
}

/* ---- mappings ---- */

static bool pause(struct search *s, unsigned int *pauses)
{
	if (!*pauses || !s->pauses)
		return false;
	--*pauses;
	s->pauses--;
	usleep_range(PAUSE_US, 2 * PAUSE_US);
	return !fatal_signal_pending(current);
}

/* Return: false if the lock could not be had. */
static bool search_mm(struct search *s, struct mm_struct *mm)
{
	unsigned int pauses = PAUSES_EACH;
	unsigned long from = 0;
	int err;

	for (;;) {
		err = oomlens_vmas_files(mm, note_file, s, &from);
		take_pending(s);
		if (err == -EAGAIN && !pause(s, &pauses))
			return false;
		if (err != -EAGAIN && err != -ENOSPC)
			return true;
	}
}

/* ---- all processes ---- */

static bool same_process(const struct oomlens_holder *a, const struct oomlens_holder *b)
{
	return a->start == b->start && a->pid == b->pid;
}

static void search_task(struct search *s, struct oomlens_holders *h, unsigned int i)
{
	struct task_struct *t = h->rows[i].task;
	bool first = !i || !same_process(&h->rows[i - 1], &h->rows[i]);
	struct mm_struct *mm;

	if (first) {
		s->index = i;
		s->listed = s->scope->pid && task_tgid(t) == s->scope->pid;
	}
	s->mapped = false;
	search_fds(s, t);
	mm = first ? oomlens_task_grab_mm(t) : NULL;
	if (!mm)
		return;
	s->mapped = true;
	if (!search_mm(s, mm))
		h->complete = false;
	mmdrop(mm);
}

static int search_all(struct search *s, struct oomlens_holders *h)
{
	const struct task_struct *last = NULL;
	unsigned int i;

	for (i = 0; i < h->n; i++) {
		/* Each row holds its task: no other can have this address. */
		if (h->rows[i].task != last)
			search_task(s, h, i);
		last = h->rows[i].task;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, s->end)) {
			h->complete = false;
			break;
		}
	}
	return 0;
}

/**
 * oomlens_holders_read() - find which processes have the objects
 * @h: zeroed; oomlens_holders_free() is the caller's, also on error
 * @t: the objects; dma-bufs are added
 * @scope: which of them are listed; with an id also how often each process has it
 *
 * An object's oldest is an index in h->rows.
 *
 * Context: process context, sleeps, bounded.
 * Return: 0, -ENOMEM, -EINTR on a fatal signal, -EAGAIN if tasks came or went
 * too fast for the walk over and over.
 */
int oomlens_holders_read(struct oomlens_holders *h, struct oomlens_objects *t,
			 const struct oomlens_object_scope *scope)
{
	struct search s = {
		.objects = t,
		.holders = h,
		.scope = scope,
		.pauses = PAUSES_ALL,
		.end = jiffies + msecs_to_jiffies(SEARCH_MS),
	};
	unsigned int i;
	int err;

	err = collect(h);
	if (err)
		return err;
	sort(h->rows, h->n, sizeof(*h->rows), compare_holders, NULL);
	for (i = 0; i < t->n; i++)
		list_object(&s, &t->rows[i]);
	err = search_all(&s, h);
	for (i = 0; i < h->n; i++)
		drop_task(&h->rows[i]);
	return err ?: oomlens_memcg_set_resolve(h->memcgs);
}

/**
 * oomlens_holders_free() - give back what a read took
 * @h: zeroed, or read; zeroed after
 *
 * Context: process context, may sleep.
 */
void oomlens_holders_free(struct oomlens_holders *h)
{
	unsigned int i;

	for (i = 0; i < h->n; i++)
		drop_task(&h->rows[i]);
	kvfree(h->rows);
	oomlens_memcg_set_free(h->memcgs);
	memset(h, 0, sizeof(*h));
}
