/* Additions that a convolution computes with its own result, as at the end of a residual block. */
#include "engine/plan_parts.h"

#include <string.h>

bool gh_plan_constant(const gh_plan_builder *b, uint32_t v)
{
    return v == GH_NONE || b->g->values[v].data;
}

/* The node that gives value v, when it is a convolution that nobody else reads and that can take a residual:
 * one that conv_prepare accepts. */
static uint32_t joinable(const gh_plan_builder *b, uint32_t v)
{
    uint32_t from = b->g->values[v].producer;
    if (from == GH_NONE || b->uses[v] != 1 || b->joined[from] != GH_NONE)
        return GH_NONE;
    const gh_node *n = &b->g->nodes[from];
    if (strcmp(n->type, "Conv") != 0 || n->act.kind != GH_ACT_NONE || b->values[v].shape.rank != 4)
        return GH_NONE;
    bool packs = gh_plan_constant(b, n->inputs[1]) && (n->ninputs < 3 || gh_plan_constant(b, n->inputs[2]));
    return packs && !b->values[n->inputs[0]].data ? from : GH_NONE;
}

static bool groups_fit(const gh_plan_builder *b, uint32_t node)
{
    const gh_node *n = &b->g->nodes[node];
    const gh_shape *w = &b->values[n->inputs[1]].shape;
    int64_t groups = gh_node_int(n, "group", 1);
    return groups == 1 || (w->dims[1] == 1 && groups == w->dims[0]);
}

void gh_plan_join(gh_plan_builder *b)
{
    for (uint32_t i = 0; i < b->g->nnodes; i++)
        b->joined[i] = GH_NONE;
    if (!(b->net->passes & GH_PASS_LAYOUT) || !(b->net->passes & GH_PASS_FUSE))
        return;
    for (uint32_t i = 0; i < b->g->nnodes; i++) {
        const gh_node *n = &b->g->nodes[i];
        if (strcmp(n->type, "Add") != 0 || *n->domain)
            continue;
        const gh_tensor *x = &b->values[n->inputs[0]], *y = &b->values[n->inputs[1]];
        if (x->type != GH_F32 || x->data || y->data || !gh_shape_equal(&x->shape, &y->shape))
            continue;
        uint32_t p = joinable(b, n->inputs[0]), q = joinable(b, n->inputs[1]);
        uint32_t conv = p == GH_NONE ? q : q == GH_NONE ? p : p > q ? p : q; /* the later one waits less */
        if (conv == GH_NONE || !groups_fit(b, conv))
            continue;
        b->joined[i] = b->joined[conv] = conv;
    }
}
