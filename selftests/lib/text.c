// SPDX-License-Identifier: GPL-2.0
/*
 * The module's files and the kernel's as text: read whole, and then by name of
 * column or key, never by position.
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>

#include "text.h"

#define DEBUGFS	"/sys/kernel/debug/oomlens"

bool lens_locked_down(void)
{
	int fd = open(DEBUGFS "/reserve", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EPERM;
}

const char *lens_path(const char *file)
{
	static char path[4][256];
	static unsigned int turn;
	const char *dir = getenv("OOMLENS_DIR");
	char *p = path[turn++ % 4];
	bool twice = strcmp(file, "trigger") && strcmp(file, "reserve");

	/* Under lockdown debugfs refuses every write, even of a scope. */
	if (!dir)
		dir = access(DEBUGFS, F_OK) || (twice && lens_locked_down()) ?
		      "/proc/oomlens" : DEBUGFS;
	snprintf(p, sizeof(path[0]), "%s/%s", dir, file);
	return p;
}

bool lens_writable(void)
{
	char *s = read_file("/sys/module/oomlens/parameters/trigger");
	bool yes = s && (*s == 'Y' || *s == '1') && !lens_locked_down();

	free(s);
	return yes;
}

void needs_trigger(const char *feature)
{
	if (!lens_feature("debugfs") || !lens_writable() || !lens_feature(feature))
		ksft_exit_skip("needs debugfs, trigger=1 and %s\n", feature);
}

char *read_fd(int fd)
{
	size_t room = 1 << 16, len = 0;
	char *buf = malloc(room);
	ssize_t n;

	while (buf) {
		n = pread(fd, buf + len, room - len - 1, len);
		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			break;
		}
		len += n;
		if (len + 1 == room) {
			char *more = realloc(buf, room * 2);

			if (!more) {
				n = -1;
				break;
			}
			buf = more;
			room *= 2;
		}
	}
	if (!buf || n < 0) {
		int err = errno;

		free(buf);
		errno = err;
		return NULL;
	}
	buf[len] = '\0';
	return buf;
}

char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *s;
	int err;

	if (fd < 0)
		return NULL;
	s = read_fd(fd);
	err = errno;
	close(fd);
	errno = err;
	return s;
}

char *read_lens(const char *file)
{
	return read_file(lens_path(file));
}

int write_fd(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	if (n < 0)
		return -errno;
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write_fd(fd, text);
	close(fd);
	return err;
}

int lens_command(const char *file, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return write_file(lens_path(file), text);
}

static const char *key_find(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (text && *text) {
		if (!strncmp(text, key, len) && isblank(text[len])) {
			text += len;
			return text + strspn(text, " \t");
		}
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

bool key_number(const char *text, const char *key, long long *value)
{
	const char *s = key_find(text, key);
	char *end;

	if (!s)
		return false;
	*value = strtoll(s, &end, 10);
	return end != s;
}

bool key_string(const char *text, const char *key, char *value, size_t size)
{
	const char *s = key_find(text, key);

	if (!s)
		return false;
	snprintf(value, size, "%.*s", (int)strcspn(s, "\t\n "), s);
	return true;
}

long long meminfo_kb(const char *key)
{
	char *text = read_file("/proc/meminfo");
	char name[64];
	long long value;

	snprintf(name, sizeof(name), "%s:", key);
	if (!text || !key_number(text, name, &value))
		value = -1;
	free(text);
	return value;
}

long long meminfo_pages(const char *key)
{
	return meminfo_kb(key) / (long long)(page_size() / 1024);
}

long long node_pages(int node, const char *field)
{
	char *text = read_file("/proc/zoneinfo"), *line, *save = NULL, got[16];
	long long sum = 0, n;
	int nid = -1;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Node %d,", &nid) == 1 || nid != node)
			continue;
		if (sscanf(line, " pages %15s %lld", got, &n) == 2 ||
		    sscanf(line, " %15s %lld", got, &n) == 2)
			sum += strcmp(got, field) ? 0 : n;
	}
	free(text);
	return sum;
}

long long file_key(const char *path, const char *key)
{
	char *text = read_file(path);
	long long value = -1;

	key_number(text ? text : "", key, &value);
	free(text);
	return value;
}

long long kernel_kills(void)
{
	return file_key("/proc/vmstat", "oom_kill");
}

long long file_number(const char *path)
{
	char *text = read_file(path);
	long long value = LLONG_MIN;
	char *end;

	if (text) {
		value = strtoll(text, &end, 10);
		if (end == text)
			value = LLONG_MIN;
	}
	free(text);
	return value;
}

long long lens_key(const char *file, const char *key)
{
	char *text = read_lens(file);
	long long value;

	if (!text || !key_number(text, key, &value))
		value = LLONG_MIN;
	free(text);
	return value;
}

bool lens_feature(const char *name)
{
	char *text = read_lens("features");
	char word[32];
	bool yes = text && key_string(text, name, word, sizeof(word)) &&
		   !strcmp(word, "yes");

	free(text);
	return yes;
}

static unsigned int count_words(const char *s, size_t len)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] != ' ' && (!i || s[i - 1] == ' '))
			n++;
	return n;
}

