// SPDX-License-Identifier: GPL-2.0
/*
 * A command to trigger by a process of its own, which can be killed, be put
 * into a cgroup, or be one of many; and the event that came of it.
 */
#include <sys/wait.h>

#include "cgroup.h"
#include "text.h"
#include "writer.h"

pid_t writer_start(const char *command, const char *cgroup)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	if (!pid) {
		if (cgroup && cg_attach(cgroup, 0))
			_exit(255);
		_exit(-lens_command("trigger", "%s\n", command));
	}
	return pid;
}

int writer_end(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

const char *run_event(void)
{
	static char copy[2048];
	char *text = read_lens("events");
	const char *line = event_line(text, "event", lens_key("trigger", "last_event"), 0);

	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line ? line : "", "\n"), line ? line : "");
	free(text);
	return line ? copy : NULL;
}
