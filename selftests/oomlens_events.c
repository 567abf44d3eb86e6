// SPDX-License-Identifier: GPL-2.0
/*
 * One OOM of each kind, each read by poll from a descriptor that stays open,
 * and held against the kernel's own word: its log, memory.events, meminfo and
 * zoneinfo, and what the test knows that it did.
 */
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"

/* What the kernel's line says, in kB. */
struct killed {
	long long pid, total, anon, file, shmem, pgtables;
};

static bool parse_killed(const char *line, struct killed *k)
{
	const char *s = strstr(line, "Killed process ");
	const char *t = s ? strstr(s, "total-vm:") : NULL;
	const char *p = t ? strstr(t, "pgtables:") : NULL;

	return p && sscanf(s, "Killed process %lld", &k->pid) == 1 &&
	       sscanf(t, "total-vm:%lldkB, anon-rss:%lldkB, file-rss:%lldkB, shmem-rss:%lldkB,",
		      &k->total, &k->anon, &k->file, &k->shmem) == 4 &&
	       sscanf(p, "pgtables:%lldkB", &k->pgtables) == 1;
}

static void expect_victim(const char *text, long long n, int kmsg, pid_t pid)
{
	const char *line = event_line(text, "victim", n, 0);
	const long kb = page_size() / 1024;
	/*
	 * The SIGKILL comes before the mark, and the kernel's line after it: on another CPU
	 * the victim may be adding up what it had kept to itself, 65 pages at most (up to
	 * 6.1). Source: mm/memory.c, check_sync_rss_stat().
	 */
	const long long ran = 65;
	struct killed k = { };
	char log[1024];

	EXPECT_TRUE(kmsg_wait(kmsg, "Killed process", log, sizeof(log), PATIENCE_MS) &&
		    parse_killed(log, &k));
	EXPECT_EQ(k.pid, pid);
	EXPECT_LINE(line, "pid=%d vm_total=%lld", pid, k.total / kb);
	EXPECT_NEAR(line_number(line, "rss_anon"), k.anon / kb, ran);
	EXPECT_NEAR(line_number(line, "rss_file"), k.file / kb, ran);
	EXPECT_NEAR(line_number(line, "rss_shmem"), k.shmem / kb, ran);
	EXPECT_NEAR(line_number(line, "pgtables"), k.pgtables / kb, 2);
	EXPECT_EQ(line_number(line, "killed"), 1);
}

/* ---- sysrq: and the figures of the machine ---- */

struct zone {
	char name[16];
	long long node, free, min, low, high, managed, unevictable, mlocked;
};

static unsigned int read_zones(struct zone *z, unsigned int max)
{
	char *text = read_file("/proc/zoneinfo"), *line, *save = NULL;
	unsigned int n = 0;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		long long v;

		if (sscanf(line, "Node %lld, zone %15s", &v, z[n].name) == 2) {
			if (n && !z[n - 1].managed)	/* not populated */
				z[n - 1] = z[n];
			else
				n++;
			if (n == max)
				break;
			z[n - 1].node = v;
			z[n - 1].managed = 0;
			z[n - 1].unevictable = 0;
			z[n - 1].mlocked = 0;
			continue;
		}
		if (!n)
			continue;
		if (sscanf(line, " pages free %lld", &v) == 1)
			z[n - 1].free = v;
		else if (sscanf(line, " min %lld", &v) == 1)
			z[n - 1].min = v;
		else if (sscanf(line, " low %lld", &v) == 1)
			z[n - 1].low = v;
		else if (sscanf(line, " high %lld", &v) == 1 && !strchr(line, ':'))
			z[n - 1].high = v;
		else if (sscanf(line, " managed %lld", &v) == 1)
			z[n - 1].managed = v;
		else if (sscanf(line, " nr_zone_unevictable %lld", &v) == 1)
			z[n - 1].unevictable = v;
		else if (sscanf(line, " nr_mlock %lld", &v) == 1)
			z[n - 1].mlocked = v;
	}
	if (n && !z[n - 1].managed)
		n--;
	free(text);
	return n;
}

