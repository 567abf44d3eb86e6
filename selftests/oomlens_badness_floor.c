// SPDX-License-Identifier: GPL-2.0
/*
 * badness' adj_floor is the least oom_score_adj that a process without
 * CAP_SYS_RESOURCE may give itself: the judge is the kernel, which takes that value
 * and refuses the next lower one. The process is another user's, in commit too.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define USER	65534
#define GROUP	65533

static long long number_of(const char *file, pid_t pid, const char *column)
{
	struct table *t = must_table(file);
	long long n = table_number(t, table_find(t, "pid", pid), column);

	table_free(t);
	return n;
}

static long long floor_of(pid_t pid)
{
	return number_of("badness", pid, "adj_floor");
}

/* In the child, as another user: the floor can be had, one less cannot. */
static void __noreturn try_floor(const int *floor, int ready, int go)
{
	char c = 0;

	if (setgid(GROUP) || setuid(USER))
		_exit(100);
	/* The file is root's until the next exec, but for a process that may be dumped. */
	MUST(!prctl(PR_SET_DUMPABLE, 1));
	EXPECT_TRUE(write(ready, &c, 1) == 1 && read(go, &c, 1) == 1);
	EXPECT_EQ(set_adj(0, *floor - 1), -EACCES);
	EXPECT_OK(set_adj(0, *floor));
	EXPECT_OK(set_adj(0, 1000));
	EXPECT_TRUE(write(ready, &c, 1) == 1 && read(go, &c, 1) == 1);
	EXPECT_OK(set_adj(0, *floor));
	fflush(stdout);
	_exit(expect_failed());
}

static void expect_floor(int adj)
{
	int *floor = must_share(sizeof(*floor)), ready[2], go[2], status;
	char c = 0;
	pid_t pid;

	MUST(!pipe(ready) && !pipe(go));
	/* Inherited by the child, as fork copies both values. */
	MUST_OK(set_adj(0, adj));
	pid = must_fork();
	if (!pid)
		try_floor(floor, ready[1], go[0]);
	MUST_OK(set_adj(0, OOM_ADJ_NEVER));
	MUST(read(ready[0], &c, 1) == 1);
	*floor = floor_of(pid);
	EXPECT_EQ(*floor, adj);
	EXPECT_EQ(number_of("badness", pid, "uid"), USER);
	EXPECT_EQ(number_of("commit", pid, "uid"), USER);
	MUST(write(go[1], &c, 1) == 1 && read(ready[0], &c, 1) == 1);
	/* A higher value of its own leaves the floor where it was. */
	EXPECT_EQ(floor_of(pid), adj);
	MUST(write(go[1], &c, 1) == 1);
	EXPECT_TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	test_done("inherited from one with %d", adj);
}

int main(void)
{
	static const struct hog_spec spec = { .anon = 100, .adj = 300 };
	struct hog hog;

	test_begin(3);
	expect_floor(-500);
	expect_floor(17);
	must_hog(&hog, &spec);
	MUST_OK(set_adj(hog.pid, -123));
	EXPECT_EQ(floor_of(hog.pid), -123);
	MUST_OK(set_adj(hog.pid, 45));
	EXPECT_EQ(floor_of(hog.pid), 45);
	hog_end(&hog);
	test_done("what a process with the right wrote last");
	test_end();
}
