/*
 * Random numbers from the kernel. rng_bytes never fails (it aborts if the
 * kernel has no randomness, which Linux does not do after boot).
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *out, size_t len);
uint32_t rng_u32(void);
uint64_t rng_u64(void);

/* Uniform in [0, bound); bound > 0. */
uint32_t rng_below(uint32_t bound);

#endif
