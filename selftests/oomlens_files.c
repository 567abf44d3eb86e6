// SPDX-License-Identifier: GPL-2.0
/*
 * The files themselves: which there are, with which mode, what their first line
 * and their columns or keys are, held against module/ABI, and who may not open
 * them.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/expect.h"

/* The names that version 1 promises, in their order; others may be among them. */
static const char * const badness_names[] = {
	"rank", "pid", "uid", "adj", "score", "points", "rss_anon", "rss_file",
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

static const char * const features_names[] = {
	"notifier", "mark_victim", "oom_probe", "memcg", "procfs", "sysrq",
	"debugfs", NULL
};

static const char * const stats_names[] = {
	"events", "overwritten", "averted", "kills", "snapshots", "walk_ns_max",
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
	{ "events",	0400, true,	OTHER,	NULL },
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

static bool check_mode(const char *dir, const struct file *f)
{
	struct stat st;

	if (stat(in_dir(dir, f->name), &st)) {
		ksft_print_msg("%s/%s: %s\n", dir, f->name, strerror(errno));
		return false;
	}
	if (st.st_mode != (S_IFREG | f->mode) || st.st_uid || st.st_gid) {
		ksft_print_msg("%s/%s: mode %o, uid %d, gid %d\n", dir, f->name,
			       st.st_mode, st.st_uid, st.st_gid);
		return false;
	}
	return true;
}

static bool check_first_line(const char *text, const struct file *f)
{
	char want[64];

	snprintf(want, sizeof(want), "# oomlens %s 1\n", f->name);
	if (text && !strncmp(text, want, strlen(want)))
		return true;
	ksft_print_msg("%s begins '%.40s'\n", f->name, text ? text : "(unreadable)");
	return false;
}

/* The file's names are there, in that order; and each that is there is in ABI. */
static bool check_names(const struct file *f, char *const *have, unsigned int n)
{
	unsigned int i, want = 0;
	bool good = true;

	/* Others may have been added anywhere. */
	for (i = 0; i < n && f->names[want]; i++)
		want += !strcmp(have[i], f->names[want]);
	if (f->names[want]) {
		ksft_print_msg("%s: '%s' is missing or out of order\n", f->name,
			       f->names[want]);
		good = false;
	}
	for (i = 0; abi && i < n; i++) {
		if (!word_in(abi, have[i])) {
			ksft_print_msg("%s: '%s' is not in ABI\n", f->name, have[i]);
			good = false;
		}
	}
	return good;
}

static bool check_columns(char *text, const struct file *f)
{
	struct table *t = table_parse(text);
	bool good;

	if (!t) {
		ksft_print_msg("%s: not a table\n", f->name);
		return false;
	}
	good = check_names(f, t->col, t->cols);
	table_free(t);
	return good;
}

static bool check_keys(char *text, const struct file *f)
{
	char *key[64], *line, *save = NULL;
	unsigned int n = 0;

	for (line = strtok_r(text, "\n", &save); line && n < ARRAY_SIZE(key);
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		key[n] = line;
		line += strcspn(line, " ");
		if (*line != ' ' || !line[1]) {
			ksft_print_msg("%s: '%s' has no value\n", f->name, key[n]);
			return false;
		}
		*line = '\0';
		n++;
	}
	return check_names(f, key, n);
}

static void test_file(const struct file *f)
{
	bool debugfs = lens_feature("debugfs");
	bool good = true;
	char *text;

	if (!f->proc && !debugfs) {
		ksft_test_result_skip("%s: no debugfs\n", f->name);
		return;
	}
	if (!f->proc && lens_locked_down()) {
		ksft_test_result_skip("%s: locked down\n", f->name);
		return;
	}
	if (f->proc)
		good &= check_mode("/proc/oomlens", f);
	else
		good &= access(in_dir("/proc/oomlens", f->name), F_OK) != 0;
	if (debugfs)
		good &= check_mode("/sys/kernel/debug/oomlens", f);
	text = read_lens(f->name);
	good &= check_first_line(text, f);
	if (text && f->form == TABLE) {
		good &= check_columns(text, f);
		text = NULL;		/* the table took it */
	} else if (text && f->form == KEYS) {
		good &= check_keys(text, f);
	}
	free(text);
	ksft_test_result(good, "%s\n", f->name);
}

static void test_abi(void)
{
	const char *env = getenv("OOMLENS_ABI");
	unsigned int i;

	abi = env ? read_file(env) : read_file("ABI");
	if (!abi)
		abi = read_file("../module/ABI");
	if (!abi) {
		ksft_test_result_fail("ABI is neither here nor in $OOMLENS_ABI\n");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (!word_in(abi, files[i].name)) {
			ksft_test_result_fail("ABI does not name %s\n", files[i].name);
			return;
		}
	}
	ksft_test_result_pass("ABI names every file\n");
}

/* In a child: tries to open every file, and exits with how many opened wrongly. */
static int try_all(int want)
{
	unsigned int i;
	int fd, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		const char *path = files[i].proc ?
			in_dir("/proc/oomlens", files[i].name) : lens_path(files[i].name);

		if (!files[i].proc && !lens_feature("debugfs") && want != EPERM)
			continue;
		if (want == EACCES && (files[i].mode & 0044))
			continue;
		fd = open(path, O_RDONLY);
		if (fd >= 0 || (errno != want && errno != ENOENT)) {
			ksft_print_msg("%s: open gave %s, not %s\n", path,
				       fd < 0 ? strerror(errno) : "a descriptor",
				       strerror(want));
			wrong++;
		}
	}
	fflush(stdout);
	return wrong;
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

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(100 + (errno != EINVAL));
		pid = fork();
		if (!pid)
			_exit(try_all(EPERM));
		_exit(child_status(pid) & 0xff);
	}
	status = child_status(pid);
	if (status == 100)
		ksft_test_result_skip("no PID namespaces\n");
	else
		ksft_test_result(!status, "refused in another PID namespace\n");
}

static void test_unprivileged(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(100);
		_exit(try_all(EACCES));
	}
	ksft_test_result(!child_status(pid), "refused to other users\n");
}

/* What is not meant to be written says so and changes nothing. */
static void test_read_only(void)
{
	static const char * const names[] = { "overcommit", "features", "stats" };
	bool good = true;
	unsigned int i;
	int fd, err;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		err = lens_command(names[i], "0\n");
		if (err != -EINVAL) {
			ksft_print_msg("%s: write gave %d\n", names[i], err);
			good = false;
		}
	}
	fd = open(lens_path("badness"), O_RDWR);
	/* seq_file knows no pwrite; a position of its own it does. */
	if (fd < 0 || pwrite(fd, "global", 6, 1) != -1 || errno != ESPIPE ||
	    lseek(fd, 1, SEEK_SET) != 1 || write(fd, "global", 6) != -1 ||
	    errno != EINVAL) {
		ksft_print_msg("badness: a write at offset 1 was not refused\n");
		good = false;
	}
	close(fd);
	ksft_test_result(good, "files that take no command refuse one\n");
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
	ksft_exit(!ksft_get_fail_cnt());
}
