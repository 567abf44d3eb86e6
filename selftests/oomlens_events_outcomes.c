// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of the OOM killer that kill no task and that user space cannot bring
 * about at will: another driver's notifier gives memory back, an allocation may
 * not use the filesystem, the caller or the chosen task is on its way out, the
 * OOM killer is off. Judged by oomlens_shortage.ko's own OOM notifier and by the
 * kernel's count of its kills.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

static long long told(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), SHORTAGE "%s", name);
	return file_number(path);
}

/* One run, as the kernel and the module tell it. */
struct shortage {
	long long caller, calls, kills, averted, events, last;
	int status;		/* of the process that asked */
	char *text;		/* the events' */
};

static void *join_main(void *unused)
{
	write_file(SHORTAGE "join", "1");
	return NULL;
}

static void __noreturn run_child(const char *way)
{
	pthread_t thread;

	if (!strcmp(way, "again") && pthread_create(&thread, NULL, join_main, NULL))
		_exit(1);
	_exit(write_file(SHORTAGE "run", way) ? 1 : 0);
}

/* Returns false if another task ran out of memory meanwhile. */
static bool run_once(struct shortage *s, int fd, const char *way)
{
	bool frozen = !strcmp(way, "disabled");
	long long n = 0;
	pid_t pid;

	drain(fd);
	s->last = lens_key("stats", "events");
	s->averted = lens_key("stats", "averted");
	s->kills = kernel_kills();
	pid = fork();
	if (!pid)
		run_child(way);
	waitpid(pid, &s->status, 0);
	if (frozen && write_file("/sys/power/state", "freeze"))
		ksft_print_msg("the kernel does not freeze: %s\n", strerror(errno));
	s->caller = told("caller");
	s->calls = told("calls");
	s->kills = kernel_kills() - s->kills;
	s->averted = lens_key("stats", "averted") - s->averted;
	s->events = lens_key("stats", "events") - s->last;
	s->last += s->events;
	s->text = strdup("");
	while (n < s->last) {
		char *more = next_event(fd, &n), *all = NULL;

		if (!more)
			break;
		n = event_last(more);
		MUST(asprintf(&all, "%s%s", s->text, more) >= 0);
		free(s->text);
		free(more);
		s->text = all;
	}
	return !told("others");
}

/* Pages that a kernel's allocation could have had: none of CMA, nor of highmem. */
static long long usable_pages(const char *text, long long n)
{
	long long sum = 0, usable;
	const char *line, *name;
	unsigned int i;

	for (i = 0; (line = event_line(text, "zone", n, i)); i++) {
		name = line_word(line, "name");
		if (name && (!strcmp(name, "HighMem") || !strcmp(name, "Movable")))
			continue;
		usable = line_number(line, "usable");
		sum += usable == LLONG_MIN ? LLONG_MAX / 2 : usable;
	}
	return i ? sum : LLONG_MAX;
}

/*
 * The kernel calls the OOM killer only if no usable zone is over its high
 * watermark. Their sum by /proc/zoneinfo, and a quarter for concurrent frees.
 */
static long long shortage_pages(void)
{
	char *text = read_file("/proc/zoneinfo"), *line, *save = NULL, zone[16] = "";
	long long sum = 0, high;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Node %*d, zone %15s", zone) == 1)
			continue;
		if (sscanf(line, " high %lld", &high) == 1 && strcmp(zone, "HighMem") &&
		    strcmp(zone, "Movable"))
			sum += high;
	}
	free(text);
	return sum + sum / 4;
}

/*
 * Memory came back by itself meanwhile, by deferred frees for example: it was not
 * short in the first, if that is kept, or the last event of the run.
 */
static bool came_back(const struct shortage *s, const char *way)
{
	long long n = event_line(s->text, "event", s->last - s->events + 1, 0) ?
		      s->last - s->events + 1 : s->last;
	long long first = usable_pages(s->text, n);
	long long last = usable_pages(s->text, s->last), most = shortage_pages();

	if (s->kills)
		return false;
	if (first <= most && last <= most)
		return !strcmp(way, "no_fs") && s->calls < 4;
	ksft_print_msg("%s: %lld pages were left, then %lld; short is %lld\n", way, first, last,
		       most);
	return true;
}

