// SPDX-License-Identifier: GPL-2.0
/*
 * What is written to commit: the VMAs of one process against /proc/PID/maps,
 * sums by cgroup, what is refused, and a process whose lock cannot be had.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/actor.h"
#include "lib/expect.h"
#include "lib/loader.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

/* ---- pid N against maps ---- */

#define BLANK_NAME	"/tmp/oomlens blank"

/* One of each kind that has a name of its own. */
static int map_zoo(long pages)
{
	size_t len = pages * page_size();
	int fd = open(BLANK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *at;

	if (fd < 0 || ftruncate(fd, len))
		return -errno;
	mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (unlink(BLANK_NAME))
		return -errno;
	mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, len, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A kernel without names for VMAs shows none, in maps as well. */
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, len, "a name");
	return 0;
}

/* As the module prints a name: one token. */
static void escape(const char *name, char *out, size_t size)
{
	size_t n = 0;

	if (!*name)
		name = "-";
	for (; *name && n + 5 < size; name++) {
		if (*name > ' ' && *name < 127 && *name != '\\')
			out[n++] = *name;
		else
			n += sprintf(out + n, "\\%03o", (unsigned char)*name);
	}
	out[n] = '\0';
}

static int find_start(struct table *t, unsigned long start)
{
	unsigned int i;

	for (i = 0; i < t->rows; i++)
		if (strtoul(table_cell(t, i, "start"), NULL, 16) == start)
			return i;
	return -1;
}

/* Pages that maps shows for every process and that are no VMA: x86, 32-bit Arm. */
static bool is_gate(const char *name)
{
	return strstr(name, "[vsyscall]") || strstr(name, "[vectors]");
}

static void expect_vma(struct table *t, char *line)
{
	unsigned long start, end;
	char perms[8], name[512], want[1024];
	int at = 0, row, fields;

	fields = sscanf(line, "%lx-%lx %7s %*x %*x:%*x %*u%n", &start, &end, perms, &at);
	expect_of("%s", line);
	if (!EXPECT_EQ(fields, 3))
		return;
	snprintf(name, sizeof(name), "%s", line + at + strspn(line + at, " "));
	escape(name, want, sizeof(want));
	row = find_start(t, start);
	if (is_gate(want)) {
		EXPECT_LT(row, 0);
		return;
	}
	EXPECT_ROW(t, row, "perms=%s pages=%lu name=%s", perms, (end - start) / page_size(),
		   want);
}

static void expect_maps(struct table *t, pid_t pid)
{
	char path[32], *text, *line, *save;
	unsigned int lines = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	text = must_read(path);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		lines += !is_gate(line);
		expect_vma(t, line);
	}
	free(text);
	expect_of("%u VMAs", lines);
	EXPECT_GT(lines, 10);
	EXPECT_EQ(t->rows, lines);
}

static void expect_pid_sums(struct table *t, pid_t pid)
{
	long long charge = table_head(t, "charge"), noreserve = table_head(t, "noreserve");
	long long sum = 0, free = 0, last = LLONG_MAX;
	struct table *all = must_table("commit");
	int row = table_find(all, "pid", pid);
	unsigned int i;

	expect_of("%s", t->header);
	for (i = 0; i < t->rows; i++) {
		long long charged = table_number(t, i, "charged");

		EXPECT_LE(charged, last);
		last = charged;
		sum += charged;
		free += table_number(t, i, "noreserve");
	}
	EXPECT_EQ(sum, charge);
	EXPECT_EQ(free, noreserve);
	EXPECT_GT(noreserve, 0);
	EXPECT_EQ(charge, smaps_charged(pid));
	EXPECT_EQ(charge, table_number(all, row, "charge"));
	EXPECT_EQ(noreserve, table_number(all, row, "noreserve"));
	table_free(all);
}

static void test_pid(void)
{
	struct table *t;
	struct actor a;
	char scope[32];

	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, map_zoo, 50));
	snprintf(scope, sizeof(scope), "pid %d", a.pid);
	t = MUST_HAVE(commit_table(scope));
	expect_maps(t, a.pid);
	test_done("pid N: one row a VMA, as in maps");
	expect_pid_sums(t, a.pid);
	test_done("pid N: the charges add up to the row and to smaps");
	table_free(t);
	actor_end(&a);
}

/* ---- memcg ---- */

static long long sum_of(struct table *t, const char *col, const char *memcg)
{
	long long sum = 0;
	unsigned int i;

	for (i = 0; i < t->rows; i++)
		if (!strcmp(table_cell(t, i, "memcg"), memcg))
			sum += table_number(t, i, col);
	return sum;
}

static int row_of_memcg(struct table *t, const char *memcg)
{
	unsigned int i;

	for (i = 0; i < t->rows; i++)
		if (!strcmp(table_cell(t, i, "memcg"), memcg))
			return i;
	return -1;
}

