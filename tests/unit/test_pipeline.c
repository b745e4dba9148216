/* Pipelines: a detector of red things, then a classifier of colours on the crop of each. And several models
 * in one answer. */
#include "unit/suites.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "tasks/pipeline.h"
#include "train/evaluate/boxes.h"
#include "unit/capture.h"
#include "unit/red.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 128 /* of the pictures */

static gh_registry *all;
static gh_model *m;
static gh_pool *pool;
static gh_worker *w;
static gh_result *r;
static gh_buf picture;
static uint8_t *pixels;
static gh_err e;

static void write_pipeline(const char *steps)
{
    char text[2000];
    snprintf(text, sizeof text,
             "{\"name\": \"both\", \"version\": \"2\", \"task\": \"localize\", \"pipeline\": {\"detector\": "
             "\"red\", \"steps\": [%s]}}",
             steps);
    tiny_text("both/model.json", text);
}

#define COLOUR "{\"model\": \"colour\", \"key\": \"colour\", \"margin\": -0.4}"

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
    red_model();
    tiny_model("colour", "");
    write_pipeline(COLOUR);
    pixels = calloc(SIDE * SIDE, 3);
    ck_assert_ptr_nonnull(pixels);
    ck_assert_int_eq(gh_pool_new(&pool, 3, &e), GH_OK);
    ck_assert_int_eq(gh_worker_new(&w, pool, &e), GH_OK);
}

static void teardown(void)
{
    gh_result_free(&r);
    gh_worker_free(&w);
    gh_pool_free(&pool);
    gh_model_put(&m);
    gh_registry_free(&all);
    gh_buf_free(&picture);
    free(pixels);
    tiny_remove();
}

/* A square of one cell; with a margin of -0.4 the crop and all that its filter sees lie within. */
static void put(int column, int row, int red, int green, int blue)
{
    for (int y = 0; y < RED_CELL; y++)
        for (int x = 0; x < RED_CELL; x++) {
            uint8_t *p = pixels + ((row * RED_CELL + y) * SIDE + column * RED_CELL + x) * 3;
            p[0] = (uint8_t)red;
            p[1] = (uint8_t)green;
            p[2] = (uint8_t)blue;
        }
}

static gh_status open_all(void)
{
    const char *dir = tiny_path("");
    gh_registry_free(&all);
    gh_model_put(&m);
    GH_TRY(gh_registry_open(&all, &dir, 1, &e));
    return gh_registry_find(&m, all, "both", &e);
}

static gh_status reload(void)
{
    const char *dir = tiny_path("");
    gh_model_put(&m);
    GH_TRY(gh_registry_reload(all, &dir, 1, &e));
    return gh_registry_find(&m, all, "both", &e);
}

static void run(const gh_run_options *options)
{
    picture.len = 0;
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, SIDE, SIDE, &e), GH_OK);
    gh_result_free(&r);
    ck_assert_msg(gh_run(&r, w, m, picture.data, picture.len, NULL, options, &e) == GH_OK, "%s", e.text);
}

static json_t *reply(void)
{
    gh_buf text = {0};
    ck_assert_int_eq(gh_result_json(&text, r, 0, NULL, &e), GH_OK);
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    ck_assert_ptr_nonnull(o);
    gh_buf_free(&text);
    return o;
}

/* The fact of a box and its scores, which are those of a picture of that colour. */
static void check_fact(const gh_object *o, const char *label, int red, int green, int blue)
{
    ck_assert_int_eq(o->nfacts, 1);
    const gh_fact *f = o->facts;
    double sum = 0;
    ck_assert_str_eq(f->key, "colour");
    ck_assert_uint_eq(f->nlabels, TINY_CLASSES);
    ck_assert_str_eq(f->labels[f->best], label);
    for (int c = 0; c < TINY_CLASSES; c++) {
        ck_assert_double_eq_tol(f->scores[c], tiny_score(c, red, green, blue), 2e-4);
        ck_assert_double_eq_tol(f->scores[c] * 1e6, nearbyint(f->scores[c] * 1e6), 1e-6);
        sum += f->scores[c];
    }
    ck_assert_double_eq_tol(sum, 1, 1e-12);
}

