// SPDX-License-Identifier: GPL-2.0
/*
 * A model of the kernel's choice, written from mm/oom_kill.c and mm/memcontrol.c
 * of 5.10 to 7.3 and from nothing of this module. It sees /proc and the cgroup's
 * files alone. Each round builds a tree of cgroups with tasks of random shape,
 * lets the model choose, and causes an OOM of the machine or of one cgroup. The
 * kernel's log is the judge of the model, and both are of the event. Swap areas go
 * and come back between rounds.
 *
 * Nothing runs between the model's reading and the kill, and reclaim only takes
 * pages away: a task with fewer points in the model than another is never right,
 * unless the other has fewer after the kill.
 *
 * $OOMLENS_MODEL sets the number of rounds (20), $OOMLENS_SEED repeats a run.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"

/* ---- The model ---- */

#define TASKS	256
#define TIDS	8

enum term { ANON, FILE_PAGES, SHMEM, SWAP, PGTABLES, TERMS };

static const struct {
	const char *status;		/* in /proc/PID/status, kB */
	const char *column;		/* of an event's candidate, pages */
} term_name[TERMS] = {
	[ANON]		= { "RssAnon:",		"rss_anon" },
	[FILE_PAGES]	= { "RssFile:",		"rss_file" },
	[SHMEM]		= { "RssShmem:",	"rss_shmem" },
	[SWAP]		= { "VmSwap:",		"swap" },
	[PGTABLES]	= { "VmPTE:",		"pgtables" },
};

/* A thread group that the kernel may choose. Sizes are pages. */
struct task {
	pid_t pid;
	pid_t tid[TIDS];		/* the log names a thread where the leader is dead */
	long long term[TERMS];
	long long points;
	unsigned long long start;	/* clock ticks since boot */
	int adj, threads;
	char cgroup[256];
};

/* The first task is the model's choice. */
struct model {
	long long totalpages;
	unsigned int n;
	struct task task[TASKS];
};

/* What an OOM draws on; @cgroup NULL: the machine. */
struct domain {
	const char *cgroup;		/* its directory */
	long long limit;		/* pages, when it comes */
};

/*
 * From 6.2 on each processor keeps a part of a counter back, and the OOM killer read
 * the rest alone until get_mm_rss_sum() came with 7.0, while /proc learned to add all
 * up. Pages by which the points of one task may differ.
 * Source: lib/percpu_counter.c, compute_batch_value(); percpu_counter_add_batch().
 */
static long long slack;

static void slack_set(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname name;
	int major, minor;
	cpu_set_t first;

	MUST(!uname(&name) && sscanf(name.release, "%d.%d", &major, &minor) == 2);
	if (major != 6 || minor < 2)
		return;
	/* On one processor, the parts of the others are empty. */
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	MUST(!sched_setaffinity(0, sizeof(first), &first));
	slack = (PGTABLES - ANON) * ((cpus > 16 ? 2 * cpus : 32) - 1);
}

/* False: the process is gone. */
static bool task_file(char *buf, size_t size, pid_t pid, const char *name)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/* The terms by a thread's status. False: the thread has no mm. */
static bool terms_of(struct task *t, const char *status)
{
	long long kb;

	for (int i = 0; i < TERMS; i++) {
		/* Without CONFIG_SWAP there is no such line. */
		if (!key_number(status, term_name[i].status, &kb)) {
			if (i != SWAP)
				return false;
			kb = 0;
		}
		t->term[i] = kb / (long long)(page_size() / 1024);
	}
	return true;
}

/* Source: find_lock_task_mm(): of a group whose leader is dead, any thread. */
static bool find_mm(struct task *t)
{
	char path[32], text[4096];
	unsigned int n = 0;
	struct dirent *d;
	bool found;
	DIR *dir;

	found = task_file(text, sizeof(text), t->pid, "status") && terms_of(t, text);
	if (t->threads < 2)
		return found;
	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)) && n < TIDS) {
		if (!isdigit(d->d_name[0]))
			continue;
		t->tid[n] = atoi(d->d_name);
		snprintf(path, sizeof(path), "task/%d/status", t->tid[n]);
		if (!found && task_file(text, sizeof(text), t->pid, path))
			found = terms_of(t, text);
		n++;
	}
	if (dir)
		closedir(dir);
	return found;
}

