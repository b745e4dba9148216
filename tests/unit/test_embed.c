/* The task embed: what a body has to be, and the vector that it gives. */
#include "unit/suites.h"

#include "tasks/run.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static gh_model *m;
static gh_err e;

static void setup(void)
{
    tiny_setup();
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_model_put(&m);
    tiny_remove();
}

/* The tiny network as a body, with `output` as its decoder and `more` keys. */
static gh_status open_body(const char *output, const char *more)
{
    char text[600];
    snprintf(text, sizeof text,
             "{\"name\": \"body\", \"version\": \"1\", \"task\": \"embed\", \"input\": {\"width\": %d, "
             "\"height\": %d, \"mean\": 0, \"scale\": 0.00392156863, \"fit\": \"stretch\"}, "
             "\"output\": \"%s\"%s}",
             TINY_SIDE, TINY_SIDE, output, more);
    tiny_text("body/model.json", text);
    tiny_onnx("body/model.onnx");
    tiny_picture("body/red.png", 9, 9, 255, 0, 0);
    gh_model_put(&m);
    return gh_model_open(&m, tiny_path("body"), true, &e);
}

START_TEST(test_a_picture_becomes_its_vector)
{
    static const float wanted[TINY_CLASSES] = {8 - 2, -2, 4 - 2, 1};
    gh_worker *w = NULL;
    gh_result *r = NULL;
    gh_buf png = {0}, text = {0};
    ck_assert_msg(open_body("features", "") == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
    tiny_png(&png, 30, 20, 255, 0, 127);
    ck_assert_msg(gh_run(&r, w, m, png.data, png.len, NULL, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(r->nfeatures, TINY_CLASSES);
    for (int i = 0; i < TINY_CLASSES; i++)
        ck_assert_float_eq_tol(r->features[i], wanted[i], 0.02f);
    ck_assert_int_eq(gh_result_json(&text, r, 0, NULL, &e), GH_OK);
    json_t *reply = json_loadb((const char *)text.data, text.len, 0, NULL);
    const json_t *list = json_object_get(reply, "embedding");
    ck_assert_uint_eq(json_array_size(list), TINY_CLASSES);
    ck_assert_double_eq_tol(json_number_value(json_array_get(list, 0)), (double)r->features[0], 1e-4);
    json_decref(reply);
    gh_result_free(&r);
    gh_worker_free(&w);
    gh_buf_free(&png);
    gh_buf_free(&text);
}
END_TEST

START_TEST(test_what_a_body_has_to_be)
{
    ck_assert_int_eq(open_body("softmax", ""), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "features"));
    ck_assert_int_eq(
        open_body("features", ", \"selftest\": {\"input\": \"red.png\", \"index\": 0, \"score\": 1}"),
        GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "self-test"));
}
END_TEST

Suite *gh_suite_embed(void)
{
    Suite *s = suite_create("embed");
    TCase *t = tcase_create("embed");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_a_picture_becomes_its_vector);
    tcase_add_test(t, test_what_a_body_has_to_be);
    suite_add_tcase(s, t);
    return s;
}
