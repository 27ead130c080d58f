/*
 * Mechanisms with a password, by libgsasl. An exchange has a context of its own, which
 * costs next to nothing: nothing is shared between threads.
 */
#include "sasl/sasl_impl.h"

#include <gsasl.h>
#include <string.h>

const char *sasl_library_version(void)
{
	return gsasl_check_version(NULL);
}

const char *sasl_library_built(void)
{
	return GSASL_VERSION;
}

/* The library frees what it was given without overwriting it. The text is its own, and
 * is about to be freed: that it is const to others does not matter any more. */
static void wipe_property(Gsasl_session *session, Gsasl_property property)
{
	const char *value = gsasl_property_fast(session, property);
	if (value)
		explicit_bzero((char *)value, strlen(value));
}

void sasl_password_end(struct sasl *s)
{
	if (s->session) {
		wipe_property(s->session, GSASL_PASSWORD);
		wipe_property(s->session, GSASL_SCRAM_SALTED_PASSWORD);
		gsasl_finish(s->session);
	}
	if (s->library)
		gsasl_done(s->library);
	s->session = s->library = NULL;
}

static int fail(int code, struct err *e)
{
	switch (code) {
	case GSASL_SASLPREP_ERROR:
		return err_set(e, ERR_INVALID,
			"the user or the password has characters that none may have "
			"(RFC 4013), or is not UTF-8");
	case GSASL_AUTHENTICATION_ERROR:
		return err_set(e, ERR_INVALID,
			"the host does not prove that it knows the password");
	case GSASL_MECHANISM_PARSE_ERROR:
		return err_set(
			e, ERR_INVALID, "the host's challenge is none of this mechanism");
	default:
		return err_set(e, ERR_INVALID, "libgsasl: %s", gsasl_strerror(code));
	}
}

static int step(struct sasl *s, const char *in, size_t in_len, struct err *e)
{
	char *out = NULL;
	size_t len = 0;
	int code = gsasl_step(s->session, in, in_len, &out, &len);
	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return fail(code, e);
	s->is_complete = code == GSASL_OK;
	buf_add(&s->out, out, len);
	if (out)
		explicit_bzero(out, len);
	gsasl_free(out);
	return 0;
}

static int start(struct sasl *s, struct err *e)
{
	Gsasl *library = NULL;
	Gsasl_session *session = NULL;
	int code = gsasl_init(&library);
	if (code != GSASL_OK)
		return fail(code, e);
	s->library = library;
	code = gsasl_client_start(library, s->mechanism->name, &session);
	if (code != GSASL_OK)
		return err_set(e, ERR_UNSUPPORTED, "libgsasl was built without it");
	s->session = session;
	code = gsasl_property_set(session, GSASL_AUTHID, s->user);
	if (code == GSASL_OK)
		code = gsasl_property_set(session, GSASL_PASSWORD, s->secret);
	return code == GSASL_OK ? 0 : fail(code, e);
}

int sasl_password_begin(struct sasl *s, struct err *e)
{
	int rc = start(s, e);
	if (rc || s->mechanism->host_is_first)
		return rc;
	return step(s, NULL, 0, e);
}

int sasl_password_answer(struct sasl *s, const char *challenge, size_t len, struct err *e)
{
	/* PLAIN of the library would give the password again. */
	if (s->is_complete)
		return err_set(
			e, ERR_INVALID, "the host goes on asking when all has been said");
	return step(s, challenge, len, e);
}

/* The field "k=VALUE" at the front, without its comma; false: another one is there. */
static bool take_field(
	const char **s, size_t *left, char key, const char **value_out, size_t *len_out)
{
	if (*left < 2 || (*s)[0] != key || (*s)[1] != '=')
		return false;
	const char *comma = memchr(*s, ',', *left);
	size_t len = comma ? (size_t)(comma - *s) : *left;
	*value_out = *s + 2;
	*len_out = len - 2;
	*s += len + (comma != NULL);
	*left -= len + (comma != NULL);
	return true;
}

/* RFC 5802 7, server-first-message: "r=NONCE,s=SALT,i=COUNT". The count, or more than
 * any that is allowed; 0: there is none. */
static unsigned long iterations(const char *s, size_t len)
{
	const char *value;
	size_t n;
	unsigned long count = 0;
	if (!take_field(&s, &len, 'r', &value, &n) ||
		!take_field(&s, &len, 's', &value, &n) ||
		!take_field(&s, &len, 'i', &value, &n))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!text_is_digit(value[i]))
			return 0;
		if (count <= SASL_ITERATIONS_MAX)
			count = count * 10 + (unsigned long)(value[i] - '0');
	}
	return count;
}

int sasl_scram_answer(struct sasl *s, const char *challenge, size_t len, struct err *e)
{
	if (s->answers > 1)
		return sasl_password_answer(s, challenge, len, e);
	unsigned long count = iterations(challenge, len);
	if (!count)
		return fail(GSASL_MECHANISM_PARSE_ERROR, e);
	if (count > SASL_ITERATIONS_MAX)
		return err_set(e, ERR_LIMIT,
			"the host asks for more than %d rounds of hashing, which is the "
			"most that is done here; the relay's administrator can lower it",
			SASL_ITERATIONS_MAX);
	return sasl_password_answer(s, challenge, len, e);
}
