/* Pad: constant, reflect, edge and wrap, for elements of any size. Negative pads cut off. */
#include "base/mem.h"
#include "engine/ops.h"

#include <string.h>

typedef enum pad_mode { CONSTANT, REFLECT, EDGE, WRAP } pad_mode;

static const char *const mode_names[] = {"constant", "reflect", "edge", "wrap"};

typedef struct padding {
    pad_mode mode;
    int64_t begin[GH_MAX_RANK], end[GH_MAX_RANK]; /* of each axis */
} padding;

static gh_status read_mode(const gh_io *io, padding *p)
{
    const char *mode = gh_node_string(io->node, "mode", "constant");
    for (size_t i = 0; i < GH_COUNT(mode_names); i++)
        if (strcmp(mode, mode_names[i]) == 0) {
            p->mode = (pad_mode)i;
            return GH_OK;
        }
    return gh_io_fail(io, GH_UNSUPPORTED, "mode \"%.40s\" is not known", mode);
}

/* Begin of each axis, then end of each; an attribute before opset 11 (named paddings before 2). */
static gh_status read_pads(const gh_io *io, int64_t *pads, size_t *count)
{
    if (io->node->op->since >= 11)
        return gh_io_ints(io, 1, pads, count, 2 * GH_MAX_RANK);
    const gh_attr *a = gh_node_attr(io->node, "pads");
    a = a ? a : gh_node_attr(io->node, "paddings");
    if (!a || a->type != GH_ATTR_INTS || a->count > 2 * GH_MAX_RANK)
        return gh_io_fail(io, GH_FORMAT, "attribute pads is missing or too long");
    for (size_t i = 0; i < a->count; i++)
        pads[i] = a->ints[i];
    *count = a->count;
    return GH_OK;
}

static gh_status padding_of(const gh_io *io, padding *p)
{
    int64_t pads[2 * GH_MAX_RANK], axes[GH_MAX_RANK];
    size_t count = 0, n = (size_t)io->in[0].shape.rank;
    *p = (padding){0};
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(read_mode(io, p));
    GH_TRY(read_pads(io, pads, &count));
    for (size_t i = 0; i < n; i++)
        axes[i] = (int64_t)i;
    if (io->node->op->since >= 11 && gh_has(io, 3))
        GH_TRY(gh_io_ints(io, 3, axes, &n, GH_MAX_RANK));
    if (count != 2 * n)
        return gh_io_fail(io, GH_FORMAT, "%zu pads for %zu axes", count, n);
    for (size_t i = 0; i < n; i++) {
        int axis;
        GH_TRY(gh_io_axis(io, &axis, axes[i], io->in[0].shape.rank));
        p->begin[axis] = pads[i];
        p->end[axis] = pads[i + n];
    }
    return GH_OK;
}

static gh_status pad_infer(gh_io *io)
{
    padding p;
    GH_TRY(padding_of(io, &p));
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    for (int d = 0; d < io->in[0].shape.rank; d++) {
        int64_t side = io->in[0].shape.dims[d], b = p.begin[d], e = p.end[d];
        if (b > INT32_MAX || e > INT32_MAX || b < -side || e < -side || side + b + e < 0)
            return gh_io_fail(io, GH_FORMAT, "pads of %lld and %lld on a side of %lld", (long long)b,
                              (long long)e, (long long)side);
        int64_t kept = side + (b < 0 ? b : 0) + (e < 0 ? e : 0);
        if (kept <= 0 && p.mode != CONSTANT && side + b + e > 0)
            return gh_io_fail(io, GH_FORMAT, "a side of %lld has nothing to pad with", (long long)side);
        io->out[0].shape.dims[d] = side + b + e;
    }
    return GH_OK;
}

