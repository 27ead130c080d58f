/*
 * One connection to one host: dial, TLS from the first octet or greeting and STARTTLS,
 * AUTH, and then one message after another. The glue between a stream, the TLS layer and
 * the protocol machine; it decides nothing: what to do was decided before (params), what
 * a failure means is for its owner.
 *
 * Events run from the loop, or from inside session_send, _body, _marked and
 * _quit. Any event may close the session. After on_failed or on_closed only
 * session_close is useful. A session that is READY can be handed to another
 * owner with session_set_events.
 */
#ifndef DELIVERY_SESSION_H
#define DELIVERY_SESSION_H

#include "delivery/env.h"
#include "delivery/terms.h"
#include "dns/dns.h"
#include "net/tls.h"
#include "smtp/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Where a session ended, apart from what the protocol machine says. */
enum session_phase {
	SESSION_PREPARING, /* our own certificate */
	SESSION_DIALING,
	SESSION_HANDSHAKE,
	SESSION_TALKING
};

struct session_failure {
	enum session_phase phase;
	bool is_tls_init;         /* SESSION_HANDSHAKE: our own side could not begin */
	bool is_unmet;            /* something that is required is not as it must be */
	bool session_timeout;     /* the limit on the whole session */
	struct smtp_failure smtp; /* SESSION_TALKING */
	char text[320];           /* a short fact */
};

struct session_events {
	void (*on_ready)(void *arg); /* a message may be sent */
	void (*on_body)(void *arg);  /* session_body or session_body_end */
	void (*on_mark)(void *arg);  /* session_marked, when it is marked "in doubt" */
	void (*on_recipient)(void *arg, const struct smtp_step *step);
	void (*on_failed)(void *arg, const struct session_failure *failure);
	void *arg;
};

struct session_params {
	struct delivery_env *env;
	struct terms *terms;      /* a reference of its own is taken */
	const char *hostname;     /* ours; copied */
	const char *mx;           /* or the path of the socket; copied */
	const char *verify_name;  /* whose certificate it must be; NULL: of nobody;
				   * copied */
	const struct addr *addrs; /* copied; with ports; none where there is a path */
	size_t addr_count;
	bool offer_starttls;          /* send STARTTLS where it is offered */
	bool plaintext_after_refusal; /* go on in this session if STARTTLS is refused */
	int64_t id;                   /* message and destination, for the TLS log */
	const char *domain;
};

struct session *session_open(
	const struct session_params *params, const struct session_events *events);
void session_set_events(struct session *s, const struct session_events *events);

/* In READY. The message is borrowed until the next on_ready or on_failed. One
 * flight is made only where the other side was heard in this turn of the loop: a
 * connection that was idle may be dead, and what is lost on it would be in doubt. */
void session_send(struct session *s, const struct smtp_message *message);
void session_body(struct session *s, const char *bytes, size_t len);
void session_body_end(struct session *s);
void session_body_failed(struct session *s, const char *why);
void session_marked(struct session *s);

/* Says QUIT and lets go: the session ends by itself. Sets *s to NULL. */
void session_quit(struct session **s);
void session_close(struct session **s); /* at once, without QUIT */

/* Facts. */
bool session_is_ready(const struct session *s);
bool session_is_tls(const struct session *s);
bool session_offered_starttls(const struct session *s);
const struct smtp_reply *session_starttls_refusal(const struct session *s); /* or NULL */
enum smtp_state session_state(const struct session *s);
/* If it ended now, the message under way would be in doubt. */
bool session_is_in_doubt(const struct session *s);
bool session_offers_chunking(const struct session *s);
bool session_offers_dsn(const struct session *s);
/* The host offers CHUNKING and does not know BDAT. */
bool session_refused_chunking(const struct session *s);
const struct tls_facts *session_tls(const struct session *s); /* NULL: no handshake */
/* Borrowed. Others that are alike (terms_are_alike) may take their place: the
 * next message is then compared with those. */
struct terms *session_terms(const struct session *s);
void session_set_terms(struct session *s, struct terms *terms);
const char *session_mx(const struct session *s);
const char *session_sni(const struct session *s);                /* NULL: none was sent */
bool session_address(const struct session *s, struct addr *out); /* false: none yet */
int64_t session_age_ms(const struct session *s);
size_t session_messages(const struct session *s); /* transactions begun */

#endif
