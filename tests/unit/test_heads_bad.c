/* Heads: rows and options that they refuse, odd rows that they must take, and memory that runs out. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/heads/head.h"
#include "unit/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gh_err e;

/* ---- what is refused ---- */

START_TEST(test_rows_that_no_head_can_use)
{
    float x[] = {0, 1, 2, 3, 4, 5}, bad[] = {0, 1, NAN, 3, 4, 5}, far[] = {0, 1, 2, 3, INFINITY, 5};
    float votes[] = {0.5f, 0.6f, 1, 0, 0, 1}, negative[] = {-1, 2, 1, 0, 0, 1}, weights[] = {1, -1, 1};
    float nothing[] = {1, 1, 0};
    uint32_t label[] = {0, 0, 1}, same[] = {1, 1, 1}, high[] = {0, 7, 1}, fold[] = {0, 99, 1};
    const gh_rows good = {.x = x, .n = 3, .width = 2, .classes = 2, .label = label};
    struct {
        gh_rows rows;
        gh_status status;
        const char *says;
    } cases[12];
    for (size_t i = 0; i < 12; i++)
        cases[i].rows = good;
    int n = 0;
#define REFUSE(field, value, code, text)                                                                     \
    (cases[n].rows.field = value, cases[n].status = code, cases[n++].says = text)
    REFUSE(x, bad, GH_FORMAT, "feature 0 of row 1");
    REFUSE(x, far, GH_FORMAT, "feature 0 of row 2");
    REFUSE(label, same, GH_ARG, "one class");
    REFUSE(label, high, GH_ARG, "label 7");
    REFUSE(votes, votes, GH_ARG, "sum to 1.1");
    REFUSE(votes, negative, GH_ARG, "is -1");
    REFUSE(weight, weights, GH_ARG, "weight of row 1 is -1");
    REFUSE(weight, nothing, GH_ARG, "one class");
    REFUSE(n, 0, GH_ARG, "0 rows");
    REFUSE(width, 0, GH_ARG, "0 features");
    REFUSE(classes, 1, GH_ARG, "1 class;");
    REFUSE(classes, 70000, GH_ARG, "70000 classes");
    for (int i = 0; i < n; i++)
        for (int t = 0; gh_head_types[t]; t++) {
            gh_head *h = NULL;
            gh_fit_options o = quick(NULL);
            e = (gh_err){0};
            ck_assert_int_eq(gh_head_types[t]->fit(&h, &cases[i].rows, &o, &e), cases[i].status);
            ck_assert_ptr_null(h);
            ck_assert_msg(strstr(e.text, cases[i].says), "%s: %s", cases[i].says, e.text);
        }
    gh_rows folded = good;
    gh_head *h = NULL;
    gh_fit_options o = quick(NULL);
    folded.fold = fold;
    ck_assert_int_eq(gh_head_types[0]->fit(&h, &folded, &o, &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "fold 99"));
}
END_TEST

START_TEST(test_options_out_of_range)
{
    blobs b = blobs_new(20, 3, 2, 2, 1);
    gh_head *h = NULL;
    const gh_fit_options bad[] = {
        {.hidden = -1}, {.trees = -5}, {.neighbours = -1}, {.epochs = -2}, {.trees = 1000000}};
    const char *const of[] = {"mlp", "forest", "knn", "mlp", "forest"};
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(gh_head_type_find(of[i])->fit(&h, &b.rows, &bad[i], &e), GH_ARG);
        ck_assert_ptr_null(h);
    }
    blobs_free(&b);
}
END_TEST

/* 20,000 classes on 1,280 features: a sentence instead of many gigabytes. */
START_TEST(test_too_large_a_head_is_refused)
{
    enum { N = 64, WIDTH = 1280 };
    float *x = calloc(N * WIDTH, sizeof *x);
    uint32_t label[N];
    for (uint32_t i = 0; i < N; i++) {
        label[i] = i;
        x[i * WIDTH + i] = 1;
    }
    gh_rows rows = {.x = x, .n = N, .width = WIDTH, .classes = 20000, .label = label};
    gh_fit_options o = {.hidden = 8192, .neighbours = 3};
    gh_head *h = NULL;
    ck_assert_int_eq(gh_head_type_find("softmax")->fit(&h, &rows, &o, &e), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "20000 classes"));
    ck_assert_int_eq(gh_head_type_find("mlp")->fit(&h, &rows, &o, &e), GH_LIMIT);
    free(x);
}
END_TEST

START_TEST(test_a_signal_stops_the_fit)
{
    blobs b = blobs_new(60, 4, 3, 1, 1);
    const bool stop = true;
    for (int t = 0; gh_head_types[t]; t++) {
        gh_head *h = NULL;
        gh_fit_options o = quick(NULL);
        o.stop = &stop;
        ck_assert_int_eq(gh_head_types[t]->fit(&h, &b.rows, &o, &e), GH_INTERRUPTED);
        ck_assert_ptr_null(h);
    }
    blobs_free(&b);
}
END_TEST

/* ---- odd data that must give something sane ---- */

