/* Every convolution kernel at every level against the reference, over edge shapes. */
#include "unit/suites.h"

#include "kernels/conv_case.h"

START_TEST(test_direct)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        kc_sweep(&k, k.conv_direct, kc_square, KC_SQUARE, kc_mixed, KC_MIXED, false);
        kc_sweep(&k, k.conv_direct, kc_odd, KC_ODD, kc_mixed, KC_MIXED, false);
    }
}
END_TEST

/* The levels that multiply bfloat16 numbers: the reference, and AVX-512 where the processor can. */
START_TEST(test_bf16)
{
    static const kc_window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    {
        if (!k.conv_bf16)
            continue;
        kc_sweep(&k, k.conv_bf16, kc_square, KC_SQUARE, kc_mixed, KC_MIXED, false);
        kc_sweep(&k, k.conv_bf16, kc_odd, KC_ODD, kc_mixed, KC_MIXED, false);
        for (int side = 1; side < 40; side++) /* rows of a 1x1 convolution are merged */
            for (int other = 1; other < 9; other += 1 + side % 3) {
                const kc_channels *c = &kc_mixed[(side + other) % KC_MIXED];
                ck_assert(kc_shape(&s, &one, 1 + side % 2, c->ic, c->oc, side, other, 1));
                kc_check(&k, k.conv_bf16, &s, side);
            }
        ck_assert(kc_shape(&s, &one, 1, 1152, 35, 7, 7, 1));
        kc_check(&k, k.conv_bf16, &s, 1);
        ck_assert(kc_shape(&s, &kc_square[0], 1, 260, 40, 70, 65, 1));
        kc_check(&k, k.conv_bf16, &s, 7);
    }
}
END_TEST

START_TEST(test_first)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        kc_sweep(&k, k.conv_first, kc_square, KC_SQUARE, kc_picture, KC_PICTURE, false);
        kc_sweep(&k, k.conv_first, kc_odd, KC_ODD, kc_picture, KC_PICTURE, false);
    }
}
END_TEST

START_TEST(test_depthwise)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        kc_sweep(&k, k.conv_depthwise, kc_square, KC_SQUARE, kc_mixed, KC_MIXED, true);
        kc_sweep(&k, k.conv_depthwise, kc_odd, KC_ODD, kc_mixed, KC_MIXED, true);
    }
}
END_TEST

/* Widths round every register tile, channels round every block. */
START_TEST(test_pointwise)
{
    static const kc_window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    static const kc_channels ch[] = {{1, 1},   {3, 8},   {8, 16},   {16, 24}, {17, 33},
                                     {32, 48}, {24, 65}, {100, 96}, {31, 7},  {9, 130}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        int turn = 0;
        for (int hw = 1; hw <= 45; hw++)
            for (size_t i = 0; i < sizeof ch / sizeof *ch; i += 1 + (size_t)hw % 3, turn++) {
                gh_conv_shape s;
                ck_assert(kc_shape(&s, &one, 1 + turn % 2, ch[i].ic, ch[i].oc, 1, hw, 1));
                kc_check(&k, k.conv_pointwise, &s, turn);
            }
    }
}
END_TEST

/* Every width round the register tiles, with channels round the blocks; odd strides and dilation. */
static void every_width(const gh_kernels *k, const gh_conv_kernel *kernel, const kc_window *w, bool depthwise)
{
    static const kc_channels few[] = {{1, 8}, {3, 16}, {2, 17}, {4, 33}, {3, 9}, {1, 1}, {4, 7}};
    static const kc_channels edges[] = {{1, 8}, {7, 16}, {8, 17}, {9, 33}, {16, 15}, {17, 9}, {33, 7}};
    const kc_channels *ch = kernel->src_blocked ? edges : few;
    for (int width = 1; width <= 40; width++) {
        gh_conv_shape s;
        int ic = ch[width % 7].ic, ih = w->kh * w->dh + width % 3;
        if (kc_shape(&s, w, 1, ic, depthwise ? ic : ch[width % 7].oc, ih, width, depthwise ? ic : 1))
            kc_check(k, kernel, &s, width);
    }
}

START_TEST(test_every_width)
{
    static const kc_window w[] = {{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1},
                                  {5, 5, 1, 1, 1, 1, 2, 2, 2, 2}, {5, 5, 2, 2, 1, 1, 2, 2, 2, 2},
                                  {3, 3, 1, 1, 2, 2, 2, 2, 2, 2}, {3, 3, 3, 3, 1, 1, 1, 1, 1, 1},
                                  {7, 7, 2, 2, 1, 1, 3, 3, 3, 3}, {1, 1, 2, 2, 1, 1, 0, 0, 0, 0}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
        every_width(&k, k.conv_direct, &w[i], false);
        every_width(&k, k.conv_first, &w[i], false);
        every_width(&k, k.conv_depthwise, &w[i], true);
        if (k.conv_bf16)
            every_width(&k, k.conv_bf16, &w[i], false);
    }
}
END_TEST

