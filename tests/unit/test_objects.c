/* The networks that come from TensorFlow.js (`make check` fetches and imports them): objects on photos beside
 * its reference, the command eval on them, and the body of the emotions. */
#include "unit/capture.h"
#include "unit/suites.h"
#include "unit/tiny.h"

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "engine/onnx.h"
#include "tasks/run.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gh_model *m;
static gh_worker *w;
static gh_result *r;
static gh_buf file;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_result_free(&r);
    gh_worker_free(&w);
    if (m)
        gh_model_put(&m);
    gh_buf_free(&file);
}

static void read_photo(const char *name)
{
    char path[512];
    const char *dir = getenv("GHARIAL_PHOTOS");
    snprintf(path, sizeof path, "%s/%s", dir ? dir : ".build/photos", name);
    file.len = 0;
    ck_assert_msg(gh_file_read(&file, path, 16 << 20, &e) == GH_OK, "%s (make photos)", e.text);
}

static void run(const char *model, const char *photo)
{
    read_photo(photo);
    ck_assert_msg(gh_model_open(&m, model, true, &e) == GH_OK, "%s (make models)", e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
    ck_assert_msg(gh_run(&r, w, m, file.data, file.len, NULL, NULL, &e) == GH_OK, "%s", e.text);
}

/* All boxes over the model's own threshold, by another conversion of the TensorFlow.js graph in ONNX Runtime
 * 1.32 on pixels that were resized in double precision, and the rule of SSD written in numpy. */
static const struct {
    const char *photo, *label;
    double score, x, y, w, h;
} boxes[] = {
    {"motorcycle_left.png", "motorcycle", 0.98290, 91.63, 52.48, 600.26, 408.60},
    {"coffee.png", "cup", 0.96196, 173.25, 21.62, 240.55, 227.81},
    {"coffee.png", "dining table", 0.77839, 0, 3.07, 600, 392.41},
    {"chelsea.png", "cat", 0.93449, 1.03, 2.95, 399.92, 294.51},
    {"astronaut.png", "person", 0.67355, 21.78, 9.01, 346.94, 476.93},
    {"camera.png", "person", 0.89024, 1.19, 64.81, 313.37, 445.09},
};

START_TEST(test_photos_beside_the_reference)
{
    const char *photo = boxes[_i].photo;
    size_t at = 0;
    run("models/objects", photo);
    for (size_t i = 0; i < GH_COUNT(boxes); i++) {
        if (strcmp(boxes[i].photo, photo) != 0)
            continue;
        ck_assert_uint_lt(at, r->nobjects);
        const gh_object *o = &r->objects[at++];
        ck_assert_str_eq(o->label, boxes[i].label);
        ck_assert_double_le(fabs((double)o->score - boxes[i].score), 1e-3);
        ck_assert_double_le(fabs(o->x - boxes[i].x), 1);
        ck_assert_double_le(fabs(o->y - boxes[i].y), 1);
        ck_assert_double_le(fabs(o->x + o->w - boxes[i].x - boxes[i].w), 1);
        ck_assert_double_le(fabs(o->y + o->h - boxes[i].y - boxes[i].h), 1);
    }
    ck_assert_uint_eq(r->nobjects, at);
}
END_TEST

/* Batch normalisation, shapes and what only TensorFlow needs are gone; a transpose is left where a map is
 * flattened, two for each of the five maps that are larger than one pixel. */
START_TEST(test_what_is_left_of_the_graph)
{
    static const struct {
        const char *type;
        uint32_t count;
    } want[] = {{"Conv", 88},  {"Clip", 59},   {"Reshape", 13}, {"Add", 10},
                {"Concat", 2}, {"Sigmoid", 1}, {"Identity", 1}, {"Transpose", 10}};
    gh_graph *g = NULL;
    uint32_t all = 0;
    ck_assert_msg(gh_onnx_read(&g, "models/objects/model.onnx", &e) == GH_OK, "%s (make models)", e.text);
    for (size_t k = 0; k < GH_COUNT(want); k++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < g->nnodes; i++)
            count += strcmp(g->nodes[i].type, want[k].type) == 0;
        ck_assert_msg(count == want[k].count, "%u of %s instead of %u", count, want[k].type, want[k].count);
        all += count;
    }
    ck_assert_uint_eq(all, g->nnodes);
    gh_graph_free(&g);
}
END_TEST

