// SPDX-License-Identifier: GPL-2.0
/*
 * What a read of badness costs, beside its rivals over the same tasks: the best
 * that a C program can do with /proc/PID, and the kernel's own selection walk.
 *
 * Run as root in a quiet guest, with the module loaded or not (--kernel-walk
 * kills children of this program, by sysrq). Ratios within one run count;
 * emulated microseconds do not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS		9
#define BADNESS		"/proc/oomlens/badness"
#define TRACING		"/sys/kernel/tracing/"

static char buf[1 << 20];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_us(void)
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

struct figure {
	double min, median, max;
};

static struct figure figure_of(double *us, int n)
{
	qsort(us, n, sizeof(*us), compare);
	return (struct figure) { us[0], us[n / 2], us[n - 1] };
}

/* ---- What is measured ---- */

static int nr_rows;

static void read_badness(void)
{
	int fd = open(BADNESS, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		die(BADNESS);
	nr_rows = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; (p = memchr(p, '\n', buf + n - p)); p++)
			nr_rows++;
	if (n < 0)
		die(BADNESS);
	close(fd);
}

/* The first byte: walk, judge, rank, fate; a page of text comes with it. */
static void sample_badness(void)
{
	int fd = open(BADNESS, O_RDONLY);

	if (fd < 0 || read(fd, buf, 1) != 1)
		die(BADNESS);
	close(fd);
}

static void read_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);

	if (fd < 0)
		return;
	if (read(fd, buf, sizeof(buf)) < 0)
		buf[0] = 0;
	close(fd);
}

/* What a careful C program does: one openat() a file, no stdio, no parsing. */
static void read_proc(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	if (!proc)
		die("/proc");
	while ((d = readdir(proc))) {
		char path[64];

		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%s/oom_score", d->d_name);
		read_file(dirfd(proc), path);
		snprintf(path, sizeof(path), "%s/oom_score_adj", d->d_name);
		read_file(dirfd(proc), path);
		snprintf(path, sizeof(path), "%s/status", d->d_name);
		read_file(dirfd(proc), path);
	}
	closedir(proc);
}

static struct figure measure(void (*what)(void))
{
	double us[ROUNDS];

	what();
	for (int i = 0; i < ROUNDS; i++) {
		double begin = now_us();

		what();
		us[i] = now_us() - begin;
	}
	return figure_of(us, ROUNDS);
}

/* ---- The kernel's own walk: from out_of_memory() to its mark ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static double stamp(const char *line)
{
	const char *p = strstr(line, ": ");

	/* "comm-pid [cpu] flags 12.345678: event:" */
	while (p && p > line && p[-1] != ' ')
		p--;
	return p ? atof(p) * 1e6 : 0;
}

/*
 * The dump is off, and its header limited to ten in five seconds: the kills
 * after those take the walk, the signal and the mark only.
 */
static struct figure kernel_walk(void)
{
	double us[64], begin = 0;
	int n = 0, entries = 0;
	char line[1024];
	FILE *trace;

	write_file(TRACING "trace", "");
	for (int i = 0; i < 10 + ROUNDS; i++) {
		int status;

		write_file("/proc/sysrq-trigger", "f");
		if (waitpid(-1, &status, 0) < 0)
			die("waitpid");
	}
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		die("trace");
	while (fgets(line, sizeof(line), trace)) {
		if (strstr(line, "oomlens_bench:")) {
			begin = stamp(line);
			entries++;
		} else if (strstr(line, "mark_victim:") && begin) {
			if (entries > 10 && n < ROUNDS)
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

static void kernel_walk_begin(void)
{
	write_file("/proc/sys/kernel/sysrq", "1");
	write_file("/proc/sys/vm/oom_dump_tasks", "0");
	write_file(TRACING "trace_clock", "mono");
	write_file(TRACING "kprobe_events", "p:oomlens_bench out_of_memory\n");
	write_file(TRACING "events/kprobes/oomlens_bench/enable", "1");
	write_file(TRACING "events/oom/mark_victim/enable", "1");
}

static void kernel_walk_end(void)
{
	write_file(TRACING "events/kprobes/oomlens_bench/enable", "0");
	write_file(TRACING "events/oom/mark_victim/enable", "0");
	write_file(TRACING "kprobe_events", "");
}

/* ---- Memory while a snapshot is held ---- */

/* Large tables are vmalloc'ed; vmallocinfo names who asked for each. */
static unsigned long held_bytes(void)
{
	unsigned long bytes = 0, size;
	char line[512];
	FILE *f = fopen("/proc/vmallocinfo", "r");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[oomlens]") && sscanf(line, "%*s %lu", &size) == 1)
			bytes += size;
	fclose(f);
	return bytes;
}

static unsigned long bytes_while_open(void)
{
	unsigned long before = held_bytes(), during;
	int fd = open(BADNESS, O_RDONLY);

	if (fd < 0 || read(fd, buf, 1) != 1)
		die(BADNESS);
	during = held_bytes();
	close(fd);
	if (held_bytes() != before)
		fprintf(stderr, "%lu bytes stayed after close\n", held_bytes() - before);
	return during - before;
}

/* ---- The tasks ---- */

static void spawn(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_file("/proc/self/oom_score_adj", "1");
		for (;;)
			pause();
	}
}

static void print(const char *what, int tasks, struct figure f)
{
	printf("%-12s tasks %6d us min %9.0f median %9.0f max %9.0f a_task %.3f\n",
	       what, tasks, f.min, f.median, f.max, f.median / tasks);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool walk = argc > 1 && !strcmp(argv[1], "--kernel-walk");
	int first = walk ? 2 : 1, have = 0;
	struct utsname u;

	uname(&u);
	printf("# %s %s, %ld CPUs, %d rounds each\n", u.release, u.machine,
	       sysconf(_SC_NPROCESSORS_ONLN), ROUNDS);
	/* The children are all that may be taken. */
	write_file("/proc/self/oom_score_adj", "-1000");
	if (walk)
		kernel_walk_begin();
	for (int i = first; i < argc; i++) {
		int tasks = atoi(argv[i]);
		struct figure whole, sample, proc, kernel;

		spawn(tasks - have);
		have = tasks;
		sleep(1);
		if (walk) {
			kernel = kernel_walk();
			have -= 10 + ROUNDS;
			print("kernel_walk", tasks, kernel);
		}
		if (access(BADNESS, R_OK))
			continue;
		whole = measure(read_badness);
		sample = measure(sample_badness);
		proc = measure(read_proc);
		print("whole_read", nr_rows, whole);
		print("sample_rank", nr_rows, sample);
		print("proc_files", nr_rows, proc);
		printf("ratio        tasks %6d proc/whole %.1f", nr_rows,
		       proc.median / whole.median);
		if (walk)
			printf(" sample/kernel %.2f whole/kernel %.2f",
			       sample.median / kernel.median, whole.median / kernel.median);
		printf(" bytes_a_task %.0f\n", (double)bytes_while_open() / nr_rows);
	}
	if (walk)
		kernel_walk_end();
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
