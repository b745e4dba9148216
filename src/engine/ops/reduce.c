/* ReduceMean, ReduceSum, ReduceL2, ReduceMax and ReduceMin. Axes are an attribute in older opsets and an
 * input in newer ones. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

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
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(reduced_axes(io, reduced));
    gh_shape out = {.rank = 0};
    for (int i = 0; i < io->in[0].shape.rank; i++)
        if (!reduced[i] || keep)
            out.dims[out.rank++] = reduced[i] ? 1 : io->in[0].shape.dims[i];
    io->out[0].type = GH_F32;
    io->out[0].shape = out;
    return GH_OK;
}

/* Input offsets of each output element: kept axes are walked outside, reduced ones inside. */
typedef struct reducer {
    size_t kept[GH_MAX_RANK], kept_step[GH_MAX_RANK], inner[GH_MAX_RANK], inner_step[GH_MAX_RANK];
    int nkept, ninner;
    bool contiguous; /* the reduced axes are the last ones: the terms stand in a row */
} reducer;

static void reducer_of(reducer *r, const gh_shape *in, const bool *reduced)
{
    r->nkept = r->ninner = 0;
    r->contiguous = true;
    for (int i = 0; i < in->rank; i++) {
        size_t step = gh_shape_span(in, i + 1, in->rank);
        r->contiguous = r->contiguous && (reduced[i] || r->ninner == 0);
        if (reduced[i]) {
            r->inner[r->ninner] = (size_t)in->dims[i];
            r->inner_step[r->ninner++] = step;
        } else {
            r->kept[r->nkept] = (size_t)in->dims[i];
            r->kept_step[r->nkept++] = step;
        }
    }
}

/* Offset of position `at` in a walk over `n` axes. */
static size_t offset_of(size_t at, const size_t *sides, const size_t *steps, int n)
{
    size_t offset = 0;
    for (int i = n - 1; i >= 0; i--) {
        offset += at % sides[i] * steps[i];
        at /= sides[i];
    }
    return offset;
}

typedef enum reduction { SUM, MEAN, L2, LARGEST, LEAST } reduction;

static const char *const reductions[] = {[SUM] = "ReduceSum",
                                         [MEAN] = "ReduceMean",
                                         [L2] = "ReduceL2",
                                         [LARGEST] = "ReduceMax",
                                         [LEAST] = "ReduceMin"};

static reduction reduction_of(const gh_node *n)
{
    for (size_t i = 0; i < GH_COUNT(reductions); i++)
        if (strcmp(reductions[i], n->type) == 0)
            return (reduction)i;
    GH_ASSERT(!"a row of this file without its kind");
    return SUM;
}

/* Of no terms a sum is 0, the largest -inf and the least inf; NaN wins over every number. */
static float reduce_one(const float *src, const reducer *r, size_t terms, reduction kind)
{
    double sum = 0, most = -INFINITY, least = INFINITY;
    for (size_t t = 0; t < terms; t++) {
        double v = src[r->contiguous ? t : offset_of(t, r->inner, r->inner_step, r->ninner)];
        sum += kind == L2 ? v * v : v;
        most = v > most || isnan(v) ? v : most;
        least = v < least || isnan(v) ? v : least;
    }
    switch (kind) {
    case MEAN:
        return (float)(sum / (double)terms);
    case L2:
        return (float)sqrt(sum);
    case LARGEST:
        return (float)most;
    case LEAST:
        return (float)least;
    default:
        return (float)sum;
    }
}

static gh_status reduce_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->node->ninputs, .e = x->e};
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank), terms = 1;
    reduction kind = reduction_of(x->node);
    bool reduced[GH_MAX_RANK];
    reducer r;
    GH_TRY(reduced_axes(&io, reduced));
    reducer_of(&r, &x->in[0].shape, reduced);
    for (int i = 0; i < r.ninner; i++)
        terms *= r.inner[i];
    for (size_t at = 0; at < count; at++)
        ((float *)x->out[0].data)[at] = reduce_one(
            (const float *)x->in[0].data + offset_of(at, r.kept, r.kept_step, r.nkept), &r, terms, kind);
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

const gh_op gh_ops_reduce[] = {
    {"ReduceMean", "", 1, 0, 0, 1, 2, 1, reduce_infer, reduce_run, &mean_blocked, NULL},
    {"ReduceSum", "", 1, 0, 0, 1, 2, 1, reduce_infer, reduce_run, NULL, NULL},
    {"ReduceL2", "", 1, 0, 0, 1, 2, 1, reduce_infer, reduce_run, NULL, NULL},
    {"ReduceMax", "", 1, 0, 0, 1, 2, 1, reduce_infer, reduce_run, NULL, NULL},
    {"ReduceMin", "", 1, 0, 0, 1, 2, 1, reduce_infer, reduce_run, NULL, NULL},
};
const size_t gh_ops_reduce_count = GH_COUNT(gh_ops_reduce);
