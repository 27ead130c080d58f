#include "dns/dns_parse.h"

#include "base/buf.h"
#include "base/mem.h"
#include "describe.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MALFORMED  "temporary: malformed answer: "
#define BAD_COUNTS MALFORMED "its records do not fill it as its counts say"
#define BAD_BODY   MALFORMED "the body of a record is broken"
#define BAD_RECORD MALFORMED "a record cannot be read"
#define BAD_CHAIN  MALFORMED "its CNAME chain is a loop or too long"
#define BAD_HOST   MALFORMED "no MX record of it has a usable host name"
#define STRANGERS \
	MALFORMED "none of its records is of the name and type that were asked for"
#define NOWHERE  MALFORMED "its CNAME chain stops at what cannot be asked for"
#define REFERRAL MALFORMED "it refers to other servers instead of answering"
#define OTHER    MALFORMED "it answers another question"

#define LABEL_63 "aaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

struct parse_case {
	const char *name;
	enum dns_type type;
	unsigned flags; /* WIRE_OK if 0; else added to it */
	const char *records[6];
	const char *expected;
	const char *question; /* what the message repeats, if not what was asked */
	int question_type;
	int lie; /* added to the count of the answer section */
};

static const struct parse_case cases[] = {
	{ "two MX", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 20 MX2.Example.test", "an @ 200 MX 10 mx1.example.test" },
		.expected = "ok 200: 20 mx2.example.test, 10 mx1.example.test" },
	{ "the AD bit", DNS_TYPE_MX, WIRE_AD, { "an @ 300 MX 10 mx.test" },
		.expected = "ok 300 secure: 10 mx.test" },
	{ "the name comes back in other letters", DNS_TYPE_MX, 0,
		{ "an EXAMPLE.test 300 MX 10 mx.test" }, .expected = "ok 300: 10 mx.test",
		.question = "Example.TEST" },
	{ "an OPT record beside it", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 10 mx.test", "ar . 0 OPT" },
		.expected = "ok 300: 10 mx.test" },
	{ "other types at the name", DNS_TYPE_MX, 0,
		{ "an @ 300 TXT 0161", "an @ 300 MX 10 mx.test" },
		.expected = "ok 300: 10 mx.test" },
	{ "an underscore in a host name", DNS_TYPE_MX, 0, { "an @ 1 MX 10 a_b.test" },
		.expected = "ok 1: 10 a_b.test" },
	{ "a label of 63", DNS_TYPE_MX, 0, { "an @ 1 MX 10 " LABEL_63 "x.test" },
		.expected = "ok 1: 10 " LABEL_63 "x.test" },
	{ "TTL of more than a day", DNS_TYPE_MX, 0, { "an @ 604800 MX 10 mx.test" },
		.expected = "ok 86400: 10 mx.test" },
	{ "TTL with the highest bit", DNS_TYPE_MX, 0, { "an @ 2147483648 MX 10 mx.test" },
		.expected = "ok 0: 10 mx.test" },
	{ "null MX", DNS_TYPE_MX, 0, { "an @ 300 MX 0 ." }, .expected = "ok 300: 0 ." },
	{ "a root among others is dropped", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 0 .", "an @ 300 MX 10 mx.test" },
		.expected = "ok 300: 10 mx.test" },
	{ "a root of preference 10 is no null MX", DNS_TYPE_MX, 0, { "an @ 300 MX 10 ." },
		.expected = BAD_HOST },
	{ "two roots are no null MX", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 0 .", "an @ 300 MX 0 ." }, .expected = BAD_HOST },
	{ "a control octet in a host name", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 10 m\\010x.test", "an @ 300 MX 20 mx.test" },
		.expected = "ok 300: 20 mx.test" },
	{ "a NUL in a host name", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 10 mx.test\\000.evil", "an @ 300 MX 20 mx.test" },
		.expected = "ok 300: 20 mx.test" },
	{ "a dot inside a label", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 10 mx\\.test.evil", "an @ 300 MX 20 mx.test" },
		.expected = "ok 300: 20 mx.test" },
	{ "nothing but odd host names", DNS_TYPE_MX, 0, { "an @ 300 MX 10 a\\032b.test" },
		.expected = BAD_HOST },
	{ "addresses, doubles dropped", DNS_TYPE_A, 0,
		{ "an @ 300 A 192.0.2.1", "an @ 60 A 192.0.2.2", "an @ 300 A 192.0.2.1" },
		.expected = "ok 60: 192.0.2.1, 192.0.2.2" },
	{ "IPv6 addresses", DNS_TYPE_AAAA, 0,
		{ "an @ 300 AAAA 2001:db8::1", "an @ 300 AAAA 2001:db8::2" },
		.expected = "ok 300: 2001:db8::1, 2001:db8::2" },

	{ "a CNAME chain", DNS_TYPE_A, 0,
		{ "an @ 300 CNAME a.test", "an a.test 50 CNAME b.test",
			"an B.test 300 A 192.0.2.1" },
		.expected = "ok 50: 192.0.2.1" },
	{ "a CNAME chain out of order", DNS_TYPE_MX, 0,
		{ "an b.test 300 MX 10 mx.test", "an a.test 300 CNAME b.test",
			"an @ 300 CNAME a.test" },
		.expected = "ok 300: 10 mx.test" },
	{ "records of other names are ignored", DNS_TYPE_MX, 0,
		{ "an evil.test 300 MX 1 evil.test", "an @ 300 MX 10 mx.test" },
		.expected = "ok 300: 10 mx.test" },
	{ "only records of other names", DNS_TYPE_MX, 0,
		{ "an evil.test 300 MX 1 evil.test" }, .expected = STRANGERS },
	{ "only records of other types", DNS_TYPE_A, 0, { "an @ 300 TXT 0161" },
		.expected = STRANGERS },
	{ "only records of other names, with an SOA", DNS_TYPE_A, 0,
		{ "an evil.test 300 A 192.0.2.1", "ns test 60 SOA 60" },
		.expected = STRANGERS },
	{ "no such name, with records of others", DNS_TYPE_A, WIRE_NXDOMAIN,
		{ "an evil.test 300 A 192.0.2.1" }, .expected = STRANGERS },
	{ "an alias of the root", DNS_TYPE_MX, 0, { "an @ 300 CNAME ." },
		.expected = NOWHERE },
	{ "an alias of the root, and that it has nothing", DNS_TYPE_MX, 0,
		{ "an @ 300 CNAME .", "ns . 60 SOA 60" }, .expected = "no data 60" },
	{ "a chain that leads away from the records", DNS_TYPE_A, 0,
		{ "an @ 300 CNAME a.test", "an b.test 300 A 192.0.2.1" },
		.expected = "no data 0" },
	{ "a CNAME loop", DNS_TYPE_A, 0,
		{ "an @ 300 CNAME a.test", "an a.test 300 CNAME @" },
		.expected = BAD_CHAIN },
	{ "a CNAME of itself", DNS_TYPE_A, 0, { "an @ 300 CNAME @" },
		.expected = BAD_CHAIN },
	{ "two CNAMEs of one name", DNS_TYPE_A, 0,
		{ "an @ 300 CNAME a.test", "an @ 300 CNAME b.test",
			"an a.test 300 A 192.0.2.1" },
		.expected = MALFORMED "one name has two different CNAME records" },
	{ "a CNAME beside an MX", DNS_TYPE_MX, 0,
		{ "an @ 300 CNAME a.test", "an @ 300 MX 10 mx.test" },
		.expected = MALFORMED "a name has a CNAME record and others beside it" },

	{ "no data", DNS_TYPE_MX, 0, { "ns test 200 SOA 100" },
		.expected = "no data 100" },
	{ "no data, the TTL of the SOA is less", DNS_TYPE_MX, 0, { "ns test 60 SOA 100" },
		.expected = "no data 60" },
	{ "no data, a minimum of hours", DNS_TYPE_MX, 0, { "ns test 9000 SOA 9000" },
		.expected = "no data 300" },
	{ "no data, no SOA: not to be kept", DNS_TYPE_MX, 0, { NULL },
		.expected = "no data 0" },
	{ "no data at the end of a chain", DNS_TYPE_MX, 0,
		{ "an @ 40 CNAME a.test", "ns test 200 SOA 100" },
		.expected = "no data 40" },
	{ "no such name", DNS_TYPE_MX, WIRE_NXDOMAIN, { "ns test 200 SOA 100" },
		.expected = "no name 100" },
	{ "no such name, said securely", DNS_TYPE_MX, WIRE_NXDOMAIN | WIRE_AD,
		{ "ns test 200 SOA 100" }, .expected = "no name 100 secure" },
	{ "an alias of no such name", DNS_TYPE_A, WIRE_NXDOMAIN,
		{ "an @ 300 CNAME gone.test", "ns test 200 SOA 100" },
		.expected = "no name 100" },
	{ "no such name, with records", DNS_TYPE_A, WIRE_NXDOMAIN,
		{ "an @ 300 A 192.0.2.1" },
		.expected = MALFORMED
		"it says that the name does not exist and gives records of it" },
	{ "a referral", DNS_TYPE_MX, 0, { "ns test 300 NS ns.other.test" },
		.expected = REFERRAL },
	{ "no data with authority and SOA", DNS_TYPE_MX, 0,
		{ "ns test 300 NS ns.test", "ns test 60 SOA 60" },
		.expected = "no data 60" },
	{ "no data from an authority", DNS_TYPE_MX, WIRE_AA, { "ns test 300 NS ns.test" },
		.expected = "no data 0" },
	{ "a broken SOA", DNS_TYPE_MX, 0, { "ns test 300 #6 0000" },
		.expected = MALFORMED "the SOA record is broken" },
	{ "a SOA that ends in its names", DNS_TYPE_MX, 0, { "ns test 300 #6 00" },
		.expected = MALFORMED "the SOA record is broken" },

	{ "FORMERR", DNS_TYPE_MX, WIRE_FORMERR, { NULL },
		.expected = "temporary: FORMERR" },
	{ "SERVFAIL", DNS_TYPE_MX, WIRE_SERVFAIL, { NULL },
		.expected = "temporary: SERVFAIL" },
	{ "NOTIMP", DNS_TYPE_MX, WIRE_NOTIMP, { NULL }, .expected = "temporary: NOTIMP" },
	{ "REFUSED", DNS_TYPE_MX, WIRE_REFUSED, { NULL },
		.expected = "temporary: REFUSED" },
	{ "YXDOMAIN", DNS_TYPE_MX, 6, { NULL },
		.expected = "temporary: response code 6" },
	{ "BADVERS is not an empty answer", DNS_TYPE_MX, 0, { "ar . 16777216 OPT" },
		.expected = "temporary: BADVERS" },
	{ "an extended code that looks like NXDOMAIN", DNS_TYPE_MX, WIRE_NXDOMAIN,
		{ "ar . 16777216 OPT" }, .expected = "temporary: response code 19" },
	{ "SERVFAIL with records", DNS_TYPE_MX, WIRE_SERVFAIL,
		{ "an @ 300 MX 10 mx.test" }, .expected = "temporary: SERVFAIL" },

	{ "truncated", DNS_TYPE_MX, WIRE_TC, { "an @ 300 MX 10 mx.test" },
		.expected = MALFORMED "it is truncated" },
	{ "a question and not an answer", DNS_TYPE_MX, 0x8000, { NULL },
		.expected = MALFORMED "it is not an answer to a query" },
	{ "a status instead of a query", DNS_TYPE_MX, 0x1000, { NULL },
		.expected = MALFORMED "it is not an answer to a query" },
	{ "another name in the question", DNS_TYPE_MX, 0, { NULL }, .expected = OTHER,
		.question = "example.tes" },
	{ "another type in the question", DNS_TYPE_MX, 0, { NULL }, .expected = OTHER,
		.question_type = DNS_TYPE_A },
	{ "an MX without a body", DNS_TYPE_MX, 0, { "an @ 300 #15" },
		.expected = BAD_BODY },
	{ "an MX of a preference alone", DNS_TYPE_MX, 0, { "an @ 300 #15 0000" },
		.expected = BAD_BODY },
	{ "an MX with an octet too many", DNS_TYPE_MX, 0, { "an @ 300 #15 00000000" },
		.expected = BAD_BODY },
	{ "an MX whose name goes on after it", DNS_TYPE_MX, 0,
		{ "an @ 300 #15 000a03", "an @ 300 MX 10 mx.test" },
		.expected = BAD_BODY },
	{ "an MX that points at itself", DNS_TYPE_MX, 0, { "an @ 300 #15 000ac02c" },
		.expected = BAD_BODY },
	{ "an MX that points behind the message", DNS_TYPE_MX, 0,
		{ "an @ 300 #15 000affff" }, .expected = BAD_BODY },
	{ "an MX with a reserved label type", DNS_TYPE_MX, 0, { "an @ 300 #15 000a8161" },
		.expected = BAD_BODY },
	{ "one broken MX among good ones", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 10 mx.test", "an @ 300 #15" }, .expected = BAD_BODY },
	{ "a broken MX of another name", DNS_TYPE_MX, 0,
		{ "an @ 300 MX 10 mx.test", "an evil.test 300 #15" },
		.expected = BAD_BODY },
	{ "an address of three octets", DNS_TYPE_A, 0, { "an @ 300 #1 c00002" },
		.expected = BAD_BODY },
	{ "an IPv6 address of four octets", DNS_TYPE_AAAA, 0, { "an @ 300 #28 c0000201" },
		.expected = BAD_BODY },
	{ "a CNAME without a body", DNS_TYPE_A, 0, { "an @ 300 #5" },
		.expected = BAD_BODY },
	{ "a count that promises more", DNS_TYPE_MX, 0, { "an @ 300 MX 10 mx.test" },
		.expected = BAD_COUNTS, .lie = 1 },
	{ "a count that hides a record", DNS_TYPE_MX, 0, { "an @ 300 MX 10 mx.test" },
		.expected = BAD_COUNTS, .lie = -1 },
	{ "a count of 65535", DNS_TYPE_MX, 0, { NULL }, .expected = BAD_COUNTS,
		.lie = 65535 },
};

static void build(const struct parse_case *c, struct wire *w)
{
	wire_begin(w, 1, (uint16_t)(WIRE_OK ^ c->flags));
	wire_question(w, c->question ? c->question : "example.test",
		c->question_type ? c->question_type : (int)c->type);
	for (size_t i = 0; i < ARRAY_SIZE(c->records) && c->records[i]; i++)
		wire_record(w, c->records[i]);
	wire_u16_at(w, 6, wire_get_u16(w->bytes + 6) + (unsigned)c->lie);
}

/* The copy has the exact size, so that ASan sees a read behind the end. */
static void parse(const struct wire *w, size_t len, enum dns_type type, struct buf *out)
{
	unsigned char *exact = xmemdup(w->bytes, len);
	struct dns_reply *reply = dns_parse(exact, len, "example.test", type);
	describe(&reply->answer, out);
	dns_reply_unref(&reply);
	free(exact);
}

static void answers_are_read_as_the_table_says(void **state)
{
	(void)state;
	static struct wire w;
	struct buf text = BUF_INIT;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		build(&cases[i], &w);
		parse(&w, w.len, cases[i].type, &text);
		if (strcmp(buf_text(&text), cases[i].expected) != 0)
			fail_msg("%s: got \"%s\", expected \"%s\"", cases[i].name,
				buf_text(&text), cases[i].expected);
	}
	buf_clear(&text);
}

static void a_message_cut_anywhere_is_a_temporary_failure(void **state)
{
	(void)state;
	static struct wire w;
	struct buf text = BUF_INIT;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].lie < 0)
			continue; /* cut in the right place it is whole */
		build(&cases[i], &w);
		for (size_t len = 0; len < w.len; len++) {
			parse(&w, len, cases[i].type, &text);
			if (strncmp(buf_text(&text), "temporary: ", 11) != 0)
				fail_msg("%s cut to %zu octets: got \"%s\"",
					cases[i].name, len, buf_text(&text));
		}
	}
	buf_clear(&text);
}

