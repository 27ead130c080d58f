/*
 * TLS as a client, as a stream on another stream.
 *
 *   starting --ClientHello sent--> handshake --finished--> open
 *   open --close_notify, alert, end of the lower stream--> ended (on_end)
 *   starting, handshake --error, deadline--> failed (callback with ok false)
 *   any --stream_close--> closed, freed when both timers report closed
 *
 * GnuTLS reads from `in`, which the lower stream fills, and writes to `out`,
 * which goes down as one write when GnuTLS has returned. So nothing ever runs
 * under a GnuTLS function, and callbacks may close the stream at will.
 */
#include "net/tls_impl.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "net/loop.h"
#include "net/stream_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
	PLAIN_SIZE = 16384, /* the most that one record can carry */
	RENEGOTIATIONS_MAX = 3,
	/* Octets that a peer may spend without getting on. GnuTLS refuses a handshake
	 * message of more than 128 KiB only when it has read all of it; and tickets,
	 * warnings and the like it takes for as long as there are any. */
	HANDSHAKE_MAX = 256 * 1024, /* both are in a text below */
	BARREN_MAX = 64 * 1024
};

enum tls_state {
	TLS_STARTING,
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_ENDED,
	TLS_FAILED,
	TLS_CLOSED,
	TLS_STATE_COUNT
};

struct stream_tls {
	struct stream base;
	struct stream *lower; /* owned */
	enum tls_state state;
	gnutls_session_t session;
	struct tls_params params; /* what it points to is a copy of our own */

	struct buf in;       /* from the lower stream, not yet read by GnuTLS */
	struct buf out;      /* from GnuTLS, not yet written to the lower stream */
	bool is_lower_ended; /* lower_end and lower_err tell how */
	bool has_hit_end;    /* GnuTLS has been told of it */
	enum stream_end lower_end;
	struct err lower_err;
	bool has_written; /* by the owner, since the last on_drain */
	int write_result; /* below 0: GnuTLS could not take a write */
	bool is_init_failure;
	unsigned renegotiations;
	size_t barren; /* octets that GnuTLS took since it last gave content */
	char first[TLS_FIRST_MAX]; /* of what the peer sent */
	size_t first_len;

	enum stream_end end; /* for state ended */
	struct err failure;  /* for states ended and failed */
	struct tls_facts facts;
	int64_t good_until_ms; /* those about the certificate */
	struct tls_tickets tickets;
	int64_t started_at;
	tls_callback *cb;
	void *cb_arg;

	uv_timer_t deadline; /* one for the whole handshake */
	uv_timer_t turn;     /* work that has to wait for the loop */
	unsigned open_handles;
};

static struct stream_tls *tls_of(struct stream *s)
{
	return (struct stream_tls *)s;
}

/* The transport that GnuTLS sees. */

static ssize_t pull(gnutls_transport_ptr_t ptr, void *to, size_t len)
{
	struct stream_tls *t = ptr;
	size_t have = buf_len(&t->in);
	if (have) {
		len = len < have ? len : have;
		memcpy(to, buf_bytes(&t->in), len);
		buf_consume(&t->in, len);
		t->barren += len;
		return (ssize_t)len;
	}
	t->has_hit_end = t->is_lower_ended;
	if (t->is_lower_ended && t->lower_end == STREAM_END_EOF)
		return 0;
	gnutls_transport_set_errno(t->session, t->is_lower_ended ? ECONNRESET : EAGAIN);
	return -1;
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ms; /* never waits: 1 is "there is something", 0 "time is up" */
	struct stream_tls *t = ptr;
	return buf_len(&t->in) || t->is_lower_ended;
}

static ssize_t vec_push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int count)
{
	struct stream_tls *t = ptr;
	ssize_t total = 0;
	for (int i = 0; i < count; i++) {
		buf_add(&t->out, iov[i].iov_base, iov[i].iov_len);
		total += (ssize_t)iov[i].iov_len;
	}
	return total;
}

