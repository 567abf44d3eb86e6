// SPDX-License-Identifier: GPL-2.0
/*
 * badness where its memory cannot be had: the first 12 ranks from the table that
 * was set aside, for one open file at a time; ENOMEM for the next; and the OOM
 * killer is not run for it.
 *
 * vm.min_free_kbytes puts all memory out of reach: then the page allocator
 * refuses every task, and kills, unless told not to. Meanwhile oomlens_shortage.ko
 * averts every OOM and counts this program's calls.
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
#define COME_AND_GO	8	/* other tasks, between two readings */

/* The result of a read; its memory is touched beforehand. */
struct reading {
	int fd;
	int err;
	char text[TEXT_MAX];
};

static struct reading first, second, commit;
static char all[16], before[16];

static void open_lens(struct reading *r, const char *file)
{
	r->fd = must_open_lens(file, O_RDONLY);
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
 * Puts it right if a reading does not come back. Before mlockall(): after a fork
 * this program would need new pages to write to those that it shares.
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

/* Nothing in here may fault in a page. */
static void take_without_memory(int min_free)
{
	bool short_now = pwrite(min_free, all, strlen(all), 0) > 0;

	take(&first);
	take(&second);
	take(&commit);
	MUST(pwrite(min_free, before, strlen(before), 0) > 0);
	MUST(short_now);
}

/* The same tasks in the same order, and no more of them. */
static void expect_first_ranks(struct table *whole, struct table *part)
{
	unsigned int i;

	EXPECT_EQ(part ? part->rows : 0, SPARE_ROWS);
	EXPECT_GT(whole->rows, SPARE_ROWS);
	for (i = 0; i < SPARE_ROWS; i++)
		EXPECT_ROW(part, i, "pid=%lld rank=%u", table_number(whole, i, "pid"), i + 1);
}

int main(void)
{
	static pid_t pids[TASKS], guard;
	struct table *whole, *part;
	long long calls, all_tasks;
	char pid[16];
	int min_free, i;

	test_begin(0);
	if (has_kasan())
		ksft_exit_skip("KASAN takes memory of its own, and may kill for it\n");
	needs_shortage();
	ksft_set_plan(5);
	/* Noted, so that the supervisor puts it back. */
	snprintf(before, sizeof(before), "%lld", file_number(MIN_FREE));
	snprintf(all, sizeof(all), "%lld", meminfo_kb("MemTotal"));
	setting_write(MIN_FREE, before);
	min_free = must_open(MIN_FREE, O_WRONLY);
	/* Each a step behind the next, so that no counter's drift swaps two. */
	must_idle(pids, TASKS);
	for (i = 0; i < TASKS; i++)
		MUST_OK(set_adj(pids[i], ADJ_MOST - 2 * i));
	open_lens(&first, "badness");
	open_lens(&second, "badness");
	open_lens(&commit, "commit");
	guard = guard_start(min_free);
	MUST(!mlockall(MCL_CURRENT | MCL_FUTURE));
	/* seq_file keeps its buffer: this allocates it. */
	take(&commit);
	take(&second);
	take(&first);
	whole = MUST_HAVE(table_of(&first));
	MUST(table_head(whole, "complete") == 1);
	all_tasks = table_head(whole, "tasks");

	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(SHORTAGE "avert", pid);
	take_without_memory(min_free);
	write_file(SHORTAGE "avert", "0");
	calls = file_number(SHORTAGE "calls");
	kill(guard, SIGKILL);
	waitpid(guard, NULL, 0);

	part = table_of(&first);
	EXPECT_OK(first.err);
	EXPECT_EQ(table_head(part, "complete"), 0);
	EXPECT_NEAR(table_head(part, "tasks"), all_tasks, COME_AND_GO);
	expect_first_ranks(whole, part);
	test_done("no memory: the first ranks, and complete 0");
	table_free(part);
	EXPECT_EQ(second.err, -ENOMEM);
	test_done("one table is set aside: the next has ENOMEM, %d", second.err);
	/* Its buffer may lie in high memory, which min_free_kbytes does not exhaust. */
	if (!commit.err && meminfo_kb("HighTotal") > 0) {
		ksft_test_result_skip("commit: there is high memory\n");
	} else {
		EXPECT_EQ(commit.err, -ENOMEM);
		test_done("commit: ENOMEM, %d", commit.err);
	}
	EXPECT_EQ(calls, 0);
	test_done("no read ran the OOM killer, %lld", calls);

	/* The next snapshot of the first file releases the table that is set aside. */
	take(&first);
	take(&second);
	take(&commit);
	part = table_of(&second);
	table_free(whole);
	whole = table_of(&first);
	EXPECT_EQ(table_head(whole, "complete"), 1);
	EXPECT_EQ(table_head(part, "complete"), 1);
	EXPECT_OK(commit.err);
	test_done("the memory is back: the same files show all");
	table_free(whole);
	table_free(part);
	idle_end(pids, TASKS);
	loader_no_helper("oomlens_shortage");
	test_end();
}
