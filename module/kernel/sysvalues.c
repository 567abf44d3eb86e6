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

/* /proc/meminfo is longer, and read in pieces; no line of it is. */
#define TEXT_SIZE	1024

/* One number. procfs clears a buffer of its own of the size that is asked for. */
#define NUMBER_SIZE	32

enum source {
	MEMINFO,
	OVERCOMMIT_MEMORY,
	OVERCOMMIT_RATIO,
	OVERCOMMIT_KBYTES,
	ADMIN_RESERVE_KBYTES,
	USER_RESERVE_KBYTES,
	SWAPPINESS,
	PANIC_ON_OOM,
	SWAPS,			/* polled, not read */
	NR_SOURCES
};

static const char * const source_paths[NR_SOURCES] = {
	[MEMINFO]		= "meminfo",
	[OVERCOMMIT_MEMORY]	= "sys/vm/overcommit_memory",
	[OVERCOMMIT_RATIO]	= "sys/vm/overcommit_ratio",
	[OVERCOMMIT_KBYTES]	= "sys/vm/overcommit_kbytes",
	[ADMIN_RESERVE_KBYTES]	= "sys/vm/admin_reserve_kbytes",
	[USER_RESERVE_KBYTES]	= "sys/vm/user_reserve_kbytes",
	[SWAPPINESS]		= "sys/vm/swappiness",
	[PANIC_ON_OOM]		= "sys/vm/panic_on_oom",
	[SWAPS]			= "swaps",
};

static struct vfsmount *proc_mnt;
/* NULL: this kernel has no such file (a board without swap has no swappiness). */
static struct file *source_files[NR_SOURCES];
static char *text;		/* TEXT_SIZE bytes, under read_mutex */
static DEFINE_MUTEX(read_mutex);	/* text, and the writers of cache */

/* The last values read, for the OOM path: it may not sleep in a file. */
static struct oomlens_sysvalues cache;
static seqcount_t cache_seq = SEQCNT_ZERO(cache_seq);

static unsigned long cache_until;	/* jiffies; under read_mutex */

static int read_ulong(enum source source, unsigned long *value)
{
	char number[NUMBER_SIZE], *digits;
	loff_t pos = 0;
	ssize_t n;

	if (!source_files[source])
		return -ENOENT;
	n = kernel_read(source_files[source], number, sizeof(number) - 1, &pos);
	if (n < 0)
		return n;
	number[n] = '\0';
	digits = strim(number);
	/* overcommit_ratio has no least value, and the kernel reckons with what it is. */
	return *digits == '-' ? kstrtol(digits, 10, (long *)value) :
				kstrtoul(digits, 10, value);
}

/* The lines of /proc/meminfo that are wanted, and where they go. */
static const struct {
	const char *key;
	size_t at;		/* of an unsigned long in struct oomlens_sysvalues */
} meminfo_keys[] = {
	{ "MemTotal:",		offsetof(struct oomlens_sysvalues, totalram) },
	{ "SwapTotal:",		offsetof(struct oomlens_sysvalues, total_swap) },
	{ "SwapFree:",		offsetof(struct oomlens_sysvalues, swap_free) },
	{ "CommitLimit:",	offsetof(struct oomlens_sysvalues, commit_limit) },
	{ "Committed_AS:",	offsetof(struct oomlens_sysvalues, committed) },
	{ "MemAvailable:",	offsetof(struct oomlens_sysvalues, available) },
	{ "Mlocked:",		offsetof(struct oomlens_sysvalues, locked) },
	{ "Hugetlb:",		offsetof(struct oomlens_sysvalues, hugetlb) },
};

