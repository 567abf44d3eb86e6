// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation fails in turn, by the kernel's fault injection: of a load,
 * which must fail with ENOMEM and leave nothing, or leave out a part and say
 * which in features; and of each file's open, write, read and close.
 * $OOMLENS_FAULTS (16) of each are made, spread at random; 0: all.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/expect.h"
#include "lib/held.h"
#include "lib/loader.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define INJECT		"/sys/kernel/debug/"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* More than any of the paths has. */
#define FAULTS_MAX	1000000

/* Allocations of register_kretprobe() before it changes any code. */
#define PROBE_FAULTS	5
/*
 * The files in /proc take some 16 allocations, of which half end the load: the
 * stride must be well below that, and no power of two, as these may alternate.
 */
#define FILES_STRIDE	3
/* Allocations in a row whose failure is harmless, such as those of kmemleak. */
#define MATTERLESS	8
/* Loads do not all allocate the same, which can mislead a search. */
#define SEARCHES	4

static unsigned long faults;
static unsigned long long seed;

/* The N-th allocation of this thread from now on fails. */
static void fault_arm(unsigned int n)
{
	char text[16];
	int fd = open(FAIL_NTH, O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%u", n);

	MUST(fd >= 0 && write(fd, text, len) == len);
	/* close() allocates nothing; what comes after the write counts. */
	close(fd);
}

/* Disarms; returns how many allocations were left before it, 0 if it has struck. */
static unsigned int fault_left(void)
{
	char text[16] = "";
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	unsigned int left;

	/* The fault struck this open: no allocation before it. */
	if (fd < 0) {
		fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
		return 1;
	}
	MUST(read(fd, text, sizeof(text) - 1) > 0 && write(fd, "0", 1) == 1);
	left = strtoul(text, NULL, 10);
	close(fd);
	return left;
}

static bool fault_disarm(void)
{
	return !fault_left();
}

/* The i-th of those to be made, of @all: each in turn, or one of each stretch. */
static unsigned int fault_pick(unsigned long i, unsigned int all)
{
	if (!faults || faults >= all)
		return i + 1;
	return 1 + i * all / faults + rnd(&seed) % (all / faults);
}

static unsigned long fault_number(unsigned int all)
{
	return !faults || faults >= all ? all : faults;
}

/* Some of them cannot be read back by pread(), so their defaults stand here. */
static const struct {
	const char *path, *value, *otherwise;
} settings[] = {
	{ INJECT "failslab/ignore-gfp-wait",		"N", "Y" },
	{ INJECT "failslab/verbose",			"0", "2" },
	{ INJECT "failslab/probability",		"0", "0" },
	{ INJECT "fail_page_alloc/ignore-gfp-wait",	"N", "Y" },
	{ INJECT "fail_page_alloc/ignore-gfp-highmem",	"N", "Y" },
	{ INJECT "fail_page_alloc/min-order",		"0", "1" },
	{ INJECT "fail_page_alloc/verbose",		"0", "2" },
	{ INJECT "fail_page_alloc/probability",		"0", "0" },
};

static void set_all(bool ours)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		MUST_OK(write_file(settings[i].path,
				   ours ? settings[i].value : settings[i].otherwise));
}

/* A load that a fault struck. */
static void expect_struck(unsigned int n, int err, unsigned long *degraded)
{
	expect_of("fault %u", n);
	if (!err) {
		++*degraded;
		EXPECT_TRUE(loader_whole());
		return;
	}
	/* The kernel's own, in copying from user space: the module was not there yet. */
	if (err != -EFAULT)
		EXPECT_EQ(err, -ENOMEM);
	EXPECT_TRUE(loader_traceless());
}

static unsigned int load_allocations(const char *parameters)
{
	unsigned int left;
	int err;

	fault_arm(FAULTS_MAX);
	err = loader_load(parameters);
	left = fault_left();
	MUST_OK(err);
	MUST_OK(loader_unload());
	/* fault_left() itself allocates a few times: they are not counted. */
	return FAULTS_MAX - left;
}

