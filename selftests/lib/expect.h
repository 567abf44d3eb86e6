/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every program includes: expectations, as in kselftest_harness.h but under
 * a KTAP plan, and makers that end the program if they cannot make their thing.
 *
 *	test_begin(1);
 *	must_hog(&hog, &spec);
 *	EXPECT_EQ(table_number(t, row, "rank"), 1);
 *	EXPECT_STREQ(table_cell(t, row, "verdict"), "eligible");
 *	test_done("a hog is ranked");
 *	test_end();
 *
 * An expectation that does not hold prints its place, both expressions and both
 * values, and fails the subtest that the next test_done() closes. It is also an
 * expression: true if it holds. Arguments are evaluated once.
 * In a child process an expectation prints but reaches no test_done(): leave by
 * _exit(expect_failed()) and expect that status in the parent.
 */
#ifndef OOMLENS_EXPECT_H
#define OOMLENS_EXPECT_H

#include <fcntl.h>

#include "cgroup.h"
#include "hog.h"
#include "supervise.h"
#include "text.h"

/* Where an expectation stands, and what it says. */
struct expect_place {
	const char *file;
	int line;
	const char *got, *op, *want;
};

#define EXPECT_PLACE(got, op, want) \
	(&(const struct expect_place){ __FILE__, __LINE__, got, op, want })

bool expect_number(const struct expect_place *at, long long got, long long want);
bool expect_string(const struct expect_place *at, const char *got, const char *want);
bool expect_in_range(const struct expect_place *at, long long got, long long lo,
		     long long hi);

/* The word that @key has in there, or NULL; kept until the next call. */
typedef const char *(*expect_getter)(const void *from, int row, const char *key);

const char *line_field(const void *line, int unused, const char *key);
const char *table_field(const void *table, int row, const char *key);
const char *lens_field(const void *file, int unused, const char *key);
bool expect_fields(const struct expect_place *at, expect_getter get, const void *from, int row,
		   const char *fmt, ...)
	__printf(5, 6);

