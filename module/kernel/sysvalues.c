// SPDX-License-Identifier: GPL-2.0
/*
 * Values that the kernel shows in procfs and does not export to modules.
 *
 * A procfs mount of the module's own is used, so that the reader's mount
 * namespace, chroot or hidepid does not matter. The files are opened once, at
 * load, with the loader's credentials. They are text, but a stable interface;
 * the alternative, addresses of unexported symbols, is neither safe (IBT, CFI)
 * nor there on every kernel.
 */
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/seqlock.h>
#include <linux/swap.h>

#include "kernel.h"

#define KB_TO_PAGES(kb)	((kb) >> (PAGE_SHIFT - 10))

/* One number. procfs clears a buffer of its own of the size that is asked for. */
#define NUMBER_SIZE	32

enum source {
	MEMINFO,
	SWAPS,			/* polled and waited for, not read */
	BOOT_ID,
	OVERCOMMIT_MEMORY,	/* the sysctls, from here on */
	OVERCOMMIT_RATIO,
	OVERCOMMIT_KBYTES,
	ADMIN_RESERVE_KBYTES,
	USER_RESERVE_KBYTES,
	SWAPPINESS,
	PANIC_ON_OOM,
	KILL_ALLOCATING,
	NR_SOURCES
};

#define AT(member)	offsetof(struct oomlens_sysvalues, member)

static const struct {
	const char *path;
	size_t at;		/* of an unsigned long in struct oomlens_sysvalues */
	bool kb;		/* shown in kB, kept in pages */
} sources[NR_SOURCES] = {
	[MEMINFO]		= { "meminfo" },
	[SWAPS]			= { "swaps" },
	[BOOT_ID]		= { "sys/kernel/random/boot_id" },
	[OVERCOMMIT_MEMORY]	= { "sys/vm/overcommit_memory",		AT(mode) },
	[OVERCOMMIT_RATIO]	= { "sys/vm/overcommit_ratio",		AT(ratio) },
	[OVERCOMMIT_KBYTES]	= { "sys/vm/overcommit_kbytes",		AT(kbytes) },
	[ADMIN_RESERVE_KBYTES]	= { "sys/vm/admin_reserve_kbytes",	AT(admin_reserve), true },
	[USER_RESERVE_KBYTES]	= { "sys/vm/user_reserve_kbytes",	AT(user_reserve), true },
	[SWAPPINESS]		= { "sys/vm/swappiness",		AT(swappiness) },
	[PANIC_ON_OOM]		= { "sys/vm/panic_on_oom",		AT(panic_on_oom) },
	[KILL_ALLOCATING]	= { "sys/vm/oom_kill_allocating_task",	AT(kill_allocating) },
};

static struct vfsmount *proc_mnt;
/*
 * NULL: this kernel has no such file (a board without swap has no swappiness).
 * A sysctl's file has no lock and no state. meminfo's is a seq_file, with a lock
 * that is held while it is read: so this one is for root, trigger and the
 * recorder, and each reader of overcommit, which any user may be, has its own.
 */
static struct file *source_files[NR_SOURCES];
static struct oomlens_meminfo *shared;	/* of source_files[MEMINFO]; under read_mutex */
static DEFINE_MUTEX(read_mutex);	/* shared, and the writers of cache */

/* The last values read, for the OOM path: it may not sleep in a file. */
static struct oomlens_sysvalues cache;
static seqcount_t cache_seq = SEQCNT_ZERO(cache_seq);

/* Readings of the cache, at most: some milliseconds; a copy is written in less than one. */
#define CACHE_TRIES	100000

static unsigned long cache_until;	/* jiffies; under read_mutex */

/*
 * procfs allocates by GFP_KERNEL: 32 bytes for a sysctl, and at load a page for
 * the shared meminfo. With PF_MEMALLOC it takes them from the reserves, so that
 * a reading neither reclaims nor runs the OOM killer.
 */
static ssize_t read_proc(struct file *file, char *buf, size_t size, loff_t *pos)
{
	unsigned int flags = memalloc_noreclaim_save();
	ssize_t n = kernel_read(file, buf, size, pos);

	memalloc_noreclaim_restore(flags);
	return n;
}

/* A sysctl that this kernel does not have leaves the value as it is. */
static int read_sysctl(enum source source, struct oomlens_sysvalues *v)
{
	unsigned long *value = (void *)v + sources[source].at;
	char number[NUMBER_SIZE], *digits;
	loff_t pos = 0;
	ssize_t n;
	int err;

	if (!source_files[source])
		return 0;
	n = read_proc(source_files[source], number, sizeof(number) - 1, &pos);
	if (n < 0)
		return n;
	number[n] = '\0';
	digits = strim(number);
	/* overcommit_ratio may be negative, and the kernel calculates with it. */
	err = *digits == '-' ? kstrtol(digits, 10, (long *)value) :
			       kstrtoul(digits, 10, value);
	if (sources[source].kb)
		*value = KB_TO_PAGES(*value);
	return err;
}

