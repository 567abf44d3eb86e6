/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel knows, each thing read in one place: its totals and sysctls,
 * memory cgroups, the scope of an OOM, one task's figures, the walk over all
 * tasks. Also the module's counters, and names as text.
 */
#ifndef OOMLENS_KERNEL_H
#define OOMLENS_KERNEL_H

#include "../oomlens.h"
#include "score.h"
#include "text.h"

struct mem_cgroup;

/* ---- counters.c ---- */

enum oomlens_counter {
	OOMLENS_EVENTS,
	OOMLENS_OVERWRITTEN,		/* events, before any reader had them */
	OOMLENS_COLLAPSED,		/* likewise, of which a run keeps the count */
	OOMLENS_AVERTED,
	OOMLENS_KILLS,
	OOMLENS_SNAPSHOTS,
	OOMLENS_WALK_NS_MAX,		/* in the OOM path */
	OOMLENS_MEMORY_BYTES,		/* that stay allocated, the reserve included */
	OOMLENS_POOL_PAGES,		/* that pressure and reserve hold */
	OOMLENS_NR_COUNTERS
};

void oomlens_counter_add(enum oomlens_counter counter, long n);
void oomlens_counter_max(enum oomlens_counter counter, long n);
long oomlens_counter_read(enum oomlens_counter counter);
unsigned long oomlens_memory_budget(void);
size_t oomlens_read_budget(void);
void *oomlens_keep_alloc(size_t size);
unsigned long oomlens_kernel_kills(void);

/* ---- sysvalues.c ---- */

/**
 * struct oomlens_sysvalues - the machine's totals and its overcommit policy
 * @totalram: pages, totalram_pages()
 * @total_swap: pages of all active swap areas, total_swap_pages
 * @swap_free: pages of them that are free
 * @commit_limit: pages, vm_commit_limit()
 * @hugetlb: pages that huge pages of all sizes take
 * @mode: vm.overcommit_memory
 * @ratio: vm.overcommit_ratio, percent; 0 when @kbytes is set
 * @kbytes: vm.overcommit_kbytes, in kB
 * @admin_reserve: pages, vm.admin_reserve_kbytes
 * @user_reserve: pages, vm.user_reserve_kbytes
 * @swappiness: vm.swappiness
 * @panic_on_oom: vm.panic_on_oom
 * @kill_allocating: vm.oom_kill_allocating_task
 * @committed: pages, Committed_AS
 * @available: pages, MemAvailable
 * @locked: pages, Mlocked
 * @percpu: pages, Percpu
 * @vmalloc: pages, VmallocUsed
 * @swapcache: pages, SwapCached
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
	unsigned long kill_allocating;
	long committed;
	long available;
	unsigned long locked;
	unsigned long percpu;
	unsigned long vmalloc;
	unsigned long swapcache;
};

/* /proc/meminfo, read in pieces: the file is longer than text, each line is shorter. */
struct oomlens_meminfo {
	struct file *file;
	char text[1024 - sizeof(struct file *)];
};

/* A UUID as text, or "-"; read at load. */
#define OOMLENS_BOOT_ID_SIZE	(36 + 1)
extern char oomlens_boot_id[OOMLENS_BOOT_ID_SIZE];

int oomlens_sysvalues_init(void);
struct file *oomlens_procfs_open(const char *path);
void oomlens_sysvalues_exit(void);
int oomlens_sysvalues_read(struct oomlens_sysvalues *v);
struct file *oomlens_procfs_open_seq(const char *path);
int oomlens_meminfo_open(struct oomlens_meminfo *meminfo);
void oomlens_meminfo_close(struct oomlens_meminfo *meminfo);
int oomlens_meminfo_read(struct oomlens_meminfo *meminfo, struct oomlens_sysvalues *v);
int oomlens_sysvalues_read_own(struct oomlens_meminfo *meminfo, struct oomlens_sysvalues *v);
int oomlens_sysvalues_totals(struct oomlens_sysvalues *v);
void oomlens_sysvalues_cached(struct oomlens_sysvalues *v);
void oomlens_sysvalues_watch_swap(void (*changed)(void));
void oomlens_sysvalues_unwatch_swap(void);

/* ---- slabinfo.c: the largest slab caches ---- */

/**
 * struct oomlens_slab - one cache, with those that were merged into it
 * @name: as /proc/slabinfo has it
 * @pages: that its slabs take
 * @objects: in use
 */
struct oomlens_slab {
	char name[32];
	unsigned long pages;
	unsigned long objects;
};

unsigned int oomlens_slabs_read(struct file *slabinfo, struct oomlens_slab *slabs,
				unsigned int max);

/* ---- memcg.c: memory cgroups of both hierarchies ---- */

