/* Message ids and the ownership of envelopes. */
#include "mail/envelope.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void ids_are_ordered_by_time(void **state)
{
	int64_t now = 1795295000123;
	(void)state;
	assert_true(mail_id_make(now, UINT32_MAX) < mail_id_make(now + 1, 0));
	assert_true(mail_id_make(now, 1) != mail_id_make(now, 2));
	assert_true(mail_id_make(now, UINT32_MAX) > 0);
}

static void ids_survive_being_shown(void **state)
{
	const int64_t ids[] = { 0, 1, 0x0123456789abcdef, INT64_MAX };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		char text[MAIL_ID_MAX];
		int64_t back = -1;
		mail_id_format(ids[i], text);
		assert_int_equal(strlen(text), 16);
		assert_true(mail_id_parse(text, &back));
		assert_true(back == ids[i]);
	}
}

static void what_is_no_id_is_refused(void **state)
{
	const char *const bad[] = { "", "0", "000000000000000", "00000000000000001",
		"000000000000000G", "8000000000000000", "FFFFFFFFFFFFFFFF",
		"0x00000000000001", " 00000000000000A" };
	int64_t id;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(mail_id_parse(bad[i], &id));
	assert_true(mail_id_parse("00000000000000af", &id));
	assert_true(id == 0xaf);
}

static void a_copy_is_its_own(void **state)
{
	struct mail_envelope from = { .id = 7, .sender = xstrdup("a@b") }, to;
	(void)state;
	mail_envelope_copy(&to, &from);
	mail_envelope_clear(&from);
	assert_null(from.sender);
	assert_string_equal(to.sender, "a@b");
	assert_null(to.envid);
	assert_true(to.id == 7);
	mail_envelope_clear(&to);
	mail_envelope_clear(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_ordered_by_time),
		cmocka_unit_test(ids_survive_being_shown),
		cmocka_unit_test(what_is_no_id_is_refused),
		cmocka_unit_test(a_copy_is_its_own),
	};
	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
