/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the tests of events: a descriptor that stays open and is read on, and
 * lines of key=value held against what is expected.
 */
#ifndef OOMLENS_EVENTS_H
#define OOMLENS_EVENTS_H

#include "test.h"

/*
 * From here on the watermarks in /proc/zoneinfo are those that an event shows: the
 * kernel boosts them for a while where memory is fragmented. This turns the boost
 * off, and a write to watermark_scale_factor ends one that is there already.
 * Source: boost_watermark(), __setup_per_zone_wmarks().
 */
void watermarks_stay(void);

/* What there is to read from here on; "" at the end; to be freed. */
char *read_on(int fd);
void drain(int fd);

/* The next event, found by poll, with whatever came with it. */
char *next_event(int fd, long long *number);

/* The next one that killed; a real shortage can come with others before it. */
char *next_killed(int fd, long long *number);

/* exit_us and freed_us come later, within what the reaper takes at most. */
bool times_come(long long n);

/* Skips the program if one of the three sources is missing. */
void events_need_sources(void);

/* A reader of what comes from now on. */
int events_open(void);

#endif /* OOMLENS_EVENTS_H */
