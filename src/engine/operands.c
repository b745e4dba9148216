/* Between a graph's values and the arrays that operators take. */
#include "engine/operands.h"

#include "base/mem.h"

bool gh_operands_new(gh_operands *o, const gh_graph *g, gh_tensor *values)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        most = g->nodes[i].ninputs > most ? g->nodes[i].ninputs : most;
        most = g->nodes[i].noutputs > most ? g->nodes[i].noutputs : most;
    }
    *o = (gh_operands){.g = g,
                       .values = values,
                       .most = most,
                       .in = gh_calloc(most, sizeof *o->in),
                       .out = gh_calloc(most, sizeof *o->out)};
    return o->in && o->out;
}

void gh_operands_free(gh_operands *o)
{
    gh_free(o->in);
    gh_free(o->out);
    *o = (gh_operands){0};
}

gh_io gh_operands_load(gh_operands *o, const gh_node *n, gh_err *e)
{
    static const gh_tensor absent = {.shape.rank = -1};
    for (uint32_t i = 0; i < n->ninputs; i++)
        o->in[i] = n->inputs[i] == GH_NONE ? absent : o->values[n->inputs[i]];
    for (uint32_t i = 0; i < n->noutputs; i++)
        o->out[i] = n->outputs[i] == GH_NONE ? absent : o->values[n->outputs[i]];
    return (gh_io){.node = n,
                   .opset = gh_graph_opset(o->g, n->domain),
                   .in = o->in,
                   .nin = n->ninputs,
                   .out = o->out,
                   .nout = n->noutputs,
                   .e = e};
}

bool gh_operands_known(const gh_operands *o, const gh_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (o->in[i].type != GH_UNKNOWN && !o->in[i].data && !(n->op->flags & GH_OP_SHAPE))
            return false;
    return true;
}

bool gh_operands_place(gh_operands *o, const gh_node *n, gh_arena *arena)
{
    for (uint32_t i = 0; i < n->noutputs; i++) {
        size_t count = 0;
        GH_ASSERT(gh_shape_count(&count, &o->out[i].shape));
        o->out[i].data = gh_arena_array(arena, count ? count : 1, gh_dtype_size(o->out[i].type));
        if (!o->out[i].data)
            return false;
    }
    return true;
}

void gh_operands_store(const gh_operands *o, const gh_node *n)
{
    for (uint32_t i = 0; i < n->noutputs; i++)
        if (n->outputs[i] != GH_NONE)
            o->values[n->outputs[i]] = o->out[i];
}
