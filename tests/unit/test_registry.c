/* Models and the registry: what loads, what fails and why, defaults, references, the self-test. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/onnx.h"
#include "tasks/registry.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gh_registry *r;
static gh_model *m;
static gh_err e;

static void setup(void)
{
    tiny_setup();
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_model_put(&m);
    gh_registry_free(&r);
    tiny_remove();
}

static gh_status open_all(void)
{
    const char *dir = tiny_path("");
    gh_registry_free(&r);
    return gh_registry_open(&r, &dir, 1, &e);
}

static gh_status find(const char *name)
{
    gh_model_put(&m);
    return gh_registry_find(&m, r, name, &e);
}

static gh_status find_default(gh_task task)
{
    gh_model_put(&m);
    return gh_registry_default(&m, r, task, &e);
}

START_TEST(test_folders_become_models)
{
    tiny_model("b", "");
    tiny_model("a", ", \"default\": true");
    tiny_text("readme.txt", "no model");
    tiny_text("empty/nothing", "");
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    ck_assert_uint_eq(gh_registry_count(r), 2);
    ck_assert(gh_registry_ready(r));
    m = gh_registry_at(r, 0);
    ck_assert_str_eq(m->name, "a");
    ck_assert_int_eq(m->state, GH_MODEL_READY);
    ck_assert_int_eq(find("b"), GH_OK);
    ck_assert_str_eq(m->manifest->name, "b");
    ck_assert_int_eq(find_default(GH_TASK_CLASSIFY), GH_OK);
    ck_assert_str_eq(m->name, "a");
    ck_assert_int_eq(find("c"), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "there are: a, b"));
    ck_assert_int_eq(find_default(GH_TASK_SEGMENT), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "task segment; name one of: none"));
}
END_TEST

START_TEST(test_default_when_none_says_so)
{
    tiny_model("a", "");
    tiny_model("hidden", ", \"internal\": true");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_int_eq(find_default(GH_TASK_CLASSIFY), GH_OK); /* the only one */
    ck_assert_str_eq(m->name, "a");
    tiny_model("b", "");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_int_eq(find_default(GH_TASK_CLASSIFY), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "name one of: a, b"));
}
END_TEST

START_TEST(test_no_models_and_no_folder)
{
    const char *nowhere = tiny_path("nowhere");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_uint_eq(gh_registry_count(r), 0);
    ck_assert(gh_registry_ready(r));
    gh_registry_free(&r);
    ck_assert_int_eq(gh_registry_open(&r, &nowhere, 1, &e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "nowhere"));
}
END_TEST

START_TEST(test_a_folder_may_be_a_model_itself)
{
    tiny_model("a", "");
    const char *dir = tiny_path("a");
    ck_assert_int_eq(gh_registry_open(&r, &dir, 1, &e), GH_OK);
    ck_assert_uint_eq(gh_registry_count(r), 1);
}
END_TEST

START_TEST(test_unfetched_models_are_skipped)
{
    tiny_model("a", "");
    tiny_text("b/model.json", tiny_manifest("b", ""));
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_uint_eq(gh_registry_count(r), 1);
}
END_TEST

