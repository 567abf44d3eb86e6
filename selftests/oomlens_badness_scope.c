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
	int fd = open(lens_path("badness"), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("badness: %s\n", strerror(errno));
	return fd;
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
	long long total = -1;

	if (t)
		table_header(t, "totalpages", &total);
	table_free(t);
	return total;
}

static bool expect_total(const char *scope, long long want)
{
	long long got = total_of(scope);

	if (got == want)
		return true;
	ksft_print_msg("'%s': totalpages %lld, not %lld\n", scope, got, want);
	return false;
}

static long long kb_pages(const char *key)
{
	return meminfo_kb(key) * 1024 / (long long)page_size();
}

/* ---- refusals ---- */

/* Written to a fresh descriptor; refused, and the file works in global scope. */
static bool refuses(const char *text, int want)
{
	int fd = open_badness();
	int err = write_fd(fd, text);
	struct table *t = table_read_fd(fd);
	long long total = 0;
	bool good = err == want && t && strstr(t->header, "scope global ") &&
		    table_header(t, "totalpages", &total) && total > 0;

	if (!good)
		ksft_print_msg("'%s' gave %d, not %d; then: %s", text, err, want,
			       t ? t->header : "no table\n");
	table_free(t);
	close(fd);
	return good;
}

static void test_refusals(void)
{
	static const char * const garbage[] = {
		"nonsense", "globall", "global x", "memcg", "memcg ", "memcg relative/path",
		"global\nglobal", "GLOBAL", "nodes", "\n", " ", "memcg /\n",
	};
	bool good = true, nodes2 = !access("/sys/devices/system/node/node1", F_OK);
	int none = cg_version() ? 0 : -EOPNOTSUPP;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(garbage); i++) {
		int want = -EINVAL;

		if (!strncmp(garbage[i], "memcg", 5) && none)
			want = none;
		if (!strcmp(garbage[i], "nodes") && !nodes2)
			want = -EOPNOTSUPP;
		good &= refuses(garbage[i], want);
	}
	ksft_test_result(good, "garbage: EINVAL, and the file works\n");

	if (none)
		ksft_test_result(refuses("memcg /there/is/none", none), "no memory cgroups\n");
	else
		ksft_test_result(refuses("memcg /there/is/none", -ENOENT),
				 "a cgroup that is not there: ENOENT\n");

	fd = open_badness();
	good = !write_fd(fd, "global") && !write_fd(fd, "global\n");
	table_free(table_read_fd(fd));
	good &= write_fd(fd, "global") == -EINVAL;
	lseek(fd, 0, SEEK_SET);
	good &= write_fd(fd, "global") == -EINVAL;
	close(fd);
	ksft_test_result(good, "a write after the first read: EINVAL\n");

	if (nodes2)
		good = refuses("nodes 99", -EINVAL) && refuses("nodes x", -EINVAL) &&
		       refuses("mempolicy 0-", -EINVAL);
	else
		good = refuses("nodes 0", -EOPNOTSUPP) && refuses("mempolicy 0", -EOPNOTSUPP);
	ksft_test_result(good, "nodes that are not there\n");
}

/* ---- a cgroup's scope ---- */

static char *new_cgroup(const char *parent, const char *name)
{
	char *dir = cg_create(parent, name);

	if (!dir)
		ksft_exit_fail_msg("cannot make cgroup %s: %s\n", name, strerror(errno));
	return dir;
}

/* mm/oom_kill.c, constrained_alloc(): the limit, and as much swap as it may use. */
static bool check_totals(const char *dir, const char *scope, bool swap)
{
	long long total_swap = kb_pages("SwapTotal");
	bool good;

	good = !cg_limit(dir, 5000) && !cg_swap_limit(dir, 0) && expect_total(scope, 5000);
	if (!swap)
		return good;
	good &= !cg_swap_limit(dir, 700) && expect_total(scope, 5700);
	good &= !cg_swap_limit(dir, total_swap + 1000) &&
		expect_total(scope, 5000 + total_swap);
	if (cg_version() == 2) {
		/* v1 has a swappiness for each cgroup; v2 goes by the machine's. */
		setting_write("/proc/sys/vm/swappiness", "0");
		good &= expect_total(scope, 5000);
		setting_write("/proc/sys/vm/swappiness", "60");
		good &= expect_total(scope, 5000 + total_swap);
	}
	return good;
}

