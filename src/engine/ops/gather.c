/* Gather, GatherElements, GatherND: elements of any type by indices that may come with the data. */
#include "engine/ops.h"
#include "engine/ops/index.h"

#include <string.h>

static int axis_of(const gh_exec *x)
{
    int64_t axis = gh_node_int(x->node, "axis", 0);
    return (int)(axis < 0 ? axis + x->in[0].shape.rank : axis);
}

static size_t count_of(const gh_tensor *t)
{
    return gh_shape_span(&t->shape, 0, t->shape.rank);
}

/* ---- Gather ---- */

static gh_status gather_infer(gh_io *io)
{
    const gh_shape *data = &io->in[0].shape, *index = &io->in[1].shape;
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_indices(io, 1));
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

static gh_status gather_run(gh_exec *x)
{
    const gh_shape *data = &x->in[0].shape;
    int axis = axis_of(x);
    size_t outer = gh_shape_span(data, 0, axis), count = count_of(&x->in[1]), index;
    size_t inner = gh_shape_span(data, axis + 1, data->rank) * gh_dtype_size(x->in[0].type);
    size_t side = (size_t)data->dims[axis];
    char *dst = x->out[0].data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < count; i++, dst += inner) {
            GH_TRY(gh_exec_index(&index, x, 1, i, data->dims[axis]));
            memcpy(dst, (const char *)x->in[0].data + (o * side + index) * inner, inner);
        }
    return GH_OK;
}

/* ---- GatherElements ---- */

static gh_status elements_infer(gh_io *io)
{
    const gh_shape *data = &io->in[0].shape, *index = &io->in[1].shape;
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_indices(io, 1));
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 0), data->rank));
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, data->rank));
    for (int d = 0; d < data->rank; d++)
        if (d != axis && index->dims[d] > data->dims[d])
            return gh_io_fail(io, GH_FORMAT, "%lld indices in dimension %d of %lld",
                              (long long)index->dims[d], d, (long long)data->dims[d]);
    io->out[0].type = io->in[0].type;
    io->out[0].shape = *index;
    return GH_OK;
}

static gh_status elements_run(gh_exec *x)
{
    int axis = axis_of(x);
    size_t count = count_of(&x->in[1]), size = gh_dtype_size(x->in[0].type), index;
    gh_pick p;
    gh_pick_start(&p, &x->in[1].shape, &x->in[0].shape, axis);
    for (size_t i = 0; i < count; i++, gh_pick_next(&p)) {
        GH_TRY(gh_exec_index(&index, x, 1, i, x->in[0].shape.dims[axis]));
        memcpy((char *)x->out[0].data + i * size,
               (const char *)x->in[0].data + (p.at + index * p.axis_step) * size, size);
    }
    return GH_OK;
}

/* ---- GatherND ---- */

static gh_status nd_infer(gh_io *io)
{
    const gh_shape *data = &io->in[0].shape, *index = &io->in[1].shape;
    int64_t batch = gh_node_int(io->node, "batch_dims", 0);
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_indices(io, 1));
    if (batch < 0 || batch >= index->rank || batch >= data->rank)
        return gh_io_fail(io, GH_FORMAT, "batch_dims is %lld for data of %d and indices of %d dimensions",
                          (long long)batch, data->rank, index->rank);
    int64_t width = index->dims[index->rank - 1];
    if (width < 1 || width > data->rank - batch)
        return gh_io_fail(io, GH_FORMAT, "%lld indices into data of %d dimensions", (long long)width,
                          data->rank);
    gh_shape out = {.rank = index->rank - 1 + data->rank - (int)(batch + width)};
    if (out.rank > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    for (int d = 0; d < batch; d++)
        if (index->dims[d] != data->dims[d])
            return gh_io_fail(io, GH_FORMAT, "data and indices differ in dimension %d", d);
    for (int d = 0; d < index->rank - 1; d++)
        out.dims[d] = index->dims[d];
    for (int d = index->rank - 1; d < out.rank; d++)
        out.dims[d] = data->dims[data->rank - out.rank + d];
    io->out[0].type = io->in[0].type;
    io->out[0].shape = out;
    return GH_OK;
}

static gh_status nd_run(gh_exec *x)
{
    const gh_shape *data = &x->in[0].shape, *index = &x->in[1].shape;
    int batch = (int)gh_node_int(x->node, "batch_dims", 0), width = (int)index->dims[index->rank - 1];
    size_t batches = gh_shape_span(data, 0, batch), rows = gh_shape_span(index, batch, index->rank - 1), at;
    size_t each = gh_shape_span(data, batch, batch + width);
    size_t part = gh_shape_span(data, batch + width, data->rank) * gh_dtype_size(x->in[0].type);
    char *dst = x->out[0].data;
    for (size_t b = 0; b < batches; b++)
        for (size_t r = 0; r < rows; r++, dst += part) {
            GH_TRY(gh_exec_index_row(&at, x, 1, b * rows + r, width, data->dims + batch));
            memcpy(dst, (const char *)x->in[0].data + (b * each + at) * part, part);
        }
    return GH_OK;
}

const gh_op gh_ops_gather[] = {
    {"Gather", "", 1, 0, 0, 2, 2, 1, gather_infer, gather_run, NULL, NULL},
    {"GatherElements", "", 11, 0, 0, 2, 2, 1, elements_infer, elements_run, NULL, NULL},
    {"GatherND", "", 11, 0, 0, 2, 2, 1, nd_infer, nd_run, NULL, NULL},
};
const size_t gh_ops_gather_count = sizeof gh_ops_gather / sizeof *gh_ops_gather;
