// SPDX-License-Identifier: GPL-2.0
/*
 * memory: memory of each kind moves its own line by what was taken, and no other;
 * what the kernel does not count moves "unaccounted". Idle and under load.
 * Judged by what was taken, and by the kernel where it says how much that was.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/loader.h"
#include "lib/sheet.h"

/* Pages to take of each kind: more than any noise of a quiet guest. */
#define PAGES		2048
/* What the kernel takes and gives back meanwhile; slabs are had in whole pages. */
#define NOISE		160
/* Of what was taken: most that may be missing, or too much, of a kind in small amounts. */
#define PART		3
/* A stack, of which little is used, for each thread. */
#define THREADS		100
#define FILES		12000
#define HUGE_FILE	"/proc/sys/vm/nr_hugepages"
#define HELPER		"/sys/module/oomlens_pages/parameters/"
#define READS		9
#define LOADERS		3

static char dir[64];

/* One kind of memory. */
struct kind {
	const char *name;
	/* Pages taken, as they are to show; 0: not here, with the reason in why. */
	long long (*take)(void);
	void (*give)(void);
	const char *line;		/* that is to grow by that many */
	const char *besides;		/* lines that may move, "LINE,LINE," */
	bool rounded;			/* may grow by a half more: rounded up by the kernel */
	bool kept;			/* the kernel keeps some when it is given back */
	bool first;			/* all of it: only the first taking shows */
};

static const char *why;

static bool fill(int fd, size_t bytes)
{
	static char page[65536];
	ssize_t n;

	memset(page, 0x5a, sizeof(page));
	for (; bytes; bytes -= n) {
		n = write(fd, page, bytes < sizeof(page) ? bytes : sizeof(page));
		if (n <= 0)
			return false;
	}
	return true;
}

/* ---- By a module ---- */

static long long take_of(const char *what, unsigned int pages)
{
	char path[96], number[16];

	snprintf(path, sizeof(path), HELPER "%s", what);
	snprintf(number, sizeof(number), "%u", pages);
	why = "no oomlens_pages.ko";
	if (access(path, W_OK))
		return 0;
	MUST_OK(write_file(path, number));
	return pages;
}

static long long take_pages(void)
{
	return take_of("pages", PAGES);
}

static void give_pages(void)
{
	take_of("pages", 0);
}

static long long take_vmalloc(void)
{
	return take_of("vmalloc", PAGES);
}

static void give_vmalloc(void)
{
	take_of("vmalloc", 0);
}

/* As the kernel tells it: of what was given back before it may have kept pages. */
static long long take_percpu(void)
{
	long long before = meminfo_pages("Percpu"), taken;

	if (!take_of("percpu", PAGES / sysconf(_SC_NPROCESSORS_CONF)))
		return 0;
	taken = meminfo_pages("Percpu") - before;
	return taken > 0 ? taken : 1;
}

static void give_percpu(void)
{
	take_of("percpu", 0);
}

static long long take_reserve(void)
{
	why = lens_locked_down() ? "locked down" : "no debugfs";
	if (!lens_writable())
		return 0;
	MUST_OK(lens_command("reserve", "%llu", PAGES * (unsigned long long)page_size()));
	return PAGES;
}

static void give_reserve(void)
{
	MUST_OK(lens_command("reserve", "0"));
}

/* ---- By a process ---- */

static char *area;
static size_t area_size;

static char *map(size_t bytes)
{
	area_size = bytes;
	area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	MUST(area != MAP_FAILED);
	madvise(area, bytes, MADV_NOHUGEPAGE);
	return area;
}

static long long take_anon(void)
{
	memset(map(PAGES * page_size()), 1, PAGES * page_size());
	return PAGES;
}

static void give_area(void)
{
	munmap(area, area_size);
}

/* The zero page in each of many page tables. */
static long long take_tables(void)
{
	size_t span = page_size() / 8 * page_size(), n = PAGES / 8, i;
	volatile char *at = map(n * span);

	for (i = 0; i < n; i++)
		at[i * span];
	return n;
}

static pthread_t threads[THREADS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_gate(void *unused)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return NULL;
}

/* As the kernel tells it. */
static long long take_stacks(void)
{
	long long before = meminfo_kb("KernelStack");
	pthread_attr_t attr;
	unsigned int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 4 * page_size() > 65536 ? 4 * page_size() : 65536);
	pthread_mutex_lock(&gate);
	for (i = 0; i < THREADS; i++)
		MUST(!pthread_create(&threads[i], &attr, wait_at_gate, NULL));
	write_file("/proc/sys/vm/stat_refresh", "1");
	return (meminfo_kb("KernelStack") - before) * 1024 / (long long)page_size();
}

