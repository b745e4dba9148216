/* TFLite operators whose options and constants lie: one sentence, never a crash. */
#include "unit/suites.h"

#include "base/log.h"
#include "base/mem.h"
#include "import/tflite.h"
#include "unit/nets.h"
#include "unit/tflite_rows.h"

#include <limits.h>
#include <string.h>

static gh_status import(const tf_file *f, gh_err *e)
{
    gh_buf b = {0};
    gh_graph *g = NULL;
    tf_write(&b, f, NULL);
    gh_status status = gh_tflite_read_bytes(&g, b.data, b.len, e);
    ck_assert((status == GH_OK) == (g != NULL));
    ck_assert_msg(status == GH_OK || strlen(e->text) > 20, "no sentence");
    gh_graph_free(&g);
    gh_buf_free(&b);
    return status;
}

static const struct {
    tf_case c;
    gh_status status;
    const char *part;
} bad[] = {
    {{OP("", 3, 1, 3, 1), .tensors = {T(1, 6, 5, 3), C(0, 54, 2, 3, 3, 3), C(4, 2, 2), T(1, 3, 3, 2)},
      .options = CONV(2, 1, 1, NOACT, 1, 1)},
     GH_FORMAT,
     "its padding is of kind 2; there are SAME (0) and VALID (1)"},
    {{OP("", 3, 1, 3, 1), .tensors = {T(1, 6, 5, 3), C(0, 54, 2, 3, 3, 3), C(4, 2, 2), T(1, 3, 3, 2)},
      .options = CONV(SAME, 1, 1, 5, 1, 1)},
     GH_UNSUPPORTED,
     "its fused activation is of kind 5"},
    {{OP("", 3, 1, 3, 1), .tensors = {T(1, 6, 5, 3), C(0, 36, 2, 3, 3, 2), C(4, 2, 2), T(1, 3, 3, 2)},
      .options = CONV(SAME, 1, 1, NOACT, 1, 1)},
     GH_FORMAT,
     "its weights do not fit the 3 channels"},
    {{OP("", 3, 1, 3, 1), .tensors = {T(1, 6, 5, 3), T(2, 3, 3, 3), C(4, 2, 2), T(1, 3, 3, 2)},
      .options = CONV(SAME, 1, 1, NOACT, 1, 1)},
     GH_UNSUPPORTED,
     "its weights are not constant"},
    {{OP("", 17, 5, 1, 1), .tensors = {T(1, 5, 6, 3), T(1, 3, 3, 3)}, .options = POOL(SAME, 1, 0, 2, NOACT)},
     GH_FORMAT,
     "window, strides, dilations or padding are not within"},
    {{OP("", 67, 49, 3, 1), .tensors = {I(1, 6, 8), C(0, 54, 2, 3, 3, 3), T(1, 3, 4, 3), T(1, 6, 8, 2)},
      .options = {B(SAME), N(2), N(2)}},
     GH_FORMAT,
     "its output shape has 3 numbers; 4 are needed"},
    {{OP("", 67, 49, 3, 1), .tensors = {I(1, 60, 8, 2), C(0, 54, 2, 3, 3, 3), T(1, 3, 4, 3), T(1, 60, 8, 2)},
      .options = {B(SAME), N(2), N(2)}},
     GH_FORMAT,
     "60 pixels cannot come out of 3"},
    {{OP("", 49, 35, 2, 2), .tensors = {I(2), T(1, 3, 5, 4), T(1, 3, 2, 4), T(1, 3, 3, 4)},
      .options = {N(2)}},
     GH_FORMAT,
     "5 elements cannot be split in 2 equal parts"},
    {{OP("", 102, 79, 3, 2), .tensors = {T(1, 3, 5, 4), I(3, 3), I(2), T(1, 3, 3, 4), T(1, 3, 2, 4)},
      .options = {N(2)}},
     GH_FORMAT,
     "2 sizes for 2 outputs do not split 5 elements"},
    {{OP("", 88, 64, 1, 2), .tensors = {T(3, 2, 4), T(3, 4), T(3, 4)}, .options = {N(2), N(0)}},
     GH_FORMAT,
     "3 elements are unpacked into 2 outputs"},
    {{OP("", 9, 8, 3, 1), .tensors = {T(2, 5), C(0, 15, 3, 5), C(4, 3, 3), T(2, 3)},
      .options = {B(NOACT), B(1)}},
     GH_UNSUPPORTED,
     "or are shuffled"},
    {{OP("", 40, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(7), T(1, 3)}, .options = {B(0)}},
     GH_FORMAT,
     "axis 7 is outside of 4 dimensions"},
    {{OP("", 2, 10, 2, 1), .tensors = {T(1, 2, 5, 3), T(2, 5, 3), T(1, 4, 5, 3)}, .options = {N(1)}},
     GH_FORMAT,
     "it joins tensors of 4 and 3 dimensions"},
    {{OP("", 22, 17, 2, 1), .tensors = {T(1, 2, 5, 3), I(7, -1), T(7, 4)}},
     GH_FORMAT,
     "cannot take the shape"},
    {{OP("", 43, 30, 1, 1), .tensors = {T(1, 4, 1, 3), T(1, 1, 3)}, .ints = (const int32_t[]){1}, .nints = 1},
     GH_FORMAT,
     "dimension 1, which it drops, is 4, not 1"},
    {{OP("", 36, 23, 2, 1), .tensors = {T(1, 3, 5, 3), I(0), T(1, 3, 1, 3)}, .options = {N(2), N(1)}},
     GH_UNSUPPORTED,
     "it gathers in batches"},
    {{OP("", 34, 22, 2, 1), .tensors = {T(1, 2, 5, 3), I(0, 0, 1), T(1, 2, 5, 3)}},
     GH_FORMAT,
     "it has 3 paddings; two a dimension are needed"},
    {{OP("", 100, 77, 2, 1), .tensors = {T(3, 4), I(0, 2, 0, 0), T(5, 4)}, .options = {B(1)}},
     GH_UNSUPPORTED,
     "it mirrors SYMMETRIC by 2"},
    {{OP("", 53, 37, 1, 1), .tensors = {T(2, 5), {.type = GH_TFL_BOOL, DIMS(2, 5)}}},
     GH_UNSUPPORTED,
     "it casts to bool"},
    {{OP("", 65, 48, 3, 1), .tensors = {T(2, 5), I(0, 3), I(2, 3), T(2, 3)}},
     GH_FORMAT,
     "3 elements from 3 on are not in a dimension of 5"},
    {{OP("", 23, 15, 2, 1), .tensors = {T(1, 3, 4, 3), I(0, 7), T(1, 5, 7, 3)}},
     GH_FORMAT,
     "1 to 65536 pixels are accepted"},
    {{OP("", 0, 11, 1, 1), .tensors = {T(2, 5), T(2, 5)}}, GH_FORMAT, "ADD has 1 inputs; it takes 2 to 2"},
    {{OP("", 39, 26, 2, 1), .tensors = {T(2, 5), I(1, 1), T(5, 2)}},
     GH_FORMAT,
     "its order of axes is not one of 2 dimensions"},
};

