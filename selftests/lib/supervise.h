/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame of a test: a supervisor that puts everything back.
 */
#ifndef OOMLENS_SUPERVISE_H
#define OOMLENS_SUPERVISE_H

#include "test.h"

void test_supervise(bool needs_module);

static inline void test_frame(unsigned int plan, bool needs_module)
{
	test_supervise(needs_module);
	ksft_print_header();
	if (plan)
		ksft_set_plan(plan);
}

/*
 * Forks: the caller goes on in a child whose pid is never the OOM killer's
 * choice; the parent waits, then kills what the child left running, removes its
 * cgroups and puts back every setting, whichever way the child ended.
 * Skips the program (exit 4) if the module is not loaded or the caller is not
 * root. Prints the KTAP header and, if @plan is not 0, the plan.
 */
#define test_begin(plan)		test_frame(plan, true)
/* The same, for a program that does without the module. */
#define test_begin_unloaded(plan)	test_frame(plan, false)

/* Writes one setting; the value that it had before is written back at the end. */
int setting_write(const char *path, const char *value);

/* Until the end, an OOM is soon over: no dump of all tasks, no panic, a quiet console. */
void oom_settings(void);

/*
 * Runs at the end, in the supervisor, the last one noted first: "rmdir",
 * "umount", "swapon" or "swapoff" of @path; "reset" writes 1 to it; "rmcg" removes a
 * cgroup and all below it, "nomemcg" takes the memory controller from the children of one.
 */
void undo_at_end(const char *what, const char *path);

/* Until the end, on a directory that mkdtemp() makes of @template. */
int mount_tmpfs(char *template, const char *options);

/* At the end, the module is loaded anew with those parameters. */
void reload_at_end(const char *ko, const char *parameters);

#endif /* OOMLENS_SUPERVISE_H */
