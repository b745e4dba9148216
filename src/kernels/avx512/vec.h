/* Vectors of the AVX-512 level (F, BW, DQ, VL). The kernels in simd/ are written on this vocabulary and
 * compiled once for each level. */
#ifndef GH_KERNELS_AVX512_VEC_H
#define GH_KERNELS_AVX512_VEC_H

#include <immintrin.h>
#include <stdint.h>

#define LEVEL_NAME    "avx512"
#define LEVEL_TOKEN   avx512
#define LEVEL(symbol) gh_kernel_##symbol##_avx512

/* Channels in a block = floats in a vector. */
enum { BLOCK = 16 };
/* Widest register tile for 1, 2, 3, 4 blocks of output channels: 32 registers hold the sums, one weight a
 * block and one input. */
#define REGISTERS 32
enum { TILE_1 = 14, TILE_2 = 14, TILE_3 = 9, TILE_4 = 6 };

/* + - * / work on vectors as they are. */
typedef __m512 vf;

static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

/* A load that stays one load: compilers like to repeat it as an operand of each instruction that uses it. */
static inline vf v_load_once(const float *p)
{
    vf x = _mm512_loadu_ps(p);
    __asm__("" : "+v"(x));
    return x;
}

static inline void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}

static inline __mmask16 v_first(int n)
{
    return (__mmask16)((1u << n) - 1);
}

/* The first n lanes, 0 <= n <= BLOCK; the others read as zero and are not touched in memory. */
static inline vf v_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(v_first(n), p);
}

static inline void v_store_n(float *p, vf x, int n)
{
    _mm512_mask_storeu_ps(p, v_first(n), x);
}

static inline vf v_set(float x)
{
    return _mm512_set1_ps(x);
}

/* a * b + c */
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* The second operand where either is NaN. */
static inline vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

/* x * 2^n for whole n in -150 .. 128. */
static inline float v_sum(vf x)
{
    return _mm512_reduce_add_ps(x);
}

static inline float v_largest(vf x)
{
    return _mm512_reduce_max_ps(x);
}

/* BLOCK bytes to floats. */
static inline vf v_from_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

#endif