/* GnuTLS has as many codes for a missing end as there are places for it. */
static bool is_cut(const struct stream_tls *t, int result)
{
	return t->has_hit_end && result != GNUTLS_E_FATAL_ALERT_RECEIVED;
}

static void flush(struct stream_tls *t)
{
	if (!buf_len(&t->out))
		return;
	stream_write(t->lower, buf_bytes(&t->out), buf_len(&t->out));
	buf_reset(&t->out);
}

/* Starting. */

static enum tls_state step_starting(struct stream_tls *t)
{
	struct addr peer;
	if (tls_session_new(&t->params, &t->session, &t->failure) != 0) {
		t->is_init_failure = true;
		return TLS_FAILED;
	}
	bool has_peer = stream_peer(t->lower, &peer);
	t->facts.offered_ticket = tls_tickets_take(
		&t->tickets, &t->params, has_peer ? &peer : NULL, t->session);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_pull_timeout_function(t->session, pull_timeout);
	gnutls_transport_set_vec_push_function(t->session, vec_push);
	stream_read_start(t->lower);
	return TLS_HANDSHAKE;
}

/* The handshake. */

static enum tls_state handshake_failed(struct stream_tls *t, int result)
{
	tls_error_handshake(&t->failure, t->session, result, t->first, t->first_len);
	gnutls_alert_send_appropriate(t->session, result); /* best effort */
	flush(t);
	return TLS_FAILED;
}

static enum tls_state handshake_cut(struct stream_tls *t)
{
	if (t->lower_end == STREAM_END_EOF)
		err_set(&t->failure, ERR_NETWORK,
			"closed by the peer during the handshake");
	else
		err_set(&t->failure, t->lower_err.code,
			"connection lost during the handshake: %.900s",
			t->lower_err.text);
	return TLS_FAILED;
}

/* Is there reason to call the library again at once? Warning alerts,
 * unrecognized_name for one, are no failure. With a long flight (many
 * certificates) it says AGAIN between records that are all there already: to
 * wait for more would be to wait for ever. */
static bool handshake_goes_on(
	const struct stream_tls *t, int result, size_t unread_before)
{
	if (t->barren > HANDSHAKE_MAX)
		return false;
	if (result == GNUTLS_E_AGAIN)
		return buf_len(&t->in) && buf_len(&t->in) < unread_before;
	return result < 0 && !gnutls_error_is_fatal(result);
}

static enum tls_state step_handshake(struct stream_tls *t)
{
	int result;
	size_t unread;
	do {
		unread = buf_len(&t->in);
		result = gnutls_handshake(t->session);
	} while (handshake_goes_on(t, result, unread));
	flush(t);
	if (result == 0)
		return TLS_OPEN;
	if (t->barren > HANDSHAKE_MAX) {
		err_set(&t->failure, ERR_NETWORK,
			"more than 256 KiB of a handshake, and no end");
		return TLS_FAILED;
	}
	if (result == GNUTLS_E_AGAIN)
		return TLS_HANDSHAKE;
	if (is_cut(t, result))
		return handshake_cut(t);
	return handshake_failed(t, result);
}

/* Open: reading. */

static enum tls_state end_session(
	struct stream_tls *t, enum stream_end end, enum err_code code, const char *text)
{
	t->end = end;
	err_set(&t->failure, code, "%s", text);
	return TLS_ENDED;
}

static enum tls_state session_failed(struct stream_tls *t, int result)
{
	if (is_cut(t, result)) {
		if (t->lower_end == STREAM_END_EOF)
			return end_session(t, STREAM_END_TRUNCATED, ERR_NETWORK,
				"connection closed by the peer without close_notify");
		return end_session(t, t->lower_end, t->lower_err.code, t->lower_err.text);
	}
	tls_error_session(&t->failure, t->session, result);
	gnutls_alert_send_appropriate(t->session, result); /* best effort */
	flush(t);
	t->end = STREAM_END_TLS;
	return TLS_ENDED;
}

