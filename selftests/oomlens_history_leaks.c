// SPDX-License-Identifier: GPL-2.0
/*
 * Leaks of a known rate, and what history, forecast and an event's growth lines say of
 * them: who grew, how fast, and when memory ends. The judges are the leak's own count,
 * the kernel's log and the moment of the kill. All but the first with OOMLENS_LEAKS=1:
 * they take minutes.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"
#include "lib/samples.h"

#define PARAMETERS	"/sys/module/oomlens/parameters/"
#define HELPER		"/sys/module/oomlens_pages/parameters/pages"

/* A new history: what was given back before looks like a saw. */
static void restart(const char *parameter, const char *every)
{
	MUST_OK(setting_write(PARAMETERS "history_ms", "0"));
	MUST_OK(setting_write(PARAMETERS "history", "0"));
	MUST_OK(setting_write(parameter, every));
}

static double clock_s(void)
{
	return now_ns() / 1e9;
}

static void nap_until(double s)
{
	while (clock_s() < s)
		nap_ms(5);
}

/* Reading costs what the leak should have: not too often. */
static void await_samples(unsigned int n)
{
	double end = clock_s() + PATIENCE_MS / 1000.0;

	while (samples_now().n < n) {
		MUST(clock_s() < end);
		nap_ms(50);
	}
}

/* ---- The command ---- */

static struct {
	double from, to;		/* when it was asked, and when it had answered */
	int status;
	char json[65536];
} said;

static void find_command(void)
{
	char here[400], path[1000];
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);

	if (n > 0) {
		here[n] = '\0';
		*strrchr(here, '/') = '\0';
		snprintf(path, sizeof(path), "%s/../scripts:%s", here, getenv("PATH") ?: "");
		setenv("PATH", path, 1);
	}
	if (system("command -v oomlens >/dev/null"))
		ksft_exit_skip("the command oomlens is not installed\n");
}