static bool run_short(struct shortage *s, int fd, const char *way)
{
	unsigned int tries = 5;

	while (!run_once(s, fd, way) || came_back(s, way)) {
		free(s->text);
		s->text = NULL;
		if (!--tries) {
			ksft_print_msg("each time another task ran out of memory, or gave some back\n");
			return false;
		}
	}
	return true;
}

/* What all of them have: the caller, its request, and that no task died. */
static void expect_event(const struct shortage *s, long long n, const char *outcome)
{
	char gfp[32];

	snprintf(gfp, sizeof(gfp), "%#llx", told("gfp"));
	EXPECT_EVENT(s->text, n, "outcome=%s kind=global trigger=allocator pid=%lld gfp=%s order=0",
		     outcome, s->caller, gfp);
	/* The kernel returns before it determines either. */
	EXPECT_EVENT(s->text, n, "constraint=- totalpages=-");
	EXPECT_EQ(s->kills, 0);
	expect_show(s->text);
}

static void expect_counts(const struct shortage *s, int calls, int events, int averted)
{
	EXPECT_EQ(s->calls, calls);
	EXPECT_EQ(s->events, events);
	EXPECT_EQ(s->averted, averted);
}

static void test_other(int fd)
{
	struct shortage s;

	EXPECT_TRUE(run_short(&s, fd, "other"));
	expect_counts(&s, 1, 1, 1);
	EXPECT_EQ(s.status, 0);
	expect_event(&s, s.last, "averted");
	EXPECT_EVENT(s.text, s.last, "by=other victims=0 freed=%lld", told("given"));
	test_done("averted by another driver's notifier, with its pages");
	free(s.text);
}

static void test_no_fs(int fd)
{
	const char *word;
	struct shortage s;

	EXPECT_TRUE(run_short(&s, fd, "no_fs"));
	expect_counts(&s, 4, 4, 0);
	EXPECT_EQ(s.status, 0);
	expect_event(&s, s.last, "no_fs");
	/* It cannot kill: the time of a walk is left for a call that can. */
	EXPECT_EVENT(s.text, s.last, "by=- freed=0 victims=0 walk=-");
	word = event_word(s.text, s.last, "idle");
	word = word ? strstr(word, "no_fs:") : NULL;
	EXPECT_GE(word ? atoi(word + strlen("no_fs:")) : 0, 4);
	test_done("no_fs: the last call kept, with the count of all");
	free(s.text);
}

static void test_dying(int fd)
{
	struct shortage s;
	const char *line;

	EXPECT_TRUE(run_short(&s, fd, "dying"));
	expect_counts(&s, 1, 1, 0);
	EXPECT_TRUE(WIFSIGNALED(s.status));
	expect_event(&s, s.last, "dying");
	EXPECT_EVENT(s.text, s.last, "by=- victims=1");
	line = event_line(s.text, "victim", s.last, 0);
	EXPECT_LINE(line, "pid=%lld killed=0", s.caller);
	EXPECT_TRUE(times_come(s.last));
	test_done("dying: the caller is let go first, and is not killed");
	free(s.text);
}

/* The kernel marks threads: the next one of a victim is not another victim. */
static void test_again(int fd)
{
	struct shortage s;
	const char *line;

	EXPECT_TRUE(run_short(&s, fd, "again"));
	expect_counts(&s, 2, 2, 0);
	expect_event(&s, s.last - 1, "dying");
	EXPECT_EVENT(s.text, s.last - 1, "by=- victims=1");
	line = event_line(s.text, "victim", s.last - 1, 0);
	EXPECT_LINE(line, "pid=%lld killed=0", s.caller);
	expect_event(&s, s.last, "dying");
	EXPECT_EVENT(s.text, s.last, "by=- victims=0");
	EXPECT_TRUE(times_come(s.last - 1));
	test_done("dying: a further thread of a victim is not counted again");
	free(s.text);
}

