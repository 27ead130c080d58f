/* Verdicts of recipients: decided in one place, handed out once, in order. */
#include "smtp/client_impl.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

static const struct reason {
	enum smtp_verdict verdict;
	const char *enhanced, *text;
} reasons[] = {
	[REASON_REPLY] = { SMTP_VERDICT_TEMPORARY, "", "" },
	[REASON_TRANSACTION_FULL] = { SMTP_VERDICT_AGAIN, "",
		"more recipients than one transaction takes" },
	[REASON_BAD_SENDER] = { SMTP_VERDICT_PERMANENT, "5.1.7",
		"sender address cannot be sent: it is not valid" },
	[REASON_BAD_RECIPIENT] = { SMTP_VERDICT_PERMANENT, "5.1.3",
		"recipient address cannot be sent: it is not valid" },
	[REASON_NO_SMTPUTF8] = { SMTP_VERDICT_HOST, "5.6.7",
		"host does not offer SMTPUTF8, which this message needs" },
	[REASON_TOO_LARGE] = { SMTP_VERDICT_HOST, "5.3.4",
		"message is larger than the host takes" },
};
_Static_assert(ARRAY_SIZE(reasons) == REASON_COUNT, "one row a reason");

static void decide(struct smtp_client *c, size_t i, enum smtp_verdict verdict,
	enum rcpt_reason reason)
{
	struct transaction *t = &c->mail;
	struct rcpt *r = &t->rcpts[i];
	ASSERT(r->state < RCPT_DECIDED); /* nobody is judged twice */
	*r = (struct rcpt){ RCPT_DECIDED, verdict, reason, c->state };
	if (verdict == SMTP_VERDICT_AGAIN)
		t->undecided++;
	if (i < t->report_at)
		t->report_at = i;
}

void smtp_decide(struct smtp_client *c, size_t i, enum smtp_verdict verdict)
{
	decide(c, i, verdict, REASON_REPLY);
}

void smtp_decide_ours(struct smtp_client *c, size_t i, enum rcpt_reason reason)
{
	decide(c, i, reasons[reason].verdict, reason);
}

void smtp_decide_all(struct smtp_client *c, enum rcpt_state in, enum smtp_verdict v)
{
	for (size_t i = 0; i < c->mail.message.recipient_count; i++) {
		if (c->mail.rcpts[i].state == in)
			smtp_decide(c, i, v);
	}
}

static void explain(struct smtp_client *c, const struct rcpt *r, struct smtp_reply *out)
{
	if (r->reason == REASON_REPLY) {
		smtp_reply_copy(out, &c->mail.by);
		return;
	}
	const struct reason *why = &reasons[r->reason];
	snprintf(out->enhanced, sizeof(out->enhanced), "%s", why->enhanced);
	if (r->reason == REASON_TOO_LARGE)
		snprintf(out->text, sizeof(out->text),
			"message of %llu octets is larger than the host takes (%llu)",
			(unsigned long long)c->mail.message.envelope->content.size_bytes,
			(unsigned long long)c->offer.size_limit);
	else
		snprintf(out->text, sizeof(out->text), "%s", why->text);
}

bool smtp_report(
	struct smtp_client *c, struct smtp_step *step, enum smtp_action *action_out)
{
	struct transaction *t = &c->mail;
	while (t->report_at < t->message.recipient_count) {
		size_t i = t->report_at++;
		struct rcpt *r = &t->rcpts[i];
		if (r->state != RCPT_DECIDED)
			continue;
		r->state = RCPT_REPORTED;
		step->recipient = i;
		step->verdict = r->verdict;
		step->verdict_state = r->at;
		explain(c, r, &step->reply);
		if (r->reason == REASON_REPLY && smtp_wants_tls(c, &t->by))
			step->hint = "the host takes mail over TLS only, and this "
				     "session was in plaintext: see policy explain";
		*action_out = SMTP_ACTION_RECIPIENT;
		return true;
	}
	if (!t->is_done)
		return false;
	step->undecided = t->undecided;
	smtp_mail_clear(c); /* what was borrowed goes back to the owner */
	*action_out = SMTP_ACTION_MESSAGE_DONE;
	return true;
}
