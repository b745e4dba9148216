/* RetinaFace (Deng et al. 2020) on MobileNetV1 of a quarter of the width (Howard et al. 2017): three stages
 * at strides 8, 16 and 32, a feature pyramid that hands the coarser ones down, a context module (SSH, Najibi
 * et al. 2017) and three heads on each. Tensor names, leaks and the order of the heads' numbers are those of
 * the PyTorch port that the published checkpoint comes from. Outputs: boxes [1, n, 4], scores [1, n, 2]
 * before the softmax, landmarks [1, n, 10], for two anchors a cell, the finest stride first. Any multiple of
 * 32 is a side.
 */
#include "import/arch_parts.h"

#include <stdio.h>

#define BN_EPS  1e-5 /* PyTorch's default */
#define LEAK    0.1f
#define WIDE    64 /* channels of the pyramid */
#define LEVELS  3
#define ANCHORS 2 /* a cell */

typedef struct builder {
    gh_graph *g;
    gh_params *p;
} builder;

typedef struct conv {
    int in, out, kernel, stride, groups;
    bool leaky;
} conv;

/* A convolution that keeps the size at stride 1, with folded parameters of modules "module.<n>" and
 * "module.<n + 1>". */
static uint32_t add_conv(builder *b, uint32_t in, const char *module, int n, conv c)
{
    char name[64], text[80], conv_name[64], bn_name[64];
    const int pad = c.kernel / 2;
    snprintf(name, sizeof name, n ? "%s.%d" : "%s", module, n);
    snprintf(conv_name, sizeof conv_name, "%s.%d", module, n);
    snprintf(bn_name, sizeof bn_name, "%s.%d", module, n + 1);
    const gh_arch_conv window = {c.in, c.out, c.kernel, c.stride, c.groups, pad, pad, BN_EPS};
    uint32_t out = gh_arch_add_conv(b->g, b->p, in, name, conv_name, bn_name, &window);
    if (!c.leaky)
        return out;
    snprintf(text, sizeof text, "%s/leaky", name);
    out = gh_graph_op(b->g, "LeakyRelu", text, &out, 1);
    gh_graph_set_float(b->g, out, "alpha", LEAK);
    return out;
}

/* Stages of the body: the channels of each block; the first block of all is a plain convolution. */
static const struct {
    int blocks, channels[6];
} stages[LEVELS] = {{6, {8, 16, 32, 32, 64, 64}}, {6, {128, 128, 128, 128, 128, 128}}, {2, {256, 256}}};

/* Depthwise, then pointwise; where the channels double the size halves, but for the block after the first. */
static uint32_t add_stage(builder *b, uint32_t x, int stage, int *channels)
{
    for (int i = 0; i < stages[stage].blocks; i++) {
        char module[48];
        int out = stages[stage].channels[i];
        snprintf(module, sizeof module, "body.stage%d.%d", stage + 1, i);
        if (stage == 0 && i == 0) {
            x = add_conv(b, x, module, 0, (conv){*channels, out, 3, 2, 1, true});
        } else {
            int stride = out > *channels && out > 16 ? 2 : 1;
            x = add_conv(b, x, module, 0, (conv){*channels, *channels, 3, stride, *channels, true});
            x = add_conv(b, x, module, 3, (conv){*channels, out, 1, 1, 1, true});
        }
        *channels = out;
    }
    return x;
}

/* `fine` plus `coarse` at twice its size, mixed. */
static uint32_t add_merge(builder *b, uint32_t fine, uint32_t coarse, int level)
{
    static const float scales[4] = {1, 1, 2, 2};
    char text[32];
    snprintf(text, sizeof text, "fpn.up%d/scales", level);
    uint32_t s = gh_graph_const(b->g, text, GH_F32, gh_shape_of(1, (int64_t[]){4}), scales, true);
    snprintf(text, sizeof text, "fpn.up%d", level);
    uint32_t up = gh_graph_op(b->g, "Resize", text, (uint32_t[]){coarse, GH_NONE, s}, 3);
    gh_graph_set_string(b->g, up, "mode", "nearest");
    gh_graph_set_string(b->g, up, "coordinate_transformation_mode", "asymmetric");
    gh_graph_set_string(b->g, up, "nearest_mode", "floor");
    snprintf(text, sizeof text, "fpn.add%d", level);
    up = gh_graph_op(b->g, "Add", text, (uint32_t[]){fine, up}, 2);
    snprintf(text, sizeof text, "fpn.merge%d", level);
    return add_conv(b, up, text, 0, (conv){WIDE, WIDE, 3, 1, 1, true});
}

