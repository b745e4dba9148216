/* What a training run of a classifier refuses or leaves out, and says so. */
#include "unit/suites.h"

#include "engine/onnx.h"
#include "train/classify/fit_parts.h"
#include "unit/fit_case.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(test_what_cannot_be_learned_is_refused)
{
    char one[300];
    tiny_picture("one/only/1.png", 9, 9, 1, 1, 1);
    tiny_picture("one/only/2.png", 9, 9, 2, 1, 1);
    snprintf(one, sizeof one, "%s", tiny_path("one"));
    ft.o.data = one;
    ck_assert_int_eq(ft_train(), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(ft.e.text, "one class only"));
    tiny_picture("one/lonely/1.png", 9, 9, 3, 1, 1);
    ck_assert_int_eq(ft_train(), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(ft.e.text, "lonely has 1 different picture"));
    ft.o.data = ft.data;
    ft.o.cut = "nowhere";
    ck_assert_int_eq(ft_train(), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(ft.e.text, "it can be cut at"));
    ft.o.cut = NULL;
    ft.o.head = "tail";
    ck_assert_int_eq(ft_train(), GH_ARG);
}
END_TEST

/* A bare network of two inputs has no place for a second picture. */
START_TEST(test_a_body_with_two_inputs_is_refused)
{
    char two[256];
    gh_graph *g = NULL;
    gh_shape shape = gh_shape_of(4, (const int64_t[]){1, 3, 8, 8});
    ck_assert_int_eq(gh_graph_new(&g, &ft.e), GH_OK);
    uint32_t in[2] = {gh_graph_input(g, "a", GH_F32, shape), gh_graph_input(g, "b", GH_F32, shape)};
    uint32_t sum = gh_graph_op(g, "Add", "sum", in, 2),
             mean = gh_graph_op(g, "GlobalAveragePool", "mean", &sum, 1);
    gh_graph_output(g, gh_graph_op(g, "Flatten", "flat", &mean, 1));
    snprintf(two, sizeof two, "%s", tiny_path("d.onnx"));
    ck_assert_msg(gh_onnx_write(g, two, &ft.e) == GH_OK, "%s", ft.e.text);
    gh_graph_free(&g);
    ft.o.body = two;
    ck_assert_int_eq(ft_train(), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ft.e.text, "2 inputs"));
}
END_TEST

START_TEST(test_a_broken_picture_is_left_out)
{
    tiny_text("d/grey/broken.png", "no picture at all");
    ft_must_train();
    ck_assert_uint_eq(ft.s.left_out, 1);
    ft.o.strict = true;
    ck_assert_int_eq(ft_train(), GH_FORMAT);
}
END_TEST

/* What would fail when all the work is done is refused before it begins: no cache is made. */
START_TEST(test_a_bad_out_is_refused_at_once)
{
    char path[300], slash[310];
    struct stat st;
    ft.o.cache = ft.cache;
    snprintf(path, sizeof path, "%s", tiny_path("models/a name"));
    ft.o.out = path;
    ft_must_refuse(GH_ARG, "a name has 1 to 64 letters");
    ft.o.out = ".";
    ft_must_refuse(GH_ARG, "no name for a folder");
    ft.o.out = ft.data; /* folders in it */
    ft_must_refuse(GH_ARG, "which would be lost");
    tiny_text("models/own/notes.txt", "mine");
    snprintf(path, sizeof path, "%s", tiny_path("models/own"));
    ft.o.out = path;
    ft_must_refuse(GH_ARG, "holds 'notes.txt'");
    snprintf(path, sizeof path, "%s", tiny_path("link"));
    ck_assert_int_eq(symlink(ft.data, path), 0);
    snprintf(slash, sizeof slash, "%s/", path);
    ft.o.out = slash;
    ft_must_refuse(GH_ARG, "is no folder");
    ck_assert_int_ne(stat(ft.cache, &st), 0);
    ck_assert_int_eq(stat(tiny_path("models/own/notes.txt"), &st), 0);
}
END_TEST

