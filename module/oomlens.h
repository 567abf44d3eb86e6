/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one private header: who owns what, and what the parts ask of each other.
 *
 * The dependency runs one way. score.h, sysvalues, memcg and sample lie below;
 * badness, overcommit, commit and recorder stand on them; trigger, pressure
 * and reserve use the recorder; files and main are on top.
 */
#ifndef OOMLENS_H
#define OOMLENS_H

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "compat.h"
#include "score.h"

struct mem_cgroup;

/* To observe must not cause what is observed: such a request fails instead. */
#define OOMLENS_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

/* ---- main.c: module parameters, fixed once loaded ---- */

extern unsigned int oomlens_events;	/* OOMs kept, 1 to 4096 */
extern unsigned int oomlens_candidates;	/* tasks recorded with each, 0 to 64 */
extern bool oomlens_trigger;		/* trigger and reserve may be written */
extern bool oomlens_debugfs;		/* make the debugfs files */

/* ---- sysvalues.c: values that the kernel shows but does not export ---- */

/**
 * struct oomlens_sysvalues - the machine's totals and its overcommit policy
 * @totalram: pages, totalram_pages()
 * @total_swap: pages of all active swap areas, total_swap_pages
 * @swap_free: pages of them that are free
 * @commit_limit: pages, vm_commit_limit()
 * @hugetlb: pages of all sizes of persistent huge pages
 * @mode: vm.overcommit_memory
 * @ratio: vm.overcommit_ratio, percent; 0 when @kbytes is set
 * @kbytes: vm.overcommit_kbytes
 * @admin_reserve: pages, vm.admin_reserve_kbytes
 * @user_reserve: pages, vm.user_reserve_kbytes
 * @swappiness: vm.swappiness
 * @panic_on_oom: vm.panic_on_oom
 * @committed: pages, Committed_AS
 * @available: pages, MemAvailable
 * @locked: pages, Mlocked
 */
struct oomlens_sysvalues {
	unsigned long totalram;
	unsigned long total_swap;
	unsigned long swap_free;
	unsigned long commit_limit;
	unsigned long hugetlb;
	unsigned long mode;
	unsigned long ratio;
	unsigned long kbytes;
	unsigned long admin_reserve;
	unsigned long user_reserve;
	unsigned long swappiness;
	unsigned long panic_on_oom;
	long committed;
	long available;
	unsigned long locked;
};

int oomlens_sysvalues_init(void);
void oomlens_sysvalues_exit(void);
int oomlens_sysvalues_read(struct oomlens_sysvalues *v);
int oomlens_sysvalues_totals(struct oomlens_sysvalues *v);
void oomlens_sysvalues_cached(struct oomlens_sysvalues *v);

/* ---- memcg.c: memory cgroups, both hierarchies ---- */

bool oomlens_memcg_enabled(void);
struct mem_cgroup *oomlens_memcg_of(struct task_struct *p);
bool oomlens_memcg_within(struct mem_cgroup *memcg, struct mem_cgroup *root);
bool oomlens_memcg_tryget(struct mem_cgroup *memcg);
void oomlens_memcg_put(struct mem_cgroup *memcg);
int oomlens_memcg_path(struct mem_cgroup *memcg, char *buf, size_t size);
struct mem_cgroup *oomlens_memcg_find(const char *path);
unsigned long oomlens_memcg_totalpages(struct mem_cgroup *memcg,
				       const struct oomlens_sysvalues *v);
struct mem_cgroup *oomlens_memcg_oom_group(struct mem_cgroup *memcg,
					   struct mem_cgroup *domain);
unsigned long oomlens_memcg_room(struct mem_cgroup *memcg);
unsigned long oomlens_memcg_ooms(struct mem_cgroup *memcg);

/* ---- paths.c ---- */

/*
 * The distinct cgroups of one snapshot and their paths; index 0 is "-". Up to
 * resolve each is held by a reference, after it there is only the name.
 */
