// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of the OOM killer that kill nobody and that user space cannot bring
 * about at will: another driver's notifier gave memory back, an allocation may
 * not use the filesystem, the caller or the chosen one is on its way out, the
 * OOM killer is off. What the kernel asked is told by oomlens_shortage.ko's own
 * OOM notifier and by the kernel's count of its kills.
 */
#include <fcntl.h>
#include <limits.h>
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

/* What is to be known of one run. */
struct shortage {
	long long caller, calls, kills, averted, events, last;
	int status;		/* of the process that asked */
	char *text;		/* the events' */
};

/* Returns false if somebody else ran out of memory meanwhile. */
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
		_exit(write_file(SHORTAGE "run", way) ? 1 : 0);
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
		if (asprintf(&all, "%s%s", s->text, more) < 0)
			ksft_exit_fail_msg("no memory\n");
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
	unsigned int i;
	char *line;

	for (i = 0; (line = event_line(text, "zone", n, i)); i++) {
		if (!strstr(line, " name=HighMem ") && !strstr(line, " name=Movable ")) {
			if (!line_number(line, "usable", &usable))
				usable = LLONG_MAX / 2;
			sum += usable;
		}
		free(line);
	}
	return i ? sum : LLONG_MAX;
}

/*
 * The kernel calls the OOM killer only where no zone that it may take from is over
 * its high watermark, by /proc/zoneinfo. A quarter for what others give meanwhile.
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
 * Memory came back by itself meanwhile (frees that were put off, say), and was not
 * short any more in the first or the last event of the run.
 */
static bool came_back(const struct shortage *s, const char *way)
{
	long long first = usable_pages(s->text, s->last - s->events + 1);
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
			ksft_print_msg("each time somebody else ran out of memory, or gave some back\n");
			return false;
		}
		/* Of a row of calls that did nothing the first and the last are kept: end it. */
		if (!strcmp(way, "no_fs")) {
			run_once(s, fd, "other");
			free(s->text);
			s->text = NULL;
		}
	}
	return true;
}

/* What all of them have: who asked for what, and that nobody died. */
static bool event_is(const struct shortage *s, long long n, const char *outcome)
{
	char want[32];
	bool good;

	snprintf(want, sizeof(want), "%#llx", told("gfp"));
	good = event_has(s->text, n, "outcome", outcome) &&
	       event_has(s->text, n, "kind", "global") &&
	       event_has(s->text, n, "trigger", "allocator") &&
	       event_has_number(s->text, n, "pid", s->caller) &&
	       event_has(s->text, n, "gfp", want) && event_has(s->text, n, "order", "0") &&
	       /* The kernel did not get so far as to look at either. */
	       event_has(s->text, n, "constraint", "-") &&
	       event_has(s->text, n, "totalpages", "-");
	if (s->kills) {
		ksft_print_msg("the kernel killed %lld\n", s->kills);
		good = false;
	}
	return good;
}

static void test_other(int fd)
{
	struct shortage s;
	bool good = run_short(&s, fd, "other") && s.calls == 1 && s.events == 1 &&
		s.averted == 1 && !s.status && event_is(&s, s.last, "averted") &&
		event_has(s.text, s.last, "by", "other") &&
		event_has(s.text, s.last, "victims", "0") &&
		event_has_number(s.text, s.last, "freed", told("given"));

	ksft_test_result(good, "averted by another driver's notifier, with its pages\n");
	free(s.text);
}

static void test_no_fs(int fd)
{
	struct shortage s;
	bool good = run_short(&s, fd, "no_fs") && s.calls == 4 && s.events == 4 &&
		!s.averted && !s.status;
	long long first = s.last - 3;

	if (!good)
		ksft_print_msg("%lld calls, %lld events\n", s.calls, s.events);
	good = good && event_is(&s, first, "no_fs") && event_is(&s, s.last, "no_fs") &&
	       event_has(s.text, s.last, "by", "-") &&
	       event_has(s.text, s.last, "freed", "0") &&
	       event_has(s.text, s.last, "victims", "0");
	ksft_test_result(good, "no_fs: each call counted, the first and the last kept\n");
	free(s.text);
}

