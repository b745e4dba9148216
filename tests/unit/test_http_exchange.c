/* Requests from headers to reply without a socket: routes, refusals, tokens, CORS, ids; and the OpenAPI
 * document against the route table, both ways. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "http/embedded.h"
#include "http/exchange.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static gh_http_options options;
static gh_app *app;
static gh_exchange *x;

static void start(void)
{
    options = gh_http_options_default();
}

static void finish(void)
{
    gh_exchange_free(&x);
    gh_app_free(&app);
}

static void set_header(gh_exchange *to, const char *line)
{
    for (size_t i = 0; i < GH_H_COUNT; i++) {
        size_t n = strlen(gh_http_header_names[i]);
        if (strncasecmp(line, gh_http_header_names[i], n) == 0 && line[n] == ':')
            to->req.headers[i] = line + n + 2;
    }
}

/* Sends a request to the app, which is made at the first call; gives the status. Headers end with NULL. */
static int ask(const char *method, const char *path, const char *const *headers)
{
    gh_err e = {0};
    gh_exchange_free(&x);
    if (!app)
        ck_assert_msg(gh_app_new(&app, &options, &e) == GH_OK, "%s", e.text);
    x = gh_exchange_new(app, method, path);
    ck_assert_ptr_nonnull(x);
    for (; headers && *headers; headers++)
        set_header(x, *headers);
    if (!gh_exchange_begin(x))
        ck_assert(gh_exchange_end(x));
    return x->reply.status;
}

static int ask_list(const char *method, const char *const *path_and_headers)
{
    return ask(method, path_and_headers[0], path_and_headers + 1);
}

/* Headers may follow; a compound literal of them ends with NULL. */
#define ASK(...)          ASK_(__VA_ARGS__, NULL)
#define ASK_(method, ...) ask_list(method, (const char *const[]){__VA_ARGS__})

static json_t *reply_json(void)
{
    size_t len;
    const char *text = gh_reply_bytes(&x->reply, &len);
    json_error_t fault;
    json_t *o = json_loadb(text, len, 0, &fault);
    ck_assert_msg(o != NULL, "%s: %.*s", fault.text, (int)len, text);
    return o;
}

static const char *header(const char *name)
{
    const char *value = gh_reply_find(&x->reply, name);
    return value ? value : "";
}

START_TEST(test_the_simple_routes_answer)
{
    ck_assert_int_eq(ASK("GET", "/healthz"), 200);
    ck_assert_int_eq(ASK("HEAD", "/healthz"), 200);
    ck_assert_int_eq(ASK("GET", "/version"), 200);
    json_t *o = reply_json();
    ck_assert_str_eq(json_string_value(json_object_get(o, "version")), gh_version());
    json_decref(o);
    ck_assert_int_eq(ASK("GET", "/openapi.json"), 200);
    json_decref(reply_json());
    ck_assert_int_eq(ASK("GET", "/metrics"), 200);
    ck_assert_int_eq(ASK("GET", "/readyz"), 503);
    ck_assert_int_eq(ASK("GET", "/models"), 503);
    ck_assert_str_eq(header("Cache-Control"), "no-store");
    ck_assert_str_eq(header("X-Content-Type-Options"), "nosniff");
    ck_assert_str_eq(header("Retry-After"), "1");
}
END_TEST

