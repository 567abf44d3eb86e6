// SPDX-License-Identifier: GPL-2.0
/*
 * badness' scopes: each with the kernel's own total, each file with its own
 * scope, what is refused with which errno, and one snapshot a read.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/expect.h"

#define MPOL_BIND	2

static int open_badness(void)
{
	return must_open_lens("badness", O_RDWR);
}

static struct table *read_scope(const char *scope)
{
	int fd = open_badness();
	struct table *t = write_fd(fd, scope) ? NULL : table_read_fd(fd);

	close(fd);
	return t;
}

static long long total_of(const char *scope)
{
	struct table *t = read_scope(scope);
	long long total = table_head(t, "totalpages");

	table_free(t);
	return total;
}

/* ---- refusals ---- */

/* Written to a fresh descriptor; refused, and the file works in global scope. */
static void expect_refusal(const char *text, int want)
{
	int fd = open_badness();
	struct table *t;

	expect_of("'%s'", text);
	EXPECT_EQ(write_fd(fd, text), want);
	t = table_read_fd(fd);
	EXPECT_TRUE(t && strstr(t->header, "scope global "));
	EXPECT_GT(table_head(t, "totalpages"), 0);
	table_free(t);
	close(fd);
}

static void test_refusals(void)
{
	static const char * const garbage[] = {
		"nonsense", "globall", "global x", "memcg", "memcg ", "memcg relative/path",
		"global\nglobal", "GLOBAL", "nodes", "\n", " ", "memcg /\n",
	};
	bool nodes2 = !access("/sys/devices/system/node/node1", F_OK);
	int none = cg_version() ? 0 : -EOPNOTSUPP;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(garbage); i++) {
		int want = -EINVAL;

		if (!strncmp(garbage[i], "memcg", 5) && none)
			want = none;
		if (!strcmp(garbage[i], "nodes") && !nodes2)
			want = -EOPNOTSUPP;
		expect_refusal(garbage[i], want);
	}
	test_done("garbage: EINVAL, and the file works");

	expect_refusal("memcg /there/is/none", none ?: -ENOENT);
	test_done("%s", none ? "no memory cgroups" : "a cgroup that is not there: ENOENT");

	fd = open_badness();
	EXPECT_OK(write_fd(fd, "global"));
	EXPECT_OK(write_fd(fd, "global\n"));
	table_free(table_read_fd(fd));
	EXPECT_EQ(write_fd(fd, "global"), -EINVAL);
	lseek(fd, 0, SEEK_SET);
	EXPECT_EQ(write_fd(fd, "global"), -EINVAL);
	close(fd);
	test_done("a write after the first read: EINVAL");

	if (nodes2) {
		expect_refusal("nodes 99", -EINVAL);
		expect_refusal("nodes x", -EINVAL);
		expect_refusal("mempolicy 0-", -EINVAL);
	} else {
		expect_refusal("nodes 0", -EOPNOTSUPP);
		expect_refusal("mempolicy 0", -EOPNOTSUPP);
	}
	test_done("nodes that are not there");
}

/* ---- a cgroup's scope ---- */

/* mm/oom_kill.c, constrained_alloc(): the limit, and as much swap as it may use. */
static void expect_total(const char *dir, const char *scope)
{
	MUST_OK(cg_limit(dir, 5000));
	MUST_OK(cg_swap_limit(dir, 0));
	expect_of("'%s'", scope);
	EXPECT_EQ(total_of(scope), 5000);
}

static void expect_swap_totals(const char *dir, const char *scope)
{
	long long total_swap = meminfo_pages("SwapTotal");

	expect_of("'%s'", scope);
	EXPECT_OK(cg_swap_limit(dir, 700));
	EXPECT_EQ(total_of(scope), 5700);
	EXPECT_OK(cg_swap_limit(dir, total_swap + 1000));
	EXPECT_EQ(total_of(scope), 5000 + total_swap);
	if (cg_version() == 2) {
		/* v1 has a swappiness for each cgroup; v2 goes by the machine's. */
		setting_write("/proc/sys/vm/swappiness", "0");
		EXPECT_EQ(total_of(scope), 5000);
		setting_write("/proc/sys/vm/swappiness", "60");
		EXPECT_EQ(total_of(scope), 5000 + total_swap);
	}
}

