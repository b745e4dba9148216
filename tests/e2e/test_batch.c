/* Several pictures in one request: what each of them is refused for, what they take together, and what
 * becomes of them when nobody waits any more; and what is refused before it waits, in every form. */
#include "e2e/harness.h"

#include "base/status.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE "gharial_stage_duration_seconds_count{stage=\"queue\"}"
#define INFER "gharial_stage_duration_seconds_count{stage=\"infer\"}"
#define GONE  "gharial_queue_rejected_total{reason=\"client_gone\"}"

static server s;
static reply r;
static gh_buf body;
static char dir[64];

static void start(void)
{
    strcpy(dir, "/tmp/gharial-batch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    remove_folder(dir);
    open_detector(dir);
}

static void done(void)
{
    reply_free(&r);
    gh_buf_free(&body);
    remove_folder(dir);
}

static void post(const char *target, const char *headers)
{
    ask(&r, s.address, "POST", target, headers, body.data, body.len);
    gh_buf_free(&body);
}

static void post_part(const void *data, size_t len)
{
    add_part(&body, "image", data, len);
    end_parts(&body);
    post("/classify", FORM);
}

static void post_base64(const void *data, size_t len)
{
    gh_buf_str(&body, "{\"top\":1,\"image\":\"");
    add_base64(&body, data, len);
    gh_buf_str(&body, "\"}");
    post("/classify", JSON);
}

/* The same picture n times, on a connection of its own; the answer is not waited for. */
static int post_batch(const char *target, int n)
{
    char head[256];
    int fd = connect_to(s.address);
    for (int i = 0; i < n; i++)
        add_part(&body, "image", photo("coffee.png")->data, photo("coffee.png")->len);
    end_parts(&body);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: t\r\n" FORM "Content-Length: %zu\r\n\r\n", target,
             body.len);
    send_text(fd, head);
    ck_assert(send_bytes(fd, body.data, body.len));
    gh_buf_free(&body);
    return fd;
}

/* While the only worker is busy, whichever way the one picture comes. */
START_TEST(test_bad_pictures_of_any_form_do_not_wait)
{
    static char much[100000] = "no picture";
    gh_buf huge = {0};
    /* a PNG of 50000 x 50000 pixels, as far as its first chunk goes */
    static const uint8_t header[33] = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0,    0,    0,
                                       0x0d, 0x49, 0x48, 0x44, 0x52, 0,    0,    0xc3, 0x50, 0,    0,
                                       0xc3, 0x50, 0x08, 0x02, 0,    0,    0,    0xc4, 0xcd, 0xaa, 0x9d};
    const gh_buf *picture = photo("coffee.png");
    server_start(&s, ARGS("--workers", "1", "--deadline-ms", "100000"));
    double before = metric(s.address, QUEUE);
    int fd = post_batch("/classify?model=slow", 6);
    ck_assert(wait_metric(s.address, QUEUE, before + 1));
    post_part("no picture", 10);
    check_problem(&r, 415, "JPEG, PNG or WebP");
    post_part(picture->data, 20);
    check_problem(&r, 422, "PNG");
    post_part("", 0);
    check_problem(&r, 400, "empty");
    post_base64("no picture", 10);
    check_problem(&r, 415, "JPEG, PNG or WebP");
    post_base64(much, sizeof much);
    check_problem(&r, 415, "JPEG, PNG or WebP");
    post_base64(picture->data, 20);
    check_problem(&r, 422, "PNG");
    gh_buf_add(&huge, header, sizeof header);
    gh_buf_add(&huge, much, sizeof much);
    post_base64(huge.data, huge.len);
    check_problem(&r, 413, "50000 x 50000");
    ck_assert_double_eq(metric(s.address, QUEUE), before + 1);
    read_reply(&r, fd, false, NULL);
    ck_assert_int_eq(r.status, 200);
    close(fd);
    gh_buf_free(&huge);
    /* whole ones pass, larger than what is looked at in JSON */
    post_base64(picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
    post_part(picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* Of twenty pictures, the client waits for one or two. */
START_TEST(test_a_batch_stops_when_its_client_has_gone)
{
    enum { N = 20 };
    server_start(&s, ARGS("--workers", "1", "--deadline-ms", "100000"));
    int fd = post_batch("/classify?model=slow", N);
    ck_assert(wait_metric(s.address, INFER, 1));
    if (_i)
        shutdown(fd, SHUT_WR);
    else
        close(fd);
    post_base64(photo("coffee.png")->data, photo("coffee.png")->len); /* behind it: there is one worker */
    ck_assert_int_eq(r.status, 200);
    double ran = metric(s.address, INFER);
    ck_assert_msg(ran >= 2 && ran < N / 2, "%g pictures ran", ran);
    ck_assert_double_eq(metric(s.address, GONE), 1);
    ck_assert_double_eq(metric(s.address, "gharial_body_bytes"), 0);
    if (_i) {
        read_reply(&r, fd, false, NULL);
        check_problem(&r, 503, "the client hung up after");
        close(fd);
    }
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* One picture may take all memory there is; two may not, together with the first one's reply. */
START_TEST(test_replies_of_a_batch_count_as_memory)
{
    const gh_buf *picture = photo("astronaut.png");
    gh_image_info info;
    gh_err e = {0};
    char work[32];
    ck_assert_int_eq(gh_image_probe(&info, picture->data, picture->len, NULL, &e), GH_OK);
    snprintf(work, sizeof work, "%llu", (unsigned long long)info.work_bytes + 1000);
    server_start(&s, ARGS("--models", dir, "--max-work", work));
    for (int i = 0; i < 2; i++)
        add_part(&body, "image", picture->data, picture->len);
    end_parts(&body);
    post("/localize?annotate=1", FORM);
    ck_assert_int_eq(r.status, 200);
    json_t *o = reply_json(&r), *list = json_object_get(o, "results");
    ck_assert(json_is_string(json_object_get(json_array_get(list, 0), "annotated")));
    json_t *second = json_array_get(list, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(second, "status")), 413);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(second, "error")), "other replies hold"));
    json_decref(o);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* Every status that a picture can have, each in its place. */
