/* Quantised operators, operators that find, and those of ai.onnx.ml, beyond what the ONNX project's vectors
 * ask: against plain loops, and what they refuse in a run. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/op.h"
#include "unit/op_case.h"

#include <math.h>
#include <string.h>

static uint32_t constant(gh_dtype type, int rank, const int64_t *dims, const void *data)
{
    return gh_graph_const(op_graph, "", type, gh_shape_of(rank, dims), data, true);
}

static uint32_t one_float(float v)
{
    return constant(GH_F32, 0, NULL, &v);
}

static void set_input(nt_run *r, size_t i, const void *data)
{
    size_t count = 0;
    gh_tensor *t = gh_session_input(r->session, i);
    ck_assert(gh_shape_count(&count, &t->shape));
    memcpy(t->data, data, count * gh_dtype_size(t->type));
}

static const gh_tensor *run(nt_run *r)
{
    gh_err e;
    NT_OK(gh_session_run(r->session, &e), e);
    return gh_session_output(r->session, 0);
}

/* x -> Relu -> QuantizeLinear -> DequantizeLinear. */
static nt_run rounding_net(gh_dtype type, float scale, int zero, unsigned passes)
{
    int8_t byte = (int8_t)zero;
    op_start(13);
    uint32_t x = op_input("x", GH_F32, 1, NT_DIMS(40)), s = one_float(scale),
             z = constant(type, 0, NULL, &byte);
    uint32_t q = op_new("QuantizeLinear", op_new("LeakyRelu", x, GH_NONE, GH_NONE), s, z);
    return op_opened(op_new("DequantizeLinear", q, s, z), passes);
}

START_TEST(test_quantised_and_back_is_one_step)
{
    static const struct {
        gh_dtype type;
        int zero, low;
    } cases[] = {{GH_U8, 0, 0}, {GH_U8, 100, 0}, {GH_I8, 0, -128}, {GH_I8, -20, -128}};
    float x[40];
    for (int i = 0; i < 40; i++) /* halves, and beyond both ends */
        x[i] = (float)(i - 20) * 9.25f;
    x[39] = INFINITY;
    for (size_t c = 0; c < GH_COUNT(cases); c++) {
        nt_run all = rounding_net(cases[c].type, 0.5f, cases[c].zero, GH_PASS_ALL);
        nt_run none = rounding_net(cases[c].type, 0.5f, cases[c].zero, 0);
        ck_assert_uint_eq(gh_plan_steps(all.plan), 2);
        ck_assert_uint_eq(gh_plan_steps(none.plan), 3);
        set_input(&all, 0, x);
        set_input(&none, 0, x);
        const float *a = run(&all)->data, *b = run(&none)->data;
        for (int i = 0; i < 40; i++) {
            float v = x[i] < 0 ? 0.01f * x[i] : x[i];
            float q = nearbyintf(v / 0.5f) + (float)cases[c].zero, low = (float)cases[c].low;
            q = q < low ? low : q > low + 255 ? low + 255 : q;
            float want = (q - (float)cases[c].zero) * 0.5f;
            ck_assert_msg(a[i] == want && b[i] == want, "%g became %g and %g, not %g", x[i], a[i], b[i],
                          want);
        }
        nt_close(&all);
        nt_close(&none);
    }
}
END_TEST

/* 4 channels of 5 x 6 in two groups to 6, window 3 x 2, stride 2 x 1, a pad above and right; int8 weights
 * with a scale a channel, a bias. */
