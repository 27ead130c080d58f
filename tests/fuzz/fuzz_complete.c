/*
 * What sendmail makes of a message (sendmail/dot.h, mail/header.h, complete.h): the full
 * name of the sender, then the message. The first octet chooses the options and the
 * pieces. The header that comes out is one, has what it must have, and Bcc is gone.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "mail/header.h"
#include "sendmail/complete.h"
#include "sendmail/dot.h"

#include <string.h>

enum { HEADER_BYTES = 4096 };

/* The message as far as the line with a dot. */
static void find_end(struct fuzz_input in, size_t piece, struct buf *out)
{
	struct dot d = { 0 };
	while (in.len) {
		size_t len = piece < in.len ? piece : in.len;
		if (dot_feed(&d, in.s, len, out))
			return;
		in.s += len;
		in.len -= len;
	}
}

/* false: the header is over the limit. */
static bool read_header(const struct buf *message, size_t piece, struct header *h)
{
	const char *s = buf_bytes(message);
	size_t left = buf_len(message), used;
	int rc = 0;
	header_init(h, HEADER_BYTES);
	while (left && rc == 0) {
		size_t len = piece && piece < left ? piece : left;
		rc = header_feed(h, s, len, &used, NULL);
		ASSERT(rc != 0 || used == len);
		s += used;
		left -= used;
	}
	if (rc == 0)
		header_end(h);
	return rc >= 0;
}

static void check_completed(const struct buf *out, const struct complete_facts *facts)
{
	struct header h;
	size_t used;
	ASSERT(!buf_len(out) ||
		fuzz_has_good_lines(buf_bytes(out), buf_len(out), SIZE_MAX));
	header_init(&h, 2 * HEADER_BYTES);
	int rc = header_feed(&h, buf_bytes(out), buf_len(out), &used, NULL);
	ASSERT(rc == 1);
	ASSERT(facts->keeps_bcc ||
		(!header_has(&h, "Bcc") && !header_has(&h, "Resent-Bcc")));
	if (facts->adds_fields)
		ASSERT(header_has(&h, "From") || header_has(&h, "Resent-From"));
	header_clear(&h);
}

static void complete(
	const struct header *h, const struct complete_facts *facts, struct buf *out)
{
	complete_header(h, facts, out);
	size_t begun;
	(void)header_body_begin(h, &begun);
	ASSERT(begun <= buf_len(out));
	out->end -= begun; /* of the body: any octets */
	check_completed(out, facts);
}

void fuzz_complete(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	uint8_t choice = fuzz_octet(&in);
	size_t piece = (choice & 7U) + 1;
	OWN(mem_free) char *name = fuzz_string(&in);
	const struct complete_facts facts = { .sender = choice & 8 ? "" : "a@example.org",
		.full_name = name,
		.hostname = "out.example.org",
		.now_ms = 1795293780000,
		.unique = 7,
		.adds_fields = !(choice & 16),
		.keeps_bcc = choice & 32 };
	struct buf message = BUF_INIT, again = BUF_INIT, whole = BUF_INIT,
		   pieces = BUF_INIT;
	struct header one, other;
	find_end(in, SIZE_MAX, &message);
	find_end(in, piece, &again);
	ASSERT(fuzz_is_equal(&message, &again));
	bool is_header = read_header(&message, 0, &one);
	ASSERT(read_header(&message, piece, &other) == is_header);
	if (is_header) {
		complete(&one, &facts, &whole);
		complete(&other, &facts, &pieces);
		ASSERT(fuzz_is_equal(&whole, &pieces));
	}
	header_clear(&one);
	header_clear(&other);
	buf_clear(&message);
	buf_clear(&again);
	buf_clear(&whole);
	buf_clear(&pieces);
}
