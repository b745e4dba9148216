/* The first part of a plan: shapes of all values for these sizes of the inputs, and the elements of those
 * that are known before a run. */
#include "base/mem.h"
#include "engine/plan_parts.h"

/* What a plan computes for itself: shapes, and constants where folding is off. */
#define KNOWN_ELEMENTS 0x1p22
#define KNOWN_WORK     0x1p27

gh_status gh_plan_gone(const gh_plan_builder *b, uint32_t v)
{
    return gh_fail(b->e, GH_UNSUPPORTED,
                   "value \"%s\" was packed for other sizes of the input, and is needed unpacked for these",
                   b->g->values[v].name);
}

void gh_plan_operands(gh_plan_builder *b, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        b->in[i] = n->inputs[i] == GH_NONE ? (gh_tensor){.shape.rank = -1} : b->values[n->inputs[i]];
    for (uint32_t i = 0; i < n->noutputs; i++)
        b->out[i] = n->outputs[i] == GH_NONE ? (gh_tensor){.shape.rank = -1} : b->values[n->outputs[i]];
}

gh_io gh_plan_io(gh_plan_builder *b, const gh_node *n)
{
    return (gh_io){.node = n,
                   .opset = gh_graph_opset(b->g, n->domain),
                   .in = b->in,
                   .nin = n->ninputs,
                   .out = b->out,
                   .nout = n->noutputs,
                   .e = b->e};
}

static bool is_known(gh_plan_builder *b, const gh_io *io)
{
    const gh_node *n = io->node;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (b->in[i].type != GH_UNKNOWN && !b->in[i].data && !(n->op->flags & GH_OP_SHAPE))
            return false;
    return gh_budget_take(&b->budget, io);
}

/* Computes a node whose inputs are known now, into the plan's arena. */
static gh_status compute_known(gh_plan_builder *b, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (n->inputs[i] != GH_NONE && b->g->values[n->inputs[i]].gone)
            return gh_plan_gone(b, n->inputs[i]);
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (b->in[i].data && !gh_tensor_aligned(&b->in[i])) {
            b->in[i].data = (void *)(uintptr_t)gh_graph_elements(b->g, n->inputs[i]);
            if (!b->in[i].data)
                return gh_plan_no_memory(b);
        }
    for (uint32_t i = 0; i < n->noutputs; i++) {
        size_t count = 0;
        GH_ASSERT(gh_shape_count(&count, &b->out[i].shape));
        b->out[i].data = gh_arena_array(b->plan->arena, count ? count : 1, gh_dtype_size(b->out[i].type));
        if (!b->out[i].data)
            return gh_plan_no_memory(b);
    }
    return gh_op_eval(n, b->in, b->out, b->e);
}

static gh_status check_size(gh_plan_builder *b, const gh_node *n, const gh_tensor *t)
{
    size_t count;
    char text[96];
    bool fits = gh_dtype_size(t->type) && gh_shape_count(&count, &t->shape) && count <= INT32_MAX;
    for (int i = 0; i < t->shape.rank; i++) /* beside a side of 0, too */
        fits = fits && t->shape.dims[i] <= INT32_MAX;
    if (!fits)
        return gh_fail(b->e, GH_LIMIT, "node \"%s\" (%s) gives %s of type %s, more than gharial accepts",
                       n->name, n->type, gh_shape_text(&t->shape, text, sizeof text), gh_dtype_name(t->type));
    return GH_OK;
}

bool gh_plan_counted(const gh_plan_builder *b, uint32_t v)
{
    uint32_t from = v == GH_NONE ? GH_NONE : b->g->values[v].producer;
    return from != GH_NONE && (b->g->nodes[from].op->flags & GH_OP_COUNTED) && !b->values[v].data;
}

static gh_status refuse_counted(gh_plan_builder *b, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (gh_plan_counted(b, n->inputs[i])) {
            const gh_node *from = &b->g->nodes[b->g->values[n->inputs[i]].producer];
            return gh_fail(b->e, GH_UNSUPPORTED,
                           "node \"%s\" (%s) reads what node \"%s\" (%s) finds, whose number depends on the "
                           "data; gharial runs that one only where a network ends",
                           n->name, n->type, from->name, from->type);
        }
    return GH_OK;
}

static gh_status infer_node(gh_plan_builder *b, const gh_node *n)
{
    gh_plan_operands(b, n);
    gh_io io = gh_plan_io(b, n);
    GH_TRY(refuse_counted(b, n));
    GH_TRY(n->op->infer(&io));
    for (uint32_t i = 0; i < n->noutputs; i++)
        GH_TRY(check_size(b, n, &b->out[i]));
    if (is_known(b, &io))
        GH_TRY(compute_known(b, n));
    for (uint32_t i = 0; i < n->noutputs; i++)
        if (n->outputs[i] != GH_NONE)
            b->values[n->outputs[i]] = b->out[i];
    return GH_OK;
}

gh_status gh_plan_shapes(gh_plan_builder *b, const gh_shape *inputs)
{
    b->budget = (gh_budget){KNOWN_ELEMENTS, KNOWN_WORK};
    for (uint32_t v = 0; v < b->g->nvalues; v++) {
        const gh_value *value = &b->g->values[v];
        b->values[v] = (gh_tensor){value->type, value->shape, (void *)(uintptr_t)value->data};
        b->places[v] = (gh_plan_place){GH_NONE, GH_NONE};
    }
    for (uint32_t i = 0; i < b->g->ninputs; i++)
        b->values[b->g->inputs[i]].shape = inputs[i];
    for (uint32_t i = 0; i < b->g->nnodes; i++)
        GH_TRY(infer_node(b, &b->g->nodes[i]));
    return GH_OK;
}
