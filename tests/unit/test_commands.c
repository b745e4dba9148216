/* The commands predict, eval, inspect, bench and version, run in this process on tiny models. */
#include "unit/suites.h"

#include "cli/cli.h"
#include "engine/onnx.h"
#include "image/image.h"
#include "unit/capture.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *o;

static void setup(void)
{
    tiny_setup();
    tiny_model("models/a", ", \"default\": true");
    tiny_text("models/a/model.json", tiny_manifest("a", ", \"default\": true, \"license\": \"MIT\""));
    setenv("GHARIAL_MODELS", tiny_path("models"), 1);
    o = NULL;
}

static void teardown(void)
{
    json_decref(o);
    unsetenv("GHARIAL_MODELS");
    tiny_remove();
}

/* Runs the command; each '@' in the line stands for the test's folder and a slash. */
static int run(int (*command)(int, char **), const char *line)
{
    char whole[2048];
    size_t len = 0;
    for (const char *c = line; *c; c++)
        len += (size_t)snprintf(whole + len, sizeof whole - len, *c == '@' ? "%s" : "%.1s",
                                *c == '@' ? tiny_path("") : c);
    json_decref(o);
    o = NULL;
    return capture_command(command, whole);
}

static void check_line(const char *begins, const char *holds)
{
    const char *at = strstr(capture_out, begins);
    ck_assert_msg(at != NULL && strstr(at, holds) != NULL, "%s%s", capture_out, capture_err);
}

static json_t *parse_out(void)
{
    json_error_t fault;
    o = json_loads(capture_out, 0, &fault);
    ck_assert_msg(o != NULL, "%s: %s", fault.text, capture_out);
    return o;
}

static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    ck_assert_msg(json_is_number(v), "%s", key);
    return json_number_value(v);
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    ck_assert_msg(s != NULL, "%s", key);
    return s;
}

static void put_pictures(void)
{
    tiny_picture("data/red/1.png", 20, 10, 250, 0, 0);
    tiny_picture("data/red/2.png", 10, 20, 0, 250, 0); /* green, in truth */
    tiny_picture("data/blue/3.PNG", 9, 9, 0, 0, 250);
    tiny_text("data/blue/notes.txt", "not a picture");
}

START_TEST(test_predict_prints_a_line_a_picture)
{
    put_pictures();
    ck_assert_int_eq(run(gh_cmd_predict, "predict --top 2 @data @data/red/1.png"), 0);
    const char *blue = strstr(capture_out, "3.PNG: blue 0."), *red = strstr(capture_out, "1.png: red 0.");
    ck_assert_msg(blue && red && blue < red, "%s", capture_out);
    check_line("2.png: ", "green 0.");
    int lines = 0;
    for (const char *c = capture_out; *c; c++)
        lines += *c == '\n';
    ck_assert_int_eq(lines, 4);
    ck_assert_ptr_nonnull(strstr(capture_err, "1 files in"));
}
END_TEST

START_TEST(test_predict_goes_on_after_a_failure)
{
    put_pictures();
    tiny_text("data/blue/broken.jpg", "no picture");
    ck_assert_int_eq(run(gh_cmd_predict, "predict @data @none.png"), 3);
    ck_assert_ptr_nonnull(strstr(capture_out, "2.png: green"));
    ck_assert_ptr_nonnull(strstr(capture_err, "broken.jpg: "));
    ck_assert_ptr_nonnull(strstr(capture_err, "none.png: "));
    ck_assert_ptr_nonnull(strstr(capture_err, "2 of 5 pictures failed"));
}
END_TEST

