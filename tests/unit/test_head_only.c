/* Heads that are trained and stored without their body. */
#include "unit/suites.h"

#include "base/file.h"
#include "tasks/model_parts.h"
#include "unit/fit_case.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>

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
    snprintf(ft.body, sizeof ft.body, "%s", tiny_path("all/body"));
    snprintf(first, sizeof first, "%s", tiny_path("all/first"));
    snprintf(second, sizeof second, "%s", tiny_path("all/second"));
    ft_must_train();
    ft.o.head_only = true;
    ft.o.out = first;
    ft_must_train();
    ft.o.out = second;
    ft.o.head = "forest";
    ft.o.trees = 10;
    ft_must_train();
    ft_check_answer(first, 205, 70, 25, "warm"); /* finds the body beside it */
    dir = tiny_path("all");
    ck_assert_msg(gh_registry_open(&r, &dir, 1, &ft.e) == GH_OK, "%s", ft.e.text);
    ck_assert(gh_registry_ready(r));
    ck_assert_int_eq(gh_worker_new(&w, NULL, &ft.e), GH_OK);
    tiny_png(&png, 20, 20, 205, 70, 25);
    gh_worker_share(w);
    for (int i = 0; i < 3; i++) {
        gh_model *m = NULL;
        ck_assert_msg(gh_registry_find(&m, r, names[i], &ft.e) == GH_OK, "%s", ft.e.text);
        ck_assert_msg(gh_run(&results[i], w, m, png.data, png.len, NULL, NULL, &ft.e) == GH_OK, "%s",
                      ft.e.text);
        gh_model_put(&m);
    }
    gh_worker_unshare(w);
    ck_assert_double_gt(results[0]->decode_ms, 0);
    ck_assert_double_eq(results[1]->decode_ms, 0);
    ck_assert_str_eq(results[0]->labels[0].label, "red");
    ck_assert_str_eq(results[1]->labels[0].label, "warm");
    ck_assert_str_eq(results[2]->labels[0].label, "warm");
    gh_result *whole = ft_ask(ft.out, 205, 70, 25);
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
    snprintf(ft.body, sizeof ft.body, "%s", tiny_path("all/body"));
    snprintf(head, sizeof head, "%s", tiny_path("all/head"));
    ft.o.head_only = true;
    ft.o.out = head;
    ft_must_train();
    ft_read_model(&text, head, "model.json");
    gh_buf_add(&text, "", 1);
    ck_assert(gh_model_file_hash(hash, ft.body));
    snprintf(text_of_hash, sizeof text_of_hash, "\"body\": \"%s\"", hash);
    char *at = strstr((char *)text.data, text_of_hash);
    ck_assert_ptr_nonnull(at);
    memset(at, ' ', strlen(text_of_hash));
    memcpy(at, "\"body\": \"body\"", 14);
    snprintf(path, sizeof path, "%s/model.json", head);
    ck_assert_int_eq(gh_file_write(path, text.data, text.len - 1, &ft.e), GH_OK);
    ft_check_answer(head, 205, 70, 25, "warm");
    const char *dir = tiny_path("all");
    ck_assert_msg(gh_registry_open(&r, &dir, 1, &ft.e) == GH_OK, "%s", ft.e.text);
    ck_assert_uint_eq(gh_registry_count(r), 2);
    ck_assert(gh_registry_ready(r));
    gh_registry_free(&r);
    gh_buf_free(&text);
}
END_TEST

START_TEST(test_a_head_without_its_body_says_so)
{
    ft.o.head_only = true;
    ft_must_train();
    gh_model *m = NULL;
    ck_assert_int_eq(gh_model_open(&m, ft.out, true, &ft.e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(ft.e.text, "body"));
}
END_TEST

Suite *gh_suite_head_only(void)
{
    Suite *s = suite_create("head_only");
    TCase *c = tcase_create("head_only");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, ft_setup, ft_teardown);
    tcase_add_test(c, test_heads_alone_share_their_body);
    tcase_add_test(c, test_a_head_that_names_its_body);
    tcase_add_test(c, test_a_head_without_its_body_says_so);
    suite_add_tcase(s, c);
    return s;
}
