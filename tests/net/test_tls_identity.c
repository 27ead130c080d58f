/* Client certificates from files: what can be loaded, and what is said where not. */
#include "identity_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The password is "sesame" wherever there is one. */
static const char script[] =
	"issue rsa -newkey rsa:2048; "
	"issue ec $ec; "
	"issue ed -newkey ed25519; "
	"issue p384 -newkey ec -pkeyopt ec_paramgen_curve:P-384; "
	"cat ec.pem ca.pem >chain.pem; "
	"cat ca.pem ec.pem >reversed.pem; "
	"cat rsa.key rsa.pem >both.pem; cp both.pem open.pem; chmod 644 open.pem "
	"rsa.pem; "
	"pw='-passout pass:sesame'; "
	"quiet openssl pkcs8 -topk8 -v2 aes-256-cbc -in ec.key -out pkcs8.key $pw; "
	"quiet openssl rsa -aes128 -traditional -in rsa.key -out openssl.key $pw; "
	"cat ec.pem pkcs8.key >both8.pem; "
	"bundle() { o=$1; shift; quiet openssl pkcs12 -export -out $o -certfile ca.pem "
	"\"$@\"; }; "
	"bundle ec.p12 -inkey ec.key -in ec.pem $pw; "
	"bundle rsa.p12 -inkey rsa.key -in rsa.pem $pw; "
	"bundle old.p12 -inkey ec.key -in ec.pem -keypbe PBE-SHA1-3DES -certpbe "
	"PBE-SHA1-3DES "
	"-macalg sha1 $pw; "
	"bundle quick.p12 -inkey ec.key -in ec.pem -iter 1 $pw; "
	"quiet openssl pkcs8 -topk8 -iter 1 -in ec.key -out quick.key $pw; "
	"bundle empty.p12 -inkey ec.key -in ec.pem -passout pass:; "
	"bundle bare.p12 -inkey ec.key -in ec.pem -keypbe NONE -certpbe NONE -nomac "
	"-passout pass:; "
	"quiet openssl pkcs12 -export -out certs.p12 -nokeys -in ec.pem $pw; "
	"cp ec.p12 open.p12; chmod 640 open.p12; chmod o+r open.p12; "
	"cp ec.key group.key; chmod 620 group.key; cp ec.key shared.key; chmod 640 "
	"shared.key; "
	"i=0; while [ $i -lt 17 ]; do cat ec.pem; i=$((i+1)); done >many.pem; "
	"ln -s ec.key link.key; echo nothing >text; : >empty; "
	"printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n' "
	">bad.pem; "
	"printf -- '-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n' "
	">bad.key; "
	"head -c 400 ec.p12 >cut.p12";

static const char password[] = "sesame";

static const struct tls_identity_spec good[] = {
	{ "rsa.pem", "rsa.key", NULL },
	{ "ec.pem", "ec.key", NULL },
	{ "ed.pem", "ed.key", NULL },
	{ "p384.pem", "p384.key", NULL },
	{ "both.pem", NULL, NULL },
	{ "both.pem", "rsa.key", NULL },
	{ "open.pem", "rsa.key", NULL }, /* its key is not read */
	{ "chain.pem", "shared.key", NULL },
	{ "ec.pem", "pkcs8.key", password },
	{ "rsa.pem", "openssl.key", password },
	{ "both8.pem", NULL, password },
	{ "ec.pem", "ec.key", "not needed" },
	{ "ec.p12", NULL, password },
	{ "rsa.p12", NULL, password },
	{ "old.p12", NULL, password },
	{ "empty.p12", NULL, NULL },
	{ "empty.p12", NULL, "" },
	{ "bare.p12", NULL, NULL },
};

static void each_form_can_be_loaded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct tls_identity *identity = identity_load_good(
			good[i].certificate, good[i].key, good[i].password);
		struct tls_identity *second = tls_identity_hold(identity);
		tls_identity_free(&identity);
		assert_null(identity);
		assert_false(tls_identity_expired(second, time(NULL), NULL));
		tls_identity_free(&second);
		tls_identity_free(&second);
	}
}

