/* What the exponential and the activations need besides vec.h, AVX2 level. Include after it. */
#ifndef GH_KERNELS_AVX2_VEC_MATH_H
#define GH_KERNELS_AVX2_VEC_MATH_H

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

static inline vf v_ldexp(vf x, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return x * v_power_of_two(half) * v_power_of_two(_mm256_sub_epi32(whole, half));
}

#endif
