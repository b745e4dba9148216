/* Inference node by node, with those results computed that no picture is needed for. */
#include "train/nets/shapes.h"

#include "base/mem.h"
#include "engine/operands.h"
#include "engine/passes/passes.h"

/* Elements of a value that follows from shapes alone. */
#define KNOWN_ELEMENTS 4096
#define MOST_LEVELS    12

typedef struct reader {
    gh_graph *g;
    gh_tensor *values;
    gh_operands at; /* the node at hand */
    bool lenient;
    gh_err *e;
} reader;

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the body's shapes");
}

/* A result that no picture is needed for (shapes, constants) is computed: others' shapes may hang on it. */
static gh_status compute_known(reader *r, const gh_node *n)
{
    size_t count = 0;
    if (!gh_operands_known(&r->at, n))
        return GH_OK;
    for (uint32_t i = 0; i < n->noutputs; i++)
        if (!gh_shape_count(&count, &r->at.out[i].shape) || count > KNOWN_ELEMENTS)
            return GH_OK;
    if (!gh_operands_place(&r->at, n, r->g->arena))
        return no_memory(r->e);
    return gh_op_eval(n, r->at.in, r->at.out, r->e);
}

static gh_status infer_node(reader *r, const gh_node *n)
{
    gh_io io = gh_operands_load(&r->at, n, r->e);
    GH_TRY(n->op->infer(&io));
    GH_TRY(compute_known(r, n));
    gh_operands_store(&r->at, n);
    return GH_OK;
}

static bool inputs_known(const reader *r, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (n->inputs[i] != GH_NONE && r->values[n->inputs[i]].shape.rank < 0)
            return false;
    return true;
}

/* A node that does not go at this size leaves what it makes unknown. */
static gh_status infer_or_leave(reader *r, const gh_node *n)
{
    gh_status status = inputs_known(r, n) ? infer_node(r, n) : GH_UNSUPPORTED;
    for (uint32_t i = 0; i < n->noutputs; i++)
        if (status != GH_OK && n->outputs[i] != GH_NONE)
            r->values[n->outputs[i]] = (gh_tensor){.shape.rank = -1};
    return status == GH_NOMEM ? no_memory(r->e) : GH_OK;
}

static gh_status infer_all(reader *r, int width, int height)
{
    gh_graph *g = r->g;
    for (uint32_t v = 0; v < g->nvalues; v++) {
        if (g->values[v].data && !gh_graph_elements(g, v))
            return no_memory(r->e);
        r->values[v] =
            (gh_tensor){g->values[v].type, g->values[v].shape, (void *)(uintptr_t)g->values[v].data};
    }
    r->values[g->inputs[0]].shape = gh_shape_of(4, (int64_t[]){1, 3, height, width});
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (!g->nodes[i].dead)
            GH_TRY(r->lenient ? infer_or_leave(r, &g->nodes[i]) : infer_node(r, &g->nodes[i]));
    return GH_OK;
}

gh_status gh_shapes_read(gh_shapes *out, gh_graph *g, int width, int height, bool lenient, gh_err *e)
{
    reader r = {.g = g, .lenient = lenient, .e = e};
    if (g->ninputs != 1)
        return gh_fail(e, GH_UNSUPPORTED, "the body has %u inputs; one picture is what it gets", g->ninputs);
    GH_TRY(gh_graph_sort(g, e));
    GH_TRY(gh_graph_bind(g, e));
    r.values = gh_calloc(g->nvalues + 1u, sizeof *r.values);
    gh_status status =
        gh_operands_new(&r.at, g, r.values) && r.values ? infer_all(&r, width, height) : no_memory(e);
    if (status == GH_OK) {
        *out = (gh_shapes){r.values, width, height};
        r.values = NULL;
    }
    gh_free(r.values);
    gh_operands_free(&r.at);
    return status;
}

void gh_shapes_free(gh_shapes *s)
{
    gh_free(s->values);
    *s = (gh_shapes){0};
}

int gh_shapes_level(const gh_shapes *s, uint32_t v)
{
    const gh_tensor *t = v == GH_NONE ? NULL : &s->values[v];
    const int64_t *d = t ? t->shape.dims : NULL;
    if (!t || t->type != GH_F32 || t->data || t->shape.rank != 4 || d[0] != 1)
        return -1;
    for (int i = 0; i < MOST_LEVELS; i++)
        if (d[2] << i == s->height && d[3] << i == s->width)
            return i;
    return -1;
}