static void test_memcg(void)
{
	static const char * const cols[] = {
		"charge", "anon", "file_private", "stack", "noreserve", "shared",
		"vm_total",
	};
	const char *says = "memcg: each cgroup's row is the sum of its processes'";
	struct hog_spec spec = { .promised = 1000, .anon = 200 };
	struct table *all, *sums;
	struct hog one, two;
	unsigned int i;
	int row;

	if (!cg_version()) {
		ksft_test_result_skip("%s: no memory cgroups\n", says);
		return;
	}
	spec.cgroup = must_cgroup(NULL, "commit");
	must_hog(&one, &spec);
	must_hog(&two, &spec);
	all = must_table("commit");
	sums = MUST_HAVE(commit_table("memcg"));
	row = row_of_memcg(sums, cg_shown(spec.cgroup));
	EXPECT_ROW(sums, row, "spaces=2 skipped=0");
	EXPECT_GE(table_number(sums, row, "charge"), 2400);
	for (i = 0; i < ARRAY_SIZE(cols); i++) {
		expect_of("%s", cols[i]);
		EXPECT_EQ(table_number(sums, row, cols[i]),
			  sum_of(all, cols[i], cg_shown(spec.cgroup)));
	}
	table_free(all);
	table_free(sums);
	hog_end(&one);
	hog_end(&two);
	test_done("%s", says);
}

/* ---- refusals, and the file afterwards ---- */

static void expect_refusal(int fd, const char *text, int err)
{
	expect_of("'%s'", text);
	EXPECT_EQ(write_fd(fd, text), err);
}

static void test_bad_scopes(void)
{
	static const char * const bad[] = {
		"x", "all x", "pid", "pid ", "pid x", "pid 1 2", "pid -1", "pid 0",
		"pid 0x1", "pid 1.0", "pid 4294967297", "pid 99999999999999999999",
		"memcg /", "ALL", "pidd 1", "all\nall",
	};
	int fd = must_open_lens("commit", O_RDWR);
	struct table *t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		expect_refusal(fd, bad[i], -EINVAL);
	expect_refusal(fd, "pid 4000000", -ESRCH);
	expect_refusal(fd, "pid 2", -EINVAL);		/* kthreadd */
	/* None of them has changed the scope. */
	t = table_read_fd(fd);
	EXPECT_GE(table_find(t, "pid", 1), 0);
	table_free(t);
	close(fd);
	test_done("a bad scope is refused and changes nothing");
}

static void test_own_scope(void)
{
	int fd = must_open_lens("commit", O_RDWR);
	int other = must_open_lens("commit", O_RDWR);
	struct table *a, *b, *c;
	char byte;

	EXPECT_OK(write_fd(fd, "pid 1\n"));
	a = MUST_HAVE(table_read_fd(fd));
	b = MUST_HAVE(table_read_fd(other));
	EXPECT_GE(table_col(a, "start"), 0);
	EXPECT_GE(table_col(b, "pid"), 0);
	/* Once something has been read, a scope applies from the start only. */
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT_EQ(read(fd, &byte, 1), 1);
	expect_refusal(fd, "all", -EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT_OK(write_fd(fd, "all"));
	c = MUST_HAVE(table_read_fd(fd));
	EXPECT_GE(table_col(c, "pid"), 0);
	table_free(a);
	table_free(b);
	table_free(c);
	close(fd);
	close(other);
	test_done("a scope is the open file's own, and all goes back");
}

static void test_exited(void)
{
	const struct hog_spec spec = { .promised = 10 };
	int fd = must_open_lens("commit", O_RDWR);
	struct hog hog;
	char scope[32], byte;

	must_hog(&hog, &spec);
	snprintf(scope, sizeof(scope), "pid %d", hog.pid);
	EXPECT_OK(write_fd(fd, scope));
	hog_end(&hog);
	EXPECT_TRUE(read(fd, &byte, 1) < 0 && errno == ESRCH);
	EXPECT_OK(write_fd(fd, "all"));
	EXPECT_EQ(read(fd, &byte, 1), 1);
	close(fd);
	test_done("a process that has exited gives ESRCH");
}

/* ---- a lock that cannot be had ---- */

static void test_held_lock(void)
{
	const struct hog_spec spec = { .anon = 1000, .comm = "held" };
	unsigned long long start, took;
	struct table *t;
	struct hog hog;
	pid_t holder;

	if (!loader_helper("oomlens_shortage", "")) {
		test_skip(1, "no oomlens_shortage.ko\n");
		return;
	}
	must_hog(&hog, &spec);
	holder = mmap_lock_hold(hog.pid);
	EXPECT_GT(holder, 0);
	start = now_ns();
	t = must_table("commit");
	took = (now_ns() - start) / 1000000;
	EXPECT_ROW(t, table_find(t, "pid", hog.pid), "charge=- uncashed=- anon=-");
	EXPECT_GE(table_head(t, "skipped"), 1);
	EXPECT_EQ(table_head(t, "complete"), 0);
	table_free(t);
	mmap_lock_release(holder);
	hog_end(&hog);
	loader_no_helper("oomlens_shortage");
	ksft_print_msg("skipped, and read in %llu ms\n", took);
	/* 21 tries 2 ms apart, and slack for an emulated guest; the lock is held for 8 s. */
	EXPECT_LT(took, 4000);
	test_done("a process whose lock cannot be had is skipped, in bounded time");
}

int main(void)
{
	test_begin(7);
	test_pid();
	test_memcg();
	test_bad_scopes();
	test_own_scope();
	test_exited();
	test_held_lock();
	test_end();
}