static const struct {
	struct tls_identity_spec spec;
	int code;
	const char *text;
} bad[] = {
	{ { "nowhere.pem", NULL, NULL }, ERR_NOT_FOUND,
		"open nowhere.pem: No such file" },
	{ { "ec.pem", "nowhere.key", NULL }, ERR_NOT_FOUND, "open nowhere.key: No such" },
	{ { "ec.pem", NULL, NULL }, ERR_INVALID,
		"ec.pem holds no private key, and none is configured" },
	{ { "ec.pem", "rsa.key", NULL }, ERR_INVALID,
		"the private key for the client certificate ec.pem: it is not the key "
		"of" },
	{ { "ec.pem", "ca.key", NULL }, ERR_INVALID, "it is not the key of" },
	{ { "reversed.pem", "ec.key", NULL }, ERR_INVALID,
		"of the first certificate there" },
	{ { "ec.pem", "pkcs8.key", NULL }, ERR_INVALID,
		"the private key in pkcs8.key is encrypted, and no password" },
	{ { "ec.pem", "pkcs8.key", "wrong" }, ERR_INVALID,
		"the password does not open the private key in pkcs8.key" },
	{ { "rsa.pem", "openssl.key", NULL }, ERR_INVALID, "openssl.key is encrypted" },
	{ { "rsa.pem", "openssl.key", "wrong" }, ERR_INVALID, "does not open" },
	{ { "ec.p12", NULL, NULL }, ERR_INVALID,
		"the private key in ec.p12 is encrypted, and no password" },
	{ { "ec.p12", NULL, "wrong" }, ERR_INVALID,
		"the password does not open the private key in ec.p12" },
	{ { "ec.p12", "ec.key", password }, ERR_INVALID,
		"ec.p12 is PKCS#12 and brings its own private key" },
	{ { "certs.p12", NULL, password }, ERR_INVALID,
		"does not hold a certificate and" },
	{ { "cut.p12", NULL, password }, ERR_INVALID, "holds neither PEM nor PKCS#12" },
	{ { "text", NULL, NULL }, ERR_INVALID, "text holds neither PEM nor PKCS#12" },
	{ { "empty", NULL, NULL }, ERR_INVALID, "empty holds neither PEM nor PKCS#12" },
	{ { "ec.key", NULL, NULL }, ERR_INVALID, "ec.key holds no certificate" },
	{ { "bad.pem", "ec.key", NULL }, ERR_INVALID,
		"read the certificate in bad.pem:" },
	{ { "ec.pem", "bad.key", NULL }, ERR_INVALID,
		"read the private key in bad.key:" },
	{ { "ec.pem", "rsa.pem", NULL }, ERR_INVALID, "rsa.pem holds no private key" },
	{ { "ec.pem", "ec.p12", password }, ERR_INVALID, "ec.p12 holds no private key" },
	{ { "many.pem", "ec.key", NULL }, ERR_LIMIT, "many.pem holds 17 certificates" },
	{ { "open.pem", NULL, NULL }, ERR_PERMISSION, "run: chmod g-w,o= open.pem" },
	{ { "open.p12", NULL, password }, ERR_PERMISSION, "run: chmod g-w,o= open.p12" },
	{ { "ec.pem", "group.key", NULL }, ERR_PERMISSION,
		"run: chmod g-w,o= group.key" },
	{ { "ec.pem", "link.key", NULL }, ERR_PERMISSION, "link.key is a symbolic link" },
};

static void what_cannot_be_loaded_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		identity_load_bad(&bad[i].spec, bad[i].code, bad[i].text);
}

/* One wrong password in 256 decrypts to something that has the form of padded text. */
static void a_wrong_password_is_called_so_whatever_it_decrypts_to(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		char wrong[20];
		snprintf(wrong, sizeof(wrong), "wrong%d", i);
		const struct tls_identity_spec pkcs12 = { "quick.p12", NULL, wrong },
					       pkcs8 = { "ec.pem", "quick.key", wrong };
		identity_load_bad(&pkcs12, ERR_INVALID,
			"the password does not open the private key in quick.p12");
		identity_load_bad(&pkcs8, ERR_INVALID,
			"the password does not open the private key in quick.key");
	}
}

enum { DAY_S = 86400 };

static void a_certificate_has_its_time(void **state)
{
	(void)state;
	struct tls_identity *identity = identity_load_good("ec.pem", "ec.key", NULL);
	int64_t now_s = time(NULL);
	struct err why;
	assert_false(tls_identity_expired(identity, now_s + 29 * DAY_S, &why));
	assert_true(tls_identity_expired(identity, now_s + 31 * DAY_S, &why));
	assert_non_null(strstr(why.text, "the client certificate ec.pem expired on 2"));
	assert_true(tls_identity_expired(identity, now_s - DAY_S, &why));
	assert_non_null(
		strstr(why.text, "the client certificate ec.pem is not valid before"));
	tls_identity_free(&identity);
}

static int setup(void **state)
{
	(void)state;
	return identity_files_make(script) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	identity_files_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_can_be_loaded),
		cmocka_unit_test(what_cannot_be_loaded_says_why),
		cmocka_unit_test(a_wrong_password_is_called_so_whatever_it_decrypts_to),
		cmocka_unit_test(a_certificate_has_its_time),
	};
	return cmocka_run_group_tests_name("net/tls_identity", tests, setup, teardown);
}
