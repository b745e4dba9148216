/* What the contract promises in a few words and no other suite looks at: formats, defaults, limits at their
 * edges, CORS for all, metrics by name, a reload that fails, nothing written. */
#include "e2e/harness.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/status.h"
#include "image/image.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static server s;
static reply r;
static gh_buf body;
static char dir[64];

static void start(void)
{
    strcpy(dir, "/tmp/gharial-contract-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
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
}

static int64_t member(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void read_sample(const char *name)
{
    char path[128];
    gh_err e = {0};
    gh_buf_free(&body);
    snprintf(path, sizeof path, "tests/fuzz/corpus/image/%s", name);
    ck_assert_msg(gh_file_read(&body, path, 1 << 20, &e) == GH_OK, "%s", e.text);
}

/* Every kind of file, with its upright size. */
START_TEST(test_formats)
{
    static const struct {
        const char *name;
        int width, height;
    } rows[] = {{"jpeg_420", 10, 9},         {"jpeg_grey", 10, 9},
                {"jpeg_cmyk", 10, 9},        {"jpeg_ycck", 10, 9},
                {"jpeg_progressive", 10, 9}, {"jpeg_stored_rgb", 10, 9},
                {"jpeg_turned", 9, 10},      {"png_palette_trns", 9, 3},
                {"png_rgba16", 3, 2},        {"png_grey_interlaced_turned", 2, 2},
                {"webp_lossy", 10, 9},       {"webp_lossless_alpha", 10, 9},
                {"webp_lossy_alpha", 10, 9}, {"webp_turned", 9, 10}};
    server_start(&s, NULL);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        read_sample(rows[i].name);
        json_t *o = ask_json(&r, s.address, "/classify?model=tiny", body.data, body.len);
        ck_assert_msg(member(o, "width") == rows[i].width && member(o, "height") == rows[i].height, "%s",
                      rows[i].name);
        json_decref(o);
    }
    read_sample("webp_animated");
    post("/classify", NULL);
    check_problem(&r, 415, "animated");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* Black that is clear looks white. */
START_TEST(test_alpha_lies_on_white)
{
    enum { SIDE = 64 };
    static const uint8_t row[SIDE * 4];
    const gh_png_layout layout = {.width = SIDE, .height = SIDE, .colour = GH_PNG_RGBA};
    gh_png_writer *w = NULL;
    gh_image_info info;
    gh_image *image = NULL;
    ck_assert_int_eq(gh_png_open(&w, &body, &layout, NULL), GH_OK);
    for (int y = 0; y < SIDE; y++)
        ck_assert_int_eq(gh_png_row(w, row, NULL), GH_OK);
    ck_assert_int_eq(gh_png_end(w, NULL), GH_OK);
    gh_png_close(&w);
    open_detector(dir);
    server_start(&s, ARGS("--models", dir));
    post("/localize?annotate=1", "Accept: image/png\r\n");
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(gh_image_probe(&info, r.body.data, r.body.len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, r.body.data, r.body.len, &info, 0, 0, NULL), GH_OK);
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++)
        ck_assert_int_eq(image->pixels[i], 255);
    gh_image_free(&image);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A progressive JPEG of 4 kB that asks for two thousand passes over its picture. */
START_TEST(test_progressive_scans_have_a_limit)
{
    read_sample("jpeg_progressive");
    static const uint8_t scan[] = {0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0, 0};
    body.len -= 2; /* the end mark */
    for (int i = 0; i < 2000; i++)
        gh_buf_add(&body, scan, sizeof scan);
    gh_buf_add(&body, "\xff\xd9", 2);
    server_start(&s, NULL);
    post("/classify", NULL);
    check_problem(&r, 413, "scans");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* The working memory of a picture is known from its header: 5000 x 5000 pixels stored in several passes take
 * over 100 MB, and no pixel of them is there. */
START_TEST(test_working_memory_has_a_limit)
{
    read_sample("jpeg_progressive");
    uint8_t *frame = memmem(body.data, body.len, "\xff\xc2", 2);
    ck_assert_ptr_nonnull(frame);
    memcpy(frame + 5, "\x13\x88\x13\x88", 4); /* 5000, 5000 */
    server_start(&s, ARGS("--max-work", "100M"));
    post("/classify", NULL);
    check_problem(&r, 413, "MB");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* The last that is accepted: 16 MiB, 32 parts, JSON 16 deep, names of 64 characters. */
START_TEST(test_limits_at_their_edge)
{
    static char zeros[1 << 16];
    char target[128] = "/classify?model=";
    server_start(&s, NULL);
    const gh_buf *picture = photo("coffee.png");
    gh_buf_add(&body, picture->data, picture->len);
    while (body.len < (size_t)16 << 20) {
        size_t n = ((size_t)16 << 20) - body.len;
        gh_buf_add(&body, zeros, n < sizeof zeros ? n : sizeof zeros);
    }
    post("/classify?model=tiny", NULL);
    ck_assert_msg(r.status == 200, "%d %s", r.status, (char *)r.body.data);
    gh_buf_free(&body);
    read_sample("jpeg_420");
    gh_buf one = body;
    body = (gh_buf){0};
    for (int i = 0; i < 31; i++)
        add_part(&body, i % 2 ? "file" : "image", one.data, one.len);
    add_part(&body, "model", "tiny", 4);
    end_parts(&body);
    post("/classify", FORM);
    json_t *o = reply_json(&r);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "results")), 31);
    json_decref(o);
    gh_buf_free(&body);
    gh_buf_str(&body, "{\"model\":\"tiny\",\"image\":\"");
    add_base64(&body, one.data, one.len);
    gh_buf_str(&body, "\",\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}");
    post("/classify", JSON);
    ck_assert_msg(r.status == 200, "%s", (char *)r.body.data);
    gh_buf_free(&body);
    body = one;
    memset(target + strlen(target), 'n', 64);
    post(target, NULL);
    check_problem(&r, 404, "there are: ");
    strcat(target, "n");
    post(target, NULL);
    check_problem(&r, 400, "\"model\" must be a name");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* The defaults, as the help tells them. */
START_TEST(test_the_help_names_the_defaults)
{
    static const char *const rows[][2] = {{"--listen ", "127.0.0.1:8080"},
                                          {"--queue ", "(64)"},
                                          {"--connections ", "(4096)"},
                                          {"--max-body ", "(16M)"},
                                          {"--max-bytes-in-flight", "256M"},
                                          {"--max-pixels ", "(50000000)"},
                                          {"--max-work ", "(700M)"},
                                          {"--deadline-ms ", "(10000)"},
                                          {"--body-timeout-s ", "(30)"},
                                          {"--idle-timeout-s ", "(30)"},
                                          {"--drain-s ", "(30)"},
                                          {"--cors ", "(off)"},
                                          {"--token-file ", "(off)"}};
    gh_buf err = {0};
    ck_assert_int_eq(run_binary(&body, &err, ARGS("serve", "--help")), 0);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        char *at = strstr((char *)body.data, rows[i][0]);
        ck_assert_msg(at != NULL, "%s", rows[i][0]);
        char *end = strchr(at, '\n');
        *end = '\0';
        ck_assert_msg(strstr(at, rows[i][1]) != NULL, "%s", at);
        *end = '\n';
    }
    gh_buf_free(&err);
}
END_TEST

START_TEST(test_cors_for_all_and_for_a_list)
{
    static const char preflight[] = "Origin: https://b.example\r\nAccess-Control-Request-Method: POST\r\n";
    server_start(&s, ARGS("--cors", "*"));
    ask(&r, s.address, "OPTIONS", "/localize", preflight, NULL, 0);
    ck_assert_int_eq(r.status, 204);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "*");
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Credentials"), "");
    ck_assert_str_eq(reply_header(&r, "Access-Control-Max-Age"), "600");
    ck_assert_int_eq(server_stop(&s), 0);
    server_start(&s, ARGS("--cors", "https://a.example,https://b.example"));
    ask(&r, s.address, "OPTIONS", "/localize", preflight, NULL, 0);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "https://b.example");
    ck_assert_str_eq(reply_header(&r, "Vary"), "Origin");
    /* A page may read of a failure what it needs: the preflight asks for no token, the reply has the header.
     */
    ask(&r, s.address, "POST", "/classify", "Origin: https://a.example\r\n", "x", 1);
    ck_assert_int_eq(r.status, 415);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "https://a.example");
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "Access-Control-Expose-Headers"), "X-Request-ID"));
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_metrics_by_name)
{
    static const char *const lines[] = {
        "# TYPE gharial_requests_total counter\n",
        "gharial_requests_total{endpoint=\"/classify\",code=\"200\"} 1\n",
        "# TYPE gharial_request_duration_seconds histogram\n",
        "gharial_request_duration_seconds_bucket{endpoint=\"/classify\",le=\"+Inf\"} 1\n",
        "# TYPE gharial_stage_duration_seconds histogram\n",
        "gharial_stage_duration_seconds_count{stage=\"decode\"} 1\n",
        "gharial_stage_duration_seconds_count{stage=\"queue\"} 1\n",
        "gharial_stage_duration_seconds_count{stage=\"infer\"} 1\n",
        "# TYPE gharial_queue_depth gauge\n",
        "# TYPE gharial_queue_rejected_total counter\n",
        "# TYPE gharial_inflight_requests gauge\n",
        "# TYPE gharial_image_pixels histogram\n",
        "gharial_model_info{model=\"tiny\",version=\"1\",task=\"classify\"} 1\n",
        "gharial_build_info{",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_max_fds ",
        "process_virtual_memory_bytes ",
        "process_resident_memory_bytes ",
        "process_start_time_seconds "};
    server_start(&s, NULL);
    gh_buf_add(&body, photo("coffee.png")->data, photo("coffee.png")->len);
    post("/classify?model=tiny", NULL);
    ck_assert(wait_metric(s.address, "gharial_requests_total{endpoint=\"/classify\",code=\"200\"}", 1));
    ask(&r, s.address, "GET", "/metrics", NULL, NULL, 0);
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "Content-Type"), "text/plain; version=0.0.4"));
    for (size_t i = 0; i < GH_COUNT(lines); i++)
        ck_assert_msg(strstr((char *)r.body.data, lines[i]) != NULL, "%s", lines[i]);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* Seconds to wait are what the queue holds at the time that a job takes. */
