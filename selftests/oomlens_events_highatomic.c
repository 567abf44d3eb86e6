// SPDX-License-Identifier: GPL-2.0
/*
 * A zone's free pages that are kept for urgent requests of higher order are not
 * usable by others: an event says how many they are. Judged by /proc/pagetypeinfo.
 */
#include "lib/events.h"
#include "lib/expect.h"
#include "lib/free.h"
#include "lib/loader.h"

#define URGENT	"/sys/module/oomlens_pages/parameters/urgent"
#define STEP	32	/* pieces */
#define MOST	4096

/* Free pages may join the kept blocks, or leave them, before the test reads them. */
#define TRIES	4

/* The blocks of a zone that are kept, in pages, and how much of them is free. */
struct kept {
	char zone[16];
	int node;
	long long reserved, free;
};

static struct kept *kept_of(struct kept *k, unsigned int n, const char *zone, int node)
{
	while (n--)
		if (k[n].node == node && !strcmp(k[n].zone, zone))
			return &k[n];
	return NULL;
}

/* "Node 0, zone DMA, type HighAtomic 1 0 2 ...": the free pieces of each order */
static void add_free(struct kept *k, const char *counts)
{
	unsigned int order;
	int used;
	long long v;

	for (order = 0; sscanf(counts, " %lld%n", &v, &used) == 1; order++, counts += used)
		k->free += v << order;
}

static unsigned int read_kept(struct kept *k, unsigned int max)
{
	char *text = must_read("/proc/pagetypeinfo"), *line, *save = NULL, zone[16], type[16];
	long long block = 0, v;
	unsigned int n = 0;
	struct kept *known;
	int node, used;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Pages per block: %lld", &v) == 1) {
			block = v;
		} else if (sscanf(line, "Node %d, zone %15[^,], type %15s%n", &node, zone, type,
				  &used) == 3) {
			if (n < max && !strcmp(type, "HighAtomic")) {
				k[n] = (struct kept){ .node = node };
				snprintf(k[n].zone, sizeof(k[n].zone), "%s", zone);
				add_free(&k[n++], line + used);
			}
		/* After those of unmovable, movable and reclaimable blocks */
		} else if (sscanf(line, "Node %d, zone %15[^ ,] %*d %*d %*d %lld", &node, zone,
				  &v) == 3) {
			known = kept_of(k, n, zone, node);
			if (known)
				known->reserved = v * block;
		}
	}
	free(text);
	return n;
}

static long long all_kept(void)
{
	struct kept k[64];
	unsigned int n = read_kept(k, ARRAY_SIZE(k));
	long long sum = 0;

	while (n--)
		sum += k[n].reserved;
	return sum;
}

/*
 * Where free memory is below its low mark, an urgent request of higher order makes
 * the kernel keep the whole block: so the marks are raised for a moment.
 * Source: mm/page_alloc.c, get_page_from_freelist().
 */
static void make_kept(void)
{
	static const char marks[] = "/proc/sys/vm/min_free_kbytes";
	long long was = file_number(marks), low = meminfo_kb("LowFree");
	unsigned int n;
	char text[32];

	/* Between min and low, which is a quarter more. */
	snprintf(text, sizeof(text), "%lld",
		 ((low < 0 ? meminfo_kb("MemFree") : low) - cma_free_kb()) * 85 / 100);
	MUST_OK(setting_write(marks, text));
	for (n = STEP; n <= MOST && !all_kept(); n += STEP) {
		snprintf(text, sizeof(text), "%u", n);
		if (write_file(URGENT, text))
			break;
	}
	snprintf(text, sizeof(text), "%lld", was);
	MUST_OK(write_file(marks, text));
	MUST_OK(write_file(URGENT, "0"));
}

static void expect_kept(const char *text, long long number)
{
	struct kept now[64], *k;
	unsigned int n = read_kept(now, ARRAY_SIZE(now)), i;
	long long some = 0, highatomic, least;
	const char *line;

	for (i = 0; (line = event_line(text, "zone", number, i)); i++) {
		k = kept_of(now, n, line_word(line, "name"), line_number(line, "node"));
		if (!EXPECT_TRUE(k))
			continue;
		expect_of("zone %s", k->zone);
		highatomic = line_number(line, "highatomic");
		/*
		 * Some kernels count all that is kept, newer ones what is free of it, which
		 * may be a little more by now. Free pieces may be larger than a block.
		 */
		least = k->free - k->free / 8;
		EXPECT_IN(highatomic, least < k->reserved ? least : k->reserved,
			  k->free < k->reserved ? k->reserved : k->free);
		EXPECT_EQ(line_number(line, "usable"), line_number(line, "free") -
			  line_number(line, "free_cma") - highatomic);
		some += highatomic;
	}
	EXPECT_GT(some, 0);
}

static void one_oom(int fd, long long *n)
{
	const struct hog_spec spec = { .anon = 100, .adj = 1000 };
	struct hog hog;
	char *text;

	must_hog(&hog, &spec);
	MUST_OK(write_file("/proc/sysrq-trigger", "f"));
	text = MUST_HAVE(next_event(fd, n));
	expect_kept(text, *n);
	expect_show(text);
	free(text);
	hog_end(&hog);
}

int main(void)
{
	unsigned int tries = 0;
	long long n = 0;
	int fd;

	test_begin(0);
	if (!lens_feature("sysrq") || access("/proc/pagetypeinfo", R_OK))
		ksft_exit_skip("no sysrq, or no /proc/pagetypeinfo\n");
	if (!loader_helper("oomlens_pages", ""))
		ksft_exit_skip("no oomlens_pages.ko: build with OOMLENS_TESTS=1\n");
	oom_settings();
	if (!all_kept())
		make_kept();
	loader_no_helper("oomlens_pages");
	if (!all_kept())
		ksft_exit_skip("no zone is large enough to keep a block\n");
	ksft_set_plan(1);
	fd = events_open();
	do {
		expect_retry();
		one_oom(fd, &n);
	} while (expect_failed() && ++tries < TRIES);
	test_done("what is kept for urgent requests is not usable");
	close(fd);
	test_end();
}
