/*
 * TLS as a client, over any stream: credentials, the handshake, and plain
 * facts about it afterwards. GnuTLS never sees a socket. Nothing here decides
 * whether a connection is good enough: the facts go to the policy.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"
#include "net/stream.h"
#include "net/tls_identity.h"
#include "policy/types.h"

#include <stdbool.h>
#include <stdint.h>

/* The versions (mask of enum policy_version) that the TLS library can do. */
unsigned tls_versions_available(void);
const char *tls_library_version(void); /* of the library that runs */
const char *tls_library_built(void);

/* Trust anchors, and what is worked out once for all sessions of one loop: the
 * system's rules for TLS, for one, are read when a mask of versions is first
 * asked for. trust_file NULL: the system's; a system without any is no error
 * (opportunistic TLS does not need them), a named file that cannot be read is. */
struct tls_credentials;
int tls_credentials_new(
	const char *trust_file, struct tls_credentials **out, struct err *e);
void tls_credentials_free(struct tls_credentials **c);

/* Can a handshake with these versions (mask) begin at all? 0, or why not. Asked
 * before STARTTLS is sent: after the 220 there is no way back in that session. */
int tls_check(struct tls_credentials *c, unsigned versions, struct err *e);

struct tls_params {
	struct tls_credentials *credentials;
	unsigned versions; /* mask; all must be available */
	const char *sni;   /* NULL or "": none */
	/* What the certificate is checked against: a DNS name (A-labels), or an address
	 * without brackets; NULL: the chain alone. */
	const char *verify_name;
	int64_t handshake_timeout_ms; /* for the whole handshake */
	/* Sent when the server asks for a certificate, held by the session; NULL: an
	 * empty list is. Expired or not is not looked at here. With a key on a token the
	 * handshake waits for its signature. */
	struct tls_identity *identity;
	/* Resume an earlier session where one with all of the above, the peer's
	 * address and port and this generation left a ticket, and leave one for a
	 * later session. A ticket that the peer does not take costs nothing: the
	 * handshake is a full one then. */
	bool uses_tickets;
	uint64_t ticket_generation;
};

/* What is known after a handshake, good or failed. */
struct tls_facts {
	bool completed;
	char version[16]; /* "TLS1.3" */
	char cipher[64];  /* IANA-like: "TLS_AES_256_GCM_SHA384" or GnuTLS's name */
	char group[32];   /* "X25519" */
	bool offered_ticket;
	bool resumed;
	bool verified;         /* chain and name are good; of a resumed session too */
	char verify_text[256]; /* why not; "" if verified */
	char peer[256];        /* subject of the peer's certificate */
	char fingerprint[65];  /* SHA-256 of it, hex; "" if none */
	char not_after[32];    /* expiry, RFC 3339 */
	bool asked_for_certificate; /* by the server, in this handshake */
	bool sent_certificate;      /* of params->identity, and with proof of its key */
	int64_t duration_ms;
};

/* ok: the stream is ready for use, its reading paused. Otherwise the session is
 * dead and the caller closes the stream; is_init tells that our own side could
 * not begin (class tls_init), else it is the handshake (class tls_handshake), and then
 * ERR_INVALID means that what the peer sent was not TLS at all. */
typedef void tls_callback(void *arg, bool ok, bool is_init, const struct err *e);

/* Wraps *lower, which is taken (set to NULL) at once, and begins the handshake: after
 * STARTTLS, or as the first that is said (RFC 8314 section 3.3).
 * The new stream owns it. cb runs once, from the loop, never from inside this
 * call, and not after stream_close. */
struct stream *tls_client_start(struct uv_loop_s *loop, struct stream **lower,
	const struct tls_params *params, tls_callback *cb, void *arg);

/* Facts of a stream made by tls_client_start; valid until it is closed. */
const struct tls_facts *tls_stream_facts(const struct stream *s);

/* With a ticket offered the session failed before it was of any use: no ticket is
 * taken or kept for this peer for two hours. */
void tls_stream_distrust_tickets(struct stream *s);

#endif
