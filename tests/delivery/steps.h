/*
 * What attempts meet, written down: plans of the server, and answers of DNS about
 * example.test and its hosts a.test and b.test.
 */
#ifndef TESTS_DELIVERY_STEPS_H
#define TESTS_DELIVERY_STEPS_H

#include "world.h"

#include "base/mem.h"

#define PLAIN "starttls = false"

/* A world with a server that follows these plans, one a connection. */
#define SERVE(w, ...)                                              \
	static const struct server_plan plans[] = { __VA_ARGS__ }; \
	world_init(w, NULL);                                       \
	world_serve(w, plans, ARRAY_SIZE(plans))

/* DNS answers with these steps. */
#define ANSWER(w, ...)                                           \
	static const struct fake_step steps[] = { __VA_ARGS__ }; \
	world_answer(w, steps, ARRAY_SIZE(steps))

#define MX_A_B                                                                  \
	{                                                                       \
		.records = { "an @ 300 MX 10 a.test", "an @ 300 MX 20 b.test" } \
	}
#define NO_AAAA                                    \
	{                                          \
		.records = { "ns test 60 SOA 30" } \
	}
#define AT_1                                          \
	{                                             \
		.records = { "an @ 300 A 127.0.0.1" } \
	}
#define AT_2                                          \
	{                                             \
		.records = { "an @ 300 A 127.0.0.2" } \
	}
#define SERVFAIL                       \
	{                              \
		.flags = WIRE_SERVFAIL \
	}
#define SILENCE                  \
	{                        \
		.act = FAKE_DROP \
	}

#endif
