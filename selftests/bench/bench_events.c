// SPDX-License-Identifier: GPL-2.0
/*
 * What the recorder adds to an OOM, how long victims take to give their memory
 * back, and that it adds nothing where there is no OOM.
 *
 * Run as root in a quiet guest, module not needed: it is loaded and unloaded
 * here ($OOMLENS_KO, or /rig/oomlens.ko). Kills children of this program, by
 * sysrq. Arguments: numbers of tasks (1000 10000), or "none": only the loop
 * without an OOM. $OOMLENS_KILLS: of the recovery times (1000).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define EVENTS		"/proc/oomlens/events"

static char text[1 << 20];

static void unload(void)
{
	while (syscall(SYS_delete_module, "oomlens", O_NONBLOCK) && errno == EAGAIN)
		usleep(1000);
}

static void load(const char *parameters)
{
	const char *ko = getenv("OOMLENS_KO") ?: "/rig/oomlens.ko";
	int fd = open(ko, O_RDONLY | O_CLOEXEC);

	unload();
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0))
		die(ko);
	close(fd);
}

static double value(const char *line, const char *key)
{
	const char *s = strstr(line, key);

	return s && s[strlen(key)] != '-' ? atof(s + strlen(key)) : -1;
}

static void read_events(void)
{
	read_text(EVENTS, text, sizeof(text));
}

/* ---- Added to out_of_memory() ---- */

/*
 * Medians over the events whose walk was made in whole, or was off; @kernel is
 * the kernel's selection without the module.
 */
static void print_added(const char *what, int tasks, const char *walk,
			struct figure kernel)
{
	double ours[64], wholes[64];
	struct figure added, whole;
	char *line, *save = NULL;
	int n = 0, seen = 0;

	read_events();
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "event ", 6) || ++seen <= HEADERS || !strstr(line, walk))
			continue;
		if (n == 64)
			break;
		ours[n] = value(line, " capture_us=");
		wholes[n] = value(line, " duration_us=");
		n++;
	}
	if (!n) {
		printf("%-15s tasks %6d: no event with%s\n", what, tasks, walk);
		return;
	}
	added = figure_of(ours, n);
	whole = figure_of(wholes, n);
	/* Some take longer by an interrupt before the mark, whatever the parameters are. */
	printf("%-15s tasks %6d added_us %6.1f (%.1f to %.1f) of %.1f (%.1f to %.1f), the kernel's walk %.1f: ratio %.3f\n",
	       what, tasks, added.median, added.min, added.max, whole.median, whole.min,
	       whole.max, kernel.median, added.median / kernel.median);
	fflush(stdout);
}

/* The emulated console takes no time: one that does, where it was built. */
static bool slow_console(void)
{
	int fd = open("/rig/oomlens_console.ko", O_RDONLY | O_CLOEXEC);
	bool there = fd >= 0 && !syscall(SYS_finit_module, fd, "", 0);

	if (fd >= 0)
		close(fd);
	return there;
}

static void with_dump(const char *what, int tasks)
{
	write_file("/proc/sys/vm/oom_dump_tasks", "1");
	write_file("/proc/sys/kernel/printk", "7");
	load("");
	sleep(6);
	child(1 << 20, "500");
	kill_one();
	/* It is there once out_of_memory() has returned. */
	do {
		usleep(10000);
		read_events();
	} while (value(text, " duration_us=") < 0);
	printf("%-15s tasks %6d added_us %6.0f of duration_us %.0f, %.2f%%\n", what, tasks,
	       value(text, " capture_us="), value(text, " duration_us="),
	       100 * value(text, " capture_us=") / value(text, " duration_us="));
	fflush(stdout);
	write_file("/proc/sys/vm/oom_dump_tasks", "0");
	write_file("/proc/sys/kernel/printk", "1");
}

/*
 * Two shapes, on purpose: of all tasks the children lead and tie, so that each
 * goes before all so far; and the same with one larger task ahead of them,
 * which is as old as this program and so is visited before them.
 */
static pid_t leader;

static void set_leader(bool leads)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", leader);
	write_file(path, leads ? "0" : "-1000");
}

static void added(int tasks)
{
	static const struct {
		const char *name, *parameters, *walk;
		bool leads;
	} runs[] = {
		{ "10, they lead", "events=64", " walk=complete ", false },
		{ "10, they follow", "events=64", " walk=complete ", true },
		{ "candidates=0", "events=64 candidates=0", " walk=off ", false },
		/* The default is log=1: what the log gets is printed by the kthread. */
		{ "log=0", "events=64 log=0", " walk=complete ", false },
		{ "log=1", "events=64 log=1", " walk=complete ", false },
		{ "log=2", "events=64 log=2", " walk=complete ", false },
		{ }
	};
	struct figure kernel;
	int i, r;

	unload();
	for (i = 0; i < HEADERS + ROUNDS; i++)
		child(1 << 20, "500");
	kernel_walk_begin();
	kernel = kernel_walk();
	kernel_walk_end();

	for (r = 0; runs[r].name; r++) {
		load(runs[r].parameters);
		set_leader(runs[r].leads);
		for (i = 0; i < HEADERS + ROUNDS; i++) {
			child(1 << 20, "500");
			/* Outside the pause that a walk is followed by. */
			usleep(200000);
			kill_one();
		}
		print_added(runs[r].name, tasks, runs[r].walk, kernel);
	}
	with_dump("with the dump", tasks);
	if (slow_console()) {
		with_dump("115200 baud", tasks);
		syscall(SYS_delete_module, "oomlens_console", O_NONBLOCK);
	}
}

