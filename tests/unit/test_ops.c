/* What operators refuse, and how they say it. */
#include "unit/suites.h"

#include "engine/op.h"
#include "unit/op_case.h"

#include <string.h>

/* Ends the graph at `y`: the net, or its plan for the declared sizes, is refused with these words. */
static void refused(uint32_t y, gh_status want, const char *part)
{
    gh_err e;
    nt_run r;
    gh_graph_output(op_graph, y);
    nt_refused(nt_open(&r, &op_graph, GH_PASS_ALL, NULL, NULL, &e), want, &e, part);
    ck_assert_ptr_null(op_graph);
}

START_TEST(test_types_are_named)
{
    op_start(13);
    refused(op_new("Relu", op_input("x", GH_I8, 1, NT_DIMS(4)), GH_NONE, GH_NONE), GH_UNSUPPORTED,
            "node \"n\" (Relu): input 0 is int8; gharial runs it on float32");
    op_start(13);
    refused(
        op_new("Add", op_input("x", GH_F32, 1, NT_DIMS(4)), op_input("y", GH_I64, 1, NT_DIMS(4)), GH_NONE),
        GH_UNSUPPORTED, "input 1 is int64; gharial runs it on float32");
    op_start(13);
    refused(
        op_new("Mul", op_input("x", GH_BOOL, 1, NT_DIMS(4)), op_input("y", GH_BOOL, 1, NT_DIMS(4)), GH_NONE),
        GH_UNSUPPORTED, "bool is not computed");
    op_start(13);
    uint32_t y = op_new("Cast", op_input("x", GH_F32, 1, NT_DIMS(4)), GH_NONE, GH_NONE);
    gh_graph_set_int(op_graph, y, "to", 16);
    refused(y, GH_UNSUPPORTED, "float32 to bfloat16 is not cast");
}
END_TEST

START_TEST(test_windows_are_checked)
{
    static const struct {
        const char *name;
        int64_t values[4];
        size_t count;
        gh_status status;
        const char *part;
    } cases[] = {
        {"strides", {0, 1}, 2, GH_FORMAT, "attribute strides holds 0; 1 to 65536 is accepted"},
        {"strides", {1}, 1, GH_FORMAT, "attribute strides must hold 2 integers"},
        {"dilations", {1, -3}, 2, GH_FORMAT, "attribute dilations holds -3"},
        {"pads", {0, 0, -1, 0}, 4, GH_FORMAT, "attribute pads holds -1"},
        {"pads", {0, 0, 65537, 0}, 4, GH_FORMAT, "attribute pads holds 65537"},
        {"pads", {1, 1}, 2, GH_FORMAT, "attribute pads must hold 4 integers"},
        {"dilations", {65536, 1}, 2, GH_FORMAT, "larger than the padded input"},
        {"kernel_shape", {3, 3, 3}, 3, GH_FORMAT, "kernel_shape"},
        {"kernel_shape", {0, 3}, 2, GH_FORMAT, ""},
    };
    float zeros[36] = {0};
    for (size_t i = 0; i < GH_COUNT(cases); i++)
        for (int pool = 0; pool < 2; pool++) {
            op_start(13);
            uint32_t x = op_input("x", GH_F32, 4, NT_DIMS(1, 2, 6, 6)), w, y;
            w = gh_graph_const(op_graph, "w", GH_F32, gh_shape_of(4, NT_DIMS(2, 2, 3, 3)), zeros, true);
            y = op_new(pool ? "MaxPool" : "Conv", x, pool ? GH_NONE : w, GH_NONE);
            gh_graph_set_ints(op_graph, y, cases[i].name, cases[i].values, cases[i].count);
            if (pool)
                gh_graph_set_ints(op_graph, y, "kernel_shape", NT_DIMS(3, 3), 2);
            refused(y, cases[i].status, cases[i].part);
        }
    op_start(13);
    uint32_t y = op_new("MaxPool", op_input("x", GH_F32, 4, NT_DIMS(1, 2, 6, 6)), GH_NONE, GH_NONE);
    gh_graph_set_ints(op_graph, y, "kernel_shape", NT_DIMS(3, 3), 2);
    gh_graph_set_string(op_graph, y, "auto_pad", "SOMETIMES");
    refused(y, GH_FORMAT, "auto_pad is \"SOMETIMES\"");
}
END_TEST

