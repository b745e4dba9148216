/* Sets for training: layouts, votes, twins, conflicts, folds. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/data/trainset.h"
#include "unit/tiny.h"

#include <stdio.h>

#include <stdio.h>
#include <string.h>

static gh_trainset *t;
static gh_err e;
static gh_trainset_options options;

static void setup(void)
{
    tiny_setup();
    e = (gh_err){0};
    options = (gh_trainset_options){0};
}

static void teardown(void)
{
    gh_trainset_free(&t);
    tiny_remove();
}

static void must_open(const char *name)
{
    ck_assert_msg(gh_trainset_open(&t, tiny_path(name), &options, &e) == GH_OK, "%s", e.text);
}

static const gh_example *example(const char *ending)
{
    for (uint32_t i = 0; i < t->nexamples; i++) {
        size_t len = strlen(t->examples[i].path), part = strlen(ending);
        if (len >= part && strcmp(t->examples[i].path + len - part, ending) == 0)
            return &t->examples[i];
    }
    ck_abort_msg("no example %s", ending);
    return NULL;
}

START_TEST(test_folders_are_classes)
{
    tiny_picture("d/red/1.png", 9, 9, 200, 0, 0);
    tiny_picture("d/red/2.png", 9, 9, 210, 0, 0);
    tiny_picture("d/blue/1.png", 9, 9, 0, 0, 200);
    must_open("d");
    ck_assert_uint_eq(t->nclasses, 2);
    ck_assert_str_eq(t->classes[0], "blue");
    ck_assert_uint_eq(t->nexamples, 3);
    ck_assert_uint_eq(example("red/2.png")->label, 1);
    ck_assert(!t->parted);
}
END_TEST

START_TEST(test_equal_pictures_are_twins_and_conflicts_are_told)
{
    tiny_picture("d/a/1.png", 9, 9, 1, 2, 3);
    tiny_picture("d/a/2.png", 9, 9, 1, 2, 3);
    tiny_picture("d/b/3.png", 9, 9, 1, 2, 3);
    tiny_picture("d/b/4.png", 9, 9, 9, 9, 9);
    must_open("d");
    ck_assert_uint_eq(example("a/2.png")->twin, 0);
    ck_assert_uint_eq(example("b/3.png")->twin, 0);
    ck_assert_uint_eq(t->nproblems, 1);
    ck_assert_ptr_nonnull(strstr(t->problems[0], "b/3.png is labelled b"));
    options.strict = true;
    gh_trainset_free(&t);
    ck_assert_int_eq(gh_trainset_open(&t, tiny_path("d"), &options, &e), GH_FORMAT);
}
END_TEST

START_TEST(test_unreadable_files_are_left_out_and_listed)
{
    tiny_picture("d/a/1.png", 9, 9, 1, 2, 3);
    tiny_file("d/a/empty.png", "", 0);
    tiny_text("d/labels.csv", "path,label\na/1.png,a\na/empty.png,a\na/gone.png,b\n");
    must_open("d");
    ck_assert_uint_eq(t->nexamples, 1);
    ck_assert_uint_eq(t->nproblems, 2);
}
END_TEST

/* A bare name is found below the split it belongs to; "valid" is val; votes become shares, in the order of
 * the classes' names. */
START_TEST(test_votes_with_bare_names)
{
    tiny_picture("d/train/happy/x.png", 9, 9, 1, 1, 1);
    tiny_picture("d/valid/sad/x.png", 9, 9, 2, 2, 2);
    tiny_picture("d/train/sad/y.png", 9, 9, 3, 3, 3);
    tiny_text("d/votes.csv",
              "name,split,happy,sad,angry\nx.png,train,6,2,0\nx.png,valid,0,1,0\ny.png,train,0,3,1\n");
    must_open("d/votes.csv");
    ck_assert_uint_eq(t->nclasses, 3);
    ck_assert_str_eq(t->classes[0], "angry");
    ck_assert_str_eq(t->classes[1], "happy");
    ck_assert_str_eq(t->classes[2], "sad");
    ck_assert_int_eq(example("valid/sad/x.png")->split, GH_SPLIT_VAL);
    const gh_example *x = example("train/happy/x.png");
    ck_assert_uint_eq(x->label, 1);
    ck_assert_float_eq_tol(x->votes[0], 0, 1e-6f);
    ck_assert_float_eq_tol(x->votes[1], 0.75f, 1e-6f);
    ck_assert_float_eq_tol(x->votes[2], 0.25f, 1e-6f);
    ck_assert(t->parted);
}
END_TEST

