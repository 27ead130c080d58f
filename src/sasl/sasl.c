#include "sasl/sasl_impl.h"

#include "base/mem.h"

#include <string.h>

/* In the order of preference; sasl.h says why. */
static const struct sasl_mechanism mechanisms[] = {
	{ "SCRAM-SHA-256", SASL_PASSWORD, false, sasl_password_begin, sasl_scram_answer },
	{ "SCRAM-SHA-1", SASL_PASSWORD, false, sasl_password_begin, sasl_scram_answer },
	{ "CRAM-MD5", SASL_PASSWORD, true, sasl_password_begin, sasl_password_answer },
	{ "PLAIN", SASL_PASSWORD, false, sasl_password_begin, sasl_password_answer },
	{ "LOGIN", SASL_PASSWORD, true, sasl_password_begin, sasl_password_answer },
	{ "OAUTHBEARER", SASL_TOKEN, false, sasl_oauthbearer_begin,
		sasl_oauthbearer_answer },
	{ "XOAUTH2", SASL_TOKEN, false, sasl_xoauth2_begin, sasl_xoauth2_answer },
};

struct sasl *sasl_new(const struct sasl_identity *identity)
{
	struct sasl *s = xcalloc(1, sizeof(*s));
	s->user = xstrdup(identity->user);
	s->secret = xstrdup(identity->secret);
	s->host = xstrdup(identity->host);
	s->port = identity->port;
	s->kind = identity->kind;
	return s;
}

void sasl_free(struct sasl **s)
{
	if (!*s)
		return;
	sasl_password_end(*s);
	mem_free(&(*s)->user);
	mem_free_secret(&(*s)->secret);
	mem_free(&(*s)->host);
	buf_clear_secret(&(*s)->out);
	mem_free(s);
}

static bool is_listed(const char *list, const char *name)
{
	for (const char *s = list; *s;) {
		size_t len = strcspn(s, " ");
		if (len == strlen(name) && text_has_prefix(s, len, name))
			return true;
		s += len + (s[len] == ' ');
	}
	return false;
}

static const struct sasl_mechanism *choose(enum sasl_kind kind, const char *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		if (mechanisms[i].kind == kind && is_listed(list, mechanisms[i].name))
			return &mechanisms[i];
	}
	return NULL;
}

static int fail_choice(const struct sasl *s, const char *list, struct err *e)
{
	bool has_token = s->kind == SASL_TOKEN;
	if (!*list)
		return err_set(e, ERR_UNSUPPORTED, "the host offers no AUTH");
	return err_set(e, ERR_UNSUPPORTED,
		"the host offers AUTH with %s only, and none of these takes a %s", list,
		has_token ? "token" : "password");
}

static void hand_out(const struct sasl *s, struct sasl_response *out)
{
	*out = (struct sasl_response){
		.bytes = buf_bytes(&s->out),
		.len = buf_len(&s->out),
		.is_complete = s->is_complete,
	};
}

static int fail(const struct sasl *s, int rc, struct err *e)
{
	(void)err_context(e, "%s", s->mechanism->name);
	return rc;
}

int sasl_begin(struct sasl *s, const char *list, struct sasl_response *out, struct err *e)
{
	sasl_password_end(s);
	buf_clear_secret(&s->out);
	s->is_complete = false;
	s->answers = 0;
	s->refusal[0] = '\0';
	s->mechanism = choose(s->kind, list);
	if (!s->mechanism)
		return fail_choice(s, list, e);
	int rc = s->mechanism->begin(s, e);
	if (rc)
		return fail(s, rc, e);
	hand_out(s, out);
	if (s->mechanism->host_is_first)
		out->bytes = NULL;
	return 0;
}

int sasl_answer(struct sasl *s, const char *challenge, size_t len,
	struct sasl_response *out, struct err *e)
{
	ASSERT(s->mechanism);
	buf_clear_secret(&s->out);
	s->answers++;
	int rc = s->mechanism->answer(s, challenge, len, e);
	if (rc)
		return fail(s, rc, e);
	hand_out(s, out);
	return 0;
}

const char *sasl_mechanism(const struct sasl *s)
{
	return s->mechanism ? s->mechanism->name : NULL;
}

const char *sasl_refusal(const struct sasl *s)
{
	return s->refusal[0] ? s->refusal : NULL;
}
