/*
 * Who asks what, and what comes of it: cache, coalescing, retries, delivery.
 *
 *	query (a caller) --waits for--> question --has one--> exchange
 *	question:  waiting -> under way (server after server, try after try) -> freed
 *	query:     on its question's list -> ready -> called back -> freed
 *
 * Callers are called from on_turn only, so a callback may look up, cancel and
 * close as it likes: no list is being walked and the library is not active.
 */
#include "dns/dns_cache.h"
#include "dns/dns_io.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	SERVERS_MAX = 8,
	UNDER_WAY_MAX = 256, /* a channel takes some 64 KiB */
	TIMEOUT_MS = 3000,   /* the defaults, where the options say 0 */
	TRIES = 2,
	HOPS_MAX = 8 /* CNAME chains that a server cuts are gone on with */
};

struct dns_query {
	TAILQ_ENTRY(dns_query) link; /* on its question's list, or the ready list */
	struct dns_resolver *resolver;
	struct question *question; /* NULL: ready */
	struct dns_reply *reply;   /* one reference, when ready */
	uint32_t ttl_s;            /* what is left of it */
	uint64_t turn;             /* in which it became ready */
	bool is_running;           /* its callback is */
	dns_callback *cb;
	void *arg;
};

TAILQ_HEAD(query_list, dns_query);

struct question {
	TAILQ_ENTRY(question) link;
	struct dns_resolver *resolver;
	char name[DNS_NAME_MAX];  /* lower case */
	char asked[DNS_NAME_MAX]; /* the same, or where its CNAME chain has led */
	size_t hops;
	uint32_t ttl_s;   /* of the chain so far */
	bool is_insecure; /* a part of it is */
	enum dns_type type;
	struct query_list queries;
	struct dns_exchange *exchange; /* NULL: waiting for its place */
	size_t next;   /* exchanges begun: try and server follow from it */
	size_t server; /* the one being asked */
	bool has_answered[SERVERS_MAX]; /* uselessly, and is not asked again */
	char failure[256];
};

TAILQ_HEAD(question_list, question);

struct dns_resolver {
	struct dns_io *io;
	struct dns_cache *cache;
	struct addr servers[SERVERS_MAX];
	size_t server_count;
	size_t tries;
	struct question_list under_way;
	struct question_list waiting;
	size_t under_way_count;
	struct query_list ready;
	uint64_t turn;
	bool is_closed;
};

static void question_ask(struct question *q);

static void query_free(struct dns_query *query)
{
	dns_reply_unref(&query->reply);
	free(query);
}

static void query_set_ready(
	struct dns_query *query, struct dns_reply *reply, uint32_t ttl_s)
{
	struct dns_resolver *r = query->resolver;
	query->question = NULL;
	query->reply = dns_reply_ref(reply);
	query->ttl_s = ttl_s;
	query->turn = r->turn;
	TAILQ_INSERT_TAIL(&r->ready, query, link);
	dns_io_wake(r->io);
}

static void query_run(struct dns_query *query)
{
	struct dns_answer answer = query->reply->answer;
	answer.ttl_s = query->ttl_s;
	query->is_running = true;
	query->cb(query->arg, &answer);
	query_free(query);
}

/* Only what was ready before this turn: a caller that asks again from its
 * callback for what the cache has does not keep the loop here. */
static void on_turn(void *arg)
{
	struct dns_resolver *r = arg;
	struct dns_query *query;
	uint64_t now = r->turn++;
	while (!r->is_closed && (query = TAILQ_FIRST(&r->ready)) && query->turn <= now) {
		TAILQ_REMOVE(&r->ready, query, link);
		query_run(query);
	}
	if (!r->is_closed && !TAILQ_EMPTY(&r->ready))
		dns_io_wake(r->io);
}

static void start_waiting(struct dns_resolver *r)
{
	struct question *q;
	while (r->under_way_count < UNDER_WAY_MAX && (q = TAILQ_FIRST(&r->waiting))) {
		TAILQ_REMOVE(&r->waiting, q, link);
		TAILQ_INSERT_TAIL(&r->under_way, q, link);
		r->under_way_count++;
		question_ask(q);
	}
}

/* For a question that is under way and has nobody waiting any more. */
static void question_free(struct question *q)
{
	struct dns_resolver *r = q->resolver;
	ASSERT(TAILQ_EMPTY(&q->queries));
	dns_exchange_cancel(&q->exchange);
	TAILQ_REMOVE(&r->under_way, q, link);
	r->under_way_count--;
	free(q);
}

