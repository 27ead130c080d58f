/* What a broken session counts as, by where and how it broke. */
#include "delivery/failure.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct failure_case {
	const char *name;
	struct session_failure failure;
	enum policy_failure expected;
	const char *stage;
};

#define TALKING(...)                                              \
	{                                                         \
		.phase = SESSION_TALKING, .smtp = { __VA_ARGS__ } \
	}

static const struct failure_case cases[] = {
	{ "a refused connection", { .phase = SESSION_DIALING }, POLICY_FAILURE_CONNECT,
		"connect" },
	{ "TLS that cannot begin on our side",
		{ .phase = SESSION_HANDSHAKE,
			.is_tls_init = true,
			.smtp = { .state = SMTP_STATE_TLS } },
		POLICY_FAILURE_TLS_INIT, "tls" },
	{ "an alert in the handshake",
		{ .phase = SESSION_HANDSHAKE, .smtp = { .state = SMTP_STATE_TLS } },
		POLICY_FAILURE_TLS_HANDSHAKE, "tls" },
	{ "closed before the banner",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_BANNER),
		POLICY_FAILURE_CONNECT, "banner" },
	{ "no banner in time",
		TALKING(.cause = SMTP_CAUSE_TIMEOUT, .state = SMTP_STATE_BANNER),
		POLICY_FAILURE_CONNECT, "banner" },
	{ "garbage for a banner",
		TALKING(.cause = SMTP_CAUSE_PROTOCOL, .state = SMTP_STATE_BANNER),
		POLICY_FAILURE_SESSION, "banner" },
	{ "a banner that refuses",
		TALKING(.cause = SMTP_CAUSE_REPLY, .state = SMTP_STATE_BANNER),
		POLICY_FAILURE_SMTP_TEMPORARY, "banner" },
	{ "STARTTLS refused",
		TALKING(.cause = SMTP_CAUSE_STARTTLS_REFUSED,
			.state = SMTP_STATE_STARTTLS),
		POLICY_FAILURE_STARTTLS_REFUSED, "starttls" },
	{ "STARTTLS refused, and hung up",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_MAIL,
			.after_refusal = true),
		POLICY_FAILURE_STARTTLS_REFUSED, "mail" },
	{ "STARTTLS refused, and 421",
		TALKING(.cause = SMTP_CAUSE_REPLY, .state = SMTP_STATE_READY,
			.after_refusal = true, .reply = { .code = 421 }),
		POLICY_FAILURE_STARTTLS_REFUSED, "ready" },
	{ "STARTTLS refused, and silence",
		TALKING(.cause = SMTP_CAUSE_TIMEOUT, .state = SMTP_STATE_MAIL,
			.after_refusal = true),
		POLICY_FAILURE_SESSION, "mail" },
	{ "STARTTLS refused, and the message lost",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_MAIL,
			.after_refusal = true, .in_doubt = true),
		POLICY_FAILURE_IN_DOUBT, "mail" },
	{ "hung up on STARTTLS",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_STARTTLS),
		POLICY_FAILURE_TLS_HANDSHAKE, "starttls" },
	{ "bytes injected before TLS",
		TALKING(.cause = SMTP_CAUSE_INJECTED, .state = SMTP_STATE_TLS),
		POLICY_FAILURE_TLS_HANDSHAKE, "tls" },
	{ "an alert before the first reply inside TLS",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_EHLO_TLS,
			.inside_tls = true, .before_first_tls_reply = true),
		POLICY_FAILURE_TLS_HANDSHAKE, "ehlo_tls" },
	{ "silence before the first reply inside TLS",
		TALKING(.cause = SMTP_CAUSE_TIMEOUT, .state = SMTP_STATE_EHLO_TLS,
			.inside_tls = true, .before_first_tls_reply = true),
		POLICY_FAILURE_TLS_HANDSHAKE, "ehlo_tls" },
	{ "lost later inside TLS",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_DATA,
			.inside_tls = true),
		POLICY_FAILURE_TLS_SESSION, "data" },
	{ "lost outside TLS", TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_RCPT),
		POLICY_FAILURE_SESSION, "rcpt" },
	{ "lost after the final dot",
		TALKING(.cause = SMTP_CAUSE_LOST, .state = SMTP_STATE_FINAL,
			.inside_tls = true, .in_doubt = true),
		POLICY_FAILURE_IN_DOUBT, "final" },
	{ "a 421 inside TLS",
		TALKING(.cause = SMTP_CAUSE_REPLY, .state = SMTP_STATE_MAIL,
			.inside_tls = true),
		POLICY_FAILURE_SMTP_TEMPORARY, "mail" },
	{ "given up by us",
		TALKING(.cause = SMTP_CAUSE_ABORTED, .state = SMTP_STATE_BODY,
			.inside_tls = true),
		POLICY_FAILURE_SESSION, "body" },
};

static void run_case(void **state)
{
	const struct failure_case *c = *state;
	assert_string_equal(policy_failure_name(failure_classify(&c->failure)),
		policy_failure_name(c->expected));
	assert_string_equal(failure_stage(&c->failure), c->stage);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases)];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run_case,
			.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
