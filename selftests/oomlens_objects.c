// SPDX-License-Identifier: GPL-2.0
/*
 * The rows of objects: one object of each kind against fstat, /proc/PID/maps,
 * /proc/sysvipc/shm and df; all of them together against Shmem.
 */
#include <linux/memfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/expect.h"
#include "lib/hog.h"
#include "lib/objects.h"

#define HUGE_FILE	"/proc/sys/vm/nr_hugepages"
#define ATTEMPTS	10

static char top[32] = "/tmp/oomlens_objects_XXXXXX";

/* Pages of 512-byte blocks. */
static long long pages_of(const struct stat *st)
{
	return st->st_blocks * 512LL / page_size();
}

static int row_of(struct table *t, int fd, const char *kind)
{
	char id[64];

	objects_id_of(fd, id, sizeof(id));
	return objects_row(t, id, kind);
}

/* As fstat() has it: nothing is swapped, and what has pages is charged by them. */
static void expect_stat(struct table *t, int row, int fd)
{
	struct stat st;

	MUST_OK(fstat(fd, &st));
	EXPECT_ROW(t, row, "resident=%lld swapped=0 charge=%lld size=%lld", pages_of(&st),
		   pages_of(&st), (st.st_size + page_size() - 1) / (long long)page_size());
}

static void touch(int fd, unsigned int pages)
{
	char page[4096] = "x";
	unsigned int i;

	for (i = 0; i < pages; i++)
		MUST(pwrite(fd, page, sizeof(page), (off_t)i * page_size()) == sizeof(page));
}

/* ---- tmpfs ---- */

static int make_file(const char *name, unsigned int pages)
{
	char path[192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	fd = MUST_GET(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	touch(fd, pages);
	return fd;
}

static void test_tmpfs(void)
{
	int fd = make_file("a blank", 7), other;
	char path[128];
	struct table *t;

	MUST_OK(ftruncate(fd, 100 * page_size() + 1));
	t = must_table("objects");
	expect_stat(t, row_of(t, fd, "tmpfs"), fd);
	EXPECT_ROW(t, row_of(t, fd, "tmpfs"), "holders=1 pid=%d name=/a\\040blank", getpid());
	table_free(t);
	snprintf(path, sizeof(path), "%s/a blank", top);
	MUST_OK(unlink(path));
	/* Another one of that name is another object. */
	other = make_file("a blank", 2);
	t = must_table("objects");
	expect_stat(t, row_of(t, fd, "tmpfs"), fd);
	EXPECT_ROW(t, row_of(t, fd, "tmpfs"), "name=/a\\040blank\\040(deleted)");
	EXPECT_ROW(t, row_of(t, other, "tmpfs"), "resident=2 name=/a\\040blank");
	table_free(t);
	close(other);
	MUST_OK(unlink(path));
	close(fd);
	test_done("a file of tmpfs, with a hole, and unlinked, is as fstat has it");
}

static void test_df(void)
{
	long long sum = 0, free_now;
	int fds[3] = { make_file("a", 3), make_file("b", 40), make_file("c", 0) };
	struct statfs fs;
	struct table *t;
	unsigned int i;
	char dev[32], id[64];

	objects_id_of(fds[0], id, sizeof(id));
	snprintf(dev, sizeof(dev), "%.*s", (int)(strrchr(id, ':') + 1 - id), id);
	MUST_OK(statfs(top, &fs));
	free_now = fs.f_blocks - fs.f_bfree;
	t = must_table("objects");
	for (i = 0; t && i < t->rows; i++)
		if (!strncmp(table_cell(t, i, "id"), dev, strlen(dev)))
			sum += table_number(t, i, "resident") + table_number(t, i, "swapped");
	EXPECT_EQ(sum, free_now);
	EXPECT_EQ(sum, 43);
	table_free(t);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	test_done("the files of a tmpfs take what df says");
}

/* ---- kinds on the kernel's own mounts ---- */

static void test_memfd(void)
{
	int fd = MUST_GET(syscall(SYS_memfd_create, "jit\t1", MFD_CLOEXEC));
	struct table *t;

	MUST_OK(ftruncate(fd, 50 * page_size()));
	touch(fd, 9);
	t = must_table("objects");
	expect_stat(t, row_of(t, fd, "memfd"), fd);
	EXPECT_ROW(t, row_of(t, fd, "memfd"), "resident=9 size=50 name=memfd:jit\\0111");
	table_free(t);
	close(fd);
	test_done("a memfd");
}

/* The object that is mapped at that address, by /proc/self/maps. */
static void mapped_id(const void *at, char *id, size_t size)
{
	char *maps = must_read("/proc/self/maps"), want[32];
	unsigned int major, minor;
	unsigned long long ino;
	char *line;

	snprintf(want, sizeof(want), "%08lx-", (unsigned long)at);
	line = strstr(maps, want);
	MUST(line && sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &ino) == 3);
	snprintf(id, size, "%u:%u:%llu", major, minor, ino);
	free(maps);
}

static void test_shared(void)
{
	size_t len = 30 * page_size();
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct table *t;
	char id[64];

	MUST(at != MAP_FAILED);
	memset(at, 1, 4 * page_size());
	mapped_id(at, id, sizeof(id));
	t = must_table("objects");
	/* Charged whole when it was made. */
	EXPECT_ROW(t, objects_row(t, id, "shared"),
		   "resident=4 swapped=0 charge=30 size=30 holders=1 pid=%d name=dev/zero",
		   getpid());
	table_free(t);
	munmap(at, len);
	t = must_table("objects");
	EXPECT_EQ(objects_row(t, id, "shared"), -1);
	table_free(t);
	test_done("shared anonymous memory, by maps; gone with its mapping");
}

/* A field of the segment in /proc/sysvipc/shm, in pages. */
static long long ipc_pages(int shmid, unsigned int field)
{
	char *text = must_read("/proc/sysvipc/shm"), *line, *save = NULL, *word;
	long long value = -1;
	unsigned int i;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *rest = NULL;

		word = strtok_r(line, " ", &rest);
		word = word ? strtok_r(NULL, " ", &rest) : NULL;
		if (!word || atoi(word) != shmid || *word < '0' || *word > '9')
			continue;
		for (i = 2; word && i <= field; i++)
			word = strtok_r(NULL, " ", &rest);
		value = word ? atoll(word) / (long long)page_size() : -1;
	}
	free(text);
	return value;
}

