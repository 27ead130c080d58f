/*
 * A relay: one target of a route to which mail can go, the destination's own MX hosts
 * included. route.h has the grammar.
 */
#ifndef POLICY_RELAY_H
#define POLICY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum policy_transport {
	POLICY_TRANSPORT_SMTP,
	POLICY_TRANSPORT_SMTPS, /* RFC 8314 3.3: TLS from the first byte */
	POLICY_TRANSPORT_LMTP,
	POLICY_TRANSPORT_COUNT
};
const char *policy_transport_name(enum policy_transport transport);

struct policy_relay {
	enum policy_transport transport;
	bool is_destination; /* "mx:": the destination itself; host is NULL */
	bool looks_up_mx;    /* else host is the host, or an address literal */
	const char *host;    /* normalized, a literal with its brackets; NULL: none */
	uint16_t port;       /* 0: the option `port`, for smtps 465 */
	const char *path;    /* of the unix socket; NULL: none */
};

/* The name that the policy's lists, pins and destination blocks are asked for: the
 * host that the relay names, or the destination itself. */
const char *policy_relay_name(const struct policy_relay *relay, const char *destination);

/* As a target of a line: "smtp://[relay.example]:587", "mx:". */
void policy_relay_format(const struct policy_relay *relay, char *out, size_t out_size);

#endif
