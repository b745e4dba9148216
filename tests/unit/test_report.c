/* The report of a training run: what stands in both files, that hostile names do no harm, and that failures
 * leave nothing half written. */
#include "unit/report_case.h"
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "unit/tiny.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static report_case c;
static gh_err e;

static void setup(void)
{
    tiny_setup();
    report_case_make(&c);
    e = (gh_err){0};
}

static void teardown(void)
{
    report_case_free(&c);
    tiny_remove();
}

static void many(uint32_t classes, uint32_t each, bool matrix)
{
    report_case_free(&c);
    report_case_many(&c, classes, each, matrix);
}

static void write_report(void)
{
    report_case_write(&c);
}

static bool has(const char *text)
{
    return report_case_has(&c, text);
}

static const json_t *at(const char *key, const char *inner)
{
    const json_t *v = json_object_get(json_object_get(c.json, key), inner);
    ck_assert_msg(v != NULL, "report.json has no %s.%s", key, inner);
    return v;
}

static const json_t *item(const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(c.json, key), i);
    ck_assert_msg(v != NULL, "report.json has no %s[%zu]", key, i);
    return v;
}

static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    ck_assert_msg(json_is_number(v), "%s is no number", key);
    return json_number_value(v);
}

static void assert_text(const json_t *object, const char *key, const char *text)
{
    ck_assert_str_eq(json_string_value(json_object_get(object, key)), text);
}

/* The advice on a topic, or "". */
static const char *advice(const char *topic)
{
    size_t i;
    const json_t *v;
    json_array_foreach(json_object_get(c.json, "next"), i, v)
    {
        if (strcmp(json_string_value(json_object_get(v, "topic")), topic) == 0)
            return json_string_value(json_object_get(v, "text"));
    }
    return "";
}

static void assert_says(const char *topic, const char *text)
{
    ck_assert_msg(strstr(advice(topic), text) != NULL, "on %s it says: %s", topic, advice(topic));
}

/* ---- report.json ---- */

START_TEST(test_json_tells_the_run)
{
    write_report();
    const json_t *run = json_object_get(c.json, "run");
    assert_text(run, "name", "pets");
    assert_text(run, "head", "forest");
    assert_text(run, "body", "body <1>");
    assert_text(run, "data", "data/\"pets\"");
    assert_text(run, "seed", "18446744073709551615"); /* beyond JSON's integers */
    ck_assert_uint_eq(strlen(json_string_value(at("run", "data_hash"))), 32);
    ck_assert_double_eq(number(run, "folds"), 5);
    ck_assert_double_eq(number(run, "pictures"), 252);
    ck_assert_double_eq_tol(number(at("run", "seconds"), "total"), 11.9, 1e-6);
    const json_t *top1 = at("metrics", "top1");
    ck_assert_double_eq_tol(number(top1, "value"), 216.0 / 252, 1e-6);
    gh_interval i = gh_wilson(216, 252);
    const json_t *interval = json_object_get(top1, "interval95");
    ck_assert_double_eq_tol(json_number_value(json_array_get(interval, 0)), i.low, 1e-6);
    ck_assert_double_eq_tol(json_number_value(json_array_get(interval, 1)), i.high, 1e-6);
    ck_assert(json_is_null(json_object_get(c.json, "test")));
    ck_assert_double_eq_tol(json_number_value(at("calibration", "ece_before")), .048, 1e-6);
    ck_assert_uint_eq(json_array_size(at("calibration", "bins")), GH_CALIBRATION_BINS);
    ck_assert_double_eq_tol(json_number_value(at("reject", "threshold")), 23.5, 1e-6);
    ck_assert_uint_eq(json_array_size(json_object_get(c.json, "problems")), 3);
}
END_TEST

START_TEST(test_json_tells_classes_and_mistakes)
{
    write_report();
    const json_t *dog = item("classes", 1);
    assert_text(dog, "label", "dog");
    ck_assert_double_eq(number(dog, "support"), 60);
    ck_assert_double_eq_tol(number(dog, "recall"), .9, 1e-6);
    ck_assert_double_eq_tol(number(dog, "precision"), .9, 1e-6);
    const json_t *rows = at("confusion", "counts");
    ck_assert_double_eq(json_number_value(json_array_get(json_array_get(rows, 3), 4)), 11);
    const json_t *pair = item("mixups", 0);
    ck_assert_double_eq(number(pair, "a_as_b"), 11);
    ck_assert_double_eq(number(pair, "b_as_a"), 3);
    ck_assert_uint_eq(json_array_size(json_object_get(c.json, "mistakes")), 36);
    ck_assert_double_eq(number(c.json, "mistakes_left_out"), 0);
    assert_text(item("mistakes", 0), "true", "cat");
    assert_text(item("mistakes", 0), "predicted", "dog");
    ck_assert_double_eq_tol(number(item("mistakes", 0), "score"), .99, 1e-6);
    ck_assert_ptr_nonnull(
        strstr(json_string_value(json_object_get(item("mistakes", 0), "path")), "picture<0>.jpg"));
}
END_TEST

