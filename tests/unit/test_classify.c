/* The classify decoder: probabilities, order, ties, limits, and outputs that are no numbers. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tasks/classify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 1000

static char names[MANY][16];
static char *labels[MANY];
static gh_manifest manifest;
static gh_model model;
static gh_result result;
static float scores[MANY];
static gh_err e;

static void setup(void)
{
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        labels[i] = names[i];
    }
    manifest = (gh_manifest){.labels = labels, .nlabels = 4};
    model = (gh_model){.manifest = &manifest};
    result = (gh_result){.model = &model};
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_free(result.labels);
}

static gh_status decode(size_t n, gh_run_options options)
{
    gh_tensor t = {GH_F32, gh_shape_of(2, (int64_t[]){1, (int64_t)n}), scores};
    return gh_classify_decode(&result, &t, &options, &e);
}

START_TEST(test_softmax)
{
    memcpy(scores, (float[]){1, 3, 2, 0}, 16);
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    double sum = exp(1) + exp(3) + exp(2) + 1;
    ck_assert_uint_eq(result.nlabels, 4);
    ck_assert_str_eq(result.labels[0].label, "c1");
    ck_assert_int_eq(result.labels[0].index, 1);
    ck_assert_float_eq_tol(result.labels[0].score, (float)(exp(3) / sum), 1e-7f);
    ck_assert_float_eq_tol(result.labels[3].score, (float)(1 / sum), 1e-7f);
}
END_TEST

START_TEST(test_softmax_of_huge_logits)
{
    memcpy(scores, (float[]){3e38f, -3e38f, 3e38f, 0}, 16);
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_float_eq(result.labels[0].score, 0.5f);
    ck_assert_int_eq(result.labels[0].index, 0); /* a tie: the lower index first */
    ck_assert_int_eq(result.labels[1].index, 2);
    ck_assert_float_eq(result.labels[2].score, 0);
}
END_TEST

START_TEST(test_other_decoders)
{
    memcpy(scores, (float[]){0.1f, 0.6f, 1.0000001f, -1e-9f}, 16);
    manifest.decoder = GH_DECODE_PROBABILITIES;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_float_eq(result.labels[0].score, 1); /* never beyond 0..1 */
    ck_assert_float_eq(result.labels[3].score, 0);
    manifest.decoder = GH_DECODE_SIGMOID;
    memcpy(scores, (float[]){0, 100, -100, 1}, 16);
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_float_eq(result.labels[0].score, 1);
    ck_assert_float_eq_tol(result.labels[1].score, (float)(1 / (1 + exp(-1))), 1e-7f);
    ck_assert_float_eq(result.labels[2].score, 0.5f);
}
END_TEST

static int by_score(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    if (scores[x] != scores[y])
        return scores[x] < scores[y] ? 1 : -1;
    return x - y;
}

/* Against a whole sort, for every k, with many ties. */
START_TEST(test_selection_is_a_sort)
{
    int order[MANY];
    gh_rng rng;
    gh_rng_seed(&rng, 7);
    for (int i = 0; i < MANY; i++) {
        scores[i] = (float)gh_rng_below(&rng, 60) / 10;
        order[i] = i;
    }
    manifest.nlabels = MANY;
    qsort(order, MANY, sizeof *order, by_score);
    for (int k = 1; k <= MANY; k += k < 20 ? 1 : 49) {
        ck_assert_int_eq(decode(MANY, (gh_run_options){.top = k}), GH_OK);
        ck_assert_uint_eq(result.nlabels, (size_t)k);
        for (int i = 0; i < k; i++)
            ck_assert_int_eq(result.labels[i].index, order[i]);
    }
    ck_assert_int_eq(decode(MANY, (gh_run_options){.top = 5000}), GH_OK);
    ck_assert_uint_eq(result.nlabels, MANY);
}
END_TEST

START_TEST(test_top_limit_and_threshold)
{
    memcpy(scores, (float[]){1, 3, 2, 0}, 16);
    ck_assert_int_eq(decode(4, (gh_run_options){.top = 2}), GH_OK);
    ck_assert_uint_eq(result.nlabels, 2);
    ck_assert_int_eq(decode(4, (gh_run_options){.top = 3, .limit = 1}), GH_OK);
    ck_assert_uint_eq(result.nlabels, 1);
    ck_assert_int_eq(decode(4, (gh_run_options){.threshold = 0.2}), GH_OK);
    ck_assert_uint_eq(result.nlabels, 2); /* .644 and .237 */
    ck_assert_int_eq(decode(4, (gh_run_options){.threshold = 0.9}), GH_OK);
    ck_assert_uint_eq(result.nlabels, 0);
    manifest.threshold = 0.3; /* the model's own, unless the request names one */
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_uint_eq(result.nlabels, 1);
    ck_assert_int_eq(decode(4, (gh_run_options){.top = -1}), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "top is -1"));
}
END_TEST

START_TEST(test_reject_rule)
{
    memcpy(scores, (float[]){1, 3, 2, 0}, 16);
    manifest.reject_below = 0.6;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert(!result.unknown);
    manifest.reject_below = 0.7;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert(result.unknown);
    ck_assert_uint_eq(result.nlabels, 4);
}
END_TEST

START_TEST(test_bad_outputs_are_refused)
{
    memcpy(scores, (float[]){1, NAN, 2, 0}, 16);
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_INTERNAL);
    ck_assert_ptr_nonnull(strstr(e.text, "class 1"));
    scores[1] = INFINITY;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_INTERNAL);
    scores[1] = 0;
    ck_assert_int_eq(decode(3, (gh_run_options){0}), GH_INTERNAL);
    ck_assert_ptr_nonnull(strstr(e.text, "3 scores"));
    gh_tensor t = {GH_I64, gh_shape_of(2, (int64_t[]){1, 4}), scores};
    ck_assert_int_eq(gh_classify_decode(&result, &t, &(gh_run_options){0}, &e), GH_INTERNAL);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    memcpy(scores, (float[]){1, 3, 2, 0}, 16);
    for (int i = 0; i < 2; i++) {
        gh_mem_fail_after(i);
        gh_status status = decode(4, (gh_run_options){0});
        gh_mem_fail_after(-1);
        ck_assert_int_eq(status, GH_NOMEM);
        ck_assert_uint_eq(result.nlabels, 0); /* nothing half written */
    }
}
END_TEST

Suite *gh_suite_classify(void)
{
    Suite *s = suite_create("classify");
    TCase *t = tcase_create("classify");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_softmax);
    tcase_add_test(t, test_softmax_of_huge_logits);
    tcase_add_test(t, test_other_decoders);
    tcase_add_test(t, test_selection_is_a_sort);
    tcase_add_test(t, test_top_limit_and_threshold);
    tcase_add_test(t, test_reject_rule);
    tcase_add_test(t, test_bad_outputs_are_refused);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
