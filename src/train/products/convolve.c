/* Convolution and its gradients by matrix products: the windows of a strip of output rows are laid out as
 * columns (im2col), and one product takes them all. 1x1 windows need no layout. */
#include "train/products/convolve.h"

#include "train/products/blas.h"
#include "train/products/convolve_blocked.h"
#include "train/products/depthwise.h"

#include <string.h>

enum {
    STRIP_FLOATS = 64 * 1024, /* of columns: they stay in the second-level cache */
};

static bool is_pointwise(const gh_conv_shape *s)
{
    return s->kh == 1 && s->kw == 1 && s->sh == 1 && s->sw == 1 && s->pt == 0 && s->pl == 0 &&
           s->oh == s->ih && s->ow == s->iw;
}

static int depth_of(const gh_conv_shape *s)
{
    return s->ic / s->groups * s->kh * s->kw;
}

/* Output rows of a strip. */
static int strip_rows(const gh_conv_shape *s)
{
    int rows = STRIP_FLOATS / depth_of(s) / s->ow;
    rows = rows > 0 ? rows : 1;
    return is_pointwise(s) || rows > s->oh ? s->oh : rows;
}

static size_t strip_floats(const gh_conv_shape *s)
{
    return is_pointwise(s) ? 0 : (size_t)depth_of(s) * (size_t)strip_rows(s) * (size_t)s->ow;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

gh_conv_shape gh_conv_reversed(const gh_conv_shape *s)
{
    gh_conv_shape r = *s;
    r.ic = s->oc;
    r.ih = s->oh;
    r.iw = s->ow;
    r.oc = s->ic;
    r.oh = s->ih;
    r.ow = s->iw;
    return r;
}

size_t gh_convolve_scratch(const gh_conv_shape *s, const gh_kernels *k, int threads)
{
    if (gh_depthwise_accepts(s))
        return gh_depthwise_scratch(s, threads);
    return most(most(strip_floats(s) * (size_t)threads, gh_convolve_dots_scratch(s)),
                gh_convolve_blocked_scratch(s, k, threads));
}

/* Output columns [*from, *to) whose input column ox * step + start lies in 0 .. width-1. */
static void inside(int *from, int *to, int start, int step, int count, int width)
{
    int first = start < 0 ? (-start + step - 1) / step : 0;
    int last = start < width ? (width - start + step - 1) / step : 0;
    *to = last < count ? last : count;
    *from = first < *to ? first : *to;
}

/* Rows [y0, y0 + rows) of the output as columns: [channel][ky][kx][rows][ow]. */
static void to_columns(float *dst, const float *src, const gh_conv_shape *s, int y0, int rows)
{
    for (int c = 0; c < s->ic / s->groups; c++, src += (size_t)s->ih * (size_t)s->iw)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++)
                for (int r = 0; r < rows; r++, dst += s->ow) {
                    int y = (y0 + r) * s->sh + ky * s->dh - s->pt, x = kx * s->dw - s->pl, from, to;
                    inside(&from, &to, x, s->sw, y >= 0 && y < s->ih ? s->ow : 0, s->iw);
                    const float *row = src + (ptrdiff_t)y * s->iw + x;
                    for (int i = 0; i < from; i++)
                        dst[i] = 0;
                    if (s->sw == 1 && to > from)
                        memcpy(dst + from, row + from, (size_t)(to - from) * sizeof *dst);
                    for (int i = from; i < to && s->sw > 1; i++)
                        dst[i] = row[i * s->sw];
                    for (int i = to; i < s->ow; i++)
                        dst[i] = 0;
                }
}

/* Adds such columns to the input's picture. */
static void from_columns(float *dst, const float *src, const gh_conv_shape *s, int y0, int rows)
{
    for (int c = 0; c < s->ic / s->groups; c++, dst += (size_t)s->ih * (size_t)s->iw)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++)
                for (int r = 0; r < rows; r++, src += s->ow) {
                    int y = (y0 + r) * s->sh + ky * s->dh - s->pt, x = kx * s->dw - s->pl, from, to;
                    inside(&from, &to, x, s->sw, y >= 0 && y < s->ih ? s->ow : 0, s->iw);
                    float *row = dst + (ptrdiff_t)y * s->iw + x;
                    for (int i = from; i < to; i++)
                        row[i * s->sw] += src[i];
                }
}

typedef struct job {
    const gh_convolve *c;
    const float *x, *y, *bias; /* of the direction at hand */
    float *to;
} job;

