#include "sendmail/complete.h"

#include "base/base64.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	NAME_MAX_OCTETS = 200,
	WORD_OCTETS = 45, /* 60 of base64, and 12 around them: 75 are allowed */
};

bool complete_is_resent(const struct header *h)
{
	for (size_t i = 0; i < h->count; i++) {
		size_t len;
		const char *text = header_field_text(h, i, &len);
		if (text_has_prefix(text, len, "Resent-"))
			return true;
	}
	return false;
}

/* RFC 2047 2: each word whole characters, a line each. */
static void add_encoded_words(const char *name, size_t len, struct buf *out)
{
	for (size_t at = 0; at < len;) {
		size_t end = at, n;
		while (end < len && (n = text_utf8_len(name + end, len - end)) != 0 &&
			end + n - at <= WORD_OCTETS)
			end += n;
		buf_addf(out, "%s=?UTF-8?B?", at ? "\r\n " : "");
		base64_encode(name + at, end - at, out);
		buf_addstr(out, "?=");
		at = end;
	}
}

static void add_quoted(const char *name, struct buf *out)
{
	buf_addc(out, '"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *name);
	}
	buf_addc(out, '"');
}

void complete_add_name(const char *name, struct buf *out)
{
	char clean[NAME_MAX_OCTETS + 1]; /* nothing in it ends a line, and it is UTF-8 */
	size_t len = text_clean(name, strlen(name), clean, sizeof(clean));
	if (!text_is_ascii(clean, len))
		add_encoded_words(clean, len, out);
	/* What looks like an encoded word would be read as one. */
	else if (strpbrk(clean, "()<>[]:;@\\,.\"") || strstr(clean, "=?"))
		add_quoted(clean, out);
	else
		buf_add(out, clean, len);
}

static void add_from(const char *prefix, const struct complete_facts *f, struct buf *out)
{
	buf_addf(out, "%sFrom: ", prefix);
	if (*f->full_name) {
		complete_add_name(f->full_name, out);
		buf_addstr(out, " <");
	}
	if (*f->sender)
		buf_addstr(out, f->sender);
	else
		buf_addf(out, "MAILER-DAEMON@%s", f->hostname);
	buf_addstr(out, *f->full_name ? ">\r\n" : "\r\n");
}

static bool lacks(const struct header *h, const char *prefix, const char *name)
{
	char full[32];
	snprintf(full, sizeof(full), "%s%s", prefix, name);
	return !header_has(h, full);
}

static void add_missing(
	const struct header *h, const struct complete_facts *f, struct buf *out)
{
	const char *prefix = complete_is_resent(h) ? "Resent-" : "";
	if (lacks(h, prefix, "Date")) {
		char date[TIMEFMT_MAX];
		timefmt_rfc5322(f->now_ms, date);
		buf_addf(out, "%sDate: %s\r\n", prefix, date);
	}
	if (lacks(h, prefix, "From"))
		add_from(prefix, f, out);
	if (lacks(h, prefix, "Message-ID"))
		buf_addf(out, "%sMessage-ID: <%" PRIx64 ".%016" PRIx64 "@%s>\r\n", prefix,
			(uint64_t)f->now_ms, f->unique, f->hostname);
}

void complete_header(
	const struct header *h, const struct complete_facts *facts, struct buf *out)
{
	size_t len;
	if (facts->adds_fields)
		add_missing(h, facts, out);
	for (size_t i = 0; i < h->count; i++) {
		const char *text = header_field_text(h, i, &len);
		if (facts->keeps_bcc || !(header_field_is(h, i, "Bcc") ||
						header_field_is(h, i, "Resent-Bcc")))
			buf_add(out, text, len);
	}
	buf_add(out, "\r\n", 2);
	const char *begin = header_body_begin(h, &len);
	buf_add(out, begin, len);
}
