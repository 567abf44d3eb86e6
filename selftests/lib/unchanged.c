// SPDX-License-Identifier: GPL-2.0
/*
 * What a refused command must leave as it was.
 */
#include <dirent.h>

#include "expect.h"
#include "free.h"
#include "unchanged.h"

#define SETTINGS_MAX	96

struct setting {
	char path[320];
	char *value;
};

struct snapshot {
	struct setting settings[SETTINGS_MAX];
	unsigned int n;
	struct table *tasks;
	char *reserve;
	long long kills, events, memory_bytes, free_kb;
};

static void add_setting(struct snapshot *s, const char *dir, const char *name)
{
	struct setting *one = &s->settings[s->n];

	/* A read of it has an effect. */
	if (!strcmp(name, "stat_refresh") || s->n == SETTINGS_MAX)
		return;
	snprintf(one->path, sizeof(one->path), "%s/%s", dir, name);
	one->value = read_file(one->path);
	s->n += !!one->value;
}

static void add_settings(struct snapshot *s)
{
	DIR *dir = opendir("/proc/sys/vm");
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_type == DT_REG)
			add_setting(s, "/proc/sys/vm", d->d_name);
	if (dir)
		closedir(dir);
	add_setting(s, "/proc/sys/kernel", "sysrq");
}

struct snapshot *snapshot_take(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	char *vmstat = read_file("/proc/vmstat");

	MUST(s && vmstat);
	key_number(vmstat, "oom_kill", &s->kills);
	free(vmstat);
	add_settings(s);
	s->tasks = table_read(lens_path("badness"));
	s->reserve = read_lens("reserve");
	s->events = lens_key("stats", "events");
	s->memory_bytes = lens_key("stats", "memory_bytes");
	s->free_kb = free_memory_kb();
	return s;
}

static void snapshot_free(struct snapshot *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		free(s->settings[i].value);
	if (s->tasks)
		table_free(s->tasks);
	free(s->reserve);
	free(s);
}

static void expect_settings(const struct snapshot *before, const struct snapshot *now)
{
	unsigned int i, j;

	EXPECT_EQ(now->n, before->n);
	EXPECT_GT(now->n, 10);
	for (i = 0; i < before->n; i++) {
		const struct setting *was = &before->settings[i];

		for (j = 0; j < now->n; j++)
			if (!strcmp(was->path, now->settings[j].path))
				break;
		if (!EXPECT_LT(j, now->n) ||
		    !EXPECT_STREQ(now->settings[j].value, was->value))
			ksft_print_msg("that is %s\n", was->path);
	}
}

/* No task is flagged, and each that is still there has the adj that it had. */
static void expect_tasks(struct table *before, struct table *now)
{
	unsigned int i;
	int row;

	EXPECT_TRUE(before && now);
	for (i = 0; now && i < now->rows; i++) {
		EXPECT_TRUE(strcmp(table_cell(now, i, "verdict"), "origin"));
		row = table_find(before, "pid", table_number(now, i, "pid"));
		if (row >= 0)
			EXPECT_EQ(table_number(now, i, "adj"), table_number(before, row, "adj"));
	}
}

void expect_unchanged(struct snapshot *before, const char *what)
{
	struct snapshot *now = snapshot_take();

	expect_of("after %s", what);
	expect_settings(before, now);
	expect_tasks(before->tasks, now->tasks);
	EXPECT_EQ(now->kills, before->kills);
	EXPECT_EQ(now->events, before->events);
	EXPECT_EQ(now->memory_bytes, before->memory_bytes);
	/* Without debugfs, and in lockdown, it cannot be read. */
	if (before->reserve && now->reserve)
		EXPECT_STREQ(now->reserve, before->reserve);
	EXPECT_TRUE(wait_until(free_memory_kb() >= before->free_kb - meminfo_kb("MemTotal") / 100,
			       5000));
	snapshot_free(now);
	snapshot_free(before);
}

void expect_refused(struct snapshot *before, const char *what, int err, int want)
{
	expect_of("%s", what);
	EXPECT_EQ(err, want);
	expect_unchanged(before, what);
}