START_TEST(test_retry_after_is_computed)
{
    enum { HELD = 5, PICTURES = 30 };
    int fds[HELD], retry[2];
    double decode, waited, infer;
    server_start(&s, ARGS("--workers", "1", "--queue", "4", "--deadline-ms", "100000"));
    for (int i = 0; i < PICTURES; i++)
        add_part(&body, "image", photo("coffee.png")->data, photo("coffee.png")->len);
    end_parts(&body);
    uint64_t start = gh_now_ns();
    post("/classify?model=slow", FORM); /* now the server knows how long such a request takes */
    double most = (double)(gh_now_ns() - start) / 1e9;
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(sscanf(reply_header(&r, "Server-Timing"), "decode;dur=%lf, queue;dur=%lf, infer;dur=%lf",
                            &decode, &waited, &infer),
                     3);
    for (int i = 0; i < HELD; i++) {
        char head[256];
        fds[i] = connect_to(s.address);
        snprintf(head, sizeof head,
                 "POST /classify?model=slow HTTP/1.1\r\nHost: t\r\n" FORM "Content-Length: %zu\r\n\r\n",
                 body.len);
        send_text(fds[i], head);
        ck_assert(send_bytes(fds[i], body.data, body.len));
    }
    ck_assert(wait_metric(s.address, "gharial_queue_depth", HELD - 1));
    ask(&r, s.address, "POST", "/classify", NULL, "x", 1);
    check_problem(&r, 429, "the queue is full");
    retry[0] = atoi(reply_header(&r, "Retry-After"));
    /* The work alone takes what the server said, and all of it no longer than the client waited. */
    ck_assert_int_ge(retry[0], (int)(HELD * (decode + infer) / 1e3) + 1);
    ck_assert_int_le(retry[0], (int)(HELD * most) + 1);
    ck_assert_int_gt(retry[0], 1);
    for (int i = 1; i < HELD;
         i++) /* the first is worked on: its client stays, else the server would be gone */
        close(fds[i]);
    for (int i = 0; i < 1000 && metric(s.address, "gharial_queue_depth") > 0; i++)
        usleep(5000);
    kill(s.pid, SIGTERM);
    do
        ask(&r, s.address, "POST", "/classify", NULL, "x", 1);
    while (r.status == 415);
    retry[1] = r.status == 503 ? atoi(reply_header(&r, "Retry-After")) : 0;
    ck_assert_msg(r.status == 503 && retry[1] < retry[0], "%d: %d, %d", r.status, retry[0], retry[1]);
    close(fds[0]);
    ck_assert_int_eq(server_wait(&s), 0);
}
END_TEST

