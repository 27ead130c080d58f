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

int __real_gnutls_certificate_verify_peers(
	gnutls_session_t, gnutls_typed_vdata_st *, unsigned, unsigned *);
int __wrap_gnutls_certificate_verify_peers(
	gnutls_session_t, gnutls_typed_vdata_st *, unsigned, unsigned *);
int __wrap_gnutls_certificate_verify_peers(gnutls_session_t session,
	gnutls_typed_vdata_st *data, unsigned count, unsigned *status)
{
	verifications++;
	return __real_gnutls_certificate_verify_peers(session, data, count, status);
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
		.script = script_tls_echo, .credentials = certs[LASTING], .connections = 7
	};
	peer_start(&p, "127.0.0.1");
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 1);
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 0);
	clock_offset_ms = HOUR_MS - MINUTE_MS;
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 0);
	/* Under another name it is the same chain, and its hour is the same. */
	assert_int_equal(verified_anew(&p, LASTING, "other.test"), 0);
	clock_offset_ms = HOUR_MS;
	assert_int_equal(verified_anew(&p, LASTING, "other.test"), 1);
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 0);
	assert_int_equal(verified_anew(&p, LASTING, "mx.test"), 0);
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

/* ---- tickets ---- */

static struct tls_params usual = { .versions = POLICY_VERSIONS_DEFAULT,
	.sni = "mx.test",
	.verify_name = "mx.test",
	.handshake_timeout_ms = 15000,
	.uses_tickets = true };

enum outcome { FULL, RESUMED, REFUSED /* a ticket was offered, and not taken */ };

static void check_outcome(const struct tls_facts *f, enum outcome expected)
{
	assert_int_equal(f->offered_ticket, expected != FULL);
	assert_int_equal(f->resumed, expected == RESUMED);
	assert_int_equal(f->fingerprint[0] != '\0', true);
	assert_string_equal(f->peer, "CN=mx.test");
}

/* One session, in which the server answers; the facts are those of its end. */
static struct tls_facts session_with(struct peer *p, const struct tls_params *params,
	struct tls_credentials *credentials, enum outcome expected)
{
	struct client c;
	struct tls_params own = *params;
	own.credentials = credentials;
	connect_tls(&c, p, &own);
	client_write(&c, "NOOP\r\n");
	client_wait(&c, 6); /* under 1.3 the ticket comes before the answer */
	struct tls_facts facts = *tls_stream_facts(c.s);
	check_outcome(&facts, expected);
	free_client(&c);
	return facts;
}

static void usual_session(struct peer *p, enum outcome expected)
{
	struct tls_facts f = session_with(p, &usual, trusting[GOOD], expected);
	assert_true(f.verified);
}

static gnutls_datum_t ticket_keys[2];

/* The system may give a peer the port of an earlier one, whose tickets would be taken for
 * its own: they are of an earlier generation. */
static void serve_tickets(
	struct peer *p, const char *priority, enum cert cert, unsigned connections)
{
	usual.ticket_generation += 2; /* one behind it is for others */
	*p = (struct peer){ .script = script_tls_echo,
		.priority = priority,
		.credentials = certs[cert],
		.ticket_key = &ticket_keys[0],
		.connections = connections };
	peer_start(p, "127.0.0.1");
}

static const char *const each_version[] = { v12, v13 };

static void a_ticket_resumes_the_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(each_version); i++) {
		struct peer p;
		serve_tickets(&p, each_version[i], GOOD, 3);
		usual_session(&p, FULL);
		usual_session(&p, RESUMED);
		usual_session(&p, RESUMED);
		peer_join(&p);
	}
}

static void a_resumed_session_is_as_little_trusted_as_the_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(each_version); i++) {
		struct peer p;
		serve_tickets(&p, each_version[i], GOOD, 2);
		struct tls_facts first = session_with(&p, &usual, system_trust, FULL);
		struct tls_facts next = session_with(&p, &usual, system_trust, RESUMED);
		assert_false(first.verified);
		assert_false(next.verified);
		assert_string_equal(first.verify_text, next.verify_text);
		assert_string_equal(first.fingerprint, next.fingerprint);
		assert_string_equal(first.not_after, next.not_after);
		assert_string_equal(first.version, next.version);
		peer_join(&p);
	}
}

