/* A whole training run on tiny pictures: cache, features, model folder, serving, heads alone, determinism,
 * safety. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "tasks/model_parts.h"
#include "tasks/run.h"
#include "train/classify/fit_parts.h"
#include "train/features/cache.h"
#include "unit/tiny.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A_CLASS 12

static gh_train_options o;
static gh_train_summary s;
static gh_pool *pool;
static gh_err e;
static char body[256], data[256], out[256], cache[256];

/* Warm, cold and grey pictures, none equal to another. */
static void make_data(void)
{
    char name[64];
    for (int i = 0; i < A_CLASS; i++) {
        snprintf(name, sizeof name, "d/warm/%d.png", i);
        tiny_picture(name, 12, 12, 200 + i, 60 + 3 * i, 20);
        snprintf(name, sizeof name, "d/cold/%d.png", i);
        tiny_picture(name, 12, 12, 20, 60 + 3 * i, 200 + i);
        snprintf(name, sizeof name, "d/grey/%d.png", i);
        tiny_picture(name, 12, 12, 90 + 5 * i, 90 + 5 * i, 91 + 5 * i);
    }
}

static void setup(void)
{
    tiny_setup();
    e = (gh_err){0};
    tiny_model("body", "");
    make_data();
    snprintf(body, sizeof body, "%s", tiny_path("body"));
    snprintf(data, sizeof data, "%s", tiny_path("d"));
    snprintf(out, sizeof out, "%s", tiny_path("models/mine"));
    snprintf(cache, sizeof cache, "%s", tiny_path("cache"));
    o = (gh_train_options){
        .data = data, .body = body, .out = out, .head = "softmax", .folds = 4, .seed = 1, .quiet = true};
}

static void teardown(void)
{
    gh_pool_free(&pool);
    tiny_remove();
}

static gh_status train(void)
{
    s = (gh_train_summary){0};
    e = (gh_err){0};
    return gh_train_classify(&s, &o, &e);
}

static void must_train(void)
{
    ck_assert_msg(train() == GH_OK, "%s", e.text);
}