static void test_memcg(bool swap)
{
	struct hog_spec spec = { .anon = 500, .adj = 100 };
	char *top, *inner, *other, scope[512], inner_scope[512];
	struct hog in, deep, out;
	struct table *t;
	int row;

	if (!cg_version()) {
		test_skip(4, "no memory cgroups\n");
		return;
	}
	top = must_cgroup(NULL, "top");
	inner = must_cgroup(top, "in ner");
	other = must_cgroup(NULL, "other");
	spec.cgroup = inner;
	must_hog(&deep, &spec);
	spec.anon = 900;
	must_hog(&in, &spec);
	spec.cgroup = other;
	must_hog(&out, &spec);

	snprintf(scope, sizeof(scope), "memcg %s", cg_shown(top));
	/* The module takes a path escaped, as its tables print it, and plain. */
	snprintf(inner_scope, sizeof(inner_scope), "memcg %s/in\\040ner", cg_shown(top));
	expect_total(top, scope);
	expect_total(inner, inner_scope);
	test_done("totalpages is the limit");
	if (swap) {
		expect_swap_totals(top, scope);
		expect_swap_totals(inner, inner_scope);
		test_done("and the swap that may be used");
	} else {
		test_skip(1, "and the swap that may be used: no swap\n");
	}

	cg_limit(top, 40000);
	cg_limit(inner, 30000);
	cg_swap_limit(inner, 0);
	t = read_scope(inner_scope);
	EXPECT_EQ(table_find(t, "pid", in.pid), 0);
	EXPECT_ROW(t, 0, "rank=1 adj_points=%d fate=victim", 100 * 30);
	EXPECT_EQ(table_find(t, "pid", deep.pid), 1);
	row = table_find(t, "pid", out.pid);
	EXPECT_GT(row, 1);
	EXPECT_ROW(t, row, "verdict=scope rank=-");
	/* In any scope, score is that of the whole machine. */
	EXPECT_GT(table_number(t, row, "score"), 700);
	table_free(t);
	t = read_scope(scope);
	EXPECT_EQ(table_find(t, "pid", in.pid), 0);
	EXPECT_EQ(table_find(t, "pid", deep.pid), 1);
	table_free(t);
	test_done("the cgroup's tasks and those below are ranked, others not");
	hog_end(&in);
	hog_end(&deep);
	hog_end(&out);
	MUST_OK(cg_remove(inner));
	expect_refusal(inner_scope, -ENOENT);
	test_done("a removed cgroup: ENOENT");
}

static void test_no_controller(void)
{
	char *dir, path[512];

	if (cg_version() != 2) {
		ksft_test_result_skip("cgroup v1: each has the controller\n");
		return;
	}
	/* Its parent does not delegate: a cgroup, but not of memory. */
	dir = must_cgroup(NULL, "leaf");
	snprintf(path, sizeof(path), "%s/plain", dir);
	MUST(!mkdir(path, 0755));
	snprintf(path, sizeof(path), "memcg %s/plain", cg_shown(dir));
	expect_refusal(path, -EINVAL);
	test_done("not a memory cgroup: EINVAL");
}

/* Two files, two scopes, read in turns. */
static void test_two_readers(void)
{
	int a = open_badness(), b = open_badness();
	struct table *ta, *tb;
	char scope[512];
	unsigned int i;
	char *dir;

	if (!cg_version()) {
		ksft_test_result_skip("no second scope\n");
		return;
	}
	dir = must_cgroup(NULL, "reader");
	cg_limit(dir, 12345);
	cg_swap_limit(dir, 0);
	snprintf(scope, sizeof(scope), "memcg %s", cg_shown(dir));
	EXPECT_OK(write_fd(b, scope));
	EXPECT_OK(write_fd(a, "global"));
	for (i = 0; i < 10; i++) {
		ta = table_read_fd(a);
		tb = table_read_fd(b);
		EXPECT_EQ(table_head(ta, "totalpages"),
			  meminfo_pages("MemTotal") + meminfo_pages("SwapTotal"));
		EXPECT_EQ(table_head(tb, "totalpages"), 12345);
		table_free(ta);
		table_free(tb);
	}
	close(a);
	close(b);
	test_done("two readers keep their scopes");
}

/* ---- nodes ---- */

/* Bound by a mempolicy to a node, or, with -1, by none. */
static pid_t bound_task(int node)
{
	unsigned long mask = node < 0 ? 0 : 1UL << node;
	pid_t pid = must_fork();

	if (pid)
		return pid;
	set_adj(0, 0);
	if (node >= 0 &&
	    syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8))
		_exit(1);
	for (;;)
		pause();
}

