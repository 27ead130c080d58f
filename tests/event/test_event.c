#include "event/event.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct verdict_case {
	const char *name;
	const char *channel, *rule, *rule_text, *outcome, *failure;
	int code; /* of the recipient */
	const char *enhanced;
	const char *session_enhanced; /* of the attempt's reply */
	const char *status;
	bool marked, is_failure, is_downgrade;
};

static const struct verdict_case verdict_cases[] = {
	{ .name = "a delivery keeps the remote code",
		.outcome = "delivered",
		.code = 250,
		.enhanced = "2.1.5",
		.status = "2.1.5" },
	{ .name = "a delivery without an enhanced code is 2.0.0",
		.outcome = "delivered",
		.code = 250,
		.status = "2.0.0" },
	{ .name = "a bounce keeps the remote code",
		.outcome = "bounced",
		.failure = "smtp_permanent",
		.code = 550,
		.enhanced = "5.1.1",
		.status = "5.1.1",
		.is_failure = true },
	{ .name = "a 5xx to STARTTLS defers with a 4.x.x code",
		.outcome = "deferred",
		.failure = "starttls_refused",
		.session_enhanced = "5.7.0",
		.status = "4.7.0",
		.is_failure = true },
	{ .name = "no connection is 4.4.1",
		.outcome = "deferred",
		.failure = "connect",
		.status = "4.4.1",
		.is_failure = true },
	{ .name = "no address is 4.4.3",
		.outcome = "deferred",
		.failure = "dns",
		.status = "4.4.3",
		.is_failure = true },
	{ .name = "a failed handshake is 4.7.5",
		.outcome = "deferred",
		.failure = "tls_handshake",
		.status = "4.7.5",
		.is_failure = true },
	{ .name = "doubt is no delivery",
		.outcome = "in_doubt",
		.failure = "in_doubt",
		.status = "4.4.2",
		.is_failure = true },
	{ .name = "an enhanced code with too much in it is not used",
		.outcome = "deferred",
		.failure = "smtp_temporary",
		.code = 451,
		.enhanced = "4.7.1 x",
		.status = "4.0.0",
		.is_failure = true },
	{ .name = "an enhanced code with too many digits is not used",
		.outcome = "bounced",
		.code = 550,
		.enhanced = "5.1000.1",
		.status = "5.0.0",
		.is_failure = true },
	{ .name = "an enhanced code that is cut short is not used",
		.outcome = "bounced",
		.code = 550,
		.enhanced = "5.1",
		.status = "5.0.0",
		.is_failure = true },
	{ .name = "plaintext by the exclude list is no downgrade",
		.channel = "plaintext",
		.rule = "nomtatsl.txt:3",
		.outcome = "delivered",
		.status = "2.0.0" },
	{ .name = "plaintext because the host offers nothing else is no downgrade",
		.channel = "plaintext",
		.rule = "default",
		.failure = "no_starttls",
		.outcome = "delivered",
		.status = "2.0.0" },
	{ .name = "plaintext because of the fallback is a downgrade",
		.channel = "plaintext",
		.rule = "fallback",
		.outcome = "delivered",
		.status = "2.0.0",
		.is_downgrade = true },
	{ .name = "plaintext because of a fallback that was configured is a downgrade",
		.channel = "plaintext",
		.rule = "hikyaku.conf:3",
		.rule_text = "fallback = alternate: plaintext is due",
		.outcome = "delivered",
		.status = "2.0.0",
		.is_downgrade = true },
	{ .name = "plaintext that is marked as a downgrade is one",
		.channel = "plaintext",
		.rule = "hikyaku.conf:3",
		.marked = true,
		.outcome = "delivered",
		.status = "2.0.0",
		.is_downgrade = true },
	{ .name = "plaintext after a refused STARTTLS is a downgrade",
		.channel = "plaintext",
		.rule = "default",
		.failure = "starttls_refused",
		.outcome = "delivered",
		.status = "2.0.0",
		.is_downgrade = true },
	{ .name = "given up after a passing failure",
		.outcome = "bounced",
		.failure = "tls_handshake",
		.status = "5.4.7",
		.is_failure = true },
	{ .name = "a verdict of our own, without a reply, has its status",
		.outcome = "bounced",
		.failure = "dns",
		.enhanced = "5.4.4",
		.status = "5.4.4",
		.is_failure = true },
	{ .name = "a refused STARTTLS on a channel that stayed tls is no downgrade",
		.channel = "tls",
		.rule = "fallback",
		.failure = "starttls_refused",
		.outcome = "deferred",
		.status = "4.7.0",
		.is_failure = true },
};

static void the_verdict_follows_the_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdict_cases); i++) {
		const struct verdict_case *c = &verdict_cases[i];
		struct event_attempt a = { 0 };
		char status[EVENT_STATUS_MAX];
		a.downgraded = c->marked;
		event_set(&a, &a.channel, c->channel);
		event_set(&a, &a.rule, c->rule);
		event_set(&a, &a.rule_text, c->rule_text);
		event_set(&a, &a.outcome, c->outcome);
		event_set(&a, &a.failure, c->failure);
		event_reply_set(&a, &a.reply, c->session_enhanced ? 500 : 0,
			c->session_enhanced, NULL);
		struct event_recipient *r =
			event_attempt_add_recipient(&a, "a@example.org", c->outcome);
		event_reply_set(&a, &r->reply, c->code, c->enhanced, "text");
		event_attempt_status(&a, 0, status);
		if (strcmp(status, c->status) != 0 ||
			event_attempt_is_failure(&a) != c->is_failure ||
			event_attempt_is_downgrade(&a) != c->is_downgrade)
			fail_msg("%s: status %s, failure %d, downgrade %d", c->name,
				status, event_attempt_is_failure(&a),
				event_attempt_is_downgrade(&a));
		event_attempt_clear(&a);
	}
}

