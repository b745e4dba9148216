/* One picture through one model: answers, sizes, JSON, allocations, failing memory; and the public interface.
 */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/run.h"
#include "unit/picture.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <pthread.h>
#include <string.h>

static gh_model *m;
static gh_worker *w;
static gh_result *r;
static gh_buf picture;
static gh_err e;

static void setup(void)
{
    tiny_setup();
    tiny_model("a", "");
    e = (gh_err){0};
    ck_assert_msg(gh_model_open(&m, tiny_path("a"), true, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
}

static void teardown(void)
{
    gh_result_free(&r);
    gh_worker_free(&w);
    gh_model_put(&m);
    gh_buf_free(&picture);
    tiny_remove();
}

static gh_status run_with(const gh_run_options *options)
{
    gh_result_free(&r);
    return gh_run(&r, w, m, picture.data, picture.len, NULL, options, &e);
}

static void take_png(int width, int height, int red, int green, int blue)
{
    picture.len = 0;
    tiny_png(&picture, width, height, red, green, blue);
}

START_TEST(test_colours_are_told_apart)
{
    static const int levels[TINY_CLASSES][3] = {{255, 10, 20}, {0, 200, 0}, {5, 90, 250}, {10, 20, 30}};
    for (int c = 0; c < TINY_CLASSES; c++) {
        take_png(40 + c, 17, levels[c][0], levels[c][1], levels[c][2]);
        ck_assert_msg(run_with(NULL) == GH_OK, "%s", e.text);
        ck_assert_int_eq(r->width, 40 + c);
        ck_assert_int_eq(r->height, 17);
        ck_assert_uint_eq(r->nlabels, TINY_CLASSES);
        ck_assert_int_eq(r->labels[0].index, c);
        for (size_t i = 0; i < r->nlabels; i++)
            ck_assert_double_eq_tol(r->labels[i].score,
                                    tiny_score(r->labels[i].index, levels[c][0], levels[c][1], levels[c][2]),
                                    1e-5);
    }
}
END_TEST

/* The same photo stored in each of the eight EXIF ways has one answer and one size. */
START_TEST(test_orientation_is_applied_once)
{
    gh_image *wide = gh_test_picture(60, 30);
    gh_buf jpeg = {0};
    ck_assert_int_eq(gh_jpeg_encode_rgb(&jpeg, wide->pixels, 60, 30, 90, &e), GH_OK);
    for (int o = 1; o <= 8; o++) {
        picture.len = 0;
        gh_test_jpeg_turn(&picture, jpeg.data, jpeg.len, o, o % 2);
        ck_assert_msg(run_with(NULL) == GH_OK, "%s", e.text);
        ck_assert_int_eq(r->width, o < 5 ? 60 : 30);
        ck_assert_int_eq(r->height, o < 5 ? 30 : 60);
    }
    gh_buf_free(&jpeg);
    gh_image_free(&wide);
}
END_TEST

START_TEST(test_shapes_that_nobody_expects)
{
    static const int sizes[][2] = {{1, 1}, {1, 2000}, {2000, 1}, {2, 3}, {8, 8}, {7, 9}};
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        take_png(sizes[i][0], sizes[i][1], 0, 0, 255);
        ck_assert_msg(run_with(NULL) == GH_OK, "%d x %d: %s", sizes[i][0], sizes[i][1], e.text);
        ck_assert_str_eq(r->labels[0].label, "blue");
    }
}
END_TEST

START_TEST(test_bad_pictures_are_told)
{
    ck_assert_int_eq(run_with(NULL), GH_ARG); /* no bytes at all */
    gh_buf_str(&picture, "GIF89a and so on, or what looks like it");
    ck_assert_int_eq(run_with(NULL), GH_UNSUPPORTED);
    take_png(30, 30, 1, 2, 3);
    picture.len = 40;
    ck_assert_int_ne(run_with(NULL), GH_OK);
    take_png(30, 30, 1, 2, 3);
    gh_image_limits limits = gh_image_limits_default();
    limits.max_pixels = 899;
    ck_assert_int_eq(gh_run(&r, w, m, picture.data, picture.len, &limits, NULL, &e), GH_LIMIT);
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(test_options_reach_the_decoder)
{
    take_png(10, 10, 255, 0, 0);
    ck_assert_int_eq(run_with(&(gh_run_options){.top = 1}), GH_OK);
    ck_assert_uint_eq(r->nlabels, 1);
    ck_assert_int_eq(run_with(&(gh_run_options){.threshold = 0.5}), GH_OK);
    ck_assert_uint_eq(r->nlabels, 1);
    ck_assert_int_eq(run_with(&(gh_run_options){.top = -3}), GH_ARG);
}
END_TEST

START_TEST(test_json)
{
    gh_buf text = {0};
    json_t *o, *labels, *times;
    take_png(12, 9, 0, 255, 0);
    ck_assert_int_eq(run_with(&(gh_run_options){.top = 2}), GH_OK);
    ck_assert_int_eq(gh_result_json(&text, r, 1.5, NULL, &e), GH_OK);
    gh_buf_add(&text, "", 1);
    static const char begins[] =
        "{\"model\":\"a\",\"version\":\"1\",\"width\":12,\"height\":9,\"labels\":[{\"label\":\"green\","
        "\"index\":1,\"score\":0.";
    ck_assert_msg(strncmp((char *)text.data, begins, strlen(begins)) == 0, "%s", (char *)text.data);
    ck_assert_ptr_nonnull(o = json_loads((char *)text.data, 0, NULL));
    labels = json_object_get(o, "labels");
    ck_assert_uint_eq(json_array_size(labels), 2);
    ck_assert_double_eq_tol(json_number_value(json_object_get(json_array_get(labels, 0), "score")),
                            tiny_score(1, 0, 255, 0), 1e-5);
    times = json_object_get(o, "time_ms");
    ck_assert_double_eq(json_number_value(json_object_get(times, "queue")), 1.5);
    ck_assert_double_ge(json_number_value(json_object_get(times, "decode")), 0);
    ck_assert(json_is_number(json_object_get(times, "infer")));
    ck_assert_ptr_null(json_object_get(o, "warnings"));
    ck_assert_ptr_null(json_object_get(o, "unknown"));
    json_decref(o);
    text.len = 0;
    r->truncated = r->unknown = true;
    ck_assert_int_eq(gh_result_json(&text, r, 0, "caf\xe9.jpg", &e), GH_OK); /* not UTF-8 */
    gh_buf_add(&text, "", 1);
    ck_assert_ptr_nonnull(o = json_loads((char *)text.data, 0, NULL));
    ck_assert_str_eq(json_string_value(json_object_get(o, "file")), "caf?.jpg");
    ck_assert_uint_eq(json_array_size(json_object_get(o, "warnings")), 1);
    ck_assert(json_is_true(json_object_get(o, "unknown")));
    json_decref(o);
    gh_buf_free(&text);
}
END_TEST

/* A worker reuses what it has: from the second picture on, each takes the same few allocations. */
START_TEST(test_steady_state)
{
    uint64_t counts[6];
    take_png(64, 48, 200, 100, 50);
    for (size_t i = 0; i < GH_COUNT(counts); i++) {
        uint64_t before = gh_mem_thread_allocs();
        ck_assert_int_eq(run_with(NULL), GH_OK);
        counts[i] = gh_mem_thread_allocs() - before;
    }
    for (size_t i = 2; i < GH_COUNT(counts); i++)
        ck_assert_uint_eq(counts[i], counts[1]);
    ck_assert_uint_lt(counts[1], 25);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    take_png(64, 48, 200, 100, 50);
    gh_status status = GH_NOMEM;
    int i = 0;
    for (; i < 300 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = run_with(NULL);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, e.text);
        ck_assert((status == GH_OK) == (r != NULL));
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 3);
    ck_assert_str_eq(r->labels[0].label, "red"); /* the worker is sound after all that */
}
END_TEST

static void *run_many(void *arg)
{
    gh_worker *mine = NULL;
    gh_buf png = {0};
    (void)arg;
    tiny_png(&png, 33, 21, 0, 0, 255);
    bool ok = gh_worker_new(&mine, NULL, NULL) == GH_OK;
    for (int i = 0; i < 50 && ok; i++) {
        gh_result *one = NULL;
        ok = gh_run(&one, mine, m, png.data, png.len, NULL, NULL, NULL) == GH_OK && one->labels[0].index == 2;
        gh_result_free(&one);
    }
    gh_worker_free(&mine);
    gh_buf_free(&png);
    return ok ? m : NULL;
}

START_TEST(test_workers_share_a_model)
{
    pthread_t threads[4];
    for (size_t i = 0; i < GH_COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_many, NULL), 0);
    for (size_t i = 0; i < GH_COUNT(threads); i++) {
        void *ok = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &ok), 0);
        ck_assert_ptr_nonnull(ok);
    }
}
END_TEST

