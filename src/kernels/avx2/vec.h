/* Vectors of the AVX2 + FMA level. The kernels in simd/ are written on this vocabulary and compiled once for
 * each level. */
#ifndef GH_KERNELS_AVX2_VEC_H
#define GH_KERNELS_AVX2_VEC_H

#include <immintrin.h>
#include <stdint.h>

#define LEVEL_NAME    "avx2"
#define LEVEL_TOKEN   avx2
#define LEVEL(symbol) gh_kernel_##symbol##_avx2

/* Channels in a block = floats in a vector. */
enum { BLOCK = 8 };
/* Widest register tile for 1, 2, 3, 4 blocks of output channels: 16 registers hold the sums, one weight a
 * block and one input. */
#define REGISTERS 16
enum { TILE_1 = 12, TILE_2 = 6, TILE_3 = 4, TILE_4 = 2 };

/* + - * / work on vectors as they are. */
typedef __m256 vf;

static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

/* A load that stays one load: compilers like to repeat it as an operand of each instruction that uses it. */
static inline vf v_load_once(const float *p)
{
    vf x = _mm256_loadu_ps(p);
    __asm__("" : "+x"(x));
    return x;
}

static inline void v_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}

static inline __m256i v_first(int n)
{
    static const int32_t ones[2 * BLOCK] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(ones + BLOCK - n));
}

/* The first n lanes, 0 <= n <= BLOCK; the others read as zero and are not touched in memory. */
static inline vf v_load_n(const float *p, int n)
{
    return n == BLOCK ? v_load(p) : _mm256_maskload_ps(p, v_first(n));
}

static inline void v_store_n(float *p, vf x, int n)
{
    if (n == BLOCK)
        v_store(p, x); /* a masked store takes dozens of cycles on some processors */
    else
        _mm256_maskstore_ps(p, v_first(n), x);
}

static inline vf v_set(float x)
{
    return _mm256_set1_ps(x);
}

/* a * b + c */
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* The second operand where either is NaN. */
static inline vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

/* x * 2^n for whole n in -150 .. 128, in two steps because 2^128 and 2^-150 are no floats. */
static inline float v_sum(vf x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float v_largest(vf x)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* BLOCK bytes to floats. */
static inline vf v_from_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

#endif
