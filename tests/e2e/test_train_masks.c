/* From pictures with masks to a served model with the real binary: train segment, serve, ask for a mask of a
 * picture that it never saw. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 72, PICTURES = 10 };

static char dir[64];
static server s;
static reply r;
static gh_buf out, err;

static const char *path_of(const char *name)
{
    return path_in(dir, name);
}

static void must_write(const char *name, const gh_buf *bytes)
{
    gh_err e = {0};
    ck_assert_msg(gh_file_write(path_of(name), bytes->data, bytes->len, &e) == GH_OK, "%s", e.text);
}

/* Red left of a line that lies elsewhere in each picture, blue right of it; the mask says so in 1 and 0. */
static void make_picture(gh_buf *picture, gh_buf *mask, int i)
{
    static uint8_t rgb[WIDTH * HEIGHT * 3], row[WIDTH];
    int edge = 20 + i * 37 % 60;
    gh_err e = {0};
    gh_png_writer *w = NULL;
    const gh_png_layout layout = {.width = WIDTH, .height = HEIGHT, .colour = GH_PNG_GREY};
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        bool left = k % WIDTH < edge;
        rgb[k * 3] = (uint8_t)((left ? 170 : 60) + k * 7 % 50);
        rgb[k * 3 + 1] = 80;
        rgb[k * 3 + 2] = (uint8_t)((left ? 50 : 160) + k * 11 % 50);
    }
    ck_assert_int_eq(gh_png_encode_rgb(picture, rgb, WIDTH, HEIGHT, &e), GH_OK);
    for (int x = 0; x < WIDTH; x++)
        row[x] = x < edge;
    ck_assert_int_eq(gh_png_open(&w, mask, &layout, &e), GH_OK);
    for (int y = 0; y < HEIGHT; y++)
        ck_assert_int_eq(gh_png_row(w, row, &e), GH_OK);
    ck_assert_int_eq(gh_png_end(w, &e), GH_OK);
    gh_png_close(&w);
}

static void setup(void)
{
    gh_err e = {0};
    char name[40];
    const gh_buf classes = {.data = (uint8_t *)(uintptr_t) "blue\nred\n", .len = 9};
    strcpy(dir, "/tmp/gharial-masks-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(gh_dir_make(path_of("models"), &e), GH_OK);
    ck_assert_int_eq(gh_dir_make(path_of("data/images"), &e), GH_OK);
    ck_assert_int_eq(gh_dir_make(path_of("data/masks"), &e), GH_OK);
    must_write("data/classes.txt", &classes);
    for (int i = 0; i < PICTURES; i++) {
        gh_buf picture = {0}, mask = {0};
        make_picture(&picture, &mask, i);
        snprintf(name, sizeof name, "data/images/%d.png", i);
        must_write(name, &picture);
        snprintf(name, sizeof name, "data/masks/%d.png", i);
        must_write(name, &mask);
        gh_buf_free(&picture);
        gh_buf_free(&mask);
    }
}

static void teardown(void)
{
    reply_free(&r);
    gh_buf_free(&out);
    gh_buf_free(&err);
    remove_folder(dir);
}

#define SMALL "--size", "64x64", "--from-scratch", "unet", "--width", "16", "--scores", "1", "--batch", "4"

START_TEST(test_learnt_masks_are_served)
{
    gh_buf picture = {0}, mask = {0};
    gh_image_info info;
    gh_err e = {0};
    uint8_t *found = NULL;
    int code = run_binary(&out, &err,
                          ARGS("train", "segment", "--data", path_of("data"), "--out",
                               path_of("models/halves"), SMALL, "--epochs", "25", "--lr", "0.01", "--augment",
                               "flip", "--ema", "0", "--json"));
    ck_assert_msg(code == 0, "exit code %d: %s", code, (const char *)err.data);
    json_t *o = json_loads((const char *)out.data, 0, NULL);
    ck_assert_double_ge(json_number_value(json_object_get(o, "miou")), 0.9);
    json_decref(o);
    make_picture(&picture, &mask, 11); /* its line lies where no other's does */
    server_start(&s, ARGS("--models", path_of("models")));
    ask(&r, s.address, "POST", "/segment?model=halves&output=index", NULL, picture.data, picture.len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(gh_image_probe(&info, r.body.data, r.body.len, NULL, &e), GH_OK);
    ck_assert(info.width == WIDTH && info.height == HEIGHT);
    ck_assert_int_eq(gh_png_decode_index(&found, r.body.data, r.body.len, &info, &e), GH_OK);
    int right = 0, edge = 20 + 11 * 37 % 60;
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        right += found[k] == (k % WIDTH < edge);
    ck_assert_int_ge(right, WIDTH * HEIGHT * 95 / 100);
    ck_assert_int_eq(server_stop(&s), 0);
    gh_free(found);
    gh_buf_free(&picture);
    gh_buf_free(&mask);
}
END_TEST

static void refused(int want, const char *part, const char *option, const char *value)
{
    out.len = err.len = 0;
    int code = run_binary(&out, &err,
                          ARGS("train", "segment", "--data", path_of("data"), "--out",
                               path_of("models/halves"), SMALL, option, value));
    ck_assert_msg(code == want && strstr((const char *)err.data, part), "exit code %d: %s", code,
                  (const char *)err.data);
}

START_TEST(test_wrong_use_is_told)
{
    refused(2, "vnet", "--decoder", "vnet");
    refused(2, "WIDTHxHEIGHT", "--window", "64");
    refused(2, "multiple of 16", "--window", "64x40");
    refused(2, "\"twist\" is not known", "--augment", "flip,twist");
    refused(2, "takes auto", "--lr", "fast");
    refused(2, "takes adamw or sgd", "--optimiser", "lion");
    refused(2, "has no folders images and masks", "--data", path_of("models"));
}
END_TEST

Suite *suite_train_masks(void)
{
    Suite *suite = suite_create("train_masks");
    TCase *c = tcase_create("train_masks");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_learnt_masks_are_served);
    tcase_add_test(c, test_wrong_use_is_told);
    suite_add_tcase(suite, c);
    return suite;
}
