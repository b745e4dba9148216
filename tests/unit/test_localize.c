/* Pictures of any size through a model whose file declares a stand-in size: 10 x 3 x 32 x 32, as CenterFace
 * does. The network finds red: each 4 x 4 pixels are one cell, and every box is 8 x 8. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/run.h"
#include "unit/red.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL RED_CELL

static gh_model *m;
static gh_worker *w;
static gh_result *r;
static gh_buf picture;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
    red_model();
}

static void open_model(void)
{
    ck_assert_msg(gh_model_open(&m, tiny_path("red"), true, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
}

static void teardown(void)
{
    gh_result_free(&r);
    gh_worker_free(&w);
    if (m)
        gh_model_put(&m);
    gh_buf_free(&picture);
    tiny_remove();
}

/* A black picture with a red square. */
static void draw(int width, int height, int x, int y, int side)
{
    uint8_t *pixels = calloc((size_t)width * (size_t)height, 3);
    ck_assert_ptr_nonnull(pixels);
    for (int i = 0; i < side * side; i++)
        pixels[((size_t)(y + i / side) * (size_t)width + (size_t)(x + i % side)) * 3] = 255;
    picture.len = 0;
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, width, height, &e), GH_OK);
    free(pixels);
}

static gh_status run(gh_run_options options)
{
    gh_result_free(&r);
    return gh_run(&r, w, m, picture.data, picture.len, NULL, &options, &e);
}

static void one_box(int x, int y, int width, int height)
{
    ck_assert_uint_eq(r->nobjects, 1);
    const gh_object *o = &r->objects[0];
    ck_assert_msg(o->x == x && o->y == y && o->w == width && o->h == height, "%d,%d %dx%d", o->x, o->y, o->w,
                  o->h);
    ck_assert_float_eq_tol(o->score, (float)(1 / (1 + exp(-4))), 1e-4f);
}

/* One worker, sizes in turn, each with its own plan. */
START_TEST(test_every_size_has_its_plan)
{
    open_model();
    for (int round = 0; round < 2; round++) {
        draw(64, 32, 20, 8, CELL);
        ck_assert_msg(run((gh_run_options){0}) == GH_OK, "%s", e.text);
        one_box(18, 6, 8, 8);
        draw(160, 224, 120, 200, CELL);
        ck_assert_msg(run((gh_run_options){0}) == GH_OK, "%s", e.text);
        ck_assert_int_eq(r->width, 160);
        ck_assert_int_eq(r->height, 224);
        one_box(118, 198, 8, 8);
    }
}
END_TEST

/* 256 x 64 at a longest side of 128 is seen at half its size: 8 pixels a cell. */
START_TEST(test_large_pictures_are_scaled)
{
    open_model();
    draw(256, 64, 64, 16, 16);
    ck_assert_msg(run((gh_run_options){.max_side = 128}) == GH_OK, "%s", e.text);
    ck_assert_uint_ge(r->nobjects, 1);
    ck_assert_int_eq(r->objects[0].w, 16);
    ck_assert_int_eq(r->width, 256);
    ck_assert_msg(run((gh_run_options){0}) == GH_OK, "%s", e.text);
    ck_assert_int_eq(r->objects[0].w, 8);
}
END_TEST

START_TEST(test_reply_is_the_contract)
{
    gh_buf text = {0};
    open_model();
    draw(64, 32, 20, 8, CELL);
    ck_assert_int_eq(run((gh_run_options){0}), GH_OK);
    ck_assert_int_eq(gh_result_json(&text, r, 0, NULL, &e), GH_OK);
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    json_t *box = json_array_get(json_object_get(o, "objects"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(box, "label")), "red");
    ck_assert_int_eq(json_integer_value(json_object_get(box, "x")), 18);
    ck_assert_int_eq(json_integer_value(json_object_get(box, "h")), 8);
    ck_assert_ptr_null(json_object_get(box, "landmarks")); /* this network has none */
    ck_assert_ptr_null(json_object_get(o, "labels"));
    json_decref(o);
    draw(64, 32, 20, 8, 0);
    text.len = 0;
    ck_assert_int_eq(run((gh_run_options){0}), GH_OK);
    ck_assert_int_eq(gh_result_json(&text, r, 0, NULL, &e), GH_OK);
    gh_buf_add(&text, "", 1);
    ck_assert_ptr_nonnull(strstr((const char *)text.data, "\"objects\":[]"));
    gh_buf_free(&text);
}
END_TEST