/* A HelloRequest: refused with a warning, as RFC 5246 section 7.4.1.1 allows. */
static enum tls_state refuse_renegotiation(struct stream_tls *t)
{
	if (++t->renegotiations > RENEGOTIATIONS_MAX)
		return end_session(t, STREAM_END_TLS, ERR_NETWORK,
			"the peer insists on renegotiation");
	gnutls_alert_send(t->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
	flush(t);
	return TLS_OPEN;
}

static bool can_read(const struct stream_tls *t)
{
	return t->base.is_reading && (t->is_lower_ended || buf_len(&t->in) ||
					     gnutls_record_check_pending(t->session));
}

static void take_plain(struct stream_tls *t, const char *bytes, size_t len)
{
	if (!t->tickets.has_left)
		tls_tickets_leave(&t->tickets, &t->params, t->session, t->good_until_ms);
	t->barren = 0;
	stream_emit_data(&t->base, bytes, len);
}

static enum tls_state step_open(struct stream_tls *t)
{
	char plain[PLAIN_SIZE];
	if (t->write_result)
		return session_failed(t, t->write_result);
	while (can_read(t)) {
		ssize_t n = gnutls_record_recv(t->session, plain, sizeof(plain));
		flush(t); /* an answer to a key update */
		if (n > 0)
			take_plain(t, plain, (size_t)n);
		else if (n == 0)
			return end_session(t, STREAM_END_EOF, ERR_NETWORK,
				"connection closed by the peer");
		else if (t->barren > BARREN_MAX)
			return end_session(t, STREAM_END_TLS, ERR_NETWORK,
				"more than 64 KiB without content");
		else if (n == GNUTLS_E_REHANDSHAKE) {
			if (refuse_renegotiation(t) != TLS_OPEN)
				return TLS_ENDED;
		} else if (n == GNUTLS_E_AGAIN && !buf_len(&t->in) && !t->is_lower_ended)
			break; /* else it was a ticket or the like: there is more */
		else if (gnutls_error_is_fatal((int)n))
			return session_failed(t, (int)n);
		if (t->state != TLS_OPEN)
			return t->state; /* closed in on_data */
	}
	/* A lost connection is told to a writer that does not read, too. */
	if (t->is_lower_ended && t->lower_end != STREAM_END_EOF && !t->base.is_reading)
		return end_session(t, t->lower_end, t->lower_err.code, t->lower_err.text);
	return TLS_OPEN;
}

/* The machine. */

static enum tls_state step_over(struct stream_tls *t)
{
	return t->state;
}

static void enter_open(struct stream_tls *t);
static void enter_ended(struct stream_tls *t);
static void enter_failed(struct stream_tls *t);

static const struct state_row {
	enum tls_state (*step)(struct stream_tls *t);
	void (*enter)(struct stream_tls *t); /* the last thing: it may close */
	unsigned next;                       /* bits of the states that may follow */
} state_table[] = {
	[TLS_STARTING] = { step_starting, NULL,
		1 << TLS_HANDSHAKE | 1 << TLS_FAILED | 1 << TLS_CLOSED },
	[TLS_HANDSHAKE] = { step_handshake, NULL,
		1 << TLS_OPEN | 1 << TLS_FAILED | 1 << TLS_CLOSED },
	[TLS_OPEN] = { step_open, enter_open, 1 << TLS_ENDED | 1 << TLS_CLOSED },
	[TLS_ENDED] = { step_over, enter_ended, 1 << TLS_CLOSED },
	[TLS_FAILED] = { step_over, enter_failed, 1 << TLS_CLOSED },
	[TLS_CLOSED] = { step_over, NULL, 0 },
};
_Static_assert(ARRAY_SIZE(state_table) == TLS_STATE_COUNT, "a row a state");

static void set_state(struct stream_tls *t, enum tls_state next)
{
	ASSERT(state_table[t->state].next & 1u << next);
	t->state = next;
	if (state_table[next].enter)
		state_table[next].enter(t);
}

/* Goes on as far as the bytes at hand allow. */
static void run(struct stream_tls *t)
{
	for (;;) {
		enum tls_state next = state_table[t->state].step(t);
		if (next == t->state)
			return;
		set_state(t, next);
	}
}

/* The lower stream is read while somebody wants what comes out of it. */
static void adjust_lower(struct stream_tls *t)
{
	if (t->state == TLS_HANDSHAKE || (t->state == TLS_OPEN && t->base.is_reading))
		stream_read_start(t->lower);
	else if (t->state != TLS_CLOSED)
		stream_read_stop(t->lower);
}

static void finish_handshake(struct stream_tls *t, bool ok)
{
	uv_timer_stop(&t->deadline);
	t->facts.completed = ok;
	t->facts.duration_ms = clock_monotonic_ms() - t->started_at;
	if (t->session)
		tls_facts_read(t->session, &t->params, &t->facts, &t->good_until_ms);
	adjust_lower(t);
	t->cb(t->cb_arg, ok, t->is_init_failure, ok ? NULL : &t->failure);
}

static void enter_open(struct stream_tls *t)
{
	/* A flight is some kilobytes; what follows are replies. */
	if (!buf_len(&t->in))
		buf_clear(&t->in);
	buf_clear(&t->out);
	t->barren = 0;
	finish_handshake(t, true);
}

static void enter_failed(struct stream_tls *t)
{
	finish_handshake(t, false);
}

static void enter_ended(struct stream_tls *t)
{
	adjust_lower(t);
	stream_emit_end(&t->base, t->end, &t->failure);
}

static void on_deadline(uv_timer_t *timer)
{
	struct stream_tls *t = timer->data;
	char limit[TIMEFMT_MAX];
	timefmt_duration(t->params.handshake_timeout_ms, limit);
	err_set(&t->failure, ERR_TIMEOUT,
		t->first_len ? "the handshake was not finished within %s"
			     : "no answer within %s",
		limit);
	set_state(t, TLS_FAILED);
}

static void on_turn(uv_timer_t *timer)
{
	struct stream_tls *t = timer->data;
	run(t);
	if (t->state != TLS_CLOSED)
		adjust_lower(t);
}

/* What the lower stream tells. */

static void on_lower_data(void *arg, const char *bytes, size_t len)
{
	struct stream_tls *t = arg;
	size_t room = sizeof(t->first) - t->first_len;
	size_t keep = len < room ? len : room;
	memcpy(t->first + t->first_len, bytes, keep);
	t->first_len += keep;
	buf_add(&t->in, bytes, len);
	run(t);
}

static void on_lower_end(void *arg, enum stream_end end, const struct err *e)
{
	struct stream_tls *t = arg;
	t->is_lower_ended = true;
	t->lower_end = end;
	t->lower_err = *e;
	run(t);
}

static void on_lower_drain(void *arg)
{
	struct stream_tls *t = arg;
	if (t->state != TLS_OPEN || !t->has_written)
		return;
	t->has_written = false;
	stream_emit_drain(&t->base);
}

/* What the owner asks for. */

static void tls_read_start(struct stream *s)
{
	struct stream_tls *t = tls_of(s);
	if (t->state != TLS_OPEN)
		return;
	adjust_lower(t);
	/* What was read before the pause is told from the loop. */
	uv_timer_start(&t->turn, on_turn, 0, 0);
}

static void tls_read_stop(struct stream *s)
{
	struct stream_tls *t = tls_of(s);
	if (t->state == TLS_OPEN)
		adjust_lower(t);
}

/* Cannot fail half-way: vec_push always takes all. */
static void tls_write(struct stream *s, const void *bytes, size_t len)
{
	struct stream_tls *t = tls_of(s);
	ASSERT(t->state == TLS_OPEN);
	const char *from = bytes;
	while (len) {
		ssize_t n = gnutls_record_send(t->session, from, len);
		if (n <= 0) {
			/* The session is broken, which is told from the loop. */
			t->write_result = n ? (int)n : GNUTLS_E_PUSH_ERROR;
			uv_timer_start(&t->turn, on_turn, 0, 0);
			break;
		}
		from += n;
		len -= (size_t)n;
	}
	t->has_written = true;
	flush(t);
}

static size_t tls_pending(const struct stream *s)
{
	const struct stream_tls *t = (const struct stream_tls *)s;
	return t->lower ? stream_pending(t->lower) : 0;
}

static void copy_params(struct tls_params *to, const struct tls_params *from)
{
	*to = *from;
	to->credentials = tls_credentials_hold(from->credentials);
	to->sni = xstrdup(from->sni);
	to->verify_name = xstrdup(from->verify_name);
	if (to->identity)
		tls_identity_hold(to->identity);
}

static void clear_params(struct tls_params *params)
{
	tls_credentials_free(&params->credentials);
	free((char *)params->sni);
	free((char *)params->verify_name);
	tls_identity_free(&params->identity);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct stream_tls *t = handle->data;
	if (--t->open_handles)
		return;
	if (t->session)
		gnutls_deinit(t->session);
	clear_params(&t->params);
	buf_clear(&t->in);
	buf_clear(&t->out);
	free(t);
}

static void tls_close(struct stream *s, bool is_orderly)
{
	struct stream_tls *t = tls_of(s);
	bool is_alive = t->state == TLS_OPEN ||
			(t->state == TLS_ENDED && t->end == STREAM_END_EOF);
	if (is_orderly && is_alive) {
		(void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
		flush(t);
	}
	set_state(t, TLS_CLOSED);
	if (is_orderly)
		stream_close(&t->lower);
	else
		stream_abort(&t->lower);
	uv_close((uv_handle_t *)&t->deadline, on_timer_closed);
	uv_close((uv_handle_t *)&t->turn, on_timer_closed);
}

static bool tls_peer(const struct stream *s, struct addr *out)
{
	return stream_peer(((const struct stream_tls *)s)->lower, out);
}

static bool tls_local(const struct stream *s, struct addr *out)
{
	return stream_local(((const struct stream_tls *)s)->lower, out);
}

static const struct stream_kind tls_kind = {
	.name = "tls",
	.read_start = tls_read_start,
	.read_stop = tls_read_stop,
	.write = tls_write,
	.pending = tls_pending,
	.close = tls_close,
	.peer = tls_peer,
	.local = tls_local,
};

struct stream *tls_client_start(struct uv_loop_s *loop, struct stream **lower,
	const struct tls_params *params, tls_callback *cb, void *arg)
{
	struct stream_tls *t = xcalloc(1, sizeof(*t));
	stream_init(&t->base, &tls_kind);
	t->state = TLS_STARTING;
	t->cb = cb;
	t->cb_arg = arg;
	copy_params(&t->params, params);
	t->lower = MOVE(*lower);
	stream_read_stop(t->lower);
	stream_set_events(t->lower, &(struct stream_events){ .on_data = on_lower_data,
					    .on_end = on_lower_end,
					    .on_drain = on_lower_drain,
					    .arg = t });
	uv_timer_init(loop, &t->deadline); /* cannot fail */
	uv_timer_init(loop, &t->turn);
	t->deadline.data = t->turn.data = t;
	t->open_handles = 2;
	t->started_at = clock_monotonic_ms();
	uv_timer_start(&t->deadline, on_deadline,
		t->params.handshake_timeout_ms > 0
			? (uint64_t)t->params.handshake_timeout_ms
			: 0,
		0);
	/* Even a failure to begin is told from the loop. */
	uv_timer_start(&t->turn, on_turn, 0, 0);
	return &t->base;
}

const struct tls_facts *tls_stream_facts(const struct stream *s)
{
	ASSERT(s->kind == &tls_kind);
	return &((const struct stream_tls *)s)->facts;
}

void tls_stream_distrust_tickets(struct stream *s)
{
	ASSERT(s->kind == &tls_kind);
	tls_tickets_distrust(&tls_of(s)->tickets, &tls_of(s)->params);
}
