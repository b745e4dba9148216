/* Operators that move elements of any type: Concat, Transpose, Gather, Slice, Cast. */
#include "engine/ops.h"

#include <string.h>

static gh_status concat_infer(gh_io *io)
{
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    gh_shape shape = io->in[0].shape;
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 1), shape.rank));
    for (uint32_t i = 1; i < io->nin; i++) {
        GH_TRY(gh_io_need(io, i, io->in[0].type, shape.rank));
        for (int d = 0; d < shape.rank; d++)
            if (d != axis && io->in[i].shape.dims[d] != shape.dims[d])
                return gh_io_fail(io, GH_FORMAT, "input %u differs from the first in dimension %d", i, d);
        shape.dims[axis] += io->in[i].shape.dims[axis];
    }
    io->out[0].type = io->in[0].type;
    io->out[0].shape = shape;
    return GH_OK;
}

static gh_status concat_run(gh_exec *x)
{
    const gh_shape *out = &x->out[0].shape;
    int64_t a = gh_node_int(x->node, "axis", 1);
    int axis = (int)(a < 0 ? a + out->rank : a);
    size_t outer = gh_shape_span(out, 0, axis), size = gh_dtype_size(x->out[0].type);
    size_t row = gh_shape_span(out, axis, out->rank) * size, at = 0;
    for (uint32_t i = 0; i < x->nin; i++) {
        size_t part = gh_shape_span(&x->in[i].shape, axis, out->rank) * size;
        for (size_t o = 0; part && o < outer; o++)
            memcpy((char *)x->out[0].data + o * row + at, (const char *)x->in[i].data + o * part, part);
        at += part;
    }
    return GH_OK;
}

static gh_status transpose_axes(const gh_io *io, int *axes)
{
    const gh_attr *perm = gh_node_attr(io->node, "perm");
    int rank = io->in[0].shape.rank;
    bool seen[GH_MAX_RANK] = {false};
    if (perm && (perm->type != GH_ATTR_INTS || (int)perm->count != rank))
        return gh_io_fail(io, GH_FORMAT, "attribute perm must hold %d integers", rank);
    for (int i = 0; i < rank; i++) {
        GH_TRY(gh_io_axis(io, &axes[i], perm ? perm->ints[i] : rank - 1 - i, rank));
        if (seen[axes[i]])
            return gh_io_fail(io, GH_FORMAT, "attribute perm names axis %d twice", axes[i]);
        seen[axes[i]] = true;
    }
    return GH_OK;
}

static gh_status transpose_infer(gh_io *io)
{
    int axes[GH_MAX_RANK];
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(transpose_axes(io, axes));
    io->out[0].type = io->in[0].type;
    io->out[0].shape.rank = io->in[0].shape.rank;
    for (int i = 0; i < io->in[0].shape.rank; i++)
        io->out[0].shape.dims[i] = io->in[0].shape.dims[axes[i]];
    return GH_OK;
}

static gh_status transpose_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    const gh_shape *in = &x->in[0].shape, *out = &x->out[0].shape;
    size_t size = gh_dtype_size(x->out[0].type), count = gh_shape_span(out, 0, out->rank);
    size_t steps[GH_MAX_RANK], index[GH_MAX_RANK] = {0}, from = 0;
    int axes[GH_MAX_RANK];
    GH_TRY(transpose_axes(&io, axes));
    for (int i = 0; i < out->rank; i++)
        steps[i] = gh_shape_span(in, axes[i] + 1, in->rank) * size;
    for (size_t at = 0; at < count; at++) {
        memcpy((char *)x->out[0].data + at * size, (const char *)x->in[0].data + from, size);
        for (int d = out->rank - 1; d >= 0; d--) {
            from += steps[d];
            if (++index[d] < (size_t)out->dims[d])
                break;
            from -= steps[d] * (size_t)out->dims[d];
            index[d] = 0;
        }
    }
    return GH_OK;
}

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

