/*
 * A non-blocking socket, in plaintext or with TLS on it, for the programs of the
 * benchmark. It does few system calls: one recv() an event, one send() a flush,
 * whatever TLS makes of it.
 *
 * Reading: channel_begin() when the socket is readable, then channel_read() until it
 * returns 0. What is written is kept until channel_flush().
 */
#ifndef BENCH_CHANNEL_H
#define BENCH_CHANNEL_H

#include "base/buf.h"

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Input before decryption. One a process will do: it is empty between two events. */
struct channel_scratch {
	char bytes[65536];
	size_t start, end;
};

struct channel {
	int fd;                          /* owned */
	struct channel_scratch *scratch; /* borrowed */
	gnutls_session_t tls;            /* NULL: plaintext */
	bool is_handshaking;
	bool may_recv;  /* the socket may hold more */
	struct buf out; /* what the socket has not taken yet */
};

enum channel_tls_side { CHANNEL_CLIENT, CHANNEL_SERVER };

struct channel_tls {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key; /* of a server; empty: no tickets */
};

void channel_open(struct channel *ch, int fd, struct channel_scratch *scratch);
void channel_close(struct channel *ch); /* also of one that was never opened, zeroed */

/* What follows on the channel is TLS. Returns 0 or a GnuTLS error. */
int channel_start_tls(
	struct channel *ch, const struct channel_tls *tls, enum channel_tls_side side);

/* Returns 1 when done, 0 when the peer has to say more, -1 when it failed. */
int channel_handshake(struct channel *ch);

void channel_begin(struct channel *ch);

/* Returns octets read, 0 for "nothing more now", -1 for the end or an error. */
ssize_t channel_read(struct channel *ch, char *bytes, size_t size);

/* Returns 0, or -1 for a broken TLS session. */
int channel_write(struct channel *ch, const char *bytes, size_t len);

/* Returns 1 when everything is with the kernel, 0 when the socket is full, -1 when
 * the connection is lost. */
int channel_flush(struct channel *ch);

#endif
