/* What comes of a handshake, by what the server does. */
#include "net_fixture.h"

#include "base/mem.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gnutls_certificate_credentials_t server_cert;
static struct tls_credentials *credentials;

static void read_some(int fd)
{
	char buf[64];
	(void)!read(fd, buf, sizeof(buf));
}

/* Closing with unread bytes would be a reset. */
static void read_rest(int fd)
{
	char buf[4096];
	shutdown(fd, SHUT_WR);
	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
}

static void say(int fd, const void *bytes, size_t len)
{
	read_some(fd);
	write_all(fd, bytes, len);
	read_rest(fd);
}

static void script_close(struct peer *p, int fd)
{
	(void)p;
	say(fd, "", 0);
}

static void script_reset(struct peer *p, int fd)
{
	(void)p;
	read_some(fd);
	struct linger l = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static void script_garbage(struct peer *p, int fd)
{
	(void)p;
	say(fd, "\xde\xad\xbe\xef\x01\x02\x03\x04garbage", 15);
}

static void script_plaintext(struct peer *p, int fd)
{
	(void)p;
	say(fd, "500 what is this?\r\n", 19);
}

static void script_stall(struct peer *p, int fd)
{
	(void)p;
	char buf[4096];
	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
}

/* TLS from the first byte, at a port where it begins with STARTTLS. */
static void script_greet(struct peer *p, int fd)
{
	(void)p;
	write_all(fd, "220 mx.test ESMTP\r\n", 19);
	script_stall(p, fd);
}

static void script_bad_hello(struct peer *p, int fd)
{
	(void)p;
	say(fd, "\x16\x03\x03\x00\x08\x02\x00\x00\x04\xff\xff\xff\xff", 13);
}

static void script_half_hello(struct peer *p, int fd)
{
	(void)p;
	say(fd, "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", 11);
}

static void script_alert(struct peer *p, int fd)
{
	(void)p;
	say(fd, "\x15\x03\x03\x00\x02\x02\x28", 7);
}

static void script_drip(struct peer *p, int fd)
{
	write_all(fd, "\x16\x03", 2);
	script_stall(p, fd);
}

static void script_warning_then_echo(struct peer *p, int fd)
{
	write_all(fd, "\x15\x03\x03\x00\x02\x01\x70", 7); /* unrecognized_name */
	script_tls_echo(p, fd);
}

/* Until the client has had enough: it is not told to stop. */
static void flood(int fd, const char *bytes, size_t len)
{
	struct buf block = { 0 };
	while (buf_len(&block) < 65536)
		buf_add(&block, bytes, len);
	for (int i = 0; i < 500; i++)
		write_all(fd, buf_bytes(&block), buf_len(&block));
	buf_clear(&block);
	read_rest(fd);
}

static void script_endless_warnings(struct peer *p, int fd)
{
	(void)p;
	flood(fd, "\x15\x03\x03\x00\x02\x01\x70", 7);
}

/* A ServerHello of TLS 1.2, then a Certificate of 16 MB. */
static void script_endless_certificate(struct peer *p, int fd)
{
	(void)p;
	char hello[5 + 4 + 45] = "\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03";
	memcpy(hello + 43, "\x00\xc0\x2b\x00\x00\x05\xff\x01\x00\x01", 10);
	write_all(fd, hello, sizeof(hello));
	write_all(fd, "\x16\x03\x03\x00\x04\x0b\xff\xff\xff", 9);
	char record[5 + 1000] = "\x16\x03\x03\x03\xe8";
	flood(fd, record, sizeof(record));
}

enum { ANY = POLICY_TLS1_0 | POLICY_TLS1_1 | POLICY_TLS1_2 | POLICY_TLS1_3 };
#define ONLY(v)  "NORMAL:-VERS-ALL:+VERS-TLS" v ":%COMPAT"
#define GROUP(g) "NORMAL:-GROUP-ALL:+GROUP-" g

static const struct handshake_case {
	const char *name;
	peer_script *script;
	const char *priority;
	bool asks_for_certificate;
	unsigned versions;
	int64_t timeout_ms;
	bool ok, is_init;
	const char *text; /* in the error, or the version */
} cases[] = {
	{ "default to a modern server", script_tls_echo, NULL, false, 0, 0, true, false,
		"TLS1.3" },
	{ "default to a 1.2 server", script_tls_echo, ONLY("1.2"), false, 0, 0, true,
		false, "TLS1.2" },
	{ "default to a 1.1 server", script_tls_echo, ONLY("1.1"), false, 0, 0, false,
		false, "version" },
	{ "all versions to a 1.1 server", script_tls_echo, ONLY("1.1"), false, ANY, 0,
		true, false, "TLS1.1" },
	{ "all versions to a 1.0 server", script_tls_echo, ONLY("1.0"), false, ANY, 0,
		true, false, "TLS1.0" },
	{ "pinned to 1.0", script_tls_echo, "NORMAL", false, POLICY_TLS1_0, 0, true,
		false, "TLS1.0" },
	{ "pinned to 1.1", script_tls_echo, "NORMAL", false, POLICY_TLS1_1, 0, true,
		false, "TLS1.1" },
	{ "pinned to 1.2", script_tls_echo, "NORMAL", false, POLICY_TLS1_2, 0, true,
		false, "TLS1.2" },
	{ "pinned to 1.3", script_tls_echo, "NORMAL", false, POLICY_TLS1_3, 0, true,
		false, "TLS1.3" },
	{ "pinned to 1.3, the server has 1.2", script_tls_echo, ONLY("1.2"), false,
		POLICY_TLS1_3, 0, false, false, "server sent alert" },
	{ "pinned to SSL 3.0 alone", script_tls_echo, NULL, false, POLICY_SSL3_0, 0,
		false, true, "does not offer SSL3.0" },
	{ "SSL 3.0 in a longer list", script_tls_echo, NULL, false, POLICY_SSL3_0 | ANY,
		0, false, true, "does not offer SSL3.0" },
	{ "a 1.3 server with P-256 alone", script_tls_echo, GROUP("SECP256R1"), false,
		POLICY_TLS1_3, 0, true, false, "TLS1.3" },
	{ "a 1.3 server with P-384 alone", script_tls_echo, GROUP("SECP384R1"), false,
		POLICY_TLS1_3, 0, true, false, "TLS1.3" },
	{ "a 1.2 server with P-384 alone", script_tls_echo, GROUP("SECP384R1"), false,
		POLICY_TLS1_2, 0, true, false, "TLS1.2" },
	{ "a certificate demanded under 1.2", script_tls_echo, ONLY("1.2"), true, 0, 0,
		false, false, "server sent alert" },
	{ "closed", script_close, NULL, false, 0, 0, false, false,
		"closed by the peer during the handshake" },
	{ "closed in the middle of ServerHello", script_half_hello, NULL, false, 0, 0,
		false, false, "closed by the peer during the handshake" },
	{ "reset", script_reset, NULL, false, 0, 0, false, false,
		"connection lost during the handshake" },
	{ "garbage", script_garbage, NULL, false, 0, 0, false, false,
		"does not speak TLS" },
	{ "a plaintext reply", script_plaintext, NULL, false, 0, 0, false, false,
		"it sent \"500 what is this?\"" },
	{ "a greeting", script_greet, NULL, false, 0, 0, false, false,
		"it sent \"220 mx.test ESMTP\"" },
	{ "a ServerHello that lies", script_bad_hello, NULL, false, 0, 0, false, false,
		"TLS protocol error" },
	{ "a fatal alert", script_alert, NULL, false, 0, 0, false, false,
		"server sent alert 40 (handshake_failure)" },
	{ "warnings without end", script_endless_warnings, NULL, false, 0, 0, false,
		false, "TLS protocol error" },
	{ "a certificate without end", script_endless_certificate, NULL, false, 0, 0,
		false, false, "256 KiB of a handshake" },
	{ "a warning alert first", script_warning_then_echo, NULL, false, 0, 0, true,
		false, "TLS1.3" },
	{ "silence", script_stall, NULL, false, 0, 50, false, false,
		"no answer within 50ms" },
	{ "a few octets, then silence", script_drip, NULL, false, 0, 200, false, false,
		"not finished within 200ms" },
};

static void check(const struct handshake_case *k, struct client *c)
{
	if (c->is_tls_ok != k->ok || c->is_init != k->is_init)
		fail_msg("%s: ok %d, init %d, %s", k->name, c->is_tls_ok, c->is_init,
			c->err.text);
	const struct tls_facts *facts = tls_stream_facts(c->s);
	assert_int_equal(facts->completed, k->ok);
	const char *text = k->ok ? facts->version : c->err.text;
	if (!strstr(text, k->text))
		fail_msg("%s: \"%s\" is not in \"%s\"", k->name, k->text, text);
	if (!k->ok)
		return;
	client_write(c, "NOOP\r\n");
	client_wait(c, 6);
	assert_memory_equal(buf_bytes(&c->got), "NOOP\r\n", 6);
}

static void run_case(const struct handshake_case *k, enum close_at close_at)
{
	struct peer p = { .script = k->script,
		.priority = k->priority,
		.request = k->asks_for_certificate ? GNUTLS_CERT_REQUIRE
						   : GNUTLS_CERT_IGNORE,
		.credentials = server_cert };
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	client_connect(&c, &p.addr);
	c.close_at = close_at;
	struct tls_params params = { .credentials = credentials,
		.versions = k->versions ? k->versions : POLICY_VERSIONS_DEFAULT,
		.handshake_timeout_ms = k->timeout_ms ? k->timeout_ms : 15000 };
	client_start_tls(&c, &params);
	if (close_at == CLOSE_NEVER)
		check(k, &c);
	client_clear(&c);
	loop_free(&loop);
	peer_join(&p);
}

static void each_handshake_has_its_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], CLOSE_NEVER);
}