/* In a cpuset of node 1 alone, as the kernel's own status says. */
static pid_t confined_task(const char *cgroup)
{
	pid_t pid = bound_task(-1);
	char path[64], *status;
	bool confined;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	confined = !cg_attach(cgroup, pid);
	status = read_file(path);
	confined &= status && strstr(status, "Mems_allowed_list:\t1\n");
	free(status);
	MUST(confined);
	return pid;
}

static bool verdict_is(const char *scope, pid_t pid, const char *want)
{
	struct table *t = read_scope(scope);
	bool is = !strcmp(table_cell(t, table_find(t, "pid", pid), "verdict"), want);

	table_free(t);
	return is;
}

static void test_nodes(void)
{
	long long swap = meminfo_pages("SwapTotal"), first, second;
	char *cgroup;
	pid_t pid;

	if (access("/sys/devices/system/node/node1", F_OK)) {
		test_skip(3, "one node\n");
		return;
	}
	first = node_pages(0, "present");
	second = node_pages(1, "present");
	EXPECT_EQ(total_of("nodes 0"), swap + first);
	EXPECT_EQ(total_of("nodes 1"), swap + second);
	EXPECT_EQ(total_of("mempolicy 0-1"), swap + first + second);
	test_done("totalpages is what the nodes have");

	pid = bound_task(1);
	EXPECT_TRUE(wait_until(verdict_is("mempolicy 0", pid, "scope"), PATIENCE_MS));
	EXPECT_TRUE(verdict_is("mempolicy 1", pid, "eligible"));
	EXPECT_TRUE(verdict_is("mempolicy 0-1", pid, "eligible"));
	idle_end(&pid, 1);
	test_done("a bound task is out of other nodes' scope");

	cgroup = cg_cpuset("1");
	if (!cgroup) {
		ksft_test_result_skip("cpuset: no such controller\n");
		return;
	}
	pid = confined_task(cgroup);
	/* A cpuset keeps it out of the scope of an OOM of other nodes' cpusets only. */
	EXPECT_TRUE(wait_until(verdict_is("nodes 0", pid, "scope"), PATIENCE_MS));
	EXPECT_TRUE(verdict_is("nodes 1", pid, "eligible"));
	EXPECT_TRUE(verdict_is("nodes 0-1", pid, "eligible"));
	EXPECT_TRUE(verdict_is("mempolicy 0", pid, "eligible"));
	idle_end(&pid, 1);
	test_done("a task in a cpuset is out of other nodes' scope");
}

/* ---- one snapshot a read ---- */

static char *read_in_pieces(int fd, size_t piece, struct hog *moving)
{
	char *text = calloc(1, 1 << 20);
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, piece)) > 0) {
		len += n;
		if (moving && len / piece % 4 == 0)
			hog_do(moving, HOG_GROW, 50);
	}
	return text;
}

static void test_snapshot(void)
{
	static const struct hog_spec spec = { .anon = 3000, .adj = 500 };
	char *a, *b, *c = NULL;
	struct hog hog;
	struct table *t;
	int fd;

	must_hog(&hog, &spec);
	fd = open_badness();
	a = read_in_pieces(fd, 61, &hog);
	b = read_fd(fd);	/* pread from 0: a new one, with the growth in it */
	EXPECT_TRUE(a && b && strcmp(a, b));
	test_done("a new read from 0 is a new snapshot");

	/* From offset 1 the read continues the last snapshot. */
	lseek(fd, 1, SEEK_SET);
	hog_do(&hog, HOG_GROW, 2000);
	c = read_in_pieces(fd, 4096, NULL);
	EXPECT_TRUE(b && c && !strcmp(b + 1, c));
	test_done("a later read goes on in the same one");

	t = table_parse(a);
	EXPECT_EQ(table_find(t, "pid", hog.pid), 0);
	test_done("short reads make one whole table");
	table_free(t);
	free(b);
	free(c);
	close(fd);
	hog_end(&hog);
}

int main(void)
{
	bool swap;

	test_begin(16);
	swap = swap_ensure(2000);
	test_refusals();
	test_memcg(swap);
	test_no_controller();
	test_two_readers();
	test_nodes();
	test_snapshot();
	test_end();
}
