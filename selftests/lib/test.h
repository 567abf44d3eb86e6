/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Amounts from the environment, rights, random numbers and time.
 *
 * In all of lib/ a function that returns int gives 0 or a negative errno. A file there
 * uses only those before it: test, text, supervise, cgroup, hog, expect, then the
 * files that some programs include besides.
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
/*
 * And a read that others work against: seen are 20 to 400 ms, and in one of many a busy
 * host took 2.7 s.
 */
#define BOUNDED_MS	10000

#define OOM_ADJ_NEVER	(-1000)

/* Takes the capability @cap, below 32, from the calling task. */
int drop_capability(int cap);

/* A descriptor to read and write, opened by a thread that has not @cap; or an error. */
int open_without(int cap, const char *path);

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
