/*
 * Envelope addresses (mail/address.h). What is accepted can stand in a command: nothing
 * in it ends a line or the brackets, and it is accepted as it is once more.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/text.h"
#include "mail/address.h"

#include <string.h>

typedef int parse_fn(const char *s, size_t len, struct address *out, struct err *e);

static void check(parse_fn *parse, const struct fuzz_input *in)
{
	struct address a, again;
	struct err e = { 0 };
	if (parse(in->s, in->len, &a, &e)) {
		ASSERT(e.code == ERR_INVALID && fuzz_is_clean(e.text, ""));
		return;
	}
	size_t len = strlen(a.text);
	ASSERT(len <= ADDRESS_MAX && fuzz_is_clean(a.text, ""));
	ASSERT(a.needs_smtputf8 == !text_is_ascii(a.text, len));
	ASSERT(!len || a.text[a.at] == '@');
	ASSERT(!*address_domain(&a) || address_domain(&a) == a.text + a.at + 1);
	ASSERT(!strpbrk(address_domain(&a), "<> "));
	ASSERT(!parse(a.text, len, &again, &e) && strcmp(a.text, again.text) == 0);
}

void fuzz_address(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	check(address_parse_recipient, &in);
	check(address_parse_sender, &in);
}
