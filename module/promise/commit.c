// SPDX-License-Identifier: GPL-2.0
/*
 * commit: the commit charge by address space, by cgroup, or by VMA
 * of one process, and what of Committed_AS belongs to no process.
 */
#include <linux/cpumask.h>
#include <linux/mman.h>
#include <linux/percpu.h>
#include <linux/sort.h>

#include "mm.h"
#include "process.h"
#include "promise.h"
#include "shmem.h"

enum commit_scope { COMMIT_ALL, COMMIT_MEMCG, COMMIT_PID };

/* One snapshot. It keeps the scope and the rows that it was taken for. */
struct commit_table {
	enum commit_scope scope;
	unsigned int rows;		/* to be printed; 0: all */
	struct oomlens_mms mms;
	struct oomlens_vmas vmas;	/* scope pid only */
	struct oomlens_mm sum;		/* over all rows */
	long committed;
	unsigned long shared_resident;
	struct oomlens_shmem objects;
	long uncashed;			/* processes' and objects' */
	unsigned long deficit;
};

struct commit {
	enum commit_scope scope;
	struct pid *pid;	/* scope pid; held, so that no other takes its number */
	unsigned int rows;
	struct commit_table table;
};

static void free_table(struct commit_table *t)
{
	oomlens_vmas_free(&t->vmas);
	oomlens_mms_free(&t->mms);
	memset(t, 0, sizeof(*t));
}

static void add_row(struct oomlens_mm *sum, const struct oomlens_mm *row)
{
	sum->charges.anon += row->charges.anon;
	sum->charges.file_private += row->charges.file_private;
	sum->charges.stack += row->charges.stack;
	sum->charges.noreserve += row->charges.noreserve;
	sum->charges.shared += row->charges.shared;
	sum->touched += row->touched;
	sum->uncashed += row->uncashed;
	sum->vm_total += row->vm_total;
	sum->spaces += row->spaces;
	sum->skipped += row->skipped;
}

static void sum_all(struct commit_table *t)
{
	unsigned int i;

	for (i = 0; i < t->mms.n; i++) {
		add_row(&t->sum, &t->mms.rows[i]);
		cond_resched();
	}
}

static int compare_memcg(const void *a, const void *b)
{
	const struct oomlens_mm *x = a, *y = b;

	cond_resched();
	return cmp_int(x->memcg, y->memcg);
}

/* Puts one row for each cgroup in the place of its address spaces' rows. */
static void sum_by_memcg(struct oomlens_mms *mms)
{
	struct oomlens_mm *rows = mms->rows;
	unsigned int i, n = 0;

	sort(rows, mms->n, sizeof(*rows), compare_memcg, NULL);
	for (i = 0; i < mms->n; i++) {
		const struct oomlens_mm row = rows[i];

		cond_resched();
		if (!n || rows[n - 1].memcg != row.memcg)
			rows[n++] = (struct oomlens_mm){ .memcg = row.memcg };
		add_row(&rows[n - 1], &row);
	}
	mms->n = n;
}

/* Largest charge first; those not known last; then by pid, which a cgroup has not. */
static int compare_charge(const void *a, const void *b)
{
	const struct oomlens_mm *x = a, *y = b;

	cond_resched();
	return cmp_int(oomlens_charge(&y->charges), oomlens_charge(&x->charges)) ?:
	       cmp_int(x->skipped, y->skipped) ?:
	       cmp_int(x->pid, y->pid) ?: cmp_int(x->memcg, y->memcg);
}

/*
 * Shared memory and tmpfs pages in memory, with what each CPU has counted since it
 * was last folded in. Not by the global sum, which is late, as memory.c says.
 */
static unsigned long shmem_pages(void)
{
	int nid, cpu;
	long n = 0;

	for_each_online_node(nid) {
		pg_data_t *node = NODE_DATA(nid);

		n += atomic_long_read(&node->vm_stat[NR_SHMEM]);
		for_each_online_cpu(cpu)
			n += READ_ONCE(per_cpu_ptr(node->per_cpu_nodestats,
						   cpu)->vm_node_stat_diff[NR_SHMEM]);
	}
	return max(n, 0L);
}

