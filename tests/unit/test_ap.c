/* Average precision against values worked out by hand, and what does not count. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/metrics/ap.h"

enum { MOST = 200 };

static gh_ap_truth truths[MOST];
static gh_ap_found found[MOST];
static size_t ntruths, nfound;
static gh_ap_class classes[4]; /* up to three, and all */
static gh_ap_options options;
static gh_err e;

static void setup(void)
{
    ntruths = nfound = 0;
    options = (gh_ap_options){1, 100, 0.5};
    e = (gh_err){0};
}

static gh_ap_truth *label(uint32_t picture, uint32_t category, double x, double w)
{
    truths[ntruths] = (gh_ap_truth){.picture = picture, .category = category, .box = {x, 0, w, 10}};
    return &truths[ntruths++];
}

static void find(uint32_t picture, uint32_t category, double score, double x, double w)
{
    found[nfound++] = (gh_ap_found){picture, category, score, {x, 0, w, 10}};
}

static void measure(void)
{
    ck_assert_int_eq(gh_ap_measure(classes, truths, ntruths, found, nfound, &options, &e), GH_OK);
}

static void near(double value, double want)
{
    ck_assert_double_eq_tol(value, want, 1e-9);
}

/* Right, wrong, right, right: precision 1, 1/2, 2/3, 3/4 at recall 1/3, 1/3, 2/3, 1. Made monotone it is 1 up
 * to recall 1/3 (34 of the 101 points) and 3/4 behind. */
START_TEST(test_by_hand)
{
    label(0, 0, 0, 10);
    label(0, 0, 100, 10);
    label(1, 0, 0, 10);
    find(1, 0, 0.6, 0, 10);
    find(0, 0, 0.9, 0, 10);
    find(0, 0, 0.8, 50, 10);
    find(0, 0, 0.7, 100, 10);
    options.cut = 0.75;
    measure();
    near(classes[0].at[GH_AP_50].ap, (34 + 67 * 0.75) / 101);
    near(classes[0].ap, (34 + 67 * 0.75) / 101); /* the same at every overlap */
    near(classes[0].at[GH_AP_30].ap, classes[0].ap);
    near(classes[0].at[GH_AP_50].recall[0], 1.0 / 3);
    near(classes[0].at[GH_AP_50].recall[1], 1);
    ck_assert_uint_eq(classes[0].at[GH_AP_50].right, 1);
    ck_assert_uint_eq(classes[0].at[GH_AP_50].wrong, 1);
    ck_assert_uint_eq(classes[0].truths, 3);
    ck_assert_uint_eq(classes[0].found, 4);
    near(classes[1].ap, classes[0].ap);
}
END_TEST

/* 6 of 10 pixels: found at 0.3, 0.5, 0.55 and, just so, at 0.6. */
START_TEST(test_overlaps)
{
    label(0, 0, 0, 10);
    find(0, 0, 0.9, 0, 6);
    measure();
    for (int i = 0; i < GH_AP_OVERLAPS; i++)
        near(classes[0].at[i].ap, gh_ap_overlap(i) < 0.61 ? 1 : 0);
    near(classes[0].ap, 0.3);
    near(gh_ap_overlap(GH_AP_30), 0.3);
    near(gh_ap_overlap(GH_AP_50), 0.5);
    near(gh_ap_overlap(GH_AP_OVERLAPS - 1), 0.95);
}
END_TEST

/* One labelled box can be found once; the other time is a false alarm. Pictures do not mix. */
START_TEST(test_twice_and_elsewhere)
{
    label(0, 0, 0, 10);
    find(0, 0, 0.9, 0, 10);
    find(0, 0, 0.8, 0, 10);
    find(1, 0, 0.7, 0, 10);
    measure();
    ck_assert_uint_eq(classes[0].at[GH_AP_50].right, 1);
    ck_assert_uint_eq(classes[0].at[GH_AP_50].wrong, 2);
    near(classes[0].ap, 1); /* they come after */
}
END_TEST

/* On a crowd any number is neither right nor wrong, by the share of the found box inside; so is the one on an
 * ignored box, of which a second is wrong. */
