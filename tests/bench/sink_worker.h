/*
 * One process of the receiver: an epoll loop over its listening sockets and the
 * connections that they bring. Replies leave at once, or a fixed time after the
 * commands they answer; to a connection at a tarpit, an octet at a time or never.
 */
#ifndef BENCH_SINK_WORKER_H
#define BENCH_SINK_WORKER_H

#include "channel.h"
#include "counters.h"
#include "sink.h"

#include <stdbool.h>
#include <stddef.h>

struct sink_listener {
	int fd;
	bool is_tarpit;
};

struct sink_settings {
	struct sink_offer offer;
	const struct channel_tls *tls; /* NULL: no STARTTLS */
	unsigned latency_ms;           /* before the replies to what came in at once */
	unsigned drip_ms;              /* a tarpit's time for an octet; 0: never */
};

/* Does not return. Ends with SIGTERM. */
void sink_worker_run(const struct sink_settings *settings,
	const struct sink_listener *list, size_t count, struct counters *counters);

#endif
