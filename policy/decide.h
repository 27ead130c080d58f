/*
 * The decision: for one destination and host, which channel, which TLS, and
 * why. The delivery, `policy explain` and the tests all call policy_decide;
 * there is no second implementation.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/set.h"
#include "policy/settings.h"
#include "policy/types.h"

struct policy_query {
	const char *destination; /* normalized */
	const char *host; /* MX host, normalized; NULL: not resolved yet, or a literal */
	const struct policy_settings *settings;

	/* What the queue remembers for the message and destination. */
	enum policy_channel due_channel; /* TLS for a first attempt */
	unsigned attempts;               /* made so far */
	const char *due_reason; /* why the channel is due, for the reasons; may be NULL */
};

/* One rule that took part. */
struct policy_reason {
	char rule[256];             /* "file:line" or the name of an option */
	char text[POLICY_TEXT_MAX]; /* one sentence, lower case, no full stop */
	bool decided;               /* this one settled the channel */
};

struct policy_decision {
	enum policy_channel channel; /* of this attempt */
	bool use_starttls;           /* send STARTTLS where it is offered */
	bool tls_required;           /* plaintext is never an outcome (2.3) */
	bool by_fallback; /* plaintext because an earlier attempt failed: a downgrade */
	enum policy_fallback fallback; /* the mode in force; NONE where required */
	unsigned protocols;            /* mask */
	enum policy_greeting greeting; /* after STARTTLS */
	char sni[POLICY_NAME_MAX + 1]; /* empty: send none */
	char decided_by[256];          /* the rule of the reason that decided */
	size_t reason_count;
	struct policy_reason
		reasons[POLICY_REASONS_MAX]; /* beyond the count: undefined */
};

/* set may be NULL: no file exists. */
void policy_decide(const struct policy_set *set, const struct policy_query *query,
	struct policy_decision *out);

#endif