/* Many boxes, so that every thread of the pool has some; each gets what its own crop says. */
START_TEST(test_every_box_gets_its_fact)
{
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    for (int i = 0; i < 49; i++)
        put(2 + i % 7 * 4, 2 + i / 7 * 4, 255, i % 3 == 0 ? 0 : 128, i % 3 == 2 ? 255 : 0);
    run(NULL);
    ck_assert_uint_eq(r->nobjects, 49);
    for (size_t i = 0; i < r->nobjects; i++) {
        const gh_object *o = &r->objects[i];
        int n = (o->x / RED_CELL - 1) / 4 + (o->y / RED_CELL - 1) / 4 * 7;
        check_fact(o, "red", 255, n % 3 == 0 ? 0 : 128, n % 3 == 2 ? 255 : 0);
    }
    ck_assert(r->has_crops);
}
END_TEST

START_TEST(test_margin_counts)
{
    write_pipeline(
        "{\"model\": \"colour\", \"key\": \"colour\"}, {\"model\": \"colour\", \"key\": \"inner\", "
        "\"margin\": -0.4}");
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    put(8, 8, 255, 0, 0);
    run(NULL);
    ck_assert_uint_eq(r->nobjects, 1);
    const gh_fact *f = r->objects[0].facts;
    ck_assert_int_eq(r->objects[0].nfacts, 2);
    ck_assert_str_eq(f[0].labels[f[0].best], "dark"); /* a quarter of the box is red */
    ck_assert_str_eq(f[1].labels[f[1].best], "red");
}
END_TEST

START_TEST(test_reply_has_label_and_scores)
{
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    put(8, 8, 255, 0, 0);
    run(NULL);
    json_t *o = reply(), *box = json_array_get(json_object_get(o, "objects"), 0), *value;
    const char *key;
    double sum = 0;
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "both");
    ck_assert_str_eq(json_string_value(json_object_get(box, "label")), "red");
    ck_assert_str_eq(json_string_value(json_object_get(box, "colour")), "red");
    json_object_foreach(json_object_get(box, "colours"), key, value)
    {
        ck_assert(json_real_value(value) >= 0);
        sum += json_real_value(value);
    }
    ck_assert_uint_eq(json_object_size(json_object_get(box, "colours")), TINY_CLASSES);
    ck_assert_double_eq_tol(sum, 1, 1e-9); /* as printed */
    ck_assert_ptr_nonnull(json_object_get(json_object_get(o, "time_ms"), "crops"));
    json_decref(o);
}
END_TEST

START_TEST(test_no_box_no_fact)
{
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    run(NULL);
    json_t *o = reply();
    ck_assert(json_is_array(json_object_get(o, "objects")));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "objects")), 0);
    json_decref(o);
}
END_TEST

START_TEST(test_emotions_can_be_left_out)
{
    write_pipeline("{\"model\": \"colour\", \"key\": \"emotion\"}, " COLOUR);
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    put(8, 8, 255, 0, 0);
    run(NULL);
    ck_assert_int_eq(r->objects[0].nfacts, 2);
    run(&(gh_run_options){.no_emotions = true});
    check_fact(&r->objects[0], "red", 255, 0, 0);
    write_pipeline("{\"model\": \"colour\", \"key\": \"emotion\"}");
    ck_assert_int_eq(open_all(), GH_OK);
    run(&(gh_run_options){.no_emotions = true});
    ck_assert_int_eq(r->objects[0].nfacts, 0);
    ck_assert(!r->has_crops);
    json_t *o = reply();
    ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(o, "objects"), 0), "emotion"));
    ck_assert_ptr_null(json_object_get(json_object_get(o, "time_ms"), "crops"));
    json_decref(o);
}
END_TEST

START_TEST(test_the_reject_rule_of_a_step)
{
    tiny_model("colour", ", \"reject\": {\"below\": 0.9999}");
    ck_assert_int_eq(open_all(), GH_OK);
    put(8, 8, 255, 0, 0);
    run(NULL);
    ck_assert_int_eq(r->objects[0].facts[0].best, -1);
    json_t *o = reply(), *box = json_array_get(json_object_get(o, "objects"), 0);
    ck_assert(json_is_null(json_object_get(box, "colour")));
    ck_assert_uint_eq(json_object_size(json_object_get(box, "colours")), TINY_CLASSES);
    json_decref(o);
}
END_TEST

START_TEST(test_deadline_stops_between_crops)
{
    const gh_run_options late = {.deadline_ns = 1};
    ck_assert_int_eq(open_all(), GH_OK);
    put(8, 8, 255, 0, 0);
    run(NULL);
    gh_result_free(&r);
    ck_assert_int_eq(gh_run(&r, w, m, picture.data, picture.len, NULL, &late, &e), GH_TIMEOUT);
}
END_TEST

