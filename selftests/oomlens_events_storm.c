// SPDX-License-Identifier: GPL-2.0
/*
 * A storm of cgroup OOMs from eight cgroups at once, under readers that poll
 * and one that is stopped. Every call of the OOM killer must be an event, by
 * the kernel's own count of calls; no event torn, none twice, none out of
 * order; and those that no reader saw counted to the last. What the victims were is
 * free again, by the kernel's count of slab objects.
 *
 * $OOMLENS_STORM: kills in all (80).
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"
#include "lib/slab.h"

#define CGROUPS		8
#define READERS		3
#define LIMIT		512	/* pages of each cgroup */
#define MAX_NUMBER	1000000

#define TRACING		"/sys/kernel/tracing"
#define TRACING_OLD	"/sys/kernel/debug/tracing"

/* Shared with the readers. */
static struct shared {
	bool stop;
	unsigned char seen[MAX_NUMBER];		/* by any reader */
	struct reading {
		long long events, torn, disorder, gaps, last, time_us, pid;
		char memcg[64];				/* of the event */
		char what[512];
	} reader[READERS];
} *shared;

/* ---- The kernel's own count of calls: a kprobe event on the function ---- */

static const char *tracing;

static bool count_calls(bool on)
{
	char path[128];

	tracing = access(TRACING "/kprobe_events", W_OK) ? TRACING_OLD : TRACING;
	snprintf(path, sizeof(path), "%s/events/kprobes/oomlens_calls/enable", tracing);
	if (!on)
		write_file(path, "0");
	snprintf(path, sizeof(path), "%s/kprobe_events", tracing);
	if (write_file(path, on ? "p:oomlens_calls out_of_memory" : "-:oomlens_calls"))
		return false;
	snprintf(path, sizeof(path), "%s/events/kprobes/oomlens_calls/enable", tracing);
	return !on || !write_file(path, "1");
}

static long long calls(void)
{
	char path[128], *text, *line;
	long long hits = -1, misses = 0;

	snprintf(path, sizeof(path), "%s/kprobe_profile", tracing);
	text = read_file(path);
	line = text ? strstr(text, "oomlens_calls") : NULL;
	if (line && sscanf(line, "%*s %lld %lld", &hits, &misses) == 2 && misses)
		ksft_print_msg("the kernel's own probe missed %lld\n", misses);
	free(text);
	return hits;
}

/* ---- Readers ---- */

static void note_torn(unsigned int r, const char *line)
{
	shared->reader[r].torn++;
	snprintf(shared->reader[r].what, sizeof(shared->reader[r].what),
		 "event %lld: '%.400s'", shared->reader[r].last, line);
}

static bool word_after(const char *line, const char *key, char *word, size_t size)
{
	const char *s = strstr(line, key);

	*word = '\0';
	if (s)
		snprintf(word, size, "%.*s", (int)strcspn(s + strlen(key), " "),
			 s + strlen(key));
	return s && *word;
}

/*
 * Of one call: a cgroup has one process, which is caller, candidate and victim.
 * A path that is no longer kept is "-".
 */
static bool belongs(unsigned int r, const char *line)
{
	char memcg[64], pid[16];

	return word_after(line, " pid=", pid, sizeof(pid)) &&
	       atoll(pid) == shared->reader[r].pid &&
	       word_after(line, " memcg=", memcg, sizeof(memcg)) &&
	       (!strcmp(memcg, shared->reader[r].memcg) || !strcmp(memcg, "-") ||
		!strcmp(shared->reader[r].memcg, "-"));
}

static void check_event(unsigned int r, const char *line)
{
	char word[24];

	if (!word_after(line, " time_us=", word, sizeof(word)) ||
	    atoll(word) < shared->reader[r].time_us)
		note_torn(r, line);
	shared->reader[r].time_us = atoll(word);
	if (!word_after(line, " pid=", word, sizeof(word)) ||
	    !word_after(line, " memcg=", shared->reader[r].memcg,
			sizeof(shared->reader[r].memcg)))
		note_torn(r, line);
	shared->reader[r].pid = atoll(word);
}

/* Every line of a block names its event; the block is whole, and of one call. */
static void check_block(unsigned int r, const char *line, long long *number,
			bool *memory)
{
	char type[16];
	long long n;

	if (*line == '#')
		return;
	if (sscanf(line, "%15s %lld ", type, &n) != 2 || n < 1 || n >= MAX_NUMBER) {
		note_torn(r, line);
		return;
	}
	if (!strcmp(type, "event")) {
		if (*number && !*memory)
			note_torn(r, line);
		if (n <= shared->reader[r].last)
			shared->reader[r].disorder++;
		else
			shared->reader[r].gaps += n - shared->reader[r].last - 1;
		shared->reader[r].last = n;
		shared->reader[r].events++;
		shared->seen[n] = 1;
		*number = n;
		*memory = false;
		check_event(r, line);
	} else if (n != *number) {
		note_torn(r, line);
	}
	*memory |= !strcmp(type, "memory");
	if (!strcmp(type, "victim") && !strstr(line, " comm=storm "))
		note_torn(r, line);
	if ((!strcmp(type, "victim") || !strcmp(type, "candidate")) && !belongs(r, line))
		note_torn(r, line);
}

static void read_blocks(unsigned int r, int fd)
{
	char *text = read_on(fd), *line, *save = NULL;
	long long number = 0;
	bool memory = false;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		check_block(r, line, &number, &memory);
	free(text);
}

