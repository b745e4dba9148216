/* Seeded random numbers, from the published definitions: xoshiro256** 1.0 and splitmix64
 * (prng.di.unimi.it, Blackman and Vigna). */
#include "base/rng.h"

#include "base/status.h"

#include <math.h>

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void gh_rng_seed(gh_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = splitmix64(&seed);
}

uint64_t gh_rng_u64(gh_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t gh_rng_below(gh_rng *rng, uint64_t n)
{
    GH_ASSERT(n >= 1);
    /* 2^64 mod n values are refused, so that each remainder has as many sources. */
    uint64_t refuse = (0 - n) % n, r;
    do
        r = gh_rng_u64(rng);
    while (r < refuse);
    return r % n;
}

float gh_rng_float(gh_rng *rng)
{
    return (float)(gh_rng_u64(rng) >> 40) * 0x1p-24f;
}

float gh_rng_normal(gh_rng *rng)
{
    /* In double, so that math libraries which differ in the last bit give the same float. */
    double u = (double)((gh_rng_u64(rng) >> 11) + 1) * 0x1p-53; /* (0, 1] */
    double v = (double)(gh_rng_u64(rng) >> 11) * 0x1p-53;
    return (float)(sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v));
}
