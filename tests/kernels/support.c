/* Levels, guarded buffers and the double precision reference of the kernel tests. */
#include "kernels/support.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { GUARD = 64 }; /* floats on each side */
static const float canary = -12345.678f;

bool kt_level(gh_kernels *k, int index)
{
    static const uint32_t masks[] = {0, GH_CPU_AVX2, GH_CPU_AVX2 | GH_CPU_AVX512};
    if (index >= (int)(sizeof masks / sizeof *masks) || (gh_cpu_flags() & masks[index]) != masks[index])
        return false;
    memset(k, 0, sizeof *k);
    uint32_t more = index == 2 ? gh_cpu_flags() & GH_CPU_AVX512_BF16 : 0;
    gh_kernels_init(k, masks[index] | more);
    return true;
}

kt_buf kt_new(size_t count)
{
    float *base = gh_alloc_aligned((count + 2 * GUARD) * sizeof *base);
    ck_assert_ptr_nonnull(base);
    for (size_t i = 0; i < GUARD; i++)
        base[i] = base[GUARD + count + i] = canary;
    for (size_t i = 0; i < count; i++)
        base[GUARD + i] = NAN;
    return (kt_buf){.p = base + GUARD, .count = count, .base = base};
}

kt_buf kt_random(gh_rng *rng, size_t count)
{
    kt_buf b = kt_new(count);
    for (size_t i = 0; i < count; i++)
        b.p[i] = 2 * gh_rng_float(rng) - 1;
    return b;
}

void kt_free(kt_buf *b, const char *what)
{
    const float *base = b->base;
    for (size_t i = 0; i < GUARD; i++)
        if (base[i] != canary || base[GUARD + b->count + i] != canary)
            ck_abort_msg("%s: wrote outside its buffer, guard %zu", what, i);
    gh_free(b->base);
    *b = (kt_buf){0};
}

float *kt_exact(const float *src, size_t count)
{
    float *p = gh_alloc_aligned(count * sizeof *p);
    ck_assert_ptr_nonnull(p);
    memcpy(p, src, count * sizeof *p);
    return p;
}

float *kt_as_multiplied(const kt_buf *b, bool bf16)
{
    float *p = kt_exact(b->p, b->count);
    for (size_t i = 0; bf16 && i < b->count; i++) {
        uint32_t bits;
        memcpy(&bits, &p[i], sizeof bits);
        uint32_t up = bits & 0x8000 && (bits & 0x1ffff) != 0x8000 ? 0x10000 : 0;
        bits = (bits & 0xffff0000) + up;
        memcpy(&p[i], &bits, sizeof bits);
    }
    return p;
}

int kt_blocks(int c, int block)
{
    return (c + block - 1) / block;
}

void kt_block(float *dst, const float *src, int n, int c, int hw, int block)
{
    for (int image = 0; image < n; image++)
        for (int b = 0; b < kt_blocks(c, block); b++)
            for (int i = 0; i < hw; i++)
                for (int l = 0; l < block; l++) {
                    int ch = b * block + l;
                    *dst++ = ch < c ? src[((size_t)image * c + ch) * hw + i] : 77 + (float)l;
                }
}

float kt_at(const float *blocked, int c, int hw, int block, int image, int channel, int i)
{
    size_t plane = (size_t)image * kt_blocks(c, block) + channel / block;
    return blocked[(plane * hw + i) * block + channel % block];
}

const gh_act kt_acts[] = {
    {GH_ACT_NONE, 0, 0},    {GH_ACT_CLAMP, 0, INFINITY},
    {GH_ACT_CLAMP, 0, 6},   {GH_ACT_CLAMP, -.5f, .3f},
    {GH_ACT_LEAKY, .1f, 0}, {GH_ACT_SIGMOID, 0, 0},
    {GH_ACT_HSWISH, 0, 0},  {GH_ACT_HSIGMOID, .1666667f, .5f},
    {GH_ACT_SILU, 0, 0},    {GH_ACT_TANH, 0, 0},
};
const int kt_act_count = sizeof kt_acts / sizeof *kt_acts;

double kt_act(double x, gh_act act)
{
    double lo = act.lo, hi = act.hi;
    switch (act.kind) {
    case GH_ACT_NONE:
        return x;
    case GH_ACT_CLAMP:
        return fmin(fmax(x, lo), hi);
    case GH_ACT_LEAKY:
        return x < 0 ? lo * x : x;
    case GH_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case GH_ACT_HSWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case GH_ACT_HSIGMOID:
        return fmin(fmax(lo * x + hi, 0), 1);
    case GH_ACT_SILU:
        return x / (1 + exp(-x));
    case GH_ACT_TANH:
        return tanh(x);
    }
    return NAN;
}

double kt_slope(gh_act act)
{
    return act.kind == GH_ACT_HSWISH ? 1.5 : act.kind == GH_ACT_SILU ? 1.1 : 1;
}

/* One output of kt_conv. */
static void conv_point(double *want, double *mag, const gh_conv_shape *s, const float *src,
                       const float *weights, int y, int x)
{
    int icg = s->ic / s->groups;
    for (int c = 0; c < icg; c++)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++) {
                int iy = y * s->sh + ky * s->dh - s->pt, ix = x * s->sw + kx * s->dw - s->pl;
                if (iy < 0 || iy >= s->ih || ix < 0 || ix >= s->iw)
                    continue;
                double p = (double)src[((size_t)c * s->ih + iy) * s->iw + ix] *
                           (double)weights[((size_t)c * s->kh + ky) * s->kw + kx];
                *want += p;
                *mag += fabs(p);
            }
}

void kt_conv(double *want, double *mag, const gh_conv_shape *s, const float *src, const float *weights,
             const float *bias, const float *residual)
{
    int icg = s->ic / s->groups, ocg = s->oc / s->groups;
    for (int image = 0; image < s->n; image++)
        for (int o = 0; o < s->oc; o++)
            for (int i = 0; i < s->oh * s->ow; i++) {
                size_t at = ((size_t)image * s->oc + o) * s->oh * s->ow + i;
                double start = (bias ? (double)bias[o] : 0) + (residual ? (double)residual[at] : 0);
                want[at] = start;
                mag[at] = (bias ? fabs((double)bias[o]) : 0) + (residual ? fabs((double)residual[at]) : 0);
                conv_point(&want[at], &mag[at], s,
                           src + ((size_t)image * s->ic + (size_t)(o / ocg) * icg) * s->ih * s->iw,
                           weights + (size_t)o * icg * s->kh * s->kw, i / s->ow, i % s->ow);
            }
}

double kt_tolerance(double mag, double terms, gh_act act)
{
    const double eps = 6e-8; /* half a unit in the last place of 1 */
    return kt_slope(act) * mag * eps * (4 + 2 * sqrt(terms)) + 4e-7;
}

void kt_ranges(gh_rng *rng, int n, void (*fn)(void *arg, int begin, int end), void *arg)
{
    int cut[4] = {0, (int)gh_rng_below(rng, (uint64_t)n + 1), (int)gh_rng_below(rng, (uint64_t)n + 1), n};
    if (cut[1] > cut[2]) {
        int t = cut[1];
        cut[1] = cut[2];
        cut[2] = t;
    }
    for (int i = 2; i >= 0; i--)
        fn(arg, cut[i], cut[i + 1]);
}
