/*
 * Two streams joined in memory: what is written to one is read from the other.
 * For tests of what stands on a stream; no descriptor is involved.
 *
 * stream_pending of one end counts what the other end has not read yet, so
 * backpressure can be seen too. stream_close gives the other end EOF after the
 * bytes written before it, stream_abort a reset at once.
 */
#ifndef NET_STREAM_PAIR_H
#define NET_STREAM_PAIR_H

#include "net/stream.h"

/* chunk: most bytes that one on_data gets, 0 for no limit. */
void stream_pair_new(struct uv_loop_s *loop, size_t chunk, struct stream **a_out,
	struct stream **b_out);

#endif
