/* The face expression network of face-api: four blocks of four 3x3 convolutions, all but the first of all
 * depthwise separable (Chollet 2017), each block half the size of the last. In a block every convolution
 * reads the sum of all before it (the thought of DenseNet, Huang et al. 2017, with sums where that joins
 * channels). Tensor names and shapes (rows, columns, in, out) are TensorFlow's; its padding "same" puts the
 * odd pixel below and right.
 */
#include "import/arch_parts.h"

#include <stdio.h>

#define BLOCKS 4
#define CONVS  4 /* a block */
#define FIRST  32
#define EDGE   3 /* pixels of a window's side */

typedef struct builder {
    gh_graph *g;
    gh_params *p;
} builder;

/* A Conv named `name` with `w`, [rows, columns, a, b] in the file, as [b, a, rows, columns], or with a and b
 * changed about (depthwise: one filter a channel). */
static uint32_t add_weight(builder *b, const char *module, const char *name, const int64_t from[4],
                           bool depthwise)
{
    char text[80];
    float *to = NULL;
    const float *w = gh_params_get(b->p, module, name, 4, from);
    const int64_t window = from[0] * from[1];
    const int64_t ins = depthwise ? from[3] : from[2], outs = depthwise ? from[2] : from[3];
    snprintf(text, sizeof text, "%s/%s", module, name);
    const int64_t shape[4] = {outs, ins, from[0], from[1]};
    uint32_t value = gh_graph_const_f32(b->g, text, gh_shape_of(4, shape), &to);
    if (!w || !to)
        return value;
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++)
            for (int64_t at = 0; at < window; at++)
                to[(o * ins + i) * window + at] =
                    w[(at * from[2] + (depthwise ? o : i)) * from[3] + (depthwise ? i : o)];
    return value;
}

static uint32_t add_vector(builder *b, const char *module, const char *name, int64_t count)
{
    char text[80];
    const float *v = gh_params_get(b->p, module, name, 1, &count);
    snprintf(text, sizeof text, "%s/%s", module, name);
    return v ? gh_graph_const(b->g, text, GH_F32, gh_shape_of(1, &count), v, true) : GH_NONE;
}

static uint32_t add_window(builder *b, const char *name, const uint32_t in[3], int edge, int stride,
                           int groups)
{
    const int before = stride == 2 ? 0 : edge / 2, after = edge / 2;
    uint32_t out = gh_graph_op(b->g, "Conv", name, in, in[2] == GH_NONE ? 2 : 3);
    gh_graph_set_ints(b->g, out, "kernel_shape", (int64_t[]){edge, edge}, 2);
    gh_graph_set_ints(b->g, out, "strides", (int64_t[]){stride, stride}, 2);
    gh_graph_set_ints(b->g, out, "pads", (int64_t[]){before, before, after, after}, 4);
    gh_graph_set_int(b->g, out, "group", groups);
    return out;
}

/* Depthwise, then pointwise with the bias. */
static uint32_t add_separable(builder *b, uint32_t in, const char *module, int channels, int out, int stride)
{
    char text[80];
    const int64_t deep[4] = {EDGE, EDGE, channels, 1}, point[4] = {1, 1, channels, out};
    uint32_t w = add_weight(b, module, "depthwise_filter", deep, true);
    snprintf(text, sizeof text, "%s/depthwise", module);
    in = add_window(b, text, (uint32_t[]){in, w, GH_NONE}, EDGE, stride, channels);
    w = add_weight(b, module, "pointwise_filter", point, false);
    uint32_t bias = add_vector(b, module, "bias", out);
    return bias == GH_NONE ? GH_NONE : add_window(b, module, (uint32_t[]){in, w, bias}, 1, 1, 1);
}

static uint32_t add_plain(builder *b, uint32_t in, const char *module, int channels, int out)
{
    uint32_t w = add_weight(b, module, "filters", (int64_t[]){EDGE, EDGE, channels, out}, false);
    uint32_t bias = add_vector(b, module, "bias", out);
    return bias == GH_NONE ? GH_NONE : add_window(b, module, (uint32_t[]){in, w, bias}, EDGE, 2, 1);
}

static uint32_t add_block(builder *b, uint32_t in, int block, int channels, int out)
{
    char module[32], text[48];
    uint32_t sum = GH_NONE;
    for (int i = 0; i < CONVS; i++) {
        snprintf(module, sizeof module, "dense%d/conv%d", block, i);
        uint32_t x = block || i ? add_separable(b, in, module, i ? out : channels, out, i ? 1 : 2)
                                : add_plain(b, in, module, channels, out);
        if (i == 0) { /* what the others are added to is past its ReLU */
            snprintf(text, sizeof text, "%s/relu", module);
            in = sum = gh_graph_op(b->g, "Relu", text, &x, 1);
            continue;
        }
        snprintf(text, sizeof text, "%s/sum", module);
        sum = gh_graph_op(b->g, "Add", text, (uint32_t[]){sum, x}, 2);
        snprintf(text, sizeof text, "%s/relu", module);
        in = gh_graph_op(b->g, "Relu", text, &sum, 1);
    }
    return in;
}

void gh_arch_face_expression(gh_graph *g, gh_params *p, const gh_arch_args *args)
{
    builder b = {g, p};
    int channels = 3;
    const int64_t input[4] = {-1, 3, args->size, args->size};
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, input));
    for (int i = 0, out = FIRST; i < BLOCKS; channels = out, out *= 2, i++)
        x = add_block(&b, x, i, channels, out);
    x = gh_graph_op(g, "GlobalAveragePool", "pool", &x, 1);
    x = gh_graph_op(g, "Flatten", "features", &x, 1);
    const gh_weight *fc = gh_weights_find(p->source, "fc/bias");
    const int64_t classes = fc && fc->count ? (int64_t)fc->count : 7, shape[2] = {channels, classes};
    const float *w = gh_params_get(p, "fc", "weights", 2, shape);
    uint32_t bias = add_vector(&b, "fc", "bias", classes);
    if (!w || bias == GH_NONE)
        return;
    uint32_t wv = gh_graph_const(g, "fc/weights", GH_F32, gh_shape_of(2, shape), w, true);
    x = gh_graph_op(g, "Gemm", "logits", (uint32_t[]){x, wv, bias}, 3);
    if (x != GH_NONE)
        g->values[x].shape = gh_shape_of(2, (int64_t[]){-1, classes});
    gh_graph_output(g, x);
}
