/*
 * A scripted SMTP server on a loopback port: a thread a connection, blocking
 * sockets. The nth connection follows the nth plan, later ones the last one.
 *
 * What it saw is kept as text: the commands of a connection, "*" before those
 * inside TLS, "." for the end of the content (after BDAT too), " | " between connections
 * (in the order in which they were accepted).
 */
#ifndef TESTS_DELIVERY_SMTP_SERVER_H
#define TESTS_DELIVERY_SMTP_SERVER_H

#include "base/addr.h"
#include "base/buf.h"

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero: a host that offers STARTTLS and takes everything. Replies are
 * without CRLF; NULL: the usual one. */
struct server_plan {
	const char *banner;
	/* Instead of STARTTLS in the EHLO reply, with commas between; "": nothing. */
	const char *offers;
	const char *starttls;
	const char *mail, *data, *final; /* final: to the last BDAT too */
	const char *mail2;               /* the second time */
	const char *rcpt[4];             /* by their number in the connection */
	const char *rset;
	/* Hangs up where it would have answered this: a command, "MAIL2", "connect" (no
	 * banner), "handshake", "354" (said), "content" (some of it is read), ".",
	 * "idle" (it has taken a message). */
	const char *close_at;
	const char *stall_at; /* reads on there and says nothing more */
	const char *hold_at;  /* waits there to be released, before all else */
	bool is_tls;          /* from the first octet */
};

enum { SERVER_CONNECTIONS_MAX = 64 };

struct server_connection {
	struct smtp_server *server;
	const struct server_plan *plan;
	int fd;
	gnutls_session_t tls;
	unsigned mails, rcpts;
	bool is_tls;
	size_t content_len;
	struct buf seen;
	char sni[256];
	pthread_t thread;
};

struct smtp_server {
	struct addr addr;
	const struct server_plan *plans;
	size_t plan_count;
	size_t accepts; /* listens no more after so many; 0: no limit */
	gnutls_certificate_credentials_t credentials;
	int listener;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t released_cond;
	size_t released; /* so many of those held may go on, in their order */
	size_t held;     /* connections that reached their hold_at */
	size_t ended;    /* connections that are over */
	size_t count;
	struct server_connection *connections[SERVER_CONNECTIONS_MAX];
};

void smtp_server_start(struct smtp_server *s, const struct server_plan *plans,
	size_t plan_count, size_t accepts);
void smtp_server_stop(struct smtp_server *s); /* waits for its clients to go */

size_t smtp_server_connections(struct smtp_server *s);
size_t smtp_server_held(struct smtp_server *s);
/* Nobody is held any more, nor those who come later. */
void smtp_server_release_all(struct smtp_server *s);
void smtp_server_release(struct smtp_server *s); /* one of them */
/* What it saw so far; malloc'ed. Complete after the connections have ended. */
char *smtp_server_seen(struct smtp_server *s);
size_t smtp_server_content_len(struct smtp_server *s, size_t connection);

/* One certificate a program: making keys is what takes time. */
void smtp_server_forget_certificate(void);

#endif
