// SPDX-License-Identifier: GPL-2.0
/*
 * memory: its lines add up to all of RAM, and each is what the kernel itself shows,
 * in /proc/meminfo, /proc/zoneinfo and the log of its boot.
 */
#include <limits.h>
#include <sys/klog.h>
#include <sys/mman.h>

#include "lib/expect.h"
#include "lib/free.h"
#include "lib/sheet.h"

/* Between two readings the kernel takes and gives back a little. */
#define NOISE	48
#define TRIES	5

#define LOCKED	1000

/* Fewer pages than a processor keeps back of any counter, and how often they are taken. */
#define KEPT	6
#define TAKES	9

/* The kernel's own readings lack what each processor keeps back, until this. */
static void fold(void)
{
	MUST_OK(write_file("/proc/sys/vm/stat_refresh", "1"));
}

static void test_sum(void)
{
	struct sheet s;
	long long sum;
	unsigned int i;

	sheet_read(&s);
	sum = s.unaccounted;
	for (i = 0; i < s.summed; i++)
		if (s.line[i].pages != LLONG_MIN)
			sum += s.line[i].pages;
	EXPECT_EQ(s.summed, 18);
	EXPECT_EQ(sum, s.ram);
	EXPECT_EQ(s.ram, meminfo_pages("MemTotal"));
	EXPECT_GT(s.unaccounted, -s.drift);
	/* Of each processor: two batches of 31 at most. */
	EXPECT_IN(s.drift, 1, 64 * sysconf(_SC_NPROCESSORS_CONF));
	test_done("the lines add up to MemTotal");
}

static const struct {
	const char *line, *key;
} same[] = {
	{ "anon", "AnonPages" },
	{ "shmem", "Shmem" },
	{ "slab_reclaimable", "SReclaimable" },
	{ "slab_unreclaimable", "SUnreclaim" },
	{ "kernel_stack", "KernelStack" },
	{ "pagetables", "PageTables" },
	{ "secondary_pagetables", "SecPageTables" },
	{ "hugetlb", "Hugetlb" },
	{ "locked", "Mlocked" },
	{ "swapcache", "SwapCached" },
};

static void judge_same(void)
{
	struct sheet s;
	long long cached, stacks;
	unsigned int i;

	fold();
	sheet_read(&s);
	for (i = 0; i < ARRAY_SIZE(same); i++) {
		expect_of("%s", same[i].line);
		/* What the kernel lacks has no line in meminfo, or is 0 there. */
		if (sheet_pages(&s, same[i].line) == LLONG_MIN)
			EXPECT_LE(meminfo_kb(same[i].key), 0);
		else
			EXPECT_NEAR(sheet_pages(&s, same[i].line), meminfo_pages(same[i].key),
				    NOISE);
	}
	cached = meminfo_pages("Cached") + meminfo_pages("Buffers") - meminfo_pages("Shmem");
	EXPECT_NEAR(sheet_pages(&s, "page_cache"), cached, NOISE);
	EXPECT_NEAR(sheet_pages(&s, "free") + sheet_pages(&s, "pcp"),
		    free_memory_kb() * 1024 / (long long)page_size(), NOISE);
	/* Stacks are vmalloc's where the kernel has CONFIG_VMAP_STACK. */
	stacks = meminfo_pages("KernelStack");
	expect_of("vmalloc");
	if (llabs(sheet_pages(&s, "vmalloc") - meminfo_pages("VmallocUsed")) > NOISE)
		EXPECT_NEAR(sheet_pages(&s, "vmalloc"), meminfo_pages("VmallocUsed") - stacks,
			    NOISE);
}

/* Other tasks run in between: once out of a few tries. Locked memory is made for it. */
static void test_same(void)
{
	size_t size = LOCKED * page_size();
	char *locked = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	unsigned int i;

	MUST(locked != MAP_FAILED);
	MUST(!mlock(locked, size));
	for (i = 1; ; i++) {
		judge_same();
		if (!expect_failed() || i == TRIES)
			break;
		expect_retry();
		nap_ms(50);
	}
	munmap(locked, size);
	test_done("each line is the kernel's own");
}

/* Are these few pages seen, which no counter of the kernel's need show yet? */
static bool seen_at_once(char *pages)
{
	struct sheet before, after;
	unsigned int i;

	fold();
	sheet_read(&before);
	for (i = 0; i < KEPT; i++)
		pages[i * page_size()] = 1;
	sheet_read(&after);
	return sheet_pages(&after, "anon") - sheet_pages(&before, "anon") == KEPT;
}

/* Other tasks take and give back in between: most of the times. */
static void test_kept(void)
{
	size_t size = KEPT * page_size();
	unsigned int i, seen = 0;
	char *pages;

	for (i = 0; i < TAKES; i++) {
		pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		MUST(pages != MAP_FAILED);
		madvise(pages, size, MADV_NOHUGEPAGE);
		seen += seen_at_once(pages);
		munmap(pages, size);
	}
	EXPECT_GT(seen, TAKES / 2);
	test_done("a few pages are seen at once, where a processor keeps them back");
}

/* What the kernel told at boot of the first chunk; 0: the log has lost it. */
static long long first_chunk_pages(void)
{
	const char *kept = getenv("OOMLENS_DMESG");
	long long pages = 0;
	char *log, *at;
	int size;

	if (kept) {
		log = must_read(kept);
	} else {
		size = klogctl(10, NULL, 0);
		log = MUST_HAVE(calloc(1, size + 1));
		MUST(klogctl(3, log, size) >= 0);
	}
	at = strstr(log, "percpu: Embedded ");
	if (at)
		sscanf(at, "percpu: Embedded %lld pages/cpu", &pages);
	free(log);
	return pages * sysconf(_SC_NPROCESSORS_CONF);
}

static void test_percpu(void)
{
	long long first = first_chunk_pages(), all, here;
	struct sheet s;

	sheet_read(&s);
	here = sheet_pages(&s, "percpu");
	all = meminfo_pages("Percpu");
	ksft_print_msg("Percpu %lld, first chunk %lld, percpu %lld\n", all, first, here);
	EXPECT_LE(here, all);
	test_done("percpu is at most meminfo's Percpu");
	if (!first) {
		ksft_test_result_skip("no first chunk in the log: of one processor, or lost since the boot\n");
		return;
	}
	/* With one possible processor it is known on x86-64 alone. */
	if (sysconf(_SC_NPROCESSORS_CONF) > 1 || here != all)
		EXPECT_NEAR(here, all - first, 2 * sysconf(_SC_NPROCESSORS_CONF));
	test_done("percpu is without the first chunk, which is not of MemTotal");
}

int main(void)
{
	test_begin(5);
	test_sum();
	test_same();
	test_kept();
	test_percpu();
	test_end();
}
