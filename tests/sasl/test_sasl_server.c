/*
 * Whole authentications by the protocol machine's rules against libgsasl's server side:
 * a success counts only where the client's side says that it is complete.
 */
#include "sasl/sasl.h"

#include "base/mem.h"

#include <gsasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PASSWORD "s3cret, and ünicode"

static int on_property(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	(void)library;
	if (property == GSASL_PASSWORD)
		return gsasl_property_set(session, property, PASSWORD);
	if (property != GSASL_VALIDATE_SIMPLE)
		return GSASL_NO_CALLBACK;
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	const char *password = gsasl_property_fast(session, GSASL_PASSWORD);
	return strcmp(user, "user") == 0 && strcmp(password, PASSWORD) == 0
		       ? GSASL_OK
		       : GSASL_AUTHENTICATION_ERROR;
}

struct exchange {
	bool host_is_content, client_is_complete;
	int client_rc;
};

/* To the end of either side. */
static struct exchange play(const char *mechanism, const char *password)
{
	struct exchange x = { 0 };
	struct sasl_response r = { 0 };
	struct err e = { 0 };
	Gsasl *library;
	Gsasl_session *server;
	assert_int_equal(gsasl_init(&library), GSASL_OK);
	gsasl_callback_set(library, on_property);
	assert_int_equal(gsasl_server_start(library, mechanism, &server), GSASL_OK);
	OWN(sasl_free)
	struct sasl *s = sasl_new(&(struct sasl_identity){
		.user = "user", .kind = SASL_PASSWORD, .secret = password });
	assert_int_equal(sasl_begin(s, mechanism, &r, &e), 0);
	for (;;) {
		char *challenge = NULL;
		size_t len = 0;
		int code = gsasl_step(server, r.bytes, r.len, &challenge, &len);
		x.host_is_content = code == GSASL_OK;
		bool goes_on = code == GSASL_NEEDS_MORE || (code == GSASL_OK && len);
		if (goes_on)
			x.client_rc = sasl_answer(s, challenge, len, &r, &e);
		gsasl_free(challenge);
		if (!goes_on || x.client_rc || code == GSASL_OK)
			break;
	}
	x.client_is_complete = !x.client_rc && r.is_complete;
	gsasl_finish(server);
	gsasl_done(library);
	return x;
}

static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
	"PLAIN", "LOGIN" };

static void both_sides_are_content_with_the_right_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		struct exchange x = play(mechanisms[i], PASSWORD);
		if (!x.host_is_content || !x.client_is_complete)
			fail_msg("%s: host %d, client %d (%d)", mechanisms[i],
				x.host_is_content, x.client_is_complete, x.client_rc);
	}
}

static void the_host_refuses_a_wrong_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		struct exchange x = play(mechanisms[i], "wrong");
		if (x.host_is_content)
			fail_msg("%s", mechanisms[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_are_content_with_the_right_password),
		cmocka_unit_test(the_host_refuses_a_wrong_password),
	};
	return cmocka_run_group_tests_name("sasl_server", tests, NULL, NULL);
}