struct oomlens_paths;
struct oomlens_paths *oomlens_paths_alloc(unsigned int max);
void oomlens_paths_free(struct oomlens_paths *paths);
int oomlens_paths_reserve(struct oomlens_paths *paths, unsigned int more);
bool oomlens_paths_full(const struct oomlens_paths *paths);
unsigned int oomlens_paths_index(struct oomlens_paths *paths, struct mem_cgroup *memcg);
struct mem_cgroup *oomlens_paths_memcg(const struct oomlens_paths *paths, unsigned int i);
int oomlens_paths_resolve(struct oomlens_paths *paths);
const char *oomlens_paths_name(const struct oomlens_paths *paths, unsigned int i,
			       unsigned int *len);

/* ---- sample.c: one task's figures, and the walk over all tasks ---- */

/* Why the kernel would or would not take a task; the names are in sample.c. */
enum oomlens_verdict {
	OOMLENS_ELIGIBLE,
	OOMLENS_ORIGIN,		/* flagged to go first */
	OOMLENS_INIT,
	OOMLENS_ADJ_MIN,	/* oom_score_adj is -1000 */
	OOMLENS_REAPED,		/* MMF_OOM_SKIP: nothing left to give back */
	OOMLENS_VFORK,
	OOMLENS_EXITING,	/* no thread holds an mm any more */
	OOMLENS_VICTIM,		/* being killed: the kernel waits for it */
	OOMLENS_SCOPE,		/* outside the scope that was asked for */
	OOMLENS_NR_VERDICTS
};

enum oomlens_fate {
	OOMLENS_FATE_NONE,
	OOMLENS_FATE_VICTIM,
	OOMLENS_FATE_GROUP,	/* memory.oom.group takes it along */
	OOMLENS_FATE_SHARER,	/* shares the victim's mm */
	OOMLENS_NR_FATES
};

/**
 * struct oomlens_sample - what the OOM killer sees of one thread group
 * @mm: identity of the address space, never dereferenced; NULL if none
 * @terms: pages, read once under task_lock()
 * @locked: pages, mm->locked_vm
 * @vm_total: pages, mm->total_vm
 * @points: set by oomlens_sample_judge(), for one totalpages
 * @order: place in the kernel's walk
 * @pid: thread group id in the initial PID namespace
 * @uid: in the initial user namespace
 * @threads: in the group
 * @memcg: the owner's index for the task's memory cgroup
 * @adj: oom_score_adj
 * @verdict: enum oomlens_verdict
 * @fate: enum oomlens_fate
 * @killable: oom_badness() would not be LONG_MIN
 * @mm_shared: others than the group's threads use the mm, or did a moment ago
 * @comm: of the group leader
 */
struct oomlens_sample {
	const void *mm;
	struct oomlens_terms terms;
	unsigned long locked;
	unsigned long vm_total;
	long points;
	unsigned int order;
	pid_t pid;
	uid_t uid;
	unsigned int threads;
	unsigned int memcg;
	short adj;
	u8 verdict;
	u8 fate;
	bool killable;
	bool mm_shared;
	char comm[TASK_COMM_LEN];
};

const char *oomlens_verdict_name(enum oomlens_verdict verdict);
const char *oomlens_fate_name(enum oomlens_fate fate);
struct mm_struct *oomlens_grab_mm(struct task_struct *p);
void oomlens_sample_identity(struct task_struct *p, struct oomlens_sample *s);
int oomlens_sample_task(struct task_struct *p, struct oomlens_sample *s, bool wait);
void oomlens_sample_mm(struct mm_struct *mm, struct oomlens_sample *s);
void oomlens_sample_judge(struct oomlens_sample *s, unsigned long totalpages);

static inline bool oomlens_sample_ranked(const struct oomlens_sample *s)
{
	return s->verdict == OOMLENS_ELIGIBLE || s->verdict == OOMLENS_ORIGIN;
}

