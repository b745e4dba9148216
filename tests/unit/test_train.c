/* Whole training runs of classifiers on tiny pictures: what is written serves, is the same on any number of
 * threads, and never costs the old model. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "tasks/model_parts.h"
#include "train/classify/fit_parts.h"
#include "unit/fit_case.h"
#include "unit/tiny.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

START_TEST(test_a_trained_folder_serves)
{
    ft.o.report = true;
    ft_must_train();
    ck_assert_uint_eq(ft.s.classes, 3);
    ck_assert_uint_eq(ft.s.pictures, 3 * FT_A_CLASS);
    ck_assert_double_ge(ft.s.accuracy.value, 0.9);
    ft_check_answer(ft.out, 205, 70, 25, "warm");
    ft_check_answer(ft.out, 15, 70, 215, "cold");
    ft_check_answer(ft.out, 120, 120, 120, "grey");
    for (int i = 0; i < 2; i++) {
        char path[300];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", ft.out, i ? "report.html" : "report.json");
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_gt(st.st_size, 1000);
    }
}
END_TEST

/* Pure green is far from all three classes, and says so. */
START_TEST(test_strangers_are_unknown)
{
    ft_must_train();
    gh_result *r = ft_ask(ft.out, 0, 255, 0);
    ck_assert(r->unknown);
    gh_result_free(&r);
    r = ft_ask(ft.out, 206, 75, 20);
    ck_assert(!r->unknown);
    gh_result_free(&r);
}
END_TEST

/* Asked not to tell strangers, a head gives its best label for anything, and carries no distance. */
START_TEST(test_no_rule_for_strangers)
{
    ft.o.no_reject = true;
    ft.o.report = true;
    ft_must_train();
    gh_result *r = ft_ask(ft.out, 0, 255, 0);
    ck_assert(!r->unknown);
    ck_assert_uint_eq(gh_net_outputs(r->model->net), 1);
    ck_assert_double_eq(r->model->manifest->reject_distance, 0);
    gh_result_free(&r);
}
END_TEST

START_TEST(test_every_head_trains_and_serves)
{
    for (size_t i = 0; gh_head_types[i]; i++) {
        ft.o.head = gh_head_types[i]->name;
        ft.o.trees = 20;
        ft_must_train();
        ck_assert_str_eq(ft.s.head, ft.o.head);
        ft_check_answer(ft.out, 205, 70, 25, "warm");
        ft_check_answer(ft.out, 15, 70, 215, "cold");
    }
    ft.o.head = "auto";
    ft_must_train();
    ft_check_answer(ft.out, 205, 70, 25, "warm");
}
END_TEST

START_TEST(test_threads_do_not_change_a_byte)
{
    for (size_t i = 0; gh_head_types[i]; i++) {
        gh_buf one = {0}, more = {0};
        ft.o.head = gh_head_types[i]->name;
        ft.o.augment = GH_AUGMENT_FLIP | GH_AUGMENT_CROP | GH_AUGMENT_COLOUR;
        ft.o.trees = 10;
        ft.o.pool = NULL;
        ft_must_train();
        ft_read_model(&one, ft.out, "model.onnx");
        ck_assert_int_eq(gh_pool_new(&ft.pool, 3, &ft.e), GH_OK);
        ft.o.pool = ft.pool;
        ft_must_train();
        ft_read_model(&more, ft.out, "model.onnx");
        ck_assert_uint_eq(one.len, more.len);
        ck_assert_msg(memcmp(one.data, more.data, one.len) == 0, "%s differs", ft.o.head);
        gh_buf_free(&one);
        gh_buf_free(&more);
        gh_pool_free(&ft.pool);
    }
}
END_TEST

/* What serves stays while a changed model fails, and changes over when it is mended. */
START_TEST(test_reload)
{
    const char *dir = tiny_path("models");
    gh_registry *r = NULL;
    gh_model *before = NULL, *after = NULL;
    char path[300];
    ft_must_train();
    ck_assert_msg(gh_registry_open(&r, &dir, 1, &ft.e) == GH_OK, "%s", ft.e.text);
    ck_assert_int_eq(gh_registry_find(&before, r, "mine", &ft.e), GH_OK);
    ck_assert_int_eq(gh_registry_reload(r, &dir, 1, &ft.e), GH_OK);
    ck_assert_int_eq(gh_registry_find(&after, r, "mine", &ft.e), GH_OK);
    ck_assert_ptr_eq(before, after);
    gh_model_put(&after);
    snprintf(path, sizeof path, "%s/model.onnx", ft.out);
    ck_assert_int_eq(gh_file_write(path, "broken", 6, &ft.e), GH_OK);
    ck_assert_int_eq(gh_registry_reload(r, &dir, 1, &ft.e), GH_OK);
    ck_assert_int_eq(gh_registry_find(&after, r, "mine", &ft.e), GH_OK);
    ck_assert_ptr_eq(before, after);
    gh_model_put(&after);
    ft.o.seed = 2;
    ft_must_train();
    ck_assert_int_eq(gh_registry_reload(r, &dir, 1, &ft.e), GH_OK);
    ck_assert_int_eq(gh_registry_find(&after, r, "mine", &ft.e), GH_OK);
    ck_assert_ptr_ne(before, after);
    gh_model_put(&after);
    gh_model_put(&before);
    gh_registry_free(&r);
}
END_TEST

static volatile bool stop;