/* ---- manifests ---- */

static const struct {
    const char *pipeline, *says;
} wrong[] = {
    {"[\"red\", \"colour\"]", "it takes an object with \"detector\" and \"steps\""},
    {"{\"steps\": [" COLOUR "]}", "\"pipeline.detector\" is missing"},
    {"{\"detector\": \"red\"}", "\"pipeline.steps\" is missing"},
    {"{\"detector\": \"red\", \"steps\": []}", "a list of 1 to 8 steps"},
    {"{\"detector\": \"red\", \"steps\": [\"colour\"]}", "an object with \"model\" and \"key\""},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\"}]}", "\"pipeline.steps[0].key\" is missing"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"score\"}]}",
     "no member of a box"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"landmark\"}]}",
     "no member of a box"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"A b\"}]}", "no member of a box"},
    {"{\"detector\": \"red\", \"steps\": [" COLOUR ", " COLOUR "]}", "a key that no other step has"},
    {"{\"detector\": \"red\", \"steps\": [" COLOUR ", {\"model\": \"colour\", \"key\": \"colours\"}]}",
     "a key that no other step has"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"a\", \"margin\": 3}]}",
     "a number from -0.4 to 2"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"red\", \"key\": \"a\"}]}",
     "as the detector and as a step"},
    {"{\"detector\": \"none\", \"steps\": [" COLOUR "]}", "needs the model 'none'"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"none\", \"key\": \"a\"}]}", "needs the model 'none'"},
    {"{\"detector\": \"both\", \"steps\": [" COLOUR "]}", "its detector is the pipeline itself"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"both\", \"key\": \"a\"}]}",
     "its step is the pipeline itself"},
    {"{\"detector\": \"other\", \"steps\": [" COLOUR "]}", "pipeline itself"},
    {"{\"detector\": \"colour\", \"steps\": [{\"model\": \"red\", \"key\": \"a\"}]}",
     "its detector 'colour' is for the task classify; it takes one for localize"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"red2\", \"key\": \"a\"}]}",
     "its step 'red2' is for the task localize; it takes one for classify"},
};

/* Two pipelines that name each other are told by the same rule as one that names another. */
static void write_wrong(const char *pipeline)
{
    char text[900];
    snprintf(text, sizeof text,
             "{\"name\": \"both\", \"version\": \"1\", \"task\": \"localize\", \"pipeline\": %s}", pipeline);
    tiny_text("both/model.json", text);
    tiny_text("other/model.json", "{\"name\": \"other\", \"version\": \"1\", \"task\": \"localize\", "
                                  "\"pipeline\": {\"detector\": \"both\", \"steps\": [" COLOUR "]}}");
    red_manifest("centernet", "\"fit\": \"stretch\", \"stride\": 32", "");
    tiny_text("red2/model.json",
              "{\"name\": \"red2\", \"version\": \"1\", \"task\": \"localize\", \"labels\": "
              "[\"red\"], \"threshold\": 0.5, \"output\": \"centernet\", \"input\": {\"width\": "
              "64, \"height\": 32, \"mean\": 0, \"scale\": 0.01, \"fit\": \"stretch\", "
              "\"stride\": 32}}");
    ck_assert_int_eq(symlink(tiny_path("red/model.onnx"), tiny_path("red2/model.onnx")), 0);
}

START_TEST(test_wrong_pipelines_are_told)
{
    write_wrong(wrong[_i].pipeline);
    ck_assert_int_eq(open_all(), GH_UNAVAILABLE); /* it is listed, with its reason */
    ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL, "%s", e.text);
    ck_assert_ptr_null(strstr(e.text, "/tmp"));
    ck_assert_int_eq(gh_registry_find(&m, all, "red", &e), GH_OK); /* the others serve */
    gh_model_put(&m);
    /* alone, as predict opens it, it says so, too */
    ck_assert_int_ne(gh_model_open(&m, tiny_path("both"), false, &e), GH_OK);
    ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL, "%s", e.text);
}
END_TEST