/* Visits between two pauses of a walk, at most. */
#define OOMLENS_WALK_CHUNK	32

/**
 * struct oomlens_walk - visit every thread group in the kernel's order
 * @pause: called before the first visit and at each pause, where one may sleep;
 *	an error ends the walk; may be NULL
 * @visit: called with rcu_read_lock() held for each group leader, kernel
 *	threads included; must not sleep; an error ends the walk
 * @rewind: forget every visit after the first @n: the place where the walk
 *	had paused is gone, and it goes on from an earlier one
 * @arg: for all of them
 */
struct oomlens_walk {
	int (*pause)(void *arg);
	int (*visit)(struct task_struct *p, void *arg);
	void (*rewind)(unsigned int n, void *arg);
	void *arg;
};

int oomlens_walk_tasks(const struct oomlens_walk *walk);

/* ---- scope.c: what an OOM draws on, and whom it may take ---- */

enum oomlens_scope_kind {
	OOMLENS_SCOPE_GLOBAL,
	OOMLENS_SCOPE_MEMCG,
	OOMLENS_SCOPE_CPUSET,
	OOMLENS_SCOPE_MEMPOLICY,
};

/**
 * struct oomlens_scope - one OOM's domain
 * @kind: which of the members below holds
 * @memcg: held while the scope is used
 * @path: of the memcg, where a user wrote it; escapes undone
 * @nodes: of a cpuset or a mempolicy
 */
struct oomlens_scope {
	enum oomlens_scope_kind kind;
	struct mem_cgroup *memcg;
	char *path;
	nodemask_t nodes;
};

int oomlens_scope_parse(struct oomlens_scope *scope, char *line);
int oomlens_scope_hold(struct oomlens_scope *scope);
void oomlens_scope_unhold(struct oomlens_scope *scope);
void oomlens_scope_free(struct oomlens_scope *scope);
void oomlens_scope_show(struct seq_file *m, const struct oomlens_scope *scope);

unsigned long oomlens_scope_totalpages(const struct oomlens_scope *scope,
				       const struct oomlens_sysvalues *v);
bool oomlens_scope_has(const struct oomlens_scope *scope, struct task_struct *p, bool wait);
void oomlens_scope_verdict(const struct oomlens_scope *scope, struct task_struct *p,
			   struct oomlens_sample *s, bool wait);

/* ---- vmas.c, spaces.c: address spaces and what they are charged ---- */

/* Pages of VMAs, by what the kernel made of them; each is in one at most. */
struct oomlens_charges {
	unsigned long anon;		/* charged */
	unsigned long file_private;	/* charged, of a file */
	unsigned long stack;		/* charged, grows by itself */
	unsigned long noreserve;	/* private, MAP_NORESERVE: not charged */
	unsigned long shared;		/* charged to the object, if at all */
};

static inline unsigned long oomlens_charge(const struct oomlens_charges *c)
{
	return c->anon + c->file_private + c->stack;
}

/* One VMA. */
struct oomlens_vma {
	unsigned long start;
	unsigned long pages;
	unsigned long charged;		/* pages */
	unsigned long noreserve;	/* pages */
	struct file *file;		/* held until its path is known, NULL after */
	unsigned int name;		/* offset in names; 0: none */
	char perms[4];			/* as in /proc/PID/maps */
};

/* All VMAs of an address space. */
struct oomlens_vmas {
	struct oomlens_vma *rows;
	unsigned int max;
	unsigned int n;
	char *names;			/* strings, the first is empty */
	unsigned int names_size;
	unsigned int names_used;
	unsigned long from;		/* address that the next call goes on from */
};

int oomlens_vmas_charges(struct mm_struct *mm, struct oomlens_charges *c,
			 unsigned long *from);
int oomlens_vmas_read(struct oomlens_vmas *v, struct mm_struct *mm,
		      struct oomlens_charges *c);
