/* MaxPool, AveragePool, LpPool, GlobalAveragePool, GlobalMaxPool. */
#include "engine/ops.h"

#include <math.h>

gh_status gh_pool_shape_of(const gh_io *io, gh_conv_shape *s, int pads_end[2])
{
    const gh_attr *a = gh_node_attr(io->node, "kernel_shape");
    int rank = io->in[0].shape.rank;
    int64_t window[2] = {1, 1};
    if (rank != 3 && rank != 4)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 3 and 4", rank);
    if (!a || a->type != GH_ATTR_INTS || (int)a->count != rank - 2)
        return gh_io_fail(io, GH_FORMAT, "attribute kernel_shape must hold %d integers", rank - 2);
    window[0] = rank == 4 ? a->ints[0] : 1;
    window[1] = a->ints[rank - 3];
    return gh_window(io, s, pads_end, window, gh_node_int(io->node, "ceil_mode", 0) != 0);
}

static bool is_average(const gh_node *n)
{
    return n->type[0] == 'A';
}

static bool is_max(const gh_node *n)
{
    return n->type[0] == 'M';
}

static gh_status pool_infer(gh_io *io)
{
    gh_conv_shape s;
    int pads_end[2];
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    gh_dtype type = io->in[0].type;
    if (type != GH_F32 && !(is_max(io->node) && (type == GH_U8 || type == GH_I8)))
        GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_pool_shape_of(io, &s, pads_end));
    io->out[0].type = type;
    io->out[0].shape = (gh_shape){.rank = io->in[0].shape.rank, .dims = {s.n, s.ic, s.oh, s.ow}};
    if (io->in[0].shape.rank == 3)
        io->out[0].shape.dims[2] = s.ow;
    if (io->nout > 1)
        io->out[1] = (gh_tensor){.type = GH_I64, .shape = io->out[0].shape};
    return GH_OK;
}

/* Taps [*from, *to) of one axis that meet positions 0 .. size-1, the first tap standing at `start`: windows
 * may be much larger than the picture. */
static void taps_inside(int *from, int *to, int start, int taps, int dilation, int size)
{
    *from = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *to = start >= size ? 0 : (size - 1 - start) / dilation + 1;
    *to = *to < taps ? *to : taps;
    *from = *from < *to ? *from : *to;
}

typedef enum pooling { MAX, AVERAGE, LP } pooling;

typedef struct plain_pool {
    gh_conv_shape s;
    pooling kind;
    gh_dtype type;
    const void *src;
    void *dst;
    int64_t *indices; /* of the largest elements, or NULL */
    bool by_columns;  /* indices count down columns first */
    bool count_pad;
    int pb, pr;
    double p; /* of the norm */
} plain_pool;

/* The taps of one window that lie in the picture. */
typedef struct taps {
    int y, x, ky0, ky1, kx0, kx1;
} taps;

static float element(const plain_pool *p, size_t i)
{
    return p->type == GH_F32  ? ((const float *)p->src)[i]
           : p->type == GH_U8 ? ((const uint8_t *)p->src)[i]
                              : ((const int8_t *)p->src)[i];
}

static void put(const plain_pool *p, size_t i, float v)
{
    if (p->type == GH_F32)
        ((float *)p->dst)[i] = v;
    else
        ((uint8_t *)p->dst)[i] = (uint8_t)(int)v;
}

static void max_pixel(const plain_pool *p, const taps *t, size_t plane, size_t out)
{
    const gh_conv_shape *s = &p->s;
    int by = 0, bx = 0;
    float best = p->type == GH_F32 ? -INFINITY : p->type == GH_I8 ? -128 : 0;
    for (int ky = t->ky0, first = 1; ky < t->ky1; ky++)
        for (int kx = t->kx0; kx < t->kx1; kx++) {
            int y = t->y + ky * s->dh, x = t->x + kx * s->dw;
            float v = element(p, plane + (size_t)y * (size_t)s->iw + (size_t)x);
            if (v > best || first) {
                best = first && !(v > best) && !(v <= best) ? best : v;
                by = y;
                bx = x;
                first = 0;
            }
        }
    put(p, out, best);
    if (p->indices)
        p->indices[out] =
            (int64_t)plane + (p->by_columns ? by + (int64_t)bx * s->ih : bx + (int64_t)by * s->iw);
}

