// SPDX-License-Identifier: GPL-2.0
/*
 * Makes memory short in one chosen way, for oomlens_why.sh: anonymous or locked
 * pages, page tables, pages that
 * only the kernel holds, or holes that no large piece fits.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MIB		(1UL << 20)
#define PIPE_BYTES	(1 << 16)
#define MAX_PIPES	30000
/* Not taken while holes are made: the OOM is to come from the pieces. */
#define LEAVE_BYTES	(24 * MIB)

static long page;

static void fail(const char *what)
{
	fprintf(stderr, "oomlens_stage: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_adj(const char *adj)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, adj, strlen(adj)) < 0)
		fail("oom_score_adj");
	close(fd);
}

static void bind_to_node(int node)
{
	unsigned long mask = 1UL << node;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)))
		fail("set_mempolicy");
}

static void *touch(void *bytes)
{
	size_t size = (size_t)bytes, i;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	for (i = 0; i < size; i += page)
		p[i] = 1;
	return NULL;
}

/* Several at once: those that come late find their process dying. */
static void touch_by_threads(unsigned int threads, size_t bytes)
{
	pthread_t id[64];
	unsigned int i;

	for (i = 0; i < threads; i++)
		if (pthread_create(&id[i], NULL, touch, (void *)(bytes / threads)))
			fail("pthread_create");
	for (i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
}

/* Only read, 2 MiB apart: the one zero page everywhere, and a table for each. */
static void map_far_apart(size_t bytes)
{
	size_t step = page * page / sizeof(void *), i, n = bytes / page;
	volatile char *p = mmap(NULL, n * step, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
				MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	madvise((void *)p, n * step, MADV_NOHUGEPAGE);
	for (i = 0; i < n; i++)
		(void)p[i * step];
}

static size_t free_bytes(void)
{
	struct sysinfo si;

	sysinfo(&si);
	return (size_t)si.freeram * si.mem_unit;
}

/*
 * A page in each pipe in turn, so that neighbours in memory belong to different
 * pipes. The kernel cannot move these pages, and no process' size shows them.
 */
static size_t fill_pipes(int (*pipes)[2], size_t max_bytes, size_t leave_bytes)
{
	static char data[1 << 16];
	struct rlimit files = { 2 * MAX_PIPES + 64, 2 * MAX_PIPES + 64 };
	size_t n, i, k, full = max_bytes / PIPE_BYTES;

	if (full > MAX_PIPES)
		full = MAX_PIPES;
	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("RLIMIT_NOFILE");
	for (n = 0; n < full; n++) {
		if (pipe2(pipes[n], O_NONBLOCK))
			fail("pipe");
		/* A user's limit of pipe pages does not bind root. */
		fcntl(pipes[n][1], F_SETPIPE_SZ, PIPE_BYTES / 4096 * page);
	}
	for (k = 0; k < PIPE_BYTES / 4096; k++)
		for (i = 0; i < n; i++)
			if (write(pipes[i][1], data, page) != page ||
			    free_bytes() < leave_bytes)
				return n;
	return n;
}

/* A classic filter of this many instructions is copied into 32 KiB in a row. */
static void ask_for_pieces(void)
{
	static struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog prog = { .len = BPF_MAXINSNS, .filter = code };
	int i, fd;

	for (i = 0; i < BPF_MAXINSNS; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	for (;;) {
		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (fd < 0)
			fail("socket");
		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
			fail("SO_ATTACH_FILTER");
	}
}

int main(int argc, char **argv)
{
	static int pipes[MAX_PIPES][2];
	unsigned int threads = 1;
	size_t bytes, n, i;
	bool pieces;
	int opt;

	page = sysconf(_SC_PAGESIZE);
	while ((opt = getopt(argc, argv, "a:n:t:l")) != -1) {
		switch (opt) {
		case 'a':
			set_adj(optarg);
			break;
		case 'n':
			bind_to_node(atoi(optarg));
			break;
		case 't':
			threads = atoi(optarg);
			break;
		case 'l':
			if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
				fail("mlockall");
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 2 || !threads || threads > 64) {
		fprintf(stderr, "usage: oomlens_stage [-a ADJ] [-n NODE] [-t THREADS] [-l] anon|tables|pipes|pieces MIB\n");
		return 2;
	}
	bytes = strtoul(argv[optind + 1], NULL, 10) * MIB;
	if (!strcmp(argv[optind], "anon")) {
		touch_by_threads(threads, bytes);
	} else if (!strcmp(argv[optind], "tables")) {
		map_far_apart(bytes);
	} else {
		pieces = !strcmp(argv[optind], "pieces");
		n = fill_pipes(pipes, bytes, pieces ? LEAVE_BYTES : 0);
		if (pieces) {
			/* Every other page is free, and none beside another. */
			for (i = 0; i < n; i += 2) {
				close(pipes[i][0]);
				close(pipes[i][1]);
			}
			ask_for_pieces();
		}
	}
	puts("taken");
	fflush(stdout);
	pause();
	return 0;
}