/* Start, step and count of each axis of a Slice. */
typedef struct slice_axes {
    int64_t start[GH_MAX_RANK], step[GH_MAX_RANK], count[GH_MAX_RANK];
} slice_axes;

static void slice_axis(slice_axes *s, int axis, int64_t side, int64_t start, int64_t end, int64_t step)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? side : side - 1;
    start = start < 0 ? (start < -side ? -1 : start + side) : start;
    end = end < 0 ? (end < -side ? -1 : end + side) : end;
    start = start < low ? low : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    if (step > 0 && start < 0)
        start = 0;
    int64_t span = step > 0 ? end - start : start - end, size = step > 0 ? step : -step;
    s->start[axis] = start;
    s->step[axis] = step;
    s->count[axis] = span <= 0 ? 0 : (span - 1) / size + 1;
}

/* Inputs 1 to 4 are starts, ends, axes, steps since opset 10; attributes before. */
static gh_status slice_list(const gh_io *io, uint32_t input, const char *name, int64_t *values, size_t *count)
{
    if (io->nin > 1)
        return gh_has(io, input) ? gh_io_ints(io, input, values, count, GH_MAX_RANK) : GH_OK;
    const gh_attr *a = gh_node_attr(io->node, name);
    if (!a)
        return GH_OK;
    if (a->type != GH_ATTR_INTS || a->count > GH_MAX_RANK)
        return gh_io_fail(io, GH_FORMAT, "attribute %s must hold at most %d integers", name, GH_MAX_RANK);
    *count = a->count;
    for (size_t i = 0; i < a->count; i++)
        values[i] = a->ints[i];
    return GH_OK;
}

static gh_status slice_of(const gh_io *io, slice_axes *s)
{
    const gh_shape *in = &io->in[0].shape;
    int64_t starts[GH_MAX_RANK], ends[GH_MAX_RANK], axes[GH_MAX_RANK], steps[GH_MAX_RANK];
    size_t n = 0, nends = 0, naxes, nsteps;
    for (int i = 0; i < GH_MAX_RANK; i++) {
        axes[i] = i;
        steps[i] = 1;
    }
    GH_TRY(slice_list(io, 1, "starts", starts, &n));
    GH_TRY(slice_list(io, 2, "ends", ends, &nends));
    naxes = nsteps = n;
    GH_TRY(slice_list(io, 3, "axes", axes, &naxes));
    GH_TRY(slice_list(io, 4, "steps", steps, &nsteps));
    if (n == 0 || n != nends || n != naxes || n != nsteps || (int)n > in->rank)
        return gh_io_fail(io, GH_FORMAT, "starts, ends, axes and steps differ in length");
    for (int i = 0; i < in->rank; i++)
        slice_axis(s, i, in->dims[i], 0, in->dims[i], 1);
    for (size_t i = 0; i < n; i++) {
        int axis;
        GH_TRY(gh_io_axis(io, &axis, axes[i], in->rank));
        if (steps[i] == 0 || steps[i] > INT32_MAX || steps[i] < -INT32_MAX)
            return gh_io_fail(io, GH_FORMAT, "a step of %lld", (long long)steps[i]);
        slice_axis(s, axis, in->dims[axis], starts[i], ends[i], steps[i]);
    }
    return GH_OK;
}

static gh_status slice_infer(gh_io *io)
{
    slice_axes s;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(slice_of(io, &s));
    io->out[0].type = io->in[0].type;
    io->out[0].shape = gh_shape_of(io->in[0].shape.rank, s.count);
    return GH_OK;
}

static gh_status slice_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->node->ninputs, .e = x->e};
    const gh_shape *in = &x->in[0].shape, *out = &x->out[0].shape;
    size_t size = gh_dtype_size(x->out[0].type), count = gh_shape_span(out, 0, out->rank);
    int64_t index[GH_MAX_RANK] = {0};
    slice_axes s;
    GH_TRY(slice_of(&io, &s));
    for (size_t at = 0; at < count; at++) {
        size_t from = 0;
        for (int d = 0; d < in->rank; d++)
            from = from * (size_t)in->dims[d] + (size_t)(s.start[d] + index[d] * s.step[d]);
        memcpy((char *)x->out[0].data + at * size, (const char *)x->in[0].data + from * size, size);
        for (int d = out->rank - 1; d >= 0 && ++index[d] == out->dims[d]; d--)
            index[d] = 0;
    }
    return GH_OK;
}