static void write_text(const char *name, const char *text)
{
    char path[256];
    gh_err e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(gh_file_write(path, text, strlen(text), &e) == GH_OK, "%s", e.text);
}

/* A copy of the tiny model, of that version; `more` goes into its manifest. */
static void write_model(const char *version, const char *more)
{
    char text[1024], command[256];
    snprintf(command, sizeof command, "mkdir -p %s/mine && cp %s/tiny/model.onnx %s/mine/", dir, models_dir(),
             dir);
    ck_assert_int_eq(system(command), 0);
    snprintf(
        text, sizeof text,
        "{\"name\":\"mine\",\"version\":\"%s\",\"task\":\"classify\",\"input\":{\"width\":32,\"height\":32,"
        "\"mean\":127,\"scale\":0.0078125,\"fit\":\"stretch\"},\"output\":{\"decoder\":\"softmax\"},"
        "\"labels\":[\"ash\",\"birch\",\"cedar\",\"date\",\"elm\"]%s}",
        version, more);
    write_text("mine/model.json", text);
}

/* Waits until the log holds the text. */
static void wait_log(const char *text)
{
    bool found = false;
    for (int i = 0; i < 1000 && !found; i++) {
        gh_buf log = {0};
        usleep(10000);
        server_log(&log, &s);
        found = strstr((char *)log.data, text) != NULL;
        gh_buf_free(&log);
    }
    ck_assert_msg(found, "the log never says \"%s\"", text);
}

