/* EfficientNet-Lite: MBConv blocks without squeeze-and-excitation, ReLU6, stem and head of fixed width.
 * Tensor names are those of the EfficientNet port to PyTorch that the published checkpoints come from.
 */
#include "import/arch_parts.h"

#include <math.h>
#include <stdio.h>

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
    gh_arch_relu6 limits;
    int size;  /* side of the current value */
    int block; /* number of the next block */
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

/* Conv (+ Clip) with TensorFlow's SAME: the output has ceil(size / stride) pixels, an odd pixel of padding
 * goes behind. */
static uint32_t add_conv(builder *b, uint32_t in, const char *name, const conv *c, const char *conv_name,
                         const char *bn_name)
{
    char text[64];
    int size = (c->size + c->stride - 1) / c->stride;
    int total = (size - 1) * c->stride + c->kernel - c->size;
    if (total < 0)
        total = 0;
    const gh_arch_conv window = {c->in,     c->out,    c->kernel,         c->stride,
                                 c->groups, total / 2, total - total / 2, BN_EPS};
    uint32_t out = gh_arch_add_conv(b->g, b->p, in, name, conv_name, bn_name, &window);
    b->size = size;
    if (!c->relu6)
        return out;
    snprintf(text, sizeof text, "%s/relu6", name);
    return gh_arch_add_relu6(b->g, out, text, b->limits);
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

static uint32_t add_stages(builder *b, uint32_t x, const gh_arch_args *args)
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

void gh_arch_efficientnet_lite(gh_graph *g, gh_params *p, const gh_arch_args *args)
{
    builder b = {.g = g, .p = p, .size = args->size};
    b.limits = gh_arch_relu6_limits(g);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, b.size, b.size}));
    x = add_conv(&b, x, "stem", &(conv){3, STEM, 3, 2, 1, b.size, true}, "_conv_stem", "_bn0");
    x = add_stages(&b, x, args);
    int last = scale_channels(stages[GH_COUNT(stages) - 1].out, args->width);
    x = add_conv(&b, x, "head", &(conv){last, HEAD, 1, 1, 1, b.size, true}, "_conv_head", "_bn1");
    gh_graph_output(g, gh_arch_add_classifier(g, p, x, "_fc", HEAD));
}
