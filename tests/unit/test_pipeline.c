/* Pipelines: what a detector and a classifier on the crop of each of its boxes say together. And several
 * models in one answer. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/pipeline.h"
#include "train/evaluate/boxes.h"
#include "unit/pipeline_case.h"
#include "unit/red.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static json_t *reply(void)
{
    gh_buf text = {0};
    ck_assert_int_eq(gh_result_json(&text, pc.r, 0, NULL, &pc.e), GH_OK);
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
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    for (int i = 0; i < 49; i++)
        pc_put(2 + i % 7 * 4, 2 + i / 7 * 4, 255, i % 3 == 0 ? 0 : 128, i % 3 == 2 ? 255 : 0);
    pc_run(NULL);
    ck_assert_uint_eq(pc.r->nobjects, 49);
    for (size_t i = 0; i < pc.r->nobjects; i++) {
        const gh_object *o = &pc.r->objects[i];
        int n = (o->x / RED_CELL - 1) / 4 + (o->y / RED_CELL - 1) / 4 * 7;
        check_fact(o, "red", 255, n % 3 == 0 ? 0 : 128, n % 3 == 2 ? 255 : 0);
    }
    ck_assert(pc.r->has_crops);
}
END_TEST

START_TEST(test_margin_counts)
{
    pc_write("{\"model\": \"colour\", \"key\": \"colour\"}, {\"model\": \"colour\", \"key\": \"inner\", "
             "\"margin\": -0.4}");
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    pc_put(8, 8, 255, 0, 0);
    pc_run(NULL);
    ck_assert_uint_eq(pc.r->nobjects, 1);
    const gh_fact *f = pc.r->objects[0].facts;
    ck_assert_int_eq(pc.r->objects[0].nfacts, 2);
    ck_assert_str_eq(f[0].labels[f[0].best], "dark"); /* a quarter of the box is red */
    ck_assert_str_eq(f[1].labels[f[1].best], "red");
}
END_TEST

START_TEST(test_reply_has_label_and_scores)
{
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    pc_put(8, 8, 255, 0, 0);
    pc_run(NULL);
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
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    pc_run(NULL);
    json_t *o = reply();
    ck_assert(json_is_array(json_object_get(o, "objects")));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "objects")), 0);
    json_decref(o);
}
END_TEST

START_TEST(test_emotions_can_be_left_out)
{
    pc_write("{\"model\": \"colour\", \"key\": \"emotion\"}, " PC_COLOUR);
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    pc_put(8, 8, 255, 0, 0);
    pc_run(NULL);
    ck_assert_int_eq(pc.r->objects[0].nfacts, 2);
    pc_run(&(gh_run_options){.no_emotions = true});
    check_fact(&pc.r->objects[0], "red", 255, 0, 0);
    pc_write("{\"model\": \"colour\", \"key\": \"emotion\"}");
    ck_assert_int_eq(pc_open(), GH_OK);
    pc_run(&(gh_run_options){.no_emotions = true});
    ck_assert_int_eq(pc.r->objects[0].nfacts, 0);
    ck_assert(!pc.r->has_crops);
    json_t *o = reply();
    ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(o, "objects"), 0), "emotion"));
    ck_assert_ptr_null(json_object_get(json_object_get(o, "time_ms"), "crops"));
    json_decref(o);
}
END_TEST

START_TEST(test_the_reject_rule_of_a_step)
{
    tiny_model("colour", ", \"reject\": {\"below\": 0.9999}");
    ck_assert_int_eq(pc_open(), GH_OK);
    pc_put(8, 8, 255, 0, 0);
    pc_run(NULL);
    ck_assert_int_eq(pc.r->objects[0].facts[0].best, -1);
    json_t *o = reply(), *box = json_array_get(json_object_get(o, "objects"), 0);
    ck_assert(json_is_null(json_object_get(box, "colour")));
    ck_assert_uint_eq(json_object_size(json_object_get(box, "colours")), TINY_CLASSES);
    json_decref(o);
}
END_TEST

START_TEST(test_deadline_stops_between_crops)
{
    const gh_run_options late = {.deadline_ns = 1};
    ck_assert_int_eq(pc_open(), GH_OK);
    pc_put(8, 8, 255, 0, 0);
    pc_run(NULL);
    gh_result_free(&pc.r);
    ck_assert_int_eq(gh_run(&pc.r, pc.w, pc.m, pc.picture.data, pc.picture.len, NULL, &late, &pc.e),
                     GH_TIMEOUT);
}
END_TEST

