/* Growable buffer: appending, the limit, sticky failure, and every allocation failing in turn. */
#include "unit/suites.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_appends_in_order)
{
    gh_buf buf = {0};
    char want[20001] = "";
    for (int i = 0; i < 2000; i++) {
        gh_buf_str(&buf, "ab");
        gh_buf_add(&buf, "c", 1);
        gh_buf_add(&buf, NULL, 0);
        gh_buf_printf(&buf, "%02d", i % 100);
        snprintf(want + (size_t)i * 5, sizeof want - (size_t)i * 5, "abc%02d", i % 100);
    }
    ck_assert(!buf.failed);
    ck_assert_uint_eq(buf.len, 10000);
    ck_assert_int_eq(memcmp(buf.data, want, buf.len), 0);
    gh_buf_free(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
}
END_TEST

START_TEST(test_printf_longer_than_the_room)
{
    for (int n = 0; n < 300; n++) {
        gh_buf buf = {0};
        gh_buf_str(&buf, "start");
        gh_buf_printf(&buf, "%*s", n, "x");
        ck_assert(!buf.failed);
        ck_assert_uint_eq(buf.len, 5 + (size_t)(n ? n : 1));
        ck_assert_int_eq(buf.data[buf.len - 1], 'x');
        ck_assert_int_eq(memcmp(buf.data, "start", 5), 0);
        gh_buf_free(&buf);
    }
    gh_buf empty = {0};
    gh_buf_printf(&empty, "%s", "");
    ck_assert_uint_eq(empty.len, 0);
    ck_assert(!empty.failed);
    gh_buf_free(&empty);
}
END_TEST

START_TEST(test_limit_is_exact_and_sticky)
{
    for (int how = 0; how < 2; how++) {
        gh_buf buf = {.limit = 10};
        gh_buf_str(&buf, "12345");
        if (how == 0)
            gh_buf_str(&buf, "67890");
        else
            gh_buf_printf(&buf, "%d", 67890);
        ck_assert(!buf.failed);
        ck_assert_uint_eq(buf.len, 10);
        if (how == 0)
            gh_buf_add(&buf, "1", 1);
        else
            gh_buf_printf(&buf, "%c", '1');
        ck_assert(buf.failed);
        ck_assert_uint_eq(buf.len, 10);
        gh_buf_printf(&buf, "%s", "later");
        gh_buf_add(&buf, "x", 1);
        ck_assert(!gh_buf_reserve(&buf, 0));
        ck_assert_uint_eq(buf.len, 10);
        gh_buf_free(&buf);
        ck_assert(!buf.failed);
        ck_assert_uint_eq(buf.limit, 10);
    }
}
END_TEST

/* A limit bounds the memory, not only the length. */
START_TEST(test_limit_bounds_the_capacity)
{
    gh_buf buf = {.limit = 1000};
    for (int i = 0; i < 1000; i++)
        gh_buf_add(&buf, "x", 1);
    ck_assert(!buf.failed);
    ck_assert_uint_le(buf.cap, 1001);
    gh_buf_free(&buf);
}
END_TEST

START_TEST(test_reserve_makes_room)
{
    gh_buf buf = {0};
    ck_assert(gh_buf_reserve(&buf, 1000));
    const uint8_t *data = buf.data;
    for (int i = 0; i < 1000; i++)
        gh_buf_add(&buf, "x", 1);
    ck_assert_ptr_eq(buf.data, data);
    ck_assert(!gh_buf_reserve(&buf, SIZE_MAX));
    ck_assert(buf.failed);
    ck_assert_uint_eq(buf.len, 1000);
    gh_buf_free(&buf);
}
END_TEST

START_TEST(test_every_failing_allocation)
{
    int64_t n = 0;
    for (bool done = false; !done; n++) {
        gh_buf buf = {0};
        gh_mem_fail_after(n);
        for (int i = 0; i < 300; i++) {
            gh_buf_add(&buf, "0123456789", 10);
            gh_buf_printf(&buf, "%010d", i);
        }
        gh_mem_fail_after(-1);
        done = !buf.failed;
        ck_assert_uint_le(buf.len, 6000);
        ck_assert_uint_eq(buf.len == 6000, done);
        ck_assert_uint_eq(buf.len % 10, 0);
        for (size_t i = 0; i + 20 <= buf.len; i += 20)
            ck_assert_int_eq(memcmp(buf.data + i, "0123456789", 10), 0);
        gh_buf_free(&buf);
    }
    ck_assert_int_gt(n, 4);
}
END_TEST

/* The vectors of RFC 4648, section 10. */
START_TEST(test_base64)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"},
                                          {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        gh_buf buf = {0};
        gh_buf_str(&buf, "x");
        gh_buf_base64(&buf, rows[i][0], strlen(rows[i][0]));
        gh_buf_add(&buf, "", 1);
        ck_assert_str_eq((const char *)buf.data + 1, rows[i][1]);
        gh_buf_free(&buf);
    }
    gh_buf few = {.limit = 7};
    gh_buf_base64(&few, "foobar", 6);
    ck_assert(few.failed);
    gh_buf_free(&few);
}
END_TEST

Suite *gh_suite_buf(void)
{
    Suite *s = suite_create("buf");
    TCase *t = tcase_create("buf");
    tcase_add_test(t, test_appends_in_order);
    tcase_add_test(t, test_printf_longer_than_the_room);
    tcase_add_test(t, test_base64);
    tcase_add_test(t, test_limit_is_exact_and_sticky);
    tcase_add_test(t, test_limit_bounds_the_capacity);
    tcase_add_test(t, test_reserve_makes_room);
    tcase_add_test(t, test_every_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}
