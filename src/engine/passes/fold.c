/* Constant folding: nodes whose inputs are all known are computed now, with their own operators. */
#include "base/mem.h"
#include "engine/passes/passes.h"

/* What a file of no size may make us compute; the rest grows with the constants that it brings. Nodes beyond
 * stay nodes. */
#define FREE_ELEMENTS 0x1p24
#define FREE_WORK     0x1p28

static double elements_of(const gh_tensor *t)
{
    size_t count;
    return t->data && gh_shape_count(&count, &t->shape) ? (double)count : 0;
}

static gh_budget budget_of(const gh_graph *g)
{
    double brought = 0;
    for (uint32_t i = 0; i < g->nvalues; i++) {
        const gh_value *v = &g->values[i];
        brought += elements_of(&(gh_tensor){v->type, v->shape, (void *)(uintptr_t)v->data});
    }
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].nattrs; k++)
            if (g->nodes[i].attrs[k].type == GH_ATTR_TENSOR)
                brought += elements_of(&g->nodes[i].attrs[k].tensor);
    return (gh_budget){FREE_ELEMENTS + 2 * brought, FREE_WORK + 16 * brought};
}

static bool all_constant(const gh_graph *g, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (n->inputs[i] != GH_NONE && !g->values[n->inputs[i]].data)
            return false;
    return true;
}

static gh_status gather_inputs(gh_graph *g, const gh_node *n, gh_tensor *in, gh_err *e)
{
    for (uint32_t i = 0; i < n->ninputs; i++) {
        uint32_t id = n->inputs[i];
        in[i] = (gh_tensor){.shape.rank = -1};
        if (id == GH_NONE)
            continue;
        const void *data = gh_graph_elements(g, id);
        if (!data)
            return gh_fail(e, GH_NOMEM, "no memory to fold constants");
        in[i] = (gh_tensor){g->values[id].type, g->values[id].shape, (void *)(uintptr_t)data};
    }
    return GH_OK;
}

static gh_status place_outputs(gh_graph *g, gh_node *n, gh_tensor *out, gh_err *e)
{
    for (uint32_t i = 0; i < n->noutputs; i++) {
        size_t count = 0;
        GH_ASSERT(gh_shape_count(&count, &out[i].shape));
        out[i].data = gh_arena_array(g->arena, count ? count : 1, gh_dtype_size(out[i].type));
        if (!out[i].data)
            return gh_fail(e, GH_NOMEM, "no memory to fold constants");
    }
    return GH_OK;
}

static gh_status fold_node(gh_graph *g, gh_node *n, gh_tensor *in, gh_tensor *out, gh_budget *budget,
                           gh_err *e)
{
    gh_io io = {.node = n,
                .opset = gh_graph_opset(g, n->domain),
                .in = in,
                .nin = n->ninputs,
                .out = out,
                .nout = n->noutputs,
                .e = e};
    GH_TRY(gather_inputs(g, n, in, e));
    for (uint32_t i = 0; i < n->noutputs; i++)
        out[i] = (gh_tensor){.shape.rank = -1};
    GH_TRY(n->op->infer(&io));
    if (!gh_budget_take(budget, &io))
        return GH_OK;
    GH_TRY(place_outputs(g, n, out, e));
    GH_TRY(gh_op_eval(n, in, out, e));
    for (uint32_t i = 0; i < n->noutputs; i++) {
        if (n->outputs[i] == GH_NONE)
            continue;
        gh_value *v = &g->values[n->outputs[i]];
        v->type = out[i].type;
        v->shape = out[i].shape;
        v->data = out[i].data;
        v->own = true;
        v->producer = GH_NONE;
    }
    n->dead = true;
    return GH_OK;
}

gh_status gh_pass_fold(gh_graph *g, gh_err *e)
{
    gh_budget budget = budget_of(g);
    uint32_t most = 1;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        most = g->nodes[i].ninputs > most ? g->nodes[i].ninputs : most;
        most = g->nodes[i].noutputs > most ? g->nodes[i].noutputs : most;
    }
    gh_tensor *in = gh_calloc(most, sizeof *in), *out = gh_calloc(most, sizeof *out);
    gh_status status = in && out ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the passes");
    for (uint32_t i = 0; i < g->nnodes && status == GH_OK; i++)
        if (!g->nodes[i].dead && all_constant(g, &g->nodes[i]))
            status = fold_node(g, &g->nodes[i], in, out, &budget, e);
    gh_free(in);
    gh_free(out);
    return status ? status : gh_graph_sort(g, e);
}