void oomlens_vmas_free(struct oomlens_vmas *v);

/**
 * struct oomlens_space - one address space
 * @mm: held by mmgrab() until it has been measured, NULL after
 * @charges: zero if skipped
 * @touched: pages, anonymous ones present or swapped
 * @vm_total: pages, mm->total_vm
 * @from: address that measuring goes on from
 * @cached: of @touched, what threads have counted and not handed in
 * @order: place in the walk
 * @memcg: index in paths, of its owner
 * @pid: of its owner, the first process in the walk that has it
 * @uid: of its owner, in the initial user namespace
 * @skipped: its lock could not be had
 * @gone: exited before it could be measured
 * @comm: of its owner
 */
struct oomlens_space {
	struct mm_struct *mm;
	struct oomlens_charges charges;
	unsigned long touched;
	unsigned long vm_total;
	unsigned long from;
	long cached;
	unsigned int order;
	unsigned int memcg;
	pid_t pid;
	uid_t uid;
	bool skipped;
	bool gone;
	char comm[TASK_COMM_LEN];
};

struct oomlens_spaces {
	struct oomlens_space *rows;
	unsigned int max;
	unsigned int n;
	unsigned int seen;		/* tasks, while walking */
	struct oomlens_paths *paths;
};

int oomlens_spaces_read(struct oomlens_spaces *t);
int oomlens_spaces_read_one(struct oomlens_spaces *t, struct pid *pid,
			    struct oomlens_vmas *vmas);
void oomlens_spaces_free(struct oomlens_spaces *t);

/* ---- objects.c: what shared memory objects are charged ---- */

/* Pages; sums over objects that change meanwhile, hence signed. */
struct oomlens_objects {
	long charge;
	long resident;
	long swapped;
};

int oomlens_objects_read(struct oomlens_objects *o);

/* ---- recorder.c and what event.h names: every call of the OOM killer ---- */

int oomlens_recorder_init(void);
void oomlens_recorder_exit(void);
/* What the recorder found at load, for features: NULL or the missing option. */
const char *oomlens_recorder_lacks_notifier(void);
const char *oomlens_recorder_lacks_mark_victim(void);
const char *oomlens_recorder_lacks_oom_probe(void);
long oomlens_recorder_kills(void);
/*
 * A run of trigger's claims the next event that @task causes (NULL: that
 * sysrq causes), so that it carries trigger=oomlens. Disclaim returns the
 * number of the event so claimed, 0 if there was none.
 */
void oomlens_recorder_claim(struct task_struct *task);
u64 oomlens_recorder_disclaim(void);
void oomlens_recorder_adopt(void);
/* Waits until the claimed event is over: its number, 0 on time-out, -EINTR. */
s64 oomlens_recorder_wait(unsigned int timeout_ms);

/* ---- pool.c: pages that the module holds ---- */

/**
 * struct oomlens_pool - pages held, to be given back at once
 * @lock: the members below; never held over an allocation or a free
 * @blocks: by page->lru, each of 1 << page_private() pages, largest first
 * @pages: in blocks
 * @order: the largest block that is still worth trying for; the grower's
 * @closed: takes in nothing
 */
struct oomlens_pool {
	spinlock_t lock;		/* of all below but order */
	struct list_head blocks;
	unsigned long pages;
	unsigned int order;
	bool closed;
};

void oomlens_pool_init(struct oomlens_pool *pool);
void oomlens_pool_open(struct oomlens_pool *pool);
void oomlens_pool_close(struct oomlens_pool *pool);
unsigned long oomlens_pool_grow(struct oomlens_pool *pool, unsigned long max, gfp_t gfp);
unsigned long oomlens_pool_give(struct oomlens_pool *pool, unsigned long pages, u64 bound_ns);
int oomlens_parse_size(const char *text, unsigned long *pages);

