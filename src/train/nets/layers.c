/* Names are prefix/layer, prefix/layer/weight and so on. */
#include "train/nets/layers.h"

#include <math.h>
#include <stdio.h>

typedef struct label {
    char text[128];
} label;

static label name_of(const gh_layers *b, const char *name, const char *part)
{
    label l;
    snprintf(l.text, sizeof l.text, "%.20s/%.80s%s%.20s", b->prefix, name, *part ? "/" : "", part);
    return l;
}

static uint32_t add_weights(gh_layers *b, const char *name, gh_shape shape, double deviation)
{
    float *w = NULL;
    size_t count = 0;
    uint32_t v = gh_graph_const_f32(b->g, name_of(b, name, "weight").text, shape, &w);
    if (w && gh_shape_count(&count, &shape))
        for (size_t i = 0; i < count; i++)
            w[i] = (float)deviation * gh_rng_normal(&b->rng);
    return v;
}

static uint32_t add_vector(gh_layers *b, const char *name, const char *part, int count, float value)
{
    float *w = NULL;
    uint32_t v =
        gh_graph_const_f32(b->g, name_of(b, name, part).text, gh_shape_of(1, (int64_t[]){count}), &w);
    for (int i = 0; w && i < count; i++)
        w[i] = value;
    return v;
}

uint32_t gh_layer_add_conv(gh_layers *b, const char *name, uint32_t x, const gh_layer_conv *c)
{
    int groups = c->groups ? c->groups : 1, pad = c->kernel / 2;
    double sum = (double)c->in / groups * c->kernel * c->kernel, gain = c->gain > 0 ? (double)c->gain : 1;
    uint32_t in[3] = {x,
                      add_weights(b, name,
                                  gh_shape_of(4, (int64_t[]){c->out, c->in / groups, c->kernel, c->kernel}),
                                  gain * sqrt(2 / sum)),
                      c->bias ? add_vector(b, name, "bias", c->out, 0) : GH_NONE};
    uint32_t y = gh_graph_op(b->g, "Conv", name_of(b, name, "").text, in, c->bias ? 3 : 2);
    gh_graph_set_ints(b->g, y, "kernel_shape", (int64_t[]){c->kernel, c->kernel}, 2);
    gh_graph_set_ints(b->g, y, "strides", (int64_t[]){c->stride, c->stride}, 2);
    gh_graph_set_ints(b->g, y, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    gh_graph_set_int(b->g, y, "group", groups);
    return y;
}

uint32_t gh_layer_add_norm(gh_layers *b, const char *name, uint32_t x, int channels)
{
    uint32_t in[5] = {x, add_vector(b, name, "scale", channels, 1), add_vector(b, name, "shift", channels, 0),
                      add_vector(b, name, "mean", channels, 0), add_vector(b, name, "variance", channels, 1)};
    uint32_t y = gh_graph_op(b->g, "BatchNormalization", name_of(b, name, "").text, in, 5);
    gh_graph_set_float(b->g, y, "epsilon", 1e-5f);
    return y;
}

uint32_t gh_layer_add_relu(gh_layers *b, const char *name, uint32_t x)
{
    return gh_graph_op(b->g, "Relu", name_of(b, name, "").text, &x, 1);
}

uint32_t gh_layer_add_block(gh_layers *b, const char *name, uint32_t x, const gh_layer_conv *c)
{
    label norm, relu;
    snprintf(norm.text, sizeof norm.text, "%.72s/norm", name);
    snprintf(relu.text, sizeof relu.text, "%.72s/relu", name);
    x = gh_layer_add_conv(b, name, x, c);
    x = gh_layer_add_norm(b, norm.text, x, c->out);
    return gh_layer_add_relu(b, relu.text, x);
}

uint32_t gh_layer_add_nearest(gh_layers *b, const char *name, uint32_t x)
{
    float *scales = NULL;
    uint32_t s =
        gh_graph_const_f32(b->g, name_of(b, name, "scales").text, gh_shape_of(1, (int64_t[]){4}), &scales);
    for (int i = 0; scales && i < 4; i++)
        scales[i] = i < 2 ? 1 : 2;
    uint32_t y = gh_graph_op(b->g, "Resize", name_of(b, name, "").text, (uint32_t[]){x, GH_NONE, s}, 3);
    gh_graph_set_string(b->g, y, "mode", "nearest");
    gh_graph_set_string(b->g, y, "coordinate_transformation_mode", "asymmetric");
    gh_graph_set_string(b->g, y, "nearest_mode", "floor");
    return y;
}

static uint32_t add_transposed(gh_layers *b, const char *name, uint32_t x, uint32_t weights, int kernel)
{
    int pad = (kernel - 2) / 2;
    uint32_t y = gh_graph_op(b->g, "ConvTranspose", name_of(b, name, "").text, (uint32_t[]){x, weights}, 2);
    gh_graph_set_ints(b->g, y, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
    gh_graph_set_ints(b->g, y, "strides", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(b->g, y, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    return y;
}

uint32_t gh_layer_add_learned(gh_layers *b, const char *name, uint32_t x, int in, int out)
{
    /* each result is a sum over the channels of one place */
    uint32_t w = add_weights(b, name, gh_shape_of(4, (int64_t[]){in, out, 2, 2}), sqrt(2.0 / in));
    return add_transposed(b, name, x, w, 2);
}

uint32_t gh_layer_add_bilinear(gh_layers *b, const char *name, uint32_t x, int channels)
{
    static const float tap[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    float *w = NULL;
    uint32_t v = gh_graph_const_f32(b->g, name_of(b, name, "weight").text,
                                    gh_shape_of(4, (int64_t[]){channels, channels, 4, 4}), &w);
    for (int64_t i = 0; w && i < (int64_t)channels * channels * 16; i++)
        w[i] = i / 16 / channels == i / 16 % channels ? tap[i / 4 % 4] * tap[i % 4] : 0;
    return add_transposed(b, name, x, v, 4);
}
