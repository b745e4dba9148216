/* Convolutions of bfloat16 numbers: asked for, chosen, and near to those of fp32. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <string.h>

static bool can(void)
{
    return gh_kernels_get()->conv_bf16 != NULL;
}

START_TEST(test_what_is_asked_for)
{
    gh_err e;
    unsigned flag = 99;
    bool emulated = strcmp(gh_kernels_get()->level, "ref") == 0;
    NT_OK(gh_precision_flag(&flag, GH_PRECISION_DEFAULT, &e), e);
    ck_assert_uint_eq(flag, 0);
    NT_OK(gh_precision_flag(&flag, GH_PRECISION_AUTO, &e), e);
    ck_assert_uint_eq(flag, can() && !emulated ? GH_NET_BF16 : 0);
    gh_status status = gh_precision_flag(&flag, GH_PRECISION_BF16, &e);
    if (can())
        ck_assert(status == GH_OK && flag == GH_NET_BF16);
    else
        nt_refused(status, GH_UNSUPPORTED, &e, "needs a processor with AVX512-BF16");
    gh_precision_set(GH_PRECISION_AUTO);
    NT_OK(gh_precision_flag(&flag, GH_PRECISION_DEFAULT, &e), e);
    ck_assert_uint_eq(flag, can() && !emulated ? GH_NET_BF16 : 0);
    NT_OK(gh_precision_flag(&flag, GH_PRECISION_FP32, &e), e);
    ck_assert_uint_eq(flag, 0);
    gh_precision_set(GH_PRECISION_DEFAULT);
}
END_TEST

/* A 3x3 and a 1x1 convolution with weights of one sign, so that nothing cancels. */
static gh_graph *two_layers(void)
{
    static const char *const names[] = {"w0", "w1"};
    gh_graph *g = NULL;
    gh_rng rng;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    gh_rng_seed(&rng, 3);
    uint32_t v = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(1, 40, 9, 11)));
    for (int i = 0; i < 2; i++) {
        int side = i ? 1 : 3;
        float *data = NULL;
        uint32_t in[2] = {
            v, gh_graph_const_f32(g, names[i], gh_shape_of(4, NT_DIMS(40, 40, side, side)), &data)};
        ck_assert_ptr_nonnull(data);
        for (int k = 0; k < 1600 * side * side; k++)
            data[k] = gh_rng_float(&rng) / 40;
        v = gh_graph_op(g, "Conv", "", in, 2);
    }
    gh_graph_output(g, v);
    return g;
}

START_TEST(test_near_to_fp32)
{
    gh_err e;
    nt_run half, whole;
    gh_graph *g = two_layers(), *h = two_layers();
    size_t count = 0;
    int chosen = 0;
    NT_OK(nt_open(&half, &g, GH_PASS_ALL | GH_NET_BF16, NULL, NULL, &e), e);
    NT_OK(nt_open(&whole, &h, GH_PASS_ALL, NULL, NULL, &e), e);
    for (size_t i = 0; i < gh_plan_steps(half.plan); i++) {
        chosen += strncmp(gh_plan_step(half.plan, i).kernel, "conv_bf16", 9) == 0;
        ck_assert(strncmp(gh_plan_step(whole.plan, i).kernel, "conv_bf16", 9) != 0);
    }
    ck_assert_int_eq(chosen, can() ? 2 : 0);
    gh_rng rng;
    gh_rng_seed(&rng, 8);
    float *x = gh_session_input(half.session, 0)->data, *y = gh_session_input(whole.session, 0)->data;
    for (int i = 0; i < 40 * 99; i++)
        x[i] = y[i] = gh_rng_float(&rng);
    NT_OK(gh_session_run(half.session, &e), e);
    NT_OK(gh_session_run(whole.session, &e), e);
    float *got = nt_copy_output(&half, 0, &count), *want = nt_copy_output(&whole, 0, &count);
    double apart = nt_difference(got, want, count);
    ck_assert_double_le(apart, 4e-3);          /* bfloat16 has 8 bits: a product is off by at most 2^-7 */
    ck_assert((apart > 1e-6) == (chosen > 0)); /* and the flag does something */
    gh_free(got);
    gh_free(want);
    nt_close(&half);
    nt_close(&whole);
}
END_TEST

Suite *gh_suite_precision(void)
{
    Suite *s = suite_create("precision");
    TCase *t = tcase_create("precision");
    tcase_add_test(t, test_what_is_asked_for);
    tcase_add_test(t, test_near_to_fp32);
    suite_add_tcase(s, t);
    return s;
}
