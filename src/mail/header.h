/*
 * The header of a message, held back until it has ended: for who has to look at all of
 * its fields before the first of them can go on.
 *
 * Takes it in pieces of any size, with any line ends, which become CRLF. The header
 * ends at an empty line, or at the first line that is no field, as for content.h; that
 * line is then what the body begins with. Lines of a mailbox file in front of the first
 * field ("From joe Sat Nov 21 20:43:00 2026", with any number of '>') are left out.
 *
 * Pure. Memory: the header itself, up to a limit, and a few words a field.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct header_field {
	size_t start, name_len, body, end; /* offsets; body is behind the colon */
};

struct header {
	size_t max_bytes;
	struct buf text; /* the fields; then what the body begins with */
	struct header_field *fields;
	size_t count, cap;
	bool has_ended;
	size_t body_start; /* offset; known once it has ended */
	/* private */
	enum header_place {
		HEADER_AT_START, /* of a line */
		HEADER_IN_NAME,
		HEADER_AFTER_NAME, /* blanks before the colon */
		HEADER_IN_BODY,
		HEADER_IN_SEPARATOR /* it may be a line of a mailbox file */
	} place;
	size_t line; /* where it begins */
	size_t name_len;
	bool last_was_cr;
};
void header_init(struct header *h, size_t max_bytes);
void header_clear(struct header *h);

/* 1: the header has ended; what is left of bytes, from *used_out on, belongs to the
 * body, behind header_body_begin. 0: all was used, and more is needed. ERR_LIMIT: the
 * header is over its limit. */
int header_feed(
	struct header *h, const char *bytes, size_t len, size_t *used_out, struct err *e);
void header_end(struct header *h); /* the message ends here */

/* Once it has ended. A field with its name, folds and last CRLF; what stands behind its
 * colon; the octets that the body begins with, often none. All point into h. */
const char *header_field_text(const struct header *h, size_t index, size_t *len_out);
const char *header_field_body(const struct header *h, size_t index, size_t *len_out);
bool header_field_is(const struct header *h, size_t index, const char *name);
const char *header_body_begin(const struct header *h, size_t *len_out);
bool header_has(const struct header *h, const char *name);

#endif
