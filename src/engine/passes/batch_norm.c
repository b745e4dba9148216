/* Batch-norm folding: conv(x) * a + b = conv with weights scaled by a and a new bias (Jacob et al.
 * 2018, 3.2). */
#include "base/mem.h"
#include "engine/passes/passes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const float *floats(gh_graph *g, uint32_t value, size_t count)
{
    const gh_value *v = value == GH_NONE ? NULL : &g->values[value];
    size_t have;
    if (!v || !v->data || v->type != GH_F32 || !gh_shape_count(&have, &v->shape) || have != count)
        return NULL;
    return gh_graph_elements(g, value);
}

/* The convolution whose only reader is `bn`, with constant weights and bias; NULL when there is none. */
static gh_node *conv_before(gh_graph *g, const gh_node *bn, const uint32_t *uses)
{
    /* a needed input that is left out is told where shapes are inferred */
    uint32_t from = bn->inputs[0] == GH_NONE ? GH_NONE : g->values[bn->inputs[0]].producer;
    if (from == GH_NONE || uses[bn->inputs[0]] != 1)
        return NULL;
    gh_node *conv = &g->nodes[from];
    if (strcmp(conv->type, "Conv") != 0 || *conv->domain || conv->act.kind != GH_ACT_NONE ||
        conv->inputs[1] == GH_NONE)
        return NULL;
    const gh_value *w = &g->values[conv->inputs[1]];
    if (!w->data || w->type != GH_F32 || w->shape.rank < 3)
        return NULL;
    if (conv->ninputs > 2 && conv->inputs[2] != GH_NONE && !g->values[conv->inputs[2]].data)
        return NULL;
    return conv;
}

static uint32_t new_const(gh_graph *g, const gh_node *conv, const char *what, gh_shape shape, float **data)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s/%s", conv->name, what);
    return gh_graph_const_f32(g, name, shape, data);
}

static gh_status fold_into(gh_graph *g, gh_node *conv, gh_node *bn, gh_err *e)
{
    gh_shape shape = g->values[conv->inputs[1]].shape, flat = {.rank = 1, .dims = {shape.dims[0]}};
    size_t oc = (size_t)shape.dims[0], per = gh_shape_span(&shape, 1, shape.rank);
    bool biased = conv->ninputs > 2 && conv->inputs[2] != GH_NONE;
    const float *p[4], *old = gh_graph_elements(g, conv->inputs[1]);
    const float *old_bias = biased ? floats(g, conv->inputs[2], oc) : NULL;
    float epsilon = gh_node_float(bn, "epsilon", 1e-5f), *weights = NULL, *bias = NULL;
    for (uint32_t i = 0; i < 4; i++)
        if (!(p[i] = floats(g, bn->inputs[1 + i], oc)))
            return GH_OK; /* wrong sizes are reported where shapes are inferred */
    if (!old || (biased && !old_bias))
        return GH_OK;
    uint32_t w = new_const(g, conv, "weights", shape, &weights), b = new_const(g, conv, "bias", flat, &bias);
    uint32_t *inputs = gh_arena_array(g->arena, 3, sizeof *inputs);
    if (w == GH_NONE || b == GH_NONE || !inputs)
        return gh_fail(e, GH_NOMEM, "no memory to fold a batch normalization");
    for (size_t o = 0; o < oc; o++) {
        float a = p[0][o] / sqrtf(p[3][o] + epsilon);
        for (size_t i = 0; i < per; i++)
            weights[o * per + i] = old[o * per + i] * a;
        bias[o] = p[1][o] + ((old_bias ? old_bias[o] : 0.0f) - p[2][o]) * a;
    }
    inputs[0] = conv->inputs[0];
    inputs[1] = w;
    inputs[2] = b;
    conv->inputs = inputs;
    conv->ninputs = 3;
    conv->outputs[0] = bn->outputs[0];
    g->values[bn->outputs[0]].producer = (uint32_t)(conv - g->nodes);
    bn->dead = true;
    return GH_OK;
}

gh_status gh_pass_batch_norm(gh_graph *g, gh_err *e)
{
    uint32_t *uses = gh_graph_uses(g);
    gh_status status = uses ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the passes");
    for (uint32_t i = 0; i < g->nnodes && status == GH_OK; i++) {
        gh_node *bn = &g->nodes[i];
        if (bn->dead || strcmp(bn->type, "BatchNormalization") != 0 || bn->noutputs != 1 ||
            gh_node_int(bn, "training_mode", 0) != 0)
            continue;
        gh_node *conv = conv_before(g, bn, uses);
        if (conv)
            status = fold_into(g, conv, bn, e);
    }
    gh_free(uses);
    return status ? status : gh_graph_sort(g, e);
}
