#include "policy/route_parse.h"

#include "policy/name.h"

#include <arpa/inet.h>
#include <string.h>

enum { VALUE_MAX = 1024, CREDENTIAL_NAME_MAX = 64 };

static bool option_order(struct route_parser *p, struct route_word value)
{
	p->route->takes_turns = route_word_is(value, "turn");
	return p->route->takes_turns || route_word_is(value, "listed") ||
	       route_fail_word(p, value, "order= is listed or turn");
}

static bool option_tls(struct route_parser *p, struct route_word value)
{
	char text[16];
	p->route->has_tls = true;
	return (route_word_string(value, text, sizeof(text)) &&
		       policy_tls_level_parse(text, &p->route->tls)) ||
	       route_fail_word(
		       p, value, "tls= is opportunistic, required, verified or off");
}

static bool set_source(struct route_parser *p, struct route_word value)
{
	struct policy_route *r = p->route;
	char text[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
	struct in6_addr address;
	int family = memchr(value.s, ':', value.len) ? AF_INET6 : AF_INET;
	const char **out = family == AF_INET ? &r->source_v4 : &r->source_v6;
	if (!route_word_string(value, text, sizeof(text)) ||
		inet_pton(family, text, &address) != 1 ||
		!inet_ntop(family, &address, canonical, sizeof(canonical)))
		return route_fail_word(p, value,
			"not an address: source= is an IPv4 or IPv6 address of this "
			"machine, or both with \";\" between them");
	if (strcmp(canonical, "0.0.0.0") == 0 || strcmp(canonical, "::") == 0)
		return route_fail_word(p, value,
			"not the address of an interface; to let the system choose, "
			"leave source= out");
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address))
		return route_fail_word(
			p, value, "write it as the IPv4 address that it is");
	if (*out)
		return route_fail_word(p, value,
			family == AF_INET ? "source= takes one IPv4 address, this is the "
					    "second"
					  : "source= takes one IPv6 address, this is the "
					    "second");
	*out = route_keep_string(p, canonical);
	return true;
}

static bool option_source(struct route_parser *p, struct route_word value)
{
	const char *semicolon;
	while ((semicolon = memchr(value.s, ';', value.len))) {
		size_t n = (size_t)(semicolon - value.s);
		if (!set_source(p, (struct route_word){ value.s, n }))
			return false;
		value = route_word_after(value, n + 1);
	}
	return set_source(p, value);
}

static bool option_ehlo(struct route_parser *p, struct route_word value)
{
	char name[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	if (!policy_destination_normalize(value.s, value.len, name, why))
		return route_fail(p, "ehlo= is the name of this machine: %s", why);
	p->route->ehlo = route_keep_string(p, name);
	return true;
}

static bool set_credential(
	struct route_parser *p, struct route_word value, const char **out)
{
	if (value.len > CREDENTIAL_NAME_MAX)
		return route_fail_word(p, value,
			"too long: the name of an entry of the credentials file has at "
			"most 64 octets");
	*out = route_keep(p, value);
	return true;
}

static bool option_auth(struct route_parser *p, struct route_word value)
{
	return set_credential(p, value, &p->route->auth);
}

static bool option_secret(struct route_parser *p, struct route_word value)
{
	return set_credential(p, value, &p->route->secret);
}

static bool set_file(struct route_parser *p, struct route_word value, const char **out)
{
	if (value.s[0] != '/' && !route_word_begins(value, "pkcs11:"))
		return route_fail_word(
			p, value, "neither a file, from the root, nor a pkcs11: URL");
	*out = route_keep(p, value);
	return true;
}

static bool option_certificate(struct route_parser *p, struct route_word value)
{
	return set_file(p, value, &p->route->certificate);
}

static bool option_key(struct route_parser *p, struct route_word value)
{
	return set_file(p, value, &p->route->key);
}

enum option { ORDER, TLS, SOURCE, EHLO, AUTH, CERTIFICATE, KEY, SECRET, OPTION_COUNT };

static const char *const option_names[OPTION_COUNT + 1] = {
	[ORDER] = "order",
	[TLS] = "tls",
	[SOURCE] = "source",
	[EHLO] = "ehlo",
	[AUTH] = "auth",
	[CERTIFICATE] = "certificate",
	[KEY] = "key",
	[SECRET] = "secret",
};

static bool (*const option_parsers[OPTION_COUNT])(
	struct route_parser *p, struct route_word value) = {
	[ORDER] = option_order,
	[TLS] = option_tls,
	[SOURCE] = option_source,
	[EHLO] = option_ehlo,
	[AUTH] = option_auth,
	[CERTIFICATE] = option_certificate,
	[KEY] = option_key,
	[SECRET] = option_secret,
};

static bool fail_unknown_option(struct route_parser *p, struct route_word name)
{
	char shown[ROUTE_SHOWN_MAX];
	const char *near = policy_nearest(name.s, name.len, option_names);
	policy_text(shown, sizeof(shown), "%.*s", (int)name.len, name.s);
	if (near)
		return route_fail(
			p, "no option is called \"%s\"; did you mean %s=?", shown, near);
	return route_fail(p,
		"no option is called \"%s\"; they are order, tls, source, ehlo, auth, "
		"certificate, key and secret",
		shown);
}

static bool parse_option(struct route_parser *p, struct route_word w)
{
	const char *equals = memchr(w.s, '=', w.len);
	if (!equals)
		return route_fail_word(p, w,
			memchr(w.s, ':', w.len)
				? "not an option; targets have commas between them"
				: "not an option; those are written NAME=VALUE");
	struct route_word name = { w.s, (size_t)(equals - w.s) };
	struct route_word value = route_word_after(w, name.len + 1);
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (!route_word_is(name, option_names[i]))
			continue;
		if (p->seen & 1u << i)
			return route_fail(
				p, "%s= stands in the line twice", option_names[i]);
		p->seen |= 1u << i;
		if (value.len == 0)
			return route_fail(p, "%s= has no value", option_names[i]);
		if (value.len > VALUE_MAX)
			return route_fail(p,
				"%s= is too long: a value has at most %d octets",
				option_names[i], VALUE_MAX);
		return option_parsers[i](p, value);
	}
	return fail_unknown_option(p, name);
}