START_TEST(test_predict_json_is_an_object_a_line)
{
    put_pictures();
    ck_assert_int_eq(run(gh_cmd_predict, "predict --json --model a @data/red/1.png @none.png"), 3);
    char *second = strchr(capture_out, '\n');
    ck_assert_ptr_nonnull(second);
    *second++ = '\0';
    ck_assert_str_eq(text(parse_out(), "model"), "a");
    ck_assert_int_eq((int)number(o, "width"), 20);
    ck_assert_ptr_nonnull(strstr(text(o, "file"), "data/red/1.png"));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "labels")), TINY_CLASSES);
    json_decref(o);
    o = json_loads(second, 0, NULL);
    ck_assert_ptr_nonnull(strstr(text(o, "file"), "none.png"));
    ck_assert_ptr_nonnull(strstr(text(o, "error"), "No such file"));
}
END_TEST

START_TEST(test_predict_reads_standard_input)
{
    tiny_picture("in.png", 5, 5, 0, 0, 255);
    int saved = dup(0);
    ck_assert_ptr_nonnull(freopen(tiny_path("in.png"), "r", stdin));
    ck_assert_int_eq(run(gh_cmd_predict, "predict -"), 0);
    dup2(saved, 0);
    close(saved);
    ck_assert_ptr_nonnull(strstr(capture_out, "-: blue 0."));
}
END_TEST

START_TEST(test_predict_tells_unknown_and_nothing)
{
    tiny_text("models/a/model.json",
              tiny_manifest("a", ", \"default\": true, \"reject\": {\"below\": 0.9999}"));
    tiny_picture("x.png", 5, 5, 250, 250, 0);
    ck_assert_int_eq(run(gh_cmd_predict, "predict --top 1 @x.png"), 0);
    ck_assert_ptr_nonnull(strstr(capture_out, "x.png: unknown; red 0.4"));
    ck_assert_int_eq(run(gh_cmd_predict, "predict --threshold 1 @x.png"), 0);
    ck_assert_ptr_nonnull(strstr(capture_out, "no label reaches the threshold"));
}
END_TEST

START_TEST(test_models_are_found)
{
    tiny_picture("x.png", 5, 5, 250, 0, 0);
    tiny_onnx("bare.onnx");
    ck_assert_int_eq(run(gh_cmd_predict, "predict --model @models/a @x.png"), 0);
    ck_assert_int_eq(run(gh_cmd_predict, "predict --model @bare.onnx --top 1 @x.png"), 0);
    ck_assert_ptr_nonnull(strstr(capture_out, "x.png: 0 0.9"));
    ck_assert_int_eq(run(gh_cmd_predict, "predict --model b @x.png"), 1);
    ck_assert_ptr_nonnull(strstr(capture_err, "gharial predict: there is no model 'b'; there are: a"));
    ck_assert_int_eq(run(gh_cmd_predict, "predict --models @nowhere --model b @x.png"), 1);
    ck_assert_ptr_nonnull(strstr(capture_err, "nowhere"));
    tiny_text("models/a/model.json", tiny_manifest("a", ""));
    ck_assert_int_eq(run(gh_cmd_predict, "predict @x.png"), 1);
    ck_assert_ptr_nonnull(strstr(capture_err, "no model is the default"));
}
END_TEST

START_TEST(test_eval_of_folders)
{
    put_pictures();
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @data --json"), 0);
    parse_out();
    ck_assert_str_eq(text(o, "model"), "a");
    ck_assert_str_eq(text(o, "layout"), "folders");
    ck_assert_int_eq((int)number(o, "count"), 3);
    const json_t *top1 = json_object_get(o, "top1");
    ck_assert_int_eq((int)number(top1, "right"), 2);
    ck_assert_double_eq_tol(number(top1, "accuracy"), 2 / 3.0, 1e-5);
    /* Wilson's interval of 2 out of 3, worked out by hand. */
    const json_t *interval = json_object_get(top1, "interval95");
    ck_assert_double_eq_tol(json_number_value(json_array_get(interval, 0)), 0.2077, 1e-4);
    ck_assert_double_eq_tol(json_number_value(json_array_get(interval, 1)), 0.9385, 1e-4);
    ck_assert_double_eq_tol(number(o, "mean_recall"), 0.75, 1e-6);
    const json_t *classes = json_object_get(o, "classes");
    ck_assert_uint_eq(json_array_size(classes), 2);
    ck_assert_str_eq(text(json_array_get(classes, 0), "label"), "red");
    ck_assert_double_eq(number(json_array_get(classes, 0), "recall"), 0.5);
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @data --threads 1"), 0);
    check_line("top-1", "2 of 3 = 66.7 %");
    check_line("recall", "mean over classes 75.0 %");
}
END_TEST

