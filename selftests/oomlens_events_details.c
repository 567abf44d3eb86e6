// SPDX-License-Identifier: GPL-2.0
/*
 * What an event says of the memory that no process owned: the lines "object",
 * held against the file that the test made, and "slab", against /proc/slabinfo.
 */
#include <limits.h>
#include <linux/memfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"
#include "lib/objects.h"
#include "lib/sheet.h"

/* Part of RAM from which on such memory is told of. */
#define RAM_PART	10

static char top[32] = "/tmp/oomlens_details_XXXXXX";

/* One kill by sysrq; the events up to it. */
static char *kill_one(long long *n)
{
	static const struct hog_spec spec = { .anon = 500, .adj = 1000, .comm = "taken" };
	struct hog hog;
	char *text;
	int fd;

	must_hog(&hog, &spec);
	fd = events_open();
	write_file("/proc/sysrq-trigger", "f");
	text = next_killed(fd, n);
	EXPECT_TRUE(wait_until(hog_killed(&hog), PATIENCE_MS));
	hog_end(&hog);
	close(fd);
	return text;
}

static bool details_are(long long n, const char *what)
{
	char *text = must_read_lens("events");
	const char *is = event_word(text, n, "details");
	bool ok = is && !strcmp(is, what);

	free(text);
	return ok;
}

/* By the figures of the event and of memory, which other tests hold against the kernel's. */
static bool no_process_holds(const char *text, long long n)
{
	const char *m = event_line(text, "memory", n, 0);
	long long part = line_number(m, "ram") / RAM_PART;
	struct sheet s;

	sheet_read(&s);
	return line_number(m, "shmem") >= part || s.unaccounted >= part ||
	       line_number(m, "slab_reclaimable") + line_number(m, "slab_unreclaimable") >= part;
}

