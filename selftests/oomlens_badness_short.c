// SPDX-License-Identifier: GPL-2.0
/*
 * badness where its memory cannot be had: the first 12 ranks from the table that
 * was set aside, for one open file at a time; ENOMEM for the next; and the OOM
 * killer is not run for it.
 *
 * All memory is put out of reach by vm.min_free_kbytes: then the page allocator
 * refuses everyone, and kills, unless told not to. oomlens_shortage.ko calls that
 * off meanwhile, whoever else asks for memory, and counts this program's calls.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/loader.h"

#define TASKS		200
#define SPARE_ROWS	12	/* module/ABI: the first 12 ranks */
#define ADJ_MOST	900
#define MIN_FREE	"/proc/sys/vm/min_free_kbytes"
#define TEXT_MAX	(256 << 10)

#define GUARD_MS	60000	/* far more than all of it takes */
#define COME_AND_GO	8	/* tasks of others, between two readings */

/* What a read gave; all memory for it is touched beforehand. */
struct reading {
	int fd;
	int err;
	char text[TEXT_MAX];
};

static struct reading first, second, commit;
static char all[16], before[16];

static void open_lens(struct reading *r, const char *file)
{
	r->fd = open(lens_path(file), O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		ksft_exit_fail_msg("%s: %s\n", file, strerror(errno));
}

static void take(struct reading *r)
{
	size_t used = 0;
	ssize_t n = pread(r->fd, r->text, 1, 0);

	r->err = n < 0 ? -errno : 0;
	while (n > 0) {
		used += n;
		n = pread(r->fd, r->text + used, TEXT_MAX - 1 - used, used);
	}
	r->text[used] = '\0';
}

static struct table *table_of(const struct reading *r)
{
	return r->err ? NULL : table_parse(strdup(r->text));
}

/*
 * Puts it right if a reading does not come back. Before mlockall(): whose pages
 * are shared with a child needs others to write to.
 */
static pid_t guard_start(int min_free)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (mlockall(MCL_CURRENT))
		_exit(1);
	nap_ms(GUARD_MS);
	_exit(pwrite(min_free, before, strlen(before), 0) < 0);
}

/* Nothing here may need a page that is not there yet. */
static void take_without_memory(int min_free)
{
	bool short_now = pwrite(min_free, all, strlen(all), 0) > 0;

	take(&first);
	take(&second);
	take(&commit);
	if (pwrite(min_free, before, strlen(before), 0) < 0 || !short_now)
		ksft_exit_fail_msg("%s: %s\n", MIN_FREE, strerror(errno));
}

static bool is_complete(struct table *t)
{
	long long complete = -1;

	return t && table_header(t, "complete", &complete) && complete == 1;
}

/* The same tasks in the same order, and no more of them. */
static bool first_ranks(struct table *whole, struct table *part)
{
	unsigned int i;

	if (!whole || !part || part->rows != SPARE_ROWS || whole->rows <= SPARE_ROWS)
		return false;
	for (i = 0; i < SPARE_ROWS; i++) {
		long long want = table_number(whole, i, "pid");
		long long got = table_number(part, i, "pid");

		if (want == got && table_number(part, i, "rank") == i + 1)
			continue;
		ksft_print_msg("rank %u: %lld, not %lld\n", i + 1, got, want);
		return false;
	}
	return true;
}

/* Where it notes who allocated, it does so by GFP flags of its own. */
static bool has_kasan(void)
{
	char *symbols = read_file("/proc/kallsyms");
	bool has = symbols && strstr(symbols, " kasan_report\n");

	free(symbols);
	return has;
}

int main(void)
{
	static pid_t pids[TASKS], guard;
	long long complete = -1, tasks = 0, all_tasks = 0;
	struct table *whole, *part;
	char pid[16];
	long long calls;
	int min_free, i;
	bool good;

	test_begin(0);
	if (has_kasan())
		ksft_exit_skip("KASAN takes memory of its own, and may kill for it\n");
	if (!loader_helper("oomlens_shortage", ""))
		ksft_exit_skip("no oomlens_shortage.ko: build with OOMLENS_TESTS=1\n");
	ksft_set_plan(5);
	/* Put back at the end, whatever comes between. */
	snprintf(before, sizeof(before), "%lld", file_number(MIN_FREE));
	snprintf(all, sizeof(all), "%lld", meminfo_kb("MemTotal"));
	setting_write(MIN_FREE, before);
	min_free = open(MIN_FREE, O_WRONLY | O_CLOEXEC);
	/* Each a step behind the next, so that no counter's drift swaps two. */
	if (min_free < 0 || idle_start(pids, TASKS))
		ksft_exit_fail_msg("cannot begin: %s\n", strerror(errno));
	for (i = 0; i < TASKS; i++)
		if (set_adj(pids[i], ADJ_MOST - 2 * i))
			ksft_exit_fail_msg("oom_score_adj: %s\n", strerror(errno));
	open_lens(&first, "badness");
	open_lens(&second, "badness");
	open_lens(&commit, "commit");
	guard = guard_start(min_free);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		ksft_exit_fail_msg("mlockall: %s\n", strerror(errno));
	/* The buffer that a file is printed into is kept: let it be there. */
	take(&commit);
	take(&second);
	take(&first);
	whole = table_of(&first);
	if (!is_complete(whole) || !table_header(whole, "tasks", &all_tasks))
		ksft_exit_fail_msg("badness is not whole to begin with\n");

	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(SHORTAGE "avert", pid);
	take_without_memory(min_free);
	write_file(SHORTAGE "avert", "0");
	calls = file_number(SHORTAGE "calls");
	kill(guard, SIGKILL);
	waitpid(guard, NULL, 0);

	part = table_of(&first);
	good = part && table_header(part, "complete", &complete) && !complete &&
	       table_header(part, "tasks", &tasks) &&
	       llabs(tasks - all_tasks) <= COME_AND_GO;
	if (!good)
		ksft_print_msg("error %d, complete %lld, tasks %lld, before %lld\n", first.err,
			       complete, tasks, all_tasks);
	ksft_test_result(good && first_ranks(whole, part),
			 "no memory: the first ranks, and complete 0\n");
	table_free(part);
	ksft_test_result(second.err == -ENOMEM, "one table is set aside: the next has ENOMEM, %d\n",
			 second.err);
	/* Its buffer may lie in high memory, which the kernel's own shortage leaves alone. */
	if (!commit.err && meminfo_kb("HighTotal") > 0)
		ksft_test_result_skip("commit: there is high memory\n");
	else
		ksft_test_result(commit.err == -ENOMEM, "commit: ENOMEM, %d\n", commit.err);
	ksft_test_result(!calls, "no read ran the OOM killer, %lld\n", calls);

	/* The next snapshot of the first gives the table back. */
	take(&first);
	take(&second);
	take(&commit);
	part = table_of(&second);
	table_free(whole);
	whole = table_of(&first);
	ksft_test_result(is_complete(whole) && is_complete(part) && !commit.err,
			 "the memory is back: the same files show all\n");
	table_free(whole);
	table_free(part);
	idle_end(pids, TASKS);
	loader_no_helper("oomlens_shortage");
	ksft_exit(!ksft_get_fail_cnt());
}