/* Cuts a line into its words, in place. */
static unsigned int cut_words(char *line, char **word, unsigned int max)
{
	unsigned int n = 0;
	char *save = NULL;
	char *s;

	for (s = strtok_r(line, " ", &save); s && n < max;
	     s = strtok_r(NULL, " ", &save))
		word[n++] = s;
	return n;
}

struct table *table_parse(char *text)
{
	struct table *t = calloc(1, sizeof(*t));
	char *line, *next, *names = NULL;
	unsigned int room = 0;

	if (!t || !text)
		goto bad;
	t->text = text;
	for (line = text; *line == '#'; line = next + 1) {
		names = line;
		next = strchr(line, '\n');
		if (!next)
			goto bad;
	}
	if (!names)
		goto bad;
	t->header = strndup(text, line - text);
	t->cols = count_words(names + 1, strcspn(names + 1, "\n"));
	t->col = calloc(t->cols, sizeof(*t->col));
	t->names = strndup(names + 1, strcspn(names + 1, "\n"));
	if (!t->header || !t->col || !t->names)
		goto bad;
	cut_words(t->names, t->col, t->cols);

	for (; *line; line = next + 1) {
		next = strchr(line, '\n');
		if (!next || count_words(line, next - line) != t->cols)
			goto bad;	/* cut short, or a row of another shape */
		*next = '\0';
		if (t->rows == room) {
			room = room ? room * 2 : 256;
			t->cell = realloc(t->cell, sizeof(char *) * room * t->cols);
			if (!t->cell)
				goto bad;
		}
		cut_words(line, t->cell + t->rows * t->cols, t->cols);
		t->rows++;
	}
	return t;
bad:
	table_free(t);
	errno = EPROTO;
	return NULL;
}

struct table *table_read(const char *path)
{
	char *text = read_file(path);

	return text ? table_parse(text) : NULL;
}

struct table *table_read_fd(int fd)
{
	char *text = read_fd(fd);

	return text ? table_parse(text) : NULL;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->names);
	free(t->col);
	free(t->cell);
	free(t->header);
	free(t->text);
	free(t);
}

/* Columns are mostly asked for one after the other, again for each row. */
int table_col(struct table *t, const char *name)
{
	unsigned int i;

	for (i = 0; t && i < t->cols; i++) {
		t->last = (t->last + 1) % t->cols;
		if (!strcmp(t->col[t->last], name))
			return t->last;
	}
	return -1;
}

const char *table_cell(struct table *t, unsigned int row, const char *col)
{
	int c = table_col(t, col);

	return c < 0 || row >= t->rows ? "" : t->cell[row * t->cols + c];
}

