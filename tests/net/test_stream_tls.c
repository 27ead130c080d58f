/* The stream that a handshake leads to. */
#include "net_fixture.h"

#include "base/mem.h"
#include "net/stream_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gnutls_certificate_credentials_t server_cert;
static struct tls_credentials *credentials;

static const char *const versions[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2",
	"NORMAL:-VERS-ALL:+VERS-TLS1.3" };

static struct tls_params params(void)
{
	return (struct tls_params){ .credentials = credentials,
		.versions = POLICY_VERSIONS_DEFAULT,
		.handshake_timeout_ms = 15000 };
}

static void setup_client(struct client *c, struct peer *p, const char *priority)
{
	p->credentials = server_cert;
	p->priority = priority;
	peer_start(p, "127.0.0.1");
	client_init(c, loop_new());
	client_connect(c, &p->addr);
	struct tls_params tls = params();
	client_start_tls(c, &tls);
	if (!c->is_tls_ok)
		fail_msg("%s", c->err.text);
}

static void free_all(struct client *c, struct peer *p)
{
	struct uv_loop_s *loop = c->loop;
	client_clear(c);
	loop_free(&loop);
	peer_join(p);
}

static void echo_returns_each_byte_in_order(void **state)
{
	(void)state;
	static const size_t chunks[] = { 1, 17, 16384, 16385, 300000 };
	for (size_t i = 0; i < 2 * ARRAY_SIZE(chunks); i++) {
		struct peer p = { .script = script_tls_echo };
		struct client c;
		setup_client(&c, &p, versions[i % 2]);
		size_t chunk = chunks[i / 2], len = chunk == 1 ? 300 : 500000;
		char *sent = pattern_new(len);
		for (size_t at = 0; at < len; at += chunk)
			stream_write(c.s, sent + at, len - at < chunk ? len - at : chunk);
		client_wait(&c, len);
		assert_int_equal(buf_len(&c.got), len);
		assert_memory_equal(buf_bytes(&c.got), sent, len);
		free(sent);
		free_all(&c, &p);
		assert_int_equal(p.end, 0); /* it got close_notify */
	}
}

static void megabytes_queue_and_drain(void **state)
{
	(void)state;
	struct peer p = { .script = script_tls_echo };
	struct client c;
	setup_client(&c, &p, NULL);
	size_t len = 32u << 20; /* more than a quick peer can keep up with */
	char *sent = pattern_new(len);
	stream_write(c.s, sent, len);
	assert_true(stream_pending(c.s) > 0);
	client_wait(&c, len);
	run_until(c.loop, &c.is_drained);
	assert_int_equal(stream_pending(c.s), 0);
	assert_memory_equal(buf_bytes(&c.got), sent, len);
	free(sent);
	free_all(&c, &p);
}

/* A record is delivered, and the owner pauses in the middle of more of them. */
struct pauser {
	struct client *c;
	bool is_paused;
};

static void pausing_on_data(void *arg, const char *bytes, size_t len)
{
	struct pauser *p = arg;
	assert_false(p->is_paused);
	buf_add(&p->c->got, bytes, len);
	p->is_paused = true;
	stream_read_stop(p->c->s);
}

static void pausing_on_end(void *arg, enum stream_end end, const struct err *e)
{
	(void)end;
	(void)e;
	struct pauser *p = arg;
	p->c->is_ended = true;
}

static void a_pause_holds_between_two_records(void **state)
{
	(void)state;
	struct peer p = { .script = script_tls_echo };
	struct client c;
	setup_client(&c, &p, NULL);
	struct pauser pauser = { .c = &c };
	stream_set_events(c.s, &(struct stream_events){ .on_data = pausing_on_data,
				       .on_end = pausing_on_end,
				       .arg = &pauser });
	size_t len = 60000;
	char *sent = pattern_new(len);
	stream_write(c.s, sent, len);
	while (buf_len(&c.got) < len) {
		pauser.is_paused = false;
		stream_read_start(c.s);
		assert_false(pauser.is_paused); /* never from inside the call */
		run_until(c.loop, &pauser.is_paused);
	}
	assert_memory_equal(buf_bytes(&c.got), sent, len);
	free(sent);
	free_all(&c, &p);
}

