/* A network of most operators against PyTorch: gradients that torch 2.15.0 found in double precision on the
 * same numbers. Every tensor k holds middle + scale * sin(1.7 i + k) at element i, rounded to float32. */
#include "engine/op.h"
#include "unit/suites.h"
#include "unit/tape_case.h"

#include <math.h>

static tc_graph graph;

static float number(int k, size_t i, double scale, double middle)
{
    return (float)(middle + scale * sin(1.7 * (double)i + k));
}

static uint32_t weight(int k, int rank, const int64_t *dims, double scale, double middle)
{
    float *w = NULL;
    gh_shape s = gh_shape_of(rank, dims);
    uint32_t v = gh_graph_const_f32(graph.g, "", s, &w);
    for (size_t i = 0; w && i < gh_shape_span(&s, 0, rank); i++)
        w[i] = number(k, i, scale, middle);
    return v;
}

static uint32_t row(int k, int64_t n, double scale, double middle)
{
    return weight(k, 1, &n, scale, middle);
}

static uint32_t filters(int k, int64_t a, int64_t b, int64_t side)
{
    return weight(k, 4, (int64_t[]){a, b, side, side}, 0.5, 0);
}

static void square(uint32_t y, const char *name, int64_t side)
{
    gh_graph_set_ints(graph.g, y, name, (int64_t[]){side, side}, 2);
}

static void pads(uint32_t y)
{
    gh_graph_set_ints(graph.g, y, "pads", (int64_t[]){1, 1, 1, 1}, 4);
}

static uint32_t op(const char *type, uint32_t x)
{
    return tc_op(&graph, type, x, GH_NONE, GH_NONE);
}

static uint32_t first_half(uint32_t x)
{
    uint32_t y = tc_op(&graph, "Conv", x, filters(1, 4, 3, 3), row(2, 4, 0.3, 0));
    square(y, "strides", 2);
    pads(y);
    uint32_t in[] = {y, row(3, 4, 0.3, 1.5), row(4, 4, 0.5, 0.5), row(0, 4, 0, 0), row(0, 4, 0, 1)};
    y = gh_graph_op(graph.g, "BatchNormalization", "", in, 5);
    y = tc_op(&graph, "Clip", y, tc_floats(&graph, 1, (float[]){0}), tc_floats(&graph, 1, (float[]){6}));
    y = tc_op(&graph, "Conv", y, filters(5, 4, 1, 3), row(6, 4, 0.3, 0));
    pads(y);
    gh_graph_set_int(graph.g, y, "group", 4);
    y = tc_op(&graph, "ConvTranspose", op("HardSwish", y), filters(7, 4, 5, 2), row(8, 5, 0.3, 0));
    square(y, "strides", 2);
    y = op("LeakyRelu", y);
    gh_graph_set_float(graph.g, y, "alpha", 0.1f);
    return y;
}

static uint32_t second_half(uint32_t y)
{
    uint32_t to[] = {y, GH_NONE, GH_NONE, tc_ints(&graph, 4, (int64_t[]){2, 5, 11, 13})};
    y = gh_graph_op(graph.g, "Resize", "", to, 4);
    gh_graph_set_string(graph.g, y, "mode", "linear");
    uint32_t z = op("Sigmoid", tc_op(&graph, "Conv", y, filters(9, 3, 5, 1), row(10, 3, 0.3, 0)));
    y = tc_op(&graph, "Concat", y, z, GH_NONE);
    gh_graph_set_int(graph.g, y, "axis", 1);
    y = tc_op(&graph, "PRelu", y, weight(11, 3, (int64_t[]){8, 1, 1}, 0.2, 0.25), GH_NONE);
    y = op("MaxPool", y);
    square(y, "kernel_shape", 3);
    square(y, "strides", 2);
    pads(y);
    y = op("AveragePool", y);
    square(y, "kernel_shape", 2);
    square(y, "strides", 2);
    y = tc_op(&graph, "Gemm", op("Flatten", y), weight(12, 2, (int64_t[]){6, 72}, 0.5, 0),
              row(13, 6, 0.3, 0));
    gh_graph_set_int(graph.g, y, "transB", 1);
    y = op("LogSoftmax", y);
    gh_graph_set_int(graph.g, y, "axis", 1);
    return y;
}

