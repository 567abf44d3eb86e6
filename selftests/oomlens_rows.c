// SPDX-License-Identifier: GPL-2.0
/*
 * "rows N" of badness, commit and objects: the first N rows and no more, whatever the
 * scope, under a header that counts all. Judged by the order that the test made.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/objects.h"

#define HOGS	5

static struct hog hogs[HOGS];
static char *cgroup;

/* Ranked as they are numbered, before all other tasks, in a cgroup of their own. */
static void make_hogs(void)
{
	struct hog_spec spec = { .anon = 300 };
	unsigned int i;

	cgroup = cg_version() ? must_limit("rows", 100000) : NULL;
	spec.cgroup = cgroup;
	for (i = 0; i < HOGS; i++) {
		spec.adj = 1000 - 20 * i;
		must_hog(&hogs[i], &spec);
	}
}

static struct table *read_rows(const char *file, const char *first, const char *second)
{
	int fd = must_open_lens(file, O_RDWR);
	struct table *t = NULL;

	if (EXPECT_OK(write_fd(fd, first)) && (!second || EXPECT_OK(write_fd(fd, second))))
		t = table_read_fd(fd);
	close(fd);
	return t;
}

static unsigned int count(struct table *t)
{
	return t ? t->rows : 0;
}

/* The first n hogs and nothing else. */
static void expect_hogs(struct table *t, unsigned int n)
{
	unsigned int i;

	EXPECT_EQ(count(t), n);
	for (i = 0; i < n && i < count(t); i++) {
		EXPECT_EQ(table_number(t, i, "pid"), hogs[i].pid);
		EXPECT_EQ(table_number(t, i, "rank"), i + 1);
	}
	EXPECT_GE(table_head(t, "eligible"), HOGS);
	EXPECT_GE(table_head(t, "tasks"), table_head(t, "eligible"));
	table_free(t);
}

static void test_badness(void)
{
	struct table *t;
	char scope[512];

	expect_hogs(read_rows("badness", "rows 3", NULL), 3);
	expect_hogs(read_rows("badness", "rows 1\n", "rows 4"), 4);
	t = read_rows("badness", "rows 1", "rows 0");
	EXPECT_GT(count(t), HOGS);
	EXPECT_EQ(count(t), table_head(t, "tasks"));
	table_free(t);
	t = read_rows("badness", "rows 4294967295", NULL);
	EXPECT_EQ(count(t), table_head(t, "tasks"));
	table_free(t);
	test_done("badness: the first ranks, counted in full");

	if (!cgroup) {
		ksft_test_result_skip("no memory cgroups\n");
		return;
	}
	snprintf(scope, sizeof(scope), "memcg %s", cg_shown(cgroup));
	expect_hogs(read_rows("badness", "rows 2", scope), 2);
	t = read_rows("badness", scope, "rows 2");
	EXPECT_TRUE(t && strstr(t->header, "# scope memcg:"));
	EXPECT_EQ(table_head(t, "eligible"), HOGS);
	expect_hogs(t, 2);
	test_done("badness: beside a scope, in either order");
}

/* Refused, and two rows as before. */
static void test_malformed(const char *file)
{
	static const char * const garbage[] = {
		"rows", "rows ", "rows x", "rows -1", "rows +1", "rows 1 2", "rows 0x1",
		"rows 1.5", "rows  1", "rows 4294967296", "rows 18446744073709551617",
		"row 1", "Rows 1", "rows1",
	};
	int fd = must_open_lens(file, O_RDWR);
	struct table *t;
	unsigned int i;

	EXPECT_OK(write_fd(fd, "rows 2"));
	for (i = 0; i < ARRAY_SIZE(garbage); i++) {
		expect_of("%s: '%s'", file, garbage[i]);
		EXPECT_EQ(write_fd(fd, garbage[i]), -EINVAL);
	}
	t = table_read_fd(fd);
	EXPECT_EQ(count(t), 2);
	table_free(t);
	if (!strcmp(file, "badness"))
		EXPECT_EQ(write_fd(fd, "rows 1"), -EINVAL);
	close(fd);
	test_done("%s: a malformed one changes nothing", file);
}

