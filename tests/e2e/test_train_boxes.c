/* From pictures with boxes to a served model with the real binary and the real body: train localize, serve,
 * ask where things are in a picture that it never saw. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "image/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 120, HEIGHT = 96, PICTURES = 28, UNSEEN = 1000 };

typedef struct thing {
    int x, y, side;
    bool red; /* else green */
} thing;

static char dir[64];
static server s;
static reply r;
static gh_buf out, err;

static const char *path_of(const char *name)
{
    return path_in(dir, name);
}

static void must_write(const char *name, const void *data, size_t len)
{
    gh_err e = {0};
    ck_assert_msg(gh_file_write(path_of(name), data, len, &e) == GH_OK, "%s", e.text);
}

/* Picture i: a red or a green square on dark, noisy ground. */
static thing make_picture(gh_buf *picture, int i)
{
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    gh_err e = {0};
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)i);
    thing t = {.side = 30 + (int)gh_rng_below(&rng, 30), .red = i % 2 == 0};
    t.x = (int)gh_rng_below(&rng, (uint64_t)(WIDTH - t.side));
    t.y = (int)gh_rng_below(&rng, (uint64_t)(HEIGHT - t.side));
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        int x = k % WIDTH, y = k / WIDTH;
        bool in = x >= t.x && x < t.x + t.side && y >= t.y && y < t.y + t.side;
        uint8_t noise = (uint8_t)gh_rng_below(&rng, 50);
        rgb[k * 3] = (uint8_t)((in && t.red ? 200 : 30) + noise);
        rgb[k * 3 + 1] = (uint8_t)((in && !t.red ? 200 : 30) + noise);
        rgb[k * 3 + 2] = (uint8_t)(30 + noise);
    }
    ck_assert_int_eq(gh_png_encode_rgb(picture, rgb, WIDTH, HEIGHT, &e), GH_OK);
    return t;
}

static void setup(void)
{
    static const char *const folders[] = {"models", "data/images", "data/labels"};
    gh_err e = {0};
    char name[40], text[80];
    strcpy(dir, "/tmp/gharial-boxes-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (size_t i = 0; i < GH_COUNT(folders); i++)
        ck_assert_int_eq(gh_dir_make(path_of(folders[i]), &e), GH_OK);
    must_write("data/classes.txt", "red\ngreen\n", 10);
    for (int i = 0; i < PICTURES; i++) {
        gh_buf picture = {0};
        thing t = make_picture(&picture, i);
        snprintf(name, sizeof name, "data/images/%d.png", i);
        must_write(name, picture.data, picture.len);
        gh_buf_free(&picture);
        snprintf(name, sizeof name, "data/labels/%d.txt", i);
        int len =
            snprintf(text, sizeof text, "%d %.5f %.5f %.5f %.5f\n", !t.red, (t.x + t.side / 2.0) / WIDTH,
                     (t.y + t.side / 2.0) / HEIGHT, (double)t.side / WIDTH, (double)t.side / HEIGHT);
        must_write(name, text, (size_t)len);
    }
}

static void teardown(void)
{
    reply_free(&r);
    gh_buf_free(&out);
    gh_buf_free(&err);
    remove_folder(dir);
}

static void train(const char *model, const char *head, const char *epochs)
{
    out.len = err.len = 0;
    int code = run_binary(&out, &err,
                          ARGS("train", "localize", "--data", path_of("data"), "--out", path_of(model),
                               "--models", models_dir(), "--body", REAL, "--head", head, "--size", "128x96",
                               "--epochs", epochs, "--lr", "0.003", "--width", "32", "--hidden", "64",
                               "--ema", "0.9", "--augment", "flip,scale=0.2,crop=0.2", "--json"));
    ck_assert_msg(code == 0, "exit code %d: %s", code, (const char *)err.data);
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static double overlap(const json_t *o, const thing *t)
{
    double x = number(o, "x"), y = number(o, "y"), w = number(o, "w"), h = number(o, "h");
    double both = fmax(0, fmin(x + w, t->x + t->side) - fmax(x, t->x)) *
                  fmax(0, fmin(y + h, t->y + t->side) - fmax(y, t->y));
    return both / (w * h + (double)t->side * t->side - both);
}

/* Asks about pictures that were never learnt from; the mean overlap of the best box, and how often its label
 * is right. */
static double look(const char *path, int pictures, int *right)
{
    double sum = 0;
    *right = 0;
    for (int i = 0; i < pictures; i++) {
        gh_buf picture = {0};
        thing t = make_picture(&picture, UNSEEN + i);
        ask(&r, s.address, "POST", path, NULL, picture.data, picture.len);
        gh_buf_free(&picture);
        ck_assert_int_eq(r.status, 200);
        json_t *answer = json_loads((const char *)r.body.data, 0, NULL);
        const json_t *best = json_array_get(json_object_get(answer, "objects"), 0);
        const char *label = json_string_value(json_object_get(best, "label"));
        sum += best ? overlap(best, &t) : 0;
        *right += label && strcmp(label, t.red ? "red" : "green") == 0;
        json_decref(answer);
    }
    return sum / pictures;
}

START_TEST(test_learnt_boxes_are_served)
{
    int right = 0;
    train("models/detector", "detect", "30");
    train("models/one", "box", "20");
    server_start(&s, ARGS("--models", path_of("models")));
    double found = look("/localize?model=detector&limit=1", 8, &right);
    ck_assert_msg(found >= 0.5 && right >= 7, "detect: mean IoU %.3f, %d of 8 labels right", found, right);
    found = look("/localize?model=one&limit=1", 8, &right);
    ck_assert_msg(found >= 0.5 && right >= 7, "box: mean IoU %.3f, %d of 8 labels right", found, right);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

static void refused(int want, const char *part, const char *option, const char *value)
{
    out.len = err.len = 0;
    int code = run_binary(&out, &err,
                          ARGS("train", "localize", "--data", path_of("data"), "--out", path_of("models/x"),
                               "--models", models_dir(), "--body", REAL, option, value));
    ck_assert_msg(code == want && strstr((const char *)err.data, part), "exit code %d: %s", code,
                  (const char *)err.data);
}

START_TEST(test_wrong_use_is_told)
{
    refused(2, "one object a picture", "--head", "anchors");
    refused(2, "multiple of 32", "--size", "100x100");
    refused(2, "stretch or letterbox", "--fit", "crop");
    refused(2, "4, 8 or 16", "--stride", "12");
    refused(1, "no value \"tail\"", "--cut", "tail");
}
END_TEST

Suite *suite_train_boxes(void)
{
    Suite *suite = suite_create("train_boxes");
    TCase *c = tcase_create("train_boxes");
    tcase_set_timeout(c, 180);
    tcase_add_unchecked_fixture(c, models_make, NULL);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_learnt_boxes_are_served);
    tcase_add_test(c, test_wrong_use_is_told);
    suite_add_tcase(suite, c);
    return suite;
}
