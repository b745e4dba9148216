/* The Reduce operators on float32, which networks run; reduce_any.c computes the other types. Axes are an
 * attribute in older opsets and an input in newer ones. */
#include "engine/ops/reduce.h"

#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {[GH_REDUCE_SUM] = "ReduceSum",    [GH_REDUCE_MEAN] = "ReduceMean",
                                    [GH_REDUCE_PROD] = "ReduceProd",  [GH_REDUCE_L1] = "ReduceL1",
                                    [GH_REDUCE_L2] = "ReduceL2",      [GH_REDUCE_SQUARES] = "ReduceSumSquare",
                                    [GH_REDUCE_LOG] = "ReduceLogSum", [GH_REDUCE_LOG_EXP] = "ReduceLogSumExp",
                                    [GH_REDUCE_MAX] = "ReduceMax",    [GH_REDUCE_MIN] = "ReduceMin"};

static gh_reduction reduction_of(const gh_node *n)
{
    for (size_t i = 0; i < GH_COUNT(names); i++)
        if (strcmp(names[i], n->type) == 0)
            return (gh_reduction)i;
    GH_ASSERT(!"a row of this file without its kind");
    return GH_REDUCE_SUM;
}

static gh_status reduced_axes(const gh_io *io, bool *reduced)
{
    const gh_attr *a = gh_node_attr(io->node, "axes");
    int64_t axes[GH_MAX_RANK];
    size_t count = 0;
    int rank = io->in[0].shape.rank;
    if (gh_has(io, 1)) {
        GH_TRY(gh_io_ints(io, 1, axes, &count, GH_MAX_RANK));
    } else if (a) {
        if (a->type != GH_ATTR_INTS || a->count > GH_MAX_RANK)
            return gh_io_fail(io, GH_FORMAT, "attribute axes must hold at most %d integers", GH_MAX_RANK);
        count = a->count;
        for (size_t i = 0; i < count; i++)
            axes[i] = a->ints[i];
    }
    bool all = count == 0 && gh_node_int(io->node, "noop_with_empty_axes", 0) == 0;
    for (int i = 0; i < rank; i++)
        reduced[i] = all;
    for (size_t i = 0; i < count; i++) {
        int axis;
        GH_TRY(gh_io_axis(io, &axis, axes[i], rank));
        reduced[axis] = true;
    }
    return GH_OK;
}

static gh_status reduce_infer(gh_io *io)
{
    bool reduced[GH_MAX_RANK], keep = gh_node_int(io->node, "keepdims", 1) != 0;
    gh_dtype type = io->in[0].type;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    gh_reduction kind = reduction_of(io->node);
    bool orders = kind == GH_REDUCE_MAX || kind == GH_REDUCE_MIN;
    if (!gh_number_type(type) || (type == GH_BOOL && !orders))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    GH_TRY(reduced_axes(io, reduced));
    gh_shape out = {.rank = 0};
    for (int i = 0; i < io->in[0].shape.rank; i++)
        if (!reduced[i] || keep)
            out.dims[out.rank++] = reduced[i] ? 1 : io->in[0].shape.dims[i];
    io->out[0].type = type;
    io->out[0].shape = out;
    return GH_OK;
}

/* Adds an axis to a walk, joined with the one before where both are one row. */
static void add_axis(gh_reduce_walk *w, size_t side, size_t step)
{
    bool join = w->rank > 0 && w->step[w->rank - 1] == side * step;
    if (side == 1)
        return;
    int at = join ? w->rank - 1 : w->rank++;
    w->side[at] = join ? w->side[at] * side : side;
    w->step[at] = step;
}

static void walks_of(gh_reduce *r, const gh_shape *in, const bool *reduced)
{
    r->terms = 1;
    for (int i = 0; i < in->rank; i++) {
        size_t side = (size_t)in->dims[i], step = gh_shape_span(in, i + 1, in->rank);
        add_axis(reduced[i] ? &r->inner : &r->kept, side, step);
        r->terms *= reduced[i] ? side : 1;
    }
    r->row = r->row_step = 1;
    if (r->inner.rank > 0) {
        int last = --r->inner.rank;
        r->row = r->inner.side[last];
        r->row_step = r->inner.step[last];
    }
    r->rows = r->row ? r->terms / r->row : 0;
}

size_t gh_reduce_offset(const gh_reduce_walk *w, size_t at)
{
    size_t offset = 0;
    for (int i = w->rank - 1; i >= 0; i--) {
        offset += at % w->side[i] * w->step[i];
        at /= w->side[i];
    }
    return offset;
}

/* ---- float32 ---- */

/* Sums side by side in rows that have no gaps, so that the compiler may use vectors. */
#define LANES 8

/* NaN wins over every number. */
static double extreme(double best, const float *src, size_t n, size_t step, bool most)
{
    float lane[LANES];
    bool nan = false;
    size_t i = 0;
    for (int l = 0; l < LANES; l++)
        lane[l] = (float)best;
    for (; step == 1 && i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float v = src[i + (size_t)l];
            nan |= v != v;
            lane[l] = (most ? v > lane[l] : v < lane[l]) ? v : lane[l];
        }
    for (; i < n; i++) {
        float v = src[i * step];
        nan |= v != v;
        lane[0] = (most ? v > lane[0] : v < lane[0]) ? v : lane[0];
    }
    for (int l = 0; l < LANES; l++)
        best = (most ? lane[l] > best : lane[l] < best) ? lane[l] : best;
    return nan ? NAN : best;
}

