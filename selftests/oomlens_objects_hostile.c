// SPDX-License-Identifier: GPL-2.0
/*
 * objects on processes that work against its reader: many descriptors, a large
 * and sparse table, opening and closing all the time, a lock that is held, many
 * objects that would hide one; and a reader that is killed.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/loader.h"
#include "lib/objects.h"

#define READS	20

static char top[32] = "/tmp/oomlens_hostile_XXXXXX";

struct shared {
	volatile int ready;
	volatile unsigned long rounds;
	char id[64];
};

static int make_memfd(const char *name)
{
	return MUST_GET(syscall(SYS_memfd_create, name, MFD_CLOEXEC));
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Reads, and what the longest read took. */
static struct table *timed_table(unsigned long long *longest)
{
	unsigned long long begin = now_ns();
	struct table *t = must_table("objects");

	if (now_ns() - begin > *longest)
		*longest = now_ns() - begin;
	return t;
}

/* ---- descriptors ---- */

static void allow_descriptors(unsigned long n)
{
	const struct rlimit limit = { .rlim_cur = n + 64, .rlim_max = n + 64 };

	MUST_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

static void __noreturn hold_descriptors(struct shared *s, unsigned long n, bool sparse)
{
	int fd, other;
	unsigned long i;

	allow_descriptors(n);
	fd = make_memfd("held");
	other = make_memfd("last");
	objects_id_of(other, s->id, sizeof(s->id));
	for (i = 0; i < n && !sparse; i++)
		MUST(dup(fd) >= 0);
	MUST(fcntl(other, F_DUPFD, (int)n) >= 0);
	close(other);
	s->ready = 1;
	for (;;)
		pause();
}

static void test_descriptors(bool sparse)
{
	unsigned long n = env_number("OOMLENS_DESCRIPTORS", 20000);
	struct shared *s = must_share(sizeof(*s));
	unsigned long long took = 0;
	struct table *t;
	pid_t pid = must_fork();

	if (!pid)
		hold_descriptors(s, n, sparse);
	EXPECT_TRUE(wait_until(s->ready, PATIENCE_MS));
	t = timed_table(&took);
	/* The last one of all. */
	EXPECT_ROW(t, objects_row(t, s->id, "memfd"), "holders=1 pid=%d", pid);
	EXPECT_EQ(table_head(t, "complete"), 1);
	table_free(t);
	ksft_print_msg("read in %llu ms\n", took / 1000000);
	EXPECT_LT(took / 1000000, BOUNDED_MS);
	end_child(pid);
	test_done("%s", sparse ? "the last descriptor of a large and empty table" :
		  "the last one of many descriptors");
}

/* ---- opens and closes ---- */

static void __noreturn churn(struct shared *s)
{
	int kept = make_memfd("kept"), fds[64];
	unsigned int i;

	objects_id_of(kept, s->id, sizeof(s->id));
	for (;; s->rounds++) {
		for (i = 0; i < ARRAY_SIZE(fds); i++)
			fds[i] = syscall(SYS_memfd_create, "churned", MFD_CLOEXEC);
		for (i = 0; i < ARRAY_SIZE(fds); i++)
			close(fds[i]);
		s->ready = 1;
	}
}

static void test_churn(void)
{
	struct shared *s = must_share(sizeof(*s));
	unsigned long long longest = 0;
	unsigned int i;
	pid_t pid = must_fork();

	if (!pid)
		churn(s);
	EXPECT_TRUE(wait_until(s->ready, PATIENCE_MS));
	for (i = 0; i < READS && !expect_failed(); i++) {
		struct table *t = timed_table(&longest);

		EXPECT_EQ(objects_count(t), t->rows);
		EXPECT_ROW(t, objects_row(t, s->id, "memfd"), "holders=1 pid=%d", pid);
		table_free(t);
	}
	ksft_print_msg("%u reads, the longest took %llu ms, %lu rounds beside them\n", i,
		       longest / 1000000, s->rounds);
	EXPECT_LT(longest / 1000000, BOUNDED_MS);
	end_child(pid);
	test_done("a process that opens and closes all the time");
}

/* ---- a lock ---- */

static void test_held_lock(void)
{
	const struct hog_spec spec = { .anon = 10, .comm = "held" };
	unsigned long long longest = 0;
	struct table *t;
	struct hog hog;
	pid_t holder;

	if (!loader_helper("oomlens_shortage", "")) {
		test_skip(1, "no oomlens_shortage.ko\n");
		return;
	}
	must_hog(&hog, &spec);
	holder = mmap_lock_hold(hog.pid);
	EXPECT_GT(holder, 0);
	t = timed_table(&longest);
	EXPECT_EQ(table_head(t, "complete"), 0);
	table_free(t);
	mmap_lock_release(holder);
	loader_no_helper("oomlens_shortage");
	hog_end(&hog);
	t = must_table("objects");
	EXPECT_EQ(table_head(t, "complete"), 1);
	table_free(t);
	/* 20 pauses of 2 ms, and slack for an emulated guest; the lock is held for 8 s. */
	EXPECT_LT(longest / 1000000, 4000);
	test_done("a process whose mappings cannot be read delays no reader");
}

/* ---- many objects ---- */

static void test_hiding(void)
{
	unsigned long files = env_number("OOMLENS_FILES", 2000), i;
	unsigned long long took = 0;
	static char big[300 * 4096];
	char path[128];
	struct table *t;
	int fd;

	for (i = 0; i < files; i++) {
		snprintf(path, sizeof(path), "%s/%lu", top, i);
		fd = MUST_GET(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		/* Half of the others come before it. */
		if (i == files / 2)
			MUST(write(fd, big, sizeof(big)) == sizeof(big));
		close(fd);
	}
	t = timed_table(&took);
	ksft_print_msg("%u rows in %llu ms\n", t ? t->rows : 0, took / 1000000);
	if (table_head(t, "complete") == 1)
		EXPECT_GE(t->rows, files);
	snprintf(path, sizeof(path), "/%lu", files / 2);
	for (i = 0; t && i < t->rows; i++)
		if (!strcmp(table_cell(t, i, "name"), path))
			break;
	EXPECT_ROW(t, t && i < t->rows ? (int)i : -1, "resident=%lu",
		   sizeof(big) / page_size());
	table_free(t);
	test_done("many empty files do not hide a large one");
}

/* ---- a reader that is killed ---- */

static void __noreturn read_for_ever(volatile int *ready)
{
	for (;;) {
		table_free(table_read(lens_path("objects")));
		*ready = 1;
	}
}

static void test_killed(void)
{
	unsigned long long seed = test_seed();
	unsigned int i;

	for (i = 0; i < 20; i++) {
		volatile int *ready = must_share(sizeof(*ready));
		pid_t pid = must_fork();

		if (!pid)
			read_for_ever(ready);
		EXPECT_TRUE(wait_until(*ready, PATIENCE_MS));
		nap_ms(rnd_range(&seed, 0, 5));
		kill(pid, SIGKILL);
		EXPECT_TRUE(wait_until(waitpid(pid, NULL, WNOHANG) == pid, PATIENCE_MS));
	}
	EXPECT_EQ(lens_key("stats", "open_files"), 1);
	test_done("a reader that is killed ends at once, and keeps nothing open");
}

int main(void)
{
	test_begin(6);
	MUST_OK(mount_tmpfs(top, "nr_inodes=0"));
	test_descriptors(false);
	test_descriptors(true);
	test_churn();
	test_held_lock();
	test_hiding();
	test_killed();
	test_end();
}