static void expect_zones(const char *text, long long n, const struct zone *z, unsigned int count,
			 long long cma)
{
	long long free_cma = 0;
	unsigned int i;

	EXPECT_GT(count, 0);
	for (i = 0; i < count; i++) {
		const char *line = event_line(text, "zone", n, i);

		expect_of("zone %s", z[i].name);
		EXPECT_LINE(line, "name=%s node=%lld min=%lld low=%lld high=%lld managed=%lld",
			    z[i].name, z[i].node, z[i].min, z[i].low, z[i].high, z[i].managed);
		/* A small zone has not as many pages as may come and go meanwhile. */
		EXPECT_NEAR(line_number(line, "free"), z[i].free,
			    z[i].managed / 8 < 1024 ? z[i].managed / 8 : 1024);
		EXPECT_NEAR(line_number(line, "unevictable"), z[i].unevictable, 512);
		EXPECT_NEAR(line_number(line, "mlocked"), z[i].mlocked, 128);
		EXPECT_EQ(line_number(line, "usable"), line_number(line, "free") -
			  line_number(line, "free_cma") - line_number(line, "highatomic"));
		free_cma += line_number(line, "free_cma");
	}
	expect_of("all zones");
	EXPECT_NEAR(free_cma, cma, 1024);
}

/* Of the event's memory line: what meminfo had under @key, give or take @by pages. */
static const struct {
	const char *name, *key;
	long long by;
} memory_figures[] = {
	{ "free",		"MemFree",	1024 },
	{ "available",		"MemAvailable",	1024 },
	{ "anon",		"AnonPages",	512 },
	{ "shmem",		"Shmem",	512 },
	{ "unevictable",	"Unevictable",	512 },
	{ "slab_reclaimable",	"SReclaimable",	512 },
	{ "slab_unreclaimable",	"SUnreclaim",	512 },
	{ "kernel_stack",	"KernelStack",	64 },
	{ "pagetables",		"PageTables",	64 },
	{ "committed",		"Committed_AS",	512 },
	{ "ram",		"MemTotal",	0 },
	{ "swap_total",		"SwapTotal",	0 },
	{ "swap_free",		"SwapFree",	512 },
	{ "commit_limit",	"CommitLimit",	0 },
};

static void read_memory(long long *pages)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(memory_figures); i++)
		pages[i] = meminfo_pages(memory_figures[i].key);
}

static void expect_memory(const char *text, long long n, const long long *pages)
{
	const char *line = event_line(text, "memory", n, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(memory_figures); i++) {
		if (memory_figures[i].by == 64)
			ksft_print_msg("%s %lld, by meminfo %lld\n", memory_figures[i].name,
				       line_number(line, memory_figures[i].name), pages[i]);
		expect_of("%s", memory_figures[i].name);
		EXPECT_NEAR(line_number(line, memory_figures[i].name), pages[i],
			    memory_figures[i].by);
	}
}

static long long real_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void test_sysrq(int fd)
{
	static const struct hog_spec spec = { .anon = 4000, .shmem = 300, .locked = 200,
					      .adj = 1000, .uid = 65534, .comm = "sysrq hog" };
	long long n = 0, begin, before, took, cached, cma, memory[ARRAY_SIZE(memory_figures)];
	int kmsg = kmsg_open();
	unsigned int nr_zones;
	struct zone zones[65];
	const char *first;
	struct hog hog;
	char *text;

	must_hog(&hog, &spec);
	free(read_lens("overcommit"));	/* refreshes the cached sysctls */
	nr_zones = read_zones(zones, 64);
	read_memory(memory);
	cma = meminfo_kb("CmaFree") < 0 ? 0 : meminfo_pages("CmaFree");
	cached = meminfo_pages("Active(file)") + meminfo_pages("Inactive(file)");
	begin = now_ns();
	before = real_us();
	write_file("/proc/sysrq-trigger", "f");
	text = next_event(fd, &n);
	took = (now_ns() - begin) / 1000;
	/* Between two ticks the fast clock may be off by their correction. */
	EXPECT_IN(event_number(text, n, "real_us"), before - 1000, real_us());
	test_done("real_us is the wall clock's");
	EXPECT_EVENT(text, n,
		     "kind=sysrq trigger=sysrq constraint=none order=-1 outcome=killed victims=1 by=- walk=complete");
	/* No longer than the write, and this module no longer than it */
	EXPECT_IN(event_number(text, n, "duration_us"), 1, took + 1000);
	EXPECT_IN(event_number(text, n, "capture_us"), 1, event_number(text, n, "duration_us"));
	expect_show(text);
	test_done("sysrq: kind, trigger, outcome, and how long it took");

	expect_victim(text, n, kmsg, hog.pid);
	EXPECT_LINE(event_line(text, "victim", n, 0), "uid=65534 adj=1000 threads=1 locked=200");
	test_done("the victim's figures are those of the kernel's line, and its own");

	first = event_line(text, "candidate", n, 0);
	EXPECT_LINE(first, "pid=%d rank=1 fate=victim comm=sysrq\\040hog", hog.pid);
	test_done("it was the first candidate");

	expect_memory(text, n, memory);
	EXPECT_NEAR(line_number(event_line(text, "memory", n, 0), "file"), cached, 512);
	test_done("memory against meminfo");

	expect_zones(text, n, zones, nr_zones, cma);
	test_done("zones against zoneinfo");

	EXPECT_TRUE(times_come(n));
	test_done("exit_us and freed_us come in place");
	free(text);
	hog_end(&hog);
	close(kmsg);
}

