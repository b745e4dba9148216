/* Bodies of requests: the bytes stay what they are, however they come and wherever they lie. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/status.h"
#include "http/upload.h"

#include <string.h>

/* Adds `size` bytes in pieces of `piece`, then compares all of them. */
static void fill(gh_upload *b, size_t size, size_t piece, size_t whole)
{
    static uint8_t bytes[1 << 21];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    for (size_t at = 0; at < size; at += piece)
        ck_assert(gh_upload_add(b, bytes + at, size - at < piece ? size - at : piece, whole));
    ck_assert_uint_eq(b->len, size);
    ck_assert(memcmp(b->data, bytes, size) == 0);
}

START_TEST(test_bytes_stay)
{
    static const size_t sizes[] = {1, 1000, 262143, 262144, 262145, 700001, 1 << 21};
    for (size_t i = 0; i < GH_COUNT(sizes); i++)
        for (int known = 0; known < 2; known++) {
            gh_upload b = {0};
            fill(&b, sizes[i], 8191, known ? sizes[i] : 0);
            ck_assert(!known || b.cap == sizes[i]);
            ck_assert(!known || b.mapped == (sizes[i] >= 262144));
            gh_upload_free(&b);
            ck_assert(!b.data && b.len == 0);
            gh_upload_free(&b);
        }
}
END_TEST

START_TEST(test_short_memory_changes_nothing)
{
    gh_upload b = {0};
    fill(&b, 100, 100, 0);
    gh_mem_fail_after(0);
    static const uint8_t more[1000];
    ck_assert(!gh_upload_add(&b, more, sizeof more, 0));
    gh_mem_fail_after(-1);
    ck_assert_uint_eq(b.len, 100);
    ck_assert(!gh_upload_add(&b, more, SIZE_MAX, 0)); /* the sum does not fit */
    ck_assert(!gh_upload_add(&b, more, 1000, SIZE_MAX / 2));
    ck_assert_uint_eq(b.len, 100);
    ck_assert_uint_eq(b.data[99], (uint8_t)(99 * 31));
    gh_upload_free(&b);
}
END_TEST

Suite *gh_suite_http_upload(void)
{
    Suite *s = suite_create("http_upload");
    TCase *t = tcase_create("http_upload");
    tcase_add_test(t, test_bytes_stay);
    tcase_add_test(t, test_short_memory_changes_nothing);
    suite_add_tcase(s, t);
    return s;
}
