// SPDX-License-Identifier: GPL-2.0
/*
 * What a refused command must leave as it was.
 */
#include <dirent.h>

#include "free.h"
#include "text.h"
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

	/* Reading it does something. */
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

	if (!s || !vmstat)
		ksft_exit_fail_msg("no memory for the test\n");
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

static bool same(const char *what, const char *key, long long now, long long before)
{
	if (now != before)
		ksft_print_msg("%s changed %s from %lld to %lld\n", what, key, before, now);
	return now == before;
}

static bool same_settings(const char *what, const struct snapshot *before,
			  const struct snapshot *now)
{
	bool good = same(what, "the number of settings", now->n, before->n) && now->n > 10;
	unsigned int i, j;

	for (i = 0; i < before->n; i++) {
		for (j = 0; j < now->n; j++)
			if (!strcmp(before->settings[i].path, now->settings[j].path))
				break;
		if (j < now->n && !strcmp(before->settings[i].value, now->settings[j].value))
			continue;
		ksft_print_msg("%s changed %s\n", what, before->settings[i].path);
		good = false;
	}
	return good;
}

/* Nobody is flagged, and who is still there has the adj that it had. */
static bool same_tasks(const char *what, struct table *before, struct table *now)
{
	bool good = before && now;
	unsigned int i;
	int row;

	for (i = 0; good && i < now->rows; i++) {
		if (!strcmp(table_cell(now, i, "verdict"), "origin")) {
			ksft_print_msg("%s left pid %lld flagged\n", what,
				       table_number(now, i, "pid"));
			good = false;
		}
		row = table_find(before, "pid", table_number(now, i, "pid"));
		if (row >= 0 && !same(what, "an adj", table_number(now, i, "adj"),
				      table_number(before, row, "adj")))
			good = false;
	}
	return good;
}

bool unchanged(struct snapshot *before, const char *what)
{
	struct snapshot *now = snapshot_take();
	bool good = same_settings(what, before, now) &
		    same_tasks(what, before->tasks, now->tasks) &
		    same(what, "the kernel's oom_kill", now->kills, before->kills) &
		    same(what, "events", now->events, before->events) &
		    same(what, "memory_bytes", now->memory_bytes, before->memory_bytes);

	/* Without debugfs, and in lockdown, it cannot be read. */
	if (before->reserve && now->reserve && strcmp(before->reserve, now->reserve)) {
		ksft_print_msg("%s changed the reserve:\n%s\n", what, now->reserve);
		good = false;
	}
	if (!wait_until(free_memory_kb() >= before->free_kb - meminfo_kb("MemTotal") / 100,
			5000)) {
		ksft_print_msg("%s: %lld kB were free, now %lld\n", what, before->free_kb,
			       free_memory_kb());
		good = false;
	}
	snapshot_free(now);
	snapshot_free(before);
	return good;
}

bool refused(struct snapshot *before, const char *what, int err, int want)
{
	bool good = unchanged(before, what);

	if (err != want)
		ksft_print_msg("%s gave %d, not %d\n", what, err, want);
	return good && err == want;
}