/* ---- The same facts elsewhere: trace events, and the log ---- */

static const char *tracing;

static bool trace_on(bool on)
{
	char path[128];

	tracing = "/sys/kernel/tracing";
	if (access("/sys/kernel/tracing/trace", R_OK))
		tracing = "/sys/kernel/debug/tracing";
	snprintf(path, sizeof(path), "%s/events/oomlens/enable", tracing);
	return !write_file(path, on ? "1" : "0");
}

/* A line of the trace has it, after the name. */
static bool traced(const char *trace, const char *name, const char *want)
{
	const char *line;

	for (line = trace ? strstr(trace, name) : NULL; line; line = strstr(line + 1, name)) {
		const char *end = strchr(line, '\n'), *found = strstr(line, want);

		if (found && end && found < end)
			return true;
	}
	return false;
}

/* A kill, and the line that the log has of its event. */
static char *logged_kill(int fd, long long *n, pid_t *pid, char *log, size_t size)
{
	static const struct hog_spec spec = { .anon = 1000, .adj = 1000, .comm = "traced" };
	int kmsg = kmsg_open();
	char want[64], *text;
	struct hog hog;

	must_hog(&hog, &spec);
	*pid = hog.pid;
	*n = 0;
	write_file("/proc/sysrq-trigger", "f");
	text = next_event(fd, n);
	snprintf(want, sizeof(want), "oomlens: event %lld ", *n);
	if (!text || !kmsg_wait(kmsg, want, log, size, 2000))
		log[0] = '\0';
	hog_end(&hog);
	close(kmsg);
	return text;
}

static void test_elsewhere(int fd)
{
	char path[128], want[128], log[1024], *text, *trace;
	bool on = trace_on(true);
	unsigned int more = 4;
	long long n;
	pid_t pid;

	/*
	 * Another test's events may have used up the log's rate limit, 20 lines in 5
	 * seconds. To wait for a line in vain takes 2 s.
	 */
	text = logged_kill(fd, &n, &pid, log, sizeof(log));
	while (!log[0] && more--) {
		free(text);
		text = logged_kill(fd, &n, &pid, log, sizeof(log));
	}
	EXPECT_TRUE(text);
	expect_of("'%s'", log);
	EXPECT_TRUE(strstr(log, " kind=sysrq trigger=sysrq "));
	EXPECT_LINE(log, "victim_pid=%d victim_comm=traced", pid);
	EXPECT_TRUE(strstr(log, " outcome=killed victims=1 "));
	test_done("one line in the log");
	free(text);
	if (!on) {
		ksft_test_result_skip("no tracefs\n");
		return;
	}
	snprintf(path, sizeof(path), "%s/trace", tracing);
	trace = read_file(path);
	snprintf(want, sizeof(want), "event=%lld kind=sysrq trigger=sysrq", n);
	EXPECT_TRUE(traced(trace, "oom_begin: ", want));
	snprintf(want, sizeof(want), "event=%lld pid=%d comm=traced killed=1", n, pid);
	EXPECT_TRUE(traced(trace, "oom_victim: ", want));
	snprintf(want, sizeof(want), "event=%lld kind=sysrq outcome=killed victims=1", n);
	EXPECT_TRUE(traced(trace, "oom_end: ", want));
	expect_show(trace);
	test_done("trace events with the same number");
	free(trace);
	trace_on(false);
	write_file(path, "");
}

/* ---- Cgroups ---- */