/* Three photos, labelled by eye. */
START_TEST(test_eval)
{
    static const char *const photos[] = {"motorcycle_left.png", "coffee.png", "chelsea.png"};
    char line[512], name[64];
    tiny_setup();
    for (size_t i = 0; i < GH_COUNT(photos); i++) {
        read_photo(photos[i]);
        snprintf(name, sizeof name, "set/images/%s", photos[i]);
        tiny_file(name, file.data, file.len);
    }
    tiny_text("set/annotations.json",
              "{\"images\": [{\"id\": 1, \"file_name\": \"motorcycle_left.png\"},\n"
              " {\"id\": 2, \"file_name\": \"coffee.png\"}, {\"id\": 3, \"file_name\": \"chelsea.png\"}],\n"
              " \"categories\": [{\"id\": 1, \"name\": \"motorcycle\"}, {\"id\": 2, \"name\": \"cup\"},\n"
              " {\"id\": 3, \"name\": \"cat\"}, {\"id\": 4, \"name\": \"dining_table\"},\n"
              " {\"id\": 5, \"name\": \"spoon\"}],\n"
              " \"annotations\": [\n"
              " {\"image_id\": 1, \"category_id\": 1, \"bbox\": [96, 78, 587, 374]},\n"
              " {\"image_id\": 2, \"category_id\": 2, \"bbox\": [175, 20, 234, 288]},\n"
              " {\"image_id\": 2, \"category_id\": 4, \"bbox\": [0, 0, 600, 400]},\n"
              " {\"image_id\": 2, \"category_id\": 5, \"bbox\": [300, 60, 118, 266]},\n"
              " {\"image_id\": 3, \"category_id\": 3, \"bbox\": [0, 0, 405, 300]}]}");
    snprintf(line, sizeof line, "eval --model models/objects --data %s --json", tiny_path("set"));
    int code = capture_command(gh_cmd_eval, line);
    ck_assert_msg(code == 0, "%d: %s%s", code, capture_out, capture_err);
    json_t *root = json_loads(capture_out, 0, NULL), *all = json_object_get(root, "all");
    ck_assert_double_eq(json_number_value(json_object_get(all, "boxes")), 5);
    /* four classes whole; the spoon is not found over anything, or far down */
    double ap = json_number_value(json_object_get(all, "ap50"));
    ck_assert_msg(ap >= 0.8 - 1e-6 && ap <= 1, "AP50 %g", ap);
    json_decref(root);
    tiny_remove();
}
END_TEST

/* Features of the whole photo, by TensorFlow.js 4.22 itself on the same pixels. */
START_TEST(test_features_of_a_face)
{
    static const struct {
        size_t at;
        double value;
    } want[] = {{0, 0.174942}, {1, 0.703436}, {495, 3.170315}, {845, 0.782961}, {951, 0.793937}};
    double sum = 0;
    run("models/faceres", "astronaut.png");
    ck_assert_uint_eq(r->nfeatures, 1024);
    for (size_t i = 0; i < GH_COUNT(want); i++)
        ck_assert_double_le(fabs((double)r->features[want[i].at] - want[i].value), 1e-4);
    for (size_t i = 0; i < r->nfeatures; i++)
        sum += (double)r->features[i];
    ck_assert_double_le(fabs(sum / 1024 - 0.0400260), 1e-5);
    ck_assert(m->manifest->internal);
}
END_TEST

Suite *gh_suite_objects(void)
{
    Suite *s = suite_create("objects");
    TCase *t = tcase_create("objects");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_photos_beside_the_reference, 0, (int)GH_COUNT(boxes));
    tcase_add_test(t, test_what_is_left_of_the_graph);
    tcase_add_test(t, test_eval);
    tcase_add_test(t, test_features_of_a_face);
    suite_add_tcase(s, t);
    return s;
}
