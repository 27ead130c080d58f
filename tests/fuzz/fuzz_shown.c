/*
 * Text made fit to be shown (base/text.h), to be mailed (report/mime.h), and base64.
 */
#include "fuzz.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "report/mime.h"

#include <string.h>

enum { SHORT = 40 };

static void clean(struct fuzz_input in, size_t size)
{
	OWN(mem_free) char *out = xmalloc(size);
	OWN(mem_free) char *again = xmalloc(size);
	size_t len = text_clean(in.s, in.len, out, size);
	ASSERT(len < size && strlen(out) == len && fuzz_is_clean(out, ""));
	ASSERT(text_is_clean(out, len));
	/* What is clean stays as it is, if there is room. */
	ASSERT(in.len >= size || !text_is_clean(in.s, in.len) ||
		(len == in.len && (!len || memcmp(out, in.s, len) == 0)));
	ASSERT(text_is_clean(out, len));
	ASSERT(text_clean(out, len, again, size) == len && strcmp(out, again) == 0);
}

static void code(struct fuzz_input in)
{
	struct buf text = BUF_INIT, back = BUF_INIT;
	base64_encode(in.s, in.len, &text);
	ASSERT(buf_len(&text) == BASE64_LEN(in.len));
	ASSERT(base64_decode(buf_bytes(&text), buf_len(&text), &back));
	ASSERT(buf_len(&back) == in.len);
	ASSERT(!in.len || memcmp(buf_bytes(&back), in.s, in.len) == 0);
	buf_reset(&back);
	buf_reset(&text);
	if (base64_decode(in.s, in.len, &back)) {
		base64_encode(buf_bytes(&back), buf_len(&back), &text);
		ASSERT(buf_len(&text) == in.len);
		ASSERT(!in.len || memcmp(buf_bytes(&text), in.s, in.len) == 0);
	} else {
		ASSERT(buf_len(&back) == 0);
	}
	buf_clear(&text);
	buf_clear(&back);
}

/* Callers hand over what is clean. */
static void mail(struct fuzz_input in)
{
	OWN(mem_free) char *text = xmalloc(in.len + 1);
	struct buf out = BUF_INIT;
	text_clean(in.s, in.len, text, in.len + 1);
	mime_add_unstructured(&out, text);
	bool is_folded = !text_is_ascii(text, strlen(text));
	buf_addstr(&out, "\r\n");
	ASSERT(text_is_ascii(buf_bytes(&out), buf_len(&out)));
	ASSERT(fuzz_has_good_lines(
		buf_bytes(&out), buf_len(&out), is_folded ? 76 : in.len));
	buf_reset(&out);
	mime_add_base64(&out, in.s, in.len);
	ASSERT(fuzz_has_good_lines(buf_bytes(&out), buf_len(&out), 76));
	buf_clear(&out);
}

void fuzz_shown(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	clean(in, TEXT_REMOTE_MAX + 1);
	clean(in, SHORT);
	clean(in, 1);
	code(in);
	mail(in);
}