START_TEST(test_json_tells_heads_curve_and_features)
{
    write_report();
    ck_assert(json_is_null(json_object_get(item("candidates", 0), "nll"))); /* NaN */
    ck_assert(json_is_false(json_object_get(item("candidates", 0), "chosen")));
    ck_assert(json_is_true(json_object_get(item("candidates", 1), "chosen")));
    ck_assert_uint_eq(json_array_size(at("learning_curve", "points")), 4);
    ck_assert_double_gt(json_number_value(at("learning_curve", "gain_per_doubling")), .05);
    ck_assert_double_eq(number(item("features", 1), "feature"), 1279);
    ck_assert_double_eq_tol(number(item("features", 1), "share"), .25, 1e-6);
    ck_assert_double_eq(json_number_value(at("head_details", "trees")), 200);
}
END_TEST

START_TEST(test_importances_are_ranked)
{
    float importances[30] = {0};
    for (int i = 0; i < 30; i++)
        importances[i] = (float)(i * 7 % 30);
    importances[0] = (float)NAN;
    c.r.importances = importances;
    c.r.width = 30;
    write_report();
    ck_assert_uint_eq(json_array_size(json_object_get(c.json, "features")), 20);
    ck_assert_double_eq(number(item("features", 0), "feature"), 17); /* 17 * 7 % 30 = 29 */
    ck_assert_double_eq_tol(number(item("features", 0), "share"), 29.0 / 435, 1e-6);
    ck_assert(has(">feature 17<"));
}
END_TEST

START_TEST(test_parts_without_data_are_left_out)
{
    c.r.nmistakes = c.r.ncandidates = c.r.ncurve = 0;
    c.r.details = NULL;
    c.r.failed = c.set.nproblems = 0;
    c.r.problems = NULL;
    c.r.license = c.r.cut = NULL;
    write_report();
    report_case_check(&c);
    ck_assert(!has("id=\"mistakes\"") && !has("id=\"curve\"") && !has("id=\"heads\""));
    ck_assert(!has("id=\"features\"") && !has("id=\"problems\""));
    ck_assert(json_is_null(json_object_get(c.json, "head_details")));
    ck_assert_double_eq(number(c.json, "mistakes_left_out"), 36);
    ck_assert_str_eq(advice("curve"), "");
    ck_assert_str_eq(advice("pictures"), "");
}
END_TEST

/* ---- advice ---- */

START_TEST(test_advice_on_classes)
{
    write_report();
    assert_says("classes", "Collect more pictures of \xE2\x80\x9C"
                           "cat\xE2\x80\x9D (5 of 12 right): it is often missed");
    ck_assert(has("Look at the mistakes of \xE2\x80\x9C&quot;quoted&quot; &amp; &#39;odd&#39;\xE2\x80\x9D "
                  "(40 of 60 right)"));
    ck_assert(has("\xE2\x80\x9D has 5 times as many pictures as \xE2\x80\x9C"
                  "cat\xE2\x80\x9D"));
    assert_says("mixup", "11 times, ");
    assert_says("mixup", " 3 times, together 38.9 % of all mistakes");
    assert_says("pictures", "3 problems with pictures or labels");
    assert_says("pictures", "1 picture that could not be read was left out");
    c.metrics->of[0].support = 9;
    c.r.balance = "sqrt";
    write_report();
    assert_says("classes", "\xE2\x80\x9C\"quoted\" & 'odd'\xE2\x80\x9D (40 of 60 right)");
    ck_assert(has("\xE2\x80\x9C"
                  "cat\xE2\x80\x9D had fewer than 10 pictures"));
    ck_assert(!has("times as many pictures"));
}
END_TEST

START_TEST(test_advice_on_the_curve)
{
    static const gh_curve_point flat[] = {
        {60, .8, .7, .9}, {120, .85, .8, .9}, {240, .853, .8, .9}, {480, .851, .8, .9}};
    static const gh_curve_point noisy[] = {{60, .80, .6, .95}, {120, .82, .6, .95}};
    write_report();
    assert_says("curve", "More pictures will help");
    c.r.curve = flat;
    write_report();
    assert_says("curve", "will hardly help");
    c.r.curve = noisy;
    c.r.ncurve = 2;
    write_report();
    assert_says("curve", "More pictures may help");
    assert_says("curve", "about 2.0 points each time the pictures double (a hint only: each point of the "
                         "curve has 17.5 points of doubt)");
}
END_TEST