START_TEST(test_each_picture_has_its_status)
{
    static const int want[] = {0, 415, 422, 413, 0};
    gh_buf large = {0};
    uint8_t *pixels = calloc((size_t)700 * 700, 3);
    ck_assert_ptr_nonnull(pixels);
    ck_assert_int_eq(gh_png_encode_rgb(&large, pixels, 700, 700, NULL), GH_OK);
    free(pixels);
    server_start(&s, ARGS("--max-pixels", "300000"));
    add_part(&body, "image", photo("coffee.png")->data, photo("coffee.png")->len);
    add_part(&body, "image", "GIF89a\1\0\1\0\0\0\0;", 14);
    add_part(&body, "image", photo("coffee.png")->data, 50);
    add_part(&body, "image", large.data, large.len);
    add_part(&body, "image", photo("chelsea.png")->data, photo("chelsea.png")->len);
    end_parts(&body);
    post("/classify", FORM);
    ck_assert_int_eq(r.status, 200);
    json_t *o = reply_json(&r), *list = json_object_get(o, "results");
    for (size_t i = 0; i < GH_COUNT(want); i++) {
        const json_t *one = json_array_get(list, i);
        ck_assert_int_eq(json_integer_value(json_object_get(one, "status")), want[i]);
        ck_assert_int_eq(json_object_get(one, "labels") != NULL, want[i] == 0);
    }
    json_decref(o);
    gh_buf_free(&large);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A picture as a reply has no "warnings": a header says what was wrong. */
START_TEST(test_a_drawn_picture_has_its_warning)
{
    server_start(&s, ARGS("--models", dir));
    photo_turned(&body, "astronaut.png", 1);
    body.len = body.len * 4 / 5;
    post("/localize?annotate=1", NULL);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "image/jpeg");
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "X-Warning"), "ends early"));
    photo_turned(&body, "astronaut.png", 1);
    post("/localize?annotate=1", NULL);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(reply_header(&r, "X-Warning"), "");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

Suite *suite_batch(void)
{
    Suite *suite = suite_create("batch");
    TCase *t = tcase_create("batch");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_checked_fixture(t, start, done);
    tcase_add_test(t, test_bad_pictures_of_any_form_do_not_wait);
    tcase_add_loop_test(t, test_a_batch_stops_when_its_client_has_gone, 0, 2);
    tcase_add_test(t, test_replies_of_a_batch_count_as_memory);
    tcase_add_test(t, test_each_picture_has_its_status);
    tcase_add_test(t, test_a_drawn_picture_has_its_warning);
    suite_add_tcase(suite, t);
    return suite;
}
