/*
 * The SMTP and LMTP client machine: bytes in, actions out. RFC 5321, 3207, 2920,
 * 1870, 6152, 2034, 6531, 3461, 3030 (CHUNKING), 4954 (AUTH), 2033 (LMTP), 8314
 * (TLS from the first octet).
 *
 * No socket, no TLS library, no clock, no callbacks. The owner loops:
 *
 *	while ((action = smtp_client_next(c, &step)) != SMTP_ACTION_READ) ...
 *
 * carries out each action, and feeds what comes in. BODY, MARK, AUTH and CHALLENGE
 * are asked for once each: next may be called again before the answer, and then
 * hands out what there is to write, or READ. What an owner answers at once leaves
 * in as few writes as can be: the end of the content and the final dot in one.
 *
 * The machine decides only protocol: whether TLS is good enough, what a failure leads to
 * and what is tried next are the owner's business.
 *
 *	connect -> BANNER -> EHLO [-> HELO] -> STARTTLS -> TLS -> EHLO_TLS
 *	[-> HELO_TLS] -> READY -> MAIL -> RCPT -> DATA -> BODY -> MARK -> FINAL
 *	-> READY [-> RSET] -> MAIL ... -> READY -> QUIT -> CLOSED
 *
 * with TLS from the first octet (implicit_tls), and with AUTH:
 *
 *	connect -> BANNER -> EHLO_TLS ...
 *	EHLO_TLS -> AUTH_CHOICE -> AUTH [-> AUTH_CHALLENGE -> AUTH]... -> READY
 *	AUTH -> AUTH_CHOICE	the host does not take that mechanism
 *
 * and with CHUNKING, where the content goes as BDAT:
 *
 *	READY [-> RSET] -> MAIL -> RCPT -> BODY -> MARK -> BDAT -> READY
 *	READY [-> RSET] -> MARK -> MAIL -> RCPT -> BDAT -> READY	one flight
 *
 * The owner goes on reading while it writes: a host may answer before it has
 * read all, and one that cannot get rid of its answers stops reading.
 *
 * With PIPELINING, MAIL, RCPT and DATA leave in one write; replies are matched
 * in order; QUIT never leaves together with a message. RSET leaves before the
 * next MAIL if the transaction before it did not end with its final dot.
 *
 * With CHUNKING the content may leave in chunks of 64 KiB: what DATA would carry,
 * without the dots. Each is counted before it is announced; what the owner gives
 * must have the size of the envelope, or the session ends without the last one.
 * With PIPELINING too, a message that is small and comes with its body may leave
 * in one flight, if the owner allows it: MAIL, RCPT and the one chunk. The mark
 * comes before that flight, and from then on the message is in doubt until the
 * replies say that nobody was accepted, or give the verdict. So the owner should
 * allow it only on a connection that is surely alive. A positive reply right behind
 * the verdict shows that the replies are out of step: in doubt, too. A host that
 * offers CHUNKING and does not know BDAT (500, 501, 502, 504) may take the content
 * for commands: the session ends there, with cause REPLY and
 * smtp_client_refused_chunking.
 *
 * A session that the host refuses (greeting, EHLO and HELO, STARTTLS, RSET) ends
 * with a QUIT whose answer is not waited for: SMTP_ACTION_WRITE comes once more
 * before SMTP_ACTION_FAILED. Not after 421, and not after a break.
 *
 * A reply that nobody asked for ends the session: with cause REPLY if it is 4xx
 * or 5xx (a 421 to an idle session), with cause PROTOCOL otherwise. 421 ends the
 * session wherever it comes; verdicts given before it stay valid, and every
 * recipient without one is for the owner to settle after SMTP_ACTION_FAILED. A
 * 421 to STARTTLS is a refusal of STARTTLS that ends the session too.
 *
 * 8-bit content goes as it is to a host without 8BITMIME: converting it would
 * break its signatures, and nearly all such hosts take it (RFC 6152 3 leaves
 * only that, conversion or a bounce).
 *
 * AUTH: the owner is shown what the host lists inside TLS, chooses, and answers the
 * challenges; the machine knows no mechanism. Without TLS nothing of it happens: the
 * session ends with SMTP_CAUSE_AUTH_PLAINTEXT. With each response the owner says
 * whether the exchange is complete as far as it goes; a 235 before that is no success
 * (a host that has proved nothing), and fails the session. A host that refuses a
 * mechanism and not the credentials (504, 534, 5.5.4, 5.7.9) is asked with another
 * one, as long as the owner has one (else: cause REPLY in state AUTH_CHOICE); each is
 * tried once. Every other refusal ends the session with cause REPLY in state AUTH. No
 * security layer is ever negotiated. What is sent is in no log, and the machine's own
 * copies of it are wiped.
 *
 * LMTP: LHLO for EHLO, without HELO to fall back on, and after the content a reply
 * for each recipient that was accepted, in their order. Who has a reply has a
 * verdict; the others are in doubt if the session ends in between, even with a 421,
 * which is a verdict on the next one only. A message never leaves in one flight, and
 * each chunk waits for the reply to the one before it: the number of replies to
 * a last chunk that comes too late is not known. A 354 to DATA that is for nobody ends
 * the session, for the same reason.
 *
 * Everything learnt before TLS is forgotten. Bytes that came in after the 220
 * to STARTTLS and before the handshake are a violation: the machine fails in
 * state TLS with cause SMTP_CAUSE_INJECTED and never parses them.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "mail/envelope.h"
#include "smtp/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* States; smtp_state_name gives the names that logs, JSON ("stage") and tests
 * show: "banner", "ehlo", "helo", "starttls", "tls", "ehlo_tls", "auth_choice", ... */
