/* What "verified" means: the chain, the time, the purpose and the name. */
#include "identity_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char script[] =
	"san() { echo \"subjectAltName=$1\"; }; "
	"issue host $ec -addext $(san DNS:mx.test,DNS:other.test); "
	"issue address $ec -addext $(san IP:192.0.2.1,IP:2001:db8::1); "
	"issue both $ec -addext $(san DNS:mx.test,IP:192.0.2.1); "
	"issue wild $ec -addext $(san DNS:*.mx.test); "
	"issue part $ec -addext $(san DNS:w*.mx.test); "
	"issue high $ec -addext $(san DNS:*.test); "
	"issue idn $ec -addext $(san DNS:xn--r8jz45g.test); "
	"issue text $ec -addext $(san DNS:192.0.2.1); "
	"issue mail $ec -addext $(san email:postmaster@mx.test); "
	"issue mx.test $ec; mv mx.test.key common.key; mv mx.test.pem common.pem; "
	"issue mx.test $ec -addext $(san DNS:other.test); "
	"issue server $ec -addext $(san DNS:mx.test) -addext "
	"extendedKeyUsage=serverAuth; "
	"issue client $ec -addext $(san DNS:mx.test) -addext "
	"extendedKeyUsage=clientAuth; "
	"issue leaf $ec -addext $(san DNS:mx.test) -addext basicConstraints=CA:FALSE; "
	"ca=leaf; issue forged $ec -addext $(san DNS:mx.test); cat leaf.pem "
	">>forged.pem; "
	"ca=ca; issue mid $ec; ca=mid; issue low $ec -addext $(san DNS:mx.test); "
	"cp low.key whole.key; cat low.pem mid.pem >whole.pem; "
	"quiet openssl req -x509 -nodes -days 30 -subj /CN=mx.test $ec "
	"-addext $(san DNS:mx.test) -keyout self.key -out self.pem; "
	"cat self.pem ca.pem >pool.pem";

enum { DAY_S = 86400 };

static const struct verify_case {
	const char *name;
	const char *cert, *trust; /* NULL: the system's */
	const char *verify_name;
	int64_t later_s;
	bool verified;
	const char *text;
} cases[] = {
	{ "its name", "host", "ca.pem", "mx.test", 0, true, "" },
	{ "its other name", "host", "ca.pem", "other.test", 0, true, "" },
	{ "in capitals", "host", "ca.pem", "MX.Test", 0, true, "" },
	{ "another name", "host", "ca.pem", "mx2.test", 0, false, "name" },
	{ "a name below it", "host", "ca.pem", "a.mx.test", 0, false, "name" },
	{ "a name above it", "host", "ca.pem", "test", 0, false, "name" },
	{ "an address that it has not", "host", "ca.pem", "192.0.2.1", 0, false, "name" },
	{ "no name asked for", "host", "ca.pem", NULL, 0, true, "" },
	{ "an A-label", "idn", "ca.pem", "xn--r8jz45g.test", 0, true, "" },

	{ "its address", "address", "ca.pem", "192.0.2.1", 0, true, "" },
	{ "its IPv6 address", "address", "ca.pem", "2001:db8::1", 0, true, "" },
	{ "the same, written otherwise", "address", "ca.pem", "2001:DB8:0:0::1", 0, true,
		"" },
	{ "another address", "address", "ca.pem", "192.0.2.2", 0, false, "name" },
	{ "another IPv6 address", "address", "ca.pem", "2001:db8::2", 0, false, "name" },
	{ "address beside name", "both", "ca.pem", "192.0.2.1", 0, true, "" },
	{ "an address written as a name", "text", "ca.pem", "192.0.2.1", 0, false,
		"name" },

	{ "a wildcard is one label", "wild", "ca.pem", "a.mx.test", 0, true, "" },
	{ "not two", "wild", "ca.pem", "a.b.mx.test", 0, false, "name" },
	{ "not none", "wild", "ca.pem", "mx.test", 0, false, "name" },
	{ "not a part of one", "part", "ca.pem", "www.mx.test", 0, false, "name" },
	{ "not below a top-level domain", "high", "ca.pem", "mx.test", 0, false, "name" },

	{ "the common name, where there is no other", "common", "ca.pem", "mx.test", 0,
		true, "" },
	{ "not beside another name", "mx.test", "ca.pem", "mx.test", 0, false, "name" },
	{ "nor for an address", "common", "ca.pem", "192.0.2.1", 0, false, "name" },

	{ "for servers", "server", "ca.pem", "mx.test", 0, true, "" },
	{ "for clients alone", "client", "ca.pem", "mx.test", 0, false, "purpose" },

	{ "expired", "host", "ca.pem", "mx.test", 31 * DAY_S, false, "expired" },
	{ "not valid yet", "host", "ca.pem", "mx.test", -DAY_S, false, "not yet" },

	{ "of an unknown issuer", "host", NULL, "mx.test", 0, false,
		"issuer is unknown" },
	{ "of another issuer", "host", "self.pem", "mx.test", 0, false, "unknown" },
	{ "made by itself", "self", "ca.pem", "mx.test", 0, false, "unknown" },
	{ "made by itself, and trusted", "self", "self.pem", "mx.test", 0, true, "" },
	{ "one of several anchors", "host", "pool.pem", "mx.test", 0, true, "" },
	{ "with what lies between", "whole", "ca.pem", "mx.test", 0, true, "" },
	{ "without it", "low", "ca.pem", "mx.test", 0, false, "issuer is unknown" },
	{ "issued by what is no authority", "forged", "ca.pem", "mx.test", 0, false,
		"not" },
};

