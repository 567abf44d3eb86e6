// SPDX-License-Identifier: GPL-2.0
/*
 * history: each figure against what /proc and the cgroup's files say before and
 * after; what grew, a reused pid, many forks, a cgroup, memory of no process; a
 * leak beside a churn over the day; changed and stopped under readers. The sampler
 * runs faster here, by history_ms.
 */
#include <dirent.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/samples.h"

#define PARAMETERS	"/sys/module/oomlens/parameters/"

static void every_ms(const char *ms)
{
	MUST_OK(setting_write(PARAMETERS "history_ms", ms));
}

/* ---- Samples ---- */

/* The file once it has a sample above @number, whose number becomes that of the newest. */
static char *next_sample(long long *number)
{
	unsigned long long end = now_ns() + PATIENCE_MS * 1000000ULL;
	long long last;
	char *text;

	for (;;) {
		text = must_read_lens("history");
		last = samples_in(text, 0).last;
		if (last > *number)
			break;
		MUST(now_ns() < end);
		free(text);
		nap_ms(2);
	}
	*number = last;
	return text;
}

/* A sample that began after the call. */
static char *fresh_sample(long long *number)
{
	char *text = must_read_lens("history");

	*number = samples_in(text, 0).last;
	free(text);
	free(next_sample(number));
	return next_sample(number);
}

static long long figure(const char *text, long long number, const char *key)
{
	return line_number(event_line(text, "sample", number, 0), key);
}

static const char *task_line(const char *text, long long number, pid_t pid)
{
	const char *line;
	unsigned int i;

	for (i = 0; (line = event_line(text, "task", number, i)); i++)
		if (line_number(line, "pid") == pid)
			return line;
	return NULL;
}

static const char *named_line(const char *text, const char *type, long long number,
			      const char *key, const char *name)
{
	const char *line, *word;
	unsigned int i;

	for (i = 0; (line = event_line(text, type, number, i)); i++) {
		word = line_word(line, key);
		if (word && !strcmp(word, name))
			return line;
	}
	return NULL;
}

/* ---- The machine ---- */

