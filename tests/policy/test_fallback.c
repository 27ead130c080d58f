#include "table.h"

#include "policy/fallback.h"

#include <string.h>

/* The columns: none, plaintext, alternate, alternate-any. */
enum { N = POLICY_STEP_NEXT_HOST, S = POLICY_STEP_PLAINTEXT_SESSION };
enum { R = POLICY_STEP_PLAINTEXT_RECONNECT, X = POLICY_STEP_STOP };

static const struct tls_case {
	const char *name;
	enum policy_failure failure;
	bool inside_tls;
	int step[POLICY_FALLBACK_COUNT];
	bool flips[POLICY_FALLBACK_COUNT];
} tls_cases[] = {
	{ "no failure ends the attempt", POLICY_FAILURE_NONE, true, { X, X, X, X },
		{ 0, 0, 0, 0 } },
	{ "no STARTTLS goes on in plaintext in every mode", POLICY_FAILURE_NO_STARTTLS,
		false, { S, S, S, S }, { 0, 0, 0, 0 } },
	{ "STARTTLS refused", POLICY_FAILURE_STARTTLS_REFUSED, false, { N, S, N, N },
		{ 0, 0, 1, 1 } },
	{ "our side cannot start TLS", POLICY_FAILURE_TLS_INIT, false, { N, S, N, N },
		{ 0, 0, 1, 1 } },
	{ "handshake failed", POLICY_FAILURE_TLS_HANDSHAKE, true, { N, R, N, N },
		{ 0, 0, 1, 1 } },
	{ "lost inside TLS", POLICY_FAILURE_TLS_SESSION, true, { N, N, N, N },
		{ 0, 0, 0, 1 } },
	{ "in doubt inside TLS", POLICY_FAILURE_IN_DOUBT, true, { X, X, X, X },
		{ 0, 0, 0, 1 } },
	{ "in doubt outside TLS", POLICY_FAILURE_IN_DOUBT, false, { X, X, X, X },
		{ 0, 0, 0, 0 } },
	{ "a requirement is not met", POLICY_FAILURE_POLICY, true, { N, N, N, N },
		{ 0, 0, 0, 0 } },
	{ "a 4xx reply", POLICY_FAILURE_SMTP_TEMPORARY, true, { N, N, N, N },
		{ 0, 0, 0, 0 } },
	{ "a 5xx reply is final", POLICY_FAILURE_SMTP_PERMANENT, true, { X, X, X, X },
		{ 0, 0, 0, 0 } },
	{ "no connection", POLICY_FAILURE_CONNECT, false, { N, N, N, N },
		{ 0, 0, 0, 0 } },
	{ "no address", POLICY_FAILURE_DNS, false, { N, N, N, N }, { 0, 0, 0, 0 } },
	{ "lost outside TLS", POLICY_FAILURE_SESSION, false, { N, N, N, N },
		{ 0, 0, 0, 0 } },
};

static bool is_plaintext_step(enum policy_step step)
{
	return step == POLICY_STEP_PLAINTEXT_SESSION ||
	       step == POLICY_STEP_PLAINTEXT_RECONNECT;
}

static void check_tls_attempt(void **state)
{
	const struct tls_case *c = *state;
	for (int mode = 0; mode < POLICY_FALLBACK_COUNT; mode++) {
		struct policy_fallback_query q = {
			.mode = (enum policy_fallback)mode,
			.channel = POLICY_CHANNEL_TLS,
			.inside_tls = c->inside_tls,
			.failure = c->failure,
		};
		assert_string_equal(policy_step_name(policy_fallback_step(&q)),
			policy_step_name((enum policy_step)c->step[mode]));
		assert_int_equal(policy_fallback_flips(&q), c->flips[mode]);
	}
}