START_TEST(test_quantised_convolution_is_that_of_its_numbers)
{
    uint8_t x[4 * 5 * 6], x_zero = 120, y_zero = 130;
    int8_t w[6 * 2 * 3 * 2], w_zero[6] = {0};
    float w_scale[6], x_scale = 0.03f, y_scale = 0.11f;
    int32_t bias[6];
    for (int i = 0; i < (int)sizeof x; i++)
        x[i] = (uint8_t)(i * 37 + i / 7);
    for (int i = 0; i < (int)sizeof w; i++)
        w[i] = (int8_t)(i * 29 + 11);
    for (int i = 0; i < 6; i++) {
        w_scale[i] = 0.01f + 0.002f * (float)i;
        bias[i] = 300 * i - 900;
    }
    op_start(13);
    uint32_t in[9] = {op_input("x", GH_U8, 4, NT_DIMS(1, 4, 5, 6)),
                      one_float(x_scale),
                      constant(GH_U8, 0, NULL, &x_zero),
                      constant(GH_I8, 4, NT_DIMS(6, 2, 3, 2), w),
                      constant(GH_F32, 1, NT_DIMS(6), w_scale),
                      constant(GH_I8, 1, NT_DIMS(6), w_zero),
                      one_float(y_scale),
                      constant(GH_U8, 0, NULL, &y_zero),
                      constant(GH_I32, 1, NT_DIMS(6), bias)};
    uint32_t y = gh_graph_op(op_graph, "QLinearConv", "n", in, 9);
    gh_graph_set_int(op_graph, y, "group", 2);
    gh_graph_set_ints(op_graph, y, "strides", NT_DIMS(2, 1), 2);
    gh_graph_set_ints(op_graph, y, "pads", NT_DIMS(1, 0, 0, 1), 4);
    nt_run r = op_opened(y, GH_PASS_ALL);
    set_input(&r, 0, x);
    const gh_tensor *out = run(&r);
    gh_shape shape = gh_shape_of(4, NT_DIMS(1, 6, 2, 6));
    ck_assert(gh_shape_equal(&out->shape, &shape));
    for (int oc = 0, at = 0; oc < 6; oc++)
        for (int oy = 0; oy < 2; oy++)
            for (int ox = 0; ox < 6; ox++, at++) {
                int64_t sum = bias[oc];
                for (int c = 0; c < 2; c++)
                    for (int k = 0; k < 6; k++) {
                        int iy = oy * 2 + k / 2 - 1, ix = ox + k % 2;
                        if (iy >= 0 && iy < 5 && ix < 6)
                            sum += (int64_t)w[(oc * 2 + c) * 6 + k] *
                                   (x[((oc / 3 * 2 + c) * 5 + iy) * 6 + ix] - x_zero);
                    }
                float q = nearbyintf((float)sum * (x_scale * w_scale[oc] / y_scale)) + y_zero;
                q = q < 0 ? 0 : q > 255 ? 255 : q;
                ck_assert_int_eq(((const uint8_t *)out->data)[at], (int)q);
            }
    nt_close(&r);
}
END_TEST

/* A node of com.microsoft: x of bytes with scale 0.5 and zero point 10, `more` inputs behind. */
static nt_run microsoft(const char *type, int rank, const int64_t *dims, const uint32_t *more, uint32_t n)
{
    static const uint8_t ten = 10;
    uint32_t in[9] = {op_input("x", GH_U8, rank, dims), one_float(0.5f), constant(GH_U8, 0, NULL, &ten)};
    memcpy(in + 3, more, n * sizeof *more);
    uint32_t y = gh_graph_op(op_graph, type, "n", in, 3 + n);
    gh_graph_set_domain(op_graph, y, "com.microsoft", 1);
    return op_opened(y, GH_PASS_ALL);
}