#define KTHREAD		0x200000	/* PF_KTHREAD */
/* Fields 9, 20 and 22 of stat. */
#define STAT_FORMAT	") %*c %*d %*d %*d %*d %*d %lu " \
			"%*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu"

/* Its start and its threads. False: no process, but a thread of the kernel. */
static bool read_stat(struct task *t)
{
	unsigned long flags = KTHREAD;
	char text[1024], *at;

	task_file(text, sizeof(text), t->pid, "stat");
	/* comm may hold blanks. */
	at = strrchr(text, ')');
	if (!at || sscanf(at, STAT_FORMAT, &flags, &t->threads, &t->start) != 3)
		return false;
	return !(flags & KTHREAD);
}

static void cgroup_of(struct task *t)
{
	char text[1024], *at;

	task_file(text, sizeof(text), t->pid, "cgroup");
	at = strstr(text, "0::");
	snprintf(t->cgroup, sizeof(t->cgroup), "%s", at ? at + 3 : "");
	t->cgroup[strcspn(t->cgroup, "\n")] = '\0';
}

static bool is_below(const char *cgroup, const char *dir)
{
	const char *top = cg_shown(dir);
	size_t len = strlen(top);

	return !strncmp(cgroup, top, len) && (!cgroup[len] || cgroup[len] == '/');
}

/*
 * Source: oom_evaluate_task(), oom_unkillable_task(), oom_badness(). No task of the
 * rounds is in vfork, an origin, or marked already; kernel threads have no mm.
 */
static bool can_be_chosen(struct task *t, const struct domain *d)
{
	char adj[16];

	if (t->pid == 1 || !read_stat(t))
		return false;
	cgroup_of(t);
	if (d->cgroup && !is_below(t->cgroup, d->cgroup))
		return false;
	if (!find_mm(t) || !task_file(adj, sizeof(adj), t->pid, "oom_score_adj"))
		return false;
	t->adj = atoi(adj);
	return t->adj != -1000;
}

static long long cgroup_pages(const char *dir, const char *file)
{
	char path[PATH_MAX], *text;
	long long pages = LLONG_MAX;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	text = read_file(path);
	if (text && isdigit(*text))
		pages = strtoll(text, NULL, 10) / (long long)page_size();
	free(text);
	return pages;
}

/* Source: constrained_alloc(), mem_cgroup_get_max() of cgroup v2. */
static long long totalpages_of(const struct domain *d)
{
	long long swap = meminfo_pages("SwapTotal"), most;

	if (!d->cgroup)
		return meminfo_pages("MemTotal") + swap;
	most = cgroup_pages(d->cgroup, "memory.swap.max");
	if (!file_number("/proc/sys/vm/swappiness"))
		swap = 0;
	return (d->limit + (most < swap ? most : swap)) ?: 1;
}

/* Source: oom_evaluate_task(): of equals the later in the list of tasks. */
static int goes_before(const void *a, const void *b)
{
	const struct task *x = a, *y = b;

	if (x->points != y->points)
		return x->points > y->points ? -1 : 1;
	if (x->start != y->start)
		return x->start > y->start ? -1 : 1;
	return x->pid > y->pid ? -1 : 1;
}

static void model_add(struct model *m, const struct domain *d, pid_t pid)
{
	struct task *t = &m->task[m->n];

	MUST(m->n < TASKS);
	memset(t, 0, sizeof(*t));
	t->pid = pid;
	if (!can_be_chosen(t, d))
		return;
	for (int i = 0; i < TERMS; i++)
		t->points += t->term[i];
	t->points += t->adj * (m->totalpages / 1000);
	m->n++;
}

/*
 * Of a cgroup too by all processes: the OOM killer finds a dead leader in a cgroup that
 * is removed, whose cgroup.procs is gone.
 */
static void model_read(struct model *m, const struct domain *d)
{
	DIR *dir = MUST_HAVE(opendir("/proc"));
	struct dirent *e;

	memset(m, 0, sizeof(*m));
	m->totalpages = totalpages_of(d);
	while ((e = readdir(dir)))
		if (isdigit(e->d_name[0]))
			model_add(m, d, atoi(e->d_name));
	closedir(dir);
	qsort(m->task, m->n, sizeof(m->task[0]), goes_before);
}

