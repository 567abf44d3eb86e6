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

/* What the kernel's line says, in pages. */
struct killed {
	long long total, anon, file, shmem, pgtables;
};

static bool parse_killed(const char *line, pid_t pid, struct killed *k)
{
	long kb = page_size() / 1024;
	const char *s = strstr(line, "Killed process ");
	long long got;

	if (!s || sscanf(s, "Killed process %lld", &got) != 1 || got != pid)
		return false;
	s = strstr(s, "total-vm:");
	if (!s || sscanf(s, "total-vm:%lldkB, anon-rss:%lldkB, file-rss:%lldkB, shmem-rss:%lldkB,",
			 &k->total, &k->anon, &k->file, &k->shmem) != 4)
		return false;
	s = strstr(s, "pgtables:");
	if (!s || sscanf(s, "pgtables:%lldkB", &k->pgtables) != 1)
		return false;
	k->total /= kb;
	k->anon /= kb;
	k->file /= kb;
	k->shmem /= kb;
	k->pgtables /= kb;
	return true;
}

static bool victim_is(const char *text, long long n, int kmsg, pid_t pid)
{
	char *line = event_line(text, "victim", n, 0);
	/*
	 * The SIGKILL comes before the mark, and the kernel's line after it: on another CPU
	 * the victim may be adding up what it had kept to itself, 65 pages at most (up to
	 * 6.1). Source: mm/memory.c, check_sync_rss_stat().
	 */
	const long long ran = 65;
	char log[1024];
	struct killed k;
	bool good;

	if (!kmsg_wait(kmsg, "Killed process", log, sizeof(log), PATIENCE_MS) ||
	    !parse_killed(log, pid, &k)) {
		ksft_print_msg("the kernel's log does not name %d\n", pid);
		free(line);
		return false;
	}
	good = line && wants(line, "pid", pid) && wants(line, "vm_total", k.total) &&
	       near_to(line, "rss_anon", k.anon, ran) && near_to(line, "rss_file", k.file, ran) &&
	       near_to(line, "rss_shmem", k.shmem, ran) &&
	       near_to(line, "pgtables", k.pgtables, 2) && wants(line, "killed", 1);
	if (!good)
		ksft_print_msg("'%s'\nagainst '%s'\n", line ? line : "no victim", log);
	free(line);
	return good;
}

/* ---- sysrq: and the figures of the machine ---- */

struct zone {
	char name[16];
	long long node, free, min, low, high, managed;
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
	}
	if (n && !z[n - 1].managed)
		n--;
	free(text);
	return n;
}

static bool zones_are(const char *text, long long n)
{
	struct zone z[65];
	unsigned int i, count = read_zones(z, 64);
	bool good = count > 0;

	for (i = 0; i < count; i++) {
		char *line = event_line(text, "zone", n, i);
		char name[16] = "";
		long long freed = 0, cma = 0, highatomic = 0, usable = 0;

		good = good && line && line_string(line, "name", name, sizeof(name)) &&
		       !strcmp(name, z[i].name) && wants(line, "node", z[i].node) &&
		       wants(line, "min", z[i].min) && wants(line, "low", z[i].low) &&
		       wants(line, "high", z[i].high) &&
		       wants(line, "managed", z[i].managed) &&
		       near_to(line, "free", z[i].free, 8192) &&
		       line_number(line, "free", &freed) &&
		       line_number(line, "free_cma", &cma) &&
		       line_number(line, "highatomic", &highatomic) &&
		       line_number(line, "usable", &usable) &&
		       usable == freed - cma - highatomic;
		if (!good)
			ksft_print_msg("zone %s: '%s'\n", z[i].name, line ? line : "none");
		free(line);
	}
	free(event_line(text, "zone", n, count));
	return good;
}

static bool memory_is(const char *text, long long n)
{
	long kb = page_size() / 1024;
	char *line = event_line(text, "memory", n, 0);
	bool good = line && near_to(line, "free", meminfo_kb("MemFree") / kb, 8192) &&
		near_to(line, "available", meminfo_kb("MemAvailable") / kb, 8192) &&
		near_to(line, "anon", meminfo_kb("AnonPages") / kb, 8192) &&
		near_to(line, "shmem", meminfo_kb("Shmem") / kb, 512) &&
		near_to(line, "slab_reclaimable", meminfo_kb("SReclaimable") / kb, 512) &&
		near_to(line, "slab_unreclaimable", meminfo_kb("SUnreclaim") / kb, 512) &&
		near_to(line, "kernel_stack", meminfo_kb("KernelStack") / kb, 256) &&
		near_to(line, "pagetables", meminfo_kb("PageTables") / kb, 256) &&
		near_to(line, "committed", meminfo_kb("Committed_AS") / kb, 8192) &&
		wants(line, "ram", meminfo_kb("MemTotal") / kb) &&
		wants(line, "swap_total", meminfo_kb("SwapTotal") / kb) &&
		wants(line, "commit_limit", meminfo_kb("CommitLimit") / kb);

	if (!good)
		ksft_print_msg("'%s'\n", line ? line : "no memory line");
	free(line);
	return good;
}