/* One row a class, rows twice, a feature that never changes, one that is huge, a class without rows. */
START_TEST(test_odd_rows_are_fitted)
{
    float x[] = {0, 5, 1e6f, 1, 5, 1e6f, 2, 5, 1e6f, 0, 5, 1e6f, 1, 5, 1e6f, 2, 5, 1.5e6f};
    uint32_t label[] = {0, 1, 2, 0, 1, 2};
    for (size_t n = 3; n <= 6; n += 3)
        for (uint32_t classes = 3; classes <= 4; classes++) {
            gh_rows rows = {.x = x, .n = n, .width = 3, .classes = classes, .label = label};
            fitted f = fit_nth(_i, &rows, NULL);
            float *s = predict(f.type, f.head, x, n, NULL);
            for (size_t i = 0; i < n * classes; i++)
                ck_assert(isfinite(s[i]));
            if (classes == 4) /* nothing speaks for the class without rows */
                for (size_t i = 0; i < n; i++)
                    ck_assert_float_lt(s[4 * i + 3], s[4 * i + label[i]]);
            if (_i != 2) /* a tree on a bootstrap of three rows may never have seen one of them */
                ck_assert_double_ge(accuracy_of(&rows, s), 0.6);
            free(s);
            f.type->free(f.head);
        }
}
END_TEST

/* All rows alike, labels not: nothing to learn but the shares of the classes. */
START_TEST(test_rows_that_are_all_alike)
{
    float x[40];
    uint32_t label[20];
    for (int i = 0; i < 20; i++) {
        x[2 * i] = 3;
        x[2 * i + 1] = -1;
        label[i] = i % 4 == 0;
    }
    gh_rows rows = {.x = x, .n = 20, .width = 2, .classes = 2, .label = label};
    fitted f = fit_nth(_i, &rows, NULL);
    float *s = predict(f.type, f.head, x, 1, NULL);
    ck_assert(isfinite(s[0]) && isfinite(s[1]));
    if (_i < 3) /* neighbours by direction know no shares */
        ck_assert_float_gt(s[0], s[1]);
    free(s);
    f.type->free(f.head);
}
END_TEST

/* ---- memory ---- */

START_TEST(test_memory_may_run_out)
{
    blobs b = blobs_new(40, 3, 2, 1, 71);
    gh_fit_options o = {.seed = 1, .trees = 3, .hidden = 4, .epochs = 3, .neighbours = _i == 4 ? 2 : 0};
    const gh_head_type *t = gh_head_types[_i == 4 ? 3 : _i];
    int failures = 0;
    for (int i = 0;; i++) {
        gh_head *h = NULL;
        gh_mem_fail_after(i);
        gh_status status = t->fit(&h, &b.rows, &o, &e);
        gh_mem_fail_after(-1);
        if (status == GH_OK) {
            t->free(h);
            break;
        }
        ck_assert_int_eq(status, GH_NOMEM);
        ck_assert_ptr_null(h);
        failures++;
    }
    ck_assert_int_gt(failures, 5);
    gh_head *h = fit(t, &b.rows, &o);
    for (int i = 0; i < 2; i++) {
        float s[80];
        gh_mem_fail_after(i);
        gh_status status = t->predict(s, h, b.x, 40, NULL, &e);
        char *text = i ? NULL : t->describe(h);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || status == GH_NOMEM);
        gh_free(text);
    }
    t->free(h);
    blobs_free(&b);
}
END_TEST

START_TEST(test_export_without_memory_sticks)
{
    blobs b = blobs_new(40, 3, 3, 1, 81);
    fitted f = fit_nth(_i, &b.rows, NULL);
    for (int i = 0; i < 400; i++) {
        gh_graph *g = NULL;
        ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
        uint32_t in = gh_graph_input(g, "x", GH_F32, gh_shape_of(2, (int64_t[]){-1, 3}));
        gh_mem_fail_after(i);
        uint32_t out = f.type->export(g, f.head, in, 1);
        gh_mem_fail_after(-1);
        gh_status status = gh_graph_check(g, NULL);
        ck_assert(status == GH_OK || status == GH_NOMEM);
        ck_assert(status != GH_OK || out != GH_NONE);
        gh_graph_free(&g);
    }
    f.type->free(f.head);
    blobs_free(&b);
}
END_TEST

Suite *gh_suite_heads_bad(void)
{
    Suite *s = suite_create("heads_bad");
    TCase *t = tcase_create("heads_bad");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_rows_that_no_head_can_use);
    tcase_add_test(t, test_options_out_of_range);
    tcase_add_test(t, test_too_large_a_head_is_refused);
    tcase_add_test(t, test_a_signal_stops_the_fit);
    tcase_add_loop_test(t, test_odd_rows_are_fitted, 0, HEADS);
    tcase_add_loop_test(t, test_rows_that_are_all_alike, 0, HEADS);
    tcase_add_loop_test(t, test_memory_may_run_out, 0, HEADS);
    tcase_add_loop_test(t, test_export_without_memory_sticks, 0, HEADS);
    suite_add_tcase(s, t);
    return s;
}
