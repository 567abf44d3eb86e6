// SPDX-License-Identifier: GPL-2.0
/*
 * What pressure costs against a user-space hog that touches as much memory, in
 * turn, in one guest: taking it, giving it back, and a drill's time in the
 * notifier. The hog is measured with small pages and with huge ones.
 *
 * Run as root in a quiet guest, with the module loaded with trigger=1.
 *
 *	bench_pressure [MB]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TRIGGER		"/sys/kernel/debug/oomlens/trigger"
#define EVENTS		"/sys/kernel/debug/oomlens/events"
#define DRILLS		5

static char buf[1 << 20];

static double spread(const char *what, double *us, int n)
{
	struct figure f = figure_of(us, n);

	figure_print(what, NULL, 0, f);
	return f.median;
}

/* In a child, as a hog is one: its page tables are taken too. */
static void hog(long mb, int advice, double *take, double *give)
{
	long unit = sysconf(_SC_PAGESIZE);
	size_t size = mb << 20;
	double times[2] = { 0, 0 };
	int fd[2];
	pid_t pid;

	if (pipe(fd))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		double begin = now_us();
		char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			_exit(1);
		madvise(at, size, advice);
		for (size_t i = 0; i < size; i += unit)
			*(volatile char *)(at + i) = 1;
		times[0] = now_us() - begin;
		begin = now_us();
		munmap(at, size);
		times[1] = now_us() - begin;
		_exit(write(fd[1], times, sizeof(times)) != sizeof(times));
	}
	close(fd[1]);
	if (read(fd[0], times, sizeof(times)) != sizeof(times)) {
		fprintf(stderr, "the hog did not get its memory\n");
		exit(1);
	}
	close(fd[0]);
	waitpid(pid, NULL, 0);
	*take = times[0];
	*give = times[1];
}

static double last(const char *key)
{
	char *at = strstr(buf, key);

	return at ? strtod(at + strlen(key), NULL) : 0;
}

/* Returns the errno of the write. */
static int command(const char *text)
{
	int fd = open(TRIGGER, O_WRONLY), err = 0;

	if (fd < 0)
		die(TRIGGER);
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	static double take[3][ROUNDS], give[3][ROUNDS], notifier[DRILLS];
	long mb = argc > 1 ? strtol(argv[1], NULL, 0) : 256;
	double small, huge, ours, back;
	char text[64], *at;
	int i;

	bench_begin("bench_pressure");
	printf("# %ld MB, %d rounds\n", mb, ROUNDS);
	snprintf(text, sizeof(text), "pressure limit=%ldM", mb);
	for (i = -1; i < ROUNDS; i++) {
		int k = i < 0 ? 0 : i;		/* the first round only warms up */

		hog(mb, MADV_NOHUGEPAGE, &take[0][k], &give[0][k]);
		hog(mb, MADV_HUGEPAGE, &take[1][k], &give[1][k]);
		if (command(text) != ENOSPC) {
			fprintf(stderr, "%s did not reach its limit\n", text);
			return 1;
		}
		read_text(TRIGGER, buf, sizeof(buf));
		take[2][k] = last("last_take_us ");
		give[2][k] = last("last_give_us ");
	}
	small = spread("hog, small pages: take", take[0], ROUNDS);
	spread("hog, small pages: give", give[0], ROUNDS);
	huge = spread("hog, huge pages: take", take[1], ROUNDS);
	spread("hog, huge pages: give", give[1], ROUNDS);
	ours = spread("pressure: take", take[2], ROUNDS);
	back = spread("pressure: give", give[2], ROUNDS);
	printf("ratio: pressure is %.2f times as fast as a hog with small pages, %.2f with huge ones\n",
	       small / ours, huge / ours);
	printf("ratio: giving back takes %.1f%% of taking\n", 100 * back / ours);

	for (i = 0; i < DRILLS; i++) {
		if (command("pressure")) {
			fprintf(stderr, "a drill failed\n");
			return 1;
		}
		read_text(EVENTS, buf, sizeof(buf));
		notifier[i] = -1;
		for (at = buf; (at = strstr(at, "duration_us=")); at++)
			notifier[i] = strtod(at + strlen("duration_us="), NULL);
	}
	spread("drill: in out_of_memory", notifier, DRILLS);
	return 0;
}