/* An interrupted run, and one that cannot write, leave the old model untouched and nothing beside it. */
START_TEST(test_the_old_model_survives)
{
    gh_buf before = {0}, after = {0};
    ft_must_train();
    ft_read_model(&before, ft.out, "model.onnx");
    stop = true;
    ft.o.stop = &stop;
    ft.o.seed = 9;
    ck_assert_int_eq(ft_train(), GH_INTERRUPTED);
    ft_read_model(&after, ft.out, "model.onnx");
    ck_assert_uint_eq(before.len, after.len);
    ck_assert_mem_eq(before.data, after.data, before.len);
    ft.o.stop = NULL;
    tiny_text("file", "x");
    char inside[300];
    snprintf(inside, sizeof inside, "%s/model", tiny_path("file"));
    ft.o.out = inside;
    ck_assert_int_eq(ft_train(), GH_ARG);
    ck_assert_msg(strstr(ft.e.text, "file") != NULL, "%s", ft.e.text);
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
    ft_must_train();
    ck_assert_int_ne(stat(left, &st), 0);
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
    ft.o.data = parts;
    ft_must_train();
    ck_assert(ft.s.tested);
    ck_assert_uint_eq(ft.s.test.count, 6);
    ck_assert_uint_eq(ft.s.accuracy.count, 6);
}
END_TEST

START_TEST(test_a_slash_at_the_end_is_no_part_of_the_name)
{
    char slash[300];
    snprintf(slash, sizeof slash, "%s//", ft.out);
    ft.o.out = slash;
    ft_must_train();
    ft_must_train(); /* a run's own folder may be replaced */
    gh_model *m = NULL;
    ck_assert_msg(gh_model_open(&m, ft.out, true, &ft.e) == GH_OK, "%s", ft.e.text);
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
    ck_assert_msg(gh_folder_stage(&staged, ft.out, &ft.e) == GH_OK, "%s", ft.e.text);
    gh_folder_remove(staged);
    gh_free(staged);
    ck_assert_int_eq(stat(tiny_path("models/mine/model.json"), &st), 0);
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
    ft.o.data = few;
    ft.o.report = true;
    ft.o.trees = 10;
    ft.o.folds = 100;
    for (size_t i = 0; gh_head_types[i]; i++) {
        ft.o.head = gh_head_types[i]->name;
        ft_must_train();
        ck_assert_uint_eq(ft.s.accuracy.count, 4);
        ck_assert(isfinite(ft.s.ece_after) && isfinite(ft.s.temperature) && ft.s.temperature > 0);
    }
}
END_TEST

/* Votes of one person only are labels; balancing goes by the class with most votes. */
START_TEST(test_votes_for_one_class_only)
{
    char table[300];
    gh_buf text = {0};
    gh_buf_str(&text, "path,warm,cold\n");
    for (int i = 0; i < FT_A_CLASS; i++)
        gh_buf_printf(&text, "d/warm/%d.png,%d,0\nd/cold/%d.png,0,%d\n", i, i < 6 ? 1 : 3, i, i < 6 ? 2 : 1);
    tiny_file("votes.csv", text.data, text.len);
    gh_buf_free(&text);
    snprintf(table, sizeof table, "%s", tiny_path("votes.csv"));
    ft.o.data = table;
    ft.o.trees = 10;
    for (gh_balance b = GH_BALANCE_NONE; b <= GH_BALANCE_WEIGHTS; b++)
        for (size_t i = 0; gh_head_types[i]; i++) {
            ft.o.balance = b;
            ft.o.head = gh_head_types[i]->name;
            ft_must_train();
            ft_check_answer(ft.out, 205, 70, 25, "warm");
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
    ck_assert_int_eq(gh_trainset_open(&set, table, &(gh_trainset_options){0}, &ft.e), GH_OK);
    ck_assert_int_eq(gh_body_open(&b, ft.body, NULL, &ft.e), GH_OK);
    ck_assert_int_eq(gh_features_make(&features, b, set, &f, &ft.e), GH_OK);
    for (gh_balance how = GH_BALANCE_SQRT; how <= GH_BALANCE_WEIGHTS; how++) {
        const gh_task_data d = {.set = set, .features = features, .balance = how};
        double warm = 0.75, cold = 1.5;
        if (how == GH_BALANCE_SQRT) {
            double mean = (4 * sqrt(warm) + 2 * sqrt(cold)) / 6;
            warm = sqrt(warm) / mean;
            cold = sqrt(cold) / mean;
        }
        ck_assert_int_eq(gh_rows_gather(&rows, &d, keep, true, &ft.e), GH_OK);
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

Suite *gh_suite_train(void)
{
    Suite *s = suite_create("train");
    TCase *c = tcase_create("train");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, ft_setup, ft_teardown);
    tcase_add_test(c, test_a_trained_folder_serves);
    tcase_add_test(c, test_strangers_are_unknown);
    tcase_add_test(c, test_no_rule_for_strangers);
    tcase_add_test(c, test_every_head_trains_and_serves);
    tcase_add_test(c, test_threads_do_not_change_a_byte);
    tcase_add_test(c, test_reload);
    tcase_add_test(c, test_the_old_model_survives);
    tcase_add_test(c, test_leftovers_of_a_killed_run_go);
    tcase_add_test(c, test_the_data_own_split_is_kept);
    tcase_add_test(c, test_a_slash_at_the_end_is_no_part_of_the_name);
    tcase_add_test(c, test_the_only_copy_is_no_leftover);
    tcase_add_test(c, test_two_pictures_a_class);
    tcase_add_test(c, test_votes_for_one_class_only);
    tcase_add_test(c, test_balance_of_votes_goes_by_the_majority);
    suite_add_tcase(s, c);
    return s;
}