static void test_memcg(bool swap)
{
	struct hog_spec spec = { .anon = 500, .adj = 100 };
	char *top, *inner, *other, scope[512], inner_scope[512];
	struct hog in, deep, out;
	struct table *t;
	bool good;
	int row;

	if (!cg_version()) {
		for (row = 0; row < 3; row++)
			ksft_test_result_skip("no memory cgroups\n");
		return;
	}
	top = new_cgroup(NULL, "top");
	inner = new_cgroup(top, "in ner");
	other = new_cgroup(NULL, "other");
	spec.cgroup = inner;
	good = !hog_start(&deep, &spec);
	spec.anon = 900;
	good &= !hog_start(&in, &spec);
	spec.cgroup = other;
	good &= !hog_start(&out, &spec);
	if (!good)
		ksft_exit_fail_msg("cannot make hogs\n");

	snprintf(scope, sizeof(scope), "memcg %s", cg_shown(top));
	/* As the table prints it, and as it is. */
	snprintf(inner_scope, sizeof(inner_scope), "memcg %s/in\\040ner", cg_shown(top));
	ksft_test_result(check_totals(top, scope, swap) && check_totals(inner, inner_scope, swap),
			 "totalpages is the limit and the swap that may be used\n");

	cg_limit(top, 40000);
	cg_limit(inner, 30000);
	cg_swap_limit(inner, 0);
	t = read_scope(inner_scope);
	row = t ? table_find(t, "pid", in.pid) : -1;
	good = row == 0 && table_number(t, row, "rank") == 1 &&
	       table_number(t, row, "adj_points") == 100 * 30 &&
	       !strcmp(table_cell(t, row, "fate"), "victim");
	row = t ? table_find(t, "pid", deep.pid) : -1;
	good &= row == 1;
	row = t ? table_find(t, "pid", out.pid) : -1;
	good &= row > 1 && !strcmp(table_cell(t, row, "verdict"), "scope") &&
		!strcmp(table_cell(t, row, "rank"), "-");
	/* score is the whole machine's all the same */
	good &= row > 0 && table_number(t, row, "score") > 700;
	table_free(t);
	t = read_scope(scope);
	good &= t && table_find(t, "pid", in.pid) == 0 && table_find(t, "pid", deep.pid) == 1;
	table_free(t);
	ksft_test_result(good, "the cgroup's tasks and those below are ranked, others not\n");
	hog_end(&in);
	hog_end(&deep);
	hog_end(&out);
	cg_remove(inner);
	ksft_test_result(refuses(inner_scope, -ENOENT), "a removed cgroup: ENOENT\n");
}

static void test_no_controller(void)
{
	char *dir, path[512];

	if (cg_version() != 2) {
		ksft_test_result_skip("cgroup v1: each has the controller\n");
		return;
	}
	/* Its parent does not delegate: a cgroup, but not of memory. */
	dir = new_cgroup(NULL, "leaf");
	snprintf(path, sizeof(path), "%s/plain", dir);
	if (mkdir(path, 0755))
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	snprintf(path, sizeof(path), "memcg %s/plain", cg_shown(dir));
	ksft_test_result(refuses(path, -EINVAL), "not a memory cgroup: EINVAL\n");
}

/* Two files, two scopes, read in turns. */
static void test_two_readers(void)
{
	int a = open_badness(), b = open_badness();
	struct table *ta, *tb;
	char scope[512];
	bool good = true;
	unsigned int i;
	char *dir;

	if (!cg_version()) {
		ksft_test_result_skip("no second scope\n");
		return;
	}
	dir = new_cgroup(NULL, "reader");
	cg_limit(dir, 12345);
	cg_swap_limit(dir, 0);
	snprintf(scope, sizeof(scope), "memcg %s", cg_shown(dir));
	good &= !write_fd(b, scope) && !write_fd(a, "global");
	for (i = 0; i < 10; i++) {
		long long na = 0, nb = 0;

		ta = table_read_fd(a);
		tb = table_read_fd(b);
		good &= ta && tb && table_header(ta, "totalpages", &na) &&
			table_header(tb, "totalpages", &nb) && nb == 12345 &&
			na == kb_pages("MemTotal") + kb_pages("SwapTotal");
		table_free(ta);
		table_free(tb);
	}
	close(a);
	close(b);
	ksft_test_result(good, "two readers keep their scopes\n");
}