/* Charged to objects and neither in memory nor in swap: never touched. */
static long shared_promised(const struct commit_table *t)
{
	return t->objects.charge - t->objects.resident - t->objects.swapped;
}

static int reconcile(struct commit_table *t)
{
	struct oomlens_sysvalues v;
	int err;

	err = oomlens_shmem_read(&t->objects);
	if (err)
		return err;
	t->committed = vm_memory_committed();
	t->shared_resident = shmem_pages();
	err = oomlens_sysvalues_read(&v);
	if (err)
		return err;
	t->uncashed = t->sum.uncashed + max(shared_promised(t), 0L);
	t->deficit = max(t->uncashed - v.available - (long)v.swap_free, 0L);
	return 0;
}

static int take_table(struct commit_table *t, struct pid *pid)
{
	int err;

	if (t->scope == COMMIT_PID)
		err = oomlens_mms_read_one(&t->mms, pid, &t->vmas);
	else
		err = oomlens_mms_read(&t->mms);
	if (err || t->scope == COMMIT_PID)
		return err;
	sum_all(t);
	err = reconcile(t);
	if (err)
		return err;
	if (t->scope == COMMIT_MEMCG)
		sum_by_memcg(&t->mms);
	sort(t->mms.rows, t->mms.n, sizeof(*t->mms.rows), compare_charge, NULL);
	return 0;
}

static int commit_snapshot(struct seq_file *m)
{
	struct commit *c = m->private;
	int err;

	if (c->scope == COMMIT_PID && !oomlens_may_see(m))
		return -EPERM;

	free_table(&c->table);
	c->table.scope = c->scope;
	c->table.rows = c->rows;
	err = take_table(&c->table, c->pid);
	if (err)
		free_table(&c->table);
	else
		oomlens_counter_add(OOMLENS_SNAPSHOTS, 1);
	return err;
}

static void commit_release(struct seq_file *m)
{
	struct commit *c = m->private;

	free_table(&c->table);
	put_pid(c->pid);
}

/* ---- printing ---- */

static void *commit_row(struct seq_file *m, loff_t *pos)
{
	const struct commit *c = m->private;
	const struct commit_table *t = &c->table;
	loff_t i = *pos - 1;

	if (t->scope == COMMIT_PID)
		return i < oomlens_rows_shown(t->vmas.n, t->rows) ? &t->vmas.rows[i] : NULL;
	return i < oomlens_rows_shown(t->mms.n, t->rows) ? &t->mms.rows[i] : NULL;
}

static void show_totals(struct seq_file *m, const struct commit_table *t)
{
	long processes = oomlens_charge(&t->sum.charges);
	long shared = t->shared_resident + t->objects.swapped + shared_promised(t);

	seq_printf(m, "# committed %ld processes %ld shared_resident %lu shared_swapped %ld shared_promised %ld unattributed %ld",
		   t->committed, processes, t->shared_resident, t->objects.swapped,
		   shared_promised(t), t->committed - processes - shared);
	seq_printf(m, " uncashed %ld deficit %lu spaces %u skipped %u complete %d\n",
		   t->uncashed, t->deficit, t->sum.spaces, t->sum.skipped,
		   !t->sum.skipped);
}

static void show_process(struct seq_file *m, const struct commit_table *t)
{
	const struct oomlens_mm *row = &t->mms.rows[0];

	seq_printf(m, "# pid %d uid %u vmas %u charge %lu noreserve %lu shared %lu",
		   row->pid, row->uid, t->vmas.n,
		   oomlens_charge(&row->charges), row->charges.noreserve,
		   row->charges.shared);
	seq_printf(m, " touched %lu uncashed %lu vm_total %lu complete %d memcg ",
		   row->touched, row->uncashed, row->vm_total, t->vmas.complete);
	seq_puts(m, oomlens_memcg_set_path(t->mms.memcgs, row->memcg));
	seq_puts(m, " comm ");
	oomlens_puts_escaped(m, row->comm);
	seq_putc(m, '\n');
}

#define SUM_COLUMNS \
	"charge anon file_private stack noreserve shared touched uncashed vm_total memcg"