START_TEST(test_eval_lists_what_it_cannot_read)
{
    put_pictures();
    tiny_text("data/red/broken.jpg", "no picture");
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @data --json"), 0);
    parse_out();
    ck_assert_uint_eq(json_array_size(json_object_get(o, "failed")), 1);
    ck_assert_int_eq((int)number(json_object_get(o, "top1"), "count"), 3);
    ck_assert_ptr_nonnull(strstr(capture_err, "broken.jpg: "));
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @data --strict"), 3);
    check_line("pictures", "4, not read 1");
}
END_TEST

START_TEST(test_eval_of_tables)
{
    put_pictures();
    tiny_text("data/labels.tsv", "file\tindex\tname\nred/1.png\t0\tred\nred/2.png\t1\tgreen\n");
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @data"), 0);
    check_line("top-1", "2 of 2 = 100.0 %");
    tiny_text("t.csv", "path,label,split\ndata/red/1.png,RED,train\n\"data/red/2.png\",Green,test\n");
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @t.csv"), 0);
    check_line("top-1", "1 of 1");
    check_line("data", "csv, split test");
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @t.csv --split all"), 0);
    check_line("top-1", "2 of 2");
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @t.csv --split val"), 2);
    tiny_text("t.csv", "data/red/1.png,purple\n");
    ck_assert_int_eq(run(gh_cmd_eval, "eval --data @t.csv"), 2);
    ck_assert_ptr_nonnull(strstr(capture_err, "the model has no class 'purple'"));
    ck_assert_int_eq(run(gh_cmd_eval, "eval"), 2);
    ck_assert_ptr_nonnull(strstr(capture_err, "--data is missing"));
}
END_TEST

START_TEST(test_inspect)
{
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect --json --plan --labels"), 0);
    parse_out();
    ck_assert_str_eq(text(o, "license"), "MIT");
    ck_assert_int_eq((int)number(o, "parameters"), TINY_CLASSES * 3 + TINY_CLASSES);
    ck_assert_int_eq((int)number(o, "nodes"), 3);
    ck_assert_int_eq((int)number(json_object_get(o, "operators"), "Gemm"), 1);
    ck_assert_int_ge((int)number(o, "macs"), TINY_CLASSES * 3);
    ck_assert_int_gt((int)number(o, "arena_bytes"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "plan")), (size_t)number(o, "steps"));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(o, "labels"), 1)), "green");
    const json_t *input = json_array_get(json_object_get(o, "inputs"), 0);
    ck_assert_str_eq(text(input, "name"), "image");
    ck_assert(json_is_null(json_array_get(json_object_get(input, "shape"), 0)));
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect --plan"), 0);
    check_line("model", "a version 1, task classify, 4 classes, MIT");
    check_line("input", "image float32 ?x3x8x8");
    check_line("nodes", "3: GlobalAveragePool 1 Flatten 1 Gemm 1");
    check_line("step", "Gemm");
}
END_TEST

