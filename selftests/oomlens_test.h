/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the oomlens selftests share: a supervisor that puts everything back,
 * the module's files as text, tasks of a known size, and memory cgroups.
 *
 * Every program begins with test_begin(). All sizes are pages unless a name
 * says otherwise. A function that returns int gives 0 or a negative errno.
 */
#ifndef OOMLENS_TEST_H
#define OOMLENS_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"

/* kselftest.h of 6.1 and older lacks some of these; the checks can wait. */
#ifndef __printf
#define __printf(...)
#endif
#ifndef __noreturn
#define __noreturn
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(arr)	(sizeof(arr) / sizeof((arr)[0]))
#endif

/* How long anything may take before it counts as failed; guests are emulated. */
#define PATIENCE_MS	30000

#define OOM_ADJ_NEVER	(-1000)

/* ---- oomlens_test.c: the frame of a test ---- */

void test_supervise(bool needs_module);

/*
 * Forks: the caller goes on in a child whose pid is never the OOM killer's
 * choice; the parent waits, then kills what the child left running, removes its
 * cgroups and puts back every setting, whichever way the child ended.
 * Skips the program (exit 4) if the module is not loaded or the caller is not
 * root. Prints the KTAP header and, if @plan is not 0, the plan.
 */
static inline void test_begin(unsigned int plan)
{
	test_supervise(true);
	ksft_print_header();
	if (plan)
		ksft_set_plan(plan);
}

/* The same, for a program that does without the module. */
static inline void test_begin_unloaded(unsigned int plan)
{
	test_supervise(false);
	ksft_print_header();
	if (plan)
		ksft_set_plan(plan);
}

/* Writes one setting; the value that it had before is written back at the end. */
int setting_write(const char *path, const char *value);

/*
 * Runs at the end, in the supervisor, the last one noted first: "rmdir",
 * "umount", "swapon" or "swapoff" of @path; "rmcg" removes a cgroup and all below it,
 * "nomemcg" takes the memory controller from the children of one.
 */
void undo_at_end(const char *what, const char *path);

/* At the end, the module is loaded anew with those parameters. */
void reload_at_end(const char *ko, const char *parameters);

/* Seed of the random numbers: $OOMLENS_SEED or the clock; printed. */
unsigned long long test_seed(void);
unsigned long long rnd(unsigned long long *state);
/* Uniform from lo to hi, both included. */
unsigned long rnd_range(unsigned long long *state, unsigned long lo, unsigned long hi);
/* $name as a number, or the default. */
unsigned long env_number(const char *name, unsigned long otherwise);

unsigned long long now_ns(void);
void nap_ms(unsigned int ms);
unsigned long page_size(void);

/* True as soon as @cond is, false when it still is not after @ms. */
#define wait_until(cond, ms) ({						\
	unsigned long long end_ = now_ns() + (unsigned long long)(ms) * 1000000;		\
	bool ok_;							\
									\
	while (!(ok_ = !!(cond)) && now_ns() < end_)			\
		nap_ms(1);						\
	ok_;								\
})

/* ---- oomlens_text.c: the module's files, the kernel's, and how to read them ---- */

/* Path of one of the module's files, e.g. "badness"; debugfs or /proc/oomlens. */
const char *lens_path(const char *file);
bool lens_writable(void);	/* loaded with trigger=1, and not locked down */
bool lens_locked_down(void);	/* the kernel is: no trigger, no reserve */

/* Whole text, to be freed by the caller; NULL with errno on error. */
char *read_file(const char *path);
char *read_fd(int fd);		/* from offset 0, by pread */
char *read_lens(const char *file);

/* One write(2) of the whole string: 0, a negative errno, -EIO if it was short. */
int write_fd(int fd, const char *text);
int write_file(const char *path, const char *text);
int lens_command(const char *file, const char *fmt, ...)
	__printf(2, 3);

/*
 * The number after @key at the start of a line: "key value", and /proc/meminfo's
 * and /proc/PID/status' "Key:   value kB" (give the key with its colon).
 */
bool key_number(const char *text, const char *key, long long *value);
bool key_string(const char *text, const char *key, char *value, size_t size);

/* One number of a file of the kernel: meminfo in kB, or a one-number file. */
long long meminfo_kb(const char *key);	/* e.g. "MemAvailable"; -1 if absent */
/* Of a file of lines as key_number() takes them; -1 if it is not there. */
long long file_key(const char *path, const char *key);
long long kernel_kills(void);	/* by /proc/vmstat's oom_kill; -1 if it has none */
long long file_number(const char *path);	/* LLONG_MIN if it cannot be read */
long long lens_key(const char *file, const char *key);	/* LLONG_MIN if absent */
bool lens_feature(const char *name);	/* features says yes */

/*
 * A table file: "#" lines, the last of them naming the columns, then rows.
 * header is the text of all the "#" lines.
 */
struct table {
	char *text;
	char *header;
	char *names;
	unsigned int cols, rows;
	char **col;
	char **cell;		/* rows * cols */
	unsigned int last;	/* the column that was asked for last */
};

struct table *table_parse(char *text);	/* takes the text; NULL if malformed */
struct table *table_read(const char *path);
struct table *table_read_fd(int fd);
void table_free(struct table *t);
int table_col(struct table *t, const char *name);	/* -1 if absent */
const char *table_cell(struct table *t, unsigned int row, const char *col);
long long table_number(struct table *t, unsigned int row, const char *col);
/* The row whose column holds that number, -1 if none. */
int table_find(struct table *t, const char *col, long long value);
/* The number after a word of the "#" lines, e.g. "totalpages". */
bool table_header(const struct table *t, const char *word, long long *value);

