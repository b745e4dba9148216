/* Operators that change or tell a shape and move no element: most are views of their input. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

/* For a step that was not turned into a view (folding, graph outputs that share an input). */
static gh_status copy_run(gh_exec *x)
{
    size_t bytes = gh_shape_span(&x->in[0].shape, 0, x->in[0].shape.rank) * gh_dtype_size(x->in[0].type);
    if (bytes && x->out[0].data != x->in[0].data)
        memcpy(x->out[0].data, x->in[0].data, bytes);
    return GH_OK;
}

static gh_status same_count(gh_io *io, const gh_shape *shape)
{
    size_t have, want;
    char a[96], b[96];
    if (!gh_shape_count(&have, &io->in[0].shape) || !gh_shape_count(&want, shape) || have != want)
        return gh_io_fail(io, GH_FORMAT, "%s cannot become %s", gh_shape_text(&io->in[0].shape, a, sizeof a),
                          gh_shape_text(shape, b, sizeof b));
    io->out[0].type = io->in[0].type;
    io->out[0].shape = *shape;
    return GH_OK;
}

static gh_status reshape_infer(gh_io *io)
{
    int64_t dims[GH_MAX_RANK];
    size_t rank, known = 1, total;
    int unknown = -1;
    bool allow_zero = gh_node_int(io->node, "allowzero", 0) != 0;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_I64, 1));
    GH_TRY(gh_io_ints(io, 1, dims, &rank, GH_MAX_RANK));
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] == 0 && !allow_zero) {
            if ((int)i >= io->in[0].shape.rank)
                return gh_io_fail(io, GH_FORMAT, "dimension %zu is copied from an input without it", i);
            dims[i] = io->in[0].shape.dims[i];
        }
        if (dims[i] == -1 && unknown < 0)
            unknown = (int)i;
        else if (dims[i] < 0 || !gh_mul_size(&known, known, (size_t)dims[i]))
            return gh_io_fail(io, GH_FORMAT, "the shape holds %lld", (long long)dims[i]);
    }
    gh_shape shape = gh_shape_of((int)rank, dims);
    if (unknown >= 0) {
        if (!gh_shape_count(&total, &io->in[0].shape) || known == 0 || total % known)
            return gh_io_fail(io, GH_FORMAT, "the dimension of -1 does not come out even");
        shape.dims[unknown] = (int64_t)(total / known);
    }
    return same_count(io, &shape);
}

static gh_status flatten_infer(gh_io *io)
{
    const gh_shape *s = &io->in[0].shape;
    int64_t axis = gh_node_int(io->node, "axis", 1);
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    axis = axis < 0 ? axis + s->rank : axis;
    if (axis < 0 || axis > s->rank)
        return gh_io_fail(io, GH_FORMAT, "axis %lld is outside of %d dimensions", (long long)axis, s->rank);
    gh_shape shape = {
        .rank = 2,
        .dims = {(int64_t)gh_shape_span(s, 0, (int)axis), (int64_t)gh_shape_span(s, (int)axis, s->rank)}};
    return same_count(io, &shape);
}

/* Axes as an attribute before opset 13, as input 1 since; false in *given when there are none. */
static gh_status axes_of(const gh_io *io, int64_t *axes, size_t *count, bool *given)
{
    const gh_attr *a = gh_node_attr(io->node, "axes");
    *given = true;
    *count = 0;
    if (gh_has(io, 1))
        return gh_io_ints(io, 1, axes, count, GH_MAX_RANK);
    if (!a) {
        *given = false;
        return GH_OK;
    }
    if (a->type != GH_ATTR_INTS || a->count > GH_MAX_RANK)
        return gh_io_fail(io, GH_FORMAT, "attribute axes must hold at most %d integers", GH_MAX_RANK);
    *count = a->count;
    if (a->count)
        memcpy(axes, a->ints, a->count * sizeof *axes);
    return GH_OK;
}

static gh_status mark_axes(const gh_io *io, bool *marked, const int64_t *axes, size_t count, int rank)
{
    for (size_t i = 0; i < count; i++) {
        int axis;
        GH_TRY(gh_io_axis(io, &axis, axes[i], rank));
        if (marked[axis])
            return gh_io_fail(io, GH_FORMAT, "axis %d is named twice", axis);
        marked[axis] = true;
    }
    return GH_OK;
}