START_TEST(test_sentences)
{
    tf_op op;
    tf_file f;
    gh_err e = {0};
    tf_case_file(&f, &op, &bad[_i].c);
    nt_refused(import(&f, &e), bad[_i].status, &e, bad[_i].part);
}
END_TEST

static const int32_t lies[] = {0, 1, 2, 3, 7, 100, 255, 65536, INT_MAX, -1, -2, -100, INT_MIN};

/* Any number in any option. */
START_TEST(test_options_that_lie)
{
    tf_op op;
    tf_file f;
    size_t no = 0;
    for (size_t i = 0; i < tf_ncases; i++) {
        tf_case_file(&f, &op, &tf_cases[i]);
        for (size_t k = 0; k < op.noptions; k++) {
            fb_field honest = op.options[k];
            for (size_t v = 0; v < GH_COUNT(lies) && honest.width; v++) {
                gh_err e = {0};
                op.options[k].value = lies[v];
                no += import(&f, &e) != GH_OK;
            }
            op.options[k] = honest;
        }
    }
    ck_assert_uint_gt(no, 300);
}
END_TEST

/* Any number in any shape, axis, size or padding; any dimension in any shape of a tensor. */
START_TEST(test_numbers_that_lie)
{
    tf_op op;
    tf_file f;
    size_t no = 0;
    for (size_t i = 0; i < tf_ncases; i++) {
        tf_tensor tensors[GH_COUNT(tf_cases[i].tensors)];
        tf_case_file(&f, &op, &tf_cases[i]);
        memcpy(tensors, f.tensors, sizeof tensors);
        f.tensors = tensors;
        for (size_t t = 0; t < f.ntensors; t++) {
            const tf_tensor honest = tensors[t];
            int32_t ints[16];
            size_t n = honest.data && honest.type == GH_TFL_INT32 ? honest.bytes / 4 : 0;
            for (size_t k = 0; k < n + honest.rank; k++)
                for (size_t v = 0; v < GH_COUNT(lies); v++) {
                    gh_err e = {0};
                    tensors[t] = honest;
                    if (k < n) {
                        memcpy(ints, honest.data, honest.bytes);
                        ints[k] = lies[v];
                        tensors[t].data = ints;
                    } else {
                        tensors[t].dims[k - n] = lies[v];
                    }
                    no += import(&f, &e) != GH_OK;
                }
            tensors[t] = honest;
        }
    }
    ck_assert_uint_gt(no, 3000);
}
END_TEST

/* Memory that ends at any allocation is a status, and nothing leaks. */
START_TEST(test_no_memory)
{
    const tf_file *f = &tf_nets[_i].file;
    gh_buf b = {0};
    gh_status status = GH_NOMEM;
    int64_t i = 0;
    tf_write(&b, f, NULL);
    for (; status == GH_NOMEM; i++) {
        gh_err e = {0};
        gh_graph *g = NULL;
        gh_mem_fail_after(i);
        status = gh_tflite_read_bytes(&g, b.data, b.len, &e);
        gh_mem_fail_after(-1);
        ck_assert((status == GH_OK) == (g != NULL));
        gh_graph_free(&g);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 8);
    gh_buf_free(&b);
}
END_TEST

/* Quantised models warn at every reading. */
static void hush(void)
{
    gh_log_setup(GH_LOG_ERROR, false);
}

static void speak(void)
{
    gh_log_setup(GH_LOG_INFO, false);
}

Suite *gh_suite_tflite_refused(void)
{
    Suite *s = suite_create("tflite_refused");
    TCase *t = tcase_create("tflite_refused");
    suite_add_tcase(s, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, hush, speak);
    tcase_add_loop_test(t, test_sentences, 0, GH_COUNT(bad));
    tcase_add_test(t, test_options_that_lie);
    tcase_add_test(t, test_numbers_that_lie);
    tcase_add_loop_test(t, test_no_memory, 0, (int)tf_nnets);
    return s;
}
