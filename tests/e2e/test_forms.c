/* A picture in: three forms, one answer; parameters, batches, orientations. */
#include "e2e/harness.h"

#include "base/status.h"
#include "image/image.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static server s;
static reply r;

static void up(void)
{
    server_start(&s, NULL);
}

static void down(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
}

static void done(void)
{
    reply_free(&r);
}

static void post(const char *target, const char *headers, const gh_buf *body)
{
    ask(&r, s.address, "POST", target, headers, body->data, body->len);
}

static json_t *answer(void)
{
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (char *)r.body.data);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "application/json");
    return reply_json(&r);
}

START_TEST(test_photos_get_their_labels)
{
    post("/classify", NULL, photo("chelsea.png"));
    json_t *o = answer(), *labels = json_object_get(o, "labels");
    const char *first = first_label(o);
    ck_assert_msg(strcasecmp(first, "tiger cat") == 0 || strcasecmp(first, "Egyptian cat") == 0 ||
                      strcasecmp(first, "tabby") == 0,
                  "%s", first);
    ck_assert_uint_eq(json_array_size(labels), 5);
    for (size_t i = 1; i < 5; i++)
        ck_assert_double_ge(json_number_value(json_object_get(json_array_get(labels, i - 1), "score")),
                            json_number_value(json_object_get(json_array_get(labels, i), "score")));
    ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), 451);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "height")), 300);
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), REAL);
    json_decref(o);
    post("/classify", NULL, photo("coffee.png"));
    o = answer();
    ck_assert_str_eq(first_label(o), "espresso");
    json_decref(o);
}
END_TEST

/* The reply without what differs from run to run. */
static json_t *comparable(void)
{
    json_t *o = answer();
    ck_assert(json_is_object(json_object_get(o, "time_ms")));
    json_object_del(o, "time_ms");
    return o;
}

/* Asks in every form; all answers must be the same as the first. */
static void check_forms(const char *target, const gh_buf *picture, const char *fields_json,
                        const char *const *fields_form)
{
    gh_buf form = {0}, json = {0}, url = {0};
    json_t *want, *got;
    add_part(&form, "image", picture->data, picture->len);
    for (; fields_form && *fields_form; fields_form += 2)
        add_part(&form, fields_form[0], fields_form[1], strlen(fields_form[1]));
    end_parts(&form);
    gh_buf_str(&json, "{\"image\":\"");
    add_base64(&json, picture->data, picture->len);
    gh_buf_printf(&json, "\"%s}", fields_json);
    gh_buf_str(&url, "{\"image\":\"data:image/png;base64,");
    add_base64(&url, picture->data, picture->len);
    gh_buf_printf(&url, "\"%s}", fields_json);
    const struct {
        const char *target, *headers;
        const gh_buf *body;
    } rows[] = {
        {target, "Content-Type: image/jpeg\r\n", picture}, /* it is a PNG: the bytes decide */
        {target, "Content-Type: image/png\r\n", picture},
        {target, "Content-Type: application/octet-stream\r\n", picture},
        {target, "Content-Type: application/x-www-form-urlencoded\r\n", picture},
        {target, NULL, picture},
        {"/classify", FORM, &form},
        {"/classify", JSON, &json},
        {"/classify", JSON, &url},
        {"/classify", "Content-Type: application/x-www-form-urlencoded\r\n", &json},
    };
    post(rows[0].target, rows[0].headers, rows[0].body);
    want = comparable();
    for (size_t i = 1; i < GH_COUNT(rows); i++) {
        post(rows[i].target, rows[i].headers, rows[i].body);
        got = comparable();
        ck_assert_msg(json_equal(want, got), "row %zu: %s", i, (char *)r.body.data);
        json_decref(got);
    }
    json_decref(want);
    gh_buf_free(&form);
    gh_buf_free(&json);
    gh_buf_free(&url);
}

START_TEST(test_all_forms_get_the_same_answer)
{
    check_forms("/classify", photo("chelsea.png"), "", NULL);
}
END_TEST

START_TEST(test_parameters_work_in_every_form)
{
    check_forms("/classify?model=" REAL "&top=9&threshold=0.001&limit=7", photo("chelsea.png"),
                ",\"model\":\"" REAL "\",\"top\":9,\"threshold\":0.001,\"limit\":7",
                (const char *const[]){"model", REAL, "top", "9", "threshold", "0.001", "limit", "7", NULL});
    json_t *o = comparable();
    size_t n = json_array_size(json_object_get(o, "labels"));
    ck_assert_uint_ge(n, 3);
    ck_assert_uint_le(n, 7);
    json_decref(o);
    post("/classify?threshold=0.9", NULL, photo("chelsea.png"));
    o = answer();
    ck_assert_uint_eq(json_array_size(json_object_get(o, "labels")), 0);
    json_decref(o);
    post("/classify?top=100000&threshold=0&unknown=1", NULL, photo("chelsea.png"));
    o = answer();
    ck_assert_uint_ge(json_array_size(json_object_get(o, "labels")), 900);
    json_decref(o);
}
END_TEST

START_TEST(test_orientations_are_applied_once)
{
    char label[128];
    post("/classify", NULL, photo("coffee.png"));
    json_t *o = answer();
    snprintf(label, sizeof label, "%s", first_label(o));
    json_decref(o);
    for (int orientation = 1; orientation <= 8; orientation++) {
        gh_buf jpeg = {0};
        photo_turned(&jpeg, "coffee.png", orientation);
        post("/classify", NULL, &jpeg);
        o = answer();
        ck_assert_msg(json_integer_value(json_object_get(o, "width")) == 600 &&
                          json_integer_value(json_object_get(o, "height")) == 400,
                      "orientation %d: %s", orientation, (char *)r.body.data);
        ck_assert_msg(strcmp(first_label(o), label) == 0, "orientation %d: %s", orientation, first_label(o));
        json_decref(o);
        gh_buf_free(&jpeg);
    }
}
END_TEST

