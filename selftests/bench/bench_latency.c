// SPDX-License-Identifier: GPL-2.0
/*
 * How long a real-time task has to wait for the processor while another reads
 * a file over and over: the longest piece of that read in which no other task may
 * run. Under icount a microsecond is 1,000 instructions.
 *
 * Run as root in a quiet guest of one processor. On a kernel that can be told,
 * preempt=full leaves what runs with preemption off; otherwise it is all that
 * lies between two points where the kernel looks.
 *
 *	bench_latency [TASKS [SECONDS]]
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define PERIOD_NS	100000

/* At 1 GIPS: each wake-up is late by what the other task was in. */
static void waits(const char *what, double seconds)
{
	long n = seconds * 1e9 / PERIOD_NS, late_1ms = 0;
	double *us = calloc(n, sizeof(*us));
	struct timespec due;

	if (!us)
		die("calloc");
	clock_gettime(CLOCK_MONOTONIC, &due);
	for (long i = 0; i < n; i++) {
		struct timespec now;

		due.tv_nsec += PERIOD_NS;
		if (due.tv_nsec >= 1000000000) {
			due.tv_nsec -= 1000000000;
			due.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		us[i] = (now.tv_sec - due.tv_sec) * 1e6 + (now.tv_nsec - due.tv_nsec) / 1e3;
		late_1ms += us[i] > 1000;
		/* One long wait is not many. */
		if (us[i] > PERIOD_NS / 1e3)
			due = now;
	}
	figure_print(what, NULL, 0, figure_of(us, n));
	printf("waits: %s: %ld, p99.9 %.1f us, over 1 ms %ld\n", what, n, us[n - 1 - n / 1000],
	       late_1ms);
	fflush(stdout);
	free(us);
}

static void while_reading(const char *path, double seconds)
{
	int pipes[2];
	long reads = 0;
	pid_t pid;

	if (pipe2(pipes, O_NONBLOCK))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		struct sched_param idle = { 0 };

		sched_setscheduler(0, SCHED_OTHER, &idle);
		for (;;) {
			read_through(path);
			if (write(pipes[1], "", 1) < 0)
				_exit(1);
		}
	}
	waits(path, seconds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (char c; read(pipes[0], &c, 1) == 1; reads++)
		;
	printf("reads: %s: %ld in that time\n", path, reads);
	close(pipes[0]);
	close(pipes[1]);
}

int main(int argc, char **argv)
{
	static const char * const files[] = {
		"/proc/oomlens/badness", "/proc/oomlens/commit", "/proc/meminfo",
	};
	int tasks = argc > 1 ? atoi(argv[1]) : 10000;
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	struct sched_param first = { .sched_priority = 50 };

	bench_begin("bench_latency");
	allow_tasks(tasks);
	write_file("/proc/self/oom_score_adj", "-1000");
	for (int i = 0; i < tasks; i++)
		child(0, "1");
	printf("# %d tasks\n", tasks);
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		die("SCHED_FIFO");
	waits("no task reads", seconds / 4);
	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++)
		while_reading(files[i], seconds);
	/* To reap them all takes long, and at this priority no other task would run. */
	first.sched_priority = 0;
	sched_setscheduler(0, SCHED_OTHER, &first);
	bench_end();
	return 0;
}
