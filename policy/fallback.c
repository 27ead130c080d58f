#include "policy/fallback.h"

#include "policy/util.h"

/* Short names, so that the table reads as a table. */
enum {
	NEXT = POLICY_STEP_NEXT_HOST,
	SESSION = POLICY_STEP_PLAINTEXT_SESSION,
	AGAIN = POLICY_STEP_PLAINTEXT_RECONNECT,
	STOP = POLICY_STEP_STOP
};

enum flip {
	NO,
	YES,
	IN_TLS /* only if it happened inside TLS */
};

/* What a failed plaintext attempt of the alternating modes leads to. */
enum back {
	STAYS,
	TO_TLS,
	IF_SPOKEN /* to TLS if some host was spoken to: else it says nothing */
};

/*
 * The table. A row for each class of failure, a column for each mode:
 * none, plaintext, alternate, alternate-any. `step` is for an attempt over TLS
 * that is not required; plaintext steps become "next host" everywhere else.
 */
static const struct rule {
	unsigned char step[POLICY_FALLBACK_COUNT];
	unsigned char flip[POLICY_FALLBACK_COUNT]; /* next attempt in plaintext? */
	enum back back;
} rules[] = {
	/* clang-format off */
	[POLICY_FAILURE_NONE] =
		{ { STOP, STOP, STOP, STOP },             { NO, NO, NO, NO },      STAYS },
	[POLICY_FAILURE_NO_STARTTLS] =
		{ { SESSION, SESSION, SESSION, SESSION }, { NO, NO, NO, NO },      STAYS },
	[POLICY_FAILURE_STARTTLS_REFUSED] =
		{ { NEXT, SESSION, NEXT, NEXT },          { NO, NO, YES, YES },    TO_TLS },
	[POLICY_FAILURE_TLS_INIT] =
		{ { NEXT, SESSION, NEXT, NEXT },          { NO, NO, YES, YES },    TO_TLS },
	[POLICY_FAILURE_TLS_HANDSHAKE] =
		{ { NEXT, AGAIN, NEXT, NEXT },            { NO, NO, YES, YES },    TO_TLS },
	[POLICY_FAILURE_TLS_SESSION] =
		{ { NEXT, NEXT, NEXT, NEXT },             { NO, NO, NO, YES },     TO_TLS },
	[POLICY_FAILURE_IN_DOUBT] =
		{ { STOP, STOP, STOP, STOP },             { NO, NO, NO, IN_TLS },  STAYS },
	[POLICY_FAILURE_POLICY] =
		{ { NEXT, NEXT, NEXT, NEXT },             { NO, NO, NO, NO },      TO_TLS },
	[POLICY_FAILURE_SMTP_TEMPORARY] =
		{ { NEXT, NEXT, NEXT, NEXT },             { NO, NO, NO, NO },      TO_TLS },
	[POLICY_FAILURE_SMTP_PERMANENT] =
		{ { STOP, STOP, STOP, STOP },             { NO, NO, NO, NO },      STAYS },
	[POLICY_FAILURE_CONNECT] =
		{ { NEXT, NEXT, NEXT, NEXT },             { NO, NO, NO, NO },      IF_SPOKEN },
	[POLICY_FAILURE_DNS] =
		{ { NEXT, NEXT, NEXT, NEXT },             { NO, NO, NO, NO },      IF_SPOKEN },
	[POLICY_FAILURE_SESSION] =
		{ { NEXT, NEXT, NEXT, NEXT },             { NO, NO, NO, NO },      TO_TLS },
	/* clang-format on */
};
_Static_assert(POLICY_ARRAY_SIZE(rules) == POLICY_FAILURE_COUNT, "a rule a failure");

const char *policy_step_name(enum policy_step step)
{
	static const char *const names[POLICY_STEP_COUNT] = {
		[POLICY_STEP_NEXT_HOST] = "next_host",
		[POLICY_STEP_PLAINTEXT_SESSION] = "plaintext_session",
		[POLICY_STEP_PLAINTEXT_RECONNECT] = "plaintext_reconnect",
		[POLICY_STEP_STOP] = "stop",
	};
	return (unsigned)step < POLICY_STEP_COUNT ? names[step] : "unknown";
}