START_TEST(test_quantised_operators_of_onnx_runtime)
{
    static const uint8_t x[6] = {0, 10, 20, 30, 255, 11}, y[2] = {7, 200}, zero = 3, none = 0;
    static const int8_t w[6] = {1, -2, 3, 4, 5, -6}, w_zero = 1;
    static const int32_t bias[2] = {5, -5};
    op_start(13);
    uint32_t add[5] = {constant(GH_U8, 2, NT_DIMS(2, 1), y), one_float(0.25f),
                       constant(GH_U8, 0, NULL, &zero), one_float(1), constant(GH_U8, 0, NULL, &zero)};
    nt_run r = microsoft("QLinearAdd", 2, NT_DIMS(2, 3), add, 5);
    set_input(&r, 0, x);
    const uint8_t *out = run(&r)->data;
    for (int i = 0; i < 6; i++) {
        float v = nearbyintf(0.5f * (x[i] - 10.0f) + 0.25f * (y[i / 3] - 3.0f) + 3);
        ck_assert_int_eq(out[i], v < 0 ? 0 : v > 255 ? 255 : (int)v);
    }
    nt_close(&r);
    op_start(13);
    uint32_t to[2] = {one_float(0.125f), constant(GH_U8, 0, NULL, &none)};
    r = microsoft("QLinearSigmoid", 1, NT_DIMS(6), to, 2);
    set_input(&r, 0, x);
    out = run(&r)->data;
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(out[i], (int)nearbyint(8 / (1 + exp(-0.5 * (x[i] - 10)))));
    nt_close(&r);
    op_start(13);
    uint32_t mean[2] = {one_float(2), constant(GH_U8, 0, NULL, &zero)};
    r = microsoft("QLinearGlobalAveragePool", 4, NT_DIMS(1, 2, 1, 3), mean, 2);
    set_input(&r, 0, x);
    out = run(&r)->data;
    ck_assert_int_eq(out[0], 3);
    ck_assert_int_eq(out[1], 25); /* (20 + 245 + 1) / 3 * 0.5 / 2 + 3 */
    nt_close(&r);
    op_start(13);
    uint32_t gemm[4] = {constant(GH_I8, 2, NT_DIMS(3, 2), w), one_float(2), constant(GH_I8, 0, NULL, &w_zero),
                        constant(GH_I32, 1, NT_DIMS(2), bias)};
    r = microsoft("QGemm", 2, NT_DIMS(2, 3), gemm, 4);
    set_input(&r, 0, x);
    const float *sums = run(&r)->data;
    for (int i = 0; i < 4; i++) {
        int sum = bias[i % 2];
        for (int k = 0; k < 3; k++)
            sum += (x[i / 2 * 3 + k] - 10) * (w[k * 2 + i % 2] - w_zero);
        ck_assert_float_eq(sums[i], (float)sum);
    }
    nt_close(&r);
}
END_TEST

/* Boxes on a line; the overlap of neighbours is 1 / 3. */
static uint32_t nms_node(void)
{
    static const float limits[2] = {0.5f, 0.25f};
    int64_t most = 4;
    uint32_t in[5] = {op_input("boxes", GH_F32, 3, NT_DIMS(1, 4, 4)),
                      op_input("scores", GH_F32, 3, NT_DIMS(1, 1, 4)), op_ints(1, &most),
                      one_float(limits[0]), one_float(limits[1])};
    return gh_graph_op(op_graph, "NonMaxSuppression", "nms", in, 5);
}

START_TEST(test_found_boxes_are_counted_in_each_run)
{
    static const float apart[16] = {0, 0, 1, 1, 0, 2, 1, 3, 0, 4, 1, 5, 0, 6, 1, 7};
    static const float near[16] = {0, 0, 1, 10, 0, 1, 1, 11, 0, 2, 1, 12, 0, 6, 1, 16};
    static const float scores[2][4] = {{0.3f, 0.9f, 0.9f, 0.5f}, {0.1f, 0.2f, 0.2f, 0.1f}};
    op_start(13);
    nt_run r = op_opened(nms_node(), GH_PASS_ALL);
    for (int round = 0; round < 2; round++) { /* a smaller answer must not stick */
        set_input(&r, 0, apart);
        set_input(&r, 1, scores[0]);
        const gh_tensor *out = run(&r);
        static const int64_t order[4] = {1, 2, 3, 0};
        ck_assert_int_eq(out->shape.dims[0], 4);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(((const int64_t *)out->data)[i * 3 + 2], order[i]);
        set_input(&r, 0, near);
        set_input(&r, 1, scores[0]);
        out = run(&r);
        ck_assert_int_eq(out->shape.dims[0], 2); /* 1 takes 0 and 2 away; 6 .. 16 has a third in common */
        ck_assert_int_eq(((const int64_t *)out->data)[5], 3);
        set_input(&r, 0, apart);
        set_input(&r, 1, scores[1]);
        ck_assert_int_eq(run(&r)->shape.dims[0], 0);
    }
    nt_close(&r);
}
END_TEST

