/* gharial eval of models that segment: models whose masks are the colours of a picture, on masks whose scores
 * are worked out by hand; and the real one on its own mask, kept as any user would keep it. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "image/image.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 8 };

static char dir[64], data[96];
static gh_buf out, err;

static void write_file(const char *name, const void *bytes, size_t len)
{
    char path[192], *slash;
    gh_err e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    ck_assert_int_eq(gh_dir_make(path, &e), GH_OK);
    *slash = '/';
    ck_assert_msg(gh_file_write(path, bytes, len, &e) == GH_OK, "%s", e.text);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* Confidence of class c = the colour c of a pixel, 0..1; of one channel the red. */
static void write_network(const char *name, int64_t channels)
{
    static const float identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    gh_graph *g = NULL;
    gh_err e = {0};
    char path[128];
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (const int64_t[]){1, 3, SIDE, SIDE}));
    gh_shape shape = gh_shape_of(4, (const int64_t[]){channels, 3, 1, 1});
    uint32_t w = gh_graph_const(g, "w", GH_F32, shape, identity, true);
    gh_graph_output(g, gh_graph_op(g, "Conv", "mask", (const uint32_t[]){x, w}, 2));
    snprintf(path, sizeof path, "%s/models/%s/model.onnx", dir, name);
    ck_assert_msg(gh_onnx_write(g, path, &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
}

static void write_model(const char *name, int64_t channels, const char *labels)
{
    char file[64], text[400];
    snprintf(file, sizeof file, "models/%s/model.json", name);
    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"version\":\"1\",\"task\":\"segment\",\"input\":{\"width\":8,\"height\":8,"
             "\"mean\":0,\"scale\":0.00392156863,\"fit\":\"stretch\"},\"output\":{\"decoder\":\"mask\"},"
             "\"labels\":%s}",
             name, labels);
    write_text(file, text);
    write_network(name, channels);
}

/* A picture whose columns left of `edge` are red. */
static void write_picture(const char *name, int edge)
{
    uint8_t pixels[SIDE * SIDE * 3] = {0};
    gh_buf png = {0};
    gh_err e = {0};
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[3 * i] = i % SIDE < edge ? 255 : 0;
    ck_assert_int_eq(gh_png_encode_rgb(&png, pixels, SIDE, SIDE, &e), GH_OK);
    write_file(name, png.data, png.len);
    gh_buf_free(&png);
}

static void write_grey(const char *name, const uint8_t *pixels)
{
    gh_buf png = {0};
    gh_err e = {0};
    const gh_png_layout layout = {.width = SIDE, .height = SIDE, .colour = GH_PNG_GREY};
    gh_png_writer *w = NULL;
    ck_assert_int_eq(gh_png_open(&w, &png, &layout, &e), GH_OK);
    for (int y = 0; y < SIDE; y++)
        ck_assert_int_eq(gh_png_row(w, pixels + SIDE * y, &e), GH_OK);
    ck_assert_int_eq(gh_png_end(w, &e), GH_OK);
    gh_png_close(&w);
    write_file(name, png.data, png.len);
    gh_buf_free(&png);
}