START_TEST(test_public_interface)
{
    gh_predictor *p = NULL;
    gh_predictor_options po;
    gh_predict_options o;
    char *text = NULL;
    gh_predictor_options_init(&po);
    po.threads = 2;
    ck_assert_msg(gh_predictor_open(&p, tiny_path("a"), &po, &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(gh_predictor_name(p), "a");
    ck_assert_str_eq(gh_predictor_version(p), "1");
    ck_assert_str_eq(gh_predictor_task(p), "classify");
    ck_assert_ptr_nonnull(strstr(gh_predictor_manifest(p), "\"labels\":[\"red\""));
    ck_assert_uint_eq(gh_predictor_class_count(p), TINY_CLASSES);
    ck_assert_str_eq(gh_predictor_class_label(p, 3), "dark");
    ck_assert_ptr_null(gh_predictor_class_label(p, 4));
    ck_assert_ptr_null(gh_predictor_class_label(p, -1));
    take_png(20, 10, 255, 0, 0);
    gh_predict_options_init(&o);
    o.top = 3;
    o.limit = 2;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_OK);
    gh_predictor_close(&p);
    gh_predictor_close(&p);
    ck_assert_ptr_null(p); /* the result stands on its own */
    ck_assert_int_eq(gh_result_width(r), 20);
    ck_assert_int_eq(gh_result_height(r), 10);
    ck_assert(!gh_result_truncated(r) && !gh_result_unknown(r));
    ck_assert_uint_eq(gh_result_label_count(r), 2);
    ck_assert_str_eq(gh_result_label(r, 0), "red");
    ck_assert_int_eq(gh_result_index(r, 0), 0);
    ck_assert_double_eq_tol(gh_result_score(r, 0), tiny_score(0, 255, 0, 0), 1e-5);
    ck_assert_ptr_null(gh_result_label(r, 2));
    ck_assert_int_eq(gh_result_index(r, 2), -1);
    ck_assert_double_eq(gh_result_score(r, 2), 0);
    ck_assert_int_eq(gh_result_to_json(&text, r, "x.png", &e), GH_OK);
    ck_assert_msg(strstr(text, "{\"file\":\"x.png\",\"model\":\"a\",") == text, "%s", text);
    gh_string_free(&text);
    gh_string_free(&text);
}
END_TEST

static void *run_shared(void *arg)
{
    gh_predictor *p = arg;
    for (int i = 0; i < 200; i++) {
        gh_result *one = NULL;
        if (gh_predictor_run(&one, p, picture.data, picture.len, NULL, NULL) != GH_OK ||
            gh_result_index(one, 0) != 1)
            return NULL;
        gh_result_free(&one);
    }
    return p;
}

/* Three predictors of one model at the same time; the one that they were made of is closed before. */
START_TEST(test_predictors_share)
{
    gh_predictor *p[3] = {0};
    pthread_t threads[GH_COUNT(p)];
    gh_predictor_options po;
    gh_predictor_options_init(&po);
    po.threads = 2;
    ck_assert_int_eq(gh_predictor_open(&p[0], tiny_path("a"), &po, &e), GH_OK);
    ck_assert_int_eq(gh_predictor_share(&p[1], p[0], &e), GH_OK);
    ck_assert_int_eq(gh_predictor_share(&p[2], p[1], &e), GH_OK);
    gh_predictor_close(&p[0]);
    ck_assert_int_eq(gh_predictor_share(&p[0], p[2], &e), GH_OK);
    ck_assert_str_eq(gh_predictor_name(p[0]), "a");
    take_png(20, 10, 0, 255, 0);
    for (size_t i = 0; i < GH_COUNT(p); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_shared, p[i]), 0);
    for (size_t i = 0; i < GH_COUNT(p); i++) {
        void *got = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &got), 0);
        ck_assert_ptr_eq(got, p[i]);
        gh_predictor_close(&p[i]);
    }
}
END_TEST