static void question_finish(struct question *q, struct dns_reply *reply)
{
	struct dns_resolver *r = q->resolver;
	struct dns_query *query;
	dns_cache_put(r->cache, q->name, q->type, reply, clock_monotonic_ms());
	while ((query = TAILQ_FIRST(&q->queries))) {
		TAILQ_REMOVE(&q->queries, query, link);
		query_set_ready(query, reply, reply->answer.ttl_s);
	}
	question_free(q);
}

static void question_fail(struct question *q)
{
	struct dns_reply *reply = dns_reply_new(DNS_TEMPORARY);
	memcpy(reply->answer.text, q->failure, sizeof(q->failure));
	question_finish(q, reply);
	dns_reply_unref(&reply);
}

static void note_failure(struct question *q, const char *what)
{
	char server[ADDR_TEXT_MAX];
	addr_format_with_port(&q->resolver->servers[q->server], server);
	snprintf(q->failure, sizeof(q->failure), "%.160s from %s", what, server);
}

/* The AD bit is worth as much as the way it came: only a resolver on this
 * machine can be told from somebody in between. */
static bool is_trusted(const struct addr *server)
{
	struct addr a;
	addr_unmap(server, &a);
	if (addr_family(&a) == AF_INET)
		return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}

/* The server stopped within a CNAME chain: it is asked for the rest. */
static void question_go_on(struct question *q, const struct dns_reply *reply)
{
	if (q->hops++ == HOPS_MAX) {
		note_failure(q, "CNAME chain without an end");
		question_fail(q);
		return;
	}
	memcpy(q->asked, reply->rest, sizeof(q->asked));
	if (reply->rest_ttl_s < q->ttl_s)
		q->ttl_s = reply->rest_ttl_s;
	q->is_insecure |= !reply->answer.is_secure;
	q->next--;
	question_ask(q);
}

/* Any rcode but NOERROR and NXDOMAIN, and any malformed answer, is this one
 * server's failure: the next one may do better. */
static void question_judge(struct question *q, const unsigned char *bytes, size_t len)
{
	struct dns_reply *reply = dns_parse(bytes, len, q->asked, q->type);
	struct dns_answer *a = &reply->answer;
	if (q->is_insecure || !is_trusted(&q->resolver->servers[q->server]))
		a->is_secure = false;
	if (a->ttl_s > q->ttl_s)
		a->ttl_s = q->ttl_s;
	if (a->status == DNS_TEMPORARY) {
		q->has_answered[q->server] = true;
		note_failure(q, a->text);
		question_ask(q);
	} else if (reply->rest[0]) {
		question_go_on(q, reply);
	} else {
		question_finish(q, reply);
	}
	dns_reply_unref(&reply);
}

static void on_exchange(
	void *arg, const unsigned char *bytes, size_t len, const char *why)
{
	struct question *q = arg;
	struct dns_resolver *r = q->resolver;
	q->exchange = NULL;
	if (bytes) {
		question_judge(q, bytes, len);
	} else {
		char text[128];
		snprintf(text, sizeof(text), "no answer (%s)", why);
		note_failure(q, text);
		question_ask(q);
	}
	start_waiting(r);
}

/* Asks the next server, in turn, all of them once a try; or gives up. */
static void question_ask(struct question *q)
{
	struct dns_resolver *r = q->resolver;
	while (q->next < r->server_count * r->tries) {
		struct err e;
		q->server = q->next++ % r->server_count;
		if (q->has_answered[q->server])
			continue;
		if (dns_exchange_start(r->io, &r->servers[q->server], q->asked, q->type,
			    on_exchange, q, &q->exchange, &e) == 0)
			return;
		note_failure(q, e.text);
	}
	question_fail(q);
}

static struct question *find_in(
	const struct question_list *list, const char *name, enum dns_type type)
{
	struct question *q;
	TAILQ_FOREACH (q, list, link) {
		if (q->type == type && strcmp(q->name, name) == 0)
			return q;
	}
	return NULL;
}

static struct question *question_for(
	struct dns_resolver *r, const char *name, enum dns_type type)
{
	struct question *q = find_in(&r->under_way, name, type);
	if (!q)
		q = find_in(&r->waiting, name, type);
	if (q)
		return q;
	q = xcalloc(1, sizeof(*q));
	q->resolver = r;
	q->type = type;
	memcpy(q->name, name, strlen(name) + 1);
	memcpy(q->asked, q->name, sizeof(q->asked));
	q->ttl_s = UINT32_MAX;
	TAILQ_INIT(&q->queries);
	TAILQ_INSERT_TAIL(&r->waiting, q, link);
	return q;
}

static struct dns_query *query_new(struct dns_resolver *r, dns_callback *cb, void *arg)
{
	struct dns_query *query = xcalloc(1, sizeof(*query));
	query->resolver = r;
	query->cb = cb;
	query->arg = arg;
	return query;
}

