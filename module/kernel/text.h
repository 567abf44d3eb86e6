/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows of numbers and words, written straight into a seq_file's buffer. With
 * seq_put_decimal_ull() a whole read of badness is 20 times as fast as the files
 * of /proc, with this 45 times (1,000 tasks, instructions counted).
 */
#ifndef OOMLENS_TEXT_H
#define OOMLENS_TEXT_H

#include "../oomlens.h"

/* The longest row but for its one long name: numbers, words, an escaped comm. */
#define OOMLENS_ROW_MAX		640

size_t oomlens_path_row_max(void);
size_t oomlens_escaped_len(const char *s);
char *oomlens_escape(char *to, const char *s);
void oomlens_puts_escaped(struct seq_file *m, const char *s);
int oomlens_param_parse(const char *text, const struct kernel_param *kp, unsigned int min,
			unsigned int max, unsigned int *n);
int oomlens_parse_uint(const char *text, unsigned int min, unsigned int max, unsigned int *n);
int oomlens_parse_rows(const char *line, unsigned int *rows);
int oomlens_parse_size(const char *text, unsigned long *pages);

/**
 * oomlens_row_begin() - room for a row
 * @m: where to
 * @name_len: of the one name in it that may be long, as it is printed
 *
 * Return: where to write, or NULL: then show() is over, and is called again
 * with a larger buffer.
 */
static inline char *oomlens_row_begin(struct seq_file *m, size_t name_len)
{
	char *p;

	if (likely(seq_get_buf(m, &p) >= OOMLENS_ROW_MAX + name_len))
		return p;
	seq_commit(m, -1);
	return NULL;
}

/**
 * oomlens_row_end() - the row is written
 * @m: as given to oomlens_row_begin()
 * @p: behind the blank after the last word, which becomes the line's end
 */
static inline void oomlens_row_end(struct seq_file *m, char *p)
{
	p[-1] = '\n';
	seq_commit(m, p - (m->buf + m->count));
}

/**
 * oomlens_rows_shown() - rows that a table prints
 * @have: rows of the snapshot
 * @asked: what "rows N" said; 0: all
 */
static inline unsigned int oomlens_rows_shown(unsigned int have, unsigned int asked)
{
	return asked ? min(have, asked) : have;
}

char *oomlens_put_large(char *p, unsigned long n);

static inline char *oomlens_put_two(char *p, unsigned int n)
{
	*p++ = '0' + n / 10;
	*p++ = '0' + n % 10;
	return p;
}

static inline char *oomlens_put_upto_four(char *p, unsigned int n)
{
	if (n >= 100) {
		if (n >= 1000)
			p = oomlens_put_two(p, n / 100);
		else
			*p++ = '0' + n / 100;
		return oomlens_put_two(p, n % 100);
	}
	if (n >= 10)
		return oomlens_put_two(p, n);
	*p++ = '0' + n;
	return p;
}

/* Each writes one token and a blank, and returns where the next one goes. */

static inline char *oomlens_put_ulong(char *p, unsigned long n)
{
	p = likely(n < 10000) ? oomlens_put_upto_four(p, n) : oomlens_put_large(p, n);
	*p++ = ' ';
	return p;
}

static inline char *oomlens_put_long(char *p, long n)
{
	if (n >= 0)
		return oomlens_put_ulong(p, n);
	*p++ = '-';
	return oomlens_put_ulong(p, -(unsigned long)n);
}

/* Of a name that is escaped already, and is @len long. */
static inline char *oomlens_put_name(char *p, const char *name, size_t len)
{
	memcpy(p, name, len);
	p[len] = ' ';
	return p + len + 1;
}

static inline char *oomlens_put_word(char *p, const char *word)
{
	while (*word)
		*p++ = *word++;
	*p++ = ' ';
	return p;
}

static inline char *oomlens_put_comm(char *p, const char *comm)
{
	p = oomlens_escape(p, comm);
	*p++ = ' ';
	return p;
}

#endif /* OOMLENS_TEXT_H */
