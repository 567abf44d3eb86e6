// SPDX-License-Identifier: GPL-2.0
/*
 * events: the last OOMs, oldest first, printed as lines of key=value.
 *
 * A position in the file is the number of an event, so a reader that stays
 * open goes on where it stopped, and sees each event once and in order.
 */
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/oom.h>
#include <linux/page_counter.h>
#include <linux/poll.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "event.h"
#include "text.h"

#define NAME(value, name)[value] = name,

static const char * const kind_names[] = { OOMLENS_KINDS(NAME) };
static const char * const cause_names[] = { OOMLENS_CAUSES(NAME) };
static const char * const outcome_names[] = { OOMLENS_OUTCOMES(NAME) };
static const char * const by_names[] = { OOMLENS_BYS(NAME) };

const char *oomlens_kind_name(enum oomlens_kind kind)
{
	return kind_names[kind];
}

const char *oomlens_cause_name(enum oomlens_cause cause)
{
	return cause_names[cause];
}

const char *oomlens_outcome_name(enum oomlens_outcome outcome)
{
	return outcome_names[outcome];
}

const char *oomlens_by_name(enum oomlens_by by)
{
	return by_names[by];
}

static const char * const constraint_names[] = {
	[CONSTRAINT_NONE]		= "none",
	[CONSTRAINT_CPUSET]		= "cpuset",
	[CONSTRAINT_MEMORY_POLICY]	= "mempolicy",
	[CONSTRAINT_MEMCG]		= "memcg",
};

static const char * const reach_names[] = {
	[OOMLENS_REACH_NONE]		= "-",
	[OOMLENS_REACH_OFF]		= "off",
	[OOMLENS_REACH_COMPLETE]	= "complete",
	[OOMLENS_REACH_PARTIAL]		= "partial",
	[OOMLENS_REACH_LIMITED]		= "limited",
};

static_assert(ARRAY_SIZE(reach_names) == OOMLENS_NR_REACHES);

#define COMM_SIZE	(4 * TASK_COMM_LEN)

/* One open file. */
struct reader {
	struct oomlens_event *event;	/* the reader's copy, of the event at m->index */
	struct oomlens_finish *finish;
	char *path;
	u8 *order;			/* of the candidates, by points */
};

/* As oomlens_puts_escaped(), for the log. */
static const char *escape_comm(char *buf, const char *comm)
{
	*oomlens_escape(buf, comm) = '\0';
	return buf;
}

/* The event line up to the cgroup, and from there on. */

#define HEAD_SIZE	320
#define TAIL_SIZE	256

static void print_head(char *buf, const struct oomlens_event *e)
{
	char comm[COMM_SIZE + 1];
	size_t n;

	n = scnprintf(buf, HEAD_SIZE, "event %lu time_us=%llu kind=%s trigger=%s constraint=%s ",
		      e->number, div_u64(e->time_ns, NSEC_PER_USEC),
		      kind_names[e->kind], cause_names[e->trigger],
		      e->constraint < 0 ? "-" : constraint_names[e->constraint]);
	if (e->probed)
		n += scnprintf(buf + n, HEAD_SIZE - n, "gfp=%#x order=%d ",
			       (__force u32)e->gfp, e->order);
	else
		n += scnprintf(buf + n, HEAD_SIZE - n, "gfp=- order=- ");
	scnprintf(buf + n, HEAD_SIZE - n, "pid=%d comm=%s", e->pid,
		  escape_comm(comm, e->comm));
}

static void print_tail(char *buf, const struct oomlens_event *e)
{
	size_t n = 0;

	if (e->totalpages_known || (!e->probed && e->totalpages))
		n = scnprintf(buf, TAIL_SIZE, "totalpages=%lu ", e->totalpages);
	else
		n = scnprintf(buf, TAIL_SIZE, "totalpages=- ");
	n += scnprintf(buf + n, TAIL_SIZE - n,
		       "outcome=%s victims=%u by=%s freed=%lu walk=%s capture_us=%llu ",
		       outcome_names[e->outcome], max(e->nr_marked, e->kills ? 1U : 0U),
		       by_names[e->by], e->freed, reach_names[e->reach],
		       div_u64(e->capture_ns, NSEC_PER_USEC));
	if (e->probed && e->duration_ns)
		scnprintf(buf + n, TAIL_SIZE - n, "duration_us=%llu",
			  div_u64(e->duration_ns, NSEC_PER_USEC));
	else
		scnprintf(buf + n, TAIL_SIZE - n, "duration_us=-");
}

