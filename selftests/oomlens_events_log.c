// SPDX-License-Identifier: GPL-2.0
/*
 * What an event has in the kernel's log: nothing, a line, or a block that has the
 * file's lines to the byte; long values are cut, long lines go on in a next record, and
 * of a long block the least important lines are dropped. Judged by /dev/kmsg and by the
 * events file.
 */
#include <limits.h>

#include "lib/events.h"
#include "lib/expect.h"
#include "lib/loader.h"

#define RECORD_MAX	960
#define BLOCK_MAX	10240
#define VALUE_MAX	900
#define TASKS		14	/* with long paths, more than a block holds */

/* A block as it came: its lines joined, and figures of its records. */
struct block {
	char text[1 << 16];
	long long number, lines, dropped;
	unsigned int records, more;
	size_t bytes, longest;
	bool begun, ended;
};

/* In place: /dev/kmsg writes a backslash as \x5c. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (!strncmp(s, "\\x5c", 4)) {
			*to++ = '\\';
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* Behind "TYPE NUMBER +", or NULL. */
static const char *continues(const char *text)
{
	const char *s = strchr(text, ' ');

	s = s ? strchr(s + 1, ' ') : NULL;
	return s && !strncmp(s, " + ", 3) ? s + 2 : NULL;
}

static void add_record(struct block *b, const char *text)
{
	const char *more = continues(text);
	size_t len = strlen(b->text), bytes = strlen("oomlens: ") + strlen(text) + 1;

	b->records++;
	b->bytes += bytes;
	/* The newline ends a record and is no part of it. */
	if (bytes - 1 > b->longest)
		b->longest = bytes - 1;
	if (!strncmp(text, "block ", 6)) {
		EXPECT_FALSE(b->begun);
		b->begun = true;
		b->number = atoll(text + 6);
		EXPECT_LINE(text, "format=1 page_kb=%lu", page_size() / 1024);
	} else if (!strncmp(text, "end ", 4)) {
		EXPECT_EQ(atoll(text + 4), b->number);
		b->lines = line_number(text, "lines");
		b->dropped = line_number(text, "dropped");
		b->ended = true;
	} else if (more) {
		b->more++;
		snprintf(b->text + len - 1, sizeof(b->text) - len + 1, "%s\n", more);
	} else {
		snprintf(b->text + len, sizeof(b->text) - len, "%s\n", text);
	}
}

/* The next block in the log. */
static bool read_block(int kmsg, struct block *b)
{
	char text[2048];

	memset(b, 0, sizeof(*b));
	while (!b->ended) {
		if (!kmsg_wait(kmsg, "oomlens: ", text, sizeof(text), 5000))
			return false;
		unescape(text);
		if (!strncmp(text, "oomlens: ", 9))
			add_record(b, text + 9);
	}
	return b->begun;
}

/* Ends and starts of release, "-" in the block if it was printed before they came. */
static void hide_times(char *line)
{
	char *s = strstr(line, " exit_us=");

	if (s && !strncmp(line, "victim ", 7))
		*s = '\0';
}

/* Each line of the block is a line of the file, in its order; returns how many. */
static unsigned int expect_lines(char *block, char *file)
{
	char *mine, *theirs, *save = NULL, *save_file = NULL;
	unsigned int n = 0;

	theirs = strtok_r(file, "\n", &save_file);
	for (mine = strtok_r(block, "\n", &save); mine; mine = strtok_r(NULL, "\n", &save)) {
		hide_times(mine);
		for (; theirs; theirs = strtok_r(NULL, "\n", &save_file)) {
			hide_times(theirs);
			if (!strcmp(mine, theirs))
				break;
		}
		if (!EXPECT_TRUE(theirs)) {
			expect_show(mine);
			break;
		}
		n++;
	}
	return n;
}

/* The file's lines of an event, from "event N" to before the next event. */
static char *file_event(long long n)
{
	char *text = must_read_lens("events"), *from, *end;

	from = MUST_HAVE((char *)event_line(text, "event", n, 0));
	end = strstr(from, "\nevent ");
	if (end)
		end[1] = '\0';
	memmove(text, from, strlen(from) + 1);
	return text;
}

