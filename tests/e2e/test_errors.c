/* Every wrong request gets its status and a sentence, and the server goes on. */
#include "e2e/harness.h"

#include "base/status.h"
#include "image/image.h"

#include <stdio.h>
#include <string.h>
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
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
}

static void post(const char *target, const char *headers, const void *body, size_t len)
{
    ask(&r, s.address, "POST", target, headers, body, len);
}

static void post_text(const char *target, const char *headers, const char *body)
{
    post(target, headers, body, strlen(body));
}

START_TEST(test_what_is_no_picture)
{
    post_text("/classify", NULL, "");
    check_problem(&r, 400, "the body is empty");
    post_text("/classify", "Content-Type: image/jpeg\r\n", "just some words");
    check_problem(&r, 415, "PNG");
    post_text("/classify", NULL, "<!doctype html><html><body>404</body></html>");
    check_problem(&r, 415, "PNG");
    post("/classify", NULL, "GIF89a\1\0\1\0\0\0\0;", 15);
    check_problem(&r, 415, "GIF");
    post("/classify", NULL, "\0\0\0\0", 4);
    check_problem(&r, 415, "JPEG");
}
END_TEST

START_TEST(test_broken_pictures)
{
    const gh_buf *png = photo("coffee.png");
    gh_buf jpeg = {0};
    photo_turned(&jpeg, "coffee.png", 1);
    post("/classify", NULL, png->data, 20);
    check_problem(&r, 422, "");
    post("/classify", NULL, jpeg.data, 60);
    check_problem(&r, 422, "");
    post("/classify", NULL, png->data, 8);
    check_problem(&r, 422, "");
    for (size_t i = 100; i < 2000; i++)
        jpeg.data[i] = (uint8_t)(i * 31);
    post("/classify", NULL, jpeg.data, jpeg.len);
    ck_assert_msg(r.status == 422 || r.status == 415 || r.status == 413, "%d", r.status);
    gh_buf_free(&jpeg);
}
END_TEST

static uint32_t crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A small PNG whose header claims another size, with the right checksum. */
static void lying_png(gh_buf *out, uint32_t width, uint32_t height)
{
    static const uint8_t pixels[12];
    ck_assert_int_eq(gh_png_encode_rgb(out, pixels, 2, 2, NULL), GH_OK);
    put32(out->data + 16, width);
    put32(out->data + 20, height);
    put32(out->data + 29, crc32_of(out->data + 12, 17));
}

START_TEST(test_sizes_that_headers_claim)
{
    gh_buf png = {0};
    lying_png(&png, 50000, 50000);
    post("/classify", NULL, png.data, png.len);
    check_problem(&r, 413, "50000");
    gh_buf_free(&png);
    lying_png(&png, 10000, 5000); /* as many as may be, if they were there */
    post("/classify", NULL, png.data, png.len);
    check_problem(&r, 422, "PNG");
    gh_buf_free(&png);
    lying_png(&png, 10000, 5001);
    post("/classify", NULL, png.data, png.len);
    check_problem(&r, 413, "10000 x 5001 = 50010000 pixels");
    gh_buf_free(&png);
    lying_png(&png, 0, 5);
    post("/classify", NULL, png.data, png.len);
    check_problem(&r, 422, "");
    gh_buf_free(&png);
    lying_png(&png, 2000, 2000);
    post("/classify", NULL, png.data, png.len);
    ck_assert_msg(r.status == 422 || r.status == 200, "%d", r.status);
    gh_buf_free(&png);
}
END_TEST

START_TEST(test_bad_multipart)
{
    post_text("/classify", "Content-Type: multipart/form-data\r\n", "--b\r\n\r\nx\r\n--b--");
    check_problem(&r, 400, "boundary");
    post_text("/classify", FORM, "no boundary in here");
    check_problem(&r, 400, "boundary");
    post_text("/classify", FORM, "--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nhalf");
    check_problem(&r, 400, "not ended");
    post_text("/classify", FORM, "--b\r\nContent-Disposition: form-data; name=\"photo\"\r\n\r\nx\r\n--b--");
    check_problem(&r, 400, "\"photo\"");
    post_text("/classify", FORM, "--b--");
    check_problem(&r, 400, "no part");
    gh_buf many = {0};
    for (int i = 0; i < 33; i++)
        add_part(&many, "image", "x", 1);
    end_parts(&many);
    post("/classify", FORM, many.data, many.len);
    check_problem(&r, 413, "32");
    gh_buf_free(&many);
}
END_TEST

START_TEST(test_bad_json)
{
    post_text("/classify", JSON, "{\"image\":\"Zm9v");
    check_problem(&r, 400, "ends within a string");
    post_text("/classify", JSON, "{\"image\":}");
    check_problem(&r, 400, "not valid JSON");
    post_text("/classify", JSON, "[]");
    check_problem(&r, 400, "must be an object");
    post_text("/classify", JSON, "{}");
    check_problem(&r, 400, "\"image\"");
    post_text("/classify", JSON, "{\"image\":\"not base64!\"}");
    check_problem(&r, 400, "not base64");
    post_text("/classify", JSON, "{\"image\":\"Zm9v\"}");
    check_problem(&r, 415, "PNG");
    post_text("/classify", JSON, "{\"image\":\"http://127.0.0.1/cat.jpg\"}");
    check_problem(&r, 400, "not base64");
    post_text("/classify", JSON, "{\"image\":\"/etc/passwd\"}"); /* eight bytes of base64, nothing else */
    check_problem(&r, 415, "PNG");
    post_text("/classify", JSON, "{\"image\":\"Zm9v\",\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}");
    check_problem(&r, 400, "deeper than 16");
}
END_TEST

