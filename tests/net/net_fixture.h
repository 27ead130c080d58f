/*
 * What the tests of src/net share: a loop with a deadline for failures, a
 * client that records what it is told, and peers, which are threads with
 * blocking sockets that follow a script.
 */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* A loop; run_until fails the test when *done stays false for 20 seconds. */
void run_until(struct uv_loop_s *loop, const bool *done);

void run_turns(struct uv_loop_s *loop, int turns); /* never waits */

/* Where a client closes its stream, from inside the callback. */
enum close_at { CLOSE_NEVER, CLOSE_ON_DATA, CLOSE_ON_END, CLOSE_ON_DRAIN, CLOSE_ON_TLS };

struct client {
	struct uv_loop_s *loop;
	struct stream *s;
	enum close_at close_at;
	bool is_abort;
	bool is_closed; /* by close_at */
	struct buf got;
	size_t want; /* has_got is set at that many bytes */
	bool has_got;
	bool has_data;
	bool is_drained;
	bool is_ended;
	enum stream_end end;
	struct err end_err;
	bool is_connected; /* or failed to */
	size_t index;
	bool is_tls_done;
	bool is_tls_ok;
	bool is_init;
	struct err err; /* of the dial or the handshake */
	unsigned calls_after_close;
};

void client_init(struct client *c, struct uv_loop_s *loop);
void client_clear(struct client *c);                          /* closes what is open */
void client_adopt(struct client *c, struct stream *s);        /* sets events */
void client_connect(struct client *c, const struct addr *to); /* waits */
void client_connect_unix(struct client *c, const char *path); /* likewise */
void client_on_dial(void *arg, struct stream *s, size_t index, const struct err *e);
void client_start_tls(struct client *c, const struct tls_params *params);
void client_wait(struct client *c, size_t want); /* until that many bytes came */
void client_write(struct client *c, const char *text);

/* A certificate made on the spot: an own key, signed by itself. */
struct cert_options {
	const char *name;
	int64_t valid_for_s; /* may be negative */
};
gnutls_certificate_credentials_t cert_new(
	const struct cert_options *options, const char *pem_path);

struct peer;
typedef void peer_script(struct peer *p, int fd);
struct peer {
	peer_script *script;
	const char *priority; /* of a TLS server */
	gnutls_certificate_credentials_t credentials;
	gnutls_certificate_request_t request; /* demands it under TLS 1.3 by an alert */
	const gnutls_datum_t *ticket_key;
	unsigned connections; /* to serve, one after the other; 0 means 1 */
	int gate;             /* for scripts that wait for the test */
	/* What it saw. */
	char sni[256];
	char client_subject[64]; /* of the certificate, "": none was sent */
	unsigned client_chain;   /* how many were sent */
	bool is_handshake_ok;
	int end; /* of its last read: 0 orderly, else a GnuTLS code */
	size_t received;
	/* Its own. */
	struct addr addr;
	const char *path; /* of its unix socket; NULL: addr */
	int listener;
	pthread_t thread;
};

void peer_start(struct peer *p, const char *where); /* an IP or a path */
void client_connect_peer(struct client *c, const struct peer *p);
void peer_join(struct peer *p);

int listen_on(const char *ip, int backlog, struct addr *out);
int listen_on_path(const char *path, int backlog); /* removes what is there */
void write_all(int fd, const void *bytes, size_t len);

/* Scripts. */
void script_echo(struct peer *p, int fd);
void script_tls_echo(struct peer *p, int fd);
gnutls_session_t server_handshake(struct peer *p, int fd); /* NULL: failed */
void server_session_free(gnutls_session_t session);

/* A place for unix sockets, in a directory of its own: for a group's setup and
 * teardown. */
enum { SOCKET_PATH_MAX = 40 };
extern char socket_path[SOCKET_PATH_MAX];
int make_socket_path(void **state);
int remove_socket_path(void **state);

/* Bytes with a pattern, so that a lost or doubled one is seen. */
char *pattern_new(size_t len);

#endif
