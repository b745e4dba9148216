/* Tensors made from a few numbers that must be known before a run, since they decide the shape:
 * ConstantOfShape and Range; and EyeLike, which needs a shape alone. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

/* ---- ConstantOfShape ---- */

static const float zero;

/* The element that fills the output: float32 0 unless the attribute says another. */
static gh_status filler_of(const gh_io *io, gh_tensor *out)
{
    const gh_attr *a = gh_node_attr(io->node, "value");
    size_t count;
    *out = (gh_tensor){.type = GH_F32, .data = (void *)(uintptr_t)&zero};
    if (!a)
        return GH_OK;
    if (a->type != GH_ATTR_TENSOR || !a->tensor.data || !gh_shape_count(&count, &a->tensor.shape) ||
        count != 1 || !gh_dtype_size(a->tensor.type))
        return gh_io_fail(io, GH_FORMAT, "attribute value must be a tensor of one number");
    *out = a->tensor;
    return GH_OK;
}

static gh_status constant_infer(gh_io *io)
{
    gh_tensor value;
    int64_t dims[GH_MAX_RANK];
    size_t rank;
    GH_TRY(gh_io_need(io, 0, GH_I64, 1));
    GH_TRY(gh_io_ints(io, 0, dims, &rank, GH_MAX_RANK));
    GH_TRY(filler_of(io, &value));
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0)
            return gh_io_fail(io, GH_FORMAT, "the shape holds %lld", (long long)dims[i]);
    io->out[0].type = value.type;
    io->out[0].shape = gh_shape_of((int)rank, dims);
    return GH_OK;
}

static gh_status constant_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    size_t size = gh_dtype_size(x->out[0].type);
    gh_tensor value;
    GH_TRY(filler_of(&io, &value));
    for (size_t i = 0; i < count; i++)
        memcpy((char *)x->out[0].data + i * size, value.data, size);
    return GH_OK;
}

/* ---- Range ---- */

/* How many steps of `delta` lie in [start, limit); -1 when there are more than a tensor may hold. */
static int64_t steps_of_ints(int64_t start, int64_t limit, int64_t delta)
{
    if (delta > 0 ? start >= limit : start <= limit)
        return 0;
    uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta, steps = (span - 1) / step + 1;
    return steps > GH_MAX_ELEMENTS ? -1 : (int64_t)steps;
}

static int64_t steps_of_floats(double start, double limit, double delta)
{
    double steps = ceil((limit - start) / delta);
    if (!(steps > 0)) /* NaN, too */
        return isnan(steps) ? -1 : 0;
    return steps > (double)GH_MAX_ELEMENTS ? -1 : (int64_t)steps;
}

static gh_status range_infer(gh_io *io)
{
    gh_dtype type = io->in[0].type;
    for (uint32_t i = 0; i < 3; i++) {
        size_t count;
        GH_TRY(gh_io_need(io, i, type, -1));
        if (!gh_shape_count(&count, &io->in[i].shape) || count != 1)
            return gh_io_fail(io, GH_FORMAT, "input %u must hold one number", i);
        if (!io->in[i].data)
            return gh_io_fail(io, GH_UNSUPPORTED, "input %u, which decides a shape, depends on the data", i);
    }
    if (!gh_number_type(type) || type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    if (gh_number_at(&io->in[2], 0) == 0)
        return gh_io_fail(io, GH_FORMAT, "its delta is 0");
    int64_t steps =
        gh_is_float(type)
            ? steps_of_floats(gh_number_at(&io->in[0], 0), gh_number_at(&io->in[1], 0),
                              gh_number_at(&io->in[2], 0))
            : steps_of_ints(gh_int_at(&io->in[0], 0), gh_int_at(&io->in[1], 0), gh_int_at(&io->in[2], 0));
    if (steps < 0)
        return gh_io_fail(io, GH_LIMIT, "it gives more elements than gharial accepts");
    io->out[0].type = type;
    io->out[0].shape = (gh_shape){.rank = 1, .dims = {steps}};
    return GH_OK;
}

static gh_status range_run(gh_exec *x)
{
    size_t count = (size_t)x->out[0].shape.dims[0];
    bool is_float = gh_is_float(x->in[0].type);
    for (size_t i = 0; i < count; i++)
        if (is_float)
            gh_number_store(&x->out[0], i,
                            gh_number_at(&x->in[0], 0) + (double)i * gh_number_at(&x->in[2], 0));
        else /* unsigned, so that nothing overflows */
            gh_int_store(
                &x->out[0], i,
                (int64_t)((uint64_t)gh_int_at(&x->in[0], 0) + i * (uint64_t)gh_int_at(&x->in[2], 0)));
    return GH_OK;
}

/* ---- EyeLike ---- */

static gh_status eye_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, 2));
    int64_t type = gh_node_int(io->node, "dtype", io->in[0].type);
    type = type == GH_F16 ? GH_F32 : type; /* as everywhere */
    if (type < 0 || type > GH_U64 || !gh_number_type((gh_dtype)type))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed",
                          gh_dtype_name(type < 0 || type > GH_U64 ? GH_UNKNOWN : (gh_dtype)type));
    io->out[0].type = (gh_dtype)type;
    io->out[0].shape = io->in[0].shape;
    return GH_OK;
}

static gh_status eye_run(gh_exec *x)
{
    int64_t rows = x->out[0].shape.dims[0], columns = x->out[0].shape.dims[1];
    int64_t k = gh_node_int(x->node, "k", 0);
    memset(x->out[0].data, 0, (size_t)(rows * columns) * gh_dtype_size(x->out[0].type));
    for (int64_t r = 0; r < rows && k > -rows && k < columns; r++)
        if (r + k >= 0 && r + k < columns)
            gh_number_store(&x->out[0], (size_t)(r * columns + r + k), 1);
    return GH_OK;
}

const gh_op gh_ops_fill[] = {
    {"EyeLike", "", 9, 0, GH_OP_SHAPE, 1, 1, 1, eye_infer, eye_run, NULL, NULL},
    {"ConstantOfShape", "", 9, 0, 0, 1, 1, 1, constant_infer, constant_run, NULL, NULL},
    {"Range", "", 11, 0, 0, 3, 3, 1, range_infer, range_run, NULL, NULL},
};
const size_t gh_ops_fill_count = GH_COUNT(gh_ops_fill);