/* The lines of /proc/meminfo that are wanted, and where they go. */
static const struct {
	const char *key;
	size_t at;
} meminfo_keys[] = {
	{ "MemTotal:",		AT(totalram) },
	{ "SwapTotal:",		AT(total_swap) },
	{ "SwapFree:",		AT(swap_free) },
	{ "CommitLimit:",	AT(commit_limit) },
	{ "Committed_AS:",	AT(committed) },
	{ "MemAvailable:",	AT(available) },
	{ "Mlocked:",		AT(locked) },
	{ "Hugetlb:",		AT(hugetlb) },
	{ "Percpu:",		AT(percpu) },
	{ "VmallocUsed:",	AT(vmalloc) },
	{ "SwapCached:",	AT(swapcache) },
};

static void parse_line(struct oomlens_sysvalues *v, const char *line)
{
	unsigned long kb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(meminfo_keys); i++) {
		size_t len = strlen(meminfo_keys[i].key);

		/* Most differ in the first letter, which saves a call for each key and line. */
		if (*line != *meminfo_keys[i].key || strncmp(line, meminfo_keys[i].key, len))
			continue;
		/* The number ends at a blank: "  123 kB". */
		if (sscanf(line + len, "%lu", &kb) == 1)
			*(unsigned long *)((char *)v + meminfo_keys[i].at) =
				KB_TO_PAGES(kb);
		return;
	}
}

/*
 * One pass, line by line: strstr() for each key took half the time of a whole
 * reading. All pieces are of the one text that procfs made for the first of
 * them. A line that is missing leaves 0.
 */
static int read_meminfo(struct oomlens_meminfo *meminfo, struct oomlens_sysvalues *v)
{
	char *text = meminfo->text;
	size_t kept = 0;	/* of a line whose end is in the next piece */
	loff_t pos = 0;
	ssize_t n;

	while ((n = read_proc(meminfo->file, text + kept,
			      sizeof(meminfo->text) - 1 - kept, &pos)) > 0) {
		char *line = text, *end;

		text[kept + n] = '\0';
		while ((end = strchr(line, '\n'))) {
			parse_line(v, line);
			line = end + 1;
		}
		kept = strlen(line);
		memmove(text, line, kept);
	}
	return n;
}

static int read_once(struct oomlens_meminfo *meminfo, struct oomlens_sysvalues *v)
{
	enum source source;
	int err;

	memset(v, 0, sizeof(*v));
	err = read_meminfo(meminfo, v);
	for (source = OVERCOMMIT_MEMORY; source < NR_SOURCES && !err; source++)
		err = read_sysctl(source, v);
	return err;
}

/*
 * SwapTotal still has what an area that is being swapped off has in use;
 * total_swap_pages, of which the OOM killer and the commit limit are made, has not.
 * Source: mm/swapfile.c, si_swapinfo(); mm/util.c, vm_commit_limit().
 */
static unsigned long total_swap_pages_of(const struct oomlens_sysvalues *v)
{
	unsigned long allowed = v->kbytes ? KB_TO_PAGES(v->kbytes) :
				(v->totalram - v->hugetlb) * v->ratio / 100;

	if (!source_files[OVERCOMMIT_RATIO] || v->commit_limit < allowed)
		return v->total_swap;
	return min(v->total_swap, v->commit_limit - allowed);
}

/**
 * oomlens_sysvalues_read_own() - read the values now, without a lock
 * @meminfo: the caller's own, open
 * @v: filled in whole, or of no meaning on error
 *
 * For what any user may read: no task waits for another here.
 *
 * Context: process context, sleeps; never in the OOM path. The LSM checks the
 * read with the current credentials.
 * Return: 0, or what reading procfs returned.
 */
int oomlens_sysvalues_read_own(struct oomlens_meminfo *meminfo, struct oomlens_sysvalues *v)
{
	int err = read_once(meminfo, v);

	/* A swapoff is under way; or a sysctl was set between the readings: then not again. */
	if (!err && total_swap_pages_of(v) != v->total_swap) {
		err = read_once(meminfo, v);
		if (!err)
			v->total_swap = total_swap_pages_of(v);
	}
	return err;
}

/* Was swap added or removed since this was last asked? */
static bool swap_changed(void)
{
	lockdep_assert_held(&read_mutex);
	return source_files[SWAPS] && (vfs_poll(source_files[SWAPS], NULL) & EPOLLPRI);
}

