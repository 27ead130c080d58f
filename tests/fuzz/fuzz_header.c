/*
 * The header of a message and its address lists (mail/header.h, header_address.h). The
 * first octet says where the rest is cut. Fields stand one behind the other, and the body
 * behind them; an address is never longer than its room.
 */
#include "fuzz.h"

#include "mail/header.h"
#include "mail/header_address.h"

#include <string.h>

enum { HEADER_BYTES = 4096 };

static void read_addresses(const char *body, size_t len)
{
	struct header_address_list l;
	struct err e = { 0 };
	char address[ADDRESS_MAX + 1];
	int rc;
	header_address_list_init(&l, body, len);
	while ((rc = header_address_next(&l, address, &e)) == 1)
		ASSERT(*address && strlen(address) <= ADDRESS_MAX && l.at <= len);
	ASSERT((rc == 0) == (e.code == ERR_OK) && (rc == 0) == !*e.text);
}

/* Fields stand one behind the other, and the body behind them. */
static void read_fields(const struct header *h)
{
	size_t at = 0;
	for (size_t i = 0; i < h->count; i++) {
		const struct header_field *f = &h->fields[i];
		ASSERT(f->start == at && f->name_len && f->start + f->name_len < f->body);
		ASSERT(f->body < f->end &&
			header_has(h, "x") >= header_field_is(h, i, "x"));
		at = f->end;
		size_t len;
		const char *body = header_field_body(h, i, &len);
		read_addresses(body, len);
	}
	ASSERT(h->body_start == at && at <= buf_len(&h->text));
}

void fuzz_header(const uint8_t *data, size_t len)
{
	struct header h;
	const char *s = (const char *)data + 1;
	size_t used;
	if (!len)
		return;
	size_t cut = data[0] < len ? data[0] : len - 1;
	header_init(&h, HEADER_BYTES);
	int rc = header_feed(&h, s, cut, &used, NULL);
	if (rc == 0)
		rc = header_feed(&h, s + cut, len - 1 - cut, &used, NULL);
	if (rc >= 0) {
		header_end(&h);
		read_fields(&h);
	}
	header_clear(&h);
}
