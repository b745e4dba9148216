/* Transposed convolution on the blocked layout, product by product. Packed weights: [oc
 * block][ic][tap][BLOCK]. A unit is one block of output channels of one image. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

static bool accepts(const gh_conv_shape *s)
{
    return s->groups == 1 && s->dh == 1 && s->dw == 1;
}

static size_t packed(const gh_conv_shape *s)
{
    return (size_t)ref_blocks(s->oc) * BLOCK * s->ic * s->kh * s->kw;
}

static void pack(float *dst, const float *weights, const gh_conv_shape *s)
{
    int taps = s->kh * s->kw;
    for (int ob = 0; ob < ref_blocks(s->oc); ob++)
        for (int c = 0; c < s->ic; c++)
            for (int t = 0; t < taps; t++)
                for (int o = ob * BLOCK; o < (ob + 1) * BLOCK; o++)
                    *dst++ = o < s->oc ? weights[((size_t)c * s->oc + o) * taps + t] : 0;
}

static size_t scratch(const gh_conv_shape *s)
{
    (void)s;
    return 0;
}

static int units(const gh_conv_shape *s)
{
    return s->n * ref_blocks(s->oc);
}

/* Adds what one input pixel of one channel gives to the pixels of its window that lie inside. */
static void spread(float *dst, float x, const float *weights, const gh_conv_shape *s, int iy, int ix)
{
    for (int ky = 0; ky < s->kh; ky++)
        for (int kx = 0; kx < s->kw; kx++, weights += BLOCK) {
            int y = iy * s->sh + ky - s->pt, left = ix * s->sw + kx - s->pl;
            if (y < 0 || y >= s->oh || left < 0 || left >= s->ow)
                continue;
            float *pixel = dst + ((size_t)y * s->ow + left) * BLOCK;
            for (int l = 0; l < BLOCK; l++)
                pixel[l] += x * weights[l];
        }
}

static void run(const gh_conv_job *job, int begin, int end)
{
    const gh_conv_shape *s = &job->shape;
    size_t in = (size_t)s->ih * s->iw, out = (size_t)s->oh * s->ow * BLOCK, taps = (size_t)s->kh * s->kw;
    for (int u = begin; u < end; u++) {
        int ob = u % ref_blocks(s->oc), image = u / ref_blocks(s->oc);
        const float *src = job->src + (size_t)image * ref_blocks(s->ic) * in * BLOCK;
        const float *weights = job->weights + (size_t)ob * s->ic * taps * BLOCK;
        float *dst = job->dst + u * out;
        for (size_t i = 0; i < out; i++)
            dst[i] = job->bias ? job->bias[ob * BLOCK + (int)(i % BLOCK)] : 0;
        for (int c = 0; c < s->ic; c++, weights += taps * BLOCK)
            for (size_t i = 0; i < in; i++) {
                const float *pixel = src + ((size_t)(c / BLOCK) * in + i) * BLOCK;
                spread(dst, pixel[c % BLOCK], weights, s, (int)i / s->iw, (int)i % s->iw);
            }
        for (size_t i = 0; i < out; i++)
            dst[i] = ref_act(dst[i], job->act);
    }
}

const gh_conv_kernel gh_kernel_conv_transpose_ref = {
    .name = "conv_transpose_ref",
    .src_blocked = true,
    .transposed = true,
    .accepts = accepts,
    .packed = packed,
    .pack = pack,
    .scratch = scratch,
    .units = units,
    .run = run,
};
