#include "policy/route_parse.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

enum {
	ERROR_TEXT_MAX = 400,
	SMTPS_PORT = 465,
	SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1
};

#define STATUS_DEFAULT "5.7.1" /* RFC 3463: delivery not authorized */

static bool add_relay(
	struct route_parser *p, struct route_word target, struct policy_relay relay)
{
	struct policy_route *r = p->route;
	if (r->relay_count == POLICY_RELAYS_MAX)
		return route_fail(
			p, "too many targets: a line has at most %d", POLICY_RELAYS_MAX);
	for (size_t i = 0; i < r->relay_count; i++) {
		char a[POLICY_TEXT_MAX], b[POLICY_TEXT_MAX];
		policy_relay_format(&p->relays[i], a, sizeof(a));
		policy_relay_format(&relay, b, sizeof(b));
		if (strcmp(a, b) == 0)
			return route_fail_word(p, target, "stands in the line twice");
	}
	p->relays[r->relay_count++] = relay;
	return true;
}

static bool parse_port(struct route_parser *p, struct route_word target,
	struct route_word digits, uint16_t *out)
{
	unsigned port = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.s[i] < '0' || digits.s[i] > '9')
			return route_fail_word(p, target,
				"after the host comes nothing but \":\" and a port");
		if (port <= UINT16_MAX)
			port = port * 10 + (unsigned)(digits.s[i] - '0');
	}
	if (port < 1 || port > UINT16_MAX)
		return route_fail_word(p, target, "port must be 1 to 65535");
	*out = (uint16_t)port;
	return true;
}

/* A host is written as a pattern is, and what it means follows from that: in
 * brackets it is that host or address alone, else its MX hosts are looked up. */
static bool parse_host(struct route_parser *p, struct route_word target,
	struct route_word host, struct policy_relay *relay)
{
	char why[POLICY_TEXT_MAX], v6[INET6_ADDRSTRLEN + 8];
	char name[POLICY_NAME_MAX + 3];
	struct policy_pattern pattern;
	unsigned char address[16];
	if (host.len == 0)
		return route_fail_word(p, target, "names no host");
	if (host.len > 2 &&
		route_word_string((struct route_word){ host.s + 1, host.len - 2 }, v6,
			INET6_ADDRSTRLEN) &&
		inet_pton(AF_INET6, v6, address) == 1) {
		policy_text(name, sizeof(name), "[IPv6:%s]", v6);
		host = (struct route_word){ name, strlen(name) };
	}
	if (!policy_pattern_parse(host.s, host.len, &pattern, why))
		return route_fail_word(p, target, why);
	switch (pattern.kind) {
	case POLICY_PATTERN_EXACT:
		break;
	case POLICY_PATTERN_LITERAL:
		policy_text(name, sizeof(name), "[%s]", pattern.name);
		relay->host = route_keep_string(p, name);
		return true;
	case POLICY_PATTERN_TREE:
		relay->looks_up_mx = true;
		break;
	case POLICY_PATTERN_BELOW:
	case POLICY_PATTERN_ANY:
		return route_fail_word(p, target,
			"a target is one host, without \"*\" and "
			"without \".\" at its start");
	}
	relay->host = route_keep_string(p, pattern.name);
	return true;
}

static bool parse_url(struct route_parser *p, struct route_word target,
	struct route_word rest, struct policy_relay *relay)
{
	const char *end = rest.s + rest.len;
	bool is_bracketed = rest.len && rest.s[0] == '[';
	const char *bracket = is_bracketed ? memchr(rest.s, ']', rest.len) : NULL;
	const char *from = bracket ? bracket : rest.s;
	const char *colon = memchr(from, ':', (size_t)(end - from));
	if (memchr(rest.s, '@', rest.len))
		return route_fail_word(p, target,
			"a target has no user: name and password are an entry of the "
			"credentials file, which auth=NAME names");
	if (!is_bracketed && colon && memchr(colon + 1, ':', (size_t)(end - colon) - 1))
		return route_fail_word(p, target,
			"an IPv6 address stands in brackets, as in "
			"smtp://[IPv6:2001:db8::1]:25");
	if (bracket && bracket + 1 < end && colon != bracket + 1)
		return route_fail_word(
			p, target, "after the host comes nothing but \":\" and a port");
	struct route_word host = { rest.s, (size_t)((colon ? colon : end) - rest.s) };
	if (!parse_host(p, target, host, relay))
		return false;
	return !colon ||
	       parse_port(p, target,
		       (struct route_word){ colon + 1, (size_t)(end - colon) - 1 },
		       &relay->port);
}

static bool parse_smtp(
	struct route_parser *p, struct route_word target, struct route_word rest)
{
	struct policy_relay relay = { .transport = POLICY_TRANSPORT_SMTP };
	if (!parse_url(p, target, rest, &relay))
		return false;
	if (relay.port == SMTPS_PORT) {
		char shown[ROUTE_SHOWN_MAX];
		policy_text(shown, sizeof(shown), "%.*s", (int)rest.len, rest.s);
		return route_fail(p,
			"smtp://%s: on port 465 TLS begins at once, and smtp:// would "
			"begin in plaintext: write smtps://%s",
			shown, shown);
	}
	return add_relay(p, target, relay);
}

static bool parse_smtps(
	struct route_parser *p, struct route_word target, struct route_word rest)
{
	struct policy_relay relay = { .transport = POLICY_TRANSPORT_SMTPS };
	return parse_url(p, target, rest, &relay) && add_relay(p, target, relay);
}

