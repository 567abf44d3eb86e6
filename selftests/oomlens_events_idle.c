// SPDX-License-Identifier: GPL-2.0
/*
 * Storms of calls of the OOM killer that kill no task, for several reasons in
 * turn: they hide neither a kill, in the file and in the log, nor each other.
 * Judged by memory.events, which counts the calls of each cgroup, and by the
 * kernel's log, which names the victim.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define CGROUPS		2
#define LIMIT		512	/* pages of each cgroup */
#define CALLS		15	/* of each before the kill, and after it */
#define KILLS		6
#define IDLE		300	/* tasks, so that a walk takes a while */

#define RUN_GAP_MS	8000	/* a run of idle calls ends when there is none for 10 s */

struct storm {
	char *dir;
	pid_t pid;
};

/* Milliseconds, at most, between two calls of a cgroup, as its watcher has seen. */
static unsigned long long *gap_ms;

/* Nothing may be killed in it, and its one process asks again and again. */
static void storm_start(struct storm *s, const char *name)
{
	s->dir = must_limit(name, LIMIT);
	s->pid = must_fork();
	if (!s->pid) {
		prctl(PR_SET_NAME, name);
		eat(s->dir, -1000, 2 * LIMIT * page_size());
	}
}

static long long ooms(const char *dir)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/memory.events", dir);
	return file_key(path, "oom");
}

/* The last call came after the look before the one that saw it. */
static void __noreturn watch(const char *dir, unsigned long long *gap)
{
	unsigned long long before = now_ns(), since = before, now;
	long long last = ooms(dir);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;; before = now) {
		long long n = ooms(dir);

		now = now_ns();
		if (now - since > *gap * 1000000)
			*gap = (now - since) / 1000000;
		if (n != last)
			since = before;
		last = n;
		nap_ms(50);
	}
}

static void storms_go_on(struct storm *s)
{
	unsigned int i;

	for (i = 0; i < CGROUPS; i++) {
		long long enough = ooms(s[i].dir) + CALLS;

		EXPECT_TRUE(wait_until(ooms(s[i].dir) >= enough, PATIENCE_MS));
	}
}

