#include "table.h"

#include "policy/route.h"

#include <stdio.h>
#include <string.h>

/* What a line comes to, in one text: pattern, targets, options. */
static void add(char *out, size_t out_size, const char *name, const char *value)
{
	size_t len = strlen(out);
	if (value)
		snprintf(out + len, out_size - len, " %s=%s", name, value);
}

static void print_relays(const struct policy_route *r, char *out, size_t out_size)
{
	char target[512];
	for (size_t i = 0; i < r->relay_count; i++) {
		size_t len = strlen(out);
		policy_relay_format(&r->relays[i], target, sizeof(target));
		snprintf(out + len, out_size - len, "%s%s", i ? ", " : " ", target);
	}
}

static void print(const struct policy_route *r, char *out, size_t out_size)
{
	struct policy_pattern pattern;
	out[0] = '\0';
	if (r->pattern_name) {
		policy_route_pattern(r, &pattern);
		policy_pattern_format(&pattern, out, out_size);
	}
	print_relays(r, out, out_size);
	if (r->kind == POLICY_ROUTE_DISCARD)
		add(out, out_size, "kind", "discard");
	if (r->kind == POLICY_ROUTE_ERROR) {
		add(out, out_size, "status", r->status);
		add(out, out_size, "text", r->error_text);
	}
	if (r->takes_turns)
		add(out, out_size, "order", "turn");
	if (r->has_tls)
		add(out, out_size, "tls", policy_tls_level_name(r->tls));
	add(out, out_size, "v4", r->source_v4);
	add(out, out_size, "v6", r->source_v6);
	add(out, out_size, "ehlo", r->ehlo);
	add(out, out_size, "auth", r->auth);
	add(out, out_size, "certificate", r->certificate);
	add(out, out_size, "key", r->key);
	add(out, out_size, "secret", r->secret);
}

#define A63    "a123456789a123456789a123456789a123456789a123456789a123456789abc"
#define PATH96 "/" A63 "/" A63

