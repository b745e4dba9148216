/* Which kernel a convolution gets: a tile of Winograd's chosen once a layer, and what happens where the
 * layer's weights make it lose too much. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 32 };

/* One 3x3 convolution of 32 channels with weights in -scale .. scale, for pictures of any size. */
static gh_graph *one_layer(float scale)
{
    gh_graph *g = NULL;
    gh_rng rng;
    float *data = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    gh_rng_seed(&rng, 5);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(-1, CHANNELS, -1, -1)));
    uint32_t in[2] = {x,
                      gh_graph_const_f32(g, "w", gh_shape_of(4, NT_DIMS(CHANNELS, CHANNELS, 3, 3)), &data)};
    ck_assert_ptr_nonnull(data);
    rn_fill(&rng, data, CHANNELS * CHANNELS * 9);
    for (int i = 0; i < CHANNELS * CHANNELS * 9; i++)
        data[i] *= scale;
    uint32_t c = gh_graph_op(g, "Conv", "c", in, 2);
    gh_graph_set_ints(g, c, "pads", NT_DIMS(1, 1, 1, 1), 4);
    gh_graph_output(g, c);
    return g;
}

/* Name of the convolution's kernel in a plan of this size. */
static const char *kernel_at(gh_net *net, int64_t side)
{
    gh_err e;
    gh_plan *plan = NULL;
    const char *name = NULL;
    gh_shape s = gh_shape_of(4, NT_DIMS(1, CHANNELS, side, side));
    NT_OK(gh_plan_get(&plan, net, &s, &e), e);
    for (size_t i = 0; i < gh_plan_steps(plan); i++)
        if (strcmp(gh_plan_step(plan, i).op, "Conv") == 0)
            name = gh_plan_step(plan, i).kernel;
    gh_plan_put(&plan);
    ck_assert_ptr_nonnull(name);
    return name;
}

static gh_net *net_of(float scale)
{
    gh_err e;
    gh_graph *g = one_layer(scale);
    gh_net *net = NULL;
    NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
    return net;
}

/* Whether 5 or 97 pixels a side come first changes nothing. */
START_TEST(test_no_size_decides)
{
    gh_net *a = net_of(1), *b = net_of(1);
    size_t packed = gh_net_packed_bytes(a);
    const char *small_first = kernel_at(a, 5), *large_first = kernel_at(b, 97);
    ck_assert_str_eq(small_first, large_first);
    ck_assert_str_eq(kernel_at(a, 97), small_first);
    ck_assert_uint_eq(gh_net_packed_bytes(a), packed);
    gh_net_free(&a);
    gh_net_free(&b);
}
END_TEST

/* Runs on noise small enough for nothing to overflow. */
static void run_noise(nt_run *r)
{
    gh_err e;
    gh_rng rng;
    gh_tensor *x = gh_session_input(r->session, 0);
    size_t count = 0;
    ck_assert(gh_shape_count(&count, &x->shape));
    gh_rng_seed(&rng, 3);
    rn_fill(&rng, x->data, count);
    for (size_t i = 0; i < count; i++)
        ((float *)x->data)[i] /= 64;
    NT_OK(gh_session_run(r->session, &e), e);
}

/* Largest difference from the plain run, as a share of its largest result. */
static double lost(float scale)
{
    gh_err e;
    gh_shape s = gh_shape_of(4, NT_DIMS(1, CHANNELS, 20, 23));
    gh_graph *g = one_layer(scale), *plain = one_layer(scale);
    nt_run fast, exact;
    size_t count = 0;
    double largest = 0, difference = 0;
    NT_OK(nt_open(&fast, &g, GH_PASS_ALL, &s, NULL, &e), e);
    NT_OK(nt_open(&exact, &plain, 0, &s, NULL, &e), e);
    run_noise(&fast);
    run_noise(&exact);
    float *got = nt_copy_output(&fast, 0, &count), *want = nt_copy_output(&exact, 0, &count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(isfinite(got[i]), "scale %g: result %zu is not finite", (double)scale, i);
        largest = fmax(largest, fabs((double)want[i]));
        difference = fmax(difference, fabs((double)want[i] - (double)got[i]));
    }
    gh_free(got);
    gh_free(want);
    nt_close(&fast);
    nt_close(&exact);
    return difference / largest;
}

