// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload under readers, many times; parameters out of range; what a
 * plain load may not do; an open file; a signature. The module is left as it was
 * found.
 * $OOMLENS_KO names the module, $OOMLENS_LOADS the number of loads (20).
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "lib/expect.h"
#include "lib/loader.h"

/* ---- readers ---- */

static void read_dir(const char *name)
{
	DIR *dir = opendir(name);
	struct dirent *d;
	char path[512];

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", name, d->d_name);
		free(read_file(path));
	}
	if (dir)
		closedir(dir);
}

static pid_t reader_start(const char *dir)
{
	pid_t pid = must_fork();

	if (pid)
		return pid;
	for (;;) {
		read_dir(dir);
		nap_ms(20);
	}
}

/* The files are there and whole at once when it is loaded, and gone after. */
static void load_and_unload(void)
{
	EXPECT_OK(loader_load("trigger=1"));
	EXPECT_TRUE(loader_whole());
	EXPECT_OK(loader_unload());
	EXPECT_TRUE(loader_traceless());
}

static void test_loads(void)
{
	unsigned long i, loads = env_number("OOMLENS_LOADS", 20);
	unsigned long long begin = now_ns();
	pid_t readers[2];

	hurry_rcu();
	allow_debugfs_race();
	readers[0] = reader_start("/proc/oomlens");
	readers[1] = reader_start("/sys/kernel/debug/oomlens");
	for (i = 0; i < loads && !expect_failed(); i++)
		load_and_unload();
	idle_end(readers, ARRAY_SIZE(readers));
	ksft_print_msg("%llu us for a load and unload\n", (now_ns() - begin) / 1000 / (i ? i : 1));
	EXPECT_EQ(i, loads);
	test_done("%lu of %lu loads and unloads under readers", i, loads);
}

/* ---- parameters ---- */

static void test_parameters(void)
{
	static const char * const bad[] = {
		"events=4097", "events=-1", "events=x", "candidates=65",
		"trigger=maybe", "debugfs=2x", "history=3601", "history_ms=9", "stall=101",
	};
	int kmsg = kmsg_open();
	unsigned int i;
	char line[256] = "";
	int err;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		err = loader_load(bad[i]);
		expect_of("%s gave %d", bad[i], err);
		if (!EXPECT_TRUE(err == -EINVAL || err == -ERANGE))
			loader_unload();
	}
	EXPECT_TRUE(loader_traceless());
	EXPECT_EQ(loader_load("events=4097"), -EINVAL);
	EXPECT_TRUE(kmsg_wait(kmsg, "oomlens: events=4097", line, sizeof(line), 1000));
	expect_of("'%s'", line);
	EXPECT_TRUE(strstr(line, "4096"));
	close(kmsg);
	test_done("values out of range: EINVAL, and the log says the range");
}

static void test_plain(void)
{
	static const char * const writes[] = { "kill", "kill pid=1", "pressure", "nonsense" };
	unsigned int i;

	EXPECT_OK(loader_load(""));
	for (i = 0; lens_feature("debugfs") && i < ARRAY_SIZE(writes); i++) {
		expect_of("'%s'", writes[i]);
		EXPECT_EQ(lens_command("trigger", "%s", writes[i]), -EPERM);
	}
	if (lens_feature("debugfs"))
		EXPECT_EQ(lens_command("reserve", "1M"), -EPERM);
	loader_unload();
	test_done("loaded plainly, a write fails with EPERM");

	EXPECT_OK(loader_load("debugfs=0"));
	EXPECT_TRUE(access("/sys/kernel/debug/oomlens", F_OK));
	EXPECT_FALSE(access("/proc/oomlens/badness", R_OK));
	EXPECT_FALSE(lens_feature("debugfs"));
	loader_unload();
	test_done("debugfs=0 makes no debugfs files");
}

/* 1 if the file could be opened: not all of debugfs can, where the kernel is locked down. */
static unsigned int keeps(const char *dir, const char *name)
{
	char path[512];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	err = syscall(SYS_delete_module, "oomlens", O_NONBLOCK) ? -errno : 0;
	expect_of("unload with %s open gave %d", path, err);
	EXPECT_TRUE(err == -EAGAIN || err == -EBUSY);
	EXPECT_TRUE(loader_loaded());
	close(fd);
	return 1;
}

static void test_open_file(void)
{
	static const char * const dirs[] = { "/proc/oomlens", "/sys/kernel/debug/oomlens" };
	unsigned int i, n = 0;

	EXPECT_OK(loader_load(""));
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		DIR *dir = opendir(dirs[i]);
		struct dirent *d;

		while (dir && (d = readdir(dir)) && !expect_failed())
			if (d->d_name[0] != '.')
				n += keeps(dirs[i], d->d_name);
		if (dir)
			closedir(dir);
	}
	ksft_print_msg("%u files\n", n);
	EXPECT_GE(n, 9);
	EXPECT_OK(loader_unload());
	test_done("an open file keeps the module");
}

/* The module's file without the signature that kbuild's sign-file appended. */
static bool unsigned_copy(const char *path)
{
	static const char mark[] = "~Module signature appended~\n";
	unsigned char tail[12 + sizeof(mark) - 1];
	unsigned long whole, sig;
	bool good = false;
	char cmd[512];
	FILE *f = fopen(loader_ko(), "r");

	if (f && !fseek(f, -(long)sizeof(tail), SEEK_END) &&
	    fread(tail, sizeof(tail), 1, f) == 1 && !memcmp(tail + 12, mark, sizeof(mark) - 1)) {
		whole = ftell(f);
		/* struct module_signature ends with the length, most significant first. */
		sig = (unsigned long)tail[8] << 24 | tail[9] << 16 | tail[10] << 8 | tail[11];
		snprintf(cmd, sizeof(cmd), "cp '%s' '%s'", loader_ko(), path);
		good = !system(cmd) && !truncate(path, whole - sizeof(tail) - sig);
	}
	if (f)
		fclose(f);
	return good;
}

/* Where the kernel insists on signatures, ours is what lets the module in. */
static void test_signature(void)
{
	static const char copy[] = "/tmp/oomlens-unsigned.ko";
	int fd, err;

	EXPECT_TRUE(unsigned_copy(copy));
	fd = open(copy, O_RDONLY | O_CLOEXEC);
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	unlink(copy);
	ksft_print_msg("without its signature: %s\n", strerror(-err));
	EXPECT_EQ(err, -EKEYREJECTED);
	EXPECT_TRUE(loader_traceless());
	EXPECT_OK(loader_load(""));
	EXPECT_OK(loader_unload());
	test_done("it loads signed, and not unsigned");
}

static bool signatures_enforced(void)
{
	char *s = read_file("/sys/module/module/parameters/sig_enforce");
	bool yes = s && *s == 'Y';

	free(s);
	return yes;
}

int main(void)
{
	test_begin_unloaded(0);
	needs_ko();
	ksft_set_plan(7);
	if (loader_loaded())
		restore_at_end();
	EXPECT_TRUE(!loader_loaded() || !loader_unload());
	test_done("unload");
	test_loads();
	test_parameters();
	test_plain();
	test_open_file();
	if (signatures_enforced())
		test_signature();
	else
		test_skip(1, "signatures are not enforced\n");
	test_end();
}
