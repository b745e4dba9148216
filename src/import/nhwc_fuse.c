/* Constant factors and addends, one a channel, are joined to the convolution before them: what
 * training left as batch normalisation costs nothing at run time then. In double precision, so that the one
 * rounding left is that of storing a weight. */
#include "import/nhwc_parts.h"

#include "base/mem.h"

#include <string.h>

typedef struct fuser {
    gh_graph *g;
    uint32_t *uses;
} fuser;

static bool is(const gh_node *n, const char *type)
{
    return strcmp(n->type, type) == 0;
}

static gh_node *producer(const fuser *f, uint32_t value)
{
    uint32_t n = value == GH_NONE ? GH_NONE : f->g->values[value].producer;
    return n == GH_NONE ? NULL : &f->g->nodes[n];
}

/* The layer that makes `value` for one reader alone, or NULL. Conv: out channels on axis 0 of the weights. */
static gh_node *layer_of(const fuser *f, uint32_t value)
{
    gh_node *n = producer(f, value);
    if (!n || n->dead || f->uses[value] != 1 || !is(n, "Conv"))
        return NULL;
    const gh_value *w = &f->g->values[n->inputs[1]];
    bool bias_known = n->ninputs < 3 || n->inputs[2] == GH_NONE || f->g->values[n->inputs[2]].data;
    return w->data && w->type == GH_F32 && bias_known ? n : NULL;
}

/* What an addition of a constant can be joined to, looking through the addition of a residual. */
static gh_node *layer_before(const fuser *f, uint32_t value, bool through)
{
    gh_node *layer = layer_of(f, value), *sum = producer(f, value);
    if (layer || !through || !sum || sum->dead || f->uses[value] != 1 || !is(sum, "Add"))
        return layer;
    layer = layer_of(f, sum->inputs[0]);
    return layer ? layer : layer_of(f, sum->inputs[1]);
}

/* The constant of a node on a channel or on all, or NULL; *other is the operand beside it. */
static const gh_value *constant_of(const fuser *f, const gh_node *n, int64_t channels, uint32_t *other)
{
    for (uint32_t i = 0; i < 2; i++) {
        const gh_value *v = &f->g->values[n->inputs[i]];
        size_t count = 0;
        if (!v->data || v->type != GH_F32 || !gh_shape_count(&count, &v->shape) || v->shape.rank > 4)
            continue;
        bool row = v->shape.rank == 4 && v->shape.dims[1] == channels && count == (size_t)channels;
        *other = n->inputs[1 - i];
        return count == 1 || row ? v : NULL;
    }
    return NULL;
}

static float at(const gh_value *v, int64_t channel)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &v->shape));
    return ((const float *)v->data)[count == 1 ? 0 : channel];
}

static void scale_layer(fuser *f, gh_node *layer, const gh_value *factor)
{
    gh_graph *g = f->g;
    gh_value w = g->values[layer->inputs[1]], k = *factor;
    int64_t channels = w.shape.dims[0];
    size_t each = gh_shape_span(&w.shape, 1, w.shape.rank);
    float *data = NULL;
    uint32_t value = gh_graph_const_f32(g, w.name, w.shape, &data);
    for (int64_t c = 0; data && c < channels; c++)
        for (size_t i = 0; i < each; i++)
            data[(size_t)c * each + i] =
                (float)((double)((const float *)w.data)[(size_t)c * each + i] * at(&k, c));
    layer->inputs[1] = value;
}

static void scale_bias(fuser *f, gh_node *layer, const gh_value *factor)
{
    if (layer->ninputs < 3 || layer->inputs[2] == GH_NONE)
        return;
    gh_value bias = f->g->values[layer->inputs[2]], k = *factor;
    float *data = NULL;
    uint32_t value = gh_graph_const_f32(f->g, bias.name, bias.shape, &data);
    for (int64_t c = 0; data && c < bias.shape.dims[0]; c++)
        data[c] = (float)((double)((const float *)bias.data)[c] * at(&k, c));
    layer->inputs[2] = value;
}

/* A third input for a layer without bias. */
static void grow_inputs(gh_graph *g, gh_node *layer)
{
    uint32_t *inputs = gh_arena_array(g->arena, 3, sizeof *inputs);
    if (!inputs) {
        g->failed = GH_NOMEM;
        g->failure = "no memory to join constants";
        return;
    }
    memcpy(inputs, layer->inputs, 2 * sizeof *inputs);
    inputs[2] = GH_NONE;
    layer->inputs = inputs;
    layer->ninputs = 3;
}

static void add_bias(fuser *f, gh_node *layer, const gh_value *addend, double sign)
{
    gh_graph *g = f->g;
    gh_value k = *addend;
    int64_t channels = g->values[layer->inputs[1]].shape.dims[0];
    const float *before = NULL;
    float *data = NULL;
    if (layer->ninputs < 3)
        grow_inputs(g, layer);
    if (g->failed)
        return;
    if (layer->inputs[2] != GH_NONE)
        before = g->values[layer->inputs[2]].data;
    uint32_t value = gh_graph_const_f32(g, k.name, gh_shape_of(1, (int64_t[]){channels}), &data);
    for (int64_t c = 0; data && c < channels; c++)
        data[c] = (float)((before ? (double)before[c] : 0) + sign * at(&k, c));
    layer->inputs[2] = value;
}

/* Every reader of `from` (one node, or the graph's outputs) is given `to`, which takes over the name. */
static void replace(fuser *f, uint32_t from, uint32_t to)
{
    gh_graph *g = f->g;
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; !g->nodes[i].dead && k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] == from)
                g->nodes[i].inputs[k] = to;
    for (uint32_t i = 0; i < g->noutputs; i++)
        if (g->outputs[i] == from)
            g->outputs[i] = to;
    f->uses[to] = f->uses[from];
    g->values[to].name = g->values[from].name;
}

/* Joins node n where it can be; true when it is gone. */
static bool join(fuser *f, gh_node *n)
{
    bool mul = is(n, "Mul"), sub = is(n, "Sub");
    uint32_t other = GH_NONE;
    if ((!mul && !sub && !is(n, "Add")) || n->ninputs != 2)
        return false;
    const gh_value *out = &f->g->values[n->outputs[0]];
    if (out->shape.rank != 4)
        return false;
    const gh_value *k = constant_of(f, n, out->shape.dims[1], &other);
    if (!k || (sub && other != n->inputs[0]) || !gh_shape_equal(&f->g->values[other].shape, &out->shape))
        return false;
    gh_node *layer = layer_before(f, other, !mul);
    if (!layer)
        return false;
    if (mul) {
        scale_layer(f, layer, k);
        k = constant_of(f, n, out->shape.dims[1], &other); /* the table of values may have moved */
        scale_bias(f, layer, k);
    } else {
        add_bias(f, layer, k, sub ? -1 : 1);
    }
    n->dead = true;
    replace(f, n->outputs[0], other);
    return true;
}

gh_status gh_nhwc_fuse(gh_graph *g, gh_err *e)
{
    fuser f = {g, gh_graph_uses(g)};
    if (!f.uses)
        return gh_fail(e, GH_NOMEM, "no memory to join constants");
    for (uint32_t i = 0; i < g->nnodes && !g->failed; i++)
        if (!g->nodes[i].dead)
            join(&f, &g->nodes[i]);
    gh_free(f.uses);
    GH_TRY(gh_graph_check(g, e));
    return gh_graph_sort(g, e);
}
