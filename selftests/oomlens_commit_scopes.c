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
	/* Not in every kernel; then the name is none, in maps as well. */
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

/* In maps of every process and a VMA of none: on x86 and on 32-bit Arm. */
static bool is_gate(const char *name)
{
	return strstr(name, "[vsyscall]") || strstr(name, "[vectors]");
}

static bool vma_right(struct table *t, char *line)
{
	unsigned long start, end;
	char perms[8], name[512], want[1024];
	int at = 0, row;

	if (sscanf(line, "%lx-%lx %7s %*x %*x:%*x %*u%n", &start, &end, perms, &at) != 3)
		return false;
	snprintf(name, sizeof(name), "%s", line + at + strspn(line + at, " "));
	escape(name, want, sizeof(want));
	row = find_start(t, start);
	if (is_gate(want))
		return row < 0;
	return row >= 0 && !strcmp(table_cell(t, row, "perms"), perms) &&
	       table_number(t, row, "pages") == (long long)((end - start) / page_size()) &&
	       !strcmp(table_cell(t, row, "name"), want);
}

static bool maps_agree(struct table *t, pid_t pid)
{
	unsigned int lines = 0, wrong = 0;
	char path[32], *text, *line, *save;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	text = read_file(path);
	for (line = strtok_r(text ? text : "", "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		lines += !is_gate(line);
		if (vma_right(t, line))
			continue;
		ksft_print_msg("not so in commit: %s\n", line);
		wrong++;
	}
	free(text);
	ksft_print_msg("%u VMAs, %u rows\n", lines, t->rows);
	return lines > 10 && lines == t->rows && !wrong;
}

static bool pid_sums(struct table *t, pid_t pid)
{
	long long charge, noreserve, sum = 0, free = 0, last = LLONG_MAX;
	struct table *all = table_read(lens_path("commit"));
	int row = all ? table_find(all, "pid", pid) : -1;
	unsigned int i;
	bool good = row >= 0 && table_header(t, "charge", &charge) &&
		    table_header(t, "noreserve", &noreserve);

	for (i = 0; i < t->rows; i++) {
		long long charged = table_number(t, i, "charged");

		good &= charged <= last;
		last = charged;
		sum += charged;
		free += table_number(t, i, "noreserve");
	}
	good = good && sum == charge && free == noreserve && noreserve > 0 &&
	       charge == smaps_charged(pid) &&
	       charge == table_number(all, row, "charge") &&
	       noreserve == table_number(all, row, "noreserve");
	table_free(all);
	return good;
}

static void test_pid(void)
{
	bool maps = false, sums = false;
	struct table *t = NULL;
	struct actor a;
	char scope[32];
	int err = actor_start(&a);

	if (!err)
		err = actor_do(&a, map_zoo, 50);
	snprintf(scope, sizeof(scope), "pid %d", a.pid);
	if (!err)
		t = commit_table(scope);
	if (t) {
		maps = maps_agree(t, a.pid);
		sums = pid_sums(t, a.pid);
		if (!sums)
			ksft_print_msg("%s", t->header);
	}
	if (err)
		ksft_print_msg("%s\n", strerror(-err));
	table_free(t);
	actor_end(&a);
	ksft_test_result(maps, "pid N: one row a VMA, as in maps\n");
	ksft_test_result(sums, "pid N: the charges add up to the row and to smaps\n");
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
	bool good;
	int row;

	if (!cg_version()) {
		ksft_test_result_skip("%s: no memory cgroups\n", says);
		return;
	}
	spec.cgroup = cg_create(NULL, "commit");
	if (!spec.cgroup || hog_start(&one, &spec) || hog_start(&two, &spec)) {
		ksft_test_result_fail("%s: no hogs\n", says);
		return;
	}
	all = table_read(lens_path("commit"));
	sums = commit_table("memcg");
	row = sums ? row_of_memcg(sums, cg_shown(spec.cgroup)) : -1;
	good = all && row >= 0 && table_number(sums, row, "spaces") == 2 &&
	       table_number(sums, row, "skipped") == 0 &&
	       table_number(sums, row, "charge") >= 2400;
	for (i = 0; good && i < ARRAY_SIZE(cols); i++)
		good = table_number(sums, row, cols[i]) ==
		       sum_of(all, cols[i], cg_shown(spec.cgroup));
	table_free(all);
	table_free(sums);
	hog_end(&one);
	hog_end(&two);
	ksft_test_result(good, "%s\n", says);
}

/* ---- what is refused, and what goes on afterwards ---- */

static bool refused(int fd, const char *text, int err)
{
	int got = write_fd(fd, text);

	if (got != err)
		ksft_print_msg("\"%s\": %s\n", text, strerror(-got));
	return got == err;
}

static void test_bad_scopes(void)
{
	static const char * const bad[] = {
		"x", "all x", "pid", "pid ", "pid x", "pid 1 2", "pid -1", "pid 0",
		"pid 0x1", "pid 1.0", "pid 4294967297", "pid 99999999999999999999",
		"memcg /", "ALL", "pidd 1", "all\nall",
	};
	int fd = open(lens_path("commit"), O_RDWR | O_CLOEXEC);
	struct table *t;
	unsigned int i;
	bool good = fd >= 0;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		good &= refused(fd, bad[i], -EINVAL);
	good &= refused(fd, "pid 4000000", -ESRCH);
	good &= refused(fd, "pid 2", -EINVAL);		/* kthreadd */
	/* None of them has changed the scope. */
	t = table_read_fd(fd);
	good &= t && table_find(t, "pid", 1) >= 0;
	table_free(t);
	close(fd);
	ksft_test_result(good, "a bad scope is refused and changes nothing\n");
}

static void test_own_scope(void)
{
	int fd = open(lens_path("commit"), O_RDWR | O_CLOEXEC);
	int other = open(lens_path("commit"), O_RDWR | O_CLOEXEC);
	struct table *a, *b, *c;
	char byte;
	bool good = !write_fd(fd, "pid 1\n");

	a = table_read_fd(fd);
	b = table_read_fd(other);
	good = good && a && b && table_col(a, "start") >= 0 && table_col(b, "pid") >= 0;
	/* Once something has been read, a scope applies from the start only. */
	good = good && !lseek(fd, 0, SEEK_SET) && read(fd, &byte, 1) == 1 &&
	       refused(fd, "all", -EINVAL) && !lseek(fd, 0, SEEK_SET) &&
	       !write_fd(fd, "all");
	c = table_read_fd(fd);
	good = good && c && table_col(c, "pid") >= 0;
	table_free(a);
	table_free(b);
	table_free(c);
	close(fd);
	close(other);
	ksft_test_result(good, "a scope is the open file's own, and all goes back\n");
}

static void test_exited(void)
{
	const struct hog_spec spec = { .promised = 10 };
	int fd = open(lens_path("commit"), O_RDWR | O_CLOEXEC);
	struct hog hog;
	char scope[32], byte;
	bool good = false;

	if (!hog_start(&hog, &spec)) {
		snprintf(scope, sizeof(scope), "pid %d", hog.pid);
		good = !write_fd(fd, scope);
		hog_end(&hog);
		good = good && read(fd, &byte, 1) < 0 && errno == ESRCH &&
		       !write_fd(fd, "all") && read(fd, &byte, 1) == 1;
	}
	close(fd);
	ksft_test_result(good, "a process that has exited gives ESRCH\n");
}

/* ---- a lock that cannot be had ---- */

#define HELD_PAGES	20000		/* at most */
#define HELD_READS	40

/*
 * Moves page tables, page by page, with its mmap lock held for writing, again
 * and again: the lock is free for an instant at a time.
 */
static int hold_lock(long pages)
{
	size_t unit = page_size(), len = pages * unit;
	char *space = mmap(NULL, 2 * len + 4 * unit, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to[2] = { space + unit, space + len + 2 * unit };
	unsigned int i;
	pid_t pid;

	if (space == MAP_FAILED || at == MAP_FAILED)
		return -errno;
	madvise(at, len, MADV_NOHUGEPAGE);
	for (i = 0; i < len / unit; i++)
		at[i * unit] = 1;
	/* A process of its own: this one has to answer. */
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	for (i = 0; ; i++) {
		char *next = to[i % 2];

		if (mremap(at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, next) == MAP_FAILED)
			_exit(1);
		at = next;
	}
}

/* Row of the holder: skipped, or right, and never anything else. */
static bool held_row(struct table *t, pid_t pid, long pages, unsigned int *skips)
{
	int row = table_find(t, "pid", pid);
	long long skipped, complete;

	if (row < 0 || !table_header(t, "skipped", &skipped) ||
	    !table_header(t, "complete", &complete) || complete != !skipped)
		return false;
	if (strcmp(table_cell(t, row, "charge"), "-"))
		return table_number(t, row, "charge") >= pages;
	++*skips;
	return skipped >= 1 && !strcmp(table_cell(t, row, "uncashed"), "-") &&
	       !strcmp(table_cell(t, row, "anon"), "-");
}

static void test_held_lock(void)
{
	unsigned long long start, took, longest = 0;
	long pages = meminfo_kb("MemAvailable") / (long)(page_size() / 1024) / 4;
	const struct hog_spec spec = { .anon = 1000, .comm = "held" };
	unsigned int i, skips = 0;
	struct actor a = { };
	struct hog hog = { };
	pid_t holder = -1;
	bool good, sure;
	int pid;

	if (pages > HELD_PAGES)
		pages = HELD_PAGES;
	/* With one processor a lock that is only busy is seldom seen taken. */
	sure = loader_helper("oomlens_shortage", "");
	if (sure ? hog_start(&hog, &spec) : actor_start(&a)) {
		ksft_test_result_fail("no process\n");
		return;
	}
	if (sure) {
		pages = spec.anon;
		holder = mmap_lock_hold(hog.pid);
	}
	pid = sure ? hog.pid : actor_do(&a, hold_lock, pages);
	good = sure ? holder > 0 : pid > 0;
	for (i = 0; good && i < HELD_READS && !skips; i++) {
		struct table *t;

		start = now_ns();
		t = table_read(lens_path("commit"));
		took = now_ns() - start;
		if (took > longest)
			longest = took;
		good = t && held_row(t, pid, pages, &skips);
		table_free(t);
	}
	ksft_print_msg("skipped in %u of %u reads, the longest took %llu ms\n",
		       skips, i, longest / 1000000);
	if (sure) {
		mmap_lock_release(holder);
		hog_end(&hog);
		loader_no_helper("oomlens_shortage");
	} else {
		if (pid > 0)
			kill(pid, SIGKILL);
		actor_end(&a);
	}
	/* 21 tries 2 ms apart, and as much again for a guest that is emulated. */
	ksft_test_result(good && skips && longest < 2000000000ULL,
			 "a process whose lock cannot be had is skipped, in bounded time\n");
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
	ksft_exit(!ksft_get_fail_cnt());
}
