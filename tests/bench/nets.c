/* The three networks that the engine is measured on, with seeded random weights, and one run of a network on
 * a tensor from elsewhere, so that the answers of other runtimes can be compared. bench-nets write FOLDER
 * lite0.onnx resnet18.onnx unet.onnx bench-nets run FILE.onnx fp32|bf16     the input's floats from stdin,
 * the first output's to stdout */
#include "base/mem.h"
#include "base/rng.h"
#include "engine/net.h"
#include "engine/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct maker {
    gh_graph *g;
    gh_rng rng;
    uint32_t six, zero; /* limits of ReLU6 */
    int count;          /* of nodes with weights, for their names */
} maker;

typedef enum ending { PLAIN, RELU, RELU6 } ending;

/* Normal weights whose variance keeps that of the activations (He et al. 2015); `fan` products make one sum.
 */
static uint32_t weights(maker *m, const char *kind, int rank, const int64_t *dims, double fan, double scale)
{
    char name[48];
    float *w = NULL;
    size_t count = 1;
    snprintf(name, sizeof name, "%s%d", kind, m->count);
    uint32_t v = gh_graph_const_f32(m->g, name, gh_shape_of(rank, dims), &w);
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    for (size_t i = 0; w && i < count; i++)
        w[i] = gh_rng_normal(&m->rng) * (float)(scale / sqrt(fan));
    return v;
}

static uint32_t finish(maker *m, uint32_t x, ending end)
{
    if (end == RELU)
        return gh_graph_op(m->g, "Relu", "", &x, 1);
    return end == RELU6 ? gh_graph_op(m->g, "Clip", "", (uint32_t[]){x, m->zero, m->six}, 3) : x;
}

/* k x k convolution with bias; `pad` pixels before and `after` behind on both axes. */
static uint32_t conv_padded(maker *m, uint32_t x, int in, int out, int k, int stride, int groups, int pad,
                            int after, ending end)
{
    char name[48];
    double fan = (double)in / groups * k * k;
    m->count++;
    uint32_t w = weights(m, "w", 4, (int64_t[]){out, in / groups, k, k}, fan, end == PLAIN ? 1 : M_SQRT2);
    uint32_t b = weights(m, "b", 1, (int64_t[]){out}, 1, 0.1);
    snprintf(name, sizeof name, "conv%d", m->count);
    uint32_t y = gh_graph_op(m->g, "Conv", name, (uint32_t[]){x, w, b}, 3);
    gh_graph_set_ints(m->g, y, "kernel_shape", (int64_t[]){k, k}, 2);
    gh_graph_set_ints(m->g, y, "strides", (int64_t[]){stride, stride}, 2);
    gh_graph_set_ints(m->g, y, "pads", (int64_t[]){pad, pad, after, after}, 4);
    gh_graph_set_int(m->g, y, "group", groups);
    return finish(m, y, end);
}

static uint32_t conv(maker *m, uint32_t x, int in, int out, int k, int stride, ending end)
{
    return conv_padded(m, x, in, out, k, stride, 1, k / 2, k / 2, end);
}

