#include "mail/header.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/*
 * Octet by octet. A line is kept as it comes; its colon makes it a field, a blank at
 * its start a part of the field before it. As in content.c a CR ends a line, and the LF
 * behind it is swallowed.
 */

enum { LINE_MAX_OCTETS = 998 }; /* RFC 5322 2.1.1 */

void header_init(struct header *h, size_t max_bytes)
{
	*h = (struct header){ .max_bytes = max_bytes };
}

void header_clear(struct header *h)
{
	buf_clear(&h->text);
	free(h->fields);
	h->fields = NULL;
	h->count = h->cap = 0;
}

static void begin_field(struct header *h)
{
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 16;
		h->fields = xreallocarray(h->fields, h->cap, sizeof(*h->fields));
	}
	h->fields[h->count++] = (struct header_field){
		.start = h->line,
		.name_len = h->name_len,
		.body = buf_len(&h->text),
	};
	h->place = HEADER_IN_BODY;
}

/* The line so far is what the body begins with. */
static void end_header(struct header *h)
{
	h->has_ended = true;
	h->body_start = h->line;
}

static bool may_be_separator(const struct header *h)
{
	const char *s = buf_bytes(&h->text);
	size_t len = buf_len(&h->text), at = 0;
	while (at < len && s[at] == '>')
		at++;
	return !h->count && len - at >= 5 && memcmp(s + at, "From ", 5) == 0;
}

/* With a time of day in it: what looks else as if it came from a mailbox may be the
 * first line of a body that has no header in front of it. */
static bool is_separator(const struct header *h)
{
	const char *s = buf_bytes(&h->text);
	for (size_t i = 1; i + 1 < buf_len(&h->text); i++) {
		if (s[i] == ':' && text_is_digit(s[i - 1]) && text_is_digit(s[i + 1]))
			return true;
	}
	return false;
}

static bool is_name_octet(char c)
{
	unsigned char u = (unsigned char)c;
	return u > 0x20 && u < 0x7f && u != ':';
}

static void take_in_name(struct header *h, char c)
{
	bool is_blank = c == ' ' || c == '\t';
	buf_addc(&h->text, c);
	if (c == ':' && h->name_len) {
		begin_field(h);
	} else if (is_blank && h->name_len) {
		h->place = HEADER_AFTER_NAME; /* obsolete: "Subject : x" */
	} else if (h->place == HEADER_AFTER_NAME && may_be_separator(h)) {
		h->place = HEADER_IN_SEPARATOR;
	} else if (h->place == HEADER_AFTER_NAME || !is_name_octet(c) ||
		   h->name_len == LINE_MAX_OCTETS) {
		end_header(h);
	} else {
		h->name_len++;
	}
}

static void take_octet(struct header *h, char c)
{
	if (h->place == HEADER_AT_START) {
		bool goes_on = (c == ' ' || c == '\t') && h->count;
		h->place = goes_on ? HEADER_IN_BODY : HEADER_IN_NAME;
		h->line = buf_len(&h->text);
		h->name_len = 0;
	}
	if (h->place == HEADER_IN_NAME || h->place == HEADER_AFTER_NAME) {
		take_in_name(h, c);
	} else {
		buf_addc(&h->text, c);
		if (h->place == HEADER_IN_SEPARATOR &&
			buf_len(&h->text) > LINE_MAX_OCTETS)
			end_header(h);
	}
}

static void take_line_end(struct header *h)
{
	switch (h->place) {
	case HEADER_AT_START:
		h->line = buf_len(&h->text);
		end_header(h);
		break;
	case HEADER_IN_SEPARATOR:
		if (is_separator(h)) {
			buf_reset(&h->text);
			break;
		}
		__attribute__((fallthrough));
	case HEADER_IN_NAME:
	case HEADER_AFTER_NAME:
		buf_add(&h->text, "\r\n", 2);
		end_header(h);
		break;
	case HEADER_IN_BODY:
		buf_add(&h->text, "\r\n", 2);
		h->fields[h->count - 1].end = buf_len(&h->text);
		break;
	}
	h->place = HEADER_AT_START;
}

int header_feed(
	struct header *h, const char *bytes, size_t len, size_t *used_out, struct err *e)
{
	size_t i = 0;
	for (; i < len; i++) {
		bool is_swallowed = bytes[i] == '\n' && h->last_was_cr;
		if (h->has_ended && !is_swallowed)
			break;
		h->last_was_cr = bytes[i] == '\r';
		if (is_swallowed)
			continue;
		if (bytes[i] == '\r' || bytes[i] == '\n')
			take_line_end(h);
		else
			take_octet(h, bytes[i]);
		if (!h->has_ended && buf_len(&h->text) > h->max_bytes)
			return err_set(e, ERR_LIMIT,
				"header of the message is over %zu octets, the most that "
				"is taken; is there an empty line between it and the "
				"body?",
				h->max_bytes);
	}
	*used_out = i;
	/* Behind a CR an LF may come yet. */
	return h->has_ended && (i < len || !h->last_was_cr);
}

void header_end(struct header *h)
{
	if (h->has_ended)
		return;
	if (h->place == HEADER_IN_BODY)
		take_line_end(h);
	else if (h->place == HEADER_IN_SEPARATOR && is_separator(h))
		buf_reset(&h->text);
	if (h->place == HEADER_AT_START)
		h->line = buf_len(&h->text);
	end_header(h);
}

const char *header_field_text(const struct header *h, size_t index, size_t *len_out)
{
	const struct header_field *f = &h->fields[index];
	*len_out = f->end - f->start;
	return buf_bytes(&h->text) + f->start;
}

const char *header_field_body(const struct header *h, size_t index, size_t *len_out)
{
	const struct header_field *f = &h->fields[index];
	*len_out = f->end - f->body;
	return buf_bytes(&h->text) + f->body;
}

bool header_field_is(const struct header *h, size_t index, const char *name)
{
	const struct header_field *f = &h->fields[index];
	const char *s = buf_bytes(&h->text) + f->start;
	return strlen(name) == f->name_len && text_has_prefix(s, f->name_len, name);
}

const char *header_body_begin(const struct header *h, size_t *len_out)
{
	*len_out = buf_len(&h->text) - h->body_start;
	return buf_bytes(&h->text) + h->body_start;
}

bool header_has(const struct header *h, const char *name)
{
	for (size_t i = 0; i < h->count; i++) {
		if (header_field_is(h, i, name))
			return true;
	}
	return false;
}