static struct task *task_of(struct model *m, pid_t pid)
{
	for (unsigned int i = 0; pid > 0 && i < m->n; i++) {
		if (m->task[i].pid == pid)
			return &m->task[i];
		for (int j = 0; j < TIDS; j++)
			if (m->task[i].tid[j] == pid)
				return &m->task[i];
	}
	return NULL;
}

/* Source: mem_cgroup_get_oom_group(): the highest cgroup up to the domain, or "". */
static void oom_group_of(const struct task *t, const struct domain *d, char *group, size_t size)
{
	char path[512], file[600];
	char *slash;

	*group = '\0';
	snprintf(path, sizeof(path), "%s%s", cg_root(), t->cgroup);
	while (strlen(path) > strlen(cg_root())) {
		snprintf(file, sizeof(file), "%s/memory.oom.group", path);
		if (file_number(file) == 1)
			snprintf(group, size, "%s", path);
		slash = strrchr(path, '/');
		if (!slash || (d->cgroup && !strcmp(path, d->cgroup)))
			break;
		*slash = '\0';
	}
}

/* ---- The rounds ---- */

#define HOGS		9
#define NODES		5
#define ROOM		160	/* pages below a limit; more than processors charge ahead */
#define WANTED		600	/* pages beyond a limit, and as many as may be in the swap cache */
#define LOOSE		60000	/* pages below a limit that is not to be hit */
#define MEMFD_PAGES	700
#define HUGE_BYTES	(2UL << 20)
#define HUGETLB_KB	2048	/* a larger page is too much of the memory */
#define ZRAM_BYTES	(32UL << 20)

enum way { GLOBAL, CHARGE, LOWER, WAYS };

static const char * const way_name[WAYS] = {
	"the machine", "a cgroup, by a charge", "a cgroup, by a lower limit"
};

static struct node {
	char *dir;
	int parent;		/* -1: none */
	bool leaf;
} node[NODES];
static int nodes;

static struct hog hog[HOGS], eater;
static int hogs;
static unsigned long paged_out;	/* of them; the kernel may have these pages still */
static int memfd;
static void *memfd_at;
static int kmsg, events;

/* What the machine offers. */
static struct area {
	char path[128];
	int flags;		/* of swapon(2) */
	bool on;
} areas[2];			/* a swap disk, and one in memory */
static int nr_areas;
static bool huge, hugetlb, cpusets;

static struct model before, after;

static unsigned int played[WAYS], wrong[WAYS], unseen[WAYS];
static unsigned int equals, moved, groups;

enum shape {
	DEAD_LEADER, SHARER, SWAPPED, MEMFD, LOCKED, HUGE, HUGETLB, IN_CPUSET, SWAPS_CHANGED,
	SHAPES
};

static const char * const shape_name[SHAPES] = {
	[DEAD_LEADER]	= "dead leaders",
	[SHARER]	= "sharers",
	[SWAPPED]	= "in swap",
	[MEMFD]		= "memfds",
	[LOCKED]	= "mlocked",
	[HUGE]		= "huge pages",
	[HUGETLB]	= "hugetlbfs",
	[IN_CPUSET]	= "cgroups with a cpuset",
	[SWAPS_CHANGED]	= "swapons and swapoffs",
};

static unsigned int shapes[SHAPES];

/* From this many rounds on all shapes come: in a seed of many one would be missing. */
#define ROUNDS_FOR_ALL	20

/* ---- What the machine offers ---- */

/* Source: union swap_header of include/linux/swap.h. */
static void make_swap(const char *path, size_t bytes)
{
	unsigned int *head = calloc(1, page_size());
	int fd = must_open(path, O_WRONLY);

	head[256] = 1;
	head[257] = bytes / page_size() - 1;
	memcpy((char *)head + page_size() - 10, "SWAPSPACE2", 10);
	MUST(write(fd, head, page_size()) == (ssize_t)page_size());
	free(head);
	close(fd);
}

#define ZRAM		"/sys/block/zram0/"
#define ZRAM_FLAGS	(SWAP_FLAG_PREFER | 5)	/* before the disk */