/* The page names only files that are there, and nothing of another host. */
START_TEST(test_the_page_is_whole)
{
    size_t len, total = 0;
    int files = 0;
    ck_assert_int_eq(ASK("GET", "/"), 200);
    ck_assert_str_eq(x->reply.type, "text/html; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(header("Content-Security-Policy"), "default-src 'none'"));
    const char *page = gh_reply_bytes(&x->reply, &len);
    ck_assert_uint_eq(strlen(page), len);
    ck_assert_ptr_null(strstr(page, "://"));
    for (const char *at = page; (at = strstr(at, "\"web/")) != NULL; files++) {
        char path[40];
        at++;
        snprintf(path, sizeof path, "/%.*s", (int)strcspn(at, "\""), at);
        ck_assert_msg(ASK("GET", path) == 200, "%s", path);
        gh_reply_bytes(&x->reply, &len);
        total += len;
    }
    ck_assert_int_ge(files, 3);
    ck_assert_uint_lt(total, 60000);
    ck_assert_int_eq(ASK("GET", "/web/none.js"), 404);
    ck_assert_int_eq(ASK("GET", "/web/"), 404);
    ck_assert_int_eq(ASK("POST", "/"), 405);
}
END_TEST

START_TEST(test_problems_are_whole)
{
    static const char *const keys[] = {"type", "title", "detail", "instance", "request_id", "error"};
    ck_assert_int_eq(ASK("GET", "/n\"o\xff", "X-Request-ID: abc-1"), 404);
    ck_assert_str_eq(x->reply.type, "application/problem+json");
    json_t *o = reply_json();
    for (size_t i = 0; i < GH_COUNT(keys); i++)
        ck_assert_msg(json_is_string(json_object_get(o, keys[i])), "%s", keys[i]);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "status")), 404);
    ck_assert_str_eq(json_string_value(json_object_get(o, "instance")), "/n\"o\xef\xbf\xbd");
    ck_assert_str_eq(json_string_value(json_object_get(o, "request_id")), "abc-1");
    ck_assert_str_eq(json_string_value(json_object_get(o, "error")),
                     json_string_value(json_object_get(o, "detail")));
    ck_assert(strstr(json_string_value(json_object_get(o, "detail")), "POST /classify") != NULL);
    ck_assert_str_eq(header("X-Request-ID"), "abc-1");
    json_decref(o);
}
END_TEST

START_TEST(test_wrong_methods_are_told_the_right_ones)
{
    ck_assert_int_eq(ASK("GET", "/classify"), 405);
    ck_assert_str_eq(header("Allow"), "POST, OPTIONS");
    ck_assert_int_eq(ASK("POST", "/models/x"), 405);
    ck_assert_str_eq(header("Allow"), "GET, HEAD, OPTIONS");
    ck_assert_int_eq(ASK("BREW", "/healthz"), 405);
    ck_assert_int_eq(ASK("OPTIONS", "/healthz"), 204);
    ck_assert_str_eq(header("Allow"), "GET, HEAD, OPTIONS");
    ck_assert_int_eq(ASK("GET", "/models/"), 404);
    ck_assert_int_eq(ASK("GET", "/models/a/b"), 404);
    ck_assert_int_eq(ASK("GET", "/healthz/"), 404);
    ck_assert_int_eq(ASK("GET", ""), 404);
}
END_TEST

START_TEST(test_bodies_are_refused_at_the_headers)
{
    ck_assert_int_eq(ASK("POST", "/classify"), 411);
    ck_assert_int_eq(ASK("POST", "/classify", "Content-Length: 16777217"), 413);
    ck_assert(x->has_body);
    ck_assert_int_eq(ASK("POST", "/classify", "Content-Length: 18446744073709551616"), 413);
    ck_assert_int_eq(ASK("POST", "/classify", "Content-Length: 10", "Content-Encoding: gzip"), 415);
    ck_assert_int_eq(ASK("POST", "/classify", "Content-Length: 10"), 503); /* no models yet */
    json_t *o = reply_json();
    ck_assert_str_eq(json_string_value(json_object_get(o, "detail")),
                     "the server is still loading its models");
    json_decref(o);
    gh_exchange_free(&x);
    atomic_store(&app->draining, true);
    ck_assert_int_eq(ASK("POST", "/classify", "Content-Length: 10"), 503);
    ck_assert_str_eq(header("Connection"), "close");
}
END_TEST