/* Instead of a cgroup whose limit was hit. */
static const char *no_limit(const struct oomlens_event *e)
{
	if (!oomlens_memcg_enabled() || e->kind == OOMLENS_KIND_UNKNOWN)
		return "-";
	return "/";
}

/**
 * oomlens_event_log() - say an event in the kernel's log, in one line
 * @e: the event
 * @memcg: the path of the cgroup whose limit was hit; cut where it is too long
 *
 * Rate-limited, so that a storm does not fill the log; the ring has them all.
 *
 * Context: the recorder's kthread.
 */
void oomlens_event_log(const struct oomlens_event *e, char *memcg)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 20);
	/* The kthread's stack has room, memory that lasts is dear. */
	char head[HEAD_SIZE], tail[TAIL_SIZE], path[192], comm[COMM_SIZE + 1];

	if (!__ratelimit(&limit))
		return;
	print_head(head, e);
	print_tail(tail, e);
	if (e->kind == OOMLENS_KIND_MEMCG) {
		while (oomlens_escaped_len(memcg) >= sizeof(path))
			memcg[strlen(memcg) - 1] = '\0';
		*oomlens_escape(path, memcg) = '\0';
	} else {
		strscpy(path, no_limit(e), sizeof(path));
	}
	if (e->nr_victims)
		pr_info("%s memcg=%s %s victim_pid=%d victim_comm=%s\n", head, path, tail,
			e->victims[0].pid, escape_comm(comm, e->victims[0].comm));
	else
		pr_info("%s memcg=%s %s\n", head, path, tail);
}

/* ---- The lines of the file ---- */

static void show_pages(struct seq_file *m, const char *key, unsigned long pages)
{
	seq_printf(m, " %s=%lu", key, pages);
}

static void show_limit(struct seq_file *m, const char *key, unsigned long limit)
{
	if (limit >= PAGE_COUNTER_MAX)
		seq_printf(m, " %s=max", key);
	else
		show_pages(m, key, limit);
}

static void show_path(struct seq_file *m, const char *key, unsigned int index)
{
	const struct reader *r = m->private;
	u32 where = 0;

	if (index && r->finish->number == r->event->number)
		where = r->finish->paths[index - 1];
	oomlens_pathlog_copy(where, r->path, OOMLENS_PATH_SIZE);
	seq_printf(m, " %s=", key);
	oomlens_puts_escaped(m, r->path);
}

static void show_comm(struct seq_file *m, const char *comm)
{
	seq_puts(m, " comm=");
	oomlens_puts_escaped(m, comm);
}

static void show_nodes(struct seq_file *m, u64 nodes)
{
	DECLARE_BITMAP(bits, 64);

	bitmap_from_u64(bits, nodes);
	seq_printf(m, " nodes=%*pbl", 64, bits);
}

static void show_event(struct seq_file *m, const struct oomlens_event *e)
{
	char buf[HEAD_SIZE];

	BUILD_BUG_ON(TAIL_SIZE > HEAD_SIZE);
	print_head(buf, e);
	seq_puts(m, buf);
	if (e->kind == OOMLENS_KIND_MEMCG)
		show_path(m, "memcg", e->limit_memcg);
	else
		seq_printf(m, " memcg=%s", no_limit(e));
	print_tail(buf, e);
	seq_printf(m, " %s", buf);
	show_path(m, "caller_memcg", e->caller_memcg);
	if (e->nodes)
		show_nodes(m, e->nodes);
	else
		seq_puts(m, " nodes=-");
	seq_putc(m, '\n');
}

#define show_member(m, record, member)	show_pages(m, #member, (record)->member)

static void show_memory(struct seq_file *m, const struct oomlens_event *e)
{
	const struct oomlens_memory_record *r = &e->memory;

	seq_printf(m, "memory %lu", e->number);
	show_member(m, r, free);
	show_member(m, r, available);
	show_member(m, r, anon);
	show_member(m, r, file);
	show_member(m, r, shmem);
	show_member(m, r, slab_reclaimable);
	show_member(m, r, slab_unreclaimable);
	show_member(m, r, kernel_stack);
	show_member(m, r, pagetables);
	show_member(m, r, unevictable);
	show_member(m, r, mlocked);
	show_member(m, r, swap_total);
	show_member(m, r, swap_free);
	show_member(m, r, committed);
	show_member(m, r, commit_limit);
	show_member(m, r, ram);
	seq_putc(m, '\n');
}

