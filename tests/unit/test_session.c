/* Sessions: nothing is allocated in a run, a pool changes nothing, one session serves plans of any size. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <stdio.h>
#include <string.h>

static void open_seed(nt_run *r, uint64_t seed, gh_pool *pool)
{
    gh_err e;
    gh_graph *g = rn_build(seed, RN_ODD_OUTPUTS);
    ck_assert_ptr_nonnull(g);
    NT_OK(nt_open(r, &g, GH_PASS_ALL, NULL, pool, &e), e);
}

START_TEST(test_a_run_allocates_nothing)
{
    gh_pool *pool = NULL;
    gh_err e;
    NT_OK(gh_pool_new(&pool, 2, &e), e);
    for (uint64_t seed = 0; seed < 60; seed++) {
        nt_run r;
        uint64_t ns[512];
        open_seed(&r, seed, seed % 2 ? pool : NULL);
        ck_assert_uint_le(gh_plan_steps(r.plan), GH_COUNT(ns));
        uint64_t before = gh_mem_allocs();
        for (int i = 0; i < 3; i++)
            nt_run_seeded(&r, seed);
        NT_OK(gh_session_profile(r.session, ns, &e), e);
        ck_assert_uint_eq(gh_mem_allocs(), before);
        nt_close(&r);
    }
    gh_pool_free(&pool);
}
END_TEST

/* The loops are dealt out over threads: the sums within one output do not change. */
START_TEST(test_a_pool_gives_identical_results)
{
    for (int threads = 2; threads < 4; threads++) {
        gh_pool *pool = NULL;
        gh_err e;
        NT_OK(gh_pool_new(&pool, threads, &e), e);
        for (uint64_t seed = 100; seed < 140; seed++) {
            nt_run alone, many;
            char what[40];
            snprintf(what, sizeof what, "seed %u", (unsigned)seed);
            open_seed(&alone, seed, NULL);
            open_seed(&many, seed, pool);
            nt_run_seeded(&alone, seed);
            nt_run_seeded(&many, seed);
            nt_same_outputs(&many, &alone, 0, what);
            nt_close(&alone);
            nt_close(&many);
        }
        gh_pool_free(&pool);
    }
}
END_TEST

START_TEST(test_profile_gives_the_same_as_run)
{
    nt_run r;
    gh_err e;
    uint64_t ns[512];
    size_t count = 0, again = 0;
    open_seed(&r, 3, NULL);
    nt_run_seeded(&r, 5);
    float *first = nt_copy_output(&r, 0, &count);
    gh_rng rng;
    gh_rng_seed(&rng, 5);
    gh_tensor *in = gh_session_input(r.session, 0);
    ck_assert(gh_shape_count(&again, &in->shape));
    rn_fill(&rng, in->data, again);
    memset(ns, 0xFF, sizeof ns);
    NT_OK(gh_session_profile(r.session, ns, &e), e);
    for (size_t i = 0; i < gh_plan_steps(r.plan); i++)
        ck_assert_uint_lt(ns[i], UINT64_C(60000000000));
    ck_assert_uint_eq(ns[gh_plan_steps(r.plan)], UINT64_MAX);
    float *second = nt_copy_output(&r, 0, &again);
    ck_assert_uint_eq(count, again);
    ck_assert_mem_eq(first, second, count * sizeof *first);
    gh_free(first);
    gh_free(second);
    nt_close(&r);
}
END_TEST

/* One session, the plans of many nets one after the other, large and small. */
START_TEST(test_one_session_serves_many_nets)
{
    enum { NETS = 12 };
    nt_run own[NETS];
    gh_session *s = NULL;
    gh_err e;
    NT_OK(gh_session_new(&s, NULL, &e), e);
    for (uint64_t i = 0; i < NETS; i++) {
        open_seed(&own[i], 200 + i, NULL);
        nt_run_seeded(&own[i], i);
    }
    for (int round = 0; round < 3; round++)
        for (uint64_t i = 0; i < NETS; i++) {
            uint64_t which = round == 1 ? NETS - 1 - i : i, before = gh_mem_allocs();
            nt_run r = {own[which].net, own[which].plan, s};
            NT_OK(gh_session_bind(s, r.plan, &e), e);
            if (round) /* it has grown as far as it needs */
                ck_assert_uint_eq(gh_mem_allocs(), before);
            nt_run_seeded(&r, which);
            nt_same_outputs(&r, &own[which], 0, "shared session");
        }
    gh_session_free(&s);
    for (int i = 0; i < NETS; i++)
        nt_close(&own[i]);
    gh_session_free(&s);
}
END_TEST

/* A bind that fails leaves a session that can be bound again. */
START_TEST(test_bind_without_memory)
{
    nt_run r;
    gh_err e;
    gh_session *s = NULL;
    open_seed(&r, 7, NULL);
    nt_run_seeded(&r, 1);
    NT_OK(gh_session_new(&s, NULL, &e), e);
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_mem_fail_after(n);
        gh_status status = gh_session_bind(s, r.plan, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert(whole || status == GH_NOMEM);
    }
    nt_run other = {r.net, r.plan, s};
    nt_run_seeded(&other, 1);
    nt_same_outputs(&other, &r, 0, "after failed binds");
    gh_session_free(&s);
    nt_close(&r);
}
END_TEST

/* What the elements of an input say is wrong, the run says. */
START_TEST(test_an_index_out_of_range_is_told)
{
    gh_err e;
    gh_graph *g = NULL;
    nt_run r;
    int64_t *index;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t in[2] = {gh_graph_input(g, "x", GH_F32, gh_shape_of(1, NT_DIMS(4))),
                      gh_graph_input(g, "i", GH_I64, gh_shape_of(1, NT_DIMS(2)))};
    gh_graph_output(g, gh_graph_op(g, "Gather", "pick", in, 2));
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    static const int64_t bad[][2] = {{0, 4}, {-5, 0}, {INT64_MAX, 0}, {0, INT64_MIN}};
    for (size_t i = 0; i < GH_COUNT(bad); i++) {
        index = gh_session_input(r.session, 1)->data;
        memcpy(index, bad[i], sizeof bad[i]);
        nt_refused(gh_session_run(r.session, &e), GH_FORMAT, &e, "node \"pick\" (Gather): index");
    }
    float *x = gh_session_input(r.session, 0)->data;
    for (int i = 0; i < 4; i++)
        x[i] = (float)i;
    index = gh_session_input(r.session, 1)->data;
    index[0] = -1;
    index[1] = 0;
    NT_OK(gh_session_run(r.session, &e), e);
    ck_assert_float_eq(((const float *)gh_session_output(r.session, 0)->data)[0], 3);
    ck_assert_float_eq(((const float *)gh_session_output(r.session, 0)->data)[1], 0);
    nt_close(&r);
}
END_TEST

Suite *gh_suite_session(void)
{
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_a_run_allocates_nothing);
    tcase_add_test(t, test_a_pool_gives_identical_results);
    tcase_add_test(t, test_profile_gives_the_same_as_run);
    tcase_add_test(t, test_one_session_serves_many_nets);
    tcase_add_test(t, test_bind_without_memory);
    tcase_add_test(t, test_an_index_out_of_range_is_told);
    suite_add_tcase(s, t);
    return s;
}
