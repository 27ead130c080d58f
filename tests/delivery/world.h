/*
 * What the tests of the delivery share: a loop, a queue on disk, a DNS server
 * and an SMTP server of their own, and everything an env needs. Nothing waits
 * for a time: world_run turns the loop until a condition holds.
 */
#ifndef TESTS_DELIVERY_WORLD_H
#define TESTS_DELIVERY_WORLD_H

#include "smtp_server.h"

#include "tests/dns/fake_dns.h"

#include "base/buf.h"
#include "delivery/attempt.h"
#include "delivery/env.h"
#include "dns/dns.h"
#include "net/loop.h"
#include "net/tls.h"
#include "queue/queue.h"
#include "queue/queue_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* The server as a destination: no DNS is needed for it. */
#define LITERAL "[127.0.0.1]"

/* A test whose name is a sentence. */
#define NAMED(n, f)                           \
	{                                     \
		.name = (n), .test_func = (f) \
	}

struct world {
	char *dir, *queue_path, *policy_dir;
	struct uv_loop_s *loop;
	struct queue *queue;
	struct wake *wake;
	struct fake_dns dns;
	bool has_dns;
	struct smtp_server server;
	bool has_server;
	struct event_hub hub;
	struct event_sink sink;
	struct notice_maker notices;
	size_t notice_count;
	struct buf told; /* "KIND [HANDOVER] STATUS ADDRESS..." a notice, "; " between
			    them */
	unsigned notify; /* of all whom world_put puts in */
	struct delivery_env env;
	/* "CHANNEL OUTCOME FAILURE STAGE" a record, "; " between them, " -> CHANNEL"
	 * after what is tried again later; a line a commit. */
	struct buf log;
	struct buf handshakes; /* "ok" or "STAGE failed", "; " between them */
	struct buf thens;      /* what came next within the attempt, "; " between */
	struct buf domains;    /* of the records, a blank behind each */
	size_t records;
	char *last_record; /* the JSON of the last one, or NULL */

	bool puts_notices; /* what world_put puts from now on */

	/* Of attempts that world_attempt starts. */
	struct session *kept;
	enum attempt_contact contact;
	size_t finished; /* on_done ran */
	size_t let_go;   /* on_session ran */
	int64_t item_id; /* of the last claim */
	int store_error; /* of the last on_done */
};

/* options: lines of configuration, or NULL. */
void world_init(struct world *w, const char *options);
void world_clear(struct world *w); /* fails where something is left open */
void world_serve(struct world *w, const struct server_plan *plans, size_t count);
void world_serve_once(struct world *w, const struct server_plan *plan);
/* The nth query gets the nth step, in the order in which they are asked. */
void world_answer(struct world *w, const struct fake_step *steps, size_t count);
void world_configure(struct world *w, const char *options); /* after the server */
/* Texts of the three files; NULL: there is none. */
void world_policy(
	struct world *w, const char *allow, const char *exclude, const char *pins);

/* '@' is the port of the server. */
void world_fill_in(struct world *w, const char *text, struct buf *out);
/* Text of routes.txt, filled in. */
void world_routes(struct world *w, const char *text);

typedef bool world_condition(struct world *w, void *arg);
void world_run(struct world *w, world_condition *until, void *arg);
bool world_has_connections(struct world *w, void *arg); /* arg: size_t * */
bool world_is_asked(struct world *w, void *arg);        /* arg: size_t *, DNS queries */
bool world_is_stored(struct world *w, void *arg);       /* nothing is left to be stored */
bool world_let_go(struct world *w, void *arg); /* an attempt is done but for the store */
bool world_all_ended(struct world *w, void *arg); /* connections at the server */
void world_wait_finished(struct world *w, size_t attempts);
void world_wait_held(struct world *w, size_t connections); /* where the plans say */

/* One message to recipients "a@d b@d" (of one destination). */
int64_t world_put(struct world *w, const char *recipients, size_t content_len);
/* The one item that there is, as if its time had come. */
struct queue_item *world_claim(struct world *w);
struct attempt *world_attempt(struct world *w, struct session *kept);
/* One for a message to "a@[127.0.0.1]", in plaintext, which the host holds where the plan
 * says. */
struct attempt *world_attempt_held(struct world *w, const struct server_plan *plan);
/* world_attempt, until it is done. */
void world_deliver(struct world *w);
/* Nothing is stored any more, until sqlite3_close. */
struct sqlite3 *world_lock_queue(struct world *w);
/* The host that holds goes on, while nothing is stored. */
struct sqlite3 *world_release_locked(struct world *w);
size_t world_due(struct world *w); /* items in the queue, claimed ones not */

void assert_seen(struct world *w, const char *expected);
void assert_log(struct world *w, const char *expected);

#endif
