#include "table.h"

#include "policy/retry.h"

#include <string.h>

static const struct schedule_case {
	const char *name, *in, *canonical;
	uint32_t delays[8]; /* of the attempts from 1 */
} schedules[] = {
	{ "the manual's example", "1m, 5m*2, 15m, 1h*3, 4h", "1m, 5m*2, 15m, 1h*3, 4h",
		{ 60, 300, 300, 900, 3600, 3600, 3600, 14400 } },
	{ "the last value repeats", "30s", "30s", { 30, 30, 30, 30, 30, 30, 30, 30 } },
	{ "the last value repeats over its count", "1s,2s*2", "1s, 2s*2",
		{ 1, 2, 2, 2, 2, 2, 2, 2 } },
	{ "units add up", "1h30m, 90", "90m, 90s", { 5400, 90, 90, 90, 90, 90, 90, 90 } },
	{ "blanks do not count", "  1m * 2 ,\t2d ", "1m*2, 2d",
		{ 60, 60, 172800, 172800, 172800, 172800, 172800, 172800 } },
};

static void check_schedule(void **state)
{
	const struct schedule_case *c = *state;
	struct policy_retry retry;
	char why[POLICY_TEXT_MAX] = "", text[256];
	bool ok = policy_retry_parse(c->in, &retry, why);
	assert_string_equal(why, "");
	assert_true(ok);
	policy_retry_format(&retry, text, sizeof(text));
	assert_string_equal(text, c->canonical);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(
			policy_retry_delay_s(&retry, i + 1, 0, 12345), c->delays[i]);
	assert_int_equal(policy_retry_delay_s(&retry, UINT32_MAX, 0, 0), c->delays[7]);
}

static const struct bad_case {
	const char *name, *in, *why;
} bad[] = {
	{ "an empty schedule", "", "empty" },
	{ "zero would spin", "0s", "step 1 is zero" },
	{ "zero later on", "1m, 0", "step 2 is zero" },
	{ "over 30 days", "1m, 2m, 31d", "step 3 is too long" },
	{ "a number with too many digits", "99999999999s", "step 1 is no duration" },
	{ "a word", "soon", "step 1 is no duration" },
	{ "an unknown unit", "5y", "comma" },
	{ "a sign", "-5m", "no duration" },
	{ "a trailing comma", "1m,", "ends with a comma" },
	{ "two commas", "1m,,2m", "step 2 is no duration" },
	{ "no comma", "1m 2m", "step 1 is not followed by a comma" },
	{ "times nothing", "1m*", "step 1 has no number" },
	{ "times zero", "1m*0", "step 1 has no number" },
	{ "times too much", "1m*1001", "step 1 has no number" },
};

static void check_bad(void **state)
{
	const struct bad_case *c = *state;
	struct policy_retry retry;
	char why[POLICY_TEXT_MAX] = "";
	assert_false(policy_retry_parse(c->in, &retry, why));
	if (!strstr(why, c->why))
		fail_msg("\"%s\" is not in \"%s\"", c->why, why);
}

static void check_too_many(void **state)
{
	char text[4 * (POLICY_RETRY_STEPS_MAX + 1) + 1] = "", why[POLICY_TEXT_MAX];
	struct policy_retry retry;
	(void)state;
	for (int i = 0; i < POLICY_RETRY_STEPS_MAX; i++)
		strcat(text, i ? ",1s" : "1s");
	assert_true(policy_retry_parse(text, &retry, why));
	strcat(text, ",1s");
	assert_false(policy_retry_parse(text, &retry, why));
	assert_non_null(strstr(why, "64 steps"));
}

static const struct jitter_case {
	const char *name;
	unsigned jitter;
	uint32_t random, delay;
} jitters[] = {
	{ "no jitter", 0, UINT32_MAX, 1000 },
	{ "ten per cent down", 100, 0, 900 },
	{ "ten per cent up", 100, UINT32_MAX, 1100 },
	{ "ten per cent, the middle", 100, UINT32_MAX / 2 + 1, 1000 },
	{ "all of it down is a second, not zero", 1000, 0, 1 },
	{ "more than all of it counts as all", 5000, UINT32_MAX, 2000 },
};

static void check_jitter(void **state)
{
	const struct jitter_case *c = *state;
	struct policy_retry retry = { .steps = { { 1000, 1 } }, .count = 1 };
	assert_int_equal(policy_retry_delay_s(&retry, 1, c->jitter, c->random), c->delay);
}

static const struct {
	const char *name;
} too_many_case[] = { { "64 steps and no more" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_schedule, schedules),
		TABLE(check_bad, bad),
		TABLE(check_too_many, too_many_case),
		TABLE(check_jitter, jitters),
	};
	return TABLE_RUN_ALL("policy/retry", tables);
}