enum smtp_state {
	SMTP_STATE_BANNER,
	SMTP_STATE_EHLO,
	SMTP_STATE_HELO,
	SMTP_STATE_STARTTLS,
	SMTP_STATE_TLS, /* waiting for the owner's handshake */
	SMTP_STATE_EHLO_TLS,
	SMTP_STATE_HELO_TLS,
	SMTP_STATE_AUTH_CHOICE,    /* waiting for the owner's choice of a mechanism */
	SMTP_STATE_AUTH,           /* the command or an answer sent */
	SMTP_STATE_AUTH_CHALLENGE, /* waiting for the owner's answer */
	SMTP_STATE_READY,          /* a transaction may begin */
	SMTP_STATE_MAIL,
	SMTP_STATE_RCPT,
	SMTP_STATE_DATA,
	SMTP_STATE_BODY,  /* sending content */
	SMTP_STATE_MARK,  /* all sent but the final dot, or the last chunk, or the one
			   * flight: waiting for the owner's word */
	SMTP_STATE_FINAL, /* dot sent, waiting for the verdict */
	SMTP_STATE_BDAT,  /* last chunk sent, waiting for the verdict */
	SMTP_STATE_RSET,
	SMTP_STATE_QUIT,
	SMTP_STATE_CLOSED,
	SMTP_STATE_COUNT
};
const char *smtp_state_name(enum smtp_state state);

struct smtp_client_options {
	const char *hostname;     /* for EHLO; borrowed for the machine's life; printable
				   * ASCII without blanks (asserted) */
	bool use_starttls;        /* send STARTTLS if it is offered */
	bool helo_after_starttls; /* HELO instead of EHLO inside TLS */
	bool plaintext_after_refusal; /* STARTTLS refused: go on in this session */
	/* Time limits in ms, RFC 5321 4.5.3.2; 0 takes the state's default. */
	int64_t reply_timeout_ms; /* all replies but the one to the final dot */
	int64_t data_timeout_ms;  /* the reply to the final dot or the last chunk */
	unsigned max_recipients;  /* a transaction; 0 and over 100: 100 */
	bool no_mark;             /* the content's end is sent without SMTP_ACTION_MARK */
	bool lmtp;
	bool implicit_tls; /* all bytes are inside TLS: no STARTTLS, always EHLO */
	bool use_auth;     /* no mail without AUTH */
};

/* One transaction. Everything is borrowed until SMTP_ACTION_MESSAGE_DONE or
 * SMTP_ACTION_FAILED. An address that src/mail would refuse is not sent: its
 * verdict is PERMANENT with a text of ours. */
