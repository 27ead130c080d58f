/*
 * The inside of the server machine, shared by server*.c and nobody else.
 *
 * server.c		the table of states, the one function that changes state,
 *			input, output, how a session ends
 * server_command.c	lines, the table of verbs, the verbs without a transaction
 * server_mail.c	MAIL, RCPT, DATA and BDAT, and what the owner answers
 * server_content.c	the content, after DATA or in chunks, and its end
 * server_reply.c	the text of replies
 *
 * take_* handlers look at what came in, take some of it and return the next state;
 * run_* do so for one command. One that can do nothing with what there is says so in
 * needs_input. A state with a question asks its owner as it begins and has no handler:
 * the answer leads on.
 */
#ifndef SMTP_SERVER_IMPL_H
#define SMTP_SERVER_IMPL_H

#include "base/buf.h"
#include "smtp/reply.h"
#include "smtp/server.h"

enum {
	SMTP_SERVER_TEXT_MAX = 400
}; /* of a reply, whose line has 512: RFC 5321 4.5.3.1.5 */
enum { SMTP_SERVER_NAME_MAX = 255 };

struct smtp_refusal {
	int code; /* 0: none */
	char enhanced[SMTP_ENHANCED_MAX];
	char text[SMTP_SERVER_TEXT_MAX];
};

/* From MAIL to what comes of the content; all zero between two. */
struct smtp_server_transaction {
	bool is_open;    /* MAIL was accepted */
	bool is_owners;  /* the owner heard of it: COMMIT or ABORT has to follow */
	bool has_failed; /* a chunk was refused: nothing goes on before RSET */
	unsigned accepted;
	const char *path; /* of the question; in line */
	size_t path_len;
	struct smtp_mail_parameters mail;
	struct smtp_rcpt_parameters rcpt;
	bool at_line_start; /* of the content after DATA */
	uint64_t content_bytes;
	uint64_t chunk_left; /* octets of this BDAT that are to come */
	bool is_last_chunk;
	struct smtp_refusal refusal; /* of the content: the rest of it is dropped */
};

struct smtp_server {
	struct smtp_server_options options;
	enum smtp_server_state state;
	struct buf in;  /* fed, not used up; the first piece octets are with the owner */
	struct buf out; /* to be written; the first handed octets are with the owner */
	size_t piece, handed;
	bool needs_input; /* nothing can be done with what is in in */
	bool is_asked;    /* the owner: the answer is to come */
	bool abort_is_due;
	bool is_lost;     /* nothing comes any more; what came is used up first */
	bool shut_is_due; /* after the owner's answer */
	bool is_extended; /* EHLO or LHLO, not HELO */
	unsigned errors;  /* bad commands since the last message */
	char shut_enhanced[SMTP_ENHANCED_MAX];
	char shut_text[SMTP_SERVER_TEXT_MAX];
	char client_name[SMTP_SERVER_NAME_MAX + 1];
	struct smtp_server_transaction transaction;
	char line[SMTP_SERVER_LINE_MAX]; /* the command under way, without its CRLF */
};

/* The only way to another state. */
void smtp_server_change_state(struct smtp_server *s, enum smtp_server_state to);
/* The owner forgets the transaction, if it has heard of it; here it stays. */
void smtp_server_drop(struct smtp_server *s);
/* Here it is forgotten too. */
void smtp_server_end_transaction(struct smtp_server *s);
/* 421, and nothing after it. */
enum smtp_server_state smtp_server_hang_up(
	struct smtp_server *s, const char *enhanced, const char *why);
/* A shut that had to wait for an answer. */
void smtp_server_shut_if_due(struct smtp_server *s);

/* Queues one line of a reply, which is whole and ours; CRLF is added. */
void smtp_server_say(struct smtp_server *s, const char *line);
/* The same with a text of anybody's, which is cleaned and cut. */
void smtp_server_say_text(
	struct smtp_server *s, int code, const char *enhanced, const char *text);
void smtp_server_say_refusal(struct smtp_server *s, const struct smtp_refusal *r);
/* A bad command: as say, and counted. Returns the state it leaves, or CLOSED. */
enum smtp_server_state smtp_server_complain(struct smtp_server *s, const char *line);
enum smtp_server_state smtp_server_complain_text(
	struct smtp_server *s, int code, const char *enhanced, const char *text);

enum smtp_server_state smtp_server_take_command(struct smtp_server *s);
enum smtp_server_state smtp_server_take_data(struct smtp_server *s);
enum smtp_server_state smtp_server_take_chunk(struct smtp_server *s);

/* argument: what follows the verb, without blanks around it; in line. */
enum smtp_server_state smtp_server_run_mail(struct smtp_server *s, const char *argument);
enum smtp_server_state smtp_server_run_rcpt(struct smtp_server *s, const char *argument);
enum smtp_server_state smtp_server_run_data(struct smtp_server *s, const char *argument);
enum smtp_server_state smtp_server_run_bdat(struct smtp_server *s, const char *argument);

/* Of a message, announced or come. */
bool smtp_server_is_over_limit(const struct smtp_server *s, uint64_t octets);
/* No more of the content is given to the owner; a first refusal stays. */
void smtp_server_refuse_rest(
	struct smtp_server *s, int code, const char *enhanced, const char *text);
/* What comes of the content, to each recipient in LMTP; ends the transaction. */
void smtp_server_answer_content(struct smtp_server *s, const struct smtp_refusal *r);

#endif