static int read_and_cache(struct oomlens_sysvalues *v)
{
	int err;

	/* Asked before the reading: a later change is seen by the next one. */
	swap_changed();
	err = oomlens_sysvalues_read_own(shared, v);
	if (err)
		return err;
	preempt_disable();
	write_seqcount_begin(&cache_seq);
	cache = *v;
	write_seqcount_end(&cache_seq);
	preempt_enable();
	cache_until = jiffies + HZ;
	return 0;
}

/**
 * oomlens_sysvalues_read() - read the values now
 * @v: filled in whole, or of no meaning on error
 *
 * Context and return: as oomlens_sysvalues_read_own().
 */
int oomlens_sysvalues_read(struct oomlens_sysvalues *v)
{
	int err;

	mutex_lock(&read_mutex);
	err = read_and_cache(v);
	mutex_unlock(&read_mutex);
	return err;
}

/**
 * oomlens_procfs_open_seq() - open a seq_file of the module's own procfs mount
 * @path: below the mount
 *
 * Its buffer is there already: its first reading would take the page from the
 * reserves, and keep it.
 *
 * Context: process context, sleeps; allocates as any open of a file does.
 * Return: the file, for fput() in the end; what opening it returned.
 */
struct file *oomlens_procfs_open_seq(const char *path)
{
	/* To lockdep all seq_files are one: ours, under which these are read, and these. */
	static struct lock_class_key seq_lock;
	struct file *file = oomlens_open_at(proc_mnt, path);
	struct seq_file *m;

	if (IS_ERR(file))
		return file;
	m = file->private_data;
	lockdep_set_class(&m->lock, &seq_lock);
	m->size = PAGE_SIZE;
	m->buf = kvmalloc(m->size, OOMLENS_GFP_FILE);
	if (m->buf)
		return file;
	fput(file);
	return ERR_PTR(-ENOMEM);
}

/**
 * oomlens_meminfo_open() - a meminfo of the caller's own
 * @meminfo: zeroed
 *
 * Context: process context, sleeps; allocates as any open of a file does.
 * Return: 0, or what opening the file returned.
 */
int oomlens_meminfo_open(struct oomlens_meminfo *meminfo)
{
	/* fs/proc/meminfo.c, proc_meminfo_init(): a seq_file */
	struct file *file = oomlens_procfs_open_seq(sources[MEMINFO].path);

	if (IS_ERR(file))
		return PTR_ERR(file);
	meminfo->file = file;
	return 0;
}

/**
 * oomlens_meminfo_close() - undo oomlens_meminfo_open()
 * @meminfo: open
 *
 * Context: process context, may sleep.
 */
void oomlens_meminfo_close(struct oomlens_meminfo *meminfo)
{
	fput(meminfo->file);
}

/**
 * oomlens_meminfo_read() - read /proc/meminfo alone, without a lock
 * @meminfo: the caller's own, open
 * @v: the values that the kernel shows there are of now, all others are 0
 *
 * Context: process context, kernel threads too; sleeps in no lock that another
 * task holds, allocates nothing.
 * Return: as oomlens_sysvalues_read_own().
 */
int oomlens_meminfo_read(struct oomlens_meminfo *meminfo, struct oomlens_sysvalues *v)
{
	memset(v, 0, sizeof(*v));
	return read_meminfo(meminfo, v);
}

/**
 * oomlens_sysvalues_totals() - read what an OOM's total is made of
 * @v: totalram, total_swap and, where there is swap, swappiness are of now;
 *	the rest may be a second old; of no meaning on error
 *
 * /proc/meminfo takes the kernel as long as a hundred tasks take the walk, and
 * all that is wanted of it is the size of the swap. The kernel tells by poll()
 * of /proc/swaps when that changes, if at the end of a swapoff only.
 *
 * Context and return: as oomlens_sysvalues_read().
 */
int oomlens_sysvalues_totals(struct oomlens_sysvalues *v)
{
	int err = 0;

	mutex_lock(&read_mutex);
	if (swap_changed() || time_after_eq(jiffies, cache_until)) {
		err = read_and_cache(v);
	} else {
		*v = cache;
		v->totalram = totalram_pages();
		if (v->total_swap)
			err = read_sysctl(SWAPPINESS, v);
	}
	mutex_unlock(&read_mutex);
	return err;
}

/**
 * oomlens_sysvalues_cached() - the values as they were last read
 * @v: filled in; totalram and swap_free are brought up to date
 *
 * For the OOM path, where procfs may not be read.
 *
 * Context: any; takes no lock and spins only while a copy is written.
 */