static void ask(const char *command)
{
	FILE *f;
	size_t n;
	int status;

	fflush(stdout);
	said.from = clock_s();
	f = MUST_HAVE(popen(command, "r"));
	n = fread(said.json, 1, sizeof(said.json) - 1, f);
	said.json[n] = '\0';
	status = pclose(f);
	said.to = clock_s();
	said.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void ask_forecast(void)
{
	ask("oomlens forecast --json");
}

/* A number of the JSON, the first of that name behind @after. */
static double said_number(const char *after, const char *name)
{
	const char *at = strstr(said.json, after);
	char key[40];

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = at ? strstr(at, key) : NULL;
	return at ? atof(at + strlen(key)) : -1;
}

/* The first driver is that one, and its pace is @pace pages a second to @percent. */
static bool expect_driver(const char *type, const char *name, double pace, unsigned int percent)
{
	char want[100];
	bool good;

	snprintf(want, sizeof(want), "\"drivers\":[{\"type\":\"%s\",\"name\":\"%s\",", type, name);
	good = EXPECT_EQ(said.status, 6);
	good &= EXPECT_TRUE(strstr(said.json, want));
	good &= EXPECT_NEAR(said_number("\"drivers\":", "pages_s"), pace, pace * percent / 100 + 1);
	expect_show(said.json);
	return good;
}

/* ---- A leak ---- */

static char *map(unsigned long pages)
{
	char *at = mmap(NULL, pages * page_size(), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		_exit(1);
	/* By the page. */
	madvise(at, pages * page_size(), MADV_NOHUGEPAGE);
	return at;
}

static void touch(char *at, unsigned long page)
{
	__atomic_store_n(at + page * page_size(), 1, __ATOMIC_RELAXED);
}

struct leak {
	const char *cgroup;		/* or NULL */
	double pace;			/* pages a second */
	double begin;			/* s */
	unsigned long pages;		/* touched so far */
	unsigned long max;
	pid_t pid;
};

static void __noreturn leak_main(struct leak *l)
{
	char *at = map(l->max);
	unsigned long n = 0;

	prctl(PR_SET_NAME, "leak");
	set_adj(0, 1000);
	if (l->cgroup && cg_attach(l->cgroup, 0))
		_exit(1);
	l->begin = clock_s();
	for (;;) {
		while (n < l->max && n < (clock_s() - l->begin) * l->pace) {
			touch(at, n++);
			__atomic_store_n(&l->pages, n, __ATOMIC_RELEASE);
		}
		nap_ms(2);
	}
}

static unsigned long leaked(const struct leak *l)
{
	return __atomic_load_n(&l->pages, __ATOMIC_ACQUIRE);
}

static void leak_start(struct leak *l)
{
	pid_t pid = must_fork();

	if (!pid)
		leak_main(l);
	/* Shared with the child, which must not write its own 0. */
	l->pid = pid;
	MUST(wait_until(leaked(l), PATIENCE_MS));
}

static double leak_pace(const struct leak *l)
{
	return leaked(l) / (clock_s() - l->begin);
}

/* Takes and gives back up to that many pages, at random. */
static void __noreturn noise_main(unsigned long pages, unsigned long long seed)
{
	char *at = map(pages);
	unsigned long have, i;

	prctl(PR_SET_NAME, "noise");
	for (;;) {
		have = rnd_range(&seed, 0, pages);
		for (i = 0; i < have; i++)
			touch(at, i);
		madvise(at + have * page_size(), (pages - have) * page_size(), MADV_DONTNEED);
		nap_ms(rnd_range(&seed, 50, 300));
	}
}

#define NOISES		4
#define NOISE_MB	3
/* From the first page to the kill. */
#define LEAK_S		60

/* What forecast said on the way, held against the kill when that has come. */
static struct {
	unsigned int percent;
	double from, to, not_before, within;
} asked[] = {
	{ .percent = 26 }, { .percent = 40 }, { .percent = 55 }, { .percent = 70 },
	{ .percent = 85 },
};

static void test_leak(void)
{
	unsigned long available = meminfo_pages("MemAvailable");
	struct leak *l = must_share(sizeof(*l));
	int kmsg, fd = events_open();
	unsigned long long seed = test_seed();
	char killed[512] = "", *text;
	pid_t noise[NOISES];
	unsigned int i;
	long long n;
	double end, left;

	restart(PARAMETERS "history", "1");
	for (i = 0; i < NOISES; i++) {
		noise[i] = must_fork();
		if (!noise[i])
			noise_main(NOISE_MB * 1048576 / page_size(), seed + i);
	}
	/* What the neighbours do was there before. */
	await_samples(10);
	l->pace = (double)available / LEAK_S;
	l->max = 2 * available;
	kmsg = kmsg_open();
	leak_start(l);
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		nap_until(l->begin + LEAK_S * asked[i].percent / 100.0);
		ask_forecast();
		asked[i].from = said.from;
		asked[i].to = said.to;
		asked[i].not_before = said_number("\"state\"", "not_before_s");
		asked[i].within = said_number("\"state\"", "within_s");
		expect_of("at %u%%", asked[i].percent);
		expect_driver("task", "leak", leak_pace(l), 5);
		ksft_print_msg("at %u%%: %.1f pages/s by its count, %.1f by forecast in %.1f s\n",
			       asked[i].percent, leak_pace(l),
			       said_number("\"drivers\":", "pages_s"), said.to - said.from);
	}
	MUST(kmsg_wait(kmsg, "Killed process", killed, sizeof(killed), 2 * LEAK_S * 1000));
	end = clock_s();
	expect_of("%s", killed);
	EXPECT_TRUE(strstr(killed, "(leak)"));
	waitpid(l->pid, NULL, 0);
	ksft_print_msg("the kill came after %.1f s, with %lu pages touched\n", end - l->begin,
		       l->pages);
	test_done("a leak among noisy neighbours is named first, its rate within 5%%");

	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		left = end - asked[i].from;
		ksft_print_msg("at %u%%: %.1f s were left, not before %.0f, within %.0f\n",
			       asked[i].percent, left, asked[i].not_before, asked[i].within);
		expect_of("at %u%%", asked[i].percent);
		/* The forecast is in whole seconds, of a moment while the command ran. */
		EXPECT_GE(asked[i].not_before, 0);
		EXPECT_LE(asked[i].from + asked[i].not_before, end + 1);
		EXPECT_GE(asked[i].to + asked[i].within, end - 1);
		EXPECT_LE(asked[i].within, 1.4 * left + 2);
	}
	test_done("the kill comes between \"not before\" and \"within\"");

	text = MUST_HAVE(next_killed(fd, &n));
	EXPECT_LINE(event_line(text, "growth", n, 0), "pid=%d comm=leak", l->pid);
	expect_show(text);
	free(text);
	close(fd);
	close(kmsg);
	idle_end(noise, NOISES);
	test_done("and the event names it first");
}

