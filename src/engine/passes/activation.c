/* Activation fusion: the node before computes it in its epilogue. */
#include "base/mem.h"
#include "engine/passes/passes.h"

/* What gh_act_of needs of a node: constant bounds of a Clip. */
static gh_status act_of(gh_graph *g, const gh_node *n, gh_act *act, gh_err *e)
{
    gh_tensor in[3];
    for (uint32_t i = 0; i < n->ninputs && i < 3; i++) {
        in[i] = (gh_tensor){.shape.rank = -1};
        if (i == 0 || n->inputs[i] == GH_NONE)
            continue;
        const gh_value *v = &g->values[n->inputs[i]];
        if (!v->data || v->type != GH_F32) { /* bounds of an integer Clip stay where they are */
            act->kind = GH_ACT_NONE;
            return GH_OK;
        }
        in[i] = (gh_tensor){v->type, v->shape, (void *)(uintptr_t)v->data};
    }
    gh_io io = {.node = n, .in = in, .nin = n->ninputs, .e = e};
    return gh_act_of(&io, act);
}

gh_status gh_pass_activation(gh_graph *g, gh_err *e)
{
    uint32_t *uses = gh_graph_uses(g);
    gh_status status = uses ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the passes");
    for (uint32_t i = 0; i < g->nnodes && status == GH_OK; i++) {
        gh_node *n = &g->nodes[i];
        gh_act act = {GH_ACT_NONE, 0, 0};
        if (n->dead || !(n->op->flags & GH_OP_ACTIVATION) || n->inputs[0] == GH_NONE)
            continue;
        uint32_t from = g->values[n->inputs[0]].producer;
        if (from == GH_NONE || uses[n->inputs[0]] != 1)
            continue;
        gh_node *before = &g->nodes[from];
        if (!(before->op->flags & GH_OP_FUSES) || before->act.kind != GH_ACT_NONE)
            continue;
        status = act_of(g, n, &act, e);
        if (status || act.kind == GH_ACT_NONE)
            continue;
        before->act = act;
        before->outputs[0] = n->outputs[0];
        g->values[n->outputs[0]].producer = from;
        n->dead = true;
    }
    gh_free(uses);
    return status ? status : gh_graph_sort(g, e);
}
