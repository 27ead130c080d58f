/* A non-blocking socket with or without TLS. See channel.h. */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void channel_open(struct channel *ch, int fd, struct channel_scratch *scratch)
{
	*ch = (struct channel){ .fd = fd, .scratch = scratch, .out = ch->out };
	buf_reset(&ch->out);
}

void channel_close(struct channel *ch)
{
	if (ch->tls)
		gnutls_deinit(ch->tls);
	if (ch->fd > 0)
		close(ch->fd);
	buf_clear(&ch->out);
	ch->tls = NULL;
	ch->fd = -1;
}

/* The socket's octets in as few calls as possible; EAGAIN when it has no more. */
static ssize_t receive(struct channel *ch, char *bytes, size_t size)
{
	if (!ch->may_recv) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t n = recv(ch->fd, bytes, size, 0);
	ch->may_recv = n == (ssize_t)size;
	return n;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *bytes, size_t size)
{
	struct channel *ch = arg;
	struct channel_scratch *s = ch->scratch;
	if (s->start == s->end) {
		ssize_t n = receive(ch, s->bytes, sizeof(s->bytes));
		if (n <= 0) {
			gnutls_transport_set_errno(ch->tls, n < 0 ? errno : 0);
			return n;
		}
		s->start = 0;
		s->end = (size_t)n;
	}
	if (size > s->end - s->start)
		size = s->end - s->start;
	memcpy(bytes, s->bytes + s->start, size);
	s->start += size;
	return (ssize_t)size;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *bytes, size_t len)
{
	struct channel *ch = arg;
	buf_add(&ch->out, bytes, len);
	return (ssize_t)len;
}

int channel_start_tls(
	struct channel *ch, const struct channel_tls *tls, enum channel_tls_side side)
{
	unsigned flags = side == CHANNEL_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT;
	int rc = gnutls_init(&ch->tls, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (rc == 0)
		rc = gnutls_priority_set(ch->tls, tls->priority);
	if (rc == 0)
		rc = gnutls_credentials_set(
			ch->tls, GNUTLS_CRD_CERTIFICATE, tls->credentials);
	if (rc == 0 && tls->ticket_key.size)
		rc = gnutls_session_ticket_enable_server(ch->tls, &tls->ticket_key);
	if (rc != 0)
		return rc;
	gnutls_handshake_set_timeout(ch->tls, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_ptr(ch->tls, ch);
	gnutls_transport_set_pull_function(ch->tls, pull);
	gnutls_transport_set_push_function(ch->tls, push);
	ch->is_handshaking = true;
	return 0;
}

/* GnuTLS says EAGAIN after a session ticket, too, with input left. */
static bool is_starved(const struct channel *ch)
{
	return !ch->may_recv && ch->scratch->start == ch->scratch->end;
}

int channel_handshake(struct channel *ch)
{
	for (;;) {
		int rc = gnutls_handshake(ch->tls);
		if (rc == GNUTLS_E_AGAIN && is_starved(ch))
			return 0;
		if (rc < 0 && !gnutls_error_is_fatal(rc))
			continue;
		ch->is_handshaking = false;
		return rc == 0 ? 1 : -1;
	}
}

void channel_begin(struct channel *ch)
{
	ch->may_recv = true;
	ch->scratch->start = ch->scratch->end = 0;
}

static ssize_t read_tls(struct channel *ch, char *bytes, size_t size)
{
	for (;;) {
		ssize_t n = gnutls_record_recv(ch->tls, bytes, size);
		if (n > 0)
			return n;
		if (n == GNUTLS_E_AGAIN && is_starved(ch))
			return 0;
		if (n == 0 || gnutls_error_is_fatal((int)n))
			return -1;
	}
}

ssize_t channel_read(struct channel *ch, char *bytes, size_t size)
{
	if (ch->tls)
		return read_tls(ch, bytes, size);
	ssize_t n = receive(ch, bytes, size);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return n == 0 ? -1 : n;
}

int channel_write(struct channel *ch, const char *bytes, size_t len)
{
	if (!ch->tls) {
		buf_add(&ch->out, bytes, len);
		return 0;
	}
	while (len > 0) {
		ssize_t n = gnutls_record_send(ch->tls, bytes, len);
		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int channel_flush(struct channel *ch)
{
	while (buf_len(&ch->out) > 0) {
		ssize_t n = send(
			ch->fd, buf_bytes(&ch->out), buf_len(&ch->out), MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		buf_consume(&ch->out, (size_t)n);
	}
	return 1;
}