struct smtp_message {
	const struct mail_envelope *envelope;
	const struct mail_recipient *recipients;
	size_t recipient_count;
	/* The whole content, or NULL: then it is asked for. Nothing but one flight
	 * uses it; where that cannot be, the content is asked for all the same. */
	const char *body;
	size_t body_len;
	bool use_chunking;      /* BDAT where CHUNKING is offered */
	bool may_be_one_flight; /* one flight is allowed */
};

enum smtp_action {
	SMTP_ACTION_READ,      /* feed bytes, or report the end or a time-out */
	SMTP_ACTION_WRITE,     /* send step.bytes, step.len (valid until the next call) */
	SMTP_ACTION_START_TLS, /* shake hands, then smtp_client_tls_done */
	SMTP_ACTION_AUTH,      /* smtp_client_auth_begin or _auth_none: step.mechanisms */
	SMTP_ACTION_CHALLENGE, /* smtp_client_auth_answer or _auth_cancel: step.bytes */
	SMTP_ACTION_READY,     /* smtp_client_send or smtp_client_quit */
	SMTP_ACTION_BODY,      /* call smtp_client_body, or _body_end at the end */
	SMTP_ACTION_MARK,      /* mark it "in doubt", then smtp_client_marked */
	SMTP_ACTION_RECIPIENT, /* step.recipient has its verdict: step.verdict, step.reply
				*/
	SMTP_ACTION_MESSAGE_DONE, /* the transaction is over: step.undecided says how many
				     recipients still want another transaction */
	SMTP_ACTION_FAILED,       /* the session is over: step.failure; in state READY
				     between messages nothing is lost by it */
	SMTP_ACTION_CLOSE         /* nothing more to do: close the connection */
};

enum smtp_verdict {
	SMTP_VERDICT_DELIVERED,
	SMTP_VERDICT_TEMPORARY, /* also 530 ("must issue STARTTLS first", RFC 3207 4) in
				   a session without TLS: over TLS it may be taken */
	SMTP_VERDICT_PERMANENT,
	SMTP_VERDICT_AGAIN, /* too many recipients (452 or 552 on RCPT after one was
			       accepted, or more than fit into a transaction): ask again
			       in a further transaction, of this session if it lives */
	SMTP_VERDICT_HOST   /* this host cannot take it (no SMTPUTF8, SIZE too small):
			       another may; enhanced and text are ours */
};

/* Why a session ended. */
enum smtp_cause {
	SMTP_CAUSE_NONE,
	SMTP_CAUSE_REPLY, /* a reply that refuses the session: banner, EHLO+HELO, 421, ...
			   */
	SMTP_CAUSE_STARTTLS_REFUSED,
	SMTP_CAUSE_INJECTED, /* bytes between the 220 and the handshake */
	SMTP_CAUSE_PROTOCOL, /* not SMTP, out of step, over a limit */
	SMTP_CAUSE_LOST,     /* closed or reset by the peer */
	SMTP_CAUSE_TIMEOUT,
	SMTP_CAUSE_ABORTED,        /* the owner gave up */
	SMTP_CAUSE_AUTH_PLAINTEXT, /* use_auth, and no TLS: nothing was sent */
	SMTP_CAUSE_AUTH_IMPOSSIBLE /* the owner has no way to authenticate here, or
				      the host did not prove what it must */
};

struct smtp_failure {
	enum smtp_cause cause;
	enum smtp_state state; /* where */
	bool inside_tls;
	bool before_first_tls_reply; /* inside TLS, and no reply came in there yet */
	bool after_refusal; /* STARTTLS was refused, and nothing was answered since */
	bool nothing_sent;  /* of a message: between two, or before the one flight */
	bool in_doubt; /* all of the content was (or may have been) sent, no verdict */
	struct smtp_reply reply; /* cause REPLY and STARTTLS_REFUSED */
	char text[256];          /* a short lower-case fact: "connection lost", ... */
};