static void a_server_that_lost_its_key_gets_a_full_handshake(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(each_version); i++) {
		struct peer p;
		serve_tickets(&p, each_version[i], GOOD, 3);
		usual_session(&p, FULL);
		p.ticket_key = &ticket_keys[1];
		usual_session(&p, REFUSED);
		usual_session(&p, RESUMED);
		peer_join(&p);
	}
}

/* GnuTLS takes the answer of 1.3 for a resumption of 1.2 and fails; whatever it
 * does, the session is not one of 1.2. Without tickets all is well. */
static void a_server_that_learned_1_3_is_never_held_to_1_2(void **state)
{
	(void)state;
	struct peer p;
	serve_tickets(&p, v12, GOOD, 3);
	usual_session(&p, FULL);
	p.priority = v13;
	struct client c;
	struct tls_params params = usual;
	params.credentials = trusting[GOOD];
	client_init(&c, loop_new());
	client_connect(&c, &p.addr);
	client_start_tls(&c, &params);
	const struct tls_facts *f = tls_stream_facts(c.s);
	assert_true(f->offered_ticket);
	if (c.is_tls_ok)
		assert_string_equal(f->version, "TLS1.3");
	tls_stream_distrust_tickets(c.s);
	free_client(&c);
	struct tls_facts next = session_with(&p, &usual, trusting[GOOD], FULL);
	assert_string_equal(next.version, "TLS1.3");
	peer_join(&p);
}

static void a_ticket_is_used_once(void **state)
{
	(void)state;
	struct peer p;
	serve_tickets(&p, v13, GOOD, 4);
	usual_session(&p, FULL);
	struct client c;
	struct tls_params params = usual;
	params.credentials = trusting[GOOD];
	connect_tls(&c, &p, &params);
	check_outcome(tls_stream_facts(c.s), RESUMED);
	free_client(&c); /* before a new one came */
	usual_session(&p, FULL);
	usual_session(&p, RESUMED);
	peer_join(&p);
}

static void other_terms_are_another_ticket(void **state)
{
	(void)state;
	static const struct tls_params others[] = {
		{ .versions = POLICY_VERSIONS_DEFAULT,
			.sni = "other.test",
			.verify_name = "mx.test" },
		{ .versions = POLICY_VERSIONS_DEFAULT, .verify_name = "mx.test" },
		{ .versions = POLICY_VERSIONS_DEFAULT,
			.sni = "mx.test",
			.verify_name = "other.test" },
		{ .versions = POLICY_VERSIONS_DEFAULT, .sni = "mx.test" },
		{ .versions = POLICY_TLS1_3, .sni = "mx.test", .verify_name = "mx.test" },
		{ .versions = POLICY_VERSIONS_DEFAULT,
			.sni = "mx.test",
			.verify_name = "mx.test" },
	};
	struct peer p, same_host;
	serve_tickets(&p, NULL, GOOD, 3 + ARRAY_SIZE(others));
	serve_tickets(&same_host, NULL, GOOD, 1);
	usual_session(&p, FULL);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct tls_params params = others[i];
		params.handshake_timeout_ms = 15000;
		params.uses_tickets = true;
		params.ticket_generation = usual.ticket_generation;
		if (i == ARRAY_SIZE(others) - 1)
			params.ticket_generation++;
		session_with(&p, &params, trusting[GOOD], FULL);
	}
	session_with(&p, &usual, trusting[LASTING], FULL);
	usual_session(&same_host, FULL); /* at another port */
	usual_session(&p, RESUMED);
	peer_join(&p);
	peer_join(&same_host);
}

