/* Where each tensor of a tape's schedule lives in one block of memory: what an action may write over what it
 * reads last shares its place, then places are planned by lifetimes. */
#include "base/mem.h"
#include "train/tape/parts.h"

#include <string.h>

static uint32_t place_of(uint32_t *places, uint32_t b)
{
    while (places[b] != b)
        b = places[b];
    return b;
}

/* Lets buffer `out`, first written by action `at`, be the memory of `in` if that ends there. */
static bool merge(gh_tape *t, uint32_t *places, uint32_t in, uint32_t out, uint32_t at)
{
    if (in == GH_NONE || out == GH_NONE || places[out] != out)
        return false;
    in = place_of(places, in);
    gh_buffer *from = &t->buffers[in], *to = &t->buffers[out];
    if (in == out || from->last != at || to->first != at || from->bytes != to->bytes)
        return false;
    from->last = to->last;
    to->bytes = 0;
    places[out] = in;
    return true;
}

static void share(gh_tape *t, uint32_t *places, uint32_t at)
{
    const gh_tape_action *a = &t->actions[at];
    const gh_tape_slot *s = t->slots + a->slots;
    if (a->kind == GH_TAPE_LOSS)
        return;
    if (a->kind == GH_TAPE_ADD) {
        if (!merge(t, places, s[1].buffer, s[0].buffer, at))
            merge(t, places, s[2].buffer, s[0].buffer, at);
        return;
    }
    const gh_node *n = &t->graph->nodes[a->node];
    const gh_grad *row = t->nodes[a->node].row;
    if (a->kind == GH_TAPE_BACKWARD) {
        if (row->flags & GH_GRAD_INPLACE)
            merge(t, places, s[n->ninputs + n->noutputs].buffer, s[n->ninputs + 2 * n->noutputs].buffer, at);
        return;
    }
    bool own = row && row->forward, any = !own && (n->op->flags & GH_OP_INPLACE);
    uint32_t most = any ? n->ninputs : own && (row->flags & GH_GRAD_OUT_INPLACE) ? 1 : 0;
    for (uint32_t k = 0; k < most; k++) {
        uint32_t uses = 0;
        for (uint32_t j = 0; j < n->ninputs; j++)
            uses += s[j].buffer != GH_NONE && s[k].buffer != GH_NONE &&
                    place_of(places, s[j].buffer) == place_of(places, s[k].buffer);
        if (uses == 1 && merge(t, places, s[k].buffer, s[n->ninputs].buffer, at))
            return;
    }
}

static void give_address(gh_tape *t, gh_tape_slot *s)
{
    if (s->buffer != GH_NONE)
        s->t.data = t->memory + t->buffers[s->buffer].offset;
}

gh_status gh_tape_memory(gh_tape *t, gh_err *e)
{
    uint32_t *places = gh_calloc(t->nbuffers + 1u, sizeof *places);
    if (!places)
        return gh_fail(e, GH_NOMEM, "no memory for the tape");
    for (uint32_t i = 0; i < t->nbuffers; i++)
        places[i] = i;
    for (uint32_t i = 0; i < t->nactions; i++)
        share(t, places, i);
    gh_status status = gh_memplan(&t->bytes, t->buffers, t->nbuffers, e);
    for (uint32_t i = 0; i < t->nbuffers && !status; i++)
        t->buffers[i].offset = t->buffers[place_of(places, i)].offset;
    gh_free(places);
    if (status)
        return status;
    t->memory = gh_alloc_aligned(t->bytes + GH_ALIGN);
    t->saved = gh_alloc_aligned(t->saved_bytes + GH_ALIGN);
    t->scratch = gh_alloc_aligned(t->scratch_floats * sizeof(float) + GH_ALIGN);
    if (!t->memory || !t->saved || !t->scratch)
        return gh_fail(e, GH_NOMEM, "no memory for %zu MB of activations and gradients",
                       (t->bytes + t->saved_bytes + t->scratch_floats * sizeof(float)) >> 20);
    memset(t->saved, 0, t->saved_bytes + GH_ALIGN);
    for (uint32_t i = 0; i < t->nslots; i++)
        give_address(t, &t->slots[i]);
    for (uint32_t i = 0; i < t->graph->ninputs; i++)
        give_address(t, &t->inputs[i]);
    for (uint32_t i = 0; i < t->graph->noutputs; i++) {
        give_address(t, &t->outputs[i]);
        give_address(t, &t->output_gradients[i]);
    }
    return GH_OK;
}