static void check_required(void **state)
{
	const struct tls_case *c = *state;
	for (int mode = 0; mode < POLICY_FALLBACK_COUNT; mode++) {
		struct policy_fallback_query q = {
			.mode = (enum policy_fallback)mode,
			.channel = POLICY_CHANNEL_TLS,
			.tls_required = true,
			.inside_tls = c->inside_tls,
			.failure = c->failure,
		};
		assert_false(is_plaintext_step(policy_fallback_step(&q)));
		assert_false(policy_fallback_flips(&q));
		struct policy_attempt_summary s = {
			.mode = q.mode,
			.tls_required = true,
			.flips = true, /* even then */
			.conversed = true,
			.failure = c->failure,
		};
		const char *reason = NULL;
		assert_int_equal(
			policy_fallback_next_channel(&s, &reason), POLICY_CHANNEL_TLS);
		assert_non_null(reason);
		s.channel = POLICY_CHANNEL_PLAINTEXT;
		assert_int_equal(
			policy_fallback_next_channel(&s, &reason), POLICY_CHANNEL_TLS);
	}
}

/* A plaintext attempt starts no TLS, flips to nothing, and goes to the next host. */
static void check_plaintext_attempt(void **state)
{
	const struct tls_case *c = *state;
	for (int mode = 0; mode < POLICY_FALLBACK_COUNT; mode++) {
		struct policy_fallback_query q = {
			.mode = (enum policy_fallback)mode,
			.channel = POLICY_CHANNEL_PLAINTEXT,
			.failure = c->failure,
		};
		int expected = c->step[mode];
		if (c->failure != POLICY_FAILURE_NO_STARTTLS &&
			is_plaintext_step((enum policy_step)expected))
			expected = N;
		assert_int_equal(policy_fallback_step(&q), expected);
		assert_false(policy_fallback_flips(&q));
	}
}

#define T POLICY_CHANNEL_TLS
#define P POLICY_CHANNEL_PLAINTEXT

/* What is due after an attempt, for each mode. */
static const struct next_case {
	const char *name;
	enum policy_channel channel;
	enum policy_failure failure;
	bool flips, conversed;
	enum policy_channel next[POLICY_FALLBACK_COUNT];
} next_cases[] = {
	{ "TLS failed in a class that flips", T, POLICY_FAILURE_TLS_HANDSHAKE, true, true,
		{ T, T, P, P } },
	{ "TLS failed in a class that does not", T, POLICY_FAILURE_TLS_SESSION, false,
		true, { T, T, T, T } },
	{ "one host flips, another cannot be reached", T, POLICY_FAILURE_CONNECT, true,
		true, { T, T, P, P } },
	{ "4xx over TLS", T, POLICY_FAILURE_SMTP_TEMPORARY, false, true, { T, T, T, T } },
	{ "no connection for TLS", T, POLICY_FAILURE_CONNECT, false, false,
		{ T, T, T, T } },
	{ "no address for TLS", T, POLICY_FAILURE_DNS, false, false, { T, T, T, T } },
	{ "in doubt, flipping", T, POLICY_FAILURE_IN_DOUBT, true, true, { T, T, P, P } },
	{ "4xx in plaintext goes back", P, POLICY_FAILURE_SMTP_TEMPORARY, false, true,
		{ T, T, T, T } },
	{ "lost in plaintext goes back", P, POLICY_FAILURE_SESSION, false, true,
		{ T, T, T, T } },
	{ "no connection in plaintext stays", P, POLICY_FAILURE_CONNECT, false, false,
		{ T, T, P, P } },
	{ "no address in plaintext stays", P, POLICY_FAILURE_DNS, false, false,
		{ T, T, P, P } },
	{ "no connection after a host was spoken to goes back", P, POLICY_FAILURE_CONNECT,
		false, true, { T, T, T, T } },
	{ "in doubt in plaintext stays", P, POLICY_FAILURE_IN_DOUBT, false, true,
		{ T, T, P, P } },
	{ "a 5xx verdict in plaintext flips nothing", P, POLICY_FAILURE_SMTP_PERMANENT,
		false, true, { T, T, P, P } },
};

