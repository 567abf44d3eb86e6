/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the tests of overcommit and commit: a child that maps what it is told
 * to, one step at a time, and readings of the module and of the kernel taken
 * between two steps without a single allocation, so that the difference of two
 * readings is what the step did and nothing else.
 */
#ifndef OOMLENS_ACTOR_H
#define OOMLENS_ACTOR_H

#include "test.h"

/* In the child; the same @arg each time. 0 or a negative errno. */
typedef int (*actor_fn)(long arg);

struct actor {
	pid_t pid;
	int ctl, ack;
};

int actor_start(struct actor *a);
/* The child runs @fn, which must not allocate, and the result comes back. */
int actor_do(struct actor *a, actor_fn fn, long arg);
void actor_end(struct actor *a);

/* In the child: a place that stays from one step to the next. */
extern char *actor_at;
extern unsigned long actor_len;		/* bytes */
extern int actor_fd;

/* Pages. */
struct figures {
	/* commit, the actor's row */
	long long charge, anon, file_private, stack, noreserve, shared;
	long long touched, uncashed, vm_total;
	/* commit, the header */
	long long committed, processes, shared_resident, shared_swapped, shared_promised;
	long long unattributed;
	long long total_uncashed, deficit, complete;
	/* the kernel's own word */
	long long meminfo_committed, smaps_charged;
};

#define READING_TEXT_MAX	262144

/* Large: keep it static. */
struct reading {
	pid_t pid;
	char commit[READING_TEXT_MAX], meminfo[READING_TEXT_MAX / 16];
	char smaps[READING_TEXT_MAX];
};

/* Texts only: nothing is allocated. False if one could not be read. */
bool reading_take(struct reading *r, pid_t pid);
/* False, with a line that says why, if a figure is missing. */
bool reading_parse(struct reading *r, struct figures *f);
/* What changed from one to the other, each figure by itself. */
bool reading_since(struct reading *before, struct reading *now, struct figures *f);

/* The sum over the VMAs that /proc/PID/smaps flags "ac"; -1 if it has no flags. */
long long smaps_charged(pid_t pid);

/* commit, read in a scope: "all", "memcg", "pid N"; NULL with errno. */
struct table *commit_table(const char *scope);

#endif /* OOMLENS_ACTOR_H */
