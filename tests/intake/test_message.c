/* A message at intake: what becomes of addresses, content and the trace. */
#include "intake_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct intake_message *begin(struct hall *h)
{
	struct intake_message *m = intake_message_new(h->intake);
	assert_int_equal(intake_set_sender(m, "<a@x.test>", 10, NULL), 0);
	return m;
}

static int add(struct intake_message *m, const char *address, struct err *e)
{
	return intake_add_recipient(m, address, strlen(address), 0, NULL, e);
}

static int put_text(struct intake_message *m, const char *text, struct err *e)
{
	return intake_write(m, text, strlen(text), e);
}

struct answer {
	unsigned calls;
	int64_t id;
	enum err_code code;
};

static void on_done(void *arg, int64_t id, const struct err *e)
{
	struct answer *a = arg;
	a->calls++;
	a->id = id;
	a->code = e ? e->code : ERR_OK;
}

/* The stored content of a whole message. */
static char *store(struct hall *h, struct intake_message *m)
{
	struct answer a = { 0 };
	struct err e = { 0 };
	size_t len;
	if (intake_commit(&m, on_done, &a, &e) != 0)
		fail_msg("%s", e.text);
	assert_null(m);
	assert_int_equal(a.calls, 0); /* never from inside the call */
	hall_wait(h);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.code, ERR_OK);
	char *body = body_of(h->store, a.id, &len);
	assert_int_equal(strlen(body), len);
	return body;
}

static const struct {
	const char *name;
	struct intake_trace trace;
	const char *field; /* up to the id */
} traces[] = {
	{ "over TCP",
		{ .from = "mail.x.test", .peer = "[192.0.2.1]", .protocol = "ESMTP" },
		"Received: from mail.x.test ([192.0.2.1])\r\n"
		"\tby host.test (hikyaku) with ESMTP\r\n\tid " },
	{ "over a unix socket",
		{ .from = "x", .peer = "local socket", .protocol = "LMTP" },
		"Received: from x (local socket)\r\n"
		"\tby host.test (hikyaku) with LMTP\r\n\tid " },
	{ "nobody said a name", { .from = "", .peer = "[192.0.2.1]" },
		"Received: from unknown ([192.0.2.1])\r\n"
		"\tby host.test (hikyaku)\r\n\tid " },
	{ "a name that would end the field",
		{ .from = "x\r\nSubject: (y\\) <z>;\x80\x7f", .peer = "[192.0.2.1]" },
		"Received: from x??Subject:??y????z???? ([192.0.2.1])\r\n"
		"\tby host.test (hikyaku)\r\n\tid " },
	{ "with a note", { .note = "from XMail" },
		"Received: by host.test (hikyaku, from XMail)\r\n\tid " },
};

static void the_received_field_tells_the_door(void **state)
{
	struct hall *h = *state;
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		struct intake_message *m = begin(h);
		assert_int_equal(add(m, "b@y.test", NULL), 0);
		intake_set_trace(m, &traces[i].trace);
		put_text(m, "Subject: x\n\nx\n", NULL);
		OWN(mem_free) char *body = store(h, m);
		if (strncmp(body, traces[i].field, strlen(traces[i].field)) != 0)
			fail_msg("%s: %s", traces[i].name, body);
		/* The id, the date, and then what came. */
		char *rest = strstr(body + strlen(traces[i].field), "\r\n");
		assert_string_equal(rest, "\r\nSubject: x\r\n\r\nx\r\n");
	}
}

static void a_long_name_is_cut(void **state)
{
	struct hall *h = *state;
	char name[5000];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct intake_message *m = begin(h);
	assert_int_equal(add(m, "b@y.test", NULL), 0);
	intake_set_trace(m, &(struct intake_trace){ .from = name, .peer = "[::1]" });
	put_text(m, "x\n", NULL);
	OWN(mem_free) char *body = store(h, m);
	assert_in_range(strcspn(body, "\r"), 255, 300);
}

static const struct {
	const char *address, *enhanced, *text;
} bad_recipients[] = {
	{ "<b@>", "5.1.3", "recipient \"<b@>\"" },
	{ "<@a.test:b@y.test>", "5.1.3", "recipient" },
	{ "b\r\nDATA@y.test", "5.1.3", "recipient" },
	{ "b@-.test-", "5.1.3", "recipient" },
};

static void bad_addresses_have_their_codes(void **state)
{
	struct hall *h = *state;
	struct err e = { 0 };
	for (size_t i = 0; i < ARRAY_SIZE(bad_recipients); i++) {
		struct intake_message *m = begin(h);
		assert_int_equal(add(m, bad_recipients[i].address, &e), ERR_INVALID);
		assert_string_equal(intake_enhanced_code(m), bad_recipients[i].enhanced);
		if (!strstr(e.text, bad_recipients[i].text))
			fail_msg("%s", e.text);
		assert_int_equal(intake_recipient_count(m), 0);
		intake_message_free(&m);
	}
	struct intake_message *m = begin(h);
	assert_int_equal(intake_set_sender(m, "<a@b@>", 6, &e), ERR_INVALID);
	assert_string_equal(intake_enhanced_code(m), "5.1.7");
	intake_message_free(&m);
}

