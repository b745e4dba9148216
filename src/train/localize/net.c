/* The networks of a run: the body with the head on it, and the head alone, whose weights go by name. */
#include "train/localize/parts.h"

#include "engine/cut.h"

#include <string.h>

static gh_status check_size(const gh_localize_run *r)
{
    gh_size s = r->o->size;
    if (s.width % 32 || s.height % 32 || s.width < 64 || s.height < 64 || s.width > GH_MAX_SIDE ||
        s.height > GH_MAX_SIDE)
        return gh_fail(r->e, GH_ARG, "--size %dx%d: each side has to be a multiple of 32 from 64 to %d",
                       s.width, s.height, GH_MAX_SIDE);
    return GH_OK;
}

static void set_input(gh_localize_run *r)
{
    gh_manifest_input *in = &r->input;
    *in = r->body->manifest->input;
    in->width = r->o->size.width;
    in->height = r->o->size.height;
    in->fit = r->o->fit;
    in->crop = 1;
    in->nsizes = in->stride = 0;
    in->content = (gh_size){0};
    if (in->filter == GH_FILTER_BILINEAR_PLAIN)
        in->filter = GH_FILTER_BILINEAR;
}

/* The body up to its cut, and its values at each stride. */
static gh_status read_body(gh_graph **out, gh_taps *taps, const gh_localize_run *r)
{
    gh_graph *g = NULL;
    GH_TRY(gh_body_maps(&g, r->body, false, r->e));
    g->values[g->inputs[0]].shape = gh_shape_of(4, (int64_t[]){-1, 3, r->input.height, r->input.width});
    gh_status status = gh_taps_find(taps, g, r->input.width, r->input.height, r->e);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}

static gh_status build_whole(gh_graph **out, const gh_localize_run *r)
{
    gh_graph *g = NULL;
    gh_taps taps;
    GH_TRY(read_body(&g, &taps, r));
    gh_status status = gh_box_head_add(g, &taps, &r->head, r->e);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}

/* The head on inputs of its own, and the body that gives them. */
static gh_status build_alone(gh_localize_run *r)
{
    gh_graph *body = NULL;
    gh_taps taps, inputs;
    uint32_t outputs[GH_TAP_LEVELS];
    int first = 0;
    GH_TRY(read_body(&body, &taps, r));
    gh_status status = gh_box_head_levels(&first, &taps, &r->head, r->e);
    if (status == GH_OK)
        status = gh_graph_new(&r->alone, r->e);
    inputs = taps;
    for (int i = first; status == GH_OK && i <= taps.deepest; i++) {
        gh_shape one = gh_shape_of(
            4, (int64_t[]){r->o->batch, taps.at[i].channels, r->input.height >> i, r->input.width >> i});
        r->inputs[r->levels] = one;
        one.dims[0] = -1;
        inputs.at[i].value = gh_graph_input(r->alone, body->values[taps.at[i].value].name, GH_F32, one);
        outputs[r->levels++] = taps.at[i].value;
    }
    if (status == GH_OK)
        status = gh_box_head_add(r->alone, &inputs, &r->head, r->e);
    if (status == GH_OK)
        status = gh_box_head_keep(body, outputs, (size_t)r->levels, r->e);
    if (status == GH_OK)
        status =
            gh_localize_features_open(&r->features, &body, &r->input, gh_pool_size(r->o->learn.pool), r->e);
    gh_graph_free(&body);
    return status;
}

gh_status gh_localize_net(gh_localize_run *r)
{
    GH_TRY(check_size(r));
    GH_TRY(gh_body_open_maps(&r->body, r->o->body, r->o->cut, r->o->size.width, r->o->size.height, r->e));
    set_input(r);
    r->head = r->o->head;
    r->head.classes = (int)r->data->nclasses;
    r->head.in_width = r->input.width;
    r->head.in_height = r->input.height;
    r->head.seed = r->o->learn.seed;
    GH_TRY(build_whole(&r->graph, r));
    return build_alone(r);
}

gh_status gh_localize_tape(gh_localize_run *r, const gh_shape *inputs)
{
    const gh_tape_options o = {.inputs = inputs,
                               .frozen_norms = false,
                               .checkpointing = r->whole && r->o->checkpointing,
                               .pool = r->o->learn.pool};
    gh_tape_free(&r->tape);
    return gh_tape_new(&r->tape, r->whole ? r->graph : r->alone, &o, r->e);
}

/* ---- weights by name ---- */

static bool is_weight(const gh_graph *g, uint32_t v)
{
    return g->values[v].data && strncmp(g->values[v].name, GH_BOX_HEAD, strlen(GH_BOX_HEAD)) == 0;
}

/* Each of the head's constants in `to` from that in `from`: its elements, or only where they stand. */
static gh_status move_weights(gh_graph *to, const gh_graph *from, bool borrow, gh_err *e)
{
    for (uint32_t v = 0; v < from->nvalues; v++) {
        size_t count = 0, same = 0;
        if (!is_weight(from, v))
            continue;
        uint32_t at = gh_graph_find(to, from->values[v].name);
        if (at == GH_NONE || !to->values[at].data || !gh_shape_count(&count, &from->values[v].shape) ||
            !gh_shape_count(&same, &to->values[at].shape) || count != same)
            return gh_fail(e, GH_INTERNAL, "the head has lost its weights %s", from->values[v].name);
        if (borrow)
            to->values[at].data = from->values[v].data;
        else /* ours, in the arena */
            memcpy((void *)(uintptr_t)to->values[at].data, from->values[v].data,
                   count * gh_dtype_size(from->values[v].type));
    }
    return GH_OK;
}

gh_status gh_localize_join(gh_localize_run *r)
{
    return move_weights(r->graph, r->alone, false, r->e);
}

gh_status gh_localize_served(gh_graph **out, const gh_localize_run *r, const gh_graph *g)
{
    gh_graph *s = NULL;
    gh_status status;
    if (r->whole)
        status = gh_graph_copy(&s, g, r->e);
    else {
        status = gh_graph_copy(&s, r->graph, r->e);
        if (status == GH_OK)
            status = move_weights(s, g, true, r->e);
    }
    if (status == GH_OK)
        status = gh_box_head_finish(s, &r->head, r->e);
    if (status == GH_OK)
        *out = s;
    else
        gh_graph_free(&s);
    return status;
}

void gh_localize_net_free(gh_localize_run *r)
{
    gh_localize_features_close(&r->features);
    gh_tape_free(&r->tape);
    gh_graph_free(&r->alone);
    gh_graph_free(&r->graph);
    gh_body_free(&r->body);
}
