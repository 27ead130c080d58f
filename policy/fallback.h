/*
 * The fallback table: what a failure leads to, now and at the next attempt.
 * One table in fallback.c says it all; these functions only look things up.
 */
#ifndef POLICY_FALLBACK_H
#define POLICY_FALLBACK_H

#include "policy/types.h"

/* What to do at once, within the attempt, after a failure at one address. */
enum policy_step {
	POLICY_STEP_NEXT_HOST, /* try the next address or host on the same channel */
	POLICY_STEP_PLAINTEXT_SESSION,   /* go on in this session, without TLS */
	POLICY_STEP_PLAINTEXT_RECONNECT, /* same address again, without STARTTLS */
	POLICY_STEP_STOP, /* the attempt ends: the verdict is final or in doubt */
	POLICY_STEP_COUNT
};
const char *policy_step_name(enum policy_step step);

struct policy_fallback_query {
	enum policy_fallback mode;
	enum policy_channel channel; /* of the attempt */
	bool tls_required;
	bool inside_tls; /* the failure happened inside TLS (matters for in_doubt) */
	enum policy_failure failure;
};

enum policy_step policy_fallback_step(const struct policy_fallback_query *query);

/* Does this failure flip the channel of the next attempt to plaintext? */
bool policy_fallback_flips(const struct policy_fallback_query *query);

/* What one attempt saw, collected over its hosts. */
struct policy_attempt_summary {
	enum policy_fallback mode;
	enum policy_channel channel;
	bool tls_required;
	bool flips;                  /* any host's failure flips in the mode */
	bool conversed;              /* some host was spoken to over SMTP */
	enum policy_failure failure; /* the one that is reported */
};

/* The channel that is due next, for a message that stays queued, and a
 * sentence that says why (borrowed, static). */
enum policy_channel policy_fallback_next_channel(
	const struct policy_attempt_summary *summary, const char **reason_out);

/* true if the mode needs at least three attempts; false for the other two. */
bool policy_fallback_needs_retries(enum policy_fallback mode);

#endif