/* Input position of output position `o` of an axis; -1 where the constant stands. */
static int64_t source(const padding *p, int axis, int64_t side, int64_t o)
{
    int64_t b = p->begin[axis], e = p->end[axis];
    int64_t low = b < 0 ? -b : 0, n = side - low + (e < 0 ? e : 0), i = o - b - low;
    if (i >= 0 && i < n)
        return i + low;
    if (p->mode == CONSTANT || n <= 0)
        return -1;
    if (p->mode == EDGE || n == 1)
        return low + (i < 0 ? 0 : n - 1);
    int64_t period = p->mode == WRAP ? n : 2 * (n - 1), at = i % period;
    at = at < 0 ? at + period : at;
    return low + (at < n ? at : period - at);
}

/* One row along the last axis; `src` NULL: nothing but the constant. */
static void pad_row(char *dst, const char *src, const char *fill, size_t size, const padding *p, int axis,
                    int64_t side, int64_t out)
{
    int64_t b = axis < 0 ? 0 : p->begin[axis], e = axis < 0 ? 0 : p->end[axis];
    int64_t from = b > 0 ? b : 0, to = out - (e > 0 ? e : 0), o = 0;
    while (o < out) {
        if (src && o == from && to > from) { /* the middle stands as it is */
            memcpy(dst + (size_t)o * size, src + (size_t)(o - b) * size, (size_t)(to - from) * size);
            o = to;
            continue;
        }
        int64_t at = src && axis >= 0 ? source(p, axis, side, o) : -1;
        memcpy(dst + (size_t)o * size, at < 0 ? fill : src + (size_t)at * size, size);
        o++;
    }
}

/* Offset in elements of the input row that output row `index` comes from; -1 for rows of the constant. */
static int64_t row_of(const padding *p, const gh_shape *in, const int64_t *index)
{
    int64_t from = 0;
    for (int d = 0; d < in->rank - 1; d++) {
        int64_t at = source(p, d, in->dims[d], index[d]);
        if (at < 0)
            return -1;
        from = (from + at) * in->dims[d + 1];
    }
    return from;
}

static gh_status pad_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->node->ninputs, .e = x->e};
    const gh_shape *in = &x->in[0].shape, *out = &x->out[0].shape;
    size_t size = gh_dtype_size(x->in[0].type), rows = gh_shape_span(out, 0, out->rank - 1);
    int last = in->rank - 1;
    int64_t index[GH_MAX_RANK] = {0}, row = last < 0 ? 1 : out->dims[last];
    char fill[8] = {0};
    float value = gh_node_float(x->node, "value", 0);
    padding p;
    GH_TRY(padding_of(&io, &p));
    if (x->node->op->since < 11 && x->in[0].type == GH_F32)
        memcpy(fill, &value, sizeof value);
    else if (x->node->op->since >= 11 && gh_has(&io, 2))
        memcpy(fill, x->in[2].data, size);
    char *dst = x->out[0].data;
    for (size_t r = 0; r < rows; r++, dst += (size_t)row * size) {
        int64_t from = row_of(&p, in, index);
        pad_row(dst, from < 0 ? NULL : (const char *)x->in[0].data + (size_t)from * size, fill, size, &p,
                last, last < 0 ? 1 : in->dims[last], row);
        for (int d = last - 1; d >= 0 && ++index[d] == out->dims[d]; d--)
            index[d] = 0;
    }
    return GH_OK;
}

/* Since opset 11 the constant is an input of the input's type, with one element. */
static gh_status pad_infer_inputs(gh_io *io)
{
    size_t count;
    GH_TRY(pad_infer(io));
    if (gh_has(io, 2)) {
        GH_TRY(gh_io_need(io, 2, io->in[0].type, -1));
        if (!gh_shape_count(&count, &io->in[2].shape) || count != 1)
            return gh_io_fail(io, GH_FORMAT, "the constant must be one value");
    }
    return GH_OK;
}

const gh_op gh_ops_pad[] = {
    {"Pad", "", 1, 10, 0, 1, 1, 1, pad_infer, pad_run, NULL, NULL},
    {"Pad", "", 11, 0, 0, 2, 4, 1, pad_infer_inputs, pad_run, NULL, NULL},
};
const size_t gh_ops_pad_count = GH_COUNT(gh_ops_pad);