static gh_status squeeze_infer(gh_io *io)
{
    const gh_shape *s = &io->in[0].shape;
    int64_t axes[GH_MAX_RANK];
    size_t count;
    bool given, marked[GH_MAX_RANK] = {false};
    gh_shape shape = {.rank = 0};
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(axes_of(io, axes, &count, &given));
    GH_TRY(mark_axes(io, marked, axes, count, s->rank));
    for (int i = 0; i < s->rank; i++) {
        bool drop = given ? marked[i] : s->dims[i] == 1;
        if (drop && s->dims[i] != 1)
            return gh_io_fail(io, GH_FORMAT, "dimension %d is %lld, not 1", i, (long long)s->dims[i]);
        if (!drop)
            shape.dims[shape.rank++] = s->dims[i];
    }
    return same_count(io, &shape);
}

static gh_status unsqueeze_infer(gh_io *io)
{
    const gh_shape *s = &io->in[0].shape;
    int64_t axes[GH_MAX_RANK];
    size_t count;
    bool given, marked[GH_MAX_RANK] = {false};
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(axes_of(io, axes, &count, &given));
    gh_shape shape = {.rank = s->rank + (int)count};
    if (!given || shape.rank > GH_MAX_RANK)
        return gh_io_fail(io, GH_FORMAT, "axes are missing, or more than %d dimensions come out",
                          GH_MAX_RANK);
    GH_TRY(mark_axes(io, marked, axes, count, shape.rank));
    for (int i = 0, from = 0; i < shape.rank; i++)
        shape.dims[i] = marked[i] ? 1 : s->dims[from++];
    return same_count(io, &shape);
}

static gh_status identity_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

/* Inference only: since opset 12 input 2 may ask for training, in which elements are dropped at random,
 * unless the ratio is 0. The mask, where one is asked for, says that every element is kept. */
