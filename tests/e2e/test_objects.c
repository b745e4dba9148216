/* Objects over HTTP: what a front end sends, and what comes back; the body of the heads on faces takes no
 * requests. */
#include "e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static server s;
static reply r;

static void up(void)
{
    strcpy(dir, "/tmp/gharial-objects-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    link_model("objects", dir);
    link_model("faceres", dir);
    server_start(&s, ARGS("--models", dir));
}

static void down(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
    remove_folder(dir);
}

static void done(void)
{
    reply_free(&r);
}

START_TEST(test_motorcycle)
{
    const gh_buf *picture = photo("motorcycle_left.png");
    gh_buf form = {0};
    add_part(&form, "image", picture->data, picture->len);
    end_parts(&form);
    ask(&r, s.address, "POST", "/localize?model=objects", FORM, form.data, form.len);
    gh_buf_free(&form);
    ck_assert_int_eq(r.status, 200);
    json_t *root = reply_json(&r);
    const char *label = NULL;
    double score = 0;
    int x, y, w, h;
    ck_assert_uint_eq(json_array_size(json_object_get(root, "objects")), 1);
    ck_assert_int_eq(json_unpack(json_array_get(json_object_get(root, "objects"), 0),
                                 "{s:s, s:F, s:i, s:i, s:i, s:i}", "label", &label, "score", &score, "x", &x,
                                 "y", &y, "w", &w, "h", &h),
                     0);
    ck_assert_str_eq(label, "motorcycle");
    ck_assert_double_eq_tol(score, 0.9829, 1e-3);
    ck_assert(abs(x - 92) <= 1 && abs(y - 52) <= 1 && abs(w - 600) <= 1 && abs(h - 409) <= 1);
    json_decref(root);
}
END_TEST

/* A model that is internal is listed as such; its answers are not for clients. */
START_TEST(test_body_takes_no_requests)
{
    const gh_buf *picture = photo("astronaut.png");
    ask(&r, s.address, "POST", "/localize?model=faceres", NULL, picture->data, picture->len);
    check_problem(&r, 404, "is a part of others and takes no requests");
    reply_free(&r);
    ask(&r, s.address, "GET", "/models/faceres", NULL, NULL, 0);
    ck_assert_int_eq(r.status, 200);
    json_t *manifest = reply_json(&r);
    ck_assert(json_is_true(json_object_get(manifest, "internal")));
    ck_assert_ptr_null(json_object_get(manifest, "labels"));
    json_decref(manifest);
}
END_TEST

/* What software for DeepStack sends: a form with the picture and min_confidence. */
START_TEST(test_deepstack)
{
    const gh_buf *picture = photo("motorcycle_left.png");
    gh_buf form = {0};
    add_part(&form, "image", picture->data, picture->len);
    add_part(&form, "min_confidence", "0.5", 3);
    end_parts(&form);
    ask(&r, s.address, "POST", "/v1/vision/detection", FORM, form.data, form.len);
    gh_buf_free(&form);
    ck_assert_int_eq(r.status, 200);
    json_t *root = reply_json(&r);
    const char *label = NULL;
    double confidence = 0;
    int left, top, right, bottom;
    ck_assert(json_is_true(json_object_get(root, "success")));
    ck_assert_uint_eq(json_array_size(json_object_get(root, "predictions")), 1);
    ck_assert_int_eq(json_unpack(json_array_get(json_object_get(root, "predictions"), 0),
                                 "{s:s, s:F, s:i, s:i, s:i, s:i}", "label", &label, "confidence", &confidence,
                                 "x_min", &left, "y_min", &top, "x_max", &right, "y_max", &bottom),
                     0);
    ck_assert_str_eq(label, "motorcycle");
    ck_assert_double_eq_tol(confidence, 0.9829, 1e-3);
    ck_assert(abs(left - 92) <= 1 && abs(top - 52) <= 1 && abs(right - 692) <= 1 && abs(bottom - 461) <= 1);
    json_decref(root);
    reply_free(&r);
    ask(&r, s.address, "POST", "/v1/vision/detection?min_confidence=0.99", NULL, picture->data, picture->len);
    root = reply_json(&r);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "predictions")), 0);
    json_decref(root);
    reply_free(&r);
    ask(&r, s.address, "POST", "/v1/vision/detection", NULL, "no picture", 10);
    ck_assert_int_eq(r.status, 415);
    root = reply_json(&r);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(root, "error")), "JPEG"));
    ck_assert(json_is_false(json_object_get(root, "success")));
    json_decref(root);
    reply_free(&r);
    ask(&r, s.address, "POST", "/v1/vision/detection", "Content-Length: 99999999\r\n", NULL, 0);
    ck_assert_int_eq(r.status, 413);
    root = reply_json(&r);
    ck_assert(json_is_false(json_object_get(root, "success")));
    json_decref(root);
}
END_TEST

START_TEST(test_without_deepstack)
{
    const gh_buf *picture = photo("motorcycle_left.png");
    server other;
    server_start(&other, ARGS("--models", dir, "--no-compat"));
    ask(&r, other.address, "POST", "/v1/vision/face", NULL, picture->data, picture->len);
    check_problem(&r, 404, "/v1/vision/face");
    ck_assert_int_eq(server_stop(&other), 0);
}
END_TEST

Suite *suite_objects(void)
{
    Suite *suite = suite_create("objects");
    TCase *t = tcase_create("objects");
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_motorcycle);
    tcase_add_test(t, test_body_takes_no_requests);
    tcase_add_test(t, test_deepstack);
    tcase_add_test(t, test_without_deepstack);
    suite_add_tcase(suite, t);
    return suite;
}
