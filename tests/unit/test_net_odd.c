/* Odd graphs that once went wrong: columns of biases, more inputs than a mask has bits, sides beside a side
 * of 0. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "engine/cut.h"
#include "unit/nets.h"
#include "unit/random_net.h"

/* A bias of n x 1 is one value a row, also where there are as many rows as columns. */
START_TEST(test_a_column_of_biases_is_not_a_row)
{
    gh_err e;
    gh_graph *g = NULL;
    float *w = NULL, *bias = NULL;
    nt_run r;
    NT_OK(gh_graph_new(&g, &e), e);
    uint32_t in[3] = {gh_graph_input(g, "x", GH_F32, gh_shape_of(2, NT_DIMS(2, 2)))};
    in[1] = gh_graph_const_f32(g, "w", gh_shape_of(2, NT_DIMS(2, 2)), &w);
    in[2] = gh_graph_const_f32(g, "bias", gh_shape_of(2, NT_DIMS(2, 1)), &bias);
    memset(w, 0, 4 * sizeof *w);
    bias[0] = 1;
    bias[1] = 2;
    gh_graph_output(g, gh_graph_op(g, "Gemm", "y", in, 3));
    gh_shape shape = gh_shape_of(2, NT_DIMS(2, 2));
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, &shape, NULL, &e), e);
    nt_run_seeded(&r, 1);
    size_t count;
    float *y = nt_copy_output(&r, 0, &count);
    for (size_t i = 0; i < 4; i++)
        ck_assert_float_eq(y[i], i < 2 ? 1.0f : 2.0f);
    gh_free(y);
    nt_close(&r);
}
END_TEST

/* More inputs than a mask of 32 bits has. */
START_TEST(test_a_concat_of_many_blocked_inputs)
{
    gh_err e;
    nt_run all, none;
    gh_shape shape = gh_shape_of(4, NT_DIMS(1, 16, 5, 5));
    for (int i = 0; i < 2; i++) {
        gh_graph *g = NULL;
        float *w = NULL;
        uint32_t in[40];
        gh_rng rng;
        gh_rng_seed(&rng, 5);
        NT_OK(gh_graph_new(&g, &e), e);
        uint32_t conv[2] = {gh_graph_input(g, "x", GH_F32, shape)};
        conv[1] = gh_graph_const_f32(g, "w", gh_shape_of(4, NT_DIMS(16, 16, 1, 1)), &w);
        rn_fill(&rng, w, 256);
        for (size_t k = 0; k < GH_COUNT(in); k++)
            in[k] = gh_graph_op(g, "Conv", "", conv, 2);
        gh_graph_output(g, gh_graph_op(g, "Concat", "y", in, GH_COUNT(in)));
        NT_OK(nt_open(i ? &none : &all, &g, i ? 0 : GH_PASS_ALL, &shape, NULL, &e), e);
        nt_run_seeded(i ? &none : &all, 2);
    }
    nt_same_outputs(&all, &none, 1e-4, "concat");
    nt_close(&all);
    nt_close(&none);
}
END_TEST

/* Cuts are found in a time that grows with the graph, not with the square of a node's inputs. */
START_TEST(test_cuts_of_a_node_with_many_inputs)
{
    enum { MANY = 300000 };
    gh_err e;
    gh_graph *g = NULL;
    uint32_t *in = gh_calloc(MANY, sizeof *in), *cuts = NULL;
    size_t count = 0;
    NT_OK(gh_graph_new(&g, &e), e);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(2, NT_DIMS(1, 1)));
    for (uint32_t i = 0; i < MANY; i++) /* all different: outputs of no node */
        in[i] = i < MANY / 2 ? x : gh_graph_value(g, "", GH_F32, gh_shape_of(2, NT_DIMS(1, 1)));
    gh_graph_output(g, gh_graph_op(g, "Concat", "y", in, MANY));
    NT_OK(gh_graph_check(g, &e), e);
    uint64_t start = gh_now_ns();
    NT_OK(gh_graph_cuts(&cuts, &count, g, &e), e);
    ck_assert_double_lt((double)(gh_now_ns() - start), 2e9);
    gh_free(cuts);
    gh_free(in);
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_sides_beside_a_side_of_zero_are_limited)
{
    gh_err e;
    gh_net *net = nt_free_net();
    gh_plan *plan = NULL;
    gh_shape s = nt_size(0, INT64_MAX / 2, 8);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "larger than gharial accepts");
    gh_net_free(&net);
}
END_TEST

Suite *gh_suite_net_odd(void)
{
    Suite *s = suite_create("net_odd");
    TCase *t = tcase_create("net_odd");
    tcase_add_test(t, test_a_column_of_biases_is_not_a_row);
    tcase_add_test(t, test_a_concat_of_many_blocked_inputs);
    tcase_add_test(t, test_cuts_of_a_node_with_many_inputs);
    tcase_add_test(t, test_sides_beside_a_side_of_zero_are_limited);
    suite_add_tcase(s, t);
    return s;
}