/*
 * Those of the first two rows are the two largest of @column, which others may change
 * at any time: once in a few tries.
 */
static struct table *first_two(const char *file, const char *column)
{
	struct table *t, *all;
	unsigned int i, tries;

	for (tries = 1; ; tries++) {
		all = read_rows(file, "rows 0", NULL);
		t = read_rows(file, "rows 2", NULL);
		EXPECT_EQ(count(t), 2);
		EXPECT_GE(count(all), 3);
		for (i = 0; i < 2; i++)
			EXPECT_STREQ(table_cell(t, i, column), table_cell(all, i, column));
		table_free(all);
		if (!expect_failed() || tries == 5)
			return t;
		table_free(t);
		expect_retry();
	}
}

static void test_commit(void)
{
	char scope[32];
	struct table *t;
	int fd;

	t = first_two("commit", "charge");
	EXPECT_GT(table_head(t, "spaces"), HOGS);
	EXPECT_GE(table_number(t, 0, "charge"), table_number(t, 1, "charge"));
	EXPECT_GT(table_head(t, "processes"),
		  table_number(t, 0, "charge") + table_number(t, 1, "charge"));
	table_free(t);
	snprintf(scope, sizeof(scope), "pid %d", hogs[0].pid);
	t = read_rows("commit", "rows 1", scope);
	EXPECT_EQ(count(t), 1);
	EXPECT_GT(table_head(t, "vmas"), 1);
	table_free(t);
	/* Of the reads that follow. */
	fd = must_open_lens("commit", O_RDWR);
	EXPECT_OK(write_fd(fd, "rows 1"));
	t = table_read_fd(fd);
	EXPECT_EQ(count(t), 1);
	table_free(t);
	EXPECT_OK(write_fd(fd, "rows 0"));
	t = table_read_fd(fd);
	EXPECT_EQ(count(t), table_head(t, "spaces"));
	table_free(t);
	close(fd);
	test_done("commit: the largest, counted and summed in full");
}

/* Sleeps with what it has inherited. */
static pid_t holder(void)
{
	pid_t pid = must_fork();

	while (!pid)
		pause();
	return pid;
}

/* As many bytes as fit into a small read at a time: rows are found again by position. */
static struct table *read_in_pieces(int fd)
{
	char *text = calloc(1, 1 << 16);
	size_t len = 0;
	ssize_t n;

	while (text && len < 65000 && (n = read(fd, text + len, 37)) > 0)
		len += n;
	return table_parse(text);
}

static void test_objects(void)
{
	static char data[3 << 16];
	char id[64], scope[80];
	pid_t pid[3] = { };
	int fd[3], file;
	struct table *t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = MUST_GET(syscall(SYS_memfd_create, "rows", 0));
		MUST(write(fd[i], data, (i + 1) << 16) == (ssize_t)(i + 1) << 16);
	}
	t = first_two("objects", "resident");
	EXPECT_GE(objects_count(t), 3);
	table_free(t);
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		pid[i] = holder();
	objects_id_of(fd[0], id, sizeof(id));
	snprintf(scope, sizeof(scope), "id %s", id);
	t = read_rows("objects", "rows 2", scope);
	/* Its holders are the test's supervisor or not, this process, and three children. */
	EXPECT_EQ(count(t), 2);
	EXPECT_NE(table_find(t, "pid", getpid()), -1);
	EXPECT_EQ(table_find(t, "pid", pid[2]), -1);
	table_free(t);
	file = must_open_lens("objects", O_RDWR);
	EXPECT_OK(write_fd(file, scope));
	EXPECT_OK(write_fd(file, "rows 3"));
	t = read_in_pieces(file);
	EXPECT_EQ(count(t), 3);
	table_free(t);
	close(file);
	idle_end(pid, ARRAY_SIZE(pid));
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	test_done("objects: the largest, and the oldest holders of one");
}

int main(void)
{
	unsigned int i;

	test_begin(7);
	make_hogs();
	test_badness();
	test_commit();
	test_objects();
	test_malformed("badness");
	test_malformed("commit");
	test_malformed("objects");
	for (i = 0; i < HOGS; i++)
		hog_end(&hogs[i]);
	test_end();
}