/* ---- trigger.c, kill.c, pressure.c (their commands: trigger.h), reserve.c ---- */

int oomlens_trigger_init(void);
void oomlens_trigger_exit(void);
__printf(1, 2) void oomlens_trigger_refused(const char *fmt, ...);
int oomlens_trigger_permitted(const struct seq_file *m);
void oomlens_pressure_exit(void);
int oomlens_kill_allowed(const struct oomlens_scope *scope);
int oomlens_kill_eligible(const struct oomlens_scope *scope);
int oomlens_reserve_init(void);
void oomlens_reserve_exit(void);
/*
 * Called by the recorder's notifier in a global OOM that is not sysrq's, where
 * it may sleep but may not allocate: pages given back, 0 if none.
 */
unsigned long oomlens_pressure_relief(u64 since);
unsigned long oomlens_reserve_relief(void);
/* Called by the recorder at each mark, preemption off. */
void oomlens_pressure_killed(bool ours, bool killed, const struct oom_control *oc);

/* ---- files.c: the table of files ---- */

/**
 * struct oomlens_file_ops - what one file does; files.c does the rest
 * @private_size: bytes of zeroed state for each open file, m->private
 * @release: gives back what the private state owns (not the state itself)
 * @snapshot: called at the first byte of a read, where it may sleep
 * @seq: iterates over the snapshot; NULL if @show prints all
 * @show: prints the whole file
 * @command: one write, whole, without its newline, as a string; may sleep
 * @concurrent: @command locks for itself, so that one that lasts keeps nobody
 *	waiting who has the same descriptor
 * @poll: as in file_operations
 *
 * files.c refuses foreign PID namespaces, writes that are too long, hold a
 * NUL or do not start at offset 0, and holds the module while a file is open.
 */
struct oomlens_file_ops {
	size_t private_size;
	void (*release)(struct seq_file *m);
	int (*snapshot)(struct seq_file *m);
	const struct seq_operations *seq;
	int (*show)(struct seq_file *m, void *v);
	int (*command)(struct seq_file *m, char *line);
	bool concurrent;
	__poll_t (*poll)(struct seq_file *m, struct file *file, poll_table *wait);
};

extern const struct oomlens_file_ops oomlens_badness_file;
extern const struct oomlens_file_ops oomlens_overcommit_file;
extern const struct oomlens_file_ops oomlens_commit_file;
extern const struct oomlens_file_ops oomlens_events_file;
extern const struct oomlens_file_ops oomlens_features_file;
extern const struct oomlens_file_ops oomlens_stats_file;
extern const struct oomlens_file_ops oomlens_trigger_file;
extern const struct oomlens_file_ops oomlens_reserve_file;

int oomlens_files_init(void);
const char *oomlens_files_lack_debugfs(void);
void oomlens_files_exit(void);
void oomlens_puts_escaped(struct seq_file *m, const char *s);

/* ---- features.c: what this kernel gives, and the counters ---- */

/* Each counter's writers are named beside it. */
enum oomlens_stat {
	OOMLENS_STAT_EVENTS,		/* ring.c */
	OOMLENS_STAT_OVERWRITTEN,	/* ring.c: before anyone read them */
	OOMLENS_STAT_AVERTED,		/* sources.c */
	OOMLENS_STAT_KILLS,		/* capture.c */
	OOMLENS_STAT_SNAPSHOTS,		/* badness.c, commit.c */
	OOMLENS_STAT_WALK_NS_MAX,	/* capture.c: in the OOM path */
	OOMLENS_STAT_MEMORY_BYTES,	/* features.c, reserve.c: of all that lasts */
	OOMLENS_NR_STATS
};

void oomlens_stat_add(enum oomlens_stat stat, long n);
void *oomlens_keep_alloc(size_t size);
void oomlens_stat_max(enum oomlens_stat stat, long n);
long oomlens_stat_read(enum oomlens_stat stat);

#endif /* OOMLENS_H */