START_TEST(test_public_interface_refuses)
{
    gh_predictor *p = NULL;
    gh_predictor_options po;
    gh_predict_options o;
    gh_predictor_options_init(&po);
    ck_assert_int_eq(gh_predictor_open(&p, NULL, NULL, &e), GH_ARG);
    ck_assert_int_eq(gh_predictor_open(&p, tiny_path("none"), NULL, &e), GH_NOTFOUND);
    po.threads = -1;
    ck_assert_int_eq(gh_predictor_open(&p, tiny_path("a"), &po, &e), GH_ARG);
    po = (gh_predictor_options){0}; /* not initialised */
    ck_assert_int_eq(gh_predictor_open(&p, tiny_path("a"), &po, &e), GH_ARG);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(gh_predictor_open(&p, tiny_path("a"), NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_predictor_run(&r, p, "", 0, NULL, &e), GH_ARG);
    take_png(20, 10, 255, 0, 0);
    gh_predict_options_init(&o);
    o.threshold = 1.5;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_ARG);
    gh_predict_options_init(&o);
    o.limit = -1;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_ARG);
    gh_predict_options_init(&o);
    o.max_pixels = 199;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_LIMIT);
    ck_assert_ptr_null(r);
    gh_predictor_close(&p);
}
END_TEST

Suite *gh_suite_run(void)
{
    Suite *s = suite_create("run");
    TCase *t = tcase_create("run");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_colours_are_told_apart);
    tcase_add_test(t, test_orientation_is_applied_once);
    tcase_add_test(t, test_shapes_that_nobody_expects);
    tcase_add_test(t, test_bad_pictures_are_told);
    tcase_add_test(t, test_options_reach_the_decoder);
    tcase_add_test(t, test_json);
    tcase_add_test(t, test_steady_state);
    tcase_add_test(t, test_memory_may_run_out);
    tcase_add_test(t, test_workers_share_a_model);
    tcase_add_test(t, test_public_interface);
    tcase_add_test(t, test_predictors_share);
    tcase_add_test(t, test_public_interface_refuses);
    suite_add_tcase(s, t);
    return s;
}
