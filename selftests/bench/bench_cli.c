// SPDX-License-Identifier: GPL-2.0
/*
 * What the command line costs: "oomlens rank" over many processes, and the share
 * of one CPU that "oomlens top" takes of them at its default rate, itself and all
 * that it starts, with the history of a day.
 *
 * bench_cli [PROCESSES [SECONDS]]: as root, in a quiet guest, with the module
 * loaded and oomlens in PATH; 0 seconds: no top.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	5
#define STAT	"%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu"
/* The first frame includes what is done once. */
#define WARM_S	6
#define FILL_S	600

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void start_idle(int n)
{
	for (int i = 0; i < n; i++) {
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

static void write_parameter(const char *name, const char *value)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/oomlens/parameters/%s", name);
	f = fopen(path, "w");
	if (!f || fputs(value, f) < 0 || fclose(f))
		die(path);
}

/* As after a day of uptime: every sample that is kept is there. */
static void fill_history(void)
{
	double end = now_s() + FILL_S;
	unsigned int n, kept_short = 0, kept_long = 0;
	static char line[65536];
	FILE *f;

	write_parameter("history_ms", "10");
	do {
		usleep(500000);
		n = 0;
		f = fopen("/sys/kernel/debug/oomlens/history", "r");
		if (!f)
			die("history");
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "# every_s %*s short %u long %u", &kept_short,
				   &kept_long) != 2)
				n += !strncmp(line, "sample ", 7);
		}
		fclose(f);
		/* The last of the day's lie within the last minutes. */
	} while (n + 2 < kept_short + kept_long && now_s() < end);
	write_parameter("history_ms", "0");
	if (n + 2 < kept_short + kept_long) {
		fprintf(stderr, "history did not fill up in %d s\n", FILL_S);
		exit(1);
	}
	printf("%u samples of history, of %u and %u\n", n, kept_short, kept_long);
	fflush(stdout);
}

static double cpu_s(const struct rusage *ru)
{
	return ru->ru_utime.tv_sec + ru->ru_utime.tv_usec / 1e6 +
	       ru->ru_stime.tv_sec + ru->ru_stime.tv_usec / 1e6;
}

static void time_command(const char *command)
{
	double best = 1e9, cpu = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct rusage ru;
		double start = now_s(), took;
		int status;
		pid_t pid = fork();

		if (!pid) {
			execl("/bin/sh", "sh", "-c", command, NULL);
			_exit(127);
		}
		if (wait4(pid, &status, 0, &ru) != pid || status)
			die(command);
		took = now_s() - start;
		if (took < best) {
			best = took;
			cpu = cpu_s(&ru);
		}
	}
	printf("%s: best of %d %.2f s, %.2f s of it CPU\n", command, ROUNDS, best, cpu);
	fflush(stdout);
}

/* utime and stime of a process and of its children that have gone, in ticks */
static long ticks_of(pid_t pid)
{
	unsigned long t[4];
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, STAT, &t[0], &t[1], &t[2], &t[3]) != 4)
		die(path);
	fclose(f);
	return t[0] + t[1] + t[2] + t[3];
}

/* The shell that was started, and the awk that it keeps */
static long ticks_of_both(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%d", &child) != 1)
		die(path);
	fclose(f);
	return ticks_of(pid) + ticks_of(child);
}

static long drain(int fd, double seconds)
{
	double end = now_s() + seconds;
	char data[65536];
	long bytes = 0;

	while (now_s() < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 100) == 1) {
			ssize_t n = read(fd, data, sizeof(data));

			if (n <= 0)
				die("oomlens top ended");
			bytes += n;
		}
	}
	return bytes;
}

static void time_top(int seconds)
{
	struct winsize size = { .ws_row = 50, .ws_col = 150 };
	int fd = posix_openpt(O_RDWR | O_NOCTTY), status;
	long before, bytes;
	pid_t pid;

	if (fd < 0 || grantpt(fd) || unlockpt(fd) || ioctl(fd, TIOCSWINSZ, &size))
		die("pty");
	pid = fork();
	if (!pid) {
		int tty;

		setsid();
		tty = open(ptsname(fd), O_RDWR);
		dup2(tty, 0);
		dup2(tty, 1);
		dup2(tty, 2);
		setenv("TERM", "vt100", 1);
		execlp("oomlens", "oomlens", "top", NULL);
		_exit(127);
	}
	drain(fd, WARM_S);
	before = ticks_of_both(pid);
	bytes = drain(fd, seconds);
	printf("oomlens top: %.2f %% of one CPU over %d s, %ld bytes of screen\n",
	       100.0 * (ticks_of_both(pid) - before) / sysconf(_SC_CLK_TCK) / seconds,
	       seconds, bytes);
	/* It must go when it is told to, or it is not top that was measured. */
	if (write(fd, "q", 1) != 1)
		die("write");
	for (int i = 0; i < 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (status)
				die("oomlens top failed");
			return;
		}
		usleep(50000);
	}
	die("oomlens top did not leave");
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000, seconds = argc > 2 ? atoi(argv[2]) : 60;
	struct utsname u;

	uname(&u);
	printf("%s %s, %ld CPUs, %d processes\n", u.release, u.machine,
	       sysconf(_SC_NPROCESSORS_ONLN), n);
	fflush(stdout);
	start_idle(n);
	if (seconds)
		fill_history();
	time_command("oomlens rank >/dev/null");
	time_command("oomlens rank -n 0 >/dev/null");
	if (seconds > 0)
		time_top(seconds);
	/* The idle ones go with this process. */
	return 0;
}
