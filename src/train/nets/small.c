/* A first convolution, stages of blocks that each halve the picture until 4 to 8 pixels are left, mean,
 * dense.
 */
#include "train/nets/small.h"

#include "train/nets/grey.h"
#include "train/nets/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct name {
    char text[48];
} name;

typedef uint32_t (*add_block)(gh_layers *b, const char *block, uint32_t x, int in, int out, int stride);

static name join(const char *block, const char *part)
{
    name n;
    snprintf(n.text, sizeof n.text, "%.24s.%.16s", block, part);
    return n;
}

/* y + x, where the shapes allow it. */
static uint32_t add_shortcut(gh_layers *b, const char *block, uint32_t x, uint32_t y)
{
    char text[64];
    snprintf(text, sizeof text, "body/%.24s.sum", block);
    return gh_graph_op(b->g, "Add", text, (uint32_t[]){y, x}, 2);
}

enum { EXPANSION = 4 };

static uint32_t add_mobile(gh_layers *b, const char *block, uint32_t x, int in, int out, int stride)
{
    int wide = in * EXPANSION;
    uint32_t y = gh_layer_add_block(b, join(block, "expand").text, x,
                                    &(gh_layer_conv){.in = in, .out = wide, .kernel = 1, .stride = 1});
    y = gh_layer_add_block(
        b, join(block, "depthwise").text, y,
        &(gh_layer_conv){.in = wide, .out = wide, .kernel = 3, .stride = stride, .groups = wide});
    y = gh_layer_add_conv(b, join(block, "project").text, y,
                          &(gh_layer_conv){.in = wide, .out = out, .kernel = 1, .stride = 1});
    y = gh_layer_add_norm(b, join(block, "project.norm").text, y, out);
    return in == out && stride == 1 ? add_shortcut(b, block, x, y) : y;
}

static uint32_t add_residual(gh_layers *b, const char *block, uint32_t x, int in, int out, int stride)
{
    uint32_t y = gh_layer_add_block(b, join(block, "conv1").text, x,
                                    &(gh_layer_conv){.in = in, .out = out, .kernel = 3, .stride = stride});
    y = gh_layer_add_conv(b, join(block, "conv2").text, y,
                          &(gh_layer_conv){.in = out, .out = out, .kernel = 3, .stride = 1});
    y = gh_layer_add_norm(b, join(block, "conv2.norm").text, y, out);
    if (in != out || stride != 1) {
        x = gh_layer_add_conv(b, join(block, "short").text, x,
                              &(gh_layer_conv){.in = in, .out = out, .kernel = 1, .stride = stride});
        x = gh_layer_add_norm(b, join(block, "short.norm").text, x, out);
    }
    return gh_layer_add_relu(b, join(block, "relu").text, add_shortcut(b, block, x, y));
}

static const struct {
    const char *name;
    int width, depth;
    add_block add;
} nets[] = {{"mobile", 16, 2, add_mobile}, {"residual", 16, 1, add_residual}};

static gh_status check(const gh_small_options *o, size_t net, gh_err *e)
{
    if (net == GH_COUNT(nets))
        return gh_fail(e, GH_ARG, "--from-scratch is '%.40s'; mobile and residual are known", o->name);
    if (o->side < 16 || o->side > 512)
        return gh_fail(e, GH_ARG, "the side of the input is %d pixels; 16 to 512 are accepted", o->side);
    if (o->width < 0 || o->width > 256 || (o->width && o->width < 4))
        return gh_fail(e, GH_ARG, "the width is %d channels; 4 to 256 are accepted", o->width);
    if (o->depth < 0 || o->depth > 16)
        return gh_fail(e, GH_ARG, "the depth is %d blocks; 1 to 16 are accepted", o->depth);
    return GH_OK;
}

static uint32_t add_head(gh_layers *b, uint32_t x, int channels, int classes)
{
    float *w = NULL, *bias = NULL;
    x = gh_graph_op(b->g, "GlobalAveragePool", "body/pool", &x, 1);
    x = gh_graph_op(b->g, "Flatten", "body/features", &x, 1);
    uint32_t in[3] = {
        x, gh_graph_const_f32(b->g, "head/weight", gh_shape_of(2, (int64_t[]){channels, classes}), &w),
        gh_graph_const_f32(b->g, "head/bias", gh_shape_of(1, (int64_t[]){classes}), &bias)};
    for (int i = 0; w && i < channels * classes; i++)
        w[i] = sqrtf(1 / (float)channels) * gh_rng_normal(&b->rng);
    for (int i = 0; bias && i < classes; i++)
        bias[i] = 0;
    return gh_graph_op(b->g, "Gemm", "scores", in, 3);
}

static uint32_t add_stages(gh_layers *b, uint32_t x, int *channels, int side, int depth, add_block add)
{
    for (int stage = 1; side > 8; stage++, side = (side + 1) / 2) {
        int out = *channels * 2;
        for (int i = 0; i < depth; i++) {
            char block[40];
            snprintf(block, sizeof block, "stage%d.%d", stage, i);
            x = add(b, block, x, i ? out : *channels, out, i ? 1 : 2);
        }
        *channels = out;
    }
    return x;
}

gh_status gh_small_net(gh_graph **out, const gh_small_options *o, gh_err *e)
{
    gh_graph *g = NULL;
    size_t net = 0;
    while (net < GH_COUNT(nets) && strcmp(nets[net].name, o->name) != 0)
        net++;
    GH_TRY(check(o, net, e));
    GH_TRY(gh_graph_new(&g, e));
    gh_layers b = {.g = g, .prefix = "body"};
    int width = o->width ? o->width : nets[net].width, depth = o->depth ? o->depth : nets[net].depth;
    int stride = o->side > 64 ? 2 : 1; /* what is larger begins at half its size */
    gh_rng_seed(&b.rng, o->seed);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, o->side, o->side}));
    if (o->grey)
        x = gh_grey_one(g, x);
    x = gh_layer_add_block(
        &b, "first", x, &(gh_layer_conv){.in = o->grey ? 1 : 3, .out = width, .kernel = 3, .stride = stride});
    x = add_stages(&b, x, &width, o->side / stride, depth, nets[net].add);
    gh_graph_output(g, add_head(&b, x, width, o->classes));
    gh_status status = gh_graph_check(g, e);
    if (status)
        gh_graph_free(&g);
    else
        *out = g;
    return status;
}
