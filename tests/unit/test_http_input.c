/* A task request's pictures and parameters, in all three forms. */
#include "unit/suites.h"

#include "base/mem.h"
#include "http/input.h"
#include "http/json_scan.h"

#include <string.h>

#define ALL                                                                                                  \
    (GH_P_MODEL | GH_P_TOP | GH_P_THRESHOLD | GH_P_LIMIT | GH_P_TIMEOUT | GH_P_NMS | GH_P_MAX_SIDE |         \
     GH_P_ANNOTATE)

typedef struct fixture {
    gh_http_request req;
    gh_input in;
    gh_err e;
    gh_buf body;
} fixture;

static fixture f;

static void start(void)
{
    memset(&f, 0, sizeof f);
}

static void finish(void)
{
    gh_input_free(&f.in);
    gh_buf_free(&f.body);
    memset(&f, 0, sizeof f);
}

/* Reads the body in f.body, whose bytes are exactly as many as allocated. */
static gh_status read_body(const char *type)
{
    gh_input_free(&f.in);
    memset(&f.e, 0, sizeof f.e);
    f.req.headers[GH_H_CONTENT_TYPE] = type;
    f.req.body = f.body.data;
    f.req.body_len = f.body.len;
    return gh_input_read(&f.in, &f.req, ALL, &f.e);
}

static gh_status read_text(const char *type, const char *text)
{
    gh_buf_free(&f.body);
    gh_buf_str(&f.body, text);
    return read_body(type);
}

static void check_picture(size_t i, const char *want)
{
    ck_assert_msg(f.in.pictures[i].fault.status == GH_OK, "%s", f.in.pictures[i].fault.text);
    ck_assert_uint_eq(f.in.pictures[i].len, strlen(want));
    ck_assert(memcmp(f.in.pictures[i].data, want, strlen(want)) == 0);
}

START_TEST(test_the_form_is_found)
{
    static const struct {
        const char *type, *body;
        gh_body_form form;
    } rows[] = {
        {"image/jpeg", "\xff\xd8", GH_BODY_RAW},
        {"application/octet-stream", "x", GH_BODY_RAW},
        {"application/x-www-form-urlencoded", "x", GH_BODY_RAW},
        {NULL, "x", GH_BODY_RAW},
        {"", "x", GH_BODY_RAW},
        {"application/json", "x", GH_BODY_JSON},
        {"application/json; charset=utf-8", "x", GH_BODY_JSON},
        {"Application/JSON", "x", GH_BODY_JSON},
        {"application/problem+json", "x", GH_BODY_JSON},
        {"application/jsonx", "x", GH_BODY_RAW},
        {"application/x-www-form-urlencoded", "{\"image\":\"\"}", GH_BODY_JSON},
        {NULL, " \r\n\t{", GH_BODY_JSON},
        {"multipart/form-data; boundary=x", "{", GH_BODY_MULTIPART},
        {"multipart/form-datax", "x", GH_BODY_RAW},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++)
        ck_assert_msg(gh_body_form_of(rows[i].type, (const uint8_t *)rows[i].body, strlen(rows[i].body)) ==
                          rows[i].form,
                      "row %zu", i);
}
END_TEST

START_TEST(test_raw_is_not_copied)
{
    ck_assert_int_eq(read_text("image/png", "bytes"), GH_OK);
    ck_assert_ptr_eq(f.in.pictures[0].data, f.body.data);
    ck_assert_uint_eq(f.in.count, 1);
    ck_assert(!f.in.batch);
    ck_assert_int_eq(read_text("image/png", ""), GH_ARG);
    ck_assert_msg(strstr(f.e.text, "the body is empty") != NULL, "%s", f.e.text);
}
END_TEST