long long table_number(struct table *t, unsigned int row, const char *col)
{
	const char *s = table_cell(t, row, col);
	char *end;
	long long v = strtoll(s, &end, 10);

	return end == s || *end ? LLONG_MIN : v;
}

int table_find(struct table *t, const char *col, long long value)
{
	unsigned int i;

	for (i = 0; t && i < t->rows; i++)
		if (table_number(t, i, col) == value)
			return i;
	return -1;
}

long long table_head(const struct table *t, const char *word)
{
	size_t len = strlen(word);
	const char *s = t ? t->header : NULL;
	long long value;
	char *end;

	while (s && (s = strstr(s, word))) {
		if (s > t->header && s[-1] == ' ' && s[len] == ' ') {
			value = strtoll(s + len, &end, 10);
			return end == s + len ? LLONG_MIN : value;
		}
		s += len;
	}
	return LLONG_MIN;
}

const char *event_line(const char *events, const char *type, long long number,
		       unsigned int nth)
{
	char prefix[64];
	int len = snprintf(prefix, sizeof(prefix), "%s %lld", type, number);

	while (events && *events) {
		if (!strncmp(events, prefix, len) &&
		    (events[len] == ' ' || events[len] == '\n') && !nth--)
			return events;
		events = strchr(events, '\n');
		if (events)
			events++;
	}
	return NULL;
}

long long event_last(const char *events)
{
	long long last = 0, n;

	while (events && *events) {
		if (sscanf(events, "event %lld ", &n) == 1 && n > last)
			last = n;
		events = strchr(events, '\n');
		if (events)
			events++;
	}
	return last;
}

static const char *line_find(const char *line, const char *key)
{
	size_t len = strlen(key);

	while (line && (line = strpbrk(line, "\n ")) && *line == ' ') {
		line++;
		if (!strncmp(line, key, len) && line[len] == '=')
			return line + len + 1;
	}
	return NULL;
}

long long line_number(const char *line, const char *key)
{
	const char *s = line_find(line, key);
	long long value;
	char *end;

	if (!s)
		return LLONG_MIN;
	value = strtoll(s, &end, 10);
	return end == s ? LLONG_MIN : value;
}

const char *line_word(const char *line, const char *key)
{
	static char word[8][1024];
	static unsigned int turn;
	const char *s = line_find(line, key);
	char *w = word[turn++ % ARRAY_SIZE(word)];

	if (!s)
		return NULL;
	snprintf(w, sizeof(word[0]), "%.*s", (int)strcspn(s, "\n "), s);
	return w;
}

const char *event_word(const char *events, long long number, const char *key)
{
	return line_word(event_line(events, "event", number, 0), key);
}

long long event_number(const char *events, long long number, const char *key)
{
	return line_number(event_line(events, "event", number, 0), key);
}

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

static long long found_us;

long long kmsg_us(void)
{
	return found_us;
}

bool kmsg_wait(int fd, const char *needle, char *line, size_t size, unsigned int ms)
{
	unsigned long long end = now_ns() + (unsigned long long)ms * 1000000;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char rec[8192], *text;
	ssize_t n;

	for (;;) {
		n = read(fd, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE)
			continue;	/* the log has run over us: go on */
		if (n < 0) {
			if (now_ns() >= end)
				return false;
			poll(&pfd, 1, ms < 10 ? ms : 10);
			continue;
		}
		rec[n] = '\0';
		if (strstr(rec, needle))
			break;
	}
	if (sscanf(rec, "%*u,%*u,%lld", &found_us) != 1)
		found_us = LLONG_MIN;
	text = strchr(rec, ';');
	text = text ? text + 1 : rec;
	snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
	return true;
}

int set_adj(pid_t pid, int adj)
{
	char path[64], text[16];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/oom_score_adj");
	snprintf(text, sizeof(text), "%d", adj);
	return write_file(path, text);
}

bool has_kasan(void)
{
	char *symbols = read_file("/proc/kallsyms");
	bool has = symbols && strstr(symbols, " kasan_report\n");

	free(symbols);
	return has;
}
