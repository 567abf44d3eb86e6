/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks share: time, files, and figures with their spread.
 */
#ifndef OOMLENS_BENCH_H
#define OOMLENS_BENCH_H

#include <stddef.h>
#include <sys/types.h>

#define ROUNDS		9
#define MAX_ROUNDS	64

/* Times or counts of one thing done several times. */
struct figure {
	double min, median, max;
};

void die(const char *what) __attribute__((noreturn));

/* "# PROGRAM RELEASE MACHINE, CPUs, memory": before all else. */
void bench_begin(const char *program);

/* Raises the kernel's limits for that many processes. */
void allow_tasks(int n);

/* No child is left when this returns. */
void bench_end(void);

/* Microseconds of CLOCK_MONOTONIC; under icount one is 1,000 instructions. */
double now_us(void);

/* Sorts. */
struct figure figure_of(double *values, int n);

/* Once to warm up, then @rounds times. */
struct figure measure(void (*what)(void), int rounds);

/* One line; @n things that took the time together, or 0. */
void figure_print(const char *what, const char *things, long n, struct figure f);

void write_file(const char *path, const char *what);

/* As much as fits, ended by a NUL; the length. */
size_t read_text(const char *path, char *text, size_t size);

/* To its end, whatever its length; the number of lines. */
long read_through(const char *path);
long read_through_fd(int fd);		/* and closes it */

/* A child that has done @prepare and waits to be killed; it dies with its parent. */
pid_t child_ready(void (*prepare)(const void *arg), const void *arg);

/*
 * A child that has touched @bytes of its own, with this oom_score_adj, and
 * waits to be killed; it dies with its parent.
 */
pid_t child(size_t bytes, const char *adj);

/* Lets the kernel's OOM killer take one child, by sysrq, and waits for that. */
void kill_one(void);

/*
 * The kernel's own selection: from out_of_memory() to the mark, over ROUNDS
 * kills of children. Between begin and end the dump is off; the kernel prints
 * ten headers in five seconds, so those first kills are not counted.
 */
#define HEADERS		10
void kernel_walk_begin(void);
struct figure kernel_walk(void);
void kernel_walk_end(void);

#endif /* OOMLENS_BENCH_H */