/* Reader 0 is stopped by the test while it works; the others poll. */
static void reader(unsigned int r, int fd, long long first)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared->reader[r].last = first;
	while (!__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE)) {
		if (poll(&p, 1, 50) == 1)
			read_blocks(r, fd);
	}
	read_blocks(r, fd);
	_exit(0);
}

/* ---- The storm ---- */

/* One kill after the other in one cgroup: fork, take too much, die. */
static void killer(const char *dir, unsigned int kills)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (kills) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_NAME, "storm");
			eat(dir, 1000, 2 * LIMIT * page_size());
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			_exit(2);
		/* A kill before its first page counts too. */
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			kills--;
	}
	_exit(0);
}

/* How often the kernel says that the cgroups ran out; -1 where it does not. */
static long long oom_calls(char *dir[CGROUPS])
{
	long long sum = 0, n;
	unsigned int i;

	for (i = 0; i < CGROUPS; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/memory.events", dir[i]);
		n = file_key(path, "oom");
		if (n < 0)
			return -1;
		sum += n;
	}
	return sum;
}

static void expect_all_end(pid_t *pids, unsigned int n)
{
	unsigned int i;
	int status;

	for (i = 0; i < n; i++) {
		EXPECT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT_EQ(status, 0);
	}
}

static long long kept_unseen(long long first, long long last)
{
	long long n, unseen = 0;

	for (n = first + 1; n <= last; n++)
		unseen += !shared->seen[n];
	return unseen;
}

/* Those that the ring lost, and those of which a run keeps the count. */
static long long lost_events(void)
{
	return lens_key("stats", "overwritten") + lens_key("stats", "collapsed");
}

static void test_storm(unsigned int kills)
{
	long long first, last, called, lost, ooms, unseen;
	unsigned int each = kills / CGROUPS;
	pid_t killers[CGROUPS], readers[READERS];
	char *dir[CGROUPS], name[16];
	bool counted = count_calls(true);
	unsigned int i;
	int fd[READERS];

	for (i = 0; i < CGROUPS; i++) {
		snprintf(name, sizeof(name), "storm%u", i);
		dir[i] = must_limit(name, LIMIT);
	}
	for (i = 0; i < READERS; i++) {
		fd[i] = open(lens_path("events"), O_RDONLY);
		drain(fd[i]);
	}
	first = lens_key("stats", "events");
	lost = lost_events();
	for (i = 0; i < READERS; i++) {
		readers[i] = fork();
		if (!readers[i])
			reader(i, fd[i], first);
	}
	kill(readers[0], SIGSTOP);
	for (i = 0; i < CGROUPS; i++) {
		killers[i] = fork();
		if (!killers[i])
			killer(dir[i], each / 2);
	}
	expect_all_end(killers, CGROUPS);
	/* Now without readers: overwritten events must be counted. */
	for (i = 1; i < READERS; i++)
		kill(readers[i], SIGSTOP);
	for (i = 0; i < CGROUPS; i++) {
		killers[i] = fork();
		if (!killers[i])
			killer(dir[i], each - each / 2);
	}
	expect_all_end(killers, CGROUPS);
	ooms = oom_calls(dir);
	called = counted ? calls() : -1;
	last = lens_key("stats", "events");
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < READERS; i++)
		kill(readers[i], SIGCONT);
	expect_all_end(readers, READERS);
	lost = lost_events() - lost;
	unseen = kept_unseen(first, last);
	if (counted)
		count_calls(false);

	ksft_print_msg("%u kills, %lld events, %lld calls, %lld by memory.events\n",
		       CGROUPS * each, last - first, called, ooms);
	EXPECT_GE(last - first, CGROUPS * each);
	test_done("every kill is an event");
	if (called < 0) {
		ksft_test_result_skip("no kprobe events to count the calls with\n");
	} else {
		EXPECT_EQ(called, last - first);
		test_done("as many events as calls");
	}
	if (ooms < 0) {
		ksft_test_result_skip("memory.events: cgroup v1 has none\n");
	} else {
		/* memory.events counts calls too that find room again under oom_lock. */
		EXPECT_GE(ooms, last - first);
		test_done("no more events than memory.events");
	}
	for (i = 0; i < READERS; i++) {
		const struct reading *r = &shared->reader[i];

		ksft_print_msg("reader %u: %lld events, %lld gaps\n", i, r->events, r->gaps);
		expect_of("%s", r->what);
		EXPECT_EQ(r->torn, 0);
		EXPECT_EQ(r->disorder, 0);
		EXPECT_GT(r->events, 0);
		EXPECT_EQ(r->events + r->gaps, last - first);
		test_done("reader %u: nothing torn, in order, gaps are gaps", i);
	}
	EXPECT_EQ(lost, unseen);
	test_done("overwritten or collapsed: %lld, and no reader saw %lld", lost, unseen);
}

int main(void)
{
	unsigned int kills = env_number("OOMLENS_STORM", 80);
	struct task_slabs before;

	test_begin(0);
	if (!cg_version() || !lens_feature("oom_probe"))
		ksft_exit_skip("needs memory cgroups and the return probe\n");
	ksft_set_plan(5 + READERS);
	/* A small ring, so that events are overwritten. */
	if (loader_ko()) {
		restore_at_end();
		must_reload("events=8");
	}
	oom_settings();
	shared = must_share(sizeof(*shared));
	task_slabs_read(&before);
	test_storm(kills);
	EXPECT_TRUE(task_slabs_back(&before, 8));
	test_done("nothing of the victims is held");
	test_end();
}
