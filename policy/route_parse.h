/*
 * Reading the text of a route: what the parsers of its targets and options share.
 * Not for users outside of policy/.
 */
#ifndef POLICY_ROUTE_PARSE_H
#define POLICY_ROUTE_PARSE_H

#include "policy/route.h"
#include "policy/util.h"

/* A piece of the line: not terminated, valid UTF-8 without control characters. */
struct route_word {
	const char *s;
	size_t len;
};

struct route_parser {
	const char *at, *end; /* what is still to be read */
	struct policy_arena *arena;
	struct policy_route *route; /* what it comes to; relays points to those below */
	struct policy_relay relays[POLICY_RELAYS_MAX];
	unsigned seen; /* options, as bits */
	char *why;
};

/* Targets and options, for route_read.c. Both read on at p->at; false: why is filled. The
 * targets leave the options, and the options leave nothing. */
bool route_parse_targets(struct route_parser *p);
bool route_parse_options(struct route_parser *p);

/* The targets there are, for an error. */
#define ROUTE_TARGETS                                            \
	"mx:, mx:DOMAIN, smtp://HOST:PORT, smtp://[HOST]:PORT, " \
	"smtps://[HOST]:PORT, lmtp:/PATH, discard and error:TEXT"

enum { ROUTE_SHOWN_MAX = 100 }; /* octets of the line in an error */

/* These return false, always. */
bool route_fail(struct route_parser *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool route_fail_word(struct route_parser *p, struct route_word w, const char *text);

/* false: the line has a control character or is no UTF-8; why is filled. */
bool route_check_characters(struct route_parser *p);

void route_skip_blanks(struct route_parser *p);
/* Up to a blank or, in the list of targets, a comma. */
struct route_word route_next_word(struct route_parser *p, bool ends_at_comma);
bool route_word_begins(struct route_word w, const char *prefix); /* in any case */
bool route_word_is(struct route_word w, const char *s);
struct route_word route_word_after(struct route_word w, size_t n);
/* false: it does not fit. */
bool route_word_string(struct route_word w, char *out, size_t out_size);
/* Copies in the arena. */
const char *route_keep(struct route_parser *p, struct route_word w);
const char *route_keep_string(struct route_parser *p, const char *s);

#endif