/* One part of the data, as if there were no others. */
START_TEST(test_one_part_alone)
{
    tiny_picture("d/train/happy/x.png", 9, 9, 1, 1, 1);
    tiny_picture("d/train/sad/y.png", 9, 9, 3, 3, 3);
    tiny_picture("d/valid/sad/x.png", 9, 9, 2, 2, 2);
    options.part = GH_SPLIT_TRAIN;
    must_open("d");
    ck_assert_uint_eq(t->nexamples, 2);
    ck_assert(!t->parted);
    ck_assert_int_eq(example("sad/y.png")->split, GH_SPLIT_NONE);
    gh_trainset_free(&t);
    options.part = GH_SPLIT_TEST;
    ck_assert_int_eq(gh_trainset_open(&t, tiny_path("d"), &options, &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "split test"));
}
END_TEST

START_TEST(test_bad_votes_name_file_and_line)
{
    tiny_picture("d/x.png", 9, 9, 1, 1, 1);
    tiny_text("d/a.csv", "name,happy,sad\nx.png,1,many\n");
    ck_assert_int_eq(gh_trainset_open(&t, tiny_path("d/a.csv"), &options, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "line 2"));
    tiny_text("d/b.csv", "name,happy,sad\nx.png,0,0\n");
    ck_assert_int_eq(gh_trainset_open(&t, tiny_path("d/b.csv"), &options, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "nobody voted"));
    tiny_text("d/c.csv", "name,happy\nx.png,1\n");
    ck_assert_int_eq(gh_trainset_open(&t, tiny_path("d/c.csv"), &options, &e), GH_FORMAT);
}
END_TEST

/* 40 pictures of two classes, where tens are twins and fives of others are a group. */
static void make_forty(void)
{
    gh_buf csv = {0};
    gh_buf_str(&csv, "path,label,split,group\n");
    for (int i = 0; i < 40; i++) {
        char name[32];
        int twin = i % 10 == 9 ? i - 1 : i;
        snprintf(name, sizeof name, "d/p%02d.png", i);
        tiny_picture(name, 9, 9, twin, 7, 7);
        gh_buf_printf(&csv, "p%02d.png,%s,,%s\n", i, twin % 2 ? "odd" : "even",
                      i < 10 && i % 2 == 0 ? "anna" : "");
    }
    gh_buf_add(&csv, "", 1);
    tiny_text("d/labels.csv", (const char *)csv.data);
    gh_buf_free(&csv);
    must_open("d");
}

START_TEST(test_folds_keep_together_what_belongs_together)
{
    uint32_t fold[40], again[40], count[4] = {0};
    make_forty();
    ck_assert_int_eq(gh_trainset_folds(fold, t, NULL, 4, 7, &e), GH_OK);
    ck_assert_int_eq(gh_trainset_folds(again, t, NULL, 4, 7, &e), GH_OK);
    ck_assert_mem_eq(fold, again, sizeof fold);
    for (uint32_t i = 0; i < 40; i++) {
        ck_assert_uint_lt(fold[i], 4);
        count[fold[i]]++;
        ck_assert_uint_eq(fold[i], fold[t->examples[i].twin]);
        for (uint32_t k = 0; k < 40; k++)
            if (t->examples[i].group != UINT32_MAX && t->examples[i].group == t->examples[k].group)
                ck_assert_uint_eq(fold[i], fold[k]);
    }
    for (int f = 0; f < 4; f++)
        ck_assert_msg(count[f] >= 8 && count[f] <= 12, "fold %d holds %u", f, count[f]);
    ck_assert_int_eq(gh_trainset_folds(again, t, NULL, 4, 8, &e), GH_OK);
    ck_assert_mem_ne(fold, again, sizeof fold);
}
END_TEST

START_TEST(test_failing_memory_is_reported)
{
    make_forty();
    gh_trainset_free(&t);
    for (int64_t n = 0;; n++) {
        gh_mem_fail_after(n);
        gh_status status = gh_trainset_open(&t, tiny_path("d"), &options, &e);
        gh_mem_fail_after(-1);
        if (status == GH_OK)
            break;
        ck_assert_int_eq(status, GH_NOMEM);
        ck_assert_ptr_null(t);
    }
}
END_TEST

Suite *gh_suite_trainset(void)
{
    Suite *s = suite_create("trainset");
    TCase *c = tcase_create("trainset");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_folders_are_classes);
    tcase_add_test(c, test_equal_pictures_are_twins_and_conflicts_are_told);
    tcase_add_test(c, test_unreadable_files_are_left_out_and_listed);
    tcase_add_test(c, test_votes_with_bare_names);
    tcase_add_test(c, test_one_part_alone);
    tcase_add_test(c, test_bad_votes_name_file_and_line);
    tcase_add_test(c, test_folds_keep_together_what_belongs_together);
    tcase_add_test(c, test_failing_memory_is_reported);
    suite_add_tcase(s, c);
    return s;
}
