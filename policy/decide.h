/*
 * The decision: for one destination and host, which channel, which TLS, and
 * why. The delivery, `policy explain` and the tests all call policy_decide;
 * there is no second implementation.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/route.h"
#include "policy/set.h"
#include "policy/settings.h"
#include "policy/types.h"

/* With a relay the lists, the pins and the destination blocks are asked for the name
 * of the relay, policy_relay_name(), and so are the settings; without one for the
 * destination. */
struct policy_query {
	const char *destination; /* of the recipients, normalized */
	const char *host; /* MX host, normalized; NULL: not resolved yet, or a literal;
			     the host that a relay names need not be repeated */
	const struct policy_route *route; /* NULL: none matches */
	const struct policy_relay
		*relay; /* of the route; NULL: its first, if there is one */
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
	enum policy_transport transport;
	bool implicit_tls; /* TLS from the first byte: no greeting before it, no STARTTLS
			    */
	bool use_starttls; /* send STARTTLS where it is offered; never with implicit_tls
			    */
	bool tls_required; /* plaintext is never an outcome (2.3) */
	bool tls_verified; /* required, with a certificate that verifies for the host */
	bool by_fallback;  /* plaintext because an earlier attempt failed: a downgrade */
	enum policy_fallback fallback; /* the mode in force; NONE where required */
	unsigned protocols;            /* mask */
	enum policy_greeting greeting; /* after STARTTLS */
	char sni[POLICY_NAME_MAX + 1]; /* empty: send none */
	char decided_by[256];          /* the rule of the reason that decided */
	size_t reason_count;
	struct policy_reason
		reasons[POLICY_REASONS_MAX]; /* beyond the count: undefined */
};

/* set may be NULL: no file exists. A route that discards or refuses has one reason,
 * which says so; nothing else in the decision means anything then. */
void policy_decide(const struct policy_set *set, const struct policy_query *query,
	struct policy_decision *out);

#endif