static void octets_after_the_records_are_malformed(void **state)
{
	(void)state;
	static struct wire w;
	struct buf text = BUF_INIT;
	build(&cases[0], &w);
	wire_bytes(&w, "", 1);
	parse(&w, w.len, DNS_TYPE_MX, &text);
	assert_string_equal(buf_text(&text), BAD_COUNTS);
	buf_clear(&text);
}

static void an_owner_that_points_at_itself_is_malformed(void **state)
{
	(void)state;
	static struct wire w;
	struct buf text = BUF_INIT;
	build(&cases[0], &w);
	/* The first record begins after header and question. */
	size_t at = 12 + sizeof("\007example\004test") + 4;
	assert_int_equal(wire_get_u16(w.bytes + at), 0xc00c);
	wire_u16_at(&w, at, 0xc000 | (unsigned)at);
	parse(&w, w.len, DNS_TYPE_MX, &text);
	assert_string_equal(buf_text(&text), BAD_RECORD);
	buf_clear(&text);
}

static void a_record_of_another_class_is_malformed(void **state)
{
	(void)state;
	static struct wire w;
	struct buf text = BUF_INIT;
	build(&cases[0], &w);
	size_t at = 12 + sizeof("\007example\004test") + 4 + 4;
	assert_int_equal(wire_get_u16(w.bytes + at), 1);
	wire_u16_at(&w, at, 3);
	parse(&w, w.len, DNS_TYPE_MX, &text);
	assert_string_equal(buf_text(&text),
		MALFORMED "a record is of a class that was not asked for");
	buf_clear(&text);
}

