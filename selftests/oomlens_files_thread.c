// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel thread that opens a file, as io_uring's threads did for a task of a
 * container: refused by each file of the module. Judged by the error that the
 * kernel's own filp_open() returns there, and by a file that it does open.
 */
#include <errno.h>

#include "lib/expect.h"
#include "lib/loader.h"

int main(void)
{
	static const char * const names[] = {
		"badness", "overcommit", "commit", "objects", "memory", "events", "history",
		"features", "stats",
	};
	char path[64];
	unsigned int i;

	test_begin(0);
	needs_shortage();
	/* The root of kernel threads is empty where init's is mounted over it. */
	if (write_file(SHORTAGE "open", "/proc/uptime") == -ENOENT) {
		loader_no_helper("oomlens_shortage");
		ksft_exit_skip("a kernel thread sees no files here\n");
	}
	ksft_set_plan(1);
	EXPECT_OK(write_file(SHORTAGE "open", "/proc/uptime"));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/oomlens/%s", names[i]);
		expect_of("%s", path);
		EXPECT_EQ(write_file(SHORTAGE "open", path), -EPERM);
	}
	test_done("refused to a kernel thread");
	loader_no_helper("oomlens_shortage");
	test_end();
}
