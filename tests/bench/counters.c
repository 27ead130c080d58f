/* The receiver's counters. See counters.h. */
#include "counters.h"

#include "base/buf.h"
#include "base/mem.h"

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct counters *counters_new(uint64_t numbers)
{
	size_t size = sizeof(struct counters) + numbers / 8 + 1;
	struct counters *c = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		err(1, "map %zu octets of counters", size);
	c->numbers = numbers;
	return c;
}

uint64_t counters_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void raise_to(counter *peak, uint64_t value)
{
	uint64_t seen = atomic_load(peak);
	while (seen < value && !atomic_compare_exchange_weak(peak, &seen, value))
		;
}

static void set_once(counter *c, uint64_t value)
{
	uint64_t unset = 0;
	if (atomic_load(c) == 0)
		atomic_compare_exchange_strong(c, &unset, value);
}

void counters_connection(struct counters *c)
{
	atomic_fetch_add(&c->connections, 1);
	raise_to(&c->peak, atomic_fetch_add(&c->open, 1) + 1);
	set_once(&c->first_connection_ns, counters_now_ns());
}

void counters_message(struct counters *c, uint64_t number, uint64_t octets)
{
	uint64_t now = counters_now_ns();
	set_once(&c->first_message_ns, now);
	raise_to(&c->last_message_ns, now);
	atomic_fetch_add(&c->octets, octets);
	if (number < c->numbers) {
		uint8_t bit = (uint8_t)(1U << (number & 7));
		bool is_new = !(atomic_fetch_or(&c->seen[number >> 3], bit) & bit);
		atomic_fetch_add(is_new ? &c->distinct : &c->repeated, 1);
	}
	/* Last: who sees the count also sees the rest. */
	atomic_fetch_add(&c->messages, 1);
}

void counters_print(struct counters *c, int fd)
{
#define FIELD(name)             \
	{                       \
#name, &c->name \
	}
	const struct {
		const char *name;
		counter *value;
	} fields[] = {
		FIELD(messages),
		FIELD(distinct),
		FIELD(repeated),
		FIELD(recipients),
		FIELD(octets),
		FIELD(connections),
		FIELD(open),
		FIELD(peak),
		FIELD(tarpitted),
		FIELD(tls_sessions),
		FIELD(tls_resumed),
		FIELD(tls_failed),
		FIELD(refused),
		FIELD(first_connection_ns),
		FIELD(first_message_ns),
		FIELD(last_message_ns),
	};
#undef FIELD
	struct buf line = BUF_INIT;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		buf_addf(&line, "%s\"%s\": %" PRIu64, i ? ", " : "{", fields[i].name,
			atomic_load(fields[i].value));
	buf_addstr(&line, "}\n");
	if (write(fd, buf_bytes(&line), buf_len(&line)) < 0)
		warn("write the counters");
	buf_clear(&line);
}