START_TEST(test_names_of_classes_are_utf8)
{
    tiny_picture("d/\xff\xfe/1.png", 9, 9, 1, 2, 3);
    ft.o.cache = ft.cache;
    ft_must_refuse(GH_FORMAT, "is not UTF-8 text");
}
END_TEST

/* Broken pictures count for nothing once it is known that they are broken. */
START_TEST(test_a_class_of_broken_pictures)
{
    tiny_text("d/lost/1.png", "no picture at all");
    tiny_text("d/lost/2.png", "none either");
    ft_must_refuse(GH_FORMAT, "class lost has 0 different pictures");
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
    ft.o.data = parts;
    ft_must_refuse(GH_FORMAT, "class cold has 0 different pictures to learn from");
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
    ft.o.data = table;
    ft_must_refuse(GH_LIMIT, "columns of votes");
}
END_TEST

/* 20,000 classes of 500 pictures: scores alone would take terabytes. */
START_TEST(test_absurd_memory_is_refused)
{
    gh_body wide = {.width = 1280};
    gh_example one = {0};
    gh_trainset set = {.nexamples = 10000000, .nclasses = 20000, .examples = &one};
    gh_train_run r = {.o = &ft.o, .body = &wide, .set = &set, .e = &ft.e};
    ck_assert_int_eq(gh_train_check_memory(&r), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(ft.e.text, "10000000 pictures of 20000 classes"));
    set.nexamples = set.nclasses = 2;
    ck_assert_int_eq(gh_train_check_memory(&r), GH_OK);
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
    ck_assert_msg(gh_graph_check(g, &ft.e) == GH_OK, "%s", ft.e.text);
    tiny_text("odd/model.json", tiny_manifest("odd", ""));
    snprintf(name, sizeof name, "%s", tiny_path("odd/model.onnx"));
    ck_assert_msg(gh_onnx_write(g, tiny_path("odd/model.onnx"), &ft.e) == GH_OK, "%s", ft.e.text);
    gh_graph_free(&g);
    snprintf(ft.body, sizeof ft.body, "%s", tiny_path(folder));
}

START_TEST(test_cuts_that_give_no_features)
{
    cut_body("odd", "Relu", GH_UNKNOWN, 1);
    ft.o.cut = "odd";
    ft_must_train(); /* four dimensions are pooled in a whole model */
    ft.o.head_only = true;
    ft_must_refuse(GH_UNSUPPORTED, "--head-only needs a cut that gives a vector");
    ft.o.head_only = false;
    cut_body("odd", "Cast", GH_U8, 255);
    ft_must_refuse(GH_UNSUPPORTED, "gives uint8; features are float32");
    cut_body("odd", "Reciprocal", GH_UNKNOWN, 0);
    ft_must_refuse(GH_FORMAT, "a feature that is not a number");
}
END_TEST

Suite *gh_suite_train_bad(void)
{
    Suite *s = suite_create("train_bad");
    TCase *c = tcase_create("bad");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, ft_setup, ft_teardown);
    tcase_add_test(c, test_what_cannot_be_learned_is_refused);
    tcase_add_test(c, test_a_body_with_two_inputs_is_refused);
    tcase_add_test(c, test_a_broken_picture_is_left_out);
    tcase_add_test(c, test_a_bad_out_is_refused_at_once);
    tcase_add_test(c, test_names_of_classes_are_utf8);
    tcase_add_test(c, test_a_class_of_broken_pictures);
    tcase_add_test(c, test_a_class_in_the_validation_part_alone);
    tcase_add_test(c, test_more_columns_of_votes_than_are_read);
    tcase_add_test(c, test_absurd_memory_is_refused);
    tcase_add_test(c, test_cuts_that_give_no_features);
    suite_add_tcase(s, c);
    return s;
}
