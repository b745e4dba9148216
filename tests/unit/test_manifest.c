/* Manifests: what is read, what is refused and with which words, and what is served of them. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/manifest.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <string.h>

static gh_manifest *m;
static gh_err e;

static void setup(void)
{
    tiny_setup();
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_manifest_free(&m);
    tiny_remove();
}

static gh_status parse(const char *text)
{
    gh_manifest_free(&m);
    return gh_manifest_parse(&m, tiny_path(""), text, strlen(text), &e);
}

#define INPUT                                                                                                \
    "\"input\": {\"width\": 224, \"height\": 192, \"mean\": [1, 2.5, 3], \"scale\": 0.5, \"fit\": \"crop\"}"
#define HEAD   "{\"name\": \"m\", \"version\": \"3\", \"task\": \"classify\""
#define OUTPUT "\"output\": {\"decoder\": \"softmax\"}"
#define LABELS "\"labels\": [\"a\", \"b\"]"
#define GOOD   HEAD ", " INPUT ", " OUTPUT ", " LABELS

START_TEST(test_every_key_is_read)
{
    const char *text =
        HEAD ", \"default\": true, \"internal\": true, \"description\": \"d\", \"license\": \"MIT\", "
             "\"threshold\": 0.1, \"precision\": \"bf16\","
             "\"input\": {\"width\": 224, \"height\": 192, \"mean\": [1, 2.5, 3], \"scale\": 0.5, \"fit\": "
             "\"letterbox\","
             " \"crop\": 0.875, \"filter\": \"bicubic\", \"colour\": \"bgr\", \"sizes\": [[64, 32], [9, 8]],"
             " \"stride\": 32}, \"output\": \"probabilities\", " LABELS
             ", \"reject\": {\"below\": 0.3}, \"cut\": \"pool\", \"body\": \"00ff\", \"colours\": [[0, 1, "
             "255], [9, 9, 9]],"
             "\"selftest\": {\"input\": \"t.png\", \"index\": 1, \"score\": 0.5, \"tolerance\": 0.1, "
             "\"label\": \"b\"},"
             "\"source\": {\"package\": \"p\"}, \"accuracy\": [{\"value\": 0.9}]}";
    ck_assert_msg(parse(text) == GH_OK, "%s", e.text);
    ck_assert_str_eq(m->name, "m");
    ck_assert_str_eq(m->version, "3");
    ck_assert(m->is_default && m->internal);
    ck_assert_int_eq(m->precision, GH_PRECISION_BF16);
    ck_assert_int_eq(m->input.width, 224);
    ck_assert_int_eq(m->input.height, 192);
    ck_assert_float_eq(m->input.mean[1], 2.5f);
    ck_assert_float_eq(m->input.scale[2], 0.5f);
    ck_assert_int_eq(m->input.fit, GH_FIT_LETTERBOX);
    ck_assert_double_eq(m->input.crop, 0.875);
    ck_assert_int_eq(m->input.filter, GH_FILTER_BICUBIC);
    ck_assert_int_eq(m->input.order, GH_ORDER_BGR);
    ck_assert_int_eq(m->input.nsizes, 2);
    ck_assert_int_eq(m->input.sizes[1].width, 9);
    ck_assert_int_eq(m->input.stride, 32);
    ck_assert_int_eq(m->decoder, GH_DECODE_PROBABILITIES);
    ck_assert_uint_eq(m->nlabels, 2);
    ck_assert_str_eq(m->labels[1], "b");
    ck_assert_double_eq(m->threshold, 0.1);
    ck_assert_double_eq(m->reject_below, 0.3);
    ck_assert_str_eq(m->selftest.input, "t.png");
    ck_assert_int_eq(m->selftest.index, 1);
    ck_assert_double_eq(m->selftest.tolerance, 0.1);
    ck_assert_str_eq(m->cut, "pool");
    ck_assert_str_eq(m->body, "00ff");
    ck_assert_int_eq(m->colours[0][2], 255);
}
END_TEST

START_TEST(test_defaults)
{
    ck_assert_msg(parse(GOOD "}") == GH_OK, "%s", e.text);
    ck_assert(!m->is_default && !m->internal);
    ck_assert_double_eq(m->input.crop, 1);
    ck_assert_int_eq(m->input.filter, GH_FILTER_BILINEAR);
    ck_assert_int_eq(m->input.order, GH_ORDER_RGB);
    ck_assert_ptr_null(m->selftest.input);
    ck_assert_double_eq(m->reject_below, 0);
}
END_TEST

#define BOXES                                                                                                \
    "{\"name\": \"m\", \"version\": \"3\", \"task\": \"localize\", \"input\": {\"width\": 8, \"height\": "   \
    "8, "                                                                                                    \
    "\"mean\": 0, \"scale\": 1, \"fit\": \"pad\"}, \"labels\": [\"\", \"cat\"], \"output\": {\"decoder\": "  \
    "\"anchors\""

START_TEST(test_boxes)
{
    ck_assert_msg(parse(BOXES "}}") == GH_OK, "%s", e.text);
    ck_assert_int_eq(m->input.fit, GH_FIT_PAD);
    ck_assert_uint_eq(m->nlabels, 2);
    ck_assert_str_eq(m->labels[0], "");
    ck_assert_double_eq(m->boxes.variances[0], 0.1);
    ck_assert_double_eq(m->boxes.variances[1], 0.2);
    ck_assert_int_eq(m->boxes.sort, GH_SORT_SCORE);
    ck_assert_int_eq(m->boxes.nlevels, 0);
    gh_manifest_free(&m);
    ck_assert_msg(
        parse(BOXES
              ", \"nms\": 0.6, \"sort\": \"area\", \"boxes\": \"B\", \"scores\": \"S\", \"anchors\": "
              "\"A\", \"variances\": [1, 2], \"order\": \"yx\", \"activation\": \"sigmoid\"}}") == GH_OK,
        "%s", e.text);
    ck_assert_double_eq(m->boxes.overlap, 0.6);
    ck_assert_int_eq(m->boxes.sort, GH_SORT_AREA);
    ck_assert_str_eq(m->boxes.names[0], "B");
    ck_assert_str_eq(m->boxes.names[3], "A");
    ck_assert_ptr_null(m->boxes.names[2]);
    ck_assert_double_eq(m->boxes.variances[1], 2);
    ck_assert_int_eq(m->boxes.axes, GH_AXES_YX);
    ck_assert_int_eq(m->boxes.activation, GH_ACTIVATION_SIGMOID);
    gh_manifest_free(&m);
    ck_assert_msg(parse(BOXES ", \"anchors\": {\"strides\": [8, 16], \"sizes\": [[16, 32.5], [64]]}}}") ==
                      GH_OK,
                  "%s", e.text);
    ck_assert_int_eq(m->boxes.nlevels, 2);
    ck_assert_int_eq(m->boxes.levels[1].stride, 16);
    ck_assert_int_eq(m->boxes.levels[0].nsizes, 2);
    ck_assert_float_eq(m->boxes.levels[0].sizes[1], 32.5f);
}
END_TEST

static const struct {
    const char *text, *says;
} wrong[] = {
    {BOXES ", \"nms\": 0}}", "\"output.nms\" is 0"},
    {BOXES ", \"sort\": \"size\"}}", "it takes one of score, area"},
    {BOXES ", \"order\": 1}}", "it takes one of xy, yx"},
    {BOXES ", \"activation\": \"relu\"}}", "it takes one of none, sigmoid, softmax"},
    {BOXES ", \"variances\": [1]}}", "two numbers above 0"},
    {BOXES ", \"variances\": [1, 0]}}", "two numbers above 0"},
    {BOXES ", \"variances\": 0.1}}", "two numbers above 0"},
    {BOXES ", \"anchors\": 3}}", "\"output.anchors\" is 3"},
    {BOXES ", \"anchors\": {}}}", "the name of an output, or {\"strides\""},
    {BOXES ", \"anchors\": {\"strides\": [8], \"sizes\": []}}}", "the name of an output, or"},
    {BOXES ", \"anchors\": {\"strides\": [0], \"sizes\": [[1]]}}}", "strides of 1 to 1024"},
    {BOXES ", \"anchors\": {\"strides\": [8], \"sizes\": [[]]}}}", "lists of 1 to 8 sides"},
    {BOXES ", \"anchors\": {\"strides\": [8], \"sizes\": [[1, -1]]}}}", "lists of 1 to 8 sides"},
    {BOXES ", \"anchors\": {\"strides\": [8, 8, 8, 8, 8, 8, 8, 8, 8], \"sizes\": [1]}}}",
     "the name of an output, or"},
    {"", "not JSON"},
    {"[1, 2]", "model.json is a list of 2; it takes an object"},
    {"{", "not JSON: line 1"},
    {GOOD ", \"name\": \"twice\"}", "not JSON"},
    {GOOD "} trailing", "not JSON"},
    {"{\"version\": \"1\"}", "\"name\" is missing"},
    {"{\"name\": \"a/b\"}", "\"name\" is the text \"a/b\"; it takes 1 to 64 of the characters"},
    {"{\"name\": \"..\"}", "\"name\" is the text \"..\""},
    {"{\"name\": 5}", "\"name\" is 5"},
    {"{\"name\": \"m\"}", "\"version\" is missing"},
    {"{\"name\": \"m\", \"version\": 1}", "\"version\" is 1; it takes a text"},
    {"{\"name\": \"m\", \"version\": \"a\\nb\"}", "\"version\" is the text \"a?b\""},
    {"{\"name\": \"m\", \"version\": \"1\", \"task\": \"guess\"}",
     "\"task\" is the text \"guess\"; it takes one of classify, localize, segment, embed"},
    {HEAD "}", "\"input\" is missing"},
    {HEAD ", \"input\": 3}", "\"input\" is 3; it takes an object"},
    {HEAD ", \"input\": {}}", "\"input.width\" is missing"},
    {HEAD ", \"input\": {\"width\": 0}}", "\"input.width\" is 0; it takes a whole number from 1 to 4096"},
    {HEAD ", \"input\": {\"width\": 2.5}}", "\"input.width\" is 2.5"},
    {HEAD ", \"input\": {\"width\": 999999999999999999}}", "\"input.width\" is 999999999999999999"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": [1, 2]}}", "\"input.mean\" is a list of 2"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": [1, 2, true]}}", "\"input.mean\" is true"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": 1e300}}", "\"input.mean\" is 1e+300"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": 0, \"scale\": 0}}", "\"input.scale\" is 0"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": 0, \"scale\": 1, \"fit\": \"squash\"}}",
     "it takes one of crop, letterbox, stretch, pad"},
    {HEAD
     ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": 0, \"scale\": 1, \"fit\": \"crop\", \"crop\": 0}}",
     "\"input.crop\" is 0; it takes a number from 0.1 to 1"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": 0, \"scale\": 1, \"fit\": \"crop\", "
          "\"sizes\": [[1]]}}",
     "\"input.sizes\" is a list of 1"},
    {HEAD ", \"input\": {\"width\": 1, \"height\": 1, \"mean\": 0, \"scale\": 1, \"fit\": \"crop\", "
          "\"sizes\": {}}}",
     "\"input.sizes\" is an object"},
    {HEAD ", " INPUT "}", "\"output\" is missing"},
    {HEAD ", " INPUT ", \"output\": \"magic\"}", "\"output.decoder\" is the text \"magic\""},
    {HEAD ", " INPUT ", \"output\": {}}", "\"output.decoder\" is missing"},
    {HEAD ", " INPUT ", " OUTPUT "}", "\"labels\" is missing"},
    {HEAD ", " INPUT ", " OUTPUT ", \"labels\": []}", "\"labels\" is a list of 0"},
    {HEAD ", " INPUT ", " OUTPUT ", \"labels\": [\"a\", \"\"]}", "\"labels[1]\" is the text \"\""},
    {HEAD ", " INPUT ", " OUTPUT ", \"labels\": [\"a\", null]}", "\"labels[1]\" is null"},
    {HEAD ", " INPUT ", " OUTPUT ", \"labels\": \"../labels.txt\"}",
     "\"labels\" is the text \"../labels.txt\"; it "
     "takes the name of a file in the model's own"},
    {HEAD ", " INPUT ", " OUTPUT ", \"labels\": \"..\"}", "\"labels\" is the text \"..\""},
    {HEAD ", " INPUT ", " OUTPUT ", \"labels\": \"none.txt\"}", "none.txt"},
    {GOOD ", \"default\": 1}", "\"default\" is 1; it takes true or false"},
    {GOOD ", \"threshold\": 1.5}", "\"threshold\" is 1.5; it takes a number from 0 to 1"},
    {GOOD ", \"reject\": {\"below\": 2}}", "\"reject.below\" is 2; it takes a number from 0 to 1"},
    {GOOD ", \"reject\": {\"distance\": -1}}", "\"reject.distance\" is -1; it takes a number from 0 to"},
    {GOOD ", \"selftest\": {\"input\": \"a/b\"}}", "\"selftest.input\" is the text \"a/b\""},
    {GOOD ", \"selftest\": {\"input\": \"a\", \"index\": 2, \"score\": 0.5}}",
     "\"selftest.index\" is 2; it takes 0 to 1"},
    {GOOD ", \"colours\": [[1, 2, 3]]}", "\"colours\" has 1 entries for 2 labels"},
    {GOOD ", \"colours\": [[1, 2, 256], [0, 0, 0]]}", "\"colours\" is a list of 3"},
    {GOOD ", \"pipeline\": []}", "\"pipeline\" is a list of 0"},
    {GOOD ", \"pipeline\": {\"detector\": \"b c\"}}", "\"pipeline.detector\" is the text \"b c\""},
    {GOOD ", \"source\": \"x\"}", "\"source\" is the text \"x\"; it takes an object"},
};

START_TEST(test_wrong_manifests_are_told)
{
    gh_status status = parse(wrong[_i].text);
    ck_assert_int_ne(status, GH_OK);
    ck_assert_int_eq(status, e.status);
    ck_assert_ptr_null(m);
    ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL, "%s says: %s", wrong[_i].text, e.text);
}
END_TEST

START_TEST(test_unknown_keys_are_no_error)
{
    ck_assert_msg(parse(GOOD ", \"colour\": 1, \"future\": {\"a\": [1]}}") == GH_OK, "%s", e.text);
}
END_TEST

START_TEST(test_depth_and_size_are_limited)
{
    char deep[4000] = GOOD ", \"x\": ";
    for (int i = 0; i < 1000; i++)
        strcat(deep, "[");
    ck_assert_int_eq(parse(deep), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "deeper than 8"));
    ck_assert_msg(parse(GOOD ", \"x\": \"[[[[[[[[[[[[\\\"[[[\"}") == GH_OK, "%s", e.text); /* inside a text */
    size_t len = GH_MAX_MANIFEST_BYTES + 1;
    char *huge = gh_calloc(len + 1, 1);
    memset(huge, ' ', len);
    ck_assert_int_eq(gh_manifest_parse(&m, ".", huge, len, &e), GH_LIMIT);
    tiny_file("model.json", huge, len);
    ck_assert_int_eq(gh_manifest_read(&m, tiny_path(""), &e), GH_LIMIT);
    gh_free(huge);
}
END_TEST

