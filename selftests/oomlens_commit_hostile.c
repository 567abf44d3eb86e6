// SPDX-License-Identifier: GPL-2.0
/*
 * commit with "pid N" on a process that works against its reader: it maps as
 * fast as it can, or maps many files with long paths. And the right to it.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define USER	65534

static int open_scope(pid_t pid)
{
	int fd = open(lens_path("commit"), O_RDWR | O_CLOEXEC);
	char line[32];

	if (fd < 0)
		return -errno;
	snprintf(line, sizeof(line), "pid %d", pid);
	MUST_OK(write_fd(fd, line));
	return fd;
}

/*
 * Pages that are no neighbours and so are VMAs of their own; all over again. As
 * fast as it can: the reader seldom gets the lock. With a pause: it gets the lock,
 * and finds more VMAs than it has made room for, each time.
 */
static void __noreturn map_for_ever(bool pause, volatile int *ready)
{
	size_t page = page_size(), n;
	char *area;

	MUST_OK(setresuid(USER, USER, USER));
	for (;;) {
		area = mmap(NULL, 120000 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		for (n = 0; n < 60000; n++) {
			if (mprotect(area + 2 * n * page, page, PROT_READ))
				break;
			*ready = n > 1000 || *ready;
			if (pause && n % 40 == 0)
				nap_ms(1);
		}
		munmap(area, 120000 * page);
	}
}

/* A row for each VMA that the header counts, or it says that some are missing. */
static unsigned int expect_table(int fd)
{
	struct table *t = table_read_fd(fd);
	unsigned int rows = t ? t->rows : 0;

	if (EXPECT_TRUE(t) && EXPECT_EQ(table_head(t, "vmas"), t->rows))
		EXPECT_IN(table_head(t, "complete"), 0, 1);
	table_free(t);
	return rows;
}

static void test_growth(bool pause)
{
	volatile int *ready = must_share(sizeof(*ready));
	unsigned int i, rows, most = 0;
	unsigned long long begin, longest = 0;
	pid_t pid = must_fork();
	int fd;

	if (!pid)
		map_for_ever(pause, ready);
	EXPECT_TRUE(wait_until(*ready, PATIENCE_MS));
	for (i = 0; i < 6 && !expect_failed(); i++) {
		begin = now_ns();
		fd = open_scope(pid);
		rows = expect_table(fd);
		if (rows > most)
			most = rows;
		close(fd);
		if (now_ns() - begin > longest)
			longest = now_ns() - begin;
	}
	ksft_print_msg("%u reads of up to %u VMAs, the longest took %llu ms\n", i, most,
		       longest / 1000000);
	EXPECT_LT(longest / 1000000, BOUNDED_MS);
	/* It had more when the reads began. */
	if (pause)
		EXPECT_GT(most, 1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	test_done("a process that maps %s is read in bounded time",
		  pause ? "a few VMAs each millisecond" : "as fast as it can");
}

/* Leads to a place below @top whose path is nearly as long as a path can be. */
static void go_deep(const char *top)
{
	char name[251];
	int i;

	memset(name, 'd', 250);
	name[250] = '\0';
	MUST_OK(chdir(top));
	for (i = 0; i < 15; i++) {
		MUST_OK(mkdir(name, 0755));
		MUST_OK(chdir(name));
	}
}

/* As many VMAs as are asked for, of two files in turn. */
static void __noreturn map_two_files(const char *top, unsigned int vmas, volatile int *ready)
{
	size_t page = page_size();
	unsigned int i;
	int fds[2];
	char *area;

	go_deep(top);
	fds[0] = must_open("a", O_RDWR | O_CREAT);
	fds[1] = must_open("b", O_RDWR | O_CREAT);
	area = mmap(NULL, vmas * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	for (i = 0; i < vmas; i++)
		MUST(mmap(area + i * page, page, PROT_READ, MAP_SHARED | MAP_FIXED,
			  fds[i % 2], 0) != MAP_FAILED);
	*ready = 1;
	for (;;)
		pause();
}

static void remove_deep(const char *top)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/d*", top);
	if (system(command))
		ksft_print_msg("cannot remove %s\n", top);
}

/* Rows whose name ends so, behind a path as long as it was made. */
static unsigned int named(struct table *t, const char *end)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->rows; i++) {
		const char *name = table_cell(t, i, "name");
		size_t len = strlen(name);

		n += len > 15 * 251 && !strcmp(name + len - strlen(end), end);
	}
	return n;
}

static void test_paths(void)
{
	volatile int *ready = must_share(sizeof(*ready));
	const unsigned int vmas = 5000;
	char top[] = "/tmp/oomlens_commit_XXXXXX";
	long long before, taken;
	struct table *t;
	pid_t pid;
	int fd;

	MUST(mkdtemp(top));
	undo_at_end("rmdir", top);
	pid = must_fork();
	if (!pid)
		map_two_files(top, vmas, ready);
	EXPECT_TRUE(wait_until(*ready, PATIENCE_MS));
	fd = open_scope(pid);
	before = meminfo_kb("MemAvailable");
	/* One byte: the table is made, and stays while the file is open. */
	MUST(pread(fd, &(char){ 0 }, 1, 0) == 1);
	taken = before - meminfo_kb("MemAvailable");
	ksft_print_msg("%u VMAs of two files with paths of 3.8 kB take %lld kB\n", vmas, taken);
	EXPECT_LT(taken, 8192);
	t = table_read_fd(fd);
	if (EXPECT_TRUE(t)) {
		EXPECT_GE(t->rows, vmas);
		EXPECT_EQ(table_head(t, "complete"), 1);
		EXPECT_EQ(named(t, "/a"), vmas / 2);
		EXPECT_EQ(named(t, "/b"), vmas / 2);
	}
	table_free(t);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	remove_deep(top);
	test_done("each distinct file has one path in memory");
}

static void test_right(void)
{
	expect_ptrace_right("commit", NULL);
	test_done("a process' addresses need CAP_SYS_PTRACE");
}

int main(void)
{
	test_begin(4);
	test_growth(false);
	test_growth(true);
	test_paths();
	test_right();
	test_end();
}