static bool parse_mx(
	struct route_parser *p, struct route_word target, struct route_word rest)
{
	struct policy_relay relay = { .transport = POLICY_TRANSPORT_SMTP };
	if (rest.len == 0) {
		relay.is_destination = relay.looks_up_mx = true;
		return add_relay(p, target, relay);
	}
	if (rest.s[0] == '/' || rest.s[0] == '[' || memchr(rest.s, ':', rest.len))
		return route_fail_word(p, target,
			"after mx: comes a domain alone; a host, an address or a port "
			"is written as in smtp://[relay.example]:25");
	return parse_host(p, target, rest, &relay) && add_relay(p, target, relay);
}

static bool parse_lmtp(
	struct route_parser *p, struct route_word target, struct route_word rest)
{
	struct policy_relay relay = { .transport = POLICY_TRANSPORT_LMTP };
	if (rest.len == 0 || rest.s[0] != '/' || (rest.len > 1 && rest.s[1] == '/'))
		return route_fail_word(p, target,
			"after lmtp: comes the path of a unix socket, from the root, as "
			"in lmtp:/run/dovecot/lmtp");
	if (rest.len > SOCKET_PATH_MAX)
		return route_fail(p,
			"lmtp: the path of a unix socket has at most %d octets",
			(int)SOCKET_PATH_MAX);
	relay.path = route_keep(p, rest);
	return add_relay(p, target, relay);
}

static bool parse_discard(
	struct route_parser *p, struct route_word target, struct route_word rest)
{
	if (rest.len)
		return route_fail_word(p, target, "discard has nothing behind it");
	p->route->kind = POLICY_ROUTE_DISCARD;
	return true;
}

/* RFC 3463 2: class, subject and detail, the latter of up to three digits each. */
static bool is_status(struct route_word w)
{
	size_t digits = 0, dots = 0;
	if (w.len < 5 || (w.s[0] != '4' && w.s[0] != '5') || w.s[1] != '.')
		return false;
	for (size_t i = 2; i < w.len; i++) {
		bool is_dot = w.s[i] == '.';
		if ((is_dot && digits == 0) || (!is_dot && digits == 3))
			return false;
		dots += is_dot;
		digits = is_dot ? 0 : digits + 1;
	}
	return dots == 1 && digits > 0;
}

static bool parse_error(
	struct route_parser *p, struct route_word target, struct route_word rest)
{
	struct policy_route *r = p->route;
	(void)target;
	r->kind = POLICY_ROUTE_ERROR;
	p->at = rest.s; /* it takes the line to its end, commas and all */
	route_skip_blanks(p);
	struct route_word text = { p->at, (size_t)(p->end - p->at) };
	struct route_word first = route_next_word(p, false);
	size_t numeric = 0;
	while (numeric < first.len && (strchr("0123456789.", first.s[numeric])))
		numeric++;
	policy_text(r->status, sizeof(r->status), STATUS_DEFAULT);
	if (first.len && numeric == first.len) {
		if (!is_status(first))
			return route_fail_word(p, first,
				"no enhanced status code: those of error: begin with 4 "
				"or 5, as in \"error:5.7.1 no mail for you\"");
		policy_text(
			r->status, sizeof(r->status), "%.*s", (int)first.len, first.s);
		route_skip_blanks(p);
		text = (struct route_word){ p->at, (size_t)(p->end - p->at) };
	}
	p->at = p->end;
	if (text.len == 0)
		return route_fail(p, "error: needs a text for the sender, as in "
				     "\"error:5.7.1 no mail for you\"");
	if (text.len > ERROR_TEXT_MAX)
		return route_fail(
			p, "error: the text has at most %d octets", ERROR_TEXT_MAX);
	r->error_text = route_keep(p, text);
	return true;
}

static const struct target_kind {
	const char *prefix;
	bool (*parse)(
		struct route_parser *p, struct route_word target, struct route_word rest);
} target_kinds[] = {
	{ "mx:", parse_mx },
	{ "smtp://", parse_smtp },
	{ "smtps://", parse_smtps },
	{ "lmtp:", parse_lmtp },
	{ "discard", parse_discard },
	{ "error:", parse_error },
};

static bool parse_target(struct route_parser *p, struct route_word w)
{
	for (size_t i = 0; i < POLICY_ARRAY_SIZE(target_kinds); i++) {
		const struct target_kind *kind = &target_kinds[i];
		if (route_word_begins(w, kind->prefix))
			return kind->parse(
				p, w, route_word_after(w, strlen(kind->prefix)));
	}
	if (w.len == 0)
		return route_fail(p, "a target is missing; targets are " ROUTE_TARGETS);
	return route_fail_word(p, w, "no target; targets are " ROUTE_TARGETS);
}

bool route_parse_targets(struct route_parser *p)
{
	struct policy_route *r = p->route;
	bool goes_on;
	do {
		route_skip_blanks(p);
		if (!parse_target(p, route_next_word(p, true)))
			return false;
		route_skip_blanks(p);
		goes_on = p->at < p->end && *p->at == ',';
		if (r->kind != POLICY_ROUTE_RELAYS && (r->relay_count || goes_on))
			return route_fail(p, "discard and error: stand alone, without "
					     "other targets");
		p->at += goes_on;
	} while (goes_on);
	r->relays = p->relays;
	return true;
}
