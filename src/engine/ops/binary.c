/* Operators of two operands or more, element by element with numpy's broadcasting: arithmetic, comparisons,
 * logic and bits, on every type that ONNX gives them. Float32 operands of one shape go through the kernels.
 */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/binary_rows.h"
#include "engine/ops/broadcast.h"

#include <string.h>

#define NO_KERNEL ((gh_binary)-1)

static const struct {
    const char *type;
    gh_binary_kind kind;
    gh_binary kernel; /* or NO_KERNEL */
} kinds[] = {
    {"Add", GH_BINARY_ADD, GH_ADD},
    {"Sub", GH_BINARY_SUB, GH_SUB},
    {"Mul", GH_BINARY_MUL, GH_MUL},
    {"Div", GH_BINARY_DIV, GH_DIV},
    {"Min", GH_BINARY_MIN, GH_MIN},
    {"Max", GH_BINARY_MAX, GH_MAX},
    {"Sum", GH_BINARY_ADD, GH_ADD},
    {"Mean", GH_BINARY_ADD, NO_KERNEL},
    {"Equal", GH_BINARY_EQUAL, NO_KERNEL},
    {"Less", GH_BINARY_LESS, NO_KERNEL},
    {"Greater", GH_BINARY_GREATER, NO_KERNEL},
    {"LessOrEqual", GH_BINARY_LESS_EQUAL, NO_KERNEL},
    {"GreaterOrEqual", GH_BINARY_GREATER_EQUAL, NO_KERNEL},
    {"And", GH_BINARY_AND, NO_KERNEL},
    {"Or", GH_BINARY_OR, NO_KERNEL},
    {"Xor", GH_BINARY_XOR, NO_KERNEL},
    {"BitwiseAnd", GH_BINARY_BIT_AND, NO_KERNEL},
    {"BitwiseOr", GH_BINARY_BIT_OR, NO_KERNEL},
    {"BitwiseXor", GH_BINARY_BIT_XOR, NO_KERNEL},
    {"BitShift", GH_BINARY_SHIFT_LEFT, NO_KERNEL},
    {"Mod", GH_BINARY_MOD, NO_KERNEL},
};

static size_t row_of(const gh_node *n)
{
    for (size_t i = 0; i < GH_COUNT(kinds); i++)
        if (strcmp(kinds[i].type, n->type) == 0)
            return i;
    GH_ASSERT(!"a row of this file without its kind");
    return 0;
}

static gh_binary_kind kind_of(const gh_node *n)
{
    gh_binary_kind kind = kinds[row_of(n)].kind;
    if (kind == GH_BINARY_MOD && gh_node_int(n, "fmod", 0) != 0)
        return GH_BINARY_FMOD;
    if (kind == GH_BINARY_SHIFT_LEFT && strcmp(gh_node_string(n, "direction", ""), "RIGHT") == 0)
        return GH_BINARY_SHIFT_RIGHT;
    return kind;
}

static bool gives_bool(gh_binary_kind kind)
{
    return kind >= GH_BINARY_EQUAL && kind <= GH_BINARY_XOR;
}

static bool is_mean(const gh_node *n)
{
    return strcmp(n->type, "Mean") == 0;
}

/* Before opset 7 the second operand stood at an axis of the first instead of at its end. */
static gh_shape second_shape(const gh_io *io)
{
    gh_shape a = io->in[0].shape, b = io->in[1].shape;
    int64_t axis = gh_node_int(io->node, "axis", a.rank - b.rank);
    axis = axis < 0 ? axis + a.rank : axis;
    if (io->node->op->since >= 7 || axis < 0 || axis + b.rank >= a.rank)
        return b;
    while (b.rank + axis < a.rank)
        b.dims[b.rank++] = 1;
    return b;
}

static gh_status binary_infer(gh_io *io)
{
    gh_dtype type = io->in[0].type;
    gh_binary_kind kind = kind_of(io->node);
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    for (uint32_t i = 1; i < io->nin; i++)
        GH_TRY(gh_io_need(io, i, type, -1));
    if (!gh_binary_row_of(kind, type) || (is_mean(io->node) && type != GH_F32))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    if (type != GH_F32 && io->node->act.kind != GH_ACT_NONE)
        return gh_io_fail(io, GH_UNSUPPORTED, "an activation on %s", gh_dtype_name(type));
    io->out[0].type = gives_bool(kind) ? GH_BOOL : type;
    if (io->nin != 2)
        return gh_io_broadcast_all(io, &io->out[0].shape, 0, io->nin);
    gh_shape second = second_shape(io);
    return gh_io_broadcast(io, &io->out[0].shape, &io->in[0].shape, &second);
}

/* out = a op b, where `a` may stand in the output already. */
static void combine(gh_exec *x, gh_binary_row row, const gh_tensor *a, const gh_tensor *b, const gh_shape *sb)
{
    size_t in_size = gh_dtype_size(a->type), out_size = gh_dtype_size(x->out[0].type);
    gh_walk w;
    gh_walk_start(&w, &x->out[0].shape, (const gh_shape *[]){&a->shape, sb}, 2);
    char *dst = x->out[0].data;
    for (size_t r = 0; r < w.rows; r++, dst += w.row * out_size, gh_walk_next(&w))
        row(dst, (const char *)a->data + w.at[0] * in_size, (const char *)b->data + w.at[1] * in_size, w.row,
            w.row_step[0], w.row_step[1]);
}

/* The input whose memory is the output's, which must be read first; 0 when there is none. */
static uint32_t first_of(const gh_exec *x)
{
    for (uint32_t i = 1; i < x->nin; i++)
        if (x->in[i].data == x->out[0].data)
            return i;
    return 0;
}

