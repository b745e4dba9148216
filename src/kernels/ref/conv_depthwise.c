/* Depthwise k x k on the blocked layout: each channel is filtered by itself.
 * Packed weights: [block][kh][kw][BLOCK]. A unit is one output row of one block. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

#include <string.h>

static bool accepts(const gh_conv_shape *s)
{
    return s->groups == s->ic && s->groups == s->oc;
}

static size_t packed(const gh_conv_shape *s)
{
    return (size_t)ref_blocks(s->oc) * BLOCK * s->kh * s->kw;
}

static void pack(float *dst, const float *weights, const gh_conv_shape *s)
{
    int taps = s->kh * s->kw;
    for (int b = 0; b < ref_blocks(s->oc); b++)
        for (int t = 0; t < taps; t++)
            for (int l = 0; l < BLOCK; l++) {
                int c = b * BLOCK + l;
                *dst++ = c < s->oc ? weights[(size_t)c * taps + t] : 0;
            }
}

static size_t scratch(const gh_conv_shape *s)
{
    (void)s;
    return 0;
}

static int units(const gh_conv_shape *s)
{
    return s->n * ref_blocks(s->oc) * s->oh;
}

static void one_pixel(float *sum, const gh_conv_shape *s, const float *src, const float *weights, int y,
                      int x)
{
    int iy = y * s->sh - s->pt, ix = x * s->sw - s->pl, ky0, ky1, kx0, kx1;
    ref_taps(&ky0, &ky1, iy, s->kh, s->dh, s->ih);
    ref_taps(&kx0, &kx1, ix, s->kw, s->dw, s->iw);
    float acc[BLOCK]; /* not sum itself, which might alias the input */
    memcpy(acc, sum, sizeof acc);
    for (int ky = ky0; ky < ky1; ky++)
        for (int kx = kx0; kx < kx1; kx++) {
            const float *v = src + ((size_t)(iy + ky * s->dh) * s->iw + ix + kx * s->dw) * BLOCK;
            const float *w = weights + (ky * s->kw + kx) * BLOCK;
            for (int l = 0; l < BLOCK; l++)
                acc[l] += v[l] * w[l];
        }
    memcpy(sum, acc, sizeof acc);
}

static void run(const gh_conv_job *job, int begin, int end)
{
    const gh_conv_shape *s = &job->shape;
    int blocks = ref_blocks(s->oc);
    for (int u = begin; u < end; u++) {
        int y = u % s->oh, plane = u / s->oh, b = plane % blocks;
        const float *src = job->src + (size_t)plane * s->ih * s->iw * BLOCK;
        const float *weights = job->weights + (size_t)b * s->kh * s->kw * BLOCK;
        size_t row = (size_t)u * s->ow * BLOCK;
        for (int x = 0; x < s->ow; x++) {
            float acc[BLOCK] = {0};
            for (int l = 0; job->bias && l < BLOCK; l++)
                acc[l] = job->bias[b * BLOCK + l];
            one_pixel(acc, s, src, weights, y, x);
            size_t at = row + (size_t)x * BLOCK;
            ref_store(job->dst + at, acc, job->residual ? job->residual + at : NULL, job->act);
        }
    }
}

const gh_conv_kernel gh_kernel_conv_depthwise_ref = {
    .name = "conv_depthwise_ref",
    .src_blocked = true,
    .accepts = accepts,
    .packed = packed,
    .pack = pack,
    .scratch = scratch,
    .units = units,
    .run = run,
};