/* ---- Below a cgroup's limit ---- */

/* From the first page to the limit, and when it is asked. */
#define CGROUP_S	30
#define CGROUP_ASK_S	18

static void test_cgroup(void)
{
	unsigned long limit = meminfo_pages("MemAvailable") / 4;
	char killed[512] = "", grown[300], entry[300];
	struct leak *l = must_share(sizeof(*l));
	double end, not_before, within;
	int kmsg;

	l->cgroup = must_limit("leaking", limit);
	l->pace = (double)limit / CGROUP_S;
	l->max = 2 * limit;
	restart(PARAMETERS "history_ms", "800");
	await_samples(3);
	kmsg = kmsg_open();
	leak_start(l);
	nap_until(l->begin + CGROUP_ASK_S);
	ask("oomlens history");
	snprintf(grown, sizeof(grown), " cgroup %s\n", cg_shown(l->cgroup));
	EXPECT_TRUE(strstr(said.json, grown));
	expect_show(said.json);
	ask_forecast();
	snprintf(entry, sizeof(entry), "\"cgroups\":[{\"path\":\"%s\",\"limit\":%lu,",
		 cg_shown(l->cgroup), limit);
	EXPECT_EQ(said.status, 6);
	EXPECT_TRUE(strstr(said.json, entry));
	EXPECT_NEAR(said_number(entry, "pages_s"), leak_pace(l), leak_pace(l) / 10);
	EXPECT_EQ(said_number(entry, "pid"), l->pid);
	expect_show(said.json);
	not_before = said.from + said_number(entry, "not_before_s");
	within = said.to + said_number(entry, "within_s");
	test_done("a cgroup's leak below its limit is named");

	MUST(kmsg_wait(kmsg, "Killed process", killed, sizeof(killed), 4 * CGROUP_S * 1000));
	end = clock_s();
	expect_of("%s", killed);
	EXPECT_TRUE(strstr(killed, "(leak)"));
	EXPECT_IN(end, not_before - 1, within + 1);
	waitpid(l->pid, NULL, 0);
	close(kmsg);
	test_done("and the kill comes between \"not before\" and \"within\"");
}

/* ---- Slowly ---- */

/*
 * By the sampler's clock, of which SLOW_MS are a second here: 100 kB a minute, beside
 * 50 MB that come and go.
 */
#define SLOW_MS		2
#define SLOW_PAGES_S	(25 / 60.0 * 1000 / SLOW_MS)
#define CHURN_PAGES	12800
#define SLOW_STEPS	16

static void __noreturn churn_main(unsigned long long seed)
{
	char *at = map(CHURN_PAGES);
	unsigned long i, have = 0, want;

	prctl(PR_SET_NAME, "churn");
	set_adj(0, 1000);
	for (;;) {
		want = rnd_range(&seed, 0, CHURN_PAGES);
		for (i = have; i < want; i++)
			touch(at, i);
		madvise(at + want * page_size(), (CHURN_PAGES - want) * page_size(),
			MADV_DONTNEED);
		have = want;
		nap_ms(rnd_range(&seed, 1, 40));
	}
}

/* The day's: the last "What grew over", whose first line ends with @name. */
static void expect_first_grown(const char *name)
{
	const char *at = said.json, *found = NULL, *line;

	while ((at = strstr(at, "What grew over ")))
		found = at++;
	line = found ? strchr(found, '\n') : NULL;
	EXPECT_TRUE(line);
	expect_of("%.*s", line ? (int)strcspn(line + 1, "\n") : 0, line ? line + 1 : "");
	at = line ? strstr(line, name) : NULL;
	EXPECT_TRUE(at && at - line < (long)strcspn(line + 1, "\n") + 1);
}

