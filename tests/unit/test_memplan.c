/* Memory planning: what lives at the same step never shares a byte, and little is wasted. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "engine/memplan.h"

#include <string.h>

static size_t rounded(size_t bytes)
{
    return (bytes + GH_ALIGN - 1) / GH_ALIGN * GH_ALIGN;
}

static bool together(const gh_buffer *a, const gh_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static void check_plan(const gh_buffer *buffers, uint32_t count, size_t total)
{
    for (uint32_t i = 0; i < count; i++) {
        const gh_buffer *a = &buffers[i];
        ck_assert_uint_eq(a->offset % GH_ALIGN, 0);
        ck_assert_uint_le(a->offset + a->bytes, total);
        for (uint32_t k = 0; k < i; k++) {
            const gh_buffer *b = &buffers[k];
            bool apart = a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
            ck_assert_msg(apart || !together(a, b), "buffers %u and %u overlap", i, k);
        }
    }
}

/* The most bytes that live at one step: no plan can do with less. */
static size_t least_total(const gh_buffer *buffers, uint32_t count, uint32_t steps)
{
    size_t most = 0;
    for (uint32_t s = 0; s < steps; s++) {
        size_t sum = 0;
        for (uint32_t i = 0; i < count; i++)
            if (buffers[i].first <= s && s <= buffers[i].last)
                sum += rounded(buffers[i].bytes);
        most = sum > most ? sum : most;
    }
    return most;
}

START_TEST(test_random_lifetimes_never_overlap)
{
    gh_rng rng;
    gh_rng_seed(&rng, 7 + (uint64_t)_i);
    for (int round = 0; round < 60; round++) {
        gh_buffer b[120];
        uint32_t count = 1 + (uint32_t)gh_rng_below(&rng, 120), steps = 1 + (uint32_t)gh_rng_below(&rng, 60);
        size_t sum = 0, total = 12345;
        memset(b, 0xA5, sizeof b);
        for (uint32_t i = 0; i < count; i++) {
            b[i].bytes = (size_t)gh_rng_below(&rng, gh_rng_below(&rng, 4) ? 5000 : 300000);
            b[i].first = (uint32_t)gh_rng_below(&rng, steps);
            b[i].last = b[i].first + (uint32_t)gh_rng_below(&rng, steps - b[i].first);
            sum += rounded(b[i].bytes);
        }
        ck_assert_int_eq(gh_memplan(&total, b, count, NULL), GH_OK);
        check_plan(b, count, total);
        ck_assert_uint_le(total, sum);
        ck_assert_uint_ge(total, least_total(b, count, steps));
    }
}
END_TEST

/* Each buffer lives with its neighbours only: two places are enough, however long the chain. */
START_TEST(test_a_chain_takes_two_places)
{
    gh_buffer b[50];
    size_t total = 0;
    for (uint32_t i = 0; i < 50; i++)
        b[i] = (gh_buffer){.bytes = 1000, .first = i, .last = i + 1};
    ck_assert_int_eq(gh_memplan(&total, b, 50, NULL), GH_OK);
    check_plan(b, 50, total);
    ck_assert_uint_eq(total, 2 * rounded(1000));
}
END_TEST

START_TEST(test_nothing_and_empty_buffers)
{
    gh_buffer b[3] = {{.bytes = 0}, {.bytes = 1}, {.bytes = 0}};
    size_t total = 9;
    ck_assert_int_eq(gh_memplan(&total, NULL, 0, NULL), GH_OK);
    ck_assert_uint_eq(total, 0);
    ck_assert_int_eq(gh_memplan(&total, b, 3, NULL), GH_OK);
    ck_assert_uint_eq(total, GH_ALIGN);
}
END_TEST

/* A graph of a hundred thousand nodes must not take minutes to plan. */
START_TEST(test_very_many_buffers_are_placed_quickly)
{
    enum { MANY = 200000 };
    gh_buffer *b = gh_calloc(MANY, sizeof *b);
    size_t total = 0, at = 0;
    ck_assert_ptr_nonnull(b);
    for (uint32_t i = 0; i < MANY; i++)
        b[i] = (gh_buffer){.bytes = 1 + i % 100, .first = i, .last = i + 2};
    ck_assert_int_eq(gh_memplan(&total, b, MANY, NULL), GH_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        ck_assert_uint_ge(b[i].offset, at);
        at = b[i].offset + b[i].bytes;
    }
    ck_assert_uint_le(at, total);
    gh_free(b);
}
END_TEST

START_TEST(test_no_memory)
{
    gh_buffer b[2] = {{.bytes = 10}, {.bytes = 20}};
    size_t total = 77;
    gh_err e;
    gh_mem_fail_after(0);
    ck_assert_int_eq(gh_memplan(&total, b, 2, &e), GH_NOMEM);
    gh_mem_fail_after(-1);
    ck_assert_uint_eq(total, 77);
}
END_TEST

Suite *gh_suite_memplan(void)
{
    Suite *s = suite_create("memplan");
    TCase *t = tcase_create("memplan");
    tcase_add_loop_test(t, test_random_lifetimes_never_overlap, 0, 5);
    tcase_add_test(t, test_a_chain_takes_two_places);
    tcase_add_test(t, test_nothing_and_empty_buffers);
    tcase_add_test(t, test_very_many_buffers_are_placed_quickly);
    tcase_add_test(t, test_no_memory);
    suite_add_tcase(s, t);
    return s;
}
