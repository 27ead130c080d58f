/*
 * The choice of a mechanism, and each of them word by word: the examples of RFC 5802,
 * 7677 and 2195, and what a host may say that it should not.
 */
#include "sasl/sasl.h"

#include "base/base64.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The client's nonce in the examples. These two functions take the place of those of
 * libgsasl, which draws octets and writes them as base64. A library that was
 * linked so that it only calls its own (-Bsymbolic) goes on drawing: then the examples
 * cannot be played, and their tests are skipped. */
static const char *nonce;
static const char drawn[] = "\1drawn by the test";

int gsasl_nonce(char *data, size_t len);
int gsasl_base64_to(const char *in, size_t len, char **out, size_t *out_len);

int gsasl_nonce(char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = drawn[i % sizeof(drawn)];
	return 0;
}

int gsasl_base64_to(const char *in, size_t len, char **out, size_t *out_len)
{
	struct buf text = BUF_INIT;
	size_t common = len < sizeof(drawn) ? len : sizeof(drawn);
	if (nonce && common && memcmp(in, drawn, common) == 0)
		buf_addstr(&text, nonce);
	else
		base64_encode(in, len, &text);
	if (out_len)
		*out_len = buf_len(&text);
	*out = buf_steal(&text);
	return 0;
}

static struct sasl *new_sasl(enum sasl_kind kind, const char *user, const char *secret)
{
	return sasl_new(&(struct sasl_identity){ .user = user,
		.kind = kind,
		.secret = secret,
		.host = "relay.example",
		.port = 587 });
}

static void begin(struct sasl *s, const char *list, struct sasl_response *out)
{
	struct err e = { 0 };
	if (sasl_begin(s, list, out, &e))
		fail_msg("%s: %s", list, e.text);
}

static void check(
	const struct sasl_response *r, const char *expected, size_t len, bool is_complete)
{
	assert_non_null(r->bytes);
	if (r->len != len || memcmp(r->bytes, expected, len) != 0)
		fail_msg("\"%.*s\" instead of \"%s\"", (int)r->len, r->bytes, expected);
	assert_int_equal(r->is_complete, is_complete);
}

static void answer(
	struct sasl *s, const char *challenge, const char *expected, bool is_complete)
{
	struct sasl_response r;
	struct err e = { 0 };
	if (sasl_answer(s, challenge, strlen(challenge), &r, &e))
		fail_msg("%s: %s", challenge, e.text);
	check(&r, expected, strlen(expected), is_complete);
}

/* The text names the mechanism, and no secret. */
static void answer_fails(
	struct sasl *s, const char *challenge, int code, const char *text)
{
	struct sasl_response r;
	struct err e = { 0 };
	assert_int_equal(sasl_answer(s, challenge, strlen(challenge), &r, &e), code);
	if (!strstr(e.text, text) || strncmp(e.text, sasl_mechanism(s), 5) != 0)
		fail_msg("\"%s\" in: %s", text, e.text);
	assert_null(strstr(e.text, "pencil"));
}

