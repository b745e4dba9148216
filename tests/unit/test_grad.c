/* Every gradient against central differences, element by element: the operands are learnt themselves. Losses
 * are summed in double; for operators that are linear or products of two operands central differences are
 * exact, for others the step is small. Operands are 0.05 apart and 0.025 off every bound, so that no step of
 * H meets a kink. */
#include "base/mem.h"
#include "engine/op.h"
#include "unit/suites.h"
#include "unit/tape_case.h"

#include <math.h>
#include <string.h>

#define H 0.015f

static tc_graph graph;
static bool frozen; /* norms */

/* A learnt tensor: 1 times a row of numbers, in the shape wanted. */
static uint32_t operand(int rank, const int64_t *dims)
{
    gh_shape s = gh_shape_of(rank, dims);
    int64_t n = (int64_t)gh_shape_span(&s, 0, rank), row[] = {1, n};
    float *w = NULL;
    uint32_t in[] = {graph.g->ninputs ? graph.g->inputs[0] : tc_input(&graph, 2, (int64_t[]){1, 1}),
                     gh_graph_const_f32(graph.g, "", gh_shape_of(2, row), &w)};
    for (int64_t i = 0; w && i < n; i++) { /* a shuffled row of steps */
        int64_t j = (int64_t)gh_rng_below(&graph.rng, (uint64_t)i + 1);
        w[i] = w[j];
        w[j] = (float)(i - n / 2) * 0.05f + 0.025f;
    }
    uint32_t flat = gh_graph_op(graph.g, "MatMul", "", in, 2);
    return tc_op(&graph, "Reshape", flat, tc_ints(&graph, rank, dims), GH_NONE);
}

static uint32_t picture(int64_t n, int64_t c, int64_t h, int64_t w)
{
    return operand(4, (int64_t[]){n, c, h, w});
}

static double loss_of(gh_tape *tape, const float *g)
{
    gh_err e = {0};
    double sum = 0;
    NT_OK(gh_tape_forward(tape, true, &e), e);
    for (uint32_t o = 0; o < graph.g->noutputs; o++) {
        const gh_tensor *y = gh_tape_output(tape, o);
        size_t n = gh_shape_span(&y->shape, 0, y->shape.rank);
        for (size_t i = 0; i < n; i++)
            sum += (double)*g++ * ((const float *)y->data)[i];
    }
    return sum;
}

/* The gradients of the random weighing g of all outputs, which the caller frees. */
static float *gradients_of(gh_tape *tape, float *g, size_t most)
{
    gh_err e = {0};
    size_t at = 0, bytes = gh_tape_count(tape) * sizeof(float);
    NT_OK(gh_tape_forward(tape, true, &e), e);
    for (uint32_t o = 0; o < graph.g->noutputs; o++) {
        const gh_tensor *y = gh_tape_output(tape, o);
        float *dy = gh_tape_output_gradient(tape, o);
        size_t n = gh_shape_span(&y->shape, 0, y->shape.rank);
        ck_assert_uint_le(at + n, most);
        for (size_t i = 0; i < n; i++)
            dy[i] = g[at++] = 2 * gh_rng_float(&graph.rng) - 1;
    }
    NT_OK(gh_tape_backward(tape, &e), e);
    float *copy = gh_alloc(bytes);
    memcpy(copy, gh_tape_gradients(tape), bytes);
    return copy;
}

/* Ends the graph at up to two values and checks it, kept and computed again. */
static void check(uint32_t a, uint32_t b, double most, const char *what)
{
    enum { MOST = 20000 };
    static float g[MOST];
    gh_graph_output(graph.g, a);
    if (b != GH_NONE)
        gh_graph_output(graph.g, b);
    for (int again = 0; again < 2; again++) {
        gh_tape *tape = tc_tape(&graph, (gh_tape_options){.checkpointing = again, .frozen_norms = frozen});
        const gh_tape_param *params;
        gh_tape_input(tape, 0)[0] = 1;
        float *got = gradients_of(tape, g, MOST), *w = gh_tape_weights(tape);
        double largest = 1;
        for (size_t i = 0; i < gh_tape_count(tape); i++)
            largest = fmax(largest, fabs((double)got[i]));
        for (size_t p = 0; p < gh_tape_params(tape, &params); p++)
            for (size_t i = params[p].offset; i < params[p].offset + params[p].count; i++) {
                float was = w[i];
                w[i] = was + H;
                double up = loss_of(tape, g), step = (double)w[i];
                w[i] = was - H;
                step -= (double)w[i];
                double slope = (up - loss_of(tape, g)) / step;
                w[i] = was;
                ck_assert_msg(fabs(slope - (double)got[i]) <= most * largest, "%s: %s[%zu]: %g, not %g", what,
                              params[p].name, i - params[p].offset, (double)got[i], slope);
            }
        gh_free(got);
        gh_tape_free(&tape);
    }
    gh_graph_free(&graph.g);
}

