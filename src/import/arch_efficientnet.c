/* EfficientNet-Lite: MBConv blocks without squeeze-and-excitation, ReLU6, stem and head of fixed width.
 * Tensor names are those of the EfficientNet port to PyTorch that the published checkpoints come from.
 */
#include "import/arch.h"

#include "import/fold.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BN_EPS 1e-3 /* of TensorFlow's batch normalisation, with which these networks were trained */
#define STEM   32
#define HEAD   1280

typedef struct stage {
    int repeat, kernel, stride, expand, in, out;
} stage;

/* Tan and Le 2019, table 1 (EfficientNet-B0); the Lite variants keep it. */
static const stage stages[] = {
    {1, 3, 1, 1, 32, 16},  {2, 3, 2, 6, 16, 24},   {2, 5, 2, 6, 24, 40},   {3, 3, 2, 6, 40, 80},
    {3, 5, 1, 6, 80, 112}, {4, 5, 2, 6, 112, 192}, {1, 3, 1, 6, 192, 320},
};

/* A convolution with what belongs to it. `size` is the side of its input in pixels. */
typedef struct conv {
    int in, out, kernel, stride, groups, size;
    bool relu6;
} conv;

typedef struct builder {
    gh_graph *g;
    gh_params *p;
    uint32_t zero, six; /* the limits of ReLU6 */
    int size;           /* side of the current value */
    int block;          /* number of the next block */
} builder;

