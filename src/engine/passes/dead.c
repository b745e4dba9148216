/* Dead nodes: walks back from the outputs. Nodes stand in topological order, so one pass from the end
 * suffices. */
#include "base/mem.h"
#include "engine/passes/passes.h"

gh_status gh_pass_dead(gh_graph *g, gh_err *e)
{
    bool *needed = gh_calloc(g->nvalues + 1u, sizeof *needed);
    if (!needed)
        return gh_fail(e, GH_NOMEM, "no memory for the passes");
    for (uint32_t i = 0; i < g->noutputs; i++)
        needed[g->outputs[i]] = true;
    for (uint32_t i = g->nnodes; i-- > 0;) {
        gh_node *n = &g->nodes[i];
        bool used = false;
        for (uint32_t k = 0; k < n->noutputs; k++)
            used |= n->outputs[k] != GH_NONE && needed[n->outputs[k]];
        n->dead |= !used;
        for (uint32_t k = 0; !n->dead && k < n->ninputs; k++)
            if (n->inputs[k] != GH_NONE)
                needed[n->inputs[k]] = true;
    }
    gh_free(needed);
    return gh_graph_sort(g, e);
}