/* Shapes that need several blocks of the inner dimension, of rows and of pixels. */
START_TEST(test_large)
{
    static const kc_window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, padded = {1, 1, 1, 1, 1, 1, 1, 0, 0, 2},
                           three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, two = {3, 3, 2, 2, 1, 1, 0, 1, 1, 0};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    {
        ck_assert(kc_shape(&s, &one, 1, 1152, 35, 7, 7, 1));
        kc_check(&k, k.conv_pointwise, &s, 1);
        ck_assert(kc_shape(&s, &one, 2, 515, 64, 3, 5, 1));
        kc_check(&k, k.conv_pointwise, &s, 2);
        ck_assert(kc_shape(&s, &one, 1, 24, 16, 61, 67, 1));
        kc_check(&k, k.conv_pointwise, &s, 4);
        for (int turn = 0; turn < 4; turn++) {
            ck_assert(kc_shape(&s, &one, 2, 24, 40 + 16 * turn, 13, 15, 1));
            kc_check(&k, k.conv_pointwise, &s, 3 + turn);
        }
        ck_assert(kc_shape(&s, &padded, 1, 20, 16, 5, 9, 1));
        kc_check(&k, k.conv_pointwise, &s, 5);
        ck_assert(kc_shape(&s, &three, 1, 260, 40, 7, 7, 1));
        kc_check(&k, k.conv_direct, &s, 7);
        kc_check(&k, k.conv_winograd2, &s, 7);
        ck_assert(kc_shape(&s, &three, 1, 16, 16, 70, 65, 1));
        kc_check(&k, k.conv_direct, &s, 8);
        kc_check(&k, k.conv_winograd4, &s, 8);
        kc_check(&k, k.conv_winograd6, &s, 8);
        ck_assert(kc_shape(&s, &three, 2, 72, 90, 17, 40, 1));
        kc_check(&k, k.conv_winograd2, &s, 9);
        kc_check(&k, k.conv_winograd4, &s, 9);
        kc_check(&k, k.conv_winograd6, &s, 9);
        ck_assert(kc_shape(&s, &two, 2, 130, 24, 29, 31, 1));
        kc_check(&k, k.conv_direct, &s, 10);
        ck_assert(kc_shape(&s, &two, 1, 3, 32, 120, 130, 1));
        kc_check(&k, k.conv_first, &s, 11);
        ck_assert(kc_shape(&s, &three, 1, 40, 40, 90, 70, 40));
        kc_check(&k, k.conv_depthwise, &s, 13);
    }
}
END_TEST

/* All activations with all ways of bias and residual, on one shape of each kernel. */
START_TEST(test_every_epilogue)
{
    static const kc_window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    for (int turn = 0; turn < 3 * kt_act_count; turn++) {
        ck_assert(kc_shape(&s, &one, 1, 19, 37, 5, 5, 1));
        kc_check(&k, k.conv_pointwise, &s, turn);
        ck_assert(kc_shape(&s, &three, 1, 11, 21, 5, 9, 1));
        kc_check(&k, k.conv_direct, &s, turn);
        kc_check(&k, k.conv_winograd2, &s, turn);
        kc_check(&k, k.conv_winograd4, &s, turn);
        kc_check(&k, k.conv_winograd6, &s, turn);
        ck_assert(kc_shape(&s, &three, 1, 3, 21, 5, 9, 1));
        kc_check(&k, k.conv_first, &s, turn);
        ck_assert(kc_shape(&s, &three, 1, 21, 21, 5, 19, 21));
        kc_check(&k, k.conv_depthwise, &s, turn);
        ck_assert(kc_shape(&s, &three, 1, 6, 4, 5, 9, 2));
        kc_check(&k, NULL, &s, turn);
    }
}
END_TEST

START_TEST(test_plain)
{
    static const int groups[][3] = {{1, 3, 5}, {2, 4, 6}, {3, 9, 3}, {4, 4, 8}, {8, 8, 8}};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < KC_ODD; i++)
        for (size_t j = 0; j < KC_SIDES; j++) {
            const int *g = groups[(i + j) % 5];
            if (kc_shape(&s, &kc_odd[i], 1 + (int)(j % 2), g[1], g[2], kc_sides[j][0], kc_sides[j][1], g[0]))
                kc_check(&k, NULL, &s, (int)(10 * i + j));
        }
}
END_TEST