static void without_tickets_none_is_offered_or_left(void **state)
{
	(void)state;
	struct tls_params without = usual;
	without.uses_tickets = false;
	struct peer p;
	serve_tickets(&p, NULL, GOOD, 4);
	session_with(&p, &without, trusting[GOOD], FULL);
	usual_session(&p, FULL);
	session_with(&p, &without, trusting[GOOD], FULL);
	usual_session(&p, RESUMED);
	peer_join(&p);
}

static void there_is_no_ticket_where_none_was_given(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(each_version); i++) {
		struct peer p;
		serve_tickets(&p, each_version[i], GOOD, 2);
		p.ticket_key = NULL;
		usual_session(&p, FULL);
		usual_session(&p, FULL);
		peer_join(&p);
	}
}

static void resuming_leads_back_to_a_handshake_of_two_hours_ago(void **state)
{
	(void)state;
	struct peer p;
	serve_tickets(&p, NULL, GOOD, 4);
	usual_session(&p, FULL);
	clock_offset_ms = 2 * HOUR_MS - MINUTE_MS;
	usual_session(&p, RESUMED); /* hands on no more than its own time */
	clock_offset_ms = 2 * HOUR_MS + MINUTE_MS;
	usual_session(&p, FULL);
	usual_session(&p, RESUMED);
	clock_offset_ms = 0;
	peer_join(&p);
}

static void no_ticket_outlives_the_certificate(void **state)
{
	(void)state;
	struct peer p;
	serve_tickets(&p, NULL, ENDING, 3);
	session_with(&p, &usual, trusting[ENDING], FULL);
	clock_offset_ms = 29 * MINUTE_MS;
	session_with(&p, &usual, trusting[ENDING], RESUMED);
	clock_offset_ms = 31 * MINUTE_MS;
	session_with(&p, &usual, trusting[ENDING], FULL);
	clock_offset_ms = 0;
	peer_join(&p);
}

static void a_peer_that_fails_with_tickets_gets_none_for_two_hours(void **state)
{
	(void)state;
	struct peer p;
	serve_tickets(&p, NULL, GOOD, 6);
	usual_session(&p, FULL);
	struct client c;
	struct tls_params params = usual;
	params.credentials = trusting[GOOD];
	connect_tls(&c, &p, &params);
	tls_stream_distrust_tickets(c.s);
	client_write(&c, "NOOP\r\n");
	client_wait(&c, 6);
	free_client(&c);
	usual_session(&p, FULL);
	usual_session(&p, FULL);
	clock_offset_ms = 2 * HOUR_MS + MINUTE_MS;
	usual_session(&p, FULL);
	usual_session(&p, RESUMED);
	clock_offset_ms = 0;
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
	for (size_t i = 0; i < ARRAY_SIZE(ticket_keys); i++)
		gnutls_session_ticket_key_generate(&ticket_keys[i]);
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
	for (size_t i = 0; i < ARRAY_SIZE(ticket_keys); i++)
		gnutls_free(ticket_keys[i].data);
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
		cmocka_unit_test(a_resumed_session_is_as_little_trusted_as_the_first),
		cmocka_unit_test(a_server_that_lost_its_key_gets_a_full_handshake),
		cmocka_unit_test(a_server_that_learned_1_3_is_never_held_to_1_2),
		cmocka_unit_test(a_ticket_is_used_once),
		cmocka_unit_test(other_terms_are_another_ticket),
		cmocka_unit_test(without_tickets_none_is_offered_or_left),
		cmocka_unit_test(there_is_no_ticket_where_none_was_given),
		cmocka_unit_test(resuming_leads_back_to_a_handshake_of_two_hours_ago),
		cmocka_unit_test(no_ticket_outlives_the_certificate),
		cmocka_unit_test(a_peer_that_fails_with_tickets_gets_none_for_two_hours),
		cmocka_unit_test(a_named_trust_file_has_to_be_good),
	};
	return cmocka_run_group_tests_name("net/tls_facts", tests, setup, teardown);
}
