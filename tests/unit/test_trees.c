/* Tree ensembles: every mode, sum and transform. Scores of the cases where the standard leaves room are those
 * of ONNX Runtime 1.32. */
#include "unit/suites.h"

#include "unit/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gh_err e;

/* ---- what a tree does ---- */

START_TEST(test_every_mode)
{
    static const struct {
        const char *mode;
        bool below, equal, above;
    } modes[] = {{"BRANCH_LEQ", 1, 1, 0}, {"BRANCH_LT", 1, 0, 0}, {"BRANCH_GTE", 0, 1, 1},
                 {"BRANCH_GT", 0, 0, 1},  {"BRANCH_EQ", 0, 1, 0}, {"BRANCH_NEQ", 1, 0, 1}};
    const float x[] = {0.9999f, 1, 1.0001f, NAN};
    for (size_t i = 0; i < 6; i++)
        for (int track = 0; track < 3; track++) { /* not said, no, yes */
            ensemble t = {.targets = 1, .track_missing = track > 0, .missing = {track == 2}};
            float s[4];
            ensemble_stump(&t, 0, modes[i].mode, 1);
            ensemble_weight(&t, 0, 1, 0, 10);
            ensemble_weight(&t, 0, 2, 0, 20);
            ck_assert_int_eq(ensemble_run(&t, x, 4, 1, s, NULL, &e), GH_OK);
            ck_assert_float_eq(s[0], modes[i].below ? 10 : 20);
            ck_assert_float_eq(s[1], modes[i].equal ? 10 : 20);
            ck_assert_float_eq(s[2], modes[i].above ? 10 : 20);
            bool yes = track == 2 || strcmp(modes[i].mode, "BRANCH_NEQ") == 0; /* NaN differs from all */
            ck_assert_float_eq(s[3], yes ? 10 : 20);
        }
}
END_TEST

START_TEST(test_every_sum)
{
    static const struct {
        const char *sum;
        float want[3]; /* of 1 + 10 + -4 | two leaves of target 1 | nothing for target 2 */
    } sums[] = {{NULL, {7, 5, 0}},
                {"SUM", {7, 5, 0}},
                {"AVERAGE", {7 / 3.0f, 5 / 3.0f, 0}},
                {"MIN", {-4, 2, 0}},
                {"MAX", {10, 3, 0}}};
    const float x[] = {0};
    for (size_t i = 0; i < 5; i++)
        for (int base = 0; base < 2; base++) {
            ensemble t = {.targets = 3, .sum = sums[i].sum, .nbase = base ? 3 : 0, .base = {1, 2, 3}};
            float s[3];
            for (int k = 0; k < 3; k++)
                ensemble_stump(&t, k, "BRANCH_LEQ", 1);
            ensemble_weight(&t, 0, 1, 0, 1);
            ensemble_weight(&t, 1, 1, 0, 10);
            ensemble_weight(&t, 2, 1, 0, -4);
            ensemble_weight(&t, 0, 2, 0, 1000); /* the leaf not reached */
            ensemble_weight(&t, 0, 1, 1, 3);
            ensemble_weight(&t, 2, 1, 1, 2);
            ck_assert_int_eq(ensemble_run(&t, x, 1, 1, s, NULL, &e), GH_OK);
            for (int k = 0; k < 3; k++)
                ck_assert_float_eq_tol(s[k], sums[i].want[k] + (base ? t.base[k] : 0), 1e-6);
        }
}
END_TEST

/* Scores 1, 0, -2 of three classes through each transform. */
START_TEST(test_every_transform)
{
    const float x[] = {0};
    const double e0 = 1, e1 = exp(-1), e2 = exp(-3);
    const struct {
        const char *post;
        double want[3];
    } posts[] = {{"NONE", {1, 0, -2}},
                 {"SOFTMAX", {e0 / (e0 + e1 + e2), e1 / (e0 + e1 + e2), e2 / (e0 + e1 + e2)}},
                 {"LOGISTIC", {1 / (1 + exp(-1)), 0.5, 1 / (1 + exp(2))}},
                 {"SOFTMAX_ZERO", {e0 / (e0 + e2), 0, e2 / (e0 + e2)}}};
    for (size_t i = 0; i < 4; i++) {
        ensemble t = {.classifier = true, .targets = 3, .post = posts[i].post, .labels = {7, 8, 9}};
        float s[3];
        int64_t label;
        ensemble_node(&t, 0, 0, "LEAF", 0, 0, 0, 0);
        ensemble_weight(&t, 0, 0, 0, 1);
        ensemble_weight(&t, 0, 0, 1, 0);
        ensemble_weight(&t, 0, 0, 2, -2);
        ck_assert_int_eq(ensemble_run(&t, x, 1, 1, s, &label, &e), GH_OK);
        for (int k = 0; k < 3; k++)
            ck_assert_double_eq_tol(s[k], posts[i].want[k], 1e-6);
        ck_assert_int_eq(label, 7);
    }
    ensemble t = {.targets = 2, .post = "PROBIT"}; /* quantiles of the normal distribution, nearly */
    float s[2];
    ensemble_node(&t, 0, 0, "LEAF", 0, 0, 0, 0);
    ensemble_weight(&t, 0, 0, 0, 0.975f);
    ensemble_weight(&t, 0, 0, 1, 0.25f);
    ck_assert_int_eq(ensemble_run(&t, x, 1, 1, s, NULL, &e), GH_OK);
    ck_assert_float_eq_tol(s[0], 1.96, 5e-3);
    ck_assert_float_eq_tol(s[1], -0.6745, 5e-3);
}
END_TEST

