/* Client certificates on a token: SoftHSM, of which p11-kit knows by its package. */
#include "identity_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

static gnutls_certificate_credentials_t server_cert;
static struct tls_credentials *credentials;

static const char script[] =
	"mkdir tokens; "
	"printf 'directories.tokendir = %s/tokens\\nobjectstore.backend = file\\n' $PWD "
	">conf; "
	"export SOFTHSM2_CONF=$PWD/conf GNUTLS_PIN=1234; "
	"issue ec $ec; issue rsa -newkey rsa:2048; issue other $ec; "
	"quiet softhsm2-util --init-token --free --label courier --pin 1234 --so-pin "
	"5678; "
	"put() { quiet softhsm2-util --import $1.key --token courier --label $1 --id $2 "
	"--pin 1234; quiet p11tool --provider " MODULE
	" --login --write --label $1 --id $2 "
	"--load-certificate $1.pem pkcs11:token=courier; }; "
	"put ec 01; put rsa 02; "
	"quiet softhsm2-util --import other.key --token courier --label stray --id 03 "
	"--pin "
	"1234; "
	"quiet p11tool --provider " MODULE " --login --write --label lonely --id 04 "
	"--load-certificate other.pem pkcs11:token=courier";

#define URL "pkcs11:token=courier;"

static const struct tls_identity_spec good[] = {
	{ URL "object=ec", NULL, "1234" },
	{ URL "object=ec;type=cert", NULL, "1234" },
	{ URL "type=cert;object=rsa", NULL, "1234" },
	{ URL "id=%02", NULL, "1234" },
	{ URL "object=ec;type=cert", URL "object=ec;type=private", "1234" },
	{ "other.pem", URL "object=stray", "1234" },
	{ URL "object=lonely;type=cert", "other.key", NULL },
};

static void certificates_and_keys_are_found_on_a_token(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct tls_identity *identity = identity_load_good(
			good[i].certificate, good[i].key, good[i].password);
		assert_false(tls_identity_expired(identity, time(NULL), NULL));
		tls_identity_free(&identity);
	}
}

static const struct {
	struct tls_identity_spec spec;
	int code;
	const char *text;
} bad[] = {
	{ { URL "object=ec", NULL, NULL }, ERR_PERMISSION,
		"it wants a PIN, and none is configured" },
	{ { URL "object=nobody", NULL, "1234" }, ERR_NOT_FOUND,
		"there is no certificate " URL "object=nobody on any token" },
	{ { "pkcs11:token=nothing;object=ec", NULL, "1234" }, ERR_NOT_FOUND,
		"there is no certificate pkcs11:token=nothing;object=ec" },
	{ { URL "object=lonely;type=cert", NULL, "1234" }, ERR_NOT_FOUND,
		"there is no private key " URL "object=lonely;type=private" },
	{ { URL "object=ec", URL "object=stray", "1234" }, ERR_INVALID,
		"it is not the key of the first certificate" },
	{ { "other.pem", URL "object=ec?pin-value=7777", NULL }, ERR_INVALID,
		"the URL of a token holds its PIN" },
	{ { URL "object=ec?pin-value=7777", NULL, NULL }, ERR_INVALID,
		"the URL of a token holds its PIN" },
	{ { "pkcs11:nonsense", NULL, "1234" }, ERR_INVALID,
		"read the certificate pkcs11:nonsense:" },
};

static void what_is_not_there_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		identity_load_bad(&bad[i].spec, bad[i].code, bad[i].text);
}

/* How often the library was asked for a key on a token. */
static unsigned keys_asked_for;

int __real_gnutls_privkey_import_url(gnutls_privkey_t, const char *, unsigned);
int __wrap_gnutls_privkey_import_url(gnutls_privkey_t, const char *, unsigned);
int __wrap_gnutls_privkey_import_url(
	gnutls_privkey_t key, const char *url, unsigned flags)
{
	keys_asked_for++;
	return __real_gnutls_privkey_import_url(key, url, flags);
}

/* A token locks itself after a few wrong ones. */
static void a_wrong_pin_is_given_once(void **state)
{
	(void)state;
	struct tls_identities *c = tls_identities_new();
	struct tls_identity_spec spec = { URL "object=ec", NULL, "4321" };
	struct tls_identity *identity = NULL;
	struct err e;
	keys_asked_for = 0;
	for (int64_t minute = 0; minute < 5; minute++) {
		assert_int_equal(tls_identities_get(c, &spec, minute * 60, &identity, &e),
			ERR_PERMISSION);
		assert_non_null(strstr(e.text, "it does not take the configured PIN"));
		assert_null(strstr(e.text, "4321"));
	}
	assert_int_equal(keys_asked_for, 1);
	/* The token remembers it, until somebody logs in. */
	spec.password = "1234";
	identity_load_bad(&spec, ERR_PERMISSION, "it has been given a wrong PIN before");
	identity_files_run(
		"SOFTHSM2_CONF=$PWD/conf GNUTLS_PIN=1234 quiet p11tool --login "
		"--provider " MODULE " --list-all pkcs11:token=courier");
	assert_int_equal(tls_identities_get(c, &spec, 0, &identity, &e), 0);
	tls_identity_free(&identity);
	tls_identities_free(&c);
}

static void a_token_signs_the_handshake(void **state)
{
	(void)state;
	static const char *const names[] = { "ec", "rsa" };
	static const char *const priorities[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2",
		"NORMAL:-VERS-ALL:+VERS-TLS1.3" };
	for (size_t i = 0; i < 4; i++) {
		char url[64], subject[16];
		snprintf(url, sizeof(url), URL "object=%s", names[i / 2]);
		snprintf(subject, sizeof(subject), "CN=%s", names[i / 2]);
		struct tls_identity *identity = identity_load_good(url, NULL, "1234");
		struct peer p = { .script = script_tls_echo,
			.priority = priorities[i % 2],
			.credentials = server_cert,
			.request = GNUTLS_CERT_REQUIRE };
		peer_start(&p, "127.0.0.1");
		struct tls_facts facts = identity_session(&p, credentials, identity);
		peer_join(&p);
		assert_true(facts.sent_certificate);
		assert_string_equal(p.client_subject, subject);
	}
}

static int setup(void **state)
{
	(void)state;
	if (!identity_files_make(script))
		return -1;
	char *conf = realpath("conf", NULL);
	setenv("SOFTHSM2_CONF", conf, 1);
	free(conf);
	server_cert = cert_new(
		&(struct cert_options){ .name = "mx.test", .valid_for_s = 86400 }, NULL);
	return tls_credentials_new(NULL, &credentials, NULL);
}

static int teardown(void **state)
{
	(void)state;
	identity_files_remove();
	gnutls_certificate_free_credentials(server_cert);
	tls_credentials_free(&credentials);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_and_keys_are_found_on_a_token),
		cmocka_unit_test(what_is_not_there_is_said),
		cmocka_unit_test(a_wrong_pin_is_given_once),
		cmocka_unit_test(a_token_signs_the_handshake),
	};
	if (access(MODULE, R_OK) != 0) {
		puts("1..0 # SKIP SoftHSM (" MODULE ") is not installed");
		return 0;
	}
	return cmocka_run_group_tests_name("net/tls_token", tests, setup, teardown);
}