/* Windows of 3, 5 and 7 pixels beside one another, the larger ones as chains of 3. */
static uint32_t add_context(builder *b, uint32_t x, int level)
{
    const int half = WIDE / 2, quarter = WIDE / 4;
    static const char *const parts[] = {"conv3X3", "conv5X5_1", "conv5X5_2", "conv7X7_2", "conv7x7_3"};
    char names[GH_COUNT(parts)][32], text[32];
    for (size_t i = 0; i < GH_COUNT(parts); i++)
        snprintf(names[i], sizeof names[i], "ssh%d.%s", level, parts[i]);
    uint32_t three = add_conv(b, x, names[0], 0, (conv){WIDE, half, 3, 1, 1, false});
    uint32_t first = add_conv(b, x, names[1], 0, (conv){WIDE, quarter, 3, 1, 1, true});
    uint32_t five = add_conv(b, first, names[2], 0, (conv){quarter, quarter, 3, 1, 1, false});
    uint32_t second = add_conv(b, first, names[3], 0, (conv){quarter, quarter, 3, 1, 1, true});
    uint32_t seven = add_conv(b, second, names[4], 0, (conv){quarter, quarter, 3, 1, 1, false});
    snprintf(text, sizeof text, "ssh%d.all", level);
    uint32_t all = gh_graph_op(b->g, "Concat", text, (uint32_t[]){three, five, seven}, 3);
    gh_graph_set_int(b->g, all, "axis", 1);
    snprintf(text, sizeof text, "ssh%d", level);
    return gh_graph_op(b->g, "Relu", text, &all, 1);
}

/* A head on one level: [1, 2 * numbers, rows, columns] to [1, anchors, numbers]. */
static uint32_t add_head(builder *b, uint32_t x, const char *head, int level, int numbers)
{
    char module[40], text[56];
    const int64_t shape[4] = {ANCHORS * numbers, WIDE, 1, 1}, rows[3] = {0, -1, numbers};
    snprintf(module, sizeof module, "%s.%d.conv1x1", head, level);
    const float *weights = gh_params_get(b->p, module, "weight", 4, shape);
    const float *bias = gh_params_get(b->p, module, "bias", 1, shape);
    if (!weights || !bias)
        return GH_NONE;
    snprintf(text, sizeof text, "%s/weight", module);
    uint32_t w = gh_graph_const(b->g, text, GH_F32, gh_shape_of(4, shape), weights, true);
    snprintf(text, sizeof text, "%s/bias", module);
    uint32_t bv = gh_graph_const(b->g, text, GH_F32, gh_shape_of(1, shape), bias, true);
    x = gh_graph_op(b->g, "Conv", module, (uint32_t[]){x, w, bv}, 3);
    gh_graph_set_ints(b->g, x, "kernel_shape", (int64_t[]){1, 1}, 2);
    snprintf(text, sizeof text, "%s/last", module);
    x = gh_graph_op(b->g, "Transpose", text, &x, 1);
    gh_graph_set_ints(b->g, x, "perm", (int64_t[]){0, 2, 3, 1}, 4);
    snprintf(text, sizeof text, "%s/shape", module);
    uint32_t to = gh_graph_const(b->g, text, GH_I64, gh_shape_of(1, (int64_t[]){3}), rows, true);
    snprintf(text, sizeof text, "%s/rows", module);
    return gh_graph_op(b->g, "Reshape", text, (uint32_t[]){x, to}, 2);
}

static void add_output(builder *b, const uint32_t levels[LEVELS], const char *head, const char *name,
                       int numbers)
{
    uint32_t parts[LEVELS];
    for (int i = 0; i < LEVELS; i++)
        parts[i] = add_head(b, levels[i], head, i, numbers);
    uint32_t all = gh_graph_op(b->g, "Concat", name, parts, LEVELS);
    gh_graph_set_int(b->g, all, "axis", 1);
    if (all != GH_NONE)
        b->g->values[all].shape = gh_shape_of(3, (int64_t[]){-1, -1, numbers});
    gh_graph_output(b->g, all);
}

void gh_arch_retinaface(gh_graph *g, gh_params *p, const gh_arch_args *args)
{
    (void)args;
    builder b = {g, p};
    uint32_t levels[LEVELS];
    int channels = 3;
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, -1, -1}));
    for (int i = 0; i < LEVELS; i++) {
        char module[32];
        x = add_stage(&b, x, i, &channels);
        snprintf(module, sizeof module, "fpn.output%d", i + 1);
        levels[i] = add_conv(&b, x, module, 0, (conv){channels, WIDE, 1, 1, 1, true});
    }
    levels[1] = add_merge(&b, levels[1], levels[2], 2);
    levels[0] = add_merge(&b, levels[0], levels[1], 1);
    for (int i = 0; i < LEVELS; i++)
        levels[i] = add_context(&b, levels[i], i + 1);
    add_output(&b, levels, "BboxHead", "boxes", 4);
    add_output(&b, levels, "ClassHead", "scores", 2);
    add_output(&b, levels, "LandmarkHead", "landmarks", 10);
}