/* Of the gradient of tensor k: the sum of element i times cos(i), and element 0. */
static const struct {
    int k;
    double sum, first;
} recorded[] = {
    {1, 0.189339668, 0.114956004},     {2, 0, 0},
    {3, 0.145190491, 0.0296132866},    {4, 0.0140057875, 0.0540531562},
    {5, -0.153096431, -0.0722685737},  {6, -0.0344266544, -0.148647024},
    {7, 0.898026165, -0.0277391243},   {8, -0.39768698, -0.0784732954},
    {9, -0.0114433286, -0.0110068894}, {10, -0.0190544374, -0.0490363628},
    {11, -0.00269504714, 0},           {12, 0.150622068, 0.0630598145},
    {13, 1.05319995, -0.0111748803},
};
static const double recorded_loss = -1.1205662471980968;
static const double recorded_mean[] = {0.027319367582743406, -0.015990413490489904, -0.023158555594436244,
                                       0.02194782356857507},
                    recorded_variance[] = {0.9349769946220655, 0.9426582192626412, 0.9335801633697373,
                                           0.9398575977527753};

static double run(gh_tape *tape)
{
    gh_err e = {0};
    double loss = 0;
    for (size_t i = 0; i < 2 * 3 * 9 * 7; i++)
        gh_tape_input(tape, 0)[i] = number(0, i, 1, 0);
    NT_OK(gh_tape_forward(tape, true, &e), e);
    const float *y = gh_tape_output(tape, 0)->data;
    float *dy = gh_tape_output_gradient(tape, 0);
    for (size_t i = 0; i < 12; i++) {
        dy[i] = number(14, i, 1, 0);
        loss += (double)dy[i] * y[i];
    }
    NT_OK(gh_tape_backward(tape, &e), e);
    return loss;
}

START_TEST(test_as_torch)
{
    const gh_tape_param *params;
    size_t states;
    graph = tc_new(1);
    graph.g->opsets[0].version = 16;
    gh_graph_output(graph.g, second_half(first_half(tc_input(&graph, 4, (int64_t[]){2, 3, 9, 7}))));
    gh_tape *tape = tc_tape(&graph, (gh_tape_options){0});
    ck_assert_uint_eq(gh_tape_params(tape, &params), GH_COUNT(recorded));
    ck_assert_double_eq_tol(run(tape), recorded_loss, 1e-5);
    for (size_t p = 0; p < GH_COUNT(recorded); p++) {
        const float *g = gh_tape_gradients(tape) + params[p].offset;
        double sum = 0;
        for (size_t i = 0; i < params[p].count; i++)
            sum += (double)g[i] * cos((double)i);
        ck_assert_msg(fabs(sum - recorded[p].sum) < 2e-5 && fabs((double)g[0] - recorded[p].first) < 1e-5,
                      "tensor %d: %.9g and %.9g, not %.9g and %.9g", recorded[p].k, sum, (double)g[0],
                      recorded[p].sum, recorded[p].first);
    }
    const float *state = gh_tape_state(tape, &states);
    ck_assert_uint_eq(states, 8);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_double_eq_tol((double)state[i], recorded_mean[i], 1e-6);
        ck_assert_double_eq_tol((double)state[4 + i], recorded_variance[i], 1e-6);
    }
    gh_tape_free(&tape);
    gh_graph_free(&graph.g);
}
END_TEST

Suite *gh_suite_tape_torch(void)
{
    Suite *s = suite_create("tape_torch");
    TCase *c = tcase_create("tape_torch");
    tcase_add_test(c, test_as_torch);
    suite_add_tcase(s, c);
    return s;
}
