/*
 * What every part of the delivery on one loop shares: the loop, the store, the
 * resolver, the policy and the configuration in force, and where events go.
 *
 * One env belongs to one loop and one thread; what several loops share is said so
 * below. The policy and the configuration
 * are replaced while attempts run: an attempt takes a reference to the
 * configuration when it begins, and asks for the policy anew before each
 * connection, so that an edit counts for the next connection.
 */
#ifndef DELIVERY_ENV_H
#define DELIVERY_ENV_H

#include "base/share.h"
#include "config/config.h"
#include "delivery/trouble.h"
#include "event/event.h"
#include "policy/policy.h"
#include "queue/queue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct certificates;
struct chunking_memory;
struct dns_resolver;
struct tls_credentials;
struct uv_loop_s;

/* A configuration, which does not change any more, with a count of those who use
 * it, on whatever thread. */
struct config_ref {
	struct config *config; /* owned */
	atomic_size_t refs;
};
struct config_ref *config_ref_new(struct config *config); /* takes it */
struct config_ref *config_ref_take(struct config_ref *ref);
void config_ref_drop(struct config_ref **ref);

enum notice_kind { NOTICE_FAILURE, NOTICE_DELAY, NOTICE_SUCCESS, NOTICE_KIND_COUNT };

/* Who tells of a success, where the sender wants to know (RFC 3461 5.2). */
enum notice_handover {
	NOTICE_PASSED_ON, /* the host, which speaks DSN: nothing is made here */
	NOTICE_RELAYED,   /* nobody will: all that is known is told here */
	NOTICE_DELIVERED  /* likewise, and this is where the mail was going (LMTP) */
};

/* One recipient of a notice to a sender. Borrowed strings. */
struct notice_recipient {
	const struct mail_recipient *recipient;
	enum notice_handover handover; /* of a success */
	const char *mx;
	struct event_reply reply; /* code 0: none */
	const char *detail;
	const char *status;    /* "5.1.1" */
	bool may_have_arrived; /* its last attempt ended in doubt */
};

struct notice {
	enum notice_kind kind;
	const struct mail_envelope *envelope;
	const char *content; /* of the message, as much as is at hand, or NULL */
	size_t content_len;
	const char *domain; /* destination of the recipients */
	const struct notice_recipient *recipients;
	size_t recipient_count;
	int64_t now_ms;
	int64_t expires_ms;
	const char *hostname;
	const char *postmaster;
	enum config_language language;
};

/* Who writes bounces: not the delivery. make returns false where nobody is to
 * be told (NOTIFY=NEVER ...); what it made is released with release. */
struct notice_maker {
	bool (*make)(void *arg, const struct notice *notice,
		struct queue_new_message *out, void **owner_out);
	void (*release)(void *arg, void *owner);
	void *arg;
};

struct delivery_env {
	struct share share; /* of the destinations: those that are this loop's */
	struct uv_loop_s *loop;
	struct queue_port *queue;
	struct dns_resolver *resolver;
	struct tls_credentials *credentials;
	struct config_ref *config;          /* in force; shared with other loops */
	struct policy_set *policy;          /* in force; shared */
	struct chunking_memory *chunking;   /* owned by the lane; NULL: none */
	struct certificates *certificates;  /* of clients; owned by the lane */
	const struct event_hub *hub;        /* shared: sinks are called on all threads */
	const struct notice_maker *notices; /* shared, likewise; NULL: see worker.h */
	struct trouble claim_trouble, result_trouble; /* with the store */
	size_t sessions;  /* open connections, idle ones included */
	size_t quitting;  /* those of them that have been told to say QUIT */
	bool is_stopping; /* sessions say QUIT and do not wait for an answer */
	/* Told when a connection is over; must not start another from inside. */
	void (*session_gone)(void *arg);
	void *session_gone_arg;
};

/* This loop's part of max_sessions: 1 at least. */
size_t delivery_max_sessions(const struct delivery_env *env);

#endif