/* ---- nodes ---- */

static long long present_pages(int node)
{
	char *text = read_file("/proc/zoneinfo"), *s = text;
	long long sum = 0, n;
	int nid = -1, found;

	while (s && *s) {
		if (sscanf(s, "Node %d, zone", &found) == 1)
			nid = found;
		if (nid == node && sscanf(s, " present %lld", &n) == 1)
			sum += n;
		s = strchr(s, '\n');
		s = s ? s + 1 : NULL;
	}
	free(text);
	return sum;
}

/* Bound by a mempolicy to a node, or, with -1, by none. */
static pid_t bound_task(int node)
{
	unsigned long mask = node < 0 ? 0 : 1UL << node;
	pid_t pid;

	fflush(stdout);
	pid = fork();
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
	if (!confined)
		ksft_exit_fail_msg("a task cannot be confined by its cpuset\n");
	return pid;
}

static bool bound_is_seen(const char *scope, pid_t pid, const char *want)
{
	struct table *t = read_scope(scope);
	int row = t ? table_find(t, "pid", pid) : -1;
	bool good = row >= 0 && !strcmp(table_cell(t, row, "verdict"), want);

	table_free(t);
	return good;
}

static void test_nodes(void)
{
	long long swap = kb_pages("SwapTotal");
	char *cgroup;
	pid_t pid;
	bool good;

	if (access("/sys/devices/system/node/node1", F_OK)) {
		ksft_test_result_skip("one node\n");
		ksft_test_result_skip("one node\n");
		ksft_test_result_skip("one node\n");
		return;
	}
	good = expect_total("nodes 0", swap + present_pages(0)) &&
	       expect_total("nodes 1", swap + present_pages(1)) &&
	       expect_total("mempolicy 0-1", swap + present_pages(0) + present_pages(1));
	ksft_test_result(good, "totalpages is what the nodes have\n");

	pid = bound_task(1);
	good = wait_until(bound_is_seen("mempolicy 0", pid, "scope"), PATIENCE_MS) &&
	       bound_is_seen("mempolicy 1", pid, "eligible") &&
	       bound_is_seen("mempolicy 0-1", pid, "eligible");
	idle_end(&pid, 1);
	ksft_test_result(good, "a bound task is out of other nodes' scope\n");

	cgroup = cg_cpuset("1");
	if (!cgroup) {
		ksft_test_result_skip("cpuset: no such controller\n");
		return;
	}
	pid = confined_task(cgroup);
	/* A cpuset keeps it out of the scope of an OOM of other nodes' cpusets only. */
	good = wait_until(bound_is_seen("nodes 0", pid, "scope"), PATIENCE_MS) &&
	       bound_is_seen("nodes 1", pid, "eligible") &&
	       bound_is_seen("nodes 0-1", pid, "eligible") &&
	       bound_is_seen("mempolicy 0", pid, "eligible");
	idle_end(&pid, 1);
	ksft_test_result(good, "a task in a cpuset is out of other nodes' scope\n");
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

	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	fd = open_badness();
	a = read_in_pieces(fd, 61, &hog);
	b = read_fd(fd);	/* pread from 0: a new one, with the growth in it */
	ksft_test_result(a && b && strcmp(a, b), "a new read from 0 is a new snapshot\n");

	/* What lies behind the first byte is still the last snapshot. */
	lseek(fd, 1, SEEK_SET);
	hog_do(&hog, HOG_GROW, 2000);
	c = read_in_pieces(fd, 4096, NULL);
	ksft_test_result(b && c && !strcmp(b + 1, c), "a later read goes on in the same one\n");

	t = table_parse(a);
	ksft_test_result(t && table_find(t, "pid", hog.pid) == 0,
			 "short reads make one whole table\n");
	table_free(t);
	free(b);
	free(c);
	close(fd);
	hog_end(&hog);
}

int main(void)
{
	bool swap;

	test_begin(15);
	swap = swap_ensure(2000);
	test_refusals();
	test_memcg(swap);
	test_no_controller();
	test_two_readers();
	test_nodes();
	test_snapshot();
	ksft_exit(!ksft_get_fail_cnt());
}
