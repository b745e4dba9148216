/* Add, Sub, Mul, Div and their like on float32 and on the integers that shapes are made of. */
#include "engine/ops.h"

#include <string.h>

static const struct {
    const char *type;
    gh_binary op;
} kinds[] = {{"Add", GH_ADD}, {"Sub", GH_SUB}, {"Mul", GH_MUL},
             {"Div", GH_DIV}, {"Min", GH_MIN}, {"Max", GH_MAX}};

static gh_binary kind_of(const gh_node *n)
{
    for (size_t i = 0; i < GH_COUNT(kinds); i++)
        if (strcmp(kinds[i].type, n->type) == 0)
            return kinds[i].op;
    GH_ASSERT(!"a row of this file without its kind");
    return GH_ADD;
}

static gh_status binary_infer(gh_io *io)
{
    gh_dtype type = io->in[0].type;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (io->nin != 2) /* Min and Max take any number in ONNX */
        return gh_io_fail(io, GH_UNSUPPORTED, "%u inputs; gharial runs it on 2", io->nin);
    GH_TRY(gh_io_need(io, 1, type, -1));
    if (type != GH_F32 && type != GH_I64 && type != GH_I32)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed; float32, int64 and int32 are",
                          gh_dtype_name(type));
    if (type != GH_F32 && io->node->act.kind != GH_ACT_NONE)
        return gh_io_fail(io, GH_UNSUPPORTED, "an activation on %s", gh_dtype_name(type));
    io->out[0].type = type;
    return gh_io_broadcast(io, &io->out[0].shape, &io->in[0].shape, &io->in[1].shape);
}

static float float_op(float a, float b, gh_binary op)
{
    switch (op) {
    case GH_ADD:
        return a + b;
    case GH_SUB:
        return a - b;
    case GH_MUL:
        return a * b;
    case GH_DIV:
        return a / b;
    case GH_MIN:
        return a < b ? a : b;
    default:
        return a > b ? a : b;
    }
}

/* Unsigned arithmetic wraps, as ONNX leaves it; division by zero gives zero instead of a signal. */
static int64_t int_op(int64_t a, int64_t b, gh_binary op)
{
    switch (op) {
    case GH_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case GH_SUB:
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case GH_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case GH_DIV:
        return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    case GH_MIN:
        return a < b ? a : b;
    default:
        return a > b ? a : b;
    }
}

/* Steps in elements of one operand along each output dimension; 0 where it is repeated. */
static void broadcast_steps(size_t *steps, const gh_shape *in, const gh_shape *out)
{
    size_t step = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        int at = i - (out->rank - in->rank);
        steps[i] = at < 0 || in->dims[at] == 1 ? 0 : step;
        step *= at < 0 ? 1 : (size_t)in->dims[at];
    }
}

typedef struct cursor {
    size_t index[GH_MAX_RANK], a_steps[GH_MAX_RANK], b_steps[GH_MAX_RANK];
    size_t a, b;
} cursor;

/* To the next position of all dimensions but the last. */
static void advance(cursor *c, const gh_shape *out)
{
    for (int d = out->rank - 2; d >= 0; d--) {
        c->a += c->a_steps[d];
        c->b += c->b_steps[d];
        if (++c->index[d] < (size_t)out->dims[d])
            return;
        c->a -= c->a_steps[d] * (size_t)out->dims[d];
        c->b -= c->b_steps[d] * (size_t)out->dims[d];
        c->index[d] = 0;
    }
}

static void one_row(gh_exec *x, const cursor *c, size_t at, size_t count, size_t sa, size_t sb, gh_binary op)
{
    gh_dtype type = x->out[0].type;
    for (size_t i = 0; i < count; i++) {
        size_t a = c->a + i * sa, b = c->b + i * sb;
        if (type == GH_F32)
            ((float *)x->out[0].data)[at + i] =
                float_op(((const float *)x->in[0].data)[a], ((const float *)x->in[1].data)[b], op);
        else if (type == GH_I64)
            ((int64_t *)x->out[0].data)[at + i] =
                int_op(((const int64_t *)x->in[0].data)[a], ((const int64_t *)x->in[1].data)[b], op);
        else
            ((int32_t *)x->out[0].data)[at + i] =
                (int32_t)int_op(((const int32_t *)x->in[0].data)[a], ((const int32_t *)x->in[1].data)[b], op);
    }
}