static void give_stacks(void)
{
	unsigned int i;

	pthread_mutex_unlock(&gate);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static int fds[FILES];
static unsigned int nr_fds;

static void close_all(void)
{
	while (nr_fds)
		close(fds[--nr_fds]);
}

static long long take_memfd(void)
{
	fds[nr_fds++] = MUST_GET(memfd_create("sheet", MFD_CLOEXEC));
	MUST(fill(fds[0], PAGES * page_size()));
	return PAGES;
}

static long long in_mount(const char *type, const char *options)
{
	char path[80];

	if (mount("oomlens", dir, type, 0, options) && mount("oomlens", dir, type, 0, NULL))
		return 0;
	undo_at_end("umount", dir);
	snprintf(path, sizeof(path), "%s/file", dir);
	fds[nr_fds++] = must_open(path, O_RDWR | O_CREAT);
	MUST(fill(fds[0], PAGES * page_size()));
	return PAGES;
}

/* Huge pages, where there are any. */
static long long take_tmpfs(void)
{
	return in_mount("tmpfs", "huge=always");
}

static long long take_ramfs(void)
{
	why = "no ramfs";
	return in_mount("ramfs", NULL);
}

static void give_mount(void)
{
	close_all();
	MUST(!umount(dir));
}

static long long take_pipes(void)
{
	long long pages = 0, size;

	for (; pages < PAGES; nr_fds += 2) {
		MUST(!pipe(&fds[nr_fds]));
		size = fcntl(fds[nr_fds], F_GETPIPE_SZ);
		MUST(fill(fds[nr_fds + 1], size));
		pages += size / page_size();
	}
	return pages;
}

/* The heads of such buffers are slab's, the rest is in no counter. */
static long long take_sockets(void)
{
	int size = 2 * PAGES * page_size();

	why = "no sockets in this kernel";
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, &fds[nr_fds]))
		return 0;
	MUST(!setsockopt(fds[nr_fds], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
	MUST(fill(fds[nr_fds], PAGES * page_size()));
	nr_fds += 2;
	return PAGES;
}

/* A struct file takes about 256 bytes, or less: as the kernel tells it. */
static long long take_files(void)
{
	struct rlimit limit = { FILES + 100, FILES + 100 };
	long long before = meminfo_kb("Slab");

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	while (nr_fds < FILES)
		fds[nr_fds++] = must_open("/dev/null", O_RDONLY);
	write_file("/proc/sys/vm/stat_refresh", "1");
	return (meminfo_kb("Slab") - before) * 1024 / (long long)page_size();
}

static long long take_huge(void)
{
	why = "no huge pages in this kernel";
	if (setting_write(HUGE_FILE, "4"))
		return 0;
	return meminfo_kb("HugePages_Total") * meminfo_kb("Hugepagesize") * 1024 /
	       (long long)page_size();
}

static void give_huge(void)
{
	setting_write(HUGE_FILE, "0");
}

#define ZRAM	"/sys/block/zram0/"

static char *random_pages(size_t size)
{
	char *p = aligned_alloc(page_size(), size);
	int fd = must_open("/dev/urandom", O_RDONLY);

	MUST(p && read(fd, p, size) == (ssize_t)size);
	close(fd);
	return p;
}

/* What cannot be compressed, past the page cache; as zram tells it. */
static long long take_zram(void)
{
	size_t size = PAGES / 2 * page_size(), i;
	unsigned long long used = 0;
	char number[32], *page, *stat;
	int fd;

	why = "no zram";
	if (system("modprobe -q zram 2>/dev/null") || access(ZRAM, F_OK))
		return 0;
	snprintf(number, sizeof(number), "%zu", size);
	if (write_file(ZRAM "disksize", number))
		return 0;
	fd = must_open("/dev/zram0", O_WRONLY | O_DIRECT);
	page = random_pages(page_size());
	for (i = 0; i < size; i += page_size()) {
		memcpy(page, &i, sizeof(i));
		MUST(write(fd, page, page_size()) == (ssize_t)page_size());
	}
	free(page);
	close(fd);
	stat = must_read(ZRAM "mm_stat");
	MUST(sscanf(stat, "%*u %*u %llu", &used) == 1);
	free(stat);
	return used / page_size();
}

static void give_zram(void)
{
	MUST_OK(write_file(ZRAM "reset", "1"));
}

/* ---- Judged ---- */

static const struct kind kinds[] = {
	{ .name = "pages of a driver are unaccounted", .line = "unaccounted",
	  .take = take_pages, .give = give_pages },
	{ .name = "vmalloc", .line = "vmalloc", .take = take_vmalloc, .give = give_vmalloc },
	{ .name = "percpu", .line = "percpu", .take = take_percpu, .give = give_percpu,
	  .besides = "vmalloc,slab_unreclaimable,", .kept = true, .first = true },
	{ .name = "the module's own", .line = "module",
	  .take = take_reserve, .give = give_reserve },
	{ .name = "anon", .line = "anon", .take = take_anon, .give = give_area,
	  .besides = "pagetables," },
	{ .name = "page tables", .line = "pagetables", .take = take_tables, .give = give_area },
	{ .name = "kernel stacks", .line = "kernel_stack",
	  .take = take_stacks, .give = give_stacks,
	  .besides = "vmalloc,anon,slab_unreclaimable,pagetables," },
	{ .name = "a memfd is shmem", .line = "shmem", .take = take_memfd, .give = close_all },
	{ .name = "a tmpfs is shmem, in huge pages too", .line = "shmem",
	  .take = take_tmpfs, .give = give_mount },
	{ .name = "page cache", .line = "page_cache", .take = take_ramfs, .give = give_mount },
	{ .name = "pipes are unaccounted", .line = "unaccounted",
	  .take = take_pipes, .give = close_all },
	{ .name = "sockets are unaccounted or slab", .line = "unaccounted+slab",
	  .take = take_sockets, .give = close_all,
	  .besides = "slab_unreclaimable,", .rounded = true },
	{ .name = "open files are slab", .line = "slab", .take = take_files, .give = close_all,
	  .besides = "vmalloc,slab_unreclaimable,slab_reclaimable,", .kept = true },
	{ .name = "huge pages", .line = "hugetlb", .take = take_huge, .give = give_huge },
	{ .name = "compressed pages", .line = "zsmalloc", .take = take_zram, .give = give_zram,
	  .besides = "vmalloc,slab_unreclaimable,", .kept = true },
};

static bool may_move(const struct kind *k, const char *key)
{
	char word[32];

	snprintf(word, sizeof(word), "%s,", key);
	return !strcmp(key, "free") || !strcmp(key, "pcp") || !strcmp(key, k->line) ||
	       (k->besides && strstr(k->besides, word));
}

/* "slab": both of them. */
static long long line_grown(const struct sheet *before, const struct sheet *after,
			    const char *line)
{
	long long slab = sheet_grown(before, after, "slab_unreclaimable") +
			 sheet_grown(before, after, "slab_reclaimable");

	if (!strcmp(line, "slab"))
		return slab;
	if (!strcmp(line, "unaccounted+slab"))
		return slab + sheet_grown(before, after, "unaccounted");
	return sheet_grown(before, after, line);
}

/* No other line has moved, and "unaccounted" only if it is the kind's own. */
static void expect_others(const struct kind *k, const struct sheet *before,
			  const struct sheet *after, long long slack)
{
	unsigned int i;

	if (!strstr(k->line, "unaccounted")) {
		expect_of("%s: unaccounted", k->name);
		EXPECT_NEAR(after->unaccounted - before->unaccounted, 0, slack);
	}
	for (i = 0; i < after->summed; i++) {
		if (may_move(k, after->line[i].key))
			continue;
		expect_of("%s: %s", k->name, after->line[i].key);
		EXPECT_NEAR(sheet_grown(before, after, after->line[i].key), 0, slack);
	}
}

static bool is_back(const struct kind *k, const struct sheet *before, struct sheet *after,
		    long long slack)
{
	write_file("/proc/sys/vm/drop_caches", "2");
	sheet_read(after);
	return llabs(line_grown(before, after, k->line)) <= slack &&
	       llabs(after->unaccounted - before->unaccounted) <= slack;
}

static void test_kind(const struct kind *k)
{
	struct sheet before, after;
	long long pages = 1, grown, slack, by;

	if (has_kasan() && (!strcmp(k->line, "vmalloc") || !strcmp(k->line, "percpu"))) {
		ksft_test_result_skip("%s: KASAN's shadow of it is in no account\n", k->name);
		return;
	}
	/* What is done for the first time takes memory that stays. */
	if (!k->first)
		pages = k->take();
	if (pages && !k->first) {
		k->give();
		nap_ms(20);
	}
	sheet_read(&before);
	slack = before.drift + NOISE;
	if (pages)
		pages = k->take();
	if (!pages) {
		ksft_test_result_skip("%s: %s\n", k->name, why);
		return;
	}
	sheet_read(&after);
	grown = line_grown(&before, &after, k->line);
	expect_of("%s", k->name);
	by = pages / PART > NOISE / 2 && pages / PART < slack ? pages / PART : slack;
	EXPECT_IN(grown, pages - by, (k->rounded ? 3 * pages / 2 : pages) + by);
	expect_others(k, &before, &after, slack);
	if (expect_failed())
		sheet_print(&before, &after);
	k->give();
	if (!k->kept && !EXPECT_TRUE(wait_until(is_back(k, &before, &after, slack), 10000)))
		sheet_print(&before, &after);
	ksft_print_msg("%s: %lld taken, %s grew by %lld, unaccounted by %lld when it was given back\n",
		       k->name, pages, k->line, grown, after.unaccounted - before.unaccounted);
	test_done("%s", k->name);
}

/* ---- Swap ---- */

static void expect_steady(const struct sheet *from, const char *what, struct sheet *now)
{
	sheet_read(now);
	expect_of("%s", what);
	if (!EXPECT_NEAR(now->unaccounted - from->unaccounted, 0, from->drift + NOISE))
		sheet_print(from, now);
}

/*
 * Written out, read again: then the pages are in the swap cache and mapped, and
 * count once.
 */
static void test_swap(void)
{
	const char *says = "the swap cache is nobody's leak";
	struct sheet before, out, in;
	volatile char *p;
	size_t i;

	if (!swap_ensure(2 * PAGES)) {
		ksft_test_result_skip("%s: no swap here\n", says);
		return;
	}
	take_anon();
	sheet_read(&before);
	for (i = 0; i < 5; i++) {
		madvise(area, area_size, 21 /* MADV_PAGEOUT */);
		expect_steady(&before, "written out", &out);
	}
	EXPECT_LT(sheet_grown(&before, &out, "anon"), -PAGES / 2);
	p = area;
	for (i = 0; i < PAGES; i++)
		p[i * page_size()];
	expect_steady(&before, "read again", &in);
	EXPECT_NEAR(sheet_grown(&before, &in, "anon"), 0, NOISE + before.drift);
	EXPECT_NEAR(sheet_grown(&before, &in, "page_cache"), 0, NOISE + before.drift);
	EXPECT_NEAR(sheet_pages(&in, "swapcache"), meminfo_pages("SwapCached"), NOISE);
	ksft_print_msg("anon %+lld, then %+lld with a swap cache of %lld\n",
		       sheet_grown(&before, &out, "anon"), sheet_grown(&before, &in, "anon"),
		       sheet_pages(&in, "swapcache"));
	give_area();
	test_done("%s", says);
}

/* ---- Under load ---- */

static void __noreturn work_for_ever(void)
{
	size_t size = 256 * page_size();
	char *p;
	pid_t pid;

	for (;;) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, size);
		pid = fork();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
		munmap(p, size);
	}
}

