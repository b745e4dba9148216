/* Allocation, arena and buffer. */
#include "unit/suites.h"

#include "base/mem.h"

START_TEST(test_overflow_is_refused)
{
    ck_assert_ptr_null(gh_calloc(SIZE_MAX / 2, 4));
}
END_TEST

Suite *gh_suite_mem(void)
{
    Suite *s = suite_create("mem");
    TCase *t = tcase_create("mem");
    tcase_add_test(t, test_overflow_is_refused);
    suite_add_tcase(s, t);
    return s;
}
