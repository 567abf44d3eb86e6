// SPDX-License-Identifier: GPL-2.0
/*
 * Cgroups with paths as long as they can be, more than a read of badness has
 * room for: every process has its row, the names take 1/64 of RAM at most, and
 * the paths that are left are "-". Judged by /proc/PID/cgroup.
 */
#include <limits.h>

#include "lib/expect.h"

#define LEVELS		14
#define NAME_LENGTH	250
#define MOST		500	/* cgroups */

/* Each byte of these names is four in the file: "\001". */
static char *long_path(void)
{
	char name[NAME_LENGTH + 1], *dir = NULL, *below;
	unsigned int i;

	memset(name, 1, NAME_LENGTH);
	name[NAME_LENGTH] = '\0';
	for (i = 0; i < LEVELS; i++) {
		below = must_cgroup(dir, name);
		free(dir);
		dir = below;
	}
	return dir;
}

static size_t escaped_length(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == 1 ? 4 : 1;
	return n;
}

int main(void)
{
	unsigned long long room = meminfo_kb("MemTotal") * 1024 / 64, used = 0;
	unsigned int i, n, unnamed = 0;
	pid_t pids[MOST];
	struct table *t;
	size_t size;
	char *top;

	test_begin(0);
	if (cg_version() != 2)
		ksft_exit_skip("needs cgroup v2\n");
	ksft_set_plan(1);
	top = long_path();
	size = escaped_length(cg_shown(top)) + strlen("/000") + 1;
	n = room / size + 20 < MOST ? room / size + 20 : MOST;
	must_idle(pids, n);
	for (i = 0; i < n; i++) {
		char name[8], *dir;

		snprintf(name, sizeof(name), "%03u", i);
		dir = must_cgroup(top, name);
		MUST_OK(cg_attach(dir, pids[i]));
		free(dir);
	}
	t = must_table("badness");
	for (i = 0; i < n; i++) {
		int row = table_find(t, "pid", pids[i]);
		const char *path = table_cell(t, row, "memcg");

		EXPECT_GE(row, 0);
		if (strcmp(path, "-")) {
			EXPECT_EQ(strlen(path) + 1, size);
			used += size;
		} else {
			unnamed++;
		}
	}
	ksft_print_msg("%u cgroups, %zu bytes each: %u without a name\n", n, size, unnamed);
	EXPECT_LE(used, room);
	EXPECT_EQ(unnamed > 0, n * size > room);
	/* Those of the other cgroups, and what is left over. */
	if (unnamed)
		EXPECT_GE(used, room - 3 * size);
	test_done("a row for each process, and names within 1/64 of RAM");
	table_free(t);
	idle_end(pids, n);
	test_end();
}
