#include "identity_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/test_identity.XXXXXX";

static const char prologue[] =
	"set -e; umask 077; ca=ca; "
	"quiet() { \"$@\" >log 2>&1 || { cat log >&2; exit 1; }; }; "
	"ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256'; "
	"issue() { n=$1; shift; quiet openssl req -x509 -nodes -days 30 -subj /CN=$n "
	"-CA $ca.pem -CAkey $ca.key -keyout $n.key -out $n.pem \"$@\"; }; ";

static const char make_ca[] = "quiet openssl req -x509 -nodes -days 30 -subj /CN=ca $ec "
			      "-keyout ca.key -out ca.pem; ";

static bool run(const char *beginning, const char *script)
{
	char *all = xasprintf("%s%s%s", prologue, beginning, script);
	bool ok = system(all) == 0;
	free(all);
	return ok;
}

bool identity_files_make(const char *script)
{
	return mkdtemp(directory) && chdir(directory) == 0 && run(make_ca, script);
}

void identity_files_run(const char *script)
{
	assert_true(run("", script));
}

void identity_files_remove(void)
{
	char command[sizeof(directory) + 16];
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(system(command), 0);
}

struct tls_identity *identity_load_good(
	const char *certificate, const char *key, const char *password)
{
	struct tls_identity_spec spec = {
		.certificate = certificate, .key = key, .password = password
	};
	struct tls_identity *identity = NULL;
	struct err e;
	if (tls_identity_load(&spec, &identity, &e) != 0)
		fail_msg("%s, %s: %s", certificate, key ? key : "no key", e.text);
	return identity;
}

void identity_load_bad(const struct tls_identity_spec *spec, int code, const char *text)
{
	struct tls_identity *identity = NULL;
	struct err e = { 0 };
	int result = tls_identity_load(spec, &identity, &e);
	assert_null(identity);
	if (result != code || e.code != code || !strstr(e.text, text))
		fail_msg("%s: %d, \"%s\" (expected %d, \"%s\")", spec->certificate,
			result, e.text, code, text);
	if (spec->password && *spec->password)
		assert_null(strstr(e.text, spec->password));
}

struct tls_facts identity_session(struct peer *p, struct tls_credentials *credentials,
	struct tls_identity *identity)
{
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	client_connect(&c, &p->addr);
	struct tls_params params = { .credentials = credentials,
		.versions = POLICY_VERSIONS_DEFAULT,
		.sni = "mx.test",
		.handshake_timeout_ms = 15000,
		.uses_tickets = true,
		.identity = identity };
	client_start_tls(&c, &params);
	tls_identity_free(&params.identity); /* the session holds its own */
	if (!c.is_tls_ok)
		fail_msg("%s", c.err.text);
	client_write(&c, "NOOP\r\n");
	client_wait(&c, 6);
	struct tls_facts facts = *tls_stream_facts(c.s);
	client_clear(&c);
	loop_free(&loop);
	return facts;
}
