/* Nets and their plans: sizes, the cache of eight, one packing for all. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"
#include "unit/random_net.h"

START_TEST(test_what_a_net_tells)
{
    gh_net *net = nt_free_net(), *none = NULL;
    ck_assert_uint_eq(gh_net_inputs(net), 1);
    ck_assert_uint_eq(gh_net_outputs(net), 1);
    ck_assert_str_eq(gh_net_input(net, 0)->name, "x");
    ck_assert_int_eq(gh_net_input(net, 0)->shape.dims[2], -1);
    ck_assert_str_eq(gh_net_output(net, 0)->name, "out");
    ck_assert_uint_gt(gh_net_packed_bytes(net), 0); /* before any plan: what is packed hangs on no size */
    gh_net_free(&net);
    ck_assert_ptr_null(net);
    gh_net_free(&none);
}
END_TEST

START_TEST(test_sizes_that_do_not_fit_are_told)
{
    gh_err e;
    gh_net *net = nt_free_net();
    gh_plan *plan = NULL;
    gh_shape s = gh_shape_of(4, NT_DIMS(1, 4, 8, 8));
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_ARG, &e,
               "input \"x\" is 1x4x8x8; the model takes ?x3x?x?");
    s = gh_shape_of(3, NT_DIMS(3, 8, 8));
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_ARG, &e, "3x8x8");
    s = nt_size(1, -1, 8);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_ARG, &e, "1x3x?x8");
    s = nt_size(1, 30000, 30000);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "larger than gharial accepts");
    s = nt_size(1, 20000, 20000); /* the input alone would do */
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "more than gharial accepts");
    s = nt_size(1, 10000, 10000);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "MB for its activations");
    ck_assert_ptr_null(plan);
    s = nt_size(1, 8, 8); /* and afterwards it still works */
    NT_OK(gh_plan_get(&plan, net, &s, &e), e);
    gh_plan_put(&plan);
    ck_assert_ptr_null(plan);
    gh_plan_put(&plan);
    gh_net_free(&net);
}
END_TEST

START_TEST(test_the_same_size_is_the_same_plan)
{
    gh_err e;
    gh_net *net = nt_free_net();
    gh_plan *a = NULL, *b = NULL, *c = NULL;
    gh_shape s = nt_size(1, 10, 12), t = nt_size(2, 10, 12);
    NT_OK(gh_plan_get(&a, net, &s, &e), e);
    uint64_t allocs = gh_mem_allocs();
    NT_OK(gh_plan_get(&b, net, &s, &e), e);
    ck_assert_uint_eq(gh_mem_allocs(), allocs);
    NT_OK(gh_plan_get(&c, net, &t, &e), e);
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_ne(a, c);
    ck_assert_double_eq(gh_plan_macs(c), 2 * gh_plan_macs(a));
    gh_plan_put(&a);
    gh_plan_put(&b);
    gh_plan_put(&c);
    gh_net_free(&net);
}
END_TEST

/* Eight are kept; the one that was used longest ago goes. */
START_TEST(test_the_ninth_size_drops_the_least_recently_used)
{
    gh_err e;
    gh_net *net = nt_free_net();
    gh_plan *plans[9] = {NULL}, *again = NULL;
    gh_shape s[9];
    for (int i = 0; i < 9; i++) {
        s[i] = nt_size(1, 8 + i, 8);
        if (i == 8) /* the first was just used: now the second is the oldest */
            NT_OK(gh_plan_get(&again, net, &s[0], &e), e);
        NT_OK(gh_plan_get(&plans[i], net, &s[i], &e), e);
    }
    ck_assert_ptr_eq(again, plans[0]);
    gh_plan_put(&again);
    uint64_t allocs = gh_mem_allocs();
    for (int i = 0; i < 9; i++) {
        if (i == 1)
            continue;
        NT_OK(gh_plan_get(&again, net, &s[i], &e), e);
        ck_assert_ptr_eq(again, plans[i]);
        gh_plan_put(&again);
    }
    ck_assert_uint_eq(gh_mem_allocs(), allocs);
    NT_OK(gh_plan_get(&again, net, &s[1], &e), e); /* built anew, the held one is another */
    ck_assert_ptr_ne(again, plans[1]);
    ck_assert_uint_gt(gh_mem_allocs(), allocs);
    gh_plan_put(&again);
    for (int i = 0; i < 9; i++)
        gh_plan_put(&plans[i]);
    gh_net_free(&net);
}
END_TEST