static void start(uint64_t seed)
{
    graph = tc_new(seed);
    frozen = false;
}

#define EXACT  2e-4 /* linear, or products of two operands: rounding alone */
#define CURVED 2e-3 /* the third derivative times H squared */

typedef struct conv_case {
    int64_t n, ic, oc, h, w, kh, kw, sh, sw, dh, dw, groups, pads[4];
} conv_case;

static const conv_case convs[] = {
    {2, 3, 4, 5, 7, 3, 3, 1, 1, 1, 1, 1, {1, 1, 1, 1}}, {2, 4, 5, 3, 5, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
    {1, 2, 3, 9, 8, 3, 3, 2, 2, 1, 1, 1, {0, 1, 1, 0}}, {2, 3, 3, 7, 6, 3, 3, 1, 1, 1, 1, 3, {1, 1, 1, 1}},
    {1, 4, 4, 9, 7, 3, 3, 2, 2, 1, 1, 4, {1, 1, 1, 1}}, {1, 3, 3, 9, 10, 3, 5, 2, 1, 1, 2, 3, {2, 3, 0, 4}},
    {2, 4, 6, 5, 5, 3, 3, 1, 1, 1, 1, 2, {1, 1, 1, 1}}, {1, 2, 2, 11, 9, 3, 3, 3, 2, 2, 3, 1, {2, 0, 3, 1}},
    {1, 3, 3, 8, 8, 1, 1, 2, 2, 1, 1, 3, {0, 0, 0, 0}}, {1, 3, 2, 6, 7, 1, 1, 2, 2, 1, 1, 1, {0, 0, 0, 0}},
    {1, 2, 2, 5, 9, 5, 5, 1, 1, 1, 1, 2, {2, 2, 2, 2}}, {3, 1, 2, 4, 4, 2, 2, 1, 1, 1, 1, 1, {0, 0, 1, 1}},
};

static void set_window(uint32_t y, const conv_case *c)
{
    gh_graph_set_ints(graph.g, y, "strides", (int64_t[]){c->sh, c->sw}, 2);
    gh_graph_set_ints(graph.g, y, "dilations", (int64_t[]){c->dh, c->dw}, 2);
    gh_graph_set_ints(graph.g, y, "pads", c->pads, 4);
    gh_graph_set_int(graph.g, y, "group", c->groups);
}

START_TEST(test_conv)
{
    const conv_case *c = &convs[_i];
    start(1);
    uint32_t x = picture(c->n, c->ic, c->h, c->w);
    uint32_t w = tc_random(&graph, 4, (int64_t[]){c->oc, c->ic / c->groups, c->kh, c->kw}, -1, 1);
    uint32_t y = tc_op(&graph, "Conv", x, w, tc_random(&graph, 1, &c->oc, -1, 1));
    set_window(y, c);
    check(y, GH_NONE, EXACT, "Conv");
}
END_TEST

START_TEST(test_conv_transpose)
{
    const conv_case *c = &convs[_i];
    start(2);
    uint32_t x = picture(c->n, c->ic, c->h, c->w);
    uint32_t w = tc_random(&graph, 4, (int64_t[]){c->ic, c->oc / c->groups, c->kh, c->kw}, -1, 1);
    uint32_t y = tc_op(&graph, "ConvTranspose", x, w, tc_random(&graph, 1, &c->oc, -1, 1));
    set_window(y, c);
    gh_graph_set_ints(graph.g, y, "output_padding", (int64_t[]){c->sh - 1, c->sw - 1}, 2);
    check(y, GH_NONE, EXACT, "ConvTranspose");
}
END_TEST

/* With a clamp joined: channels that lie within its bounds, below and above, so that no kink is met. */
START_TEST(test_norm)
{
    static const float shifts[] = {5, -5, 40};
    for (int variant = 0; variant < 4; variant++) {
        start(3);
        frozen = variant % 2;
        int64_t n = 3;
        uint32_t in[] = {picture(2, 3, 3, 5), tc_random(&graph, 1, &n, 0.5f, 1.5f),
                         tc_floats(&graph, 3, shifts), tc_random(&graph, 1, &n, -0.5f, 0.5f),
                         tc_random(&graph, 1, &n, 0.5f, 1.5f)};
        uint32_t y = gh_graph_op(graph.g, "BatchNormalization", "", in, 5);
        if (variant > 1)
            y = tc_op(&graph, "Clip", y, tc_floats(&graph, 1, (float[]){0}),
                      tc_floats(&graph, 1, (float[]){20}));
        check(y, GH_NONE, CURVED, "BatchNormalization");
    }
}
END_TEST

START_TEST(test_activations)
{
    static const struct {
        const char *type, *attribute;
        float value;
    } acts[] = {{"Relu", NULL, 0}, {"LeakyRelu", "alpha", 0.3f}, {"Sigmoid", NULL, 0},
                {"Tanh", NULL, 0}, {"HardSwish", NULL, 0},       {"HardSigmoid", "alpha", 0.2f}};
    start(4);
    graph.g->opsets[0].version = 14;
    uint32_t y = GH_NONE;
    for (size_t i = 0; i < GH_COUNT(acts); i++) {
        if (i)
            start(4 + i);
        graph.g->opsets[0].version = 14;
        y = tc_op(&graph, acts[i].type, picture(1, 2, 9, 9), GH_NONE, GH_NONE);
        if (acts[i].attribute)
            gh_graph_set_float(graph.g, y, acts[i].attribute, acts[i].value);
        check(y, GH_NONE, CURVED, acts[i].type);
    }
    start(12);
    y = tc_op(&graph, "Clip", picture(1, 2, 5, 7), tc_floats(&graph, 1, (float[]){-0.5f}),
              tc_floats(&graph, 1, (float[]){1}));
    check(y, GH_NONE, EXACT, "Clip");
    for (int64_t channels = 1; channels <= 3; channels += 2) {
        start(13);
        y = tc_op(&graph, "PRelu", picture(2, 3, 3, 5),
                  tc_random(&graph, 3, (int64_t[]){channels, 1, 1}, 0.1f, 0.5f), GH_NONE);
        check(y, GH_NONE, EXACT, "PRelu");
    }
}
END_TEST

START_TEST(test_softmax)
{
    static const char *const types[] = {"Softmax", "LogSoftmax"};
    for (int i = 0; i < 6; i++) {
        start(20);
        uint32_t y = tc_op(&graph, types[i % 2], picture(2, 3, 2, 3), GH_NONE, GH_NONE);
        gh_graph_set_int(graph.g, y, "axis", i / 2 + 1);
        check(y, GH_NONE, CURVED, types[i % 2]);
    }
}
END_TEST

START_TEST(test_binary)
{
    static const char *const types[] = {"Add", "Sub", "Mul", "Div"};
    static const int64_t shapes[][4] = {{2, 3, 2, 5}, {2, 3, 1, 1}, {1, 3, 1, 1}, {1, 1, 1, 5}, {2, 1, 2, 5}};
    for (size_t t = 0; t < GH_COUNT(types); t++)
        for (size_t s = 0; s < GH_COUNT(shapes); s++)
            for (int swapped = 0; swapped < 2; swapped++) {
                start(30);
                uint32_t a = picture(2, 3, 2, 5), b = operand(4, shapes[s]);
                if (t == 3) { /* divisors of 3 and more */
                    uint32_t *by = swapped ? &a : &b;
                    *by = tc_op(&graph, "Add", *by, tc_floats(&graph, 1, (float[]){5}), GH_NONE);
                }
                uint32_t y = tc_op(&graph, types[t], swapped ? b : a, swapped ? a : b, GH_NONE);
                check(y, GH_NONE, t == 3 ? CURVED : EXACT, types[t]);
            }
    start(31);
    uint32_t x = picture(1, 2, 3, 3); /* one value twice, and read on both sides of an addition */
    uint32_t y = tc_op(&graph, "Mul", x, x, GH_NONE);
    check(tc_op(&graph, "Add", tc_op(&graph, "Add", y, x, GH_NONE), y, GH_NONE), y, EXACT, "x * x + x");
    start(32); /* learnt constants behind something learnt */
    x = tc_op(&graph, "Mul", picture(2, 3, 2, 2), tc_random(&graph, 3, (int64_t[]){3, 1, 1}, -1, 1), GH_NONE);
    y = tc_op(&graph, "Add", x, tc_random(&graph, 3, (int64_t[]){3, 1, 1}, -1, 1), GH_NONE);
    check(y, GH_NONE, EXACT, "scale and shift");
}
END_TEST

START_TEST(test_reduce)
{
    for (int keep = 0; keep < 2; keep++)
        for (int mean = 0; mean < 2; mean++) {
            start(40);
            uint32_t y = mean ? tc_op(&graph, "ReduceMean", picture(2, 3, 4, 5), GH_NONE, GH_NONE)
                              : tc_op(&graph, "ReduceSum", picture(2, 3, 4, 5),
                                      tc_ints(&graph, 2, (int64_t[]){2, -1}), GH_NONE);
            if (mean)
                gh_graph_set_ints(graph.g, y, "axes", (int64_t[]){2, 3}, 2);
            gh_graph_set_int(graph.g, y, "keepdims", keep);
            check(y, GH_NONE, EXACT, "Reduce");
        }
}
END_TEST

START_TEST(test_pool)
{
    static const struct {
        int64_t h, w, window[2], stride[2], pads[4], ceil, count_pad;
    } pools[] = {{6, 8, {2, 2}, {2, 2}, {0, 0, 0, 0}, 0, 0},
                 {7, 5, {3, 3}, {2, 2}, {1, 1, 1, 1}, 0, 1},
                 {7, 9, {3, 2}, {2, 3}, {0, 1, 1, 0}, 1, 0},
                 {5, 5, {3, 3}, {1, 1}, {1, 1, 1, 1}, 0, 0}};
    static const char *const types[] = {"MaxPool", "AveragePool"};
    for (size_t i = 0; i < 2 * GH_COUNT(pools); i++) {
        size_t p = i / 2;
        start(50 + i);
        uint32_t y = tc_op(&graph, types[i % 2], picture(2, 2, pools[p].h, pools[p].w), GH_NONE, GH_NONE);
        gh_graph_set_ints(graph.g, y, "kernel_shape", pools[p].window, 2);
        gh_graph_set_ints(graph.g, y, "strides", pools[p].stride, 2);
        gh_graph_set_ints(graph.g, y, "pads", pools[p].pads, 4);
        gh_graph_set_int(graph.g, y, "ceil_mode", pools[p].ceil);
        if (i % 2)
            gh_graph_set_int(graph.g, y, "count_include_pad", pools[p].count_pad);
        check(y, GH_NONE, EXACT, types[i % 2]);
    }
    start(60);
    check(tc_op(&graph, "GlobalAveragePool", picture(2, 3, 3, 5), GH_NONE, GH_NONE), GH_NONE, EXACT,
          "GlobalAveragePool");
}
END_TEST

/* A pooling with its places, a change of the values, and the unpooling to those places. */
START_TEST(test_unpool)
{
    start(61);
    uint32_t x = picture(2, 2, 6, 4), y = gh_graph_value(graph.g, "", GH_F32, (gh_shape){.rank = -1});
    uint32_t out[] = {y, gh_graph_value(graph.g, "", GH_I64, (gh_shape){.rank = -1})};
    gh_graph_node(graph.g, "MaxPool", "pool", &x, 1, out, 2);
    for (int i = 0; i < 2; i++) {
        if (i)
            y = tc_op(&graph, "MaxUnpool", tc_op(&graph, "Mul", y, y, GH_NONE), out[1], GH_NONE);
        gh_graph_set_ints(graph.g, y, "kernel_shape", (int64_t[]){2, 2}, 2);
        gh_graph_set_ints(graph.g, y, "strides", (int64_t[]){2, 2}, 2);
    }
    check(y, GH_NONE, EXACT, "MaxUnpool");
}
END_TEST

START_TEST(test_dense)
{
    for (int flags = 0; flags < 8; flags++) {
        bool ta = flags & 1, tb = flags & 2;
        start(70 + (uint64_t)flags);
        uint32_t a = operand(2, ta ? (int64_t[]){3, 5} : (int64_t[]){5, 3});
        uint32_t b = tc_random(&graph, 2, tb ? (int64_t[]){4, 3} : (int64_t[]){3, 4}, -1, 1);
        uint32_t c = flags & 4 ? tc_random(&graph, 1, (int64_t[]){4}, -1, 1)
                               : tc_random(&graph, 2, (int64_t[]){5, 1}, -1, 1);
        uint32_t y = tc_op(&graph, "Gemm", a, b, c);
        gh_graph_set_int(graph.g, y, "transA", ta);
        gh_graph_set_int(graph.g, y, "transB", tb);
        gh_graph_set_float(graph.g, y, "alpha", 0.5f);
        gh_graph_set_float(graph.g, y, "beta", 1.5f);
        check(y, GH_NONE, EXACT, "Gemm");
    }
    start(80);
    check(tc_op(&graph, "MatMul", operand(3, (int64_t[]){2, 3, 4}), operand(2, (int64_t[]){4, 5}), GH_NONE),
          GH_NONE, EXACT, "MatMul, one matrix");
    start(81);
    check(tc_op(&graph, "MatMul", operand(4, (int64_t[]){2, 1, 3, 4}), operand(3, (int64_t[]){3, 4, 2}),
                GH_NONE),
          GH_NONE, EXACT, "MatMul, repeated");
}
END_TEST

START_TEST(test_resize)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const places[] = {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"};
    static const int64_t sizes[][2] = {{6, 10}, {7, 9}, {2, 3}};
    for (size_t i = 0; i < 36; i++) {
        const int64_t *to = sizes[i / 12];
        start(90);
        uint32_t x = picture(1, 2, 3, 5);
        uint32_t in[] = {x, GH_NONE, GH_NONE, tc_ints(&graph, 4, (int64_t[]){1, 2, to[0], to[1]})};
        uint32_t y = gh_graph_op(graph.g, "Resize", "", in, 4);
        gh_graph_set_string(graph.g, y, "mode", modes[i / 4 % 3]);
        gh_graph_set_string(graph.g, y, "coordinate_transformation_mode", places[i % 4]);
        check(y, GH_NONE, EXACT, "Resize");
    }
}
END_TEST

START_TEST(test_moves)
{
    start(100);
    uint32_t a = picture(2, 3, 2, 3), b = picture(2, 2, 2, 3);
    uint32_t y = tc_op(&graph, "Concat", a, b, a);
    gh_graph_set_int(graph.g, y, "axis", 1);
    check(tc_op(&graph, "Mul", y, y, GH_NONE), GH_NONE, EXACT, "Concat");
    start(101);
    a = picture(2, 5, 2, 3);
    uint32_t out[2], in[] = {a, tc_ints(&graph, 2, (int64_t[]){2, 3})};
    out[0] = gh_graph_value(graph.g, "", GH_F32, (gh_shape){.rank = -1});
    out[1] = gh_graph_value(graph.g, "", GH_F32, (gh_shape){.rank = -1});
    gh_graph_node(graph.g, "Split", "split", in, 2, out, 2);
    gh_graph_set_int(graph.g, out[0], "axis", 1);
    check(tc_op(&graph, "Mul", out[0], out[0], GH_NONE), GH_NONE, EXACT, "Split, one part");
    start(102);
    y = tc_op(&graph, "Transpose", picture(2, 3, 4, 5), GH_NONE, GH_NONE);
    gh_graph_set_ints(graph.g, y, "perm", (int64_t[]){0, 2, 3, 1}, 4);
    check(y, GH_NONE, EXACT, "Transpose");
    start(103);
    uint32_t cut[] = {picture(1, 3, 5, 7), tc_ints(&graph, 2, (int64_t[]){1, 6}),
                      tc_ints(&graph, 2, (int64_t[]){5, 0}), tc_ints(&graph, 2, (int64_t[]){2, 3}),
                      tc_ints(&graph, 2, (int64_t[]){2, -3})};
    check(gh_graph_op(graph.g, "Slice", "", cut, 5), GH_NONE, EXACT, "Slice");
    static const char *const modes[] = {"constant", "reflect", "edge"};
    for (size_t i = 0; i < 3; i++) {
        start(104);
        y = tc_op(&graph, "Pad", picture(1, 2, 4, 5),
                  tc_ints(&graph, 8, (int64_t[]){0, 0, 2, 1, 0, 0, -1, 3}),
                  i ? GH_NONE : tc_random(&graph, 0, NULL, 1, 2));
        gh_graph_set_string(graph.g, y, "mode", modes[i]);
        check(y, GH_NONE, EXACT, "Pad");
    }
    start(105);
    y = tc_op(&graph, "DepthToSpace", picture(1, 8, 2, 3), GH_NONE, GH_NONE);
    gh_graph_set_int(graph.g, y, "blocksize", 2);
    check(y, GH_NONE, EXACT, "DepthToSpace");
}
END_TEST

Suite *gh_suite_grad(void)
{
    Suite *s = suite_create("grad");
    TCase *c = tcase_create("grad");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, test_conv, 0, (int)GH_COUNT(convs));
    tcase_add_loop_test(c, test_conv_transpose, 0, (int)GH_COUNT(convs));
    tcase_add_test(c, test_norm);
    tcase_add_test(c, test_activations);
    tcase_add_test(c, test_softmax);
    tcase_add_test(c, test_binary);
    tcase_add_test(c, test_reduce);
    tcase_add_test(c, test_pool);
    tcase_add_test(c, test_unpool);
    tcase_add_test(c, test_dense);
    tcase_add_test(c, test_resize);
    tcase_add_test(c, test_moves);
    suite_add_tcase(s, c);
    return s;
}