/* The plan tells costs, and of a tile that was refused. */
static void check_why(gh_net *net, bool refused)
{
    gh_err e;
    gh_plan *plan = NULL;
    gh_shape s = gh_shape_of(4, NT_DIMS(1, CHANNELS, 64, 64));
    NT_OK(gh_plan_get(&plan, net, &s, &e), e);
    bool told = false, tells_refused = false, plain = strcmp(gh_kernels_get()->level, "ref") == 0;
    for (size_t i = 0; i < gh_plan_steps(plan); i++) {
        told = told || strstr(gh_plan_step(plan, i).why, "Mcycles");
        tells_refused = tells_refused || strstr(gh_plan_step(plan, i).why, "by too much");
    }
    ck_assert(told == !plain && tells_refused == (refused && !plain));
    gh_plan_put(&plan);
}

/* Weights so large that the sums of the wider tiles overflow, and those of the definition do not. */
START_TEST(test_weights_that_break_the_bound_fall_back)
{
    static const struct {
        float scale;
        const char *kernel;
    } rows[] = {{1, "winograd6"}, {5.8e35f, "winograd4"}, {3e36f, "winograd2"}, {1.5e37f, "conv_direct"}};
    bool plain = strcmp(gh_kernels_get()->level, "ref") == 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gh_net *net = net_of(rows[i].scale);
        const char *want = plain ? "conv_direct" : rows[i].kernel, *got = kernel_at(net, 64);
        ck_assert_msg(strncmp(got, want, strlen(want)) == 0, "scale %g: %s computes it, not %s",
                      (double)rows[i].scale, got, want);
        check_why(net, i > 0);
        gh_net_free(&net);
        ck_assert_double_lt(lost(rows[i].scale), 1e-4);
    }
}
END_TEST

/* With --tune the plan tells what was measured, the bound still holds, and weights are packed once. */
START_TEST(test_measured)
{
    gh_err e;
    gh_plan *plan = NULL;
    gh_shape s = gh_shape_of(4, NT_DIMS(1, CHANNELS, 33, 20));
    bool told = false, plain = strcmp(gh_kernels_get()->level, "ref") == 0;
    gh_tune_set(true);
    for (int i = 0; i < 2; i++) { /* ordinary weights, and such that F(6x6) breaks the bound */
        float scale = i ? 5.8e35f : 1;
        gh_net *net = net_of(scale);
        NT_OK(gh_plan_get(&plan, net, &s, &e), e);
        for (size_t k = 0; k < gh_plan_steps(plan); k++) {
            const char *why = gh_plan_step(plan, k).why;
            told = told || strncmp(why, "measured:", 9) == 0;
            ck_assert_msg(!i || !strstr(why, "F(6)"), "%s", why);
        }
        size_t packed = gh_net_packed_bytes(net);
        kernel_at(net, 64);
        ck_assert_uint_eq(gh_net_packed_bytes(net), packed);
        gh_plan_put(&plan);
        gh_net_free(&net);
        ck_assert(told == !plain);
        ck_assert_double_lt(lost(scale), 1e-4);
    }
    gh_tune_set(false);
}
END_TEST

Suite *gh_suite_conv_choice(void)
{
    Suite *s = suite_create("conv_choice");
    TCase *t = tcase_create("choice");
    tcase_add_test(t, test_no_size_decides);
    tcase_add_test(t, test_weights_that_break_the_bound_fall_back);
    tcase_add_test(t, test_measured);
    suite_add_tcase(s, t);
    return s;
}
