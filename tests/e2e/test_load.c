/* More work than workers: the queue's bound, deadlines, budgets, and stopping with work in flight. The server
 * has one worker and room for two more requests; the model "slow" keeps it busy. */
#include "e2e/harness.h"

#include "base/cpu.h"
#include "base/status.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAITING "gharial_queue_depth"

static server s;
static reply r;

static void start_with(const char *name, const char *value)
{
    server_start(&s, ARGS("--workers", "1", "--queue", "2", "--deadline-ms", "100000", name, value));
}

static void up(void)
{
    start_with("--drain-s", "30");
}

static void down(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
}

static void done(void)
{
    reply_free(&r);
}

/* Sends a request and does not wait for the answer. */
static int post_later(const char *target)
{
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    int fd = connect_to(s.address);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", target,
             picture->len);
    send_text(fd, head);
    ck_assert(send_bytes(fd, picture->data, picture->len));
    return fd;
}

/* The same picture n times in one request, which keeps a worker for as many times as long. */
static int post_batch(const char *target, int n)
{
    const gh_buf *picture = photo("coffee.png");
    gh_buf body = {0};
    char head[256];
    int fd = connect_to(s.address);
    for (int i = 0; i < n; i++)
        add_part(&body, "image", picture->data, picture->len);
    end_parts(&body);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: t\r\n" FORM "Content-Length: %zu\r\n\r\n", target,
             body.len);
    send_text(fd, head);
    ck_assert(send_bytes(fd, body.data, body.len));
    gh_buf_free(&body);
    return fd;
}

static int status_of(int fd)
{
    read_reply(&r, fd, false, NULL);
    close(fd);
    return r.status;
}

static void post(const char *target)
{
    const gh_buf *picture = photo("coffee.png");
    ask(&r, s.address, "POST", target, NULL, picture->data, picture->len);
}

/* Waits until that many pictures have been taken up by a worker, beyond those before. */
static double taken(void)
{
    return metric(s.address, "gharial_stage_duration_seconds_count{stage=\"queue\"}");
}

static bool wait_taken(double least)
{
    return wait_metric(s.address, "gharial_stage_duration_seconds_count{stage=\"queue\"}", least);
}

START_TEST(test_a_full_queue_is_429)
{
    double before = taken();
    int fds[3];
    fds[0] = post_later("/classify?model=slow");
    ck_assert(wait_taken(before + 1));
    fds[1] = post_later("/classify?model=slow");
    fds[2] = post_later("/classify?model=tiny");
    ck_assert(wait_metric(s.address, WAITING, 2));
    post("/classify?model=tiny");
    check_problem(&r, 429, "the queue is full");
    int retry = atoi(reply_header(&r, "Retry-After"));
    ck_assert_msg(retry >= 1 && retry < 60, "%d", retry);
    /* Other endpoints need no worker. */
    ck_assert_int_eq(get_status(s.address, "/healthz"), 200);
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    ck_assert_int_eq(get_status(s.address, "/models"), 200);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(status_of(fds[i]), 200);
    post("/classify?model=tiny");
    ck_assert_int_eq(r.status, 200);
    ck_assert_double_ge(metric(s.address, "gharial_queue_rejected_total{reason=\"queue_full\"}"), 1);
}
END_TEST

START_TEST(test_a_burst_gets_answers_or_429)
{
    enum { N = 40 };
    int fds[N], ok = 0, busy = 0;
    for (int i = 0; i < N; i++)
        fds[i] = post_later("/classify?model=slow&top=1");
    for (int i = 0; i < N; i++) {
        int status = status_of(fds[i]);
        ok += status == 200;
        busy += status == 429;
    }
    ck_assert_int_eq(ok + busy, N);
    ck_assert_int_ge(ok, 3);
    ck_assert_int_ge(busy, 1);
}
END_TEST

START_TEST(test_a_deadline_passes_in_the_queue)
{
    double before = taken();
    int fd = post_later("/classify?model=slow");
    ck_assert(wait_taken(before + 1));
    uint64_t start = gh_now_ns();
    post("/classify?model=tiny&timeout_ms=30");
    double ms = (double)(gh_now_ns() - start) / 1e6;
    check_problem(&r, 504, "30 ms");
    ck_assert_msg(ms >= 25, "%g", ms);
    /* The answer came while the worker was still busy. */
    ck_assert_double_eq(taken(), before + 1);
    ck_assert_int_eq(status_of(fd), 200);
}
END_TEST