static void script_say_and_cut(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	char byte;
	gnutls_record_send(session, "250 ok\r\n", 8);
	gnutls_record_recv(session, &byte, 1); /* an unread byte would be a reset */
	gnutls_deinit(session);                /* no close_notify */
}

static void script_say_and_bye(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	gnutls_record_send(session, "250 ok\r\n", 8);
	char buf[64];
	gnutls_bye(session, GNUTLS_SHUT_WR);
	p->end = (int)gnutls_record_recv(session, buf, sizeof(buf));
	gnutls_deinit(session);
}

static void script_say_and_reset(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	struct linger l = { .l_onoff = 1 };
	char byte;
	gnutls_record_recv(session, &byte, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	gnutls_deinit(session);
}

static void script_bad_record(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	write_all(fd, "\x17\x03\x03\x00\x20this is not a record of thirty-two", 37);
	char buf[64];
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		continue;
	gnutls_deinit(session);
}

static void script_alert(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
	char buf[64];
	shutdown(fd, SHUT_WR);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		continue;
	gnutls_deinit(session);
}

static const struct end_case {
	peer_script *script;
	enum stream_end end;
	const char *text;
} end_cases[] = {
	{ script_say_and_bye, STREAM_END_EOF, "closed by the peer" },
	{ script_say_and_cut, STREAM_END_TRUNCATED, "without close_notify" },
	{ script_say_and_reset, STREAM_END_RESET, "reset by peer" },
	{ script_bad_record, STREAM_END_TLS, "TLS: " },
	{ script_alert, STREAM_END_TLS, "server sent alert 80 (internal_error)" },
};

static void the_end_tells_how(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(end_cases); i++) {
		const struct end_case *k = &end_cases[i / 2];
		struct peer p = { .script = k->script };
		struct client c;
		setup_client(&c, &p, versions[i % 2]);
		client_write(&c, "x");
		stream_read_start(c.s);
		run_until(c.loop, &c.is_ended);
		if (c.end != k->end || !strstr(c.end_err.text, k->text))
			fail_msg("case %zu: %d, %s", i, c.end, c.end_err.text);
		client_write(&c, "to nobody");
		free_all(&c, &p);
	}
}

static void any_callback_may_close(void **state)
{
	(void)state;
	static const struct {
		enum close_at at;
		peer_script *script;
	} cases[] = {
		{ CLOSE_ON_DATA, script_tls_echo },
		{ CLOSE_ON_DRAIN, script_tls_echo },
		{ CLOSE_ON_END, script_say_and_bye },
		{ CLOSE_ON_END, script_say_and_cut },
		{ CLOSE_ON_END, script_say_and_reset },
		{ CLOSE_ON_END, script_bad_record },
		{ CLOSE_ON_END, script_alert },
	};
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct peer p = { .script = cases[i / 2].script };
		struct client c;
		setup_client(&c, &p, NULL);
		c.close_at = cases[i / 2].at;
		c.is_abort = i % 2;
		/* Several records; for on_drain more than the system takes at once. */
		size_t len = c.close_at == CLOSE_ON_DRAIN ? 32u << 20 : 50000;
		char *sent = pattern_new(len);
		stream_write(c.s, sent, len);
		free(sent);
		stream_read_start(c.s);
		run_until(c.loop, &c.is_closed);
		free_all(&c, &p);
	}
}

