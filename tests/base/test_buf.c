#include "base/buf.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_empty_buffer_can_be_read(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	assert_int_equal(buf_len(&b), 0);
	assert_non_null(buf_bytes(&b));
	buf_add(&b, NULL, 0);
	buf_consume(&b, 0);
	assert_string_equal(buf_text(&b), "");
	buf_clear(&b);
	buf_clear(&b);
}

static void text_is_put_together(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addstr(&b, "MAIL");
	buf_addc(&b, ' ');
	buf_addf(&b, "%s:<%d>", "FROM", 7);
	buf_add(&b, "\r\nrest", 2);
	buf_addf(&b, "%s", "");
	assert_string_equal(buf_text(&b), "MAIL FROM:<7>\r\n");
	assert_int_equal(buf_len(&b), 15);
	buf_clear(&b);
}

static void what_is_consumed_is_gone_and_the_rest_stays(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addstr(&b, "one two");
	buf_consume(&b, 4);
	assert_string_equal(buf_text(&b), "two");
	buf_addstr(&b, " three");
	assert_string_equal(buf_text(&b), "two three");
	buf_consume(&b, buf_len(&b));
	assert_int_equal(buf_len(&b), 0);
	buf_addstr(&b, "again");
	assert_string_equal(buf_text(&b), "again");
	buf_reset(&b);
	assert_string_equal(buf_text(&b), "");
	buf_clear(&b);
}

static void a_stream_through_it_does_not_make_it_grow(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	char block[100];
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1000; i++) {
		buf_add(&b, block, sizeof(block));
		buf_consume(&b, i ? sizeof(block) : 1);
		assert_int_equal(buf_len(&b), 99);
	}
	assert_true(b.cap <= 512);
	buf_clear(&b);
}

static void room_is_reserved_and_used_in_part(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addstr(&b, "ab");
	buf_consume(&b, 1);
	memcpy(buf_reserve(&b, 5000), "cdef", 4);
	buf_commit(&b, 2);
	assert_string_equal(buf_text(&b), "bcd");
	buf_clear(&b);
}

static void nul_octets_are_octets(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_add(&b, "a\0b", 3);
	assert_int_equal(buf_len(&b), 3);
	assert_memory_equal(buf_bytes(&b), "a\0b", 3);
	buf_clear(&b);
}

static void numbers_are_decimal(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addu(&b, 0);
	buf_addc(&b, ' ');
	buf_addu(&b, 1020);
	buf_addc(&b, ' ');
	buf_addu(&b, UINT64_MAX);
	assert_string_equal(buf_text(&b), "0 1020 18446744073709551615");
	buf_clear(&b);
}

static void stolen_text_belongs_to_the_thief(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addstr(&b, "xkept");
	buf_consume(&b, 1);
	char *s = buf_steal(&b);
	assert_int_equal(buf_len(&b), 0);
	buf_addstr(&b, "other");
	assert_string_equal(s, "kept");
	free(s);
	buf_clear(&b);
	s = buf_steal(&b);
	assert_string_equal(s, "");
	free(s);
}

static void a_secret_is_overwritten_where_it_stood(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addstr(&b, "AUTH PLAIN secret, NOOP");
	const char *at = buf_bytes(&b);
	buf_consume_secret(&b, strlen("AUTH PLAIN secret"));
	assert_string_equal(buf_text(&b), ", NOOP");
	for (size_t i = 0; i < strlen("AUTH PLAIN secret"); i++)
		assert_int_equal(at[i], 0);
	buf_consume_secret(&b, 0);
	buf_clear_secret(&b);
	buf_clear_secret(&b);
	assert_int_equal(buf_len(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_can_be_read),
		cmocka_unit_test(text_is_put_together),
		cmocka_unit_test(what_is_consumed_is_gone_and_the_rest_stays),
		cmocka_unit_test(a_stream_through_it_does_not_make_it_grow),
		cmocka_unit_test(a_secret_is_overwritten_where_it_stood),
		cmocka_unit_test(room_is_reserved_and_used_in_part),
		cmocka_unit_test(nul_octets_are_octets),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(stolen_text_belongs_to_the_thief),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
