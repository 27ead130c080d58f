#include "base/timefmt.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t clock_wall_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_offset_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return clock_wall_ms() - ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

bool clock_is_step(int64_t ms)
{
	enum { STEP_MIN_MS = 60 * 1000 };
	return ms >= STEP_MIN_MS || ms <= -STEP_MIN_MS;
}

static void split(int64_t ms, struct tm *tm, int *millis)
{
	int64_t s = ms / 1000;
	int rest = (int)(ms % 1000);
	if (rest < 0) {
		rest += 1000;
		s--;
	}
	time_t t = (time_t)s;
	if (!gmtime_r(&t, tm))
		memset(tm, 0, sizeof(*tm));
	*millis = rest;
}

static void put_digits(char *to, unsigned n, int count)
{
	while (count--) {
		to[count] = (char)('0' + n % 10);
		n /= 10;
	}
}

enum { DAY_S = 86400, ERA_DAYS = 146097 }; /* an era: 400 years of the calendar */

/* Date and time to the second, 19 octets, of seconds since 0000-01-01. Counted
 * from the first of March the leap day is the last of its year, and months are
 * 153 days in five. */
static void put_civil(char *out, uint64_t seconds)
{
	uint64_t days = seconds / DAY_S + ERA_DAYS - 60; /* since -0400-03-01 */
	unsigned rest = (unsigned)(seconds % DAY_S);
	unsigned day = (unsigned)(days % ERA_DAYS);
	unsigned year = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
	unsigned of_year = day - (365 * year + year / 4 - year / 100);
	unsigned fifth = (5 * of_year + 2) / 153; /* months since March */
	unsigned month = fifth < 10 ? fifth + 3 : fifth - 9;
	year += (unsigned)(days / ERA_DAYS) * 400 - 400 + (month <= 2);
	memcpy(out, "0000-00-00T00:00:00", 19); /* NOLINT: more follows */
	put_digits(out, year, 4);
	put_digits(out + 5, month, 2);
	put_digits(out + 8, of_year - (153 * fifth + 2) / 5 + 1, 2);
	put_digits(out + 11, rest / 3600, 2);
	put_digits(out + 14, rest / 60 % 60, 2);
	put_digits(out + 17, rest % 60, 2);
}

/* Years of more or less than four digits: no clock shows them. */
static void put_far(char *out, int64_t ms)
{
	struct tm tm;
	int millis;
	split(ms, &tm, &millis);
	int len = snprintf(out, TIMEFMT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d",
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
	if (millis)
		snprintf(out + len, (size_t)(TIMEFMT_MAX - len), ".%03dZ", millis);
	else
		snprintf(out + len, (size_t)(TIMEFMT_MAX - len), "Z");
}

/* Every line of the log and every record has a time: no printf, no time zones. */
void timefmt_rfc3339(int64_t ms, char *out)
{
	static const int64_t year_0_ms = -62167219200000, year_10000_ms = 253402300800000;
	if (ms < year_0_ms || ms >= year_10000_ms) {
		put_far(out, ms);
		return;
	}
	uint64_t since = (uint64_t)(ms - year_0_ms);
	unsigned millis = (unsigned)(since % 1000);
	char *end = out + 19;
	put_civil(out, since / 1000);
	if (millis) {
		*end = '.';
		put_digits(end + 1, millis, 3);
		end += 4;
	}
	memcpy(end, "Z", 2);
}

void timefmt_rfc5322(int64_t ms, char *out)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;
	int millis;
	split(ms, &tm, &millis);
	char line[160]; /* wide enough for any int, so that nothing can be cut */
	snprintf(line, sizeof(line), "%s, %d %s %04d %02d:%02d:%02d +0000",
		days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
	snprintf(out, TIMEFMT_MAX, "%.47s", line);
}

/* Exactly count digits: no sign, no blank, as sscanf would let through. */
static bool parse_digits(const char **s, int count, int *out)
{
	*out = 0;
	for (int i = 0; i < count; i++, (*s)++) {
		if (!text_is_digit(**s))
			return false;
		*out = *out * 10 + (**s - '0');
	}
	return true;
}

static bool parse_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* The zone after the seconds: "Z", "+09:00" or nothing (UTC). */
static bool parse_zone(const char *s, int *offset_s)
{
	*offset_s = 0;
	if (!*s || text_equal(s, "Z"))
		return true;
	int h, m, sign = *s == '-' ? -1 : 1;
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!parse_digits(&s, 2, &h) || !parse_char(&s, ':') ||
		!parse_digits(&s, 2, &m) || *s || h > 23 || m > 59)
		return false;
	*offset_s = (h * 3600 + m * 60) * sign;
	return true;
}

