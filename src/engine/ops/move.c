/* Operators that move elements of any type without looking at them: Concat, Split, Transpose, Slice,
 * DepthToSpace, SpaceToDepth. */
#include "engine/ops.h"
#include "engine/ops/strided.h"

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

/* Along the channels, where every part but the last fills its blocks: whole blocks follow one another. */
static gh_status concat_prepare(gh_prepare *p)
{
    const gh_io *io = p->io;
    int axis = 0;
    bool any = false;
    if (io->nin > 32 || io->in[0].type != GH_F32 || io->in[0].shape.rank != 4)
        return GH_OK;
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 1), 4));
    for (uint32_t i = 0; i < io->nin; i++) {
        if (io->in[i].data || (i + 1 < io->nin && io->in[i].shape.dims[1] % p->k->block))
            return GH_OK;
        any |= p->in_blocked[i];
    }
    if (axis != 1 || !any)
        return GH_OK;
    p->want_blocked = UINT32_MAX;
    p->out_blocked = p->accepted = true;
    p->strings = io->in[0].shape.dims[0] == 1;
    p->kernel = "concat";
    return GH_OK;
}

/* Parts that the plan put in their places are there already. */
static gh_status concat_run_blocked(gh_exec *x)
{
    const gh_shape *out = &x->out[0].shape;
    int block = x->k->block;
    size_t n = (size_t)out->dims[0], row = gh_blocked_count(out, block) / n, at = 0;
    for (uint32_t i = 0; i < x->nin; i++) {
        size_t part = gh_blocked_count(&x->in[i].shape, block) / n;
        for (size_t o = 0; part && o < n; o++) {
            float *dst = (float *)x->out[0].data + o * row + at;
            const float *src = (const float *)x->in[i].data + o * part;
            if (dst != src)
                memcpy(dst, src, part * sizeof(float));
        }
        at += part;
    }
    return GH_OK;
}

static const gh_blocked concat_blocked = {concat_prepare, concat_run_blocked};

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
    gh_strided s = gh_strided_of(&x->out[0].shape);
    int axes[GH_MAX_RANK];
    GH_TRY(transpose_axes(&io, axes));
    for (int i = 0; i < s.rank; i++)
        s.src[i] = (int64_t)gh_shape_span(&x->in[0].shape, axes[i] + 1, s.rank);
    gh_strided_copy(x->out[0].data, x->in[0].data, gh_dtype_size(x->out[0].type), &s);
    return GH_OK;
}

/* ---- Split ---- */

/* Lengths along the axis: attribute split before opset 13, input 1 since, or equal parts. */
static gh_status split_lengths(const gh_io *io, int64_t side, int64_t *part)
{
    const gh_attr *a = gh_node_attr(io->node, "split");
    int64_t parts = io->nout, sum = 0;
    bool given = gh_has(io, 1) || a;
    if (gh_has(io, 1)) {
        const gh_tensor *t = &io->in[1];
        size_t count;
        GH_TRY(gh_io_need(io, 1, GH_I64, 1));
        if (!t->data)
            return gh_io_fail(io, GH_UNSUPPORTED, "input 1, which decides a shape, depends on the data");
        if (!gh_shape_count(&count, &t->shape) || count != io->nout)
            return gh_io_fail(io, GH_FORMAT, "%lld lengths for %u outputs", (long long)t->shape.dims[0],
                              io->nout);
    } else if (a && (a->type != GH_ATTR_INTS || a->count != io->nout)) {
        return gh_io_fail(io, GH_FORMAT, "attribute split must hold %u integers", io->nout);
    }
    const int64_t *lengths = !given ? NULL : a && !gh_has(io, 1) ? a->ints : io->in[1].data;
    int64_t chunk = (side + parts - 1) / parts, want = lengths ? lengths[*part] : chunk;
    if (!given && io->node->op->since < 18 && side % parts)
        return gh_io_fail(io, GH_FORMAT, "%lld elements are not %u equal parts", (long long)side, io->nout);
    for (int64_t i = 0; i < parts && lengths; i++) {
        if (lengths[i] < 0 || lengths[i] > side - sum)
            return gh_io_fail(io, GH_FORMAT, "its parts do not make up %lld elements", (long long)side);
        sum += lengths[i];
    }
    if (lengths && sum != side)
        return gh_io_fail(io, GH_FORMAT, "its parts do not make up %lld elements", (long long)side);
    if (!lengths) { /* the last parts are what is left */
        int64_t before = chunk * *part, left = side > before ? side - before : 0;
        want = left < chunk ? left : chunk;
    }
    *part = want;
    return GH_OK;
}

static gh_status split_infer(gh_io *io)
{
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 0), io->in[0].shape.rank));
    for (uint32_t i = 0; i < io->nout; i++) {
        int64_t part = i;
        GH_TRY(split_lengths(io, io->in[0].shape.dims[axis], &part));
        io->out[i].type = io->in[0].type;
        io->out[i].shape = io->in[0].shape;
        io->out[i].shape.dims[axis] = part;
    }
    return GH_OK;
}

