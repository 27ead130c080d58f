#include "base/timefmt.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define DAY_MS 86400000LL

enum { NOW_MS = 100000000 };

static const struct {
	int64_t ms;
	const char *rfc3339, *rfc5322;
} instants[] = {
	{ 0, "1970-01-01T00:00:00Z", "Thu, 1 Jan 1970 00:00:00 +0000" },
	{ 1795293780000, "2026-11-21T20:43:00Z", "Sat, 21 Nov 2026 20:43:00 +0000" },
	{ 1795293780123, "2026-11-21T20:43:00.123Z", "Sat, 21 Nov 2026 20:43:00 +0000" },
	{ 1795293780007, "2026-11-21T20:43:00.007Z", "Sat, 21 Nov 2026 20:43:00 +0000" },
	{ 951782400000, "2000-02-29T00:00:00Z", "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 4102444799999, "2099-12-31T23:59:59.999Z", "Thu, 31 Dec 2099 23:59:59 +0000" },
};

static void instants_are_written_and_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(instants); i++) {
		char out[TIMEFMT_MAX];
		int64_t back = -1;
		timefmt_rfc3339(instants[i].ms, out);
		assert_string_equal(out, instants[i].rfc3339);
		assert_true(timefmt_parse_instant(out, NOW_MS, &back));
		assert_true(back == instants[i].ms);
		timefmt_rfc5322(instants[i].ms, out);
		assert_string_equal(out, instants[i].rfc5322);
	}
}

/* What the C library makes of it. */
static void expected_rfc3339(int64_t ms, char out[TIMEFMT_MAX])
{
	struct tm tm;
	char whole[TIMEFMT_MAX];
	time_t t = (time_t)((ms - (ms % 1000 + 1000) % 1000) / 1000);
	int millis = (int)((ms % 1000 + 1000) % 1000);
	assert_non_null(gmtime_r(&t, &tm));
	int len = snprintf(whole, sizeof(whole), "%04d-", tm.tm_year + 1900);
	strftime(whole + len, sizeof(whole) - (size_t)len, "%m-%dT%H:%M:%S", &tm);
	if (millis)
		snprintf(out, TIMEFMT_MAX, "%.40s.%03dZ", whole, millis);
	else
		snprintf(out, TIMEFMT_MAX, "%.40sZ", whole);
}

static void every_day_of_the_calendar_is_written_as_the_library_does(void **state)
{
	(void)state;
	static const struct {
		int64_t from_ms, to_ms, step_ms;
	} spans[] = {
		/* 1896 .. 2404: every rule of leap years; then all years, now and
		 * then, and what lies before and after those of four digits */
		{ -2335219200000, 13727836800000, DAY_MS },
		{ -2335219200001, 13727836800000, DAY_MS * 11 },
		{ -62200000000000, 253500000000000, DAY_MS * 89 + 45296789 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		for (int64_t ms = spans[i].from_ms; ms < spans[i].to_ms;
			ms += spans[i].step_ms) {
			char out[TIMEFMT_MAX], expected[TIMEFMT_MAX];
			timefmt_rfc3339(ms, out);
			expected_rfc3339(ms, expected);
			assert_string_equal(out, expected);
		}
	}
}

static void no_instant_overruns_its_text(void **state)
{
	(void)state;
	static const int64_t far[] = { INT64_MIN, -1, INT64_MAX, 253402300800000 };
	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		char *out = xmalloc(TIMEFMT_MAX);
		timefmt_rfc3339(far[i], out);
		assert_true(strlen(out) < TIMEFMT_MAX);
		timefmt_rfc5322(far[i], out);
		assert_true(strlen(out) < TIMEFMT_MAX);
		free(out);
	}
}

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
} readings[] = {
	{ "1970-01-02", DAY_MS },
	{ "1970-01-02 01:30", DAY_MS + 5400000 },
	{ "1970-01-02 01:30:05", DAY_MS + 5405000 },
	{ "1970-01-02t01:30:05z", DAY_MS + 5405000 },
	{ "1970-01-02T09:00:00+09:00", DAY_MS },
	{ "1970-01-01T21:00:00-03:00", DAY_MS },
	{ "1970-01-02T00:00:00.5Z", DAY_MS + 500 },
	{ "1970-01-02T00:00:00.123456789Z", DAY_MS + 123 },
	{ "2h", NOW_MS - 7200000 },
	{ "60", NOW_MS - 60000 },
	{ "", -1 },
	{ "yesterday", -1 },
	{ "1970-13-01", -1 },
	{ "1970-00-01", -1 },
	{ "1970-01-32", -1 },
	{ "1970-01-00", -1 },
	{ "1970-01-02x", -1 },
	{ "1970-01-02T", -1 },
	{ "1970-01-02T24:00", -1 },
	{ "1970-01-02T00:60", -1 },
	{ "1970-01-02T00:00:61", -1 },
	{ "1970-01-02T00:00:00.", -1 },
	{ "1970-01-02T00:00:00+25:00", -1 },
	{ "1970-01-02T00:00:00 +09:00", -1 },
	{ "1970-01-02T00:00:00Zulu", -1 },
	{ "1969-12-31", -1 },
	{ "2026-02-29", -1 },
	{ "2026-04-31", -1 },
	{ "1970-01-02 10:-5", -1 },
	{ "1970-01-02 -1:05", -1 },
	{ "1970-01-02 10:05:-5", -1 },
	{ "1970-01-02 1:05", -1 },
	{ "1970-1-2", -1 },
	{ "1970-+1-02", -1 },
	{ " 1970-01-02", -1 },
	{ "1970-01-02T00:00:00+-5:00", -1 },
	{ "1970-01-02T00:00:00+9:00", -1 },
	{ "-2h", -1 },
};

