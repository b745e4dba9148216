/* Gradients of MaxPool (which remembers the winning tap of every window), AveragePool, GlobalAveragePool and
 * MaxUnpool. */
#include "train/tape/grad.h"

#include <math.h>
#include <string.h>

typedef struct pool_job {
    gh_conv_shape s;
    int pb, pr;
    bool count_pad, by_columns;
    const float *x, *dy;
    float *y, *dx;
    uint16_t *winner; /* of every window: ky * kw + kx */
    int64_t *indices; /* or NULL */
} pool_job;

static size_t in_plane(const gh_conv_shape *s)
{
    return (size_t)s->ih * (size_t)s->iw;
}

static size_t out_plane(const gh_conv_shape *s)
{
    return (size_t)s->oh * (size_t)s->ow;
}

/* Taps [*from, *to) of one axis that meet positions 0 .. size-1, the first tap standing at `start`. */
static void taps_inside(int *from, int *to, int start, int taps, int dilation, int size)
{
    *from = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *to = start >= size ? 0 : (size - 1 - start) / dilation + 1;
    *to = *to < taps ? *to : taps;
    *from = *from < *to ? *from : *to;
}

static gh_status start(const gh_grad_exec *x, pool_job *j)
{
    gh_io io = gh_grad_io(x);
    int pads_end[2];
    *j = (pool_job){.count_pad = gh_node_int(x->node, "count_include_pad", 0) != 0,
                    .by_columns = gh_node_int(x->node, "storage_order", 0) != 0,
                    .winner = x->saved};
    GH_TRY(gh_pool_shape_of(&io, &j->s, pads_end));
    if (j->s.kh > 255 || j->s.kw > 255)
        return gh_io_fail(&io, GH_UNSUPPORTED, "windows of more than 255 pixels a side are not trained");
    j->pb = pads_end[0];
    j->pr = pads_end[1];
    return GH_OK;
}

/* ---- MaxPool ---- */

static size_t max_saved(const gh_io *io)
{
    return gh_shape_span(&io->out[0].shape, 0, io->out[0].shape.rank) * sizeof(uint16_t);
}

static void max_window(const pool_job *j, const float *x, size_t plane, size_t at, int oy, int ox)
{
    const gh_conv_shape *s = &j->s;
    int y = oy * s->sh - s->pt, xx = ox * s->sw - s->pl, ky0, ky1, kx0, kx1, best = -1;
    float most = -INFINITY;
    taps_inside(&ky0, &ky1, y, s->kh, s->dh, s->ih);
    taps_inside(&kx0, &kx1, xx, s->kw, s->dw, s->iw);
    for (int ky = ky0; ky < ky1; ky++)
        for (int kx = kx0; kx < kx1; kx++) {
            float v = x[(y + ky * s->dh) * s->iw + xx + kx * s->dw];
            if (v > most || best < 0) {
                most = v;
                best = ky * s->kw + kx;
            }
        }
    j->y[at] = most;
    best = best < 0 ? 0 : best;
    if (j->winner)
        j->winner[at] = (uint16_t)best;
    if (j->indices) {
        int64_t by = y + best / s->kw * s->dh, bx = xx + best % s->kw * s->dw;
        j->indices[at] = (int64_t)plane + (j->by_columns ? by + bx * s->ih : bx + by * s->iw);
    }
}

/* Units are planes. */
static void max_units(const void *arg, int begin, int end)
{
    const pool_job *j = arg;
    for (int u = begin; u < end; u++) {
        size_t plane = (size_t)u * in_plane(&j->s), at = (size_t)u * out_plane(&j->s);
        for (int oy = 0; oy < j->s.oh; oy++)
            for (int ox = 0; ox < j->s.ow; ox++, at++)
                max_window(j, j->x + plane, plane, at, oy, ox);
    }
}

static gh_status max_forward(gh_grad_exec *x)
{
    pool_job j;
    GH_TRY(start(x, &j));
    j.x = x->in[0].data;
    j.y = x->out[0].data;
    j.indices = x->nout > 1 ? x->out[1].data : NULL;
    gh_grad_for(x, j.s.n * j.s.ic, max_units, &j);
    return GH_OK;
}

static void max_back_units(const void *arg, int begin, int end)
{
    const pool_job *j = arg;
    const gh_conv_shape *s = &j->s;
    for (int u = begin; u < end; u++) {
        float *dx = j->dx + (size_t)u * in_plane(s);
        size_t at = (size_t)u * out_plane(s);
        memset(dx, 0, in_plane(s) * sizeof *dx);
        for (int oy = 0; oy < s->oh; oy++)
            for (int ox = 0; ox < s->ow; ox++, at++) {
                int tap = j->winner[at], y = oy * s->sh - s->pt + tap / s->kw * s->dh;
                int x = ox * s->sw - s->pl + tap % s->kw * s->dw;
                if (y >= 0 && y < s->ih && x >= 0 && x < s->iw)
                    dx[y * s->iw + x] += j->dy[at];
            }
    }
}

/* ---- AveragePool ---- */