static gh_status dropout_infer(gh_io *io)
{
    size_t count = 0;
    const gh_tensor *ratio = &io->in[1], *training = &io->in[2];
    if (gh_has(io, 2)) {
        GH_TRY(gh_io_need(io, 2, GH_BOOL, -1));
        bool known = training->data && gh_shape_count(&count, &training->shape) && count == 1;
        bool keeps = gh_has(io, 1) && ratio->type == GH_F32 && ratio->data &&
                     gh_shape_count(&count, &ratio->shape) && count == 1 && *(const float *)ratio->data == 0;
        if (!keeps && (!known || *(const uint8_t *)training->data))
            return gh_io_fail(io, GH_UNSUPPORTED, "training mode is not run; export the model for inference");
    }
    GH_TRY(identity_infer(io));
    if (io->nout > 1) /* of the data's type before opset 10 */
        io->out[1] = (gh_tensor){.type = io->node->op->since < 10 ? io->in[0].type : GH_BOOL,
                                 .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status dropout_run(gh_exec *x)
{
    size_t count = gh_shape_span(&x->in[0].shape, 0, x->in[0].shape.rank);
    for (size_t i = 0; x->nout > 1 && i < count; i++)
        gh_number_store(&x->out[1], i, 1);
    return copy_run(x);
}

/* start and end of the attributes, clamped to 0..rank as ONNX says. */
static void shape_range(const gh_node *n, int rank, int *from, int *to)
{
    int64_t start = gh_node_int(n, "start", 0), end = gh_node_int(n, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    *from = (int)(start < 0 ? 0 : start > rank ? rank : start);
    *to = (int)(end < 0 ? 0 : end > rank ? rank : end);
    *to = *to < *from ? *from : *to;
}

static gh_status shape_infer(gh_io *io)
{
    int from, to;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    shape_range(io->node, io->in[0].shape.rank, &from, &to);
    io->out[0].type = GH_I64;
    io->out[0].shape = (gh_shape){.rank = 1, .dims = {to - from}};
    return GH_OK;
}

static gh_status size_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    io->out[0] = (gh_tensor){.type = GH_I64};
    return GH_OK;
}

static gh_status size_run(gh_exec *x)
{
    *(int64_t *)x->out[0].data = (int64_t)gh_shape_span(&x->in[0].shape, 0, x->in[0].shape.rank);
    return GH_OK;
}

static gh_status shape_run(gh_exec *x)
{
    int from, to;
    shape_range(x->node, x->in[0].shape.rank, &from, &to);
    for (int i = from; i < to; i++)
        ((int64_t *)x->out[0].data)[i - from] = x->in[0].shape.dims[i];
    return GH_OK;
}

/* The tensor that a Constant holds, whatever attribute it came in. */
static gh_status constant_value(const gh_node *n, gh_tensor *out)
{
    const gh_attr *a = n->nattrs ? &n->attrs[0] : NULL;
    for (uint32_t i = 0; i < n->nattrs; i++)
        if (strncmp(n->attrs[i].name, "value", 5) == 0)
            a = &n->attrs[i];
    if (!a)
        return GH_FORMAT;
    switch (a->type) {
    case GH_ATTR_TENSOR:
        *out = a->tensor;
        return a->tensor.data ? GH_OK : GH_FORMAT;
    case GH_ATTR_FLOAT:
        *out = (gh_tensor){GH_F32, {.rank = 0}, (void *)(uintptr_t)&a->f};
        return GH_OK;
    case GH_ATTR_INT:
        *out = (gh_tensor){GH_I64, {.rank = 0}, (void *)(uintptr_t)&a->i};
        return GH_OK;
    case GH_ATTR_FLOATS:
        *out = (gh_tensor){GH_F32, {.rank = 1, .dims = {(int64_t)a->count}}, (void *)(uintptr_t)a->floats};
        return a->count ? GH_OK : GH_FORMAT;
    case GH_ATTR_INTS:
        *out = (gh_tensor){GH_I64, {.rank = 1, .dims = {(int64_t)a->count}}, (void *)(uintptr_t)a->ints};
        return a->count ? GH_OK : GH_FORMAT;
    default:
        return GH_UNSUPPORTED;
    }
}

static gh_status constant_infer(gh_io *io)
{
    gh_tensor t = {0};
    if (constant_value(io->node, &t))
        return gh_io_fail(io, GH_UNSUPPORTED, "it holds neither a tensor nor numbers");
    io->out[0].type = t.type;
    io->out[0].shape = t.shape;
    return GH_OK;
}

static gh_status constant_run(gh_exec *x)
{
    gh_tensor t = {0};
    GH_TRY(constant_value(x->node, &t));
    size_t bytes = gh_shape_span(&t.shape, 0, t.shape.rank) * gh_dtype_size(t.type);
    if (bytes)
        memcpy(x->out[0].data, t.data, bytes);
    return GH_OK;
}

#define VIEW(type, since, until, max_in, infer)                                                              \
    {                                                                                                        \
        type, "", since, until, GH_OP_VIEW, 1, max_in, 1, infer, copy_run, NULL, NULL                        \
    }

const gh_op gh_ops_shape[] = {
    VIEW("Reshape", 5, 0, 2, reshape_infer),
    VIEW("Flatten", 1, 0, 1, flatten_infer),
    VIEW("Squeeze", 1, 0, 2, squeeze_infer),
    VIEW("Unsqueeze", 1, 0, 2, unsqueeze_infer),
    VIEW("Identity", 1, 0, 1, identity_infer),
    {"Dropout", "", 1, 9, GH_OP_VIEW, 1, 1, 2, dropout_infer, dropout_run, NULL, NULL},
    {"Dropout", "", 10, 0, GH_OP_VIEW, 1, 3, 2, dropout_infer, dropout_run, NULL, NULL},
    {"Shape", "", 1, 0, GH_OP_SHAPE, 1, 1, 1, shape_infer, shape_run, NULL, NULL},
    {"Size", "", 1, 0, GH_OP_SHAPE, 1, 1, 1, size_infer, size_run, NULL, NULL},
    {"Constant", "", 1, 0, 0, 0, 0, 1, constant_infer, constant_run, NULL, NULL},
};
const size_t gh_ops_shape_count = GH_COUNT(gh_ops_shape);
