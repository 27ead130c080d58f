/*
 * A DNS server inside the test: UDP and TCP on one free port of an address, on
 * the loop of the test, and never a reason for the loop to go on.
 *
 * It answers the nth query with the nth step of its script, and queries after
 * the last one with the last one. What it was asked is kept.
 */
#ifndef TESTS_DNS_FAKE_DNS_H
#define TESTS_DNS_FAKE_DNS_H

#include "wire.h"

#include "base/addr.h"

#include <stdbool.h>
#include <uv.h>

enum fake_act {
	FAKE_ANSWER,
	FAKE_DROP,
	FAKE_HOLD,           /* answer at fake_dns_release */
	FAKE_WRONG_ID,       /* a spoofed answer first, then this one */
	FAKE_WRONG_QUESTION, /* likewise */
	FAKE_CUT             /* the answer without its last octet */
};

struct fake_step {
	enum fake_act act;
	unsigned flags; /* as in wire.h; added to WIRE_OK */
	const char *records[4];
};

struct fake_query {
	bool is_tcp;
	int type;
	uint16_t id;
	uint16_t port; /* it came from, over UDP */
	uint16_t flags;
	uint16_t edns_octets; /* 0: no OPT record */
};

enum { FAKE_QUERIES_MAX = 64, FAKE_CLIENTS_MAX = 8 };

struct fake_dns {
	uv_udp_t udp;
	uv_tcp_t tcp;
	uv_tcp_t clients[FAKE_CLIENTS_MAX];
	size_t client_count;
	struct addr addr;
	const struct fake_step *steps;
	size_t step_count;
	struct fake_query queries[FAKE_QUERIES_MAX];
	size_t query_count;
	struct wire held;
	struct addr held_for;
	char received[2048]; /* by uv, before it is looked at */
};

void fake_dns_start(struct fake_dns *s, uv_loop_t *loop, const char *ip,
	const struct fake_step *steps, size_t step_count);
void fake_dns_release(struct fake_dns *s);
void fake_dns_stop(struct fake_dns *s); /* run the loop once more after it */

#endif
