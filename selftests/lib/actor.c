// SPDX-License-Identifier: GPL-2.0
/*
 * A child that acts on order, and readings that allocate nothing: see the
 * header.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "actor.h"
#include "text.h"

char *actor_at;
unsigned long actor_len;
int actor_fd = -1;

struct step {
	actor_fn fn;
	long arg;
};

static void __noreturn actor_main(int ctl, int ack)
{
	struct step s;
	int err;

	while (read(ctl, &s, sizeof(s)) == sizeof(s)) {
		err = s.fn(s.arg);
		if (write(ack, &err, sizeof(err)) != sizeof(err))
			break;
	}
	_exit(0);
}

int actor_start(struct actor *a)
{
	int ctl[2], ack[2];

	if (pipe2(ctl, O_CLOEXEC) || pipe2(ack, O_CLOEXEC))
		return -errno;
	fflush(stdout);
	a->pid = fork();
	if (a->pid < 0)
		return -errno;
	if (!a->pid) {
		close(ctl[1]);
		close(ack[0]);
		actor_main(ctl[0], ack[1]);
	}
	close(ctl[0]);
	close(ack[1]);
	a->ctl = ctl[1];
	a->ack = ack[0];
	return 0;
}

int actor_do(struct actor *a, actor_fn fn, long arg)
{
	const struct step s = { .fn = fn, .arg = arg };
	int err;

	if (write(a->ctl, &s, sizeof(s)) != sizeof(s))
		return -errno;
	return read(a->ack, &err, sizeof(err)) == sizeof(err) ? err : -EPIPE;
}

void actor_end(struct actor *a)
{
	kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
	close(a->ctl);
	close(a->ack);
}

/* Into memory that is there already. */
static bool slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, len = 0;

	if (fd < 0)
		return false;
	do {
		n = read(fd, buf + len, size - 1 - len);
		if (n > 0)
			len += n;
	} while (n > 0 && len < (ssize_t)size - 1);
	close(fd);
	buf[len] = '\0';
	return !n;
}

/* Of the Size: of those whose VmFlags: has ac, in pages. Spoils the text. */
static long long sum_smaps(char *text)
{
	long long kb = 0, sum = 0;
	bool flags = false;
	char *line, *save;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Size: %lld kB", &kb) == 1)
			continue;
		if (strncmp(line, "VmFlags:", 8))
			continue;
		flags = true;
		if (strstr(line, " ac"))
			sum += kb;
	}
	return flags ? sum / (long long)(page_size() / 1024) : -1;
}

long long smaps_charged(pid_t pid)
{
	char path[32], *text;
	long long sum;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	text = read_file(path);
	sum = text ? sum_smaps(text) : -1;
	free(text);
	return sum;
}

bool reading_take(struct reading *r, pid_t pid)
{
	char path[32];

	r->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	return slurp(lens_path("commit"), r->commit, sizeof(r->commit)) &&
	       slurp("/proc/meminfo", r->meminfo, sizeof(r->meminfo)) &&
	       slurp(path, r->smaps, sizeof(r->smaps));
}

/* A figure of commit: where it stands, and what it is called there. */
static const struct {
	const char *name;
	size_t at;
} header_figures[] = {
	{ "committed",		offsetof(struct figures, committed) },
	{ "processes",		offsetof(struct figures, processes) },
	{ "shared_resident",	offsetof(struct figures, shared_resident) },
	{ "shared_swapped",	offsetof(struct figures, shared_swapped) },
	{ "shared_promised",	offsetof(struct figures, shared_promised) },
	{ "unattributed",	offsetof(struct figures, unattributed) },
	{ "uncashed",		offsetof(struct figures, total_uncashed) },
	{ "deficit",		offsetof(struct figures, deficit) },
	{ "complete",		offsetof(struct figures, complete) },
}, row_figures[] = {
	{ "charge",		offsetof(struct figures, charge) },
	{ "anon",		offsetof(struct figures, anon) },
	{ "file_private",	offsetof(struct figures, file_private) },
	{ "stack",		offsetof(struct figures, stack) },
	{ "noreserve",		offsetof(struct figures, noreserve) },
	{ "shared",		offsetof(struct figures, shared) },
	{ "touched",		offsetof(struct figures, touched) },
	{ "uncashed",		offsetof(struct figures, uncashed) },
	{ "vm_total",		offsetof(struct figures, vm_total) },
};

static long long *figure(struct figures *f, size_t at)
{
	return (long long *)((char *)f + at);
}

bool reading_parse(struct reading *r, struct figures *f)
{
	struct table *t = table_parse(strdup(r->commit));
	bool good = t;
	unsigned int i;
	long long kb;
	int row;

	memset(f, 0, sizeof(*f));
	for (i = 0; good && i < ARRAY_SIZE(header_figures); i++) {
		long long *value = figure(f, header_figures[i].at);

		*value = table_head(t, header_figures[i].name);
		good = *value != LLONG_MIN;
	}
	row = good ? table_find(t, "pid", r->pid) : -1;
	good = row >= 0;
	for (i = 0; good && i < ARRAY_SIZE(row_figures); i++) {
		long long *value = figure(f, row_figures[i].at);

		*value = table_number(t, row, row_figures[i].name);
		good = *value != LLONG_MIN;
	}
	if (!good)
		ksft_print_msg("commit does not tell of pid %d:\n%s\n", r->pid, r->commit);
	table_free(t);

	f->smaps_charged = sum_smaps(r->smaps);
	if (!key_number(r->meminfo, "Committed_AS:", &kb))
		return false;
	f->meminfo_committed = kb / (long long)(page_size() / 1024);
	return good;
}

bool reading_since(struct reading *before, struct reading *now, struct figures *f)
{
	struct figures then;
	unsigned int i;

	if (!reading_parse(before, &then) || !reading_parse(now, f))
		return false;
	for (i = 0; i < sizeof(*f) / sizeof(long long); i++)
		((long long *)f)[i] -= ((long long *)&then)[i];
	return true;
}

struct table *commit_table(const char *scope)
{
	int fd = open(lens_path("commit"), O_RDWR | O_CLOEXEC);
	struct table *t = NULL;

	if (fd < 0)
		return NULL;
	if (!write_fd(fd, scope))
		t = table_read_fd(fd);
	close(fd);
	return t;
}
