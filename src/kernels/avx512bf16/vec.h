/* Vectors of the AVX-512 level where the processor has AVX512-BF16: pairs of bfloat16 numbers in the place of
 * each float. */
#ifndef GH_KERNELS_AVX512BF16_VEC_H
#define GH_KERNELS_AVX512BF16_VEC_H

#include "kernels/avx512/vec.h"

#include <string.h>

/* a0 * b0 + a1 * b1 + c, a and b pairs; subnormal numbers count as zero. */
static inline vf v_dot_bf16(vf a, vf b, vf c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

/* BLOCK floats as BLOCK / 2 pairs, to the nearest, ties to even. */
static inline void v_store_bf16(float *p, vf x)
{
    _mm256_storeu_si256((__m256i *)(void *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

/* One pair, rounded in the same way; the first number is the lower half. */
static inline float bf16_pair(float first, float second)
{
    uint32_t bits[2];
    float x[2] = {first, second}, pair;
    memcpy(bits, x, sizeof bits);
    for (int i = 0; i < 2; i++)
        bits[i] = (bits[i] + 0x7fff + (bits[i] >> 16 & 1)) >> 16;
    bits[0] |= bits[1] << 16;
    memcpy(&pair, bits, sizeof pair);
    return pair;
}

#endif
