/* gharial serve and gharial health as commands: what they print, their exit codes, broken models. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/status.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static server s;
static reply r;
static gh_buf out, err;
static char dir[64];

static void start(void)
{
    snprintf(dir, sizeof dir, "/tmp/gharial-e2e-dir-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void done(void)
{
    reply_free(&r);
    gh_buf_free(&out);
    gh_buf_free(&err);
    remove_folder(dir);
}

/* Runs the command and checks its exit code and that its standard error holds `text`. */
static void check_run(int code, const char *text, const char *const *args)
{
    int got = run_binary(&out, &err, args);
    ck_assert_msg(got == code, "%d: %s", got, (char *)err.data);
    ck_assert_msg(strstr((char *)err.data, text) != NULL, "%s", (char *)err.data);
}

START_TEST(test_the_printed_curl_works)
{
    server_start(&s, NULL);
    char line[400];
    snprintf(line, sizeof line, "%s --silent --fail", s.command);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    char text[4096] = "";
    size_t n = fread(text, 1, sizeof text - 1, pipe);
    text[n] = 0;
    ck_assert_msg(pclose(pipe) == 0, "%s: %s", line, text);
    ck_assert_msg(strstr(text, "\"labels\":[{\"label\":") != NULL, "%s", text);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_health)
{
    char address[80];
    server_start(&s, NULL);
    snprintf(address, sizeof address, "%s", s.address);
    check_run(0, "", ARGS("health", "--listen", address));
    ck_assert_str_eq((char *)out.data, "ready\n");
    snprintf(address, sizeof address, "0.0.0.0%s", strrchr(s.address, ':'));
    check_run(0, "", ARGS("health", "--listen", address));
    ck_assert_int_eq(server_stop(&s), 0);
    check_run(1, "no server on", ARGS("health", "--listen", s.address));
    check_run(2, "is no address", ARGS("health", "--listen", "nonsense"));
    check_run(2, "", ARGS("health", "--no-such-option"));
}
END_TEST

START_TEST(test_health_gives_up)
{
    /* Something listens, but never answers. */
    server_start(&s, NULL);
    char stopped[80];
    snprintf(stopped, sizeof stopped, "%s", s.address);
    ck_assert_int_eq(kill(s.pid, SIGSTOP), 0);
    check_run(1, "did not answer within 200 ms", ARGS("health", "--listen", stopped, "--timeout-ms", "200"));
    ck_assert_int_eq(kill(s.pid, SIGCONT), 0);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char path[256];
    gh_err e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(gh_file_write(path, text, strlen(text), &e) == GH_OK, "%s", e.text);
}

/* A folder with a model whose weights are no ONNX file. */
static void make_broken(void)
{
    char to[128];
    snprintf(to, sizeof to, "%s/broken", dir);
    ck_assert_int_eq(mkdir(to, 0700), 0);
    write_file(
        "broken/model.json",
        "{\"name\":\"broken\",\"version\":\"1\",\"task\":\"classify\",\"input\":{\"width\":32,\"height\":32,"
        "\"mean\":127,\"scale\":0.0078125,\"fit\":\"stretch\"},\"output\":{\"decoder\":\"softmax\"},"
        "\"labels\":[\"a\",\"b\"]}");
    write_file("broken/model.onnx", "this is no model");
}

START_TEST(test_a_broken_model_is_listed_and_not_ready)
{
    const gh_buf *picture = photo("coffee.png");
    make_broken();
    server_start(&s, ARGS("--models", dir));
    ask(&r, s.address, "GET", "/readyz", NULL, NULL, 0);
    check_problem(&r, 503, "broken");
    ask(&r, s.address, "POST", "/classify?model=tiny", NULL, picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
    ask(&r, s.address, "POST", "/classify?model=broken", NULL, picture->data, picture->len);
    check_problem(&r, 503, "broken");
    ask(&r, s.address, "GET", "/models/broken", NULL, NULL, 0);
    json_t *o = reply_json(&r);
    ck_assert_str_eq(json_string_value(json_object_get(o, "state")), "failed");
    ck_assert(json_is_string(json_object_get(o, "failure")));
    ck_assert_ptr_null(strstr((char *)r.body.data, "/tmp"));
    json_decref(o);
    check_run(1, "not ready (503)", ARGS("health", "--listen", s.address));
    ck_assert_int_eq(server_stop(&s), 0);
    check_run(1, "--strict", ARGS("serve", "--listen", "127.0.0.1:0", "--models", dir, "--strict"));
}
END_TEST

START_TEST(test_models_that_are_not_there)
{
    check_run(1, "make models", ARGS("serve", "--listen", "127.0.0.1:0", "--models", dir));
    char missing[128];
    snprintf(missing, sizeof missing, "%s/none", dir);
    check_run(1, "none", ARGS("serve", "--listen", "127.0.0.1:0", "--models", missing));
}
END_TEST

START_TEST(test_a_port_in_use)
{
    server_start(&s, NULL);
    check_run(1, "another program already does",
              ARGS("serve", "--listen", s.address, "--models", models_dir()));
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_wrong_options)
{
    static const char *const listens[] = {"127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                                          "::1:80",    "[::1]",      ":8x"};
    for (size_t i = 0; i < GH_COUNT(listens); i++)
        check_run(2, listens[i], ARGS("serve", "--listen", listens[i], "--models", models_dir()));
    check_run(2, "--workers", ARGS("serve", "--workers", "0"));
    check_run(2, "--max-body", ARGS("serve", "--max-body", "lots"));
    check_run(2, "extra", ARGS("serve", "extra"));
    check_run(1, "no-such-file", ARGS("serve", "--listen", "127.0.0.1:0", "--token-file", "/no-such-file"));
    ck_assert_int_eq(run_binary(&out, &err, ARGS("serve", "--help")), 0);
    ck_assert(strstr((char *)out.data, "--max-bytes-in-flight") != NULL);
    ck_assert(strstr((char *)out.data, "gharial serve --listen") != NULL);
}
END_TEST

Suite *suite_commands(void)
{
    Suite *suite = suite_create("commands");
    TCase *t = tcase_create("commands");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_checked_fixture(t, start, done);
    tcase_add_test(t, test_the_printed_curl_works);
    tcase_add_test(t, test_health);
    tcase_add_test(t, test_health_gives_up);
    tcase_add_test(t, test_a_broken_model_is_listed_and_not_ready);
    tcase_add_test(t, test_models_that_are_not_there);
    tcase_add_test(t, test_a_port_in_use);
    tcase_add_test(t, test_wrong_options);
    suite_add_tcase(suite, t);
    return suite;
}