static void check_next(void **state)
{
	const struct next_case *c = *state;
	for (int mode = 0; mode < POLICY_FALLBACK_COUNT; mode++) {
		struct policy_attempt_summary s = {
			.mode = (enum policy_fallback)mode,
			.channel = c->channel,
			.flips = c->flips,
			.conversed = c->conversed,
			.failure = c->failure,
		};
		const char *reason = NULL;
		assert_string_equal(
			policy_channel_name(policy_fallback_next_channel(&s, &reason)),
			policy_channel_name(c->next[mode]));
		assert_non_null(reason);
	}
}

/* The reason is read next to the failure, and must not contradict it. */
static const struct reason_case {
	const char *name;
	enum policy_failure failure;
	const char *says;
} reason_cases[] = {
	{ "TLS that broke late did fail in TLS", POLICY_FAILURE_TLS_SESSION,
		"only alternate-any" },
	{ "doubt", POLICY_FAILURE_IN_DOUBT, "only with alternate-any" },
	{ "no connection", POLICY_FAILURE_CONNECT, "no host was spoken to" },
	{ "no address", POLICY_FAILURE_DNS, "no host was spoken to" },
	{ "4xx", POLICY_FAILURE_SMTP_TEMPORARY, "nothing against TLS" },
	{ "a requirement", POLICY_FAILURE_POLICY, "never leads to plaintext" },
};

static void check_reason(void **state)
{
	const struct reason_case *c = *state;
	const char *reason = NULL;
	struct policy_attempt_summary s = {
		.mode = POLICY_FALLBACK_ALTERNATE,
		.channel = T,
		.failure = c->failure,
	};
	assert_int_equal(policy_fallback_next_channel(&s, &reason), T);
	assert_non_null(strstr(reason, c->says));
}

/* The source's modes 3 and 4: TLS, plaintext, TLS, plaintext ... */
static void check_alternation(void **state)
{
	enum policy_channel channel = T;
	const char *reason;
	(void)state;
	for (int attempt = 1; attempt <= 6; attempt++) {
		assert_int_equal(channel, attempt % 2 ? T : P);
		struct policy_fallback_query q = {
			.mode = POLICY_FALLBACK_ALTERNATE,
			.channel = channel,
			.failure = channel == T ? POLICY_FAILURE_TLS_HANDSHAKE
						: POLICY_FAILURE_SESSION,
		};
		struct policy_attempt_summary s = {
			.mode = q.mode,
			.channel = channel,
			.flips = policy_fallback_flips(&q),
			.conversed = true,
			.failure = q.failure,
		};
		channel = policy_fallback_next_channel(&s, &reason);
	}
}

static void check_needs_retries(void **state)
{
	(void)state;
	assert_false(policy_fallback_needs_retries(POLICY_FALLBACK_NONE));
	assert_false(policy_fallback_needs_retries(POLICY_FALLBACK_PLAINTEXT));
	assert_true(policy_fallback_needs_retries(POLICY_FALLBACK_ALTERNATE));
	assert_true(policy_fallback_needs_retries(POLICY_FALLBACK_ALTERNATE_ANY));
}

static const struct {
	const char *name;
} alternation_case[] = { { "TLS and plaintext alternate attempt by attempt" } },
  retries_case[] = { { "the alternating modes need retries" } };

int main(void)
{
	_Static_assert(
		sizeof(tls_cases) / sizeof(tls_cases[0]) == POLICY_FAILURE_COUNT + 1,
		"a case for every failure; in doubt has two");
	const struct table tables[] = {
		TABLE(check_tls_attempt, tls_cases),
		TABLE(check_required, tls_cases),
		TABLE(check_plaintext_attempt, tls_cases),
		TABLE(check_next, next_cases),
		TABLE(check_reason, reason_cases),
		TABLE(check_alternation, alternation_case),
		TABLE(check_needs_retries, retries_case),
	};
	return TABLE_RUN_ALL("policy/fallback", tables);
}
