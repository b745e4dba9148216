/* The parts of a pipeline: what may be one, what is said of those that may not, changes while it serves. */
#include "unit/suites.h"

#include "cli/cli.h"
#include "unit/capture.h"
#include "unit/pipeline_case.h"
#include "unit/red.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *pipeline, *says;
} wrong[] = {
    {"[\"red\", \"colour\"]", "it takes an object with \"detector\" and \"steps\""},
    {"{\"steps\": [" PC_COLOUR "]}", "\"pipeline.detector\" is missing"},
    {"{\"detector\": \"red\"}", "\"pipeline.steps\" is missing"},
    {"{\"detector\": \"red\", \"steps\": []}", "a list of 1 to 8 steps"},
    {"{\"detector\": \"red\", \"steps\": [\"colour\"]}", "an object with \"model\" and \"key\""},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\"}]}", "\"pipeline.steps[0].key\" is missing"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"score\"}]}",
     "no member of a box"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"landmark\"}]}",
     "no member of a box"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"A b\"}]}", "no member of a box"},
    {"{\"detector\": \"red\", \"steps\": [" PC_COLOUR ", " PC_COLOUR "]}", "a key that no other step has"},
    {"{\"detector\": \"red\", \"steps\": [" PC_COLOUR ", {\"model\": \"colour\", \"key\": \"colours\"}]}",
     "a key that no other step has"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"colour\", \"key\": \"a\", \"margin\": 3}]}",
     "a number from -0.4 to 2"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"red\", \"key\": \"a\"}]}",
     "as the detector and as a step"},
    {"{\"detector\": \"none\", \"steps\": [" PC_COLOUR "]}", "needs the model 'none'"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"none\", \"key\": \"a\"}]}", "needs the model 'none'"},
    {"{\"detector\": \"both\", \"steps\": [" PC_COLOUR "]}", "its detector is the pipeline itself"},
    {"{\"detector\": \"red\", \"steps\": [{\"model\": \"both\", \"key\": \"a\"}]}",
     "its step is the pipeline itself"},
    {"{\"detector\": \"other\", \"steps\": [" PC_COLOUR "]}", "pipeline itself"},
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
                                  "\"pipeline\": {\"detector\": \"both\", \"steps\": [" PC_COLOUR "]}}");
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
    ck_assert_int_eq(pc_open(), GH_UNAVAILABLE); /* it is listed, with its reason */
    ck_assert_msg(strstr(pc.e.text, wrong[_i].says) != NULL, "%s", pc.e.text);
    ck_assert_ptr_null(strstr(pc.e.text, "/tmp"));
    ck_assert_int_eq(gh_registry_find(&pc.m, pc.all, "red", &pc.e), GH_OK); /* the others serve */
    gh_model_put(&pc.m);
    /* alone, as predict opens it, it says so, too */
    ck_assert_int_ne(gh_model_open(&pc.m, tiny_path("both"), false, &pc.e), GH_OK);
    ck_assert_msg(strstr(pc.e.text, wrong[_i].says) != NULL, "%s", pc.e.text);
}
END_TEST

START_TEST(test_only_localize)
{
    tiny_text("both/model.json",
              "{\"name\": \"both\", \"version\": \"1\", \"task\": \"classify\", \"pipeline\": "
              "{\"detector\": \"red\", \"steps\": [" PC_COLOUR "]}}");
    ck_assert_int_eq(pc_open(), GH_UNAVAILABLE);
    ck_assert_msg(strstr(pc.e.text, "a pipeline has the task localize, not classify") != NULL, "%s",
                  pc.e.text);
    pc_write(PC_COLOUR);
    tiny_onnx("both/model.onnx");
    ck_assert_int_eq(pc_open(), GH_UNAVAILABLE);
    ck_assert_msg(strstr(pc.e.text, "there may be no network in its folder") != NULL, "%s", pc.e.text);
}
END_TEST