static gh_status split_run(gh_exec *x)
{
    const gh_shape *in = &x->in[0].shape;
    int64_t a = gh_node_int(x->node, "axis", 0);
    int axis = (int)(a < 0 ? a + in->rank : a);
    size_t size = gh_dtype_size(x->in[0].type), row = gh_shape_span(in, axis, in->rank) * size, at = 0;
    size_t outer = gh_shape_span(in, 0, axis);
    for (uint32_t i = 0; i < x->nout; i++) {
        size_t part = gh_shape_span(&x->out[i].shape, axis, in->rank) * size;
        for (size_t o = 0; part && o < outer; o++)
            memcpy((char *)x->out[i].data + o * part, (const char *)x->in[0].data + o * row + at, part);
        at += part;
    }
    return GH_OK;
}

/* ---- Slice ---- */

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
    size_t size = gh_dtype_size(x->out[0].type);
    gh_strided walk = gh_strided_of(&x->out[0].shape);
    slice_axes s;
    int64_t from = 0;
    GH_TRY(slice_of(&io, &s));
    for (int d = 0; d < walk.rank; d++) {
        int64_t step = (int64_t)gh_shape_span(&x->in[0].shape, d + 1, walk.rank);
        walk.src[d] = s.step[d] * step;
        from += s.start[d] * step;
    }
    gh_strided_copy(x->out[0].data, (const char *)x->in[0].data + from * (int64_t)size, size, &walk);
    return GH_OK;
}

/* ---- DepthToSpace and SpaceToDepth ---- */

static gh_status depth_infer(gh_io *io)
{
    bool to_space = io->node->type[0] == 'D';
    int64_t b = gh_node_int(io->node, "blocksize", 0);
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, 4));
    gh_shape s = io->in[0].shape;
    if (b < 1 || b > 1024)
        return gh_io_fail(io, GH_FORMAT, "a blocksize of %lld; 1 to 1024 is accepted", (long long)b);
    if (to_space ? s.dims[1] % (b * b) != 0 : s.dims[2] % b != 0 || s.dims[3] % b != 0)
        return gh_io_fail(io, GH_FORMAT, "its input does not divide into blocks of %lld", (long long)b);
    s.dims[1] = to_space ? s.dims[1] / (b * b) : s.dims[1] * b * b;
    s.dims[2] = to_space ? s.dims[2] * b : s.dims[2] / b;
    s.dims[3] = to_space ? s.dims[3] * b : s.dims[3] / b;
    io->out[0].type = io->in[0].type;
    io->out[0].shape = s;
    return GH_OK;
}

/* The picture with the large sides has pixel (y * b + i, x * b + j) of channel c where the deep one has
 * pixel (y, x) of channel (i * b + j) * channels + c, or (c * b + i) * b + j in mode CRD. */
static gh_status depth_run(gh_exec *x)
{
    bool to_space = x->node->type[0] == 'D';
    bool crd = strcmp(gh_node_string(x->node, "mode", "DCR"), "CRD") == 0;
    const gh_shape *deep = to_space ? &x->in[0].shape : &x->out[0].shape;
    const gh_shape *wide = to_space ? &x->out[0].shape : &x->in[0].shape;
    int64_t b = gh_node_int(x->node, "blocksize", 1), c = wide->dims[1];
    int64_t h = deep->dims[2], w = deep->dims[3], plane = h * w, big = plane * b * b;
    gh_strided s = {0};
    int64_t di = crd ? b * plane : b * c * plane, dj = crd ? plane : c * plane,
            dc = crd ? b * b * plane : plane;
    const struct {
        int64_t dim, deep, wide;
    } axes[] = {{deep->dims[0], deep->dims[1] * plane, c * big},
                {c, dc, big},
                {h, w, b * b * w},
                {b, di, b * w},
                {w, 1, b},
                {b, dj, 1}};
    for (size_t i = 0; i < GH_COUNT(axes); i++)
        gh_strided_axis(&s, axes[i].dim, to_space ? axes[i].deep : axes[i].wide,
                        to_space ? axes[i].wide : axes[i].deep);
    gh_strided_copy(x->out[0].data, x->in[0].data, gh_dtype_size(x->in[0].type), &s);
    return GH_OK;
}

const gh_op gh_ops_move[] = {
    {"Concat", "", 1, 0, 0, 1, UINT32_MAX, 1, concat_infer, concat_run, &concat_blocked, NULL},
    {"Split", "", 2, 17, 0, 1, 2, UINT32_MAX, split_infer, split_run, NULL, NULL},
    {"Split", "", 18, 0, 0, 1, 2, UINT32_MAX, split_infer, split_run, NULL, NULL},
    {"Transpose", "", 1, 0, 0, 1, 1, 1, transpose_infer, transpose_run, NULL, NULL},
    {"Slice", "", 1, 0, 0, 1, 5, 1, slice_infer, slice_run, NULL, NULL},
    {"DepthToSpace", "", 1, 0, 0, 1, 1, 1, depth_infer, depth_run, NULL, NULL},
    {"SpaceToDepth", "", 1, 0, 0, 1, 1, 1, depth_infer, depth_run, NULL, NULL},
};
const size_t gh_ops_move_count = GH_COUNT(gh_ops_move);
