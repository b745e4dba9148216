/* Training masks from scratch, on pictures of a few pixels: bright shapes on dark ground. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"
#include "tasks/registry.h"
#include "train/data/maskdata.h"
#include "train/segment/segment.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 64, PICTURES = 10 };

static gh_segment_options o;
static gh_segment_summary s;
static gh_pool *pool;
static gh_err e;

/* Picture i: a square and a bar of another colour, somewhere; one pixel of the mask counts nowhere. */
static void pair(const char *part, int i, int side)
{
    static uint8_t rgb[SIDE * SIDE * 3], mask[SIDE * SIDE];
    gh_buf png = {0};
    gh_rng rng;
    char name[64];
    gh_rng_seed(&rng, (uint64_t)i);
    int x0 = (int)gh_rng_below(&rng, 30), y0 = (int)gh_rng_below(&rng, 30),
        bar = 40 + (int)gh_rng_below(&rng, 16);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int class = x >= x0 && x < x0 + 26 && y >= y0 && y < y0 + 26 ? 1
                        : y >= bar && y < bar + 8                        ? 2
                                                                         : 0;
            uint8_t *p = rgb + (y * SIDE + x) * 3, noise = (uint8_t)gh_rng_below(&rng, 40);
            p[0] = (uint8_t)(class == 1 ? 200 : 40) + noise;
            p[1] = (uint8_t)(class == 2 ? 200 : 60) + noise;
            p[2] = 50 + noise;
            mask[y * SIDE + x] = (uint8_t) class;
        }
    mask[0] = 3;
    snprintf(name, sizeof name, "data/%s/images/%d.png", part, i);
    ck_assert_int_eq(gh_png_encode_rgb(&png, rgb, SIDE, SIDE, &e), GH_OK);
    tiny_file(name, png.data, png.len);
    png.len = 0;
    const gh_png_layout layout = {.width = side, .height = side, .colour = GH_PNG_GREY};
    gh_png_writer *w = NULL;
    ck_assert_int_eq(gh_png_open(&w, &png, &layout, &e), GH_OK);
    for (int y = 0; y < side; y++)
        ck_assert_int_eq(gh_png_row(w, mask + y * SIDE, &e), GH_OK);
    ck_assert_int_eq(gh_png_end(w, &e), GH_OK);
    gh_png_close(&w);
    snprintf(name, sizeof name, "data/%s/masks/%d.png", part, i);
    tiny_file(name, png.data, png.len);
    gh_buf_free(&png);
}

static void folder(const char *name)
{
    ck_assert_int_eq(gh_dir_make(tiny_path(name), &e), GH_OK);
}