/* Channels times width, rounded to a multiple of 8 but not below nine tenths. */
static int scale_channels(int channels, double width)
{
    if (width == 1.0)
        return channels;
    double exact = channels * width;
    int rounded = (int)(exact + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return rounded < 0.9 * exact ? rounded + 8 : rounded;
}

/* TensorFlow's SAME: the output has ceil(size / stride) pixels, an odd pixel of padding goes behind. */
static void set_window(builder *b, const conv *c, uint32_t value)
{
    int out = (c->size + c->stride - 1) / c->stride;
    int total = (out - 1) * c->stride + c->kernel - c->size;
    if (total < 0)
        total = 0;
    int64_t before = total / 2, after = total - total / 2;
    gh_graph_set_ints(b->g, value, "kernel_shape", (int64_t[]){c->kernel, c->kernel}, 2);
    gh_graph_set_ints(b->g, value, "strides", (int64_t[]){c->stride, c->stride}, 2);
    gh_graph_set_ints(b->g, value, "pads", (int64_t[]){before, before, after, after}, 4);
    gh_graph_set_int(b->g, value, "group", c->groups);
    b->size = out;
}

/* Conv (+ Clip) with the folded parameters of two modules of the checkpoint. */
static uint32_t add_conv(builder *b, uint32_t in, const char *name, const conv *c, const char *conv_name,
                         const char *bn_name)
{
    char text[64];
    float *weights = NULL, *bias = NULL;
    int64_t shape[4] = {c->out, c->in / c->groups, c->kernel, c->kernel}, channels[1] = {c->out};
    snprintf(text, sizeof text, "%s/weight", name);
    uint32_t w = gh_graph_const_f32(b->g, text, gh_shape_of(4, shape), &weights);
    snprintf(text, sizeof text, "%s/bias", name);
    uint32_t bias_value = gh_graph_const_f32(b->g, text, gh_shape_of(1, channels), &bias);
    gh_fold_conv(weights, bias, b->p, conv_name, bn_name, shape, BN_EPS);
    uint32_t out = gh_graph_op(b->g, "Conv", name, (uint32_t[]){in, w, bias_value}, 3);
    set_window(b, c, out);
    if (!c->relu6)
        return out;
    snprintf(text, sizeof text, "%s/relu6", name);
    return gh_graph_op(b->g, "Clip", text, (uint32_t[]){out, b->zero, b->six}, 3);
}

/* One part of an MBConv block: name in the graph, names of its modules in the checkpoint. */
static uint32_t add_part(builder *b, uint32_t in, const char *part, const conv *c, const char *module, int bn)
{
    char name[64], conv_name[64], bn_name[64];
    snprintf(name, sizeof name, "block%d/%s", b->block, part);
    snprintf(conv_name, sizeof conv_name, "_blocks.%d.%s", b->block, module);
    snprintf(bn_name, sizeof bn_name, "_blocks.%d._bn%d", b->block, bn);
    return add_conv(b, in, name, c, conv_name, bn_name);
}

/* Expansion (unless it would keep the channels), depthwise convolution, projection, and the input added where
 * the shape stays. */
static uint32_t add_block(builder *b, uint32_t in, const stage *s, int channels, int out_channels, int stride)
{
    int wide = channels * s->expand;
    uint32_t x = in;
    if (s->expand != 1)
        x = add_part(b, x, "expand", &(conv){channels, wide, 1, 1, 1, b->size, true}, "_expand_conv", 0);
    x = add_part(b, x, "depthwise", &(conv){wide, wide, s->kernel, stride, wide, b->size, true},
                 "_depthwise_conv", 1);
    x = add_part(b, x, "project", &(conv){wide, out_channels, 1, 1, 1, b->size, false}, "_project_conv", 2);
    if (stride == 1 && channels == out_channels) {
        char name[64];
        snprintf(name, sizeof name, "block%d/add", b->block);
        x = gh_graph_op(b->g, "Add", name, (uint32_t[]){x, in}, 2);
    }
    b->block++;
    return x;
}

static uint32_t add_stages(builder *b, uint32_t x, const gh_efficientnet_args *args)
{
    for (size_t i = 0; i < GH_COUNT(stages); i++) {
        const stage *s = &stages[i];
        bool end = i == 0 || i + 1 == GH_COUNT(stages); /* Lite leaves the depth of both ends */
        int repeat = end ? s->repeat : (int)ceil(s->repeat * args->depth);
        int in = i == 0 ? STEM : scale_channels(s->in, args->width),
            out = scale_channels(s->out, args->width);
        for (int k = 0; k < repeat; k++)
            x = add_block(b, x, s, k ? out : in, out, k ? 1 : s->stride);
    }
    return x;
}

/* Pooling and the dense layer; as many classes as the checkpoint has. */
static uint32_t add_classifier(builder *b, uint32_t x)
{
    const gh_torch_tensor *fc = gh_torch_find(b->p->source, "_fc.weight");
    int64_t classes = fc && fc->shape.rank == 2 && fc->shape.dims[0] > 0 ? fc->shape.dims[0] : 1000;
    int64_t shape[2] = {classes, HEAD};
    const float *w = gh_params_get(b->p, "_fc", "weight", 2, shape);
    const float *bias = gh_params_get(b->p, "_fc", "bias", 1, shape);
    x = gh_graph_op(b->g, "GlobalAveragePool", "pool", &x, 1);
    x = gh_graph_op(b->g, "Flatten", "features", &x, 1);
    if (!w || !bias)
        return GH_NONE;
    uint32_t wv = gh_graph_const(b->g, "logits/weight", GH_F32, gh_shape_of(2, shape), w, true);
    uint32_t bv = gh_graph_const(b->g, "logits/bias", GH_F32, gh_shape_of(1, shape), bias, true);
    x = gh_graph_op(b->g, "Gemm", "logits", (uint32_t[]){x, wv, bv}, 3);
    gh_graph_set_int(b->g, x, "transB", 1);
    if (x != GH_NONE)
        b->g->values[x].shape = gh_shape_of(2, (int64_t[]){-1, classes});
    return x;
}

void gh_arch_efficientnet_lite(gh_graph *g, gh_params *p, const gh_efficientnet_args *args)
{
    const float zero = 0, six = 6;
    builder b = {.g = g, .p = p, .size = args->size};
    b.zero = gh_graph_const(g, "zero", GH_F32, gh_shape_of(0, NULL), &zero, true);
    b.six = gh_graph_const(g, "six", GH_F32, gh_shape_of(0, NULL), &six, true);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, b.size, b.size}));
    x = add_conv(&b, x, "stem", &(conv){3, STEM, 3, 2, 1, b.size, true}, "_conv_stem", "_bn0");
    x = add_stages(&b, x, args);
    int last = scale_channels(stages[GH_COUNT(stages) - 1].out, args->width);
    x = add_conv(&b, x, "head", &(conv){last, HEAD, 1, 1, 1, b.size, true}, "_conv_head", "_bn1");
    gh_graph_output(g, add_classifier(&b, x));
}
