/* Text that is not ASCII, made ASCII. read_dsn.py has another program read it. */
#include "report/mime.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_header_value_is_encoded_only_where_it_must_be(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{ "", "" },
		{ "Delayed mail (still being tried)",
			"Delayed mail (still being tried)" },
		{ "飛脚", "=?UTF-8?B?6aOb6ISa?=" },
		{ "a 飛", "=?UTF-8?B?YSDpo5s=?=" },
		/* 45 octets are a word; what is over begins another. */
		{ "飛飛飛飛飛飛飛飛飛飛飛飛飛飛飛脚",
			"=?UTF-8?B?6aOb6aOb6aOb6aOb6aOb6aOb6aOb6aOb6aOb6aOb6aOb6aOb6aOb"
			"6aOb6aOb?=\r\n =?UTF-8?B?6ISa?=" },
		/* No character is split. */
		{ "a飛飛飛飛飛飛飛飛飛飛飛飛飛飛飛",
			"=?UTF-8?B?Yemjm+mjm+mjm+mjm+mjm+mjm+mjm+mjm+mjm+mjm+mjm+mjm+mj"
			"m+mjmw==?=\r\n =?UTF-8?B?6aOb?=" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT;
		mime_add_unstructured(&out, cases[i].text);
		assert_string_equal(buf_text(&out), cases[i].value);
		buf_clear(&out);
	}
}

static void a_body_has_lines_of_76_and_decodes_to_the_same(void **state)
{
	char bytes[400];
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct buf out = BUF_INIT, back = BUF_INIT;
		mime_add_base64(&out, bytes, len);
		for (const char *s = buf_text(&out), *end; *s; s = end + 2) {
			end = strstr(s, "\r\n");
			assert_non_null(end);
			assert_true(end - s == 76 || !end[2]);
			assert_true(base64_decode(s, (size_t)(end - s), &back));
		}
		assert_int_equal(buf_len(&back), len);
		assert_memory_equal(buf_bytes(&back), bytes, len);
		buf_clear(&out);
		buf_clear(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_value_is_encoded_only_where_it_must_be),
		cmocka_unit_test(a_body_has_lines_of_76_and_decodes_to_the_same),
	};
	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
