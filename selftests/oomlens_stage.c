// SPDX-License-Identifier: GPL-2.0
/*
 * Makes memory short in one chosen way, for oomlens_why.sh and
 * oomlens_why_unowned.sh: anonymous or locked pages, page tables, pages that only
 * the kernel holds, holes that no large piece fits, free memory that is kept for
 * urgent requests, memory of no process; or by a task that is already dying when
 * memory ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>
/* Brings linux/if.h, which must come after libc's */
#include <linux/icmp.h>

#define MIB		(1UL << 20)
#define PIPE_BYTES	(1 << 16)
#define MAX_PIPES	30000
#define MAX_SOCKETS	500000
/* Not taken while holes are made: the OOM is to come from the pieces. */
#define LEAVE_BYTES	(24 * MIB)
/* So many fill four pageblocks: one with a free page left would be given back. */
#define URGENT_PIECES	256

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
static volatile char *map_far_apart(size_t bytes)
{
	size_t step = page * page / sizeof(void *), i, n = bytes / page;
	volatile char *p = mmap(NULL, n * step, PROT_READ | PROT_WRITE, MAP_PRIVATE |
				MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	madvise((void *)p, n * step, MADV_NOHUGEPAGE);
	for (i = 0; i < n; i++)
		(void)p[i * step];
	return p;
}

static size_t free_bytes(void)
{
	struct sysinfo si;

	sysinfo(&si);
	return (size_t)si.freeram * si.mem_unit;
}

/*
 * Forks with page tables that there is no room for twice, and is killed while it
 * copies them: copy_page_range() does not look for signals within a mapping, so
 * the one that runs out of memory is on its way out already.
 */
static void die_in_fork(size_t bytes)
{
	struct timespec soon = { .tv_nsec = 1000 * 1000 };
	unsigned int looks = 30000;
	volatile char *p;
	size_t before;
	int go[2];

	if (pipe(go))
		fail("pipe");
	switch (fork()) {
	case -1:
		fail("fork");
		break;
	case 0:
		/* A signal that no OOM killer sends, from one that it does not take */
		set_adj("-1000");
		close(go[1]);
		if (read(go[0], &before, sizeof(before)) != sizeof(before))
			_exit(1);
		/* The copying is under way, and has enough to go on with. */
		while (free_bytes() + bytes / 8 > before && looks--)
			nanosleep(&soon, NULL);
		kill(getppid(), SIGKILL);
		_exit(0);
	}
	p = map_far_apart(bytes);
	/* Without a page of its own the mapping is not copied at all. */
	p[0] = 1;
	before = free_bytes();
	if (write(go[1], &before, sizeof(before)) != sizeof(before))
		fail("write");
	/* A child that came to be after all goes: there was room for both. */
	if (!fork())
		_exit(0);
	fail("the fork ended before the signal came");
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
static void ask_for_piece(void)
{
	static struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog prog = { .len = BPF_MAXINSNS, .filter = code };
	int i, fd;

	for (i = 0; i < BPF_MAXINSNS; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		fail("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		fail("SO_ATTACH_FILTER");
}

/* The slots of a pipe this large are one array of 32 KiB, and nothing else. */
static void take_piece(void)
{
	int fds[2];

	if (pipe(fds) || fcntl(fds[1], F_SETPIPE_SZ, 512 * page) < 0)
		fail("F_SETPIPE_SZ");
}

static void loopback_up(int fd)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		fail("lo");
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		fail("lo");
}

/*
 * Pings itself and reads no answer. The kernel's own socket that answers takes
 * its memory atomically, 32 KiB at a time, as a network driver does.
 */
static void take_atomic_pieces(size_t bytes)
{
	static struct {
		struct icmphdr h;
		char data[60000];
	} ping = { .h.type = ICMP_ECHO };
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), room = 2 * bytes;
	struct icmp_filter answers = { ~(1U << ICMP_ECHOREPLY) };
	size_t i;

	if (fd < 0 ||
	    setsockopt(fd, SOL_RAW, ICMP_FILTER, &answers, sizeof(answers)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		fail("raw socket");
	loopback_up(fd);
	/* The checksum of zeros and this one word */
	ping.h.checksum = ~htons(ICMP_ECHO << 8);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; i < bytes; i += sizeof(ping))
		if (sendto(fd, &ping, sizeof(ping), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			fail("sendto");
}

static unsigned long min_free_kib(unsigned long kib)
{
	FILE *f = fopen("/proc/sys/vm/min_free_kbytes", kib ? "w" : "r");
	int done;

	if (!f)
		fail("min_free_kbytes");
	done = kib ? fprintf(f, "%lu", kib) > 0 : fscanf(f, "%lu", &kib) == 1;
	if (fclose(f) || !done)
		fail("min_free_kbytes");
	return kib;
}

/*
 * Where memory is below its low mark, an atomic allocation of a large piece makes
 * the kernel set the whole pageblock aside (reserve_highatomic_pageblock(), up to
 * a hundredth of the zone). All of it counts as not to be had, in use or not; and
 * a block that has no page left to give stays reserved up to the OOM.
 * The marks are raised for it, as only untouched blocks are filled to the end.
 */
static void reserve_for_urgent(void)
{
	struct rlimit files = { 4 * URGENT_PIECES, 4 * URGENT_PIECES };
	unsigned long kib = min_free_kib(0);
	int i;

	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("RLIMIT_NOFILE");
	/* What is left in blocks that the kernel has begun already */
	for (i = 0; i < URGENT_PIECES; i++)
		take_piece();
	/* Free is between min and low, which is a quarter more. */
	min_free_kib(free_bytes() / 1024 * 85 / 100);
	take_atomic_pieces(URGENT_PIECES * 32768UL);
	min_free_kib(kib);
}

/* A segment that outlives this process. */
static void leave_segment(size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	size_t i;

	if (p == (void *)-1)
		fail("shmget");
	for (i = 0; i < bytes; i += page)
		p[i] = 1;
	shmdt(p);
}

/* A file without a name, held by its descriptor alone. */
static void hold_memfd(size_t bytes)
{
	int fd = syscall(SYS_memfd_create, "oomlens held", 0);

	if (fd < 0 || posix_fallocate(fd, 0, bytes))
		fail("memfd");
}

/* Each takes an inode, a file and a socket of slab. */
static void hold_sockets(size_t bytes)
{
	struct rlimit files = { MAX_SOCKETS + 64, MAX_SOCKETS + 64 };
	size_t before = free_bytes();
	int i, pair[2];

	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("RLIMIT_NOFILE");
	for (i = 0; i < MAX_SOCKETS / 2 && free_bytes() + bytes > before; i++)
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
			fail("socketpair");
}

int main(int argc, char **argv)
{
	static int pipes[MAX_PIPES][2];
	unsigned int threads = 1;
	size_t bytes, n, i;
	bool pieces;
	int opt;

	page = sysconf(_SC_PAGESIZE);
	/* The script that starts it may be exempt, so as to live on. */
	set_adj("0");
	/*
	 * Its code is not to be read in again once memory is out: squashfs asks for
	 * pages without __GFP_FS, for which no task is killed, and that goes on for ever.
	 */
	mlockall(MCL_CURRENT);
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
		fprintf(stderr, "usage: oomlens_stage [-a ADJ] [-n NODE] [-t THREADS] [-l] anon|tables|fork|urgent|pipes|pieces|segment|memfd|sockets MIB, or ipcrm ID\n");
		return 2;
	}
	bytes = strtoul(argv[optind + 1], NULL, 10) * MIB;
	if (!strcmp(argv[optind], "anon")) {
		touch_by_threads(threads, bytes);
	} else if (!strcmp(argv[optind], "tables")) {
		map_far_apart(bytes);
	} else if (!strcmp(argv[optind], "fork")) {
		die_in_fork(bytes);
	} else if (!strcmp(argv[optind], "urgent")) {
		reserve_for_urgent();
		touch((void *)bytes);
	} else if (!strcmp(argv[optind], "segment")) {
		leave_segment(bytes);
		return 0;
	} else if (!strcmp(argv[optind], "ipcrm")) {
		/* busybox has no such command. */
		return shmctl(atoi(argv[optind + 1]), IPC_RMID, NULL) != 0;
	} else if (!strcmp(argv[optind], "memfd")) {
		hold_memfd(bytes);
	} else if (!strcmp(argv[optind], "sockets")) {
		hold_sockets(bytes);
	} else {
		pieces = !strcmp(argv[optind], "pieces");
		n = fill_pipes(pipes, bytes, pieces ? LEAVE_BYTES : 0);
		if (pieces) {
			/* Every other page is free, and none beside another. */
			for (i = 0; i < n; i += 2) {
				close(pipes[i][0]);
				close(pipes[i][1]);
			}
			for (;;)
				ask_for_piece();
		}
	}
	puts("taken");
	fflush(stdout);
	pause();
	return 0;
}
