/*
 * Delivery status notifications, RFC 3464: bounces, warnings of a delay, and
 * reports of success, as messages for the queue. Built when a result is
 * committed, in the same transaction; the retry log in them is put in by the store.
 * Never for a null sender; never if NOTIFY says otherwise (RFC 3461 4.1, 6.2).
 */
#ifndef REPORT_DSN_H
#define REPORT_DSN_H

#include "event/event.h"
#include "mail/envelope.h"
#include "queue/queue.h"
#include "report/dsn_words.h"

enum dsn_kind { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS, DSN_KIND_COUNT };

struct dsn_recipient {
	const char *address;
	const char *orcpt;        /* or NULL */
	const char *mx;           /* host that said it, or NULL; "/..." is a socket */
	struct event_reply reply; /* borrowed; code 0: no remote verdict */
	const char *detail; /* our own fact where there was no reply, or why it expired */
	const char *status; /* enhanced code, "5.0.0" form */
	bool is_final;      /* DSN_SUCCESS: delivered, not only relayed */
	bool may_have_arrived; /* DSN_FAILURE: the last attempt ended in doubt */
};

struct dsn_request {
	enum dsn_kind kind;
	enum dsn_language language;
	const char *hostname;   /* Reporting-MTA */
	const char *postmaster; /* From: of the notification, address */
	const struct mail_envelope *envelope;
	/* The beginning of the message, or as much of it as is at hand: it has the
	 * Message-ID that the notice refers to. May be NULL. */
	const char *content;
	size_t content_len;
	const char *domain; /* destination of the recipients, for the retry log */
	const struct dsn_recipient *recipients;
	size_t recipient_count;
	int64_t now_ms;
	int64_t expires_ms; /* DSN_DELAY: when it will be given up */
};

/* Is anybody to be told? Not for a null sender, not with NOTIFY=NEVER, and with
 * NOTIFY only what it names; without it failures and delays, but no success.
 * notify: that of the recipient. */
bool dsn_is_wanted(
	const struct mail_envelope *envelope, unsigned notify, enum dsn_kind kind);

/* Without RET, a failed message up to this size comes back whole. */
enum { DSN_RETURN_MAX = 64 * 1024 };

/* Fills a message for queue_result.messages; its strings are owned by out and
 * freed by dsn_message_clear. message points into out: out must not move. */
struct dsn_message {
	struct queue_new_message message;
	struct queue_new_recipient recipient;
	char *owned_body, *owned_tail, *owned_told, *owned_address, *owned_domain;
};
/* to: where it goes (the sender, or the postmaster for a lost bounce), never
 * empty; its normalized destination is to_domain. request and what it points to are
 * borrowed: domain until the message is handed over, the rest for the call. */
void dsn_build(const struct dsn_request *request, const char *to, const char *to_domain,
	struct dsn_message *out);
void dsn_message_clear(struct dsn_message *m);

#endif
