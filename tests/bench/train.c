/* Training steps on the tape, for tests/bench/train.py, which has the same networks in PyTorch:
 *
 *     bench-train mobilenet|unet SIDE BATCH STEPS [THREADS [checkpointing]]
 *
 * prints the milliseconds of each step (forward, the loss's gradient, backward, and a step downhill), and
 * then the peak of resident memory above what the program held before it made the network, in MB. Weights are
 * random; the loss is half the mean square of the output. */
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/op.h"
#include "train/tape/tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gh_graph *g;
static gh_rng rng;

static uint32_t constant(gh_shape s, float spread, float middle)
{
    float *data = NULL;
    uint32_t v = gh_graph_const_f32(g, "", s, &data);
    for (size_t i = 0; data && i < gh_shape_span(&s, 0, s.rank); i++)
        data[i] = middle + spread * gh_rng_normal(&rng);
    return v;
}

static uint32_t channels(int64_t n, float value)
{
    return constant(gh_shape_of(1, &n), 0, value);
}

static uint32_t conv(uint32_t x, int64_t ic, int64_t oc, int64_t k, int64_t stride, int64_t groups,
                     bool biased)
{
    int64_t dims[] = {oc, ic / groups, k, k}, pads[] = {k / 2, k / 2, k / 2, k / 2};
    float spread = sqrtf(2.0f / (float)(ic / groups * k * k));
    uint32_t in[] = {x, constant(gh_shape_of(4, dims), spread, 0), biased ? channels(oc, 0) : GH_NONE};
    uint32_t y = gh_graph_op(g, "Conv", "", in, biased ? 3 : 2);
    gh_graph_set_ints(g, y, "strides", (int64_t[]){stride, stride}, 2);
    gh_graph_set_ints(g, y, "pads", pads, 4);
    gh_graph_set_int(g, y, "group", groups);
    return y;
}

static uint32_t norm(uint32_t x, int64_t n)
{
    uint32_t in[] = {x, channels(n, 1), channels(n, 0), channels(n, 0), channels(n, 1)};
    return gh_graph_op(g, "BatchNormalization", "", in, 5);
}

static uint32_t relu6(uint32_t x)
{
    uint32_t in[] = {x, constant((gh_shape){0}, 0, 0), constant((gh_shape){0}, 0, 6)};
    return gh_graph_op(g, "Clip", "", in, 3);
}

/* MobileNetV2 (Sandler et al. 2018, table 2): expansion, channels, repeats, stride of the first. */
static const int blocks[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

static uint32_t mobilenet(uint32_t x)
{
    int64_t c = 32;
    x = relu6(norm(conv(x, 3, c, 3, 2, 1, false), c));
    for (size_t b = 0; b < GH_COUNT(blocks); b++)
        for (int i = 0; i < blocks[b][2]; i++) {
            int64_t wide = c * blocks[b][0], out = blocks[b][1], stride = i ? 1 : blocks[b][3];
            uint32_t y = blocks[b][0] == 1 ? x : relu6(norm(conv(x, c, wide, 1, 1, 1, false), wide));
            y = relu6(norm(conv(y, wide, wide, 3, stride, wide, false), wide));
            y = norm(conv(y, wide, out, 1, 1, 1, false), out);
            x = stride == 1 && c == out ? gh_graph_op(g, "Add", "", (uint32_t[]){x, y}, 2) : y;
            c = out;
        }
    x = relu6(norm(conv(x, c, 1280, 1, 1, 1, false), 1280));
    x = gh_graph_op(g, "GlobalAveragePool", "", &x, 1);
    x = gh_graph_op(g, "Flatten", "", &x, 1);
    uint32_t in[] = {x, constant(gh_shape_of(2, (int64_t[]){1000, 1280}), 0.01f, 0), channels(1000, 0)};
    uint32_t y = gh_graph_op(g, "Gemm", "", in, 3);
    gh_graph_set_int(g, y, "transB", 1);
    return y;
}

static uint32_t twice(uint32_t x, int64_t ic, int64_t oc)
{
    for (int i = 0; i < 2; i++) {
        x = norm(conv(x, i ? oc : ic, oc, 3, 1, 1, false), oc);
        x = gh_graph_op(g, "Relu", "", &x, 1);
    }
    return x;
}

/* U-Net (Ronneberger et al. 2015) with norms and padding: 32 to 512 channels, 11 classes. */
static uint32_t unet(uint32_t x)
{
    enum { LEVELS = 4 };
    uint32_t skips[LEVELS];
    int64_t c = 32;
    x = twice(x, 3, c);
    for (int i = 0; i < LEVELS; i++, c *= 2) {
        skips[i] = x;
        x = gh_graph_op(g, "MaxPool", "", &x, 1);
        gh_graph_set_ints(g, x, "kernel_shape", (int64_t[]){2, 2}, 2);
        gh_graph_set_ints(g, x, "strides", (int64_t[]){2, 2}, 2);
        x = twice(x, c, 2 * c);
    }
    for (int i = LEVELS; i-- > 0; c /= 2) {
        uint32_t w = constant(gh_shape_of(4, (int64_t[]){c, c / 2, 2, 2}), sqrtf(2.0f / (float)c), 0);
        uint32_t up = gh_graph_op(g, "ConvTranspose", "", (uint32_t[]){x, w, channels(c / 2, 0)}, 3);
        gh_graph_set_ints(g, up, "strides", (int64_t[]){2, 2}, 2);
        uint32_t both = gh_graph_op(g, "Concat", "", (uint32_t[]){skips[i], up}, 2);
        gh_graph_set_int(g, both, "axis", 1);
        x = twice(both, c, c / 2);
    }
    return conv(x, c, 11, 1, 1, 1, true);
}

/* The line of /proc/self/status that starts with `name`, in MB. */
static double megabytes(const char *name)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtod(line + strlen(name), NULL);
    if (f)
        fclose(f);
    return kb / 1024;
}