static void show_header(struct seq_file *m, const struct commit_table *t)
{
	seq_puts(m, "# oomlens commit 1\n");
	if (t->scope == COMMIT_PID) {
		show_process(m, t);
		seq_puts(m, "# start pages perms charged noreserve name\n");
		return;
	}
	show_totals(m, t);
	if (t->scope == COMMIT_MEMCG)
		seq_puts(m, "# spaces skipped " SUM_COLUMNS "\n");
	else
		seq_puts(m, "# pid uid " SUM_COLUMNS " comm\n");
}

static void show_vma(struct seq_file *m, const struct commit_table *t,
		     const struct oomlens_vma *vma)
{
	seq_printf(m, "%08lx %lu %.4s %lu %lu ", vma->start, vma->pages,
		   vma->perms, vma->charged, vma->noreserve);
	oomlens_puts_escaped(m, vma->name ?: "");
	seq_putc(m, '\n');
}

/* If all are skipped nothing is known; of some, the sum is a lower bound. */
static char *put_charges(char *p, const struct oomlens_mm *row)
{
	if (row->skipped == row->spaces) {
		p = oomlens_put_word(p, "- - - - - -");
		p = oomlens_put_ulong(p, row->touched);
		p = oomlens_put_word(p, "-");
	} else {
		p = oomlens_put_ulong(p, oomlens_charge(&row->charges));
		p = oomlens_put_ulong(p, row->charges.anon);
		p = oomlens_put_ulong(p, row->charges.file_private);
		p = oomlens_put_ulong(p, row->charges.stack);
		p = oomlens_put_ulong(p, row->charges.noreserve);
		p = oomlens_put_ulong(p, row->charges.shared);
		p = oomlens_put_ulong(p, row->touched);
		p = oomlens_put_ulong(p, row->uncashed);
	}
	return oomlens_put_ulong(p, row->vm_total);
}

static void show_row(struct seq_file *m, const struct commit_table *t,
		     const struct oomlens_mm *row)
{
	const char *path = oomlens_memcg_set_path(t->mms.memcgs, row->memcg);
	bool by_memcg = t->scope == COMMIT_MEMCG;
	char *p = oomlens_row_begin(m, strlen(path));

	if (!p)
		return;
	p = oomlens_put_ulong(p, by_memcg ? row->spaces : row->pid);
	p = oomlens_put_ulong(p, by_memcg ? row->skipped : row->uid);
	p = put_charges(p, row);
	p = oomlens_put_word(p, path);
	if (!by_memcg)
		p = oomlens_put_comm(p, row->comm);
	oomlens_row_end(m, p);
}

static int commit_show(struct seq_file *m, void *v)
{
	struct commit *c = m->private;

	if (v == SEQ_START_TOKEN)
		show_header(m, &c->table);
	else if (c->table.scope == COMMIT_PID)
		show_vma(m, &c->table, v);
	else
		show_row(m, &c->table, v);
	return 0;
}

/* ---- what is written: scope and rows of the reads that follow ---- */

static void set_scope(struct commit *c, enum commit_scope scope, struct pid *pid)
{
	put_pid(c->pid);
	c->pid = pid;
	c->scope = scope;
}

static int set_scope_pid(struct commit *c, const char *number)
{
	struct pid *pid = oomlens_find_process(number);

	if (IS_ERR(pid))
		return PTR_ERR(pid);
	set_scope(c, COMMIT_PID, pid);
	return 0;
}

static int commit_command(struct seq_file *m, char *line)
{
	struct commit *c = m->private;

	if (!strcmp(line, "all")) {
		set_scope(c, COMMIT_ALL, NULL);
		return 0;
	}
	if (!strcmp(line, "memcg")) {
		if (!oomlens_memcg_enabled())
			return -EOPNOTSUPP;
		set_scope(c, COMMIT_MEMCG, NULL);
		return 0;
	}
	if (strstarts(line, "pid "))
		return oomlens_may_see(m) ? set_scope_pid(c, line + strlen("pid ")) : -EPERM;
	return oomlens_parse_rows(line, &c->rows);
}

const struct oomlens_file_ops oomlens_commit_file = {
	.private_size	= sizeof(struct commit),
	.release	= commit_release,
	.snapshot	= commit_snapshot,
	.row		= commit_row,
	.show		= commit_show,
	.row_max	= oomlens_path_row_max,
	.command	= commit_command,
};
