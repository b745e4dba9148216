/* Parts that several networks of the table share. */
#include "import/arch_parts.h"

#include "import/fold.h"

#include <stdio.h>

uint32_t gh_arch_add_conv(gh_graph *g, gh_params *p, uint32_t in, const char *name, const char *conv,
                          const char *bn, const gh_arch_conv *c)
{
    char text[80];
    float *weights = NULL, *bias = NULL;
    const int64_t shape[4] = {c->out, c->in / c->groups, c->kernel, c->kernel};
    snprintf(text, sizeof text, "%s/weight", name);
    uint32_t w = gh_graph_const_f32(g, text, gh_shape_of(4, shape), &weights);
    snprintf(text, sizeof text, "%s/bias", name);
    uint32_t b = gh_graph_const_f32(g, text, gh_shape_of(1, shape), &bias);
    gh_fold_conv(weights, bias, p, conv, bn, shape, c->eps);
    uint32_t out = gh_graph_op(g, "Conv", name, (uint32_t[]){in, w, b}, 3);
    gh_graph_set_ints(g, out, "kernel_shape", (int64_t[]){c->kernel, c->kernel}, 2);
    gh_graph_set_ints(g, out, "strides", (int64_t[]){c->stride, c->stride}, 2);
    gh_graph_set_ints(g, out, "pads", (int64_t[]){c->before, c->before, c->after, c->after}, 4);
    gh_graph_set_int(g, out, "group", c->groups);
    return out;
}

uint32_t gh_arch_add_classifier(gh_graph *g, gh_params *p, uint32_t in, const char *module, int channels)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", module);
    const gh_weight *fc = gh_weights_find(p->source, name);
    int64_t classes = fc && fc->shape.rank == 2 && fc->shape.dims[0] > 0 ? fc->shape.dims[0] : 1000;
    const int64_t shape[2] = {classes, channels};
    const float *w = gh_params_get(p, module, "weight", 2, shape);
    const float *bias = gh_params_get(p, module, "bias", 1, shape);
    uint32_t x = gh_graph_op(g, "GlobalAveragePool", "pool", &in, 1);
    x = gh_graph_op(g, "Flatten", "features", &x, 1);
    if (!w || !bias)
        return GH_NONE;
    uint32_t wv = gh_graph_const(g, "logits/weight", GH_F32, gh_shape_of(2, shape), w, true);
    uint32_t bv = gh_graph_const(g, "logits/bias", GH_F32, gh_shape_of(1, shape), bias, true);
    x = gh_graph_op(g, "Gemm", "logits", (uint32_t[]){x, wv, bv}, 3);
    gh_graph_set_int(g, x, "transB", 1);
    if (x != GH_NONE)
        g->values[x].shape = gh_shape_of(2, (int64_t[]){-1, classes});
    return x;
}

gh_arch_relu6 gh_arch_relu6_limits(gh_graph *g)
{
    const float zero = 0, six = 6;
    gh_arch_relu6 limits;
    limits.zero = gh_graph_const(g, "zero", GH_F32, gh_shape_of(0, NULL), &zero, true);
    limits.six = gh_graph_const(g, "six", GH_F32, gh_shape_of(0, NULL), &six, true);
    return limits;
}

uint32_t gh_arch_add_relu6(gh_graph *g, uint32_t in, const char *name, gh_arch_relu6 limits)
{
    return gh_graph_op(g, "Clip", name, (uint32_t[]){in, limits.zero, limits.six}, 3);
}