/* Two classes, of which only the first has weights. */
START_TEST(test_two_classes_with_one_side)
{
    static const struct {
        const char *post;
        float weight, base, want[2];
        int64_t label;
    } cases[] = {{"NONE", .25f, 0, {.75f, .25f}, 10},
                 {"NONE", .25f, .5f, {.25f, .75f}, 11},
                 {"NONE", -.25f, 0, {.25f, -.25f}, 10},
                 {"NONE", -.25f, .5f, {-.25f, .25f}, 11},
                 {"LOGISTIC", .25f, 0, {.43782347f, .5621765f}, 10},
                 {"LOGISTIC", .25f, .5f, {.3208213f, .6791787f}, 11},
                 {"LOGISTIC", -.25f, 0, {.5621765f, .43782347f}, 10},
                 {"SOFTMAX", .25f, 0, {.75f, .25f}, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ensemble t = {.classifier = true, .targets = 2, .labels = {10, 11}, .post = cases[i].post};
        float s[2];
        int64_t label;
        t.nbase = cases[i].base != 0;
        t.base[0] = cases[i].base;
        ensemble_node(&t, 0, 0, "LEAF", 0, 0, 0, 0);
        ensemble_weight(&t, 0, 0, 0, cases[i].weight);
        ck_assert_int_eq(ensemble_run(&t, (float[]){0}, 1, 1, s, &label, &e), GH_OK);
        ck_assert_float_eq_tol(s[0], cases[i].want[0], 1e-6);
        ck_assert_float_eq_tol(s[1], cases[i].want[1], 1e-6);
        ck_assert_int_eq(label, cases[i].label);
    }
}
END_TEST

/* Two classes, of which only the second has weights: its score is compared with one half, or with 0. */
START_TEST(test_two_classes_with_the_other_side)
{
    for (int negative = 0; negative < 2; negative++) {
        ensemble t = {.classifier = true, .targets = 2, .labels = {10, 11}};
        float s[4];
        int64_t label[2];
        ensemble_stump(&t, 0, "BRANCH_LEQ", 0);
        ensemble_weight(&t, 0, 1, 1, negative ? -.2f : .2f);
        ensemble_weight(&t, 0, 2, 1, negative ? .2f : .7f);
        ck_assert_int_eq(ensemble_run(&t, (float[]){-1, 1}, 2, 1, s, label, &e), GH_OK);
        ck_assert_float_eq(s[1], negative ? -.2f : .2f);
        ck_assert_float_eq(s[0], 0);
        ck_assert_int_eq(label[0], 10);
        ck_assert_int_eq(label[1], 11);
    }
}
END_TEST

/* The best class is one that has a score, even a negative one. */
START_TEST(test_classes_without_a_score)
{
    ensemble t = {.classifier = true, .targets = 3, .labels = {4, 5, 6}};
    float s[3];
    int64_t label;
    ensemble_node(&t, 3, 17, "LEAF", 0, 0, 0, 0);
    ensemble_weight(&t, 3, 17, 2, -1);
    ck_assert_int_eq(ensemble_run(&t, (float[]){0}, 1, 1, s, &label, &e), GH_OK);
    ck_assert_int_eq(label, 6);
    ck_assert_float_eq(s[0], 0);
    t.text_labels = true; /* loads; the label is the class's number */
    ck_assert_int_eq(ensemble_run(&t, (float[]){0}, 1, 1, s, &label, &e), GH_OK);
    ck_assert_int_eq(label, 2);
}
END_TEST

/* Nodes in any order, numbers with gaps, several trees mixed, more weights in one leaf. */
START_TEST(test_nodes_in_any_order)
{
    ensemble t = {.targets = 2};
    float s[4];
    ensemble_node(&t, 9, 70, "LEAF", 0, 0, 0, 0);
    ensemble_node(&t, -3, 5, "BRANCH_LEQ", 1, 0.5f, 1000000007, -4);
    ensemble_node(&t, 9, 12, "BRANCH_GT", 0, 2, 70, 8);
    ensemble_node(&t, -3, 1000000007, "LEAF", 0, 0, 0, 0);
    ensemble_node(&t, 9, 8, "LEAF", 0, 0, 0, 0);
    ensemble_node(&t, -3, -4, "LEAF", 0, 0, 0, 0);
    ensemble_weight(&t, 9, 8, 1, 1);
    ensemble_weight(&t, -3, -4, 0, 2);
    ensemble_weight(&t, 9, 70, 0, 4);
    ensemble_weight(&t, 9, 8, 0, 8);
    ensemble_weight(&t, -3, 1000000007, 1, 16);
    ensemble_weight(&t, 9, 8, 1, 32);
    ensemble_weight(&t, 9, 12, 1, 64); /* of an inner node: means nothing */
    ck_assert_msg(ensemble_run(&t, (float[]){3, 0, 1, 1}, 2, 2, s, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_float_eq(s[0], 4);
    ck_assert_float_eq(s[1], 16);
    ck_assert_float_eq(s[2], 10);
    ck_assert_float_eq(s[3], 33);
}
END_TEST

Suite *gh_suite_trees(void)
{
    Suite *s = suite_create("trees");
    TCase *t = tcase_create("trees");
    tcase_add_test(t, test_every_mode);
    tcase_add_test(t, test_every_sum);
    tcase_add_test(t, test_every_transform);
    tcase_add_test(t, test_two_classes_with_one_side);
    tcase_add_test(t, test_two_classes_with_the_other_side);
    tcase_add_test(t, test_classes_without_a_score);
    tcase_add_test(t, test_nodes_in_any_order);
    suite_add_tcase(s, t);
    return s;
}
