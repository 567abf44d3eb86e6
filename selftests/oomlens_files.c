// SPDX-License-Identifier: GPL-2.0
/*
 * The files themselves: which there are, with which mode, what their first line
 * and their columns or keys are, held against module/ABI, and the callers that may
 * not open them.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/expect.h"

/* The names that version 1 promises, in their order; others may be among them. */
static const char * const badness_names[] = {
	"rank", "pid", "uid", "adj", "adj_floor", "score", "points", "rss_anon", "rss_file",
	"rss_shmem", "swap", "pgtables", "adj_points", "locked", "vm_total",
	"threads", "verdict", "fate", "memcg", "comm", NULL
};

static const char * const overcommit_names[] = {
	"mode", "mode_name", "ratio", "kbytes", "ram", "hugetlb", "swap_total",
	"swap_free", "commit_limit", "committed", "headroom", "enforced",
	"admin_reserve", "user_reserve", "max_mapping_root", "max_mapping_user",
	"available", "locked", NULL
};

static const char * const commit_names[] = {
	"pid", "uid", "charge", "anon", "file_private", "stack", "noreserve",
	"shared", "touched", "uncashed", "vm_total", "memcg", "comm", NULL
};

static const char * const objects_names[] = {
	"kind", "id", "resident", "swapped", "charge", "size", "holders", "pid", "comm",
	"holder_memcg", "name", NULL
};

static const char * const memory_names[] = {
	"ram", "free", "pcp", "anon", "page_cache", "shmem", "slab_reclaimable",
	"slab_unreclaimable", "kernel_stack", "pagetables", "percpu", "vmalloc",
	"hugetlb", "zsmalloc", "gpu", "misc_reclaimable", "module", "unaccounted",
	"drift", "swapcache", "balloon", "locked", NULL
};

static const char * const features_names[] = {
	"notifier", "mark_victim", "oom_probe", "memcg", "psi", "procfs",
	"sysrq", "debugfs", NULL
};

static const char * const stats_names[] = {
	"events", "overwritten", "collapsed", "averted", "kills", "snapshots", "walk_ns_max",
	"memory_bytes", "module_bytes", "now_us", NULL
};

static const char * const reserve_names[] = {
	"target", "held", "spent", "refills", NULL
};

enum form { TABLE, KEYS, OTHER };

static const struct file {
	const char *name;
	mode_t mode;
	bool proc;		/* in /proc/oomlens too */
	enum form form;
	const char * const *names;
} files[] = {
	{ "badness",	0400, true,	TABLE,	badness_names },
	{ "overcommit",	0444, true,	KEYS,	overcommit_names },
	{ "commit",	0400, true,	TABLE,	commit_names },
	{ "objects",	0400, true,	TABLE,	objects_names },
	{ "memory",	0444, true,	KEYS,	memory_names },
	{ "events",	0400, true,	OTHER,	NULL },
	{ "history",	0400, true,	OTHER,	NULL },
	{ "features",	0444, true,	KEYS,	features_names },
	{ "stats",	0444, true,	KEYS,	stats_names },
	{ "trigger",	0600, false,	OTHER,	NULL },
	{ "reserve",	0600, false,	KEYS,	reserve_names },
};

static char *abi;

