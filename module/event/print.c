// SPDX-License-Identifier: GPL-2.0
/*
 * An event as lines of key=value.
 */
#include <linux/bitmap.h>
#include <linux/page_counter.h>

#include "internal.h"

/**
 * oomlens_print_comm() - a name as one token
 * @buf: of OOMLENS_COMM_SIZE
 * @comm: the name
 *
 * Context: any.
 * Return: @buf.
 */
const char *oomlens_print_comm(char *buf, const char *comm)
{
	*oomlens_escape(buf, comm) = '\0';
	return buf;
}

/**
 * oomlens_print_head() - the event line up to the cgroup
 * @buf: of OOMLENS_HEAD_SIZE
 * @e: the event
 *
 * Context: any.
 */
void oomlens_print_head(char *buf, const struct oomlens_event *e)
{
	char comm[OOMLENS_COMM_SIZE];
	size_t n;

	n = scnprintf(buf, OOMLENS_HEAD_SIZE,
		      "event %lu time_us=%llu real_us=%llu kind=%s trigger=%s constraint=%s ",
		      e->number, div_u64(e->time_ns, NSEC_PER_USEC),
		      div_u64(e->real_ns, NSEC_PER_USEC),
		      oomlens_kind_names[e->kind], oomlens_trigger_names[e->trigger],
		      e->constraint < 0 ? "-" : oomlens_constraint_names[e->constraint]);
	if (e->probed)
		n += scnprintf(buf + n, OOMLENS_HEAD_SIZE - n, "gfp=%#x order=%d ",
			       (__force u32)e->gfp, e->order);
	else
		n += scnprintf(buf + n, OOMLENS_HEAD_SIZE - n, "gfp=- order=- ");
	scnprintf(buf + n, OOMLENS_HEAD_SIZE - n, "pid=%d comm=%s", e->pid,
		  oomlens_print_comm(comm, e->comm));
}

/**
 * oomlens_print_tail() - the event line behind the cgroup
 * @buf: of OOMLENS_TAIL_SIZE
 * @e: the event
 *
 * Context: any.
 */
void oomlens_print_tail(char *buf, const struct oomlens_event *e)
{
	size_t n = 0;

	if (e->totalpages_known || (!e->probed && e->totalpages))
		n = scnprintf(buf, OOMLENS_TAIL_SIZE, "totalpages=%lu ", e->totalpages);
	else
		n = scnprintf(buf, OOMLENS_TAIL_SIZE, "totalpages=- ");
	n += scnprintf(buf + n, OOMLENS_TAIL_SIZE - n,
		       "outcome=%s victims=%u by=%s freed=%lu walk=%s capture_us=%llu ",
		       oomlens_outcome_names[e->outcome], max(e->nr_marked, e->kills ? 1U : 0U),
		       e->by ?: "-", e->freed, oomlens_walk_names[e->walk],
		       div_u64(e->capture_ns, NSEC_PER_USEC));
	if (e->probed && e->duration_ns)
		scnprintf(buf + n, OOMLENS_TAIL_SIZE - n, "duration_us=%llu",
			  div_u64(e->duration_ns, NSEC_PER_USEC));
	else
		scnprintf(buf + n, OOMLENS_TAIL_SIZE - n, "duration_us=-");
}

/**
 * oomlens_print_no_limit() - what stands for the cgroup whose limit was hit
 * @e: of another kind than memcg
 *
 * Context: any.
 * Return: a word.
 */
const char *oomlens_print_no_limit(const struct oomlens_event *e)
{
	if (!oomlens_memcg_enabled() || e->kind == OOMLENS_KIND_UNKNOWN)
		return "-";
	return "/";
}

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

/* Into c->path: the path of one of the event's cgroups. */
static void find_path(const struct oomlens_copy *c, unsigned int index)
{
	u32 where = 0;

	if (!c->finish) {
		oomlens_memcg_path_unlocked(oomlens_event_open_memcg(index), c->path,
					    OOMLENS_PATH_SIZE);
		return;
	}
	if (index && c->finish->number == c->event->number)
		where = c->finish->paths[index - 1];
	oomlens_path_copy(where, c->path, OOMLENS_PATH_SIZE);
}

/* To little more than what a block cuts: its buffer does not hold all of it. */
static void shorten(char *path)
{
	size_t len = strlen(path);

	while (oomlens_escaped_len(path) > OOMLENS_VALUE_MAX + 4)
		path[--len] = '\0';
}

