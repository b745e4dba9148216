/* The struct of kernels: complete at every level, and the right convolution for a shape. */
#include "unit/suites.h"

#include "kernels/support.h"

#include <string.h>

START_TEST(test_every_level_is_complete)
{
    static const char *const names[] = {"ref", "avx2", "avx512"};
    gh_kernels k;
    int level = 0;
    for (; kt_level(&k, level); level++) {
        ck_assert_str_eq(k.level, names[level]);
        ck_assert_int_eq(k.block, level == 2 ? 16 : 8);
#define GH_KERNEL_CONV(field, what)                                                                          \
    bool absent_##field = level > 0 && strstr(#field, "bf16") && !k.field;                                   \
    ck_assert(absent_##field || k.field);                                                                    \
    ck_assert(absent_##field || (k.field->name && k.field->accepts && k.field->packed && k.field->pack &&    \
                                 k.field->scratch && k.field->units && k.field->run));
#define GH_KERNEL_DENSE(field, what)                                                                         \
    ck_assert_ptr_nonnull(k.field);                                                                          \
    ck_assert(k.field->name &&k.field->packed &&k.field->pack &&k.field->units &&k.field->run);
#define GH_KERNEL_FN(field, ret, args, what) ck_assert(k.field);
#include "kernels/list.inc"
#undef GH_KERNEL_CONV
#undef GH_KERNEL_DENSE
#undef GH_KERNEL_FN
    }
    ck_assert_int_ge(level, 1);
}
END_TEST

/* A level may not leave a kernel of another block size behind: those rows change with the level. */
START_TEST(test_block_size_is_consistent)
{
    gh_kernels low, high;
    ck_assert(kt_level(&low, 0));
    for (int level = 1; kt_level(&high, level); level++) {
        if (high.block != low.block) {
            ck_assert(high.conv_first != low.conv_first && high.conv_depthwise != low.conv_depthwise);
            ck_assert(high.conv_pointwise != low.conv_pointwise && high.conv_direct != low.conv_direct);
            ck_assert(high.to_blocked != low.to_blocked && high.to_plain != low.to_plain);
            ck_assert(high.pool_max != low.pool_max && high.pool_avg != low.pool_avg);
            ck_assert(high.pool_global_avg != low.pool_global_avg);
            ck_assert(high.resize != low.resize);
        }
        low = high;
    }
}
END_TEST

START_TEST(test_choice_of_convolution)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        gh_conv_shape s = {1, 3, 8, 8, 32, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1};
        ck_assert_ptr_eq(gh_conv_choose(&k, &s, 0, false), k.conv_first);
        s.ic = 32;
        ck_assert_ptr_eq(gh_conv_choose(&k, &s, 0, false), k.conv_direct);
        s.groups = 32;
        ck_assert_ptr_eq(gh_conv_choose(&k, &s, 0, false), k.conv_depthwise);
        s.groups = 4;
        ck_assert_ptr_null(gh_conv_choose(&k, &s, 0, false));
        s.groups = 1;
        s.kh = s.kw = 1;
        ck_assert_ptr_eq(gh_conv_choose(&k, &s, 0, false), k.conv_pointwise);
        const gh_conv_kernel *half = gh_conv_choose(&k, &s, 0, true);
        ck_assert_ptr_eq(half, k.conv_bf16 ? k.conv_bf16 : k.conv_pointwise);
        s.sh = s.sw = 2;
        ck_assert_ptr_nonnull(gh_conv_choose(&k, &s, 0, false));
    }
}
END_TEST

START_TEST(test_process_kernels_are_constant)
{
    const gh_kernels *k = gh_kernels_get();
    ck_assert_ptr_eq(k, gh_kernels_get());
    ck_assert_ptr_nonnull(k->conv_plain);
}
END_TEST

/* The peak loop does work in proportion to its iterations and counts it. */
START_TEST(test_fma_peak_counts)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        double one = k.fma_peak(1000), two = k.fma_peak(2000);
        ck_assert_double_ge(one, 2 * 1000);
        ck_assert_double_eq(two, 2 * one);
    }
}
END_TEST

Suite *gh_suite_kernels_dispatch(void)
{
    Suite *s = suite_create("kernels_dispatch");
    TCase *t = tcase_create("dispatch");
    tcase_add_test(t, test_every_level_is_complete);
    tcase_add_test(t, test_block_size_is_consistent);
    tcase_add_test(t, test_choice_of_convolution);
    tcase_add_test(t, test_process_kernels_are_constant);
    tcase_add_test(t, test_fma_peak_counts);
    suite_add_tcase(s, t);
    return s;
}