static gh_status binary_run(gh_exec *x)
{
    const gh_shape *out = &x->out[0].shape;
    size_t count = gh_shape_span(out, 0, out->rank);
    size_t row = out->rank ? (size_t)out->dims[out->rank - 1] : 1;
    gh_binary op = kind_of(x->node);
    cursor c = {0};
    if (x->out[0].type == GH_F32 && gh_shape_equal(&x->in[0].shape, &x->in[1].shape)) {
        x->k->binary(x->out[0].data, x->in[0].data, x->in[1].data, count, op, x->act);
        return GH_OK;
    }
    broadcast_steps(c.a_steps, &x->in[0].shape, out);
    broadcast_steps(c.b_steps, &x->in[1].shape, out);
    for (size_t at = 0; at < count; at += row) {
        one_row(x, &c, at, row, out->rank ? c.a_steps[out->rank - 1] : 0,
                out->rank ? c.b_steps[out->rank - 1] : 0, op);
        advance(&c, out);
    }
    if (x->act.kind != GH_ACT_NONE)
        x->k->activate(x->out[0].data, x->out[0].data, count, x->act);
    return GH_OK;
}

/* Same shapes, both blocked already (or one is, and turning the other costs less than turning this one back).
 */
static gh_status binary_prepare(gh_prepare *p)
{
    const gh_io *io = p->io;
    if (io->in[0].type != GH_F32 || io->in[0].shape.rank != 4 ||
        !gh_shape_equal(&io->in[0].shape, &io->in[1].shape) || io->in[0].data || io->in[1].data ||
        !(p->in_blocked[0] || p->in_blocked[1]))
        return GH_OK;
    if (kind_of(io->node) == GH_DIV) /* lanes beyond the channels could become NaN */
        return GH_OK;
    p->want_blocked = 3;
    p->out_blocked = p->accepted = true;
    p->kernel = "binary";
    return GH_OK;
}

typedef struct blocked_binary {
    gh_exec *x;
    gh_binary op;
    size_t count, units;
} blocked_binary;

/* Elements of one unit of the parallel loop: 16 kB a tensor. */
#define UNIT 4096

static void binary_units(const void *job, int begin, int end)
{
    const blocked_binary *b = job;
    size_t from = (size_t)begin * UNIT, to = (size_t)end * UNIT;
    to = to < b->count ? to : b->count;
    b->x->k->binary((float *)b->x->out[0].data + from, (const float *)b->x->in[0].data + from,
                    (const float *)b->x->in[1].data + from, to - from, b->op, b->x->act);
}

static gh_status binary_run_blocked(gh_exec *x)
{
    blocked_binary b = {
        .x = x, .op = kind_of(x->node), .count = gh_blocked_count(&x->out[0].shape, x->k->block)};
    gh_exec_range(x, (int)((b.count + UNIT - 1) / UNIT), binary_units, &b);
    return GH_OK;
}

static const gh_blocked binary_blocked = {binary_prepare, binary_run_blocked};

#define ROW(type, since, least, most)                                                                        \
    {                                                                                                        \
        type, "", since, 0, GH_OP_INPLACE | GH_OP_FUSES, least, most, 1, binary_infer, binary_run,           \
            &binary_blocked, NULL                                                                            \
    }

const gh_op gh_ops_binary[] = {ROW("Add", 7, 2, 2),          ROW("Sub", 7, 2, 2),
                               ROW("Mul", 7, 2, 2),          ROW("Div", 7, 2, 2),
                               ROW("Min", 8, 1, UINT32_MAX), ROW("Max", 8, 1, UINT32_MAX)};
const size_t gh_ops_binary_count = GH_COUNT(gh_ops_binary);
