// SPDX-License-Identifier: GPL-2.0
/*
 * "kill pid=N" takes N and nobody else: random targets among many processes of
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
	int err = hog_start(h, &spec);

	if (err)
		ksft_exit_fail_msg("cannot make a target: %s\n", strerror(-err));
}

/* All but @but are there. */
static bool others_live(const struct hog *but)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < TARGETS; i++) {
		if (&hogs[i] == but || !hog_gone(&hogs[i]))
			continue;
		ksft_print_msg("process %d died, who was not asked for\n", hogs[i].pid);
		start(&hogs[i]);
		good = false;
	}
	return good;
}

static bool nobody_flagged(void)
{
	struct table *t = table_read(lens_path("badness"));
	bool good = t;
	unsigned int i;

	for (i = 0; t && i < t->rows; i++)
		if (!strcmp(table_cell(t, i, "verdict"), "origin"))
			good = false;
	table_free(t);
	return good;
}

static bool kill_one(void)
{
	struct hog *h = &hogs[rnd_range(&seed, 0, TARGETS - 1)];
	long long before = kernel_kills();
	int err = lens_command("trigger", "kill pid=%d\n", h->pid);
	bool good;

	good = !err && wait_until(hog_killed(h), PATIENCE_MS) &&
	       kernel_kills() == before + 1;
	if (!good)
		ksft_print_msg("kill pid=%d: %d, %s, the kernel counts %lld\n", h->pid, err,
			       hog_gone(h) ? "gone" : "alive", kernel_kills() - before);
	good &= others_live(h);
	hog_end(h);
	start(h);
	return good;
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

/* The target is killed by somebody else, before, while or after we ask. */
static bool kill_racing(unsigned int *ours)
{
	struct hog *h = &hogs[rnd_range(&seed, 0, TARGETS - 1)];
	struct rival r = { .pid = h->pid, .spin = rnd_range(&seed, 0, 200000) };
	long long before = kernel_kills();
	pthread_t thread;
	bool good;
	int err;

	if (pthread_create(&thread, NULL, kill_at_once, &r))
		ksft_exit_fail_msg("cannot make a thread\n");
	err = lens_command("trigger", "kill pid=%d\n", h->pid);
	pthread_join(thread, NULL);
	good = (!err || err == -ESRCH) && wait_until(hog_gone(h), PATIENCE_MS) &&
	       kernel_kills() - before <= 1;
	if (!good)
		ksft_print_msg("kill pid=%d: %d, %s, the kernel counts %lld\n", h->pid, err,
			       hog_gone(h) ? "gone" : "alive", kernel_kills() - before);
	*ours += !err;
	good &= others_live(h);
	hog_end(h);
	start(h);
	return good;
}

int main(void)
{
	unsigned long kills = env_number("OOMLENS_KILLS", 50), i;
	unsigned int ours = 0;
	bool good = true;

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("sysrq"))
		ksft_exit_skip("needs debugfs, sysrq and trigger=1\n");
	ksft_set_plan(3);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/kernel/printk", "1");
	seed = test_seed();
	for (i = 0; i < TARGETS; i++)
		start(&hogs[i]);

	for (i = 0; i < kills; i++)
		good &= kill_one();
	ksft_test_result(good, "%lu of %lu kills took the one named and no other\n",
			 good ? kills : 0, kills);

	good = true;
	for (i = 0; i < kills / 2; i++)
		good &= kill_racing(&ours);
	ksft_test_result(good, "%lu kills of who was dying already took no other (%u in time)\n",
			 kills / 2, ours);
	ksft_test_result(nobody_flagged(), "no process is left flagged\n");
	for (i = 0; i < TARGETS; i++)
		hog_end(&hogs[i]);
	ksft_exit(!ksft_get_fail_cnt());
}