START_TEST(test_what_is_found_goes_no_further)
{
    gh_err e;
    nt_run r;
    op_start(13);
    gh_graph_output(op_graph, op_new("Neg", nms_node(), GH_NONE, GH_NONE));
    nt_refused(nt_open(&r, &op_graph, GH_PASS_ALL, NULL, NULL, &e), GH_UNSUPPORTED, &e,
               "node \"n\" (Neg) reads what node \"nms\" (NonMaxSuppression) finds");
    op_start(13);
    r = op_opened(nms_node(), GH_PASS_ALL);
    gh_tensor t;
    gh_shape shapes[2] = {gh_shape_of(3, NT_DIMS(1, 4, 4)), gh_shape_of(3, NT_DIMS(1, 1, 4))};
    nt_refused(gh_net_output_for(&t, r.net, 0, shapes, &e), GH_UNSUPPORTED, &e, "depends on the data");
    nt_close(&r);
}
END_TEST

/* The second input's elements are wrong for the data: that shows in the run. */
static void refused_in_run(uint32_t y, size_t input, int64_t value, const char *part)
{
    gh_err e;
    nt_run r = op_opened(y, GH_PASS_ALL);
    for (size_t i = 0; i < gh_net_inputs(r.net); i++) {
        gh_tensor *t = gh_session_input(r.session, i);
        size_t count = 0;
        ck_assert(gh_shape_count(&count, &t->shape));
        memset(t->data, 0, count * gh_dtype_size(t->type));
    }
    *(int64_t *)gh_session_input(r.session, input)->data = value;
    nt_refused(gh_session_run(r.session, &e), GH_ARG, &e, part);
    nt_close(&r);
}

START_TEST(test_indices_are_checked_in_the_run)
{
    op_start(16);
    uint32_t x = op_input("x", GH_F32, 4, NT_DIMS(2, 1, 4, 4)),
             rois = op_input("r", GH_F32, 2, NT_DIMS(1, 4));
    refused_in_run(op_new("RoiAlign", x, rois, op_input("b", GH_I64, 1, NT_DIMS(1))), 2, 2, "region 0");
    op_start(11);
    x = op_input("x", GH_F32, 4, NT_DIMS(1, 1, 2, 2));
    uint32_t y = op_new("MaxUnpool", x, op_input("i", GH_I64, 4, NT_DIMS(1, 1, 2, 2)), GH_NONE);
    gh_graph_set_ints(op_graph, y, "kernel_shape", NT_DIMS(2, 2), 2);
    gh_graph_set_ints(op_graph, y, "strides", NT_DIMS(2, 2), 2);
    refused_in_run(y, 1, 16, "index 16 is outside of 16 elements");
    op_start(13);
    x = op_input("x", GH_F32, 2, NT_DIMS(1, 3));
    refused_in_run(op_new("SoftmaxCrossEntropyLoss", x, op_input("t", GH_I64, 1, NT_DIMS(1)), GH_NONE), 1, -1,
                   "label -1 is none of 3 classes");
    op_start(13);
    x = op_input("x", GH_F32, 2, NT_DIMS(1, 3));
    y = op_new("ArrayFeatureExtractor", x, op_input("c", GH_I64, 1, NT_DIMS(1)), GH_NONE);
    gh_graph_set_domain(op_graph, y, "ai.onnx.ml", 1);
    refused_in_run(y, 1, 3, "column 3 is outside of 3");
}
END_TEST

/* A region that asks for millions of samples is refused, not sampled. */
START_TEST(test_regions_have_a_limit)
{
    gh_err e;
    static const float huge[4] = {0, 0, 3e8f, 3e8f};
    op_start(16);
    uint32_t x = op_input("x", GH_F32, 4, NT_DIMS(1, 1, 4, 4)),
             rois = op_input("r", GH_F32, 2, NT_DIMS(1, 4));
    nt_run r = op_opened(op_new("RoiAlign", x, rois, op_ints(1, NT_DIMS(0))), GH_PASS_ALL);
    memset(gh_session_input(r.session, 0)->data, 0, 64);
    set_input(&r, 1, huge);
    nt_refused(gh_session_run(r.session, &e), GH_ARG, &e, "region 0");
    nt_close(&r);
}
END_TEST

