// SPDX-License-Identifier: GPL-2.0
/*
 * objects: the shared memory objects, of which no process is the owner, with
 * the processes that have them open or mapped.
 */

#include "objects.h"
#include "process.h"
#include "promise.h"

static const char * const kind_names[] = {
	[OOMLENS_OBJECT_TMPFS]		= "tmpfs",
	[OOMLENS_OBJECT_MEMFD]		= "memfd",
	[OOMLENS_OBJECT_SHARED]		= "shared",
	[OOMLENS_OBJECT_SYSV]		= "sysv",
	[OOMLENS_OBJECT_DMABUF]		= "dmabuf",
	[OOMLENS_OBJECT_GEM]		= "gem",
	[OOMLENS_OBJECT_HUGETLBFS]	= "hugetlbfs",
};

static_assert(ARRAY_SIZE(kind_names) == OOMLENS_NR_OBJECT_KINDS);

enum objects_scope { OBJECTS_ALL, OBJECTS_PID, OBJECTS_ID };

struct objects {
	enum objects_scope scope;
	struct oomlens_object_scope of;
	unsigned int rows;		/* to be printed; 0: all */
	enum objects_scope taken;	/* the snapshot's */
	unsigned int taken_rows;	/* of it; with OBJECTS_ID, holders up to the last */
	struct oomlens_objects table;
	struct oomlens_holders holders;
	unsigned long resident;		/* pages, of the rows */
	unsigned long swapped;
	unsigned long charge;
	unsigned int unheld;
};

static void free_table(struct objects *o)
{
	oomlens_objects_free(&o->table);
	oomlens_holders_free(&o->holders);
}

static bool has_holders(const struct oomlens_object *row)
{
	/* GEM handles are not file descriptors. */
	return row->kind != OOMLENS_OBJECT_GEM;
}

/* Leaves out what is not in the scope, and sums up the rest. */
static void list_rows(struct objects *o)
{
	struct oomlens_objects *t = &o->table;
	unsigned int i, n = 0;

	o->resident = 0;
	o->swapped = 0;
	o->charge = 0;
	o->unheld = 0;
	for (i = 0; i < t->n; i++) {
		const struct oomlens_object *row = &t->rows[i];

		if (!row->listed)
			continue;
		o->resident += row->resident;
		o->swapped += row->swapped;
		o->charge += row->charge;
		o->unheld += has_holders(row) && !row->holders;
		if (i != n)
			t->rows[n] = *row;
		n++;
	}
	t->n = n;
}

/* A zombie is there, and has nothing any more. */
static bool is_gone(struct pid *pid)
{
	struct task_struct *p, *t;
	bool gone = true;

	rcu_read_lock();
	p = pid_task(pid, PIDTYPE_TGID);
	if (p)
		for_each_thread(p, t)
			gone &= !READ_ONCE(t->files) && !READ_ONCE(t->mm);
	rcu_read_unlock();
	return gone;
}

static int take_table(struct objects *o, unsigned int largest)
{
	int err;

	if (o->of.pid && is_gone(o->of.pid))
		return -ESRCH;
	err = oomlens_objects_read(&o->table, largest) ?:
	      oomlens_holders_read(&o->holders, &o->table, &o->of);
	if (err)
		return err;
	/* It may have ended during the search. */
	if (o->of.pid && is_gone(o->of.pid))
		return -ESRCH;
	list_rows(o);
	oomlens_objects_sort(&o->table);
	return 0;
}

static bool holds_any(const struct oomlens_holder *row)
{
	return row->descriptors || row->mappings;
}

/* The index behind the last holder to be printed. */
static unsigned int end_of_holders(const struct objects *o)
{
	unsigned int i, left = o->rows ?: UINT_MAX;

	for (i = 0; i < o->holders.n && left; i++)
		left -= holds_any(&o->holders.rows[i]);
	return i;
}

static int objects_snapshot(struct seq_file *m)
{
	struct objects *o = m->private;
	int err;

	if (o->scope != OBJECTS_ALL && !oomlens_may_see(m))
		return -EPERM;
	free_table(o);
	o->taken = o->scope;
	err = take_table(o, 0);
	if (err) {
		free_table(o);
		return err;
	}
	o->taken_rows = o->taken == OBJECTS_ID ? end_of_holders(o) :
			oomlens_rows_shown(o->table.n, o->rows);
	oomlens_counter_add(OOMLENS_SNAPSHOTS, 1);
	return 0;
}

static void objects_release(struct seq_file *m)
{
	struct objects *o = m->private;

	free_table(o);
	put_pid(o->of.pid);
}

/* ---- printing ---- */

static char *put_id(char *p, const struct oomlens_object *row)
{
	p = oomlens_put_ulong(p, MAJOR(row->dev));
	p[-1] = ':';
	p = oomlens_put_ulong(p, MINOR(row->dev));
	p[-1] = ':';
	if ((unsigned long)row->ino == row->ino)
		return oomlens_put_ulong(p, row->ino);
	return p + sprintf(p, "%llu ", row->ino);
}

