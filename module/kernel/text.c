// SPDX-License-Identifier: GPL-2.0
/*
 * Names as one token, and sizes as words. In a name blanks, control bytes,
 * backslashes and all that is not ASCII become \ooo, so that a name can neither
 * add a column nor a line.
 */
#include <linux/ctype.h>

#include "kernel.h"

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

/**
 * oomlens_path_row_max() - the longest row with a path that is escaped throughout
 *
 * Context: any.
 * Return: bytes.
 */
size_t oomlens_path_row_max(void)
{
	return OOMLENS_ROW_MAX + 4 * PATH_MAX;
}

/**
 * oomlens_put_large() - a number of five digits and more
 * @p: where to
 * @n: not below 10000
 *
 * Context: any.
 * Return: the end of what was written.
 */
char *oomlens_put_large(char *p, unsigned long n)
{
	unsigned long high = n / 10000;
	unsigned int low = n % 10000;

	p = high < 10000 ? oomlens_put_upto_four(p, high) : oomlens_put_large(p, high);
	p = oomlens_put_two(p, low / 100);
	return oomlens_put_two(p, low % 100);
}

/**
 * oomlens_escaped_len() - how long a name is when it is printed
 * @s: the name
 *
 * Context: any.
 * Return: bytes; 1 for an empty name, which is "-".
 */
size_t oomlens_escaped_len(const char *s)
{
	size_t len = 0;

	for (; *s; s++)
		len += is_plain(*s) ? 1 : 4;
	return len ?: 1;
}

/**
 * oomlens_escape() - write a name as one token
 * @to: room for oomlens_escaped_len(); no NUL is written
 * @s: the name
 *
 * Context: any.
 * Return: the end of what was written.
 */
char *oomlens_escape(char *to, const char *s)
{
	if (!*s)
		*to++ = '-';
	for (; *s; s++) {
		unsigned char c = *s;

		if (likely(is_plain(c))) {
			*to++ = c;
			continue;
		}
		*to++ = '\\';
		*to++ = '0' + (c >> 6);
		*to++ = '0' + (c >> 3 & 7);
		*to++ = '0' + (c & 7);
	}
	return to;
}

/**
 * oomlens_puts_escaped() - print a name as one token
 * @m: where to
 * @s: comm, path or file name, any bytes
 *
 * Context: any.
 */
void oomlens_puts_escaped(struct seq_file *m, const char *s)
{
	size_t len = oomlens_escaped_len(s);
	char *p;

	if (seq_get_buf(m, &p) < len) {
		seq_commit(m, -1);
		return;
	}
	oomlens_escape(p, s);
	seq_commit(m, len);
}

/**
 * oomlens_parse_uint() - a number as the commands take it
 * @text: digits
 * @min: the least that is allowed
 * @max: the most
 * @n: the number
 *
 * kstrtouint() takes a sign.
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int oomlens_parse_uint(const char *text, unsigned int min, unsigned int max, unsigned int *n)
{
	if (strspn(text, "0123456789") != strlen(text) || kstrtouint(text, 10, n))
		return -EINVAL;
	return *n >= min && *n <= max ? 0 : -EINVAL;
}

/**
 * oomlens_param_parse() - a module parameter that is 0 or in a range
 * @text: what was written
 * @kp: the parameter; its range is told in the log if @text is not in it
 * @min: the least besides 0
 * @max: the most
 * @n: the number
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int oomlens_param_parse(const char *text, const struct kernel_param *kp, unsigned int min,
			unsigned int max, unsigned int *n)
{
	if (!kstrtouint(text, 0, n) && (!*n || (*n >= min && *n <= max)))
		return 0;
	pr_err("%s=%.*s: out of range, 0 or %u to %u\n", kp->name,
	       (int)strcspn(text, "\n"), text, min, max);
	return -EINVAL;
}

/**
 * oomlens_parse_rows() - "rows N", as the tables take it
 * @line: what was written
 * @rows: N; unchanged on error
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int oomlens_parse_rows(const char *line, unsigned int *rows)
{
	static const char word[] = "rows ";

	if (!strstarts(line, word))
		return -EINVAL;
	return oomlens_parse_uint(line + strlen(word), 0, UINT_MAX, rows);
}

/**
 * oomlens_parse_size() - a size as the commands take it
 * @text: digits, and one of K, M, G, T or nothing
 * @pages: the size in pages, rounded up
 *
 * memparse() takes any base, any trailing text, and what does not fit.
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int oomlens_parse_size(const char *text, unsigned long *pages)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	char number[24];
	unsigned int shift = 0;
	u64 bytes;

	if (!digits || digits >= sizeof(number))
		return -EINVAL;
	if (text[digits]) {
		const char *unit = strchr(units, toupper(text[digits]));

		if (!unit || text[digits + 1])
			return -EINVAL;
		shift = 10 * (unit - units + 1);
	}
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (kstrtoull(number, 10, &bytes) || bytes > (U64_MAX >> shift) - PAGE_SIZE)
		return -EINVAL;
	bytes = ((bytes << shift) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	*pages = bytes;
	return *pages == bytes ? 0 : -EINVAL;
}