static void test_memcg(int fd)
{
	struct hog_spec spec = { .anon = 100, .comm = "in cgroup" };
	char *outer = must_limit("outer", 4096), *inner = must_cgroup(outer, "inner");
	/* Where there is no swap that it would let in */
	bool limits_swap = cg_version() == 2 && !meminfo_kb("SwapTotal") &&
			   !cg_swap_limit(outer, 700);
	int kmsg = kmsg_open();
	const char *line;
	struct hog hog;
	long long n = 0;
	char *text;

	spec.cgroup = inner;
	must_hog(&hog, &spec);
	hog_do(&hog, HOG_GROW, 8192);
	text = next_event(fd, &n);
	EXPECT_EVENT(text, n,
		     "kind=memcg trigger=allocator constraint=memcg outcome=killed memcg=%s caller_memcg=%s pid=%d totalpages=4096",
		     cg_shown(outer), cg_shown(inner), hog.pid);
	expect_show(text);
	test_done("memcg: the limit's cgroup, and the caller's");

	line = event_line(text, "memcg", n, 0);
	EXPECT_EQ(line_number(line, "limit"), 4096);
	if (limits_swap)
		EXPECT_LINE(line, "swap=0 swap_limit=700");
	EXPECT_NEAR(line_number(line, "usage"), 4096, 64);
	EXPECT_EQ(cg_oom_kills(cg_version() == 2 ? outer : inner), 1);
	test_done("memcg: limit and usage, and memory.events counts the same kill");

	expect_victim(text, n, kmsg, hog.pid);
	test_done("memcg: the victim");
	free(text);
	hog_end(&hog);
	close(kmsg);
	free(inner);
	free(outer);
}

static void test_group(int fd)
{
	struct hog_spec spec = { .anon = 200, .comm = "group" };
	char *dir = must_limit("group", 4096), *text;
	struct hog hog[3];
	unsigned int i;
	long long n = 0;

	if (cg_oom_group(dir, true)) {
		ksft_test_result_skip("memory.oom.group needs cgroup v2\n");
		free(dir);
		return;
	}
	spec.cgroup = dir;
	for (i = 0; i < 3; i++)
		must_hog(&hog[i], &spec);
	hog_do(&hog[1], HOG_GROW, 8192);
	text = next_event(fd, &n);
	EXPECT_EVENT(text, n, "outcome=killed victims=3");
	for (i = 0; i < 3; i++) {
		pid_t pid = line_number(event_line(text, "victim", n, i), "pid");

		if (i)
			EXPECT_TRUE(pid == hog[0].pid || pid == hog[2].pid);
		else
			EXPECT_EQ(pid, hog[1].pid);
	}
	expect_show(text);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(wait_until(hog_killed(&hog[i]), PATIENCE_MS));
	test_done("memory.oom.group: several victims, one event");
	for (i = 0; i < 3; i++)
		hog_end(&hog[i]);
	free(text);
	free(dir);
}

/* Its only task cannot be killed: the kernel tries until there is room. */
static void test_no_victim(int fd)
{
	struct hog_spec spec = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "protected" };
	char *dir = must_limit("protected", 2048), *text;
	const char *line, *walk;
	struct hog hog;
	long long n = 0;
	pid_t pid;

	spec.cgroup = dir;
	must_hog(&hog, &spec);
	pid = hog_grow_apart(&hog, 4096);
	text = next_event(fd, &n);
	cg_limit(dir, 65536);
	EXPECT_EVENT(text, n, "kind=memcg outcome=nobody victims=0");
	line = event_line(text, "candidate", n, 0);
	walk = event_word(text, n, "walk");
	if (line) {
		EXPECT_LINE(line, "pid=%d rank=- verdict=adj_min", hog.pid);
	} else {
		/* A slow kernel has no time for the walk, and says so. */
		EXPECT_TRUE(walk && (!strcmp(walk, "partial") || !strcmp(walk, "limited")));
	}
	expect_show(text);
	EXPECT_FALSE(hog_gone(&hog));
	test_done("no eligible task: outcome nobody, and the reason");
	free(text);
	waitpid(pid, NULL, 0);
	hog_end(&hog);
	drain(fd);
	free(dir);
}