static void test_sysrq(int fd)
{
	static const struct hog_spec spec = { .anon = 4000, .shmem = 300, .adj = 1000,
					      .comm = "sysrq hog" };
	int kmsg = kmsg_open();
	struct hog hog;
	long long n;
	char *text, *first;
	bool good;

	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	free(read_lens("overcommit"));	/* what is cached is of now */
	write_file("/proc/sysrq-trigger", "f");
	text = next_event(fd, &n);
	good = text && event_has(text, n, "kind", "sysrq") &&
	       event_has(text, n, "trigger", "sysrq") &&
	       event_has(text, n, "constraint", "none") &&
	       event_has(text, n, "order", "-1") && event_has(text, n, "outcome", "killed") &&
	       event_has(text, n, "victims", "1") && event_has(text, n, "by", "-") &&
	       event_has(text, n, "walk", "complete");
	ksft_test_result(good, "sysrq: kind, trigger, outcome\n");
	ksft_test_result(good && victim_is(text, n, kmsg, hog.pid),
			 "the victim's figures are those of the kernel's line\n");
	first = good ? event_line(text, "candidate", n, 0) : NULL;
	ksft_test_result(first && wants(first, "pid", hog.pid) && wants(first, "rank", 1) &&
			 strstr(first, "fate=victim") && strstr(first, "comm=sysrq\\040hog"),
			 "it was the first in line\n");
	free(first);
	ksft_test_result(good && memory_is(text, n), "memory against meminfo\n");
	ksft_test_result(good && zones_are(text, n), "zones against zoneinfo\n");
	ksft_test_result(good && times_come(n), "exit_us and freed_us come in place\n");
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

	for (line = strstr(trace, name); line; line = strstr(line + 1, name)) {
		const char *end = strchr(line, '\n'), *found = strstr(line, want);

		if (found && end && found < end)
			return true;
	}
	ksft_print_msg("the trace lacks '%s' with '%s'\n", name, want);
	return false;
}

/* A kill, and the line that the log has of its event. */
static char *logged_kill(int fd, long long *n, pid_t *pid, char *log, size_t size)
{
	static const struct hog_spec spec = { .anon = 1000, .adj = 1000, .comm = "traced" };
	int kmsg = kmsg_open();
	char want[64], *text;
	struct hog hog;

	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
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
	bool on = trace_on(true), good;
	long long n;
	pid_t pid;

	text = logged_kill(fd, &n, &pid, log, sizeof(log));
	if (!log[0]) {
		/* Another test's events may have used up what the log is allowed. */
		free(text);
		nap_ms(5000);
		text = logged_kill(fd, &n, &pid, log, sizeof(log));
	}
	snprintf(want, sizeof(want), " victim_pid=%d victim_comm=traced", pid);
	good = text && strstr(log, " kind=sysrq trigger=sysrq ") && strstr(log, want) &&
	       strstr(log, " outcome=killed victims=1 ");
	ksft_test_result(good, "one line in the log\n");
	if (!on) {
		ksft_test_result_skip("no tracefs\n");
	} else {
		snprintf(path, sizeof(path), "%s/trace", tracing);
		trace = read_file(path);
		snprintf(want, sizeof(want), "event=%lld kind=sysrq trigger=sysrq", n);
		good = trace && traced(trace, "oom_begin: ", want);
		snprintf(want, sizeof(want), "event=%lld pid=%d comm=traced killed=1", n, pid);
		good = good && traced(trace, "oom_victim: ", want);
		snprintf(want, sizeof(want), "event=%lld kind=sysrq outcome=killed victims=1", n);
		good = good && traced(trace, "oom_end: ", want);
		ksft_test_result(good, "trace events with the same number\n");
		free(trace);
		trace_on(false);
		write_file(path, "");
	}
	free(text);
}

/* ---- Cgroups ---- */

