/* Certificates, server names and tickets: facts, and never a reason to fail. */
#include "net_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum cert { GOOD, EXPIRED, LASTING, ENDING, CERT_COUNT };

static gnutls_certificate_credentials_t certs[CERT_COUNT];
static struct tls_credentials *trusting[CERT_COUNT]; /* that certificate alone */
static struct tls_credentials *system_trust;
static char pem_path[64];

static const char v12[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
static const char v13[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

/* Time as the cache of verdicts sees it, and how often the library judged. */
static int64_t clock_offset_ms;
static unsigned verifications;

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void)
{
	return __real_clock_wall_ms() + clock_offset_ms;
}

int __real_gnutls_certificate_verify_peers3(gnutls_session_t, const char *, unsigned *);
int __wrap_gnutls_certificate_verify_peers3(gnutls_session_t, const char *, unsigned *);
int __wrap_gnutls_certificate_verify_peers3(
	gnutls_session_t session, const char *name, unsigned *status)
{
	verifications++;
	return __real_gnutls_certificate_verify_peers3(session, name, status);
}

static void connect_tls(struct client *c, struct peer *p, const struct tls_params *params)
{
	client_init(c, loop_new());
	client_connect(c, &p->addr);
	client_start_tls(c, params);
	if (!c->is_tls_ok)
		fail_msg("%s", c->err.text);
}

static void free_client(struct client *c)
{
	struct uv_loop_s *loop = c->loop;
	client_clear(c);
	loop_free(&loop);
}

static const struct verify_case {
	const char *name;
	enum cert cert;
	bool trusts;
	const char *verify_name;
	bool verified;
	const char *text;
} verify_cases[] = {
	{ "trusted, the right name", GOOD, true, "mx.test", true, "" },
	{ "trusted, no name asked", GOOD, true, NULL, true, "" },
	{ "trusted, another name", GOOD, true, "other.test", false, "name" },
	{ "made by itself", GOOD, false, "mx.test", false, "issuer is unknown" },
	{ "expired", EXPIRED, true, "mx.test", false, "expired" },
};

static void check_verified(const struct verify_case *k, const char *priority)
{
	struct peer p = { .script = script_tls_echo,
		.priority = priority,
		.credentials = certs[k->cert] };
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct tls_params params = { .credentials =
					     k->trusts ? trusting[k->cert] : system_trust,
		.versions = POLICY_VERSIONS_DEFAULT,
		.verify_name = k->verify_name,
		.handshake_timeout_ms = 15000 };
	connect_tls(&c, &p, &params);
	const struct tls_facts *f = tls_stream_facts(c.s);
	if (f->verified != k->verified || !strstr(f->verify_text, k->text))
		fail_msg("%s: %d, \"%s\"", k->name, f->verified, f->verify_text);
	if (f->verified)
		assert_string_equal(f->verify_text, "");
	assert_string_equal(f->peer, "CN=mx.test");
	assert_int_equal(strlen(f->fingerprint), 64);
	assert_int_equal(f->not_after[10], 'T');
	assert_string_equal(f->version, priority == v12 ? "TLS1.2" : "TLS1.3");
	assert_string_equal(f->group, "X25519");
	assert_memory_equal(f->cipher, "TLS_", 4);
	assert_false(f->resumed);
	assert_false(f->asked_for_certificate);
	assert_true(f->duration_ms >= 0 && f->duration_ms < 15000);
	free_client(&c);
	peer_join(&p);
}

static void a_certificate_is_a_fact(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verify_cases); i++) {
		check_verified(&verify_cases[i], v12);
		check_verified(&verify_cases[i], v13);
	}
}

/* One connection; how many times the chain was verified for it. */
static unsigned verified_anew(struct peer *p, enum cert cert, const char *name)
{
	unsigned before = verifications;
	struct client c;
	struct tls_params params = { .credentials = trusting[cert],
		.versions = POLICY_VERSIONS_DEFAULT,
		.verify_name = name,
		.handshake_timeout_ms = 15000 };
	connect_tls(&c, p, &params);
	const struct tls_facts *f = tls_stream_facts(c.s);
	assert_int_equal(f->verified, strcmp(name, "mx.test") == 0);
	assert_int_equal(f->verify_text[0] == '\0', f->verified);
	assert_string_equal(f->peer, "CN=mx.test");
	assert_int_equal(strlen(f->fingerprint), 64);
	assert_int_equal(f->not_after[10], 'T');
	free_client(&c);
	return verifications - before;
}

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static void a_chain_is_verified_once_an_hour(void **state)
{
	(void)state;
	struct peer p = {
		.script = script_tls_echo, .credentials = certs[LASTING], .connections = 6
	};
	peer_start(&p, "127.0.0.1");
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 1);
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 0);
	assert_int_equal(verified_anew(&p, LASTING, "other.test"), 1);
	assert_int_equal(verified_anew(&p, LASTING, "other.test"), 0);
	clock_offset_ms = HOUR_MS - MINUTE_MS;
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 0);
	clock_offset_ms = HOUR_MS;
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 1);
	clock_offset_ms = 0;
	peer_join(&p);
}

/* It is valid for half an hour more. */
static void no_verdict_outlives_the_certificate(void **state)
{
	(void)state;
	struct peer p = {
		.script = script_tls_echo, .credentials = certs[ENDING], .connections = 3
	};
	peer_start(&p, "127.0.0.1");
	assert_int_equal(verified_anew(&p, ENDING, "mx.test"), 1);
	clock_offset_ms = 20 * MINUTE_MS;
	assert_int_equal(verified_anew(&p, ENDING, "mx.test"), 0);
	clock_offset_ms = 31 * MINUTE_MS;
	assert_int_equal(verified_anew(&p, ENDING, "mx.test"), 1);
	clock_offset_ms = 0;
	peer_join(&p);
}

