/*
 * SMTP replies, RFC 5321 4.2, with enhanced status codes, RFC 2034.
 *
 * An incremental parser: bytes in, one whole reply at a time out. Limits keep
 * a hostile peer cheap: a line of 4,096 octets (12,288 in AUTH), 100 lines and 64 KiB
 * a reply (200 lines for EHLO); over a limit, or lines of one reply with different
 * codes, or no three digits: a protocol error. Kept text is cut and cleaned.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	SMTP_REPLY_LINE_MAX = 4096,
	SMTP_REPLY_AUTH_LINE_MAX = 12288, /* RFC 4954 4 */
	SMTP_REPLY_LINES_MAX = 100,
	SMTP_REPLY_EHLO_LINES_MAX = 200,
	SMTP_REPLY_BYTES_MAX = 65536,
	SMTP_ENHANCED_MAX = 12 /* "5.999.999" and NUL */
};

struct smtp_reply {
	int code; /* 200..599; 0: none */
	/* "" where none was given or its class is not that of the code (RFC 2034 4) */
	char enhanced[SMTP_ENHANCED_MAX];
	/* All lines joined by blanks, cleaned, without code and that enhanced code. */
	char text[TEXT_REMOTE_MAX + 1];
};

/* The status to report: the enhanced code, or "x.0.0" of the reply's class
 * ("4.0.0" where there is no class to go by: no reply, or 3xx). */
void smtp_reply_status(const struct smtp_reply *r, char out[SMTP_ENHANCED_MAX]);
/* As an assignment, but only as much of the text as there is. */
void smtp_reply_copy(struct smtp_reply *to, const struct smtp_reply *from);
/* 2, 4 or 5 ...: the first digit, by which an unknown code is judged; 0: none. */
int smtp_reply_class(const struct smtp_reply *r);

struct smtp_reply_parser {
	struct buf line; /* the line that is not complete yet */
	struct buf text; /* lines so far, each "text\n", raw */
	int code;        /* of the first line; 0 between replies */
	unsigned lines;
	unsigned max_lines;
	size_t max_line; /* octets, CRLF included */
	bool is_done;    /* a whole reply was returned; the next call starts afresh */
};

enum smtp_parse { SMTP_PARSE_MORE, SMTP_PARSE_REPLY, SMTP_PARSE_ERROR };

void smtp_reply_parser_init(struct smtp_reply_parser *p);
void smtp_reply_parser_clear(struct smtp_reply_parser *p);

/* Takes bytes until one reply is whole; *used_out says how many were taken (the
 * rest belongs to the next reply). After SMTP_PARSE_REPLY out is filled and
 * smtp_reply_parser_lines gives the raw lines until the next call. After an
 * error why names it; the parser is dead. */
enum smtp_parse smtp_reply_feed(struct smtp_reply_parser *p, const char *bytes,
	size_t len, size_t *used_out, struct smtp_reply *out, const char **why_out);
const char *smtp_reply_parser_lines(struct smtp_reply_parser *p); /* "line\nline\n" */
/* Some octets of a reply were taken, but not all of it. */
bool smtp_reply_parser_is_midway(const struct smtp_reply_parser *p);

#endif