START_TEST(test_advice_on_scores)
{
    gh_metrics *m = c.metrics;
    write_report();
    assert_says("scores", "off by 1.5 points: a score of 80 % means right in about 80 of 100");
    m->ece = .03;
    m->bin[13].n = 100000; /* chance alone gives next to nothing */
    m->n = 100000;
    write_report();
    assert_says("scores", "roughly");
    m->ece = .1;
    write_report();
    assert_says("scores", "promise too much");
    m->bin[13].confidence = .7;
    write_report();
    assert_says("scores", "promise too little");
    m->n = m->bin[13].n = 20;
    write_report();
    assert_says("scores", "no fault can be shown");
    m->bin[14].n = 50;
    m->bin[14].accuracy = .9;
    write_report();
    assert_says("labels", "5 mistakes had a score over 93 %");
    c.r.reject_rate = .2;
    write_report();
    ck_assert(has("20.0 % of the held-out pictures were called unknown"));
}
END_TEST

START_TEST(test_advice_on_the_test_part)
{
    static const uint64_t poor[25] = {10, 20, 0, 0, 0, 0,  10, 20, 0, 0, 0, 0, 10,
                                      20, 0,  0, 0, 0, 10, 20, 0,  0, 0, 0, 30};
    gh_metrics *test = report_case_metrics(poor, 5);
    c.r.test = test;
    write_report();
    report_case_check(&c);
    assert_says("test", "only 46.7 % (95 % interval 38.9 % to ");
    ck_assert(has("<dt>On the test part</dt>"));
    ck_assert_double_eq(number(json_object_get(c.json, "test"), "count"), 150);
    gh_free(test->of);
    gh_free(test->confusion);
    gh_free(test);
}
END_TEST

/* ---- sizes ---- */

START_TEST(test_sixty_classes_draw_the_worst_forty)
{
    many(60, 8, true);
    write_report();
    report_case_check(&c);
    ck_assert(has("Of 60 classes only the 40 with the worst recall are drawn"));
    ck_assert_uint_eq(report_case_count(&c, "<rect class=\"right\""), 40);
    ck_assert(has("taken for other classes: 2 of 8"));
    ck_assert_uint_eq(report_case_count(&c, "<tr><th scope=\"row\">"), 60);
    ck_assert_uint_eq(json_array_size(at("confusion", "counts")), 60);
}
END_TEST

START_TEST(test_twenty_thousand_classes_stay_small)
{
    many(20000, 4, false);
    write_report();
    report_case_check(&c);
    ck_assert_uint_lt(c.page.len, 400000);
    ck_assert(has("The 19,800 classes with better recall are left out"));
    ck_assert_uint_eq(json_array_size(json_object_get(c.json, "classes")), 20000);
    ck_assert_uint_eq(json_array_size(at("confusion", "cells")), 20000);
    ck_assert_double_eq(json_number_value(at("confusion", "left_out")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(c.json, "mistakes")), 10000);
    ck_assert_double_eq(number(c.json, "mistakes_left_out"), 10000);
    assert_says("classes", "class 00000\xE2\x80\x9D, ");
    assert_says("classes", " and 19,997 more had fewer than 10 pictures");
}
END_TEST

START_TEST(test_nothing_was_tested)
{
    many(50, 1, true);
    for (uint32_t i = 0; i < 50; i++)
        c.metrics->of[i] = (gh_class_metrics){0};
    memset(c.metrics->confusion, 0, 2500 * sizeof *c.metrics->confusion);
    c.metrics->n = c.metrics->bin[13].n = 0;
    c.metrics->top1 = c.metrics->top5 = (gh_share){.value = (double)NAN, .interval = {0, 1}};
    c.metrics->ece = (double)NAN;
    write_report();
    report_case_check(&c);
    ck_assert(has("50 classes had no picture to be tested with"));
    ck_assert(json_is_null(at("metrics", "ece")));
    ck_assert(!has("nan") && !has("inf "));
}
END_TEST

/* ---- failures ---- */

static size_t count_files(void)
{
    DIR *d = opendir(tiny_path(""));
    size_t n = 0;
    ck_assert_ptr_nonnull(d);
    for (const struct dirent *entry; (entry = readdir(d));)
        n += strncmp(entry->d_name, "report", 6) == 0;
    closedir(d);
    return n;
}