static int64_t later_s;

static time_t library_time(time_t *out)
{
	time_t now = time(NULL) + later_s;
	if (out)
		*out = now;
	return now;
}

static void run_case(const struct verify_case *k, const char *priority)
{
	char key[32], pem[32];
	snprintf(key, sizeof(key), "%s.key", k->cert);
	snprintf(pem, sizeof(pem), "%s.pem", k->cert);
	struct tls_credentials *trusting = NULL;
	struct err e;
	if (tls_credentials_new(k->trust, &trusting, &e) != 0)
		fail_msg("%s", e.text);
	struct peer p = { .script = script_tls_echo, .priority = priority };
	gnutls_certificate_allocate_credentials(&p.credentials);
	assert_int_equal(gnutls_certificate_set_x509_key_file(
				 p.credentials, pem, key, GNUTLS_X509_FMT_PEM),
		0);
	peer_start(&p, "127.0.0.1");
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	client_connect(&c, &p.addr);
	struct tls_params params = { .credentials = trusting,
		.versions = POLICY_VERSIONS_DEFAULT,
		.verify_name = k->verify_name,
		.handshake_timeout_ms = 15000 };
	client_start_tls(&c, &params);
	const struct tls_facts *f = tls_stream_facts(c.s);
	if (!c.is_tls_ok || f->verified != k->verified ||
		!strstr(f->verify_text, k->text))
		fail_msg("%s: %d, \"%s\"", k->name, f->verified, f->verify_text);
	assert_int_equal(f->verified, f->verify_text[0] == '\0');
	client_clear(&c);
	loop_free(&loop);
	peer_join(&p);
	gnutls_certificate_free_credentials(p.credentials);
	tls_credentials_free(&trusting);
}

static void verified_is_chain_time_purpose_and_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		later_s = cases[i].later_s;
		run_case(&cases[i], i % 2 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL");
	}
	later_s = 0;
}

static int setup(void **state)
{
	(void)state;
	gnutls_global_set_time_function(library_time);
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
		cmocka_unit_test(verified_is_chain_time_purpose_and_name),
	};
	return cmocka_run_group_tests_name("net/tls_verify", tests, setup, teardown);
}
