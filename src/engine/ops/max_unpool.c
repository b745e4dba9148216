/* MaxUnpool: puts the values of a MaxPool back where its Indices say, among zeros. */
#include "engine/ops.h"

#include <string.h>

/* The size that the pooling had started from. */
static gh_status own_shape(const gh_io *io, gh_shape *out)
{
    const gh_shape *x = &io->in[0].shape;
    int64_t window[GH_MAX_RANK], stride[GH_MAX_RANK], pads[2 * GH_MAX_RANK];
    if (x->rank < 3)
        return gh_io_fail(io, GH_FORMAT, "input has %d dimensions; at least 3 are needed", x->rank);
    size_t n = (size_t)x->rank - 2;
    GH_TRY(gh_io_list(io, "kernel_shape", window, n, 0, 1));
    GH_TRY(gh_io_list(io, "strides", stride, n, 1, 1));
    GH_TRY(gh_io_list(io, "pads", pads, 2 * n, 0, 0));
    if (!gh_node_attr(io->node, "kernel_shape"))
        return gh_io_fail(io, GH_FORMAT, "attribute kernel_shape is missing");
    *out = *x;
    for (size_t a = 0; a < n; a++) {
        int64_t side = (x->dims[2 + a] - 1) * stride[a] + window[a] - pads[a] - pads[a + n];
        if (side < 0)
            return gh_io_fail(io, GH_FORMAT, "its pads leave nothing of the output");
        out->dims[2 + a] = side;
    }
    return GH_OK;
}

/* A wanted shape may be larger: what was pooled stands at its beginning. */
static gh_status infer(gh_io *io)
{
    gh_shape out;
    int64_t wanted[GH_MAX_RANK];
    size_t count;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_I64, io->in[0].shape.rank));
    if (!gh_shape_equal(&io->in[0].shape, &io->in[1].shape))
        return gh_io_fail(io, GH_FORMAT, "each value needs its index");
    GH_TRY(own_shape(io, &out));
    if (gh_has(io, 2)) {
        GH_TRY(gh_io_ints(io, 2, wanted, &count, GH_MAX_RANK));
        bool fits = (int)count == out.rank && wanted[0] == out.dims[0] && wanted[1] == out.dims[1];
        for (int d = 0; fits && d < out.rank; d++) {
            fits = wanted[d] >= out.dims[d];
            out.dims[d] = wanted[d];
        }
        if (!fits)
            return gh_io_fail(io, GH_FORMAT, "output_shape does not hold what was pooled");
    }
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = out};
    return GH_OK;
}

/* Where element `i` of shape `own` stands in the larger `out`. */
static size_t embed(size_t i, const gh_shape *own, const gh_shape *out)
{
    size_t at = 0, step = 1;
    for (int d = own->rank - 1; d >= 0; d--) {
        at += i % (size_t)own->dims[d] * step;
        i /= (size_t)own->dims[d];
        step *= (size_t)out->dims[d];
    }
    return at;
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    const gh_shape *out = &x->out[0].shape;
    gh_shape own;
    GH_TRY(own_shape(&io, &own));
    size_t count = gh_shape_span(&x->in[0].shape, 0, own.rank), total = gh_shape_span(&own, 0, own.rank);
    memset(x->out[0].data, 0, gh_shape_span(out, 0, out->rank) * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        int64_t at = ((const int64_t *)x->in[1].data)[i];
        if (at < 0 || (uint64_t)at >= total)
            return gh_io_fail(&io, GH_ARG, "index %lld is outside of %zu elements", (long long)at, total);
        ((float *)x->out[0].data)[embed((size_t)at, &own, out)] = ((const float *)x->in[0].data)[i];
    }
    return GH_OK;
}

const gh_op gh_ops_max_unpool[] = {
    {"MaxUnpool", "", 9, 0, 0, 2, 3, 1, infer, run, NULL, NULL},
};
const size_t gh_ops_max_unpool_count = GH_COUNT(gh_ops_max_unpool);
