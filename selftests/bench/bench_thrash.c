// SPDX-License-Identifier: GPL-2.0
/*
 * Samplers while the machine thrashes: how late the module's samples are, and those of a
 * program that reads /proc/meminfo, /proc/vmstat and /proc/PID/stat of each process as
 * often, in the same time. Processes with half as many pages again as there is memory
 * touch them at random; they need swap. The program that measures is locked in memory.
 *
 *	bench_thrash [SECONDS [MS]] (600 1000)
 */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define EVERY		"/sys/module/oomlens/parameters/history_ms"
#define HOGS		4
#define SAMPLES_MAX	36000

/* How much later than an interval after the one before a sample came, in ms. */
struct lateness {
	long n;
	double ms[SAMPLES_MAX];
};

static struct lateness *ours, *theirs;	/* shared with the children */
static double every_ms;

static void add(struct lateness *l, double ms)
{
	if (l->n < SAMPLES_MAX)
		l->ms[l->n++] = ms > 0 ? ms : 0;
}

static void print(const char *what, struct lateness *l)
{
	long late = 0;

	for (long i = 0; i < l->n; i++)
		late += l->ms[i] > every_ms;
	/* Sorts them. */
	figure_of(l->ms, l->n);
	printf("%s: %ld samples, late by more than an interval %ld; late by ms: median %.0f, p90 %.0f, p99 %.0f, most %.0f\n",
	       what, l->n, late, l->ms[l->n / 2], l->ms[l->n * 9 / 10],
	       l->ms[l->n - 1 - l->n / 100], l->ms[l->n - 1]);
	fflush(stdout);
}

static long kb(const char *key)
{
	static char text[8192];
	char *at;

	read_text("/proc/meminfo", text, sizeof(text));
	at = strstr(text, key);
	if (!at)
		die(key);
	return atol(at + strlen(key));
}

static size_t hog_pages;

static void hog(void)
{
	size_t pages = hog_pages, size = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, pages * size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned long long dice = getpid();

	if (at == MAP_FAILED)
		_exit(1);
	for (;;) {
		dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
		at[(dice >> 33) % pages * size]++;
	}
}

static void read_pids(void)
{
	char path[300], text[4096];
	struct dirent *d;
	DIR *dir = opendir("/proc");

	while (dir && (d = readdir(dir))) {
		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		if (!access(path, R_OK))
			read_text(path, text, sizeof(text));
	}
	if (dir)
		closedir(dir);
}

/* An ordinary program, of the module's own nice value. */
static void sampler(void)
{
	static char text[65536];
	double due = now_us(), now;
	struct timespec t;

	setpriority(PRIO_PROCESS, 0, -10);
	for (;;) {
		due += every_ms * 1000;
		now = now_us();
		if (due > now) {
			t.tv_sec = (due - now) / 1e6;
			t.tv_nsec = (due - now - t.tv_sec * 1e6) * 1e3;
			nanosleep(&t, NULL);
		}
		read_text("/proc/meminfo", text, sizeof(text));
		read_text("/proc/vmstat", text, sizeof(text));
		read_pids();
		now = now_us();
		add(theirs, (now - due) / 1000);
		/* One that is late is not many. */
		if (now > due + every_ms * 1000)
			due = now;
	}
}

/* The module's new samples. */
static void take_ours(long *last)
{
	static char text[1 << 20];
	char *at = text, *over;
	long n;

	read_text("/proc/oomlens/history", text, sizeof(text));
	while ((at = strstr(at, "\nsample "))) {
		at += 8;
		n = atol(at);
		over = strstr(at, " over_s=");
		if (*last && n > *last && over)
			add(ours, atof(over + 8) * 1000 - every_ms);
		/* Nothing of it is lost. */
		if (*last && n > *last + 1)
			printf("samples %ld to %ld are not there\n", *last + 1, n - 1);
		if (n > *last)
			*last = n;
	}
}

static void start(void (*run)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 0);
	run();
}

static void *share(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 600, end, next;
	long last = 0;
	char ms[20];

	bench_begin("bench_thrash");
	every_ms = argc > 2 ? atof(argv[2]) : 1000;
	ours = share(sizeof(*ours));
	theirs = share(sizeof(*theirs));
	/* As where "make bench" runs all. */
	if (kb("SwapFree:") < kb("MemTotal:")) {
		puts("needs as much swap as memory");
		return 0;
	}
	hog_pages = kb("MemAvailable:") / (sysconf(_SC_PAGESIZE) / 1024) * 3 / 2 / HOGS;
	snprintf(ms, sizeof(ms), "%.0f", every_ms);
	write_file(EVERY, ms);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) || setpriority(PRIO_PROCESS, 0, -20))
		die("mlockall");
	take_ours(&last);
	start(sampler);
	for (int i = 0; i < HOGS; i++)
		start(hog);
	end = now_us() + seconds * 1e6;
	for (next = now_us(); next < end; next += every_ms * 4000) {
		while (now_us() < next)
			usleep(20000);
		take_ours(&last);
	}
	print("the module", ours);
	print("a program", theirs);
	write_file(EVERY, "0");
	bench_end();
	return 0;
}
