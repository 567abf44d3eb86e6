// SPDX-License-Identifier: GPL-2.0
/*
 * A read never runs the OOM killer: in a cgroup at its limit, beside a task that
 * would be killed. The judge is the cgroup's own count of kills. And what open
 * files take is charged to that cgroup, by its own count of pages; an open that fails
 * for it leaves the module's count of references as it was.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define HOG_PAGES	1500
/* For all files being open; then the limit is lowered to what is used. */
#define LIMIT_PAGES	16384
/* What the count may have been ahead, on two processors. */
#define STOCK_PAGES	128

static const char * const files[] = {
	"overcommit", "memory", "badness", "commit", "objects", "events", "history", "features",
	"stats",
};

/*
 * Each processor keeps up to 64 pages in stock for the cgroup. So many first reads
 * would use them up, with a page each.
 */
#define EACH		30
#define OPEN		(EACH * ARRAY_SIZE(files))

static char buf[1 << 20];

struct shared {
	volatile int ready, open, opened, failed, go, read[ARRAY_SIZE(files)], done;
};

/*
 * The task's own pages, for good, before the limit is there: a page that it copied
 * at the limit would be an OOM of the test's making, and where no task may be killed
 * the fault is tried again for ever.
 */
static void pages_in_place(void)
{
	close(must_open_lens(files[0], O_RDONLY));
	MUST(!mlockall(MCL_CURRENT));
}

/* Opens before the limit is there, as an open may allocate; then only reads. */
static void __noreturn reader(struct shared *s, const char *cgroup)
{
	static int fds[OPEN];
	unsigned int i;
	loff_t at;
	ssize_t n;

	MUST_OK(cg_attach(cgroup, 0));
	pages_in_place();
	s->ready = 1;
	while (!s->open)
		usleep(1000);
	for (i = 0; i < OPEN; i++)
		fds[i] = must_open_lens(files[i % ARRAY_SIZE(files)], O_RDONLY);
	s->opened = 1;
	while (!s->go)
		usleep(1000);
	for (i = 0; i < OPEN; i++) {
		for (at = 0; (n = pread(fds[i], buf, sizeof(buf), at)) > 0; at += n)
			;
		s->read[i % ARRAY_SIZE(files)] += n == 0 || errno == ENOMEM;
	}
	s->done = 1;
	for (;;)
		pause();
}

#define FULL_PAGES	4096
#define FULL_OPEN	100

/* Opens all it can, in a cgroup at its limit in which no task may be killed. */
static void __noreturn opener(struct shared *s, const char *cgroup)
{
	static int fds[FULL_OPEN];
	char path[ARRAY_SIZE(files)][256];
	int i, n = 0;

	for (i = 0; i < (int)ARRAY_SIZE(files); i++)
		snprintf(path[i], sizeof(path[i]), "%s", lens_path(files[i]));

	MUST_OK(write_file("/proc/self/oom_score_adj", "-1000"));
	MUST_OK(cg_attach(cgroup, 0));
	pages_in_place();
	s->ready = 1;
	while (!s->go)
		usleep(1000);
	for (i = 0; i < FULL_OPEN; i++) {
		fds[n] = open(path[i % ARRAY_SIZE(files)], O_RDONLY | O_CLOEXEC);
		if (fds[n] >= 0)
			n++;
		else
			s->failed++;
	}
	s->opened = n;
	while (n)
		close(fds[--n]);
	s->done = 1;
	_exit(0);
}

static long long references(void)
{
	return file_number("/sys/module/oomlens/refcnt");
}

/* What an open takes before it fails is given back: the module can be unloaded. */
static void test_failed(struct shared *s)
{
	long long before = references();
	char *cgroup = must_limit("full", FULL_PAGES);
	pid_t pid;

	memset(s, 0, sizeof(*s));
	pid = must_fork();
	if (!pid)
		opener(s, cgroup);
	MUST(wait_until(s->ready, PATIENCE_MS));
	MUST_OK(cg_limit(cgroup, cg_usage(cgroup)));
	s->go = 1;
	EXPECT_TRUE(wait_until(s->done, PATIENCE_MS));
	ksft_print_msg("%d opened, %d failed\n", s->opened, s->failed);
	EXPECT_GT(s->failed, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_TRUE(wait_until(references() == before, PATIENCE_MS));
	test_done("an open that fails leaves no reference to the module");
	free(cgroup);
}

int main(void)
{
	struct hog hog;
	struct hog_spec spec = { .anon = HOG_PAGES, .adj = 500 };
	struct shared *s;
	long long kills, before;
	unsigned int i;
	char *cgroup;
	pid_t pid;

	test_begin(0);
	if (cg_version() != 2)
		ksft_exit_skip("no cgroup v2\n");
	ksft_set_plan(3 + ARRAY_SIZE(files));
	s = must_share(sizeof(*s));
	oom_settings();
	cgroup = must_limit("limit", LIMIT_PAGES);
	spec.cgroup = cgroup;
	must_hog(&hog, &spec);
	pid = must_fork();
	if (!pid)
		reader(s, cgroup);
	MUST(wait_until(s->ready, PATIENCE_MS));
	before = cg_usage(cgroup);
	s->open = 1;
	MUST(wait_until(s->opened, PATIENCE_MS));
	/* A buffer each, and a meminfo's for overcommit and memory. */
	EXPECT_GE(cg_usage(cgroup) - before,
		  OPEN + 2 * EACH - STOCK_PAGES);
	test_done("what an open file takes is charged");
	kills = cg_oom_kills(cgroup);
	MUST_OK(cg_limit(cgroup, cg_usage(cgroup)));
	s->go = 1;
	EXPECT_TRUE(wait_until(s->done, PATIENCE_MS));
	EXPECT_EQ(cg_oom_kills(cgroup), kills);
	EXPECT_FALSE(hog_gone(&hog));
	test_done("reads in a cgroup at its limit kill no task");
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		EXPECT_EQ(s->read[i], EACH);
		test_done("%s is read to its end or says ENOMEM", files[i]);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	hog_end(&hog);
	test_failed(s);
	test_end();
}
