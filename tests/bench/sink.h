/*
 * The receiving side of SMTP, as far as the benchmark needs it: octets in, replies
 * out. It takes everything and throws it away. No sockets, no clock.
 *
 *	LINE -> (DATA) -> TEXT -> LINE		until the final dot
 *	LINE -> (BDAT n) -> CHUNK -> LINE	after n octets
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "base/buf.h"
#include "counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What EHLO offers. */
struct sink_offer {
	bool starttls;
	bool pipelining;
	bool chunking;
};

struct sink {
	const struct sink_offer *offer; /* borrowed */
	struct counters *counters;      /* borrowed */
	enum { SINK_LINE, SINK_TEXT, SINK_CHUNK } state;
	bool is_tls;
	bool has_greeted; /* EHLO or HELO was answered */
	bool has_sender;
	bool is_last_chunk, is_chunk_refused;
	unsigned recipients;
	unsigned dot;    /* how much of CRLF . CRLF has matched */
	uint64_t number; /* of the message, from its sender */
	uint64_t octets; /* of the message so far */
	uint64_t chunk_left;
	size_t line_len;
	char line[2048]; /* of a line that came in parts */
};

enum sink_result {
	SINK_GO_ON,
	SINK_STARTTLS, /* after the reply: TLS; what came behind is to be ignored */
	SINK_QUIT,     /* after the reply: close */
};

void sink_init(struct sink *s, const struct sink_offer *offer, struct counters *counters);
void sink_greet(struct buf *replies);
void sink_forget(struct sink *s); /* TLS has begun: RFC 3207 section 4.2 */
enum sink_result sink_feed(
	struct sink *s, const char *bytes, size_t len, struct buf *replies);

#endif
