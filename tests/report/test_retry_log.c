/* Attempts one after another, colours and widths; one attempt alone is in
 * test_retry_log_story.c. */
#include "report/retry_log.h"

#include "base/mem.h"
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void attempts_of_one_message_stand_below_one_header(void **state)
{
	(void)state;
	const struct retry_log_style style = { 0 };
	struct retry_log log;
	struct event_attempt a;
	struct buf out = BUF_INIT;
	record_fill(&(struct record_case){ 0 }, &a);
	retry_log_init(&log, &style);
	retry_log_tell(&log, &a, &out);
	retry_log_tell(&log, &a, &out);
	a.id++;
	retry_log_tell(&log, &a, &out);
	const char *first = strstr(buf_text(&out), "Message "),
		   *second = strstr(first + 1, "Message ");
	assert_non_null(second);
	assert_ptr_equal(strstr(second + 1, "Message "), NULL);
	assert_memory_equal(second - 2, "\n\nMessage 0000000001ABCDF0", 26);
	buf_clear(&out);
	event_attempt_clear(&a);
}

/* The second time for that domain. */
static void tell_twice(const struct record_case *c, const char *domain, struct buf *out)
{
	const struct retry_log_style style = { 0 };
	struct retry_log log;
	struct event_attempt a;
	record_fill(c, &a);
	retry_log_init(&log, &style);
	retry_log_tell(&log, &a, out);
	buf_reset(out);
	event_set(&a, &a.domain, domain);
	retry_log_tell(&log, &a, out);
	event_attempt_clear(&a);
}

static void what_stays_the_same_is_not_told_twice(void **state)
{
	(void)state;
	struct record_case c = { .outcome = "deferred",
		.failure = "tls_handshake",
		.stage = "tls",
		.without_tls = true,
		.next_channel = "tls" };
	struct buf out = BUF_INIT;
	tell_twice(&c, "example.com", &out);
	assert_non_null(strstr(buf_text(&out), "    Why: as before\n"));
	assert_null(strstr(buf_text(&out), "Hint:"));
	assert_null(strstr(buf_text(&out), "hikyaku policy exclude"));
	buf_reset(&out);
	tell_twice(&c, "other.test", &out);
	assert_non_null(strstr(buf_text(&out), "hikyaku policy exclude add other.test"));
	buf_clear(&out);
}

static void a_downgrade_is_told_every_time(void **state)
{
	(void)state;
	struct record_case c = { .channel = "plaintext",
		.downgraded = true,
		.rule_text = "TLS failed",
		.without_tls = true };
	struct buf out = BUF_INIT;
	tell_twice(&c, "example.com", &out);
	assert_non_null(strstr(buf_text(&out),
		"    DOWNGRADED: sent without TLS because TLS failed; fallback"));
	buf_clear(&out);
}

static void colours_come_only_when_asked_for(void **state)
{
	(void)state;
	struct event_attempt a;
	record_fill(
		&(struct record_case){ .channel = "plaintext", .downgraded = true }, &a);
	for (int color = 0; color < 2; color++) {
		const struct retry_log_style style = { .color = color };
		struct retry_log log;
		struct buf out = BUF_INIT;
		retry_log_init(&log, &style);
		retry_log_tell(&log, &a, &out);
		assert_int_equal(strchr(buf_text(&out), '\033') != NULL, color);
		assert_int_equal(
			strstr(buf_text(&out), "\033[1;31mDOWNGRADED: ") != NULL, color);
		buf_clear(&out);
	}
	event_attempt_clear(&a);
}

static void lines_keep_to_the_width(void **state)
{
	(void)state;
	struct event_attempt a;
	record_fill(&(struct record_case){ .outcome = "deferred",
			    .failure = "tls_handshake",
			    .detail = "many words that go on and on and on to the end",
			    .next_channel = "plaintext",
			    .next_reason = "the attempt over TLS failed in TLS",
			    .next_in_s = 60 },
		&a);
	for (unsigned width = 45; width < 100; width++) {
		const struct retry_log_style style = { .width = width };
		struct retry_log log;
		struct buf out = BUF_INIT;
		retry_log_init(&log, &style);
		retry_log_tell(&log, &a, &out);
		for (const char *s = buf_text(&out), *end; *s; s = end + 1) {
			end = strchr(s, '\n');
			if ((size_t)(end - s) > width && !strstr(s, "hikyaku policy"))
				fail_msg("%u: %.*s", width, (int)(end - s), s);
		}
		buf_clear(&out);
	}
	event_attempt_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_of_one_message_stand_below_one_header),
		cmocka_unit_test(what_stays_the_same_is_not_told_twice),
		cmocka_unit_test(a_downgrade_is_told_every_time),
		cmocka_unit_test(colours_come_only_when_asked_for),
		cmocka_unit_test(lines_keep_to_the_width),
	};
	return cmocka_run_group_tests_name("retry_log", tests, NULL, NULL);
}
