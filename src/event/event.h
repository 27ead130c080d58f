/*
 * The one record of what happened: one attempt at one host. Made by the
 * delivery, kept by the queue as JSON, shown by the sinks. Neither side knows
 * the other; they meet here.
 *
 * Words of the policy (channel, failure ...) are text here, with the names of
 * policy/types.h. All remote text has been cleaned before it gets here.
 * A record owns its strings (all together, until it is cleared), but a constant
 * may stand in it as it is; one of zeros is empty and may be cleared.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct event_texts;

struct event_reply {
	int code; /* 0: no reply */
	const char *enhanced;
	const char *text;
};

struct event_recipient {
	const char *address;
	const char *outcome; /* "delivered", "deferred", "bounced", "in_doubt" */
	struct event_reply reply;
};

struct event_tls {
	const char *version, *cipher, *peer;
	bool resumed, verified;
};

/* Seconds as in Postfix's delays=a/b/c/d, in ms: before the queue manager took
 * it up, in the scheduler, DNS+connect+greeting+TLS, transmission. */
struct event_delays {
	int64_t total_ms, before_ms, queue_ms, connect_ms, transmit_ms;
};

struct event_attempt {
	int64_t time_ms;  /* when this host's turn began */
	int64_t id;       /* of the message */
	unsigned attempt; /* from 1 */
	const char *sender;
	const char *domain;
	struct event_recipient *recipients;
	size_t recipient_count;
	const char *mx;      /* host name, or NULL (no host was found) */
	const char *address; /* IP, or NULL (no connection) */
	uint16_t port;
	const char *channel; /* "tls", "plaintext": what the connection really was */
	const char *fallback;
	const char *rule;      /* what decided the channel */
	const char *rule_text; /* the same as a sentence, for people */
	uint64_t policy_generation;
	const char *sni; /* NULL: none was sent */
	bool has_tls;
	struct event_tls tls;
	const char *outcome; /* of this host's turn: "delivered", "deferred", ... */
	const char *failure; /* NULL or a class */
	const char *stage;   /* state of the machine, "dns" or "connect" */
	struct event_reply reply;
	const char *detail;       /* a fact of ours where there was no reply: "connection
				     refused" */
	const char *next_channel; /* NULL: no next attempt */
	const char *next_reason;  /* why that channel */
	int64_t next_attempt_ms;  /* 0: none */
	const char *then; /* what came next within the attempt: a place, "the same address
			     in plaintext", NULL at its end */
	int64_t duration_ms;
	struct event_delays delays;
	struct event_texts *texts; /* private: what holds the strings */
	bool downgraded; /* plaintext as the consequence of a TLS failure, not of a
			    list, a setting, or a host that offers no STARTTLS */
};

void event_attempt_clear(struct event_attempt *a);

/* For whoever fills a record: each takes a copy for a field of a; NULL clears. */
void event_set(struct event_attempt *a, const char **field, const char *text);
void event_reply_set(struct event_attempt *a, struct event_reply *r, int code,
	const char *enhanced, const char *text);
/* A further recipient; valid until the next is added. */
struct event_recipient *event_attempt_add_recipient(
	struct event_attempt *a, const char *address, const char *outcome);

/* Anything but "everybody got it": what `log --failures` selects. */
bool event_attempt_is_failure(const struct event_attempt *a);

/* Is the record marked as a downgrade, or one by what else it says (plaintext,
 * and decided by the option fallback or after a refused STARTTLS)? Sinks say so
 * loudly. */
bool event_attempt_is_downgrade(const struct event_attempt *a);

/* The enhanced status code of a recipient (index < recipient_count): the
 * remote one with the class of the outcome (a deferred recipient has 4.x.x,
 * whatever was said to STARTTLS), or one made from the failure class. */
enum { EVENT_STATUS_MAX = 12 }; /* "5.999.999" and NUL */
void event_attempt_status(
	const struct event_attempt *a, size_t recipient, char out[EVENT_STATUS_MAX]);

/* Adds where the turn went, for people: "mx1.example.com at 192.0.2.1"; with the port
 * where it is not 25, "mx1.example.com at [2001:db8::1]:587"; "192.0.2.1" where an
 * address literal is all it has; the name or the path alone without an address. Only
 * where there is a host. */
void event_attempt_place(const struct event_attempt *a, struct buf *out);

/* Ids are shown as 16 upper-case hex digits, as mail/envelope.h does. */
enum { EVENT_ID_MAX = 17 };
void event_id_format(int64_t id, char out[EVENT_ID_MAX]);

/* One JSON object on one line, the names of the retry log, in a stable order;
 * malloc'ed. Text that is not UTF-8, or has control characters in it, is
 * cleaned; all other text is kept as it is. */
char *event_attempt_to_json(const struct event_attempt *a);
/* The same, added to out. */
void event_attempt_write_json(const struct event_attempt *a, struct buf *out);
/* ERR_INVALID if it is no such object (e says which field). Unknown fields are
 * skipped, all but time and id may be missing. Texts are cleaned: the record may be
 * somebody else's. The caller clears a, after an error too. */
int event_attempt_from_json(const char *json, struct event_attempt *a, struct err *e);

/* One TLS handshake or TLS error, for tls_log. Borrowed strings. */
struct event_tls_handshake {
	int64_t time_ms;
	int64_t id; /* message that the session was opened for */
	const char *domain, *mx, *address;
	uint16_t port;
	const char *sni;
	bool ok;
	const char *version, *cipher, *group, *peer, *fingerprint, *not_after,
		*verify_text;
	bool resumed, verified;
	int64_t duration_ms;
	const char *error; /* NULL if ok */
	const char *stage; /* where an error happened: "tls", "final", ... */
};

/* Where events go. Called on the loop after the results are committed
 * (attempt), or as it happens (handshake). Any may be NULL. */
struct event_sink {
	void (*attempt)(void *arg, const struct event_attempt *a);
	void (*handshake)(void *arg, const struct event_tls_handshake *h);
	void *arg;
};

/* Fans out to several sinks. Sinks are borrowed. */
enum { EVENT_SINKS_MAX = 8 };
struct event_hub {
	const struct event_sink *sinks[EVENT_SINKS_MAX];
	size_t count;
};
void event_hub_add(struct event_hub *hub, const struct event_sink *sink);
void event_hub_attempt(const struct event_hub *hub, const struct event_attempt *a);
void event_hub_handshake(
	const struct event_hub *hub, const struct event_tls_handshake *h);

#endif