static void times_are_read_as_people_write_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
		int64_t ms = -1;
		bool is_read = timefmt_parse_instant(readings[i].text, NOW_MS, &ms);
		if (is_read != (readings[i].ms >= 0) || (is_read && ms != readings[i].ms))
			fail_msg("\"%s\" gives %lld", readings[i].text, (long long)ms);
	}
}

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
	const char *shortest;
} durations[] = {
	{ "0", 0, "0s" },
	{ "90s", 90000, "90s" },
	{ "90", 90000, "90s" },
	{ "5m", 300000, "5m" },
	{ "300s", 300000, "5m" },
	{ "1h30m", 5400000, "90m" },
	{ "1h", 3600000, "1h" },
	{ "24h", DAY_MS, "1d" },
	{ "5d", 5 * DAY_MS, "5d" },
	{ "2w", 14 * DAY_MS, "2w" },
	{ "250ms", 250, "250ms" },
	{ "1s250ms", 1250, "1250ms" },
	{ "106751991167d", 106751991167LL * DAY_MS, "106751991167d" },
	{ "106751991168d", -1, NULL },
	{ "99999999999999999999", -1, NULL },
	{ "", -1, NULL },
	{ "h", -1, NULL },
	{ "1x", -1, NULL },
	{ "1hm", -1, NULL },
	{ "1h30", -1, NULL },
	{ "0h30", -1, NULL },
	{ "30 ", -1, NULL },
	{ "30 m", -1, NULL },
	{ " 30m", -1, NULL },
	{ "-1m", -1, NULL },
	{ "1h-1m", -1, NULL },
	{ "1.5h", -1, NULL },
	{ "1H", -1, NULL },
};

static void durations_are_read_and_written_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		char out[TIMEFMT_MAX];
		int64_t ms = -1, back = -1;
		bool is_read = timefmt_parse_duration(durations[i].text, &ms);
		if (is_read != (durations[i].ms >= 0) ||
			(is_read && ms != durations[i].ms))
			fail_msg("\"%s\" gives %lld", durations[i].text, (long long)ms);
		if (!is_read)
			continue;
		timefmt_duration(ms, out);
		assert_string_equal(out, durations[i].shortest);
		assert_true(timefmt_parse_duration(out, &back));
		assert_true(back == ms);
	}
}

static void people_see_two_units(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *expected;
	} table[] = { { 0, "now" }, { 999, "now" }, { -5000, "now" }, { 1000, "1s" },
		{ 59999, "59s" }, { 60000, "1m" }, { 61000, "1m 1s" }, { 720000, "12m" },
		{ 3600000, "1h" }, { 3605000, "1h" }, { 3 * DAY_MS + 14400000, "3d 4h" },
		{ 3 * DAY_MS + 14460000, "3d 4h" }, { 3 * DAY_MS + 60000, "3d" },
		{ 30 * DAY_MS, "30d" } };
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char out[TIMEFMT_MAX];
		timefmt_human(table[i].ms, out);
		assert_string_equal(out, table[i].expected);
	}
}

static void the_monotonic_clock_does_not_step_back(void **state)
{
	(void)state;
	int64_t before = clock_monotonic_ms();
	assert_true(clock_monotonic_ms() >= before);
	assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instants_are_written_and_read_back),
		cmocka_unit_test(
			every_day_of_the_calendar_is_written_as_the_library_does),
		cmocka_unit_test(no_instant_overruns_its_text),
		cmocka_unit_test(times_are_read_as_people_write_them),
		cmocka_unit_test(durations_are_read_and_written_back),
		cmocka_unit_test(people_see_two_units),
		cmocka_unit_test(the_monotonic_clock_does_not_step_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
