/* What the plain C kernels share: the block of their layout, the scalar activation, small arithmetic. */
#ifndef GH_KERNELS_REF_H
#define GH_KERNELS_REF_H

#include "kernels/kernels.h"

#include <math.h>

/* Channels in a block at this level. */
enum { BLOCK = 8 };

static inline int ref_blocks(int channels)
{
    return (channels + BLOCK - 1) / BLOCK;
}

static inline int ref_min(int a, int b)
{
    return a < b ? a : b;
}

/* min(max(x, lo), hi) that lets a NaN through. */
static inline float ref_clamp(float x, float lo, float hi)
{
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

static inline float ref_act(float x, gh_act act)
{
    switch (act.kind) {
    case GH_ACT_NONE:
        return x;
    case GH_ACT_CLAMP:
        return ref_clamp(x, act.lo, act.hi);
    case GH_ACT_LEAKY:
        return x < 0 ? act.lo * x : x;
    case GH_ACT_SIGMOID:
        return 1 / (1 + expf(-x));
    case GH_ACT_HSWISH:
        return x * ref_clamp(x / 6 + 0.5f, 0, 1);
    case GH_ACT_HSIGMOID:
        return ref_clamp(act.lo * x + act.hi, 0, 1);
    case GH_ACT_SILU:
        return x / (1 + expf(-x));
    case GH_ACT_TANH:
        return tanhf(x);
    }
    return x;
}

/* Adds the residual block (may be NULL), activates and stores one block of channels. */
static inline void ref_store(float *dst, const float *acc, const float *residual, gh_act act)
{
    for (int l = 0; l < BLOCK; l++)
        dst[l] = ref_act(residual ? acc[l] + residual[l] : acc[l], act);
}

/* First and one-past-last tap of a window that starts at `start` (may be negative) and meets 0 .. size-1. */
static inline void ref_taps(int *first, int *last, int start, int taps, int dilation, int size)
{
    *first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *last = start >= size ? 0 : ref_min(taps, (size - 1 - start) / dilation + 1);
}

#endif