/* The clock starts with the last byte of the body, however long that was on its way. */
START_TEST(test_a_deadline_counts_from_the_last_byte)
{
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    int fd = connect_to(s.address);
    snprintf(head, sizeof head,
             "POST /classify?model=tiny&timeout_ms=1000 HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n",
             picture->len);
    send_text(fd, head);
    send_bytes(fd, picture->data, picture->len - 1);
    usleep(1500000);
    send_bytes(fd, picture->data + picture->len - 1, 1);
    ck_assert_int_eq(status_of(fd), 200);
}
END_TEST

START_TEST(test_a_deadline_passes_at_work)
{
    gh_buf body = {0};
    const gh_buf *picture = photo("coffee.png");
    post("/classify?model=slow&timeout_ms=20");
    check_problem(&r, 504, "20 ms");
    gh_buf_str(&body, "{\"timeout_ms\":20,\"model\":\"slow\",\"image\":\"");
    add_base64(&body, picture->data, picture->len);
    gh_buf_str(&body, "\"}");
    ask(&r, s.address, "POST", "/classify", JSON, body.data, body.len);
    check_problem(&r, 504, "20 ms");
    gh_buf_free(&body);
    /* In a batch each late picture says so in its place. */
    for (int i = 0; i < 4; i++)
        add_part(&body, "image", picture->data, picture->len);
    add_part(&body, "model", "slow", 4);
    add_part(&body, "timeout_ms", "20", 2);
    end_parts(&body);
    ask(&r, s.address, "POST", "/classify", FORM, body.data, body.len);
    ck_assert_int_eq(r.status, 200);
    json_t *o = reply_json(&r), *list = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(list), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, i), "status")), 504);
    json_decref(o);
    gh_buf_free(&body);
}
END_TEST

#define GONE "gharial_queue_rejected_total{reason=\"client_gone\"}"

/* How many lines of the server's log say that the client cut a request that had no reply yet. */
static int cut_lines(void)
{
    int n = 0;
    gh_buf log = {0};
    server_log(&log, &s);
    for (char *at = strtok((char *)log.data, "\n"); at; at = strtok(NULL, "\n"))
        n += strstr(at, "\"status\":\"0\"") && strstr(at, "\"cut\":\"client\"");
    gh_buf_free(&log);
    return n;
}

/* The ways to hang up: close, close with a reset, close the sending side only. */
static void hang_up(int fd, int way)
{
    struct linger reset = {.l_onoff = 1};
    if (way == 1)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    if (way == 2)
        shutdown(fd, SHUT_WR);
    else
        close(fd);
}

/* Many clients wait behind one slow request, all but one hang up: their work is dropped at once. */
static void check_hanging_up(const char *listen)
{
    enum { N = 20 };
    int fds[N];
    server_start(&s, ARGS("--workers", "1", "--queue", "40", "--deadline-ms", "100000", "--listen", listen,
                          "--log", "json", "--log-level", "info"));
    double before = taken();
    int first = post_batch("/classify?model=slow", 6);
    ck_assert(wait_taken(before + 1));
    for (int i = 0; i < N; i++)
        fds[i] = post_later("/classify?model=slow");
    int stays = post_later("/classify?model=tiny");
    ck_assert(wait_metric(s.address, WAITING, N + 1));
    for (int i = 0; i < N; i++)
        hang_up(fds[i], i % 3);
    post("/classify?model=tiny");
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(status_of(stays), 200);
    ck_assert_int_eq(status_of(first), 200);
    /* No worker has seen a request of those that left. */
    ck_assert_double_eq(taken(), before + 3);
    ck_assert_double_eq(metric(s.address, GONE), N);
    ck_assert_double_eq(metric(s.address, "gharial_requests_total{endpoint=\"/classify\",code=\"0\"}"), N);
    ck_assert_double_eq(metric(s.address, WAITING), 0);
    ck_assert_double_eq(metric(s.address, "gharial_body_bytes"), 0);
    ck_assert_int_eq(cut_lines(), N);
    for (int i = 2; i < N; i += 3) {
        ck_assert(closes_silently(fds[i], 1000));
        close(fds[i]);
    }
    down();
}