static void test_slow(void)
{
	struct leak *l = must_share(sizeof(*l));
	unsigned long long seed = test_seed();
	char every[16], name[40], *text;
	int fd = events_open();
	const char *line;
	unsigned int i;
	pid_t churn;
	long long n;

	if (meminfo_pages("MemAvailable") < 3 * CHURN_PAGES || !lens_feature("sysrq")) {
		test_skip(2, "no 150 MB, or no sysrq\n");
		return;
	}
	snprintf(every, sizeof(every), "%d", 10 * SLOW_MS);
	restart(PARAMETERS "history_ms", every);
	churn = must_fork();
	if (!churn)
		churn_main(seed);
	l->pace = SLOW_PAGES_S;
	l->max = 100000;
	leak_start(l);
	/* Then it is not the one that a kill takes. */
	MUST_OK(set_adj(l->pid, -1000));
	nap_until(l->begin + SLOW_STEPS * 600 * SLOW_MS / 1000.0);
	ask("oomlens history");
	snprintf(name, sizeof(name), " leak (%d)", l->pid);
	expect_first_grown(name);
	expect_show(said.json);
	test_done("100 kB a minute beside 50 MB that come and go: what grew over the day");

	oom_settings();
	MUST_OK(write_file("/proc/sysrq-trigger", "f"));
	text = MUST_HAVE(next_killed(fd, &n));
	/* Of the last ten minutes, which are the last lines. */
	line = NULL;
	for (i = 0; event_line(text, "growth", n, i); i++)
		if (line_number(event_line(text, "growth", n, i), "pid") == l->pid)
			line = event_line(text, "growth", n, i);
	EXPECT_TRUE(line);
	expect_of("%.*s", line ? (int)strcspn(line, "\n") : 0, line ?: "");
	EXPECT_NEAR(line_number(line, "to") - line_number(line, "from"),
		    SLOW_PAGES_S * (line ? atof(line_word(line, "over_s")) : 0), 100);
	expect_show(text);
	free(text);
	close(fd);
	idle_end(&churn, 1);
	idle_end(&l->pid, 1);
	test_done("and an event tells of it");
}

/* ---- All in two seconds ---- */

/* No sample lies between the first page and the kill of @pid. */
static void expect_sudden(const char *cgroup, size_t bytes)
{
	int kmsg, fd = events_open();
	char killed[512] = "", *text;
	const char *line;
	long long n, end;
	double begin;
	pid_t pid;

	oom_settings();
	restart(PARAMETERS "history", "3600");
	MUST(wait_until(samples_now().n == 1, PATIENCE_MS));
	kmsg = kmsg_open();
	begin = clock_s();
	pid = must_fork();
	if (!pid) {
		prctl(PR_SET_NAME, "sudden");
		eat(cgroup, 1000, bytes);
	}
	text = MUST_HAVE(next_killed(fd, &n));
	ksft_print_msg("killed after %.1f s\n", clock_s() - begin);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(samples_now().n, 1);
	EXPECT_TRUE(kmsg_wait(kmsg, "Killed process", killed, sizeof(killed), PATIENCE_MS));
	EXPECT_TRUE(strstr(killed, "(sudden)"));
	line = event_line(text, "growth", n, 0);
	EXPECT_LINE(line, "pid=%d comm=sudden from=0", pid);
	end = line_number(line, "to");
	/* The victim's own line has all its terms. */
	line = event_line(text, "victim", n, 0);
	EXPECT_EQ(end, line_number(line, "rss_anon") + line_number(line, "rss_file") +
		       line_number(line, "rss_shmem") + line_number(line, "swap") +
		       line_number(line, "pgtables"));
	expect_show(text);
	free(text);
	close(fd);
	close(kmsg);
}

/* ---- Many that are small ---- */

/* How many in all, and how many a second: a third of memory. */
#define BOMBS		250
#define BOMBS_S		20

