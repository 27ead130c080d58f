#include "policy/retry.h"

#include "policy/util.h"

#include <string.h>

enum { DELAY_MAX_S = 30 * 24 * 3600, TIMES_MAX = 1000, JITTER_MAX = 1000 };

static const struct {
	char letter;
	uint32_t seconds;
} units[] = {
	{ 'w', 7 * 24 * 3600 },
	{ 'd', 24 * 3600 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
};

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* At most nine digits: no overflow, and nothing needs more. */
static const char *parse_number(const char *s, uint32_t *out)
{
	size_t digits = strspn(s, "0123456789");
	*out = 0;
	if (digits == 0 || digits > 9)
		return NULL;
	for (size_t i = 0; i < digits; i++)
		*out = *out * 10 + (uint32_t)(s[i] - '0');
	return s + digits;
}

static uint32_t unit_seconds(char letter)
{
	for (size_t i = 0; i < POLICY_ARRAY_SIZE(units); i++) {
		if (units[i].letter == letter)
			return units[i].seconds;
	}
	return 0;
}

/* "90s", "1h30m"; a bare number is seconds. NULL: not one. */
static const char *parse_delay(const char *s, uint64_t *seconds_out)
{
	uint32_t number;
	*seconds_out = 0;
	do {
		s = parse_number(s, &number);
		if (!s)
			return NULL;
		uint32_t unit = unit_seconds(*s);
		*seconds_out += (uint64_t)number * (unit ? unit : 1);
		if (!unit)
			return s; /* what follows is the caller's */
		s++;
	} while (*s >= '0' && *s <= '9');
	return s;
}

static const char *fail_step(unsigned step, const char *text, char *why)
{
	policy_text(why, POLICY_TEXT_MAX, "step %u %s", step, text);
	return NULL;
}

static const char *parse_step(
	const char *s, unsigned step, uint32_t *delay_out, uint32_t *times_out, char *why)
{
	uint64_t seconds;
	const char *p = parse_delay(s, &seconds);
	if (!p)
		return fail_step(step, "is no duration: write 30s, 5m, 1h30m or 2d", why);
	if (seconds == 0)
		return fail_step(step,
			"is zero: a failed message would be tried without a pause; the "
			"shortest is 1s",
			why);
	if (seconds > DELAY_MAX_S)
		return fail_step(step, "is too long: the longest is 30d", why);
	*delay_out = (uint32_t)seconds;
	*times_out = 1;
	p = skip_blanks(p);
	if (*p != '*')
		return p;
	p = parse_number(skip_blanks(p + 1), times_out);
	if (!p || *times_out == 0 || *times_out > TIMES_MAX)
		return fail_step(step, "has no number from 1 to 1000 after its *", why);
	return skip_blanks(p);
}

bool policy_retry_parse(
	const char *s, struct policy_retry *out, char why[POLICY_TEXT_MAX])
{
	struct policy_retry retry = { 0 };
	for (s = skip_blanks(s);; s = skip_blanks(s + 1)) {
		unsigned step = (unsigned)retry.count + 1;
		if (*s == '\0') {
			policy_text(why, POLICY_TEXT_MAX,
				step == 1 ? "is empty: give at least one delay, as in "
					    "\"5m, 30m, 4h\""
					  : "ends with a comma: the last value repeats "
					    "by itself");
			return false;
		}
		if (retry.count == POLICY_RETRY_STEPS_MAX) {
			policy_text(why, POLICY_TEXT_MAX,
				"has more than %d steps; use 5m*3 for 5m, 5m, 5m",
				POLICY_RETRY_STEPS_MAX);
			return false;
		}
		s = parse_step(s, step, &retry.steps[retry.count].delay_s,
			&retry.steps[retry.count].times, why);
		if (!s)
			return false;
		retry.count++;
		if (*s == '\0')
			break;
		if (*s != ',')
			return fail_step(step, "is not followed by a comma", why) != NULL;
	}
	*out = retry;
	return true;
}

uint32_t policy_retry_delay_s(const struct policy_retry *retry, unsigned attempt,
	unsigned jitter, uint32_t random)
{
	unsigned left = attempt ? attempt - 1 : 0;
	size_t i = 0;
	while (i + 1 < retry->count && left >= retry->steps[i].times)
		left -= retry->steps[i++].times;
	uint32_t delay = retry->steps[i].delay_s;
	if (jitter > JITTER_MAX)
		jitter = JITTER_MAX;
	uint64_t spread = (uint64_t)delay * jitter / 1000;
	uint64_t offset = (uint64_t)random * (2 * spread + 1) >> 32;
	uint64_t result = delay - spread + offset;
	return result ? (uint32_t)result : 1;
}

void policy_retry_format(const struct policy_retry *retry, char *out, size_t out_size)
{
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < retry->count; i++) {
		uint32_t delay = retry->steps[i].delay_s, times = retry->steps[i].times;
		size_t u = 0;
		while (delay % units[u].seconds != 0)
			u++;
		len += policy_text(out + len, out_size - len, "%s%u%c", i ? ", " : "",
			delay / units[u].seconds, units[u].letter);
		if (times > 1)
			len += policy_text(out + len, out_size - len, "*%u", times);
	}
}