static void the_best_mechanism_is_chosen(void **state)
{
	static const struct {
		enum sasl_kind kind;
		const char *list, *chosen; /* NULL: none */
	} cases[] = {
		{ SASL_PASSWORD, "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256",
			"SCRAM-SHA-256" },
		{ SASL_PASSWORD, "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1", "SCRAM-SHA-1" },
		{ SASL_PASSWORD, "LOGIN PLAIN CRAM-MD5", "CRAM-MD5" },
		{ SASL_PASSWORD, "LOGIN PLAIN", "PLAIN" },
		{ SASL_PASSWORD, "XOAUTH2 LOGIN", "LOGIN" },
		{ SASL_PASSWORD, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS PLAIN", "PLAIN" },
		{ SASL_PASSWORD, "NTLM GSSAPI DIGEST-MD5 PLAINER XPLAIN", NULL },
		{ SASL_PASSWORD, "XOAUTH2 OAUTHBEARER", NULL },
		{ SASL_PASSWORD, "", NULL },
		{ SASL_TOKEN, "PLAIN LOGIN XOAUTH2 OAUTHBEARER", "OAUTHBEARER" },
		{ SASL_TOKEN, "PLAIN LOGIN XOAUTH2", "XOAUTH2" },
		{ SASL_TOKEN, "PLAIN LOGIN", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sasl_response r;
		struct err e = { 0 };
		OWN(sasl_free) struct sasl *s = new_sasl(cases[i].kind, "u", "pencil");
		assert_null(sasl_mechanism(s));
		int rc = sasl_begin(s, cases[i].list, &r, &e);
		if (cases[i].chosen) {
			assert_int_equal(rc, 0);
			assert_string_equal(sasl_mechanism(s), cases[i].chosen);
			continue;
		}
		assert_int_equal(rc, ERR_UNSUPPORTED);
		assert_null(sasl_mechanism(s));
		assert_non_null(strstr(e.text, cases[i].list));
		assert_non_null(strstr(e.text, "AUTH"));
	}
}

static void plain_says_all_at_once(void **state)
{
	struct sasl_response r;
	(void)state;
	OWN(sasl_free) struct sasl *s = new_sasl(SASL_PASSWORD, "tim", "pencil");
	begin(s, "PLAIN", &r);
	check(&r, "\0tim\0pencil", 11, true);
	answer_fails(s, "", ERR_INVALID, "goes on asking");
}

static void login_waits_to_be_asked(void **state)
{
	struct sasl_response r;
	(void)state;
	OWN(sasl_free) struct sasl *s = new_sasl(SASL_PASSWORD, "tim", "pencil");
	begin(s, "LOGIN", &r);
	assert_null(r.bytes);
	assert_false(r.is_complete);
	answer(s, "Username:", "tim", false);
	answer(s, "Password:", "pencil", true);
	answer_fails(s, "Password:", ERR_INVALID, "goes on asking");
}

static void cram_md5_is_that_of_rfc_2195(void **state)
{
	struct sasl_response r;
	(void)state;
	OWN(sasl_free)
	struct sasl *s = new_sasl(SASL_PASSWORD, "tim", "tanstaaftanstaaf");
	begin(s, "CRAM-MD5", &r);
	assert_null(r.bytes);
	assert_false(r.is_complete);
	answer(s, "<1896.697170952@postoffice.reston.mci.net>",
		"tim b913a602c7eda7a495b4e6e7334d3890", true);
	answer_fails(s, "<x@y>", ERR_INVALID, "goes on asking");
}

/* RFC 5802 5, RFC 7677 3: user, pencil. */
static const struct {
	const char *mechanism, *nonce, *first, *server_first, *final, *server_final;
} scram[] = {
	{ "SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
		"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ "SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
};

/* NULL: the nonce cannot be chosen with this libgsasl. */
static struct sasl *begin_scram(size_t i)
{
	struct sasl_response r;
	nonce = scram[i].nonce;
	struct sasl *s = new_sasl(SASL_PASSWORD, "user", "pencil");
	begin(s, scram[i].mechanism, &r);
	assert_false(r.is_complete);
	if (r.len == strlen(scram[i].first) &&
		memcmp(r.bytes, scram[i].first, r.len) == 0)
		return s;
	sasl_free(&s);
	print_message("libgsasl draws its own nonce: \"%.*s\"\n", (int)r.len, r.bytes);
	return NULL;
}

static void scram_is_that_of_the_rfcs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scram); i++) {
		OWN(sasl_free) struct sasl *s = begin_scram(i);
		if (!s)
			skip();
		answer(s, scram[i].server_first, scram[i].final, false);
		answer(s, scram[i].server_final, "", true);
		answer_fails(s, scram[i].server_final, ERR_INVALID, "goes on asking");
	}
}

static void a_host_that_proves_nothing_is_not_believed(void **state)
{
	static const char *const finals[] = { "v=rmF9pqV8S7suAoZWja4dJRkFsKR=",
		"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "v=", "", "e=other-error", "ok",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=x" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(finals); i++) {
		OWN(sasl_free) struct sasl *s = begin_scram(0);
		if (!s)
			skip();
		answer(s, scram[0].server_first, scram[0].final, false);
		answer_fails(s, finals[i], ERR_INVALID, "host");
	}
}

static void a_hostile_scram_challenge_is_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *why;
	} cases[] = {
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=100001", ERR_LIMIT, "100000 rounds" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=99999999999999999999", ERR_LIMIT,
			"rounds" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=2147483648,x=y", ERR_LIMIT, "rounds" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=0", ERR_INVALID, "challenge" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=", ERR_INVALID, "challenge" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=-1", ERR_INVALID, "challenge" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i= 200000000", ERR_INVALID, "challenge" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92,i=0x10", ERR_INVALID, "challenge" },
		{ "r=%sx,s=QSXCR+Q6sek8bf92", ERR_INVALID, "challenge" },
		{ "r=%sx,i=4096,s=QSXCR+Q6sek8bf92", ERR_INVALID, "challenge" },
		{ "m=x,r=%sx,s=QSXCR+Q6sek8bf92,i=4096", ERR_INVALID, "challenge" },
		{ "r=other,s=QSXCR+Q6sek8bf92,i=4096", ERR_INVALID, "" },
		{ "r=,s=QSXCR+Q6sek8bf92,i=4096", ERR_INVALID, "" },
		{ "e=unknown-user", ERR_INVALID, "challenge" },
		{ "", ERR_INVALID, "challenge" },
		{ "r", ERR_INVALID, "challenge" },
	};
	(void)state;
	nonce = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sasl_response r;
		char own[64], *at;
		OWN(sasl_free) struct sasl *s = new_sasl(SASL_PASSWORD, "user", "pencil");
		begin(s, "SCRAM-SHA-256", &r);
		snprintf(own, sizeof(own), "%.*s", (int)r.len, r.bytes);
		struct buf challenge = BUF_INIT;
		at = strstr(cases[i].text, "%s");
		buf_addf(&challenge, "%.*s%s%s",
			at ? (int)(at - cases[i].text) : (int)strlen(cases[i].text),
			cases[i].text, at ? strstr(own, ",r=") + 3 : "",
			at ? at + 2 : "");
		answer_fails(s, buf_text(&challenge), cases[i].code, cases[i].why);
		buf_clear(&challenge);
	}
}