static void one_recipient_of_many_makes_it_a_failure(void **state)
{
	(void)state;
	struct event_attempt a = { 0 };
	event_set(&a, &a.outcome, "delivered");
	event_attempt_add_recipient(&a, "a@example.org", "delivered");
	assert_false(event_attempt_is_failure(&a));
	event_attempt_add_recipient(&a, "b@example.org", "bounced");
	assert_true(event_attempt_is_failure(&a));
	event_attempt_clear(&a);
	assert_int_equal(a.recipient_count, 0);
	event_attempt_clear(&a); /* an empty record may be cleared */
}

static void setting_a_field_copies_and_replaces(void **state)
{
	(void)state;
	struct event_attempt a = { 0 };
	char text[] = "one";
	event_set(&a, &a.mx, text);
	text[0] = 'x';
	assert_string_equal(a.mx, "one");
	event_set(&a, &a.mx, a.mx); /* its own value */
	assert_string_equal(a.mx, "one");
	event_set(&a, &a.mx, NULL);
	assert_null(a.mx);
	event_attempt_clear(&a);
}

/* Texts of all lengths, more than the record has room for at first. */
static void a_record_keeps_many_texts(void **state)
{
	(void)state;
	struct event_attempt a = { 0 };
	char text[3000];
	for (size_t i = 0; i < 200; i++) {
		size_t len = i * 997 % sizeof(text);
		memset(text, 'a' + (int)(i % 26), len);
		text[len] = '\0';
		struct event_recipient *r =
			event_attempt_add_recipient(&a, text, "deferred");
		event_reply_set(&a, &r->reply, 450, "4.2.0", text);
	}
	for (size_t i = 0; i < 200; i++) {
		const struct event_recipient *r = &a.recipients[i];
		size_t len = i * 997 % sizeof(text);
		assert_int_equal(strlen(r->address), len);
		assert_string_equal(r->reply.text, r->address);
		assert_int_equal(
			strspn(r->address, (char[]){ (char)('a' + i % 26), 0 }), len);
		assert_string_equal(r->outcome, "deferred");
	}
	event_attempt_clear(&a);
}

static void an_id_is_sixteen_digits(void **state)
{
	(void)state;
	char id[EVENT_ID_MAX];
	event_id_format(0x1abcdef, id);
	assert_string_equal(id, "0000000001ABCDEF");
	event_id_format(INT64_MAX, id);
	assert_string_equal(id, "7FFFFFFFFFFFFFFF");
}

static const struct place_case {
	const char *mx, *address;
	unsigned port;
	const char *text;
} place_cases[] = {
	{ "mx1.example.com", "192.0.2.1", 25, "mx1.example.com at 192.0.2.1" },
	{ "mx1.example.com", "192.0.2.1", 2525, "mx1.example.com at 192.0.2.1:2525" },
	{ "mx1.example.com", "2001:db8::1", 25, "mx1.example.com at 2001:db8::1" },
	{ "mx1.example.com", "2001:db8::1", 465, "mx1.example.com at [2001:db8::1]:465" },
	{ "[192.0.2.1]", "192.0.2.1", 25, "192.0.2.1" },
	{ "[192.0.2.1]", "192.0.2.1", 587, "192.0.2.1:587" },
	{ "[IPv6:2001:db8::1]", "2001:db8::1", 587, "[2001:db8::1]:587" },
	{ "[192.0.2.1]", NULL, 587, "[192.0.2.1]" },
	{ "mx1.example.com", NULL, 587, "mx1.example.com" },
	{ "/run/lmtp", NULL, 0, "/run/lmtp" },
};

static void a_place_has_its_port_where_it_is_not_that_of_smtp(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(place_cases); i++) {
		const struct place_case *c = &place_cases[i];
		const struct event_attempt a = {
			.mx = c->mx, .address = c->address, .port = (uint16_t)c->port
		};
		struct buf out = BUF_INIT;
		event_attempt_place(&a, &out);
		assert_string_equal(buf_text(&out), c->text);
		buf_clear(&out);
	}
}

struct counts {
	int attempts, handshakes;
};

static void count_attempt(void *arg, const struct event_attempt *a)
{
	(void)a;
	((struct counts *)arg)->attempts++;
}

static void count_handshake(void *arg, const struct event_tls_handshake *h)
{
	(void)h;
	((struct counts *)arg)->handshakes++;
}

static void the_hub_reaches_every_sink_that_wants_it(void **state)
{
	(void)state;
	struct counts both = { 0 }, one = { 0 };
	const struct event_sink all = { count_attempt, count_handshake, &both };
	const struct event_sink some = { .handshake = count_handshake, .arg = &one };
	struct event_hub hub = { 0 };
	event_hub_add(&hub, &all);
	event_hub_add(&hub, &some);
	event_hub_attempt(&hub, &(struct event_attempt){ 0 });
	event_hub_handshake(&hub, &(struct event_tls_handshake){ 0 });
	assert_int_equal(both.attempts, 1);
	assert_int_equal(both.handshakes, 1);
	assert_int_equal(one.attempts, 0);
	assert_int_equal(one.handshakes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_follows_the_outcome),
		cmocka_unit_test(one_recipient_of_many_makes_it_a_failure),
		cmocka_unit_test(a_record_keeps_many_texts),
		cmocka_unit_test(setting_a_field_copies_and_replaces),
		cmocka_unit_test(a_place_has_its_port_where_it_is_not_that_of_smtp),
		cmocka_unit_test(an_id_is_sixteen_digits),
		cmocka_unit_test(the_hub_reaches_every_sink_that_wants_it),
	};
	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
