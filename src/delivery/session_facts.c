/* What a session can be asked. */
#include "delivery/session_internal.h"

#include "net/loop.h"

bool session_is_ready(const struct session *s)
{
	return !s->has_ended && !s->is_quitting && s->phase == SESSION_TALKING &&
	       smtp_client_state(s->client) == SMTP_STATE_READY;
}

bool session_is_tls(const struct session *s)
{
	return s->has_tls;
}

bool session_offered_starttls(const struct session *s)
{
	return smtp_client_offered_starttls(s->client);
}

const struct smtp_reply *session_starttls_refusal(const struct session *s)
{
	const struct smtp_reply *refusal = smtp_client_starttls_refusal(s->client);
	return refusal->code ? refusal : NULL;
}

enum smtp_state session_state(const struct session *s)
{
	return smtp_client_state(s->client);
}

bool session_is_in_doubt(const struct session *s)
{
	return smtp_client_is_in_doubt(s->client);
}

bool session_offers_chunking(const struct session *s)
{
	return smtp_client_offers_chunking(s->client);
}

bool session_offers_dsn(const struct session *s)
{
	return smtp_client_offers_dsn(s->client);
}

bool session_refused_chunking(const struct session *s)
{
	return smtp_client_refused_chunking(s->client);
}

const struct tls_facts *session_tls(const struct session *s)
{
	return s->has_tls ? &s->tls : NULL;
}

struct terms *session_terms(const struct session *s)
{
	return s->terms;
}

void session_set_terms(struct session *s, struct terms *terms)
{
	struct terms *old = s->terms;
	s->terms = terms_ref(terms);
	terms_unref(&old);
}

const char *session_mx(const struct session *s)
{
	return s->mx;
}

const char *session_sni(const struct session *s)
{
	return s->sent_sni ? s->terms->decision.sni : NULL;
}

bool session_address(const struct session *s, struct addr *out)
{
	if (s->has_address)
		*out = s->address;
	return s->has_address;
}

int64_t session_age_ms(const struct session *s)
{
	return loop_now_ms(s->env->loop) - s->opened_ms;
}

size_t session_messages(const struct session *s)
{
	return s->messages;
}
