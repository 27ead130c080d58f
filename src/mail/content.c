#include "mail/content.h"

#include "base/text.h"

#include <string.h>

/*
 * Both directions see a line end at a CR, whatever follows, and swallow the LF
 * behind it. One rule, one bit of state, no look-ahead: that is what makes the
 * output independent of how the input was cut.
 */

void content_intake_init(struct content_intake *c, uint64_t max_bytes)
{
	*c = (struct content_intake){
		.max_bytes = max_bytes,
		.in_header = true,
		.at_line_start = true,
		.in_field_name = true,
	};
}

static void note_field(struct content_intake *c)
{
	c->field[c->field_len] = '\0';
	if (text_equal(c->field, "Received"))
		c->received_count++;
	else if (text_equal(c->field, "From"))
		c->has_from = true;
	else if (text_equal(c->field, "Date"))
		c->has_date = true;
	else if (text_equal(c->field, "Message-ID"))
		c->has_message_id = true;
}

static bool is_name_octet(char octet)
{
	unsigned char u = (unsigned char)octet;
	return u > 0x20 && u < 0x7f && u != ':';
}

/* One octet of a field name. A line that is no field ends the header, as it
 * does for the mail readers that will see it. */
static void scan_name_octet(struct content_intake *c, char octet)
{
	bool is_blank = octet == ' ' || octet == '\t';
	if (octet == ':' && c->field_len) {
		note_field(c);
		c->in_field_name = false;
	} else if (is_blank && c->at_line_start && c->saw_field) {
		c->in_field_name = false; /* a continuation line */
	} else if (is_blank && c->field_len) {
		c->name_has_ended = true; /* obsolete: "Subject : x" */
	} else if (c->name_has_ended || !is_name_octet(octet)) {
		c->in_header = false;
	} else if (c->field_len < sizeof(c->field) - 1) {
		c->field[c->field_len++] = octet;
	}
}

/* octets of one line, without its end */
static void scan_header(struct content_intake *c, const char *s, size_t len)
{
	for (size_t i = 0; i < len && c->in_header; i++) {
		if (c->in_field_name) {
			scan_name_octet(c, s[i]);
			c->at_line_start = false;
		} else if ((unsigned char)s[i] >= 0x80) {
			c->content.needs_smtputf8 = true;
		}
	}
}

static void scan_line_end(struct content_intake *c)
{
	/* An empty line, or a name without its colon. */
	if (c->in_header && c->in_field_name)
		c->in_header = false;
	c->saw_field = c->in_header;
	c->field_len = 0;
	c->in_field_name = true;
	c->name_has_ended = false;
	c->at_line_start = true;
}

static int store(struct content_intake *c, const char *s, size_t len, struct buf *out,
	struct err *e)
{
	c->content.size_bytes += len;
	if (c->max_bytes && c->content.size_bytes > c->max_bytes)
		return err_set(e, ERR_LIMIT, "message is larger than %llu octets",
			(unsigned long long)c->max_bytes);
	buf_add(out, s, len);
	return ERR_OK;
}

static int take_line_end(struct content_intake *c, struct buf *out, struct err *e)
{
	scan_line_end(c);
	return store(c, "\r\n", 2, out, e);
}

static size_t plain_run(const char *s, size_t len)
{
	size_t i = 0;
	while (i < len && s[i] != '\r' && s[i] != '\n' && s[i] != '\0')
		i++;
	return i;
}

static int take_run(struct content_intake *c, const char *s, size_t len, struct buf *out,
	struct err *e)
{
	if (!c->content.is_8bit && !text_is_ascii(s, len))
		c->content.is_8bit = true;
	if (c->in_header)
		scan_header(c, s, len);
	c->at_line_start = false;
	return store(c, s, len, out, e);
}

int content_intake_feed(struct content_intake *c, const char *bytes, size_t len,
	struct buf *out, struct err *e)
{
	int rc = ERR_OK;
	for (size_t i = 0; i < len && !rc;) {
		size_t run = plain_run(bytes + i, len - i);
		if (run) {
			rc = take_run(c, bytes + i, run, out, e);
			c->last_was_cr = false;
			i += run;
			continue;
		}
		if (bytes[i] == '\0') {
			c->is_binary = true;
			return err_set(e, ERR_INVALID, "message contains a NUL octet");
		}
		if (bytes[i] == '\r' || !c->last_was_cr)
			rc = take_line_end(c, out, e);
		c->last_was_cr = bytes[i] == '\r';
		i++;
	}
	return rc;
}

