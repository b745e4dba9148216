/* The multipart parser on bodies as browsers and curl write them, and on broken ones. */
#include "unit/suites.h"

#include "base/buf.h"
#include "http/multipart.h"

#include <string.h>

#define TYPE             "multipart/form-data; boundary=AaB"
#define PART(name, data) "--AaB\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" data "\r\n"

static gh_status parse(gh_parts *out, const char *type, const char *body, gh_err *e)
{
    memset(out, 0, sizeof *out);
    return gh_multipart_parse(out, type, (const uint8_t *)body, strlen(body), e);
}

static void check_part(const gh_part *part, const char *name, const char *data)
{
    ck_assert_uint_eq(part->name_len, strlen(name));
    ck_assert(memcmp(part->name, name, part->name_len) == 0);
    ck_assert_uint_eq(part->len, strlen(data));
    ck_assert(memcmp(part->data, data, part->len) == 0);
}

START_TEST(test_parts_are_spans_of_the_body)
{
    gh_parts p;
    gh_err e = {0};
    const char *body = PART("image", "one\r\ntwo") PART("top", "3") "--AaB--\r\n";
    ck_assert_msg(parse(&p, TYPE, body, &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(p.count, 2);
    check_part(&p.items[0], "image", "one\r\ntwo");
    check_part(&p.items[1], "top", "3");
    ck_assert((const char *)p.items[0].data > body && (const char *)p.items[0].data < body + strlen(body));
}
END_TEST

START_TEST(test_variants_are_read)
{
    static const struct {
        const char *type, *body, *name, *data;
    } rows[] = {
        {"multipart/form-data;boundary=\"Aa B:\"",
         "--Aa B:\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--Aa B:--", "x", "1"},
        {"Multipart/Form-Data; charset=utf-8; BOUNDARY=AaB; x=y", PART("x", "1") "--AaB--", "x", "1"},
        {TYPE, "preamble\r\n" PART("x", "1") "--AaB--epilogue", "x", "1"},
        {TYPE, PART("x", "") "--AaB--", "x", ""},
        {TYPE, "--AaB\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n--AaB--", "x",
         ""} /* no line of data */,
        {TYPE,
         "--AaB  \r\nCONTENT-DISPOSITION:form-data;filename=\"a;b.jpg\";name=x\r\nContent-Type: "
         "image/jpeg\r\n\r\n1\r\n--AaB--",
         "x", "1"},
        {TYPE,
         "--AaB\r\nContent-Disposition: form-data; filename=\"a\\\"; name=\\\"no.jpg\"; "
         "name=\"x\"\r\n\r\n1\r\n--AaB--",
         "x", "1"},
        {TYPE, "--AaB\r\n\r\nno headers\r\n--AaB--", "", "no headers"},
        {TYPE, PART("x", "-- AaB --A --Aa") "--AaB--", "x", "-- AaB --A --Aa"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        gh_parts p;
        gh_err e = {0};
        ck_assert_msg(parse(&p, rows[i].type, rows[i].body, &e) == GH_OK, "row %zu: %s", i, e.text);
        ck_assert_uint_eq(p.count, 1);
        check_part(&p.items[0], rows[i].name, rows[i].data);
    }
}
END_TEST

START_TEST(test_no_part_is_no_error)
{
    gh_parts p;
    ck_assert_int_eq(parse(&p, TYPE, "--AaB--\r\n", NULL), GH_OK);
    ck_assert_uint_eq(p.count, 0);
}
END_TEST

START_TEST(test_broken_bodies_are_refused)
{
    static const char *const rows[][3] = {
        {"multipart/form-data", PART("x", "1"), "names no boundary"},
        {"multipart/form-data; boundary=", PART("x", "1"), "0 characters"},
        {"multipart/form-data; "
         "boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "x", "71 characters"},
        {TYPE, "", "does not contain the boundary"},
        {TYPE, "some bytes", "does not contain the boundary"},
        {TYPE, "-", "does not contain the boundary"},
        {TYPE, "--Aa", "does not contain the boundary"},
        {TYPE, "--AaB", "malformed behind boundary 1"},
        {TYPE, "--AaBx\r\n\r\n", "malformed behind boundary 1"},
        {TYPE, "--AaB\r\n", "headers of part 1"},
        {TYPE, "--AaB\r\nContent-Disposition: form-data; name=\"x", "headers of part 1"},
        {TYPE, "--AaB\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ndata",
         "part 1 of the multipart body is not ended"},
        {TYPE, PART("x", "1") "--AaB\r\n\r\ntail", "part 2 of the multipart body is not ended"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        gh_parts p;
        gh_err e = {0};
        ck_assert_msg(parse(&p, rows[i][0], rows[i][1], &e) == GH_ARG, "row %zu", i);
        ck_assert_msg(strstr(e.text, rows[i][2]) != NULL, "row %zu: %s", i, e.text);
    }
}
END_TEST

START_TEST(test_number_of_parts_is_limited)
{
    for (int n = GH_MAX_PARTS; n <= GH_MAX_PARTS + 1; n++) {
        gh_buf body = {0};
        gh_parts p = {.count = 0};
        gh_err e = {0};
        for (int i = 0; i < n; i++)
            gh_buf_str(&body, PART("image", "x"));
        gh_buf_str(&body, "--AaB--");
        gh_status status = gh_multipart_parse(&p, TYPE, body.data, body.len, &e);
        ck_assert_int_eq(status, n == GH_MAX_PARTS ? GH_OK : GH_LIMIT);
        ck_assert_uint_eq(p.count, n == GH_MAX_PARTS ? GH_MAX_PARTS : 0);
        gh_buf_free(&body);
    }
}
END_TEST

/* A header section without end is cut off at a limit, not searched for in 16 MB. */
START_TEST(test_long_part_headers_are_refused)
{
    gh_buf body = {0};
    gh_parts p;
    gh_err e = {0};
    gh_buf_str(&body, "--AaB\r\n");
    for (int i = 0; i < 1000; i++)
        gh_buf_str(&body, "X-Header: value\r\n");
    gh_buf_str(&body, "\r\n1\r\n--AaB--");
    ck_assert_int_eq(gh_multipart_parse(&p, TYPE, body.data, body.len, &e), GH_ARG);
    ck_assert(strstr(e.text, "headers of part 1") != NULL);
    gh_buf_free(&body);
}
END_TEST

/* Every prefix of a good body ends in an answer; Address Sanitizer watches the reads. */
START_TEST(test_every_truncation_is_safe)
{
    static const char whole[] = PART("image", "\xff\xd8\r\n--A\r\n--AaX") PART("top", "3") "--AaB--";
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        gh_buf exact = {0};
        gh_parts p;
        gh_buf_add(&exact, whole, len);
        gh_status status = gh_multipart_parse(&p, TYPE, exact.data, exact.len, NULL);
        ck_assert_int_eq(status, GH_ARG);
        gh_buf_free(&exact);
    }
}
END_TEST

Suite *gh_suite_http_multipart(void)
{
    Suite *s = suite_create("http_multipart");
    TCase *t = tcase_create("multipart");
    tcase_add_test(t, test_parts_are_spans_of_the_body);
    tcase_add_test(t, test_variants_are_read);
    tcase_add_test(t, test_no_part_is_no_error);
    tcase_add_test(t, test_broken_bodies_are_refused);
    tcase_add_test(t, test_number_of_parts_is_limited);
    tcase_add_test(t, test_long_part_headers_are_refused);
    tcase_add_test(t, test_every_truncation_is_safe);
    suite_add_tcase(s, t);
    return s;
}