/* Padding that follows from the window overflowed an int. */
START_TEST(test_automatic_padding_is_limited)
{
    static const char *const types[] = {"MaxPool", "AveragePool"};
    for (size_t i = 0; i < GH_COUNT(types); i++) {
        op_start(19);
        uint32_t y = op_new(types[i], op_input("x", GH_F32, 4, NT_DIMS(1, 2, 6, 6)), GH_NONE, GH_NONE);
        gh_graph_set_ints(op_graph, y, "kernel_shape", NT_DIMS(65536, 2), 2);
        gh_graph_set_ints(op_graph, y, "dilations", NT_DIMS(65536, 1), 2);
        gh_graph_set_string(op_graph, y, "auto_pad", "SAME_LOWER");
        refused(y, GH_FORMAT, "auto_pad would add 4294901760 pixels");
    }
}
END_TEST

START_TEST(test_groups_are_checked)
{
    static const int64_t groups[] = {0, -1, 3, INT64_MAX, INT64_MIN, 1};
    float zeros[36] = {0};
    for (size_t i = 0; i < GH_COUNT(groups); i++) {
        op_start(13);
        uint32_t w = gh_graph_const(op_graph, "w", GH_F32, gh_shape_of(4, NT_DIMS(4, 1, 3, 3)), zeros, true);
        uint32_t y = op_new("Conv", op_input("x", GH_F32, 4, NT_DIMS(1, 2, 6, 6)), w, GH_NONE);
        gh_graph_set_int(op_graph, y, "group", groups[i]);
        refused(y, GH_FORMAT, "groups");
    }
}
END_TEST

START_TEST(test_shapes_that_do_not_work_out)
{
    op_start(13);
    refused(op_new("Reshape", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_ints(2, NT_DIMS(5, -1)), GH_NONE),
            GH_FORMAT, "does not come out even");
    op_start(13);
    refused(op_new("Reshape", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_ints(2, NT_DIMS(-1, -1)), GH_NONE),
            GH_FORMAT, "the shape holds -1");
    op_start(13);
    refused(op_new("Reshape", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_ints(2, NT_DIMS(5, 5)), GH_NONE),
            GH_FORMAT, "2x6 cannot become 5x5");
    op_start(13);
    refused(op_new("Reshape", op_input("x", GH_F32, 1, NT_DIMS(6)), op_ints(3, NT_DIMS(6, 1, 0)), GH_NONE),
            GH_FORMAT, "dimension 2 is copied from an input without it");
    op_start(13);
    refused(op_new("Reshape", op_input("x", GH_F32, 1, NT_DIMS(6)), op_input("s", GH_I64, 1, NT_DIMS(2)),
                   GH_NONE),
            GH_UNSUPPORTED, "input 1, which decides a shape, depends on the data");
    op_start(13);
    refused(op_new("Squeeze", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_ints(1, NT_DIMS(0)), GH_NONE),
            GH_FORMAT, "dimension 0 is 2, not 1");
    op_start(13);
    refused(op_new("Unsqueeze", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_ints(2, NT_DIMS(1, 1)), GH_NONE),
            GH_FORMAT, "axis 1 is named twice");
    op_start(13);
    refused(op_new("Unsqueeze", op_input("x", GH_F32, 2, NT_DIMS(2, 6)),
                   op_ints(7, NT_DIMS(0, 1, 2, 3, 4, 5, 6)), GH_NONE),
            GH_FORMAT, "more than 8 dimensions");
    op_start(13);
    uint32_t y = op_new("Flatten", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), GH_NONE, GH_NONE);
    gh_graph_set_int(op_graph, y, "axis", INT64_MIN);
    refused(y, GH_FORMAT, "is outside of 2 dimensions");
    op_start(13);
    y = op_new("Concat", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_input("y", GH_F32, 2, NT_DIMS(3, 5)),
               GH_NONE);
    gh_graph_set_int(op_graph, y, "axis", 0);
    refused(y, GH_FORMAT, "input 1 differs from the first in dimension 1");
    op_start(13);
    y = op_new("Transpose", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), GH_NONE, GH_NONE);
    gh_graph_set_ints(op_graph, y, "perm", NT_DIMS(1, 1), 2);
    refused(y, GH_FORMAT, "perm names axis 1 twice");
    op_start(13);
    refused(op_new("MatMul", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_input("y", GH_F32, 2, NT_DIMS(5, 2)),
                   GH_NONE),
            GH_FORMAT, "6 columns meet 5 rows");
    op_start(13);
    refused(op_new("Gemm", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_input("y", GH_F32, 2, NT_DIMS(6, 3)),
                   op_input("c", GH_F32, 1, NT_DIMS(2))),
            GH_FORMAT, "node \"n\" (Gemm): 2x3 and 2 do not broadcast");
    op_start(13);
    refused(op_new("GlobalAveragePool", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), GH_NONE, GH_NONE), GH_FORMAT,
            "at least 3 are needed");
}
END_TEST

