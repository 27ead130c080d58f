/* The inside of a session, shared by session.c (its course), session_dial.c,
 * session_tls.c, session_auth.c and session_facts.c. */
#ifndef DELIVERY_SESSION_INTERNAL_H
#define DELIVERY_SESSION_INTERNAL_H

#include "delivery/session.h"
#include "net/stream.h"

struct session {
	struct delivery_env *env;
	struct session_events events;
	struct terms *terms;
	enum session_phase phase;

	char hostname[256];
	char mx[DNS_NAME_MAX];
	char verify_name[DNS_NAME_MAX];
	char domain[POLICY_NAME_MAX + 1];
	int64_t id;
	struct addr addrs[DIAL_ADDRS_MAX]; /* those that were dialled in vain are gone */
	size_t addr_count;
	struct addr address; /* the one that is connected */
	bool has_address;

	struct dial *dial;
	struct stream *stream;
	struct smtp_client_options client_options;
	struct smtp_client *client;
	struct timer *timer;           /* of the current state */
	struct timer *deadline;        /* of the whole session */
	struct tls_identity *identity; /* shown to hosts that ask for one; or NULL */
	struct secret_request *secret;
	struct sasl *sasl; /* until it is over */
	char *mechanisms;  /* that the host lists and has not refused */
	struct tls_facts tls;
	bool has_tls, sent_sni, shuns_tickets;

	int64_t opened_ms;
	int64_t heard_ms; /* the last time that something came in */
	size_t messages;
	unsigned busy;
	bool is_driving, has_more, waits_for_drain, has_ended, is_quitting, is_closed;
	bool is_overdue; /* session_timeout is over */
	bool is_marked;  /* the end of the message is the next to be written */
};

/* session.c */
void session_enter(struct session *s); /* around all that may close it */
void session_leave(struct session *s);
void session_drive(struct session *s);
void session_end(struct session *s, const struct session_failure *failure);
void session_listen(struct session *s); /* to its stream */

/* session_auth.c */
void session_prepare(struct session *s); /* then session_dial */
void session_choose_auth(struct session *s, const char *mechanisms);
void session_answer_challenge(struct session *s, const char *bytes, size_t len);
/* Where AUTH was refused: whose credentials these are, which the reply does not say. */
void session_explain_auth(
	const struct session *s, const struct smtp_failure *f, char *out, size_t size);
void session_forget_auth(struct session *s);

/* session_dial.c */
void session_dial(struct session *s);

/* session_tls.c */
void session_start_tls(struct session *s);
void session_log_handshake(struct session *s, const char *error, const char *stage);

#endif
