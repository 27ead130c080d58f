/* The handshake of a session, and what is asked of the certificate. */
#include "delivery/session_internal.h"

#include "base/err.h"
#include "base/timefmt.h"
#include "net/loop.h"

#include <stdio.h>

void session_log_handshake(struct session *s, const char *error, const char *stage)
{
	char address[ADDR_TEXT_MAX] = "";
	if (s->has_address)
		addr_format(&s->address, address);
	struct event_tls_handshake h = {
		.time_ms = clock_wall_ms(),
		.id = s->id,
		.domain = s->domain,
		.mx = s->mx,
		.address = address,
		.port = addr_port(&s->address),
		.sni = session_sni(s),
		.ok = !error,
		.version = s->tls.version,
		.cipher = s->tls.cipher,
		.group = s->tls.group,
		.peer = s->tls.peer,
		.fingerprint = s->tls.fingerprint,
		.not_after = s->tls.not_after,
		.verify_text = s->tls.verify_text,
		.resumed = s->tls.resumed,
		.verified = s->tls.verified,
		.duration_ms = s->tls.duration_ms,
		.error = error,
		.stage = stage,
	};
	event_hub_handshake(s->env->hub, &h);
}

static void fail_handshake(struct session *s, bool is_init, const struct err *e)
{
	struct session_failure f = { .phase = SESSION_HANDSHAKE, .is_tls_init = is_init };
	bool has_greeted = s->terms->decision.implicit_tls && e->code == ERR_INVALID;
	snprintf(f.text, sizeof(f.text), "%.200s%s%s", e->text,
		s->tls.offered_ticket ? ", resuming a session" : "",
		has_greeted ? "; TLS from the first octet is not what it waits for: "
			      "did you mean smtp://?"
			    : "");
	f.smtp.state = SMTP_STATE_TLS;
	session_log_handshake(s, f.text, "tls");
	session_end(s, &f);
}

/* Nothing was sent inside TLS: what is required of the certificate comes first. */
static void fail_verification(struct session *s)
{
	struct session_failure f = { .phase = SESSION_HANDSHAKE, .is_unmet = true };
	snprintf(f.text, sizeof(f.text),
		"the certificate has to be good for %.110s, and is not: %.150s",
		s->verify_name[0] ? s->verify_name
				  : "the host's name, which is not known",
		s->tls.verify_text[0] ? s->tls.verify_text : "nothing is known of it");
	f.smtp.state = SMTP_STATE_TLS;
	session_end(s, &f);
}

static void on_tls(void *arg, bool ok, bool is_init, const struct err *e)
{
	struct session *s = arg;
	const struct policy_decision *d = &s->terms->decision;
	session_enter(s);
	s->tls = *tls_stream_facts(s->stream);
	s->has_tls = ok;
	if (!ok) {
		fail_handshake(s, is_init, e);
		session_leave(s);
		return;
	}
	session_log_handshake(s, NULL, "tls");
	if (d->tls_verified && !(s->tls.verified && s->verify_name[0])) {
		fail_verification(s);
		session_leave(s);
		return;
	}
	s->phase = SESSION_TALKING;
	if (!d->implicit_tls)
		smtp_client_tls_done(s->client);
	stream_read_start(s->stream);
	session_drive(s);
	session_leave(s);
}

void session_start_tls(struct session *s)
{
	const struct policy_decision *d = &s->terms->decision;
	s->sent_sni = d->sni[0] != '\0';
	struct tls_params params = {
		.credentials = s->env->credentials,
		.versions = d->protocols,
		.sni = s->sent_sni ? d->sni : NULL,
		.verify_name = s->verify_name[0] ? s->verify_name : NULL,
		.identity = s->identity,
		.handshake_timeout_ms = s->terms->settings->handshake_timeout_ms,
		.uses_tickets = !s->shuns_tickets,
		.ticket_generation = policy_set_generation(s->env->policy),
	};
	s->phase = SESSION_HANDSHAKE;
	timer_stop(s->timer);
	stream_read_stop(s->stream);
	s->stream = tls_client_start(s->env->loop, &s->stream, &params, on_tls, s);
	session_listen(s);
}