/* A number that is not there fails each of these, but for EXPECT_NONE(). */
#define EXPECT_OP(got, op, want) \
	expect_number(EXPECT_PLACE(#got, #op, #want), (got), (want))
#define EXPECT_EQ(got, want)	EXPECT_OP(got, ==, want)
#define EXPECT_NE(got, want)	EXPECT_OP(got, !=, want)
#define EXPECT_LT(got, want)	EXPECT_OP(got, <, want)
#define EXPECT_LE(got, want)	EXPECT_OP(got, <=, want)
#define EXPECT_GT(got, want)	EXPECT_OP(got, >, want)
#define EXPECT_GE(got, want)	EXPECT_OP(got, >=, want)
/* Both ends included. */
#define EXPECT_IN(got, lo, hi) \
	expect_in_range(EXPECT_PLACE(#got, "in", #lo ".." #hi), (got), (lo), (hi))
/* The number is not there. */
#define EXPECT_NONE(got)	EXPECT_TRUE((got) == LLONG_MIN)
/* At most @by away. */
#define EXPECT_NEAR(got, want, by) ({						\
	long long want_ = (want), by_ = (by);					\
										\
	expect_in_range(EXPECT_PLACE(#got, "near", #want), (got), want_ - by_, want_ + by_); \
})
/* NULL is a value of its own. */
#define EXPECT_STREQ(got, want) \
	expect_string(EXPECT_PLACE(#got, "==", #want), (got), (want))
/*
 * "key=value ..." as printf() makes it, each value word for word: of a line of
 * events, of the line "event N", of a table's row, of a file of the module with
 * "key value" lines.
 */
#define EXPECT_LINE(line, ...)	expect_fields(EXPECT_PLACE(#line, NULL, NULL), \
					      line_field, (line), 0, __VA_ARGS__)
#define EXPECT_EVENT(text, n, ...) \
	EXPECT_LINE(event_line(text, "event", n, 0), __VA_ARGS__)
#define EXPECT_ROW(table, row, ...) expect_fields(EXPECT_PLACE(#table, NULL, NULL), \
						  table_field, (table), (row), __VA_ARGS__)
#define EXPECT_KEYS(file, ...)	expect_fields(EXPECT_PLACE(#file, NULL, NULL), \
					      lens_field, (file), 0, __VA_ARGS__)
#define EXPECT_TRUE(cond)	expect_number(EXPECT_PLACE(#cond, NULL, "true"), !!(cond), 1)
#define EXPECT_FALSE(cond)	expect_number(EXPECT_PLACE(#cond, NULL, "false"), !!(cond), 0)
/* 0 or a negative errno, which is printed by its name. */
#define EXPECT_OK(err)		expect_number(EXPECT_PLACE(#err, "ok", "0"), (err), 0)

/* Printed in front of what fails until the next expect_of() or test_done(). */
void expect_of(const char *fmt, ...)
	__printf(1, 2);
/* Expectations that have failed since the last test_done(). */
unsigned int expect_failed(void);
/* If one has failed: the text that was judged, line by line. */
void expect_show(const char *text);
/* What has failed counts no more: for what holds once in a few tries. */
void expect_retry(void);
/* Whether all held since the last call; there must have been one. */
bool expect_settle(void);

/* Ends a subtest, whose name is a format without "\n". */
#define test_done(name, ...)	ksft_test_result(expect_settle(), name "\n", ##__VA_ARGS__)

/* @n subtests that cannot be had here. */
#define test_skip(n, ...) do {				\
	for (unsigned int i_ = 0; i_ < (n); i_++)	\
		ksft_test_result_skip(__VA_ARGS__);	\
} while (0)

/* The program's end. */
#define test_end()		ksft_exit(!ksft_get_fail_cnt() && !expect_failed())

/*
 * What cannot be done without. The program ends, with the place and the reason,
 * if it is not there.
 */
void __noreturn must_fail(const char *file, int line, const char *what, int err);

/* 0 or a negative errno. */
#define MUST_OK(call) do {						\
	int err_ = (call);						\
									\
	if (err_)							\
		must_fail(__FILE__, __LINE__, #call, err_);		\
} while (0)
/* True, or not NULL; errno is printed. */
#define MUST(cond) do {							\
	errno = 0;							\
	if (!(cond))							\
		must_fail(__FILE__, __LINE__, #cond, -errno);		\
} while (0)
/* Not NULL, and the value. */
#define MUST_HAVE(pointer) ({						\
	__typeof__(pointer) p_;						\
									\
	errno = 0;							\
	p_ = (pointer);							\
	if (!p_)							\
		must_fail(__FILE__, __LINE__, #pointer, -errno);	\
	p_;								\
})
/* A descriptor or a pid, and the value. */
#define MUST_GET(call) ({						\
	int n_ = (call);						\
									\
	if (n_ < 0)							\
		must_fail(__FILE__, __LINE__, #call, -errno);		\
	n_;								\
})

/*
 * "pid 1" in commit or objects needs CAP_SYS_PTRACE of the task that opened the file
 * and of the one that writes or reads; so does @other, if it is not NULL. "all" needs
 * nothing.
 */
void expect_ptrace_right(const char *file, const char *other);

/* Zeroed, and shared with all children from now on; NULL if there is none. */
void *shared_memory(size_t size);

#define must_hog(hog, spec)		MUST_OK(hog_start(hog, spec))
#define must_idle(pids, n)		MUST_OK(idle_start(pids, n))
#define must_cgroup(parent, name)	MUST_HAVE(cg_create(parent, name))
#define must_limit(name, pages)		MUST_HAVE(cg_create_limited(name, pages))
#define must_share(size)		MUST_HAVE(shared_memory(size))
#define must_read(path)			MUST_HAVE(read_file(path))
#define must_read_lens(file)		MUST_HAVE(read_lens(file))
#define must_table(file)		MUST_HAVE(table_read(lens_path(file)))
#define must_open(path, flags)		MUST_GET(open(path, (flags) | O_CLOEXEC))
#define must_open_lens(file, flags)	must_open(lens_path(file), flags)
/* 0 in the child. */
#define must_fork() ({							\
	fflush(stdout);							\
	MUST_GET(fork());						\
})

#endif /* OOMLENS_EXPECT_H */
