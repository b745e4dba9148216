/* A user's own pipeline, without code: the face detector, then a head that `gharial train` made, on the crop
 * of each face. Trained on pieces of a cat and a cup, so what it says of a face does not matter; that it says
 * it does. */
#include "e2e/harness.h"

#include "base/file.h"
#include "image/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DETECTOR "faces-detector"

static char dir[64];
static server s;
static reply r;

static const char *path_of(const char *name)
{
    return path_in(dir, name);
}

static void write_text(const char *name, const char *text)
{
    gh_err e = {0};
    ck_assert_msg(gh_file_write(path_of(name), text, strlen(text), &e) == GH_OK, "%s", e.text);
}

/* Once for all tests of the case: the models, and a server with them. */
static void setup(void)
{
    gh_buf text = {0}, err = {0};
    gh_err e = {0};
    char body[256];
    strcpy(dir, "/tmp/gharial-pipeline-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(gh_dir_make(path_of("models/mine"), &e), GH_OK);
    open_detector(path_of("models/" DETECTOR));
    snprintf(body, sizeof body, "%s/" REAL, models_dir()); /* in another folder than the head */
    photo_pieces(path_of("photos/cat"), "chelsea.png");
    photo_pieces(path_of("photos/cup"), "coffee.png");
    int code = run_binary(&text, &err,
                          ARGS("train", "--data", path_of("photos"), "--out", path_of("models/looks"),
                               "--body", body, "--head", "softmax", "--folds", "2", "--no-cache",
                               "--no-report", "--head-only", "--json"));
    ck_assert_msg(code == 0, "exit code %d: %s", code, (const char *)err.data);
    write_text(
        "models/mine/model.json",
        "{\"name\": \"mine\", \"version\": \"3\", \"task\": \"localize\", \"pipeline\": {\"detector\": "
        "\"" DETECTOR "\", \"steps\": [{\"model\": \"looks\", \"key\": \"emotion\", \"margin\": 0.1, "
        "\"square\": true, \"align\": true}]}}");
    gh_buf_free(&text);
    gh_buf_free(&err);
    server_start(&s, ARGS("--models", path_of("models")));
}

static void teardown(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
    reply_free(&r);
    remove_folder(dir);
}

/* The reply's JSON; the caller's. */
static json_t *localize(const char *query, const void *data, size_t len)
{
    char target[160];
    snprintf(target, sizeof target, "/localize?%s", query);
    return ask_json(&r, s.address, target, data, len);
}

static json_t *localize_photo(const char *query, const char *name)
{
    return localize(query, photo(name)->data, photo(name)->len);
}

static double member(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* "emotion" names the largest of the scores, which sum to 1 as they are printed. */
static void check_scores(const json_t *face)
{
    const char *key, *best = "";
    json_t *value;
    double sum = 0, largest = -1;
    json_object_foreach(json_object_get(face, "emotions"), key, value)
    {
        double v = json_number_value(value);
        ck_assert(v >= 0 && v <= 1);
        sum += v;
        if (v > largest) {
            largest = v;
            best = key;
        }
    }
    ck_assert_uint_eq(json_object_size(json_object_get(face, "emotions")), 2);
    ck_assert_double_eq_tol(sum, 1, 1e-6);
    const json_t *said = json_object_get(face, "emotion");
    ck_assert_msg(json_is_null(said) || strcmp(json_string_value(said), best) == 0, "%s", best);
}

START_TEST(test_one_face_with_scores)
{
    json_t *o = localize_photo("model=mine", "astronaut.png"), *objects = json_object_get(o, "objects");
    ck_assert_uint_eq(json_array_size(objects), 1);
    json_t *face = json_array_get(objects, 0);
    ck_assert_str_eq(json_string_value(json_object_get(face, "label")), "face");
    /* her face lies around (222, 122) and is about 90 pixels wide */
    ck_assert_double_eq_tol(member(face, "x") + member(face, "w") / 2, 222, 15);
    ck_assert_double_eq_tol(member(face, "y") + member(face, "h") / 2, 122, 15);
    ck_assert_uint_eq(json_array_size(json_object_get(face, "landmarks")), 5);
    check_scores(face);
    const char *timing = reply_header(&r, "Server-Timing");
    ck_assert_msg(strstr(timing, "decode;dur=") && strstr(timing, "queue;dur=") &&
                      strstr(timing, "infer;dur=") && strstr(timing, "crops;dur="),
                  "%s", timing);
    ck_assert_double_gt(member(json_object_get(o, "time_ms"), "crops"), 0);
    json_decref(o);
}
END_TEST

START_TEST(test_no_face_no_object)
{
    json_t *o = localize_photo("model=mine", "rocket.jpg");
    ck_assert(json_is_array(json_object_get(o, "objects")));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "objects")), 0);
    json_decref(o);
}
END_TEST

