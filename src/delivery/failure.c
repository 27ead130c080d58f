#include "delivery/failure.h"

/* Lost, silent or garbled: what it counts as depends on where it happened. */
static enum policy_failure classify_break(const struct smtp_failure *f)
{
	/* A peer that hangs up on STARTTLS instead of answering it fails the
	 * negotiation as much as one that hangs up after its 220. */
	if (f->before_first_tls_reply || f->state == SMTP_STATE_STARTTLS ||
		f->state == SMTP_STATE_TLS)
		return POLICY_FAILURE_TLS_HANDSHAKE;
	if (f->inside_tls)
		return POLICY_FAILURE_TLS_SESSION;
	if (f->state == SMTP_STATE_BANNER && f->cause != SMTP_CAUSE_PROTOCOL)
		return POLICY_FAILURE_CONNECT; /* no SMTP conversation was reached */
	return POLICY_FAILURE_SESSION;
}

/* A session that was to go on in plaintext: with the host gone it is as if it had closed
 * it by its refusal (421). A silent one is another matter. */
static bool hangs_up_on_refusal(const struct smtp_failure *f)
{
	bool is_gone = f->cause == SMTP_CAUSE_LOST ||
		       (f->cause == SMTP_CAUSE_REPLY && f->reply.code == 421);
	return f->after_refusal && is_gone;
}

static enum policy_failure classify_smtp(const struct smtp_failure *f)
{
	if (f->in_doubt)
		return POLICY_FAILURE_IN_DOUBT;
	if (hangs_up_on_refusal(f))
		return POLICY_FAILURE_STARTTLS_REFUSED;
	switch (f->cause) {
	case SMTP_CAUSE_STARTTLS_REFUSED:
		return POLICY_FAILURE_STARTTLS_REFUSED;
	case SMTP_CAUSE_INJECTED:
		return POLICY_FAILURE_TLS_HANDSHAKE;
	case SMTP_CAUSE_REPLY:
		return POLICY_FAILURE_SMTP_TEMPORARY;
	case SMTP_CAUSE_AUTH_PLAINTEXT:
	case SMTP_CAUSE_AUTH_IMPOSSIBLE:
		return POLICY_FAILURE_POLICY;
	case SMTP_CAUSE_PROTOCOL:
	case SMTP_CAUSE_LOST:
	case SMTP_CAUSE_TIMEOUT:
		return classify_break(f);
	case SMTP_CAUSE_ABORTED:
	case SMTP_CAUSE_NONE:
		break;
	}
	/* We gave it up (shutdown, our own disk): not TLS's fault. */
	return POLICY_FAILURE_SESSION;
}

enum policy_failure failure_classify(const struct session_failure *f)
{
	if (f->is_unmet)
		return POLICY_FAILURE_POLICY;
	switch (f->phase) {
	case SESSION_PREPARING:
	case SESSION_DIALING:
		return POLICY_FAILURE_CONNECT;
	case SESSION_HANDSHAKE:
		return f->is_tls_init ? POLICY_FAILURE_TLS_INIT
				      : POLICY_FAILURE_TLS_HANDSHAKE;
	case SESSION_TALKING:
		break;
	}
	return classify_smtp(&f->smtp);
}

const char *failure_stage(const struct session_failure *f)
{
	if (f->phase == SESSION_PREPARING)
		return "prepare";
	if (f->phase == SESSION_DIALING)
		return "connect";
	return smtp_state_name(f->smtp.state);
}

bool failure_is_private(const struct session_failure *f)
{
	return f->phase == SESSION_PREPARING ||
	       failure_classify(f) == POLICY_FAILURE_TLS_INIT ||
	       f->smtp.state == SMTP_STATE_AUTH_CHOICE ||
	       f->smtp.state == SMTP_STATE_AUTH ||
	       f->smtp.state == SMTP_STATE_AUTH_CHALLENGE;
}