/* Checks {"results":[chelsea, error, coffee]}. */
static void check_batch(int bad_status)
{
    json_t *o = answer(), *list = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(list), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "width")), 451);
    json_t *bad = json_array_get(list, 1);
    ck_assert_uint_eq(json_object_size(bad), 2);
    ck_assert(json_is_string(json_object_get(bad, "error")));
    ck_assert_int_eq(json_integer_value(json_object_get(bad, "status")), bad_status);
    ck_assert_str_eq(first_label(json_array_get(list, 2)), "espresso");
    json_decref(o);
}

START_TEST(test_a_batch_answers_in_order_and_keeps_faults_apart)
{
    const gh_buf *cat = photo("chelsea.png"), *coffee = photo("coffee.png");
    gh_buf body = {0};
    add_part(&body, "image", cat->data, cat->len);
    add_part(&body, "image", "no picture", 10);
    add_part(&body, "file", coffee->data, coffee->len);
    end_parts(&body);
    post("/classify", FORM, &body);
    check_batch(415);
    gh_buf_free(&body);
    gh_buf_str(&body, "{\"images\":[\"");
    add_base64(&body, cat->data, cat->len);
    gh_buf_str(&body, "\",\"Zm9v!\",\"");
    add_base64(&body, coffee->data, coffee->len);
    gh_buf_str(&body, "\"]}");
    post("/classify", JSON, &body);
    check_batch(400);
    gh_buf_free(&body);
}
END_TEST

START_TEST(test_several_models_answer_in_order)
{
    post("/classify?model=tiny," REAL "&top=1", NULL, photo("coffee.png"));
    json_t *o = answer(), *list = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "model")), "tiny");
    ck_assert_str_eq(first_label(json_array_get(list, 1)), "espresso");
    json_decref(o);
    post("/classify?model=tiny,nobody", NULL, photo("coffee.png"));
    check_problem(&r, 404, "nobody");
    /* A batch of two models: results within results, and an error takes its picture's whole place. */
    gh_buf body = {0};
    add_part(&body, "image", "no picture", 10);
    add_part(&body, "image", photo("coffee.png")->data, photo("coffee.png")->len);
    end_parts(&body);
    post("/classify?model=tiny," REAL, FORM, &body);
    o = answer();
    list = json_object_get(o, "results");
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "status")), 415);
    list = json_object_get(json_array_get(list, 1), "results");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(first_label(json_array_get(list, 1)), "espresso");
    json_decref(o);
    gh_buf_free(&body);
}
END_TEST

START_TEST(test_a_truncated_jpeg_is_answered_with_a_warning)
{
    gh_buf jpeg = {0};
    photo_turned(&jpeg, "coffee.png", 1);
    jpeg.len = jpeg.len * 9 / 10;
    post("/classify", NULL, &jpeg);
    json_t *o = answer();
    ck_assert_uint_ge(json_array_size(json_object_get(o, "warnings")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), 600);
    json_decref(o);
    gh_buf_free(&jpeg);
}
END_TEST

START_TEST(test_odd_sizes_are_answered)
{
    static const int sizes[][2] = {{1, 1}, {1, 20000}, {20000, 1}, {3, 2}};
    static uint8_t pixels[20000 * 3];
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        gh_buf png = {0};
        ck_assert_int_eq(gh_png_encode_rgb(&png, pixels, sizes[i][0], sizes[i][1], NULL), GH_OK);
        post("/classify", NULL, &png);
        json_t *o = answer();
        ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), sizes[i][0]);
        ck_assert_int_eq(json_integer_value(json_object_get(o, "height")), sizes[i][1]);
        json_decref(o);
        gh_buf_free(&png);
    }
}
END_TEST

START_TEST(test_a_chunked_body_is_read)
{
    const gh_buf *picture = photo("coffee.png");
    int fd = connect_to(s.address);
    send_text(fd, "POST /classify HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < picture->len; at += 50000) {
        size_t n = picture->len - at < 50000 ? picture->len - at : 50000;
        char size[32];
        snprintf(size, sizeof size, "%zx\r\n", n);
        send_text(fd, size);
        send_bytes(fd, picture->data + at, n);
        send_text(fd, "\r\n");
    }
    send_text(fd, "0\r\n\r\n");
    read_reply(&r, fd, false, NULL);
    close(fd);
    json_t *o = answer();
    ck_assert_str_eq(first_label(o), "espresso");
    json_decref(o);
}
END_TEST

Suite *suite_forms(void)
{
    Suite *suite = suite_create("forms");
    TCase *t = tcase_create("forms");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_photos_get_their_labels);
    tcase_add_test(t, test_all_forms_get_the_same_answer);
    tcase_add_test(t, test_parameters_work_in_every_form);
    tcase_add_test(t, test_orientations_are_applied_once);
    tcase_add_test(t, test_a_batch_answers_in_order_and_keeps_faults_apart);
    tcase_add_test(t, test_several_models_answer_in_order);
    tcase_add_test(t, test_a_truncated_jpeg_is_answered_with_a_warning);
    tcase_add_test(t, test_odd_sizes_are_answered);
    tcase_add_test(t, test_a_chunked_body_is_read);
    suite_add_tcase(suite, t);
    return suite;
}
