/* Training boxes on pictures of a few pixels, bright squares on dark ground, on a body of a few channels; and
 * data that cannot be learnt from. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "image/image.h"
#include "tasks/registry.h"
#include "tasks/run.h"
#include "train/localize/localize.h"
#include "train/nets/layers.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 64, PICTURES = 24, JUDGED = 6 };

static gh_localize_options o;
static gh_localize_summary s;
static gh_pool *pool;
static gh_err e;
static char data[256], out[256], body[256];

/* Picture i: a square of 16 to 40 pixels, red or green. */
static void picture(int i, const char *split)
{
    static uint8_t rgb[SIDE * SIDE * 3];
    gh_buf png = {0};
    gh_rng rng;
    char name[64], text[64];
    gh_rng_seed(&rng, (uint64_t)i);
    int side = 16 + (int)gh_rng_below(&rng, 25), class = i % 2;
    int x0 = (int)gh_rng_below(&rng, (uint64_t)(SIDE - side)),
        y0 = (int)gh_rng_below(&rng, (uint64_t)(SIDE - side));
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            bool in = x >= x0 && x < x0 + side && y >= y0 && y < y0 + side;
            uint8_t *p = rgb + (y * SIDE + x) * 3, noise = (uint8_t)gh_rng_below(&rng, 40);
            p[0] = (uint8_t)((in && !class ? 210 : 40) + noise);
            p[1] = (uint8_t)((in && class ? 210 : 40) + noise);
            p[2] = (uint8_t)(40 + noise);
        }
    ck_assert_int_eq(gh_png_encode_rgb(&png, rgb, SIDE, SIDE, &e), GH_OK);
    snprintf(name, sizeof name, "data/images/%s/%d.png", split, i);
    tiny_file(name, png.data, png.len);
    gh_buf_free(&png);
    snprintf(name, sizeof name, "data/labels/%s/%d.txt", split, i);
    snprintf(text, sizeof text, "%d %g %g %g %g\n", class, (x0 + side / 2.0) / SIDE, (y0 + side / 2.0) / SIDE,
             (double)side / SIDE, (double)side / SIDE);
    tiny_text(name, text);
}

static void add_classes(gh_graph *g, uint32_t x)
{
    uint32_t pooled = gh_graph_op(g, "GlobalAveragePool", "pool", &x, 1);
    pooled = gh_graph_op(g, "Flatten", "features", &pooled, 1);
    float *w = NULL, *b = NULL;
    uint32_t in[3] = {pooled, gh_graph_const_f32(g, "dense/weight", gh_shape_of(2, (int64_t[]){4, 16}), &w),
                      gh_graph_const_f32(g, "dense/bias", gh_shape_of(1, (int64_t[]){4}), &b)};
    ck_assert(w && b);
    memset(w, 0, 4 * 16 * sizeof *w);
    memset(b, 0, 4 * sizeof *b);
    uint32_t y = gh_graph_value(g, "logits", GH_F32, gh_shape_of(2, (int64_t[]){-1, 4}));
    gh_graph_node(g, "Gemm", "logits", in, 3, &y, 1);
    gh_graph_set_int(g, y, "transB", 1);
    gh_graph_output(g, y);
}