/* Objects, slab caches and growth come later: the log may be printed before them or after. */
static void leave_out_details(char *text)
{
	char *line, *next, *to = text, *key;

	for (line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (!strncmp(line, "object ", 7) || !strncmp(line, "slab ", 5) ||
		    !strncmp(line, "growth ", 7))
			continue;
		memmove(to, line, next - line);
		to += next - line;
	}
	*to = '\0';
	while ((key = strstr(text, " details="))) {
		next = key + 1 + strcspn(key + 1, "\n ");
		memmove(key, next, strlen(next) + 1);
	}
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* An OOM in a cgroup of that name, with so many tasks in it. */
static long long cgroup_oom(int fd, const char *name, unsigned int tasks)
{
	struct hog_spec spec = { .anon = 50, .comm = "logged" };
	char *dir = must_limit(name, 8192), *text;
	struct hog hog[TASKS];
	long long n = 0;
	unsigned int i;

	spec.cgroup = dir;
	for (i = 0; i < tasks; i++)
		must_hog(&hog[i], &spec);
	hog_do(&hog[0], HOG_GROW, 16384);
	EXPECT_TRUE(wait_until(hog_killed(&hog[0]), PATIENCE_MS));
	text = next_killed(fd, &n);
	EXPECT_TRUE(text);
	free(text);
	for (i = 0; i < tasks; i++)
		hog_end(&hog[i]);
	cg_remove(dir);
	free(dir);
	return n;
}

static void test_block(int fd)
{
	struct block b;
	int kmsg = kmsg_open();
	long long n = cgroup_oom(fd, "block", 3);
	char *file, id[64] = "";
	unsigned int lines;

	if (EXPECT_TRUE(read_block(kmsg, &b))) {
		file = file_event(n);
		EXPECT_EQ(b.number, n);
		EXPECT_EQ(b.dropped, 0);
		EXPECT_EQ(b.lines, count_lines(b.text));
		leave_out_details(b.text);
		leave_out_details(file);
		lines = count_lines(file);
		EXPECT_EQ(count_lines(b.text), lines);
		/* It cuts both texts into lines. */
		EXPECT_EQ(expect_lines(b.text, file), lines);
		free(file);
	}
	test_done("log=2: the file's lines");
	close(kmsg);

	kmsg = MUST_GET(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	file = must_read("/proc/sys/kernel/random/boot_id");
	if (EXPECT_TRUE(kmsg_wait(kmsg, "oomlens: block ", b.text, sizeof(b.text), 1000)))
		snprintf(id, sizeof(id), "%s\n", line_word(b.text, "boot_id"));
	EXPECT_STREQ(id, file);
	test_done("log=2: the boot's id");
	free(file);
	close(kmsg);
}

/* The value as the file has it, up to the bound; an escaped byte is not cut. */
static bool is_cut(const char *line, const char *key)
{
	const char *value = line_word(line, key);

	return value && strlen(value) <= VALUE_MAX && strlen(value) > VALUE_MAX - 4 &&
	       value[strlen(value) - 1] == '0';
}

/* The block of an OOM whose walk came to its end, which has a millisecond. */
static long long long_block(int fd, int kmsg, struct block *b)
{
	char name[241];
	const char *walk;
	long long n = 0;
	int tries;

	/* Four bytes each when they are escaped. */
	memset(name, ' ', sizeof(name));
	name[0] = 'a';
	name[sizeof(name) - 1] = '\0';
	for (tries = 0; tries < 8; tries++) {
		n = cgroup_oom(fd, name, TASKS);
		if (!EXPECT_TRUE(read_block(kmsg, b)))
			return 0;
		walk = event_word(b->text, n, "walk");
		if (walk && !strcmp(walk, "complete"))
			return n;
		/* Five blocks in five seconds. */
		nap_ms(1100);
	}
	return 0;
}

static void test_long(int fd)
{
	int kmsg = kmsg_open(), rank, last = 0;
	const char *line;
	struct block b;
	unsigned int i;
	long long n;

	n = long_block(fd, kmsg, &b);
	if (!n && !expect_failed()) {
		test_skip(3, "no time for the walk\n");
		close(kmsg);
		return;
	}
	if (EXPECT_GT(n, 0)) {
		line = event_line(b.text, "event", n, 0);
		EXPECT_TRUE(is_cut(line, "memcg"));
		EXPECT_TRUE(is_cut(line, "caller_memcg"));
		EXPECT_EQ(line_number(line, "cut"), 1);
		EXPECT_NONE(line_number(event_line(b.text, "memory", n, 0), "cut"));
		EXPECT_TRUE(is_cut(event_line(b.text, "victim", n, 0), "memcg"));
	}
	test_done("long values are cut");

	EXPECT_GT(b.more, 3);
	EXPECT_LE(b.longest, RECORD_MAX);
	test_done("long lines go on in a next record");

	EXPECT_LE(b.bytes, BLOCK_MAX);
	EXPECT_GE(b.bytes, BLOCK_MAX - 2 * RECORD_MAX);
	EXPECT_GT(b.dropped, 0);
	EXPECT_EQ(b.lines, count_lines(b.text));
	line = b.text;
	for (i = 0; (line = event_line(b.text, "candidate", n, i)); i++) {
		rank = line_number(line, "rank");
		EXPECT_EQ(rank, last + 1);
		last = rank;
	}
	EXPECT_GE(last, 3);
	EXPECT_TRUE(event_line(b.text, "memcg", n, 0) && event_line(b.text, "victim", n, 0) &&
		    event_line(b.text, "memory", n, 0) && event_line(b.text, "zone", n, 0));
	expect_show(b.text);
	test_done("of a long block the last candidates are dropped");
	close(kmsg);
}

/* The module prints what is left when it goes: then nothing more can come. */
static void test_silent(void)
{
	int kmsg, fd;
	char log[2048];
	long long n;

	must_reload("log=0");
	kmsg = kmsg_open();
	fd = events_open();
	n = cgroup_oom(fd, "silent", 1);
	EXPECT_GE(n, 1);
	close(fd);
	loader_unload();
	EXPECT_FALSE(kmsg_wait(kmsg, "oomlens: ", log, sizeof(log), 0));
	expect_show(log);
	test_done("log=0: nothing");
	close(kmsg);
	EXPECT_EQ(loader_load("log=3"), -EINVAL);
	test_done("log=3 is out of range");
}

int main(void)
{
	int fd;

	test_begin(0);
	needs_ko();
	events_need_sources();
	if (!cg_version())
		ksft_exit_skip("needs memory cgroups\n");
	ksft_set_plan(7);
	oom_settings();
	restore_at_end();
	must_reload("log=2");
	fd = events_open();
	test_block(fd);
	test_long(fd);
	close(fd);
	test_silent();
	test_end();
}
