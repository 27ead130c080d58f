#include "base/rng.h"

#include "base/err.h"

#include <errno.h>
#include <sys/random.h>

void rng_bytes(void *out, size_t len)
{
	char *to = out;
	while (len) {
		ssize_t n = getrandom(to, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		ASSERT(n > 0);
		to += n;
		len -= (size_t)n;
	}
}

uint32_t rng_u32(void)
{
	uint32_t n;
	rng_bytes(&n, sizeof(n));
	return n;
}

uint64_t rng_u64(void)
{
	uint64_t n;
	rng_bytes(&n, sizeof(n));
	return n;
}

uint32_t rng_below(uint32_t bound)
{
	ASSERT(bound > 0);
	/* Reject the tail that would favour small results. */
	uint32_t limit = UINT32_MAX - UINT32_MAX % bound;
	uint32_t n;
	do {
		n = rng_u32();
	} while (n >= limit);
	return n % bound;
}