START_TEST(test_emotions_switched_off)
{
    json_t *o = localize_photo("model=mine&emotions=0", "astronaut.png");
    json_t *face = json_array_get(json_object_get(o, "objects"), 0);
    ck_assert_ptr_nonnull(face);
    ck_assert_ptr_null(json_object_get(face, "emotion"));
    ck_assert_ptr_null(json_object_get(face, "emotions"));
    ck_assert_ptr_null(strstr(reply_header(&r, "Server-Timing"), "crops"));
    json_decref(o);
    const gh_buf *picture = photo("coffee.png");
    ask(&r, s.address, "POST", "/localize?model=mine&emotions=no", NULL, picture->data, picture->len);
    check_problem(&r, 400, "\"emotions\" must be 0 or 1");
    ask(&r, s.address, "POST", "/localize?model=mine&max_side=8", NULL, picture->data, picture->len);
    check_problem(&r, 400, "\"max_side\" must be a whole number from 32 to 2048; got \"8\"");
}
END_TEST

/* The same boxes in the upright picture, whichever way the camera was held. */
START_TEST(test_every_orientation)
{
    static const char *const keys[] = {"x", "y", "w", "h"};
    json_t *first = NULL;
    for (int orientation = 1; orientation <= 8; orientation++) {
        gh_buf jpeg = {0};
        photo_turned(&jpeg, "astronaut.png", orientation);
        json_t *o = localize("model=mine", jpeg.data, jpeg.len), *objects = json_object_get(o, "objects");
        ck_assert_uint_eq(json_array_size(objects), 1);
        if (!first)
            first = json_incref(json_array_get(objects, 0));
        for (size_t i = 0; i < 4; i++)
            ck_assert_double_eq_tol(member(json_array_get(objects, 0), keys[i]), member(first, keys[i]), 2);
        check_scores(json_array_get(objects, 0));
        json_decref(o);
        gh_buf_free(&jpeg);
    }
    json_decref(first);
}
END_TEST

/* What the steps found stands beside the face, which the detector alone leaves as it was. */
START_TEST(test_annotated_with_bars)
{
    static const char *const queries[] = {"model=mine&annotate=1", "model=" DETECTOR "&annotate=1"};
    gh_image *images[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        char target[96];
        gh_image_info info;
        snprintf(target, sizeof target, "/localize?%s", queries[i]);
        reply_free(&r);
        ask(&r, s.address, "POST", target, "Accept: image/png\r\n", photo("astronaut.png")->data,
            photo("astronaut.png")->len);
        ck_assert_int_eq(r.status, 200);
        ck_assert_int_eq(gh_image_probe(&info, r.body.data, r.body.len, NULL, NULL), GH_OK);
        ck_assert_int_eq(gh_image_decode(&images[i], r.body.data, r.body.len, &info, 0, 0, NULL), GH_OK);
    }
    int bars = 0; /* pixels beyond the right side of the face */
    for (int y = 60; y < 180; y++)
        for (int x = 276; x < 512; x++) {
            size_t at = ((size_t)y * 512 + (size_t)x) * 3;
            bars += memcmp(images[0]->pixels + at, images[1]->pixels + at, 3) != 0;
        }
    ck_assert_int_gt(bars, 1000);
    gh_image_free(&images[0]);
    gh_image_free(&images[1]);
}
END_TEST

START_TEST(test_two_models_one_list)
{
    json_t *o = localize_photo("model=mine," DETECTOR, "astronaut.png"),
           *objects = json_object_get(o, "objects");
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "mine," DETECTOR);
    ck_assert_uint_eq(json_array_size(objects), 2);
    int with = 0;
    for (size_t i = 0; i < 2; i++)
        with += json_object_get(json_array_get(objects, i), "emotions") != NULL;
    ck_assert_int_eq(with, 1);
    json_decref(o);
    ask(&r, s.address, "POST", "/localize?model=mine," REAL, NULL, photo("rocket.jpg")->data,
        photo("rocket.jpg")->len);
    check_problem(&r, 400, "is for the task classify");
}
END_TEST