/* The divisor counts pixels inside the picture, or inside the pads too. */
static float average_pixel(const plain_pool *p, taps t, size_t plane)
{
    const gh_conv_shape *s = &p->s;
    float sum = 0;
    for (int ky = t.ky0; ky < t.ky1; ky++)
        for (int kx = t.kx0; kx < t.kx1; kx++)
            sum +=
                element(p, plane + (size_t)(t.y + ky * s->dh) * (size_t)s->iw + (size_t)(t.x + kx * s->dw));
    if (p->count_pad) {
        taps_inside(&t.ky0, &t.ky1, t.y + s->pt, s->kh, s->dh, s->ih + s->pt + p->pb);
        taps_inside(&t.kx0, &t.kx1, t.x + s->pl, s->kw, s->dw, s->iw + s->pl + p->pr);
    }
    float counted = (float)(t.ky1 - t.ky0) * (float)(t.kx1 - t.kx0);
    return counted > 0 ? sum / counted : 0.0f;
}

static float norm_pixel(const plain_pool *p, const taps *t, size_t plane)
{
    const gh_conv_shape *s = &p->s;
    double sum = 0;
    for (int ky = t->ky0; ky < t->ky1; ky++)
        for (int kx = t->kx0; kx < t->kx1; kx++)
            sum += pow(fabs((double)element(p, plane + (size_t)(t->y + ky * s->dh) * (size_t)s->iw +
                                                   (size_t)(t->x + kx * s->dw))),
                       p->p);
    return (float)pow(sum, 1 / p->p);
}

static void pool_planes(const void *job, int begin, int end)
{
    const plain_pool *p = job;
    const gh_conv_shape *s = &p->s;
    for (int u = begin; u < end; u++) {
        size_t plane = (size_t)u * (size_t)s->ih * (size_t)s->iw,
               out = (size_t)u * (size_t)s->oh * (size_t)s->ow;
        for (int y = 0; y < s->oh; y++)
            for (int x = 0; x < s->ow; x++, out++) {
                taps t = {.y = y * s->sh - s->pt, .x = x * s->sw - s->pl};
                taps_inside(&t.ky0, &t.ky1, t.y, s->kh, s->dh, s->ih);
                taps_inside(&t.kx0, &t.kx1, t.x, s->kw, s->dw, s->iw);
                if (p->kind == MAX)
                    max_pixel(p, &t, plane, out);
                else
                    put(p, out, p->kind == LP ? norm_pixel(p, &t, plane) : average_pixel(p, t, plane));
            }
    }
}

static gh_status pool_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    int pads_end[2];
    plain_pool p = {.kind = is_average(x->node) ? AVERAGE
                            : is_max(x->node)   ? MAX
                                                : LP,
                    .type = x->in[0].type,
                    .src = x->in[0].data,
                    .dst = x->out[0].data,
                    .indices = x->nout > 1 ? x->out[1].data : NULL,
                    .by_columns = gh_node_int(x->node, "storage_order", 0) != 0,
                    .count_pad = gh_node_int(x->node, "count_include_pad", 0) != 0,
                    .p = (double)gh_node_int(x->node, "p", 2)};
    GH_TRY(gh_pool_shape_of(&io, &p.s, pads_end));
    p.pb = pads_end[0];
    p.pr = pads_end[1];
    gh_exec_range(x, p.s.n * p.s.ic, pool_planes, &p);
    return GH_OK;
}