static void setup(void)
{
    static char data[256], out[256];
    e = (gh_err){0};
    s = (gh_segment_summary){0};
    tiny_setup();
    folder("data/train/images");
    folder("data/train/masks");
    folder("data/val/images");
    folder("data/val/masks");
    tiny_text("data/classes.txt", "background\nsquare\nbar\nvoid\n");
    for (int i = 0; i < PICTURES; i++)
        pair(i < 8 ? "train" : "val", i, SIDE);
    snprintf(data, sizeof data, "%s", tiny_path("data"));
    snprintf(out, sizeof out, "%s", tiny_path("shapes"));
    ck_assert_int_eq(gh_pool_new(&pool, 1, &e), GH_OK);
    o = (gh_segment_options){.data = data,
                             .out = out,
                             .scratch = "unet",
                             .scratch_width = 8,
                             .body_rate = 1,
                             .decoder = {.width = 16, .level = 1},
                             .size = {SIDE, SIDE},
                             .augment = {.flip = 0.5f},
                             .batch = 4,
                             .share = 0.2,
                             .learn = {.rate = 0.01,
                                       .schedule = GH_SCHEDULE_COSINE,
                                       .last = 0.01,
                                       .epochs = 8,
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
    ck_assert_msg(gh_train_segment(&s, &o, &e) == GH_OK, "%s", e.text);
}

static void refused(gh_status want, const char *part)
{
    gh_status status = gh_train_segment(&s, &o, &e);
    ck_assert_msg(status == want, "%s: %s", gh_status_name(status), status ? e.text : "accepted");
    ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" does not hold \"%s\"", e.text, part);
}

static gh_buf read_file(const char *name)
{
    gh_buf bytes = {0};
    ck_assert_msg(gh_file_read(&bytes, tiny_path(name), 1 << 26, &e) == GH_OK, "%s", e.text);
    return bytes;
}

static bool there(const char *name)
{
    struct stat st;
    return stat(tiny_path(name), &st) == 0;
}

/* A run learns, leaves a model that passes its own self-test, and nothing else. */
START_TEST(test_learns_and_is_served)
{
    gh_model *m = NULL;
    o.dice = 0.3;
    o.batch = 2;
    o.learn.epochs = 25;
    o.balance = GH_BALANCE_SQRT;
    must();
    ck_assert_uint_eq(s.learnt, 8);
    ck_assert_uint_eq(s.judged, 2);
    ck_assert_uint_eq(s.classes, 3);
    ck_assert_double_gt(s.miou, 0.75);
    ck_assert_double_gt(s.pixel_accuracy, 0.9);
    ck_assert_msg(gh_model_open(&m, o.out, true, &e) == GH_OK, "%s", e.text);
    ck_assert(m->manifest->task == GH_TASK_SEGMENT && m->manifest->background && m->manifest->nlabels == 3);
    ck_assert_ptr_nonnull(m->manifest->selftest.input);
    ck_assert_ptr_nonnull(m->manifest->colours);
    gh_model_put(&m);
    ck_assert(there("shapes/history.csv") && there("shapes/report.html") && !there(".shapes.run"));
}
END_TEST

/* The same bytes with one thread and two, and in one go or stopped and resumed. */
START_TEST(test_same_bytes)
{
    o.learn.epochs = 3;
    must();
    gh_buf one = read_file("shapes/model.onnx");
    gh_pool_free(&pool);
    ck_assert_int_eq(gh_pool_new(&pool, 2, &e), GH_OK);
    o.learn.pool = pool;
    must();
    gh_buf two = read_file("shapes/model.onnx");
    ck_assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    volatile bool stop = true;
    o.learn.stop = &stop;
    refused(GH_INTERRUPTED, "");
    ck_assert(there(".shapes.run"));
    o.learn.stop = NULL;
    o.learn.resume = true;
    must();
    gh_buf_free(&two);
    two = read_file("shapes/model.onnx");
    ck_assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    gh_buf_free(&one);
    gh_buf_free(&two);
}
END_TEST

static void stretch_levels(const char *manifest)
{
    gh_buf text = read_file(manifest);
    json_t *m = json_loadb((const char *)text.data, text.len, 0, NULL);
    ck_assert_ptr_nonnull(m);
    json_object_set_new(json_object_get(m, "input"), "levels", json_string("stretched"));
    char *changed = json_dumps(m, 0);
    tiny_text(manifest, changed);
    free(changed);
    json_decref(m);
    gh_buf_free(&text);
}

/* Pictures are served as they were learnt from: the way to the input is the body's. */
START_TEST(test_input_is_the_body_s)
{
    char body[256], out[256];
    gh_model *m = NULL;
    o.learn.epochs = 1;
    must();
    stretch_levels("shapes/model.json");
    snprintf(body, sizeof body, "%s", o.out);
    snprintf(out, sizeof out, "%s", tiny_path("again"));
    o.body = body;
    o.out = out;
    o.scratch = NULL;
    o.decoder.kind = GH_DECODER_OWN;
    must();
    ck_assert_msg(gh_model_open(&m, o.out, true, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(m->manifest->input.levels, GH_LEVELS_STRETCHED);
    gh_model_put(&m);
}
END_TEST

/* A network of masks as the body of another: its scores go by the classes' names, not by their numbers. */
START_TEST(test_own_decoder_goes_on)
{
    char body[256], out[256];
    o.learn.epochs = 25;
    o.batch = 2;
    must();
    double before = s.miou;
    snprintf(body, sizeof body, "%s", o.out);
    snprintf(out, sizeof out, "%s", tiny_path("again"));
    o.body = body;
    o.out = out;
    o.scratch = NULL;
    o.decoder.kind = GH_DECODER_OWN;
    o.learn.epochs = 1;
    o.learn.rate = 1e-7;
    must();
    ck_assert_double_gt(before, 0.75);
    ck_assert_double_eq_tol(s.miou, before, 0.02);
    o.learn.rate = 3; /* learning spoils it: what was there stays */
    must();
    ck_assert_uint_eq(s.best_epoch, 0);
    ck_assert_double_eq_tol(s.miou, before, 1e-3);
    o.learn.rate = 1e-7;
    tiny_text("data/classes.txt", "background\nbar\nsquare\nvoid\n");
    must();
    ck_assert_double_lt(s.miou, 0.5);
    o.frozen = true; /* the layer of scores alone learns that bars are squares now */
    o.learn.epochs = 10;
    o.learn.rate = 0.05;
    must();
    ck_assert_double_gt(s.miou, 0.6);
    o.cut = "logits";
    refused(GH_ARG, "--cut does not go with it");
    o.cut = NULL;
    o.decoder.kind = GH_DECODER_FCN8; /* any decoder goes on such a body, too */
    o.learn.epochs = 1;
    must();
}
END_TEST

START_TEST(test_bad_data_is_told)
{
    pair("train", 20, SIDE - 1);
    o.strict = true;
    refused(GH_FORMAT, "has 63 x 63 pixels, its picture 64 x 64");
    o.strict = false;
    o.learn.epochs = 1;
    must(); /* it is left out */
    ck_assert_uint_eq(s.left_out, 1);
    o.strict = true;
    pair("train", 20, SIDE);
    tiny_text("data/classes.txt", "background\nsquare\nbar\n");
    refused(GH_FORMAT, "has the value 3, which is no class of the set");
    tiny_text("data/classes.txt", "background\nvoid\nignore\nunknown\n");
    refused(GH_FORMAT, "one class only (background)");
    tiny_text("data/classes.txt", "background\nsquare\nbar\nvoid\n");
    o.size.width = 70;
    refused(GH_ARG, "--size 70x64: each side has to be a multiple of 16");
    o.size.width = 64;
    o.window = (gh_size){128, 64};
    refused(GH_ARG, "is larger than --size 64x64");
    o.window = (gh_size){0};
    o.decoder.unpool = GH_UNPOOL_MAX;
    o.decoder.kind = GH_DECODER_FCN8;
    refused(GH_UNSUPPORTED, "unpooling max");
    o.scratch = "vgg";
    refused(GH_ARG, "unet and segnet are");
}
END_TEST

START_TEST(test_classes_and_weights)
{
    gh_maskdata *d = NULL;
    float w[3], even[3];
    const gh_maskdata_options options = {.share = 0.2, .seed = 1};
    ck_assert_msg(gh_maskdata_open(&d, o.data, &options, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(d->nclasses, 3); /* void is none */
    ck_assert_int_eq(d->map[3], GH_MASK_IGNORED);
    ck_assert_int_eq(d->map[4], -1);
    ck_assert(d->background);
    gh_maskdata_weights(w, d, GH_BALANCE_WEIGHTS);
    gh_maskdata_weights(even, d, GH_BALANCE_NONE);
    ck_assert(w[0] < w[1] && w[1] < w[2]);
    ck_assert_float_eq_tol(w[1] / w[2], (float)(d->pixels[2] / d->pixels[1]), 1e-4f);
    double sum = 0, total = 0;
    for (int c = 0; c < 3; c++) {
        ck_assert_float_eq(even[c], 1);
        sum += (double)w[c] * d->pixels[c];
        total += d->pixels[c];
    }
    ck_assert_double_eq_tol(sum / total, 1, 1e-5);
    gh_maskdata_free(&d);
}
END_TEST

START_TEST(test_sheet)
{
    gh_buf png = {0};
    gh_image_info info;
    char path[256];
    snprintf(path, sizeof path, "%s", tiny_path("sheet.png"));
    o.show_augment = path;
    must();
    png = read_file("sheet.png");
    ck_assert_int_eq(gh_image_probe(&info, png.data, png.len, NULL, &e), GH_OK);
    ck_assert(info.width > 6 * SIDE && info.height > 4 * SIDE);
    ck_assert(!there("shapes"));
    gh_buf_free(&png);
}
END_TEST

Suite *gh_suite_train_segment(void)
{
    Suite *suite = suite_create("train_segment");
    TCase *c = tcase_create("train_segment");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_learns_and_is_served);
    tcase_add_test(c, test_same_bytes);
    tcase_add_test(c, test_input_is_the_body_s);
    tcase_add_test(c, test_own_decoder_goes_on);
    tcase_add_test(c, test_bad_data_is_told);
    tcase_add_test(c, test_classes_and_weights);
    tcase_add_test(c, test_sheet);
    suite_add_tcase(suite, c);
    return suite;
}
