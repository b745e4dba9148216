/* Scores of a classifier, Wilson's interval, calibration. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "train/metrics/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gh_err e;

/* Figures of the interval by the formula, checked by hand for 8 of 10: 0.4902 to 0.9433 (Wilson 1927). */
START_TEST(test_wilson)
{
    gh_interval i = gh_wilson(8, 10);
    ck_assert_double_eq_tol(i.low, 0.4902, 1e-4);
    ck_assert_double_eq_tol(i.high, 0.9433, 1e-4);
    i = gh_wilson(0, 0);
    ck_assert_double_eq(i.low, 0);
    ck_assert_double_eq(i.high, 1);
    i = gh_wilson(0, 10);
    ck_assert_double_eq(i.low, 0);
    ck_assert_double_eq_tol(i.high, 0.2775, 1e-4);
    i = gh_wilson(10, 10);
    ck_assert_double_eq_tol(i.low, 0.7225, 1e-4);
    ck_assert_double_eq_tol(i.high, 1, 1e-12);
    ck_assert_double_le(i.high, 1);
    i = gh_wilson(919000, 1000000);
    ck_assert_double_eq_tol(i.high - i.low, 2 * 1.96 * sqrt(0.919 * 0.081 / 1e6), 1e-5);
}
END_TEST

/* One class is Wilson's interval; of two the half-widths add as squares, and a class without pictures is no
 * part. 8 of 10: 0.4902 to 0.9433; 1 of 4: 0.0456 to 0.6994. */
START_TEST(test_interval_of_a_mean)
{
    const size_t right[3] = {8, 0, 1}, count[3] = {10, 0, 4};
    gh_interval one = gh_mean_interval(right, count, 2), two = gh_mean_interval(right, count, 3);
    ck_assert_double_eq_tol(one.low, 0.4902, 1e-4);
    ck_assert_double_eq_tol(one.high, 0.9433, 1e-4);
    ck_assert_double_eq_tol(two.low, 0.525 - 0.5 * sqrt(0.3098 * 0.3098 + 0.2044 * 0.2044), 1e-4);
    ck_assert_double_eq_tol(two.high, 0.525 + 0.5 * sqrt(0.1433 * 0.1433 + 0.4494 * 0.4494), 1e-4);
    one = gh_mean_interval(right, count + 1, 1);
    ck_assert_double_eq(one.low, 0);
    ck_assert_double_eq(one.high, 1);
}
END_TEST

/* Three classes, six rows; all figures by hand. */
START_TEST(test_metrics_by_hand)
{
    const float p[] = {.8f, .1f, .1f, .6f, .3f, .1f, .2f, .7f, .1f,
                       .1f, .3f, .6f, .5f, .4f, .1f, .4f, .4f, .2f};
    const uint32_t label[] = {0, 0, 1, 1, 1, 0}; /* right, right, right, wrong (2), wrong (0), right */
    gh_metrics *m = NULL;
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 6, 3, &e), GH_OK);
    ck_assert_uint_eq(m->top1.right, 4);
    ck_assert_uint_eq(m->top1.count, 6);
    ck_assert_double_eq_tol(m->top1.value, 4 / 6.0, 1e-9);
    ck_assert_double_eq(m->top1.interval.low, gh_wilson(4, 6).low);
    ck_assert_double_eq(m->top5.value, 1);
    ck_assert_uint_eq(m->confusion[0 * 3 + 0], 3);
    ck_assert_uint_eq(m->confusion[1 * 3 + 0], 1);
    ck_assert_uint_eq(m->confusion[1 * 3 + 1], 1);
    ck_assert_uint_eq(m->confusion[1 * 3 + 2], 1);
    ck_assert_double_eq_tol(m->of[0].precision, 0.75, 1e-9);
    ck_assert_double_eq_tol(m->of[0].recall, 1, 1e-9);
    ck_assert_double_eq_tol(m->of[0].f1, 6 / 7.0, 1e-9);
    ck_assert_double_eq_tol(m->of[1].recall, 1 / 3.0, 1e-9);
    ck_assert_uint_eq(m->of[2].predicted, 1);
    ck_assert_double_eq(m->of[2].precision, 0);
    ck_assert_double_eq_tol(m->macro_recall, 2 / 3.0, 1e-9); /* class 2 has no row and does not count */
    ck_assert_double_eq_tol(m->macro_f1, (6 / 7.0 + 0.5) / 2, 1e-9);
    ck_assert_double_eq_tol(m->nll, -(log(.8) + log(.6) + log(.7) + log(.3) + log(.4) + log(.4)) / 6, 1e-6);
    gh_metrics_free(&m);
    ck_assert_ptr_null(m);
    gh_metrics_free(&m);
}
END_TEST

/* Confidence 0.9, right in 3 of 4: an error of 0.15 in one bin; confidence 1 always right: none. */
START_TEST(test_calibration_error)
{
    const float p[] = {.9f, .1f, .9f, .1f, .9f, .1f, .9f, .1f, 1, 0, 1, 0};
    const uint32_t label[] = {0, 0, 0, 1, 0, 0};
    gh_metrics *m = NULL;
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 6, 2, &e), GH_OK);
    ck_assert_double_eq_tol(m->ece, 4 / 6.0 * 0.15, 1e-6);
    ck_assert_uint_eq(m->bin[13].n, 4); /* 0.9 * 15 = 13.5 */
    ck_assert_double_eq_tol(m->bin[13].accuracy, 0.75, 1e-9);
    ck_assert_double_eq_tol(m->bin[13].confidence, 0.9, 1e-6);
    ck_assert_uint_eq(m->bin[14].n, 2);
    gh_metrics_free(&m);
}
END_TEST

