// SPDX-License-Identifier: GPL-2.0
/*
 * What any user may read keeps root waiting no longer than /proc/meminfo does:
 * readers of overcommit of the lowest priority beside loops that want all
 * processors.
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define USER	65534
#define READERS	8
#define LOOPS	8
#define READS	9

/*
 * Any task waits for a processor for some milliseconds beside so many loops: less
 * than that is no measure.
 */
#define LEAST_US	20000

static pid_t children[READERS + LOOPS];
static volatile unsigned int *begun;

static void __noreturn read_for_ever(const char *path)
{
	const struct sched_param param = { };
	char buf[4096];
	int fd;

	MUST_OK(setresuid(USER, USER, USER));
	fd = must_open(path, O_RDONLY);
	MUST(pread(fd, buf, sizeof(buf), 0) > 0);
	__sync_fetch_and_add(begun, 1);
	/* Last: beside the loops it would take seconds to come here. */
	MUST_OK(sched_setscheduler(0, SCHED_IDLE, &param));
	for (;;)
		if (pread(fd, buf, sizeof(buf), 0) <= 0)
			_exit(1);
}

static void storm_begin(const char *path)
{
	unsigned int i;

	*begun = 0;
	for (i = 0; i < READERS + LOOPS; i++) {
		if (i == READERS)
			EXPECT_TRUE(wait_until(*begun == READERS, PATIENCE_MS));
		children[i] = must_fork();
		if (children[i])
			continue;
		if (i < READERS)
			read_for_ever(path);
		__sync_fetch_and_add(begun, 1);
		for (;;)
			;
	}
	EXPECT_TRUE(wait_until(*begun == READERS + LOOPS, PATIENCE_MS));
}

/* All of them lived up to here. */
static void storm_end(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < READERS + LOOPS; i++)
		kill(children[i], SIGKILL);
	for (i = 0; i < READERS + LOOPS; i++) {
		MUST(waitpid(children[i], &status, 0) == children[i]);
		EXPECT_EQ(status, SIGKILL);
	}
}

static int compare(const void *a, const void *b)
{
	const unsigned long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * The median of some reads of a whole file, in microseconds: a single one may wait
 * for a processor of the host.
 */
static long long time_of_read(const char *path)
{
	unsigned long long ns[READS], begin, us;
	unsigned int i;

	for (i = 0; i < READS; i++) {
		begin = now_ns();
		free(must_read(path));
		ns[i] = now_ns() - begin;
		nap_ms(2);
	}
	qsort(ns, READS, sizeof(ns[0]), compare);
	us = ns[READS / 2] / 1000;
	return us > LEAST_US ? us : LEAST_US;
}

int main(void)
{
	static const char * const files[] = {
		"overcommit", "memory", "badness", "commit", "objects", "events", "history",
		"stats",
	};
	long long measure, us;
	unsigned int i;

	test_begin(1 + ARRAY_SIZE(files));
	begun = must_share(sizeof(*begun));
	storm_begin("/proc/meminfo");
	measure = time_of_read("/proc/meminfo");
	storm_end();
	ksft_print_msg("/proc/meminfo beside its storm: %lld us\n", measure);
	test_done("the storm is one");

	storm_begin("/proc/oomlens/overcommit");
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		us = time_of_read(lens_path(files[i]));
		ksft_print_msg("%s beside the storm on overcommit: %lld us\n",
			       files[i], us);
		EXPECT_LE(us, 10 * measure);
		test_done("root's read of %s takes at most ten times as long", files[i]);
	}
	storm_end();
	test_end();
}
