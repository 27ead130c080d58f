/*
 * Address lists of header fields (To, Cc, Bcc ...): RFC 5322 3.4, the obsolete forms
 * of 4.4, and UTF-8 anywhere (RFC 6532).
 *
 * Hands out one mailbox after the other as it stands in an envelope: without display
 * name, comments, blanks, folds and source route; quotes stay. Whether that is an
 * address is for mail/address.h to say; one without a domain is the caller's to
 * qualify. Members of a group count, its name does not; an empty group ("undisclosed-
 * recipients:;") has none. Words in a display name that need quotes but have none,
 * empty elements, ';' as a separator and a group without its end are forgiven.
 *
 * Pure, and of constant memory: no recursion, nothing is allocated.
 */
#ifndef MAIL_HEADER_ADDRESS_H
#define MAIL_HEADER_ADDRESS_H

#include "base/err.h"
#include "mail/address.h"

#include <stdbool.h>
#include <stddef.h>

struct header_address_list {
	const char *s; /* borrowed: what stands behind the colon of the field */
	size_t len, at;
	bool in_group;
};
void header_address_list_init(struct header_address_list *l, const char *s, size_t len);

/* 1: the next address is in out, NUL-terminated. 0: there are no more. ERR_INVALID:
 * e says what is wrong, with the text that it is wrong in; the list is not read on. */
int header_address_next(
	struct header_address_list *l, char out[ADDRESS_MAX + 1], struct err *e);

#endif
