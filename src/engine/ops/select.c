/* NonZero and Compress: how many elements they give depends on elements, so those must be known before a run.
 */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

static bool is_set(const gh_tensor *t, size_t i)
{
    return gh_is_float(t->type) ? gh_number_at(t, i) != 0 : gh_int_at(t, i) != 0; /* NaN is not zero */
}

/* Checks that the elements of input i are numbers and known, and counts those of the first `most` that are
 * not zero. */
static gh_status count_set(const gh_io *io, uint32_t i, size_t most, int64_t *out)
{
    size_t count = 0;
    GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
    if (!gh_number_type(io->in[i].type))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not counted", gh_dtype_name(io->in[i].type));
    if (!io->in[i].data)
        return gh_io_fail(io, GH_UNSUPPORTED, "input %u, which decides a shape, depends on the data", i);
    if (!gh_shape_count(&count, &io->in[i].shape))
        return gh_io_fail(io, GH_LIMIT, "input %u is too large", i);
    *out = 0;
    for (size_t k = 0; k < count && k < most; k++)
        *out += is_set(&io->in[i], k);
    return GH_OK;
}

/* ---- NonZero: the places of what is not zero, a row a dimension ---- */

static gh_status non_zero_infer(gh_io *io)
{
    int64_t count;
    GH_TRY(count_set(io, 0, SIZE_MAX, &count));
    io->out[0].type = GH_I64;
    io->out[0].shape = (gh_shape){.rank = 2, .dims = {io->in[0].shape.rank, count}};
    return GH_OK;
}

static gh_status non_zero_run(gh_exec *x)
{
    const gh_shape *in = &x->in[0].shape;
    size_t count = gh_shape_span(in, 0, in->rank), found = (size_t)x->out[0].shape.dims[1], at = 0;
    int64_t *out = x->out[0].data;
    for (size_t i = 0; i < count; i++) {
        if (!is_set(&x->in[0], i))
            continue;
        size_t left = i;
        for (int d = in->rank - 1; d >= 0; d--) {
            out[(size_t)d * found + at] = (int64_t)(left % (size_t)in->dims[d]);
            left /= (size_t)in->dims[d];
        }
        at++;
    }
    return GH_OK;
}

/* ---- Compress: the slices along an axis, or the single elements, whose condition is set ---- */

/* The sides before, along and behind the axis; without one, all elements are one row. */
static gh_status slices(const gh_io *io, int *axis, size_t sides[3])
{
    const gh_shape *in = &io->in[0].shape;
    bool given = gh_node_attr(io->node, "axis") != NULL;
    *axis = -1;
    if (given)
        GH_TRY(gh_io_axis(io, axis, gh_node_int(io->node, "axis", 0), in->rank));
    sides[0] = given ? gh_shape_span(in, 0, *axis) : 1;
    sides[1] = given ? (size_t)in->dims[*axis] : gh_shape_span(in, 0, in->rank);
    sides[2] = given ? gh_shape_span(in, *axis + 1, in->rank) : 1;
    return GH_OK;
}

static gh_status compress_infer(gh_io *io)
{
    size_t sides[3];
    int axis;
    int64_t count;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_BOOL, 1));
    GH_TRY(slices(io, &axis, sides));
    GH_TRY(count_set(io, 1, sides[1], &count));
    io->out[0].type = io->in[0].type;
    io->out[0].shape = axis < 0 ? (gh_shape){.rank = 1} : io->in[0].shape;
    io->out[0].shape.dims[axis < 0 ? 0 : axis] = count;
    return GH_OK;
}

static gh_status compress_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    size_t sides[3], conditions = (size_t)x->in[1].shape.dims[0], size = gh_dtype_size(x->in[0].type);
    int axis;
    GH_TRY(slices(&io, &axis, sides));
    size_t part = sides[2] * size;
    char *dst = x->out[0].data;
    for (size_t o = 0; o < sides[0]; o++)
        for (size_t i = 0; i < sides[1] && i < conditions; i++)
            if (is_set(&x->in[1], i)) {
                memcpy(dst, (const char *)x->in[0].data + (o * sides[1] + i) * part, part);
                dst += part;
            }
    return GH_OK;
}

const gh_op gh_ops_select[] = {
    {"NonZero", "", 9, 0, 0, 1, 1, 1, non_zero_infer, non_zero_run, NULL, NULL},
    {"Compress", "", 9, 0, 0, 2, 2, 1, compress_infer, compress_run, NULL, NULL},
};
const size_t gh_ops_select_count = GH_COUNT(gh_ops_select);
