/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the writable files must do with any bytes at all: the grammar of
 * module/ABI once more, written from the page and not from the module.
 */
#ifndef OOMLENS_FUZZ_MODEL_H
#define OOMLENS_FUZZ_MODEL_H

#include "test.h"

/* As of the module: a write is shorter than this. */
#define WRITE_MAX	4096

enum fuzz_file { FUZZ_BADNESS, FUZZ_COMMIT, FUZZ_OBJECTS, FUZZ_TRIGGER, FUZZ_RESERVE,
		 FUZZ_HISTORY, FUZZ_FILES };

/**
 * struct forecast - what one write must come to
 * @withhold: it would do real harm, or last: not to be written
 * @pass: it may be taken
 * @errors: negative errnos that it may end with, 0 after the last
 * @ran: with these errors too it counts as a run of trigger's
 * @line: what the module makes of it: one line, without blanks around
 * @scope: of the file, as it is shown, if it is taken
 * @pages: reserve's target, if it is taken
 */
struct forecast {
	bool withhold;
	bool pass;
	int errors[5];
	bool ran;
	char line[WRITE_MAX];
	char scope[3 * WRITE_MAX];
	unsigned long pages;
};

/* Set once: cgroups that are there, as /proc/PID/cgroup names them. */
extern const char *fuzz_cgroups[4];
/* Processes that a kill must refuse, and those that are as well as gone. */
extern pid_t fuzz_protected[4];

void fuzz_forecast(enum fuzz_file file, const char *buf, size_t len, struct forecast *f);
/* As the module escapes a name; "-" for none. */
void fuzz_escape(const char *s, char *to, size_t size);

/* ---- fuzz_kcov.c: does nothing on a kernel without KCOV ---- */

void kcov_begin(void);
void kcov_clear(void);
bool kcov_reached_new(void);	/* since kcov_clear(): anything for the first time? */
unsigned int kcov_end(void);	/* how many places in all */

#endif /* OOMLENS_FUZZ_MODEL_H */