/* All sizes share one packing, and each gives what a net of its own would give. */
START_TEST(test_sizes_share_their_weights)
{
    gh_err e;
    gh_net *net = nt_free_net();
    size_t packed = 0;
    for (int i = 0; i < 9; i++) {
        gh_shape s = nt_size(1 + i % 2, 8 + i, 20 - i);
        nt_run shared = nt_bind(net, s), own;
        gh_graph *g = nt_free_graph();
        if (i)
            ck_assert_uint_eq(gh_net_packed_bytes(net), packed);
        packed = gh_net_packed_bytes(net);
        NT_OK(nt_open(&own, &g, GH_PASS_ALL, &s, NULL, &e), e);
        nt_run_seeded(&shared, (uint64_t)i);
        nt_run_seeded(&own, (uint64_t)i);
        nt_same_outputs(&shared, &own, 0, "own net");
        nt_close(&own);
        nt_unbind(&shared);
    }
    ck_assert_uint_ge(packed, (16 * 3 * 9 + 2 * 16 * 16 * 9) * sizeof(float));
    gh_net_free(&net);
}
END_TEST

START_TEST(test_random_networks_of_any_size)
{
    static const int64_t sizes[][2] = {{24, 24}, {31, 40}, {40, 25}, {24, 24}};
    gh_err e, f;
    int ran = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        gh_graph *g = rn_build(seed, RN_FREE_SIZE);
        gh_net *net = NULL;
        ck_assert_ptr_nonnull(g);
        gh_shape declared = g->values[g->inputs[0]].shape;
        NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
        for (size_t i = 0; i < GH_COUNT(sizes); i++) {
            gh_shape s =
                gh_shape_of(4, NT_DIMS(declared.dims[0], declared.dims[1], sizes[i][0], sizes[i][1]));
            nt_run shared = {.net = net}, own;
            gh_status a = gh_plan_get(&shared.plan, net, &s, &e);
            g = rn_build(seed, RN_FREE_SIZE);
            gh_status b = nt_open(&own, &g, 0, &s, NULL, &f);
            ck_assert_msg(a == b, "seed %u: %s and %s", (unsigned)seed, e.text, f.text);
            if (a) /* two strides gave sides that no longer add up at this size: told alike */
                continue;
            NT_OK(gh_session_new(&shared.session, NULL, &e), e);
            NT_OK(gh_session_bind(shared.session, shared.plan, &e), e);
            nt_run_seeded(&shared, seed);
            nt_run_seeded(&own, seed);
            nt_same_outputs(&shared, &own, 2e-4, "any size");
            nt_unbind(&shared);
            nt_close(&own);
            ran++;
        }
        gh_net_free(&net);
    }
    ck_assert_int_gt(ran, 80);
}
END_TEST

/* Weights that follow from the picture's size differ from plan to plan: packed once, the first plan's would
 * have served all. */
START_TEST(test_weights_that_depend_on_the_size_are_not_shared)
{
    gh_err e;
    gh_graph *g = NULL;
    gh_net *net = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(1, 1, -1, 4)));
    uint32_t shape = gh_graph_op(g, "Shape", "", &x, 1), cast = gh_graph_op(g, "Cast", "", &shape, 1), in[2];
    gh_graph_set_int(g, cast, "to", GH_F32);
    in[0] = cast;
    in[1] = gh_graph_const(g, "as weights", GH_I64, gh_shape_of(1, NT_DIMS(4)), NT_DIMS(4, 1, 1, 1), true);
    in[1] = gh_graph_op(g, "Reshape", "", in, 2);
    in[0] = x;
    gh_graph_output(g, gh_graph_op(g, "Conv", "c", in, 2)); /* channels times 1, 1, height, width */
    NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
    for (int64_t h = 3; h < 6; h++) {
        nt_run r = nt_bind(net, gh_shape_of(4, NT_DIMS(1, 1, h, 4)));
        float *in0 = gh_session_input(r.session, 0)->data;
        for (int64_t i = 0; i < h * 4; i++)
            in0[i] = 1;
        NT_OK(gh_session_run(r.session, &e), e);
        const float *out = gh_session_output(r.session, 0)->data;
        ck_assert_float_eq(out[0], 1);
        ck_assert_float_eq(out[(size_t)(2 * h * 4)], (float)h);
        ck_assert_float_eq(out[(size_t)(3 * h * 4)], 4);
        nt_unbind(&r);
    }
    gh_net_free(&net);
}
END_TEST

Suite *gh_suite_net(void)
{
    Suite *s = suite_create("net");
    TCase *t = tcase_create("net");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_what_a_net_tells);
    tcase_add_test(t, test_sizes_that_do_not_fit_are_told);
    tcase_add_test(t, test_the_same_size_is_the_same_plan);
    tcase_add_test(t, test_the_ninth_size_drops_the_least_recently_used);
    tcase_add_test(t, test_sizes_share_their_weights);
    tcase_add_test(t, test_random_networks_of_any_size);
    tcase_add_test(t, test_weights_that_depend_on_the_size_are_not_shared);
    suite_add_tcase(s, t);
    return s;
}
