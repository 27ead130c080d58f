/*
 * What the header of a message lacks when a program hands it over: From, Date and
 * Message-ID are added (RFC 6409 8: a submission server may), and Bcc goes, which is for
 * nobody's eyes. What is there stays as it is, and in its order.
 *
 * A message that is sent on once more (Resent- fields, RFC 5322 3.6.6) gets the fields
 * of its new journey instead. They come first.
 *
 * Pure: clock and chance come in.
 */
#ifndef SENDMAIL_COMPLETE_H
#define SENDMAIL_COMPLETE_H

#include "base/buf.h"
#include "mail/header.h"

#include <stdbool.h>
#include <stdint.h>

struct complete_facts {
	const char *sender;    /* envelope; "" is the null sender */
	const char *full_name; /* in any charset; "" for none */
	const char *hostname;
	int64_t now_ms;
	uint64_t unique;  /* random: tells the message from all others of this moment */
	bool adds_fields; /* false: from a gateway, nothing is added */
	bool keeps_bcc;
};

/* Appends the whole header with the empty line at its end, and what the body begins
 * with. */
void complete_header(
	const struct header *h, const struct complete_facts *facts, struct buf *out);

/* It has fields that begin with Resent-. */
bool complete_is_resent(const struct header *h);

/* A display name (RFC 5322 3.2.5): as it is, quoted, or as encoded words (RFC 2047). */
void complete_add_name(const char *name, struct buf *out);

#endif
