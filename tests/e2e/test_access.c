/* Who may ask, and what is written down: token, CORS, addresses, the access log. */
#include "e2e/harness.h"

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static server s;
static reply r;

static void done(void)
{
    reply_free(&r);
}

START_TEST(test_token)
{
    static const char token[] = "a-long-secret-token\n";
    char path[] = "/tmp/gharial-e2e-token-XXXXXX";
    const gh_buf *picture = photo("coffee.png");
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, token, sizeof token - 1), (ssize_t)(sizeof token - 1));
    close(fd);
    server_start(&s, ARGS("--token-file", path));
    unlink(path);
    ask(&r, s.address, "POST", "/classify", NULL, picture->data, picture->len);
    check_problem(&r, 401, "Authorization");
    ck_assert_str_eq(reply_header(&r, "WWW-Authenticate"), "Bearer realm=\"gharial\"");
    ask(&r, s.address, "POST", "/classify", "Authorization: Bearer a-long-secret-tokem\r\n", picture->data,
        picture->len);
    check_problem(&r, 401, "wrong");
    ask(&r, s.address, "POST", "/classify", "Authorization: Bearer a-long-secret-token\r\n", picture->data,
        picture->len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(get_status(s.address, "/healthz"), 200);
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    ck_assert_int_eq(get_status(s.address, "/version"), 200);
    ck_assert_int_eq(get_status(s.address, "/"), 200); /* the page, which asks for it */
    ck_assert_int_eq(get_status(s.address, "/web/app.js"), 200);
    ck_assert_int_eq(get_status(s.address, "/v2"), 401);
    ck_assert_int_eq(get_status(s.address, "/models"), 401);
    ck_assert_int_eq(get_status(s.address, "/openapi.json"), 401);
    ck_assert_int_eq(get_status(s.address, "/metrics"), 401);
    ck_assert(strstr(s.command, "Authorization: Bearer TOKEN") != NULL);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_cors)
{
    server_start(&s, ARGS("--cors", "https://page.example"));
    ask(&r, s.address, "OPTIONS", "/classify",
        "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: content-type\r\n",
        NULL, 0);
    ck_assert_int_eq(r.status, 204);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "https://page.example");
    ck_assert(strstr(reply_header(&r, "Access-Control-Allow-Methods"), "POST") != NULL);
    ck_assert(strstr(reply_header(&r, "Access-Control-Allow-Headers"), "Content-Type") != NULL);
    ck_assert_int_gt(atoi(reply_header(&r, "Access-Control-Max-Age")), 0);
    ask(&r, s.address, "GET", "/models", "Origin: https://page.example\r\n", NULL, 0);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "https://page.example");
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Credentials"), "");
    ask(&r, s.address, "GET", "/nothing", "Origin: https://page.example\r\n", NULL, 0);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "https://page.example");
    ask(&r, s.address, "GET", "/models", "Origin: https://other.example\r\n", NULL, 0);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "");
    ck_assert_int_eq(server_stop(&s), 0);
    server_start(&s, NULL);
    ask(&r, s.address, "OPTIONS", "/classify",
        "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n", NULL, 0);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "");
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Methods"), "");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* The line of the access log with that request id, or NULL; in `log`, which is cut at its end. */
static char *log_line(gh_buf *log, const char *id)
{
    for (int i = 0; i < 200; i++) { /* written when the reply is out, thus perhaps a moment later */
        gh_buf_free(log);
        server_log(log, &s);
        for (char *at = strtok((char *)log->data, "\n"); at; at = strtok(NULL, "\n"))
            if (strstr(at, id))
                return at;
        usleep(5000);
    }
    return NULL;
}

START_TEST(test_access_log)
{
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const gh_buf *picture = photo("coffee.png");
    gh_buf log = {0};
    char headers[256];
    server_start(&s, ARGS("--log", "json", "--log-level", "info"));
    snprintf(headers, sizeof headers, "X-Request-ID: find-me-1\r\ntraceparent: %s\r\n", trace);
    ask(&r, s.address, "POST", "/classify?model=tiny&secret=hidden", headers, picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
    char *line = log_line(&log, "find-me-1");
    ck_assert_ptr_nonnull(line);
    json_t *o = json_loads(line, 0, NULL);
    ck_assert_msg(o != NULL, "%s", line);
    ck_assert_str_eq(json_string_value(json_object_get(o, "method")), "POST");
    ck_assert_str_eq(json_string_value(json_object_get(o, "path")), "/classify");
    ck_assert_str_eq(json_string_value(json_object_get(o, "status")), "200");
    ck_assert_str_eq(json_string_value(json_object_get(o, "traceparent")), trace);
    ck_assert_uint_eq(strtoul(json_string_value(json_object_get(o, "bytes")), NULL, 10), r.body.len);
    ck_assert_double_gt(strtod(json_string_value(json_object_get(o, "ms")), NULL), 0);
    ck_assert_ptr_null(strstr(line, "hidden"));
    json_decref(o);
    /* A path that would forge a line. */
    ask(&r, s.address, "GET", "/x%0a%7b%22level%22:%22forged%22%7d", "X-Request-ID: find-me-2\r\n", NULL, 0);
    line = log_line(&log, "find-me-2");
    ck_assert_ptr_nonnull(line);
    o = json_loads(line, 0, NULL);
    ck_assert_msg(o != NULL, "%s", line);
    ck_assert_str_eq(json_string_value(json_object_get(o, "status")), "404");
    json_decref(o);
    gh_buf_free(&log);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_other_addresses_need_a_token_or_a_word)
{
    gh_buf out = {0}, err = {0};
    int code = run_binary(&out, &err, ARGS("serve", "--listen", "0.0.0.0:0", "--models", models_dir()));
    ck_assert_int_eq(code, 2);
    ck_assert_msg(strstr((char *)err.data, "--token-file") && strstr((char *)err.data, "--insecure"), "%s",
                  (char *)err.data);
    gh_buf_free(&out);
    gh_buf_free(&err);
    server_start(&s, ARGS("--listen", "0.0.0.0:0", "--insecure"));
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

Suite *suite_access(void)
{
    Suite *suite = suite_create("access");
    TCase *t = tcase_create("access");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_token);
    tcase_add_test(t, test_cors);
    tcase_add_test(t, test_access_log);
    tcase_add_test(t, test_other_addresses_need_a_token_or_a_word);
    suite_add_tcase(suite, t);
    return suite;
}