START_TEST(test_only_localize)
{
    tiny_text("both/model.json",
              "{\"name\": \"both\", \"version\": \"1\", \"task\": \"classify\", \"pipeline\": "
              "{\"detector\": \"red\", \"steps\": [" COLOUR "]}}");
    ck_assert_int_eq(open_all(), GH_UNAVAILABLE);
    ck_assert_msg(strstr(e.text, "a pipeline has the task localize, not classify") != NULL, "%s", e.text);
    write_pipeline(COLOUR);
    tiny_onnx("both/model.onnx");
    ck_assert_int_eq(open_all(), GH_UNAVAILABLE);
    ck_assert_msg(strstr(e.text, "there may be no network in its folder") != NULL, "%s", e.text);
}
END_TEST

START_TEST(test_a_part_that_failed_is_named)
{
    tiny_text("colour/model.onnx", "no network");
    ck_assert_int_eq(open_all(), GH_UNAVAILABLE);
    ck_assert_msg(strstr(e.text, "it needs the model 'colour', which did not load") != NULL, "%s", e.text);
    ck_assert(!gh_registry_ready(all));
}
END_TEST

START_TEST(test_parts_may_be_internal)
{
    tiny_model("colour", ", \"internal\": true");
    red_manifest("centernet", "\"fit\": \"stretch\", \"stride\": 32", ", \"internal\": true");
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    gh_model_put(&m);
    ck_assert_int_eq(gh_registry_default(&m, all, GH_TASK_LOCALIZE, &e),
                     GH_OK); /* the only one that is left */
    ck_assert_str_eq(m->name, "both");
}
END_TEST

START_TEST(test_selftest)
{
    tiny_text("both/model.json",
              "{\"name\": \"both\", \"version\": \"1\", \"task\": \"localize\", \"pipeline\": "
              "{\"detector\": \"red\", \"steps\": [" COLOUR "]}, \"selftest\": {\"input\": "
              "\"t.png\", \"index\": 0, \"score\": 0.98}}");
    put(8, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, SIDE, SIDE, &e), GH_OK);
    tiny_file("both/t.png", picture.data, picture.len);
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    tiny_picture("both/t.png", 64, 64, 0, 0, 0);
    ck_assert_int_eq(open_all(), GH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(e.text, "fails its self-test"));
}
END_TEST

/* ---- reload ---- */

START_TEST(test_a_reload_changes_the_parts)
{
    ck_assert_int_eq(open_all(), GH_OK);
    put(8, 8, 255, 0, 0);
    gh_model *before = gh_model_ref(m);
    ck_assert_int_eq(reload(), GH_OK);
    ck_assert_ptr_eq(m, before); /* nothing changed */
    tiny_model("colour", ", \"reject\": {\"below\": 0.9999}");
    ck_assert_int_eq(reload(), GH_OK);
    ck_assert_ptr_ne(m, before);
    run(NULL);
    ck_assert_int_eq(r->objects[0].facts[0].best, -1);
    /* a step that fails now goes on as it was, and so does the pipeline */
    tiny_text("colour/model.json", "{");
    gh_model_put(&before);
    before = gh_model_ref(m);
    ck_assert_int_eq(reload(), GH_OK);
    ck_assert_ptr_eq(m, before);
    run(NULL);
    ck_assert_int_eq(r->objects[0].facts[0].best, -1);
    gh_model_put(&before);
}
END_TEST

/* ---- alone, and through the public interface ---- */

START_TEST(test_public_interface)
{
    gh_predictor *p = NULL;
    gh_predictor_options po;
    gh_predict_options o;
    gh_fact_result f = {.size = sizeof f};
    const char *dir = tiny_path("");
    put(8, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, SIDE, SIDE, &e), GH_OK);
    tiny_text("elsewhere/both/model.json",
              "{\"name\": \"both\", \"version\": \"1\", \"task\": \"localize\", \"pipeline\": {\"detector\": "
              "\"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"emotion\", \"margin\": -0.4}]}}");
    gh_predictor_options_init(&po);
    ck_assert_int_eq(gh_predictor_open(&p, tiny_path("elsewhere/both"), &po, &e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "is it fetched?"));
    po.model_dirs = &dir;
    po.model_dir_count = 1;
    ck_assert_msg(gh_predictor_open(&p, tiny_path("elsewhere/both"), &po, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_result_fact(&f, r, 0, 0), GH_OK);
    ck_assert_str_eq(f.key, "emotion");
    ck_assert_str_eq(f.label, "red");
    ck_assert_double_eq_tol(f.score, tiny_score(0, 255, 0, 0), 1e-3);
    ck_assert_uint_eq(f.label_count, TINY_CLASSES);
    ck_assert_int_eq(gh_result_fact(&f, r, 0, 1), GH_ARG);
    ck_assert_int_eq(gh_result_fact(&f, r, 1, 0), GH_ARG);
    gh_result_free(&r);
    gh_predict_options_init(&o);
    o.no_emotions = 1;
    ck_assert_int_eq(gh_predictor_run(&r, p, picture.data, picture.len, &o, &e), GH_OK);
    ck_assert_int_eq(gh_result_fact(&f, r, 0, 0), GH_ARG);
    ck_assert_int_eq(gh_predictor_add(p, tiny_path("colour"), &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "for the task classify"));
    gh_predictor_close(&p);
}
END_TEST

