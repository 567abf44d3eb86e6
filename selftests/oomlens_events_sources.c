// SPDX-License-Identifier: GPL-2.0
/*
 * Each source of events left out in turn: features says so, what the others
 * tell is recorded, and what no source tells reads "-" and is not guessed.
 */
#include <poll.h>
#include <signal.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define NOTIFIER	1
#define MARK		2
#define PROBE		4

static void expect_line(const char *text, const char *type, long long n, bool wanted)
{
	expect_of("event %lld, line %s", n, type);
	EXPECT_EQ(!!event_line(text, type, n, 0), wanted);
	expect_of("event %lld", n);
}

static void expect_features(unsigned int sources)
{
	EXPECT_EQ(lens_feature("notifier"), !!(sources & NOTIFIER));
	EXPECT_EQ(lens_feature("mark_victim"), !!(sources & MARK));
	EXPECT_EQ(lens_feature("oom_probe"), !!(sources & PROBE));
}

/*
 * Candidates are there, unless the walk says that it came too soon after the
 * last, or that its millisecond was over: a guest's processor can be away for
 * longer than that.
 */
static void expect_candidates(const char *text, long long n, bool wanted)
{
	const char *walk = event_word(text, n, "walk");

	if (wanted && walk && !strcmp(walk, "partial"))
		return;
	expect_line(text, "candidate", n, wanted && !(walk && !strcmp(walk, "limited")));
}

/* An event without an end is shown after a second: none comes by then. */
static void expect_silence(int fd, unsigned int sources)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* No source can have told of an event. */
	EXPECT_EQ(poll(&p, 1, sources ? 1100 : 200), 0);
}

static void memcg_oom(int fd, unsigned int sources)
{
	struct hog_spec spec = { .anon = 100, .comm = "in cgroup" };
	char *dir = must_cgroup(NULL, "sources"), *text;
	const bool probe = sources & PROBE;
	struct hog hog;
	long long n = 0;
	pid_t pid;

	MUST_OK(cg_limit(dir, 2048));
	cg_swap_limit(dir, 0);
	spec.cgroup = dir;
	must_hog(&hog, &spec);
	pid = hog.pid;
	hog_do(&hog, HOG_GROW, 4096);
	EXPECT_TRUE(wait_until(hog_killed(&hog), PATIENCE_MS));
	hog_end(&hog);
	if (!(sources & (MARK | PROBE))) {
		expect_silence(fd, sources);
	} else {
		text = next_event(fd, &n);
		EXPECT_EVENT(text, n, "outcome=killed victims=1 pid=%d caller_memcg=%s",
			     pid, cg_shown(dir));
		expect_line(text, "memory", n, true);
		expect_line(text, "zone", n, true);
		expect_line(text, "victim", n, sources & MARK);
		expect_line(text, "memcg", n, probe);
		expect_candidates(text, n, probe);
		EXPECT_EVENT(text, n, "kind=%s trigger=%s constraint=%s memcg=%s totalpages=%s",
			     sources & (PROBE | NOTIFIER) ? "memcg" : "-",
			     probe ? "allocator" : "-", probe ? "memcg" : "-",
			     probe ? cg_shown(dir) : "-", probe ? "2048" : "-");
		expect_show(text);
		free(text);
	}
	cg_remove(dir);
	free(dir);
}

static void sysrq_oom(int fd, unsigned int sources)
{
	static const struct hog_spec spec = { .anon = 500, .adj = 1000, .comm = "by sysrq" };
	const bool probe = sources & PROBE;
	struct hog hog;
	long long n = 0;
	char *text;

	must_hog(&hog, &spec);
	write_file("/proc/sysrq-trigger", "f");
	EXPECT_TRUE(wait_until(hog_killed(&hog), PATIENCE_MS));
	hog_end(&hog);
	if (!sources) {
		expect_silence(fd, sources);
		return;
	}
	text = next_event(fd, &n);
	EXPECT_EVENT(text, n, "outcome=%s kind=%s trigger=%s order=%s",
		     sources & (MARK | PROBE) ? "killed" : "unknown",
		     probe ? "sysrq" : sources & NOTIFIER ? "global" : "-",
		     probe ? "sysrq" : "-", probe ? "-1" : "-");
	expect_line(text, "victim", n, sources & MARK);
	expect_candidates(text, n, sources & (PROBE | NOTIFIER));
	expect_show(text);
	free(text);
}

static void test_sources(unsigned int sources, unsigned int there)
{
	char parameters[32];
	int fd;

	snprintf(parameters, sizeof(parameters), "sources=%u", sources);
	if (sources & ~there) {
		ksft_test_result_skip("%s: no %s in this kernel\n", parameters,
				      sources & ~there & PROBE ? "return probe" :
				      sources & ~there & MARK ? "mark_victim" : "notifier");
		return;
	}
	if (EXPECT_OK(loader_unload()) && EXPECT_OK(loader_load(parameters))) {
		fd = events_open();
		expect_features(sources);
		memcg_oom(fd, sources);
		sysrq_oom(fd, sources);
		close(fd);
	}
	test_done("%s", parameters);
}

int main(void)
{
	static const unsigned int sets[] = { 7, 6, 5, 4, 3, 2, 1, 0 };
	unsigned int there = 0, i;

	test_begin(0);
	needs_ko();
	there |= lens_feature("notifier") ? NOTIFIER : 0;
	there |= lens_feature("mark_victim") ? MARK : 0;
	there |= lens_feature("oom_probe") ? PROBE : 0;
	if (!lens_feature("sysrq") || !cg_version())
		ksft_exit_skip("needs sysrq and memory cgroups\n");
	ksft_set_plan(ARRAY_SIZE(sets) + 1);
	oom_settings();
	restore_at_end();
	for (i = 0; i < ARRAY_SIZE(sets); i++)
		test_sources(sets[i], there);
	loader_unload();
	EXPECT_EQ(loader_load("sources=8"), -EINVAL);
	test_done("sources=8 is out of range");
	test_end();
}