START_TEST(test_a_part_that_failed_is_named)
{
    tiny_text("colour/model.onnx", "no network");
    ck_assert_int_eq(pc_open(), GH_UNAVAILABLE);
    ck_assert_msg(strstr(pc.e.text, "it needs the model 'colour', which did not load") != NULL, "%s",
                  pc.e.text);
    ck_assert(!gh_registry_ready(pc.all));
}
END_TEST

START_TEST(test_parts_may_be_internal)
{
    tiny_model("colour", ", \"internal\": true");
    red_manifest("centernet", "\"fit\": \"stretch\", \"stride\": 32", ", \"internal\": true");
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    gh_model_put(&pc.m);
    ck_assert_int_eq(gh_registry_default(&pc.m, pc.all, GH_TASK_LOCALIZE, &pc.e),
                     GH_OK); /* the only one that is left */
    ck_assert_str_eq(pc.m->name, "both");
}
END_TEST

START_TEST(test_selftest)
{
    tiny_text("both/model.json",
              "{\"name\": \"both\", \"version\": \"1\", \"task\": \"localize\", \"pipeline\": "
              "{\"detector\": \"red\", \"steps\": [" PC_COLOUR "]}, \"selftest\": {\"input\": "
              "\"t.png\", \"index\": 0, \"score\": 0.98}}");
    pc_put(8, 8, 255, 0, 0);
    ck_assert_int_eq(gh_png_encode_rgb(&pc.picture, pc.pixels, PC_SIDE, PC_SIDE, &pc.e), GH_OK);
    tiny_file("both/t.png", pc.picture.data, pc.picture.len);
    ck_assert_msg(pc_open() == GH_OK, "%s", pc.e.text);
    tiny_picture("both/t.png", 64, 64, 0, 0, 0);
    ck_assert_int_eq(pc_open(), GH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(pc.e.text, "fails its self-test"));
}
END_TEST

START_TEST(test_a_reload_changes_the_parts)
{
    ck_assert_int_eq(pc_open(), GH_OK);
    pc_put(8, 8, 255, 0, 0);
    gh_model *before = gh_model_ref(pc.m);
    ck_assert_int_eq(pc_reload(), GH_OK);
    ck_assert_ptr_eq(pc.m, before); /* nothing changed */
    tiny_model("colour", ", \"reject\": {\"below\": 0.9999}");
    ck_assert_int_eq(pc_reload(), GH_OK);
    ck_assert_ptr_ne(pc.m, before);
    pc_run(NULL);
    ck_assert_int_eq(pc.r->objects[0].facts[0].best, -1);
    /* a step that fails now goes on as it was, and so does the pipeline */
    tiny_text("colour/model.json", "{");
    gh_model_put(&before);
    before = gh_model_ref(pc.m);
    ck_assert_int_eq(pc_reload(), GH_OK);
    ck_assert_ptr_eq(pc.m, before);
    pc_run(NULL);
    ck_assert_int_eq(pc.r->objects[0].facts[0].best, -1);
    gh_model_put(&before);
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
    pc_write(PC_COLOUR ", {\"model\": \"colour\", \"key\": \"again\"}");
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

Suite *gh_suite_pipeline_parts(void)
{
    Suite *s = suite_create("pipeline_parts");
    TCase *c = tcase_create("parts");
    tcase_add_checked_fixture(c, pc_setup, pc_teardown);
    tcase_add_loop_test(c, test_wrong_pipelines_are_told, 0, (int)GH_COUNT(wrong));
    tcase_add_test(c, test_only_localize);
    tcase_add_test(c, test_a_part_that_failed_is_named);
    tcase_add_test(c, test_parts_may_be_internal);
    tcase_add_test(c, test_selftest);
    tcase_add_test(c, test_a_reload_changes_the_parts);
    tcase_add_test(c, test_inspect_shows_the_parts);
    suite_add_tcase(s, c);
    return s;
}