START_TEST(test_two_models_one_list)
{
    gh_model *models[2] = {NULL, NULL};
    const gh_run_options two = {.limit = 2};
    ck_assert_int_eq(open_all(), GH_OK);
    models[0] = m;
    ck_assert_int_eq(gh_registry_find(&models[1], all, "red", &e), GH_OK);
    put(8, 8, 255, 0, 0);
    put(0, 20, 255, 0, 0); /* at the border: a smaller box */
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, SIDE, SIDE, &e), GH_OK);
    ck_assert_msg(gh_run_merged(&r, w, models, 2, picture.data, picture.len, NULL, NULL, &e) == GH_OK, "%s",
                  e.text);
    ck_assert_uint_eq(r->nobjects, 4);
    for (size_t i = 1; i < 4; i++)
        ck_assert_int_le(r->objects[i].w * r->objects[i].h, r->objects[i - 1].w * r->objects[i - 1].h);
    ck_assert_int_eq(r->objects[0].w, 8);
    ck_assert_int_eq(r->objects[3].w, 6);
    ck_assert_int_eq(r->objects[0].nfacts + r->objects[1].nfacts, 1);
    json_t *o = reply();
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "both,red");
    ck_assert_str_eq(json_string_value(json_object_get(o, "version")), "2,1");
    json_decref(o);
    gh_result_free(&r);
    ck_assert_int_eq(gh_run_merged(&r, w, models, 2, picture.data, picture.len, NULL, &two, &e), GH_OK);
    ck_assert_uint_eq(r->nobjects, 2);
    gh_result_free(&r);
    ck_assert_int_eq(gh_run_merged(&r, w, models, 2, (const uint8_t *)"x", 1, NULL, NULL, &e),
                     GH_UNSUPPORTED);
    gh_model_put(&models[1]);
}
END_TEST

START_TEST(test_rounding_keeps_the_sum)
{
    double third[3] = {1 / 3.0, 1 / 3.0, 1 / 3.0}, many[1000];
    gh_round_scores(third, 3);
    ck_assert_double_eq_tol(third[0] + third[1] + third[2], 1, 1e-12);
    for (int i = 0; i < 1000; i++)
        many[i] = 1 / 1000.0 + (i % 2 ? 4e-7 : -4e-7); /* each would round the same way */
    gh_round_scores(many, 1000);
    double sum = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert_double_eq_tol(many[i], 0.001, 1.5e-6);
        sum += many[i];
    }
    ck_assert_double_eq_tol(sum, 1, 1e-9);
}
END_TEST

