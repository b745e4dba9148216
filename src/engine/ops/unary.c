/* Activations: each node's type and attributes become a gh_act, which the same kernel computes everywhere. */
#include "engine/ops.h"
#include "engine/ops/binary_rows.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

/* A bound of Clip: an attribute before opset 11, an input since; absent = none. */
static gh_status clip_bound(const gh_io *io, float *out, uint32_t input, const char *name, float fallback)
{
    size_t count;
    *out = gh_node_float(io->node, name, fallback);
    if (!gh_has(io, input))
        return GH_OK;
    GH_TRY(gh_io_need(io, input, GH_F32, -1));
    if (!gh_shape_count(&count, &io->in[input].shape) || count != 1)
        return gh_io_fail(io, GH_FORMAT, "input %u must hold one value", input);
    if (!io->in[input].data)
        return gh_io_fail(io, GH_UNSUPPORTED, "its bounds depend on the data");
    memcpy(out, io->in[input].data, sizeof *out);
    return GH_OK;
}

gh_status gh_act_of(const gh_io *io, gh_act *out)
{
    const gh_node *n = io->node;
    gh_act act = {GH_ACT_NONE, 0, 0};
    if (strcmp(n->type, "Relu") == 0) {
        act = (gh_act){GH_ACT_CLAMP, 0, INFINITY};
    } else if (strcmp(n->type, "Clip") == 0) {
        act.kind = GH_ACT_CLAMP;
        GH_TRY(clip_bound(io, &act.lo, 1, "min", -INFINITY));
        GH_TRY(clip_bound(io, &act.hi, 2, "max", INFINITY));
    } else if (strcmp(n->type, "LeakyRelu") == 0) {
        act = (gh_act){GH_ACT_LEAKY, gh_node_float(n, "alpha", 0.01f), 0};
    } else if (strcmp(n->type, "Sigmoid") == 0) {
        act.kind = GH_ACT_SIGMOID;
    } else if (strcmp(n->type, "Tanh") == 0) {
        act.kind = GH_ACT_TANH;
    } else if (strcmp(n->type, "HardSwish") == 0) {
        act.kind = GH_ACT_HSWISH;
    } else if (strcmp(n->type, "HardSigmoid") == 0) {
        act = (gh_act){GH_ACT_HSIGMOID, gh_node_float(n, "alpha", 0.2f), gh_node_float(n, "beta", 0.5f)};
    }
    *out = act;
    return GH_OK;
}

/* Bounds of Clip may depend on the data: they are read in the run. */
static gh_status clip_infer(gh_io *io)
{
    size_t count;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    gh_dtype type = io->in[0].type;
    if (!gh_number_type(type) || type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    for (uint32_t i = 1; i < io->nin; i++) {
        if (!gh_has(io, i))
            continue;
        GH_TRY(gh_io_need(io, i, type, -1));
        if (!gh_shape_count(&count, &io->in[i].shape) || count != 1)
            return gh_io_fail(io, GH_FORMAT, "input %u must hold one value", i);
    }
    io->out[0] = (gh_tensor){.type = type, .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status unary_infer(gh_io *io)
{
    gh_act act;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_act_of(io, &act));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

typedef struct unary_job {
    const gh_exec *x;
    gh_act act;
    size_t count;
} unary_job;

#define UNIT 4096

static void unary_units(const void *job, int begin, int end)
{
    const unary_job *u = job;
    size_t from = (size_t)begin * UNIT, to = (size_t)end * UNIT;
    to = to < u->count ? to : u->count;
    u->x->k->activate((float *)u->x->out[0].data + from, (const float *)u->x->in[0].data + from, to - from,
                      u->act);
}

static gh_status run_counted(gh_exec *x, size_t count)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->node->ninputs, .e = x->e};
    unary_job u = {.x = x, .count = count};
    GH_TRY(gh_act_of(&io, &u.act));
    gh_exec_range(x, (int)((count + UNIT - 1) / UNIT), unary_units, &u);
    return GH_OK;
}

static gh_status unary_run(gh_exec *x)
{
    return run_counted(x, gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank));
}

/* Other types than float32; bounds are copied first, for the output may take their place. */
static gh_status clip_run(gh_exec *x)
{
    static const gh_binary_kind kinds[] = {[1] = GH_BINARY_MAX, [2] = GH_BINARY_MIN};
    gh_dtype type = x->in[0].type;
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank), size = gh_dtype_size(type);
    uint64_t bounds[3] = {0};
    if (type == GH_F32)
        return run_counted(x, count);
    for (uint32_t i = 1; i < x->nin; i++)
        if (x->in[i].type != GH_UNKNOWN)
            memcpy(&bounds[i], x->in[i].data, size);
    memmove(x->out[0].data, x->in[0].data, count * size);
    for (uint32_t i = 1; i < x->nin; i++)
        if (x->in[i].type != GH_UNKNOWN)
            gh_binary_row_of(kinds[i], type)(x->out[0].data, x->out[0].data, &bounds[i], count, 1, 0);
    return GH_OK;
}

static gh_status unary_prepare(gh_prepare *p)
{
    if (!p->in_blocked[0])
        return GH_OK;
    p->want_blocked = 1;
    p->out_blocked = p->accepted = true;
    p->kernel = "activate";
    return GH_OK;
}

static gh_status unary_run_blocked(gh_exec *x)
{
    return run_counted(x, gh_blocked_count(&x->out[0].shape, x->k->block));
}

static const gh_blocked unary_blocked = {unary_prepare, unary_run_blocked};

#define ROW(type, since)                                                                                     \
    {                                                                                                        \
        type, "", since, 0, GH_OP_INPLACE | GH_OP_ACTIVATION, 1, 1, 1, unary_infer, unary_run,               \
            &unary_blocked, NULL                                                                             \
    }

const gh_op gh_ops_unary[] = {
    ROW("Relu", 1),
    {"Clip", "", 1, 0, GH_OP_INPLACE | GH_OP_ACTIVATION, 1, 3, 1, clip_infer, clip_run, &unary_blocked, NULL},
    ROW("LeakyRelu", 1),
    ROW("Sigmoid", 1),
    ROW("Tanh", 1),
    ROW("HardSwish", 14),
    ROW("HardSigmoid", 1),
};
const size_t gh_ops_unary_count = GH_COUNT(gh_ops_unary);
