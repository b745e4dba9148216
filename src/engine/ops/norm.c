/* BatchNormalization in inference form, and Softmax. */
#include "engine/ops.h"

#include <math.h>

static gh_status batch_norm_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (io->in[0].shape.rank < 2)
        return gh_io_fail(io, GH_FORMAT, "input has %d dimensions; at least 2 are needed",
                          io->in[0].shape.rank);
    if (gh_node_int(io->node, "training_mode", 0) != 0 || io->nout > 1)
        return gh_io_fail(io, GH_UNSUPPORTED, "training mode is not run; export the model for inference");
    for (uint32_t i = 1; i < 5; i++) {
        GH_TRY(gh_io_need(io, i, GH_F32, 1));
        if (io->in[i].shape.dims[0] != io->in[0].shape.dims[1])
            return gh_io_fail(io, GH_FORMAT, "input %u holds %lld values for %lld channels", i,
                              (long long)io->in[i].shape.dims[0], (long long)io->in[0].shape.dims[1]);
    }
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

/* y = (x - mean) / sqrt(variance + epsilon) * scale + shift (Ioffe and Szegedy 2015). */
static gh_status batch_norm_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t size = gh_shape_span(s, 2, s->rank), channels = (size_t)s->dims[1];
    size_t planes = (size_t)s->dims[0] * channels;
    const float *scale = x->in[1].data, *shift = x->in[2].data, *mean = x->in[3].data,
                *variance = x->in[4].data;
    float epsilon = gh_node_float(x->node, "epsilon", 1e-5f);
    for (size_t p = 0; p < planes; p++) {
        size_t c = p % channels;
        float a = scale[c] / sqrtf(variance[c] + epsilon), b = shift[c] - mean[c] * a;
        const float *src = (const float *)x->in[0].data + p * size;
        float *dst = (float *)x->out[0].data + p * size;
        for (size_t i = 0; i < size; i++)
            dst[i] = src[i] * a + b;
    }
    if (x->act.kind != GH_ACT_NONE)
        x->k->activate(x->out[0].data, x->out[0].data, planes * size, x->act);
    return GH_OK;
}

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

static void softmax_over(gh_exec *x, int64_t axis, bool flatten)
{
    const gh_shape *s = &x->in[0].shape;
    int a = (int)(axis < 0 ? axis + s->rank : axis);
    a = a > s->rank - 1 && !flatten ? s->rank - 1 : a;
    size_t outer = gh_shape_span(s, 0, a);
    size_t count = flatten ? gh_shape_span(s, a, s->rank) : (size_t)s->dims[a];
    size_t inner = flatten ? 1 : gh_shape_span(s, a + 1, s->rank);
    x->k->softmax(x->out[0].data, x->in[0].data, (int)outer, (int)count, (int)inner);
}

static gh_status softmax_run(gh_exec *x)
{
    if (x->in[0].shape.rank == 0)
        *(float *)x->out[0].data = 1;
    else
        softmax_over(x, gh_node_int(x->node, "axis", -1), false);
    return GH_OK;
}

/* Before opset 13 everything from the axis on is one row. */
static gh_status softmax_run_flat(gh_exec *x)
{
    if (x->in[0].shape.rank == 0)
        *(float *)x->out[0].data = 1;
    else
        softmax_over(x, gh_node_int(x->node, "axis", 1), true);
    return GH_OK;
}

const gh_op gh_ops_norm[] = {
    {"BatchNormalization", "", 7, 0, GH_OP_INPLACE | GH_OP_FUSES, 5, 5, 5, batch_norm_infer, batch_norm_run,
     NULL, NULL},
    {"Softmax", "", 1, 12, GH_OP_INPLACE, 1, 1, 1, softmax_infer, softmax_run_flat, NULL, NULL},
    {"Softmax", "", 13, 0, GH_OP_INPLACE, 1, 1, 1, softmax_infer, softmax_run, NULL, NULL},
};
const size_t gh_ops_norm_count = GH_COUNT(gh_ops_norm);