static void __noreturn bomb_main(unsigned long pages)
{
	char *at = map(pages);

	prctl(PR_SET_NAME, "bomb");
	while (pages--)
		touch(at, pages);
	for (;;)
		pause();
}

static void test_bomb(void)
{
	unsigned long unit = meminfo_pages("MemAvailable") / 3 / BOMBS;
	static pid_t pids[BOMBS];
	double begin;
	unsigned int n;

	restart(PARAMETERS "history_ms", "500");
	await_samples(10);
	begin = clock_s();
	for (n = 0; n < BOMBS; n++) {
		nap_until(begin + n / (double)BOMBS_S);
		pids[n] = must_fork();
		if (!pids[n])
			bomb_main(unit);
	}
	ksft_print_msg("%u forks in %.1f s\n", n, clock_s() - begin);
	ask_forecast();
	EXPECT_EQ(said.status, 6);
	EXPECT_TRUE(strstr(said.json, "\"drivers\":[{\"type\":\"comm\",\"name\":\"bomb\","));
	expect_show(said.json);
	idle_end(pids, BOMBS);
	test_done("many processes of one name: the name is what drives it");
}

/* ---- What no process owns ---- */

#define KIND_S		10

static char bytes[65536];
static int memfd = -1;
static int pipes[1024][2];
static unsigned int nr_pipes;

static bool take_shmem(unsigned long pages)
{
	if (memfd < 0)
		memfd = MUST_GET(memfd_create("leak", MFD_CLOEXEC));
	return !posix_fallocate(memfd, 0, pages * page_size());
}

static void give_shmem(void)
{
	close(memfd);
	memfd = -1;
}

/* A page in each of its slots, 16 where the kernel lets it be no more. */
static bool take_pipes(unsigned long pages)
{
	static unsigned long taken;
	int size;

	if (!nr_pipes)
		taken = 0;
	while (taken < pages && nr_pipes < ARRAY_SIZE(pipes)) {
		int *p = pipes[nr_pipes];

		if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
			return false;
		nr_pipes++;
		size = fcntl(p[1], F_SETPIPE_SZ, 1048576);
		if (size < 0)
			size = fcntl(p[1], F_GETPIPE_SZ);
		for (; size > 0; size -= page_size()) {
			if (write(p[1], bytes, page_size()) != (ssize_t)page_size())
				break;
			taken++;
		}
	}
	return taken >= pages;
}

static void give_pipes(void)
{
	while (nr_pipes--) {
		close(pipes[nr_pipes][0]);
		close(pipes[nr_pipes][1]);
	}
	nr_pipes = 0;
}

/*
 * What is written and not read, in sockets whose descriptors are in flight: no process
 * has one.
 */
#define SOCKET_BYTES	(1 << 20)
static int flying[2] = { -1, -1 }, filled[2] = { -1, -1 };

static void close_two(int *two)
{
	close(two[0]);
	close(two[1]);
	two[0] = -1;
	two[1] = -1;
}