static void each_outcome_may_close_the_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], CLOSE_ON_TLS);
}

/* RFC 8446 4.2.8: extension, length, length of the shares, group, length of it. */
static const char one_x25519_share[] = "\0\x33\0\x26\0\x24\0\x1d\0\x20";

static void script_look_for_share(struct peer *p, int fd)
{
	char hello[2048];
	ssize_t n = read(fd, hello, sizeof(hello));
	/* The first octet is that of a handshake: nothing in clear comes before. */
	p->is_handshake_ok =
		n > 0 && hello[0] == 22 &&
		memmem(hello, (size_t)n, one_x25519_share, sizeof(one_x25519_share) - 1);
	read_rest(fd);
}

static void the_hello_carries_a_share_for_x25519_alone(void **state)
{
	(void)state;
	struct peer p = { .script = script_look_for_share };
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	client_connect(&c, &p.addr);
	struct tls_params params = { .credentials = credentials,
		.versions = POLICY_VERSIONS_DEFAULT,
		.handshake_timeout_ms = 15000 };
	client_start_tls(&c, &params);
	client_clear(&c);
	loop_free(&loop);
	peer_join(&p);
	assert_true(p.is_handshake_ok);
}

/* The client's part of a 1.3 handshake is over before the server has judged. */
static void a_certificate_demanded_under_1_3_ends_the_first_read(void **state)
{
	(void)state;
	struct peer p = { .script = script_tls_echo,
		.request = GNUTLS_CERT_REQUIRE,
		.credentials = server_cert };
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	client_connect(&c, &p.addr);
	struct tls_params params = { .credentials = credentials,
		.versions = POLICY_TLS1_3,
		.handshake_timeout_ms = 15000 };
	client_start_tls(&c, &params);
	assert_true(c.is_tls_ok);
	assert_true(tls_stream_facts(c.s)->asked_for_certificate);
	stream_read_start(c.s);
	run_until(loop, &c.is_ended);
	assert_int_equal(c.end, STREAM_END_TLS);
	assert_string_equal(
		c.end_err.text, "server sent alert 116 (certificate_required)");
	client_clear(&c);
	loop_free(&loop);
	peer_join(&p);
}

static void closing_during_the_handshake_is_silent(void **state)
{
	(void)state;
	struct peer p = { .script = script_stall };
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	client_connect(&c, &p.addr);
	struct tls_params params = { .credentials = credentials,
		.versions = POLICY_VERSIONS_DEFAULT,
		.handshake_timeout_ms = 15000 };
	struct stream *s = tls_client_start(loop, &c.s, &params, NULL, NULL);
	stream_close(&s);
	client_clear(&c);
	loop_free(&loop);
	peer_join(&p);
}

static void the_library_tells_its_versions(void **state)
{
	(void)state;
	assert_int_equal(tls_versions_available(), ANY);
	assert_non_null(tls_library_version());
	assert_non_null(tls_library_built());
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
		cmocka_unit_test(each_handshake_has_its_outcome),
		cmocka_unit_test(each_outcome_may_close_the_stream),
		cmocka_unit_test(the_hello_carries_a_share_for_x25519_alone),
		cmocka_unit_test(a_certificate_demanded_under_1_3_ends_the_first_read),
		cmocka_unit_test(closing_during_the_handshake_is_silent),
		cmocka_unit_test(the_library_tells_its_versions),
	};
	return cmocka_run_group_tests_name("net/tls_handshake", tests, setup, teardown);
}
