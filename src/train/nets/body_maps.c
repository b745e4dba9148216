/* Bodies that a decoder or a head of boxes is put on: any network whose values lie over the picture, a
 * classifier, a network of masks or a detector. Nothing of it is run here. */
#include "train/nets/body.h"

#include "base/mem.h"
#include "engine/cut.h"
#include "engine/onnx.h"
#include "engine/op.h"
#include "train/nets/body_parts.h"
#include "train/nets/score_layer.h"
#include "train/nets/shapes.h"

#include <string.h>

#define LOWEST 5 /* level of stride 32 */

/* The value that the last node going below stride 32 reads, if any does: a detector's own heads hang on
 * values beside that way. */
static uint32_t way_down(const gh_graph *g, const gh_shapes *s)
{
    uint32_t way = GH_NONE;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        if (n->ninputs < 1 || n->noutputs < 1 || gh_shapes_level(s, n->inputs[0]) != LOWEST)
            continue;
        const gh_shape *out = &s->values[n->outputs[0]].shape;
        if (out->rank == 4 && out->dims[2] > 1 && out->dims[2] < s->height >> LOWEST)
            way = n->inputs[0];
    }
    return way;
}

/* The last of the widest values of stride 32 that `way` comes from: what a detector narrows on its way down
 * is for its own coarse heads. */
static gh_status widest_before(uint32_t *out, const gh_graph *g, const gh_shapes *s, uint32_t way, gh_err *e)
{
    int64_t most = 0;
    bool *on = gh_calloc(g->nvalues, sizeof *on);
    if (!on)
        return gh_fail(e, GH_NOMEM, "memory ran out at the body");
    on[way] = true;
    for (uint32_t i = g->nnodes; i-- > 0;) {
        const gh_node *n = &g->nodes[i];
        bool needed = false;
        for (uint32_t k = 0; k < n->noutputs; k++)
            needed |= n->outputs[k] != GH_NONE && on[n->outputs[k]];
        for (uint32_t k = 0; needed && k < n->ninputs; k++)
            if (n->inputs[k] != GH_NONE)
                on[n->inputs[k]] = true;
    }
    for (uint32_t i = 0; i < g->nnodes; i++) {
        uint32_t v = g->nodes[i].noutputs ? g->nodes[i].outputs[0] : GH_NONE;
        if (v == GH_NONE || !on[v] || gh_shapes_level(s, v) != LOWEST || s->values[v].shape.dims[1] < most)
            continue;
        most = s->values[v].shape.dims[1];
        *out = v;
    }
    gh_free(on);
    return GH_OK;
}

/* The last value of the lowest level there is, down to stride 32. */
static uint32_t last_of_lowest(const gh_graph *g, const gh_shapes *s)
{
    uint32_t last = GH_NONE;
    int lowest = 0;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        int level = g->nodes[i].noutputs ? gh_shapes_level(s, g->nodes[i].outputs[0]) : -1;
        if (level >= lowest && level <= LOWEST) {
            lowest = level;
            last = g->nodes[i].outputs[0];
        }
    }
    return last;
}

static gh_status lowest_cut(uint32_t *out, const gh_graph *g, const gh_shapes *s, gh_err *e)
{
    uint32_t way = way_down(g, s);
    if (way != GH_NONE)
        return widest_before(out, g, s, way, e);
    *out = last_of_lowest(g, s);
    return *out != GH_NONE ? GH_OK
                           : gh_fail(e, GH_UNSUPPORTED,
                                     "the body has no value that lies over the picture, so nothing can "
                                     "be put on it");
}

static gh_status default_cut(uint32_t *out, gh_graph *g, int width, int height, gh_err *e)
{
    gh_score_layer score;
    gh_shapes shapes = {0};
    if (gh_score_layer_find(&score, g)) {
        *out = g->nodes[score.node].inputs[0];
        return GH_OK;
    }
    *out = gh_graph_default_cut(g);
    if (*out != GH_NONE)
        return GH_OK;
    GH_TRY(gh_shapes_read(&shapes, g, width, height, true, e));
    gh_status status = lowest_cut(out, g, &shapes, e);
    gh_shapes_free(&shapes);
    return status;
}

