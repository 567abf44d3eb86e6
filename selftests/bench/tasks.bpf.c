// SPDX-License-Identifier: GPL-2.0
/*
 * The rival of badness on a kernel with BTF: a BPF task iterator that prints the
 * same columns, as far as BPF can see them. It does not rank, does not know the
 * scope or the fate, and has the cgroup's number instead of its path.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define PF_KTHREAD	0x00200000

/* The kernel's own, as far as they are used; libbpf finds the rest by BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Typedefs, as there: libbpf does not find an anonymous struct by its members. */
typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	unsigned int val;
} kuid_t;

struct mm_rss_stat {			/* up to 6.1 */
	atomic_long_t count[4];
};

struct percpu_counter {			/* since 6.2 */
	__s64 count;
};

struct mm_struct___old {
	struct mm_rss_stat rss_stat;
};

struct mm_struct {
	struct percpu_counter rss_stat[4];
	atomic_long_t pgtables_bytes;
	unsigned long total_vm, locked_vm;
};

struct cred {
	kuid_t uid;
};

struct signal_struct {
	int nr_threads;
	short oom_score_adj;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	int pid, tgid;
	struct mm_struct *mm;
	const struct cred *cred;
	struct signal_struct *signal;
	struct css_set *cgroups;
	char comm[16];
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

volatile __u64 totalpages;	/* set before it is loaded */

static __always_inline long rss(struct mm_struct *mm, int member)
{
	if (bpf_core_type_exists(struct mm_rss_stat)) {
		struct mm_struct___old *old = (void *)mm;

		return BPF_CORE_READ(old, rss_stat.count[member].counter);
	}
	return BPF_CORE_READ(mm, rss_stat[member].count);
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	long file, anon, swap, shmem, tables, adj_points, points, score;
	struct mm_struct *mm;
	short adj;

	if (!task || task->pid != task->tgid || (task->flags & PF_KTHREAD))
		return 0;
	mm = task->mm;
	if (!mm)
		return 0;
	adj = task->signal->oom_score_adj;
	file = rss(mm, 0);
	anon = rss(mm, 1);
	swap = rss(mm, 2);
	shmem = rss(mm, 3);
	tables = mm->pgtables_bytes.counter >> 12;
	adj_points = adj * (long)(totalpages / 1000);
	points = file + anon + swap + shmem + tables + adj_points;
	/* BPF cannot divide negative numbers. */
	score = points > 0 ? (1000 + (__u64)points * 1000 / totalpages) * 2 / 3 : 0;
	BPF_SEQ_PRINTF(seq, "- %d %u %d %ld %ld %ld %ld %ld %ld %ld ", task->tgid,
		       task->cred->uid.val, adj, score, points, anon, file, shmem, swap, tables);
	BPF_SEQ_PRINTF(seq, "%ld %lu %lu %d %s - %llu %s\n", adj_points, mm->locked_vm,
		       mm->total_vm, task->signal->nr_threads,
		       adj == -1000 ? "adj_min" : "eligible",
		       task->cgroups->dfl_cgrp->kn->id, task->comm);
	return 0;
}

char _license[] SEC("license") = "GPL";
