// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload under readers, many times; parameters out of range; what a
 * plain load may not do; an open file; a signature. The module is left as it was
 * found.
 * $OOMLENS_KO names the module, $OOMLENS_LOADS the number of loads (100).
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
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	for (;;) {
		read_dir(dir);
		nap_ms(20);
	}
}

/* The files are there and whole at once when it is loaded, and gone after. */
static bool load_and_unload(void)
{
	int err = loader_load("trigger=1");
	bool good;

	if (err) {
		ksft_print_msg("load: %s\n", strerror(-err));
		return false;
	}
	good = loader_whole();
	err = loader_unload();
	if (!err && loader_traceless())
		return good;
	ksft_print_msg("unload: %s, or something is left\n", strerror(-err));
	return false;
}

static void test_loads(void)
{
	unsigned long i, loads = env_number("OOMLENS_LOADS", 100);
	unsigned long long begin = now_ns();
	pid_t readers[2];

	hurry_rcu();
	allow_debugfs_race();
	readers[0] = reader_start("/proc/oomlens");
	readers[1] = reader_start("/sys/kernel/debug/oomlens");
	for (i = 0; i < loads; i++)
		if (!load_and_unload())
			break;
	idle_end(readers, ARRAY_SIZE(readers));
	ksft_print_msg("%llu us for a load and unload\n", (now_ns() - begin) / 1000 / (i ? i : 1));
	ksft_test_result(i == loads, "%lu of %lu loads and unloads under readers\n", i, loads);
}

/* ---- parameters ---- */

static void test_parameters(void)
{
	static const char * const bad[] = {
		"events=0", "events=4097", "events=-1", "events=x", "candidates=65",
		"trigger=maybe", "debugfs=2x",
	};
	int kmsg = kmsg_open();
	bool good = true;
	unsigned int i;
	char line[256];
	int err;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		err = loader_load(bad[i]);
		if (err == -EINVAL || err == -ERANGE)
			continue;
		ksft_print_msg("%s gave %d\n", bad[i], err);
		good = false;
		loader_unload();
	}
	good &= loader_traceless();
	good &= loader_load("events=4097") == -EINVAL &&
		kmsg_wait(kmsg, "oomlens: events=4097", line, sizeof(line), 1000) &&
		strstr(line, "4096");
	close(kmsg);
	ksft_test_result(good, "values out of range: EINVAL, and the log says the range\n");
}

static void test_plain(void)
{
	static const char * const writes[] = { "kill", "kill pid=1", "pressure", "nonsense" };
	bool good = !loader_load("");
	unsigned int i;
	int err;

	for (i = 0; good && lens_feature("debugfs") && i < ARRAY_SIZE(writes); i++) {
		err = lens_command("trigger", "%s", writes[i]);
		if (err != -EPERM) {
			ksft_print_msg("trigger, '%s': %d\n", writes[i], err);
			good = false;
		}
	}
	if (lens_feature("debugfs") && lens_command("reserve", "1M") != -EPERM) {
		ksft_print_msg("reserve can be written\n");
		good = false;
	}
	loader_unload();
	ksft_test_result(good, "loaded plainly, a write fails with EPERM\n");

	good = !loader_load("debugfs=0") && access("/sys/kernel/debug/oomlens", F_OK) &&
	       !access("/proc/oomlens/badness", R_OK) && !lens_feature("debugfs");
	loader_unload();
	ksft_test_result(good, "debugfs=0 makes no debugfs files\n");
}

static void test_open_file(void)
{
	bool good = !loader_load("");
	int fd = open("/proc/oomlens/events", O_RDONLY);
	int err = syscall(SYS_delete_module, "oomlens", O_NONBLOCK) ? -errno : 0;

	good = good && fd >= 0 && (err == -EAGAIN || err == -EBUSY) && loader_loaded();
	if (!good)
		ksft_print_msg("unload with an open file gave %d\n", err);
	close(fd);
	ksft_test_result(!loader_unload() && good, "an open file keeps the module\n");
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
	bool good = unsigned_copy(copy);
	int fd = open(copy, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (syscall(SYS_finit_module, fd, "", 0))
		err = -errno;
	close(fd);
	unlink(copy);
	ksft_print_msg("without its signature: %s\n", strerror(-err));
	good = good && err == -EKEYREJECTED && loader_traceless() && !loader_load("");
	ksft_test_result(!loader_unload() && good, "it loads signed, and not unsigned\n");
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
	bool enforced = signatures_enforced();

	test_begin_unloaded(0);
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
	ksft_set_plan(6 + enforced);
	if (loader_loaded())
		reload_at_end(loader_ko(), loader_parameters());
	ksft_test_result(!loader_loaded() || !loader_unload(), "unload\n");
	test_loads();
	test_parameters();
	test_plain();
	test_open_file();
	if (enforced)
		test_signature();
	ksft_exit(!ksft_get_fail_cnt());
}
