// SPDX-License-Identifier: GPL-2.0
/*
 * What reading commit and overcommit costs: against adding up the accounted
 * mappings of /proc/PID/smaps, by the VMA, and the longest time that one
 * process' mmap lock can be held for it.
 *
 * Run as root in a quiet guest. Ratios within one run count; under -icount a
 * nanosecond is an instruction.
 *
 *	bench_commit [PROCESSES [VMAS [RESIDENT_MB]]]
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define COMMIT		"/proc/oomlens/commit"
#define OVERCOMMIT	"/proc/oomlens/overcommit"
#define RIVAL_ROUNDS	3
#define FORK_VMAS	10000
#define MOST_VMAS	65000

static char buf[1 << 20];
static long unit;			/* bytes of a page */

/* ---- what is measured ---- */

static void read_commit(void)
{
	read_through(COMMIT);
}

static void read_overcommit(void)
{
	read_through(OVERCOMMIT);
}

/*
 * What a careful C program does for the same sum: the Size: of every VMA whose
 * VmFlags: has ac. The text is looked at where it lies, no stdio.
 */
static long long smaps_kb;

static void add_smaps(int proc, const char *pid)
{
	char path[300], *p, *line;
	long kb = 0;
	size_t have = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/smaps", pid);
	fd = openat(proc, path, O_RDONLY);
	if (fd < 0)
		return;
	while ((n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		have += n;
		buf[have] = '\0';
		for (line = buf; (p = memchr(line, '\n', buf + have - line)); line = p + 1) {
			if (!memcmp(line, "Size:", 5))
				kb = atol(line + 5);
			else if (!memcmp(line, "VmFlags:", 8) && memmem(line, p - line, " ac", 3))
				smaps_kb += kb;
		}
		have = buf + have - line;
		memmove(buf, line, have);
	}
	close(fd);
}

static void read_smaps(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	if (!proc)
		die("/proc");
	smaps_kb = 0;
	while ((d = readdir(proc)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
			add_smaps(dirfd(proc), d->d_name);
	closedir(proc);
}

static long commit_pages(void)
{
	int fd = open(COMMIT, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	char *p;

	close(fd);
	if (n <= 0)
		die(COMMIT);
	buf[n] = '\0';
	p = strstr(buf, " processes ");
	return p ? atol(p + 11) : -1;
}

/* ---- the processes ---- */

/* So many VMAs that do not merge, half of them charged, and resident memory. */
static void map_vmas(long vmas, long resident_mb)
{
	long pages = resident_mb * (1 << 20) / unit, each = pages / vmas ?: 1, i;
	char *at = mmap(NULL, vmas * each * unit, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	madvise(at, vmas * each * unit, MADV_NOHUGEPAGE);
	for (i = 0; i < vmas; i++, at += each * unit) {
		int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

		/* Charged and not, in turn, and both can be written to. */
		if (i % 2)
			flags |= MAP_NORESERVE;
		if (mmap(at, each * unit, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
			die("mmap of a VMA");
		if (resident_mb) {
			madvise(at, each * unit, MADV_NOHUGEPAGE);
			for (long j = 0; j < each; j++)
				at[j * unit] = 1;
		}
	}
}

struct family {
	long processes, vmas, resident_mb;
};

static void map_and_fork(const void *arg)
{
	const struct family *family = arg;

	setpgid(0, 0);
	map_vmas(family->vmas, family->resident_mb);
	for (long i = 1; i < family->processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork of a child");
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

/*
 * A process that maps, and others that it forks: their page tables are full,
 * the pages behind them are shared, so that many of them fit the guest.
 * Return: the pid of the first, in whose process group all are.
 */
static pid_t start(long processes, long vmas, long resident_mb)
{
	struct family family = { processes, vmas, resident_mb };

	return child_ready(map_and_fork, &family);
}

static void stop(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	sleep(1);			/* the others are init's to reap */
}

/* ---- the questions ---- */

static void against_smaps(long processes, long vmas, long resident_mb)
{
	pid_t pid = start(processes, vmas, resident_mb);
	struct figure commit = measure(read_commit, ROUNDS);
	struct figure smaps = measure(read_smaps, processes > 100 ? 1 : RIVAL_ROUNDS);

	printf("# %ld processes of %ld VMAs and %ld MB; pages by commit %ld, by smaps %lld\n",
	       processes, vmas, resident_mb, commit_pages(), smaps_kb * 1024 / unit);
	figure_print("commit", "processes", processes, commit);
	figure_print("smaps", "processes", processes, smaps);
	printf("ratio: commit is %.1f times as fast as adding up smaps\n",
	       smaps.median / commit.median);
	stop(pid);
}

/* What the same number of processes with hardly a VMA take is taken off. */
static void by_vma(void)
{
	static const long forks[] = { 1, 10, 100 };

	for (unsigned int i = 0; i < sizeof(forks) / sizeof(*forks); i++) {
		long n = forks[i] * FORK_VMAS;
		pid_t pid = start(forks[i], 2, 0);
		struct figure few = measure(read_commit, ROUNDS), many;

		stop(pid);
		pid = start(forks[i], FORK_VMAS, 0);
		many = measure(read_commit, ROUNDS);
		stop(pid);
		figure_print("commit", "VMAs", n, many);
		printf("a VMA: at %ld VMAs, ns %.1f\n", n,
		       (many.median - few.median) * 1000 / n);
	}
}

/* All that one process with the most VMAs adds is an upper bound of the hold. */
static void longest_hold(void)
{
	pid_t pid = start(1, 2, 0);
	struct figure few = measure(read_commit, ROUNDS), many;

	stop(pid);
	pid = start(1, MOST_VMAS, 0);
	many = measure(read_commit, ROUNDS);
	stop(pid);
	printf("one mmap lock: at %d VMAs, us min %.1f median %.1f max %.1f\n", MOST_VMAS,
	       many.min - few.min, many.median - few.median, many.max - few.median);
}

int main(int argc, char **argv)
{
	long processes = argc > 1 ? atol(argv[1]) : 1000;
	long vmas = argc > 2 ? atol(argv[2]) : 200;
	long resident_mb = argc > 3 ? atol(argv[3]) : 100;

	unit = sysconf(_SC_PAGESIZE);
	bench_begin("bench_commit");
	figure_print("overcommit", NULL, 0, measure(read_overcommit, ROUNDS));
	longest_hold();
	by_vma();
	if (processes)
		against_smaps(processes, vmas, resident_mb);
	return 0;
}