/* Five strided convolutions of 16 channels, as drawn: a body that was never taught anything. */
static void make_body(void)
{
    gh_graph *g = NULL;
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    gh_layers b = {.g = g, .prefix = "body"};
    gh_rng_seed(&b.rng, 1);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, SIDE, SIDE}));
    for (int i = 0; i < 5; i++)
        x = gh_layer_add_block(&b, (const char *[]){"a", "b", "c", "d", "e"}[i], x,
                               &(gh_layer_conv){.in = i ? 16 : 3, .out = 16, .kernel = 3, .stride = 2});
    add_classes(g, x);
    ck_assert_msg(gh_onnx_write(g, tiny_path("body/model.onnx"), &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
    tiny_text(
        "body/model.json",
        "{\"name\": \"body\", \"version\": \"1\", \"task\": \"classify\", \"input\": {\"width\": 64, "
        "\"height\": 64, \"mean\": 127, \"scale\": 0.0078, \"fit\": \"crop\"}, \"output\": \"softmax\", "
        "\"labels\": [\"a\", \"b\", \"c\", \"d\"]}");
}

static void setup(void)
{
    static const char *const folders[] = {"data/images/train", "data/images/val", "data/labels/train",
                                          "data/labels/val", "body"};
    e = (gh_err){0};
    s = (gh_localize_summary){0};
    tiny_setup();
    for (size_t i = 0; i < GH_COUNT(folders); i++)
        ck_assert_int_eq(gh_dir_make(tiny_path(folders[i]), &e), GH_OK);
    for (int i = 0; i < PICTURES; i++)
        picture(i, i < PICTURES - JUDGED ? "train" : "val");
    tiny_text("data/classes.txt", "red\ngreen\n");
    make_body();
    snprintf(data, sizeof data, "%s", tiny_path("data"));
    snprintf(out, sizeof out, "%s", tiny_path("squares"));
    snprintf(body, sizeof body, "%s", tiny_path("body"));
    ck_assert_int_eq(gh_pool_new(&pool, 1, &e), GH_OK);
    o = (gh_localize_options){.data = data,
                              .out = out,
                              .body = body,
                              .head = {.kind = GH_BOX_HEAD_DETECT, .width = 16, .hidden = 32, .level = 3},
                              .size = {SIDE, SIDE},
                              .fit = GH_FIT_STRETCH,
                              .augment = {.flip = 0.5f},
                              .batch = 6,
                              .share = 0.2,
                              .body_rate = 1,
                              .unfreeze_rate = 1,
                              .learn = {.rate = 0.01,
                                        .schedule = GH_SCHEDULE_COSINE,
                                        .last = 0.01,
                                        .epochs = 2,
                                        .seed = 3,
                                        .quiet = true,
                                        .optim = {.decay = 0.01f, .clip = 5},
                                        .pool = pool}};
}

static void teardown(void)
{
    gh_pool_free(&pool);
    tiny_remove();
}

static void must(void)
{
    ck_assert_msg(gh_train_localize(&s, &o, &e) == GH_OK, "%s", e.text);
}

static void refused(gh_status want, const char *part)
{
    gh_status status = gh_train_localize(&s, &o, &e);
    ck_assert_msg(status == want, "%s: %s", gh_status_name(status), status ? e.text : "accepted");
    ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" does not hold \"%s\"", e.text, part);
}

static bool there(const char *name)
{
    struct stat st;
    return stat(tiny_path(name), &st) == 0;
}