static void spread(gh_exec *x, const gh_tensor *from)
{
    size_t size = gh_dtype_size(from->type);
    gh_walk w;
    gh_walk_start(&w, &x->out[0].shape, (const gh_shape *[]){&from->shape}, 1);
    char *dst = x->out[0].data;
    for (size_t r = 0; r < w.rows && dst != from->data; r++, dst += w.row * size, gh_walk_next(&w))
        for (size_t i = 0; i < w.row; i++)
            memcpy(dst + i * size, (const char *)from->data + (w.at[0] + i * w.row_step[0]) * size, size);
}

/* Any number of operands but two; the order does not matter to those that take them. */
static void combine_all(gh_exec *x, gh_binary_row row)
{
    uint32_t first = first_of(x);
    spread(x, &x->in[first]);
    for (uint32_t i = 0; i < x->nin; i++)
        if (i != first)
            combine(x, row, &x->out[0], &x->in[i], &x->in[i].shape);
}

static void finish(gh_exec *x)
{
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    float *out = x->out[0].data;
    for (size_t i = 0; is_mean(x->node) && i < count; i++)
        out[i] /= (float)x->nin;
    if (x->act.kind != GH_ACT_NONE)
        x->k->activate(out, out, count, x->act);
}

typedef struct kernel_job {
    gh_exec *x;
    gh_binary op;
    size_t count;
} kernel_job;

/* Elements of one unit of the parallel loop: 16 kB a tensor. */
#define UNIT 4096

static void kernel_units(const void *job, int begin, int end)
{
    const kernel_job *b = job;
    size_t from = (size_t)begin * UNIT, to = (size_t)end * UNIT;
    to = to < b->count ? to : b->count;
    b->x->k->binary((float *)b->x->out[0].data + from, (const float *)b->x->in[0].data + from,
                    (const float *)b->x->in[1].data + from, to - from, b->op, b->x->act);
}

static gh_status run_kernel(gh_exec *x, size_t count)
{
    kernel_job b = {.x = x, .op = kinds[row_of(x->node)].kernel, .count = count};
    gh_exec_range(x, (int)((count + UNIT - 1) / UNIT), kernel_units, &b);
    return GH_OK;
}

static gh_status binary_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    gh_binary_row row = gh_binary_row_of(kind_of(x->node), x->in[0].type);
    if (x->nin == 2 && x->out[0].type == GH_F32 && kinds[row_of(x->node)].kernel != NO_KERNEL &&
        gh_shape_equal(&x->in[0].shape, &x->in[1].shape))
        return run_kernel(x, gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank));
    if (x->nin == 2) {
        gh_shape second = second_shape(&io);
        combine(x, row, &x->in[0], &x->in[1], &second);
    } else {
        combine_all(x, row);
    }
    finish(x);
    return GH_OK;
}

/* Same shapes, both blocked already (or one is, and turning the other costs less than turning this one back).
 */
static gh_status binary_prepare(gh_prepare *p)
{
    const gh_io *io = p->io;
    if (io->nin != 2 || io->in[0].type != GH_F32 || kinds[row_of(io->node)].kernel == NO_KERNEL ||
        io->in[0].shape.rank != 4 || !gh_shape_equal(&io->in[0].shape, &io->in[1].shape) || io->in[0].data ||
        io->in[1].data || !(p->in_blocked[0] || p->in_blocked[1]))
        return GH_OK;
    if (kinds[row_of(io->node)].kernel == GH_DIV) /* lanes beyond the channels could become NaN */
        return GH_OK;
    p->want_blocked = 3;
    p->out_blocked = p->accepted = true;
    p->kernel = "binary";
    return GH_OK;
}

static gh_status binary_run_blocked(gh_exec *x)
{
    return run_kernel(x, gh_blocked_count(&x->out[0].shape, x->k->block));
}

static const gh_blocked binary_blocked = {binary_prepare, binary_run_blocked};

#define ROW(type, since, until, least, most)                                                                 \
    {                                                                                                        \
        type, "", since, until, GH_OP_INPLACE | GH_OP_FUSES, least, most, 1, binary_infer, binary_run,       \
            &binary_blocked, NULL                                                                            \
    }
/* Two rows: before opset 7 broadcasting was another. */
#define BOTH(type) ROW(type, 1, 6, 2, 2), ROW(type, 7, 0, 2, 2)
/* The result has another type, or takes another place than that of an operand. */
#define PLAIN(type, since, until)                                                                            \
    {                                                                                                        \
        type, "", since, until, 0, 2, 2, 1, binary_infer, binary_run, NULL, NULL                             \
    }
#define PLAIN_BOTH(type) PLAIN(type, 1, 6), PLAIN(type, 7, 0)

const gh_op gh_ops_binary[] = {
    BOTH("Add"),
    BOTH("Sub"),
    BOTH("Mul"),
    BOTH("Div"),
    ROW("Min", 1, 0, 1, UINT32_MAX),
    ROW("Max", 1, 0, 1, UINT32_MAX),
    ROW("Sum", 1, 0, 1, UINT32_MAX),
    ROW("Mean", 1, 0, 1, UINT32_MAX),
    PLAIN_BOTH("Equal"),
    PLAIN_BOTH("Less"),
    PLAIN_BOTH("Greater"),
    PLAIN("LessOrEqual", 12, 0),
    PLAIN("GreaterOrEqual", 12, 0),
    PLAIN_BOTH("And"),
    PLAIN_BOTH("Or"),
    PLAIN_BOTH("Xor"),
    PLAIN("BitwiseAnd", 18, 0),
    PLAIN("BitwiseOr", 18, 0),
    PLAIN("BitwiseXor", 18, 0),
    PLAIN("BitShift", 11, 0),
    PLAIN("Mod", 10, 0),
};
const size_t gh_ops_binary_count = GH_COUNT(gh_ops_binary);
