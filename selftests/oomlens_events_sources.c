// SPDX-License-Identifier: GPL-2.0
/*
 * Each source of events left out in turn: features says so, what the others
 * tell is recorded, and what nobody told reads "-" and is not guessed.
 */
#include <poll.h>
#include <signal.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define NOTIFIER	1
#define MARK		2
#define PROBE		4

static bool has(const char *text, long long n, const char *key, const char *want)
{
	return event_has(text, n, key, want);
}

/* The line of a type is there or is not, as it should. */
static bool line_is(const char *text, const char *type, long long n, bool wanted)
{
	char *line = event_line(text, type, n, 0);
	bool good = !!line == wanted;

	if (!good)
		ksft_print_msg("event %lld: %s line %s\n", n, type,
			       wanted ? "is missing" : "should not be");
	free(line);
	return good;
}

static bool features_are(unsigned int sources)
{
	return lens_feature("notifier") == !!(sources & NOTIFIER) &&
	       lens_feature("mark_victim") == !!(sources & MARK) &&
	       lens_feature("oom_probe") == !!(sources & PROBE);
}

/*
 * Candidates are there, unless the walk says that it came too soon after the
 * last, or that its millisecond was over: a guest's processor can be away for
 * longer than that.
 */
static bool line_up_is(const char *text, long long n, bool wanted)
{
	char *line = event_line(text, "event", n, 0);
	bool limited = line && strstr(line, " walk=limited ");
	bool partial = line && strstr(line, " walk=partial ");

	free(line);
	if (wanted && partial)
		return true;
	return line_is(text, "candidate", n, wanted && !limited);
}

/* Nothing comes for as long as an event without an end may settle. */
static bool nothing_comes(int fd, unsigned int sources)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool quiet = !poll(&p, 1, sources ? 1100 : 200);

	if (!quiet)
		ksft_print_msg("an event that no source can have told of\n");
	return quiet;
}

static bool memcg_oom(int fd, unsigned int sources)
{
	struct hog_spec spec = { .anon = 100, .comm = "in cgroup" };
	char *dir = cg_create(NULL, "sources"), *text;
	struct hog hog;
	long long n;
	bool good;
	pid_t pid;

	if (!dir || cg_limit(dir, 2048))
		ksft_exit_fail_msg("cannot make a cgroup\n");
	cg_swap_limit(dir, 0);
	spec.cgroup = dir;
	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	pid = hog.pid;
	hog_do(&hog, HOG_GROW, 4096);
	good = wait_until(hog_killed(&hog), PATIENCE_MS);
	hog_end(&hog);
	if (!(sources & (MARK | PROBE))) {
		good = good && nothing_comes(fd, sources);
	} else {
		text = next_event(fd, &n);
		good = good && text && has(text, n, "outcome", "killed") &&
		       has(text, n, "victims", "1") && event_has_number(text, n, "pid", pid) &&
		       has(text, n, "caller_memcg", cg_shown(dir)) &&
		       line_is(text, "memory", n, true) && line_is(text, "zone", n, true) &&
		       line_is(text, "victim", n, sources & MARK) &&
		       line_is(text, "memcg", n, sources & PROBE) &&
		       line_up_is(text, n, sources & PROBE) &&
		       has(text, n, "kind", sources & (PROBE | NOTIFIER) ? "memcg" : "-") &&
		       has(text, n, "trigger", sources & PROBE ? "allocator" : "-") &&
		       has(text, n, "constraint", sources & PROBE ? "memcg" : "-") &&
		       has(text, n, "memcg", sources & PROBE ? cg_shown(dir) : "-") &&
		       has(text, n, "totalpages", sources & PROBE ? "2048" : "-");
		free(text);
	}
	cg_remove(dir);
	free(dir);
	return good;
}

static bool sysrq_oom(int fd, unsigned int sources)
{
	static const struct hog_spec spec = { .anon = 500, .adj = 1000, .comm = "by sysrq" };
	struct hog hog;
	char *text;
	long long n;
	bool good;

	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	write_file("/proc/sysrq-trigger", "f");
	good = wait_until(hog_killed(&hog), PATIENCE_MS);
	hog_end(&hog);
	if (!sources)
		return good && nothing_comes(fd, sources);
	text = next_event(fd, &n);
	good = good && text &&
	       has(text, n, "outcome", sources & (MARK | PROBE) ? "killed" : "unknown") &&
	       has(text, n, "kind", sources & PROBE ? "sysrq" :
		   sources & NOTIFIER ? "global" : "-") &&
	       has(text, n, "trigger", sources & PROBE ? "sysrq" : "-") &&
	       has(text, n, "order", sources & PROBE ? "-1" : "-") &&
	       line_is(text, "victim", n, sources & MARK) &&
	       line_up_is(text, n, sources & (PROBE | NOTIFIER));
	free(text);
	return good;
}

static void test_sources(unsigned int sources, unsigned int there)
{
	char parameters[32];
	bool good;
	int fd;

	snprintf(parameters, sizeof(parameters), "sources=%u", sources);
	if (sources & ~there) {
		ksft_test_result_skip("%s: no %s in this kernel\n", parameters,
				      sources & ~there & PROBE ? "return probe" :
				      sources & ~there & MARK ? "mark_victim" : "notifier");
		return;
	}
	if (loader_unload() || loader_load(parameters)) {
		ksft_test_result_fail("cannot load with %s\n", parameters);
		return;
	}
	fd = events_open();
	good = features_are(sources);
	if (!good)
		ksft_print_msg("features are not those of %s\n", parameters);
	good = memcg_oom(fd, sources) && good;
	good = sysrq_oom(fd, sources) && good;
	close(fd);
	ksft_test_result(good, "%s\n", parameters);
}

int main(void)
{
	static const unsigned int sets[] = { 7, 6, 5, 4, 3, 2, 1, 0 };
	unsigned int there = 0, i;
	char before[256];

	test_begin(0);
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
	there |= lens_feature("notifier") ? NOTIFIER : 0;
	there |= lens_feature("mark_victim") ? MARK : 0;
	there |= lens_feature("oom_probe") ? PROBE : 0;
	if (!lens_feature("sysrq") || !cg_version())
		ksft_exit_skip("needs sysrq and memory cgroups\n");
	ksft_set_plan(ARRAY_SIZE(sets) + 1);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	snprintf(before, sizeof(before), "%s", loader_parameters());
	for (i = 0; i < ARRAY_SIZE(sets); i++)
		test_sources(sets[i], there);
	loader_unload();
	ksft_test_result(loader_load("sources=8") == -EINVAL, "sources=8 is out of range\n");
	if (!loader_loaded())
		loader_load(before);
	ksft_exit(!ksft_get_fail_cnt());
}