/* Of /proc/sysvipc/shm: key shmid perms size ... */
enum { IPC_SIZE = 3, IPC_RSS = 14, IPC_SWAP = 15 };

static void test_sysv(void)
{
	int shmid = MUST_GET(shmget(0x6f6f6d, 20 * page_size(), IPC_CREAT | IPC_EXCL | 0600));
	char *at = shmat(shmid, NULL, 0);
	struct table *t;
	char id[64];

	MUST(at != (void *)-1);
	memset(at, 1, 6 * page_size());
	mapped_id(at, id, sizeof(id));
	/* ipcrm -m takes the inode's number. */
	EXPECT_EQ(atoi(strrchr(id, ':') + 1), shmid);
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "sysv"),
		   "resident=%lld swapped=%lld charge=20 size=%lld holders=1 name=SYSV006f6f6d",
		   ipc_pages(shmid, IPC_RSS), ipc_pages(shmid, IPC_SWAP),
		   ipc_pages(shmid, IPC_SIZE));
	EXPECT_ROW(t, objects_row(t, id, "sysv"), "resident=6");
	table_free(t);
	MUST_OK(shmdt(at));
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "sysv"), "resident=6 holders=0 pid=- comm=-");
	table_free(t);
	MUST_OK(shmctl(shmid, IPC_RMID, NULL));
	t = must_table("objects");
	EXPECT_EQ(objects_row(t, id, "sysv"), -1);
	table_free(t);
	test_done("a SysV segment, by ipcs; detached it stays, ipcrm frees it");
}