static void check_version(const char *version)
{
    json_t *o =
        ask_json(&r, s.address, "/classify?model=mine", photo("coffee.png")->data, photo("coffee.png")->len);
    ck_assert_str_eq(json_string_value(json_object_get(o, "version")), version);
    json_decref(o);
}

/* A reload whose model is broken, or fails its own test, leaves the old one; a good one takes its place. */
START_TEST(test_a_failing_reload_keeps_the_old_model)
{
    write_model("1", "");
    server_start(&s, ARGS("--models", dir, "--log-level", "info"));
    check_version("1");
    write_model("2", "");
    write_text("mine/model.onnx", "this is no model");
    kill(s.pid, SIGHUP);
    wait_log("model 'mine' goes on as it was before");
    check_version("1");
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    char picture[256];
    snprintf(picture, sizeof picture, "cp .build/photos/coffee.png %s/mine/selftest.png", dir);
    ck_assert_int_eq(system(picture), 0);
    write_model("3",
                ",\"selftest\":{\"input\":\"selftest.png\",\"index\":0,\"score\":0.99,\"tolerance\":0.01}");
    kill(s.pid, SIGHUP);
    wait_log("model 'mine' fails its self-test");
    check_version("1");
    write_model("4", "");
    kill(s.pid, SIGHUP);
    for (int i = 0; i < 500; i++) {
        json_t *o = ask_json(&r, s.address, "/classify?model=mine", photo("coffee.png")->data,
                             photo("coffee.png")->len);
        bool new = strcmp(json_string_value(json_object_get(o, "version")), "4") == 0;
        json_decref(o);
        if (new)
            break;
        usleep(10000);
    }
    check_version("4");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A model that fails its self-test at the start is listed with the reason, and the server is not ready. */
START_TEST(test_a_failed_selftest_is_not_ready)
{
    char picture[256];
    write_model("1",
                ",\"selftest\":{\"input\":\"selftest.png\",\"index\":0,\"score\":0.99,\"tolerance\":0.01}");
    snprintf(picture, sizeof picture, "cp .build/photos/coffee.png %s/mine/selftest.png", dir);
    ck_assert_int_eq(system(picture), 0);
    server_start(&s, ARGS("--models", dir));
    ask(&r, s.address, "GET", "/readyz", NULL, NULL, 0);
    check_problem(&r, 503, "mine");
    ask(&r, s.address, "GET", "/models/mine", NULL, NULL, 0);
    json_t *o = reply_json(&r);
    ck_assert_str_eq(json_string_value(json_object_get(o, "state")), "failed");
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(o, "failure")), "self"));
    json_decref(o);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* The soft limit that it was started under is too low for its connections. */