/**
 * struct oomlens_memcg_figures - what is read of a cgroup in one go
 * @serial: oomlens_memcg_serial()
 * @usage: pages
 * @limit: pages, PAGE_COUNTER_MAX for none
 * @kills: by OOMs, of tasks in it and in the cgroups below
 * @psi_full_ns: time that all its tasks waited for memory, so far; U64_MAX if the
 *	kernel does not tell
 * @psi_at_ns: when the kernel added that up, by its scheduler's clock
 * @level: its depth in the hierarchy
 * @root: it is the root of the hierarchy, which is charged nothing
 */
struct oomlens_memcg_figures {
	u64 serial;
	unsigned long usage;
	unsigned long limit;
	unsigned long kills;
	u64 psi_full_ns;
	u64 psi_at_ns;
	int level;
	bool root;
};

#ifdef CONFIG_MEMCG
bool oomlens_memcg_enabled(void);
struct mem_cgroup *oomlens_memcg_of(struct task_struct *p);
bool oomlens_memcg_within(struct mem_cgroup *memcg, struct mem_cgroup *root);
bool oomlens_memcg_tryget(struct mem_cgroup *memcg);
void oomlens_memcg_put(struct mem_cgroup *memcg);
int oomlens_memcg_path(struct mem_cgroup *memcg, char *buf, size_t size);
void oomlens_memcg_path_unlocked(struct mem_cgroup *memcg, char *buf, size_t size);
struct mem_cgroup *oomlens_memcg_find(const char *path);
unsigned long oomlens_memcg_totalpages(struct mem_cgroup *memcg,
				       const struct oomlens_sysvalues *v);
struct mem_cgroup *oomlens_memcg_oom_group(struct mem_cgroup *memcg,
					   struct mem_cgroup *domain);
unsigned long oomlens_memcg_room(struct mem_cgroup *memcg);
unsigned long oomlens_memcg_ooms(struct mem_cgroup *memcg);
u64 oomlens_memcg_serial(struct mem_cgroup *memcg);
void oomlens_memcg_read(struct mem_cgroup *memcg, struct oomlens_memcg_figures *figures);
void oomlens_memcg_walk(bool (*visit)(struct mem_cgroup *memcg, void *arg), void *arg,
			u64 until_ns);
#else
static inline bool oomlens_memcg_enabled(void) { return false; }
static inline struct mem_cgroup *oomlens_memcg_of(struct task_struct *p) { return NULL; }
static inline bool oomlens_memcg_within(struct mem_cgroup *memcg, struct mem_cgroup *root)
{ return false; }
static inline bool oomlens_memcg_tryget(struct mem_cgroup *memcg) { return false; }
static inline void oomlens_memcg_put(struct mem_cgroup *memcg) { }
static inline int oomlens_memcg_path(struct mem_cgroup *memcg, char *buf, size_t size)
{ return strscpy(buf, "-", size) < 0; }
static inline void oomlens_memcg_path_unlocked(struct mem_cgroup *memcg, char *buf, size_t size)
{ strscpy(buf, "-", size); }
static inline struct mem_cgroup *oomlens_memcg_find(const char *path)
{ return ERR_PTR(-EOPNOTSUPP); }
static inline unsigned long oomlens_memcg_totalpages(struct mem_cgroup *memcg,
						     const struct oomlens_sysvalues *v)
{ return 1; }
static inline struct mem_cgroup *oomlens_memcg_oom_group(struct mem_cgroup *memcg,
							 struct mem_cgroup *domain)
{ return NULL; }
static inline unsigned long oomlens_memcg_room(struct mem_cgroup *memcg) { return ULONG_MAX; }
static inline unsigned long oomlens_memcg_ooms(struct mem_cgroup *memcg) { return 0; }
static inline u64 oomlens_memcg_serial(struct mem_cgroup *memcg) { return 0; }
static inline void oomlens_memcg_read(struct mem_cgroup *memcg,
				      struct oomlens_memcg_figures *figures) { }
static inline void oomlens_memcg_walk(bool (*visit)(struct mem_cgroup *memcg, void *arg),
				      void *arg, u64 until_ns) { }
#endif

/* ---- memcg_set.c: the distinct cgroups of one snapshot; index 0 is "-" ---- */

struct oomlens_memcg_set;
struct oomlens_memcg_set *oomlens_memcg_set_alloc(unsigned int max);
void oomlens_memcg_set_free(struct oomlens_memcg_set *set);
int oomlens_memcg_set_reserve(struct oomlens_memcg_set *set, unsigned int more);
unsigned int oomlens_memcg_set_index(struct oomlens_memcg_set *set, struct mem_cgroup *memcg);
struct mem_cgroup *oomlens_memcg_set_memcg(const struct oomlens_memcg_set *set, unsigned int i);
int oomlens_memcg_set_resolve(struct oomlens_memcg_set *set);
const char *oomlens_memcg_set_path(const struct oomlens_memcg_set *set, unsigned int i);

/* ---- task.c: what the OOM killer sees of one thread group ---- */

/* Threads of one group that are looked at where preemption may be off, at most. */
#define OOMLENS_THREADS_ATOMIC	32