static const struct good_case {
	const char *name, *line, *comes_to;
} good[] = {
	{ "the MX hosts of the destination", "example.com mx:", "example.com mx:" },
	{ "the MX hosts of another domain", ".example.com\tmx:Example.NET.",
		".example.com mx:example.net" },
	{ "a name is looked up for its MX hosts", "* smtp://relay.example:587",
		"* smtp://relay.example:587" },
	{ "a name without a port is mx: by another name", "* smtp://relay.example",
		"* mx:relay.example" },
	{ "a host in brackets", "[example.com] smtp://[Relay.Example]:2525",
		"[example.com] smtp://[relay.example]:2525" },
	{ "a host in brackets without a port", "* smtp://[relay.example]",
		"* smtp://[relay.example]" },
	{ "an IPv4 address", "* smtp://[192.0.2.1]:25", "* smtp://[192.0.2.1]:25" },
	{ "an IPv6 address, as in a recipient", "* smtp://[IPv6:2001:DB8:0::1]:587",
		"* smtp://[IPv6:2001:db8::1]:587" },
	{ "an IPv6 address, as in a URL", "* smtps://[2001:db8::1]",
		"* smtps://[IPv6:2001:db8::1]" },
	{ "smtps with a host in brackets", "* smtps://[relay.example]",
		"* smtps://[relay.example]" },
	{ "smtps with a name that is looked up", "* smtps://relay.example:465",
		"* smtps://relay.example:465" },
	{ "smtps on another port", "* smtps://[relay.example]:1465",
		"* smtps://[relay.example]:1465" },
	{ "the highest port", "* smtp://[a.example]:65535",
		"* smtp://[a.example]:65535" },
	{ "a unix socket", "* lmtp:/run/dovecot/lmtp", "* lmtp:/run/dovecot/lmtp" },
	{ "the scheme in capitals", "* SMTPS://[relay.example]",
		"* smtps://[relay.example]" },
	{ "an internationalized host", "例え.jp smtp://[例え.jp]",
		"xn--r8jz45g.jp smtp://[xn--r8jz45g.jp]" },
	{ "an underscore in a host", "* smtp://[mail_1.example]",
		"* smtp://[mail_1.example]" },
	{ "a literal as pattern", "[192.0.2.9] smtp://[192.0.2.1]",
		"[192.0.2.9] smtp://[192.0.2.1]" },
	{ "several targets", "* smtp://[a.example],smtps://[b.example], mx:",
		"* smtp://[a.example], smtps://[b.example], mx:" },
	{ "blanks around the commas", "* smtp://[a.example] ,\t smtp://[b.example]",
		"* smtp://[a.example], smtp://[b.example]" },
	{ "one host with two ports", "* smtp://[a.example]:25, smtp://[a.example]:587",
		"* smtp://[a.example]:25, smtp://[a.example]:587" },
	{ "a host and its MX hosts", "* smtp://[a.example], smtp://a.example",
		"* smtp://[a.example], mx:a.example" },
	{ "discard", "[trap.example] discard", "[trap.example] kind=discard" },
	{ "error takes the rest of the line", "old.example error:no mail, tls=off here",
		"old.example status=5.7.1 text=no mail, tls=off here" },
	{ "error with a code", "old.example error:5.1.10 gone",
		"old.example status=5.1.10 text=gone" },
	{ "error with a blank before the code", "old.example error: 5.7.1   no mail",
		"old.example status=5.7.1 text=no mail" },
	{ "error that defers", "old.example error:4.3.2 moving house",
		"old.example status=4.3.2 text=moving house" },
	{ "error with a text in Japanese", "old.example error:受け取れません",
		"old.example status=5.7.1 text=受け取れません" },
	{ "error with the longest code", "a error:5.999.999 x",
		"a status=5.999.999 text=x" },
	{ "order=turn", "* smtp://[a.example],smtp://[b.example] order=turn",
		"* smtp://[a.example], smtp://[b.example] order=turn" },
	{ "order=listed", "* smtp://[a.example] order=listed", "* smtp://[a.example]" },
	{ "tls=required", "* mx: tls=required", "* mx: tls=required" },
	{ "tls=verified", "* mx: tls=verified", "* mx: tls=verified" },
	{ "tls=off", "* smtp://[a.example] tls=off", "* smtp://[a.example] tls=off" },
	{ "tls=opportunistic is not the same as none", "* mx: tls=opportunistic",
		"* mx: tls=opportunistic" },
	{ "tls=verified with smtps", "* smtps://[a.example] tls=verified",
		"* smtps://[a.example] tls=verified" },
	{ "a source address", "* mx: source=192.0.2.7", "* mx: v4=192.0.2.7" },
	{ "a source address of each kind", "* mx: source=2001:DB8:0::7;192.0.2.7",
		"* mx: v4=192.0.2.7 v6=2001:db8::7" },
	{ "ehlo", "* mx: ehlo=Out.Example.COM.", "* mx: ehlo=out.example.com" },
	{ "ehlo with an address", "* mx: ehlo=[192.0.2.7]", "* mx: ehlo=[192.0.2.7]" },
	{ "auth", "* smtp://[relay.example]:587 auth=relay",
		"* smtp://[relay.example]:587 auth=relay" },
	{ "auth with tls=required", "* smtp://[a.example]:587 tls=required auth=relay",
		"* smtp://[a.example]:587 tls=required auth=relay" },
	{ "auth with smtps", "* smtps://[a.example] auth=relay",
		"* smtps://[a.example] auth=relay" },
	{ "a certificate with its key",
		"* smtps://[a.example] certificate=/etc/c.pem key=/etc/k.pem secret=pin",
		"* smtps://[a.example] certificate=/etc/c.pem key=/etc/k.pem "
		"secret=pin" },
	{ "a certificate of a token, with an = in it",
		"* mx: certificate=pkcs11:token=x;object=y?pin-source=/z",
		"* mx: certificate=pkcs11:token=x;object=y?pin-source=/z" },
	{ "all options",
		"* smtp://[a.example] secret=s key=/k certificate=/c auth=a "
		"ehlo=e.example source=192.0.2.7 tls=verified order=turn",
		"* smtp://[a.example] order=turn tls=verified v4=192.0.2.7 "
		"ehlo=e.example auth=a certificate=/c key=/k secret=s" },
};

static void check_good(void **state)
{
	const struct good_case *c = *state;
	char why[POLICY_TEXT_MAX] = "", text[2048];
	struct policy_route *r = policy_route_parse(c->line, strlen(c->line), why);
	if (!r)
		fail_msg("%s: %s", c->line, why);
	print(r, text, sizeof(text));
	assert_string_equal(text, c->comes_to);
	assert_string_equal(r->text, c->line);
	assert_null(r->path);
	policy_route_free(&r);
	assert_null(r);
}