static void show_path(struct seq_file *m, const struct oomlens_copy *c, const char *key,
		      unsigned int index)
{
	find_path(c, index);
	if (c->block)
		shorten(c->path);
	seq_printf(m, " %s=", key);
	oomlens_puts_escaped(m, c->path);
}

/* A file's line ends here; a line of the log is measured or printed. */
static void end_line(struct seq_file *m, const struct oomlens_copy *c, enum oomlens_weight weight)
{
	if (c->block)
		c->end_line(c->block, weight);
	else
		seq_putc(m, '\n');
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

/* Of an idle call's run up to this call: how many ended with each outcome. */
static void show_idle(struct seq_file *m, const struct oomlens_event *e)
{
	const char *separator = " idle=";
	unsigned int i;

	for (i = 0; i < OOMLENS_NR_OUTCOMES; i++) {
		if (!e->idle[i])
			continue;
		seq_printf(m, "%s%s:%u", separator, oomlens_outcome_names[i], e->idle[i]);
		separator = ",";
	}
	if (*separator == ' ')
		seq_puts(m, " idle=-");
}

/* Of an open event, as in a panic, none are to come; the index is not searched. */
static void show_details(struct seq_file *m, const struct oomlens_copy *c)
{
	enum oomlens_details details = OOMLENS_DETAILS_NONE;

	if (c->finish)
		details = oomlens_event_details(c->event->number);
	seq_printf(m, " details=%s", oomlens_details_names[details]);
}

static void show_event(struct seq_file *m, const struct oomlens_copy *c)
{
	const struct oomlens_event *e = c->event;
	char buf[OOMLENS_HEAD_SIZE];

	BUILD_BUG_ON(OOMLENS_TAIL_SIZE > OOMLENS_HEAD_SIZE);
	oomlens_print_head(buf, e);
	seq_puts(m, buf);
	if (e->kind == OOMLENS_KIND_MEMCG)
		show_path(m, c, "memcg", e->limit_memcg);
	else
		seq_printf(m, " memcg=%s", oomlens_print_no_limit(e));
	oomlens_print_tail(buf, e);
	seq_printf(m, " %s", buf);
	show_path(m, c, "caller_memcg", e->caller_memcg);
	if (e->nodes)
		show_nodes(m, e->nodes);
	else
		seq_puts(m, " nodes=-");
	show_idle(m, e);
	show_details(m, c);
	end_line(m, c, OOMLENS_WEIGHT_FIRST);
}

#define show_member(m, record, member)	show_pages(m, #member, (record)->member)

static void show_memory(struct seq_file *m, const struct oomlens_copy *c)
{
	const struct oomlens_memory_record *r = &c->event->memory;

	seq_printf(m, "memory %lu", c->event->number);
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
	end_line(m, c, OOMLENS_WEIGHT_MEMORY);
}

static void show_zone(struct seq_file *m, const struct oomlens_copy *c,
		      const struct oomlens_zone_record *r)
{
	unsigned long not_for_all = r->free_cma + r->highatomic;

	seq_printf(m, "zone %lu node=%u name=%s", c->event->number, r->node,
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
	end_line(m, c, OOMLENS_WEIGHT_ZONE);
}

static void show_memcg(struct seq_file *m, const struct oomlens_copy *c)
{
	const struct oomlens_memcg_record *r = &c->event->memcg;

	seq_printf(m, "memcg %lu", c->event->number);
	show_path(m, c, "path", c->event->limit_memcg);
	show_pages(m, "usage", r->usage);
	show_limit(m, "limit", r->limit);
	show_pages(m, r->v2 ? "swap" : "memsw", r->swap);
	show_limit(m, r->v2 ? "swap_limit" : "memsw_limit", r->swap_limit);
	end_line(m, c, OOMLENS_WEIGHT_FIRST);
}

/* To the kernel an origin has LONG_MAX; what is printed is the sum. */
static long points_of(const struct oomlens_task_record *r, unsigned long totalpages)
{
	return oomlens_points(&r->terms, oomlens_adj_points(r->adj, totalpages));
}

static bool goes_before(const struct oomlens_task_record *a,
			const struct oomlens_task_record *b, unsigned long totalpages)
{
	if (!oomlens_ranked(a->verdict) || !oomlens_ranked(b->verdict))
		return oomlens_ranked(a->verdict) && !oomlens_ranked(b->verdict);
	if (a->verdict != b->verdict)
		return a->verdict == OOMLENS_VERDICT_ORIGIN;
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
 * The candidates were chosen before the kernel worked out totalpages. If that
 * differs, oom_score_adj weighs differently, and so the order is made here, with
 * the kernel's figure. Equals keep their order.
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

static void show_candidate(struct seq_file *m, const struct oomlens_copy *c,
			   const struct oomlens_task_record *r, unsigned int rank)
{
	const struct oomlens_event *e = c->event;

	if (oomlens_ranked(r->verdict))
		seq_printf(m, "candidate %lu rank=%u", e->number, rank);
	else
		seq_printf(m, "candidate %lu rank=-", e->number);
	seq_printf(m, " pid=%d uid=%u adj=%d score=%lu", r->pid, r->uid, r->adj,
		   score_of(r, e));
	if (oomlens_ranked(r->verdict))
		seq_printf(m, " points=%ld", points_of(r, e->totalpages));
	else
		seq_puts(m, " points=-");
	show_terms(m, &r->terms);
	seq_printf(m, " adj_points=%ld", oomlens_adj_points(r->adj, e->totalpages));
	show_member(m, r, locked);
	show_member(m, r, vm_total);
	seq_printf(m, " threads=%u verdict=%s fate=%s", r->threads,
		   oomlens_verdict_names[r->verdict], oomlens_fate_names[fate_of(r, e)]);
	show_path(m, c, "memcg", r->memcg);
	show_comm(m, r->comm);
	end_line(m, c, rank <= 3 ? OOMLENS_WEIGHT_FIRST : OOMLENS_WEIGHT_REST);
}

static void show_us(struct seq_file *m, const char *key, u32 us)
{
	if (us == OOMLENS_US_UNKNOWN)
		seq_printf(m, " %s=-", key);
	else
		seq_printf(m, " %s=%u", key, us);
}

static void show_victim(struct seq_file *m, const struct oomlens_copy *c, unsigned int i)
{
	const struct oomlens_event *e = c->event;
	const struct oomlens_finish *f = c->finish;
	const struct oomlens_task_record *r = &e->victims[i];
	bool known = f && f->number == e->number;

	seq_printf(m, "victim %lu pid=%d tid=%d uid=%u adj=%d", e->number, r->pid, r->tid,
		   r->uid, r->adj);
	show_comm(m, r->comm);
	if (e->totalpages)
		seq_printf(m, " points=%ld", points_of(r, e->totalpages));
	else
		seq_puts(m, " points=-");
	show_terms(m, &r->terms);
	show_member(m, r, locked);
	show_member(m, r, vm_total);
	seq_printf(m, " threads=%u killed=%d", r->threads, r->killed);
	show_path(m, c, "memcg", r->memcg);
	show_us(m, "exit_us", known ? f->exit_us[i] : OOMLENS_US_UNKNOWN);
	show_us(m, "freed_us", known ? f->freed_us[i] : OOMLENS_US_UNKNOWN);
	end_line(m, c, OOMLENS_WEIGHT_FIRST);
}

/**
 * oomlens_print_event() - all lines of an event
 * @m: where to
 * @c: a copy, or in a panic the open event; and room for a path
 *
 * Takes no lock.
 *
 * Context: any.
 */
void oomlens_print_event(struct seq_file *m, const struct oomlens_copy *c)
{
	const struct oomlens_event *e = c->event;
	u8 order[OOMLENS_CANDIDATES_MAX];
	unsigned int i;

	show_event(m, c);
	show_memory(m, c);
	for (i = 0; i < e->nr_zones; i++)
		show_zone(m, c, &oomlens_event_zones(e)[i]);
	if (e->kind == OOMLENS_KIND_MEMCG && e->probed)
		show_memcg(m, c);
	order_candidates(order, e);
	for (i = 0; i < e->nr_candidates; i++)
		show_candidate(m, c, &oomlens_event_candidates(e)[order[i]], i + 1);
	for (i = 0; i < e->nr_victims; i++)
		show_victim(m, c, i);
	/* An open event has none, and a panic must not wait for their lock. */
	for (i = 0; c->finish && oomlens_added_show(m, e->number, i); i++)
		end_line(m, c, OOMLENS_WEIGHT_ADDED);
}
