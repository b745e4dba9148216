/* Any convolution on plain NCHW tensors, weights and bias as the model holds them. The slowest and most
 * general kernel: groups, dilation and asymmetric padding. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

/* dst[x] += w * src row, for the columns whose tap kx lies inside the picture. */
static void add_row(float *dst, const float *src, float w, const gh_conv_shape *s, int kx)
{
    for (int x = 0; x < s->ow; x++) {
        int ix = x * s->sw - s->pl + kx * s->dw;
        if (ix >= 0 && ix < s->iw)
            dst[x] += w * src[ix];
    }
}

static void add_plane(float *dst, const float *src, const float *weights, const gh_conv_shape *s)
{
    for (int y = 0; y < s->oh; y++)
        for (int ky = 0; ky < s->kh; ky++) {
            int iy = y * s->sh - s->pt + ky * s->dh;
            if (iy < 0 || iy >= s->ih)
                continue;
            for (int kx = 0; kx < s->kw; kx++)
                add_row(dst + (size_t)y * s->ow, src + (size_t)iy * s->iw, weights[ky * s->kw + kx], s, kx);
        }
}

/* Starts from bias + residual in dst itself, so that residual may be dst. */
static void one_plane(const gh_conv_job *job, int image, int oc)
{
    const gh_conv_shape *s = &job->shape;
    size_t in = (size_t)s->ih * s->iw, out = (size_t)s->oh * s->ow, taps = (size_t)s->kh * s->kw;
    int icg = s->ic / s->groups, group = oc / (s->oc / s->groups);
    size_t at = ((size_t)image * s->oc + oc) * out;
    const float *src = job->src + ((size_t)image * s->ic + (size_t)group * icg) * in;
    const float *weights = job->weights + (size_t)oc * icg * taps;
    float *dst = job->dst + at, bias = job->bias ? job->bias[oc] : 0;

    for (size_t i = 0; i < out; i++)
        dst[i] = job->residual ? bias + job->residual[at + i] : bias;
    for (int c = 0; c < icg; c++)
        add_plane(dst, src + (size_t)c * in, weights + (size_t)c * taps, s);
    for (size_t i = 0; i < out; i++)
        dst[i] = ref_act(dst[i], job->act);
}

void gh_kernel_conv_plain_ref(const gh_conv_job *job, int begin, int end)
{
    for (int u = begin; u < end; u++)
        one_plane(job, u / job->shape.oc, u % job->shape.oc);
}