static gh_status step(gh_tape *t, gh_err *e)
{
    GH_TRY(gh_tape_forward(t, true, e));
    const gh_tensor *y = gh_tape_output(t, 0);
    float *dy = gh_tape_output_gradient(t, 0), *w = gh_tape_weights(t), *dw = gh_tape_gradients(t);
    size_t n = gh_shape_span(&y->shape, 0, y->shape.rank);
    for (size_t i = 0; i < n; i++)
        dy[i] = ((const float *)y->data)[i] / (float)n;
    GH_TRY(gh_tape_backward(t, e));
    for (size_t i = 0; i < gh_tape_count(t); i++)
        w[i] -= 0.01f * dw[i];
    return GH_OK;
}

static gh_status run(int argc, char **argv, gh_err *e)
{
    gh_pool *pool = NULL;
    gh_tape *t = NULL;
    int64_t side = atoi(argv[2]), batch = atoi(argv[3]);
    gh_shape s = {4, {batch, 3, side, side}};
    double before = megabytes("VmRSS:");
    gh_status status = gh_pool_new(&pool, argc > 5 ? atoi(argv[5]) : 2, e);
    if (!status)
        status = gh_graph_new(&g, e);
    if (!status) {
        gh_rng_seed(&rng, 1);
        uint32_t x = gh_graph_input(g, "x", GH_F32, s);
        gh_graph_output(g, strcmp(argv[1], "unet") == 0 ? unet(x) : mobilenet(x));
        status = gh_graph_check(g, e);
    }
    gh_tape_options o = {.inputs = &s, .pool = pool, .checkpointing = argc > 6};
    if (!status)
        status = gh_tape_new(&t, g, &o, e);
    for (size_t i = 0; !status && i < gh_shape_span(&s, 0, 4); i++)
        gh_tape_input(t, 0)[i] = gh_rng_normal(&rng);
    for (int i = 0; !status && i < atoi(argv[4]); i++) {
        uint64_t start = gh_now_ns();
        status = step(t, e);
        printf("%.2f\n", (double)(gh_now_ns() - start) / 1e6);
    }
    if (!status)
        printf("memory %.1f planned %.1f\n", megabytes("VmHWM:") - before,
               (double)gh_tape_bytes(t) / 1048576);
    gh_tape_free(&t);
    gh_graph_free(&g);
    gh_pool_free(&pool);
    return status;
}

int main(int argc, char **argv)
{
    gh_err e = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: bench-train mobilenet|unet SIDE BATCH STEPS [THREADS [checkpointing]]\n");
        return 2;
    }
    if (run(argc, argv, &e)) {
        fprintf(stderr, "bench-train: %s\n", e.text);
        return 1;
    }
    return 0;
}
