/*
 * The inside of the client machine, shared by client*.c and nobody else.
 *
 * client.c		the table of states, the one function that changes state,
 *			input, output, how a session ends
 * client_ehlo.c	banner to READY: EHLO, HELO, STARTTLS, what a host offers
 * client_auth.c	from there to READY where the owner wants AUTH
 * client_mail.c	one transaction, MAIL to the reply to the final dot
 * client_body.c	the content, as DATA or in chunks
 * client_command.c	the text of MAIL and RCPT with their parameters
 * client_report.c	verdicts of recipients, kept until they are handed out
 *
 * on_* handlers judge one reply and return the next state; enter_* send what a
 * state begins with. expected counts commands without a reply, unsent those of
 * them that were not handed out yet: a reply while they are equal is one that
 * nobody asked for.
 */
#ifndef SMTP_CLIENT_IMPL_H
#define SMTP_CLIENT_IMPL_H

#include "base/buf.h"
#include "mail/content.h"
#include "smtp/client.h"

enum { SMTP_CHUNK_MAX = 64 * 1024 }; /* octets a BDAT, and of one flight's content */
enum { SMTP_BATCH_MAX = 100 };       /* RCPT a transaction: RFC 5321 4.5.3.1.8 */

enum {
	SMTP_MECHANISMS_MAX = 32,                      /* that are looked at */
	SMTP_MECHANISM_LEN_MAX = 20,                   /* RFC 4422 3.1 */
	SMTP_AUTH_LINE_MAX = SMTP_REPLY_AUTH_LINE_MAX, /* of ours, CRLF included */
	SMTP_AUTH_COMMAND_MAX = 512,                   /* RFC 5321 4.5.3.1.4 */
	SMTP_CHALLENGES_MAX = 16                       /* no mechanism has as many */
};

/* What the last EHLO offered; all zero before it and after HELO. */
struct smtp_offer {
	bool starttls, pipelining, chunking, eightbitmime, smtputf8, dsn, size;
	uint64_t size_limit; /* 0: none */
	unsigned mechanism_count;
	/* Each followed by a blank, but the last one. */
	char mechanisms[SMTP_MECHANISMS_MAX * (SMTP_MECHANISM_LEN_MAX + 1)];
};

struct auth {
	char mechanism[SMTP_MECHANISM_LEN_MAX + 1]; /* of the last AUTH */
	struct buf initial; /* base64: waits for an empty challenge */
	bool has_initial;
	bool is_complete; /* as far as the owner goes: 235 may come */
	bool is_done;     /* it did */
	bool is_cancelled;
	unsigned challenges;
	struct buf challenge;      /* decoded, for the owner */
	struct smtp_reply refusal; /* of the mechanism before this one; code 0: none */
	char why[256];             /* it was cancelled */
};

enum rcpt_state { RCPT_NEW, RCPT_ASKED, RCPT_ACCEPTED, RCPT_DECIDED, RCPT_REPORTED };

/* Verdicts that are ours and not the peer's. */
enum rcpt_reason {
	REASON_REPLY,
	REASON_TRANSACTION_FULL,
	REASON_BAD_SENDER,
	REASON_BAD_RECIPIENT,
	REASON_NO_SMTPUTF8,
	REASON_TOO_LARGE,
	REASON_COUNT
};

struct rcpt {
	enum rcpt_state state;
	enum smtp_verdict verdict;
	enum rcpt_reason reason;
	enum smtp_state at; /* state of the machine when it was decided */
};

struct transaction {
	struct smtp_message message;
	struct rcpt *rcpts; /* owned; one a recipient of the message */
	size_t batch_count;
	size_t answered; /* of the batch: the receive cursor */
	size_t accepted;
	bool is_pipelined; /* the send cursor went to DATA at once */
	bool needs_smtputf8;
	bool mail_failed;
	bool uses_bdat;      /* instead of DATA */
	bool is_flight;      /* all of it leaves as MAIL begins */
	bool is_lone_dot;    /* 354 without a recipient: nothing is at stake */
	bool is_refused;     /* a chunk was: no more of them are sent */
	bool end_is_queued;  /* the final dot, or the last chunk, is in out */
	bool end_was_handed; /* the write with it went out */
	size_t settled;      /* LMTP: recipients with a verdict on the content */
	size_t settle_at;    /* of the batch: nobody before it waits for one */
	bool is_done;        /* MESSAGE_DONE is due */
	size_t undecided;    /* verdicts AGAIN */
	size_t report_at;    /* no DECIDED recipient stands before this one */
	struct content_dotstuff stuffing;
	uint64_t content_bytes; /* given by the owner so far */
	struct buf chunk;       /* the next ones, not yet announced */
	/* What follows is written before it is read, and not cleared. */
	size_t batch[SMTP_BATCH_MAX]; /* those asked for in this transaction */
	struct smtp_reply by;         /* the reply behind verdicts not yet handed out */
};