/* 1 left of `edge`, else 0; the rows from `ignored` on are 255. */
static void write_mask(const char *name, int edge, int ignored)
{
    uint8_t pixels[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = i / SIDE >= ignored ? 255 : i % SIDE < edge;
    write_grey(name, pixels);
}

static void start(void)
{
    strcpy(dir, "/tmp/gharial-eval-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(data, sizeof data, "%s/data", dir);
}

static void done(void)
{
    gh_buf_free(&out);
    gh_buf_free(&err);
    remove_folder(dir);
}

/* Two pictures in two parts: one found a column too wide, one all right where it is labelled. */
static void start_red(void)
{
    start();
    write_model("red", 1, "[\"background\",\"red\"]");
    write_text("data/classes.txt", "background\nred\nvoid\n");
    write_picture("data/train/images/a.png", 4);
    write_mask("data/train/masks/a.png", 3, SIDE);
    write_picture("data/val/images/b.png", 4);
    write_mask("data/val/masks/b.png", 4, SIDE - 1);
}

static int eval_red(const char *more, const char *value)
{
    char models[96];
    snprintf(models, sizeof models, "%s/models", dir);
    out.len = err.len = 0;
    return run_binary(&out, &err,
                      ARGS("eval", "--models", models, "--model", "red", "--data", data, more, value));
}

static json_t *eval_json(const char *split)
{
    char models[96];
    snprintf(models, sizeof models, "%s/models", dir);
    out.len = err.len = 0;
    int code = run_binary(
        &out, &err,
        ARGS("eval", "--models", models, "--model", "red", "--data", data, "--json", "--split", split));
    ck_assert_msg(code == 0, "%d: %s", code, (char *)err.data);
    json_t *o = json_loads((char *)out.data, 0, NULL);
    ck_assert_ptr_nonnull(o);
    return o;
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    ck_assert_msg(json_is_number(v), "no number \"%s\"", key);
    return json_number_value(v);
}

START_TEST(test_scores)
{
    json_t *o = eval_json("all");
    const json_t *back = json_array_get(json_object_get(o, "classes"), 0);
    const json_t *red = json_array_get(json_object_get(o, "classes"), 1);
    ck_assert_double_eq(number(o, "count"), 2);
    ck_assert_double_eq_tol(number(o, "pixel_accuracy"), 112.0 / 120, 1e-5);
    ck_assert_str_eq(json_string_value(json_object_get(red, "label")), "red");
    ck_assert_double_eq_tol(number(red, "iou"), 52.0 / 60, 1e-5);
    ck_assert_double_eq_tol(number(back, "iou"), 60.0 / 68, 1e-5);
    ck_assert_double_eq_tol(number(o, "miou"), (52.0 / 60 + 60.0 / 68) / 2, 1e-5);
    ck_assert_double_eq_tol(number(red, "mean_iou"), (24.0 / 32 + 1) / 2, 1e-5);
    ck_assert_double_eq_tol(number(red, "median_iou"), (24.0 / 32 + 1) / 2, 1e-5);
    ck_assert_double_eq_tol(number(red, "boundary_f1"), 0.5,
                            1e-9); /* an edge a pixel off, and one that is right */
    ck_assert_double_eq(number(red, "pixels"), 52);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "failed")), 0);
    json_decref(o);
}
END_TEST

