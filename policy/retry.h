/*
 * The retry schedule: "1m, 5m*2, 15m, 1h*3, 4h"; the last value repeats.
 * Pure: randomness comes in as a parameter.
 */
#ifndef POLICY_RETRY_H
#define POLICY_RETRY_H

#include "policy/types.h"

enum { POLICY_RETRY_STEPS_MAX = 64 };

struct policy_retry {
	struct {
		uint32_t delay_s;
		uint32_t times; /* at least 1 */
	} steps[POLICY_RETRY_STEPS_MAX];
	size_t count; /* at least 1 */
};

/* false: why (POLICY_TEXT_MAX octets) says what and where. A delay is 1 s to
 * 30 d ("0s" is refused: a failed message must not spin). */
bool policy_retry_parse(
	const char *s, struct policy_retry *out, char why[POLICY_TEXT_MAX]);

/* Seconds to wait after failed attempt number `attempt` (from 1). jitter is in
 * thousandths: 100 spreads the delay over +-10 %. random: any 32 bits. */
uint32_t policy_retry_delay_s(const struct policy_retry *retry, unsigned attempt,
	unsigned jitter, uint32_t random);

void policy_retry_format(const struct policy_retry *retry, char *out, size_t out_size);

#endif