/* The faults of a load with these parameters. */
static void load_faults(const char *parameters)
{
	unsigned long refused = 0, degraded = 0, missed = 0, i;
	unsigned int all = load_allocations(parameters), n;
	int err;

	for (i = 0; i < fault_number(all); i++) {
		n = fault_pick(i, all);
		fault_arm(n);
		err = loader_load(parameters);
		if (fault_disarm())
			expect_struck(n, err, &degraded);
		else
			missed++;
		refused += err != 0;
		if (!err)
			MUST_OK(loader_unload());
	}
	ksft_print_msg("%s: %lu of %u allocations: %lu loads refused, %lu went on, %lu were whole\n",
		       parameters, i, all, refused, degraded, missed);
	EXPECT_GT(refused, 0);
	EXPECT_LE(missed, i / 4);
}

/* Does a load end with the files in /proc, if its @n-th allocation fails? */
static bool files_fail(const char *parameters, unsigned int n)
{
	/* Only from here on: earlier loads logged the same line. */
	int log = kmsg_open(), err;
	char line[512];
	bool yes;

	fault_arm(n);
	err = loader_load(parameters);
	fault_disarm();
	if (!err)
		loader_unload();
	yes = err && kmsg_wait(log, "cannot make the files", line, sizeof(line), 0);
	close(log);
	return yes;
}

/*
 * The first allocation for the files in /proc, searched from the end of a load:
 * the files in debugfs come later, and a load succeeds without them.
 */
static unsigned int files_begin(const char *parameters)
{
	unsigned int n = load_allocations(parameters), first;

	while (n > FILES_STRIDE && !files_fail(parameters, n))
		n -= FILES_STRIDE;
	for (first = n--; n && first - n <= MATTERLESS; n--)
		if (files_fail(parameters, n))
			first = n;
	return first;
}

static void load_works(void)
{
	EXPECT_OK(loader_load("trigger=1"));
	EXPECT_TRUE(loader_whole());
	EXPECT_TRUE(lens_feature("notifier"));
	EXPECT_TRUE(lens_feature("mark_victim"));
	EXPECT_TRUE(lens_feature("oom_probe"));
	EXPECT_OK(loader_unload());
}

/*
 * The return probe: its allocations come at about @files, where those of the
 * files begin without it. No later ones: the kernel itself would warn. Returns
 * how many loads left the probe out.
 */
static unsigned int probe_lacking(unsigned int files)
{
	const unsigned int from = files > MATTERLESS ? files - MATTERLESS : 1;
	unsigned int n, last = files, lacking = 0;
	int err;

	for (n = from; n <= last + MATTERLESS && lacking < PROBE_FAULTS - 1; n++) {
		fault_arm(n);
		err = loader_load("trigger=1");
		fault_disarm();
		expect_of("fault %u", n);
		if (err) {
			EXPECT_EQ(err, -ENOMEM);
			EXPECT_TRUE(loader_traceless());
			continue;
		}
		if (!lens_feature("oom_probe")) {
			lacking++;
			last = n;
		}
		EXPECT_TRUE(loader_whole());
		EXPECT_OK(loader_unload());
	}
	ksft_print_msg("%u of %u left the probe out, and features says so\n", lacking,
		       PROBE_FAULTS);
	return lacking;
}

static void probe_faults(void)
{
	unsigned int lacking = 0;
	int i;

	for (i = 0; i < SEARCHES && lacking < 2; i++)
		lacking = probe_lacking(files_begin("trigger=1 sources=3"));
	EXPECT_GE(lacking, 2);
}

/* ---- The files of a loaded module ---- */

static const struct use {
	const char *file;
	const char *write;
} uses[] = {
	{ "badness", NULL }, { "badness", "memcg /nowhere" }, { "badness", "memcg %s" },
	{ "overcommit", NULL }, { "memory", NULL }, { "commit", NULL },
	{ "commit", "memcg" },
	{ "commit", "pid 1" }, { "objects", NULL }, { "objects", "pid 1" },
	{ "events", NULL }, { "history", NULL }, { "features", NULL },
	{ "stats", NULL },
	{ "trigger", "pressure limit=64K" }, { "trigger", "nonsense" },
	{ "reserve", "256K" }, { "reserve", "0" },
};

