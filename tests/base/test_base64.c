#include "base/base64.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 10, and octets that are no text. */
static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} vectors[] = {
	{ "", 0, "" },
	{ "f", 1, "Zg==" },
	{ "fo", 2, "Zm8=" },
	{ "foo", 3, "Zm9v" },
	{ "foob", 4, "Zm9vYg==" },
	{ "fooba", 5, "Zm9vYmE=" },
	{ "foobar", 6, "Zm9vYmFy" },
	{ "\0\0\0", 3, "AAAA" },
	{ "\xff\xfe\xfd", 3, "//79" },
	{ "\xfb\xef\xbe", 3, "++++" },
};

static void vectors_go_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct buf out = BUF_INIT;
		buf_addc(&out, '>');
		base64_encode(vectors[i].bytes, vectors[i].len, &out);
		assert_string_equal(buf_text(&out) + 1, vectors[i].text);
		assert_int_equal(BASE64_LEN(vectors[i].len), buf_len(&out) - 1);
		buf_reset(&out);
		assert_true(
			base64_decode(vectors[i].text, strlen(vectors[i].text), &out));
		assert_int_equal(buf_len(&out), vectors[i].len);
		assert_memory_equal(buf_bytes(&out), vectors[i].bytes, vectors[i].len);
		buf_clear(&out);
	}
}

static void what_is_not_base64_is_refused_and_leaves_nothing(void **state)
{
	static const char *const wrong[] = { "Z", "Zg", "Zg=", "Zg===", "====", "=",
		"Zg=a", "Z===", "Zm9v Zg==", "Zm9v\n", "Zg==Zg==", "Zm-_",
		"Zh==", "Zm9=", "go ahead" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct buf out = BUF_INIT;
		if (base64_decode(wrong[i], strlen(wrong[i]), &out))
			fail_msg("\"%s\" is taken for base64", wrong[i]);
		assert_int_equal(buf_len(&out), 0);
		buf_clear(&out);
	}
}

static void every_octet_survives(void **state)
{
	char bytes[256];
	struct buf text = BUF_INIT, back = BUF_INIT;
	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	base64_encode(bytes, sizeof(bytes), &text);
	assert_true(base64_decode(buf_bytes(&text), buf_len(&text), &back));
	assert_int_equal(buf_len(&back), sizeof(bytes));
	assert_memory_equal(buf_bytes(&back), bytes, sizeof(bytes));
	buf_clear(&text);
	buf_clear(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_go_both_ways),
		cmocka_unit_test(what_is_not_base64_is_refused_and_leaves_nothing),
		cmocka_unit_test(every_octet_survives),
	};
	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
