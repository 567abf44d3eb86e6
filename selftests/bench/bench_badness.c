// SPDX-License-Identifier: GPL-2.0
/*
 * What a read of badness costs, beside its rivals over the same tasks: the best
 * that a C program can do with /proc/PID, and the kernel's own selection walk.
 *
 * Run as root in a quiet guest, with the module loaded: children of this
 * program are killed by sysrq, unless told --no-kernel-walk. Ratios within one
 * run count; emulated microseconds do not.
 *
 *	bench_badness [--no-kernel-walk] [TASKS...]
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define BADNESS		"/proc/oomlens/badness"
#define FIRST_ROWS	"20"

static char buf[1 << 20];

/* ---- What is measured ---- */

static int nr_rows;

static void read_badness(void)
{
	nr_rows = read_through(BADNESS);
}

/* Seeking takes the snapshot: walk, judge, rank, fate; nothing is printed. */
static void sample_badness(void)
{
	int fd = open(BADNESS, O_RDONLY);

	if (fd < 0 || lseek(fd, 0, SEEK_SET))
		die(BADNESS);
	close(fd);
}

/* As "top" reads it. */
static void read_first_rows(void)
{
	static const char command[] = "rows " FIRST_ROWS;
	int fd = open(BADNESS, O_RDWR);

	if (fd < 0 || write(fd, command, strlen(command)) < 0)
		die(BADNESS);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
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
		char path[300];

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

/* ---- Memory while a snapshot is held ---- */

/* Free pages, those on the CPUs' own lists too, in bytes. */
static double free_bytes(void)
{
	static char text[1 << 18];
	double pages = 0;
	char *line, *save = NULL;

	read_through("/proc/sys/vm/stat_refresh");
	read_text("/proc/zoneinfo", text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		long n;

		if (sscanf(line, " nr_free_pages %ld", &n) == 1 ||
		    sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	}
	return pages * sysconf(_SC_PAGESIZE);
}

static void print_memory(void)
{
	double before, during, after;
	int fd;

	/* What the allocators keep for the next time is there beforehand. */
	sample_badness();
	free_bytes();
	before = free_bytes();
	fd = open(BADNESS, O_RDONLY);
	if (fd < 0 || lseek(fd, 0, SEEK_SET))
		die(BADNESS);
	during = free_bytes();
	close(fd);
	after = free_bytes();
	printf("memory: %d rows: %.0f bytes a row while open, %.0f in all after close\n", nr_rows,
	       (before - during) / nr_rows, before - after);
}

/* ---- All of them, at each number of tasks ---- */

static void compare_at(int tasks, bool walk)
{
	struct figure whole, first, sample, proc, kernel = { 0 };

	if (walk) {
		kernel = kernel_walk();
		figure_print("kernel_walk", "tasks", tasks, kernel);
	}
	whole = measure(read_badness, ROUNDS);
	first = measure(read_first_rows, ROUNDS);
	sample = measure(sample_badness, ROUNDS);
	/* It takes a second of guest time for ten thousand. */
	proc = measure(read_proc, tasks > 1000 ? 1 : 3);
	figure_print("whole_read", "rows", nr_rows, whole);
	figure_print("first_rows", "rows", nr_rows, first);
	figure_print("sample_rank", "rows", nr_rows, sample);
	figure_print("proc_files", "rows", nr_rows, proc);
	printf("ratio: %d rows: a whole read is %.1f times as fast as the files of /proc\n",
	       nr_rows, proc.median / whole.median);
	if (walk)
		printf("ratio: %d rows: sample and rank %.2f, the first " FIRST_ROWS
		       " rows %.2f, the whole read %.2f times the kernel's walk\n",
		       nr_rows, sample.median / kernel.median, first.median / kernel.median,
		       whole.median / kernel.median);
	print_memory();
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool walk = argc < 2 || strcmp(argv[1], "--no-kernel-walk");
	int tasks[16] = { 100, 1000, 10000 }, n = 0, have = 0;

	for (int i = walk ? 1 : 2; i < argc && n < 15; i++)
		tasks[n++] = atoi(argv[i]);
	if (n)
		tasks[n] = 0;
	bench_begin("bench_badness");
	/* The children are all that may be taken. */
	write_file("/proc/self/oom_score_adj", "-1000");
	if (walk)
		kernel_walk_begin();
	for (n = 0; tasks[n]; n++) {
		allow_tasks(tasks[n]);
		for (; have < tasks[n]; have++)
			child(0, "1");
		sleep(1);
		compare_at(tasks[n], walk);
		if (walk)
			have -= HEADERS + ROUNDS;
	}
	if (walk)
		kernel_walk_end();
	bench_end();
	return 0;
}