static void test_memcg(int fd)
{
	struct hog_spec spec = { .anon = 100, .comm = "in cgroup" };
	char *outer = cg_create(NULL, "outer"), *inner;
	int kmsg = kmsg_open();
	struct hog hog;
	char *text, *line;
	long long n;
	bool good;

	if (!outer || cg_delegate(outer) || cg_limit(outer, 4096))
		ksft_exit_fail_msg("cannot make a cgroup\n");
	cg_swap_limit(outer, 0);
	inner = cg_create(outer, "inner");
	spec.cgroup = inner;
	if (!inner || hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	hog_do(&hog, HOG_GROW, 8192);
	text = next_event(fd, &n);
	good = text && event_has(text, n, "kind", "memcg") &&
	       event_has(text, n, "trigger", "allocator") &&
	       event_has(text, n, "constraint", "memcg") &&
	       event_has(text, n, "outcome", "killed") &&
	       event_has(text, n, "memcg", cg_shown(outer)) &&
	       event_has(text, n, "caller_memcg", cg_shown(inner)) &&
	       event_has_number(text, n, "pid", hog.pid) &&
	       event_has_number(text, n, "totalpages", 4096);
	ksft_test_result(good, "memcg: the limit's cgroup, and the caller's\n");
	line = good ? event_line(text, "memcg", n, 0) : NULL;
	ksft_test_result(line && wants(line, "limit", 4096) &&
			 near_to(line, "usage", 4096, 64) &&
			 cg_oom_kills(cg_version() == 2 ? outer : inner) == 1,
			 "memcg: limit and usage, and memory.events counts the same kill\n");
	free(line);
	ksft_test_result(good && victim_is(text, n, kmsg, hog.pid), "memcg: the victim\n");
	free(text);
	hog_end(&hog);
	close(kmsg);
	free(inner);
	free(outer);
}

static void test_group(int fd)
{
	struct hog_spec spec = { .anon = 200, .comm = "group" };
	char *dir = cg_create(NULL, "group");
	struct hog hog[3];
	unsigned int i;
	char *text;
	long long n;
	bool good;

	if (!dir || cg_oom_group(dir, true)) {
		ksft_test_result_skip("memory.oom.group needs cgroup v2\n");
		free(dir);
		return;
	}
	cg_limit(dir, 4096);
	cg_swap_limit(dir, 0);
	spec.cgroup = dir;
	for (i = 0; i < 3; i++)
		if (hog_start(&hog[i], &spec))
			ksft_exit_fail_msg("cannot make a hog\n");
	hog_do(&hog[1], HOG_GROW, 8192);
	text = next_event(fd, &n);
	good = text && event_has(text, n, "outcome", "killed") &&
	       event_has(text, n, "victims", "3");
	for (i = 0; good && i < 3; i++) {
		char *line = event_line(text, "victim", n, i);
		long long pid = 0;

		good = line && line_number(line, "pid", &pid) &&
		       (i ? pid == hog[0].pid || pid == hog[2].pid : pid == hog[1].pid);
		free(line);
	}
	for (i = 0; i < 3; i++)
		good = good && wait_until(hog_killed(&hog[i]), PATIENCE_MS);
	ksft_test_result(good, "memory.oom.group: several victims, one event\n");
	for (i = 0; i < 3; i++)
		hog_end(&hog[i]);
	free(text);
	free(dir);
}

/* Its only task cannot be killed: the kernel tries until there is room. */
static void test_nobody(int fd)
{
	struct hog_spec spec = { .anon = 100, .adj = OOM_ADJ_NEVER, .comm = "protected" };
	char *dir = cg_create(NULL, "nobody"), *text, *line;
	struct hog hog;
	long long n;
	bool good;
	pid_t pid;

	cg_limit(dir, 2048);
	cg_swap_limit(dir, 0);
	spec.cgroup = dir;
	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	pid = hog_grow_apart(&hog, 4096);
	text = next_event(fd, &n);
	cg_limit(dir, 65536);
	good = text && event_has(text, n, "kind", "memcg") &&
	       event_has(text, n, "outcome", "nobody") && event_has(text, n, "victims", "0");
	line = good ? event_line(text, "candidate", n, 0) : NULL;
	/* A kernel so slow that there was no time for the walk tells so instead. */
	if (good && !line)
		good = strstr(text, " walk=partial ") || strstr(text, " walk=limited ");
	else
		good = line && wants(line, "pid", hog.pid) && strstr(line, "rank=-") &&
		       strstr(line, "verdict=adj_min");
	ksft_test_result(good && !hog_gone(&hog), "nobody eligible: told, and why\n");
	free(line);
	free(text);
	waitpid(pid, NULL, 0);
	hog_end(&hog);
	drain(fd);
	free(dir);
}

/* The victim must wait for the CPU, which the one that asks for more has. */
static void test_in_flight(int fd)
{
	struct hog_spec big = { .anon = 3500, .adj = 1000, .comm = "slow victim" };
	struct hog_spec small = { .anon = 50, .adj = 0, .comm = "asks" };
	char *dir = cg_create(NULL, "flight"), *text = NULL, *line;
	unsigned int tries;
	struct sched_param fifo = { .sched_priority = 10 };
	struct hog victim, asker;
	cpu_set_t cpu;
	long long n;
	bool good;

	cg_limit(dir, 4096);
	cg_swap_limit(dir, 0);
	big.cgroup = dir;
	small.cgroup = dir;
	if (hog_start(&victim, &big) || hog_start(&asker, &small))
		ksft_exit_fail_msg("cannot make a hog\n");
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(victim.pid, sizeof(cpu), &cpu);
	sched_setaffinity(asker.pid, sizeof(cpu), &cpu);
	/* Before the recorder's own thread and the victim. */
	sched_setscheduler(asker.pid, SCHED_FIFO, &fifo);
	hog_do(&asker, HOG_GROW, 2000);
	good = wait_until(hog_gone(&victim), PATIENCE_MS);
	/* Thousands of calls may have found it in flight: the kill is still there. */
	text = next_killed(fd, &n);
	good = good && text && event_has(text, n, "victims", "1");
	line = good ? strstr(text, " outcome=in_flight ") : NULL;
	for (tries = 0; good && !line && tries < 3; tries++) {
		free(text);
		text = next_event(fd, &n);
		line = text ? strstr(text, " outcome=in_flight ") : NULL;
	}
	ksft_test_result(line && strstr(line, " victims=0 "), "an earlier victim in flight\n");
	free(text);
	hog_end(&victim);
	hog_end(&asker);
	drain(fd);
	free(dir);
}

/* ---- The whole machine ---- */

static bool eat_all(struct hog *hog, const struct hog_spec *spec)
{
	if (hog_start(hog, spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	hog_do(hog, HOG_GROW, meminfo_kb("MemTotal") / (page_size() / 1024) * 2);
	return wait_until(hog_killed(hog), PATIENCE_MS);
}

static void test_global(int fd)
{
	static const struct hog_spec spec = { .anon = 100, .adj = 1000, .comm = "eats all" };
	int kmsg = kmsg_open();
	struct hog hog;
	char *text, *line;
	long long n, usable = 0, min = 0, order = -1;
	bool good;

	if (meminfo_kb("MemTotal") > 1100000 || meminfo_kb("SwapTotal") > 0) {
		ksft_test_result_skip("global: more than 1 GiB, or swap\n");
		ksft_test_result_skip("oom_kill_allocating_task: likewise\n");
		close(kmsg);
		return;
	}
	setting_write("/proc/sys/vm/overcommit_memory", "1");
	good = eat_all(&hog, &spec);
	text = next_killed(fd, &n);
	good = good && text && event_has(text, n, "kind", "global") &&
	       event_has(text, n, "trigger", "allocator") &&
	       event_has(text, n, "constraint", "none") &&
	       event_has(text, n, "memcg", cg_version() ? "/" : "-") &&
	       victim_is(text, n, kmsg, hog.pid);
	line = good ? event_line(text, "event", n, 0) : NULL;
	if (line)
		line_number(line, "order", &order);
	free(line);
	/* The last zone is where it ran out: an order-0 one below its watermark. */
	line = good ? event_line(text, "zone", n, 1) : NULL;
	if (line && line_number(line, "usable", &usable) && line_number(line, "min", &min) &&
	    !order && usable > 2 * min) {
		ksft_print_msg("'%s'\n", line);
		good = false;
	}
	free(line);
	ksft_test_result(good, "global: memory really ran out\n");
	free(text);
	hog_end(&hog);
	drain(fd);

	setting_write("/proc/sys/vm/oom_kill_allocating_task", "1");
	good = eat_all(&hog, &spec);
	text = next_killed(fd, &n);
	line = text ? event_line(text, "victim", n, 0) : NULL;
	good = good && line && wants(line, "pid", hog.pid) &&
	       event_has_number(text, n, "pid", hog.pid) &&
	       event_has(text, n, "outcome", "killed");
	ksft_test_result(good, "oom_kill_allocating_task: the caller is the victim\n");
	setting_write("/proc/sys/vm/oom_kill_allocating_task", "0");
	free(line);
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
	ksft_set_plan(16);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	watermarks_stay();
	fd = events_open();
	test_sysrq(fd);
	test_elsewhere(fd);
	test_memcg(fd);
	test_group(fd);
	test_nobody(fd);
	test_in_flight(fd);
	test_global(fd);
	close(fd);
	ksft_exit(!ksft_get_fail_cnt());
}
