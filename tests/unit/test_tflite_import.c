/* TFLite operators on the engine: what is computed, by hand; and what is refused, by name. */
#include "unit/suites.h"

#include "base/mem.h"
#include "import/tflite.h"
#include "import/tflite_model.h"
#include "unit/nets.h"
#include "unit/tflite_file.h"

#include <check.h>
#include <string.h>

static gh_status import(gh_graph **out, gh_buf *b, const tf_file *f, gh_err *e)
{
    tf_places places;
    tf_write(b, f, &places);
    return gh_tflite_read_bytes(out, b->data, b->len, e);
}

/* Runs a file of one input on `x`; `want` is what its one output has to be. */
static void computes(const tf_file *f, const float *x, size_t nx, const float *want, size_t nwant)
{
    gh_err e = {0};
    gh_buf b = {0};
    gh_graph *g = NULL;
    nt_run r = {0};
    NT_OK(import(&g, &b, f, &e), e);
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    memcpy(gh_session_input(r.session, 0)->data, x, nx * sizeof *x);
    NT_OK(gh_session_run(r.session, &e), e);
    size_t count = 0;
    float *y = nt_copy_output(&r, 0, &count);
    ck_assert_uint_eq(count, nwant);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(y[i] > want[i] - 1e-5f && y[i] < want[i] + 1e-5f, "%zu: %g instead of %g", i, y[i],
                      want[i]);
    gh_free(y);
    nt_close(&r);
    gh_buf_free(&b);
}

static const int32_t flat[2] = {1, 8};
static const float taps[2] = {2, -3}, bias[2] = {0.5f, 1};
static const tf_tensor tensors[] = {
    {.name = "x", .rank = 4, .dims = {1, 2, 2, 1}},
    {.name = "w", .rank = 4, .dims = {2, 1, 1, 1}, .data = taps, .bytes = sizeof taps},
    {.name = "b", .rank = 1, .dims = {2}, .data = bias, .bytes = sizeof bias},
    {.name = "y", .rank = 4, .dims = {1, 2, 2, 2}},
    {.name = "to", .type = GH_TFL_INT32, .rank = 1, .dims = {2}, .data = flat, .bytes = sizeof flat},
    {.name = "z", .rank = 2, .dims = {1, 8}},
};
/* Padding SAME, strides of 1, no activation. */
#define CONV_OPTIONS                                                                                         \
    {                                                                                                        \
        {1, 0}, {4, 1}, {4, 1},                                                                              \
        {                                                                                                    \
            1, 0                                                                                             \
        }                                                                                                    \
    }
enum { CONV_2D = 3, RESHAPE = 22 };

/* A picture's numbers leave in the order of TensorFlow, channels last. */
START_TEST(test_convolution_flattens_as_tensorflow_does)
{
    static const tf_op ops[] = {
        {.code = CONV_2D,
         .nin = 3,
         .in = {0, 1, 2},
         .nout = 1,
         .out = {3},
         .options = CONV_OPTIONS,
         .noptions = 4},
        {.code = RESHAPE, .nin = 2, .in = {3, 4}, .nout = 1, .out = {5}},
    };
    static const tf_file f = {
        .tensors = tensors, .ntensors = 6, .ops = ops, .nops = 2, .in = {0}, .nin = 1, .out = {5}, .nout = 1};
    const float x[4] = {1, 2, 3, 4};
    const float want[8] = {2.5f, -2, 4.5f, -5, 6.5f, -8, 8.5f, -11};
    computes(&f, x, 4, want, 8);
}
END_TEST

START_TEST(test_every_unknown_operator_is_named)
{
    static const tf_op ops[] = {
        {.code = 32, .custom = "Sharpen", .nin = 1, .in = {0}, .nout = 1, .out = {3}},
        {.code = 56, .nin = 1, .in = {3}, .nout = 1, .out = {5}},
    };
    static const tf_file f = {
        .tensors = tensors, .ntensors = 6, .ops = ops, .nops = 2, .in = {0}, .nin = 1, .out = {5}, .nout = 1};
    gh_err e = {0};
    gh_buf b = {0};
    gh_graph *g = NULL;
    gh_status status = import(&g, &b, &f, &e);
    nt_refused(status, GH_UNSUPPORTED, &e, "2 operators that gharial does not import");
    ck_assert_ptr_nonnull(strstr(e.text, "Sharpen"));
    ck_assert_ptr_nonnull(strstr(e.text, "ARG_MAX"));
    ck_assert_ptr_null(g);
    gh_buf_free(&b);
}
END_TEST

/* Wherever a file that is right is cut off, it is refused or read, never trusted. */
START_TEST(test_cut_off_anywhere)
{
    static const tf_op ops[] = {{.code = CONV_2D,
                                 .nin = 3,
                                 .in = {0, 1, 2},
                                 .nout = 1,
                                 .out = {3},
                                 .options = CONV_OPTIONS,
                                 .noptions = 4}};
    static const tf_file f = {
        .tensors = tensors, .ntensors = 6, .ops = ops, .nops = 1, .in = {0}, .nin = 1, .out = {3}, .nout = 1};
    gh_buf b = {0};
    tf_places places;
    tf_write(&b, &f, &places);
    for (size_t len = 0; len < places.end; len++) {
        gh_err e = {0};
        gh_graph *g = NULL;
        uint8_t *copy = gh_alloc(len);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, b.data, len);
        ck_assert_int_ne(gh_tflite_read_bytes(&g, copy, len, &e), GH_OK);
        ck_assert_ptr_null(g);
        ck_assert_uint_gt(strlen(e.text), 10);
        gh_free(copy);
    }
    gh_buf_free(&b);
}
END_TEST

Suite *gh_suite_tflite_import(void)
{
    Suite *s = suite_create("tflite_import");
    TCase *t = tcase_create("tflite_import");
    suite_add_tcase(s, t);
    tcase_add_test(t, test_convolution_flattens_as_tensorflow_does);
    tcase_add_test(t, test_every_unknown_operator_is_named);
    tcase_add_test(t, test_cut_off_anywhere);
    return s;
}
