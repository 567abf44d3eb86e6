// SPDX-License-Identifier: GPL-2.0
/*
 * Several at once: while a run goes on the module cannot be unloaded and no
 * second one begins; of many writers one runs at a time; and when they are done,
 * or killed, the module goes as if nothing had been.
 * $OOMLENS_WRITERS (100) is how many writes, $OOMLENS_SEED repeats a run.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/free.h"
#include "lib/loader.h"
#include "lib/writer.h"

#define WRITERS	8

static unsigned long long seed;
static struct hog bystander;

static int unload(void)
{
	return syscall(SYS_delete_module, "oomlens", O_NONBLOCK) ? -errno : 0;
}

/* At most 1% of the machine's memory is missing. */
static void expect_free(long long free_kb)
{
	EXPECT_TRUE(wait_until(free_memory_kb() > free_kb - meminfo_kb("MemTotal") / 100,
			       PATIENCE_MS));
}

/* One run, held, with every way to disturb it tried; it ends by @sig or alone. */
static void disturb(const char *command, int sig)
{
	long long free_kb = free_memory_kb();
	pid_t pid = writer_start(command, NULL);
	int i, err;

	EXPECT_TRUE(wait_until(lens_key("trigger", "running") == 1, PATIENCE_MS));
	for (i = 0; !expect_failed() && i < 20; i++) {
		expect_of("try %d", i);
		err = unload();
		EXPECT_TRUE(err == -EWOULDBLOCK || err == -EBUSY);
		EXPECT_EQ(lens_command("trigger", "pressure limit=1M\n"), -EBUSY);
		/* A malformed line is refused as such at any time. */
		EXPECT_EQ(lens_command("trigger", i % 2 ? "pressure leave=x\n" : "kill pid=0\n"),
			  -EINVAL);
		EXPECT_EQ(lens_key("trigger", "running"), 1);
		nap_ms(10);
	}
	EXPECT_TRUE(loader_whole());
	if (sig)
		kill(pid, sig);
	err = writer_end(pid);
	expect_of("the run's end %d", err);
	EXPECT_TRUE(sig ? err == sig || err == -EINTR : !err);
	expect_free(free_kb);
}

static void reload(const char *parameters)
{
	EXPECT_OK(loader_unload());
	EXPECT_TRUE(loader_traceless());
	EXPECT_OK(loader_load(parameters));
	EXPECT_TRUE(loader_whole());
}

static void test_unload(void)
{
	char parameters[256];

	snprintf(parameters, sizeof(parameters), "%s", loader_parameters());
	disturb("pressure limit=8M hold=1500", 0);
	test_done("while a run goes on: rmmod is refused, a second run is EBUSY, a malformed line EINVAL");
	reload(parameters);
	test_done("after it rmmod works");
	disturb("pressure limit=8M hold=60000", SIGKILL);
	reload(parameters);
	test_done("and after one whose writer was killed");
}

/* Shared with the writers: how many of them are in a run by their own account. */
static struct tally {
	int written, ran, busy, other;
} *tally;

/* On until one has met another: a short run can be over within a time slice. */
static void write_many(unsigned long writes, unsigned long long state)
{
	unsigned long long until = now_ns() + PATIENCE_MS * 1000000ULL;
	unsigned long i;
	int err;

	for (i = 0; i < writes || (!__atomic_load_n(&tally->busy, __ATOMIC_RELAXED) &&
				   now_ns() < until); i++) {
		err = lens_command("trigger", "pressure limit=%luK\n",
				   rnd_range(&state, 4, 4096));
		if (err == -ENOSPC)
			__atomic_add_fetch(&tally->ran, 1, __ATOMIC_RELAXED);
		else if (err == -EBUSY)
			__atomic_add_fetch(&tally->busy, 1, __ATOMIC_RELAXED);
		else
			tally->other = err;
	}
	__atomic_add_fetch(&tally->written, i, __ATOMIC_RELAXED);
}

static void test_writers(void)
{
	unsigned long writes = env_number("OOMLENS_WRITERS", 100), i;
	long long free_kb = free_memory_kb(), bytes = lens_key("stats", "memory_bytes");
	pid_t pids[WRITERS];

	memset(tally, 0, sizeof(*tally));
	for (i = 0; i < WRITERS; i++) {
		unsigned long long state = rnd(&seed);

		pids[i] = must_fork();
		if (!pids[i]) {
			write_many(writes / WRITERS, state);
			_exit(0);
		}
	}
	for (i = 0; i < WRITERS; i++)
		EXPECT_OK(writer_end(pids[i]));
	EXPECT_EQ(tally->other, 0);
	EXPECT_GT(tally->ran, 0);
	EXPECT_GT(tally->busy, 0);
	EXPECT_GE(tally->written, writes / WRITERS * WRITERS);
	EXPECT_EQ(tally->ran + tally->busy, tally->written);
	EXPECT_EQ(lens_key("trigger", "running"), 0);
	EXPECT_FALSE(hog_gone(&bystander));
	EXPECT_EQ(lens_key("stats", "memory_bytes"), bytes);
	expect_free(free_kb);
	test_done("%lu writes by %d writers: each ran or was told EBUSY", writes, WRITERS);
}

/* Whichever was last, the reserve is what one of them wrote, to the page. */
static void test_reserve(void)
{
	static const unsigned long mib[] = { 1, 2, 3, 4 };
	long long free_kb = free_memory_kb(), target;
	pid_t pids[ARRAY_SIZE(mib)];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(mib); i++) {
		pids[i] = must_fork();
		if (pids[i])
			continue;
		for (j = 0; j < 25; j++)
			if (lens_command("reserve", "%luM\n", mib[i]))
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < ARRAY_SIZE(mib); i++)
		EXPECT_OK(writer_end(pids[i]));
	target = lens_key("reserve", "target") * (long long)page_size();
	EXPECT_IN(target, 1 << 20, 4 << 20);
	EXPECT_EQ(target % (1 << 20), 0);
	EXPECT_TRUE(wait_until(lens_key("reserve", "held") * (long long)page_size() == target,
			       PATIENCE_MS));
	EXPECT_OK(lens_command("reserve", "0\n"));
	EXPECT_EQ(lens_key("reserve", "held"), 0);
	expect_free(free_kb);
	test_done("a reserve set by four at once is one of theirs");
}

int main(void)
{
	const struct hog_spec spec = { .anon = 1000, .comm = "bystander" };

	test_begin(0);
	needs_trigger("notifier");
	needs_ko();
	ksft_set_plan(5);
	restore_at_end();
	tally = must_share(sizeof(*tally));
	must_hog(&bystander, &spec);
	seed = test_seed();
	test_unload();
	test_writers();
	test_reserve();
	hog_end(&bystander);
	test_end();
}
