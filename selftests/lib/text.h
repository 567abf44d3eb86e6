/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of the module and of the kernel as text, and how to read them.
 */
#ifndef OOMLENS_TEXT_H
#define OOMLENS_TEXT_H

#include "test.h"

/* Path of one of the module's files, e.g. "badness"; debugfs or /proc/oomlens. */
const char *lens_path(const char *file);
bool lens_writable(void);	/* loaded with trigger=1, and not locked down */
bool lens_locked_down(void);	/* the kernel is: no trigger, no reserve */

/* Skips the program unless trigger can be written, and the module has that feature. */
void needs_trigger(const char *feature);

/* Whole text, to be freed by the caller; NULL with errno on error. */
char *read_file(const char *path);
char *read_fd(int fd);		/* from offset 0, by pread */
char *read_lens(const char *file);

/* One write(2) of the whole string: 0, a negative errno, -EIO if it was short. */
int write_fd(int fd, const char *text);
int write_file(const char *path, const char *text);
int set_adj(pid_t pid, int adj);	/* pid 0: the caller */
bool has_kasan(void);			/* its shadow and stacks take memory too */
int lens_command(const char *file, const char *fmt, ...)
	__printf(2, 3);

/*
 * The number after @key at the start of a line: "key value", and /proc/meminfo's
 * and /proc/PID/status' "Key:   value kB" (give the key with its colon).
 */
bool key_number(const char *text, const char *key, long long *value);
bool key_string(const char *text, const char *key, char *value, size_t size);

/* One number of a file of the kernel: meminfo in kB, or a one-number file. */
long long meminfo_kb(const char *key);	/* e.g. "MemAvailable"; -1 if absent */
long long meminfo_pages(const char *key);
/* A field of a node's zones in /proc/zoneinfo, "free" or "present", in pages. */
long long node_pages(int node, const char *field);
/* Of a file of lines as key_number() takes them; -1 if it is not there. */
long long file_key(const char *path, const char *key);
long long kernel_kills(void);	/* by /proc/vmstat's oom_kill; -1 if it has none */
long long file_number(const char *path);	/* LLONG_MIN if it cannot be read */
long long lens_key(const char *file, const char *key);	/* LLONG_MIN if absent */
bool lens_feature(const char *name);	/* features says yes */

/*
 * A table file: "#" lines, the last of them naming the columns, then rows.
 * header is the text of all the "#" lines.
 */
struct table {
	char *text;
	char *header;
	char *names;
	unsigned int cols, rows;
	char **col;
	char **cell;		/* rows * cols */
	unsigned int last;	/* the column that was asked for last */
};

struct table *table_parse(char *text);	/* takes the text; NULL if malformed */
struct table *table_read(const char *path);
struct table *table_read_fd(int fd);
void table_free(struct table *t);
/* All of these take NULL, and a row of -1, as a table without that cell. */
int table_col(struct table *t, const char *name);	/* -1 if absent */
const char *table_cell(struct table *t, unsigned int row, const char *col); /* "" if absent */
/* LLONG_MIN if it is no number. */
long long table_number(struct table *t, unsigned int row, const char *col);
/* The row whose column holds that number, -1 if none. */
int table_find(struct table *t, const char *col, long long value);
/* The number after a word of the "#" lines, e.g. "totalpages"; LLONG_MIN if none. */
long long table_head(const struct table *t, const char *word);

/*
 * events: the line "TYPE NUMBER ..." of an event, the nth of that type from 0. It
 * points into the text and ends with the newline. NULL if there is none; all of
 * these take NULL for a text or a line that is not there.
 */
const char *event_line(const char *events, const char *type, long long number,
		       unsigned int nth);
long long event_last(const char *events);	/* highest number, 0 if none */
/* The value of key=value: LLONG_MIN if it is no number, NULL if there is no such key. */
long long line_number(const char *line, const char *key);
const char *line_word(const char *line, const char *key);	/* good for seven more calls */
/* The same of the line "event NUMBER". */
long long event_number(const char *events, long long number, const char *key);
const char *event_word(const char *events, long long number, const char *key);

/* The kernel's log from now on. */
int kmsg_open(void);
/* Next record whose text holds @needle, within @ms; its text in @line. */
bool kmsg_wait(int fd, const char *needle, char *line, size_t size, unsigned int ms);
/* When the kernel wrote the record that was found last, by its log's clock. */
long long kmsg_us(void);

#endif /* OOMLENS_TEXT_H */
