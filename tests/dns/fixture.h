/*
 * A loop, fake servers and a resolver, and a caller that notes what it is told.
 *
 * fixture_run runs until the resolver has nothing more to do: the servers keep
 * no loop alive. The caller's actions happen inside its callback.
 */
#ifndef TESTS_DNS_FIXTURE_H
#define TESTS_DNS_FIXTURE_H

#include "fake_dns.h"

#include "base/buf.h"
#include "dns/dns.h"

enum { SOON_MS = 300, PATIENT_MS = 20000, SERVERS = 2 };

struct fixture {
	uv_loop_t loop;
	struct fake_dns servers[SERVERS];
	struct dns_resolver *resolver;
};

struct caller {
	struct fixture *f;
	struct dns_query *query;
	int calls;
	struct buf text; /* the answer, as describe.h writes it */
	struct caller *cancels;
	struct caller *asks;
	bool closes;
};

/* Scripts of one step: the answer OK_TEXT at once, or when it is released. */
extern const struct fake_step fixture_good[1];
extern const struct fake_step fixture_held[1];
#define OK_TEXT "ok 300: 10 mx.test"

void fixture_init(struct fixture *f);
void fixture_add_server(
	struct fixture *f, size_t i, const struct fake_step *steps, size_t count);
void fixture_stop_server(struct fixture *f, size_t i); /* its port is closed then */
void fixture_open(struct fixture *f, size_t servers, int timeout_ms, int tries);
void fixture_run(struct fixture *f);
void fixture_run_until_asked(struct fixture *f, size_t queries);
void fixture_clear(struct fixture *f); /* fails where something is left open */

void caller_ask(struct caller *c, const char *name);
void caller_ask_address(struct caller *c, const char *name, int family);

#endif
