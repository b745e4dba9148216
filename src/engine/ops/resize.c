/* Resize and Upsample. The plain run makes every output element of its taps on all axes; where only height
 * and width of a float picture change, the plan keeps tables of the taps, and rows are made on the blocked
 * layout or, for few channels, on the plain one. */
#include "engine/ops/resize.h"
#include "base/mem.h"

#include <string.h>

static gh_status infer(gh_io *io)
{
    gh_resize r;
    GH_TRY(gh_resize_read(io, &r));
    bool bytes = io->in[0].type == GH_U8 || io->in[0].type == GH_I8 || io->in[0].type == GH_I32 ||
                 io->in[0].type == GH_I64 || io->in[0].type == GH_BOOL;
    if (!bytes || r.filter != GH_RESIZE_NEAREST || r.crops)
        GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    io->out[0].type = io->in[0].type;
    io->out[0].shape.rank = r.rank;
    for (int d = 0; d < r.rank; d++)
        io->out[0].shape.dims[d] = r.axes[d].out;
    return GH_OK;
}

/* A walk over the output, with what each axis gives at the position. */
typedef struct walk {
    gh_resize r;
    int64_t index[GH_MAX_RANK], step[GH_MAX_RANK]; /* step: of the input, in elements */
    gh_resize_at at[GH_MAX_RANK];
} walk;

static gh_status walk_start(walk *w, gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->node->ninputs, .e = x->e};
    GH_TRY(gh_resize_read(&io, &w->r));
    for (int d = 0; d < w->r.rank; d++) {
        w->index[d] = 0;
        w->step[d] = (int64_t)gh_shape_span(&x->in[0].shape, d + 1, w->r.rank);
        w->at[d] = gh_resize_locate(&w->r, &w->r.axes[d], 0);
    }
    return GH_OK;
}

static void walk_next(walk *w)
{
    for (int d = w->r.rank - 1; d >= 0; d--) {
        bool more = ++w->index[d] < w->r.axes[d].out;
        w->index[d] = more ? w->index[d] : 0;
        w->at[d] = gh_resize_locate(&w->r, &w->r.axes[d], w->index[d]);
        if (more)
            return;
    }
}

/* The sum over the taps of all axes. */
static float blend(const walk *w, const float *src)
{
    int64_t tap[GH_MAX_RANK] = {0};
    float sum = 0;
    for (int d = w->r.rank; d >= 0;) {
        float weight = 1;
        int64_t from = 0;
        for (int k = 0; k < w->r.rank; k++) {
            weight *= gh_resize_weight(&w->r, &w->r.axes[k], &w->at[k], tap[k]);
            from += gh_resize_index(&w->r.axes[k], &w->at[k], tap[k]) * w->step[k];
        }
        sum += weight * src[from];
        for (d = w->r.rank - 1; d >= 0 && ++tap[d] == w->r.axes[d].taps; d--)
            tap[d] = 0;
    }
    return sum;
}

static size_t source_of(const walk *w)
{
    int64_t from = 0;
    for (int d = 0; d < w->r.rank; d++)
        from += gh_resize_index(&w->r.axes[d], &w->at[d], 0) * w->step[d];
    return (size_t)from;
}

static bool is_outside(const walk *w)
{
    for (int d = 0; d < w->r.rank; d++)
        if (w->at[d].outside)
            return true;
    return false;
}

static gh_status run(gh_exec *x)
{
    walk w;
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    size_t size = gh_dtype_size(x->out[0].type);
    GH_TRY(walk_start(&w, x));
    for (size_t at = 0; at < count; at++, walk_next(&w)) {
        if (is_outside(&w))
            ((float *)x->out[0].data)[at] = w.r.extrapolation;
        else if (w.r.filter == GH_RESIZE_NEAREST)
            memcpy((char *)x->out[0].data + at * size, (const char *)x->in[0].data + source_of(&w) * size,
                   size);
        else
            ((float *)x->out[0].data)[at] = blend(&w, x->in[0].data);
    }
    return GH_OK;
}

/* ---- with tables ---- */

typedef struct tables {
    gh_resize_taps y, x;
    int planes; /* of n pictures: channels, or blocks of them */
    bool blocked;
} tables;

static bool make_taps(gh_arena *arena, gh_resize_taps *t, const gh_resize *r, const gh_resize_axis *a)
{
    size_t count = (size_t)a->out * (size_t)a->taps;
    int *index = gh_arena_array(arena, count, sizeof *index);
    float *weight = gh_arena_array(arena, count, sizeof *weight);
    if (!index || !weight)
        return false;
    *t = (gh_resize_taps){(int)a->in, (int)a->out, (int)a->taps, index, weight};
    for (int64_t o = 0; o < a->out; o++) {
        gh_resize_at at = gh_resize_locate(r, a, o);
        for (int64_t k = 0; k < a->taps; k++) {
            *index++ = (int)gh_resize_index(a, &at, k);
            *weight++ = gh_resize_weight(r, a, &at, k);
        }
    }
    return true;
}

