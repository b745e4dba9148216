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

static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
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

/* x < 0 ? a : b */
static inline vf v_if_negative(vf x, vf a, vf b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), b, a);
}

static inline vf v_abs(vf x)
{
    return _mm512_abs_ps(x);
}

/* |x| with the sign of s. */
static inline vf v_copysign(vf x, vf s)
{
    __m512 sign = _mm512_set1_ps(-0.f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, x), _mm512_and_ps(sign, s));
}

/* To the nearest whole number. */
static inline vf v_round(vf x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* x * 2^n for whole n in -150 .. 128. */
static inline vf v_ldexp(vf x, vf n)
{
    return _mm512_scalef_ps(x, n);
}

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

/* Transposes 4 x 4 squares of floats within each 128-bit lane of four vectors. */
static inline void v_transpose_lanes(vf x[4])
{
    vf a = _mm512_unpacklo_ps(x[0], x[1]), b = _mm512_unpackhi_ps(x[0], x[1]);
    vf c = _mm512_unpacklo_ps(x[2], x[3]), d = _mm512_unpackhi_ps(x[2], x[3]);
    x[0] = _mm512_shuffle_ps(a, c, 0x44);
    x[1] = _mm512_shuffle_ps(a, c, 0xee);
    x[2] = _mm512_shuffle_ps(b, d, 0x44);
    x[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/* Transposes the 16 x 16 floats of x. */
static inline void v_transpose(vf x[BLOCK])
{
    for (int i = 0; i < BLOCK; i += 4)
        v_transpose_lanes(x + i);
    for (int i = 0; i < 4; i++) { /* now 4 x 4 lanes of 128 bits: x[4 r + i] holds lane column c of row r */
        vf a = _mm512_shuffle_f32x4(x[i], x[i + 4], 0x88), b = _mm512_shuffle_f32x4(x[i], x[i + 4], 0xdd);
        vf c = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0x88);
        vf d = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0xdd);
        x[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        x[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        x[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        x[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#endif