static char *put_pages(char *p, const struct oomlens_object *row)
{
	if (row->kind == OOMLENS_OBJECT_DMABUF) {
		p = oomlens_put_word(p, "- -");
	} else {
		p = oomlens_put_ulong(p, row->resident);
		p = oomlens_put_ulong(p, row->swapped);
	}
	p = oomlens_put_ulong(p, row->charge);
	return oomlens_put_ulong(p, row->size);
}

static const struct oomlens_holder *oldest_holder(const struct objects *o,
						  const struct oomlens_object *row)
{
	return row->holders && has_holders(row) ? &o->holders.rows[row->oldest] : NULL;
}

static void show_row(struct seq_file *m, const struct objects *o,
		     const struct oomlens_object *row)
{
	const struct oomlens_holder *oldest = oldest_holder(o, row);
	const char *path = oomlens_memcg_set_path(o->holders.memcgs, oldest ? oldest->memcg : 0);
	const char *name = row->name ? o->table.names + row->name : "-";
	size_t name_len = strlen(name);
	char *p = oomlens_row_begin(m, strlen(path) + name_len);

	if (!p)
		return;
	p = oomlens_put_word(p, kind_names[row->kind]);
	p = put_id(p, row);
	p = put_pages(p, row);
	if (has_holders(row))
		p = oomlens_put_ulong(p, row->holders);
	else
		p = oomlens_put_word(p, "-");
	if (oldest) {
		p = oomlens_put_ulong(p, oldest->pid);
		p = oomlens_put_comm(p, oldest->comm);
	} else {
		p = oomlens_put_word(p, "- -");
	}
	p = oomlens_put_word(p, path);
	oomlens_row_end(m, oomlens_put_name(p, name, name_len));
}

/*
 * With the scope "id" the objects come first: in each IPC namespace there may be one of
 * that id. Then the processes that have them; the others are passed over.
 */
static void *next_of_id(struct objects *o, loff_t *pos)
{
	unsigned int n = o->table.n;

	if (*pos <= n)
		return &o->table.rows[*pos - 1];
	for (; *pos - n <= o->taken_rows; ++*pos) {
		struct oomlens_holder *row = &o->holders.rows[*pos - n - 1];

		if (holds_any(row))
			return row;
	}
	return NULL;
}

static void show_holder(struct seq_file *m, const struct objects *o,
			const struct oomlens_holder *row)
{
	const char *path = oomlens_memcg_set_path(o->holders.memcgs, row->memcg);
	char *p = oomlens_row_begin(m, strlen(path));

	if (!p)
		return;
	p = oomlens_put_ulong(p, row->pid);
	p = oomlens_put_ulong(p, row->descriptors);
	p = oomlens_put_ulong(p, row->mappings);
	p = oomlens_put_word(p, path);
	oomlens_row_end(m, oomlens_put_comm(p, row->comm));
}

#define OBJECT_COLUMNS \
	"kind id resident swapped charge size holders pid comm holder_memcg name"
#define HOLDER_COLUMNS	"# pid descriptors mappings memcg comm\n"

static void show_header(struct seq_file *m, const struct objects *o)
{
	seq_puts(m, "# oomlens objects 1\n");
	seq_printf(m, "# objects %u resident %lu swapped %lu charge %lu unheld %u complete %d\n",
		   o->table.n, o->resident, o->swapped, o->charge, o->unheld,
		   o->table.complete && o->holders.complete);
	if (o->taken != OBJECTS_ID)
		seq_puts(m, "# " OBJECT_COLUMNS "\n");
	else if (!o->table.n)
		seq_puts(m, HOLDER_COLUMNS);
}

static void show_of_id(struct seq_file *m, const struct objects *o, void *v)
{
	const struct oomlens_object *last = &o->table.rows[o->table.n] - 1;

	if (v < (void *)o->table.rows || v > (void *)last) {
		show_holder(m, o, v);
		return;
	}
	seq_puts(m, "# object ");
	show_row(m, o, v);
	if (v == last)
		seq_puts(m, HOLDER_COLUMNS);
}

static void *objects_row(struct seq_file *m, loff_t *pos)
{
	struct objects *o = m->private;

	if (o->taken == OBJECTS_ID)
		return next_of_id(o, pos);
	return *pos <= o->taken_rows ? &o->table.rows[*pos - 1] : NULL;
}

static int objects_show(struct seq_file *m, void *v)
{
	const struct objects *o = m->private;

	if (v == SEQ_START_TOKEN)
		show_header(m, o);
	else if (o->taken == OBJECTS_ID)
		show_of_id(m, o, v);
	else
		show_row(m, o, v);
	return 0;
}

/* ---- the largest, for others than the file's readers ---- */

/* A path may be longer than a line can be. */
#define NAME_SHOWN	"%.640s"

