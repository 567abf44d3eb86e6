// SPDX-License-Identifier: GPL-2.0
/*
 * A writer that is preempted with pressure's lock, for as long as the test wants: the
 * OOM notifier, which has the kernel's oom_lock, does not wait for it, and gives
 * back what the run holds; and a cgroup has room after its kill although the kworker
 * that gives back has to wait. Judged by the allocation, which returns while the lock
 * is held, by /proc/vmstat and the cgroup's count. oomlens_block.ko holds the lock.
 */
#include <signal.h>
#include <sys/utsname.h>

#include "lib/cgroup.h"
#include "lib/expect.h"
#include "lib/free.h"
#include "lib/loader.h"
#include "lib/writer.h"

#define BLOCK		"/sys/module/oomlens_block/parameters/"
#define TAKEN_PAGES	8192
#define SPARE		4	/* tasks for kills that there should be none of */
/* A CPU keeps up to 64 pages of a cgroup. */
#define GROW_PAGES	128
#define GROWS		64

static long long number(const char *path)
{
	return file_number(path);
}

static void must_hold(void)
{
	MUST_OK(write_file(BLOCK "hold", "1"));
	MUST(wait_until(number(BLOCK "held") == 1, PATIENCE_MS));
}

/* An allocation of this task calls the OOM killer; no other task's does. */
static void run_out(const char *way)
{
	unsigned int tries = 5;

	do {
		MUST_OK(write_file(SHORTAGE "run", way));
	} while (number(SHORTAGE "others") && --tries);
	EXPECT_EQ(number(SHORTAGE "others"), 0);
	EXPECT_GE(number(SHORTAGE "calls"), 1);
}

static void test_not_waited_for(void)
{
	long long kills = kernel_kills();

	must_hold();
	run_out("other");
	EXPECT_EQ(number(BLOCK "held"), 1);
	EXPECT_EQ(number(BLOCK "expired"), 0);
	EXPECT_EQ(kernel_kills(), kills);
	MUST_OK(write_file(BLOCK "hold", "0"));
	test_done("an OOM does not wait for a writer that is preempted");
}

/* In uninterruptible sleep. */
static bool waits(pid_t pid)
{
	char path[64], *text, *state;
	bool yes;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = read_file(path);
	state = text ? strrchr(text, ')') : NULL;
	yes = state && !strncmp(state, ") D", 3);
	free(text);
	return yes;
}

/* The run is over, and its writer waits for the lock with the memory still taken. */
static void test_given(void)
{
	long long kills = kernel_kills(), before = free_memory_kb();
	long long taken_kb = TAKEN_PAGES * (long long)page_size() / 1024;
	char command[64];
	pid_t writer;

	snprintf(command, sizeof(command), "pressure limit=%lldK hold=60000", taken_kb);
	writer = writer_start(command, NULL);
	EXPECT_TRUE(wait_until(before - free_memory_kb() > taken_kb * 9 / 10, PATIENCE_MS));
	must_hold();
	kill(writer, SIGTERM);
	EXPECT_TRUE(wait_until(waits(writer), PATIENCE_MS));
	run_out("plain");
	EXPECT_EQ(number(BLOCK "held"), 1);
	EXPECT_EQ(kernel_kills(), kills);
	MUST_OK(write_file(BLOCK "hold", "0"));
	EXPECT_EQ(writer_end(writer), SIGTERM);
	test_done("and takes what the writer's run holds: no task dies");
}

static unsigned int gone_of(struct hog *victims)
{
	unsigned int i, n = 0;

	for (i = 0; i < SPARE; i++)
		n += hog_gone(&victims[i]);
	return n;
}

/*
 * The kill is of a task that has next to nothing, and another goes on: but for the
 * run's pages it would need a second kill, and a third.
 */
static void test_room(void)
{
	char *cg = must_limit("room", 4 * TAKEN_PAGES);
	const struct hog_spec small = { .anon = 4, .adj = 1000, .comm = "small", .cgroup = cg };
	const struct hog_spec server = { .anon = 4, .adj = OOM_ADJ_NEVER, .comm = "server",
					 .cgroup = cg };
	long long taken_kb = TAKEN_PAGES * (long long)page_size() / 1024;
	struct hog victims[SPARE], asker;
	char command[80];
	unsigned int i;
	pid_t writer;

	for (i = 0; i < SPARE; i++)
		must_hog(&victims[i], &small);
	must_hog(&asker, &server);
	snprintf(command, sizeof(command), "pressure outcome=kill memcg limit=%lldK hold=60000",
		 taken_kb);
	writer = writer_start(command, cg);
	EXPECT_TRUE(wait_until(cg_usage(cg) >= TAKEN_PAGES, PATIENCE_MS));
	must_hold();
	/* What the cgroup has is in use from here on, but for what the CPUs keep of it. */
	EXPECT_OK(cg_limit(cg, cg_usage(cg)));
	for (i = 0; i < GROWS && !cg_oom_kills(cg); i++)
		EXPECT_OK(hog_do(&asker, HOG_GROW, GROW_PAGES));
	EXPECT_OK(hog_do(&asker, HOG_GROW, GROW_PAGES));
	EXPECT_EQ(number(BLOCK "held"), 1);
	EXPECT_EQ(cg_oom_kills(cg), 1);
	EXPECT_TRUE(wait_until(gone_of(victims), PATIENCE_MS));
	EXPECT_EQ(gone_of(victims), 1);
	MUST_OK(write_file(BLOCK "hold", "0"));
	EXPECT_EQ(writer_end(writer), 0);
	test_done("a cgroup's kill: there is room at once, no second task dies");
	for (i = 0; i < SPARE; i++)
		hog_end(&victims[i]);
	hog_end(&asker);
	cg_remove(cg);
	free(cg);
}

/* There no page can be freed at the mark. */
static bool rt_before_7(void)
{
	struct utsname u;

	return !uname(&u) && strstr(u.version, "PREEMPT_RT") && atoi(u.release) < 7;
}

int main(void)
{
	const struct hog_spec spec = { .anon = 1000, .adj = 1000, .comm = "spare" };
	struct hog spare[SPARE];
	unsigned int i;

	test_begin(0);
	needs_trigger("notifier");
	needs_shortage();
	ksft_set_plan(3);
	if (!loader_helper("oomlens_block", "")) {
		test_skip(3, "no return probe\n");
		test_end();
	}
	oom_settings();
	for (i = 0; i < SPARE; i++)
		must_hog(&spare[i], &spec);
	/* The first OOM shows which lock it is. */
	run_out("other");
	MUST(number(BLOCK "found") == 1);
	test_not_waited_for();
	test_given();
	if (cg_version() && !rt_before_7())
		test_room();
	else
		test_skip(1, cg_version() ? "PREEMPT_RT before 7.0\n" : "no memory cgroups\n");
	for (i = 0; i < SPARE; i++)
		hog_end(&spare[i]);
	loader_no_helper("oomlens_block");
	loader_no_helper("oomlens_shortage");
	test_end();
}
