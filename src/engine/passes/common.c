/* What the passes share. */
#include "engine/passes/passes.h"

#include "base/mem.h"

#include <string.h>

/* Adds the elements of a row of tensors, left out ones aside; false when a shape is not known. */
static bool add_elements(double *sum, const gh_tensor *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t count = 0;
        if (t[i].type != GH_UNKNOWN && !gh_shape_count(&count, &t[i].shape))
            return false;
        *sum += (double)count;
    }
    return true;
}

bool gh_budget_take(gh_budget *b, const gh_io *io)
{
    double elements = 0, work = io->node->op->macs ? io->node->op->macs(io) : 0;
    bool reads = !(io->node->op->flags & GH_OP_SHAPE);
    if (!add_elements(&elements, io->out, io->nout) || (reads && !add_elements(&work, io->in, io->nin)))
        return false;
    work += elements;
    if (elements > b->elements || work > b->work)
        return false;
    b->elements -= elements;
    b->work -= work;
    return true;
}

uint32_t *gh_graph_uses(const gh_graph *g)
{
    uint32_t *uses = gh_calloc(g->nvalues + 1u, sizeof *uses);
    if (!uses)
        return NULL;
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; !g->nodes[i].dead && k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] != GH_NONE)
                uses[g->nodes[i].inputs[k]]++;
    for (uint32_t i = 0; i < g->noutputs; i++)
        uses[g->outputs[i]]++;
    return uses;
}

const void *gh_graph_elements(gh_graph *g, uint32_t value)
{
    gh_value *v = &g->values[value];
    gh_tensor t = {v->type, v->shape, (void *)(uintptr_t)v->data};
    size_t count = 0;
    if (gh_tensor_aligned(&t))
        return v->data;
    GH_ASSERT(gh_shape_count(&count, &v->shape));
    void *copy = gh_arena_array(g->arena, count ? count : 1, gh_dtype_size(v->type));
    if (!copy)
        return NULL;
    memcpy(copy, v->data, count * gh_dtype_size(v->type));
    v->data = copy;
    v->own = true;
    return copy;
}
