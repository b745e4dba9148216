/* Base64: the alphabets, padding, white space, data: URLs, and what is refused. */
#include "unit/suites.h"

#include "http/base64.h"

#include <string.h>

static gh_status decode(char *out, const char *text, gh_err *e)
{
    uint8_t bytes[256];
    size_t n = 0;
    gh_status status = gh_base64_decode(&n, bytes, text, strlen(text), e);
    if (status == GH_OK) {
        memcpy(out, bytes, n);
        out[n] = 0;
    }
    return status;
}

START_TEST(test_vectors_decode)
{
    /* RFC 4648, section 10, with and without padding; then our own leniency. */
    static const char *const rows[][2] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zg=", "f"},
        {"Zm8=", "fo"},
        {"Zm8", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {" Zm9v\r\n\tYmFy \n", "foobar"},
        {"Zm9vYg== \n", "foob"},
        {"Zm9vYg=\n=", "foob"},
        {"Pz8/Pj4+", "\?\?\?>>>"},
        {"Pz8_Pj4-", "\?\?\?>>>"},
        {"data:image/png;base64,Zm9v", "foo"},
        {"DATA:image/jpeg;charset=x;BASE64,Zm9v", "foo"},
        {"data:;base64,Zm9v", "foo"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        char out[256] = "unset";
        gh_err e = {0};
        ck_assert_msg(decode(out, rows[i][0], &e) == GH_OK, "%s: %s", rows[i][0], e.text);
        ck_assert_str_eq(out, rows[i][1]);
    }
}
END_TEST

START_TEST(test_wrong_text_is_refused)
{
    static const char *const rows[][2] = {
        {"Z", "middle of a byte"},
        {"Zm9vY", "middle of a byte"},
        {"Zm9v!", "character 5 is '!'"},
        {"Zm9v\x01", "byte 0x01"},
        {"Zg==Zg==", "more after the padding"},
        {"=", "wrong padding"},
        {"Z===", "wrong padding"},
        {"Zm9v=", "wrong padding"},
        {"Zm8==", "wrong padding"},
        {"data:image/png;base64", "no comma"},
        {"data:image/png,Zm9v", "not marked"},
        {"http://example.org/cat.jpg", "character 5 is ':'"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        char out[256];
        gh_err e = {0};
        ck_assert_msg(decode(out, rows[i][0], &e) == GH_ARG, "%s", rows[i][0]);
        ck_assert_msg(strstr(e.text, rows[i][1]) != NULL, "%s: %s", rows[i][0], e.text);
    }
}
END_TEST

START_TEST(test_zero_bytes_are_not_skipped)
{
    uint8_t out[16];
    size_t n = 0;
    ck_assert_int_eq(gh_base64_decode(&n, out, "Zm\0v", 4, NULL), GH_ARG);
}
END_TEST

/* Encodes 0..255 repeatedly, decodes it over itself, at every length. */
START_TEST(test_decodes_in_place)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t len = 0; len < 300; len++) {
        char text[420];
        size_t n = 0, got = 0;
        for (size_t i = 0; i < len; i += 3) {
            unsigned b[3] = {(unsigned)(i * 7 % 256), (unsigned)((i + 1) * 7 % 256),
                             (unsigned)((i + 2) * 7 % 256)};
            unsigned v = b[0] << 16 | b[1] << 8 | b[2];
            size_t chars = len - i >= 3 ? 4 : len - i + 1;
            if (len - i == 1)
                v &= 0xff0000;
            else if (len - i == 2)
                v &= 0xffff00;
            for (size_t k = 0; k < chars; k++)
                text[n++] = digits[v >> (18 - 6 * k) & 63];
        }
        gh_err e = {0};
        ck_assert_msg(gh_base64_decode(&got, (uint8_t *)text, text, n, &e) == GH_OK, "%s", e.text);
        ck_assert_uint_eq(got, len);
        for (size_t i = 0; i < len; i++)
            ck_assert_uint_eq((uint8_t)text[i], i * 7 % 256);
    }
}
END_TEST

Suite *gh_suite_http_base64(void)
{
    Suite *s = suite_create("http_base64");
    TCase *t = tcase_create("base64");
    tcase_add_test(t, test_vectors_decode);
    tcase_add_test(t, test_wrong_text_is_refused);
    tcase_add_test(t, test_zero_bytes_are_not_skipped);
    tcase_add_test(t, test_decodes_in_place);
    suite_add_tcase(s, t);
    return s;
}
