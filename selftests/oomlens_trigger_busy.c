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

/* One run, held, with every way to disturb it tried; it ends by @sig or alone. */
static bool disturb(const char *command, int sig)
{
	long long free_kb = free_memory_kb(), slack = meminfo_kb("MemTotal") / 100;
	pid_t pid = writer_start(command, NULL);
	bool good = wait_until(lens_key("trigger", "running") == 1, PATIENCE_MS);
	int i, err = 0, busy = 0, bad = 0;

	for (i = 0; good && i < 20; i++) {
		err = unload();
		if (err != -EWOULDBLOCK && err != -EBUSY)
			break;
		busy = lens_command("trigger", "pressure limit=1M\n");
		/* What is malformed is so at any time. */
		bad = lens_command("trigger", i % 2 ? "pressure leave=x\n" : "kill pid=0\n");
		if (busy != -EBUSY || bad != -EINVAL || lens_key("trigger", "running") != 1)
			break;
		nap_ms(10);
	}
	if (i < 20) {
		ksft_print_msg("after %d tries rmmod gave %d, a second writer %d, a malformed line %d\n",
			       i, err, busy, bad);
		good = false;
	}
	good &= loader_whole();
	if (sig)
		kill(pid, sig);
	err = writer_end(pid);
	if (sig ? err != sig && err != -EINTR : err) {
		ksft_print_msg("the disturbed run gave %d\n", err);
		good = false;
	}
	return good && wait_until(free_memory_kb() > free_kb - slack, PATIENCE_MS);
}

static bool reload(const char *parameters)
{
	int err = loader_unload();
	bool good = !err && loader_traceless();

	if (!good)
		ksft_print_msg("unload gave %d, or something is left\n", err);
	err = good ? loader_load(parameters) : 0;
	if (err)
		ksft_print_msg("load gave %d\n", err);
	return good && !err && loader_whole();
}

static void test_unload(void)
{
	char parameters[256];

	snprintf(parameters, sizeof(parameters), "%s", loader_parameters());
	ksft_test_result(disturb("pressure limit=8M hold=1500", 0),
			 "while a run goes on: rmmod is refused, a second run is EBUSY, a malformed line EINVAL\n");
	ksft_test_result(reload(parameters), "after it rmmod works\n");
	ksft_test_result(disturb("pressure limit=8M hold=60000", SIGKILL) && reload(parameters),
			 "and after one whose writer was killed\n");
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
	long long free_kb = free_memory_kb(), slack = meminfo_kb("MemTotal") / 100;
	long long bytes = lens_key("stats", "memory_bytes");
	pid_t pids[WRITERS];
	bool good = true;

	memset(tally, 0, sizeof(*tally));
	fflush(stdout);
	for (i = 0; i < WRITERS; i++) {
		unsigned long long state = rnd(&seed);

		pids[i] = fork();
		if (!pids[i]) {
			write_many(writes / WRITERS, state);
			_exit(0);
		}
	}
	for (i = 0; i < WRITERS; i++)
		good &= writer_end(pids[i]) == 0;
	good &= !tally->other && tally->ran && tally->busy &&
		tally->written >= (int)(writes / WRITERS * WRITERS) &&
		tally->ran + tally->busy == tally->written;
	if (!good)
		ksft_print_msg("%d ran, %d were busy, one gave %d\n", tally->ran, tally->busy,
			       tally->other);
	good &= lens_key("trigger", "running") == 0 && !hog_gone(&bystander) &&
		lens_key("stats", "memory_bytes") == bytes &&
		wait_until(free_memory_kb() > free_kb - slack, PATIENCE_MS);
	ksft_test_result(good, "%lu writes by %d writers: each ran or was told EBUSY\n", writes,
			 WRITERS);
}

/* Whichever was last, the reserve is what one of them wrote, to the page. */
static void test_reserve(void)
{
	static const unsigned long mib[] = { 1, 2, 3, 4 };
	long long free_kb = free_memory_kb(), slack = meminfo_kb("MemTotal") / 100, target;
	pid_t pids[ARRAY_SIZE(mib)];
	bool good = true;
	unsigned int i, j;

	fflush(stdout);
	for (i = 0; i < ARRAY_SIZE(mib); i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (j = 0; j < 25; j++)
			if (lens_command("reserve", "%luM\n", mib[i]))
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < ARRAY_SIZE(mib); i++)
		good &= writer_end(pids[i]) == 0;
	target = lens_key("reserve", "target") * (long long)page_size();
	good &= target >= 1 << 20 && target <= 4 << 20 && !(target % (1 << 20)) &&
		wait_until(lens_key("reserve", "held") * (long long)page_size() == target,
			   PATIENCE_MS);
	if (!good)
		ksft_print_msg("target %lld bytes, held %lld pages\n", target,
			       lens_key("reserve", "held"));
	good &= !lens_command("reserve", "0\n") && lens_key("reserve", "held") == 0 &&
		wait_until(free_memory_kb() > free_kb - slack, PATIENCE_MS);
	ksft_test_result(good, "a reserve set by four at once is one of theirs\n");
}

int main(void)
{
	const struct hog_spec spec = { .anon = 1000, .comm = "bystander" };

	test_begin(0);
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature("notifier"))
		ksft_exit_skip("needs debugfs, the OOM notifier and trigger=1\n");
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
	ksft_set_plan(5);
	reload_at_end(loader_ko(), loader_parameters());
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (tally == MAP_FAILED || hog_start(&bystander, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	seed = test_seed();
	test_unload();
	test_writers();
	test_reserve();
	hog_end(&bystander);
	ksft_exit(!ksft_get_fail_cnt());
}
