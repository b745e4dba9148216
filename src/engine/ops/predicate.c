/* Tests and bits of one operand: IsNaN, IsInf, BitwiseNot. */
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

static gh_status predicate_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!gh_is_float(io->in[0].type))
        GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    io->out[0] = (gh_tensor){.type = GH_BOOL, .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status nan_run(gh_exec *x)
{
    uint8_t *out = x->out[0].data;
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    for (size_t i = 0; i < count; i++)
        out[i] = isnan(gh_number_at(&x->in[0], i));
    return GH_OK;
}

static gh_status inf_run(gh_exec *x)
{
    uint8_t *out = x->out[0].data;
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    bool below = gh_node_int(x->node, "detect_negative", 1) != 0;
    bool above = gh_node_int(x->node, "detect_positive", 1) != 0;
    for (size_t i = 0; i < count; i++) {
        double v = gh_number_at(&x->in[0], i);
        out[i] = isinf(v) && (v < 0 ? below : above);
    }
    return GH_OK;
}

static gh_status not_infer(gh_io *io)
{
    gh_dtype type = io->in[0].type;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!gh_number_type(type) || gh_is_float(type) || type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    io->out[0] = (gh_tensor){.type = type, .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status not_run(gh_exec *x)
{
    const gh_shape *s = &x->out[0].shape;
    size_t bytes = gh_shape_span(s, 0, s->rank) * gh_dtype_size(x->out[0].type);
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)x->out[0].data)[i] = (uint8_t) ~((const uint8_t *)x->in[0].data)[i];
    return GH_OK;
}

const gh_op gh_ops_predicate[] = {
    {"IsNaN", "", 9, 0, 0, 1, 1, 1, predicate_infer, nan_run, NULL, NULL},
    {"IsInf", "", 10, 0, 0, 1, 1, 1, predicate_infer, inf_run, NULL, NULL},
    {"BitwiseNot", "", 18, 0, GH_OP_INPLACE, 1, 1, 1, not_infer, not_run, NULL, NULL},
};
const size_t gh_ops_predicate_count = GH_COUNT(gh_ops_predicate);
