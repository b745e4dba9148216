/* The reject rule: distances, its threshold, and the exported nodes. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/heads/reject.h"
#include "unit/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gh_err e;

static uint32_t export_rule(gh_graph *g, const void *what, uint32_t features, float temperature)
{
    (void)temperature;
    return gh_reject_export(g, what, features);
}

/* Two classes along the axes; the length of a row does not count, only its direction. */
START_TEST(test_distance_by_hand)
{
    const float x[] = {1, 0, 5, 0, 0, 2, 0, 1}, seen[] = {3, 0, 0, 0.1f, 1, 1, -1, 0, 0, 0};
    const uint32_t label[] = {0, 0, 1, 1};
    const double want[] = {0, 0, 1 - sqrt(0.5), 1, 1};
    gh_rows rows = {.x = x, .n = 4, .width = 2, .classes = 3, .label = label}; /* class 2 has no rows */
    gh_reject *r = NULL;
    float d[5];
    ck_assert_int_eq(gh_reject_fit(&r, &rows, &e), GH_OK);
    ck_assert_int_eq(gh_reject_distance(d, r, seen, 5, &e), GH_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq_tol(d[i], want[i], 1e-6);
    float *net = run_export(export_rule, r, seen, 5, 2, 0, 1, _i ? 18 : 13);
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq_tol(net[i], want[i], 1e-6);
    free(net);
    gh_reject_free(&r);
    ck_assert_ptr_null(r);
    gh_reject_free(&r);
}
END_TEST

/* Of rows like the training rows about one in twenty is turned away, of strange ones nearly all. */
START_TEST(test_strange_rows_are_turned_away)
{
    blobs train = blobs_new(300, 20, 3, 3, 1), held = blobs_new(300, 20, 3, 3, 2);
    blobs unseen = blobs_new(1000, 20, 3, 3, 3), strange = blobs_new(300, 20, 3, 0, 4);
    gh_reject *r = NULL;
    float d[1000];
    int own = 0, other = 0;
    ck_assert_int_eq(gh_reject_fit(&r, &train.rows, &e), GH_OK);
    ck_assert_int_eq(gh_reject_distance(d, r, held.x, 300, &e), GH_OK);
    float threshold = gh_reject_threshold(d, 300, 0.05);
    ck_assert_int_eq(gh_reject_distance(d, r, unseen.x, 1000, &e), GH_OK);
    for (int i = 0; i < 1000; i++)
        own += d[i] > threshold;
    ck_assert_int_eq(gh_reject_distance(d, r, strange.x, 300, &e), GH_OK);
    for (int i = 0; i < 300; i++)
        other += d[i] > threshold;
    ck_assert_int_le(own, 90); /* 50 expected of a threshold that is itself measured on 300 */
    ck_assert_int_ge(own, 20);
    ck_assert_int_ge(other, 290);
    gh_reject_free(&r);
    blobs_free(&train);
    blobs_free(&held);
    blobs_free(&unseen);
    blobs_free(&strange);
}
END_TEST

START_TEST(test_the_threshold)
{
    float d[100], few[] = {3, 1, 2};
    for (int i = 0; i < 100; i++)
        d[(i * 37) % 100] = (float)i;                          /* 0 .. 99 in some order */
    ck_assert_float_eq(gh_reject_threshold(d, 100, 0.05), 94); /* 95 to 99 exceed it */
    ck_assert_float_eq(gh_reject_threshold(d, 100, 0), 99);
    ck_assert_float_eq(gh_reject_threshold(few, 3, 0.05), 3); /* one of three would be too many */
    ck_assert_float_eq(gh_reject_threshold(few, 3, 0.34), 2);
    ck_assert_float_eq(gh_reject_threshold(few, 3, 1), 1);
    ck_assert_float_ge(gh_reject_threshold(few, 0, 0.05), GH_NEVER_REJECT);
    gh_mem_fail_after(0);
    ck_assert_float_ge(gh_reject_threshold(few, 3, 0.05), GH_NEVER_REJECT);
    gh_mem_fail_after(-1);
}
END_TEST

START_TEST(test_rows_it_cannot_use)
{
    const float x[] = {1, NAN, 2, 3};
    const uint32_t label[] = {0, 1}, same[] = {1, 1};
    gh_rows rows = {.x = x, .n = 2, .width = 2, .classes = 2, .label = label};
    gh_reject *r = NULL;
    ck_assert_int_eq(gh_reject_fit(&r, &rows, &e), GH_FORMAT);
    rows.label = same;
    ck_assert_int_eq(gh_reject_fit(&r, &rows, &e), GH_ARG);
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    blobs b = blobs_new(30, 3, 2, 1, 1);
    gh_reject *r = NULL;
    int failures = 0;
    for (gh_status status = GH_NOMEM; status != GH_OK; failures++) {
        gh_mem_fail_after(failures);
        status = gh_reject_fit(&r, &b.rows, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK ? r != NULL : status == GH_NOMEM && !r);
    }
    ck_assert_int_gt(failures, 3);
    float d[30];
    gh_mem_fail_after(0);
    ck_assert_int_eq(gh_reject_distance(d, r, b.x, 30, &e), GH_NOMEM);
    gh_mem_fail_after(-1);
    gh_reject_free(&r);
    blobs_free(&b);
}
END_TEST

Suite *gh_suite_reject(void)
{
    Suite *s = suite_create("reject");
    TCase *t = tcase_create("reject");
    tcase_add_loop_test(t, test_distance_by_hand, 0, 2);
    tcase_add_test(t, test_strange_rows_are_turned_away);
    tcase_add_test(t, test_the_threshold);
    tcase_add_test(t, test_rows_it_cannot_use);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
