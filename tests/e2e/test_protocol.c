/* HTTP itself: connections that live on, slow and broken clients, headers that every reply carries. */
#include "e2e/harness.h"

#include "base/cpu.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static server s;
static reply r;

static void up(void)
{
    server_start(&s, ARGS("--body-timeout-s", "2", "--idle-timeout-s", "2"));
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

static void post_head(char *head, size_t size, const gh_buf *body)
{
    snprintf(head, size, "POST /classify?model=tiny HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n",
             body->len);
}

START_TEST(test_a_connection_is_used_again)
{
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    int fd = connect_to(s.address);
    post_head(head, sizeof head, picture);
    for (int i = 0; i < 5; i++) {
        send_text(fd, head);
        send_bytes(fd, picture->data, picture->len);
        read_reply(&r, fd, false, NULL);
        ck_assert_int_eq(r.status, 200);
        ck_assert(!r.closed);
        send_text(fd, "GET /nothing HTTP/1.1\r\nHost: t\r\n\r\n");
        read_reply(&r, fd, false, NULL);
        ck_assert_int_eq(r.status, 404);
        send_text(fd, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nwrong");
        read_reply(&r, fd, false, NULL);
        ck_assert_int_eq(r.status, 415);
    }
    close(fd);
}
END_TEST

START_TEST(test_pipelined_requests_are_answered_in_order)
{
    gh_buf all = {0};
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    post_head(head, sizeof head, picture);
    gh_buf_str(&all, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    gh_buf_str(&all, head);
    gh_buf_add(&all, picture->data, picture->len);
    gh_buf_str(&all, "GET /version HTTP/1.1\r\nHost: t\r\n\r\nGET /nothing HTTP/1.1\r\nHost: t\r\n\r\n");
    int fd = connect_to(s.address);
    static const int want[] = {200, 200, 200, 404};
    ck_assert(send_bytes(fd, all.data, all.len));
    for (size_t i = 0; i < GH_COUNT(want); i++) {
        read_reply(&r, fd, false, NULL);
        ck_assert_int_eq(r.status, want[i]);
    }
    close(fd);
    gh_buf_free(&all);
}
END_TEST

START_TEST(test_pieces_may_come_slowly)
{
    static const char text[] = "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nwrong";
    int fd = connect_to(s.address);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        send_bytes(fd, text + i, 1);
        usleep(2000);
    }
    read_reply(&r, fd, false, NULL);
    ck_assert_int_eq(r.status, 415);
    close(fd);
}
END_TEST

START_TEST(test_head_is_get_without_body)
{
    static const char *const targets[] = {"/healthz", "/readyz",       "/version",
                                          "/models",  "/openapi.json", "/nothing"};
    for (size_t i = 0; i < GH_COUNT(targets); i++) {
        ask(&r, s.address, "GET", targets[i], NULL, NULL, 0);
        int status = r.status;
        size_t len = r.body.len;
        ask(&r, s.address, "HEAD", targets[i], NULL, NULL, 0);
        ck_assert_int_eq(r.status, status);
        /* The request id in a problem has the same length every time. */
        ck_assert_uint_eq(strtoul(reply_header(&r, "Content-Length"), NULL, 10), len);
        ck_assert_uint_eq(r.body.len, 0);
    }
    int fd = connect_to(s.address);
    send_text(fd, "HEAD /healthz HTTP/1.1\r\nHost: t\r\n\r\nGET /version HTTP/1.1\r\nHost: t\r\n\r\n");
    read_reply(&r, fd, true, NULL);
    read_reply(&r, fd, false, NULL);
    ck_assert_int_eq(r.status, 200);
    close(fd);
}
END_TEST

START_TEST(test_headers_of_every_reply)
{
    static const char *const targets[] = {"/healthz", "/nothing", "/models", "/openapi.json", "/metrics"};
    for (size_t i = 0; i < GH_COUNT(targets); i++) {
        ask(&r, s.address, "GET", targets[i], "X-Request-ID: id.1:2/3\r\n", NULL, 0);
        ck_assert_str_eq(reply_header(&r, "X-Request-ID"), "id.1:2/3");
        ck_assert_str_eq(reply_header(&r, "Cache-Control"), "no-store");
        ck_assert_str_eq(reply_header(&r, "X-Content-Type-Options"), "nosniff");
        ck_assert_str_ne(reply_header(&r, "Date"), "");
    }
    const gh_buf *picture = photo("coffee.png");
    ask(&r, s.address, "POST", "/classify", "X-Request-ID: bad id\r\n", picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_uint_eq(strlen(reply_header(&r, "X-Request-ID")), 16);
    ck_assert_str_eq(reply_header(&r, "Cache-Control"), "no-store");
    double decode = -1, queue = -1, infer = -1;
    ck_assert_int_eq(sscanf(reply_header(&r, "Server-Timing"), "decode;dur=%lf, queue;dur=%lf, infer;dur=%lf",
                            &decode, &queue, &infer),
                     3);
    ck_assert(decode > 0 && queue >= 0 && infer > 0);
    json_t *o = reply_json(&r), *times = json_object_get(o, "time_ms");
    ck_assert_double_eq_tol(json_number_value(json_object_get(times, "infer")), infer, 0.01);
    ck_assert_double_eq_tol(json_number_value(json_object_get(times, "decode")), decode, 0.01);
    json_decref(o);
}
END_TEST

START_TEST(test_old_clients)
{
    int fd = connect_to(s.address);
    send_text(fd, "GET /healthz HTTP/1.0\r\n\r\n");
    read_reply(&r, fd, false, NULL);
    ck_assert_int_eq(r.status, 200);
    ck_assert(closes_silently(fd, 5000));
    close(fd);
    fd = connect_to(s.address);
    send_text(fd, "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    read_reply(&r, fd, false, NULL);
    ck_assert(r.closed);
    ck_assert(closes_silently(fd, 5000));
    close(fd);
}
END_TEST

START_TEST(test_a_giant_header_is_refused)
{
    gh_buf text = {0};
    gh_buf_str(&text, "GET /healthz HTTP/1.1\r\nHost: t\r\nX-Much: ");
    for (int i = 0; i < 20000; i++)
        gh_buf_str(&text, "0123456789");
    gh_buf_str(&text, "\r\n\r\n");
    int fd = connect_to(s.address);
    send_bytes(fd, text.data, text.len);
    char head[64] = {0};
    ssize_t n = read(fd, head, sizeof head - 1);
    ck_assert_msg(n <= 0 || strncmp(head, "HTTP/1.1 4", 10) == 0, "%s", head);
    close(fd);
    gh_buf_free(&text);
    /* Many small headers are the same flood. */
    gh_buf_str(&text, "GET /healthz HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 5000; i++)
        gh_buf_str(&text, "X-Header: value\r\n");
    fd = connect_to(s.address);
    send_bytes(fd, text.data, text.len);
    memset(head, 0, sizeof head);
    n = read(fd, head, sizeof head - 1);
    ck_assert_msg(n <= 0 || strncmp(head, "HTTP/1.1 4", 10) == 0, "%s", head);
    close(fd);
    gh_buf_free(&text);
}
END_TEST

START_TEST(test_garbage_is_survived)
{
    static const char *const rows[] = {
        "\r\n\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "POST /classify HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: -5\r\n\r\n",
        "POST /classify HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        char reply_text[64] = {0};
        int fd = connect_to(s.address);
        send_text(fd, rows[i]);
        shutdown(fd, SHUT_WR);
        ssize_t n = read(fd, reply_text, sizeof reply_text - 1);
        ck_assert_msg(n <= 0 || strncmp(reply_text, "HTTP/1.", 7) == 0, "row %zu: %s", i, reply_text);
        ck_assert_msg(n <= 0 || strncmp(reply_text + 9, "200", 3) != 0 || i == 3, "row %zu: %s", i,
                      reply_text);
        close(fd);
        ck_assert_int_eq(get_status(s.address, "/healthz"), 200);
    }
}
END_TEST

START_TEST(test_clients_that_leave_early)
{
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    post_head(head, sizeof head, picture);
    for (int i = 0; i < 20; i++) {
        int fd = connect_to(s.address);
        send_text(fd, head);
        send_bytes(fd, picture->data, picture->len * (size_t)i / 19);
        close(fd);
    }
    for (int i = 0; i < 1000 && metric(s.address, "gharial_inflight_requests") > 1; i++)
        usleep(5000); /* the one that asks is itself in flight */
    ck_assert_double_eq(metric(s.address, "gharial_inflight_requests"), 1);
    ck_assert_double_eq(metric(s.address, "gharial_body_bytes"), 0);
}
END_TEST

static double seconds_since(uint64_t start)
{
    return (double)(gh_now_ns() - start) / 1e9;
}

#define LATE_BODY "gharial_queue_rejected_total{reason=\"body\"}"

START_TEST(test_a_body_that_stops_is_closed)
{
    double counted = metric(s.address, LATE_BODY);
    int fd = connect_to(s.address);
    uint64_t start = gh_now_ns();
    send_text(fd, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nhalf");
    ck_assert(closes_silently(fd, 10000));
    ck_assert_double_ge(seconds_since(start), 1.5);
    ck_assert_double_le(seconds_since(start), 6);
    close(fd);
    ck_assert(wait_metric(s.address, LATE_BODY, counted + 1));
}
END_TEST

START_TEST(test_a_body_that_trickles_is_closed)
{
    double counted = metric(s.address, LATE_BODY);
    int fd = connect_to(s.address);
    uint64_t start = gh_now_ns();
    send_text(fd, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n");
    while (seconds_since(start) < 10 && send_text(fd, "x") && !closes_silently(fd, 100))
        continue;
    ck_assert_double_ge(seconds_since(start), 1.5);
    ck_assert_double_le(seconds_since(start), 6);
    close(fd);
    ck_assert(wait_metric(s.address, LATE_BODY, counted + 1));
}
END_TEST

START_TEST(test_an_idle_connection_is_closed)
{
    int fd = connect_to(s.address);
    send_text(fd, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    read_reply(&r, fd, false, NULL);
    ck_assert_int_eq(r.status, 200);
    uint64_t start = gh_now_ns();
    ck_assert(closes_silently(fd, 10000));
    ck_assert_double_ge(seconds_since(start), 1);
    close(fd);
}
END_TEST

/* A slow or silent client costs a descriptor, no worker. */
START_TEST(test_many_silent_connections_do_no_harm)
{
    enum { N = 300 };
    int fds[N];
    const gh_buf *picture = photo("coffee.png");
    for (int i = 0; i < N; i++) {
        fds[i] = connect_to(s.address);
        if (i % 2)
            send_text(fds[i], "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\nslow");
    }
    for (int i = 0; i < 10; i++) {
        ask(&r, s.address, "POST", "/classify?model=tiny", NULL, picture->data, picture->len);
        ck_assert_int_eq(r.status, 200);
    }
    for (int i = 0; i < N; i++)
        close(fds[i]);
}
END_TEST

Suite *suite_protocol(void)
{
    Suite *suite = suite_create("protocol");
    TCase *t = tcase_create("protocol");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_a_connection_is_used_again);
    tcase_add_test(t, test_pipelined_requests_are_answered_in_order);
    tcase_add_test(t, test_pieces_may_come_slowly);
    tcase_add_test(t, test_head_is_get_without_body);
    tcase_add_test(t, test_headers_of_every_reply);
    tcase_add_test(t, test_old_clients);
    tcase_add_test(t, test_a_giant_header_is_refused);
    tcase_add_test(t, test_garbage_is_survived);
    tcase_add_test(t, test_clients_that_leave_early);
    tcase_add_test(t, test_a_body_that_stops_is_closed);
    tcase_add_test(t, test_a_body_that_trickles_is_closed);
    tcase_add_test(t, test_an_idle_connection_is_closed);
    tcase_add_test(t, test_many_silent_connections_do_no_harm);
    suite_add_tcase(suite, t);
    return suite;
}