static void show_zone(struct seq_file *m, const struct oomlens_event *e,
		      const struct oomlens_zone_record *r)
{
	unsigned long not_for_all = r->free_cma + r->highatomic;

	seq_printf(m, "zone %lu node=%u name=%s", e->number, r->node,
		   oomlens_zone_name(r));
	show_member(m, r, free);
	show_member(m, r, free_cma);
	show_member(m, r, highatomic);
	/* The counters are read one after the other, so the sum can exceed free. */
	show_pages(m, "usable", r->free - min(r->free, not_for_all));
	show_member(m, r, min);
	show_member(m, r, low);
	show_member(m, r, high);
	show_member(m, r, managed);
	show_member(m, r, anon);
	show_member(m, r, file);
	show_member(m, r, unevictable);
	show_member(m, r, mlocked);
	seq_putc(m, '\n');
}

static void show_memcg(struct seq_file *m, const struct oomlens_event *e)
{
	const struct oomlens_memcg_record *r = &e->memcg;

	seq_printf(m, "memcg %lu", e->number);
	show_path(m, "path", e->limit_memcg);
	show_pages(m, "usage", r->usage);
	show_limit(m, "limit", r->limit);
	show_pages(m, r->v2 ? "swap" : "memsw", r->swap);
	show_limit(m, r->v2 ? "swap_limit" : "memsw_limit", r->swap_limit);
	seq_putc(m, '\n');
}

static bool ranked(const struct oomlens_task_record *r)
{
	return r->verdict == OOMLENS_ELIGIBLE || r->verdict == OOMLENS_ORIGIN;
}

/* To the kernel an origin has LONG_MAX; what is printed is the sum. */
static long points_of(const struct oomlens_task_record *r, unsigned long totalpages)
{
	return oomlens_points(&r->terms, oomlens_adj_points(r->adj, totalpages));
}

static bool goes_before(const struct oomlens_task_record *a,
			const struct oomlens_task_record *b, unsigned long totalpages)
{
	if (!ranked(a) || !ranked(b))
		return ranked(a) && !ranked(b);
	if (a->verdict != b->verdict)
		return a->verdict == OOMLENS_ORIGIN;
	return points_of(a, totalpages) > points_of(b, totalpages);
}

static unsigned long score_of(const struct oomlens_task_record *r,
			      const struct oomlens_event *e)
{
	unsigned long machine = e->memory.ram + e->memory.swap_total;

	if (!r->killable)
		return 0;
	return oomlens_score(oomlens_points(&r->terms, oomlens_adj_points(r->adj, machine)),
			     machine);
}

/*
 * The line was made before the kernel worked out totalpages: where that came
 * out otherwise, adj weighs otherwise. Equals keep their order.
 */