START_TEST(test_clients_that_hang_up_while_they_wait)
{
    check_hanging_up("127.0.0.1:0");
}
END_TEST

START_TEST(test_clients_of_a_socket_file_that_hang_up)
{
    char dir[] = "/tmp/gharial-sock-XXXXXX", listen[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(listen, sizeof listen, "unix:%s/s.sock", dir);
    check_hanging_up(listen);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(test_a_client_that_hangs_up_during_its_work)
{
    double before = taken(), gone = metric(s.address, GONE);
    int fd = post_later("/classify?model=slow");
    ck_assert(wait_taken(before + 1));
    close(fd);
    post("/classify?model=tiny"); /* there is one worker: the slow request has ended */
    ck_assert_int_eq(r.status, 200);
    ck_assert_double_eq(metric(s.address, GONE), gone);
    ck_assert_double_eq(taken(), before + 2);
    for (int i = 0; i < 1000 && metric(s.address, "gharial_inflight_requests") > 1; i++)
        usleep(5000); /* the one that asks is itself in flight */
    ck_assert_double_eq(metric(s.address, "gharial_inflight_requests"), 1);
}
END_TEST

/* While the only worker is busy: what no worker need see is answered at once. */
START_TEST(test_what_is_no_picture_does_not_wait)
{
    static char big[(1 << 20) + 1] = "no picture";
    const gh_buf *picture = photo("coffee.png");
    double before = taken();
    int fd = post_batch("/classify?model=slow", 6);
    ck_assert(wait_taken(before + 1));
    ask(&r, s.address, "POST", "/classify", NULL, "no picture", 10);
    check_problem(&r, 415, "JPEG, PNG or WebP");
    ask(&r, s.address, "POST", "/classify", "Content-Type: image/png\r\n", picture->data, 20);
    check_problem(&r, 422, "PNG");
    ck_assert_double_eq(taken(), before + 1);
    /* A large one waits: looking at it may take longer. */
    ask(&r, s.address, "POST", "/classify", NULL, big, sizeof big);
    check_problem(&r, 415, "JPEG, PNG or WebP");
    ck_assert_double_eq(taken(), before + 2);
    ck_assert_int_eq(status_of(fd), 200);
}
END_TEST

START_TEST(test_one_worker_serves_connections_in_turn)
{
    enum { N = 3, ROUNDS = 5 };
    int fds[N];
    const gh_buf *picture = photo("coffee.png");
    char head[256];
    for (int i = 0; i < N; i++)
        fds[i] = connect_to(s.address);
    snprintf(head, sizeof head,
             "POST /classify?model=tiny HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", picture->len);
    for (int k = 0; k < ROUNDS; k++) {
        for (int i = 0; i < N; i++) {
            send_text(fds[i], head);
            send_bytes(fds[i], picture->data, picture->len);
        }
        for (int i = 0; i < N; i++) {
            read_reply(&r, fds[i], false, NULL);
            ck_assert_int_eq(r.status, 200);
        }
    }
    for (int i = 0; i < N; i++)
        close(fds[i]);
}
END_TEST

START_TEST(test_sigterm_finishes_work_in_flight)
{
    up();
    double before = taken();
    int working = post_later("/classify?model=slow");
    ck_assert(wait_taken(before + 1));
    int waiting = post_later("/classify?model=slow");
    ck_assert(wait_metric(s.address, WAITING, 1));
    kill(s.pid, SIGTERM);
    /* The server is asked until it has seen the signal; it has work for a while. */
    int ready = 200;
    for (int i = 0; i < 200 && ready == 200; i++) {
        ready = get_status(s.address, "/readyz");
        usleep(1000);
    }
    ck_assert_int_eq(ready, 503);
    ck_assert_int_eq(get_status(s.address, "/healthz"), 200);
    post("/classify?model=tiny");
    check_problem(&r, 503, "shutting down");
    ck_assert_str_eq(reply_header(&r, "Connection"), "close");
    ck_assert_int_ge(atoi(reply_header(&r, "Retry-After")), 1);
    ck_assert_int_eq(status_of(working), 200);
    ck_assert_int_eq(status_of(waiting), 200);
    ck_assert_int_eq(server_wait(&s), 0);
}
END_TEST

START_TEST(test_the_drain_has_an_end)
{
    start_with("--drain-s", "0");
    double before = taken();
    int working = post_later("/classify?model=slow");
    ck_assert(wait_taken(before + 1));
    int waiting = post_later("/classify?model=slow");
    ck_assert(wait_metric(s.address, WAITING, 1));
    int half = connect_to(s.address);
    send_text(half, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
    ck_assert(wait_metric(s.address, "gharial_inflight_requests", 4));
    ck_assert_int_eq(server_stop(&s), 0);
    /* What was at work is answered; what waited is told so; the half request is closed. */
    ck_assert_int_eq(status_of(working), 200);
    ck_assert_int_eq(status_of(waiting), 503);
    ck_assert(closes_silently(half, 1000));
    close(half);
}
END_TEST

START_TEST(test_a_second_signal_ends_the_drain)
{
    up();
    int half = connect_to(s.address);
    send_text(half, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
    ck_assert(wait_metric(s.address, "gharial_inflight_requests", 2));
    uint64_t start = gh_now_ns();
    kill(s.pid, SIGINT);
    usleep(100000);
    kill(s.pid, SIGINT);
    ck_assert_int_eq(server_wait(&s), 0);
    ck_assert_double_le((double)(gh_now_ns() - start) / 1e9, 10);
    close(half);
}
END_TEST

START_TEST(test_bodies_in_flight_have_a_budget)
{
    start_with("--max-bytes-in-flight", "1000000");
    static char bytes[700000];
    int holder = connect_to(s.address);
    send_text(holder, "POST /classify HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\n");
    send_bytes(holder, bytes, sizeof bytes);
    ck_assert(wait_metric(s.address, "gharial_body_bytes", sizeof bytes));
    ask(&r, s.address, "POST", "/classify", NULL, bytes, 400000);
    check_problem(&r, 503, "in flight");
    ck_assert_int_ge(atoi(reply_header(&r, "Retry-After")), 1);
    close(holder);
    for (int i = 0; i < 1000 && metric(s.address, "gharial_body_bytes") > 0; i++)
        usleep(5000);
    ask(&r, s.address, "POST", "/classify", NULL, bytes, 400000);
    ck_assert_int_eq(r.status, 415);
    down();
}
END_TEST

START_TEST(test_limits_are_options)
{
    server_start(&s, ARGS("--max-pixels", "1000", "--max-body", "500K", "--deadline-ms", "15"));
    post("/classify?model=tiny");
    check_problem(&r, 413, "pixels");
    static char bytes[512001];
    ask(&r, s.address, "POST", "/classify", NULL, bytes, sizeof bytes);
    check_problem(&r, 413, "at most 512000");
    ck_assert_int_eq(server_stop(&s), 0);
    server_start(&s, ARGS("--deadline-ms", "15"));
    post("/classify?model=slow&timeout_ms=5000");
    check_problem(&r, 504, "15 ms");
    down();
}
END_TEST

Suite *suite_load(void)
{
    Suite *suite = suite_create("load");
    TCase *t = tcase_create("queue"), *own = tcase_create("own servers");
    tcase_set_timeout(t, 240);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_a_full_queue_is_429);
    tcase_add_test(t, test_a_burst_gets_answers_or_429);
    tcase_add_test(t, test_a_deadline_passes_in_the_queue);
    tcase_add_test(t, test_a_deadline_counts_from_the_last_byte);
    tcase_add_test(t, test_a_deadline_passes_at_work);
    tcase_add_test(t, test_a_client_that_hangs_up_during_its_work);
    tcase_add_test(t, test_what_is_no_picture_does_not_wait);
    tcase_add_test(t, test_one_worker_serves_connections_in_turn);
    suite_add_tcase(suite, t);
    tcase_set_timeout(own, 240);
    tcase_add_unchecked_fixture(own, models_make, NULL);
    tcase_add_checked_fixture(own, NULL, done);
    tcase_add_test(own, test_clients_that_hang_up_while_they_wait);
    tcase_add_test(own, test_clients_of_a_socket_file_that_hang_up);
    tcase_add_test(own, test_sigterm_finishes_work_in_flight);
    tcase_add_test(own, test_the_drain_has_an_end);
    tcase_add_test(own, test_a_second_signal_ends_the_drain);
    tcase_add_test(own, test_bodies_in_flight_have_a_budget);
    tcase_add_test(own, test_limits_are_options);
    suite_add_tcase(suite, own);
    return suite;
}