START_TEST(test_public_interface)
{
    gh_predictor *p = NULL;
    gh_predictor_options po;
    gh_predict_options o;
    gh_fact_result f = {.size = sizeof f};
    const char *dir = tiny_path("");
    pc_put(8, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&pc.picture, pc.pixels, PC_SIDE, PC_SIDE, &pc.e), GH_OK);
    tiny_text("elsewhere/both/model.json",
              "{\"name\": \"both\", \"version\": \"1\", \"task\": \"localize\", \"pipeline\": {\"detector\": "
              "\"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"emotion\", \"margin\": -0.4}]}}");
    gh_predictor_options_init(&po);
    ck_assert_int_eq(gh_predictor_open(&p, tiny_path("elsewhere/both"), &po, &pc.e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(pc.e.text, "is it fetched?"));
    po.model_dirs = &dir;
    po.model_dir_count = 1;
    ck_assert_msg(gh_predictor_open(&p, tiny_path("elsewhere/both"), &po, &pc.e) == GH_OK, "%s", pc.e.text);
    ck_assert_int_eq(gh_predictor_run(&pc.r, p, pc.picture.data, pc.picture.len, NULL, &pc.e), GH_OK);
    ck_assert_int_eq(gh_result_fact(&f, pc.r, 0, 0), GH_OK);
    ck_assert_str_eq(f.key, "emotion");
    ck_assert_str_eq(f.label, "red");
    ck_assert_double_eq_tol(f.score, tiny_score(0, 255, 0, 0), 1e-3);
    ck_assert_uint_eq(f.label_count, TINY_CLASSES);
    ck_assert_int_eq(gh_result_fact(&f, pc.r, 0, 1), GH_ARG);
    ck_assert_int_eq(gh_result_fact(&f, pc.r, 1, 0), GH_ARG);
    gh_result_free(&pc.r);
    gh_predict_options_init(&o);
    o.no_emotions = 1;
    ck_assert_int_eq(gh_predictor_run(&pc.r, p, pc.picture.data, pc.picture.len, &o, &pc.e), GH_OK);
    ck_assert_int_eq(gh_result_fact(&f, pc.r, 0, 0), GH_ARG);
    ck_assert_int_eq(gh_predictor_add(p, tiny_path("colour"), &pc.e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(pc.e.text, "for the task classify"));
    gh_predictor_close(&p);
}
END_TEST

START_TEST(test_two_models_one_list)
{
    gh_model *models[2] = {NULL, NULL};
    const gh_run_options two = {.limit = 2};
    ck_assert_int_eq(pc_open(), GH_OK);
    models[0] = pc.m;
    ck_assert_int_eq(gh_registry_find(&models[1], pc.all, "red", &pc.e), GH_OK);
    pc_put(8, 8, 255, 0, 0);
    pc_put(0, 20, 255, 0, 0); /* at the border: a smaller box */
    ck_assert_int_eq(gh_png_encode_rgb(&pc.picture, pc.pixels, PC_SIDE, PC_SIDE, &pc.e), GH_OK);
    ck_assert_msg(gh_run_merged(&pc.r, pc.w, models, 2, pc.picture.data, pc.picture.len, NULL, NULL, &pc.e) ==
                      GH_OK,
                  "%s", pc.e.text);
    ck_assert_uint_eq(pc.r->nobjects, 4);
    for (size_t i = 1; i < 4; i++)
        ck_assert_int_le(pc.r->objects[i].w * pc.r->objects[i].h,
                         pc.r->objects[i - 1].w * pc.r->objects[i - 1].h);
    ck_assert_int_eq(pc.r->objects[0].w, 8);
    ck_assert_int_eq(pc.r->objects[3].w, 6);
    ck_assert_int_eq(pc.r->objects[0].nfacts + pc.r->objects[1].nfacts, 1);
    json_t *o = reply();
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "both,red");
    ck_assert_str_eq(json_string_value(json_object_get(o, "version")), "2,1");
    json_decref(o);
    gh_result_free(&pc.r);
    ck_assert_int_eq(
        gh_run_merged(&pc.r, pc.w, models, 2, pc.picture.data, pc.picture.len, NULL, &two, &pc.e), GH_OK);
    ck_assert_uint_eq(pc.r->nobjects, 2);
    gh_result_free(&pc.r);
    ck_assert_int_eq(gh_run_merged(&pc.r, pc.w, models, 2, (const uint8_t *)"x", 1, NULL, NULL, &pc.e),
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
    ck_assert_int_eq(pc_open(), GH_OK);
    pc_put(8, 8, 255, 0, 0);
    pc_put(16, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&pc.picture, pc.pixels, PC_SIDE, PC_SIDE, &pc.e), GH_OK);
    tiny_file("set/images/a.png", pc.picture.data, pc.picture.len);
    tiny_text("set/annotations.json",
              "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}], \"categories\": [{\"id\": 1, "
              "\"name\": \"red\"}], \"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, "
              "\"bbox\": [30, 30, 8, 8]}, {\"id\": 2, \"image_id\": 1, \"category_id\": 1, \"bbox\": "
              "[62, 30, 8, 8]}]}");
    ck_assert_msg(gh_boxset_open(&set, tiny_path("set"), &pc.e) == GH_OK, "%s", pc.e.text);
    ck_assert_msg(gh_evaluate_boxes(&ev, pc.m, set, &options, NULL, NULL, &pc.e) == GH_OK, "%s", pc.e.text);
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
    ck_assert_int_eq(pc_open(), GH_OK);
    pc_put(8, 8, 255, 0, 0);
    pc_put(16, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&pc.picture, pc.pixels, PC_SIDE, PC_SIDE, &pc.e), GH_OK);
    for (; i < 2000 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = gh_run(&pc.r, pc.w, pc.m, pc.picture.data, pc.picture.len, NULL, NULL, &pc.e);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, pc.e.text);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_uint_eq(pc.r->nobjects, 2);
    ck_assert_int_gt(i, 10);
}
END_TEST

Suite *gh_suite_pipeline(void)
{
    Suite *s = suite_create("pipeline");
    TCase *c = tcase_create("pipeline");
    tcase_add_checked_fixture(c, pc_setup, pc_teardown);
    tcase_add_test(c, test_every_box_gets_its_fact);
    tcase_add_test(c, test_margin_counts);
    tcase_add_test(c, test_reply_has_label_and_scores);
    tcase_add_test(c, test_no_box_no_fact);
    tcase_add_test(c, test_emotions_can_be_left_out);
    tcase_add_test(c, test_the_reject_rule_of_a_step);
    tcase_add_test(c, test_deadline_stops_between_crops);
    tcase_add_test(c, test_public_interface);
    tcase_add_test(c, test_two_models_one_list);
    tcase_add_test(c, test_rounding_keeps_the_sum);
    tcase_add_test(c, test_boxes_of_a_pipeline_are_measured);
    tcase_add_test(c, test_memory_may_run_out);
    suite_add_tcase(s, c);
    return s;
}