/* A name that cannot be asked does not exist. */
static struct dns_reply *no_such_name(void)
{
	struct dns_reply *reply = dns_reply_new(DNS_NO_NAME);
	snprintf(reply->answer.text, sizeof(reply->answer.text), "not a host name");
	return reply;
}

static struct dns_reply *known_answer(
	struct dns_resolver *r, const char *name, enum dns_type type, uint32_t *ttl_s)
{
	*ttl_s = 0;
	if (!dns_name_is_usable(name))
		return no_such_name();
	return dns_cache_get(r->cache, name, type, clock_monotonic_ms(), ttl_s);
}

static struct dns_query *lookup(struct dns_resolver *r, const char *name,
	enum dns_type type, dns_callback *cb, void *arg)
{
	char folded[DNS_NAME_MAX];
	uint32_t ttl_s;
	struct dns_query *query = query_new(r, cb, arg);
	struct dns_reply *known = known_answer(r, name, type, &ttl_s);
	if (known) {
		query_set_ready(query, known, ttl_s);
		dns_reply_unref(&known);
		return query;
	}
	size_t len = strlen(name); /* usable: it fits */
	for (size_t i = 0; i <= len; i++)
		folded[i] = text_lower(name[i]);
	query->question = question_for(r, folded, type);
	TAILQ_INSERT_TAIL(&query->question->queries, query, link);
	start_waiting(r);
	return query;
}

struct dns_query *dns_lookup_mx(
	struct dns_resolver *r, const char *name, dns_callback *cb, void *arg)
{
	return lookup(r, name, DNS_TYPE_MX, cb, arg);
}

struct dns_query *dns_lookup_addr(
	struct dns_resolver *r, const char *name, int family, dns_callback *cb, void *arg)
{
	ASSERT(family == AF_INET || family == AF_INET6);
	return lookup(r, name, family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA, cb, arg);
}

/* Nobody waits for this question any more. */
static void question_drop(struct question *q)
{
	struct dns_resolver *r = q->resolver;
	if (q->exchange) {
		question_free(q);
		start_waiting(r);
	} else {
		TAILQ_REMOVE(&r->waiting, q, link);
		free(q);
	}
}

void dns_query_cancel(struct dns_query **q)
{
	struct dns_query *query = MOVE(*q);
	if (!query || query->is_running)
		return; /* it frees itself after its callback */
	struct question *question = query->question;
	if (question) {
		TAILQ_REMOVE(&question->queries, query, link);
		if (TAILQ_EMPTY(&question->queries))
			question_drop(question);
	} else {
		TAILQ_REMOVE(&query->resolver->ready, query, link);
	}
	query_free(query);
}

static void on_close(void *arg)
{
	struct dns_resolver *r = arg;
	dns_cache_free(&r->cache);
	free(r);
}

static int choose_servers(
	struct dns_resolver *r, const struct dns_options *options, struct err *e)
{
	if (!options->server_count)
		return dns_io_system_servers(
			r->servers, SERVERS_MAX, &r->server_count, e);
	if (options->server_count > SERVERS_MAX)
		return err_set(e, ERR_LIMIT, "%zu DNS servers: %d are the most",
			options->server_count, SERVERS_MAX);
	memcpy(r->servers, options->servers,
		options->server_count * sizeof(*options->servers));
	r->server_count = options->server_count;
	return 0;
}

int dns_resolver_new(struct uv_loop_s *loop, const struct dns_options *options,
	struct dns_resolver **out, struct err *e)
{
	struct dns_resolver *r = xcalloc(1, sizeof(*r));
	int result = choose_servers(r, options, e);
	if (result < 0) {
		free(r);
		return result;
	}
	r->tries = options->tries > 0 ? (size_t)options->tries : TRIES;
	r->cache = dns_cache_new(options->cache_max, rng_u64());
	TAILQ_INIT(&r->under_way);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->ready);
	struct dns_io_options io = { .on_turn = on_turn,
		.on_close = on_close,
		.arg = r,
		.timeout_ms =
			options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS };
	r->io = dns_io_new(loop, &io);
	*out = r;
	return 0;
}

static void free_queries(struct query_list *list)
{
	struct dns_query *query;
	while ((query = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, query, link);
		query_free(query);
	}
}

void dns_resolver_close(struct dns_resolver **r)
{
	struct dns_resolver *closing = MOVE(*r);
	struct question *q;
	if (!closing)
		return;
	closing->is_closed = true;
	free_queries(&closing->ready);
	while ((q = TAILQ_FIRST(&closing->waiting))) {
		TAILQ_REMOVE(&closing->waiting, q, link);
		free_queries(&q->queries);
		free(q);
	}
	while ((q = TAILQ_FIRST(&closing->under_way))) {
		free_queries(&q->queries);
		question_free(q);
	}
	dns_io_close(&closing->io);
}