static gh_status parse_label_file(const void *bytes, size_t len)
{
    tiny_file("labels.txt", bytes, len);
    return parse(HEAD ", " INPUT ", " OUTPUT ", \"labels\": \"labels.txt\"}");
}

START_TEST(test_label_files)
{
    ck_assert_msg(parse_label_file("one\r\ntwo words\nthr\xc3\xa9\x65", 21) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(m->nlabels, 3);
    ck_assert_str_eq(m->labels[0], "one");
    ck_assert_str_eq(m->labels[1], "two words");
    ck_assert_ptr_nonnull(strstr(m->json, "\"labels\":[\"one\",\"two words\",\"thr\xc3\xa9\x65\"]"));
    ck_assert_int_eq(parse_label_file("one\n", 4), GH_OK);
    ck_assert_uint_eq(m->nlabels, 1);
    ck_assert_int_eq(parse_label_file("", 0), GH_FORMAT);
    ck_assert_int_eq(parse_label_file("a\n\nb\n", 5), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "line 2 is empty"));
    ck_assert_int_eq(parse_label_file("a\nb\0c\n", 6), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "line 2 has a control character"));
    ck_assert_int_eq(parse_label_file("a\n\xff\xfe\n", 5), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "label 1 is not UTF-8"));
}
END_TEST