static bool spans(const gh_node *n, const gh_shape *in)
{
    const gh_attr *kernel = gh_node_attr(n, "kernel_shape"), *pads = gh_node_attr(n, "pads");
    if (!kernel || kernel->type != GH_ATTR_INTS || kernel->count != 2 || in->rank != 4 ||
        kernel->ints[0] != in->dims[2] || kernel->ints[1] != in->dims[3])
        return false;
    for (size_t i = 0; pads && i < pads->count; i++)
        if (pads->type != GH_ATTR_INTS || pads->ints[i] != 0)
            return false;
    return true;
}

/* Pooling over all of the one size that the network was made for becomes pooling over all of any size. */
static gh_status free_pooling(gh_graph *g, const gh_manifest_input *in, gh_err *e)
{
    gh_shapes s = {0};
    if (in->width < 1 || in->height < 1)
        return GH_OK;
    GH_TRY(gh_shapes_read(&s, g, in->width, in->height, true, e));
    for (uint32_t i = 0; i < g->nnodes; i++) {
        gh_node *n = &g->nodes[i];
        bool average = strcmp(n->type, "AveragePool") == 0;
        if (*n->domain || (!average && strcmp(n->type, "MaxPool") != 0) || n->noutputs != 1 ||
            !spans(n, &s.values[n->inputs[0]].shape))
            continue;
        n->type = average ? "GlobalAveragePool" : "GlobalMaxPool";
        n->nattrs = 0;
    }
    gh_shapes_free(&s);
    return gh_graph_bind(g, e);
}

static gh_status read_graph(gh_graph **out, const gh_body *b, gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(gh_onnx_read(&g, b->file, e));
    gh_status status = free_pooling(g, &b->manifest->input, e);
    if (status == GH_OK) {
        g->values[g->inputs[0]].shape = gh_shape_of(4, (int64_t[]){-1, 3, -1, -1});
        *out = g;
    } else
        gh_graph_free(&g);
    return status;
}

static gh_status choose_cut(gh_body *b, const char *cut, int width, int height, gh_err *e)
{
    gh_graph *g = NULL;
    uint32_t value = GH_NONE;
    GH_TRY(read_graph(&g, b, e));
    gh_status status = cut ? gh_body_find_cut(&value, g, cut, e) : default_cut(&value, g, width, height, e);
    if (status == GH_OK && !(b->cut = gh_strdup(g->values[value].name)))
        status = gh_fail(e, GH_NOMEM, "memory ran out at the body");
    gh_graph_free(&g);
    return status;
}

gh_status gh_body_open_maps(gh_body **out, const char *path, const char *cut, int width, int height,
                            gh_err *e)
{
    gh_body *b = gh_calloc(1, sizeof *b);
    if (!b)
        return gh_fail(e, GH_NOMEM, "memory ran out at the body");
    gh_status status = gh_body_open_manifest(b, path, e);
    if (status == GH_OK)
        status = choose_cut(b, cut, width, height, e);
    if (status == GH_OK)
        status = gh_body_hash_file(b, e);
    if (status != GH_OK)
        gh_body_free(&b);
    else
        *out = b;
    return status;
}

gh_status gh_body_maps(gh_graph **out, const gh_body *b, bool whole, gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(read_graph(&g, b, e));
    uint32_t cut = gh_graph_find(g, b->cut);
    gh_status status = GH_OK;
    if (cut == GH_NONE)
        status = gh_fail(e, GH_INTERNAL, "the body has lost its value %s", b->cut);
    else if (!whole)
        status = gh_graph_cut(g, cut, e);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}
