/* Operators beyond what the ONNX project's vectors ask: the edges of integers and indices, empty sides,
 * windows larger than pictures. The vectors themselves are run by tests/onnx. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/op.h"
#include "unit/op_case.h"
#include "unit/random_net.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static const int64_t *ints_out(nt_run *r, int64_t count)
{
    gh_err e;
    size_t have = 0;
    NT_OK(gh_session_run(r->session, &e), e);
    const gh_tensor *t = gh_session_output(r->session, 0);
    ck_assert_int_eq(t->type, GH_I64);
    ck_assert(gh_shape_count(&have, &t->shape));
    ck_assert_int_eq((int64_t)have, count);
    return t->data;
}

/* a op b, element by element on int64 constants: once folded, once computed for the plan, once run. */
static void int_case(const char *type, const int64_t *a, const int64_t *b, const int64_t *want, int n)
{
    for (int how = 0; how < 3; how++) {
        op_start(13);
        uint32_t x = how == 2 ? op_input("x", GH_I64, 1, NT_DIMS(n)) : op_ints(n, a),
                 z = op_input("z", GH_F32, 1, NT_DIMS(1));
        nt_run r = op_opened(op_new(type, x, op_ints(n, b), GH_NONE), how == 0 ? GH_PASS_ALL : 0);
        if (how == 2)
            memcpy(gh_session_input(r.session, 0)->data, a, (size_t)n * sizeof *a);
        const int64_t *got = ints_out(&r, n);
        for (int i = 0; i < n; i++)
            ck_assert_msg(got[i] == want[i], "%lld %s %lld gave %lld", (long long)a[i], type, (long long)b[i],
                          (long long)got[i]);
        ck_assert_uint_ne(z, GH_NONE);
        nt_close(&r);
    }
}

START_TEST(test_integers_at_their_ends)
{
    static const int64_t a[] = {7, -7, INT64_MIN, INT64_MIN, 5, 0}, b[] = {2, 2, -1, 1, 0, 0};
    int_case("Div", a, b, NT_DIMS(3, -3, INT64_MIN, INT64_MIN, 0, 0), 6);
    int_case("Add", a, b, NT_DIMS(9, -5, INT64_MAX, INT64_MIN + 1, 5, 0), 6);
    int_case("Sub", a, b, NT_DIMS(5, -9, INT64_MIN + 1, INT64_MAX, 5, 0), 6);
    int_case("Mul", a, b, NT_DIMS(14, -14, INT64_MIN, INT64_MIN, 0, 0), 6);
    int_case("Min", a, b, NT_DIMS(2, -7, INT64_MIN, INT64_MIN, 0, 0), 6);
    int_case("Max", a, b, NT_DIMS(7, 2, -1, 1, 5, 0), 6);
}
END_TEST

