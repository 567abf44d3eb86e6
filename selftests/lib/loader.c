// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading the module, for the tests that do it themselves.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hog.h"
#include "loader.h"
#include "supervise.h"
#include "text.h"

static const char *const parameter_names[] = {
	"events", "candidates", "trigger", "debugfs", "sources"
};

/* The last two are not in /proc. */
static const char *const file_names[] = {
	"badness", "overcommit", "commit", "objects", "memory", "events", "history",
	"features", "stats", "trigger", "reserve"
};

#define PROC_FILES	(ARRAY_SIZE(file_names) - 2)

const char *loader_ko(void)
{
	static char ko[PATH_MAX];
	static const char *const places[] = { "", "/..", "/../.." };
	char self[PATH_MAX - 64];
	const char *env = getenv("OOMLENS_KO");
	unsigned int i;
	ssize_t n;

	if (env && *env)
		return env;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return NULL;
	self[n] = '\0';
	dirname(self);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(ko, sizeof(ko), "%s%s/oomlens.ko", self, places[i]);
		if (!access(ko, R_OK))
			return ko;
	}
	return NULL;
}

void needs_ko(void)
{
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
}

void needs_shortage(void)
{
	if (!loader_helper("oomlens_shortage", ""))
		ksft_exit_skip("no oomlens_shortage.ko: build with OOMLENS_TESTS=1\n");
}

/*
 * Many loads mostly wait for grace periods, which readers make long. These are not
 * under test: expedited until the program ends, where the kernel has the setting.
 */
void hurry_rcu(void)
{
	if (!access("/sys/kernel/rcu_expedited", W_OK))
		setting_write("/sys/kernel/rcu_expedited", "1");
}

bool loader_loaded(void)
{
	return !access("/sys/module/oomlens", F_OK);
}

const char *loader_parameters(void)
{
	static char all[256];
	unsigned int i, n = 0;
	char path[128], *value;

	all[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(parameter_names); i++) {
		snprintf(path, sizeof(path), "/sys/module/oomlens/parameters/%s",
			 parameter_names[i]);
		value = read_file(path);
		if (!value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		n += snprintf(all + n, sizeof(all) - n, "%s=%s ", parameter_names[i], value);
		free(value);
	}
	return all;
}

int loader_load(const char *parameters)
{
	int fd = open(loader_ko(), O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, parameters, 0))
		err = -errno;
	close(fd);
	return err;
}

static int unload_once(void)
{
	return syscall(SYS_delete_module, "oomlens", O_NONBLOCK) ? -errno : 0;
}

int loader_unload(void)
{
	int err = 0;

	wait_until(!(err = unload_once()) || (err != -EAGAIN && err != -EWOULDBLOCK &&
					      err != -EBUSY), PATIENCE_MS);
	return err;
}

void restore_at_end(void)
{
	reload_at_end(loader_ko(), loader_parameters());
}

int loader_reload(const char *parameters)
{
	hurry_rcu();
	return loader_unload() ?: loader_load(parameters);
}

bool loader_traceless(void)
{
	return access("/proc/oomlens", F_OK) && access("/sys/kernel/debug/oomlens", F_OK) &&
	       !loader_loaded();
}

static bool begins(const char *dir, const char *file)
{
	char path[128], want[64], head[64] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(want, sizeof(want), "# oomlens %s 1\n", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, head, sizeof(head) - 1) < 0)
		head[0] = '\0';
	if (fd >= 0)
		close(fd);
	return !strncmp(head, want, strlen(want));
}

bool loader_whole(void)
{
	bool debugfs = lens_feature("debugfs"), locked = lens_locked_down();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(file_names); i++) {
		if (i < PROC_FILES && !begins("/proc/oomlens", file_names[i])) {
			ksft_print_msg("/proc/oomlens/%s is not right\n", file_names[i]);
			return false;
		}
		if (i >= PROC_FILES && locked)
			break;
		if (debugfs && !begins("/sys/kernel/debug/oomlens", file_names[i])) {
			ksft_print_msg("features says debugfs, and its %s is not right\n",
				       file_names[i]);
			return false;
		}
	}
	return true;
}

bool loader_begins(void)
{
	static unsigned int turn;
	const char *file = file_names[turn++ % PROC_FILES];

	if (begins("/proc/oomlens", file))
		return true;
	ksft_print_msg("/proc/oomlens/%s is not right\n", file);
	return false;
}

bool loader_helper(const char *name, const char *parameters)
{
	static const char *const places[] = { "", "/module", "/selftests/modules" };
	char dir[PATH_MAX - 64], ko[PATH_MAX];
	unsigned int i;
	int fd = -1, err;

	if (!loader_ko())
		return false;
	snprintf(dir, sizeof(dir), "%s", loader_ko());
	dirname(dir);
	for (i = 0; fd < 0 && i < ARRAY_SIZE(places); i++) {
		snprintf(ko, sizeof(ko), "%s%s/%s.ko", dir, places[i], name);
		fd = open(ko, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return false;
	err = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	return !err;
}

void loader_no_helper(const char *name)
{
	syscall(SYS_delete_module, name, O_NONBLOCK);
}

pid_t mmap_lock_hold(pid_t target)
{
	char text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%d", target);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(write_file(SHORTAGE "hold", text) ? 1 : 0);
	if (pid > 0 && wait_until(task_state(pid) == 'S', PATIENCE_MS))
		return pid;
	mmap_lock_release(pid);
	return -1;
}

void mmap_lock_release(pid_t holder)
{
	if (holder <= 0)
		return;
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

void allow_report(const char *text)
{
	char line[128];

	snprintf(line, sizeof(line), "oomlens-rig: allow %s", text);
	write_file("/dev/kmsg", line);
}

void allow_debugfs_race(void)
{
	allow_report("full_proxy_open");
}
