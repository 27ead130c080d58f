/* Results: all of an attempt in one transaction. */
#include "fixture.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static void a_deferred_item_keeps_its_next_channel_and_reason(void **state)
{
	struct fixture *f = *state;
	put(f, "x\r\n", "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	struct claimed c;
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DEFERRED), 0);
	queue_item_free(&item);
	claim(f, 10, &c);
	assert_int_equal(c.count, 0);
	assert_true(c.next_due_ms > clock_wall_ms());
	item = claim_one(f);
	assert_int_equal(item->attempts, 1);
	assert_string_equal(item->next_channel, "plaintext");
	assert_string_equal(item->channel_reason, "because");
	assert_false(item->channel_from_memory);
	queue_item_free(&item);
}

static void only_what_is_left_is_tried_again(void **state)
{
	struct fixture *f = *state;
	int64_t id = put(f, "x\r\n", "a@one.test", "b@one.test", "c@one.test", NULL);
	struct queue_item *item = claim_one(f);
	struct queue_recipient_result results[] = {
		{ item->recipients[0].id, QUEUE_OUTCOME_DELIVERED, NULL },
		{ item->recipients[1].id, QUEUE_OUTCOME_DEFERRED, "450 later" },
		{ item->recipients[2].id, QUEUE_OUTCOME_BOUNCED, "550 never" },
	};
	struct queue_result result = { .item_id = item->id,
		.recipients = results,
		.recipient_count = 3,
		.count_attempt = true,
		.next_attempt_ms = clock_wall_ms() };
	assert_int_equal(finish_with(f, &result, NULL), 0);
	queue_item_free(&item);
	item = claim_one(f);
	assert_int_equal(item->recipient_count, 1);
	assert_string_equal(item->recipients[0].address, "b@one.test");
	struct queue_reader *r;
	const struct queue_entry_item *items;
	size_t count;
	struct err e = { 0 };
	assert_int_equal(queue_reader_open(f->path, 1000, &r, &e), 0);
	assert_int_equal(queue_reader_items(r, id, &items, &count, &e), 0);
	assert_int_equal(items[0].recipient_count, 3);
	assert_string_equal(items[0].recipients[0].outcome, "delivered");
	assert_string_equal(items[0].recipients[1].outcome, "queued");
	assert_string_equal(items[0].recipients[1].text, "450 later");
	assert_string_equal(items[0].recipients[2].outcome, "bounced");
	assert_string_equal(items[0].last_error, "450 later");
	queue_reader_close(&r);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_BOUNCED), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM recipient"), 0);
	queue_item_free(&item);
}

