/*
 * Times and durations as text. Instants are milliseconds or seconds since the
 * epoch, UTC; durations are seconds. Reading the clock is in clock_*, which
 * pure code does not call: there time comes in as a parameter.
 */
#ifndef BASE_TIMEFMT_H
#define BASE_TIMEFMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMEFMT_MAX = 48 };

int64_t clock_wall_ms(void);      /* CLOCK_REALTIME */
int64_t clock_monotonic_ms(void); /* never steps back */
/* How far the first is from what counts since the boot, sleep included: it changes only
 * when somebody sets the clock. */
int64_t clock_offset_ms(void);
/* What is no slew, and worth the trouble: a minute. */
bool clock_is_step(int64_t ms);

/* RFC 3339 in UTC: "2026-11-21T20:43:00.123Z"; without ".123" where ms is a
 * whole second. out has TIMEFMT_MAX octets. */
void timefmt_rfc3339(int64_t ms, char *out);

/* RFC 5322 date-time in UTC: "Sat, 21 Nov 2026 20:43:00 +0000". */
void timefmt_rfc5322(int64_t ms, char *out);

/* Reads RFC 3339, "YYYY-MM-DD", "YYYY-MM-DD HH:MM[:SS]" (UTC), or a duration
 * before now ("2h", "3d"). false: none of these. */
bool timefmt_parse_instant(const char *s, int64_t now_ms, int64_t *ms_out);

/* "90s", "5m", "1h", "5d", "1h30m", "2w", "250ms"; a bare number is seconds.
 * The result is in milliseconds. */
bool timefmt_parse_duration(const char *s, int64_t *ms_out);

/* The shortest exact form that timefmt_parse_duration reads back: "5d", "90s". */
void timefmt_duration(int64_t ms, char *out);

/* For people, two units at most: "3d 4h", "12m", "now" below a second. */
void timefmt_human(int64_t ms, char *out);

#endif
