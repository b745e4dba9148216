/* Pooling on the blocked layout. A window without a single pixel gives the lowest float (maximum) or 0
 * (average). */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

#include <float.h>

typedef struct window {
    int y, x;               /* first tap, may be negative */
    int ky0, ky1, kx0, kx1; /* taps inside the picture */
} window;

static window window_at(const gh_conv_shape *s, int y, int x)
{
    window w = {.y = y * s->sh - s->pt, .x = x * s->sw - s->pl};
    ref_taps(&w.ky0, &w.ky1, w.y, s->kh, s->dh, s->ih);
    ref_taps(&w.kx0, &w.kx1, w.x, s->kw, s->dw, s->iw);
    return w;
}

/* Taps of one axis that lie in the picture or in its padding. */
static int padded_taps(int start, int taps, int dilation, int size, int pad_end)
{
    int count = 0;
    for (int k = 0; k < taps; k++)
        count += start + k * dilation < size + pad_end;
    return count;
}

static int divisor(const gh_pool_job *job, const window *w)
{
    const gh_conv_shape *s = &job->shape;
    if (job->count_pad)
        return padded_taps(w->y, s->kh, s->dh, s->ih, job->pb) *
               padded_taps(w->x, s->kw, s->dw, s->iw, job->pr);
    return w->ky1 > w->ky0 && w->kx1 > w->kx0 ? (w->ky1 - w->ky0) * (w->kx1 - w->kx0) : 0;
}

static void max_pixel(float *dst, const gh_conv_shape *s, const float *src, const window *w)
{
    for (int l = 0; l < BLOCK; l++)
        dst[l] = -FLT_MAX;
    for (int ky = w->ky0; ky < w->ky1; ky++)
        for (int kx = w->kx0; kx < w->kx1; kx++) {
            const float *v = src + ((size_t)(w->y + ky * s->dh) * s->iw + w->x + kx * s->dw) * BLOCK;
            for (int l = 0; l < BLOCK; l++)
                dst[l] = v[l] > dst[l] ? v[l] : dst[l];
        }
}

static void avg_pixel(float *dst, const gh_conv_shape *s, const float *src, const window *w, int count)
{
    float acc[BLOCK] = {0};
    for (int ky = w->ky0; ky < w->ky1; ky++)
        for (int kx = w->kx0; kx < w->kx1; kx++) {
            const float *v = src + ((size_t)(w->y + ky * s->dh) * s->iw + w->x + kx * s->dw) * BLOCK;
            for (int l = 0; l < BLOCK; l++)
                acc[l] += v[l];
        }
    for (int l = 0; l < BLOCK; l++)
        dst[l] = count > 0 ? acc[l] / (float)count : 0;
}

/* The row of output that is unit u, its place y and the plane of input that it reads. */
static float *find_row(const gh_pool_job *job, const float **src, int *y, int u)
{
    const gh_conv_shape *s = &job->shape;
    int blocks = ref_blocks(s->ic);
    size_t plane = (size_t)(u / blocks / s->oh) * blocks + u % blocks;
    *y = u / blocks % s->oh;
    *src = job->src + plane * s->ih * s->iw * BLOCK;
    return job->dst + (plane * s->oh + *y) * s->ow * BLOCK;
}

void gh_kernel_pool_max_ref(const gh_pool_job *job, int begin, int end)
{
    const gh_conv_shape *s = &job->shape;
    for (int u = begin; u < end; u++) {
        const float *src;
        int y;
        float *dst = find_row(job, &src, &y, u);
        for (int x = 0; x < s->ow; x++, dst += BLOCK) {
            window w = window_at(s, y, x);
            max_pixel(dst, s, src, &w);
        }
    }
}

void gh_kernel_pool_avg_ref(const gh_pool_job *job, int begin, int end)
{
    const gh_conv_shape *s = &job->shape;
    for (int u = begin; u < end; u++) {
        const float *src;
        int y;
        float *dst = find_row(job, &src, &y, u);
        for (int x = 0; x < s->ow; x++, dst += BLOCK) {
            window w = window_at(s, y, x);
            avg_pixel(dst, s, src, &w, divisor(job, &w));
        }
    }
}

void gh_kernel_pool_global_avg_ref(float *dst, const float *src, int n, int c, int hw)
{
    int blocks = ref_blocks(c);
    for (int image = 0; image < n; image++)
        for (int b = 0; b < blocks; b++) {
            float acc[BLOCK] = {0};
            for (int i = 0; i < hw; i++, src += BLOCK)
                for (int l = 0; l < BLOCK; l++)
                    acc[l] += src[l];
            for (int l = 0; l < ref_min(BLOCK, c - b * BLOCK); l++)
                *dst++ = acc[l] / (float)hw;
        }
}