static void parse_line(struct oomlens_sysvalues *v, const char *line)
{
	unsigned long kb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(meminfo_keys); i++) {
		size_t len = strlen(meminfo_keys[i].key);

		if (strncmp(line, meminfo_keys[i].key, len))
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
static int read_meminfo(struct oomlens_sysvalues *v)
{
	size_t kept = 0;	/* of a line whose end is in the next piece */
	loff_t pos = 0;
	ssize_t n;

	lockdep_assert_held(&read_mutex);
	while ((n = kernel_read(source_files[MEMINFO], text + kept,
				TEXT_SIZE - 1 - kept, &pos)) > 0) {
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

/* A missing sysctl leaves the value 0; any other error is the caller's. */
static int read_optional(enum source source, unsigned long *value)
{
	int err = read_ulong(source, value);

	return err == -ENOENT ? 0 : err;
}

static int read_once(struct oomlens_sysvalues *v)
{
	unsigned long kb;
	int err;

	memset(v, 0, sizeof(*v));
	err = read_meminfo(v);
	if (err)
		return err;
	err = read_optional(OVERCOMMIT_MEMORY, &v->mode) ?:
	      read_optional(OVERCOMMIT_RATIO, &v->ratio) ?:
	      read_optional(OVERCOMMIT_KBYTES, &v->kbytes) ?:
	      read_optional(SWAPPINESS, &v->swappiness) ?:
	      read_optional(PANIC_ON_OOM, &v->panic_on_oom);
	if (err)
		return err;
	kb = 0;
	err = read_optional(ADMIN_RESERVE_KBYTES, &kb);
	if (err)
		return err;
	v->admin_reserve = KB_TO_PAGES(kb);
	kb = 0;
	err = read_optional(USER_RESERVE_KBYTES, &kb);
	if (err)
		return err;
	v->user_reserve = KB_TO_PAGES(kb);
	return 0;
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

static int read_all(struct oomlens_sysvalues *v)
{
	int err = read_once(v);

	/* A swapoff is under way; or a sysctl was set between the readings: then not again. */
	if (!err && total_swap_pages_of(v) != v->total_swap) {
		err = read_once(v);
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

	/* Asked before the reading: what comes meanwhile is seen by the next. */
	swap_changed();
	err = read_all(v);
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
 * @v: filled in whole, or untouched on error
 *
 * Context: process context, sleeps; never in the OOM path. The LSM checks the
 * read with the current credentials.
 * Return: 0, or what reading procfs returned.
 */
int oomlens_sysvalues_read(struct oomlens_sysvalues *v)
{
	struct oomlens_sysvalues now;
	int err;

	mutex_lock(&read_mutex);
	err = read_and_cache(&now);
	if (!err)
		*v = now;
	mutex_unlock(&read_mutex);
	return err;
}

/**
 * oomlens_sysvalues_totals() - read what an OOM's total is made of
 * @v: totalram, total_swap and, where there is swap, swappiness are of now;
 *	the rest may be a second old; untouched on error
 *
 * /proc/meminfo takes the kernel as long as a hundred tasks take the walk, and
 * all that is wanted of it is the size of the swap. The kernel tells by poll()
 * of /proc/swaps when that changes, if at the end of a swapoff only.
 *
 * Context and return: as oomlens_sysvalues_read().
 */
int oomlens_sysvalues_totals(struct oomlens_sysvalues *v)
{
	struct oomlens_sysvalues now;
	int err = 0;

	mutex_lock(&read_mutex);
	if (swap_changed() || time_after_eq(jiffies, cache_until)) {
		err = read_and_cache(&now);
	} else {
		now = cache;
		now.totalram = totalram_pages();
		if (now.total_swap)
			err = read_optional(SWAPPINESS, &now.swappiness);
	}
	if (!err)
		*v = now;
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
	unsigned int seq;

	/* raw: lockdep takes a probe's breakpoint for an NMI, and would complain. */
	do {
		seq = raw_read_seqcount_begin(&cache_seq);
		*v = cache;
	} while (read_seqcount_retry(&cache_seq, seq));
	v->totalram = totalram_pages();
	v->swap_free = get_nr_swap_pages();
}

static int __init open_source(enum source source)
{
	struct file *file = oomlens_open_at(proc_mnt, source_paths[source]);

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
	text = oomlens_keep_alloc(TEXT_SIZE);
	if (!text) {
		err = -ENOMEM;
		goto err_put_type;
	}
	proc_mnt = kern_mount(type);
	if (IS_ERR(proc_mnt)) {
		err = PTR_ERR(proc_mnt);
		pr_err("cannot mount procfs: %d\n", err);
		goto err_free_text;
	}
	for (i = 0; i < NR_SOURCES; i++) {
		err = open_source(i);
		if (err) {
			pr_err("cannot open %s of procfs: %d\n", source_paths[i], err);
			goto err_close_sources;
		}
	}
	err = oomlens_sysvalues_read(&v);
	if (err) {
		pr_err("cannot read procfs: %d\n", err);
		goto err_close_sources;
	}
	module_put(type->owner);
	return 0;

err_close_sources:
	close_sources();
	kern_unmount(proc_mnt);
err_free_text:
	kvfree(text);
err_put_type:
	module_put(type->owner);
	return err;
}

/**
 * oomlens_sysvalues_exit() - undo oomlens_sysvalues_init()
 */
void oomlens_sysvalues_exit(void)
{
	close_sources();
	kern_unmount(proc_mnt);
	kvfree(text);
}