/* Opens, writes, reads to the end, closes: 0 or the first error. */
static int use_file(const char *path, const char *text)
{
	static char buf[65536];
	int fd = open(path, text ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
	int err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (text && write(fd, text, strlen(text)) < 0)
		err = -errno;
	while (!err && (n = read(fd, buf, sizeof(buf))))
		if (n < 0)
			err = -errno;
	close(fd);
	return err;
}

static void use_faults(const struct use *use, const char *cgroup)
{
	char text[256], path[128];
	unsigned int n, all, struck = 0, failed = 0;
	unsigned long i;
	int plain, err;

	snprintf(path, sizeof(path), "%s", lens_path(use->file));
	snprintf(text, sizeof(text), use->write ? use->write : "", cgroup);
	plain = use_file(path, use->write ? text : NULL);
	fault_arm(FAULTS_MAX);
	use_file(path, use->write ? text : NULL);
	all = FAULTS_MAX - fault_left();
	for (i = 0; i < fault_number(all); i++) {
		n = fault_pick(i, all);
		fault_arm(n);
		err = use_file(path, use->write ? text : NULL);
		struck += fault_disarm();
		failed += err == -ENOMEM;
		/* pressure may get a part of its memory: EAGAIN. */
		expect_of("%s '%s', fault %u", use->file, text, n);
		if (err && err != -ENOMEM && err != -EAGAIN)
			EXPECT_EQ(err, plain);
	}
	expect_of("%s '%s' after the faults", use->file, text);
	EXPECT_EQ(use_file(path, use->write ? text : NULL), plain);
	ksft_print_msg("%s '%s': %u of %u allocations, %u ENOMEM\n", use->file, text, struck,
		       all, failed);
	EXPECT_GT(struck, 0);
}

static void all_uses(void)
{
	char *dir = cg_version() ? cg_create(NULL, "fault") : NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(uses); i++)
		use_faults(&uses[i], dir ? cg_shown(dir) : "/");
	EXPECT_TRUE(loader_whole());
	EXPECT_EQ(lens_key("reserve", "held"), 0);
}

/* ---- Leaks ---- */

/* Objects that nothing points to any more and that this program allocated. */
static long leaks(void)
{
	char *text, *s;
	long n = 0;
	int i;

	/* An object is only told of some seconds after it was made. */
	for (i = 0; i < 2; i++) {
		nap_ms(5500);
		if (write_file(KMEMLEAK, "scan"))
			return -1;
	}
	text = read_file(KMEMLEAK);
	for (s = text; s && (s = strstr(s, "comm \"oomlens_fault\"")); s++)
		n++;
	if (n)
		ksft_print_msg("kmemleak:\n%s", text);
	free(text);
	return n;
}

int main(void)
{
	long long before;

	test_begin(0);
	if (access(FAIL_NTH, W_OK) || access(INJECT "failslab", F_OK))
		ksft_exit_skip("no fault injection: CONFIG_FAULT_INJECTION, CONFIG_FAILSLAB\n");
	needs_ko();
	ksft_set_plan(6);
	/* A time limit may end the program early: its lines are to be seen. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	seed = test_seed();
	faults = env_number("OOMLENS_FAULTS", 16);
	/* Page faults of this program would be allocations too. */
	MUST(!mlockall(MCL_CURRENT | MCL_FUTURE));
	set_all(true);
	restore_at_end();
	oom_settings();
	/* The kernel's own warning when it cannot note a trace event's field */
	allow_report("event_define_fields");

	EXPECT_OK(loader_unload());
	load_works();
	test_done("load and unload");
	load_allocations("trigger=1 sources=3");
	before = held_kb();
	load_faults("trigger=1 sources=3");
	test_done("each allocation of a load fails in turn");
	probe_faults();
	test_done("the return probe is left out by name");
	load_works();
	test_done("the next load works");

	MUST_OK(loader_load("trigger=1"));
	all_uses();
	test_done("each allocation of each file fails in turn");
	loader_unload();
	if (access(KMEMLEAK, W_OK))
		ksft_print_msg("no kmemleak: leaks are judged by what the kernel holds alone\n");
	EXPECT_TRUE(held_same(before));
	if (!access(KMEMLEAK, W_OK))
		EXPECT_EQ(leaks(), 0);
	test_done("nothing leaked");
	set_all(false);
	test_end();
}
