// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle of the fuzzer: from the bytes of a write to what must come of it.
 */
#include <limits.h>
#include <sys/stat.h>

#include "cgroup.h"
#include "fuzz_model.h"
#include "text.h"

/* Harmless by size: what a run may take, and for how long it may hold it. */
#define RUN_PAGES	1024UL
#define RUN_HOLD_MS	5
#define RESERVE_PAGES	2048UL

#define DIGITS_MAX	23

const char *fuzz_cgroups[4];
pid_t fuzz_protected[4];

/* The kernel's isspace(): Latin-1's no-break space is one. */
static bool blank(unsigned char c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0xa0;
}

static bool all_digits(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static void fails(struct forecast *f, int error)
{
	unsigned int i = 0;

	while (f->errors[i])
		i++;
	f->errors[i] = error;
}

/* An unsigned decimal number up to @max. */
static bool number(const char *s, unsigned long long max, unsigned long long *n)
{
	unsigned long long v = 0;

	if (!all_digits(s))
		return false;
	for (; *s; s++) {
		unsigned int digit = *s - '0';

		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*n = v;
	return true;
}

/* 1: @pages is set. 0: malformed. -1: more than any machine has. */
static int size_of(const char *s, unsigned long long *pages)
{
	static const char units[] = "KkMmGgTt";
	char digits[DIGITS_MAX + 1];
	size_t n = strspn(s, "0123456789");
	unsigned long long bytes, unit = 1;
	unsigned int i;

	/* Leading zeros are fine, within the limit of digits. */
	if (!n || n > DIGITS_MAX)
		return 0;
	if (s[n]) {
		const char *u = strchr(units, s[n]);

		if (!u || s[n + 1])
			return 0;
		for (i = 0; i <= (size_t)(u - units) / 2; i++)
			unit *= 1024;
	}
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (!number(digits, 1ULL << 62, &bytes) || bytes > (1ULL << 62) / unit)
		return -1;
	*pages = (bytes * unit + page_size() - 1) / page_size();
	return *pages <= ULONG_MAX ? 1 : -1;
}

void fuzz_escape(const char *s, char *to, size_t size)
{
	size_t n = 0;

	if (!*s && size > 1)
		to[n++] = '-';
	for (; *s && n + 5 < size; s++) {
		unsigned char c = *s;

		if (c > ' ' && c < 0x7f && c != '\\')
			to[n++] = c;
		else
			n += sprintf(to + n, "\\%03o", c);
	}
	to[n] = '\0';
}

/* Octal escapes undone; false if one stands for a NUL. */
static bool unescape(const char *s, char *to)
{
	while (*s) {
		unsigned int v, digits;

		if (s[0] != '\\' || s[1] < '0' || s[1] > '7') {
			/* lib/string_helpers.c takes what follows a backslash with it. */
			if (s[0] == '\\' && s[1])
				*to++ = *s++;
			*to++ = *s++;
			continue;
		}
		s++;
		for (v = 0, digits = 0; digits < 3 && *s >= '0' && *s <= '7' && v < 32; digits++)
			v = v * 8 + (*s++ - '0');
		if (!v)
			return false;
		*to++ = v;
	}
	*to = '\0';
	return true;
}

/* "rows N" is taken, and the scope stays as it was. False: some other line. */
static bool forecast_rows(const char *line, const char *scope, struct forecast *f)
{
	unsigned long long n;

	if (strncmp(line, "rows ", 5) || !number(line + 5, UINT_MAX, &n))
		return false;
	f->pass = true;
	snprintf(f->scope, sizeof(f->scope), "%s", scope);
	return true;
}

static void forecast_memcg(char *rest, struct forecast *f)
{
	static char path[WRITE_MAX], full[WRITE_MAX + 256];
	struct stat st;
	unsigned int i;
	size_t len;

	fails(f, -EINVAL);
	if (!cg_version())
		fails(f, -EOPNOTSUPP);
	if (!unescape(rest, path) || !cg_version())
		return;
	len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	if (path[0] != '/' || len == 1)
		return;
	fails(f, -ENOENT);
	snprintf(f->scope, sizeof(f->scope), "memcg:");
	fuzz_escape(path, f->scope + strlen(f->scope), sizeof(f->scope) - 16);
	for (i = 0; i < ARRAY_SIZE(fuzz_cgroups); i++) {
		if (fuzz_cgroups[i] && !strcmp(path, fuzz_cgroups[i])) {
			f->pass = true;
			memset(f->errors, 0, sizeof(f->errors));
			return;
		}
	}
	/* Others than the test's own may or may not have the controller. */
	snprintf(full, sizeof(full), "%s%s", cg_root(), path);
	f->pass = !strstr(path, "//") && !strstr(path, "/.") && !stat(full, &st) &&
		  S_ISDIR(st.st_mode);
}

static void forecast_nodes(const char *word, struct forecast *f)
{
	fails(f, -EINVAL);
	if (access("/sys/devices/system/node/node1", F_OK)) {
		memset(f->errors, 0, sizeof(f->errors));
		fails(f, -EOPNOTSUPP);
		return;
	}
	f->pass = true;
	sprintf(f->scope, "%s:", word);
}

static void forecast_badness(char *line, struct forecast *f)
{
	char *rest = strchr(line, ' ');

	if (forecast_rows(line, "global", f))
		return;
	if (rest) {
		*rest++ = '\0';
		while (blank(*rest))
			rest++;
	} else {
		rest = line + strlen(line);
	}
	if (!strcmp(line, "global") && !*rest) {
		f->pass = true;
		snprintf(f->scope, sizeof(f->scope), "global");
	} else if (!strcmp(line, "memcg")) {
		forecast_memcg(rest, f);
	} else if (!strcmp(line, "nodes") || !strcmp(line, "mempolicy")) {
		forecast_nodes(line, f);
	} else {
		fails(f, -EINVAL);
	}
}

static bool process_there(unsigned long long pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%llu", pid);
	return !access(path, F_OK);
}

static void forecast_commit(char *line, struct forecast *f)
{
	unsigned long long pid;

	if (forecast_rows(line, "all", f))
		return;
	if (!strcmp(line, "all")) {
		f->pass = true;
		snprintf(f->scope, sizeof(f->scope), "all");
	} else if (!strcmp(line, "memcg")) {
		snprintf(f->scope, sizeof(f->scope), "memcg");
		f->pass = cg_version();
		if (!f->pass)
			fails(f, -EOPNOTSUPP);
	} else if (!strncmp(line, "pid ", 4) && number(line + 4, INT_MAX, &pid) && pid) {
		snprintf(f->scope, sizeof(f->scope), "pid");
		f->pass = process_there(pid);
		fails(f, -ESRCH);
		/* A kernel thread */
		if (f->pass)
			fails(f, -EINVAL);
	} else {
		fails(f, -EINVAL);
	}
}

static void forecast_history(char *line, struct forecast *f)
{
	unsigned long long n;

	f->pass = !strncmp(line, "after ", 6) && number(line + 6, UINT_MAX, &n);
	if (!f->pass)
		fails(f, -EINVAL);
}

/* Digits as a number is printed, and no larger; what follows it in *rest. */
static bool plain_number(const char *s, unsigned long long most, const char **rest)
{
	size_t n = strspn(s, "0123456789");
	unsigned long long value;

	*rest = s + n;
	if (!n || n > 20 || (*s == '0' && n > 1))
		return false;
	errno = 0;
	value = strtoull(s, NULL, 10);
	return !errno && value <= most;
}

static bool is_id(const char *s)
{
	return plain_number(s, 0xfff, &s) && *s++ == ':' &&
	       plain_number(s, 0xfffff, &s) && *s++ == ':' &&
	       plain_number(s, ~0ULL, &s) && !*s;
}

static void forecast_objects(char *line, struct forecast *f)
{
	if (!strncmp(line, "id ", 3) && is_id(line + 3)) {
		snprintf(f->scope, sizeof(f->scope), "id");
		f->pass = true;
	} else if (!strcmp(line, "memcg")) {
		fails(f, -EINVAL);
	} else {
		forecast_commit(line, f);
	}
}

static void forecast_kill(char *args, struct forecast *f)
{
	unsigned long long pid;
	unsigned int i;

	while (blank(*args))
		args++;
	if (!*args) {
		f->withhold = true;
	} else if (strncmp(args, "pid=", 4) || !number(args + 4, INT_MAX, &pid) || !pid) {
		fails(f, -EINVAL);
	} else {
		f->ran = true;
		f->withhold = process_there(pid);
		for (i = 0; i < ARRAY_SIZE(fuzz_protected); i++)
			if (fuzz_protected[i] && (pid_t)pid == fuzz_protected[i])
				f->withhold = false;
		fails(f, process_there(pid) ? -EPERM : -ESRCH);
		if (access("/proc/sysrq-trigger", F_OK)) {
			memset(f->errors, 0, sizeof(f->errors));
			fails(f, -EOPNOTSUPP);
		}
	}
}

static void forecast_pressure(char *args, struct forecast *f)
{
	static const char * const names[] = {
		"outcome", "leave", "limit", "hold", "timeout", "memcg"
	};
	bool given[ARRAY_SIZE(names)] = { false };
	unsigned long long limit = 0, leave = 0, hold = 0, timeout;
	bool limit_huge = false, good = true;
	char *word, *value;
	unsigned int i;
	int s = 1;

	fails(f, -EINVAL);
	while ((word = strsep(&args, " \t"))) {
		if (!*word)
			continue;
		value = word;
		strsep(&value, "=");
		for (i = 0; i < ARRAY_SIZE(names) && strcmp(word, names[i]); i++)
			;
		/* The last is a word alone. */
		if (i == ARRAY_SIZE(names) || given[i])
			return;
		if (i == 5 ? !!value : !value)
			return;
		given[i] = true;
		switch (i) {
		case 0:
			good = !strcmp(value, "avert") || !strcmp(value, "kill");
			break;
		case 1:
			s = size_of(value, &leave);
			good = s && (s < 0 || leave);
			break;
		case 2:
			s = size_of(value, &limit);
			limit_huge = s < 0;
			good = s && (s < 0 || limit);
			break;
		case 3:
			good = number(value, 3600000, &hold);
			break;
		case 4:
			good = number(value, 3600, &timeout) && timeout;
			break;
		}
		if (!good)
			return;
	}
	if (given[3] && !given[1] && !given[2])
		return;
	f->ran = true;
	f->withhold = !given[2] || limit_huge || limit > RUN_PAGES || given[1] || given[5] ||
		      hold > RUN_HOLD_MS;
	memset(f->errors, 0, sizeof(f->errors));
	f->pass = given[3];
	fails(f, -ENOSPC);
	fails(f, -ENOMEM);
	/* Where nothing would tell of the OOM */
	if (!lens_feature("notifier"))
		fails(f, -EOPNOTSUPP);
}

static void forecast_trigger(char *line, struct forecast *f)
{
	char *args = line;
	char *name = strsep(&args, " \t");
	char none[] = "";

	if (!strcmp(name, "kill"))
		forecast_kill(args ? args : none, f);
	else if (!strcmp(name, "pressure"))
		forecast_pressure(args ? args : none, f);
	else
		fails(f, -EINVAL);
}

static void forecast_reserve(char *line, struct forecast *f)
{
	unsigned long long pages = 0;
	int s = size_of(line, &pages);

	if (!s || s < 0)
		fails(f, -EINVAL);
	if (s < 0 || pages > RESERVE_PAGES)
		fails(f, -ENOMEM);
	f->pass = s > 0 && pages <= RESERVE_PAGES;
	if (f->pass)
		fails(f, -ENOMEM);
	f->pages = pages;
	/* Up to half of the memory it would be taken. */
	f->withhold = s > 0 && !f->pass &&
		      pages <= (unsigned long long)meminfo_kb("MemTotal") * 1024 / page_size();
}

void fuzz_forecast(enum fuzz_file file, const char *buf, size_t len, struct forecast *f)
{
	static void (*const by_file[FUZZ_FILES])(char *line, struct forecast *f) = {
		[FUZZ_BADNESS]	= forecast_badness,
		[FUZZ_COMMIT]	= forecast_commit,
		[FUZZ_OBJECTS]	= forecast_objects,
		[FUZZ_TRIGGER]	= forecast_trigger,
		[FUZZ_RESERVE]	= forecast_reserve,
		[FUZZ_HISTORY]	= forecast_history,
	};
	static char line[WRITE_MAX];
	size_t from = 0, to = len;

	f->withhold = false;
	f->pass = false;
	f->ran = false;
	f->pages = 0;
	f->line[0] = '\0';
	f->scope[0] = '\0';
	memset(f->errors, 0, sizeof(f->errors));
	if (!len) {
		f->pass = true;
		return;
	}
	if (len < WRITE_MAX && buf[len - 1] == '\n')
		to--;
	if (len >= WRITE_MAX || memchr(buf, '\0', len) || memchr(buf, '\n', to)) {
		fails(f, -EINVAL);
		return;
	}
	while (from < to && blank(buf[from]))
		from++;
	while (to > from && blank(buf[to - 1]))
		to--;
	memcpy(f->line, buf + from, to - from);
	f->line[to - from] = '\0';
	memcpy(line, f->line, to - from + 1);
	by_file[file](line, f);
}
