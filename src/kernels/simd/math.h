/* Exponential and activations on vectors. Include after a level's vec.h and vec_math.h. */
#ifndef GH_KERNELS_SIMD_MATH_H
#define GH_KERNELS_SIMD_MATH_H

#include "kernels/kernels.h"

/* e^x, relative error below 1.5e-7; 0 below -104, infinity above 89. x = n ln 2 + r with |r| <= ln 2 / 2, and
 * e^r = 1 + r + r^2 q(r) where q is our own minimax fit of degree 4 (3.1e-9 relative, before rounding). */
static inline vf v_exp(vf x)
{
    x = v_max(v_set(-104), v_min(v_set(89), x));
    vf n = v_round(x * v_set(1.44269504f));
    vf r = v_fma(n, v_set(-0.693145752f), x); /* ln 2 in two parts, the first with few bits */
    r = v_fma(n, v_set(-1.42860677e-6f), r);
    vf q = v_fma(v_set(1.381459879e-3f), r, v_set(8.368716575e-3f));
    q = v_fma(q, r, v_set(4.166838899e-2f));
    q = v_fma(q, r, v_set(1.666652113e-1f));
    q = v_fma(q, r, v_set(4.999999404e-1f));
    vf p = v_fma(r * r, q, r + v_set(1));
    return v_ldexp(p, n);
}

/* Relative error below 2e-7. */
static inline vf v_sigmoid(vf x)
{
    return v_set(1) / (v_set(1) + v_exp(v_set(0) - x));
}

/* Relative error below 2e-7: x + x^3 p(x^2) near zero (our minimax fit, 4.4e-9), else 1 - 2 / (e^2|x| + 1).
 */
static inline vf v_tanh(vf x)
{
    vf a = v_abs(x), s = x * x;
    vf p = v_fma(v_set(-5.70491096e-3f), s, v_set(2.063902281e-2f));
    p = v_fma(p, s, v_set(-5.373969674e-2f));
    p = v_fma(p, s, v_set(1.333144158e-1f));
    p = v_fma(p, s, v_set(-3.333328068e-1f));
    vf near = v_fma(p * s, x, x);
    vf far = v_set(1) - v_set(2) / (v_exp(a + a) + v_set(1));
    return v_if_negative(a - v_set(0.625f), near, v_copysign(far, x));
}

static inline vf v_clamp(vf x, float lo, float hi)
{
    return v_min(v_set(hi), v_max(v_set(lo), x));
}

/* `act.kind` should be a constant after inlining. */
static inline __attribute__((always_inline)) vf v_act(vf x, gh_act act)
{
    switch (act.kind) {
    case GH_ACT_NONE:
        return x;
    case GH_ACT_CLAMP:
        return v_clamp(x, act.lo, act.hi);
    case GH_ACT_LEAKY:
        return v_if_negative(x, v_set(act.lo) * x, x);
    case GH_ACT_SIGMOID:
        return v_sigmoid(x);
    case GH_ACT_HSWISH:
        return x * v_clamp(v_fma(x, v_set(1.f / 6), v_set(0.5f)), 0, 1);
    case GH_ACT_HSIGMOID:
        return v_clamp(v_fma(v_set(act.lo), x, v_set(act.hi)), 0, 1);
    case GH_ACT_SILU:
        return x / (v_set(1) + v_exp(v_set(0) - x));
    case GH_ACT_TANH:
        return v_tanh(x);
    }
    return x;
}

#endif