START_TEST(test_what_is_served_shows_no_paths)
{
    ck_assert_msg(
        parse(GOOD
              ", \"selftest\": {\"input\": \"t.png\", \"index\": 0, \"score\": 1}, \"license\": \"MIT\","
              "\"source\": {\"package\": \"p\", \"file\": \"/home/me/w.pth\", \"url\": \"https://x.org/a\","
              " \"bytes\": 5, \"nested\": {\"a\": 1}}, \"accuracy\": {\"set\": \"s\", \"value\": 0.888,"
              " \"interval95\": [0.8, 0.9], \"files\": [\"/home/me/x\"]}}") == GH_OK,
        "%s", e.text);
    json_t *o = json_loads(m->json, 0, NULL);
    ck_assert_ptr_nonnull(o);
    ck_assert_ptr_null(strstr(m->json, "/home"));
    ck_assert_ptr_null(strstr(m->json, "t.png"));
    ck_assert_ptr_null(json_object_get(json_object_get(o, "source"), "nested"));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "source"), "url")),
                     "https://x.org/a");
    ck_assert_ptr_nonnull(strstr(m->json, "\"value\":0.888"));
    ck_assert_ptr_nonnull(strstr(m->json, "\"interval95\":[0.8,0.9]"));
    ck_assert_int_eq((int)json_integer_value(json_object_get(json_object_get(o, "input"), "width")), 224);
    ck_assert_str_eq(json_string_value(json_object_get(o, "license")), "MIT");
    json_decref(o);
}
END_TEST