static int fill(const char *path, long long pages)
{
	int fd = MUST_GET(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	MUST_OK(posix_fallocate(fd, 0, pages * page_size()));
	return fd;
}

static void test_objects(void)
{
	long long pages = meminfo_pages("MemTotal") / RAM_PART + 1000, n = 0, last;
	int held = MUST_GET(syscall(SYS_memfd_create, "held by the test", 0));
	char path[64], id[64], memfd_id[64], *text;
	const char *line;
	int fd, i;

	MUST_OK(posix_fallocate(held, 0, pages / 2 * page_size()));
	objects_id_of(held, memfd_id, sizeof(memfd_id));
	snprintf(path, sizeof(path), "%s/a blank", top);
	fd = fill(path, pages);
	objects_id_of(fd, id, sizeof(id));
	close(fd);
	free(kill_one(&n));
	EXPECT_TRUE(wait_until(details_are(n, "done"), PATIENCE_MS));
	text = must_read_lens("events");
	EXPECT_LINE(event_line(text, "object", n, 0),
		    "kind=tmpfs id=%s resident=%lld swapped=0 charge=%lld size=%lld holders=0 pid=- comm=- holder_memcg=- name=/a\\040blank",
		    id, pages, pages, pages);
	EXPECT_LINE(event_line(text, "object", n, 1),
		    "kind=memfd id=%s resident=%lld holders=1 pid=%d name=memfd:held\\040by\\040the\\040test",
		    memfd_id, pages / 2, getpid());
	for (i = 0, last = LLONG_MAX; (line = event_line(text, "object", n, i)); i++) {
		EXPECT_LE(line_number(line, "resident"), last);
		last = line_number(line, "resident");
	}
	EXPECT_IN(i, 2, 5);
	expect_show(text);
	free(text);
	MUST_OK(unlink(path));
	close(held);
	test_done("the largest objects of an OOM, with their holders");
}

#define TRIES	3

/* A process whose mappings cannot be looked at may be one more holder. */
static void test_busy_lock(void)
{
	const struct hog_spec spec = { .anon = 10, .comm = "busy" };
	long long pages = meminfo_pages("MemTotal") / RAM_PART + 1000, n = 0;
	char path[64], *text = NULL;
	struct hog hog;
	int fd, tries;

	if (!loader_helper("oomlens_shortage", "")) {
		ksft_test_result_skip("no oomlens_shortage.ko\n");
		return;
	}
	must_hog(&hog, &spec);
	snprintf(path, sizeof(path), "%s/unheld", top);
	fd = fill(path, pages);
	close(fd);
	/* The lock is held for some seconds: again if that was too short. */
	for (tries = 0; tries < TRIES; tries++) {
		pid_t holder = mmap_lock_hold(hog.pid);

		expect_retry();
		free(text);
		EXPECT_GT(holder, 0);
		free(kill_one(&n));
		EXPECT_TRUE(wait_until(details_are(n, "done"), PATIENCE_MS));
		text = must_read_lens("events");
		EXPECT_LINE(event_line(text, "object", n, 0),
			    "kind=tmpfs resident=%lld holders=- pid=- comm=- name=/unheld", pages);
		mmap_lock_release(holder);
		if (!expect_failed())
			break;
	}
	expect_show(text);
	free(text);
	hog_end(&hog);
	loader_no_helper("oomlens_shortage");
	MUST_OK(unlink(path));
	test_done("holders that could not be looked for are not called none");
}

static int must_memfd(long long pages)
{
	int fd = MUST_GET(syscall(SYS_memfd_create, "below", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	MUST_OK(posix_fallocate(fd, 0, pages * page_size()));
	return fd;
}

/* More than a look has room for, each smaller than the fifth largest object. */
#define SMALL		1200
#define LARGE_PAGES	2000

static void test_dmabufs(void)
{
	const struct rlimit limit = { .rlim_cur = 2 * SMALL, .rlim_max = 2 * SMALL };
	long long pages = meminfo_pages("MemTotal") / RAM_PART + 1000, n = 0;
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), below, large, small, memfds[4];
	unsigned int i, found = 0;
	const char *line;
	char path[64], *text;
	int fds[SMALL];

	if (dev < 0) {
		ksft_test_result_skip("no udmabuf: a large dma-buf among many\n");
		return;
	}
	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	snprintf(path, sizeof(path), "%s/file", top);
	close(fill(path, pages));
	for (i = 0; i < ARRAY_SIZE(memfds); i++)
		memfds[i] = must_memfd(100);
	small = must_memfd(1);
	for (i = 0; i < SMALL; i++)
		fds[i] = MUST_GET(objects_dmabuf(dev, small, page_size()));
	/* Found last, by its descriptor. */
	below = must_memfd(LARGE_PAGES);
	large = MUST_GET(objects_dmabuf(dev, below, LARGE_PAGES * page_size()));
	free(kill_one(&n));
	EXPECT_TRUE(wait_until(details_are(n, "done"), PATIENCE_MS));
	close(large);
	text = must_read_lens("events");
	for (i = 0; (line = event_line(text, "object", n, i)); i++)
		if (!strcmp(line_word(line, "kind"), "dmabuf"))
			found += line_number(line, "size") == LARGE_PAGES;
	EXPECT_EQ(found, 1);
	expect_show(text);
	free(text);
	for (i = 0; i < SMALL; i++)
		close(fds[i]);
	for (i = 0; i < ARRAY_SIZE(memfds); i++)
		close(memfds[i]);
	close(small);
	close(below);
	close(dev);
	MUST_OK(unlink(path));
	test_done("many small dma-bufs do not hide a large one");
}

/* They grow and shrink meanwhile. */
static long long slab_slack(long long pages)
{
	return pages / 4 + 200;
}

/* Pages of a cache, from where its line in slabinfo begins; -1 for another line. */
static long long slab_line_pages(const char *line)
{
	unsigned long objects, total, size, per_slab, pages, active, slabs;

	if (sscanf(line, "%*s %lu %lu %lu %lu %lu : tunables %*u %*u %*u : slabdata %lu %lu",
		   &objects, &total, &size, &per_slab, &pages, &active, &slabs) != 7)
		return -1;
	return pages * slabs;
}

static long long largest_slab(const char *slabinfo)
{
	long long largest = 0, pages;
	const char *line;

	for (line = slabinfo; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		pages = slab_line_pages(line);
		if (pages > largest)
			largest = pages;
	}
	return largest;
}

/* Pages of that cache now; -1 if there is none of that name. */
static long long slab_pages(const char *slabinfo, const char *name)
{
	char want[64];
	const char *at;

	snprintf(want, sizeof(want), "\n%s ", name);
	at = strstr(slabinfo, want);
	return at ? slab_line_pages(at + 1) : -1;
}

static void test_slabs(void)
{
	char *text = must_read_lens("events"), *slabinfo = read_file("/proc/slabinfo");
	long long n = event_last(text), last = LLONG_MAX;
	const char *line;
	int i;

	if (!slabinfo) {
		ksft_test_result_skip("no slabinfo: the largest slab caches\n");
		free(text);
		return;
	}
	for (i = 0; (line = event_line(text, "slab", n, i)); i++) {
		const char *name = line_word(line, "name");
		long long pages = line_number(line, "pages");

		expect_of("%s", name);
		EXPECT_NEAR(slab_pages(slabinfo, name), pages, slab_slack(pages));
		EXPECT_LE(pages, last);
		EXPECT_GE(line_number(line, "objects"), 1);
		last = pages;
	}
	EXPECT_EQ(i, 5);
	last = line_number(event_line(text, "slab", n, 0), "pages");
	EXPECT_NEAR(last, largest_slab(slabinfo), slab_slack(last));
	expect_show(text);
	free(slabinfo);
	free(text);
	test_done("the largest slab caches, as slabinfo has them");
}

static void test_condition(void)
{
	long long n = 0;
	char *text = kill_one(&n);

	/* The objects of the event before are gone: whether it is told of hangs on the rest. */
	if (no_process_holds(text, n))
		EXPECT_TRUE(wait_until(details_are(n, "done"), PATIENCE_MS));
	else
		EXPECT_TRUE(details_are(n, "-"));
	expect_show(text);
	free(text);
	test_done("only where such memory is a tenth of RAM");
}

#define PAGES	"/sys/module/oomlens_pages/parameters/"

/* A kill while that much is taken of a kind: is it told of what held the memory? */
static void expect_details(const char *kind, long long pages, const char *details)
{
	char number[24], path[64], *text;
	long long n = 0;

	snprintf(path, sizeof(path), PAGES "%s", kind);
	snprintf(number, sizeof(number), "%lld", pages);
	expect_of("%s", kind);
	EXPECT_OK(write_file(path, number));
	text = kill_one(&n);
	EXPECT_TRUE(wait_until(details_are(n, details), PATIENCE_MS));
	expect_show(text);
	free(text);
	EXPECT_OK(write_file(path, "0"));
}

/* Memory that is a driver's alone is reason enough; vmalloc's has a line of its own. */
static void test_drivers(void)
{
	long long part = meminfo_pages("MemTotal") / RAM_PART + 1000, n = 0;
	bool held;
	char *text;

	if (!loader_helper("oomlens_pages", "")) {
		ksft_test_result_skip("no oomlens_pages.ko\n");
		return;
	}
	text = kill_one(&n);
	held = no_process_holds(text, n);
	free(text);
	expect_details("pages", part, "done");
	if (!held)
		expect_details("vmalloc", part, "-");
	loader_no_helper("oomlens_pages");
	test_done("a driver's pages, not what has a line in memory");
}

int main(void)
{
	test_begin(0);
	if (!lens_feature("mark_victim") || !lens_feature("sysrq"))
		ksft_exit_skip("needs mark_victim and sysrq\n");
	ksft_set_plan(6);
	oom_settings();
	MUST_OK(mount_tmpfs(top, "size=90%"));
	test_objects();
	test_slabs();
	test_condition();
	test_busy_lock();
	test_dmabufs();
	test_drivers();
	test_end();
}