START_TEST(test_bad_parameters)
{
    static const char *const rows[][2] = {
        {"/classify?top=0", "\"top\" must be a whole number from 1 to 100000; got \"0\""},
        {"/classify?top=many", "got \"many\""},
        {"/classify?threshold=2", "\"threshold\" must be a number from 0 to 1; got \"2\""},
        {"/classify?threshold=nan", "got \"nan\""},
        {"/classify?limit=-3", "\"limit\" must be"},
        {"/classify?timeout_ms=1.5", "\"timeout_ms\" must be"},
        {"/classify?model=../../etc", "\"model\" must be a name"},
        {"/classify?top=%00", "zero byte"},
    };
    const gh_buf *picture = photo("coffee.png");
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        post(rows[i][0], NULL, picture->data, picture->len);
        check_problem(&r, 400, rows[i][1]);
    }
    post("/classify?model=nobody", NULL, picture->data, picture->len);
    check_problem(&r, 404, "there are: ");
}
END_TEST

START_TEST(test_routes_and_methods)
{
    ask(&r, s.address, "GET", "/nothing", NULL, NULL, 0);
    check_problem(&r, 404, "POST /classify");
    ask(&r, s.address, "GET", "/models/nobody", NULL, NULL, 0);
    check_problem(&r, 404, REAL);
    ask(&r, s.address, "GET", "/models/..%2f..%2fetc%2fpasswd", NULL, NULL, 0);
    ck_assert_int_eq(r.status, 404);
    ask(&r, s.address, "GET", "/classify", NULL, NULL, 0);
    check_problem(&r, 405, "POST");
    ck_assert_str_eq(reply_header(&r, "Allow"), "POST, OPTIONS");
    ask(&r, s.address, "DELETE", "/models", NULL, NULL, 0);
    check_problem(&r, 405, "GET");
    ck_assert_str_eq(reply_header(&r, "Allow"), "GET, HEAD, OPTIONS");
    post_text("/healthz", NULL, "some body that nobody asked for");
    check_problem(&r, 405, "GET");
    ask(&r, s.address, "PUT", "/classify", NULL, "x", 1);
    check_problem(&r, 405, "POST");
}
END_TEST

START_TEST(test_lengths)
{
    ask(&r, s.address, "POST", "/classify", NULL, NULL, 0);
    check_problem(&r, 411, "Content-Length");
    ask(&r, s.address, "POST", "/classify", "Content-Length: 16777217\r\n", NULL, 0);
    check_problem(&r, 413, "16777217 bytes; at most 16777216");
    ask(&r, s.address, "POST", "/classify", "Content-Length: 99999999999\r\n", NULL, 0);
    check_problem(&r, 413, "at most");
    post_text("/classify", "Content-Encoding: gzip\r\n", "xx");
    check_problem(&r, 415, "gzip");
}
END_TEST

/* The reply must reach a client that sends all of its 40 MB before it looks: the socket is closed gently. */
START_TEST(test_413_reaches_a_client_that_does_not_wait)
{
    static char much[1 << 20];
    int fd = connect_to(s.address);
    send_text(fd, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 41943040\r\n\r\n");
    for (int i = 0; i < 40; i++)
        ck_assert_msg(send_bytes(fd, much, sizeof much), "the connection was reset after %d MB", i);
    read_reply(&r, fd, false, NULL);
    check_problem(&r, 413, "41943040 bytes");
    close(fd);
}
END_TEST

START_TEST(test_expect_is_answered_before_the_body)
{
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    int continues = 0, fd = connect_to(s.address);
    send_text(
        fd, "POST /classify HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n");
    read_reply(&r, fd, false, &continues);
    check_problem(&r, 413, "20000000");
    ck_assert_int_eq(continues, 0);
    close(fd);
    fd = connect_to(s.address);
    snprintf(head, sizeof head,
             "POST /classify HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
             picture->len);
    send_text(fd, head);
    char interim[64] = {0};
    for (size_t n = 0; n < 25;) { /* HTTP/1.1 100 Continue and two line ends */
        ssize_t got = read(fd, interim + n, 25 - n);
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
    }
    ck_assert_str_eq(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    send_bytes(fd, picture->data, picture->len);
    read_reply(&r, fd, false, NULL);
    ck_assert_int_eq(r.status, 200);
    close(fd);
}
END_TEST

START_TEST(test_a_chunked_body_over_the_limit_closes)
{
    static char much[1 << 20];
    int fd = connect_to(s.address);
    bool open = send_text(fd, "POST /classify HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 64 && open; i++)
        open = send_text(fd, "100000\r\n") && send_bytes(fd, much, sizeof much) && send_text(fd, "\r\n");
    ck_assert(!open || closes_silently(fd, 5000));
    close(fd);
    ck_assert(wait_metric(s.address, "gharial_queue_rejected_total{reason=\"body\"}", 1));
}
END_TEST

Suite *suite_errors(void)
{
    Suite *suite = suite_create("errors");
    TCase *t = tcase_create("errors");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_what_is_no_picture);
    tcase_add_test(t, test_broken_pictures);
    tcase_add_test(t, test_sizes_that_headers_claim);
    tcase_add_test(t, test_bad_multipart);
    tcase_add_test(t, test_bad_json);
    tcase_add_test(t, test_bad_parameters);
    tcase_add_test(t, test_routes_and_methods);
    tcase_add_test(t, test_lengths);
    tcase_add_test(t, test_413_reaches_a_client_that_does_not_wait);
    tcase_add_test(t, test_expect_is_answered_before_the_body);
    tcase_add_test(t, test_a_chunked_body_over_the_limit_closes);
    suite_add_tcase(suite, t);
    return suite;
}
