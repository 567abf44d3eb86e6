// SPDX-License-Identifier: GPL-2.0
/*
 * "kill pid=N" takes N and no other task: random targets among many processes of
 * random size, adj and threads, in a row; and targets that die by another hand
 * at the very moment. Judged by the exit status of every process and by the
 * kernel's own count of its kills.
 * $OOMLENS_KILLS sets the number (50), $OOMLENS_SEED repeats a run.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/expect.h"

#define TARGETS		100

static struct hog hogs[TARGETS];
static unsigned long long seed;

static void start(struct hog *h)
{
	/* The kernel's own choice must be another than ours, most of the time. */
	struct hog_spec spec = {
		.anon = rnd_range(&seed, 1, 200),
		.adj = (int)rnd_range(&seed, 0, 1900) - 900,
		.threads = rnd_range(&seed, 0, 3) ? 0 : 3,
		.comm = "target",
	};

	must_hog(h, &spec);
}

/* All but @but are there. */
static void expect_others(const struct hog *but)
{
	unsigned int i;

	for (i = 0; i < TARGETS; i++) {
		if (&hogs[i] == but)
			continue;
		expect_of("bystander %d", hogs[i].pid);
		if (!EXPECT_FALSE(hog_gone(&hogs[i])))
			start(&hogs[i]);
	}
}

static void expect_none_flagged(void)
{
	struct table *t = must_table("badness");
	unsigned int i;

	for (i = 0; i < t->rows; i++) {
		expect_of("pid %s", table_cell(t, i, "pid"));
		EXPECT_TRUE(strcmp(table_cell(t, i, "verdict"), "origin"));
	}
	table_free(t);
}

static void kill_one(void)
{
	struct hog *h = &hogs[rnd_range(&seed, 0, TARGETS - 1)];
	long long before = kernel_kills();

	expect_of("target %d", h->pid);
	EXPECT_OK(lens_command("trigger", "kill pid=%d\n", h->pid));
	EXPECT_TRUE(wait_until(hog_killed(h), PATIENCE_MS));
	EXPECT_EQ(kernel_kills(), before + 1);
	expect_others(h);
	hog_end(h);
	start(h);
}

struct rival {
	pid_t pid;
	unsigned long spin;
};

static void *kill_at_once(void *arg)
{
	const struct rival *r = arg;
	volatile unsigned long i;

	for (i = 0; i < r->spin; i++)
		;
	kill(r->pid, SIGKILL);
	return NULL;
}

/* Another task kills the target too, before, while or after we ask. */
static void kill_racing(unsigned int *ours)
{
	struct hog *h = &hogs[rnd_range(&seed, 0, TARGETS - 1)];
	struct rival r = { .pid = h->pid, .spin = rnd_range(&seed, 0, 1500000) };
	long long before = kernel_kills();
	pthread_t thread;
	int err;

	MUST_OK(pthread_create(&thread, NULL, kill_at_once, &r));
	err = lens_command("trigger", "kill pid=%d\n", h->pid);
	pthread_join(thread, NULL);
	expect_of("target %d, kill gave %d", h->pid, err);
	EXPECT_TRUE(!err || err == -ESRCH);
	EXPECT_TRUE(wait_until(hog_gone(h), PATIENCE_MS));
	EXPECT_LE(kernel_kills() - before, 1);
	*ours += !err;
	expect_others(h);
	hog_end(h);
	start(h);
}

int main(void)
{
	unsigned long kills = env_number("OOMLENS_KILLS", 50), i;
	unsigned int ours = 0;

	test_begin(0);
	needs_trigger("sysrq");
	ksft_set_plan(3);
	oom_settings();
	seed = test_seed();
	for (i = 0; i < TARGETS; i++)
		start(&hogs[i]);

	for (i = 0; i < kills && !expect_failed(); i++)
		kill_one();
	test_done("%lu of %lu kills took the one named and no other", i, kills);

	for (i = 0; i < kills / 2 && !expect_failed(); i++)
		kill_racing(&ours);
	EXPECT_GT(ours, 0);
	test_done("%lu kills of a task that was dying took no other (%u in time)", i, ours);
	expect_none_flagged();
	test_done("no process is left flagged");
	for (i = 0; i < TARGETS; i++)
		hog_end(&hogs[i]);
	test_end();
}