static void draws_its_boxes(void)
{
    void *file = NULL;
    size_t len = 0;
    gh_image_info info;
    ck_assert_int_eq(gh_result_annotate(&file, &len, r, picture.data, picture.len, "image/gif", &e), GH_ARG);
    ck_assert_msg(strstr(e.text, "\"image/gif\"") != NULL, "%s", e.text);
    ck_assert_int_eq(gh_result_annotate(&file, &len, r, picture.data, 20, "image/png", &e), GH_FORMAT);
    ck_assert_ptr_null(file);
    ck_assert_int_eq(gh_result_annotate(&file, &len, r, picture.data, picture.len, "image/png", &e), GH_OK);
    ck_assert_int_eq(gh_image_probe(&info, file, len, NULL, &e), GH_OK);
    ck_assert(info.format == GH_IMAGE_PNG && info.width == 64 && info.height == 32);
    draw(32, 64, 0, 0, 1);
    gh_bytes_free(&file);
    ck_assert_int_eq(gh_result_annotate(&file, &len, r, picture.data, picture.len, "image/jpeg", &e), GH_ARG);
    ck_assert_msg(strstr(e.text, "32 x 64 pixels, that of the result 64 x 32") != NULL, "%s", e.text);
    ck_assert_ptr_null(file);
}

START_TEST(test_public_interface)
{
    gh_predictor *p = NULL;
    gh_predict_options o;
    gh_box_result box = {.size = sizeof box};
    gh_predict_options_init(&o);
    draw(64, 32, 20, 8, CELL);
    ck_assert_msg(gh_predictor_open(&p, tiny_path("red"), NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(gh_predictor_task(p), "localize");
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_OK);
    ck_assert_uint_eq(gh_result_box_count(r), 1);
    ck_assert_int_eq(gh_result_box(&box, r, 0), GH_OK);
    ck_assert_str_eq(box.label, "red");
    ck_assert_int_eq(box.x, 18);
    ck_assert_int_eq(box.landmark_count, 0);
    ck_assert_int_eq(gh_result_box(&box, r, 1), GH_ARG);
    draws_its_boxes();
    gh_result_free(&r);
    o.max_side = 31;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_ARG);
    o.max_side = 0;
    o.nms = 1.5;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_ARG);
    gh_predictor_close(&p);
}
END_TEST

static const struct {
    const char *output, *input, *says;
} unfit[] = {
    {"centernet", "\"fit\": \"stretch\"", "model.json says 1x3x32x64"},
    {"centernet", "\"fit\": \"crop\", \"stride\": 32", "takes the fits stretch and pad"},
    {"softmax", "\"fit\": \"stretch\", \"stride\": 32", "takes the decoders anchors, centernet and box"},
    {"anchors", "\"fit\": \"stretch\", \"stride\": 32", "the decoder anchors takes 1x8x4"},
    {"centernet", "\"fit\": \"stretch\", \"stride\": 48", "no multiple of its stride"},
};

START_TEST(test_what_does_not_fit_is_told)
{
    red_manifest(unfit[_i].output, unfit[_i].input, "");
    ck_assert_int_ne(gh_model_open(&m, tiny_path("red"), true, &e), GH_OK);
    ck_assert_msg(strstr(e.text, unfit[_i].says) != NULL, "%s", e.text);
}
END_TEST

/* Every allocation from the model to the answer may fail. */
START_TEST(test_memory_may_run_out)
{
    gh_status status = GH_NOMEM;
    int i = 0;
    draw(64, 32, 20, 8, CELL);
    open_model();
    for (; i < 2000 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = run((gh_run_options){0});
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, e.text);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 4);
}
END_TEST

Suite *gh_suite_localize(void)
{
    Suite *s = suite_create("localize");
    TCase *t = tcase_create("localize");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_every_size_has_its_plan);
    tcase_add_test(t, test_large_pictures_are_scaled);
    tcase_add_test(t, test_reply_is_the_contract);
    tcase_add_test(t, test_public_interface);
    tcase_add_loop_test(t, test_what_does_not_fit_is_told, 0, (int)(sizeof unfit / sizeof *unfit));
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
