// SPDX-License-Identifier: GPL-2.0
/*
 * memory: what all of RAM is used for, as far as the kernel counts it, and how
 * many pages are left that no counter has. A reading of counters.
 */
#include <linux/cpumask.h>

#include "percpu.h"
#include "promise.h"

/*
 * What the counters show may lack up to a batch each CPU: the kernel changes its
 * per-CPU part first. That part is added here, so that a figure is exact while
 * no page changes hands. Not the global sums: a CPU that folds its part takes
 * all counters out of it before the first is added to them.
 * Source: mm/vmstat.c, refresh_cpu_vm_stats().
 */
static void add_node(struct oomlens_memory *m, pg_data_t *node)
{
	int i, cpu;

	for (i = 0; i < NR_VM_NODE_STAT_ITEMS; i++)
		m->node[i] += atomic_long_read(&node->vm_stat[i]);
	for_each_online_cpu(cpu) {
		const struct per_cpu_nodestat *part = per_cpu_ptr(node->per_cpu_nodestats, cpu);

		for (i = 0; i < NR_VM_NODE_STAT_ITEMS; i++)
			m->node[i] += READ_ONCE(part->vm_node_stat_diff[i]);
	}
}

static void add_zone(struct oomlens_memory *m, struct zone *zone)
{
	int i, cpu;

	for (i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
		m->zone[i] += atomic_long_read(&zone->vm_stat[i]);
	for_each_online_cpu(cpu) {
#ifdef CONFIG_SMP
		for (i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
			m->zone[i] += READ_ONCE(per_cpu_ptr(zone->per_cpu_zonestats,
							    cpu)->vm_stat_diff[i]);
#endif
		m->pcp += oomlens_zone_pcp(zone, cpu);
	}
}

static void read_counters(struct oomlens_memory *m)
{
	int nid, i;

	memset(m->node, 0, sizeof(m->node));
	memset(m->zone, 0, sizeof(m->zone));
	m->pcp = 0;
	for_each_online_node(nid) {
		pg_data_t *node = NODE_DATA(nid);

		add_node(m, node);
		for (i = 0; i < MAX_NR_ZONES; i++)
			if (populated_zone(&node->node_zones[i]))
				add_zone(m, &node->node_zones[i]);
	}
}

/* ---- The lines that are not one counter ---- */

static long node_or(const struct oomlens_memory *m, int item, long otherwise)
{
	return item == OOMLENS_NO_COUNTER ? otherwise : m->node[item];
}

static long pcp(const struct oomlens_memory *m)
{
	return m->pcp;
}

static long swapcache(const struct oomlens_memory *m)
{
	if (!IS_ENABLED(CONFIG_SWAP))
		return OOMLENS_MEMORY_NONE;
	return node_or(m, OOMLENS_NR_SWAPCACHE, m->v.swapcache);
}

/* The page cache proper and shmem: NR_FILE_PAGES has the swap cache too. */
static long cached(const struct oomlens_memory *m)
{
	return m->node[NR_FILE_PAGES] - (IS_ENABLED(CONFIG_SWAP) ? swapcache(m) : 0);
}

/*
 * On the LRU lists, and neither mapped as anonymous nor cached: the swap cache
 * that no page table maps, and pages that are pinned. Pages on their way to a list
 * are missing there, which may bring it below 0.
 */
static long anon_unmapped(const struct oomlens_memory *m)
{
	long pages = m->node[NR_ISOLATED_ANON] + m->node[NR_ISOLATED_FILE];
	enum lru_list lru;

	for_each_lru(lru)
		pages += m->node[NR_LRU_BASE + lru];
	return max(pages - m->node[NR_ANON_MAPPED] - cached(m), 0L);
}

static long page_cache(const struct oomlens_memory *m)
{
	return cached(m) - m->node[NR_SHMEM];
}

static long kernel_stack(const struct oomlens_memory *m)
{
	return m->node[NR_KERNEL_STACK_KB] >> (PAGE_SHIFT - 10);
}

static long pagetables(const struct oomlens_memory *m)
{
	return OOMLENS_PAGETABLES(m->node, m->zone);
}

static long percpu(const struct oomlens_memory *m)
{
	return oomlens_percpu_pages(m->v.percpu);
}

/* With CONFIG_VMAP_STACK the stacks are vmalloc's. */
static long vmalloc_pages(const struct oomlens_memory *m)
{
	long pages = node_or(m, OOMLENS_NR_VMALLOC, m->v.vmalloc);

	return pages - (IS_ENABLED(CONFIG_VMAP_STACK) ? kernel_stack(m) : 0);
}

static long hugetlb(const struct oomlens_memory *m)
{
	return IS_ENABLED(CONFIG_HUGETLB_PAGE) ? m->v.hugetlb : OOMLENS_MEMORY_NONE;
}

static long gpu(const struct oomlens_memory *m)
{
	long active = node_or(m, OOMLENS_NR_GPU_ACTIVE, OOMLENS_MEMORY_NONE);

	return active == OOMLENS_MEMORY_NONE ? active :
					       active + node_or(m, OOMLENS_NR_GPU_RECLAIM, 0);
}

static long module_pages(const struct oomlens_memory *m)
{
	return oomlens_counter_read(OOMLENS_POOL_PAGES);
}

/* ---- The table: a new counter is one row ---- */

enum source {
	NODE,		/* one counter of the nodes */
	ZONE,		/* one of the zones */
	FUNCTION,
};

static const struct row {
	const char *key;
	enum source source;
	int item;	/* OOMLENS_NO_COUNTER: this kernel has none */
	long (*read)(const struct oomlens_memory *m);
} rows[] = {
	[OOMLENS_MEMORY_FREE]		= { "free", ZONE, NR_FREE_PAGES },
	[OOMLENS_MEMORY_PCP]		= { "pcp", FUNCTION, .read = pcp },
	[OOMLENS_MEMORY_ANON]		= { "anon", NODE, NR_ANON_MAPPED },
	[OOMLENS_MEMORY_ANON_UNMAPPED]	= { "anon_unmapped", FUNCTION, .read = anon_unmapped },
	[OOMLENS_MEMORY_PAGE_CACHE]	= { "page_cache", FUNCTION, .read = page_cache },
	[OOMLENS_MEMORY_SHMEM]		= { "shmem", NODE, NR_SHMEM },
	[OOMLENS_MEMORY_SLAB_RECLAIMABLE] = { "slab_reclaimable", NODE, NR_SLAB_RECLAIMABLE_B },
	[OOMLENS_MEMORY_SLAB_UNRECLAIMABLE] = {
		"slab_unreclaimable", NODE, NR_SLAB_UNRECLAIMABLE_B
	},
	[OOMLENS_MEMORY_KERNEL_STACK]	= { "kernel_stack", FUNCTION, .read = kernel_stack },
	[OOMLENS_MEMORY_PAGETABLES]	= { "pagetables", FUNCTION, .read = pagetables },
	[OOMLENS_MEMORY_SECONDARY_PAGETABLES] = {
		"secondary_pagetables", NODE, OOMLENS_NR_SECONDARY_PAGETABLE
	},
	[OOMLENS_MEMORY_PERCPU]		= { "percpu", FUNCTION, .read = percpu },
	[OOMLENS_MEMORY_VMALLOC]	= { "vmalloc", FUNCTION, .read = vmalloc_pages },
	[OOMLENS_MEMORY_HUGETLB]	= { "hugetlb", FUNCTION, .read = hugetlb },
	[OOMLENS_MEMORY_ZSMALLOC]	= { "zsmalloc", ZONE, OOMLENS_NR_ZSPAGES },
	[OOMLENS_MEMORY_GPU]		= { "gpu", FUNCTION, .read = gpu },
	[OOMLENS_MEMORY_MISC_RECLAIMABLE] = {
		"misc_reclaimable", NODE, NR_KERNEL_MISC_RECLAIMABLE
	},
	[OOMLENS_MEMORY_MODULE]		= { "module", FUNCTION, .read = module_pages },
	[OOMLENS_MEMORY_SWAPCACHE]	= { "swapcache", FUNCTION, .read = swapcache },
	[OOMLENS_MEMORY_BALLOON]	= { "balloon", NODE, OOMLENS_NR_BALLOON_PAGES },
	[OOMLENS_MEMORY_LOCKED]		= { "locked", ZONE, NR_MLOCK },
};

static_assert(ARRAY_SIZE(rows) == OOMLENS_NR_MEMORY_LINES);

static long read_row(const struct row *row, const struct oomlens_memory *m)
{
	if (row->source == FUNCTION)
		return row->read(m);
	if (row->source == NODE)
		return node_or(m, row->item, OOMLENS_MEMORY_NONE);
	return row->item == OOMLENS_NO_COUNTER ? OOMLENS_MEMORY_NONE : m->zone[row->item];
}

/**
 * oomlens_memory_init() - what of the counters does not change after boot
 *
 * Context: module load.
 */
void __init oomlens_memory_init(void)
{
	oomlens_percpu_init();
}

/**
 * oomlens_memory_open() - begin to read what RAM is used for
 * @m: zeroed
 *
 * Context: process context, sleeps; allocates as any open of a file does.
 * Return: 0, or what opening /proc/meminfo returned.
 */
int oomlens_memory_open(struct oomlens_memory *m)
{
	return oomlens_meminfo_open(&m->meminfo);
}

/**
 * oomlens_memory_close() - undo oomlens_memory_open()
 * @m: open
 *
 * Context: process context, may sleep.
 */
void oomlens_memory_close(struct oomlens_memory *m)
{
	oomlens_meminfo_close(&m->meminfo);
}

/**
 * oomlens_memory_read() - read what RAM is used for, now
 * @m: open; its lines are of now, or untouched on error
 *
 * Context: process context, kernel threads too; one caller at a time for one @m.
 * Waits for no lock that another task holds while it sleeps, allocates nothing.
 * Return: 0, or what reading /proc/meminfo returned.
 */
int oomlens_memory_read(struct oomlens_memory *m)
{
	int err, i;

	err = oomlens_meminfo_read(&m->meminfo, &m->v);
	if (err)
		return err;
	read_counters(m);
	m->ram = totalram_pages();
	m->unaccounted = m->ram;
	for (i = 0; i < OOMLENS_NR_MEMORY_LINES; i++) {
		m->line[i] = read_row(&rows[i], m);
		if (i < OOMLENS_MEMORY_SUMMED && m->line[i] != OOMLENS_MEMORY_NONE)
			m->unaccounted -= m->line[i];
	}
	return 0;
}

/*
 * Pages on their way to an LRU list, and those that are to be locked there, which
 * a CPU keeps in a batch each; when their owner has gone they are in no counter.
 */
static long drift(void)
{
	return 2 * OOMLENS_LRU_BATCH * num_online_cpus();
}

/* ---- The file ---- */

static int memory_open(struct seq_file *m)
{
	return oomlens_memory_open(m->private);
}

static void memory_release(struct seq_file *m)
{
	oomlens_memory_close(m->private);
}

static int memory_snapshot(struct seq_file *m)
{
	return oomlens_memory_read(m->private);
}

static void show(struct seq_file *m, const char *key, long pages)
{
	/* Not seq_printf(), as in overcommit.c */
	seq_puts(m, key);
	if (pages == OOMLENS_MEMORY_NONE)
		seq_puts(m, " -");
	else
		seq_put_decimal_ll(m, " ", pages);
	seq_putc(m, '\n');
}

static int memory_show(struct seq_file *m, void *unused)
{
	const struct oomlens_memory *memory = m->private;
	int i;

	seq_puts(m, "# oomlens memory 1\n");
	show(m, "ram", memory->ram);
	for (i = 0; i < OOMLENS_MEMORY_SUMMED; i++)
		show(m, rows[i].key, memory->line[i]);
	show(m, "unaccounted", memory->unaccounted);
	show(m, "drift", drift());
	for (; i < OOMLENS_NR_MEMORY_LINES; i++)
		show(m, rows[i].key, memory->line[i]);
	return 0;
}

const struct oomlens_file_ops oomlens_memory_file = {
	.private_size	= sizeof(struct oomlens_memory),
	.open		= memory_open,
	.release	= memory_release,
	.snapshot	= memory_snapshot,
	.show		= memory_show,
};
