/* OneHot: along a new axis of `depth` elements, the one that an index names is "on" and the others "off". */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

static gh_status one_hot_infer(gh_io *io)
{
    const gh_tensor *depth = &io->in[1];
    size_t count;
    int axis;
    for (uint32_t i = 0; i < 3; i++)
        GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
    if (!gh_number_type(io->in[0].type) || !gh_number_type(depth->type))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not counted",
                          gh_dtype_name(gh_number_type(depth->type) ? io->in[0].type : depth->type));
    if (!gh_shape_count(&count, &io->in[2].shape) || count != 2)
        return gh_io_fail(io, GH_FORMAT, "input 2 must hold two values: off and on");
    if (!gh_shape_count(&count, &depth->shape) || count != 1)
        return gh_io_fail(io, GH_FORMAT, "input 1 must hold one number");
    if (!depth->data)
        return gh_io_fail(io, GH_UNSUPPORTED, "input 1, which decides a shape, depends on the data");
    double side = gh_number_at(depth, 0);
    if (!(side >= 0 && side <= INT32_MAX))
        return gh_io_fail(io, GH_FORMAT, "a depth of %g; 0 to %d is accepted", side, INT32_MAX);
    gh_shape out = {.rank = io->in[0].shape.rank + 1};
    if (out.rank > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", -1), out.rank));
    for (int d = 0; d < out.rank; d++)
        out.dims[d] = d == axis ? (int64_t)side : io->in[0].shape.dims[d > axis ? d - 1 : d];
    io->out[0].type = io->in[2].type;
    io->out[0].shape = out;
    return GH_OK;
}

/* Which element an index names, or -1 for none; a negative one counts from the end. */
static int64_t named(const gh_tensor *t, size_t i, int64_t side)
{
    double v = gh_number_at(t, i);
    if (!(v >= -(double)side && v < (double)side))
        return -1;
    int64_t index = (int64_t)v;
    return index < 0 ? index + side : index;
}

static gh_status one_hot_run(gh_exec *x)
{
    const gh_shape *out = &x->out[0].shape;
    int64_t a = gh_node_int(x->node, "axis", -1);
    int axis = (int)(a < 0 ? a + out->rank : a);
    size_t size = gh_dtype_size(x->out[0].type), inner = gh_shape_span(out, axis + 1, out->rank);
    size_t count = gh_shape_span(out, 0, out->rank), indices = count / (size_t)out->dims[axis];
    const char *values = x->in[2].data;
    char *dst = x->out[0].data;
    for (size_t i = 0; i < count; i++)
        memcpy(dst + i * size, values, size);
    for (size_t i = 0; i < indices; i++) {
        int64_t on = named(&x->in[0], i, out->dims[axis]);
        size_t at = i / inner * inner * (size_t)out->dims[axis] + i % inner;
        if (on >= 0)
            memcpy(dst + (at + (size_t)on * inner) * size, values + size, size);
    }
    return GH_OK;
}

const gh_op gh_ops_one_hot[] = {
    {"OneHot", "", 9, 0, 0, 3, 3, 1, one_hot_infer, one_hot_run, NULL, NULL},
};
const size_t gh_ops_one_hot_count = GH_COUNT(gh_ops_one_hot);