struct smtp_client {
	struct smtp_client_options options;
	enum smtp_state state;
	struct buf in;  /* fed, not parsed */
	struct buf out; /* to be written; the first handed octets are with the owner */
	size_t handed;
	bool is_asked;  /* the owner, for BODY or MARK: the answer is to come */
	size_t replies; /* whole ones, since the connection was made */
	unsigned expected, unsent;
	struct smtp_reply_parser parser;
	struct smtp_reply last_reply;
	struct smtp_reply refusal; /* of STARTTLS */
	size_t refusal_at;         /* it was that reply */
	struct smtp_offer offer;
	struct auth auth;
	bool out_is_secret;    /* some of it: overwritten when it was written */
	bool offered_starttls; /* in the first EHLO */
	bool refused_chunking;
	bool is_tls;
	bool tls_replied;
	bool needs_rset;   /* the last transaction did not reach its end */
	bool says_goodbye; /* QUIT is the last thing written */
	struct transaction mail;
	struct smtp_failure ending; /* lost, timed out: due when the input is used up */
	struct smtp_failure failure;
	bool failure_is_due;
};

/* Handlers return this: records why the session ends (unless that does not
 * matter any more, after QUIT) and gives the state that follows. */
enum smtp_state smtp_fail(struct smtp_client *c, enum smtp_cause cause,
	const struct smtp_reply *reply, const char *text);
enum smtp_state smtp_fail_reply(struct smtp_client *c, const struct smtp_reply *reply);
/* The same for an answer in its turn to a command of the session's own: the
 * connection is still good for a QUIT. */
enum smtp_state smtp_fail_refused(struct smtp_client *c, const struct smtp_reply *reply);

/* The only way to another state. why is for the log. */
void smtp_change_state(struct smtp_client *c, enum smtp_state to, const char *why);
/* true: no input is waiting. Otherwise the session has ended with it. */
bool smtp_is_silent(struct smtp_client *c);

/* Queues a command that will have a reply. CRLF is added. */
void smtp_command(struct smtp_client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

enum smtp_state smtp_on_banner(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_ehlo(struct smtp_client *c);
enum smtp_state smtp_on_ehlo(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_helo(struct smtp_client *c);
enum smtp_state smtp_on_helo(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_starttls(struct smtp_client *c);
enum smtp_state smtp_on_starttls(struct smtp_client *c, const struct smtp_reply *r);

/* READY, or what comes before it where the owner wants AUTH. */
enum smtp_state smtp_after_greeting(struct smtp_client *c);
/* The words behind AUTH in an answer to EHLO. */
void smtp_note_mechanisms(struct smtp_offer *offer, const char *s, size_t len);
enum smtp_state smtp_on_auth(struct smtp_client *c, const struct smtp_reply *r);
void smtp_auth_clear(struct smtp_client *c);

void smtp_enter_mail(struct smtp_client *c);
enum smtp_state smtp_on_mail(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_rcpt(struct smtp_client *c);
enum smtp_state smtp_on_rcpt(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_data(struct smtp_client *c);
enum smtp_state smtp_on_data(struct smtp_client *c, const struct smtp_reply *r);
/* From RCPT's last reply to the content, where BDAT is used. */
enum smtp_state smtp_begin_content(struct smtp_client *c);
void smtp_queue_flight(struct smtp_client *c); /* the one chunk of it */
/* BODY and MARK: only chunks have replies there. */
enum smtp_state smtp_on_chunk(struct smtp_client *c, const struct smtp_reply *r);
bool smtp_waits_for_chunk(const struct smtp_client *c);
void smtp_enter_bdat(struct smtp_client *c);
enum smtp_state smtp_on_bdat(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_final(struct smtp_client *c);
enum smtp_state smtp_on_final(struct smtp_client *c, const struct smtp_reply *r);
void smtp_enter_rset(struct smtp_client *c);
enum smtp_state smtp_on_rset(struct smtp_client *c, const struct smtp_reply *r);
/* LMTP: the reply is the verdict on the next recipient alone. */
void smtp_settle_next(struct smtp_client *c, const struct smtp_reply *r);
/* The transaction has its last reply. */
enum smtp_state smtp_finish(struct smtp_client *c, bool needs_rset);
/* Who was not asked for yet is to be so in another transaction. */
void smtp_put_off_rest(struct smtp_client *c);
/* What a reply that refuses means for those whom it concerns. */
enum smtp_verdict smtp_refusal(const struct smtp_client *c, const struct smtp_reply *r);
bool smtp_mail_is_unsent(const struct smtp_client *c);
bool smtp_mail_is_in_doubt(const struct smtp_client *c);
void smtp_mail_clear(struct smtp_client *c);

/* The same for a whole line, without its end. */
void smtp_command_line(struct smtp_client *c, const char *line, size_t len);
void smtp_command_bdat(struct smtp_client *c, size_t len, bool is_last);
void smtp_command_mail(struct smtp_client *c);
void smtp_command_rcpt(struct smtp_client *c, const struct mail_recipient *r);

/* The reply refuses plaintext, not the message. */
bool smtp_wants_tls(const struct smtp_client *c, const struct smtp_reply *r);

/* Verdicts. decide: one recipient, by mail.by; decide_ours: for a reason of
 * ours; decide_all: all in this state. */
void smtp_decide(struct smtp_client *c, size_t i, enum smtp_verdict verdict);
void smtp_decide_ours(struct smtp_client *c, size_t i, enum rcpt_reason reason);
void smtp_decide_all(struct smtp_client *c, enum rcpt_state in, enum smtp_verdict v);
/* Hands out what is due: RECIPIENT, then MESSAGE_DONE. false: nothing is. */
bool smtp_report(
	struct smtp_client *c, struct smtp_step *step, enum smtp_action *action_out);

#endif