static void chain_of(struct wire *w, int aliases)
{
	char line[128], owner[24] = "@";
	wire_begin(w, 1, WIRE_OK);
	wire_question(w, "example.test", DNS_TYPE_A);
	for (int i = 0; i < aliases; i++) {
		snprintf(line, sizeof(line), "an %s 300 CNAME c%d.test", owner, i);
		wire_record(w, line);
		snprintf(owner, sizeof(owner), "c%d.test", i);
	}
	snprintf(line, sizeof(line), "an %s 300 A 192.0.2.1", owner);
	wire_record(w, line);
}

static void a_chain_may_have_sixteen_aliases_and_no_more(void **state)
{
	(void)state;
	static struct wire w;
	struct buf text = BUF_INIT;
	chain_of(&w, 16);
	parse(&w, w.len, DNS_TYPE_A, &text);
	assert_string_equal(buf_text(&text), "ok 300: 192.0.2.1");
	chain_of(&w, 17);
	parse(&w, w.len, DNS_TYPE_A, &text);
	assert_string_equal(buf_text(&text), BAD_CHAIN);
	buf_clear(&text);
}

static void of_many_mx_the_best_hundred_are_kept(void **state)
{
	(void)state;
	static struct wire w;
	char line[128];
	bool seen[150] = { false };
	wire_begin(&w, 1, WIRE_OK);
	wire_question(&w, "example.test", DNS_TYPE_MX);
	for (int i = 0; i < 150; i++) {
		/* 7 and 150 have no common divisor: every preference once. */
		snprintf(line, sizeof(line), "an @ 300 MX %d mx.test", i * 7 % 150);
		wire_record(&w, line);
	}
	struct dns_reply *r = dns_parse(w.bytes, w.len, "example.test", DNS_TYPE_MX);
	assert_int_equal(r->answer.status, DNS_OK);
	assert_int_equal(r->answer.mx_count, DNS_MX_MAX);
	for (size_t i = 0; i < DNS_MX_MAX; i++) {
		assert_true(r->answer.mx[i].preference < DNS_MX_MAX);
		assert_false(seen[r->answer.mx[i].preference]);
		seen[r->answer.mx[i].preference] = true;
	}
	dns_reply_unref(&r);
}