struct smtp_step {
	const char *bytes;
	size_t len;
	size_t recipient; /* index into the message's recipients */
	enum smtp_verdict verdict;
	enum smtp_state verdict_state; /* which command it answers */
	struct smtp_reply reply;       /* code 0: a verdict of ours, no reply */
	const char *hint; /* what a person may do about the verdict, or NULL; static */
	/* Separated by blanks, in capitals, each once and not refused yet; "" if there
	 * are none. Valid until the answer. */
	const char *mechanisms;
	size_t undecided;
	struct smtp_failure failure; /* with SMTP_ACTION_FAILED only */
};

struct smtp_client;

struct smtp_client *smtp_client_new(const struct smtp_client_options *options);
void smtp_client_free(struct smtp_client **c);

enum smtp_action smtp_client_next(struct smtp_client *c, struct smtp_step *step);

/* Input. Each may be called whenever the machine lives; smtp_client_next tells
 * what follows. What was fed before smtp_client_lost or _timed_out is still
 * judged first: a verdict that came along with the end of the stream counts.
 * A feed is 64 KiB at most; a peer that sends more than 256 KiB while nothing
 * is being read from it ends the session. */
void smtp_client_feed(struct smtp_client *c, const char *bytes, size_t len);
void smtp_client_lost(struct smtp_client *c, const char *why); /* end of stream, reset */
void smtp_client_timed_out(struct smtp_client *c);
void smtp_client_abort(struct smtp_client *c, const char *why);

/* Answers to actions, each only after its action. All are ignored once the
 * session is over: the owner learns that from smtp_client_next. */
void smtp_client_tls_done(struct smtp_client *c); /* the handshake was good */
/* To AUTH. mechanism: one of those listed (asserted). response: the initial one, as
 * octets; "" with len 0 is an empty one, NULL none: the host speaks first. One that
 * does not fit into a command line waits for the host's empty challenge. is_complete: a
 * 235 may follow. why: for a person, lower case; where a mechanism was refused before,
 * the failure has that reply (and cause REPLY). */
void smtp_client_auth_begin(struct smtp_client *c, const char *mechanism,
	const char *response, size_t len, bool is_complete);
void smtp_client_auth_none(struct smtp_client *c, const char *why);
/* To CHALLENGE, whose octets are step.bytes, step.len (decoded, valid until the next
 * call). Cancelling ends the session. */
void smtp_client_auth_answer(
	struct smtp_client *c, const char *response, size_t len, bool is_complete);
void smtp_client_auth_cancel(struct smtp_client *c, const char *why);
void smtp_client_send(struct smtp_client *c, const struct smtp_message *message);
void smtp_client_quit(struct smtp_client *c);
void smtp_client_body(
	struct smtp_client *c, const char *bytes, size_t len); /* a piece, <= 64 KiB */
void smtp_client_body_end(struct smtp_client *c);
void smtp_client_marked(struct smtp_client *c);
/* The body cannot be had: ends the session without the content's end. */
void smtp_client_body_failed(struct smtp_client *c, const char *why);

/* Facts. */
enum smtp_state smtp_client_state(const struct smtp_client *c);
/* For the current state; 0: the owner's own limit counts (handshake, idle). */
int64_t smtp_client_timeout_ms(const struct smtp_client *c);
bool smtp_client_is_tls(const struct smtp_client *c);
/* The mechanism of the AUTH that succeeded; NULL: none did. */
const char *smtp_client_auth_mechanism(const struct smtp_client *c);
bool smtp_client_offered_starttls(const struct smtp_client *c); /* in the first EHLO */
size_t smtp_client_reply_count(const struct smtp_client *c);    /* whole replies so far */
const struct smtp_reply *smtp_client_last_reply(const struct smtp_client *c);
/* If it ended now, the message under way would be in doubt. */
bool smtp_client_is_in_doubt(const struct smtp_client *c);
bool smtp_client_offers_chunking(const struct smtp_client *c); /* in the last EHLO */
/* In the last EHLO, so what NOTIFY, RET, ENVID and ORCPT said is the host's now. */
bool smtp_client_offers_dsn(const struct smtp_client *c);
/* The host offers CHUNKING and does not know BDAT. */
bool smtp_client_refused_chunking(const struct smtp_client *c);
/* The reply that refused STARTTLS in this session; code 0: none did. */
const struct smtp_reply *smtp_client_starttls_refusal(const struct smtp_client *c);

#endif