int content_intake_end(struct content_intake *c, struct buf *out, struct err *e)
{
	return c->at_line_start ? ERR_OK : take_line_end(c, out, e);
}

void content_dotstuff_init(struct content_dotstuff *c)
{
	*c = (struct content_dotstuff){ .at_line_start = true };
}

void content_unstuffed_init(struct content_dotstuff *c)
{
	*c = (struct content_dotstuff){ .at_line_start = true, .keeps_dots = true };
}

/* Octets that must stay together from here on: the length that a UTF-8 lead
 * octet announces, else 1. A continuation octet counts 1: in a well-formed
 * sequence there is room for it, since its lead octet asked for that. */
static size_t unit_len(char octet)
{
	unsigned char u = (unsigned char)octet;
	if (u < 0xc2 || u > 0xf4)
		return 1;
	return u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

/* How many octets from s fit into the current line; 0: fold first. */
static size_t fitting_run(const struct content_dotstuff *c, const char *s, size_t len)
{
	size_t i = 0;
	while (i < len && s[i] != '\r' && s[i] != '\n' &&
		c->line_len + i + unit_len(s[i]) <= CONTENT_LINE_MAX)
		i++;
	return i;
}

static void end_line(struct content_dotstuff *c, struct buf *out)
{
	buf_add(out, "\r\n", 2);
	c->at_line_start = true;
	c->line_len = 0;
}

/* Octets of a line that needs nothing, with its CRLF; 0: it has to be looked at. A
 * line so long that a character at its end might not fit counts as such. */
static size_t plain_line(const char *s, size_t len)
{
	size_t most = CONTENT_LINE_MAX - 4;
	const char *cr = memchr(s, '\r', len < most ? len : most);
	size_t end = cr ? (size_t)(cr - s) : 0;
	if (!cr || end + 1 == len || cr[1] != '\n' || memchr(s, '\n', end))
		return 0;
	return end + 2;
}

bool content_needs_nothing(const char *bytes, size_t len)
{
	size_t at = 0, line;
	while (at < len && (line = plain_line(bytes + at, len - at)) != 0)
		at += line;
	return at == len;
}

/* Nearly all content is lines that leave as they came: copied in one go, or from
 * dot to dot. Returns the octets used. */
static size_t take_plain_lines(
	struct content_dotstuff *c, const char *s, size_t len, struct buf *out)
{
	size_t at = 0, copied = 0, line;
	while ((line = plain_line(s + at, len - at)) != 0) {
		if (s[at] == '.' && !c->keeps_dots) {
			buf_add(out, s + copied, at - copied);
			buf_addc(out, '.');
			copied = at;
		}
		at += line;
	}
	buf_add(out, s + copied, at - copied);
	return at;
}

/* One line end, a part of a line, or a fold. */
static size_t take_octets(
	struct content_dotstuff *c, const char *s, size_t len, struct buf *out)
{
	bool is_swallowed = *s == '\n' && c->last_was_cr;
	c->last_was_cr = *s == '\r';
	if (is_swallowed)
		return 1;
	if (*s == '\r' || *s == '\n') {
		end_line(c, out);
		return 1;
	}
	size_t run = fitting_run(c, s, len);
	if (!run) {
		/* The blank keeps a dot from beginning the line. */
		buf_add(out, "\r\n ", 3);
		c->line_len = 1;
		return 0;
	}
	if (c->at_line_start && *s == '.' && !c->keeps_dots)
		buf_addc(out, '.'); /* not counted: RFC 5321 4.5.3.1.6 */
	buf_add(out, s, run);
	c->line_len += run;
	c->at_line_start = false;
	return run;
}

void content_dotstuff_feed(
	struct content_dotstuff *c, const char *bytes, size_t len, struct buf *out)
{
	size_t at = 0;
	if (len)
		buf_reserve(out, len); /* and then as it comes */
	while (at < len) {
		if (c->at_line_start && !(c->last_was_cr && bytes[at] == '\n')) {
			size_t plain = take_plain_lines(c, bytes + at, len - at, out);
			if (plain)
				c->last_was_cr = false;
			at += plain;
		}
		if (at < len)
			at += take_octets(c, bytes + at, len - at, out);
	}
}

void content_dotstuff_end(struct content_dotstuff *c, struct buf *out)
{
	if (!c->at_line_start)
		end_line(c, out);
}
