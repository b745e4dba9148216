/* Shapes of all values at one size, then the last one of each stride in the order of the nodes. */
#include "train/nets/taps.h"

#include "base/mem.h"
#include "engine/passes/passes.h"

#include <string.h>

/* Elements of a value that follows from shapes alone. */
#define KNOWN_ELEMENTS 4096

typedef struct reader {
    gh_graph *g;
    gh_tensor *values, *in, *out;
    int width, height;
    gh_err *e;
} reader;

static gh_status no_memory(const reader *r)
{
    return gh_fail(r->e, GH_NOMEM, "memory ran out at the body's shapes");
}

/* A result that no picture is needed for (shapes, constants) is computed: others' shapes may hang on it. */
static gh_status compute_known(reader *r, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (r->in[i].type != GH_UNKNOWN && !r->in[i].data && !(n->op->flags & GH_OP_SHAPE))
            return GH_OK;
    for (uint32_t i = 0; i < n->noutputs; i++) {
        size_t count = 0;
        if (!gh_shape_count(&count, &r->out[i].shape) || count > KNOWN_ELEMENTS)
            return GH_OK;
        r->out[i].data = gh_arena_array(r->g->arena, count + 1, gh_dtype_size(r->out[i].type));
        if (!r->out[i].data)
            return no_memory(r);
    }
    return gh_op_eval(n, r->in, r->out, r->e);
}

static gh_status infer_node(reader *r, const gh_node *n)
{
    gh_io io = {.node = n,
                .opset = gh_graph_opset(r->g, n->domain),
                .in = r->in,
                .nin = n->ninputs,
                .out = r->out,
                .nout = n->noutputs,
                .e = r->e};
    for (uint32_t i = 0; i < n->ninputs; i++)
        r->in[i] = n->inputs[i] == GH_NONE ? (gh_tensor){.shape.rank = -1} : r->values[n->inputs[i]];
    for (uint32_t i = 0; i < n->noutputs; i++)
        r->out[i] = (gh_tensor){.shape.rank = -1};
    GH_TRY(n->op->infer(&io));
    GH_TRY(compute_known(r, n));
    for (uint32_t i = 0; i < n->noutputs; i++)
        if (n->outputs[i] != GH_NONE)
            r->values[n->outputs[i]] = r->out[i];
    return GH_OK;
}

static gh_status infer_all(reader *r)
{
    gh_graph *g = r->g;
    if (g->ninputs != 1)
        return gh_fail(r->e, GH_UNSUPPORTED, "the body has %u inputs; one picture is what it gets",
                       g->ninputs);
    for (uint32_t v = 0; v < g->nvalues; v++) {
        if (g->values[v].data && !gh_graph_elements(g, v))
            return no_memory(r);
        r->values[v] =
            (gh_tensor){g->values[v].type, g->values[v].shape, (void *)(uintptr_t)g->values[v].data};
    }
    r->values[g->inputs[0]].shape = gh_shape_of(4, (int64_t[]){1, 3, r->height, r->width});
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (!g->nodes[i].dead)
            GH_TRY(infer_node(r, &g->nodes[i]));
    return GH_OK;
}

/* The level of a value that lies over the picture, or -1. */
static int level_of(const reader *r, uint32_t v)
{
    const gh_tensor *t = v == GH_NONE ? NULL : &r->values[v];
    const int64_t *d = t ? t->shape.dims : NULL;
    if (!t || t->type != GH_F32 || t->data || t->shape.rank != 4 || d[0] != 1)
        return -1;
    for (int i = 0; i < GH_TAP_LEVELS; i++)
        if (d[2] << i == r->height && d[3] << i == r->width)
            return i;
    return -1;
}

static bool is_two(const gh_node *n, const char *name, int64_t value, bool needed)
{
    const gh_attr *a = gh_node_attr(n, name);
    if (!a)
        return !needed;
    for (size_t i = 0; i < a->count; i++)
        if (a->type != GH_ATTR_INTS || a->ints[i] != value)
            return false;
    return true;
}

/* What MaxUnpool can undo: windows of 2 x 2 that do not overlap. */
static bool is_plain_pool(const gh_node *n)
{
    return strcmp(n->type, "MaxPool") == 0 && !*n->domain && is_two(n, "kernel_shape", 2, true) &&
           is_two(n, "strides", 2, true) && is_two(n, "pads", 0, false) && is_two(n, "dilations", 1, false) &&
           gh_node_int(n, "ceil_mode", 0) == 0 && gh_node_int(n, "storage_order", 0) == 0;
}

static void collect(gh_taps *out, const reader *r)
{
    for (uint32_t i = 0; i < r->g->nnodes; i++) {
        const gh_node *n = &r->g->nodes[i];
        if (n->dead || n->noutputs < 1)
            continue;
        int from = n->ninputs ? level_of(r, n->inputs[0]) : -1, to = level_of(r, n->outputs[0]);
        if (to < 0)
            continue;
        out->at[to].value = n->outputs[0];
        out->at[to].channels = (int)r->values[n->outputs[0]].shape.dims[1];
        if (from + 1 == to && from >= 0 && is_plain_pool(n)) {
            out->at[from].pool = i;
            out->at[from].pool_channels = (int)r->values[n->inputs[0]].shape.dims[1];
        }
    }
}

static gh_status judge(gh_taps *t, gh_err *e)
{
    for (int i = 0; i < GH_TAP_LEVELS; i++)
        if (t->at[i].value != GH_NONE)
            t->deepest = i;
    if (t->deepest < 2)
        return gh_fail(e, GH_UNSUPPORTED,
                       "the body has no values at a quarter of the picture's size or less that lie over the "
                       "picture, so no decoder can be put on it");
    for (int i = 2; i <= t->deepest; i++)
        if (t->at[i].value == GH_NONE)
            return gh_fail(
                e, GH_UNSUPPORTED,
                "the body goes down to stride %d, but has nothing at stride %d; a decoder goes up in "
                "steps of 2",
                1 << t->deepest, 1 << i);
    return GH_OK;
}

gh_status gh_taps_find(gh_taps *out, gh_graph *g, int width, int height, gh_err *e)
{
    uint32_t most = 1;
    reader r = {.g = g, .width = width, .height = height, .e = e};
    gh_taps taps = {.deepest = -1};
    for (int i = 0; i < GH_TAP_LEVELS; i++)
        taps.at[i] = (gh_tap){.value = GH_NONE, .pool = GH_NONE};
    GH_TRY(gh_graph_sort(g, e));
    GH_TRY(gh_graph_bind(g, e));
    for (uint32_t i = 0; i < g->nnodes; i++) {
        most = g->nodes[i].ninputs > most ? g->nodes[i].ninputs : most;
        most = g->nodes[i].noutputs > most ? g->nodes[i].noutputs : most;
    }
    r.values = gh_calloc(g->nvalues + 1u, sizeof *r.values);
    r.in = gh_calloc(most, sizeof *r.in);
    r.out = gh_calloc(most, sizeof *r.out);
    gh_status status = r.values && r.in && r.out ? infer_all(&r) : no_memory(&r);
    if (status == GH_OK) {
        collect(&taps, &r);
        status = judge(&taps, e);
    }
    if (status == GH_OK)
        *out = taps;
    gh_free(r.values);
    gh_free(r.in);
    gh_free(r.out);
    return status;
}
