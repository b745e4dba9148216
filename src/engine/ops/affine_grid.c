/* AffineGrid: for each place of a picture of the wanted size, where a GridSample behind it reads, as a matrix
 * says. */
#include "engine/ops.h"

static gh_status sizes_of(const gh_io *io, int64_t *sizes, int *axes)
{
    size_t count;
    GH_TRY(gh_io_ints(io, 1, sizes, &count, 5));
    if (count != 4 && count != 5)
        return gh_io_fail(io, GH_FORMAT, "its size has %zu numbers; 4 and 5 are known", count);
    for (size_t i = 0; i < count; i++)
        if (sizes[i] < 0 || sizes[i] > INT32_MAX)
            return gh_io_fail(io, GH_FORMAT, "its size holds %lld", (long long)sizes[i]);
    *axes = (int)count - 2;
    return GH_OK;
}

/* [n][h][w][2], or with depth [n][d][h][w][3]. */
static gh_status infer(gh_io *io)
{
    int64_t sizes[5];
    int axes = 0;
    GH_TRY(gh_io_need(io, 0, GH_F32, 3));
    GH_TRY(sizes_of(io, sizes, &axes));
    const gh_shape *m = &io->in[0].shape;
    if (m->dims[0] != sizes[0] || m->dims[1] != axes || m->dims[2] != axes + 1)
        return gh_io_fail(io, GH_FORMAT, "it needs a matrix of %d x %d for each of %lld pictures", axes,
                          axes + 1, (long long)sizes[0]);
    gh_shape out = {.rank = axes + 2, .dims = {sizes[0]}};
    for (int a = 0; a < axes; a++)
        out.dims[1 + a] = sizes[2 + a];
    out.dims[axes + 1] = axes;
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = out};
    return GH_OK;
}

/* Pixel i of n as a number from -1 to 1. */
static float place(size_t i, int64_t n, bool corners)
{
    if (corners)
        return n > 1 ? 2 * (float)i / (float)(n - 1) - 1 : 0;
    return (2 * (float)i + 1) / (float)n - 1;
}

static gh_status run(gh_exec *x)
{
    const gh_shape *out = &x->out[0].shape;
    int axes = out->rank - 2;
    bool corners = gh_node_int(x->node, "align_corners", 0) != 0;
    size_t pixels = gh_shape_span(out, 1, axes + 1), n = (size_t)out->dims[0];
    float *dst = x->out[0].data;
    for (size_t u = 0; u < n * pixels; u++) {
        const float *m = (const float *)x->in[0].data + u / pixels * (size_t)(axes * (axes + 1));
        float at[4] = {0};
        size_t rest = u % pixels;
        for (int a = 0; a < axes; a++) { /* x first, the last axis */
            int64_t side = out->dims[axes - a];
            at[a] = place(rest % (size_t)side, side, corners);
            rest /= (size_t)side;
        }
        at[axes] = 1;
        for (int r = 0; r < axes; r++, m += axes + 1) {
            float sum = 0;
            for (int c = 0; c <= axes; c++)
                sum += m[c] * at[c];
            *dst++ = sum;
        }
    }
    return GH_OK;
}

const gh_op gh_ops_affine_grid[] = {
    {"AffineGrid", "", 20, 0, 0, 2, 2, 1, infer, run, NULL, NULL},
};
const size_t gh_ops_affine_grid_count = GH_COUNT(gh_ops_affine_grid);