/* Beyond five classes the fifth place counts, the sixth does not; equal scores go by class number. */
START_TEST(test_top5)
{
    const float p[] = {.3f,  .2f,  .15f, .14f,    .11f,    .1f,     .3f,     .2f,     .15f,
                       .14f, .11f, .1f,  1 / 6.f, 1 / 6.f, 1 / 6.f, 1 / 6.f, 1 / 6.f, 1 / 6.f};
    const uint32_t label[] = {4, 5, 4};
    gh_metrics *m = NULL;
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 3, 6, &e), GH_OK);
    ck_assert_uint_eq(m->top5.right, 2);
    ck_assert_uint_eq(m->top1.right, 0);
    gh_metrics_free(&m);
}
END_TEST

START_TEST(test_bad_input_to_metrics)
{
    float p[] = {.5f, .5f, .5f, .5f};
    uint32_t label[] = {0, 2};
    gh_metrics *m = NULL;
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 2, 2, &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "label 2"));
    label[1] = 1;
    p[2] = NAN;
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 2, 2, &e), GH_FORMAT);
    p[2] = 1.5f;
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 2, 2, &e), GH_FORMAT);
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 2, 0, &e), GH_ARG);
    p[2] = .5f;
    for (int i = 0; i < 3; i++) {
        gh_mem_fail_after(i);
        gh_status status = gh_metrics_of(&m, p, label, 2, 2, &e);
        gh_mem_fail_after(-1);
        ck_assert_int_eq(status, GH_NOMEM);
        ck_assert_ptr_null(m);
    }
    ck_assert_int_eq(gh_metrics_of(&m, p, label, 0, 2, &e), GH_OK); /* no rows: nothing is known */
    ck_assert_double_eq(m->top1.interval.high, 1);
    ck_assert_double_eq(m->nll, 0);
    gh_metrics_free(&m);
}
END_TEST

/* ---- temperature ---- */

static double nll(const float *z, const uint32_t *label, size_t n, uint32_t classes, double t)
{
    double loss = 0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t c = 0; c < classes; c++)
            sum += exp((z[i * classes + c] - z[i * classes + label[i]]) / t);
        loss += log(sum);
    }
    return loss / (double)n;
}

/* Labels drawn from softmax(z), then z made too sharp or too flat: the temperature that undoes it is found.
 */
START_TEST(test_temperature_is_found)
{
    enum { N = 20000, C = 4 };
    float *z = malloc(N * C * sizeof *z), *p = malloc(N * C * sizeof *p);
    uint32_t *label = malloc(N * sizeof *label);
    gh_rng rng;
    gh_rng_seed(&rng, 1);
    for (size_t i = 0; i < N * C; i++)
        p[i] = z[i] = 1.5f * gh_rng_normal(&rng);
    gh_softmax_rows(p, N, C, 1);
    for (size_t i = 0; i < N; i++) {
        float u = gh_rng_float(&rng);
        label[i] = 0;
        for (float sum = p[i * C]; u >= sum && label[i] < C - 1;)
            sum += p[i * C + ++label[i]];
    }
    for (double truth = 0.3; truth < 5; truth *= 2) {
        for (size_t i = 0; i < N * C; i++)
            z[i] *= (float)truth;
        double t = gh_temperature(z, label, N, C);
        ck_assert_double_eq_tol(t / truth, 1, 0.04);
        ck_assert_double_le(nll(z, label, N, C, t), nll(z, label, N, C, t * 1.01));
        ck_assert_double_le(nll(z, label, N, C, t), nll(z, label, N, C, t / 1.01));
        for (size_t i = 0; i < N * C; i++)
            z[i] /= (float)truth;
    }
    free(z);
    free(p);
    free(label);
}
END_TEST

START_TEST(test_temperature_keeps_its_bounds)
{
    const float sure[] = {5, 0, 0, 5}, wrong[] = {0, 5, 5, 0}, flat[] = {1, 1, 1, 1};
    const uint32_t label[] = {0, 1};
    ck_assert_double_eq(gh_temperature(sure, label, 0, 2), 1);
    ck_assert_double_le(gh_temperature(sure, label, 2, 2), 0.1); /* from where on nothing is left to gain */
    ck_assert_double_ge(gh_temperature(sure, label, 2, 2), 0.05);
    ck_assert_double_eq_tol(gh_temperature(wrong, label, 2, 2), 20, 0.1);
    double t = gh_temperature(flat, label, 2, 2);
    ck_assert(t >= 0.05 && t <= 20);
}
END_TEST

START_TEST(test_softmax_rows)
{
    float z[] = {0, logf(3), 1000, 990, -INFINITY, 0};
    gh_softmax_rows(z, 3, 2, 1);
    ck_assert_float_eq_tol(z[0], 0.25, 1e-6);
    ck_assert_float_eq_tol(z[2] + z[3], 1, 1e-6);
    ck_assert_float_eq(z[4], 0);
    float y[] = {0, 2 * logf(3)};
    gh_softmax_rows(y, 1, 2, 2);
    ck_assert_float_eq_tol(y[1], 0.75, 1e-6);
}
END_TEST

Suite *gh_suite_metrics(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");
    tcase_add_test(t, test_wilson);
    tcase_add_test(t, test_interval_of_a_mean);
    tcase_add_test(t, test_metrics_by_hand);
    tcase_add_test(t, test_calibration_error);
    tcase_add_test(t, test_top5);
    tcase_add_test(t, test_bad_input_to_metrics);
    tcase_add_test(t, test_temperature_is_found);
    tcase_add_test(t, test_temperature_keeps_its_bounds);
    tcase_add_test(t, test_softmax_rows);
    suite_add_tcase(s, t);
    return s;
}