static gh_result *ask(const char *folder, int red, int green, int blue)
{
    gh_model *m = NULL;
    gh_worker *w = NULL;
    gh_result *r = NULL;
    gh_buf png = {0};
    tiny_png(&png, 20, 20, red, green, blue);
    ck_assert_msg(gh_model_open(&m, folder, true, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
    ck_assert_msg(gh_run(&r, w, m, png.data, png.len, NULL, NULL, &e) == GH_OK, "%s", e.text);
    gh_worker_free(&w);
    gh_model_put(&m);
    gh_buf_free(&png);
    return r;
}

static void check_answer(const char *folder, int red, int green, int blue, const char *label)
{
    gh_result *r = ask(folder, red, green, blue);
    ck_assert_str_eq(r->labels[0].label, label);
    gh_result_free(&r);
}

START_TEST(test_a_trained_folder_serves)
{
    o.report = true;
    must_train();
    ck_assert_uint_eq(s.classes, 3);
    ck_assert_uint_eq(s.pictures, 3 * A_CLASS);
    ck_assert_double_ge(s.accuracy.value, 0.9);
    check_answer(out, 205, 70, 25, "warm");
    check_answer(out, 15, 70, 215, "cold");
    check_answer(out, 120, 120, 120, "grey");
    for (int i = 0; i < 2; i++) {
        char path[300];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", out, i ? "report.html" : "report.json");
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_gt(st.st_size, 1000);
    }
}
END_TEST

/* Pure green is far from all three classes, and says so. */
START_TEST(test_strangers_are_unknown)
{
    must_train();
    gh_result *r = ask(out, 0, 255, 0);
    ck_assert(r->unknown);
    gh_result_free(&r);
    r = ask(out, 206, 75, 20);
    ck_assert(!r->unknown);
    gh_result_free(&r);
}
END_TEST

/* Asked not to tell strangers, a head gives its best label for anything, and carries no distance. */
START_TEST(test_no_rule_for_strangers)
{
    o.no_reject = true;
    o.report = true;
    must_train();
    gh_result *r = ask(out, 0, 255, 0);
    ck_assert(!r->unknown);
    ck_assert_uint_eq(gh_net_outputs(r->model->net), 1);
    ck_assert_double_eq(r->model->manifest->reject_distance, 0);
    gh_result_free(&r);
}
END_TEST

START_TEST(test_every_head_trains_and_serves)
{
    for (size_t i = 0; gh_head_types[i]; i++) {
        o.head = gh_head_types[i]->name;
        o.trees = 20;
        must_train();
        ck_assert_str_eq(s.head, o.head);
        check_answer(out, 205, 70, 25, "warm");
        check_answer(out, 15, 70, 215, "cold");
    }
    o.head = "auto";
    must_train();
    check_answer(out, 205, 70, 25, "warm");
}
END_TEST

static void read_model(gh_buf *to, const char *folder, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_msg(gh_file_read(to, path, 1 << 24, &e) == GH_OK, "%s", e.text);
}

START_TEST(test_threads_do_not_change_a_byte)
{
    for (size_t i = 0; gh_head_types[i]; i++) {
        gh_buf one = {0}, more = {0};
        o.head = gh_head_types[i]->name;
        o.augment = GH_AUGMENT_FLIP | GH_AUGMENT_CROP | GH_AUGMENT_COLOUR;
        o.trees = 10;
        o.pool = NULL;
        must_train();
        read_model(&one, out, "model.onnx");
        ck_assert_int_eq(gh_pool_new(&pool, 3, &e), GH_OK);
        o.pool = pool;
        must_train();
        read_model(&more, out, "model.onnx");
        ck_assert_uint_eq(one.len, more.len);
        ck_assert_msg(memcmp(one.data, more.data, one.len) == 0, "%s differs", o.head);
        gh_buf_free(&one);
        gh_buf_free(&more);
        gh_pool_free(&pool);
    }
}
END_TEST

/* A body and two heads: answers as of the whole model, and the body computed once for all. */
START_TEST(test_heads_alone_share_their_body)
{
    const char *dir = NULL;
    gh_registry *r = NULL;
    gh_worker *w = NULL;
    gh_result *results[3] = {NULL};
    static const char *const names[3] = {"body", "first", "second"};
    gh_buf png = {0};
    char first[300], second[300];
    tiny_file("all/body/x", "", 0);
    tiny_onnx("all/body/model.onnx");
    tiny_text("all/body/model.json", tiny_manifest("body", ""));
    snprintf(body, sizeof body, "%s", tiny_path("all/body"));
    snprintf(first, sizeof first, "%s", tiny_path("all/first"));
    snprintf(second, sizeof second, "%s", tiny_path("all/second"));
    must_train();
    o.head_only = true;
    o.out = first;
    must_train();
    o.out = second;
    o.head = "forest";
    o.trees = 10;
    must_train();
    check_answer(first, 205, 70, 25, "warm"); /* finds the body beside it */
    dir = tiny_path("all");
    ck_assert_msg(gh_registry_open(&r, &dir, 1, &e) == GH_OK, "%s", e.text);
    ck_assert(gh_registry_ready(r));
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
    tiny_png(&png, 20, 20, 205, 70, 25);
    gh_worker_share(w);
    for (int i = 0; i < 3; i++) {
        gh_model *m = NULL;
        ck_assert_msg(gh_registry_find(&m, r, names[i], &e) == GH_OK, "%s", e.text);
        ck_assert_msg(gh_run(&results[i], w, m, png.data, png.len, NULL, NULL, &e) == GH_OK, "%s", e.text);
        gh_model_put(&m);
    }
    gh_worker_unshare(w);
    ck_assert_double_gt(results[0]->decode_ms, 0);
    ck_assert_double_eq(results[1]->decode_ms, 0);
    ck_assert_str_eq(results[0]->labels[0].label, "red");
    ck_assert_str_eq(results[1]->labels[0].label, "warm");
    ck_assert_str_eq(results[2]->labels[0].label, "warm");
    gh_result *whole = ask(out, 205, 70, 25);
    ck_assert_float_eq_tol(results[1]->labels[0].score, whole->labels[0].score, 1e-6f);
    gh_result_free(&whole);
    for (int i = 0; i < 3; i++)
        gh_result_free(&results[i]);
    gh_worker_free(&w);
    gh_registry_free(&r);
    gh_buf_free(&png);
}
END_TEST

/* The body's name in place of its hash: the head stays good when the body is imported anew, with other bytes.
 */
START_TEST(test_a_head_that_names_its_body)
{
    char head[300], path[320], hash[GH_HASH_TEXT], text_of_hash[60];
    gh_buf text = {0};
    gh_registry *r = NULL;
    tiny_file("all/body/x", "", 0);
    tiny_onnx("all/body/model.onnx");
    tiny_text("all/body/model.json", tiny_manifest("body", ""));
    snprintf(body, sizeof body, "%s", tiny_path("all/body"));
    snprintf(head, sizeof head, "%s", tiny_path("all/head"));
    o.head_only = true;
    o.out = head;
    must_train();
    read_model(&text, head, "model.json");
    gh_buf_add(&text, "", 1);
    ck_assert(gh_model_file_hash(hash, body));
    snprintf(text_of_hash, sizeof text_of_hash, "\"body\": \"%s\"", hash);
    char *at = strstr((char *)text.data, text_of_hash);
    ck_assert_ptr_nonnull(at);
    memset(at, ' ', strlen(text_of_hash));
    memcpy(at, "\"body\": \"body\"", 14);
    snprintf(path, sizeof path, "%s/model.json", head);
    ck_assert_int_eq(gh_file_write(path, text.data, text.len - 1, &e), GH_OK);
    check_answer(head, 205, 70, 25, "warm");
    const char *dir = tiny_path("all");
    ck_assert_msg(gh_registry_open(&r, &dir, 1, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(gh_registry_count(r), 2);
    ck_assert(gh_registry_ready(r));
    gh_registry_free(&r);
    gh_buf_free(&text);
}
END_TEST

START_TEST(test_a_head_without_its_body_says_so)
{
    o.head_only = true;
    must_train();
    gh_model *m = NULL;
    ck_assert_int_eq(gh_model_open(&m, out, true, &e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "body"));
}
END_TEST

/* What serves stays while a changed model fails, and changes over when it is mended. */
START_TEST(test_reload)
{
    const char *dir = tiny_path("models");
    gh_registry *r = NULL;
    gh_model *before = NULL, *after = NULL;
    char path[300];
    must_train();
    ck_assert_msg(gh_registry_open(&r, &dir, 1, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_registry_find(&before, r, "mine", &e), GH_OK);
    ck_assert_int_eq(gh_registry_reload(r, &dir, 1, &e), GH_OK);
    ck_assert_int_eq(gh_registry_find(&after, r, "mine", &e), GH_OK);
    ck_assert_ptr_eq(before, after);
    gh_model_put(&after);
    snprintf(path, sizeof path, "%s/model.onnx", out);
    ck_assert_int_eq(gh_file_write(path, "broken", 6, &e), GH_OK);
    ck_assert_int_eq(gh_registry_reload(r, &dir, 1, &e), GH_OK);
    ck_assert_int_eq(gh_registry_find(&after, r, "mine", &e), GH_OK);
    ck_assert_ptr_eq(before, after);
    gh_model_put(&after);
    o.seed = 2;
    must_train();
    ck_assert_int_eq(gh_registry_reload(r, &dir, 1, &e), GH_OK);
    ck_assert_int_eq(gh_registry_find(&after, r, "mine", &e), GH_OK);
    ck_assert_ptr_ne(before, after);
    gh_model_put(&after);
    gh_model_put(&before);
    gh_registry_free(&r);
}
END_TEST

START_TEST(test_what_cannot_be_learned_is_refused)
{
    char one[300];
    tiny_picture("one/only/1.png", 9, 9, 1, 1, 1);
    tiny_picture("one/only/2.png", 9, 9, 2, 1, 1);
    snprintf(one, sizeof one, "%s", tiny_path("one"));
    o.data = one;
    ck_assert_int_eq(train(), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "one class only"));
    tiny_picture("one/lonely/1.png", 9, 9, 3, 1, 1);
    ck_assert_int_eq(train(), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "lonely has 1 different picture"));
    o.data = data;
    o.cut = "nowhere";
    ck_assert_int_eq(train(), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "it can be cut at"));
    o.cut = NULL;
    o.head = "tail";
    ck_assert_int_eq(train(), GH_ARG);
}
END_TEST

/* A bare network of two inputs has no place for a second picture. */
START_TEST(test_a_body_with_two_inputs_is_refused)
{
    char two[256];
    gh_graph *g = NULL;
    gh_shape shape = gh_shape_of(4, (const int64_t[]){1, 3, 8, 8});
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    uint32_t in[2] = {gh_graph_input(g, "a", GH_F32, shape), gh_graph_input(g, "b", GH_F32, shape)};
    uint32_t sum = gh_graph_op(g, "Add", "sum", in, 2),
             mean = gh_graph_op(g, "GlobalAveragePool", "mean", &sum, 1);
    gh_graph_output(g, gh_graph_op(g, "Flatten", "flat", &mean, 1));
    snprintf(two, sizeof two, "%s", tiny_path("d.onnx"));
    ck_assert_msg(gh_onnx_write(g, two, &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
    o.body = two;
    ck_assert_int_eq(train(), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "2 inputs"));
}
END_TEST

static volatile bool stop;

/* An interrupted run, and one that cannot write, leave the old model untouched and nothing beside it. */
START_TEST(test_the_old_model_survives)
{
    gh_buf before = {0}, after = {0};
    must_train();
    read_model(&before, out, "model.onnx");
    stop = true;
    o.stop = &stop;
    o.seed = 9;
    ck_assert_int_eq(train(), GH_INTERRUPTED);
    read_model(&after, out, "model.onnx");
    ck_assert_uint_eq(before.len, after.len);
    ck_assert_mem_eq(before.data, after.data, before.len);
    o.stop = NULL;
    tiny_text("file", "x");
    char inside[300];
    snprintf(inside, sizeof inside, "%s/model", tiny_path("file"));
    o.out = inside;
    ck_assert_int_eq(train(), GH_ARG);
    ck_assert_msg(strstr(e.text, "file") != NULL, "%s", e.text);
    gh_buf_free(&before);
    gh_buf_free(&after);
}
END_TEST

START_TEST(test_leftovers_of_a_killed_run_go)
{
    char left[300];
    struct stat st;
    tiny_text("models/.mine.new-2147483000/model.onnx", "half");
    snprintf(left, sizeof left, "%s", tiny_path("models/.mine.new-2147483000"));
    must_train();
    ck_assert_int_ne(stat(left, &st), 0);
}
END_TEST

START_TEST(test_a_broken_picture_is_left_out)
{
    tiny_text("d/grey/broken.png", "no picture at all");
    must_train();
    ck_assert_uint_eq(s.left_out, 1);
    o.strict = true;
    ck_assert_int_eq(train(), GH_FORMAT);
}
END_TEST

START_TEST(test_the_data_own_split_is_kept)
{
    char name[64], parts[300];
    for (int i = 0; i < 24; i++) {
        const char *part = i % 4 == 0 ? "val" : i % 4 == 1 ? "test" : "train";
        snprintf(name, sizeof name, "p/%s/%s/%d.png", part, i % 8 < 4 ? "warm" : "cold", i);
        tiny_picture(name, 9, 9, i % 8 < 4 ? 200 + i : i, 60, i % 8 < 4 ? i : 200 + i);
    }
    snprintf(parts, sizeof parts, "%s", tiny_path("p"));
    o.data = parts;
    must_train();
    ck_assert(s.tested);
    ck_assert_uint_eq(s.test.count, 6);
    ck_assert_uint_eq(s.accuracy.count, 6);
}
END_TEST

START_TEST(test_the_cache_is_used_and_survives_a_cut)
{
    gh_cache *c = NULL;
    gh_hash key = {1, 2}, a = {3, 4}, b = {5, 6};
    float record[3] = {1, 2, 3};
    char path[400], text[GH_HASH_TEXT];
    ck_assert_msg(gh_cache_open(&c, cache, key, 3, 1 << 20, &e) == GH_OK, "%s", e.text);
    ck_assert_ptr_null(gh_cache_find(c, a));
    gh_cache_add(c, a, record);
    gh_cache_add(c, b, record);
    gh_cache_close(&c);
    snprintf(path, sizeof path, "%s/%s.features", cache, gh_hash_text(key, text));
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 5), 0); /* a kill in the middle of the second record */
    ck_assert_int_eq(gh_cache_open(&c, cache, key, 3, 1 << 20, &e), GH_OK);
    ck_assert_ptr_nonnull(gh_cache_find(c, a));
    ck_assert_float_eq(gh_cache_find(c, a)[2], 3);
    ck_assert_ptr_null(gh_cache_find(c, b));
    gh_cache_close(&c);
    /* another key over the limit drives the old file out */
    gh_hash other = {7, 8};
    ck_assert_int_eq(gh_cache_open(&c, cache, other, 3, 40, &e), GH_OK);
    gh_cache_close(&c);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

START_TEST(test_the_second_run_takes_features_from_the_cache)
{
    gh_trainset *set = NULL;
    gh_body *b = NULL;
    gh_features *cold = NULL, *warm = NULL;
    gh_features_options f = {.cache = cache};
    ck_assert_int_eq(gh_trainset_open(&set, data, &(gh_trainset_options){0}, &e), GH_OK);
    ck_assert_msg(gh_body_open(&b, body, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(b->width, 3);
    ck_assert_int_eq(gh_features_make(&cold, b, set, &f, &e), GH_OK);
    ck_assert_int_eq(gh_features_make(&warm, b, set, &f, &e), GH_OK);
    ck_assert_uint_eq(cold->cached, 0);
    ck_assert_uint_eq(warm->cached, set->nexamples);
    ck_assert_uint_eq(cold->rows, warm->rows);
    ck_assert_mem_eq(cold->x, warm->x, cold->rows * cold->width * sizeof(float));
    gh_features_free(&cold);
    gh_features_free(&warm);
    gh_body_free(&b);
    gh_trainset_free(&set);
}
END_TEST

static void must_refuse(gh_status status, const char *says)
{
    gh_status got = train();
    ck_assert_msg(got == status && strstr(e.text, says), "%d: %s", got, e.text);
}

/* What would fail when all the work is done is refused before it begins: no cache is made. */
START_TEST(test_a_bad_out_is_refused_at_once)
{
    char path[300], slash[310];
    struct stat st;
    o.cache = cache;
    snprintf(path, sizeof path, "%s", tiny_path("models/a name"));
    o.out = path;
    must_refuse(GH_ARG, "a name has 1 to 64 letters");
    o.out = ".";
    must_refuse(GH_ARG, "no name for a folder");
    o.out = data; /* folders in it */
    must_refuse(GH_ARG, "which would be lost");
    tiny_text("models/own/notes.txt", "mine");
    snprintf(path, sizeof path, "%s", tiny_path("models/own"));
    o.out = path;
    must_refuse(GH_ARG, "holds 'notes.txt'");
    snprintf(path, sizeof path, "%s", tiny_path("link"));
    ck_assert_int_eq(symlink(data, path), 0);
    snprintf(slash, sizeof slash, "%s/", path);
    o.out = slash;
    must_refuse(GH_ARG, "is no folder");
    ck_assert_int_ne(stat(cache, &st), 0);
    ck_assert_int_eq(stat(tiny_path("models/own/notes.txt"), &st), 0);
}
END_TEST

START_TEST(test_a_slash_at_the_end_is_no_part_of_the_name)
{
    char slash[300];
    snprintf(slash, sizeof slash, "%s//", out);
    o.out = slash;
    must_train();
    must_train(); /* a run's own folder may be replaced */
    gh_model *m = NULL;
    ck_assert_msg(gh_model_open(&m, out, true, &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(m->name, "mine");
    gh_model_put(&m);
}
END_TEST

/* The two-step way was killed between its steps: the only copy comes back instead of being swept away. */
START_TEST(test_the_only_copy_is_no_leftover)
{
    char *staged = NULL;
    struct stat st;
    tiny_text("models/.mine.new-2147483000.old/model.json", "{}");
    ck_assert_msg(gh_folder_stage(&staged, out, &e) == GH_OK, "%s", e.text);
    gh_folder_remove(staged);
    gh_free(staged);
    ck_assert_int_eq(stat(tiny_path("models/mine/model.json"), &st), 0);
}
END_TEST

START_TEST(test_names_of_classes_are_utf8)
{
    tiny_picture("d/\xff\xfe/1.png", 9, 9, 1, 2, 3);
    o.cache = cache;
    must_refuse(GH_FORMAT, "is not UTF-8 text");
}
END_TEST

/* Broken pictures count for nothing once it is known that they are broken. */
START_TEST(test_a_class_of_broken_pictures)
{
    tiny_text("d/lost/1.png", "no picture at all");
    tiny_text("d/lost/2.png", "none either");
    must_refuse(GH_FORMAT, "class lost has 0 different pictures");
}
END_TEST

START_TEST(test_a_class_in_the_validation_part_alone)
{
    char parts[300];
    tiny_picture("p/train/warm/1.png", 9, 9, 200, 1, 1);
    tiny_picture("p/train/grey/1.png", 9, 9, 100, 100, 100);
    tiny_picture("p/val/warm/1.png", 9, 9, 201, 1, 1);
    tiny_picture("p/val/cold/1.png", 9, 9, 1, 1, 200);
    snprintf(parts, sizeof parts, "%s", tiny_path("p"));
    o.data = parts;
    must_refuse(GH_FORMAT, "class cold has 0 different pictures to learn from");
}
END_TEST

/* Fewer pictures than folds, for every head. */
START_TEST(test_two_pictures_a_class)
{
    char name[64], few[300];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "few/warm/%d.png", i);
        tiny_picture(name, 9, 9, 200 + i, 60, 20);
        snprintf(name, sizeof name, "few/cold/%d.png", i);
        tiny_picture(name, 9, 9, 20, 60, 200 + i);
    }
    snprintf(few, sizeof few, "%s", tiny_path("few"));
    o.data = few;
    o.report = true;
    o.trees = 10;
    o.folds = 100;
    for (size_t i = 0; gh_head_types[i]; i++) {
        o.head = gh_head_types[i]->name;
        must_train();
        ck_assert_uint_eq(s.accuracy.count, 4);
        ck_assert(isfinite(s.ece_after) && isfinite(s.temperature) && s.temperature > 0);
    }
}
END_TEST

/* Votes of one person only are labels; balancing goes by the class with most votes. */
START_TEST(test_votes_for_one_class_only)
{
    char table[300];
    gh_buf text = {0};
    gh_buf_str(&text, "path,warm,cold\n");
    for (int i = 0; i < A_CLASS; i++)
        gh_buf_printf(&text, "d/warm/%d.png,%d,0\nd/cold/%d.png,0,%d\n", i, i < 6 ? 1 : 3, i, i < 6 ? 2 : 1);
    tiny_file("votes.csv", text.data, text.len);
    gh_buf_free(&text);
    snprintf(table, sizeof table, "%s", tiny_path("votes.csv"));
    o.data = table;
    o.trees = 10;
    for (gh_balance b = GH_BALANCE_NONE; b <= GH_BALANCE_WEIGHTS; b++)
        for (size_t i = 0; gh_head_types[i]; i++) {
            o.balance = b;
            o.head = gh_head_types[i]->name;
            must_train();
            check_answer(out, 205, 70, 25, "warm");
        }
}
END_TEST

/* Six pictures, of which people call four warm and two cold, but none without a vote for the other: weights
 * go by the majority, 6 / (2 * 4) and 6 / (2 * 2) or their roots, scaled to a mean of 1; what is taught stays
 * the votes. */
START_TEST(test_balance_of_votes_goes_by_the_majority)
{
    char table[300];
    gh_buf text = {0};
    gh_trainset *set = NULL;
    gh_body *b = NULL;
    gh_features *features = NULL;
    gh_features_options f = {0};
    gh_rows rows = {0};
    bool keep[6] = {true, true, true, true, true, true};
    gh_buf_str(&text, "path,warm,cold\n");
    for (int i = 0; i < 6; i++)
        gh_buf_printf(&text, "d/%s/%d.png,%d,%d\n", i < 4 ? "warm" : "cold", i, i < 4 ? 6 : 4, i < 4 ? 4 : 6);
    tiny_file("votes.csv", text.data, text.len);
    gh_buf_free(&text);
    snprintf(table, sizeof table, "%s", tiny_path("votes.csv"));
    ck_assert_int_eq(gh_trainset_open(&set, table, &(gh_trainset_options){0}, &e), GH_OK);
    ck_assert_int_eq(gh_body_open(&b, body, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_features_make(&features, b, set, &f, &e), GH_OK);
    for (gh_balance how = GH_BALANCE_SQRT; how <= GH_BALANCE_WEIGHTS; how++) {
        const gh_task_data d = {.set = set, .features = features, .balance = how};
        double warm = 0.75, cold = 1.5;
        if (how == GH_BALANCE_SQRT) {
            double mean = (4 * sqrt(warm) + 2 * sqrt(cold)) / 6;
            warm = sqrt(warm) / mean;
            cold = sqrt(cold) / mean;
        }
        ck_assert_int_eq(gh_rows_gather(&rows, &d, keep, true, &e), GH_OK);
        ck_assert_uint_eq(rows.n, 6);
        for (size_t i = 0; i < 6; i++) {
            bool is_warm = strcmp(set->classes[rows.label[i]], "warm") == 0;
            ck_assert_float_eq_tol(rows.weight[i], (float)(is_warm ? warm : cold), 1e-5f);
            ck_assert_float_eq_tol(rows.votes[2 * i + rows.label[i]], 0.6f, 1e-6f);
        }
        gh_rows_free(&rows);
    }
    gh_features_free(&features);
    gh_body_free(&b);
    gh_trainset_free(&set);
}
END_TEST

START_TEST(test_more_columns_of_votes_than_are_read)
{
    char table[300];
    gh_buf text = {0};
    gh_buf_str(&text, "path");
    for (int i = 0; i < 70; i++)
        gh_buf_printf(&text, ",c%d", i);
    gh_buf_str(&text, "\n");
    tiny_file("wide.csv", text.data, text.len);
    gh_buf_free(&text);
    snprintf(table, sizeof table, "%s", tiny_path("wide.csv"));
    o.data = table;
    must_refuse(GH_LIMIT, "columns of votes");
}
END_TEST

/* A cache that cannot be made costs time, not the run; one that another process holds is read. */
START_TEST(test_a_cache_that_cannot_be_used)
{
    char inside[300];
    tiny_text("file", "x");
    snprintf(inside, sizeof inside, "%s", tiny_path("file/cache"));
    o.cache = inside;
    must_train();
}
END_TEST

/* 20,000 classes of 500 pictures: scores alone would take terabytes. */
START_TEST(test_absurd_memory_is_refused)
{
    gh_body wide = {.width = 1280};
    gh_example one = {0};
    gh_trainset set = {.nexamples = 10000000, .nclasses = 20000, .examples = &one};
    gh_train_run r = {.o = &o, .body = &wide, .set = &set, .e = &e};
    ck_assert_int_eq(gh_train_check_memory(&r), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "10000000 pictures of 20000 classes"));
    set.nexamples = set.nclasses = 2;
    ck_assert_int_eq(gh_train_check_memory(&r), GH_OK);
}
END_TEST

START_TEST(test_two_hold_the_cache)
{
    gh_cache *first = NULL, *second = NULL;
    gh_hash key = {1, 2}, a = {3, 4}, b = {5, 6};
    float record[3] = {1, 2, 3};
    ck_assert_int_eq(gh_cache_open(&first, cache, key, 3, 1 << 20, &e), GH_OK);
    gh_cache_add(first, a, record);
    ck_assert_int_eq(gh_cache_open(&second, cache, key, 3, 1 << 20, &e), GH_OK);
    ck_assert_ptr_nonnull(gh_cache_find(second, a));
    gh_cache_add(second, b, record); /* kept by nobody */
    gh_cache_add(first, b, record);
    gh_cache_close(&second);
    gh_cache_close(&first);
    ck_assert_int_eq(gh_cache_open(&first, cache, key, 3, 1 << 20, &e), GH_OK);
    ck_assert_ptr_nonnull(gh_cache_find(first, a));
    ck_assert_ptr_nonnull(gh_cache_find(first, b));
    gh_cache_close(&first);
}
END_TEST

/* A file that grows drives older ones out when it is closed. */
START_TEST(test_the_cache_is_bounded_while_it_grows)
{
    gh_cache *old = NULL, *grows = NULL;
    gh_hash keys[2] = {{1, 2}, {7, 8}};
    float record[3] = {1, 2, 3};
    char path[400], text[GH_HASH_TEXT];
    struct stat st;
    ck_assert_int_eq(gh_cache_open(&old, cache, keys[0], 3, 400, &e), GH_OK);
    for (uint64_t i = 0; i < 5; i++)
        gh_cache_add(old, (gh_hash){i, i}, record);
    gh_cache_close(&old);
    ck_assert_int_eq(gh_cache_open(&grows, cache, keys[1], 3, 400, &e), GH_OK);
    snprintf(path, sizeof path, "%s/%s.features", cache, gh_hash_text(keys[0], text));
    ck_assert_int_eq(stat(path, &st), 0);
    for (uint64_t i = 0; i < 100; i++)
        gh_cache_add(grows, (gh_hash){i, i}, record);
    gh_cache_close(&grows);
    ck_assert_int_ne(stat(path, &st), 0);
    snprintf(path, sizeof path, "%s/%s.features", cache, gh_hash_text(keys[1], text));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_le(st.st_size, 400);
}
END_TEST

START_TEST(test_the_cache_without_memory)
{
    gh_cache *c = NULL;
    for (int i = 0; i < 30; i++) {
        gh_mem_fail_after(i);
        gh_status status = gh_cache_open(&c, cache, (gh_hash){1, 2}, 3, 1 << 20, &e);
        gh_mem_fail_after(-1);
        ck_assert_int_eq(status, c ? GH_OK : status);
        gh_cache_close(&c);
        ck_assert_int_ge(fcntl(0, F_GETFD), 0); /* standard input is not the cache's to close */
    }
}
END_TEST

/* A body whose cut gives a picture, numbers that are no floats, or no numbers at all. */
static void cut_body(const char *folder, const char *type, gh_dtype to, float scale)
{
    char name[64];
    gh_graph *g = tiny_graph();
    uint32_t x = g->inputs[0], v;
    float *factor = NULL, *w = NULL;
    g->noutputs = 0;
    uint32_t in[2] = {x, gh_graph_const_f32(g, "factor", gh_shape_of(0, NULL), &factor)};
    *factor = scale;
    v = gh_graph_op(g, "Mul", "big", in, 2);
    v = gh_graph_op(g, type, "odd", &v, 1);
    if (to)
        gh_graph_set_int(g, v, "to", to);
    if (to && to != GH_F32) {
        uint32_t back = gh_graph_op(g, "Cast", "back", &v, 1);
        gh_graph_set_int(g, back, "to", GH_F32);
        v = back;
    }
    v = gh_graph_op(g, "GlobalAveragePool", "pooled2", &v, 1);
    v = gh_graph_op(g, "Flatten", "flat2", &v, 1);
    in[0] = v;
    in[1] = gh_graph_const_f32(g, "dense2", gh_shape_of(2, (int64_t[]){3, TINY_CLASSES}), &w);
    memset(w, 0, 3 * TINY_CLASSES * sizeof *w);
    v = gh_graph_op(g, "Gemm", "logits2", in, 2);
    gh_graph_output(g, v);
    ck_assert_msg(gh_graph_check(g, &e) == GH_OK, "%s", e.text);
    tiny_text("odd/model.json", tiny_manifest("odd", ""));
    snprintf(name, sizeof name, "%s", tiny_path("odd/model.onnx"));
    ck_assert_msg(gh_onnx_write(g, tiny_path("odd/model.onnx"), &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
    snprintf(body, sizeof body, "%s", tiny_path(folder));
}

START_TEST(test_cuts_that_give_no_features)
{
    cut_body("odd", "Relu", GH_UNKNOWN, 1);
    o.cut = "odd";
    must_train(); /* four dimensions are pooled in a whole model */
    o.head_only = true;
    must_refuse(GH_UNSUPPORTED, "--head-only needs a cut that gives a vector");
    o.head_only = false;
    cut_body("odd", "Cast", GH_U8, 255);
    must_refuse(GH_UNSUPPORTED, "gives uint8; features are float32");
    cut_body("odd", "Reciprocal", GH_UNKNOWN, 0);
    must_refuse(GH_FORMAT, "a feature that is not a number");
}
END_TEST

Suite *gh_suite_train(void)
{
    Suite *suite = suite_create("train");
    TCase *c = tcase_create("train");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_a_trained_folder_serves);
    tcase_add_test(c, test_strangers_are_unknown);
    tcase_add_test(c, test_no_rule_for_strangers);
    tcase_add_test(c, test_every_head_trains_and_serves);
    tcase_add_test(c, test_threads_do_not_change_a_byte);
    tcase_add_test(c, test_heads_alone_share_their_body);
    tcase_add_test(c, test_a_head_that_names_its_body);
    tcase_add_test(c, test_a_head_without_its_body_says_so);
    tcase_add_test(c, test_reload);
    tcase_add_test(c, test_what_cannot_be_learned_is_refused);
    tcase_add_test(c, test_a_body_with_two_inputs_is_refused);
    tcase_add_test(c, test_the_old_model_survives);
    tcase_add_test(c, test_leftovers_of_a_killed_run_go);
    tcase_add_test(c, test_a_broken_picture_is_left_out);
    tcase_add_test(c, test_the_data_own_split_is_kept);
    tcase_add_test(c, test_the_cache_is_used_and_survives_a_cut);
    tcase_add_test(c, test_the_second_run_takes_features_from_the_cache);
    tcase_add_test(c, test_a_bad_out_is_refused_at_once);
    tcase_add_test(c, test_a_slash_at_the_end_is_no_part_of_the_name);
    tcase_add_test(c, test_the_only_copy_is_no_leftover);
    tcase_add_test(c, test_names_of_classes_are_utf8);
    tcase_add_test(c, test_a_class_of_broken_pictures);
    tcase_add_test(c, test_a_class_in_the_validation_part_alone);
    tcase_add_test(c, test_two_pictures_a_class);
    tcase_add_test(c, test_votes_for_one_class_only);
    tcase_add_test(c, test_balance_of_votes_goes_by_the_majority);
    tcase_add_test(c, test_more_columns_of_votes_than_are_read);
    tcase_add_test(c, test_a_cache_that_cannot_be_used);
    tcase_add_test(c, test_absurd_memory_is_refused);
    tcase_add_test(c, test_two_hold_the_cache);
    tcase_add_test(c, test_the_cache_is_bounded_while_it_grows);
    tcase_add_test(c, test_the_cache_without_memory);
    tcase_add_test(c, test_cuts_that_give_no_features);
    suite_add_tcase(suite, c);
    return suite;
}