START_TEST(test_request_ids)
{
    static const char *const bad[] = {"X-Request-ID: ", "X-Request-ID: a b", "X-Request-ID: \xc3\xa9",
                                      "X-Request-ID: a\"b"};
    char first[GH_HTTP_MAX_ID + 1], longest[160] = "X-Request-ID: ";
    ASK("GET", "/healthz");
    snprintf(first, sizeof first, "%s", header("X-Request-ID"));
    ck_assert_uint_eq(strlen(first), 16);
    ASK("GET", "/healthz");
    ck_assert_str_ne(header("X-Request-ID"), first);
    for (size_t i = 0; i < GH_COUNT(bad); i++) {
        ASK("GET", "/healthz", bad[i]);
        ck_assert_uint_eq(strlen(header("X-Request-ID")), 16);
    }
    memset(longest + 14, 'x', GH_HTTP_MAX_ID);
    ASK("GET", "/healthz", longest);
    ck_assert_str_eq(header("X-Request-ID"), longest + 14);
    longest[14 + GH_HTTP_MAX_ID] = 'x';
    ASK("GET", "/healthz", longest);
    ck_assert_uint_eq(strlen(header("X-Request-ID")), 16);
}
END_TEST

static void write_token(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(test_token)
{
    char path[] = "/tmp/gharial-token-XXXXXX";
    int fd = mkstemp(path);
    gh_err e = {0};
    ck_assert_int_ge(fd, 0);
    close(fd);
    options.token_file = path;
    write_token(path, "short\n");
    ck_assert_int_eq(gh_app_new(&app, &options, &e), GH_ARG);
    write_token(path, "two words here\n");
    ck_assert_int_eq(gh_app_new(&app, &options, &e), GH_ARG);
    write_token(path, "\n secret-token \r\n");
    ck_assert_int_eq(ASK("GET", "/models", "Authorization: Bearer secret-token"), 503);
    ck_assert_int_eq(ASK("GET", "/models", "Authorization: bearer secret-token"), 503);
    ck_assert_int_eq(ASK("GET", "/models"), 401);
    ck_assert_str_eq(header("WWW-Authenticate"), "Bearer realm=\"gharial\"");
    static const char *const wrong[] = {"Authorization: Bearer secret-tokem",
                                        "Authorization: Bearer secret-toke",
                                        "Authorization: Bearer secret-tokens",
                                        "Authorization: Bearer ",
                                        "Authorization: Basic secret-token",
                                        "Authorization: secret-token",
                                        "Authorization: Bearer secret-tokensecret-token"};
    for (size_t i = 0; i < GH_COUNT(wrong); i++)
        ck_assert_msg(ASK("GET", "/models", wrong[i]) == 401, "%s", wrong[i]);
    ck_assert_int_eq(ASK("POST", "/classify", "Content-Length: 5"), 401);
    ck_assert_int_eq(ASK("GET", "/healthz"), 200);
    ck_assert_int_eq(ASK("GET", "/readyz"), 503);
    ck_assert_int_eq(ASK("GET", "/version"), 200);
    ck_assert_int_eq(ASK("GET", "/openapi.json"), 401);
    unlink(path);
}
END_TEST

/* The least time of many tries for each of two, in turn, in nanoseconds: interruptions only ever add to it.
 */
static void times_to_refuse(uint64_t least[2], const char *const authorizations[2])
{
    least[0] = least[1] = UINT64_MAX;
    for (int i = 0; i < 4000; i++) {
        bool let_in = false;
        uint64_t begin = gh_now_ns();
        for (int k = 0; k < 4; k++) /* an assertion here would take longer than what it looks at */
            let_in |= gh_app_authorized(app, authorizations[i % 2]);
        uint64_t passed = gh_now_ns() - begin;
        ck_assert(!let_in);
        least[i % 2] = passed < least[i % 2] ? passed : least[i % 2];
    }
}

/* A guess whose first 4,000 characters are right takes as long as one whose first is wrong. */
START_TEST(test_a_token_is_compared_in_constant_time)
{
    enum { LENGTH = 4000, BEARER = 7 };
    char path[] = "/tmp/gharial-token-XXXXXX";
    static char token[LENGTH + 1], late[BEARER + LENGTH + 1], early[BEARER + LENGTH + 1];
    int fd = mkstemp(path);
    gh_err e = {0};
    ck_assert_int_ge(fd, 0);
    close(fd);
    memset(token, 't', LENGTH);
    write_token(path, token);
    options.token_file = path;
    ck_assert_int_eq(gh_app_new(&app, &options, &e), GH_OK);
    unlink(path);
    snprintf(late, sizeof late, "Bearer %s", token);
    ck_assert(gh_app_authorized(app, late));
    memcpy(early, late, sizeof late);
    late[BEARER + LENGTH - 1] = early[BEARER] = 'x';
    uint64_t least[2];
    times_to_refuse(least, (const char *const[]){early, late});
    double share = (double)least[0] / (double)least[1];
    ck_assert_msg(share > 0.9 && share < 1.1, "the time for an early fault is %.3f of that for a late one",
                  share);
}
END_TEST

START_TEST(test_cors)
{
    ck_assert_int_eq(ASK("GET", "/healthz", "Origin: http://a.example"), 200);
    ck_assert_str_eq(header("Access-Control-Allow-Origin"), "");
    finish();
    options.cors = "http://a.example,https://b.example:8443";
    ASK("GET", "/healthz", "Origin: https://b.example:8443");
    ck_assert_str_eq(header("Access-Control-Allow-Origin"), "https://b.example:8443");
    ck_assert_str_eq(header("Vary"), "Origin");
    ASK("GET", "/healthz", "Origin: https://b.example");
    ck_assert_str_eq(header("Access-Control-Allow-Origin"), "");
    ck_assert_int_eq(
        ASK("OPTIONS", "/classify", "Origin: http://a.example", "Access-Control-Request-Method: POST"), 204);
    ck_assert_str_eq(header("Access-Control-Allow-Methods"), "POST, OPTIONS");
    ck_assert_str_eq(header("Access-Control-Max-Age"), "600");
    ck_assert(strstr(header("Access-Control-Allow-Headers"), "Content-Type") != NULL);
    ck_assert_str_eq(header("Access-Control-Allow-Credentials"), "");
    ASK("OPTIONS", "/classify", "Origin: http://c.example", "Access-Control-Request-Method: POST");
    ck_assert_str_eq(header("Access-Control-Allow-Methods"), "");
    finish();
    options.cors = "*";
    ASK("GET", "/nothing", "Origin: http://anybody.example");
    ck_assert_str_eq(header("Access-Control-Allow-Origin"), "*");
}
END_TEST

START_TEST(test_budget_for_bodies)
{
    options.max_bytes_in_flight = 100;
    ASK("GET", "/healthz");
    ck_assert(gh_app_reserve(app, 60));
    ck_assert(!gh_app_reserve(app, 41));
    ck_assert(gh_app_reserve(app, 40));
    gh_app_release(app, 100);
    ck_assert(!gh_app_reserve(app, 101));
    ck_assert(gh_app_reserve(app, 100));
    gh_app_release(app, 100);
}
END_TEST

/* A body that outgrows what the headers admitted: the rest goes by, the answer is 503, the bytes come back.
 */
START_TEST(test_a_body_over_the_budget_is_given_up)
{
    options.max_bytes_in_flight = 100;
    gh_err e = {0};
    ck_assert_int_eq(gh_app_new(&app, &options, &e), GH_OK);
    x = gh_exchange_new(app, "POST", "/classify");
    set_header(x, "Transfer-Encoding: chunked");
    atomic_store(&app->models, (gh_registry *)(void *)&e); /* loaded, as far as the headers care */
    ck_assert(!gh_exchange_begin(x));
    ck_assert(gh_exchange_body(x, "0123456789", 10));
    ck_assert_uint_eq(atomic_load(&app->body_bytes), 10);
    char much[95] = {0};
    ck_assert(gh_exchange_body(x, much, sizeof much));
    ck_assert_uint_eq(atomic_load(&app->body_bytes), 0);
    ck_assert(gh_exchange_body(x, much, sizeof much));
    ck_assert(!gh_exchange_will_queue(x));
    ck_assert(gh_exchange_end(x));
    ck_assert_int_eq(x->reply.status, 503);
    gh_exchange_free(&x);
    ck_assert_int_eq(atomic_load(&app->inflight), 0);
}
END_TEST

START_TEST(test_a_chunked_body_over_the_limit_closes)
{
    options.max_body = 100;
    gh_err e = {0};
    ck_assert_int_eq(gh_app_new(&app, &options, &e), GH_OK);
    x = gh_exchange_new(app, "POST", "/classify");
    set_header(x, "Transfer-Encoding: chunked");
    atomic_store(&app->models, (gh_registry *)(void *)&e);
    ck_assert(!gh_exchange_begin(x));
    char much[100] = {0};
    ck_assert(gh_exchange_body(x, much, 100));
    ck_assert(!gh_exchange_body(x, much, 1));
}
END_TEST

START_TEST(test_memory_faults_end_in_a_reply_or_none)
{
    ASK("GET", "/healthz");
    for (int n = 0; n < 12; n++) {
        gh_exchange_free(&x);
        gh_mem_fail_after(n);
        x = gh_exchange_new(app, "GET", n % 2 ? "/version" : "/nothing");
        if (x && !gh_exchange_begin(x))
            gh_exchange_end(x);
        gh_mem_fail_after(-1);
        if (!x)
            continue;
        ck_assert_int_ge(x->reply.status, 200);
        size_t len;
        ck_assert_ptr_nonnull(gh_reply_bytes(&x->reply, &len));
    }
}
END_TEST

/* Every path and method of the document is a route, and every route is in the document. */
START_TEST(test_openapi_is_the_route_table)
{
    json_error_t fault;
    json_t *doc = json_loadb(gh_openapi_json, gh_openapi_json_len, JSON_REJECT_DUPLICATES, &fault), *item,
           *op;
    ck_assert_msg(doc != NULL, "%s", fault.text);
    ck_assert_str_eq(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(doc, "info"), "version")),
                     gh_version());
    const char *path, *method;
    size_t documented = 0;
    json_t *paths = json_object_get(doc, "paths");
    json_object_foreach(paths, path, item)
    {
        json_object_foreach(item, method, op)
        {
            bool found = false;
            for (size_t i = 0; i < gh_nroutes; i++)
                found = found || (strcmp(gh_routes[i].path, path) == 0 &&
                                  strcasecmp(gh_routes[i].method, method) == 0);
            ck_assert_msg(found, "%s %s is documented, but no route", method, path);
            documented++;
        }
    }
    ck_assert_uint_eq(documented, gh_nroutes);
    for (size_t i = 0; i < gh_nroutes; i++) {
        char lower[8] = "";
        for (size_t k = 0; gh_routes[i].method[k]; k++)
            lower[k] = (char)(gh_routes[i].method[k] | 0x20);
        op = json_object_get(json_object_get(paths, gh_routes[i].path), lower);
        ck_assert_msg(op != NULL, "%s %s is not documented", gh_routes[i].method, gh_routes[i].path);
        bool open = json_array_size(json_object_get(op, "security")) == 0 && json_object_get(op, "security");
        ck_assert_msg(open == !!(gh_routes[i].flags & GH_ROUTE_OPEN), "%s", gh_routes[i].path);
    }
    json_decref(doc);
}
END_TEST

Suite *gh_suite_http_exchange(void)
{
    Suite *s = suite_create("http_exchange");
    TCase *t = tcase_create("exchange");
    tcase_add_checked_fixture(t, start, finish);
    tcase_add_test(t, test_the_simple_routes_answer);
    tcase_add_test(t, test_the_page_is_whole);
    tcase_add_test(t, test_problems_are_whole);
    tcase_add_test(t, test_wrong_methods_are_told_the_right_ones);
    tcase_add_test(t, test_bodies_are_refused_at_the_headers);
    tcase_add_test(t, test_request_ids);
    tcase_add_test(t, test_token);
    tcase_add_test(t, test_a_token_is_compared_in_constant_time);
    tcase_add_test(t, test_cors);
    tcase_add_test(t, test_budget_for_bodies);
    tcase_add_test(t, test_a_body_over_the_budget_is_given_up);
    tcase_add_test(t, test_a_chunked_body_over_the_limit_closes);
    tcase_add_test(t, test_memory_faults_end_in_a_reply_or_none);
    tcase_add_test(t, test_openapi_is_the_route_table);
    suite_add_tcase(s, t);
    return s;
}