static void test_disabled(int fd)
{
	struct shortage s;

	if (access("/sys/power/pm_test", W_OK)) {
		ksft_test_result_skip("disabled: no test of suspend in this kernel\n");
		return;
	}
	setting_write("/sys/module/suspend/parameters/pm_test_delay", "0");
	/* Everything is frozen, and thawed again. */
	write_file("/sys/power/pm_test", "freezer");
	EXPECT_TRUE(run_short(&s, fd, "disabled"));
	write_file("/sys/power/pm_test", "none");
	/* The kernel does not even call the notifiers. */
	expect_counts(&s, 0, 1, 0);
	EXPECT_EQ(told("failed"), 1);
	expect_event(&s, s.last, "disabled");
	EXPECT_EVENT(s.text, s.last, "comm=shortage by=- walk=- victims=0");
	test_done("disabled: while the machine is put to sleep");
	free(s.text);
}

/* ---- The chosen task is on its way out ---- */

#define FREEZER		"/tmp/oomlens-freezer"

/* Frozen by cgroup v1, a task cannot go even if it is killed. */
static bool freezer_mount(void)
{
	mkdir(FREEZER, 0700);
	if (mount("none", FREEZER, "cgroup", 0, "freezer"))
		return false;
	undo_at_end("umount", FREEZER);
	mkdir(FREEZER "/ice", 0700);
	undo_at_end("rmdir", FREEZER "/ice");
	return true;
}

static bool frozen(void)
{
	char *state = read_file(FREEZER "/ice/freezer.state");
	bool yes = state && !strncmp(state, "FROZEN", 6);

	free(state);
	return yes;
}

static void test_exiting(int fd)
{
	static const struct hog_spec spec = { .anon = 3000, .adj = 1000, .comm = "frozen" };
	long long kills, n = 0;
	char pid[16], *text;
	const char *line;
	struct hog hog;

	if (!freezer_mount()) {
		ksft_test_result_skip("exiting: no cgroup v1 freezer\n");
		return;
	}
	must_hog(&hog, &spec);
	drain(fd);
	snprintf(pid, sizeof(pid), "%d", hog.pid);
	write_file(FREEZER "/ice/cgroup.procs", pid);
	write_file(FREEZER "/ice/freezer.state", "FROZEN");
	EXPECT_TRUE(wait_until(frozen(), PATIENCE_MS));
	kill(hog.pid, SIGKILL);
	EXPECT_FALSE(hog_gone(&hog));
	kills = kernel_kills();
	write_file("/proc/sysrq-trigger", "f");
	text = next_event(fd, &n);
	EXPECT_EVENT(text, n, "kind=sysrq outcome=exiting victims=1");
	line = event_line(text, "victim", n, 0);
	EXPECT_LINE(line, "pid=%d killed=0", hog.pid);
	EXPECT_NEAR(line_number(line, "rss_anon"), 3000, 100);
	expect_show(text);
	/* The kernel thaws the task that it marks. */
	EXPECT_TRUE(wait_until(hog_gone(&hog), PATIENCE_MS));
	EXPECT_EQ(kernel_kills(), kills);
	EXPECT_TRUE(times_come(n));
	test_done("exiting: the chosen task was going already");
	write_file(FREEZER "/ice/freezer.state", "THAWED");
	free(text);
	hog_end(&hog);
}

int main(void)
{
	int fd;

	test_begin(0);
	events_need_sources();
	needs_shortage();
	ksft_set_plan(6);
	oom_settings();
	watermarks_stay();
	fd = events_open();
	test_other(fd);
	test_no_fs(fd);
	test_dying(fd);
	test_again(fd);
	test_disabled(fd);
	if (lens_feature("sysrq"))
		test_exiting(fd);
	else
		ksft_test_result_skip("exiting: no sysrq\n");
	close(fd);
	loader_no_helper("oomlens_shortage");
	test_end();
}