/* ---- The OOM of a cgroup of five tasks among all others ---- */

#define CGROUP	"/sys/fs/cgroup/oomlens_bench"

static void move_to_cgroup(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	write_file(CGROUP "/cgroup.procs", text);
}

static void run_out(void)
{
	pid_t pid = fork();
	size_t i;
	char *p;

	if (!pid) {
		write_file("/proc/self/oom_score_adj", "0");
		move_to_cgroup(getpid());
		p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (i = 0; i < 64 << 20; i += 4096)
			((volatile char *)p)[i] = 1;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* The bound of its walk, for which preemption is off, is 1 ms. */
static void in_cgroup(int tasks)
{
	int i, complete = 0, seen = 0;
	char *line, *save = NULL;
	pid_t idle[4];

	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST) {
		printf("in a cgroup: no cgroup v2\n");
		return;
	}
	write_file(CGROUP "/memory.max", "8388608");
	for (i = 0; i < 4; i++) {
		idle[i] = child(0, "0");
		move_to_cgroup(idle[i]);
	}
	load("events=64");
	for (i = 0; i < ROUNDS; i++) {
		usleep(200000);
		run_out();
	}
	read_text("/proc/oomlens/stats", text, sizeof(text));
	line = strstr(text, "walk_ns_max ");
	printf("in a cgroup     tasks %6d walk_us_max %.1f", tasks,
	       line ? atof(line + 12) / 1000 : -1);
	read_events();
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "event ", 6)) {
			seen++;
			complete += !!strstr(line, " walk=complete ");
		}
	printf(" complete %d of %d\n", complete, seen);
	fflush(stdout);
	for (i = 0; i < 4; i++) {
		kill(idle[i], SIGKILL);
		waitpid(idle[i], NULL, 0);
	}
	rmdir(CGROUP);
}

/* ---- Recovery times ---- */

static void percentiles(const char *what, size_t mib, double *us, int n)
{
	figure_of(us, n);	/* sorts */
	printf("%-14s victim_mib %4zu kills %5d us min %.0f p50 %.0f p90 %.0f p99 %.0f max %.0f\n",
	       what, mib, n, us[0], us[n / 2], us[n * 9 / 10], us[n * 99 / 100], us[n - 1]);
	fflush(stdout);
}

static void recovery(size_t mib, int kills)
{
	double *exit_us = calloc(kills, sizeof(double));
	double *freed_us = calloc(kills, sizeof(double));
	int n;

	if (!exit_us || !freed_us)
		die("calloc");
	load("events=4096 candidates=0");
	for (n = 0; n < kills; n++) {
		char *line, *next;
		double end;

		child(mib << 20, "1000");
		kill_one();
		end = now_us() + 10e6;
		do {
			usleep(500);
			read_events();
			for (line = text; (next = strstr(line, "\nvictim ")); line = next + 1)
				;
			exit_us[n] = value(line, " exit_us=");
			freed_us[n] = value(line, " freed_us=");
		} while ((exit_us[n] < 0 || freed_us[n] < 0) && now_us() < end);
		/* The text of many events takes longer to read than a kill. */
		if (n % 64 == 63)
			load("events=4096 candidates=0");
	}
	percentiles("exit_us", mib, exit_us, kills);
	percentiles("freed_us", mib, freed_us, kills);
	free(exit_us);
	free(freed_us);
}

/* ---- Where there is no OOM ---- */

static double loop_us(void)
{
	double begin = now_us();
	int i;

	for (i = 0; i < 200; i++) {
		char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pid_t pid;

		memset(p, 1, 1 << 16);
		pid = fork();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
		munmap(p, 1 << 16);
	}
	return now_us() - begin;
}

/* The best of many, with and without in turn: where pages lie makes a difference. */
static void no_oom(void)
{
	double best[2] = { 1e12, 1e12 };
	int round, with, i;

	for (round = 0; round < 3; round++)
		for (with = 0; with < 2; with++) {
			if (with)
				load("");
			else
				unload();
			for (i = 0; i < 5; i++) {
				double us = loop_us();

				if (us < best[with])
					best[with] = us;
			}
		}
	/* Under icount guest time counts instructions: then it is exact. */
	printf("no OOM         fork, mmap, fault loop: without %.1f us, with %.1f us, %+.3f%%\n",
	       best[0], best[1], 100 * (best[1] - best[0]) / best[0]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *kills = getenv("OOMLENS_KILLS");
	int i, have = 0;

	bench_begin("bench_events");
	write_file("/proc/self/oom_score_adj", "-1000");
	write_file("/proc/sys/kernel/sysrq", "1");
	write_file("/proc/sys/kernel/printk", "1");
	write_file("/proc/sys/vm/oom_dump_tasks", "0");
	no_oom();
	if (argc > 1 && !strcmp(argv[1], "none"))
		return 0;
	recovery(1, kills ? atoi(kills) : 1000);
	recovery(32, kills ? atoi(kills) / 10 : 100);
	leader = child(16 << 20, "-1000");
	for (i = 1; i < (argc > 1 ? argc : 3); i++) {
		int tasks = argc > 1 ? atoi(argv[i]) : i == 1 ? 1000 : 10000;

		for (; have < tasks; have++)
			child(0, "1");	/* before all that are not children */
		in_cgroup(tasks);
		added(tasks);
	}
	load("trigger=1");
	return 0;	/* the children die with their parent */
}
