// SPDX-License-Identifier: GPL-2.0
/*
 * What reading objects costs, with many files of a tmpfs and many processes
 * that have some of them open: against a C program that finds the same by
 * /proc/PID/fd and /proc/PID/maps, and the files by walking the mount.
 *
 * Run as root in a quiet guest. Ratios within one run count; under -icount a
 * nanosecond is an instruction.
 *
 *	bench_objects [FILES [PROCESSES [DESCRIPTORS]]]
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define OBJECTS		"/proc/oomlens/objects"
#define DIRECTORY	"/tmp/bench_objects"

static char buf[1 << 20];

/* ---- what is measured ---- */

static void read_objects(void)
{
	read_through(OBJECTS);
}

/*
 * The rival: a table of the files of the tmpfs by number, with their pages and
 * how many processes have each. It reads what it needs and nothing else: the
 * number alone of a descriptor, by one stat() of its link, and of maps the lines
 * of that device.
 */
static struct seen {
	long pages;
	unsigned int holders, last;
} *seen;
static unsigned long nr_seen;
static dev_t device;
static unsigned int process;

static struct seen *seen_at(unsigned long ino)
{
	if (ino >= nr_seen) {
		unsigned long n = ino * 2 + 1024;

		seen = realloc(seen, n * sizeof(*seen));
		if (!seen)
			die("memory");
		memset(seen + nr_seen, 0, (n - nr_seen) * sizeof(*seen));
		nr_seen = n;
	}
	return &seen[ino];
}

static void hold(unsigned long ino)
{
	struct seen *s = seen_at(ino);

	if (s->last == process)
		return;
	s->last = process;
	s->holders++;
}

static void walk_files(void)
{
	DIR *dir = opendir(DIRECTORY);
	struct dirent *d;
	struct stat st;

	if (!dir)
		die(DIRECTORY);
	while ((d = readdir(dir))) {
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		device = st.st_dev;
		seen_at(st.st_ino)->pages = st.st_blocks / 8;
	}
	closedir(dir);
}

static void walk_fds(int proc, const char *pid)
{
	char path[300];
	struct dirent *d;
	struct stat st;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && !fstatat(fd, d->d_name, &st, 0) && st.st_dev == device)
			hold(st.st_ino);
	closedir(dir);
}

static void walk_maps(int proc, const char *pid)
{
	char path[300], want[32], *line, *at;
	ssize_t n, have = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/maps", pid);
	snprintf(want, sizeof(want), " %02x:%02x ", major(device), minor(device));
	fd = openat(proc, path, O_RDONLY);
	if (fd < 0)
		return;
	while ((n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0)
		have += n;
	close(fd);
	buf[have] = '\0';
	for (line = buf; (at = strstr(line, want)); line = at + 1)
		hold(strtoul(at + strlen(want), NULL, 10));
}

static void read_proc(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	if (!proc)
		die("/proc");
	free(seen);
	seen = NULL;
	nr_seen = 0;
	process = 0;
	walk_files();
	while ((d = readdir(proc))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		process++;
		walk_fds(dirfd(proc), d->d_name);
		walk_maps(dirfd(proc), d->d_name);
	}
	closedir(proc);
}

/* ---- both have seen the same ---- */

static unsigned long by_rival(void)
{
	unsigned long i, sum = 0;

	for (i = 0; i < nr_seen; i++)
		sum += seen[i].holders;
	return sum;
}

static unsigned long by_objects(void)
{
	FILE *f = fopen(OBJECTS, "r");
	unsigned int maj, min;
	unsigned long sum = 0;
	int holders;

	if (!f)
		die(OBJECTS);
	while (fgets(buf, sizeof(buf), f))
		if (sscanf(buf, "tmpfs %u:%u:%*u %*u %*u %*u %*u %d", &maj, &min, &holders) == 3 &&
		    makedev(maj, min) == device)
			sum += holders;
	fclose(f);
	return sum;
}

/* ---- files and processes ---- */

static void make_files(long files)
{
	char path[64];
	long i;
	int fd;

	mkdir(DIRECTORY, 0700);
	if (mount("bench", DIRECTORY, "tmpfs", 0, "nr_inodes=0,size=80%"))
		die("mount");
	for (i = 0; i < files; i++) {
		snprintf(path, sizeof(path), DIRECTORY "/%ld", i);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0 || write(fd, "x", 1) != 1)
			die(path);
		close(fd);
	}
}

struct family {
	long files, processes, descriptors;
};

static void open_some(const struct family *family, long nr)
{
	char path[64];
	long i;

	for (i = 0; i < family->descriptors; i++) {
		snprintf(path, sizeof(path), DIRECTORY "/%ld",
			 (nr * family->descriptors + i) % family->files);
		if (open(path, O_RDONLY) < 0)
			die(path);
	}
}

/* One after the other, so that all have opened their files when the last is there. */
static void fork_all(const void *arg)
{
	const struct family *family = arg;
	int ready[2];
	char c;
	long i;

	setpgid(0, 0);
	if (pipe(ready))
		die("pipe");
	for (i = 0; i < family->processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid) {
			if (read(ready[0], &c, 1) != 1)
				die("a child");
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		open_some(family, i);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
}

int main(int argc, char **argv)
{
	struct family family = {
		.files = argc > 1 ? atol(argv[1]) : 100000,
		.processes = argc > 2 ? atol(argv[2]) : 10000,
		.descriptors = argc > 3 ? atol(argv[3]) : 100,
	};
	struct figure objects, rival;
	pid_t pid;

	bench_begin("bench_objects");
	allow_tasks(family.processes);
	make_files(family.files);
	pid = child_ready(fork_all, &family);
	objects = measure(read_objects, 3);
	rival = measure(read_proc, 1);
	printf("# %ld files, %ld processes of %ld descriptors; holders by objects %lu, by /proc %lu\n",
	       family.files, family.processes, family.descriptors, by_objects(), by_rival());
	figure_print("objects", "descriptors", family.processes * family.descriptors, objects);
	figure_print("/proc", "descriptors", family.processes * family.descriptors, rival);
	printf("ratio: objects is %.1f times as fast as /proc\n", rival.median / objects.median);
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	sleep(1);
	umount2(DIRECTORY, MNT_DETACH);
	rmdir(DIRECTORY);
	return 0;
}