static bool new_sockets(int *two)
{
	const int size = SOCKET_BYTES;

	return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, two) &&
	       !setsockopt(two[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

static bool let_fly(int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { bytes, 1 };
	const struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(flying[0], &msg, 0) == 1;
}

static bool take_sockets(unsigned long pages)
{
	static unsigned long taken;
	ssize_t n;

	if (flying[0] < 0) {
		taken = 0;
		if (!new_sockets(flying))
			return false;
	}
	while (taken < pages) {
		if (filled[0] < 0 && !new_sockets(filled))
			return false;
		/* Of this size they are whole pages. */
		n = write(filled[0], bytes, 32768);
		if (n > 0) {
			taken += n / page_size();
			continue;
		}
		if (errno != EAGAIN || !let_fly(filled[1]))
			return false;
		close_two(filled);
	}
	return true;
}

static void give_sockets(void)
{
	close_two(filled);
	close_two(flying);
}

static bool take_module(unsigned long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", pages);
	return !write_file(HELPER, text);
}

static void give_module(void)
{
	take_module(0);
}

static const struct kind {
	const char *what, *name;
	bool (*take)(unsigned long pages);	/* so many in all */
	void (*give)(void);
} kinds[] = {
	{ "tmpfs", "shmem", take_shmem, give_shmem },
	{ "pipes", "unaccounted", take_pipes, give_pipes },
	{ "sockets", "unaccounted", take_sockets, give_sockets },
	{ "a driver's pages", "unaccounted", take_module, give_module },
};

static void test_kind(const struct kind *kind)
{
	double pace = meminfo_pages("MemAvailable") / 3.0 / KIND_S, begin, s;

	if (kind->take == take_module && !loader_helper("oomlens_pages", "")) {
		test_skip(1, "no oomlens_pages.ko\n");
		return;
	}
	/* A machine with little memory keeps some 30 samples. */
	restart(PARAMETERS "history_ms", "400");
	await_samples(10);
	begin = clock_s();
	while ((s = clock_s() - begin) < KIND_S) {
		MUST(kind->take(pace * s + 1));
		nap_ms(5);
	}
	ask_forecast();
	expect_driver("kind", kind->name, pace, 10);
	ksft_print_msg("%s: %.1f pages/s, %.1f by the forecast\n", kind->what, pace,
		       said_number("\"drivers\":", "pages_s"));
	kind->give();
	if (kind->take == take_module)
		loader_no_helper("oomlens_pages");
	test_done("a leak that no process owns, %s: %s is named", kind->what, kind->name);
}

/* ---- Memory that rises and falls ---- */

static void __noreturn saw_main(unsigned long pages, unsigned int period_s)
{
	char *at = map(pages);
	double begin = clock_s(), s;
	unsigned long have = 0;

	prctl(PR_SET_NAME, "saw");
	set_adj(0, 1000);
	for (;;) {
		s = clock_s() - begin;
		if (s >= period_s) {
			madvise(at, pages * page_size(), MADV_DONTNEED);
			begin += period_s;
			have = 0;
			continue;
		}
		while (have < pages * s / period_s)
			touch(at, have++);
		nap_ms(5);
	}
}

/* Intervals in all, so many as an hour has of ten seconds. */
#define SAW_SAMPLES	360

static void test_saw(unsigned int period_s, unsigned int percent)
{
	unsigned long pages = meminfo_pages("MemAvailable") * percent / 100;
	double begin = clock_s();
	unsigned int asks = 0;
	pid_t pid;

	restart(PARAMETERS "history_ms", "100");
	await_samples(10);
	pid = must_fork();
	if (!pid)
		saw_main(pages, period_s);
	/* Before it has given back once it is a leak like others. */
	nap_until(begin + 2.5 * period_s + 1);
	while (clock_s() - begin < SAW_SAMPLES / 10) {
		ask_forecast();
		asks++;
		expect_of("after %.1f s", said.from - begin);
		EXPECT_EQ(said.status, 0);
		expect_show(said.json);
		nap_ms(500);
	}
	idle_end(&pid, 1);
	EXPECT_GE(asks, 3);
	test_done("%u%% that rise and fall in %u s: never a forecast", percent, period_s);
}

#define SUBTESTS	(5 + 2 + 2 + 1 + ARRAY_SIZE(kinds) + 2)

int main(void)
{
	bool all = env_number("OOMLENS_LEAKS", 0);
	unsigned int i;

	test_begin(0);
	if (!lens_feature("mark_victim"))
		ksft_exit_skip("no mark_victim\n");
	if (!cg_version())
		ksft_exit_skip("no memory cgroups\n");
	if (all)
		find_command();
	ksft_set_plan(SUBTESTS);
	expect_sudden(must_limit("sudden", 4000), 40000 * page_size());
	test_done("what takes all of a cgroup's memory between two samples is named");
	if (!all) {
		test_skip(SUBTESTS - 1, "not OOMLENS_LEAKS=1\n");
		test_end();
	}
	expect_sudden(NULL, 2 * meminfo_pages("MemTotal") * page_size());
	test_done("what takes all of the machine's memory between two samples is named");
	test_leak();
	test_cgroup();
	test_slow();
	test_bomb();
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		test_kind(&kinds[i]);
	test_saw(4, 25);
	test_saw(10, 50);
	test_end();
}