static void print_keys(char *buf, size_t size, const struct objects *o,
		       const struct oomlens_object *row)
{
	const struct oomlens_holder *oldest = oldest_holder(o, row);
	char id[64], comm[4 * TASK_COMM_LEN + 1] = "-", holders[12] = "-", pid[12] = "-";
	bool pages = row->kind != OOMLENS_OBJECT_DMABUF;
	size_t n;

	put_id(id, row)[-1] = '\0';
	/* A line has no "complete" beside it: there may be holders that were not found. */
	if (has_holders(row) && (row->holders || o->holders.complete))
		snprintf(holders, sizeof(holders), "%u", row->holders);
	if (oldest) {
		snprintf(pid, sizeof(pid), "%d", oldest->pid);
		*oomlens_escape(comm, oldest->comm) = '\0';
	}
	n = scnprintf(buf, size, "kind=%s id=%s ", kind_names[row->kind], id);
	if (pages)
		n += scnprintf(buf + n, size - n, "resident=%lu swapped=%lu ", row->resident,
			       row->swapped);
	else
		n += scnprintf(buf + n, size - n, "resident=- swapped=- ");
	scnprintf(buf + n, size - n,
		  "charge=%lu size=%lu holders=%s pid=%s comm=%s holder_memcg=" NAME_SHOWN
		  " name=" NAME_SHOWN,
		  row->charge, row->size, holders, pid, comm,
		  oomlens_memcg_set_path(o->holders.memcgs, oldest ? oldest->memcg : 0),
		  row->name ? o->table.names + row->name : "-");
}

/**
 * oomlens_objects_largest() - the objects with most pages, as text
 * @n: how many, at most OOMLENS_LARGEST_MAX
 * @take: called for each, the largest first, with "kind=... name=..." as the file's
 *	columns are named; paths are cut to 640 bytes
 * @arg: for @take
 *
 * Takes some ten KB, and as much for each hundred processes.
 *
 * Context: process context, sleeps; does not run the OOM killer.
 * Return: 0, -ENOMEM, -EINTR, or -EAGAIN if tasks came or went too fast.
 */
int oomlens_objects_largest(unsigned int n, void (*take)(const char *text, void *arg), void *arg)
{
	struct objects *o = kzalloc(sizeof(*o), OOMLENS_GFP);
	char *buf = kmalloc(OOMLENS_OBJECT_TEXT, OOMLENS_GFP);
	int err = o && buf ? take_table(o, n) : -ENOMEM;
	unsigned int i;

	for (i = 0; !err && i < min(n, o->table.n); i++) {
		print_keys(buf, OOMLENS_OBJECT_TEXT, o, &o->table.rows[i]);
		take(buf, arg);
	}
	if (o)
		free_table(o);
	kfree(buf);
	kfree(o);
	return err;
}

/* ---- what is written: scope and rows of the reads that follow ---- */

/* MAJOR:MINOR:INODE, as the column id has it. */
static int parse_id(struct oomlens_object_scope *of, const char *text)
{
	unsigned int major, minor;
	char again[64];
	u64 ino;

	if (sscanf(text, "%u:%u:%llu", &major, &minor, &ino) != 3 ||
	    minor > MINORMASK || major > MAJOR(~0U))
		return -EINVAL;
	/* sscanf() takes blanks, leading zeros and what follows. */
	snprintf(again, sizeof(again), "%u:%u:%llu", major, minor, ino);
	if (strcmp(again, text))
		return -EINVAL;
	of->dev = MKDEV(major, minor);
	of->ino = ino;
	of->by_id = true;
	return 0;
}

static int parse_pid(struct oomlens_object_scope *of, const char *number)
{
	struct pid *pid = oomlens_find_process(number);

	if (IS_ERR(pid))
		return PTR_ERR(pid);
	of->pid = pid;
	return 0;
}

static const struct scope_word {
	const char *word;
	enum objects_scope scope;
	int (*parse)(struct oomlens_object_scope *of, const char *text);
} scope_words[] = {
	{ "pid ",	OBJECTS_PID,	parse_pid },
	{ "id ",	OBJECTS_ID,	parse_id },
};

static int set_scope(struct seq_file *m, const struct scope_word *w, const char *text)
{
	struct objects *o = m->private;
	struct oomlens_object_scope of = {};
	int err;

	if (!oomlens_may_see(m))
		return -EPERM;
	err = w->parse(&of, text);
	if (err)
		return err;
	put_pid(o->of.pid);
	o->of = of;
	o->scope = w->scope;
	return 0;
}

static int objects_command(struct seq_file *m, char *line)
{
	struct objects *o = m->private;
	int i;

	if (!strcmp(line, "all")) {
		put_pid(o->of.pid);
		memset(&o->of, 0, sizeof(o->of));
		o->scope = OBJECTS_ALL;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(scope_words); i++)
		if (strstarts(line, scope_words[i].word))
			return set_scope(m, &scope_words[i], line + strlen(scope_words[i].word));
	return oomlens_parse_rows(line, &o->rows);
}

/* A cgroup's path, the object's name, and what stands around the row of a scope "id". */
static size_t objects_row_max(void)
{
	return oomlens_path_row_max() + 4 * PATH_MAX + 64;
}

const struct oomlens_file_ops oomlens_objects_file = {
	.private_size	= sizeof(struct objects),
	.release	= objects_release,
	.snapshot	= objects_snapshot,
	.row		= objects_row,
	.show		= objects_show,
	.row_max	= objects_row_max,
	.command	= objects_command,
};
