/* MobileNetV2 (Sandler et al. 2018), with the tensor names of torchvision. */
#include "import/arch_parts.h"

#include <stdio.h>

#define BN_EPS 1e-5 /* PyTorch's default */
#define STEM   32
#define HEAD   1280

/* Table 2 of the paper: expansion, channels, blocks, stride of the first. */
static const struct {
    int expand, channels, repeat, stride;
} stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
              {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

typedef struct builder {
    gh_graph *g;
    gh_params *p;
    gh_arch_relu6 limits;
    int feature; /* number of the next module of "features" */
} builder;

/* Modules "<at>.0" and "<at>.1"; ReLU6 behind. */
static uint32_t add_conv_relu6(builder *b, uint32_t x, const char *at, const gh_arch_conv *c)
{
    char conv[48], bn[48], name[48];
    snprintf(conv, sizeof conv, "%s.0", at);
    snprintf(bn, sizeof bn, "%s.1", at);
    x = gh_arch_add_conv(b->g, b->p, x, at, conv, bn, c);
    snprintf(name, sizeof name, "%s/relu6", at);
    return gh_arch_add_relu6(b->g, x, name, b->limits);
}

/* Expansion (unless it would keep the channels), depthwise convolution, projection, and the input added where
 * the shape stays. The modules are counted, so the projection's number depends on the expansion. */
static uint32_t add_block(builder *b, uint32_t in, int channels, int out, int expand, int stride)
{
    char text[40], bn[40];
    int wide = channels * expand, part = 0;
    uint32_t x = in;
    if (expand != 1) {
        snprintf(text, sizeof text, "features.%d.conv.%d", b->feature, part++);
        x = add_conv_relu6(b, x, text, &(gh_arch_conv){channels, wide, 1, 1, 1, 0, 0, BN_EPS});
    }
    snprintf(text, sizeof text, "features.%d.conv.%d", b->feature, part++);
    x = add_conv_relu6(b, x, text, &(gh_arch_conv){wide, wide, 3, stride, wide, 1, 1, BN_EPS});
    snprintf(text, sizeof text, "features.%d.conv.%d", b->feature, part++);
    snprintf(bn, sizeof bn, "features.%d.conv.%d", b->feature, part);
    x = gh_arch_add_conv(b->g, b->p, x, text, text, bn, &(gh_arch_conv){wide, out, 1, 1, 1, 0, 0, BN_EPS});
    if (stride == 1 && channels == out) {
        snprintf(text, sizeof text, "features.%d/add", b->feature);
        x = gh_graph_op(b->g, "Add", text, (uint32_t[]){x, in}, 2);
    }
    b->feature++;
    return x;
}

void gh_arch_mobilenet_v2(gh_graph *g, gh_params *p, const gh_arch_args *args)
{
    builder b = {.g = g, .p = p, .limits = gh_arch_relu6_limits(g), .feature = 1};
    int channels = STEM;
    char text[24];
    (void)args;
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, -1, -1}));
    x = add_conv_relu6(&b, x, "features.0", &(gh_arch_conv){3, STEM, 3, 2, 1, 1, 1, BN_EPS});
    for (size_t s = 0; s < GH_COUNT(stages); s++)
        for (int i = 0; i < stages[s].repeat; i++) {
            x = add_block(&b, x, channels, stages[s].channels, stages[s].expand, i ? 1 : stages[s].stride);
            channels = stages[s].channels;
        }
    snprintf(text, sizeof text, "features.%d", b.feature);
    x = add_conv_relu6(&b, x, text, &(gh_arch_conv){channels, HEAD, 1, 1, 1, 0, 0, BN_EPS});
    gh_graph_output(g, gh_arch_add_classifier(g, p, x, "classifier.1", HEAD));
}