START_TEST(test_crowds_and_ignored)
{
    label(0, 0, 0, 100)->crowd = true;
    label(0, 0, 200, 10)->ignored = true;
    label(0, 0, 300, 10);
    find(0, 0, 0.9, 10, 10);
    find(0, 0, 0.8, 20, 10);
    find(0, 0, 0.7, 200, 10);
    find(0, 0, 0.6, 300, 10);
    find(0, 0, 0.55, 200, 10);
    measure();
    ck_assert_uint_eq(classes[0].truths, 1);
    ck_assert_uint_eq(classes[0].at[GH_AP_50].right, 1);
    ck_assert_uint_eq(classes[0].at[GH_AP_50].wrong, 1);
    near(classes[0].ap, 1);
}
END_TEST

/* A box that counts goes before one that is ignored, though the latter overlaps more. */
START_TEST(test_what_counts_goes_first)
{
    label(0, 0, 0, 10)->ignored = true;
    label(0, 0, 2, 10);
    find(0, 0, 0.9, 0, 10);
    measure();
    ck_assert_uint_eq(classes[0].at[GH_AP_50].right, 1); /* overlap 8 / 12 */
    near(classes[0].at[GH_AP_OVERLAPS - 1].ap, 0);
    ck_assert_uint_eq(classes[0].at[GH_AP_OVERLAPS - 1].wrong, 0); /* there it is the ignored one */
}
END_TEST

/* Class 0: AP 1; class 1: none found; class 2 has no labelled box and does not count in the mean. */
START_TEST(test_mean_of_classes)
{
    options.categories = 3;
    label(0, 0, 0, 10);
    label(0, 1, 0, 10);
    find(0, 0, 0.9, 0, 10);
    find(0, 2, 0.8, 0, 10);
    measure();
    near(classes[0].ap, 1);
    near(classes[1].ap, 0);
    near(classes[3].ap, 0.5);
    near(classes[3].at[GH_AP_50].recall[0], 0.5);
    ck_assert_uint_eq(classes[3].at[GH_AP_50].wrong, 1);
    ck_assert_uint_eq(classes[3].truths, 2);
}
END_TEST

/* Eleven false alarms before the box: not found at 0 or 10 alarms. */
START_TEST(test_false_alarms_and_limit)
{
    label(0, 0, 0, 10);
    for (int i = 0; i < 11; i++)
        find(0, 0, 0.9, 100 + 20 * i, 10);
    find(0, 0, 0.8, 0, 10);
    measure();
    near(classes[0].at[GH_AP_50].recall[0], 0);
    near(classes[0].at[GH_AP_50].recall[1], 0);
    near(classes[0].at[GH_AP_50].recall[2], 1);
    near(classes[0].ap, 1.0 / 12);
    options.limit = 11;
    measure();
    near(classes[0].ap, 0);
    ck_assert_uint_eq(classes[0].found, 11);
}
END_TEST

START_TEST(test_nothing)
{
    measure();
    near(classes[0].ap, 0);
    find(0, 0, 0.9, 0, 10);
    measure();
    near(classes[0].ap, 0);
    ck_assert_uint_eq(classes[1].at[GH_AP_50].wrong, 1);
    nfound = 0;
    label(0, 0, 0, 0); /* no area: nothing can match it */
    find(0, 0, 0.9, 0, 0);
    measure();
    near(classes[0].ap, 0);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    gh_status status = GH_NOMEM;
    int i = 0;
    label(0, 0, 0, 10);
    find(0, 0, 0.9, 0, 10);
    for (; i < 100 && status == GH_NOMEM; i++) {
        gh_mem_fail_after(i);
        status = gh_ap_measure(classes, truths, ntruths, found, nfound, &options, &e);
        gh_mem_fail_after(-1);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 4);
}
END_TEST

Suite *gh_suite_ap(void)
{
    Suite *s = suite_create("ap");
    TCase *t = tcase_create("ap");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_by_hand);
    tcase_add_test(t, test_overlaps);
    tcase_add_test(t, test_twice_and_elsewhere);
    tcase_add_test(t, test_crowds_and_ignored);
    tcase_add_test(t, test_what_counts_goes_first);
    tcase_add_test(t, test_mean_of_classes);
    tcase_add_test(t, test_false_alarms_and_limit);
    tcase_add_test(t, test_nothing);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