/* Returns the pid of the victim. */
static pid_t kill_one(const char *dir)
{
	pid_t pid = must_fork();
	int status = 0;

	if (!pid) {
		prctl(PR_SET_NAME, "the victim");
		eat(dir, 1000, 2 * LIMIT * page_size());
	}
	MUST(waitpid(pid, &status, 0) == pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return pid;
}

/* Calls of the machine's own between those of the cgroups. */
static void shortages(void)
{
	static const char * const way[] = { "no_fs", "other" };
	unsigned int i;
	pid_t pid;

	for (i = 0; i < 2; i++) {
		pid = must_fork();
		if (!pid)
			_exit(write_file(SHORTAGE "run", way[i % 2]) ? 1 : 0);
		waitpid(pid, NULL, 0);
	}
}

/* The number of the event that killed @pid, 0 if there is none. */
static long long event_of(const char *text, pid_t pid)
{
	const char *line = text;
	long long n = 0;
	int victim;

	while ((line = strstr(line, "\nvictim "))) {
		line++;
		if (sscanf(line, "victim %lld pid=%d", &n, &victim) == 2 && victim == pid)
			return n;
	}
	return 0;
}

/* Of the idle calls of a cgroup: how many events there are, and the last one's line. */
static unsigned int idle_events(const char *text, const char *memcg, const char **last)
{
	const char *line = text, *word;
	unsigned int n = 0;

	*last = NULL;
	while (line && (line = strstr(line, "event "))) {
		word = (line == text || line[-1] == '\n') ? line_word(line, "idle") : NULL;
		if (word && strcmp(word, "-") && !strcmp(line_word(line, "memcg"), memcg)) {
			*last = line;
			n++;
		}
		line += strlen("event ");
	}
	return n;
}

/* The sum over "reason:calls,reason:calls". */
static long long idle_calls(const char *line)
{
	const char *word = line_word(line, "idle");
	long long sum = 0;

	while (word && (word = strchr(word, ':')))
		sum += atoll(++word);
	return sum;
}

/* A walk counts against the idle calls or against the others, whichever its call was. */
static void test_walks(const char *dir)
{
	static pid_t pids[IDLE];
	unsigned int i, walked = 0;
	pid_t victim[KILLS];
	const char *walk;
	char *text;
	long long n;

	must_idle(pids, IDLE);
	for (i = 0; i < KILLS; i++) {
		/* The last kill's walk has its pause. The storms go on meanwhile. */
		nap_ms(10 * lens_key("stats", "walk_ns_max") / 1000000 + 1);
		victim[i] = kill_one(dir);
	}
	idle_end(pids, IDLE);
	for (i = 0; i < KILLS; i++) {
		EXPECT_TRUE(wait_until(({
			text = must_read_lens("events");
			n = event_of(text, victim[i]);
			if (!n)
				free(text);
			n > 0;
		}), PATIENCE_MS));
		walk = event_word(text, n, "walk");
		walked += walk && strcmp(walk, "limited");
		free(text);
	}
	EXPECT_EQ(walked, KILLS);
	test_done("the storms do not take the walks of the kills");
}

static void expect_rows(const char *text, const struct storm *s, unsigned long long gap)
{
	/* On a slow machine a cgroup may not call for so long that its run ends. */
	long long overwritten = lens_key("stats", "overwritten");
	unsigned int i;

	for (i = 0; i < CGROUPS; i++) {
		const char *line;
		long long called = ooms(s[i].dir);

		/* The newest call of all is kept besides the last but one of its run. */
		EXPECT_IN(idle_events(text, cg_shown(s[i].dir), &line), overwritten ? 1 : 2, 3);
		/* The last ones may be the storm's own end, of which no event is made. */
		EXPECT_IN(idle_calls(line), overwritten ? 1 : called - 3, called);
		EXPECT_LINE(line, "comm=%s victims=0", i ? "storm1" : "storm0");
	}
	ksft_print_msg("%lld events overwritten, %llu ms at most between two calls\n", overwritten,
		       gap);
	/* Only if a run has ended is an event lost. */
	if (gap < RUN_GAP_MS)
		EXPECT_EQ(overwritten, 0);
}

int main(void)
{
	static const char * const name[CGROUPS] = { "storm0", "storm1" };
	pid_t victim, watcher[CGROUPS];
	struct storm s[CGROUPS];
	char line[1024], needle[64], *text, *dir;
	long long n, counted;
	unsigned int i;
	int kmsg;

	test_begin(0);
	if (cg_version() != 2 || !lens_feature("oom_probe"))
		ksft_exit_skip("needs cgroup v2 and the return probe\n");
	needs_shortage();
	needs_ko();
	ksft_set_plan(4);
	restore_at_end();
	/* Two runs for cgroups: 12 / 4, and the last is the machine's here. */
	must_reload("events=12");
	oom_settings();
	dir = must_limit("victim", LIMIT);
	gap_ms = must_share(CGROUPS * sizeof(*gap_ms));
	for (i = 0; i < CGROUPS; i++)
		storm_start(&s[i], name[i]);
	storms_go_on(s);
	for (i = 0; i < CGROUPS; i++) {
		watcher[i] = must_fork();
		if (!watcher[i])
			watch(s[i].dir, &gap_ms[i]);
	}
	kmsg = kmsg_open();
	victim = kill_one(dir);
	snprintf(needle, sizeof(needle), " victim_pid=%d ", victim);
	EXPECT_TRUE(kmsg_wait(kmsg, needle, line, sizeof(line), PATIENCE_MS));
	test_done("a kill amid two storms is in the log");
	test_walks(dir);
	shortages();
	storms_go_on(s);
	for (i = 0; i < CGROUPS; i++) {
		kill(s[i].pid, SIGKILL);
		waitpid(s[i].pid, NULL, 0);
	}
	idle_end(watcher, CGROUPS);
	counted = lens_key("stats", "events");
	/* What is over is shown a moment later. */
	EXPECT_TRUE(wait_until(({
		text = must_read_lens("events");
		n = event_last(text);
		if (n < counted)
			free(text);
		n >= counted;
	}), PATIENCE_MS));
	n = event_of(text, victim);
	EXPECT_NE(n, 0);
	EXPECT_EVENT(text, n, "outcome=killed idle=-");
	EXPECT_EQ(lens_key("stats", "kills"), 1 + KILLS);
	test_done("its event is kept");
	expect_rows(text, s, gap_ms[0] > gap_ms[1] ? gap_ms[0] : gap_ms[1]);
	test_done("each storm's first and last call are kept, the last with the count");
	loader_no_helper("oomlens_shortage");
	test_end();
}
