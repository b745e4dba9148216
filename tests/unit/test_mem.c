/* Allocation: sizes, alignment, overflow, counters and the fault-injection hook. */
#include "unit/suites.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

START_TEST(test_overflow_is_refused)
{
    ck_assert_ptr_null(gh_calloc(SIZE_MAX / 2, 4));
    ck_assert_ptr_null(gh_realloc(NULL, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(gh_alloc(SIZE_MAX));
    ck_assert_ptr_null(gh_alloc_aligned(SIZE_MAX));
    ck_assert_ptr_null(gh_alloc((size_t)PTRDIFF_MAX + 1));
}
END_TEST

START_TEST(test_size_zero_is_a_pointer_of_one_byte)
{
    char *p[] = {gh_alloc(0), gh_calloc(0, 8), gh_calloc(8, 0), gh_realloc(NULL, 0, 4), gh_alloc_aligned(0)};
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        ck_assert_ptr_nonnull(p[i]);
        *p[i] = 1;
        p[i] = gh_realloc(p[i], 0, 1);
        ck_assert_ptr_nonnull(p[i]);
        *p[i] = 2;
        gh_free(p[i]);
    }
    gh_free(NULL);
}
END_TEST

START_TEST(test_calloc_is_zeroed_and_realloc_keeps)
{
    uint8_t *p = gh_calloc(100, 7);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < 700; i++)
        ck_assert_uint_eq(p[i], 0);
    memset(p, 5, 700);
    uint8_t *q = gh_realloc(p, 5000, 3);
    ck_assert_ptr_nonnull(q);
    for (size_t i = 0; i < 700; i++)
        ck_assert_uint_eq(q[i], 5);
    gh_free(q);
}
END_TEST

START_TEST(test_aligned_is_aligned)
{
    for (size_t size = 1; size < 3000; size += 77) {
        uint8_t *p = gh_alloc_aligned(size);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % GH_ALIGN, 0);
        memset(p, 1, size);
        gh_free(p);
    }
}
END_TEST

START_TEST(test_checked_arithmetic)
{
    size_t out = 42;
    ck_assert(!gh_mul_size(&out, SIZE_MAX, 2));
    ck_assert(!gh_add_size(&out, SIZE_MAX, 1));
    ck_assert_uint_eq(out, 42);
    ck_assert(gh_mul_size(&out, SIZE_MAX, 1));
    ck_assert_uint_eq(out, SIZE_MAX);
    ck_assert(gh_mul_size(&out, SIZE_MAX, 0));
    ck_assert_uint_eq(out, 0);
    ck_assert(gh_add_size(&out, SIZE_MAX - 1, 1));
    ck_assert_uint_eq(out, SIZE_MAX);
}
END_TEST

START_TEST(test_strdup_copies)
{
    char text[] = "gharial";
    char *copy = gh_strdup(text);
    ck_assert_ptr_nonnull(copy);
    text[0] = 'x';
    ck_assert_str_eq(copy, "gharial");
    gh_free(copy);
}
END_TEST

static void *call(int which)
{
    switch (which) {
    case 0:
        return gh_alloc(8);
    case 1:
        return gh_calloc(2, 4);
    case 2:
        return gh_realloc(NULL, 2, 4);
    case 3:
        return gh_alloc_aligned(8);
    case 4:
        return gh_alloc_streamed((size_t)5 << 20);
    default:
        return gh_strdup("eight by");
    }
}

START_TEST(test_nth_allocation_fails_once)
{
    for (int which = 0; which < 6; which++)
        for (int n = 0; n < 4; n++) {
            gh_mem_fail_after(n);
            for (int i = 0; i < 8; i++) {
                void *p = call(which);
                ck_assert_int_eq(p == NULL, i == n);
                gh_free(p);
            }
        }
    gh_mem_fail_after(0);
    gh_mem_fail_after(-1);
    void *p = gh_alloc(1);
    ck_assert_ptr_nonnull(p);
    gh_free(p);
}
END_TEST

START_TEST(test_failed_realloc_keeps_the_block)
{
    char *p = gh_strdup("still here");
    ck_assert_ptr_nonnull(p);
    gh_mem_fail_after(0);
    ck_assert_ptr_null(gh_realloc(p, 1000, 1));
    ck_assert_str_eq(p, "still here");
    gh_free(p);
}
END_TEST

static void *other_thread(void *arg)
{
    void *p = gh_alloc(8);
    *(bool *)arg = p && gh_mem_thread_allocs() == 1;
    gh_free(p);
    return NULL;
}

START_TEST(test_counters_and_hook_are_of_the_thread)
{
    uint64_t mine = gh_mem_thread_allocs(), all = gh_mem_allocs();
    pthread_t thread;
    bool ok = false;
    gh_mem_fail_after(0); /* must not hit the other thread */
    ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, &ok), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(ok);
    ck_assert_uint_eq(gh_mem_thread_allocs(), mine);
    ck_assert_uint_eq(gh_mem_allocs(), all + 1);
    ck_assert_ptr_null(gh_alloc(8));
    void *p = gh_alloc(8);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(gh_mem_thread_allocs(), mine + 1);
    gh_free(p);
}
END_TEST

Suite *gh_suite_mem(void)
{
    Suite *s = suite_create("mem");
    TCase *t = tcase_create("mem");
    tcase_add_test(t, test_overflow_is_refused);
    tcase_add_test(t, test_size_zero_is_a_pointer_of_one_byte);
    tcase_add_test(t, test_calloc_is_zeroed_and_realloc_keeps);
    tcase_add_test(t, test_aligned_is_aligned);
    tcase_add_test(t, test_checked_arithmetic);
    tcase_add_test(t, test_strdup_copies);
    tcase_add_test(t, test_nth_allocation_fails_once);
    tcase_add_test(t, test_failed_realloc_keeps_the_block);
    tcase_add_test(t, test_counters_and_hook_are_of_the_thread);
    suite_add_tcase(s, t);
    return s;
}
