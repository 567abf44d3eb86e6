// SPDX-License-Identifier: GPL-2.0
/*
 * What one sample of history takes, by its own cost_us (the sampler's clock around its
 * two walks): by tasks, and by cgroups. Under icount a microsecond is 1,000
 * instructions. The rival is a C program that reads /proc/PID/stat of each process.
 *
 *	bench_history [TASKS...] (10 1000 10000)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define EVERY		"/sys/module/oomlens/parameters/history_ms"
#define CGROUPS		1000
#define CGROUP		"/sys/fs/cgroup/bench_history_%d"

static char text[1 << 20];

static long head(const char *key)
{
	char *at;

	read_text("/proc/oomlens/history", text, sizeof(text));
	at = strstr(text, key);
	if (!at)
		die(key);
	return atol(at + strlen(key));
}

static struct figure sample_cost(void)
{
	double us[ROUNDS];

	write_file(EVERY, "200");
	usleep(1000000);
	for (int i = 0; i < ROUNDS; i++) {
		usleep(200000);
		us[i] = head("cost_us ");
	}
	write_file(EVERY, "0");
	return figure_of(us, ROUNDS);
}

static int nr_tasks;

static void read_stats(void)
{
	char path[40];

	for (pid_t pid = 1; pid < 300 + nr_tasks * 2; pid++) {
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (!access(path, R_OK))
			read_text(path, text, 4096);
	}
}

static void cgroups(int (*what)(const char *path))
{
	char path[64];

	for (int i = 0; i < CGROUPS; i++) {
		snprintf(path, sizeof(path), CGROUP, i);
		what(path);
	}
}

static int make(const char *path)
{
	return mkdir(path, 0755);
}

int main(int argc, char **argv)
{
	static const char * const usual[] = { "10", "1000", "10000" };
	const char * const *counts = argc > 1 ? (const char * const *)argv + 1 : usual;
	int n = argc > 1 ? argc - 1 : 3;
	struct figure f;

	bench_begin("bench_history");
	for (int i = 0; i < n; i++) {
		int want = atoi(counts[i]);

		allow_tasks(want);
		for (; nr_tasks < want; nr_tasks++)
			child(16 * 4096, "0");
		f = sample_cost();
		figure_print("sample", "tasks", nr_tasks, f);
		if (nr_tasks <= 1000)
			figure_print("/proc/PID/stat", "tasks", nr_tasks, measure(read_stats, 3));
	}
	cgroups(make);
	f = sample_cost();
	figure_print("sample, 1,000 cgroups more", NULL, 0, f);
	cgroups(rmdir);
	bench_end();
	return 0;
}