static bool parse_each(struct route_parser *p)
{
	for (route_skip_blanks(p); p->at < p->end; route_skip_blanks(p)) {
		if (!parse_option(p, route_next_word(p, false)))
			return false;
	}
	return true;
}

/* --- what goes together --- */

static bool has(const struct route_parser *p, enum option option)
{
	return p->seen & 1u << option;
}

static bool check_lmtp(struct route_parser *p)
{
	static const enum option pointless[] = { TLS, SOURCE, AUTH, CERTIFICATE };
	for (size_t i = 0; i < POLICY_ARRAY_SIZE(pointless); i++) {
		if (has(p, pointless[i]))
			return route_fail(p,
				"%s= does not go with lmtp:, because a unix socket has "
				"no TLS and no source address",
				option_names[pointless[i]]);
	}
	return true;
}

static bool check_relay(struct route_parser *p, const struct policy_relay *relay)
{
	const struct policy_route *r = p->route;
	bool is_strict = r->tls == POLICY_TLS_REQUIRED || r->tls == POLICY_TLS_VERIFIED;
	if (relay->transport == POLICY_TRANSPORT_LMTP)
		return check_lmtp(p);
	if (relay->transport == POLICY_TRANSPORT_SMTPS && r->has_tls && !is_strict)
		return route_fail(p,
			"tls=%s does not go with smtps://, which is TLS or nothing: "
			"leave it out, or write tls=verified",
			policy_tls_level_name(r->tls));
	if (relay->is_destination && r->auth)
		return route_fail(p, "auth= with mx: would offer the password to whoever "
				     "receives mail for the destination: name the relay");
	return true;
}

static bool check_together(struct route_parser *p)
{
	const struct policy_route *r = p->route;
	if (r->kind != POLICY_ROUTE_RELAYS && p->seen)
		return route_fail(p, "discard takes no options");
	for (size_t i = 0; i < r->relay_count; i++) {
		if (!check_relay(p, &r->relays[i]))
			return false;
	}
	if (r->auth && r->has_tls && r->tls != POLICY_TLS_REQUIRED &&
		r->tls != POLICY_TLS_VERIFIED)
		return route_fail(p,
			"auth= never goes with tls=%s, which could send the password in "
			"plaintext: leave tls= out, or write tls=required",
			policy_tls_level_name(r->tls));
	if (r->certificate && r->has_tls && r->tls == POLICY_TLS_OFF)
		return route_fail(p, "certificate= needs TLS, and tls=off has none");
	if (r->key && !r->certificate)
		return route_fail(p, "key= needs certificate= beside it");
	if (r->secret && !r->certificate)
		return route_fail(
			p, "secret= is that of a key: it needs certificate= beside it");
	return true;
}

bool route_parse_options(struct route_parser *p)
{
	return parse_each(p) && check_together(p);
}
