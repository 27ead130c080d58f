#include "policy/route_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- errors --- */

bool route_fail(struct route_parser *p, const char *fmt, ...)
{
	char text[POLICY_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	policy_text(p->why, POLICY_TEXT_MAX, "%s", text);
	return false;
}

/* "WORD: text", the word cut where it is long. */
bool route_fail_word(struct route_parser *p, struct route_word w, const char *text)
{
	char shown[ROUTE_SHOWN_MAX];
	policy_text(shown, sizeof(shown), "%.*s", (int)w.len, w.s);
	return route_fail(p, "%s: %s", shown, text);
}

bool route_check_characters(struct route_parser *p)
{
	for (size_t n; p->at < p->end; p->at += n) {
		unsigned char c = (unsigned char)*p->at;
		n = policy_utf8_len(p->at, (size_t)(p->end - p->at));
		if (n == 0)
			return route_fail(p, "invalid UTF-8");
		if ((c < 0x20 && c != '\t') || c == 0x7f ||
			(c == 0xc2 && (unsigned char)p->at[1] < 0xa0))
			return route_fail(p, "a control character in the line");
		if (c == '#') /* in a file it never comes here */
			return route_fail(p, "a \"#\" begins a comment");
	}
	return true;
}

/* --- words --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void route_skip_blanks(struct route_parser *p)
{
	while (p->at < p->end && is_blank(*p->at))
		p->at++;
}

struct route_word route_next_word(struct route_parser *p, bool ends_at_comma)
{
	struct route_word w = { p->at, 0 };
	while (p->at < p->end && !is_blank(*p->at) && !(ends_at_comma && *p->at == ','))
		p->at++;
	w.len = (size_t)(p->at - w.s);
	return w;
}

bool route_word_begins(struct route_word w, const char *prefix)
{
	size_t n = strlen(prefix);
	return w.len >= n && policy_equal_nocase(w.s, prefix, n);
}

struct route_word route_word_after(struct route_word w, size_t n)
{
	return (struct route_word){ w.s + n, w.len - n };
}

bool route_word_is(struct route_word w, const char *s)
{
	return w.len == strlen(s) && memcmp(w.s, s, w.len) == 0;
}

const char *route_keep(struct route_parser *p, struct route_word w)
{
	return policy_arena_strndup(p->arena, w.s, w.len);
}

const char *route_keep_string(struct route_parser *p, const char *s)
{
	return policy_arena_strndup(p->arena, s, strlen(s));
}

bool route_word_string(struct route_word w, char *out, size_t out_size)
{
	if (w.len >= out_size)
		return false;
	memcpy(out, w.s, w.len);
	out[w.len] = '\0';
	return true;
}