static gh_status pool_prepare(gh_prepare *p)
{
    gh_pool_job *job;
    int pads_end[2];
    if (!p->in_blocked[0] || p->io->in[0].shape.rank != 4 || p->io->nout > 1)
        return GH_OK;
    job = gh_arena_alloc(p->arena, sizeof *job);
    if (!job)
        return gh_fail(p->io->e, GH_NOMEM, "no memory for a plan");
    GH_TRY(gh_pool_shape_of(p->io, &job->shape, pads_end));
    job->count_pad = gh_node_int(p->io->node, "count_include_pad", 0) != 0;
    job->pb = pads_end[0];
    job->pr = pads_end[1];
    p->params = job;
    p->want_blocked = 1;
    p->out_blocked = p->accepted = true;
    p->kernel = is_average(p->io->node) ? "pool_avg" : "pool_max";
    return GH_OK;
}

typedef struct blocked_pool {
    gh_pool_job job;
    void (*run)(const gh_pool_job *job, int begin, int end);
} blocked_pool;

static void pool_units(const void *job, int begin, int end)
{
    const blocked_pool *p = job;
    p->run(&p->job, begin, end);
}

static gh_status pool_run_blocked(gh_exec *x)
{
    blocked_pool p = {*(const gh_pool_job *)x->params, is_average(x->node) ? x->k->pool_avg : x->k->pool_max};
    p.job.src = x->in[0].data;
    p.job.dst = x->out[0].data;
    int blocks = (p.job.shape.ic + x->k->block - 1) / x->k->block;
    gh_exec_range(x, p.job.shape.n * p.job.shape.oh * blocks, pool_units, &p);
    return GH_OK;
}

static gh_status global_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (io->in[0].shape.rank < 3)
        return gh_io_fail(io, GH_FORMAT, "input has %d dimensions; at least 3 are needed",
                          io->in[0].shape.rank);
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    for (int i = 2; i < io->out[0].shape.rank; i++)
        io->out[0].shape.dims[i] = 1;
    return GH_OK;
}

static gh_status global_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t planes = gh_shape_span(s, 0, 2), size = gh_shape_span(s, 2, s->rank);
    bool average = x->node->type[6] == 'A';
    for (size_t i = 0; i < planes; i++) {
        const float *src = (const float *)x->in[0].data + i * size;
        double sum = 0;
        float best = -INFINITY;
        for (size_t k = 0; k < size; k++) {
            sum += src[k];
            best = src[k] > best ? src[k] : best;
        }
        ((float *)x->out[0].data)[i] = average ? (float)(sum / (double)size) : best;
    }
    return GH_OK;
}

static gh_status global_prepare(gh_prepare *p)
{
    if (!p->in_blocked[0] || p->io->in[0].shape.rank != 4 || p->io->node->type[6] != 'A')
        return GH_OK;
    p->want_blocked = 1;
    p->accepted = true;
    p->kernel = "pool_global_avg";
    return GH_OK;
}

gh_status gh_global_avg_run_blocked(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    x->k->pool_global_avg(x->out[0].data, x->in[0].data, (int)s->dims[0], (int)s->dims[1],
                          (int)(s->dims[2] * s->dims[3]));
    return GH_OK;
}

static const gh_blocked pool_blocked = {pool_prepare, pool_run_blocked};
static const gh_blocked global_blocked = {global_prepare, gh_global_avg_run_blocked};

const gh_op gh_ops_pool[] = {
    {"MaxPool", "", 1, 0, 0, 1, 1, 2, pool_infer, pool_run, &pool_blocked, NULL},
    {"AveragePool", "", 1, 0, 0, 1, 1, 1, pool_infer, pool_run, &pool_blocked, NULL},
    {"LpPool", "", 2, 0, 0, 1, 1, 1, pool_infer, pool_run, NULL, NULL},
    {"GlobalAveragePool", "", 1, 0, 0, 1, 1, 1, global_infer, global_run, &global_blocked, NULL},
    {"GlobalMaxPool", "", 1, 0, 0, 1, 1, 1, global_infer, global_run, NULL, NULL},
};
const size_t gh_ops_pool_count = GH_COUNT(gh_ops_pool);