START_TEST(test_slices_are_checked)
{
    op_start(13);
    refused(op_new("Slice", op_input("x", GH_F32, 2, NT_DIMS(2, 6)), op_ints(2, NT_DIMS(0, 0)),
                   op_ints(1, NT_DIMS(1))),
            GH_FORMAT, "differ in length");
    op_start(13);
    uint32_t in[5] = {op_input("x", GH_F32, 1, NT_DIMS(6)), op_ints(1, NT_DIMS(0)), op_ints(1, NT_DIMS(6)),
                      op_ints(1, NT_DIMS(0)), op_ints(1, NT_DIMS(0))};
    refused(gh_graph_op(op_graph, "Slice", "n", in, 5), GH_FORMAT, "a step of 0");
    op_start(13);
    in[0] = op_input("x", GH_F32, 1, NT_DIMS(6));
    in[1] = op_ints(1, NT_DIMS(0));
    in[2] = op_ints(1, NT_DIMS(6));
    in[3] = op_ints(1, NT_DIMS(1));
    refused(gh_graph_op(op_graph, "Slice", "n", in, 4), GH_FORMAT, "axis 1 is outside of 1 dimensions");
}
END_TEST

START_TEST(test_dropout_in_training_mode)
{
    uint8_t yes = 1, no = 0;
    float half = 0.5f;
    for (int training = 0; training < 3; training++) {
        op_start(13);
        uint32_t x = op_input("x", GH_F32, 1, NT_DIMS(6)), mode;
        uint32_t ratio = gh_graph_const(op_graph, "r", GH_F32, gh_shape_of(0, NULL), &half, true);
        mode = training < 2
                   ? gh_graph_const(op_graph, "t", GH_BOOL, gh_shape_of(0, NULL), training ? &yes : &no, true)
                   : op_input("t", GH_BOOL, 0, NULL);
        uint32_t y = op_new("Dropout", x, ratio, mode);
        if (training) {
            refused(y, GH_UNSUPPORTED, "training mode is not run");
        } else {
            nt_run r = op_opened(y, GH_PASS_ALL);
            ck_assert_uint_eq(gh_plan_steps(r.plan), 0);
            nt_close(&r);
        }
    }
}
END_TEST

Suite *gh_suite_ops(void)
{
    Suite *s = suite_create("ops");
    TCase *t = tcase_create("refusals");
    tcase_add_test(t, test_types_are_named);
    tcase_add_test(t, test_windows_are_checked);
    tcase_add_test(t, test_automatic_padding_is_limited);
    tcase_add_test(t, test_groups_are_checked);
    tcase_add_test(t, test_shapes_that_do_not_work_out);
    tcase_add_test(t, test_slices_are_checked);
    tcase_add_test(t, test_dropout_in_training_mode);
    suite_add_tcase(s, t);
    return s;
}
