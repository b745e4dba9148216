/* ScatterElements (Scatter before opset 11) and ScatterND: a copy of the data in which the elements that
 * indices name are replaced by updates or combined with them. */
#include "engine/ops.h"
#include "engine/ops/binary_rows.h"
#include "engine/ops/index.h"

#include <string.h>

/* How updates are combined with what stands there; GH_BINARY_COUNT = they replace it. */
static gh_status reduction_of(const gh_io *io, gh_binary_kind *out)
{
    static const struct {
        const char *name;
        gh_binary_kind kind;
    } kinds[] = {{"none", GH_BINARY_COUNT},
                 {"add", GH_BINARY_ADD},
                 {"mul", GH_BINARY_MUL},
                 {"min", GH_BINARY_MIN},
                 {"max", GH_BINARY_MAX}};
    const char *name = gh_node_string(io->node, "reduction", "none");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = kinds[i].kind;
            return GH_OK;
        }
    return gh_io_fail(io, GH_UNSUPPORTED, "reduction is \"%s\"; none, add, mul, min and max are accepted",
                      name);
}

/* Checks what both have in common. */
static gh_status operands(gh_io *io)
{
    gh_binary_kind kind;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_indices(io, 1));
    GH_TRY(gh_io_need(io, 2, io->in[0].type, -1));
    GH_TRY(reduction_of(io, &kind));
    if (kind != GH_BINARY_COUNT && !gh_binary_row_of(kind, io->in[0].type))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not combined", gh_dtype_name(io->in[0].type));
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

/* Copies the data; gives the function that combines, or NULL. */
static gh_status start(gh_exec *x, gh_binary_row *row)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    size_t count = gh_shape_span(&x->in[0].shape, 0, x->in[0].shape.rank);
    gh_binary_kind kind;
    GH_TRY(reduction_of(&io, &kind));
    *row = kind == GH_BINARY_COUNT ? NULL : gh_binary_row_of(kind, x->in[0].type);
    memcpy(x->out[0].data, x->in[0].data, count * gh_dtype_size(x->in[0].type));
    return GH_OK;
}

/* Puts `n` updates, which start at update `from`, at element `to`. */
static void put(gh_exec *x, gh_binary_row row, size_t to, size_t from, size_t n)
{
    size_t size = gh_dtype_size(x->in[0].type);
    char *dst = (char *)x->out[0].data + to * size;
    const char *src = (const char *)x->in[2].data + from * size;
    if (row)
        row(dst, dst, src, n, 1, 1);
    else
        memcpy(dst, src, n * size);
}

/* ---- ScatterElements ---- */

static gh_status elements_infer(gh_io *io)
{
    const gh_shape *data = &io->in[0].shape, *index = &io->in[1].shape;
    int axis;
    GH_TRY(operands(io));
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 0), data->rank));
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, data->rank));
    if (!gh_shape_equal(index, &io->in[2].shape))
        return gh_io_fail(io, GH_FORMAT, "indices and updates differ in shape");
    for (int d = 0; d < data->rank; d++)
        if (d != axis && index->dims[d] > data->dims[d])
            return gh_io_fail(io, GH_FORMAT, "%lld indices in dimension %d of %lld",
                              (long long)index->dims[d], d, (long long)data->dims[d]);
    return GH_OK;
}

static gh_status elements_run(gh_exec *x)
{
    const gh_shape *data = &x->in[0].shape;
    int64_t a = gh_node_int(x->node, "axis", 0);
    int axis = (int)(a < 0 ? a + data->rank : a);
    size_t count = gh_shape_span(&x->in[1].shape, 0, x->in[1].shape.rank), index;
    gh_binary_row row;
    gh_pick p;
    GH_TRY(start(x, &row));
    gh_pick_start(&p, &x->in[1].shape, data, axis);
    for (size_t i = 0; i < count; i++, gh_pick_next(&p)) {
        GH_TRY(gh_exec_index(&index, x, 1, i, data->dims[axis]));
        put(x, row, p.at + index * p.axis_step, i, 1);
    }
    return GH_OK;
}

/* ---- ScatterND ---- */

static gh_status nd_infer(gh_io *io)
{
    const gh_shape *data = &io->in[0].shape, *index = &io->in[1].shape;
    GH_TRY(operands(io));
    if (index->rank < 1)
        return gh_io_fail(io, GH_FORMAT, "indices without a dimension");
    int64_t width = index->dims[index->rank - 1];
    if (width < 1 || width > data->rank)
        return gh_io_fail(io, GH_FORMAT, "%lld indices into data of %d dimensions", (long long)width,
                          data->rank);
    gh_shape want = {.rank = index->rank - 1 + data->rank - (int)width};
    if (want.rank > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    for (int d = 0; d < want.rank; d++)
        want.dims[d] = d < index->rank - 1 ? index->dims[d] : data->dims[data->rank - want.rank + d];
    if (!gh_shape_equal(&want, &io->in[2].shape)) {
        char a[96], b[96];
        return gh_io_fail(io, GH_FORMAT, "updates are %s, not %s",
                          gh_shape_text(&io->in[2].shape, a, sizeof a), gh_shape_text(&want, b, sizeof b));
    }
    return GH_OK;
}

static gh_status nd_run(gh_exec *x)
{
    const gh_shape *data = &x->in[0].shape, *index = &x->in[1].shape;
    int width = (int)index->dims[index->rank - 1];
    size_t rows = gh_shape_span(index, 0, index->rank - 1), part = gh_shape_span(data, width, data->rank), at;
    gh_binary_row row;
    GH_TRY(start(x, &row));
    for (size_t r = 0; r < rows; r++) {
        GH_TRY(gh_exec_index_row(&at, x, 1, r, width, data->dims));
        put(x, row, at * part, r * part, part);
    }
    return GH_OK;
}

const gh_op gh_ops_scatter[] = {
    {"Scatter", "", 9, 10, 0, 3, 3, 1, elements_infer, elements_run, NULL, NULL},
    {"ScatterElements", "", 11, 0, 0, 3, 3, 1, elements_infer, elements_run, NULL, NULL},
    {"ScatterND", "", 11, 0, 0, 3, 3, 1, nd_infer, nd_run, NULL, NULL},
};
const size_t gh_ops_scatter_count = sizeof gh_ops_scatter / sizeof *gh_ops_scatter;