/* Why the kernel would or would not take a task. */
enum oomlens_verdict {
	OOMLENS_VERDICT_ELIGIBLE,
	OOMLENS_VERDICT_ORIGIN,		/* flagged to go first */
	OOMLENS_VERDICT_INIT,
	OOMLENS_VERDICT_ADJ_MIN,	/* oom_score_adj is -1000 */
	OOMLENS_VERDICT_REAPED,		/* MMF_OOM_SKIP: freed, or the reaper gave up */
	OOMLENS_VERDICT_VFORK,
	OOMLENS_VERDICT_EXITING,	/* no thread holds an mm any more */
	OOMLENS_VERDICT_VICTIM,		/* being killed: the kernel waits for it */
	OOMLENS_VERDICT_SCOPE,		/* outside the scope that was asked for */
	OOMLENS_NR_VERDICTS
};

/* What the next kill does to a task. */
enum oomlens_fate {
	OOMLENS_FATE_NONE,
	OOMLENS_FATE_VICTIM,
	OOMLENS_FATE_GROUP,	/* memory.oom.group takes it along */
	OOMLENS_FATE_SHARER,	/* shares the mm of a task that dies */
	OOMLENS_NR_FATES
};

/**
 * struct oomlens_task - what the OOM killer sees of one thread group
 * @mm: identity of the address space, never dereferenced; NULL if none
 * @terms: pages, read once under task_lock()
 * @locked: pages, mm->locked_vm
 * @vm_total: pages, mm->total_vm
 * @points: what is compared; set by the caller, for one totalpages
 * @order: place in the kernel's walk
 * @pid: thread group id in the initial PID namespace
 * @uid: in the initial user namespace
 * @threads: in the group
 * @memcg: the owner's index for the task's memory cgroup
 * @adj: oom_score_adj
 * @adj_floor: oom_score_adj_min, the least that a writer without CAP_SYS_RESOURCE may set
 * @verdict: enum oomlens_verdict
 * @fate: enum oomlens_fate
 * @killable: oom_badness() would not be LONG_MIN
 * @mm_shared: tasks outside the group use the mm, or did a moment ago
 * @comm: of the group leader
 */
struct oomlens_task {
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
	short adj_floor;
	u8 verdict;
	u8 fate;
	bool killable;
	bool mm_shared;
	char comm[TASK_COMM_LEN];
};

extern const char * const oomlens_verdict_names[OOMLENS_NR_VERDICTS];
extern const char * const oomlens_fate_names[OOMLENS_NR_FATES];

struct mm_struct *oomlens_task_grab_mm(struct task_struct *p);
void oomlens_task_identity(struct task_struct *p, struct oomlens_task *task);
int oomlens_task_read(struct task_struct *p, struct oomlens_task *task, bool wait);
void oomlens_task_others_stopped(void);
void oomlens_task_read_mm(struct mm_struct *mm, struct oomlens_task *task);

static inline bool oomlens_ranked(enum oomlens_verdict verdict)
{
	return verdict == OOMLENS_VERDICT_ELIGIBLE || verdict == OOMLENS_VERDICT_ORIGIN;
}

/* ---- walk.c: every thread group, in the kernel's order ---- */

/* Visits between two pauses of a walk, at most. */
#define OOMLENS_WALK_CHUNK	32

/**
 * struct oomlens_walk - what a walk calls
 * @pause: called before the first visit and at each pause; may sleep; an error
 *	ends the walk; may be NULL
 * @visit: called with rcu_read_lock() held for each group leader, kernel
 *	threads included; must not sleep; another value than 0 ends the walk
 * @rewind: forget every visit after the first @n: the task at which the walk
 *	had paused is gone, and the walk goes on from an earlier one; may be NULL
 * @arg: for all of them
 */
struct oomlens_walk {
	int (*pause)(void *arg);
	int (*visit)(struct task_struct *p, void *arg);
	void (*rewind)(unsigned int n, void *arg);
	void *arg;
};

int oomlens_walk_tasks(const struct oomlens_walk *walk);

/* ---- scope.c: what an OOM draws on, and which tasks it may take ---- */

enum oomlens_scope_kind {
	OOMLENS_SCOPE_GLOBAL,
	OOMLENS_SCOPE_MEMCG,
	OOMLENS_SCOPE_CPUSET,
	OOMLENS_SCOPE_MEMPOLICY,
};

/**
 * struct oomlens_scope - one OOM's domain
 * @kind: which of @memcg and @nodes is used
 * @memcg: held while the scope is used
 * @path: of @memcg, as the user wrote it, unescaped; NULL if the kernel chose it
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
bool oomlens_scope_visits(const struct oomlens_scope *scope, struct task_struct *p);
void oomlens_scope_verdict(const struct oomlens_scope *scope, struct task_struct *p,
			   struct oomlens_task *task, bool has);

#endif /* OOMLENS_KERNEL_H */
