/* The cache of features: used, cut short, bounded, shared, and no run's end. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/classify/fit_parts.h"
#include "train/features/cache.h"
#include "unit/fit_case.h"
#include "unit/tiny.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(test_the_cache_is_used_and_survives_a_cut)
{
    gh_cache *c = NULL;
    gh_hash key = {1, 2}, a = {3, 4}, b = {5, 6};
    float record[3] = {1, 2, 3};
    char path[400], text[GH_HASH_TEXT];
    ck_assert_msg(gh_cache_open(&c, ft.cache, key, 3, 1 << 20, &ft.e) == GH_OK, "%s", ft.e.text);
    ck_assert_ptr_null(gh_cache_find(c, a));
    gh_cache_add(c, a, record);
    gh_cache_add(c, b, record);
    gh_cache_close(&c);
    snprintf(path, sizeof path, "%s/%s.features", ft.cache, gh_hash_text(key, text));
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 5), 0); /* a kill in the middle of the second record */
    ck_assert_int_eq(gh_cache_open(&c, ft.cache, key, 3, 1 << 20, &ft.e), GH_OK);
    ck_assert_ptr_nonnull(gh_cache_find(c, a));
    ck_assert_float_eq(gh_cache_find(c, a)[2], 3);
    ck_assert_ptr_null(gh_cache_find(c, b));
    gh_cache_close(&c);
    /* another key over the limit drives the old file out */
    gh_hash other = {7, 8};
    ck_assert_int_eq(gh_cache_open(&c, ft.cache, other, 3, 40, &ft.e), GH_OK);
    gh_cache_close(&c);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

START_TEST(test_the_second_run_takes_features_from_the_cache)
{
    gh_trainset *set = NULL;
    gh_body *b = NULL;
    gh_features *cold = NULL, *warm = NULL;
    gh_features_options f = {.cache = ft.cache};
    ck_assert_int_eq(gh_trainset_open(&set, ft.data, &(gh_trainset_options){0}, &ft.e), GH_OK);
    ck_assert_msg(gh_body_open(&b, ft.body, NULL, &ft.e) == GH_OK, "%s", ft.e.text);
    ck_assert_uint_eq(b->width, 3);
    ck_assert_int_eq(gh_features_make(&cold, b, set, &f, &ft.e), GH_OK);
    ck_assert_int_eq(gh_features_make(&warm, b, set, &f, &ft.e), GH_OK);
    ck_assert_uint_eq(cold->cached, 0);
    ck_assert_uint_eq(warm->cached, set->nexamples);
    ck_assert_uint_eq(cold->rows, warm->rows);
    ck_assert_mem_eq(cold->x, warm->x, cold->rows * cold->width * sizeof(float));
    gh_features_free(&cold);
    gh_features_free(&warm);
    gh_body_free(&b);
    gh_trainset_free(&set);
}
END_TEST

/* A cache that cannot be made costs time, not the run; one that another process holds is read. */
START_TEST(test_a_cache_that_cannot_be_used)
{
    char inside[300];
    tiny_text("file", "x");
    snprintf(inside, sizeof inside, "%s", tiny_path("file/cache"));
    ft.o.cache = inside;
    ft_must_train();
}
END_TEST

START_TEST(test_two_hold_the_cache)
{
    gh_cache *first = NULL, *second = NULL;
    gh_hash key = {1, 2}, a = {3, 4}, b = {5, 6};
    float record[3] = {1, 2, 3};
    ck_assert_int_eq(gh_cache_open(&first, ft.cache, key, 3, 1 << 20, &ft.e), GH_OK);
    gh_cache_add(first, a, record);
    ck_assert_int_eq(gh_cache_open(&second, ft.cache, key, 3, 1 << 20, &ft.e), GH_OK);
    ck_assert_ptr_nonnull(gh_cache_find(second, a));
    gh_cache_add(second, b, record); /* kept by nobody */
    gh_cache_add(first, b, record);
    gh_cache_close(&second);
    gh_cache_close(&first);
    ck_assert_int_eq(gh_cache_open(&first, ft.cache, key, 3, 1 << 20, &ft.e), GH_OK);
    ck_assert_ptr_nonnull(gh_cache_find(first, a));
    ck_assert_ptr_nonnull(gh_cache_find(first, b));
    gh_cache_close(&first);
}
END_TEST

/* A file that grows drives older ones out when it is closed. */
START_TEST(test_the_cache_is_bounded_while_it_grows)
{
    gh_cache *old = NULL, *grows = NULL;
    gh_hash keys[2] = {{1, 2}, {7, 8}};
    float record[3] = {1, 2, 3};
    char path[400], text[GH_HASH_TEXT];
    struct stat st;
    ck_assert_int_eq(gh_cache_open(&old, ft.cache, keys[0], 3, 400, &ft.e), GH_OK);
    for (uint64_t i = 0; i < 5; i++)
        gh_cache_add(old, (gh_hash){i, i}, record);
    gh_cache_close(&old);
    ck_assert_int_eq(gh_cache_open(&grows, ft.cache, keys[1], 3, 400, &ft.e), GH_OK);
    snprintf(path, sizeof path, "%s/%s.features", ft.cache, gh_hash_text(keys[0], text));
    ck_assert_int_eq(stat(path, &st), 0);
    for (uint64_t i = 0; i < 100; i++)
        gh_cache_add(grows, (gh_hash){i, i}, record);
    gh_cache_close(&grows);
    ck_assert_int_ne(stat(path, &st), 0);
    snprintf(path, sizeof path, "%s/%s.features", ft.cache, gh_hash_text(keys[1], text));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_le(st.st_size, 400);
}
END_TEST

START_TEST(test_the_cache_without_memory)
{
    gh_cache *c = NULL;
    for (int i = 0; i < 30; i++) {
        gh_mem_fail_after(i);
        gh_status status = gh_cache_open(&c, ft.cache, (gh_hash){1, 2}, 3, 1 << 20, &ft.e);
        gh_mem_fail_after(-1);
        ck_assert_int_eq(status, c ? GH_OK : status);
        gh_cache_close(&c);
        ck_assert_int_ge(fcntl(0, F_GETFD), 0); /* standard input is not the cache's to close */
    }
}
END_TEST

Suite *gh_suite_feature_cache(void)
{
    Suite *s = suite_create("feature_cache");
    TCase *c = tcase_create("cache");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, ft_setup, ft_teardown);
    tcase_add_test(c, test_the_cache_is_used_and_survives_a_cut);
    tcase_add_test(c, test_the_second_run_takes_features_from_the_cache);
    tcase_add_test(c, test_a_cache_that_cannot_be_used);
    tcase_add_test(c, test_two_hold_the_cache);
    tcase_add_test(c, test_the_cache_is_bounded_while_it_grows);
    tcase_add_test(c, test_the_cache_without_memory);
    suite_add_tcase(s, c);
    return s;
}
