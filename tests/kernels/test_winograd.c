/* Winograd's convolutions (Lavin and Gray 2016) at every level: paddings, rests of tiles, stages. */
#include "unit/suites.h"

#include "kernels/conv_case.h"

START_TEST(test_winograd)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        const gh_conv_kernel *const kernels[] = {k.conv_winograd2, k.conv_winograd4, k.conv_winograd6};
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
            kc_sweep(&k, kernels[i], kc_three_by_three, KC_THREE_BY_THREE, kc_mixed, KC_MIXED, false);
    }
}
END_TEST

/* Weights that are too large for a cache: Winograd's products in stages, in one round and in two. */
START_TEST(test_stages)
{
    static const kc_window three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, bare = {3, 3, 1, 1, 1, 1, 0, 0, 0, 0};
    static const struct {
        const kc_window *w;
        int m, n, ic, oc, height, width;
    } rows[] = {{&three, 6, 2, 260, 150, 7, 13}, {&bare, 6, 1, 211, 200, 8, 8},
                {&three, 6, 1, 150, 260, 1, 5},  {&three, 4, 2, 260, 250, 5, 9},
                {&three, 2, 2, 390, 385, 3, 4},  {&three, 6, 1, 190, 190, 61, 50}};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gh_conv_kernel *kernel = rows[i].m == 6   ? k.conv_winograd6
                                       : rows[i].m == 4 ? k.conv_winograd4
                                                        : k.conv_winograd2;
        ck_assert(
            kc_shape(&s, rows[i].w, rows[i].n, rows[i].ic, rows[i].oc, rows[i].height, rows[i].width, 1));
        if (!kernel->shared) /* plain C has no stages */
            continue;
        ck_assert_uint_gt(kernel->shared(&s), 0);
        ck_assert_int_lt(kernel->stage(&s, 0), kernel->units(&s) / 2);
        kc_check(&k, kernel, &s, (int)i);
    }
}
END_TEST

/* Every rest of two tiles of F(6x6), on both axes. */
START_TEST(test_winograd_rests)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int height = 1; height <= 13; height++)
        for (int width = 1; width <= 13; width++) {
            const gh_conv_kernel *const kernels[] = {k.conv_winograd2, k.conv_winograd4, k.conv_winograd6};
            const kc_channels *c = &kc_mixed[(height * 13 + width) % 8];
            gh_conv_shape s;
            ck_assert(kc_shape(&s, &kc_three_by_three[0], 1, c->ic, c->oc, height, width, 1));
            for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
                kc_check(&k, kernels[i], &s, height + width);
        }
}
END_TEST

Suite *gh_suite_kernels_winograd(void)
{
    Suite *s = suite_create("kernels_winograd");
    TCase *c = tcase_create("winograd");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_winograd);
    tcase_add_test(c, test_stages);
    tcase_add_test(c, test_winograd_rests);
    suite_add_tcase(s, c);
    return s;
}
