/* Places of a plan's buffers: outputs that may take the place of an input that ends there, then an arena for
 * what is left. */
#include "base/mem.h"
#include "engine/plan.h"

static void share(gh_plan *p, uint32_t *root, uint32_t at)
{
    const gh_step *s = &p->steps[at];
    uint32_t out = p->operands[s->out].buffer;
    if (!s->inplace || s->nout != 1 || out == GH_NONE)
        return;
    for (uint32_t i = s->nin; i-- > 0;) {
        /* a convolution's residual is its last input; its source must stay intact */
        if (s->packed && i + 1 < s->nin)
            return;
        uint32_t in = p->operands[s->in + i].buffer, same = 0;
        if (in == GH_NONE)
            continue;
        in = root[in];
        for (uint32_t k = 0; k < s->nin; k++)
            same += p->operands[s->in + k].buffer != GH_NONE && root[p->operands[s->in + k].buffer] == in;
        if (same == 1 && p->buffers[in].last == at && p->buffers[in].bytes == p->buffers[out].bytes) {
            p->buffers[in].last = p->buffers[out].last;
            p->buffers[out].bytes = 0;
            root[out] = in;
            return;
        }
    }
}

gh_status gh_plan_memory(gh_plan *p, gh_err *e)
{
    uint32_t *root = gh_calloc(p->nbuffers + 1u, sizeof *root);
    if (!root)
        return gh_fail(e, GH_NOMEM, "no memory for a plan");
    for (uint32_t i = 0; i < p->nbuffers; i++)
        root[i] = i;
    for (uint32_t i = 0; i < p->nsteps; i++)
        share(p, root, i);
    gh_status status = gh_memplan(&p->bytes, p->buffers, p->nbuffers, e);
    for (uint32_t i = 0; i < p->nbuffers && !status; i++)
        p->buffers[i].offset = p->buffers[root[i]].offset;
    gh_free(root);
    if (!status && p->bytes > GH_MAX_ARENA)
        status = gh_fail(e, GH_LIMIT, "the model needs %zu MB for its activations; at most %zu are accepted",
                         p->bytes >> 20, GH_MAX_ARENA >> 20);
    return status;
}
