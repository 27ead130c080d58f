#include "smtp/reply.h"

#include <stdio.h>
#include <string.h>

enum { CODE_DIGITS = 3, CODE_MIN = 200, CODE_MAX = 599 };

int smtp_reply_class(const struct smtp_reply *r)
{
	return r->code / 100;
}

void smtp_reply_copy(struct smtp_reply *to, const struct smtp_reply *from)
{
	to->code = from->code;
	memcpy(to->enhanced, from->enhanced, sizeof(to->enhanced));
	memcpy(to->text, from->text, strlen(from->text) + 1);
}

void smtp_reply_status(const struct smtp_reply *r, char out[SMTP_ENHANCED_MAX])
{
	int class = smtp_reply_class(r);
	if (r->enhanced[0])
		snprintf(out, SMTP_ENHANCED_MAX, "%s", r->enhanced);
	else
		snprintf(out, SMTP_ENHANCED_MAX, "%d.0.0",
			class == 2 || class == 5 ? class : 4);
}

void smtp_reply_parser_init(struct smtp_reply_parser *p)
{
	*p = (struct smtp_reply_parser){ .max_lines = SMTP_REPLY_LINES_MAX,
		.max_line = SMTP_REPLY_LINE_MAX };
}

void smtp_reply_parser_clear(struct smtp_reply_parser *p)
{
	buf_clear(&p->line);
	buf_clear(&p->text);
}

const char *smtp_reply_parser_lines(struct smtp_reply_parser *p)
{
	return buf_text(&p->text);
}

bool smtp_reply_parser_is_midway(const struct smtp_reply_parser *p)
{
	return buf_len(&p->line) || (p->code && !p->is_done);
}

static size_t digits(const char *s, size_t len, size_t most)
{
	size_t n = 0;
	while (n < len && n < most && text_is_digit(s[n]))
		n++;
	return n;
}

/* Octets of "5.1.1" at s, or 0; what follows it is a blank or the end. */
static size_t enhanced_len(const char *s, size_t len)
{
	if (len < 5 || !strchr("245", s[0]) || s[1] != '.')
		return 0;
	size_t subject = digits(s + 2, len - 2, 3);
	size_t at = 2 + subject;
	if (!subject || at >= len || s[at] != '.')
		return 0;
	at++;
	size_t detail = digits(s + at, len - at, 3);
	at += detail;
	return detail && (at == len || s[at] == ' ') ? at : 0;
}

/* Joins the lines into out->text; the enhanced code of the first line is
 * taken out of it, and out of every further line that repeats it. */
static void fill(struct smtp_reply_parser *p, struct smtp_reply *out)
{
	const char *s = buf_bytes(&p->text), *end = s + buf_len(&p->text);
	size_t at = 0;
	out->code = p->code;
	out->enhanced[0] = out->text[0] = '\0';
	for (bool is_first = true; s < end; is_first = false) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)(eol - s);
		size_t code_len = enhanced_len(s, len);
		bool fits = code_len && s[0] - '0' == smtp_reply_class(out);
		if (fits && is_first) {
			memcpy(out->enhanced, s, code_len);
			out->enhanced[code_len] = '\0';
		}
		if (fits && strlen(out->enhanced) == code_len &&
			memcmp(out->enhanced, s, code_len) == 0) {
			size_t skip = code_len < len ? code_len + 1 : code_len;
			s += skip;
			len -= skip;
		}
		if (at && at + 1 < sizeof(out->text))
			out->text[at++] = ' ';
		at += text_clean(s, len, out->text + at, sizeof(out->text) - at);
		s = eol + 1;
	}
}

static const char *check_line(
	const struct smtp_reply_parser *p, const char *s, size_t len, int *code_out)
{
	if (digits(s, len, CODE_DIGITS) < CODE_DIGITS)
		return "line does not begin with a reply code";
	if (len > CODE_DIGITS && s[CODE_DIGITS] != ' ' && s[CODE_DIGITS] != '-')
		return "reply code is not followed by a blank or a hyphen";
	*code_out = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	if (*code_out < CODE_MIN || *code_out > CODE_MAX)
		return "reply code is out of range";
	if (p->code && *code_out != p->code)
		return "lines of one reply have different codes";
	if (p->lines >= p->max_lines)
		return "reply has too many lines";
	return NULL;
}

/* A NUL would hide the rest of the line from whoever reads the lines. */
static void keep_text(struct smtp_reply_parser *p, const char *s, size_t len)
{
	char *to = buf_reserve(&p->text, len + 1);
	for (size_t i = 0; i < len; i++)
		to[i] = s[i] ? s[i] : '?';
	to[len] = '\n';
	buf_commit(&p->text, len + 1);
}

static enum smtp_parse take_line(
	struct smtp_reply_parser *p, struct smtp_reply *out, const char **why_out)
{
	const char *s = buf_bytes(&p->line);
	size_t len = buf_len(&p->line) - 1; /* without the LF */
	int code;
	if (len && s[len - 1] == '\r')
		len--;
	*why_out = check_line(p, s, len, &code);
	if (*why_out)
		return SMTP_PARSE_ERROR;
	size_t skip = len > CODE_DIGITS ? CODE_DIGITS + 1 : CODE_DIGITS;
	bool is_last = len == CODE_DIGITS || s[CODE_DIGITS] == ' ';
	if (buf_len(&p->text) + len - skip + 1 > SMTP_REPLY_BYTES_MAX) {
		*why_out = "reply is too long";
		return SMTP_PARSE_ERROR;
	}
	p->code = code;
	p->lines++;
	keep_text(p, s + skip, len - skip);
	buf_reset(&p->line);
	if (!is_last)
		return SMTP_PARSE_MORE;
	fill(p, out);
	p->is_done = true;
	return SMTP_PARSE_REPLY;
}

static void start_afresh(struct smtp_reply_parser *p)
{
	buf_reset(&p->line);
	buf_reset(&p->text);
	p->code = 0;
	p->lines = 0;
	p->is_done = false;
}

enum smtp_parse smtp_reply_feed(struct smtp_reply_parser *p, const char *bytes,
	size_t len, size_t *used_out, struct smtp_reply *out, const char **why_out)
{
	enum smtp_parse result = SMTP_PARSE_MORE;
	size_t at = 0;
	*why_out = NULL;
	if (p->is_done)
		start_afresh(p);
	while (at < len && result == SMTP_PARSE_MORE) {
		const char *lf = memchr(bytes + at, '\n', len - at);
		size_t n = lf ? (size_t)(lf - bytes) + 1 - at : len - at;
		if (buf_len(&p->line) + n > p->max_line) {
			*why_out = "reply line is too long";
			result = SMTP_PARSE_ERROR;
			break;
		}
		buf_add(&p->line, bytes + at, n);
		at += n;
		if (lf)
			result = take_line(p, out, why_out);
	}
	*used_out = at;
	return result;
}