static void a_recipient_is_taken_once_and_quickly(void **state)
{
	struct hall *h = *state;
	struct intake_message *m = begin(h);
	char address[60];
	assert_int_equal(add(m, "b@Y.test", NULL), 0);
	assert_int_equal(add(m, "<b@y.TEST>", NULL), 0);
	assert_int_equal(intake_recipient_count(m), 1);
	assert_int_equal(add(m, "B@y.test", NULL), 0); /* the receiver's business */
	assert_int_equal(add(m, "postmaster", NULL), 0);
	assert_int_equal(add(m, "postmaster@host.test", NULL), 0);
	assert_int_equal(intake_recipient_count(m), 3);
	for (int i = 0; i < 50000; i++) {
		snprintf(address, sizeof(address), "user%d@y.test", i);
		assert_int_equal(add(m, address, NULL), 0);
	}
	assert_int_equal(intake_recipient_count(m), 50003);
	intake_message_free(&m);
}

static void what_is_wrong_with_content_has_its_code(void **state)
{
	struct hall *h = *state;
	struct err e = { 0 };
	h->config->max_message_size = 10;
	struct intake_message *m = begin(h);
	assert_int_equal(put_text(m, "0123456789", &e), 0);
	assert_int_equal(put_text(m, "x", &e), ERR_LIMIT);
	assert_string_equal(intake_enhanced_code(m), "5.3.4");
	assert_non_null(strstr(e.text, "10 octets"));
	intake_message_free(&m);
	m = begin(h);
	assert_int_equal(intake_write(m, "a\0b", 3, &e), ERR_INVALID);
	assert_string_equal(intake_enhanced_code(m), "5.6.0");
	intake_message_free(&m);
	assert_int_equal(hall_message_count(h), 0);
}

static void a_message_that_goes_round_is_refused(void **state)
{
	struct hall *h = *state;
	struct answer a = { 0 };
	struct err e = { 0 };
	for (int fields = 100; fields <= 101; fields++) {
		struct intake_message *m = begin(h);
		assert_int_equal(add(m, "b@y.test", NULL), 0);
		for (int i = 0; i < fields; i++)
			put_text(m, "Received: by x\r\n", NULL);
		put_text(m, "\r\n", NULL);
		int rc = intake_commit(&m, on_done, &a, &e);
		assert_int_equal(rc, fields == 100 ? 0 : ERR_INVALID);
		if (rc != 0)
			assert_string_equal(intake_enhanced_code(m), "5.4.6");
		intake_message_free(&m);
	}
	hall_wait(h);
	assert_int_equal(hall_message_count(h), 1);
}

static void nothing_stays_of_a_message_that_is_given_up(void **state)
{
	struct hall *h = *state;
	struct intake_message *m = begin(h);
	OWN(mem_free) char *big = xcalloc(1, 1 << 20);
	memset(big, 'x', 1 << 20);
	assert_int_equal(add(m, "b@y.test", NULL), 0);
	assert_int_equal(intake_write(m, big, 1 << 20, NULL), 0);
	assert_true(intake_backlog(m) <= 1 << 20);
	hall_wait(h);
	assert_int_equal(intake_backlog(m), 0);
	assert_true(sql(h->store, "SELECT COUNT(*) FROM chunk") > 0);
	intake_message_free(&m);
	hall_wait(h);
	assert_int_equal(hall_message_count(h), 0);
	assert_int_equal(sql(h->store, "SELECT COUNT(*) FROM chunk"), 0);
}

/* A process that ends: what the queue has been given it keeps. */
static void what_is_with_the_queue_outlives_the_intake(void **state)
{
	struct hall *h = *state;
	struct answer a = { 0 };
	struct queue_port *port = queue_port_new(h->store->queue, NULL, NULL);
	struct intake *in = intake_new(h->config, port);
	struct intake_message *m = intake_message_new(in);
	assert_int_equal(intake_set_sender(m, "", 0, NULL), 0);
	assert_int_equal(add(m, "b@y.test", NULL), 0);
	put_text(m, "x\n", NULL);
	assert_int_equal(intake_commit(&m, on_done, &a, NULL), 0);
	queue_port_close(&port);
	intake_free(&in);
	fixture_close(h->store);
	fixture_open(h->store);
	assert_int_equal(a.calls, 0);
	assert_int_equal(hall_message_count(h), 1);
	intake_free(&h->intake);
	h->intake = intake_new(h->config, h->store->port);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, hall_setup, hall_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_received_field_tells_the_door),
		TEST(a_long_name_is_cut),
		TEST(bad_addresses_have_their_codes),
		TEST(a_recipient_is_taken_once_and_quickly),
		TEST(what_is_wrong_with_content_has_its_code),
		TEST(a_message_that_goes_round_is_refused),
		TEST(nothing_stays_of_a_message_that_is_given_up),
		TEST(what_is_with_the_queue_outlives_the_intake),
	};
	return cmocka_run_group_tests_name("intake/message", tests, NULL, NULL);
}
