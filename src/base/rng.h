/* Seeded random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. The same seed gives
 * the same numbers on every machine. */
#ifndef GH_BASE_RNG_H
#define GH_BASE_RNG_H

#include <stdint.h>

typedef struct gh_rng {
    uint64_t s[4];
} gh_rng;

/* The state that splitmix64 makes of any seed, 0 too. */
void gh_rng_seed(gh_rng *rng, uint64_t seed);
/* 64 random bits. */
uint64_t gh_rng_u64(gh_rng *rng);
/* Uniform in 0 .. n-1 without bias; n >= 1. */
uint64_t gh_rng_below(gh_rng *rng, uint64_t n);
/* Uniform in [0, 1). */
float gh_rng_float(gh_rng *rng);
/* Standard normal (Box-Muller). */
float gh_rng_normal(gh_rng *rng);

#endif