/* Threads cut a stage's units as they like: single units in reverse give the same bits as all at once. */
static void check_units_of(const gh_kernels *k, const gh_conv_kernel *kernel, const kc_window *w, int ic,
                           int oc, int groups)
{
    enum { HEIGHT = 21, WIDTH = 17 };
    gh_conv_shape s;
    ck_assert(kc_shape(&s, w, 2, ic, oc, HEIGHT, WIDTH, groups));
    gh_rng rng;
    gh_rng_seed(&rng, 5);
    int block = k->block, cin = kernel->src_blocked ? kt_blocks(ic, block) * block : ic;
    size_t count = (size_t)2 * kt_blocks(oc, block) * block * s.oh * s.ow;
    kt_buf src = kt_random(&rng, (size_t)2 * cin * HEIGHT * WIDTH);
    kt_buf weights = kt_random(&rng, (size_t)oc * (ic / groups) * w->kh * w->kw);
    kt_buf packed = kt_new(kernel->packed(&s)), scratch = kt_new(kernel->scratch(&s));
    kt_buf whole = kt_new(count), single = kt_new(count), shared = kt_new(kc_shared_floats(kernel, &s));
    kernel->pack(packed.p, weights.p, &s);
    gh_conv_job job = {.shape = s,
                       .src = src.p,
                       .weights = packed.p,
                       .dst = whole.p,
                       .scratch = scratch.p,
                       .shared = shared.p};
    int units = kernel->units(&s);
    kernel->run(&job, 0, units);
    job.dst = single.p;
    for (int first = 0, end; first < units; first = end) {
        end = kc_stage_end(kernel, &s, first);
        for (int u = end - 1; u >= first; u--)
            kernel->run(&job, u, u + 1);
    }
    ck_assert_mem_eq(whole.p, single.p, count * sizeof(float));
    kt_buf *all[] = {&src, &weights, &packed, &scratch, &whole, &single, &shared};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++)
        kt_free(all[j], kernel->name);
}

static void check_unit_by_unit(const gh_kernels *k, const gh_conv_kernel *kernel, const kc_window *w, int ic,
                               int groups)
{
    check_units_of(k, kernel, w, ic, 40, groups);
}

START_TEST(test_first_bf16)
{
    static const kc_window two[] = {{3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
                                    {7, 7, 2, 2, 1, 1, 3, 3, 3, 3}, {5, 4, 1, 2, 1, 1, 2, 1, 2, 2},
                                    {1, 1, 2, 2, 1, 1, 0, 0, 0, 0}, {2, 2, 3, 2, 2, 1, 0, 3, 1, 0},
                                    {1, 6, 1, 2, 1, 1, 0, 2, 0, 5}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    if (k.conv_first_bf16) {
        kc_sweep(&k, k.conv_first_bf16, two, sizeof two / sizeof *two, kc_picture, KC_PICTURE, false);
        check_unit_by_unit(&k, k.conv_first_bf16, &two[2], 3, 1);
    }
}
END_TEST

START_TEST(test_unit_by_unit)
{
    static const kc_window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        check_unit_by_unit(&k, k.conv_pointwise, &one, 40, 1);
        check_unit_by_unit(&k, k.conv_pointwise, &one, 500, 1);
        check_unit_by_unit(&k, k.conv_direct, &three, 40, 1);
        if (k.conv_bf16) {
            check_unit_by_unit(&k, k.conv_bf16, &one, 40, 1);
            check_unit_by_unit(&k, k.conv_bf16, &three, 40, 1);
        }
        check_unit_by_unit(&k, k.conv_winograd2, &three, 40, 1);
        check_unit_by_unit(&k, k.conv_winograd4, &three, 40, 1);
        check_unit_by_unit(&k, k.conv_winograd6, &three, 40, 1);
        check_units_of(&k, k.conv_winograd6, &three, 200, 190, 1);
        check_unit_by_unit(&k, k.conv_first, &three, 3, 1);
        check_unit_by_unit(&k, k.conv_depthwise, &three, 40, 40);
    }
}
END_TEST

Suite *gh_suite_kernels_conv(void)
{
    Suite *s = suite_create("kernels_conv");
    TCase *c = tcase_create("conv");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_direct);
    tcase_add_test(c, test_bf16);
    tcase_add_test(c, test_first);
    tcase_add_test(c, test_depthwise);
    tcase_add_test(c, test_pointwise);
    tcase_add_test(c, test_every_width);
    tcase_add_test(c, test_large);
    tcase_add_test(c, test_every_epilogue);
    tcase_add_test(c, test_plain);
    tcase_add_test(c, test_first_bf16);
    tcase_add_test(c, test_unit_by_unit);
    suite_add_tcase(s, c);
    return s;
}