/* /sys/kernel/debug/oomlens, where it can be had. */
static const char *in_dir(const char *dir, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool word_in(const char *text, const char *word)
{
	static const char joins[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strlen(word);
	const char *s = text;

	while ((s = strstr(s, word))) {
		if ((s == text || !strchr(joins, s[-1])) &&
		    (!s[len] || !strchr(joins, s[len])))
			return true;
		s++;
	}
	return false;
}

static void expect_mode(const char *dir, const struct file *f)
{
	struct stat st = { };

	EXPECT_FALSE(stat(in_dir(dir, f->name), &st));
	EXPECT_EQ(st.st_mode, S_IFREG | f->mode);
	EXPECT_EQ(st.st_uid, 0);
	EXPECT_EQ(st.st_gid, 0);
}

/* The file's names are there, in that order; and each that is there is in ABI. */
static void expect_names(const struct file *f, char *const *have, unsigned int n)
{
	unsigned int i, want = 0;

	/* Others may have been added anywhere. */
	for (i = 0; i < n && f->names[want]; i++)
		want += !strcmp(have[i], f->names[want]);
	/* The first that is missing or out of order. */
	EXPECT_STREQ(f->names[want], NULL);
	for (i = 0; abi && i < n; i++) {
		expect_of("%s: '%s' in ABI", f->name, have[i]);
		EXPECT_TRUE(word_in(abi, have[i]));
	}
}

static void expect_columns(const char *text, const struct file *f)
{
	struct table *t = table_parse(strdup(text));

	if (EXPECT_TRUE(t))
		expect_names(f, t->col, t->cols);
	table_free(t);
}

static void expect_keys(char *text, const struct file *f)
{
	char *key[64], *line, *save = NULL;
	unsigned int n = 0;

	for (line = strtok_r(text, "\n", &save); line && n < ARRAY_SIZE(key);
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		key[n] = line;
		line += strcspn(line, " ");
		expect_of("%s: the value of '%s'", f->name, key[n]);
		if (!EXPECT_TRUE(*line == ' ' && line[1]))
			return;
		*line = '\0';
		n++;
	}
	expect_of("%s", f->name);
	expect_names(f, key, n);
}

static void test_file(const struct file *f)
{
	bool debugfs = lens_feature("debugfs");
	char first[64], *text;

	if (!f->proc && !debugfs) {
		ksft_test_result_skip("%s: no debugfs\n", f->name);
		return;
	}
	if (!f->proc && lens_locked_down()) {
		ksft_test_result_skip("%s: locked down\n", f->name);
		return;
	}
	expect_of("%s", f->name);
	if (f->proc)
		expect_mode("/proc/oomlens", f);
	else
		EXPECT_TRUE(access(in_dir("/proc/oomlens", f->name), F_OK));
	if (debugfs)
		expect_mode("/sys/kernel/debug/oomlens", f);
	text = must_read_lens(f->name);
	snprintf(first, sizeof(first), "# oomlens %s 1\n", f->name);
	EXPECT_TRUE(!strncmp(text, first, strlen(first)));
	if (f->form == TABLE)
		expect_columns(text, f);
	else if (f->form == KEYS)
		expect_keys(text, f);
	free(text);
	test_done("%s", f->name);
}

static void test_abi(void)
{
	const char *env = getenv("OOMLENS_ABI");
	unsigned int i;

	abi = env ? read_file(env) : read_file("ABI");
	if (!abi)
		abi = read_file("../module/ABI");
	EXPECT_TRUE(abi);
	for (i = 0; abi && i < ARRAY_SIZE(files); i++) {
		expect_of("%s", files[i].name);
		EXPECT_TRUE(word_in(abi, files[i].name));
	}
	test_done("ABI names every file");
}

/* In a child: no file can be opened. */
static void __noreturn try_all(int want)
{
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		const char *path = files[i].proc ?
			in_dir("/proc/oomlens", files[i].name) : lens_path(files[i].name);

		if (!files[i].proc && !lens_feature("debugfs") && want != EPERM)
			continue;
		if (want == EACCES && (files[i].mode & 0044))
			continue;
		fd = open(path, O_RDONLY);
		expect_of("%s: %s", path, strerror(errno));
		EXPECT_LT(fd, 0);
		EXPECT_TRUE(errno == want || errno == ENOENT);
	}
	fflush(stdout);
	_exit(expect_failed());
}

static int child_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void test_pid_namespace(void)
{
	int status;
	pid_t pid;

	pid = must_fork();
	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(100 + (errno != EINVAL));
		pid = fork();
		if (!pid)
			try_all(EPERM);
		_exit(child_status(pid) & 0xff);
	}
	status = child_status(pid);
	if (status == 100) {
		ksft_test_result_skip("no PID namespaces\n");
		return;
	}
	EXPECT_EQ(status, 0);
	test_done("refused in another PID namespace");
}

static void test_unprivileged(void)
{
	pid_t pid;

	pid = must_fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(100);
		try_all(EACCES);
	}
	EXPECT_EQ(child_status(pid), 0);
	test_done("refused to other users");
}

/* What is not meant to be written says so and changes nothing. */
static void test_read_only(void)
{
	static const char * const names[] = { "overcommit", "memory", "features", "stats" };
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		expect_of("%s", names[i]);
		EXPECT_EQ(lens_command(names[i], "0\n"), -EINVAL);
	}
	fd = must_open_lens("badness", O_RDWR);
	expect_of("badness, at offset 1");
	/* seq_file refuses pwrite() with ESPIPE, but has a position of its own. */
	EXPECT_TRUE(pwrite(fd, "global", 6, 1) == -1 && errno == ESPIPE);
	EXPECT_EQ(lseek(fd, 1, SEEK_SET), 1);
	EXPECT_TRUE(write(fd, "global", 6) == -1 && errno == EINVAL);
	close(fd);
	test_done("files that take no command refuse one");
}

int main(void)
{
	unsigned int i;

	test_begin(ARRAY_SIZE(files) + 4);
	test_abi();
	for (i = 0; i < ARRAY_SIZE(files); i++)
		test_file(&files[i]);
	test_pid_namespace();
	test_unprivileged();
	test_read_only();
	test_end();
}
