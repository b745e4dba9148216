/* First layer: k x k from a plain picture of at most 4 channels to the blocked layout.
 * Packed weights: [oc block][ic][kh][kw][BLOCK]. A unit is one output row of one block. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

#include <string.h>

static bool accepts(const gh_conv_shape *s)
{
    return s->groups == 1 && s->ic <= 4;
}

static size_t packed(const gh_conv_shape *s)
{
    return (size_t)ref_blocks(s->oc) * BLOCK * s->ic * s->kh * s->kw;
}

static void pack(float *dst, const float *weights, const gh_conv_shape *s)
{
    size_t k = (size_t)s->ic * s->kh * s->kw;
    for (int ob = 0; ob < ref_blocks(s->oc); ob++)
        for (size_t i = 0; i < k; i++)
            for (int l = 0; l < BLOCK; l++) {
                int o = ob * BLOCK + l;
                *dst++ = o < s->oc ? weights[(size_t)o * k + i] : 0;
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
    for (int c = 0; c < s->ic; c++)
        for (int ky = ky0; ky < ky1; ky++)
            for (int kx = kx0; kx < kx1; kx++) {
                float v = src[((size_t)c * s->ih + iy + ky * s->dh) * s->iw + ix + kx * s->dw];
                const float *w = weights + (((size_t)c * s->kh + ky) * s->kw + kx) * BLOCK;
                for (int l = 0; l < BLOCK; l++)
                    acc[l] += v * w[l];
            }
    memcpy(sum, acc, sizeof acc);
}

static void run(const gh_conv_job *job, int begin, int end)
{
    const gh_conv_shape *s = &job->shape;
    int blocks = ref_blocks(s->oc);
    for (int u = begin; u < end; u++) {
        int y = u % s->oh, ob = u / s->oh % blocks, image = u / s->oh / blocks;
        const float *src = job->src + (size_t)image * s->ic * s->ih * s->iw;
        const float *weights = job->weights + (size_t)ob * s->ic * s->kh * s->kw * BLOCK;
        size_t row = (size_t)u * s->ow * BLOCK;
        for (int x = 0; x < s->ow; x++) {
            float acc[BLOCK] = {0};
            for (int l = 0; job->bias && l < BLOCK; l++)
                acc[l] = job->bias[ob * BLOCK + l];
            one_pixel(acc, s, src, weights, y, x);
            size_t at = row + (size_t)x * BLOCK;
            ref_store(job->dst + at, acc, job->residual ? job->residual + at : NULL, job->act);
        }
    }
}

const gh_conv_kernel gh_kernel_conv_first_ref = {
    .name = "conv_first_ref",
    .src_blocked = false,
    .accepts = accepts,
    .packed = packed,
    .pack = pack,
    .scratch = scratch,
    .units = units,
    .run = run,
};