/* What the finished model says of picture i. */
static gh_result *answer(int i, gh_model **m)
{
    gh_worker *w = NULL;
    gh_result *r = NULL;
    gh_buf bytes = {0};
    char name[64];
    snprintf(name, sizeof name, "data/images/val/%d.png", i);
    ck_assert_int_eq(gh_file_read(&bytes, tiny_path(name), 1 << 20, &e), GH_OK);
    ck_assert_msg(gh_model_open(m, out, true, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
    ck_assert_msg(gh_run(&r, w, *m, bytes.data, bytes.len, NULL, NULL, &e) == GH_OK, "%s", e.text);
    gh_worker_free(&w);
    gh_buf_free(&bytes);
    return r;
}

START_TEST(test_detect_learns_and_is_served)
{
    gh_model *m = NULL;
    o.learn.epochs = 4;
    o.unfreeze = 40;
    must();
    ck_assert_uint_eq(s.learnt, PICTURES - JUDGED);
    ck_assert_uint_eq(s.judged, JUDGED);
    ck_assert_uint_eq(s.classes, 2);
    ck_assert_double_gt(s.ap50, 0.7);
    gh_result *r = answer(PICTURES - 1, &m);
    ck_assert(m->manifest->decoder == GH_DECODE_CENTERNET && m->manifest->selftest.input);
    ck_assert_uint_ge(r->nobjects, 1);
    ck_assert_str_eq(r->objects[0].label, "green"); /* by its number */
    gh_result_free(&r);
    gh_model_put(&m);
    ck_assert(there("squares/report.html") && there("squares/history.csv") && !there(".squares.run"));
}
END_TEST

START_TEST(test_box_learns_and_is_served)
{
    gh_model *m = NULL;
    o.head.kind = GH_BOX_HEAD_BOX;
    o.learn.epochs = 4;
    o.unfreeze = 40;
    must();
    ck_assert_double_gt(s.iou, 0.6);
    gh_result *r = answer(PICTURES - 1, &m);
    ck_assert(m->manifest->decoder == GH_DECODE_BOX);
    ck_assert_uint_eq(r->nobjects, 1);
    ck_assert_str_eq(r->objects[0].label, "green");
    gh_result_free(&r);
    gh_model_put(&m);
}
END_TEST

/* A run of one thread and one of two that was stopped after an epoch leave the same bytes. */
START_TEST(test_the_same_bytes)
{
    gh_buf first = {0}, second = {0};
    o.unfreeze = 2;
    o.head.kind = _i ? GH_BOX_HEAD_DETECT : GH_BOX_HEAD_BOX;
    must();
    ck_assert_int_eq(gh_file_read(&first, tiny_path("squares/model.onnx"), 1 << 24, &e), GH_OK);
    gh_pool_free(&pool);
    ck_assert_int_eq(gh_pool_new(&pool, 2, &e), GH_OK);
    o.learn.pool = pool;
    must();
    ck_assert_int_eq(gh_file_read(&second, tiny_path("squares/model.onnx"), 1 << 24, &e), GH_OK);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_int_eq(memcmp(first.data, second.data, first.len), 0);
    gh_buf_free(&first);
    gh_buf_free(&second);
}
END_TEST

START_TEST(test_interrupted)
{
    static volatile bool stop = true;
    o.learn.stop = &stop;
    refused(GH_INTERRUPTED, "");
    ck_assert(!there("squares"));
}
END_TEST

START_TEST(test_options_are_checked)
{
    o.size.width = 100;
    refused(GH_ARG, "multiple of 32");
    o.size.width = SIDE;
    o.head.level = 6;
    refused(GH_UNSUPPORTED, "the body ends at stride 32");
    o.head.level = 3;
    o.data = "/nowhere";
    refused(GH_NOTFOUND, "there is no '/nowhere'");
    o.data = data;
    tiny_text("squares/mine.txt", "x");
    refused(GH_ARG, "mine.txt");
}
END_TEST

START_TEST(test_data_are_looked_at_first)
{
    tiny_text("data/labels/train/0.txt", "0 .5 .5 .2 .2\n");
    tiny_text("data/images/train/1.png", "no picture");
    must();
    ck_assert_uint_eq(s.left_out, 1);
    o.strict = true;
    refused(GH_FORMAT, "1.png");
}
END_TEST

static void coco(const char *boxes)
{
    static char text[4096];
    snprintf(text, sizeof text,
             "{\"images\": [{\"id\": 1, \"file_name\": \"train/0.png\"}, {\"id\": 2, \"file_name\": "
             "\"train/2.png\"}, {\"id\": 3, \"file_name\": \"val/22.png\"}, {\"id\": 4, \"file_name\": "
             "\"val/23.png\"}], \"categories\": [{\"id\": 1, \"name\": \"red\"}, {\"id\": 2, \"name\": "
             "\"blue\"}], \"annotations\": [%s]}",
             boxes);
    tiny_text("data/annotations.json", text);
}

#define BOX(image, x) "{\"image_id\": " #image ", \"category_id\": 1, \"bbox\": [" #x ", 2, 30, 30]}"

START_TEST(test_boxes_are_looked_at_first)
{
    coco("");
    refused(GH_FORMAT, "no box to learn from");
    coco(BOX(1, 3));
    refused(GH_FORMAT, "the 2 pictures to judge by have no boxes");
    coco(BOX(3, 3));
    refused(GH_FORMAT, "no box to learn from: 4 pictures, 1 boxes in all");
    coco(BOX(1, 3) ", " BOX(2, 70) ", " BOX(3, 3));
    must();
    ck_assert_uint_eq(s.boxes_left_out, 1);
    ck_assert_uint_eq(s.classes, 1); /* nothing is blue */
    o.strict = true;
    refused(GH_FORMAT, "the box 70, 2 of 30 x 30 pixels lies outside of the picture, 64 x 64");
    coco(BOX(1, 3) ", " BOX(3, 3));
    refused(GH_FORMAT, "the class 'blue' has no box");
}
END_TEST

START_TEST(test_sheet_alone)
{
    char png[256];
    snprintf(png, sizeof png, "%s", tiny_path("sheet.png"));
    o.show_augment = png;
    must();
    ck_assert(there("sheet.png") && !there("squares") && !there(".squares.run"));
}
END_TEST

Suite *gh_suite_train_localize(void)
{
    Suite *suite = suite_create("train_localize");
    TCase *t = tcase_create("train_localize");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_detect_learns_and_is_served);
    tcase_add_test(t, test_box_learns_and_is_served);
    tcase_add_loop_test(t, test_the_same_bytes, 0, 2);
    tcase_add_test(t, test_interrupted);
    tcase_add_test(t, test_options_are_checked);
    tcase_add_test(t, test_data_are_looked_at_first);
    tcase_add_test(t, test_boxes_are_looked_at_first);
    tcase_add_test(t, test_sheet_alone);
    suite_add_tcase(suite, t);
    return suite;
}