/* The victim must wait for the CPU: the task that asks for memory has it. */
static void test_in_flight(int fd)
{
	struct hog_spec big = { .anon = 3500, .adj = 1000, .comm = "slow victim" };
	struct hog_spec small = { .anon = 50, .adj = 0, .comm = "asks" };
	char *dir = must_limit("flight", 4096), *text;
	unsigned int tries;
	struct sched_param fifo = { .sched_priority = 10 };
	struct hog victim, asker;
	const char *line;
	cpu_set_t cpu;
	long long n = 0;

	big.cgroup = dir;
	small.cgroup = dir;
	must_hog(&victim, &big);
	must_hog(&asker, &small);
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(victim.pid, sizeof(cpu), &cpu);
	sched_setaffinity(asker.pid, sizeof(cpu), &cpu);
	/* Before the recorder's own thread and the victim. */
	sched_setscheduler(asker.pid, SCHED_FIFO, &fifo);
	hog_do(&asker, HOG_GROW, 2000);
	EXPECT_TRUE(wait_until(hog_gone(&victim), PATIENCE_MS));
	/* Thousands of calls may have found it in flight: the kill is still there. */
	text = next_killed(fd, &n);
	EXPECT_EQ(event_number(text, n, "victims"), 1);
	line = text ? strstr(text, " outcome=in_flight ") : NULL;
	for (tries = 0; text && !line && tries < 3; tries++) {
		free(text);
		text = next_event(fd, &n);
		line = text ? strstr(text, " outcome=in_flight ") : NULL;
	}
	EXPECT_TRUE(line && strstr(line, " victims=0 "));
	/* The kernel takes no task: the time of a walk is left for a call that kills. */
	EXPECT_STREQ(line_word(line, "walk"), "-");
	test_done("an earlier victim in flight");
	free(text);
	hog_end(&victim);
	hog_end(&asker);
	drain(fd);
	free(dir);
}

/* ---- The whole machine ---- */

static void eat_all(struct hog *hog, const struct hog_spec *spec)
{
	must_hog(hog, spec);
	hog_do(hog, HOG_GROW, meminfo_kb("MemTotal") / (page_size() / 1024) * 2);
	EXPECT_TRUE(wait_until(hog_killed(hog), PATIENCE_MS));
}

static void test_global(int fd)
{
	static const struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "eats all" };
	int kmsg = kmsg_open();
	struct hog hog;
	const char *zone;
	long long n = 0;
	char *text;

	if (meminfo_kb("MemTotal") > 1100000 || meminfo_kb("SwapTotal") > 0) {
		ksft_test_result_skip("global: more than 1 GiB, or swap\n");
		ksft_test_result_skip("oom_kill_allocating_task: likewise\n");
		close(kmsg);
		return;
	}
	setting_write("/proc/sys/vm/overcommit_memory", "1");
	eat_all(&hog, &spec);
	text = next_killed(fd, &n);
	EXPECT_EVENT(text, n, "kind=global trigger=allocator constraint=none memcg=%s",
		     cg_version() ? "/" : "-");
	expect_victim(text, n, kmsg, hog.pid);
	/* The last zone is where it ran out: an order-0 one below its watermark. */
	zone = event_line(text, "zone", n, 1) ?: event_line(text, "zone", n, 0);
	if (zone && !event_number(text, n, "order"))
		EXPECT_LE(line_number(zone, "usable"), 2 * line_number(zone, "min"));
	expect_show(text);
	test_done("global: memory really ran out");
	free(text);
	hog_end(&hog);
	drain(fd);

	setting_write("/proc/sys/vm/oom_kill_allocating_task", "1");
	eat_all(&hog, &spec);
	text = next_killed(fd, &n);
	EXPECT_EQ(line_number(event_line(text, "victim", n, 0), "pid"), hog.pid);
	EXPECT_EVENT(text, n, "pid=%d outcome=killed", hog.pid);
	expect_show(text);
	test_done("oom_kill_allocating_task: the caller is the victim");
	setting_write("/proc/sys/vm/oom_kill_allocating_task", "0");
	free(text);
	hog_end(&hog);
	drain(fd);
	close(kmsg);
}

int main(void)
{
	int fd;

	test_begin(0);
	events_need_sources();
	if (!lens_feature("sysrq") || !cg_version())
		ksft_exit_skip("needs sysrq and memory cgroups\n");
	ksft_set_plan(17);
	oom_settings();
	watermarks_stay();
	fd = events_open();
	test_sysrq(fd);
	test_elsewhere(fd);
	test_memcg(fd);
	test_group(fd);
	test_no_victim(fd);
	test_in_flight(fd);
	test_global(fd);
	close(fd);
	test_end();
}
