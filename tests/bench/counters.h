/*
 * What the receiver has seen, in memory that its worker processes share.
 *
 * Messages are numbered by their senders (m17@anything is number 17), so that a
 * message that comes twice, or never, does not go unnoticed. Times are those of
 * CLOCK_MONOTONIC, which all processes of a machine share.
 */
#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

struct counters {
	counter messages;
	counter distinct; /* of the numbered ones */
	counter repeated;
	counter recipients;
	counter octets;
	counter connections;
	counter open; /* now */
	counter peak; /* highest at once, without those to tarpits */
	counter tarpitted;
	counter tls_sessions;
	counter tls_resumed;
	counter tls_failed;
	counter refused; /* commands out of order, or unknown */
	counter first_connection_ns;
	counter first_message_ns;
	counter last_message_ns;
	uint64_t numbers; /* those below it are told apart */
	_Atomic uint8_t seen[];
};

struct counters *counters_new(uint64_t numbers); /* for the life of the process */
void counters_connection(struct counters *c);
void counters_message(struct counters *c, uint64_t number, uint64_t octets);
void counters_print(struct counters *c, int fd); /* one line of JSON */
uint64_t counters_now_ns(void);

#endif