/* A slice of 0..5 by constants. */
static void slice_case(int64_t from, int64_t to, int64_t step, const int64_t *want, int n)
{
    op_start(13);
    uint32_t in[5] = {op_input("x", GH_I64, 1, NT_DIMS(6)), op_ints(1, &from), op_ints(1, &to),
                      op_ints(1, NT_DIMS(-1)), op_ints(1, &step)};
    nt_run r = op_opened(gh_graph_op(op_graph, "Slice", "n", in, 5), GH_PASS_ALL);
    memcpy(gh_session_input(r.session, 0)->data, NT_DIMS(0, 1, 2, 3, 4, 5), 48);
    const int64_t *got = ints_out(&r, n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(got[i], want[i]);
    nt_close(&r);
}

/* As Python slices x[from:to:step]. */
START_TEST(test_slices_at_their_ends)
{
    slice_case(0, INT64_MAX, 1, NT_DIMS(0, 1, 2, 3, 4, 5), 6);
    slice_case(INT64_MIN, INT64_MAX, 4, NT_DIMS(0, 4), 2);
    slice_case(-2, 6, 1, NT_DIMS(4, 5), 2);
    slice_case(1, -1, 2, NT_DIMS(1, 3), 2);
    slice_case(4, 2, 1, NULL, 0);
    slice_case(7, 9, 1, NULL, 0);
    slice_case(5, INT64_MIN, -1, NT_DIMS(5, 4, 3, 2, 1, 0), 6);
    slice_case(-1, 0, -2, NT_DIMS(5, 3, 1), 3);
    slice_case(INT64_MAX, 3, -1, NT_DIMS(5, 4), 2);
    slice_case(0, 6, INT32_MAX, NT_DIMS(0), 1);
    slice_case(5, -7, -INT32_MAX, NT_DIMS(5), 1);
    slice_case(-7, -6, -1, NULL, 0);
}
END_TEST

START_TEST(test_casts_saturate_or_wrap)
{
    static const float from[] = {1.9f, -1.9f, 3e9f, -3e9f, NAN, INFINITY, -INFINITY, 1e30f};
    static const int32_t want32[] = {1, -1, INT32_MAX, INT32_MIN, 0, INT32_MAX, INT32_MIN, INT32_MAX};
    static const int64_t want64[] = {1, -1, 3000000000, -3000000000, 0, INT64_MAX, INT64_MIN, INT64_MAX};
    gh_err e;
    for (int wide = 0; wide < 2; wide++) {
        op_start(13);
        uint32_t y = op_new("Cast", op_input("x", GH_F32, 1, NT_DIMS(8)), GH_NONE, GH_NONE);
        gh_graph_set_int(op_graph, y, "to", wide ? GH_I64 : GH_I32);
        nt_run r = op_opened(y, GH_PASS_ALL);
        memcpy(gh_session_input(r.session, 0)->data, from, sizeof from);
        NT_OK(gh_session_run(r.session, &e), e);
        const gh_tensor *t = gh_session_output(r.session, 0);
        if (wide)
            ck_assert_mem_eq(t->data, want64, sizeof want64);
        else
            ck_assert_mem_eq(t->data, want32, sizeof want32);
        nt_close(&r);
    }
    op_start(13); /* large int64 keep their low bits, as C and the other runtimes have it */
    uint32_t y = op_new("Cast", op_input("x", GH_I64, 1, NT_DIMS(3)), GH_NONE, GH_NONE);
    gh_graph_set_int(op_graph, y, "to", GH_I32);
    nt_run r = op_opened(y, GH_PASS_ALL);
    memcpy(gh_session_input(r.session, 0)->data, NT_DIMS(-1, ((int64_t)1 << 32) + 5, INT64_MAX), 24);
    NT_OK(gh_session_run(r.session, &e), e);
    ck_assert_mem_eq(gh_session_output(r.session, 0)->data, ((int32_t[]){-1, 5, -1}), 12);
    nt_close(&r);
}
END_TEST

/* A side of 0 runs through everything without a step out of bounds. */
START_TEST(test_empty_pictures)
{
    static const int64_t shapes[][4] = {{0, 3, 5, 5}, {1, 3, 5, 0}, {1, 0, 5, 5}};
    static const char *const types[] = {"Relu", "Transpose", "Flatten", "Softmax", "Identity", "Sigmoid"};
    gh_err e;
    for (size_t i = 0; i < GH_COUNT(shapes); i++)
        for (size_t k = 0; k < GH_COUNT(types); k++) {
            op_start(13);
            uint32_t x = op_input("x", GH_F32, 4, shapes[i]);
            uint32_t y = op_new(types[k], x, GH_NONE, GH_NONE), z = op_new("Add", y, y, GH_NONE);
            nt_run r = op_opened(z, GH_PASS_ALL);
            NT_OK(gh_session_run(r.session, &e), e);
            nt_close(&r);
        }
}
END_TEST

/* Batches of no picture through a convolution, a pool and a dense layer. */
START_TEST(test_an_empty_batch_through_a_network)
{
    float w[3 * 3 * 9] = {0};
    gh_err e;
    op_start(13);
    uint32_t v = op_input("x", GH_F32, 4, NT_DIMS(0, 3, 6, 6));
    for (int i = 0; i < 2; i++) {
        v = op_new("Conv", v,
                   gh_graph_const(op_graph, "", GH_F32, gh_shape_of(4, NT_DIMS(3, 3, 3, 3)), w, true),
                   GH_NONE);
        v = op_new("Relu", v, GH_NONE, GH_NONE);
    }
    v = op_new("GlobalAveragePool", v, GH_NONE, GH_NONE);
    v = op_new("Flatten", v, GH_NONE, GH_NONE);
    v = op_new("Gemm", v, gh_graph_const(op_graph, "", GH_F32, gh_shape_of(2, NT_DIMS(3, 9)), w, true),
               GH_NONE);
    nt_run r = op_opened(v, GH_PASS_ALL);
    NT_OK(gh_session_run(r.session, &e), e);
    ck_assert_int_eq(gh_session_output(r.session, 0)->shape.dims[0], 0);
    ck_assert_int_eq(gh_session_output(r.session, 0)->shape.dims[1], 9);
    nt_close(&r);
}
END_TEST

/* The same of constants, which are folded. */
START_TEST(test_empty_constants)
{
    static const char *const types[] = {"Relu", "Transpose", "Flatten", "Softmax", "Identity", "Sigmoid"};
    for (size_t k = 0; k < GH_COUNT(types); k++)
        for (unsigned passes = 0; passes < 2; passes++) {
            op_start(13);
            uint32_t x = gh_graph_const(op_graph, "", GH_F32, gh_shape_of(4, NT_DIMS(1, 3, 0, 5)), "", true);
            uint32_t y = op_new(types[k], x, GH_NONE, GH_NONE);
            gh_graph_output(op_graph, op_input("unused", GH_F32, 1, NT_DIMS(1)));
            nt_run r = op_opened(y, passes);
            nt_run_seeded(&r, 1);
            nt_close(&r);
        }
}
END_TEST

/* What sums over nothing gives 0 (or what has no mean, not a number), and reads nothing. */
START_TEST(test_sums_over_nothing)
{
    static const struct {
        const char *type;
        int64_t dims[4];
        float want;
    } cases[] = {{"ReduceSum", {2, 3, 0, 5}, 0},
                 {"ReduceMean", {2, 3, 0, 5}, NAN},
                 {"GlobalAveragePool", {2, 3, 5, 0}, NAN},
                 {"MatMul", {2, 3, 4, 0}, 0},
                 {"Conv", {2, 0, 4, 4}, 0.5f},
                 {"Gemm", {2, 0, 0, 0}, 0.5f}};
    float half[3] = {0.5f, 0.5f, 0.5f};
    for (size_t i = 0; i < GH_COUNT(cases); i++)
        for (unsigned passes = 0; passes <= GH_PASS_ALL; passes += GH_PASS_ALL) {
            op_start(12);
            bool gemm = strcmp(cases[i].type, "Gemm") == 0;
            uint32_t bias = gh_graph_const(op_graph, "b", GH_F32, gh_shape_of(1, NT_DIMS(3)), half, true),
                     w = GH_NONE;
            if (strcmp(cases[i].type, "MatMul") == 0 || gemm)
                w = gh_graph_const(op_graph, "w", GH_F32, gh_shape_of(2, NT_DIMS(0, 3)), "", true);
            if (strcmp(cases[i].type, "Conv") == 0)
                w = gh_graph_const(op_graph, "w", GH_F32, gh_shape_of(4, NT_DIMS(3, 0, 3, 3)), "", true);
            uint32_t x = op_input("x", GH_F32, gemm ? 2 : 4, cases[i].dims);
            uint32_t y = op_new(cases[i].type, x, w, gemm || cases[i].type[0] == 'C' ? bias : GH_NONE);
            if (cases[i].type[0] == 'R')
                gh_graph_set_ints(op_graph, y, "axes", NT_DIMS(2, 3), 2);
            nt_run r = op_opened(y, passes);
            nt_run_seeded(&r, 1);
            size_t count = 0;
            float *got = nt_copy_output(&r, 0, &count), want = cases[i].want;
            ck_assert_uint_gt(count, 0);
            for (size_t k = 0; k < count; k++)
                ck_assert_msg(got[k] == want || (isnan(got[k]) && isnan(want)), "%s, passes %u: %g",
                              cases[i].type, passes, got[k]);
            gh_free(got);
            nt_close(&r);
        }
}
END_TEST

/* A window of four billion taps over 36 pixels: only those that meet a pixel may be walked. */
START_TEST(test_a_window_larger_than_the_picture)
{
    static const char *const types[] = {"MaxPool", "AveragePool", "AveragePool"};
    for (int i = 0; i < 3; i++) {
        op_start(13);
        uint32_t y = op_new(types[i], op_input("x", GH_F32, 4, NT_DIMS(1, 2, 6, 6)), GH_NONE, GH_NONE);
        gh_graph_set_ints(op_graph, y, "kernel_shape", NT_DIMS(65536, 65536), 2);
        gh_graph_set_ints(op_graph, y, "pads", NT_DIMS(65530, 65530, 65530, 65530), 4);
        gh_graph_set_ints(op_graph, y, "strides", NT_DIMS(65530, 65530), 2);
        gh_graph_set_int(op_graph, y, "count_include_pad", i == 2);
        nt_run r = op_opened(y, GH_PASS_ALL);
        nt_run_seeded(&r, 1);
        size_t count = 0;
        float *got = nt_copy_output(&r, 0, &count), want = i ? 0 : -10;
        nt_run_seeded(&r, 1);
        nt_close(&r);
        gh_rng rng;
        float x[72];
        gh_rng_seed(&rng, 1);
        rn_fill(&rng, x, 72);
        for (int k = 0; k < 36; k++)
            want = i ? want + x[k] : x[k] > want ? x[k] : want;
        want /= i == 0 ? 1 : i == 1 ? 36 : 65536.0f * 65536.0f;
        ck_assert_uint_eq(count, 8);
        ck_assert_float_eq_tol(got[0], want, 1e-6);
        gh_free(got);
    }
}
END_TEST

/* One tree, one split, two classes; its labels are left out. */
START_TEST(test_an_output_left_out)
{
    for (unsigned passes = 0; passes <= GH_PASS_ALL; passes++) {
        gh_err e;
        op_start(17);
        uint32_t x = op_input("x", GH_F32, 2, NT_DIMS(2, 1)), out[2] = {GH_NONE};
        uint32_t y = out[1] = gh_graph_value(op_graph, "scores", GH_F32, (gh_shape){.rank = -1});
        gh_graph_node(op_graph, "TreeEnsembleClassifier", "trees", &x, 1, out, 2);
        gh_graph_set_domain(op_graph, y, "ai.onnx.ml", 3);
        gh_graph_set_ints(op_graph, y, "nodes_treeids", NT_DIMS(0, 0, 0), 3);
        gh_graph_set_ints(op_graph, y, "nodes_nodeids", NT_DIMS(0, 1, 2), 3);
        gh_graph_set_ints(op_graph, y, "nodes_featureids", NT_DIMS(0, 0, 0), 3);
        gh_graph_set_ints(op_graph, y, "nodes_truenodeids", NT_DIMS(1, 0, 0), 3);
        gh_graph_set_ints(op_graph, y, "nodes_falsenodeids", NT_DIMS(2, 0, 0), 3);
        gh_graph_set_floats(op_graph, y, "nodes_values", (float[]){0.5f, 0, 0}, 3);
        gh_graph_set_strings(op_graph, y, "nodes_modes", NT_LIST("BRANCH_LEQ", "LEAF", "LEAF"), 3);
        gh_graph_set_ints(op_graph, y, "class_treeids", NT_DIMS(0, 0), 2);
        gh_graph_set_ints(op_graph, y, "class_nodeids", NT_DIMS(1, 2), 2);
        gh_graph_set_ints(op_graph, y, "class_ids", NT_DIMS(0, 1), 2);
        gh_graph_set_floats(op_graph, y, "class_weights", (float[]){0.25f, 0.75f}, 2);
        gh_graph_set_ints(op_graph, y, "classlabels_int64s", NT_DIMS(0, 1), 2);
        nt_run r = op_opened(y, passes);
        memcpy(gh_session_input(r.session, 0)->data, (float[]){0, 1}, 8);
        NT_OK(gh_session_run(r.session, &e), e);
        ck_assert_mem_eq(gh_session_output(r.session, 0)->data, ((float[]){0.25f, 0, 0, 0.75f}), 16);
        nt_close(&r);
    }
}
END_TEST

/* Not a number stays one through the activations that compare. */
START_TEST(test_nan_is_not_hidden)
{
    static const char *const types[] = {"Relu", "Clip",      "LeakyRelu",  "Sigmoid",
                                        "Tanh", "HardSwish", "HardSigmoid"};
    gh_err e;
    for (size_t k = 0; k < GH_COUNT(types); k++) {
        op_start(14);
        nt_run r =
            op_opened(op_new(types[k], op_input("x", GH_F32, 1, NT_DIMS(40)), GH_NONE, GH_NONE), GH_PASS_ALL);
        float *x = gh_session_input(r.session, 0)->data;
        for (int i = 0; i < 40; i++)
            x[i] = i % 3 ? 0.5f : NAN;
        NT_OK(gh_session_run(r.session, &e), e);
        const float *y = gh_session_output(r.session, 0)->data;
        for (int i = 0; i < 40; i++)
            ck_assert_msg((i % 3 == 0) == isnan(y[i]), "%s: element %d is %g", types[k], i, y[i]);
        nt_close(&r);
    }
}
END_TEST

START_TEST(test_op_table)
{
    ck_assert_ptr_nonnull(gh_op_find("", "Conv", 1));
    ck_assert_ptr_nonnull(gh_op_find("", "Conv", GH_NEWEST_OPSET));
    ck_assert_ptr_null(gh_op_find("", "Conv", GH_NEWEST_OPSET + 1));
    ck_assert_ptr_null(gh_op_find("com.microsoft", "Conv", 13));
    ck_assert_ptr_null(gh_op_find("", "HardSwish", 13));
    ck_assert_ptr_ne(gh_op_find("", "Softmax", 12), gh_op_find("", "Softmax", 13));
    ck_assert_ptr_null(gh_op_find("", "", 13));
}
END_TEST

Suite *gh_suite_ops_edges(void)
{
    Suite *s = suite_create("ops_edges");
    TCase *t = tcase_create("edges");
    tcase_add_test(t, test_integers_at_their_ends);
    tcase_add_test(t, test_slices_at_their_ends);
    tcase_add_test(t, test_casts_saturate_or_wrap);
    tcase_add_test(t, test_empty_pictures);
    tcase_add_test(t, test_an_empty_batch_through_a_network);
    tcase_add_test(t, test_empty_constants);
    tcase_add_test(t, test_sums_over_nothing);
    tcase_add_test(t, test_a_window_larger_than_the_picture);
    tcase_add_test(t, test_an_output_left_out);
    tcase_add_test(t, test_nan_is_not_hidden);
    tcase_add_test(t, test_op_table);
    suite_add_tcase(s, t);
    return s;
}