static int compare(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median of some readings, between which the load goes on. */
static long long busy_unaccounted(void)
{
	long long pages[READS];
	struct sheet s;
	unsigned int i;

	for (i = 0; i < READS; i++) {
		nap_ms(5);
		sheet_read(&s);
		pages[i] = s.unaccounted;
	}
	qsort(pages, READS, sizeof(pages[0]), compare);
	return pages[READS / 2];
}

static void test_load(void)
{
	pid_t pid[LOADERS];
	long long before, taken, after;
	unsigned int i;

	if (!take_of("pages", 1)) {
		ksft_test_result_skip("under load: %s\n", why);
		return;
	}
	for (i = 0; i < LOADERS; i++) {
		pid[i] = must_fork();
		if (!pid[i])
			work_for_ever();
	}
	nap_ms(50);
	before = busy_unaccounted();
	take_of("pages", 2 * PAGES);
	taken = busy_unaccounted();
	take_of("pages", 0);
	after = busy_unaccounted();
	for (i = 0; i < LOADERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	ksft_print_msg("under load: unaccounted %lld, with %d pages of a driver %lld, without %lld\n",
		       before, 2 * PAGES, taken, after);
	EXPECT_NEAR(taken - before, 2 * PAGES, PAGES / 2);
	EXPECT_NEAR(after - before, 0, PAGES / 2);
	test_done("under load");
}

int main(void)
{
	unsigned int i;

	test_begin(ARRAY_SIZE(kinds) + 2);
	oom_settings();
	snprintf(dir, sizeof(dir), "/tmp/oomlens-sheet-XXXXXX");
	MUST(mkdtemp(dir));
	undo_at_end("rmdir", dir);
	loader_helper("oomlens_pages", "");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		test_kind(&kinds[i]);
	test_swap();
	test_load();
	loader_no_helper("oomlens_pages");
	test_end();
}