/* One row of coefficients for two classes is the second one's score. */
START_TEST(test_linear_classifier_of_two_classes)
{
    static const float weights[2] = {1, -2}, x[6] = {3, 1, 1, 1, 0, 0}, bias = 0;
    gh_err e;
    nt_run r;
    op_start(13);
    uint32_t in = op_input("x", GH_F32, 2, NT_DIMS(3, 2));
    uint32_t out[2] = {gh_graph_value(op_graph, "label", GH_UNKNOWN, (gh_shape){.rank = -1}),
                       gh_graph_value(op_graph, "scores", GH_UNKNOWN, (gh_shape){.rank = -1})};
    gh_graph_node(op_graph, "LinearClassifier", "n", &in, 1, out, 2);
    gh_graph_set_domain(op_graph, out[0], "ai.onnx.ml", 1);
    gh_graph_set_floats(op_graph, out[0], "coefficients", weights, 2);
    gh_graph_set_floats(op_graph, out[0], "intercepts", &bias, 1);
    gh_graph_set_ints(op_graph, out[0], "classlabels_ints", NT_DIMS(7, 9), 2);
    gh_graph_set_string(op_graph, out[0], "post_transform", "LOGISTIC");
    gh_graph_output(op_graph, out[0]);
    gh_graph_output(op_graph, out[1]);
    NT_OK(nt_open(&r, &op_graph, GH_PASS_ALL, NULL, NULL, &e), e);
    set_input(&r, 0, x);
    const int64_t *labels = run(&r)->data;
    const float *scores = gh_session_output(r.session, 1)->data;
    for (int i = 0; i < 3; i++) {
        double s = x[i * 2] - 2 * x[i * 2 + 1], p = 1 / (1 + exp(-s));
        ck_assert_int_eq(labels[i], s > 0 ? 9 : 7);
        ck_assert_double_eq_tol(scores[i * 2], 1 - p, 1e-6);
        ck_assert_double_eq_tol(scores[i * 2 + 1], p, 1e-6);
    }
    nt_close(&r);
}
END_TEST

/* Scales: one a group until opset 20, one a channel since. */
START_TEST(test_group_normalization_changed_with_its_opset)
{
    static const float x[8] = {1, 3, 5, 7, 10, 10, 30, 30}, scale[4] = {1, 2, 3, 4}, zeros[4] = {0};
    for (int64_t opset = 18; opset <= 21; opset += 3) {
        int64_t n = opset < 21 ? 2 : 4;
        op_start(opset);
        uint32_t y = op_new("GroupNormalization", op_input("x", GH_F32, 3, NT_DIMS(1, 4, 2)),
                            constant(GH_F32, 1, &n, scale), constant(GH_F32, 1, &n, zeros));
        gh_graph_set_int(op_graph, y, "num_groups", 2);
        nt_run r = op_opened(y, GH_PASS_ALL);
        set_input(&r, 0, x);
        const float *out = run(&r)->data;
        for (int i = 0; i < 8; i++) {
            double mean = i < 4 ? 4 : 20, deviation = i < 4 ? sqrt(5) : 10;
            ck_assert_double_eq_tol(out[i], (x[i] - mean) / deviation * scale[opset < 21 ? i / 4 : i / 2],
                                    1e-4);
        }
        nt_close(&r);
    }
}
END_TEST

Suite *gh_suite_ops_more(void)
{
    Suite *s = suite_create("ops_more");
    TCase *t = tcase_create("ops_more");
    tcase_add_test(t, test_quantised_and_back_is_one_step);
    tcase_add_test(t, test_quantised_convolution_is_that_of_its_numbers);
    tcase_add_test(t, test_quantised_operators_of_onnx_runtime);
    tcase_add_test(t, test_found_boxes_are_counted_in_each_run);
    tcase_add_test(t, test_what_is_found_goes_no_further);
    tcase_add_test(t, test_indices_are_checked_in_the_run);
    tcase_add_test(t, test_regions_have_a_limit);
    tcase_add_test(t, test_linear_classifier_of_two_classes);
    tcase_add_test(t, test_group_normalization_changed_with_its_opset);
    suite_add_tcase(s, t);
    return s;
}
