// SPDX-License-Identifier: GPL-2.0
/*
 * The frame of a test: a supervisor that outlives the test, so that whatever
 * the test changed is put back even if the OOM killer or a time-out took it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "supervise.h"
#include "text.h"

#define UNDO_MAX	128

/* Shared by the test, which appends, and the supervisor, which undoes. */
struct undo {
	char what[8];
	char path[244];
	char value[260];
};

struct undo_log {
	unsigned int n;
	struct undo entry[UNDO_MAX];
};

static struct undo_log *undo_log;
static int ended_by;	/* the signal that asked us to stop */

static struct undo *undo_add(const char *what, const char *path)
{
	struct undo *u = &undo_log->entry[undo_log->n];

	if (undo_log->n == UNDO_MAX || strlen(path) >= sizeof(u->path)) {
		ksft_exit_fail_msg("cannot note how to undo %s %s\n", what, path);
		return NULL;
	}
	snprintf(u->what, sizeof(u->what), "%s", what);
	snprintf(u->path, sizeof(u->path), "%s", path);
	u->value[0] = '\0';
	/* Written before it counts: the supervisor reads it after our death. */
	__atomic_store_n(&undo_log->n, undo_log->n + 1, __ATOMIC_RELEASE);
	return u;
}

void undo_at_end(const char *what, const char *path)
{
	undo_add(what, path);
}

int mount_tmpfs(char *template, const char *options)
{
	if (!mkdtemp(template))
		return -errno;
	undo_at_end("rmdir", template);
	if (mount("oomlens", template, "tmpfs", 0, options))
		return -errno;
	undo_at_end("umount", template);
	return 0;
}

void reload_at_end(const char *ko, const char *parameters)
{
	struct undo *u = undo_add("insmod", ko);

	snprintf(u->value, sizeof(u->value), "%s", parameters);
}

/* Of a file that lists all words, only the one in brackets can be written back. */
static const char *chosen_word(char *list)
{
	char *word = strchr(list, '['), *end = word ? strchr(word, ']') : NULL;

	if (!end)
		return list;
	*end = '\0';
	return word + 1;
}

int setting_write(const char *path, const char *value)
{
	char *old = read_file(path);
	struct undo *u = NULL;
	unsigned int i;

	if (!old)
		return -errno;
	/* The first value noted is the one to go back to. */
	for (i = 0; i < undo_log->n; i++)
		if (!strcmp(undo_log->entry[i].what, "write") &&
		    !strcmp(undo_log->entry[i].path, path))
			u = &undo_log->entry[i];
	if (!u) {
		u = undo_add("write", path);
		snprintf(u->value, sizeof(u->value), "%s", chosen_word(old));
	}
	free(old);
	return write_file(path, value);
}

/* Its tasks are dead, but may still be on their way out. */
static int rmdir_idle(const char *path)
{
	int err;

	wait_until(!(err = rmdir(path) ? -errno : 0) || err != -EBUSY, PATIENCE_MS);
	return err == -ENOENT ? 0 : err;
}

static int remove_cgroups(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	char sub[PATH_MAX];

	while (dir && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, d->d_name);
		remove_cgroups(sub);
	}
	if (dir)
		closedir(dir);
	return rmdir_idle(path);
}

/* Loaded with those parameters, unloaded first if need be. */
static int reload(const char *ko, const char *parameters)
{
	int fd, err;

	wait_until(!syscall(SYS_delete_module, "oomlens", O_NONBLOCK) || errno == ENOENT,
		   PATIENCE_MS);
	fd = open(ko, O_RDONLY | O_CLOEXEC);
	err = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return err;
}

static bool undo_one(const struct undo *u)
{
	int err = 0;

	if (!strcmp(u->what, "write")) {
		err = write_file(u->path, u->value);
	} else if (!strcmp(u->what, "rmdir")) {
		err = rmdir_idle(u->path);
	} else if (!strcmp(u->what, "rmcg")) {
		err = remove_cgroups(u->path);
	} else if (!strcmp(u->what, "nomemcg")) {
		err = write_file(u->path, "-memory");
	} else if (!strcmp(u->what, "insmod")) {
		err = reload(u->path, u->value);
	} else if (!strcmp(u->what, "umount")) {
		/* The test may have done it. */
		if (umount2(u->path, MNT_DETACH) && errno != EINVAL && errno != ENOENT)
			err = -errno;
		rmdir(u->path);
	} else if (!strcmp(u->what, "swapon")) {
		err = swapon(u->path, 0) && errno != EBUSY ? -errno : 0;
	} else if (!strcmp(u->what, "swapoff")) {
		err = swapoff(u->path) ? -errno : 0;
	} else if (!strcmp(u->what, "reset")) {
		err = write_file(u->path, "1");
	}
	if (err)
		printf("# left behind: %s %s: %s\n", u->what, u->path, strerror(-err));
	return !err;
}

static void note_signal(int sig)
{
	__atomic_store_n(&ended_by, sig, __ATOMIC_RELAXED);
}

static void __noreturn supervise(pid_t test)
{
	struct sigaction sa = { .sa_handler = note_signal };
	int status, s = 0;
	bool undone = true;
	unsigned int i;
	pid_t pid;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);

	/* Orphans are reaped on the way: they would show as exiting tasks. */
	while ((pid = waitpid(-1, &s, 0)) != test) {
		if (pid < 0 && errno != EINTR)
			break;
		if (__atomic_load_n(&ended_by, __ATOMIC_RELAXED))
			kill(-test, SIGKILL);
	}
	status = s;

	/* Everything that the test started is in its process group. */
	kill(-test, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	for (i = __atomic_load_n(&undo_log->n, __ATOMIC_ACQUIRE); i-- > 0;)
		undone = undo_one(&undo_log->entry[i]) && undone;

	if (WIFEXITED(status) && !ended_by)
		exit(undone ? WEXITSTATUS(status) : KSFT_FAIL);
	printf("Bail out! the test was ended by signal %d\n",
	       ended_by ? ended_by : WTERMSIG(status));
	exit(KSFT_FAIL);
}

void test_supervise(bool needs_module)
{
	pid_t test;
	int err;

	if (geteuid() || (needs_module && access(lens_path("features"), F_OK))) {
		ksft_print_header();
		ksft_exit_skip(geteuid() ? "needs root\n" : "oomlens is not loaded\n");
	}
	undo_log = mmap(NULL, sizeof(*undo_log), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	err = set_adj(0, OOM_ADJ_NEVER);
	if (undo_log == MAP_FAILED || err)
		ksft_exit_fail_msg("cannot start: %s\n", strerror(err ? -err : errno));

	/* A process that loses its parent becomes the supervisor's, and ends with it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	test = fork();
	if (test < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	if (test) {
		setpgid(test, test);
		supervise(test);
	}
	setpgid(0, 0);
	signal(SIGPIPE, SIG_IGN);
}

void oom_settings(void)
{
	setting_write("/proc/sys/vm/oom_dump_tasks", "0");
	setting_write("/proc/sys/vm/panic_on_oom", "0");
	setting_write("/proc/sys/kernel/sysrq", "1");
	setting_write("/proc/sys/kernel/printk", "1 4 1 7");
}