static void order_candidates(u8 *order, const struct oomlens_event *e)
{
	const struct oomlens_task_record *c = oomlens_event_candidates(e);
	unsigned int i, k;

	for (i = 0; i < e->nr_candidates; i++) {
		for (k = i; k && goes_before(&c[i], &c[order[k - 1]], e->totalpages); k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

static void show_terms(struct seq_file *m, const struct oomlens_terms *t)
{
	show_member(m, t, rss_anon);
	show_member(m, t, rss_file);
	show_member(m, t, rss_shmem);
	show_member(m, t, swap);
	show_member(m, t, pgtables);
}

static enum oomlens_fate fate_of(const struct oomlens_task_record *r,
				 const struct oomlens_event *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_victims; i++)
		if (e->victims[i].pid == r->pid)
			return i ? OOMLENS_FATE_GROUP : OOMLENS_FATE_VICTIM;
	return OOMLENS_FATE_NONE;
}

static void show_candidate(struct seq_file *m, const struct oomlens_event *e,
			   const struct oomlens_task_record *r, unsigned int rank)
{
	if (ranked(r))
		seq_printf(m, "candidate %lu rank=%u", e->number, rank);
	else
		seq_printf(m, "candidate %lu rank=-", e->number);
	seq_printf(m, " pid=%d uid=%u adj=%d score=%lu", r->pid, r->uid, r->adj,
		   score_of(r, e));
	if (ranked(r))
		seq_printf(m, " points=%ld", points_of(r, e->totalpages));
	else
		seq_puts(m, " points=-");
	show_terms(m, &r->terms);
	seq_printf(m, " adj_points=%ld", oomlens_adj_points(r->adj, e->totalpages));
	show_member(m, r, locked);
	show_member(m, r, vm_total);
	seq_printf(m, " threads=%u verdict=%s fate=%s", r->threads,
		   oomlens_verdict_name(r->verdict), oomlens_fate_name(fate_of(r, e)));
	show_path(m, "memcg", r->memcg);
	show_comm(m, r->comm);
	seq_putc(m, '\n');
}

static void show_us(struct seq_file *m, const char *key, u32 us)
{
	if (us == OOMLENS_US_UNKNOWN)
		seq_printf(m, " %s=-", key);
	else
		seq_printf(m, " %s=%u", key, us);
}

static void show_victim(struct seq_file *m, const struct oomlens_event *e,
			const struct oomlens_finish *f, unsigned int i)
{
	const struct oomlens_task_record *r = &e->victims[i];
	bool known = f->number == e->number;

	seq_printf(m, "victim %lu pid=%d uid=%u adj=%d", e->number, r->pid, r->uid, r->adj);
	show_comm(m, r->comm);
	if (e->totalpages)
		seq_printf(m, " points=%ld", points_of(r, e->totalpages));
	else
		seq_puts(m, " points=-");
	show_terms(m, &r->terms);
	show_member(m, r, locked);
	show_member(m, r, vm_total);
	seq_printf(m, " threads=%u killed=%d", r->threads, r->killed);
	show_path(m, "memcg", r->memcg);
	show_us(m, "exit_us", known ? f->exit_us[i] : OOMLENS_US_UNKNOWN);
	show_us(m, "freed_us", known ? f->freed_us[i] : OOMLENS_US_UNKNOWN);
	seq_putc(m, '\n');
}

/* ---- The file ---- */

static void free_reader(struct reader *r)
{
	kfree(r->event);
	kfree(r->finish);
	kfree(r->path);
	kfree(r->order);
	memset(r, 0, sizeof(*r));
}

/* At the first byte: the place for a copy, which stays for the next read. */
static int events_snapshot(struct seq_file *m)
{
	struct reader *r = m->private;

	if (r->event)
		return 0;
	r->event = kmalloc(oomlens_event_size(), OOMLENS_GFP);
	r->finish = kmalloc(oomlens_finish_size(), OOMLENS_GFP);
	r->path = kmalloc(OOMLENS_PATH_SIZE, OOMLENS_GFP);
	r->order = kmalloc(max(oomlens_candidates, 1U), OOMLENS_GFP);
	if (!r->event || !r->finish || !r->path || !r->order) {
		free_reader(r);
		return -ENOMEM;
	}
	return 0;
}

static void events_release(struct seq_file *m)
{
	free_reader(m->private);
}

/* Copies the first event from *pos on, and moves *pos to it. */
static void *event_at(struct seq_file *m, loff_t *pos)
{
	struct reader *r = m->private;
	unsigned long number;

	for (;;) {
		number = oomlens_event_next(*pos);
		if (!number)
			return NULL;
		*pos = number;
		if (oomlens_event_copy(number, r->event, r->finish) &&
		    oomlens_event_told(r->event))
			return r->event;
	}
}

static void *events_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? event_at(m, pos) : SEQ_START_TOKEN;
}

static void *events_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return event_at(m, pos);
}

static void events_stop(struct seq_file *m, void *v)
{
}

static int events_show(struct seq_file *m, void *v)
{
	const struct reader *r = m->private;
	const struct oomlens_event *e = r->event;
	unsigned int i, rank = 0;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# oomlens events 1\n");
		return 0;
	}
	show_event(m, e);
	show_memory(m, e);
	for (i = 0; i < e->nr_zones; i++)
		show_zone(m, e, &oomlens_event_zones(e)[i]);
	if (e->kind == OOMLENS_KIND_MEMCG && e->probed)
		show_memcg(m, e);
	order_candidates(r->order, e);
	for (i = 0; i < e->nr_candidates; i++)
		show_candidate(m, e, &oomlens_event_candidates(e)[r->order[i]], ++rank);
	for (i = 0; i < e->nr_victims; i++)
		show_victim(m, e, r->finish, i);
	if (!seq_has_overflowed(m))
		oomlens_event_was_read(e->number);
	return 0;
}

static __poll_t events_poll(struct seq_file *m, struct file *file, poll_table *wait)
{
	__poll_t mask = oomlens_event_poll(file, wait, max_t(loff_t, m->index, 1));

	/* The rest of what was printed already, or the header. */
	if (m->count || !m->index)
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static const struct seq_operations events_seq = {
	.start	= events_start,
	.next	= events_next,
	.stop	= events_stop,
	.show	= events_show,
};

const struct oomlens_file_ops oomlens_events_file = {
	.private_size	= sizeof(struct reader),
	.release	= events_release,
	.snapshot	= events_snapshot,
	.seq		= &events_seq,
	.poll		= events_poll,
};