START_TEST(test_memory_may_run_out_anywhere)
{
    gh_status status = GH_NOMEM;
    int64_t n = 0;
    c.r.nmistakes = 4; /* one of each kind */
    for (; status == GH_NOMEM; n++) {
        e = (gh_err){0};
        gh_mem_fail_after(n);
        status = gh_report_write(&c.r, tiny_path(""), &e);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || (status == GH_NOMEM && e.text[0]), "at %lld: %d %s", (long long)n,
                      status, e.text);
        ck_assert_uint_le(count_files(), 2);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(n, 60);
    write_report();
    report_case_check(&c);
    ck_assert_uint_eq(report_case_count(&c, "<img "), 2);
}
END_TEST

static int64_t json_left; /* allocations until one fails */

static void *json_alloc(size_t size)
{
    return json_left-- == 0 ? NULL : malloc(size);
}

/* The same for memory that jansson takes: what was written nevertheless lacks nothing. */
START_TEST(test_memory_of_json_may_run_out)
{
    gh_status status = GH_NOMEM;
    bool failed = true;
    write_report();
    c.r.nmistakes = 4;
    for (int64_t n = 0; failed; n += n < 300 ? 1 : 17) {
        e = (gh_err){0};
        json_left = n;
        json_set_alloc_funcs(json_alloc, free);
        status = gh_report_write(&c.r, tiny_path(""), &e);
        json_set_alloc_funcs(malloc, free);
        failed = json_left < 0;
        ck_assert(failed || status == GH_OK);
        ck_assert(status == GH_OK || (status == GH_NOMEM && e.text[0]));
        ck_assert_uint_eq(count_files(), 2);
        json_t *now = json_load_file(tiny_path("report.json"), 0, NULL);
        ck_assert(json_equal(json_object_get(now, "classes"), json_object_get(c.json, "classes")));
        ck_assert(json_equal(json_object_get(now, "next"), json_object_get(c.json, "next")));
        ck_assert_uint_eq(json_object_size(now), json_object_size(c.json));
        json_decref(now);
    }
}
END_TEST

START_TEST(test_folder_that_cannot_be_written)
{
    ck_assert_int_eq(gh_report_write(&c.r, tiny_path("no/such"), &e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "cannot write"));
    ck_assert_ptr_nonnull(strstr(e.text, "no/such/report.json"));
    tiny_text("file", "x");
    ck_assert_int_ne(gh_report_write(&c.r, tiny_path("file"), &e), GH_OK);
    tiny_text("report.html/x", "a folder is in the way");
    ck_assert_int_eq(gh_report_write(&c.r, tiny_path(""), &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "report.html: it is not a regular file"));
}
END_TEST

/* As on a full disk, writing stops in the middle. */
START_TEST(test_full_disk_leaves_the_old_report)
{
    struct rlimit limit, tight;
    write_report();
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t sizes[] = {1000, 20000}; /* in the middle of report.json; after it */
    for (size_t i = 0; i < 2; i++) {
        tight = (struct rlimit){.rlim_cur = sizes[i], .rlim_max = limit.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
        gh_status status = gh_report_write(&c.r, tiny_path(""), &e);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(status, GH_IO);
        ck_assert_ptr_nonnull(strstr(e.text, i ? "report.html" : "report.json"));
        ck_assert_uint_eq(count_files(), 2);
        gh_buf now = {0};
        ck_assert_int_eq(gh_file_read(&now, tiny_path("report.html"), 1 << 28, NULL), GH_OK);
        ck_assert_uint_eq(now.len + 1, c.page.len);
        ck_assert_int_eq(memcmp(now.data, c.page.data, now.len), 0);
        gh_buf_free(&now);
    }
    signal(SIGXFSZ, SIG_DFL);
}
END_TEST

Suite *gh_suite_report(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_json_tells_the_run);
    tcase_add_test(t, test_json_tells_classes_and_mistakes);
    tcase_add_test(t, test_json_tells_heads_curve_and_features);
    tcase_add_test(t, test_importances_are_ranked);
    tcase_add_test(t, test_parts_without_data_are_left_out);
    tcase_add_test(t, test_advice_on_classes);
    tcase_add_test(t, test_advice_on_the_curve);
    tcase_add_test(t, test_advice_on_scores);
    tcase_add_test(t, test_advice_on_the_test_part);
    tcase_add_test(t, test_sixty_classes_draw_the_worst_forty);
    tcase_add_test(t, test_twenty_thousand_classes_stay_small);
    tcase_add_test(t, test_nothing_was_tested);
    tcase_add_test(t, test_memory_may_run_out_anywhere);
    tcase_add_test(t, test_memory_of_json_may_run_out);
    tcase_add_test(t, test_folder_that_cannot_be_written);
    tcase_add_test(t, test_full_disk_leaves_the_old_report);
    suite_add_tcase(s, t);
    return s;
}