START_TEST(test_multipart_fields_win_over_the_query)
{
    f.req.query[0] = (gh_http_pair){"top", "9"};
    f.req.query[1] = (gh_http_pair){"limit", "7"};
    f.req.nquery = 2;
    ck_assert_msg(read_text("multipart/form-data; boundary=b",
                            "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nA\r\n"
                            "--b\r\nContent-Disposition: form-data; name=\"top\"\r\n\r\n3\r\n"
                            "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n!\r\n--b--") ==
                      GH_OK,
                  "%s", f.e.text);
    ck_assert_int_eq(f.in.params.top, 3);
    ck_assert_int_eq(f.in.params.limit, 7);
    ck_assert(!f.in.batch);
    check_picture(0, "A");
}
END_TEST

START_TEST(test_several_parts_are_a_batch)
{
    ck_assert_int_eq(read_text("multipart/form-data; boundary=b",
                               "--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nA\r\n"
                               "--b\r\nContent-Disposition: form-data; name=\"images[]\"\r\n\r\nB\r\n--b--"),
                     GH_OK);
    ck_assert(f.in.batch);
    ck_assert_uint_eq(f.in.count, 2);
    check_picture(0, "A");
    check_picture(1, "B");
    ck_assert_int_eq(read_text("multipart/form-data; boundary=b",
                               "--b\r\nContent-Disposition: form-data; name=\"picture\"\r\n\r\nA\r\n--b--"),
                     GH_ARG);
    ck_assert_msg(strstr(f.e.text, "the first is \"picture\"") != NULL, "%s", f.e.text);
}
END_TEST

START_TEST(test_json_fields)
{
    ck_assert_msg(read_text("application/json",
                            "{\"image\":\"Zm9v\",\"top\":3,\"threshold\":0.25,\"limit\":"
                            "2.0,\"timeout_ms\":\"50\",\"nms\":0.5,\"max_side\":640,\"annotate\":true,"
                            "\"model\":\"a, b\",\"unknown\":{\"x\":[1]}}") == GH_OK,
                  "%s", f.e.text);
    check_picture(0, "foo");
    ck_assert(!f.in.batch);
    ck_assert_int_eq(f.in.params.top, 3);
    ck_assert_double_eq(f.in.params.threshold, 0.25);
    ck_assert_int_eq(f.in.params.limit, 2);
    ck_assert_int_eq(f.in.params.timeout_ms, 50);
    ck_assert_double_eq(f.in.params.nms, 0.5);
    ck_assert_int_eq(f.in.params.max_side, 640);
    ck_assert_int_eq(f.in.params.annotate, 1);
    ck_assert_int_eq(f.in.params.nmodels, 2);
    ck_assert_str_eq(f.in.params.models[0], "a");
    ck_assert_str_eq(f.in.params.models[1], "b");
    ck_assert_uint_eq(f.in.params.given, ALL);
    ck_assert_int_eq(read_text(NULL, "{\"image\":\"Zm9v\",\"images\":null,\"top\":null}"), GH_OK);
    ck_assert_uint_eq(f.in.params.given, 0);
}
END_TEST

START_TEST(test_json_batch_keeps_faults_apart)
{
    ck_assert_int_eq(read_text("application/json", "{\"images\":[\"Zm9v\",\"!\",7,\"YmFy\"]}"), GH_OK);
    ck_assert(f.in.batch);
    ck_assert_uint_eq(f.in.count, 4);
    check_picture(0, "foo");
    ck_assert_int_eq(f.in.pictures[1].fault.status, GH_ARG);
    ck_assert_int_eq(f.in.pictures[2].fault.status, GH_ARG);
    check_picture(3, "bar");
    ck_assert_int_eq(read_text("application/json", "{\"images\":[\"Zm9v\"]}"), GH_OK);
    ck_assert(f.in.batch);
}
END_TEST

