/* Gather: elements by index. */
#include "engine/ops.h"

#include <string.h>

static gh_status gather_infer(gh_io *io)
{
    const gh_shape *data = &io->in[0].shape, *index = &io->in[1].shape;
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, -1));
    if (io->in[1].type != GH_I64 && io->in[1].type != GH_I32)
        return gh_io_fail(io, GH_FORMAT, "indices must be int64 or int32");
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 0), data->rank));
    gh_shape out = {.rank = data->rank - 1 + index->rank};
    if (out.rank > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    int at = 0;
    for (int i = 0; i < axis; i++)
        out.dims[at++] = data->dims[i];
    for (int i = 0; i < index->rank; i++)
        out.dims[at++] = index->dims[i];
    for (int i = axis + 1; i < data->rank; i++)
        out.dims[at++] = data->dims[i];
    io->out[0].type = io->in[0].type;
    io->out[0].shape = out;
    return GH_OK;
}

static int64_t int_at(const gh_tensor *t, size_t i)
{
    return t->type == GH_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
}

static gh_status gather_run(gh_exec *x)
{
    const gh_shape *data = &x->in[0].shape;
    int64_t a = gh_node_int(x->node, "axis", 0);
    int axis = (int)(a < 0 ? a + data->rank : a);
    size_t outer = gh_shape_span(data, 0, axis),
           count = gh_shape_span(&x->in[1].shape, 0, x->in[1].shape.rank);
    size_t inner = gh_shape_span(data, axis + 1, data->rank) * gh_dtype_size(x->in[0].type);
    int64_t side = data->dims[axis];
    char *dst = x->out[0].data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < count; i++, dst += inner) {
            int64_t index = int_at(&x->in[1], i);
            index = index < 0 ? index + side : index;
            if (index < 0 || index >= side)
                return gh_fail(x->e, GH_FORMAT, "node \"%s\" (Gather): index %lld is outside of %lld",
                               x->node->name, (long long)int_at(&x->in[1], i), (long long)side);
            memcpy(dst, (const char *)x->in[0].data + (o * (size_t)side + (size_t)index) * inner, inner);
        }
    return GH_OK;
}

const gh_op gh_ops_gather[] = {
    {"Gather", "", 1, 0, 0, 2, 2, 1, gather_infer, gather_run, NULL, NULL},
};
const size_t gh_ops_gather_count = GH_COUNT(gh_ops_gather);
