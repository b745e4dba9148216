/* Cast: from one element type to another. */
#include "engine/ops.h"

static bool castable(gh_dtype type)
{
    return type == GH_F32 || type == GH_F64 || type == GH_I64 || type == GH_I32 || type == GH_U8 ||
           type == GH_I8 || type == GH_BOOL;
}

/* float16 is kept as float32 throughout. */
static gh_dtype cast_to(const gh_node *n)
{
    int64_t to = gh_node_int(n, "to", 0);
    return to == GH_F16 ? GH_F32 : to > 0 && to < 64 ? (gh_dtype)to : GH_UNKNOWN;
}

static gh_status cast_infer(gh_io *io)
{
    gh_dtype to = cast_to(io->node);
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!castable(io->in[0].type) || !castable(to))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s to %s is not cast", gh_dtype_name(io->in[0].type),
                          gh_dtype_name(to));
    io->out[0].type = to;
    io->out[0].shape = io->in[0].shape;
    return GH_OK;
}

static double number_at(const gh_tensor *t, size_t i)
{
    switch (t->type) {
    case GH_F32:
        return ((const float *)t->data)[i];
    case GH_F64:
        return ((const double *)t->data)[i];
    case GH_I32:
        return ((const int32_t *)t->data)[i];
    case GH_I8:
        return ((const int8_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

/* Towards zero; what does not fit saturates, where C leaves it undefined. */
static int64_t to_int(double v, double low, double high)
{
    if (v != v)
        return 0;
    return v <= low ? (int64_t)low : v >= high ? (high >= 0x1p63 ? INT64_MAX : (int64_t)high) : (int64_t)v;
}

static void store_number(gh_tensor *t, size_t i, double v)
{
    switch (t->type) {
    case GH_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case GH_F64:
        ((double *)t->data)[i] = v;
        break;
    case GH_I64:
        ((int64_t *)t->data)[i] = to_int(v, -0x1p63, 0x1p63);
        break;
    case GH_I32:
        ((int32_t *)t->data)[i] = (int32_t)to_int(v, INT32_MIN, INT32_MAX);
        break;
    case GH_BOOL:
        ((uint8_t *)t->data)[i] = v != 0;
        break;
    default: /* 8 bits: wraps like the other runtimes */
        ((uint8_t *)t->data)[i] = (uint8_t)to_int(v, -0x1p63, 0x1p63);
    }
}

static gh_status cast_run(gh_exec *x)
{
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    for (size_t i = 0; i < count; i++) {
        if (x->in[0].type != GH_I64)
            store_number(&x->out[0], i, number_at(&x->in[0], i));
        else if (x->out[0].type == GH_I64)
            ((int64_t *)x->out[0].data)[i] = ((const int64_t *)x->in[0].data)[i];
        else if (x->out[0].type == GH_I32)
            ((int32_t *)x->out[0].data)[i] = (int32_t)((const int64_t *)x->in[0].data)[i];
        else
            store_number(&x->out[0], i, (double)((const int64_t *)x->in[0].data)[i]);
    }
    return GH_OK;
}

const gh_op gh_ops_cast[] = {
    {"Cast", "", 6, 0, 0, 1, 1, 1, cast_infer, cast_run, NULL, NULL},
};
const size_t gh_ops_cast_count = GH_COUNT(gh_ops_cast);