static void average_back_window(const pool_job *j, float *dx, float dy, int oy, int ox)
{
    const gh_conv_shape *s = &j->s;
    int y = oy * s->sh - s->pt, x = ox * s->sw - s->pl, ky0, ky1, kx0, kx1, h, w, from;
    taps_inside(&ky0, &ky1, y, s->kh, s->dh, s->ih);
    taps_inside(&kx0, &kx1, x, s->kw, s->dw, s->iw);
    h = ky1 - ky0;
    w = kx1 - kx0;
    if (j->count_pad) {
        taps_inside(&from, &h, y + s->pt, s->kh, s->dh, s->ih + s->pt + j->pb);
        h -= from;
        taps_inside(&from, &w, x + s->pl, s->kw, s->dw, s->iw + s->pl + j->pr);
        w -= from;
    }
    float part = h > 0 && w > 0 ? dy / (float)(h * w) : 0;
    for (int ky = ky0; ky < ky1; ky++)
        for (int kx = kx0; kx < kx1; kx++)
            dx[(y + ky * s->dh) * s->iw + x + kx * s->dw] += part;
}

static void average_back_units(const void *arg, int begin, int end)
{
    const pool_job *j = arg;
    for (int u = begin; u < end; u++) {
        float *dx = j->dx + (size_t)u * in_plane(&j->s);
        const float *dy = j->dy + (size_t)u * out_plane(&j->s);
        memset(dx, 0, in_plane(&j->s) * sizeof *dx);
        for (int oy = 0; oy < j->s.oh; oy++)
            for (int ox = 0; ox < j->s.ow; ox++)
                average_back_window(j, dx, *dy++, oy, ox);
    }
}

static gh_status pool_backward(gh_grad_exec *x)
{
    pool_job j;
    GH_TRY(start(x, &j));
    j.dy = x->dout[0].data;
    j.dx = x->din[0].data;
    if (j.dx && j.dy)
        gh_grad_for(x, j.s.n * j.s.ic, x->node->type[0] == 'M' ? max_back_units : average_back_units, &j);
    return GH_OK;
}

/* ---- GlobalAveragePool ---- */

typedef struct global_job {
    const float *src;
    float *dst;
    size_t plane;
} global_job;

static void global_units(const void *arg, int begin, int end)
{
    const global_job *j = arg;
    for (int u = begin; u < end; u++) {
        double sum = 0;
        for (size_t i = 0; i < j->plane; i++)
            sum += j->src[(size_t)u * j->plane + i];
        j->dst[u] = (float)(sum / (double)j->plane);
    }
}

static void global_back_units(const void *arg, int begin, int end)
{
    const global_job *j = arg;
    for (int u = begin; u < end; u++) {
        float part = j->src[u] / (float)j->plane;
        for (size_t i = 0; i < j->plane; i++)
            j->dst[(size_t)u * j->plane + i] = part;
    }
}

static gh_status global_forward(gh_grad_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    global_job j = {x->in[0].data, x->out[0].data, gh_shape_span(s, 2, s->rank)};
    gh_grad_for(x, (int)gh_shape_span(s, 0, 2), global_units, &j);
    return GH_OK;
}

static gh_status global_backward(gh_grad_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    global_job j = {x->dout[0].data, x->din[0].data, gh_shape_span(s, 2, s->rank)};
    if (j.dst)
        gh_grad_for(x, (int)gh_shape_span(s, 0, 2), global_back_units, &j);
    return GH_OK;
}

/* ---- MaxUnpool ---- */

typedef struct unpool_job {
    const int64_t *index;
    const float *dy;
    float *dx;
    size_t count, total;
} unpool_job;

static void unpool_units(const void *arg, int begin, int end)
{
    const unpool_job *j = arg;
    size_t from = (size_t)begin * GH_GRAD_UNIT, to = (size_t)end * GH_GRAD_UNIT;
    to = to < j->count ? to : j->count;
    for (size_t i = from; i < to; i++)
        j->dx[i] = (uint64_t)j->index[i] < j->total ? j->dy[j->index[i]] : 0;
}

static gh_status unpool_backward(gh_grad_exec *x)
{
    unpool_job j = {x->in[1].data, x->dout[0].data, x->din[0].data, gh_grad_count(&x->in[0]),
                    gh_grad_count(&x->out[0])};
    if (x->nin > 2 && x->in[2].type != GH_UNKNOWN)
        return gh_fail(x->e, GH_UNSUPPORTED, "node \"%s\" (MaxUnpool): an output_shape is not trained",
                       x->node->name);
    if (j.dx)
        gh_grad_for(x, (int)((j.count + GH_GRAD_UNIT - 1) / GH_GRAD_UNIT), unpool_units, &j);
    return GH_OK;
}

static void needs_indices(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    (void)n;
    (void)wanted;
    (void)out;
    *in = 2;
}

const gh_grad gh_grads_pool[] = {
    {"MaxPool", 0, 0, 0, NULL, max_forward, pool_backward, max_saved, NULL},
    {"AveragePool", 0, 0, 0, NULL, NULL, pool_backward, NULL, NULL},
    {"GlobalAveragePool", 0, 0, 0, NULL, global_forward, global_backward, NULL, NULL},
    {"MaxUnpool", 0, 0, 0, needs_indices, NULL, unpool_backward, NULL, NULL},
};
const size_t gh_grads_pool_count = GH_COUNT(gh_grads_pool);