static bool castable(gh_dtype type)
{
    return type == GH_F32 || type == GH_F64 || type == GH_I64 || type == GH_I32 || type == GH_U8 ||
           type == GH_I8 || type == GH_BOOL;
}

/* float16 is kept as float32 throughout. */
static gh_dtype cast_to(const gh_node *n)
{
    int64_t to = gh_node_int(n, "to", 0);
    return to == GH_F16 ? GH_F32 : to > 0 && to < 64 ? (gh_dtype)to : GH_UNKNOWN;
}

static gh_status cast_infer(gh_io *io)
{
    gh_dtype to = cast_to(io->node);
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!castable(io->in[0].type) || !castable(to))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s to %s is not cast", gh_dtype_name(io->in[0].type),
                          gh_dtype_name(to));
    io->out[0].type = to;
    io->out[0].shape = io->in[0].shape;
    return GH_OK;
}

static double number_at(const gh_tensor *t, size_t i)
{
    switch (t->type) {
    case GH_F32:
        return ((const float *)t->data)[i];
    case GH_F64:
        return ((const double *)t->data)[i];
    case GH_I32:
        return ((const int32_t *)t->data)[i];
    case GH_I8:
        return ((const int8_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

/* Towards zero; what does not fit saturates, where C leaves it undefined. */
static int64_t to_int(double v, double low, double high)
{
    if (v != v)
        return 0;
    return v <= low ? (int64_t)low : v >= high ? (high >= 0x1p63 ? INT64_MAX : (int64_t)high) : (int64_t)v;
}

static void store_number(gh_tensor *t, size_t i, double v)
{
    switch (t->type) {
    case GH_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case GH_F64:
        ((double *)t->data)[i] = v;
        break;
    case GH_I64:
        ((int64_t *)t->data)[i] = to_int(v, -0x1p63, 0x1p63);
        break;
    case GH_I32:
        ((int32_t *)t->data)[i] = (int32_t)to_int(v, INT32_MIN, INT32_MAX);
        break;
    case GH_BOOL:
        ((uint8_t *)t->data)[i] = v != 0;
        break;
    default: /* 8 bits: wraps like the other runtimes */
        ((uint8_t *)t->data)[i] = (uint8_t)to_int(v, -0x1p63, 0x1p63);
    }
}

static gh_status cast_run(gh_exec *x)
{
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    for (size_t i = 0; i < count; i++) {
        if (x->in[0].type != GH_I64)
            store_number(&x->out[0], i, number_at(&x->in[0], i));
        else if (x->out[0].type == GH_I64)
            ((int64_t *)x->out[0].data)[i] = ((const int64_t *)x->in[0].data)[i];
        else if (x->out[0].type == GH_I32)
            ((int32_t *)x->out[0].data)[i] = (int32_t)((const int64_t *)x->in[0].data)[i];
        else
            store_number(&x->out[0], i, (double)((const int64_t *)x->in[0].data)[i]);
    }
    return GH_OK;
}

const gh_op gh_ops_move[] = {
    {"Concat", "", 4, 0, 0, 1, UINT32_MAX, 1, concat_infer, concat_run, NULL, NULL},
    {"Transpose", "", 1, 0, 0, 1, 1, 1, transpose_infer, transpose_run, NULL, NULL},
    {"Gather", "", 1, 0, 0, 2, 2, 1, gather_infer, gather_run, NULL, NULL},
    {"Slice", "", 1, 0, 0, 1, 5, 1, slice_infer, slice_run, NULL, NULL},
    {"Cast", "", 6, 0, 0, 1, 1, 1, cast_infer, cast_run, NULL, NULL},
};
const size_t gh_ops_move_count = GH_COUNT(gh_ops_move);