static void test_hugetlbfs(void)
{
	const char *says = "huge pages of a memfd";
	long long huge = meminfo_kb("Hugepagesize") * 1024 / (long long)page_size();
	char *at = MAP_FAILED;
	struct table *t;
	struct stat st;
	int fd;

	if (setting_write(HUGE_FILE, "2")) {
		ksft_test_result_skip("%s: no huge pages in this kernel\n", says);
		return;
	}
	fd = MUST_GET(syscall(SYS_memfd_create, "huge", MFD_CLOEXEC | MFD_HUGETLB));
	MUST_OK(ftruncate(fd, 2 * huge * page_size()));
	at = mmap(NULL, huge * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(at != MAP_FAILED);
	*at = 1;
	MUST_OK(fstat(fd, &st));
	t = must_table("objects");
	EXPECT_EQ(pages_of(&st), huge);
	EXPECT_ROW(t, row_of(t, fd, "hugetlbfs"),
		   "resident=%lld swapped=0 charge=0 size=%lld holders=1 name=memfd:huge",
		   huge, 2 * huge);
	table_free(t);
	munmap(at, huge * page_size());
	close(fd);
	setting_write(HUGE_FILE, "0");
	test_done("%s", says);
}

static void test_dmabuf(void)
{
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, fd, copy;
	struct table *t;

	if (dev < 0) {
		ksft_test_result_skip("no udmabuf: a dma-buf\n");
		return;
	}
	memfd = MUST_GET(syscall(SYS_memfd_create, "below", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	MUST_OK(ftruncate(memfd, 16 * page_size()));
	fd = MUST_GET(objects_dmabuf(dev, memfd, 16 * page_size()));
	copy = MUST_GET(dup(fd));
	/* DMA_BUF_SET_NAME */
	MUST_OK(ioctl(fd, _IOW('b', 1, unsigned long long), "frame 1"));
	t = must_table("objects");
	EXPECT_ROW(t, row_of(t, fd, "dmabuf"),
		   "resident=- swapped=- charge=0 size=16 holders=1 pid=%d name=frame\\0401",
		   getpid());
	table_free(t);
	close(copy);
	close(fd);
	close(memfd);
	close(dev);
	test_done("a dma-buf, once, by the name that it was given");
}

/* ---- all together ---- */

/* Shared memory of tmpfs and the kernel's mounts; hugetlbfs has pages of its own. */
static long long shmem_sum(struct table *t)
{
	long long sum = 0;
	unsigned int i;

	for (i = 0; i < t->rows; i++)
		if (strcmp(table_cell(t, i, "kind"), "hugetlbfs") &&
		    strcmp(table_cell(t, i, "kind"), "dmabuf"))
			sum += table_number(t, i, "resident");
	return sum;
}

static long long taken(struct table *t, unsigned int row)
{
	if (!strcmp(table_cell(t, row, "kind"), "dmabuf"))
		return table_number(t, row, "size");
	return table_number(t, row, "resident") + table_number(t, row, "swapped");
}

/* MAJOR:MINOR:INODE, as one number that sorts as they do. */
static unsigned long long id_of(struct table *t, unsigned int row)
{
	unsigned long long major, minor, ino;

	if (sscanf(table_cell(t, row, "id"), "%llu:%llu:%llu", &major, &minor, &ino) != 3)
		return 0;
	return major << 52 | minor << 32 | ino;
}

/* By what they take, then charge, then size; of equals the lower id comes first. */
static bool in_order(struct table *t, unsigned int a, unsigned int b)
{
	long long by[] = {
		taken(t, a) - taken(t, b),
		table_number(t, a, "charge") - table_number(t, b, "charge"),
		table_number(t, a, "size") - table_number(t, b, "size"),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(by); i++)
		if (by[i])
			return by[i] > 0;
	return id_of(t, a) <= id_of(t, b);
}

static void expect_whole(struct table *t)
{
	long long resident = 0, swapped = 0, charge = 0, unheld = 0;
	unsigned int i;

	for (i = 0; i < t->rows; i++) {
		bool pages = strcmp(table_cell(t, i, "kind"), "dmabuf");

		expect_of("row %u", i);
		if (i)
			EXPECT_TRUE(in_order(t, i - 1, i));
		resident += pages ? table_number(t, i, "resident") : 0;
		swapped += pages ? table_number(t, i, "swapped") : 0;
		charge += table_number(t, i, "charge");
		unheld += !table_number(t, i, "holders");
	}
	expect_of("the header");
	EXPECT_EQ(objects_count(t), t->rows);
	EXPECT_EQ(table_head(t, "resident"), resident);
	EXPECT_EQ(table_head(t, "swapped"), swapped);
	EXPECT_EQ(table_head(t, "charge"), charge);
	EXPECT_EQ(table_head(t, "unheld"), unheld);
	EXPECT_EQ(table_head(t, "complete"), 1);
}

/* Shmem that is no row: regular files of devtmpfs, and an initramfs that has no name. */
static long long rest(struct table *t)
{
	/* Folds what each processor has counted. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	return meminfo_pages("Shmem") - shmem_sum(t);
}

/* Other tasks make and remove files meanwhile: tried again. */
static void test_whole(void)
{
	unsigned int tries;

	for (tries = 0; tries < ATTEMPTS; tries++) {
		struct table *before = must_table("objects"), *t;
		long long unseen = rest(before);
		int fd = MUST_GET(syscall(SYS_memfd_create, "large", MFD_CLOEXEC));

		expect_retry();
		touch(fd, 500);
		t = must_table("objects");
		expect_whole(t);
		EXPECT_EQ(rest(t), unseen);
		EXPECT_EQ(shmem_sum(t) - shmem_sum(before), 500);
		ksft_print_msg("%lld pages of Shmem are in no row\n", unseen);
		table_free(before);
		table_free(t);
		close(fd);
		if (!expect_failed())
			break;
	}
	test_done("the objects grow as Shmem does");
}

/*
 * Objects without a page, of which neither the order in which they are made nor its
 * reverse is that of their charge (segments) and size (memfds).
 */
static void test_order(void)
{
	static const unsigned int pages[] = { 200, 100, 300, 150 };
	int segments[ARRAY_SIZE(pages)], memfds[ARRAY_SIZE(pages)];
	unsigned int i, tries;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		segments[i] = MUST_GET(shmget(IPC_PRIVATE, pages[i] * page_size(), 0600));
		memfds[i] = MUST_GET(syscall(SYS_memfd_create, "empty", MFD_CLOEXEC));
		MUST_OK(ftruncate(memfds[i], pages[i] * page_size()));
	}
	for (tries = 0; tries < ATTEMPTS; tries++) {
		struct table *t = must_table("objects");

		expect_retry();
		expect_whole(t);
		table_free(t);
		if (!expect_failed())
			break;
	}
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		MUST_OK(shmctl(segments[i], IPC_RMID, NULL));
		close(memfds[i]);
	}
	test_done("the order: pages, charge, size, id; the sums");
}

/* More rows and names than there is room for at first. */
#define MANY		600
#define NAME_LEN	100

static void test_many(void)
{
	unsigned int i, found = 0;
	char name[NAME_LEN + 2], path[192], dev[32], id[64];
	bool seen[MANY] = {};
	struct table *t;

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%0*u", NAME_LEN, i);
		close(make_file(name, 1));
	}
	i = MUST_GET(open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	objects_id_of(i, id, sizeof(id));
	close(i);
	snprintf(dev, sizeof(dev), "%.*s", (int)(strrchr(id, ':') + 1 - id), id);
	t = must_table("objects");
	for (i = 0; i < t->rows; i++) {
		const char *shown = table_cell(t, i, "name");
		unsigned int number;

		if (strncmp(table_cell(t, i, "id"), dev, strlen(dev)) ||
		    strlen(shown) != NAME_LEN + 1 || sscanf(shown, "/%u", &number) != 1 ||
		    number >= MANY || seen[number])
			continue;
		seen[number] = true;
		found++;
	}
	EXPECT_EQ(found, MANY);
	table_free(t);
	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "%s/%0*u", top, NAME_LEN, i);
		MUST_OK(unlink(path));
	}
	test_done("many files, each with its name");
}

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#define SWAPPED		200

