/*
 * Content on its way in and out. All are incremental: bytes in, bytes out,
 * a few octets of state, any split of the input gives the same output.
 *
 * In (content_intake): bare LF and bare CR become CRLF, a missing last line
 * end is added, NUL is refused; size, 8-bit, header facts and the number of
 * Received fields (RFC 5321 6.3) are noted. What is stored has CRLF line ends.
 * The header ends at an empty line or at the first line that is no field.
 *
 * Out (content_dotstuff): dot-stuffing of stored content, RFC 5321 4.5.2, and
 * the fold of lines over 998 octets (RFC 5322 2.1.1) with "\r\n ", never inside
 * a UTF-8 sequence. Should a bare CR or LF be in what was stored, it leaves as
 * CRLF all the same. The end-of-data dot is not written here. For BDAT (RFC 3030)
 * there is the same without the dots.
 */
#ifndef MAIL_CONTENT_H
#define MAIL_CONTENT_H

#include "base/buf.h"
#include "base/err.h"
#include "mail/envelope.h"

enum { CONTENT_LINE_MAX = 998 }; /* octets without CRLF */

struct content_intake {
	struct mail_content content; /* what is known so far */
	unsigned received_count;
	bool has_from, has_date, has_message_id; /* RFC 5322 3.6 */
	bool is_binary;     /* a NUL was seen: content_intake_feed failed */
	uint64_t max_bytes; /* 0: no limit */
	/* private */
	bool last_was_cr, in_header, at_line_start;
	bool saw_field;      /* the line before this one was part of a field */
	bool in_field_name;  /* no colon in this line yet */
	bool name_has_ended; /* a blank between name and colon */
	char field[24];      /* the name, cut */
	size_t field_len;
};
void content_intake_init(struct content_intake *c, uint64_t max_bytes);
/* Appends the normalized bytes to out. ERR_INVALID (NUL), ERR_LIMIT (too big). */
int content_intake_feed(struct content_intake *c, const char *bytes, size_t len,
	struct buf *out, struct err *e);
int content_intake_end(struct content_intake *c, struct buf *out, struct err *e);

struct content_dotstuff {
	bool keeps_dots; /* as they are: nothing is stuffed */
	bool at_line_start;
	bool last_was_cr;
	size_t line_len;
};
void content_dotstuff_init(struct content_dotstuff *c);
void content_unstuffed_init(struct content_dotstuff *c);
void content_dotstuff_feed(
	struct content_dotstuff *c, const char *bytes, size_t len, struct buf *out);
/* Whole content that leaves as it is where no dots are stuffed: by far the most. */
bool content_needs_nothing(const char *bytes, size_t len);
/* Ends the last line if the content did not. */
void content_dotstuff_end(struct content_dotstuff *c, struct buf *out);

#endif
