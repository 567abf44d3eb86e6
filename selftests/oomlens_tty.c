// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command on a terminal of its own, as busybox has no script(1): standard input
 * is what is typed there, standard output what the screen gets. Ends with the command's
 * exit status, or with 99 if it left the terminal with other settings than it found.
 *
 * oomlens_tty COMMAND [ARGUMENT...]
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define LEFT_CHANGED	99

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void run_on(const char *name, char **argv)
{
	int tty;

	/* A shell ignores it in what it starts in the background. */
	signal(SIGINT, SIG_DFL);
	setsid();
	/* The first one that a new session opens is its controlling terminal. */
	tty = open(name, O_RDWR);
	dup2(tty, 0);
	dup2(tty, 1);
	dup2(tty, 2);
	if (tty > 2)
		close(tty);
	setenv("TERM", "vt100", 1);
	execvp(argv[0], argv);
	_exit(127);
}

/* copy - what is there to read; false at the end */
static int copy(int from, int to)
{
	char data[4096];
	ssize_t n = read(from, data, sizeof(data));

	return n > 0 && write(to, data, n) == n;
}

/* A master reads EIO once no process has the other end open. */
static void relay(int master)
{
	struct pollfd p[2] = {
		{ .fd = master, .events = POLLIN },
		{ .fd = 0, .events = POLLIN },
	};

	while (poll(p, 2, -1) > 0) {
		if (p[0].revents && !copy(master, 1))
			return;
		if (p[1].revents && !copy(0, master))
			p[1].fd = -1;
	}
}

static int same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 50, .ws_col = 120 };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	struct termios before, after;
	pid_t pid;

	if (argc < 2)
		return 2;
	if (master < 0 || grantpt(master) || unlockpt(master) || ioctl(master, TIOCSWINSZ, &size))
		die("pty");
	/* Of the other end, as a master has no settings */
	if (tcgetattr(master, &before))
		die("tcgetattr");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		run_on(ptsname(master), argv + 1);
	relay(master);
	if (waitpid(pid, &status, 0) != pid || tcgetattr(master, &after))
		die("the command's end");
	if (!same(&before, &after))
		return LEFT_CHANGED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