/* A network that this version cannot run is shown all the same. */
START_TEST(test_inspect_of_what_cannot_run)
{
    gh_graph *g = tiny_graph();
    gh_err e = {0};
    uint32_t made = gh_graph_op(g, "MadeUp", "made", g->outputs, 1);
    gh_graph_output(g, made);
    tiny_text("odd.onnx", "");
    ck_assert_int_eq(gh_graph_check(g, &e), GH_OK);
    gh_status status = gh_onnx_write(g, tiny_path("odd.onnx"), &e);
    gh_graph_free(&g);
    ck_assert_msg(status == GH_OK, "%s", e.text);
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect --model @odd.onnx"), 4);
    check_line("nodes", "MadeUp 1");
    check_line("missing", "MadeUp of ai.onnx opset 13, 1 node, the first is \"made\"");
    ck_assert_ptr_nonnull(strstr(capture_err, "MadeUp"));
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect @odd.onnx --json"), 4);
    parse_out();
    ck_assert_str_eq(text(json_array_get(json_object_get(o, "missing"), 0), "node"), "made");
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect @odd.onnx --manifest"), 4);
    ck_assert_str_eq(capture_out, "");
}
END_TEST

/* What is printed is a model.json that loads, and says what the file tells. */
START_TEST(test_inspect_drafts_a_manifest)
{
    gh_err e = {0};
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect @models/a/model.onnx --manifest"), 0);
    ck_assert_ptr_nonnull(strstr(capture_err, "task classify, whose scores go through softmax"));
    ck_assert_ptr_nonnull(strstr(capture_err, "mean and scale are a guess"));
    tiny_text("models/a/model.json", capture_out);
    gh_manifest *m = NULL;
    ck_assert_msg(gh_manifest_read(&m, tiny_path("models/a"), &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(m->name, "a");
    ck_assert_int_eq(m->task, GH_TASK_CLASSIFY);
    ck_assert_int_eq(m->decoder, GH_DECODE_SOFTMAX);
    ck_assert_int_eq(m->input.width, TINY_SIDE);
    ck_assert_uint_eq(m->nlabels, TINY_CLASSES);
    gh_manifest_free(&m);
    tiny_picture("green.png", 20, 10, 0, 250, 0);
    ck_assert_int_eq(run(gh_cmd_predict, "predict --model a @green.png --top 1"), 0);
    check_line("green.png: ", "1 0.");
    ck_assert_int_eq(run(gh_cmd_inspect, "inspect @models/a/model.onnx --model a"), 2);
    ck_assert_ptr_nonnull(strstr(capture_err, "one is enough"));
}
END_TEST

/* One network of each kind, told by its last layer or by the shape of its output. */
START_TEST(test_inspect_guesses_tasks)
{
    static const struct {
        const char *type, *task, *key, *word;
    } cases[] = {{"Softmax", "classify", "decoder", "probabilities"},
                 {"GlobalAveragePool", "embed", "decoder", "features"},
                 {"Sigmoid", "segment", "activation", "none"},
                 {"Abs", "segment", "activation", "softmax"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gh_graph *g = NULL;
        gh_err e = {0};
        ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
        uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (int64_t[]){1, 3, 8, 8}));
        if (i == 0) {
            x = gh_graph_op(g, "GlobalMaxPool", "pool", &x, 1);
            x = gh_graph_op(g, "Flatten", "flat", &x, 1);
        }
        gh_graph_output(g, gh_graph_op(g, cases[i].type, "last", &x, 1));
        tiny_text("some.onnx", "");
        ck_assert_int_eq(gh_graph_check(g, &e), GH_OK);
        ck_assert_int_eq(gh_onnx_write(g, tiny_path("some.onnx"), &e), GH_OK);
        gh_graph_free(&g);
        ck_assert_int_eq(run(gh_cmd_inspect, "inspect @some.onnx --manifest"), 0);
        parse_out();
        ck_assert_str_eq(text(o, "task"), cases[i].task);
        ck_assert_str_eq(text(json_object_get(o, "output"), cases[i].key), cases[i].word);
        ck_assert_int_eq(run(gh_cmd_inspect, "inspect @some.onnx --json"), 0);
        parse_out();
        ck_assert_str_eq(text(json_object_get(o, "guess"), "task"), cases[i].task);
    }
}
END_TEST

START_TEST(test_bench)
{
    ck_assert_int_eq(run(gh_cmd_bench, "bench --runs 5 --json --layers"), 0);
    parse_out();
    ck_assert_double_gt(number(o, "median_ms"), 0);
    ck_assert_double_ge(number(o, "p90_ms"), number(o, "median_ms"));
    ck_assert_double_le(number(o, "min_ms"), number(o, "median_ms"));
    ck_assert_double_gt(number(o, "gflops"), 0);
    ck_assert_double_gt(number(o, "peak_gflops"), 0);
    ck_assert_double_eq_tol(number(o, "peak_share"), number(o, "gflops") / number(o, "peak_gflops"), 1e-3);
    ck_assert_int_eq((int)number(o, "allocations"), 0);
    ck_assert_int_eq((int)number(o, "threads"), 1);
    ck_assert_uint_gt(json_array_size(json_object_get(o, "layers")), 0);
    ck_assert_int_eq(run(gh_cmd_bench, "bench --runs 2 --threads 2 --layers"), 0);
    check_line("a: median", "(2 runs, 2 threads");
    check_line("million multiply-adds", "0 allocations");
    ck_assert_int_eq(run(gh_cmd_bench, "bench --size 5"), 2);
    ck_assert_ptr_nonnull(strstr(capture_err, "--size is '5'; it takes WIDTHxHEIGHT"));
}
END_TEST

START_TEST(test_version)
{
    ck_assert_int_eq(run(gh_cmd_version, "version --json"), 0);
    parse_out();
    ck_assert_str_eq(text(o, "version"), GH_VERSION);
    ck_assert_str_eq(text(o, "build"), gh_build());
    ck_assert_int_ge((int)number(o, "cores"), 1);
    ck_assert_uint_ge(json_array_size(json_object_get(o, "libraries")), 1);
    ck_assert_int_eq(run(gh_cmd_version, "version"), 0);
    ck_assert_ptr_nonnull(strstr(capture_out, "gharial " GH_VERSION));
}
END_TEST

static int (*const commands[])(int, char **) = {gh_cmd_predict, gh_cmd_eval, gh_cmd_inspect, gh_cmd_bench,
                                                gh_cmd_version};

START_TEST(test_help_fits_a_screen)
{
    ck_assert_int_eq(run(commands[_i], "x --help"), 0);
    int lines = 0, width = 0, widest = 0;
    for (const char *c = capture_out; *c; c++) {
        width = *c == '\n' ? 0 : width + 1;
        widest = width > widest ? width : widest;
        lines += *c == '\n';
    }
    ck_assert_int_le(lines, 24);
    ck_assert_int_le(widest, 110);
    ck_assert_ptr_nonnull(strstr(capture_out, "example: gharial "));
    ck_assert_int_eq(run(commands[_i], "x --nonsense"), 2);
}
END_TEST

Suite *gh_suite_commands(void)
{
    Suite *s = suite_create("commands");
    TCase *t = tcase_create("commands");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_predict_prints_a_line_a_picture);
    tcase_add_test(t, test_predict_goes_on_after_a_failure);
    tcase_add_test(t, test_predict_json_is_an_object_a_line);
    tcase_add_test(t, test_predict_reads_standard_input);
    tcase_add_test(t, test_predict_tells_unknown_and_nothing);
    tcase_add_test(t, test_models_are_found);
    tcase_add_test(t, test_eval_of_folders);
    tcase_add_test(t, test_eval_lists_what_it_cannot_read);
    tcase_add_test(t, test_eval_of_tables);
    tcase_add_test(t, test_inspect);
    tcase_add_test(t, test_inspect_of_what_cannot_run);
    tcase_add_test(t, test_inspect_drafts_a_manifest);
    tcase_add_test(t, test_inspect_guesses_tasks);
    tcase_add_test(t, test_bench);
    tcase_add_test(t, test_version);
    tcase_add_loop_test(t, test_help_fits_a_screen, 0, (int)GH_COUNT(commands));
    suite_add_tcase(s, t);
    return s;
}
