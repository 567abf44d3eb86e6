// SPDX-License-Identifier: GPL-2.0
/*
 * badness read while the tasks die that its walk stands on: no task is there
 * twice, and none that lived all the time is missing.
 *
 * The walk lets go of RCU after a number of tasks, so that others may run. A
 * reader of the lowest class is stopped there by a real-time task on its CPU;
 * meanwhile runs of tasks around it are killed and reaped, a grace period
 * passes, and new tasks take the memory that was theirs.
 *
 * $OOMLENS_ANCHORS: reads to be stopped (1).
 */
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/expect.h"

#ifndef SCHED_IDLE
#define SCHED_IDLE	5
#endif

#define RUNS		25	/* of tasks that die, a quiet task after each */
#define RUN		8
#define PIDS		(1 << 22)
#define LATEST_NS	3000000	/* of the stop, after a reader began */
#define HOLD_NS		1000000000ULL	/* at most */
#define ROUNDS_S	20		/* for each read that is to be stopped */

static struct shared {
	bool go, held;
	unsigned int stops;		/* so far */
	unsigned int looked;		/* reads that were stopped */
	unsigned int within;		/* of these, amid the tasks that died */
	unsigned int twice, missing;
	pid_t last_twice, last_missing;
	pid_t quiet[RUNS], dying[RUNS * RUN];
} *shared;

static unsigned int get(unsigned int *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static bool is(bool *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set(bool *p, bool value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
}

static void scheduled_as(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	MUST(!sched_setscheduler(0, policy, &param));
}

/* ---- The reader ---- */

static void look_at(char *text)
{
	static unsigned char seen[PIDS];
	unsigned int i, dying = 0;
	struct table *t;

	t = table_parse(text);
	if (!t)
		_exit(1);
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < t->rows; i++) {
		long long pid = table_number(t, i, "pid");

		if (pid <= 0 || pid >= PIDS)
			_exit(2);
		if (seen[pid]++) {
			shared->twice++;
			shared->last_twice = pid;
		}
	}
	for (i = 0; i < RUNS; i++)
		if (!seen[shared->quiet[i]]) {
			shared->missing++;
			shared->last_missing = shared->quiet[i];
		}
	for (i = 0; i < RUNS * RUN; i++)
		dying += seen[shared->dying[i]];
	shared->within += dying > 0 && dying < RUNS * RUN;
	table_free(t);
}

/* Reading the first byte takes the snapshot; the rest is read if it was stopped. */
static void reader(void)
{
	static char text[1 << 20];
	int fd = open(lens_path("badness"), O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(0);
	scheduled_as(SCHED_IDLE, 0);
	for (;;) {
		unsigned int stops = get(&shared->stops);
		size_t n = 1;
		ssize_t got;

		if (!is(&shared->go)) {
			usleep(1000);
			continue;
		}
		if (lseek(fd, 0, SEEK_SET) || read(fd, text, 1) != 1)
			_exit(3);
		if (get(&shared->stops) == stops)
			continue;
		while ((got = read(fd, text + n, sizeof(text) - n - 1)) > 0)
			n += got;
		text[n] = '\0';
		look_at(strdup(text));
		__atomic_add_fetch(&shared->looked, 1, __ATOMIC_RELEASE);
	}
}

/* ---- The real-time task that stops it ---- */

/* An emulator with one thread for all processors goes on with the next. */
static void let_others_run(void)
{
#ifdef __has_builtin
#if __has_builtin(__builtin_ia32_pause)
	__builtin_ia32_pause();
#endif
#endif
}

/* A timer on the reader's CPU: from another CPU the stop comes too late. */
static void stopper(int orders, int answers)
{
	struct timespec delay = { };
	unsigned long long end;
	unsigned int ns;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(0);
	scheduled_as(SCHED_FIFO, 1);
	while (read(orders, &ns, sizeof(ns)) == sizeof(ns)) {
		delay.tv_nsec = ns;
		nanosleep(&delay, NULL);
		end = now_ns() + HOLD_NS;
		set(&shared->held, true);
		__atomic_add_fetch(&shared->stops, 1, __ATOMIC_RELEASE);
		if (write(answers, "s", 1) != 1)
			_exit(1);
		/* A kernel that preempts may have stopped it under RCU: no grace period. */
		while (is(&shared->held) && now_ns() < end)
			let_others_run();
	}
	_exit(0);
}

/* ---- The test ---- */

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (pid < 0 || pid >= PIDS)
		ksft_exit_fail_msg("cannot fork\n");
	return pid;
}

static void end_all(pid_t *pids, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
}

static void grace_period(void)
{
	int i;

	/* Two: the callbacks of the first free objects by RCU themselves. */
	for (i = 0; i < 2; i++)
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			usleep(50000);
}

static bool all_quiet_live(void)
{
	unsigned int i;

	for (i = 0; i < RUNS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/proc/%d/stat", shared->quiet[i]);
		if (access(path, R_OK))
			return false;
	}
	return true;
}

static void one_round(unsigned long long *seed, int orders, int answers)
{
	static pid_t heirs[2 * RUNS * RUN];
	unsigned int looked = get(&shared->looked), ns = rnd(seed) % LATEST_NS, i;
	char answer;

	for (i = 0; i < RUNS * RUN; i++) {
		shared->dying[i] = sleeper();
		if (i % RUN == RUN - 1)
			shared->quiet[i / RUN] = sleeper();
	}
	set(&shared->go, true);
	MUST(write(orders, &ns, sizeof(ns)) == sizeof(ns) && read(answers, &answer, 1) == 1);
	end_all(shared->dying, RUNS * RUN);
	grace_period();
	for (i = 0; i < ARRAY_SIZE(heirs); i++)
		heirs[i] = sleeper();
	set(&shared->held, false);
	/* Stopped between two reads, the reader has nothing to look at. */
	wait_until(get(&shared->looked) > looked, 1000);
	set(&shared->go, false);
	usleep(20000);
	MUST(all_quiet_live());
	end_all(heirs, ARRAY_SIZE(heirs));
	end_all(shared->quiet, RUNS);
}

int main(void)
{
	unsigned long long seed = test_seed(), end;
	unsigned int reads = env_number("OOMLENS_ANCHORS", 1), i;
	int orders[2], answers[2];

	test_begin(0);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		ksft_exit_skip("needs two processors\n");
	ksft_set_plan(3);
	shared = must_share(sizeof(*shared));
	MUST(!pipe(orders) && !pipe(answers));
	pin(1);
	if (!must_fork())
		stopper(orders[0], answers[1]);
	if (!must_fork())
		reader();
	end = now_ns() + reads * ROUNDS_S * 1000000000ULL;
	/* A stop before the walk or after it is made again, as long as there is time. */
	for (i = 0; i < 10 * reads && shared->within < reads &&
	     (!shared->looked || now_ns() < end); i++)
		one_round(&seed, orders[1], answers[0]);
	ksft_print_msg("%u rounds, %u reads were stopped, %u of them amid the tasks that died\n",
		       i, shared->looked, shared->within);
	EXPECT_GT(shared->looked, 0);
	test_done("the reader was stopped on its way");
	expect_of("pid %d", shared->last_twice);
	EXPECT_EQ(shared->twice, 0);
	test_done("none is there twice");
	expect_of("pid %d", shared->last_missing);
	EXPECT_EQ(shared->missing, 0);
	test_done("no task that lived all the time is missing");
	test_end();
}