/* 2 x 2 with stride 2: doubles the sides. */
static uint32_t up(maker *m, uint32_t x, int in, int out)
{
    char name[48];
    m->count++;
    uint32_t w = weights(m, "w", 4, (int64_t[]){in, out, 2, 2}, in, 1);
    uint32_t b = weights(m, "b", 1, (int64_t[]){out}, 1, 0.1);
    snprintf(name, sizeof name, "up%d", m->count);
    uint32_t y = gh_graph_op(m->g, "ConvTranspose", name, (uint32_t[]){x, w, b}, 3);
    gh_graph_set_ints(m->g, y, "kernel_shape", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(m->g, y, "strides", (int64_t[]){2, 2}, 2);
    return y;
}

static uint32_t pool_max(maker *m, uint32_t x, int window, int pad)
{
    uint32_t y = gh_graph_op(m->g, "MaxPool", "", &x, 1);
    gh_graph_set_ints(m->g, y, "kernel_shape", (int64_t[]){window, window}, 2);
    gh_graph_set_ints(m->g, y, "strides", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(m->g, y, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    return y;
}

static uint32_t image(maker *m, int side)
{
    return gh_graph_input(m->g, "image", GH_F32, gh_shape_of(4, (int64_t[]){1, 3, side, side}));
}

static void classes(maker *m, uint32_t x, int in)
{
    m->count++;
    uint32_t w = weights(m, "w", 2, (int64_t[]){1000, in}, in, 1);
    uint32_t b = weights(m, "b", 1, (int64_t[]){1000}, 1, 0.1);
    x = gh_graph_op(m->g, "GlobalAveragePool", "pool", &x, 1);
    x = gh_graph_op(m->g, "Flatten", "features", &x, 1);
    x = gh_graph_op(m->g, "Gemm", "logits", (uint32_t[]){x, w, b}, 3);
    gh_graph_set_int(m->g, x, "transB", 1);
    gh_graph_output(m->g, x);
}

/* Tan and Le 2019, table 1, without squeeze and excitation (EfficientNet-Lite0), TensorFlow's padding. */
static void lite0(maker *m)
{
    static const struct {
        int repeat, kernel, stride, expand, in, out;
    } stages[] = {
        {1, 3, 1, 1, 32, 16},  {2, 3, 2, 6, 16, 24},   {2, 5, 2, 6, 24, 40},   {3, 3, 2, 6, 40, 80},
        {3, 5, 1, 6, 80, 112}, {4, 5, 2, 6, 112, 192}, {1, 3, 1, 6, 192, 320},
    };
    uint32_t x = conv_padded(m, image(m, 224), 3, 32, 3, 2, 1, 0, 1, RELU6);
    for (size_t i = 0; i < GH_COUNT(stages); i++)
        for (int k = 0; k < stages[i].repeat; k++) {
            int in = k ? stages[i].out : stages[i].in, out = stages[i].out, wide = in * stages[i].expand;
            int stride = k ? 1 : stages[i].stride, window = stages[i].kernel, total = window - stride;
            uint32_t y = stages[i].expand > 1 ? conv(m, x, in, wide, 1, 1, RELU6) : x;
            y = conv_padded(m, y, wide, wide, window, stride, wide, total / 2, total - total / 2, RELU6);
            y = conv(m, y, wide, out, 1, 1, PLAIN);
            x = k ? gh_graph_op(m->g, "Add", "", (uint32_t[]){y, x}, 2) : y;
        }
    classes(m, conv(m, x, 320, 1280, 1, 1, RELU6), 1280);
}

/* He et al. 2016, table 1: 18 layers, batch normalisation folded. */
static void resnet18(maker *m)
{
    uint32_t x = pool_max(m, conv(m, image(m, 224), 3, 64, 7, 2, RELU), 3, 1);
    for (int i = 0, in = 64, out = 64; i < 8; i++) {
        int stride = i && i % 2 == 0 ? 2 : 1;
        out *= stride;
        uint32_t y = conv(m, conv(m, x, in, out, 3, stride, RELU), out, out, 3, 1, PLAIN);
        uint32_t skip = stride > 1 ? conv(m, x, in, out, 1, 2, PLAIN) : x;
        y = gh_graph_op(m->g, "Add", "", (uint32_t[]){y, skip}, 2);
        x = gh_graph_op(m->g, "Relu", "", &y, 1);
        in = out;
    }
    classes(m, x, 512);
}

/* Ronneberger et al. 2015 with padding, 32 to 512 channels, two classes. */
static void unet(maker *m)
{
    enum { LEVELS = 5, FIRST = 32 };
    uint32_t skip[LEVELS], x = image(m, 256);
    for (int i = 0; i < LEVELS; i++) {
        int out = FIRST << i;
        x = conv(m, i ? pool_max(m, x, 2, 0) : x, i ? out / 2 : 3, out, 3, 1, RELU);
        skip[i] = x = conv(m, x, out, out, 3, 1, RELU);
    }
    for (int i = LEVELS - 2; i >= 0; i--) {
        int out = FIRST << i;
        x = gh_graph_op(m->g, "Concat", "", (uint32_t[]){skip[i], up(m, x, 2 * out, out)}, 2);
        gh_graph_set_int(m->g, x, "axis", 1);
        x = conv(m, conv(m, x, 2 * out, out, 3, 1, RELU), out, out, 3, 1, RELU);
    }
    gh_graph_output(m->g, conv(m, x, FIRST, 2, 1, 1, PLAIN));
}

static gh_status write_net(const char *folder, const char *name, void (*build)(maker *m), gh_err *e)
{
    const float zero = 0, six = 6;
    char path[4096];
    maker m = {0};
    GH_TRY(gh_graph_new(&m.g, e));
    gh_rng_seed(&m.rng, 1);
    m.zero = gh_graph_const(m.g, "zero", GH_F32, gh_shape_of(0, NULL), &zero, true);
    m.six = gh_graph_const(m.g, "six", GH_F32, gh_shape_of(0, NULL), &six, true);
    build(&m);
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    gh_status status = gh_graph_check(m.g, e);
    if (!status)
        status = gh_onnx_write(m.g, path, e);
    gh_graph_free(&m.g);
    return status;
}

static gh_status write_all(const char *folder, gh_err *e)
{
    GH_TRY(write_net(folder, "lite0", lite0, e));
    GH_TRY(write_net(folder, "resnet18", resnet18, e));
    return write_net(folder, "unet", unet, e);
}

static gh_status pass_tensor(gh_session *s, gh_err *e)
{
    gh_tensor *in = gh_session_input(s, 0);
    size_t count;
    if (!gh_shape_count(&count, &in->shape) || fread(in->data, sizeof(float), count, stdin) != count)
        return gh_fail(e, GH_ARG, "stdin does not hold the input's floats");
    GH_TRY(gh_session_run(s, e));
    const gh_tensor *out = gh_session_output(s, 0);
    if (!gh_shape_count(&count, &out->shape) || fwrite(out->data, sizeof(float), count, stdout) != count)
        return gh_fail(e, GH_IO, "the output was not written");
    return GH_OK;
}

static gh_status run_net(const char *path, const char *precision, gh_err *e)
{
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *session = NULL;
    unsigned bf16 = 0;
    bool wanted = strcmp(precision, "bf16") == 0;
    gh_status status = gh_precision_flag(&bf16, wanted ? GH_PRECISION_BF16 : GH_PRECISION_FP32, e);
    if (!status)
        status = gh_net_load(&net, path, GH_PASS_ALL | bf16, e);
    if (!status)
        status = gh_plan_get(&plan, net, &gh_net_input(net, 0)->shape, e);
    if (!status)
        status = gh_session_new(&session, NULL, e);
    if (!status)
        status = gh_session_bind(session, plan, e);
    if (!status)
        status = pass_tensor(session, e);
    gh_session_free(&session);
    gh_plan_put(&plan);
    gh_net_free(&net);
    return status;
}

int main(int argc, char **argv)
{
    gh_err e = {0};
    bool write = argc == 3 && strcmp(argv[1], "write") == 0, run = argc == 4 && strcmp(argv[1], "run") == 0;
    if (!write && !run) {
        fprintf(stderr, "usage: bench-nets write FOLDER | bench-nets run FILE.onnx fp32|bf16\n");
        return 2;
    }
    gh_status status = write ? write_all(argv[2], &e) : run_net(argv[2], argv[3], &e);
    if (status)
        fprintf(stderr, "bench-nets: %s\n", e.text);
    return status ? 1 : 0;
}