START_TEST(test_json_faults_are_named)
{
    static const char *const rows[][2] = {
        {"{}", "it has neither"},
        {"{\"image\":\"\",\"images\":[]}", "it has both"},
        {"{\"images\":[]}", "array of 1 to 32"},
        {"{\"images\":\"Zm9v\"}", "array of 1 to 32"},
        {"{\"image\":5}", "\"image\": a picture must be base64"},
        {"{\"image\":\"Zm9v!\"}", "\"image\": not base64: character 5 is '!'"},
        {"{\"image\":\"Zm9v\",\"top\":0}", "\"top\" must be a whole number from 1 to 100000; got \"0\""},
        {"{\"image\":\"Zm9v\",\"top\":2.5}", "got \"2.5\""},
        {"{\"image\":\"Zm9v\",\"top\":1e300}", "\"top\" must be"},
        {"{\"image\":\"Zm9v\",\"top\":true}", "got \"true\""},
        {"{\"image\":\"Zm9v\",\"top\":[1]}", "not a JSON array"},
        {"{\"image\":\"Zm9v\",\"annotate\":\"yes\"}", "\"annotate\" must be 0 or 1"},
        {"{\"image\":\"Zm9v\",\"model\":\"../x\"}", "got \"../x\""},
        {"{\"image\":\"Zm9v\",\"model\":\"a,,b\"}", "got \"\""},
        {"{\"image\":\"Zm9v\"", "not valid JSON: line 1"},
        {"[\"Zm9v\"]", "must be an object"},
        {"{\"image\":\"Zm9v", "ends within a string"},
        {"{\"image\":\"\\u0000\"}", "\\u0000"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nested deeper than 16, at byte 17"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        ck_assert_msg(read_text("application/json", rows[i][0]) == GH_ARG, "%s", rows[i][0]);
        ck_assert_msg(strstr(f.e.text, rows[i][1]) != NULL, "%s: %s", rows[i][0], f.e.text);
    }
    ck_assert_int_eq(read_text("application/json", "{\"image\":\"\xff\"}"), GH_ARG);
}
END_TEST

START_TEST(test_depth_sixteen_is_accepted)
{
    ck_assert_msg(
        read_text("application/json", "{\"image\":\"Zm9v\",\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}") == GH_OK,
        "%s", f.e.text);
}
END_TEST

/* n bytes of "abcd..." as base64; every 76 characters a line break as an escape when `breaks`. */
static void add_base64(gh_buf *out, size_t n, bool breaks)
{
    ck_assert_uint_eq(n % 3, 0);
    for (size_t i = 0; i < n; i += 3) {
        gh_buf_str(out, "Pz8/"); /* three question marks */
        if (breaks && i % 57 == 54)
            gh_buf_str(out, "\\r\\n");
    }
}

START_TEST(test_long_pictures_are_decoded_in_place)
{
    gh_buf_str(&f.body, "{\"images\":[\"data:image/png;base64,");
    add_base64(&f.body, 6000, false);
    gh_buf_str(&f.body, "\",\"");
    add_base64(&f.body, 9000, true);
    gh_buf_str(&f.body, "\",\"Zm9v\",\"");
    add_base64(&f.body, 6000, false);
    gh_buf_str(&f.body, "!\"],\"top\":4}");
    ck_assert_msg(read_body("application/json") == GH_OK, "%s", f.e.text);
    ck_assert_uint_eq(f.in.count, 4);
    ck_assert_int_eq(f.in.params.top, 4);
    for (size_t i = 0; i < 2; i++) {
        const gh_picture *p = &f.in.pictures[i];
        ck_assert_msg(p->fault.status == GH_OK, "%s", p->fault.text);
        ck_assert_uint_eq(p->len, i ? 9000 : 6000);
        ck_assert(p->data > f.body.data && p->data < f.body.data + f.body.len);
        for (size_t k = 0; k < p->len; k++)
            ck_assert_int_eq(p->data[k], '?');
    }
    check_picture(2, "foo");
    ck_assert_int_eq(f.in.pictures[3].fault.status, GH_ARG);
}
END_TEST

/* What the scan leaves for the parser is bounded: 600,000 numbers in a list would take 20 MB there. */
START_TEST(test_much_text_besides_pictures_is_refused)
{
    gh_buf_str(&f.body, "{\"image\":\"Zm9v\",\"x\":[0");
    for (int i = 0; i < 600000; i++)
        gh_buf_str(&f.body, ",1");
    gh_buf_str(&f.body, "]}");
    ck_assert_int_eq(read_body("application/json"), GH_LIMIT);
    gh_buf_free(&f.body);
    gh_buf_str(&f.body, "{\"images\":[\"Zm9v\"");
    for (int i = 0; i < GH_MAX_PICTURES; i++)
        gh_buf_str(&f.body, ",\"Zm9v\"");
    gh_buf_str(&f.body, "]}");
    ck_assert_int_eq(read_body("application/json"), GH_LIMIT);
}
END_TEST

/* Looks at the body without changing it: the picture that it finds, whole or not, or none. */
static void check_peek(const char *type, const char *text, const char *want, bool whole)
{
    gh_peek peek = {0};
    gh_buf_free(&f.body);
    gh_buf_str(&f.body, text);
    f.req.headers[GH_H_CONTENT_TYPE] = type;
    f.req.body = f.body.data;
    f.req.body_len = f.body.len;
    ck_assert_msg(gh_input_peek(&peek, &f.req) == (want != NULL), "%.80s", text);
    ck_assert_mem_eq(f.body.data, text, f.body.len);
    if (want) {
        ck_assert_uint_eq(peek.len, strlen(want));
        ck_assert_mem_eq(peek.data, want, peek.len);
        ck_assert_int_eq(peek.whole, whole);
    }
    gh_peek_free(&peek);
}

#define PART(name, text) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"

START_TEST(test_the_only_picture_is_looked_at)
{
    static const char form[] = "multipart/form-data; boundary=b", json[] = "application/json";
    check_peek("image/png", "raw bytes", "raw bytes", true);
    check_peek(form, PART("top", "3") PART("file", "bytes") "--b--", "bytes", true);
    check_peek(form, PART("image", "one") PART("image", "two") "--b--", NULL, false);
    check_peek(form, PART("top", "3") "--b--", NULL, false);
    check_peek(form, PART("image", "one"), NULL, false);
    check_peek(json, "{\"top\": 3, \"image\": \"YnN0\"}", "bst", true);
    check_peek(json, "{\"image\": \"data:image/png;base64,YnN0\"}", "bst", true);
    check_peek(json, "{\"images\": [\"YnN0\"]}", NULL, false);
    check_peek(json, "{\"image\": \"YnN0\", \"images\": [\"YnN0\"]}", NULL, false);
    check_peek(json, "{\"image\": \"no base64!\"}", NULL, false);
    check_peek(json, "{\"image\": 3}", NULL, false);
    check_peek(json, "[\"YnN0\"]", NULL, false);
    check_peek(json, "{\"image\": \"YnN", NULL, false);
}
END_TEST

/* Of a long one only the first bytes, wherever the cut falls among the characters; as much beside it is left
 * to a worker. */
START_TEST(test_of_long_pictures_the_first_bytes_are_looked_at)
{
    static const char *const prefixes[] = {"", "data:image/jpeg;base64,", "data:image/png;base64,",
                                           "data:image/webp;base64,", "  "};
    f.req.headers[GH_H_CONTENT_TYPE] = "application/json";
    for (size_t i = 0; i < GH_COUNT(prefixes); i++) {
        gh_peek peek = {0};
        gh_buf_free(&f.body);
        gh_buf_printf(&f.body, "{\"image\":\"%s", prefixes[i]);
        for (int k = 0; k < 40000; k++)
            gh_buf_str(&f.body, "AAAA");
        gh_buf_str(&f.body, "\"}");
        f.req.body = f.body.data;
        f.req.body_len = f.body.len;
        ck_assert_msg(gh_input_peek(&peek, &f.req), "%s", prefixes[i]);
        ck_assert(!peek.whole && peek.len > 49000 && peek.len <= 49152);
        gh_peek_free(&peek);
    }
    f.body.len -= 2;
    gh_buf_str(&f.body, "\",\"x\":[");
    for (int k = 0; k < 3000; k++)
        gh_buf_str(&f.body, "1,");
    gh_buf_str(&f.body, "1]}");
    gh_peek peek = {0};
    f.req.body = f.body.data;
    f.req.body_len = f.body.len;
    ck_assert(!gh_input_peek(&peek, &f.req));
    gh_peek_free(&peek);
}
END_TEST

START_TEST(test_parameters_are_strict)
{
    static const char *const bad[][2] = {
        {"top", "5x"},        {"top", " 5"},         {"top", "-1"},          {"top", "1e2"},
        {"top", "100001"},    {"threshold", "nan"},  {"threshold", "inf"},   {"threshold", "0x1"},
        {"threshold", "1.1"}, {"threshold", "-0.1"}, {"threshold", "1e999"}, {"threshold", "."},
        {"nms", "1.1"},       {"max_side", "31"},    {"limit", "0"},         {"timeout_ms", "0"},
        {"model", "a b"},     {"model", "."},        {"model", "a,b,"},      {"model", "a/b"},
    };
    for (size_t i = 0; i < GH_COUNT(bad); i++) {
        gh_params p = {0};
        gh_err e = {0};
        ck_assert_msg(
            gh_params_set(&p, ALL, bad[i][0], strlen(bad[i][0]), bad[i][1], strlen(bad[i][1]), &e) == GH_ARG,
            "%s=%s", bad[i][0], bad[i][1]);
        ck_assert(strstr(e.text, bad[i][0]) != NULL);
        ck_assert_uint_eq(p.given, 0);
    }
    gh_params p = {0};
    ck_assert_int_eq(gh_params_set(&p, GH_P_MODEL, "top", 3, "x", 1, NULL), GH_OK);
    ck_assert_int_eq(gh_params_set(&p, ALL, "no_such", 7, "x", 1, NULL), GH_OK);
    ck_assert_int_eq(gh_params_set(&p, ALL, "top", 3, "", 0, NULL), GH_OK);
    ck_assert_uint_eq(p.given, 0);
    ck_assert_int_eq(gh_params_set(&p, ALL, "threshold", 9, "1e-3", 4, NULL), GH_OK);
    ck_assert_double_eq(p.threshold, 1e-3);
}
END_TEST

START_TEST(test_memory_faults_are_statuses)
{
    static const char body[] = "{\"images\":[\"Zm9v\",\"YmFy\"],\"top\":4}";
    for (int n = 0; n < 20; n++) {
        gh_buf_free(&f.body);
        gh_buf_str(&f.body, body);
        gh_mem_fail_after(n);
        gh_status status = read_body("application/json");
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "%d: %s", status, f.e.text);
        if (status == GH_OK)
            return;
    }
    ck_abort_msg("never succeeded");
}
END_TEST

Suite *gh_suite_http_input(void)
{
    Suite *s = suite_create("http_input");
    TCase *t = tcase_create("input");
    tcase_add_checked_fixture(t, start, finish);
    tcase_add_test(t, test_the_form_is_found);
    tcase_add_test(t, test_raw_is_not_copied);
    tcase_add_test(t, test_multipart_fields_win_over_the_query);
    tcase_add_test(t, test_several_parts_are_a_batch);
    tcase_add_test(t, test_json_fields);
    tcase_add_test(t, test_json_batch_keeps_faults_apart);
    tcase_add_test(t, test_json_faults_are_named);
    tcase_add_test(t, test_depth_sixteen_is_accepted);
    tcase_add_test(t, test_long_pictures_are_decoded_in_place);
    tcase_add_test(t, test_much_text_besides_pictures_is_refused);
    tcase_add_test(t, test_the_only_picture_is_looked_at);
    tcase_add_test(t, test_of_long_pictures_the_first_bytes_are_looked_at);
    tcase_add_test(t, test_parameters_are_strict);
    tcase_add_test(t, test_memory_faults_are_statuses);
    suite_add_tcase(s, t);
    return s;
}