void oomlens_sysvalues_cached(struct oomlens_sysvalues *v)
{
	unsigned int seq, tries = CACHE_TRIES;

	/*
	 * raw: lockdep takes a probe's breakpoint for an NMI, and would complain. In a
	 * panic the writer may have been stopped: what it has written will do.
	 */
	do {
		seq = raw_read_seqcount(&cache_seq);
		*v = cache;
	} while (((seq & 1) || read_seqcount_retry(&cache_seq, seq)) && --tries);
	v->totalram = totalram_pages();
	v->swap_free = get_nr_swap_pages();
}

/* ---- Swap that comes or goes ---- */

static void (*swap_listener)(void);
static wait_queue_head_t *swap_head;	/* NULL: not watched */

static int swap_woken(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	swap_listener();
	return 0;
}

static wait_queue_entry_t swap_wait = {
	.func	= swap_woken,
	.entry	= LIST_HEAD_INIT(swap_wait.entry),
};

static void queue_swap_wait(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	swap_head = head;
	add_wait_queue(head, &swap_wait);
}

/**
 * oomlens_sysvalues_watch_swap() - be called when swap was turned on or off
 * @changed: called with a spinlock held and interrupts off, by swapon(2), and by
 *	swapoff(2) at its end; is to see to it that the values are read again
 *
 * Source: mm/swapfile.c, proc_poll_wait.
 *
 * Context: process context, once.
 */
void oomlens_sysvalues_watch_swap(void (*changed)(void))
{
	poll_table table;

	if (!source_files[SWAPS])
		return;
	swap_listener = changed;
	init_poll_funcptr(&table, queue_swap_wait);
	/* It changed since the values were read, and will not be told of again. */
	if (vfs_poll(source_files[SWAPS], &table) & EPOLLPRI)
		changed();
}

/**
 * oomlens_sysvalues_unwatch_swap() - and no more; no call is under way on return
 *
 * Context: process context.
 */
void oomlens_sysvalues_unwatch_swap(void)
{
	if (swap_head)
		remove_wait_queue(swap_head, &swap_wait);
}

char oomlens_boot_id[OOMLENS_BOOT_ID_SIZE] = "-";

static int __init read_boot_id(void)
{
	loff_t pos = 0;
	ssize_t n;

	if (!source_files[BOOT_ID])
		return 0;
	n = read_proc(source_files[BOOT_ID], oomlens_boot_id, sizeof(oomlens_boot_id) - 1, &pos);
	return n < 0 ? n : 0;
}

/**
 * oomlens_procfs_open() - open a file of the module's own procfs mount
 * @path: below the mount
 *
 * Context: process context; allocates as any open of a file does.
 * Return: the file, to be given back by fput(), or an ERR_PTR.
 */
struct file *oomlens_procfs_open(const char *path)
{
	return oomlens_open_at(proc_mnt, path);
}

static int __init open_source(enum source source)
{
	struct file *file = oomlens_open_at(proc_mnt, sources[source].path);

	if (IS_ERR(file)) {
		if (PTR_ERR(file) == -ENOENT && source != MEMINFO)
			return 0;
		return PTR_ERR(file);
	}
	source_files[source] = file;
	return 0;
}

static void close_sources(void)
{
	int i;

	for (i = 0; i < NR_SOURCES; i++)
		if (source_files[i])
			fput(source_files[i]);
}

/**
 * oomlens_sysvalues_init() - mount procfs and open the files
 *
 * Context: module load.
 * Return: 0 or an error; nothing is left behind on error.
 */
int __init oomlens_sysvalues_init(void)
{
	struct file_system_type *type = get_fs_type("proc");
	struct oomlens_sysvalues v;
	int err, i;

	if (!type) {
		pr_err("no procfs: CONFIG_PROC_FS is needed\n");
		return -ENODEV;
	}
	proc_mnt = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(proc_mnt)) {
		pr_err("cannot mount procfs: %ld\n", PTR_ERR(proc_mnt));
		return PTR_ERR(proc_mnt);
	}
	err = -ENOMEM;
	shared = oomlens_keep_alloc(sizeof(*shared));
	if (!shared)
		goto err_unmount;
	for (i = 0; i < NR_SOURCES; i++) {
		err = open_source(i);
		if (err) {
			pr_err("cannot open %s of procfs: %d\n", sources[i].path, err);
			goto err_close_sources;
		}
	}
	shared->file = source_files[MEMINFO];
	err = read_boot_id() ?: oomlens_sysvalues_read(&v);
	if (err) {
		pr_err("cannot read procfs: %d\n", err);
		goto err_close_sources;
	}
	return 0;

err_close_sources:
	close_sources();
	kvfree(shared);
err_unmount:
	kern_unmount(proc_mnt);
	return err;
}

/**
 * oomlens_sysvalues_exit() - undo oomlens_sysvalues_init()
 *
 * Context: module unload, or load that failed.
 */
void oomlens_sysvalues_exit(void)
{
	close_sources();
	kern_unmount(proc_mnt);
	kvfree(shared);
}
