/* Cast and CastLike: from one element type to another. */
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

static gh_status cast_between(gh_io *io, gh_dtype to)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!gh_number_type(io->in[0].type) || !gh_number_type(to))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s to %s is not cast", gh_dtype_name(io->in[0].type),
                          gh_dtype_name(to));
    io->out[0].type = to;
    io->out[0].shape = io->in[0].shape;
    return GH_OK;
}

/* float16 is kept as float32 throughout. */
static gh_status cast_infer(gh_io *io)
{
    int64_t to = gh_node_int(io->node, "to", 0);
    return cast_between(io, to == GH_F16 ? GH_F32 : to > 0 && to < 64 ? (gh_dtype)to : GH_UNKNOWN);
}

static gh_status cast_like_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, -1));
    return cast_between(io, io->in[1].type);
}

static gh_status cast_run(gh_exec *x)
{
    const gh_tensor *from = &x->in[0];
    gh_tensor *to = &x->out[0];
    size_t count = gh_shape_span(&to->shape, 0, to->shape.rank);
    if (from->type == to->type) {
        memcpy(to->data, from->data, count * gh_dtype_size(to->type));
        return GH_OK;
    }
    bool exact = !gh_is_float(from->type) && !gh_is_float(to->type);
    for (size_t i = 0; i < count; i++)
        if (exact)
            gh_int_store(to, i, gh_int_at(from, i));
        else
            gh_number_store(to, i, gh_number_at(from, i));
    return GH_OK;
}

const gh_op gh_ops_cast[] = {
    {"Cast", "", 6, 0, 0, 1, 1, 1, cast_infer, cast_run, NULL, NULL},
    {"CastLike", "", 15, 0, 0, 2, 2, 1, cast_like_infer, cast_run, NULL, NULL},
};
const size_t gh_ops_cast_count = GH_COUNT(gh_ops_cast);