/* Processes without kernel threads, by their flags in /proc/PID/stat. */
static long long count_tasks(void)
{
	DIR *dir = MUST_HAVE(opendir("/proc"));
	char path[300], *stat, *rest;
	unsigned long flags;
	struct dirent *d;
	long long n = 0;

	while ((d = readdir(dir))) {
		if (atoi(d->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		stat = read_file(path);
		rest = stat ? strrchr(stat, ')') : NULL;
		if (rest && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %lu", &flags) == 1)
			n += !(flags & 0x200000);
		free(stat);
	}
	closedir(dir);
	return n;
}

static long long page_cache(void)
{
	/* Before 5.12 the swap cache cannot be told apart: then it is the lists of files. */
	if (file_key("/proc/vmstat", "nr_swapcached") < 0)
		return meminfo_pages("Active(file)") + meminfo_pages("Inactive(file)");
	return meminfo_pages("Cached") + meminfo_pages("Buffers") - meminfo_pages("Shmem");
}

static const struct {
	const char *key, *meminfo;
} figures[] = {
	{ "free", "MemFree" }, { "available", "MemAvailable" }, { "anon", "AnonPages" },
	{ "shmem", "Shmem" }, { "slab_reclaimable", "SReclaimable" },
	{ "slab_unreclaimable", "SUnreclaim" }, { "kernel_stack", "KernelStack" },
	{ "pagetables", "PageTables" }, { "swap_free", "SwapFree" },
	{ "committed", "Committed_AS" }, { "page_cache", NULL }, { "tasks", NULL },
	{ "unaccounted", NULL },
};

static void read_proc(long long *values)
{
	unsigned int i;

	for (i = 0; figures[i].meminfo; i++)
		values[i] = meminfo_pages(figures[i].meminfo);
	values[i++] = page_cache();
	values[i++] = count_tasks();
	/* The same sum as in memory, which oomlens_sheet_sum and _kinds judge. */
	values[i] = lens_key("memory", "unaccounted");
}

/*
 * All figures of one sample, each between what /proc had before and after it. To read
 * takes and gives back pages: so one quiet try of many.
 */
static void test_machine(void)
{
	long long before[ARRAY_SIZE(figures)], after[ARRAY_SIZE(figures)], n, have;
	unsigned int tries, i;
	bool good = false;
	char *text;

	every_ms("100");
	for (tries = 0; tries < 40 && !good; tries++) {
		expect_retry();
		free(fresh_sample(&n));
		read_proc(before);
		nap_ms(150);
		read_proc(after);
		/* The first one after that of fresh_sample(), if it is the only one. */
		text = next_sample(&n);
		good = true;
		for (i = 0; i < ARRAY_SIZE(figures); i++) {
			expect_of("%s of sample %lld", figures[i].key, n);
			have = figure(text, n, figures[i].key);
			good &= EXPECT_IN(have, before[i] < after[i] ? before[i] : after[i],
					  before[i] < after[i] ? after[i] : before[i]);
		}
		free(text);
	}
	ksft_print_msg("%u tries\n", tries);
	test_done("the machine's figures are those of /proc before and after");
}

/* ---- Tasks ---- */

/* pids that are chosen; false if this kernel has no way to. */
static bool next_pid(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid - 1);
	return !write_file("/proc/sys/kernel/ns_last_pid", text);
}

/* When a process began, in microseconds, to ten milliseconds. */
static long long start_us(pid_t pid)
{
	char path[40], *stat, *rest;
	unsigned long long ticks = 0;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = must_read(path);
	rest = strrchr(stat, ')');
	/* The 22nd field, of which the name is the second. */
	for (i = 2; i < 22 && rest; i++)
		rest = strchr(rest + 1, ' ');
	ticks = strtoull(MUST_HAVE(rest), NULL, 10);
	free(stat);
	return ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

/* Pages by /proc/PID/status, which on some kernels lack what processors keep back. */
#define PAGES_SLACK	(64 * sysconf(_SC_NPROCESSORS_CONF) + 16)

static long long status_pages(pid_t pid)
{
	char path[40], *status;
	long long kb = 0, part;
	unsigned int i;
	static const char * const keys[] = { "VmRSS:", "VmSwap:", "VmPTE:" };

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = must_read(path);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (key_number(status, keys[i], &part))
			kb += part;
	free(status);
	return kb * 1024 / page_size();
}

static void test_task(void)
{
	struct hog_spec spec = { .anon = 4000, .uid = 65534, .comm = "grower" };
	long long n, first, sum = 0, points;
	const char *line;
	struct hog hog;
	char *text;

	if (cg_version())
		spec.cgroup = must_cgroup(NULL, "history");
	must_hog(&hog, &spec);
	text = fresh_sample(&first);
	line = task_line(text, first, hog.pid);
	EXPECT_LINE(line, "uid=65534 comm=grower memcg=%s from_max=0",
		    spec.cgroup ? cg_shown(spec.cgroup) : "-");
	points = line_number(line, "points");
	EXPECT_NEAR(points, status_pages(hog.pid), PAGES_SLACK);
	EXPECT_NEAR(line_number(line, "start_us"), start_us(hog.pid), 20000);
	free(text);
	test_done("a task: as /proc/PID has it");

	MUST_OK(hog_do(&hog, HOG_GROW, 3000));
	text = fresh_sample(&n);
	EXPECT_GT(n, first);
	while (++first <= n)
		sum += line_number(task_line(text, first, hog.pid), "grew");
	EXPECT_NEAR(sum, 3000, PAGES_SLACK);
	EXPECT_EQ(sum, line_number(task_line(text, n, hog.pid), "points") - points);
	free(text);
	test_done("what it grew by, summed over the samples");
	hog_end(&hog);
}

static void test_pid_reused(void)
{
	const struct hog_spec large = { .anon = 5000, .comm = "first" };
	const struct hog_spec small = { .anon = 1000, .comm = "second" };
	long long n, last, begin, i;
	const char *line;
	struct hog hog;
	pid_t pid;
	char *text;

	must_hog(&hog, &large);
	pid = hog.pid;
	text = fresh_sample(&n);
	begin = line_number(task_line(text, n, pid), "start_us");
	free(text);
	/* Beyond the tick by which its start is told. */
	nap_ms(30);
	hog_end(&hog);
	if (!next_pid(pid)) {
		test_skip(1, "no CONFIG_CHECKPOINT_RESTORE\n");
		return;
	}
	must_hog(&hog, &small);
	text = fresh_sample(&last);
	if (hog.pid != pid) {
		test_skip(1, "the pid was taken by another\n");
		goto out;
	}
	for (i = n + 1; i <= last; i++) {
		line = task_line(text, i, pid);
		if (!line || line_number(line, "start_us") == begin)
			continue;
		/* The first of the new one. */
		EXPECT_NEAR(line_number(line, "start_us"), start_us(pid), 20000);
		EXPECT_EQ(line_number(line, "grew"), line_number(line, "points"));
		break;
	}
	EXPECT_LE(i, last);
	test_done("a pid that is used again is another process");
out:
	free(text);
	hog_end(&hog);
}

#define BOMB	200

static void test_forks(void)
{
	long long n, last, count = 0, grew = 0, all = 0;
	const char *line;
	pid_t pids[BOMB];
	unsigned int i;
	char *text;

	free(fresh_sample(&n));
	must_idle(pids, BOMB);
	text = fresh_sample(&last);
	for (i = 0; i < BOMB; i++)
		all += status_pages(pids[i]);
	for (n++; n <= last; n++) {
		line = named_line(text, "comm", n, "comm", "oomlens_history");
		if (!line)
			continue;
		grew += line_number(line, "grew");
		if (line_number(line, "count") > count)
			count = line_number(line, "count");
	}
	free(text);
	idle_end(pids, BOMB);
	EXPECT_IN(count, BOMB, BOMB + 3);
	ksft_print_msg("%d have %lld pages, and their name grew by %lld\n", BOMB, all, grew);
	/* At least the stacks and page tables: the rest may be what processors keep back. */
	EXPECT_IN(grew, BOMB * 2, all + all / 4);
	test_done("many small processes: their name grew");
}

static void test_names(void)
{
	const struct hog_spec first = { .anon = 500, .comm = "postfix" };
	const struct hog_spec second = { .anon = 3000, .comm = "postgres" };
	const char *line, *found = NULL;
	struct hog postfix, postgres;
	long long n, last;
	char *text;

	must_hog(&postfix, &first);
	free(fresh_sample(&n));
	must_hog(&postgres, &second);
	text = fresh_sample(&last);
	for (n++; n <= last; n++) {
		line = named_line(text, "comm", n, "comm", "postgres");
		if (!line)
			continue;
		found = line;
		EXPECT_EQ(line_number(line, "count"), 1);
		EXPECT_LT(line_number(line, "points"), 3000 + 500);
	}
	EXPECT_TRUE(found);
	if (!found)
		expect_show(text);
	free(text);
	hog_end(&postgres);
	hog_end(&postfix);
	test_done("names with the same beginning are two");
}

/* ---- Cgroups, and memory of no process ---- */

static void test_cgroup(void)
{
	struct hog_spec spec = { .anon = 3000 };
	long long n, before, grew = 0, last;
	const char *line = NULL;
	struct hog hog;
	char *text;

	if (!cg_version()) {
		test_skip(1, "no memory cgroups\n");
		return;
	}
	spec.cgroup = must_limit("history_limit", 20000);
	must_hog(&hog, &spec);
	free(fresh_sample(&n));
	MUST_OK(hog_do(&hog, HOG_GROW, 2000));
	before = cg_usage(spec.cgroup);
	text = fresh_sample(&last);
	for (n++; n <= last; n++) {
		line = named_line(text, "memcg", n, "path", cg_shown(spec.cgroup));
		if (line)
			grew += line_number(line, "grew");
	}
	EXPECT_LINE(line, "limit=20000 from_max=0");
	/* Charges are taken in batches, and a processor gives its stock back at times. */
	EXPECT_NEAR(line_number(line, "usage"), before, PAGES_SLACK);
	EXPECT_NEAR(grew, 2000, 2 * PAGES_SLACK);
	free(text);
	hog_end(&hog);
	test_done("a cgroup: usage, limit and growth");
}

static void test_no_process(void)
{
	long long n, before, size = 1000 * (long long)page_size();
	int fd = MUST_GET(memfd_create("history", 0));
	char *text;

	MUST_OK(write_file("/proc/sys/vm/stat_refresh", "1"));
	text = fresh_sample(&n);
	before = figure(text, n, "shmem");
	free(text);
	MUST(!ftruncate(fd, size));
	MUST(!posix_fallocate(fd, 0, size));
	/* What the processors hold back of the kernel's counters goes into the sum. */
	MUST_OK(write_file("/proc/sys/vm/stat_refresh", "1"));
	text = fresh_sample(&n);
	EXPECT_NEAR(figure(text, n, "shmem") - before, 1000, 8);
	free(text);
	close(fd);
	test_done("memory of no process: the kind that grew");
}

/* ---- The day ---- */

/* Samples that make one of the day, and how far apart they are. */
#define STEP	60
#define STEP_MS	10

#define MOMENTS		40000
#define LEAK_PAGES	20

/* What the leak had, and when. */
static struct moment {
	unsigned long long ns;
	long long pages;
} moments[MOMENTS];

static long long leaked_by(unsigned int n, unsigned long long ns)
{
	long long pages = 0;
	unsigned int i;

	for (i = 0; i < n && moments[i].ns <= ns; i++)
		pages = moments[i].pages;
	return pages;
}

static double seconds(const char *line, const char *key)
{
	const char *word = line_word(line, key);

	return word ? atof(word) : 0;
}

/* A leak beside a churn, until five samples of the day have passed; moments made. */
static unsigned int leak_and_churn(struct hog *leak, struct hog *churn)
{
	long long n, end = 0;
	unsigned int i;
	char *text;

	for (i = 0; i < MOMENTS; i++) {
		MUST_OK(hog_do(leak, HOG_GROW, LEAK_PAGES));
		moments[i] = (struct moment){ now_ns(), LEAK_PAGES * (i + 1) };
		MUST_OK(hog_do(churn, i % 2 ? HOG_SHRINK : HOG_GROW, 2000));
		nap_ms(2);
		if (i % 50)
			continue;
		text = must_read_lens("history");
		n = samples_in(text, 0).last;
		free(text);
		if (!end)
			end = n + 5 * STEP;
		if (n >= end)
			break;
	}
	return i;
}

/*
 * A sample of the day compares the fewest pages of two steps: of a leak that is what
 * it had when they began.
 */
static void test_day(void)
{
	const struct hog_spec leak_spec = { .anon = 100, .comm = "leak" };
	const struct hog_spec churn_spec = { .anon = 100, .comm = "churn" };
	const char *sample, *line, *churned;
	unsigned int made, found = 0;
	struct hog leak, churn;
	long long n = 0, last, begin, step, before, after;
	char *text;

	every_ms("10");
	must_hog(&leak, &leak_spec);
	must_hog(&churn, &churn_spec);
	made = leak_and_churn(&leak, &churn);
	text = must_read_lens("history");
	last = samples_in(text, 0).last;
	for (n = 1; n <= last; n++) {
		sample = event_line(text, "sample", n, 0);
		step = seconds(sample, "over_s") * 1e9;
		begin = line_number(sample, "time_us") * 1000 - step;
		/* Not one of the last minutes, nor one that began before the leak. */
		if (step < STEP * STEP_MS / 2 * 1000000LL ||
		    begin - step < (long long)moments[0].ns)
			continue;
		found++;
		line = task_line(text, n, leak.pid);
		expect_of("sample %lld", n);
		before = leaked_by(made, begin) - leaked_by(made, begin - step);
		after = leaked_by(made, begin + step) - leaked_by(made, begin);
		EXPECT_NEAR(line_number(line, "grew"), before,
			    leaked_by(made, begin) / 4 + PAGES_SLACK / 2);
		churned = task_line(text, n, churn.pid);
		/* On a host that is too busy a step may see but one side of the churn. */
		if (churned && before >= 8 * LEAK_PAGES && after >= 8 * LEAK_PAGES)
			EXPECT_LT(line_number(churned, "grew"), line_number(line, "grew"));
	}
	free(text);
	ksft_print_msg("%u pages leaked in %u steps\n", LEAK_PAGES * made, found);
	EXPECT_GE(found, 1);
	hog_end(&leak);
	hog_end(&churn);
	test_done("a leak beside a churn, in the samples of the day");
}

/* ---- The lines of events ---- */

/* Pages that the kernel's line of a kill gives the victim. */
static long long log_pages(const char *line)
{
	static const char * const keys[] = {
		"anon-rss:", "file-rss:", "shmem-rss:", "pgtables:"
	};
	const char *at;
	long long kb = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		at = strstr(line, keys[i]);
		if (at)
			kb += atoll(at + strlen(keys[i]));
	}
	return kb * 1024 / page_size();
}

/* Lines of the span of the event's first growth line that name a process. */
static unsigned int growth_lines(const char *text, long long n, pid_t pid)
{
	const char *span = line_word(event_line(text, "growth", n, 0), "over_s"), *line;
	unsigned int i, lines = 0;
	char over[32];

	snprintf(over, sizeof(over), "%s", span ?: "");
	for (i = 0; (line = event_line(text, "growth", n, i)); i++)
		lines += line_number(line, "pid") == pid &&
			 !strcmp(line_word(line, "over_s"), over);
	return lines;
}

/*
 * The first task of each event's growth lines is the victim of a kill by sysrq; the
 * second one is that process, if one is named.
 */
static void expect_grown(int fd, struct hog *hog, long long from, const char *name, pid_t second)
{
	int kmsg = kmsg_open();
	char killed[512] = "";
	long long n = 0;
	const char *line;
	char *text;

	MUST_OK(write_file("/proc/sysrq-trigger", "f"));
	text = MUST_HAVE(next_killed(fd, &n));
	MUST(kmsg_wait(kmsg, "Killed process", killed, sizeof(killed), PATIENCE_MS));
	close(kmsg);
	line = event_line(text, "growth", n, 0);
	EXPECT_LINE(line, "pid=%d comm=%s", hog->pid, name);
	EXPECT_EQ(line_number(line, "to"), log_pages(killed));
	EXPECT_NEAR(line_number(line, "from"), from, from ? PAGES_SLACK : 0);
	/* As victim and as candidate it is the same process. */
	EXPECT_EQ(growth_lines(text, n, hog->pid), 1);
	if (second)
		EXPECT_EQ(line_number(event_line(text, "growth", n, 1), "pid"), second);
	expect_show(text);
	free(text);
	MUST(wait_until(hog_gone(hog), PATIENCE_MS));
	hog_end(hog);
}

static void test_growth(void)
{
	const struct hog_spec spec = { .anon = 1000, .adj = 1000, .comm = "grown" };
	/* The kernel marks its thread, which began later. */
	const struct hog_spec sudden = { .anon = 4000, .adj = 1000, .comm = "sudden",
					 .threads = 1, .dead_leader = true };
	const struct hog_spec second = { .anon = 1000, .comm = "less" };
	struct hog hog, less;
	long long n, from;
	int fd;

	if (!lens_feature("sysrq") || !lens_feature("mark_victim")) {
		test_skip(2, "no sysrq\n");
		return;
	}
	oom_settings();
	fd = events_open();
	/* With history_ms a minute is six samples; a mark is half as many more old. */
	every_ms("20");
	must_hog(&hog, &spec);
	must_hog(&less, &second);
	from = status_pages(hog.pid);
	free(fresh_sample(&n));
	n += 20;
	free(next_sample(&n));
	every_ms("3600000");
	MUST_OK(hog_do(&less, HOG_GROW, 2000));
	MUST_OK(hog_do(&hog, HOG_GROW, 4000));
	expect_grown(fd, &hog, from, "grown", less.pid);
	hog_end(&less);
	test_done("an event tells what grew most before it");

	must_hog(&hog, &sudden);
	expect_grown(fd, &hog, 0, "sudden", 0);
	test_done("and what began after the last sample");
	close(fd);
}

/* ---- To follow it ---- */

/* What is read after that write, to be freed. */
static char *read_after(int fd, const char *format, long long number)
{
	char line[48];
	char *text;

	snprintf(line, sizeof(line), format, number);
	EXPECT_OK(write_fd(fd, line));
	text = read_on(fd);
	MUST(text);
	MUST(!lseek(fd, 0, SEEK_SET));
	return text;
}

/* No sample has come for a while. */
static bool settled(void)
{
	long long before = samples_now().last;

	nap_ms(500);
	return samples_now().last == before;
}

static void test_after(void)
{
	static const char * const wrong[] = { "after", "after ", "after x", "after -1",
					      "after 1 2", "after 4294967296", "rows 1", "all" };
	int fd = must_open_lens("history", O_RDWR);
	struct samples all, some;
	long long middle;
	unsigned int i;
	char *text;

	every_ms("10");
	EXPECT_TRUE(wait_until(samples_now().n >= 8, PATIENCE_MS));
	/* From now on nothing is overwritten; a last sample may be on its way. */
	every_ms("3600000");
	EXPECT_TRUE(wait_until(settled(), PATIENCE_MS));
	text = read_after(fd, "after %lld", 0);
	all = samples_in(text, 0);
	middle = (all.first + all.last) / 2;
	some = samples_in(text, middle + 1);
	free(text);
	text = read_after(fd, "after %lld\n", middle);
	EXPECT_EQ(samples_in(text, 0).n, some.n);
	EXPECT_EQ(samples_in(text, 0).first, some.first);
	EXPECT_EQ(samples_in(text, 0).last, all.last);
	EXPECT_FALSE(event_line(text, "task", middle, 0));
	EXPECT_TRUE(event_line(text, "task", some.first, 0));
	free(text);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(write_fd(fd, wrong[i]), -EINVAL);
	text = read_after(fd, "after %lld", all.last);
	EXPECT_EQ(samples_in(text, 0).n, 0);
	EXPECT_TRUE(strstr(text, "# every_s "));
	free(text);
	/* Numbers go on where the sampler was stopped. */
	MUST_OK(setting_write(PARAMETERS "history", "0"));
	every_ms("0");
	text = read_after(fd, "after %lld", all.last);
	EXPECT_EQ(samples_in(text, 0).n, 0);
	free(text);
	MUST_OK(setting_write(PARAMETERS "history", "10"));
	every_ms("50");
	EXPECT_TRUE(wait_until(samples_now().n, PATIENCE_MS));
	text = read_after(fd, "after %lld", all.last);
	/* It may have looked once more before it stopped. */
	EXPECT_IN(samples_in(text, 0).first, all.last + 1, all.last + 2);
	free(text);
	close(fd);
	test_done("what is new after a sample, and nothing twice");
}

/* ---- The parameter ---- */

static pid_t reader(void)
{
	pid_t pid = must_fork();

	while (!pid)
		free(read_lens("history"));
	return pid;
}

#define CHANGES	40

static void test_changed(void)
{
	static const char * const ms[] = { "10", "0", "25", "3600000" };
	long long off, on, n;
	pid_t readers[2];
	unsigned int i;
	char *text;

	MUST_OK(setting_write(PARAMETERS "history", "0"));
	every_ms("0");
	off = lens_key("stats", "memory_bytes");
	text = must_read_lens("history");
	EXPECT_TRUE(strstr(text, "# every_s 0 "));
	EXPECT_EQ(samples_in(text, 0).last, 0);
	free(text);
	readers[0] = reader();
	readers[1] = reader();
	for (i = 0; i < CHANGES; i++) {
		every_ms(ms[i % ARRAY_SIZE(ms)]);
		nap_ms(i % 7 * 5);
	}
	every_ms("20");
	n = 1;
	free(next_sample(&n));
	on = lens_key("stats", "memory_bytes");
	EXPECT_GT(on, off);
	EXPECT_EQ(write_file(PARAMETERS "history_ms", "9"), -EINVAL);
	EXPECT_EQ(write_file(PARAMETERS "history", "3601"), -EINVAL);
	EXPECT_EQ(write_file(PARAMETERS "history", "-1"), -EINVAL);
	every_ms("0");
	EXPECT_EQ(lens_key("stats", "memory_bytes"), off);
	idle_end(readers, ARRAY_SIZE(readers));
	MUST_OK(setting_write(PARAMETERS "history", "10"));
	EXPECT_EQ(lens_key("stats", "memory_bytes"), on);
	test_done("changed and stopped under readers, the memory is given back");
}

/* ---- Swap: last, as it stays in use ---- */

static void test_swap(void)
{
	const struct hog_spec spec = { .anon = 3000, .swapped = 2000, .comm = "swapped" };
	struct hog hog;
	long long n;
	char *text;

	if (!swap_ensure(2 * spec.anon)) {
		test_skip(1, "no swap here\n");
		return;
	}
	must_hog(&hog, &spec);
	text = fresh_sample(&n);
	EXPECT_NEAR(figure(text, n, "swap_free"), meminfo_pages("SwapFree"), 256);
	EXPECT_LE(figure(text, n, "swap_free"), meminfo_pages("SwapTotal") - 1000);
	free(text);
	hog_end(&hog);
	test_done("free swap");
}

int main(void)
{
	test_begin(14);
	test_machine();
	test_task();
	test_pid_reused();
	test_forks();
	test_names();
	test_cgroup();
	test_no_process();
	test_day();
	test_growth();
	test_after();
	test_changed();
	test_swap();
	test_end();
}
