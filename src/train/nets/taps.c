/* Shapes of all values at one size, then the last one of each stride in the order of the nodes. */
#include "train/nets/taps.h"

#include "train/nets/shapes.h"

#include <string.h>

static bool is_two(const gh_node *n, const char *name, int64_t value, bool needed)
{
    const gh_attr *a = gh_node_attr(n, name);
    if (!a)
        return !needed;
    for (size_t i = 0; i < a->count; i++)
        if (a->type != GH_ATTR_INTS || a->ints[i] != value)
            return false;
    return true;
}

/* What MaxUnpool can undo: windows of 2 x 2 that do not overlap. */
static bool is_plain_pool(const gh_node *n)
{
    return strcmp(n->type, "MaxPool") == 0 && !*n->domain && is_two(n, "kernel_shape", 2, true) &&
           is_two(n, "strides", 2, true) && is_two(n, "pads", 0, false) && is_two(n, "dilations", 1, false) &&
           gh_node_int(n, "ceil_mode", 0) == 0 && gh_node_int(n, "storage_order", 0) == 0;
}

static void collect(gh_taps *out, const gh_graph *g, const gh_shapes *s)
{
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        if (n->dead || n->noutputs < 1)
            continue;
        int from = n->ninputs ? gh_shapes_level(s, n->inputs[0]) : -1, to = gh_shapes_level(s, n->outputs[0]);
        if (to < 0 || to >= GH_TAP_LEVELS)
            continue;
        out->at[to].value = n->outputs[0];
        out->at[to].channels = (int)s->values[n->outputs[0]].shape.dims[1];
        if (from + 1 == to && from >= 0 && is_plain_pool(n)) {
            out->at[from].pool = i;
            out->at[from].pool_channels = (int)s->values[n->inputs[0]].shape.dims[1];
        }
    }
}

static gh_status judge(gh_taps *t, gh_err *e)
{
    for (int i = 0; i < GH_TAP_LEVELS; i++)
        if (t->at[i].value != GH_NONE)
            t->deepest = i;
    if (t->deepest < 2)
        return gh_fail(e, GH_UNSUPPORTED,
                       "the body has no values at a quarter of the picture's size or less that lie over the "
                       "picture, so no decoder can be put on it");
    for (int i = 2; i <= t->deepest; i++)
        if (t->at[i].value == GH_NONE)
            return gh_fail(
                e, GH_UNSUPPORTED,
                "the body goes down to stride %d, but has nothing at stride %d; a decoder goes up in "
                "steps of 2",
                1 << t->deepest, 1 << i);
    return GH_OK;
}

gh_status gh_taps_find(gh_taps *out, gh_graph *g, int width, int height, gh_err *e)
{
    gh_shapes shapes = {0};
    gh_taps taps = {.deepest = -1};
    for (int i = 0; i < GH_TAP_LEVELS; i++)
        taps.at[i] = (gh_tap){.value = GH_NONE, .pool = GH_NONE};
    GH_TRY(gh_shapes_read(&shapes, g, width, height, false, e));
    collect(&taps, g, &shapes);
    gh_shapes_free(&shapes);
    GH_TRY(judge(&taps, e));
    *out = taps;
    return GH_OK;
}
