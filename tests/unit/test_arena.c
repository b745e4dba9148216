/* Arena: alignment, zeroing, the limit, growth, and every allocation failing in turn. */
#include "unit/suites.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"

#include <string.h>

static bool all_are(const uint8_t *p, size_t n, int value)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != value)
            return false;
    return true;
}

START_TEST(test_objects_are_aligned_zeroed_and_apart)
{
    enum { N = 5000 };
    static uint8_t *at[N];
    static size_t size[N];
    gh_arena *arena = gh_arena_new(SIZE_MAX);
    ck_assert_ptr_nonnull(arena);
    gh_rng rng;
    gh_rng_seed(&rng, 1);
    for (int i = 0; i < N; i++) {
        size[i] = gh_rng_below(&rng, i % 50 ? 100 : 40000);
        at[i] = gh_arena_alloc(arena, size[i]);
        ck_assert_ptr_nonnull(at[i]);
        ck_assert_uint_eq((uintptr_t)at[i] % 16, 0);
        ck_assert(all_are(at[i], size[i], 0));
        memset(at[i], i & 0xFF, size[i]);
    }
    for (int i = 0; i < N; i++)
        ck_assert(all_are(at[i], size[i], i & 0xFF));
    gh_arena_free(&arena);
    ck_assert_ptr_null(arena);
    gh_arena_free(&arena);
}
END_TEST

START_TEST(test_limit_is_exact)
{
    gh_arena *arena = gh_arena_new(160);
    ck_assert_ptr_nonnull(arena);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_nonnull(gh_arena_alloc(arena, i % 17)); /* 0 .. 16 take 16 each */
    ck_assert_uint_eq(gh_arena_used(arena), 160);
    ck_assert_ptr_null(gh_arena_alloc(arena, 1));
    ck_assert_ptr_null(gh_arena_alloc(arena, 0));
    ck_assert_uint_eq(gh_arena_used(arena), 160);
    gh_arena_free(&arena);

    arena = gh_arena_new(100000);
    ck_assert_ptr_null(gh_arena_alloc(arena, 100001));
    ck_assert_ptr_nonnull(gh_arena_alloc(arena, 100000));
    ck_assert_ptr_null(gh_arena_alloc(arena, 1));
    gh_arena_free(&arena);
}
END_TEST

START_TEST(test_overflow_is_refused)
{
    gh_arena *arena = gh_arena_new(SIZE_MAX);
    ck_assert_ptr_nonnull(arena);
    ck_assert_ptr_null(gh_arena_alloc(arena, SIZE_MAX));
    ck_assert_ptr_null(gh_arena_alloc(arena, SIZE_MAX - 15));
    ck_assert_ptr_null(gh_arena_alloc(arena, SIZE_MAX - 31));
    ck_assert_ptr_null(gh_arena_array(arena, SIZE_MAX / 8, 9));
    ck_assert_ptr_null(gh_arena_string(arena, "", SIZE_MAX));
    ck_assert_uint_eq(gh_arena_used(arena), 0);
    ck_assert_ptr_nonnull(gh_arena_array(arena, 10, 10));
    ck_assert_uint_eq(gh_arena_used(arena), 112);
    gh_arena_free(&arena);
}
END_TEST

START_TEST(test_strings_end_with_zero)
{
    gh_arena *arena = gh_arena_new(1000);
    ck_assert_str_eq(gh_arena_string(arena, "crocodile", 4), "croc");
    ck_assert_str_eq(gh_arena_string(arena, NULL, 0), "");
    const char *inner = gh_arena_string(arena, "a\0b", 3);
    ck_assert_int_eq(memcmp(inner, "a\0b", 4), 0);
    gh_arena_free(&arena);
}
END_TEST

/* A million small objects need few blocks; a large one does not end the block that small ones come from. */
START_TEST(test_blocks_grow)
{
    gh_arena *arena = gh_arena_new(SIZE_MAX);
    uint64_t before = gh_mem_thread_allocs();
    int got = 0;
    for (int i = 0; i < 1000000; i++)
        got += gh_arena_alloc(arena, 16) != NULL;
    ck_assert_int_eq(got, 1000000);
    ck_assert_uint_eq(gh_arena_used(arena), 16000000);
    ck_assert_uint_lt(gh_mem_thread_allocs() - before, 30);
    gh_arena_free(&arena);

    arena = gh_arena_new(SIZE_MAX);
    before = gh_mem_thread_allocs();
    char *first = gh_arena_alloc(arena, 16);
    ck_assert_ptr_nonnull(gh_arena_alloc(arena, 1000000));
    ck_assert_ptr_eq(gh_arena_alloc(arena, 16), first + 16);
    ck_assert_uint_eq(gh_mem_thread_allocs() - before, 2);
    gh_arena_free(&arena);
}
END_TEST

/* Small and large objects; false as soon as one is refused, with everything before it still intact. */
static bool fill(gh_arena *arena)
{
    for (int i = 0; i < 600; i++) {
        size_t size = i % 100 == 99 ? 50000 : 64;
        uint8_t *p = gh_arena_alloc(arena, size);
        if (!p)
            return false;
        memset(p, 1, size);
    }
    return true;
}

START_TEST(test_every_failing_allocation)
{
    int64_t n = 0;
    for (bool done = false; !done; n++) {
        gh_mem_fail_after(n);
        gh_arena *arena = gh_arena_new(SIZE_MAX);
        done = arena && fill(arena);
        gh_mem_fail_after(-1);
        ck_assert_int_eq(arena == NULL, n == 0);
        if (arena && !done)
            ck_assert_ptr_nonnull(gh_arena_alloc(arena, 8)); /* goes on when memory is back */
        gh_arena_free(&arena);
    }
    ck_assert_int_gt(n, 8);
}
END_TEST

Suite *gh_suite_arena(void)
{
    Suite *s = suite_create("arena");
    TCase *t = tcase_create("arena");
    tcase_add_test(t, test_objects_are_aligned_zeroed_and_apart);
    tcase_add_test(t, test_limit_is_exact);
    tcase_add_test(t, test_overflow_is_refused);
    tcase_add_test(t, test_strings_end_with_zero);
    tcase_add_test(t, test_blocks_grow);
    tcase_add_test(t, test_every_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}
