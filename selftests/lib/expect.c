// SPDX-License-Identifier: GPL-2.0
/*
 * Expectations: what does not hold is printed and counted.
 */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "expect.h"

static unsigned int checked, failed;
static char of[256];

void expect_of(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(of, sizeof(of), fmt, ap);
	va_end(ap);
}

unsigned int expect_failed(void)
{
	return failed;
}

void expect_show(const char *text)
{
	size_t len;

	for (; failed && text && *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		ksft_print_msg("| %.*s\n", (int)len, text);
	}
}

void expect_retry(void)
{
	if (failed)
		ksft_print_msg("once more\n");
	checked = 0;
	failed = 0;
}

bool expect_settle(void)
{
	bool good = checked && !failed;

	if (!checked)
		ksft_print_msg("nothing was expected\n");
	checked = 0;
	failed = 0;
	of[0] = '\0';
	return good;
}

/* "FILE:LINE: OF: GOT is", or "GOT: FIELD is" */
static void print_head(const struct expect_place *at, const char *field)
{
	const char *name = strrchr(at->file, '/');

	failed++;
	ksft_print_msg("%s:%d: %s%s%s%s%s is ", name ? name + 1 : at->file, at->line, of,
		       of[0] ? ": " : "", at->got, field ? ": " : "", field ? field : "");
}

/* A literal says its value itself. */
static bool literal(const char *text)
{
	return isdigit(text[text[0] == '-']) || text[0] == '"';
}

static bool holds(const char *op, long long got, long long want)
{
	if (!op || !strcmp(op, "==") || !strcmp(op, "ok"))
		return got == want;
	if (!strcmp(op, "!="))
		return got != want;
	if (!strcmp(op, "<"))
		return got < want;
	if (!strcmp(op, "<="))
		return got <= want;
	return op[1] ? got >= want : got > want;
}

/*
 * A number that is not there is LLONG_MIN: less than all others, and equal to the next
 * one that is missing.
 */
static bool missing(long long got, long long want)
{
	return got == LLONG_MIN || want == LLONG_MIN;
}

bool expect_number(const struct expect_place *at, long long got, long long want)
{
	const char *op = !at->op || !strcmp(at->op, "==") ? "" : at->op;

	checked++;
	if (holds(at->op, got, want) && !missing(got, want))
		return true;
	print_head(at, NULL);
	if (got == LLONG_MIN)
		printf("not there, want %s\n", at->want);
	else if (!at->op)
		printf("%s, want %s\n", got ? "true" : "false", at->want);
	else if (!strcmp(at->op, "ok"))
		printf("%lld (%s), want 0\n", got, strerror(got < 0 ? -got : got));
	else if (literal(at->want))
		printf("%lld, want %s%s%s\n", got, op, *op ? " " : "", at->want);
	else
		printf("%lld, want %s%s%s, which is %lld\n", got, op, *op ? " " : "", at->want,
		       want);
	return false;
}

bool expect_in_range(const struct expect_place *at, long long got, long long lo,
		     long long hi)
{
	checked++;
	if (got >= lo && got <= hi)
		return true;
	print_head(at, NULL);
	printf("%lld, want %s %s, which is %lld..%lld\n", got, at->op, at->want, lo, hi);
	return false;
}

static void print_string(const char *s)
{
	if (s)
		printf("'%s'", s);
	else
		printf("NULL");
}

bool expect_string(const struct expect_place *at, const char *got, const char *want)
{
	checked++;
	if (got && want ? !strcmp(got, want) : got == want)
		return true;
	print_head(at, NULL);
	print_string(got);
	printf(", want ");
	if (!literal(at->want))
		printf("%s, which is ", at->want);
	print_string(want);
	printf("\n");
	return false;
}

const char *line_field(const void *line, int unused, const char *key)
{
	return line_word(line, key);
}

const char *table_field(const void *table, int row, const char *key)
{
	const char *cell = table_cell((struct table *)table, row, key);

	return *cell ? cell : NULL;
}

const char *lens_field(const void *file, int unused, const char *key)
{
	static char word[256];
	char *text = read_lens(file);
	bool found = text && key_string(text, key, word, sizeof(word));

	free(text);
	return found ? word : NULL;
}

bool expect_fields(const struct expect_place *at, expect_getter get, const void *from, int row,
		   const char *fmt, ...)
{
	char all[2048], *pair, *want, *save = NULL;
	bool good = true;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(all, sizeof(all), fmt, ap);
	va_end(ap);
	for (pair = strtok_r(all, " ", &save); pair; pair = strtok_r(NULL, " ", &save)) {
		const char *got;

		want = strchr(pair, '=');
		*want++ = '\0';
		got = get(from, row, pair);
		checked++;
		if (got && !strcmp(got, want))
			continue;
		good = false;
		print_head(at, pair);
		print_string(got);
		printf(", want '%s'\n", want);
	}
	return good;
}

void __noreturn must_fail(const char *file, int line, const char *what, int err)
{
	const char *name = strrchr(file, '/');

	ksft_exit_fail_msg("%s:%d: cannot go on: %s%s%s\n", name ? name + 1 : file, line, what,
			   err ? ": " : "", err ? strerror(err < 0 ? -err : err) : "");
	exit(KSFT_FAIL);
}

void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void in_child_without_ptrace(const char *file, const char *other, int early)
{
	int fd = MUST_GET(open_without(CAP_SYS_PTRACE, lens_path(file)));
	char c;

	/* Opened by a task that has not the right, and asked by one that has it */
	EXPECT_EQ(write_fd(fd, "pid 1"), -EPERM);
	EXPECT_OK(write_fd(fd, "all"));
	close(fd);
	MUST_OK(drop_capability(CAP_SYS_PTRACE));
	/* Opened by one that has the right: the caller needs it too. */
	EXPECT_EQ(pread(early, &c, 1, 0) < 0 ? errno : 0, EPERM);
	fd = must_open_lens(file, O_RDWR);
	EXPECT_EQ(write_fd(fd, "pid 1"), -EPERM);
	if (other)
		EXPECT_EQ(write_fd(fd, other), -EPERM);
	EXPECT_OK(write_fd(fd, "all"));
	EXPECT_EQ(pread(fd, &c, 1, 0), 1);
	close(fd);
}

void expect_ptrace_right(const char *file, const char *other)
{
	int status = 0, early = must_open_lens(file, O_RDWR);
	pid_t pid;
	char c;

	MUST_OK(write_fd(early, "pid 1"));
	pid = must_fork();
	if (!pid) {
		in_child_without_ptrace(file, other, early);
		_exit(expect_failed());
	}
	MUST(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pread(early, &c, 1, 0), 1);
	close(early);
}