/* A cut that is an output already is not there twice. */
START_TEST(test_taps_are_outputs_once)
{
    static const char *const taps[] = {"logits", "flat"};
    tiny_model("a", "");
    ck_assert_msg(gh_model_open_tapped(&m, tiny_path("a"), taps, 2, false, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(gh_net_outputs(m->net), 2);
    ck_assert_str_eq(gh_net_output(m->net, 0)->name, "logits");
    ck_assert_str_eq(gh_net_output(m->net, 1)->name, "flat");
}
END_TEST

/* A head or a pipeline on a network that was not fetched is as little there as that network. */
START_TEST(test_what_stands_on_unfetched_models_is_skipped)
{
    tiny_model("a", "");
    tiny_text("b/model.json", tiny_manifest("b", ""));
    tiny_text("head/model.json", tiny_manifest("head", ", \"body\": \"b\", \"cut\": \"pooled\""));
    tiny_text("head/head.onnx", "it is not looked at");
    tiny_text("pipe/model.json", "{\"name\": \"pipe\", \"version\": \"1\", \"task\": \"localize\", "
                                 "\"pipeline\": {\"detector\": \"b\", \"steps\": "
                                 "[{\"model\": \"a\", \"key\": \"k\"}]}}");
    tiny_text("pipe2/model.json", "{\"name\": \"pipe2\", \"version\": \"1\", \"task\": \"localize\", "
                                  "\"pipeline\": {\"detector\": \"a\", \"steps\": "
                                  "[{\"model\": \"head\", \"key\": \"k\"}]}}");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_uint_eq(gh_registry_count(r), 1);
    ck_assert(gh_registry_ready(r));
    tiny_text("lost/model.json", tiny_manifest("lost", ", \"body\": \"nowhere\", \"cut\": \"pooled\""));
    tiny_text("lost/head.onnx", "it is not looked at");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_uint_eq(gh_registry_count(r), 2);
    ck_assert(!gh_registry_ready(r));
}
END_TEST

START_TEST(test_broken_models_stay_with_their_reason)
{
    tiny_model("a", "");
    tiny_model("b", "");
    tiny_text("b/model.onnx", "this is no protobuf");
    tiny_model("c", "");
    tiny_text("c/model.json", "{\"name\": \"c\"");
    ck_assert_msg(open_all() == GH_OK, "%s", e.text);
    ck_assert_uint_eq(gh_registry_count(r), 3);
    ck_assert(!gh_registry_ready(r));
    ck_assert_int_eq(find("a"), GH_OK);
    ck_assert_int_eq(find("b"), GH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(e.text, "model 'b' did not load: "));
    m = gh_registry_at(r, 1);
    ck_assert_int_eq(m->state, GH_MODEL_FAILED);
    ck_assert_ptr_nonnull(m->manifest);
    ck_assert_ptr_null(m->net);
    ck_assert_msg(!strstr(m->failure, "/tmp"), "shows a path: %s", m->failure);
    gh_model_put(&m);
    m = gh_registry_at(r, 2);
    ck_assert_str_eq(m->name, "c");
    ck_assert_ptr_null(m->manifest);
    ck_assert_ptr_nonnull(strstr(m->failure, "not JSON"));
}
END_TEST

START_TEST(test_a_failed_default_is_unavailable)
{
    tiny_model("a", ", \"default\": true");
    tiny_text("a/model.onnx", "x");
    tiny_model("b", "");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_int_eq(find_default(GH_TASK_CLASSIFY), GH_UNAVAILABLE);
}
END_TEST

START_TEST(test_two_models_of_one_name)
{
    tiny_model("a", "");
    tiny_model("b", "");
    tiny_text("b/model.json", tiny_manifest("a", ""));
    ck_assert_int_eq(open_all(), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "two models are called 'a'"));
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(test_references_outlive_the_registry)
{
    tiny_model("a", "");
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert_int_eq(find("a"), GH_OK);
    gh_registry_free(&r);
    ck_assert_str_eq(m->manifest->labels[2], "blue");
    ck_assert_uint_eq(gh_net_inputs(m->net), 1);
    gh_model *second = gh_model_ref(m);
    gh_model_put(&second);
    ck_assert_ptr_null(second);
    gh_model_put(&second); /* NULL is fine */
}
END_TEST

/* A model in folder a with a self-test on t.png, a red picture. */
static gh_status open_with_selftest(const char *selftest)
{
    char more[300];
    snprintf(more, sizeof more, ", \"selftest\": {\"input\": \"t.png\", %s}", selftest);
    tiny_model("a", more);
    gh_model_put(&m);
    return gh_model_open(&m, tiny_path("a"), true, &e);
}

START_TEST(test_selftest)
{
    char good[100], off[100];
    tiny_picture("a/t.png", 20, 10, 255, 0, 0);
    snprintf(good, sizeof good, "\"index\": 0, \"score\": %.6f, \"tolerance\": 0.001",
             tiny_score(0, 255, 0, 0));
    snprintf(off, sizeof off, "\"index\": 0, \"score\": %.6f, \"tolerance\": 0.01",
             tiny_score(0, 255, 0, 0) - 0.02);
    ck_assert_msg(open_with_selftest(good) == GH_OK, "%s", e.text);
    ck_assert_int_eq(open_with_selftest("\"index\": 1, \"score\": 0.9"), GH_INTERNAL);
    ck_assert_ptr_nonnull(strstr(e.text, "the best class of t.png is 0, expected 1"));
    ck_assert_int_eq(open_with_selftest(off), GH_INTERNAL);
    ck_assert_msg(strstr(e.text, "the best score of t.png is") != NULL, "%s", e.text);
    ck_assert_int_eq(gh_model_open(&m, tiny_path("a"), false, &e), GH_OK); /* nobody asked for it */
    tiny_text("a/t.png", "no picture");
    ck_assert_int_eq(open_with_selftest(good), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "self-test of 'a'"));
    ck_assert_int_eq(unlink(tiny_path("a/t.png")), 0);
    ck_assert_int_eq(open_with_selftest(good), GH_NOTFOUND);
}
END_TEST

static const struct {
    const char *what, *instead, *says;
    gh_status status;
} unfit[] = {
    {"\"width\": 8", "\"width\": 16", "model.json says 1x3x8x16", GH_FORMAT},
    {", \"dark\"", "", "model.json has 3 labels", GH_FORMAT},
    {"\"classify\"", "\"segment\"", "takes the decoder mask", GH_UNSUPPORTED},
    {"\"softmax\"", "\"anchors\"", "takes the decoders", GH_UNSUPPORTED},
    {"\"version\"",
     "\"pipeline\": {\"detector\": \"x\", \"steps\": [{\"model\": \"y\", \"key\": \"z\"}]}, \"version\"",
     "a pipeline has the task localize", GH_FORMAT},
};

/* A manifest that does not fit the network, or asks for what this version does not do, fails at load. */
START_TEST(test_manifest_and_network_must_fit)
{
    char text[2000];
    const char *whole = tiny_manifest("a", ""), *at = strstr(whole, unfit[_i].what);
    ck_assert_ptr_nonnull(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, unfit[_i].instead,
             at + strlen(unfit[_i].what));
    tiny_model("a", "");
    tiny_text("a/model.json", text);
    ck_assert_int_eq(gh_model_open(&m, tiny_path("a"), true, &e), unfit[_i].status);
    ck_assert_msg(strstr(e.text, unfit[_i].says) != NULL, "%s", e.text);
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(test_bare_files)
{
    tiny_onnx("my net!.onnx");
    ck_assert_msg(gh_model_open(&m, tiny_path("my net!.onnx"), true, &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(m->name, "my_net_");
    ck_assert_uint_eq(m->manifest->nlabels, TINY_CLASSES);
    ck_assert_str_eq(m->manifest->labels[3], "3");
    ck_assert_int_eq(m->manifest->input.width, TINY_SIDE);
    ck_assert_int_eq(m->manifest->decoder, GH_DECODE_SOFTMAX);
    gh_model_put(&m);
    ck_assert_int_eq(gh_model_open(&m, tiny_path("none.onnx"), true, &e), GH_NOTFOUND);
    tiny_text("bad.onnx", "");
    ck_assert_int_ne(gh_model_open(&m, tiny_path("bad.onnx"), true, &e), GH_OK);
    ck_assert_int_eq(gh_model_open(&m, tiny_path(""), true, &e),
                     GH_NOTFOUND); /* a folder without model.json */
}
END_TEST

START_TEST(test_bare_file_of_open_size)
{
    gh_graph *g = tiny_graph();
    g->values[g->inputs[0]].shape.dims[2] = -1;
    tiny_text("open.onnx", "");
    ck_assert_int_eq(gh_onnx_write(g, tiny_path("open.onnx"), &e), GH_OK);
    gh_graph_free(&g);
    ck_assert_int_eq(gh_model_open(&m, tiny_path("open.onnx"), true, &e), GH_UNSUPPORTED);
    ck_assert_msg(strstr(e.text, "it has to fix the size") != NULL, "%s", e.text);
}
END_TEST

/* Every allocation on the way to a model may fail. */
START_TEST(test_memory_may_run_out)
{
    char more[200];
    tiny_picture("a/t.png", 9, 9, 0, 255, 0);
    snprintf(more, sizeof more, ", \"selftest\": {\"input\": \"t.png\", \"index\": 1, \"score\": %.6f}",
             tiny_score(1, 0, 255, 0));
    tiny_model("a", more);
    uint64_t before = gh_mem_thread_allocs();
    ck_assert_int_eq(open_all(), GH_OK);
    int64_t count = (int64_t)(gh_mem_thread_allocs() - before);
    ck_assert_int_gt(count, 20);
    for (int64_t i = 0; i < count; i++) { /* a model kept as failed also counts as told */
        gh_mem_fail_after(i);
        gh_status status = open_all();
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", (int)i, e.text);
    }
    ck_assert_int_eq(open_all(), GH_OK);
    ck_assert(gh_registry_ready(r));
}
END_TEST

Suite *gh_suite_registry(void)
{
    Suite *s = suite_create("registry");
    TCase *t = tcase_create("registry");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_folders_become_models);
    tcase_add_test(t, test_default_when_none_says_so);
    tcase_add_test(t, test_no_models_and_no_folder);
    tcase_add_test(t, test_a_folder_may_be_a_model_itself);
    tcase_add_test(t, test_unfetched_models_are_skipped);
    tcase_add_test(t, test_taps_are_outputs_once);
    tcase_add_test(t, test_what_stands_on_unfetched_models_is_skipped);
    tcase_add_test(t, test_broken_models_stay_with_their_reason);
    tcase_add_test(t, test_a_failed_default_is_unavailable);
    tcase_add_test(t, test_two_models_of_one_name);
    tcase_add_test(t, test_references_outlive_the_registry);
    tcase_add_test(t, test_selftest);
    tcase_add_loop_test(t, test_manifest_and_network_must_fit, 0, (int)GH_COUNT(unfit));
    tcase_add_test(t, test_bare_files);
    tcase_add_test(t, test_bare_file_of_open_size);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