static void test_swapped(void)
{
	int shmid, swapped = 0, tries;
	struct table *t;
	char id[64];
	char *at;

	if (!swap_ensure(2 * SWAPPED)) {
		ksft_test_result_skip("no swap: a segment that is swapped out\n");
		return;
	}
	shmid = MUST_GET(shmget(IPC_PRIVATE, 2 * SWAPPED * page_size(), 0600));
	at = shmat(shmid, NULL, 0);
	MUST(at != (void *)-1);
	memset(at, 1, 2 * SWAPPED * page_size());
	mapped_id(at, id, sizeof(id));
	madvise(at, SWAPPED * page_size(), MADV_PAGEOUT);
	EXPECT_TRUE(wait_until(ipc_pages(shmid, IPC_SWAP) > 0, PATIENCE_MS));
	/* Pages may still be on their way out. */
	for (tries = 0; tries < ATTEMPTS; tries++) {
		expect_retry();
		swapped = ipc_pages(shmid, IPC_SWAP);
		t = must_table("objects");
		EXPECT_ROW(t, objects_row(t, id, "sysv"), "resident=%lld swapped=%d",
			   ipc_pages(shmid, IPC_RSS), swapped);
		expect_whole(t);
		table_free(t);
		if (!expect_failed())
			break;
	}
	EXPECT_GE(swapped, 1);
	MUST_OK(shmdt(at));
	MUST_OK(shmctl(shmid, IPC_RMID, NULL));
	test_done("a segment that is swapped out, and the sum of what is");
}

int main(void)
{
	test_begin(11);
	MUST_OK(mount_tmpfs(top, "size=16m"));
	test_tmpfs();
	test_df();
	test_memfd();
	test_shared();
	test_sysv();
	test_hugetlbfs();
	test_dmabuf();
	test_whole();
	test_order();
	test_many();
	test_swapped();
	test_end();
}