static bool zram_ensure(const char *path)
{
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "%lu", ZRAM_BYTES);
	if (system("modprobe -q zram 2>/dev/null") || write_file(ZRAM "disksize", bytes))
		return false;
	undo_at_end("reset", ZRAM "reset");
	make_swap(path, ZRAM_BYTES);
	MUST(!swapon(path, ZRAM_FLAGS));
	undo_at_end("swapoff", path);
	return true;
}

static void add_area(const char *path, int flags)
{
	struct area *a = &areas[nr_areas++];

	snprintf(a->path, sizeof(a->path), "%s", path);
	a->flags = flags;
	a->on = true;
}

static void find_areas(void)
{
	char path[128] = "", *text;

	if (swap_ensure(8000)) {
		text = must_read("/proc/swaps");
		MUST(sscanf(text, "%*[^\n]\n%127s", path) == 1);
		free(text);
		undo_at_end("swapon", path);
		add_area(path, 0);
	}
	if (zram_ensure("/dev/zram0"))
		add_area("/dev/zram0", ZRAM_FLAGS);
}

static void switch_area(struct area *a)
{
	if (a->on)
		MUST(!swapoff(a->path));
	else
		MUST(!swapon(a->path, a->flags));
	a->on = !a->on;
	shapes[SWAPS_CHANGED]++;
}

static bool swap_on(void)
{
	return areas[0].on || areas[1].on;
}

static void swap_all_on(void)
{
	for (int i = 0; i < nr_areas; i++)
		if (!areas[i].on)
			switch_area(&areas[i]);
}

static void find_hugetlb(void)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", HOGS);
	hugetlb = meminfo_kb("Hugepagesize") <= HUGETLB_KB &&
		  !setting_write("/proc/sys/vm/nr_hugepages", text) &&
		  file_number("/proc/sys/vm/nr_hugepages") == HOGS;
}

static bool is_offered(enum shape shape)
{
	switch (shape) {
	case SWAPPED:
		return nr_areas > 1;	/* one may be off nearly all the time */
	case SWAPS_CHANGED:
		return nr_areas;
	case HUGE:
		return huge;
	case HUGETLB:
		return hugetlb;
	case IN_CPUSET:
		return cpusets;
	default:
		return true;
	}
}

