/* The default of /localize, as it is fetched: faces with their emotions. */
#include "e2e/harness.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static server s;
static reply r;
static const char *const names[] = {"anger",     "contempt", "disgust", "fear",
                                    "happiness", "neutral",  "sadness", "surprise"};

#define MODELS "faces", "faces-detector", "emotions"
static char dir[64];

/* The four models that it takes, beside no others. */
static void up(void)
{
    static const char *const needed[] = {MODELS};
    strcpy(dir, "/tmp/gharial-faces-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (size_t i = 0; i < GH_COUNT(needed); i++)
        link_model(needed[i], dir);
    server_start(&s, ARGS("--models", dir));
}

static void down(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
    reply_free(&r);
    remove_folder(dir);
}

static json_t *localize(const char *query, const void *data, size_t len)
{
    char target[160];
    snprintf(target, sizeof target, "/localize%s", query);
    return ask_json(&r, s.address, target, data, len);
}

/* Eight scores by name that sum to 1 as they are printed, and "emotion" is the largest of them. */
static void check_emotions(const json_t *face, const char *wanted)
{
    const json_t *all = json_object_get(face, "emotions");
    double sum = 0, largest = 0;
    size_t best = 0;
    ck_assert_uint_eq(json_object_size(all), GH_COUNT(names));
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        const json_t *one = json_object_get(all, names[i]);
        ck_assert_msg(json_is_number(one), "%s is missing", names[i]);
        double v = json_number_value(one);
        ck_assert(v >= 0 && v <= 1);
        sum += v;
        best = v > largest ? i : best;
        largest = fmax(largest, v);
    }
    ck_assert_double_eq_tol(sum, 1, 1e-6);
    ck_assert_str_eq(names[best], wanted);
    ck_assert_str_eq(json_string_value(json_object_get(face, "emotion")), wanted);
}

START_TEST(test_the_astronaut_is_happy)
{
    json_t *o = localize("", photo("astronaut.png")->data, photo("astronaut.png")->len);
    const json_t *objects = json_object_get(o, "objects"), *face = json_array_get(objects, 0);
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "faces");
    ck_assert_uint_eq(json_array_size(objects), 1);
    ck_assert_str_eq(json_string_value(json_object_get(face, "label")), "face");
    ck_assert_uint_eq(json_array_size(json_object_get(face, "landmarks")), 5);
    check_emotions(face, "happiness");
    json_decref(o);
    o = localize("?emotions=0", photo("astronaut.png")->data, photo("astronaut.png")->len);
    face = json_array_get(json_object_get(o, "objects"), 0);
    ck_assert_ptr_nonnull(face);
    ck_assert_ptr_null(json_object_get(face, "emotions"));
    ck_assert_ptr_null(json_object_get(face, "emotion"));
    json_decref(o);
}
END_TEST

START_TEST(test_several_faces_in_a_batch)
{
    gh_buf crew = {0}, body = {0};
    photo_crew(&crew);
    add_part(&body, "image", crew.data, crew.len);
    add_part(&body, "image", photo("chelsea.png")->data, photo("chelsea.png")->len);
    end_parts(&body);
    reply_free(&r);
    ask(&r, s.address, "POST", "/localize", FORM, body.data, body.len);
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (const char *)r.body.data);
    json_t *o = reply_json(&r), *results = json_object_get(o, "results");
    const json_t *faces = json_object_get(json_array_get(results, 0), "objects");
    ck_assert_uint_eq(json_array_size(results), 2);
    ck_assert_uint_eq(json_array_size(faces), 3);
    for (size_t i = 0; i < 3; i++)
        check_emotions(json_array_get(faces, i), "happiness");
    const json_t *small = json_array_get(faces, 2);
    ck_assert_int_ge(json_integer_value(json_object_get(small, "x")), 1024);
    const json_t *none = json_object_get(json_array_get(results, 1), "objects");
    ck_assert(json_is_array(none) && json_array_size(none) == 0);
    json_decref(o);
    gh_buf_free(&crew);
    gh_buf_free(&body);
}
END_TEST

