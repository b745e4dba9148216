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

static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
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

/* x < 0 ? a : b */
static inline vf v_if_negative(vf x, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}

static inline vf v_abs(vf x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.f), x);
}

/* |x| with the sign of s. */
static inline vf v_copysign(vf x, vf s)
{
    __m256 sign = _mm256_set1_ps(-0.f);
    return _mm256_or_ps(_mm256_andnot_ps(sign, x), _mm256_and_ps(sign, s));
}

/* To the nearest whole number. */
static inline vf v_round(vf x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf v_power_of_two(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* x * 2^n for whole n in -150 .. 128, in two steps because 2^128 and 2^-150 are no floats. */
static inline vf v_ldexp(vf x, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return v_mul(v_mul(x, v_power_of_two(half)), v_power_of_two(_mm256_sub_epi32(whole, half)));
}

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

/* Transposes 4 x 4 squares of floats within each 128-bit lane of four vectors. */
static inline void v_transpose_lanes(vf x[4])
{
    vf a = _mm256_unpacklo_ps(x[0], x[1]), b = _mm256_unpackhi_ps(x[0], x[1]);
    vf c = _mm256_unpacklo_ps(x[2], x[3]), d = _mm256_unpackhi_ps(x[2], x[3]);
    x[0] = _mm256_shuffle_ps(a, c, 0x44);
    x[1] = _mm256_shuffle_ps(a, c, 0xee);
    x[2] = _mm256_shuffle_ps(b, d, 0x44);
    x[3] = _mm256_shuffle_ps(b, d, 0xee);
}

/* Transposes the 8 x 8 floats of x. */
static inline void v_transpose(vf x[BLOCK])
{
    v_transpose_lanes(x);
    v_transpose_lanes(x + 4);
    for (int i = 0; i < 4; i++) {
        vf low = _mm256_permute2f128_ps(x[i], x[i + 4], 0x20);
        x[i + 4] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x31);
        x[i] = low;
    }
}

#endif
