/* What the exponential and the activations need besides vec.h, AVX-512 level. Include after it. */
#ifndef GH_KERNELS_AVX512_VEC_MATH_H
#define GH_KERNELS_AVX512_VEC_MATH_H

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

static inline vf v_ldexp(vf x, vf n)
{
    return _mm512_scalef_ps(x, n);
}

#endif
