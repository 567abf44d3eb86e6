/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame of a test: a supervisor that puts everything back, settings from
 * the environment, random numbers and time.
 *
 * In all of lib/ a function that returns int gives 0 or a negative errno.
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

/* Takes the capability @cap, below 32, from the calling task. */
int drop_capability(int cap);

/* A descriptor to read and write, opened by a thread that has not @cap; or an error. */
int open_without(int cap, const char *path);

/* Until the end, an OOM is soon over: no dump of all tasks, no panic, a quiet console. */
void oom_settings(void);

/*
 * Runs at the end, in the supervisor, the last one noted first: "rmdir",
 * "umount", "swapon" or "swapoff" of @path; "reset" writes 1 to it; "rmcg" removes a
 * cgroup and all below it, "nomemcg" takes the memory controller from the children of one.
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

#endif /* OOMLENS_TEST_H */
