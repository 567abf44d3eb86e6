/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tasks of a known size. All sizes are pages unless a name says otherwise.
 */
#ifndef OOMLENS_HOG_H
#define OOMLENS_HOG_H

#include "test.h"

/**
 * struct hog_spec - one thread group to be made
 * @anon: private pages, written to
 * @swapped: of these, pages that are then paged out (needs swap)
 * @shmem: shared anonymous pages, written to
 * @shared: where they lie if the caller has mapped them, to share them with others
 * @promised: private writable pages, mapped and not touched
 * @locked: of @anon, pages that are mlocked
 * @huge: private pages besides, written to, in huge pages if the kernel has some: a
 *	multiple of 2 MiB
 * @hugetlb: a page of hugetlbfs besides, which is in no count of the mm
 * @threads: besides the leader
 * @adj: oom_score_adj
 * @uid: if it is not to be root's; the gid is another number
 * @dead_leader: the leader exits and its threads live on (threads > 0)
 * @sharer: a second process shares the mm (struct hog, second)
 * @vfork: a vfork child has not exec'd yet (struct hog, second)
 * @cgroup: directory from cg_create(), or NULL
 * @comm: name, or NULL for "hog"
 */
struct hog_spec {
	unsigned long anon, swapped, shmem, promised, locked, huge;
	void *shared;
	unsigned int threads;
	int adj;
	uid_t uid;
	bool hugetlb, dead_leader, sharer, vfork;
	const char *cgroup;
	const char *comm;
};

struct hog {
	pid_t pid;
	pid_t second;		/* 0 if none */
	int ctl, ack;
	bool gone;		/* reaped by hog_end() or hog_gone() */
	int status;		/* then: as from wait(2) */
};

enum hog_op {
	HOG_GROW,		/* touch that many pages more */
	HOG_SHRINK,		/* give that many back, at most what GROW took */
	HOG_FORK,		/* that many children that come and go */
	HOG_CHURN,		/* a thread that grows by that many, slowly; answers first */
	HOG_SPIN,		/* use the CPU until killed; no answer */
};

/* Ready and quiet on return. */
int hog_start(struct hog *hog, const struct hog_spec *spec);
/* Waits for the answer; not for a hog with a vfork child: it is blocked. */
int hog_do(struct hog *hog, enum hog_op op, unsigned long pages);
pid_t hog_grow_apart(struct hog *hog, unsigned long pages);	/* asked by a child, which waits */
bool hog_gone(struct hog *hog);		/* has exited (and is reaped now) */
bool hog_second_gone(const struct hog *hog);	/* none, a zombie, or reaped */
bool hog_killed(struct hog *hog);	/* gone, by SIGKILL */
void hog_end(struct hog *hog);		/* SIGKILL, and waits */
/* Half of them 0, some exempt, some anything, some at most @near from 0. */
int hog_random_adj(unsigned long long *seed, int near);
/* The end of a child: with that adj, in that cgroup (or NULL), touches that many bytes. */
void __noreturn eat(const char *cgroup, int adj, size_t bytes);
/* As in /proc/PID/stat: 'R', 'S', 'Z' and so on; '?' if it is gone. */
char task_state(pid_t pid);
/* That many children that only sleep, each with its parent's pages; -errno. */
int idle_start(pid_t *pids, unsigned int n);
void idle_end(pid_t *pids, unsigned int n);
/*
 * At least that much swap: what is in use, or else the spare disk that OOMLENS_SWAP_DISK
 * names, made by mkswap(8), for as long as the test runs. None is made out of
 * memory, which could lock the machine up.
 */
bool swap_ensure(unsigned long pages);

/* The first swap area on its way out, by a child of ours, with a hog's pages in it. */
struct swap_drain {
	char area[128];
	struct hog hog;
	pid_t pid;
	int status;
};

bool swapoff_start(struct swap_drain *s);	/* false: there is no swap */
bool swapoff_busy(struct swap_drain *s);
bool swapoff_end(struct swap_drain *s);	/* in use again; did the swapoff succeed? */

#endif /* OOMLENS_HOG_H */
