/* A few thousand made-up clients, the same ones every time. */
#include "fuzz_server.h"

#include "smtp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { RUNS = 6000, OCTETS_MAX = 512 };

/* xorshift64: good enough to be different, and the same on every machine. */
static uint64_t next_number(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void no_client_breaks_the_machine(void **state)
{
	uint64_t seed = 0x6869b1a9617963ULL;
	struct fuzz_server_result result = { 0 };
	(void)state;
	for (int run = 0; run < RUNS; run++) {
		uint8_t data[OCTETS_MAX];
		size_t len = next_number(&seed) % OCTETS_MAX;
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(next_number(&seed) >> 24);
		fuzz_server_run(data, len, &result);
	}
	/* The inputs are worth something: they reach every state but the first, which
	 * is left before anybody looks. */
	assert_int_equal(result.states, (1U << SMTP_SERVER_STATE_COUNT) - 2);
	assert_true(result.stored > RUNS / 4);
	assert_true(result.commits > result.stored);
	assert_true(result.aborts > RUNS / 4);
	assert_true(result.shut > RUNS / 50);
	assert_true(result.compared > RUNS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_client_breaks_the_machine),
	};
	return cmocka_run_group_tests_name("fuzz_server", tests, NULL, NULL);
}