static const struct {
	const char *sni, *seen;
} sni_cases[] = {
	{ "mx.test", "mx.test" },
	{ "mx.test.", "mx.test" },
	{ "xn--r8jz45g.test", "xn--r8jz45g.test" },
	{ "", "" },
	{ NULL, "" },
	{ "192.0.2.1", "" },
	{ "2001:db8::1", "" },
};

static void the_server_sees_the_name_that_is_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sni_cases); i++) {
		struct peer p = { .script = script_tls_echo, .credentials = certs[GOOD] };
		snprintf(p.sni, sizeof(p.sni), "not asked");
		peer_start(&p, "127.0.0.1");
		struct client c;
		struct tls_params params = { .credentials = system_trust,
			.versions = POLICY_VERSIONS_DEFAULT,
			.sni = sni_cases[i].sni,
			.handshake_timeout_ms = 15000 };
		connect_tls(&c, &p, &params);
		free_client(&c);
		peer_join(&p);
		assert_string_equal(p.sni, sni_cases[i].seen);
	}
}

/* One session, with what an earlier one left; leaves its own ticket. */
static void one_session(struct peer *p, void **ticket, size_t *len, bool is_resumed)
{
	struct client c;
	struct tls_params params = { .credentials = trusting[GOOD],
		.versions = POLICY_VERSIONS_DEFAULT,
		.sni = "mx.test",
		.verify_name = "mx.test",
		.resume = *ticket,
		.resume_len = *len,
		.handshake_timeout_ms = 15000 };
	connect_tls(&c, p, &params);
	client_write(&c, "NOOP\r\n");
	client_wait(&c, 6); /* under 1.3 the ticket comes before the answer */
	const struct tls_facts *f = tls_stream_facts(c.s);
	assert_int_equal(f->resumed, is_resumed);
	assert_true(f->verified);
	assert_string_equal(f->peer, "CN=mx.test");
	free(*ticket);
	tls_stream_ticket(c.s, ticket, len);
	assert_non_null(*ticket);
	free_client(&c);
}

static void a_ticket_resumes_the_session(void **state)
{
	(void)state;
	static const char *const priorities[] = { v12, v13 };
	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
		gnutls_datum_t key;
		assert_int_equal(gnutls_session_ticket_key_generate(&key), 0);
		struct peer p = { .script = script_tls_echo,
			.priority = priorities[i],
			.credentials = certs[GOOD],
			.ticket_key = &key,
			.connections = 4 };
		peer_start(&p, "127.0.0.1");
		void *ticket = NULL;
		size_t len = 0;
		one_session(&p, &ticket, &len, false);
		one_session(&p, &ticket, &len, true);
		one_session(&p, &ticket, &len, true);
		memset(ticket, 0x5a, len); /* nonsense costs a full handshake */
		one_session(&p, &ticket, &len, false);
		free(ticket);
		peer_join(&p);
		gnutls_free(key.data);
	}
}

static void there_is_no_ticket_where_none_was_given(void **state)
{
	(void)state;
	struct peer p = {
		.script = script_tls_echo, .priority = v12, .credentials = certs[GOOD]
	};
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct tls_params params = { .credentials = system_trust,
		.versions = POLICY_VERSIONS_DEFAULT,
		.handshake_timeout_ms = 15000 };
	connect_tls(&c, &p, &params);
	void *ticket = &p;
	size_t len = 1;
	tls_stream_ticket(c.s, &ticket, &len);
	assert_null(ticket);
	assert_int_equal(len, 0);
	free_client(&c);
	peer_join(&p);
}

static void a_named_trust_file_has_to_be_good(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int code;
		const char *text;
	} cases[] = {
		{ "/nonexistent/ca.pem", ERR_NOT_FOUND,
			"read trust file /nonexistent/ca.pem" },
		{ "/dev/null", ERR_INVALID, "trust file /dev/null" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_credentials *c = NULL;
		struct err e;
		assert_int_equal(
			tls_credentials_new(cases[i].path, &c, &e), cases[i].code);
		assert_null(c);
		assert_non_null(strstr(e.text, cases[i].text));
	}
}

static int setup(void **state)
{
	(void)state;
	static const struct cert_options options[] = { [GOOD] = { "mx.test", 86400 },
		[EXPIRED] = { "mx.test", -86400 },
		[LASTING] = { "mx.test", 86400 },
		[ENDING] = { "mx.test", 1800 } };
	for (int i = 0; i < CERT_COUNT; i++) {
		snprintf(pem_path, sizeof(pem_path), "/tmp/test_tls_facts.XXXXXX");
		close(mkstemp(pem_path));
		certs[i] = cert_new(&options[i], pem_path);
		struct err e;
		if (tls_credentials_new(pem_path, &trusting[i], &e) != 0)
			fail_msg("%s", e.text);
		unlink(pem_path);
	}
	return tls_credentials_new(NULL, &system_trust, NULL);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < CERT_COUNT; i++) {
		gnutls_certificate_free_credentials(certs[i]);
		tls_credentials_free(&trusting[i]);
	}
	tls_credentials_free(&system_trust);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_a_fact),
		cmocka_unit_test(a_chain_is_verified_once_an_hour),
		cmocka_unit_test(no_verdict_outlives_the_certificate),
		cmocka_unit_test(the_server_sees_the_name_that_is_asked_for),
		cmocka_unit_test(a_ticket_resumes_the_session),
		cmocka_unit_test(there_is_no_ticket_where_none_was_given),
		cmocka_unit_test(a_named_trust_file_has_to_be_good),
	};
	return cmocka_run_group_tests_name("net/tls_facts", tests, setup, teardown);
}