static bool parse_fraction(const char **s, int *millis)
{
	*millis = 0;
	if (**s != '.')
		return true;
	int scale = 100;
	(*s)++;
	if (!text_is_digit(**s))
		return false;
	for (; text_is_digit(**s); (*s)++, scale /= 10)
		*millis += (**s - '0') * scale;
	return true;
}

/* "HH:MM[:SS[.fraction]][zone]" */
static bool parse_time(const char *s, struct tm *tm, int *millis, int *offset_s)
{
	*millis = 0;
	if (!parse_digits(&s, 2, &tm->tm_hour) || !parse_char(&s, ':') ||
		!parse_digits(&s, 2, &tm->tm_min))
		return false;
	if (parse_char(&s, ':') &&
		(!parse_digits(&s, 2, &tm->tm_sec) || !parse_fraction(&s, millis)))
		return false;
	return parse_zone(s, offset_s) && tm->tm_hour <= 23 && tm->tm_min <= 59 &&
	       tm->tm_sec <= 60;
}

/* timegm makes the 1st of March of a 29th of February that is none. */
static bool is_in_calendar(const struct tm *tm)
{
	struct tm day = {
		.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday
	};
	(void)timegm(&day);
	return day.tm_mon == tm->tm_mon && day.tm_mday == tm->tm_mday;
}

static bool parse_date(const char *s, int64_t *ms_out)
{
	struct tm tm = { 0 };
	int millis = 0, offset_s = 0;
	if (!parse_digits(&s, 4, &tm.tm_year) || !parse_char(&s, '-') ||
		!parse_digits(&s, 2, &tm.tm_mon) || !parse_char(&s, '-') ||
		!parse_digits(&s, 2, &tm.tm_mday) || tm.tm_year < 1970)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (!is_in_calendar(&tm))
		return false;
	if (*s && *s != 'T' && *s != 't' && *s != ' ')
		return false;
	if (*s && !parse_time(s + 1, &tm, &millis, &offset_s))
		return false;
	*ms_out = ((int64_t)timegm(&tm) - offset_s) * 1000 + millis;
	return true;
}

bool timefmt_parse_instant(const char *s, int64_t now_ms, int64_t *ms_out)
{
	int64_t ago_ms;
	if (parse_date(s, ms_out))
		return true;
	if (!timefmt_parse_duration(s, &ago_ms))
		return false;
	*ms_out = now_ms - ago_ms;
	return true;
}

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{ "w", 7 * 86400000LL },
	{ "d", 86400000LL },
	{ "h", 3600000LL },
	{ "m", 60000LL },
	{ "s", 1000LL },
	{ "ms", 1LL },
};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

static int64_t unit_ms(const char *s, size_t len)
{
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		if (strlen(units[i].name) == len && strncmp(units[i].name, s, len) == 0)
			return units[i].ms;
	}
	return 0;
}

bool timefmt_parse_duration(const char *s, int64_t *ms_out)
{
	int64_t total = 0;
	const char *begin = s;
	if (!text_is_digit(*s))
		return false;
	while (*s) {
		if (!text_is_digit(*s))
			return false;
		char *end;
		errno = 0;
		long long n = strtoll(s, &end, 10);
		size_t len = strspn(end, "wdhms");
		int64_t unit = len ? unit_ms(end, len) : 1000;
		/* A number without a unit is only allowed alone. */
		if (errno || !unit || (!len && (*end || s != begin)))
			return false;
		int64_t part;
		if (__builtin_mul_overflow((int64_t)n, unit, &part) ||
			__builtin_add_overflow(total, part, &total))
			return false;
		s = end + len;
	}
	*ms_out = total;
	return true;
}

void timefmt_duration(int64_t ms, char *out)
{
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		if (ms && ms % units[i].ms == 0) {
			snprintf(out, TIMEFMT_MAX, "%lld%s",
				(long long)(ms / units[i].ms), units[i].name);
			return;
		}
	}
	snprintf(out, TIMEFMT_MAX, "0s");
}

void timefmt_human(int64_t ms, char *out)
{
	size_t len = 0;
	int shown = 0;
	if (ms < 1000) {
		snprintf(out, TIMEFMT_MAX, "now");
		return;
	}
	for (size_t i = 1; i < UNIT_COUNT - 1 && shown < 2; i++) {
		int64_t n = ms / units[i].ms;
		ms %= units[i].ms;
		if (!n) {
			if (shown)
				break;
			continue;
		}
		len += (size_t)snprintf(out + len, TIMEFMT_MAX - len, "%s%lld%s",
			shown ? " " : "", (long long)n, units[i].name);
		shown++;
	}
}
