/* Places of a plan's buffers: parts of a concatenation are computed where it wants them, outputs may take the
 * place of an input that ends there, then an arena for what is left. */
#include "base/mem.h"
#include "engine/plan.h"

/* Where a buffer stands: `offset` bytes into the buffer `root`, which stands for itself. */
typedef struct spot {
    uint32_t root;
    size_t offset;
} spot;

/* Puts the inputs of a step that only strings them together into its output, if nothing else placed them. */
static void join_parts(gh_plan *p, spot *spots, uint32_t at)
{
    const gh_step *s = &p->steps[at];
    uint32_t out = p->operands[s->out].buffer;
    size_t offset = 0;
    if (!s->strings || out == GH_NONE)
        return;
    gh_buffer *whole = &p->buffers[spots[out].root];
    for (uint32_t i = 0; i < s->nin; i++) {
        uint32_t in = p->operands[s->in + i].buffer;
        size_t bytes = gh_blocked_count(&p->operands[s->in + i].t.shape, p->net->k->block) * sizeof(float);
        if (in != GH_NONE && spots[in].root == in && offset % GH_ALIGN == 0 && in != spots[out].root) {
            gh_buffer *part = &p->buffers[in];
            whole->first = part->first < whole->first ? part->first : whole->first;
            whole->last = part->last > whole->last ? part->last : whole->last;
            part->bytes = 0;
            spots[in] = (spot){spots[out].root, spots[out].offset + offset};
        }
        offset += bytes;
    }
}

static void share(gh_plan *p, spot *spots, uint32_t at)
{
    const gh_step *s = &p->steps[at];
    uint32_t out = p->operands[s->out].buffer;
    if (!s->inplace || s->nout != 1 || out == GH_NONE || spots[out].root != out)
        return;
    for (uint32_t i = s->nin; i-- > 0;) {
        /* a convolution's residual is its last input; its source must stay intact */
        if (s->packed && i + 1 < s->nin)
            return;
        uint32_t in = p->operands[s->in + i].buffer, same = 0;
        if (in == GH_NONE)
            continue;
        in = spots[in].root;
        for (uint32_t k = 0; k < s->nin; k++)
            same +=
                p->operands[s->in + k].buffer != GH_NONE && spots[p->operands[s->in + k].buffer].root == in;
        if (same == 1 && p->buffers[in].last == at && p->buffers[in].bytes == p->buffers[out].bytes) {
            p->buffers[in].last = p->buffers[out].last;
            p->buffers[out].bytes = 0;
            spots[out] = (spot){in, 0};
            return;
        }
    }
}

gh_status gh_plan_memory(gh_plan *p, gh_err *e)
{
    spot *spots = gh_calloc(p->nbuffers + 1u, sizeof *spots);
    if (!spots)
        return gh_fail(e, GH_NOMEM, "no memory for a plan");
    for (uint32_t i = 0; i < p->nbuffers; i++)
        spots[i].root = i;
    for (uint32_t i = p->nsteps; i-- > 0;) /* a part may be strung together itself */
        join_parts(p, spots, i);
    for (uint32_t i = 0; i < p->nsteps; i++)
        share(p, spots, i);
    gh_status status = gh_memplan(&p->bytes, p->buffers, p->nbuffers, e);
    for (uint32_t i = 0; i < p->nbuffers && !status; i++)
        p->buffers[i].offset = p->buffers[spots[i].root].offset + spots[i].offset;
    gh_free(spots);
    if (!status && p->bytes > GH_MAX_ARENA)
        status = gh_fail(e, GH_LIMIT, "the model needs %zu MB for its activations; at most %zu are accepted",
                         p->bytes >> 20, GH_MAX_ARENA >> 20);
    return status;
}