static void find_offers(void)
{
	char *dir = must_cgroup(NULL, "offers");

	find_areas();
	find_hugetlb();
	/* Not by themselves on a machine with so little memory. */
	huge = !setting_write("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	/* khugepaged would add pages to the tasks. */
	setting_write("/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none", "0");
	cpusets = !cg_delegate_cpuset(NULL);
	MUST_OK(cg_remove(dir));
	free(dir);
	for (int i = 0; i < nr_areas; i++)
		ksft_print_msg("swap: %s\n", areas[i].path);
	ksft_print_msg("huge pages %d, hugetlbfs %d, cpusets %d\n", huge, hugetlb, cpusets);
}

/* ---- A round ---- */

/* One node and the first processor, which is where the tasks run: no kill differs. */
static void confine(unsigned long long *seed, const struct node *n)
{
	const char *parent = n->parent < 0 ? NULL : node[n->parent].dir;
	char path[PATH_MAX];

	if (!cpusets || rnd_range(seed, 0, 2) || cg_delegate_cpuset(parent))
		return;
	snprintf(path, sizeof(path), "%s/cpuset.cpus", n->dir);
	MUST_OK(write_file(path, "0"));
	snprintf(path, sizeof(path), "%s/cpuset.mems", n->dir);
	MUST_OK(write_file(path, "0"));
	shapes[IN_CPUSET]++;
}

static void build_tree(unsigned long long *seed)
{
	int i;

	nodes = rnd_range(seed, 2, NODES);
	for (i = 0; i < nodes; i++) {
		char name[16];

		node[i].parent = i ? (int)rnd_range(seed, 0, i) - 1 : -1;
		node[i].leaf = true;
		if (node[i].parent >= 0)
			node[node[i].parent].leaf = false;
		snprintf(name, sizeof(name), "n%d", i);
		node[i].dir = must_cgroup(i && node[i].parent >= 0 ?
					  node[node[i].parent].dir : NULL, name);
		confine(seed, &node[i]);
	}
}

static void remove_tree(void)
{
	while (nodes--) {
		EXPECT_OK(cg_remove(node[nodes].dir));
		free(node[nodes].dir);
	}
	nodes = 0;
}

static int random_leaf(unsigned long long *seed)
{
	int i;

	do {
		i = rnd_range(seed, 0, nodes - 1);
	} while (!node[i].leaf);
	return i;
}

static void random_spec(unsigned long long *seed, struct hog_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->comm = "modelled";
	spec->anon = rnd_range(seed, 50, 1500);
	spec->adj = hog_random_adj(seed, 30);
	spec->threads = rnd_range(seed, 0, 3);
	spec->dead_leader = spec->threads && !rnd_range(seed, 0, 2);
	spec->sharer = !rnd_range(seed, 0, 4);
	if (!rnd_range(seed, 0, 3))
		spec->shmem = rnd_range(seed, 1, MEMFD_PAGES);
	if (rnd_range(seed, 0, 1))
		spec->shared = memfd_at;
	if (!rnd_range(seed, 0, 3))
		spec->locked = rnd_range(seed, 1, spec->anon / 2);
	if (swap_on() && !rnd_range(seed, 0, 3))
		spec->swapped = rnd_range(seed, 1, spec->anon / 2);
	if (huge && !rnd_range(seed, 0, 5))
		spec->huge = rnd_range(seed, 1, 2) * HUGE_BYTES / page_size();
	spec->hugetlb = hugetlb && !rnd_range(seed, 0, 3);
}

static void note_shapes(const struct hog_spec *spec)
{
	shapes[DEAD_LEADER] += spec->dead_leader;
	shapes[SHARER] += spec->sharer;
	shapes[SWAPPED] += spec->swapped > 0;
	shapes[MEMFD] += spec->shmem && spec->shared;
	shapes[LOCKED] += spec->locked > 0;
	shapes[HUGE] += spec->huge > 0;
	shapes[HUGETLB] += spec->hugetlb;
}

/* Its pages stay charged to a cgroup that is no more. */
static void start_elsewhere(struct hog *h, struct hog_spec *spec, int leaf)
{
	const char *parent = node[leaf].parent < 0 ? NULL : node[node[leaf].parent].dir;
	char *gone = must_cgroup(parent, "gone");

	spec->cgroup = gone;
	must_hog(h, spec);
	MUST_OK(cg_attach(node[leaf].dir, h->pid));
	if (h->second)
		MUST_OK(cg_attach(node[leaf].dir, h->second));
	MUST_OK(cg_remove(gone));
	free(gone);
}

static void start_hogs(unsigned long long *seed)
{
	struct hog_spec spec;

	/* The first that touches a page is charged for it. */
	MUST(!ftruncate(memfd, 0) && !ftruncate(memfd, MEMFD_PAGES * page_size()));
	hogs = rnd_range(seed, 4, HOGS);
	paged_out = 0;
	for (int i = 0; i < hogs; i++) {
		int leaf = random_leaf(seed);

		/* Some are like the one before: equals. */
		if (!i || rnd_range(seed, 0, 3))
			random_spec(seed, &spec);
		spec.cgroup = node[leaf].dir;
		note_shapes(&spec);
		paged_out += spec.swapped;
		if (rnd_range(seed, 0, 7))
			must_hog(&hog[i], &spec);
		else
			start_elsewhere(&hog[i], &spec, leaf);
	}
	for (int i = 0; i < nodes; i++)
		MUST_OK(cg_oom_group(node[i].dir, !rnd_range(seed, 0, 7)));
}

static void end_hogs(void)
{
	hog_end(&eater);
	for (int i = 0; i < hogs; i++) {
		pid_t second = hog[i].second;

		hog_end(&hog[i]);
		hog[i].second = second;
		EXPECT_TRUE(wait_until(hog_second_gone(&hog[i]), PATIENCE_MS));
	}
	hogs = 0;
}

/* The model, as soon as two readings are the same: threads may still begin. */
static bool model_settle(const struct domain *d)
{
	unsigned int tries;

	model_read(&before, d);
	for (tries = 0; tries < 50; tries++) {
		model_read(&after, d);
		if (!memcmp(&before, &after, sizeof(before)))
			return true;
		before = after;
		nap_ms(2);
	}
	return false;
}

static bool is_ours(pid_t pid)
{
	for (int i = 0; i < hogs; i++)
		if (pid && (hog[i].pid == pid || hog[i].second == pid))
			return true;
	return false;
}

/* ---- One kill ---- */

#define DEAD_MAX	(2 * HOGS)

/* Thread groups that the log says were killed, the chosen one first. */
static pid_t dead[DEAD_MAX];
static unsigned int deaths;

static bool is_dead(pid_t pid)
{
	for (unsigned int i = 0; i < deaths; i++)
		if (dead[i] == pid)
			return true;
	return false;
}

static bool note_death(unsigned int ms)
{
	static const char mark[] = "Killed process ";
	char line[1024];
	struct task *t;

	if (!kmsg_wait(kmsg, mark, line, sizeof(line), ms))
		return false;
	t = task_of(&before, atoi(strstr(line, mark) + strlen(mark)));
	if (!EXPECT_TRUE(t))
		ksft_print_msg("not of the model: %s\n", line);
	else if (!is_dead(t->pid) && deaths < DEAD_MAX)
		dead[deaths++] = t->pid;
	return true;
}

static void forget_log(void)
{
	char line[1024];

	while (kmsg_wait(kmsg, "Killed process ", line, sizeof(line), 0))
		;
	deaths = 0;
}

/* A node, whose limit will be the one that is hit, and a leaf below it. */
static void choose_domain(unsigned long long *seed, struct domain *d, int *leaf)
{
	int i, levels, up;

	*leaf = random_leaf(seed);
	for (i = *leaf, levels = 0; i >= 0; i = node[i].parent)
		levels++;
	up = rnd_range(seed, 0, levels - 1);
	for (i = *leaf; up; up--)
		i = node[i].parent;
	d->cgroup = node[i].dir;
	for (i = 0; i < nodes; i++)
		if (node[i].dir != d->cgroup && rnd_range(seed, 0, 1))
			MUST_OK(cg_limit(node[i].dir, cg_usage(node[i].dir) + LOOSE));
}

/*
 * The limit is close; of swap there is as much as is used, or a little more. False:
 * the cgroup is too small.
 */
static bool set_limits(unsigned long long *seed, enum way way, struct domain *d)
{
	long long used = cg_swap_usage(d->cgroup);

	d->limit = cg_usage(d->cgroup) + ROOM;
	if (used >= 0)
		MUST_OK(cg_swap_limit(d->cgroup, used + (rnd_range(seed, 0, 3) ? 0 :
							 rnd_range(seed, 0, 200))));
	if (way == CHARGE)
		MUST_OK(cg_limit(d->cgroup, d->limit));
	else
		d->limit -= ROOM + WANTED + paged_out;
	return d->limit > 0;
}

static bool kill_global(void)
{
	if (lens_writable())
		lens_command("trigger", "kill");
	else
		write_file("/proc/sysrq-trigger", "f");
	return note_death(PATIENCE_MS);
}

/* The rest of what it asks for is granted as soon as the kernel has killed. */
static bool kill_by_charge(const struct domain *d)
{
	pid_t pid = hog_grow_apart(&eater, ROOM + WANTED + paged_out);
	bool found = note_death(PATIENCE_MS);

	MUST_OK(cg_limit(d->cgroup, d->limit + 2 * LOOSE));
	waitpid(pid, NULL, 0);
	return found;
}

static bool kill_by_lowering(const struct domain *d)
{
	MUST_OK(cg_limit(d->cgroup, d->limit));
	return note_death(PATIENCE_MS);
}

static bool kill_by(enum way way, const struct domain *d)
{
	switch (way) {
	case CHARGE:
		return kill_by_charge(d);
	case LOWER:
		return kill_by_lowering(d);
	default:
		return kill_global();
	}
}

/* ---- The verdicts ---- */

static void print_model(void)
{
	ksft_print_msg("the model, of %lld pages:\n", before.totalpages);
	for (unsigned int i = 0; i < before.n && i < 5; i++) {
		struct task *t = &before.task[i];

		ksft_print_msg("  %d adj %d points %lld%s\n", t->pid, t->adj, t->points,
			       is_dead(t->pid) ? ", killed" : "");
		for (int j = 0; j < TERMS; j++)
			ksft_print_msg("    %s %lld\n", term_name[j].column, t->term[j]);
	}
}

/* Has a task lost pages since the model read it? One that is dead is not known. */
static bool has_shrunk(const struct task *t)
{
	struct task *now = task_of(&after, t->pid);

	return !now || now->points < t->points;
}

/* The kernel's choice by its log against the model's. */
static void judge_model(enum way way)
{
	struct task *first = &before.task[0], *chosen = task_of(&before, dead[0]);

	if (chosen == first)
		return;
	if (chosen->points >= first->points - 2 * slack) {
		/* In a cgroup the order of equals is not known. */
		if (way == GLOBAL && !slack)
			EXPECT_EQ(chosen->pid, first->pid);
		equals++;
		return;
	}
	if (way != GLOBAL && has_shrunk(first)) {
		moved++;
		return;
	}
	ksft_print_msg("the kernel killed %d, the model %d\n", chosen->pid, first->pid);
	EXPECT_GE(chosen->points, first->points);
}

/* The figures of the module's candidate against the model's. */
static void judge_figures(enum way way, const char *line)
{
	struct task *t = task_of(&before, line_number(line, "pid"));

	if (!line)
		return;
	if (!EXPECT_TRUE(t))
		return;
	if (way != GLOBAL && line_number(line, "points") < t->points - slack && has_shrunk(t)) {
		moved++;
		return;
	}
	EXPECT_EQ(line_number(line, "adj"), t->adj);
	EXPECT_NEAR(line_number(line, "points"), t->points, slack);
	/* Pages that went out to swap count there. */
	if (way == GLOBAL)
		for (int i = 0; i < TERMS; i++)
			EXPECT_NEAR(line_number(line, term_name[i].column), t->term[i], slack);
}

/* The event's first candidate against the kernel's choice. */
static void judge_first(enum way way, const char *text, long long n)
{
	const char *first = event_line(text, "candidate", n, 0), *line;
	long long points = line_number(first, "points");
	unsigned int i;

	if (line_number(first, "pid") == dead[0])
		return;
	/* In a cgroup the order of equals is not known. */
	for (i = 1; way != GLOBAL && (line = event_line(text, "candidate", n, i)); i++)
		if (line_number(line, "pid") == dead[0] &&
		    line_number(line, "points") == points)
			return;
	EXPECT_EQ(line_number(first, "pid"), dead[0]);
}

static void judge_event(enum way way, const struct domain *d)
{
	unsigned int failed = expect_failed();
	long long n = 0;
	char *text = next_killed(events, &n);

	if (!EXPECT_TRUE(text))
		return;
	EXPECT_EVENT(text, n, "kind=%s memcg=%s totalpages=%lld", way == GLOBAL ? "sysrq" : "memcg",
		     way == GLOBAL ? "/" : cg_shown(d->cgroup), before.totalpages);
	if (strcmp(event_word(text, n, "walk") ?: "", "complete")) {
		/* No time for it: the machine is busy. */
		unseen[way]++;
	} else {
		judge_first(way, text, n);
		judge_figures(way, event_line(text, "candidate", n, 0));
		if (before.n > 1)
			judge_figures(way, event_line(text, "candidate", n, 1));
	}
	if (expect_failed() > failed)
		expect_show(text);
	free(text);
}

/* By the log; what shares an mm with another may have died with that unlogged. */
static bool has_died(const struct task *t)
{
	struct task now = { .pid = t->pid, .threads = t->threads };

	note_death(0);
	return is_dead(t->pid) || !find_mm(&now);
}

/* Source: oom_kill_process(), oom_kill_memcg_member(): the group goes along. */
static void judge_group(enum way way, const char *group)
{
	unsigned int i;

	for (i = 0; *group && i < before.n; i++) {
		struct task *t = &before.task[i];

		if (!is_below(t->cgroup, group))
			continue;
		if (!EXPECT_TRUE(wait_until(has_died(t), PATIENCE_MS)))
			ksft_print_msg("%d of %s lives\n", t->pid, group);
	}
	while (note_death(0))
		;
	/* A cgroup may still be too large, and come to a second OOM. */
	for (i = 1; way == GLOBAL && i < deaths; i++)
		if (!EXPECT_TRUE(*group && is_below(task_of(&before, dead[i])->cgroup, group)))
			ksft_print_msg("%d was killed and is not of '%s'\n", dead[i], group);
	groups += *group != '\0';
}

/* False: the kernel would take a task that is not ours, or none. */
static bool one_kill(enum way way, const struct domain *d)
{
	char group[512];

	if (!model_settle(d) || !before.n || !is_ours(before.task[0].pid))
		return false;
	forget_log();
	drain(events);
	if (!EXPECT_TRUE(kill_by(way, d)) || !EXPECT_TRUE(deaths))
		return true;
	oom_group_of(task_of(&before, dead[0]), d, group, sizeof(group));
	judge_group(way, group);
	model_read(&after, d);
	judge_model(way);
	judge_event(way, d);
	return true;
}

static bool one_round(unsigned long long *seed, enum way way)
{
	struct hog_spec spec = { .anon = 1, .adj = OOM_ADJ_NEVER, .comm = "eater" };
	struct domain d = { };
	unsigned int failed = expect_failed();
	bool done = true;
	int leaf;

	if (nr_areas && !rnd_range(seed, 0, 5))
		switch_area(&areas[rnd_range(seed, 0, nr_areas - 1)]);
	build_tree(seed);
	start_hogs(seed);
	if (way != GLOBAL) {
		choose_domain(seed, &d, &leaf);
		spec.cgroup = node[leaf].dir;
		must_hog(&eater, &spec);
		done = set_limits(seed, way, &d);
	}
	done = done && one_kill(way, &d);
	played[way] += done;
	if (expect_failed() > failed) {
		print_model();
		wrong[way]++;
	}
	end_hogs();
	remove_tree();
	return done;
}

/* What was to be judged has been: in few rounds, and on a slow machine, not all of it. */
static void expect_judged(unsigned long goal)
{
	unsigned int without = 0;
	int i;

	ksft_print_msg("in %u the kernel took an equal; in %u tasks lost pages; %u groups\n",
		       equals, moved, groups);
	if (!slack)
		EXPECT_LE(moved, goal / 4 + 2);
	for (i = 0; i < WAYS; i++)
		without += unseen[i];
	if (goal >= ROUNDS_FOR_ALL)
		EXPECT_LE(without, goal * 3 / 4);
	for (i = 0; i < SHAPES; i++) {
		ksft_print_msg("%u of %s\n", shapes[i], shape_name[i]);
		expect_of("%s", shape_name[i]);
		if (goal >= ROUNDS_FOR_ALL && is_offered(i))
			EXPECT_GT(shapes[i], 0);
	}
}

int main(void)
{
	unsigned long goal = env_number("OOMLENS_MODEL", 20), done = 0, tries = 0;
	unsigned long long seed;
	int i;

	test_begin(0);
	if (cg_version() != 2 || access("/proc/sysrq-trigger", W_OK))
		ksft_exit_skip("needs cgroup v2 with memory, and sysrq\n");
	events_need_sources();
	ksft_set_plan(WAYS + 1);
	seed = test_seed();
	oom_settings();
	setting_write("/proc/sys/vm/oom_kill_allocating_task", "0");
	slack_set();
	find_offers();
	memfd = MUST_GET(syscall(SYS_memfd_create, "model", 0));
	memfd_at = mmap(NULL, MEMFD_PAGES * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			memfd, 0);
	MUST(memfd_at != MAP_FAILED);
	kmsg = MUST_GET(kmsg_open());
	events = events_open();

	while (done < goal && tries++ < 3 * goal) {
		/* By chance it may not have come. */
		if (done == goal / 2 && nr_areas && !shapes[SWAPS_CHANGED])
			switch_area(&areas[0]);
		done += one_round(&seed, done % WAYS);
	}
	swap_all_on();
	for (i = 0; i < WAYS; i++) {
		EXPECT_EQ(wrong[i], 0);
		test_done("%u kills, OOMs of %s: %u wrong, %u without candidates", played[i],
			  way_name[i], wrong[i], unseen[i]);
	}
	EXPECT_EQ(done, goal);
	expect_judged(goal);
	test_done("%lu of %lu rounds", done, goal);
	test_end();
}