/* p->received counts how often it asks. */
static void script_renegotiate(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	for (size_t i = 0; i < p->received; i++)
		gnutls_rehandshake(session); /* a HelloRequest */
	char buf[64];
	ssize_t n;
	do {
		n = gnutls_record_recv(session, buf, sizeof(buf));
		if (n > 0)
			gnutls_record_send(session, buf, (size_t)n);
	} while (n > 0 || (n < 0 && !gnutls_error_is_fatal((int)n)));
	server_session_free(session);
}

static void renegotiation_is_refused_and_the_session_goes_on(void **state)
{
	(void)state;
	struct peer p = { .script = script_renegotiate, .received = 2 };
	struct client c;
	setup_client(&c, &p, versions[0]);
	client_write(&c, "NOOP\r\n");
	client_wait(&c, 6);
	assert_false(c.is_ended);
	free_all(&c, &p);
}

static void a_peer_that_insists_on_renegotiation_is_left(void **state)
{
	(void)state;
	struct peer p = { .script = script_renegotiate, .received = 10 };
	struct client c;
	setup_client(&c, &p, versions[0]);
	stream_read_start(c.s);
	run_until(c.loop, &c.is_ended);
	assert_int_equal(c.end, STREAM_END_TLS);
	assert_non_null(strstr(c.end_err.text, "renegotiation"));
	free_all(&c, &p);
}

/* Tickets until the client leaves; or, p->received, so many and then an answer. */
static void script_tickets(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	size_t count = p->received ? p->received : 100000;
	int result = 0;
	while (count-- && result >= 0)
		result = gnutls_session_ticket_send(session, 1, 0);
	gnutls_record_send(session, "250 ok\r\n", 8);
	char byte;
	while (gnutls_record_recv(session, &byte, 1) > 0)
		continue;
	gnutls_deinit(session);
}

static void setup_ticket_client(struct client *c, struct peer *p)
{
	static gnutls_datum_t key;
	if (!key.size)
		gnutls_session_ticket_key_generate(&key);
	p->ticket_key = &key;
	setup_client(c, p, versions[1]);
}

static void some_tickets_pass_unnoticed(void **state)
{
	(void)state;
	struct peer p = { .script = script_tickets, .received = 50 };
	struct client c;
	setup_ticket_client(&c, &p);
	client_wait(&c, 8);
	free_all(&c, &p);
}

static void a_peer_that_talks_without_saying_anything_is_left(void **state)
{
	(void)state;
	struct peer p = { .script = script_tickets };
	struct client c;
	setup_ticket_client(&c, &p);
	stream_read_start(c.s);
	run_until(c.loop, &c.is_ended);
	assert_int_equal(c.end, STREAM_END_TLS);
	assert_non_null(strstr(c.end_err.text, "64 KiB without content"));
	free_all(&c, &p);
}

static void script_key_update(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	gnutls_session_key_update(session, GNUTLS_KU_PEER);
	char buf[64];
	ssize_t n;
	while ((n = gnutls_record_recv(session, buf, sizeof(buf))) > 0 ||
		n == GNUTLS_E_AGAIN)
		if (n > 0)
			gnutls_record_send(session, buf, (size_t)n);
	p->end = (int)n;
	server_session_free(session);
}

static void a_key_update_passes_unnoticed(void **state)
{
	(void)state;
	struct peer p = { .script = script_key_update };
	struct client c;
	setup_client(&c, &p, versions[1]);
	client_write(&c, "NOOP\r\n");
	client_wait(&c, 6);
	client_write(&c, "QUIT\r\n");
	client_wait(&c, 12);
	free_all(&c, &p);
	assert_int_equal(p.end, 0);
}

/* A server at the other end of a pair: GnuTLS fed by hand, no socket at all. */
struct memory_server {
	struct stream *s;
	gnutls_session_t session;
	struct buf in;
	bool is_open;
};

static ssize_t server_pull(gnutls_transport_ptr_t ptr, void *to, size_t len)
{
	struct memory_server *m = ptr;
	if (!buf_len(&m->in)) {
		gnutls_transport_set_errno(m->session, EAGAIN);
		return -1;
	}
	len = len < buf_len(&m->in) ? len : buf_len(&m->in);
	memcpy(to, buf_bytes(&m->in), len);
	buf_consume(&m->in, len);
	return (ssize_t)len;
}

