/*
 * The server side of SMTP and LMTP as a machine: bytes in, actions out. RFC 5321,
 * 2033 (LMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8),
 * 3030 (CHUNKING), 3461 (DSN), 2034 (ENHANCEDSTATUSCODES).
 *
 * As client.h: no socket, no clock, no callbacks. The owner loops:
 *
 *	while ((action = smtp_server_next(s, &step)) != SMTP_SERVER_READ) ...
 *
 * carries out each action, and feeds what comes in. MAIL, RCPT and COMMIT ask the
 * owner something: it answers at once or later (smtp_server_accept, _refuse,
 * _stored), and until then the machine gives out no more than WRITE and READ and
 * parses nothing further. What is fed meanwhile waits, SMTP_SERVER_BACKLOG_MAX at
 * most: an owner stops reading while smtp_server_is_busy says so.
 *
 *	connect -> GREETING -> COMMAND -> MAIL -> RCPT -> DATA | BDAT -> COMMIT
 *	-> COMMAND ... -> CLOSED
 *
 * Replies are gathered as long as there is input to parse, and while the owner has an
 * answer to give: a pipelined flight is answered with one write.
 *
 * Each MAIL that the owner did not refuse is followed by one COMMIT or one ABORT, and
 * the answer to COMMIT ends the transaction. After ABORT nothing of it is asked any more.
 *
 * EHLO (LHLO) comes before MAIL; before it, an unknown command ends the session: a web
 * browser can be made to send commands, but not before a line of its own. STARTTLS,
 * AUTH and BINARYMIME are not offered. A client that sends content along with DATA
 * breaks RFC 2920 3.1; where DATA is accepted it is taken for what it is, where not it
 * would be taken for commands, so the session ends. So it does after a BDAT whose
 * length cannot be read. A refused chunk is followed by 503 until RSET or, as that ends
 * the message anyhow, BDAT LAST; its octets are dropped first (RFC 3030 2).
 *
 * Line ends are CRLF and nothing else (SMTP smuggling, CVE-2023-51764): a command
 * that ends in a bare LF, or has a bare CR in it, is answered 500 and the session
 * ends; a message after DATA that has one is taken to its CRLF.CRLF and refused with
 * 550. What comes by BDAT is content, whatever its line ends. Only CRLF.CRLF ends.
 *
 * A message is acknowledged with smtp_server_stored and nothing else. What is lost
 * before its last octet (or its BDAT LAST) has come is aborted: the owner is told
 * with ABORT, and has nothing stored then.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "smtp/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_server_state {
	SMTP_SERVER_STATE_GREETING,
	SMTP_SERVER_STATE_COMMAND, /* no transaction */
	SMTP_SERVER_STATE_MAIL,    /* MAIL is with the owner */
	SMTP_SERVER_STATE_RCPT,    /* in a transaction, between its commands */
	SMTP_SERVER_STATE_ASKED,   /* a RCPT is with the owner */
	SMTP_SERVER_STATE_DATA,
	SMTP_SERVER_STATE_BDAT,   /* inside a chunk */
	SMTP_SERVER_STATE_CHUNKS, /* between two chunks */
	SMTP_SERVER_STATE_COMMIT, /* the message is with the owner */
	SMTP_SERVER_STATE_CLOSED,
	SMTP_SERVER_STATE_COUNT
};
const char *smtp_server_state_name(enum smtp_server_state state);

enum {
	SMTP_SERVER_BACKLOG_MAX = 256 * 1024,
	SMTP_SERVER_LINE_MAX = 4096, /* of a command, with CRLF */
	SMTP_SERVER_ERRORS_MAX = 20  /* bad commands; then 421 */
};

struct smtp_server_options {
	const char *hostname;      /* borrowed for the machine's life */
	bool is_lmtp;              /* LHLO, and a reply a recipient after the content */
	uint64_t max_message_size; /* octets as they come; 0: no limit */
	unsigned max_recipients;   /* a message; further ones get 452; 0: no limit */
};

enum smtp_server_action {
	SMTP_SERVER_READ,
	SMTP_SERVER_WRITE,   /* send step.bytes, step.len: valid until any next call */
	SMTP_SERVER_MAIL,    /* a transaction begins: step.path, step.mail */
	SMTP_SERVER_RCPT,    /* step.path, step.rcpt */
	SMTP_SERVER_CONTENT, /* step.bytes, step.len: a piece, without dots, valid as in
				WRITE; no answer */
	SMTP_SERVER_COMMIT,  /* the content is complete */
	SMTP_SERVER_ABORT,   /* the transaction is over; nothing of it stays; no answer */
	SMTP_SERVER_CLOSE    /* what was written has to go out; then close */
};

struct smtp_server_step {
	const char *bytes;
	size_t len;
	const char *path; /* the address without <>, "" for the null sender */
	size_t path_len;
	const struct smtp_mail_parameters *mail;
	const struct smtp_rcpt_parameters *rcpt;
};

struct smtp_server;
struct smtp_server *smtp_server_new(const struct smtp_server_options *options);
void smtp_server_free(struct smtp_server **s);
enum smtp_server_action smtp_server_next(
	struct smtp_server *s, struct smtp_server_step *step);

/* Copied. More than fits into the backlog ends the session with 421. */
void smtp_server_feed(struct smtp_server *s, const char *bytes, size_t len);
/* The end of the stream. What was fed before is still used up, and answered: who
 * has said all may close one direction. */
void smtp_server_lost(struct smtp_server *s);
/* 421 with an enhanced code ("4.4.2": idle for too long, "4.3.2": shutdown) and the
 * reason, then CLOSE. In COMMIT the answer of the owner still comes first; elsewhere
 * what is asked is void. */
void smtp_server_shut(struct smtp_server *s, const char *enhanced, const char *why);

/* Answers. accept: to MAIL and RCPT. refuse: to MAIL, RCPT and COMMIT, with a code
 * (4xx or 5xx), an enhanced code ("5.1.3") and a text, which is cleaned and cut. In
 * LMTP a refused COMMIT is so for each recipient. All are ignored once the session is
 * over. */
void smtp_server_accept(struct smtp_server *s);
void smtp_server_refuse(
	struct smtp_server *s, int code, const char *enhanced, const char *text);
/* The message is stored, durably: id is shown in the reply. */
void smtp_server_stored(struct smtp_server *s, const char *id);
/* The owner cannot take the rest of the content (too big, no space): it is read to
 * its end and then refused so; no more CONTENT, but ABORT. In COMMIT it is refuse;
 * when no content is under way it has no effect. */
void smtp_server_refuse_content(
	struct smtp_server *s, int code, const char *enhanced, const char *text);

/* Facts. */
enum smtp_server_state smtp_server_state(const struct smtp_server *s);
bool smtp_server_is_busy(const struct smtp_server *s); /* asked, or much is waiting */
/* Name in HELO, EHLO, LHLO, cleaned; "" before it. */
const char *smtp_server_client_name(const struct smtp_server *s);
/* For the Received field, RFC 3848: "SMTP", "ESMTP", "LMTP", "UTF8SMTP", "UTF8LMTP". */
const char *smtp_server_protocol(const struct smtp_server *s);

#endif
