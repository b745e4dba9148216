/* Random numbers: the published sequences, ranges and moments. */
#include "unit/suites.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

/* State 1, 2, 3, 4: the first numbers follow from the definition by hand (2*5 rotated by 7, times 9 = 11520;
 * then s[1] = 0). The later ones are those of the reference code, as the tests of rand_xoshiro state them. */
START_TEST(test_xoshiro_sequence)
{
    static const uint64_t want[] = {11520u,
                                    0u,
                                    1509978240u,
                                    1215971899390074240u,
                                    1216172134540287360u,
                                    607988272756665600u,
                                    16172922978634559625u,
                                    8476171486693032832u,
                                    10595114339597558777u,
                                    2904607092377533576u};
    gh_rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        ck_assert_uint_eq(gh_rng_u64(&rng), want[i]);
}
END_TEST

/* splitmix64 from seed 1234567, as listed by its author's test and Rosetta Code. */
START_TEST(test_seed_is_splitmix64)
{
    gh_rng rng;
    gh_rng_seed(&rng, 1234567);
    ck_assert_uint_eq(rng.s[0], 6457827717110365317u);
    ck_assert_uint_eq(rng.s[1], 3203168211198807973u);
    ck_assert_uint_eq(rng.s[2], 9817491932198370423u);
    ck_assert_uint_eq(rng.s[3], 4593380528125082431u);
}
END_TEST

START_TEST(test_same_seed_same_numbers)
{
    gh_rng a, b, c;
    gh_rng_seed(&a, 7);
    gh_rng_seed(&b, 7);
    gh_rng_seed(&c, 8);
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = gh_rng_u64(&a);
        ck_assert_uint_eq(v, gh_rng_u64(&b));
        differ += v != gh_rng_u64(&c);
    }
    ck_assert_int_eq(differ, 100);
}
END_TEST

START_TEST(test_below_is_in_range_and_even)
{
    gh_rng rng;
    gh_rng_seed(&rng, 3);
    int count[7] = {0};
    for (int i = 0; i < 70000; i++)
        count[gh_rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++) /* five standard deviations of a binomial(70000, 1/7) */
        ck_assert_int_lt(abs(count[i] - 10000), 463);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(gh_rng_below(&rng, 1), 0);
    /* Of 2^63 + 1 values half of all draws are refused; a plain remainder would favour 0. */
    uint64_t n = (UINT64_C(1) << 63) + 1;
    int high = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = gh_rng_below(&rng, n);
        ck_assert_uint_lt(v, n);
        high += v >= n / 2;
    }
    ck_assert_int_lt(abs(high - 500), 80);
}
END_TEST

START_TEST(test_float_is_in_its_range)
{
    gh_rng rng;
    gh_rng_seed(&rng, 4);
    double sum = 0;
    int outside = 0;
    for (int i = 0; i < 100000; i++) {
        float f = gh_rng_float(&rng);
        outside += !(f >= 0 && f < 1);
        sum += f;
    }
    ck_assert_int_eq(outside, 0);
    ck_assert_double_eq_tol(sum / 100000, 0.5, 0.005);
}
END_TEST

START_TEST(test_normal_has_its_moments)
{
    gh_rng rng;
    gh_rng_seed(&rng, 5);
    enum { N = 200000 };
    double sum = 0, squares = 0, tail = 0;
    for (int i = 0; i < N; i++) {
        double x = gh_rng_normal(&rng); /* a value that is not finite would spoil both sums */
        sum += x;
        squares += x * x;
        tail += fabs(x) > 1.959964;
    }
    ck_assert_double_eq_tol(sum / N, 0, 0.012);
    ck_assert_double_eq_tol(squares / N, 1, 0.02);
    ck_assert_double_eq_tol(tail / N, 0.05, 0.003);
}
END_TEST

Suite *gh_suite_rng(void)
{
    Suite *s = suite_create("rng");
    TCase *t = tcase_create("rng");
    tcase_add_test(t, test_xoshiro_sequence);
    tcase_add_test(t, test_seed_is_splitmix64);
    tcase_add_test(t, test_same_seed_same_numbers);
    tcase_add_test(t, test_below_is_in_range_and_even);
    tcase_add_test(t, test_float_is_in_its_range);
    tcase_add_test(t, test_normal_has_its_moments);
    suite_add_tcase(s, t);
    return s;
}