START_TEST(test_batch_with_a_broken_picture)
{
    gh_buf body = {0};
    add_part(&body, "image", photo("astronaut.png")->data, photo("astronaut.png")->len);
    add_part(&body, "image", photo("astronaut.png")->data, 5000);
    add_part(&body, "image", photo("rocket.jpg")->data, photo("rocket.jpg")->len);
    end_parts(&body);
    reply_free(&r);
    ask(&r, s.address, "POST", "/localize?model=mine", FORM, body.data, body.len);
    ck_assert_int_eq(r.status, 200);
    json_t *o = reply_json(&r), *results = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(results), 3);
    check_scores(json_array_get(json_object_get(json_array_get(results, 0), "objects"), 0));
    ck_assert_double_eq(member(json_array_get(results, 1), "status"), 422);
    ck_assert_ptr_nonnull(json_object_get(json_array_get(results, 1), "error"));
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(results, 2), "objects")), 0);
    json_decref(o);
    gh_buf_free(&body);
}
END_TEST

/* predict over a folder gives the same replies, and goes on after a broken file. */
START_TEST(test_predict_over_a_folder)
{
    gh_buf text = {0}, err = {0};
    gh_err e = {0};
    ck_assert_int_eq(gh_dir_make(path_of("in"), &e), GH_OK);
    ck_assert_int_eq(
        gh_file_write(path_of("in/a.png"), photo("astronaut.png")->data, photo("astronaut.png")->len, &e),
        GH_OK);
    write_text("in/b.png", "broken");
    ck_assert_int_eq(
        gh_file_write(path_of("in/c.jpg"), photo("rocket.jpg")->data, photo("rocket.jpg")->len, &e), GH_OK);
    ck_assert_int_eq(run_binary(&text, &err,
                                ARGS("predict", "--models", models_dir(), "--models", path_of("models"),
                                     "--model", "mine", "--json", path_of("in"))),
                     3);
    json_t *lines[3];
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        lines[i] = json_loadb((const char *)text.data + at, text.len - at, JSON_DISABLE_EOF_CHECK, NULL);
        ck_assert_ptr_nonnull(lines[i]);
        at = (size_t)(strchr((const char *)text.data + at, '\n') - (const char *)text.data) + 1;
    }
    check_scores(json_array_get(json_object_get(lines[0], "objects"), 0));
    ck_assert_ptr_nonnull(json_object_get(lines[1], "error"));
    ck_assert_uint_eq(json_array_size(json_object_get(lines[2], "objects")), 0);
    for (int i = 0; i < 3; i++)
        json_decref(lines[i]);
    text.len = 0;
    ck_assert_int_eq(run_binary(&text, &err,
                                ARGS("predict", "--models", models_dir(), "--models", path_of("models"),
                                     "--model", "mine," DETECTOR, "--no-emotions", path_of("in/a.png"))),
                     0);
    ck_assert_ptr_nonnull(strstr((const char *)text.data, "face 0."));
    ck_assert_ptr_null(strstr((const char *)text.data, "emotion"));
    gh_buf_free(&text);
    gh_buf_free(&err);
}
END_TEST

START_TEST(test_a_server_without_emotions)
{
    server other;
    server_start(&other, ARGS("--models", path_of("models"), "--no-emotions"));
    reply_free(&r);
    ask(&r, other.address, "POST", "/localize?model=mine&emotions=1", NULL, photo("astronaut.png")->data,
        photo("astronaut.png")->len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_ptr_null(strstr((const char *)r.body.data, "emotion"));
    ck_assert_int_eq(server_stop(&other), 0);
}
END_TEST

Suite *suite_pipeline(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *c = tcase_create("pipeline");
    tcase_set_timeout(c, 120);
    tcase_add_unchecked_fixture(c, setup, teardown);
    tcase_add_test(c, test_one_face_with_scores);
    tcase_add_test(c, test_no_face_no_object);
    tcase_add_test(c, test_emotions_switched_off);
    tcase_add_test(c, test_every_orientation);
    tcase_add_test(c, test_annotated_with_bars);
    tcase_add_test(c, test_two_models_one_list);
    tcase_add_test(c, test_batch_with_a_broken_picture);
    tcase_add_test(c, test_predict_over_a_folder);
    tcase_add_test(c, test_a_server_without_emotions);
    suite_add_tcase(suite, c);
    return suite;
}