/* What it comes to is a line again, and that comes to the same. */
static void check_round_trip(void **state)
{
	const struct good_case *c = *state;
	char why[POLICY_TEXT_MAX], first[2048] = "", second[2048] = "";
	struct policy_route *r = policy_route_parse(c->line, strlen(c->line), why);
	assert_non_null(r);
	print_relays(r, first, sizeof(first));
	bool has_relays = r->kind == POLICY_ROUTE_RELAYS;
	policy_route_free(&r);
	if (!has_relays)
		return;
	r = policy_route_parse_targets(first + 1, strlen(first + 1), why);
	if (!r)
		fail_msg("%s: %s", first, why);
	assert_null(r->pattern_name);
	print_relays(r, second, sizeof(second));
	assert_string_equal(second, first);
	policy_route_free(&r);
}

static const struct bad_case {
	const char *name, *line, *why;
} bad[] = {
	{ "a pattern alone", "example.com", "a route needs a target after the pattern" },
	{ "a bad pattern", "a..example mx:", "an empty label" },
	{ "the address of a recipient as pattern", "@example.com mx:", "\"@\"" },
	{ "an unknown target", "* http://relay.example",
		"http://relay.example: no target; targets are mx:, mx:DOMAIN" },
	{ "a host without a scheme", "* relay.example:25", "no target; targets are" },
	{ "an option in the place of a target", "* tls=off", "tls=off: no target" },
	{ "a comma at the end", "* mx:,", "a target is missing" },
	{ "two commas", "* mx:,,mx:", "a target is missing" },
	{ "no comma", "* smtp://[a.example] smtp://[b.example]",
		"smtp://[b.example]: not an option; targets have commas between them" },
	{ "no host", "* smtp://", "smtp://: names no host" },
	{ "no host but a port", "* smtp://:25", "smtp://:25: names no host" },
	{ "port 0", "* smtp://relay.example:0",
		"smtp://relay.example:0: port must be 1 to 65535" },
	{ "port 65536", "* smtp://[relay.example]:65536", "port must be 1 to 65535" },
	{ "a port beyond any number", "* smtp://[a.example]:99999999999999999999",
		"port must be 1 to 65535" },
	{ "no port after the colon",
		"* smtp://relay.example:", "port must be 1 to 65535" },
	{ "a port that is no number", "* smtp://relay.example:smtp",
		"nothing but \":\" and a port" },
	{ "a negative port", "* smtp://relay.example:-1",
		"nothing but \":\" and a port" },
	{ "a path after the host", "* smtp://[relay.example]/", "nothing but \":\"" },
	{ "a path after the port", "* smtp://relay.example:25/", "nothing but \":\"" },
	{ "text after the bracket", "* smtp://[a.example]b:25", "nothing but \":\"" },
	{ "a user", "* smtp://me:secret@relay.example", "a target has no user" },
	{ "an address without brackets", "* smtp://192.0.2.1:25",
		"an address stands in brackets: [192.0.2.1]" },
	{ "an IPv6 address without brackets", "* smtp://2001:db8::1",
		"an IPv6 address stands in brackets" },
	{ "no address in brackets", "* smtp://[192.0.2.300]", "nor an IPv4 address" },
	{ "a bracket that is not closed", "* smtp://[relay.example:25",
		"unbalanced bracket" },
	{ "a zone in an address", "* smtp://[fe80::1%eth0]", "not an address literal" },
	{ "a star as host", "* smtp://*", "a target is one host" },
	{ "a dot at the start of a host", "* smtp://.example.com", "one host" },
	{ "port 465 with smtp", "* smtp://[relay.example]:465",
		"write smtps://[relay.example]:465" },
	{ "mx: with a port", "* mx:example.net:25", "after mx: comes a domain alone" },
	{ "mx: with an address", "* mx:[192.0.2.1]", "after mx: comes a domain alone" },
	{ "mx: like a URL", "* mx://example.net", "after mx: comes a domain alone" },
	{ "a relative socket", "* lmtp:run/lmtp", "the path of a unix socket" },
	{ "lmtp over the network", "* lmtp://host:24", "the path of a unix socket" },
	{ "lmtp without a path", "* lmtp:", "the path of a unix socket" },
	{ "a path too long for a socket", "* lmtp:" PATH96, "at most 107 octets" },
	{ "a target twice",
		"* mx:, smtp://[a.example], mx:", "mx:: stands in the line twice" },
	{ "a target twice in two spellings", "* smtp://[a.example],SMTP://[A.example.]",
		"stands in the line twice" },
	{ "seventeen targets",
		"* mx:,mx:a,mx:b,mx:c,mx:d,mx:e,mx:f,mx:g,mx:h,mx:i,mx:j,mx:k,mx:l,mx:m,"
		"mx:n,mx:o,mx:p",
		"at most 16" },
	{ "discard and more", "* discard, mx:", "stand alone" },
	{ "more and discard", "* mx:, discard", "stand alone" },
	{ "more and error", "* mx:, error:no", "stand alone" },
	{ "discard with an option", "* discard tls=off", "discard takes no options" },
	{ "discard with text", "* discarded", "discard has nothing behind it" },
	{ "error without text", "* error:", "error: needs a text" },
	{ "error with a code alone", "* error:5.7.1", "error: needs a text" },
	{ "error that says success", "* error:2.0.0 ok", "begin with 4 or 5" },
	{ "error with a reply code", "* error:550 no", "550: no enhanced status code" },
	{ "error with half a code", "* error:5.7 no", "no enhanced status code" },
	{ "error with a code too long", "* error:5.7.1234 no", "no enhanced status" },
	{ "error with an empty part", "* error:5..1 no", "no enhanced status code" },
	{ "error with four parts", "* error:5.7.1.1 no", "no enhanced status code" },
	{ "an option that is none", "* mx: now", "now: not an option" },
	{ "an unknown option", "* mx: tsl=off", "\"tsl\"; did you mean tls=?" },
	{ "an unknown option in capitals", "* mx: TLS=off", "did you mean tls=?" },
	{ "an unknown option like no other", "* mx: colour=red",
		"no option is called \"colour\"; they are order, tls, source" },
	{ "an option without a name", "* mx: =x", "no option is called \"\"" },
	{ "an option twice", "* mx: tls=off tls=off", "tls= stands in the line twice" },
	{ "an option without value", "* mx: tls=", "tls= has no value" },
	{ "an unknown order", "* mx: order=random", "order= is listed or turn" },
	{ "an unknown level", "* mx: tls=yes", "opportunistic, required, verified or" },
	{ "a source that is a name", "* mx: source=a.example", "not an address" },
	{ "a source with a port", "* mx: source=192.0.2.1:25", "not an address" },
	{ "a source in brackets", "* mx: source=[192.0.2.1]", "not an address" },
	{ "an empty second source", "* mx: source=192.0.2.1;", "not an address" },
	{ "two IPv4 sources", "* mx: source=192.0.2.1;192.0.2.2", "one IPv4 address" },
	{ "two IPv6 sources", "* mx: source=::1;::2", "one IPv6 address" },
	{ "any address as source", "* mx: source=0.0.0.0", "leave source= out" },
	{ "any IPv6 address as source", "* mx: source=::", "leave source= out" },
	{ "a mapped source", "* mx: source=::ffff:192.0.2.1", "IPv4 address that it is" },
	{ "a bad ehlo name", "* mx: ehlo=a..b", "ehlo= is the name of this machine" },
	{ "a bad ehlo literal", "* mx: ehlo=[a]", "not an address literal" },
	{ "a long name of credentials", "* smtps://[a.example] auth=" A63 "ab",
		"at most 64 octets" },
	{ "a relative certificate", "* mx: certificate=c.pem", "neither a file" },
	{ "a relative key", "* mx: certificate=/c key=k.pem", "neither a file" },
	{ "tls=off with smtps", "* smtps://[a.example] tls=off",
		"tls=off does not go with smtps://" },
	{ "tls=opportunistic with smtps", "* mx:a, smtps://[a.example] tls=opportunistic",
		"tls=opportunistic does not go with smtps://" },
	{ "auth with tls=off", "* smtp://[a.example] auth=x tls=off",
		"auth= never goes with tls=off" },
	{ "auth with tls=opportunistic", "* smtp://[a.example] tls=opportunistic auth=x",
		"auth= never goes with tls=opportunistic" },
	{ "auth with the destination's hosts", "* mx: auth=x", "name the relay" },
	{ "a certificate without TLS", "* smtp://[a.example] tls=off certificate=/c",
		"certificate= needs TLS" },
	{ "a key alone", "* mx: key=/k", "key= needs certificate=" },
	{ "a secret alone", "* mx: secret=s", "needs certificate=" },
	{ "tls with a unix socket", "* lmtp:/s tls=required", "tls= does not go with" },
	{ "auth with a unix socket", "* lmtp:/s auth=a", "auth= does not go with lmtp:" },
	{ "source beside a unix socket", "* smtp://[a.example], lmtp:/s source=192.0.2.1",
		"source= does not go with lmtp:" },
	{ "a control character", "* mx: ehlo=a\x01", "a control character in the line" },
	{ "a control character in a text", "* error:\x1b[2J", "a control character" },
	{ "a comment", "* error:no # not now", "a \"#\" begins a comment" },
	{ "invalid UTF-8", "* error:\x83\x65", "invalid UTF-8" },
};