static void test_dying(int fd)
{
	struct shortage s;
	bool good = run_short(&s, fd, "dying") && s.calls == 1 && s.events == 1 &&
		!s.averted && WIFSIGNALED(s.status) && event_is(&s, s.last, "dying") &&
		event_has(s.text, s.last, "by", "-") &&
		event_has(s.text, s.last, "victims", "1");
	char *line = good ? event_line(s.text, "victim", s.last, 0) : NULL;

	good = line && wants(line, "pid", s.caller) && wants(line, "killed", 0);
	ksft_test_result(good && times_come(s.last),
			 "dying: the caller is let go first, and is not killed\n");
	free(line);
	free(s.text);
}

static void test_disabled(int fd)
{
	struct shortage s;
	bool good;

	if (access("/sys/power/pm_test", W_OK)) {
		ksft_test_result_skip("disabled: no test of suspend in this kernel\n");
		return;
	}
	setting_write("/sys/module/suspend/parameters/pm_test_delay", "0");
	/* Everything is frozen, and thawed again. */
	write_file("/sys/power/pm_test", "freezer");
	/* The kernel does not even call the notifiers. */
	good = run_short(&s, fd, "disabled") && !s.calls && told("failed") == 1 &&
		s.events == 1 && !s.averted && event_is(&s, s.last, "disabled") &&
		event_has(s.text, s.last, "comm", "shortage") &&
		event_has(s.text, s.last, "by", "-") &&
		event_has(s.text, s.last, "walk", "-") &&
		event_has(s.text, s.last, "victims", "0");
	write_file("/sys/power/pm_test", "none");
	ksft_test_result(good, "disabled: while the machine is put to sleep\n");
	free(s.text);
}

/* ---- The chosen one is on its way out ---- */

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
	char pid[16], *text, *line;
	struct hog hog;
	bool good;

	if (!freezer_mount()) {
		ksft_test_result_skip("exiting: no cgroup v1 freezer\n");
		return;
	}
	if (hog_start(&hog, &spec))
		ksft_exit_fail_msg("cannot make a hog\n");
	drain(fd);
	snprintf(pid, sizeof(pid), "%d", hog.pid);
	write_file(FREEZER "/ice/cgroup.procs", pid);
	write_file(FREEZER "/ice/freezer.state", "FROZEN");
	good = wait_until(frozen(), PATIENCE_MS);
	kill(hog.pid, SIGKILL);
	good = good && !hog_gone(&hog);
	kills = kernel_kills();
	write_file("/proc/sysrq-trigger", "f");
	text = next_event(fd, &n);
	good = good && text && event_has(text, n, "kind", "sysrq") &&
	       event_has(text, n, "outcome", "exiting") && event_has(text, n, "victims", "1");
	line = good ? event_line(text, "victim", n, 0) : NULL;
	good = line && wants(line, "pid", hog.pid) && wants(line, "killed", 0) &&
	       near_to(line, "rss_anon", 3000, 100);
	free(line);
	/* The kernel thaws whom it marks. */
	good = good && wait_until(hog_gone(&hog), PATIENCE_MS) && kernel_kills() == kills;
	ksft_test_result(good && times_come(n), "exiting: the chosen one was going already\n");
	write_file(FREEZER "/ice/freezer.state", "THAWED");
	free(text);
	hog_end(&hog);
}

int main(void)
{
	int fd;

	test_begin(0);
	events_need_sources();
	if (!loader_helper("oomlens_shortage", ""))
		ksft_exit_skip("no oomlens_shortage.ko: build with OOMLENS_TESTS=1\n");
	ksft_set_plan(5);
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	watermarks_stay();
	fd = events_open();
	test_other(fd);
	test_no_fs(fd);
	test_dying(fd);
	test_disabled(fd);
	if (lens_feature("sysrq"))
		test_exiting(fd);
	else
		ksft_test_result_skip("exiting: no sysrq\n");
	close(fd);
	loader_no_helper("oomlens_shortage");
	ksft_exit(!ksft_get_fail_cnt());
}
