/* Softmax, LogSoftmax and Hardmax: over one axis, or before opset 13 over all axes from one on. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

static gh_status softmax_infer(gh_io *io)
{
    int axis, rank = io->in[0].shape.rank;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (rank > 0)
        GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", io->opset >= 13 ? -1 : 1),
                          rank == 1 && io->opset < 13 ? 2 : rank));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

/* One row of `count` elements, `step` apart; dst may equal src. */
typedef void (*row_fn)(float *dst, const float *src, size_t count, size_t step);

/* The largest value is taken off first, so that no sum overflows. */
static void log_row(float *dst, const float *src, size_t count, size_t step)
{
    float most = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        most = src[i * step] > most ? src[i * step] : most;
    for (size_t i = 0; i < count; i++)
        sum += exp((double)src[i * step] - most);
    for (size_t i = 0; i < count; i++)
        dst[i * step] = (float)((double)src[i * step] - most - log(sum));
}

static void hard_row(float *dst, const float *src, size_t count, size_t step)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = src[i * step] > src[best * step] ? i : best;
    for (size_t i = 0; i < count; i++)
        dst[i * step] = i == best;
}

static void over(gh_exec *x, int64_t axis, bool flatten)
{
    const gh_shape *s = &x->in[0].shape;
    int a = (int)(axis < 0 ? axis + s->rank : axis), last = flatten ? s->rank : s->rank - 1;
    a = a > last ? last : a;
    a = a < 0 ? 0 : a;
    int end = flatten || a + 1 > s->rank ? s->rank : a + 1; /* a scalar is a row of one */
    size_t outer = gh_shape_span(s, 0, a), count = gh_shape_span(s, a, end);
    size_t inner = gh_shape_span(s, end, s->rank);
    row_fn row = x->node->type[0] == 'L' ? log_row : x->node->type[0] == 'H' ? hard_row : NULL;
    if (!row)
        x->k->softmax(x->out[0].data, x->in[0].data, (int)outer, (int)count, (int)inner);
    for (size_t i = 0; row && i < outer * inner; i++) {
        size_t at = i / inner * count * inner + i % inner;
        row((float *)x->out[0].data + at, (const float *)x->in[0].data + at, count, inner);
    }
}

static gh_status softmax_run(gh_exec *x)
{
    over(x, gh_node_int(x->node, "axis", -1), false);
    return GH_OK;
}

static gh_status softmax_run_flat(gh_exec *x)
{
    over(x, gh_node_int(x->node, "axis", 1), true);
    return GH_OK;
}

#define BOTH(type)                                                                                           \
    {type, "", 1, 12, GH_OP_INPLACE, 1, 1, 1, softmax_infer, softmax_run_flat, NULL, NULL},                  \
    {                                                                                                        \
        type, "", 13, 0, GH_OP_INPLACE, 1, 1, 1, softmax_infer, softmax_run, NULL, NULL                      \
    }

const gh_op gh_ops_softmax[] = {BOTH("Softmax"), BOTH("LogSoftmax"), BOTH("Hardmax")};
const size_t gh_ops_softmax_count = GH_COUNT(gh_ops_softmax);
