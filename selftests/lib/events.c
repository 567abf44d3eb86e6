// SPDX-License-Identifier: GPL-2.0
/*
 * Events read on from one descriptor, and their lines held against what is
 * expected.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>

#include "events.h"
#include "supervise.h"
#include "text.h"

void watermarks_stay(void)
{
	static const char apart[] = "/proc/sys/vm/watermark_scale_factor";
	char *value = read_file(apart);

	setting_write("/proc/sys/vm/watermark_boost_factor", "0");
	if (!value || write_file(apart, value))
		ksft_exit_fail_msg("cannot end the boost of watermarks\n");
	free(value);
}

char *read_on(int fd)
{
	size_t size = 1 << 16, n = 0;
	char *text = malloc(size);
	ssize_t got;

	while (text && (got = read(fd, text + n, size - n - 1)) > 0) {
		n += got;
		if (size - n < 4096)
			text = realloc(text, size *= 2);
	}
	if (text)
		text[n] = '\0';
	return text;
}

void drain(int fd)
{
	free(read_on(fd));
}

char *next_event(int fd, long long *number)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *text, *line;

	if (poll(&p, 1, PATIENCE_MS) != 1 || !(p.revents & POLLIN)) {
		ksft_print_msg("poll tells of no event\n");
		return NULL;
	}
	text = read_on(fd);
	line = text ? strstr(text, "event ") : NULL;
	if (!line || sscanf(line, "event %lld", number) != 1) {
		ksft_print_msg("poll told of an event, and there is none\n");
		free(text);
		return NULL;
	}
	return text;
}

char *next_killed(int fd, long long *number)
{
	unsigned long long end = now_ns() + PATIENCE_MS * 1000000ULL;
	char *text, *line;

	while (now_ns() < end) {
		text = next_event(fd, number);
		if (!text)
			return NULL;
		line = strstr(text, " outcome=killed ");
		if (line) {
			while (line > text && line[-1] != '\n')
				line--;
			if (sscanf(line, "event %lld", number) == 1)
				return text;
		}
		free(text);
	}
	return NULL;
}

bool times_come(long long n)
{
	unsigned long long end = now_ns() + 10000000000ULL;
	long long exit_us, freed_us;

	do {
		char *text = read_lens("events");
		const char *line = event_line(text, "victim", n, 0);

		exit_us = line_number(line, "exit_us");
		freed_us = line_number(line, "freed_us");
		free(text);
		if (exit_us != LLONG_MIN && freed_us != LLONG_MIN)
			return exit_us >= 0 && freed_us > 0 && freed_us < 10000000;
		nap_ms(5);
	} while (now_ns() < end);
	ksft_print_msg("event %lld: exit_us %lld freed_us %lld\n", n, exit_us, freed_us);
	return false;
}

void events_need_sources(void)
{
	if (!lens_feature("oom_probe") || !lens_feature("mark_victim") ||
	    !lens_feature("notifier"))
		ksft_exit_skip("not all sources are there: see oomlens_events_sources\n");
}

int events_open(void)
{
	int fd = open(lens_path("events"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("events: %s\n", strerror(errno));
	drain(fd);
	return fd;
}
