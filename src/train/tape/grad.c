/* The table of gradients, and what its rows share. */
#include "train/tape/grad.h"

#include <string.h>

static const struct {
    const gh_grad *rows;
    const size_t *count;
} families[] = {
#define GH_GRADS(family) {gh_grads_##family, &gh_grads_##family##_count},
#include "train/tape/grads.inc"
#undef GH_GRADS
};

const gh_grad *gh_grad_find(const gh_node *n)
{
    for (size_t f = 0; f < GH_COUNT(families) && *n->domain == 0; f++)
        for (size_t i = 0; i < *families[f].count; i++)
            if (strcmp(families[f].rows[i].type, n->type) == 0)
                return &families[f].rows[i];
    return NULL;
}

gh_io gh_grad_io(const gh_grad_exec *x)
{
    return (gh_io){.node = x->node,
                   .opset = x->opset,
                   .in = x->in,
                   .nin = x->nin,
                   .out = (gh_tensor *)(uintptr_t)x->out,
                   .nout = x->nout,
                   .e = x->e};
}

void gh_grad_for(const gh_grad_exec *x, int units, gh_range_fn fn, const void *job)
{
    gh_pool_range(x->pool, units, fn, job);
}

size_t gh_grad_count(const gh_tensor *t)
{
    return gh_shape_span(&t->shape, 0, t->shape.rank);
}