static int server_pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ms;
	return buf_len(&((struct memory_server *)ptr)->in) > 0;
}

static ssize_t server_push(gnutls_transport_ptr_t ptr, const void *bytes, size_t len)
{
	stream_write(((struct memory_server *)ptr)->s, bytes, len);
	return (ssize_t)len;
}

static void server_on_data(void *arg, const char *bytes, size_t len)
{
	struct memory_server *m = arg;
	buf_add(&m->in, bytes, len);
	if (!m->is_open)
		m->is_open = gnutls_handshake(m->session) == 0;
	char plain[1000];
	ssize_t n;
	while (m->is_open &&
		(n = gnutls_record_recv(m->session, plain, sizeof(plain))) > 0)
		gnutls_record_send(m->session, plain, (size_t)n);
}

static void memory_server_init(struct memory_server *m, struct stream *s)
{
	*m = (struct memory_server){ .s = s };
	gnutls_init(&m->session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	gnutls_set_default_priority(m->session);
	gnutls_credentials_set(m->session, GNUTLS_CRD_CERTIFICATE, server_cert);
	gnutls_transport_set_ptr(m->session, m);
	gnutls_transport_set_pull_function(m->session, server_pull);
	gnutls_transport_set_pull_timeout_function(m->session, server_pull_timeout);
	gnutls_transport_set_push_function(m->session, server_push);
	stream_set_events(
		s, &(struct stream_events){ .on_data = server_on_data, .arg = m });
	stream_read_start(s);
}

static void tls_needs_no_socket(void **state)
{
	(void)state;
	static const size_t chunks[] = { 1, 3, 100, 0 };
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		struct uv_loop_s *loop = loop_new();
		struct client c;
		struct memory_server m;
		struct stream *there;
		client_init(&c, loop);
		stream_pair_new(loop, chunks[i], &c.s, &there);
		memory_server_init(&m, there);
		struct tls_params tls = params();
		client_start_tls(&c, &tls);
		assert_true(c.is_tls_ok);
		struct addr a;
		assert_false(stream_peer(c.s, &a));
		char *sent = pattern_new(3000);
		stream_write(c.s, sent, 3000);
		client_wait(&c, 3000);
		assert_memory_equal(buf_bytes(&c.got), sent, 3000);
		free(sent);
		client_clear(&c);
		stream_close(&m.s);
		loop_free(&loop);
		gnutls_deinit(m.session);
		buf_clear(&m.in);
	}
}

static int setup(void **state)
{
	(void)state;
	server_cert = cert_new(
		&(struct cert_options){ .name = "mx.test", .valid_for_s = 86400 }, NULL);
	return tls_credentials_new(NULL, &credentials, NULL);
}

static int teardown(void **state)
{
	(void)state;
	gnutls_certificate_free_credentials(server_cert);
	tls_credentials_free(&credentials);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_returns_each_byte_in_order),
		cmocka_unit_test(megabytes_queue_and_drain),
		cmocka_unit_test(a_pause_holds_between_two_records),
		cmocka_unit_test(the_end_tells_how),
		cmocka_unit_test(any_callback_may_close),
		cmocka_unit_test(renegotiation_is_refused_and_the_session_goes_on),
		cmocka_unit_test(a_peer_that_insists_on_renegotiation_is_left),
		cmocka_unit_test(some_tickets_pass_unnoticed),
		cmocka_unit_test(a_peer_that_talks_without_saying_anything_is_left),
		cmocka_unit_test(a_key_update_passes_unnoticed),
		cmocka_unit_test(tls_needs_no_socket),
	};
	return cmocka_run_group_tests_name("net/stream_tls", tests, setup, teardown);
}