static void given_back_uncounted_it_is_as_it_was(void **state)
{
	struct fixture *f = *state;
	put(f, "x\r\n", "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	int64_t due_ms = item->due_ms;
	struct queue_recipient_result none = { item->recipients[0].id,
		QUEUE_OUTCOME_DEFERRED, NULL };
	struct queue_result result = { .item_id = item->id,
		.recipients = &none,
		.recipient_count = 1,
		.next_attempt_ms = due_ms + 1000000,
		.next_channel = "plaintext" };
	assert_int_equal(finish_with(f, &result, NULL), 0);
	queue_item_free(&item);
	item = claim_one(f);
	assert_int_equal(item->attempts, 0);
	assert_int_equal(item->due_ms, due_ms);
	assert_null(item->next_channel);
	queue_item_free(&item);
}

static void a_recipient_of_another_item_is_refused(void **state)
{
	struct fixture *f = *state;
	put(f, "x", "a@one.test", "b@two.test", NULL);
	struct queue_item *item = claim_one(f), *other = claim_one(f);
	struct queue_recipient_result mixed = { other->recipients[0].id,
		QUEUE_OUTCOME_DELIVERED, NULL };
	struct queue_result result = { .item_id = item->id,
		.recipients = &mixed,
		.recipient_count = 1,
		.count_attempt = true };
	assert_int_equal(finish_with(f, &result, NULL), ERR_INVALID);
	assert_int_equal(state_of(f, item->id), ITEM_CLAIMED);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(finish_all(f, other, QUEUE_OUTCOME_DELIVERED), 0);
	queue_item_free(&item);
	queue_item_free(&other);
}

/* ---- bounces ---- */

static const char original[] = "Subject: hello\r\nFrom: me\r\n\r\nbody\r\n";

static const struct queue_new_recipient bounce_to = { .address = "from@example.com",
	.domain = "example.com" };

static struct queue_new_message bounce_of(int append, int64_t append_id)
{
	return (struct queue_new_message){
		.envelope = { .sender = (char *)(uintptr_t) "" },
		.recipients = &bounce_to,
		.recipient_count = 1,
		.body = "report\r\n",
		.body_len = 8,
		.append = append,
		.append_message_id = append_id,
		.tail = "end\r\n",
		.tail_len = 5,
	};
}

/* The first recipient of an item fails, and m tells of it. */
static int bounce_with(struct fixture *f, struct queue_item *item,
	const struct queue_new_message *m, const char *json, struct err *e)
{
	struct queue_recipient_result failed = { item->recipients[0].id,
		QUEUE_OUTCOME_BOUNCED, "550 no" };
	struct queue_record record = { .time_ms = 5,
		.message_id = item->envelope.id,
		.domain = item->domain,
		.is_failure = true,
		.json = json };
	struct queue_result result = { .item_id = item->id,
		.recipients = &failed,
		.recipient_count = 1,
		.count_attempt = true,
		.messages = m,
		.message_count = m ? 1 : 0,
		.records = &record,
		.record_count = 1 };
	return finish_with(f, &result, e);
}

static int bounce(struct fixture *f, struct queue_item *item, int append,
	int64_t append_id, struct err *e)
{
	struct queue_new_message m = bounce_of(append, append_id);
	return bounce_with(f, item, &m, "{}", e);
}

static void a_bounce_carries_what_it_is_to_carry(void **state)
{
	static const struct {
		const char *name, *body, *expected;
		int append;
	} cases[] = {
		{ "nothing", original, "report\r\nend\r\n", QUEUE_APPEND_NOTHING },
		{ "header", original, "report\r\nSubject: hello\r\nFrom: me\r\nend\r\n",
			QUEUE_APPEND_HEADER },
		{ "message", original,
			"report\r\nSubject: hello\r\nFrom: me\r\n\r\nbody\r\nend\r\n",
			QUEUE_APPEND_MESSAGE },
		{ "header without body", "Subject: x\r\n",
			"report\r\nSubject: x\r\nend\r\n", QUEUE_APPEND_HEADER },
		{ "no header", "\r\nbody\r\n", "report\r\nend\r\n", QUEUE_APPEND_HEADER },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t id = put(f, cases[i].body, "a@one.test", NULL);
		struct queue_item *item = claim_one(f);
		assert_int_equal(bounce(f, item, cases[i].append, id, NULL), 0);
		queue_item_free(&item);
		item = claim_one(f);
		assert_string_equal(item->envelope.sender, "");
		assert_string_equal(item->recipients[0].address, "from@example.com");
		if (strcmp(item->body, cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].name, item->body);
		assert_int_equal(
			item->envelope.content.size_bytes, strlen(cases[i].expected));
		assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
		queue_item_free(&item);
		assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
	}
}

static void a_big_original_is_copied_inside_the_store(void **state)
{
	struct fixture *f = *state;
	enum { BIG = 3 * 1024 * 1024 + 17 };
	OWN(mem_free) char *bytes = xmalloc(BIG);
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient r = { .address = "a@one.test", .domain = "one.test" };
	int64_t id;
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (char)('a' + i % 23);
	assert_int_equal(put_recipients(f, &m, &r, 1, bytes, BIG, &id, NULL), 0);
	struct queue_item *item = claim_one(f);
	assert_int_equal(bounce(f, item, QUEUE_APPEND_MESSAGE, id, NULL), 0);
	queue_item_free(&item);
	item = claim_one(f);
	size_t len;
	OWN(mem_free) char *body = body_of(f, item->envelope.id, &len);
	assert_int_equal(len, 8 + BIG + 5);
	assert_memory_equal(body + 8, bytes, BIG);
	assert_memory_equal(body + 8 + BIG, "end\r\n", 5);
	queue_item_free(&item);
}

/* told: how many records it wants to see. */
static char *tell_newest(const void *told, size_t told_len, struct queue_records *records)
{
	struct buf text = BUF_INIT;
	const char *json;
	size_t wanted = strlen(told);
	assert_int_equal(told_len, wanted + 1);
	buf_addf(&text, "%zu:", records->count);
	for (size_t i = 0; i < wanted && (json = records->next(records)); i++)
		buf_addf(&text, " %s", json);
	buf_addstr(&text, "\r\n");
	return buf_steal(&text);
}

static char *tell_nothing(
	const void *told, size_t told_len, struct queue_records *records)
{
	(void)told;
	(void)told_len;
	(void)records;
	return NULL;
}

static void a_bounce_tells_of_the_records_of_its_item(void **state)
{
	static const struct {
		char *(*tell)(const void *, size_t, struct queue_records *);
		const char *wanted, *body;
	} cases[] = {
		{ tell_newest, "**", "rep2: {2} {1}\r\nort\r\nend\r\n" },
		{ tell_newest, "*", "rep2: {2}\r\nort\r\nend\r\n" },
		{ tell_newest, "****", "rep2: {2} {1}\r\nort\r\nend\r\n" },
		{ tell_newest, "", "rep2:\r\nort\r\nend\r\n" },
		{ tell_nothing, "", "report\r\nend\r\n" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t id =
			put(f, original, "a@one.test", "b@one.test", "c@two.test", NULL);
		struct queue_item *item = claim_one(f), *two = claim_one(f);
		char wanted[8];
		assert_int_equal(bounce_with(f, two, NULL, "{other}", NULL), 0);
		assert_int_equal(bounce_with(f, item, NULL, "{1}", NULL), 0);
		queue_item_free(&item);
		item = claim_one(f);
		struct queue_new_message m = bounce_of(QUEUE_APPEND_NOTHING, id);
		snprintf(wanted, sizeof(wanted), "%s", cases[i].wanted);
		m.story = (struct queue_story){ .tell = cases[i].tell,
			.told = wanted,
			.told_len = strlen(wanted) + 1,
			.domain = "one.test",
			.at = 3 };
		assert_int_equal(bounce_with(f, item, &m, "{2}", NULL), 0);
		queue_item_free(&item);
		queue_item_free(&two);
		item = claim_one(f);
		assert_string_equal(item->body, cases[i].body);
		assert_int_equal(item->envelope.content.size_bytes, item->body_len);
		assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
		queue_item_free(&item);
	}
}

static void a_bounce_that_fails_takes_the_whole_result_back(void **state)
{
	struct fixture *f = *state;
	put(f, original, "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	struct err e;
	assert_int_equal(bounce(f, item, QUEUE_APPEND_MESSAGE, 999, &e), ERR_NOT_FOUND);
	assert_int_equal(state_of(f, item->id), ITEM_CLAIMED);
	assert_int_equal(sql(f, "SELECT count(*) FROM record"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM recipient WHERE outcome = 0"), 1);
	/* It is still ours to finish. */
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
	queue_item_free(&item);
}

/* ---- memory ---- */

static int remember(struct fixture *f, struct queue_item *item, int64_t until_ms)
{
	struct queue_recipient_result deferred = { item->recipients[0].id,
		QUEUE_OUTCOME_DEFERRED, "no tls" };
	struct queue_result result = { .item_id = item->id,
		.recipients = &deferred,
		.recipient_count = 1,
		.count_attempt = true,
		.next_attempt_ms = clock_wall_ms() + 1000000000,
		.next_channel = "tls",
		.memory_channel = "plaintext",
		.memory_reason = "a handshake failed",
		.memory_until_ms = until_ms };
	return finish_with(f, &result, NULL);
}

static void a_first_attempt_starts_as_the_destination_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put(f, "x\r\n", "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	assert_int_equal(remember(f, item, clock_wall_ms() + 600000), 0);
	queue_item_free(&item);
	put(f, "x\r\n", "b@one.test", NULL);
	put(f, "x\r\n", "b@two.test", NULL);
	claim(f, 10, &c);
	assert_int_equal(c.count, 2);
	assert_string_equal(c.items[0]->next_channel, "plaintext");
	assert_string_equal(c.items[0]->channel_reason, "a handshake failed");
	assert_true(c.items[0]->channel_from_memory);
	assert_null(c.items[1]->next_channel);
	struct queue_reader *r;
	const char *channel, *reason;
	int64_t until;
	struct err e = { 0 };
	assert_int_equal(queue_reader_open(f->path, 1000, &r, &e), 0);
	assert_true(queue_reader_memory(
		r, "one.test", clock_wall_ms(), &channel, &reason, &until));
	assert_string_equal(channel, "plaintext");
	assert_false(queue_reader_memory(
		r, "one.test", clock_wall_ms() + 700000, &channel, &reason, &until));
	/* Forgotten. */
	assert_int_equal(remember(f, c.items[0], 0), 0);
	assert_false(queue_reader_memory(
		r, "one.test", clock_wall_ms(), &channel, &reason, &until));
	queue_reader_close(&r);
	claimed_clear(&c);
}

/* The claim's row is written last, with the commit. */
static void a_result_whose_claim_cannot_be_written_is_not_acknowledged(void **state)
{
	struct fixture *f = *state;
	put(f, "x", "a@one.test", NULL);
	OWN(queue_item_free) struct queue_item *item = claim_one(f);
	sql(f, "CREATE TRIGGER refuse BEFORE DELETE ON claim"
	       " BEGIN SELECT RAISE(ABORT, 'refused'); END");
	assert_int_not_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 1);
	sql(f, "DROP TRIGGER refuse");
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_result_whose_claim_cannot_be_written_is_not_acknowledged),
		CASE(a_deferred_item_keeps_its_next_channel_and_reason),
		CASE(only_what_is_left_is_tried_again),
		CASE(given_back_uncounted_it_is_as_it_was),
		CASE(a_recipient_of_another_item_is_refused),
		CASE(a_bounce_carries_what_it_is_to_carry),
		CASE(a_big_original_is_copied_inside_the_store),
		CASE(a_bounce_tells_of_the_records_of_its_item),
		CASE(a_bounce_that_fails_takes_the_whole_result_back),
		CASE(a_first_attempt_starts_as_the_destination_is_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
