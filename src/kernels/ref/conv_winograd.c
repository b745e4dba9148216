/* 3x3 convolution with stride 1 by Winograd's F(m x m, 3x3), straight from the matrices. Packed weights:
 * [oc block][ic][point][BLOCK]. A unit is one row of tiles of one block. Nothing here is fast: it is what the
 * other levels are compared with, and is never chosen. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"
#include "kernels/winograd.h"

#include <string.h>

enum { POINTS = WINOGRAD_MOST * WINOGRAD_MOST };

static bool accepts(const gh_conv_shape *s)
{
    return s->groups == 1 && s->kh == 3 && s->kw == 3 && s->sh == 1 && s->sw == 1 && s->dh == 1 && s->dw == 1;
}

static size_t scratch(const gh_conv_shape *s)
{
    (void)s;
    return 0;
}

static size_t packed_floats(const gh_conv_shape *s, const gh_winograd *w)
{
    return (size_t)ref_blocks(s->oc) * BLOCK * s->ic * w->tile * w->tile;
}

/* (G g G^T)[y][x] of one window. */
static double turn_weight(const float *g, const gh_winograd *w, int y, int x)
{
    double sum = 0;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            sum += w->weights[y][i] * w->weights[x][k] * g[i * 3 + k];
    return sum;
}

static void pack_weights(float *dst, const float *weights, const gh_conv_shape *s, const gh_winograd *w)
{
    for (int ob = 0; ob < ref_blocks(s->oc); ob++)
        for (int c = 0; c < s->ic; c++)
            for (int y = 0; y < w->tile; y++)
                for (int x = 0; x < w->tile; x++)
                    for (int o = ob * BLOCK; o < (ob + 1) * BLOCK; o++) {
                        const float *g = weights + ((size_t)o * s->ic + c) * 9;
                        *dst++ = o < s->oc ? (float)turn_weight(g, w, y, x) : 0;
                    }
}

static int units_of(const gh_conv_shape *s, const gh_winograd *w)
{
    return s->n * ref_blocks(s->oc) * ((s->oh + w->m - 1) / w->m);
}

/* B^T d B of the tile of one channel whose first pixel is (y, x). */
static void turn_input(float *out, const float *plane, const gh_conv_shape *s, const gh_winograd *w, int y,
                       int x)
{
    float rows[POINTS] = {0};
    memset(out, 0, POINTS * sizeof *out);
    for (int i = 0; i < w->tile; i++)
        for (int k = 0; k < w->tile; k++) {
            bool inside = y + k >= 0 && y + k < s->ih;
            for (int c = 0; inside && c < w->tile; c++)
                if (x + c >= 0 && x + c < s->iw)
                    rows[i * w->tile + c] +=
                        w->input[i][k] * plane[((size_t)(y + k) * s->iw + x + c) * BLOCK];
        }
    for (int i = 0; i < w->tile; i++)
        for (int k = 0; k < w->tile; k++)
            for (int c = 0; c < w->tile; c++)
                out[i * w->tile + k] += rows[i * w->tile + c] * w->input[k][c];
}

/* One output pixel of the tile: (A^T m A)[y][x], a block of channels. */
static void turn_output(float out[BLOCK], float m[POINTS][BLOCK], const gh_winograd *w, int y, int x)
{
    for (int i = 0; i < w->tile; i++)
        for (int k = 0; k < w->tile; k++)
            for (int l = 0; l < BLOCK; l++)
                out[l] += w->output[y][i] * w->output[x][k] * m[i * w->tile + k][l];
}

static void one_tile(const gh_conv_job *job, const gh_winograd *w, int image, int ob, int y, int x)
{
    const gh_conv_shape *s = &job->shape;
    int points = w->tile * w->tile, blocks = ref_blocks(s->oc);
    const float *src = job->src + (size_t)image * ref_blocks(s->ic) * s->ih * s->iw * BLOCK;
    const float *weights = job->weights + (size_t)ob * s->ic * points * BLOCK;
    float sums[POINTS][BLOCK] = {{0}}, turned[POINTS];
    for (int c = 0; c < s->ic; c++) {
        turn_input(turned, src + (size_t)(c / BLOCK) * s->ih * s->iw * BLOCK + c % BLOCK, s, w, y - s->pt,
                   x - s->pl);
        for (int i = 0; i < points; i++, weights += BLOCK)
            for (int l = 0; l < BLOCK; l++)
                sums[i][l] += turned[i] * weights[l];
    }
    for (int r = 0; r < w->m && y + r < s->oh; r++)
        for (int c = 0; c < w->m && x + c < s->ow; c++) {
            float out[BLOCK] = {0};
            size_t at = ((((size_t)image * blocks + ob) * s->oh + y + r) * s->ow + x + c) * BLOCK;
            for (int l = 0; job->bias && l < BLOCK; l++)
                out[l] = job->bias[ob * BLOCK + l];
            turn_output(out, sums, w, r, c);
            ref_store(job->dst + at, out, job->residual ? job->residual + at : NULL, job->act);
        }
}

static void run_rows(const gh_conv_job *job, int begin, int end, const gh_winograd *w)
{
    int blocks = ref_blocks(job->shape.oc), rows = (job->shape.oh + w->m - 1) / w->m;
    for (int u = begin; u < end; u++)
        for (int x = 0; x < job->shape.ow; x += w->m)
            one_tile(job, w, u / rows / blocks, u / rows % blocks, u % rows * w->m, x);
}

#define WINOGRAD(m)                                                                                          \
    static size_t packed_##m(const gh_conv_shape *s)                                                         \
    {                                                                                                        \
        return packed_floats(s, &gh_winograd_##m);                                                           \
    }                                                                                                        \
    static void pack_##m(float *dst, const float *weights, const gh_conv_shape *s)                           \
    {                                                                                                        \
        pack_weights(dst, weights, s, &gh_winograd_##m);                                                     \
    }                                                                                                        \
    static int units_##m(const gh_conv_shape *s)                                                             \
    {                                                                                                        \
        return units_of(s, &gh_winograd_##m);                                                                \
    }                                                                                                        \
    static void run_##m(const gh_conv_job *job, int begin, int end)                                          \
    {                                                                                                        \
        run_rows(job, begin, end, &gh_winograd_##m);                                                         \
    }                                                                                                        \
    const gh_conv_kernel gh_kernel_conv_winograd##m##_ref = {                                                \
        .name = "winograd" #m "_ref",                                                                        \
        .src_blocked = true,                                                                                 \
        .loss = m,                                                                                           \
        .accepts = accepts,                                                                                  \
        .packed = packed_##m,                                                                                \
        .pack = pack_##m,                                                                                    \
        .scratch = scratch,                                                                                  \
        .units = units_##m,                                                                                  \
        .run = run_##m,                                                                                      \
    };
WINOGRAD(2)
WINOGRAD(4)
WINOGRAD(6)