enum policy_step policy_fallback_step(const struct policy_fallback_query *query)
{
	enum policy_step step = (enum policy_step)rules[query->failure].step[query->mode];
	bool to_plaintext = step == POLICY_STEP_PLAINTEXT_SESSION ||
			    step == POLICY_STEP_PLAINTEXT_RECONNECT;
	if (!to_plaintext)
		return step;
	if (query->tls_required)
		return POLICY_STEP_NEXT_HOST;
	/* In a plaintext attempt a missing STARTTLS is no news; the others cannot
	 * happen, and must not make a session start over. */
	if (query->channel == POLICY_CHANNEL_PLAINTEXT &&
		query->failure != POLICY_FAILURE_NO_STARTTLS)
		return POLICY_STEP_NEXT_HOST;
	return step;
}

bool policy_fallback_flips(const struct policy_fallback_query *query)
{
	if (query->tls_required || query->channel == POLICY_CHANNEL_PLAINTEXT)
		return false;
	enum flip flip = (enum flip)rules[query->failure].flip[query->mode];
	return flip == YES || (flip == IN_TLS && query->inside_tls);
}

bool policy_fallback_needs_retries(enum policy_fallback mode)
{
	return mode == POLICY_FALLBACK_ALTERNATE || mode == POLICY_FALLBACK_ALTERNATE_ANY;
}

static bool goes_back(const struct policy_attempt_summary *summary)
{
	switch (rules[summary->failure].back) {
	case STAYS:
		return false;
	case TO_TLS:
		return true;
	case IF_SPOKEN:
		break;
	}
	return summary->conversed;
}

/* Why an attempt over TLS that does not flip is followed by another. */
static const char *why_tls_stays(const struct policy_attempt_summary *summary)
{
	bool any = summary->mode == POLICY_FALLBACK_ALTERNATE_ANY;
	switch (summary->failure) {
	case POLICY_FAILURE_TLS_SESSION:
		return any ? "the channel stays"
			   : "TLS broke after it had worked, and only alternate-any "
			     "leads "
			     "to plaintext then";
	case POLICY_FAILURE_IN_DOUBT:
		return any ? "the message was not lost inside TLS"
			   : "a message in doubt leads to plaintext only with "
			     "alternate-any";
	case POLICY_FAILURE_POLICY:
		return "a requirement that is not met never leads to plaintext";
	case POLICY_FAILURE_CONNECT:
	case POLICY_FAILURE_DNS:
		return "no host was spoken to, which says nothing about TLS";
	case POLICY_FAILURE_SMTP_TEMPORARY:
	case POLICY_FAILURE_SMTP_PERMANENT:
		return "the host's answer says nothing against TLS";
	default:
		return "nothing that happened speaks against TLS";
	}
}

enum policy_channel policy_fallback_next_channel(
	const struct policy_attempt_summary *summary, const char **reason_out)
{
	if (summary->tls_required) {
		*reason_out = "TLS is required: no failure leads to plaintext";
	} else if (summary->mode == POLICY_FALLBACK_NONE) {
		*reason_out = "there is no fallback: every attempt uses TLS";
	} else if (summary->mode == POLICY_FALLBACK_PLAINTEXT) {
		*reason_out = "every attempt starts with TLS; its fallback to plaintext "
			      "is within the attempt";
	} else if (summary->channel == POLICY_CHANNEL_PLAINTEXT) {
		if (goes_back(summary)) {
			*reason_out = "the attempt in plaintext failed";
			return POLICY_CHANNEL_TLS;
		}
		*reason_out = "what happened in plaintext says nothing against "
			      "plaintext: the channel stays";
		return POLICY_CHANNEL_PLAINTEXT;
	} else if (summary->flips) {
		*reason_out = "the attempt over TLS failed in TLS";
		return POLICY_CHANNEL_PLAINTEXT;
	} else {
		*reason_out = why_tls_stays(summary);
	}
	return POLICY_CHANNEL_TLS;
}