/* events: the line "TYPE NUMBER ..." of an event (nth of that type, from 0). */
char *event_line(const char *events, const char *type, long long number,
		 unsigned int nth);		/* to be freed; NULL if none */
long long event_last(const char *events);	/* highest number, 0 if none */
bool line_number(const char *line, const char *key, long long *value);
bool line_string(const char *line, const char *key, char *value, size_t size);

/* The kernel's log from now on. */
int kmsg_open(void);
/* Next record whose text holds @needle, within @ms; its text in @line. */
bool kmsg_wait(int fd, const char *needle, char *line, size_t size, unsigned int ms);

/* ---- oomlens_hog.c: tasks of a known size ---- */

/**
 * struct hog_spec - one thread group to be made
 * @anon: private pages, written to
 * @swapped: of these, pages that are then paged out (needs swap)
 * @shmem: shared anonymous pages, written to
 * @shared: where they lie if the caller has mapped them, to share them with others
 * @promised: private writable pages, mapped and not touched
 * @locked: of @anon, pages that are mlocked
 * @threads: besides the leader
 * @adj: oom_score_adj
 * @dead_leader: the leader exits and its threads live on (threads > 0)
 * @sharer: a second process shares the mm (struct hog, second)
 * @vfork: a vfork child has not exec'd yet (struct hog, second)
 * @cgroup: directory from cg_create(), or NULL
 * @comm: name, or NULL for "hog"
 */
struct hog_spec {
	unsigned long anon, swapped, shmem, promised, locked;
	void *shared;
	unsigned int threads;
	int adj;
	bool dead_leader, sharer, vfork;
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
	HOG_GROW,		/* touch so many pages more */
	HOG_SHRINK,		/* give so many back, at most what GROW took */
	HOG_FORK,		/* so many children that come and go */
	HOG_CHURN,		/* a thread that grows by so many, slowly; answers first */
	HOG_SPIN,		/* use the CPU until killed; no answer */
};

/* Ready and quiet on return. */
int hog_start(struct hog *hog, const struct hog_spec *spec);
/* Waits for the answer; not for a hog with a vfork child: it is blocked. */
int hog_do(struct hog *hog, enum hog_op op, unsigned long pages);
pid_t hog_grow_apart(struct hog *hog, unsigned long pages);	/* a child of ours waits for it */
bool hog_gone(struct hog *hog);		/* has exited (and is reaped now) */
bool hog_second_gone(const struct hog *hog);	/* none, a zombie, or reaped */
bool hog_killed(struct hog *hog);	/* gone, by SIGKILL */
void hog_end(struct hog *hog);		/* SIGKILL, and waits */
/* So many children that only sleep, each with its parent's pages; -errno. */
int idle_start(pid_t *pids, unsigned int n);
void idle_end(pid_t *pids, unsigned int n);
int set_adj(pid_t pid, int adj);
/*
 * So much swap: what is in use, or else the spare disk that OOMLENS_SWAP_DISK
 * names, made by mkswap(8), for as long as the test runs. None is made out of
 * memory, which could lock the machine up.
 */
bool swap_ensure(unsigned long pages);

/* The first swap area on its way out, by a child of ours, with a hog's pages in it. */
struct swapoff {
	char area[128];
	struct hog hog;
	pid_t pid;
	int status;
};

bool swapoff_start(struct swapoff *s);	/* false: there is no swap */
bool swapoff_busy(struct swapoff *s);
bool swapoff_end(struct swapoff *s);	/* in use again; did the swapoff succeed? */

/* ---- oomlens_cgroup.c: memory cgroups of either hierarchy ---- */

int cg_version(void);			/* 2, 1, or 0: no memory controller */
const char *cg_root(void);		/* where the hierarchy is mounted */
/* Directory of a new cgroup below @parent (NULL: the test's own); removed at end. */
char *cg_create(const char *parent, const char *name);
/* As the module and /proc/PID/cgroup show it. */
const char *cg_shown(const char *dir);
int cg_attach(const char *dir, pid_t pid);	/* pid 0: the caller */
int cg_limit(const char *dir, unsigned long pages);		/* memory */
int cg_swap_limit(const char *dir, unsigned long pages);	/* swap, of v2's meaning */
int cg_oom_group(const char *dir, bool on);		/* -EOPNOTSUPP on v1 */
/* How often the OOM killer struck in it, or below it on v2; -1 if unknown. */
long long cg_oom_kills(const char *dir);
long long cg_usage(const char *dir);		/* pages, -1 if unknown */
long long cg_swap_usage(const char *dir);	/* pages, -1 without swap accounting */
int cg_delegate(const char *dir);	/* children get the memory controller */
char *cg_cpuset(const char *mems);	/* with these nodes; NULL: no such controller */
int cg_remove(const char *dir);

/* ---- oomlens_writer.c: a command by a process of its own ---- */

/* A child that writes it to trigger, in the cgroup or where the caller is (NULL). */
pid_t writer_start(const char *command, const char *cgroup);
/* Waits: 0, a negative errno of the write, or the signal that it died of. */
int writer_end(pid_t pid);
/* The event of the last run has that key=value; said if not. */
bool run_event_is(const char *key, const char *want);

#endif /* OOMLENS_TEST_H */
