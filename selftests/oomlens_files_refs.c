// SPDX-License-Identifier: GPL-2.0
/*
 * What a read takes it gives back: each file is read in each of its scopes, beside a
 * task and a cgroup that are gone afterwards. The judge is what the kernel counts:
 * tasks, address spaces, pids, open files, removed cgroups, references to the module.
 */
#include "lib/expect.h"
#include "lib/slab.h"

#define ROUNDS	20
#define EACH	8	/* opens of each file and scope in a round */

static const struct look {
	const char *file;
	const char *scope;		/* written first; "" for none */
	enum { NOTHING, TASK, CGROUP } of;	/* what is named behind it */
} looks[] = {
	{ "badness", "", NOTHING }, { "badness", "memcg", CGROUP },
	{ "commit", "", NOTHING }, { "commit", "memcg", NOTHING }, { "commit", "pid", TASK },
	{ "objects", "", NOTHING }, { "objects", "pid", TASK },
	{ "overcommit", "", NOTHING }, { "memory", "", NOTHING }, { "events", "", NOTHING },
	{ "history", "", NOTHING }, { "features", "", NOTHING }, { "stats", "", NOTHING },
};

static void look_at(const struct look *l, const struct hog *hog, const char *cgroup, bool whole)
{
	int fd = must_open_lens(l->file, *l->scope ? O_RDWR : O_RDONLY);
	char scope[256], byte;

	if (l->of == TASK)
		snprintf(scope, sizeof(scope), "%s %d", l->scope, hog->pid);
	else if (l->of == CGROUP)
		snprintf(scope, sizeof(scope), "%s %s", l->scope, cg_shown(cgroup));
	else
		snprintf(scope, sizeof(scope), "%s", l->scope);
	/* Twice: the second one takes the place of the first. */
	if (*scope) {
		MUST_OK(write_fd(fd, scope));
		MUST_OK(write_fd(fd, scope));
	}
	if (whole)
		free(MUST_HAVE(read_fd(fd)));
	else
		EXPECT_EQ(read(fd, &byte, 1), 1);
	close(fd);
}

static void look_round(unsigned int round)
{
	struct hog_spec spec = { .anon = 100, .shmem = 10, .threads = 1 };
	char name[16], *cgroup = NULL;
	struct hog hog;
	unsigned int i, k;

	snprintf(name, sizeof(name), "looked%u", round);
	if (cg_version())
		cgroup = must_cgroup(NULL, name);
	spec.cgroup = cgroup;
	must_hog(&hog, &spec);
	for (i = 0; i < ARRAY_SIZE(looks); i++)
		for (k = 0; k < EACH && (cgroup || strcmp(looks[i].scope, "memcg")); k++)
			look_at(&looks[i], &hog, cgroup, !k);
	hog_end(&hog);
	if (cgroup)
		EXPECT_OK(cg_remove(cgroup));
	free(cgroup);
}

static long long open_files(void)
{
	return file_number("/proc/sys/fs/file-nr");
}

static long long references(void)
{
	return file_number("/sys/module/oomlens/refcnt");
}

int main(void)
{
	long long files, refs, dying;
	struct task_slabs before;
	unsigned int i;

	test_begin(4);
	look_round(ROUNDS);
	task_slabs_read(&before);
	files = open_files();
	refs = references();
	dying = cg_version() == 2 ? cg_dying() : 0;
	for (i = 0; i < ROUNDS; i++)
		look_round(i);
	EXPECT_TRUE(task_slabs_back(&before, ROUNDS / 2));
	test_done("no task, address space or pid is held by a read");
	if (cg_version() != 2) {
		ksft_test_result_skip("no memory cgroups, or cgroup v1: removed ones are not told\n");
	} else {
		/* The kernel itself may keep one for long, by a page on a CPU's list. */
		EXPECT_TRUE(wait_until(cg_dying() <= dying + 1, PATIENCE_MS));
		test_done("nor a cgroup");
	}
	/* Each processor counts up to 32 for itself. */
	EXPECT_TRUE(wait_until(open_files() < files + ROUNDS * EACH / 2, PATIENCE_MS));
	test_done("nor a file");
	EXPECT_EQ(references(), refs);
	test_done("nor the module");
	test_end();
}
