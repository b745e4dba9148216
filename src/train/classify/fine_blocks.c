/* Which weights are learnt when the last blocks of a body are. A block is what lies between two places where
 * the network can be cut and holds a convolution: a residual block, or a layer that stands alone. */
#include "train/classify/fine_parts.h"

#include "base/mem.h"
#include "engine/cut.h"
#include "train/nets/grey.h"

#include <string.h>

static bool is_convolution(const gh_node *n)
{
    return strcmp(n->type, "Conv") == 0 || strcmp(n->type, "ConvTranspose") == 0;
}

/* How many of `blocks` are left after walking back from the end, and the first node of the last one. */
static int walk_back(uint32_t *first, const gh_graph *g, const bool *cut_after, int blocks)
{
    int seen = 0;
    bool holds = false;
    *first = g->nnodes;
    for (uint32_t i = g->nnodes; i-- > 0;) {
        if (cut_after[i]) { /* a block ends here, so the one behind it is whole */
            seen += holds;
            holds = false;
            if (seen == blocks)
                return seen;
        }
        holds |= is_convolution(&g->nodes[i]);
        *first = i;
    }
    return seen + holds;
}

gh_status gh_fine_choose(bool *learns, const gh_graph *g, int blocks, gh_err *e)
{
    uint32_t *cuts = NULL, first = 0;
    size_t ncuts = 0;
    bool *cut_after = gh_calloc(g->nnodes + 1u, sizeof *cut_after);
    if (!cut_after)
        return gh_fail(e, GH_NOMEM, "no memory for the blocks of the body");
    gh_status status = gh_graph_cuts(&cuts, &ncuts, g, e);
    for (size_t i = 0; !status && i < ncuts; i++)
        if (g->values[cuts[i]].producer != GH_NONE)
            cut_after[g->values[cuts[i]].producer] = true;
    if (!status && blocks >= 0) {
        int there = walk_back(&first, g, cut_after, blocks);
        if (there < blocks)
            status = gh_fail(e, GH_ARG, "--unfreeze is %d, and the body has %d blocks; 1 to %d or all",
                             blocks, there, there);
    }
    for (uint32_t i = first; !status && i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs; k++) {
            uint32_t v = g->nodes[i].inputs[k];
            if (v != GH_NONE && g->values[v].data && !gh_grey_is(g->values[v].name))
                learns[v] = true;
        }
    gh_free(cuts);
    gh_free(cut_after);
    return status;
}