static void of_many_addresses_the_first_are_kept(void **state)
{
	(void)state;
	static struct wire w;
	char line[128];
	wire_begin(&w, 1, WIRE_OK);
	wire_question(&w, "example.test", DNS_TYPE_A);
	for (int i = 0; i < 2 * DNS_ADDR_MAX; i++) {
		snprintf(line, sizeof(line), "an @ 300 A 192.0.2.%d", i);
		wire_record(&w, line);
	}
	struct dns_reply *r = dns_parse(w.bytes, w.len, "example.test", DNS_TYPE_A);
	assert_int_equal(r->answer.addr_count, DNS_ADDR_MAX);
	addr_format(&r->answer.addrs[DNS_ADDR_MAX - 1], line);
	assert_string_equal(line, "192.0.2.31");
	dns_reply_unref(&r);
}

/* Always the same run of numbers. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void check_invariants(const struct dns_answer *a)
{
	if (a->status == DNS_OK)
		assert_true(a->mx_count + a->addr_count > 0);
	else
		assert_int_equal(a->mx_count + a->addr_count, 0);
	assert_true(a->ttl_s <= 86400);
	assert_int_equal(a->status == DNS_TEMPORARY, *a->text != '\0');
	for (size_t i = 0; i < a->mx_count; i++)
		assert_true(!*a->mx[i].host || dns_name_is_usable(a->mx[i].host));
}

static void damaged_messages_never_break_an_invariant(void **state)
{
	(void)state;
	static struct wire w;
	uint32_t seed = 20261121;
	for (int round = 0; round < 20000; round++) {
		const struct parse_case *c = &cases[round % (int)ARRAY_SIZE(cases)];
		build(c, &w);
		for (uint32_t n = next_random(&seed) % 4 + 1; n; n--)
			w.bytes[next_random(&seed) % w.len] =
				(unsigned char)next_random(&seed);
		unsigned char *exact = xmemdup(w.bytes, w.len);
		struct dns_reply *r = dns_parse(exact, w.len, "example.test", c->type);
		check_invariants(&r->answer);
		dns_reply_unref(&r);
		free(exact);
	}
}

static void noise_is_a_temporary_failure(void **state)
{
	(void)state;
	unsigned char noise[96];
	uint32_t seed = 1;
	for (int round = 0; round < 5000; round++) {
		size_t len = next_random(&seed) % sizeof(noise);
		for (size_t i = 0; i < len; i++)
			noise[i] = (unsigned char)next_random(&seed);
		struct dns_reply *r = dns_parse(noise, len, "example.test", DNS_TYPE_MX);
		assert_int_equal(r->answer.status, DNS_TEMPORARY);
		dns_reply_unref(&r);
	}
}

static void names_that_can_be_asked(void **state)
{
	(void)state;
	static const char *const usable[] = { "a", "example.test", "_x.a-b.test",
		"xn--r8jz45g.jp", "192.0.2.1", LABEL_63 "x.test" };
	static const char *const unusable[] = { "", ".", "a.", ".a", "a..b", "a b",
		"a\\.b", "a@b", "a\nb", "\xe4.test", LABEL_63 "xy.test" };
	for (size_t i = 0; i < ARRAY_SIZE(usable); i++)
		assert_true(dns_name_is_usable(usable[i]));
	for (size_t i = 0; i < ARRAY_SIZE(unusable); i++)
		assert_false(dns_name_is_usable(unusable[i]));
	char name[255 + 1];
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	name[253] = '\0';
	assert_true(dns_name_is_usable(name));
	memcpy(name + 252, "aa", 3);
	assert_false(dns_name_is_usable(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_as_the_table_says),
		cmocka_unit_test(a_message_cut_anywhere_is_a_temporary_failure),
		cmocka_unit_test(octets_after_the_records_are_malformed),
		cmocka_unit_test(an_owner_that_points_at_itself_is_malformed),
		cmocka_unit_test(a_record_of_another_class_is_malformed),
		cmocka_unit_test(a_chain_may_have_sixteen_aliases_and_no_more),
		cmocka_unit_test(of_many_mx_the_best_hundred_are_kept),
		cmocka_unit_test(of_many_addresses_the_first_are_kept),
		cmocka_unit_test(damaged_messages_never_break_an_invariant),
		cmocka_unit_test(noise_is_a_temporary_failure),
		cmocka_unit_test(names_that_can_be_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
