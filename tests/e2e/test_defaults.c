/* The server as it is started with no option: where it listens, how much and how long it takes, who may run
 * it; and what it says before it is ready. */
#include "e2e/harness.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define WAITING "gharial_queue_depth"
#define TAKEN   "gharial_stage_duration_seconds_count{stage=\"queue\"}"

static server s;
static reply r;
static gh_buf body;
static char dir[64];

static void start(void)
{
    strcpy(dir, "/tmp/gharial-defaults-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void done(void)
{
    reply_free(&r);
    gh_buf_free(&body);
    remove_folder(dir);
}

__attribute__((format(printf, 1, 2))) static void shell(const char *fmt, ...)
{
    char command[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(gh_now_ns() - start_ns) / 1e9;
}

/* Its own machine alone reaches it, on port 8080; where that port is taken, the message names it. */
START_TEST(test_it_listens_on_loopback)
{
    char command[512], text[2048] = "";
    snprintf(command, sizeof command, "timeout 2 %s serve --models %s/none 2>&1", binary(), dir);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    text[fread(text, 1, sizeof text - 1, pipe)] = 0;
    pclose(pipe);
    ck_assert_msg(strstr(text, "127.0.0.1:8080") != NULL, "%s", text);
}
END_TEST

/* Sends a POST with a body of that length, of which that many bytes come; gives the connection. */
static int begin_post(const char *target, const char *headers, size_t claimed, const void *data, size_t len)
{
    char head[256];
    int fd = connect_to(s.address);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: t\r\n%sContent-Length: %zu\r\n\r\n", target,
             headers, claimed);
    send_text(fd, head);
    ck_assert(send_bytes(fd, data, len));
    return fd;
}

/* 64 may wait, the 65th is refused; what has waited for ten seconds is told so. */
static void check_queue_and_deadline(void)
{
    enum { QUEUE = 64, BATCHES = 24, PICTURES = 31 };
    int fds[1 + QUEUE];
    gh_buf one = {0}, batch = {0};
    gh_err e = {0};
    ck_assert_int_eq(gh_file_read(&one, "tests/fuzz/corpus/image/jpeg_420", 1 << 20, &e), GH_OK);
    for (int i = 0; i < PICTURES; i++)
        add_part(&batch, "image", one.data, one.len);
    end_parts(&batch);
    double before = metric(s.address, TAKEN);
    for (int i = 0; i <= QUEUE; i++) {
        const gh_buf *sent = i < BATCHES ? &batch : &one;
        const char *target = i < BATCHES ? "/classify?model=slow" : "/classify?model=tiny";
        fds[i] = begin_post(target, i < BATCHES ? FORM : "", sent->len, sent->data, sent->len);
        ck_assert(i > 0 || wait_metric(s.address, TAKEN, before + 1));
    }
    uint64_t posted = gh_now_ns();
    ck_assert(wait_metric(s.address, WAITING, QUEUE));
    ask(&r, s.address, "POST", "/classify?model=tiny", NULL, one.data, one.len);
    check_problem(&r, 429, "the queue is full");
    for (int i = BATCHES; i <= QUEUE; i++) {
        read_reply(&r, fds[i], false, NULL);
        check_problem(&r, 504, "the deadline of 10000 ms passed");
    }
    ck_assert_double_ge(seconds_since(posted), 9.5);
    ck_assert_double_le(seconds_since(posted), 15);
    for (int i = 0; i <= QUEUE; i++)
        close(fds[i]);
    gh_buf_free(&one);
    gh_buf_free(&batch);
}

/* Thirty seconds for a body, however it trickles, and for a silent connection. */
START_TEST(test_seconds)
{
    double idle_s = 0, body_s = 0;
    server_start(&s, ARGS("--workers", "1"));
    int idle = connect_to(s.address), slow = begin_post("/classify", "", 1000, "x", 1);
    send_text(idle, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    read_reply(&r, idle, false, NULL);
    uint64_t began = gh_now_ns();
    check_queue_and_deadline();
    while ((idle_s <= 0 || body_s <= 0) && seconds_since(began) < 50) {
        if (idle_s <= 0 && closes_silently(idle, 100))
            idle_s = seconds_since(began);
        if (body_s <= 0 && (!send_text(slow, "x") || closes_silently(slow, 300)))
            body_s = seconds_since(began);
    }
    ck_assert_msg(idle_s > 28 && idle_s < 40, "silent for %g s", idle_s);
    ck_assert_msg(body_s > 28 && body_s < 40, "a body of %g s", body_s);
    close(idle);
    close(slow);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* All bodies together: 256 MiB, and not a byte more. */
START_TEST(test_bodies_in_flight)
{
    enum { MOST = 16 << 20, N = 16, LEFT = 16 };
    static char bytes[MOST];
    int fds[N];
    server_start(&s, NULL);
    for (int i = 0; i < N; i++)
        fds[i] = begin_post("/classify", "", MOST, bytes, MOST - 1);
    ck_assert(wait_metric(s.address, "gharial_body_bytes", (double)N * (MOST - 1)));
    ask(&r, s.address, "POST", "/classify", NULL, bytes, LEFT + 1);
    check_problem(&r, 503, "in flight");
    ck_assert_int_ge(atoi(reply_header(&r, "Retry-After")), 1);
    ask(&r, s.address, "POST", "/classify", NULL, bytes, LEFT);
    check_problem(&r, 415, "JPEG");
    for (int i = 0; i < N; i++)
        close(fds[i]);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* True when the server answers a request on this connection within a second. */
static bool answers(int fd)
{
    char text[16] = "";
    struct timeval patience = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return send_text(fd, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n") &&
           recv(fd, text, 12, MSG_WAITALL) == 12 && strncmp(text, "HTTP/1.1 200", 12) == 0;
}

/* As many connections as are allowed are served, one more is not until another ends. */
START_TEST(test_connections)
{
    enum { N = 4 };
    int fds[N + 1];
    server_start(&s, ARGS("--connections", "4"));
    for (int i = 0; i <= N; i++) {
        fds[i] = connect_to(s.address);
        ck_assert_int_eq(answers(fds[i]), i < N);
    }
    close(fds[N]);
    close(fds[0]);
    usleep(200000);
    fds[0] = connect_to(s.address);
    ck_assert(answers(fds[0]));
    for (int i = 0; i < N; i++)
        close(fds[i]);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A user whom the system does not know, without home, groups or environment, may run it, too. Only root can
 * become one; who is not is such a user. */
START_TEST(test_any_user)
{
    static const char *const targets[] = {"/classify", "/localize?annotate=1", "/segment?output=cutout"};
    static const char *const models[] = {REAL, "faces", "faces-detector", "emotions", "person"};
    uid_t user = geteuid() == 0 ? 54321 : 0;
    char program[96], folder[96], process[96];
    struct stat st;
    snprintf(program, sizeof program, "%s/gharial", dir);
    snprintf(folder, sizeof folder, "%s/models", dir);
    shell("mkdir %s && cp '%s' %s", folder, binary(), program);
    for (size_t i = 0; i < GH_COUNT(models); i++)
        shell("cp -rL models/%s %s/", models[i], folder);
    shell("chmod -R a+rX %s", dir);
    server_launch(&s, ARGS(program, "serve", "--listen", "127.0.0.1:0", "--models", folder), user);
    server_ready(&s);
    snprintf(process, sizeof process, "/proc/%d", s.pid);
    ck_assert_int_eq(stat(process, &st), 0);
    ck_assert_uint_eq(st.st_uid, user ? user : geteuid());
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    for (size_t i = 0; i < GH_COUNT(targets); i++) {
        ask(&r, s.address, "POST", targets[i], NULL, photo("astronaut.png")->data,
            photo("astronaut.png")->len);
        ck_assert_msg(r.status == 200, "%s: %s", targets[i], (const char *)r.body.data);
    }
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* Models that take a while to pass their self-tests. */
static void make_slow_models(int n)
{
    gh_buf out = {0}, err = {0}, manifest = {0};
    gh_err e = {0};
    char path[160];
    snprintf(path, sizeof path, "%s/slow", models_dir());
    int code = run_binary(&out, &err, ARGS("predict", "--model", path, "--json", ".build/photos/coffee.png"));
    ck_assert_msg(code == 0, "%s", (const char *)err.data);
    json_t *o = json_loads((const char *)out.data, 0, NULL),
           *best = json_array_get(json_object_get(o, "labels"), 0);
    for (int i = 0; i < n; i++) {
        shell("cp -r %s %s/slow%d && cp .build/photos/coffee.png %s/slow%d/", path, dir, i, dir, i);
        manifest.len = 0;
        gh_buf_printf(
            &manifest,
            "{\"name\":\"slow%d\",\"version\":\"1\",\"task\":\"classify\",\"input\":{\"width\":224,"
            "\"height\":224,\"mean\":127,\"scale\":0.0078125,\"fit\":\"stretch\"},\"output\":{\"decoder\":"
            "\"softmax\"},\"labels\":[\"ash\",\"birch\",\"cedar\",\"date\",\"elm\"],\"selftest\":{\"input\":"
            "\"coffee.png\",\"index\":%d,\"score\":%g,\"tolerance\":0.1}}",
            i, (int)json_integer_value(json_object_get(best, "index")),
            json_number_value(json_object_get(best, "score")));
        char to[192];
        snprintf(to, sizeof to, "%s/slow%d/model.json", dir, i);
        ck_assert_int_eq(gh_file_write(to, manifest.data, manifest.len, &e), GH_OK);
    }
    json_decref(o);
    gh_buf_free(&out);
    gh_buf_free(&err);
    gh_buf_free(&manifest);
}

/* Without --models: those of the project. What `make serve` fetches is there, each with its part, and answers
 * for its task. */
START_TEST(test_models_that_are_served)
{
    static const struct {
        const char *name, *task;
        bool is_default, internal;
    } rows[] = {{REAL, "classify", true, false},
                {"faces", "localize", true, false},
                {"faces-detector", "localize", false, true},
                {"emotions", "classify", false, true},
                {"objects", "localize", false, false},
                {"person", "segment", true, false}};
    static const char *const targets[][2] = {
        {"/classify", REAL}, {"/localize", "faces"}, {"/segment", "person"}};
    char path[64];
    server_launch(&s, ARGS(binary(), "serve", "--listen", "127.0.0.1:0"), 0);
    server_ready(&s);
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        snprintf(path, sizeof path, "/models/%s", rows[i].name);
        ask(&r, s.address, "GET", path, NULL, NULL, 0);
        ck_assert_msg(r.status == 200, "%s is missing; `make models` fetches it", rows[i].name);
        json_t *o = reply_json(&r);
        ck_assert_str_eq(json_string_value(json_object_get(o, "task")), rows[i].task);
        ck_assert_str_eq(json_string_value(json_object_get(o, "state")), "ready");
        ck_assert_int_eq(json_is_true(json_object_get(o, "internal")), rows[i].internal);
        ck_assert(rows[i].internal || json_is_true(json_object_get(o, "default")) == rows[i].is_default);
        json_decref(o);
    }
    for (size_t i = 0; i < GH_COUNT(targets); i++) {
        ask(&r, s.address, "POST", targets[i][0], "Accept: application/json\r\n",
            photo("astronaut.png")->data, photo("astronaut.png")->len);
        ck_assert_int_eq(r.status, 200);
        json_t *o = reply_json(&r);
        ck_assert_str_eq(json_string_value(json_object_get(o, "model")), targets[i][1]);
        json_decref(o);
    }
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* It listens and is live from the start, and says that it is not ready until every model has passed. */
START_TEST(test_not_ready_while_it_loads)
{
    const gh_buf *picture = photo("coffee.png");
    make_slow_models(16);
    server_launch(&s, ARGS(binary(), "serve", "--listen", "127.0.0.1:0", "--models", dir), 0);
    ck_assert_int_eq(get_status(s.address, "/healthz"), 200);
    ask(&r, s.address, "GET", "/readyz", NULL, NULL, 0);
    check_problem(&r, 503, "still loading its models");
    ck_assert_int_ge(atoi(reply_header(&r, "Retry-After")), 1);
    ask(&r, s.address, "POST", "/classify?model=slow0", NULL, picture->data, picture->len);
    check_problem(&r, 503, "still loading its models");
    ck_assert_int_ge(atoi(reply_header(&r, "Retry-After")), 1);
    ck_assert_int_eq(get_status(s.address, "/models"), 503);
    server_ready(&s);
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    ask(&r, s.address, "POST", "/classify?model=slow0", NULL, picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

Suite *suite_defaults(void)
{
    Suite *suite = suite_create("defaults");
    TCase *t = tcase_create("defaults");
    tcase_set_timeout(t, 240);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_checked_fixture(t, start, done);
    tcase_add_test(t, test_it_listens_on_loopback);
    tcase_add_test(t, test_seconds);
    tcase_add_test(t, test_bodies_in_flight);
    tcase_add_test(t, test_connections);
    tcase_add_test(t, test_any_user);
    tcase_add_test(t, test_models_that_are_served);
    tcase_add_test(t, test_not_ready_while_it_loads);
    suite_add_tcase(suite, t);
    return suite;
}