static void check_bad(void **state)
{
	const struct bad_case *c = *state;
	char why[POLICY_TEXT_MAX] = "";
	assert_null(policy_route_parse(c->line, strlen(c->line), why));
	if (!strstr(why, c->why))
		fail_msg("\"%s\" is not in \"%s\"", c->why, why);
}

static const struct relay_name_case {
	const char *name, *target, *asked_for;
} names[] = {
	{ "mx: asks for the destination", "mx:", "example.com" },
	{ "a domain asks for itself", "mx:example.net", "example.net" },
	{ "a host asks for itself", "smtp://[relay.example]:25", "relay.example" },
	{ "an address asks for itself", "smtps://[192.0.2.1]", "[192.0.2.1]" },
	{ "a socket asks for the destination", "lmtp:/run/lmtp", "example.com" },
};

static void check_relay_name(void **state)
{
	const struct relay_name_case *c = *state;
	char why[POLICY_TEXT_MAX];
	struct policy_route *r =
		policy_route_parse_targets(c->target, strlen(c->target), why);
	assert_non_null(r);
	assert_int_equal(r->relay_count, 1);
	assert_string_equal(
		policy_relay_name(&r->relays[0], "example.com"), c->asked_for);
	policy_route_free(&r);
}

static uint32_t next_random(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

/* The head of one line and the tail of another, with a piece between them. */
static size_t mix(uint32_t *random, char *out)
{
	static const char *const pieces[] = { "", "", "", " ", ",", "=", ":", "/", "[",
		"]", "@", "*", ".", ";", "mx:", "smtp://", "smtps://", "lmtp:", "discard",
		"error:", "5.7.1", "192.0.2.1", "2001:db8::1", ":465", ":65536",
		"order=", "tls=", "source=", "\xff", "\x01", "\xe4", "#" };
	enum { LINES = sizeof(good) / sizeof(good[0]) };
	const char *head = good[next_random(random, LINES)].line;
	const char *tail = good[next_random(random, LINES)].line;
	const char *piece =
		pieces[next_random(random, sizeof(pieces) / sizeof(pieces[0]))];
	size_t head_len = next_random(random, (uint32_t)strlen(head) + 1);
	size_t tail_from = next_random(random, (uint32_t)strlen(tail) + 1);
	return (size_t)sprintf(
		out, "%.*s%s%s", (int)head_len, head, piece, tail + tail_from);
}

/* No crash, and an answer that is a route or a reason. The sanitizers watch. */
static void check_random(void **state)
{
	char line[1024], why[POLICY_TEXT_MAX];
	uint32_t random = 12345;
	size_t accepted = 0;
	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = mix(&random, line);
		char *exact = malloc(len ? len : 1); /* one octet too many is seen */
		assert_non_null(exact);
		memcpy(exact, line, len);
		why[0] = '\0';
		struct policy_route *r = policy_route_parse(exact, len, why);
		assert_true(r || why[0]);
		accepted += r != NULL;
		policy_route_free(&r);
		free(exact);
	}
	assert_in_range(accepted, 500, 19500);
}

static const struct {
	const char *name;
} random_case[] = { { "lines mixed at random" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_good, good),
		TABLE(check_round_trip, good),
		TABLE(check_bad, bad),
		TABLE(check_relay_name, names),
		TABLE(check_random, random_case),
	};
	return TABLE_RUN_ALL("policy/route", tables);
}
