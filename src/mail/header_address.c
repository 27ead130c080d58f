#include "mail/header_address.h"

#include "base/text.h"

#include <string.h>

/*
 * What stands between two commas is read as a run of words, dots and @. What follows
 * the run tells what it was: '<' makes it a display name, ':' the name of a group,
 * anything else an address.
 */
struct run {
	char text[ADDRESS_MAX + 1]; /* without blanks and comments */
	size_t len;                 /* may be more than fits */
	bool after_word;
	bool has_gap; /* two words side by side: no address */
	bool has_at;
};

enum { SHOWN_MAX = 60 }; /* octets of the text that an error repeats */

void header_address_list_init(struct header_address_list *l, const char *s, size_t len)
{
	*l = (struct header_address_list){ .s = s, .len = len };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* '\0' at the end: a NUL in the field ends it, as it would any text. */
static char peek(const struct header_address_list *l)
{
	return l->at < l->len ? l->s[l->at] : '\0';
}

/* Shows the element that begins at start, which may well be the rest of the field. */
static int complain(
	const struct header_address_list *l, size_t start, const char *why, struct err *e)
{
	char shown[SHOWN_MAX + 1];
	const char *s = l->s + start;
	size_t len = text_clean(s, l->len - start, shown, sizeof(shown));
	while (len && shown[len - 1] == ' ')
		shown[--len] = '\0';
	return err_set(e, ERR_INVALID, "\"%s%s\": %s", shown,
		l->len - start > SHOWN_MAX ? "..." : "", why);
}

static int skip_comment(struct header_address_list *l, struct err *e)
{
	size_t start = l->at, depth = 0;
	for (; l->at < l->len; l->at++) {
		char c = l->s[l->at];
		if (c == '\\')
			l->at++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			l->at++;
			return ERR_OK;
		}
	}
	return complain(l, start, "comment without its ')'", e);
}

/* White space, folds and comments. */
static int skip_blanks(struct header_address_list *l, struct err *e)
{
	int rc = ERR_OK;
	while (rc == ERR_OK) {
		while (is_blank(peek(l)))
			l->at++;
		if (peek(l) != '(')
			break;
		rc = skip_comment(l, e);
	}
	return rc;
}

static void add(struct run *r, char c)
{
	if (r->len < ADDRESS_MAX)
		r->text[r->len] = c;
	r->len++;
}

static void begin_word(struct run *r)
{
	r->has_gap = r->has_gap || r->after_word;
	r->after_word = true;
}

/* A quoted string or an address literal, with its first and last octet. Folds go;
 * blanks count in a quoted string only. */
static int take_enclosed(struct header_address_list *l, char end, struct run *r,
	const char *why, struct err *e)
{
	size_t start = l->at;
	begin_word(r);
	add(r, l->s[l->at++]);
	while (peek(l) != end) {
		char c = peek(l);
		if (l->at + (c == '\\') >= l->len || !c)
			return complain(l, start, why, e);
		bool counts = end == '"' ? c != '\r' && c != '\n' : !is_blank(c);
		if (counts)
			add(r, c);
		l->at++;
		if (c == '\\')
			add(r, l->s[l->at++]);
	}
	l->at++;
	add(r, end);
	return ERR_OK;
}

static void take_atom(struct header_address_list *l, struct run *r)
{
	begin_word(r);
	while (peek(l) && !is_blank(peek(l)) && !strchr("()<>[]:;@\\,.\"", peek(l)))
		add(r, l->s[l->at++]);
}

/* Reads up to one of <>:;, or the end, which is left to the caller. */
static int take_run(struct header_address_list *l, struct run *r, struct err *e)
{
	int rc = ERR_OK;
	while (rc == ERR_OK && (rc = skip_blanks(l, e)) == ERR_OK) {
		char c = peek(l);
		if (!c || strchr("<>:;,", c)) {
			r->text[r->len < ADDRESS_MAX ? r->len : ADDRESS_MAX] = '\0';
			return ERR_OK;
		}
		if (c == '"') {
			rc = take_enclosed(l, '"', r, "quote that does not end", e);
		} else if (c == '[') {
			rc = take_enclosed(l, ']', r, "'[' without its ']'", e);
		} else if (c == '.' || c == '@') {
			r->has_at = r->has_at || c == '@';
			r->after_word = false;
			add(r, c);
			l->at++;
		} else if (c == ')' || c == ']' || c == '\\') {
			rc = complain(l, l->at,
				"a ')', ']' or '\\' may only stand in quotes", e);
		} else {
			take_atom(l, r);
		}
	}
	return rc;
}

static int finish(const struct header_address_list *l, size_t start, const struct run *r,
	char *out, struct err *e)
{
	if (!r->len)
		return complain(l, start, "address is empty", e);
	if (r->has_gap)
		return complain(l, start,
			"words side by side are no address; is there a comma missing, or "
			"a <> around the address?",
			e);
	if (r->len > ADDRESS_MAX)
		return complain(l, start, "address is too long", e);
	memcpy(out, r->text, r->len + 1);
	return 1;
}

/* RFC 5322 4.4: "<@a,@b:user@c>". Nobody routes by it any more. */
static int skip_route(struct header_address_list *l, size_t start, struct err *e)
{
	while (peek(l) == '@' || peek(l) == ',') {
		struct run host = { .len = 0 };
		if (peek(l) == ',')
			l->at++;
		int rc = take_run(l, &host, e);
		if (rc != ERR_OK)
			return rc;
	}
	if (peek(l) != ':')
		return complain(l, start, "source route without its ':'", e);
	l->at++;
	return ERR_OK;
}

/* From '<' to behind '>'; the element begins at start. */
static int take_angle(
	struct header_address_list *l, size_t start, char *out, struct err *e)
{
	struct run r = { .len = 0 };
	l->at++;
	int rc = skip_blanks(l, e);
	if (rc == ERR_OK && peek(l) == '@')
		rc = skip_route(l, start, e);
	if (rc == ERR_OK)
		rc = take_run(l, &r, e);
	if (rc != ERR_OK)
		return rc;
	if (peek(l) != '>')
		return complain(l, start, "'<' without its '>'", e);
	l->at++;
	rc = skip_blanks(l, e);
	if (rc != ERR_OK)
		return rc;
	if (peek(l) && peek(l) != ',' && peek(l) != ';')
		return complain(
			l, start, "text after the '>'; is there a comma missing?", e);
	return finish(l, start, &r, out, e);
}

/* 0: it was the name of a group. */
static int take_element(struct header_address_list *l, char *out, struct err *e)
{
	struct run r = { .len = 0 };
	size_t start = l->at;
	int rc = take_run(l, &r, e);
	if (rc != ERR_OK)
		return rc;
	if (peek(l) == '<')
		return take_angle(l, start, out, e);
	if (peek(l) == '>')
		return complain(l, start, "'>' without its '<'", e);
	if (peek(l) != ':')
		return finish(l, start, &r, out, e);
	if (l->in_group || r.has_at || !r.len)
		return complain(l, start, "a ':' may only stand after a group's name", e);
	l->at++;
	l->in_group = true;
	return 0;
}

int header_address_next(
	struct header_address_list *l, char out[ADDRESS_MAX + 1], struct err *e)
{
	int rc = ERR_OK;
	while (rc == ERR_OK && (rc = skip_blanks(l, e)) == ERR_OK) {
		char c = peek(l);
		if (!c)
			return 0;
		if (c == ',' || c == ';') {
			l->in_group = l->in_group && c == ',';
			l->at++;
		} else {
			rc = take_element(l, out, e);
		}
	}
	return rc;
}