START_TEST(test_open_files_are_raised)
{
    struct rlimit files, few;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    few = files;
    few.rlim_cur = 256;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    server_start(&s, NULL);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    ck_assert_double_ge(metric(s.address, "process_max_fds"), 4096);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A server that may not write a byte to any file serves, takes up models anew, and ends well. */
START_TEST(test_nothing_is_written)
{
    static const char *const targets[] = {"/classify?model=tiny", "/localize?annotate=1",
                                          "/segment?output=cutout", "/embed"};
    const struct rlimit none = {0};
    char detector[96];
    snprintf(detector, sizeof detector, "%s/detector", dir);
    open_detector(detector);
    link_model("person", dir);
    gh_buf_add(&body, photo("astronaut.png")->data, photo("astronaut.png")->len);
    server_start(&s, ARGS("--models", dir, "--log-level", "error"));
    ck_assert_int_eq(prlimit(s.pid, RLIMIT_FSIZE, &none, NULL), 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < GH_COUNT(targets); i++) {
            post(targets[i], NULL);
            ck_assert_msg(r.status == 200, "%s: %d %s", targets[i], r.status, (char *)r.body.data);
        }
        ck_assert_int_eq(get_status(s.address, "/metrics"), 200);
        kill(s.pid, SIGHUP);
        usleep(300000);
    }
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

Suite *suite_contract(void)
{
    Suite *suite = suite_create("contract");
    TCase *t = tcase_create("contract");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_checked_fixture(t, start, done);
    tcase_add_test(t, test_formats);
    tcase_add_test(t, test_alpha_lies_on_white);
    tcase_add_test(t, test_progressive_scans_have_a_limit);
    tcase_add_test(t, test_working_memory_has_a_limit);
    tcase_add_test(t, test_limits_at_their_edge);
    tcase_add_test(t, test_the_help_names_the_defaults);
    tcase_add_test(t, test_cors_for_all_and_for_a_list);
    tcase_add_test(t, test_metrics_by_name);
    tcase_add_test(t, test_retry_after_is_computed);
    tcase_add_test(t, test_a_failing_reload_keeps_the_old_model);
    tcase_add_test(t, test_a_failed_selftest_is_not_ready);
    tcase_add_test(t, test_open_files_are_raised);
    tcase_add_test(t, test_nothing_is_written);
    suite_add_tcase(suite, t);
    return suite;
}
