// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmarks share: time, files, and figures with their spread.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

void die(const char *what)
{
	perror(what);
	exit(1);
}

void bench_begin(const char *program)
{
	struct utsname u;

	/* Its children are killed as a group, and no other task with them. */
	setpgid(0, 0);
	uname(&u);
	printf("# %s: %s %s, %ld CPUs, %ld MB\n", program, u.release, u.machine,
	       sysconf(_SC_NPROCESSORS_ONLN),
	       sysconf(_SC_PHYS_PAGES) / ((1 << 20) / sysconf(_SC_PAGESIZE)));
	fflush(stdout);
}

void allow_tasks(int n)
{
	if (n <= 30000)
		return;
	write_file("/proc/sys/kernel/pid_max", "4194304");
	write_file("/proc/sys/kernel/threads-max", "200000");
}

void bench_end(void)
{
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
}

double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct figure figure_of(double *values, int n)
{
	qsort(values, n, sizeof(*values), compare);
	return (struct figure) { values[0], values[n / 2], values[n - 1] };
}

struct figure measure(void (*what)(void), int rounds)
{
	double us[MAX_ROUNDS];

	if (rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	what();
	for (int i = 0; i < rounds; i++) {
		double begin = now_us();

		what();
		us[i] = now_us() - begin;
	}
	return figure_of(us, rounds);
}

void figure_print(const char *what, const char *things, long n, struct figure f)
{
	printf("%-24s us min %10.1f median %10.1f max %10.1f", what, f.min, f.median, f.max);
	if (n)
		printf("  %ld %s, each %.3f", n, things, f.median / n);
	printf("\n");
	fflush(stdout);
}

void write_file(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, what, strlen(what)) < 0)
		die(path);
	close(fd);
}

size_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		die(path);
	while ((n = read(fd, text + used, size - 1 - used)) > 0)
		used += n;
	if (n < 0)
		die(path);
	text[used] = '\0';
	close(fd);
	return used;
}

long read_through_fd(int fd)
{
	static char text[1 << 20];
	long lines = 0;
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		for (char *p = text; (p = memchr(p, '\n', text + n - p)); p++)
			lines++;
	if (n < 0)
		die("read");
	close(fd);
	return lines;
}

long read_through(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return read_through_fd(fd);
}

pid_t child_ready(void (*prepare)(const void *), const void *arg)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prepare(arg);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		die("a child did not come up");
	close(ready[0]);
	return pid;
}

struct bulk {
	size_t bytes;
	const char *adj;
};

static void take_bulk(const void *arg)
{
	const struct bulk *bulk = arg;

	write_file("/proc/self/oom_score_adj", bulk->adj);
	if (mmap(NULL, bulk->bytes + 1, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		die("mmap in a child");
}

pid_t child(size_t bytes, const char *adj)
{
	struct bulk bulk = { bytes, adj };

	return child_ready(take_bulk, &bulk);
}

void kill_one(void)
{
	int status;

	write_file("/proc/sysrq-trigger", "f");
	if (waitpid(-1, &status, 0) < 0)
		die("waitpid");
}

/* ---- The kernel's own walk: from out_of_memory() to its mark ---- */

#define TRACING		"/sys/kernel/tracing/"

static double stamp(const char *line)
{
	const char *p = strstr(line, ": ");

	/* "comm-pid [cpu] flags 12.345678: event:" */
	while (p && p > line && p[-1] != ' ')
		p--;
	return p ? atof(p) * 1e6 : 0;
}

struct figure kernel_walk(void)
{
	double us[64], begin = 0;
	int n = 0, entries = 0;
	char line[1024];
	FILE *trace;

	write_file(TRACING "trace", "");
	for (int i = 0; i < HEADERS + ROUNDS; i++)
		kill_one();
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		die("trace");
	while (fgets(line, sizeof(line), trace)) {
		if (strstr(line, "oomlens_bench:")) {
			begin = stamp(line);
			entries++;
		} else if (strstr(line, "mark_victim:") && begin) {
			if (entries > HEADERS && n < ROUNDS)
				us[n++] = stamp(line) - begin;
			begin = 0;
		}
	}
	fclose(trace);
	if (n < ROUNDS) {
		fprintf(stderr, "only %d of %d kills were seen in the trace\n", n, ROUNDS);
		exit(1);
	}
	return figure_of(us, n);
}

void kernel_walk_begin(void)
{
	write_file("/proc/sys/kernel/sysrq", "1");
	write_file("/proc/sys/vm/oom_dump_tasks", "0");
	write_file(TRACING "trace_clock", "mono");
	write_file(TRACING "kprobe_events", "p:oomlens_bench out_of_memory\n");
	write_file(TRACING "events/kprobes/oomlens_bench/enable", "1");
	write_file(TRACING "events/oom/mark_victim/enable", "1");
}

void kernel_walk_end(void)
{
	write_file(TRACING "events/kprobes/oomlens_bench/enable", "0");
	write_file(TRACING "events/oom/mark_victim/enable", "0");
	write_file(TRACING "kprobe_events", "");
}