/* Entries of a table that a plan may hold. */
#define MOST_ENTRIES 0x1p22

static bool tables_apply(const gh_prepare *p, const gh_resize *r)
{
    const gh_resize_axis *a = r->axes;
    if (r->rank != 4 || p->io->in[0].type != GH_F32 || p->io->in[0].data || !a[0].same || !a[1].same)
        return false;
    for (int d = 0; d < 4; d++)
        if (a[d].out < 1 || (double)a[d].out * (double)a[d].taps > MOST_ENTRIES)
            return false;
    return !r->crops && (double)a[0].in * (double)a[1].in * (double)a[2].out < INT32_MAX;
}

static gh_status prepare(gh_prepare *p)
{
    gh_resize r;
    GH_TRY(gh_resize_read(p->io, &r));
    if (!tables_apply(p, &r))
        return GH_OK;
    tables *t = gh_arena_alloc(p->arena, sizeof *t);
    if (!t || !make_taps(p->arena, &t->y, &r, &r.axes[2]) || !make_taps(p->arena, &t->x, &r, &r.axes[3]))
        return gh_fail(p->io->e, GH_NOMEM, "no memory for a plan");
    bool wide = p->in_blocked[0] && r.axes[1].in * 2 > p->k->block;
    int64_t blocks = (r.axes[1].in + p->k->block - 1) / p->k->block;
    t->planes = (int)(r.axes[0].in * (wide ? blocks : r.axes[1].in));
    t->blocked = wide;
    p->params = t;
    p->accepted = true;
    p->want_blocked = wide;
    p->out_blocked = wide;
    p->scratch = wide ? 0 : (size_t)t->x.in;
    p->kernel = wide ? "resize" : "resize_plain";
    return GH_OK;
}

static void blocked_rows(const void *arg, int begin, int end)
{
    const gh_exec *x = arg;
    const tables *t = x->params;
    gh_resize_job job = {t->y, t->x, x->in[0].data, x->out[0].data};
    x->k->resize(&job, begin, end);
}

/* A blend of the input's rows first, then of the pixels of that row. */
static void plain_row(float *dst, float *row, const float *plane, const tables *t, int oy)
{
    size_t width = (size_t)t->x.in;
    memset(row, 0, width * sizeof *row);
    for (int k = oy * t->y.taps; k < (oy + 1) * t->y.taps; k++) {
        const float *src = plane + (size_t)t->y.index[k] * width;
        float w = t->y.weight[k];
        for (size_t i = 0; i < width; i++)
            row[i] += w * src[i];
    }
    for (int ox = 0; ox < t->x.out; ox++) {
        float sum = 0;
        for (int k = ox * t->x.taps; k < (ox + 1) * t->x.taps; k++)
            sum += t->x.weight[k] * row[t->x.index[k]];
        dst[ox] = sum;
    }
}

static void plain_rows(void *arg, int begin, int end, int thread)
{
    const gh_exec *x = arg;
    const tables *t = x->params;
    float *row = x->scratch + (size_t)thread * x->scratch_stride;
    for (int u = begin; u < end; u++)
        plain_row((float *)x->out[0].data + (size_t)u * (size_t)t->x.out, row,
                  (const float *)x->in[0].data + (size_t)(u / t->y.out) * (size_t)t->y.in * (size_t)t->x.in,
                  t, u % t->y.out);
}

static gh_status run_tables(gh_exec *x)
{
    const tables *t = x->params;
    if (t->blocked)
        gh_exec_range(x, t->planes * t->y.out, blocked_rows, x);
    else
        gh_pool_for(x->pool, t->planes * t->y.out, plain_rows, x);
    return GH_OK;
}

static const gh_blocked with_tables = {prepare, run_tables};

#define ROW(type, since, until, inputs)                                                                      \
    {                                                                                                        \
        type, "", since, until, GH_OP_UNPACKED, 1, inputs, 1, infer, run, &with_tables, NULL                 \
    }

const gh_op gh_ops_resize[] = {ROW("Upsample", 7, 8, 1), ROW("Upsample", 9, 9, 2), ROW("Resize", 10, 10, 2),
                               ROW("Resize", 11, 0, 4)};
const size_t gh_ops_resize_count = GH_COUNT(gh_ops_resize);
