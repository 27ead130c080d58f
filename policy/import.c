#include "policy/import.h"

#include "policy/lines.h"
#include "policy/route.h"
#include "policy/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 4, NEED_TLS_UNSET = -1 };

struct policy_import {
	enum policy_import_from from;
	struct policy_lines lines;
};

struct piece {
	const char *s;
	size_t len;
};

/* What the servers of one line have in common, as they are read. */
struct common {
	size_t servers;
	bool has_smtps;
	bool differs;         /* NeedTLS unset here and 1 there: both mean "try" */
	int need_tls;         /* 0 to 2, or NEED_TLS_UNSET */
	struct piece outbind; /* len 0: unset */
};

/* --- words --- */

static bool fail(struct policy_import_line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct policy_import_line *l, const char *fmt, ...)
{
	char text[POLICY_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	policy_text(l->why, sizeof(l->why), "%s", text);
	return false;
}

static struct piece trim(struct piece p)
{
	while (p.len && (p.s[0] == ' ' || p.s[0] == '\r')) {
		p.s++;
		p.len--;
	}
	while (p.len && (p.s[p.len - 1] == ' ' || p.s[p.len - 1] == '\r'))
		p.len--;
	return p;
}

/* Cuts off what is before the separator; false: nothing is left. */
static bool next_piece(struct piece *rest, char separator, struct piece *out)
{
	if (!rest->s)
		return false;
	const char *at = rest->len ? memchr(rest->s, separator, rest->len) : NULL;
	*out = *rest;
	if (at) {
		out->len = (size_t)(at - rest->s);
		rest->len -= out->len + 1;
		rest->s = at + 1;
	} else {
		rest->s = NULL;
		rest->len = 0;
	}
	return true;
}

static bool is_equal(struct piece p, const char *s)
{
	return p.len == strlen(s) && memcmp(p.s, s, p.len) == 0;
}

static struct piece unquote(struct piece p)
{
	p = trim(p);
	if (p.len >= 2 && p.s[0] == '"' && p.s[p.len - 1] == '"')
		return (struct piece){ p.s + 1, p.len - 2 };
	return p;
}

/* Returns how many there are, FIELDS_MAX at most. */
static size_t split_fields(struct piece line, struct piece fields[FIELDS_MAX])
{
	size_t count = 0;
	while (count < FIELDS_MAX && next_piece(&line, '\t', &fields[count]))
		count++;
	return count;
}

static void add(struct policy_import_line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What does not fit is an error of the finished line. */
static void add(struct policy_import_line *l, const char *fmt, ...)
{
	size_t len = strlen(l->route);
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(l->route + len, sizeof(l->route) - len, fmt, ap) < 0)
		l->route[len] = '\0';
	va_end(ap);
}

static int shown(struct piece p)
{
	return p.len > 100 ? 100 : (int)p.len;
}

/* A blank would begin another word of the route. */
static bool check_word(struct policy_import_line *l, struct piece p)
{
	return !memchr(p.s, ' ', p.len) || fail(l, "a blank in \"%.*s\"", shown(p), p.s);
}

/* --- both --- */

/* Gateways are connected to as they are: no MX look-up, hence the brackets. Port 465
 * is TLS from the first byte, which is another scheme here. */
static bool add_server(
	struct policy_import_line *l, struct piece server, bool *is_smtps_out)
{
	struct piece host = server, port = { 0 };
	bool is_bracketed = server.len && server.s[0] == '[';
	const char *bracket = is_bracketed ? memchr(server.s, ']', server.len) : NULL;
	size_t from = bracket ? (size_t)(bracket - server.s) : 0;
	const char *colon =
		server.len ? memchr(server.s + from, ':', server.len - from) : NULL;
	if (colon) {
		host.len = (size_t)(colon - server.s);
		port = (struct piece){ colon, server.len - host.len };
	}
	*is_smtps_out = is_equal(port, ":465");
	add(l, "%s://%s%.*s%s%.*s", *is_smtps_out ? "smtps" : "smtp",
		is_bracketed ? "" : "[", (int)host.len, host.s, is_bracketed ? "" : "]",
		(int)port.len, port.len ? port.s : "");
	return (host.len > 0 || fail(l, "it names no server")) && check_word(l, server);
}

/* What was made is read as it will be: nothing is printed that is no route. */
static bool check_made(struct policy_import_line *l)
{
	size_t len = strlen(l->route);
	if (len + 1 >= sizeof(l->route))
		return fail(l, "the line is too long");
	struct policy_route *route = policy_route_parse(l->route, len, l->why);
	bool ok = route != NULL;
	policy_route_free(&route);
	return ok;
}

/* --- XMail --- */

/* XMail compares with wildcards; those that say what a pattern here can say. */
static bool add_xmail_pattern(struct policy_import_line *l, struct piece domain)
{
	if (is_equal(domain, "*") || is_equal(domain, "*.*")) {
		add(l, "*");
		return true;
	}
	bool is_below = domain.len > 2 && memcmp(domain.s, "*.", 2) == 0;
	if (is_below)
		domain = (struct piece){ domain.s + 1, domain.len - 1 };
	if (memchr(domain.s, '*', domain.len) || memchr(domain.s, '?', domain.len))
		return fail(l,
			"the pattern \"%.*s\" has its wildcard elsewhere than in "
			"\"*.example.com\" or \"*\", and other ones are not known here",
			shown(domain), domain.s);
	bool has_brackets = domain.len && domain.s[0] == '[';
	add(l, is_below || has_brackets ? "%.*s" : "[%.*s]", (int)domain.len, domain.s);
	return true;
}

static bool read_option(
	struct policy_import_line *l, struct piece option, struct common *out)
{
	struct piece name = { 0 }, value = option;
	if (!check_word(l, option))
		return false;
	if (!next_piece(&value, '=', &name) || !value.s || !value.len)
		return fail(
			l, "the option \"%.*s\" has no value", shown(option), option.s);
	if (is_equal(name, "OutBind")) {
		out->outbind = value;
		return true;
	}
	if (!is_equal(name, "NeedTLS"))
		return fail(l,
			"the option \"%.*s\" is none that is known: NeedTLS and "
			"OutBind are",
			shown(name), name.s);
	if (value.len != 1 || value.s[0] < '0' || value.s[0] > '9')
		return fail(l, "NeedTLS=%.*s: it is 0, 1 or 2", shown(value), value.s);
	/* XMail takes any other number but 0 for 1. */
	out->need_tls = value.s[0] > '2' ? 1 : value.s[0] - '0';
	return true;
}

static bool read_options(
	struct policy_import_line *l, struct piece options, struct common *out)
{
	struct piece option;
	while (next_piece(&options, ',', &option)) {
		option = trim(option);
		if (option.len && !read_option(l, option, out))
			return false;
	}
	return true;
}

/* Options count for a whole line here, so the servers of one must agree. */
static bool join(
	struct policy_import_line *l, struct common *all, const struct common *own)
{
	all->has_smtps |= own->has_smtps;
	if (all->servers++ == 0) {
		all->need_tls = own->need_tls;
		all->outbind = own->outbind;
		return true;
	}
	if (own->outbind.len != all->outbind.len ||
		(own->outbind.len &&
			memcmp(own->outbind.s, all->outbind.s, own->outbind.len) != 0))
		return fail(l, "its servers differ in OutBind, and here source= counts "
			       "for all targets of a line");
	if (own->need_tls == all->need_tls)
		return true;
	if ((own->need_tls == NEED_TLS_UNSET || own->need_tls == 1) &&
		(all->need_tls == NEED_TLS_UNSET || all->need_tls == 1)) {
		all->differs = true;
		return true;
	}
	return fail(l, "its servers differ in NeedTLS, and here tls= counts for all "
		       "targets of a line");
}

static bool add_xmail_options(
	struct policy_import_line *l, const struct common *all, bool takes_turns)
{
	static const char *const levels[] = { "off", "opportunistic", "required" };
	if (all->has_smtps && all->need_tls == 0)
		return fail(l, "NeedTLS=0 with port 465, where TLS begins at once");
	if (all->need_tls != NEED_TLS_UNSET && !all->differs &&
		!(all->has_smtps && all->need_tls == 1))
		add(l, " tls=%s", levels[all->need_tls]);
	if (all->outbind.len)
		add(l, " source=%.*s", (int)all->outbind.len, all->outbind.s);
	if (takes_turns && all->servers > 1)
		add(l, " order=turn");
	return true;
}

static bool make_forward(
	struct policy_import_line *l, struct piece servers, struct piece options)
{
	struct common all = { .need_tls = NEED_TLS_UNSET };
	struct common defaults = { .need_tls = NEED_TLS_UNSET };
	bool takes_turns = servers.len && servers.s[0] == '#';
	struct piece server, name;
	if (takes_turns)
		servers = (struct piece){ servers.s + 1, servers.len - 1 };
	if (!read_options(l, options, &defaults))
		return false;
	while (next_piece(&servers, ';', &server)) {
		struct common own = defaults;
		server = trim(server);
		if (server.len == 0)
			continue;
		next_piece(&server, ',', &name);
		add(l, "%s", all.servers ? ", " : " ");
		if (!add_server(l, trim(name), &own.has_smtps) ||
			!read_options(l, server, &own) || !join(l, &all, &own))
			return false;
	}
	/* An empty list is how XMail is told to drop the mail. */
	if (all.servers == 0)
		add(l, " discard");
	return add_xmail_options(l, &all, takes_turns);
}

/* "@a,@b" makes the recipient <@a,@b:user@domain>: by a, and then by b. */
static bool make_gateway(struct policy_import_line *l, struct piece route)
{
	route = (struct piece){ route.s + 1, route.len - 1 };
	if (memchr(route.s, ',', route.len) || memchr(route.s, '@', route.len))
		return fail(l, "a route by several servers, one behind the other, cannot "
			       "be asked for: RFC 5321 has no use for it any more");
	add(l, " %s%.*s",
		memchr(route.s, ':', route.len) ? "smtp://" : "mx:", (int)route.len,
		route.s);
	return (route.len > 0 || fail(l, "it names no server")) && check_word(l, route);
}

static bool make_xmail(struct policy_import_line *l, struct piece line)
{
	struct piece fields[FIELDS_MAX] = { 0 };
	size_t count = split_fields(line, fields);
	if (count < 2)
		return fail(
			l, "there is no second field; fields have a TAB between them");
	if (count > 3)
		return fail(l, "there are more than three fields");
	struct piece domain = unquote(fields[0]), servers = unquote(fields[1]);
	struct piece options = count > 2 ? unquote(fields[2]) : (struct piece){ 0 };
	if (!add_xmail_pattern(l, domain))
		return false;
	if (servers.len && servers.s[0] == '@')
		return make_gateway(l, servers);
	return make_forward(l, servers, options);
}

/* --- PMailServer2 --- */

static bool make_pmailserver(struct policy_import_line *l, struct piece line)
{
	struct piece fields[FIELDS_MAX] = { 0 };
	bool is_smtps;
	size_t count = split_fields(line, fields);
	struct piece domain = unquote(fields[0]), gateway = unquote(fields[1]);
	if (count < 2)
		return fail(l, "there is no gateway; it has a TAB before it");
	/* A name and a password may stand behind it. */
	l->source_len = (size_t)(fields[1].s + fields[1].len - line.s);
	for (size_t i = 2; i < count; i++) {
		if (trim(fields[i]).len)
			return fail(l, "more stands behind the gateway; a name and a "
				       "password go into the credentials file, and "
				       "auth=NAME into the route");
	}
	if (is_equal(domain, "*"))
		add(l, "* ");
	else if (domain.len > 1 && domain.s[0] == '@' &&
		 !memchr(domain.s, '*', domain.len))
		add(l, "[%.*s] ", (int)domain.len - 1, domain.s + 1);
	else
		return fail(l,
			"only \"@domain\" and \"*\" can be turned over, and not "
			"\"%.*s\": here destinations are domains, not parts of "
			"addresses",
			shown(domain), domain.s);
	return add_server(l, gateway, &is_smtps);
}

/* --- lines --- */

struct policy_import *policy_import_new(
	enum policy_import_from from, const char *bytes, size_t len)
{
	struct policy_import *import = policy_xcalloc(1, sizeof(*import));
	import->from = from;
	policy_lines_init(&import->lines, bytes, len);
	return import;
}

/* The line as it is: a "#" is a comment at its start only. */
static bool is_empty(struct piece line)
{
	size_t blanks = 0;
	while (blanks < line.len && strchr(" \t\r", line.s[blanks]))
		blanks++;
	return blanks == line.len || line.s[0] == '#';
}

static bool make(const struct policy_import *import, struct policy_import_line *l,
	struct piece line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.s[i];
		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return fail(l, "a control character in the line");
	}
	return (import->from == POLICY_IMPORT_XMAIL ? make_xmail(l, line)
						    : make_pmailserver(l, line)) &&
	       check_made(l);
}

bool policy_import_next(struct policy_import *import, struct policy_import_line *out)
{
	struct policy_lines *lines = &import->lines;
	struct piece line;
	do {
		if (!policy_lines_next(lines))
			return false;
		line = (struct piece){ lines->text.bytes, lines->text.len };
	} while (is_empty(line));
	out->number = lines->number;
	out->source = line.s;
	out->source_len = line.len;
	out->route[0] = out->why[0] = '\0';
	if (!make(import, out, line))
		out->route[0] = '\0';
	return true;
}

void policy_import_free(struct policy_import **import)
{
	if (*import)
		policy_lines_clear(&(*import)->lines);
	free(*import);
	*import = NULL;
}