/* The parts are listed, with what the emotions were trained on, but take no requests. */
START_TEST(test_parts_are_internal)
{
    static const char *const parts[] = {"/localize?model=faces-detector", "/classify?model=emotions",
                                        "/classify?model=faces-detector"};
    for (size_t i = 0; i < GH_COUNT(parts); i++) {
        reply_free(&r);
        ask(&r, s.address, "POST", parts[i], NULL, photo("astronaut.png")->data, photo("astronaut.png")->len);
        check_problem(&r, 404, "is a part of others");
    }
    reply_free(&r);
    ask(&r, s.address, "GET", "/models/emotions", NULL, NULL, 0);
    ck_assert_int_eq(r.status, 200);
    json_t *o = reply_json(&r);
    const json_t *list = json_object_get(o, "accuracy"), *training = json_object_get(o, "training");
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        char metric[40];
        double value = -1, count = 0, right = 0;
        snprintf(metric, sizeof metric, "recall of %s", names[i]);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *one = json_array_get(list, k);
            if (strcmp(json_string_value(json_object_get(one, "metric")), metric) != 0)
                continue;
            value = json_number_value(json_object_get(one, "value"));
            right = json_number_value(json_object_get(one, "right"));
            count = json_number_value(json_object_get(one, "count"));
        }
        ck_assert_msg(count >= 13, "%s rests on %.0f pictures", metric, count);
        ck_assert_double_eq_tol(value, right / count, 1e-3);
    }
    ck_assert_ptr_nonnull(json_object_get(training, "set"));
    ck_assert_ptr_nonnull(json_object_get(training, "terms"));
    json_decref(o);
}
END_TEST

/* eval takes the pipeline's name: its boxes against labelled ones. */
START_TEST(test_boxes_are_measured)
{
    char path[128];
    gh_buf text = {0}, err = {0};
    gh_err e = {0};
    static const char boxes[] =
        "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}], \"categories\": [{\"id\": 1, \"name\": "
        "\"face\"}], "
        "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [178, 60, 90, 120]}]}";
    snprintf(path, sizeof path, "%s/data/images", dir);
    ck_assert_int_eq(gh_dir_make(path, &e), GH_OK);
    snprintf(path, sizeof path, "%s/data/images/a.png", dir);
    ck_assert_int_eq(gh_file_write(path, photo("astronaut.png")->data, photo("astronaut.png")->len, &e),
                     GH_OK);
    snprintf(path, sizeof path, "%s/data/annotations.json", dir);
    ck_assert_int_eq(gh_file_write(path, boxes, sizeof boxes - 1, &e), GH_OK);
    snprintf(path, sizeof path, "%s/data", dir);
    int code =
        run_binary(&text, &err, ARGS("eval", "--models", dir, "--model", "faces", "--data", path, "--json"));
    ck_assert_msg(code == 0, "exit code %d: %s", code, (const char *)err.data);
    json_t *o = json_loads((const char *)text.data, JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "faces");
    ck_assert_double_eq_tol(json_number_value(json_object_get(json_object_get(o, "all"), "ap50")), 1, 1e-9);
    json_decref(o);
    gh_buf_free(&text);
    gh_buf_free(&err);
}
END_TEST

Suite *suite_faces(void)
{
    Suite *suite = suite_create("faces");
    TCase *c = tcase_create("faces");
    tcase_set_timeout(c, 120);
    tcase_add_unchecked_fixture(c, up, down);
    tcase_add_test(c, test_the_astronaut_is_happy);
    tcase_add_test(c, test_several_faces_in_a_batch);
    tcase_add_test(c, test_parts_are_internal);
    tcase_add_test(c, test_boxes_are_measured);
    suite_add_tcase(suite, c);
    return suite;
}