/* The rest of a row's function: goes on with `sum` by the term of each v. */
#define ADD_TERMS(term)                                                                                      \
    double lane[LANES] = {0};                                                                                \
    size_t i = 0;                                                                                            \
    for (; step == 1 && i + LANES <= n; i += LANES)                                                          \
        for (int l = 0; l < LANES; l++) {                                                                    \
            double v = src[i + (size_t)l];                                                                   \
            lane[l] += (term);                                                                               \
        }                                                                                                    \
    for (; i < n; i++) {                                                                                     \
        double v = src[i * step];                                                                            \
        sum += (term);                                                                                       \
    }                                                                                                        \
    for (int l = 0; l < LANES; l++)                                                                          \
        sum += lane[l];                                                                                      \
    return sum

static double add_plain(double sum, const float *src, size_t n, size_t step)
{
    ADD_TERMS(v);
}

static double add_absolute(double sum, const float *src, size_t n, size_t step)
{
    ADD_TERMS(fabs(v));
}

static double add_squares(double sum, const float *src, size_t n, size_t step)
{
    ADD_TERMS(v * v);
}

/* `shift` is what LogSumExp takes off, so that nothing overflows. */
static double add_exponents(double sum, const float *src, size_t n, size_t step, double shift)
{
    ADD_TERMS(exp(v - shift));
}

/* Goes on with `sum` over one row. */
static double add_row(gh_reduction kind, double sum, const float *src, size_t n, size_t step, double shift)
{
    switch (kind) {
    case GH_REDUCE_PROD:
        for (size_t i = 0; i < n; i++)
            sum *= (double)src[i * step];
        return sum;
    case GH_REDUCE_L1:
        return add_absolute(sum, src, n, step);
    case GH_REDUCE_L2:
    case GH_REDUCE_SQUARES:
        return add_squares(sum, src, n, step);
    case GH_REDUCE_LOG_EXP:
        return add_exponents(sum, src, n, step, shift);
    case GH_REDUCE_MAX:
        return isnan(sum) ? sum : extreme(sum, src, n, step, true);
    case GH_REDUCE_MIN:
        return isnan(sum) ? sum : extreme(sum, src, n, step, false);
    default:
        return add_plain(sum, src, n, step);
    }
}

static double add_rows(const gh_reduce *r, gh_reduction kind, double sum, const float *src, double shift)
{
    for (size_t i = 0; i < r->rows; i++)
        sum = add_row(kind, sum, src + gh_reduce_offset(&r->inner, i), r->row, r->row_step, shift);
    return sum;
}

double gh_reduce_start(gh_reduction kind)
{
    return kind == GH_REDUCE_PROD  ? 1
           : kind == GH_REDUCE_MAX ? -INFINITY
           : kind == GH_REDUCE_MIN ? INFINITY
                                   : 0;
}

double gh_reduce_end(gh_reduction kind, double sum, size_t terms, double shift)
{
    switch (kind) {
    case GH_REDUCE_MEAN:
        return sum / (double)terms;
    case GH_REDUCE_L2:
        return sqrt(sum);
    case GH_REDUCE_LOG:
        return log(sum);
    case GH_REDUCE_LOG_EXP:
        return log(sum) + shift;
    default:
        return sum;
    }
}

static void reduce_units(const void *job, int begin, int end)
{
    const gh_reduce *r = job;
    for (int i = begin; i < end; i++) {
        const float *src = (const float *)r->in->data + gh_reduce_offset(&r->kept, (size_t)i);
        double shift = r->kind == GH_REDUCE_LOG_EXP ? add_rows(r, GH_REDUCE_MAX, -INFINITY, src, 0) : 0;
        shift = isfinite(shift) ? shift : 0; /* infinities take nothing off one another */
        double sum = add_rows(r, r->kind, gh_reduce_start(r->kind), src, shift);
        ((float *)r->out->data)[i] = (float)gh_reduce_end(r->kind, sum, r->terms, shift);
    }
}

static gh_status reduce_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->node->ninputs, .e = x->e};
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    bool reduced[GH_MAX_RANK];
    gh_reduce r = {.kind = reduction_of(x->node), .in = &x->in[0], .out = &x->out[0]};
    GH_TRY(reduced_axes(&io, reduced));
    walks_of(&r, &x->in[0].shape, reduced);
    gh_exec_range(x, (int)count, x->in[0].type == GH_F32 ? reduce_units : gh_reduce_any_units, &r);
    return GH_OK;
}

/* The mean over height and width of a blocked picture is a global average pool. */
static gh_status mean_prepare(gh_prepare *p)
{
    bool reduced[GH_MAX_RANK];
    if (!p->in_blocked[0] || p->io->in[0].shape.rank != 4 || strcmp(p->io->node->type, "ReduceMean") != 0)
        return GH_OK;
    GH_TRY(reduced_axes(p->io, reduced));
    if (reduced[0] || reduced[1] || !reduced[2] || !reduced[3])
        return GH_OK;
    p->want_blocked = 1;
    p->accepted = true;
    p->kernel = "pool_global_avg";
    return GH_OK;
}

static const gh_blocked mean_blocked = {mean_prepare, gh_global_avg_run_blocked};

#define ROW(type, blocked)                                                                                   \
    {                                                                                                        \
        type, "", 1, 0, 0, 1, 2, 1, reduce_infer, reduce_run, blocked, NULL                                  \
    }

const gh_op gh_ops_reduce[] = {
    ROW("ReduceMean", &mean_blocked),
    ROW("ReduceSum", NULL),
    ROW("ReduceProd", NULL),
    ROW("ReduceL1", NULL),
    ROW("ReduceL2", NULL),
    ROW("ReduceSumSquare", NULL),
    ROW("ReduceLogSum", NULL),
    ROW("ReduceLogSumExp", NULL),
    ROW("ReduceMax", NULL),
    ROW("ReduceMin", NULL),
};
const size_t gh_ops_reduce_count = GH_COUNT(gh_ops_reduce);
