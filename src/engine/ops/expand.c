/* Operators that repeat elements or blank them out, whatever their type: Expand, Tile, Trilu. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/strided.h"

#include <string.h>

/* ---- Expand ---- */

static gh_status expand_infer(gh_io *io)
{
    int64_t dims[GH_MAX_RANK];
    size_t rank;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_I64, 1));
    GH_TRY(gh_io_ints(io, 1, dims, &rank, GH_MAX_RANK));
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0)
            return gh_io_fail(io, GH_FORMAT, "the shape holds %lld", (long long)dims[i]);
    gh_shape want = gh_shape_of((int)rank, dims);
    io->out[0].type = io->in[0].type;
    return gh_io_broadcast(io, &io->out[0].shape, &io->in[0].shape, &want);
}

static gh_status expand_run(gh_exec *x)
{
    const gh_shape *in = &x->in[0].shape;
    gh_strided walk = gh_strided_of(&x->out[0].shape);
    int64_t step = 1;
    for (int d = walk.rank - 1, own = in->rank - 1; d >= 0; d--, own--) {
        walk.src[d] = own < 0 || in->dims[own] == 1 ? 0 : step;
        step *= own < 0 ? 1 : in->dims[own];
    }
    gh_strided_copy(x->out[0].data, x->in[0].data, gh_dtype_size(x->out[0].type), &walk);
    return GH_OK;
}

/* ---- Tile ---- */

static gh_status tile_infer(gh_io *io)
{
    const gh_shape *in = &io->in[0].shape;
    int64_t repeats[GH_MAX_RANK];
    size_t count;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_I64, 1));
    GH_TRY(gh_io_ints(io, 1, repeats, &count, GH_MAX_RANK));
    if ((int)count != in->rank)
        return gh_io_fail(io, GH_FORMAT, "%zu repeats for %d dimensions", count, in->rank);
    io->out[0].type = io->in[0].type;
    io->out[0].shape.rank = in->rank;
    for (int d = 0; d < in->rank; d++) {
        if (repeats[d] < 0 || repeats[d] > INT32_MAX)
            return gh_io_fail(io, GH_FORMAT, "dimension %d is repeated %lld times", d, (long long)repeats[d]);
        io->out[0].shape.dims[d] = in->dims[d] * repeats[d];
    }
    return GH_OK;
}

static gh_status tile_run(gh_exec *x)
{
    const gh_shape *in = &x->in[0].shape, *out = &x->out[0].shape;
    gh_strided walk = {0};
    for (int d = 0; d < in->rank; d++) {
        int64_t from = (int64_t)gh_shape_span(in, d + 1, in->rank);
        int64_t to = (int64_t)gh_shape_span(out, d + 1, out->rank);
        gh_strided_axis(&walk, in->dims[d] ? out->dims[d] / in->dims[d] : 0, 0, to * in->dims[d]);
        gh_strided_axis(&walk, in->dims[d], from, to);
    }
    gh_strided_copy(x->out[0].data, x->in[0].data, gh_dtype_size(x->out[0].type), &walk);
    return GH_OK;
}

/* ---- Trilu ---- */

static gh_status trilu_infer(gh_io *io)
{
    size_t count;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (io->in[0].shape.rank < 2)
        return gh_io_fail(io, GH_FORMAT, "a triangle of %d dimensions", io->in[0].shape.rank);
    if (gh_has(io, 1)) {
        GH_TRY(gh_io_need(io, 1, GH_I64, -1));
        if (!gh_shape_count(&count, &io->in[1].shape) || count != 1)
            return gh_io_fail(io, GH_FORMAT, "input 1 must hold one number");
    }
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

/* The first column at or right of diagonal `k` in row `r`, of 0 .. columns. */
static size_t diagonal(int64_t r, int64_t k, int64_t columns)
{
    if (k >= columns - r) /* neither side can overflow: 0 <= r, columns < 2^31 */
        return (size_t)columns;
    return k <= -r ? 0 : (size_t)(r + k);
}

static gh_status trilu_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    int64_t rows = s->dims[s->rank - 2], columns = s->dims[s->rank - 1];
    int64_t k = x->nin > 1 && x->in[1].data ? *(const int64_t *)x->in[1].data : 0;
    bool upper = gh_node_int(x->node, "upper", 1) != 0;
    size_t size = gh_dtype_size(x->in[0].type), row = (size_t)columns * size;
    size_t count = gh_shape_span(s, 0, s->rank - 1);
    for (size_t i = 0; i < count; i++) {
        int64_t r = (int64_t)i % rows;
        char *dst = (char *)x->out[0].data + i * row;
        /* the upper triangle holds its diagonal, and so does the lower one */
        size_t at = diagonal(r, upper || k == INT64_MAX ? k : k + 1, columns) * size;
        if (x->out[0].data != x->in[0].data)
            memcpy(dst, (const char *)x->in[0].data + i * row, row);
        memset(upper ? dst : dst + at, 0, upper ? at : row - at);
    }
    return GH_OK;
}

const gh_op gh_ops_expand[] = {
    {"Expand", "", 8, 0, 0, 2, 2, 1, expand_infer, expand_run, NULL, NULL},
    {"Tile", "", 6, 0, 0, 2, 2, 1, tile_infer, tile_run, NULL, NULL},
    {"Trilu", "", 14, 0, GH_OP_INPLACE, 1, 2, 1, trilu_infer, trilu_run, NULL, NULL},
};
const size_t gh_ops_expand_count = GH_COUNT(gh_ops_expand);