/* Without --split the part that was kept back is measured. */
START_TEST(test_parts)
{
    ck_assert_int_eq(eval_red(NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr((char *)out.data, "split val"));
    ck_assert_ptr_nonnull(strstr((char *)out.data, "pixels right 100.00 %"));
    json_t *o = eval_json("train");
    ck_assert_double_eq_tol(number(o, "pixel_accuracy"), 56.0 / 64, 1e-5);
    json_decref(o);
    ck_assert_int_eq(eval_red("--split", "test"), 2);
    ck_assert_ptr_nonnull(strstr((char *)err.data, "no pictures in split test"));
}
END_TEST

/* What is wrong with one picture is told, and the others are measured. */
START_TEST(test_masks_that_do_not_fit)
{
    write_picture("data/val/images/c.png", 4);
    write_picture("data/val/masks/c.png", 4); /* colours */
    write_picture("data/val/images/d.png", 4);
    write_mask("data/val/masks/d.png", 4, SIDE);
    write_file("data/val/images/d.png", photo("chelsea.png")->data, photo("chelsea.png")->len);
    write_picture("data/val/images/e.png", 4); /* no mask */
    ck_assert_int_eq(eval_red(NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr((char *)out.data, "pictures     3, not read 2"));
    ck_assert_ptr_nonnull(strstr((char *)out.data, "1 pictures of the data have no mask"));
    ck_assert_ptr_nonnull(strstr((char *)out.data, "pixels right 100.00 %"));
    ck_assert_ptr_nonnull(strstr((char *)err.data, "c.png: the PNG has colours of 8 bits"));
    ck_assert_ptr_nonnull(strstr((char *)err.data, "its mask is of 8 x 8 pixels, the picture of 451 x 300"));
    ck_assert_int_eq(eval_red("--strict", NULL), 3);
}
END_TEST

/* Names of classes that differ from the model's, and folders that are no set. */
START_TEST(test_data_that_does_not_fit)
{
    write_text("data/classes.txt",
               "background\nperson\nvoid\n"); /* of two, the one left over is the model's */
    ck_assert_int_eq(eval_red(NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr((char *)out.data, "pixels right 100.00 %"));
    ck_assert_ptr_null(strstr((char *)out.data, "left out"));
    ck_assert_ptr_nonnull(strstr((char *)out.data, "the data's person = the model's red"));
    write_text("data/classes.txt", "background\nsky\ntree\n");
    ck_assert_int_eq(eval_red(NULL, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr((char *)out.data, "left out     classes that the model does not know: sky, tree"));
    write_text("data/classes.txt", "sky\ntree\n");
    ck_assert_int_eq(eval_red(NULL, NULL), 2);
    ck_assert_ptr_nonnull(strstr((char *)err.data, "have no class of the same name"));
    snprintf(data, sizeof data, "%s/models", dir);
    ck_assert_int_eq(eval_red(NULL, NULL), 2);
    ck_assert_ptr_nonnull(strstr((char *)err.data, "DIR/images/NAME.jpg with DIR/masks/NAME.png"));
}
END_TEST

/* Three classes, which the data names in another order than the model: the pixel's colour is its class. */
START_TEST(test_many_classes)
{
    uint8_t pixels[SIDE * SIDE * 3] = {0};
    gh_buf png = {0};
    gh_err e = {0};
    char models[96];
    static const uint8_t of_colour[3] = {1, 2, 0}; /* the data's number of red, green, blue */
    uint8_t classes[SIDE * SIDE];
    write_model("colours", 3, "[\"red\",\"green\",\"blue\"]");
    for (int i = 0; i < SIDE * SIDE; i++) {
        int colour = i % SIDE < 3 ? 0 : i % SIDE < 5 ? 1 : 2;
        pixels[3 * i + colour] = 255;
        classes[i] =
            of_colour[i < 4 ? 2 : colour]; /* the first four are labelled blue, three red and one green */
    }
    ck_assert_int_eq(gh_png_encode_rgb(&png, pixels, SIDE, SIDE, &e), GH_OK);
    snprintf(data, sizeof data, "%s/many", dir);
    write_file("many/images/a.png", png.data, png.len);
    gh_buf_free(&png);
    write_grey("many/masks/a.png", classes);
    write_text("many/classes.txt", "blue\nred\ngreen\n");
    snprintf(models, sizeof models, "%s/models", dir);
    int code = run_binary(&out, &err,
                          ARGS("eval", "--models", models, "--model", "colours", "--data", data, "--json"));
    ck_assert_msg(code == 0, "%s", (char *)err.data);
    json_t *o = json_loads((char *)out.data, 0, NULL);
    const json_t *list = json_object_get(o, "classes");
    ck_assert_double_eq_tol(number(json_array_get(list, 0), "iou"), 21.0 / 24, 1e-5);
    ck_assert_double_eq_tol(number(json_array_get(list, 1), "iou"), 15.0 / 16, 1e-5);
    ck_assert_double_eq_tol(number(json_array_get(list, 2), "iou"), 24.0 / 28, 1e-5);
    ck_assert_double_eq_tol(number(o, "pixel_accuracy"), 60.0 / 64, 1e-5);
    json_decref(o);
}
END_TEST

/* The mask that predict gives for a photo, as the set's: all right, also where the camera was turned. */
START_TEST(test_a_mask_of_its_own)
{
    char path[128];
    gh_buf turned = {0}, mask = {0};
    if (access("models/person/model.onnx", R_OK) != 0)
        ck_abort_msg("models/person/model.onnx is missing; `make models` fetches it");
    start();
    photo_turned(&turned, "astronaut.png", _i);
    write_file("data/images/a.jpg", turned.data, turned.len);
    gh_buf_free(&turned);
    snprintf(path, sizeof path, "%s/images/a.jpg", data);
    int code =
        run_binary(&out, &err, ARGS("predict", "--models", "models", "--model", "person", "--json", path));
    ck_assert_msg(code == 0, "%s", (char *)err.data);
    json_t *o = json_loads((char *)out.data, 0, NULL);
    from_base64(&mask, json_string_value(json_object_get(o, "mask")));
    write_file("data/masks/a.png", mask.data, mask.len);
    gh_buf_free(&mask);
    json_decref(o);
    out.len = err.len = 0;
    code = run_binary(&out, &err,
                      ARGS("eval", "--models", "models", "--model", "person", "--data", data, "--json"));
    ck_assert_msg(code == 0, "%s", (char *)err.data);
    o = json_loads((char *)out.data, 0, NULL);
    const json_t *person = json_array_get(json_object_get(o, "classes"), 1);
    ck_assert_double_eq(number(person, "iou"), 1);
    ck_assert_double_eq(number(person, "boundary_f1"), 1);
    ck_assert_double_gt(number(person, "pixels"), 512 * 512 * 0.3);
    json_decref(o);
    done();
}
END_TEST

Suite *suite_eval(void)
{
    Suite *s = suite_create("eval");
    TCase *red = tcase_create("red"), *real = tcase_create("real");
    tcase_set_timeout(red, 60);
    tcase_set_timeout(real, 60);
    tcase_add_checked_fixture(red, start_red, done);
    tcase_add_test(red, test_scores);
    tcase_add_test(red, test_parts);
    tcase_add_test(red, test_masks_that_do_not_fit);
    tcase_add_test(red, test_data_that_does_not_fit);
    tcase_add_test(red, test_many_classes);
    tcase_add_loop_test(real, test_a_mask_of_its_own, 1, 9);
    suite_add_tcase(s, red);
    suite_add_tcase(s, real);
    return s;
}
