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

/* Computes a node whose inputs are known now, into the plan's arena. */
static gh_status compute_known(gh_plan_builder *b, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (n->inputs[i] != GH_NONE && b->g->values[n->inputs[i]].gone)
            return gh_plan_gone(b, n->inputs[i]);
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (b->at.in[i].data && !gh_tensor_aligned(&b->at.in[i])) {
            b->at.in[i].data = (void *)(uintptr_t)gh_graph_elements(b->g, n->inputs[i]);
            if (!b->at.in[i].data)
                return gh_plan_no_memory(b);
        }
    if (!gh_operands_place(&b->at, n, b->plan->arena))
        return gh_plan_no_memory(b);
    return gh_op_eval(n, b->at.in, b->at.out, b->e);
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
    gh_io io = gh_operands_load(&b->at, n, b->e);
    GH_TRY(refuse_counted(b, n));
    GH_TRY(n->op->infer(&io));
    for (uint32_t i = 0; i < n->noutputs; i++)
        GH_TRY(check_size(b, n, &b->at.out[i]));
    if (gh_operands_known(&b->at, n) && gh_budget_take(&b->budget, &io))
        GH_TRY(compute_known(b, n));
    gh_operands_store(&b->at, n);
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
