/*
 * Who we are: the client certificate that a session needs before it dials, and the
 * exchange of AUTH once it is inside TLS.
 */
#include "delivery/session_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/certificates.h"
#include "delivery/secret.h"
#include "sasl/sasl.h"

#include <stdio.h>
#include <string.h>

static const struct config *config_of(const struct session *s)
{
	return s->terms->config->config;
}

/* What the file or its command says may take as long as a connection. */
static struct secret_request *ask(
	struct session *s, const char *name, secret_callback *cb)
{
	return secret_ask(s->env->loop, config_of(s)->credentials, name,
		s->terms->settings->connect_timeout_ms, cb, s);
}

/* ---- the certificate ---- */

static void fail_preparation(struct session *s, const char *why)
{
	struct session_failure f = { .phase = SESSION_PREPARING, .is_unmet = true };
	snprintf(f.text, sizeof(f.text), "%.310s", why);
	session_end(s, &f);
}

static void on_key_secret(void *arg, const struct secret *found, const struct err *e)
{
	struct session *s = arg;
	struct err why = { 0 };
	session_enter(s);
	s->secret = NULL;
	if (e)
		fail_preparation(s, e->text);
	else if (certificates_get(s->env->certificates, s->terms->way.route,
			 found ? found->text : NULL,
			 config_of(s)->expired_certificates == CONFIG_EXPIRED_REFUSE,
			 clock_wall_ms() / 1000, &s->identity, &why) != 0)
		fail_preparation(s, why.text);
	else
		session_dial(s);
	session_leave(s);
}

void session_prepare(struct session *s)
{
	const struct policy_route *route = s->terms->way.route;
	bool may_use_tls =
		s->client_options.use_starttls || s->client_options.implicit_tls;
	if (!route || !route->certificate || !may_use_tls) {
		session_dial(s);
		return;
	}
	s->phase = SESSION_PREPARING;
	s->secret = ask(s, route->secret, on_key_secret);
}

/* ---- AUTH ---- */

static void try_mechanism(struct session *s)
{
	struct sasl_response r;
	struct err e = { 0 };
	if (sasl_begin(s->sasl, s->mechanisms, &r, &e) == 0)
		smtp_client_auth_begin(s->client, sasl_mechanism(s->sasl), r.bytes, r.len,
			r.is_complete);
	else
		smtp_client_auth_none(s->client, e.text);
	session_drive(s);
}

static void on_auth_secret(void *arg, const struct secret *found, const struct err *e)
{
	struct session *s = arg;
	session_enter(s);
	s->secret = NULL;
	if (s->has_ended) {
		session_leave(s);
		return;
	}
	if (e) {
		smtp_client_auth_none(s->client, e->text);
		session_drive(s);
	} else {
		struct sasl_identity who = {
			.user = found->user,
			.kind = found->kind == CREDENTIAL_TOKEN_COMMAND ? SASL_TOKEN
									: SASL_PASSWORD,
			.secret = found->text,
			.host = s->mx,
			.port = addr_port(&s->address),
		};
		s->sasl = sasl_new(&who);
		try_mechanism(s);
	}
	session_leave(s);
}

void session_choose_auth(struct session *s, const char *mechanisms)
{
	mem_free(&s->mechanisms);
	s->mechanisms = xstrdup(mechanisms);
	if (s->sasl)
		try_mechanism(s); /* the host did not take the last one */
	else
		s->secret = ask(s, s->terms->way.route->auth, on_auth_secret);
}

void session_answer_challenge(struct session *s, const char *bytes, size_t len)
{
	struct sasl_response r;
	struct err e = { 0 };
	if (sasl_answer(s->sasl, bytes, len, &r, &e) == 0)
		smtp_client_auth_answer(s->client, r.bytes, r.len, r.is_complete);
	else
		smtp_client_auth_cancel(s->client, e.text);
}

static bool is_of_auth(enum smtp_state state)
{
	return state == SMTP_STATE_AUTH_CHOICE || state == SMTP_STATE_AUTH ||
	       state == SMTP_STATE_AUTH_CHALLENGE;
}

void session_explain_auth(
	const struct session *s, const struct smtp_failure *f, char *out, size_t size)
{
	const char *refusal = s->sasl ? sasl_refusal(s->sasl) : NULL;
	const char *mechanism = s->sasl ? sasl_mechanism(s->sasl) : NULL;
	if (!is_of_auth(f->state) || f->cause != SMTP_CAUSE_REPLY)
		return;
	/* A 4xx (454) is about the host's own means of judging. */
	snprintf(out, size, "the host %s entry %.64s of %.120s%s%.20s%s%.100s",
		f->reply.code < 500 ? "could not judge" : "does not take",
		s->terms->way.route->auth, config_of(s)->credentials,
		mechanism ? " by " : "", mechanism ? mechanism : "", refusal ? ": " : "",
		refusal ? refusal : "");
}

void session_forget_auth(struct session *s)
{
	secret_cancel(&s->secret);
	sasl_free(&s->sasl);
	mem_free(&s->mechanisms);
}