/* A pipeline's boxes are measured as its detector's are, under the pipeline's own threshold. */
START_TEST(test_boxes_of_a_pipeline_are_measured)
{
    gh_boxset *set = NULL;
    gh_boxes_evaluation *ev = NULL;
    const gh_boxes_options options = {.threads = 1};
    ck_assert_int_eq(open_all(), GH_OK);
    put(8, 8, 255, 0, 0);
    put(16, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, SIDE, SIDE, &e), GH_OK);
    tiny_file("set/images/a.png", picture.data, picture.len);
    tiny_text("set/annotations.json",
              "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}], \"categories\": [{\"id\": 1, "
              "\"name\": \"red\"}], \"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, "
              "\"bbox\": [30, 30, 8, 8]}, {\"id\": 2, \"image_id\": 1, \"category_id\": 1, \"bbox\": "
              "[62, 30, 8, 8]}]}");
    ck_assert_msg(gh_boxset_open(&set, tiny_path("set"), &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_evaluate_boxes(&ev, m, set, &options, NULL, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(ev->truths, 2);
    ck_assert_uint_eq(ev->classes[1].at[GH_AP_50].right, 2);
    ck_assert_double_eq_tol(ev->classes[1].at[GH_AP_50].ap, 1, 1e-9);
    gh_boxes_evaluation_free(&ev);
    gh_boxset_free(&set);
}
END_TEST

/* Every allocation from the pipeline to its answer may fail. */
START_TEST(test_memory_may_run_out)
{
    gh_status status = GH_NOMEM;
    int i = 0;
    ck_assert_int_eq(open_all(), GH_OK);
    put(8, 8, 255, 0, 0);
    put(16, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, SIDE, SIDE, &e), GH_OK);
    for (; i < 2000 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = gh_run(&r, w, m, picture.data, picture.len, NULL, NULL, &e);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, e.text);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_uint_eq(r->nobjects, 2);
    ck_assert_int_gt(i, 10);
}
END_TEST

static double part_number(const json_t *o, size_t part, const char *key)
{
    return json_number_value(json_object_get(json_array_get(json_object_get(o, "parts"), part), key));
}

/* Inspect shows each network once, however often a step reads it, and what they take together. */
START_TEST(test_inspect_shows_the_parts)
{
    char line[256];
    write_pipeline(COLOUR ", {\"model\": \"colour\", \"key\": \"again\"}");
    snprintf(line, sizeof line, "inspect --json %s", tiny_path("both"));
    ck_assert_int_eq(capture_command(gh_cmd_inspect, line), 0);
    json_t *o = json_loads(capture_out, 0, NULL);
    ck_assert_ptr_nonnull(o);
    const json_t *parts = json_object_get(o, "parts");
    ck_assert_uint_eq(json_array_size(parts), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(parts, 0), "model")), "red");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(parts, 0), "role")), "detector");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(parts, 1), "model")), "colour");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(parts, 1), "role")), "step");
    double arena = fmax(part_number(o, 0, "arena_bytes"), part_number(o, 1, "arena_bytes"));
    ck_assert_double_gt(arena, 0);
    ck_assert_double_eq(json_number_value(json_object_get(o, "arena_bytes")), arena);
    double packed = part_number(o, 0, "packed_bytes") + part_number(o, 1, "packed_bytes");
    ck_assert_double_gt(packed, 0);
    ck_assert_double_eq(json_number_value(json_object_get(o, "packed_bytes")), packed);
    json_decref(o);
    snprintf(line, sizeof line, "inspect %s", tiny_path("both"));
    ck_assert_int_eq(capture_command(gh_cmd_inspect, line), 0);
    ck_assert_ptr_nonnull(strstr(capture_out, "\ndetector     red version 1: "));
    ck_assert_ptr_nonnull(strstr(capture_out, "\nstep         colour version 1: "));
    ck_assert_ptr_nonnull(strstr(capture_out, "\nmemory "));
    snprintf(line, sizeof line, "inspect --plan %s", tiny_path("both"));
    ck_assert_int_eq(capture_command(gh_cmd_inspect, line), 2);
    ck_assert_ptr_nonnull(strstr(capture_err, "name one of the parts"));
}
END_TEST

Suite *gh_suite_pipeline(void)
{
    Suite *s = suite_create("pipeline");
    TCase *t = tcase_create("pipeline");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_every_box_gets_its_fact);
    tcase_add_test(t, test_margin_counts);
    tcase_add_test(t, test_reply_has_label_and_scores);
    tcase_add_test(t, test_no_box_no_fact);
    tcase_add_test(t, test_emotions_can_be_left_out);
    tcase_add_test(t, test_the_reject_rule_of_a_step);
    tcase_add_test(t, test_deadline_stops_between_crops);
    tcase_add_loop_test(t, test_wrong_pipelines_are_told, 0, (int)GH_COUNT(wrong));
    tcase_add_test(t, test_only_localize);
    tcase_add_test(t, test_a_part_that_failed_is_named);
    tcase_add_test(t, test_parts_may_be_internal);
    tcase_add_test(t, test_selftest);
    tcase_add_test(t, test_a_reload_changes_the_parts);
    tcase_add_test(t, test_public_interface);
    tcase_add_test(t, test_two_models_one_list);
    tcase_add_test(t, test_rounding_keeps_the_sum);
    tcase_add_test(t, test_boxes_of_a_pipeline_are_measured);
    tcase_add_test(t, test_inspect_shows_the_parts);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