static void what_saslprep_forbids_is_told(void **state)
{
	struct sasl_response r;
	struct err e = { 0 };
	(void)state;
	nonce = scram[0].nonce;
	OWN(sasl_free) struct sasl *s = new_sasl(SASL_PASSWORD, "user\xff", "pencil");
	assert_int_equal(sasl_begin(s, "SCRAM-SHA-1", &r, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "SCRAM-SHA-1: the user or the password"));
}

static void another_mechanism_can_be_begun(void **state)
{
	struct sasl_response r;
	(void)state;
	OWN(sasl_free) struct sasl *s = new_sasl(SASL_PASSWORD, "tim", "pencil");
	begin(s, "PLAIN LOGIN SCRAM-SHA-1", &r);
	assert_string_equal(sasl_mechanism(s), "SCRAM-SHA-1");
	begin(s, "PLAIN LOGIN", &r);
	assert_string_equal(sasl_mechanism(s), "PLAIN");
	check(&r, "\0tim\0pencil", 11, true);
	begin(s, "LOGIN", &r);
	assert_null(r.bytes);
	answer(s, "Username:", "tim", false);
	struct err e = { 0 };
	assert_int_equal(sasl_begin(s, "", &r, &e), ERR_UNSUPPORTED);
}

static void a_token_is_put_as_the_mechanism_wants_it(void **state)
{
	static const struct {
		const char *mechanism, *user, *expected;
	} cases[] = {
		{ "XOAUTH2", "u@relay.example",
			"user=u@relay.example\1auth=Bearer t0k.-_~+/=\1\1" },
		{ "OAUTHBEARER", "u@relay.example",
			"n,a=u@relay.example,\1host=relay.example\1port=587\1auth=Bearer "
			"t0k.-_~+/=\1\1" },
		{ "OAUTHBEARER", "a,b=c",
			"n,a=a=2Cb=3Dc,\1host=relay.example\1port=587\1auth=Bearer "
			"t0k.-_~+/=\1\1" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sasl_response r;
		OWN(sasl_free)
		struct sasl *s = new_sasl(SASL_TOKEN, cases[i].user, "t0k.-_~+/=");
		begin(s, cases[i].mechanism, &r);
		check(&r, cases[i].expected, strlen(cases[i].expected), true);
		assert_null(sasl_refusal(s));
	}
}

static void a_refused_token_is_explained_by_the_challenge(void **state)
{
	static const struct {
		const char *mechanism, *answer;
	} cases[] = { { "XOAUTH2", "" }, { "OAUTHBEARER", "\1" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sasl_response r;
		OWN(sasl_free) struct sasl *s = new_sasl(SASL_TOKEN, "u", "token");
		begin(s, cases[i].mechanism, &r);
		answer(s, "{\"status\":\"401\"}\r\n\x1b[2J", cases[i].answer, false);
		assert_string_equal(sasl_refusal(s), "{\"status\":\"401\"} ?[2J");
		answer_fails(s, "", ERR_INVALID, "goes on asking");
	}
}

static void what_is_no_token_is_not_sent(void **state)
{
	static const struct {
		const char *user, *token;
	} cases[] = { { "u", "" }, { "u", "a b" }, { "u", "a\1auth=x" }, { "u", "a\n" },
		{ "u", "\xc3\xa4" }, { "u\1x", "token" } };
	static const char *const mechanisms[] = { "XOAUTH2", "OAUTHBEARER" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(mechanisms); i++) {
		struct sasl_response r;
		struct err e = { 0 };
		OWN(sasl_free)
		struct sasl *s =
			new_sasl(SASL_TOKEN, cases[i / 2].user, cases[i / 2].token);
		assert_int_equal(sasl_begin(s, mechanisms[i % 2], &r, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, mechanisms[i % 2]));
	}
}

static void the_library_tells_its_version(void **state)
{
	(void)state;
	assert_non_null(sasl_library_version());
	assert_non_null(strchr(sasl_library_built(), '.'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_mechanism_is_chosen),
		cmocka_unit_test(plain_says_all_at_once),
		cmocka_unit_test(login_waits_to_be_asked),
		cmocka_unit_test(cram_md5_is_that_of_rfc_2195),
		cmocka_unit_test(scram_is_that_of_the_rfcs),
		cmocka_unit_test(a_host_that_proves_nothing_is_not_believed),
		cmocka_unit_test(a_hostile_scram_challenge_is_refused),
		cmocka_unit_test(what_saslprep_forbids_is_told),
		cmocka_unit_test(another_mechanism_can_be_begun),
		cmocka_unit_test(a_token_is_put_as_the_mechanism_wants_it),
		cmocka_unit_test(a_refused_token_is_explained_by_the_challenge),
		cmocka_unit_test(what_is_no_token_is_not_sent),
		cmocka_unit_test(the_library_tells_its_version),
	};
	return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
