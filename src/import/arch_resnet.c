/* ResNet (He et al. 2016), with the tensor names of torchvision. The deeper ones halve the size in the 3x3
 * convolution of a block, not in the 1x1 before it ("v1.5"), as torchvision's do.
 */
#include "import/arch_parts.h"

#include <stdio.h>

#define BN_EPS 1e-5 /* PyTorch's default */
#define STAGES 4
#define STEM   64
#define WIDER  4 /* channels out of a bottleneck for one inside */

typedef struct builder {
    gh_graph *g;
    gh_params *p;
    char block[24]; /* "layer1.0" */
} builder;

static uint32_t add_relu(builder *b, uint32_t in, const char *name)
{
    char text[64];
    snprintf(text, sizeof text, "%s/relu", name);
    return gh_graph_op(b->g, "Relu", text, &in, 1);
}

/* A convolution of the current block that keeps the size at stride 1; "conv2" has its "bn2". */
static uint32_t add_conv(builder *b, uint32_t in, const char *module, const char *norm, int channels_in,
                         int channels, int kernel, int stride)
{
    char conv[48], bn[48];
    const int pad = kernel / 2;
    snprintf(conv, sizeof conv, "%s.%s", b->block, module);
    snprintf(bn, sizeof bn, "%s.%s", b->block, norm);
    const gh_arch_conv c = {channels_in, channels, kernel, stride, 1, pad, pad, BN_EPS};
    return gh_arch_add_conv(b->g, b->p, in, conv, conv, bn, &c);
}

static uint32_t add_conv_relu(builder *b, uint32_t in, int n, int channels_in, int channels, int kernel,
                              int stride)
{
    char conv[8], bn[8], name[48];
    snprintf(conv, sizeof conv, "conv%d", n);
    snprintf(bn, sizeof bn, "bn%d", n);
    in = add_conv(b, in, conv, bn, channels_in, channels, kernel, stride);
    snprintf(name, sizeof name, "%s.%s", b->block, conv);
    return add_relu(b, in, name);
}

/* Two convolutions, or three of which the middle one is narrow, and the input added; projected where its
 * shape is another. */
static uint32_t add_block(builder *b, uint32_t in, bool bottleneck, int channels_in, int inside, int stride)
{
    int out = bottleneck ? inside * WIDER : inside;
    uint32_t x, skip = in;
    char text[48];
    if (bottleneck) {
        x = add_conv_relu(b, in, 1, channels_in, inside, 1, 1);
        x = add_conv_relu(b, x, 2, inside, inside, 3, stride);
        x = add_conv(b, x, "conv3", "bn3", inside, out, 1, 1);
    } else {
        x = add_conv_relu(b, in, 1, channels_in, inside, 3, stride);
        x = add_conv(b, x, "conv2", "bn2", inside, out, 3, 1);
    }
    if (stride != 1 || channels_in != out)
        skip = add_conv(b, in, "downsample.0", "downsample.1", channels_in, out, 1, stride);
    snprintf(text, sizeof text, "%s/add", b->block);
    x = gh_graph_op(b->g, "Add", text, (uint32_t[]){x, skip}, 2);
    return add_relu(b, x, b->block);
}

static uint32_t add_stem(builder *b, uint32_t x)
{
    const gh_arch_conv c = {3, STEM, 7, 2, 1, 3, 3, BN_EPS};
    x = gh_arch_add_conv(b->g, b->p, x, "conv1", "conv1", "bn1", &c);
    x = add_relu(b, x, "conv1");
    x = gh_graph_op(b->g, "MaxPool", "maxpool", &x, 1);
    gh_graph_set_ints(b->g, x, "kernel_shape", (int64_t[]){3, 3}, 2);
    gh_graph_set_ints(b->g, x, "strides", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(b->g, x, "pads", (int64_t[]){1, 1, 1, 1}, 4);
    return x;
}

void gh_arch_resnet(gh_graph *g, gh_params *p, const gh_arch_args *args)
{
    builder b = {.g = g, .p = p};
    int channels = STEM;
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, -1, -1}));
    x = add_stem(&b, x);
    for (int s = 0; s < STAGES; s++) {
        int inside = STEM << s;
        for (int i = 0; i < args->blocks[s]; i++) {
            snprintf(b.block, sizeof b.block, "layer%d.%d", s + 1, i);
            x = add_block(&b, x, args->bottleneck, channels, inside, s && !i ? 2 : 1);
            channels = args->bottleneck ? inside * WIDER : inside;
        }
    }
    gh_graph_output(g, gh_arch_add_classifier(g, p, x, "fc", channels));
}