static size_t in_floats(const gh_conv_shape *s)
{
    return (size_t)s->ic / (size_t)s->groups * (size_t)s->ih * (size_t)s->iw;
}

static size_t out_floats(const gh_conv_shape *s)
{
    return (size_t)s->oc / (size_t)s->groups * (size_t)s->oh * (size_t)s->ow;
}

static void fill_planes(float *dst, int planes, size_t size, const float *bias)
{
    for (int p = 0; p < planes; p++)
        for (size_t i = 0; i < size; i++)
            dst[(size_t)p * size + i] = bias ? bias[p] : 0;
}

/* Units are pictures times groups. */
static void forward_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->c->s;
    int rows = strip_rows(s), ocg = s->oc / s->groups, plane = s->oh * s->ow;
    float *strip = j->c->scratch + strip_floats(s) * (size_t)thread;
    for (int u = begin; u < end; u++) {
        int group = u % s->groups;
        const float *x = j->x + (size_t)u * in_floats(s);
        float *y = j->to + (size_t)u * out_floats(s);
        if (j->bias)
            fill_planes(y, ocg, (size_t)plane, j->bias + group * ocg);
        for (int y0 = 0; y0 < s->oh; y0 += rows) {
            int n = rows < s->oh - y0 ? rows : s->oh - y0;
            gh_product p = {.m = ocg,
                            .n = n * s->ow,
                            .k = depth_of(s),
                            .a = j->c->weights + (size_t)group * (size_t)ocg * (size_t)depth_of(s),
                            .b = is_pointwise(s) ? x : strip,
                            .c = y + (size_t)y0 * (size_t)s->ow,
                            .lda = depth_of(s),
                            .ldb = n * s->ow,
                            .ldc = plane,
                            .add = j->bias != NULL};
            if (!is_pointwise(s))
                to_columns(strip, x, s, y0, n);
            gh_gemm(&p);
        }
    }
}

void gh_convolve_forward(const gh_convolve *c, const float *x, const float *bias, float *y)
{
    job j = {.c = c, .x = x, .bias = bias, .to = y};
    if (gh_depthwise_accepts(&c->s))
        gh_depthwise_forward(c, x, bias, y);
    else if (!gh_convolve_blocked_forward(c, x, bias, y))
        gh_pool_for(c->pool, c->s.n * c->s.groups, forward_units, &j);
}

static void input_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->c->s;
    int rows = strip_rows(s), ocg = s->oc / s->groups, icg = s->ic / s->groups, plane = s->oh * s->ow;
    float *strip = j->c->scratch + strip_floats(s) * (size_t)thread;
    for (int u = begin; u < end; u++) {
        int group = u % s->groups;
        float *x = j->to + (size_t)u * in_floats(s);
        const float *y = j->y + (size_t)u * out_floats(s);
        if (!is_pointwise(s) || j->bias)
            fill_planes(x, icg, (size_t)s->ih * (size_t)s->iw, j->bias ? j->bias + group * icg : NULL);
        for (int y0 = 0; y0 < s->oh; y0 += rows) {
            int n = rows < s->oh - y0 ? rows : s->oh - y0;
            gh_product p = {.ta = true,
                            .m = depth_of(s),
                            .n = n * s->ow,
                            .k = ocg,
                            .a = j->c->weights + (size_t)group * (size_t)ocg * (size_t)depth_of(s),
                            .b = y + (size_t)y0 * (size_t)s->ow,
                            .c = is_pointwise(s) ? x : strip,
                            .lda = depth_of(s),
                            .ldb = plane,
                            .ldc = n * s->ow,
                            .add = is_pointwise(s) && j->bias};
            gh_gemm(&p);
            if (!is_pointwise(s))
                from_columns(x, strip, s, y0, n);
        }
    }
}

void gh_convolve_input(const gh_convolve *c, const float *dy, const float *bias, float *dx)
{
    job j = {.c = c, .y = dy, .bias = bias, .to = dx};
    if (gh_depthwise_accepts(&c->s))
        gh_depthwise_input(c, dy, bias, dx);
    else if (!gh_convolve_blocked_input(c, dy, bias, dx))
        gh_pool_for(c->pool, c->s.n * c->s.groups, input_units, &j);
}

void gh_convolve_weights(const gh_convolve *c, const float *x, const float *dy, float *dw)
{
    if (gh_depthwise_accepts(&c->s))
        gh_depthwise_weights(c, x, dy, dw);
    else
        gh_convolve_dots(c, x, dy, dw);
}