START_TEST(test_pipelines_need_no_input)
{
    ck_assert_msg(parse("{\"name\": \"faces\", \"version\": \"1\", \"task\": \"localize\", \"pipeline\": "
                        "{\"detector\": \"a\", \"steps\": [{\"model\": \"b\", \"key\": \"c\", "
                        "\"align\": true}]}}") == GH_OK,
                  "%s", e.text);
    ck_assert_str_eq(m->detector, "a");
    ck_assert_uint_eq(m->nsteps, 1);
    ck_assert_str_eq(m->steps[0].model, "b");
    ck_assert(m->steps[0].crop.align && !m->steps[0].crop.square && m->steps[0].crop.margin == 0);
}
END_TEST

START_TEST(test_no_folder)
{
    ck_assert_int_eq(gh_manifest_read(&m, tiny_path("nowhere"), &e), GH_NOTFOUND);
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(test_model_names)
{
    static const char *const good[] = {"a", "efficientnet-lite0", "A.b_c-9", "...", "-"};
    static const char *const bad[] = {"", ".", "..", "a/b", "a b", "\xc3\xa9", "a\n"};
    for (size_t i = 0; i < GH_COUNT(good); i++)
        ck_assert_msg(gh_model_name_ok(good[i]), "%s", good[i]);
    for (size_t i = 0; i < GH_COUNT(bad); i++)
        ck_assert_msg(!gh_model_name_ok(bad[i]), "%s", bad[i]);
    char name[66];
    memset(name, 'x', 65);
    name[65] = '\0';
    ck_assert(!gh_model_name_ok(name));
    name[64] = '\0';
    ck_assert(gh_model_name_ok(name));
}
END_TEST

/* Any allocation may fail: the answer is NOMEM and nothing leaks (the sanitizer looks). */
START_TEST(test_memory_may_run_out)
{
    tiny_text("labels.txt", "a\nb\n");
    const char *text =
        HEAD ", " INPUT ", " OUTPUT ", \"labels\": \"labels.txt\", \"colours\": [[1, 2, 3], [4, 5, 6]]}";
    gh_status status = GH_NOMEM;
    int i = 0;
    for (; i < 200 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = parse(text);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, e.text);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 3);
}
END_TEST

Suite *gh_suite_manifest(void)
{
    Suite *s = suite_create("manifest");
    TCase *t = tcase_create("manifest");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_every_key_is_read);
    tcase_add_test(t, test_defaults);
    tcase_add_test(t, test_boxes);
    tcase_add_loop_test(t, test_wrong_manifests_are_told, 0, (int)GH_COUNT(wrong));
    tcase_add_test(t, test_unknown_keys_are_no_error);
    tcase_add_test(t, test_depth_and_size_are_limited);
    tcase_add_test(t, test_label_files);
    tcase_add_test(t, test_what_is_served_shows_no_paths);
    tcase_add_test(t, test_pipelines_need_no_input);
    tcase_add_test(t, test_no_folder);
    tcase_add_test(t, test_model_names);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
