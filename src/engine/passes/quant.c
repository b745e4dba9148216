/* Quantised networks bring their activations to bytes and back before each layer. With one scale for all,
 * that is one rounding on float32, which keeps the blocked layout. */
#include "engine/passes/passes.h"

#include <string.h>

/* True when both values are constants of one element, the same one. */
static bool same_scalar(const gh_graph *g, uint32_t a, uint32_t b)
{
    size_t n = 0, m = 0;
    if (a == GH_NONE || b == GH_NONE)
        return false;
    const gh_value *x = &g->values[a], *y = &g->values[b];
    return x->data && y->data && x->type == y->type && gh_shape_count(&n, &x->shape) && n == 1 &&
           gh_shape_count(&m, &y->shape) && m == 1 && memcmp(x->data, y->data, gh_dtype_size(x->type)) == 0;
}

/* The QuantizeLinear that node n takes back, or NULL. Without zero points its type would stand nowhere. */
static const gh_node *pair_of(const gh_graph *g, const gh_node *n)
{
    if (n->dead || *n->domain || strcmp(n->type, "DequantizeLinear") != 0 || n->ninputs != 3 ||
        n->inputs[0] == GH_NONE || g->values[n->inputs[0]].producer == GH_NONE)
        return NULL;
    const gh_node *q = &g->nodes[g->values[n->inputs[0]].producer];
    if (*q->domain || strcmp(q->type, "QuantizeLinear") != 0 || q->ninputs != 3 ||
        gh_node_int(q, "block_size", 0) != 0 || gh_node_int(n, "block_size", 0) != 0 ||
        !same_scalar(g, q->inputs[1], n->inputs[1]) || !same_scalar(g, q->inputs[2], n->inputs[2]))
        return NULL;
    gh_dtype type = g->values[n->inputs[2]].type;
    return type == GH_U8 || type == GH_I8 ? q : NULL;
}

/* The QuantizeLinear stays for whoever else reads it; else it is dead. */
gh_status gh_pass_quant(gh_graph *g, gh_err *e)
{
    const gh_op *op = gh_op_find(GH_DOMAIN, GH_QUANT_ROUND, 1);
    (void)e;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        gh_node *n = &g->nodes[i];
        const gh_node *q = pair_of(g, n);
        if (!q)
            continue;
        n->op = op;
        n->type = op->type;
        n->domain = op->domain;
        n->inputs[0] = q->inputs[0];
    }
    return GH_OK;
}
