/* Client certificates in handshakes: when they are sent, and what is resumed. */
#include "identity_fixture.h"

#include "base/mem.h"

#include <string.h>

static const char script[] =
	"issue rsa -newkey rsa:2048; issue ec $ec; issue ed -newkey ed25519; "
	"issue other $ec; cat ec.pem ca.pem >chain.pem; "
	"issue mid $ec; ca=mid; issue low $ec; cat mid.pem ca.pem >above.pem; "
	"quiet openssl pkcs12 -export -out low.p12 -inkey low.key -in low.pem "
	"-certfile above.pem -passout pass:sesame";

static gnutls_certificate_credentials_t server_cert;
static struct tls_credentials *credentials;
static gnutls_datum_t ticket_key;

#define V12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define V13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static const struct handshake_case {
	const char *name;
	const char *certificate, *key, *password;
	const char *priority;
	bool is_asked;
	const char *subject; /* that the server saw */
	unsigned chain;
} cases[] = {
	{ "RSA, 1.2", "rsa.pem", "rsa.key", NULL, V12, true, "CN=rsa", 1 },
	{ "RSA, 1.3", "rsa.pem", "rsa.key", NULL, V13, true, "CN=rsa", 1 },
	{ "EC, 1.2", "ec.pem", "ec.key", NULL, V12, true, "CN=ec", 1 },
	{ "EC, 1.3", "ec.pem", "ec.key", NULL, V13, true, "CN=ec", 1 },
	{ "Ed25519, 1.2", "ed.pem", "ed.key", NULL, V12, true, "CN=ed", 1 },
	{ "Ed25519, 1.3", "ed.pem", "ed.key", NULL, V13, true, "CN=ed", 1 },
	{ "with its chain", "chain.pem", "ec.key", NULL, V13, true, "CN=ec", 2 },
	{ "PKCS#12 with its chain, but for the root", "low.p12", NULL, "sesame", V13,
		true, "CN=low", 2 },
	{ "not asked for, 1.2", "ec.pem", "ec.key", NULL, V12, false, "", 0 },
	{ "not asked for, 1.3", "ec.pem", "ec.key", NULL, V13, false, "", 0 },
	{ "none to send, 1.2", NULL, NULL, NULL, V12, true, "", 0 },
	{ "none to send, 1.3", NULL, NULL, NULL, V13, true, "", 0 },
	{ "of no kind that the server takes, 1.2", "ed.pem", "ed.key", NULL,
		V12 ":-SIGN-ALL:+SIGN-RSA-SHA256:+SIGN-RSA-PSS-RSAE-SHA256", true, "",
		0 },
	{ "of no kind that the server takes, 1.3", "ed.pem", "ed.key", NULL,
		V13 ":-SIGN-ALL:+SIGN-RSA-SHA256:+SIGN-RSA-PSS-RSAE-SHA256", true, "",
		0 },
};

static void run_case(const struct handshake_case *k)
{
	struct peer p = { .script = script_tls_echo,
		.priority = k->priority,
		.credentials = server_cert,
		.request = k->is_asked ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE };
	peer_start(&p, "127.0.0.1");
	struct tls_identity *identity =
		k->certificate ? identity_load_good(k->certificate, k->key, k->password)
			       : NULL;
	struct tls_facts facts = identity_session(&p, credentials, identity);
	peer_join(&p);
	if (strcmp(p.client_subject, k->subject) || p.client_chain != k->chain)
		fail_msg("%s: %s, %u", k->name, p.client_subject, p.client_chain);
	if (facts.asked_for_certificate != k->is_asked ||
		facts.sent_certificate != (k->chain > 0))
		fail_msg("%s: asked %d, sent %d", k->name, facts.asked_for_certificate,
			facts.sent_certificate);
}

static void a_certificate_is_sent_when_the_server_asks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i]);
}

/* It need not be of an issuer that the server has named. */
static void issuers_that_are_named_keep_nothing_back(void **state)
{
	(void)state;
	struct peer p = { .script = script_tls_echo,
		.credentials =
			cert_new(&(struct cert_options){ "mx.test", 86400 }, "s.pem"),
		.request = GNUTLS_CERT_REQUIRE };
	assert_int_equal(gnutls_certificate_set_x509_trust_file(
				 p.credentials, "s.pem", GNUTLS_X509_FMT_PEM),
		1);
	peer_start(&p, "127.0.0.1");
	struct tls_facts facts = identity_session(
		&p, credentials, identity_load_good("ec.pem", "ec.key", NULL));
	peer_join(&p);
	assert_true(facts.sent_certificate);
	assert_string_equal(p.client_subject, "CN=ec");
	gnutls_certificate_free_credentials(p.credentials);
}

static void a_ticket_is_the_identitys_own(void **state)
{
	(void)state;
	static const struct {
		const char *certificate, *key;
		bool is_resumed;
	} steps[] = { { "ec.pem", "ec.key", false }, { NULL, NULL, false },
		{ "other.pem", "other.key", false }, { "ec.pem", "ec.key", true },
		{ "chain.pem", "ec.key", true }, /* the same certificate */
		{ NULL, NULL, true }, { "other.pem", "other.key", true } };
	struct peer p = { .script = script_tls_echo,
		.credentials = server_cert,
		.request = GNUTLS_CERT_REQUEST,
		.ticket_key = &ticket_key,
		.connections = ARRAY_SIZE(steps) };
	peer_start(&p, "127.0.0.1");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct tls_facts facts = identity_session(&p, credentials,
			steps[i].key ? identity_load_good(
					       steps[i].certificate, steps[i].key, NULL)
				     : NULL);
		assert_int_equal(facts.resumed, steps[i].is_resumed);
		/* Of a session that is resumed the server asks nothing. */
		assert_int_equal(facts.asked_for_certificate, !facts.resumed);
		assert_int_equal(facts.sent_certificate, !facts.resumed && steps[i].key);
	}
	peer_join(&p);
}

static int setup(void **state)
{
	(void)state;
	server_cert = cert_new(
		&(struct cert_options){ .name = "mx.test", .valid_for_s = 86400 }, NULL);
	gnutls_session_ticket_key_generate(&ticket_key);
	return identity_files_make(script) ? tls_credentials_new(NULL, &credentials, NULL)
					   : -1;
}

static int teardown(void **state)
{
	(void)state;
	identity_files_remove();
	gnutls_free(ticket_key.data);
	gnutls_certificate_free_credentials(server_cert);
	tls_credentials_free(&credentials);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_sent_when_the_server_asks),
		cmocka_unit_test(issuers_that_are_named_keep_nothing_back),
		cmocka_unit_test(a_ticket_is_the_identitys_own),
	};
	return cmocka_run_group_tests_name("net/tls_client_cert", tests, setup, teardown);
}
