#include "fixture.h"

#include "describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const struct fake_step fixture_good[1] = { { .records = { "an @ 300 MX 10 mx.test" } } };
const struct fake_step fixture_held[1] = { { FAKE_HOLD,
	.records = { "an @ 300 MX 10 mx.test" } } };

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct caller *c = arg;
	c->calls++;
	describe(answer, &c->text);
	if (c->cancels)
		dns_query_cancel(&c->cancels->query);
	if (c->asks)
		caller_ask(c->asks, "example.test");
	if (c->closes)
		dns_resolver_close(&c->f->resolver);
	c->query = NULL;
}

void caller_ask(struct caller *c, const char *name)
{
	c->query = dns_lookup_mx(c->f->resolver, name, on_answer, c);
}

void caller_ask_address(struct caller *c, const char *name, int family)
{
	c->query = dns_lookup_addr(c->f->resolver, name, family, on_answer, c);
}

void fixture_add_server(
	struct fixture *f, size_t i, const struct fake_step *steps, size_t count)
{
	fake_dns_start(&f->servers[i], &f->loop, "127.0.0.1", steps, count);
}

void fixture_stop_server(struct fixture *f, size_t i)
{
	fake_dns_stop(&f->servers[i]);
	f->servers[i].steps = NULL;
	uv_run(&f->loop, UV_RUN_NOWAIT);
}

void fixture_open(struct fixture *f, size_t servers, int timeout_ms, int tries)
{
	struct addr addrs[SERVERS];
	struct err e;
	for (size_t i = 0; i < servers; i++)
		addrs[i] = f->servers[i].addr;
	struct dns_options o = { .servers = addrs,
		.server_count = servers,
		.timeout_ms = timeout_ms,
		.tries = tries,
		.cache_max = 10 };
	assert_int_equal(dns_resolver_new(&f->loop, &o, &f->resolver, &e), 0);
}

void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(uv_loop_init(&f->loop), 0);
}

void fixture_run(struct fixture *f)
{
	uv_run(&f->loop, UV_RUN_DEFAULT);
}

void fixture_run_until_asked(struct fixture *f, size_t queries)
{
	while (f->servers[0].query_count < queries)
		uv_run(&f->loop, UV_RUN_ONCE);
}

void fixture_clear(struct fixture *f)
{
	dns_resolver_close(&f->resolver);
	for (size_t i = 0; i < SERVERS; i++) {
		if (f->servers[i].steps)
			fixture_stop_server(f, i);
	}
	fixture_run(f);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}
